"""The position of each value of a template in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ecs_exec_role.template.symbols import Json


@dataclass(slots=True)
class SourcePosition:
    """The place of one node of a template.

    `line` and `column` count from 1 and are those of a mapping's key or a list's item. The offsets count characters of
    the file: `start` is where key or item begin, `value` where the value does, `end` where it ends (at the latest: a
    block may run on over blank lines and comments). `block`: it is a mapping or list in YAML's block style.
    """

    line: int
    column: int
    start: int
    value: int
    end: int
    block: bool = False
    children: dict[str, SourcePosition] = field(default_factory=dict)


def locate(root: SourcePosition, path: str) -> tuple[SourcePosition, str]:
    """The position of `path` (`Resources/Task/Properties/…`), and the part of the path that could not be followed.

    A key can contain slashes itself, so at each mapping the longest key that matches is used. If the path leads to
    something that does not exist, such as a missing key, the result is the nearest position above.
    """
    place = root
    rest = path
    while rest:
        key = rest.partition("/")[0]
        if key not in place.children:
            fitting = [name for name in place.children if "/" in name and (rest == name or rest.startswith(f"{name}/"))]
            if not fitting:
                break
            key = max(fitting, key=len)
        place = place.children[key]
        rest = rest[len(key) + 1 :]
    return place, rest


def value_at(data: Json, path: str) -> Json:
    """The value at a path of a template; None if there is none."""
    for step in path.split("/"):
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data
