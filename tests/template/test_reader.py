"""The symbolic reader: its result for a value is what CloudFormation will make of it, under every condition.

The one law is checked by another reader, `cloudformation.Stack`, which knows everything: the value as it was written
and the alternative that the reader gives for the same conditions come to the same text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cloudformation import NO_VALUE as ABSENT
from tests.support.cloudformation import CloudFormationError, Document, Stack
from tests.support.contract import event
from tests.support.examples import examples

from ecs_exec_role.errors import Problems, TemplateError
from ecs_exec_role.template.event import read
from ecs_exec_role.template.reader import Alternative, Reader, is_intrinsic, substitutions
from ecs_exec_role.template.symbols import SymbolicText, Symbols

NO_VALUE = {"Ref": "AWS::NoValue"}
FRAGMENT: Document = {
    "Parameters": {
        "P": {"Type": "String", "Default": "value"},
        "Number": {"Type": "Number", "Default": 7},
        "L": {"Type": "CommaDelimitedList", "Default": "a, b/c,d"},
        "Empty": {"Type": "CommaDelimitedList", "Default": ""},
        "S": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/key"},
        "Hidden": {"Type": "String", "NoEcho": True, "Default": "hidden:x/y"},
        "Marked": {"Type": "String", "Default": "${AWS::Region}"},
    },
    "Mappings": {
        "M": {"us-east-1": {"k": "mapped", "l": ["x", "y/z"]}, "123456789012": {"k": "account"}, "value": {"k": 3}},
    },
    "Resources": {
        "Repo": {"Type": "AWS::ECR::Repository"},
        "Secret": {"Type": "AWS::SecretsManager::Secret"},
        "Logs": {"Type": "AWS::Logs::LogGroup"},
    },
}
CONDITIONS = ("C", "D")


class Reading:
    """A reader of `FRAGMENT`, with its table of symbols and its problems."""

    def __init__(self, fragment: Document = FRAGMENT, **others: Any) -> None:
        self.symbols = Symbols()
        self.problems = Problems()
        self.reader = Reader(read(event(fragment, **others)), self.symbols, self.problems)

    def texts(self, node: Any) -> list[Alternative]:
        return self.reader.text(node, path="here")

    def rendered(self, node: Any) -> list[Any]:
        return [self.symbols.render(alternative.text) for alternative in self.texts(node)]


def worlds() -> Iterator[tuple[dict[str, bool], Stack]]:
    """Every combination of the conditions' values, with the stack that it gives."""
    for truths in itertools.product((True, False), repeat=len(CONDITIONS)):
        conditions = dict(zip(CONDITIONS, truths, strict=True))
        yield conditions, Stack(FRAGMENT, conditions=conditions, imports={"i": "imp/orted"}, ssm={"/key": "from:ssm"})


def as_text(value: Any) -> Any:
    """A scalar as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


# -- the law --

LITERALS = ["", "x", "a/b", ":", "$", "{", "}", "${", "!", "${x}", "é", "arn:aws:s3:::b", "0", "1", "{{resolve:ssm:x}}"]
literals = st.sampled_from(LITERALS) | st.text("ab/:$", max_size=3)
NAMES = [
    "P",
    "Number",
    "S",
    "Hidden",
    "Marked",
    "Repo",
    "Secret",
    "Logs",
    "AWS::Region",
    "AWS::AccountId",
    "AWS::StackName",
]
ATTRIBUTES = ["Repo.Arn", "Repo.RepositoryUri", "Logs.Arn", "Secret.Id"]
references = st.sampled_from(
    [
        *({"Ref": name} for name in NAMES),
        *({"Fn::GetAtt": name} for name in ATTRIBUTES),
        *({"Fn::GetAtt": name.split(".")} for name in ATTRIBUTES),
        {"Fn::ImportValue": "i"},
        {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "k"]},
        {"Fn::FindInMap": ["M", {"Ref": "AWS::AccountId"}, "k"]},
        {"Fn::FindInMap": ["M", {"Ref": "P"}, "k"]},
        {"Fn::FindInMap": ["M", {"Ref": "S"}, "k", {"DefaultValue": "default"}]},
        {"Fn::Base64": "x"},
    ]
)
SUB_PIECES = [
    "x",
    "/",
    ":",
    "$",
    "${!X}",
    "${!}",
    "{",
    "${V}",
    "${W}",
    *(f"${{{name}}}" for name in [*NAMES, *ATTRIBUTES]),
]
sub_templates = st.lists(st.sampled_from(SUB_PIECES), max_size=5).map("".join)


def compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    listed = st.lists(inner, max_size=3)
    delimiters = st.sampled_from(["", "/", ":", "-", "x"])
    lists = st.one_of(
        listed,
        st.builds(lambda by, value: {"Fn::Split": [by, value]}, st.sampled_from(["/", ":", "-"]), inner),
        st.sampled_from([{"Ref": "L"}, {"Ref": "Empty"}, {"Fn::FindInMap": ["M", "us-east-1", "l"]}]),
        st.builds(lambda name, yes, no: {"Fn::If": [name, yes, no]}, st.sampled_from(CONDITIONS), listed, listed),
    )
    maybe = st.just(NO_VALUE) | inner
    return st.one_of(
        st.builds(
            lambda text, v, w: {"Fn::Sub": [text, {"V": v, "W": w}]},
            sub_templates,
            inner,
            inner,
        ),
        sub_templates.filter(lambda text: "${V}" not in text and "${W}" not in text).map(
            lambda text: {"Fn::Sub": text}
        ),
        st.builds(lambda by, parts: {"Fn::Join": [by, parts]}, delimiters, lists),
        st.builds(lambda index, parts: {"Fn::Select": [index, parts]}, st.sampled_from([0, 1, "0", "2"]), lists),
        st.builds(lambda name, yes, no: {"Fn::If": [name, yes, no]}, st.sampled_from(CONDITIONS), maybe, maybe),
    )


values = st.recursive(literals | st.integers(0, 99) | st.booleans() | references, compound, max_leaves=6)


@examples(60)
@given(values)
def test_what_is_read_is_what_cloudformation_makes_of_it(node: Any) -> None:
    reading = Reading()
    alternatives = reading.texts(node)
    for conditions, stack in worlds():
        try:
            value = stack.resolve(node)
        except (CloudFormationError, IndexError):
            continue
        held = [
            text
            for path_condition, text, _ in alternatives
            if all(conditions[name] == truth for name, truth in path_condition)
        ]
        if value is ABSENT:
            assert held == []
        else:
            assert [as_text(stack.resolve(reading.symbols.render(text))) for text in held] == [as_text(value)]


@examples(30)
@given(st.lists(values | st.just(NO_VALUE), max_size=4) | compound(values).filter(lambda node: "Fn::If" in node))
def test_items_of_a_list_are_those_that_cloudformation_leaves(node: Any) -> None:
    reading = Reading()
    cases = list(reading.reader.each(node, (), "here"))
    for conditions, stack in worlds():
        try:
            value = stack.resolve(node)
            held = [
                stack.resolve(case.node)
                for case in cases
                if all(conditions[name] == truth for name, truth in case.path_condition)
            ]
        except (CloudFormationError, IndexError):
            continue
        if value is ABSENT:
            value = []
        assert [as_text(item) for item in held] == [
            as_text(item) for item in (value if isinstance(value, list) else [value])
        ]


# -- examples --


@pytest.mark.parametrize(
    ("node", "required"),
    [
        ("text", "text"),
        (3, "3"),
        (True, "true"),
        ({"Ref": "P"}, "value"),
        ({"Ref": "Number"}, "7"),
        ({"Ref": "S"}, {"Ref": "S"}),
        ({"Ref": "Hidden"}, {"Ref": "Hidden"}),
        ({"Ref": "Repo"}, {"Ref": "Repo"}),
        ({"Ref": "AWS::Region"}, {"Ref": "AWS::Region"}),
        ({"Fn::GetAtt": "Repo.Arn"}, {"Fn::GetAtt": ["Repo", "Arn"]}),
        ({"Fn::GetAtt": "Stack.Outputs.Arn"}, {"Fn::GetAtt": ["Stack", "Outputs.Arn"]}),
        ({"Fn::Sub": "${P}"}, "value"),
        ({"Fn::Sub": "${Repo}"}, {"Ref": "Repo"}),
        ({"Fn::Sub": "${Repo.Arn}"}, {"Fn::GetAtt": ["Repo", "Arn"]}),
        ({"Fn::Sub": "${!P}/${P}"}, "${P}/value"),
        ({"Fn::Sub": ["${X}-${P}", {"X": {"Ref": "Repo"}}]}, {"Fn::Sub": "${Repo}-value"}),
        ({"Fn::Sub": ["${P}", {"P": "mine"}]}, "mine"),
        ({"Fn::Join": ["", ["a", {"Ref": "Repo"}, "b"]]}, {"Fn::Sub": "a${Repo}b"}),
        ({"Fn::Join": ["-", {"Ref": "L"}]}, "a-b/c-d"),
        ({"Fn::Join": ["-", ["a", NO_VALUE, "b"]]}, "a-b"),
        ({"Fn::Join": ["-", {"Ref": "Empty"}]}, ""),
        ({"Fn::Select": [1, {"Ref": "L"}]}, "b/c"),
        ({"Fn::Select": ["2", {"Fn::Split": ["/", "a/b/c"]}]}, "c"),
        (
            {"Fn::Select": [0, {"Fn::Split": ["/", {"Ref": "S"}]}]},
            {"Fn::Select": [0, {"Fn::Split": ["/", {"Ref": "S"}]}]},
        ),
        ({"Fn::Select": [1, {"Fn::Split": ["/", {"Fn::Sub": "x/${AWS::Region}"}]}]}, {"Ref": "AWS::Region"}),
        ({"Fn::Select": [3, {"Fn::Split": [":", {"Fn::GetAtt": ["Repo", "Arn"]}]}]}, {"Ref": "AWS::Region"}),
        ({"Fn::Select": [4, {"Fn::Split": [":", {"Fn::GetAtt": ["Repo", "Arn"]}]}]}, {"Ref": "AWS::AccountId"}),
        (
            {"Fn::Select": [5, {"Fn::Split": [":", {"Fn::GetAtt": ["Repo", "Arn"]}]}]},
            {"Fn::Select": [5, {"Fn::Split": [":", {"Fn::GetAtt": ["Repo", "Arn"]}]}]},
        ),
        ({"Fn::Select": [7, ["a"]]}, {"Fn::Select": [7, ["a"]]}),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "k"]}, "mapped"),
        ({"Fn::FindInMap": ["M", "elsewhere", "k", {"DefaultValue": {"Ref": "Repo"}}]}, {"Ref": "Repo"}),
        ({"Fn::FindInMap": ["M", "elsewhere", "k"]}, {"Fn::FindInMap": ["M", "elsewhere", "k"]}),
        ({"Fn::FindInMap": ["M", {"Ref": "S"}, "k"]}, {"Fn::FindInMap": ["M", {"Ref": "S"}, "k"]}),
        ({"Fn::Select": [0, {"Fn::FindInMap": ["M", "us-east-1", "l"]}]}, "x"),
        ({"Fn::ImportValue": "x"}, {"Fn::ImportValue": "x"}),
        (
            {"Fn::Join": ["", ["a", {"Fn::ImportValue": "x"}]]},
            {"Fn::Sub": ["a${Value1}", {"Value1": {"Fn::ImportValue": "x"}}]},
        ),
        ({"Fn::Unheard": {"of": 1}}, {"Fn::Unheard": {"of": 1}}),
        ("{{resolve:ssm:/x}}", "{{resolve:ssm:/x}}"),
        ({"Fn::Sub": "{{resolve:ssm:/${P}/${AWS::Region}}}/y"}, {"Fn::Sub": "{{resolve:ssm:/value/${AWS::Region}}}/y"}),
    ],
)
def test_one_text(node: Any, required: Any) -> None:
    reading = Reading()
    assert reading.rendered(node) == [required]
    assert list(reading.problems) == []


@pytest.mark.parametrize("node", [NO_VALUE, None, {"Fn::If": ["C", NO_VALUE, NO_VALUE]}])
def test_no_text_at_all(node: Any) -> None:
    reading = Reading()
    assert reading.texts(node) == []
    assert list(reading.problems) == []


@pytest.mark.parametrize("node", [[], ["x"], {}, {"a": 1}, {"a": 1, "Ref": "P"}])
def test_what_is_not_text_is_a_problem(node: Any) -> None:
    reading = Reading()
    assert reading.texts(node) == []
    assert [problem.path for problem in reading.problems] == ["here"]


WRONG_ARGUMENTS: list[Any] = [
    None,
    3,
    True,
    [],
    {},
    "",
    [1, 2, 3, 4, 5],
    [[[]]],
    [{}, {}],
    {"a": 1},
    ["x", None],
    [None, ["x"]],
]


@pytest.mark.parametrize("argument", WRONG_ARGUMENTS, ids=repr)
@pytest.mark.parametrize(
    "function",
    [
        "Ref",
        "Fn::GetAtt",
        "Fn::Sub",
        "Fn::Join",
        "Fn::If",
        "Fn::FindInMap",
        "Fn::Select",
        "Fn::Split",
        "Fn::ImportValue",
    ],
)
def test_wrong_arguments_stay_as_they_are(function: str, argument: Any) -> None:
    reading = Reading()
    for node in (
        {function: argument},
        {"Fn::Join": ["", ["x", {function: argument}]]},
        {"Fn::Sub": ["${X}", {"X": {function: argument}}]},
    ):
        for value in reading.rendered(node):
            assert value is not None


def test_alternatives_carry_their_conditions_and_their_paths() -> None:
    node = {"Fn::If": ["C", "a", {"Fn::If": ["D", "b", {"Fn::Sub": ["${X}", {"X": {"Fn::If": ["C", "no", "c"]}}]}]}]}
    assert Reading().texts(node) == [
        Alternative((("C", True),), SymbolicText("a"), "here/Fn::If/1"),
        Alternative((("C", False), ("D", True)), SymbolicText("b"), "here/Fn::If/2/Fn::If/1"),
        Alternative((("C", False), ("D", False)), SymbolicText("c"), "here/Fn::If/2/Fn::If/2"),
    ]


def test_malformed_if_is_a_problem() -> None:
    reading = Reading()
    assert reading.texts({"Fn::If": ["C", "a"]}) == []
    assert [problem.path for problem in reading.problems] == ["here/Fn::If"]


def test_too_many_alternatives_are_refused() -> None:
    node = {"Fn::Join": ["", [{"Fn::If": [f"C{index}", "a", "b"]} for index in range(30)]]}
    with pytest.raises(TemplateError):
        Reading().texts(node)


@pytest.mark.parametrize(
    ("declared", "value", "required"),
    [
        ({"Type": "String"}, "x", "x"),
        ({"Type": "String", "Default": "d"}, None, None),
        ({"Type": "Number"}, 3, "3"),
        ({"Type": "String"}, True, "true"),
        ({"Type": "CommaDelimitedList"}, "a, b", ["a", "b"]),
        ({"Type": "CommaDelimitedList"}, ["a", "b"], ["a", "b"]),
        ({"Type": "List<Number>"}, "1,2", ["1", "2"]),
        ({"Type": "AWS::EC2::VPC::Id"}, "vpc-1", "vpc-1"),
        ({"Type": "AWS::SSM::Parameter::Name"}, "/x", "/x"),
        ({"Type": "AWS::SSM::Parameter::Value<List<String>>"}, "/x", None),
        ({"Type": "String", "NoEcho": "true"}, "x", None),
        ({"Type": "String", "NoEcho": False}, "x", "x"),
        ({"Type": "String"}, "{{IntrinsicFunction:arn:x/Fn::GetAtt}}", None),
        ({"Type": "String"}, {"a": 1}, None),
        ({"Type": ["String"]}, "x", None),
        ("String", "x", None),
    ],
)
def test_value_of_a_stack_parameter(declared: Any, value: Any, required: Any) -> None:
    reading = Reading({"Parameters": {"X": declared}}, templateParameterValues={"X": value})
    assert reading.reader.parameter("X") == required


def test_default_of_a_stack_parameter() -> None:
    reading = Reading({"Parameters": {"X": {"Type": "String", "Default": "d"}}})
    assert reading.reader.parameter("X") == "d"
    assert reading.reader.parameter("Y") is None


def test_value_of_a_parameter_is_not_a_template() -> None:
    # A user's input is text: nothing is substituted in it.
    reading = Reading()
    assert reading.rendered({"Ref": "Marked"}) == ["${AWS::Region}"]
    assert reading.rendered({"Fn::Sub": "${Marked}/${Repo}"}) == [{"Fn::Sub": "${!AWS::Region}/${Repo}"}]


@pytest.mark.parametrize(
    ("template", "pieces"),
    [
        ("", []),
        ("x", [(True, "x")]),
        ("${X}", [(False, "X")]),
        ("a${X}b${Y.Z}", [(True, "a"), (False, "X"), (True, "b"), (False, "Y.Z")]),
        ("${!X}", [(True, "${X}")]),
        ("${!!X}", [(True, "${!X}")]),
        ("$X $$ {X}", [(True, "$X $$ {X}")]),
        ("${X", [(True, "${X")]),
    ],
)
def test_pieces_of_a_sub_template(template: str, pieces: list[tuple[bool, str]]) -> None:
    assert list(substitutions(template)) == pieces


@pytest.mark.parametrize(
    ("node", "required"),
    [
        ({"Ref": "x"}, True),
        ({"Fn::Sub": "x"}, True),
        ({"Fn::Anything": 1}, True),
        ({"Ref": "x", "a": 1}, False),
        ({"Condition": "x"}, False),
        ({}, False),
        ("Ref", False),
        (["Ref"], False),
    ],
)
def test_what_an_intrinsic_function_is(node: Any, required: bool) -> None:
    assert is_intrinsic(node) is required


def test_mappings_are_found_through_conditions() -> None:
    reading = Reading()
    node = {"Fn::If": ["C", {"a": 1, "b": 2}, {"Fn::If": ["D", {"a": 3}, NO_VALUE]}]}
    assert [(case.path_condition, case.node) for case in reading.reader.mappings(node, (), "here")] == [
        ((("C", True),), {"a": 1, "b": 2}),
        ((("C", False), ("D", True)), {"a": 3}),
    ]
    assert list(reading.reader.mappings("x", (), "here")) == []
    assert [problem.path for problem in reading.problems] == ["here"]
