"""The role that is checked: what IAM returns about it, and what it decides in a simulation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.preflight.aws import Aws, CallError, Failure
from ecs_exec_role.preflight.decisions import (
    NO_ROLE,
    NOT_IN_REPLY,
    Answer,
    Boundary,
    NoDecision,
    decisions,
    no_decision,
)
from ecs_exec_role.preflight.report import Status, Verdict
from ecs_exec_role.preflight.simulation import Batch, Question, split
from ecs_exec_role.preflight.targets import Scope

_DIFFERENT = "require different authorization information"


class DeployedRole(NamedTuple):
    """The role in IAM; `trouble` is why it could not be read.

    `other` says that the account has only another role of this name, under another path.
    """

    trust: Mapping[str, Any] | None = None
    boundary: Boundary | None = None
    trouble: Verdict | None = None
    other: bool = False


def read_role(aws: Aws, role_arn: str, scope: Scope) -> DeployedRole:
    """The trust policy and the boundary of a role. They are metadata; reading them grants nothing.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
    """
    try:
        found = aws.call("iam", scope.region, "GetRole", RoleName=role_arn.rpartition("/")[2]).reply("Role")
        if found.text("Arn", role_arn) != role_arn:
            # IAM finds a role by its name only; one with another path is another role.
            return DeployedRole(other=True)
        boundary = found.maybe("PermissionsBoundary").text("PermissionsBoundaryArn", "")
    except CallError as error:
        if error.code == "NoSuchEntity":
            # If the role does not appear, the simulation reports it too.
            return DeployedRole()
        what = f"not checked: the role's trust policy and permissions boundary ({error.why})"
        return DeployedRole(trouble=Verdict(Status.UNKNOWN, what, error.fix, error.said, error.why))
    trust = found.raw("AssumeRolePolicyDocument")
    return DeployedRole(
        trust if isinstance(trust, Mapping) else None,
        _boundary(aws, boundary, scope) if boundary else None,
    )


def _boundary(aws: Aws, arn: str, scope: Scope) -> Boundary:
    try:
        policy = aws.call("iam", scope.region, "GetPolicy", PolicyArn=arn).reply("Policy")
        version = policy.text("DefaultVersionId")
        found = aws.call("iam", scope.region, "GetPolicyVersion", PolicyArn=arn, VersionId=version)
        document = found.reply("PolicyVersion").raw("Document")
    except CallError:
        # The simulation still uses the boundary; only the name of the statement is not known.
        return Boundary(arn=arn)
    return Boundary(arn=arn, document=document if isinstance(document, Mapping) else None)


def simulate(aws: Aws, role_arn: str, scope: Scope, batch: Batch) -> dict[Question, Answer]:
    """The questions of a batch, each with IAM's decision or with the reason why there is none."""
    try:
        found = _simulate(aws, role_arn, scope, batch)
    except CallError as error:
        parts = split(batch, _groups(error)) if error.code in ("InvalidInput", "ValidationError") else ()
        answers: dict[Question, Answer] = {}
        for part in parts:
            answers |= simulate(aws, role_arn, scope, part)
        return answers or dict.fromkeys(batch.questions, _not_decided(error))
    return {question: found.get(question, NOT_IN_REPLY) for question in batch.questions}


def _simulate(aws: Aws, role_arn: str, scope: Scope, batch: Batch) -> dict[Question, Answer]:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html."""
    parameters: dict[str, Any] = {
        "PolicySourceArn": role_arn,
        "ActionNames": list(batch.actions),
        "ResourceArns": list(batch.resources),
        "ContextEntries": [
            {"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": list(values)}
            for key, kind, values in batch.context
        ],
        "MaxItems": 1000,
    }
    names = {action.lower(): action for action in batch.actions}
    answers: dict[Question, Answer] = {}
    for page in aws.pages("iam", scope.region, "SimulatePrincipalPolicy", next_page="Marker", **parameters):
        if "EvaluationResults" not in page:
            raise CallError("iam:SimulatePrincipalPolicy", Failure.UNREADABLE, "no usable EvaluationResults")
        for result in page.replies("EvaluationResults"):
            for action, named, decision in decisions(result):
                # With one resource, the reply can name it differently.
                resource = batch.resources[0] if len(batch.resources) == 1 else named
                answers[Question(names.get(action.lower(), action), resource, batch.context)] = decision
    return answers


def _groups(error: CallError) -> list[set[str]]:
    """The actions that IAM requires to be in one call, as its message names them."""
    if _DIFFERENT not in error.said:
        return []
    return [{name.strip().lower() for name in group.split(",")} for group in re.findall(r"\[([^\[\]]*)\]", error.said)]


def _not_decided(error: CallError) -> NoDecision:
    return NO_ROLE if error.code == "NoSuchEntity" else no_decision(error)
