"""Every remedy is followed here: each text that it proposes is written, and each command is run."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import shlex
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from moto import mock_aws
from moto.events.models import EventPattern
from tests.diagnose.aws_cli import run
from tests.diagnose.test_corpus import cases
from tests.support.iam.simulator import ACCOUNT, ROLE_SESSION, Request, _ask, allowed, assumable

from ecs_exec_role.cli.app import cli
from ecs_exec_role.diagnose.diagnosis import diagnose
from ecs_exec_role.diagnose.reason import REMEDIES, Reason, Remedy
from ecs_exec_role.offline import template_file, yaml_writer
from ecs_exec_role.offline.macro_call import StackValues, expanded
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.template.event import mapping

REGION = "eu-central-1"
STACK = StackValues(REGION, ACCOUNT)
ARN = f"{REGION}:{ACCOUNT}"
KEY = f"arn:aws:kms:{ARN}:key/11111111-2222-3333-4444-555555555555"
SECRET = f"arn:aws:secretsmanager:{ARN}:secret:prod/db-AbCdEf"
OTHER = "111122223333"
HAND_WRITTEN = f"""\
Resources:
  Repository: {{Type: AWS::ECR::Repository, Properties: {{RepositoryName: web}}}}
  Logs: {{Type: AWS::Logs::LogGroup, Properties: {{LogGroupName: /ecs/web}}}}
  Database: {{Type: AWS::SecretsManager::Secret, Properties: {{Name: prod/db, KmsKeyId: "{KEY}"}}}}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      ExecutionRoleArn: !GetAtt WebRole.Arn
      ContainerDefinitions:
        - Name: web
          Image: !Sub ${{Repository.RepositoryUri}}:7
          EnvironmentFiles: [{{Type: s3, Value: "arn:aws:s3:::settings/web.env"}}]
          Secrets:
            - {{Name: DATABASE, ValueFrom: !Ref Database}}
            - {{Name: TOKEN, ValueFrom: /web/token}}
          LogConfiguration:
            LogDriver: awslogs
            Options: {{awslogs-group: !Ref Logs, awslogs-region: !Ref AWS::Region}}
        - Name: proxy
          Image: nginx:1.25
          RepositoryCredentials: {{CredentialsParameter: "arn:aws:secretsmanager:{ARN}:secret:hub-GhIjKl"}}
          Secrets:
            - {{Name: OTHER, ValueFrom: /proxy/token}}
  WebRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: execution-role
      AssumeRolePolicyDocument:
        Statement: [{{Effect: Allow, Principal: {{Service: ecs-tasks.amazonaws.com}}, Action: sts:AssumeRole}}]
      Policies: []
"""
SPEC = re.sub(r"(?s)  WebRole:.*", "", f"Transform: EcsExecRole\n{HAND_WRITTEN}").replace(
    "ExecutionRoleArn: !GetAtt WebRole.Arn", "ExecutionRoleSpec: {RoleName: execution-role}"
)

# The requests that may be refused: the action, the ARN in IAM's answer, and ECS's words for what it was doing.
REFUSALS = {
    "authorization": ("ecr:GetAuthorizationToken", "*", "unable to retrieve ecr registry auth"),
    "pull": ("ecr:BatchGetImage", f"arn:aws:ecr:{ARN}:repository/web", "CannotPullContainerError"),
    "secret": ("secretsmanager:GetSecretValue", SECRET, "unable to retrieve secret from asm"),
    "login": (
        "secretsmanager:GetSecretValue",
        f"arn:aws:secretsmanager:{ARN}:secret:hub-GhIjKl",
        "unable to retrieve registry auth from asm",
    ),
    "parameter": ("ssm:GetParameters", f"arn:aws:ssm:{ARN}:parameter/web/token", "unable to retrieve secrets from ssm"),
    "stream": (
        "logs:CreateLogStream",
        f"arn:aws:logs:{ARN}:log-group:/ecs/web:log-stream:web/web/0f1e",
        "failed to create Cloudwatch log stream",
    ),
    "object": ("s3:GetObject", "arn:aws:s3:::settings/web.env", "failed to download env files"),
    "key": ("kms:Decrypt", KEY, "unable to retrieve secret from asm"),
}
BECAUSE = "because no identity-based policy allows the {action} action"


def refused(name: str, because: str = BECAUSE, resource: str = "") -> str:
    action, named, doing = REFUSALS[name]
    about = f"failed to fetch secret {SECRET} from secrets manager: " if name == "key" else ""
    return (
        f"ResourceInitializationError: {doing}: {about}AccessDeniedException: User: {ROLE_SESSION} is not authorized to"
        f" perform: {action} on resource: {resource or named} {because.format(action=action)}"
    )


def request(name: str, resource: str = "") -> Request:
    action, named, _ = REFUSALS[name]
    context: dict[str, str | list[str]] = {}
    if name == "key":
        context = {
            "kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com",
            "kms:EncryptionContext:SecretARN": SECRET,
        }
    return Request(action, resource or named, context)


@cache
def template(text: str = HAND_WRITTEN) -> TemplateFile:
    return template_file.parse("t.yaml", textwrap.dedent(text))


def one(text: str, of: TemplateFile | None = None) -> Reason:
    [reason] = diagnose(text, of, STACK)
    return reason


def remedies(reason: Reason, code: str) -> list[Remedy]:
    return [remedy for remedy in reason.remedy if remedy.code == code]


def followed(of: TemplateFile, remedy: Remedy) -> TemplateFile:
    """The template after a remedy was written into it."""
    data = copy.deepcopy(of.data)
    node: Any = data
    steps = remedy.path.split("/")
    for step in steps[:-1]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    last = steps[-1]
    if remedy.code == "add-statement":
        document = {"Version": "2012-10-17", "Statement": [remedy.value]}
        node.setdefault(last, []).append({"PolicyName": f"added{len(node[last])}", "PolicyDocument": document})
    elif remedy.code == "remove-deny":
        del node[int(last)]
    else:
        inner = node[int(last)] if isinstance(node, list) else node[last]
        if not isinstance(inner, dict):
            inner = node[last] = {}
        inner[remedy.key] = remedy.value
        if remedy.code == "use-spec":
            inner.pop("ExecutionRoleArn", None)
            data["Transform"] = "EcsExecRole"
    return template(yaml_writer.write(data))


def granted_by(of: TemplateFile) -> list[dict[str, Any]]:
    """What the macro's roles of a template may do, with the stack's values in it."""
    result = template(yaml_writer.write(expanded(of, STACK).data))
    return [policy for resource in result.data["Resources"].values() for policy in _policies(resource)]


def _policies(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    properties = mapping(resource.get("Properties"))
    inline = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    for document in [*inline, *([properties["PolicyDocument"]] if "PolicyDocument" in properties else [])]:
        yield filled(document)


def filled(node: Any) -> Any:
    """A policy with the deployed names in it."""
    values = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "Logs": "/ecs/web"}
    values |= {"Database": SECRET, "Repository.Arn": f"arn:aws:ecr:{ARN}:repository/web"}
    values |= {"Logs.Arn": f"arn:aws:logs:{ARN}:log-group:/ecs/web:*"}
    if isinstance(node, list):
        return [filled(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "Ref" in node:
        return values[node["Ref"]]
    if "Fn::GetAtt" in node:
        return values[".".join(node["Fn::GetAtt"])]
    if "Fn::Sub" in node:
        return re.sub(r"\$\{(.*?)\}", lambda match: values[match[1]], node["Fn::Sub"])
    return {key: filled(child) for key, child in node.items()}


# -- permissions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSALS)
def test_a_statement_for_a_handwritten_role(name: str) -> None:
    of = template()
    reason = one(refused(name), of)
    assert (reason.granted, len(reason.places) > 0) == (False, True)
    adding = [remedy for remedy in remedies(reason, "add-statement") if remedy.path]
    assert adding
    for remedy in adding:
        assert remedy.path == "Resources/WebRole/Properties/Policies"
        of = followed(of, remedy)
    assert one(refused(name), of).granted is True
    statements = [filled(remedy.value) for remedy in adding]
    document = {"Version": "2012-10-17", "Statement": statements}
    assert allowed([document], [request(name)]) == [True]
    others = [request(other) for other in REFUSALS if other != name]
    assert allowed([document], others) == [False] * len(others)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_spec_instead_of_a_handwritten_role(name: str) -> None:
    of = template()
    [remedy] = remedies(one(refused(name), of), "use-spec")
    assert (remedy.path, remedy.key, remedy.value) == ("Resources/Web/Properties", "ExecutionRoleSpec", "Auto")
    after = followed(of, remedy)
    assert allowed(granted_by(after), [request(name)]) == [True]
    # The role has another name now.
    reason = one(refused(name).replace("execution-role", "web-WebExecutionRole-1A2B"), after)
    assert reason.granted is True
    assert [remedy.code for remedy in reason.remedy] == ["deploy"]


@pytest.mark.parametrize("name", REFUSALS)
def test_the_deployed_role_is_older_than_the_template(name: str) -> None:
    of = template(SPEC)
    reason = one(refused(name), of)
    assert reason.granted is True
    [remedy] = reason.remedy
    assert (remedy.code, remedy.path) == ("deploy", "Resources/Web/Properties/ExecutionRoleSpec")
    assert remedy.line == of.line(remedy.path)
    # What is deployed with that template is allowed.
    assert allowed(granted_by(of), [request(name)]) == [True]


@pytest.mark.parametrize("name", [name for name in REFUSALS if name != "authorization"])
def test_a_key_of_the_spec_for_what_cannot_be_inferred(name: str) -> None:
    of = template(SPEC.replace("{RoleName:", "{Infer: false, RoleName:"))
    reason = one(refused(name), of)
    assert reason.granted is False
    adding = remedies(reason, "add-spec-key")
    assert adding
    for remedy in adding:
        of = followed(of, remedy)
    assert allowed(granted_by(of), [request(name)]) == [True]


# -- keys that the text or the template does not name ----------------------------------------------------------------

WITHOUT_KEY = HAND_WRITTEN.replace(f', KmsKeyId: "{KEY}"', "")
HIDDEN = (
    f"ResourceInitializationError: unable to retrieve secret from asm: failed to fetch secret {SECRET} from secrets"
    " manager: AccessDeniedException: Access to KMS is not allowed"
)


def with_key(node: Any) -> Any:
    """What a reader writes: the ID of the key in its place."""
    return json.loads(json.dumps(node).replace("KEY_ID", KEY.rpartition("/")[2]))


@pytest.mark.parametrize(
    "said", [HIDDEN, HIDDEN.replace(f"failed to fetch secret {SECRET} from secrets manager: ", "")]
)
def test_the_key_is_looked_up_first(said: str, aws: None) -> None:
    """Secrets Manager does not name the key; the secret's own policy does not either."""
    reason = one(said, template(WITHOUT_KEY))
    codes = [remedy.code for remedy in reason.remedy]
    assert codes[0] == "find-key"
    commands = [remedy.command for remedy in remedies(reason, "look")]
    assert not any("get-resource-policy" in command for command in commands)
    assert any("kms get-key-policy --key-id KEY_ID" in command for command in commands)
    if said == HIDDEN:
        key = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["Arn"]
        made = boto3.client("secretsmanager", region_name=REGION).create_secret(Name="prod/db", KmsKeyId=key)
        [command] = [command for command in commands if "describe-secret" in command]
        assert command.endswith(f"--query KmsKeyId --region {REGION}")
        assert run(command.replace(SECRET, made["ARN"]))["KmsKeyId"] == key
        [command] = [command for command in commands if "get-key-policy" in command]
        assert run(command.replace("KEY_ID", key.rpartition("/")[2]))["Policy"]


@pytest.mark.parametrize("of", [None, WITHOUT_KEY.replace("!Ref Database", "!ImportValue db")])
def test_a_key_of_something_that_nothing_names(of: str | None) -> None:
    said = (
        "ResourceInitializationError: unable to retrieve secret from asm: AccessDeniedException: Access to KMS is not"
    )
    reason = one(f"{said} allowed", template(of) if of else None)
    assert reason.remedy[0].code == "find-key"
    assert any("describe-secret --secret-id" in remedy.command for remedy in remedies(reason, "look"))
    assert any("get-key-policy" in remedy.command for remedy in remedies(reason, "look"))


def test_a_key_that_nothing_names_is_granted() -> None:
    reason = one(HIDDEN, template(WITHOUT_KEY))
    [adding] = remedies(reason, "add-statement")
    assert adding.path == "Resources/WebRole/Properties/Policies"
    policy = {"Version": "2012-10-17", "Statement": [filled(with_key(adding.value))]}
    others = [request(other) for other in REFUSALS if other != "key"]
    assert allowed([policy], [request("key"), *others]) == [True, *[False] * len(others)]
    [spec] = remedies(reason, "use-spec")
    assert spec.value == {
        "Secrets": [{"Secret": {"Ref": "Database"}, "KmsKey": KEY.replace(KEY.rpartition("/")[2], "KEY_ID")}]
    }
    after = followed(template(WITHOUT_KEY), dataclasses.replace(spec, value=with_key(spec.value)))
    assert allowed(granted_by(after), [request("key"), request("pull")]) == [True, True]
    # In a template that has a spec already, only the key of the spec is lacking.
    of = template(SPEC.replace(f', KmsKeyId: "{KEY}"', ""))
    assert allowed(granted_by(of), [request("key")]) == [False]
    [spec] = remedies(one(HIDDEN, of), "add-spec-key")
    after = followed(of, dataclasses.replace(spec, value=with_key(spec.value)))
    assert allowed(granted_by(after), [request("key")]) == [True]


def test_a_key_of_parameters_is_looked_up() -> None:
    said = (
        "ResourceInitializationError: unable to retrieve secrets from ssm: AccessDeniedException: The ciphertext refers"
        " to a customer master key that does not exist, or you are not allowed to access."
    )
    reason = one(said, template(WITHOUT_KEY))
    assert {place.path.rpartition("/")[2] for place in reason.places} == {"ValueFrom"}
    commands = [remedy.command for remedy in remedies(reason, "look") if "ssm describe-parameters" in remedy.command]
    assert {re.search(r"Values=(\S+?)'? ", command)[1] for command in commands} == {"/web/token", "/proxy/token"}  # type: ignore[index]


SESSION = ROLE_SESSION
REFUSED_KEY = (
    f"AccessDeniedException: User: {SESSION} is not authorized to perform: kms:Decrypt on resource: {KEY}"
    " because no identity-based policy allows the kms:Decrypt action"
)


@pytest.mark.parametrize("with_template", [False, True])
@pytest.mark.parametrize(
    ("doing", "services"),
    [
        ("", {"secretsmanager", "ssm", "s3"}),
        ("unable to retrieve secret from asm: ", {"secretsmanager"}),
        ("unable to retrieve secrets from ssm: ", {"ssm"}),
        ("failed to download env files: ", {"s3"}),
    ],
)
def test_a_key_alone_is_allowed_through_the_service_only(doing: str, services: set[str], with_template: bool) -> None:
    """The text names the key and not what it protects."""
    reason = one(f"ResourceInitializationError: {doing}{REFUSED_KEY}", template(WITHOUT_KEY) if with_template else None)
    documents = [remedy.value for remedy in remedies(reason, "add-statement")]
    documents += [json.loads(shlex.split(remedy.command)[-1])["Statement"][0] for remedy in remedies(reason, "run")]
    assert documents
    wide = False
    for document in documents:
        policy = {"Version": "2012-10-17", "Statement": [filled(document)]}
        assert allowed([policy], [Request("kms:Decrypt", KEY)]) == [False]
        wide = wide or "EncryptionContext" not in json.dumps(document)
        for service in ("secretsmanager", "ssm", "s3", "ec2"):
            context = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
            may = allowed([policy], [Request("kms:Decrypt", KEY, context)]) == [True]
            assert may <= (service in services)
            if "EncryptionContext" not in json.dumps(document):
                assert may == (service in services)
    assert bool(remedies(reason, "narrow-key")) is wide


def test_a_key_of_the_only_secret() -> None:
    """The template shows what the key of the text protects."""
    of = template(
        WITHOUT_KEY[: WITHOUT_KEY.index("        - Name: proxy")] + WITHOUT_KEY[WITHOUT_KEY.index("  WebRole:") :]
    )
    reason = one(f"ResourceInitializationError: unable to retrieve secret from asm: {REFUSED_KEY}", of)
    [adding] = remedies(reason, "add-statement")
    policy = {"Version": "2012-10-17", "Statement": [filled(adding.value)]}
    other = {**request("key").context, "kms:EncryptionContext:SecretARN": SECRET.replace("prod", "dev")}
    assert allowed([policy], [request("key"), Request("kms:Decrypt", KEY, other)]) == [True, False]
    [spec] = remedies(reason, "use-spec")
    assert spec.value == {"Secrets": [{"Secret": {"Ref": "Database"}, "KmsKey": KEY}]}
    assert allowed(granted_by(followed(of, spec)), [request("key")]) == [True]


@pytest.mark.parametrize("doing", ["unable to retrieve secret from asm: ", "failed to download env files: ", ""])
def test_a_key_alone_in_a_template_with_a_spec(doing: str) -> None:
    of = template(SPEC.replace(f', KmsKeyId: "{KEY}"', ""))
    [spec] = [
        remedy
        for remedy in remedies(one(f"ResourceInitializationError: {doing}{REFUSED_KEY}", of), "add-spec-key")
        if remedy.key in ("Secrets", "Statements")
    ]
    policies = granted_by(followed(of, spec))
    assert allowed(policies, [Request("kms:Decrypt", KEY)]) == [False]
    if "asm" in doing:
        assert allowed(policies, [request("key")]) == [True]


# -- a spec that the macro accepts -----------------------------------------------------------------------------------


def test_a_spec_is_the_one_that_audit_proposes() -> None:
    """`Auto` is refused where a value is only known at deployment."""
    of = template(HAND_WRITTEN.replace("ValueFrom: /proxy/token", "ValueFrom: !ImportValue token"))
    reason = one(refused("stream"), of)
    [spec] = remedies(reason, "use-spec")
    assert spec.value == {"Unresolved": "Ignore"}
    assert allowed(granted_by(followed(of, spec)), [request("stream")]) == [True]


EXPORTED = f"{HAND_WRITTEN}Outputs: {{Role: {{Value: !GetAtt WebRole.Arn}}}}\n"


def test_a_role_that_other_things_need_is_migrated(tmp_path: Path) -> None:
    """A spec on the definition alone would not be the one that `audit` proposes."""
    of = template(EXPORTED)
    reason = one(refused("stream"), of)
    assert not remedies(reason, "use-spec")
    [remedy] = remedies(reason, "migrate")
    program, *words = shlex.split(remedy.command)
    assert (program, words) == ("ecs-exec-role", ["migrate", "--region", REGION, "t.yaml"])
    # What is not a file has the place of one.
    [remedy] = remedies(one(refused("stream"), template_file.parse("stack shop", EXPORTED)), "migrate")
    assert remedy.command.endswith(" TEMPLATE")
    (tmp_path / "t.yaml").write_text(EXPORTED, encoding="utf-8")
    result = CliRunner().invoke(cli, [*words[:-1], str(tmp_path / words[-1])], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    after = template(result.stdout)
    assert allowed(granted_by(after), [request("stream")]) == [True]


def test_the_agent_of_guardduty() -> None:
    resource = f"arn:aws:ecr:{REGION}:323658145986:repository/aws-guardduty-agent-fargate"
    of = template(SPEC)
    reason = one(refused("pull", resource=resource), of)
    assert reason.unplaced == "not-asked"
    [remedy] = remedies(reason, "add-spec-key")
    assert (remedy.key, remedy.value) == ("GuardDuty", True)
    assert allowed(granted_by(followed(of, remedy)), [Request("ecr:BatchGetImage", resource)]) == [True]


@pytest.mark.parametrize("with_template", [False, True])
@pytest.mark.parametrize("name", REFUSALS)
def test_a_command_for_the_deployed_role(name: str, with_template: bool, aws: None) -> None:
    reason = one(refused(name), template() if with_template else None)
    [remedy] = remedies(reason, "run")
    client = boto3.client("iam")
    client.create_role(RoleName="execution-role", AssumeRolePolicyDocument="{}")
    run(remedy.command)
    [policy] = client.list_role_policies(RoleName="execution-role")["PolicyNames"]
    document: Any = client.get_role_policy(RoleName="execution-role", PolicyName=policy)["PolicyDocument"]
    assert allowed([document], [request(name)]) == [True]
    others = [request(other) for other in REFUSALS if other != name]
    assert allowed([document], others) == [False] * len(others)


def test_a_role_that_was_given_when_the_task_was_run() -> None:
    other = f"arn:aws:iam::{ACCOUNT}:role/ops/execution-role"
    said = {"taskArn": f"arn:aws:ecs:{ARN}:task/c/1", "stoppedReason": refused("secret")}
    [reason] = diagnose(json.dumps({**said, "overrides": {"executionRoleArn": other}}), template(SPEC), STACK)
    assert {remedy.code for remedy in reason.remedy} == {"add-statement", "run"}
    assert {remedy.subject for remedy in reason.remedy} == {"execution-role"}


def test_a_deny_in_the_template() -> None:
    deny = f"""\
      Policies:
        - PolicyName: all
          PolicyDocument:
            Statement:
              - {{Effect: Allow, Action: "*", Resource: "*"}}
              - {{Effect: Deny, Action: "ssm:*", Resource: "*"}}
              - {{Effect: Deny, Action: "secretsmanager:*", Resource: "{SECRET}"}}
"""
    of = template(HAND_WRITTEN.replace("      Policies: []\n", deny))
    reason = one(refused("secret", "with an explicit deny in an identity-based policy"), of)
    assert reason.code == "explicit-deny"
    [remedy] = remedies(reason, "remove-deny")
    assert remedy.path.endswith("/Statement/2")
    role = of.data["Resources"]["WebRole"]
    assert allowed(list(_policies(role)), [request("secret")]) == [False]
    assert allowed(list(_policies(followed(of, remedy).data["Resources"]["WebRole"])), [request("secret")]) == [True]


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize(
    ("because", "code"),
    [
        ("because no permissions boundary allows the {action} action", "boundary-statement"),
        ("because no service control policy allows the {action} action", "organization-statement"),
        ("because no VPC endpoint policy allows the {action} action", "endpoint-statement"),
    ],
)
def test_a_statement_for_a_policy_that_only_limits(name: str, because: str, code: str) -> None:
    reason = one(refused(name, because))
    adding = remedies(reason, code)
    assert adding
    statements = [
        {key: value for key, value in remedy.value.items() if (key, value) != ("Principal", "*")} for remedy in adding
    ]
    assert allowed([{"Version": "2012-10-17", "Statement": statements}], [request(name)]) == [True]


@pytest.mark.parametrize("policy", ["resource-based policy", "service control policy", "VPC endpoint policy"])
def test_no_statement_overrides_an_explicit_deny(policy: str) -> None:
    for of in (None, template(), template(SPEC)):
        reason = one(refused("secret", f"with an explicit deny in a {policy}"), of)
        assert reason.category == "permission"
        assert {remedy.code for remedy in reason.remedy} <= {"look"}


BY_RESOURCE = "because no resource-based policy allows the {action} action"


@pytest.mark.parametrize(
    ("name", "because"),
    # An object's ARN has no account, so only AWS's own message shows that it belongs to another account.
    [(name, BECAUSE) for name in ("pull", "secret", "key")]
    + [(name, BY_RESOURCE) for name in ("pull", "secret", "key", "object")],
)
def test_a_statement_for_the_owner_in_another_account(name: str, because: str) -> None:
    resource = REFUSALS[name][1].replace(ACCOUNT, OTHER)
    reason = one(refused(name, because, resource))
    [remedy] = [remedy for remedy in reason.remedy if remedy.code in ("resource-statement", "key-statement")]
    assert (remedy.code == "key-statement") == (name == "key")
    statement = dict(remedy.value)
    # The evaluator requires a resource, which only a repository's policy does not have.
    statement.setdefault("Resource", resource)
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    own = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    asked = request(name, resource)
    for role, expected in (("execution-role", True), ("ops/execution-role", True), ("another-role", False)):
        session = ROLE_SESSION.replace("execution-role", role.rpartition("/")[2])
        context = {**asked.context, "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
        asked = asked._replace(context=context)
        [answer] = _ask(policies=[own], trust=policy, requests=[asked], principal=session, account=OTHER)
        assert answer.allowed is expected


def test_a_statement_for_layers() -> None:
    text = next(case.text for case in cases() if case.code == "layers-refused")
    [remedy] = remedies(one(text), "endpoint-statement")
    statement = {key: value for key, value in remedy.value.items() if key != "Principal"}
    layer = "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/0f1e2d/3c4b5a"
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    assert allowed([policy], [Request("s3:GetObject", layer), Request("s3:GetObject", "arn:aws:s3:::b/k")]) == [
        True,
        False,
    ]


# -- the role itself -------------------------------------------------------------------------------------------------

ASSUME = (
    f"ECS was unable to assume the role 'arn:aws:iam::{ACCOUNT}:role/execution-role' that was provided for this task."
)
CONTEXT = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:ecs:{ARN}:*"}


def test_a_trust_policy_in_the_template() -> None:
    of = template(HAND_WRITTEN.replace("ecs-tasks.amazonaws.com", "ec2.amazonaws.com"))
    reason = one(ASSUME, of)
    assert (reason.code, reason.granted) == ("assume-role", False)
    [remedy] = remedies(reason, "trust-statement")
    after = followed(of, remedy)
    trust = filled(after.data["Resources"]["WebRole"]["Properties"]["AssumeRolePolicyDocument"])
    assert assumable(trust, [CONTEXT]) == [True]
    assert one(ASSUME, after).granted is True
    assert [remedy.code for remedy in one(ASSUME, after).remedy] == ["deploy", "look"]


def test_a_trust_policy_of_a_deployed_role(aws: None) -> None:
    [remedy] = remedies(one(ASSUME), "trust-statement")
    client = boto3.client("iam")
    client.create_role(RoleName="execution-role", AssumeRolePolicyDocument="{}")
    run(remedy.command)
    trust: Any = client.get_role(RoleName="execution-role")["Role"]["AssumeRolePolicyDocument"]
    assert trust == remedy.value
    assert assumable(trust, [CONTEXT, {**CONTEXT, "aws:SourceAccount": OTHER}]) == [True, False]


def test_passing_a_role() -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/execution-role"
    text = (
        f"AccessDeniedException: User: arn:aws:sts::{ACCOUNT}:assumed-role/deployer/1 is not authorized to perform:"
        f" iam:PassRole on resource: {role} because no identity-based policy allows the iam:PassRole action"
    )
    reason = one(text)
    assert reason.code == "pass-role"
    [remedy] = remedies(reason, "add-statement")
    assert remedy.subject == "deployer"
    policy = {"Version": "2012-10-17", "Statement": [remedy.value]}
    passed = [
        Request("iam:PassRole", role, {"iam:PassedToService": f"{service}.amazonaws.com"})
        for service in ("ecs-tasks", "ec2")
    ]
    assert allowed([policy], passed) == [True, False]


def test_a_definition_without_a_role_that_auto_is_refused_for() -> None:
    text = next(case.text for case in cases() if case.code == "credentials-missing")
    without = HAND_WRITTEN.replace("      ExecutionRoleArn: !GetAtt WebRole.Arn\n", "")
    of = template(without.replace("ValueFrom: /proxy/token", "ValueFrom: !ImportValue token"))
    [remedy] = one(text, of).remedy
    assert (remedy.code, remedy.value) == ("use-spec", {"Unresolved": "Ignore"})
    assert allowed(granted_by(followed(of, remedy)), [request("pull")]) == [True]


def test_a_definition_without_a_role() -> None:
    text = next(case.text for case in cases() if case.code == "credentials-missing")
    of = template(HAND_WRITTEN.replace("      ExecutionRoleArn: !GetAtt WebRole.Arn\n", ""))
    [remedy] = one(text, of).remedy
    assert remedy.code == "use-spec"
    assert allowed(granted_by(followed(of, remedy)), [request("pull")]) == [True]
    assert not one(text, template()).remedy


# -- what is not there -----------------------------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield


def commands(text: str, of: TemplateFile | None = None) -> list[str]:
    return [remedy.command for remedy in remedies(one(text, of), "run")]


def test_a_log_group_is_made(aws: None) -> None:
    text = (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to"
        " create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist."
    )
    [command] = commands(text, template())
    run(command)
    logs = boto3.client("logs", region_name=REGION)
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == ["/ecs/web"]
    # A hand-written role would have to allow it first; the macro's role does.
    assert not remedies(one(text, template()), "set-value")
    of = template(SPEC)
    [remedy] = remedies(one(text, of), "set-value")
    create = Request("logs:CreateLogGroup", f"arn:aws:logs:{ARN}:log-group:/ecs/web:log-stream:")
    assert allowed(granted_by(of), [create]) == [False]
    assert allowed(granted_by(followed(of, remedy)), [create]) == [True]


def test_a_repository_is_made(aws: None) -> None:
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/web:7"
    text = (
        f"CannotPullContainerError: Error response from daemon: repository {image} not found: name unknown: The"
        f" repository with name 'team/web' does not exist in the registry with id '{ACCOUNT}'"
    )
    text = text.replace("repository " + image, f"failed to resolve ref {image}:")
    [command] = commands(text)
    run(command)
    ecr = boto3.client("ecr", region_name=REGION)
    assert [found["repositoryName"] for found in ecr.describe_repositories()["repositories"]] == ["team/web"]


def test_a_parameter_is_made(aws: None, tmp_path: Path) -> None:
    (tmp_path / "value.txt").write_text("the value", encoding="utf-8")
    text = (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed:"
        " unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: /web/token"
    )
    for command in commands(text):
        run(command, folder=tmp_path)
    ssm = boto3.client("ssm", region_name=REGION)
    assert ssm.get_parameters(Names=["/web/token"])["InvalidParameters"] == []


def test_secrets(aws: None, tmp_path: Path) -> None:
    (tmp_path / "value.json").write_text('{"password": "p"}', encoding="utf-8")
    client = boto3.client("secretsmanager", region_name=REGION)
    arn = client.create_secret(Name="prod/db")["ARN"]
    doing = (
        f"ResourceInitializationError: unable to retrieve secret from asm: failed to fetch secret {arn} from secrets"
    )
    doing += " manager: "
    [command] = commands(
        f"{doing}ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label:"
        " AWSCURRENT"
    )
    run(command, folder=tmp_path)
    assert "password" in client.get_secret_value(SecretId=arn)["SecretString"]
    [command] = commands(f"{doing}retrieved secret from Secrets Manager did not contain json key password")
    run(command, folder=tmp_path)
    client.delete_secret(SecretId=arn)
    [command] = commands(
        f"{doing}InvalidRequestException: You can't perform this operation on the secret because it was marked for"
        " deletion."
    )
    run(command)
    assert "DeletedDate" not in client.describe_secret(SecretId=arn)


@pytest.mark.parametrize("state", ["disabled", "pending deletion"])
def test_a_key_is_made_usable(state: str, aws: None) -> None:
    kms = boto3.client("kms", region_name=REGION)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    if state == "disabled":
        kms.disable_key(KeyId=key.rpartition("/")[2])
    else:
        kms.schedule_key_deletion(KeyId=key.rpartition("/")[2])
    text = (
        f"ResourceInitializationError: unable to retrieve secret from asm: AccessDeniedException: {key} is {state}. "
        "(Service: AWSKMS; KMSInvalidStateException)"
    )
    for command in commands(text):
        run(command)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_an_object_is_put(aws: None, tmp_path: Path) -> None:
    (tmp_path / "web.env").write_text("A=1", encoding="utf-8")
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket="settings", CreateBucketConfiguration={"LocationConstraint": REGION})
    text = (
        "ResourceInitializationError: failed to download env files: file download command: non empty error stream:"
        " service call has been retried 1 time(s): failed to get object for key web.env from bucket settings,"
        " NoSuchKey:"
        " The specified key does not exist."
    )
    reason = one(text, template())
    assert [place.who for place in reason.places] == ["container web"]
    for command in commands(text):
        run(command, folder=tmp_path)
    assert s3.head_object(Bucket="settings", Key="web.env")["ContentLength"] == 3


def test_an_image_of_another_registry() -> None:
    text = (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref"
        " docker.io/library/nginx:1.25: toomanyrequests: You have reached your unauthenticated pull rate limit."
    )
    of = template()
    [remedy] = one(text, of).remedy
    assert (remedy.code, remedy.key) == ("set-value", "Image")
    # https://gallery.ecr.aws/docker/library/nginx
    assert remedy.value == "public.ecr.aws/docker/library/nginx:1.25"
    assert one(text, followed(of, remedy)).unplaced == "not-asked"


# -- all of them -----------------------------------------------------------------------------------------------------


MISSING = json.dumps({"tasks": [], "failures": [{"arn": f"arn:aws:ecs:{ARN}:task/web/0f1e", "reason": "MISSING"}]})


def timeout(address: str) -> str:
    return (
        "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve ecr registry auth:"
        f' RequestError: send request failed caused by: Post "https://api.ecr.{REGION}.amazonaws.com/": dial tcp'
        f" {address}:443: i/o timeout"
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("44.213.79.104", ["check-route", "check-public-ip", "check-egress"]),
        ("10.0.3.7", ["check-endpoint", "check-egress"]),
        ("172.31.3.7", ["check-endpoint", "check-egress"]),
        ("100.64.3.7", ["check-endpoint", "check-egress"]),
        ("172.32.3.7", ["check-route", "check-public-ip", "check-egress"]),
    ],
)
def test_the_way_to_a_service(address: str, expected: list[str]) -> None:
    """A public address is reached over a route to the internet, a private one over an endpoint."""
    reason = one(timeout(address))
    assert reason.category == "network"
    assert [remedy.code for remedy in reason.remedy if remedy.code.startswith("check-")] == expected
    assert [remedy.subject for remedy in reason.remedy if remedy.code == expected[0]] == [address]


def test_a_host_that_is_not_resolved() -> None:
    text = timeout("x").replace("dial tcp x:443: i/o timeout", "dial tcp: lookup api.ecr.amazonaws.com: no such host")
    assert [remedy.code for remedy in one(text).remedy if remedy.code.startswith("check-")] == ["check-dns"]


def test_a_task_that_ecs_no_longer_has(aws: None) -> None:
    reason = one(MISSING)
    assert reason.certainty == "unknown"
    commands = [remedy.command for remedy in remedies(reason, "look")]
    assert any("list-tasks --cluster web --desired-status STOPPED" in command for command in commands)
    assert any("AttributeKey=Username,AttributeValue=0f1e" in command for command in commands)
    assert any("--query 'services[].events[].message'" in command for command in commands)
    [keep] = remedies(reason, "keep-reasons")
    events = boto3.client("events", region_name=REGION)
    events.put_rule(Name="stopped", EventPattern=json.dumps(keep.value))
    assert json.loads(events.describe_rule(Name="stopped")["EventPattern"]) == keep.value
    # The event that ECS sends, as AWS documents it.
    event: Any = {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {"lastStatus": "STOPPED"}}
    assert EventPattern.load(json.dumps(keep.value)).matches_event(event)
    event["detail"] = {"lastStatus": "RUNNING"}
    assert not EventPattern.load(json.dumps(keep.value)).matches_event(event)


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("failed to create Cloudwatch log stream: The specified log group does not exist.", "logs describe-log-groups"),
        (
            "unable to retrieve secret from asm: retrieved secret from Secrets Manager did not contain json key a.",
            "secretsmanager list-secrets",
        ),
        ("Essential container in task exited", "ecs describe-tasks"),
        ("(service web) (deployment ecs-svc/1) deployment failed: tasks failed to start.", "ecs describe-tasks"),
    ],
)
def test_there_is_a_next_step_where_the_text_has_no_name(text: str, operation: str) -> None:
    said = text if "ecs" in operation else f"ResourceInitializationError: {text}"
    assert [remedy.command.partition(" --")[0] for remedy in one(said).remedy] == [f"aws {operation}"]


def test_the_secret_of_the_template_is_looked_at() -> None:
    """The text about a JSON key does not always have the secret."""
    asked = f"arn:aws:secretsmanager:{ARN}:secret:prod/db-AbCdEf"
    of = template(HAND_WRITTEN.replace("ValueFrom: /web/token", f'ValueFrom: "{asked}:password::"'))
    text = (
        "ResourceInitializationError: unable to retrieve secret from asm: retrieved secret from Secrets Manager did not"
        " contain json key password."
    )
    reason = one(text, of)
    [place] = reason.places
    assert place.path.endswith("/Secrets/1/ValueFrom")
    assert [remedy.subject for remedy in reason.remedy] == [asked, asked]


@cache
def _every() -> tuple[Remedy, ...]:
    """The results for all texts of the corpus: as text, and as tasks with and without a template."""
    subnets = [{"details": [{"name": "subnetId", "value": "subnet-0a1b2c3d"}]}]
    tasks = [
        {"taskArn": f"arn:aws:ecs:{ARN}:task/web/{case.id}", "stoppedReason": case.text, "attachments": subnets}
        for case in cases()
    ]
    found = [reason for case in cases() for reason in diagnose(case.text, None, STACK)]
    for of in (None, template(), template(SPEC)):
        found += diagnose(json.dumps({"tasks": tasks}), of, STACK)
    return tuple(remedy for reason in found for remedy in reason.remedy)


@pytest.mark.xdist_group("remedies of the corpus")
def test_all_commands_are_commands_of_aws(aws: None, tmp_path: Path) -> None:
    """For each command that the corpus gives: the operation exists, and its parameters are valid."""
    for name in ("value.json", "value.txt"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    found = {remedy.command: remedy for remedy in _every() if remedy.command}
    operations = set()
    for command in found:
        body = re.search(r"--body (\S+)", command)
        if body:
            (tmp_path / body[1]).write_text("", encoding="utf-8")
        run(command, folder=tmp_path, answer={})
        operations.add(" ".join(command.split()[1:3]))
    assert len(operations) >= 25, sorted(operations)


@pytest.mark.xdist_group("remedies of the corpus")
def test_every_code_of_remedies_is_given_by_something() -> None:
    deny = refused("secret", "with an explicit deny in an identity-based policy")
    role = HAND_WRITTEN.replace(
        "Policies: []",
        'Policies: [{PolicyName: a, PolicyDocument: {Statement: [{Effect: Deny, Action: "*", Resource: "*"}]}}]',
    )
    given = {remedy.code for remedy in _every()} | {remedy.code for remedy in one(deny, template(role)).remedy}
    given |= {remedy.code for remedy in one(refused("secret", resource=SECRET.replace(ACCOUNT, OTHER))).remedy}
    only_allows = refused("secret", "because no service control policy allows the {action} action")
    given |= {remedy.code for remedy in one(only_allows).remedy}
    given |= {remedy.code for remedy in one(refused("stream"), template(EXPORTED)).remedy}
    given |= {remedy.code for text in (REFUSED_KEY, MISSING, timeout("10.0.3.7")) for remedy in one(text).remedy}
    assert given == set(REMEDIES)
