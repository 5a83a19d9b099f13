"""Needs as questions that `iam:SimulatePrincipalPolicy` answers, in as few calls as it allows.

One call takes many actions and many resources, but one context, and never `*` beside other resources.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ecs_exec_role.preflight.arns import SAMPLE, fill, is_pattern, matches, parse_arn
from ecs_exec_role.preflight.needs import Need
from ecs_exec_role.preflight.things import Here

# (key, type, values), sorted: what one call says of the request that it simulates.
Context = tuple[tuple[str, str, tuple[str, ...]], ...]

# Keys that hold a list in one request; a policy asks for them with ForAnyValue or ForAllValues.
_LISTS = ("kms:resourcealiases",)
# One call answers for every action on every resource; this keeps the answer to what one page of it may hold.
_MOST_ANSWERS = 1000


class Question(NamedTuple):
    """May the role do `action` on `resource`, in a request that carries `context`?"""

    action: str
    resource: str
    context: Context


class Batch(NamedTuple):
    """Questions of one context as one call: every action on every resource."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: Context


class Doubt(NamedTuple):
    """Why it proves nothing when no statement allows what is asked: `what` is so, and the `fix`."""

    what: str
    fix: str


NO_FULL_ARN = Doubt(
    "its full ARN could not be found out, so no statement of the role could be compared with it",
    "see what is said of the thing itself",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is asked for one need, and the doubt that there is about it."""

    questions: tuple[Question, ...]
    doubt: Doubt | None = None


def questions_of(need: Need, here: Here, *, concrete: str | None, known: Iterable[str]) -> Asked:
    """The questions of one need.

    `concrete` is the thing's own ARN where it was found; `known` are the ARNs of all that was found, for the encryption
    contexts, which name what a key protects. IAM compares with the full ARN even where a request has a partial one.
    """
    known = tuple(known)
    resources, guessed = _resources(need, concrete)
    context, unsure = _context(need, known)
    questions = [
        Question(action, resource, _complete(context, resource, here))
        for action in need.actions
        for resource in _for_action(action, resources)
    ]
    return Asked(questions=tuple(questions), doubt=NO_FULL_ARN if guessed or unsure else None)


def _resources(need: Need, concrete: str | None) -> tuple[tuple[str, ...], bool]:
    if need.resources == ("*",):
        return need.resources, False
    arn = parse_arn(need.resources[0])
    found = parse_arn(concrete) if concrete else None
    # A parameter that shows a secret was looked at as that secret, but is asked about as a parameter.
    if concrete and found and arn and found.service == arn.service:
        return (concrete,), False
    if arn and arn.service in ("secretsmanager", "kms", "ssm"):
        # Either name may be the thing's; nobody can be refused for the one that it does not have.
        first = next((r for r in need.resources if not is_pattern(r)), need.resources[0])
        return (fill(first),), len(need.resources) > 1 or is_pattern(first)
    # An account that is not known is still twelve digits.
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


def _context(need: Need, known: tuple[str, ...]) -> tuple[dict[str, tuple[str, ...]], bool]:
    context: dict[str, tuple[str, ...]] = {}
    guessed = False
    for key, values in need.context.items():
        if key.lower() in _LISTS:
            context[key] = values
            continue
        # A request carries one value: of several, that of something found here, else the first that is whole.
        found = next((arn for arn in known if any(matches(value, arn) for value in values)), None)
        value = found or next((v for v in values if not is_pattern(v)), values[0])
        guessed = guessed or (found is None and any(is_pattern(v) for v in values))
        context[key] = (fill(value),)
    return context, guessed


def _complete(context: Mapping[str, tuple[str, ...]], resource: str, here: Here) -> Context:
    """With what every request of a task carries, so that a condition on it can be judged.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    arn = parse_arn(resource)
    entries: dict[str, tuple[str, tuple[str, ...]]] = {
        "aws:RequestedRegion": ("string", ((arn.region if arn else "") or here.region,)),
        "aws:ResourceAccount": ("string", ((arn.account if arn else "") or here.account,)),
        "aws:SecureTransport": ("boolean", ("true",)),
    }
    entries |= {key: ("stringList" if key.lower() in _LISTS else "string", v) for key, v in context.items()}
    return tuple((key, kind, values) for key, (kind, values) in sorted(entries.items()))


def batches(questions: Iterable[Question]) -> tuple[Batch, ...]:
    """All the questions, in the fewest calls; a call also answers what nobody asked, which is ignored."""
    groups: dict[tuple[Context, bool], list[Question]] = {}
    for question in questions:
        groups.setdefault((question.context, question.resource == "*"), []).append(question)
    found: list[Batch] = []
    for (context, _), group in groups.items():
        actions = tuple(sorted({question.action for question in group}))
        resources = sorted({question.resource for question in group})
        size = max(1, _MOST_ANSWERS // len(actions))
        found.extend(
            Batch(actions, tuple(resources[start : start + size]), context) for start in range(0, len(resources), size)
        )
    return tuple(found)
