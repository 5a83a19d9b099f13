"""The command `diff`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecs_exec_role.cli import credentials, terminal
from ecs_exec_role.cli.base import FINDINGS, Command
from ecs_exec_role.cli.options import (
    check_given,
    fail_on_option,
    format_option,
    kinds_that_fail,
    stack_options,
    templates,
    templates_argument,
    unrolled,
)
from ecs_exec_role.compare import changes, revisions, side
from ecs_exec_role.compare.changes import Comparison
from ecs_exec_role.compare.side import Side
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.template_file import TemplateFile

if TYPE_CHECKING:
    from ecs_exec_role.deployed.narrowing import Narrowing

_FAILS = {
    "added": ("added", "widened"),
    "removed": ("removed", "narrowed"),
    "any": changes.KINDS,
    "unknown": ("unknown",),
}


class _Pair(NamedTuple):
    """Two forms of one template; None for one that does not exist."""

    name: str
    before: TemplateFile | None
    after: TemplateFile | None
    before_name: str


@click.command(
    "diff",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role diff old.yaml new.yaml
  ecs-exec-role diff template.yaml --rev main
  ecs-exec-role diff 'stacks/**/*.yaml' --rev origin/main...HEAD --format markdown >> "$GITHUB_STEP_SUMMARY"
  ecs-exec-role diff template.yaml --stack web
  ecs-exec-role diff template.yaml --rev main --fail-on added
  ecs-exec-role diff template.yaml --rev main --format json | jq '.[].roles[].grants[].kind'

\b
Exit codes: 0 compared, whether or not anything changes; 1 a change that --fail-on names, or a template has
mistakes; 2 wrong usage; 3 Git or AWS is not available.""",
)
@templates_argument
@stack_options
@click.option(
    "--rev",
    metavar="REV",
    help="Compare with a revision of Git: a branch, a tag or a commit. A..B compares two, A...B what B changes.",
)
@click.option("--stack", "deployed", metavar="NAME", help="Compare with the template of this deployed stack.")
@click.option("--profile", metavar="NAME", help="With --stack: the profile of your AWS credentials.")
@fail_on_option(
    _FAILS,
    help="Exit with 1 on changes of this kind; repeatable. `added` includes widened, `removed` includes narrowed.",
)
@format_option("text", "json", "markdown")
def command(
    arguments: tuple[str, ...],
    stack: StackValues,
    rev: str | None,
    deployed: str | None,
    profile: str | None,
    fail_on: tuple[str, ...],
    form: str,
) -> None:
    """Say what a change of a template changes in its execution roles, and why.

    Two templates are compared, the old one first; or, with --rev, each TEMPLATE with a revision of Git; or, with
    --stack, one TEMPLATE with what is deployed. Roles that the macro makes and roles written by hand are compared in
    the same way, by what they allow: each permission that is added, widened, narrowed or removed, with the container
    and property that needs it. A role that is migrated to the macro is compared with the role that it replaces. Without
    --stack nothing leaves this machine.
    """
    if rev and deployed:
        raise click.UsageError("--rev and --stack cannot be used together")
    if profile and not deployed:
        raise click.UsageError("--profile needs --stack")
    narrowing = None
    with terminal.spinner("Comparing"):
        if deployed:
            found, narrowing = _with_stack(templates(arguments), stack, deployed, profile)
        else:
            pairs = _with_revision(templates(arguments), rev) if rev else _two(arguments)
            check_given(each for pair in pairs for each in (pair.before, pair.after) if each is not None)
            found = [_compared(pair, stack, stack) for pair in pairs]
    if form == "json":
        listed = [{**item.data(), "summary": changes.summary(item)} for item in found]
        if narrowing is not None:
            listed[0]["narrowed"] = [lost.data() for lost in narrowing.lost]
        terminal.out(json.dumps(listed, indent=2, ensure_ascii=False))
    elif form == "markdown":
        from ecs_exec_role.cli.diff import markdown  # noqa: PLC0415 - one run writes one format

        terminal.out(markdown.write(found, narrowing))
    else:
        from ecs_exec_role.cli.diff import text  # noqa: PLC0415

        text.show(terminal.console(), found)
    if narrowing is not None and form != "markdown":
        from ecs_exec_role.cli import preflight  # noqa: PLC0415 - it needs boto3

        preflight.warn_of_narrowing(narrowing, deployed)
    if _fails(found, fail_on):
        raise click.exceptions.Exit(FINDINGS)


def _fails(found: Iterable[Comparison], fail_on: Iterable[str]) -> bool:
    kinds = kinds_that_fail(_FAILS, fail_on)
    return any(item.kinds() & kinds for item in found)


def _compared(pair: _Pair, before: StackValues, after: StackValues) -> Comparison:
    old = side.read(unrolled(pair.before, before), before) if pair.before else Side(pair.before_name)
    new = side.read(unrolled(pair.after, after), after) if pair.after else Side(pair.name)
    return changes.of(old, new)


def _two(arguments: Sequence[str]) -> list[_Pair]:
    if len(arguments) != 2:
        raise click.UsageError("name two templates, the old one first; or one or more with --rev; or one with --stack")
    before, after = (template_file.read(template_file.names([name])[0]) for name in arguments)
    return [_Pair(after.name, before, after, before.name)]


def _with_revision(arguments: Sequence[str], rev: str) -> list[_Pair]:
    if template_file.STDIN in arguments:
        raise click.UsageError("--rev needs files, not standard input")
    sides = revisions.resolve(rev)
    plain = [name for name in arguments if not template_file.is_pattern(name)]
    patterns = [name for name in arguments if template_file.is_pattern(name)]
    names = dict.fromkeys(plain)
    if patterns:
        names.update(dict.fromkeys(revisions.changed(sides, patterns)))
        if not sides.after:
            names.update(dict.fromkeys(template_file.matching(patterns)))
    pairs = []
    for name in names:
        before = revisions.read(sides.before, sides.before_name, name)
        if sides.after:
            after = revisions.read(sides.after, sides.after_name, name)
        else:
            after = template_file.read(name) if Path(name).is_file() else None
        if before is None and after is None:
            other = f"in {sides.after_name}" if sides.after else "here"
            raise click.UsageError(f"there is no file {name}, neither in {sides.before_name} nor {other}")
        shown = f"{sides.after_name}:{name}" if sides.after else name
        pairs.append(_Pair(shown, before, after, f"{sides.before_name}:{name}"))
    return pairs


def _with_stack(
    arguments: Sequence[str], stack: StackValues, name: str, profile: str | None
) -> tuple[list[Comparison], Narrowing]:
    from ecs_exec_role.deployed import narrowing  # noqa: PLC0415 - it needs boto3
    from ecs_exec_role.deployed import stack as stacks  # noqa: PLC0415

    names = template_file.names(arguments)
    if len(names) != 1:
        raise click.UsageError("--stack takes one template")
    template = template_file.read(names[0])
    check_given([template])
    session = credentials.session("diff --stack", profile, stack.region)
    region = stack.region or session.region_name or ""
    if not region:
        raise click.UsageError("the region is not known; give --region")
    deployed = stacks.read(session, name)
    before = stack._replace(region=region, account=stack.account or deployed.account, values=deployed.values)
    after = before._replace(values={**deployed.values, **stack.values})
    old = stacks.processed_of(session, deployed)
    compared = _compared(_Pair(template.name, old, template, old.name), before, after)
    return [compared], narrowing.of(session, template, after, deployed)
