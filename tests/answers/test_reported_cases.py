"""Situations from public reports and real templates, and each command's output about them."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from tests.support.cloudformation import ACCOUNT, REGION, Document
from tests.support.command_line import Run
from tests.support.contract import KEYS, PARAMETERS, SECRETS, Grants, fetch, grants, pull, read, statements

KEY_ID = "5f0f4f4e-7f2b-4a53-9d0a-0d5a4f8f6f3b"
TRUST = "{Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}]}"
STARTER = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
HERE = "${AWS::Region}:${AWS::AccountId}"


def definition(container: str, spec: str = "ExecutionRoleSpec: Auto", more: str = "", top: str = "") -> str:
    """A template with one task definition, `Task`, whose container has these properties."""
    image = "" if "Image:" in container else "Image: nginx\n"
    return (
        f"Transform: EcsExecRole\n{top}\nResources:\n{textwrap.indent(textwrap.dedent(more), '  ')}"
        f"\n  Task:\n    Type: AWS::ECS::TaskDefinition\n    Properties:\n      {spec}\n      ContainerDefinitions:\n"
        f"        - Name: web\n{textwrap.indent(image + textwrap.dedent(container), '          ')}\n"
    )


def secret(value: str, **more: str) -> str:
    return definition(f"Secrets: [{{Name: A, ValueFrom: {value}}}]", **more)


def with_role(container: str, policies: str, role: str = "!GetAtt Role.Arn", more: str = "", top: str = "") -> str:
    """The same with a hand-written role, of which these are the properties."""
    resource = f"Role:\n  Type: AWS::IAM::Role\n  Properties:\n    AssumeRolePolicyDocument: {TRUST}\n"
    resource += textwrap.indent(textwrap.dedent(policies), "    ")
    text = definition(container, f"ExecutionRoleArn: {role}", f"{textwrap.dedent(more)}\n{resource}", top)
    return text.replace("Transform: EcsExecRole\n", "")


def inline(*documents: str) -> str:
    return "Policies: [{PolicyName: p, PolicyDocument: {Statement: [" + ", ".join(documents) + "]}}]\n"


def role_of(run: Run, template: str, *arguments: str) -> Document:
    """The template that `expand` writes."""
    result = run("expand", "t.yaml", "--format", "json", *arguments, template=template)
    assert result.exit_code == 0, result.stderr
    document: Document = json.loads(result.stdout)
    return document


def granted(run: Run, template: str, **stack: Any) -> Grants:
    return grants(role_of(run, template), **stack)


def refused(run: Run, template: str, *arguments: str) -> str:
    result = run("expand", "t.yaml", *arguments, template=template)
    assert result.exit_code == 1, result.stdout
    assert run("explain", "t.yaml", *arguments, template=template).exit_code == 1
    return " ".join(result.stderr.split())


def audited(run: Run, template: str) -> list[tuple[str, str]]:
    """The kind and the sentence of each finding, except that the trust policy is wide."""
    result = run("audit", "t.yaml", "--format", "json", template=template)
    assert result.exit_code == 0, result.stderr
    found = [finding for audit in json.loads(result.stdout) for finding in audit["findings"]]
    return [(each["kind"], each["what"]) for each in found if each["code"] != "trust-without-source"]


# -- what is refused, and the messages ----------------------------------------------------------------------------

LOGS = "LogConfiguration: {LogDriver: awslogs, Options: {awslogs-region: eu-west-1, awslogs-group: %s}}"
FILE = "EnvironmentFiles: [{Type: s3, Value: %s}]"
OWN = "Database: {Type: AWS::SecretsManager::Secret}\nImages: {Type: AWS::ECR::Repository}\n"
OWN += "Output: {Type: AWS::Logs::LogGroup}\nConfig: {Type: AWS::S3::Bucket}\n"
REFUSED: dict[str, tuple[str, str]] = {
    "a secret's value": (secret('"{{resolve:secretsmanager:db:SecretString:login}}"'), "gives the value of a secret"),
    "a SecureString's value": (secret('"{{resolve:ssm-secure:/db:1}}"'), "gives the value of a secret"),
    "a joined reference to a value": (
        secret('!Join ["", ["{{resolve:secretsmanager:", db, ":SecretString:login}}"]]'),
        "gives the value of a secret",
    ),
    "a value in the list": (
        secret("/x", spec='ExecutionRoleSpec: {Secrets: ["{{resolve:secretsmanager:db:SecretString:login}}"]}'),
        "gives the value of a secret",
    ),
    "a text without Sub": (secret('"/${AWS::StackName}/x"'), "write !Sub before the text"),
    "an image without Sub": (definition('Image: "${AWS::AccountId}.dkr.ecr.eu-west-1.amazonaws.com/a"'), "write !Sub"),
    "a log group without Sub": (definition(LOGS % '"/ecs/${AWS::StackName}"'), "write !Sub before the text"),
    "one field": (secret('!Sub "${Database}:login"', more=OWN), "has 1 field after the secret's name"),
    "two fields": (secret('!Sub "${Database}:login:"', more=OWN), "has 2 fields after the secret's name"),
    "four fields": (secret('!Sub "${Database}:login:::"', more=OWN), "has 4 fields after the secret's name"),
    "one field in the list": (
        secret("/x", spec='ExecutionRoleSpec: {Secrets: [!Sub "${Database}:login"]}', more=OWN),
        "has 1 field after the secret's name",
    ),
    "an attribute": (secret("!GetAtt Database.Arn", more=OWN), "write !Ref Database"),
    "a group by its ARN": (definition(LOGS % "!GetAtt Output.Arn", more=OWN), "write !Ref Output"),
    "a group by an ARN": (definition(LOGS % f'!Sub "arn:aws:logs:{HERE}:log-group:/x"'), "write the name alone"),
    "an image by its ARN": (definition("Image: !GetAtt Images.Arn", more=OWN), "${Images.RepositoryUri}:TAG"),
    "an image by its name": (definition("Image: !Ref Images", more=OWN), "${Images.RepositoryUri}:TAG"),
    "an image by its name and tag": (definition('Image: !Sub "${Images}:1"', more=OWN), "${Images.RepositoryUri}:TAG"),
    "an image by an ARN": (definition(f'Image: !Sub "arn:aws:ecr:{HERE}:repository/x:1"'), "named by its URI"),
    "a file by its URI": (definition(FILE % '!Sub "s3://${Config}/a.env"', more=OWN), "s3:::BUCKET/KEY"),
    "a file by its bucket": (definition(FILE % '!Sub "${Config}/a.env"', more=OWN), "s3:::${Config}/KEY"),
    "a bucket for a file": (definition(FILE % "!GetAtt Config.Arn", more=OWN), "${Config.Arn}/KEY"),
    "a login in a parameter": (
        definition(f'RepositoryCredentials: {{CredentialsParameter: !Sub "arn:aws:ssm:{HERE}:parameter/x"}}'),
        "keep the login in a secret",
    ),
    "a colon at the end": (
        definition("Secrets:\n  - Name: A\n    ValueFrom: !Sub ${Database}:login::", more=OWN),
        "in quotes",
    ),
    "a colon at the end of the text of a Sub": (
        definition("Secrets: [{Name: A, ValueFrom: !Sub [{'${D}:login:': null}, {D: !Ref Database}]}]", more=OWN),
        "put the text in quotes",
    ),
    "an include": (definition("Fn::Transform: {Name: AWS::Include}"), "write what it gives in its place"),
    "a service that runs a definition": (
        """\
        Transform: EcsExecRole
        Resources:
          Site:
            Type: AWS::ECS::ExpressGatewayService
            Properties:
              ExecutionRoleSpec: Auto
              TaskDefinitionArn: arn:aws:ecs:us-east-1:123456789012:task-definition/site:1
        """,
        "that definition has the role; write it on that task definition",
    ),
    "an account of eleven digits": (
        definition("Image: 12345678901.dkr.ecr.eu-west-1.amazonaws.com/a"),
        "looks like an image in ECR",
    ),
    "an image without value": (
        definition("Image: !Ref Address", top="Parameters: {Address: {Type: String}}"),
        "give it, as in `--parameter Address=…`",
    ),
    "a lookup without value": (
        secret(
            "/x",
            spec="ExecutionRoleSpec: {Parameters: [{Parameter: /x, KmsKey: !FindInMap [M, !Ref Stage, Key]}]}",
            top="Parameters: {Stage: {Type: String}}\nMappings: {M: {dev: {Key: alias/dev}}}",
        ),
        "give it, as in `--parameter Stage=…`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_certainly_wrong_is_refused_with_what_to_write(run: Run, name: str) -> None:
    template, says = REFUSED[name]
    said = refused(run, template)
    assert says in said
    assert "Unresolved" not in said


# -- what is granted --------------------------------------------------------------------------------------------------


def test_a_name_with_a_slash_behind_parameter(run: Run) -> None:
    more = "Token: {Type: AWS::SSM::Parameter, Properties: {Type: String, Name: /team/token, Value: x}}"
    arn = f'!Sub "arn:aws:ssm:{HERE}:parameter${{Token}}"'
    assert granted(run, secret(arn, more=more)) == fetch(f"{PARAMETERS}/team/token")
    statement = f"{{Effect: Allow, Action: ssm:GetParameters, Resource: {arn}}}"
    assert audited(run, with_role(f"Secrets: [{{Name: A, ValueFrom: {arn}}}]", inline(statement), more=more)) == []


def test_an_output_of_another_stack_by_the_short_form(run: Run) -> None:
    template = definition(LOGS % "!GetStackOutput {StackName: base, OutputName: Group}")
    found = granted(run, template, imports={"base.Group": "/base"})
    assert {resource for _, resource in found} == {f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/base:*"}


def test_a_replica_of_a_secret(run: Run) -> None:
    key = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{KEY_ID}"
    properties = f'{{Name: team/db, ReplicaRegions: [{{Region: eu-west-1, KmsKeyId: "{key}"}}]}}'
    more = f"Database: {{Type: AWS::SecretsManager::Secret, Properties: {properties}}}"
    replica = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:team/db"
    template = secret('!Sub "arn:aws:secretsmanager:eu-west-1:${AWS::AccountId}:secret:team/db"', more=more)
    found = granted(run, template)
    assert found == read(replica, f"{replica}-??????") | {("kms:Decrypt", key)}
    made = statements(role_of(run, template))["DecryptSecrets"]
    assert made["Condition"]["StringEquals"]["kms:ViaService"] == "secretsmanager.eu-west-1.amazonaws.com"


KEYED = "Key: {Type: AWS::KMS::Key, Properties: {KeyPolicy: {}}}\n"
KEYED += "Database: {Type: AWS::SecretsManager::Secret, Properties: {Name: team/db, KmsKeyId: !Ref Key}}"


@pytest.mark.parametrize(
    "value", [f'!Sub "arn:aws:secretsmanager:{HERE}:secret:team/db"', "/aws/reference/secretsmanager/team/db"]
)
def test_the_key_of_a_secret_that_is_named_in_words(run: Run, value: str) -> None:
    result = run("expand", "t.yaml", "--format", "json", template=secret(value, more=KEYED))
    assert result.stderr == ""
    found = grants(json.loads(result.stdout))
    assert read(f"{SECRETS}:team/db", f"{SECRETS}:team/db-??????") <= found
    assert [resource for action, resource in found if action == "kms:Decrypt" and resource.startswith(KEYS)]


def test_a_reference_parameter_of_another_region(run: Run) -> None:
    value = '!Sub "arn:aws:ssm:eu-west-1:${AWS::AccountId}:parameter/aws/reference/secretsmanager/db"'
    secrets = {resource for action, resource in granted(run, secret(value)) if action.startswith("secretsmanager:")}
    start = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db"
    assert secrets == {start, f"{start}-??????"}


@pytest.mark.parametrize("output", ["/team/token", "token", f"{PARAMETERS}/team/token"])
def test_a_parameter_by_the_output_of_another_stack(run: Run, output: str) -> None:
    template = secret("!ImportValue token", spec="ExecutionRoleSpec: {Parameters: [!ImportValue token]}")
    name = output.removeprefix(PARAMETERS).lstrip("/")
    assert fetch(f"{PARAMETERS}/{name}") <= granted(run, template, imports={"token": output})


def test_an_image_of_docker_hub_that_begins_with_a_digit(run: Run) -> None:
    top = "Parameters: {Tag: {Type: AWS::SSM::Parameter::Value<String>, Default: /tag}}"
    template = definition('Image: !Sub "1password/connect-sync:${Tag}"', top=top)
    result = run("expand", "t.yaml", "--format", "json", template=template)
    assert (grants(json.loads(result.stdout)), result.stderr) == (set(), "")


def test_an_entry_of_images_that_is_public_with_the_value_that_is_given(run: Run) -> None:
    spec, top = "ExecutionRoleSpec: {Images: [!Ref Address]}", "Parameters: {Address: {Type: String}}"
    template = definition("Image: !Ref Address", spec, top=top)
    assert grants(role_of(run, template, "--parameter", "Address=nginx:1")) == set()
    own = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:1"
    here = pull(f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/web")
    assert grants(role_of(run, template, "--parameter", f"Address={own}")) == here
    assert grants(role_of(run, template, "--symbolic"), parameters={"Address": own}) == here


def test_functions_of_language_extensions_keep_their_long_form(run: Run) -> None:
    template = definition(
        "Environment: [{Name: N, Value: {Fn::ToJsonString: {a: b}}}, {Name: L, Value: {Fn::Length: [a]}}]"
    )
    text = run(
        "expand", "t.yaml", template=template.replace(": EcsExecRole", ": [AWS::LanguageExtensions, EcsExecRole]")
    ).stdout
    assert "Fn::ToJsonString:" in text
    assert "Fn::Length:" in text


def test_a_loop_is_unrolled_by_each_command(run: Run) -> None:
    template = """\
        Transform: [AWS::LanguageExtensions, EcsExecRole]
        Resources:
          Fn::ForEach::Each:
            - Name
            - [api, worker]
            - ${Name}Task:
                Type: AWS::ECS::TaskDefinition
                Properties:
                  ExecutionRoleSpec: Auto
                  ContainerDefinitions: [{Name: !Ref Name, Image: nginx}]
        """
    for command in ("expand", "explain"):
        said = run(command, "t.yaml", template=template)
        assert said.exit_code == 0
        assert "apiTaskExecutionRole" in said.stdout
        assert "workerTaskExecutionRole" in said.stdout


# -- what an audit finds ----------------------------------------------------------------------------------------------

PARAMETER = "Secrets: [{Name: A, ValueFrom: /x}]"
READ = f'{{Effect: Allow, Action: ssm:GetParameters, Resource: !Sub "arn:${{AWS::Partition}}:ssm:{HERE}:parameter/x"}}'


def test_policies_that_are_json_as_text_are_read(run: Run) -> None:
    text = '{"Statement": [{"Effect": "Allow", "Action": ["ssm:GetParameters", "ssm:PutParameter"], "Resource": "*"}]}'
    allowed = '"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"'
    trust = f'{{"Statement": [{{{allowed}}}]}}'
    template = with_role(PARAMETER, f"Policies: [{{PolicyName: p, PolicyDocument: '{text}'}}]\n").replace(
        TRUST, f"'{trust}'"
    )
    kinds = [kind for kind, _ in audited(run, template)]
    assert sorted(kinds) == ["excess", "too-wide"]


@pytest.mark.parametrize(
    "role",
    [
        '!Sub "arn:aws:iam::${AWS::AccountId}:role/team"',
        "team",
        '!Sub "arn:aws:iam::${AWS::AccountId}:role/${Role}"',
        "!Ref Role",
    ],
)
def test_the_role_of_the_template_by_its_name(run: Run, role: str) -> None:
    named = "RoleName: team\n" if "team" in role else ""
    template = with_role(PARAMETER, named + inline(READ), role)
    assert not [what for kind, what in audited(run, template) if "not in this template" in what or kind == "lacking"]
    assert "ExecutionRoleSpec" in run("migrate", "t.yaml", template=template).stdout


OWN_IN_US = "Conditions: {Own: !Equals [!Ref AWS::Region, us-east-1]}"


@pytest.mark.parametrize("name", ["", "RoleName: team\n"])
def test_a_role_that_exists_under_a_condition_is_not_judged_without_it(run: Run, name: str) -> None:
    other = '!If [Own, !GetAtt Role.Arn, !Sub "arn:aws:iam::${AWS::AccountId}:role/team"]'
    template = with_role(PARAMETER, name + inline(READ), other, top=OWN_IN_US)
    template = template.replace("Type: AWS::IAM::Role", "Type: AWS::IAM::Role\n    Condition: Own")
    found = audited(run, template)
    assert [kind for kind, what in found if "is not in this template when not Own" in what] == ["unknown"]
    assert {kind for kind, _ in found} == {"unknown"}


def test_conditions_that_exclude_each_other(run: Run) -> None:
    top = "Parameters: {Stage: {Type: String}}\n"
    top += "Conditions:\n  Prod: !Equals [!Ref Stage, prod]\n  NotProd: !Not [!Condition Prod]"
    either = ", ".join(f"!If [{name}, '{STARTER}', !Ref AWS::NoValue]" for name in ("Prod", "NotProd"))
    policies = f"ManagedPolicyArns: [{either}]\n"
    image = f"Image: {ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:1"
    assert not [what for kind, what in audited(run, with_role(image, policies, top=top)) if kind == "lacking"]
    one = READ.replace("parameter/x", "parameter/prod/x")
    other = READ.replace("parameter/x", "parameter/dev/x")
    container = """\
        Secrets:
          - !If [Prod, {Name: A, ValueFrom: /prod/x}, !Ref AWS::NoValue]
          - !If [NotProd, {Name: A, ValueFrom: /dev/x}, !Ref AWS::NoValue]
        """
    statement = f"!If [Prod, {one}, {other}]"
    assert audited(run, with_role(container, inline(statement), top=top)) == []


def test_what_an_include_contains_is_not_known(run: Run) -> None:
    template = with_role("Cpu: 1", inline(READ))
    start = template.index("      ContainerDefinitions:")
    template = template[:start] + "      Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://b/k}}\n"
    assert {kind for kind, _ in audited(run, template)} == {"unknown"}


def test_the_key_of_a_parameter_is_not_known(run: Run) -> None:
    decrypt = f'{{Effect: Allow, Action: kms:Decrypt, Resource: "{KEYS}/{KEY_ID}"}}'
    template = with_role(PARAMETER, inline(READ, decrypt))
    assert [kind for kind, what in audited(run, template) if "kms:Decrypt" in what] == ["unknown"]
    assert "kms:Decrypt" in run("migrate", "t.yaml", template=template).stdout


def test_the_advice_for_a_secret_is_in_the_words_of_the_template(run: Run) -> None:
    arn = f"arn:aws:secretsmanager:{HERE}:secret:${{Stage}}/db"
    top = "Parameters: {Stage: {Type: String, Default: dev}}"
    wide = f'{{Effect: Allow, Action: secretsmanager:GetSecretValue, Resource: !Sub "{arn}-*"}}'
    container = f'Secrets: [{{Name: A, ValueFrom: !Sub "{arn}"}}]'
    result = run("audit", "t.yaml", "--format", "json", template=with_role(container, inline(wide), top=top))
    [finding] = [
        each for each in json.loads(result.stdout)[0]["findings"] if each["kind"] == "too-wide" and each["actions"]
    ]
    assert f"{arn}-??????" in finding["fix"]
    followed = ", ".join(json.dumps(each) for each in finding["statements"])
    assert audited(run, with_role(container, inline(followed), top=top)) == []


# -- files ------------------------------------------------------------------------------------------------------------


def test_the_line_ends_of_a_file_are_kept(run: Run, tmp_path: Any) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes(with_role(PARAMETER, inline(READ)).replace("\n", "\r\n").encode())
    assert run("migrate", "t.yaml", "--write").exit_code == 0
    lines = file.read_bytes().split(b"\n")
    assert b"ExecutionRoleSpec" in b"".join(lines)
    assert all(line.endswith(b"\r") for line in lines[:-1])


def test_a_message_about_shared_anchors_is_about_the_users_own_file(run: Run) -> None:
    template = f"""\
        Resources:
          First:
            Type: AWS::IAM::Role
            Properties: &shared {{AssumeRolePolicyDocument: {TRUST}, ManagedPolicyArns: ["{STARTER}"]}}
          Second: {{Type: AWS::IAM::Role, Properties: *shared}}
          One:
            Type: AWS::ECS::TaskDefinition
            Properties: {{ExecutionRoleArn: !GetAtt First.Arn, ContainerDefinitions: [{{Name: a, Image: nginx}}]}}
          Two:
            Type: AWS::ECS::TaskDefinition
            Properties: {{ExecutionRoleArn: !GetAtt Second.Arn, ContainerDefinitions: [{{Name: a, Image: nginx}}]}}
        """
    said = run("migrate", "t.yaml", "--diff", template=template).stderr
    assert "other parts of the file use its anchor `&shared`" in said
    assert "not valid" not in said


def test_a_default_in_a_role_is_said_or_kept_out(run: Run) -> None:
    top = "Parameters: {Stage: {Type: String, Default: dev}}"
    template = secret('!Sub "/${Stage}/x"', top=top)
    assert "with the default of the parameter Stage" in run("expand", "t.yaml", template=template).stderr
    assert "with the default of the parameter Stage" in run("explain", "t.yaml", template=template).stdout
    assert "parameter/${Stage}/x" in run("expand", "t.yaml", "--symbolic", template=template).stdout
