"""The types of what a task needs of its execution role."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.conditions import ALWAYS, PathCondition
from ecs_exec_role.template.symbols import SymbolicText

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
"""The kind of thing that a need is about. It tells the check at deployment how to look for it."""

Condition: TypeAlias = tuple[str, str, tuple[str, ...]]
"""A condition of a statement: operator, condition key, symbolic values."""


FIELDS_OF_ARN = 6
"""The fields of an ARN, between colons: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`."""


class Grant:
    """The actions that one statement allows, under one Sid. Compared by identity: each is made once, in its feature.

    `service` is the prefix of its actions. `length` is that of its statement in IAM's count of characters, without the
    Sid, the resources and any condition.
    """

    __slots__ = ("actions", "kind", "length", "service", "sid")

    def __init__(self, sid: str, actions: tuple[str, ...], kind: Kind) -> None:
        self.sid = sid
        self.actions = actions
        self.kind = kind
        self.service = actions[0].partition(":")[0]
        empty = len('{"Sid":"","Effect":"Allow","Action":[],"Resource":[]},')
        self.length = empty + sum(len(action) + 3 for action in actions)


class Need(NamedTuple):
    """One resource that a task needs one grant on.

    `resource` is a symbolic ARN, or `*` for actions that take none. `target` is the value in the template
    (an image, a `ValueFrom`). `conditions` hold for the whole statement. `context` is for `kms:Decrypt` alone: the
    operator, the condition key of the encryption context, and its value for this need.
    """

    grant: Grant
    resource: SymbolicText
    path_condition: PathCondition
    path: str
    target: SymbolicText
    conditions: tuple[Condition, ...] = ()
    context: tuple[str, str, SymbolicText] | None = None


class Note(NamedTuple):
    """Something that was examined and got no statement, and why.

    `code` identifies it for programs (docs/codes.md), `docs` is AWS's page about it. `about` is the kind of value that
    an `unresolved-value` is (`image`, `secret`, …), and `value` that value as symbolic text.
    """

    path: str
    text: str
    docs: str
    path_condition: PathCondition = ALWAYS
    code: str = ""
    about: str = ""
    value: SymbolicText = SymbolicText("")
