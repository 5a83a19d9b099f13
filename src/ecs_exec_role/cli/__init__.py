"""The command line, `ecs-exec-role`. It does not run in Lambda."""

from __future__ import annotations


def main() -> None:
    """The entry point that `pyproject.toml` names."""
    from ecs_exec_role.cli.app import run  # noqa: PLC0415 - click is not needed to import the package

    run()
