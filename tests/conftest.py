"""Hooks and plug-ins for all tests."""

from __future__ import annotations

import os

import pytest
from tests.support import quick_aws
from tests.support.iam.install import UNAVAILABLE, EvaluatorUnavailable, install, on_ci

pytest_plugins = ["tests.support.cfn_lint", "tests.support.command_line", "tests.support.golden_files"]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Installs the IAM evaluator before the first test, in the process that starts the others."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly or UNAVAILABLE in os.environ:
        return
    try:
        install()
    except EvaluatorUnavailable as error:
        if on_ci():
            pytest.exit(f"{error}. CI is set, so no test is left out", returncode=1)
        os.environ[UNAVAILABLE] = str(error)


def pytest_collection_finish() -> None:
    quick_aws.patch()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints at the end, where it is visible, what the skipped tests would have shown."""
    reason = os.environ.get(UNAVAILABLE)
    if reason:
        terminalreporter.section("NOT TESTED: what the roles allow", red=True, bold=True)
        terminalreporter.line(f"{reason}.")
        terminalreporter.line(
            "Every test that asks the evaluator was skipped. Do not rely on this run for a change of grants."
        )


def pytest_report_header() -> list[str]:
    """Prints it at the start, too."""
    reason = os.environ.get(UNAVAILABLE)
    return [f"WARNING: {reason}. The tests that ask it are skipped"] if reason else []
