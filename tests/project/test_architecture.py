"""docs/architecture.md is right about the code: its folders, layers, names, and the example that it follows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.support.cloudformation import load

from ecs_exec_role.pipeline import expand

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ecs_exec_role"
OF_CLOUDFORMATION = {
    "Database", "ExecutionRoleSpec", "KmsKeys", "Parameters", "ReadSecrets", "Ref", "Secrets", "Sid", "Task",
    "TaskExecutionRole", "ValueFrom",
}  # fmt: skip
"""Names on the page that belong to templates, not to the code."""

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_module_that_it_names_exists() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?|[a-z_]+\.py)`", PAGE)
    assert [name for name in named if not (PACKAGE / name.removeprefix("src/ecs_exec_role/")).exists()] == []


def test_every_name_of_the_code_exists() -> None:
    prose = re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([A-Z][a-z]\w+(?:\.[a-z_]+)?|[A-Z]{2,})`", prose)) - OF_CLOUDFORMATION
    source = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert {"Cursor", "FEATURES", "Symbols.show"} <= named
    assert [
        name
        for name in sorted(named)
        for part in name.split(".")
        if not re.search(rf"^\s*(?:(?:class|def) {part}\b|{part}\b.* = )", source, re.MULTILINE)
    ] == []


def test_every_folder_is_named() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {name for name in folders if f"`{name}/`" not in PAGE} == set()


def test_tests_have_the_folders_of_the_package() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    of_package = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    of_tests = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert of_package - of_tests == set()
    assert {name for name in of_tests - of_package if f"`tests/{name}/`" not in contributing} == set()


def test_layers_are_those_that_are_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(one["layers"] for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    text = " ".join(PAGE.split())
    assert ", ".join(f"`{layer}`" for layer in layers) in text


def test_example_follows_the_steps_that_it_describes(tmp_path: Path) -> None:
    source, written = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "template.yaml").write_text(source, encoding="utf-8")
    (tmp_path / "statement.yaml").write_text(written, encoding="utf-8")
    fragment = load(tmp_path / "template.yaml")
    del fragment["Transform"]
    expansion = expand({"accountId": "123456789012", "region": "eu-west-1", "fragment": fragment})
    [plan] = expansion.roles
    [need] = plan.needs
    [statement] = plan.statements
    assert (need.resource, need.target, need.path_condition) == ("\U00100007", "\U00100007:password::", ())
    assert need.path in PAGE
    assert (statement.sid, statement.length, statement.references) == ("ReadSecrets", 236, frozenset({"Database"}))
    assert plan.attached_later == ()
    assert plan.notes[0].code == "not-in-ecr"
    policy = expansion.fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    assert policy["Statement"] == [load(tmp_path / "statement.yaml")]
