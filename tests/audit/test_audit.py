from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import pytest
from moto import mock_aws
from moto.iam.aws_managed_policies import aws_managed_policies_data
from rich.console import Console
from tests.support.command_line import Run

from ecs_exec_role import __version__
from ecs_exec_role.audit.codes import RULES
from ecs_exec_role.audit.granted import managed_policies
from ecs_exec_role.cli import terminal

TRUST = """\
AssumeRolePolicyDocument:
  Version: "2012-10-17"
  Statement:
    - Effect: Allow
      Principal: {Service: ecs-tasks.amazonaws.com}
      Action: sts:AssumeRole
      Condition: {StringEquals: {"aws:SourceAccount": !Ref AWS::AccountId}}
"""


def template(statements: str, *, container: str = "", more: str = "", role: str = "") -> str:
    """A template of one task definition and its hand-written role."""
    container = container or "Secrets: [{Name: A, ValueFrom: !Ref Secret}]"
    resources = f"""\
Conditions:
  IsProd: !Equals [!Ref AWS::Region, eu-central-1]
Parameters:
  Image: {{Type: String}}
Resources:
  Repo: {{Type: AWS::ECR::Repository}}
  Logs: {{Type: AWS::Logs::LogGroup}}
  Secret: {{Type: AWS::SecretsManager::Secret}}
  Other: {{Type: AWS::SecretsManager::Secret}}
  Key: {{Type: AWS::KMS::Key, Properties: {{KeyPolicy: {{}}}}}}
  Locked: {{Type: AWS::SecretsManager::Secret, Properties: {{Name: locked, KmsKeyId: !GetAtt Key.Arn}}}}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      RequiresCompatibilities: [FARGATE]
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - Name: web
          Image: public.ecr.aws/x/y:1
{textwrap.indent(textwrap.dedent(container), " " * 10)}
  Role:
    Type: AWS::IAM::Role
    Properties:
{textwrap.indent(TRUST, " " * 6)}
{textwrap.indent(textwrap.dedent(role), " " * 6)}
"""
    if statements:
        resources += f"""\
      Policies:
        - PolicyName: own
          PolicyDocument:
            Statement:
{textwrap.indent(textwrap.dedent(statements), " " * 14)}
"""
    return resources + textwrap.indent(textwrap.dedent(more), " " * 2)


def findings(run: Run, text: str, *arguments: str) -> list[tuple[str, str]]:
    result = run("audit", "t.yaml", "--format", "json", *arguments, template=text)
    assert result.exit_code == 0, result.output
    return [(found["kind"], found["what"]) for audit in json.loads(result.stdout) for found in audit["findings"]]


READ = "- {Effect: Allow, Action: secretsmanager:GetSecretValue, Resource: %s}"
ARN = "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
PARAMETER = "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/"
NAMED = f"Secrets: [{{Name: A, ValueFrom: !Sub '{ARN}db'}}]"
DENY = "- {Effect: Deny, Action: '*', Resource: '*', Condition: %s}"
DECRYPT = "- {Effect: Allow, Action: kms:Decrypt, Resource: %s}"
VIA_S3 = "'*', Condition: {StringEquals: {kms:ViaService: s3.eu-west-1.amazonaws.com}}"
LOCKED = "Secrets: [{Name: A, ValueFrom: !Ref Locked}]"
SOMETIMES = "Secrets: !If [IsProd, [{Name: A, ValueFrom: !Ref Secret}], []]"
LOGGED = "LogConfiguration: {LogDriver: awslogs, Options: {awslogs-group: !Ref Logs, awslogs-region: !Ref AWS::Region}}"
WRITE = "- {Effect: Allow, Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Resource: %s}"
LOGS = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Logs}"


@pytest.mark.parametrize(
    "statements, container",
    [
        (READ % "!Ref Secret", ""),
        (READ % "[!Ref Secret]", ""),
        (READ % f"!Sub '{ARN}db-??????'", NAMED),
        (WRITE % "!GetAtt Logs.Arn", LOGGED),
        (WRITE % f"!Sub '{LOGS}:*'", LOGGED),
        (WRITE % f"!Sub '{LOGS}:log-stream:*'", LOGGED),
        (WRITE % f"!Join ['', [!Sub '{LOGS}', ':*']]", LOGGED),
        ("- {Effect: Allow, Action: SecretsManager:getsecretvalue, Resource: !Ref Secret}", ""),
        (
            f"- {{Effect: Allow, Action: ssm:GetParameters, Resource: !Sub '{PARAMETER}a'}}",
            "Secrets: [{Name: A, ValueFrom: /a}]",
        ),
        (
            READ % "!Ref Secret"
            + "\n- {Effect: Deny, Action: 's3:*', Resource: '*'}\n"
            + "- {Effect: Deny, Action: 'secretsmanager:*', Resource: !Ref Other}",
            "",
        ),
        (
            READ % "!If [IsProd, !Ref Secret, !Ref AWS::NoValue]",
            SOMETIMES,
        ),
        (
            READ % "!Ref Locked"
            + "\n- Effect: Allow\n  Action: kms:Decrypt\n  Resource: !GetAtt Key.Arn\n  Condition:\n    StringEquals:\n"
            + "      kms:ViaService: !Sub secretsmanager.${AWS::Region}.amazonaws.com\n"
            + "      'kms:EncryptionContext:SecretARN': !Ref Locked",
            LOCKED,
        ),
        (
            READ % "!Ref Secret"
            + "\n- {Effect: Deny, Action: '*', Resource: '*', Condition: {Bool: {aws:SecureTransport: false}}}",
            "",
        ),
    ],
)
def test_a_role_that_fits_exactly_has_no_finding(run: Run, statements: str, container: str) -> None:
    assert findings(run, template(statements, container=container)) == []


@pytest.mark.parametrize(
    "statements, container, kind, what",
    [
        (
            "",
            "",
            "lacking",
            "secretsmanager:GetSecretValue on ${Secret} is not granted, and container web (Secrets[0] A) needs it",
        ),
        (READ % "!Ref Other", "", "lacking", "GetSecretValue on ${Secret} is not granted"),
        (READ % "!Ref Other", "", "excess", "on ${Other}; it is needed on ${Secret}"),
        (READ % "'*'", "", "too-wide", "allows secretsmanager:GetSecretValue on *; needed on fewer resources"),
        (READ % f"!Sub '{ARN}*'", "", "too-wide", "needed on fewer resources"),
        (READ % f"!Sub '{ARN}db'", NAMED, "lacking", "without the `-??????`"),
        (READ % f"!Sub '{ARN}db-*'", NAMED, "too-wide", "needed on fewer resources"),
        (READ % f"!Sub '{ARN}db-ab12cd'", NAMED, "unknown", "it is not certain whether its resource is this one"),
        (WRITE % f"!Sub '{LOGS}'", LOGGED, "lacking", "names the log group without `:*`"),
        (WRITE % f"!Sub '{LOGS}'", LOGGED, "excess", "the ARN lacks `:*`"),
        (
            "- {Effect: Allow, Action: 'secretsmanager:*', Resource: !Ref Secret}",
            "",
            "too-wide",
            "needed of these: secretsmanager:GetSecretValue",
        ),
        ("- {Effect: Allow, Action: '*', Resource: '*'}", "", "too-wide", "allows * on *"),
        (
            "- {Effect: Allow, NotAction: 'iam:*', Resource: '*'}",
            "",
            "too-wide",
            "allows everything but what its NotAction names",
        ),
        ("- {Effect: Allow, NotAction: 'secretsmanager:*', Resource: '*'}", "", "lacking", "is not granted"),
        (
            READ % "!Ref Secret" + "\n- {Effect: Deny, NotAction: 's3:*', Resource: '*'}",
            "",
            "lacking",
            "is denied by inline policy own",
        ),
        (READ % "!Ref Secret" + "\n- {Effect: Deny, Action: '*', NotResource: !Ref Other}", "", "lacking", "is denied"),
        (
            READ % "!Ref Secret" + f"\n{DENY % '{StringNotEquals: {aws:SourceVpc: vpc-1}}'}",
            "",
            "unknown",
            "may be denied by inline policy own (its condition on aws:SourceVpc",
        ),
        (
            (READ % "!Ref Secret").replace("}", ", Condition: {StringEquals: {aws:ResourceTag/a: b}}}"),
            "",
            "unknown",
            "its condition on aws:ResourceTag/a",
        ),
        (READ % "!If [IsProd, !Ref Secret, !Ref AWS::NoValue]", "", "lacking", "is not granted when not IsProd"),
        (READ % "!Ref Secret", SOMETIMES, "too-wide", "even when not IsProd, when nothing needs it"),
        (
            READ % "!Ref Secret" + "\n- {Effect: Allow, Action: 'ssmmessages:*', Resource: '*'}",
            "",
            "excess",
            "allows ssmmessages:* on *; nothing needs it to start",
        ),
        (
            READ % "!Ref Locked" + f"\n{DECRYPT % '!GetAtt Key.Arn'}",
            LOCKED,
            "too-wide",
            "everything that is encrypted with it",
        ),
        (READ % "!Ref Locked", LOCKED, "lacking", "kms:Decrypt on ${Key.Arn} is not granted"),
        (READ % "!Ref Locked" + f"\n{DECRYPT % VIA_S3}", LOCKED, "lacking", "kms:Decrypt on ${Key.Arn} is not granted"),
        (
            READ % f"!Sub '{ARN}db-??????'" + f"\n{DECRYPT % '!GetAtt Key.Arn'}",
            NAMED,
            "unknown",
            "which a parameter, secret or object may need whose key this template does not show",
        ),
        (
            "- {Effect: Allow, Action: secretsmanager:GetSecretValue, Resource: {Fn::Bogus: 1}}",
            "",
            "unknown",
            "may or may not be granted",
        ),
    ],
)
def test_finds(run: Run, statements: str, container: str, kind: str, what: str) -> None:
    found = findings(run, template(statements, container=container))
    assert any(kind == one and what in said for one, said in found), found


def test_an_image_that_is_known_at_deployment_is_not_guessed(run: Run) -> None:
    pull = "- {Effect: Allow, Action: ecr:BatchGetImage, Resource: '*'}\n" + READ % "!Ref Secret"
    text = template(pull).replace("public.ecr.aws/x/y:1", "!Ref Image")
    found = findings(run, text)
    assert {kind for kind, _ in found} == {"unknown"}
    assert any("which the image `!Ref Image` may need" in what for _, what in found)
    found = findings(run, text, "--parameter", "Image=nginx")
    assert [kind for kind, _ in found] == ["excess"]
    found = findings(run, text, "--parameter", "Image=123456789012.dkr.ecr.eu-west-1.amazonaws.com/a:1")
    assert [kind for kind, _ in found] == ["lacking", "lacking", "too-wide"]


def test_literal_account_and_region_need_to_be_given(run: Run) -> None:
    text = template(READ % "'arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-??????'", container=NAMED)
    assert {kind for kind, _ in findings(run, text)} == {"unknown"}
    assert findings(run, text, "--region", "eu-west-1", "--account", "123456789012") == []
    assert [kind for kind, _ in findings(run, text, "--region", "us-east-1", "--account", "123456789012")] == [
        "lacking",
        "excess",
    ]


def test_policies_of_all_kinds_are_read(run: Run) -> None:
    more = """\
    One:
      Type: AWS::IAM::Policy
      Properties:
        PolicyName: one
        Roles: [!Ref Role]
        PolicyDocument: {Statement: {Effect: Allow, Action: "a:One", Resource: "*"}}
    Two:
      Type: AWS::IAM::RolePolicy
      Properties:
        PolicyName: two
        RoleName: exec
        PolicyDocument: {Statement: [{Effect: Allow, Action: "a:Two", Resource: "*"}]}
    Three:
      Type: AWS::IAM::ManagedPolicy
      Properties:
        Roles: [!Ref Role]
        PolicyDocument: {Statement: [{Effect: Allow, Action: "a:Three", Resource: "*"}]}
    Four:
      Type: AWS::IAM::ManagedPolicy
      Condition: IsProd
      Properties:
        PolicyDocument: {Statement: [{Effect: Allow, Action: "a:Four", Resource: "*"}]}
    NotIts:
      Type: AWS::IAM::ManagedPolicy
      Properties:
        PolicyDocument: {Statement: [{Effect: Allow, Action: "a:NotIts", Resource: "*"}]}
    """
    role = """\
    RoleName: exec
    ManagedPolicyArns:
      - !Ref Four
      - !Sub arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
    """
    said = "\n".join(what for _, what in findings(run, template(READ % "!Ref Secret", role=role, more=more)))
    for expected in (
        "policy One allows a:One on *",
        "policy Two allows a:Two on *",
        "policy Three allows a:Three on *",
        "policy Four allows a:Four on *",
        "AWS managed policy AmazonECSTaskExecutionRolePolicy allows ecr:GetAuthorizationToken",
    ):
        assert expected in said
    assert "NotIts" not in said


@pytest.mark.parametrize(
    "arn, what",
    [
        (
            "arn:aws:iam::aws:policy/NobodyKnowsThis",
            "the AWS managed policy NobodyKnowsThis is not known to this version",
        ),
        (
            "arn:aws:iam::123456789012:policy/own",
            "the managed policy `arn:aws:iam::123456789012:policy/own` is not in this",
        ),
        ("!ImportValue shared-policy", "is not in this template"),
    ],
)
def test_a_policy_that_is_unknown_is_reported_and_nothing_is_guessed(run: Run, arn: str, what: str) -> None:
    found = findings(run, template("", role=f"ManagedPolicyArns: [{arn}]"))
    assert {kind for kind, _ in found} == {"unknown"}
    assert what in found[1][1]
    assert "is granted by no policy that can be read here" in found[0][1]


@pytest.mark.parametrize(
    "principal, kind, what",
    [
        ("{Service: ecs-tasks.amazonaws.com}", "too-wide", "does not limit the account and region"),
        ("{Service: lambda.amazonaws.com}", "lacking", "does not allow ecs-tasks.amazonaws.com"),
        ("{Service: [ecs-tasks.amazonaws.com, ec2.amazonaws.com]}", "too-wide", "also allows ec2.amazonaws.com"),
        ("{AWS: '*'}", "too-wide", "also allows *"),
        ("'*'", "too-wide", "also allows *"),
    ],
)
def test_who_may_assume_the_role_is_judged(run: Run, principal: str, kind: str, what: str) -> None:
    text = template(READ % "!Ref Secret").replace("{Service: ecs-tasks.amazonaws.com}", principal)
    text = text.replace('Condition: {StringEquals: {"aws:SourceAccount": !Ref AWS::AccountId}}', "Sid: a")
    assert any(one == kind and what in said for one, said in findings(run, text))


@pytest.mark.parametrize(
    "old, new, why",
    [
        ("ExecutionRoleArn:", "TaskRoleArn: !Ref Role\n      ExecutionRoleArn:", "run with this role too"),
        ("ecs-tasks.amazonaws.com}", "[ecs-tasks.amazonaws.com, lambda.amazonaws.com]}", "others may assume this role"),
        ("Resources:\n", "Outputs: {R: {Value: !GetAtt Role.Arn, Export: {Name: r}}}\nResources:\n", "is exported"),
    ],
)
def test_what_others_may_need_is_not_in_excess(run: Run, old: str, new: str, why: str) -> None:
    text = template(READ % "!Ref Secret" + "\n- {Effect: Allow, Action: 's3:*', Resource: '*'}")
    found = findings(run, text)
    assert found == [("excess", "inline policy own allows s3:* on *; nothing needs it to start")]
    found = findings(run, text.replace(old, new, 1))
    assert ("unknown", True) in [
        (kind, what.startswith("inline policy own allows s3:*") and why in what) for kind, what in found
    ]


def case(name: str) -> str:
    return (CASES / f"{name}.yaml").read_text(encoding="utf-8")


JSON_TRUST = """!Sub '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.${AWS::URLSuffix}"},
  "Action": "sts:AssumeRole", "Condition": {"a": {"b": "c"}}}]}'"""
CASES = Path(__file__).parent / "hand-written"


@pytest.mark.parametrize(
    "name, expected",
    [
        ("stage-in-a-secret", {"resource-too-wide"}),
        ("json-text", {"permission-unused", "resource-too-wide"}),
        ("json-text-trust", set()),
        ("include", {"use-uncertain", "value-unresolved"}),
        ("by-name", {"used-elsewhere"}),
        ("other-branch", {"role-outside"}),
        ("unseen-key", {"use-uncertain"}),
        ("parameter-of-the-template", set()),
        ("conditions-that-exclude-each-other", set()),
        ("grants-that-exclude-each-other", set()),
    ],
)
def test_finds_in_real_shapes_of_roles(run: Run, name: str, expected: set[str]) -> None:
    result = run("audit", "t.yaml", "--format", "json", template=case(name))
    found = [finding for audit in json.loads(result.stdout) for finding in audit["findings"]]
    assert {finding["code"] for finding in found} == expected
    assert all(RULES[finding["code"]].kind == finding["kind"] for finding in found)


def test_advice_is_the_policy_that_the_macro_would_write(run: Run) -> None:
    result = run("audit", "t.yaml", "--format", "json", template=case("stage-in-a-secret"))
    [audit] = json.loads(result.stdout)
    secret = f"{ARN}${{Env}}/stripe"
    parameter = PARAMETER.replace(":aws:", ":${AWS::Partition}:") + "${Env}/flag"
    assert [(found["resource"], found["statements"][0]["Action"]) for found in audit["findings"]] == [
        (f"{ARN}${{Env}}/stripe-*", "secretsmanager:GetSecretValue"),
        (f"{PARAMETER}${{Env}}/*", "ssm:GetParameters"),
    ]
    assert audit["findings"][0]["statements"] == [
        {
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": [{"Fn::Sub": secret}, {"Fn::Sub": f"{secret}-??????"}],
        }
    ]
    assert audit["findings"][1]["fix"] == f"allow only ssm:GetParameters on {parameter}"
    assert {"Fn::Sub": parameter} in [statement["Resource"] for statement in audit["policy"]["Statement"]]


@pytest.mark.parametrize(
    "trust, expected",
    [
        ("!Ref Trust", "trust-unreadable"),
        ("not JSON", "trust-unreadable"),
        (JSON_TRUST, ""),
        ("{Statement: [{Effect: Allow, Principal: {Service: !Ref Trust}, Action: 'sts:*'}]}", "trust-unreadable"),
        ("{Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:TagSession}]}",
         "trust-lacking"),
        ("{Statement: [{Effect: Deny, Principal: '*', Action: 'sts:*'}]}", "trust-lacking"),
    ],
)  # fmt: skip
def test_a_trust_policy_that_cannot_be_read_is_not_one_that_denies(run: Run, trust: str, expected: str) -> None:
    text = template(READ % "!Ref Secret").replace("  Image: {", "  Trust: {Type: String}\n  Image: {")
    start, end = text.index("      AssumeRolePolicyDocument:"), text.index("      Policies:")
    text = f"{text[:start]}      AssumeRolePolicyDocument: {trust}\n{text[end:]}"
    result = run("audit", "t.yaml", "--format", "json", template=text)
    codes = [found["code"] for found in json.loads(result.stdout)[0]["findings"]]
    assert [code for code in codes if code in ("trust-lacking", "trust-unreadable")] == ([expected] if expected else [])


@pytest.mark.parametrize(
    "more",
    [
        "Function: {Type: AWS::Lambda::Function, Properties: {Environment: {Variables: {ROLE: !GetAtt Role.Arn}}}}",
        "Build: {Type: AWS::CodeBuild::Project, Properties: {ServiceRole: !Ref Role}}",
        "'Fn::ForEach::Tasks': [N, [a], {'T${N}': {Properties: {ExecutionRoleArn: !GetAtt Role.Arn}}}]",
    ],
)
def test_every_user_of_a_role_is_seen(run: Run, more: str) -> None:
    result = run(
        "audit", "t.yaml", "--format", "json", template=template(READ % "'*'", more=more)
    )  # fmt: skip
    codes = [found["code"] for audit in json.loads(result.stdout) for found in audit["findings"]]
    assert codes == ["used-elsewhere"]


def test_a_policy_that_may_pass_the_role_or_names_it_as_principal_is_not_a_user(run: Run) -> None:
    more = """\
    Bucket:
      Type: AWS::S3::BucketPolicy
      Properties: {PolicyDocument: {Statement: [{Principal: {AWS: !GetAtt Role.Arn}, Action: s3:GetObject}]}}
    Function:
      Type: AWS::Serverless::Function
      Properties: {Policies: [{Statement: [{Effect: Allow, Action: iam:PassRole, Resource: !GetAtt Role.Arn}]}]}
    """
    assert findings(run, template(READ % "!Ref Secret", more=more)) == []
    assert [kind for kind, _ in findings(run, template(READ % "'*'", more=more))] == ["too-wide"]


def test_several_templates_are_one_json_document(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(template(READ % "'*'"), encoding="utf-8")
    result = run("audit", "t.yaml", "other.yaml", "--format", "json", template=template(READ % "'*'"))
    assert [audit["template"] for audit in json.loads(result.stdout)] == ["t.yaml", "other.yaml"]


def test_a_boundary_is_not_judged(run: Run) -> None:
    found = findings(run, template(READ % "!Ref Secret", role="PermissionsBoundary: arn:aws:iam::1:policy/b"))
    assert found == [("unknown", "the permissions boundary is not judged; it may take away what the policies grant")]


def test_a_role_that_no_task_uses(run: Run) -> None:
    text = template("").replace("ExecutionRoleArn: !GetAtt Role.Arn", "TaskRoleArn: !GetAtt Role.Arn")
    found = findings(run, text)
    assert not any("no task definition of this template uses this role" in what for _, what in found)
    text = template("").replace("ExecutionRoleArn: !GetAtt Role.Arn", "Cpu: '256'")
    result = run("audit", "t.yaml", "--fail-on", "unknown", template=text)
    assert result.exit_code == 1
    assert "t.yaml:21: Role" in result.stdout
    assert "line 21: no task definition of this template uses this role" in result.stdout
    assert "but there is no execution role" in result.stdout


def test_a_role_from_elsewhere(run: Run) -> None:
    text = template("").replace("!GetAtt Role.Arn", "!ImportValue {'Fn::Sub': '${AWS::StackName}-role'}")
    said = [what for kind, what in findings(run, text) if kind == "unknown"]
    assert "the execution role, the import ${AWS::StackName}-role, is not in this template" in said[0]


def test_definitions_that_the_macro_serves_are_left_alone(run: Run) -> None:
    text = template("").replace("ExecutionRoleArn: !GetAtt Role.Arn", "ExecutionRoleSpec: Auto")
    text = text[: text.index("  Role:\n")]
    result = run("audit", "t.yaml", template=text)
    assert (result.exit_code, result.stdout) == (0, "no execution role to audit\n")


def test_on_ec2_an_instance_may_write_logs(run: Run) -> None:
    text = (
        template("", container=LOGGED)
        .replace("[FARGATE]", "[EC2]")
        .replace("ExecutionRoleArn: !GetAtt Role.Arn", "Cpu: 1")
    )
    found = findings(run, text)
    assert found[0][0] == "unknown"
    assert "the EC2 instance's own role has to grant that" in found[0][1]


def test_exit_codes(run: Run) -> None:
    lacking = template("")
    assert run("audit", "t.yaml", template=lacking).exit_code == 0
    assert run("audit", "t.yaml", "--fail-on", "excess").exit_code == 0
    assert run("audit", "t.yaml", "--fail-on", "lacking").exit_code == 1
    wide = template(READ % "'*'")
    assert run("audit", "t.yaml", "--fail-on", "lacking", template=wide).exit_code == 0
    assert run("audit", "t.yaml", "--fail-on", "lacking", "--fail-on", "excess").exit_code == 1
    assert run("audit", "t.yaml", "--definition", "Task").exit_code == 2
    assert run("audit", "t.yaml", "--role", "nonsense").exit_code == 2


def test_says_the_spec_and_the_policy_that_replace_the_role(run: Run) -> None:
    result = run("audit", "t.yaml", "--format", "json", template=template(READ % "'*'"))
    [audit] = json.loads(result.stdout)
    assert audit["replacement"] == {"Resources/Task/Properties/ExecutionRoleSpec": "Auto"}
    assert audit["policy"]["Statement"] == [
        {
            "Sid": "ReadSecrets",
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": {"Ref": "Secret"},
        }
    ]
    text = run("audit", "t.yaml").stdout
    assert "    Resources/Task/Properties:\n      ExecutionRoleSpec: Auto\n" in text
    assert "\x1b" not in text


def test_what_needs_a_permission_is_in_the_order_of_the_lines(run: Run) -> None:
    image = "{Name: b, Image: !Sub '${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/%s'}"
    text = template("- {Effect: Allow, Action: 'ecr:*', Resource: '*'}").replace(
        "        - Name: web\n",
        f"        - {image % 'a'}\n        - {image % 'b'}\n        - {image % 'a'}\n        - Name: web\n",
    )
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    [found] = [found for found in audit["findings"] if found["actions"] == ["ecr:*"]]
    first = text[: text.index("- {Name: b")].count("\n") + 1
    assert found["needed_in_lines"] == [first, first + 1, first + 2]
    assert [path.split("/")[4] for path in found["needed_by"]] == ["0", "1", "2"]
    shown = " ".join(run("audit", "t.yaml").stdout.split())
    assert f"(needed in lines {first}, {first + 1}, {first + 2})" in shown

    sarif = json.loads(run("audit", "t.yaml", "--format", "sarif").stdout)
    [result] = [each for each in sarif["runs"][0]["results"] if "ecr:*" in each["message"]["text"]]
    related = [
        (place["physicalLocation"]["region"]["startLine"], place["logicalLocations"][0]["fullyQualifiedName"])
        for place in result["relatedLocations"]
    ]
    assert related == list(zip(found["needed_in_lines"], found["needed_by"], strict=True))


def test_sarif_names_file_and_line(run: Run) -> None:
    result = run("audit", "t.yaml", "--format", "sarif", template=template(READ % "!Ref Other"))
    log = json.loads(result.stdout)
    lacking = log["runs"][0]["results"][0]
    assert (lacking["ruleId"], lacking["level"]) == ("permission-lacking", "error")
    assert lacking["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "t.yaml"},
        "region": {"startLine": 20, "startColumn": 31},
    }
    driver = log["runs"][0]["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    assert driver["rules"][lacking["ruleIndex"]]["id"] == lacking["ruleId"]
    assert driver["version"] == driver["semanticVersion"] == __version__
    jsonschema.validate(log, SARIF)


# The parts of SARIF's own schema that code scanning requires.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "results": {
                        "items": {
                            "required": ["ruleId", "message", "locations", "level"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"]},
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                            },
                        }
                    }
                },
            }
        },
    },
}


@mock_aws
def test_a_deployed_role(run: Run) -> None:
    iam = boto3.client("iam", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    trust = {
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]
    }
    arn = iam.create_role(RoleName="exec", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    statement = {
        "Effect": "Allow",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
    }
    iam.put_role_policy(
        RoleName="exec", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement})
    )
    managed = iam.create_policy(
        PolicyName="m",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": {**statement, "Action": "s3:*", "Resource": "*"}}
        ),
    )
    iam.attach_role_policy(RoleName="exec", PolicyArn=managed["Policy"]["Arn"])
    text = template("", container=NAMED.replace("db", "db-AbCdEf")).replace("!GetAtt Role.Arn", "!ImportValue exec")
    found = findings(run, text, "--role", arn, "--region", "eu-west-1")
    assert found == [("excess", "managed policy m allows s3:* on *; nothing needs it to start")]
    result = run("audit", "t.yaml", "--role", arn, "--definition", "Tsk", "--definition", "Web")
    assert result.exit_code == 2
    assert "--definition Tsk: there is no such definition; did you mean Task?" in result.stderr
    assert "--definition Web: there is no such definition; write one of Task" in " ".join(result.stderr.split())
    Path("other.yaml").write_text(text.replace("  Task:", "  Web2:"), encoding="utf-8")
    result = run("audit", "*.yaml", "--role", arn, "--definition", "Task", "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert [audit["template"] for audit in json.loads(result.stdout)] == ["t.yaml"]
    result = run("audit", "t.yaml", "--role", arn.replace("exec", "nobody"))
    assert result.exit_code == 3
    assert "cannot read arn:aws:iam::123456789012:role/nobody" in result.stderr


def test_the_managed_policies_are_those_of_aws() -> None:
    theirs = json.loads(aws_managed_policies_data)
    for name, policy in managed_policies().items():
        known = theirs[name.rpartition("/")[2]]
        if known["DefaultVersionId"] == policy["Version"]:
            listed = known["Document"]["Statement"]
            assert policy["Statement"] == (listed if isinstance(listed, list) else [listed])


EXPORTING = f"""\
Conditions: {{IsProd: !Equals [a, b]}}
Resources:
  Secret: {{Type: AWS::SecretsManager::Secret}}
  Shared:
    Type: AWS::IAM::Role
    Properties:
{textwrap.indent(TRUST, " " * 6)}
      Policies:
        - PolicyName: own
          PolicyDocument:
            Statement:
              - {{Effect: Allow, Action: secretsmanager:GetSecretValue, Resource: !Ref Secret}}
              - {{Effect: Allow, Action: s3:GetObject, Resource: !Sub "arn:aws:s3:::x/${{AWS::Region}}"}}
              - !If [IsProd, {{Effect: Allow, Action: "a:B", Resource: "*"}}, !Ref AWS::NoValue]
Outputs:
  Role:
    Value: !GetAtt Shared.Arn
    Export: {{Name: !Sub "${{AWS::StackName}}:Role"}}
"""


def test_a_role_that_another_template_exports(run: Run, tmp_path: Path) -> None:
    (tmp_path / "exporting.yaml").write_text(EXPORTING, encoding="utf-8")
    text = template("").replace("!GetAtt Role.Arn", "!ImportValue base:Role")
    text = text[: text.index("  Role:\n")]
    result = run("audit", "exporting.yaml", "t.yaml", "--format", "json", template=text)
    assert result.exit_code == 0, result.output
    [audit] = json.loads(result.stdout)
    assert audit["role"] == "Shared of exporting.yaml:4"
    found = [(finding["kind"], finding["what"]) for finding in audit["findings"]]
    said = "\n".join(what for _, what in found)
    # The secrets have the same name in both templates, but are two secrets.
    assert ("unknown", True) in [(kind, "GetSecretValue on ${Secret} may or may not" in what) for kind, what in found]
    assert "inline policy own (exporting.yaml:20) allows s3:GetObject on arn:${AWS::Partition}:s3:::x/" in said
    assert "inline policy own (exporting.yaml:21) allows a:B on *" in said
    assert all(finding["line"] == 16 for finding in audit["findings"] if finding["kind"] == "excess")
    alone = json.loads(run("audit", "t.yaml", "--format", "json").stdout)
    assert "is not in this template" in alone[0]["findings"][0]["what"]
    alone = json.loads(run("audit", "exporting.yaml", "--format", "json").stdout)
    assert "no task definition of this template uses this role" in alone[0]["findings"][0]["what"]


@pytest.mark.parametrize(
    "arn",
    [
        "!Ref Role",
        "!GetAtt Role.Arn",
        "!Sub ${Role.Arn}",
        "!Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Role}",
        "!Join [':', ['arn:aws:iam:', !Ref AWS::AccountId, !Sub 'role/path/${Role}']]",
        "arn:aws:iam::123456789012:role/path/exec",
        "!If [IsProd, !GetAtt Role.Arn, !Ref Role]",
    ],
)
def test_a_role_is_found_however_it_is_named(run: Run, arn: str) -> None:
    text = template(READ % "!Ref Secret", role="RoleName: exec").replace("!GetAtt Role.Arn", arn, 1)
    assert findings(run, text) == []


@pytest.mark.parametrize(
    "arn, spec",
    [
        ("Cpu: 1", "ExecutionRoleSpec: {TaskDefinitions: [Task]}"),
        ("Cpu: 1", "ExecutionRoleSpec: {TaskDefinitions: [!Ref Task]}"),
        ("ExecutionRoleArn: !GetAtt Role.Arn", "ExecutionRoleSpec: Auto"),
    ],
)
def test_a_role_with_a_spec_is_the_macros_own(run: Run, arn: str, spec: str) -> None:
    text = template("", role=spec).replace("ExecutionRoleArn: !GetAtt Role.Arn", arn)
    assert run("audit", "t.yaml", template=text).stdout == "no execution role to audit\n"


def test_a_value_with_a_mistake_comes_first(run: Run) -> None:
    found = findings(run, template("", container="Secrets: [{Name: A, ValueFrom: 'arn:aws:sqs:x:1:y'}]"))
    assert found[0][0] == "unknown"
    said = (
        "container web (Secrets[0] A) cannot be read, so it is not known what it needs: `arn:aws:sqs:x:1:y` is not the"
    )
    assert found[0][1].startswith(said)


def test_a_terminal_gets_colours_and_hanging_lines(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "console", lambda: Console(force_terminal=True, width=70, color_system="standard"))
    shown = run("audit", "t.yaml", template=template(READ % "!Ref Other")).stdout
    assert "\x1b[" in shown
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in shown.splitlines()]
    assert lines[1].startswith("  lacking     line 20: secretsmanager:GetSecretValue")
    assert lines[2].startswith("              ")
    assert max(map(len, lines)) <= 70
    assert (
        "it grants exactly what its tasks need"
        in run("audit", "t.yaml", template=template(READ % "!Ref Secret")).stdout
    )


KEPT = [
    (
        "{Effect: Allow, Action: 'kms:*', Resource: '*'}",
        "",
        {"Statements": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}]},
    ),
    ("", "      ManagedPolicyArns: [!ImportValue more]\n", {"ManagedPolicyArns": [{"Fn::ImportValue": "more"}]}),
]


@pytest.mark.parametrize("grant, more, spec", KEPT)
def test_the_spec_keeps_what_may_be_needed(run: Run, grant: str, more: str, spec: dict[str, Any]) -> None:
    text = f"""\
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions: [{{Name: web, Image: nginx, Secrets: [{{Name: A, ValueFrom: /a}}]}}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {{Effect: Allow, Principal: {{Service: ecs-tasks.amazonaws.com}}, Action: sts:AssumeRole}}
{more}      Policies: [{{PolicyName: p, PolicyDocument: {{Statement: [{grant}]}}}}]
"""
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    assert audit["replacement"] == {"Resources/Web/Properties/ExecutionRoleSpec": spec}


def audited_role(run: Run, grant: str, *, principal: str = "{Service: ecs-tasks.amazonaws.com}", more: str = "") -> Any:
    text = f"""\
Parameters: {{Given: {{Type: String, Default: ''}}}}
Resources:
  Db: {{Type: AWS::SecretsManager::Secret}}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions: [{{Name: web, Image: nginx, Secrets: [{{Name: A, ValueFrom: !Ref Db}}]}}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{Statement: {{Effect: Allow, Principal: {principal}, Action: sts:AssumeRole}}}}
      Policies: [{{PolicyName: p, PolicyDocument: {{Statement: [{grant}]}}}}]
{more}"""
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    return {found["code"]: found["what"] for found in audit["findings"] if found["code"] != "trust-without-source"}


def test_a_grant_by_tag_is_not_told_to_be_too_wide(run: Run) -> None:
    tagged = "Condition: {StringEquals: {'secretsmanager:ResourceTag/app': web}}"
    found = audited_role(run, f"{{Effect: Allow, Action: 'secretsmanager:GetSecretValue', Resource: '*', {tagged}}}")
    assert set(found) == {"permission-uncertain", "use-uncertain"}


def test_a_trust_policy_that_allows_everybody_is_not_told_to_deny_ecs(run: Run) -> None:
    grant = "{Effect: Allow, Action: 'secretsmanager:GetSecretValue', Resource: !Ref Db}"
    for principal in ("{AWS: '*'}", "'*'"):
        found = audited_role(run, grant, principal=principal)
        assert set(found) == {"trust-other-principals", "trust-unreadable"}
        assert "allows every principal by `*`" in found["trust-unreadable"]


def test_a_parameter_with_an_empty_default_is_named(run: Run) -> None:
    grant = "{Effect: Allow, Action: 'secretsmanager:GetSecretValue', Resource: [!Ref Db, !Ref Given]}"
    more = "      ManagedPolicyArns: [!Ref Given]\n"
    found = audited_role(run, grant, more=more)
    assert "the managed policy `${Given}` is not in this template" in found["policy-unreadable"]
    assert all("on ;" not in what and "``" not in what for what in found.values())


def test_a_role_in_outputs_may_be_used_by_other_stacks(run: Run) -> None:
    more = "Outputs: {Role: {Value: !GetAtt Role.Arn}}\n"
    found = audited_role(run, "{Effect: Allow, Action: 's3:*', Resource: '*'}", more=more)
    assert "the role is in the template's Outputs" in found["used-elsewhere"]
    assert "permission-unused" not in found


def test_an_image_with_an_empty_default_is_known_at_deployment_only(run: Run) -> None:
    text = """\
Parameters: {Image: {Type: String, Default: ''}}
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions: [{Name: web, Image: !Ref Image}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}
      ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy]
"""
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    found = {finding["code"]: finding for finding in audit["findings"]}
    assert found["value-unresolved"]["fix"] == "give its value, as in --parameter Image=…"
    assert "definition-unreadable" not in found
    assert "ecr:BatchGetImage" in found["use-uncertain"]["actions"]


KEYED = READ % "!Ref Locked"
NAMES_THE_ROLE = (
    "{Statement: [{Effect: Allow, Principal: {AWS: !GetAtt Role.Arn}, Action: '%s', Resource: '*',"
    " Condition: {StringEquals: {'kms:ViaService': !Sub 'secretsmanager.${AWS::Region}.amazonaws.com'}}}]}"
)


def test_key_policy_that_names_the_role_may_grant_what_its_policies_do_not(run: Run) -> None:
    """AWS CDK writes such a statement for each secret that it encrypts, and gives the role no `kms:Decrypt`."""
    container = "Secrets: [{Name: A, ValueFrom: !Ref Locked}]"
    plain = template(KEYED, container=container)
    [(kind, what)] = [found for found in findings(run, plain) if "kms:Decrypt" in found[1]]
    assert (kind, "is not granted" in what) == ("lacking", True)

    named = plain.replace("KeyPolicy: {}", f"KeyPolicy: {NAMES_THE_ROLE % 'kms:Decrypt'}")
    assert named != plain
    [(kind, what)] = [found for found in findings(run, named) if "kms:Decrypt" in found[1]]
    assert kind == "unknown"
    assert "is granted by no policy of the role, but the KeyPolicy of Key names the role" in what

    other = named.replace("AWS: !GetAtt Role.Arn", "AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:root'")
    [(kind, _)] = [found for found in findings(run, other) if "kms:Decrypt" in found[1]]
    assert kind == "lacking"


def test_resource_policy_of_a_secret_that_names_the_role_may_grant_it(run: Run) -> None:
    policy = """
    Policy:
      Type: AWS::SecretsManager::ResourcePolicy
      Properties:
        SecretId: !Ref %s
        ResourcePolicy:
          Statement:
            - {Effect: Allow, Principal: {AWS: !GetAtt Role.Arn}, Action: secretsmanager:GetSecretValue, Resource: "*"}
    """
    [(kind, what)] = [found for found in findings(run, template("", more=policy % "Secret")) if "GetSecret" in found[1]]
    assert (kind, "the ResourcePolicy of Policy names the role" in what) == ("unknown", True)
    [(kind, _)] = [found for found in findings(run, template("", more=policy % "Other")) if "GetSecret" in found[1]]
    assert kind == "lacking"


UNNAMED = """\
Resources:
  Logs: {Type: AWS::Logs::LogGroup}
  Repo: {Type: AWS::ECR::Repository}
  Secret: {Type: AWS::SecretsManager::Secret, Properties: {GenerateSecretString: {}}}
  Value: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: a}}
  Key: {Type: AWS::KMS::Key, Properties: {KeyPolicy: {Statement: []}}}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions: [{Name: web, Image: nginx, CONTAINER}]
  Role:
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
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement:
              Effect: Allow
              Action: ACTION
              Resource: !Sub "arn:${AWS::Partition}:RESOURCE"
"""
LOGS = "LogConfiguration: {LogDriver: awslogs, Options: {awslogs-group: !Ref Logs, awslogs-region: !Ref AWS::Region}}"
LOG_GROUP = "logs:${AWS::Region}:${AWS::AccountId}:log-group:"
SECRET = "secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"


@pytest.mark.parametrize(
    "container, action, resource, kinds",
    [
        (LOGS, "[logs:CreateLogStream, logs:PutLogEvents]", f"{LOG_GROUP}${{AWS::StackName}}-*", {"too-wide"}),
        (LOGS, "[logs:CreateLogStream, logs:PutLogEvents]", f"{LOG_GROUP}shop-*", {"unknown"}),
        (LOGS, "[logs:CreateLogStream, logs:PutLogEvents]", f"{LOG_GROUP}shop-Logs-ABCDEFGHIJKL:*", {"unknown"}),
        (LOGS, "[logs:CreateLogStream, logs:PutLogEvents]", f"{LOG_GROUP}/ecs/*", {"lacking", "excess"}),
        (
            "Secrets: [{Name: A, ValueFrom: !Ref Secret}]",
            "secretsmanager:GetSecretValue",
            f"{SECRET}Secret-*",
            {"too-wide"},
        ),
        (
            "Secrets: [{Name: A, ValueFrom: !Ref Secret}]",
            "secretsmanager:GetSecretValue",
            f"{SECRET}Secret-AbCdEfGhIjKl-MnOpQr",
            {"unknown"},
        ),
        (
            "Secrets: [{Name: A, ValueFrom: !Ref Secret}]",
            "secretsmanager:GetSecretValue",
            f"{SECRET}prod/*",
            {"lacking", "excess"},
        ),
        (
            "Secrets: [{Name: A, ValueFrom: !Ref Value}]",
            "ssm:GetParameters",
            "ssm:${AWS::Region}:${AWS::AccountId}:parameter/CFN-*",
            {"too-wide"},
        ),
    ],
)
def test_a_pattern_can_match_a_name_that_cloudformation_generates(
    run: Run, container: str, action: str, resource: str, kinds: set[str]
) -> None:
    text = UNNAMED.replace("CONTAINER", container).replace("ACTION", action).replace("RESOURCE", resource)
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    assert {found["kind"] for found in audit["findings"]} == kinds


@pytest.mark.parametrize(
    "default, arguments, kinds",
    [
        ("nginx", (), {"unknown"}),
        ("nginx", ("--parameter", "Image=nginx"), {"excess"}),
        ("nginx", ("--parameter", "Tag=2"), {"unknown"}),
        ("nginx", ("--parameter", "Image=123456789012.dkr.ecr.eu-west-1.amazonaws.com/web"), {"too-wide"}),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/web", (), {"too-wide"}),
    ],
)
def test_what_nothing_needs_with_a_default_may_be_needed_with_another_value(
    run: Run, default: str, arguments: tuple[str, ...], kinds: set[str]
) -> None:
    declared = f"Parameters: {{Image: {{Type: String, Default: {default}}}, Tag: {{Type: String, Default: '1'}}}}"
    text = f"{declared}\n{UNNAMED}".replace("Image: nginx, CONTAINER", 'Image: !Sub "${Image}:${Tag}"')
    text = text.replace("ACTION", "[ecr:BatchGetImage, ecr:GetDownloadUrlForLayer, ecr:BatchCheckLayerAvailability]")
    text = text.replace("Resource: !Sub", "Resource: '*' #").replace(
        "            Statement:\n              Effect",
        "            Statement:\n            - {Effect: Allow, Action: ecr:GetAuthorizationToken, Resource: '*'}\n"
        "            - Effect",
    )
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", *arguments, template=text).stdout)
    found = [each for each in audit["findings"] if "ecr:BatchGetImage" in each["actions"]]
    assert {each["kind"] for each in found} == kinds
    if kinds == {"too-wide"}:
        assert ("and what other values of" in found[0]["fix"]) == (not arguments or "Image" not in arguments[1])
    if kinds == {"unknown"}:
        assert "the image `!Sub ${Image}:" in found[0]["what"]
        assert "--parameter Image=…" in found[0]["fix"]
        assert found[0]["may_be_needed"] == []  # The macro reads the value at deployment.
