"""Follows the advice of an audit: then it finds nothing more."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from ecs_exec_role.audit import report
from ecs_exec_role.audit.granted import managed_policies
from ecs_exec_role.audit.report import RoleAudit
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.macro_call import StackValues

Document = dict[str, Any]
NO_VALUE = {"Ref": "AWS::NoValue"}
POLICY = "service-role/AmazonECSTaskExecutionRolePolicy"
HERE = "${AWS::Region}:${AWS::AccountId}"


def sub(text: str) -> Document:
    return {"Fn::Sub": text}


SECRET = f"arn:aws:secretsmanager:{HERE}:secret:${{Env}}/db"
PARAMETER = f"arn:aws:ssm:{HERE}:parameter/${{Env}}"
LOGS = f"arn:${{AWS::Partition}}:logs:{HERE}:log-group:"
PIECES: list[Document] = [
    {"Secrets": [{"Name": "A", "ValueFrom": sub(f"{SECRET}-AbCdEf")}]},
    {"Secrets": [{"Name": "A", "ValueFrom": sub(SECRET)}, {"Name": "B", "ValueFrom": sub("/${Env}/flag")}]},
    {"Secrets": [{"Name": "B", "ValueFrom": sub("/${Env}/flag")}, {"Name": "C", "ValueFrom": {"Ref": "Locked"}}]},
    {"Secrets": [{"Fn::If": ["Prod", {"Name": "C", "ValueFrom": {"Ref": "Secret"}}, NO_VALUE]}]},
    {
        "Secrets": [
            {"Fn::If": ["Prod", {"Name": "C", "ValueFrom": "/prod/a"}, NO_VALUE]},
            {"Fn::If": ["NotProd", {"Name": "C", "ValueFrom": "/dev/a"}, NO_VALUE]},
        ]
    },
    {"Image": sub("${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/web:${Env}")},
    {
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {"awslogs-group": "/ecs/web", "awslogs-region": {"Ref": "AWS::Region"}},
        }
    },
    {
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": sub("/ecs/${Env}"),
                "awslogs-region": {"Ref": "AWS::Region"},
                "awslogs-create-group": "true",
            },
        }
    },
]
ACTIONS = [
    "*",
    "ssm:*",
    "ssm:Get*",
    "ssm:GetParameters",
    "secretsmanager:GetSecretValue",
    "SecretsManager:Get*",
    "kms:Decrypt",
    "logs:*",
    "logs:PutLogEvents",
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "s3:GetObject",
]
RESOURCES: list[Any] = [
    "*",
    sub(f"{PARAMETER}/*"),
    sub(f"{PARAMETER}/flag"),
    sub(f"{SECRET}-*"),
    sub(f"{SECRET}-??????"),
    {"Ref": "Locked"},
    {"Ref": "Secret"},
    {"Fn::GetAtt": ["Key", "Arn"]},
    sub(f"{LOGS}/ecs/*"),
    sub(f"{LOGS}/ecs/web:*"),
    {"Fn::If": ["Prod", sub(f"arn:aws:ssm:{HERE}:parameter/prod/a"), sub(f"arn:aws:ssm:{HERE}:parameter/dev/a")]},
    {"Fn::If": ["NotProd", {"Ref": "Secret"}, NO_VALUE]},
]
ALLOWED = st.fixed_dictionaries(
    {
        "Effect": st.just("Allow"),
        "Action": st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3, unique=True),
        "Resource": st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=2, unique_by=json.dumps),
    }
)
OTHERS: list[Document] = [
    {"Effect": "Deny", "Action": "ssm:*", "Resource": "*"},
    {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
]
STATEMENTS = st.lists(st.one_of(ALLOWED, ALLOWED, ALLOWED, st.sampled_from(OTHERS)), max_size=4)


def assuming(service: str) -> Document:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}


TRUSTS: list[Any] = [
    {"Statement": [assuming("ecs-tasks.amazonaws.com")]},
    {"Statement": [assuming("ec2.amazonaws.com")]},
    json.dumps({"Statement": assuming("ecs-tasks.amazonaws.com")}),
]


def template(pieces: list[Document], statements: list[Document], trust: Any, *, managed: bool) -> Document:
    containers = [{"Name": f"c{index}", "Image": "nginx", **piece} for index, piece in enumerate(pieces)]
    policy: Document = {"PolicyName": "own", "PolicyDocument": {"Statement": statements}}
    role: Document = {"AssumeRolePolicyDocument": trust, "Policies": [policy]}
    if managed:
        role["ManagedPolicyArns"] = [sub(f"arn:${{AWS::Partition}}:iam::aws:policy/{POLICY}")]
    return {
        "Parameters": {"Env": {"Type": "String", "Default": "dev"}},
        "Conditions": {
            "Prod": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
            "NotProd": {"Fn::Not": [{"Condition": "Prod"}]},
        },
        "Resources": {
            "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}},
            "Secret": {"Type": "AWS::SecretsManager::Secret"},
            "Locked": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
            "Task": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {
                    "RequiresCompatibilities": ["FARGATE"],
                    "ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    "ContainerDefinitions": containers,
                },
            },
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        },
    }


def audit(data: Document) -> RoleAudit:
    [found] = report.of(template_file.parse("t.json", json.dumps(data)), StackValues())
    return found


def leaves(node: Any, path: str) -> Iterator[str]:
    """The paths of the resources in a statement."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from leaves(item, f"{path}/{index}")
    elif isinstance(node, dict) and "Fn::If" in node:
        yield from leaves(node["Fn::If"][1], f"{path}/Fn::If/1")
        yield from leaves(node["Fn::If"][2], f"{path}/Fn::If/2")
    elif node != NO_VALUE:
        yield path


def only(node: Any, path: str, required: str) -> Any:
    """A statement with only one of its resources."""
    if isinstance(node, list):
        return [only(item, f"{path}/{index}", required) for index, item in enumerate(node)]
    if isinstance(node, dict) and "Fn::If" in node:
        name, *branches = node["Fn::If"]
        return {"Fn::If": [name, *(only(each, f"{path}/Fn::If/{n}", required) for n, each in enumerate(branches, 1))]}
    return node if path == required else NO_VALUE


def changed_statements(node: Any, top: str, gone: dict[str, set[str]], removed: set[str]) -> list[Any]:
    """One statement as several, one for each of its resources."""
    if node == NO_VALUE or top in removed:
        return []
    if isinstance(node, list):
        several = [changed_statements(each, f"{top}/{index}", gone, removed) for index, each in enumerate(node)]
        return [each for one in several for each in one]
    if "Fn::If" in node:
        name, *branches = node["Fn::If"]
        left = [changed_statements(each, f"{top}/Fn::If/{n}", gone, removed) for n, each in enumerate(branches, 1)]
        return [{"Fn::If": [name, *left]}]
    if node["Effect"] == "Deny" or "NotAction" in node:
        return [node]
    kept = []
    listed = node["Action"] if isinstance(node["Action"], list) else [node["Action"]]
    for leaf in leaves(node["Resource"], f"{top}/Resource"):
        actions = [action for action in listed if action not in gone.get(leaf, ())]
        if actions:
            kept.append({**node, "Action": actions, "Resource": only(node["Resource"], f"{top}/Resource", leaf)})
    return kept


def followed(data: Document, found: RoleAudit) -> Document:
    """The template after the advice, followed literally."""
    data = copy.deepcopy(data)
    role = data["Resources"]["Role"]["Properties"]
    if any("/ManagedPolicyArns/" in finding.path for finding in found.findings):
        # "replace the managed policy with an inline policy": then its statements can be changed one by one.
        del role["ManagedPolicyArns"]
        document = {"Statement": list(managed_policies()[POLICY]["Statement"])}
        role["Policies"].append({"PolicyName": "managed", "PolicyDocument": document})
        return followed(data, audit(data))
    gone: dict[str, set[str]] = {}
    removed: set[str] = set()
    added: list[Any] = []
    for finding in found.findings:
        added.extend(finding.statements)
        if finding.code.startswith("trust-"):
            role["AssumeRolePolicyDocument"] = found.trust
        elif finding.code in ("permission-denied", "negated-statement"):
            removed.add(finding.path)
        elif finding.kind in ("excess", "too-wide"):
            gone.setdefault(finding.path, set()).update(finding.actions)
    for number, policy in enumerate(role["Policies"]):
        listed = policy["PolicyDocument"]["Statement"]
        top = f"Resources/Role/Properties/Policies/{number}/PolicyDocument/Statement"
        changed = [changed_statements(each, f"{top}/{index}", gone, removed) for index, each in enumerate(listed)]
        policy["PolicyDocument"]["Statement"] = [each for several in changed for each in several]
    role["Policies"].append({"PolicyName": "added", "PolicyDocument": {"Statement": added}})
    return data


@examples(12)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3), STATEMENTS, st.sampled_from(TRUSTS), st.booleans())
def test_all_advice_followed_nothing_is_left(
    pieces: list[Document], statements: list[Document], trust: Any, managed: bool
) -> None:
    data = template(pieces, statements, trust, managed=managed)
    for _ in range(6):  # If several Deny statements match one action, the first is reported.
        found = audit(data)
        if not [finding for finding in found.findings if finding.kind != "unknown"]:
            break
        data = followed(data, found)
    left = audit(data).findings
    assert [finding for finding in left if finding.kind != "unknown"] == []
    assert {finding.code for finding in left} <= {"use-uncertain"}


def test_the_whole_policy_is_advice_too() -> None:
    data = template(
        [*PIECES[1:2], *PIECES[3:]], [{"Effect": "Allow", "Action": "*", "Resource": "*"}], TRUSTS[0], managed=True
    )
    found = audit(data)
    role = data["Resources"]["Role"]["Properties"]
    role.pop("ManagedPolicyArns")
    role["Policies"] = [{"PolicyName": "own", "PolicyDocument": found.policy}]
    role["AssumeRolePolicyDocument"] = found.trust
    assert "${Env}" in json.dumps(found.policy)
    assert audit(data).findings == ()
