"""A function that has the role of a task makes the calls of ECS, on an engine that enforces policies at every call.

No engine really lets ECS assume a role, so a Lambda function takes the place of the agent. An engine that checks
who may pass a role to which service does not allow that: in the sandbox account these tests skip.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.e2e.cloud import Cloud, Failed
from tests.e2e.conftest import Engine, Installed

SERVICE = Path(__file__).with_name("service.yaml").read_text(encoding="utf-8")
ROLE = "TaskExecutionRole"
AGENT = """
import boto3
from botocore.exceptions import ClientError

def handler(calls, context):
    return [said(*call) for call in calls]

def said(service, operation, arguments):
    try:
        getattr(boto3.client(service), operation)(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "allowed"
"""
DENIED = {"AccessDenied", "AccessDeniedException"}

Call = tuple[str, str, dict[str, Any]]
Ask = Callable[[str, list[Call]], list[bool]]


class Found(NamedTuple):
    """What is in the account beside the stack: a parameter, a log group and a repository of another owner."""

    parameter: str
    group: str
    repository: str


@pytest.fixture(scope="module")
def ask(cloud: Cloud, engine: Engine) -> Iterator[Ask]:
    """Makes calls with a role; returns for each whether IAM allowed it. Skips if the engine enforces nothing."""
    if not cloud.emulated:
        pytest.skip("Lambda may not assume a role that trusts ECS alone")
    functions, made = cloud.client("lambda"), list[str]()

    def call(role: str, calls: list[Call]) -> list[bool]:
        name = f"{cloud.prefix}-agent-{len(made)}"
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="agent.handler",
            Role=role,
            Code={"ZipFile": _zipped("agent.py", AGENT)},
            Timeout=60,
        )
        made.append(name)
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(calls))
        codes = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, codes
        return [code not in DENIED for code in codes]

    try:
        nobody = cloud.role_of(cloud.stack_name("engine"), "Bounded")["Arn"]
        try:
            enforced = call(nobody, [("iam", "list_roles", {})]) == [False]
        except functions.exceptions.InvalidParameterValueException as error:
            pytest.skip(f"this engine gives the role to no function: {error}")
        if not enforced:
            pytest.skip("this engine enforces no policies")
        yield call
    finally:
        for name in made:
            functions.delete_function(FunctionName=name)


@pytest.fixture(scope="module")
def found(cloud: Cloud) -> Iterator[Found]:
    name = cloud.stack_name("other")
    cloud.client("ssm").put_parameter(Name=name, Value="1", Type="String")
    cloud.client("logs").create_log_group(logGroupName=name)
    cloud.client("ecr").create_repository(repositoryName=name)
    yield Found(name, name, name)
    cloud.client("ssm").delete_parameter(Name=name)
    cloud.client("logs").delete_log_group(logGroupName=name)
    cloud.client("ecr").delete_repository(repositoryName=name)


@pytest.fixture
def stack(cloud: Cloud, macro: Installed, ask: Ask) -> Iterator[str]:
    name = cloud.stack_name("enforced")
    cloud.deploy(name, SERVICE)
    yield name
    cloud.delete(name)


def secret(cloud: Cloud, stack: str, logical_id: str) -> Call:
    arn = cloud.resources(stack)[logical_id].physical_id
    return ("secretsmanager", "get_secret_value", {"SecretId": arn})


def test_the_role_lets_through_what_ecs_calls_and_nothing_else(
    cloud: Cloud, stack: str, ask: Ask, found: Found
) -> None:
    resources = cloud.resources(stack)
    group, parameter = resources["Logs"].physical_id, resources["Greeting"].physical_id
    image = {"imageIds": [{"imageTag": "1"}]}
    stream = {"logStreamName": "web/web/0123"}
    allowed: list[Call] = [
        secret(cloud, stack, "First"),
        ("ssm", "get_parameters", {"Names": [parameter]}),
        ("ecr", "get_authorization_token", {}),
        ("ecr", "batch_get_image", {"repositoryName": "shop/web", **image}),
        ("logs", "create_log_stream", {"logGroupName": group, **stream}),
        ("logs", "put_log_events", {"logGroupName": group, **stream, "logEvents": [{"timestamp": 1, "message": "1"}]}),
    ]
    denied: list[Call] = [
        secret(cloud, stack, "Other"),
        ("secretsmanager", "put_secret_value", {**secret(cloud, stack, "First")[2], "SecretString": "1"}),
        ("ssm", "get_parameters", {"Names": [found.parameter]}),
        ("ssm", "get_parameter", {"Name": parameter}),
        ("ecr", "batch_get_image", {"repositoryName": found.repository, **image}),
        ("ecr", "describe_images", {"repositoryName": "shop/web"}),
        ("logs", "create_log_stream", {"logGroupName": found.group, **stream}),
        ("logs", "create_log_group", {"logGroupName": f"{found.group}-new"}),
        ("iam", "list_roles", {}),
    ]

    said = ask(cloud.role_of(stack, ROLE)["Arn"], [*allowed, *denied])

    wrong = [call for call, let in zip([*allowed, *denied], said, strict=True) if let != (call in allowed)]
    assert wrong == []


def test_an_update_is_enforced_and_so_is_its_rollback(cloud: Cloud, stack: str, ask: Ask) -> None:
    role = cloud.role_of(stack, ROLE)["Arn"]
    calls = [secret(cloud, stack, name) for name in ("First", "Other")]
    assert ask(role, calls) == [True, False]

    cloud.deploy(stack, SERVICE, {"Secret": "second"})
    assert ask(role, calls) == [False, True]

    # A resource after the role fails.
    broken = SERVICE + (
        "  Broken:\n    Type: AWS::SSM::Parameter\n    DependsOn: Task\n"
        "    Properties: { Type: String, Value: '1', Name: aws-is-reserved/../ }\n"
    )
    with pytest.raises(Failed):
        cloud.deploy(stack, broken, {"Secret": "first"})
    assert cloud.status(stack) == "UPDATE_ROLLBACK_COMPLETE", cloud.story(stack)
    assert ask(role, calls) == [False, True]


def _zipped(name: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, text)
    return content.getvalue()
