"""If the npm registry cannot be reached, a run of the tests says so once, and continues without the IAM evaluator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests import conftest
from tests.support.iam import install as evaluator
from tests.support.iam.install import UNAVAILABLE, EvaluatorUnavailable

ROOT = Path(__file__).parents[2]
REFUSED = (
    "npm error code ECONNREFUSED\nnpm error FetchError: connect ECONNREFUSED 127.0.0.1:9\nnpm error at ClientRequest\n"
)
SESSION: Any = SimpleNamespace(config=SimpleNamespace(option=SimpleNamespace(collectonly=False)))


class Npm:
    """Replaces npm: for each of its commands the exit code and what it writes to stderr."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers = answers
        self.called: list[str] = []

    def __call__(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        name = f"{command}_offline" if "--offline" in arguments else command
        self.called.append(name)
        code, said = self.answers.get(name, (0, ""))
        return subprocess.CompletedProcess([name], code, "", said)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing is installed yet."""
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "node_modules").mkdir()
    monkeypatch.setattr(evaluator, "FOLDER", tmp_path)
    return tmp_path


def npm(monkeypatch: pytest.MonkeyPatch, **answers: tuple[int, str]) -> Npm:
    fake = Npm(**answers)
    monkeypatch.setattr(evaluator, "_npm", fake)
    return fake


@pytest.mark.usefixtures("folder")
def test_registry_is_asked_once_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = npm(monkeypatch, ci_offline=(1, "npm error code ENOTCACHED"), ping=(1, REFUSED))
    with pytest.raises(EvaluatorUnavailable) as raised:
        evaluator.install()
    assert fake.called == ["ci_offline", "ping"]
    assert str(raised.value) == (
        "The IAM evaluator of the tests could not be installed: the npm registry cannot be reached (code ECONNREFUSED "
        "FetchError: connect ECONNREFUSED 127.0.0.1:9). Set npm's `registry` or `proxy` (`npm_config_registry`, "
        "`npm_config_https_proxy`) to one that can be reached, and run the tests again"
    )


@pytest.mark.usefixtures("folder")
def test_registry_without_ping_is_reached_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = npm(monkeypatch, ci_offline=(1, ""), ping=(1, "npm error code E404"))
    evaluator.install()
    assert fake.called == ["ci_offline", "ping", "ci"]
    evaluator.install()
    assert fake.called == ["ci_offline", "ping", "ci"], "what is installed is not installed again"


@pytest.mark.usefixtures("folder")
def test_what_npm_has_in_its_cache_needs_no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = npm(monkeypatch, ping=(1, REFUSED))
    evaluator.install()
    assert fake.called == ["ci_offline"]


@pytest.mark.usefixtures("folder")
def test_installation_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    npm(monkeypatch, ci_offline=(1, ""), ci=(1, "npm error code EINTEGRITY"))
    with pytest.raises(EvaluatorUnavailable, match=r"npm ci in tests/support/iam failed \(code EINTEGRITY\)"):
        evaluator.install()


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise EvaluatorUnavailable("no registry")

    monkeypatch.setattr(conftest, "install", fail)
    # Set and deleted, so that monkeypatch restores it after the test.
    monkeypatch.setenv(UNAVAILABLE, "")
    monkeypatch.delenv(UNAVAILABLE)


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("variable", [None, "", "false", "0"])
def test_run_on_a_developers_machine_continues(monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    monkeypatch.delenv("CI", raising=False)
    if variable is not None:
        monkeypatch.setenv("CI", variable)
    conftest.pytest_sessionstart(SESSION)
    assert os.environ[UNAVAILABLE] == "no registry"


@pytest.mark.usefixtures("unreachable")
def test_run_on_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.exit.Exception, match="no registry") as raised:
        conftest.pytest_sessionstart(SESSION)
    assert raised.value.returncode == 1
    assert UNAVAILABLE not in os.environ


def test_tests_that_ask_the_evaluator_are_skipped_with_the_reason() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", "tests/tools/test_iam_oracle.py"]
    environment = {**os.environ, UNAVAILABLE: "no registry here"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "WARNING: no registry here" in done.stdout
    assert "NOT TESTED: what the roles allow" in done.stdout
    assert done.stdout.count("SKIPPED [") == 1
    assert " passed" not in done.stdout.splitlines()[-1]
