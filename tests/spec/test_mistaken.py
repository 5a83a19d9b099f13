"""The mistakes of a definition come together with those of its spec, without those that only follow from the spec's."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.event import event

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import from_environment

Json = Any

IMAGE = {"Fn::ImportValue": "image"}
SECRET = {"Fn::ImportValue": "secret"}
CONTAINERS = [
    {
        "Name": "web",
        "Image": IMAGE,
        "Secrets": [{"Name": "A", "ValueFrom": SECRET}, {"Name": "B", "ValueFrom": "arn:aws:sqs:x:1:y"}],
    }
]
WRONG, NO_IMAGE, NO_SECRET = "Secrets/1/ValueFrom", "Image", "Secrets/0/ValueFrom"
"""The places of a value that is certainly wrong, and of two that can be settled by a spec."""


def task(spec: Json = None, containers: Json = CONTAINERS, **properties: Any) -> Json:
    given = {} if spec is None else {"ExecutionRoleSpec": spec}
    return {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {"ContainerDefinitions": containers, **given, **properties},
    }


def paths(resources: Json, **environment: str) -> list[str]:
    settings = from_environment({f"ECS_EXEC_ROLE_{name}": value for name, value in environment.items()})
    with pytest.raises(TemplateError) as error:
        expand(
            event({"Conditions": {"C": {"Fn::Equals": [{"Ref": "AWS::StackName"}, "x"]}}, "Resources": resources}),
            settings,
        )
    return [problem.path for problem in error.value.problems]


def of_definition(found: list[str], name: str = "Task") -> set[str]:
    start = f"Resources/{name}/Properties/ContainerDefinitions/0/"
    return {path.removeprefix(start) for path in found if path.startswith(start)}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("Autoo", {WRONG, NO_IMAGE, NO_SECRET}),
        ("Startr", set()),
        ("Default", {WRONG, NO_IMAGE, NO_SECRET}),
        (["Auto"], {WRONG}),
        ({"Ref": "Missing"}, {WRONG}),
        ({"RoleName": []}, {WRONG, NO_IMAGE, NO_SECRET}),
        ({"Rolename": "x"}, {WRONG, NO_IMAGE, NO_SECRET}),
        ({"Secretss": [SECRET]}, {WRONG, NO_IMAGE}),
        ({"Secretss": ["other"]}, {WRONG, NO_IMAGE, NO_SECRET}),
        ({"Secrets": [SECRET, 5]}, {WRONG, NO_IMAGE}),
        ({"Secrets": [{"Secret": SECRET, "KmsKy": "x"}]}, {WRONG, NO_IMAGE}),
        ({"Images": [IMAGE, 5], "Secrets": [SECRET]}, {WRONG}),
        ({"Unresolvd": "Ignore"}, {WRONG}),
        ({"Unresolved": "Ignor"}, {WRONG}),
        ({"Unresolved": {"Fn::If": ["C", "Ignore", "Error"]}}, {WRONG}),
        ({"Zzzzzz": [SECRET]}, {WRONG, NO_IMAGE}),
        ({"Infer": "nope"}, {WRONG, NO_IMAGE, NO_SECRET}),
        ({"Infr": False}, set()),
        ({"Fn::If": ["C", "Auto", {"Infer": False}]}, set()),
        ({"Fn::If": ["C", "Auto", "Starter"]}, set()),
        ({"Fn::If": ["C", "Auto", {"Secrets": [SECRET]}]}, {WRONG}),
    ],
    ids=[f"spec-{number}" for number in range(21)],
)
def test_the_mistakes_of_the_definition_come_too(spec: Json, expected: set[str]) -> None:
    found = paths({"Task": task(spec)})
    assert found[0].startswith("Resources/Task/Properties/ExecutionRoleSpec")
    assert of_definition(found) == expected


@pytest.mark.parametrize("key", ["a/b", "Secrets/0", "/", ""])
def test_a_key_can_contain_a_slash(key: str) -> None:
    found = paths({"Task": task({key: {"Images": ["x"]}, "Images": [IMAGE]})})
    assert found[0] == f"Resources/Task/Properties/ExecutionRoleSpec/{key}"
    assert WRONG in of_definition(found)


def test_nothing_of_the_spec_is_told_twice() -> None:
    found = paths({"Task": task({"Secretss": [], "Unresolved": "Ignor", "Images": 5})})
    assert len(found) == len(set(found))
    assert [path for path in found if "ExecutionRoleSpec" in path] == [
        f"Resources/Task/Properties/ExecutionRoleSpec/{key}" for key in ("Secretss", "Unresolved", "Images")
    ]


@pytest.mark.parametrize("spec", ["Autoo", {"TaskDefinitions": ["Task", 5]}, {"TaskDefinitons": ["Task"]}], ids=str)
def test_the_mistakes_of_definitions_that_share_a_role_come_too(spec: Json) -> None:
    named = not isinstance(spec, dict) or "TaskDefinitons" in spec
    arn = {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}} if named else {}
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": spec}}
    assert WRONG in of_definition(paths({"Role": role, "Task": task(**arn)}))


def test_a_right_spec_beside_a_wrong_one_is_told_everything() -> None:
    found = paths({"Wrong": task({"Unresolvd": "Ignore"}), "Right": task("Auto")})
    assert of_definition(found, "Wrong") == {WRONG}
    assert of_definition(found, "Right") == {WRONG, NO_IMAGE, NO_SECRET}
    found = paths({"Right": task("Auto"), "Wrong": task({"Unresolvd": "Ignore"})})
    assert of_definition(found, "Right") == {WRONG, NO_IMAGE, NO_SECRET}


def test_what_a_guardrail_misses_because_of_the_mistake_is_not_told() -> None:
    fine = [{"Name": "web", "Image": "nginx"}]
    spec = "Resources/Task/Properties/ExecutionRoleSpec"
    assert paths({"Task": task({"Tagss": [{"Key": "team", "Value": "web"}]}, fine)}, TAGS="team") == [f"{spec}/Tagss"]
    assert paths({"Task": task(["Tags"], fine)}, TAGS="team") == [spec]
    # What no correction of the mistake adds is told.
    assert paths({"Task": task("Autoo", fine)}, TAGS="team") == [spec, f"{spec}/Tags"]
    assert paths({"Task": task({"Secretss": []}, fine)}, TAGS="team") == [f"{spec}/Secretss", f"{spec}/Tags"]
    # What the spec has is checked.
    assert paths({"Task": task({"Infr": True, "Tags": [{"Key": "a", "Value": "b"}]}, fine)}, TAGS="team") == [
        f"{spec}/Infr",
        f"{spec}/Tags",
    ]
    # So is what the definition has.
    other = [{"Name": "web", "Image": "222222222222.dkr.ecr.us-east-1.amazonaws.com/x:1"}]
    assert paths({"Task": task("Autoo", other)}, ACCOUNTS="self") == [
        spec,
        "Resources/Task/Properties/ContainerDefinitions/0/Image",
    ]
