"""`Fn::ForEach` loops, unrolled as `AWS::LanguageExtensions` does before it hands a template to the macro.

Only loops whose collection is known here are unrolled: a list in letters, or a list parameter with a value.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.symbols import Json

LOOP = "Fn::ForEach::"


def unrolled(data: Mapping[str, Any], values: Mapping[str, Json]) -> dict[str, Json]:
    """A template with the loops of its sections unrolled where that can be done here.

    Args:
        data: the template.
        values: `templateParameterValues`; a list parameter's value is a list.
    """
    if not any(key.startswith(LOOP) for section in data.values() for key in mapping(section)):
        return dict(data)
    return {key: _unrolled(child, values, {}) for key, child in data.items()}


def _unrolled(node: Json, values: Mapping[str, Json], variables: Mapping[str, str]) -> Json:
    if isinstance(node, str):
        return _filled_in(node, variables)
    if isinstance(node, list):
        return [_unrolled(item, values, variables) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1 and isinstance(node.get("Ref"), str) and node["Ref"] in variables:
        return variables[node["Ref"]]
    result: dict[str, Json] = {}
    for key, child in node.items():
        loop = _loop(child, values, variables) if key.startswith(LOOP) else None
        if loop is None:
            result[_filled_in(key, variables)] = _unrolled(child, values, variables)
            continue
        name, items, body = loop
        for item in items:
            inner = _unrolled(body, values, {**variables, name: item})
            result.update(inner)
    return result


def _loop(
    node: Json, values: Mapping[str, Json], variables: Mapping[str, str]
) -> tuple[str, list[str], dict[str, Json]] | None:
    """The identifier, the items and the body of a loop; None where it is malformed or its items are not known."""
    if not (isinstance(node, list) and len(node) == 3 and isinstance(node[0], str) and isinstance(node[2], dict)):
        return None
    collection = node[1]
    if isinstance(collection, dict) and len(collection) == 1 and isinstance(collection.get("Ref"), str):
        collection = values.get(collection["Ref"])
    if not isinstance(collection, list):
        return None
    items = [_unrolled(item, values, variables) for item in collection]
    return (node[0], items, node[2]) if all(isinstance(item, str) for item in items) else None


def _filled_in(text: str, variables: Mapping[str, str]) -> str:
    """`${Name}` and, without characters other than letters and digits, `&{Name}` replaced."""
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", value)
        text = text.replace(f"&{{{name}}}", re.sub("[^A-Za-z0-9]", "", value))
    return text
