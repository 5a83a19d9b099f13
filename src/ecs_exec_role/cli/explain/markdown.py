"""The explanation as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.cli.explain import text
from ecs_exec_role.cli.markup import code, plain
from ecs_exec_role.explain.report import Explanation, RoleReport
from ecs_exec_role.offline import yaml_writer


def write(report: Explanation) -> str:
    """The report as one Markdown document."""
    lines = [f"# {plain(text.heading(report))}", ""]
    for role in report.roles:
        lines.extend(_role(report, role))
    if report.problems:
        lines += ["## Mistakes", "", *(f"- {plain(str(problem))}" for problem in report.problems), ""]
    return "\n".join(lines)


def _role(report: Explanation, role: RoleReport) -> Iterator[str]:
    used = f" for {', '.join(role.definitions)}" if role.definitions else ""
    yield f"## {role.role}{used}"
    yield ""
    yield f"{code(f'{report.template}:{role.line}')}{f', only if `{role.when}`' if role.when else ''}"
    yield ""
    if role.warnings:
        yield "**May be missing:**"
        yield ""
        yield from (f"- line {warning.line}: {plain(text.warned(warning))}" for warning in role.warnings)
        yield ""
    if role.starter:
        yield "Starter: the managed policy `AmazonECSTaskExecutionRolePolicy` is attached, and nothing else."
        yield ""
        return
    if role.statements:
        yield "| Statement | Actions | Resource | Needed by |"
        yield "| --- | --- | --- | --- |"
    for statement in role.statements:
        sid = f"[{statement.sid}]({statement.docs})" if statement.docs else plain(statement.sid or "(no Sid)")
        notes = [f"if `{statement.when}`"] if statement.when else []
        notes += [f"where {code(condition)}" for condition in statement.conditions]
        head = "<br>".join([sid, plain(statement.title), *notes])
        actions = "<br>".join(map(code, statement.actions))
        for resource in statement.resources:
            what = code(resource.arn) + (f" for {code(resource.context)}" if resource.context else "")
            why = "<br>".join(
                f"{plain(f'{reason.who}: {reason.what}' if reason.what else reason.who)}, line {reason.line}"
                f"{f', if `{reason.when}`' if reason.when else ''}"
                for reason in resource.reasons
            )
            yield f"| {head} | {actions} | {what} | {why} |"
            head = actions = ""
    if not role.statements:
        yield "It needs no permission at all."
    yield ""
    if role.left_out:
        yield "Left out:"
        yield ""
        for note in role.left_out:
            held = f", if `{note.when}`" if note.when else ""
            who = f"{note.who}: {note.what}" if note.what else note.who
            yield f"- {plain(who)} (line {note.line}{held}): {plain(note.text)} ([AWS]({note.docs}))"
        yield ""
    if role.owners:
        yield f"{text.OWNERS}:"
        yield ""
        for owner in role.owners:
            yield f"- {code(owner.resource)}: {plain(text.owned(owner))} ([AWS]({owner.docs}))"
            yield ""
            yield from (f"  {line}" for line in ("```json", *owner.snippet.split("\n"), "```"))
        yield ""
    if role.starting is not None and role.starting.starters:
        yield f"{text.STARTING} ([AWS]({role.starting.docs})): {plain('; '.join(role.starting.starters))}"
        yield ""
        yield from ("```yaml", yaml_writer.write([role.starting.statement]).rstrip(), "```", "")
    yield " ".join(role.comparison.sentences())
    yield ""
