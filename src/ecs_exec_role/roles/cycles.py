"""Finds the statements that would make a role wait for something that waits for the role.

Such a statement is put into a separate policy, which is attached later. See
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html about circular dependencies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ecs_exec_role.policies.statements import Statement
from ecs_exec_role.roles.assignment import Assignment
from ecs_exec_role.template.dependencies import Graph
from ecs_exec_role.template.event import Template


def dependencies(template: Template, granted: Iterable[tuple[Assignment, Sequence[Statement]]]) -> Graph:
    """What waits for what in the expanded template, in which each role has its statements."""
    added: dict[str, set[str]] = {}
    for role, statements in granted:
        added.setdefault(role.logical_id, set()).update(*(statement.references for statement in statements))
        for definition in role.definitions:
            added.setdefault(definition, set()).add(role.logical_id)
    return Graph(template, added)


def separate(
    role_id: str, statements: Sequence[Statement], graph: Graph
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """The statements that the role itself can contain, and those that must be attached later."""
    resources = graph.resources
    starts = frozenset().union(*(statement.references for statement in statements)) & resources
    if not starts or not graph.reaches(starts, role_id):
        return tuple(statements), ()
    inside: list[Statement] = []
    later: list[Statement] = []
    for statement in statements:
        circular = graph.reaches(statement.references & resources, role_id)
        (later if circular else inside).append(statement)
    return tuple(inside), tuple(later)
