"""An independent IAM evaluator: the tests ask it what a role's policies allow."""

from __future__ import annotations

from tests.support.iam.simulator import Answer, EvaluatorError, Request, allowed, assumable, evaluate

__all__ = ["Answer", "EvaluatorError", "Request", "allowed", "assumable", "evaluate"]
