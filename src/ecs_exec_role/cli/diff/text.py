"""The comparison for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.diff import sentences
from ecs_exec_role.cli.terminal import Line
from ecs_exec_role.compare import changes
from ecs_exec_role.compare.changes import Comparison, GrantChange, RoleChange

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {
    "added": "green",
    "widened": "bold yellow",
    "removed": "red",
    "narrowed": "cyan",
    "condition-changed": "yellow",
}


def show(console: Console, found: Iterable[Comparison]) -> None:
    """Prints the comparisons."""
    for item in found:
        terminal.paragraph(
            console, [(f"{item.before} → {item.after}: ", "dim"), (changes.summary(item), "bold")], rest="  "
        )
        for role in item.roles:
            for indent, line in _role(role):
                terminal.paragraph(console, line, [(" " * indent, "")], " " * (indent + 2))


def _role(role: RoleChange) -> Iterator[tuple[int, Line]]:
    yield (
        0,
        [
            (sentences.name(role), "bold"),
            (sentences.about(role), ""),
            (f"  line {role.line or role.before_line}", "dim"),
        ],
    )
    for said in sentences.alarms(role):
        yield 2, [("! ", "bold red"), (said, "")]
    for change in role.grants:
        yield from _grant(change)
    for changed in role.properties:
        yield 2, [("* ", "yellow"), (sentences.property_changed(changed), "")]
    for said in role.cannot_tell:
        yield 2, [("? ", "cyan"), (f"cannot tell: {said}", "")]


def _grant(change: GrantChange) -> Iterator[tuple[int, Line]]:
    mark = sentences.MARKS[change.kind]
    yield 2, [(f"{mark} ", _COLOURS[change.kind]), (sentences.granted(change), _COLOURS[change.kind])]
    for said in sentences.reasons(change):
        yield 6, [(said, "")]
