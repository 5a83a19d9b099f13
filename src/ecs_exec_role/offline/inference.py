"""What a template's definitions need, also if it does not use the macro yet."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from ecs_exec_role import pipeline
from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.features import CONTAINER_PROPERTIES
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.offline import macro_call
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.settings import NO_SETTINGS, Settings
from ecs_exec_role.template.event import MISSPELT, PROPERTY, is_read, mapping
from ecs_exec_role.template.symbols import Json, Symbols, references

_READ = (*CONTAINER_PROPERTIES, "Volumes", PROPERTY)


class Inferred(NamedTuple):
    """What definitions need. `plan` is None if they have mistakes, which are in `problems`.

    `readable` is what can be read in spite of these: the same as `plan` without mistakes, None if it is nothing.
    """

    definitions: tuple[str, ...]
    plan: RolePlan | None
    symbols: Symbols
    problems: tuple[Problem, ...] = ()
    readable: RolePlan | None = None


def definitions_of(data: Mapping[str, Any]) -> list[str]:
    """The logical IDs of what a template starts with an execution role."""
    resources = mapping(data.get("Resources"))
    return [name for name, node in resources.items() if mapping(node).get("Type") in definitions.TYPES]


def parameters(template: TemplateFile) -> dict[str, Mapping[str, Any]]:
    """The parameters that definitions refer to, on which needs may depend, and their declarations."""
    named: set[str] = set()
    for name in definitions_of(template.data):
        for node in values(mapping(template.data["Resources"][name]).get("Properties"), _READ):
            named |= references(node)
    declared = mapping(template.data.get("Parameters"))
    return {name: mapping(parameter) for name, parameter in declared.items() if name in named}


def defaults(template: TemplateFile, stack: StackValues) -> tuple[str, ...]:
    """The parameters on which needs may depend and of which only the default is known."""
    return tuple(
        name
        for name, declared in parameters(template).items()
        if name not in stack.values and "Default" in declared and is_read(declared)
    )


def has_spec(data: Mapping[str, Any]) -> bool:
    """Whether any resource of the template has an `ExecutionRoleSpec`, or is a call of the macro."""
    for node in mapping(data.get("Resources")).values():
        properties = mapping(mapping(node).get("Properties"))
        if PROPERTY in properties or mapping(properties.get("Fn::Transform")).get("Name") == macro_call.MACRO:
            return True
    return False


def mentions_spec(data: Mapping[str, Any]) -> bool:
    """Whether `ExecutionRoleSpec`, or a key that is nearly the same, is anywhere in a template: the macro judges it."""
    text = json.dumps(data)
    return f'"{PROPERTY}":' in text or MISSPELT.search(text) is not None


def infer(
    template: TemplateFile, stack: StackValues, names: Sequence[str], settings: Settings = NO_SETTINGS
) -> Inferred:
    """What one role for these definitions is granted by `Auto`; what is not known is left out.

    `settings` are those of the macro's owner: what they do not allow is a mistake.
    """
    fragment = {key: child for key, child in template.data.items() if key != "Transform"}
    try:
        event = macro_call.assumed_event(stack, template.data, fragment)
        plan, symbols, problems = pipeline.infer_readable(event, names, settings)
    except TemplateError as error:
        return Inferred(tuple(names), None, Symbols(), tuple(error.problems))
    return Inferred(tuple(names), None if problems else plan, symbols, problems, plan)


def values(node: Json, keys: Container[str]) -> Iterator[Json]:
    """The values of these keys, at any depth of `node`."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key in keys:
                yield child
            else:
                yield from values(child, keys)
    elif isinstance(node, list):
        for item in node:
            yield from values(item, keys)


def without(node: Json, *keys: str) -> Json:
    """A copy of `node` without these keys, at any depth."""
    if isinstance(node, dict):
        return {key: without(child, *keys) for key, child in node.items() if key not in keys}
    if isinstance(node, list):
        return [without(item, *keys) for item in node]
    return node
