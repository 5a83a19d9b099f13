"""What is wrong with a template, in the form that every part of this project uses.

Only a `TemplateError` is the author's mistake. Any other exception is a bug of this project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple

# Characters that control a terminal, end a line or change the direction of the text, and characters that
# UTF-8 cannot encode.
_CONTROL = late_pattern("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

LONGEST_MESSAGE = 10_000
"""Characters of all mistakes of one template together, where there is more than one.

Lambda returns 6 MB at most, and CloudFormation shows the message in a stack event: a reader uses the first lines.
"""

_LONGEST_PART = 2_000
"""Characters of a mistake's path, of what is wrong and of the remedy, which quote names and values of the template."""


def one_line(text: str) -> str:
    """`text` as one line that no reader takes for several lines, for messages that quote a template."""
    return _CONTROL.sub("\ufffd", " ".join(text.splitlines()))


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
        path, what, fix = (_shortened(part) for part in self[:3])
        return one_line(f"{path}: {what}; {fix}")


class LateProblem(NamedTuple):
    """A warning whose text is made when it is read. The macro's own function only counts most warnings."""

    path: str
    code: str
    write: Callable[[], Problem]


def _shortened(text: str) -> str:
    """`text`, without its middle if it is longer: the beginning and the end say most."""
    if len(text) <= _LONGEST_PART:
        return text
    return f"{text[: _LONGEST_PART // 2]} … {text[-_LONGEST_PART // 2 :]}"


class TemplateError(ValueError):
    """All mistakes of one template; `str()` of it has one mistake on each line, as many as a reader can use."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(dict.fromkeys(problems))
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines: list[str] = []
        room = LONGEST_MESSAGE
        for number, problem in enumerate(self.problems):
            line = str(problem)
            room -= len(line) + 1
            if room < 0 and lines:
                lines.append(f"template: and {len(self.problems) - number:,} more; correct these first")
                break
            lines.append(line)
        return "\n".join(lines)


class Problems:
    """The mistakes that are found while a template is read, so that one answer has all of them."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def append(self, problem: Problem) -> None:
        """Reports one mistake."""
        self._found.append(problem)

    def append_once(self, problem: Problem) -> None:
        """Reports a mistake unless the one before it is of the same place and kind: a value can give several needs."""
        if not self._found or (self._found[-1].path, self._found[-1].code) != (problem.path, problem.code):
            self._found.append(problem)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Reports several mistakes."""
        self._found.extend(problems)

    def __iter__(self) -> Iterator[Problem]:
        return iter(tuple(self._found))

    def __len__(self) -> int:
        return len(self._found)

    def aside(self) -> _Aside:
        """Collects what is reported inside the block in a separate collection; the caller decides what to keep."""
        return _Aside(self)

    def refuse(self) -> None:
        """Ends the expansion if there is any mistake.

        Raises:
            TemplateError: with all of them.
        """
        if self._found:
            raise TemplateError(self._found)


class _Aside:
    """The block of `Problems.aside`; each role has one, and with `contextmanager` it would take three times as long."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._before = problems._found  # noqa: SLF001 - a part of `Problems`

    def __enter__(self) -> Problems:
        tried = Problems()
        self._problems._found = tried._found  # noqa: SLF001
        return tried

    def __exit__(self, *_: object) -> None:
        self._problems._found = self._before  # noqa: SLF001
