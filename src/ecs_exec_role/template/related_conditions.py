"""How the conditions of a template depend on each other.

`NotProd: !Not [!Condition Prod]` and `Prod` exclude each other, and so do two equalities of one parameter with
different values. `RelatedConditions` is made from a template's `Conditions` and the `AllowedValues` of its parameters.
A path condition is impossible only if its conditions can never have these values. If there is too much to compare,
every path condition is possible.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from math import prod

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.budget import current
from ecs_exec_role.template.conditions import ALWAYS, DecisionDiagram, PathCondition, both
from ecs_exec_role.template.event import Template, mapping
from ecs_exec_role.template.symbols import Json

_MOST_VALUATIONS = 256
"""The most combinations of compared values that are tried for one path condition."""

_MOST_BRANCHES = 512
"""The most branches of a decision diagram that is simplified."""

_MOST_LEVELS = 50

_MOST_VARIABLES = 8
"""The most variables that one condition may compare. Each has at least two values, so more are too many to try."""


class _Valuation:
    """One value for each variable, and the resulting values of the named conditions: each is evaluated once."""

    __slots__ = ("conditions", "values")

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.conditions: dict[str, bool] = {}


_Evaluate = Callable[[_Valuation], bool]

_OTHER = ""
"""Represents every value that no condition compares with; `_words` distinguishes it from an empty word."""


class _Formula(NamedTuple):
    """A condition: the variables that it compares, its value for values of these, and how many conditions it contains.

    `word` is the one value for which it is true, where it is an equality.
    """

    variables: frozenset[str]
    evaluate: _Evaluate
    depth: int = 0
    word: str | None = None


class _Known(NamedTuple):
    """What is known where some conditions have a value.

    `left` has the remaining values of each variable, as a set of bits. `others` are the values of conditions that
    compare several variables, or that the template does not have.
    """

    left: Mapping[str, int]
    others: Mapping[str, bool]


class RelatedConditions:
    """The conditions of one template.

    The `AllowedValues` of `parameters` limit the values that a parameter can have.
    """

    def __init__(self, conditions: Mapping[str, Json], parameters: Mapping[str, Json] | None = None) -> None:
        self._conditions = conditions
        self._words: dict[str, set[str]] = {}
        self._allowed: dict[str, frozenset[str]] = {}
        self._formulas: dict[str, _Formula] = {}
        self._domains: dict[str, dict[str, int]] = {}
        self._values: dict[str, int] = {}
        self._possible: dict[PathCondition, bool] = {}
        for name, declared in (parameters or {}).items():
            allowed = mapping(declared).get("AllowedValues")
            if isinstance(allowed, list) and allowed and all(isinstance(word, str) for word in allowed):
                self._allowed[_key({"Ref": name})] = frozenset(allowed)
        for name in conditions:
            self._formula(name, 0)

    @classmethod
    def of(cls, template: Template) -> RelatedConditions:
        """Those of a template."""
        return cls(mapping(template.fragment.get("Conditions")), template.parameters)

    def possible(self, path_condition: PathCondition) -> bool:
        """Whether all conditions of a path condition can have these values at the same time."""
        if not path_condition or not self._conditions:
            return True
        found = self._possible.get(path_condition)
        if found is None:
            found = self._possible[path_condition] = self._known(path_condition) is not None
        return found

    def possible_if_empty(self, path_condition: PathCondition, parameter: str) -> bool:
        """Whether all conditions of a path condition can have these values while a parameter is an empty text."""
        variable = _key({"Ref": parameter})
        if "=" not in self._words.get(variable, ()):
            return self.possible(path_condition)
        domain = self._domain(variable)
        left = {variable: 1 << domain["="] if "=" in domain else -1}
        return self._known(path_condition, left) is not None

    def together(self, one: PathCondition, other: PathCondition) -> PathCondition | None:
        """The path condition that requires both, or None if that is impossible."""
        joined = both(one, other)
        return joined if joined is not None and self.possible(joined) else None

    def among(self, path_conditions: Iterable[PathCondition]) -> list[PathCondition]:
        """The path conditions that are possible."""
        return [path_condition for path_condition in path_conditions if self.possible(path_condition)]

    def simplified(self, held: DecisionDiagram, given: PathCondition = ALWAYS) -> DecisionDiagram:
        """A decision diagram without the branches that cannot be reached where `given` holds."""
        if isinstance(held, bool) or not self._conditions or not self._may_relate(held, given):
            return held
        known = self._known(given)
        return held if known is None else self._pruned(held, known)

    def _pruned(self, held: DecisionDiagram, known: _Known) -> DecisionDiagram:
        if isinstance(held, bool):
            return held
        name, yes, no = held
        where_true = self._narrowed(known, name, truth=True)
        where_false = self._narrowed(known, name, truth=False)
        if where_true is None:
            return held if where_false is None else self._pruned(no, where_false)
        if where_false is None:
            return self._pruned(yes, where_true)
        yes, no = self._pruned(yes, where_true), self._pruned(no, where_false)
        return yes if yes == no else (name, yes, no)

    def _may_relate(self, held: DecisionDiagram, given: PathCondition) -> bool:
        """Whether conditions of a diagram compare the same variable, or one of them has only one value.

        If not, each branch can be reached.
        """
        names = {name for name, _ in given}
        open_trees, seen = [held], 0
        while open_trees:
            node = open_trees.pop()
            if isinstance(node, bool):
                continue
            seen += 1
            if seen > _MOST_BRANCHES:
                return False
            names.add(node[0])
            open_trees += node[1:]
        compared: set[str] = set()
        for name in names:
            variables = self._formulas[name].variables if name in self._formulas else frozenset({name})
            if not variables or compared & variables or len(variables) > 1 or self._is_constant(name):
                return True
            compared |= variables
        return False

    def _is_constant(self, name: str) -> bool:
        """Whether a condition that compares one variable has only one value, as `!And` of two equalities has."""
        formula = self._formulas.get(name)
        if formula is None or (formula.word is not None and not self._allowed.keys() & formula.variables):
            return False
        [variable] = formula.variables
        return not all(self._values_of(name, formula, variable, truth) for truth in (True, False))

    def _known(self, path_condition: PathCondition, left: Mapping[str, int] | None = None) -> _Known | None:
        """What is known where a path condition holds; `left` has the values that some variables can have."""
        known: _Known | None = _Known(left or {}, {})
        for name, truth in path_condition:
            known = self._narrowed(known, name, truth=truth) if known is not None else None
        return known

    def _narrowed(self, known: _Known, name: str, *, truth: bool) -> _Known | None:
        """What is known if one more condition has a value; None if that is impossible."""
        current().spend(1 + len(known.left) // 16)
        formula = self._formulas.get(name)
        if formula is None or len(formula.variables) > 1:
            if known.others.get(name, truth) is not truth:
                return None
            further = known._replace(others={**known.others, name: truth})
        else:
            [variable] = formula.variables
            before = known.left.get(variable, -1)
            values = self._values_of(name, formula, variable, truth) & before
            if not values:
                return None
            if values == before:
                return known
            further = known._replace(left={**known.left, variable: values})
        return further if self._can_be(further) else None

    def _values_of(self, name: str, formula: _Formula, variable: str, truth: bool) -> int:
        """The values of a condition's only variable for which it has this value, as a set of bits."""
        found = self._values.get(name)
        if found is None:
            found = 0
            domain = self._domain(variable)
            if formula.word is not None:
                found = 1 << domain[formula.word] if formula.word in domain else 0
            for value, index in domain.items() if formula.word is None else ():
                if formula.evaluate(_Valuation({variable: value})):
                    found |= 1 << index
            self._values[name] = found
        return found if truth else ~found & ((1 << len(self._domain(variable))) - 1)

    def _can_be(self, known: _Known) -> bool:
        """Whether conditions that compare several variables can have these values, for the remaining values of each."""
        left = known.left
        literals = [(self._formulas[name], truth) for name, truth in known.others.items() if name in self._formulas]
        if not literals:
            return True
        variables = sorted({variable for formula, _ in literals for variable in formula.variables})
        if len(variables) > _MOST_VARIABLES:
            return True
        domains = [
            [value for value, index in self._domain(variable).items() if left.get(variable, -1) >> index & 1]
            for variable in variables
        ]
        if prod(map(len, domains)) > _MOST_VALUATIONS:
            return True
        for values in product(*domains):
            valuation = _Valuation(dict(zip(variables, values, strict=True)))
            if all(formula.evaluate(valuation) is truth for formula, truth in literals):
                return True
        return False

    def _domain(self, variable: str) -> dict[str, int]:
        """The values of a variable that make a difference, each with its bit."""
        found = self._domains.get(variable)
        if found is None:
            values = self._read_domain(variable)
            found = self._domains[variable] = {value: bit for bit, value in enumerate(values)}
        return found

    def _read_domain(self, variable: str) -> list[str]:
        words, allowed = self._words.get(variable, set()), self._allowed.get(variable)
        if allowed is not None:
            compared = sorted(words & {f"={word}" for word in allowed})
            return compared if len(compared) == len(allowed) else [*compared, _OTHER]
        return [*sorted(words), _OTHER]

    # -- formulas -----------------------------------------------------------------------------------------------------

    def _formula(self, name: Json, level: int) -> _Formula:
        """The condition of that name; one that is not defined, or refers to itself, can have any value."""
        if not isinstance(name, str) or name not in self._conditions or level > _MOST_LEVELS:
            return self._unknown({"Condition": name})
        if name not in self._formulas:
            self._formulas[name] = self._unknown({"Condition": name})
            self._formulas[name] = _once(name, self._read(self._conditions[name], level + 1))
        return self._formulas[name]

    def _read(self, node: Json, level: int) -> _Formula:
        if not isinstance(node, dict) or len(node) != 1 or level > _MOST_LEVELS:
            return self._unknown(node)
        [(function, argument)] = node.items()
        if function == "Condition":
            return self._formula(argument, level)
        if function == "Fn::Equals" and isinstance(argument, list) and len(argument) == 2:
            return self._equality(*argument)
        if function == "Fn::Not" and isinstance(argument, list) and len(argument) == 1:
            inner = self._read(argument[0], level + 1)
            if inner.depth >= _MOST_LEVELS:
                return self._unknown(node)
            return _Formula(inner.variables, lambda valuation: not inner.evaluate(valuation), inner.depth + 1)
        if function in ("Fn::And", "Fn::Or") and isinstance(argument, list) and argument:
            parts = [self._read(item, level + 1) for item in argument]
            decide = all if function == "Fn::And" else any
            variables = frozenset().union(*(part.variables for part in parts))
            depth = 1 + max(part.depth for part in parts)
            if len(variables) > _MOST_VARIABLES or depth > _MOST_LEVELS:
                return self._unknown(node)
            return _Formula(variables, lambda valuation: decide(part.evaluate(valuation) for part in parts), depth)
        return self._unknown(node)

    def _equality(self, one: Json, other: Json) -> _Formula:
        if _is_word(one):
            one, other = other, one
        if _is_word(one):
            # A comparison of two literals is a switch that the author changes by hand, so the policy keeps both of its
            # branches.
            return self._unknown([len(self._words), _key(one), _key(other)])
        if not _is_word(other):
            return self._unknown({"Fn::Equals": sorted((_key(one), _key(other)))})
        variable, word = _key(one), f"={_word(other)}"
        self._words.setdefault(variable, set()).add(word)
        return _Formula(frozenset({variable}), lambda valuation: valuation.values[variable] == word, word=word)

    def _unknown(self, node: Json) -> _Formula:
        """A condition of which nothing is known."""
        variable = f"?{_key(node)}"
        self._words[variable] = {"=true"}
        return _Formula(frozenset({variable}), lambda valuation: valuation.values[variable] == "=true")


def _once(name: str, formula: _Formula) -> _Formula:
    """A named condition. It is evaluated once for each valuation, however often others name it."""

    def evaluate(valuation: _Valuation) -> bool:
        found = valuation.conditions.get(name)
        if found is None:
            current().spend()
            found = valuation.conditions[name] = formula.evaluate(valuation)
        return found

    return formula._replace(evaluate=evaluate)


def _is_word(node: Json) -> bool:
    return isinstance(node, (str, bool, int, float)) and not (isinstance(node, str) and "{{resolve:" in node)


def _word(node: Json) -> str:
    """A plain value as CloudFormation compares it."""
    return ("true" if node else "false") if isinstance(node, bool) else str(node)


def _key(node: Json) -> str:
    key = _compact(node)
    current().read(len(key))
    return key


_compact = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str).encode
