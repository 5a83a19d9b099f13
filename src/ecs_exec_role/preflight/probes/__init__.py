"""The probes: each checks whether targets of one kind exist, by their metadata. None reads a value or an object."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.preflight.aws import Aws
from ecs_exec_role.preflight.probes import image, key, log_group, parameter, s3_object, secret
from ecs_exec_role.preflight.probes.observation import Observation, Observations, Probe
from ecs_exec_role.preflight.report import OK, Status, Verdict
from ecs_exec_role.preflight.targets import Scope, Target, TargetKind

PROBES: dict[TargetKind, Probe] = {
    TargetKind.IMAGE: image.IMAGES,
    TargetKind.REPOSITORY: image.REPOSITORIES,
    TargetKind.RULE: image.RULES,
    TargetKind.SECRET: secret.PROBE,
    TargetKind.PARAMETER: parameter.PROBE,
    TargetKind.OBJECT: s3_object.OBJECTS,
    TargetKind.BUCKET: s3_object.BUCKETS,
    TargetKind.LOG_GROUP: log_group.PROBE,
    TargetKind.KEY: key.PROBE,
}


class Look(NamedTuple):
    """One observation to make: its targets, and the function that makes it."""

    targets: tuple[Target, ...]
    take: Callable[[], Observations]


def looks(aws: Aws, scope: Scope, role_arn: str, targets: Iterable[Target]) -> list[Look]:
    """The observations to make, as few as the APIs allow. They can run at the same time."""
    groups: dict[tuple[TargetKind, Hashable], list[Target]] = {}
    for target in sorted(set(targets)):
        groups.setdefault((target.kind, PROBES[target.kind].together(target)), []).append(target)
    return [Look(tuple(group), partial(_look, aws, scope, role_arn, tuple(group))) for group in groups.values()]


def _look(aws: Aws, scope: Scope, role_arn: str, targets: tuple[Target, ...]) -> Observations:
    probe = PROBES[targets[0].kind]
    seen = probe.observe(aws, scope, targets)
    return {target: _with_owner(probe, scope, role_arn, target, one) for target, one in seen.items()}


def _with_owner(probe: Probe, scope: Scope, role_arn: str, target: Target, seen: Observation) -> Observation:
    """Adds the statement that the owner of a target in another account must add to its policy.

    The target may exist and still refuse the role: the other account decides that.
    """
    verdict = seen.verdict
    principal = f'"Effect":"Allow","Principal":{{"AWS":"{role_arn}"}}'
    statement = f'{{{principal},"Action":{probe.statement(target, scope)}}}'
    if seen.perhaps_elsewhere:
        fix = f"{verdict.fix}; if it is in another account, {probe.policy} must contain {statement}"
        return seen._replace(verdict=verdict._replace(fix=fix))
    open_here = verdict is OK or (verdict.status is Status.ELSEWHERE and not verdict.fix)
    if target.account == scope.account or not open_here:
        return seen
    what = verdict.what or f"exists, but this check cannot see whether the role has access: {target}"
    fix = f"{probe.policy} in account {target.account} must contain {statement}{probe.also(target, principal)}"
    return seen._replace(verdict=Verdict(Status.ELSEWHERE, what, fix, verdict.detail, verdict.unanswered))
