"""A place in a template: the value there, the conditions under which it is reached, and its path.

Whoever walks a template with a `Cursor` never writes a path by hand, so that no message can name a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ecs_exec_role.template.conditions import ALWAYS, Guard, both, remaining
from ecs_exec_role.template.reader import Alternative, Reader, is_intrinsic
from ecs_exec_role.template.symbols import Json


class Cursor(NamedTuple):
    """One place. `node` is None where there is no value; `guard` are the conditions under which it is reached."""

    reader: Reader
    guard: Guard
    node: Json
    path: str

    @classmethod
    def of_resource(cls, reader: Reader, logical_id: str, guard: Guard = ALWAYS) -> Cursor:
        """The `Properties` of a resource."""
        return cls(reader, guard, reader.template.properties(logical_id), f"Resources/{logical_id}/Properties")

    def has(self, key: str) -> bool:
        """Whether this is a mapping with this key."""
        return isinstance(self.node, dict) and key in self.node

    def get(self, key: str, default: Json = None) -> Cursor:
        """The value of a key of this mapping: `default`, if there is none or this is not a mapping."""
        node = self.node.get(key, default) if isinstance(self.node, dict) else default
        return Cursor(self.reader, self.guard, node, f"{self.path}/{key}")

    def entries(self) -> Iterator[Cursor]:
        """The value of each key of this mapping, in its order."""
        if isinstance(self.node, dict):
            for key, child in self.node.items():
                yield Cursor(self.reader, self.guard, child, f"{self.path}/{key}")

    def under(self, guard: Guard) -> Cursor | None:
        """The same place where `guard` holds too; None where that is never so."""
        together = both(self.guard, guard)
        return None if together is None else self.given(together)

    def given(self, guard: Guard) -> Cursor:
        """The same place, reached under exactly these conditions."""
        return self if guard == self.guard else Cursor(self.reader, guard, self.node, self.path)

    def texts(self) -> list[Alternative]:
        """The texts that can stand here; see `Reader.text`."""
        return self.reader.text(self.node, self.guard, self.path)

    def cases(self) -> Iterator[Cursor]:
        """The nodes that can stand here, with no `Fn::If` at their top; see `Reader.cases`."""
        reader = self.reader
        for guard, node, path in reader.cases(self.node, self.guard, self.path):
            yield Cursor(reader, guard, node, path)

    def items(self) -> Iterator[Cursor]:
        """The items of this list; see `Reader.each`."""
        reader = self.reader
        for guard, node, path in reader.each(self.node, self.guard, self.path):
            yield Cursor(reader, guard, node, path)

    def mappings(self) -> Iterator[Cursor]:
        """The mappings that can stand here; anything else is a mistake. See `Reader.mappings`."""
        reader = self.reader
        if isinstance(self.node, dict) and len(self.node) > 1:
            reader.refuse_unexpanded(self.node, self.path)
            yield self
            return
        for guard, node, path in reader.mappings(self.node, self.guard, self.path):
            yield Cursor(reader, guard, node, path)

    def mapping_items(self) -> Iterator[Cursor]:
        """The mappings in this list; an item that is anything else is a mistake. See `Reader.each_mapping`."""
        reader = self.reader
        for guard, node, path in reader.each_mapping(self.node, self.guard, self.path):
            yield Cursor(reader, guard, node, path)

    def absences(self) -> list[Guard]:
        """Under which conditions nothing stands here, though the place is reached."""
        covered = [case.guard for case in self.cases() if case.node is not None]
        return remaining(self.guard, covered)

    def is_intrinsic(self) -> bool:
        """Whether an intrinsic function stands here."""
        return is_intrinsic(self.node)
