"""The explanation for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.terminal import Branch, Line
from ecs_exec_role.explain.owners import Owner
from ecs_exec_role.explain.report import ExplainedStatement, Explanation, LeftOut, RoleReport, Warned
from ecs_exec_role.offline import humanize, yaml_writer

if TYPE_CHECKING:
    from rich.console import Console


def show(console: Console, report: Explanation) -> None:
    """Prints the report: one tree for each role."""
    terminal.paragraph(console, [(heading(report), "bold")])
    for role in report.roles:
        terminal.tree(console, _role(report, role))


def heading(report: Explanation) -> str:
    """What the report is about, in one or two lines."""
    if not report.roles:
        said = "nothing can be explained before the mistakes in it are corrected"
        return f"{report.template}: {said if report.problems else 'no task definition, and no ExecutionRoleSpec'}"
    with_defaults = "".join(f" ({said})" for said in humanize.with_defaults(report.defaults))
    if report.roles[0].assumed:
        said = "no ExecutionRoleSpec yet; this is the result of `ExecutionRoleSpec: Auto`"
    else:
        said = humanize.count(len(report.roles), "execution role")
    return f"{report.template}: {said}{with_defaults}"


OWNERS = "Other accounts must grant"
STARTING = "The role of what starts the task must allow"
STARTER = "Starter: the managed policy AmazonECSTaskExecutionRolePolicy is attached, and nothing else"
APART = "in a policy resource beside the role, because in the role it would create a circular dependency"


def warned(warning: Warned) -> str:
    """What may be missing, and for whom."""
    what = f"{warning.who}: {warning.what}" if warning.what else warning.who
    return f"{what}: {warning.text}"


def owned(owner: Owner) -> str:
    """What an owner must do, in words."""
    whose = f"account {owner.account} must " if owner.account else "its account must "
    return f"{whose}{owner.text}"


def _role(report: Explanation, role: RoleReport) -> Branch:
    used = f"  for {', '.join(role.definitions)}" if role.definitions else ""
    below: list[Branch] = []
    if role.warnings:
        warnings = [Branch([*_plain(warned(each)), (f"  line {each.line}", "dim")]) for each in role.warnings]
        below.append(Branch([("May be missing", "bold yellow")], tuple(warnings)))
    if role.when:
        below.append(Branch([(f"only if {role.when}", "yellow")]))
    if role.starter:
        below.append(Branch(_plain(STARTER)))
    elif not role.statements:
        below.append(Branch(_plain("needs no permission at all")))
    below += map(_statement, role.statements)
    if role.left_out:
        below.append(Branch([("Left out", "bold")], tuple(map(_left_out, role.left_out))))
    if role.owners:
        below.append(Branch([(OWNERS, "bold")], tuple(map(_owner, role.owners))))
    if role.starting is not None and role.starting.starters:
        starters = [Branch(_plain(starter)) for starter in role.starting.starters]
        starters.append(Branch([(yaml_writer.write([role.starting.statement]).rstrip(), "dim")], to_copy=True))
        below.append(Branch([(STARTING, "bold"), (f"  {role.starting.docs}", "dim")], tuple(starters)))
    if not role.starter:
        sentences = tuple(Branch(_plain(said)) for said in role.comparison.sentences())
        below.append(Branch([(f"Beside {role.comparison.policy}", "bold")], sentences))
    return Branch([(role.role, "bold"), (used, ""), (f"  {report.template}:{role.line}", "dim")], tuple(below))


def _plain(text: str) -> Line:
    return [(text, "")]


def _statement(statement: ExplainedStatement) -> Branch:
    name = statement.sid or "(no Sid)"
    held = f"  only if {statement.when}" if statement.when else ""
    apart = f"  {APART}" if statement.apart else ""
    below = [Branch([(", ".join(statement.actions), "green")])]
    for resource in statement.resources:
        context = f" for {resource.context}" if resource.context else ""
        reasons = []
        for reason in resource.reasons:
            who = f"{reason.who}: {reason.what}" if reason.what else reason.who
            when = f"  if {reason.when}" if reason.when else ""
            reasons.append(Branch([(who, ""), (when, "yellow"), (f"  line {reason.line}", "dim")]))
        below.append(Branch([("on ", ""), (resource.arn, "magenta"), (context, "")], tuple(reasons)))
    below += [Branch(_plain(f"where {condition}")) for condition in statement.conditions]
    if statement.docs:
        below.append(Branch([(statement.docs, "dim")]))
    return Branch([(name, "bold cyan"), (f"  {statement.title}", ""), (held, "yellow"), (apart, "dim")], tuple(below))


def _left_out(note: LeftOut) -> Branch:
    said = f"{note.who}: {note.what}: {note.text}" if note.what else f"{note.who}: {note.text}"
    held = f"  if {note.when}" if note.when else ""
    return Branch([(said, ""), (held, "yellow"), (f"  line {note.line}  {note.docs}", "dim")])


def _owner(owner: Owner) -> Branch:
    snippet = Branch([(owner.snippet, "dim")], to_copy=True)
    return Branch([(owner.resource, "magenta"), (f": {owned(owner)}", ""), (f"  {owner.docs}", "dim")], (snippet,))
