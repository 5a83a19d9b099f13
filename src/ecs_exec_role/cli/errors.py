"""How the command line says that something is wrong, and the exit codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any, NamedTuple

import click

FINDINGS = 1
"""The template has mistakes, or what was asked for (`--fail-on`, a preflight) was found."""
USAGE = 2
"""A wrong option or argument, or a file that is not there; this is click's own code."""
NO_ANSWER = 3
"""AWS, or a package that is an extra, could not be asked."""
BUG = 70
"""A mistake of this program; sysexits.h calls it EX_SOFTWARE."""


class Mistake(NamedTuple):
    """Something wrong in a template, and where. `path` is empty where a file cannot be read at all."""

    file: str
    line: int
    column: int
    path: str
    what: str
    fix: str
    code: str = ""

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {path}{self.what}; {self.fix}"


class Mistakes(click.ClickException):
    """What is wrong with templates: shown on standard error one a line, and the exit code is 1."""

    exit_code = FINDINGS

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class NoAnswer(click.ClickException):
    """What the command needs besides the template is out of reach."""

    exit_code = NO_ANSWER
