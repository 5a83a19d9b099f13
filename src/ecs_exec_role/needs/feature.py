"""The form of a feature, and of the keys that it adds to `ExecutionRoleSpec`.

A feature names the properties of a definition that it reads, the keys of a spec that it reads, and the grants that it
makes from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.symbols import Json

if TYPE_CHECKING:
    from ecs_exec_role.needs.context import InferenceContext, ListEntry

Form: TypeAlias = Literal["choice", "texts", "entries", "logical-ids", "statements", "text", "number", "tags"]
"""The kinds of value that a key can have.

`choice` one of `Key.choices`; `texts` a list of strings; `entries` a list whose items are a string, or a mapping of
`Key.item` and `Key.options`; `logical-ids` a list of names of resources, as words or `!Ref`; `statements` a list of IAM
statements; `text` a string; `number` a whole number; `tags` a list of `{Key: …, Value: …}`.
"""


class Option(NamedTuple):
    """One key of an entry's mapping form. Without `choices` it is a string or an intrinsic function.

    `default` is which of the `choices` holds where the key is absent.
    """

    name: str
    description: str
    choices: tuple[bool | str, ...] = ()
    default: bool | str | None = None


class Key(NamedTuple):
    """One key of `ExecutionRoleSpec`. Compared by identity: each is made once."""

    name: str
    form: Form
    description: str
    examples: tuple[Json, ...]
    choices: tuple[bool | str, ...] = ()
    item: str = ""
    options: tuple[Option, ...] = ()
    on_role: bool | None = None
    """True: on `AWS::IAM::Role` only; False: everywhere else; None: everywhere."""
    default: bool | str | None = None
    """Which of the `choices` holds where the key is absent."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


FLAG = (True, False)
NO_KEY = "None"
"""The value of `KmsKeys` that says that nothing is encrypted with a customer managed key."""

KMS_KEY = Option("KmsKey", "The customer key it is encrypted with: ID, ARN, alias, !Ref or !GetAtt of the key.")

Infer: TypeAlias = "Callable[[InferenceContext, Cursor], None]"
"""Adds the needs of one property's value, or of a mapping without the property, to the context."""

Declare: TypeAlias = "Callable[[InferenceContext, ListEntry], None]"
"""Adds the needs of one entry of a spec's key to the context."""


_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Feature(NamedTuple):
    """One feature of ECS that its execution role must serve. Compared by identity: each is made once.

    Attributes:
        id: its name in the documentation and in machine-readable output.
        title: the same for people.
        docs: the page of AWS's documentation that says what is needed.
        grants: its statements, in their order in the policy.
        containers: for each property of a container definition that matters, how needs are read from its value.
        volumes: the same for an item of `Volumes`.
        services: the same for a property of an `AWS::ECS::Service` that runs the definition.
        defaults: for each resource type whose containers need something that no property says, how that is read
            from a container.
        keys: its keys of `ExecutionRoleSpec`, and how needs are read from one entry of each.
        finish: reads the needs that depend on all other needs.
    """

    id: str
    title: str
    docs: str
    grants: tuple[Grant, ...]
    containers: Mapping[str, Infer] = _NOTHING
    volumes: Mapping[str, Infer] = _NOTHING
    services: Mapping[str, Infer] = _NOTHING
    defaults: Mapping[str, Infer] = _NOTHING
    keys: Mapping[Key, Declare] = _NOTHING
    finish: Callable[[InferenceContext], None] | None = None

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)
