"""The Lambda function: CloudFormation's requests in their real form, and the answers to them."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.preflight.conftest import Endpoint
from tests.preflight.simulator import error, hook
from tests.preflight.world import ROLE_NAME, World

from ecs_exec_role.preflight import handler as module
from ecs_exec_role.preflight.custom_resource import NotDeliveredError

EVENTS = Path(__file__).parents[2] / "events"
PHYSICAL_ID = "preflight-web-WebExecutionRolePreflight"


class Context:
    """What Lambda passes besides the event."""

    function_name = "ecs-exec-role-preflight"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:ecs-exec-role-preflight"
    aws_request_id = "2f1e9d6c-0000-4000-8000-000000000000"
    log_group_name = "/aws/lambda/ecs-exec-role-preflight"
    log_stream_name = "2026/01/01/[$LATEST]0123"

    def __init__(self, seconds: float = 180.0) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(max(0.0, self._end - time.monotonic()) * 1000)


Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def invoke(endpoint: Endpoint, session: boto3.session.Session, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Calls the function with a changed event of `events/`, and returns what CloudFormation got."""
    monkeypatch.setattr(module, "_session", lambda: session)

    def call(
        name: str, *, seconds: float = 180.0, properties: dict[str, Any] | None = None, **fields: Any
    ) -> dict[str, Any]:
        event = json.loads((EVENTS / f"preflight-{name}.json").read_text()) | {"ResponseURL": endpoint.url} | fields
        event["ResourceProperties"] = event["ResourceProperties"] | (properties or {})
        module.handler(event, Context(seconds))
        return endpoint.answer

    return call


@pytest.fixture
def sound(world: World) -> World:
    """Everything that the sample events need."""
    world.image()
    world.log_group()
    world.secret()
    world.parameter()
    world.environment_file()
    world.role()
    return world


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the function writes to its log."""
    stream = io.StringIO()
    monkeypatch.setattr(module.logger.registered_handler, "stream", stream)
    return stream


def test_create(sound: World, invoke: Invoke, endpoint: Endpoint) -> None:
    answer = invoke("create")

    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == PHYSICAL_ID
    assert answer["Data"] == {
        "Summary": f"All 7 needs of role {ROLE_NAME} are permitted and in place; if a task still does not start, "
        "what is left is the network: routes, VPC endpoints, security groups",
        "Needs": "7",
        "Sound": "7",
        "Failures": "0",
        "WarningCount": "0",
        "Warnings": "",
    }
    for key in ("StackId", "RequestId", "LogicalResourceId"):
        assert answer[key] == json.loads((EVENTS / "preflight-create.json").read_text())[key]
    assert endpoint.headers[0]["Content-Type"] == ""


def test_create_fails_with_every_reason(sound: World, invoke: Invoke) -> None:
    sound.client("ecr").batch_delete_image(repositoryName="web", imageIds=[{"imageTag": "1"}])
    sound.client("ssm").delete_parameter(Name="/shop/level")
    sound.client("iam").delete_role_policy(RoleName=ROLE_NAME, PolicyName="ExecutionRole")

    answer = invoke("create")

    assert answer["Status"] == "FAILED"
    first, *lines = answer["Reason"].splitlines()
    assert first == f"7 of 7 needs of role {ROLE_NAME} are not met:"
    assert ["not permitted" in line for line in lines] == [True] * 7 + [False] * 2
    assert [line.split(": ")[1] for line in lines[7:]] == ["does not exist"] * 2
    assert answer["PhysicalResourceId"] == PHYSICAL_ID


def test_warn_succeeds_and_says_the_same(sound: World, invoke: Invoke) -> None:
    sound.client("ssm").delete_parameter(Name="/shop/level")

    answer = invoke("create-warn")

    assert answer["Status"] == "SUCCESS"
    assert answer["Data"]["Failures"] == "1"
    assert answer["Data"]["Warnings"] == (
        "Resources/Web/Properties/ContainerDefinitions/0/Secrets/1/ValueFrom: does not exist: parameter /shop/level in "
        "us-east-1; create it, or correct the value"
    )


def test_update_that_changes_nothing_checks_again(sound: World, invoke: Invoke) -> None:
    sound.client("ssm").delete_parameter(Name="/shop/level")
    sound.stack("UPDATE_IN_PROGRESS")

    answer = invoke("update-unchanged")

    assert answer["Status"] == "FAILED"
    assert "parameter /shop/level" in answer["Reason"]
    assert answer["PhysicalResourceId"] == PHYSICAL_ID


def test_update_keeps_the_physical_id(sound: World, invoke: Invoke) -> None:
    assert invoke("update", PhysicalResourceId="as-it-was")["PhysicalResourceId"] == "as-it-was"


def test_update_that_is_rolled_back_only_warns(sound: World, invoke: Invoke) -> None:
    sound.client("ssm").delete_parameter(Name="/shop/level")
    sound.stack("UPDATE_ROLLBACK_IN_PROGRESS")

    answer = invoke("update")

    assert answer["Status"] == "SUCCESS"
    assert "parameter /shop/level" in answer["Data"]["Warnings"]


def test_delete_succeeds_at_once_without_a_call(world: World, invoke: Invoke) -> None:
    for operation in ("GetRole", "SimulatePrincipalPolicy"):
        world.breaks(f"iam.{operation}", "AccessDenied")
    began = time.monotonic()

    answer = invoke("delete", properties={"Needs": "nonsense"})

    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == PHYSICAL_ID
    assert not world.simulator.requests
    assert time.monotonic() - began < 1


def test_mistakes_are_answered(world: World, invoke: Invoke) -> None:
    answer = invoke("create-mistakes")

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].splitlines() == [
        "The preflight's properties cannot be read:",
        "Properties/RoleArn: is not the ARN of a role; write !GetAtt <Role>.Arn, a role of this stack",
        "Properties/Mode: is neither Fail nor Warn; write one of them, or remove it",
        "Properties/Needs/0: has a Path that is not a text; let the macro write it, or see docs/preflight.md",
        "Properties/Needs/1: is not a mapping; let the macro write it, or see docs/preflight.md",
    ]
    assert not world.simulator.requests


def test_mistakes_under_warn_succeed(world: World, invoke: Invoke) -> None:
    answer = invoke("create-mistakes", properties={"Mode": "Warn"})

    assert answer["Status"] == "SUCCESS"
    assert "Properties/RoleArn" in answer["Data"]["Warnings"]


def test_no_properties_at_all(world: World, invoke: Invoke) -> None:
    answer = invoke("create", properties={"RoleArn": None, "Needs": None})

    assert answer["Status"] == "FAILED"
    assert "Properties/Needs: is not a list" in answer["Reason"]


def test_its_own_lack_of_a_permission_is_a_warning(sound: World, invoke: Invoke) -> None:
    sound.breaks("secrets-manager.DescribeSecret", "AccessDeniedException")
    sound.breaks("iam.SimulatePrincipalPolicy", "AccessDenied")
    sound.simulator.fails = lambda _request: error("AccessDenied")

    answer = invoke("create")

    assert answer["Status"] == "SUCCESS"
    warnings = answer["Data"]["Warnings"]
    assert "the check itself is not allowed secretsmanager:DescribeSecret" in warnings
    assert "the check itself is not allowed iam:SimulatePrincipalPolicy" in warnings


def test_what_hangs_is_given_up_before_the_function_is_cut_off(sound: World, invoke: Invoke) -> None:
    released = threading.Event()

    def hangs(**_: object) -> None:
        released.wait(20)

    hook(sound.session, "ssm.DescribeParameters", hangs)
    began = time.monotonic()
    try:
        answer = invoke("create", seconds=6.0)
    finally:
        released.set()

    assert time.monotonic() - began < 4
    assert answer["Status"] == "SUCCESS"
    assert "not checked before the time of the check was over" in answer["Data"]["Warnings"]


def test_the_last_resort_answers_when_the_check_itself_hangs(
    world: World, invoke: Invoke, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "check", lambda *_, **__: time.sleep(1.5))

    answer = invoke("create", seconds=1.6)

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("The preflight ran into its function's timeout before it had a result; ")
    assert answer["PhysicalResourceId"] == PHYSICAL_ID
    assert len(endpoint.taken) == 1


def test_a_bug_is_answered(
    world: World, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(module, "check", broken)

    answer = invoke("create")

    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "a bug; see the function's log, or deploy with Preflight: Warn"


def test_a_bug_under_warn_succeeds(world: World, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(module, "check", broken)

    assert invoke("create-warn")["Status"] == "SUCCESS"


def test_an_unknown_request_type_is_answered(world: World, invoke: Invoke) -> None:
    assert invoke("create", RequestType="Rename")["Status"] == "FAILED"


@pytest.mark.parametrize("event", [{"RequestType": "Create"}, {"ResponseURL": None}, [], "text", None])
def test_an_event_without_a_url_is_an_error_that_lambda_counts(endpoint: Endpoint, event: Any) -> None:
    with pytest.raises(NotDeliveredError):
        module.handler(event, Context())

    assert not endpoint.taken


def test_the_answer_is_sent_again_when_it_is_not_taken(
    sound: World, invoke: Invoke, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    endpoint.statuses = [503, 500]

    assert invoke("create")["Status"] == "SUCCESS"


def test_sending_goes_on_until_the_time_is_nearly_over_and_then_fails(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    monkeypatch.setenv("PREFLIGHT_RESPONSE_ORIGINS", "https://127.0.0.1:1")
    event = json.loads((EVENTS / "preflight-delete.json").read_text())
    began = time.monotonic()

    with pytest.raises(NotDeliveredError):
        module.handler(event | {"ResponseURL": "https://127.0.0.1:1/nobody"}, Context(2.5))

    assert 1.2 < time.monotonic() - began < 2.5
    assert log.getvalue().count("The answer was not taken") >= 2


def test_the_response_url_is_never_logged(
    sound: World, invoke: Invoke, endpoint: Endpoint, log: io.StringIO, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(time, "sleep", lambda _: None)
    endpoint.statuses = [503]
    with caplog.at_level(logging.DEBUG):
        invoke("create")

    out = capsys.readouterr()
    assert log.getvalue()
    for text in (log.getvalue(), out.out, out.err, caplog.text):
        assert "do-not-log" not in text


def test_the_whole_report_is_one_log_record(sound: World, invoke: Invoke, log: io.StringIO) -> None:
    sound.client("ssm").delete_parameter(Name="/shop/level")

    invoke("create")

    record = next(r for r in map(json.loads, log.getvalue().splitlines()) if r["message"] == "preflight")
    assert record["level"] == "ERROR"
    assert record["stack_id"].startswith("arn:aws:cloudformation:")
    report = record["report"]
    assert report["failed"] is True
    assert report["counts"] == {"ok": 6, "absent": 1, "denied": 0, "unfit": 0, "elsewhere": 0, "unknown": 0}
    absent = [need["path"] for need in report["needs"] if (need["existence"] or {}).get("status") == "absent"]
    assert absent == ["Resources/Web/Properties/ContainerDefinitions/0/Secrets/1/ValueFrom"]


def test_one_invocation_does_not_answer_for_the_next(sound: World, invoke: Invoke, endpoint: Endpoint) -> None:
    invoke("create")
    endpoint.taken.clear()
    endpoint.bodies.clear()

    assert invoke("create-mistakes")["Status"] == "FAILED"
    with pytest.raises(NotDeliveredError):
        module.handler({"RequestType": "Create"}, Context())
    assert len(endpoint.taken) == 1
