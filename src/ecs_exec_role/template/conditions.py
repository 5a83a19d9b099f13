"""The conditions of a template under which something is true.

A `PathCondition` is a conjunction: the conditions, sorted by name, and whether each is true or false. Several
path conditions together mean "or". `diagram` turns these into the one decision diagram that `Fn::If` can write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from ecs_exec_role.template.budget import Budget, current
from ecs_exec_role.template.symbols import NO_VALUE, Json

PathCondition: TypeAlias = tuple[tuple[str, bool], ...]
ALWAYS: PathCondition = ()

DecisionDiagram: TypeAlias = "bool | tuple[str, DecisionDiagram, DecisionDiagram]"
"""True: always. False: never. Else a condition's name, and the diagrams for when it is true and when it is false."""

_MOST_NODES = 4_000
"""Nodes of one decision diagram."""

_MOST_COPIES = 256
"""Nodes of the diagram of a policy or a statement, which is written once for each of its branches."""

_MOST_LEVELS = 256
"""Conditions one below the other in one decision diagram, and so `Fn::If`s in an answer."""


class TooManyConditions(ValueError):
    """What is needed depends on more combinations of conditions than a template can contain."""


def both(one: PathCondition, other: PathCondition) -> PathCondition | None:
    """The path condition that requires both, or None if they contradict each other."""
    if not other or one == other:
        return one
    if not one:
        return other
    current().spend((len(one) + len(other)) // 4)
    merged = dict(one)
    for name, truth in other:
        if merged.setdefault(name, truth) != truth:
            return None
    return tuple(sorted(merged.items()))


def diagram(path_conditions: Iterable[PathCondition], given: PathCondition = ALWAYS) -> DecisionDiagram:
    """The decision diagram of "any of `path_conditions`", where `given` is known to hold."""
    alternatives = set(path_conditions)
    if ALWAYS in alternatives:
        return True
    if given:
        known = dict(given)
        alternatives = {
            tuple(literal for literal in path_condition if literal[0] not in known)
            for path_condition in alternatives
            if all(known.get(name, truth) == truth for name, truth in path_condition)
        }
    return _grown(sorted(alternatives), 0, _Work(), 0) if alternatives else False


class _Work:
    """Counts the nodes of one decision diagram."""

    __slots__ = ("_budget", "_nodes")

    def __init__(self) -> None:
        self._budget = current()
        self._nodes = 0

    def node(self, level: int, steps: int = 1) -> None:
        self._nodes += 1
        if self._nodes > _MOST_NODES or level > _MOST_LEVELS:
            raise TooManyConditions
        self._budget.spend(steps)


def _grown(path_conditions: list[PathCondition], start: int, work: _Work, level: int) -> DecisionDiagram:
    """The diagram of the path conditions from `start` on. They are sorted by their first condition."""
    if start == len(path_conditions):
        return False
    if not path_conditions[start]:
        return True
    name = path_conditions[start][0][0]
    middle = _end_of(path_conditions, start, (name, False))
    end = _end_of(path_conditions, middle, (name, True))
    work.node(level, 1 + (end - start))
    yes = _cofactor(path_conditions, middle, end, end, work, level)
    no = _cofactor(path_conditions, start, middle, end, work, level)
    return yes if yes == no else (name, yes, no)


def _end_of(path_conditions: list[PathCondition], start: int, literal: tuple[str, bool]) -> int:
    while start < len(path_conditions) and path_conditions[start][0] == literal:
        start += 1
    return start


def _cofactor(
    path_conditions: list[PathCondition], first: int, last: int, rest: int, work: _Work, level: int
) -> DecisionDiagram:
    """The diagram of some path conditions without their first literal, and of those from `rest` on."""
    if first == last:
        return _grown(path_conditions, rest, work, level + 1)
    left = [path_condition[1:] for path_condition in path_conditions[first:last]]
    if not left[0]:
        return True
    work.node(level, 1 + (len(path_conditions) - rest) // 4)
    return _grown(sorted({*left, *path_conditions[rest:]}), 0, work, level + 1)


def any_of(diagrams: Iterable[DecisionDiagram]) -> DecisionDiagram:
    """The decision diagram that holds where at least one of these holds."""
    left: list[DecisionDiagram] = list(diagrams)
    if True in left:
        return True
    left = list(dict.fromkeys(left))
    # In pairs: each diagram is then walked about log2 of their number times.
    while len(left) > 1:
        work = _Work()
        pairs = zip(left[::2], left[1::2], strict=False)
        left = [*(_either(one, other, work, 0) for one, other in pairs), *left[len(left) // 2 * 2 :]]
    return left[0] if left else False


def _either(one: DecisionDiagram, other: DecisionDiagram, work: _Work, level: int) -> DecisionDiagram:
    if one is True or other is True:
        return True
    if one is False or one is other:
        return other
    if other is False:
        return one
    work.node(level)
    name = min(one[0], other[0])
    one_yes, one_no = one[1:] if one[0] == name else (one, one)
    other_yes, other_no = other[1:] if other[0] == name else (other, other)
    yes = _either(one_yes, other_yes, work, level + 1)
    no = _either(one_no, other_no, work, level + 1)
    return yes if yes == no else (name, yes, no)


def nodes_of(held: DecisionDiagram) -> int:
    """How many conditions a decision diagram has."""
    count = 0
    stack = [held]
    while stack:
        node = stack.pop()
        if not isinstance(node, bool):
            count += 1
            stack += node[1:]
    return count


def narrowed(held: DecisionDiagram, given: PathCondition) -> DecisionDiagram:
    """What is left of a decision diagram where `given` is known to hold."""
    if isinstance(held, bool) or not given:
        return held
    known = dict(given)
    budget = current()

    def walk(node: DecisionDiagram) -> DecisionDiagram:
        if isinstance(node, bool):
            return node
        budget.spend()
        name, yes, no = node
        if name in known:
            return walk(yes if known[name] else no)
        yes, no = walk(yes), walk(no)
        return yes if yes == no else (name, yes, no)

    return walk(held)


def difference(path_condition: PathCondition, covered: Iterable[PathCondition]) -> list[PathCondition]:
    """The path conditions that together hold exactly where `path_condition` holds and none of `covered` does."""
    covering = diagram(covered, path_condition)
    if isinstance(covering, bool):
        return [] if covering else [path_condition]
    found: list[PathCondition] = []
    budget = current()

    def walk(held: DecisionDiagram, so_far: PathCondition) -> None:
        if held is False:
            found.append(so_far)
        elif held is not True:
            budget.spend(1 + len(so_far))
            name, yes, no = held
            for truth, child in ((True, yes), (False, no)):
                inner = both(so_far, ((name, truth),))
                if inner is not None:
                    walk(child, inner)

    walk(covering, path_condition)
    return found


def placed(held: DecisionDiagram, make: Callable[[PathCondition], Json], given: PathCondition = ALWAYS) -> Json:
    """The result of `make` where the diagram holds, inside `Fn::If`s; `make` gets all that is known to hold there.

    Raises:
        TooManyConditions: the result would be repeated too often.
    """
    if held is True:
        return make(given)
    if nodes_of(held) > _MOST_COPIES:
        raise TooManyConditions
    return _placed(held, make, given, current())


def _placed(held: DecisionDiagram, make: Callable[[PathCondition], Json], given: PathCondition, budget: Budget) -> Json:
    if held is True:
        return make(given)
    if held is False:
        return NO_VALUE
    name, yes, no = held
    budget.spend(1 + len(given))
    budget.write(len('{"Fn::If":["",,]}') + len(name))
    branches = []
    for truth, below in ((True, yes), (False, no)):
        known = both(given, ((name, truth),))
        branches.append(NO_VALUE if known is None else _placed(below, make, known, budget))
    return {"Fn::If": [name, *branches]}


def when(held: DecisionDiagram, node: Json, otherwise: Json = NO_VALUE) -> Json:
    """`node` where the diagram holds, inside `Fn::If`s; elsewhere `otherwise`, which is nothing by default."""
    if held is True:
        return node
    if held is False:
        return otherwise
    current().spend()
    name, yes, no = held
    return {"Fn::If": [name, when(yes, node, otherwise), when(no, node, otherwise)]}
