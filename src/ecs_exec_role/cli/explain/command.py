"""The command `explain`."""

from __future__ import annotations

import json

import click

from ecs_exec_role.cli import credentials, preflight, terminal
from ecs_exec_role.cli.base import FINDINGS, Command
from ecs_exec_role.cli.options import format_option, read_all, stack_options, templates_argument
from ecs_exec_role.explain import report
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.template_file import TemplateFile

FORMATS = ("terminal", "json", "markdown", "mermaid", "html")


@click.command(
    "explain",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role explain template.yaml
  ecs-exec-role explain template.yaml --parameter Environment=prod
  ecs-exec-role explain template.yaml --format html > roles.html
  ecs-exec-role explain template.yaml --format markdown >> "$GITHUB_STEP_SUMMARY"
  ecs-exec-role explain template.yaml --format json | jq '.[].roles[].statements[].sid'

\b
Exit codes: 0 explained; 1 the macro would refuse the template; 2 wrong usage; 3 the stack cannot be read.""",
)
@templates_argument
@stack_options
@click.option(
    "--stack", "deployed", metavar="NAME", help="A deployed stack: warn if its update narrows a role that runs."
)
@click.option("--profile", metavar="NAME", help="The profile of your AWS credentials, for --stack.")
@format_option(*FORMATS)
def command(
    arguments: tuple[str, ...], stack: StackValues, deployed: str | None, profile: str | None, form: str
) -> None:
    """Say why an execution role has each permission, and what was left out.

    For each role of TEMPLATE: each statement with its actions and resources, the container and property that need it,
    and AWS's page about it. Without an ExecutionRoleSpec in the template, the result of `Auto` is explained. The HTML
    is one page that needs no network. With --stack, a warning names what an update of that stack would remove from a
    role while tasks of the deployed revision still need it.
    """
    templates = read_all(arguments, stack)
    if deployed and len(templates) != 1:
        raise click.UsageError("--stack takes one template")
    with terminal.spinner("Reading"):
        found = [report.of(template, stack) for template in templates]
    if form == "json":
        terminal.out(json.dumps([item.data() for item in found], indent=2, ensure_ascii=False))
    elif form == "markdown":
        from ecs_exec_role.cli.explain import markdown  # noqa: PLC0415 - one run writes one format

        terminal.out("\n".join(map(markdown.write, found)))
    elif form == "mermaid":
        from ecs_exec_role.cli.explain import mermaid  # noqa: PLC0415

        terminal.out("\n".join(map(mermaid.write, found)))
    elif form == "html":
        from ecs_exec_role.cli.explain import page  # noqa: PLC0415

        terminal.out(page.write(found))
    else:
        from ecs_exec_role.cli.explain import text  # noqa: PLC0415

        console = terminal.console()
        for item in found:
            text.show(console, item)
    if deployed and not any(item.problems for item in found):
        _compare(templates[0], stack, deployed, profile)
    for problem in (problem for item in found for problem in item.problems):
        terminal.error(str(problem))
    if any(item.problems for item in found):
        raise click.exceptions.Exit(FINDINGS)


def _compare(template: TemplateFile, stack: StackValues, name: str, profile: str | None) -> None:
    """Warns about what an update of a stack would remove from its roles."""
    from ecs_exec_role.deployed import narrowing  # noqa: PLC0415 - it needs boto3
    from ecs_exec_role.deployed import stack as stacks  # noqa: PLC0415

    session = credentials.session("explain --stack", profile, stack.region)
    region = stack.region or session.region_name or ""
    if not region:
        raise click.UsageError("the region is not known; give --region")
    with terminal.spinner("Asking AWS"):
        deployed = stacks.read(session, name)
        values = {**deployed.values, **stack.values}
        stack = stack._replace(region=region, account=stack.account or deployed.account, values=values)
        found = narrowing.of(session, template, stack, deployed)
    preflight.warn_of_narrowing(found, name)
