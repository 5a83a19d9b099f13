"""Under which of a template's conditions something holds.

A `Guard` is a conjunction: the conditions, sorted by name, and whether each is true or false. Several guards together
mean "or". `tree` turns these into the one decision tree that `Fn::If` can write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from ecs_exec_role.template.symbols import NO_VALUE, Json

Guard: TypeAlias = tuple[tuple[str, bool], ...]
ALWAYS: Guard = ()

Tree: TypeAlias = "bool | tuple[str, Tree, Tree]"
"""True: always. False: never. Else a condition's name, and the trees for when it is true and when it is false."""

_MOST_STEPS = 10_000


class TooManyConditions(ValueError):
    """What is needed hangs on more combinations of conditions than can be written down."""


def both(one: Guard, other: Guard) -> Guard | None:
    """The guard that demands both, or None where they contradict each other."""
    if not other or one == other:
        return one
    if not one:
        return other
    merged = dict(one)
    for name, truth in other:
        if merged.setdefault(name, truth) != truth:
            return None
    return tuple(sorted(merged.items()))


def tree(guards: Iterable[Guard], given: Guard = ALWAYS) -> Tree:
    """The decision tree of "any of `guards`", where `given` is known to hold."""
    alternatives = frozenset(guards)
    if ALWAYS in alternatives:
        return True
    if not alternatives:
        return False
    for name, truth in given:
        alternatives = _restricted(alternatives, name, truth)
    return _tree(alternatives, [0])


def _tree(alternatives: frozenset[Guard], steps: list[int]) -> Tree:
    if ALWAYS in alternatives:
        return True
    if not alternatives:
        return False
    steps[0] += 1
    if steps[0] > _MOST_STEPS:
        raise TooManyConditions
    name = min(guard[0][0] for guard in alternatives)
    yes = _tree(_restricted(alternatives, name, True), steps)
    no = _tree(_restricted(alternatives, name, False), steps)
    return yes if yes == no else (name, yes, no)


def _restricted(alternatives: frozenset[Guard], name: str, truth: bool) -> frozenset[Guard]:
    """What is left of `alternatives` once the condition is known to be `truth`."""
    return frozenset(
        tuple(literal for literal in guard if literal[0] != name)
        for guard in alternatives
        if (name, not truth) not in guard
    )


def narrowed(held: Tree, given: Guard) -> Tree:
    """What is left of a decision tree where `given` is known to hold.

    It is `tree(guards_of(held), given)`, without the detour: a policy is written anew at each of its branches.
    """
    known = dict(given)

    def walk(node: Tree) -> Tree:
        if isinstance(node, bool):
            return node
        name, yes, no = node
        if name in known:
            return walk(yes if known[name] else no)
        yes, no = walk(yes), walk(no)
        return yes if yes == no else (name, yes, no)

    return walk(held) if known else held


def guards_of(held: Tree, so_far: Guard = ALWAYS) -> list[Guard]:
    """The guards of which a decision tree is made."""
    if held is True:
        return [tuple(sorted(so_far))]
    if held is False:
        return []
    name, yes, no = held
    return [*guards_of(yes, (*so_far, (name, True))), *guards_of(no, (*so_far, (name, False)))]


def remaining(guard: Guard, covered: Iterable[Guard]) -> list[Guard]:
    """The guards that together hold just where `guard` does and none of `covered`."""
    found: list[Guard] = []

    def walk(held: Tree, so_far: Guard) -> None:
        if held is False:
            found.append(so_far)
        elif held is not True:
            name, yes, no = held
            for truth, child in ((True, yes), (False, no)):
                inner = both(so_far, ((name, truth),))
                if inner is not None:
                    walk(child, inner)

    walk(tree(covered, guard), guard)
    return found


def placed(held: Tree, make: Callable[[Guard], Json], given: Guard = ALWAYS) -> Json:
    """What `make` makes, where the tree holds, as `Fn::If`s; `make` is told all that is known to hold there."""
    if held is True:
        return make(given)
    if held is False:
        return NO_VALUE
    name, yes, no = held
    branches = []
    for truth, below in ((True, yes), (False, no)):
        known = both(given, ((name, truth),))
        branches.append(NO_VALUE if known is None else placed(below, make, known))
    return {"Fn::If": [name, *branches]}


def when(held: Tree, node: Json, otherwise: Json = NO_VALUE) -> Json:
    """`node` where the tree holds, as `Fn::If`s; where it does not, `otherwise`: nothing, if that is not said."""
    if held is True:
        return node
    if held is False:
        return otherwise
    name, yes, no = held
    return {"Fn::If": [name, when(yes, node, otherwise), when(no, node, otherwise)]}
