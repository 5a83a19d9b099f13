"""`ecs-exec-role schema`: the JSON Schema of `ExecutionRoleSpec`."""

from __future__ import annotations

import json

import click

from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.base import Command
from ecs_exec_role.offline import project
from ecs_exec_role.spec import schema


@click.command(
    "schema",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role schema > ecs-exec-role.schema.json
  ecs-exec-role schema --of role | jq '.definitions | keys'

\b
In VS Code with the YAML extension, settings.json:
  "yaml.schemas": {"./ecs-exec-role.schema.json": "*template*.yaml"}""",
)
@click.option(
    "--of",
    "part",
    type=click.Choice(["template", *schema.PLACES, "project"]),
    default="template",
    show_default=True,
    help="A whole template, for editors; or the value of ExecutionRoleSpec: on a definition of tasks, on an "
    "AWS::IAM::Role, or in the Parameters of a snippet; or the project file.",
)
def command(part: str) -> None:
    """Print the JSON Schema of ExecutionRoleSpec, for completion and checks in editors.

    It is made from the definition that the macro uses to check specs, and accepts the same.
    """
    place = next((place for place in schema.PLACES if place == part), None)
    if part == "project":
        terminal.out(json.dumps(project.schema(), indent=2, ensure_ascii=False))
        return
    made = schema.schema() if place is None else schema.spec_schema(place)
    terminal.out(json.dumps(made, indent=2, ensure_ascii=False))
