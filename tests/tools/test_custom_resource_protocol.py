"""The end-to-end tests accept only a valid answer of a custom resource, so that a wrong one fails them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

# The engines find their plug-in in a separate folder, which is not a package.
EMULATOR = str(Path(__file__).parents[1] / "e2e" / "emulator")
REQUEST = {"RequestType": "Create", "StackId": "arn:stack", "RequestId": "1", "LogicalResourceId": "Preflight"}
ECHO = {key: REQUEST[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
GOOD = {**ECHO, "Status": "SUCCESS", "PhysicalResourceId": "preflight", "Data": {"Summary": "All is well"}}
WITHOUT_ID = {key: value for key, value in GOOD.items() if key != "PhysicalResourceId"}


@pytest.fixture
def protocol(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(EMULATOR)
    import custom_resources  # type: ignore[import-not-found]  # noqa: PLC0415 (found by the line above)

    yield custom_resources
    del sys.modules["custom_resources"]


def body(answer: object) -> bytes:
    return json.dumps(answer).encode()


def test_a_good_answer_is_taken(protocol: Any) -> None:
    assert protocol.read(REQUEST, [body(GOOD)]) == ("preflight", {"Summary": "All is well"})


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([], "did not receive a response"),
        ([body(GOOD), body(GOOD)], "was answered 2 times"),
        ([body({**GOOD, "Reason": "x" * 4096})], "Response object is too long"),
        ([b"{"], "not valid JSON"),
        ([body([])], "does not repeat StackId, RequestId, LogicalResourceId"),
        ([body({**GOOD, "StackId": "arn:other"})], "does not repeat StackId"),
        ([body(WITHOUT_ID)], "Invalid PhysicalResourceId"),
        ([body({**GOOD, "PhysicalResourceId": "x" * 1025})], "Invalid PhysicalResourceId"),
        ([body({**GOOD, "Status": "OK"})], "no valid Status"),
        ([body({**GOOD, "Status": "FAILED"})], "FAILED without a Reason"),
        ([body({**GOOD, "Data": "text"})], "Data is not an object"),
    ],
)
def test_what_cloudformation_would_not_take_is_refused(protocol: Any, answers: list[bytes], said: str) -> None:
    with pytest.raises(protocol.ProtocolError, match=said):
        protocol.read(REQUEST, answers)


def test_a_failure_names_its_reason_and_its_id(protocol: Any) -> None:
    with pytest.raises(protocol.ResourceFailed, match="Message returned: no such secret") as failed:
        protocol.read(REQUEST, [body({**GOOD, "Status": "FAILED", "Reason": "no such secret"})])
    assert failed.value.physical_id == "preflight"


def test_properties_are_sent_as_text(protocol: Any) -> None:
    assert protocol.texts({"A": [1, True, {"B": 0.5}]}) == {"A": ["1", "true", {"B": "0.5"}]}
