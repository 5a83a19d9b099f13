"""The macro in Lambda's own runtime, without Docker: its cold start, compared with those of two small functions.

The runtime interface emulator is the one that SAM CLI ships; the runtime client, `awslambdaric`, is installed with it.
Times depend on the machine, so the tests check ratios; all sides are measured alternately.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest
from tests.e2e.conftest import ARCHITECTURES, Note
from tests.support.golden_files import answer_to

ROOT = Path(__file__).parents[2]
EVENT = ROOT / "events" / "macro-task-definition.json"
NO_OP = "def handler(event, context):\n    return {}\n"
POWERTOOLS = """
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="small")
metrics = Metrics(namespace="EcsExecRole", service="small")

@metrics.log_metrics
def handler(event, context):
    metrics.add_metric("Calls", MetricUnit.Count, 1)
    logger.info("Called")
    return {}
"""

# The Python of template.yaml's functions; `make e2e` uses it if it is installed.
LAMBDA = "3.13"
RUNS = 15
# Of the processor's time, on Lambda's Python. The test prints the ratios. With Python 3.13.0, Powertools 3.37 and two
# cores where nothing else ran, the macro took 2.20 times the time of a function that does nothing. A function that only
# logs and counts with Powertools took 1.88 times; importing Powertools loads all of its logger, metrics and tracer.
RATIO = 2.5
RATIO_TO_POWERTOOLS = 1.35
MEGABYTE = 2**20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the runtime interface emulator is a program for Linux")


class Runtime(NamedTuple):
    """SAM CLI's interpreter, which has the runtime client, and its runtime interface emulator."""

    python: Path
    emulator: Path


class Cold(NamedTuple):
    """One cold start: the processor time of the function's process until the answer, and the answer.

    Unlike the elapsed time, the processor time is nearly the same when the machine is busy.
    """

    seconds: float
    clock: float
    answer: Any


@pytest.fixture(scope="module")
def runtime(note: Note) -> Runtime:
    found = shutil.which("sam")
    if found is None:
        pytest.fail("SAM CLI is not on the PATH; `make e2e` puts it there")
    python = Path(found).with_name("python")
    folder = "import pathlib, awslambdaric, samcli; print(pathlib.Path(samcli.__file__).parent)"
    package = subprocess.run([python, "-c", folder], capture_output=True, text=True, check=True).stdout.strip()
    architecture = ARCHITECTURES[platform.machine().lower()]
    version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    note(f"Lambda's runtime client ran on {version}{'' if f' {LAMBDA}.' in version else f'; Lambda has {LAMBDA}'}")
    return Runtime(python, Path(package) / "local" / "rapid" / f"aws-lambda-rie-{architecture}")


@pytest.fixture(scope="module")
def macro_task(built: Path, runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The macro's package as `sam build` made it, compiled for the Python that runs it here."""
    task = tmp_path_factory.mktemp("macro") / "task"
    shutil.copytree(built.parent / "MacroFunction", task)
    return compiled(task, runtime)


@pytest.fixture(scope="module")
def small_task(macro_task: Path, runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The macro's package with two small functions instead of the macro."""
    task = tmp_path_factory.mktemp("small") / "task"
    shutil.copytree(macro_task, task, ignore=shutil.ignore_patterns("ecs_exec_role"))
    (task / "no_op.py").write_text(NO_OP, encoding="utf-8")
    (task / "powertools.py").write_text(POWERTOOLS, encoding="utf-8")
    return compiled(task, runtime)


def compiled(task: Path, runtime: Runtime) -> Path:
    """What the build does for Lambda's Python, done for the Python of this machine."""
    flags = ["-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([runtime.python, "-m", "compileall", *flags, str(task)], check=True)
    return task


@contextmanager
def started(runtime: Runtime, task: Path, handler: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The emulator with a function in it, which it starts at the first call; the address to call."""
    address, api = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    environment = {
        "PATH": os.environ["PATH"],
        "LAMBDA_TASK_ROOT": str(task),
        "PYTHONPATH": str(task),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_NAME": "ecs-exec-role-macro",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "ecs-exec-role-macro",
        "POWERTOOLS_METRICS_NAMESPACE": "EcsExecRole",
    }
    addresses = ["--runtime-interface-emulator-address", address, "--runtime-api-address", api]
    process = subprocess.Popen(
        [runtime.emulator, *addresses, "--log-level", "error", runtime.python, "-m", "awslambdaric", handler],
        env=environment,
        cwd=task,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(address)
        yield address, process
    finally:
        process.terminate()
        process.wait()


def call(address: str, event: bytes) -> Any:
    request = Request(f"http://{address}/2015-03-31/functions/function/invocations", data=event)
    with urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def cold(runtime: Runtime, task: Path, handler: str, event: bytes) -> Cold:
    """Init and first call of a new process."""
    with started(runtime, task, handler) as (address, process):
        start = time.perf_counter()
        answer = call(address, event)
        clock = time.perf_counter() - start
        return Cold(max(processor_time(pid) for pid in children(process.pid)), clock, answer)


def best(starts: list[Cold]) -> str:
    seconds, clock = (min(values) for values in zip(*(each[:2] for each in starts), strict=True))
    return f"{seconds * 1000:.0f} ms of the processor ({clock * 1000:.0f} on the clock)"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(address: str) -> None:
    """Waits until the emulator listens. A connection without a request starts no function."""
    host, _, port = address.partition(":")
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def test_cold_start_is_a_small_multiple_of_those_of_small_functions(
    runtime: Runtime, macro_task: Path, small_task: Path, note: Note
) -> None:
    event = EVENT.read_bytes()
    ours: list[Cold] = []
    nothing: list[Cold] = []
    powertools: list[Cold] = []
    for _ in range(RUNS):
        nothing.append(cold(runtime, small_task, "no_op.handler", event))
        powertools.append(cold(runtime, small_task, "powertools.handler", event))
        ours.append(cold(runtime, macro_task, "ecs_exec_role.macro.handler", event))
        assert ours[-1].answer["status"] == "success", ours[-1].answer

    note(
        f"cold start, best of {RUNS}: macro {best(ours)}, a function that does nothing {best(nothing)},"
        f" one that uses Powertools {best(powertools)}"
    )
    macro, no_op, logged = (min(each.seconds for each in starts) for starts in (ours, nothing, powertools))
    note(
        f"the macro's cold start takes {macro / no_op:.2f} times the processor's time of a function that does nothing,"
        f" and {macro / logged:.2f} times that of one that uses Powertools, which takes {logged / no_op:.2f} times"
    )
    assert macro / no_op <= RATIO
    assert macro / logged <= RATIO_TO_POWERTOOLS


def test_answers_as_it_does_in_the_unit_tests(runtime: Runtime, macro_task: Path) -> None:
    with started(runtime, macro_task, "ecs_exec_role.macro.handler") as (address, _):
        for path in sorted((ROOT / "events").glob("macro-*.json")):
            assert call(address, path.read_bytes()) == answer_to(path.stem.removeprefix("macro-")), path.name


def test_template_of_one_megabyte_needs_less_than_128(runtime: Runtime, macro_task: Path, note: Note) -> None:
    event = large_event()
    fragment = len(json.dumps(event["fragment"]))
    assert fragment >= 0.95 * MEGABYTE
    with started(runtime, macro_task, "ecs_exec_role.macro.handler") as (address, process):
        start = time.perf_counter()
        answer = call(address, json.dumps(event).encode())
        seconds = time.perf_counter() - start
        peak = max(peak_memory(pid) for pid in children(process.pid))
    assert answer["status"] == "success", answer.get("errorMessage", "")[:500]
    note(f"a template of {fragment / MEGABYTE:.2f} MB: at most {peak / MEGABYTE:.0f} MB of memory, {seconds:.1f} s")
    assert peak < 128 * MEGABYTE


def large_event() -> dict[str, Any]:
    """A template as large as CloudFormation accepts: many definitions, each with secrets and its own role."""
    account = "${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}"
    resources: dict[str, Any] = {
        "Repository": {"Type": "AWS::ECR::Repository"},
        "Logs": {"Type": "AWS::Logs::LogGroup"},
    }
    for task in range(175):
        containers = [
            {
                "Name": f"container{number}",
                "Image": {"Fn::Sub": "${Repository.RepositoryUri}:stable"},
                "Environment": [{"Name": f"SETTING_{name}", "Value": "x" * 100} for name in range(5)],
                "Secrets": [
                    {"Name": "LOGIN", "ValueFrom": {"Fn::Sub": f"arn:{account}:secret:shop{task}/{number}-a1B2c3"}},
                    {"Name": "LEVEL", "ValueFrom": f"/shop{task}/{number}"},
                ],
                "LogConfiguration": {
                    "LogDriver": "awslogs",
                    "Options": {
                        "awslogs-group": {"Ref": "Logs"},
                        "awslogs-region": {"Ref": "AWS::Region"},
                        "awslogs-stream-prefix": "shop",
                    },
                },
            }
            for number in range(5)
        ]
        properties = {"ExecutionRoleSpec": "Auto", "Family": f"shop{task}", "ContainerDefinitions": containers}
        resources[f"Task{task}"] = {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}
    event: dict[str, Any] = json.loads(EVENT.read_bytes())
    return {**event, "templateParameterValues": {}, "fragment": {"Resources": resources}}


def children(process: int) -> list[int]:
    """A process's children; Linux knows them by the thread that started them."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    return [int(pid) for each in lists for pid in each.read_text(encoding="ascii").split()]


def processor_time(process: int) -> float:
    """The processor time of a process's threads, in seconds."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(each.read_text(encoding="ascii").split()[0]) for each in threads) / 1e9


def peak_memory(process: int) -> int:
    """The most memory that a process has used, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
