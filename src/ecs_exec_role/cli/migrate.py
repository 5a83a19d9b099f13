"""The command `migrate`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import click

from ecs_exec_role.audit.report import Found
from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.errors import FINDINGS, Command
from ecs_exec_role.cli.options import read_all, stack_options, templates_argument
from ecs_exec_role.migrate import plan
from ecs_exec_role.migrate.plan import Migration
from ecs_exec_role.offline import humanize
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.template_file import STDIN, TemplateFile

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
Exit codes: 0 migrated, or nothing to migrate; 1 something was left as it is, and why is said; 2 wrong usage.""",
)
@templates_argument
@stack_options
@click.option("--keep-roles", is_flag=True, help="Keep each role and its logical ID; the spec goes onto the role.")
@click.option(
    "--all", "every", is_flag=True, help="Also definitions whose role is elsewhere, or that have none and need one."
)
@click.option("--write", is_flag=True, help="Change the files, rather than write to standard output.")
@click.option("--diff", is_flag=True, help="Write what would change, rather than the whole template.")
def command(
    arguments: tuple[str, ...], stack: StackValues, keep_roles: bool, every: bool, write: bool, diff: bool
) -> None:
    """Rewrite a template to use the macro, and say what access that takes away.

    Hand-written execution roles give way to ExecutionRoleSpec, and `Transform: EcsExecRole` is added. Everything else
    in TEMPLATE, comments and layout too, stays as it was typed. A role that something else refers to, or that has a
    name, stays under its logical ID and gets the spec. What is removed, narrowed and added is told on standard error.
    """
    if write and diff:
        raise click.UsageError("--write and --diff do not go together")
    if write and STDIN in arguments:
        raise click.UsageError("--write needs files, not standard input")
    found = read_all(arguments, stack, as_written=True)
    if len(found) > 1 and not (write or diff):
        raise click.UsageError("several templates need --write or --diff")
    left = False
    for template in found:
        migration = plan.migrate(template, stack, keep_roles=keep_roles, every=every)
        for line in _told(template, migration):
            terminal.tell(line)
        left = left or bool(migration.left)
        if diff:
            click.echo("".join(_diff(template, migration.template)), nl=False)
        elif not write:
            click.echo(migration.template.text, nl=False)
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
            yield f"  {'removed':<9} line {template.line(path)}: a Deny, which a role made to measure does not need"
    for left in migration.left:
        yield str(left.mistake)
    for said in humanize.with_defaults(migration.defaults) if migration.steps else ():
        yield f"{template.name}: this is so {said}; the macro sees the values at deployment"
    if migration.steps:
        removed = sum(
            len(found.actions) for step in migration.steps for found in step.findings if found.kind == "excess"
        )
        narrowed = sum(
            len(found.actions) for step in migration.steps for found in step.findings if found.kind == "too-wide"
        )
        said = f"{humanize.count(removed, 'grant')} removed, {narrowed} narrowed"
        yield f"{template.name}: {humanize.count(len(migration.steps), 'role')} migrated; {said}"


def _after(found: Found) -> str:
    """What the macro makes of something that is told about."""
    if found.kind == "too-wide" and found.actions:
        return f"; {found.fix}"
    if found.code in plan.CARRIED:
        return "; it stays in Statements: check whether it is needed"
    return ""


def _diff(before: TemplateFile, after: TemplateFile) -> Iterator[str]:
    lines = difflib.unified_diff(
        before.text.splitlines(keepends=True), after.text.splitlines(keepends=True), before.name, before.name
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _save(name: str, text: str) -> None:
    """Writes a file with the line ends that it had."""
    path = Path(name)
    raw = path.read_bytes()
    mark = "\ufeff" if raw.startswith(b"\xef\xbb\xbf") else ""
    try:
        path.write_bytes((mark + text).encode("utf-8"))
    except OSError as error:
        raise click.UsageError(f"cannot write {name}: {error.strerror}") from None
