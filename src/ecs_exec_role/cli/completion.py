"""`ecs-exec-role completion`: the script that completes commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.base import Command


@click.command(
    "completion",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role completion bash > ~/.local/share/bash-completion/completions/ecs-exec-role
  ecs-exec-role completion zsh > "${fpath[1]}/_ecs-exec-role"
  ecs-exec-role completion fish > ~/.config/fish/completions/ecs-exec-role.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes commands and options in your shell."""
    from ecs_exec_role.cli.app import cli  # noqa: PLC0415 - the group imports this module

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"there is no completion for {shell}")
    terminal.out(completion(cli, {}, "ecs-exec-role", "_ECS_EXEC_ROLE_COMPLETE").source())
