"""The group of commands. Each command is imported only when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from ecs_exec_role import __version__
from ecs_exec_role.cli.base import BUG
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.similar_names import likely


class CommandEntry(NamedTuple):
    """One command: the module where it is the attribute `command`, and its line in the group's help."""

    module: str
    help: str


COMMANDS = {
    "expand": CommandEntry("ecs_exec_role.cli.expand", "Write the template as CloudFormation will see it."),
    "explain": CommandEntry("ecs_exec_role.cli.explain.command", "Say why a role has each permission."),
    "audit": CommandEntry("ecs_exec_role.cli.audit.command", "Compare existing execution roles with what tasks need."),
    "migrate": CommandEntry("ecs_exec_role.cli.migrate", "Rewrite a template to use the macro."),
    "diff": CommandEntry("ecs_exec_role.cli.diff.command", "Say what a change of a template changes in its roles."),
    "preflight": CommandEntry("ecs_exec_role.cli.preflight", "Ask AWS whether a role may do what tasks need."),
    "diagnose": CommandEntry("ecs_exec_role.cli.diagnose.command", "Say why an ECS task did not start."),
    "schema": CommandEntry("ecs_exec_role.cli.schema", "Print the JSON Schema of ExecutionRoleSpec, for editors."),
    "lint-config": CommandEntry(
        "ecs_exec_role.cli.lint_config", "Prepare a project so that cfn-lint knows ExecutionRoleSpec."
    ),
    "completion": CommandEntry(
        "ecs_exec_role.cli.completion", "Print the script that completes commands in your shell."
    ),
}


class _Group(click.Group):
    """A group that knows its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = import_module(entry.module).command
        if not isinstance(command, click.Command):
            raise TypeError(entry.module)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            guess = likely(args[0], COMMANDS)
            hint = f"Did you mean {guess}?" if guess else f"Write one of {', '.join(COMMANDS)}."
            raise click.UsageError(f"There is no command {args[0]}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


_HELP = """Least-privilege ECS task execution roles, read from CloudFormation templates.

\b
ecs-exec-role expand template.yaml            what the macro makes of it
ecs-exec-role explain template.yaml           why every permission is there
ecs-exec-role audit template.yaml             what a hand-written role lacks
ecs-exec-role migrate template.yaml --diff    use the macro instead of that role
ecs-exec-role diagnose reason.txt             why a task did not start
"""


@click.command(
    cls=_Group,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine; 1 mistakes in a template, or findings; 2 wrong usage; 3 AWS gave no answer; 70 a bug.",
)
@click.version_option(__version__, "--version", "-V", prog_name="ecs-exec-role")
def cli() -> None:
    """The group itself only contains the commands."""


def run() -> None:
    """Runs the command line. A bug is reported in one sentence, unless ECS_EXEC_ROLE_DEBUG requests the traceback."""
    try:
        cli(prog_name="ecs-exec-role")
    except Exception as error:
        if os.environ.get("ECS_EXEC_ROLE_DEBUG"):
            raise
        click.echo(
            f"ecs-exec-role: this is a bug, not your mistake ({type(error).__name__}: {error}); please report it, with "
            "the output that the same command has with ECS_EXEC_ROLE_DEBUG=1 in the environment",
            err=True,
        )
        sys.exit(BUG)
