"""A stack that changes: only the statement of the role that the change concerns is different."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.cloud import Cloud
from tests.e2e.conftest import Installed
from tests.e2e.deployed import as_list
from tests.support.cloudformation import Document

SERVICE = Path(__file__).with_name("service.yaml").read_text(encoding="utf-8")
ROLE = "TaskExecutionRole"


@pytest.fixture
def stack(cloud: Cloud, macro: Installed) -> Iterator[str]:
    name = cloud.stack_name("service")
    cloud.deploy(name, SERVICE)
    yield name
    cloud.delete(name)


def statements(cloud: Cloud, stack: str) -> dict[str, Document]:
    """What the role may do, by Sid."""
    documents = cloud.policies(cloud.resources(stack)[ROLE].physical_id)
    return {statement["Sid"]: statement for document in documents for statement in document["Statement"]}


def test_another_secret_changes_its_statement_alone(cloud: Cloud, stack: str) -> None:
    before, role = statements(cloud, stack), cloud.resources(stack)[ROLE]
    first, other = (cloud.resources(stack)[name].physical_id for name in ("First", "Other"))
    # Only the template names it: the change set is about what CloudFormation does with it.
    changes = cloud.deploy(stack, SERVICE.replace("!If [Second, !Ref Other, !Ref First]", "!Ref Other"))
    after = statements(cloud, stack)

    assert {sid for sid in {*before, *after} if before.get(sid) != after.get(sid)} == {"ReadSecrets"}
    assert as_list(before["ReadSecrets"]["Resource"]) == [first]
    assert as_list(after["ReadSecrets"]["Resource"]) == [other]
    assert cloud.resources(stack)[ROLE] == role
    assert set(changes.changes) == {ROLE, "Task"}


def test_a_parameter_changes_the_role_through_its_condition(cloud: Cloud, stack: str) -> None:
    before = statements(cloud, stack)
    cloud.deploy(stack, SERVICE, {"Secret": "second"})
    after = statements(cloud, stack)

    assert {sid for sid in {*before, *after} if before.get(sid) != after.get(sid)} == {"ReadSecrets"}
    assert as_list(after["ReadSecrets"]["Resource"]) == [cloud.resources(stack)["Other"].physical_id]


def test_a_previous_value_reaches_the_macro(cloud: Cloud, stack: str) -> None:
    """The macro reads the parameter's value, not its default."""
    template = SERVICE.replace("!If [Second, !Ref Other, !Ref First]", "!Sub /${Secret}/login")
    cloud.deploy(stack, template, {"Secret": "second"})
    login = f"arn:aws:ssm:{cloud.region}:{cloud.account}:parameter/second/login"
    assert login in as_list(statements(cloud, stack)["ReadParameters"]["Resource"])

    cloud.deploy(stack, template.replace("Name: GREETING", "Name: WELCOME"), {"Secret": None})

    assert cloud.parameters(stack) == {"Secret": "second"}
    assert login in as_list(statements(cloud, stack)["ReadParameters"]["Resource"])


def test_a_need_that_goes_takes_its_statement_with_it(cloud: Cloud, stack: str) -> None:
    before = statements(cloud, stack)
    lines = SERVICE.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "Name: GREETING" in line)
    cloud.deploy(stack, "".join([*lines[:at], *lines[at + 2 :]]))
    after = statements(cloud, stack)

    assert {sid: statement for sid, statement in before.items() if sid != "ReadParameters"} == after


def test_another_path_keeps_the_old_role_until_the_task_definition_has_moved(cloud: Cloud, stack: str) -> None:
    """What docs/operations.md proposes for an update that needs less: a new role; the old one is deleted last."""
    before = cloud.resources(stack)[ROLE].physical_id
    lines = SERVICE.replace("ExecutionRoleSpec: Auto", "ExecutionRoleSpec: {Path: /second/}").splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "Name: GREETING" in line)
    cloud.deploy(stack, "".join([*lines[:at], *lines[at + 2 :]]))

    if cloud.emulated and ROLE not in cloud.resources(stack):
        pytest.skip("this engine loses a role that it replaces")
    assert "ReadParameters" not in statements(cloud, stack)
    if cloud.resources(stack)[ROLE].physical_id == before:
        pytest.skip("this engine replaces no role whose path changes")
    assert before not in [each["RoleName"] for each in cloud.iam.list_roles()["Roles"]]
    happened = [(event.logical_id, event.status) for event in cloud.events(stack)]
    # AWS reports it in the clean-up; MiniStack deletes the role without an event.
    if (ROLE, "DELETE_COMPLETE") in happened:
        moved = max(index for index, event in enumerate(happened) if event == ("Task", "UPDATE_COMPLETE"))
        assert happened.index((ROLE, "DELETE_COMPLETE")) > moved, cloud.story(stack)


def test_without_a_spec_the_role_is_gone(cloud: Cloud, stack: str) -> None:
    role = cloud.resources(stack)[ROLE].physical_id
    cloud.deploy(stack, SERVICE.replace("      ExecutionRoleSpec: Auto\n", ""))

    assert ROLE not in cloud.resources(stack)
    assert role not in [each["RoleName"] for each in cloud.iam.list_roles()["Roles"]]
