"""What is wrong with the files and values that a person gives, for all front ends."""

from __future__ import annotations

from collections.abc import Iterable

from ecs_exec_role.named_tuple import NamedTuple


class LocatedProblem(NamedTuple):
    """A problem in a file, and where. `path` is empty if the file cannot be read at all."""

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


class InvalidTemplate(ValueError):
    """All problems of one or more files; `str()` of it has one problem on each line."""

    def __init__(self, problems: Iterable[LocatedProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class InvalidInput(ValueError):
    """An option, an argument or a setting that cannot be used; the message says what to write."""


class NoAnswer(RuntimeError):
    """Something besides the template is not available: AWS, or a package that is an extra."""
