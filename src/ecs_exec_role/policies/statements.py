"""Combines needs into the statements of a policy.

A statement has one list that grows: its resources, or, where it decrypts, the encryption contexts of one key.
Everything else in it is the same for all its needs. The order and the names depend only on what is granted,
so the same grants give the same bytes, whatever their order in a template.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter

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


class _Group(NamedTuple):
    """What all needs of a statement have in common: also `resource` and `context` if its list is that of contexts."""

    grant: Grant
    conditions: tuple[Condition, ...]
    resource: str
    context: tuple[str, str]


_NO_CONTEXT = ("", "")
_NO_NAMES: frozenset[str] = frozenset()
_PSEUDO_PARAMETERS = frozenset(PSEUDO_PARAMETERS)
_KEY_OF = attrgetter("key")


class _Value(NamedTuple):
    """A symbolic text as a value of a policy. Each is read once for all statements.

    `key` is what it is sorted by, `node` how it is written, and `length` the most characters that it can have after
    CloudFormation has filled it in. `names` are the names of the template that it refers to, without pseudo parameters.
    """

    text: str
    key: str
    node: Json
    length: int
    names: frozenset[str]


class _Item(NamedTuple):
    """One entry of a statement's growing list: its value, what needs it, and its conditions."""

    value: _Value
    needs: list[Need]
    held: DecisionDiagram


class Writer:
    """Writes the statements of one template's roles."""

    def __init__(self, symbols: Symbols, template: Template, related: RelatedConditions | None = None) -> None:
        """`symbols` are what the needs' texts are made of; the template tells how long what is unknown can get."""
        self._symbols = symbols
        self._related = related or RelatedConditions.of(template)
        self._known = {PARTITION: template.partition, REGION: template.region, ACCOUNT: template.account}
        self._values: dict[str, _Value] = {}
        self._lengths_of_names = {
            "AWS::Partition": len(template.partition),
            "AWS::Region": len(template.region),
            "AWS::AccountId": 12,
            "AWS::URLSuffix": len(template.url_suffix),
            "AWS::StackName": _LONGEST_NAME,
        }

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
        possible = self._related.possible
        groups = _grouped([need for need in needs if not need.path_condition or possible(need.path_condition)])
        taken = {node["Sid"] for _, node, _ in written if isinstance(node.get("Sid"), str)}
        items = [(group, self._items(groups[group], given)) for group in sorted(groups, key=self._rank)]
        held = [diagram([path_condition], given) for path_condition, _, _ in written]
        authors = [_as_written(when, *each[1:]) for when, each in zip(held, written, strict=True) if when is not False]
        frames = [self._frame(group) for group, _ in items]
        lengths = [sum([item.value.length for item in found]) + _QUOTES * len(found) for _, found in items]
        length = sum([statement.length for statement in authors]) + _LONGEST_SID * len(items)
        length += sum(frames) + sum(lengths)
        statements = []
        for (group, found), frame, of_items in zip(items, frames, lengths, strict=True):
            most = room if length <= room else LARGEST_STATEMENT - frame
            for run in [found] if of_items <= most and found else _split(found, most):
                sid = _free(group.grant.sid, taken)
                taken.add(sid)
                statements.append(self._statement(sid, group, run, frame))
        return [*statements, *authors]

    def _rank(self, group: _Group) -> tuple[int, str]:
        """The position of a statement: by feature, then by its content."""
        position = ORDER[group.grant][0]
        if not group.conditions and not group.resource:
            return position, ""
        said = [group.resource, *group.context]
        for operator, key, values in group.conditions:
            said += [operator, key, *values]
        return position, "\0".join([self._value(text).key for text in said])

    def _items(self, needs_by_text: dict[str, list[Need]], given: PathCondition) -> list[_Item]:
        """The items of a group, in their order."""
        if len(needs_by_text) > 1:
            needs_by_text = self._without_doubles(needs_by_text)
        known, read = self._values.get, self._read
        values = [known(text) or read(text) for text in needs_by_text]
        if len(values) > 1:
            values.sort(key=_KEY_OF)
        items: list[_Item] = []
        for value in values:
            needs = needs_by_text[value.text]
            held: DecisionDiagram = True
            if needs[0].path_condition:
                held = self._related.simplified(diagram([need.path_condition for need in needs], given), given)
            if held is not False:
                items.append(_Item._make((value, needs, held)))
        return items

    def _read(self, text: str) -> _Value:
        """A text as a value of a policy."""
        symbols = self._symbols
        if text.isascii():
            value = _Value._make((text, text, text, len(text), _NO_NAMES))
        else:
            named = [symbol.name for symbol in symbols.directly_in(text)]
            names = _NO_NAMES
            if not _PSEUDO_PARAMETERS.issuperset(named):
                names = symbols.names(text) - _PSEUDO_PARAMETERS
            length = len(text) - len(named) + sum(map(self._longest, named))
            value = _Value._make((text, symbols.sort_key(text), symbols.render(text), length, names))
        self._values[text] = value
        return value

    def _without_doubles(self, needs_by_text: dict[str, list[Need]]) -> dict[str, list[Need]]:
        """The same, with each literal text merged with the text that has the same meaning by pseudo parameters."""
        spelt_out = [text for text in needs_by_text if text.isascii()]
        if not spelt_out or len(spelt_out) == len(needs_by_text):
            return needs_by_text
        symbolic = {self._filled_in(text): text for text in needs_by_text if not text.isascii()}
        joined: dict[str, list[Need]] = {}
        for text, needs in needs_by_text.items():
            joined.setdefault(symbolic.get(text, text) if text.isascii() else text, []).extend(needs)
        return joined

    def _filled_in(self, text: str) -> str:
        for symbol, value in self._known.items():
            text = text.replace(symbol, value)
        return text

    def _statement(self, sid: str, group: _Group, items: list[_Item], frame: int) -> Statement:
        """One statement for these items of a group; `frame` is its length without them and its Sid."""
        conditions = [item.held for item in items]
        held = True if True in conditions else self._related.simplified(any_of(conditions))
        values = [item.value for item in items]
        needs = [need for item in items for need in item.needs]
        beside = [self._value(text) for _, _, required in group.conditions for text in required]
        if group.resource:
            beside.append(self._value(group.resource))
        resources = (group.resource,) if group.resource else tuple([value.text for value in values])
        write = partial(self._document, sid, group, items, frame)
        length = frame + len(sid) + sum([value.length for value in values]) + _QUOTES * len(values)
        paths = tuple(dict.fromkeys([need.path for need in needs]))
        references = _NO_NAMES.union(*[value.names for value in (*values, *beside) if value.names])
        feature, actions = ORDER[group.grant][1], group.grant.actions
        return Statement(sid, feature, actions, resources, tuple(needs), held, write, length, paths, references)

    def _document(
        self, sid: str, group: _Group, items: list[_Item], frame: int, given: PathCondition
    ) -> dict[str, Json]:
        """A statement of the items that exist where `given` is known to hold."""
        values = []
        written = frame
        for value, _, held in items:
            left = held if held is True else narrowed(held, given)
            # About the number of characters that it has in a template, with its functions, in each `Fn::If`.
            length = len(value.key) + _FUNCTION
            if left is True:
                written += length
                values.append(value.node)
            elif left is not False:
                # The statement is counted before it is made.
                current().write(length * (1 + nodes_of(left)))
                values.append(when(left, value.node))
        current().write(written)
        listed = values[0] if len(values) == 1 else values
        actions = group.grant.actions
        document: dict[str, Json] = {
            "Sid": sid,
            "Effect": "Allow",
            "Action": actions[0] if len(actions) == 1 else list(actions),
            "Resource": self._value(group.resource).node if group.resource else listed,
        }
        condition: dict[str, Json] = {}
        for operator, key, required in group.conditions:
            rendered = [each.node for each in sorted(map(self._value, required), key=_KEY_OF)]
            condition.setdefault(operator, {})[key] = rendered[0] if len(rendered) == 1 else rendered
        if group.resource:
            operator, key = group.context
            condition.setdefault(operator, {})[key] = listed
        if condition:
            document["Condition"] = condition
        return document

    def _frame(self, group: _Group) -> int:
        """The length of a statement without its Sid and its items."""
        length = group.grant.length
        if not group.conditions and not group.resource:
            return length
        if group.resource:
            length += self._value(group.resource).length + sum(map(len, group.context)) + len('"":{"":[]},')
        length += len(',"Condition":{}')
        for operator, key, values in group.conditions:
            length += (
                len(operator)
                + len(key)
                + len('"":{"":[]},')
                + sum(self._value(value).length + _QUOTES for value in values)
            )
        return length

    def _value(self, text: str) -> _Value:
        return self._values.get(text) or self._read(text)

    def _longest(self, name: str) -> int:
        """The most characters that a symbol with this name can have after CloudFormation has filled it in."""
        return self._lengths_of_names.get(name) or (_LONGEST_NAME + len(name) if name else _LONGEST_OPAQUE)


def _split(items: Sequence[_Item], room: int) -> Iterator[list[_Item]]:
    """The items of each statement, so that the items of none have more characters than there is room."""
    run: list[_Item] = []
    used = 0
    for item in items:
        length = item.value.length + _QUOTES
        if run and used + length > room:
            yield run
            run, used = [], 0
        run.append(item)
        used += length
    if run:
        yield run


def _grouped(needs: Iterable[Need]) -> dict[_Group, dict[str, list[Need]]]:
    """The needs of each statement, by the item that each adds to the statement's growing list."""
    groups: dict[_Group, dict[str, list[Need]]] = {}
    # Most needs have nothing but a resource, and their group is found by their grant.
    plain: dict[Grant, dict[str, list[Need]]] = {}
    for need in needs:
        text = need.resource
        if need.context is not None:
            operator, key, text = need.context
            items = groups.setdefault(_Group(need.grant, need.conditions, need.resource, (operator, key)), {})
        elif need.conditions:
            items = groups.setdefault(_Group(need.grant, need.conditions, "", _NO_CONTEXT), {})
        elif need.grant in plain:
            items = plain[need.grant]
        else:
            items = plain[need.grant] = groups[_Group(need.grant, (), "", _NO_CONTEXT)] = {}
        items.setdefault(text, []).append(need)
    return groups


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
