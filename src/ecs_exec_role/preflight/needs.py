"""What the custom resource is told: the role, and what its tasks need of it.

CloudFormation sends every value as a string or a list of strings, whatever the template says.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ecs_exec_role.errors import Problem

KINDS = (
    "Image", "PullThroughImage", "Registry", "LogGroup", "NewLogGroup", "Secret", "Parameter", "Object", "Bucket",
    "Key", "FileSystem", "FSx", "Other",
)  # fmt: skip
MODES = ("Fail", "Warn")
_ROLE = re.compile(r"arn:[a-z0-9-]+:iam::\d{12}:role/.+")


class _Mistake(Exception):
    """What is wrong with one need."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """That a task may do `actions` on one of `resources`, because the template says `target` at `path`.

    `resources` are as the role's policy has them: more than one where one thing may bear either name, with wildcards
    where the template cannot know better. `context` is what the request will carry.
    """

    sid: str = ""
    path: str
    kind: str = "Other"
    target: str = ""
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The properties of one `Custom::EcsExecRolePreflight`; with `problems`, the rest is not to be relied on."""

    role_arn: str
    mode: str
    needs: tuple[Need, ...]
    problems: tuple[Problem, ...]


def read_request(properties: object) -> Request:
    """The resource's properties, with every mistake in them; no exception."""
    if not isinstance(properties, Mapping):
        problem = Problem("Properties", "are not a mapping", "write RoleArn, Mode and Needs")
        return Request(role_arn="", mode="Fail", needs=(), problems=(problem,))
    problems = []
    role_arn = properties.get("RoleArn")
    if not isinstance(role_arn, str) or not _ROLE.fullmatch(role_arn):
        problems.append(Problem("Properties/RoleArn", "is not the ARN of a role", "write !GetAtt <Role>.Arn"))
        role_arn = ""
    mode = properties.get("Mode", "Fail")
    if mode not in MODES:
        problems.append(Problem("Properties/Mode", "is neither Fail nor Warn", "write one of them, or leave it out"))
        mode = "Fail"
    needs, mistakes = read_needs(properties.get("Needs", []), path="Properties/Needs")
    return Request(role_arn=role_arn, mode=mode, needs=needs, problems=(*problems, *mistakes))


def read_needs(items: object, *, path: str = "Needs") -> tuple[tuple[Need, ...], tuple[Problem, ...]]:
    """The needs that can be read, and one problem for each that cannot."""
    if not isinstance(items, Sequence) or isinstance(items, str):
        return (), (Problem(path, "is not a list", "write a list of needs"),)
    needs: list[Need] = []
    problems: list[Problem] = []
    for index, item in enumerate(items):
        try:
            needs.append(_need(item))
        except _Mistake as error:
            problems.append(Problem(f"{path}/{index}", str(error), "let the macro write it, or see docs/preflight.md"))
    return tuple(needs), tuple(problems)


def _need(item: object) -> Need:
    if not isinstance(item, Mapping):
        raise _Mistake("is not a mapping")
    context = item.get("Context") or {}
    if not isinstance(context, Mapping):
        raise _Mistake("has a Context that is not a mapping")
    kind = _text(item, "Kind", "Other")
    return Need(
        sid=_text(item, "Sid", ""),
        path=_text(item, "Path", None),
        # A macro newer than this function may know a kind that this one does not: IAM can still be asked about it.
        kind=kind if kind in KINDS else "Other",
        target=_text(item, "Target", ""),
        actions=_texts(item, "Actions"),
        resources=_texts(item, "Resources"),
        context={str(key): _texts(context, key) for key in sorted(context)},
    )


def _text(item: Mapping[str, object], key: str, default: str | None) -> str:
    value = item.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise _Mistake(f"has no {key} in words")
    return value


def _texts(item: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = item.get(key)
    values: Iterable[object] = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    texts = tuple(dict.fromkeys(v for v in values if isinstance(v, str) and v))
    if not texts or len(texts) < len({str(v) for v in values}):
        raise _Mistake(f"has no list of words in {key}")
    return texts
