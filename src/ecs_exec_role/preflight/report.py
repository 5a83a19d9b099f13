"""The result of a check as data: for every need a verdict on the permission and one on the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ecs_exec_role.errors import one_line
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.preflight.needs import CheckedNeed

NETWORK = "what is left is the network: routes, VPC endpoints, security groups"
MAX_RECORDED = 150
"""The most needs in a log record; CloudWatch Logs accepts 256 KB for one event."""

_MAX_RECORDED_TEXT = 400
_MAX_REASONS = 8


class Status(StrEnum):
    """The answer to one question. The first three fail a stack; a person must judge the next two."""

    DENIED = "denied"
    ABSENT = "absent"
    UNFIT = "unfit"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"
    OK = "ok"

    @property
    def fails(self) -> bool:
        return self in (Status.DENIED, Status.ABSENT, Status.UNFIT)

    @property
    def warns(self) -> bool:
        return self in (Status.ELSEWHERE, Status.UNKNOWN)


class Verdict(NamedTuple):
    """A status, `what` is wrong or not known, and the `fix`.

    `detail` names things that are not in the template (a policy that denies, AWS's text); it is for the log and for
    people who run the check with their own credentials. `unanswered` is why AWS gave no answer, if it gave none.
    """

    status: Status
    what: str = ""
    fix: str = ""
    detail: str = ""
    unanswered: str = ""


OK = Verdict(Status.OK)


class ReportLine(NamedTuple):
    """One line for the user; `places` are the paths that it is about."""

    verdict: Verdict
    places: tuple[str, ...]

    def __str__(self) -> str:
        more = f" (and {len(self.places) - 1} more)" if len(self.places) > 1 else ""
        fix = f"; {self.verdict.fix}" if self.verdict.fix else ""
        return one_line(f"{self.places[0]}{more}: {self.verdict.what}{fix}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The verdicts on one need. `existence` is None where there is no target to check."""

    need: CheckedNeed
    permission: Verdict
    existence: Verdict | None = None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return (self.permission,) if self.existence is None else (self.permission, self.existence)

    @property
    def status(self) -> Status:
        """The worst of the verdicts."""
        order = list(Status)
        return min((verdict.status for verdict in self.verdicts), key=order.index)


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleCheck:
    """The whole check of one role: `results` in the order of the needs, and the verdicts on the `role` itself."""

    role_arn: str
    results: tuple[Result, ...]
    role: tuple[Verdict, ...] = ()
    calls: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def findings(self) -> tuple[ReportLine, ...]:
        """The problems, each once, the most important first."""
        places: dict[tuple[Status, str, str], dict[str, None]] = {}
        verdicts: dict[tuple[Status, str, str], Verdict] = {}
        for verdict, path in self._said():
            if verdict.status is not Status.OK:
                verdicts.setdefault(verdict[:3], verdict)
                places.setdefault(verdict[:3], {})[path] = None
        order = list(Status)
        found = [ReportLine(verdicts[key], tuple(paths)) for key, paths in places.items()]
        return tuple(sorted(found, key=lambda finding: order.index(finding.verdict.status)))

    def _said(self) -> Iterator[tuple[Verdict, str]]:
        for verdict in self.role:
            yield verdict, self.role_arn
        for result in self.results:
            for verdict in result.verdicts:
                yield verdict, result.need.path

    @property
    def failures(self) -> tuple[ReportLine, ...]:
        return tuple(finding for finding in self.findings if finding.verdict.status.fails)

    @property
    def warnings(self) -> tuple[ReportLine, ...]:
        return tuple(finding for finding in self.findings if finding.verdict.status.warns)

    @property
    def failed(self) -> bool:
        """Whether anything is certainly wrong."""
        return any(result.status.fails for result in self.results) or any(v.status.fails for v in self.role)

    @property
    def nothing_checked(self) -> bool:
        """Whether AWS answered no question. There may be no questions about other accounts."""
        verdicts = [v for result in self.results for v in result.verdicts] or list(self.role)
        unsettled = all(verdict.unanswered or verdict.status is Status.ELSEWHERE for verdict in verdicts)
        return unsettled and any(verdict.unanswered for verdict in verdicts)

    @property
    def unsettled(self) -> int:
        """The number of needs with something unknown because AWS did not answer."""
        return sum(any(verdict.unanswered for verdict in result.verdicts) for result in self.results)

    def count(self, status: Status) -> int:
        """The number of needs with this as their worst verdict."""
        return sum(result.status is status for result in self.results)

    @property
    def summary(self) -> str:
        """The report in one sentence."""
        total, sound = len(self.results), self.count(Status.OK)
        name = one_line(self.role_arn.rpartition("/")[2])
        needs = "1 need" if total == 1 else f"{total} needs"
        if self.nothing_checked and not self.failed:
            return f"Nothing could be checked: {self._reasons()}"
        if self.failed:
            unmet = sum(result.status.fails for result in self.results)
            if not unmet:
                return f"Role {name} cannot be used by a task"
            return f"{unmet} of {needs} of role {name} {'is' if unmet == 1 else 'are'} not met"
        if not total and not self.role:
            return f"The tasks of role {name} need nothing that can be checked; if one does not start, {NETWORK}"
        if sound == total and not self.role:
            those = f"The {needs} of role {name} is" if total == 1 else f"All {needs} of role {name} are"
            return f"{those} permitted and in place; if a task still does not start, {NETWORK}"
        return (
            f"{sound} of {needs} of role {name} are permitted and in place, {total - sound} could not be decided from "
            f"here; apart from the warnings, {NETWORK}"
        )

    def _reasons(self) -> str:
        """Why nothing is known, with each reason once, and what to do."""
        all_verdicts = [verdict for result in self.results for verdict in result.verdicts] or list(self.role)
        verdicts = [verdict for verdict in all_verdicts if verdict.unanswered]
        reasons = list(dict.fromkeys(verdict.unanswered for verdict in verdicts))
        fixes = list(dict.fromkeys(verdict.fix for verdict in verdicts if verdict.fix))
        more = f", and {len(reasons) - _MAX_REASONS} more reasons" if len(reasons) > _MAX_REASONS else ""
        return one_line(f"{', '.join(reasons[:_MAX_REASONS])}{more}; {', '.join(fixes[:_MAX_REASONS])}")

    def as_record(self, most: int | None = None) -> dict[str, object]:
        """The report as plain JSON values.

        Args:
            most: how many needs to describe, the worst first; None for all of them in their order.
        """
        results = self.results
        if most is not None and len(results) > most:
            order = list(Status)
            results = tuple(sorted(results, key=lambda result: order.index(result.status))[:most])
        return {
            "role": self.role_arn,
            "summary": self.summary,
            "failed": self.failed,
            "nothing_checked": self.nothing_checked,
            "unsettled": self.unsettled,
            "counts": {str(status): self.count(status) for status in Status},
            "role_verdicts": [_record(verdict, most) for verdict in self.role],
            "needs": [
                {
                    "path": _cut(result.need.path, most),
                    "sid": _cut(result.need.sid, most),
                    "kind": result.need.kind,
                    "target": _cut(result.need.target, most),
                    "actions": list(result.need.actions if most is None else result.need.actions[:10]),
                    "permission": _record(result.permission, most),
                    "existence": None if result.existence is None else _record(result.existence, most),
                }
                for result in results
            ],
            "needs_not_listed": len(self.results) - len(results),
            "calls": dict(sorted(self.calls.items())),
            "seconds": round(self.seconds, 3),
        }


def _record(verdict: Verdict, most: int | None) -> dict[str, str]:
    said = {"what": verdict.what, "fix": verdict.fix, "detail": verdict.detail}
    return {"status": str(verdict.status), **{key: _cut(text, most) for key, text in said.items() if text}}


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= _MAX_RECORDED_TEXT else f"{text[:_MAX_RECORDED_TEXT]}…"
