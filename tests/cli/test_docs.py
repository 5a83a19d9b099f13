from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.command_line import Run

from ecs_exec_role.cli import app

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
TEMPLATE = re.findall(r"```yaml\n(# hand-written\.yaml\n.*?)```", TEXT, re.DOTALL)[0]
SHOWN = re.findall(r"```console\n\$ ecs-exec-role (.*?)\n```\n\n```\w+\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("command, output", SHOWN, ids=[command.split()[0] for command, _ in SHOWN])
def test_what_the_page_shows_is_what_comes_out(run: Run, tmp_path: Path, command: str, output: str) -> None:
    (tmp_path / "hand-written.yaml").write_text(TEMPLATE, encoding="utf-8")
    (tmp_path / "migrated.yaml").write_text(run("migrate", "hand-written.yaml").stdout, encoding="utf-8")
    shown, dots, _ = output.partition("…\n")
    result = run(*command.split())
    assert result.exit_code == 0
    assert result.stdout.startswith(shown) if dots else result.stdout == shown


def test_the_page_has_every_command() -> None:
    assert {command.split()[0] for command, _ in SHOWN} == {"explain", "audit", "migrate", "diff"}
    for name in app.COMMANDS:
        assert f"`{name}`" in TEXT
