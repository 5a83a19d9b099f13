"""What a probe reports about a target."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.preflight.aws import Aws, CallError, Failure
from ecs_exec_role.preflight.report import OK, Status, Verdict
from ecs_exec_role.preflight.targets import Scope, Target


class Observation(NamedTuple):
    """The verdict on a target, its full `arn`, and the `key` that it is encrypted with, if known."""

    verdict: Verdict
    arn: str | None = None
    key: str | None = None
    perhaps_elsewhere: bool = False


Observations = Mapping[Target, Observation]


def _nothing_else(_target: Target, _principal: str) -> str:
    return ""


class Probe(NamedTuple):
    """How one kind of target is looked up.

    `together` gives the same value for targets of one `observe`. `policy` is the policy with which the owner of a
    target in another account allows the role, `statement` the actions and resources that it must contain, and `also`
    what else that owner must do.
    """

    observe: Callable[[Aws, Scope, Sequence[Target]], Observations]
    together: Callable[[Target], Hashable]
    policy: str
    statement: Callable[[Target, Scope], str]
    also: Callable[[Target, str], str] = _nothing_else


SOUND = Observation(OK)
_LATE = "the check's time was over"
NOT_OBSERVED = Observation(
    Verdict(Status.UNKNOWN, "not checked before the time of the check was over", "deploy again", unanswered=_LATE)
)


def absent(target: Target, fix: str = "create it, or correct the value") -> Observation:
    """The target does not exist."""
    return Observation(Verdict(Status.ABSENT, f"does not exist: {target}", fix))


def not_checked(error: CallError, target: Target, scope: Scope) -> Observation:
    """AWS did not answer."""
    if error.reason is Failure.DENIED and target.account != scope.account:
        return hidden(target, error.why)
    what = f"not checked: {target} ({error.why})"
    return Observation(Verdict(Status.UNKNOWN, what, error.fix, error.said, error.why))


def hidden(target: Target, unanswered: str = "") -> Observation:
    """The target is in another account, and cannot be read from this one. What its owner must do is added later."""
    what = f"cannot be checked from here: {target}"
    return Observation(Verdict(Status.ELSEWHERE, what, unanswered=unanswered))


def whole(target: Target) -> Hashable:
    """For kinds whose targets are looked up one by one."""
    return target


def one_by_one(
    observe: Callable[[Aws, Scope, Target], Observation],
) -> Callable[[Aws, Scope, Sequence[Target]], Observations]:
    """A probe of a single target as one of several."""

    def all_of(aws: Aws, scope: Scope, targets: Sequence[Target]) -> Observations:
        return {target: observe(aws, scope, target) for target in targets}

    return all_of
