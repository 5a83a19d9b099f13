from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from ecs_exec_role.template.conditions import DecisionDiagram, PathCondition, diagram
from ecs_exec_role.template.related_conditions import RelatedConditions


def equals(name: str, word: Any) -> dict[str, Any]:
    return {"Fn::Equals": [{"Ref": name}, word]}


CONDITIONS = {
    "Prod": equals("Stage", "prod"),
    "Dev": {"Fn::Equals": ["dev", {"Ref": "Stage"}]},
    "NotProd": {"Fn::Not": [{"Condition": "Prod"}]},
    "Here": equals("AWS::Region", "eu-west-1"),
    "ProdHere": {"Fn::And": [{"Condition": "Prod"}, {"Condition": "Here"}]},
    "Either": {"Fn::Or": [{"Condition": "Prod"}, {"Condition": "Dev"}]},
    "Switched": {"Fn::Equals": ["a", "b"]},
    "Loop": {"Fn::Not": [{"Condition": "Loop"}]},
    "Odd": {"Fn::Equals": "x"},
    "Same": {"Fn::Equals": [{"Ref": "A"}, {"Ref": "B"}]},
    "SameToo": {"Fn::Equals": [{"Ref": "B"}, {"Ref": "A"}]},
    "On": equals("Switch", "on"),
    "Off": equals("Switch", "off"),
    "One": equals("Count", 1),
    "OneInQuotes": equals("Count", "1"),
    "True": equals("Flag", True),
    "TrueInQuotes": equals("Flag", "true"),
}
RELATED = RelatedConditions(CONDITIONS, {"Switch": {"Type": "String", "AllowedValues": ["on", "off"]}})


@pytest.mark.parametrize(
    "said, possible",
    [
        ("Prod NotProd", False),
        ("!Prod !NotProd", False),
        ("Prod !NotProd", True),
        ("Prod Dev", False),
        ("!Prod !Dev", True),
        ("ProdHere !Prod", False),
        ("ProdHere NotProd", False),
        ("!ProdHere Prod Here", False),
        ("!ProdHere Prod", True),
        ("Either !Prod !Dev", False),
        ("!Either Dev", False),
        ("Switched", True),
        ("!Switched", True),
        ("Loop", True),
        ("!Loop", True),
        ("Odd", True),
        ("!Odd", True),
        ("Same !SameToo", False),
        ("!On !Off", False),
        ("On Off", False),
        ("One !OneInQuotes", False),
        ("True !TrueInQuotes", False),
        ("Prod Here", True),
        ("NobodyDefinedThis Prod", True),
        ("", True),
    ],
)
def test_knows_what_can_be_true_together(said: str, possible: bool) -> None:
    assert RELATED.possible(path_condition(said)) is possible


def path_condition(said: str) -> PathCondition:
    return tuple(sorted((word.lstrip("!"), not word.startswith("!")) for word in said.split()))


def test_equalities_exclude_each_other_however_many_they_are() -> None:
    many = {f"C{index}": equals(f"P{index}", "x") for index in range(200)}
    many |= {f"N{index}": {"Fn::Not": [{"Condition": f"C{index}"}]} for index in range(200)}
    related = RelatedConditions(many)
    assert not related.possible(path_condition("C0 N0"))
    assert not related.possible(path_condition(" ".join(many)))
    assert related.possible(path_condition(" ".join(name for name in many if name.startswith("C"))))


def test_more_than_can_be_compared_is_possible() -> None:
    many = {f"C{index}": equals(f"P{index}", "x") for index in range(20)}
    many |= {
        f"E{index}": {"Fn::Or": [{"Condition": f"C{index}"}, {"Condition": f"C{index + 1}"}]} for index in range(19)
    }
    many["N0"] = {"Fn::Not": [{"Condition": "E0"}]}
    related = RelatedConditions(many)
    assert not related.possible(path_condition("E0 N0"))
    assert related.possible(path_condition("N0 " + " ".join(f"E{index}" for index in range(19))))


def test_conditions_that_name_another_twice_are_evaluated_once() -> None:
    """Without that, the last of these would be evaluated 2 to the power of 40 times."""
    many = {"C0": equals("P", "x"), "D": {"Fn::Not": [{"Condition": "C0"}]}}
    for index in range(1, 40):
        before = {"Condition": f"C{index - 1}"}
        many[f"C{index}"] = {"Fn::And": [before, before]}
    related = RelatedConditions(many)
    assert not related.possible(path_condition("C39 D"))
    assert related.possible(path_condition("C39"))


@pytest.mark.parametrize(
    "path_conditions, given_condition, expected",
    [
        (["Prod", "NotProd"], "", True),
        (["Prod", "Dev"], "Either", True),
        (["Prod NotProd"], "", False),
        (["Dev"], "Prod", False),
        (["Prod"], "Dev", False),
        (["Prod", "Here"], "", ("Here", True, ("Prod", True, False))),
        (["On", "Off"], "", True),
    ],
)
def test_branches_that_are_never_reached_are_left_out(
    path_conditions: list[str], given_condition: str, expected: object
) -> None:
    known = path_condition(given_condition)
    assert RELATED.simplified(diagram(map(path_condition, path_conditions), known), known) == expected


EQUAL_PROD = {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
NAMES = st.sampled_from(["Prod", "Dev", "NotProd", "Here", "ProdHere", "Either", "On", "Off"])
GUARDS = st.dictionaries(NAMES, st.booleans(), max_size=3)


def value(name: str, values: dict[str, str]) -> bool:
    """The same conditions, written in Python."""
    stage, here, switch = values["Stage"], values["Region"] == "eu-west-1", values["Switch"]
    return {
        "Prod": stage == "prod",
        "Dev": stage == "dev",
        "NotProd": stage != "prod",
        "Here": here,
        "ProdHere": stage == "prod" and here,
        "Either": stage in ("prod", "dev"),
        "On": switch == "on",
        "Off": switch == "off",
    }[name]


def decided(held: DecisionDiagram, values: dict[str, str]) -> bool:
    while not isinstance(held, bool):
        name, yes, no = held
        held = yes if value(name, values) else no
    return held


VALUES = [
    dict(zip(("Stage", "Region", "Switch"), values, strict=True))
    for values in product(("prod", "dev", "test"), ("eu-west-1", "us-east-1"), ("on", "off"))
]


@examples(50)
@given(st.lists(GUARDS, max_size=4))
def test_a_simplified_tree_holds_where_the_first_did(alternatives: list[dict[str, bool]]) -> None:
    path_conditions = [tuple(sorted(one.items())) for one in alternatives]
    simple = RELATED.simplified(diagram(path_conditions))
    for values in VALUES:

        def holds(one: PathCondition, values: dict[str, str] = values) -> bool:
            return all(value(name, values) is truth for name, truth in one)

        assert any(map(holds, path_conditions)) == decided(simple, values)
    for one in path_conditions:
        assert RELATED.possible(one) == any(all(value(n, v) is t for n, t in one) for v in VALUES)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"Fn::And": [EQUAL_PROD, {"Fn::Equals": [{"Ref": "Stage"}, "dev"]}]}, False),
        ({"Fn::Or": [EQUAL_PROD, {"Fn::Not": [EQUAL_PROD]}]}, True),
        ({"Fn::Equals": [{"Ref": "Stage"}, "staging"]}, False),
        ({"Fn::Not": [{"Fn::Equals": [{"Ref": "Stage"}, "staging"]}]}, True),
        (EQUAL_PROD, ("C", True, False)),
    ],
)
def test_a_condition_that_has_one_value_only_makes_no_branch(condition: dict[str, object], expected: object) -> None:
    stage = {"Stage": {"Type": "String", "AllowedValues": ["prod", "dev"]}}
    related = RelatedConditions({"C": condition}, stage)
    assert related.simplified(("C", True, False)) == expected
