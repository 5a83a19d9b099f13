"""Log groups of CloudWatch Logs."""

from __future__ import annotations

from ecs_exec_role.preflight.aws import Aws, CallError
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
from ecs_exec_role.preflight.targets import Scope, Target


def _observe(aws: Aws, scope: Scope, target: Target) -> Observation:
    """Names are listed in order, so the first name with a prefix is the prefix itself.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
    """
    if target.account != scope.account:
        return hidden(target)
    try:
        found = aws.call("logs", target.region, "DescribeLogGroups", logGroupNamePrefix=target.name, limit=1)
        exists = any(group.text("logGroupName", "") == target.name for group in found.replies("logGroups"))
    except CallError as error:
        return not_checked(error, target, scope)
    return SOUND if exists else absent(target, "create it, or set awslogs-create-group to true")


PROBE = Probe(
    observe=one_by_one(_observe),
    together=whole,
    policy="its policy",
    statement=lambda _target, _scope: '["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"',
)
