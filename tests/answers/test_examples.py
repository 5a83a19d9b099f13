"""Every example, expanded by the macro: the role allows what ECS does, and no similar request."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from tests.support.calls import DEFINITIONS, NOTHING_WRONG, Expected, expected, judge
from tests.support.cloudformation import Document, Stack, circle, load, role_policies, role_with_arn, ways
from tests.support.event import event_of
from tests.support.iam import assumable

from ecs_exec_role.protocol import respond

EXAMPLES = {path.stem: path for path in sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))}

WAYS = [(name, given) for name, path in EXAMPLES.items() for given in ways(load(path))]

each_example = pytest.mark.parametrize("name", EXAMPLES)
each_way = pytest.mark.parametrize("name, parameters", WAYS, ids=[f"{name}{given or ''}" for name, given in WAYS])


def source(name: str) -> Document:
    """The template as CloudFormation passes it to the macro, without the macro's own name."""
    template = load(EXAMPLES[name])
    others = [each for each in _listed(template.pop("Transform")) if each != "EcsExecRole"]
    return {**template, **({"Transform": others} if others else {})}


def expanded(template: Document, parameters: dict[str, str]) -> Document:
    stack = Stack(template, parameters)
    answer = respond(event_of(stack, copy.deepcopy(template)))
    assert answer["status"] == "success", answer.get("errorMessage")
    fragment: Document = answer["fragment"]
    return fragment


def held(name: str, parameters: dict[str, str]) -> Iterator[tuple[Stack, str, Expected]]:
    """Each role of an example: the stack as expanded, the role's logical ID, and what it is for."""
    template = source(name)
    after = Stack(expanded(template, parameters), parameters)
    for role, calls in expected(Stack(template, parameters)).items():
        yield after, role, calls


@each_way
def test_role_allows_what_ecs_does_and_no_more(name: str, parameters: dict[str, str]) -> None:
    for stack, role, calls in held(name, parameters):
        assert judge(role_policies(stack, role), calls) == NOTHING_WRONG


@each_way
def test_definitions_run_with_their_role(name: str, parameters: dict[str, str]) -> None:
    template = source(name)
    after = Stack(expanded(template, parameters), parameters)
    resources = template["Resources"]
    owners = {logical_id: f"{logical_id}ExecutionRole" for logical_id in resources if _has_spec(resources[logical_id])}
    for role in (key for key, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"):
        spec = resources[role]["Properties"].get("ExecutionRoleSpec")
        owners |= dict.fromkeys(spec.get("TaskDefinitions", []) if isinstance(spec, dict) else [], role)

    for definition in after.resources(*DEFINITIONS):
        arns = set(_execution_roles(after.properties(definition)))
        assert [role_with_arn(after, arn) for arn in arns] == [owners[definition]]


@each_way
def test_only_ecs_in_this_account_assumes_the_role(name: str, parameters: dict[str, str]) -> None:
    for stack, role, _ in held(name, parameters):
        trust = stack.properties(role)["AssumeRolePolicyDocument"]
        contexts = [
            {"aws:SourceAccount": account, "aws:SourceArn": f"arn:aws:ecs:{region}:{account}:task/cluster/0123"}
            for account, region in [
                (stack.account, stack.region),
                ("999999999999", stack.region),
                (stack.account, "eu-north-1"),
            ]
        ]
        assert assumable(trust, [*contexts, {}]) == [True, False, False, False]
        assert assumable(trust, contexts, principal="ec2.amazonaws.com") == [False, False, False]


@each_way
def test_policies_are_written_as_iam_takes_them(name: str, parameters: dict[str, str]) -> None:
    for stack, role, _ in held(name, parameters):
        for document in role_policies(stack, role):
            assert document["Version"] == "2012-10-17"
            sids = [statement["Sid"] for statement in document["Statement"]]
            assert len(sids) == len(set(sids))
            for statement in document["Statement"]:
                assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
                assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
                _assert_full(statement)
                assert _listed(statement["Action"]) == sorted(set(_listed(statement["Action"])))


@pytest.mark.usefixtures("quick_cfn_lint")
@each_example
def test_expanded_template_passes_cfn_lint(name: str) -> None:
    text = json.dumps(expanded(source(name), {}), indent=2)

    assert [str(match) for match in lint(text, config=ManualArgs(regions=["us-east-1"]))] == []


@each_example
def test_expanded_template_has_an_order_to_be_made_in(name: str) -> None:
    assert circle(expanded(source(name), {})) == []


@each_example
def test_the_rest_comes_back_as_it_was(name: str) -> None:
    template = source(name)
    after = expanded(template, {})

    assert [key for key in after if key != "Resources"] == [key for key in template if key != "Resources"]
    assert {**after, "Resources": {}} == {**template, "Resources": {}}
    order = list(template["Resources"])
    assert [key for key in after["Resources"] if key in order] == order
    for logical_id, resource in template["Resources"].items():
        got = after["Resources"][logical_id]
        if resource["Type"] not in {*DEFINITIONS, "AWS::IAM::Role"}:
            assert {**got, "DependsOn": None} == {**resource, "DependsOn": None}
            assert set(_listed(resource.get("DependsOn", []))) <= set(_listed(got.get("DependsOn", [])))


@each_example
def test_metadata_names_the_places_that_asked(name: str) -> None:
    template = source(name)
    after = expanded(template, {})
    for role in expected(Stack(template)):
        metadata = after["Resources"][role]["Metadata"]["EcsExecRole"]
        sids = {sid for sid, _ in _sids(after)}
        assert metadata
        assert set(metadata) <= sids
        for paths in metadata.values():
            for path in _listed(paths):
                _follow(template, path)


def test_each_condition_of_an_example_is_seen_both_ways() -> None:
    for name in EXAMPLES:
        template = source(name)
        for condition in template.get("Conditions", {}):
            stacks = [Stack(template, parameters) for parameters in ways(template)]
            assert {stack.condition(condition) for stack in stacks} == {True, False}, f"{name}: {condition}"


def _has_spec(resource: Document) -> bool:
    return resource["Type"] in DEFINITIONS and "ExecutionRoleSpec" in resource["Properties"]


def _execution_roles(value: Any) -> Iterator[str]:
    """Every `ExecutionRoleArn` in a definition: Batch has several places for it."""
    match value:
        case dict():
            for key, item in value.items():
                if key == "ExecutionRoleArn":
                    yield item
                yield from _execution_roles(item)
        case list():
            for item in value:
                yield from _execution_roles(item)


def _sids(value: Any) -> Iterator[tuple[str, Document]]:
    match value:
        case {"Sid": str(sid), "Effect": _}:
            yield sid, value
        case dict():
            for item in value.values():
                yield from _sids(item)
        case list():
            for item in value:
                yield from _sids(item)


def _assert_full(value: Any) -> None:
    """No part of a statement is empty: IAM refuses an empty list, and an empty condition matches nothing."""
    assert value not in ("", [], {})
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        _assert_full(item)


def _follow(template: Document, path: str) -> None:
    """Follows a path of the metadata; `KeyError` or `IndexError` if nothing is there."""
    value: Any = template
    for segment in path.split("/"):
        value = value[int(segment)] if isinstance(value, list) else value[segment]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
