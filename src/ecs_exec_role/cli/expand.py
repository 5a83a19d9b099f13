"""`ecs-exec-role expand`: the template as CloudFormation will see it, or the role of a task definition in JSON."""

from __future__ import annotations

import json

import click

from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.base import Command
from ecs_exec_role.cli.options import given_parameters, read_all, stack_options, templates, templates_argument
from ecs_exec_role.errors import Problem
from ecs_exec_role.offline import inference, role_json, task_definition, yaml_writer
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate
from ecs_exec_role.offline.macro_call import StackValues, expanded
from ecs_exec_role.offline.role_json import Place
from ecs_exec_role.offline.task_definition import TaskDefinition
from ecs_exec_role.template.event import mapping, partition_of
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
For a task definition in JSON:
  ecs-exec-role expand --from taskdef.json --account 123456789012 --region eu-central-1
  ecs-exec-role expand --from taskdef.json --as template > role.yaml
  aws ecs describe-task-definition --task-definition web | ecs-exec-role expand --from -

\b
Exit codes: 0 expanded; 1 the macro would refuse the template; 2 wrong usage.""",
)
@templates_argument
@stack_options
@click.option(
    "--format", "form", type=click.Choice(["yaml", "json"]), help="How to write it.  [default: yaml; a role: json]"
)
@click.option(
    "--symbolic",
    is_flag=True,
    help="Keep parameters without a given value in the roles, so that the result deploys with any value.",
)
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="A task definition in JSON, instead of a template: the input of register-task-definition, or the output "
    "of describe-task-definition; - for standard input.",
)
@click.option(
    "--as",
    "result",
    type=click.Choice(["role", "template"]),
    help="With --from: the role in JSON as IAM takes it, or a CloudFormation template that makes it.  [default: role]",
)
@click.option("--spec", metavar="FILE", help="With --from: an ExecutionRoleSpec, YAML or JSON.  [default: Auto]")
def command(
    arguments: tuple[str, ...],
    stack: StackValues,
    form: str | None,
    symbolic: bool,
    source: str | None,
    result: str | None,
    spec: str | None,
) -> None:
    """Write the template as CloudFormation will see it, with every execution role in it.

    TEMPLATE is a file in YAML or JSON, a pattern in quotes, or - for standard input. The roles are made by the code
    that runs in the macro. Other transforms (AWS::Serverless, AWS::LanguageExtensions) stay in the template. Several
    templates come as several YAML documents, or as one JSON object by file name.

    With --from, write the execution role of one task definition that is not in a template.
    """
    if source is None:
        if result is not None or spec is not None:
            raise click.UsageError("--as and --spec need --from FILE")
        arguments = templates(arguments, "; or give a task definition in JSON with --from FILE")
        _templates(arguments, stack._replace(symbolic=symbolic), form or "yaml")
        return
    if arguments or symbolic or given_parameters():
        raise click.UsageError("--from takes no template, no parameters and no --symbolic")
    if result != "template" and form == "yaml":
        raise click.UsageError("IAM takes JSON; leave --format out, or add --as template")
    found = task_definition.read(source, spec)
    given = click.get_current_context().params["region"]
    stack = stack._replace(region=given or found.region or stack.region, account=stack.account or found.account)
    if result == "template":
        terminal.out(written(_role_template(found, _resources(found, stack)), form or "yaml"))
        return
    place = _place(found, stack)
    role = role_json.role(_resources(found, stack), _ROLE, place)
    terminal.out(json.dumps(role, indent=2, ensure_ascii=False))


def _templates(arguments: tuple[str, ...], stack: StackValues, form: str) -> None:
    found = read_all(arguments, stack, as_written=True)
    together: dict[str, Json] = {}
    for number, template in enumerate(found):
        answer = expanded(template, stack)
        for warning in answer.warnings:
            terminal.warn(template, warning)
        defaults = () if stack.symbolic or not answer.roles else inference.defaults(template, stack)
        if defaults:
            names = ", ".join(defaults)
            what = f"the roles are made with the default of the parameter{'' if len(defaults) == 1 else 's'} {names}"
            fix = f"give its value, as in `--parameter {defaults[0]}=…`, or keep it in the roles with --symbolic"
            terminal.warn(template, Problem(f"Parameters/{defaults[0]}", what, fix, "parameter-default"))
        if form == "json" and len(found) > 1:
            together[template.name] = answer.data
            continue
        if number:
            terminal.out("---")
        terminal.out(written(answer.data, form))
    if together:
        terminal.out(written(together, form))


_ROLE = f"{task_definition.LOGICAL_ID}ExecutionRole"
_IAM = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")


def _resources(found: TaskDefinition, stack: StackValues) -> dict[str, Json]:
    """The role that the macro makes for a task definition, and its policies."""
    for told in found.warnings:
        terminal.tell(str(told))
    try:
        answer = expanded(found.template, stack)
    except InvalidTemplate as error:
        raise InvalidTemplate(map(found.located, error.problems)) from None
    for warning in answer.warnings:
        place = found.located(found.template.mistake(warning))
        terminal.tell(str(place._replace(what=f"warning: {place.what}")))
    resources = mapping(answer.data["Resources"])
    return {name: node for name, node in resources.items() if mapping(node).get("Type") in _IAM}


def _place(found: TaskDefinition, stack: StackValues) -> Place:
    """Where the role will be, from the options, else from the definition's ARNs."""
    missing = [f"--{name}" for name, value in (("account", stack.account), ("region", stack.region)) if not value]
    if missing:
        what = "the role names the account and the region of its tasks, and the task definition does not have both"
        raise InvalidInput(f"{what}; give {' and '.join(missing)}, or --as template, which needs neither")
    if found.account and found.account != stack.account:
        what = f"the role is made for the account {stack.account}, but the task definition is of {found.account}"
        terminal.tell(f"{found.template.name}: warning: {what}; give the account in which the tasks run")
    return Place(partition_of(stack.region)[0], stack.region, stack.account)


def _role_template(found: TaskDefinition, resources: dict[str, Json]) -> dict[str, Json]:
    """A template that makes the role. The paths in its metadata are those of the task definition."""
    role = dict(mapping(resources[_ROLE]))
    metadata = dict(mapping(role.get("Metadata")))
    said = mapping(metadata.get("EcsExecRole"))
    if said:
        metadata["EcsExecRole"] = {sid: [found.path(str(path)) for path in paths] for sid, paths in said.items()}
        role["Metadata"] = metadata
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Execution role of the ECS task definition {found.family}".strip(),
        "Resources": {**resources, _ROLE: role},
        "Outputs": {"ExecutionRoleArn": {"Value": {"Fn::GetAtt": [_ROLE, "Arn"]}}},
    }


def written(data: Json, form: str) -> str:
    """A template in YAML or JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False) if form == "json" else yaml_writer.write(data)
