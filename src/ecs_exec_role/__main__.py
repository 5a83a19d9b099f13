"""`python -m ecs_exec_role`: the command line, where the script `ecs-exec-role` is not on the PATH."""

from __future__ import annotations

from ecs_exec_role.cli import main

if __name__ == "__main__":
    main()
