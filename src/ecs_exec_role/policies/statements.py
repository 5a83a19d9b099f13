"""Combines needs into the statements of a policy.

A statement has one list that grows: its resources, or, where it decrypts, the encryption contexts of one key.
Everything else in it is the same for all its needs. The order and the names depend only on what is granted,
so the same grants give the same bytes, whatever their order in a template.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import TypeAlias, TypeVar

from ecs_exec_role.features import ORDER
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.feature import Feature
from ecs_exec_role.needs.need import Condition, Grant, Need
from ecs_exec_role.template.budget import current
from ecs_exec_role.template.conditions import (
    ALWAYS,
    DecisionDiagram,
    PathCondition,
    any_of,
    diagram,
    narrowed,
    nodes_of,
    placed,
    when,
)
from ecs_exec_role.template.event import Template
from ecs_exec_role.template.related_conditions import RelatedConditions
from ecs_exec_role.template.symbols import ACCOUNT, PARTITION, PSEUDO_PARAMETERS, REGION, Json, Symbols, references

LARGEST_STATEMENT = 5_800
"""The most characters of one statement, so that a managed policy (6,144) has space for it and the rest."""

_LONGEST_SID = 40

_LONGEST_NAME = 128
_LONGEST_OPAQUE = 256
_QUOTES = len('"",')
_FUNCTION = len('{"Fn::If":["",,{"Ref":"AWS::NoValue"}]}')


class Statement(NamedTuple):
    """One statement of a policy.

    `write` gives its document where some conditions are known to hold. `length` counts its characters as IAM does, with
    the longest values that CloudFormation can fill in. `references` are the names of the template that it refers to.
    `feature` is None for a statement that the author wrote.
    """

    sid: str
    feature: Feature | None
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    needs: tuple[Need, ...]
    held: DecisionDiagram
    write: Callable[[PathCondition], Json]
    length: int
    paths: tuple[str, ...]
    references: frozenset[str]

    @property
    def document(self) -> Json:
        """Its text in a policy that always exists, with its own `Fn::If`."""
        return placed(self.held, self.write)

    def under(self, given: PathCondition) -> Json:
        """Its text where `given` is known to hold; None if it does not exist then."""
        if self.held is True:
            return self.write(given)
        if given == ALWAYS:
            return self.document
        held = narrowed(self.held, given)
        return None if held is False else placed(held, self.write, given)


_GroupKey: TypeAlias = "Grant | tuple[Grant, tuple[Condition, ...], str, tuple[str, str]]"
"""The key of a group. Most needs have nothing but a resource, and the key of their group is the grant alone."""

_NO_CONTEXT = ("", "")
_NO_NAMES: frozenset[str] = frozenset()
_PSEUDO_PARAMETERS = frozenset(PSEUDO_PARAMETERS)
_KEY_OF = attrgetter("key")
_RANK_OF = attrgetter("rank")

_Key = TypeVar("_Key")
_Made = TypeVar("_Made")


class _MadeOnce(dict[_Key, _Made]):
    """What is made of each key: once for all roles of a template, at its first use."""

    def __init__(self, make: Callable[[_Key], _Made]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: _Key) -> _Made:
        made = self[key] = self._make(key)
        return made


class _Value:
    """A symbolic text as a value of a policy.

    Attributes:
        text: the symbolic text.
        is_literal: whether all of it is known.
        key: what it is sorted by.
        node: how it is written.
        length: the most characters that it can have in a list after CloudFormation has filled it in.
        written: about the number of those that it has in a template, with its functions, in an `Fn::If`.
        names: the names of the template that it refers to, without pseudo parameters.
    """

    __slots__ = ("is_literal", "key", "length", "names", "node", "text", "written")

    def __init__(self, symbols: Symbols, longest: Mapping[str, int], text: str) -> None:
        self.text = text
        self.is_literal = text.isascii()
        self.key = symbols.sort_key(text)
        self.node = symbols.render(text)
        self.written = len(self.key) + _FUNCTION
        self.names = _NO_NAMES
        named = [symbol.name for symbol in symbols.directly_in(text)]
        if not _PSEUDO_PARAMETERS.issuperset(named):
            self.names = symbols.names(text) - _PSEUDO_PARAMETERS
        self.length = len(text) - len(named) + sum([longest[name] for name in named]) + _QUOTES


class _List:
    """The values of a statement's list, in their order.

    Attributes:
        values: the values.
        texts: their symbolic texts.
        is_mixed: whether some are literal, and others are not.
        length: the number of characters of all.
        names: the names of the template that they refer to.
    """

    __slots__ = ("is_mixed", "length", "names", "texts", "values")

    def __init__(self, values: Sequence[_Value]) -> None:
        self.values = values
        self.texts = tuple([value.text for value in values])
        self.is_mixed = len({value.is_literal for value in values}) > 1
        self.length = sum([value.length for value in values])
        self.names = _NO_NAMES.union(*[value.names for value in values])

    @classmethod
    def of(cls, read: Mapping[str, _Value], texts: Iterable[str]) -> _List:
        """The list of these texts."""
        return cls(sorted([read[text] for text in texts], key=_KEY_OF))

    def split(self, room: int) -> Iterator[_List]:
        """The lists of several statements, so that the values of none have more characters than there is room."""
        run: list[_Value] = []
        used = 0
        for value in self.values:
            if run and used + value.length > room:
                yield _List(run)
                run, used = [], 0
            run.append(value)
            used += value.length
        if run:
            yield _List(run)


class _Group:
    """What all needs of a statement have in common.

    Attributes:
        grant: the actions.
        feature: the feature that needs them.
        conditions: those of the statement, with their values.
        resource: the one resource, if the list of the statement is that of encryption contexts.
        context: the operator and the key of these contexts.
        rank: the position of the statement, by feature and then by content.
        frame: the number of characters of the statement, without its Sid and its list.
        names: the names of the template in its conditions and its one resource.
    """

    __slots__ = ("conditions", "context", "feature", "frame", "grant", "names", "rank", "resource")

    def __init__(self, read: Mapping[str, _Value], group_key: _GroupKey) -> None:
        key = group_key if isinstance(group_key, tuple) else (group_key, (), "", _NO_CONTEXT)
        grant, conditions, resource, context = key
        self.grant = grant
        self.conditions = [(operator, name, _List.of(read, texts)) for operator, name, texts in conditions]
        self.resource = read[resource] if resource else None
        self.context = context
        self.frame = grant.length
        self.names = _NO_NAMES.union(*[required.names for _, _, required in self.conditions])
        said: list[str] = []
        if conditions or resource:
            said += [resource, *context]
            self.frame += len(',"Condition":{}')
        if self.resource is not None:
            self.frame += self.resource.length - _QUOTES + sum(map(len, context)) + len('"":{"":[]},')
            self.names |= self.resource.names
        for operator, name, required in self.conditions:
            self.frame += len(operator) + len(name) + len('"":{"":[]},') + required.length
        for operator, name, texts in conditions:
            said += [operator, name, *texts]
        position, self.feature = ORDER[grant]
        self.rank = position, "\0".join([read[text].key for text in said])


class Writer:
    """Writes the statements of one template's roles."""

    def __init__(self, symbols: Symbols, template: Template, related: RelatedConditions | None = None) -> None:
        """`symbols` are what the needs' texts are made of; the template tells how long what is unknown can get."""
        self._related = related or RelatedConditions.of(template)
        self._known = {PARTITION: template.partition, REGION: template.region, ACCOUNT: template.account}
        longest: _MadeOnce[str, int] = _MadeOnce(lambda name: _LONGEST_NAME + len(name))
        longest |= {
            "": _LONGEST_OPAQUE,
            "AWS::Partition": len(template.partition),
            # The region is not known to each caller.
            "AWS::Region": len(template.region) or _LONGEST_NAME,
            "AWS::AccountId": 12,
            "AWS::URLSuffix": len(template.url_suffix),
            "AWS::StackName": _LONGEST_NAME,
        }
        values: _MadeOnce[str, _Value] = _MadeOnce(partial(_Value, symbols, longest))
        self._lists: _MadeOnce[tuple[str, ...], _List] = _MadeOnce(partial(_List.of, values))
        self._groups: _MadeOnce[_GroupKey, _Group] = _MadeOnce(partial(_Group, values))

    def statements(
        self,
        needs: Iterable[Need],
        written: Sequence[tuple[PathCondition, Json, str]],
        given: PathCondition = ALWAYS,
        *,
        room: int = 0,
    ) -> list[Statement]:
        """The statements that grant what is needed, followed by those that the author wrote.

        Args:
            needs: what the features found.
            written: the spec's own statements, each with its conditions and its path.
            given: the condition of the role, which all statements depend on.
            room: the characters that the role itself has for statements. Where all fit, none is split so that a part
                of it fits into a managed policy.
        """
        grouped = _grouped(needs, self._related.possible)
        groups = {self._groups[key]: by_text for key, by_text in grouped.items()}
        lists = [(group, *self._listed(groups[group], given)) for group in sorted(groups, key=_RANK_OF)]
        authors = []
        for path_condition, node, path in written:
            held = diagram([path_condition], given)
            if held is not False:
                authors.append(_as_written(held, node, path))
        length = sum([statement.length for statement in authors])
        length += sum([_LONGEST_SID + group.frame + found.length for group, found, _, _ in lists])
        taken = {node["Sid"] for _, node, _ in written if isinstance(node.get("Sid"), str)}
        statements = []
        for group, found, by_text, conditional in lists:
            most = room if length <= room else LARGEST_STATEMENT - group.frame
            for part in [found] if found.length <= most and found.values else found.split(most):
                sid = _free(group.grant.sid, taken)
                taken.add(sid)
                statements.append(self._statement(sid, group, part, by_text, conditional))
        return [*statements, *authors]

    def _listed(
        self, needs: Mapping[str, list[Need]], given: PathCondition
    ) -> tuple[_List, Mapping[str, list[Need]], Mapping[str, DecisionDiagram]]:
        """The list of the values that are needed, what needs each, and the conditions of those that have any."""
        found = self._lists[tuple(needs)]
        if found.is_mixed:
            needs = self._without_doubles(needs)
            found = self._lists[tuple(needs)]
        # Most needs have no condition, so that the first of a value shows that it is always there. Where only a later
        # one shows that, the diagram is `True`.
        conditional = {text: self._held(needed, given) for text, needed in needs.items() if needed[0].path_condition}
        if conditional:
            found = self._lists[tuple([text for text in found.texts if conditional.get(text) is not False])]
        return found, needs, conditional

    def _held(self, needs: Iterable[Need], given: PathCondition) -> DecisionDiagram:
        """Under which conditions any of these is needed by a role that exists under `given`."""
        return self._related.simplified(diagram([need.path_condition for need in needs], given), given)

    def _without_doubles(self, needs: Mapping[str, list[Need]]) -> Mapping[str, list[Need]]:
        """The same, with each literal text merged with the text that has the same meaning by pseudo parameters."""
        symbolic = {self._filled_in(text): text for text in needs if not text.isascii()}
        joined: dict[str, list[Need]] = {}
        for text, needed in needs.items():
            joined.setdefault(symbolic.get(text, text) if text.isascii() else text, []).extend(needed)
        return joined

    def _filled_in(self, text: str) -> str:
        for symbol, value in self._known.items():
            text = text.replace(symbol, value)
        return text

    def _statement(
        self,
        sid: str,
        group: _Group,
        found: _List,
        by_text: Mapping[str, list[Need]],
        conditional: Mapping[str, DecisionDiagram],
    ) -> Statement:
        """The statement of a group with this list; `conditional` has the conditions of the values that have any."""
        needs = tuple([need for text in found.texts for need in by_text[text]])
        held: DecisionDiagram = True
        if conditional:
            held = self._related.simplified(any_of([conditional.get(text, True) for text in found.texts]))
        resources = (group.resource.text,) if group.resource else found.texts
        names = group.names | found.names if group.names else found.names
        paths = tuple(dict.fromkeys([need.path for need in needs]))
        length = group.frame + len(sid) + found.length
        write = partial(_document, sid, group, found, conditional)
        actions = group.grant.actions
        return Statement._make((sid, group.feature, actions, resources, needs, held, write, length, paths, names))


def _document(
    sid: str, group: _Group, found: _List, conditional: Mapping[str, DecisionDiagram], given: PathCondition
) -> dict[str, Json]:
    """A statement with the values that exist where `given` is known to hold."""
    nodes = []
    written = group.frame
    for value in found.values:
        left = narrowed(conditional[value.text], given) if value.text in conditional else True
        if left is True:
            written += value.written
            nodes.append(value.node)
        elif left is not False:
            # The statement is counted before it is made.
            current().write(value.written * (1 + nodes_of(left)))
            nodes.append(when(left, value.node))
    current().write(written)
    listed = nodes[0] if len(nodes) == 1 else nodes
    actions = group.grant.actions
    document: dict[str, Json] = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions[0] if len(actions) == 1 else list(actions),
        "Resource": group.resource.node if group.resource else listed,
    }
    condition: dict[str, Json] = {}
    for operator, key, required in group.conditions:
        rendered = [value.node for value in required.values]
        condition.setdefault(operator, {})[key] = rendered[0] if len(rendered) == 1 else rendered
    if group.resource:
        operator, key = group.context
        condition.setdefault(operator, {})[key] = listed
    if condition:
        document["Condition"] = condition
    return document


def _grouped(
    needs: Iterable[Need], possible: Callable[[PathCondition], bool]
) -> Mapping[_GroupKey, Mapping[str, list[Need]]]:
    """The needs of each statement that are possible, by the value that each adds to the statement's list."""
    found: dict[_GroupKey, dict[str, list[Need]]] = {}
    for need in needs:
        group: _GroupKey
        group, text, path_condition, _, _, conditions, context = need
        if path_condition and not possible(path_condition):
            continue
        if context is not None:
            operator, key, text = context
            group = (need.grant, conditions, need.resource, (operator, key))
        elif conditions:
            group = (need.grant, conditions, "", _NO_CONTEXT)
        by_text = found.get(group)
        if by_text is None:
            found[group] = {text: [need]}
        elif text in by_text:
            by_text[text].append(need)
        else:
            by_text[text] = [need]
    return found


def _free(sid: str, taken: set[str]) -> str:
    number = 2
    free = sid
    while free in taken:
        free, number = f"{sid}{number}", number + 1
    return free


def _as_written(held: DecisionDiagram, node: dict[str, Json], path: str) -> Statement:
    sid = node.get("Sid")
    length = len(json.dumps(node, separators=(",", ":")))

    def write(_: PathCondition) -> Json:
        current().write(length)
        return node

    return Statement(
        sid=sid if isinstance(sid, str) else "",
        feature=None,
        actions=tuple(action for action in _listed(node.get("Action", [])) if isinstance(action, str)),
        resources=tuple(resource for resource in _listed(node.get("Resource", [])) if isinstance(resource, str)),
        needs=(),
        held=held,
        write=write,
        length=length,
        paths=(path,),
        references=frozenset(references(node)),
    )


def _listed(node: Json) -> list[Json]:
    return node if isinstance(node, list) else [node]
