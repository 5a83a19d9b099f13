"""What definitions need, in the form in which policies are judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.needs.context import spell
from ecs_exec_role.needs.need import Need
from ecs_exec_role.offline.inference import Inferred
from ecs_exec_role.policies.patterns import Answer, matches
from ecs_exec_role.template.conditions import Guard, both
from ecs_exec_role.template.symbols import SYMBOL, Symbols

_SUFFIX = "-??????"
_MAY_BE_COMPLETE = re.compile(rf"(?:-[A-Za-z0-9]{{6}}|{SYMBOL})$")
_LOG_KINDS = ("LogGroup", "NewLogGroup")
_STREAM = ":log-stream:"

# What a value that only CloudFormation knows may need, by the engine's word for it.
_ACTIONS_OF = {
    "image": (
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
    ),
    "secret": ("secretsmanager:GetSecretValue", "kms:Decrypt"),
    "secret or parameter": ("secretsmanager:GetSecretValue", "ssm:GetParameters", "kms:Decrypt"),
    "S3 object": ("s3:GetObject", "s3:GetBucketLocation", "kms:Decrypt"),
    "credential spec": (
        "ssm:GetParameters",
        "s3:GetObject",
        "s3:GetBucketLocation",
        "secretsmanager:GetSecretValue",
        "kms:Decrypt",
    ),
}


class Wanted(NamedTuple):
    """Actions on one resource that a definition needs.

    `resources` are the spellings of the resource, of which only AWS knows the right one. `shown` is the first of them
    for people. `context` is what is known of the call's condition keys, in small letters; `where` says it in words.
    """

    actions: tuple[str, ...]
    kind: str
    resources: tuple[str, ...]
    shown: str
    context: Mapping[str, tuple[str, ...]]
    where: str
    guard: Guard
    path: str
    definition: str

    def asked(self, action: str) -> tuple[str, ...]:
        """The resources that IAM is asked about when ECS calls `action`.

        Log streams are asked for by their own ARN, and a new log group by that of a stream without a name.
        """
        if self.kind not in _LOG_KINDS or _STREAM in self.resources[0]:
            return self.resources
        end = "" if action == "logs:CreateLogGroup" else "*"
        return tuple(f"{resource.removesuffix(':*')}{_STREAM}{end}" for resource in self.resources)

    def answer(self, pattern: str, action: str, generated: Iterable[str]) -> Answer:
        """Whether a pattern of resources surely matches what this is about."""
        answers = [matches(pattern, resource, tuple(generated)) for resource in self.asked(action)]
        if len(answers) == 1:
            return answers[0]
        first, second = answers
        if self.resources[1] == f"{self.resources[0]}{_SUFFIX}":
            # A secret's ARN in letters may be the name alone, or already have its six characters at the end.
            if second is Answer.YES or first is not Answer.YES:
                return max(second, min(first, Answer.UNKNOWN))
            return Answer.UNKNOWN if _MAY_BE_COMPLETE.search(self.resources[0]) else second
        return min(first, second) if first == second else Answer.UNKNOWN


class Unresolved(NamedTuple):
    """A value of a definition of which nobody can tell what it names, and the actions it may need."""

    path: str
    what: str
    value: str
    actions: tuple[str, ...]


def of(inferred: Inferred, speller: Speller, guards: Iterable[Guard]) -> Iterator[Wanted]:
    """What a definition needs while one role is its execution role, which is so under any of `guards`."""
    if inferred.plan is None:
        return
    symbols = inferred.symbols
    listed = list(guards)
    for need, more in _paired(inferred.plan.needs):
        for guard in listed:
            together = both(need.guard, guard)
            if together is None:
                continue
            resources = [_spelt(need.resource, symbols, speller)]
            if more is not None:
                resources.append(_spelt(more.resource, symbols, speller))
            yield Wanted(
                actions=need.grant.actions,
                kind=need.grant.kind,
                resources=tuple(resources),
                shown=symbols.show(need.resource),
                context=_context(need, symbols, speller),
                where=_where(need, symbols),
                guard=together,
                path=need.path,
                definition=inferred.definitions[0],
            )


def _paired(needs: Iterable[Need]) -> Iterator[tuple[Need, Need | None]]:
    """The needs; two for one value that are two spellings of one thing come as a pair."""
    waiting: Need | None = None
    for need in dict.fromkeys(needs):
        if waiting is not None:
            same = (
                waiting.grant is need.grant
                and (waiting.path, waiting.target, waiting.guard) == (need.path, need.target, need.guard)
                and waiting.context == need.context
                and need.grant.kind in ("Secret", "Parameter")
            )
            if same:
                yield waiting, need
                waiting = None
                continue
            yield waiting, None
        waiting = need
    if waiting is not None:
        yield waiting, None


def _spelt(text: str, symbols: Symbols, speller: Speller) -> str:
    return speller.node(symbols.render(text))


def _context(need: Need, symbols: Symbols, speller: Speller) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for _, key, values in need.conditions:
        found[key.lower()] = tuple(_spelt(value, symbols, speller) for value in values)
    if need.context is not None:
        _, key, value = need.context
        found[key.lower()] = (_spelt(value, symbols, speller),)
    return found


def _where(need: Need, symbols: Symbols) -> str:
    said = [f"{key} is {' or '.join(map(symbols.show, values))}" for _, key, values in need.conditions]
    if need.context is not None:
        said.append(f"{need.context[1]} is {symbols.show(need.context[2])}")
    return " and ".join(said)


def unresolved(inferred: Inferred) -> Iterator[Unresolved]:
    """The values of a definition that cannot be classified here."""
    for note in inferred.plan.notes if inferred.plan else ():
        if note.code == "unresolved-value":
            value = spell(inferred.symbols.render(note.value))
            yield Unresolved(note.path, note.about, f"`{value}`", _ACTIONS_OF[note.about])


def has_unknown_keys(inferred: Inferred) -> bool:
    """Whether a secret of the definition may be encrypted with a key that the template does not show."""
    return inferred.plan is not None and any(warning.code == "unknown-key" for warning in inferred.plan.warnings)
