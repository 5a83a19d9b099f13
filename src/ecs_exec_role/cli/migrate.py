"""The command `migrate`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from ecs_exec_role.audit.report import Found
from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.base import FINDINGS, Command
from ecs_exec_role.cli.options import read_all, stack_options, templates_argument, unrolled
from ecs_exec_role.migrate import plan
from ecs_exec_role.migrate.plan import Migration
from ecs_exec_role.offline import humanize
from ecs_exec_role.offline.macro_call import StackValues, includes_left
from ecs_exec_role.offline.template_file import STDIN, TemplateFile
from ecs_exec_role.template.symbols import NO_VALUE, Json

_CHANGES = {"excess": "removed", "too-wide": "narrowed", "lacking": "added", "unknown": "check"}


@click.command(
    "migrate",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role migrate template.yaml --diff
  ecs-exec-role migrate template.yaml > migrated.yaml
  ecs-exec-role migrate 'stacks/*.yaml' --write
  ecs-exec-role migrate template.yaml --keep-roles --diff

\b
Exit codes: 0 migrated, or nothing to migrate; 1 something was not changed, with the reason; 2 wrong usage.""",
)
@templates_argument
@stack_options
@click.option("--keep-roles", is_flag=True, help="Keep each role and its logical ID; the spec is written on the role.")
@click.option(
    "--all", "every", is_flag=True, help="Also definitions whose role is elsewhere, or that have none and need one."
)
@click.option("--write", is_flag=True, help="Change the files instead of writing to standard output.")
@click.option("--diff", is_flag=True, help="Write what would change instead of the whole template.")
def command(
    arguments: tuple[str, ...], stack: StackValues, keep_roles: bool, every: bool, write: bool, diff: bool
) -> None:
    """Rewrite a template to use the macro, and say what access that removes.

    ExecutionRoleSpec replaces hand-written execution roles, and `Transform: EcsExecRole` is added. Everything else
    in TEMPLATE, also comments and layout, is not changed. A role that something else refers to, or that has a
    name, keeps its logical ID and gets the spec. Standard error lists what is removed, narrowed, kept and added.
    """
    if write and diff:
        raise click.UsageError("--write and --diff cannot be used together")
    if write and STDIN in arguments:
        raise click.UsageError("--write needs files, not standard input")
    found = read_all(arguments, stack, as_written=True)
    if len(found) > 1 and not (write or diff):
        raise click.UsageError("several templates need --write or --diff")
    left = False
    for template in found:
        unrolled(template, stack)
        for warning in includes_left(template.data):
            terminal.warn(template, warning)
        migration = plan.migrate(template, stack, keep_roles=keep_roles, every=every)
        for line in _told(template, migration):
            terminal.tell(line)
        left = left or bool(migration.left)
        if diff:
            terminal.write("".join(_diff(template, migration.template)))
        elif not write:
            terminal.write(migration.template.text)
        elif migration.steps:
            _save(template.name, migration.template.text)
    if left:
        raise click.exceptions.Exit(FINDINGS)


def _told(template: TemplateFile, migration: Migration) -> Iterator[str]:
    if not migration.steps and not migration.left:
        yield f"{template.name}: nothing to migrate"
    for step in migration.steps:
        yield f"{template.name}:{step.line}: {step.said}"
        for found in step.findings:
            yield f"  {_CHANGES[found.kind]:<9} line {found.line}: {found.what}{_after(found)}"
        for path in step.denied:
            what = "a Deny statement; the new role allows nothing that it denies"
            yield f"  {'removed':<9} line {template.line(path)}: {what}"
        for path in step.kept_denials:
            what = "a Deny statement stays in Statements, since it may deny what the new role allows"
            yield f"  {'kept':<9} line {template.line(path)}: {what}"
        for value in step.open_values:
            yield (
                f"  {'check':<9} line {value.line}: {value.what}; `Unresolved: Ignore` is added, "
                f"so the new role only has for it what is kept in Statements"
            )
        if step.unknown_parameters:
            names = step.unknown_parameters
            values = " ".join(f"--parameter {name}=…" for name in names)
            said = f"the macro reads the value of {', '.join(names)} at deployment; give {values} to see the result now"
            yield f"  {'check':<9} {said}"
    for left in migration.left:
        yield str(left.mistake)
    for brought in migration.brought if migration.steps else ():
        yield str(brought)
    for said in humanize.with_defaults(migration.defaults) if migration.steps else ():
        yield f"{template.name}: this is the result {said}; the macro reads the values at deployment"
    if migration.steps:
        yield f"{template.name}: {humanize.count(len(migration.steps), 'role')} migrated; {_counted(migration)}"


def _counted(migration: Migration) -> str:
    """The numbers of grants (one action on one resource) that are removed, narrowed, kept and added."""
    counts = dict.fromkeys(("removed", "narrowed", "kept", "added"), 0)
    for found in (found for step in migration.steps for found in step.findings):
        grants = max(1, len(found.actions)) if found.granted else len(found.actions)
        if found.may_be_needed:
            counts["kept"] += grants
        elif found.kind in ("excess", "too-wide", "lacking"):
            counts[_CHANGES[found.kind]] += grants
    return f"{humanize.count(counts.pop('removed'), 'grant')} removed, " + ", ".join(
        f"{number} {name}" for name, number in counts.items()
    )


def _after(found: Found) -> str:
    """What the macro does about a finding."""
    kept = ", ".join(dict.fromkeys(action for action in _actions(found.may_be_needed)))
    where = "the policy stays attached" if plan.stays_attached(found) else f"{kept} stays in Statements"
    stays = f"{where}: check whether it is needed" if kept else ""
    if found.kind == "too-wide" and found.statements:
        return f"; {found.fix}" + (f"; {stays}" if stays else "")
    return f"; {stays}" if stays else ""


def _actions(statements: Iterable[Json]) -> Iterator[str]:
    for statement in statements:
        if statement == NO_VALUE:
            continue
        if "Fn::If" in statement:
            yield from _actions(statement["Fn::If"][1:])
        else:
            listed = statement.get("Action", statement.get("NotAction"))
            yield from listed if isinstance(listed, list) else [listed]


def _diff(before: TemplateFile, after: TemplateFile) -> Iterator[str]:
    lines = difflib.unified_diff(
        before.text.splitlines(keepends=True), after.text.splitlines(keepends=True), before.name, before.name
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _save(name: str, text: str) -> None:
    """Writes a file with the same line ends as before."""
    path = Path(name)
    raw = path.read_bytes()
    mark = "\ufeff" if raw.startswith(b"\xef\xbb\xbf") else ""
    try:
        path.write_bytes((mark + text).encode("utf-8"))
    except OSError as error:
        raise click.UsageError(f"cannot write {name}: {error.strerror}") from None
