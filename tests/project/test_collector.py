"""The functions load what stays without the garbage collector, which is on again afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import gc, importlib, sys
{before}
try:
    importlib.import_module("{handler}")
except ImportError as error:
    print(error.name)
print(gc.isenabled(), gc.get_freeze_count() > 10_000)
"""


def run(handler: str, before: str = "") -> list[str]:
    script = SCRIPT.format(handler=handler, before=before)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()


@pytest.mark.parametrize("handler", ["ecs_exec_role.macro", "ecs_exec_role.preflight.handler"])
def test_the_collector_skips_what_a_function_has_loaded(handler: str) -> None:
    assert run(handler) == ["True True"]


@pytest.mark.parametrize(
    ("handler", "missing"),
    [
        ("ecs_exec_role.macro", "ecs_exec_role.pipeline"),
        ("ecs_exec_role.preflight.handler", "ecs_exec_role.preflight.check"),
    ],
)
def test_the_collector_is_on_after_an_import_that_failed(handler: str, missing: str) -> None:
    name, collector = run(handler, f"sys.modules['{missing}'] = None")
    assert name == missing
    assert collector.startswith("True ")
