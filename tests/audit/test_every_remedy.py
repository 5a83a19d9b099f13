"""Follows the remedy of each finding of an audit.

An example is a template with a finding, the finding's remedy, and the template after the remedy. Then there is
no finding with that code and that remedy. Each sentence that says what to do must have an example.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from moto import mock_aws
from tests.support.command_line import Run

from ecs_exec_role.audit import sentences
from ecs_exec_role.audit.codes import RULES

Document = dict[str, Any]


class Found(NamedTuple):
    """An example: a template, a finding's code, a part of its remedy, and the template after the remedy.

    `arguments` are further arguments of the command then: other templates, a role, a parameter.
    `before` are those before the remedy.
    """

    wrong: Document
    code: str
    says: str
    right: Document
    arguments: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


HERE = "${AWS::Region}:${AWS::AccountId}"
PARAMETER = {"Fn::Sub": f"arn:${{AWS::Partition}}:ssm:{HERE}:parameter/x"}
READ: Document = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": PARAMETER}
STARTER = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
ROLE = {"Fn::GetAtt": ["Role", "Arn"]}
IMPORT = {"Fn::ImportValue": "x"}
NO_VALUE = {"Ref": "AWS::NoValue"}
DEPLOYED = "arn:aws:iam::123456789012:role/exec"


def trust(service: Any = "ecs-tasks.amazonaws.com", *, source: bool = True, **statement: Any) -> Document:
    """A trust policy."""
    condition: Document = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    condition["ArnLike"] = {"aws:SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:ecs:{HERE}:*"}}
    made = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", **statement}
    return {"Version": "2012-10-17", "Statement": [{**made, "Condition": condition} if source else made]}


def policies(*statements: Any) -> list[Document]:
    return [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}]


def role(*statements: Any, **properties: Any) -> Document:
    """A role that ECS can use, with these statements."""
    made = {"AssumeRolePolicyDocument": trust(), "Policies": policies(*statements), **properties}
    return {"Type": "AWS::IAM::Role", "Properties": {key: value for key, value in made.items() if value is not None}}


def task(value: Any = "/x", role: Any = ROLE, **properties: Any) -> Document:
    """A definition that reads one parameter or secret."""
    container = {"Name": "web", "Image": "nginx", "Secrets": [{"Name": "A", "ValueFrom": value}]}
    given = {"ExecutionRoleArn": role} if role else {}
    more = {"RequiresCompatibilities": ["FARGATE"], "ContainerDefinitions": [container], **given, **properties}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": more}


OF_PARAMETER = task()


def made(
    *statements: Any,
    task: Document = OF_PARAMETER,
    sections: Document | None = None,
    more: Document | None = None,
    **properties: Any,
) -> Document:
    """A template of a definition and its role."""
    return {**(sections or {}), "Resources": {"Role": role(*statements, **properties), "Task": task, **(more or {})}}


GOOD = made(READ)
WRITTEN_ELSEWHERE = {"Fn::GetAtt": ["Function", "Container"]}
KEY = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}}
SECRET = {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}}
LOCKED = {"Key": KEY, "Secret": SECRET}
OF_SECRET = task({"Ref": "Secret"})
READ_SECRET: Document = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "Secret"}}
DECRYPT: Document = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": {"Fn::GetAtt": ["Key", "Arn"]}}
ONLY_FOR_IT = {
    "StringEquals": {
        "kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.amazonaws.com"},
        "kms:EncryptionContext:SecretARN": {"Ref": "Secret"},
    }
}
DECRYPT_IT = {**DECRYPT, "Condition": ONLY_FOR_IT}
KEY_POLICY = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt", "Resource": "*"}]}
NAMING = {**LOCKED, "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": KEY_POLICY}}}
IS_PROD = {"Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-central-1"]}}}
IN_PROD = task("/y")
IN_PROD["Properties"]["ContainerDefinitions"][0]["Secrets"] = [
    {"Name": "B", "ValueFrom": "/y"},
    {"Fn::If": ["IsProd", {"Name": "A", "ValueFrom": "/x"}, NO_VALUE]},
]
READ_OTHER = {**READ, "Resource": {"Fn::Sub": f"arn:${{AWS::Partition}}:ssm:{HERE}:parameter/y"}}
IMAGE = task()
IMAGE["Properties"]["ContainerDefinitions"] = [
    {"Name": "web", "Image": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/web:1"}}
]
PULL: list[Document] = [
    {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    {
        "Effect": "Allow",
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Resource": {"Fn::Sub": f"arn:${{AWS::Partition}}:ecr:{HERE}:repository/web"},
    },
]
UNKNOWN = copy.deepcopy(IMAGE)
UNKNOWN["Properties"]["ContainerDefinitions"][0]["Image"] = {"Ref": "Image"}
IMAGE_PARAMETER = {"Parameters": {"Image": {"Type": "String"}}}
BY_DEFAULT = {"Parameters": {"Image": {"Type": "String", "Default": "nginx"}}}
IMPORTED = copy.deepcopy(IMAGE)
IMPORTED["Properties"]["ContainerDefinitions"][0]["Image"] = IMPORT


ON_EC2 = copy.deepcopy(IMAGE)
del ON_EC2["Properties"]["ExecutionRoleArn"], ON_EC2["Properties"]["RequiresCompatibilities"]


def auto(wrong: Document, **properties: Any) -> Document:
    """A template with a spec instead of the role."""
    right = copy.deepcopy(wrong)
    right["Transform"] = "EcsExecRole"
    right["Resources"].pop("Role", None)
    task = right["Resources"]["Task"]["Properties"]
    task.pop("ExecutionRoleArn", None)
    task.update({"ExecutionRoleSpec": "Auto", **properties})
    return right


def allowing(service: str, resource: Any = "*") -> Document:
    return {"Effect": "Allow", "Action": service, "Resource": resource}


STARTED_BY = {"Fn::GetAtt": ["Starter", "Arn"]}


def started(*statements: Any, by: Any = STARTED_BY) -> Document:
    """A template in which a rule starts the task with a role that has these statements."""
    target = {"Id": "t", "Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/c", "RoleArn": by}
    rule = {"Targets": [{**target, "EcsParameters": {"TaskDefinitionArn": {"Ref": "Task"}}}]}
    starter = role(*statements, AssumeRolePolicyDocument=trust("events.amazonaws.com", source=False))
    return made(READ, more={"Rule": {"Type": "AWS::Events::Rule", "Properties": rule}, "Starter": starter})


RUN = allowing("ecs:RunTask", {"Ref": "Task"})
PASS: Document = allowing("iam:PassRole", ROLE) | {
    "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
}
NAMED: Document = {
    "Type": "AWS::IAM::Policy",
    "Properties": {"PolicyName": "q", "PolicyDocument": policies(READ)[0]["PolicyDocument"]},
}


def attached(name: Any) -> Document:
    return {"Policy": {**NAMED, "Properties": {**NAMED["Properties"], "Roles": [name]}}}


EXAMPLES: dict[str, Found] = {
    # -- lacking --
    "a permission": Found(made(), "permission-lacking", "allow ssm:GetParameters on", GOOD),
    "a permission, by the macro": Found(made(), "permission-lacking", "or let the macro write the role", auto(made())),
    "no role": Found(made(task=task(role=None)), "permission-lacking", sentences.WRITE_SPEC, auto(GOOD)),
    "a denial": Found(
        made(READ, {**READ, "Effect": "Deny", "Resource": "*"}),
        "permission-denied",
        sentences.CHANGE_DENY,
        made(READ, {**READ_OTHER, "Effect": "Deny"}),
    ),
    "a trust policy": Found(
        made(READ, AssumeRolePolicyDocument=trust("ec2.amazonaws.com")),
        "trust-lacking",
        sentences.TRUST_LACKING.fix,
        GOOD,
    ),
    "a rule that may not pass the role": Found(
        started(RUN), "pass-role-lacking", "allow iam:PassRole on", started(RUN, PASS)
    ),
    # -- too much --
    "an unused permission": Found(
        made(READ, allowing("ssm:GetParameters", READ_OTHER["Resource"])), "permission-unused", "remove it", GOOD
    ),
    "file systems": Found(
        made(READ, allowing("elasticfilesystem:ClientMount")),
        "permission-unused",
        "file systems are mounted with the task role",
        GOOD,
    ),
    "ECS Exec": Found(made(READ, allowing("ssmmessages:*")), "permission-unused", "ECS Exec uses the task role", GOOD),
    "the application's permissions": Found(
        made(READ, allowing("dynamodb:GetItem")),
        "permission-unused",
        "what the application itself calls belongs to the task role",
        GOOD,
    ),
    "a managed policy that nothing needs": Found(
        made(READ, ManagedPolicyArns=[STARTER]), "permission-unused", sentences.WITHOUT_MANAGED_POLICY, GOOD
    ),
    "a resource": Found(made({**READ, "Resource": "*"}), "resource-too-wide", "allow only ssm:GetParameters on", GOOD),
    "a managed policy": Found(
        made(task=IMAGE, ManagedPolicyArns=[STARTER]),
        "resource-too-wide",
        "replace the managed policy with an inline policy, and allow only",
        made(*PULL, task=IMAGE),
    ),
    "an action": Found(
        made({**READ, "Action": "ssm:Get*"}), "action-too-wide", "allow only ssm:GetParameters on", GOOD
    ),
    "a key": Found(
        made(READ_SECRET, DECRYPT, task=OF_SECRET, more=LOCKED),
        "decrypt-too-wide",
        "allow only kms:Decrypt on",
        made(READ_SECRET, DECRYPT_IT, task=OF_SECRET, more=LOCKED),
    ),
    "a condition": Found(
        made(READ, READ_OTHER, task=IN_PROD, sections=IS_PROD),
        "condition-too-wide",
        "allow only ssm:GetParameters on",
        made({"Fn::If": ["IsProd", READ, NO_VALUE]}, READ_OTHER, task=IN_PROD, sections=IS_PROD),
    ),
    "everything but": Found(
        made({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
        "negated-statement",
        "allow only ssm:GetParameters on",
        GOOD,
    ),
    "a trust policy without source": Found(
        made(READ, AssumeRolePolicyDocument=trust(source=False)),
        "trust-without-source",
        sentences.TRUST_WITHOUT_SOURCE.fix,
        GOOD,
    ),
    "others in the trust policy": Found(
        made(READ, AssumeRolePolicyDocument=trust(["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"])),
        "trust-other-principals",
        "give others a role of their own",
        GOOD,
    ),
    "a rule that may pass every role": Found(
        started(RUN, {**PASS, "Resource": "*"}), "pass-role-too-wide", "allow only iam:PassRole on", started(RUN, PASS)
    ),
    # -- cannot tell --
    "a statement with a condition": Found(
        made({**READ, "Condition": {"StringEquals": {"aws:ResourceTag/a": "b"}}}),
        "permission-uncertain",
        sentences.CHECK_GRANT,
        GOOD,
    ),
    "a policy of another template": Found(
        made(ManagedPolicyArns=[IMPORT]), "permission-uncertain", sentences.CHECK_OTHER_POLICY, GOOD
    ),
    "a key policy": Found(
        made(READ_SECRET, task=OF_SECRET, more=NAMING),
        "permission-uncertain",
        sentences.CHECK_THAT_POLICY,
        made(READ_SECRET, DECRYPT_IT, task=OF_SECRET, more=NAMING),
    ),
    "a denial with a condition": Found(
        made(READ, {**READ, "Effect": "Deny", "Condition": {"StringEquals": {"aws:ResourceTag/a": "b"}}}),
        "deny-uncertain",
        sentences.CHECK_DENY,
        GOOD,
    ),
    "a key that nobody sees": Found(
        made(READ, allowing("kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1234")),
        "use-uncertain",
        sentences.CHECK_NEED,
        GOOD,
    ),
    "a value that is known by a default alone": Found(
        made(*PULL, task=UNKNOWN, sections=BY_DEFAULT),
        "use-uncertain",
        "and give the value, as in --parameter Image=…",
        made(*PULL, task=UNKNOWN, sections=BY_DEFAULT),
        ("--parameter", "Image=nginx"),
    ),
    "a role with a name": Found(
        made(READ, allowing("s3:GetObject"), RoleName="x"),
        "used-elsewhere",
        sentences.CHECK_NEED,
        made(READ, RoleName="x"),
    ),
    "a policy that cannot be read": Found(
        made(Policies=[{"PolicyName": "p", "PolicyDocument": IMPORT}]),
        "policy-unreadable",
        "write the policy as YAML or JSON",
        GOOD,
    ),
    "a policy of AWS": Found(
        made(ManagedPolicyArns=["arn:aws:iam::aws:policy/Unknown"]),
        "policy-unreadable",
        sentences.AUDIT_DEPLOYED,
        made(ManagedPolicyArns=["arn:aws:iam::aws:policy/Unknown"]),
        ("--role", DEPLOYED),
    ),
    "a policy that may be the role's": Found(
        made(READ, RoleName="x", more=attached(IMPORT)),
        "policy-unreadable",
        "name the role by !Ref Role if it does",
        made(RoleName="x", more=attached({"Ref": "Role"})),
    ),
    "a trust policy that cannot be read": Found(
        made(READ, AssumeRolePolicyDocument=IMPORT), "trust-unreadable", "write that it allows sts:AssumeRole to", GOOD
    ),
    "a boundary": Found(
        made(READ, PermissionsBoundary="arn:aws:iam::123456789012:policy/b"),
        "boundary-not-judged",
        sentences.BOUNDARY.fix,
        GOOD,
    ),
    "a rule with another's role": Found(
        started(by=IMPORT), "pass-role-uncertain", "check that it allows iam:PassRole on", started(RUN, PASS)
    ),
    "a role of another template": Found(
        made(task=task(role=IMPORT)) | {"Outputs": {}},
        "role-outside",
        "name the template that exports it too",
        made(task=task(role=IMPORT)),
        ("exports.json",),
    ),
    "a role of another template, deployed": Found(
        {"Resources": {"Task": task(role=IMPORT)}},
        "role-outside",
        "or audit the deployed role with --role ARN",
        {"Resources": {"Task": task(role=IMPORT)}},
        ("--role", DEPLOYED),
    ),
    "a role that nothing uses": Found(
        {"Resources": {"Role": role(READ), "Task": task(role=IMPORT)}},
        "role-unused",
        sentences.ROLE_UNUSED.fix,
        {"Resources": {"Task": task(role=IMPORT)}},
    ),
    "no role on EC2": Found(
        {"Resources": {"Task": ON_EC2}},
        "no-execution-role",
        sentences.WRITE_SPEC_HERE,
        auto({"Resources": {"Task": ON_EC2}}),
    ),
    "a value": Found(
        made(*PULL, task=UNKNOWN, sections=IMAGE_PARAMETER),
        "value-unresolved",
        "give its value, as in --parameter Image=…",
        made(*PULL, task=UNKNOWN, sections=IMAGE_PARAMETER),
        ("--parameter", "Image=nginx"),
    ),
    "a value that only the deployment knows": Found(
        made(*PULL, task=IMPORTED), "value-unresolved", "and check its policies", made(*PULL, task=IMAGE)
    ),
    "a value with a mistake": Found(made(READ, task=task("/*")), "value-unreadable", "name one resource", GOOD),
    "a value that is written elsewhere": Found(
        made(READ, task=task(ContainerDefinitions=[WRITTEN_ELSEWHERE])),
        "value-unreadable",
        sentences.WRITE_WHAT_IT_GIVES,
        GOOD,
    ),
    "a definition": Found(made(READ, task=task("/x\U00100007")), "definition-unreadable", "remove the character", GOOD),
    "no definition": Found(
        {"Resources": {"Role": role()}},
        "no-definition",
        sentences.NO_DEFINITION.fix,
        {"Resources": {"Task": task(role=IMPORT)}},
        ("--role", DEPLOYED),
        ("--role", DEPLOYED),
    ),
}

EXPORTS: Document = {
    "Resources": {"Role": role(READ)},
    "Outputs": {"Role": {"Value": ROLE, "Export": {"Name": "x"}}},
}


def found(run: Run, template: Document, *arguments: str) -> list[Mapping[str, Any]]:
    """The findings of an audit of a template, with the other templates and options that are named."""
    Path("t.json").write_text(json.dumps(template), encoding="utf-8")
    Path("exports.json").write_text(json.dumps(EXPORTS), encoding="utf-8")
    where = ("--region", "us-east-1", "--account", "123456789012")
    result = run("audit", "t.json", *arguments, "--format", "json", *where)
    assert result.exit_code == 0, result.output
    return [finding for audit in json.loads(result.stdout) for finding in audit["findings"]]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The role `exec` in a moto account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        iam = boto3.client("iam", region_name="us-east-1")
        document = trust(source=False)
        iam.create_role(RoleName="exec", AssumeRolePolicyDocument=json.dumps(document))
        statement = {**READ, "Resource": "arn:aws:ssm:us-east-1:123456789012:parameter/x"}
        written = {"Version": "2012-10-17", "Statement": [statement]}
        iam.put_role_policy(RoleName="exec", PolicyName="p", PolicyDocument=json.dumps(written))
        yield


def matching(findings: list[Mapping[str, Any]], example: Found) -> list[Mapping[str, Any]]:
    return [each for each in findings if each["code"] == example.code and example.says in each["fix"]]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_remedy_that_is_followed_ends_the_finding(run: Run, request: pytest.FixtureRequest, name: str) -> None:
    example = EXAMPLES[name]
    if "--role" in example.arguments:
        request.getfixturevalue("deployed")
    findings = found(run, example.wrong, *example.before)
    assert matching(findings, example), [(each["code"], each["fix"]) for each in findings]
    left = found(run, example.right, *example.arguments)
    assert not matching(left, example)
    assert not [each["what"] for each in left if each["kind"] == "lacking"]


# -- that there is an example for each --------------------------------------------------------------------------------

WHAT = {
    # These say what is wrong, not what to do.
    "needed", "denied", "maybe_denied", "maybe_granted", "granted_by_none_that_is_read", "granted_by_resource_policy",
    "not_granted", "condition_decided", "allowed", "needed_of_these", "needed_on", "unconditional",
    "value_may_need", "everything_but", "besides", "but", "others_of_template_may_need",
    "value_unreadable",
    "definition_unreadable", "no_role", "no_role_on_ec2", "runner_outside", "cannot_pass", "may_not_pass",
    "passes_too_much",
}  # fmt: skip


CONSTANTS = {
    # These constants too.
    "CANNOT_BE_READ", "THAT_CANNOT_BE_READ", "THAT_IS_NOT_KNOWN",
    "NAMES_LOG_GROUP", "WITHOUT_SUFFIX", "RESOURCE_UNCERTAIN", "NEED_UNCERTAIN",
    "LIMITED_BY_TAG", "NEEDED_ON_FEWER", "FOR_ALL_ENCRYPTED", "NOT_THE_STREAMS", "NOTHING_NEEDS", "TASKS_NEED_NOTHING",
    "KEY_UNKNOWN", "CONTAINERS_MAY_NEED", "OTHERS_MAY_NEED", "IMPORTING_STACK_MAY_NEED", "OUTPUT_MAY_BE_USED",
    "NAME_MAY_BE_USED", "UNLESS_IMPORTED",
}  # fmt: skip


def test_each_code_has_an_example() -> None:
    assert {example.code for example in EXAMPLES.values()} == set(RULES)


@pytest.mark.usefixtures("deployed")
def test_each_sentence_that_says_what_to_do_has_an_example(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()

    def counted(name: str, function: Any) -> Any:
        def count(*arguments: Any, **named: Any) -> Any:
            used.add(name)
            return function(*arguments, **named)

        return count

    functions = {
        name: value
        for name, value in vars(sentences).items()
        if callable(value) and getattr(value, "__module__", "") == sentences.__name__ and not isinstance(value, type)
    }
    said = {name for name in functions if not name.startswith("_")}
    assert said >= WHAT
    for name in said - WHAT:
        monkeypatch.setattr(sentences, name, counted(name, functions[name]))
    fixes = [each["fix"] for example in EXAMPLES.values() for each in found(run, example.wrong, *example.before)]
    assert said - WHAT == used
    constants = {name: value for name, value in vars(sentences).items() if name.isupper() and isinstance(value, str)}
    unused = {name for name, value in constants.items() if not any(value in fix for fix in fixes)}
    assert unused == CONSTANTS
