"""The Lambda function behind `Custom::EcsExecRolePreflight`.

Environment: `POWERTOOLS_LOG_LEVEL`, and `PREFLIGHT_PATIENCE`, the seconds for which a refusal is asked again.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from ecs_exec_role.preflight.answer import FAILED, SUCCESS, Answer, answer, mistaken
from ecs_exec_role.preflight.arns import parse_arn
from ecs_exec_role.preflight.check import check
from ecs_exec_role.preflight.client import Account
from ecs_exec_role.preflight.needs import Request, read_request
from ecs_exec_role.preflight.resource import LAST_RESORT, PreflightResource
from ecs_exec_role.preflight.things import Here

# A role is usually known everywhere within ten seconds or so of its creation.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
PATIENCE = 15.0
# Kept back from the function's time for the report's log record and the answer.
_RESERVE = LAST_RESORT + 3.0

logger = Logger(service="ecs-exec-role-preflight")
resource = PreflightResource(logger)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Answers one request of CloudFormation; never raises, whatever the event."""
    logger.append_keys(stack_id=event.get("StackId"), logical_id=event.get("LogicalResourceId"))
    resource(event, context)


@resource.create
@resource.update
def create_or_update(event: dict[str, Any], context: LambdaContext) -> str:
    """Checks, always anew: what was there at the last deployment may be gone by now."""
    request = read_request(event.get("ResourceProperties"))
    resource.mode = request.mode
    if request.problems:
        logger.error("The properties cannot be read", problems=[str(problem) for problem in request.problems])
        resource.said = mistaken(request.problems, request.mode)
    else:
        resource.said = _checked(event, request, context)
    return resource.generate_physical_id(event)


@resource.delete
def delete(event: dict[str, Any], _context: LambdaContext) -> str:
    """There is nothing to delete."""
    resource.said = Answer(SUCCESS, "A preflight leaves nothing behind")
    return resource.generate_physical_id(event)


@cache
def _session() -> boto3.session.Session:
    """One for as long as the container lives: what it has read of AWS's APIs it keeps."""
    return boto3.session.Session()


def _checked(event: dict[str, Any], request: Request, context: LambdaContext) -> Answer:
    session = _session()
    seconds = max(1.0, context.get_remaining_time_in_millis() / 1000 - _RESERVE)
    region = str(event.get("StackId", "")).split(":")[3:4]
    report = check(
        request.role_arn,
        request.needs,
        session,
        region=region[0] if region else None,
        patience=float(os.environ.get("PREFLIGHT_PATIENCE", PATIENCE)),
        seconds=seconds,
    )
    said = answer(report, request.mode)
    if (
        said.status == FAILED
        and event.get("RequestType") == "Update"
        and _rolling_back(event, session, request.role_arn)
    ):
        # To fail here would leave the stack in UPDATE_ROLLBACK_FAILED, and what it goes back to has run before.
        said = answer(report, "Warn")
    log = logger.info if not report.findings else logger.error if report.failed else logger.warning
    log("preflight", report=report.as_record(), mode=request.mode, status=said.status)
    return said


def _rolling_back(event: dict[str, Any], session: boto3.session.Session, role_arn: str) -> bool:
    stack_id = str(event.get("StackId"))
    arn = parse_arn(stack_id)
    if arn is None:
        return False
    return Account(session, role_arn, Here(arn.partition, arn.account, arn.region)).rolling_back(stack_id)
