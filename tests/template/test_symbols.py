"""Symbolic text: the intrinsic function of a symbol, and how a text is written as a value of a template."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cloudformation import Stack
from tests.support.examples import examples

from ecs_exec_role.template import symbols as values
from ecs_exec_role.template.symbols import (
    ACCOUNT,
    PARTITION,
    PSEUDO_PARAMETERS,
    REGION,
    STACK_ID,
    STACK_NAME,
    URL_SUFFIX,
    Symbols,
    TooManySymbols,
    is_symbolic,
    references,
)

IMPORT = {"Fn::ImportValue": "x"}


def test_a_symbol_is_one_character_and_the_same_for_the_same_function() -> None:
    symbols = Symbols()
    made = [symbols.ref("A"), symbols.get_att("A", "Arn"), symbols.get_att("A", "B.C"), symbols.opaque(IMPORT)]
    assert [len(character) for character in made] == [1, 1, 1, 1]
    assert len(set(made)) == 4
    assert made == [
        symbols.ref("A"),
        symbols.get_att("A", "Arn"),
        symbols.get_att("A", "B.C"),
        symbols.opaque({"Fn::ImportValue": "x"}),
    ]
    assert symbols.opaque({"b": 1, "a": 2}) == symbols.opaque({"a": 2, "b": 1})


def test_pseudo_parameters_have_the_same_symbols_everywhere() -> None:
    known = (PARTITION, REGION, ACCOUNT, URL_SUFFIX, STACK_NAME, STACK_ID)
    for name, character in zip(PSEUDO_PARAMETERS, known, strict=False):
        assert Symbols().ref(name) == character
        assert Symbols().render(character) == {"Ref": name}


def test_what_a_symbol_stands_for() -> None:
    symbols = Symbols()
    symbol = symbols.sole(symbols.get_att("Db", "MasterUserSecret.SecretArn"))
    assert symbol is not None
    assert (symbol.kind, symbol.name, symbol.attribute) == ("GetAtt", "Db", "MasterUserSecret.SecretArn")
    assert symbols.sole("") is None
    assert symbols.sole("x") is None
    assert symbols.sole(f"{REGION}x") is None
    assert [each.name for each in symbols.within(f"a{REGION}b{symbols.ref('X')}")] == ["AWS::Region", "X"]


def test_symbolic_is_what_holds_a_symbol() -> None:
    assert is_symbolic(f"a{REGION}")
    assert not is_symbolic("a")
    assert not is_symbolic("é")
    assert not is_symbolic("")


@pytest.mark.parametrize(
    ("parts", "required"),
    [
        ([], ""),
        (["plain"], "plain"),
        (["${x}"], "${x}"),
        (["é"], "é"),
        ([("Ref", "A")], {"Ref": "A"}),
        ([("GetAtt", "A", "Arn")], {"Fn::GetAtt": ["A", "Arn"]}),
        ([IMPORT], IMPORT),
        (["x", ("Ref", "A")], {"Fn::Sub": "x${A}"}),
        ([("Ref", "A"), ("GetAtt", "B", "C.D")], {"Fn::Sub": "${A}${B.C.D}"}),
        (["${x}", ("Ref", "A")], {"Fn::Sub": "${!x}${A}"}),
        (["a", IMPORT], {"Fn::Sub": ["a${Value1}", {"Value1": IMPORT}]}),
        ([IMPORT, IMPORT], {"Fn::Sub": ["${Value1}${Value1}", {"Value1": IMPORT}]}),
        ([IMPORT, ("Ref", "Value1")], {"Fn::Sub": ["${Value2}${Value1}", {"Value2": IMPORT}]}),
    ],
)
def test_text_is_written_as_the_shortest_value(parts: list[Any], required: Any) -> None:
    symbols = Symbols()
    made = ""
    for part in parts:
        if isinstance(part, str):
            made += part
        elif isinstance(part, dict):
            made += symbols.opaque(part)
        else:
            made += symbols.ref(part[1]) if part[0] == "Ref" else symbols.get_att(part[1], part[2])
    assert symbols.render(made) == required


def test_dynamic_reference_is_unknown_and_comes_back_as_it_was() -> None:
    symbols = Symbols()
    text = symbols.with_dynamic_references("a/{{resolve:ssm:/x}}/{{resolve:secretsmanager:y:SecretString:z}}")
    assert is_symbolic(text)
    assert text.startswith("a/")
    assert len(text) == 5
    assert symbols.render(text) == "a/{{resolve:ssm:/x}}/{{resolve:secretsmanager:y:SecretString:z}}"
    assert symbols.show(text) == "a/{{resolve:ssm:/x}}/{{resolve:secretsmanager:y:SecretString:z}}"
    assert symbols.with_dynamic_references("{{x}}") == "{{x}}"


def test_dynamic_reference_with_symbols_in_it() -> None:
    symbols = Symbols()
    text = symbols.with_dynamic_references(f"{{{{resolve:ssm:/{symbols.ref('Stage')}}}}}:1")
    assert len(text) == 3
    assert symbols.names(text) == {"Stage"}
    assert symbols.render(text) == {"Fn::Sub": "{{resolve:ssm:/${Stage}}}:1"}


def test_names_are_all_that_a_text_refers_to() -> None:
    symbols = Symbols()
    opaque = symbols.opaque({"Fn::Select": [0, {"Fn::Split": [",", {"Fn::Sub": "${D.Arn}-${E}"}]}]})
    text = f"{symbols.ref('A')}x{symbols.get_att('B', 'Arn')}{opaque}{REGION}"
    assert symbols.names(text) == {"A", "B", "D", "E", "AWS::Region"}


def test_order_in_which_symbols_are_met_does_not_show() -> None:
    one, other = Symbols(), Symbols()
    other.ref("Z")
    other.opaque({"Fn::ImportValue": "before"})
    for symbols in (one, other):
        symbols.ref("A")
    texts = [f"a{symbols.opaque(IMPORT)}/{symbols.ref('A')}/{symbols.ref('Z')}" for symbols in (one, other)]
    assert one.render(texts[0]) == other.render(texts[1])
    assert one.show(texts[0]) == other.show(texts[1])


def test_more_symbols_than_there_are_characters() -> None:
    symbols = Symbols()
    made: list[str] = []
    with pytest.raises(TooManySymbols):
        made.extend(symbols.ref(f"R{index}") for index in range(70_000))
    assert len(made) > 65_000


PIECES = ["x", "/", "$", "{", "}", "${", "${x}", "!", "é", "\0", "Value1"]
NODES: list[Any] = [
    {"Ref": "AWS::Region"},
    {"Ref": "P"},
    {"Ref": "Value1"},
    {"Fn::GetAtt": ["Repo", "Arn"]},
    {"Fn::ImportValue": "i"},
    {"Fn::Select": [0, {"Fn::Split": [":", {"Ref": "P"}]}]},
]


@examples(60)
@given(st.lists(st.sampled_from(PIECES) | st.sampled_from(NODES), max_size=6))
def test_written_back_it_says_the_same(parts: list[Any]) -> None:
    fragment = {
        "Parameters": {"P": {"Type": "String", "Default": "a:${P}"}, "Value1": {"Type": "String", "Default": "v"}},
        "Resources": {"Repo": {"Type": "AWS::ECR::Repository"}},
    }
    stack = Stack(fragment, imports={"i": "${"})
    symbols = Symbols()
    text, required = "", ""
    for part in parts:
        if isinstance(part, str):
            text, required = text + part, required + part
            continue
        required += stack.resolve(part)
        match part:
            case {"Ref": name}:
                text += symbols.ref(name)
            case {"Fn::GetAtt": [name, attribute]}:
                text += symbols.get_att(name, attribute)
            case _:
                text += symbols.opaque(part)
    assert stack.resolve(symbols.render(text)) == required


@pytest.mark.parametrize(
    ("node", "required"),
    [
        ("x", set()),
        ({"Ref": "A"}, {"A"}),
        ({"Ref": ["A"]}, set()),
        ({"Fn::GetAtt": ["A", "Arn"]}, {"A"}),
        ({"Fn::GetAtt": "A.B.C"}, {"A"}),
        ({"Fn::GetAtt": []}, set()),
        ({"Fn::GetAtt": [{"Ref": "A"}, "x"]}, {"A"}),
        ({"Fn::Sub": "${A}/${B.Arn}/${!C}"}, {"A", "B"}),
        ({"Fn::Sub": ["${A}${V}${V.Arn}", {"V": {"Ref": "B"}}]}, {"A", "B", "V"}),
        ({"Fn::Sub": ["${A}${V}", {"V": {"Ref": "B"}}]}, {"A", "B"}),
        ({"Fn::Sub": [3]}, set()),
        ({"Fn::If": ["C", {"Ref": "A"}, {"Ref": "B"}]}, {"A", "B"}),
        ([{"a": [{"b": {"Ref": "A"}}]}, {"Ref": "B", "Fn::Sub": "${D}"}], {"A", "B", "D"}),
    ],
)
def test_references_are_found_wherever_they_are(node: Any, required: set[str]) -> None:
    assert references(node) == required


def test_references_of_a_deep_value_are_found() -> None:
    node: Any = {"Ref": "A"}
    for _ in range(10_000):
        node = [{"a": node}]
    assert references(node) == {"A"}


def test_private_characters_are_all_in_one_class() -> None:
    symbols = Symbols()
    made = "".join(symbols.ref(f"R{index}") for index in range(1000))
    assert all(is_symbolic(character) for character in made)
    assert {values.REGION, values.ACCOUNT}.isdisjoint(made)
    assert all(one != other for one, other in itertools.pairwise(made))
