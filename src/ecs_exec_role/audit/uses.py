"""Which definition is started with which role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ecs_exec_role.needs import definitions
from ecs_exec_role.offline import inference
from ecs_exec_role.template.conditions import ALWAYS, Guard
from ecs_exec_role.template.event import PROPERTY, mapping
from ecs_exec_role.template.reader import Reader

_ROLE_ARN = re.compile(r"arn:[^:]*:iam::[^:]*:role/(?:.*/)?(?P<name>[^/]+)", re.DOTALL)


class Use(NamedTuple):
    """One definition and the role it is started with.

    `role` is the logical ID of a role of this template; `outside` the text of a role that is not in it. Both are empty
    where the definition has no execution role; `path` is then the definition's own.
    """

    definition: str
    role: str
    outside: str
    guard: Guard
    path: str


def of_template(reader: Reader) -> Iterator[Use]:
    """Every use of an execution role in a template. Definitions that the macro serves already are not among them."""
    served = _served(reader)
    for name in inference.definitions_of(reader.template.fragment):
        if name in served:
            continue
        condition = reader.template.condition(name)
        given: Guard = ((condition, True),) if condition else ALWAYS
        found = False
        for holder, _ in definitions.holders(reader, name, given):
            node = holder.node.get(definitions.ROLE_PROPERTY)
            path = f"{holder.path}/{definitions.ROLE_PROPERTY}"
            for text in reader.text(node, holder.guard, path) if node is not None else ():
                found = True
                role = role_named(reader, text.text)
                yield Use(name, role, "" if role else text.text, text.guard, text.path)
        if not found:
            yield Use(name, "", "", given, f"Resources/{name}")


def _served(reader: Reader) -> set[str]:
    """The definitions that get their role from the macro."""
    found = set()
    for name, resource in reader.template.resources.items():
        properties = mapping(resource.get("Properties"))
        if PROPERTY in properties:
            found.add(name)
            for entry in mapping(properties[PROPERTY]).get("TaskDefinitions") or ():
                found.add(str(entry.get("Ref") if isinstance(entry, dict) else entry))
            if resource.get("Type") == definitions.ROLE:
                arn = reader.symbols.get_att(name, "Arn")
                for definition in inference.definitions_of(reader.template.fragment):
                    for holder, _ in definitions.holders(reader, definition):
                        texts = reader.text(holder.node.get(definitions.ROLE_PROPERTY))
                        if any(text.text == arn for text in texts):
                            found.add(definition)
    return found


def role_named(reader: Reader, text: str) -> str:
    """The logical ID of the template's role that an `ExecutionRoleArn` names; empty if it is none of them."""
    symbol = reader.symbols.sole(text)
    if symbol is not None:
        known = reader.template.type_of(symbol.name) == definitions.ROLE
        whole = symbol.kind == "Ref" or (symbol.kind == "GetAtt" and symbol.attribute == "Arn")
        return symbol.name if known and whole else ""
    match = _ROLE_ARN.fullmatch(text)
    if match is None:
        return ""
    symbol = reader.symbols.sole(match["name"])
    if symbol is not None:
        is_role = symbol.kind == "Ref" and reader.template.type_of(symbol.name) == definitions.ROLE
        return symbol.name if is_role else ""
    for name, resource in reader.template.resources.items():
        if resource.get("Type") == definitions.ROLE and "RoleName" in mapping(resource.get("Properties")):
            texts = reader.text(reader.template.properties(name)["RoleName"])
            if any(text.text == match["name"] for text in texts):
                return name
    return ""


def task_roles(reader: Reader) -> set[str]:
    """The roles of the template that containers run with, as `TaskRoleArn` or AWS Batch's `JobRoleArn`."""
    found = set()
    for name in inference.definitions_of(reader.template.fragment):
        for node in inference.values(reader.template.properties(name), ("TaskRoleArn", "JobRoleArn")):
            for text in reader.text(node):
                role = role_named(reader, text.text)
                if role:
                    found.add(role)
    return found
