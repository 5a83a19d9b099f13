"""Pins what the hook for pre-commit installs: writes the versions of requirements/lint.txt into .pre-commit-hooks.yaml.

pre-commit runs `pip install . DEPENDENCIES`, and pip cannot check hashes in a call that also installs a folder. So the
hook has exact versions of everything that is installed, and no hashes. `scripts/lock` runs this after it has locked.

See https://pre-commit.com/#new-hooks
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "lint.txt"
HOOKS = ROOT / ".pre-commit-hooks.yaml"


def pins(lock: str) -> list[str]:
    """The requirements of a lock file, without their hashes."""
    return [line.removesuffix("\\").strip() for line in lock.splitlines() if re.match(r"[A-Za-z0-9]", line)]


def pinned(hooks: str, lock: str) -> str:
    """The text of .pre-commit-hooks.yaml with the versions of a lock file."""
    listed = "".join(f"    - {json.dumps(pin)}\n" for pin in pins(lock))
    old = re.compile(r"^  additional_dependencies:.*\n(?:    .*\n)*", re.MULTILINE)
    return old.sub(f"  additional_dependencies:\n{listed}", hooks)


if __name__ == "__main__":
    HOOKS.write_text(pinned(HOOKS.read_text(encoding="utf-8"), LOCK.read_text(encoding="utf-8")), encoding="utf-8")
