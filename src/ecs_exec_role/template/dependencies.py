"""Which resources of a template wait for which others, so that no policy makes a circular dependency."""

from __future__ import annotations

from collections.abc import KeysView, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property

from ecs_exec_role.template.event import PROPERTY, Template
from ecs_exec_role.template.symbols import references


class Graph:
    """The dependencies of a template's resources, with those that the new roles bring."""

    def __init__(self, template: Template, added: Mapping[str, AbstractSet[str]]) -> None:
        """`added` has, for a logical ID, what the expanded resource refers to and the template does not show yet."""
        self._template = template
        self._added = added
        self._waits: dict[str, set[str]] = {}
        self._named: dict[str, set[str]] = {}
        self._reached: dict[str, int] = {}

    @property
    def resources(self) -> KeysView[str]:
        """The logical IDs of the template's resources."""
        return self._template.resources.keys()

    def added_to(self, logical_id: str) -> AbstractSet[str]:
        """What the expanded resource refers to and the template does not show yet."""
        return self._added.get(logical_id, frozenset())

    def named_in(self, logical_id: str) -> set[str]:
        """The names to which the properties of a resource refer."""
        found = self._named.get(logical_id)
        if found is None:
            properties = self._template.properties(logical_id)
            found = self._named[logical_id] = references(
                [node for name, node in properties.items() if name != PROPERTY]
            )
        return found

    def reaches(self, starts: AbstractSet[str], goal: str) -> bool:
        """Whether any of `starts` is the goal or waits for it, directly or indirectly."""
        if goal in starts:
            return True
        bits, reached = self._bits, self._reached
        bit = bits.get(goal, 0)
        for name in starts:
            if name in bits and name not in reached:
                self._follow(name)
            if name in reached and reached[name] & bit:
                return True
        return False

    @cached_property
    def _bits(self) -> dict[str, int]:
        """A bit for each name that anything can wait for."""
        return {name: 1 << index for index, name in enumerate(dict.fromkeys([*self.resources, *self._added]))}

    def _waits_for(self, logical_id: str) -> set[str]:
        """What a resource waits for directly: resources of the template, and new roles."""
        found = self._waits.get(logical_id)
        if found is None:
            names = self.named_in(logical_id) | self.added_to(logical_id)
            value = self._template.resources.get(logical_id, {}).get("DependsOn")
            listed = value if isinstance(value, list) else [value]
            names.update([name for name in listed if isinstance(name, str)])
            found = self._waits[logical_id] = names & self._bits.keys()
        return found

    def _follow(self, start: str) -> None:
        """Finds everything that a resource waits for, as a set of bits, and the same for each resource in between.

        Resources that wait for each other wait for the same ones. They are found together, and after all that they wait
        for, by Tarjan's algorithm; so each dependency is read once, for any number of questions.
        """
        reached = self._reached
        children = self._waits_for(start)
        if not children:
            reached[start] = 0
            return
        order: dict[str, int] = {start: 0}
        lowest: dict[str, int] = {start: 0}
        component: list[str] = [start]
        path = [(start, iter(children))]
        while path:
            name, following = path[-1]
            for child in following:
                if child in reached:
                    continue
                if child not in order:
                    order[child] = lowest[child] = len(order)
                    component.append(child)
                    path.append((child, iter(self._waits_for(child))))
                    break
                lowest[name] = min(lowest[name], order[child])
            else:
                path.pop()
                if path:
                    before = path[-1][0]
                    lowest[before] = min(lowest[before], lowest[name])
                if lowest[name] == order[name]:
                    self._close(component, name)

    def _close(self, component: list[str], first: str) -> None:
        """Removes a group of resources that wait for each other, which begins with `first`, from the open ones."""
        index = component.index(first)
        members = component[index:]
        del component[index:]
        bits = 0
        for member in members:
            for child in self._waits_for(member):
                bits |= self._bits[child] | self._reached.get(child, 0)
        self._reached.update(dict.fromkeys(members, bits))
