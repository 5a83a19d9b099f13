"""Shows what the macro does with one example: the task definition as its author wrote it, and the role.

The second half is the output of the command, which is what CloudFormation gets from the macro.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

TEMPLATE = "examples/web-service.yaml"
ROOT = Path(__file__).parents[1]


def resource(template: str, logical_id: str) -> str:
    """The lines of one resource of a YAML template, unchanged."""
    block = re.search(rf"^  {logical_id}:\n(?:    .*\n|\n)+", template, re.MULTILINE)
    if block is None:
        raise SystemExit(f"{TEMPLATE} has no resource {logical_id}")
    return block.group().rstrip() + "\n"


def main() -> None:
    """Expand the example with the command line and print both ends."""
    command = [str(Path(sys.executable).with_name("ecs-exec-role")), "expand", TEMPLATE]
    expanded = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if expanded.returncode:
        raise SystemExit(expanded.returncode)
    definition = resource((ROOT / TEMPLATE).read_text(encoding="utf-8"), "TaskDefinition")
    role = resource(expanded.stdout, "TaskDefinitionExecutionRole")
    console = Console(soft_wrap=True)
    yaml = Syntax("", "yaml", background_color="default")
    console.print(f"\n[bold]{TEMPLATE}[/] has one line about permissions, [bold]ExecutionRoleSpec: Auto[/]:\n")
    console.print(yaml.highlight(definition))
    console.print("[bold]ecs-exec-role expand[/] writes the role for it, as the macro does in CloudFormation:\n")
    console.print(yaml.highlight(role))
    console.print(
        f"{len(role.splitlines())} lines for that one. The whole template: .venv/bin/ecs-exec-role expand {TEMPLATE}"
    )


if __name__ == "__main__":
    main()
