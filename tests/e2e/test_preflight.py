"""A stack that cannot run stops before its service is created, with the reason in its events.

LocalEmu calls custom resources only with the plugin in `emulator/` on its PYTHONPATH when it starts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from tests.e2e.cloud import Cloud, Event, Failed
from tests.e2e.conftest import Engine, Installed, Note
from tests.e2e.deployed import DeployedStack, inventory, left, not_made
from tests.e2e.judge import held, judge_role
from tests.support.calls import NOTHING_WRONG, Verdict, expected
from tests.support.cloudformation import parsed

from ecs_exec_role.preflight.check import check
from ecs_exec_role.preflight.needs import read_needs

TEMPLATE = Path(__file__).with_name("preflight.yaml").read_text(encoding="utf-8")
CONTAINER = "Resources/Web/Properties/ContainerDefinitions/0"
ROLE = "WebExecutionRole"
PREFLIGHT = "WebExecutionRolePreflight"
# The same, but nothing fails, and what was found is an output.
WARNING = (
    TEMPLATE.replace("Preflight: true", "Preflight: Warn") + f"  Warnings: {{ Value: !GetAtt {PREFLIGHT}.Warnings }}\n"
)


class Account(NamedTuple):
    """What the stacks find there: the name of a repository with one image, the ARNs of a secret and of a boundary."""

    repository: str
    secret: str
    boundary: str


@pytest.fixture(scope="module")
def account(cloud: Cloud, macro: Installed) -> Iterator[Account]:
    if not cloud.emulated:
        pytest.skip("needs an image in a repository, and only an emulator takes one without layers")
    name = cloud.stack_name("found")
    ecr, secrets = cloud.client("ecr"), cloud.client("secretsmanager")
    media = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": media, "config": {}, "layers": []}
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "NoDecryption", "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    ecr.create_repository(repositoryName=name)
    ecr.put_image(repositoryName=name, imageTag="1", imageManifest=json.dumps(manifest))
    boundary = cloud.iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    secret = secrets.create_secret(Name=f"{name}/card", SecretString="not to be read")["ARN"]
    yield Account(name, secret, boundary)
    ecr.delete_repository(repositoryName=name, force=True)
    cloud.iam.delete_policy(PolicyArn=boundary)
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


class Stack:
    """A stack of preflight.yaml."""

    def __init__(self, cloud: Cloud, account: Account, name: str) -> None:
        self.cloud, self.account, self.name = cloud, account, name

    def deploy(self, *, warn: bool = False, judged: bool = True, **parameters: str) -> None:
        """A correct stack except for these parameters. Skips if the engine does not call the custom resource."""
        given = {"Card": self.account.secret, "Repository": self.account.repository, **parameters}
        try:
            self.cloud.deploy(self.name, WARNING if warn else TEMPLATE, given, judged=judged)
        finally:
            if PREFLIGHT in not_made(self.cloud, self.name):
                pytest.skip(
                    "this engine calls no custom resource; start LocalEmu with tests/e2e/emulator on PYTHONPATH"
                )

    def reason(self, **parameters: str) -> str:
        """Why the preflight failed, from the stack's events."""
        before = self.service_events() if self.cloud.status(self.name) else []
        with pytest.raises(Failed):
            self.deploy(warn=False, judged=True, **parameters)
        assert self.service_events() == before
        failed = [event for event in self.events(PREFLIGHT) if event.status.endswith("_FAILED")]
        assert failed, self.cloud.story(self.name)
        return failed[0].reason

    def service_events(self) -> list[Event]:
        """What was done with the service; an emulator also reports that it failed because of another resource."""
        return [event for event in self.events("Service") if not event.status.endswith("_FAILED")]

    def events(self, logical_id: str) -> list[Event]:
        return [event for event in self.cloud.events(self.name) if event.logical_id == logical_id]

    @property
    def physical_id(self) -> str:
        return self.cloud.resources(self.name)[PREFLIGHT].physical_id

    def rolled_back(self) -> None:
        """The stack was rolled back. Skips with a message if the engine cannot roll an update back."""
        status = self.cloud.status(self.name)
        if self.cloud.emulated and not any("ROLLBACK_IN_PROGRESS" in event.status for event in self.events(self.name)):
            pytest.skip(f"this engine takes no update back: the stack is {status}, and nothing was done for it")
        assert status == "UPDATE_ROLLBACK_COMPLETE", self.cloud.story(self.name)

    def delete(self) -> None:
        if self.cloud.status(self.name) is not None:
            self.cloud.delete(self.name)


@pytest.fixture
def stack(cloud: Cloud, account: Account) -> Iterator[Stack]:
    made = Stack(cloud, account, cloud.stack_name("preflight"))
    before = inventory(cloud)
    yield made
    made.delete()
    assert left(cloud, before) == set()


def test_a_secret_that_is_missing(stack: Stack, account: Account) -> None:
    absent = account.secret.rpartition(":")[0] + ":preflight-e2e/absent"

    reason = stack.reason(Card=absent)

    assert f"{CONTAINER}/Secrets/0/ValueFrom: does not exist: secret {absent}; create it, or correct" in reason


def test_a_boundary_that_forbids_decryption(
    cloud: Cloud, stack: Stack, account: Account, engine: Engine, note: Note
) -> None:
    reason = stack.reason(Boundary=account.boundary)

    assert f"{CONTAINER}/Secrets/1/ValueFrom: not permitted: kms:Decrypt on arn:" in reason
    if f"permissions boundary {account.boundary} denies it in statement 'NoDecryption'" not in reason:
        # The preflight names only the policies of a role that it knows to be the stack's.
        assert cloud.emulated, reason
        assert "the role's permissions boundary denies it" in reason
        note("this engine does not tell which role a stack owns while it is created, so that no boundary is named")
    if not engine.boundaries:
        note("the preflight found out about the boundary from its document, not from the simulator")


def test_an_image_tag_that_does_not_exist(stack: Stack, account: Account) -> None:
    reason = stack.reason(Tag="2")

    assert f"{CONTAINER}/Image: does not exist: image {account.repository}:2 in registry" in reason


def test_the_corrected_stack_is_created(stack: Stack) -> None:
    stack.reason(Tag="2")
    stack.delete()
    stack.deploy()

    summary = stack.cloud.outputs(stack.name)["Preflight"]
    assert re.match(r"All \d+ needs of role \S+ are permitted and in place", summary)
    assert "what is left is the network" in summary
    assert [event.status for event in stack.events("Service")][-1] == "CREATE_COMPLETE"


def test_an_update_that_cannot_run_is_stopped(stack: Stack, account: Account) -> None:
    stack.deploy()
    reason = stack.reason(Tag="2")

    assert f"{CONTAINER}/Image: does not exist: image {account.repository}:2 in registry" in reason


def test_an_update_keeps_the_resource(stack: Stack, cloud: Cloud, account: Account) -> None:
    """With another physical ID it would be another resource, and CloudFormation would delete the first one."""
    stack.deploy()
    first = stack.physical_id
    with secret(cloud, "another") as another:
        stack.deploy(Card=another)

        assert stack.physical_id == first
        assert [event.status for event in stack.events(PREFLIGHT) if event.status.startswith("DELETE")] == []
        stack.deploy()
    assert stack.physical_id == first


def test_an_update_that_failed_leaves_role_and_service_as_they_were(stack: Stack) -> None:
    stack.deploy()
    role = stack.cloud.resources(stack.name)[ROLE].physical_id
    before = stack.cloud.policies(role), stack.cloud.resources(stack.name)
    stack.reason(Tag="2")

    stack.rolled_back()
    assert (stack.cloud.policies(role), stack.cloud.resources(stack.name)) == before


def test_a_rollback_succeeds_where_the_old_needs_are_gone_too(stack: Stack, cloud: Cloud) -> None:
    """A rollback restores what ran before: a preflight that failed in it would leave UPDATE_ROLLBACK_FAILED."""
    with secret(cloud, "short-lived") as short_lived:
        stack.deploy(Card=short_lived)
    reason = stack.reason(Card=short_lived, Tag="2")

    assert f"does not exist: secret {short_lived}" in reason
    stack.rolled_back()


def test_a_boundary_is_judged_as_the_preflight_says(stack: Stack, account: Account, cloud: Cloud) -> None:
    """`Warn` does not stop the stack, so the preflight's result about the role can be compared with an evaluator's."""
    stack.deploy(warn=True, judged=False, Boundary=account.boundary)

    warnings = cloud.outputs(stack.name)["Warnings"]
    assert f"{CONTAINER}/Secrets/1/ValueFrom: not permitted: kms:Decrypt on arn:" in warnings
    verdict = judged(cloud, stack.name, account, Boundary=account.boundary)
    assert verdict.lacking
    assert all(lacks.startswith("kms:Decrypt on ") for lacks in verdict.lacking)
    assert verdict._replace(lacking=[]) == NOTHING_WRONG


def test_a_service_control_policy_is_judged_as_the_preflight_says(stack: Stack, account: Account, cloud: Cloud) -> None:
    with denied_by_organization(cloud, "ssm:GetParameters"):
        reason = stack.reason()
        assert f"{CONTAINER}/Secrets/2/ValueFrom: not permitted: ssm:GetParameters on arn:" in reason
        assert "service control policy" in reason
        stack.delete()
        stack.deploy(warn=True, judged=False)
        verdict = judged(cloud, stack.name, account)
        assert verdict.lacking
        assert all(lacks.startswith("ssm:GetParameters on ") for lacks in verdict.lacking)


@contextmanager
def secret(cloud: Cloud, name: str) -> Iterator[str]:
    """A secret that is in the account during the test."""
    secrets = cloud.client("secretsmanager")
    arn = str(secrets.create_secret(Name=f"{cloud.prefix}/{name}", SecretString="not to be read")["ARN"])
    try:
        yield arn
    finally:
        secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


@contextmanager
def denied_by_organization(cloud: Cloud, action: str) -> Iterator[None]:
    """A service control policy on the account that allows everything but this. Skips if the engine has none."""
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": action, "Resource": "*"},
    ]
    organizations = cloud.client("organizations")
    try:
        root = organizations.list_roots()["Roots"][0]
        if not root["PolicyTypes"]:
            organizations.enable_policy_type(RootId=root["Id"], PolicyType="SERVICE_CONTROL_POLICY")
        policy = organizations.create_policy(
            Name=cloud.prefix,
            Description="Of the end-to-end tests",
            Type="SERVICE_CONTROL_POLICY",
            Content=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )["Policy"]["PolicySummary"]["Id"]
        organizations.attach_policy(PolicyId=policy, TargetId=cloud.account)
    except ClientError as error:
        pytest.skip(f"this engine has no service control policies: {error}")
    try:
        yield
    finally:
        organizations.detach_policy(PolicyId=policy, TargetId=cloud.account)
        organizations.delete_policy(PolicyId=policy)


def judged(cloud: Cloud, stack: str, account: Account, **parameters: str) -> Verdict:
    """The evaluator's decisions on the role of a stack of preflight.yaml, with everything that limits it."""
    given = {"Card": account.secret, "Repository": account.repository, **parameters}
    calls = expected(DeployedStack(cloud, stack, parsed(WARNING), given))
    return judge_role(cloud, held(cloud, cloud.resources(stack)[ROLE].physical_id), calls[ROLE])


def test_sixty_needs_take_less_than_five_seconds(cloud: Cloud, account: Account, engine: Engine, note: Note) -> None:
    """Measured here, not in the function: the account's API takes the time."""
    role = str(cloud.role_of(cloud.stack_name("engine"), "Bounded")["Arn"])
    prefix = account.secret.rpartition(":")[0]
    needs: list[dict[str, Any]] = []
    for number in range(30):
        name = f"{prefix}:preflight-e2e/{number}"
        read = {"Kind": "Secret", "Actions": ["secretsmanager:GetSecretValue"]}
        needs.append({"Path": f"S/{number}", "Target": name, "Resources": [name, f"{name}-??????"]} | read)
        parameter = prefix.replace(":secretsmanager:", ":ssm:").replace(":secret", f":parameter/preflight-e2e/{number}")
        read = {"Kind": "Parameter", "Actions": ["ssm:GetParameters"]}
        needs.append({"Path": f"P/{number}", "Target": f"/preflight-e2e/{number}", "Resources": [parameter]} | read)

    report = check(role, read_needs(needs)[0], cloud.session)

    note(f"preflight of 60 needs: {report.seconds:.2f} s")
    assert len(report.results) == 60
    assert report.seconds < 5
