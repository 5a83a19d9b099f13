"""What definitions need, in a form that can be compared with policies."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from ecs_exec_role.audit import sentences
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.errors import Problem
from ecs_exec_role.features import FEATURES, fsx, images, logs
from ecs_exec_role.inference import SKIPPED
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.feature import Feature
from ecs_exec_role.needs.need import Need
from ecs_exec_role.offline import humanize
from ecs_exec_role.offline.inference import Inferred
from ecs_exec_role.policies.patterns import Truth, matches
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.event import Template, mapping
from ecs_exec_role.template.reader import UNREAD
from ecs_exec_role.template.spelling import spell
from ecs_exec_role.template.symbols import SYMBOL, Json, Symbols, references

_SUFFIX = "-??????"
_MAY_BE_COMPLETE = re.compile(rf"(?:-[A-Za-z0-9]{{6}}|{SYMBOL})$")
_OTHER_STACKS = re.compile(r"Fn::(?:ImportValue|GetStackOutput|Transform)|\{\{resolve:")
_LOG_KINDS = ("LogGroup", "NewLogGroup")
_STREAM = ":log-stream:"
_STAR = "${*}"
"""The character, as a pattern."""


def _actions(*features: Feature) -> tuple[str, ...]:
    """The actions of all statements of these features."""
    grants = (grant for feature in features for grant in feature.grants)
    return tuple(dict.fromkeys(action for grant in grants for action in grant.actions))


# What a value that only CloudFormation knows may need, by the engine's name for its kind.
_ACTIONS_OF = {
    "image": _actions(images.FEATURE),
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


_ANYTHING = _actions(*FEATURES)

_SECRET_OR_PARAMETER = _ACTIONS_OF["secret or parameter"]
ACTIONS_OF_PROPERTY = {
    "Image": _ACTIONS_OF["image"],
    "Secrets": _SECRET_OR_PARAMETER,
    "RepositoryCredentials": _ACTIONS_OF["secret"],
    "LogConfiguration": (*_actions(logs.FEATURE), *_SECRET_OR_PARAMETER),
    "AwsLogsConfiguration": _actions(logs.FEATURE),
    "EnvironmentFiles": _ACTIONS_OF["S3 object"],
    "FirelensConfiguration": _ACTIONS_OF["S3 object"],
    "CredentialSpecs": _ACTIONS_OF["credential spec"],
    "DockerSecurityOptions": _ACTIONS_OF["credential spec"],
    "FSxWindowsFileServerVolumeConfiguration": (*_actions(fsx.FEATURE), *_SECRET_OR_PARAMETER),
    "ServiceConnectConfiguration": (*_actions(logs.FEATURE), *_SECRET_OR_PARAMETER),
    # The task role mounts it.
    "EFSVolumeConfiguration": (),
    "EfsVolumeConfiguration": (),
}
"""What each property of a definition that the engine reads may need."""


class Required(NamedTuple):
    """Actions on one resource that a definition needs.

    `resources` are the spellings of the resource, of which only AWS knows the right one. `shown` is how the macro
    would write it. `context` is what is known of the call's condition keys, in lower case; `where` says it in words.
    `needs` are what the macro would grant, with the template's own parameters where possible, made of `symbols`.
    """

    actions: tuple[str, ...]
    kind: str
    resources: tuple[str, ...]
    shown: str
    context: Mapping[str, tuple[str, ...]]
    where: str
    path_condition: PathCondition
    path: str
    definition: str
    needs: tuple[Need, ...] = ()
    symbols: Symbols | None = None

    def asked(self, action: str) -> tuple[str, ...]:
        """The resources that IAM is asked about when ECS calls `action`.

        For log streams it is their own ARN, and for a new log group the ARN of a stream without a name.
        """
        if self.kind not in _LOG_KINDS or _STREAM in self.resources[0]:
            return self.resources
        end = "" if action == "logs:CreateLogGroup" else "*"
        return tuple(f"{resource.removesuffix(':*')}{_STREAM}{end}" for resource in self.resources)

    def answer(self, pattern: str, action: str, generated: Mapping[str, str]) -> Truth:
        """Whether a pattern of resources certainly matches what this is about."""
        # An action that takes no resource is needed on `*` itself, which no ARN matches.
        asked = (_STAR if resource == "*" else resource for resource in self.asked(action))
        answers = [matches(pattern, resource, generated) for resource in asked]
        if len(answers) == 1:
            return answers[0]
        first, second = answers
        if self.resources[1] == f"{self.resources[0]}{_SUFFIX}":
            # A literal ARN of a secret can end with the name, or with the six characters.
            if second is Truth.YES or first is not Truth.YES:
                return max(second, min(first, Truth.UNKNOWN))
            return Truth.UNKNOWN if _MAY_BE_COMPLETE.search(self.resources[0]) else second
        return min(first, second) if first == second else Truth.UNKNOWN


class Unresolved(NamedTuple):
    """A value of a definition when it is not known here what it names, and the actions that it may need.

    `parameters` are those without a value here that it depends on, if their values are all that is missing.
    `mistake` is what is wrong if the value cannot be read; then `what` is empty, and `value` says which place it is.
    """

    path: str
    what: str
    value: str
    actions: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    mistake: Problem | None = None

    @property
    def named(self) -> str:
        """The value in words, for a sentence about it."""
        return f"the {self.what} {self.value}" if self.what else self.value

    @property
    def open_calls(self) -> tuple[str, ...]:
        """The actions that may be needed, if not even the macro can decide it at deployment."""
        return tuple(action for action in self.actions if not self.parameters or action == "kms:Decrypt")


def of(
    inferred: Inferred, symbolic: Inferred, speller: Speller, path_conditions: Iterable[PathCondition]
) -> Iterator[Required]:
    """What a definition certainly needs while one role is its execution role, that is, under any of `path_conditions`.

    `symbolic` is what it needs for any values of its parameters, as the macro would write it.
    """
    if inferred.readable is None:
        return
    symbols = inferred.symbols
    listed = list(path_conditions)
    written = _Written(inferred, symbolic)
    wrong = [_part(problem.path).path for problem in inferred.problems]
    for need, more in _paired(inferred.readable.needs):
        if any(_concerns(path, need, symbols) for path in wrong):
            continue
        for path_condition in listed:
            together = speller.related.together(need.path_condition, path_condition)
            if together is None:
                continue
            resources = [_spelt(need.resource, symbols, speller)]
            if more is not None:
                resources.append(_spelt(more.resource, symbols, speller))
            those = [need] if more is None else [need, more]
            needs, of_needs = written.of(those)
            shown = of_needs.show(needs[-1].resource if need.grant.kind == "Secret" else needs[0].resource)
            yield Required(
                actions=need.grant.actions,
                kind=need.grant.kind,
                resources=tuple(resources),
                shown=shown,
                context=_context(need, symbols, speller),
                where=_where(needs[0], of_needs),
                path_condition=together,
                path=need.path,
                definition=inferred.definitions[0],
                needs=tuple(each._replace(path_condition=together) for each in needs),
                symbols=of_needs,
            )


class _Written:
    """Finds, for a need of a definition, the same need with the template's parameters unresolved."""

    def __init__(self, inferred: Inferred, symbolic: Inferred) -> None:
        self._symbols, self._other = inferred.symbols, symbolic.symbols
        self._mine = self._by_place(inferred)
        self._theirs = self._by_place(symbolic)

    @staticmethod
    def _by_place(inferred: Inferred) -> dict[tuple[str, str, PathCondition], list[Need]]:
        found: dict[tuple[str, str, PathCondition], list[Need]] = {}
        wrong = [_part(problem.path).path for problem in inferred.problems]
        for need in dict.fromkeys(inferred.readable.needs if inferred.readable is not None else ()):
            if any(_concerns(path, need, inferred.symbols) for path in wrong):
                continue
            found.setdefault((need.path, need.grant.sid, need.path_condition), []).append(need)
        return found

    def of(self, needs: Sequence[Need]) -> tuple[list[Need], Symbols]:
        """The needs, and the symbols that they are made of; the given ones if there are no others."""
        place = (needs[0].path, needs[0].grant.sid, needs[0].path_condition)
        mine, theirs = self._mine[place], self._theirs.get(place, [])
        if len(mine) != len(theirs):
            return list(needs), self._symbols
        return [theirs[mine.index(need)] for need in needs], self._other


def _paired(needs: Iterable[Need]) -> Iterator[tuple[Need, Need | None]]:
    """The needs; two needs of one value with two spellings of one resource are a pair."""
    waiting: Need | None = None
    for need in dict.fromkeys(needs):
        if waiting is not None:
            same = (
                waiting.grant is need.grant
                and (waiting.path, waiting.target, waiting.path_condition)
                == (need.path, need.target, need.path_condition)
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


def unresolved(inferred: Inferred, template: Template) -> Iterator[Unresolved]:
    """The values of a definition that cannot be classified here."""
    for note in inferred.readable.notes if inferred.readable else ():
        if note.code == "unresolved-value":
            node = inferred.symbols.render(note.value)
            named = sorted(name for name in references(node) if not name.startswith("AWS::"))
            known = all(map(template.is_read, named)) and not _OTHER_STACKS.search(json.dumps(node))
            names = tuple(named) if known else ()
            yield Unresolved(note.path, note.about, f"`{spell(node)}`", _ACTIONS_OF[note.about], names)


def includes(data: Mapping[str, Json], definition: str) -> Iterator[Unresolved]:
    """What `Fn::Transform` makes of a definition, in CloudFormation only: it may need anything."""
    top = f"Resources/{definition}/Properties"
    waiting: list[tuple[str, Json]] = [
        (top, mapping(mapping(mapping(data["Resources"])[definition]).get("Properties")))
    ]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, dict):
            if "Fn::Transform" in node:
                name = mapping(node["Fn::Transform"]).get("Name", "Fn::Transform")
                yield Unresolved(f"{path}/Fn::Transform", "content of", f"`{name}`", _ANYTHING)
            waiting += [(f"{path}/{key}", child) for key, child in node.items()]
        elif isinstance(node, list):
            waiting += [(f"{path}/{index}", child) for index, child in enumerate(node)]


def has_unknown_keys(inferred: Inferred) -> bool:
    """Whether what the definition reads may be encrypted with a key that the template does not show."""
    readable = inferred.readable
    return readable is not None and any(warning.code == "unknown-key" for warning in readable.warned)


class _Part(NamedTuple):
    """The part of a template that a mistake makes unreadable, and the actions that it may need."""

    path: str
    actions: tuple[str, ...]


def _part(path: str) -> _Part:
    """The part that a mistake at `path` makes unreadable: a property, an item of a list, or another resource.

    If a value that is in no such property is wrong, the definition may need anything for it.
    """
    steps = path.split("/")
    for position, step in enumerate(steps):
        if step in ACTIONS_OF_PROPERTY:
            end = position + 1
            while steps[end : end + 1] == ["Fn::If"]:
                end += 2
            end += steps[end : end + 1] != [] and steps[end].isdecimal()
            return _Part("/".join(steps[:end]), ACTIONS_OF_PROPERTY[step])
    return _Part(path, _ANYTHING)


def _concerns(path: str, need: Need, symbols: Symbols) -> bool:
    """Whether a need can be wrong because of a mistake at `path`: it is there, or about the resource that has it."""
    owner = path.split("/")[1:2]
    here = need.path == path or need.path.startswith(f"{path}/")
    return here or not symbols.names(f"{need.resource}{need.target}").isdisjoint(owner)


def is_readable(inferred: Inferred) -> bool:
    """Whether anything of a definition can be read: no mistake is outside of its resources."""
    return inferred.readable is not None and all(
        problem.path.startswith("Resources/") and problem.path.count("/") > 2 for problem in inferred.problems
    )


def unreadable(inferred: Inferred, data: Mapping[str, Json], known: Container[str]) -> Iterator[Unresolved]:
    """The values of a definition that cannot be read: those with a mistake, and those that another macro will write.

    `known` are the paths of values that are not known for another reason.
    """
    notes = inferred.readable.notes if inferred.readable is not None else ()
    unread = [
        Problem(note.path, note.text.removesuffix(SKIPPED), sentences.WRITE_WHAT_IT_GIVES, note.code)
        for note in notes
        if note.code == UNREAD and note.path not in known
    ]
    for problem in (*inferred.problems, *unread):
        who, what = humanize.whereabouts(data, problem.path)
        yield Unresolved(
            problem.path, "", f"{who} ({what})" if what else who, _part(problem.path).actions, mistake=problem
        )
