"""Reads a deployed role from AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ecs_exec_role.audit import sentences
from ecs_exec_role.audit.granted import Granted, GrantedStatement, Pattern, Unknown
from ecs_exec_role.audit.report import Live
from ecs_exec_role.offline.errors import InvalidInput, NoAnswer
from ecs_exec_role.template.conditions import ALWAYS
from ecs_exec_role.template.symbols import Json

_ROLE = re.compile(r"arn:[^:]+:iam::[0-9]{12}:role/(?:.*/)?(?P<name>[^/]+)")


def read_role(arn: str, region: str) -> Live:
    """A role with all its policies.

    Raises:
        InvalidInput: `arn` is not the ARN of a role.
        NoAnswer: boto3 is not installed, or AWS refuses or does not answer.
    """
    match = _ROLE.fullmatch(arn)
    if match is None:
        raise InvalidInput(f"--role {arn}: write arn:aws:iam::ACCOUNT:role/NAME")
    try:
        import boto3  # noqa: PLC0415 - an extra
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ImportError:
        raise NoAnswer("--role needs boto3; install it with: pip install 'ecs-exec-role[aws]'") from None
    try:
        return _read(boto3.client("iam", region_name=region or None), arn, match["name"])
    except (BotoCoreError, ClientError) as error:
        raise NoAnswer(f"cannot read {arn}: {error}") from None


def _read(iam: Any, arn: str, name: str) -> Live:
    role = iam.get_role(RoleName=name)["Role"]
    statements: list[GrantedStatement] = []
    unknown: list[Unknown] = []
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=name):
        for policy in page["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            statements.extend(_statements(document, f"inline policy {policy}"))
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        for policy in page["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
            answer = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)
            document = answer["PolicyVersion"]["Document"]
            statements.extend(_statements(document, f"managed policy {policy['PolicyName']}"))
    if "PermissionsBoundary" in role:
        unknown.append(Unknown("", *sentences.BOUNDARY))
    trusts = sentences.TASKS in json.dumps(role.get("AssumeRolePolicyDocument"))
    return Live(arn, Granted(tuple(statements), tuple(unknown)), trusts)


def _statements(document: Json, source: str) -> Iterator[GrantedStatement]:
    """The statements of a document as IAM gives it, in which everything is known."""
    if isinstance(document, str):
        document = json.loads(document)
    for node in _listed(document["Statement"]):
        all_but_actions, all_but_resources = "NotAction" in node, "NotResource" in node
        yield GrantedStatement(
            effect=node["Effect"],
            actions=_entries(node["NotAction" if all_but_actions else "Action"]),
            all_but_actions=all_but_actions,
            resources=_entries(node["NotResource" if all_but_resources else "Resource"]),
            all_but_resources=all_but_resources,
            condition=node.get("Condition"),
            path_condition=ALWAYS,
            path="",
            source=f"{source} ({node['Sid']})" if node.get("Sid") else source,
        )


def _entries(node: Json) -> tuple[Pattern, ...]:
    return tuple(Pattern(text, ALWAYS, "") for text in _listed(node))


def _listed(node: Json) -> list[Any]:
    return node if isinstance(node, list) else [node]
