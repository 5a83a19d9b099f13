"""Policies beside the role, where in the role they would create a circular dependency."""

from __future__ import annotations

import itertools
import json

import pytest
from tests.support.cloudformation import (
    Document,
    Stack,
    circle,
    dependencies,
)
from tests.support.contract import (
    CONDITIONS,
    ECR,
    EVERYTHING,
    HOST,
    NO_VALUE,
    container,
    expanded,
    grants,
    naming_key,
    one,
    pull,
    read,
    service,
    task,
    template,
)


def test_policies_are_inline_in_the_role() -> None:
    fragment = expanded(one(EVERYTHING))
    assert list(fragment["Resources"]) == ["Task", "TaskExecutionRole"]
    assert fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"]


SECRET = {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}}


READS = container(Image=f"{HOST}/web", Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}])


def test_policy_that_would_create_a_cycle_is_beside_the_role() -> None:
    more = {"Key": naming_key(), "Secret": SECRET, "Service": service(DependsOn="Key")}
    fragment = expanded(one(READS, more=more))
    assert circle(fragment) == []
    [(name, policy)] = [
        (name, each) for name, each in fragment["Resources"].items() if each["Type"] == "AWS::IAM::RolePolicy"
    ]
    assert policy["Properties"]["RoleName"] == {"Ref": "TaskExecutionRole"}
    assert fragment["Resources"]["Service"]["DependsOn"] == ["Key", name]
    stack = Stack(fragment)
    key = stack.physical("Key").attributes["Arn"]
    assert grants(fragment) == pull(f"{ECR}/web") | read(stack.physical("Secret").ref) | {("kms:Decrypt", key)}


def test_only_what_closes_the_cycle_moves() -> None:
    more = {"Key": naming_key(), "Secret": SECRET, "Service": service()}
    fragment = expanded(one(READS, more=more))
    inline = json.dumps(fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"])
    assert "ecr:BatchGetImage" in inline
    assert "kms:Decrypt" not in inline


def test_key_that_names_no_role_stays_inline() -> None:
    more = {"Key": {"Type": "AWS::KMS::Key", "Properties": {}}, "Secret": SECRET, "Service": service(DependsOn="Key")}
    fragment = expanded(one(READS, more=more))
    assert {each["Type"] for each in fragment["Resources"].values()} >= {"AWS::IAM::Role"}
    assert not any(each["Type"] == "AWS::IAM::RolePolicy" for each in fragment["Resources"].values())
    assert fragment["Resources"]["Service"] == more["Service"]


RUNNERS: dict[str, Document] = {
    "service": service(),
    "task set": {"Type": "AWS::ECS::TaskSet", "Properties": {"TaskDefinition": {"Ref": "Task"}}},
    "rule": {
        "Type": "AWS::Events::Rule",
        "Properties": {"Targets": [{"Id": "a", "EcsParameters": {"TaskDefinitionArn": {"Ref": "Task"}}}]},
    },
    "schedule": {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Target": {"EcsParameters": {"TaskDefinitionArn": {"Fn::GetAtt": ["Task", "TaskDefinitionArn"]}}}
        },
    },
    "pipe": {
        "Type": "AWS::Pipes::Pipe",
        "Properties": {"TargetParameters": {"EcsTaskParameters": {"TaskDefinitionArn": {"Fn::Sub": "${Task}"}}}},
    },
    "custom resource": {"Type": "Custom::RunTask", "Properties": {"TaskDefinition": {"Ref": "Task"}}},
    "state machine": {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"DefinitionSubstitutions": {"Task": {"Ref": "Task"}}},
    },
    "nested stack": {"Type": "AWS::CloudFormation::Stack", "Properties": {"Parameters": {"Task": {"Ref": "Task"}}}},
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_runs_the_task_waits_for_a_policy_beside_the_role(runner: str) -> None:
    more = {"Key": naming_key(), "Secret": SECRET, "Runner": RUNNERS[runner]}
    fragment = expanded(one(READS, more=more))
    [name] = [name for name, each in fragment["Resources"].items() if each["Type"] == "AWS::IAM::RolePolicy"]
    assert name in dependencies(fragment, "Runner")
    assert circle(fragment) == []


def test_what_the_policy_itself_waits_for_does_not_wait_for_it() -> None:
    key = naming_key()
    key["Properties"]["Description"] = {"Fn::Sub": "for ${Task}"}
    more = {"Key": key, "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/x", "Value": "y"}}}
    spec = {"Statements": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": {"Fn::GetAtt": ["Key", "Arn"]}}]}
    fragment = expanded(one(container(), spec=spec, more={**more, "Service": service()}))
    assert circle(fragment) == []
    assert "DependsOn" not in fragment["Resources"]["Key"]


def test_what_runs_the_tasks_of_a_shared_role_waits_for_its_policy() -> None:
    more = {
        "Key": naming_key("Role"),
        "Secret": SECRET,
        "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [READS]}},
        "Service": service(DependsOn=["Secret"]),
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": ["Task"]}}},
    }
    fragment = expanded(template(more))
    [name] = [name for name, each in fragment["Resources"].items() if each["Type"] == "AWS::IAM::RolePolicy"]
    assert fragment["Resources"]["Service"]["DependsOn"] == ["Secret", name]
    assert circle(fragment) == []


@pytest.mark.parametrize("on_role", [False, True])
@pytest.mark.parametrize("truth", [True, False])
def test_cycle_under_a_condition(truth: bool, on_role: bool) -> None:
    needs = container(Secrets=[{"Fn::If": ["C", {"Name": "A", "ValueFrom": {"Ref": "Secret"}}, NO_VALUE]}])
    held = {"Condition": "D"} if on_role else {}
    resources = {
        "Key": naming_key(Condition="D"),
        "Secret": {**SECRET, "Condition": "D"},
        "Task": {**task(needs), **held},
        "Service": {**service(), **held},
    }
    fragment = expanded(template(resources, **CONDITIONS))
    assert circle(fragment) == []
    conditions = {"C": truth, "D": True}
    stack = Stack(fragment, conditions=conditions)
    required = read(stack.physical("Secret").ref) | {("kms:Decrypt", stack.physical("Key").attributes["Arn"])}
    assert grants(fragment, conditions=conditions) == (required if truth else set())
    for name in stack.resources("AWS::IAM::RolePolicy"):
        assert stack.properties(name)["PolicyDocument"]["Statement"]
    if on_role:
        nothing = Stack(fragment, conditions={"C": truth, "D": False})
        assert nothing.resources("AWS::IAM::RolePolicy", "AWS::IAM::Role") == []


def test_policy_beside_the_role_under_several_conditions() -> None:
    containers = [
        container(
            Secrets={"Fn::If": ["C", {"Fn::If": ["D", [{"Name": "A", "ValueFrom": {"Ref": "Secret"}}], NO_VALUE]}, []]}
        )
    ]
    fragment = expanded(one(*containers, more={"Key": naming_key(), "Secret": SECRET}, **CONDITIONS))
    for one_truth, other in itertools.product((True, False), repeat=2):
        conditions = {"C": one_truth, "D": other}
        stack = Stack(fragment, conditions=conditions)
        assert len(stack.resources("AWS::IAM::RolePolicy")) == (1 if one_truth and other else 0)
        assert bool(grants(fragment, conditions=conditions)) == (one_truth and other)


def test_bucket_policy_that_names_the_role_is_not_a_cycle() -> None:
    bucket_policy = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "Bucket"},
            "PolicyDocument": {"Statement": [{"Principal": {"AWS": {"Fn::GetAtt": ["TaskExecutionRole", "Arn"]}}}]},
        },
    }
    more = {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}}, "BucketPolicy": bucket_policy}
    needs = container(EnvironmentFiles=[{"Type": "s3", "Value": {"Fn::Sub": "${Bucket.Arn}/web.env"}}])
    fragment = expanded(one(needs, more=more))
    assert circle(fragment) == []
    assert not any(each["Type"] == "AWS::IAM::RolePolicy" for each in fragment["Resources"].values())
