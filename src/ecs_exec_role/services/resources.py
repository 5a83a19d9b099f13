"""A template's own resources, found by the name that they give themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative, Reader


def named(reader: Reader, resource_type: str, name_property: str, name: str) -> Iterator[tuple[str, PathCondition]]:
    """The logical IDs of the resources of a type that give themselves this name, and under which conditions they do.

    Args:
        reader: reads the template.
        resource_type: the type.
        name_property: the property in which the type names its resources.
        name: symbolic text.
    """
    for logical_id, text in names_of(reader, resource_type, name_property).get(reader.known(name) or name, ()):
        yield logical_id, text.path_condition


def names_of(reader: Reader, resource_type: str, name_property: str) -> Mapping[str, Sequence[tuple[str, Alternative]]]:
    """The names that the resources of a type give themselves, each with the logical IDs that do, and as it is written.

    What is known of the stack is filled into a name if nothing else in it is unknown.
    """
    found = reader.names.get((resource_type, name_property))
    if found is None:
        found = reader.names[resource_type, name_property] = {}
        with reader.problems.aside():  # What is wrong with that resource is for CloudFormation to say.
            for logical_id in reader.template.by_type.get(resource_type, ()):
                cursor = Cursor.of_resource(reader, logical_id, reader.template.path_condition_of(logical_id))
                for text in cursor.get(name_property).texts():
                    found.setdefault(reader.known(text.text) or text.text, []).append((logical_id, text))
    return found
