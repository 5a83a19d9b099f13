"""An IAM evaluator that is not ours: who may do what under a role's policies, for the tests to ask."""

from __future__ import annotations

from tests.support.iam.simulator import Answer, EvaluatorError, Request, allowed, assumable, evaluate

__all__ = ["Answer", "EvaluatorError", "Request", "allowed", "assumable", "evaluate"]
