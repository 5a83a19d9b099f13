"""Statements that a template writes, in every form."""

from __future__ import annotations

from typing import Any

import pytest
from tests.guardrails.templates import (
    NO_VALUE,
    ROLE,
    SECRET,
    SPEC,
    STRANGER,
    STRANGERS_SECRET,
    Json,
    both,
    document,
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
from tests.support.cloudformation import ACCOUNT


def ways_to_grant(*statements: Any) -> dict[str, Json]:
    """Every way in which a template can give a role of the macro a statement of its own."""
    policies = [{"PolicyName": "p", "PolicyDocument": document(*statements)}]
    one = policies[0]
    return {
        "spec": event({"Web": task({"Statements": list(statements)})}),
        "spec in Fn::If": event({"Web": task({"Statements": [both(each, NO_VALUE) for each in statements]})}),
        "spec on a role": event({"Role": role({"Statements": list(statements)})}),
        "role": event({"Role": role(Policies=policies)}),
        "role, list in Fn::If": event({"Role": role(Policies=both(policies, NO_VALUE))}),
        "role, policy in Fn::If": event({"Role": role(Policies=[both(NO_VALUE, one)])}),
        "starter role": event({"Role": role("Starter", Policies=policies)}),
        "snippet": snippet({"Statements": list(statements)}),
        "snippet's siblings": snippet({"Infer": False}, Policies=policies),
        "policy": event({"Web": task(), "More": policy_on("Policy", "WebExecutionRole", *statements)}),
        "role policy": event({"Web": task(), "More": policy_on("RolePolicy", "WebExecutionRole", *statements)}),
        "managed policy": event({"Web": task(), "More": policy_on("ManagedPolicy", "WebExecutionRole", *statements)}),
        "managed policy by Ref": event(
            {
                "Web": task({"ManagedPolicyArns": [ref("More")]}),
                "More": policy_on("ManagedPolicy", "", *statements, Roles=[]),
            }
        ),
        "policy by Fn::Sub": event(
            {"Role": role(), "More": policy_on("Policy", "", *statements, role={"Fn::Sub": "${Role}"})}
        ),
        "policy by its ARN taken apart": event(
            {
                "Role": role(),
                "More": policy_on(
                    "Policy",
                    "",
                    *statements,
                    role={"Fn::Select": [1, {"Fn::Split": ["/", {"Fn::GetAtt": ["Role", "Arn"]}]}]},
                ),
            }
        ),
        "policy by name": event(
            {"Role": role(RoleName="web"), "More": policy_on("RolePolicy", "", *statements, role="web")}
        ),
        "policy by name in a parameter": event(
            {"Web": task({"RoleName": "web"}), "More": policy_on("Policy", "", *statements, role=ref("Given"))},
            {"Given": "web"},
        ),
        "policy by a name put together later": event(
            {"Role": role(), "More": policy_on("Policy", "", *statements, role={"Ref": {"Fn::Sub": "R${Given}"}})},
            {"Given": "ole"},
        ),
        "policy by a name that is known later": event(
            {"Role": role(RoleName="web"), "More": policy_on("Policy", "", *statements, role=ref("Hidden"))}
        ),
        "policy by a name that another resource hands on": event(
            {
                "Name": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "web"}},
                "Role": role(RoleName="web"),
                "More": policy_on("Policy", "", *statements, role={"Fn::GetAtt": "Name.Value"}),
            }
        ),
        "policy by a name that begins alike": event(
            {
                "Role": role(RoleName={"Fn::Sub": "web-${Stored}"}),
                "More": policy_on("Policy", "", *statements, role={"Fn::Sub": "WEB-${Hidden}"}),
            }
        ),
        "policy by a name in other letters": event(
            {"Role": role(RoleName="web"), "More": policy_on("RolePolicy", "", *statements, role="Web")}
        ),
        "policy in Fn::If": event(
            {"Role": role(), "More": policy_on("Policy", "", *statements, role=both(ref("Role"), "other"))}
        ),
    }


WAYS = list(ways_to_grant())


@pytest.mark.parametrize("way", WAYS)
def test_statements_may_be_forbidden(way: str) -> None:
    lines = refused(ways_to_grant(statement())[way], STATEMENTS="false", MANAGED_POLICIES="true")
    assert lines
    for line in lines:
        told = line.partition(": ")[2].partition("; or, if this is for another role")[0]
        assert told == (
            "is a statement of the template's own, which is not allowed;"
            " remove it; what the definition needs is granted without it"
        )


@pytest.mark.parametrize("way", WAYS)
def test_actions_may_be_listed(way: str) -> None:
    fine = ways_to_grant(statement(["ssm:getparameters", "xray:Put*"]), {**statement("iam:*"), "Effect": "Deny"})[way]
    assert made(fine, STATEMENTS="ssm:GetParameters,xray:*", MANAGED_POLICIES="true") == made(fine)
    rails = {"STATEMENTS": "ssm:Get*,xray:*", "MANAGED_POLICIES": "true"}
    [line] = refused(ways_to_grant(statement(["ssm:GetParameters", "ssm:*"]))[way], **rails)
    assert "Action/1: `ssm:*` is not an allowed action; write one of ssm:Get*, xray:*" in line


@pytest.mark.parametrize(
    "node",
    [
        statement("*"),
        statement("s*:GetParameters"),
        statement("ssm:Ge?Parameters"),
        statement("ssm:GetParameter"),
        statement(ref("Hidden")),
        statement(ref("Given")),
        statement({"Fn::Sub": "ssm:${Stored}"}),
        statement(both("ssm:GetParameters", "iam:PassRole")),
        statement([both(NO_VALUE, "iam:PassRole"), "ssm:GetParameters"]),
        {"Effect": "Allow", "NotAction": "ssm:GetParameters", "Resource": "*"},
        {**statement("iam:PassRole"), "Effect": both("Allow", "Deny")},
        {**statement("iam:PassRole"), "Effect": ref("Given")},
    ],
)
def test_no_spelling_hides_an_action(node: Json) -> None:
    request = event({"Web": task({"Statements": [node]})}, {"Given": "iam:PassRole"})
    assert refused(request, STATEMENTS="ssm:GetParameters")[0].startswith(f"{SPEC}/Statements/0")


@pytest.mark.parametrize(
    "policies",
    [
        [{"PolicyName": "p", "PolicyDocument": ref("Hidden")}],
        [{"PolicyName": "p", "PolicyDocument": {"Fn::Transform": {"Name": "Other"}}}],
        [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "statement": [statement("iam:*")]}}],
        [{"PolicyName": "p", "PolicyDocument": document({"Fn::Transform": {"Name": "Other"}})}],
        [{"PolicyName": "p", "PolicyDocument": document({"effect": "Allow", "action": "*", "resource": "*"})}],
        [{"PolicyName": "p", "PolicyDocument": '{"Statement": []}'}],
        [{"Fn::ImportValue": "policy"}],
        [{"PolicyName": "p"}],
    ],
)
def test_a_policy_that_cannot_be_read_is_a_violation(policies: list[Any]) -> None:
    [*_, line] = refused(event({"Role": role(Policies=policies)}), STATEMENTS="ssm:GetParameters")
    assert line.startswith(f"{ROLE}/Policies/0")
    assert "so it is not known what it grants; write its statements in the template" in line or (
        "is expanded after" in line
    )


def test_a_name_that_the_macro_generates_is_not_a_secret_either() -> None:
    uuid = {"Fn::Select": [2, {"Fn::Split": ["/", ref("AWS::StackId")]}]}
    start = {"Fn::Select": [0, {"Fn::Split": ["-", uuid]}]}
    name = {"Fn::Join": ["-", ["ecs", "WebExecutionRole", start]]}
    request = event({"Web": task(), "More": policy_on("Policy", "", statement(), role=name)})
    assert refused(request, STATEMENTS="false", NAME_PREFIX="ecs-")
    assert refused(request, STATEMENTS="false"), "CloudFormation can make up the same"


def test_a_connector_is_a_policy_that_cannot_be_read() -> None:
    connector = {"Type": "AWS::Serverless::Connector", "Properties": {"Source": {"RoleName": ref("WebExecutionRole")}}}
    [line] = refused(event({"Web": task(), "Link": connector}), STATEMENTS="false")
    assert line.startswith("Resources/Link/Properties/")


def test_policies_of_other_roles_are_ignored() -> None:
    other = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": document(statement("*"))}]}}
    policies = {
        "By": policy_on("Policy", "Other", statement("*")),
        "ByName": policy_on("Policy", "", statement("*"), role="app"),
        "BySub": policy_on("RolePolicy", "", statement("*"), role={"Fn::Sub": "app-${Hidden}"}),
    }
    request = event({"Web": task({"RoleName": "web"}), "Other": other, **policies})
    assert made(request, STATEMENTS="false", ACCOUNTS="self") == made(request)
    nothing = event({"Role": role(Policies=[])})
    assert made(nothing, STATEMENTS="false") == made(nothing)


@pytest.mark.parametrize("way", WAYS)
def test_statements_are_held_to_accounts_and_regions(way: str) -> None:
    fine = ways_to_grant(
        statement(resource=[SECRET, {"Fn::Sub": "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/*"}]),
        statement(Condition={"StringEquals": {"aws:resourceaccount": [ref("AWS::AccountId")]}}),
        {**statement(), "Effect": "Deny"},
    )[way]
    rails = {"ACCOUNTS": "self", "MANAGED_POLICIES": "true"}
    assert made(fine, **rails) == made(fine)
    [line] = refused(ways_to_grant(statement(resource=[SECRET, STRANGERS_SECRET]))[way], **rails)
    assert f"Resource/1: `{STRANGERS_SECRET}` is in the account {STRANGER}, which is not allowed" in line
    [line] = refused(ways_to_grant(statement())[way], **rails)
    assert (
        "Resource: `*` can be in any account; write it out, or add"
        f" Condition: {{StringEquals: {{aws:ResourceAccount: …}}}} with: {ACCOUNT} (the stack's own)"
    ) in line


@pytest.mark.parametrize(
    "node",
    [
        statement(resource="arn:aws:secretsmanager:*:*:secret:x"),
        statement(resource="arn:aws:secretsmanager:us-east-1:1*:secret:x"),
        statement(resource=f"arn:aws:*:us-east-1:{ACCOUNT}:*"),
        statement(resource=f"arn:*:ssm:us-east-1:{ACCOUNT}:parameter/x"),
        statement(resource="arn:aws:s3:::bucket/*"),
        statement(resource="arn:aws:ssm"),
        statement(resource=ref("Hidden")),
        statement(resource=both(SECRET, "*")),
        {"Effect": "Allow", "Action": "ssm:GetParameters", "NotResource": SECRET},
        statement(Condition={"StringLike": {"aws:ResourceAccount": "*"}}),
        statement(Condition={"StringEqualsIfExists": {"aws:ResourceAccount": ACCOUNT}}),
        statement(Condition={"StringNotEquals": {"aws:ResourceAccount": ACCOUNT}}),
        statement(Condition={"StringEquals": {"aws:ResourceAccount": [ACCOUNT, STRANGER]}}),
        statement(Condition={"StringEquals": {"aws:ResourceAccount": both(ACCOUNT, NO_VALUE)}}),
        statement(Condition={"StringEquals": {"aws:ResourceAccount": ref("Hidden")}}),
        statement(Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
        statement(Condition={"StringEquals": both({"aws:ResourceAccount": ACCOUNT}, NO_VALUE)}),
    ],
)
def test_a_statement_that_may_reach_elsewhere_is_a_violation(node: Json) -> None:
    [line] = refused(event({"Web": task({"Statements": [node]})}), ACCOUNTS="self")
    assert line.startswith(f"{SPEC}/Statements/0")


def test_regions_hold_statements_but_for_what_has_no_region() -> None:
    for fine in (
        statement(resource="arn:aws:iam::123456789012:role/x"),
        statement(resource=SECRET),
        statement(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
        statement(
            resource="arn:aws:s3:::bucket/*", Condition={"StringEquals": {"aws:RequestedRegion": ref("AWS::Region")}}
        ),
    ):
        request = event({"Web": task({"Statements": [fine]})})
        assert made(request, REGIONS="eu-west-1") == made(request)
    for breach in (statement(), statement(resource=f"arn:aws:ssm:*:{ACCOUNT}:parameter/x")):
        [line] = refused(event({"Web": task({"Statements": [breach]})}), REGIONS="eu-west-1")
        assert "can be in any region; write it out" in line


@pytest.mark.parametrize(
    "denied",
    [
        {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::config/*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "NotAction": "s3:*", "NotResource": ref("Hidden")},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:eu-west-3:999999999999:accesspoint/x"},
    ],
)
@pytest.mark.parametrize("rails", [{"ACCOUNTS": "self"}, {"REGIONS": "self"}, {"STATEMENTS": "ssm:GetParameters"}])
def test_the_lists_do_not_restrict_what_is_denied(denied: Any, rails: dict[str, str]) -> None:
    request = event({"Web": task({"Statements": [denied]})})
    assert made(request, **rails) == made(request)
    assert refused(event({"Web": task({"Statements": [{**denied, "Effect": "Allow"}]})}), **rails)
