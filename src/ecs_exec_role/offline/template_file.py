"""The templates of a command: files, patterns of file names, or standard input."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ecs_exec_role.errors import Problem
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import json_reader, yaml_reader
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate, LocatedProblem
from ecs_exec_role.offline.source_map import SourcePosition, locate
from ecs_exec_role.template.symbols import Json

STDIN = "-"


class TemplateFile(NamedTuple):
    """One template: its text, its value in CloudFormation's long form, and the position of everything in it."""

    name: str
    text: str
    form: Literal["yaml", "json"]
    data: dict[str, Json]
    place: SourcePosition

    def line(self, path: str) -> int:
        """The line of `path`; if there is nothing at `path`, the line of the nearest value above it."""
        return locate(self.place, path)[0].line

    def mistake(self, problem: Problem) -> LocatedProblem:
        """`problem` with its position."""
        place, _ = locate(self.place, problem.path)
        return LocatedProblem(
            self.name, place.line, place.column, problem.path, problem.what, problem.fix, problem.code
        )


def names(arguments: Iterable[str]) -> list[str]:
    """The files that the arguments name, each once, with patterns (`*`, `**`, `?`) expanded.

    Raises:
        InvalidInput: a file does not exist or is a directory, or a pattern matches no file.
    """
    found: dict[str, None] = {}
    for argument in arguments:
        if argument == STDIN:
            found["-"] = None
            continue
        path = Path(argument)
        if path.is_dir():
            raise InvalidInput(
                f"{argument} is a directory; name templates, or a pattern such as '{path / '**/*.yaml'}'"
            )
        if path.exists():
            found[argument] = None
        elif glob.has_magic(argument):
            fitting = matching([argument])
            if not fitting:
                raise InvalidInput(f"no file matches {argument}")
            found.update(dict.fromkeys(fitting))
        else:
            raise InvalidInput(f"there is no file {argument}")
    return list(found)


def is_pattern(argument: str) -> bool:
    """Whether an argument is a pattern of file names, and not the name of a file."""
    return argument != STDIN and glob.has_magic(argument) and not Path(argument).exists()


def matching(patterns: Iterable[str]) -> list[str]:
    """The files that patterns match; there may be none."""
    # Before Python 3.13, pathlib's glob accepts no absolute pattern.
    found = [name for pattern in patterns for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207
    return [name for name in dict.fromkeys(found) if Path(name).is_file()]


def read(name: str) -> TemplateFile:
    """Reads one template; `-` is standard input.

    Raises:
        InvalidTemplate: it is neither valid YAML nor JSON, or has no Resources.
        InvalidInput: the file cannot be read.
    """
    return parse(*read_text(name))


def of_bytes(name: str, raw: bytes) -> TemplateFile:
    """The template in the bytes of a file. See `read`."""
    return parse(name, _decoded(name, raw))


def read_value(name: str) -> Json:
    """The value of any YAML or JSON file. See `read`."""
    return read_tree(*read_text(name))[0]


def read_tree(shown: str, text: str) -> tuple[Json, SourcePosition, Literal["yaml", "json"]]:
    """The value of a text in YAML or JSON, the position of everything in it, and which of the two it is. See `read`."""
    try:
        return _value(shown, text)
    except yaml_reader.Unreadable as error:
        raise InvalidTemplate(
            [LocatedProblem(shown, error.line, error.column, "", error.what, error.fix, "not-a-template")]
        ) from None


def read_text(name: str) -> tuple[str, str]:
    """The name of a file for messages, and its text. See `read`."""
    shown = "<stdin>" if name == STDIN else name
    try:
        raw = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {shown}: {error.strerror}") from None
    return shown, _decoded(shown, raw)


def _decoded(name: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        what = "the file is not text in UTF-8"
        raise InvalidTemplate(
            [LocatedProblem(name, line, 1, "", what, "save the file as UTF-8", "not-a-template")]
        ) from None


def parse(name: str, text: str) -> TemplateFile:
    """The template in `text`. See `read`."""
    data, place, form = read_tree(name, text)
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a single value"
        raise InvalidTemplate(
            [
                LocatedProblem(
                    name,
                    1,
                    1,
                    "",
                    f"this is {kind}, not a template",
                    "write a mapping with Resources",
                    "not-a-template",
                )
            ]
        )
    template = TemplateFile(name, text, form, data, place)
    resources = data.get("Resources")
    if not isinstance(resources, dict):
        if "Resources" in data:
            raise InvalidTemplate(
                [
                    template.mistake(
                        Problem(
                            "Resources", "is not a mapping", "write logical IDs and their resources", "not-a-template"
                        )
                    )
                ]
            )
        raise InvalidTemplate(
            [
                template.mistake(
                    Problem("", "the template has no Resources", "add the task definitions", "not-a-template")
                )
            ]
        )
    return template


def _value(name: str, text: str) -> tuple[Json, SourcePosition, Literal["yaml", "json"]]:
    """A text that looks like JSON is read as JSON first, since YAML refuses tabs; YAML's flow style looks like JSON."""
    if not text.lstrip().startswith(("{", "[")):
        return *yaml_reader.read(text), "yaml"
    try:
        return *json_reader.read(text), "json"
    except yaml_reader.Unreadable as as_json:
        if name.endswith(".json"):
            raise
        try:
            return *yaml_reader.read(text), "yaml"
        except yaml_reader.Unreadable as as_yaml:
            raise (as_yaml if name.endswith((".yaml", ".yml")) else as_json) from None
