"""The places in the source that make problems and warnings, and which of them a run used."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

import pytest
from tests.support.codes_in_source import SOURCE, modules, uses

from ecs_exec_role.errors import Problem

Lines = set[tuple[str, int]]
_MAKERS = ("Problem", "problem", "warn", "refuse", "_refuse")


def places(modules_of: tuple[str, ...], exceptions: Collection[str] = ()) -> Mapping[str, tuple[str, range]]:
    """The places of some modules that make a problem or a warning: the file and the lines of each.

    Args:
        modules_of: the beginning of the paths of the modules.
        exceptions: `MODULE: FIX` of places that are not included.
    """
    found = {}
    for use in uses():
        name, line = use.place.split(":")
        if not name.startswith(modules_of) or use.passed_on:
            continue
        for call in _calls(name).get(int(line), ()):
            if _called(call) not in _MAKERS:
                continue
            if not any(f"{name}: {fix}" in exceptions for fix in fixes(use.place)):
                found[use.place] = (str(SOURCE / name), range(call.lineno, (call.end_lineno or call.lineno) + 1))
    return found


def fixes(place: str) -> Iterator[str]:
    """The strings among the arguments of a place, one of which is its advice."""
    name, line = place.split(":")
    for call in _calls(name).get(int(line), ()):
        for argument in call.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


@cache
def _calls(name: str) -> Mapping[int, list[ast.Call]]:
    """The calls in one module, by their first lines."""
    found: dict[int, list[ast.Call]] = {}
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Call):
            found.setdefault(node.lineno, []).append(node)
    return found


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


@contextmanager
def traced(monkeypatch: pytest.MonkeyPatch, kind: type[Any] = Problem) -> Iterator[Lines]:
    """Collects the lines of the source through which problems, or other tuples, are made inside of the block."""
    lines: Lines = set()
    kind(*(None for _ in kind._fields))  # A class gets its own constructor with its first tuple.
    make = kind.__new__

    def made(cls: type[Any], *arguments: Any, **named: Any) -> Any:
        frame: FrameType | None = sys._getframe(1)
        while frame and frame.f_code.co_filename.startswith(str(SOURCE)):
            lines.add((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back
        return make(cls, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "__new__", made)
        yield lines


def missing(found: Mapping[str, tuple[str, range]], lines: Lines) -> list[str]:
    """The places through which no problem was made."""
    return [place for place, (file, span) in found.items() if not any((file, line) in lines for line in span)]
