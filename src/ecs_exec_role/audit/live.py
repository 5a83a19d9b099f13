"""Reads a deployed role from AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ecs_exec_role.audit import sentences
from ecs_exec_role.audit.granted import Granted, GrantedStatement, Pattern, Unknown
from ecs_exec_role.audit.report import Live
from ecs_exec_role.offline.errors import InvalidInput, NoAnswer
from ecs_exec_role.template.conditions import ALWAYS
from ecs_exec_role.template.symbols import Json

if TYPE_CHECKING:
    from ecs_exec_role.preflight.aws import Aws

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
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        from ecs_exec_role.preflight.aws import Aws, CallError  # noqa: PLC0415
    except ImportError:
        raise NoAnswer("--role needs boto3; install it in the same environment: pip install boto3") from None
    try:
        session = boto3.session.Session(region_name=region or None)
    except BotoCoreError as error:
        raise NoAnswer(f"your AWS credentials cannot be used: {error}") from None
    try:
        return _read(Aws(session), session.region_name or "us-east-1", arn, match["name"])
    except CallError as error:
        raise NoAnswer(f"cannot read {arn}: {error.told}") from None


def _read(aws: Aws, region: str, arn: str, name: str) -> Live:
    iam = partial(aws.call, "iam", region)
    pages = partial(aws.pages, "iam", region, next_page="Marker", RoleName=name)
    role = iam("GetRole", RoleName=name).reply("Role")
    statements: list[GrantedStatement] = []
    unknown: list[Unknown] = []
    for page in pages("ListRolePolicies"):
        for policy in page.texts("PolicyNames"):
            found = iam("GetRolePolicy", RoleName=name, PolicyName=policy).statements("PolicyDocument")
            statements.extend(_statements(found, f"inline policy {policy}"))
    for page in pages("ListAttachedRolePolicies"):
        for attached in page.replies("AttachedPolicies"):
            managed = attached.text("PolicyArn")
            version = iam("GetPolicy", PolicyArn=managed).reply("Policy").text("DefaultVersionId")
            answer = iam("GetPolicyVersion", PolicyArn=managed, VersionId=version).reply("PolicyVersion")
            source = f"managed policy {attached.text('PolicyName')}"
            statements.extend(_statements(answer.statements("Document"), source))
    if "PermissionsBoundary" in role:
        unknown.append(Unknown("", *sentences.BOUNDARY))
    trusts = sentences.TASKS in json.dumps(role.raw("AssumeRolePolicyDocument"))
    return Live(arn, Granted(tuple(statements), tuple(unknown)), trusts)


def _statements(nodes: Iterable[Mapping[str, Any]], source: str) -> Iterator[GrantedStatement]:
    """The statements of a document from IAM, in which everything is known."""
    for node in nodes:
        all_but_actions, all_but_resources = "NotAction" in node, "NotResource" in node
        yield GrantedStatement(
            effect=node["Effect"],
            actions=_entries(node.get("NotAction" if all_but_actions else "Action")),
            all_but_actions=all_but_actions,
            resources=_entries(node.get("NotResource" if all_but_resources else "Resource")),
            all_but_resources=all_but_resources,
            condition=node.get("Condition"),
            path_condition=ALWAYS,
            path="",
            source=f"{source} ({node['Sid']})" if node.get("Sid") else source,
        )


def _entries(node: Json) -> tuple[Pattern, ...]:
    return tuple(Pattern(text, ALWAYS, "") for text in _listed(node))


def _listed(node: Json) -> list[Any]:
    return node if isinstance(node, list) else [] if node is None else [node]
