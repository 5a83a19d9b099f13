"""The hook and the action that lint the templates of other repositories."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.lint.test_rules import task

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def load(name: str) -> Any:
    return YAML(typ="safe").load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that no `lint-config` has set up."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/good template.yaml").write_text(task("Images: [web]"))
    (tmp_path / "stacks/bad.yaml").write_text(task("Imgaes: [web]"))
    (tmp_path / "stacks/doubtful.yaml").write_text(task("Secrets: [a]"))
    return tmp_path


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{BIN}{os.pathsep}{os.defpath}", "HOME": str(folder), **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_hook(repository: Path) -> None:
    [hook] = load(".pre-commit-hooks.yaml")
    answer = run([*shlex.split(hook["entry"]), "stacks/good template.yaml", "stacks/bad.yaml"], repository)
    assert "E9501" in answer.stdout
    assert "stacks/bad.yaml:7:9" in answer.stdout
    assert "good" not in answer.stdout
    assert answer.returncode != 0


@pytest.mark.parametrize(
    "name, taken",
    [("template.yaml", True), ("infra/Stack.yml", True), ("cloudformation/web.json", True), ("src/app.yaml", False)],
)
def test_files_of_the_hook(name: str, taken: bool) -> None:
    [hook] = load(".pre-commit-hooks.yaml")
    assert bool(re.search(hook["files"], name)) is taken
    assert not re.search(hook["exclude"], name)


def action(repository: Path, templates: str, arguments: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the action's last step as a runner does; the step before it has installed what this test runs in."""
    (repository / "runner").mkdir(exist_ok=True)
    installed = repository / "runner/ecs-exec-role"
    if not installed.exists():
        installed.symlink_to(sys.prefix)
    step = load("action.yml")["runs"]["steps"][-1]
    given = {"inputs.templates": templates, "inputs.arguments": arguments}
    variables = {name: given[value.strip("${} ")] for name, value in step["env"].items()}
    script = repository / "runner/step.sh"
    script.write_text(step["run"])
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
    return run(command, repository, RUNNER_TEMP=str(repository / "runner"), **variables)


def test_action(repository: Path) -> None:
    (repository / "stacks/good template.yaml").rename(repository / "stacks/good.yaml")
    answer = action(repository, "nothing/*.yaml stacks/**/*.yaml", "--regions eu-central-1")
    error, warning = answer.stdout.splitlines()
    assert error.startswith(
        "::error file=stacks/bad.yaml,line=7,col=9,title=E9501::ExecutionRoleSpec/Imgaes: unknown key"
    )
    assert warning.startswith("::warning file=stacks/doubtful.yaml,line=7,col=")
    assert answer.returncode == 6, answer.stderr


def test_action_without_templates(repository: Path) -> None:
    answer = action(repository, "nothing.yaml")
    assert answer.returncode == 1
    assert answer.stdout.startswith("::error::No template fits nothing.yaml")


def test_action_uses_no_action_of_others() -> None:
    steps = load("action.yml")["runs"]["steps"]
    assert all("uses" not in step for step in steps)
    assert all("${{" not in step["run"] for step in steps), "inputs come as variables, so that none can be a command"
