"""Distributes statements over as few policies as IAM's limits allow.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.policies.statements import Statement
from ecs_exec_role.template.conditions import ALWAYS, DecisionDiagram, PathCondition, any_of, placed
from ecs_exec_role.template.symbols import Json

LARGEST_INLINE = 10_240
"""The most characters, without white space, of all inline policies of one role together."""

LARGEST_MANAGED = 6_144
"""The most characters, without white space, of one managed policy."""

MOST_MANAGED = 10
"""The most managed policies of one role, by IAM's default quota."""

MOST_MANAGED_ON_REQUEST = 20
"""The same by the largest quota that IAM gives on request."""

FRAME = len('{"Version":"2012-10-17","Statement":[]}')


class Packed(NamedTuple):
    """The statements in the role itself, and in each managed policy. `length` is the number of all their characters."""

    inline: list[Statement]
    managed: list[list[Statement]]
    length: int


NOTHING = Packed([], [], FRAME)
"""How no statements are packed."""


def pack(statements: Sequence[Statement], inline_room: int) -> Packed:
    """First fit, in order: inline while there is space, then managed policies."""
    if not statements:
        return NOTHING
    inline: list[Statement] = []
    managed: list[list[Statement]] = []
    used = FRAME
    lengths: list[int] = []
    for statement in statements:
        if used + statement.length <= inline_room:
            inline.append(statement)
            used += statement.length
            continue
        # A role that needs more policies than it can have is refused, so these need not be filled.
        first = 0 if len(lengths) <= MOST_MANAGED else len(lengths) - 1
        for index, length in enumerate(lengths[first:], first):
            if length + statement.length <= LARGEST_MANAGED:
                managed[index].append(statement)
                lengths[index] += statement.length
                break
        else:
            managed.append([statement])
            lengths.append(FRAME + statement.length)
    return Packed(inline, managed, used + sum(lengths))


def document(statements: Sequence[Statement], given: PathCondition = ALWAYS) -> dict[str, Json]:
    """A policy document of these statements, for a place where `given` is known to hold."""
    written = [node for statement in statements if (node := statement.under(given)) is not None]
    return {"Version": "2012-10-17", "Statement": written}


def held(statements: Sequence[Statement]) -> DecisionDiagram:
    """Under which conditions a policy has at least one statement: IAM refuses an empty policy."""
    return any_of([statement.held for statement in statements])


def inline_policy(name: str, statements: Sequence[Statement]) -> Json:
    """An item of a role's `Policies`."""
    return placed(held(statements), lambda given: {"PolicyName": name, "PolicyDocument": document(statements, given)})


def length_as_written(node: Json) -> int:
    """The characters of what an author wrote, without white space between the parts."""
    return len(json.dumps(node, separators=(",", ":")))
