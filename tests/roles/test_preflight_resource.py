"""The custom resource that `Preflight` adds: its properties, and the resources that wait for it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import Document
from tests.support.contract import CONDITIONS, NO_VALUE, container, event, logs, naming_key, one, service

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.pipeline import expand
from ecs_exec_role.preflight.needs import read_needs
from ecs_exec_role.settings import Settings

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:ecs-exec-role-preflight"
WEB = "Resources/Task/Properties/ContainerDefinitions/0"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/db"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def resources(fragment: Document) -> Document:
    expanded: Document = expand(event(fragment), Settings(preflight_function=FUNCTION)).fragment["Resources"]
    return expanded


def needs(fragment: Document) -> list[Any]:
    found: list[Any] = resources(fragment)["TaskExecutionRolePreflight"]["Properties"]["Needs"]
    return found


@pytest.mark.parametrize("said, mode", [(True, "Fail"), ("true", "Fail"), ("Warn", "Warn")])
def test_the_resource_is_retained_and_waited_for_in_time(said: Any, mode: str) -> None:
    fragment = one(container(), spec={"Preflight": said}, more={"Service": service()})

    found = resources(fragment)

    assert found["TaskExecutionRolePreflight"] == {
        "Type": "Custom::EcsExecRolePreflight",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "ServiceToken": FUNCTION,
            "ServiceTimeout": 900,
            "RoleArn": {"Fn::GetAtt": ["TaskExecutionRole", "Arn"]},
            "Mode": mode,
            "Needs": [],
        },
    }
    assert found["Service"]["DependsOn"] == ["TaskExecutionRolePreflight"]


def test_a_need_has_all_that_the_function_reads() -> None:
    secrets = [{"Name": "A", "ValueFrom": f"{SECRET}:password::"}]
    spec = {"Preflight": True, "Secrets": [{"Secret": SECRET, "KmsKey": KEY}]}

    [read] = [need for need in needs(one(container(Secrets=secrets), spec=spec)) if need["Path"].startswith(WEB)]

    assert read == {
        "Sid": "ReadSecrets",
        "Path": f"{WEB}/Secrets/0/ValueFrom",
        "Kind": "Secret",
        "Target": f"{SECRET}:password::",
        "Actions": ["secretsmanager:GetSecretValue"],
        "Resources": [SECRET, f"{SECRET}-??????"],
    }


def test_a_key_is_asked_about_in_the_context_of_each_name_once() -> None:
    spec = {"Preflight": True, "Secrets": [{"Secret": SECRET, "KmsKey": KEY}], "Infer": False}

    [asked] = [need for need in needs(one(container(), spec=spec)) if need["Kind"] == "Key"]

    assert asked["Actions"] == ["kms:Decrypt"]
    assert asked["Resources"] == [KEY]
    assert asked["Context"] == {
        "kms:ViaService": ["secretsmanager.us-east-1.amazonaws.com"],
        "kms:EncryptionContext:SecretARN": [SECRET, f"{SECRET}-??????"],
    }


def test_needs_of_one_place_are_asked_about_under_their_conditions() -> None:
    configuration = logs(group={"Fn::If": ["C", "/ecs/a", "/ecs/b"]})
    value = {"Fn::If": ["C", {"Name": "A", "ValueFrom": "/x"}, NO_VALUE]}
    fragment = one(container(LogConfiguration=configuration, Secrets=[value]), spec={"Preflight": True}, **CONDITIONS)

    found = needs(fragment)

    assert all(list(need) == ["Fn::If"] and need["Fn::If"][0] == "C" for need in found)
    asked = [side for need in found for side in need["Fn::If"][1:] if side != NO_VALUE]
    assert {(need["Kind"], need["Target"]) for need in asked} == {
        ("LogGroup", "/ecs/a"), ("LogGroup", "/ecs/b"), ("Parameter", "/x"),
    }  # fmt: skip


def test_what_the_macro_writes_is_what_the_function_reads() -> None:
    """After CloudFormation has evaluated the functions, of which there are none here."""
    secrets = [{"Name": "A", "ValueFrom": SECRET}, {"Name": "B", "ValueFrom": f"{SECRET}-a1B2c3"}]
    spec = {"Preflight": True, "KmsKeys": [KEY]}
    found = needs(one(container(Secrets=secrets), spec=spec))

    read, problems = read_needs(found)

    assert not problems
    assert len(read) == len(found) > 2


def test_a_policy_beside_the_role_is_waited_for() -> None:
    """The key's own policy names the role, so the statement about the key cannot be in the role."""
    more = {
        "Key": naming_key(),
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
    }
    web = container(Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}])

    found = resources(one(web, spec={"Preflight": True}, more=more))

    [policy] = [name for name, each in found.items() if each["Type"] == "AWS::IAM::RolePolicy"]
    assert found["TaskExecutionRolePreflight"]["DependsOn"] == [policy]


def test_a_condition_of_the_role_is_the_checks_too() -> None:
    fragment = one(container(), spec={"Preflight": True}, **CONDITIONS)
    fragment["Resources"]["Task"]["Condition"] = "C"

    assert resources(fragment)["TaskExecutionRolePreflight"]["Condition"] == "C"


def test_without_the_function_it_is_refused() -> None:
    with pytest.raises(TemplateError, match="deploy it with the parameter Preflight=true, or remove Preflight"):
        expand(event(one(container(), spec={"Preflight": True})), Settings())
