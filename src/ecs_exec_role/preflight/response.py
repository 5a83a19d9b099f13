"""A report in the form of CloudFormation's custom resource protocol: a status, a reason and some data, in 4,096 bytes.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ecs_exec_role.errors import Problem, one_line
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.preflight.report import RoleCheck, Status

LIMIT = 4096
"""Bytes of a response; CloudFormation refuses a longer one."""

SUCCESS, FAILED = "SUCCESS", "FAILED"
# More lines than this never fit.
_MOST_LINES = 200
_LONGEST_LINE = 3000
_LONGEST_SUMMARY = 1500


class Answer(NamedTuple):
    """What the answer says; `lines` are for the user, the most important first. They can be cut to fit."""

    status: str
    summary: str
    lines: tuple[str, ...] = ()
    counts: Mapping[str, str] = {}


def answer(report: RoleCheck, mode: str) -> Answer:
    """The answer to a report: a failure fails the resource, unless the mode is `Warn`.

    A check without any answer from AWS is not a success.
    """
    wrong = report.failed or report.nothing_checked
    status = FAILED if wrong and mode != "Warn" else SUCCESS
    counts = {
        "Needs": str(len(report.results)),
        "Sound": str(report.count(Status.OK)),
        "Failures": str(len(report.failures)),
        "WarningCount": str(len(report.warnings)),
    }
    lines = report.failures if status == FAILED and report.failed else report.findings
    return Answer(status, report.summary, tuple(map(str, lines)), counts)


def mistaken(problems: Sequence[Problem], mode: str) -> Answer:
    """The answer if the properties cannot be read."""
    status = SUCCESS if mode == "Warn" else FAILED
    return Answer(status, "The preflight's properties cannot be read", tuple(map(str, problems)))


def warned(said: Answer, why: str) -> Answer:
    """The same without failing the resource, and with the reason for that first."""
    return said._replace(status=SUCCESS, lines=(why, *said.lines))


def body(envelope: Mapping[str, object], said: Answer, *, log: str) -> bytes:
    """The response, without the lines that exceed the limit; it says how many these are, and that `log` has them."""
    total = len(said.lines)
    said = said._replace(
        summary=_cut(one_line(said.summary), _LONGEST_SUMMARY),
        lines=tuple(_cut(one_line(line), _LONGEST_LINE) for line in said.lines[:_MOST_LINES]),
    )

    def with_lines(lines: Sequence[str]) -> bytes:
        left = total - len(lines)
        return _body(envelope, said, [*lines, f"… and {left} more, in {log}"] if left else lines)

    # The most lines that fit: more lines are never shorter.
    fits, too_many = 0, len(said.lines) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if len(with_lines(said.lines[:middle])) <= LIMIT else (fits, middle)
    text = with_lines(said.lines[:fits])
    if fits == 0 and said.lines:
        room = LIMIT - len(text)
        if room > 200:
            # A shorter line would say nothing. A character can need several bytes, or an escape.
            shorter = (said.lines[0][: room // part - 10] for part in (1, 2, 4, 6))
            text = next((cut for line in shorter if len(cut := with_lines([f"{line}…"])) <= LIMIT), text)
    if len(text) > LIMIT:
        # Not even the summary fits with the IDs; CloudFormation still needs an answer.
        text = _body(envelope, said._replace(summary=said.summary[:200], counts={}), [])
    return text


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


def _body(envelope: Mapping[str, object], said: Answer, lines: Sequence[str]) -> bytes:
    warnings = "\n".join(lines)
    reason = f"{said.summary}:\n{warnings}" if lines and said.status == FAILED else said.summary
    data = {"Summary": said.summary, **said.counts}
    if said.status == SUCCESS:
        data["Warnings"] = warnings
    content = {**envelope, "Status": said.status, "Reason": reason, "NoEcho": False, "Data": data}
    # Characters that UTF-8 cannot encode are replaced: no valid ID contains one.
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
