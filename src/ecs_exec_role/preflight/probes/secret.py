"""Secrets of Secrets Manager: whether one exists, is not scheduled for deletion, and has a value."""

from __future__ import annotations

import re

from ecs_exec_role.preflight.aws import Aws, CallError, Reply
from ecs_exec_role.preflight.probes.observation import (
    SOUND,
    Observation,
    Probe,
    absent,
    hidden,
    not_checked,
    one_by_one,
    whole,
)
from ecs_exec_role.preflight.report import Status, Verdict
from ecs_exec_role.preflight.targets import Scope, Target

_ENDS_LIKE_A_SUFFIX = re.compile(r"arn:[^:]+:secretsmanager:[^:]*:[0-9]*:secret:(.+-[A-Za-z0-9]{6})")


def _observe(aws: Aws, scope: Scope, target: Target) -> Observation:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html."""
    try:
        found = aws.call("secretsmanager", target.region, "DescribeSecret", SecretId=target.name)
        arn, key = found.text("ARN"), found.text("KmsKeyId", "") or None
        verdict = _verdict(found, target)
    except CallError as error:
        if error.code == "ResourceNotFoundException":
            return _none(aws, scope, target)
        return not_checked(error, target, scope)
    return Observation(verdict, arn, key)


def _verdict(found: Reply, target: Target) -> Verdict:
    if "DeletedDate" in found:
        fix = "restore it (aws secretsmanager restore-secret), or name another"
        return Verdict(Status.UNFIT, f"not usable: {target} is scheduled for deletion", fix)
    versions = found.maybe("VersionIdsToStages")
    stage, _, version = target.detail.partition(":")
    if version:
        if version in versions:
            return SOUND.verdict
        fix = "correct the version ID, or remove it"
        return Verdict(Status.ABSENT, f"does not exist: version {version} of {target}", fix)
    if any((stage or "AWSCURRENT") in versions.texts(name) for name in versions.names()):
        return SOUND.verdict
    if stage:
        what = f"does not exist: a version {stage} of {target}"
        return Verdict(Status.ABSENT, what, "correct the version stage")
    fix = "put a value into it (aws secretsmanager put-secret-value)"
    return Verdict(Status.UNFIT, f"not usable: {target} has no value yet", fix)


def _none(aws: Aws, scope: Scope, target: Target) -> Observation:
    if target.account != scope.account:
        return hidden(target)
    # An ARN without the random suffix is read as a complete one if its name ends like a suffix; ECS would fail too.
    name = _ENDS_LIKE_A_SUFFIX.fullmatch(target.name)
    if name:
        try:
            aws.call("secretsmanager", target.region, "DescribeSecret", SecretId=name[1])
        except CallError:
            return absent(target)
        command = f"aws secretsmanager describe-secret --secret-id {name[1]} --query ARN"
        what = f"does not exist: {target}, read as a complete ARN since its name ends like a suffix"
        return Observation(Verdict(Status.ABSENT, what, f"write its complete ARN ({command})"))
    return absent(target)


PROBE = Probe(
    observe=one_by_one(_observe),
    together=whole,
    policy="the secret's resource policy",
    statement=lambda _target, _scope: '"secretsmanager:GetSecretValue","Resource":"*"',
)
