"""IAM's policies as languages of requests, and the difference of two of them as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from tests.support.cloudformation import Document
from tests.support.prove.automata import (
    ABSENT,
    ANY,
    END,
    ONE,
    UNCONSTRAINED,
    Automaton,
    Field,
    Pattern,
    Undecided,
    Word,
    exact,
    glob,
    literal,
)

ANY_VALUE = "ForAnyValue:"
_AUTOMATON = Automaton()

ENCRYPTION_CONTEXT = "kms:encryptioncontext:"


@dataclass(frozen=True)
class Grant:
    """Requests that are allowed: one of the actions, on one of the resources, with a right value of each condition key.

    `keys` maps a condition key to the values that it may have; a key that is not there may have any, or be absent. Of a
    multivalued key (`ForAnyValue:`) one value is looked at: with "one of its values is …" a set of values is
    allowed just where one of its members would be allowed alone.
    """

    label: str
    actions: Field
    resources: Field
    keys: Mapping[str, Field] = field(default_factory=dict)

    def product(self, keys: Iterable[str]) -> tuple[Field, ...]:
        return (self.actions, self.resources, *(self.keys.get(key, UNCONSTRAINED) for key in keys))

    def one_by_one(self) -> Iterator[Grant]:
        """The same, for each action alone."""
        for action in sorted(self.actions):
            yield Grant(self.label, frozenset({action}), self.resources, self.keys)


class Difference(NamedTuple):
    """A request that one side allows and the other does not, and the statement or need that it comes from."""

    label: str
    request: str

    def __str__(self) -> str:
        return f"{self.label}: {self.request}"


def differences(required: Iterable[Grant], known: Iterable[Grant]) -> list[Difference]:
    """For each grant and action of `required` the shortest request that no grant of `known` allows."""
    mine = [each for grant in required for each in grant.one_by_one()]
    theirs = [each for grant in known for each in grant.one_by_one()]
    if any({ANY, ONE} & set(action) for grant in (*mine, *theirs) for action in grant.actions):
        return _decided(mine, theirs)
    found: list[Difference] = []
    for action in dict.fromkeys(grant.actions for grant in mine):
        found += _decided(*([grant for grant in side if grant.actions == action] for side in (mine, theirs)))
    return found


def _decided(required: list[Grant], known: list[Grant]) -> list[Difference]:
    keys = sorted({key for grant in (*required, *known) for key in grant.keys})
    words = _witnesses(
        tuple(grant.product(keys) for grant in required), frozenset(grant.product(keys) for grant in known)
    )
    return [Difference(grant.label, _request(word, keys)) for grant, word in zip(required, words, strict=True) if word]


@lru_cache(maxsize=4096)
def _witnesses(required: tuple[tuple[Field, ...], ...], known: frozenset[tuple[Field, ...]]) -> list[Word | None]:
    """For each product of `required` the shortest word that none of `known` has."""
    theirs = _AUTOMATON.start(known)
    if _AUTOMATON.witness(_AUTOMATON.start(required), theirs) is None:
        return [None] * len(required)
    return [_AUTOMATON.witness(_AUTOMATON.start([each]), theirs) for each in required]


def _request(word: Word, keys: list[str]) -> str:
    fields: list[str] = [""]
    for symbol in word:
        if symbol == END:
            fields.append("")
        else:
            fields[-1] += symbol
    action, resource, *values = fields[:-1]
    context = [f"{key}={value}" for key, value in zip(keys, values, strict=True) if value != ABSENT]
    return " ".join([action, "on", resource, *(["with", *context] if context else [])])


# Policies


class Held(NamedTuple):
    """The content of policies: the requests that they allow, and as JSON the statements that no automaton expresses."""

    grants: list[Grant]
    others: list[str]


def read(documents: Iterable[Document]) -> Held:
    """Reads policies.

    What is not a plain permission (`Deny`, `NotAction`, negated operators, policy variables …) is only compared as it
    is written. This is sound where both sides have the same ones.
    """
    held = Held([], [])
    for document in documents:
        for statement in _listed(document["Statement"]):
            try:
                held.grants.append(_allowed(statement))
            except Undecided:
                held.others.append(json.dumps({**statement, "Sid": None}, sort_keys=True))
    held.others.sort()
    return held


def _allowed(statement: Document) -> Grant:
    known = {"Sid", "Effect", "Action", "Resource", "Condition"}
    if statement["Effect"] != "Allow" or not set(statement) <= known:
        raise Undecided("not a plain permission")
    return Grant(
        str(statement.get("Sid", "a statement without Sid")),
        frozenset(glob(action.lower()) for action in _listed(statement["Action"])),
        frozenset(glob(resource) for resource in _listed(statement["Resource"])),
        conditions(statement.get("Condition", {})),
    )


def conditions(block: Document) -> dict[str, Field]:
    """The values that each key of a `Condition` may have."""
    found: dict[str, Field] = {}
    for operator, keys in block.items():
        quantifier, _, name = operator.rpartition(":")
        optional = name.endswith("IfExists")
        name = name.removesuffix("IfExists")
        if quantifier not in {"", "ForAnyValue"}:
            raise Undecided(f"{operator} is not read")
        for key, values in keys.items():
            patterns = {_value(name, str(value)) for value in _listed(values)} | ({(ABSENT,)} if optional else set())
            key_name = (ANY_VALUE if quantifier else "") + _key(key)
            if key_name in found:
                raise Undecided(f"{key} stands under two operators")
            found[key_name] = frozenset(patterns)
    return found


def _value(operator: str, value: str) -> Pattern:
    match operator:
        case "StringLike" | "ArnLike" | "ArnEquals":
            return glob(value)
        case "StringEquals":
            return exact(value)
        case "Bool":
            return literal(value.lower())
    raise Undecided(f"{operator} is not read")


def _key(key: str) -> str:
    """Names of condition keys are not case-sensitive; those of an encryption context are."""
    if key.lower().startswith(ENCRYPTION_CONTEXT):
        return ENCRYPTION_CONTEXT + key[len(ENCRYPTION_CONTEXT) :]
    return key.lower()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
