"""The files for editors accept what the macro accepts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from ecs_exec_role.cli.app import cli
from ecs_exec_role.spec.language import MODES

ROOT = Path(__file__).parents[2]
SNIPPETS: dict[str, Any] = json.loads((ROOT / "editors/ecs-exec-role.code-snippets").read_text(encoding="utf-8"))
LIVE = ET.parse(ROOT / "editors/EcsExecRole.xml").getroot()


def from_vs_code(body: list[str]) -> str:
    """The template when each default is used; of a choice, the first."""
    text = re.sub(r"\$\{\d+:([^}]*)\}", r"\1", "\n".join(body))
    return re.sub(r"\$\{\d+\|([^,|]*)[^|]*\|\}", r"\1", text).replace("$0", "")


def from_jetbrains(template: ET.Element) -> str:
    text = template.attrib["value"]
    for variable in template.iter("variable"):
        text = text.replace(f"${variable.attrib['name']}$", variable.attrib["defaultValue"].strip('"'))
    assert "$" not in text
    return text


TEXTS = {
    **{f"vscode-{one['prefix']}": from_vs_code(one["body"]) for one in SNIPPETS.values()},
    **{f"jetbrains-{one.attrib['name']}": from_jetbrains(one) for one in LIVE.iter("template")},
}


@pytest.mark.parametrize("name", [name for name in TEXTS if not name.endswith("ExecutionRoleSpec")])
def test_snippet_is_a_template_that_the_macro_takes(name: str) -> None:
    resources = re.sub("^(?=.)", "  ", TEXTS[name], flags=re.MULTILINE)
    template = f"Transform: EcsExecRole\nResources:\n{resources}"
    result = CliRunner().invoke(cli, ["expand", "-"], input=template)
    assert result.exit_code == 0, result.output
    assert "sts:AssumeRole" in result.stdout
    assert "ExecutionRoleSpec" not in re.sub(r"(?m)^ *Metadata:\n(?: {6,}.*\n)+", "", result.stdout)


def test_snippets_are_the_same_in_every_editor() -> None:
    for name in (one.attrib["name"] for one in LIVE.iter("template")):
        assert TEXTS[f"vscode-{name}"].strip() == TEXTS[f"jetbrains-{name}"].strip()


def test_snippet_of_the_key_offers_every_mode() -> None:
    [body] = SNIPPETS["Which execution role: found out from the definition"]["body"]
    assert re.search(r"\|([^|]+)\|", body)[1].split(",") == list(MODES)  # type: ignore[index]


def test_schema_is_that_of_the_command() -> None:
    shipped = (ROOT / "editors/ecs-exec-role.schema.json").read_text(encoding="utf-8")
    assert shipped == CliRunner().invoke(cli, ["schema"]).stdout, (
        "run ecs-exec-role schema > editors/ecs-exec-role.schema.json"
    )
