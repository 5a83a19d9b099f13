"""Conditions: no operation on path conditions and decision diagrams changes the worlds in which they hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from ecs_exec_role.template.conditions import (
    ALWAYS,
    DecisionDiagram,
    PathCondition,
    TooManyConditions,
    any_of,
    both,
    diagram,
    difference,
    narrowed,
    nodes_of,
    placed,
    when,
)
from ecs_exec_role.template.symbols import NO_VALUE

CONDITIONS = ("A", "B", "C", "D")
World = dict[str, bool]

path_conditions = st.dictionaries(st.sampled_from(CONDITIONS), st.booleans(), max_size=4).map(
    lambda each: tuple(sorted(each.items()))
)
several = st.lists(path_conditions, max_size=5)
laws = examples(40)


def worlds() -> Iterator[World]:
    """Every combination of the conditions' values."""
    for truths in itertools.product((True, False), repeat=len(CONDITIONS)):
        yield dict(zip(CONDITIONS, truths, strict=True))


def holds(path_condition: PathCondition | None, world: World) -> bool:
    return path_condition is not None and all(world[name] == truth for name, truth in path_condition)


def any_holds(alternatives: list[PathCondition], world: World) -> bool:
    return any(holds(path_condition, world) for path_condition in alternatives)


def is_true(held: DecisionDiagram, world: World) -> bool:
    while not isinstance(held, bool):
        name, yes, no = held
        held = yes if world[name] else no
    return held


def resolved(node: Any, world: World) -> Any:
    """What CloudFormation makes of nested `Fn::If`s."""
    while isinstance(node, dict) and "Fn::If" in node:
        name, yes, no = node["Fn::If"]
        node = yes if world[name] else no
    return node


@laws
@given(path_conditions, path_conditions)
def test_both_hold_where_each_does(one: PathCondition, other: PathCondition) -> None:
    for world in worlds():
        assert holds(both(one, other), world) == (holds(one, world) and holds(other, world))


@laws
@given(path_conditions, path_conditions)
def test_both_is_the_same_either_way_round_and_sorted(one: PathCondition, other: PathCondition) -> None:
    together = both(one, other)
    assert together == both(other, one)
    assert together is None or list(together) == sorted(together)
    assert both(one, ALWAYS) == both(ALWAYS, one) == both(one, one) == one


@laws
@given(several)
def test_tree_holds_where_any_guard_does(alternatives: list[PathCondition]) -> None:
    for world in worlds():
        assert is_true(diagram(alternatives), world) == any_holds(alternatives, world)


@laws
@given(several, path_conditions)
def test_tree_takes_what_is_given_for_granted(
    alternatives: list[PathCondition], given_condition: PathCondition
) -> None:
    held = diagram(alternatives, given_condition)
    for world in worlds():
        if holds(given_condition, world):
            assert is_true(held, world) == any_holds(alternatives, world)
    assert not {name for name, _ in given_condition} & set(names(held))


@laws
@given(several)
def test_tree_is_a_function_of_what_holds_alone(alternatives: list[PathCondition]) -> None:
    # Two lists of path conditions that hold in the same worlds have one diagram, so that the same grants give the
    # same bytes.
    spelt_out: list[PathCondition] = [
        tuple(sorted(world.items())) for world in worlds() if any_holds(alternatives, world)
    ]
    assert diagram(spelt_out) == diagram(reversed(alternatives)) == diagram(alternatives)


def names(held: DecisionDiagram) -> Iterator[str]:
    if not isinstance(held, bool):
        yield held[0]
        yield from names(held[1])
        yield from names(held[2])


@laws
@given(several)
def test_tree_asks_no_condition_twice_or_for_nothing(alternatives: list[PathCondition]) -> None:
    def walk(held: DecisionDiagram, asked: tuple[str, ...]) -> None:
        if not isinstance(held, bool):
            name, yes, no = held
            assert name not in asked
            assert yes != no
            walk(yes, (*asked, name))
            walk(no, (*asked, name))

    walk(diagram(alternatives), ())


@laws
@given(st.lists(several, max_size=6))
def test_any_of_several_trees_is_the_tree_of_all_their_guards(alternatives: list[list[PathCondition]]) -> None:
    together = [path_condition for each in alternatives for path_condition in each]
    assert any_of(map(diagram, alternatives)) == diagram(together)


@laws
@given(several)
def test_nodes_of_a_tree_are_the_conditions_that_it_asks(alternatives: list[PathCondition]) -> None:
    held = diagram(alternatives)
    assert nodes_of(held) == len(list(names(held)))


@laws
@given(several, path_conditions)
def test_narrowed_is_the_tree_that_would_be_made_there(
    alternatives: list[PathCondition], given_condition: PathCondition
) -> None:
    assert narrowed(diagram(alternatives), given_condition) == diagram(alternatives, given_condition)


@laws
@given(path_conditions, several)
def test_remaining_is_what_nothing_covers(path_condition: PathCondition, covered: list[PathCondition]) -> None:
    rest = difference(path_condition, covered)
    for world in worlds():
        assert any_holds(rest, world) == (holds(path_condition, world) and not any_holds(covered, world))


@laws
@given(several)
def test_when_chooses_as_the_tree_says(alternatives: list[PathCondition]) -> None:
    held = diagram(alternatives)
    for world in worlds():
        assert resolved(when(held, "yes"), world) == ("yes" if any_holds(alternatives, world) else NO_VALUE)
        assert resolved(when(held, "yes", "no"), world) == ("yes" if any_holds(alternatives, world) else "no")


@laws
@given(several, path_conditions)
def test_placed_tells_what_is_known_there(alternatives: list[PathCondition], known: PathCondition) -> None:
    held = diagram(alternatives, known)
    node = placed(held, lambda path_condition: path_condition, known)
    for world in worlds():
        if holds(known, world):
            there = resolved(node, world)
            assert (there != NO_VALUE) == any_holds(alternatives, world)
            assert there == NO_VALUE or holds(there, world)


def test_examples() -> None:
    assert diagram([]) is False
    assert diagram([ALWAYS]) is True
    assert diagram([(("A", True),), (("A", False),)]) is True
    assert diagram([(("A", True),)]) == ("A", True, False)
    assert diagram([(("A", True),)], (("A", True),)) is True
    assert diagram([(("A", True),)], (("A", False),)) is False
    assert when(True, "x") == "x"
    assert when(False, "x") == NO_VALUE
    assert when(("A", True, False), "x") == {"Fn::If": ["A", "x", NO_VALUE]}
    assert difference(ALWAYS, []) == [ALWAYS]
    assert difference(ALWAYS, [ALWAYS]) == []
    assert difference(ALWAYS, [(("A", True),)]) == [(("A", False),)]


def test_too_many_combinations_are_refused() -> None:
    pairs: list[PathCondition] = [((f"A{index:02}", True), (f"B{index:02}", True)) for index in range(30)]
    unrelated = [tuple(sorted(one + other)) for one, other in zip(pairs, reversed(pairs), strict=True)]
    with pytest.raises(TooManyConditions):
        diagram([*pairs[:15], *unrelated])
