"""A deployed stack: what its resources are called, and with which parameters it was deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ecs_exec_role.offline.errors import NoAnswer

if TYPE_CHECKING:
    import boto3


class Deployed(NamedTuple):
    """The physical ID of each resource, and the value of each parameter that CloudFormation tells."""

    physical: dict[str, str]
    values: dict[str, str]


def read(session: boto3.session.Session, name: str) -> Deployed:
    """Reads a stack.

    Raises:
        NoAnswer: there is no such stack, or AWS does not say.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - it comes with boto3, which is an extra

    try:
        client = session.client("cloudformation")
        [stack] = client.describe_stacks(StackName=name)["Stacks"]
        physical = {}
        for page in client.get_paginator("list_stack_resources").paginate(StackName=name):
            for resource in page["StackResourceSummaries"]:
                if "PhysicalResourceId" in resource:
                    physical[resource["LogicalResourceId"]] = resource["PhysicalResourceId"]
    except (BotoCoreError, ClientError) as error:
        raise NoAnswer(f"cannot read the stack {name}: {error}") from None
    values = {}
    for parameter in stack.get("Parameters", []):
        value = parameter.get("ResolvedValue", parameter.get("ParameterValue"))
        # CloudFormation shows asterisks for what it keeps to itself.
        if value is not None and value != "****":
            values[parameter["ParameterKey"]] = value
    return Deployed(physical, values)
