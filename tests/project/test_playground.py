"""The playground's calls of the engine, without a browser: `playground/answer.py`. `make browser` tests the rest."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ecs_exec_role.cli.app import cli
from ecs_exec_role.settings import PARAMETERS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "playground"
EXAMPLES = [*sorted((ROOT / "examples").glob("*.yaml")), *sorted((PAGE / "examples").glob("*.yaml"))]
HAND_WRITTEN = (ROOT / "docs" / "hand-written.yaml").read_text("utf-8")

Ask = Callable[..., dict[str, Any]]


def ask(function: str, text: str, **more: object) -> dict[str, Any]:
    asked = {
        "text": text,
        "name": "template.yaml",
        "region": "",
        "account": "",
        "parameters": {},
        "guardrails": {},
        "form": "yaml",
        **more,
    }
    answer = runpy.run_path(str(PAGE / "answer.py"))[function](json.dumps(asked))
    told: dict[str, Any] = json.loads(answer)
    return told


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_expanded_template_is_what_the_command_writes(example: Path, form: str) -> None:
    told = ask("answer", example.read_text("utf-8"), form=form)
    done = CliRunner().invoke(cli, ["expand", str(example), "--format", form])
    if done.exit_code:
        assert told["problems"]
        assert told["report"] is None
        assert [problem["line"] for problem in told["problems"]] == [
            int(line) for line in re.findall(r"^\S.*?:(\d+):\d+: ", done.stderr, re.MULTILINE)
        ]
    else:
        assert told["expanded"].rstrip("\n") == done.stdout.rstrip("\n")
        assert told["problems"] == []


def test_each_statement_has_the_lines_that_need_it() -> None:
    text = (PAGE / "examples" / "start.yaml").read_text("utf-8")
    [role] = ask("answer", text)["report"]["roles"]
    lines = text.splitlines()
    for statement in role["statements"]:
        for resource in statement["resources"]:
            for reason in resource["reasons"]:
                assert re.search(r"Image:|ValueFrom:|awslogs-group:", lines[reason["line"] - 1])


def test_a_definition_that_cannot_be_read_is_a_mistake_in_its_place() -> None:
    text = HAND_WRITTEN.replace("ValueFrom: !Ref Database", "ValueFrom: [a]")
    [problem] = ask("answer", text)["problems"]
    assert problem["what"] == "is a list"
    assert "ValueFrom" in text.splitlines()[problem["line"] - 1]


def test_a_guardrail_holds_and_one_with_a_mistake_is_named() -> None:
    text = (PAGE / "examples" / "start.yaml").read_text("utf-8")
    assert "team-boundary" in ask("answer", text, guardrails={"PERMISSIONS_BOUNDARY": "team-boundary"})["expanded"]
    told = ask("answer", text, guardrails={"PATH": "no slashes"})
    assert "not a path" in told["settings"]["PATH"]
    assert told["report"] is None


def test_the_guardrails_of_the_process_are_not_those_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_EXEC_ROLE_PERMISSIONS_BOUNDARY", "of-this-process")
    text = (PAGE / "examples" / "start.yaml").read_text("utf-8")
    assert "of-this-process" not in ask("answer", text)["expanded"]


def test_a_parameter_has_the_value_that_is_given() -> None:
    text = (ROOT / "examples" / "web-service.yaml").read_text("utf-8")
    names = {parameter["name"]: parameter for parameter in ask("answer", text)["parameters"]}
    assert names["ImageTag"]["default"] == "1.0.0"
    text = (PAGE / "examples" / "mistakes.yaml").read_text("utf-8")
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:web-a1b2c3"
    assert len(ask("answer", text)["problems"]) == 3
    assert len(ask("answer", text, parameters={"PasswordArn": arn})["problems"]) == 2


def test_a_hand_written_role_is_judged_and_replaced() -> None:
    told = ask("audit", HAND_WRITTEN)
    assert {finding["kind"] for finding in told["audits"][0]["findings"]} == {"lacking", "excess", "too-wide"}
    assert "ExecutionRoleSpec: Auto" in told["migration"]["text"]
    assert "-      ExecutionRoleArn: !GetAtt WebRole.Arn # ECS pulls and logs with it" in told["migration"]["diff"]
    # The replaced template is one that the page expands.
    assert ask("answer", told["migration"]["text"])["expanded"]


def test_what_is_not_a_template_is_a_mistake() -> None:
    for text in ("", "[", "- 1", "Resources: 3", "{}"):
        assert ask("answer", text)["problems"], text
        assert ask("audit", text) == {"audits": [], "migration": None}


def test_the_page_has_a_switch_for_each_guardrail_and_every_example() -> None:
    data = (PAGE / "src" / "data.ts").read_text("utf-8")
    assert set(re.findall(r'name: "(\w+)"', data)) == set(PARAMETERS)
    imported = set(re.findall(r'from "\.\./\.\./examples/([\w-]+\.yaml)"', data))
    assert imported == {path.name for path in (ROOT / "examples").glob("*.yaml")}


def test_it_uses_the_public_interface_alone() -> None:
    source = (PAGE / "answer.py").read_text("utf-8")
    assert re.findall(r"^(?:from|import) (ecs_exec_role\S*)", source, re.MULTILINE) == ["ecs_exec_role"]


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((PAGE / "package-lock.json").read_text("utf-8"))
    assert all(
        re.match(r"https://registry\.npmjs\.org/|$", entry.get("resolved", "")) for entry in lock["packages"].values()
    )
    assert all(entry.get("integrity") or not name for name, entry in lock["packages"].items())
