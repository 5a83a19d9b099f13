"""The public interface: each name exists, is documented, loads from a plain import, and the page about it is right."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ecs_exec_role

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "library.md").read_text("utf-8")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ecs_exec_role.__all__)
def test_each_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(ecs_exec_role, name)
    assert re.search(rf"\b{name}\b", PAGE), f"docs/library.md does not have {name}"
    if callable(value):
        assert value.__doc__
    assert name in dir(ecs_exec_role)


def test_each_name_works_after_a_plain_import() -> None:
    names = ecs_exec_role.__all__
    assert run(f"import ecs_exec_role\nfor name in {names}: print(getattr(ecs_exec_role, name) is not None)") == (
        "True\n" * len(names)
    )


def test_a_name_stays_what_it_is_once_its_module_is_loaded() -> None:
    code = "import ecs_exec_role as engine; import ecs_exec_role.protocol; print(callable(engine.expand))"
    assert run(code) == "True\n"


def test_the_import_loads_nothing_of_the_engine() -> None:
    code = "import sys, ecs_exec_role; print([name for name in sys.modules if name.startswith('ecs_exec_role.')])"
    assert run(code) == "[]\n"


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        ecs_exec_role.nothing_of_the_kind  # noqa: B018 - the attribute is what is tested


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_of_the_page_run(code: str) -> None:
    assert run(code)
