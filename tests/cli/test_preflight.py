from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from tests.preflight.simulator import Simulator, client, error, hook, reply
from tests.support.command_line import Run

from ecs_exec_role.cli import credentials
from ecs_exec_role.cli import preflight as command
from ecs_exec_role.deployed.conditions import Conditions

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
def simulator(session: boto3.session.Session) -> Simulator:
    return Simulator(session)


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch, session: boto3.session.Session, simulator: Simulator) -> Iterator[Any]:
    """An account in moto with a role in it, which the command sees."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        monkeypatch.setattr(command, "_session", lambda *_: session)
        client("iam").create_role(RoleName="exec", AssumeRolePolicyDocument=json.dumps(TRUST))
        client("ssm").put_parameter(Name="/shop/greeting", Value="hello", Type="String")
        yield client("iam")


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
    assert "${Logs.Arn} is known only once the stack is deployed" in result.stderr
    assert "depends on the condition Unknown" in result.stderr


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
    result = run("preflight", "t.yaml", "--role", ROLE, "--definition", "Othr")
    assert result.exit_code == 2
    assert "--definition Othr: there is no such definition; did you mean Other?" in result.stderr
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


STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/web/5f1c6d10"
WITH_SPEC = """\
Transform: EcsExecRole
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: {Secrets: [%s]}
      ContainerDefinitions:
        - Name: web
          Image: nginx
          Secrets:
            - {Name: A, ValueFrom: /shop/greeting}
            %s
"""
OLD = WITH_SPEC % ("", "- {Name: B, ValueFrom: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/old-a1B2c3'}")
NEW = WITH_SPEC % ("", "")
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/old-a1B2c3"
KEPT = WITH_SPEC % (SECRET, "")


def deploy(session: boto3.session.Session, template: Any, *, role: str | None = "exec", **resources: str) -> None:
    """What CloudFormation returns about the stack `web`."""
    physical = {**resources, **({"WebExecutionRole": role} if role else {})}
    listed = [{"LogicalResourceId": key, "PhysicalResourceId": name} for key, name in physical.items()]
    hook(session, "cloudformation.DescribeStacks", lambda **_: reply(200, {"Stacks": [{"StackId": STACK_ID}]}))
    hook(session, "cloudformation.ListStackResources", lambda **_: reply(200, {"StackResourceSummaries": listed}))
    answer = template if isinstance(template, tuple) else reply(200, {"TemplateBody": template})
    hook(session, "cloudformation.GetTemplate", lambda **_: answer)


def test_the_stack_tells_the_role(run: Run, iam: Any, session: boto3.session.Session) -> None:
    allow(iam, PARAMETERS)
    deploy(session, NEW)
    result = run("preflight", "t.yaml", "--stack", "web", template=NEW)
    assert result.exit_code == 0, result.output
    assert "The 1 need of role exec is permitted and in place" in result.stdout
    assert not result.stderr


def test_the_stack_tells_a_role_of_the_templates_own(run: Run, iam: Any, session: boto3.session.Session) -> None:
    allow(iam, PARAMETERS)
    template = NEW.replace("ExecutionRoleSpec: {Secrets: []}", "ExecutionRoleArn: !GetAtt Role.Arn").partition("\n")[2]
    deploy(session, template, role=None, Role="exec")
    result = run("preflight", "t.yaml", "--stack", "web", template=template)
    assert result.exit_code == 0, result.output
    other = template.replace("!GetAtt Role.Arn", "!ImportValue role")
    result = run("preflight", "t.yaml", "--stack", "web", template=other)
    assert result.exit_code == 2
    assert "the ExecutionRoleArn of Web is not !GetAtt of a role of the template; give --role" in result.stderr


def test_a_stack_without_the_role_says_so(run: Run, iam: Any, session: boto3.session.Session) -> None:
    deploy(session, NEW, role=None)
    result = run("preflight", "t.yaml", "--stack", "web", template=NEW)
    assert result.exit_code == 3
    assert "the stack web has no resource WebExecutionRole, which is the execution role" in result.stderr
    assert "deploy the template first, or name a role with --role" in result.stderr


def test_a_role_whose_arn_is_not_told(run: Run, iam: Any, session: boto3.session.Session) -> None:
    deploy(session, NEW)
    hook(session, "iam.GetRole", lambda **_: error("AccessDenied"))
    result = run("preflight", "t.yaml", "--stack", "web", template=NEW)
    assert result.exit_code == 3
    assert "allow iam:GetRole to yourself, or name the role with --role" in result.stderr


def test_a_stack_without_the_resource_is_not_told_to_give_a_stack(
    run: Run, iam: Any, session: boto3.session.Session
) -> None:
    allow(iam, PARAMETERS)
    deploy(session, NEW, Other="x")
    result = run("preflight", "t.yaml", "--role", ROLE, "--stack", "web", template=TEMPLATE)
    assert "${Logs.Arn} is not known: the stack has no such resource; deploy the stack first" in result.stderr
    assert "give --stack" not in result.stderr


def test_neither_a_role_nor_a_stack(run: Run) -> None:
    result = run("preflight", "t.yaml", template=NEW)
    assert result.exit_code == 2
    assert "give --stack with the name of the deployed stack, or --role" in result.stderr


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "ExpiredToken", "AccessDenied", "ThrottlingException"])
def test_a_check_that_aws_answers_nothing_ends_with_three(
    run: Run, iam: Any, session: boto3.session.Session, simulator: Simulator, code: str
) -> None:
    for operation in ("iam.GetRole", "ssm.DescribeParameters"):
        hook(session, operation, lambda **_: error(code))
    simulator.fails = lambda _request: error(code)
    result = run("preflight", "t.yaml", "--role", ROLE, template=NEW)
    assert result.exit_code == 3, result.output
    assert "Nothing could be checked: " in result.stderr


def test_a_template_of_which_nothing_can_be_asked_ends_with_three(run: Run, iam: Any) -> None:
    template = TEMPLATE.partition("          Secrets:")[0]
    result = run("preflight", "t.yaml", "--role", ROLE, template=template)
    assert result.exit_code == 3, result.output
    assert "nothing could be checked, since no value that the tasks need is known; give --stack" in result.stderr


@pytest.mark.parametrize(
    "command_", [("preflight", "t.yaml", "--stack", "web"), ("explain", "t.yaml", "--stack", "web")]
)
def test_an_update_that_narrows_a_role_that_runs_is_a_warning(
    run: Run, iam: Any, session: boto3.session.Session, monkeypatch: pytest.MonkeyPatch, command_: tuple[str, ...]
) -> None:
    monkeypatch.setattr(credentials, "session", lambda *_: session)
    allow(iam, PARAMETERS)
    deploy(session, OLD)
    result = run(*command_, template=NEW)
    assert result.exit_code == 0, result.output
    assert (
        "stack web: warning: Resources/Web/Properties/ContainerDefinitions/0/Secrets/1/ValueFrom: tasks of the "
        f"deployed revision need secretsmanager:GetSecretValue on {SECRET}" in result.stderr
    )
    assert f"list it in ExecutionRoleSpec (Secrets: [{SECRET}]) for this deployment" in result.stderr


@pytest.mark.parametrize("deployed", [OLD, json.dumps({"Resources": {"A": {"Type": "AWS::SNS::Topic"}}}), NEW])
def test_the_remedy_for_a_narrowing_update_works(
    run: Run, iam: Any, session: boto3.session.Session, deployed: str
) -> None:
    """The old need, listed in the spec for one deployment, stays in the role."""
    allow(iam, PARAMETERS, ("secretsmanager:GetSecretValue", SECRET))
    deploy(session, deployed)
    result = run("preflight", "t.yaml", "--stack", "web", template=KEPT)
    assert "tasks of the deployed revision" not in result.stderr
    assert SECRET in run("expand", "t.yaml").stdout


OF_EACH_KIND = {
    "secret by a partial ARN, and its JSON key": (
        "Secrets: [{Name: A, ValueFrom: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/db:password::'}]"
    ),
    "parameter": "Secrets: [{Name: A, ValueFrom: /shop/old}]",
    "image": "Image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web:1",
    "environment file": "EnvironmentFiles: [{Type: s3, Value: 'arn:aws:s3:::config/web.env'}]",
    "object with a wildcard in its name": "EnvironmentFiles: [{Type: s3, Value: 'arn:aws:s3:::config/a, b*.env'}]",
    "credential spec": "CredentialSpecs: ['credentialspec:arn:aws:s3:::gmsa/web.json']",
    "login": (
        "RepositoryCredentials: "
        "{CredentialsParameter: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:hub-a1B2c3'}"
    ),
    "log group": (
        "LogConfiguration: {LogDriver: awslogs, Options: {awslogs-group: /ecs/old, awslogs-region: us-east-1, "
        "awslogs-create-group: 'true'}}"
    ),
    "secret of a customer managed key": "Secrets: [{Name: A, ValueFrom: !Ref Secret}]",
}


@pytest.mark.parametrize("kind", OF_EACH_KIND)
def test_the_remedy_for_each_kind_of_need_keeps_it_in_the_role(
    run: Run, iam: Any, session: boto3.session.Session, kind: str
) -> None:
    """Each line that a warning proposes is written into the spec; then the update removes nothing that is needed."""
    written = OF_EACH_KIND[kind]
    image = "" if written.startswith("Image:") else "Image: nginx"
    plain = yaml.safe_dump(
        {
            "Transform": "EcsExecRole",
            "Resources": {
                "Web": {
                    "Type": "AWS::ECS::TaskDefinition",
                    "Properties": {
                        "ExecutionRoleSpec": {},
                        "ContainerDefinitions": [{"Name": "web", "Image": "nginx"}],
                    },
                },
                "Key": {"Type": "AWS::KMS::Key"},
                "Secret": {
                    "Type": "AWS::SecretsManager::Secret",
                    "Properties": {"KmsKeyId": {"Fn::GetAtt": ["Key", "Arn"]}},
                },
            },
        },
        sort_keys=False,
    )
    container = f"      - Name: web\n        {written}\n" + (f"        {image}\n" if image else "")
    old = plain.replace("      - Name: web\n        Image: nginx\n", container)
    assert old != plain
    allow(iam, PARAMETERS)
    deploy(
        session,
        old,
        Key="1234abcd-12ab-34cd-56ef-1234567890ab",
        Secret="arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-a1B2c3",
    )

    def lost(template: str) -> list[str]:
        result = run("preflight", "t.yaml", "--stack", "web", "--format", "json", template=template)
        assert result.exit_code in (0, 1, 3), result.output
        return [each["fix"] for each in json.loads(result.stdout)["narrowed"]]

    fixes = lost(plain)
    assert fixes
    spec: dict[str, list[Any]] = {}
    for fix in fixes:
        told = re.fullmatch(
            r"list it in ExecutionRoleSpec \((.+)\) for this deployment, and remove it in the next", fix
        )
        assert told, fix
        for key, entries in yaml.safe_load(told[1]).items():
            spec.setdefault(key, [])
            spec[key] += [entry for entry in entries if entry not in spec[key]]

    assert lost(plain.replace("ExecutionRoleSpec: {}", f"ExecutionRoleSpec: {json.dumps(spec)}")) == []


def test_a_narrowing_is_in_the_json(run: Run, iam: Any, session: boto3.session.Session) -> None:
    allow(iam, PARAMETERS)
    deploy(session, OLD)
    record = json.loads(run("preflight", "t.yaml", "--stack", "web", "--format", "json", template=NEW).stdout)
    assert [lost["resources"] for lost in record["narrowed"]] == [[SECRET]]


@pytest.mark.parametrize(
    "template", [error("AccessDenied"), "- not a template", OLD.replace("Secrets: []", "Sekrets: 1")]
)
def test_a_deployed_template_that_cannot_be_read_is_reported(
    run: Run, iam: Any, session: boto3.session.Session, template: Any
) -> None:
    allow(iam, PARAMETERS)
    deploy(session, template)
    result = run("preflight", "t.yaml", "--stack", "web", template=NEW)
    assert result.exit_code == 0, result.output
    assert "it is not known whether the update removes something from the role" in result.stderr


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
