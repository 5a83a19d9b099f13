"""The tests' own reading of CloudFormation does what AWS documents, and refuses what AWS refuses."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import CloudFormationError, Stack, circle, role_policies

FRAGMENT: dict[str, Any] = {
    "Parameters": {
        "Name": {"Type": "String", "Default": "web"},
        "Count": {"Type": "Number", "Default": 3},
        "Subnets": {"Type": "List<AWS::EC2::Subnet::Id>", "Default": "subnet-1, subnet-2"},
        "Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/image"},
        "Needed": {"Type": "String"},
    },
    "Conditions": {
        "IsWeb": {"Fn::Equals": [{"Ref": "Name"}, "web"]},
        "IsOther": {"Fn::Not": [{"Condition": "IsWeb"}]},
        "Both": {"Fn::And": [{"Condition": "IsWeb"}, {"Condition": "IsOther"}]},
        "Either": {"Fn::Or": [{"Condition": "IsWeb"}, {"Condition": "IsOther"}]},
    },
    "Mappings": {"Accounts": {"us-east-1": {"agent": "111122223333"}}},
    "Resources": {
        "Repo": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": {"Fn::Sub": "${Name}/app"}}},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/web"}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "db"}},
        "Key": {"Type": "AWS::KMS::Key"},
        "Nowhere": {"Type": "AWS::SQS::Queue", "Condition": "IsOther"},
    },
}


@pytest.mark.parametrize(
    "value, expected",
    [
        ({"Ref": "Name"}, "web"),
        ({"Ref": "Count"}, "3"),
        ({"Ref": "Subnets"}, ["subnet-1", "subnet-2"]),
        ({"Ref": "Image"}, "nginx"),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Ref": "Repo"}, "web/app"),
        ({"Fn::GetAtt": "Repo.Arn"}, "arn:aws:ecr:us-east-1:123456789012:repository/web/app"),
        ({"Fn::GetAtt": ["Repo", "RepositoryUri"]}, "123456789012.dkr.ecr.us-east-1.amazonaws.com/web/app"),
        ({"Fn::GetAtt": "Logs.Arn"}, "arn:aws:logs:us-east-1:123456789012:log-group:/web:*"),
        ({"Fn::Sub": "${Name}-${!Name}-${Logs.Arn}-${AWS::Region}"}, None),
        ({"Fn::Sub": ["${A}${B}", {"A": "${B}", "B": {"Ref": "Count"}}]}, "${B}3"),
        ({"Fn::Sub": "${AWS::Region}:${!aws:PrincipalTag/x}"}, "us-east-1:${aws:PrincipalTag/x}"),
        ({"Fn::Join": ["/", ["a", {"Ref": "Name"}, {"Ref": "AWS::NoValue"}, True]]}, "a/web/true"),
        ({"Fn::Join": [",", {"Ref": "Subnets"}]}, "subnet-1,subnet-2"),
        ({"Fn::Select": ["1", {"Fn::Split": [".", "a.b.c"]}]}, "b"),
        ({"Fn::FindInMap": ["Accounts", {"Ref": "AWS::Region"}, "agent"]}, "111122223333"),
        ({"Fn::FindInMap": ["Accounts", "eu-west-1", "agent", {"DefaultValue": "none"}]}, "none"),
        ({"Fn::ImportValue": {"Fn::Sub": "${Name}-repo"}}, "imported"),
        ({"Fn::If": ["IsWeb", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Both", "yes", {"Fn::If": ["Either", "neither", "no"]}]}, "neither"),
        ({"Keep": 1, "Drop": {"Fn::If": ["IsOther", 2, {"Ref": "AWS::NoValue"}]}}, {"Keep": 1}),
        ([{"Fn::If": ["IsOther", 2, {"Ref": "AWS::NoValue"}]}, 1], [1]),
    ],
)
def test_functions_resolve(value: Any, expected: Any) -> None:
    stack = Stack(FRAGMENT, imports={"web-repo": "imported"}, ssm={"/image": "nginx"})

    if expected is None:
        expected = "web-${Name}-arn:aws:logs:us-east-1:123456789012:log-group:/web:*-us-east-1"
    assert stack.resolve(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Missing"},
        {"Ref": "Needed"},
        {"Ref": "Nowhere"},
        {"Fn::GetAtt": "Secret.Arn"},
        {"Fn::GetAtt": ["Nowhere", "Arn"]},
        {"Fn::Sub": "${Missing}"},
        {"Fn::Sub": "${a b}"},
        {"Fn::Sub": "${Subnets}"},
        {"Fn::Join": ["", {"Ref": "Name"}]},
        {"Fn::FindInMap": ["Accounts", "eu-west-1", "agent"]},
        {"Fn::ImportValue": "missing"},
        {"Fn::If": ["Missing", 1, 2]},
        {"Fn::Unheard": 1},
        {"Fn::If": ["IsWeb", 1, 2], "Other": 1},
    ],
)
def test_what_cloudformation_refuses_is_refused(value: Any) -> None:
    with pytest.raises(CloudFormationError):
        Stack(FRAGMENT).resolve(value)


def test_conditions_are_evaluated_or_forced() -> None:
    assert Stack(FRAGMENT).resources("AWS::SQS::Queue") == []
    assert Stack(FRAGMENT, {"Name": "other"}).resources("AWS::SQS::Queue") == ["Nowhere"]
    assert Stack(FRAGMENT, conditions={"IsOther": True}).resources("AWS::SQS::Queue") == ["Nowhere"]


def test_names_follow_the_region() -> None:
    stack = Stack(FRAGMENT, region="cn-north-1")

    assert stack.ref("Secret").startswith("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:db-")
    assert len(stack.ref("Secret").rpartition("-")[2]) == 6
    assert stack.attribute("Repo", "RepositoryUri").endswith(".dkr.ecr.cn-north-1.amazonaws.com.cn/web/app")
    assert stack.attribute("Key", "Arn") == f"arn:aws-cn:kms:cn-north-1:123456789012:key/{stack.ref('Key')}"


def test_a_role_has_the_policies_that_anything_gives_it() -> None:
    def policy(name: str) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": [{"Sid": name}]}

    aws = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    role = {
        "Policies": [{"PolicyName": "a", "PolicyDocument": policy("Inline")}],
        "ManagedPolicyArns": [{"Ref": "Attached"}, aws, "arn:aws:iam::123456789012:policy/outside"],
    }
    roles = {"Roles": [{"Ref": "Role"}]}
    fragment = {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Other": {"Type": "AWS::IAM::Role", "Properties": {}},
            "Apart": {
                "Type": "AWS::IAM::RolePolicy",
                "Properties": {"RoleName": {"Ref": "Role"}, "PolicyDocument": policy("Apart")},
            },
            "Named": {"Type": "AWS::IAM::Policy", "Properties": {**roles, "PolicyDocument": policy("Named")}},
            "Naming": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {**roles, "PolicyDocument": policy("Naming")}},
            "Attached": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": policy("Attached")}},
            "Stray": {
                "Type": "AWS::IAM::RolePolicy",
                "Properties": {"RoleName": {"Ref": "Other"}, "PolicyDocument": policy("Stray")},
            },
        }
    }
    outside = {"arn:aws:iam::123456789012:policy/outside": policy("Outside")}

    held = role_policies(Stack(fragment), "Role", managed=outside)

    sids = [statement.get("Sid") for document in held for statement in document["Statement"]]
    assert sids == ["Inline", "Apart", "Named", "Naming", "Attached", None, "Outside"]
    with pytest.raises(CloudFormationError, match="policy/outside"):
        role_policies(Stack(fragment), "Role")


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Other"},
        {"Fn::GetAtt": "Other.Arn"},
        {"Fn::GetAtt": ["Other", "Arn"]},
        {"Fn::Sub": "${Other.Arn}"},
        {"Fn::Sub": ["${X}", {"X": {"Ref": "Other"}}]},
        {"Fn::Join": ["", ["a", {"Ref": "Other"}]]},
        [{"Fn::If": ["C", {"Ref": "Other"}, "b"]}],
    ],
)
def test_a_circular_dependency_is_found_through_any_function(value: Any) -> None:
    other: dict[str, Any] = {"Type": "AWS::SQS::Queue", "DependsOn": "Queue"}
    queue: dict[str, Any] = {"Type": "AWS::SQS::Queue", "Properties": {"Tags": {"Value": value}}}

    assert sorted(circle({"Resources": {"Queue": queue, "Other": other}})) == ["Other", "Queue"]
    assert circle({"Resources": {"Queue": queue, "Other": {"Type": "AWS::SQS::Queue"}}}) == []


def test_no_circular_dependency_through_a_literal_or_a_shadowing_variable() -> None:
    values = [{"Fn::Sub": "${!Queue}"}, {"Fn::Sub": ["${Queue}", {"Queue": "x"}]}]

    assert circle({"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Tags": values}}}}) == []
