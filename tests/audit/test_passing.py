"""What starts the tasks of a template, and whether it may pass their roles to ECS."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.command_line import Run

from ecs_exec_role.offline import yaml_reader

TASKS = """\
Resources:
  Cluster: {Type: AWS::ECS::Cluster}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      ExecutionRoleArn: !GetAtt Role.Arn
      TaskRoleArn: !GetAtt TaskRole.Arn
      ContainerDefinitions: [{Name: web, Image: nginx}]
  Role: &task
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          Effect: Allow
          Principal: {Service: ecs-tasks.amazonaws.com}
          Action: sts:AssumeRole
          Condition:
            StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}
            ArnLike: {aws:SourceArn: !Sub "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:*"}
  TaskRole: *task
  Service: {Type: AWS::ECS::Service, Properties: {TaskDefinition: !Ref Web}}
  Runner:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: run
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: ecs:RunTask, Resource: !Ref Web}
              - GRANT
"""

STARTERS = {
    "rule": """\
    Type: AWS::Events::Rule
    Properties:
      Targets: [{Id: a, Arn: x, RoleArn: !GetAtt Runner.Arn, EcsParameters: {TaskDefinitionArn: !Ref Web}}]
""",
    "schedule": """\
    Type: AWS::Scheduler::Schedule
    Properties:
      Target: {Arn: x, RoleArn: !GetAtt Runner.Arn, EcsParameters: {TaskDefinitionArn: !Ref Web}}
""",
    "pipe": """\
    Type: AWS::Pipes::Pipe
    Properties:
      RoleArn: !GetAtt Runner.Arn
      TargetParameters: {EcsTaskParameters: {TaskDefinitionArn: !Ref Web}}
""",
    "state machine": """\
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt Runner.Arn
      DefinitionString: !Sub >-
        {"States": {"Run": {"Resource": "arn:aws:states:::ecs:runTask.sync",
        "Parameters": {"TaskDefinition": "${Web}"}}}}
""",
    "pipeline": """\
    Type: AWS::CodePipeline::Pipeline
    Properties:
      RoleArn: !GetAtt Runner.Arn
      Stages:
        - Actions:
            - ActionTypeId: {Category: Deploy, Owner: AWS, Provider: ECS, Version: "1"}
              Configuration: {ServiceName: !GetAtt Service.Name}
""",
    "deployment group": """\
    Type: AWS::CodeDeploy::DeploymentGroup
    Properties:
      ServiceRoleArn: !GetAtt Runner.Arn
      ECSServices: [{ClusterName: !Ref Cluster, ServiceName: !GetAtt Service.Name}]
""",
    "API method": """\
    Type: AWS::ApiGateway::Method
    Properties:
      Integration:
        Type: AWS
        Uri: !Sub "arn:aws:apigateway:${AWS::Region}:ecs:action/RunTask"
        Credentials: !GetAtt Runner.Arn
        RequestTemplates: {application/json: !Sub '{"taskDefinition": "${Web}"}'}
""",
}
UNIVERSAL = """\
    Type: AWS::Scheduler::Schedule
    Properties:
      Target:
        Arn: arn:aws:scheduler:::aws-sdk:ecs:runTask
        RoleArn: !GetAtt Runner.Arn
        Input: !Sub '{"Cluster": "${Cluster}", "TaskDefinition": "${Web}"}'
"""
BLUE_GREEN = """\
    Type: AWS::CodePipeline::Pipeline
    Properties:
      RoleArn: !GetAtt Runner.Arn
      Stages:
        - Actions:
            - ActionTypeId: {Category: Deploy, Owner: AWS, Provider: CodeDeployToECS, Version: "1"}
              Configuration: {ApplicationName: shop, DeploymentGroupName: GROUP}
  Group:
    Type: AWS::CodeDeploy::DeploymentGroup
    Properties:
      DeploymentGroupName: blue-green
      ServiceRoleArn: arn:aws:iam::123456789012:role/deploy
      ECSServices: [{ClusterName: !Ref Cluster, ServiceName: !GetAtt Service.Name}]
"""
CONDITION = "Condition: {StringEquals: {iam:PassedToService: ecs-tasks.amazonaws.com}}"
LISTED = "[!GetAtt Role.Arn, !GetAtt TaskRole.Arn]"
RIGHT = f"{{Effect: Allow, Action: iam:PassRole, Resource: {LISTED}, {CONDITION}}}"
NOTHING = "{Effect: Allow, Action: ecs:DescribeTasks, Resource: '*'}"
ARNS = [{"Fn::GetAtt": ["Role", "Arn"]}, {"Fn::GetAtt": ["TaskRole", "Arn"]}]
STATEMENT = {
    "Effect": "Allow",
    "Action": "iam:PassRole",
    "Resource": ARNS,
    "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
}


def template(starter: str, grant: str) -> str:
    return TASKS.replace("GRANT", grant) + f"  Starter:\n{STARTERS.get(starter, starter)}"


def audited(run: Run, text: str) -> tuple[str, list[dict[str, Any]]]:
    """Whether the starter may pass the roles, and what else is found about that."""
    result = run("audit", "t.yaml", "--format", "json", template=text)
    [audit] = [each for each in json.loads(result.stdout) if each["definitions"]]
    answers = {starter["answer"] for starter in audit["starters"] if starter["starter"] == "Starter"}
    [answer] = answers or {""}
    return answer, [found for found in audit["findings"] if found["code"].startswith("pass-role")]


@pytest.mark.parametrize("starter", STARTERS)
def test_a_right_grant_is_reported(run: Run, starter: str) -> None:
    assert audited(run, template(starter, RIGHT)) == ("yes", [])
    shown = run("audit", "t.yaml", template=template(starter, RIGHT)).stdout
    assert f"the {starter} Starter may pass the roles of Web to ECS" in shown


@pytest.mark.parametrize(
    "starter", [UNIVERSAL, BLUE_GREEN.replace("GROUP", "!Ref Group"), BLUE_GREEN.replace("GROUP", "blue-green")]
)
def test_other_forms_of_a_starter_are_read(run: Run, starter: str) -> None:
    answer, found = audited(run, template(starter, RIGHT))
    assert (answer, [each for each in found if "Starter" in each["what"]]) == ("yes", [])
    answer, found = audited(run, template(starter, NOTHING))
    assert answer == "no"
    assert [each["statements"] for each in found if each["code"] == "pass-role-lacking"] == [[STATEMENT]]


def test_the_managed_policies_of_codedeploy_are_read(run: Run) -> None:
    def with_policy(name: str) -> str:
        policy = f"      ManagedPolicyArns: [arn:aws:iam::aws:policy/{name}]\n"
        return template("deployment group", NOTHING).replace("      Policies:\n", f"{policy}      Policies:\n")

    answer, [found] = audited(run, with_policy("AWSCodeDeployRoleForECS"))
    assert (answer, found["code"]) == ("yes", "pass-role-too-wide")
    # It allows passing roles whose name begins with ECSTaskExecution, which depends on the stack's name here.
    answer, [found] = audited(run, with_policy("AWSCodeDeployRoleForECSLimited"))
    assert (answer, found["code"]) == ("cannot tell", "pass-role-uncertain")
    named = with_policy("AWSCodeDeployRoleForECSLimited").replace(
        "AssumeRole", "RoleName: ecsTaskExecutionRole\n      AssumeRole", 1
    )
    assert "execution role" not in audited(run, named)[1][0]["what"]


@pytest.mark.parametrize("starter", STARTERS)
def test_a_lacking_grant_is_reported_with_the_statement_that_mends_it(run: Run, starter: str) -> None:
    answer, [found] = audited(run, template(starter, NOTHING))
    assert (answer, found["code"], found["kind"]) == ("no", "pass-role-lacking", "lacking")
    assert found["what"].startswith(f"the {starter} Starter starts Web with Runner; iam:PassRole on the execution role")
    [advised] = found["statements"]
    assert advised == STATEMENT
    assert audited(run, template(starter, json.dumps(advised))) == ("yes", [])


@pytest.mark.parametrize(
    "grant, said",
    [
        ("{Effect: Allow, Action: iam:PassRole, Resource: '*'}", "iam:PassRole on * to any service"),
        (f"{{Effect: Allow, Action: iam:PassRole, Resource: '*', {CONDITION}}}", "iam:PassRole on *"),
        ("{Effect: Allow, Action: 'iam:*', Resource: '*'}", "iam:* on * to any service"),
        ("{Effect: Allow, Action: '*', Resource: '*'}", "* on * to any service"),
        ("{Effect: Allow, NotAction: 'ec2:*', Resource: '*'}", "iam:PassRole by NotAction"),
        (
            "{Effect: Allow, Action: iam:PassRole, Resource: [!GetAtt Role.Arn, !GetAtt TaskRole.Arn]}",
            "iam:PassRole on ${Role.Arn}, ${TaskRole.Arn} to any service",
        ),
        (
            RIGHT.replace(LISTED, "!Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*'"),
            "iam:PassRole on arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*",
        ),
        (
            RIGHT.replace("ecs-tasks.amazonaws.com", "[ecs-tasks.amazonaws.com, lambda.amazonaws.com]"),
            "to ecs-tasks.amazonaws.com and lambda.amazonaws.com",
        ),
        (RIGHT.replace("StringEquals", "StringEqualsIfExists"), "to any service"),
        (RIGHT.replace("StringEquals", "StringLike").replace("ecs-tasks.amazonaws.com", "'*.amazonaws.com'"), "to *."),
    ],
)
def test_too_wide_a_grant_is_reported(run: Run, grant: str, said: str) -> None:
    answer, [found] = audited(run, template("rule", grant))
    assert (answer, found["code"], found["kind"]) == ("yes", "pass-role-too-wide", "too-wide")
    assert said in found["what"]
    assert found["statements"] == [STATEMENT]


def test_a_managed_policy_is_replaced(run: Run) -> None:
    policy = "      ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceEventsRole]\n"
    text = template("rule", NOTHING).replace("      Policies:\n", f"{policy}      Policies:\n")
    answer, [found] = audited(run, text)
    assert (answer, found["code"]) == ("yes", "pass-role-too-wide")
    assert found["fix"].startswith("replace the managed policy with an inline policy, and allow only iam:PassRole on")


@pytest.mark.parametrize(
    "grant, said",
    [
        (RIGHT.replace("ecs-tasks.amazonaws.com", "lambda.amazonaws.com"), "is not granted"),
        (RIGHT.replace(", !GetAtt TaskRole.Arn", ""), "the task role ${TaskRole.Arn} is not granted"),
        (RIGHT.replace("!GetAtt Role.Arn", "!GetAtt Runner.Arn"), "the execution role ${Role.Arn} is not granted"),
    ],
)
def test_a_grant_for_something_else_lacks(run: Run, grant: str, said: str) -> None:
    answer, [found] = audited(run, template("rule", grant))
    assert (answer, found["code"]) == ("no", "pass-role-lacking")
    assert said in found["what"]


@pytest.mark.parametrize(
    "starter, grant, said",
    [
        (STARTERS["rule"].replace("!GetAtt Runner.Arn", "!ImportValue runner"), RIGHT, "`!ImportValue runner`"),
        ("rule", RIGHT.replace("StringEquals", "StringNotEquals"), "is decided when the task is started"),
        (
            (
                "    Type: AWS::Serverless::StateMachine\n    Properties:\n      DefinitionUri: a.json\n"
                "      Role: !GetAtt Runner.Arn\n      DefinitionSubstitutions: {Task: !Ref Web}\n"
            ),
            NOTHING,
            "it is not certain whether it starts the task",
        ),
        (
            (
                "    Type: AWS::Serverless::Function\n    Properties:\n"
                "      Environment: {Variables: {TASK: !Ref Web}}\n"
                "      Policies: [{EcsRunTaskPolicy: {TaskDefinition: !Ref Web}}]\n"
            ),
            RIGHT,
            "it is not certain whether it starts the task",
        ),
        (
            (
                "    Type: AWS::CodeBuild::Project\n    Properties:\n      ServiceRole: !Ref Runner\n"
                "      Environment: {EnvironmentVariables: [{Name: TASK, Value: !Ref Web}]}\n"
            ),
            "{Effect: Allow, Action: ecs:RegisterTaskDefinition, Resource: '*'}",
            "the build project Starter names Web, and runs with Runner",
        ),
        (
            (
                "    Type: AWS::ECS::TaskDefinition\n    Properties:\n      TaskRoleArn: !GetAtt Runner.Arn\n"
                "      ContainerDefinitions: [{Name: a, Image: nginx, Environment: [{Name: T, Value: !Ref Web}]}]\n"
            ),
            NOTHING,
            "the task definition Starter names Web, and runs with Runner",
        ),
    ],
)
def test_what_is_not_certain_is_reported(run: Run, starter: str, grant: str, said: str) -> None:
    answer, [found] = audited(run, template(starter, grant))
    assert (answer, found["code"], found["kind"]) == ("cannot tell", "pass-role-uncertain", "unknown")
    assert said in found["what"]


def test_policies_of_aws_sam_are_read(run: Run) -> None:
    starter = f"""\
    Type: AWS::Serverless::StateMachine
    Properties:
      Definition:
        States:
          Run: {{Resource: "arn:aws:states:::ecs:runTask.sync", Parameters: {{TaskDefinition: !Ref Web}}}}
      Policies:
        - EcsRunTaskPolicy: {{TaskDefinition: !Ref Web}}
        - AWSXrayWriteOnlyAccess
        - Statement: [{RIGHT}]
"""
    assert audited(run, template(starter, NOTHING)) == ("yes", [])
    answer, [found] = audited(run, template(starter.replace(f"        - Statement: [{RIGHT}]\n", ""), RIGHT))
    assert (answer, found["code"]) == ("no", "pass-role-lacking")


def test_a_lambda_function_that_cannot_run_tasks_starts_none(run: Run) -> None:
    starter = """\
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {TASK: !Ref Web}}
      Policies: [AWSXrayWriteOnlyAccess]
"""
    assert audited(run, template(starter, RIGHT)) == ("", [])


def test_the_role_that_the_macro_writes_must_be_passed_too(run: Run) -> None:
    text = template("rule", NOTHING).replace("ExecutionRoleArn: !GetAtt Role.Arn", "ExecutionRoleSpec: Auto")
    _, [found] = audited(run, text)
    assert found["code"] == "pass-role-lacking"
    made = {"Fn::GetAtt": ["WebExecutionRole", "Arn"]}
    assert found["statements"][0]["Resource"] == [made, ARNS[1]]
    right = RIGHT.replace("!GetAtt Role.Arn", "!GetAtt WebExecutionRole.Arn")
    assert audited(run, text.replace(NOTHING, right)) == ("yes", [])


def test_explain_has_the_statement(run: Run) -> None:
    text = template("rule", NOTHING)
    [report] = json.loads(run("explain", "t.yaml", "--format", "json", template=text).stdout)
    [role] = report["roles"]
    statement = {**STATEMENT, "Resource": [{"Fn::GetAtt": ["WebExecutionRole", "Arn"]}, ARNS[1]]}
    assert role["starting"]["statement"] == statement
    assert role["starting"]["starters"] == [f"rule Starter, line {text.splitlines().index('  Starter:') + 1}"]
    for form in ("terminal", "markdown"):
        shown = run("explain", "t.yaml", "--format", form, template=text).stdout
        assert "The role of what starts the task must allow" in shown
        lines = shown.split("The role of what starts the task must allow")[1].splitlines()
        first = next(number for number, line in enumerate(lines) if line.lstrip().startswith("- Effect: Allow"))
        assert yaml_reader.read("\n".join(lines[first : first + 8]))[0] == [statement]
    nobody = text.replace("AWS::Events::Rule", "AWS::Events::Other")
    assert "The role of what starts" not in run("explain", "t.yaml", template=nobody).stdout


def test_a_role_that_a_starter_passes_keeps_its_logical_id(run: Run) -> None:
    result = run("audit", "t.yaml", "--format", "json", template=template("rule", RIGHT))
    [audit] = [each for each in json.loads(result.stdout) if each["definitions"]]
    assert audit["replacement"] == {"Resources/Role/Properties/ExecutionRoleSpec": {"TaskDefinitions": ["Web"]}}
