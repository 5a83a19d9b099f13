"""Follows the remedy of each message that docs/preflight.md shows: after it is done, the check reports nothing.

`test_messages` has a scenario for each message; this module has the remedies.
A place in the check that makes a verdict, and has no example here, fails a test.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from moto.moto_api._internal.models import moto_api_backend
from tests.preflight.conftest import fast_session
from tests.preflight.simulator import Simulator
from tests.preflight.test_messages import SCENARIOS
from tests.preflight.world import OTHER, PULL, ROLE, ROLE_NAME, TRUST, World, arn
from tests.support.codes_in_source import SOURCE, modules
from tests.support.places_of_messages import missing, traced

from ecs_exec_role.preflight.report import Verdict

Step = Callable[[World], None]
FOLLOWED: dict[str, Step] = {}
OTHERS: dict[str, set[str]] = {
    # What the owner in another account must allow: this account cannot see whether that was done.
    "An image in another account": set(PULL),
    "A secret in another account": {"secretsmanager:GetSecretValue"},
    "A key in another account": {"kms:Decrypt"},
}


def followed(*headings: str) -> Callable[[Step], Step]:
    def add(function: Step) -> Step:
        FOLLOWED.update(dict.fromkeys(headings, function))
        return function

    return add


def again(world: World) -> None:
    """The state for a later check: nothing is broken."""
    world.session = fast_session()
    world.simulator = Simulator(world.session)


def written(world: World, statements: list[dict[str, Any]]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    world.client("iam").put_role_policy(RoleName=ROLE_NAME, PolicyName="ExecutionRole", PolicyDocument=document)


@followed("No statement allows it")
def _(world: World) -> None:
    [need] = world.needs
    written(world, [{"Effect": "Allow", "Action": need["Actions"], "Resource": need["Resources"]}])


@followed("A Deny forbids it")
def _(world: World) -> None:
    written(world, [statement for statement in world.statements if statement["Effect"] == "Allow"])


@followed("The permissions boundary denies it", "The permissions boundary does not allow it")
def _(world: World) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    policy = world.client("iam").create_policy(PolicyName="wider", PolicyDocument=document)["Policy"]["Arn"]
    world.client("iam").put_role_permissions_boundary(RoleName=ROLE_NAME, PermissionsBoundary=policy)


@followed(
    "An organization's policy blocks it",
    "The check itself lacks a permission",
    "The check may not ask about the role",
    "The check may not list a bucket",
    "AWS throttles the check",
    "An API cannot be reached",
)
def _(world: World) -> None:
    again(world)


@followed("A condition that cannot be known here")
def _(world: World) -> None:
    # What the administrator checks stays unknown here; without the condition it is known.
    del world.statements[-1]["Condition"]
    again(world)
    written(world, world.statements)


@followed("The role does not exist")
def _(world: World) -> None:
    world.role()


@followed("ECS may not assume the role")
def _(world: World) -> None:
    world.client("iam").update_assume_role_policy(RoleName=ROLE_NAME, PolicyDocument=json.dumps(TRUST))


@followed("A key that the template does not name")
def _(world: World) -> None:
    secret = world.client("secretsmanager").describe_secret(SecretId="shop/card")
    world.decrypts(secret["KmsKeyId"], secret["ARN"])
    written(world, world.statements)


@followed("The secret does not exist")
def _(world: World) -> None:
    world.client("secretsmanager").create_secret(Name="shop/card", SecretString="x")


@followed("The secret's partial ARN is read as a complete one")
def _(world: World) -> None:
    whole = world.client("secretsmanager").describe_secret(SecretId="prod-config")["ARN"]
    world.needs[-1].update(Target=whole, Resources=[whole])


@followed("The secret does not have this version")
def _(world: World) -> None:
    world.needs[-1]["Target"] = world.needs[-1]["Target"].replace("AWSPENDING", "AWSCURRENT")


@followed("The secret is scheduled for deletion")
def _(world: World) -> None:
    world.client("secretsmanager").restore_secret(SecretId="shop/card")


@followed("The secret has no value yet")
def _(world: World) -> None:
    world.client("secretsmanager").put_secret_value(SecretId="shop/card", SecretString="x")


@followed("The parameter does not exist")
def _(world: World) -> None:
    world.client("ssm").put_parameter(Name="/shop/level", Value="x", Type="String")


@followed("A parameter in another account")
def _(world: World) -> None:
    world.client("ssm").put_parameter(Name="/shop/level", Value="x", Type="String")
    here = arn("ssm", "parameter/shop/level")
    world.needs[-1].update(Target=here, Resources=[here])
    written(world, [{"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": here}])


@followed("The image does not exist")
def _(world: World) -> None:
    world.needs[-1]["Target"] = world.needs[-1]["Target"].replace(":2", ":1")


@followed("The repository does not exist")
def _(world: World) -> None:
    world.needs.clear()
    world.image()


@followed("The repository is a pull-through cache's")
def _(world: World) -> None:
    again(world)
    world.cache_rules("quay")
    marked(world)


@followed("The pull-through cache rule does not exist")
def _(world: World) -> None:
    again(world)
    world.cache_rules("docker-hub", "quay")


def marked(world: World) -> None:
    """The need that the macro adds for a repository with `PullThroughCache: true`."""
    actions = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
    need = {**world.needs[-1], "Kind": "PullThroughImage", "Sid": "PullThroughCache", "Actions": actions}
    world.needs.append(need)
    world.statements.append({"Effect": "Allow", "Action": actions, "Resource": need["Resources"]})
    written(world, world.statements)


@followed("The object does not exist")
def _(world: World) -> None:
    world.client("s3").put_object(Bucket="settings", Key="web.env", Body=b"A=1")


@followed("The bucket does not exist")
def _(world: World) -> None:
    world.client("s3").create_bucket(Bucket="nowhere")
    world.client("s3").put_object(Bucket="nowhere", Key="web.env", Body=b"A=1")


@followed("The log group does not exist")
def _(world: World) -> None:
    world.client("logs").create_log_group(logGroupName="/ecs/web")


@followed("The key cannot be used")
def _(world: World) -> None:
    world.client("kms").enable_key(KeyId=world.needs[-1]["Target"].rpartition("/")[2])


@followed("The key is going to be deleted")
def _(world: World) -> None:
    key = world.needs[-1]["Target"].rpartition("/")[2]
    world.client("kms").cancel_key_deletion(KeyId=key)
    world.client("kms").enable_key(KeyId=key)


# -- forms of these messages that the page does not show --------------------------------------------------------------

MORE: dict[str, Step] = {}
NO_KEY = "00000000-0000-0000-0000-000000000000"


def more(heading: str) -> Callable[[Step], Step]:
    def add(function: Step) -> Step:
        MORE[heading] = function
        return function

    return add


@more("The key does not exist")
def _(world: World) -> None:
    missing_key = arn("kms", f"key/{NO_KEY}")
    world.decrypts(missing_key, world.secret())


@followed("The key does not exist")
def _(world: World) -> None:
    key = world.key()
    world.needs[-1].update(Target=key, Resources=[key])
    written(world, [{"Effect": "Allow", "Action": n["Actions"], "Resource": n["Resources"]} for n in world.needs])


@more("A bucket that is named without an object does not exist")
def _(world: World) -> None:
    bucket = "arn:aws:s3:::nowhere"
    world.need(
        "EnvironmentFiles/0/Value", Kind="Bucket", Target=bucket, Actions=["s3:GetBucketLocation"], Resources=[bucket]
    )


@followed("A bucket that is named without an object does not exist")
def _(world: World) -> None:
    world.client("s3").create_bucket(Bucket="nowhere")


@more("The secret does not have this version ID")
def _(world: World) -> None:
    full = world.secret()
    world.needs[-1]["Target"] = f"{full}:password::{NO_KEY}"


@followed("The secret does not have this version ID")
def _(world: World) -> None:
    world.needs[-1]["Target"] = world.needs[-1]["Target"].replace(NO_KEY, "")


@more("The secret, whose name ends like a suffix, does not exist")
def _(world: World) -> None:
    world.secret("prod-config", exists=False)


@followed("The secret, whose name ends like a suffix, does not exist")
def _(world: World) -> None:
    world.client("secretsmanager").create_secret(Name="prod-config", SecretString="x")


@more("The check may not read the role")
def _(world: World) -> None:
    world.parameter()
    world.breaks("iam.GetRole", "AccessDenied", 403)


@followed("The check may not read the role")
def _(world: World) -> None:
    again(world)


BROKEN = {**SCENARIOS, **MORE}


@pytest.mark.parametrize("heading", FOLLOWED)
def test_a_remedy_that_is_followed_ends_the_message(heading: str, world: World) -> None:
    BROKEN[heading](world)
    assert world.lines()
    FOLLOWED[heading](world)
    assert world.lines() == []


@pytest.mark.parametrize("heading", OTHERS)
def test_the_policy_that_is_printed_is_what_its_owner_must_write(heading: str, world: World) -> None:
    SCENARIOS[heading](world)
    [line] = world.lines()
    found = re.search(r"in account ([0-9]+) must contain (\{.*\})$", line)
    assert found is not None
    statement = json.loads(found[2])
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    assert (found[1], statement["Effect"], statement["Principal"]) == (OTHER, "Allow", {"AWS": ROLE})
    assert set(actions) == OTHERS[heading]
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html: these name no resource.
    assert statement.get("Resource", "*") == "*"


def test_every_documented_message_is_followed() -> None:
    assert set(FOLLOWED) | set(OTHERS) == set(BROKEN)


# -- no message without an example ------------------------------------------------------------------------------------

MAKERS = ("Verdict", "absent")
WITHOUT_EXAMPLE = {
    "OK": "nothing is wrong",
    "NOT_OBSERVED": "only a check that is cut off says it, and the advice is to run it again",
}


def verdict_places() -> dict[str, tuple[str, range]]:
    """The places of the check that make a verdict, except constants with a reason."""
    found = {}
    for name, module in modules().items():
        if not name.startswith("preflight/"):
            continue
        for statement in module.body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) in WITHOUT_EXAMPLE:
                continue
            for call in ast.walk(statement):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in MAKERS:
                    lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
                    found[f"{name}:{call.lineno}"] = (str(SOURCE / name), lines)
    return found


@pytest.mark.xdist_group("source")
def test_each_place_that_makes_a_verdict_has_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch, Verdict) as lines:
        for broken in BROKEN.values():
            moto_api_backend.reset()
            session = fast_session()
            world = World(session, Simulator(session))
            broken(world)
            world.check()
    found = verdict_places()
    assert len(found) > 20
    assert missing(found, lines) == []
