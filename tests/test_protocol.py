"""The answer to CloudFormation: never an exception, and nothing secret in the log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.cloudformation import (
    Document,
)
from tests.support.contract import (
    HOST,
    LambdaContext,
    call,
    container,
    event,
    one,
    refusal,
    template,
)

from ecs_exec_role import macro
from ecs_exec_role.protocol import respond


def test_request_id_comes_back() -> None:
    for request_id in ("abc", ""):
        assert call({**event(template({})), "requestId": request_id})["requestId"] == request_id


def test_status_is_success_or_failure_and_nothing_else_comes_with_it() -> None:
    assert set(call(event(one()))) == {"requestId", "status", "fragment"}
    assert set(call(event(one(spec=3)))) == {"requestId", "status", "errorMessage"}


@pytest.mark.parametrize(
    "request_", [None, [], "x", 3, True, {}, {"fragment": None}, {"fragment": []}, {"requestId": 3}]
)
def test_answer_to_what_is_not_a_request(request_: Any) -> None:
    answer = call(request_)
    assert answer["status"] == "failure"
    assert answer["errorMessage"]
    assert "requestId" in answer


def test_a_value_that_contains_itself_is_nested_too_deep() -> None:
    request = event(one())
    request["fragment"]["Metadata"] = request
    assert "is nested too deep" in respond(request)["errorMessage"]


@pytest.mark.parametrize("params", ["x", [1], 3])
def test_parameters_of_the_transform_that_are_not_a_mapping(params: Any) -> None:
    assert refusal(template({}), params=params).startswith("params: ")


def test_parameters_on_a_whole_template_mean_nothing() -> None:
    line = refusal(one(), params={"Images": ["x"]})
    assert "ExecutionRoleSpec" in line


def test_a_bug_becomes_a_failure_with_a_short_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret hush-hush")

    monkeypatch.setattr(macro, "expand", broken)
    answer = macro.handler(event(one()), LambdaContext())
    assert answer["status"] == "failure"
    assert answer["requestId"] == "request-1"
    assert "Traceback" not in answer["errorMessage"]
    assert "hush-hush" not in answer["errorMessage"]
    assert len(answer["errorMessage"]) < 200
    assert caplog.records[-1].exc_info


def test_log_never_holds_the_fragment_or_a_parameters_value(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    marks = ["fragment-mark", "value-mark", "name-mark"]
    sections: Document = {"Parameters": {"P": {"Type": "String"}}, "Description": marks[0]}
    image = {"Fn::Sub": f"{HOST}/{marks[2]}:${{P}}"}
    for spec in ("Auto", {"Image": ["fragment-mark"]}):
        call(event(one(container(Image=image), spec=spec, **sections), templateParameterValues={"P": marks[1]}))
    written = capsys.readouterr().out + caplog.text
    written += json.dumps([record.__dict__ for record in caplog.records], default=str)
    for mark in marks:
        assert mark not in written


def test_respond_is_the_handler_without_lambda() -> None:
    for request in (event(one(container(Image=f"{HOST}/web"))), event(one(spec=3)), event(3)):
        assert respond(request) == call(request)
