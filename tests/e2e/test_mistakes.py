"""A wrong spec: the message that CloudFormation shows to the user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.cloud import CAPABILITIES, Cloud
from tests.e2e.conftest import Installed

SERVICE = Path(__file__).with_name("service.yaml").read_text(encoding="utf-8")
MISTAKEN = SERVICE.replace("ExecutionRoleSpec: Auto", 'ExecutionRoleSpec: { Secret: [card], LogGroups: ["/shop/*"] }')
UNKNOWN = "Resources/Task/Properties/ExecutionRoleSpec/Secret: unknown key `Secret`; did you mean Secrets?"
WILDCARD = "Resources/Task/Properties/ExecutionRoleSpec/LogGroups/0: "


@pytest.fixture
def stack(cloud: Cloud, macro: Installed) -> Iterator[str]:
    name = cloud.stack_name("mistakes")
    yield name
    if cloud.status(name) is not None:
        cloud.delete(name)


def test_change_set_carries_every_mistake(cloud: Cloud, stack: str) -> None:
    changes = cloud.change_set(stack, MISTAKEN)

    assert changes.status == "FAILED"
    assert "EcsExecRole failed with: " in changes.reason
    assert UNKNOWN in changes.reason
    assert WILDCARD in changes.reason


def test_events_of_a_new_stack_carry_the_message(cloud: Cloud, stack: str) -> None:
    arn = cloud.cloudformation.create_stack(StackName=stack, TemplateBody=MISTAKEN, Capabilities=list(CAPABILITIES))
    cloud.settled(arn["StackId"])

    assert any(UNKNOWN in event.reason for event in cloud.events(arn["StackId"])), cloud.story(arn["StackId"])


def test_a_mistake_leaves_an_existing_stack_as_it_is(cloud: Cloud, stack: str) -> None:
    cloud.deploy(stack, SERVICE)
    before = cloud.resources(stack)

    assert UNKNOWN in cloud.change_set(stack, MISTAKEN).reason
    assert cloud.resources(stack) == before
    if cloud.emulated and cloud.status(stack) == "CREATE_FAILED":
        pytest.skip("this engine gives a stack the status of its change set; what stands in it was right")
    assert cloud.status(stack) == "CREATE_COMPLETE"
