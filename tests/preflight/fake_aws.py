"""A session in which a test decides every reply of AWS, for faults that no emulator has."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError
from tests.preflight.world import ACCOUNT, REGION, ROLE, ROLE_NAME, TRUST, arn

SECRET = arn("secretsmanager", "secret:shop/card-a1B2c3")
KEY = arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab")
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/limits"
Reply = Callable[[Mapping[str, Any]], Any]


def _simulated(request: Mapping[str, Any]) -> dict[str, Any]:
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": request["ResourceArns"][0],
            "EvalDecision": "allowed",
            "ResourceSpecificResults": [
                {"EvalResourceName": resource, "EvalResourceDecision": "allowed"}
                for resource in request["ResourceArns"]
            ],
        }
        for action in request["ActionNames"]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


SOUND: dict[str, Any] = {
    "get_role": {
        "Role": {
            "Arn": ROLE,
            "AssumeRolePolicyDocument": TRUST,
            "PermissionsBoundary": {"PermissionsBoundaryArn": BOUNDARY},
        }
    },
    "get_policy": {"Policy": {"DefaultVersionId": "v1"}},
    "get_policy_version": {
        "PolicyVersion": {"Document": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}
    },
    "describe_stacks": {"Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS"}]},
    "describe_stack_resource": {"StackResourceDetail": {"PhysicalResourceId": ROLE_NAME}},
    "describe_images": {"imageDetails": [{}]},
    "describe_secret": {"ARN": SECRET, "KmsKeyId": KEY, "VersionIdsToStages": {"v": ["AWSCURRENT"]}},
    "describe_parameters": {"Parameters": [{"Name": "/shop/level", "Type": "String"}]},
    "describe_key": {"KeyMetadata": {"Arn": KEY, "KeyState": "Enabled", "KeyManager": "CUSTOMER"}},
    "describe_log_groups": {"logGroups": [{"logGroupName": "/ecs/web"}]},
    "list_objects_v2": {"Contents": [{"Key": "web.env"}]},
}
"""AWS's replies to each operation if everything is as the sample events need it; a test replaces some of them."""


class FakeAws:
    """The session. `replies` maps an operation to its reply, or to a function of the request."""

    region_name = REGION

    def __init__(self, **replies: Any) -> None:
        self.replies: dict[str, Any] = {**SOUND, "simulate_principal_policy": _simulated, **replies}
        self.calls: Counter[str] = Counter()
        self.requests: list[tuple[str, Mapping[str, Any]]] = []
        self.clients: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def client(self, service: str, *, region_name: str, config: object) -> FakeClient:
        assert config is not None
        self.clients.append((service, region_name))
        return FakeClient(self)

    def reply(self, operation: str, request: Mapping[str, Any]) -> Any:
        with self._lock:
            self.calls[operation] += 1
            self.requests.append((operation, request))
        found = self.replies[operation]
        return found(request) if callable(found) else found


class FakeClient:
    """A client of one service."""

    def __init__(self, aws: FakeAws) -> None:
        self._aws = aws

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **request: self._aws.reply(operation, request)


def code(name: str, status: int = 400) -> Reply:
    """A reply with an error's code."""

    def answer(_request: Mapping[str, Any]) -> Any:
        content: Any = {"Error": {"Code": name, "Message": "a secret text of AWS"}}
        raise ClientError(content | {"ResponseMetadata": {"HTTPStatusCode": status}}, "Operation")

    return answer


def unreachable(_request: Mapping[str, Any]) -> Any:
    raise EndpointConnectionError(endpoint_url="https://aws.example")


def unparsable(_request: Mapping[str, Any]) -> Any:
    text = "Unable to parse response: <html>"
    raise ResponseParserError(text)


def nonsense(value: Any) -> Any:
    """A reply with the same keys, in which no value has its type."""
    return dict.fromkeys(value, 7) if isinstance(value, dict) else {"EvaluationResults": 7}


class Hanging:
    """A reply that does not come before the end of the test."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self, _request: Mapping[str, Any]) -> Any:
        self.released.wait(20)
        return {}


def hanging() -> Iterator[Hanging]:
    """For a fixture."""
    made = Hanging()
    yield made
    made.released.set()
