"""Each statement of skills/ecs-exec-role/SKILL.md is true, and its commands run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.support.command_line import Run
from tests.support.command_line import run as run  # noqa: PLC0414 - a fixture for this module as well

from ecs_exec_role.spec.language import LANGUAGE, MODES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "skills" / "ecs-exec-role"
SKILL = (FOLDER / "SKILL.md").read_text(encoding="utf-8")
_, HEAD, BODY = SKILL.split("---\n", 2)
TEMPLATE = re.findall(r"^```yaml\n(.*?)^```", BODY, re.MULTILINE | re.DOTALL)[0]
COMMANDS = [
    line.removeprefix("ecs-exec-role ")
    for block in re.findall(r"^```console\n(.*?)^```", BODY, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def test_head_has_what_finds_and_loads_a_skill() -> None:
    head = YAML(typ="safe").load(HEAD)
    assert set(head) == {"name", "description"}
    assert head["name"] == FOLDER.name
    assert len(head["description"]) <= 1024
    assert len(BODY.splitlines()) < 80


def committed(folder: Path) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "a")):
        subprocess.run([*git, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("template", ["the page's", "web-service"])
def test_commands_run(run: Run, tmp_path: Path, command: str, template: str) -> None:
    if template == "web-service":
        shutil.copy(ROOT / "examples" / "web-service.yaml", tmp_path / "template.yaml")
    else:
        (tmp_path / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    committed(tmp_path)
    result = run(*command.split())
    assert result.exit_code == 0, result.output


def test_commands_are_those_that_a_change_needs() -> None:
    assert [command.split()[0] for command in COMMANDS] == ["expand", "explain", "diff", "lint-config"]


def test_role_has_the_name_that_the_page_says(run: Run) -> None:
    result = run("expand", "t.yaml", template=TEMPLATE)
    assert "  WebExecutionRole:\n" in result.stdout
    assert "ExecutionRoleArn: !GetAtt WebExecutionRole.Arn" in result.stdout
    assert "ExecutionRoleSpec" not in result.stdout


def test_spec_beside_an_arn_is_refused(run: Run) -> None:
    beside = TEMPLATE.replace(
        "      ContainerDef", "      ExecutionRoleArn: arn:aws:iam::123456789012:role/x\n      ContainerDef"
    )
    assert run("expand", "t.yaml", template=beside).exit_code == 1


@pytest.mark.parametrize(
    "said, container, spec",
    [
        ("cannot tell which image", "Image: !ImportValue shared", "Images: [!ImportValue shared]"),
        ("does not show which keys encrypt", "Secrets: [{Name: A, ValueFrom: /a}]", "KmsKeys: None"),
    ],
)
def test_what_the_page_says_to_write_is_right(run: Run, said: str, container: str, spec: str) -> None:
    rows = {cells[0].strip(): cells[1] for cells in re.findall(r"^\| (.*?) \| (.*?) \|$", BODY, re.MULTILINE)}
    [remedy] = [text for row, text in rows.items() if row.startswith(said)]
    assert f"`{spec.partition(':')[0]}" in remedy
    template = TEMPLATE.replace(
        "Image: nginx", container if container.startswith("Image") else f"Image: nginx\n          {container}"
    )
    first = run("expand", "t.yaml", template=template)
    assert said in first.stderr
    second = run(
        "expand", "t.yaml", template=template.replace("ExecutionRoleSpec: Auto", f"ExecutionRoleSpec: {{{spec}}}")
    )
    assert (second.exit_code, second.stderr) == (0, "")


def test_keys_that_it_names_are_keys() -> None:
    words = set(re.findall(r"`([A-Z][A-Za-z]+)(?:: [A-Za-z]+)?`", BODY))
    elsewhere = {"ExecutionRoleSpec", "ExecutionRoleArn", "TaskRoleArn"}
    assert words - elsewhere <= {*LANGUAGE, *MODES}
    assert {"Images", "Secrets", "KmsKeys", "Unresolved"} <= words
