"""The properties of the custom resource: the role, and what its tasks need.

An author can also write these properties in a template, so their number and length have limits.

CloudFormation sends every value as a string or a list of strings, also if the template has another type.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ecs_exec_role.errors import Problem

KINDS = (
    "Image", "PullThroughImage", "Registry", "LogGroup", "NewLogGroup", "Secret", "Parameter", "Object", "Bucket",
    "Key", "FileSystem", "FSx", "Other",
)  # fmt: skip
MODES = ("Fail", "Warn")
MAX_NEEDS = 2000
"""The most needs of one check. The policies of a role have space for about as many resources."""

MAX_TEXT = 2048
"""The most characters of an ARN, a path or any other text; IAM accepts no longer resource."""

MAX_TEXTS = 1000
"""The most entries of one list."""

MAX_CHARACTERS = 1_000_000
"""The most characters of all needs together; Lambda accepts no larger asynchronous event."""

MAX_QUESTIONS = 20_000
"""The most combinations of actions and resources of all needs together."""

MAX_PROBLEMS = 20
_ROLE = re.compile(r"arn:(?P<partition>aws[a-z-]{0,20}):iam::(?P<account>[0-9]{12}):role/[!-~]{1,576}")


class _Mistake(Exception):
    """What is wrong with one need."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedNeed:
    """The need to do `actions` on one of `resources`, because the template has `target` at `path`.

    `resources` are those of the role's policy: more than one if one thing can have either name, with wildcards for
    what the template does not show. `context` is the context of the request.
    """

    sid: str = ""
    path: str
    kind: str = "Other"
    target: str = ""
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def characters(self) -> int:
        """The number of characters in the need."""
        lists = (self.actions, self.resources, *self.context.values())
        return len(self.path) + len(self.target) + len(self.sid) + sum(len(text) for texts in lists for text in texts)

    @property
    def questions(self) -> int:
        """The number of combinations of an action and a resource."""
        return len(self.actions) * len(self.resources)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The properties of one `Custom::EcsExecRolePreflight`; if it has `problems`, the rest is not reliable."""

    role_arn: str
    mode: str
    needs: tuple[CheckedNeed, ...]
    problems: tuple[Problem, ...]


def read_request(properties: object, *, partition: str = "", account: str = "") -> Request:
    """Reads the resource's properties, and collects every mistake in them.

    Args:
        properties: `ResourceProperties` of the event.
        partition: the partition of the function, and
        account: its account: it cannot ask about a role of another account.
    """
    if not isinstance(properties, Mapping):
        problem = Problem("Properties", "are not a mapping", "write RoleArn, Mode and Needs", "wrong-type")
        return Request(role_arn="", mode="Fail", needs=(), problems=(problem,))
    problems = []
    role_arn = properties.get("RoleArn")
    found = _ROLE.fullmatch(role_arn) if isinstance(role_arn, str) else None
    if not found:
        problems.append(_wrong_role("is not the ARN of a role"))
    elif account and (found["account"], found["partition"]) != (account, partition or found["partition"]):
        problems.append(_wrong_role(f"is a role of another account; this function checks roles of {account}"))
        found = None
    mode = properties.get("Mode", "Fail")
    if mode not in MODES:
        problem = Problem(
            "Properties/Mode", "is neither Fail nor Warn", "write one of them, or remove it", "wrong-value"
        )
        problems.append(problem)
        mode = "Fail"
    needs, mistakes = read_needs(properties.get("Needs", []), path="Properties/Needs")
    return Request(role_arn=found[0] if found else "", mode=mode, needs=needs, problems=(*problems, *mistakes))


def _wrong_role(what: str) -> Problem:
    return Problem("Properties/RoleArn", what, "write !GetAtt <Role>.Arn, a role of this stack", "wrong-value")


def read_needs(items: object, *, path: str = "Needs") -> tuple[tuple[CheckedNeed, ...], tuple[Problem, ...]]:
    """The needs that can be read, and one problem for each that cannot."""
    if not isinstance(items, Sequence) or isinstance(items, str):
        return (), (Problem(path, "is not a list", "write a list of needs", "wrong-type"),)
    if len(items) > MAX_NEEDS:
        what = f"has {len(items)} needs; a check takes {MAX_NEEDS}"
        return (), (Problem(path, what, "give the definitions roles of their own, or split the stack", "too-large"),)
    needs: list[CheckedNeed] = []
    problems: list[Problem] = []
    wrong = characters = questions = 0
    for index, item in enumerate(items):
        try:
            need = _need(item)
        except _Mistake as error:
            wrong += 1
            if wrong <= MAX_PROBLEMS:
                fix = "let the macro write it, or see docs/preflight.md"
                problems.append(Problem(f"{path}/{index}", str(error), fix, "wrong-value"))
            continue
        characters, questions = characters + need.characters, questions + need.questions
        if characters > MAX_CHARACTERS or questions > MAX_QUESTIONS:
            what = f"has more than {MAX_CHARACTERS} characters, or {MAX_QUESTIONS} actions on resources"
            fix = "give the definitions roles of their own, or split the stack"
            return (), (*problems, Problem(path, what, fix, "too-large"))
        needs.append(need)
    if wrong > MAX_PROBLEMS:
        more = f"has {wrong - MAX_PROBLEMS} more needs that cannot be read"
        problems.append(Problem(path, more, "correct those above first", "wrong-value"))
    return tuple(needs), tuple(problems)


def _need(item: object) -> CheckedNeed:
    if not isinstance(item, Mapping):
        raise _Mistake("is not a mapping")
    context = item.get("Context") or {}
    if not isinstance(context, Mapping) or len(context) > MAX_TEXTS:
        raise _Mistake("has a Context that is not a mapping of few keys")
    kind = _text(item, "Kind", "Other")
    return CheckedNeed(
        sid=_text(item, "Sid", ""),
        path=_text(item, "Path", None),
        # A macro newer than this function can know further kinds: IAM can still be asked about them.
        kind=kind if kind in KINDS else "Other",
        target=_text(item, "Target", ""),
        actions=_texts(item, "Actions"),
        resources=_texts(item, "Resources"),
        context={str(key)[:MAX_TEXT]: _texts(context, key) for key in sorted(context, key=str)},
    )


def _text(item: Mapping[str, object], key: str, default: str | None) -> str:
    value = item.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise _Mistake(f"has a {key} that is not a text")
    if len(value) > MAX_TEXT:
        raise _Mistake(f"has a {key} of more than {MAX_TEXT} characters")
    return value


def _texts(item: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = item.get(key)
    values: Sequence[object] = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    if not values or not all(isinstance(text, str) and text for text in values):
        raise _Mistake(f"has no list of texts in {str(key)[:100]}")
    if len(values) > MAX_TEXTS or any(len(str(text)) > MAX_TEXT for text in values):
        raise _Mistake(f"has more than {MAX_TEXTS} texts, or {MAX_TEXT} characters in one, in {str(key)[:100]}")
    return tuple(dict.fromkeys(map(str, values)))
