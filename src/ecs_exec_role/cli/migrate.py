"""The command `migrate`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from ecs_exec_role.audit import sentences
from ecs_exec_role.audit.report import Found
from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.base import FINDINGS, Command
from ecs_exec_role.cli.options import read_all, stack_options, templates_argument, unrolled
from ecs_exec_role.migrate import plan
from ecs_exec_role.migrate.plan import Migration, Step
from ecs_exec_role.offline import humanize
from ecs_exec_role.offline.macro_call import StackValues, includes_left
from ecs_exec_role.offline.template_file import STDIN, TemplateFile
from ecs_exec_role.template.symbols import NO_VALUE, Json

_CHANGES = {"excess": "removed", "too-wide": "narrowed", "lacking": "added", "unknown": "check"}
_WORDS = ("removed", "narrowed", "widened", "kept", "added", "check")
_WIDENED = "the new role allows it without that condition"


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
    name, keeps its logical ID and gets the spec. Standard error lists what is removed, narrowed, widened, kept and
    added; --quiet leaves only what was not changed, and why.
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
        for each in migration.left:
            terminal.error(str(each.mistake))
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
    counts = dict.fromkeys(_WORDS, 0)
    for step in migration.steps:
        yield f"{template.name}:{step.line}: {step.said}"
        for word, line in dict.fromkeys(_listed(template, step)):
            counts[word] += 1
            yield f"  {word:<9} {line}"
    for brought in migration.brought if migration.steps else ():
        yield str(brought)
    for said in humanize.with_defaults(migration.defaults) if migration.steps else ():
        yield f"{template.name}: this is the result {said}; the macro reads the values at deployment"
    if migration.steps:
        listed = ", ".join(f"{number} {word}" for word, number in counts.items())
        roles = humanize.count(len(migration.steps), "role")
        yield f"{template.name}: {roles} migrated; lines above: {listed}"


def _listed(template: TemplateFile, step: Step) -> Iterator[tuple[str, str]]:
    """The lines about one role, each with its word."""
    open_paths = {value.path for value in step.open_values}
    for found in step.findings:
        if found.code == "value-unresolved" and found.path in open_paths:
            continue
        if found.code == "trust-without-source" and step.trust:
            continue
        if found.code.startswith("pass-role-"):
            yield "check", f"line {found.line}: {found.what}; {found.fix}; this is not changed"
            continue
        if step.widens(found):
            yield "widened", f"line {found.line}: {found.what}; {_WIDENED}"
            continue
        if found.code == "permission-uncertain":
            yield "check", f"line {found.line}: {found.what}; the new role allows it"
            continue
        word = "kept" if found.may_be_needed and found.kind == "unknown" else _CHANGES[found.kind]
        yield word, f"line {found.line}: {found.what}{_after(step, found)}"
    for path in step.denied:
        yield "removed", f"line {template.line(path)}: a Deny statement; the new role allows nothing that it denies"
    for path in step.kept_denials:
        what = "a Deny statement stays in Statements, since it may deny what the new role allows"
        yield "kept", f"line {template.line(path)}: {what}"
    if step.trust:
        what = "the trust policy stays, since the one that the macro writes may let ECS use the role for more"
        yield "kept", f"line {template.line(step.trust)}: {what}"
    for value in step.open_values:
        said = "`Unresolved: Ignore` is added, so the new role only has for it what is kept"
        yield "check", f"line {value.line}: {value.what}; {said}"
    if step.unknown_parameters:
        names = step.unknown_parameters
        values = " ".join(f"--parameter {name}=…" for name in names)
        said = f"the macro reads the value of {', '.join(names)} at deployment; give {values} to see the result now"
        yield "check", said


def _after(step: Step, found: Found) -> str:
    """What the macro does about a finding."""
    kept = ", ".join(dict.fromkeys(action for action in _actions(found.may_be_needed)))
    stay = "stays" if "," not in kept else "stay"
    where = "the policy stays attached" if plan.stays_attached(step, found) else f"{kept} {stay} in Statements"
    stays = f"{where}: check whether it is needed" if kept else ""
    if found.kind == "too-wide" and found.statements:
        # The remedy of the audit is what the migration did.
        advice = found.fix.partition(sentences.ALLOW_ONLY)[2]
        done = f"the new role allows only {advice or 'what its tasks need'}"
        return f"; {done}" + (f"; {stays}" if stays else "")
    if found.code == "trust-without-source":
        return "; the one that the macro writes does"
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
