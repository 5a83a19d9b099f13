"""The check at deployment, where it is forced."""

from __future__ import annotations

from typing import Any

import pytest
from tests.guardrails.templates import SECRET, both, event, made, ref, refused, role, snippet, task

from ecs_exec_role.errors import TemplateError


@pytest.mark.parametrize(
    "forced, said, mode",
    [
        ("true", None, "Fail"),
        ("true", False, "Fail"),
        ("true", "false", "Fail"),
        ("true", "Warn", "Fail"),
        ("true", ref("Given"), "Fail"),
        ("true", both(False, False), "Fail"),
        ("true", both(True, False), None),
        ("Warn", None, "Warn"),
        ("Warn", False, "Warn"),
        ("warn", True, "Fail"),
        ("Warn", "Warn", "Warn"),
    ],
)
def test_every_role_is_checked_at_deployment(forced: str, said: Any, mode: str | None) -> None:
    spec = {"Infer": True} if said is None else {"Preflight": said}
    request = event({"Web": task(spec, secret="/x"), "Role": role(spec)}, {"Given": "false"})
    if mode is None:
        with pytest.raises(TemplateError, match="Preflight: is only known when the stack is deployed"):
            made(request, PREFLIGHT=forced)
        return
    resources = made(request, PREFLIGHT=forced)
    for check in ("WebExecutionRolePreflight", "RolePreflight"):
        assert resources[check]["Type"] == "Custom::EcsExecRolePreflight"
        assert resources[check]["Properties"]["Mode"] == mode


def test_a_starter_role_is_checked_for_what_its_tasks_need() -> None:
    web = task("Starter", image={"Fn::ImportValue": "image"}, secret=SECRET)
    other = task(secret="/db")
    other["Properties"] = {**other["Properties"], "ExecutionRoleArn": {"Fn::GetAtt": "Role.Arn"}}
    del other["Properties"]["ExecutionRoleSpec"]
    service = {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": ref("Other")}}
    request = event({"Web": web, "Role": role("Starter"), "Other": other, "Service": service})
    resources = made(request, PREFLIGHT="true")
    for check, resource in (
        ("WebExecutionRolePreflight", SECRET),
        ("RolePreflight", {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/db"}),
    ):
        [need] = resources[check]["Properties"]["Needs"]
        assert need["Resources"] == [resource]
    assert resources["Service"]["DependsOn"] == ["RolePreflight"]
    assert "Policies" not in resources["WebExecutionRole"]["Properties"]


def test_a_snippet_can_add_no_check_so_it_is_a_breach() -> None:
    [line] = refused(snippet({"Infer": False}), PREFLIGHT="Warn")
    assert line == (
        "Fn::Transform: makes a role without the check at deployment, which every role has here;"
        " write ExecutionRoleSpec on the role instead"
    )
