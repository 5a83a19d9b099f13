"""The macro's request as CloudFormation sends it, and the context that Lambda passes with it."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.support.cloudformation import ACCOUNT, REGION, Document, Stack


class LambdaContext(NamedTuple):
    """The part of Lambda's context that the logger reads."""

    function_name: str = "EcsExecRole"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:EcsExecRole"
    aws_request_id: str = "5f0f4f4e-7f2b-4a53-9d0a-0d5a4f8f6f3b"


def event(fragment: Any, **others: Any) -> Document:
    """A macro's request for a whole template, or with `params` for a snippet."""
    return {
        "accountId": ACCOUNT,
        "region": REGION,
        "requestId": "request-1",
        "transformId": f"{ACCOUNT}::EcsExecRole",
        "params": {},
        "templateParameterValues": {},
        "fragment": fragment,
        **others,
    }


def event_of(stack: Stack, fragment: Any = None) -> Document:
    """The macro's request for a stack, with the values of its parameters."""
    values = {name: stack.parameter(name) for name in stack.fragment.get("Parameters", {})}
    where = {"accountId": stack.account, "region": stack.region, "transformId": f"{stack.account}::EcsExecRole"}
    return event(stack.fragment if fragment is None else fragment, templateParameterValues=values, **where)
