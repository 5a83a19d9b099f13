"""The command `preflight`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ecs_exec_role.cli import credentials, terminal
from ecs_exec_role.cli.errors import FINDINGS, Command
from ecs_exec_role.cli.options import read_all, stack_options
from ecs_exec_role.errors import Problem
from ecs_exec_role.offline import humanize as words
from ecs_exec_role.offline import inference
from ecs_exec_role.offline.errors import InvalidTemplate, NoAnswer
from ecs_exec_role.offline.macro_call import Stack, expanded
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.template.symbols import Symbols

if TYPE_CHECKING:
    import boto3

    from ecs_exec_role.deployed.questions import Questions
    from ecs_exec_role.preflight.report import Report

T = TypeVar("T")

_ROLE = re.compile(r"arn:[^:]+:iam::(?P<account>[0-9]{12}):role/.+")


@click.command(
    "preflight",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role preflight template.yaml --role arn:aws:iam::123456789012:role/web-execution
  ecs-exec-role preflight template.yaml --role arn:aws:iam::123456789012:role/web-execution --stack web
  ecs-exec-role preflight template.yaml --role "$ROLE" --format json | jq .summary

\b
Exit codes: 0 all that could be asked is permitted and in place; 1 something is not; 2 wrong usage;
3 AWS could not be asked.""",
)
@click.argument("template_name", metavar="TEMPLATE")
@stack_options
@click.option("--role", required=True, metavar="ARN", help="The deployed execution role.")
@click.option("--definition", metavar="ID", help="The definition that it is for, if the template has several.")
@click.option(
    "--stack", "deployed", metavar="NAME", help="The deployed stack, for the names of the template's resources."
)
@click.option("--profile", metavar="NAME", help="The profile of your AWS credentials.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to write it."
)
def command(
    template_name: str,
    stack: Stack,
    role: str,
    definition: str | None,
    deployed: str | None,
    profile: str | None,
    form: str,
) -> None:
    """Ask AWS whether a role may do what the tasks of TEMPLATE need, and whether what they need is there.

    The same check runs inside a stack with `Preflight: true`. It asks IAM to simulate, and looks at images, secrets,
    parameters, log groups, objects and keys; it reads no secret and no value. It uses your AWS credentials, which need
    the permissions of docs/preflight.md. What only a deployed stack knows is asked about with --stack.
    """
    match = _ROLE.fullmatch(role)
    if match is None:
        raise click.UsageError(f"--role {role}: write arn:aws:iam::ACCOUNT:role/NAME")
    [template] = read_all((template_name,), stack)
    session = _session(profile, stack.region)
    stack = stack._replace(region=stack.region or session.region_name or "", account=stack.account or match["account"])
    if not stack.region:
        raise click.UsageError("the region is not known; give --region")
    with terminal.spinner("Asking AWS"):
        questions, report = _checked(template, stack, session, role, definition, deployed)
    if form == "json":
        said: dict[str, Any] = report.as_record()
        said["not_asked"] = [{"path": path, "line": template.line(path), "why": why} for path, why in questions.open]
        terminal.out(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        _show(template, questions, report)
    if report.failed:
        raise click.exceptions.Exit(FINDINGS)
    if report.results and all(result.permission.status.warns for result in report.results):
        raise NoAnswer("AWS answered nothing about this role")


def _session(profile: str | None, region: str) -> boto3.session.Session:
    return credentials.session("preflight", profile, region)


def _checked(
    template: TemplateFile,
    stack: Stack,
    session: boto3.session.Session,
    role: str,
    definition: str | None,
    deployed: str | None,
) -> tuple[Questions, Report]:
    from ecs_exec_role.deployed import questions as all_questions  # noqa: PLC0415 - it needs boto3
    from ecs_exec_role.deployed import stack as stacks  # noqa: PLC0415
    from ecs_exec_role.preflight.check import check  # noqa: PLC0415

    physical: dict[str, str] = {}
    if deployed:
        found = stacks.read(session, deployed)
        physical = found.physical
        stack = stack._replace(values={**found.values, **stack.values})
    plan, symbols = _plan(template, stack, definition)
    questions = all_questions.of(template, plan, symbols, stack, physical)
    return questions, check(role, questions.asked, session, region=stack.region)


def _plan(template: TemplateFile, stack: Stack, definition: str | None) -> tuple[RolePlan, Symbols]:
    """The role that is asked about: of the specs in the template, or else of its definitions."""
    if inference.has_spec(template.data):
        plans = list(expanded(template, stack).roles)
        named = (
            [*plans]
            if definition is None
            else [item for item in plans if definition in (*item[0].definitions, item[0].logical_id)]
        )
        choices = [plan.definitions[0] if plan.definitions else plan.logical_id for plan, _ in plans]
        return _only(named, choices, definition)
    names = inference.definitions_of(template.data)
    chosen = _only([name for name in names if definition in (None, name)], names, definition)
    inferred = inference.infer(template, stack, [chosen])
    if inferred.plan is None:
        raise InvalidTemplate(map(template.mistake, inferred.problems))
    return inferred.plan, inferred.symbols


def _only(found: Sequence[T], choices: Sequence[str], definition: str | None) -> T:
    """The one thing that is meant."""
    if len(found) == 1:
        return found[0]
    if not choices:
        raise click.UsageError("the template has no task definition")
    if definition is not None:
        raise click.UsageError(f"--definition {definition}: write one of {', '.join(choices)}")
    raise click.UsageError(f"the template has several roles; give --definition with one of {', '.join(choices)}")


def _show(template: TemplateFile, questions: Questions, report: Report) -> None:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    console = terminal.console()
    marks = {"ok": ("ok", "green"), "denied": ("DENIED", "bold red"), "absent": ("ABSENT", "bold red")}
    marks |= {"unfit": ("UNFIT", "bold red"), "elsewhere": ("look", "yellow"), "unknown": ("look", "yellow")}
    for result in report.results:
        mark, colour = marks[result.status]
        who, what = words.whereabouts(template.data, result.need.path)
        text = Text.assemble(
            (f"{mark:<7}", colour),
            f"{who}: {what}: {', '.join(result.need.actions)}",
            (f"  line {template.line(result.need.path)}", "dim"),
        )
        console.print(text)
        for verdict in result.verdicts:
            if verdict.what:
                console.print(
                    Text(f"        {verdict.what}; {verdict.fix}" if verdict.fix else f"        {verdict.what}")
                )
    for verdict in report.role:
        console.print(Text.assemble((f"{'ROLE':<7}", "bold red"), f"{verdict.what}; {verdict.fix}"))
    for path, why in questions.open:
        terminal.warn(template, Problem(path, f"not asked: {why}", "give --stack, or --parameter"))
    console.print(Text(report.summary, "bold"))
