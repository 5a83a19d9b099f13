"""What goes to standard error: warnings, and a sign of life while something takes its time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ecs_exec_role.errors import Problem
from ecs_exec_role.offline.template_file import TemplateFile

if TYPE_CHECKING:
    from rich.console import Console


_NO_WIDTH = 100_000


def warn(template: TemplateFile, problem: Problem) -> None:
    """Tells a warning on standard error, with its place."""
    place = template.mistake(problem)
    click.echo(str(place._replace(what=f"warning: {place.what}")), err=True)


def tell(text: str) -> None:
    """Tells something that is not the result."""
    click.echo(text, err=True)


def out(text: str) -> None:
    """Writes a result; standard output holds nothing else."""
    click.echo(text, nl=not text.endswith("\n"))


def console() -> Console:
    """Standard output with colours; without them where it is not a terminal or `NO_COLOR` is set."""
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

    # A file or a pipe has no width: nothing in it is cut or wrapped.
    width = None if sys.stdout.isatty() else _NO_WIDTH
    return Console(width=width, highlight=False, emoji=False, markup=False, legacy_windows=False)


@contextmanager
def spinner(text: str) -> Iterator[None]:
    """Shows that something is under way, if a person is looking."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - see above

    with Console(stderr=True).status(text):
        yield
