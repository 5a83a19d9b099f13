from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.resolver import implicit_resolvers
from tests.support.examples import examples
from yaml.nodes import ScalarNode

from ecs_exec_role import offline
from ecs_exec_role.offline import libyaml, yaml_reader, yaml_writer
from ecs_exec_role.offline.source_map import SourcePosition, locate

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "text, value",
    [
        ("!Ref A", {"Ref": "A"}),
        ("!Condition A", {"Condition": "A"}),
        ("!GetAtt A.B", {"Fn::GetAtt": ["A", "B"]}),
        ("!GetAtt A.Outputs.B", {"Fn::GetAtt": ["A", "Outputs.B"]}),
        ("!GetAtt [A, B]", {"Fn::GetAtt": ["A", "B"]}),
        ("!GetAtt A", {"Fn::GetAtt": "A"}),
        ("Fn::GetAtt: A.B", {"Fn::GetAtt": "A.B"}),
        ("!Sub x${A}", {"Fn::Sub": "x${A}"}),
        ("!Sub ['${A}', {A: !Ref B}]", {"Fn::Sub": ["${A}", {"A": {"Ref": "B"}}]}),
        ("!If [C, !Ref A, !Ref 'AWS::NoValue']", {"Fn::If": ["C", {"Ref": "A"}, {"Ref": "AWS::NoValue"}]}),
        ("!ImportValue\n  Fn::Join: ['', [a]]", {"Fn::ImportValue": {"Fn::Join": ["", ["a"]]}}),
        ("!Select [0, !GetAZs '']", {"Fn::Select": [0, {"Fn::GetAZs": ""}]}),
        ("!Transform {Name: M, Parameters: {a: b}}", {"Fn::Transform": {"Name": "M", "Parameters": {"a": "b"}}}),
        ("!Ref 1", {"Ref": "1"}),
        ("a: 2012-10-17", {"a": "2012-10-17"}),
        ("a: 2012-10-17T12:00:00Z", {"a": "2012-10-17T12:00:00Z"}),
        ("a: yes", {"a": True}),
        ("a: off", {"a": False}),
        ("a: y", {"a": "y"}),
        ("yes: 1", {"yes": 1}),
        ("123456789012: x", {"123456789012": "x"}),
        ("a: 000014521398", {"a": "000014521398"}),
        ("a: 010", {"a": 8}),
        ("a: 1:30", {"a": 90}),
        ("a: 0x1F", {"a": 31}),
        ("a: 1_000", {"a": 1000}),
        ("a: 1.5", {"a": 1.5}),
        ("a: .inf", {"a": ".inf"}),
        ("a: =", {"a": "="}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: !!str 12", {"a": "12"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        (
            "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc:\n  <<: [*x, *y]",
            {"a": {"p": 1}, "b": {"p": 2, "q": 2}, "c": {"p": 1, "q": 2}},
        ),
        ("a: |\n  x\n   y\n", {"a": "x\n y\n"}),
        ("%YAML 1.1\n---\na: 1\n...\n", {"a": 1}),
        ("# only a comment\na: 1", {"a": 1}),
    ],
)
def test_reads_as_cloudformation_does(text: str, value: Any) -> None:
    assert yaml_reader.read(text)[0] == value


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "1:1: the file is empty"),
        ("# nothing\n", "1:1: the file is empty"),
        ("a: b: c", "1:5: the file is not valid YAML"),
        ("a: [1, 2", "1:9: the file is not valid YAML"),
        ("a:\n\t- b", "2:1: the file is not valid YAML"),
        ("a: 1\nb: 2\na: 3", "3:1: the key `a` is written twice, first in line 1"),
        ("a: 1\n---\nb: 2", "2:1: a second document begins here"),
        ("a: !Reff B", "1:4: `!Reff` is not a tag of CloudFormation; did you mean !Ref? Write that"),
        ("a: !Quux B", "1:4: `!Quux` is not a tag of CloudFormation"),
        ("a: !!binary aGk=", "1:4: CloudFormation does not read the tag !!binary"),
        ("a: !!python/object:os.system x", "1:4: CloudFormation does not read the tag !!python/object:os.system"),
        ("a: !<tag:example.org,2000:x> y", "1:4: CloudFormation does not read the tag tag:example.org,2000:x"),
        ("? [a]\n: 1", "1:3: a key is a list or a mapping"),
        ("a: *x", "1:4: the file is not valid YAML (found undefined alias 'x'); write the anchor (`&name`) before"),
        ("a: &x [*x]", "1:4: an alias is inside the value that it names"),
        ("a: *nowhere", "1:4: the file is not valid YAML"),
        ("<<: [1]", "1:6: `<<` merges a value that is not a mapping"),
        ("a: \x07", "1:1: the file is not valid YAML"),
        ("[" * 900, "1:1: the template is nested too deep"),
    ],
)
def test_refuses_with_line_and_column(text: str, message: str) -> None:
    with pytest.raises(yaml_reader.Unreadable) as caught:
        yaml_reader.read(text)
    assert str(caught.value).startswith(message)


def test_aliases_that_multiply_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "MOST_NODES", 5_000)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(yaml_reader.Unreadable, match="aliases give this template more than"):
        yaml_reader.read("\n".join(lines))


TEXT = """\
Resources:
  Task:
    Properties:
      Image: !Sub
        - ${A}/x
        - A: !GetAtt Repo.Arn
      List:
        - Name: one
          Value: !If
            - C
            - yes
            - !Ref B
      a/b: {c/d: 1}
"""


@pytest.mark.parametrize(
    "path, line, column",
    [
        ("", 1, 1),
        ("Resources", 1, 1),
        ("Resources/Task", 2, 3),
        ("Resources/Task/Properties/Image", 4, 7),
        ("Resources/Task/Properties/Image/Fn::Sub/1/A", 6, 11),
        ("Resources/Task/Properties/Image/Fn::Sub/1/A/Fn::GetAtt/0", 6, 11),
        ("Resources/Task/Properties/List/0", 8, 11),
        ("Resources/Task/Properties/List/0/Value/Fn::If/2", 12, 15),
        ("Resources/Task/Properties/List/0/Value/Fn::If/2/Ref", 12, 15),
        ("Resources/Task/Properties/List/0/Missing/More", 8, 11),
        ("Resources/Task/Properties/a/b/c/d", 13, 13),
        ("Nowhere", 1, 1),
    ],
)
def test_tells_where_a_path_is(path: str, line: int, column: int) -> None:
    place, _ = locate(yaml_reader.read(TEXT)[1], path)
    assert (place.line, place.column) == (line, column)


@pytest.mark.parametrize(
    "value, text",
    [
        ({"Ref": "A"}, {"a": "!Ref A"}),
        ({"Fn::GetAtt": ["A", "B.C"]}, {"a": "!GetAtt A.B.C"}),
        ({"Fn::GetAtt": "A.B"}, {"a": "\n  Fn::GetAtt: A.B"}),
        ({"Fn::Sub": "arn:${AWS::Partition}:s3:::x"}, {"a": "!Sub arn:${AWS::Partition}:s3:::x"}),
        ({"Fn::Base64": {"Fn::Sub": "x"}}, {"a": "\n  Fn::Base64: !Sub x"}),
        ({"Fn::If": ["C", {"Ref": "A"}, {"Ref": "AWS::NoValue"}]}, {"a": "!If [C, !Ref A, !Ref AWS::NoValue]"}),
        ({"Fn::Join": ["", ["a", {"Ref": "B"}]]}, {"a": '!Join\n  - ""\n  - - a\n    - !Ref B'}),
        (
            {"Fn::GetStackOutput": {"StackName": "a", "OutputName": {"Ref": "B"}}},
            {"a": "\n  Fn::GetStackOutput:\n    StackName: a\n    OutputName: !Ref B"},
        ),
        ("2012-10-17", {"a": '"2012-10-17"'}),
        ("yes", {"a": '"yes"'}),
        ("12", {"a": '"12"'}),
        ("", {"a": '""'}),
        ("x: y", {"a": '"x: y"'}),
        ("a\nb\n", {"a": "|\n  a\n  b"}),
        ("a\n\nb", {"a": "|-\n  a\n\n  b"}),
        ([], {"a": "[]"}),
        ([{"x": 1, "z": [2]}], {"a": "\n  - x: 1\n    z:\n      - 2"}),
        (None, {"a": "null"}),
        (True, {"a": "true"}),
    ],
)
def test_writes_what_people_read(value: Any, text: dict[str, str]) -> None:
    expected = f"a: {text['a']}\n".replace(": \n", ":\n")
    assert yaml_writer.write({"a": value}) == expected


WORDS = st.sampled_from(
    [
        *(
            "Ref",
            "Fn::Sub",
            "Fn::GetAtt",
            "Fn::If",
            "Fn::Base64",
            "Fn::Join",
            "Condition",
            "a.b",
            "arn:${AWS::Partition}:x",
        ),
        *(
            "yes",
            "no",
            "on",
            "y",
            "~",
            "null",
            "12",
            "012",
            "0x1",
            "1e3",
            "1:30",
            "2012-10-17",
            "=",
            "<<",
            "-",
            "- a",
            "a: b",
        ),
        *(
            "a #b",
            "#b",
            "a:",
            ":a",
            "*",
            "&a",
            "!Ref A",
            "a\nb",
            "a\n",
            " a",
            "a ",
            "a\n\n",
            "\n",
            "a\n b",
            "a,b",
            "[a]",
            "{a}",
        ),
        *(
            "%a",
            "@a",
            "`a",
            "'a",
            '"a',
            "|",
            ">",
            "?",
            "? a",
            ".5",
            ".inf",
            "---",
            "...",
            "a\tb",
            "\u2028",
            "\x85",
            "\ufeff",
        ),
    ],
)
TEXTS = WORDS | st.text(max_size=8) | st.text("ab :#-,[]{}\n'\"!&*?|>%@`", max_size=6)
LEAVES = (
    st.none() | st.booleans() | st.integers(-1000, 10**13) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12
)


@examples(25)
@given(st.dictionaries(TEXTS, VALUES, max_size=3))
def test_what_is_written_is_read_as_the_same(value: dict[str, Any]) -> None:
    assert yaml_reader.read(yaml_writer.write(value))[0] == value if value else True


class _Loader(pyyaml.SafeLoader):
    """PyYAML with every short tag ignored: a second reader for the written text."""


def _construct(loader: Any, suffix: str, node: Any) -> Any:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, pyyaml.ScalarNode):
        return {name: node.value.split(".", 1) if suffix == "GetAtt" and "." in node.value else node.value}
    if isinstance(node, pyyaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _construct)


@examples(20)
@given(st.dictionaries(TEXTS, VALUES, max_size=3))
def test_another_reader_reads_the_same(value: dict[str, Any]) -> None:
    assert pyyaml.load(yaml_writer.write(value), _Loader) == value


def test_an_unquoted_colon_at_the_end_of_a_text_is_reported_with_what_to_write() -> None:
    text = "Secrets:\n  - Name: A\n    ValueFrom: !Sub ${Secret}:password::\n"
    with pytest.raises(yaml_reader.Unreadable) as error:
        yaml_reader.read(text)
    assert (error.value.line, error.value.fix) == (
        3,
        "put a text that has a colon followed by a space, or at its end, in quotes",
    )
    quoted, _ = yaml_reader.read(text.replace("${Secret}:password::", '"${Secret}:password::"'))
    assert quoted == {"Secrets": [{"Name": "A", "ValueFrom": {"Fn::Sub": "${Secret}:password::"}}]}


@pytest.mark.parametrize("name", ["Fn::ToJsonString", "Fn::Length", "Fn::Transform", "Fn::GetStackOutput"])
def test_what_has_no_short_form_for_everyone_is_written_in_full(name: str) -> None:
    value = {"A": {name: {"Ref": "B"}}, "C": {"Fn::Sub": "${D}"}}
    written = yaml_writer.write(value)
    assert name in written
    assert f"!{name.removeprefix('Fn::')}" not in written
    assert yaml_reader.read(written)[0] == value


def places(place: SourcePosition, path: str = "") -> list[tuple[Any, ...]]:
    """Each path of a file with its place. The place of an empty value is where one or the other parser ends it."""
    here = (path, place.line, place.column, place.start, place.block)
    return [here, *(each for name, inner in place.children.items() for each in places(inner, f"{path}/{name}"))]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_both_parsers_read_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = path.read_text(encoding="utf-8")
    assert libyaml.compose(text) is not None
    value, place = yaml_reader.read(text)
    monkeypatch.setitem(sys.modules, "yaml.cyaml", None)
    monkeypatch.delitem(sys.modules, "ecs_exec_role.offline.libyaml")
    monkeypatch.delattr(offline, "libyaml")
    other, there = yaml_reader.read(text)
    assert (value, places(place)) == (other, places(there))


def plain_words() -> Iterator[str]:
    """Words of the characters that numbers, dates and similar values have."""
    for length in range(4):
        yield from map("".join, product("018_+-.eEb:x", repeat=length))
    choice = random.Random(1)
    for _ in range(4_000):
        yield "".join(choice.choices("0123456789_+-.eExXbo:infaNAytTZ ", k=choice.randint(4, 9))).strip()
    yield from ("y", "No", "off", "null", "~", "=", "<<", "2020-01-01", "2001-12-14t21:59:43.10-05:00", ".inf", "-.INF")


def test_both_parsers_read_the_same_plain_words() -> None:
    """ruamel.yaml says which words are numbers in YAML 1.1; LibYAML's parser gets its expressions from PyYAML."""
    theirs = [(tag, re.compile(form), first) for versions, tag, form, first in implicit_resolvers if (1, 1) in versions]
    parser: Any = libyaml._Parser("")

    def value(word: str, tag: str) -> tuple[str, Any]:
        found = yaml_reader._scalar(ScalarNode(tag, word), tag)
        return type(found).__name__, found

    for word in plain_words():
        ours = parser.resolve(ScalarNode, word, (True, False))
        tags = [tag for tag, form, first in theirs if word[:1] in first and form.match(word)]
        assert value(word, ours) == value(word, [*tags, "tag:yaml.org,2002:str"][0]), word


@pytest.mark.parametrize("text", ["[" * 20_000, "- " * 100_000, "? " * 50_000, "{a: " * 20_000])
def test_a_file_that_is_nested_too_deep_does_not_end_the_process(text: str) -> None:
    with pytest.raises(yaml_reader.Unreadable):
        yaml_reader.read(text)


@pytest.mark.parametrize("text", ["a: *b", "a: &b 1\nc: &b 2", "a: 1\n---\nb: 1", "a: [1", "", "# only a comment"])
def test_what_libyaml_does_not_read_is_left_to_ruamel(text: str) -> None:
    assert libyaml.compose(text) is None
