"""Values of a template as messages write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from ecs_exec_role.offline import yaml_reader
from ecs_exec_role.template import spelling
from ecs_exec_role.template.symbols import Symbols

EXPORT = {"Fn::ImportValue": {"Fn::Sub": "${Parent}-LogGroup"}}
FIRST = {"Fn::Select": [0, {"Fn::Split": [":", {"Ref": "Image"}]}]}


@pytest.mark.parametrize(
    "node, written",
    [
        ("plain", "plain"),
        ({"Ref": "Key"}, "!Ref Key"),
        ({"Fn::GetAtt": ["Key", "Arn"]}, "!GetAtt Key.Arn"),
        ({"Fn::Sub": "${Secret}:user::"}, '!Sub "${Secret}:user::"'),
        (FIRST, '!Select [0, !Split [":", !Ref Image]]'),
        (EXPORT, '!ImportValue {Fn::Sub: "${Parent}-LogGroup"}'),
        ({"Fn::FindInMap": ["Services", "Web", "name"]}, "!FindInMap [Services, Web, name]"),
        ({"Fn::Sub": ["${A}:user::", {"A": EXPORT}]}, None),
        ({"Fn::Length": {"Ref": "List"}}, "{Fn::Length: !Ref List}"),
        ({"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}]]}, '!Join ["", ["arn:", !Ref AWS::Partition]]'),
        ({"Fn::Select": ["0", ["123456789012", "yes"]]}, '!Select ["0", ["123456789012", "yes"]]'),
    ],
)
def test_the_short_form_can_be_copied(node: Any, written: str | None) -> None:
    spelt = spelling.spell(node)

    assert written is None or spelt == written
    assert yaml_reader.read(f"Value: {spelt}")[0] == {"Value": node}


names = st.from_regex(r"[A-Z][A-Za-z]{0,5}", fullmatch=True)
texts = st.text(st.sampled_from("aZ09:/ ,[]{}#'\"!&*|>%@`$.-~?\\"), max_size=8)
nodes = st.recursive(
    st.builds(lambda name: {"Ref": name}, names) | st.builds(lambda name: {"Fn::GetAtt": [name, "Arn"]}, names),
    lambda inner: st.one_of(
        st.builds(lambda index, of: {"Fn::Select": [index, of]}, st.integers(0, 3), inner | st.lists(texts | inner)),
        st.builds(lambda text, of: {"Fn::Split": [text, of]}, texts, inner | texts),
        st.builds(lambda of: {"Fn::ImportValue": of}, inner | texts),
        st.builds(lambda text, of: {"Fn::Join": [text, of]}, texts, st.lists(texts | inner) | inner),
        st.builds(lambda name, text, of: {"Fn::Sub": [f"{text}${{{name}}}", {name: of}]}, names, texts, inner | texts),
        st.builds(lambda name, yes, no: {"Fn::If": [name, yes, no]}, names, inner | texts, inner | texts),
        st.builds(lambda of: {"Fn::Length": of}, inner),
    ),
    max_leaves=6,
)


@examples(60)
@given(nodes)
def test_any_value_can_be_copied(node: Any) -> None:
    assert yaml_reader.read(f"Value: {spelling.spell(node)}")[0] == {"Value": node}


@pytest.mark.parametrize(
    "node, shown",
    [
        ("plain", "plain"),
        ({"Ref": "Key"}, "${Key}"),
        ({"Fn::GetAtt": ["Key", "Arn"]}, "${Key.Arn}"),
        ({"Fn::Sub": "a:${Key}"}, "a:${Key}"),
        (FIRST, '${Select(0, Split(":", Image))}'),
        (EXPORT, '${ImportValue("${Parent}-LogGroup")}'),
        ({"Fn::Sub": ["log-group:${A}:${B}:*", {"A": EXPORT, "B": "x"}]}, None),
        ({"Fn::If": ["HasKey", {"Fn::GetAtt": ["Key", "Arn"]}, "*"]}, '${If(HasKey, Key.Arn, "*")}'),
    ],
)
def test_a_message_has_no_json(node: Any, shown: str | None) -> None:
    assert spelling.shown(node) == (shown or 'log-group:${ImportValue("${Parent}-LogGroup")}:x:*')


def test_a_variable_that_is_written_often_is_not_repeated() -> None:
    node = {"Fn::Sub": ["${A}" * 500, {"A": {"Fn::ImportValue": "x" * 1000}}]}

    assert len(spelling.shown(node)) < 5_000


def test_symbols_are_shown_in_words_and_sorted_as_before() -> None:
    symbols = Symbols()
    text = f"arn:{symbols.opaque(FIRST)}/{symbols.ref('Key')}"

    assert symbols.show(text) == 'arn:${Select(0, Split(":", Image))}/${Key}'
    assert symbols.sort_key(text) == 'arn:${{"Fn::Select":[0,{"Fn::Split":[":",{"Ref":"Image"}]}]}}/${Key}'
    assert symbols.render(text) == {"Fn::Sub": ["arn:${Value1}/${Key}", {"Value1": FIRST}]}


def test_a_join_is_shown_as_the_text_that_it_makes() -> None:
    bucket = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::", FIRST]]}

    assert spelling.shown(bucket) == 'arn:${AWS::Partition}:s3:::${Select(0, Split(":", Image))}'
    assert spelling.shown({"Fn::Join": [",", {"Ref": "List"}]}) == '${Join(",", List)}'
