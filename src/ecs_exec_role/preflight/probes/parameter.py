"""Parameters of SSM Parameter Store: whether one exists, and with which key it is encrypted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from ecs_exec_role.preflight.aws import Aws, CallError, Reply
from ecs_exec_role.preflight.probes.observation import Observation, Observations, Probe, absent, not_checked
from ecs_exec_role.preflight.report import OK, Status, Verdict
from ecs_exec_role.preflight.targets import Scope, Target

_MOST_NAMES = 50


def _observe(aws: Aws, scope: Scope, targets: Sequence[Target]) -> Observations:
    """The values are not read.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
    """
    mine = [target for target in targets if target.account == scope.account]
    names = sorted({name for target in mine for name in _spellings(target.name)})
    seen: dict[Target, Observation] = {target: _elsewhere(target) for target in targets if target not in set(mine)}
    found: dict[str, Reply] = {}
    failed: dict[str, CallError] = {}
    for start in range(0, len(names), _MOST_NAMES):
        some = names[start : start + _MOST_NAMES]
        try:
            found |= _described(aws, targets[0].region, some)
        except CallError as error:
            failed |= dict.fromkeys(some, error)
    for target in mine:
        seen[target] = _observation(target, scope, found, failed)
    return seen


def _described(aws: Aws, region: str, names: Sequence[str]) -> dict[str, Reply]:
    filters = [{"Key": "Name", "Option": "Equals", "Values": list(names)}]
    pages = aws.pages(
        "ssm", region, "DescribeParameters", next_page="NextToken", ParameterFilters=filters, MaxResults=_MOST_NAMES
    )
    return {parameter.text("Name"): parameter for page in pages for parameter in page.replies("Parameters")}


def _observation(
    target: Target, scope: Scope, found: Mapping[str, Reply], failed: Mapping[str, CallError]
) -> Observation:
    for name in _spellings(target.name):
        if name in found:
            slash = "" if name.startswith("/") else "/"
            arn = f"arn:{scope.partition}:ssm:{target.region}:{target.account}:parameter{slash}{name}"
            secure = found[name].raw("Type") == "SecureString"
            key = found[name].raw("KeyId") if secure else None
            return Observation(OK, arn, key if isinstance(key, str) else None)
    for name in _spellings(target.name):
        if name in failed:
            return not_checked(failed[name], target, scope)
    return absent(target)


def _elsewhere(target: Target) -> Observation:
    what = f"cannot be checked from here: {target}, account {target.account}"
    fix = "copy it into this account, or use a secret: ECS reads no parameter of another account"
    return Observation(Verdict(Status.ELSEWHERE, what, fix))


def _spellings(name: str) -> tuple[str, ...]:
    """For IAM, a name is the same with and without its single leading slash, but not for Parameter Store."""
    bare = name.lstrip("/")
    return (f"/{bare}",) if "/" in bare else (name, bare if name.startswith("/") else f"/{bare}")


def _together(target: Target) -> Hashable:
    return target.region


PROBE = Probe(
    observe=_observe,
    together=_together,
    policy="its policy",
    statement=lambda _target, _scope: '"ssm:GetParameters","Resource":"*"',
)
