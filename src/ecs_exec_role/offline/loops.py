"""Expands `Fn::ForEach` loops as `AWS::LanguageExtensions` does before the macro gets a template.

Only loops whose collection is known here are expanded: a literal list, a list parameter with a value, or a list of a
mapping.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.offline.source_map import SourcePosition
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.template.budget import current, limited
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.symbols import Json

LOOP = "Fn::ForEach::"
_MAPPINGS = "Fn::FindInMap"
"""Where the mappings of the template are among the values: no parameter has this name."""


def unrolled(data: Mapping[str, Any], values: Mapping[str, Json]) -> dict[str, Json]:
    """A template with the loops of its sections expanded where that is possible here.

    Args:
        data: the template.
        values: `templateParameterValues`; a list parameter's value is a list.

    Raises:
        TemplateError: the loops expand to more than can be read.
    """
    if not _has_loop(data):
        return dict(data)
    known = {**values, _MAPPINGS: data.get("Mappings")}
    try:
        with limited():
            return {key: _unrolled(child, known, {}) for key, child in data.items()}
    except TemplateError:
        what = "has loops that expand to more than can be read"
        fix = "use shorter lists in Fn::ForEach, or fewer nested loops"
        raise TemplateError([Problem("Resources", what, fix, "too-large")]) from None


def _has_loop(data: Json) -> bool:
    """Whether there is a loop anywhere in a template."""
    stack = [data]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if any(str(key).startswith(LOOP) for key in node):
                return True
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return False


def unrolled_file(template: TemplateFile, values: Mapping[str, Json]) -> TemplateFile:
    """The same for a template file; each resource that a loop makes has the position of the loop's body.

    Raises:
        TemplateError: the loops expand to more than can be read.
    """
    data = unrolled(template.data, values)
    place = template.place.children.get("Resources")
    loops = {key: node for key, node in mapping(template.data.get("Resources")).items() if key.startswith(LOOP)}
    if not loops or place is None:
        return template._replace(data=data)
    children = dict(place.children)
    for key, node in loops.items():
        if key in place.children:
            known = {**values, _MAPPINGS: template.data.get("Mappings")}
            children.update(_made(node, place.children[key], known, {}))
    resources = replace(place, children=children)
    root = replace(template.place, children={**template.place.children, "Resources": resources})
    return template._replace(data=data, place=root)


def _made(
    node: Json, place: SourcePosition, values: Mapping[str, Json], variables: Mapping[str, str]
) -> Iterator[tuple[str, SourcePosition]]:
    """The keys that a loop makes, and where the body of each is."""
    loop = _loop(node, values, variables)
    body = place.children.get("2")
    if loop is None or body is None:
        return
    name, items, inner = loop
    for item in items:
        here = {**variables, name: item}
        for key, child in inner.items():
            if key.startswith(LOOP):
                yield from _made(child, body.children[key], values, here)
            else:
                yield _filled_in(key, here), body.children[key]


def _unrolled(node: Json, values: Mapping[str, Json], variables: Mapping[str, str]) -> Json:
    current().spend()
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
    """The identifier, the items and the body of a loop; None if it is malformed or its items are not known."""
    if not (isinstance(node, list) and len(node) == 3 and isinstance(node[0], str) and isinstance(node[2], dict)):
        return None
    collection = _value(_unrolled(node[1], values, variables), values)
    if not isinstance(collection, list):
        return None
    items = [_unrolled(item, values, variables) for item in collection]
    return (node[0], items, node[2]) if all(isinstance(item, str) for item in items) else None


def _value(node: Json, values: Mapping[str, Json]) -> Json:
    """What a `Ref` to a parameter or an `Fn::FindInMap` gives; None where that is not known."""
    if not isinstance(node, dict):
        return node
    if len(node) == 1 and isinstance(node.get("Ref"), str):
        return values.get(node["Ref"])
    keys = node.get("Fn::FindInMap")
    found: Json = values.get(_MAPPINGS)
    for key in keys if len(node) == 1 and isinstance(keys, list) and len(keys) == 3 else ():
        known = _value(key, values)
        found = mapping(found).get(known) if isinstance(known, str) else None
    return None if found is values.get(_MAPPINGS) else found


def _filled_in(text: str, variables: Mapping[str, str]) -> str:
    """A text with `${Name}` replaced, and with `&{Name}` replaced by the letters and digits of the value."""
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", value)
        text = text.replace(f"&{{{name}}}", re.sub("[^A-Za-z0-9]", "", value))
        current().read(len(text))
    return text
