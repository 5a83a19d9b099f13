"""The command line, `ecs-exec-role`. It does not run in Lambda."""

from __future__ import annotations

import gc


def main() -> None:
    """The entry point that `pyproject.toml` names."""
    # What a command loads stays until it ends, which is soon: without this, the garbage collector takes a tenth of the
    # time of a short command.
    gc.set_threshold(100_000)
    from ecs_exec_role.cli.app import run  # noqa: PLC0415 - click is not needed to import the package

    try:
        run()
    finally:
        gc.freeze()  # As above: the interpreter would look for garbage once more before it ends.
