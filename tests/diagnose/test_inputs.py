"""The forms in which AWS gives a reason, and input that is something else."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ecs_exec_role.diagnose.inputs import UnreadableInput, read

TASK = "arn:aws:ecs:eu-central-1:123456789012:task/web/0f1e2d3c4b5a69788796a5b4c3d2e1f0"
DEFINITION = "arn:aws:ecs:eu-central-1:123456789012:task-definition/web:3"
DENIED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable"
    " to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: User:"
    " arn:aws:sts::123456789012:assumed-role/web-execution/0f1e is not authorized to perform:"
    " ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the"
    " ecr:GetAuthorizationToken action"
)
ABSENT = (
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref"
    " 123456789012.dkr.ecr.eu-central-1.amazonaws.com/web:7: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/web:7:"
    " not found"
)


def task(**fields: Any) -> dict[str, Any]:
    return {"taskArn": TASK, "taskDefinitionArn": DEFINITION, "lastStatus": "STOPPED", **fields}


def codes(text: str) -> list[str]:
    return [reading.code for reading in read(text)]


@pytest.mark.parametrize(
    "text",
    [
        DENIED,
        f"Stopped reason\n{DENIED}",
        f"Task stopped at: 2026-02-03T04:05:06.000Z\n{DENIED}",
        DENIED.replace(": ", ":\n  "),
        json.dumps(DENIED),
        json.dumps({"tasks": [task(stoppedReason=DENIED, stopCode="TaskFailedToStart")], "failures": []}),
        json.dumps([task(stoppedReason=DENIED)]),
        json.dumps(task(containers=[{"name": "web", "reason": DENIED}])),
        json.dumps({"detail-type": "ECS Task State Change", "detail": task(stoppedReason=DENIED)}),
        json.dumps({"Error": "States.TaskFailed", "Cause": json.dumps({"StoppedReason": DENIED})}),
        json.dumps({"services": [{"events": [{"message": f"(service web) was unable to place a task. {DENIED}"}]}]}),
        json.dumps({"services": [{"deployments": [{"rolloutStateReason": DENIED}], "events": []}]}),
        json.dumps({"jobs": [{"jobId": "1", "statusReason": DENIED, "attempts": []}]}),
        json.dumps(
            {
                "eventSource": "ecr.amazonaws.com",
                "eventName": "GetAuthorizationToken",
                "errorCode": "AccessDenied",
                "errorMessage": DENIED.partition("Exception: ")[2],
                "awsRegion": "eu-central-1",
            }
        ),
    ],
)
def test_every_form_is_read(text: str) -> None:
    [reading] = read(text)
    assert (reading.code, reading.certainty, reading.need) == ("not-allowed", "certain", "image-authorization")
    assert reading.evidence.role == "web-execution"
    assert reading.evidence.action == "ecr:GetAuthorizationToken"


def test_a_task_gives_facts() -> None:
    details = [{"name": "subnetId", "value": "subnet-0a1b2c3d"}, {"name": "privateIPv4Address", "value": "10.0.0.1"}]
    override = "arn:aws:iam::123456789012:role/other"
    said = task(
        stoppedReason=DENIED,
        attachments=[{"details": details}],
        overrides={"executionRoleArn": override},
        containers=[{"name": "web"}],
    )
    [reading] = read(json.dumps({"tasks": [said]}))
    evidence = reading.evidence
    assert evidence.origin == "tasks[0].stoppedReason"
    assert (evidence.task, evidence.definition, evidence.subnets) == (TASK, "web:3", ("subnet-0a1b2c3d",))
    assert evidence.override == override


def test_the_same_reason_is_given_once_and_what_explains_most_comes_first() -> None:
    exited = task(
        stoppedReason="Essential container in task exited", containers=[{"name": "web", "exitCode": 1, "reason": None}]
    )
    tasks = [exited, task(stoppedReason=DENIED), task(stoppedReason=DENIED), task(stoppedReason=ABSENT)]
    found = read(json.dumps({"tasks": tasks}))
    assert [(reading.code, reading.evidence.times) for reading in found] == [
        ("not-allowed", 2),
        ("image-absent", 1),
        ("container-exited", 1),
    ]
    assert found[2].evidence.exit_code == 1
    assert found[2].evidence.container == "web"


ESSENTIAL = "Essential container in task exited"


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        # ECS writes the same of a container that failed to start.
        ([], ("see-containers", "unknown", -1)),
        ([{"name": "web"}], ("see-containers", "unknown", -1)),
        ([{"name": "web", "exitCode": None, "reason": ""}], ("see-containers", "unknown", -1)),
        ([{"name": "web", "exitCode": 0}, {"name": "side"}], ("see-containers", "unknown", -1)),
        ([{"name": "web", "exitCode": 0}], ("container-exited", "certain", 0)),
        ([{"name": "web", "exitCode": 7}], ("container-exited", "certain", 7)),
        ([{"name": "web", "exitCode": 7}, {"name": "side"}], ("container-exited", "certain", 7)),
        ([{"name": "web", "reason": ABSENT}], ("image-absent", "certain", -1)),
    ],
)
@pytest.mark.parametrize("said", [{"stoppedReason": ESSENTIAL}, {"stopCode": "EssentialContainerExited"}])
def test_only_an_exit_code_shows_that_a_container_started(
    said: dict[str, str], containers: list[Any], expected: tuple[str, str, int]
) -> None:
    [reading] = read(json.dumps({"tasks": [{"taskArn": TASK, "containers": containers, **said}]}))
    assert (reading.code, reading.certainty, reading.evidence.exit_code) == expected


@pytest.mark.parametrize(
    "text", [ESSENTIAL, f"(service web) failed to launch a task with (error {ESSENTIAL}).", f"{ESSENTIAL}."]
)
def test_the_sentence_alone_does_not_show_it(text: str) -> None:
    [reading] = read(text)
    assert (reading.code, reading.certainty) == ("see-containers", "unknown")


@pytest.mark.parametrize("tasks", [[], [{"taskArn": TASK, "lastStatus": "RUNNING", "containers": []}]])
def test_a_task_that_ecs_does_not_have(tasks: list[Any]) -> None:
    [reading] = read(json.dumps({"tasks": tasks, "failures": [{"arn": TASK, "reason": "MISSING"}]}))
    assert (reading.code, reading.certainty, reading.evidence.task) == ("missing", "unknown", TASK)
    # A task that it has says more.
    said = json.dumps({"tasks": [task(stoppedReason=DENIED)], "failures": [{"arn": "x", "reason": "MISSING"}]})
    assert codes(said) == ["not-allowed"]


def test_a_failed_deployment_is_not_a_cause_next_to_one() -> None:
    events = [
        {"message": "(service web) (deployment ecs-svc/1) deployment failed: tasks failed to start."},
        {"message": f"(service web) was unable to place a task. Reason: {ABSENT}."},
        {"message": "(service web) has reached a steady state."},
    ]
    assert codes(json.dumps({"services": [{"events": events}]})) == ["image-absent"]
    assert codes(json.dumps({"services": [{"events": events[:1]}]})) == ["deployment-failed"]


def test_whoever_stops_a_task_may_write_any_reason() -> None:
    said = task(stopCode="UserInitiated", stoppedReason=DENIED)
    [reading] = read(json.dumps({"tasks": [said]}))
    assert (reading.code, reading.need) == ("stopped-on-purpose", "")


def test_a_refusal_of_the_application_is_not_the_roles() -> None:
    text = (
        "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/web-task/0f1e is not authorized to"
        " perform: dynamodb:GetItem on resource: arn:aws:dynamodb:eu-central-1:123456789012:table/orders because no"
        " identity-based policy allows the dynamodb:GetItem action"
    )
    [reading] = read(text)
    assert (reading.code, reading.need) == ("another-call", "")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("{", "not-json"),
        ('{"tasks": [', "not-json"),
        ("[" * 100_000, "not-json"),
        ('{"a":' + "9" * 5_000 + "}", "not-json"),
        ("{}", "no-reason"),
        ('{"Buckets": []}', "no-reason"),
        ('{"tasks": [], "failures": []}', "nothing-stopped"),
        (json.dumps({"tasks": [{"taskArn": TASK, "lastStatus": "RUNNING", "containers": []}]}), "nothing-stopped"),
        ("(service web) has reached a steady state.", "nothing-stopped"),
    ],
)
def test_no_reason(text: str, code: str) -> None:
    with pytest.raises(UnreadableInput) as raised:
        read(text)
    assert raised.value.code == code


def test_other_types_than_expected_do_not_matter() -> None:
    """Any JSON is read or refused, whatever the values of its keys are."""
    chosen = random.Random(7)
    keys = (
        *("tasks", "containers", "stoppedReason", "stopCode", "attachments", "overrides", "taskArn", "services"),
        *("events", "jobs", "attempts", "statusReason", "jobId", "cloudTrailEvent", "errorCode", "message", "reason"),
        *("detail", "cause", "responseElements", "details", "container", "exitCode", "name", "eventSource"),
    )
    leaves: tuple[Any, ...] = (1, None, "x", [], {}, [1], True, 1.5, "AccessDenied", ["x"], {"reason": 3})

    def made(depth: int) -> Any:
        if depth == 0 or chosen.random() < 0.3:
            return chosen.choice(leaves)
        if chosen.random() < 0.3:
            return [made(depth - 1) for _ in range(chosen.randrange(3))]
        return {chosen.choice(keys): made(depth - 1) for _ in range(chosen.randrange(1, 6))}

    read_some = 0
    for _ in range(2_000):
        try:
            read(json.dumps(made(4)))
            read_some += 1
        except UnreadableInput:
            continue
    assert read_some > 100


def test_nothing_that_controls_a_terminal_is_passed_on() -> None:
    said = task(containers=[{"name": "web\x1b[2J", "reason": "\x1b[31mCannotPull\u202eContainerError\x07: x"}])
    [reading] = read(json.dumps({"tasks": [said]}))
    assert reading.evidence.text.isprintable()
    assert reading.evidence.container == "web"
    assert "\u202e" not in reading.evidence.text


@pytest.mark.parametrize(
    "text",
    [
        '"reason": "OutOfMemoryError: Container killed due to memory usage"',
        '"reason": "OutOfMemoryError: Container killed due to memory usage",\n"networkInterfaces": [],',
        '"OutOfMemoryError: Container killed due to memory usage"',
        '"OutOfMemoryError: Container killed due to memory usage',
    ],
)
def test_lines_from_json_can_be_pasted(text: str) -> None:
    assert codes(text) == ["out-of-memory"]
