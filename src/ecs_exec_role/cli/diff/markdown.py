"""The comparison as Markdown, for the reviewer of a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ecs_exec_role.cli.diff import sentences
from ecs_exec_role.cli.markup import code, plain
from ecs_exec_role.compare import changes
from ecs_exec_role.compare.changes import Comparison, GrantChange, RoleChange

if TYPE_CHECKING:
    from ecs_exec_role.deployed.narrowing import Narrowing

_TITLES = {
    "added": "added",
    "widened": "widened",
    "removed": "removed",
    "narrowed": "narrowed",
    "condition-changed": "other condition",
}


def write(found: Sequence[Comparison], narrowing: Narrowing | None = None) -> str:
    """The comparisons as one Markdown document."""
    lines = ["## Execution roles", ""]
    changed = [item for item in found if item.roles]
    if not changed:
        lines += ["No execution role changes.", ""]
    for lost in narrowing.lost if narrowing is not None else ():
        lines += [f"> **Warning**: {plain(str(lost))}", ""]
    if narrowing is not None and narrowing.unknown:
        lines += [f"> **Cannot tell** what running tasks need: {plain(narrowing.unknown)}", ""]
    for item in changed:
        lines += [f"### {code(item.after)} compared with {code(item.before)}", "", f"{changes.summary(item)}.", ""]
        for role in item.roles:
            lines.extend(_role(role))
    return "\n".join(lines)


def _role(role: RoleChange) -> Iterator[str]:
    yield f"#### {code(sentences.name(role))}{plain(sentences.about(role))}"
    yield ""
    for said in sentences.alarms(role):
        yield f"> **Warning**: {plain(said)}"
        yield ">"
        yield ""
    if role.grants:
        yield "| | Permission | Resource | Why |"
        yield "| --- | --- | --- | --- |"
    for change in role.grants:
        yield _row(change)
    if role.grants:
        yield ""
    for changed in role.properties:
        yield f"- {plain(sentences.property_changed(changed))}"
    for said in role.cannot_tell:
        yield f"- Cannot tell: {plain(said)}"
    if role.properties or role.cannot_tell:
        yield ""


def _row(change: GrantChange) -> str:
    deny = "**Deny** " if change.effect == "Deny" else ""
    permission = deny + "<br>".join(map(code, change.actions))
    on = code(change.resource)
    on += "".join(f"<br>where {code(said)}" for said in change.where)
    on += f"<br>if {code(change.when)}" if change.when else ""
    why = "<br>".join(map(plain, sentences.reasons(change)))
    return f"| {sentences.MARKS[change.kind]} {_TITLES[change.kind]} | {permission} | {on} | {why} |"
