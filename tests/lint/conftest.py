from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import TypeAlias

import pytest
from cfnlint.api import ManualArgs, lint_file

from ecs_exec_role.lint import config

Found: TypeAlias = list[tuple[str, int, int, str]]
"""Rule, line, column and message of each of cfn-lint's findings, in the order of the lines."""

Lint: TypeAlias = Callable[..., Found]


@pytest.fixture(scope="session", autouse=True)
def quick(quick_cfn_lint: None) -> None:
    """All tests of this folder run cfn-lint."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that `lint-config` has set up; cfn-lint is started in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config.write(config.lint_config(tmp_path).changes)
    return tmp_path


@pytest.fixture
def lint(project: Path) -> Lint:
    """Lints a template in the project, with any arguments of cfn-lint."""

    def run(text: str, name: str = "template.yaml", **arguments: object) -> Found:
        file = project / name
        file.write_text(dedent(text).lstrip(), encoding="utf-8")
        matches = lint_file(file, ManualArgs(**arguments)) if arguments else lint_file(file)
        return sorted((match.rule.id, match.linenumber, match.columnnumber, match.message) for match in matches)

    return run
