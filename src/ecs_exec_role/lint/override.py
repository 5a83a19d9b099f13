"""`ExecutionRoleSpec` for cfn-lint's `--override-spec`: patches of its schemas.

cfn-lint resolves intrinsic functions before it uses a schema, so there are none here. Alternatives only differ by type,
without `anyOf`: inside an `anyOf`, cfn-lint reports nothing about values with a function in them.

See https://github.com/aws-cloudformation/cfn-lint/blob/main/docs/customize_specifications.md
"""

from __future__ import annotations

import json

from ecs_exec_role.needs.definitions import EXPRESS, PLACES, ROLE
from ecs_exec_role.needs.feature import Key
from ecs_exec_role.spec.language import LANGUAGE, MODES
from ecs_exec_role.spec.schema import DESCRIPTION, Place, Schema, fits, words
from ecs_exec_role.template.event import PROPERTY

_TEXT: Schema = {
    "pattern": "^[^*?]+$",
    "message": {"pattern": "A wildcard is allowed in Statements only; name one resource"},
}
_STRING: Schema = {"type": "string", "minLength": 1}
_STRINGS: Schema = {"type": ["string", "array"], "minLength": 1, "minItems": 1, "items": _STRING}
_STATEMENT: Schema = {
    "type": "object",
    "properties": {
        "Sid": {"type": "string", "pattern": "^[A-Za-z0-9]*$"},
        "Effect": {"enum": ["Allow", "Deny"]},
        "Action": _STRINGS,
        "NotAction": _STRINGS,
        "Resource": _STRINGS,
        "NotResource": _STRINGS,
        "Condition": {"type": "object"},
    },
    "required": ["Effect"],
    "allOf": [{"requiredXor": ["Action", "NotAction"]}, {"requiredXor": ["Resource", "NotResource"]}],
    "additionalProperties": False,
}
_TAG: Schema = {
    "type": "object",
    "properties": {"Key": {"type": "string"}, "Value": {"type": "string"}},
    "required": ["Key", "Value"],
    "additionalProperties": False,
}


def text() -> str:
    """The patches as the file that cfn-lint reads."""
    return json.dumps({"Patches": {kind: patches(kind, strict=True) for kind in PLACES}}, indent=2) + "\n"


def patches(kind: str, *, strict: bool) -> list[Schema]:
    """The patches of one resource type's schema.

    Args:
        kind: the resource type.
        strict: whether the form of a spec is checked. Without it, cfn-lint still finds the values in the spec and
        checks
            their references.
    """
    spec = spec_of(kind)
    made: list[Schema] = [
        {"op": "add", "path": f"/properties/{PROPERTY}", "value": spec if strict else _outline(spec)},
    ]
    if kind == ROLE:
        # The macro adds the trust policy, also for a snippet.
        macro: Schema = {"anyOf": [{"required": [PROPERTY]}, {"required": ["Fn::Transform"]}]}
        made.extend(
            (
                {"op": "add", "path": "/required", "value": []},
                {"op": "add", "path": "/if", "value": macro},
                {"op": "add", "path": "/else", "value": {"required": ["AssumeRolePolicyDocument"]}},
            )
        )
    elif kind == EXPRESS:
        # Schemas before cfn-lint 1.58 also require an ExecutionRoleArn, which the macro adds.
        made.append({"op": "add", "path": "/required", "value": ["InfrastructureRoleArn"]})
    return made


def spec_of(kind: str) -> Schema:
    """The schema of the property on one resource type."""
    return _spec("role" if kind == ROLE else "definition")


def _spec(place: Place) -> Schema:
    return {
        "description": DESCRIPTION,
        "type": ["object", "string"],
        "pattern": f"^({'|'.join(MODES)})$",
        "message": {"pattern": f"{PROPERTY} is {', '.join(MODES)}, or a mapping of keys"},
        "properties": {key.name: _key(key) for key in LANGUAGE.values() if fits(key, place)},
        "additionalProperties": False,
    }


def _key(key: Key) -> Schema:
    about: Schema = {"description": key.description, "examples": list(key.examples)}
    match key.form:
        case "choice":
            return {**about, **_choice(key.choices)}
        case "text":
            return {**about, **_STRING}
        case "number":
            return {**about, "type": "integer", "minimum": 3600, "maximum": 43200}
        case "statements":
            item = _STATEMENT
        case "tags":
            item = _TAG
        case "entries":
            item = _entry(key)
        case _:
            item = {"type": "string", **_TEXT}
    listed: Schema = {**about, "type": "array", "items": item}
    if key.choices:  # A word instead of the list.
        names = [word for word in words(key.choices) if isinstance(word, str)]
        listed.update(
            type=["array", "string"],
            pattern=f"^({'|'.join(names)})$",
            message={"pattern": f"Not a list, and not one of {', '.join(names)}"},
        )
    return listed


def _choice(choices: tuple[bool | str, ...]) -> Schema:
    """One of the choices. cfn-lint's `enum` accepts any string for `false`, so booleans have another form."""
    if all(isinstance(choice, bool) for choice in choices):
        return {"type": "boolean"}
    if not any(isinstance(choice, bool) for choice in choices):
        return {"enum": list(choices)}
    names = [word for word in words(choices) if isinstance(word, str)]
    return {
        "type": ["boolean", "string"],
        "pattern": f"^({'|'.join(names)})$",
        "message": {"pattern": f"Not one of {', '.join(names)}"},
    }


def _entry(key: Key) -> Schema:
    properties: Schema = {key.item: {"type": "string", **_TEXT}}
    for option in key.options:
        values: Schema = _choice(option.choices) if option.choices else {"type": "string", **_TEXT}
        properties[option.name] = {"description": option.description, **values}
    return {
        "type": ["string", "object"],
        **_TEXT,
        "properties": properties,
        # Not `required`, which cfn-lint would also check for a !Ref.
        "dependentRequired": {option.name: [key.item] for option in key.options},
        "additionalProperties": False,
    }


def _outline(schema: Schema) -> Schema:
    """Only the mappings and lists of a schema and their descriptions, which refuse nothing."""
    kept: Schema = {}
    for name, value in schema.items():
        if name == "properties":
            kept[name] = {key: _outline(inner) for key, inner in value.items()}
        elif name == "items":
            kept[name] = _outline(value)
        elif name == "description":
            kept[name] = value
    return kept
