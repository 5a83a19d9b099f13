"""docs/codes.md lists exactly the codes of all problems, warnings and notes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.codes_in_source import codes, uses

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "codes.md").read_text(encoding="utf-8")

FORM = re.compile(r"^[a-z]+(?:-[a-z]+)*$")


def test_every_problem_has_a_code() -> None:
    assert len(uses()) > 150
    for use in uses():
        found = codes(use)
        if not found:
            assert use.passed_on or isinstance(use.code, ast.Attribute), f"{use.place} has no code to pass on"
        assert all(FORM.fullmatch(code.replace("NAME", "name")) for code in found), f"{use.place}: {found}"


def test_the_page_and_the_code_agree() -> None:
    listed = re.findall(r"^\| `([a-zA-Z-]+)` \|", PAGE, re.MULTILINE)
    assert listed == list(dict.fromkeys(listed)), "the page lists a code twice"
    written: set[str] = set()
    for use in uses():
        written |= codes(use)
    made = {code for code in written if "NAME" in code}
    expected = written - made
    for pattern in made:
        named = {code for code in listed if re.fullmatch(pattern.replace("NAME", "[a-z-]+"), code)}
        assert named - expected, f"the page has no line for {pattern}"
        expected |= named
    assert set(listed) == expected


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    for line in re.findall(r"^\| `[a-zA-Z-]+` \|.*$", PAGE, re.MULTILINE):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert len(cells) == 3, line
        assert all(cells), line
