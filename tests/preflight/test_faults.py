"""Preflight in every fault: each call of AWS in each fault, each kind of request, and the response URL in each fault.

A fault of AWS is never a failure of the role, is always reported, and never prevents the answer to CloudFormation.
"""

from __future__ import annotations

import io
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from tests.preflight.conftest import Endpoint
from tests.preflight.faults import CALLS, FAULTS, break_call, raises
from tests.preflight.simulator import error, hook, reply
from tests.preflight.test_handler import EVENTS, Context, invoke, log, sound
from tests.preflight.world import OTHER, ROLE, World, arn

from ecs_exec_role.preflight import custom_resource as resource_module
from ecs_exec_role.preflight import handler as module
from ecs_exec_role.preflight.custom_resource import NotDeliveredError
from ecs_exec_role.preflight.needs import CheckedNeed
from ecs_exec_role.preflight.report import OK, Result, RoleCheck, Status, Verdict
from ecs_exec_role.preflight.response import answer as to_answer

__all__ = ["invoke", "log", "sound"]

Invoke = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    "exception, said",
    [
        (ConnectTimeoutError(endpoint_url="https://aws.example"), "could not be reached, ConnectTimeoutError"),
        (ReadTimeoutError(endpoint_url="https://aws.example"), "could not be reached, ReadTimeoutError"),
        (SSLError(endpoint_url="https://aws.example", error=ValueError("x")), "could not be reached, SSLError"),
        (PartialCredentialsError(provider="env", cred_var="x"), "there are no valid AWS credentials"),
        (ValueError("no botocore error at all"), "could not be read, ValueError"),
    ],
)
def test_other_exceptions_of_boto3_are_sentences(sound: World, exception: Exception, said: str) -> None:
    hook(sound.session, "ssm.DescribeParameters", raises(exception))

    assert any(said in line for line in sound.lines())


# -- no question could be asked
# --------------------------------------------------------------------------------------------


def _nothing_answers(world: World, answer: Callable[..., Any]) -> None:
    for call in CALLS:
        break_call(world, call, answer)


@pytest.mark.parametrize(
    "fault, reason, fix",
    [
        (
            "denied",
            "the check itself is not allowed iam:SimulatePrincipalPolicy",
            "allow iam:SimulatePrincipalPolicy to",
        ),
        ("throttled", "AWS throttled each attempt of iam:SimulatePrincipalPolicy", "deploy again later"),
        ("key-unknown", "there are no valid AWS credentials", "log in again"),
        ("unreachable", "could not be reached", "check the network"),
        ("garbled", "could not be read", "check the proxy"),
        ("broken", "failed, InternalFailure", "deploy again later"),
    ],
)
def test_a_check_that_aws_answers_nothing_is_not_a_success(
    sound: World, invoke: Invoke, endpoint: Endpoint, fault: str, reason: str, fix: str
) -> None:
    _nothing_answers(sound, FAULTS[fault][0])

    failed = invoke("create")
    endpoint.taken.clear()
    endpoint.bodies.clear()
    warned = invoke("create-warn")

    assert failed["Status"] == "FAILED"
    assert failed["Reason"].startswith("Nothing could be checked: ")
    assert reason in failed["Reason"]
    assert fix in failed["Reason"]
    assert warned["Status"] == "SUCCESS"
    assert warned["Data"]["Summary"].startswith("Nothing could be checked: ")


def test_needs_in_another_account_are_not_an_answer_of_aws(world: World) -> None:
    """There are no questions about them, so they decide nothing if IAM does not answer."""
    name = arn("logs", "log-group:/ecs/web:*", account=OTHER)
    world.need("LogConfiguration", Kind="LogGroup", Actions=["logs:CreateLogStream"], Resources=[name])
    _nothing_answers(world, FAULTS["unreachable"][0])

    report = world.check()

    assert report.nothing_checked
    assert to_answer(report, "Fail").status == "FAILED"
    assert report.summary.startswith("Nothing could be checked: the API for iam:SimulatePrincipalPolicy")


def test_a_check_whose_every_call_hangs_is_not_a_success(sound: World) -> None:
    released = threading.Event()

    def hangs(**_: Any) -> None:
        released.wait(20)

    _nothing_answers(sound, hangs)
    try:
        report = sound.check(seconds=0.5)
    finally:
        released.set()

    assert report.nothing_checked
    assert report.unsettled == len(report.results)
    said = to_answer(report, "Fail")
    assert said.status == "FAILED"
    assert said.summary.startswith("Nothing could be checked: ")
    assert to_answer(report, "Warn").status == "SUCCESS"


def test_what_is_not_settled_is_counted(sound: World, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    sound.breaks("secrets-manager.DescribeSecret", "AccessDeniedException")
    sound.breaks("ssm.DescribeParameters", "ThrottlingException")

    assert invoke("create")["Status"] == "SUCCESS"

    counted = next(json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line)
    assert counted["Unsettled"] == [2.0]
    assert counted["Answers"] == [1.0]


def test_what_aws_answers_in_part_is_a_success_that_says_what_is_missing(
    sound: World, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the simulator, the targets are still checked; to fail the deployment would be too strict."""
    sound.simulator.fails = lambda _request: error("AccessDenied", status=403)

    answer = invoke("create")

    assert answer["Status"] == "SUCCESS"
    total = answer["Data"]["Needs"]
    assert answer["Data"]["Sound"] == "0"
    assert f"0 of {total} needs" in answer["Data"]["Summary"]
    assert f"{total} could not be decided from here" in answer["Data"]["Summary"]
    assert "the check itself is not allowed iam:SimulatePrincipalPolicy; allow iam" in answer["Data"]["Warnings"]
    counted = next(json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line)
    assert counted["Unsettled"] == [float(total)]


def test_what_is_certainly_missing_fails_though_the_permissions_are_not_known(sound: World, invoke: Invoke) -> None:
    sound.simulator.fails = lambda _request: error("AccessDenied", status=403)
    sound.client("logs").delete_log_group(logGroupName="/ecs/web")

    answer = invoke("create")

    assert answer["Status"] == "FAILED"
    assert "/ecs/web" in answer["Reason"]


@pytest.mark.parametrize("patience, expected", [(0.0, 0.0), (0.4, 0.4), (15.0, 15.0), (300.0, 59.0)])
def test_the_patience_is_what_is_documented(world: World, patience: float, expected: float) -> None:
    """The last pause is shortened, so that a refused call is repeated for these seconds and no longer."""
    now = [0.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    world.secret(granted=False)

    report = world.check(patience=patience, seconds=60.0, clock=lambda: now[0], sleep=sleep)

    assert report.failed
    assert sum(pauses) == pytest.approx(expected)
    assert len(world.simulator.requests) == len(pauses) + 1


# -- each request ------------------------------------------------------------------------------------------------------

NEED = CheckedNeed(path="P", actions=("s3:GetObject",), resources=("arn:aws:s3:::b/k",))
REPORTS = {
    "sound": RoleCheck(role_arn=ROLE, results=(Result(need=NEED, permission=OK),)),
    "failing": RoleCheck(role_arn=ROLE, results=(Result(need=NEED, permission=Verdict(Status.DENIED, "no", "do")),)),
    "unsettled": RoleCheck(
        role_arn=ROLE,
        results=(Result(need=NEED, permission=Verdict(Status.UNKNOWN, "?", "do", "", "AWS is away"), existence=OK),),
    ),
    "nothing": RoleCheck(
        role_arn=ROLE,
        results=(Result(need=NEED, permission=Verdict(Status.UNKNOWN, "?", "do", "", "AWS is away")),),
    ),
}
OUTCOMES = (*REPORTS, "mistakes", "bug")
REQUESTS = {
    "create": ("Create", None),
    "update": ("Update", "UPDATE_IN_PROGRESS"),
    "rollback": ("Update", "UPDATE_ROLLBACK_IN_PROGRESS"),
    "status-denied": ("Update", None),
    "delete": ("Delete", None),
    "unknown": ("Rename", None),
}


def _expected(request: str, mode: str, outcome: str) -> str:
    if request == "delete":
        return "SUCCESS"
    if request == "unknown":
        # The function knows neither the question nor the mode.
        return "FAILED"
    if mode == "Warn" or request in ("rollback", "status-denied"):
        return "SUCCESS"
    return "SUCCESS" if outcome in ("sound", "unsettled") else "FAILED"


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("mode", ["Fail", "Warn"])
@pytest.mark.parametrize("request_", REQUESTS)
def test_each_request_with_each_outcome(
    world: World, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, request_: str, mode: str, outcome: str
) -> None:
    kind, status = REQUESTS[request_]
    if status:
        world.stack(status)
    elif request_ == "status-denied":
        world.breaks("cloudformation.DescribeStacks", "AccessDenied")
    properties: dict[str, Any] = {"Mode": mode}
    if outcome == "mistakes":
        properties["Needs"] = ["nonsense"]
    elif outcome == "bug":
        monkeypatch.setattr(module, "check", raises(RuntimeError("a bug")))
    else:
        monkeypatch.setattr(module, "check", lambda *_, **__: REPORTS[outcome])
    existing = {} if kind == "Create" else {"PhysicalResourceId": "as-it-was"}

    answer = invoke("create", RequestType=kind, properties=properties, **existing)

    assert answer["Status"] == _expected(request_, mode, outcome), answer
    assert answer["PhysicalResourceId"] == ("as-it-was" if existing else "preflight-web-WebExecutionRolePreflight")
    if answer["Status"] == "SUCCESS" and outcome in ("failing", "nothing", "mistakes", "bug") and kind != "Delete":
        assert answer["Data"]["Warnings"] or "see the function's log" in answer["Data"]["Summary"]


# -- the calls of CloudFormation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
def test_an_update_of_which_the_status_is_not_known_does_not_fail(
    world: World, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The answer says why the status is not known, and gives a remedy."""
    answered, said = FAULTS[fault]
    hook(world.session, "cloudformation.DescribeStacks", answered)
    monkeypatch.setattr(module, "check", lambda *_, **__: REPORTS["failing"])

    answer = invoke("update")

    assert answer["Status"] == "SUCCESS"
    first = answer["Data"]["Warnings"].splitlines()[0]
    known = "It is not known whether the stack is being rolled back, so that this does not fail it: "
    assert first.startswith(known + said.format("cloudformation:DescribeStacks"))
    assert "; " in first
    assert ("allow cloudformation:DescribeStacks" in first) == (fault == "denied")


@pytest.mark.parametrize("statuses", [[], [{"StackStatus": 7}], [{}]])
def test_a_status_that_is_odd_is_not_known(
    world: World, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, statuses: list[Any]
) -> None:
    answered = reply(200, {"Stacks": statuses})
    hook(world.session, "cloudformation.DescribeStacks", lambda **_: answered)
    monkeypatch.setattr(module, "check", lambda *_, **__: REPORTS["failing"])

    assert invoke("update")["Status"] == "SUCCESS"


def test_a_status_that_is_late_is_not_known(world: World, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    hook(world.session, "cloudformation.DescribeStacks", lambda **_: released.wait(20))
    monkeypatch.setattr(module, "check", lambda *_, **__: REPORTS["failing"])
    monkeypatch.setattr(resource_module, "_FINDING_OUT", 0.1)
    try:
        answer = invoke("update")
    finally:
        released.set()

    assert answer["Status"] == "SUCCESS"
    assert "it: CloudFormation did not answer in time; deploy again later" in answer["Data"]["Warnings"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stack_of_which_the_resources_are_not_known_is_checked(sound: World, invoke: Invoke, fault: str) -> None:
    """Only then messages do not name the role's policies, since the role may be another stack's."""
    hook(sound.session, "cloudformation.DescribeStackResource", FAULTS[fault][0])

    answer = invoke("create")

    assert answer["Status"] == "SUCCESS"
    assert answer["Data"]["WarningCount"] == "0"


# -- the response URL --------------------------------------------------------------------------------------------------


class Clock:
    """`time`, in which a pause takes no time."""

    def __init__(self) -> None:
        self.now, self.pauses = time.monotonic(), list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(resource_module, "time", made)
    return made


def _deliver(url: str, seconds: float = 180.0) -> None:
    event = json.loads((EVENTS / "preflight-delete.json").read_text()) | {"ResponseURL": url}
    module.handler(event, Context(seconds))


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503, 307])
def test_an_answer_that_is_always_refused_fails_the_function(
    endpoint: Endpoint, clock: Clock, log: io.StringIO, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """After a normal return the stack would wait, without a retry and without an alarm."""
    endpoint.statuses = [status] * 1_000

    with pytest.raises(NotDeliveredError):
        _deliver(endpoint.url)

    assert sum(clock.pauses) > 170
    assert max(clock.pauses) <= 8
    assert not endpoint.taken
    assert '"Undelivered":[1.0]' in capsys.readouterr().out
    assert "do-not-log" not in log.getvalue()


@pytest.mark.parametrize("refusals", [1, 3, 20])
def test_an_answer_is_sent_until_it_is_taken(endpoint: Endpoint, clock: Clock, refusals: int) -> None:
    endpoint.statuses = [503] * refusals

    _deliver(endpoint.url)

    assert len(endpoint.taken) == 1
    assert len(clock.pauses) == refusals


@pytest.mark.parametrize(
    "exception",
    [
        urllib.error.URLError("no such host"),
        ConnectionRefusedError(),
        ConnectionResetError(),
        TimeoutError(),
        ValueError("the URL do-not-log is odd"),
    ],
)
def test_a_url_that_is_gone_fails_the_function(
    endpoint: Endpoint, clock: Clock, monkeypatch: pytest.MonkeyPatch, log: io.StringIO, exception: Exception
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", raises(exception))

    with pytest.raises(NotDeliveredError):
        _deliver(endpoint.url)

    assert sum(clock.pauses) > 170
    assert "do-not-log" not in log.getvalue()


def test_a_url_that_never_answers_is_given_up_in_time(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: released.wait(20))
    began = time.monotonic()
    try:
        with pytest.raises(NotDeliveredError):
            _deliver(endpoint.url, seconds=1.5)
    finally:
        released.set()

    assert time.monotonic() - began < 1.5


def test_a_url_that_is_slow_is_waited_for(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    real = urllib.request.urlopen

    def slow(*arguments: Any, **named: Any) -> Any:
        time.sleep(0.4)
        return real(*arguments, **named)

    monkeypatch.setattr("urllib.request.urlopen", slow)

    _deliver(endpoint.url, seconds=10)

    assert len(endpoint.taken) == 1
