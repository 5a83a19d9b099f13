"""A diagnosis for a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ecs_exec_role.cli.diagnose import sentences
from ecs_exec_role.diagnose.reason import Reason, Remedy
from ecs_exec_role.offline import humanize, yaml_writer
from ecs_exec_role.offline.template_file import TemplateFile

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {"certain": "bold red", "likely": "yellow", "unknown": "cyan"}


def show(console: Console, reasons: Sequence[Reason], template: TemplateFile | None) -> None:
    """Prints the reasons, the one that explains most first."""
    from rich.text import Text  # noqa: PLC0415 - only this format needs it

    for number, reason in enumerate(reasons):
        if number:
            console.print(Text(""))
        certainty = sentences.CERTAINTY[reason.certainty]
        times = f" ({humanize.count(reason.evidence.times, 'time')})" if reason.evidence.times > 1 else ""
        console.print(
            Text.assemble(
                (f"{certainty}: ", _COLOURS[reason.certainty]),
                (sentences.of_reason(reason), "bold"),
                (f"  [{reason.code}]{times}", "dim"),
            )
        )
        console.print(Text(f"  {sentences.MEANS[reason.code]}"))
        if reason.evidence.truncated and reason.certainty == "unknown":
            console.print(Text("  The text was cut; `aws ecs describe-tasks` and CloudTrail have all of it.", "dim"))
        for name, value in sentences.facts(reason.evidence):
            console.print(Text.assemble((f"  {name + ':':<17}", "dim"), value))
        _places(console, reason, template)
        for answer in reason.asked:
            said = "; ".join(part for part in (answer.what, answer.fix) if part)
            console.print(
                Text.assemble(("  AWS says:        ", "dim"), f"{answer.status}{f': {said}' if said else ''}")
            )
        for remedy in reason.remedy:
            _remedy(console, remedy, template)


def _places(console: Console, reason: Reason, template: TemplateFile | None) -> None:
    from rich.text import Text  # noqa: PLC0415

    if template is None:
        return
    for place in reason.places:
        where = f"{template.name}:{place.line}: {place.who}: {place.what}".removesuffix(": ")
        console.print(Text.assemble(("  asked for in:    ", "dim"), where))
    if reason.unplaced:
        console.print(Text(f"  {sentences.UNPLACED[reason.unplaced].format(template=template.name)}", "yellow"))


def _remedy(console: Console, remedy: Remedy, template: TemplateFile | None) -> None:
    from rich.text import Text  # noqa: PLC0415

    said = sentences.of_remedy(remedy)
    where = f"{template.name}:{remedy.line}: {remedy.path}" if remedy.path and template is not None else ""
    if remedy.code in ("run", "look"):
        console.print(Text.assemble((f"  {said}: ", "bold"), (remedy.command, "green")))
        return
    console.print(
        Text.assemble((f"  {said}", "bold"), (f"  ({where})" if where else "", "dim"), ":" if _has(remedy) else "")
    )
    if _has(remedy):
        for line in _written(remedy, template).splitlines():
            console.print(Text(f"      {line}", "green"))
    if remedy.command:
        console.print(Text.assemble(("  Run: ", "bold"), (remedy.command, "green")))


def _has(remedy: Remedy) -> bool:
    return remedy.value is not None


def _written(remedy: Remedy, template: TemplateFile | None) -> str:
    """What is to be written: in a template as YAML, for AWS as JSON."""
    value = {remedy.key: remedy.value} if remedy.key else remedy.value
    if remedy.path and template is not None:
        return yaml_writer.write(value if isinstance(value, list) or remedy.key else [value])
    return json.dumps(value, indent=2, ensure_ascii=False)
