"""What all commands have in common: where the result is written, which messages appear, and the exit code."""

from __future__ import annotations

from typing import IO, Any

import click

from ecs_exec_role.cli import terminal
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate, NoAnswer

FINDINGS = 1
"""The template has mistakes, or what `--fail-on` or a preflight looks for was found."""
USAGE = 2
"""A wrong option or argument, or a file that does not exist; this is click's own code."""
NO_ANSWER = 3
"""AWS, or a package that is an extra, is not available."""
BUG = 70
"""A bug of this program; sysexits.h calls it EX_SOFTWARE."""


class _Mistakes(click.ClickException):
    """What is wrong with templates, one problem on each line of standard error."""

    exit_code = FINDINGS

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class _NoAnswer(click.ClickException):
    """Something that the command needs besides the template is not available."""

    exit_code = NO_ANSWER


class Command(click.Command):
    """A command with the options that all commands have. Its exit code shows what went wrong."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params += [
            click.Option(
                ["--output", "-o"], metavar="FILE", help="Write the result to a file.  [default: standard output]"
            ),
            click.Option(["--quiet", "-q"], is_flag=True, help="Print errors only, without warnings and notes."),
            click.Option(["--verbose", "-v"], is_flag=True, help="Print which files are read, and the settings."),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        output, quiet, verbose = (ctx.params.pop(name) for name in ("output", "quiet", "verbose"))
        if quiet and verbose:
            raise click.UsageError("--quiet and --verbose cannot be used together", ctx)
        with terminal.telling(output, quiet=quiet, verbose=verbose):
            return self._run(ctx)

    def _run(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InvalidInput as error:
            raise click.UsageError(str(error), ctx) from None
        except InvalidTemplate as error:
            raise _Mistakes(str(error)) from None
        except NoAnswer as error:
            raise _NoAnswer(str(error)) from None
