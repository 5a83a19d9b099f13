"""A report as CloudFormation's custom resource protocol takes it: a status, a reason and some data, in 4,096 bytes.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ecs_exec_role.errors import Problem
from ecs_exec_role.preflight.report import Report, Status

LIMIT = 4096
SUCCESS, FAILED = "SUCCESS", "FAILED"


class Answer(NamedTuple):
    """What is to be said; `lines` are for the user, the most important first, and may have to be cut to fit."""

    status: str
    summary: str
    lines: tuple[str, ...] = ()
    counts: Mapping[str, str] = {}


def answer(report: Report, mode: str) -> Answer:
    """The answer to a report: what fails fails the resource, unless the mode is `Warn`."""
    status = FAILED if report.failed and mode != "Warn" else SUCCESS
    counts = {
        "Needs": str(len(report.results)),
        "Sound": str(report.count(Status.OK)),
        "Failures": str(len(report.failures)),
        "WarningCount": str(len(report.warnings)),
    }
    lines = report.failures if status == FAILED else report.findings
    return Answer(status, report.summary, tuple(map(str, lines)), counts)


def mistaken(problems: Sequence[Problem], mode: str) -> Answer:
    """The answer where the properties cannot be read."""
    status = SUCCESS if mode == "Warn" else FAILED
    return Answer(status, "The preflight's properties cannot be read", tuple(map(str, problems)))


def body(envelope: Mapping[str, object], said: Answer, *, log: str) -> bytes:
    """The response, cut to the limit by whole lines, saying how many are missing and that `log` has them all."""
    kept = len(said.lines)
    while True:
        text = _body(envelope, said, _lines(said.lines, kept, log))
        if len(text) <= LIMIT:
            return text
        if kept == 0:
            # Not even the summary fits beside the IDs; CloudFormation still needs an answer.
            return _body(envelope, said._replace(summary=said.summary[:200], counts={}), [])
        kept -= 1
        if kept == 0 and said.lines:
            room = LIMIT - len(_body(envelope, said, _lines(said.lines, 1, log))) + len(said.lines[0])
            if room > 200:
                # Half a room, since a letter may take several bytes.
                short = said.lines[0][: room // 2] + "…"
                said = said._replace(lines=(short, *said.lines[1:]))
                kept = 1


def _lines(lines: Sequence[str], kept: int, log: str) -> list[str]:
    if kept == len(lines):
        return list(lines)
    return [*lines[:kept], f"… and {len(lines) - kept} more, in {log}"]


def _body(envelope: Mapping[str, object], said: Answer, lines: Sequence[str]) -> bytes:
    warnings = "\n".join(lines)
    reason = f"{said.summary}:\n{warnings}" if lines and said.status == FAILED else said.summary
    data = {"Summary": said.summary, **said.counts}
    if said.status == SUCCESS:
        data["Warnings"] = warnings
    content = {**envelope, "Status": said.status, "Reason": reason, "NoEcho": False, "Data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
