"""A stack that cannot run stops before its service is created, with the reason in its events; the corrected one stands.

For an emulator: its account is filled and emptied at will, and the image has no layers. LocalEmu needs the plugin in
`emulator/` on its PYTHONPATH when it starts, since by itself it calls no custom resource.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from ecs_exec_role.preflight.check import check
from ecs_exec_role.preflight.needs import read_needs

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname not in ("127.0.0.1", "localhost"),
        reason="AWS_ENDPOINT_URL names no emulator on this machine",
    ),
]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TEMPLATE = (HERE / "preflight.yaml").read_text()
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
CONTAINER = "Resources/Web/Properties/ContainerDefinitions/0"
Deploy = Callable[..., dict[str, Any]]


def client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The macro and its preflight function, as a user installs them; where they stand already, they stay."""
    stacks = client("cloudformation").describe_stacks()["Stacks"]
    outputs = [o["OutputKey"] for s in stacks if "DELETE" not in s["StackStatus"] for o in s.get("Outputs", [])]
    if "PreflightFunctionArn" in outputs:
        return
    build = str(tmp_path_factory.mktemp("build"))
    template = f"{build}/template.yaml"
    deploy = ["sam", "deploy", "--template-file", template, "--parameter-overrides", "Architecture=x86_64"]
    for command in (["sam", "build", "--build-dir", build], deploy):
        subprocess.run(command, cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def account() -> Iterator[dict[str, str]]:
    """What the stacks find there: a repository with one image, a secret, a boundary."""
    ecr, iam, secrets = client("ecr"), client("iam"), client("secretsmanager")
    media = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": media, "config": {}, "layers": []}
    ecr.create_repository(repositoryName="preflight-e2e")
    ecr.put_image(repositoryName="preflight-e2e", imageTag="1", imageManifest=json.dumps(manifest))
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "NoDecryption", "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    boundary = iam.create_policy(PolicyName="preflight-e2e", PolicyDocument=document)["Policy"]["Arn"]
    card = secrets.create_secret(Name="preflight-e2e/card", SecretString="not to be read")["ARN"]
    yield {"Boundary": boundary, "Card": card}
    ecr.delete_repository(repositoryName="preflight-e2e", force=True)
    iam.delete_policy(PolicyArn=boundary)
    secrets.delete_secret(SecretId=card, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def deploy() -> Iterator[Deploy]:
    """Creates or updates a stack and returns it, with its `Events`; deletes it in the end."""
    cloudformation = client("cloudformation")
    made: list[str] = []

    def settled(name: str) -> dict[str, Any]:
        while True:
            stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                return stack
            time.sleep(0.3)

    def call(name: str, **parameters: str) -> dict[str, Any]:
        action = cloudformation.update_stack if name in made else cloudformation.create_stack
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        made.append(name)
        action(StackName=name, TemplateBody=TEMPLATE, Capabilities=CAPABILITIES, Parameters=given)
        stack = settled(name)
        stack["Events"] = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        if any("deployed as a fallback" in e.get("ResourceStatusReason", "") for e in _of(stack, "Custom::")):
            pytest.skip("this emulator calls no custom resource; start it with tests/e2e/emulator on its PYTHONPATH")
        return stack

    yield call
    for name in set(made):
        cloudformation.delete_stack(StackName=name)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and _stands(name):
            time.sleep(0.3)
        assert not _stands(name)


def _stands(name: str) -> bool:
    stacks = client("cloudformation").describe_stacks()["Stacks"]
    return any(s["StackName"] == name and s["StackStatus"] != "DELETE_COMPLETE" for s in stacks)


def _of(stack: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in stack["Events"] if event["ResourceType"].startswith(kind)]


def _reason(stack: dict[str, Any]) -> str:
    """Why the preflight failed, by the stack's events; and nothing came after it."""
    assert "FAILED" in stack["StackStatus"] or "ROLLBACK" in stack["StackStatus"]
    assert not [e for e in _of(stack, "AWS::ECS::Service") if e["ResourceStatus"] == "CREATE_COMPLETE"]
    failed = [e for e in _of(stack, "Custom::") if e["ResourceStatus"].endswith("_FAILED")]
    return str(failed[0]["ResourceStatusReason"])


def _left() -> dict[str, set[str]]:
    """What there is in the account of the sorts that the stacks make."""
    return {
        "roles": {role["RoleName"] for role in client("iam").list_roles()["Roles"]},
        "secrets": {secret["Name"] for secret in client("secretsmanager").list_secrets()["SecretList"]},
        "parameters": {p["Name"] for p in client("ssm").describe_parameters()["Parameters"]},
        "groups": {group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]},
    }


def test_a_secret_that_is_missing(account: dict[str, str], deploy: Deploy) -> None:
    absent = account["Card"].rpartition(":")[0] + ":preflight-e2e/absent"

    reason = _reason(deploy("preflight-e2e-secret", Card=absent))

    assert f"{CONTAINER}/Secrets/0/ValueFrom: does not exist: secret {absent}; create it, or correct" in reason


def test_a_boundary_that_forbids_decryption(account: dict[str, str], deploy: Deploy) -> None:
    reason = _reason(deploy("preflight-e2e-boundary", Card=account["Card"], Boundary=account["Boundary"]))

    assert f"{CONTAINER}/Secrets/1/ValueFrom: not permitted: kms:Decrypt on arn:" in reason
    assert f"permissions boundary {account['Boundary']} denies it in statement 'NoDecryption'" in reason


def test_an_image_tag_that_does_not_exist(account: dict[str, str], deploy: Deploy) -> None:
    reason = _reason(deploy("preflight-e2e-image", Card=account["Card"], Tag="2"))

    assert f"{CONTAINER}/Image: does not exist: image preflight-e2e:2 in registry" in reason


def test_a_sound_stack_stands_and_its_deletion_leaves_nothing(account: dict[str, str], deploy: Deploy) -> None:
    before = _left()

    stack = deploy("preflight-e2e-sound", Card=account["Card"])

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    summary = stack["Outputs"][0]["OutputValue"]
    assert summary.startswith("All 7 needs of role ")
    assert "what is left is the network" in summary
    cloudformation = client("cloudformation")
    cloudformation.delete_stack(StackName="preflight-e2e-sound")
    while _stands("preflight-e2e-sound"):
        time.sleep(0.3)
    assert _left() == before


def test_sixty_needs_take_less_than_five_seconds(account: dict[str, str]) -> None:
    role = client("iam").list_roles()["Roles"][0]["Arn"]
    card, prefix = account["Card"], account["Card"].rpartition(":")[0]
    needs: list[dict[str, Any]] = []
    for number in range(30):
        name = f"{prefix}:preflight-e2e/{number}"
        read = {"Kind": "Secret", "Actions": ["secretsmanager:GetSecretValue"]}
        needs.append({"Path": f"S/{number}", "Target": name, "Resources": [name, f"{name}-??????"]} | read)
        parameter = prefix.replace(":secretsmanager:", ":ssm:").replace(":secret", f":parameter/preflight-e2e/{number}")
        read = {"Kind": "Parameter", "Actions": ["ssm:GetParameters"]}
        needs.append({"Path": f"P/{number}", "Target": f"/preflight-e2e/{number}", "Resources": [parameter]} | read)
    assert card.startswith(prefix)

    report = check(role, read_needs(needs)[0], boto3.session.Session())

    assert len(report.results) == 60
    assert report.seconds < 5
