"""The explanation as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.cli.explain import text
from ecs_exec_role.explain.report import Explanation, RoleReport

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\*_[]<>|#~"})


def write(report: Explanation) -> str:
    """The report as one Markdown document."""
    lines = [f"# {_plain(text.heading(report))}", ""]
    for role in report.roles:
        lines.extend(_role(report, role))
    if report.problems:
        lines += ["## Mistakes", "", *(f"- {_plain(str(problem))}" for problem in report.problems), ""]
    return "\n".join(lines)


def _plain(words: str) -> str:
    """Text in which Markdown sees no marks; what stands between backquotes stays code."""
    parts = words.split("`")
    if len(parts) % 2 == 0:
        return words.replace("`", "'").translate(_SPECIAL)
    return "`".join(part if index % 2 else part.translate(_SPECIAL) for index, part in enumerate(parts))


def _code(value: str) -> str:
    """Code in a table's cell."""
    fence = "``" if "`" in value else "`"
    return f"{fence}{value.replace('|', chr(92) + '|')}{fence}"


def _role(report: Explanation, role: RoleReport) -> Iterator[str]:
    used = f" for {', '.join(role.definitions)}" if role.definitions else ""
    yield f"## {role.role}{used}"
    yield ""
    yield f"{_code(f'{report.template}:{role.line}')}{f', only if `{role.when}`' if role.when else ''}"
    yield ""
    if role.starter:
        yield "Starter: the managed policy `AmazonECSTaskExecutionRolePolicy` is attached, and nothing else."
        yield ""
        return
    if role.statements:
        yield "| Statement | Actions | Resource | Asked for by |"
        yield "| --- | --- | --- | --- |"
    for statement in role.statements:
        sid = f"[{statement.sid}]({statement.docs})" if statement.docs else _plain(statement.sid or "(no Sid)")
        notes = [f"if `{statement.when}`"] if statement.when else []
        notes += [f"where {_code(condition)}" for condition in statement.conditions]
        head = "<br>".join([sid, _plain(statement.title), *notes])
        actions = "<br>".join(map(_code, statement.actions))
        for resource in statement.resources:
            what = _code(resource.arn) + (f" for {_code(resource.context)}" if resource.context else "")
            why = "<br>".join(
                f"{_plain(f'{reason.who}: {reason.what}' if reason.what else reason.who)}, line {reason.line}"
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
            yield f"- {_plain(who)} (line {note.line}{held}): {_plain(note.text)} ([AWS]({note.docs}))"
        yield ""
    if role.warnings:
        yield "May be missing:"
        yield ""
        yield from (f"- line {warning.line}: {_plain(warning.text)}" for warning in role.warnings)
        yield ""
    if role.owners:
        yield f"{text.OWNERS}:"
        yield ""
        for owner in role.owners:
            yield f"- {_code(owner.resource)}: {_plain(text.owned(owner))} ([AWS]({owner.docs}))"
            yield ""
            yield from (f"  {line}" for line in ("```json", *owner.snippet.split("\n"), "```"))
        yield ""
    yield " ".join(role.comparison.sentences())
    yield ""
