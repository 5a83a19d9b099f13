"""Makes verdicts from IAM's decisions, which say what blocks.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.preflight.arns import matches
from ecs_exec_role.preflight.aws import CallError, Reply
from ecs_exec_role.preflight.needs import CheckedNeed
from ecs_exec_role.preflight.report import OK, Status, Verdict
from ecs_exec_role.preflight.simulation import NeedQuestions, Question
from ecs_exec_role.preflight.targets import Scope

# The services whose ARNs have a part that only AWS knows: a secret's suffix, a key's ID.
_LOOKED_UP = (":secretsmanager:", ":kms:")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One action on one resource, as the simulation decided it."""

    allowed: bool
    explicit: bool = False
    policies: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    organization: bool = True
    boundary: bool = True
    # For a resource of another account: whether the role's own policies allow it. The other account's are not known
    # here.
    own_side: bool | None = None


class NoDecision(NamedTuple):
    """Why there is no decision, and the `fix`.

    `detail` is AWS's own text, and `unanswered` says that AWS did not answer.
    """

    what: str
    fix: str
    detail: str = ""
    unanswered: bool = True


Answer = Decision | NoDecision
NO_ROLE = NoDecision(
    "the role does not exist", "correct its ARN, or create it before what depends on it", unanswered=False
)
NOT_ANSWERED = NoDecision("IAM gave no answer before the time of the check was over", "deploy again")
NOT_IN_REPLY = NoDecision("the reply of iam:SimulatePrincipalPolicy has no decision on it", "deploy again")


def no_decision(error: CallError) -> NoDecision:
    """Why a failed call of `iam:SimulatePrincipalPolicy` gives no decision."""
    return NoDecision(error.why, error.fix, error.said)


def decisions(result: Reply) -> Iterator[tuple[str, str, Decision]]:
    """One entry of `EvaluationResults` as (action, resource, decision), for each resource in it.

    With several resources, the entry itself summarizes them under an artificial name, and each has its own entry
    inside; only the outer entry has the organization's part.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    organization = result.maybe("OrganizationsDecisionDetail").raw("AllowedByOrganizations") is not False
    action = result.text("EvalActionName")
    inside = result.replies("ResourceSpecificResults")
    if not inside:
        decision = _decision(result, result.text("EvalDecision"), organization=organization)
        yield action, result.text("EvalResourceName", "*"), decision
    for part in inside:
        decision = _decision(part, part.text("EvalResourceDecision"), organization=organization)
        yield action, part.text("EvalResourceName"), decision


def _decision(part: Reply, decision: str, *, organization: bool) -> Decision:
    boundary = part.maybe("PermissionsBoundaryDecisionDetail").raw("AllowedByPermissionsBoundary")
    details = part.raw("EvalDecisionDetails")
    sides = sorted(details.items()) if isinstance(details, Mapping) else []
    policies = {statement.text("SourcePolicyId", "") for statement in part.replies("MatchedStatements")}
    return Decision(
        allowed=decision == "allowed",
        explicit=decision == "explicitDeny",
        policies=tuple(sorted(policies - {""})),
        missing=tuple(sorted(part.texts("MissingContextValues"))),
        organization=organization,
        boundary=boundary is not False,
        own_side=next((said == "allowed" for key, said in sides if "iam" in str(key).lower()), None),
    )


class Blocked(NamedTuple):
    """How a boundary forbids something, and in which statement."""

    how: str
    statement: str = ""

    def __str__(self) -> str:
        return f"{self.how} in {self.statement}" if self.statement else self.how


@dataclass(frozen=True, kw_only=True, slots=True)
class Boundary:
    """The role's permissions boundary; its `document` is None if it could not be read."""

    arn: str
    document: Mapping[str, Any] | None = None

    def forbids(self, action: str, resource: str) -> Blocked | None:
        """How this boundary certainly forbids `action` on `resource`, or None if that is not certain.

        IAM reports that a boundary blocks, but not which statement, and an emulator may not report it. IAM decides
        what depends on a condition or a policy variable.
        """
        if self.document is None:
            return None
        statements = _statements(self.document)
        for index, statement in enumerate(statements):
            sure = statement.get("Effect") == "Deny" and not statement.get("Condition")
            if sure and _covers(statement, action, resource, unknown=False):
                return Blocked("denies it", _name(statement, index))
        allows = (s for s in statements if s.get("Effect") == "Allow")
        if any(_covers(statement, action, resource, unknown=True) for statement in allows):
            return None
        return Blocked("does not allow it")


def _name(statement: Mapping[str, Any], index: int) -> str:
    sid = statement.get("Sid")
    return f"statement '{sid}'" if sid else f"its statement {index + 1}"


def _covers(statement: Mapping[str, Any], action: str, resource: str, *, unknown: bool) -> bool:
    """Whether a statement is about this action and resource; `unknown` is the result if a variable decides."""

    def among(patterns: Sequence[str], text: str) -> bool:
        return any(unknown if "${aws:" in pattern else matches(pattern, text) for pattern in patterns)

    if "NotAction" in statement:
        actions = not _any_action(tuple(_texts(statement["NotAction"])), action)
    else:
        actions = _any_action(tuple(_texts(statement.get("Action"))), action)
    if "NotResource" in statement:
        return actions and not any(matches(p, resource) for p in _texts(statement["NotResource"]))
    return actions and among(_texts(statement.get("Resource")), resource)


@lru_cache(maxsize=4096)
def _any_action(patterns: tuple[str, ...], action: str) -> bool:
    """Whether a pattern is about an action. A check asks about few actions, and each on many resources."""
    return any(matches(pattern.lower(), action.lower()) for pattern in patterns)


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [statement for statement in _as_list(document.get("Statement")) if isinstance(statement, Mapping)]


def _texts(value: Any) -> list[str]:
    return [text for text in _as_list(value) if isinstance(text, str)]


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Judges needs for the account and region of `scope`, with the role's `boundary`.

    `names`: whether a message names the policies that deny. The verdict does not need the names, and a template's
    author may ask about a role that is not the stack's.
    """

    scope: Scope
    boundary: Boundary | None = None
    names: bool = True

    def permission(self, need: CheckedNeed, asked: NeedQuestions, answers: Mapping[Question, Answer]) -> Verdict:
        """The verdict on one need, from the answers to what was `asked` for it."""
        refused: dict[Verdict, list[Question]] = {}
        for question in asked.questions:
            verdict = self._verdict(need, asked, question, answers.get(question, NOT_ANSWERED))
            if verdict is not OK:
                refused.setdefault(verdict, []).append(question)
        if not refused:
            return OK
        order = list(Status)
        verdict, questions = min(refused.items(), key=lambda item: order.index(item[0].status))
        if any(isinstance(answers.get(question, NOT_ANSWERED), NoDecision) for question in questions):
            # It is the same for all needs, so it is reported without the action, in one line for all of them.
            return verdict
        actions = ", ".join(sorted({q.action for q in questions}))
        resource = questions[0].resource
        shown = f" on {_shown(need, resource)}" if resource != "*" else ""
        lead = "not permitted" if verdict.status is Status.DENIED else "not known to be permitted"
        detail = "; ".join(filter(None, (verdict.detail, f"asked about {resource}")))
        return verdict._replace(what=f"{lead}: {actions}{shown} ({verdict.what})", detail=detail)

    def _verdict(self, need: CheckedNeed, asked: NeedQuestions, question: Question, answer: Answer) -> Verdict:
        if isinstance(answer, NoDecision):
            if not answer.unanswered:
                return Verdict(Status.DENIED, f"not permitted: {answer.what}", answer.fix)
            what = f"not known to be permitted: {answer.what}"
            return Verdict(Status.UNKNOWN, what, answer.fix, answer.detail, answer.what)
        blocked = self.boundary.forbids(question.action, question.resource) if self.boundary else None
        if blocked:
            return self._by_boundary(blocked, question)
        if answer.allowed:
            return OK
        return self._refusal(need, asked, question, answer)

    def _refusal(self, need: CheckedNeed, asked: NeedQuestions, question: Question, answer: Decision) -> Verdict:
        if not answer.organization:
            return Verdict(
                Status.DENIED,
                "a service control policy of the organization blocks it",
                f"ask the administrator of the organization to allow {question.action} in this account",
            )
        if not answer.boundary and not answer.explicit:
            return self._by_boundary(Blocked("does not allow it"), question)
        relevant = _relevant(answer.missing, question)
        if relevant:
            return Verdict(
                Status.UNKNOWN,
                f"a policy makes it depend on {', '.join(relevant)}, which only the running task's request carries",
                "check that the condition holds for the task",
            )
        if not answer.boundary:
            return self._by_boundary(Blocked("denies it"), question)
        if answer.explicit:
            policies = f" in {' and '.join(answer.policies)}" if answer.policies else ""
            where = policies if self.names else " in one of the role's policies"
            return Verdict(
                Status.DENIED, f"a Deny{where} forbids it", "remove that Deny, or narrow it", policies.strip()
            )
        owner = next((v[0] for key, _, v in question.context if key == "aws:ResourceAccount"), self.scope.account)
        own_side = bool(answer.policies) if answer.own_side is None else answer.own_side
        if owner != self.scope.account and own_side:
            # The other account's grant is missing, which the verdict on the target reports.
            return OK
        if asked.inconclusive:
            return Verdict(Status.UNKNOWN, asked.inconclusive.what, asked.inconclusive.fix)
        sid = f", as statement {need.sid} is meant to" if need.sid else ""
        return Verdict(
            Status.DENIED, "no statement of the role allows it", f"allow it in one of the role's policies{sid}"
        )

    def _by_boundary(self, blocked: Blocked, question: Question) -> Verdict:
        name = f" {self.boundary.arn}" if self.boundary else ""
        full = f"the role's permissions boundary{name} {blocked}"
        return Verdict(
            Status.DENIED,
            full if self.names else f"the role's permissions boundary {blocked.how}",
            f"allow {question.action} there, or give the role another PermissionsBoundary",
            full,
        )


def _shown(need: CheckedNeed, resource: str) -> str:
    """What was asked about, in the need's words: messages do not show a template's author what AWS adds."""
    if resource in need.resources or not any(service in resource for service in _LOOKED_UP):
        return resource
    return need.target if need.kind == "Key" and need.target else need.resources[0]


def _relevant(missing: Sequence[str], question: Question) -> tuple[str, ...]:
    """The keys without a value for IAM that may decide about this action.

    IAM lists every key of every policy that it read; a key of another service decides nothing here.
    """
    given = {key.lower() for key, _, _ in question.context}
    service = question.action.partition(":")[0].lower()
    return tuple(k for k in missing if k.lower() not in given and k.lower().startswith(("aws:", f"{service}:")))


def trust(document: Mapping[str, Any] | None) -> Verdict:
    """Whether ECS tasks may assume the role, by its trust policy without the conditions.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    """
    if document is None:
        return OK
    for statement in _statements(document):
        principal = statement.get("Principal")
        services = _texts(principal.get("Service") if isinstance(principal, Mapping) else principal)
        actions = [action.lower() for action in _texts(statement.get("Action"))]
        named = statement.get("Effect") == "Allow" and {"ecs-tasks.amazonaws.com", "*"} & set(services)
        if named and any(matches(action, "sts:assumerole") for action in actions):
            return OK
    return Verdict(
        Status.DENIED,
        "not permitted: its trust policy does not let ecs-tasks.amazonaws.com assume it",
        "allow sts:AssumeRole for that service principal in AssumeRolePolicyDocument",
    )
