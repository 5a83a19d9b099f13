"""An `ExecutionRoleSpec`, already checked, read into a `Spec`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from ecs_exec_role.errors import Problem
from ecs_exec_role.features import KEYS
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.context import ListEntry
from ecs_exec_role.needs.feature import Key
from ecs_exec_role.spec.check import word
from ecs_exec_role.spec.language import LANGUAGE, ROLE_PROPERTIES
from ecs_exec_role.template.conditions import PathCondition, both
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.symbols import Json

_VPC = "AWS::EC2::VPC"
_ENDPOINT = "AWS::EC2::VPCEndpoint"


class Shared(NamedTuple):
    """One entry of `TaskDefinitions`."""

    path_condition: PathCondition
    logical_id: str
    path: str


class Spec(NamedTuple):
    """What an author said. `entries` has the feature's lists, `properties` those of the role, as they were written.

    `mistaken` is None unless the spec has mistakes, and this is the part that can be read; no role is made from it. It
    has the keys that the author may have meant where something is wrong, and the values there.
    """

    path: str
    starter: bool = False
    infer: bool = True
    ignore_unresolved: bool = False
    preflight: Literal["", "Fail", "Warn"] = ""
    shared: tuple[Shared, ...] | None = None
    entries: dict[str, list[ListEntry]] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    vpcs: tuple[tuple[PathCondition, str], ...] = ()
    endpoints: tuple[tuple[PathCondition, str], ...] = ()
    statements: tuple[tuple[PathCondition, Json, str], ...] = ()
    properties: dict[str, Json] = {}  # noqa: RUF012 - as above
    mistaken: Mapping[str, frozenset[str]] | None = None


def of_word(node: Json, path: str) -> Spec | None:
    """The spec that one word says: `Auto`, which is the same as an empty mapping, or `Starter`."""
    if node == "Auto":
        return Spec(path)
    return Spec(path, starter=True) if node == "Starter" else None


def read(cursor: Cursor) -> Spec:
    """The spec at a place, already checked. Values that only CloudFormation knows are kept as they are."""
    node, path = cursor.node, cursor.path
    if not node or not isinstance(node, dict):
        return of_word(node, path) or Spec(path)
    preflight = _chosen(cursor, "Preflight")
    return Spec(
        path,
        infer=_chosen(cursor, "Infer") == "true",
        ignore_unresolved=_chosen(cursor, "Unresolved") == "Ignore",
        preflight="Fail" if preflight == "true" else "Warn" if preflight == "Warn" else "",
        shared=tuple(_shared(cursor.get("TaskDefinitions"))) if "TaskDefinitions" in node else None,
        entries={key.name: list(_entries(key, cursor.get(key.name))) for key in KEYS if key.name in node},
        vpcs=tuple(_texts(cursor.get("SourceVpcs"), _VPC)) if "SourceVpcs" in node else (),
        endpoints=tuple(_texts(cursor.get("SourceVpcEndpoints"), _ENDPOINT)) if "SourceVpcEndpoints" in node else (),
        statements=tuple(_statements(cursor.get("Statements"))) if "Statements" in node else (),
        properties={name: node[name] for name in ROLE_PROPERTIES if name in node},
    )


def _chosen(spec: Cursor, name: str) -> str:
    """A choice that the macro must know, so it cannot depend on a condition."""
    key = LANGUAGE[name]
    default = word(key.default or False)
    if not spec.has(name):
        return default
    cursor = spec.get(name)
    if isinstance(cursor.node, (bool, str)):
        return word(cursor.node)
    choices = [word(choice) for choice in key.choices]
    fix = f"write {' or '.join(choices)}"
    cases = list(cursor.cases())
    words = {word(case.node) for case in cases if isinstance(case.node, (bool, str))}
    words |= {default for _ in cursor.absences()}
    wrong = sorted(words - set(choices))
    if not all(isinstance(case.node, (bool, str)) for case in cases):
        problem = Problem(cursor.path, "is only known when the stack is deployed", fix, "not-known-yet")
    elif wrong:
        problem = Problem(cursor.path, f"is `{wrong[0]}`", fix, "wrong-value")
    elif len(words) > 1:
        problem = Problem(cursor.path, "depends on a condition of the template", fix, "not-known-yet")
    else:
        # A malformed Fn::If has no cases, and is reported already.
        return words.pop() if words else default
    cursor.reader.problems.append(problem)
    return default


def _shared(cursor: Cursor) -> Iterator[Shared]:
    for item in cursor.items():
        name = item.node.get("Ref") if isinstance(item.node, dict) else item.node
        if isinstance(name, str):
            yield Shared(item.path_condition, name, item.path)


def _statements(cursor: Cursor) -> Iterator[tuple[PathCondition, Json, str]]:
    """The author's statements; a Sid can be used twice only if the two statements never exist together."""
    seen: dict[str, list[PathCondition]] = {}
    for item in cursor.items():
        sid = item.get("Sid")
        if isinstance(sid.node, str) and sid.node:
            others = seen.setdefault(sid.node, [])
            if any(_can_meet(item, path_condition) for path_condition in others):
                what = f"`{sid.node}` is the Sid of another statement already"
                cursor.reader.problems.append(Problem(sid.path, what, "write another", "duplicate-sid"))
            others.append(item.path_condition)
        yield item.path_condition, item.node, item.path


def _can_meet(item: Cursor, path_condition: PathCondition) -> bool:
    item.reader.budget.spend()
    return both(item.path_condition, path_condition) is not None


def _entries(key: Key, cursor: Cursor) -> Iterator[ListEntry]:
    if key.form == "choice":
        yield ListEntry(cursor, cursor._replace(node=None))
        return
    for item in cursor.items():
        if item.has(key.item):
            yield ListEntry(item.get(key.item), item)
        elif isinstance(item.node, (str, dict)):
            yield ListEntry(item, item._replace(node=None))


def _texts(cursor: Cursor, required: str) -> Iterator[tuple[PathCondition, str]]:
    """The values of a list for a condition; `!Ref` of a resource must be of the type `required`."""
    reader = cursor.reader
    for item in cursor.items():
        for text in item.texts():
            shown = reader.symbols.show(text.text)
            symbol = reader.symbols.sole(text.text)
            kind = reader.template.types.get(symbol.name, "") if symbol is not None and symbol.kind == "Ref" else ""
            if kind.startswith("AWS::") and kind not in (required, "AWS::CloudFormation::CustomResource"):
                what = f"`{shown}` is an {kind}"
                reader.problems.append(
                    Problem(text.path, what, f"write !Ref of an {required}, or an ID", "wrong-resource-type")
                )
            elif "*" in text.text or "?" in text.text:
                what = f"`{shown}` contains a wildcard"
                fix = "name one; a wildcard is allowed in Statements only"
                reader.problems.append(Problem(text.path, what, fix, "wildcard"))
            elif "${" in text.text:
                what = f"`{shown}` contains a policy variable, which IAM resolves for each request"
                fix = "name one; a policy variable is allowed in Statements only"
                reader.problems.append(Problem(text.path, what, fix, "policy-variable"))
            else:
                yield text.path_condition, text.text
