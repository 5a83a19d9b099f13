"""The rest of the template comes back as it was; names that are already used are refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.support.cloudformation import (
    ACCOUNT,
    Document,
)
from tests.support.contract import (
    CONDITIONS,
    EVERYTHING,
    NO_VALUE,
    SPEC,
    container,
    expanded,
    grants,
    one,
    refusal,
    task,
    template,
)


def test_the_rest_comes_back_as_it_was_in_its_order() -> None:
    fragment: Document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "x",
        "Outputs": {"Arn": {"Value": {"Ref": "Task"}}},
        "Parameters": {"P": {"Type": "String", "Default": "x"}},
        "Resources": {
            "Zebra": {"Type": "AWS::SNS::Topic", "Properties": {"z": 1, "a": [1, 2, {"b": None}]}},
            "Task": {
                "UpdateReplacePolicy": "Retain",
                "Type": "AWS::ECS::TaskDefinition",
                "DependsOn": "Zebra",
                "Properties": {
                    "Family": "x",
                    "ExecutionRoleSpec": "Auto",
                    "Cpu": 256,
                    "ContainerDefinitions": [EVERYTHING],
                },
                "Metadata": {"a": {"b": 1}},
            },
            "Apple": {"Type": "Custom::Thing", "Properties": {"Fn::Transform": {"Name": "x"}}},
        },
        "Metadata": {"x": [1.5, True, None, "ü"]},
        "Rules": {},
    }
    made = expanded(copy.deepcopy(fragment))
    assert list(made) == list(fragment)
    assert list(made["Resources"]) == ["Zebra", "Task", "TaskExecutionRole", "Apple"]
    assert list(made["Resources"]["Task"]) == list(fragment["Resources"]["Task"])
    properties = made["Resources"]["Task"]["Properties"]
    assert list(properties) == ["Family", "Cpu", "ContainerDefinitions", "ExecutionRoleArn"]
    made["Resources"].pop("TaskExecutionRole")
    properties.pop("ExecutionRoleArn")
    fragment["Resources"]["Task"]["Properties"].pop("ExecutionRoleSpec")
    assert json.dumps(made) == json.dumps(fragment)


@pytest.mark.parametrize("depends_on", ["Zebra", ["Zebra", "Apple"], None])
def test_depends_on_is_kept(depends_on: Any) -> None:
    held = {"DependsOn": depends_on} if depends_on else {}
    resources = {"Zebra": {"Type": "AWS::SNS::Topic"}, "Apple": {"Type": "AWS::SNS::Topic"}, "Task": {**task(), **held}}
    made = expanded(template(resources))["Resources"]["Task"]
    assert {key: value for key, value in made.items() if key == "DependsOn"} == held


UNTOUCHED: list[Any] = [
    {},
    template({}),
    {"Resources": []},
    {"Resources": {"A": None, "B": 3, "C": [], "D": {"Type": 3}, "E": {"Type": "AWS::ECS::TaskDefinition"}}},
    {"Resources": {"A": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": {"Ref": "X"}}}}},
    {"Resources": {"A": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "ExecutionRoleSpec"}}}},
    {"Resources": {"A": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": '"ExecutionRoleSpec": "Auto"'}}}},
    {"Resources": {"A": {"Type": "AWS::SNS::Topic", "Properties": {"X": "\U0010fffd\U00100000"}}}},
    {"Resources": {"A": {"Fn::If": ["x"], "Ref": 3}}, "Conditions": {"Fn::If": 3}},
    {"b": 1, "a": {"d": 1, "c": 2}},
]


@pytest.mark.parametrize("fragment", UNTOUCHED)
def test_template_with_no_spec_comes_back_unchanged(fragment: Any) -> None:
    assert json.dumps(expanded(copy.deepcopy(fragment))) == json.dumps(fragment)


def test_own_policy_name_and_ours_differ() -> None:
    own = {"PolicyName": "EcsExecRole", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"Images": ["web"]}, "Policies": [own]}}
    made = expanded(template({"Role": role}))["Resources"]["Role"]["Properties"]["Policies"]
    assert len({policy["PolicyName"] for policy in made}) == 2


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1", "us-gov-west-1"])
def test_arns_are_those_of_the_stacks_partition_and_region(region: str) -> None:
    partition = {"cn": "aws-cn", "us": "aws-us-gov"}.get(region[:2], "aws")
    fragment = expanded(one(spec={"Parameters": ["/x"], "LogGroups": ["/g"], "Secrets": ["s"]}), region=region)
    for _, resource in grants(fragment, region=region):
        assert resource.split(":")[1] == partition
        assert resource.split(":")[3:5] == [region, ACCOUNT]


@pytest.mark.parametrize("section", ["Resources", "Parameters"])
def test_logical_id_of_the_role_is_taken(section: str) -> None:
    fragment = one()
    other = {"Type": "AWS::SNS::Topic"} if section == "Resources" else {"Type": "String"}
    fragment[section] = {"TaskExecutionRole": other, **fragment.get(section, {})}
    line = refusal(fragment)
    assert line.startswith(f"{SPEC}: ")
    assert "TaskExecutionRole" in line


KEY_FOR_ROLE = {
    "Type": "AWS::KMS::Key",
    "Properties": {"KeyPolicy": {"Statement": [{"Principal": {"AWS": {"Fn::GetAtt": "TaskExecutionRole.Arn"}}}]}},
}


CYCLE: Document = {
    "Key": KEY_FOR_ROLE,
    "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
}


READS_SOMETIMES = {"Fn::If": ["C", container(Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]), NO_VALUE]}


@pytest.mark.parametrize("section", ["Resources", "Parameters"])
def test_logical_id_of_a_policy_is_taken(section: str) -> None:
    fragment = one(READS_SOMETIMES, more=CYCLE, **CONDITIONS)
    [name] = [name for name, each in expanded(fragment)["Resources"].items() if each["Type"] == "AWS::IAM::RolePolicy"]
    other = {"Type": "AWS::SNS::Topic"} if section == "Resources" else {"Type": "String"}
    fragment[section] = {**fragment.get(section, {}), name: other}
    line = refusal(fragment)
    assert line.startswith(f"{SPEC}: ")
    assert name in line


def test_name_of_a_condition_is_taken() -> None:
    both = {"Fn::If": ["D", READS_SOMETIMES, NO_VALUE]}
    fragment = one(both, more=CYCLE, **CONDITIONS)
    [name] = set(expanded(fragment)["Conditions"]) - {"C", "D"}
    fragment["Conditions"] = {**fragment["Conditions"], name: {"Fn::Equals": ["a", "b"]}}
    assert name in refusal(fragment)


def test_more_resources_than_a_template_can_hold() -> None:
    topics = {f"Topic{index}": {"Type": "AWS::SNS::Topic"} for index in range(498)}
    assert len(expanded(template({**topics, "Task": task()}))["Resources"]) == 500
    line = refusal(template({**topics, "Topic": {"Type": "AWS::SNS::Topic"}, "Task": task()}))
    assert line.startswith("Resources: ")
    assert "501" in line
