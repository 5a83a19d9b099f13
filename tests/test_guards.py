"""Conditions: whatever is done to guards and trees, they hold in the same worlds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_exec_role.template.conditions import (
    ALWAYS,
    Guard,
    TooManyConditions,
    Tree,
    any_of,
    both,
    narrowed,
    nodes_of,
    placed,
    remaining,
    tree,
    when,
)
from ecs_exec_role.template.symbols import NO_VALUE

CONDITIONS = ("A", "B", "C", "D")
World = dict[str, bool]

guards = st.dictionaries(st.sampled_from(CONDITIONS), st.booleans(), max_size=4).map(
    lambda each: tuple(sorted(each.items()))
)
several = st.lists(guards, max_size=5)
laws = settings(max_examples=200, deadline=None, derandomize=True)


def worlds() -> Iterator[World]:
    """Every way in which the conditions can fall."""
    for truths in itertools.product((True, False), repeat=len(CONDITIONS)):
        yield dict(zip(CONDITIONS, truths, strict=True))


def holds(guard: Guard | None, world: World) -> bool:
    return guard is not None and all(world[name] == truth for name, truth in guard)


def any_holds(alternatives: list[Guard], world: World) -> bool:
    return any(holds(guard, world) for guard in alternatives)


def is_true(held: Tree, world: World) -> bool:
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
@given(guards, guards)
def test_both_hold_where_each_does(one: Guard, other: Guard) -> None:
    for world in worlds():
        assert holds(both(one, other), world) == (holds(one, world) and holds(other, world))


@laws
@given(guards, guards)
def test_both_is_the_same_either_way_round_and_sorted(one: Guard, other: Guard) -> None:
    together = both(one, other)
    assert together == both(other, one)
    assert together is None or list(together) == sorted(together)
    assert both(one, ALWAYS) == both(ALWAYS, one) == both(one, one) == one


@laws
@given(several)
def test_tree_holds_where_any_guard_does(alternatives: list[Guard]) -> None:
    for world in worlds():
        assert is_true(tree(alternatives), world) == any_holds(alternatives, world)


@laws
@given(several, guards)
def test_tree_takes_what_is_given_for_granted(alternatives: list[Guard], given_guard: Guard) -> None:
    held = tree(alternatives, given_guard)
    for world in worlds():
        if holds(given_guard, world):
            assert is_true(held, world) == any_holds(alternatives, world)
    assert not {name for name, _ in given_guard} & set(names(held))


@laws
@given(several)
def test_tree_is_a_function_of_what_holds_alone(alternatives: list[Guard]) -> None:
    # Two lists of guards that hold in the same worlds have one tree, so that the same grants give the same bytes.
    spelt_out: list[Guard] = [tuple(sorted(world.items())) for world in worlds() if any_holds(alternatives, world)]
    assert tree(spelt_out) == tree(reversed(alternatives)) == tree(alternatives)


def names(held: Tree) -> Iterator[str]:
    if not isinstance(held, bool):
        yield held[0]
        yield from names(held[1])
        yield from names(held[2])


@laws
@given(several)
def test_tree_asks_no_condition_twice_or_for_nothing(alternatives: list[Guard]) -> None:
    def walk(held: Tree, asked: tuple[str, ...]) -> None:
        if not isinstance(held, bool):
            name, yes, no = held
            assert name not in asked
            assert yes != no
            walk(yes, (*asked, name))
            walk(no, (*asked, name))

    walk(tree(alternatives), ())


@laws
@given(st.lists(several, max_size=6))
def test_any_of_several_trees_is_the_tree_of_all_their_guards(alternatives: list[list[Guard]]) -> None:
    together = [guard for each in alternatives for guard in each]
    assert any_of(map(tree, alternatives)) == tree(together)


@laws
@given(several)
def test_nodes_of_a_tree_are_the_conditions_that_it_asks(alternatives: list[Guard]) -> None:
    held = tree(alternatives)
    assert nodes_of(held) == len(list(names(held)))


@laws
@given(several, guards)
def test_narrowed_is_the_tree_that_would_be_made_there(alternatives: list[Guard], given_guard: Guard) -> None:
    assert narrowed(tree(alternatives), given_guard) == tree(alternatives, given_guard)


@laws
@given(guards, several)
def test_remaining_is_what_nothing_covers(guard: Guard, covered: list[Guard]) -> None:
    rest = remaining(guard, covered)
    for world in worlds():
        assert any_holds(rest, world) == (holds(guard, world) and not any_holds(covered, world))


@laws
@given(several)
def test_when_chooses_as_the_tree_says(alternatives: list[Guard]) -> None:
    held = tree(alternatives)
    for world in worlds():
        assert resolved(when(held, "yes"), world) == ("yes" if any_holds(alternatives, world) else NO_VALUE)
        assert resolved(when(held, "yes", "no"), world) == ("yes" if any_holds(alternatives, world) else "no")


@laws
@given(several, guards)
def test_placed_tells_what_is_known_there(alternatives: list[Guard], known: Guard) -> None:
    held = tree(alternatives, known)
    node = placed(held, lambda guard: guard, known)
    for world in worlds():
        if holds(known, world):
            there = resolved(node, world)
            assert (there != NO_VALUE) == any_holds(alternatives, world)
            assert there == NO_VALUE or holds(there, world)


def test_examples() -> None:
    assert tree([]) is False
    assert tree([ALWAYS]) is True
    assert tree([(("A", True),), (("A", False),)]) is True
    assert tree([(("A", True),)]) == ("A", True, False)
    assert tree([(("A", True),)], (("A", True),)) is True
    assert tree([(("A", True),)], (("A", False),)) is False
    assert when(True, "x") == "x"
    assert when(False, "x") == NO_VALUE
    assert when(("A", True, False), "x") == {"Fn::If": ["A", "x", NO_VALUE]}
    assert remaining(ALWAYS, []) == [ALWAYS]
    assert remaining(ALWAYS, [ALWAYS]) == []
    assert remaining(ALWAYS, [(("A", True),)]) == [(("A", False),)]


def test_too_many_combinations_are_refused() -> None:
    pairs: list[Guard] = [((f"A{index:02}", True), (f"B{index:02}", True)) for index in range(30)]
    unrelated = [tuple(sorted(one + other)) for one, other in zip(pairs, reversed(pairs), strict=True)]
    with pytest.raises(TooManyConditions):
        tree([*pairs[:15], *unrelated])
