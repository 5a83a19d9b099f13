"""The audit for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ecs_exec_role.audit.report import RoleAudit
from ecs_exec_role.offline import humanize, yaml_writer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLOURS = {"lacking": "bold red", "excess": "yellow", "too-wide": "yellow", "unknown": "cyan"}
_NAMES = {"lacking": "lacking", "excess": "excess", "too-wide": "too wide", "unknown": "cannot tell"}


def show(console: Console, audits: Iterable[RoleAudit]) -> None:
    """Prints the audits."""
    from rich.text import Text  # noqa: PLC0415 - only this format needs it

    total = dict.fromkeys(_NAMES, 0)
    count = 0
    for audit in audits:
        count += 1
        who = f" of {', '.join(audit.definitions)}" if audit.definitions else ""
        head = (
            f"{audit.role}, the execution role{who}" if audit.role and who else audit.role or f"no execution role{who}"
        )
        defaults = "".join(f" ({said})" for said in humanize.with_defaults(audit.defaults))
        console.print(Text.assemble((f"{audit.template}:{audit.line}: ", "dim"), (head, "bold"), (defaults, "dim")))
        for found in audit.findings:
            total[found.kind] += 1
            kind = Text(f"  {_NAMES[found.kind]:<12}", _COLOURS[found.kind])
            text = Text(f"line {found.line}: {found.what}; {found.fix}")
            if found.needed_in_lines and found.kind in ("too-wide", "unknown"):
                lines = ", ".join(map(str, found.needed_in_lines))
                text.append(f"  (needed in line {lines})", "dim")
            _hanging(console, kind, text)
        for starter in audit.starters:
            if starter.answer == "yes":
                may = f"{starter.kind} {starter.starter} may pass the roles of {starter.definition} to ECS"
                console.print(Text.assemble("  ", ("may start  ", "green"), f" the {may}"))
        if not audit.findings:
            console.print(
                Text.assemble("  ", ("fine       ", "green"), " it is granted what its tasks need, and no more")
            )
        elif audit.replacement:
            console.print(Text("  the spec that takes its place:", "dim"))
            for path, spec in audit.replacement.items():
                written = yaml_writer.write({path.rpartition("/")[2]: spec}).rstrip().replace("\n", "\n      ")
                console.print(Text.assemble(f"    {path.rpartition('/')[0]}:\n      ", (written, "green")))
    if not count:
        console.print(Text("no execution role to audit"))
    elif any(total.values()):
        said = ", ".join(f"{number} {_NAMES[kind]}" for kind, number in total.items() if number)
        console.print(Text(f"{humanize.count(count, 'role')}: {said}", "bold"))


def _hanging(console: Console, head: Text, text: Text) -> None:
    """Prints a head and its text, whose further lines stand below the text if a terminal makes several of it."""
    if not console.is_terminal:
        console.print(head.append_text(text))
        return
    from rich.table import Table  # noqa: PLC0415 - only a terminal needs it

    grid = Table.grid(padding=0)
    grid.add_row(head, text)
    console.print(grid)
