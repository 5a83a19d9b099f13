"""The custom resource that checks a role when the stack is deployed, before anything uses the role."""

from __future__ import annotations

from ecs_exec_role.errors import Problem, Problems
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import Need
from ecs_exec_role.policies.statements import Statement
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.settings import Settings
from ecs_exec_role.template.budget import current
from ecs_exec_role.template.conditions import PathCondition, diagram, nodes_of, when
from ecs_exec_role.template.symbols import Json, Symbols

TYPE = "Custom::EcsExecRolePreflight"

SERVICE_TIMEOUT = 900
"""Seconds that CloudFormation waits for an answer: three calls of the function, which has 180 seconds for each, and the
pauses that Lambda makes between them, of one and of two minutes. Without it, CloudFormation waits for an hour. See
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

_LENGTH = len('{"Sid":"","Path":"","Kind":"","Target":"","Actions":[],"Resources":[],"Context":{"":[]}},')
_LENGTH_OF_IF = len('{"Fn::If":["",,{"Ref":"AWS::NoValue"}]}')


class _Question(NamedTuple):
    """The needs that are checked together: those of one statement for one value at one place of the template."""

    sid: str
    path: str
    target: str
    path_condition: PathCondition


def preflight_resource(
    plan: RolePlan, symbols: Symbols, settings: Settings, awaited: list[str], problems: Problems
) -> dict[str, Json] | None:
    """The custom resource of a role; None, and a problem, if no function is deployed that can answer it.

    Args:
        plan: the role.
        symbols: what the needs' symbolic texts are made of.
        settings: knows the function.
        awaited: the logical IDs of the policies that must be attached first.
        problems: where the problem goes.
    """
    if not settings.preflight_function:
        problems.append(
            Problem(
                f"{plan.spec_path}/Preflight",
                "the macro was deployed without the function that checks roles",
                "deploy it with the parameter Preflight=true, or remove Preflight",
                "preflight-not-deployed",
            )
        )
        return None
    questions: dict[_Question, list[tuple[Statement, Need]]] = {}
    for statement in (*plan.all_statements, *plan.asked):
        for need in statement.needs:
            question = _Question(statement.sid, need.path, need.target, need.path_condition)
            questions.setdefault(question, []).append((statement, need))
    resource: dict[str, Json] = {"Type": TYPE}
    if plan.condition:
        resource["Condition"] = plan.condition
    if awaited:
        resource["DependsOn"] = list(awaited)
    # There is nothing to delete. Without these attributes, a stack could not be deleted after the function was removed.
    resource["DeletionPolicy"] = resource["UpdateReplacePolicy"] = "Retain"
    resource["Properties"] = {
        "ServiceToken": settings.preflight_function,
        "ServiceTimeout": SERVICE_TIMEOUT,
        "RoleArn": {"Fn::GetAtt": [plan.logical_id, "Arn"]},
        "Mode": plan.spec.preflight,
        "Needs": [_need(question, [need for _, need in asked], plan, symbols) for question, asked in questions.items()],
    }
    return resource


def _need(question: _Question, needs: list[Need], plan: RolePlan, symbols: Symbols) -> Json:
    held = diagram([question.path_condition], plan.given)
    texts = [question.path, question.target, *(need.resource for need in needs)]
    current().write(_LENGTH + sum(len(symbols.sort_key(text)) for text in texts) + nodes_of(held) * _LENGTH_OF_IF)
    return when(held, _asked(question, needs, symbols))


def _asked(question: _Question, needs: list[Need], symbols: Symbols) -> dict[str, Json]:
    grant = needs[0].grant
    context: dict[str, list[Json]] = {}
    for _, key, values in needs[0].conditions:
        context[key] = [symbols.render(value) for value in values]
    for need in needs:
        if need.context is not None:
            _, key, value = need.context
            rendered = symbols.render(value)
            if rendered not in context.setdefault(key, []):
                context[key].append(rendered)
    resources = sorted({need.resource for need in needs}, key=symbols.sort_key)
    asked: dict[str, Json] = {
        "Sid": question.sid,
        "Path": question.path,
        "Kind": grant.kind,
        "Target": symbols.render(question.target),
        "Actions": list(grant.actions),
        "Resources": [symbols.render(resource) for resource in resources],
    }
    if context:
        asked["Context"] = context
    return asked
