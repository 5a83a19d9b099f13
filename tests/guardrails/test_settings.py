"""The settings of the guardrails, as environment variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.guardrails.templates import BOUNDARY, Json, event, settings, task
from tests.support.event import LambdaContext

from ecs_exec_role import macro
from ecs_exec_role.errors import TemplateError
from ecs_exec_role.settings import NO_GUARDRAILS, PARAMETERS, PREFIX, from_environment


def test_nothing_is_forced_where_nothing_is_set() -> None:
    empty = {PREFIX + name: "" for name in PARAMETERS}
    assert from_environment(empty).guardrails == NO_GUARDRAILS
    assert from_environment({}).guardrails == NO_GUARDRAILS


@pytest.mark.parametrize(
    "name, value",
    [
        ("PERMISSIONS_BOUNDARY", "arn:aws:iam::123456789012:role/boundary"),
        ("PERMISSIONS_BOUNDARY", "arn:aws:iam::${AWS::StackName}:policy/boundary"),
        ("PERMISSIONS_BOUNDARY", "two words"),
        ("PERMISSIONS_BOUNDARY", "bound*"),
        ("PATH", "ecs"),
        ("PATH", "/ecs"),
        ("PATH", "/e cs/"),
        ("NAME_PREFIX", "ecs/"),
        ("NAME_PREFIX", "x" * 49),
        ("ACCOUNTS", "12345678901"),
        ("ACCOUNTS", "self,none"),
        ("ACCOUNTS", ","),
        ("ACCOUNTS", "*"),
        ("ACCOUNTS", "sqs:222222222222"),
        ("REGIONS", "europe"),
        ("REGIONS", "eu-west-*"),
        ("REGIONS", "s3:eu-west-1"),
        ("STATEMENTS", "no"),
        ("STATEMENTS", "ssm:GetParameters;ssm:GetParameter"),
        ("STATEMENTS", ","),
        ("MANAGED_POLICIES", "arn:aws:iam::123456789012:role/x"),
        ("MANAGED_POLICIES", ", ,"),
        ("PREFLIGHT", "yes"),
        ("TAGS", "=web"),
        ("TAGS", "team="),
        ("TAGS", "aws:team"),
        ("TAGS", "team,Team=web"),
    ],
)
def test_a_mistake_in_a_setting_fails_every_template_and_is_never_skipped(name: str, value: str) -> None:
    with pytest.raises(TemplateError) as caught:
        settings(**{name: value})
    for problem in caught.value.problems:
        assert problem.path == PREFIX + name
        assert f"the macro's owner must set its parameter {PARAMETERS[name]} to" in problem.fix


def test_an_unknown_setting_is_a_mistake_too() -> None:
    with pytest.raises(
        TemplateError, match=r"ECS_EXEC_ROLE_BOUNDARY: is not a setting of the macro; .*PERMISSIONS_BOUNDARY"
    ):
        settings(BOUNDARY="x")
    assert settings(DEBUG="1").guardrails == NO_GUARDRAILS


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(TemplateError) as caught:
        settings(PATH="ecs", ACCOUNTS="x,y", TAGS="=")
    assert [problem.path for problem in caught.value.problems] == [
        "ECS_EXEC_ROLE_ACCOUNTS",
        "ECS_EXEC_ROLE_ACCOUNTS",
        "ECS_EXEC_ROLE_PATH",
        "ECS_EXEC_ROLE_TAGS",
    ]


def test_forced_preflight_needs_its_function() -> None:
    with pytest.raises(
        TemplateError, match="ECS_EXEC_ROLE_PREFLIGHT: needs the preflight function, which is not deployed"
    ):
        from_environment({"ECS_EXEC_ROLE_PREFLIGHT": "true"})


def test_the_macro_reads_them_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    handler: Callable[[Json, Any], Json] = macro.handler
    monkeypatch.setenv("ECS_EXEC_ROLE_PERMISSIONS_BOUNDARY", BOUNDARY)
    answer = handler(event({"Web": task()}), LambdaContext())
    assert answer["fragment"]["Resources"]["WebExecutionRole"]["Properties"]["PermissionsBoundary"] == BOUNDARY
    monkeypatch.setenv("ECS_EXEC_ROLE_PERMISSIONS_BOUNDARY", "not a policy")
    answer = handler(event({"Web": task()}), LambdaContext())
    assert answer["status"] == "failure"
    assert answer["errorMessage"] == (
        "ECS_EXEC_ROLE_PERMISSIONS_BOUNDARY: `not a policy` is not a managed policy; the macro's owner must set its"
        " parameter PermissionsBoundary to the ARN of one, or its name in the stack's own account"
    )


def test_items_are_separated_by_commas() -> None:
    one = settings(ACCOUNTS="self,222222222222", TAGS="team,by=macro", STATEMENTS="ssm:GetParameters,xray:*").guardrails
    other = settings(
        ACCOUNTS=" self , 222222222222,", TAGS="team , by=macro", STATEMENTS="ssm:GetParameters, xray:*"
    ).guardrails
    assert one == other
    assert one.accounts == (("", "222222222222"),)
    assert one.statements == ("ssm:GetParameters", "xray:*")


def test_the_services_are_those_of_the_page() -> None:
    for service in ("ecr", "secretsmanager", "ssm", "s3", "kms", "logs", "elasticfilesystem"):
        assert settings(ACCOUNTS=f"{service}:222222222222").guardrails.accounts == ((service, "222222222222"),)
        if service != "s3":
            assert settings(REGIONS=f"{service}:eu-west-1").guardrails.regions == ((service, "eu-west-1"),)
    for name, value in (("ACCOUNTS", "ec2:222222222222"), ("REGIONS", "s3:eu-west-1")):
        with pytest.raises(TemplateError):
            settings(**{name: value})
