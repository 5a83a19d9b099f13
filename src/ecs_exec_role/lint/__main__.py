"""cfn-lint with the rules of EcsExecRole: `python -m ecs_exec_role.lint`, with the arguments of cfn-lint.

cfn-lint ignores the `append_rules` of a configuration file when the command line has `--append-rules`. A project's own
rules would be switched off silently, so this module names them again on the command line.

See https://github.com/aws-cloudformation/cfn-lint#parameters
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import PurePath

from cfnlint.config import ConfigMixIn
from cfnlint.exceptions import ConfigFileError
from cfnlint.runner import main

from ecs_exec_role.lint.config import RULES

MODULE = "ecs_exec_role.lint.rules"


def arguments(given: Sequence[str]) -> list[str]:
    """The arguments of cfn-lint, with the rules of the project's configuration file and those of EcsExecRole.

    Args:
        given: the arguments that cfn-lint would be started with, in the folder whose configuration file it reads.
    """
    try:
        config = ConfigMixIn(list(given))
    except ConfigFileError:
        return list(given)  # cfn-lint reports the same error, in the format that the arguments ask for.
    on_command_line: list[str] = config.cli_args.append_rules
    from_file: list[str] = [] if on_command_line else config.file_args.get("append_rules", [])
    added = [*from_file]
    # A folder that `ecs-exec-role lint-config` has written has the same rules, and cfn-lint refuses a rule that it has.
    if not any(PurePath(name) == PurePath(RULES) or name == MODULE for name in (*on_command_line, *from_file)):
        added.append(MODULE)
    # With `=`, since the option would read a template after it as another folder of rules.
    return [*(f"--append-rules={name}" for name in added), *given]


if __name__ == "__main__":
    sys.argv[1:] = arguments(sys.argv[1:])
    main()
