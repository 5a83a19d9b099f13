"""docs/preflight.md shows every message that a user can get, and the check prints each exactly like this.

Each section of the document is a scenario here, by its heading; its code block has the check's lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from tests.preflight.simulator import error, hook
from tests.preflight.world import ACCOUNT, OTHER, PULL, REGION, World, arn

DOC = Path(__file__).parents[2] / "docs" / "preflight.md"
Scenario = Callable[[World], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(heading: str) -> Callable[[Scenario], Scenario]:
    def add(function: Scenario) -> Scenario:
        SCENARIOS[heading] = function
        return function

    return add


def _allow_all_but(*deny: str) -> list[dict[str, Any]]:
    return [
        {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "NoDecryption", "Effect": "Deny", "Action": list(deny), "Resource": "*"},
    ]


@scenario("No statement allows it")
def _(world: World) -> None:
    world.secret(granted=False)


@scenario("A Deny forbids it")
def _(world: World) -> None:
    world.parameter()
    world.statements.append({"Effect": "Deny", "Action": "ssm:*", "Resource": "*"})


@scenario("The permissions boundary denies it")
def _(world: World) -> None:
    key = world.key()
    world.decrypts(key, world.secret(key=key))
    world.role(boundary=_allow_all_but("kms:Decrypt"))


@scenario("The permissions boundary does not allow it")
def _(world: World) -> None:
    world.log_group()
    world.role(boundary=[{"Effect": "Allow", "Action": ["ecr:*", "secretsmanager:*"], "Resource": "*"}])


@scenario("An organization's policy blocks it")
def _(world: World) -> None:
    world.secret()
    world.simulator.blocked_by_organization.add("secretsmanager:GetSecretValue")


@scenario("A condition that cannot be known here")
def _(world: World) -> None:
    world.secret()
    world.statements[-1]["Condition"] = {"StringEquals": {"aws:SourceVpce": "vpce-0a1b2c3d"}}
    world.simulator.missing["secretsmanager:GetSecretValue"] = ["aws:SourceVpce"]


@scenario("The role does not exist")
def _(world: World) -> None:
    world.secret()
    world.parameter()
    world._role_made = True


@scenario("ECS may not assume the role")
def _(world: World) -> None:
    world.secret()
    world.role(trust={"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
                                     "Action": "sts:AssumeRole"}]})  # fmt: skip


@scenario("A key that the template does not name")
def _(world: World) -> None:
    world.secret(key=world.key())


@scenario("The secret does not exist")
def _(world: World) -> None:
    world.secret(exists=False)


@scenario("The secret's partial ARN is read as a complete one")
def _(world: World) -> None:
    world.secret("prod-config")

    def whole_arns_only(params: dict[str, Any], **_: object) -> object:
        return error("ResourceNotFoundException") if b':secret:prod-config"' in params["body"] else None

    hook(world.session, "secrets-manager.DescribeSecret", whole_arns_only)


@scenario("The secret is scheduled for deletion")
def _(world: World) -> None:
    world.client("secretsmanager").delete_secret(SecretId=world.secret())


@scenario("The secret has no value yet")
def _(world: World) -> None:
    world.client("secretsmanager").create_secret(Name="shop/card")
    world.secret(exists=False)


@scenario("The secret does not have this version")
def _(world: World) -> None:
    full = world.secret()
    world.needs[-1]["Target"] = f"{full}:password:AWSPENDING:"


@scenario("The parameter does not exist")
def _(world: World) -> None:
    world.parameter(exists=False)


@scenario("The image does not exist")
def _(world: World) -> None:
    world.image("1")
    world.needs[-1]["Target"] = world.needs[-1]["Target"].replace(":1", ":2")


@scenario("The repository does not exist")
def _(world: World) -> None:
    world.cache_rules()
    world.image(exists=False)


@scenario("The repository is a pull-through cache's")
def _(world: World) -> None:
    world.cache_rules("quay")
    world.image("1", "quay/prometheus/node-exporter", exists=False)


@scenario("The pull-through cache rule does not exist")
def _(world: World) -> None:
    world.cache_rules("docker-hub")
    world.image("1", "quay/prometheus/node-exporter", exists=False)
    actions = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
    need = {**world.needs[-1], "Kind": "PullThroughImage", "Sid": "PullThroughCache", "Actions": actions}
    world.needs.append(need)
    world.statements.append({"Effect": "Allow", "Action": actions, "Resource": need["Resources"]})


@scenario("The object does not exist")
def _(world: World) -> None:
    world.environment_file("web.env.old")
    world.environment_file("web.env", exists=False)


@scenario("The bucket does not exist")
def _(world: World) -> None:
    world.environment_file(bucket="nowhere", exists=False)
    world.client("s3").delete_bucket(Bucket="nowhere")


@scenario("The log group does not exist")
def _(world: World) -> None:
    world.log_group("/ecs/web-old")
    world.log_group("/ecs/web", exists=False)


@scenario("The key cannot be used")
def _(world: World) -> None:
    key = world.key()
    world.decrypts(key, world.secret(key=key))
    world.client("kms").disable_key(KeyId=key.rpartition("/")[2])


@scenario("The key is going to be deleted")
def _(world: World) -> None:
    key = world.key()
    world.decrypts(key, world.secret(key=key))
    world.client("kms").schedule_key_deletion(KeyId=key.rpartition("/")[2])


@scenario("An image in another account")
def _(world: World) -> None:
    target = f"{OTHER}.dkr.ecr.{REGION}.amazonaws.com/web:1"
    resources = [arn("ecr", "repository/web", account=OTHER)]
    world.need("Image", Sid="PullImages", Kind="Image", Target=target, Actions=PULL, Resources=resources)
    world.breaks("ecr.DescribeImages", "AccessDeniedException")


@scenario("A secret in another account")
def _(world: World) -> None:
    full = arn("secretsmanager", "secret:shared-a1B2c3", account=OTHER)
    world.need("Secrets/0/ValueFrom", Sid="ReadSecrets", Kind="Secret", Target=full, Resources=[full],
               Actions=["secretsmanager:GetSecretValue"])  # fmt: skip
    world.breaks("secrets-manager.DescribeSecret", "AccessDeniedException")


@scenario("A key in another account")
def _(world: World) -> None:
    key = arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab", account=OTHER)
    world.decrypts(key, world.secret())
    world.breaks("kms.DescribeKey", "AccessDeniedException")


@scenario("A parameter in another account")
def _(world: World) -> None:
    full = arn("ssm", "parameter/shop/level", account=OTHER)
    world.need("Secrets/1/ValueFrom", Sid="ReadParameters", Kind="Parameter", Target=full, Resources=[full],
               Actions=["ssm:GetParameters"])  # fmt: skip


@scenario("The check itself lacks a permission")
def _(world: World) -> None:
    world.parameter()
    world.breaks("ssm.DescribeParameters", "AccessDeniedException")


@scenario("The check may not ask about the role")
def _(world: World) -> None:
    world.parameter()
    world.simulator.fails = lambda _request: error("AccessDenied")


@scenario("The check may not list a bucket")
def _(world: World) -> None:
    world.environment_file()
    world.breaks("s3.ListObjectsV2", "AccessDenied", 403)


@scenario("AWS throttles the check")
def _(world: World) -> None:
    world.log_group()
    world.breaks("cloudwatch-logs.DescribeLogGroups", "ThrottlingException")


@scenario("An API cannot be reached")
def _(world: World) -> None:
    def unreachable(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://ssm.example")

    world.parameter()
    hook(world.session, "ssm.DescribeParameters", unreachable)


def _documented() -> dict[str, list[str]]:
    sections = re.findall(r"^### (.+?)\n(.*?)(?=^#|\Z)", DOC.read_text(), re.MULTILINE | re.DOTALL)
    blocks = {heading: re.search(r"```text\n(.*?)```", text, re.DOTALL) for heading, text in sections}
    return {heading: block[1].splitlines() for heading, block in blocks.items() if block}


def _steady(line: str) -> str:
    """Without the parts that AWS generates: a key's ID and the end of a secret's ARN."""
    line = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "1234abcd-12ab-34cd-56ef-1234567890ab", line)
    return re.sub(rf"({ACCOUNT}:secret:(?:shop/card|prod-config))-[A-Za-z]{{6}}\b", r"\1-a1B2c3", line)


@pytest.mark.parametrize("heading", SCENARIOS)
def test_says_what_the_documentation_shows(heading: str, world: World) -> None:
    SCENARIOS[heading](world)

    lines = [_steady(line) for line in world.lines()]

    assert lines == _documented().get(heading)


def test_every_documented_message_has_a_scenario() -> None:
    assert sorted(_documented()) == sorted(SCENARIOS)
