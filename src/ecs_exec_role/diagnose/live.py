"""What AWS says about a deployed stack and its stopped tasks. It needs boto3, which is an extra."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ecs_exec_role.deployed import questions
from ecs_exec_role.diagnose.reason import Asked, Reason
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import inference
from ecs_exec_role.offline.macro_call import StackValues, expanded
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.template.symbols import Symbols

if TYPE_CHECKING:
    import boto3

    from ecs_exec_role.preflight.aws import Reply

_MOST_TASKS = 100
"""The most stopped tasks that ECS describes in one call; it keeps them for an hour."""


class Service(NamedTuple):
    """A service of the stack, by the names that ECS requires."""

    cluster: str
    name: str


def said(session: boto3.session.Session, physical: Iterable[str]) -> str:
    """What ECS says about a stack's services: their events and their stopped tasks, as JSON for `inputs.read`.

    Args:
        session: whose credentials are used.
        physical: the physical IDs of the stack's resources.

    Raises:
        CallError: AWS does not tell.
    """
    ask = _ecs(session)
    tasks: list[Any] = []
    services: list[Any] = []
    for service in _services(physical):
        described = ask("DescribeServices", cluster=service.cluster, services=[service.name])
        services += described.mappings("services")
        listed = ask(
            "ListTasks",
            cluster=service.cluster,
            serviceName=service.name,
            desiredStatus="STOPPED",
            maxResults=_MOST_TASKS,
        ).texts("taskArns")
        if listed:
            tasks += ask("DescribeTasks", cluster=service.cluster, tasks=list(listed)).mappings("tasks")
    return json.dumps({"tasks": tasks, "services": services}, default=str)


def _ecs(session: boto3.session.Session) -> Callable[..., Reply]:
    """Calls an operation of ECS."""
    from ecs_exec_role.preflight.aws import Aws  # noqa: PLC0415 - it needs boto3

    return partial(Aws(session).call, "ecs", session.region_name or "")


def _services(physical: Iterable[str]) -> Iterator[Service]:
    for arn in physical:
        kind, _, rest = arn.partition(":service/")
        if kind.startswith("arn:") and kind.split(":")[2] == "ecs":
            cluster, _, name = rest.rpartition("/")
            yield Service(cluster or "default", name)


def asked(
    session: boto3.session.Session,
    reasons: Sequence[Reason],
    template: TemplateFile,
    stack: StackValues,
    physical: dict[str, str],
    role: str = "",
) -> list[Reason]:
    """The reasons, each with what AWS answers about the needs at its places: the preflight's questions.

    Args:
        session: whose credentials are used.
        reasons: what `diagnose` found.
        template: where their places are.
        stack: the stack's region, account and parameters.
        physical: the physical IDs of its resources, by logical ID.
        role: the ARN of the execution role; empty to read it from AWS.

    Raises:
        CallError: AWS does not tell the role of a definition.
    """
    roles: dict[str, str] = {}
    found = []
    for reason in reasons:
        answers: list[Asked] = []
        for definition in dict.fromkeys(place.path.split("/")[1] for place in reason.places):
            arn = reason.evidence.override or role
            if not arn:
                if definition not in roles:
                    roles[definition] = _role_of(session, physical.get(definition, ""))
                arn = roles[definition]
            if arn:
                answers += _answers(session, reason, template, stack, physical, definition, arn)
        found.append(replace(reason, asked=tuple(answers)))
    return found


def _role_of(session: boto3.session.Session, definition: str) -> str:
    """The ARN of the execution role of a registered definition; empty if there is none, or no such definition."""
    if ":task-definition/" not in definition:
        return ""
    described = _ecs(session)("DescribeTaskDefinition", taskDefinition=definition).reply("taskDefinition")
    return described.text("executionRoleArn", "")


def _answers(
    session: boto3.session.Session,
    reason: Reason,
    template: TemplateFile,
    stack: StackValues,
    physical: dict[str, str],
    definition: str,
    role: str,
) -> Iterator[Asked]:
    from ecs_exec_role.preflight.check import check  # noqa: PLC0415 - it needs Powertools and boto3

    paths = {place.path for place in reason.places}
    action = reason.evidence.action.lower()
    plan, symbols = _plan(template, stack, definition)
    if plan is None:
        return
    needs = [
        need
        for need in questions.of(template, plan, symbols, stack, physical).asked
        if need.path in paths and (not action or action in map(str.lower, need.actions))
    ]
    if not needs:
        return
    report = check(role, needs, session, region=stack.region)
    for verdict in report.role:
        yield Asked(path=f"Resources/{definition}", status=str(verdict.status), what=verdict.what, fix=verdict.fix)
    for result in report.results:
        for verdict in result.verdicts:
            yield Asked(path=result.need.path, status=str(verdict.status), what=verdict.what, fix=verdict.fix)


def _plan(template: TemplateFile, stack: StackValues, definition: str) -> tuple[RolePlan | None, Symbols]:
    if inference.has_spec(template.data):
        for plan, symbols in expanded(template, stack).roles:
            if definition in plan.definitions:
                return plan, symbols
    inferred = inference.infer(template, stack, [definition])
    return inferred.plan, inferred.symbols
