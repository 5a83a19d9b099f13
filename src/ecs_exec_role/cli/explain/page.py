"""The explanation as one HTML page that needs no network."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from importlib.resources import files

from ecs_exec_role import __version__
from ecs_exec_role.cli.explain import graph, text
from ecs_exec_role.explain.report import ExplainedStatement, Explanation, RoleReport
from ecs_exec_role.offline import humanize


def write(reports: Sequence[Explanation]) -> str:
    """The page about these templates."""
    page = files(__package__).joinpath("page.html").read_text("utf-8")
    features = {
        statement.feature: statement.title
        for report in reports
        for role in report.roles
        for statement in role.statements
    }
    chips = "\n".join(
        f'<label class="chip"><input type="checkbox" checked value="{_attribute(name)}"> {html.escape(title)}</label>'
        for name, title in features.items()
    )
    names = ", ".join(report.template for report in reports)
    parts = {
        "title": f"Execution roles of {html.escape(names)}",
        "chips": chips,
        "body": "\n".join(part for number, report in enumerate(reports) for part in _report(report, f"t{number}")),
        "version": html.escape(__version__),
    }
    for name, value in parts.items():
        page = page.replace(f"<!--{name}-->", value)
    return page


def _attribute(value: str) -> str:
    return html.escape(value, quote=True)


def _report(report: Explanation, prefix: str) -> Iterator[str]:
    yield f"<h2>{_prose(text.heading(report))}</h2>"
    for number, role in enumerate(report.roles):
        yield from _role(report, role, f"{prefix}r{number}")
    if report.problems:
        yield '<section class="problems"><h3>Mistakes</h3><ul>'
        yield from (f"<li>{_prose(str(problem))}</li>" for problem in report.problems)
        yield "</ul></section>"


def _prose(said: str) -> str:
    """Text in which what stands between backquotes is code."""
    parts = html.escape(said).split("`")
    if len(parts) % 2 == 0:
        return html.escape(said)
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _role(report: Explanation, role: RoleReport, prefix: str) -> Iterator[str]:
    actions = {action for statement in role.statements for action in statement.actions}
    arns = {resource.arn for statement in role.statements for resource in statement.resources if resource.arn != "*"}
    yield '<details class="role" open>'
    yield f'<summary><span class="name">{html.escape(role.role)}</span>'
    if role.definitions:
        yield f'<span class="for">for {html.escape(", ".join(role.definitions))}</span>'
    yield f'<span class="place">{html.escape(report.template)}:{role.line}</span></summary>'
    if role.when:
        yield f'<p class="when">Only if <code>{html.escape(role.when)}</code></p>'
    if role.starter:
        yield f"<p>Starter: the managed policy {role.comparison.policy} is attached, and nothing else.</p></details>"
        return
    yield '<p class="sum">'
    counts = {"statement": len(role.statements), "action": len(actions), "named resource": len(arns)}
    yield ", ".join(f"<b>{humanize.count(number, thing)}</b>" for thing, number in counts.items())
    yield f". {html.escape(' '.join(role.comparison.sentences()))}</p>"
    if role.statements:
        yield graph.draw(role, prefix)
        yield '<div class="list">'
        for statement in role.statements:
            yield from _statement(statement)
        yield "</div>"
    if role.left_out:
        yield '<details class="notes" open><summary>Left out, and why</summary><ul>'
        for note in role.left_out:
            held = f' <span class="when">if {html.escape(note.when)}</span>' if note.when else ""
            yield (
                f"<li><b>{html.escape(note.who)}</b> {html.escape(note.what)}: {_prose(note.text)}{held} "
                f'<span class="place">line {note.line}</span> {_link(note.docs)}</li>'
            )
        yield "</ul></details>"
    if role.owners:
        yield f'<details class="notes" open><summary>{text.OWNERS}</summary><ul>'
        for owner in role.owners:
            yield (
                f"<li><code>{_breakable(owner.resource)}</code>: {html.escape(text.owned(owner))} {_link(owner.docs)}"
                f"<pre>{html.escape(owner.snippet)}</pre></li>"
            )
        yield "</ul></details>"
    if role.warnings:
        yield '<details class="notes warn" open><summary>May be missing</summary><ul>'
        for warning in role.warnings:
            yield f'<li>{_prose(warning.text)} <span class="place">line {warning.line}</span></li>'
        yield "</ul></details>"
    yield "</details>"


def _statement(statement: ExplainedStatement) -> Iterator[str]:
    said = " ".join(
        [
            statement.sid,
            statement.title,
            *statement.actions,
            *statement.conditions,
            *(f"{resource.arn} {resource.context}" for resource in statement.resources),
            *(f"{why.who} {why.what} {why.value}" for resource in statement.resources for why in resource.reasons),
        ]
    )
    yield (
        f'<details class="statement" open data-features="{_attribute(statement.feature)}" '
        f'data-said="{_attribute(said.lower())}">'
    )
    yield f"<summary><b>{html.escape(statement.sid or '(no Sid)')}</b> {html.escape(statement.title)}"
    if statement.when:
        yield f'<span class="when">only if {html.escape(statement.when)}</span>'
    if statement.apart:
        yield '<span class="apart">in a policy of its own, to close no circle</span>'
    yield "</summary>"
    yield f'<p class="actions">{" ".join(f"<code>{html.escape(action)}</code>" for action in statement.actions)}</p>'
    yield '<ul class="resources">'
    for resource in statement.resources:
        context = f" for <code>{_breakable(resource.context)}</code>" if resource.context else ""
        yield f'<li>on <code class="arn">{_breakable(resource.arn)}</code>{context}<ul>'
        for reason in resource.reasons:
            held = f' <span class="when">if {html.escape(reason.when)}</span>' if reason.when else ""
            yield (
                f"<li><b>{html.escape(reason.who)}</b> {_breakable(reason.what)}{held} "
                f'<span class="place">line {reason.line}</span></li>'
            )
        yield "</ul></li>"
    yield "</ul>"
    yield from (f'<p class="condition">where <code>{_breakable(said)}</code></p>' for said in statement.conditions)
    if statement.docs:
        yield f"<p>{_link(statement.docs)}</p>"
    yield "</details>"


def _breakable(value: str) -> str:
    """Text that a narrow screen may break behind the marks of an ARN or a path."""
    escaped = html.escape(value)
    for mark in (":", "/", ".", "}"):
        escaped = escaped.replace(mark, f"{mark}<wbr>")
    return escaped


def _link(url: str) -> str:
    return f'<a href="{_attribute(url)}" rel="noreferrer">AWS documentation</a>'
