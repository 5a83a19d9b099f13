"""Which conditions of a template hold, when some of its values are not known."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_exec_role.deployed.conditions import Conditions

UNKNOWN = "\U00100007"
TRUE, FALSE, OPEN = (
    {"Fn::Equals": ["a", "a"]},
    {"Fn::Equals": ["a", "b"]},
    {"Fn::Equals": [{"Ref": "P"}, "b"]},
)


def spell(node: Any) -> str:
    return node if isinstance(node, str) else UNKNOWN


@pytest.mark.parametrize(
    "expression, holds",
    [
        (TRUE, True),
        (FALSE, False),
        (OPEN, None),
        ({"Fn::Not": [FALSE]}, True),
        ({"Fn::Not": [OPEN]}, None),
        ({"Fn::And": [FALSE, OPEN]}, False),
        ({"Fn::And": [TRUE, OPEN]}, None),
        ({"Fn::Or": [TRUE, OPEN]}, True),
        ({"Fn::Or": [FALSE, OPEN]}, None),
        ({"Condition": "Other"}, True),
        ({"Condition": "Missing"}, None),
        ({"Condition": "Self"}, None),
        ({"Fn::Unheard": [TRUE]}, None),
        ("text", None),
    ],
)
def test_what_is_not_known_stays_open(expression: Any, holds: bool | None) -> None:
    conditions = Conditions({"Self": expression, "Other": TRUE}, spell)
    assert conditions.holds((("Self", True),)) is holds
    assert conditions.holds((("Self", False),)) is (None if holds is None else not holds)


def test_one_that_does_not_hold_decides_beside_one_that_is_open() -> None:
    conditions = Conditions({"Open": OPEN, "No": FALSE}, spell)
    assert conditions.holds((("Open", True), ("No", True))) is False
    assert conditions.holds((("Open", True), ("No", False))) is None
    assert conditions.holds(()) is True
