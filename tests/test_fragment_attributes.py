"""Attributes of the resources that the macro changes: what cannot be kept is refused, not replaced."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.event import event

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.pipeline import expand
from ecs_exec_role.roles.role import TRUST_POLICY

SPEC = {"Images": ["web"]}
NO_VALUE = {"Ref": "AWS::NoValue"}
FUNCTION = {"Fn::If": ["Prod", {"a": "b"}, NO_VALUE]}
# The key's policy names the role, so that the policy on the key is attached later and the service waits for it.
KEY_POLICY = {"Statement": [{"Principal": {"AWS": {"Fn::GetAtt": ["TaskExecutionRole", "Arn"]}}}]}


def made(resources: dict[str, Any]) -> Any:
    conditions = {"Prod": {"Fn::Equals": [{"Ref": "AWS::StackName"}, "prod"]}}
    return expand(event({"Conditions": conditions, "Resources": resources})).fragment["Resources"]


def refused(resources: dict[str, Any]) -> str:
    with pytest.raises(TemplateError) as caught:
        made(resources)
    return str(caught.value)


def role(**attributes: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": SPEC}, **attributes}


def task(**attributes: Any) -> dict[str, Any]:
    container = {"Name": "web", "Image": "nginx", "Secrets": [{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]}
    properties = {"ExecutionRoleSpec": "Auto", "ContainerDefinitions": [container]}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties, **attributes}


def running(**attributes: Any) -> dict[str, Any]:
    """A template whose service waits for a policy."""
    return {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": KEY_POLICY}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
        "Task": task(),
        "Service": {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": {"Ref": "Task"}}, **attributes},
    }


@pytest.mark.parametrize("metadata", ["a", "", 5, True, ["a"], {"Ref": "A"}, FUNCTION, NO_VALUE])
def test_a_roles_metadata_is_a_mapping(metadata: Any) -> None:
    assert refused({"Role": role(Metadata=metadata)}) == (
        "Resources/Role/Metadata: is not a mapping, so nothing can be added to it;"
        " write a mapping, with functions in its values"
    )


@pytest.mark.parametrize("metadata", [{}, {"a": "b"}, {"a": FUNCTION}, {"a": {"Ref": "A"}, "b": 1}])
def test_a_roles_metadata_is_kept(metadata: Any) -> None:
    assert made({"Role": role(Metadata=metadata)})["Role"]["Metadata"].items() >= metadata.items()


@pytest.mark.parametrize("metadata", ["a", 5, ["a"], FUNCTION])
def test_the_metadata_of_others_is_left_alone(metadata: Any) -> None:
    assert made({"Task": task(Metadata=metadata), "Secret": running()["Secret"]})["Task"]["Metadata"] == metadata


@pytest.mark.parametrize("condition", [5, True, ["Prod"], {"Ref": "Prod"}, {"Condition": "Prod"}, FUNCTION])
@pytest.mark.parametrize("holder", [role, task])
def test_a_condition_is_a_name(holder: Any, condition: Any) -> None:
    assert refused({"Web": holder(Condition=condition), "Secret": running()["Secret"]}) == (
        "Resources/Web/Condition: is not the name of a condition; write a name that Conditions declares"
    )


@pytest.mark.parametrize("names", [5, True, {"Ref": "Key"}, FUNCTION, ["Key", 5], [["Key"]], [NO_VALUE], {}])
def test_what_is_waited_for_are_logical_ids(names: Any) -> None:
    for name, resources in (
        ("Service", running(DependsOn=names)),
        ("Task", {**running(), "Task": task(DependsOn=names)}),
        ("Role", {"Role": role(DependsOn=names)}),
    ):
        assert refused(resources) == (
            f"Resources/{name}/DependsOn: is neither a logical ID nor a list of logical IDs; write logical IDs"
        )


@pytest.mark.parametrize(
    "names, kept", [("Key", ["Key"]), (["Key", "Secret"], ["Key", "Secret"]), ([], []), (None, [])]
)
def test_what_is_waited_for_is_kept(names: Any, kept: list[str]) -> None:
    assert made(running(DependsOn=names))["Service"]["DependsOn"] == [*kept, "TaskExecutionRolePolicy"]


def test_what_is_not_changed_is_cloudformations_to_refuse() -> None:
    topic = {"Type": "AWS::SNS::Topic", "Condition": 5, "DependsOn": {"a": "b"}, "Metadata": "a"}
    assert made({**running(), "Topic": topic})["Topic"] == topic


@pytest.mark.parametrize("trust", [None, NO_VALUE])
def test_a_trust_policy_that_is_not_there_is_added(trust: Any) -> None:
    with_trust = role()
    with_trust["Properties"]["AssumeRolePolicyDocument"] = trust
    assert made({"Role": with_trust})["Role"]["Properties"]["AssumeRolePolicyDocument"] == TRUST_POLICY


@pytest.mark.parametrize("resources", ["a", [], 5, None, {}, {"Topic": {"Type": "AWS::SNS::Topic"}}])
def test_a_template_that_only_names_the_property_comes_back_as_it_was(resources: Any) -> None:
    fragment = {"Parameters": {"ExecutionRoleSpec": {"Type": "String"}}, "Resources": resources}
    event = {"accountId": "1", "region": "us-east-1", "requestId": "1", "params": {}, "fragment": fragment}
    assert expand({**event, "templateParameterValues": {}}).fragment == fragment
    del fragment["Resources"]
    assert expand({**event, "templateParameterValues": {}}).fragment == fragment


@pytest.mark.parametrize("branches", [["Prod"], ["Prod", []], ["Prod", [], [], []], []])
def test_a_branch_too_many_is_refused(branches: list[Any]) -> None:
    written = role()
    written["Properties"]["Policies"] = {"Fn::If": branches}
    assert refused({"Role": written}) == (
        "Resources/Role/Properties/Policies: is not a list, so nothing can be added to it;"
        " write a list, or Fn::If between lists"
    )
