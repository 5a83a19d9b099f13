"""Golden files: what was answered once, read by a person and kept. `pytest --update-golden` writes them anew.

An answer is compared as it is, the order of its keys and lists too: the same template must give the same bytes, or
CloudFormation sees a change where there is none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Golden = Callable[[Path, Any], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files, do not compare")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares an answer with a file, or writes the file."""

    def compare(path: Path, answer: Any) -> None:
        text = json.dumps(answer, indent=2, ensure_ascii=False) + "\n"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path.name} is missing; read the answer of `pytest --update-golden` before you keep it"
        expected = path.read_text(encoding="utf-8")
        assert answer == json.loads(expected)
        assert text == expected, "the same content in another order"

    return compare
