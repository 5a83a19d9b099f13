"""The Lambda function behind the macro.

It logs, counts, and always answers. Without an answer, CloudFormation only reports a "malformed response".
Neither the fragment nor a parameter's value is ever logged.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any

# What is imported stays until the function ends: the garbage collector would look at it several times during the cold
# start, and again and again afterwards.
gc.disable()
try:
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.metrics import MetricUnit

    from ecs_exec_role.errors import TemplateError
    from ecs_exec_role.pipeline import Expansion, expand
    from ecs_exec_role.protocol import failure, success
    from ecs_exec_role.settings import from_environment
    from ecs_exec_role.template.symbols import Json
finally:
    gc.freeze()
    gc.enable()

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "ecs-exec-role-macro")

_MOST_PATHS = 100
"""The most mistakes of one template in the log: CloudWatch cuts a line of more than 1 MB."""

logger = Logger(service=_SERVICE)
metrics = Metrics(namespace="EcsExecRole", service=_SERVICE)


@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Json]:
    """Expands a template for CloudFormation.

    Args:
        event: a macro's request: `accountId`, `region`, `requestId`, `transformId`, `params`, `templateParameterValues`
            and `fragment`.
        context: Lambda's.

    Returns:
        `requestId`, `status` (`success` or `failure`) and `fragment`, or `errorMessage`.
    """
    try:
        request = event.get("requestId") if isinstance(event, dict) else None
        transform = event.get("transformId") if isinstance(event, dict) else None
        logger.set_correlation_id(str(request))
        logger.append_keys(transform_id=transform, function_request_id=getattr(context, "aws_request_id", None))
        expansion = expand(event, from_environment(os.environ))
    except TemplateError as error:
        metrics.add_metric("Failures", MetricUnit.Count, 1)
        logger.info(
            "Refused the template", problems=len(error.problems), paths=[p.path for p in error.problems[:_MOST_PATHS]]
        )
        return failure(event, str(error))
    except Exception:
        metrics.add_metric("Errors", MetricUnit.Count, 1)
        logger.exception("Could not expand the template")
        return failure(
            event,
            "this template causes an error in EcsExecRole, which is a bug; see the log of its function",
        )
    _report(expansion)
    return success(event, expansion)


def _report(expansion: Expansion) -> None:
    """Counts what was made, and logs how much it was."""
    statements = sum(len(plan.all_statements) for plan in expansion.roles)
    metrics.add_metric("Roles", MetricUnit.Count, len(expansion.roles))
    metrics.add_metric("Statements", MetricUnit.Count, statements)
    resources = expansion.fragment.get("Resources")
    logger.info(
        "Expanded the template",
        resources=len(resources) if isinstance(resources, dict) else 0,
        roles=len(expansion.roles),
        statements=statements,
        warnings=list(expansion.warned_paths),
    )
