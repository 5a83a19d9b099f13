"""`ecs-exec-role expand`: the template as CloudFormation will see it."""

from __future__ import annotations

import json

import click

from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.errors import Command
from ecs_exec_role.cli.options import read_all, stack_options, templates_argument
from ecs_exec_role.errors import Problem
from ecs_exec_role.offline import inference, yaml_writer
from ecs_exec_role.offline.macro_call import StackValues, expanded
from ecs_exec_role.template.symbols import Json


@click.command(
    "expand",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role expand template.yaml
  ecs-exec-role expand template.yaml --parameter Environment=prod --region eu-central-1
  ecs-exec-role expand template.yaml --symbolic
  ecs-exec-role expand template.yaml --parameters prod.json --format json | jq .Resources
  sam build --print-template | ecs-exec-role expand -
  ecs-exec-role expand 'stacks/**/*.yaml' > /dev/null && echo every template expands

\b
Exit codes: 0 expanded; 1 the macro would refuse the template; 2 wrong usage.""",
)
@templates_argument
@stack_options
@click.option(
    "--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True, help="How to write it."
)
@click.option(
    "--symbolic",
    is_flag=True,
    help="Keep parameters without a given value in the roles, so that the result deploys with any value.",
)
def command(arguments: tuple[str, ...], stack: StackValues, form: str, symbolic: bool) -> None:
    """Write the template as CloudFormation will see it, with every execution role in it.

    TEMPLATE is a file in YAML or JSON, a pattern in quotes, or - for standard input. The roles are made by the code
    that runs in the macro. Other transforms (AWS::Serverless, AWS::LanguageExtensions) stay in the template. Several
    templates come as several YAML documents.
    """
    stack = stack._replace(symbolic=symbolic)
    found = read_all(arguments, stack, as_written=True)
    for number, template in enumerate(found):
        answer = expanded(template, stack)
        for warning in answer.warnings:
            terminal.warn(template, warning)
        defaults = () if symbolic or not answer.roles else inference.defaults(template, stack)
        if defaults:
            names = ", ".join(defaults)
            what = f"the roles are made with the default of the parameter {names}"
            fix = f"give its value, as in `--parameter {defaults[0]}=…`, or keep it in the roles with --symbolic"
            terminal.warn(template, Problem(f"Parameters/{defaults[0]}", what, fix, "parameter-default"))
        if number and form == "yaml":
            terminal.out("---")
        terminal.out(written(answer.data, form))


def written(data: Json, form: str) -> str:
    """A template in YAML or JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False) if form == "json" else yaml_writer.write(data)
