"""The places of the source that make a problem, a warning or a note, and the code that each gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[2] / "src" / "ecs_exec_role"

# The position of the code among the arguments; functions that are not listed take it by name.
MAKERS = {"Problem": 3, "LocatedProblem": 6, "Note": 4}
# These functions pass the code that they get to one of the above.
PASSING = {"problem": 3, "warn": 3, "note": None, "refuse": 3, "_refuse": 3}

# docs/diagnose.md lists the codes of diagnose, and tests/diagnose compares them.
ELSEWHERE = ("diagnose", "cli/diagnose")


class Use(NamedTuple):
    """A place in the source that gives a code. `code` is None where the place gives none.

    `passed_on` is whether the function there has a parameter for the code, which its callers give.
    """

    place: str
    code: ast.expr | None
    known: dict[str, str]
    passed_on: bool


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith(ELSEWHERE):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def _text(node: ast.expr | None) -> str | None:
    """A string of the source; a part of it that is not constant is `NAME`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "NAME" for part in node.values)
    return None


def _constants(module: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and (text := _text(node.value)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({target.id: text for target in targets if isinstance(target, ast.Name)})
    return found


@cache
def modules() -> dict[str, ast.Module]:
    """The modules by their paths. Read by the first test that asks, not by each process that collects the tests."""
    return dict(_modules())


@cache
def uses() -> tuple[Use, ...]:
    """The places of all modules."""
    constants = {name: value for module in modules().values() for name, value in _constants(module).items()}
    return tuple(use for name, module in modules().items() for use in _uses(name, module, constants))


def _uses(name: str, module: ast.Module, constants: dict[str, str]) -> Iterator[Use]:
    """The places of one module that make a problem or a note, or call a function that does."""
    known = {**constants, **_constants(module)}
    nodes = list(ast.walk(module))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    passing_on = {
        inner
        for function in functions
        if "code" in {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}
        for inner in ast.walk(function)
    }
    # A `_refuse` without a parameter for the code does not pass one on.
    local = {one.name: "code" in {argument.arg for argument in one.args.args} for one in functions}
    for call in nodes:
        if not isinstance(call, ast.Call):
            continue
        called = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        if called in MAKERS:
            position: int | None = MAKERS[called]
        elif called in PASSING and _is_passed_on(call) and local.get(called, True):
            position = PASSING[called]
        else:
            continue
        code = next((keyword.value for keyword in call.keywords if keyword.arg == "code"), None)
        if code is None and position is not None and isinstance(call.args[-1], ast.Constant):
            # The last one, since what is before it may come from a tuple.
            code = call.args[-1] if len(call.args) > position or _is_unpacked(call) else None
        elif code is None and position is not None and len(call.args) > position:
            code = call.args[position]
        yield Use(f"{name}:{call.lineno}", code, known, call in passing_on)


def _is_passed_on(call: ast.Call) -> bool:
    """Whether a call is of a method that takes a code; `terminal.warn` takes a whole problem."""
    return isinstance(call.func, ast.Attribute) and bool(call.args) and ast.unparse(call.func.value) != "terminal"


def _is_unpacked(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in call.args)


def codes(use: Use) -> set[str]:
    """The codes that a place can give; a part that is not constant is `NAME`."""
    code = use.code
    text = _text(code)
    if text is not None:
        return {text}
    if isinstance(code, (ast.Name, ast.Attribute)):
        name = code.id if isinstance(code, ast.Name) else code.attr
        return {use.known[name]} if name in use.known else set()
    raise AssertionError(f"{use.place}: {ast.dump(code) if code else 'no code'}")
