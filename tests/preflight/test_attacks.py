"""Events that an author writes to call the function, and what they must not cause."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.preflight.conftest import Endpoint
from tests.preflight.simulator import hook, reply
from tests.preflight.test_handler import EVENTS, Context, invoke, log, sound
from tests.preflight.world import ACCOUNT, CONTAINER, OTHER, ROLE, ROLE_NAME, World, arn

from ecs_exec_role.preflight import aws, needs
from ecs_exec_role.preflight import handler as module
from ecs_exec_role.preflight.arns import matches
from ecs_exec_role.preflight.custom_resource import NotDeliveredError
from ecs_exec_role.preflight.decisions import Boundary
from ecs_exec_role.preflight.needs import read_needs
from ecs_exec_role.preflight.response_url import refused

__all__ = ["invoke", "log", "sound"]

Invoke = Callable[..., dict[str, Any]]


def _need(number: int = 0, **fields: Any) -> dict[str, Any]:
    resource = arn("secretsmanager", f"secret:shop/{number}-a1B2c3")
    return {"Path": f"P/{number}", "Actions": ["secretsmanager:GetSecretValue"], "Resources": [resource]} | fields


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "properties",
    [
        {"Needs": [""] * 8_000},
        {"Needs": [{}] * 8_000},
        {"Needs": ["x"] * 1_900},
        {"Needs": [_need(Path="p" * 2_000)] * 1_000},
        {"Needs": [_need(Resources=["arn:aws:s3:::b"] * 1_001)]},
        {"Needs": [_need(Actions=[f"s3:A{n}" for n in range(900)], Resources=[f"r{n}" for n in range(900)])]},
        {"Needs": [_need(Context={f"k{n}": ["v"] for n in range(1_001)})]},
        {"Needs": {"0": _need()}, "Mode": ["Warn"], "RoleArn": {"a": "b"}},
    ],
    ids=["texts", "empty", "many-problems", "characters", "resources", "questions", "context", "types"],
)
def test_needs_of_any_number_and_length_are_answered_at_once(
    world: World, invoke: Invoke, properties: dict[str, Any]
) -> None:
    began = time.monotonic()

    answer = invoke("create", properties=properties)

    assert time.monotonic() - began < 2
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("The preflight's properties cannot be read:\nProperties/")
    assert not world.simulator.requests


def test_the_limits_are_reported_with_what_to_do(world: World) -> None:
    _, (problem,) = read_needs([_need(n) for n in range(needs.MAX_NEEDS + 1)])

    assert str(problem) == (
        "Needs: has 2001 needs; a check takes 2000; give the definitions roles of their own, or split the stack"
    )
    assert problem.code == "too-large"


def test_needs_that_cannot_be_read_are_counted_past_the_first(world: World) -> None:
    _, problems = read_needs([""] * 100)

    assert len(problems) == needs.MAX_PROBLEMS + 1
    assert "has 80 more needs that cannot be read" in str(problems[-1])


def test_an_answer_of_many_lines_is_made_at_once(world: World, invoke: Invoke) -> None:
    lines = 2_000
    world.role()
    began = time.monotonic()

    answer = invoke("create", seconds=60, properties={"Needs": [_need(n) for n in range(lines)], "Mode": "Warn"})

    assert time.monotonic() - began < 25
    assert answer["Data"]["Needs"] == str(lines)
    assert "more, in log group" in answer["Data"]["Warnings"]


@pytest.mark.parametrize("stars", [4, 40, 400])
def test_a_pattern_takes_time_in_proportion_to_the_text(stars: int) -> None:
    """Python's `re` tries every way to share the text among the stars, with the interpreter's lock held."""
    text = "arn:aws:secretsmanager:us-east-1:123456789012:secret:" + "a" * 2_000
    began = time.monotonic()

    assert not matches("*a" * stars + "b", text)
    assert matches("*a" * stars, text)
    assert not matches("*" + "?a" * stars + "b", text)

    assert time.monotonic() - began < 0.5


def test_a_hostile_pattern_is_answered(sound: World, invoke: Invoke) -> None:
    hostile = [_need(n, Resources=[arn("secretsmanager", "secret:" + "*a" * n + "b")]) for n in range(1, 200)]
    began = time.process_time()

    invoke("create", properties={"Needs": hostile, "Mode": "Warn"})

    assert time.process_time() - began < 5


def test_a_hostile_boundary_is_judged_at_once() -> None:
    """The author may not write the boundary, but its patterns get to the same matcher."""
    boundary = Boundary(
        arn="b",
        document={"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*a" * 500 + "b"}] * 20},
    )
    began = time.process_time()

    assert boundary.forbids("s3:GetObject", "arn:aws:s3:::" + "a" * 1_000)

    assert time.process_time() - began < 0.5


def test_the_calls_of_a_check_are_counted_and_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "MAX_CALLS", 20)
    for number in range(60):
        world.needs.append(_need(number))

    report = world.check()

    assert sum(report.calls.values()) <= 20
    assert any("the check ends at 20 calls" in str(finding) for finding in report.findings)
    assert report.unsettled


def test_the_clients_of_a_check_are_counted_and_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "MAX_CLIENTS", 3)
    for number in range(6):
        region = f"eu-west-{number + 1}"
        world.needs.append(_need(number, Resources=[arn("secretsmanager", f"secret:s{number}-a1B2c3", region=region)]))

    report = world.check()

    assert any("the check ends at 3 services and regions" in str(finding) for finding in report.findings)


def test_pages_that_never_end_end(world: World) -> None:
    """An API that always answers with the same token."""
    world.parameter()
    hook(world.session, "ssm.DescribeParameters", lambda **_: reply(200, {"Parameters": [], "NextToken": "again"}))

    report = world.check()

    assert report.calls["ssm:DescribeParameters"] == 2


@pytest.mark.parametrize("region", ["evil.example.com/", "us-east-1@127.0.0.1", "127.0.0.1", "a" * 1_500, "us east 1"])
def test_a_region_never_becomes_a_host_of_the_authors(world: World, region: str) -> None:
    world.needs.append(_need(Resources=[arn("secretsmanager", "secret:a-a1B2c3", region=region)], Kind="Secret"))

    report = world.check()

    assert "secretsmanager:DescribeSecret" not in report.calls


# -- where the answer goes ---------------------------------------------------------------------------------------------

_PATH = "/arn%3Aaws%3Acloudformation?X-Amz-Signature=s"


@pytest.mark.parametrize(
    "host",
    [
        "cloudformation-custom-resource-response-useast1.s3.amazonaws.com",
        "cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com",
        "cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com:443",
        "cloudformation-custom-resource-response-eucentral1.s3.eu-central-1.amazonaws.com",
        "cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com",
        "cloudformation-custom-resource-response-apsoutheast7.s3.ap-southeast-7.amazonaws.com",
        "cloudformation-custom-resource-response-uswest2.s3.dualstack.us-west-2.amazonaws.com",
        "cloudformation-custom-resource-response-usgovwest1.s3.us-gov-west-1.amazonaws.com",
        "cloudformation-custom-resource-response-usgovwest1.s3-fips.us-gov-west-1.amazonaws.com",
        "cloudformation-custom-resource-response-usgovwest1.s3-us-gov-west-1.amazonaws.com",
        "cloudformation-custom-resource-response-cnnorth1.s3.cn-north-1.amazonaws.com.cn",
        "cloudformation-custom-resource-response-usisoeast1.s3.us-iso-east-1.c2s.ic.gov",
        "cloudformation-custom-resource-response-usisobeast1.s3.us-isob-east-1.sc2s.sgov.gov",
        "cloudformation-custom-resource-response-usisofsouth1.s3.us-isof-south-1.csp.hci.ic.gov",
        "cloudformation-custom-resource-response-euisoewest1.s3.eu-isoe-west-1.cloud.adc-e.uk",
        "cloudformation-custom-resource-response-euscdeeast1.s3.eusc-de-east-1.amazonaws.eu",
    ],
)
def test_cloudformations_hosts_are_answered(host: str) -> None:
    assert refused(f"https://{host}{_PATH}", {}) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/x",
        "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com:8443/x",
        "https://cloudformation-custom-resource-response-useast1.s3.us-west-2.amazonaws.com/x",
        "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com.evil.example/x",
        "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com@evil.example/x",
        "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com\\@evil.example/x",
        "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com%2eevil.example/x",
        "https://evil.example/cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com",
        "https://evil.example/?cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com",
        "https://evil.example#.cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com",
        "https://cloudformation-custom-resource-response-mine.s3.mine.amazonaws.com/x",
        "https://x.cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/x",
        "https://s3.us-east-1.amazonaws.com/cloudformation-custom-resource-response-useast1/x",
        "https://mine.s3.us-east-1.amazonaws.com/x",
        "https://cloudformation-custom-resource-response-cnnorth1.s3.cn-north-1.amazonaws.com/x",
        "https://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "https://[::1/x",
        "https://\ncloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/x",
        "",
        None,
        7,
        ["https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/x"],
    ],
)
def test_no_other_url_is_answered(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, world: World, url: object
) -> None:
    monkeypatch.delenv("PREFLIGHT_RESPONSE_ORIGINS")
    event = json.loads((EVENTS / "preflight-create.json").read_text()) | {"ResponseURL": url}
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("it was called"))

    assert refused(url, {})
    with pytest.raises(NotDeliveredError):
        module.handler(event, Context())
    assert not world.simulator.requests


def test_an_emulators_origin_must_be_allowed_by_the_owner(endpoint: Endpoint) -> None:
    port = endpoint.origin.rpartition(":")[2]

    def asked(origins: str, url: str = endpoint.url, gateway: str = "") -> bool:
        return not refused(url, {"PREFLIGHT_RESPONSE_ORIGINS": origins, "AWS_ENDPOINT_URL": gateway})

    assert asked(endpoint.origin)
    assert asked(f"http://127.0.0.1:1, {endpoint.origin}/")
    assert asked("AWS_ENDPOINT_URL", gateway=endpoint.origin)
    assert not asked("", gateway=endpoint.origin)
    assert not asked("AWS_ENDPOINT_URL")
    assert not asked("*")
    assert not asked(f"http://127.0.0.1:{port}")
    assert not asked(endpoint.origin, url=f"{endpoint.origin}0/x")
    assert not asked(endpoint.origin, url=f"https://127.0.0.1:{port}@evil.example/x")


# -- the owner of the role
# --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "role",
    [
        f"arn:aws:iam::{OTHER}:role/{ROLE_NAME}",
        f"arn:aws-cn:iam::{ACCOUNT}:role/{ROLE_NAME}",
        f"arn:aws:iam::{ACCOUNT}:user/{ROLE_NAME}",
        f"{ROLE}\n",
        f"arn:aws:iam::{ACCOUNT}:role/a b",
        ROLE_NAME,
    ],
)
def test_a_role_of_another_account_is_not_read_from_this_one(
    world: World, invoke: Invoke, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.role()
    called: list[str] = []
    hook(world.session, "iam.GetRole", lambda **_: called.append("GetRole"))

    answer = invoke("create", properties={"RoleArn": role})

    assert answer["Status"] == "FAILED"
    assert "Properties/RoleArn: is " in answer["Reason"]
    assert not called
    assert not world.simulator.requests


def test_a_role_of_the_same_name_under_another_path_is_another_role(world: World, invoke: Invoke) -> None:
    world.role()

    answer = invoke("create", properties={"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/other/{ROLE_NAME}"})

    assert answer["Status"] == "FAILED"
    assert "not permitted: the role does not exist" in answer["Reason"]


# -- the content of the lines
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["Path", "Target", "Sid", "Resources", "Actions"])
def test_no_text_makes_a_line_of_its_own(world: World, invoke: Invoke, field: str) -> None:
    world.role()
    breaks = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029")
    forged = "".join(f"a{each}Resources/Web: not permitted: all is lost; run this" for each in breaks)
    value: Any = [arn("s3", f"b/{forged}")] if field == "Resources" else [forged] if field == "Actions" else forged

    answer = invoke("create", properties={"Needs": [_need(**{field: value})]})

    lines = answer["Reason"].split("\n") + answer["Data"].get("Warnings", "").split("\n")
    assert not [line for line in lines if line.startswith("Resources/Web: not permitted")]
    assert not {"\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"} & set(answer["Reason"])


@pytest.mark.parametrize("character", ["\x1b[2J", "\x00", "\x7f", "\x9b", "\u202e", "\u2066", "\ud800"])
def test_no_text_controls_a_terminal(world: World, character: str) -> None:
    world.role()
    world.needs.append(_need(Path=f"a{character}b", Target=f"t{character}"))

    assert not [line for line in world.lines() if character in line]


def test_an_answer_can_always_be_encoded(world: World, invoke: Invoke) -> None:
    answer = invoke("create", properties={"Needs": [_need(Path="\ud800" * 50)]}, LogicalResourceId="Web\udfff")

    assert answer["Status"] == "FAILED"


# -- what the messages reveal
# ------------------------------------------------------------------------------------------------------


def _denied(world: World) -> None:
    """A role that a policy with a name denies a secret."""
    world.secret()
    world.role()
    statements = [{"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"}]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    world.client("iam").put_role_policy(RoleName=ROLE_NAME, PolicyName="Confidential", PolicyDocument=document)


def _stack_of(world: World, physical: str) -> None:
    detail = {"StackResourceDetail": {"PhysicalResourceId": physical, "ResourceType": "AWS::IAM::Role"}}
    hook(world.session, "cloudformation.DescribeStackResource", lambda **_: reply(200, detail))


@pytest.mark.parametrize("physical, named", [(ROLE_NAME, True), ("other", False)])
def test_policies_are_named_to_the_stack_that_has_the_role(
    world: World, invoke: Invoke, physical: str, named: bool
) -> None:
    _denied(world)
    _stack_of(world, physical)

    answer = invoke("create", properties={"Needs": world.needs})

    assert "forbids it); remove that Deny, or narrow it" in answer["Reason"]
    assert ("Confidential" in answer["Reason"]) is named


def test_a_secrets_random_suffix_is_not_told(world: World, invoke: Invoke) -> None:
    full = world.secret(granted=False)
    world.role()

    answer = invoke("create", properties={"Needs": world.needs})

    assert answer["Status"] == "FAILED"
    assert full not in json.dumps(answer)
    assert f"{CONTAINER}/Secrets/0/ValueFrom: not permitted" in answer["Reason"]


def test_a_key_that_only_the_secret_names_is_not_told(world: World, invoke: Invoke) -> None:
    key = world.key()
    world.secret(key=key)
    world.role()

    answer = invoke("create", properties={"Needs": world.needs})

    assert "the key of secret" in json.dumps(answer)
    assert key.rpartition("/")[2] not in json.dumps(answer)
