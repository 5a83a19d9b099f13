"""Which conditions of a template hold, as far as a stack's parameters show it."""

from __future__ import annotations

from collections.abc import Callable

from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.symbols import Json, is_symbolic

_DEEPEST = 50


class Conditions:
    """The conditions of one template. `spell` writes a value out; what is still symbolic in it is unknown."""

    def __init__(self, declared: Json, spell: Callable[[Json], str]) -> None:
        self._declared = mapping(declared)
        self._spell = spell

    def holds(self, path_condition: PathCondition) -> bool | None:
        """Whether a path condition holds; None if that is not known."""
        answers = [self._equals(self._condition(name, 0), truth) for name, truth in path_condition]
        return False if False in answers else None if None in answers else True

    @staticmethod
    def _equals(answer: bool | None, truth: bool) -> bool | None:
        return None if answer is None else answer is truth

    def _condition(self, name: Json, depth: int) -> bool | None:
        if not isinstance(name, str) or name not in self._declared:
            return None
        return self._expression(self._declared[name], depth + 1)

    def _expression(self, node: Json, depth: int) -> bool | None:
        if not isinstance(node, dict) or len(node) != 1 or depth > _DEEPEST:
            return None
        [(function, argument)] = node.items()
        if function == "Condition":
            return self._condition(argument, depth)
        if not isinstance(argument, list):
            return None
        if function == "Fn::Equals" and len(argument) == 2:
            one, other = map(self._spell, argument)
            return None if is_symbolic(one) or is_symbolic(other) else one == other
        answers = [self._expression(item, depth + 1) for item in argument]
        if function == "Fn::Not" and len(answers) == 1:
            return None if answers[0] is None else not answers[0]
        if function == "Fn::And":
            return False if False in answers else None if None in answers else True
        if function == "Fn::Or":
            return True if True in answers else None if None in answers else False
        return None
