"""What the owners of other accounts must grant: access across accounts needs the role's policy and theirs.

Each `Owner` has the policy in words and as a CloudFormation snippet for the owner's own stack. There are no parameters
among them: ECS reads no parameter of another account.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_exec_role.needs.need import Need
from ecs_exec_role.template.symbols import ACCOUNT, Symbols

_ARN = re.compile(r"arn:[^:]*:[a-z0-9-]+:(?P<region>[^:]*):(?P<account>[^:]*):(?P<rest>.+)", re.DOTALL)
_ACCOUNT_ID = re.compile("[0-9]{12}")
_AWS = "https://docs.aws.amazon.com"
_WHERE = {
    "Image": ("the repository's policy", f"{_AWS}/AmazonECR/latest/userguide/repository-policies.html"),
    "Cache": ("the registry's policy", f"{_AWS}/AmazonECR/latest/userguide/pull-through-cache-iam.html"),
    "Secret": (
        "the secret's resource policy",
        f"{_AWS}/secretsmanager/latest/userguide/auth-and-access_examples_cross.html",
    ),
    "Key": ("the key's policy", f"{_AWS}/kms/latest/developerguide/key-policy-modifying-external-accounts.html"),
    "Bucket": ("the bucket's policy", f"{_AWS}/AmazonS3/latest/userguide/bucket-policies.html"),
}
"""For each kind of thing: the policy in which its owner grants access, and AWS's page about it."""

_KINDS = {
    "Image": "Image",
    "PullThroughImage": "Cache",
    "Secret": "Secret",
    "Key": "Key",
    "Object": "Bucket",
    "Bucket": "Bucket",
}


_PUBLISHED = {
    "repository/aws-for-fluent-bit": (
        "128054284489",
        "161423150738",
        "449074385750",
        "741863432321",
        "906394416424",
    ),
    "repository/aws-appmesh-envoy": (
        "422531588944",
        "772975370895",
        "840364872350",
        "856666278305",
        "924023996002",
    ),
}
"""The repositories that AWS keeps for every account, and the accounts in which they are.

See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/firelens-using-fluentbit.html and
https://docs.aws.amazon.com/app-mesh/latest/userguide/envoy.html
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """What one account must grant on one thing.

    `account` is its number; empty for a bucket, whose ARN does not have it. `resource` is the thing's ARN, `kind` one
    of Image, Cache, Secret, Key and Bucket. `text` is the grant in words, `snippet` a resource of CloudFormation in
    JSON; for a key, the statement of its policy.
    """

    account: str
    resource: str
    kind: str
    text: str
    snippet: str
    docs: str


def of(needs: Iterable[Need], symbols: Symbols, *, account: str, region: str, partition: str) -> tuple[Owner, ...]:
    """What the owners of other accounts must grant for these needs of a role.

    Args:
        needs: what the role needs.
        symbols: what their texts are made of.
        account: the number of the stack's account; empty if it is not known.
        region: the stack's region; empty if it is not known.
        partition: the stack's partition.
    """
    known = {"${AWS::Partition}": partition, "${AWS::Region}": region}
    found: dict[tuple[str, str, str], dict[str, dict[str, None]]] = {}
    for need in needs:
        whose = _account(need, account)
        if whose is None:
            continue
        arn = symbols.show(need.resource)
        for symbol, value in known.items():
            arn = arn.replace(symbol, value or symbol)
        kind = _KINDS[need.grant.kind]
        thing = _thing(kind, arn)
        found.setdefault((kind, whose, thing), {}).setdefault(arn, {}).update(dict.fromkeys(need.grant.actions))
    caches = {arn for (kind, _, _), arns in found.items() if kind == "Cache" for arn in arns}
    principal = f"arn:{partition}:iam::{account or 'ACCOUNT'}:root"
    return tuple(
        _owner(kind, whose, thing, found[kind, whose, thing], principal, cached=thing in caches, sure=bool(account))
        for kind, whose, thing in sorted(found)
    )


def _account(need: Need, own: str) -> str | None:
    """The other account that must grant something: empty if it is not known, None if there is none."""
    match = _ARN.fullmatch(need.resource)
    kind = need.grant.kind
    if match is None or kind not in _KINDS or (kind == "Secret" and need.resource.endswith("-??????")):
        return None
    if kind in ("Object", "Bucket"):
        # Only buckets of the template have this condition.
        return None if any(key == "aws:ResourceAccount" for _, key, _ in need.conditions) else ""
    account = match["account"]
    if account in _PUBLISHED.get(match["rest"], ()):
        return None
    return account if account not in (ACCOUNT, own) and _ACCOUNT_ID.fullmatch(account) else None


def _thing(kind: str, arn: str) -> str:
    """The resource whose policy grants access to an ARN."""
    if kind == "Bucket":
        return arn.partition("/")[0]
    return arn.partition(":repository/")[0] if kind == "Cache" else arn


def _owner(
    kind: str,
    account: str,
    thing: str,
    arns: Mapping[str, Iterable[str]],
    principal: str,
    *,
    cached: bool,
    sure: bool,
) -> Owner:
    where, docs = _WHERE[kind]
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": sorted(actions),
            **({"Resource": _resource(kind, arn)} if kind != "Image" else {}),
        }
        for arn, actions in arns.items()
    ]
    actions = sorted({action for each in arns.values() for action in each})
    text = f"allow {', '.join(actions)} to {principal} in {where}"
    if kind == "Image":
        text += ": in the stack that has the repository, or with `aws ecr set-repository-policy`"
    if cached and kind == "Image":
        text = f"allow {', '.join(actions)} to {principal} in the policy of the repositories that the cache creates"
    if kind == "Bucket":
        text += ", if the bucket is in another account"
    elif not sure:
        text += ", unless that account is the stack's own"
    snippet = _snippet(kind, thing, {"Version": "2012-10-17", "Statement": statements}, cached=cached)
    return Owner(account, thing, kind, text, json.dumps(snippet, indent=2, ensure_ascii=False), docs)


def _resource(kind: str, arn: str) -> str:
    if kind == "Bucket":
        return arn
    return f"{arn.rpartition('/')[0]}/*" if kind == "Cache" else "*"


def _snippet(kind: str, thing: str, policy: dict[str, Any], *, cached: bool) -> dict[str, Any]:
    name = thing.split(":", 5)[-1].removeprefix("repository/")
    properties: dict[str, Any]
    if kind == "Key":
        statement: dict[str, Any] = policy["Statement"][0]
        return statement
    if kind == "Image" and cached:
        made_by = "AWS::ECR::RepositoryCreationTemplate"
        properties = {
            "Prefix": name.partition("/")[0],
            "AppliedFor": ["PULL_THROUGH_CACHE"],
            "RepositoryPolicy": json.dumps(policy),
        }
    elif kind == "Image":
        made_by = "AWS::ECR::Repository"
        properties = {"RepositoryName": name, "RepositoryPolicyText": policy}
    elif kind == "Cache":
        made_by, properties = "AWS::ECR::RegistryPolicy", {"PolicyText": policy}
    elif kind == "Secret":
        made_by = "AWS::SecretsManager::ResourcePolicy"
        properties = {"SecretId": thing, "ResourcePolicy": policy}
    else:
        made_by, properties = "AWS::S3::BucketPolicy", {"Bucket": name, "PolicyDocument": policy}
    return {"Type": made_by, "Properties": properties}
