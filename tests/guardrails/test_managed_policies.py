"""Managed policies that a template attaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.guardrails.templates import (
    ADMINISTRATOR,
    NO_VALUE,
    ROLE,
    STARTER,
    STRANGER,
    Json,
    both,
    event,
    made,
    policy_on,
    ref,
    refused,
    role,
    snippet,
    statement,
    task,
)
from tests.support.cloudformation import ACCOUNT, REGION


def ways_to_attach(arn: Any, values: Mapping[str, Any] | None = None) -> dict[str, Json]:
    return {
        "spec": event({"Web": task({"ManagedPolicyArns": [arn]})}, values),
        "spec in Fn::If": event({"Web": task({"ManagedPolicyArns": both([NO_VALUE], [both(NO_VALUE, arn)])})}, values),
        "role": event({"Role": role(ManagedPolicyArns=[arn])}, values),
        "starter role": event({"Role": role({"Infer": False}, ManagedPolicyArns=[arn])}, values),
        "snippet's siblings": {
            **snippet({"Infer": False}, ManagedPolicyArns=[arn]),
            "templateParameterValues": values or {},
        },
    }


ATTACHING = list(ways_to_attach(""))


@pytest.mark.parametrize("way", ATTACHING)
def test_managed_policies_may_be_forbidden_or_listed(way: str) -> None:
    request = ways_to_attach(ADMINISTRATOR)[way]
    [line] = refused(request, MANAGED_POLICIES="false")
    assert line.endswith(f"`{ADMINISTRATOR}` is not an allowed managed policy; remove it")
    [line] = refused(request, MANAGED_POLICIES=f"{STARTER},team-*")
    assert line.endswith(f"write one of {STARTER}, arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/team-*")
    fine = ways_to_attach(f"arn:aws:iam::{ACCOUNT}:policy/team-web")[way]
    assert made(fine, MANAGED_POLICIES=f"{STARTER},team-*") == made(fine)


@pytest.mark.parametrize(
    "arn",
    [
        ADMINISTRATOR.upper(),
        f"arn:aws:iam::{STRANGER}:policy/team-web",
        "arn:aws:iam::aws:policy/team-web",
        ref("Given"),
        ref("Hidden"),
        ref("Listed"),
        {"Fn::ImportValue": "policy"},
        {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:policy/${Stored}"},
    ],
)
def test_no_spelling_hides_a_managed_policy(arn: Any) -> None:
    values = {"Given": ADMINISTRATOR, "Listed": [f"arn:aws:iam::{ACCOUNT}:policy/team-web", ADMINISTRATOR]}
    [line] = refused(ways_to_attach(arn, values)["role"], MANAGED_POLICIES="team-*")
    assert line.startswith(f"{ROLE}/ManagedPolicyArns")


def test_a_whole_list_in_a_parameter_is_seen_too() -> None:
    values = {"Listed": f"arn:aws:iam::{ACCOUNT}:policy/team-web,{ADMINISTRATOR}"}
    request = event({"Role": role(ManagedPolicyArns=ref("Listed"))}, values)
    [line] = refused(request, MANAGED_POLICIES="team-*")
    assert line.startswith(f"{ROLE}/ManagedPolicyArns/1: `{ADMINISTRATOR}`")
    split = event({"Role": role(ManagedPolicyArns={"Fn::Split": [",", ref("Hidden")]})})
    assert refused(split, MANAGED_POLICIES="team-*")


def test_a_policy_of_the_template_is_not_a_listed_one() -> None:
    mine = policy_on("ManagedPolicy", "", statement(), Roles=[], ManagedPolicyName="team-web")
    request = event({"Web": task({"ManagedPolicyArns": [ref("Mine")]}), "Mine": mine})
    [line] = refused(request, MANAGED_POLICIES="team-*")
    assert "`!Ref Mine` is not an allowed managed policy" in line
    attached = event({"Web": task(), "Mine": policy_on("ManagedPolicy", "WebExecutionRole", statement())})
    lines = refused(attached, MANAGED_POLICIES="team-*")
    assert lines == [
        f"Resources/Mine/Properties/Roles: {what}; remove the role from it"
        for what in ["attaches a managed policy to WebExecutionRole that is not allowed"]
    ]


@pytest.mark.parametrize("request_", [event({"Web": task("Starter")}), event({"Role": role("Starter")})])
def test_starter_attaches_a_managed_policy_like_any_other(request_: Json) -> None:
    [line] = refused(request_, MANAGED_POLICIES="false")
    assert line.endswith(
        "attaches AmazonECSTaskExecutionRolePolicy, which is not an allowed managed policy; write Auto"
    )
    assert refused(request_, MANAGED_POLICIES="team-*")
    assert refused(request_, ACCOUNTS="self"), "it pulls from any account"
    assert made(request_, ACCOUNTS="self", MANAGED_POLICIES=STARTER) == made(request_)


def test_accounts_forbid_managed_policies_unless_their_owner_says_otherwise() -> None:
    request = ways_to_attach(ADMINISTRATOR)["spec"]
    assert refused(request, ACCOUNTS="self")
    assert refused(request, REGIONS="self")
    assert made(request, ACCOUNTS="self", MANAGED_POLICIES="true") == made(request)


def test_the_macros_own_managed_policies_are_not_meant() -> None:
    """What does not fit into the role itself moves to managed policies, whose statements the macro wrote."""
    secrets = [f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{'x' * 60}{n:04}-a1B2c3" for n in range(150)]
    request = event({"Web": task({"Secrets": secrets})})
    resources = made(request, MANAGED_POLICIES="false", STATEMENTS="false", ACCOUNTS="self")
    assert resources == made(request)
    assert "AWS::IAM::ManagedPolicy" in {resource["Type"] for resource in resources.values()}
