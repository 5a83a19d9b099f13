"""The explanation for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ecs_exec_role.explain.owners import Owner
from ecs_exec_role.explain.report import ExplainedStatement, Explanation, LeftOut, RoleReport, Warned
from ecs_exec_role.offline import humanize

if TYPE_CHECKING:
    from rich.tree import Tree


def trees(report: Explanation) -> Iterable[Tree]:
    """One tree for each role."""
    return [_role(report, role) for role in report.roles]


def heading(report: Explanation) -> str:
    """What the report is about, in a line or two."""
    if not report.roles:
        return f"{report.template}: no task definition, and no ExecutionRoleSpec"
    with_defaults = "".join(f" ({said})" for said in humanize.with_defaults(report.defaults))
    if report.roles[0].assumed:
        said = "no ExecutionRoleSpec yet; this is what `ExecutionRoleSpec: Auto` would make"
    else:
        said = humanize.count(len(report.roles), "execution role")
    return f"{report.template}: {said}{with_defaults}"


OWNERS = "Other accounts must grant"
STARTING = "The role of what starts the task must allow"


def warned(warning: Warned) -> str:
    """What may be missing, and for whom."""
    what = f"{warning.who}: {warning.what}" if warning.what else warning.who
    return f"{what}: {warning.text}"


def owned(owner: Owner) -> str:
    """What the owner of a thing must do, in words."""
    whose = f"account {owner.account} must " if owner.account else "its account must "
    return f"{whose}{owner.text}"


def _role(report: Explanation, role: RoleReport) -> Tree:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it
    from rich.tree import Tree  # noqa: PLC0415

    used = f"  for {', '.join(role.definitions)}" if role.definitions else ""
    head = Text.assemble((role.role, "bold"), used, (f"  {report.template}:{role.line}", "dim"))
    tree = Tree(head, guide_style="dim")
    if role.when:
        tree.add(Text(f"only if {role.when}", "yellow"))
    if role.starter:
        tree.add(Text("Starter: the managed policy AmazonECSTaskExecutionRolePolicy is attached, and nothing else"))
    elif not role.statements:
        tree.add(Text("needs no permission at all"))
    for statement in role.statements:
        _statement(tree, statement)
    if role.left_out:
        branch = tree.add(Text("Left out", "bold"))
        for note in role.left_out:
            _left_out(branch, note)
    if role.warnings:
        branch = tree.add(Text("May be missing", "bold yellow"))
        for warning in role.warnings:
            branch.add(Text.assemble(f"{warned(warning)}", (f"  line {warning.line}", "dim")))
    if role.owners:
        branch = tree.add(Text(OWNERS, "bold"))
        for owner in role.owners:
            inner = branch.add(
                Text.assemble((owner.resource, "magenta"), f": {owned(owner)}", (f"  {owner.docs}", "dim"))
            )
            inner.add(Text(owner.snippet, "dim"))
    if role.starting is not None and role.starting.starters:
        branch = tree.add(Text.assemble((STARTING, "bold"), (f"  {role.starting.docs}", "dim")))
        for starter in role.starting.starters:
            branch.add(Text(starter))
        branch.add(Text(json.dumps(role.starting.statement, indent=2), "dim"))
    if not role.starter:
        branch = tree.add(Text(f"Beside {role.comparison.policy}", "bold"))
        for sentence in role.comparison.sentences():
            branch.add(Text(sentence))
    return tree


def _statement(tree: Tree, statement: ExplainedStatement) -> None:
    from rich.text import Text  # noqa: PLC0415

    name = statement.sid or "(no Sid)"
    held = f"  only if {statement.when}" if statement.when else ""
    apart = "  in a policy of its own, to close no circle" if statement.apart else ""
    branch = tree.add(Text.assemble((name, "bold cyan"), f"  {statement.title}", (held, "yellow"), (apart, "dim")))
    branch.add(Text(", ".join(statement.actions), "green"))
    for resource in statement.resources:
        label = Text.assemble("on ", (resource.arn, "magenta"))
        if resource.context:
            label.append(f" for {resource.context}")
        inner = branch.add(label)
        for reason in resource.reasons:
            text = Text.assemble(f"{reason.who}: {reason.what}" if reason.what else reason.who)
            if reason.when:
                text.append(f"  if {reason.when}", "yellow")
            text.append(f"  line {reason.line}", "dim")
            inner.add(text)
    for condition in statement.conditions:
        branch.add(Text(f"where {condition}"))
    if statement.docs:
        branch.add(Text(statement.docs, "dim"))


def _left_out(branch: Tree, note: LeftOut) -> None:
    from rich.text import Text  # noqa: PLC0415

    text = Text(f"{note.who}: {note.what}: {note.text}" if note.what else f"{note.who}: {note.text}")
    if note.when:
        text.append(f"  if {note.when}", "yellow")
    text.append(f"  line {note.line}  {note.docs}", "dim")
    branch.add(text)
