"""Golden files: answers that a person has reviewed. `pytest --update-golden` writes them again.

A file has what the macro added and changed, with the needs behind it. What is unchanged from the event is
`UNCHANGED`, in its place. The files in `WHOLE` have all of the answer.

An answer is compared as it is, the order of its keys and lists too: the same template must give the same bytes, or
CloudFormation sees a change where there is none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "events"
UNCHANGED = "(as in the event)"
WHOLE = frozenset({"task-definition", "conditions", "shared-role"})

Golden = Callable[[str, Any], None]


def event_named(name: str) -> Any:
    """An event, by the name of its golden file."""
    return json.loads((ROOT / "events" / f"macro-{name}.json").read_text(encoding="utf-8"))


def answer_to(name: str) -> Any:
    """The whole answer that a golden file keeps."""
    kept = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return (
        {**kept, "fragment": _restored(event_named(name)["fragment"], kept["fragment"])} if "fragment" in kept else kept
    )


def kept(name: str, answer: Any) -> Any:
    """What the golden file keeps of an answer."""
    if name in WHOLE or "Resources" not in answer.get("fragment", ()):
        return answer
    return {**answer, "fragment": _shortened(event_named(name)["fragment"], answer["fragment"])}


def _shortened(before: Any, after: Any) -> Any:
    # The file alone shows what a role grants.
    if not isinstance(before, dict) or not isinstance(after, dict) or after.get("Type") == "AWS::IAM::Role":
        return after
    return {
        key: UNCHANGED
        if isinstance(value, (dict, list)) and value and json.dumps(value) == json.dumps(before.get(key))
        else _shortened(before.get(key), value)
        for key, value in after.items()
    }


def _restored(before: Any, node: Any) -> Any:
    if node == UNCHANGED:
        return before
    if not isinstance(before, dict) or not isinstance(node, dict):
        return node
    return {key: _restored(before.get(key), value) for key, value in node.items()}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files, do not compare")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares the answer to an event with its file, or writes the file."""

    def compare(name: str, answer: Any) -> None:
        path = GOLDEN / f"{name}.json"
        text = json.dumps(kept(name, answer), indent=2, ensure_ascii=False) + "\n"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path.name} is missing; read the answer of `pytest --update-golden` before you keep it"
        expected = answer_to(name)
        assert answer == expected
        assert json.dumps(answer) == json.dumps(expected), "the same content in another order"
        assert text == path.read_text(encoding="utf-8"), "the file keeps more than what the macro added"

    return compare
