"""Faults of AWS: the calls that preflight makes, and the faults that each can have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.parsers import ResponseParserError
from tests.preflight.simulator import error, hook, reply
from tests.preflight.world import World


class Call(NamedTuple):
    """One operation: botocore's event for it, and the permission that a message names.

    `told` is false where its loss changes no verdict: only the name of a statement or the better remedy is lost.
    """

    event: str
    permission: str
    told: bool = True


CALLS = (
    Call("iam.GetRole", "iam:GetRole"),
    Call("iam.GetPolicy", "iam:GetPolicy", told=False),
    Call("iam.GetPolicyVersion", "iam:GetPolicyVersion", told=False),
    Call("iam.SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy"),
    Call("ecr.DescribeImages", "ecr:DescribeImages"),
    Call("ecr.DescribeRepositories", "ecr:DescribeRepositories"),
    Call("ecr.DescribePullThroughCacheRules", "ecr:DescribePullThroughCacheRules"),
    Call("secrets-manager.DescribeSecret", "secretsmanager:DescribeSecret"),
    Call("ssm.DescribeParameters", "ssm:DescribeParameters"),
    Call("s3.ListObjectsV2", "s3:ListBucket"),
    Call("s3.HeadBucket", "s3:ListBucket"),
    Call("cloudwatch-logs.DescribeLogGroups", "logs:DescribeLogGroups"),
    Call("kms.DescribeKey", "kms:DescribeKey"),
)
# Nothing that any of the operations returns has such values.
NONSENSE = dict.fromkeys(
    (
        "Role", "Policy", "PolicyVersion", "EvaluationResults", "imageDetails", "repositories", "pullThroughCacheRules",
        "ARN", "Parameters", "Contents", "logGroups", "KeyMetadata", "Stacks", "StackResourceDetail",
    ),
    7,
)  # fmt: skip


def raises(exception: Exception) -> Callable[..., Any]:
    def hooked(**_: Any) -> Any:
        raise exception

    return hooked


FAULTS: dict[str, tuple[Callable[..., Any], str]] = {
    "denied": (lambda **_: error("AccessDenied", status=403), "the check itself is not allowed {}"),
    "throttled": (lambda **_: error("ThrottlingException"), "AWS throttled each attempt of {}"),
    "broken": (lambda **_: error("InternalFailure", status=500), "the API for {} failed, InternalFailure"),
    "no-code": (lambda **_: error(""), "the reply to {} could not be read, HTTP 400 without an error code"),
    "key-unknown": (lambda **_: error("InvalidAccessKeyId"), "there are no valid AWS credentials for {}"),
    "no-credentials": (raises(NoCredentialsError()), "there are no valid AWS credentials for {}"),
    "unreachable": (
        raises(EndpointConnectionError(endpoint_url="https://aws.example")),
        "the API for {} could not be reached, EndpointConnectionError",
    ),
    "garbled": (raises(ResponseParserError("<html>")), "the reply to {} could not be read, ResponseParserError"),
    "nonsense": (lambda **_: reply(200, NONSENSE), "the reply to {} could not be read, "),
    "huge": (lambda **_: error("X" * 100_000, "Y" * 1_000_000), "{} answered " + "X" * 100),
}


def break_call(world: World, call: Call, answer: Callable[..., Any]) -> None:
    """From now on each call of the session under test gets this answer."""
    if call.event == "iam.SimulatePrincipalPolicy":
        # The simulator uses the same hook, so it is asked first.
        world.simulator.fails = lambda _request: answer()
    else:
        hook(world.session, call.event, answer)
