"""The Lambda function behind the macro.

It logs and counts, and answers whatever happens: an exception would reach the user as "malformed response" alone.
Neither the fragment nor a parameter's value is ever logged.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.expand import Expansion, expand, failure, success
from ecs_exec_role.settings import from_environment
from ecs_exec_role.values import Json

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="EcsExecRole")
metrics = Metrics(namespace="EcsExecRole", service="EcsExecRole")


@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Json]:
    """Expands a template for CloudFormation.

    Args:
        event: a macro's request: `accountId`, `region`, `requestId`, `transformId`, `params`,
        `templateParameterValues`,
            `fragment`.
        context: Lambda's.

    Returns:
        `requestId`, `status` (`success` or `failure`) and `fragment`, or `errorMessage`.
    """
    logger.set_correlation_id(str(event.get("requestId")))
    logger.append_keys(transform_id=event.get("transformId"), function_request_id=context.aws_request_id)
    try:
        expansion = expand(event, from_environment(os.environ))
    except TemplateError as error:
        metrics.add_metric("Failures", MetricUnit.Count, 1)
        logger.info("Refused the template", problems=len(error.problems), paths=[p.path for p in error.problems])
        return failure(event, str(error))
    except Exception:
        metrics.add_metric("Errors", MetricUnit.Count, 1)
        logger.exception("Could not expand the template")
        return failure(
            event, f"EcsExecRole has a bug that this template meets; its log has request {event.get('requestId')}"
        )
    _report(expansion)
    return success(event, expansion)


def _report(expansion: Expansion) -> None:
    """Counts what was made, and logs how much it was."""
    statements = sum(len(plan.statements) + len(plan.deferred) for plan in expansion.roles)
    metrics.add_metric("Roles", MetricUnit.Count, len(expansion.roles))
    metrics.add_metric("Statements", MetricUnit.Count, statements)
    resources = expansion.fragment.get("Resources")
    logger.info(
        "Expanded the template",
        resources=len(resources) if isinstance(resources, dict) else 0,
        roles=len(expansion.roles),
        statements=statements,
        warnings=[str(warning.path) for warning in expansion.warnings],
    )
