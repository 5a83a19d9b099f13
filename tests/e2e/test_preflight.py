"""A stack that cannot run stops before its service is created, with the reason in its events; the corrected one stands.

For an emulator, since the image has no layers. LocalEmu needs the plugin in `emulator/` on its PYTHONPATH when it
starts: by itself it calls no custom resource.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.cloud import CAPABILITIES, Cloud, Event
from tests.e2e.conftest import Installed

from ecs_exec_role.preflight.check import check
from ecs_exec_role.preflight.needs import read_needs

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("macro")]

TEMPLATE = Path(__file__).with_name("preflight.yaml").read_text(encoding="utf-8")
CONTAINER = "Resources/Web/Properties/ContainerDefinitions/0"
IMAGE = "preflight-e2e"
Deploy = Callable[..., list[Event]]


@pytest.fixture(scope="module")
def account(cloud: Cloud) -> Iterator[dict[str, str]]:
    """What the stacks find there: a repository with one image, a secret, a boundary."""
    if not cloud.emulated:
        pytest.skip("an image without layers is for an emulator only")
    ecr, secrets = cloud.client("ecr"), cloud.client("secretsmanager")
    media = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": media, "config": {}, "layers": []}
    ecr.create_repository(repositoryName=IMAGE)
    ecr.put_image(repositoryName=IMAGE, imageTag="1", imageManifest=json.dumps(manifest))
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "NoDecryption", "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    boundary = cloud.iam.create_policy(PolicyName=IMAGE, PolicyDocument=document)["Policy"]["Arn"]
    card = secrets.create_secret(Name=f"{IMAGE}/card", SecretString="not to be read")["ARN"]
    yield {"Boundary": boundary, "Card": card}
    ecr.delete_repository(repositoryName=IMAGE, force=True)
    cloud.iam.delete_policy(PolicyArn=boundary)
    secrets.delete_secret(SecretId=card, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def deploy(cloud: Cloud) -> Iterator[Deploy]:
    """Creates a stack and gives its events, whether it stands or not; deletes it in the end."""
    made: list[str] = []

    def create(purpose: str, **parameters: str) -> list[Event]:
        made.append(cloud.stack_name(purpose))
        cloud.cloudformation.create_stack(
            StackName=made[-1],
            TemplateBody=TEMPLATE,
            Capabilities=list(CAPABILITIES),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        cloud.settled(made[-1])
        events = cloud.events(made[-1])
        if any("deployed as a fallback" in event.reason for event in events if event.type.startswith("Custom::")):
            pytest.skip("this emulator calls no custom resource; start it with tests/e2e/emulator on its PYTHONPATH")
        return events

    yield create
    for stack in made:
        if cloud.status(stack) not in {None, "DELETE_COMPLETE"}:
            cloud.delete(stack)


def _reason(events: list[Event]) -> str:
    """Why the preflight failed; and nothing came after it."""
    done = [event.logical_id for event in events if event.status == "CREATE_COMPLETE"]
    assert "Service" not in done
    assert "Web" not in done
    (reason,) = [
        event.reason for event in events if event.type.startswith("Custom::") and event.status == "CREATE_FAILED"
    ]
    return reason


def _left(cloud: Cloud) -> dict[str, set[str]]:
    """What there is in the account of the sorts that the stacks make."""
    return {
        "roles": {role["RoleName"] for role in cloud.iam.list_roles()["Roles"]},
        "secrets": {secret["Name"] for secret in cloud.client("secretsmanager").list_secrets()["SecretList"]},
        "parameters": {p["Name"] for p in cloud.client("ssm").describe_parameters()["Parameters"]},
        "groups": {group["logGroupName"] for group in cloud.client("logs").describe_log_groups()["logGroups"]},
    }


def test_a_secret_that_is_missing(account: dict[str, str], deploy: Deploy) -> None:
    absent = f"{account['Card'].rpartition(':')[0]}:{IMAGE}/absent"

    reason = _reason(deploy("no-secret", Card=absent))

    assert f"{CONTAINER}/Secrets/0/ValueFrom: does not exist: secret {absent}; create it, or correct" in reason


def test_a_boundary_that_forbids_decryption(account: dict[str, str], deploy: Deploy) -> None:
    reason = _reason(deploy("bounded", Card=account["Card"], Boundary=account["Boundary"]))

    assert f"{CONTAINER}/Secrets/1/ValueFrom: not permitted: kms:Decrypt on arn:" in reason
    assert f"permissions boundary {account['Boundary']} denies it in statement 'NoDecryption'" in reason


def test_an_image_tag_that_does_not_exist(account: dict[str, str], deploy: Deploy) -> None:
    reason = _reason(deploy("no-image", Card=account["Card"], Tag="2"))

    assert f"{CONTAINER}/Image: does not exist: image {IMAGE}:2 in registry" in reason


def test_a_sound_stack_stands_and_its_deletion_leaves_nothing(
    cloud: Cloud, account: dict[str, str], deploy: Deploy
) -> None:
    before = _left(cloud)

    events = deploy("sound", Card=account["Card"])

    assert cloud.status(cloud.stack_name("sound")) == "CREATE_COMPLETE", events
    summary = cloud.outputs(cloud.stack_name("sound"))["Preflight"]
    assert summary.startswith("All 7 needs of role ")
    assert "what is left is the network" in summary
    cloud.delete(cloud.stack_name("sound"))
    assert _left(cloud) == before


def test_sixty_needs_take_less_than_five_seconds(cloud: Cloud, macro: Installed, account: dict[str, str]) -> None:
    secret = account["Card"].rpartition(":")[0]
    parameter = secret.replace(":secretsmanager:", ":ssm:").replace(":secret", ":parameter")
    needs: list[dict[str, Any]] = []
    for number in range(30):
        name, path = f"{secret}:{IMAGE}/{number}", f"/{IMAGE}/{number}"
        read = {"Kind": "Secret", "Actions": ["secretsmanager:GetSecretValue"]}
        needs.append({"Path": f"S/{number}", "Target": name, "Resources": [name, f"{name}-??????"]} | read)
        read = {"Kind": "Parameter", "Actions": ["ssm:GetParameters"]}
        needs.append({"Path": f"P/{number}", "Target": path, "Resources": [f"{parameter}{path}"]} | read)

    report = check(cloud.role_of(macro.stack, "PreflightRole")["Arn"], read_needs(needs)[0], cloud.session)

    assert len(report.results) == 60
    assert report.calls["iam:SimulatePrincipalPolicy"] == 1
    assert report.seconds < 5
