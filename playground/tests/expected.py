"""Prints, as JSON, what `ecs-exec-role expand` answers to each file that is named."""

from __future__ import annotations

import json
import sys

from click.testing import CliRunner

from ecs_exec_role.cli.app import cli

answers = {}
for name in sys.argv[1:]:
    done = CliRunner().invoke(cli, ["expand", name])
    answers[name] = {"code": done.exit_code, "bytes": done.stdout, "told": done.stderr}
sys.stdout.write(json.dumps(answers))
