"""Every sample event, sent to the Lambda handler and compared with its golden file.

A new file `events/macro-NAME.json` is a new test; `pytest --update-golden` writes `tests/golden/events/NAME.json`,
which must be read before it is committed.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.core import get_rules
from cfnlint.rules import RulesCollection
from tests.support.event import LambdaContext
from tests.support.golden_files import GOLDEN, Golden, answer_to

from ecs_exec_role import macro

ROOT = Path(__file__).parents[2]
EVENTS = sorted((ROOT / "events").glob("macro-*.json"))


@pytest.fixture(scope="module")
def rules() -> RulesCollection:
    return get_rules([], ignore_rules=[], include_rules=[])


def name_of(path: Path) -> str:
    return path.stem.removeprefix("macro-")


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("path", EVENTS, ids=name_of)
def test_event_gets_the_answer_that_was_read_and_kept(path: Path, golden: Golden) -> None:
    golden(name_of(path), macro.handler(read(path), LambdaContext()))


@pytest.mark.parametrize("path", EVENTS, ids=name_of)
def test_answer_keeps_the_contract_of_macros(path: Path) -> None:
    event = read(path)
    before = copy.deepcopy(event)
    answer = macro.handler(event, LambdaContext())
    assert answer["requestId"] == before["requestId"]
    assert answer["status"] in {"success", "failure"}
    assert (answer["status"] == "failure") == ("errorMessage" in answer)
    assert '"ExecutionRoleSpec":' not in json.dumps(answer)


def test_every_golden_file_has_its_event() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {name_of(path) for path in EVENTS}


def test_template_without_a_spec_comes_back_byte_for_byte() -> None:
    event = read(ROOT / "events" / "macro-no-spec.json")
    assert json.dumps(macro.handler(event, LambdaContext())["fragment"]) == json.dumps(event["fragment"])


# With `make checkers`: cfn-lint needs as much time for these as the macro for a thousand.
@pytest.mark.checkers
@pytest.mark.parametrize("path", EVENTS, ids=name_of)
def test_answer_is_a_template_that_cloudformation_would_take(path: Path, rules: RulesCollection) -> None:
    """Only cfn-lint's rules for errors; its warnings would be about the event."""
    event = read(path)
    answer = answer_to(name_of(path))
    if answer["status"] == "failure" or "Resources" not in answer["fragment"]:
        pytest.skip("not a template")
    matches = lint(json.dumps(answer["fragment"]), rules=rules, regions=[event["region"]])
    assert [f"{match.rule.id} {match.message}" for match in matches if match.rule.id.startswith("E")] == []
