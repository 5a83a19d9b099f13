"""How the plug-in puts a function of its own in the place of one of MiniStack's."""

from __future__ import annotations

from typing import Any

OK = 200


def replace(module: Any, name: str, new: Any) -> None:
    """Refuses to add what MiniStack does not have: another version may call something else."""
    if not hasattr(module, name):
        raise SystemExit(
            f"{module.__name__} has no {name}: this plug-in is for the MiniStack of requirements/ministack.txt"
        )
    setattr(module, name, new)
