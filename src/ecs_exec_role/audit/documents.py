"""Policy documents as templates write them: as a mapping, or as JSON text, with or without `Fn::Sub` and `Fn::Join`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.reader import Reader, is_intrinsic
from ecs_exec_role.template.symbols import Json, Symbols, is_symbolic


class Document(NamedTuple):
    """One policy document that can be at a place; `node` is None if it cannot be read.

    `inner`: its statements have their own paths below `path`; those of JSON text do not.
    """

    path_condition: PathCondition
    node: dict[str, Json] | None
    path: str
    inner: bool = True


def documents(reader: Reader, node: Json, path_condition: PathCondition, path: str) -> Iterator[Document]:
    """The policy documents that can be at a place."""
    for case in reader.cases(node, path_condition, path):
        if isinstance(case.node, dict) and not is_intrinsic(case.node):
            readable = not any(key.startswith("Fn::") for key in case.node)
            yield Document(case.path_condition, case.node if readable else None, case.path)
            continue
        with reader.problems.aside():
            texts = reader.text(case.node, case.path_condition, case.path)
        if not texts and case.node is not None:
            yield Document(case.path_condition, None, case.path)
        for text in texts:
            yield Document(text.path_condition, _parsed(text.text, reader.symbols), text.path, inner=False)


def _parsed(text: str, symbols: Symbols) -> dict[str, Json] | None:
    """The value of a policy in JSON, with parts that only CloudFormation may know."""
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return _with_functions(value, symbols) if isinstance(value, dict) and _has_plain_keys(value) else None


def _has_plain_keys(node: Json) -> bool:
    if isinstance(node, dict):
        return not any(map(is_symbolic, node)) and all(map(_has_plain_keys, node.values()))
    return all(map(_has_plain_keys, node)) if isinstance(node, list) else True


def _with_functions(node: Json, symbols: Symbols) -> Json:
    """The same value with its symbolic texts as intrinsic functions."""
    if isinstance(node, dict):
        return {key: _with_functions(child, symbols) for key, child in node.items()}
    if isinstance(node, list):
        return [_with_functions(item, symbols) for item in node]
    return symbols.render(node) if isinstance(node, str) else node
