"""The plug-in of mypy finds symbolic text in messages, also after the text was changed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]
CODE = """\
import re
from ecs_exec_role.errors import Problem
from ecs_exec_role.needs.context import InferenceContext
from ecs_exec_role.template.symbols import ACCOUNT, SymbolicText, Symbols

def of(ctx: InferenceContext, symbols: Symbols, text: SymbolicText, plain: str) -> None:
"""
WRONG = {
    "as it is": 'Problem("", text, "", "code")',
    "in an f-string": 'Problem("", f"`{text}` is wrong", "", "code")',
    "a part": 'Problem("", f"{text.partition(\':\')[0]} is wrong", "", "code")',
    "changed": 'Problem("", text[1:].lower().strip("/"), "", "code")',
    "one of several": 'for one in text.split(":"):\n        Problem("", one, "", "code")',
    "joined": 'Problem("", ", ".join(one for one in [text]), "", "code")',
    "an ARN that is put together": 'Problem("", "", f"write {f\'arn:aws:iam::{ACCOUNT}:role/x\'}", "code")',
    "matched": 'match = re.compile("(.*)").match(text)\n    if match:\n        Problem("", match[1], "", "code")',
    "in the engine's own functions": 'ctx.problem("", f"{text} is wrong", "", "code")',
    "in a note": 'ctx.note("", f"{text} is unknown", "", code="code")',
}
RIGHT = {
    "shown": 'Problem("", f"`{symbols.show(text)}` is wrong", "", "code")',
    "plain": 'Problem("", f"{plain.upper()} is wrong", "", "code")',
    "kept in a note for programs": 'ctx.note("", "is unknown", "", code="code", value=text)',
    "its length": 'Problem("", f"has {len(text)} characters", "", "code")',
}


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The messages that mypy refuses, by name: one run for all of them."""
    folder = tmp_path_factory.mktemp("mypy")
    lines: dict[int, str] = {}
    text = CODE
    for name, statement in {**WRONG, **RIGHT}.items():
        text += f"    {statement}\n"
        lines[text.count("\n")] = name
    (folder / "messages.py").write_text(text, encoding="utf-8")
    settings = folder / "mypy.ini"
    plugin = ROOT / "scripts" / "mypy_symbolic_text.py"
    settings.write_text(f"[mypy]\nplugins = {plugin}\nmypy_path = {ROOT / 'src'}\nfollow_imports = silent\n", "utf-8")
    limit = sys.getrecursionlimit()
    try:
        out, err, _ = api.run(["--config-file", str(settings), "--cache-dir", str(folder), str(folder / "messages.py")])
    finally:
        # mypy sets a higher one, and what other tests of this process nest too deep would then be read.
        sys.setrecursionlimit(limit)
    errors = [line.split(":") for line in out.splitlines() if "error: A message has symbolic text" in line]
    assert err == ""
    assert "Found" in out, out
    return {lines[int(line[1])] for line in errors}


@pytest.mark.xdist_group("mypy")
@pytest.mark.parametrize("name", WRONG)
def test_symbolic_text_in_a_message_is_refused(found: set[str], name: str) -> None:
    assert name in found


@pytest.mark.xdist_group("mypy")
@pytest.mark.parametrize("name", RIGHT)
def test_plain_text_in_a_message_is_not(found: set[str], name: str) -> None:
    assert name not in found
