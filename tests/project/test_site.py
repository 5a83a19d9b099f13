"""The pages of the documentation: complete, with valid links and existing commands."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from scripts import site

from ecs_exec_role.cli.app import COMMANDS, cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TASKS = [DOCS / "index.md", DOCS / "playground.md", *sorted((DOCS / "tasks").glob("*.md"))]


def test_the_reference_is_made_from_the_language() -> None:
    assert site.REFERENCE.read_text("utf-8") == site.reference(), "run: python -m scripts.site reference"


def test_the_navigation_has_every_page_once() -> None:
    def pages(node: Any) -> Iterator[str]:
        if isinstance(node, str):
            yield node
        else:
            for child in node if isinstance(node, list) else node.values():
                yield from pages(child)

    listed = list(pages(tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"]))
    expected = {path.relative_to(DOCS).as_posix() for path in PAGES}
    expected |= set(site.TOP.values())
    expected |= {f"examples/{path.stem}.md" for path in (ROOT / "examples").glob("*.yaml")}
    assert sorted(listed) == sorted(expected)


def _anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_place_in_it(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]+`", "", text)
    for target, anchor in re.findall(r"\]\(([^()#\s]*)(?:#([^()\s]+))?\)", text):
        if re.match("[a-z]+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in _anchors(path), f"{target}#{anchor}"


def _commands(page: Path) -> Iterator[list[str]]:
    text = page.read_text("utf-8").replace("\\\n", " ")
    for block in re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            for part in re.split(r"[|>]|&&", line.partition(" #")[0]):
                if part.strip().startswith("ecs-exec-role "):
                    yield shlex.split(part)[1:]


@pytest.mark.parametrize("page", TASKS, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_every_command_and_option_exists(page: Path) -> None:
    with click.Context(cli) as context:
        for name, *arguments in _commands(page):
            command = cli.get_command(context, name)
            assert command is not None, name
            options = {option for parameter in command.params for option in parameter.opts}
            for argument in arguments:
                if argument.startswith("--"):
                    assert argument.partition("=")[0] in options, f"{name} {argument}"


def test_the_task_pages_have_commands() -> None:
    assert {name for page in TASKS for name, *_ in _commands(page)} >= {"audit", "migrate", "explain", "diagnose"}
    assert set(COMMANDS) >= {name for page in TASKS for name, *_ in _commands(page)}


def test_a_wrong_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="here">A</h1><a href="b.html#there">b</a><a href="#here">a</a><a href="c.html">c</a>'
        '<a href="https://aws.amazon.com">AWS</a><script src="https://example.com/x.js"></script>',
        "utf-8",
    )
    (tmp_path / "b.html").write_text("<p>B</p>", "utf-8")
    assert [line.split(": ")[1] for line in site.wrong_links(tmp_path)] == [
        "b.html#there leads to no place on that page",
        "c.html leads to nothing",
        "loads https://example.com/x.js from another host",
    ]


def test_links_that_leave_the_site_lead_to_the_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(site, "PAGES", tmp_path)
    monkeypatch.setenv("SITE_REPOSITORY", "https://example.com/repository")
    site.prepare()
    operations = (tmp_path / "operations.md").read_text("utf-8")
    assert "](https://example.com/repository/blob/main/template.yaml)" in operations
    task = (tmp_path / "tasks" / "hand-written-roles.md").read_text("utf-8")
    assert "](../operations.md)" in task
    architecture = (tmp_path / "architecture.md").read_text("utf-8")
    assert "mermaid" not in architecture
    assert "1. **event**: protocol.py, macro.py\n1. **template**: template/\n" in architecture
    assert "playground/index.html?embed" in (tmp_path / "index.md").read_text("utf-8")
