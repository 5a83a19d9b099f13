"""What a task needs of its execution role, one fact at a time.

A `Feature` reads definitions and specs and yields `Need`s. A need joins a `Grant` (which actions, under which Sid) to
one resource, with the template path that asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ecs_exec_role.spec.language import Key
from ecs_exec_role.template.conditions import ALWAYS, Guard
from ecs_exec_role.template.symbols import Json

if TYPE_CHECKING:
    from ecs_exec_role.needs.context import Entry, Inquiry

Kind: TypeAlias = Literal[
    "Image",
    "PullThroughImage",
    "Registry",
    "LogGroup",
    "NewLogGroup",
    "Secret",
    "Parameter",
    "Object",
    "Bucket",
    "Key",
    "FileSystem",
    "FSx",
    "Other",
]
"""What sort of thing a need is about, so that the deploy-time check knows how to look for it."""

Condition: TypeAlias = tuple[str, str, tuple[str, ...]]
"""A condition of a statement: operator, condition key, symbolic values."""


@dataclass(frozen=True, eq=False, slots=True)
class Grant:
    """The actions that one statement allows, under one Sid. Compared by identity: each is made once, in its feature.

    `length` is that of its statement in IAM's count of characters, without the Sid, the resources and any condition.
    """

    sid: str
    actions: tuple[str, ...]
    kind: Kind
    length: int = field(init=False)

    def __post_init__(self) -> None:
        empty = len('{"Sid":"","Effect":"Allow","Action":[],"Resource":[]},')
        object.__setattr__(self, "length", empty + sum(len(action) + 3 for action in self.actions))


class Need(NamedTuple):
    """One resource that a task needs one grant on.

    `resource` is a symbolic ARN, or `*` for actions that take none. `target` is the value that stood in the template
    (an image, a `ValueFrom`). `conditions` hold for the whole statement. `context` is for `kms:Decrypt` alone: the
    operator, the encryption context's condition key, and the one value of it that this need is about.
    """

    grant: Grant
    resource: str
    guard: Guard
    path: str
    target: str
    conditions: tuple[Condition, ...] = ()
    context: tuple[str, str, str] | None = None


class Note(NamedTuple):
    """Something that was looked at and got no statement, and why; `docs` is AWS's page about it."""

    path: str
    text: str
    docs: str
    guard: Guard = ALWAYS


Infer: TypeAlias = "Callable[[Inquiry, Json, Guard, str], Iterator[Need]]"
Declare: TypeAlias = "Callable[[Inquiry, Entry], Iterator[Need]]"


@dataclass(frozen=True, eq=False, slots=True)
class Feature:
    """One feature of ECS that its execution role must serve.

    Attributes:
        id: its name in the documentation and in machine-readable output.
        title: the same for people.
        docs: the page of AWS's documentation that says what is needed.
        grants: its statements, in the order in which they stand in the policy.
        containers: for each property of a container definition that matters, how needs are read from it.
        volumes: the same for an item of `Volumes`.
        keys: its keys of `ExecutionRoleSpec`, and how needs are read from one entry of each.
    """

    id: str
    title: str
    docs: str
    grants: tuple[Grant, ...]
    containers: Mapping[str, Infer] = field(default_factory=dict)
    volumes: Mapping[str, Infer] = field(default_factory=dict)
    keys: Mapping[Key, Declare] = field(default_factory=dict)
