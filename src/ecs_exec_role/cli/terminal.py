"""The output for a person: results at the width of the terminal, warnings, and a progress message."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from ecs_exec_role.errors import Problem
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline.template_file import TemplateFile

if TYPE_CHECKING:
    from rich.console import Console


_WORDS = late_pattern(r" |(?=\n)|(?<=\n)")
_NO_WIDTH = 100_000
_NARROW = 60
"""The number of columns below which a hanging indent would leave too little space."""

Line: TypeAlias = Sequence[tuple[str, str]]
"""Pieces of text, each with the rich style."""


class Branch(NamedTuple):
    """A line with lines below it; `to_copy` is a text in several lines, without guides before it."""

    line: Line
    below: tuple[Branch, ...] = ()
    to_copy: bool = False


class _Telling:
    """Where the result of this run is written, and which messages appear."""

    def __init__(self) -> None:
        self.buffer: io.StringIO | None = None
        self.quiet = False
        self.verbose = False


_telling = _Telling()


@contextmanager
def telling(output: str | None, *, quiet: bool, verbose: bool) -> Iterator[None]:
    """Applies the options that all commands have. A file is written when the command has its complete result.

    Raises:
        UsageError: the file cannot be written.
    """
    _telling.quiet, _telling.verbose = quiet, verbose
    _telling.buffer = io.StringIO() if output is not None else None
    try:
        try:
            yield
        except click.exceptions.Exit:
            _save(output)
            raise
        _save(output)
    finally:
        _telling.__init__()  # type: ignore[misc]  # back to what it was


def _save(output: str | None) -> None:
    if output is None or _telling.buffer is None:
        return
    try:
        Path(output).write_text(_telling.buffer.getvalue(), encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"--output {output}: the file cannot be written: {error.strerror}") from None


def warn(template: TemplateFile, problem: Problem) -> None:
    """Writes a warning to standard error, with its place."""
    place = template.mistake(problem)
    tell(str(place._replace(what=f"warning: {place.what}")))


def tell(text: str) -> None:
    """Writes something that is not the result, unless --quiet is given."""
    if not _telling.quiet:
        click.echo(text, err=True)


def error(text: str) -> None:
    """Writes a mistake, which --quiet does not hide."""
    click.echo(text, err=True)


def detail(text: str) -> None:
    """Writes something only for --verbose."""
    if _telling.verbose:
        click.echo(f"ecs-exec-role: {text}", err=True)


def out(text: str) -> None:
    """Writes a result; standard output contains nothing else."""
    write(text if text.endswith("\n") else f"{text}\n")


def write(text: str) -> None:
    """Writes a part of a result unchanged."""
    click.echo(text, nl=False, file=_telling.buffer)


def console() -> Console:
    """Standard output with colours; without them where it is not a terminal or `NO_COLOR` is set."""
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

    # A file or a pipe has no width: nothing is cut or wrapped.
    file = _telling.buffer
    width = None if file is None and sys.stdout.isatty() else _NO_WIDTH
    return Console(file=file, width=width, highlight=False, emoji=False, markup=False, legacy_windows=False)


def paragraph(console: Console, line: Line, first: Line = (), rest: str = "") -> None:
    """Prints styled text, on a terminal in lines that fit.

    Lines end between words only. A word that is longer than a line, such as an ARN or a URL, is written whole: the
    terminal shows it over several lines, and it can still be copied.

    Args:
        console: where to.
        line: the text.
        first: what comes before the first line.
        rest: what comes before the further lines.
    """
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    if console.width < _NARROW and len(rest) > _NARROW // 8 and not rest.strip():
        rest = rest[: _NARROW // 8]
    text = Text.assemble(*first)
    column = text.cell_len
    # A new line has no more space if the first line starts in the same column.
    empty = column <= Text(rest).cell_len
    for piece, style in line:
        for number, word in enumerate(_WORDS.split(piece)):
            space = "" if number == 0 else " "
            length = Text(word).cell_len
            breakable = not empty and (number > 0 or text.plain.endswith(" "))
            if word == "\n" or (breakable and column + len(space) + length > console.width):
                text.rstrip()
                console.print(text, soft_wrap=True)
                text, space = Text(rest), ""
                column, empty = text.cell_len, True
            if word != "\n":
                text.append(space + word, style)
                column += len(space) + length
                empty = empty and not word
    console.print(text, soft_wrap=True)


def verbatim(console: Console, line: Line) -> None:
    """Prints styled text to copy, such as a command, without line breaks between its words."""
    from rich.text import Text  # noqa: PLC0415 - see above

    console.print(Text.assemble(*line), soft_wrap=True)


def tree(console: Console, branch: Branch, first: str = "", rest: str = "") -> None:
    """Prints a line and what is below it, with guides; see `paragraph`."""
    paragraph(console, branch.line, [(first, "dim")], f"{rest}{'│   ' if branch.below else ''}")
    for number, inner in enumerate(branch.below, 1):
        if inner.to_copy:
            indent = " " * (len(rest) + 4)
            verbatim(
                console, [(text.replace("\n", f"\n{indent}"), style) for text, style in ((indent, ""), *inner.line)]
            )
            continue
        last = number == len(branch.below)
        tree(console, inner, f"{rest}{'└── ' if last else '├── '}", f"{rest}{'    ' if last else '│   '}")


@contextmanager
def spinner(text: str) -> Iterator[None]:
    """Shows a progress message on a terminal."""
    if _telling.quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - see above

    with Console(stderr=True).status(text):
        yield
