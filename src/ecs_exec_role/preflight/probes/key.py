"""Keys of KMS: whether one exists and can be used."""

from __future__ import annotations

from ecs_exec_role.preflight.aws import Aws, CallError
from ecs_exec_role.preflight.probes.observation import (
    Observation,
    Probe,
    absent,
    hidden,
    not_checked,
    one_by_one,
    whole,
)
from ecs_exec_role.preflight.report import OK, Status, Verdict
from ecs_exec_role.preflight.targets import Scope, Target

_FIXES = {
    "Disabled": "enable it (aws kms enable-key)",
    "PendingDeletion": "cancel the deletion (aws kms cancel-key-deletion) and enable it",
}


def _observe(aws: Aws, scope: Scope, target: Target) -> Observation:
    """https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html."""
    try:
        found = aws.call("kms", target.region, "DescribeKey", KeyId=target.name).reply("KeyMetadata")
        arn, state = found.text("Arn"), found.text("KeyState", "Enabled")
    except CallError as error:
        if error.code != "NotFoundException":
            return not_checked(error, target, scope)
        return absent(target) if target.account == scope.account else hidden(target)
    if state in ("Enabled", "Creating", "Updating"):
        # A key that AWS manages for a service needs no grant; that is told by having no `key`.
        return Observation(OK, arn, None if found.raw("KeyManager") == "AWS" else arn)
    fix = _FIXES.get(state, "bring it back to the state Enabled")
    return Observation(Verdict(Status.UNFIT, f"not usable: {target} is in state {state}", fix), arn, arn)


PROBE = Probe(
    observe=one_by_one(_observe),
    together=whole,
    policy="the key policy",
    statement=lambda _target, _scope: '"kms:Decrypt","Resource":"*"',
)
