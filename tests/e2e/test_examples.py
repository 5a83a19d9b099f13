"""Every example: deployed through the macro, checked in the account, and deleted again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
from tests.e2e.cloud import Cloud
from tests.e2e.conftest import Engine, Installed, Note
from tests.e2e.deployed import DeployedStack, as_list, as_text, expand, inventory, left, not_made, processed
from tests.support.calls import DEFINITIONS, Expected, expected
from tests.support.cloudformation import Document, load, role_policies

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@dataclass(frozen=True)
class Example:
    """The deployed stack of an example."""

    cloud: Cloud
    path: Path
    stack: str
    parameters: dict[str, str]
    before: set[str]

    @cached_property
    def expanded(self) -> Document:
        return expand(self.cloud, self.path, self.parameters)

    @cached_property
    def standing(self) -> DeployedStack:
        """The expanded template, with the names of the deployed resources."""
        return DeployedStack(self.cloud, self.stack, self.expanded, self.parameters)

    @cached_property
    def calls(self) -> dict[str, Expected]:
        """For each role, the calls that ECS makes with it on the deployed resources."""
        return expected(DeployedStack(self.cloud, self.stack, load(self.path), self.parameters))

    @cached_property
    def not_made(self) -> dict[str, str]:
        return not_made(self.cloud, self.stack)

    @cached_property
    def lost(self) -> list[str]:
        """The policies that only the template has."""
        return [key for key, kind in self.not_made.items() if kind.startswith("AWS::IAM::")]

    def policies(self, role: str, *, lost: bool = False) -> list[Document]:
        """The policies that a role should have, or those of them that the engine did not make."""
        everything = self.expanded["Resources"]
        made = {key: resource for key, resource in everything.items() if key not in self.lost}
        fragment = {**self.expanded, "Resources": made}
        held = role_policies(DeployedStack(self.cloud, self.stack, fragment, self.parameters), role)
        return [each for each in role_policies(self.standing, role) if each not in held] if lost else held

    def say_what_was_not_made(self) -> None:
        """Skips with a message after the rest was checked."""
        if self.lost:
            kinds = sorted({self.not_made[key] for key in self.lost})
            pytest.skip(f"this engine makes no {', '.join(kinds)}: {', '.join(self.lost)} could not be looked at")


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def example(
    request: pytest.FixtureRequest, cloud: Cloud, macro: Installed, engine: Engine, network: dict[str, str]
) -> Iterator[Example]:
    path: Path = request.param
    before = inventory(cloud)
    stack = cloud.stack_name(path.stem)
    parameters = {key: value for key, value in network.items() if key in load(path).get("Parameters", {})}
    cloud.deploy(stack, path.read_text(encoding="utf-8"), parameters)
    yield Example(cloud, path, stack, parameters, before)
    _take_down(cloud, stack)


def test_template_comes_out_as_expand_writes_it(example: Example) -> None:
    assert as_text(processed(example.cloud, example.stack)) == as_text(example.expanded)


def test_role_holds_what_expand_says(example: Example) -> None:
    for role in example.calls:
        name = example.standing.physical(role).ref
        held = {_canonical(document) for document in example.cloud.policies(name)}
        assert held == {_canonical(document) for document in example.policies(role)}
    example.say_what_was_not_made()


def test_role_is_trusted_and_described_as_expand_says(example: Example) -> None:
    for role in example.calls:
        properties = example.standing.properties(role)
        stands = example.cloud.role_of(example.stack, role)
        assert stands["AssumeRolePolicyDocument"] == properties["AssumeRolePolicyDocument"]
        for key, default in {"Path": "/", "Description": None, "MaxSessionDuration": 3600}.items():
            assert (stands.get(key) or None) == properties.get(key, default)


def test_ecs_may_make_its_calls(example: Example, note: Note) -> None:
    asked = 0
    for role, calls in example.calls.items():
        arn = example.standing.attribute(role, "Arn")
        lost = _actions(example.policies(role, lost=True)) - _actions(example.policies(role))
        granted = [call for call in calls.made if call.action not in lost]
        decisions = list(example.cloud.simulate(arn, granted))
        assert [f"{call}: {decision}" for call, decision in decisions if decision != "allowed"] == []
        asked += len(decisions)
    assert asked
    note(f"{example.path.stem}: {asked} calls allowed")
    example.say_what_was_not_made()


def test_near_misses_are_denied(example: Example, engine: Engine, note: Note) -> None:
    asked = 0
    for role, calls in example.calls.items():
        made = {(call.action, call.resource) for call in calls.made}
        # An engine that ignores conditions is asked only about other actions and resources.
        near = [call for call in calls.near if engine.conditions or (call.action, call.resource) not in made]
        decisions = list(example.cloud.simulate(example.standing.attribute(role, "Arn"), near))
        assert [f"{call}: {decision}" for call, decision in decisions if decision == "allowed"] == []
        asked += len(decisions)
    assert asked
    note(f"{example.path.stem}: {asked} near misses denied")


def test_tasks_run_with_their_role(example: Example) -> None:
    """Asks ECS and Batch, if the engine has them."""
    roles = {example.standing.attribute(role, "Arn") for role in example.calls}
    for definition in example.standing.resources(*DEFINITIONS):
        if definition in example.not_made:
            pytest.skip(f"this engine makes no {example.not_made[definition]}")
        assert _execution_role(example, definition) in roles


def test_deploying_again_changes_nothing(example: Example) -> None:
    again = example.cloud.change_set(example.stack, example.path.read_text(encoding="utf-8"), example.parameters)
    assert again.empty, again


def test_deleting_leaves_nothing(example: Example) -> None:
    _take_down(example.cloud, example.stack)
    assert left(example.cloud, example.before) == set()


def _take_down(cloud: Cloud, stack: str) -> None:
    """Deletes a stack, and the buckets that it is told to retain."""
    if cloud.status(stack) is None:
        return
    buckets = [each.physical_id for each in cloud.resources(stack).values() if each.type == "AWS::S3::Bucket"]
    cloud.delete(stack)
    for bucket in buckets:
        cloud.client("s3").delete_bucket(Bucket=bucket)


def _canonical(document: Document) -> str:
    return json.dumps(document, sort_keys=True)


def _actions(documents: Iterable[Document]) -> set[str]:
    statements = [statement for document in documents for statement in document["Statement"]]
    return {action for each in statements for action in as_list(each["Action"])}


def _execution_role(example: Example, definition: str) -> str:
    """The role's ARN, as the service that runs the definition has it."""
    arn = example.standing.physical(definition).ref
    if example.expanded["Resources"][definition]["Type"] == "AWS::Batch::JobDefinition":
        described = example.cloud.client("batch").describe_job_definitions(jobDefinitions=[arn])["jobDefinitions"]
        # An emulator may show all values.
        found = next(each for each in described if each["jobDefinitionArn"] == arn)
        return str(found["containerProperties"]["executionRoleArn"])
    found = example.cloud.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    return str(found["executionRoleArn"])
