"""A place in a template: the value there, the conditions under which it is reached, and its path.

Code that walks a template with a `Cursor` never writes a path by hand, so no message can have a wrong path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.conditions import ALWAYS, PathCondition, both, difference
from ecs_exec_role.template.reader import Alternative, Reader, is_intrinsic
from ecs_exec_role.template.symbols import Json


class Cursor(NamedTuple):
    """One place. `node` is None where there is no value; `path_condition` has the conditions of the place."""

    reader: Reader
    path_condition: PathCondition
    node: Json
    path: str

    @classmethod
    def of_resource(cls, reader: Reader, logical_id: str, path_condition: PathCondition = ALWAYS) -> Cursor:
        """The `Properties` of a resource."""
        return cls(reader, path_condition, reader.template.properties(logical_id), f"Resources/{logical_id}/Properties")

    def has(self, key: str) -> bool:
        """Whether this is a mapping with this key."""
        return isinstance(self.node, dict) and key in self.node

    def get(self, key: str, default: Json = None) -> Cursor:
        """The value of a key of this mapping: `default` if the key is missing or this is not a mapping."""
        reader, path_condition, node, path = self
        found = node.get(key, default) if isinstance(node, dict) else default
        return Cursor._make((reader, path_condition, found, f"{path}/{key}"))

    def entries(self) -> Iterator[Cursor]:
        """The value of each key of this mapping, in its order."""
        if isinstance(self.node, dict):
            for key, child in self.node.items():
                yield Cursor(self.reader, self.path_condition, child, f"{self.path}/{key}")

    def under(self, path_condition: PathCondition) -> Cursor | None:
        """The same place where `path_condition` holds too; None if that is impossible."""
        together = both(self.path_condition, path_condition)
        return None if together is None else self.given(together)

    def given(self, path_condition: PathCondition) -> Cursor:
        """The same place, reached under exactly these conditions."""
        return (
            self if path_condition == self.path_condition else Cursor(self.reader, path_condition, self.node, self.path)
        )

    def texts(self) -> list[Alternative]:
        """The texts that this place can have; see `Reader.text`. A reference to a missing resource is a problem."""
        reader, path_condition, node, path = self
        if isinstance(node, str):
            return reader.text(node, path_condition, path)
        return [] if node is None else reader.defined(reader.text(node, path_condition, path))

    def cases(self) -> Iterable[Cursor]:
        """The nodes that this place can have, without an `Fn::If` at their top; see `Reader.cases`."""
        reader, path_condition, node, path = self
        if not isinstance(node, dict) or len(node) != 1:
            return (self,)
        return (Cursor._make((reader, *case)) for case in reader.cases(node, path_condition, path))

    def items(self) -> Iterator[Cursor]:
        """The items of this list; see `Reader.each`."""
        reader, path_condition, node, path = self
        for case in reader.each(node, path_condition, path):
            yield Cursor._make((reader, *case))

    def mappings(self) -> Iterable[Cursor]:
        """The mappings that this place can have; anything else is a mistake. See `Reader.mappings`."""
        reader, path_condition, node, path = self
        if isinstance(node, dict) and len(node) > 1:
            reader.refuse_unexpanded(node, path)
            return (self,)
        return (Cursor._make((reader, *case)) for case in reader.mappings(node, path_condition, path))

    def mapping_items(self) -> Iterator[Cursor]:
        """The mappings in this list; an item that is anything else is a mistake."""
        reader, path_condition, node, path = self
        # Where another macro may change a mapping, each has to be looked at.
        if not isinstance(node, list) or reader.template.has_unexpanded:
            for item in self.items():
                yield from item.mappings()
            return
        reader.spend_on_items(len(node))
        for index, item in enumerate(node):
            there = Cursor._make((reader, path_condition, item, f"{path}/{index}"))
            if isinstance(item, dict) and len(item) > 1:
                yield there
            elif isinstance(item, dict):
                for case in reader.item(item, path_condition, there.path):
                    yield from Cursor._make((reader, *case)).mappings()
            else:
                yield from there.mappings()

    def absences(self) -> list[PathCondition]:
        """The conditions under which the place is reached and has no value."""
        if self.node is None:
            return [self.path_condition]
        if not _may_be_absent(self.node):
            return []
        covered = [case.path_condition for case in self.cases() if case.node is not None]
        return difference(self.path_condition, covered)

    def or_else(self, node: Json) -> Sequence[Cursor]:
        """This place, and `node` under each condition under which the place has no value, as the default of it."""
        default = [Cursor._make((self.reader, path_condition, node, self.path)) for path_condition in self.absences()]
        return default if self.node is None else [self, *default]

    def is_intrinsic(self) -> bool:
        """Whether the value is an intrinsic function."""
        return is_intrinsic(self.node)


def _may_be_absent(node: Json) -> bool:
    """Whether a node, or a branch of its `Fn::If`s, is no value."""
    if isinstance(node, dict) and len(node) == 1:
        [(name, argument)] = node.items()
        if name == "Fn::If" and isinstance(argument, list):
            return any(map(_may_be_absent, argument[1:]))
        return name == "Ref" and bool(argument == "AWS::NoValue")
    return node is None
