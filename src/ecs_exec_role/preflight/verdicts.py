"""What IAM answered, as verdicts that name what blocks.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ecs_exec_role.preflight.arns import matches
from ecs_exec_role.preflight.needs import Need
from ecs_exec_role.preflight.report import OK, Status, Verdict
from ecs_exec_role.preflight.simulation import Asked, Question
from ecs_exec_role.preflight.things import Here


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One action on one resource, as the simulation decided it."""

    allowed: bool
    explicit: bool = False
    policies: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    organization: bool = True
    boundary: bool = True
    # For a resource of another account: whether the role's own policies allow it. The other side's are not known here.
    own_side: bool | None = None


class Silence(NamedTuple):
    """No decision, and why: the question itself could not be put, or was not answered."""

    what: str
    fix: str


Answer = Decision | Silence
# The role is not there (yet).
NO_ROLE = Silence("the role does not exist", "correct its ARN, or create it before what depends on it")
NOT_ANSWERED = Silence("IAM gave no answer before the check's time was over", "deploy again")


def decisions(result: Mapping[str, Any]) -> Iterable[tuple[str, str, Decision]]:
    """One entry of `EvaluationResults` as (action, resource, decision), for each resource that it speaks of.

    With several resources the entry itself sums them up under a made-up name, and each has an entry of its own inside;
    the organization's part is said once, on the outside.
    """
    outside = result.get("OrganizationsDecisionDetail") or {}
    organization = bool(outside.get("AllowedByOrganizations", True))
    action = str(result["EvalActionName"])
    inside = result.get("ResourceSpecificResults") or ()
    if not inside:
        yield action, str(result.get("EvalResourceName", "*")), _decision(result, result["EvalDecision"], organization)
    for part in inside:
        yield action, str(part["EvalResourceName"]), _decision(part, part["EvalResourceDecision"], organization)


def _decision(part: Mapping[str, Any], decision: str, organization: bool) -> Decision:
    boundary = part.get("PermissionsBoundaryDecisionDetail") or {}
    details = part.get("EvalDecisionDetails") or {}
    statements = part.get("MatchedStatements") or ()
    return Decision(
        allowed=decision == "allowed",
        explicit=decision == "explicitDeny",
        policies=tuple(sorted({str(s["SourcePolicyId"]) for s in statements if s.get("SourcePolicyId")})),
        missing=tuple(sorted(part.get("MissingContextValues") or ())),
        organization=organization,
        boundary=bool(boundary.get("AllowedByPermissionsBoundary", True)),
        own_side=next((v == "allowed" for k, v in sorted(details.items()) if "iam" in k.lower()), None),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Boundary:
    """The role's permissions boundary; its `document` is None where it could not be read."""

    arn: str
    document: Mapping[str, Any] | None = None

    def forbids(self, action: str, resource: str) -> str | None:
        """How this boundary surely forbids `action` on `resource`, or None where it may not.

        IAM says that a boundary blocks, not where in it, and an emulator may say nothing of it. What a condition
        or a policy variable decides is left to IAM.
        """
        if self.document is None:
            return None
        statements = _as_list(self.document.get("Statement"))
        for index, statement in enumerate(statements):
            sure = statement.get("Effect") == "Deny" and not statement.get("Condition")
            if sure and _covers(statement, action, resource, unknown=False):
                return f"denies it in {_name(statement, index)}"
        allows = (s for s in statements if s.get("Effect") == "Allow")
        if any(_covers(statement, action, resource, unknown=True) for statement in allows):
            return None
        return "does not allow it"


def _name(statement: Mapping[str, Any], index: int) -> str:
    sid = statement.get("Sid")
    return f"statement '{sid}'" if sid else f"its statement {index + 1}"


def _covers(statement: Mapping[str, Any], action: str, resource: str, *, unknown: bool) -> bool:
    """Whether a statement is about this action and resource; `unknown` is the answer where a variable decides."""

    def among(patterns: Sequence[str], text: str) -> bool:
        return any(unknown if "${aws:" in pattern else matches(pattern, text) for pattern in patterns)

    low = action.lower()
    if "NotAction" in statement:
        actions = not any(matches(p.lower(), low) for p in _as_list(statement["NotAction"]))
    else:
        actions = any(matches(p.lower(), low) for p in _as_list(statement.get("Action")))
    if "NotResource" in statement:
        return actions and not any(matches(p, resource) for p in _as_list(statement["NotResource"]))
    return actions and among(_as_list(statement.get("Resource")), resource)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Judges one need: by what was `asked` for it, seen from `here`, with the role's `boundary` at hand."""

    need: Need
    asked: Asked
    here: Here
    boundary: Boundary | None = None

    def permission(self, answers: Mapping[Question, Answer]) -> Verdict:
        """The verdict on the need, from the answers to its questions."""
        refused: dict[Verdict, list[Question]] = {}
        for question in self.asked.questions:
            verdict = self._verdict(question, answers.get(question, NOT_ANSWERED))
            if verdict is not OK:
                refused.setdefault(verdict, []).append(question)
        if not refused:
            return OK
        order = list(Status)
        verdict, questions = min(refused.items(), key=lambda item: order.index(item[0].status))
        if any(isinstance(answers.get(question, NOT_ANSWERED), Silence) for question in questions):
            # It is the same for all needs alike, so it is said without the action: one line for all of them.
            return verdict
        actions = ", ".join(sorted({q.action for q in questions}))
        resource = f" on {questions[0].resource}" if questions[0].resource != "*" else ""
        lead = "not permitted" if verdict.status is Status.DENIED else "not known to be permitted"
        return Verdict(verdict.status, f"{lead}: {actions}{resource} ({verdict.what})", verdict.fix)

    def _verdict(self, question: Question, answer: Answer) -> Verdict:
        if isinstance(answer, Silence):
            if answer is NO_ROLE:
                return Verdict(Status.DENIED, f"not permitted: {answer.what}", answer.fix)
            return Verdict(Status.UNKNOWN, f"not known to be permitted: {answer.what}", answer.fix)
        blocked = self.boundary.forbids(question.action, question.resource) if self.boundary else None
        if blocked:
            return self._by_boundary(blocked, question)
        if answer.allowed:
            return OK
        return self._refusal(question, answer)

    def _refusal(self, question: Question, answer: Decision) -> Verdict:
        if not answer.organization:
            return Verdict(
                Status.DENIED,
                "a service control policy of the organization blocks it",
                f"have whoever runs the organization allow {question.action} in this account",
            )
        if not answer.boundary and not answer.explicit:
            return self._by_boundary("does not allow it", question)
        relevant = _relevant(answer.missing, question)
        if relevant:
            return Verdict(
                Status.UNKNOWN,
                f"a policy makes it depend on {', '.join(relevant)}, which only the running task's request carries",
                "see that the condition holds for the task",
            )
        if not answer.boundary:
            return self._by_boundary("denies it", question)
        if answer.explicit:
            where = f" in {' and '.join(answer.policies)}" if answer.policies else ""
            return Verdict(Status.DENIED, f"a Deny{where} forbids it", "remove that Deny, or narrow it")
        owner = next((v[0] for key, _, v in question.context if key == "aws:ResourceAccount"), self.here.account)
        own_side = bool(answer.policies) if answer.own_side is None else answer.own_side
        if owner != self.here.account and own_side:
            # The other account's half is what is missing; that is said where the thing is looked at.
            return OK
        if self.asked.doubt:
            return Verdict(Status.UNKNOWN, self.asked.doubt.what, self.asked.doubt.fix)
        sid = f", as statement {self.need.sid} is meant to" if self.need.sid else ""
        return Verdict(
            Status.DENIED, "no statement of the role allows it", f"allow it in one of the role's policies{sid}"
        )

    def _by_boundary(self, how: str, question: Question) -> Verdict:
        name = f" {self.boundary.arn}" if self.boundary else ""
        return Verdict(
            Status.DENIED,
            f"the role's permissions boundary{name} {how}",
            f"allow {question.action} there, or give the role another PermissionsBoundary",
        )


def _relevant(missing: Sequence[str], question: Question) -> tuple[str, ...]:
    """Of the keys that IAM had no value for, those that may decide about this action.

    IAM lists every key of every policy that it met; a key of another service decides nothing here.
    """
    given = {key.lower() for key, _, _ in question.context}
    service = question.action.partition(":")[0].lower()
    return tuple(k for k in missing if k.lower() not in given and k.lower().startswith(("aws:", f"{service}:")))


def trust(document: Mapping[str, Any] | None) -> Verdict:
    """Whether ECS tasks may assume the role at all, as far as its trust policy says without its conditions.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    """
    if document is None:
        return OK
    for statement in _as_list(document.get("Statement")):
        principal = statement.get("Principal")
        services = _as_list(principal.get("Service")) if isinstance(principal, Mapping) else _as_list(principal)
        actions = [a.lower() for a in _as_list(statement.get("Action"))]
        named = statement.get("Effect") == "Allow" and {"ecs-tasks.amazonaws.com", "*"} & set(services)
        if named and any(matches(a, "sts:assumerole") for a in actions):
            return OK
    return Verdict(
        Status.DENIED,
        "not permitted: its trust policy does not let ecs-tasks.amazonaws.com assume it",
        "allow sts:AssumeRole for that service principal in AssumeRolePolicyDocument",
    )
