"""How the command line ends: its exit codes, and errors of the libraries as errors of the terminal."""

from __future__ import annotations

from typing import IO, Any

import click

from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate, NoAnswer

FINDINGS = 1
"""The template has mistakes, or what was asked for (`--fail-on`, a preflight) was found."""
USAGE = 2
"""A wrong option or argument, or a file that is not there; this is click's own code."""
NO_ANSWER = 3
"""AWS, or a package that is an extra, could not be asked."""
BUG = 70
"""A mistake of this program; sysexits.h calls it EX_SOFTWARE."""


class _Mistakes(click.ClickException):
    """What is wrong with templates: shown on standard error one a line."""

    exit_code = FINDINGS

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class _NoAnswer(click.ClickException):
    """What the command needs besides the template is out of reach."""

    exit_code = NO_ANSWER


class Command(click.Command):
    """A command that ends with the exit code which belongs to what went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InvalidInput as error:
            raise click.UsageError(str(error), ctx) from None
        except InvalidTemplate as error:
            raise _Mistakes(str(error)) from None
        except NoAnswer as error:
            raise _NoAnswer(str(error)) from None
