"""Needs as questions that `iam:SimulatePrincipalPolicy` answers, in as few calls as it allows.

One call accepts many actions and many resources, but one context, and never `*` with other resources.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.preflight.arns import SAMPLE, fill, is_pattern, literal_prefix, matches, parse_arn
from ecs_exec_role.preflight.needs import CheckedNeed
from ecs_exec_role.preflight.targets import Scope

# (key, type, values), sorted: the context of the request that one call simulates.
Context = tuple[tuple[str, str, tuple[str, ...]], ...]

# Keys with several values in one request; a policy uses ForAnyValue or ForAllValues for them.
_LISTS = ("kms:resourcealiases",)
# One call answers for every action on every resource; with this limit, one page contains the answer.
_MOST_ANSWERS = 1000
_MOST_ACTIONS = 100


class Question(NamedTuple):
    """The question whether the role may do `action` on `resource`, in a request with `context`."""

    action: str
    resource: str
    context: Context


class Batch(NamedTuple):
    """One call: every action on every resource in one context. `questions` are those that are needed."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: Context
    questions: tuple[Question, ...]


class Inconclusive(NamedTuple):
    """Why it proves nothing if no statement allows what is asked: `what` is the reason, and the `fix`."""

    what: str
    fix: str


NO_FULL_ARN = Inconclusive(
    "its full ARN is not known, so that no statement of the role could be compared with it",
    "see what is said of the secret, parameter or key itself",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NeedQuestions:
    """The questions to IAM for one need, and why a refusal would be inconclusive."""

    questions: tuple[Question, ...]
    inconclusive: Inconclusive | None = None


class Known:
    """The ARNs of all targets that were found, for look-ups by the pattern of a policy.

    `budget` limits the comparisons of one check; after that nothing more is found.
    """

    def __init__(self, arns: Iterable[str], budget: int = 10_000) -> None:
        self._sorted = sorted(set(arns))
        self._all = set(self._sorted)
        self._budget = budget

    def matching(self, values: Iterable[str]) -> str | None:
        """The first ARN that one of the values means."""
        for value in values:
            if value in self._all:
                return value
            if not is_pattern(value):
                continue
            prefix = literal_prefix(value)
            for index in range(bisect_left(self._sorted, prefix), len(self._sorted)):
                arn = self._sorted[index]
                if self._budget <= 0 or not arn.startswith(prefix):
                    break
                self._budget -= 1
                if matches(value, arn):
                    return arn
        return None


def questions_of(need: CheckedNeed, scope: Scope, *, concrete: str | None, known: Known) -> NeedQuestions:
    """The questions of one need.

    Args:
        need: the need.
        scope: where the check runs.
        concrete: the ARN of the need's target, if it was found.
        known: everything that was found, for the encryption contexts, which name what a key protects. IAM compares with
            the full ARN even if a request has a partial one.
    """
    resources, guessed = _resources(need, concrete)
    context, unsure = _context(need, known)
    questions = [
        Question(action, resource, _complete(context, resource, scope))
        for action in need.actions
        for resource in _for_action(action, resources)
    ]
    return NeedQuestions(questions=tuple(questions), inconclusive=NO_FULL_ARN if guessed or unsure else None)


def _resources(need: CheckedNeed, concrete: str | None) -> tuple[tuple[str, ...], bool]:
    if need.resources == ("*",):
        return need.resources, False
    arn = parse_arn(need.resources[0])
    found = parse_arn(concrete) if concrete else None
    # The target of a parameter that refers to a secret is the secret, but the question is about the parameter.
    if concrete and found and arn and found.service == arn.service:
        return (concrete,), False
    if arn and arn.service in ("secretsmanager", "kms", "ssm"):
        # The thing has one of these names; a policy cannot refuse the other one.
        first = next((r for r in need.resources if not is_pattern(r)), need.resources[0])
        return (fill(first),), len(need.resources) > 1 or is_pattern(first)
    # An account that is not known has twelve digits too.
    return tuple(dict.fromkeys(fill(r.replace(":*:", f":{'0' * 12}:")) for r in need.resources)), False


def _for_action(action: str, resources: tuple[str, ...]) -> tuple[str, ...]:
    """`logs:` actions are judged on a stream of the group; for CreateLogGroup the stream has no name.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    if not action.startswith("logs:"):
        return resources
    return tuple(_stream(r, "" if action == "logs:CreateLogGroup" else SAMPLE) for r in resources)


def _stream(resource: str, name: str) -> str:
    parts = resource.split(":")
    group = ":".join(parts[:7])
    if len(parts) > 8 and parts[7] == "log-stream":
        return f"{group}:log-stream:{':'.join(parts[8:]) if name else ''}"
    return f"{group}:log-stream:{name}"


def _context(need: CheckedNeed, known: Known) -> tuple[dict[str, tuple[str, ...]], bool]:
    context: dict[str, tuple[str, ...]] = {}
    guessed = False
    for key, values in need.context.items():
        if key.lower() in _LISTS:
            context[key] = values
            continue
        # A request has one value: that of a target that was found, else the first one without a wildcard.
        found = known.matching(values)
        value = found or next((v for v in values if not is_pattern(v)), values[0])
        guessed = guessed or (found is None and any(is_pattern(v) for v in values))
        context[key] = (fill(value),)
    return context, guessed


def _complete(context: Mapping[str, tuple[str, ...]], resource: str, scope: Scope) -> Context:
    """Adds the context of every request of a task, so that conditions on it can be judged.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    arn = parse_arn(resource)
    entries: dict[str, tuple[str, tuple[str, ...]]] = {
        "aws:RequestedRegion": ("string", ((arn.region if arn else "") or scope.region,)),
        "aws:ResourceAccount": ("string", ((arn.account if arn else "") or scope.account,)),
        "aws:SecureTransport": ("boolean", ("true",)),
    }
    entries |= {key: ("stringList" if key.lower() in _LISTS else "string", v) for key, v in context.items()}
    return tuple((key, kind, values) for key, (kind, values) in sorted(entries.items()))


def batches(questions: Iterable[Question]) -> tuple[Batch, ...]:
    """All the questions, in the fewest calls; other answers of a call are ignored."""
    groups: dict[tuple[Context, bool], list[Question]] = {}
    for question in questions:
        groups.setdefault((question.context, question.resource == "*"), []).append(question)
    found: list[Batch] = []
    for (context, _), group in groups.items():
        actions = {action: i for i, action in enumerate(sorted({question.action for question in group}))}
        resources = {resource: i for i, resource in enumerate(sorted({question.resource for question in group}))}
        width = min(len(actions), _MOST_ACTIONS)
        height = _MOST_ANSWERS // width
        cells: dict[tuple[int, int], list[Question]] = {}
        for question in group:
            cell = (actions[question.action] // width, resources[question.resource] // height)
            cells.setdefault(cell, []).append(question)
        found.extend(batch_of(cell, context) for _, cell in sorted(cells.items()))
    return tuple(found)


def batch_of(questions: Sequence[Question], context: Context) -> Batch:
    """Some questions of one context as one call."""
    actions = tuple(sorted({question.action for question in questions}))
    resources = tuple(sorted({question.resource for question in questions}))
    return Batch(actions, resources, context, tuple(questions))


def split(batch: Batch, groups: Sequence[Collection[str]]) -> tuple[Batch, ...]:
    """The parts of a batch that IAM refuses; empty if it cannot be divided.

    Args:
        batch: the batch.
        groups: the actions, in lower case, that IAM requires to be in one call; empty if it names none.
    """
    named = [[q for q in batch.questions if q.action.lower() in group] for group in groups]
    parts = [part for part in named if part]
    if len(parts) > 1 and sum(map(len, parts)) == len(batch.questions):
        return tuple(batch_of(part, batch.context) for part in parts)
    if len(batch.resources) > 1:
        first = set(batch.resources[: len(batch.resources) // 2])
        halves = ([q for q in batch.questions if (q.resource in first) is side] for side in (True, False))
        return tuple(batch_of(half, batch.context) for half in halves if half)
    return ()
