"""What is wrong with a template, in the form in which every part of this project says it.

Only a `TemplateError` is the author's mistake. Any other exception is a bug of this project.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

# What a terminal could obey, or take for the end of a line.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class Problem(NamedTuple):
    """One mistake, or one warning.

    `path` as `Resources/Web/Properties/…`, `what` is wrong, the `fix`: what to write instead, and the `code` by which
    programs know it; docs/codes.md lists the codes.
    """

    path: str
    what: str
    fix: str
    code: str = ""

    def __str__(self) -> str:
        return _CONTROL.sub("\ufffd", " ".join(f"{self.path}: {self.what}; {self.fix}".splitlines()))


class TemplateError(ValueError):
    """All mistakes of one template; `str()` of it has one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """The mistakes that are found while a template is read, so that all of them come in one answer."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def append(self, problem: Problem) -> None:
        """Reports one mistake."""
        self._found.append(problem)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Reports several mistakes."""
        self._found.extend(problems)

    def __iter__(self) -> Iterator[Problem]:
        return iter(tuple(self._found))

    def __len__(self) -> int:
        return len(self._found)

    @contextmanager
    def aside(self) -> Iterator[Problems]:
        """Collects what is reported inside of the block in a collection of its own; the caller decides what to keep."""
        before = self._found
        tried = Problems()
        self._found = tried._found
        try:
            yield tried
        finally:
            self._found = before

    def refuse(self) -> None:
        """Ends the expansion if there is any mistake.

        Raises:
            TemplateError: with all of them.
        """
        if self._found:
            raise TemplateError(self._found)
