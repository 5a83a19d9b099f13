"""A deployed stack: the names of its resources, the values of its parameters, its roles and its template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.errors import InvalidTemplate, NoAnswer
from ecs_exec_role.offline.template_file import TemplateFile

if TYPE_CHECKING:
    import boto3


class Deployed(NamedTuple):
    """The physical ID of each resource, the value of each parameter that CloudFormation returns, and the account."""

    physical: dict[str, str]
    values: dict[str, str]
    name: str = ""
    account: str = ""


def read(session: boto3.session.Session, name: str) -> Deployed:
    """Reads a stack.

    Raises:
        NoAnswer: there is no such stack, or AWS does not answer.
    """
    from ecs_exec_role.preflight.aws import Aws, CallError  # noqa: PLC0415 - it needs boto3, which is an extra

    aws, region = Aws(session), session.region_name or ""
    try:
        [stack, *_] = aws.call("cloudformation", region, "DescribeStacks", StackName=name).some("Stacks")
        values = {}
        for parameter in stack.replies("Parameters"):
            key = "ResolvedValue" if "ResolvedValue" in parameter else "ParameterValue"
            # CloudFormation returns asterisks for a value that it hides.
            if key in parameter and parameter.text(key) != "****":
                values[parameter.text("ParameterKey")] = parameter.text(key)
        physical = {}
        for page in aws.pages("cloudformation", region, "ListStackResources", next_page="NextToken", StackName=name):
            for resource in page.replies("StackResourceSummaries"):
                if "PhysicalResourceId" in resource:
                    physical[resource.text("LogicalResourceId")] = resource.text("PhysicalResourceId")
        account = stack.text("StackId", "").split(":")[4:5]
    except CallError as error:
        raise NoAnswer(f"cannot read the stack {name}: {error.told}") from None
    return Deployed(physical, values, name, account[0] if account else "")


def role_arn(session: boto3.session.Session, stack: Deployed, logical_id: str) -> str:
    """The ARN of a role of the stack.

    Raises:
        NoAnswer: the stack has no such resource, or IAM does not return its ARN.
    """
    name = stack.physical.get(logical_id)
    if name is None:
        raise NoAnswer(
            f"the stack {stack.name} has no resource {logical_id}, which is the execution role in the template; deploy "
            "the template first, or name a role with --role"
        )
    from ecs_exec_role.preflight.aws import Aws, CallError  # noqa: PLC0415 - see above

    aws, region = Aws(session), session.region_name or ""
    try:
        return aws.call("iam", region, "GetRole", RoleName=name).reply("Role").text("Arn")
    except CallError as error:
        raise NoAnswer(f"the ARN of the role {name} is not known: {error.told}, or name the role with --role") from None


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
    from ecs_exec_role.preflight.aws import Aws, CallError  # noqa: PLC0415 - see above

    aws, region = Aws(session), session.region_name or ""
    try:
        reply = aws.call("cloudformation", region, "GetTemplate", StackName=stack.name, TemplateStage=stage)
        body = reply.raw("TemplateBody")
    except CallError as error:
        raise NoAnswer(f"cannot read the template of the stack {stack.name}: {error.told}") from None
    try:
        # boto3 parses a template in JSON itself. It is written as lines again, so that messages can name lines.
        text = body if isinstance(body, str) else json.dumps(body, indent=2)
        return template_file.parse(f"stack {stack.name}", text)
    except InvalidTemplate as error:
        raise NoAnswer(f"cannot read the template of the stack {stack.name}: {error}") from None
