from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecs_exec_role.cli.app import cli

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder, with a template (its text) as `t.yaml` if one is given."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, template: str | None = None, stdin: str | None = None) -> Result:
        if template is not None:
            Path("t.yaml").write_text(textwrap.dedent(template), encoding="utf-8")
        return CliRunner().invoke(cli, arguments, input=stdin, catch_exceptions=False, prog_name="ecs-exec-role")

    return call
