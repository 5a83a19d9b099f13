"""Policies that are too large for the role itself, and policies that are too large for everything."""

from __future__ import annotations

import json
from typing import Any

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
    NO_VALUE,
    SECRETS,
    container,
    expanded,
    grants,
    naming_key,
    one,
    pull,
    read,
    refusal,
    refused,
    service,
    template,
)


def many(count: int, length: int = 40) -> list[str]:
    return [f"{SECRETS}:{index:0{length}}-a1B2c3" for index in range(count)]


def sizes(fragment: Document, **stack: Any) -> tuple[int, list[int]]:
    """The characters of a role's inline policies together, and of each managed one, as IAM counts them."""
    made = Stack(fragment, **stack)

    def size(document: Document) -> int:
        return len(json.dumps(document, separators=(",", ":")))

    inline = sum(
        size(policy["PolicyDocument"]) for policy in made.properties("TaskExecutionRole").get("Policies", [])
    ) + sum(size(made.properties(name)["PolicyDocument"]) for name in made.resources("AWS::IAM::RolePolicy"))
    return inline, [size(made.properties(name)["PolicyDocument"]) for name in made.resources("AWS::IAM::ManagedPolicy")]


@pytest.mark.parametrize("count", [10, 80, 100, 150, 300, 500])
def test_policies_that_do_not_fit_inline_become_managed_policies(count: int) -> None:
    fragment = expanded(one(spec={"Secrets": many(count), "Images": ["web"]}))
    inline, managed = sizes(fragment)
    assert inline <= 10_240
    assert all(size <= 6_144 for size in managed)
    assert grants(fragment) == read(*many(count)) | pull(f"{ECR}/web")
    assert bool(managed) == (count > 90)
    assert circle(fragment) == []


def test_inline_space_is_used_completely() -> None:
    # The rest moves only past 10,240 characters, so a role that needs little more has one managed policy.
    fragment = expanded(one(spec={"Secrets": many(150)}))
    _, managed = sizes(fragment)
    assert len(managed) == 1


def test_managed_policies_are_attached_to_the_role() -> None:
    fragment = expanded(one(spec={"Secrets": many(300), "ManagedPolicyArns": ["arn:aws:iam::aws:policy/Mine"]}))
    listed_there = fragment["Resources"]["TaskExecutionRole"]["Properties"]["ManagedPolicyArns"]
    made = [name for name, each in fragment["Resources"].items() if each["Type"] == "AWS::IAM::ManagedPolicy"]
    assert listed_there == ["arn:aws:iam::aws:policy/Mine", *({"Ref": name} for name in made)]


def test_inline_policies_of_the_author_use_their_space() -> None:
    own = {
        "PolicyName": "own",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": many(80)}],
        },
    }
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"Secrets": many(80)}, "Policies": [own]}}
    fragment = expanded(template({"TaskExecutionRole": role}))
    inline, managed = sizes(fragment)
    assert inline <= 10_240
    assert managed


def test_overflow_counts_what_is_known_at_deployment() -> None:
    more = {f"Secret{index}": {"Type": "AWS::SecretsManager::Secret", "Properties": {}} for index in range(120)}
    needs = container(Secrets=[{"Name": name, "ValueFrom": {"Ref": name}} for name in more])
    inline, managed = sizes(expanded(one(needs, more=more)), name="a-stack-with-a-name-that-is-rather-long")
    assert inline <= 10_240
    assert all(size <= 6_144 for size in managed)


def test_overflow_counts_a_region_that_the_event_does_not_name() -> None:
    containers = [
        container(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": f"/log/{number:04}"}})
        for number in range(160)
    ]
    fragment = expanded(one(*containers), region="")
    inline, managed = sizes(fragment, region="ap-southeast-2")
    assert inline <= 10_240
    assert managed
    assert all(size <= 6_144 for size in managed)


def test_overflow_under_conditions() -> None:
    secrets = [{"Name": "A", "ValueFrom": {"Fn::If": ["C", name, NO_VALUE]}} for name in many(300)]
    fragment = expanded(one(container(Secrets=secrets), **CONDITIONS))
    assert grants(fragment, conditions={"C": True}) == read(*many(300))
    no = Stack(fragment, conditions={"C": False})
    assert no.properties("TaskExecutionRole").get("ManagedPolicyArns", []) == []
    assert no.resources("AWS::IAM::ManagedPolicy") == []


def test_overflow_in_a_cycle() -> None:
    secrets = {
        f"Secret{index}": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}}
        for index in range(150)
    }
    needs = container(Secrets=[{"Name": name, "ValueFrom": {"Ref": name}} for name in secrets])
    fragment = expanded(one(needs, more={**secrets, "Key": naming_key(), "Service": service()}))
    assert circle(fragment) == []
    inline, managed = sizes(fragment)
    assert inline <= 10_240
    assert all(size <= 6_144 for size in managed)
    beside = [name for name, each in fragment["Resources"].items() if "Policy" in each["Type"]]
    assert set(beside) <= dependencies(fragment, "Service")


def test_more_than_a_role_can_have_is_an_error_with_the_count() -> None:
    line = refusal(one(spec={"Secrets": many(1200)}))
    assert line.startswith("Resources/Task/Properties/ExecutionRoleSpec: ")
    assert any(character.isdigit() for character in line)
    assert "10,240" in line


def test_managed_policies_of_the_author_count_too() -> None:
    own = [f"arn:aws:iam::aws:policy/P{index}" for index in range(9)]
    assert "Task" in expanded(one(spec={"Secrets": many(100), "ManagedPolicyArns": own}))["Resources"]
    assert refusal(one(spec={"Secrets": many(300), "ManagedPolicyArns": own})).startswith(
        "Resources/Task/Properties/ExecutionRoleSpec"
    )


def test_statement_that_fits_nowhere_is_an_error() -> None:
    written = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": many(200)}
    assert refusal(one(spec={"Statements": [written]})).startswith("Resources/Task/Properties/ExecutionRoleSpec")
    for line in refused(one(spec={"Secrets": ["x" * 12_000]})):
        assert line.startswith("Resources/Task/Properties/ExecutionRoleSpec")


def test_snippet_that_does_not_fit_is_an_error() -> None:
    assert refusal({}, params={"Secrets": many(200)}).startswith("Fn::Transform/Parameters: ")


@pytest.mark.parametrize(
    "own",
    [{"Ref": "Arns"}, {"Fn::Split": [",", {"Fn::ImportValue": "arns"}]}, {"Fn::If": ["C", {"Ref": "Arns"}, NO_VALUE]}],
)
def test_managed_policies_are_added_to_a_list_that_is_not_known(own: Any) -> None:
    mine = "arn:aws:iam::aws:policy/Mine,arn:aws:iam::aws:policy/More"
    sections = {"Parameters": {"Arns": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/arns"}}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": "Starter", "ManagedPolicyArns": own}}
    fragment = expanded(template({"Role": role}, **sections, **CONDITIONS))
    stack = Stack(fragment, conditions={"C": True}, imports={"arns": mine}, ssm={"/arns": mine})
    arns = stack.properties("Role")["ManagedPolicyArns"]
    starter = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    assert arns == [*mine.split(","), starter]


def test_policies_that_cannot_be_added_to_are_reported_where_they_are() -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"Images": ["x"]}, "Policies": {"Ref": "P"}}}
    assert refusal(template({"Role": role})).startswith("Resources/Role/Properties/Policies: ")
