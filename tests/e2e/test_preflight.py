"""A stack that cannot run stops before its service is created, with the reason in its events; the corrected one stands.

LocalEmu by itself calls no custom resource: it needs the plugin in `emulator/` on its PYTHONPATH when it starts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.e2e.cloud import Cloud, Event, Failed
from tests.e2e.conftest import Engine, Installed, Note
from tests.e2e.deployed import inventory, left, not_made

from ecs_exec_role.preflight.check import check
from ecs_exec_role.preflight.needs import read_needs

TEMPLATE = Path(__file__).with_name("preflight.yaml").read_text(encoding="utf-8")
CONTAINER = "Resources/Web/Properties/ContainerDefinitions/0"
PREFLIGHT = "WebExecutionRolePreflight"


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

    def deploy(self, **parameters: str) -> None:
        """As it should be, but for these parameters. Skips where the engine does not call the custom resource."""
        given = {"Card": self.account.secret, "Repository": self.account.repository, **parameters}
        try:
            self.cloud.deploy(self.name, TEMPLATE, given)
        finally:
            if PREFLIGHT in not_made(self.cloud, self.name):
                pytest.skip(
                    "this engine calls no custom resource; start LocalEmu with tests/e2e/emulator on PYTHONPATH"
                )

    def reason(self, **parameters: str) -> str:
        """Why the preflight failed, by the stack's events."""
        before = self.service_events() if self.cloud.status(self.name) else []
        with pytest.raises(Failed):
            self.deploy(**parameters)
        assert self.service_events() == before
        failed = [event for event in self.events(PREFLIGHT) if event.status.endswith("_FAILED")]
        assert failed, self.cloud.story(self.name)
        return failed[0].reason

    def service_events(self) -> list[Event]:
        """What was done about the service; an emulator also tells that it failed because of another resource."""
        return [event for event in self.events("Service") if not event.status.endswith("_FAILED")]

    def events(self, logical_id: str) -> list[Event]:
        return [event for event in self.cloud.events(self.name) if event.logical_id == logical_id]

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


def test_a_boundary_that_forbids_decryption(stack: Stack, account: Account, engine: Engine, note: Note) -> None:
    reason = stack.reason(Boundary=account.boundary)

    assert f"{CONTAINER}/Secrets/1/ValueFrom: not permitted: kms:Decrypt on arn:" in reason
    assert f"permissions boundary {account.boundary} denies it in statement 'NoDecryption'" in reason
    if not engine.boundaries:
        note("the preflight found out about the boundary from its document, not from the simulator")


def test_an_image_tag_that_does_not_exist(stack: Stack, account: Account) -> None:
    reason = stack.reason(Tag="2")

    assert f"{CONTAINER}/Image: does not exist: image {account.repository}:2 in registry" in reason


def test_the_corrected_stack_stands(stack: Stack) -> None:
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


def test_sixty_needs_take_less_than_five_seconds(cloud: Cloud, account: Account, engine: Engine, note: Note) -> None:
    """From here, not from the function: what takes the time is the account's API."""
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
