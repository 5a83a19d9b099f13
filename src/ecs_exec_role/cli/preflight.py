"""The command `preflight`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ecs_exec_role.cli import credentials, terminal
from ecs_exec_role.cli.base import FINDINGS, Command
from ecs_exec_role.cli.options import format_option, read_all, stack_options
from ecs_exec_role.errors import Problem
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.offline import humanize as words
from ecs_exec_role.offline import inference
from ecs_exec_role.offline.errors import InvalidTemplate, NoAnswer
from ecs_exec_role.offline.macro_call import StackValues, expanded
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.template.similar_names import suggestion
from ecs_exec_role.template.symbols import Symbols

if TYPE_CHECKING:
    import boto3

    from ecs_exec_role.deployed.narrowing import Narrowing
    from ecs_exec_role.deployed.questions import Questions
    from ecs_exec_role.preflight.report import RoleCheck

T = TypeVar("T")

_ROLE = late_pattern(r"arn:[^:]+:iam::(?P<account>[0-9]{12}):role/.+")


@click.command(
    "preflight",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role preflight template.yaml --stack web
  ecs-exec-role preflight template.yaml --role arn:aws:iam::123456789012:role/web-execution
  ecs-exec-role preflight template.yaml --role "$ROLE" --format json | jq .summary

\b
Exit codes: 0 all that could be checked is permitted and in place; 1 something is not; 2 wrong usage;
3 nothing could be checked.""",
)
@click.argument("template_name", metavar="[TEMPLATE]", required=False)
@stack_options
@click.option("--role", metavar="ARN", help="The deployed execution role.  [default: that of --stack]")
@click.option("--definition", metavar="ID", help="The definition that it is for, if the template has several.")
@click.option(
    "--stack", "deployed", metavar="NAME", help="The deployed stack, for its role and the names of its resources."
)
@click.option("--profile", metavar="NAME", help="The profile of your AWS credentials.")
@format_option("text", "json")
def command(
    template_name: str | None,
    stack: StackValues,
    role: str | None,
    definition: str | None,
    deployed: str | None,
    profile: str | None,
    form: str,
) -> None:
    """Ask AWS whether a role may do what the tasks of TEMPLATE need, and whether what they need exists.

    The same check runs inside a stack with `Preflight: true`. It asks IAM to simulate, and looks at images, secrets,
    parameters, log groups, objects and keys; it reads no secret and no value. It uses your AWS credentials, which need
    the permissions of docs/preflight.md. With --stack it finds the role, knows what only a deployed stack knows, and
    warns if an update of that stack would remove something from the role that tasks of the deployed revision still
    need.
    """
    if role is None and deployed is None:
        raise click.UsageError("give --stack with the name of the deployed stack, or --role with the ARN of a role")
    match = _ROLE.fullmatch(role) if role else None
    if role and match is None:
        raise click.UsageError(f"--role {role}: write arn:aws:iam::ACCOUNT:role/NAME")
    found = read_all((template_name,) if template_name else (), stack)
    if len(found) != 1:
        raise click.UsageError("preflight takes one template; name it")
    [template] = found
    session = _session(profile, stack.region)
    account = stack.account or (match["account"] if match else "")
    stack = stack._replace(region=stack.region or session.region_name or "", account=account)
    if not stack.region:
        raise click.UsageError("the region is not known; give --region")
    with terminal.spinner("Asking AWS"):
        questions, report, narrowing = _checked(template, stack, session, role, definition, deployed)
    if form == "json":
        said: dict[str, Any] = report.as_record()
        said["not_asked"] = [
            {"path": path, "line": template.line(path), "why": why, "code": "not-asked"} for path, why in questions.open
        ]
        said["narrowed"] = [lost.data() for lost in narrowing.lost]
        terminal.out(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        _show(template, questions, report, "deploy the stack first" if deployed else "give --stack, or --parameter")
    warn_of_narrowing(narrowing, deployed)
    if report.failed:
        raise click.exceptions.Exit(FINDINGS)
    if report.nothing_checked:
        raise NoAnswer(report.summary)
    if questions.open and not questions.asked:
        fix = "deploy the stack first" if deployed else "give --stack, or --parameter"
        raise NoAnswer(f"nothing could be checked, since no value that the tasks need is known; {fix}")
    if report.results and all(result.permission.unanswered for result in report.results):
        reasons = dict.fromkeys(result.permission.unanswered for result in report.results)
        raise NoAnswer(f"AWS did not answer whether the role is permitted anything: {', '.join(reasons)}")


def warn_of_narrowing(narrowing: Narrowing, stack: str | None) -> None:
    """Warns about what an update would remove from a role in use, and about what could not be compared."""
    for lost in narrowing.lost:
        terminal.tell(f"stack {stack}: warning: {lost}")
    if narrowing.unknown:
        terminal.tell(
            f"stack {stack}: warning: it is not known whether the update removes something from the role that running "
            f"tasks need: {narrowing.unknown}; compare the templates yourself, see docs/operations.md"
        )


def _session(profile: str | None, region: str) -> boto3.session.Session:
    return credentials.session("preflight", profile, region)


def _checked(
    template: TemplateFile,
    stack: StackValues,
    session: boto3.session.Session,
    role: str | None,
    definition: str | None,
    deployed: str | None,
) -> tuple[Questions, RoleCheck, Narrowing]:
    from ecs_exec_role.deployed import narrowing as narrowings  # noqa: PLC0415 - it needs boto3
    from ecs_exec_role.deployed import questions as all_questions  # noqa: PLC0415
    from ecs_exec_role.deployed import stack as stacks  # noqa: PLC0415
    from ecs_exec_role.preflight.check import check  # noqa: PLC0415

    found = stacks.Deployed({}, {})
    if deployed:
        found = stacks.read(session, deployed)
        stack = stack._replace(values={**found.values, **stack.values}, account=stack.account or found.account)
    plan, symbols = _plan(template, stack, definition)
    narrowing = narrowings.Narrowing()
    if role is None:
        role = stacks.role_arn(session, found, _role_of(template, plan))
    if deployed and inference.has_spec(template.data):
        narrowing = narrowings.of(session, template, stack, found, (plan.logical_id,))
    questions = all_questions.of(template, plan, symbols, stack, found.physical)
    return questions, check(role, questions.asked, session, region=stack.region), narrowing


def _role_of(template: TemplateFile, plan: RolePlan) -> str:
    """The logical ID, in a stack of this template, of the role of a plan."""
    if inference.has_spec(template.data):
        return plan.logical_id
    # Without a spec it is a role that the template itself defines.
    properties = template.data["Resources"][plan.definitions[0]].get("Properties", {})
    written = properties.get("ExecutionRoleArn") if isinstance(properties, dict) else None
    attribute = written.get("Fn::GetAtt") if isinstance(written, dict) else None
    name = attribute[0] if isinstance(attribute, list) and attribute else str(attribute or "").partition(".")[0]
    if not isinstance(name, str) or not name:
        raise click.UsageError(
            f"the ExecutionRoleArn of {plan.definitions[0]} is not !GetAtt of a role of the template; give --role"
        )
    return name


def _plan(template: TemplateFile, stack: StackValues, definition: str | None) -> tuple[RolePlan, Symbols]:
    """The role to check: from the specs in the template, or else from its definitions."""
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
    """The only item, or the one that the option names."""
    if len(found) == 1:
        return found[0]
    if not choices:
        raise click.UsageError("the template has no task definition")
    if definition is not None:
        raise click.UsageError(
            f"--definition {definition}: there is no such definition; {suggestion(definition, choices)}"
        )
    raise click.UsageError(f"the template has several roles; give --definition with one of {', '.join(choices)}")


def _show(template: TemplateFile, questions: Questions, report: RoleCheck, fix: str) -> None:
    console = terminal.console()
    marks = {"ok": ("ok", "green"), "denied": ("DENIED", "bold red"), "absent": ("ABSENT", "bold red")}
    marks |= {"unfit": ("UNFIT", "bold red"), "elsewhere": ("look", "yellow"), "unknown": ("look", "yellow")}
    for result in report.results:
        mark, colour = marks[result.status]
        who, what = words.whereabouts(template.data, result.need.path)
        line = [(f"{who}: {what}: {', '.join(result.need.actions)}", "")]
        line.append((f"  line {template.line(result.need.path)}", "dim"))
        terminal.paragraph(console, line, [(f"{mark:<7}", colour)], " " * 7)
        for verdict in result.verdicts:
            if verdict.what:
                said = f"{verdict.what}; {verdict.fix}" if verdict.fix else verdict.what
                terminal.paragraph(console, [(said, "")], [(" " * 8, "")], " " * 8)
    for verdict in report.role:
        role = [(f"{verdict.what}; {verdict.fix}", "")]
        terminal.paragraph(console, role, [(f"{'ROLE':<7}", "bold red")], " " * 7)
    for path, why in questions.open:
        terminal.warn(template, Problem(path, f"not asked: {why}", fix, "not-asked"))
    terminal.paragraph(console, [(report.summary, "bold")])
