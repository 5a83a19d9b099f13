"""Needs, gathered into the statements of a policy.

A statement has one list that grows: its resources, or, where it decrypts, the encryption contexts of one key. Everything
else in it is the same for all its needs. The order and the names are a function of what is granted alone, so that the same
grants give the same bytes whatever the order in which a template asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ecs_exec_role.features import ORDER
from ecs_exec_role.guards import ALWAYS, Guard, Tree, tree, when
from ecs_exec_role.needs import Condition, Feature, Grant, Need
from ecs_exec_role.template import Template, references
from ecs_exec_role.values import Json, Symbols, is_symbolic

LARGEST_STATEMENT = 5_800
"""Characters of one statement at most, so that any fits into a managed policy (6,144) beside the document's own."""

_LONGEST_NAME = 128
_LONGEST_OPAQUE = 256


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy.

    `document` is how it stands in the template, its own `Fn::If` included. `length` counts its characters as IAM does,
    with what only CloudFormation knows at its longest. `feature` is None for a statement that the author wrote.
    """

    sid: str
    feature: Feature | None
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    needs: tuple[Need, ...]
    held: Tree
    document: Json
    length: int
    paths: tuple[str, ...]

    def references(self) -> set[str]:
        """The names of the template that it refers to."""
        return references(self.document)


class _Group(NamedTuple):
    """What all needs of a statement have in common."""

    grant: Grant
    conditions: tuple[Condition, ...]
    resource: str
    context: tuple[str, str]


def gather(
    needs: Iterable[Need],
    written: Sequence[tuple[Guard, Json, str]],
    symbols: Symbols,
    template: Template,
    given: Guard = ALWAYS,
) -> list[Statement]:
    """The statements that grant what is needed, and those that the author wrote, after them.

    Args:
        needs: what the features found.
        written: the spec's own statements, each with its conditions and its path.
        symbols: what the needs' symbolic texts are made of.
        template: tells how long what is unknown can get.
        given: the condition of the role, under which alone any of this stands.
    """
    groups: dict[_Group, dict[str, list[Need]]] = {}
    for need in needs:
        if need.context is None:
            group, item = _Group(need.grant, need.conditions, "", ("", "")), need.resource
        else:
            operator, key, item = need.context
            group = _Group(need.grant, need.conditions, need.resource, (operator, key))
        groups.setdefault(group, {}).setdefault(item, []).append(need)
    taken = {statement["Sid"] for _, statement, _ in written if isinstance(statement.get("Sid"), str)}
    writer = _Writer(symbols, template, given)
    statements = []
    for group, items in sorted(groups.items(), key=lambda pair: writer.rank(pair[0])):
        for chunk in writer.chunks(group, items):
            sid = _free(group.grant.sid, taken)
            taken.add(sid)
            statements.append(writer.statement(sid, group, chunk))
    for guard, node, path in written:
        held = tree([guard], given)
        if held is not False:
            statements.append(_as_written(held, node, path))
    return statements


def _free(sid: str, taken: set[str]) -> str:
    number = 2
    free = sid
    while free in taken:
        free, number = f"{sid}{number}", number + 1
    return free


def _as_written(held: Tree, node: dict[str, Json], path: str) -> Statement:
    sid = node.get("Sid")
    return Statement(
        sid=sid if isinstance(sid, str) else "",
        feature=None,
        actions=tuple(action for action in _listed(node.get("Action", [])) if isinstance(action, str)),
        resources=tuple(resource for resource in _listed(node.get("Resource", [])) if isinstance(resource, str)),
        needs=(),
        held=held,
        document=when(held, node),
        length=len(json.dumps(node, separators=(",", ":"))),
        paths=(path,),
    )


def _listed(node: Json) -> list[Json]:
    return node if isinstance(node, list) else [node]


class _Writer:
    """Writes statements, and counts them."""

    def __init__(self, symbols: Symbols, template: Template, given: Guard) -> None:
        self._symbols = symbols
        self._given = given
        self._lengths = {
            "AWS::Partition": len(template.partition),
            "AWS::Region": len(template.region),
            "AWS::AccountId": 12,
            "AWS::URLSuffix": len(template.url_suffix),
            "AWS::StackName": _LONGEST_NAME,
        }

    def rank(self, group: _Group) -> tuple[int, str]:
        """Where a statement stands: by feature, then by what it says."""
        said = [group.resource, *group.context]
        for operator, key, values in group.conditions:
            said += [operator, key, *values]
        return ORDER[group.grant][0], "\0".join(map(self._symbols.show, said))

    def chunks(self, group: _Group, items: dict[str, list[Need]]) -> list[list[tuple[str, list[Need]]]]:
        """The items in order, in as many runs as statements are needed for them."""
        ordered = sorted(items.items(), key=lambda pair: self._symbols.show(pair[0]))
        room = LARGEST_STATEMENT - self._frame(group.grant.sid, group)
        runs: list[list[tuple[str, list[Need]]]] = [[]]
        used = 0
        for item in ordered:
            length = self.length(item[0]) + 3
            if used + length > room and runs[-1]:
                runs.append([])
                used = 0
            runs[-1].append(item)
            used += length
        return runs

    def statement(self, sid: str, group: _Group, items: list[tuple[str, list[Need]]]) -> Statement:
        """One statement for these items of a group."""
        guards = [need.guard for _, needs in items for need in needs]
        held = tree(guards, self._given)
        values = []
        for item, needs in items:
            node = self._symbols.render(item)
            if held is True or len(items) > 1:
                own = tree([need.guard for need in needs], self._given)
                node = node if own == held else when(own, node)
            values.append(node)
        value = values[0] if len(values) == 1 else values
        actions = group.grant.actions
        document: dict[str, Json] = {
            "Sid": sid,
            "Effect": "Allow",
            "Action": actions[0] if len(actions) == 1 else list(actions),
            "Resource": self._symbols.render(group.resource) if group.resource else value,
        }
        condition: dict[str, Json] = {}
        for operator, key, texts in group.conditions:
            rendered = [self._symbols.render(text) for text in sorted(texts, key=self._symbols.show)]
            condition.setdefault(operator, {})[key] = rendered[0] if len(rendered) == 1 else rendered
        if group.resource:
            operator, key = group.context
            condition.setdefault(operator, {})[key] = value
        if condition:
            document["Condition"] = condition
        return Statement(
            sid=sid,
            feature=ORDER[group.grant][1],
            actions=actions,
            resources=(group.resource,) if group.resource else tuple(item for item, _ in items),
            needs=tuple(need for _, needs in items for need in needs),
            held=held,
            document=when(held, document),
            length=self._frame(sid, group) + sum(self.length(item) + 3 for item, _ in items),
            paths=tuple(dict.fromkeys(need.path for _, needs in items for need in needs)),
        )

    def _frame(self, sid: str, group: _Group) -> int:
        """The length of a statement without its items."""
        length = len('{"Sid":"","Effect":"Allow","Action":[],"Resource":[]},') + len(sid)
        length += sum(len(action) + 3 for action in group.grant.actions)
        if group.resource:
            length += self.length(group.resource) + sum(map(len, group.context)) + len('"":{"":[]},')
        if group.conditions or group.resource:
            length += len(',"Condition":{}')
        for operator, key, values in group.conditions:
            length += len(operator) + len(key) + len('"":{"":[]},') + sum(self.length(value) + 3 for value in values)
        return length

    def length(self, text: str) -> int:
        """How many characters `text` may have once CloudFormation has filled it in."""
        if text.isascii():
            return len(text)
        total = len(text)
        for character in text:
            if is_symbolic(character):
                symbol = self._symbols[character]
                if symbol.kind in ("Ref", "GetAtt"):
                    generated = _LONGEST_NAME + len(symbol.name)
                    total += self._lengths.get(symbol.name, generated) - 1
                else:
                    total += _LONGEST_OPAQUE - 1
        return total
