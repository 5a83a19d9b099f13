"""What the README shows is what comes out, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from ecs_exec_role.cli.expand import command
from ecs_exec_role.spec.language import LANGUAGE

ROOT = Path(__file__).parents[1]
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
