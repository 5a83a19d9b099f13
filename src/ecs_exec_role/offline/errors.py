"""What is wrong with the files and values that a person gives, for every front end alike."""

from __future__ import annotations

from collections.abc import Iterable

from ecs_exec_role.named_tuple import NamedTuple


class LocatedProblem(NamedTuple):
    """Something wrong in a file, and where. `path` is empty where a file cannot be read at all."""

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
    """All that is wrong with one or more files; `str()` of it has one problem a line."""

    def __init__(self, problems: Iterable[LocatedProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class InvalidInput(ValueError):
    """An option, an argument or a setting that cannot be used; the message says what to write."""


class NoAnswer(RuntimeError):
    """What is needed besides the template cannot be reached: AWS, or a package that is an extra."""
