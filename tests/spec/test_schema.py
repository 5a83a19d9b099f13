"""The JSON Schema accepts and refuses what the engine does."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy, deepcopy
from typing import Any, TypeAlias, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from tests.support.contract import WEB, expanded, one
from tests.support.examples import examples

from ecs_exec_role.needs.feature import Form, Key
from ecs_exec_role.spec import check, schema
from ecs_exec_role.spec.language import LANGUAGE, MODES
from ecs_exec_role.spec.schema import Place

Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]
VALIDATORS = {place: Draft7Validator(schema.spec_schema(place)) for place in schema.PLACES}


def accepted_by_engine(node: Any, place: Place) -> bool:
    if place == "snippet" and not isinstance(node, dict):
        return False  # `expand` takes a mapping of parameters only, and CloudFormation sends no other.
    return not check.check(node, "Spec", on_role=place != "definition", snippet=place == "snippet")


# -- almost correct specs: correct ones with up to three changes -----------------------------------------

WHOLE = [*MODES, "auto", "", None, True, 1, [], {}, ["Auto"], {"Ref": "A"}, {"Fn::If": ["C", "Auto", {}]}]
WORDS = [
    "web",
    "a*b",
    "?",
    "",
    "x\n",
    "a-b",
    "Allow",
    "Deny",
    "true",
    "True",
    "Auto",
    "Warn",
    "3600",
    "003600",
    "0000003600",
]
NUMBERS = [0, -1, 3599, 3600, 43200, 43201, 1.5, "3599", "43200", "43201", "3600\n", "٣٦٠٠", " 3600"]
FUNCTIONS = [
    {"Ref": "A"},
    {"Ref": "AWS::NoValue"},
    {"Ref": 1},
    {"Ref\n": "A"},
    {"Ref": "A", "Fn::Sub": "B"},
    {"Fn::Sub": "${A}"},
    {"Fn::": "A"},
    {"fn::sub": "A"},
    {"Fn::If": "malformed"},
    {"Fn::If": ["C", ""]},
]
JUNK = st.sampled_from([*WORDS, *NUMBERS, *FUNCTIONS, True, False, None, [], {}, ["*"], [["a"]], {"Condition": "C"}])
STATEMENTS: list[Any] = [
    {"Sid": "Extra1", "Effect": "Allow", "Action": ["a:B", {"Ref": "A"}], "Resource": "*", "Condition": {"Bool": {}}},
    {"Effect": {"Fn::If": ["C", "Allow", "Deny"]}, "NotAction": "a:B", "NotResource": ["*"]},
    {"Effect": "Deny", "Action": ["a:B"], "Resource": ["a"]},
]


def right(draw: Draw, key: Key) -> Any:
    """A correct value of `key`."""
    seeds = [*key.choices, *key.examples]
    if key.form == "statements":
        seeds.extend([statement] for statement in STATEMENTS)
    if key.options:
        seeds.append([{key.item: "a", **{option.name: (*option.choices, "b")[0] for option in key.options}}])
    return deepcopy(draw(st.sampled_from(seeds)))


def changed(draw: Draw, node: Any) -> Any:
    """`node` with one change."""
    if isinstance(node, (dict, list)) and node and draw(st.integers(0, 3)):
        place = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        node = copy(node)
        match draw(st.sampled_from(["deeper", "deeper", "deeper", "deeper", "remove", "rename"])):
            case "remove":
                del node[place]
            case "rename" if isinstance(node, dict):
                node[draw(st.sampled_from(["Bogus", "Not" + place, place.removeprefix("Not")]))] = node.pop(place)
            case _:
                node[place] = changed(draw, node[place])
        return node
    match draw(st.sampled_from(["junk", "junk", "chosen", "listed", "unlisted"])):
        case "chosen":
            branches = [node, draw(st.one_of(st.just(node), JUNK))]
            return {"Fn::If": ["C", *(branches if draw(st.booleans()) else branches[::-1])]}
        case "listed":
            return [node]
        case "unlisted" if isinstance(node, list) and node:
            return node[0]
    return draw(JUNK)


def value(draw: Draw, key: Key) -> Any:
    node = right(draw, key)
    for _ in range(draw(st.integers(0, 3))):
        node = changed(draw, node)
    return node


@st.composite
def specs(draw: Draw) -> Any:
    keys = draw(st.lists(st.sampled_from(list(LANGUAGE.values())), max_size=3, unique_by=lambda key: key.name))
    if not keys:
        return draw(st.sampled_from(WHOLE))
    spec: Any = {key.name: right(draw, key) for key in keys}
    return changed(draw, spec) if draw(st.booleans()) else spec


def agree(node: Any, place: Place) -> bool:
    return VALIDATORS[place].is_valid(node) == accepted_by_engine(node, place)


often = examples(40)


@given(node=specs(), place=st.sampled_from(schema.PLACES))
@often
def test_schema_and_engine_agree(node: Any, place: Place) -> None:
    assert agree(node, place)


@pytest.mark.parametrize("form", get_args(Form))
@given(data=st.data())
@often
def test_schema_and_engine_agree_on_one_key(form: Form, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([key for key in LANGUAGE.values() if key.form == form]))
    assert agree({key.name: value(data.draw, key)}, "role" if key.on_role else "definition")


# Found by hand or by the test above; each is the shortest of its kind.
AGREED: list[tuple[Any, Place, bool]] = [
    ("Auto", "definition", True),
    ("Starter", "role", True),
    ("auto", "definition", False),
    ({}, "snippet", True),
    ({"Images": ["web"]}, "definition", True),
    ({"Images": "web"}, "definition", False),
    ({"Images": ["web*"]}, "definition", False),
    ({"Images": {"Fn::If": ["C", ["web"], {"Ref": "AWS::NoValue"}]}}, "definition", True),
    ({"Images": {"Fn::If": ["C", ["web"], "web"]}}, "definition", False),
    ({"Images": {"Fn::Split": [",", {"Ref": "Names"}]}}, "definition", True),
    ({"Images": [{"Repository": {"Fn::If": ["C", "a", "b?"]}}]}, "definition", False),
    ({"Images": [{"PullThroughCache": True}]}, "definition", False),
    ({"Imagse": []}, "definition", False),
    ({"TaskDefinitions": ["Web", {"Ref": "Worker"}]}, "role", True),
    ({"TaskDefinitions": ["Web"]}, "definition", False),
    ({"TaskDefinitions": ["Web"]}, "snippet", False),
    ({"TaskDefinitions": {"Ref": "Names"}}, "role", False),
    ({"Preflight": True}, "snippet", False),
    ({"Preflight": "Warn"}, "role", True),
    ({"RoleName": "web"}, "definition", True),
    ({"RoleName": "web"}, "role", False),
    ({"MaxSessionDuration": "3600"}, "definition", True),
    ({"MaxSessionDuration": "3600 "}, "definition", False),
    ({"MaxSessionDuration": True}, "definition", False),
    ({"Statements": [{"Effect": "Allow", "Action": "a:B", "Resource": "*"}]}, "definition", True),
    ({"Statements": [{"Effect": "Allow", "Action": "a:B"}]}, "definition", False),
    ({"Statements": [{"Effect": "Allow", "Action": [], "Resource": "*"}]}, "definition", False),
    ({"Statements": [{"Action": "a:B", "Resource": "*"}]}, "definition", False),
]


@pytest.mark.parametrize("node, place, valid", AGREED, ids=[json.dumps(node) for node, _, _ in AGREED])
def test_well_known_specs(node: Any, place: Place, valid: bool) -> None:
    assert accepted_by_engine(node, place) is valid
    assert VALIDATORS[place].is_valid(node) is valid


# -- what editors read ------------------------------------------------------------------------------------------------


def test_schemas_are_schemas() -> None:
    for place in schema.PLACES:
        Draft7Validator.check_schema(schema.spec_schema(place))
    Draft7Validator.check_schema(schema.schema())


@pytest.mark.parametrize("key", LANGUAGE.values(), ids=LANGUAGE)
def test_every_key_has_a_description_and_valid_examples(key: Key) -> None:
    place: Place = "role" if key.on_role else "definition"
    described = schema.spec_schema(place)["definitions"][key.name]
    assert described["description"] == key.description
    for example in described["examples"]:
        assert VALIDATORS[place].is_valid({key.name: example})
        assert accepted_by_engine({key.name: example}, place)


def test_options_are_described() -> None:
    definitions = schema.spec_schema("definition")["definitions"]
    for key in LANGUAGE.values():
        for option in key.options:
            assert definitions[f"{key.name}.{option.name}"]["description"] == option.description


def test_same_schema_every_time() -> None:
    assert json.dumps(schema.schema()) == json.dumps(schema.schema())


TEMPLATE = Draft7Validator(schema.schema())


def resource(kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": {"It": {"Type": kind, "Properties": properties}}}


@pytest.mark.parametrize(
    "value, valid",
    [
        (["web", "api"], True),
        (["Prod", ["web"], "AWS::NoValue"], True),
        (["Prod", ["web"], ["Other", ["api"], "AWS::NoValue"]], True),
        ([["Prod", "web", "api"]], True),
        ([["-", ["web", "api"]]], True),
        ([{"Repository": ["Prod", "web", "api"]}], True),
        (["Prod", ["web"], "api"], True),  # For an editor, the second item may be a function's short form.
        ("web", False),
        (["web*"], False),
        ([{"Repositry": "web"}], False),
        ([{"Repository": "web", "PullThroughCache": "maybe"}], False),
    ],
)
def test_short_forms_as_editors_see_them(value: Any, valid: bool) -> None:
    template = resource("AWS::ECS::TaskDefinition", {"ExecutionRoleSpec": {"Images": value}})
    assert TEMPLATE.is_valid(template) is valid


@pytest.mark.parametrize(
    "kind, properties, valid",
    [
        ("AWS::ECS::TaskDefinition", {"ExecutionRoleSpec": "Auto", "Cpu": 256}, True),
        ("AWS::ECS::TaskDefinition", {"ExecutionRoleSpec": {"Imags": []}}, False),
        ("AWS::ECS::TaskDefinition", {"ExecutionRoleSpec": {"TaskDefinitions": ["It"]}}, False),
        ("AWS::Batch::JobDefinition", {"ExecutionRoleSpec": {"RoleName": "a"}}, True),
        ("AWS::IAM::Role", {"ExecutionRoleSpec": {"TaskDefinitions": ["It"]}}, True),
        ("AWS::IAM::Role", {"ExecutionRoleSpec": {"RoleName": "a"}}, False),
        ("AWS::IAM::Role", {"Fn::Transform": {"Name": "EcsExecRole", "Parameters": {"Images": ["a"]}}}, True),
        ("AWS::IAM::Role", {"Fn::Transform": {"Name": "EcsExecRole", "Parameters": {"Image": ["a"]}}}, False),
        ("AWS::IAM::Role", {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "a"}}}, True),
        ("AWS::ECS::Service", {"Cluster": "a"}, True),
        ("AWS::ECS::Service", {"ExecutionRoleSpec": "Auto"}, False),
    ],
)
def test_templates(kind: str, properties: dict[str, Any], valid: bool) -> None:
    assert TEMPLATE.is_valid(resource(kind, properties)) is valid


DEFAULTS = {
    "Infer": True,
    "Unresolved": "Error",
    "Preflight": False,
    "GuardDuty": False,
    "Images.PullThroughCache": False,
    "LogGroups.Create": False,
    "FileSystems.Access": "ReadWrite",
}


def test_schema_has_the_default_of_each_key_that_has_one() -> None:
    definitions = schema.spec_schema("definition")["definitions"]
    assert isinstance(definitions, dict)
    found = {
        name: made["default"] for name, made in definitions.items() if isinstance(made, dict) and "default" in made
    }
    assert found == DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_key_with_its_default_grants_what_no_key_grants(name: str) -> None:
    key, _, option = name.partition(".")
    things = {"Images": {"Repository": "a/b"}, "LogGroups": {"LogGroup": "/a"}, "FileSystems": {"FileSystem": "fs-1"}}
    plain = {key: [things[key]]} if option else {}
    said = {key: [{**things[key], option: DEFAULTS[name]}]} if option else {key: DEFAULTS[name]}
    assert expanded(one(WEB, spec=said)) == expanded(one(WEB, spec=plain))
