"""A diagnosis for a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.diagnose import sentences
from ecs_exec_role.diagnose.reason import Reason, Remedy
from ecs_exec_role.offline import humanize, yaml_writer
from ecs_exec_role.offline.template_file import TemplateFile

if TYPE_CHECKING:
    from rich.console import Console

_INDENT = ("  ", "")
_NO_CHANGE = ("look", "find-key", "narrow-key", "look-elsewhere", "keep-reasons")
_COLOURS = {"certain": "bold red", "likely": "yellow", "unknown": "cyan"}


def show(console: Console, reasons: Sequence[Reason], template: TemplateFile | None) -> None:
    """Prints the reasons; the reason that explains most is the first."""
    for number, reason in enumerate(reasons):
        if number:
            terminal.paragraph(console, [])
        certainty = sentences.CERTAINTY[reason.certainty]
        times = f" ({humanize.count(reason.evidence.times, 'time')})" if reason.evidence.times > 1 else ""
        head = [(sentences.of_reason(reason), "bold"), (f"  [{reason.code}]{times}", "dim")]
        terminal.paragraph(console, head, [(f"{certainty}: ", _COLOURS[reason.certainty])], "  ")
        terminal.paragraph(console, [(sentences.MEANS[reason.code], "")], [_INDENT], _INDENT[0])
        if reason.evidence.truncated and reason.certainty == "unknown":
            cut = "The text was cut; `aws ecs describe-tasks` and CloudTrail have all of it."
            terminal.paragraph(console, [(cut, "dim")], [_INDENT], _INDENT[0])
        for name, value in sentences.facts(reason.evidence):
            _fact(console, name, value)
        _places(console, reason, template)
        for answer in reason.asked:
            said = "; ".join(part for part in (answer.what, answer.fix) if part)
            _fact(console, "AWS says", f"{answer.status}{f': {said}' if said else ''}")
        first = True
        for remedy in reason.remedy:
            _remedy(console, remedy, template, first=first)
            first = first and remedy.code in _NO_CHANGE


def _fact(console: Console, name: str, value: str) -> None:
    terminal.paragraph(console, [(value, "")], [(f"  {name + ':':<17}", "dim")], " " * 19)


def _places(console: Console, reason: Reason, template: TemplateFile | None) -> None:
    if template is None:
        return
    for place in reason.places:
        _fact(console, "needed by", f"{template.name}:{place.line}: {place.who}: {place.what}".removesuffix(": "))
    if reason.unplaced:
        said = sentences.UNPLACED[reason.unplaced].format(template=template.name)
        terminal.paragraph(console, [(said, "yellow")], [_INDENT], _INDENT[0])


def _remedy(console: Console, remedy: Remedy, template: TemplateFile | None, *, first: bool) -> None:
    said = sentences.of_remedy(remedy, first=first)
    where = f"{template.name}:{remedy.line}: {remedy.path}" if remedy.path and template is not None else ""
    if remedy.code in ("run", "look"):
        terminal.verbatim(console, [(f"  {said}: ", "bold"), (remedy.command, "green")])
        return
    place = (f"  ({where})" if where else "", "dim")
    terminal.paragraph(console, [(said, "bold"), place, (":" if _has(remedy) else "", "")], [_INDENT], _INDENT[0])
    if _has(remedy):
        for line in _written(remedy, template).splitlines():
            terminal.verbatim(console, [(f"      {line}", "green")])
    if remedy.command:
        terminal.verbatim(console, [("  Run: ", "bold"), (remedy.command, "green")])


def _has(remedy: Remedy) -> bool:
    return remedy.value is not None


def _written(remedy: Remedy, template: TemplateFile | None) -> str:
    """What to write: as YAML for a template, as JSON for AWS."""
    value = {remedy.key: remedy.value} if remedy.key else remedy.value
    if remedy.path and template is not None:
        return yaml_writer.write(value if isinstance(value, list) or remedy.key else [value])
    return json.dumps(value, indent=2, ensure_ascii=False)
