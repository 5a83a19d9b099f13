from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from ecs_exec_role.offline import json_reader, parameters, template_file
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate
from ecs_exec_role.offline.yaml_reader import Unreadable


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "t:1:1: the file is empty; write a template with Resources"),
        ("[]", "t:1:1: this is a list, not a template; write a mapping with Resources"),
        ("just text", "t:1:1: this is a single value, not a template; write a mapping with Resources"),
        ("Outputs: {}", "t:1:1: the template has no Resources; add the task definitions"),
        ("A: 1\nResources: []", "t:2:1: Resources: is not a mapping; write logical IDs and their resources"),
        ("A: {\n", "t:2:1: the file is not valid YAML"),
        ('{"A": 1,}', "t:1:9: the file is not valid JSON (a key in double quotes is missing); correct the syntax"),
        (
            '{"A": 1 "B": 2}',
            "t:1:9: the file is not valid JSON (a comma or the end of a mapping is missing)",
        ),
        (
            '{"A": [1 2]}',
            "t:1:10: the file is not valid JSON (a comma or the end of a list is missing); correct the syntax",
        ),
        ('{"A" 1}', "t:1:6: the file is not valid JSON (a colon is missing); correct the syntax"),
        ('{"A": }', "t:1:7: the file is not valid JSON (a value is missing); correct the syntax"),
        (
            '{"A": 1} x',
            "t:1:10: the file is not valid JSON (something follows the end of the template); correct the syntax",
        ),
        ('{"A": "x\ny"}', "t:1:9: the file is not valid JSON (invalid control character at); correct the syntax"),
        ('{"A": 1,\n "A": 2}', "t:2:2: the key `A` is written twice, first in line 1; leave one of them"),
        ('{"A": 1e999}', "t:1:7: the number 1e999 is too large; write it in quotes"),
        ('{"A":' * 4000, "t:1:1: the template is nested too deep; use fewer levels"),
    ],
)
def test_what_is_not_a_template_is_reported_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidTemplate) as caught:
        template_file.parse("t.json" if text.startswith("{") else "t", text)
    assert str(caught.value).replace("t.json:", "t:").startswith(message)


def test_yaml_in_flow_style_is_not_broken_json() -> None:
    assert template_file.parse("t", "{Resources: {}}").form == "yaml"
    assert template_file.parse("t", '\n{"Resources": {}}').form == "json"
    assert template_file.parse("t", '{\t"Resources": {}}').form == "json"
    with pytest.raises(InvalidTemplate, match="the file is not valid YAML"):
        template_file.parse("t.yaml", "{Resources: {}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@examples(15)
@given(JSON, st.none() | st.integers(0, 3))
def test_json_is_read_as_the_standard_library_reads_it(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    read, place = json_reader.read(text)
    assert read == value
    assert text[place.start : place.end] == text


def _refused(name: str) -> None:
    raise ValueError(name)


@examples(15)
@given(st.text('{}[]":,01.eE-+ \n"\\utrfalsn', max_size=20))
def test_any_text_is_json_for_both_or_for_neither(text: str) -> None:
    def result(read: Callable[[str], Any]) -> Any:
        try:
            return read(text)
        except (Unreadable, ValueError) as error:
            return "no JSON" if "is written twice" not in str(error) else None

    theirs = result(lambda text: json.loads(text, parse_constant=_refused))
    ours = result(lambda text: json_reader.read(text)[0])
    assert ours == theirs or ours is None


def test_places_in_json() -> None:
    template = template_file.parse("t", '{\n "Resources": {\n  "A": [1,\n   {"b/c": 2}]}}')
    assert template.line("Resources/A/0") == 3
    assert template.line("Resources/A/1/b/c") == 4
    assert template.line("Resources/B/x") == 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.yaml", "b.yaml", "sub/c.yaml", "sub/d.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_patterns_are_written_out(folder: Path) -> None:
    assert template_file.names(["*.yaml"]) == ["a.yaml", "b.yaml"]
    assert template_file.names(["**/*.yaml"]) == ["a.yaml", "b.yaml", "sub/c.yaml"]
    assert template_file.names(["b.yaml", "*.yaml", "-"]) == ["b.yaml", "a.yaml", "-"]
    assert template_file.names([str(folder / "sub" / "*")]) == [str(folder / "sub/c.yaml"), str(folder / "sub/d.json")]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "argument, message",
    [("sub", "sub is a directory"), ("*.yml", "no file matches *.yml"), ("x.yaml", "there is no file x.yaml")],
)
def test_files_that_are_not_there_are_wrong_usage(argument: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        template_file.names([argument])
    assert message in str(caught.value)


def test_text_that_is_not_utf_8(folder: Path) -> None:
    (folder / "a.yaml").write_bytes(b"Resources:\n  A: \xff\n")
    with pytest.raises(InvalidTemplate, match=r"a\.yaml:2:1: the file is not text in UTF-8"):
        template_file.read("a.yaml")
    (folder / "a.yaml").write_bytes(b"\xef\xbb\xbfResources: {}\n")
    assert template_file.read("a.yaml").data == {"Resources": {}}


@pytest.mark.parametrize(
    "text",
    [
        '[{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "ParameterValue": "x,y"}]',
        '{"Parameters": {"A": 1, "B": ["x", "y"]}}',
        "A: 1\nB: [x, y]\n",
        '["A=1", "B=x,y", {"ParameterKey": "C", "UsePreviousValue": true}]',
    ],
)
def test_parameter_files_of_all_kinds(folder: Path, text: str) -> None:
    (folder / "p").write_text(text, encoding="utf-8")
    assert parameters.from_options([], ["p"]) == {"A": "1", "B": "x,y"}
    assert parameters.from_options(["A=2=3"], ["p"]) == {"A": "2=3", "B": "x,y"}


def test_parameters_that_say_nothing(folder: Path) -> None:
    (folder / "p").write_text("[1]", encoding="utf-8")
    with pytest.raises(InvalidTemplate, match="the file does not contain parameters"):
        parameters.from_options([], ["p"])
    with pytest.raises(InvalidInput, match="write Key=Value"):
        parameters.from_options(["A"], [])


def test_parameters_as_cloudformation_sends_them() -> None:
    declared = {
        "A": {"Type": "String", "Default": "a"},
        "B": {"Type": "Number", "Default": 1},
        "C": {"Type": "CommaDelimitedList", "Default": "x, y"},
        "D": {"Type": "List<AWS::EC2::Subnet::Id>"},
        "E": {"Type": "String"},
        "F": {"Type": "String", "Default": True},
        "G": {"Type": "CommaDelimitedList", "Default": ""},
    }
    values = parameters.of_template({"Parameters": declared}, {"D": "s-1,s-2", "A": "b"})
    assert values == {"A": "b", "B": "1", "C": ["x", "y"], "D": ["s-1", "s-2"], "F": "true", "G": []}
