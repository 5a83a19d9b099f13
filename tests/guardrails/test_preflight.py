"""The check at deployment, if it is required."""

from __future__ import annotations

from typing import Any

import pytest
from tests.guardrails.templates import SECRET, SPEC, Json, both, event, made, ref, refused, role, snippet, task

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
        with pytest.raises(TemplateError, match="Preflight: depends on a condition of the template"):
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


def test_a_snippet_can_add_no_check_so_it_is_a_violation() -> None:
    [line] = refused(snippet({"Infer": False}), PREFLIGHT="Warn")
    assert line == (
        "Fn::Transform: makes a role without the check at deployment, which every role must have;"
        " write ExecutionRoleSpec on the role instead"
    )


def uses(name: str, **container: Any) -> Json:
    """A definition without a spec that names a role by its ARN."""
    return named_by({"Fn::GetAtt": [name, "Arn"]}, **container)


ARN_START = "arn:aws:iam::123456789012:role"


def named_by(arn: Any, **container: Any) -> Json:
    definition = task(**container)
    del definition["Properties"]["ExecutionRoleSpec"]
    definition["Properties"]["ExecutionRoleArn"] = arn
    return definition


EMPTIED: list[Json] = [
    {"Web": task({"Infer": False}, secret=SECRET)},
    {"Web": task({"Infer": False, "Preflight": False}, secret=SECRET)},
    {"Web": task({"Infer": False, "Secrets": ["another"]}, secret=SECRET)},
    {"Web": task({"Infer": False, "Unresolved": "Ignore"}, secret=SECRET)},
    {"Web": task({"Infer": ref("Given")}, secret=SECRET)},
    {"Web": role({"Infer": False}), "Definition": uses("Web", secret=SECRET)},
    {"Web": role({"Infer": False, "TaskDefinitions": []}), "Definition": uses("Web", secret=SECRET)},
    {"Web": role({"TaskDefinitions": []}), "Definition": uses("Web", secret=SECRET)},
    {"Web": role({"TaskDefinitions": ["Other"]}), "Definition": uses("Web", secret=SECRET), "Other": uses("Web")},
    {"Web": task(), "Definition": uses("WebExecutionRole", secret=SECRET)},
    {"Web": role(), "Definition": named_by({"Fn::Sub": "${Web.Arn}"}, secret=SECRET)},
    {"Web": role(), "Definition": named_by({"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/${Web}"}, secret=SECRET)},
    {"Web": role(), "Definition": named_by({"Fn::Join": ["/", [ARN_START, ref("Web")]]}, secret=SECRET)},
    {"Web": role(RoleName="app"), "Definition": named_by(f"{ARN_START}/app", secret=SECRET)},
    {"Web": role(RoleName="app", Path="/a/"), "Definition": named_by(f"{ARN_START}/a/app", secret=SECRET)},
    {"Web": role(RoleName=both("x", ref("Given"))), "Definition": named_by(f"{ARN_START}/false", secret=SECRET)},
    {
        "Web": role(RoleName="app"),
        "Definition": named_by({"Fn::Sub": [f"{ARN_START}/${{N}}", {"N": "app"}]}, secret=SECRET),
    },
    {"Web": task({"RoleName": "app"}), "Definition": named_by("app", secret=SECRET)},
    {"Web": task("Starter", secret=SECRET)},
    {"Web": role("Starter"), "Definition": uses("Web", secret=SECRET)},
]


@pytest.mark.parametrize("resources", EMPTIED)
@pytest.mark.parametrize("mode", ["true", "Warn"])
def test_no_spec_makes_the_check_empty(resources: Json, mode: str) -> None:
    service = {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": ref("Definition")}}
    request = event({**resources, "Service": service}, {"Given": "false"})
    expanded = made(request, PREFLIGHT=mode)
    [check] = [each for each in expanded.values() if each["Type"] == "Custom::EcsExecRolePreflight"]
    asked = [need for need in check["Properties"]["Needs"] if need["Resources"] == [SECRET]]
    assert [(need["Kind"], need["Actions"]) for need in asked] == [("Secret", ["secretsmanager:GetSecretValue"])]
    if "Definition" in resources:
        assert expanded["Service"]["DependsOn"][0].endswith("Preflight"), "it starts only once the role was checked"
    if resources["Web"]["Properties"]["ExecutionRoleSpec"] != "Auto":
        roles = [each for each in expanded.values() if each["Type"] == "AWS::IAM::Role"]
        assert SECRET not in str(roles), "to be asked is not to be granted"


def test_what_is_granted_is_asked_once() -> None:
    request = event({"Web": task({"Infer": False, "Secrets": [SECRET]}, secret=SECRET)})
    [one, other] = made(request, PREFLIGHT="true")["WebExecutionRolePreflight"]["Properties"]["Needs"]
    assert one["Path"] != other["Path"], "the spec's entry, and the definition's"
    plain = event({"Web": task({"Unresolved": "Ignore"}, secret=SECRET)})
    [need] = made(plain, PREFLIGHT="true")["WebExecutionRolePreflight"]["Properties"]["Needs"]
    assert need["Path"].endswith("ValueFrom")


IMPORTED = {"Fn::ImportValue": "secret"}


@pytest.mark.parametrize("spec", [{"Unresolved": "Ignore"}, {"Infer": False}, {"Infer": False, "Unresolved": "Ignore"}])
@pytest.mark.parametrize("mode", ["true", "Warn"])
def test_what_cannot_be_asked_is_a_violation(spec: Json, mode: str) -> None:
    [line] = refused(event({"Web": task(spec, secret=IMPORTED)}), PREFLIGHT=mode)
    assert line == (
        "Resources/Web/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom: cannot tell which secret or parameter"
        " `!ImportValue secret` is, since it is only known when the stack is deployed;"
        " add `Secrets: [!ImportValue secret]`"
        f" or `Parameters: [!ImportValue secret]` to {SPEC}"
    )
    for key in ("Secrets", "Parameters"):
        followed = event({"Web": task({**spec, key: [IMPORTED]}, secret=IMPORTED)})
        needs = made(followed, PREFLIGHT=mode)["WebExecutionRolePreflight"]["Properties"]["Needs"]
        assert [need["Target"] for need in needs] == [IMPORTED]


def test_a_definition_that_cannot_be_read_is_a_violation() -> None:
    web = task({"Unresolved": "Ignore"})
    web["Properties"]["ContainerDefinitions"] = [{"Fn::FindInMap": ["Containers", ref("Hidden"), "one"]}]
    [line] = refused(event({"Web": web}), PREFLIGHT="true")
    assert line.startswith("Resources/Web/Properties/ContainerDefinitions/0: ")
    assert line.endswith("; write what it gives")


def test_without_the_guardrail_an_author_may_leave_needs_out() -> None:
    request = event({"Web": task({"Infer": False, "Preflight": True}, secret=SECRET)})
    assert made(request)["WebExecutionRolePreflight"]["Properties"]["Needs"] == []
    ignoring = event({"Web": task({"Unresolved": "Ignore", "Preflight": True}, secret=IMPORTED)})
    assert made(ignoring)["WebExecutionRolePreflight"]["Properties"]["Needs"] == []


def test_an_arn_that_is_handed_on_is_not_found() -> None:
    echo = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::GetAtt": ["Web", "Arn"]}}}
    definition = named_by({"Fn::GetAtt": ["Echo", "Value"]}, secret=SECRET)
    expanded = made(event({"Web": role(), "Echo": echo, "Definition": definition}), PREFLIGHT="true")
    [check] = [each for each in expanded.values() if each["Type"] == "Custom::EcsExecRolePreflight"]
    assert check["Properties"]["Needs"] == []
