"""A node that stands at several places is read once: what it needs must be the same as if each place was read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.event import event

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.needs.context import InferenceContext
from ecs_exec_role.pipeline import Expansion, expand
from ecs_exec_role.services import secretsmanager
from ecs_exec_role.template.symbols import SymbolicText

TEXTS: list[Any] = [
    {"Ref": "Owned"},
    {"Ref": "Keyed"},
    "/team/name",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-a1B2c3:user::",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:named",
    {"Fn::Sub": "${Named}"},
    {"Fn::If": ["Prod", {"Ref": "Owned"}, "/team/other"]},
    {"Fn::ImportValue": "shared"},
    {"Fn::Join": ["", [{"Ref": "Owned"}, ":password::"]]},
    {"Fn::Sub": ["${Secret}:user::", {"Secret": {"Fn::If": ["Prod", {"Ref": "Owned"}, {"Ref": "Keyed"}]}}]},
    {"Fn::GetAtt": ["Owned", "Id"]},
]
IMAGES: list[Any] = [
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/docker-hub/library/nginx",
    "busybox",
    {"Fn::Sub": "${Repository.RepositoryUri}:1"},
]
RESOURCES: dict[str, Any] = {
    "Owned": {"Type": "AWS::SecretsManager::Secret"},
    "Keyed": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
    "Key": {"Type": "AWS::KMS::Key"},
    "ConditionalKey": {"Type": "AWS::KMS::Key", "Condition": "Prod"},
    "Named": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": {"Fn::If": ["Prod", "/a", "/b"]}, "Type": "String", "Value": "x"},
    },
    "ByName": {
        "Type": "AWS::SecretsManager::Secret",
        "Condition": "Prod",
        "Properties": {"Name": "named", "KmsKeyId": {"Ref": "ConditionalKey"}},
    },
    "Repository": {"Type": "AWS::ECR::Repository"},
}
SPECS: list[Any] = [
    {"Unresolved": "Ignore"},
    {"Unresolved": "Ignore", "KmsKeys": "None"},
    {"Unresolved": "Ignore", "Secrets": [{"Secret": {"Ref": "Owned"}, "KmsKey": "alias/x"}]},
    {"Unresolved": "Ignore", "SourceVpcs": ["vpc-0a1b2c3d"]},
    {"Unresolved": "Ignore", "Images": [{"Repository": "docker-hub/library/nginx", "PullThroughCache": True}]},
]


def task(spec: Any, *, condition: str | None = None) -> dict[str, Any]:
    """A definition in which each text stands at three places."""
    secrets = [{"Name": f"N{index}", "ValueFrom": text} for index, text in enumerate(TEXTS)]
    containers = [
        {"Name": f"c{number}", "Image": image, "Secrets": secrets} for number, image in enumerate([*IMAGES, *IMAGES])
    ]
    resource = {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {"Family": "f", "ExecutionRoleSpec": spec, "ContainerDefinitions": containers},
    }
    return {**resource, "Condition": condition} if condition else resource


def template(*specs: Any) -> dict[str, Any]:
    tasks = {f"Task{number}": task(spec) for number, spec in enumerate(specs)}
    conditional = {f"Conditional{number}": task(spec, condition="Prod") for number, spec in enumerate(specs)}
    return event(
        {
            "Parameters": {"Stage": {"Type": "String", "Default": "dev"}},
            "Conditions": {"Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
            "Resources": {**RESOURCES, **tasks, **conditional},
        }
    )


def shown(expansion: Expansion) -> Iterator[Any]:
    show = expansion.symbols.show
    yield expansion.fragment
    for plan in expansion.roles:
        yield [(need.grant.sid, show(need.resource), need.path_condition, need.path) for need in plan.needs]
        yield [note._replace(value=SymbolicText("")) for note in plan.notes]
        yield plan.warnings


@pytest.mark.parametrize("specs", [SPECS, SPECS[::-1], [SPECS[0]] * 3], ids=["in order", "reversed", "the same"])
def test_each_place_gets_what_it_gets_when_every_place_is_read(
    specs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = template(*specs)
    with_memory = list(shown(expand(request)))
    monkeypatch.setattr(InferenceContext, "recall", lambda self, infer, place: infer(self, place))
    assert with_memory == list(shown(expand(request)))


NODES: list[Any] = [
    {"Ref": "Owned"},
    {"Fn::Sub": "${Owned}:user::"},
    {"Fn::Join": ["", [{"Ref": "Owned"}, ":password::"]]},
    {"Fn::GetAtt": ["Owned", "Id"]},
]


@pytest.mark.parametrize("node", NODES, ids=[next(iter(node)) for node in NODES])
def test_a_node_is_read_at_two_of_its_places(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def counted(reader: Any, *arguments: Any) -> Any:
        read.append(arguments)
        return original(reader, *arguments)

    original = secretsmanager.key_of
    monkeypatch.setattr(secretsmanager, "key_of", counted)
    secrets = [{"Name": f"N{index}", "ValueFrom": node} for index in range(10)]
    container = {"Name": "c", "Image": "busybox", "Secrets": secrets}
    properties = {"ExecutionRoleSpec": "Auto", "ContainerDefinitions": [container]}
    task_definition = {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}
    expansion = expand(event({"Resources": {**RESOURCES, "Task": task_definition}}))
    assert len(read) == 2
    assert len(expansion.roles[0].needs) == len(secrets)


def test_a_long_value_counts_at_each_of_its_places() -> None:
    image = {"Fn::Sub": "docker.io/" + "${Long}" * 250}
    containers = [{"Name": f"c{number}", "Image": image} for number in range(20)]
    properties = {"ExecutionRoleSpec": "Auto", "ContainerDefinitions": containers}
    fragment = {
        "Parameters": {"Long": {"Type": "String"}},
        "Resources": {"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}},
    }
    with pytest.raises(TemplateError, match=r"more than 8,000,000 characters of values"):
        expand(event(fragment, templateParameterValues={"Long": "a" * 4_000}))


def test_a_reference_to_nothing_is_refused_although_it_stands_where_nothing_is_granted() -> None:
    secret = {"Name": "A", "ValueFrom": {"Fn::Sub": "/b/${Nope}"}}
    properties = {
        "ExecutionRoleArn": {"Fn::GetAtt": ["Shared", "Arn"]},
        "ContainerDefinitions": [{"Name": "b", "Image": "busybox", "Secrets": [secret]}],
    }
    # A slash cannot be in a logical ID, so the first two are no definitions whose needs are granted.
    tasks = {name: {"Type": "AWS::ECS::TaskDefinition", "Properties": properties} for name in ("A/B", "A/C", "Task")}
    shared = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": "Auto"}}
    with pytest.raises(TemplateError, match=r"Resources/Task/.*`Nope` is not in this template"):
        expand(event({"Resources": {**tasks, "Shared": shared}}))
