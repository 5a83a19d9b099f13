"""What to write instead of a grant: the statements that the macro would write, and the same in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ecs_exec_role.audit.required import Required
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import Need
from ecs_exec_role.policies.statements import Writer
from ecs_exec_role.template import spelling
from ecs_exec_role.template.conditions import ALWAYS, PathCondition
from ecs_exec_role.template.event import Template
from ecs_exec_role.template.symbols import NO_VALUE, Json, Symbols


class Advice(NamedTuple):
    """Statements to copy, and the same in words: `ssm:GetParameters on ARN`."""

    statements: tuple[Json, ...]
    said: str


def advice(
    template: Template, required: Iterable[Required], calls: Iterable[str], given: PathCondition = ALWAYS
) -> Advice:
    """The statements that grant these calls of what is required, as the macro writes them on a role under `given`."""
    named = set(calls)
    grouped: dict[int, tuple[Symbols, list[Need]]] = {}
    for want in required:
        if want.symbols is not None:
            grouped.setdefault(id(want.symbols), (want.symbols, []))[1].extend(want.needs)
    statements: dict[str, Json] = {}
    for symbols, needs in grouped.values():
        for statement in Writer(symbols, template).statements(dict.fromkeys(needs), (), given):
            document = _limited(statement.under(given), named)
            if document is not None:
                statements.setdefault(json.dumps(document, sort_keys=True), document)
    listed = tuple(statements.values())
    return Advice(listed, "; and ".join(dict.fromkeys(said for each in listed for said in _said(each, ""))))


def _limited(document: Json, calls: set[str]) -> Json:
    """A statement without its Sid, with only these actions; None if it has none of them."""
    if document is None:
        return None
    if "Fn::If" in document:
        name, *branches = document["Fn::If"]
        limited = [branch if branch == NO_VALUE else _limited(branch, calls) for branch in branches]
        return None if None in limited else {"Fn::If": [name, *limited]}
    actions = document["Action"] if isinstance(document["Action"], list) else [document["Action"]]
    kept = [action for action in actions if action in calls]
    if not kept:
        return None
    rest = {key: child for key, child in document.items() if key != "Sid"}
    return {**rest, "Action": kept[0] if len(kept) == 1 else kept}


def _said(document: Json, when: str) -> Iterator[str]:
    """A statement in words, one for each of the conditions under which it is granted."""
    if document == NO_VALUE:
        return
    if "Fn::If" in document:
        name, yes, no = document["Fn::If"]
        yield from _said(yes, _and(when, name))
        yield from _said(no, _and(when, f"not {name}"))
        return
    where = "".join(
        f" where {key} is {_listed(values, ' or ')}"
        for block in document.get("Condition", {}).values()
        for key, values in block.items()
    )
    held = f" when {when}" if when else ""
    yield f"{_listed(document['Action'], ', ')} on {_listed(document['Resource'], ', ')}{where}{held}"


def _and(when: str, name: str) -> str:
    return f"{when} and {name}" if when else name


def _listed(node: Json, between: str) -> str:
    return between.join(said for item in _items(node) for said in _value(item, ""))


def _items(node: Json) -> Sequence[Json]:
    return node if isinstance(node, list) else [node]


def _value(node: Json, when: str) -> Iterator[str]:
    if node == NO_VALUE:
        return
    if isinstance(node, Mapping) and "Fn::If" in node:
        name, yes, no = node["Fn::If"]
        for branch, held in ((yes, name), (no, f"not {name}")):
            for item in _items(branch):
                yield from _value(item, _and(when, held))
        return
    yield f"{spelling.shown(node)} (when {when})" if when else spelling.shown(node)
