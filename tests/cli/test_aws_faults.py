"""Each call that a command makes to AWS, in each fault: the command says what is not known, why and what to do.

No fault of AWS, of the network or of a proxy is reported as a bug of the command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count, repeat
from typing import Any, NamedTuple

import boto3
import pytest
from moto import mock_aws
from tests.preflight.conftest import fast_session
from tests.preflight.faults import FAULTS, raises
from tests.preflight.simulator import Simulator, client, hook, reply
from tests.support.command_line import Run

from ecs_exec_role.cli import credentials
from ecs_exec_role.cli import preflight as preflight_command

ROLE = "arn:aws:iam::123456789012:role/exec"
MANAGED = "arn:aws:iam::123456789012:policy/more"
TEMPLATE = """\
Transform: EcsExecRole
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: Auto
      ContainerDefinitions:
        - Name: web
          Image: nginx
          Secrets:
            - {Name: A, ValueFrom: /shop/greeting}
"""
PROCESSED = """\
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt WebExecutionRole.Arn
      ContainerDefinitions:
        - {Name: web, Image: nginx, Secrets: [{Name: A, ValueFrom: /shop/greeting}]}
  WebExecutionRole:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Statement: []}}
"""
POLICY = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Action": "ssm:GetParameters",
        "Resource": "arn:aws:ssm:us-east-1:123456789012:parameter/shop/greeting",
    },
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
TASK = {
    "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/cluster/0f1e",
    "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:3",
    "stoppedReason": (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: "
        "arn:aws:sts::123456789012:assumed-role/exec/0f1e is not authorized to perform: ssm:GetParameters on resource: "
        "arn:aws:ssm:us-east-1:123456789012:parameter/shop/greeting because no identity-based policy allows the "
        "ssm:GetParameters action status code: 400, request id: 0f1e"
    ),
}
STACK = {
    "StackName": "web",
    "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/web/0f1e",
    "StackStatus": "UPDATE_COMPLETE",
    "Parameters": [{"ParameterKey": "Stage", "ParameterValue": "live"}],
}
RESOURCES = {
    "Web": TASK["taskDefinitionArn"],
    "WebExecutionRole": "exec",
    "Service": "arn:aws:ecs:us-east-1:123456789012:service/cluster/shop",
}
SOUND: dict[str, Callable[..., Any]] = {
    "cloudformation.DescribeStacks": lambda **_: reply(200, {"Stacks": [STACK]}),
    "cloudformation.ListStackResources": lambda **_: reply(
        200,
        {
            "StackResourceSummaries": [
                {"LogicalResourceId": name, "PhysicalResourceId": physical} for name, physical in RESOURCES.items()
            ]
        },
    ),
    "cloudformation.GetTemplate": lambda params, **_: reply(
        200, {"TemplateBody": PROCESSED if params["body"]["TemplateStage"] == "Processed" else TEMPLATE}
    ),
    "ecs.DescribeServices": lambda **_: reply(200, {"services": [{"events": []}]}),
    "ecs.ListTasks": lambda **_: reply(200, {"taskArns": [TASK["taskArn"]]}),
    "ecs.DescribeTasks": lambda **_: reply(200, {"tasks": [TASK]}),
    "ecs.DescribeTaskDefinition": lambda **_: reply(200, {"taskDefinition": {"executionRoleArn": ROLE}}),
    "iam.GetRole": lambda **_: reply(
        200, {"Role": {"RoleName": "exec", "Arn": ROLE, "AssumeRolePolicyDocument": json.dumps(TRUST)}}
    ),
    "iam.ListRolePolicies": lambda **_: reply(200, {"PolicyNames": ["own"]}),
    "iam.GetRolePolicy": lambda **_: reply(200, {"PolicyDocument": json.dumps(POLICY)}),
    "iam.ListAttachedRolePolicies": lambda **_: reply(
        200, {"AttachedPolicies": [{"PolicyName": "more", "PolicyArn": MANAGED}]}
    ),
    "iam.GetPolicy": lambda **_: reply(200, {"Policy": {"DefaultVersionId": "v1"}}),
    "iam.GetPolicyVersion": lambda **_: reply(200, {"PolicyVersion": {"Document": json.dumps(POLICY)}}),
}
READS_STACK = ("cloudformation.DescribeStacks", "cloudformation.ListStackResources")
COMMANDS = {
    "preflight": (("preflight", "t.yaml", "--stack", "web"), (*READS_STACK, "iam.GetRole")),
    "explain": (("explain", "t.yaml", "--stack", "web"), READS_STACK),
    "diff": (("diff", "t.yaml", "--stack", "web"), (*READS_STACK, "cloudformation.GetTemplate")),
    "diagnose": (
        ("diagnose", "--stack", "web"),
        (
            *READS_STACK,
            "cloudformation.GetTemplate",
            "ecs.DescribeServices",
            "ecs.ListTasks",
            "ecs.DescribeTasks",
            "ecs.DescribeTaskDefinition",
        ),
    ),
    "audit": (
        ("audit", "t.yaml", "--role", ROLE),
        (
            "iam.GetRole",
            "iam.ListRolePolicies",
            "iam.GetRolePolicy",
            "iam.ListAttachedRolePolicies",
            "iam.GetPolicy",
            "iam.GetPolicyVersion",
        ),
    ),
}
"""Each command, and the calls whose answers it needs to continue."""

NONSENSE = dict.fromkeys(
    (
        "Stacks", "StackResourceSummaries", "TemplateBody", "Role", "PolicyNames", "PolicyDocument", "AttachedPolicies",
        "Policy", "PolicyVersion", "services", "taskArns", "tasks", "taskDefinition",
    ),
    7,
)  # fmt: skip
AWS_FAULTS: dict[str, Callable[..., Any]] = {name: answer for name, (answer, _) in FAULTS.items()} | {
    "nonsense": lambda **_: reply(200, NONSENSE),
    "proxy-page": raises(KeyError("DescribeStacksResult")),
    "proxy-error": lambda **_: reply(403, {"Error": {"Code": "Unknown", "Message": "Unknown"}}),
    "other": raises(RuntimeError("an error of no kind that boto3 documents")),
}
REMEDIES = (
    "to yourself",
    "try again later",
    "log in again",
    "check the network of this machine",
    "check the proxy and the endpoint",
    "check the name, and the account and region",
)


class Account(NamedTuple):
    """What AWS answers to each call, unless a test changes it."""

    answers: dict[str, Callable[..., Any]]


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Account, boto3.session.Session]]:
    """One account and one session with its clients for all cases, since no case changes them."""
    made = Account({})
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        session = fast_session()
        client("iam").create_role(RoleName="exec", AssumeRolePolicyDocument=json.dumps(TRUST))
        client("iam").put_role_policy(RoleName="exec", PolicyName="own", PolicyDocument=json.dumps(POLICY))
        client("ssm").put_parameter(Name="/shop/greeting", Value="hello", Type="String")
        Simulator(session)
        for event in SOUND:
            hook(session, event, lambda event=event, **given: made.answers[event](**given))
        make: Any = cache(session.client)
        session.client = lambda service, *, region_name, **_: make(service, region_name=region_name)  # type: ignore[method-assign, assignment]
        yield made, session


@pytest.fixture
def account(made: tuple[Account, boto3.session.Session], monkeypatch: pytest.MonkeyPatch) -> Account:
    account, session = made
    account.answers.clear()
    account.answers.update(SOUND)
    monkeypatch.setattr(credentials, "session", lambda *_: session)
    monkeypatch.setattr(preflight_command, "_session", lambda *_: session)
    monkeypatch.setattr(boto3.session, "Session", lambda **_: session)
    return account


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_fault_each_command_answers(run: Run, account: Account, command: str) -> None:
    result = run(*COMMANDS[command][0], "--region", "us-east-1", template=TEMPLATE)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("fault", AWS_FAULTS)
@pytest.mark.parametrize(
    "command, event", [(command, event) for command, (_, events) in COMMANDS.items() for event in events]
)
def test_a_call_in_a_fault(run: Run, account: Account, command: str, event: str, fault: str) -> None:
    account.answers[event] = AWS_FAULTS[fault]

    result = run(*COMMANDS[command][0], "--region", "us-east-1", template=TEMPLATE)

    said = " ".join(result.stderr.split())
    assert result.exit_code == 3, result.output
    assert "this is a bug" not in said
    assert len(said) < 3_000
    if (event, fault) == ("cloudformation.GetTemplate", "nonsense"):
        assert "cannot read the template of the stack web" in said
    else:
        assert event.replace("cloudwatch-logs", "logs").replace(".", ":") in said
        assert any(remedy in said for remedy in REMEDIES), said


@pytest.mark.parametrize("fault", AWS_FAULTS)
@pytest.mark.parametrize("command", ["preflight", "explain"])
def test_a_deployed_template_that_aws_does_not_return_is_a_warning(
    run: Run, account: Account, command: str, fault: str
) -> None:
    account.answers["cloudformation.GetTemplate"] = AWS_FAULTS[fault]

    result = run(*COMMANDS[command][0], "--region", "us-east-1", template=TEMPLATE)

    assert result.exit_code == 0, result.output
    assert "warning: it is not known whether the update removes something from the role" in result.stderr


@pytest.mark.parametrize(
    "tokens, said",
    [
        (repeat("same"), "the reply to cloudformation:ListStackResources could not be read, no usable NextToken"),
        (map(str, count()), "ends at 1000 calls, before it called cloudformation:ListStackResources"),
    ],
    ids=["the same token", "new tokens"],
)
def test_pages_that_never_end_are_given_up(run: Run, account: Account, tokens: Iterator[str], said: str) -> None:
    summaries = [{"LogicalResourceId": name, "PhysicalResourceId": physical} for name, physical in RESOURCES.items()]
    account.answers["cloudformation.ListStackResources"] = lambda **_: reply(
        200, {"StackResourceSummaries": summaries, "NextToken": next(tokens)}
    )

    result = run("preflight", "t.yaml", "--stack", "web", "--region", "us-east-1", template=TEMPLATE)

    assert result.exit_code == 3, result.output
    assert said in result.stderr
