"""The answer's size: CloudFormation takes no more than 4,096 bytes."""

from __future__ import annotations

import json

import pytest

from ecs_exec_role.preflight.response import FAILED, SUCCESS, Answer, body

ENVELOPE = {
    "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/web/5f1c6d10-7a3e-11ef-9a0e-0a1b2c3d4e5f",
    "RequestId": "6b1f0f9a-3a1c-4c9e-8d4f-1f2e3d4c5b6a",
    "LogicalResourceId": "WebExecutionRolePreflight",
    "PhysicalResourceId": "preflight-web-WebExecutionRolePreflight",
}


def _sent(said: Answer, **envelope: str) -> dict[str, object]:
    content = body(ENVELOPE | envelope, said, log="log group /aws/lambda/preflight")
    assert len(content) <= 4096
    sent: dict[str, object] = json.loads(content)
    return sent


def test_what_fits_is_whole() -> None:
    sent = _sent(Answer(FAILED, "2 of 3 needs are not met", ("one", "two"), {"Needs": "3"}))

    assert sent["Reason"] == "2 of 3 needs are not met:\none\ntwo"
    assert sent["Data"] == {"Summary": "2 of 3 needs are not met", "Needs": "3"}


@pytest.mark.parametrize("status", [FAILED, SUCCESS])
@pytest.mark.parametrize("letter", ["x", "ü", '"'])
def test_lines_are_dropped_whole_from_the_end(status: str, letter: str) -> None:
    lines = tuple(f"{number}: {letter * 200}" for number in range(40))

    sent = _sent(Answer(status, "many", lines))

    data = sent["Data"]
    assert isinstance(data, dict)
    text = str(sent["Reason"]).removeprefix("many:\n") if status == FAILED else data["Warnings"]
    *kept, last = text.split("\n")
    assert tuple(kept) == lines[: len(kept)]
    assert len(kept) >= 5
    assert last == f"… and {40 - len(kept)} more, in log group /aws/lambda/preflight"


def test_one_line_that_is_too_long_is_cut() -> None:
    sent = _sent(Answer(FAILED, "one", ("y" * 9000,)))

    assert str(sent["Reason"]).startswith("one:\nyyyy")
    assert str(sent["Reason"]).endswith("…")


def test_the_longest_ids_still_leave_an_answer() -> None:
    sent = _sent(Answer(FAILED, "s" * 3000, ("line",) * 9), PhysicalResourceId="p" * 1024, LogicalResourceId="l" * 255)

    assert sent["Status"] == FAILED
    assert sent["Reason"]
