"""A small run of `make fuzz`, and a check that it finds the faults that it is for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scripts import fuzz

from ecs_exec_role.pipeline import Expansion
from ecs_exec_role.settings import NO_SETTINGS, Settings
from ecs_exec_role.template.symbols import Symbols

EVENT = next(text for text in fuzz.bases() if '"WebExecutionRole"' not in text and "TaskDefinition" in text)


def test_no_mutated_event_violates_a_property() -> None:
    result = fuzz.run(seed=1, count=400)
    assert result.findings == []
    assert {"refused", "expanded", "snippet", "unchanged"} <= set(result.answers)


def test_a_case_is_the_same_each_time() -> None:
    one, other = (fuzz.Mutator(3, fuzz.bases()).case(17) for _ in range(2))
    assert fuzz.written(one[0]) == fuzz.written(other[0])
    assert fuzz.written(one[0]) != fuzz.written(fuzz.Mutator(4, fuzz.bases()).case(17)[0])


def test_an_exception_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def expand(*_: Any) -> Expansion:
        raise KeyError("bug")

    monkeypatch.setattr(fuzz, "expand", expand)
    assert "KeyError: 'bug'" in fuzz.wrongs(json.loads(EVENT), NO_SETTINGS)[1]


def test_a_changed_request_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def expand(event: Any, _: Settings) -> Expansion:
        event["fragment"]["Outputs"] = {}
        return Expansion(event["fragment"], (), Symbols())

    monkeypatch.setattr(fuzz, "expand", expand)
    assert "the request was changed" in fuzz.wrongs(json.loads(EVENT), NO_SETTINGS)[1]


@pytest.mark.parametrize("answer", [{"fragment": {"a": "\ud800"}}, {"fragment": {"a": float("nan")}}])
def test_an_answer_that_cannot_be_encoded_is_reported(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    monkeypatch.setattr(fuzz, "success", lambda _event, _expansion: {"status": "success", **answer})
    _, found = fuzz.wrongs(json.loads(EVENT), NO_SETTINGS)
    assert found[0].startswith("the answer cannot be encoded")


def resources(**properties: Any) -> Any:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "a"}, "DependsOn": ["Task"]}
    task = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ExecutionRoleSpec": "Auto", **properties}}
    return {"Resources": {"Task": task, "Topic": topic}, "Outputs": {"A": {"Value": "a"}}}


def expanded(**properties: Any) -> Any:
    fragment = resources(**properties)
    fragment["Resources"]["Task"]["Properties"].pop("ExecutionRoleSpec")
    fragment["Resources"]["Task"]["Properties"]["ExecutionRoleArn"] = "arn"
    fragment["Resources"]["TaskExecutionRole"] = {"Type": "AWS::IAM::Role"}
    fragment["Resources"]["Topic"]["DependsOn"] = ["Task", "TaskExecutionRolePolicy"]
    return fragment


def test_what_a_spec_changes_is_not_a_finding() -> None:
    assert list(fuzz.changed(resources(Family="a"), expanded(Family="a"))) == []


@pytest.mark.parametrize(
    "place, change",
    [
        ("Outputs", lambda fragment: fragment["Outputs"]["A"].update(Value="b")),
        ("Outputs", lambda fragment: fragment.pop("Outputs")),
        ("Resources/Task", lambda fragment: fragment["Resources"]["Task"]["Properties"].update(Family="b")),
        ("Resources/Topic", lambda fragment: fragment["Resources"]["Topic"].update(DependsOn=["Other"])),
        ("Resources/Topic", lambda fragment: fragment["Resources"]["Topic"].update(Metadata={})),
        (
            "order of the resources",
            lambda fragment: fragment["Resources"].update(Task=fragment["Resources"].pop("Task")),
        ),
    ],
)
def test_what_a_spec_does_not_change_is_a_finding(place: str, change: Any) -> None:
    after = expanded(Family="a")
    change(after)
    assert place in set(fuzz.changed(resources(Family="a"), after))


def test_the_mutations_reach_events_snippets_and_specs() -> None:
    mutator = fuzz.Mutator(5, fuzz.bases())
    events = [mutator.case(number)[0] for number in range(400)]
    assert any(not isinstance(event.get("templateParameterValues"), dict) for event in events)
    assert any(event.get("params") for event in events)
    specs = [spec for event in events for _, key, spec in fuzz._places(event) if key == "ExecutionRoleSpec"]
    known = {key for spec in specs if isinstance(spec, dict) for key in spec}
    assert {"FileSystems", "CredentialSpecs", "GuardDuty", "SourceVpcEndpoints", "PermissionsBoundary"} <= known


@pytest.mark.parametrize(
    "after, names",
    [
        ({"Path": "/b/", "Policies": [1, 2]}, []),
        ({"Path": "/b/", "Policies": [2, 1]}, ["Policies"]),
        ({"Path": "/b/"}, ["Policies"]),
        ({"Path": "/b/", "Policies": [1], "Description": "b"}, []),
    ],
)
def test_what_stands_beside_a_snippet_is_compared(after: Any, names: list[str]) -> None:
    assert list(fuzz.changed_beside({"Path": "/a/", "Policies": [1]}, after)) == names


@pytest.mark.parametrize(
    "after, same",
    [
        ({"Fn::If": ["Prod", [1, 2], [2]]}, True),
        ({"Fn::If": ["Prod", [2, 1], [2]]}, False),
        ({"Fn::If": ["Dev", [1], [2]]}, False),
        ([1, 2], False),
    ],
)
def test_each_branch_beside_a_snippet_is_compared(after: Any, same: bool) -> None:
    before = {"Policies": {"Fn::If": ["Prod", [1], {"Ref": "AWS::NoValue"}]}}
    assert (list(fuzz.changed_beside(before, {"Policies": after})) == []) is same


def test_another_property_beside_a_snippet_is_compared() -> None:
    assert list(fuzz.changed_beside({"Description": "a"}, {"Description": "b"})) == ["Description"]
