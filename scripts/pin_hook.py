"""Pins what the hooks for pre-commit install: writes the versions of the lock files into .pre-commit-hooks.yaml.

pre-commit runs `pip install . DEPENDENCIES`, and pip cannot check hashes in a call that also installs a folder. So the
hook has exact versions of everything that is installed, and no hashes. `scripts/lock` runs this after it has locked.

See https://pre-commit.com/#new-hooks
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    "ecs-exec-role-lint": ROOT / "requirements" / "lint.txt",
    "ecs-exec-role-audit": ROOT / "requirements" / "cli.txt",
}
"""For each hook, the lock file with what it installs."""

HOOKS = ROOT / ".pre-commit-hooks.yaml"

# The packages for building and for the site: no hook needs them.
_LEFT_OUT = ("setuptools", "jinja2", "markupsafe")


def pins(lock: str) -> list[str]:
    """The requirements of a lock file, without their hashes."""
    found = [line.removesuffix("\\").strip() for line in lock.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    return [pin for pin in found if pin.partition("==")[0] not in _LEFT_OUT]


def pinned(hooks: str, locks: Mapping[str, str]) -> str:
    """The text of .pre-commit-hooks.yaml with the versions of the lock files, given by hook."""
    parts = re.split(r"^(?=- id: )", hooks, flags=re.MULTILINE)
    return "".join(_pinned(part, locks) for part in parts)


def _pinned(part: str, locks: Mapping[str, str]) -> str:
    named = re.match(r"- id: (\S+)", part)
    if named is None:
        return part
    listed = "".join(f"    - {json.dumps(pin)}\n" for pin in pins(locks[named[1]]))
    old = re.compile(r"^  additional_dependencies:.*\n(?:    .*\n)*", re.MULTILINE)
    return old.sub(f"  additional_dependencies:\n{listed}", part)


def locks() -> dict[str, str]:
    """The text of each hook's lock file."""
    return {name: path.read_text(encoding="utf-8") for name, path in LOCKS.items()}


if __name__ == "__main__":
    HOOKS.write_text(pinned(HOOKS.read_text(encoding="utf-8"), locks()), encoding="utf-8")
