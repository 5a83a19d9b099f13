"""Starts MiniStack with the plug-in of `emulator/`, on a free port of this machine, for one run of the tests."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).with_name("emulator") / "ministack_engine.py"
# An interpreter that has the packages of requirements/ministack.txt; `make e2e` makes the one that is taken otherwise.
PYTHON = "E2E_MINISTACK_PYTHON"
SECONDS = 60


class NotStarted(Exception):
    """There is no MiniStack on this machine, or it has ended."""


def interpreter() -> Path:
    """The interpreter that MiniStack and its Lambda functions run on."""
    return Path(os.environ.get(PYTHON) or ROOT / ".venv-ministack" / "bin" / "python")


@contextmanager
def started() -> Iterator[str]:
    """A MiniStack that enforces IAM; its URL."""
    python = interpreter()
    if not python.exists():
        raise NotStarted(f"{python} does not exist; `make e2e` installs MiniStack")
    port = _free_port()
    inherited = {
        key: value
        for key, value in os.environ.items()
        # Its functions have the environment of MiniStack: no credentials, settings and Docker of the user.
        if not key.startswith(("AWS_", "DOCKER_", "ECS_EXEC_ROLE_", "POWERTOOLS_", "PYTHON", "PYTEST_", "COV_"))
    }
    environment = {
        **inherited,
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        # What the preflight waits for on AWS (new roles become visible) does not happen here.
        "PREFLIGHT_PATIENCE": "1",
    }
    with tempfile.TemporaryDirectory(prefix="ministack-") as folder:
        environment["TMPDIR"] = folder
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [python, PLUGIN], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_for(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            with urlopen(f"{url}/_ministack/health", timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise NotStarted(f"MiniStack did not start:\n{said}") from None
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
