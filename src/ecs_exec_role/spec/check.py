"""Checks the form of an `ExecutionRoleSpec`, without the rest of the template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ecs_exec_role.errors import Problem
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.needs.feature import Key
from ecs_exec_role.spec.language import LANGUAGE, MODES
from ecs_exec_role.template.reader import function_of, is_intrinsic
from ecs_exec_role.template.similar_names import likely
from ecs_exec_role.template.symbols import NO_VALUE, Json

_SID = late_pattern(r"[A-Za-z0-9]*")
_STATEMENT = ("Action", "Condition", "Effect", "NotAction", "NotResource", "Resource", "Sid")
_SHORTEST_SESSION, _LONGEST_SESSION = 3600, 43200


def check(node: Json, path: str, *, on_role: bool, snippet: bool = False) -> list[Problem]:
    """Every mistake in the form of a spec.

    Args:
        node: the value of `ExecutionRoleSpec`, or a snippet's `Parameters`.
        path: its path.
        on_role: whether that is on an `AWS::IAM::Role`.
        snippet: whether it is an `Fn::Transform` inside one.
    """
    if isinstance(node, str):
        return [] if node in MODES else [_unknown(path, "value", node, MODES)]
    if not isinstance(node, dict) or is_intrinsic(node):
        what = f"is {_form_of(node)}"
        if node == NO_VALUE:
            what = "has no value"
        elif isinstance(node, dict) and "Fn::If" in node:
            what = "depends on a condition of the template"
        return [Problem(path, what, "write Auto, Starter, or a mapping of keys", "wrong-type")]
    problems = []
    for name, value in node.items():
        key = LANGUAGE.get(name)
        here = f"{path}/{name}"
        if key is None:
            problems.append(_unknown(here, "key", name, LANGUAGE))
        elif snippet and name in ("TaskDefinitions", "Preflight"):
            problems.append(
                Problem(
                    here,
                    "is not supported in Fn::Transform, which sees only the role",
                    "write ExecutionRoleSpec on the resource, and no Fn::Transform",
                    "wrong-type",
                )
            )
        elif key.on_role is True and not on_role:
            problems.append(
                Problem(
                    here,
                    "is for AWS::IAM::Role only",
                    "remove it, or write this spec on a role of its own",
                    "key-misplaced",
                )
            )
        elif key.on_role is False and on_role:
            problems.append(
                Problem(here, "is a property of the role itself", f"write {name} among its Properties", "key-misplaced")
            )
        else:
            problems.extend(_check_value(key, value, here))
    return problems


def _check_value(key: Key, value: Json, path: str) -> Iterator[Problem]:
    for node, here in _branches(value, path):
        if is_intrinsic(node):
            if key.form in ("logical-ids", "statements", "tags"):
                yield Problem(here, f"is {_form_of(node)}", "write a list", "wrong-type")
            continue
        match key.form:
            case "choice":
                yield from _check_choice(node, here, key.choices)
            case "text":
                if not isinstance(node, str) or not node:
                    yield Problem(here, f"is {_article(node)}", "write a string", "wrong-type")
            case "number":
                yield from _check_number(node, here)
            case _ if isinstance(node, str) and node in key.choices:
                continue
            case _ if not isinstance(node, list):
                yield from _check_not_a_list(node, here, key.choices)
            case _:
                for index, item in enumerate(node):
                    for inner, there in _branches(item, f"{here}/{index}"):
                        yield from _check_item(key, inner, there)


def _check_not_a_list(node: Json, path: str, choices: tuple[bool | str, ...]) -> Iterator[Problem]:
    words = [word(choice) for choice in choices]
    if isinstance(node, str) and likely(node, words):
        yield _unknown(path, "value", node, words)
    else:
        fix = " or ".join(("write a list", *(f"the word {known}" for known in words)))
        yield Problem(path, f"is {_article(node)}", fix, "wrong-type")


def _check_item(key: Key, node: Json, path: str) -> Iterator[Problem]:
    if key.form == "logical-ids":
        if not isinstance(node, str) and not (is_intrinsic(node) and isinstance(node.get("Ref"), str)):
            yield Problem(path, f"is {_article(node)}", "write the logical ID of a task definition", "wrong-type")
    elif key.form == "statements":
        yield from _check_statement(node, path)
    elif key.form == "tags":
        if not (isinstance(node, dict) and set(node) == {"Key", "Value"}) and not is_intrinsic(node):
            yield Problem(path, "is not a tag", "write {Key: …, Value: …}", "wrong-type")
    elif key.form == "entries" and isinstance(node, dict) and not is_intrinsic(node):
        yield from _check_entry(key, node, path)
    else:
        yield from _check_text(node, path)


def _check_entry(key: Key, node: dict[str, Json], path: str) -> Iterator[Problem]:
    options = {option.name: option for option in key.options}
    if key.item not in node:
        yield Problem(path, f"has no {key.item}", f"write {{{key.item}: …}}", "missing-key")
    for name, value in node.items():
        here = f"{path}/{name}"
        if name != key.item and name not in options:
            yield _unknown(here, "key", name, (key.item, *options))
            continue
        for inner, there in _branches(value, here):
            if name in options and options[name].choices:
                if not is_intrinsic(inner):
                    yield from _check_choice(inner, there, options[name].choices)
            else:
                yield from _check_text(inner, there)


def _check_text(node: Json, path: str) -> Iterator[Problem]:
    if isinstance(node, str):
        if not node:
            yield Problem(path, "is empty", "write a value, or remove the entry", "empty")
        elif node.startswith("arn:") and node.endswith(":*") and ":log-group:" in node:
            # AWS itself writes the ARN of a log group like this.
            yield from _check_text(node.removesuffix(":*"), path)
        elif "*" in node or "?" in node:
            yield Problem(
                path,
                f"`{node}` contains a wildcard",
                "name one resource; a wildcard is allowed in Statements only",
                "wildcard",
            )
    elif not is_intrinsic(node):
        yield Problem(path, f"is {_article(node)}", "write a string or an intrinsic function", "wrong-type")


def _check_choice(node: Json, path: str, choices: tuple[bool | str, ...]) -> Iterator[Problem]:
    words = [word(choice) for choice in choices]
    if isinstance(node, (bool, str)) and word(node) in words:
        return
    if isinstance(node, str):
        yield _unknown(path, "value", node, words)
    else:
        yield Problem(path, f"is {_article(node)}", f"write {' or '.join(words)}", "wrong-type")


def _check_number(node: Json, path: str) -> Iterator[Problem]:
    text = str(node)
    known = not isinstance(node, bool) and isinstance(node, (int, str)) and text.isascii() and text.isdecimal()
    if not known or not _SHORTEST_SESSION <= int(text[:9]) <= _LONGEST_SESSION:
        yield Problem(
            path,
            f"is {text if known else _article(node)}",
            "write a whole number of seconds, 3600 to 43200",
            "wrong-value",
        )


def _check_statement(node: Json, path: str) -> Iterator[Problem]:
    if is_intrinsic(node) or not isinstance(node, dict):
        yield Problem(path, f"is {_article(node)}", "write an IAM statement: Effect, Action, Resource", "wrong-type")
        return
    for name in node:
        if name in ("Principal", "NotPrincipal"):
            yield Problem(
                f"{path}/{name}",
                "is not supported in a policy of a role",
                "remove it: the role is the principal",
                "wrong-type",
            )
        elif name not in _STATEMENT:
            yield _unknown(f"{path}/{name}", "key", name, _STATEMENT)
    if node.get("Effect") not in ("Allow", "Deny") and not is_intrinsic(node.get("Effect")):
        yield Problem(f"{path}/Effect", "is missing or unknown", "write Allow or Deny", "wrong-value")
    yield from _check_either(node, "Action", "NotAction", path)
    yield from _check_either(node, "Resource", "NotResource", path)
    if not isinstance(node.get("Condition", {}), dict):
        yield Problem(f"{path}/Condition", "is not a mapping", "write {operator: {key: value}}", "wrong-type")
    sid = node.get("Sid", "")
    if not is_intrinsic(sid) and (not isinstance(sid, str) or not _SID.fullmatch(sid)):
        yield Problem(f"{path}/Sid", f"`{sid}` is not a Sid", "write letters and digits only", "wrong-type")


def _check_either(node: dict[str, Json], one: str, other: str, path: str) -> Iterator[Problem]:
    """A statement has exactly one of two elements, each of which is a string or a list of strings."""
    if (one in node) == (other in node):
        yield Problem(path, f"needs exactly one of {one} and {other}", f"write {one}", "missing-key")
    for name in (one, other):
        for inner, there in _branches(node.get(name, "*"), f"{path}/{name}"):
            items = inner if isinstance(inner, list) else [inner]
            if not items or not all(is_intrinsic(item) or (isinstance(item, str) and item) for item in items):
                what, fix = "is neither a string nor a list of strings", f"write {one.lower()}s"
                yield Problem(there, what, fix, "wrong-type")


def _branches(node: Json, path: str) -> Iterator[tuple[Json, str]]:
    """`node`, or the values that its `Fn::If`s can give, without `AWS::NoValue`."""
    if isinstance(node, dict) and len(node) == 1:
        if node.get("Ref") == "AWS::NoValue":
            return
        branches = node.get("Fn::If")
        if isinstance(branches, list) and len(branches) == 3:
            for index in (1, 2):
                yield from _branches(branches[index], f"{path}/Fn::If/{index}")
            return
    yield node, path


def _unknown(path: str, what: str, name: object, known: Iterable[str]) -> Problem:
    names = list(known)
    guess = likely(str(name), names)
    fix = f"did you mean {guess}? Write that" if guess else f"write one of {', '.join(names)}"
    return Problem(path, f"unknown {what} `{name}`", fix, "unknown-name")


def word(value: bool | str) -> str:
    """A choice as it is written in a template."""
    return value if isinstance(value, str) else str(value).lower()


def _form_of(node: Json) -> str:
    if is_intrinsic(node):
        return f"{function_of(node)}, which is only known when the stack is deployed"
    names = {dict: "a mapping", list: "a list", str: "a string", bool: "a boolean", type(None): "empty"}
    return names.get(type(node), "a number")


def _article(node: Json) -> str:
    if node is None or node == "":
        return "empty"
    return _form_of(node)
