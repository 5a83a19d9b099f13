"""The audit for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ecs_exec_role.audit.report import RoleAudit
from ecs_exec_role.cli import terminal
from ecs_exec_role.offline import humanize, yaml_writer

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {"lacking": "bold red", "excess": "yellow", "too-wide": "yellow", "unknown": "cyan"}
_NAMES = {"lacking": "lacking", "excess": "excess", "too-wide": "too wide", "unknown": "cannot tell"}


def show(console: Console, audits: Iterable[RoleAudit]) -> None:
    """Prints the audits."""
    total = dict.fromkeys(_NAMES, 0)
    count = 0
    for audit in audits:
        count += 1
        who = f" of {', '.join(audit.definitions)}" if audit.definitions else ""
        head = (
            f"{audit.role}, the execution role{who}" if audit.role and who else audit.role or f"no execution role{who}"
        )
        defaults = "".join(f" ({said})" for said in humanize.with_defaults(audit.defaults))
        place = (f"{audit.template}:{audit.line}: ", "dim")
        terminal.paragraph(console, [(head, "bold"), (defaults, "dim")], [place], "  ")
        for found in audit.findings:
            total[found.kind] += 1
            line = [(f"line {found.line}: {found.what}; {found.fix}", "")]
            if found.needed_in_lines and found.kind in ("too-wide", "unknown"):
                line.append((f"  (needed in {humanize.lines(found.needed_in_lines)})", "dim"))
            terminal.paragraph(console, line, [(f"  {_NAMES[found.kind]:<12}", _COLOURS[found.kind])], " " * 14)
        for starter in audit.starters:
            if starter.answer == "yes":
                may = f"the {starter.kind} {starter.starter} may pass the roles of {starter.definition} to ECS"
                terminal.paragraph(console, [(may, "")], [("  may start   ", "green")], " " * 14)
        if not audit.findings:
            fine = [("it grants exactly what its tasks need", "")]
            terminal.paragraph(console, fine, [("  fine        ", "green")], " " * 14)
        elif audit.replacement:
            terminal.paragraph(console, [("  the spec that replaces it:", "dim")])
            for path, spec in audit.replacement.items():
                above, _, key = path.rpartition("/")
                if key.isdecimal():
                    # An item of a list, such as a branch of Fn::If, has no key of its own.
                    above, written = path, yaml_writer.write(spec)
                else:
                    written = yaml_writer.write({key: spec})
                written = written.rstrip().replace("\n", "\n      ")
                terminal.verbatim(console, [(f"    {above}:\n      ", ""), (written, "green")])
    if not count:
        terminal.paragraph(console, [("no execution role to audit", "")])
    elif any(total.values()):
        said = ", ".join(f"{number} {_NAMES[kind]}" for kind, number in total.items() if number)
        terminal.paragraph(console, [(f"{humanize.count(count, 'role')}: {said}", "bold")])
