"""Runs the command line in this process: the fixture `run`."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from click.testing import Result

Run = Callable[..., "Result"]
"""A command's arguments to its result."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder, with a template (its text) as `t.yaml` if one is given."""
    # Only the tests of the command line load click, rich and ruamel.yaml.
    from click.testing import CliRunner  # noqa: PLC0415

    from ecs_exec_role.cli.app import cli  # noqa: PLC0415

    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str, template: str | None = None, stdin: str | None = None) -> Result:
        if template is not None:
            Path("t.yaml").write_text(textwrap.dedent(template), encoding="utf-8")
        return CliRunner().invoke(cli, arguments, input=stdin, catch_exceptions=False, prog_name="ecs-exec-role")

    return call
