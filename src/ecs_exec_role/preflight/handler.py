"""The Lambda function behind `Custom::EcsExecRolePreflight`.

Environment: `POWERTOOLS_LOG_LEVEL`, `POWERTOOLS_SERVICE_NAME`; `PREFLIGHT_PATIENCE`, the seconds for which a refusal is
asked again; `PREFLIGHT_RESPONSE_ORIGINS`, other origins than CloudFormation's for answers (an emulator's).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

# What is imported stays until the function ends: the garbage collector would look at it several times during the cold
# start, and again and again afterwards.
gc.disable()
try:
    import boto3
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.metrics import MetricUnit
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from ecs_exec_role.preflight.arns import parse_arn
    from ecs_exec_role.preflight.aws import Aws
    from ecs_exec_role.preflight.check import check
    from ecs_exec_role.preflight.custom_resource import NotDeliveredError, PreflightResource
    from ecs_exec_role.preflight.needs import Request, read_request
    from ecs_exec_role.preflight.report import MAX_RECORDED, RoleCheck
    from ecs_exec_role.preflight.response import FAILED, SUCCESS, Answer, answer, mistaken
    from ecs_exec_role.preflight.stack import NotKnown, OwnStack
finally:
    gc.freeze()
    gc.enable()

# A role is usually known everywhere about ten seconds after its creation.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
PATIENCE = 15.0
# Kept of the function's time for the report's log record and for delivering the answer: at most so many seconds, and of
# a short time this share.
_RESERVE = 45.0
_RESERVED_SHARE = 0.4
_SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "ecs-exec-role-preflight")

logger = Logger(service=_SERVICE)
metrics = Metrics(namespace="EcsExecRole", service=_SERVICE)
resource = PreflightResource(logger)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True, log_event=False)
def handler(event: Any, context: LambdaContext) -> None:
    """Answers one request of CloudFormation, of any kind.

    Raises:
        NotDeliveredError: CloudFormation has no answer, so Lambda must invoke the function again.
    """
    if not isinstance(event, dict):
        metrics.add_metric("Undelivered", MetricUnit.Count, 1)
        reason = "the event is not a mapping"
        raise NotDeliveredError(reason)
    logger.append_keys(stack_id=event.get("StackId"), logical_id=event.get("LogicalResourceId"))
    try:
        resource(event, context)
    except NotDeliveredError:
        metrics.add_metric("Undelivered", MetricUnit.Count, 1)
        raise
    metrics.add_metric("Answers", MetricUnit.Count, 1)


@resource.create
@resource.update
def create_or_update(event: dict[str, Any], context: LambdaContext) -> str:
    """Checks again at each update: what existed at the last deployment may not exist now."""
    own = parse_arn(str(context.invoked_function_arn))
    partition, account = (own.partition, own.account) if own else ("", "")
    request = read_request(event.get("ResourceProperties"), partition=partition, account=account)
    resource.mode = request.mode
    if request.problems:
        logger.error("The properties cannot be read", problems=[str(problem) for problem in request.problems])
        resource.said = resource.unless_rolling_back(mistaken(request.problems, request.mode))
    else:
        resource.said = _checked(event, request)
    return resource.generate_physical_id(event)


@resource.delete
def delete(event: dict[str, Any], _context: LambdaContext) -> str:
    """There is nothing to delete."""
    resource.said = Answer(SUCCESS, "A preflight leaves nothing behind")
    return resource.generate_physical_id(event)


@cache
def _session() -> boto3.session.Session:
    """One for the life of the container: it keeps the API models that it has read."""
    return boto3.session.Session()


def _checked(event: Mapping[str, Any], request: Request) -> Answer:
    stack = OwnStack(str(event.get("StackId", "")))
    # The macro derives the name of the check from its role.
    role = str(event.get("LogicalResourceId", "")).removesuffix("Preflight")
    reserve = min(_RESERVE, resource.remaining * _RESERVED_SHARE)
    report = check(
        request.role_arn,
        request.needs,
        _session(),
        region=stack.region or None,
        patience=_patience(),
        seconds=max(0.5, resource.remaining - reserve),
        owned=lambda aws: stack.owns(aws, role, request.role_arn),
    )
    said = resource.unless_rolling_back(answer(report, request.mode))
    _record(report, request.mode, said.status)
    return said


def _patience() -> float:
    try:
        return float(os.environ.get("PREFLIGHT_PATIENCE") or PATIENCE)
    except ValueError:
        logger.warning("PREFLIGHT_PATIENCE is not a number of seconds", used=PATIENCE)
        return PATIENCE


def _record(report: RoleCheck, mode: str, status: str) -> None:
    """Logs the report, and counts what is not known."""
    metrics.add_metric("Unsettled", MetricUnit.Count, report.unsettled)
    if status == FAILED:
        metrics.add_metric("Failures", MetricUnit.Count, 1)
    wrong = report.failed or report.nothing_checked
    log = logger.info if not report.findings else logger.error if wrong else logger.warning
    log("preflight", report=report.as_record(MAX_RECORDED), mode=mode, status=status)


def _rolling_back(event: Mapping[str, Any]) -> bool | NotKnown:
    return OwnStack(str(event.get("StackId", ""))).rolling_back(Aws(_session()))


resource.find_out_rolling_back = _rolling_back
