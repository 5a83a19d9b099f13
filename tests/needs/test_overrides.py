"""What rules, schedules, pipes and state machines override when they start a task."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.cloudformation import Document
from tests.support.contract import container, event, task

from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import Settings

FILE = "arn:aws:s3:::config/more.env"
FILES = [{"name": "main", "environmentFiles": [{"type": "s3", "value": FILE}]}]
STATES_FILES = [{"Name": "main", "EnvironmentFiles": [{"Type": "s3", "Value": FILE}]}]
OTHER = "arn:aws:iam::123456789012:role/other"
REF = {"Ref": "Task"}


def rule(text: Any, key: str = "Input") -> Document:
    target = {"Id": "t", "Arn": "x", "EcsParameters": {"TaskDefinitionArn": REF}, key: text}
    return {"Type": "AWS::Events::Rule", "Properties": {"Targets": [target]}}


def schedule(text: Any) -> Document:
    target = {"Arn": "x", "EcsParameters": {"TaskDefinitionArn": REF}, "Input": text}
    return {"Type": "AWS::Scheduler::Schedule", "Properties": {"Target": target}}


def universal(overrides: Any) -> Document:
    text = json.dumps({"TaskDefinition": "${Task}", "Overrides": overrides})
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": {"Fn::Sub": text}}
    return {"Type": "AWS::Scheduler::Schedule", "Properties": {"Target": target}}


def pipe(overrides: Any) -> Document:
    parameters = {"EcsTaskParameters": {"TaskDefinitionArn": REF, "Overrides": overrides}}
    return {"Type": "AWS::Pipes::Pipe", "Properties": {"TargetParameters": parameters}}


def state(overrides: Any, definition: Any = REF, arguments: str = "Parameters") -> Document:
    run = {"TaskDefinition": definition, "Overrides": overrides}
    return {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", arguments: run, "End": True}


def machine(*states: Document, kind: str = "AWS::StepFunctions::StateMachine") -> Document:
    inner = {f"S{number}": each for number, each in enumerate(states)}
    parallel = {"Type": "Parallel", "Branches": [{"StartAt": "S0", "States": inner}]}
    return {"Type": kind, "Properties": {"Definition": {"StartAt": "P", "States": {"P": parallel}}}}


def machine_text(*states: Document, **substitutions: Any) -> Document:
    text = json.dumps({"StartAt": "S0", "States": {f"S{number}": each for number, each in enumerate(states)}})
    properties = {"DefinitionString": text, "DefinitionSubstitutions": substitutions}
    return {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}


def warnings(starter: Document, spec: Any = "Auto", **properties: Any) -> list[str]:
    """What is reported about overrides, with one starter, a task definition `Task` and another `Idle`."""
    resources = {"Task": task(container(), spec=spec, **properties), "Idle": task(container()), "Start": starter}
    found = expand(event({"Resources": resources}), Settings()).warnings
    return [str(warning) for warning in found if warning.code == "run-time-override"]


ROLES: dict[str, Document] = {
    "a rule": rule(json.dumps({"executionRoleArn": OTHER})),
    "a schedule": schedule(json.dumps({"executionRoleArn": OTHER})),
    "a universal target": universal({"ExecutionRoleArn": OTHER}),
    "a pipe": pipe({"ExecutionRoleArn": OTHER}),
    "a state machine": machine(state({"ExecutionRoleArn": OTHER})),
    "JSONata": machine(state({"ExecutionRoleArn": OTHER}, arguments="Arguments")),
    "a state machine of SAM": machine(state({"ExecutionRoleArn": OTHER}), kind="AWS::Serverless::StateMachine"),
    "a state machine as text": machine_text(state({"ExecutionRoleArn": OTHER}, "${Run}"), Run=REF),
}


@pytest.mark.parametrize("name", ROLES)
def test_another_execution_role_is_reported(name: str) -> None:
    [message] = warnings(ROLES[name])
    assert message.startswith("Resources/Start/Properties/")
    assert f"starts Task with another execution role `{OTHER}`, which needs what is granted here" in message
    assert message.endswith("remove executionRoleArn, or grant that role the same")


FILE_STARTERS: dict[str, Document] = {
    "a rule": rule(json.dumps({"containerOverrides": FILES})),
    "a schedule": schedule(json.dumps({"containerOverrides": FILES})),
    "a universal target": universal({"ContainerOverrides": STATES_FILES}),
    "a pipe": pipe({"ContainerOverrides": STATES_FILES}),
    "a state machine": machine(state({"ContainerOverrides": STATES_FILES})),
    "a state machine as text": machine_text(state({"ContainerOverrides": STATES_FILES}, "${Run}"), Run=REF),
}


@pytest.mark.parametrize("name", FILE_STARTERS)
def test_another_environment_file_is_reported_until_the_role_may_read_it(name: str) -> None:
    starter = FILE_STARTERS[name]
    [message] = warnings(starter)
    assert f"starts Task with the environment file `{FILE}`, which the definition does not name" in message
    assert f"add `EnvironmentFiles: [{FILE}]` to Resources/Task/Properties/ExecutionRoleSpec" in message
    assert warnings(starter, spec={"EnvironmentFiles": [FILE]}) == []
    named = container(EnvironmentFiles=[{"Type": "s3", "Value": FILE}])
    assert warnings(starter, ContainerDefinitions=[named]) == []


LATE: dict[str, Document] = {
    "a path of the input": machine(state({"ExecutionRoleArn.$": "$.role", "ContainerOverrides": []})),
    "JSONata": machine(state({"ExecutionRoleArn": "{% $states.input.role %}"}, arguments="Arguments")),
    "an input transformer": {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Targets": [
                {
                    "EcsParameters": {"TaskDefinitionArn": REF},
                    "InputTransformer": {"InputTemplate": '{"executionRoleArn": <role>}'},
                }
            ]
        },
    },
    "an input transformer with a placeholder in quotes": {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Targets": [
                {
                    "EcsParameters": {"TaskDefinitionArn": REF},
                    "InputTransformer": {"InputTemplate": '{"executionRoleArn": "<role>"}'},
                }
            ]
        },
    },
    "a placeholder in quotes": rule('{"executionRoleArn": "<role>"}'),
}


def test_text_that_is_nested_too_deep_is_not_a_reason_to_refuse_a_template() -> None:
    deep = "[" * 100_000 + '{"environmentFiles": []}' + "]" * 100_000
    [message] = warnings(rule(deep))
    assert "environment files that are only known when it runs" in message


@pytest.mark.parametrize("name", LATE)
def test_a_role_that_is_known_at_run_time_is_reported_too(name: str) -> None:
    [message] = warnings(LATE[name])
    assert "starts Task with another execution role, which needs what is granted here" in message


def test_files_that_are_known_at_run_time_are_declared_by_a_list() -> None:
    starter = machine(state({"ContainerOverrides": [{"EnvironmentFiles.$": "$.files"}]}))
    [message] = warnings(starter)
    assert "starts Task with environment files that are only known when it runs; list them in" in message
    assert warnings(starter, spec={"EnvironmentFiles": [FILE]}) == []


SUB = {"Fn::Sub": json.dumps({"containerOverrides": [{"environmentFiles": [{"value": "${Bucket.Arn}/x.env"}]}]})}
QUIET: dict[str, Document] = {
    "no override": rule("{}"),
    "another override": machine(state({"TaskRoleArn": OTHER, "ContainerOverrides": [{"Name": "a"}]})),
    "the role itself": machine(state({"ExecutionRoleArn": {"Fn::GetAtt": ["TaskExecutionRole", "Arn"]}})),
    "another definition": machine(state({"ExecutionRoleArn": OTHER}, {"Ref": "Elsewhere"})),
    "another service's call": machine({"Resource": "sagemaker:createModel", "Parameters": {"ExecutionRoleArn": OTHER}}),
    "another target": {
        "Type": "AWS::Events::Rule",
        "Properties": {"Targets": [{"Arn": "queue", "Input": json.dumps({"executionRoleArn": OTHER, "a": "${Task}"})}]},
    },
    "not JSON": rule("executionRoleArn"),
}


@pytest.mark.parametrize("name", QUIET)
def test_what_overrides_neither_is_not_told(name: str) -> None:
    assert warnings(QUIET[name]) == []


def test_a_value_within_a_text_may_be_symbolic() -> None:
    [message] = warnings(rule(SUB))
    assert "`!Sub ${Bucket.Arn}/x.env`" in message


@pytest.mark.parametrize("levels", [600, 5_000])
def test_a_text_that_is_nested_too_deep_is_reported_as_one_that_is_not_json(levels: int) -> None:
    text = "[" * levels + json.dumps({"overrides": {"executionRoleArn": OTHER}}) + "]" * levels
    [message] = warnings(rule(text))
    assert message.startswith("Resources/Start/Properties/Targets/0/Input: starts Task with another execution role,")


def test_each_definition_gets_only_its_own_overrides() -> None:
    starter = machine(state({"ExecutionRoleArn": OTHER}), state({}, {"Ref": "Idle"}))
    assert len(warnings(starter)) == 1


def test_a_definition_is_found_by_the_name_of_its_family() -> None:
    starter = machine(state({"ExecutionRoleArn": OTHER}, "jobs:3"))
    assert "starts Task with another" in "".join(warnings(starter, Family="jobs"))


def test_a_role_without_inference_gets_no_warning() -> None:
    assert warnings(ROLES["a rule"], spec={"Infer": False}) == []
