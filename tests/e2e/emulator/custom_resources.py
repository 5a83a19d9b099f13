"""What CloudFormation sends to a custom resource's function, and what it takes for an answer.

Both engines' plug-ins use it. It is stricter than CloudFormation in one point: of two answers CloudFormation reads the
first, and here a second one is a failure.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Bytes of a response, and characters of a physical ID.
RESPONSE_LIMIT = 4096
ID_LIMIT = 1024
# Lambda runs a function that failed in an asynchronous invocation twice more.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
ATTEMPTS = 3
_ECHOED = ("StackId", "RequestId", "LogicalResourceId")


class ProtocolError(Exception):
    """CloudFormation would not take the answer."""


class ResourceFailed(Exception):
    """The function answered FAILED; `physical_id` is the one that it named."""

    def __init__(self, reason: str, request_id: str, physical_id: str) -> None:
        super().__init__(
            "Received response status [FAILED] from custom resource. Message returned: "
            f"{reason} (RequestId: {request_id})"
        )
        self.physical_id = physical_id


class Made(NamedTuple):
    """What a resource's function answered: the physical ID, and what `Fn::GetAtt` gives."""

    physical_id: str
    data: Mapping[str, Any]


def texts(value: Any) -> Any:
    """Properties as CloudFormation sends them: numbers and truth values are text."""
    if isinstance(value, Mapping):
        return {key: texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [texts(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def read(request: Mapping[str, Any], answers: Sequence[bytes]) -> Made:
    """What came of a request. `answers` are the bodies that were put to its `ResponseURL`, the oldest first.

    `ResourceFailed` where the function says so, `ProtocolError` where the answer is none that CloudFormation takes.
    """
    name = f"{request['RequestType']} of {request['LogicalResourceId']}"
    if not answers:
        raise ProtocolError(f"CloudFormation did not receive a response from your Custom Resource ({name})")
    if len(answers) > 1:
        raise ProtocolError(f"{name} was answered {len(answers)} times: {[_status(each) for each in answers]}")
    if len(answers[0]) > RESPONSE_LIMIT:
        raise ProtocolError(f"Response object is too long ({name}: {len(answers[0])} bytes of {RESPONSE_LIMIT})")
    try:
        answer = json.loads(answers[0])
    except ValueError as error:
        raise ProtocolError(f"Response is not valid JSON ({name}: {error})") from error
    wrong = [key for key in _ECHOED if not isinstance(answer, dict) or answer.get(key) != request[key]]
    if wrong:
        raise ProtocolError(f"Response does not repeat {', '.join(wrong)} of the request ({name})")
    physical_id, reason, data = answer.get("PhysicalResourceId"), answer.get("Reason"), answer.get("Data")
    if not isinstance(physical_id, str) or not 0 < len(physical_id) <= ID_LIMIT:
        raise ProtocolError(f"Invalid PhysicalResourceId ({name}: {physical_id!r})")
    if answer.get("Status") == "FAILED" and isinstance(reason, str) and reason:
        raise ResourceFailed(reason, request["RequestId"], physical_id)
    if answer.get("Status") != "SUCCESS":
        raise ProtocolError(f"Response has no valid Status, or is FAILED without a Reason ({name})")
    if data is not None and not isinstance(data, dict):
        raise ProtocolError(f"Data is not an object ({name})")
    return Made(physical_id, data or {})


def _status(answer: bytes) -> Any:
    try:
        return json.loads(answer).get("Status")
    except (ValueError, AttributeError):
        return None
