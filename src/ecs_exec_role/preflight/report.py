"""What the check found, as data: a verdict on the permission and on the thing itself, for every need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from ecs_exec_role.preflight.needs import Need

NETWORK = "what is left is the network: routes, VPC endpoints, security groups"


class Status(StrEnum):
    """How one question was answered. The first three fail a stack; the next two are for a person to judge."""

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
    """A status, `what` is so, and the `fix`: what to do about it."""

    status: Status
    what: str = ""
    fix: str = ""


OK = Verdict(Status.OK)


class Finding(NamedTuple):
    """One line for the user; `places` is every path that it is true of."""

    verdict: Verdict
    places: tuple[str, ...]

    def __str__(self) -> str:
        more = f" (and {len(self.places) - 1} more)" if len(self.places) > 1 else ""
        fix = f"; {self.verdict.fix}" if self.verdict.fix else ""
        return f"{self.places[0]}{more}: {self.verdict.what}{fix}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The verdicts on one need. `existence` is None where there is nothing to look at."""

    need: Need
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
class Report:
    """The whole check of one role: `results` in the order of the needs, `role` what is said of the role itself."""

    role_arn: str
    results: tuple[Result, ...]
    role: tuple[Verdict, ...] = ()
    calls: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is not in order, each said once, the most important first."""
        places: dict[Verdict, list[str]] = {}
        for verdict, path in self._said():
            if verdict.status is not Status.OK and path not in places.setdefault(verdict, []):
                places[verdict].append(path)
        order = list(Status)
        found = [Finding(verdict, tuple(paths)) for verdict, paths in places.items()]
        return tuple(sorted(found, key=lambda finding: order.index(finding.verdict.status)))

    def _said(self) -> Iterator[tuple[Verdict, str]]:
        for verdict in self.role:
            yield verdict, self.role_arn
        for result in self.results:
            for verdict in result.verdicts:
                yield verdict, result.need.path

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict.status.fails)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict.status.warns)

    @property
    def failed(self) -> bool:
        return any(result.status.fails for result in self.results) or any(v.status.fails for v in self.role)

    def count(self, status: Status) -> int:
        """How many needs have this as their worst verdict."""
        return sum(result.status is status for result in self.results)

    @property
    def summary(self) -> str:
        """The report in one sentence."""
        total, sound = len(self.results), self.count(Status.OK)
        name = self.role_arn.rpartition("/")[2]
        needs = "1 need" if total == 1 else f"{total} needs"
        if self.failed:
            unmet = sum(result.status.fails for result in self.results)
            if not unmet:
                return f"Role {name} cannot be used by a task"
            return f"{unmet} of {needs} of role {name} {'is' if unmet == 1 else 'are'} not met"
        if sound == total and not self.role:
            those = f"The {needs} of role {name} is" if total == 1 else f"All {needs} of role {name} are"
            return f"{those} permitted and in place; if a task still does not start, {NETWORK}"
        return (
            f"{sound} of {needs} of role {name} are permitted and in place, {total - sound} could not be settled from "
            f"here; beyond what the warnings say, {NETWORK}"
        )

    def as_record(self) -> dict[str, object]:
        """The report for a log: plain JSON values, every need in it."""
        return {
            "role": self.role_arn,
            "summary": self.summary,
            "failed": self.failed,
            "counts": {str(status): self.count(status) for status in Status},
            "role_verdicts": [_record(verdict) for verdict in self.role],
            "needs": [
                {
                    "path": result.need.path,
                    "sid": result.need.sid,
                    "kind": result.need.kind,
                    "target": result.need.target,
                    "actions": list(result.need.actions),
                    "permission": _record(result.permission),
                    "existence": None if result.existence is None else _record(result.existence),
                }
                for result in self.results
            ],
            "calls": dict(sorted(self.calls.items())),
            "seconds": round(self.seconds, 3),
        }


def _record(verdict: Verdict) -> dict[str, str]:
    said = {"what": verdict.what, "fix": verdict.fix}
    return {"status": str(verdict.status), **{key: text for key, text in said.items() if text}}
