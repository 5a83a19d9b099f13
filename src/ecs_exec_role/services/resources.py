"""A template's own resources, found by the name that they give themselves."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.template.conditions import Guard
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Reader


def named(reader: Reader, resource_type: str, name_property: str, name: str) -> Iterator[tuple[str, Guard]]:
    """The logical IDs of the resources of a type that give themselves this name, and under which conditions they do.

    Args:
        reader: reads the template.
        resource_type: the type.
        name_property: the property in which the type names its resources.
        name: symbolic text.
    """
    wanted = reader.known(name) or name
    with reader.problems.aside():  # What is wrong with that resource is for CloudFormation to say.
        for logical_id in reader.template.by_type.get(resource_type, ()):
            cursor = Cursor.of_resource(reader, logical_id, reader.template.guard_of(logical_id))
            for text in cursor.get(name_property).texts():
                if text.text == name or (reader.known(text.text) or text.text) == wanted:
                    yield logical_id, text.guard
