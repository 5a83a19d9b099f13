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
from typing import TypeAlias

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


_Common: TypeAlias = "Grant | tuple[Grant, tuple[Condition, ...], str, tuple[str, str]]"
"""What tells the group of a need: most needs have nothing but a resource, and their group is that of their grant."""

_NO_CONTEXT = ("", "")
_NO_NAMES: frozenset[str] = frozenset()
_PSEUDO_PARAMETERS = frozenset(PSEUDO_PARAMETERS)
_KEY_OF = attrgetter("key")
_RANK_OF = attrgetter("group.rank")


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

    def __init__(self, text: str, symbols: Symbols, longest: Mapping[str, int]) -> None:
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


class _Values(dict[str, _Value]):
    """The texts of one template as values of its policies: each is read once, for all statements."""

    def __init__(self, symbols: Symbols, template: Template) -> None:
        super().__init__()
        self._symbols = symbols
        self._longest = _Longest(template)

    def __missing__(self, text: str) -> _Value:
        value = self[text] = _Value(text, self._symbols, self._longest)
        return value

    def sorted(self, texts: Iterable[str]) -> list[_Value]:
        """Values of these texts, in their order in a policy."""
        return sorted([self[text] for text in texts], key=_KEY_OF)


class _Longest(dict[str, int]):
    """The most characters of a symbol with each name, after CloudFormation has filled it in."""

    def __init__(self, template: Template) -> None:
        super().__init__(
            {
                "": _LONGEST_OPAQUE,
                "AWS::Partition": len(template.partition),
                "AWS::Region": len(template.region),
                "AWS::AccountId": 12,
                "AWS::URLSuffix": len(template.url_suffix),
                "AWS::StackName": _LONGEST_NAME,
            }
        )

    def __missing__(self, name: str) -> int:
        return _LONGEST_NAME + len(name)


class _Group:
    """What all needs of a statement have in common. Each is read once, for all roles.

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

    def __init__(self, common: _Common, values: _Values) -> None:
        grant, conditions, resource, context = common if isinstance(common, tuple) else (common, (), "", _NO_CONTEXT)
        self.grant = grant
        self.conditions = [(operator, key, values.sorted(texts)) for operator, key, texts in conditions]
        self.resource = values[resource] if resource else None
        self.context = context
        self.frame = grant.length
        said: list[str] = []
        beside: list[_Value] = []
        if conditions or resource:
            said += [resource, *context]
            self.frame += len(',"Condition":{}')
        if self.resource is not None:
            beside.append(self.resource)
            self.frame += self.resource.length - _QUOTES + sum(map(len, context)) + len('"":{"":[]},')
        for operator, key, texts in conditions:
            said += [operator, key, *texts]
            beside += [values[text] for text in texts]
            self.frame += len(operator) + len(key) + len('"":{"":[]},') + sum([values[text].length for text in texts])
        position, self.feature = ORDER[grant]
        self.rank = position, "\0".join([values[text].key for text in said])
        self.names = _NO_NAMES.union(*[value.names for value in beside])


class _List:
    """The list of a role's statement: its values in their order, and what needs each.

    `held` has the decision diagrams of the values that may be there under some conditions only. `length` is the number
    of characters of all values.
    """

    __slots__ = ("group", "held", "length", "needs", "values")

    def __init__(
        self,
        group: _Group,
        values: list[_Value],
        needs: Mapping[str, list[Need]],
        held: Mapping[str, DecisionDiagram],
    ) -> None:
        self.group = group
        self.values = values
        self.needs = needs
        self.held = held
        self.length = sum([value.length for value in values])

    def split(self, room: int) -> Iterator[_List]:
        """The lists of several statements, so that the values of none have more characters than there is room."""
        run: list[_Value] = []
        used = 0
        for value in self.values:
            if run and used + value.length > room:
                yield _List(self.group, run, self.needs, self.held)
                run, used = [], 0
            run.append(value)
            used += value.length
        if run:
            yield _List(self.group, run, self.needs, self.held)

    def statement(self, sid: str, related: RelatedConditions) -> Statement:
        """The statement with this list."""
        group, values, needs_of, held = self.group, self.values, self.needs, self.held
        needs = tuple([need for value in values for need in needs_of[value.text]])
        resources = tuple([value.text for value in ([group.resource] if group.resource else values)])
        when = related.simplified(any_of([held.get(value.text, True) for value in values])) if held else True
        paths = tuple(dict.fromkeys([need.path for need in needs]))
        names = group.names.union(*[value.names for value in values if value.names])
        length = group.frame + len(sid) + self.length
        write = partial(self.document, sid)
        actions = group.grant.actions
        return Statement._make((sid, group.feature, actions, resources, needs, when, write, length, paths, names))

    def document(self, sid: str, given: PathCondition) -> dict[str, Json]:
        """The statement with the values that exist where `given` is known to hold."""
        group, held = self.group, self.held
        nodes = []
        written = group.frame
        for value in self.values:
            left = narrowed(held[value.text], given) if value.text in held else True
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
        for operator, key, values in group.conditions:
            rendered = [value.node for value in values]
            condition.setdefault(operator, {})[key] = rendered[0] if len(rendered) == 1 else rendered
        if group.resource:
            operator, key = group.context
            condition.setdefault(operator, {})[key] = listed
        if condition:
            document["Condition"] = condition
        return document


class Writer:
    """Writes the statements of one template's roles."""

    def __init__(self, symbols: Symbols, template: Template, related: RelatedConditions | None = None) -> None:
        """`symbols` are what the needs' texts are made of; the template tells how long what is unknown can get."""
        self._related = related or RelatedConditions.of(template)
        self._known = {PARTITION: template.partition, REGION: template.region, ACCOUNT: template.account}
        self._values = _Values(symbols, template)
        self._groups: dict[_Common, _Group] = {}

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
        lists = sorted([self._list(common, by_text, given) for common, by_text in grouped.items()], key=_RANK_OF)
        held = [diagram([path_condition], given) for path_condition, _, _ in written]
        authors = [_as_written(when, *each[1:]) for when, each in zip(held, written, strict=True) if when is not False]
        length = sum([statement.length for statement in authors])
        length += sum([_LONGEST_SID + found.group.frame + found.length for found in lists])
        taken = {node["Sid"] for _, node, _ in written if isinstance(node.get("Sid"), str)}
        statements = []
        for found in lists:
            most = room if length <= room else LARGEST_STATEMENT - found.group.frame
            for part in [found] if found.length <= most and found.values else found.split(most):
                sid = _free(found.group.grant.sid, taken)
                taken.add(sid)
                statements.append(part.statement(sid, self._related))
        return [*statements, *authors]

    def _list(self, common: _Common, needs: Mapping[str, list[Need]], given: PathCondition) -> _List:
        """The list of the statement of a group."""
        read = self._values
        values = [read[text] for text in needs]
        if len(values) > 1:
            literals = [value for value in values if value.is_literal]
            if literals and len(literals) < len(values):
                needs = self._without_doubles(needs)
                values = [read[text] for text in needs]
            values.sort(key=_KEY_OF)
        # A value that anything needs without a condition is always there.
        held = {text: self._held(needed, given) for text, needed in needs.items() if needed[0].path_condition}
        if held:
            values = [value for value in values if held.get(value.text) is not False]
        group = self._groups.get(common)
        if group is None:
            group = self._groups[common] = _Group(common, read)
        return _List(group, values, needs, held)

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


def _grouped(
    needs: Iterable[Need], possible: Callable[[PathCondition], bool]
) -> Mapping[_Common, Mapping[str, list[Need]]]:
    """The needs of each statement that are possible, by the value that each adds to the statement's list."""
    found: dict[_Common, dict[str, list[Need]]] = {}
    for need in needs:
        common: _Common
        common, text, path_condition, _, _, conditions, context = need
        if path_condition and not possible(path_condition):
            continue
        if context is not None:
            operator, key, text = context
            common = (need.grant, conditions, need.resource, (operator, key))
        elif conditions:
            common = (need.grant, conditions, "", _NO_CONTEXT)
        if common not in found:
            found[common] = {text: [need]}
        elif text in found[common]:
            found[common][text].append(need)
        else:
            found[common][text] = [need]
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
