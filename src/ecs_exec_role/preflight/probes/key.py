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

_USABLE = ("Enabled", "Creating", "Updating")
_FIXES = {
    "Disabled": "enable it (aws kms enable-key)",
    "PendingDeletion": "cancel the deletion (aws kms cancel-key-deletion) and enable it",
    "PendingImport": "import its key material (aws kms import-key-material)",
    "PendingReplicaDeletion": "cancel the deletion (aws kms cancel-key-deletion) and enable it",
    "Unavailable": "connect its custom key store (aws kms connect-custom-key-store)",
}


def _observe(aws: Aws, scope: Scope, target: Target) -> Observation:
    """https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html."""
    try:
        found = aws.call("kms", target.region, "DescribeKey", KeyId=target.name).reply("KeyMetadata")
        arn, state = found.text("Arn"), found.text("KeyState", "Enabled")
        if state not in (*_USABLE, *_FIXES):
            raise found.unreadable("KeyState")
    except CallError as error:
        if error.code != "NotFoundException":
            return not_checked(error, target, scope)
        return absent(target) if target.account == scope.account else hidden(target)
    if state in _USABLE:
        # A key that AWS manages needs no grant, so the observation has no `key`.
        return Observation(OK, arn, None if found.raw("KeyManager") == "AWS" else arn)
    return Observation(Verdict(Status.UNFIT, f"not usable: {target} is in state {state}", _FIXES[state]), arn, arn)


PROBE = Probe(
    observe=one_by_one(_observe),
    together=whole,
    policy="the key policy",
    statement=lambda _target, _scope: '"kms:Decrypt","Resource":"*"',
)
