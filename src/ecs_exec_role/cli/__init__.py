"""The command line, `ecs-exec-role`. Nothing of it runs in Lambda."""

from __future__ import annotations


def main() -> None:
    """The entry point that `pyproject.toml` names."""
    from ecs_exec_role.cli.app import run  # noqa: PLC0415 - whoever imports the package need not have click

    run()
