"""Which resource of a template waits for which, so that no policy makes a circular dependency."""

from __future__ import annotations

from collections.abc import Collection, Iterable, KeysView, Mapping

from ecs_exec_role.template.event import PROPERTY, Template, mapping
from ecs_exec_role.template.symbols import Json, references


class Graph:
    """The dependencies of a template's resources, with those that the new roles bring."""

    def __init__(self, template: Template, added: Mapping[str, Collection[str]]) -> None:
        """`added` has, for a logical ID, what it will refer to beyond what the template says now."""
        self._template = template
        self._added = added
        self._known: dict[str, set[str]] = {}

    @property
    def resources(self) -> KeysView[str]:
        """The logical IDs of the template's resources."""
        return self._template.resources.keys()

    def of(self, logical_id: str) -> set[str]:
        """What a resource waits for directly."""
        found = self._known.get(logical_id)
        if found is None:
            resource = self._template.resources.get(logical_id, {})
            properties = {name: node for name, node in mapping(resource.get("Properties")).items() if name != PROPERTY}
            found = references(properties) | set(depends_on(resource)) | set(self._added.get(logical_id, ()))
            self._known[logical_id] = found
        return found

    def reaches(self, starts: Iterable[str], goal: str) -> bool:
        """Whether any of `starts` is the goal or waits for it, however indirectly."""
        stack = list(starts)
        seen = set(stack)
        while stack:
            name = stack.pop()
            if name == goal:
                return True
            new = self.of(name) - seen
            seen |= new
            stack.extend(new)
        return False


def depends_on(resource: Mapping[str, Json]) -> list[str]:
    """A resource's `DependsOn`, always as a list."""
    value = resource.get("DependsOn")
    names = value if isinstance(value, list) else [value]
    return [name for name in names if isinstance(name, str)]
