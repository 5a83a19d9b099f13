"""The commands of the README print what it shows, and each file that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecs_exec_role.cli.app import cli
from ecs_exec_role.cli.expand import command
from ecs_exec_role.spec.language import LANGUAGE
from ecs_exec_role.template import budget

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_role_instead_is_the_one_that_the_example_gets() -> None:
    shown = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[1]
    expanded = CliRunner().invoke(command, [str(ROOT / "examples" / "web-service.yaml")]).stdout
    role = re.search(r"^  TaskDefinitionExecutionRole:\n(?:    .*\n)+", expanded, re.MULTILINE)
    assert role is not None
    assert shown == re.sub(r"^    Metadata:\n(?:      .*\n)+", "", role[0], flags=re.MULTILINE)


def test_table_has_every_key() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \|", README, re.MULTILINE)
    words = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    assert set(LANGUAGE) <= words


def test_every_file_that_it_names_exists() -> None:
    links = re.findall(r"\]\((?!https:)([^)]+)\)", README)
    files = re.findall(r"(?:examples|events)/[\w.-]+\.(?:yaml|json)", README)
    assert [name for name in (*links, *files) if not (ROOT / name.partition("#")[0]).exists()] == []


def test_error_that_it_shows_is_the_one_that_comes() -> None:
    shown = re.search(r"^```\n(Resources/.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert shown is not None
    golden = (ROOT / "tests" / "golden" / "events" / "unclassified.json").read_text(encoding="utf-8")
    assert " ".join(shown[1].split()) in golden


SHOWN = re.findall(r"^```console\n\$ ecs-exec-role (.*?)\n```\n\n```\w+\n(.*?)```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("arguments, output", SHOWN, ids=[arguments.split()[0] for arguments, _ in SHOWN])
def test_first_commands_print_what_the_readme_shows(
    arguments: str, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(cli, arguments.split())
    assert result.exit_code == 0
    assert result.stdout.startswith(output.removesuffix("…\n"))


def test_first_commands_are_in_the_order_of_a_team_with_roles() -> None:
    assert [arguments.split()[0] for arguments, _ in SHOWN] == ["audit", "migrate", "explain"]


def test_hand_written_template_is_the_one_of_the_page_about_commands() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert (ROOT / "docs" / "hand-written.yaml").read_text(encoding="utf-8") in page


def test_the_limits_are_those_of_the_budget() -> None:
    text = " ".join(README.split())
    assert (
        f"{budget.MOST_STEPS:,} steps, {budget.MOST_CHARACTERS:,} characters of text that is read, and"
        f" {budget.MOST_WRITTEN:,} characters of answer" in text
    )


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "skills").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_says_to_install_can_be_installed(page: Path) -> None:
    """There is no release on PyPI yet, and no address of the repository."""
    text = page.read_text(encoding="utf-8")
    assert "OWNER" not in text
    assert not re.search(r"(pip|pipx|uv tool) install [^`\n]*ecs-exec-role", text)
    # The actions are those that the workflows use.
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    [version] = set(re.findall(r"actions/checkout@\S+ # (v[0-9]+)", workflow))
    assert set(re.findall(r"actions/checkout@(\S+)", text)) <= {version}
