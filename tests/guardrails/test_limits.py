"""What no macro can enforce, as docs/guardrails.md says: each of these is accepted, with any guardrails."""

from __future__ import annotations

from typing import Any

import pytest
from tests.guardrails.templates import (
    ADMINISTRATOR,
    BOUNDARY,
    Json,
    document,
    event,
    made,
    policy_on,
    ref,
    snippet,
    statement,
    task,
)

STRICT = {
    "STATEMENTS": "false",
    "MANAGED_POLICIES": "false",
    "ACCOUNTS": "self",
    "REGIONS": "self",
    "PERMISSIONS_BOUNDARY": BOUNDARY,
    "PATH": "/ecs/",
    "PREFLIGHT": "true",
}
ARN = {"Fn::GetAtt": ["WebExecutionRole", "Arn"]}


def hand_written() -> Json:
    """A role and a definition that the macro does not write."""
    definition = task()
    del definition["Properties"]["ExecutionRoleSpec"]
    definition["Properties"]["ExecutionRoleArn"] = {"Fn::GetAtt": ["Own", "Arn"]}
    own = {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": [ADMINISTRATOR]}}
    return {"Own": own, "Definition": definition}


def of_resource(kind: str, **properties: Any) -> Json:
    allowed = {**statement("*"), "Principal": {"AWS": ARN}}
    return {"More": {"Type": kind, "Properties": {"PolicyDocument": document(allowed), **properties}}}


BESIDE: dict[str, Json] = {
    "a hand-written role": hand_written(),
    "a nested stack": {
        "More": {"Type": "AWS::CloudFormation::Stack", "Properties": {"Parameters": {"Role": ref("WebExecutionRole")}}}
    },
    "a custom resource": {
        "More": {"Type": "Custom::Attach", "Properties": {"ServiceToken": "x", "Role": ref("WebExecutionRole")}}
    },
    "a schedule": {
        "More": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "Target": {
                    "Arn": "arn:aws:scheduler:::aws-sdk:iam:attachRolePolicy",
                    "Input": {"Fn::Sub": '{"RoleName": "${WebExecutionRole}"}'},
                }
            },
        }
    },
    "the policy of a bucket": of_resource("AWS::S3::BucketPolicy", Bucket="b"),
    "the policy of a queue": of_resource("AWS::SQS::QueuePolicy", Queues=["q"]),
    "the policy of a secret": {
        "More": {
            "Type": "AWS::SecretsManager::ResourcePolicy",
            "Properties": {"SecretId": "s", "ResourcePolicy": document({**statement("*"), "Principal": {"AWS": ARN}})},
        }
    },
}


@pytest.mark.parametrize("beside", list(BESIDE))
def test_what_is_written_beside_a_role_is_not_held(beside: str) -> None:
    assert made(event({"Web": task(), **BESIDE[beside]}), **STRICT)


def test_an_access_point_behind_every_resource_is_not_seen() -> None:
    held = {"StringEquals": {"aws:ResourceAccount": ref("AWS::AccountId")}}
    assert made(event({"Web": task({"Statements": [statement("s3:*", "*", Condition=held)]})}), ACCOUNTS="self")


def test_a_snippet_sees_nothing_of_its_template() -> None:
    request = snippet({"Secrets": ["prod/db"]})
    request["fragment"] = {**request["fragment"]}
    strict = {name: value for name, value in STRICT.items() if name != "PREFLIGHT"}
    assert made(request, **strict)["PermissionsBoundary"] == BOUNDARY


def test_the_same_policies_are_held_where_the_macro_sees_them() -> None:
    """The guardrails refuse this, so the tests above do not pass by accident."""
    with pytest.raises(ValueError, match="which is not allowed"):
        made(
            event({"Web": task(), "More": policy_on("Policy", "WebExecutionRole", statement("*"))}), STATEMENTS="false"
        )
