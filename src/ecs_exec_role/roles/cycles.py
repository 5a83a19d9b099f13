"""Finds the statements that would make a role wait for something that waits for the role.

Such a statement is put into a separate policy, which is attached later. See
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html about circular dependencies.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecs_exec_role.policies.statements import Statement
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.template.dependencies import Graph
from ecs_exec_role.template.event import Template


def dependencies(template: Template, plans: Iterable[RolePlan]) -> Graph:
    """What waits for what in the expanded template, in which each role has its statements."""
    added: dict[str, set[str]] = {}
    for plan in plans:
        role_id = plan.assignment.logical_id
        added[role_id] = set().union(*[statement.references for statement in plan.statements])
        for use in plan.assignment.used:
            added.setdefault(use.logical_id, set()).add(role_id)
    return Graph(template, added)


def separated(plan: RolePlan, graph: Graph) -> RolePlan:
    """The plan, with the statements that must be attached later apart from those that the role itself can contain."""
    role_id, resources = plan.assignment.logical_id, graph.resources
    starts = graph.added_to(role_id) & resources
    if not starts or not graph.reaches(starts, role_id):
        return plan
    inside: list[Statement] = []
    later: list[Statement] = []
    for statement in plan.statements:
        circular = graph.reaches(statement.references & resources, role_id)
        (later if circular else inside).append(statement)
    return plan._replace(statements=tuple(inside), attached_later=tuple(later))
