"""JSON Schema of `ExecutionRoleSpec`, made from the definition of the language that the engine uses for its checks.

`schema` describes a whole template, for editors; `spec_schema` the value of `ExecutionRoleSpec`, with the
intrinsic functions that can be used there. Both are JSON Schema draft 7, which is what editors read.

See https://json-schema.org/draft-07
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from ecs_exec_role.needs.definitions import ROLE, TYPES
from ecs_exec_role.needs.feature import Key
from ecs_exec_role.spec.language import LANGUAGE, MODES
from ecs_exec_role.template.event import PROPERTY
from ecs_exec_role.template.symbols import Json

Schema: TypeAlias = dict[str, Json]

Place: TypeAlias = Literal["definition", "role", "snippet"]
"""The places of a spec: what describes tasks, on `AWS::IAM::Role`, or as the `Parameters` of an `Fn::Transform`."""

PLACES: tuple[Place, ...] = get_args(Place)

MACRO = "EcsExecRole"
DRAFT = "http://json-schema.org/draft-07/schema#"
DESCRIPTION = (
    "What the execution role of these tasks may do. Auto or {}: all that the definition needs. "
    "Starter: AmazonECSTaskExecutionRolePolicy alone. Or a mapping, whose lists add to what is inferred."
)

_NAMES: Schema = {"type": "string", "minLength": 1}
# A string of digits, of at most nine characters, that is 3600 to 43200.
_SECONDS = "^(0{0,5}(3[6-9]|[4-9][0-9])[0-9]{2}|0{0,4}([1-3][0-9]{4}|4[0-2][0-9]{3}|43[01][0-9]{2}|43200))$"


def schema() -> Schema:
    """The schema of a template: it checks `ExecutionRoleSpec` where it is allowed, and accepts everything else.

    It is for editors, which see the short form of a function as the value of its tag (`!If […]` as a list): they
    accept a list wherever a function is allowed.
    """
    maker = _Maker(short_forms=True)
    refs = {place: maker.spec(place) for place in PLACES}
    snippet = {
        "if": {"type": "object", "properties": {"Name": {"const": MACRO}}, "required": ["Name"]},
        "then": {"properties": {"Parameters": refs["snippet"]}},
    }
    resource = {
        "allOf": [
            _when_type({"enum": list(TYPES)}, {PROPERTY: refs["definition"]}),
            _when_type({"const": ROLE}, {PROPERTY: refs["role"], "Fn::Transform": snippet}),
            _when_type({"not": {"enum": [*TYPES, ROLE]}}, {PROPERTY: False}),
        ]
    }
    return {
        "$schema": DRAFT,
        "title": f"CloudFormation template with {PROPERTY}",
        "type": "object",
        "properties": {"Resources": {"type": "object", "additionalProperties": resource}},
        "definitions": maker.definitions,
    }


def _when_type(kind: Schema, properties: Schema) -> Schema:
    """The schema of the properties of a resource whose `Type` matches `kind`."""
    return {
        "if": {"type": "object", "properties": {"Type": kind}, "required": ["Type"]},
        "then": {"properties": {"Properties": {"properties": properties}}},
    }


def spec_schema(place: Place) -> Schema:
    """The schema of the value of `ExecutionRoleSpec` in one place; it accepts what `spec.check` accepts.

    One difference remains: in JSON Schema `3600.0` is a whole number, in the engine it is not.
    """
    maker = _Maker()
    ref = maker.spec(place)
    return {"$schema": DRAFT, "allOf": [ref], "definitions": maker.definitions}


class _Maker:
    """Makes the schemas of the language's keys. Each is a named definition, since `Fn::If` nests."""

    def __init__(self, *, short_forms: bool = False) -> None:
        self._short_forms = short_forms
        self.definitions: dict[str, Schema] = {
            "function": _FUNCTION,
            # For an Fn::If whose branches are described next to it.
            "other-function": {**_FUNCTION, "not": {"properties": {"Fn::If": _THREE}, "required": ["Fn::If"]}},
            "nothing": {
                "title": "AWS::NoValue",
                "description": "No value at all.",
                "type": "object",
                "maxProperties": 1,
                "properties": {"Ref": {"const": "AWS::NoValue"}},
                "required": ["Ref"],
            },
        }

    def spec(self, place: Place) -> Schema:
        """The value of `ExecutionRoleSpec`, or of a snippet's `Parameters`."""
        keys = [key for key in LANGUAGE.values() if fits(key, place)]
        alternatives: list[Schema] = [
            {
                "type": "object",
                "properties": {key.name: self._key(key) for key in keys},
                "additionalProperties": False,
            }
        ]
        if place != "snippet":
            alternatives.insert(0, {"enum": list(MODES)})
        examples: list[Json] = ["Auto", {"Images": ["web"]}]
        self.definitions[place] = {"description": DESCRIPTION, "examples": examples, "anyOf": alternatives}
        return {"$ref": _pointer(place)}

    def _key(self, key: Key) -> Schema:
        about: Schema = {"description": key.description, "examples": list(key.examples), **_default(key.default)}
        if key.form == "choice":
            return self._value(key.name, {"enum": words(key.choices)}, about)
        if key.form == "text":
            return self._value(key.name, _NAMES, about)
        if key.form == "number":
            whole: Schema = {"type": "integer", "minimum": 3600, "maximum": 43200}
            digits: Schema = {"type": "string", "pattern": _SECONDS, "not": {"pattern": "[^0-9]"}}
            return self._value(key.name, {"anyOf": [whole, digits]}, about)
        listed: Schema = {"type": "array", "items": self._item(key)}
        if key.choices:
            listed = {"anyOf": [listed, {"enum": words(key.choices)}]}
        return self._value(key.name, listed, about, intrinsic=key.form in ("texts", "entries"))

    def _item(self, key: Key) -> Schema:
        """What a key's list can contain."""
        name = f"{key.name}.item"
        match key.form:
            case "logical-ids":
                ref: Schema = {
                    "type": "object",
                    "properties": {"Ref": {"type": "string"}},
                    "required": ["Ref"],
                    "additionalProperties": False,
                }
                return self._value(name, {"anyOf": [{"type": "string"}, ref]}, {}, intrinsic=False)
            case "statements":
                return self._value(name, self._statement(), {}, intrinsic=False)
            case "tags":
                pair: Schema = {
                    "type": "object",
                    "properties": {"Key": True, "Value": True},
                    "required": ["Key", "Value"],
                    "additionalProperties": False,
                }
                return self._value(name, pair, {})
            case "entries":
                return self._value(name, {"anyOf": [_TEXT, self._entry(key)]}, {})
        return self._text()

    def _entry(self, key: Key) -> Schema:
        """The mapping form of an entry."""
        properties: Schema = {key.item: self._text()}
        for option in key.options:
            about: Schema = {"description": option.description, **_default(option.default)}
            if option.choices:
                listed: Schema = {"enum": words(option.choices)}
                properties[option.name] = self._value(f"{key.name}.{option.name}", listed, about)
            else:
                properties[option.name] = self._value(f"{key.name}.{option.name}", _TEXT, about)
        return {
            "title": f"mapping with {key.item}",
            "type": "object",
            "properties": properties,
            "required": [key.item],
            "additionalProperties": False,
        }

    def _text(self) -> Schema:
        return self._value("text", _TEXT, {})

    def _statement(self) -> Schema:
        """The form of an IAM statement, as far as it is checked."""

        def or_function(schema: Schema) -> Schema:
            # Here the branches of an Fn::If are not checked.
            return {"anyOf": [schema, {"$ref": _pointer("function")}]}

        items: Schema = {"type": "array", "items": or_function(_NAMES), "minItems": 1}
        strings = self._value("strings", {"anyOf": [_NAMES, items]}, {})
        return {
            "type": "object",
            "properties": {
                "Sid": or_function({"type": "string", "not": {"pattern": "[^A-Za-z0-9]"}}),
                "Effect": or_function({"enum": ["Allow", "Deny"]}),
                "Action": strings,
                "NotAction": strings,
                "Resource": strings,
                "NotResource": strings,
                "Condition": {"type": "object"},
            },
            "required": ["Effect"],
            "allOf": [
                {"oneOf": [{"required": ["Action"]}, {"required": ["NotAction"]}]},
                {"oneOf": [{"required": ["Resource"]}, {"required": ["NotResource"]}]},
            ],
            "additionalProperties": False,
        }

    def _value(self, name: str, plain: Schema, about: Schema, *, intrinsic: bool = True) -> Schema:
        """`plain`, an `Fn::If` between such values, or nothing; with `intrinsic`, every other function too."""
        alternatives: list[Schema] = [*plain["anyOf"]] if set(plain) == {"anyOf"} else [plain]
        alternatives.append({"$ref": _pointer("other-function" if intrinsic else "nothing")})
        here: Schema = {"$ref": _pointer(name)}
        alternatives.append(
            {
                "title": "Fn::If",
                "type": "object",
                "maxProperties": 1,
                "properties": {"Fn::If": {**_THREE, "items": [True, here, here]}},
                "required": ["Fn::If"],
            }
        )
        if self._short_forms:
            branch: Schema = {"anyOf": [here, {"const": "AWS::NoValue"}]}
            listed: Schema = {**_THREE, "items": [{"type": "string"}, branch, branch]}
            alternatives.append(
                {"title": "short form", **(listed if plain.get("type") == "array" else {"type": "array"})}
            )
        self.definitions[name] = {**about, "anyOf": alternatives}
        return here


_THREE: Schema = {"type": "array", "minItems": 3, "maxItems": 3}
_TEXT: Schema = {"type": "string", "pattern": "^[^*?]+$"}
_FUNCTION: Schema = {
    "title": "intrinsic function",
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {"Ref": True},
    "patternProperties": {"^Fn::": True},
    "additionalProperties": False,
}


def _pointer(name: str) -> str:
    return f"#/definitions/{name}"


def words(choices: tuple[bool | str, ...]) -> list[Json]:
    """The choices as they can be written: CloudFormation reads `"true"` in the same way as `true`."""
    written = [str(choice).lower() for choice in choices if isinstance(choice, bool)]
    return [*choices, *written]


def _default(default: bool | str | None) -> Schema:
    return {} if default is None else {"default": default}


def fits(key: Key, place: Place) -> bool:
    """Whether a spec in this place may have this key."""
    if place == "snippet" and key.name in ("TaskDefinitions", "Preflight"):
        return False
    return key.on_role is None or key.on_role is (place != "definition")
