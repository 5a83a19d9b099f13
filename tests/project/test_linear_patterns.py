"""No regular expression of the package needs more than linear time, for any text.

Each pattern is tried on texts built from its own parts: what comes before a repetition, then the repetition's body
many times, then something that cannot match. Such a text makes a pattern backtrack as far as it can.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.event import event

import ecs_exec_role
from ecs_exec_role.diagnose.classify import classify
from ecs_exec_role.late_pattern import LatePattern
from ecs_exec_role.protocol import respond

SOURCE = Path(ecs_exec_role.__file__).parent
# Ends that most patterns refuse. If one matches, another does not.
ENDS = ("\x00", "A")
EXPONENTIAL, CUBIC, SHORT, LONG = 22, 250, 2_000, 10_000
SUSPICIOUS, LONGEST = 0.0004, 0.03
"""Seconds. A linear pattern needs less than the first for a short text; a quadratic one more than the second for a long
one."""
BOUNDED = ("ecs_exec_role.diagnose.classify.", "ecs_exec_role.diagnose.remedies.")
"""Modules that read only the first 4,000 characters of a reason; their time is bounded by that."""

ANYWHERE = {"search", "sub", "subn", "split", "findall", "finditer"}


class Used(NamedTuple):
    """A pattern, its place in the code, and whether it is searched for anywhere in a text."""

    where: str
    pattern: re.Pattern[str]
    anywhere: bool


def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages([str(SOURCE)], "ecs_exec_role."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def compiled(node: Any, depth: int = 0) -> Iterator[re.Pattern[str]]:
    """The patterns in a value of a module."""
    if isinstance(node, LatePattern):
        yield node.compiled()
    elif isinstance(node, re.Pattern):
        yield node
    elif isinstance(node, (tuple, list, set, frozenset)) and depth < 3:
        for item in node:
            yield from compiled(item, depth + 1)
    elif isinstance(node, dict) and depth < 3:
        yield from compiled([*node.keys(), *node.values()], depth + 1)


def written(module: Any) -> Iterator[tuple[str, str]]:
    """The calls of `re` in functions: the method, and the pattern where it is a constant."""
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            of = node.func.value
            if isinstance(of, ast.Name) and of.id == "re" and isinstance(node.args[0], ast.Constant):
                yield node.func.attr, str(node.args[0].value)


def looked_for(module: Any) -> set[str]:
    """The names of the values whose patterns a module searches for anywhere in a text."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    return {
        node.value.id if isinstance(node.value, ast.Name) else ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ANYWHERE
    }


def patterns() -> list[Used]:
    found: dict[tuple[str, int, bool], Used] = {}
    for module in modules():
        anywhere_names = looked_for(module)
        for name, value in vars(module).items():
            for pattern in compiled(value):
                # A pattern in a list has another name when it is called.
                anywhere = name in anywhere_names or not isinstance(value, (re.Pattern, LatePattern))
                used = Used(f"{module.__name__}.{name}", pattern, anywhere)
                if not used.where.startswith(BOUNDED):
                    found.setdefault((pattern.pattern, pattern.flags, anywhere), used)
        for method, text in written(module):
            if method != "compile" and not f"{module.__name__}.".startswith(BOUNDED):
                used = Used(f"{module.__name__}, re.{method}", re.compile(text), method in ANYWHERE)
                found.setdefault((text, used.pattern.flags, used.anywhere), used)
    return list(found.values())


# -- texts that make a pattern backtrack ------------------------------------------------------------------------------


def sample(nodes: Any) -> str:
    """A text that a parsed pattern matches, or almost matches."""
    return "".join(_sample(str(kind), argument) for kind, argument in nodes)


def _sample(kind: str, argument: Any) -> str:
    match kind:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return "b" if argument == ord("a") else "a"
        case "ANY":
            return "a"
        case "IN":
            return next(iter(members(argument)), "a")
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return sample(argument[2]) * int(argument[0])
        case "SUBPATTERN":
            return sample(argument[3])
        case "ATOMIC_GROUP":
            return sample(argument)
        case "BRANCH":
            return sample(argument[1][0])
    return ""


def members(items: Any) -> Iterator[str]:
    """Characters of a class."""
    kinds = [str(kind) for kind, _ in items]
    if "NEGATE" in kinds:
        refused = {character for kind, argument in items for character in _members(str(kind), argument)}
        yield from [character for character in "a0-_ x" if character not in refused][:2]
        return
    for kind, argument in items:
        yield from _members(str(kind), argument)


def _members(kind: str, argument: Any) -> Iterator[str]:
    match kind:
        case "LITERAL":
            yield chr(argument)
        case "RANGE":
            yield chr(argument[0])
        case "CATEGORY":
            yield {"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": "0"}.get(str(argument), "a")


def pumps(nodes: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """For each repetition in a parsed pattern: what comes before it, and what it repeats."""
    for kind, argument in nodes:
        match str(kind):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                body = argument[2]
                if argument[1] > 5:
                    yield before, sample(body) or "a"
                    # The beginning of a match many times; the search can start from each.
                    yield "", before + (sample(body) or "a")
                    for inner, characters in body:
                        if str(inner) == "IN":
                            yield from ((before, character) for character in list(members(characters))[:2])
                yield from pumps(body, before)
            case "SUBPATTERN":
                yield from pumps(argument[3], before)
            case "ATOMIC_GROUP":
                yield from pumps(argument, before)
            case "BRANCH":
                for branch in argument[1]:
                    yield from pumps(branch, before)
            case "ASSERT" | "ASSERT_NOT":
                yield from pumps(argument[1], before)
        before += _sample(str(kind), argument)


def literals(nodes: Any) -> Iterator[str]:
    """The characters in a parsed pattern; a wildcard before or after one can match it too."""
    for kind, argument in nodes:
        match str(kind):
            case "LITERAL":
                yield chr(argument)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield from literals(argument[2])
            case "SUBPATTERN":
                yield from literals(argument[3])
            case "BRANCH":
                for branch in argument[1]:
                    yield from literals(branch)


def texts(nodes: Any) -> Iterator[tuple[str, str]]:
    """What is tried: the beginning, and what follows it many times."""
    found = list(pumps(nodes))
    yield from found
    longest = max((before for before, _ in found), key=len, default="")
    for character in list(dict.fromkeys(literals(nodes)))[:6] if found else ():
        yield from (("", character), (longest, character))


def slowest(used: Used) -> tuple[float, str]:
    """The time that a pattern needs for its slowest text, and that text; stops at the first that is too slow."""
    parsed = re._parser.parse(used.pattern.pattern, used.pattern.flags)  # type: ignore[attr-defined]
    methods = [used.pattern.match, used.pattern.fullmatch, *([used.pattern.search] if used.anywhere else [])]
    worst = (0.0, "")
    for (before, body), end, method in itertools.product(dict.fromkeys(texts(parsed)), ENDS, methods):
        for length in (EXPONENTIAL, CUBIC, SHORT, LONG):
            times = length if length == EXPONENTIAL else length // len(body)
            text = before + body * times + end
            # The smaller of two: another process may have used the processor.
            taken = elapsed(method, text)
            taken = min(taken, elapsed(method, text)) if taken > SUSPICIOUS else taken
            worst = max(worst, (taken, f"{method.__name__}({before!r} + {body!r} * {times} + {end!r})"))
            if worst[0] > LONGEST:
                return worst
            if taken < SUSPICIOUS and length == SHORT:
                break
    return worst


def elapsed(method: Callable[[str], Any], text: str) -> float:
    started = time.thread_time()
    method(text)
    return time.thread_time() - started


@pytest.mark.parametrize("used", patterns(), ids=lambda used: used.where)
def test_a_pattern_reads_a_text_in_linear_time(used: Used) -> None:
    seconds, call = slowest(used)
    assert seconds < LONGEST, f"{used.pattern.pattern!r}: {call} took {seconds:.2f} s"


def test_a_reason_is_read_to_a_bound() -> None:
    for part in ("arn:aws:iam::123456789012:role/", "123456789012.dkr.ecr", " failed to ", "a.", "[", "secret "):
        began = time.thread_time()
        classify(part * 100_000)
        assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    "pattern, anywhere",
    [
        (r"(a+)+b", False),
        (r"(?:[a-z]+:?)*x", False),
        (r"a*a*b", False),
        (r".*:.*:.*x", False),
        (r"(?:ab|a|b)*c", False),
        (r"\s+$", True),
        (r"\{\{resolve:.*?\}\}", True),
        (r"[^/]+:[^/]+$", True),
    ],
)
def test_a_pattern_that_backtracks_is_found(pattern: str, anywhere: bool) -> None:
    seconds, _ = slowest(Used("here", re.compile(pattern), anywhere))
    assert seconds > LONGEST


def test_a_name_in_a_sub_is_found_in_linear_time() -> None:
    """Blanks after an opening brace were tried in each way of dividing them: 2,000 took 5 s."""
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Value": "a", "Type": "String"}}
    text = {"Fn::Select": [0, {"Fn::Split": [",", {"Fn::Sub": "${" + " " * 100_000}]}]}
    task = {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {"ExecutionRoleSpec": {"Parameters": [text]}, "ContainerDefinitions": [{"Image": "nginx"}]},
    }
    request = event({"Resources": {"Task": task, "P": parameter}})
    began = time.thread_time()
    respond(request)
    assert time.thread_time() - began < 1


def test_all_patterns_of_the_package_are_tried() -> None:
    found = {used.where for used in patterns()}
    assert len(found) > 70
    assert {"ecs_exec_role.template.spelling._PLAIN", "ecs_exec_role.preflight.response_url._BUCKET"} <= found
