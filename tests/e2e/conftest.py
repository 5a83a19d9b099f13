"""One AWS, with the macro installed in it once; a stack is deleted after the test that created it."""

from __future__ import annotations

import dataclasses
import os
import platform
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest
from tests.e2e import ministack
from tests.e2e.cloud import PATIENCE, SANDBOX, Cloud, Failed, Refused, connect
from tests.e2e.judge import Judge
from tests.support.iam import Request

ROOT = Path(__file__).parents[2]
NETWORK = Path(__file__).with_name("network.yaml")
ENGINE = Path(__file__).with_name("engine.yaml")
# What .ci/run installs; MiniStack's version is locked in requirements/ministack.txt.
LOCALEMU = "1.3.2"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class Installed(NamedTuple):
    """The stack of template.yaml."""

    stack: str
    macro_function: str
    preflight_function: str


class Engine(NamedTuple):
    """What `SimulatePrincipalPolicy` evaluates; AWS's evaluates both."""

    conditions: bool
    boundaries: bool


Note = Callable[[str], None]
NOTES = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints what the tests measured, and what this engine could not show."""
    notes = config.stash.get(NOTES, [])
    if notes:
        terminalreporter.section("end to end")
        for text in notes:
            terminalreporter.line(text)


@pytest.fixture(scope="session")
def note(pytestconfig: pytest.Config) -> Note:
    """Takes a line for the summary."""
    return pytestconfig.stash.setdefault(NOTES, []).append


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def sam(*arguments: str, environment: dict[str, str] | None = None, given: str = "") -> str:
    """Runs SAM CLI as a person does who types `given`; returns what it printed."""
    if shutil.which("sam") is None:
        raise Failed("SAM CLI is not on the PATH; `make e2e` puts it there")
    command = ["sam", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment or dict(os.environ),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(command)} has not ended after {PATIENCE} seconds") from error
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def cloud(note: Note) -> Iterator[Cloud]:
    """The AWS of the environment, or a MiniStack of its own. Ends the session if it is not meant for tests.

    At the end every stack is deleted, and every role that ECS could assume was judged.
    """
    with ExitStack() as stack:
        if not os.environ.get("AWS_ENDPOINT_URL") and not os.environ.get(SANDBOX):
            try:
                url = stack.enter_context(ministack.started())
            except ministack.NotStarted as error:
                pytest.exit(f"No AWS to deploy to: {error}", returncode=2)
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for key, value in {"AWS_ENDPOINT_URL": url, **CREDENTIALS}.items():
                patch.setenv(key, value)
        try:
            found = connect()
            found.client("cloudformation")
        except Refused as refused:
            pytest.exit(f"Refused: {refused}", returncode=2)
        where = f"an account of {found.engine}" if found.emulated else "the sandbox account"
        note(f"deployed to {where}, {found.account} in {found.region}, as stacks {found.prefix}-*")
        expected = LOCALEMU if found.engine == "LocalEmu" else found.version
        if found.version != expected:
            note(f"the plug-in in tests/e2e/emulator is written for LocalEmu {expected}, and this is {found.version}")
        found.judge = judge = Judge()
        yield found
        found.sweep(found.prefix)
        note(f"{len(judge.judged)} roles judged by iam-simulate, in {judge.calls} calls and near misses")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `sam build` on template.yaml, in a folder of these tests; returns the built template."""
    folder = tmp_path_factory.mktemp("sam")
    sam("build", "--build-dir", str(folder / "build"), "--cache-dir", str(folder / "cache"))
    return folder / "build" / "template.yaml"


def deploy_macro(
    cloud: Cloud, built: Path, *flags: str, configuration: Path = ROOT / "samconfig.toml", given: str = ""
) -> str:
    """Runs `sam deploy`, with what a person types as `given`; returns what it printed."""
    # An emulator runs functions on this machine's processor; AWS has both kinds.
    overrides = [f"Architecture={ARCHITECTURES[platform.machine().lower()]}"] if cloud.emulated else []
    return sam(
        "deploy",
        *flags,
        *("--template-file", str(built), "--config-file", str(configuration)),
        *("--stack-name", cloud.stack_name("macro"), "--no-progressbar"),
        *(["--parameter-overrides", *overrides] if overrides else []),
        environment=cloud.environment,
        given=given,
    )


def installed(cloud: Cloud, built: Path) -> Installed:
    """Installs the macro in an account."""
    deploy_macro(cloud, built)
    outputs = cloud.outputs(cloud.stack_name("macro"))
    if cloud.emulated:
        # By default, the function answers only hosts of CloudFormation.
        functions, name = cloud.client("lambda"), outputs["PreflightFunctionArn"]
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        variables["PREFLIGHT_RESPONSE_ORIGINS"] = "AWS_ENDPOINT_URL"
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    return Installed(cloud.stack_name("macro"), outputs["MacroFunctionArn"], outputs["PreflightFunctionArn"])


@pytest.fixture
def own(cloud: Cloud) -> Iterator[Cloud]:
    """An account for this test only, because the other tests need their macro."""
    if not cloud.emulated:
        pytest.skip("needs a second account, which only an emulator has at hand")
    session = boto3.Session(str(secrets.randbelow(9 * 10**11) + 10**11), "test", region_name=cloud.region)
    found = dataclasses.replace(cloud, session=session, prefix=f"{cloud.prefix}-own")
    yield found
    found.sweep(found.prefix)


@pytest.fixture(scope="session")
def install(cloud: Cloud, built: Path) -> Callable[[], str]:
    """Runs `sam deploy`, any number of times; returns what it printed."""
    return lambda: deploy_macro(cloud, built)


@pytest.fixture(scope="session")
def macro(cloud: Cloud, built: Path) -> Installed:
    """The installed macro. CloudFormation refuses a second one of its name, so one that the account has is used."""
    return installed(cloud, built)


@pytest.fixture(scope="session")
def network(cloud: Cloud) -> dict[str, str]:
    """A VPC with two subnets, for templates whose parameters ask for one: values for `VpcId` and `Subnets`."""
    stack = cloud.stack_name("network")
    cloud.deploy(stack, NETWORK.read_text(encoding="utf-8"))
    return cloud.outputs(stack)


@pytest.fixture(scope="session")
def engine(cloud: Cloud, note: Note) -> Engine:
    """Tried with a role that a condition, or a boundary, forbids everything."""
    stack = cloud.stack_name("engine")
    cloud.deploy(stack, ENGINE.read_text(encoding="utf-8"), judged=False)
    request = Request("s3:GetObject", "arn:aws:s3:::bucket/key")
    heeds = {
        role: [decision for _, decision in cloud.simulate(cloud.role_of(stack, role)["Arn"], [request])] != ["allowed"]
        for role in ("Conditioned", "Bounded")
    }
    found = Engine(heeds["Conditioned"], heeds["Bounded"])
    if not found.conditions:
        note("SimulatePrincipalPolicy heeds no conditions here: it was asked about actions and resources alone")
    if not found.boundaries:
        note("SimulatePrincipalPolicy heeds no permissions boundary here")
    return found
