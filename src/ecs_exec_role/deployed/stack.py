"""A deployed stack: the names of its resources, the values of its parameters, its roles and its template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, NamedTuple

from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.errors import InvalidTemplate, NoAnswer
from ecs_exec_role.offline.template_file import TemplateFile

if TYPE_CHECKING:
    import boto3


class Deployed(NamedTuple):
    """The physical ID of each resource, the value of each parameter that CloudFormation tells, and the account."""

    physical: dict[str, str]
    values: dict[str, str]
    name: str = ""
    account: str = ""


def read(session: boto3.session.Session, name: str) -> Deployed:
    """Reads a stack.

    Raises:
        NoAnswer: there is no such stack, or AWS does not answer.
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
    account = str(stack.get("StackId", "")).split(":")[4:5]
    return Deployed(physical, values, name, account[0] if account else "")


def role_arn(session: boto3.session.Session, stack: Deployed, logical_id: str) -> str:
    """The ARN of a role of the stack.

    Raises:
        NoAnswer: the stack has no such resource, or IAM does not return its ARN.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

    name = stack.physical.get(logical_id)
    if name is None:
        raise NoAnswer(
            f"the stack {stack.name} has no resource {logical_id}, which is the execution role in the template; deploy "
            "the template first, or name a role with --role"
        )
    try:
        return str(session.client("iam").get_role(RoleName=name)["Role"]["Arn"])
    except (BotoCoreError, ClientError) as error:
        raise NoAnswer(
            f"the ARN of the role {name} is not known: {error}; allow iam:GetRole to yourself, or name the role with "
            "--role"
        ) from None


def processed_of(session: boto3.session.Session, stack: Deployed) -> TemplateFile:
    """The template that CloudFormation deployed, after its transforms; places are those of the original.

    Raises:
        NoAnswer: AWS does not return it, or it cannot be read.
    """
    original = template_of(session, stack)
    return original._replace(data=template_of(session, stack, stage="Processed").data)


def template_of(
    session: boto3.session.Session, stack: Deployed, stage: Literal["Original", "Processed"] = "Original"
) -> TemplateFile:
    """The template that the stack was deployed with: before its transforms, or, `Processed`, after them.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html

    Raises:
        NoAnswer: AWS does not return it, or it cannot be read.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

    try:
        client = session.client("cloudformation")
        body = client.get_template(StackName=stack.name, TemplateStage=stage)["TemplateBody"]
    except (BotoCoreError, ClientError) as error:
        raise NoAnswer(f"cannot read the template of the stack {stack.name}: {error}") from None
    try:
        # boto3 reads a template in JSON itself.
        return template_file.parse(f"stack {stack.name}", body if isinstance(body, str) else json.dumps(body))
    except InvalidTemplate as error:
        raise NoAnswer(f"cannot read the template of the stack {stack.name}: {error}") from None
