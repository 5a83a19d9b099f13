from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from click.testing import Result
from moto import mock_aws
from tests.preflight.simulator import Simulator, error, hook, reply

from ecs_exec_role.cli import preflight as command
from ecs_exec_role.deployed.conditions import Conditions

Run = Callable[..., Result]

ROLE = "arn:aws:iam::123456789012:role/exec"
TEMPLATE = """\
Parameters:
  Stage: {Type: String, Default: dev}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  Unknown: !Equals [!Ref AWS::StackName, x]
Resources:
  Logs: {Type: AWS::Logs::LogGroup}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Name: web
          Image: nginx
          LogConfiguration:
            LogDriver: awslogs
            Options: {awslogs-group: !Ref Logs, awslogs-region: !Ref AWS::Region}
          Secrets:
            - {Name: A, ValueFrom: /shop/greeting}
            - !If [IsProd, {Name: B, ValueFrom: /shop/only-in-prod}, !Ref AWS::NoValue]
            - !If [Unknown, {Name: C, ValueFrom: /shop/perhaps}, !Ref AWS::NoValue]
"""
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}


@pytest.fixture
def session() -> boto3.session.Session:
    return boto3.session.Session(region_name="us-east-1")


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch, session: boto3.session.Session) -> Iterator[Any]:
    """An account in moto with a role in it, which the command sees."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        Simulator(session)
        monkeypatch.setattr(command, "_session", lambda *_: session)
        client = boto3.client("iam")
        client.create_role(RoleName="exec", AssumeRolePolicyDocument=json.dumps(TRUST))
        boto3.client("ssm").put_parameter(Name="/shop/greeting", Value="hello", Type="String")
        yield client


def allow(iam: Any, *statements: tuple[str, str]) -> None:
    listed = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]
    document = {"Version": "2012-10-17", "Statement": listed}
    iam.put_role_policy(RoleName="exec", PolicyName="p", PolicyDocument=json.dumps(document))


PARAMETERS = ("ssm:GetParameters", "arn:aws:ssm:us-east-1:123456789012:parameter/shop/*")


def test_what_is_permitted_and_there_is_fine(run: Run, iam: Any) -> None:
    allow(iam, PARAMETERS)
    result = run("preflight", "t.yaml", "--role", ROLE, template=TEMPLATE)
    assert result.exit_code == 0, result.output
    assert "ok     container web: Secrets[0] A: ssm:GetParameters  line 19\n" in result.stdout
    assert "The 1 need of role exec is permitted and in place" in result.stdout
    assert "only-in-prod" not in result.output
    assert "t.yaml:17" in result.stderr
    assert "${Logs.Arn} is only known of a deployed stack" in result.stderr
    assert "hangs on the condition Unknown" in result.stderr


def test_what_is_not_permitted_or_not_there_fails(run: Run, iam: Any) -> None:
    allow(iam, PARAMETERS)
    result = run("preflight", "t.yaml", "--role", ROLE, "--parameter", "Stage=prod", template=TEMPLATE)
    assert result.exit_code == 1
    assert "ABSENT container web: Secrets[1].Fn" not in result.stdout
    assert "ABSENT container web: Secrets[1] B: ssm:GetParameters  line 20" in result.stdout
    allow(iam, ("ssm:GetParameters", "arn:aws:ssm:us-east-1:123456789012:parameter/other"))
    result = run("preflight", "t.yaml", "--role", ROLE, "--format", "json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert record["failed"] is True
    assert record["needs"][0]["permission"]["status"] == "denied"
    assert [item["line"] for item in record["not_asked"]] == [17, 21]


def test_a_deployed_stack_tells_names_and_parameters(run: Run, iam: Any, session: boto3.session.Session) -> None:
    stack = {"Parameters": [{"ParameterKey": "Stage", "ParameterValue": "prod"}]}
    resources = [{"LogicalResourceId": "Logs", "PhysicalResourceId": "made-up"}]

    def described(params: dict[str, Any], **_: Any) -> Any:
        known = params["body"]["StackName"] == "web"
        return reply(200, {"Stacks": [stack]}) if known else error("ValidationError", "no such stack")

    hook(session, "cloudformation.DescribeStacks", described)
    hook(session, "cloudformation.ListStackResources", lambda **_: reply(200, {"StackResourceSummaries": resources}))
    boto3.client("logs").create_log_group(logGroupName="made-up")
    allow(iam, PARAMETERS, ("logs:*", "arn:aws:logs:us-east-1:123456789012:log-group:made-up:*"))
    result = run("preflight", "t.yaml", "--role", ROLE, "--stack", "web", template=TEMPLATE)
    assert result.exit_code == 1
    assert "ok     container web: LogConfiguration.Options.awslogs-group: logs:CreateLogStream" in result.stdout
    assert "ABSENT container web: Secrets[1] B" in result.stdout
    result = run("preflight", "t.yaml", "--role", ROLE, "--stack", "nowhere")
    assert result.exit_code == 3
    assert "cannot read the stack nowhere" in result.stderr


def test_one_role_of_several_must_be_named(run: Run, iam: Any) -> None:
    allow(iam, PARAMETERS)
    text = (
        TEMPLATE + "  Other: {Type: AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: [{Image: nginx}]}}\n"
    )
    result = run("preflight", "t.yaml", "--role", ROLE, template=text)
    assert result.exit_code == 2
    assert "give --definition with one of Web, Other" in result.stderr
    assert run("preflight", "t.yaml", "--role", ROLE, "--definition", "Web").exit_code == 0
    assert run("preflight", "t.yaml", "--role", ROLE, "--definition", "No").exit_code == 2
    with_specs = text.replace("Properties: {Con", "Properties: {ExecutionRoleSpec: Auto, Con").replace(
        "    Properties:\n", "    Properties:\n      ExecutionRoleSpec: Auto\n"
    )
    assert run("preflight", "t.yaml", "--role", ROLE, template=with_specs).exit_code == 2
    assert run("preflight", "t.yaml", "--role", ROLE, "--definition", "Web").exit_code == 0


def test_usage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("preflight", "t.yaml", "--role", "exec", template=TEMPLATE).exit_code == 2
    monkeypatch.setenv("AWS_CONFIG_FILE", "nowhere")
    result = run("preflight", "t.yaml", "--role", ROLE, "--profile", "nobody", "--region", "us-east-1")
    assert result.exit_code == 3
    assert "your AWS credentials cannot be used" in result.stderr


@pytest.mark.parametrize(
    "expression, holds",
    [
        ({"Fn::Equals": ["a", "a"]}, True),
        ({"Fn::Equals": ["a", "b"]}, False),
        ({"Fn::Equals": ["a", "\U00100000"]}, None),
        ({"Fn::Not": [{"Condition": "Unknown"}]}, None),
        ({"Fn::And": [{"Condition": "Unknown"}, {"Fn::Equals": ["a", "b"]}]}, False),
        ({"Fn::And": [{"Condition": "Unknown"}, {"Fn::Equals": ["a", "a"]}]}, None),
        ({"Fn::Or": [{"Condition": "Unknown"}, {"Fn::Equals": ["a", "a"]}]}, True),
        ({"Fn::Or": [{"Condition": "Unknown"}, {"Fn::Equals": ["a", "b"]}]}, None),
        ({"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}, True),
        ({"Condition": "Ring"}, None),
        ({"Fn::Not": []}, None),
        ("text", None),
    ],
)
def test_conditions(expression: Any, holds: bool | None) -> None:
    declared = {"C": expression, "Unknown": {"Fn::Equals": ["\U00100000", "x"]}, "Ring": {"Condition": "Ring"}}
    assert Conditions(declared, str).holds((("C", True),)) is holds
