"""The service control policies that docs/organization.md proposes."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data
from tests.guardrails.templates import event, properties, task
from tests.support.cloudformation import Stack, load
from tests.support.iam import Request, allowed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "organization.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Service control policies")[2].partition("\n## ")[0]
FUNCTIONS, ROLES = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", SECTION, re.DOTALL))
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

INSTALLER = "arn:aws:iam::123456789012:role/ecs-exec-role-installer"
DEPLOYER = "arn:aws:iam::123456789012:role/ecs-deployer"
ADMIN = "arn:aws:iam::123456789012:role/admin"
BOUNDARY = "arn:aws:iam::123456789012:policy/ecs-execution"

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:ecs-exec-role-macro"
STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/ecs-exec-role/1b9c4f30-6d0c-4c8e-8f4a-0123456789ab"
STACK_SET = "arn:aws:cloudformation:us-east-1:123456789012:stackset/ecs-exec-role:1b9c4f30-6d0c-4c8e-8f4a-0123456789ab"
FUNCTIONS_ROLE = "arn:aws:iam::123456789012:role/ecs-exec-role-MacroRole-A1B2C3D4E5F6"
ROLE = "arn:aws:iam::123456789012:role/ecs/web"


def statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = policy["Statement"]
    return found


def actions(statement: dict[str, Any]) -> list[str]:
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


@pytest.mark.parametrize("policy", [FUNCTIONS, ROLES])
def test_they_fit_and_deny_actions_that_exist(policy: dict[str, Any]) -> None:
    assert len(json.dumps(policy, separators=(",", ":"))) <= 5_120
    for statement in statements(policy):
        assert statement["Effect"] == "Deny"
        for action in actions(statement):
            assert get_action_data(*action.split(":")), action


@pytest.mark.parametrize(
    "action",
    [
        "lambda:PutFunctionConcurrency",
        "lambda:PutRuntimeManagementConfig",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
        "lambda:DeleteFunction",
        "lambda:AddPermission",
        "lambda:PutFunctionEventInvokeConfig",
        "lambda:UpdateFunctionEventInvokeConfig",
        "lambda:CreateFunctionUrlConfig",
        "lambda:DeleteFunctionCodeSigningConfig",
        "lambda:UpdateCodeSigningConfig",
        "cloudformation:UpdateStack",
        "cloudformation:ExecuteStackRefactor",
        "cloudformation:UpdateTerminationProtection",
        "cloudformation:UpdateStackSet",
        "iam:PutRolePermissionsBoundary",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRole",
        "iam:UpdateAssumeRolePolicy",
        "iam:PutRolePolicy",
        "logs:DeleteLogGroup",
    ],
)
def test_nobody_but_the_installer_changes_the_functions(action: str) -> None:
    resource = {
        "lambda": FUNCTION,
        "iam": FUNCTIONS_ROLE,
        "cloudformation": STACK_SET if action.endswith("StackSet") else STACK,
        "logs": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/ecs-exec-role-macro",
    }[action.partition(":")[0]]
    if "CodeSigningConfig" in action and "Function" not in action:
        resource = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"
    answers = allowed(
        [EVERYTHING, FUNCTIONS],
        [Request(action, resource, {"aws:PrincipalArn": who}) for who in (INSTALLER, DEPLOYER, ADMIN)],
    )
    assert answers == [True, False, False]


def test_the_functions_are_still_called() -> None:
    [answer] = allowed(
        [EVERYTHING, FUNCTIONS], [Request("lambda:InvokeFunction", FUNCTION, {"aws:PrincipalArn": ADMIN})]
    )
    assert answer


def test_they_mean_what_is_installed() -> None:
    resources = load(ROOT / "template.yaml")["Resources"]
    patterns = {statement["Sid"]: statement["Resource"] for statement in statements(FUNCTIONS)}
    for name in ("macro", "preflight"):
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:ecs-exec-role-{name}"
        assert fnmatchcase(arn, patterns["OnlyTheInstallerChangesTheFunctions"])
        group = f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/ecs-exec-role-{name}"
        assert fnmatchcase(group, patterns["OnlyTheInstallerChangesTheirLogs"])
    for stack in ("ecs-exec-role", "StackSet-ecs-exec-role-1b9c4f30-6d0c-4c8e-8f4a-0123456789ab"):
        arn = f"arn:aws:cloudformation:us-east-1:123456789012:stack/{stack}/1b9c4f30"
        assert fnmatchcase(arn, patterns["OnlyTheInstallerChangesTheirStack"])
        for name, resource in resources.items():
            if resource["Type"] == "AWS::IAM::Role":
                arn = f"arn:aws:iam::123456789012:role/{stack}-{name}-A1B2C3D4E5F6"
                assert fnmatchcase(arn, patterns["OnlyTheInstallerChangesTheirRoles"])


@pytest.mark.parametrize(
    "action, resource, context, answers",
    [
        ("iam:CreateRole", ROLE, {"iam:PermissionsBoundary": BOUNDARY}, (True, False)),
        ("iam:CreateRole", ROLE, {"iam:PermissionsBoundary": BOUNDARY + "2"}, (False, False)),
        ("iam:CreateRole", ROLE, {}, (False, False)),
        ("iam:PutRolePermissionsBoundary", ROLE, {"iam:PermissionsBoundary": BOUNDARY}, (True, False)),
        (
            "iam:PutRolePermissionsBoundary",
            ROLE,
            {"iam:PermissionsBoundary": ADMIN},
            (False, False),
        ),
        ("iam:DeleteRolePermissionsBoundary", ROLE, {}, (False, False)),
        ("iam:AttachRolePolicy", ROLE, {}, (True, False)),
        ("iam:PutRolePolicy", ROLE, {}, (True, False)),
        ("iam:UpdateAssumeRolePolicy", ROLE, {}, (True, False)),
        ("iam:DeleteRole", ROLE, {}, (True, False)),
        ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/other", {}, (True, True)),
        ("iam:CreatePolicyVersion", BOUNDARY, {}, (False, False)),
        ("iam:CreatePolicy", "arn:aws:iam::123456789012:policy/team-x", {}, (False, False)),
        ("iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"}, (True, True)),
        (
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/hand-written",
            {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
            (False, False),
        ),
        (
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/hand-written",
            {"iam:PassedToService": "lambda.amazonaws.com"},
            (True, True),
        ),
    ],
)
def test_roles_exist_only_with_the_boundary_and_ecs_gets_no_others(
    action: str, resource: str, context: dict[str, str], answers: tuple[bool, bool]
) -> None:
    requests = [Request(action, resource, {**context, "aws:PrincipalArn": who}) for who in (DEPLOYER, ADMIN)]
    assert tuple(allowed([EVERYTHING, ROLES], requests)) == answers


def test_what_the_macro_writes_fits_into_them() -> None:
    """With the guardrails for boundary and path, CloudFormation can create the role with the deployer's role."""
    found = properties(event({"Web": task()}), PERMISSIONS_BOUNDARY="ecs-execution", PATH="/ecs/")
    boundary = Stack({}).resolve(found["PermissionsBoundary"])
    arn = f"arn:aws:iam::123456789012:role{found['Path']}web"
    for policies, answer in (([EVERYTHING, ROLES, FUNCTIONS], True), ([EVERYTHING], True)):
        context = {"iam:PermissionsBoundary": boundary, "aws:PrincipalArn": DEPLOYER}
        assert allowed(policies, [Request("iam:CreateRole", arn, context)]) == [answer]
