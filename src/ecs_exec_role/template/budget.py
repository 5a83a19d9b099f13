"""How much work one template may cause: every loop over something of unlimited length counts against one budget.

A few lines of a template can ask for any amount of work: a value that doubles at each level, a long value that is used
again and again, conditions that multiply. So each kind of work is counted: steps (a node looked
at, a literal of a path condition compared), characters of text read or made, and characters of JSON written. What is
beyond a limit is refused, with the place that is being read.

The limits are for a template of 1 MB, the most that CloudFormation takes, several times over; the function has 256 MB
and a minute. `make bench` prints how much of this the worst known templates need.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ecs_exec_role.errors import Problem, TemplateError

MOST_STEPS = 1_000_000
"""Steps of one template, of about one microsecond each."""

MOST_CHARACTERS = 8_000_000
"""Characters of all texts that the values of a template are read as, or become."""

MOST_COMPARED = 1_000_000
"""Steps of about one microsecond for the comparison of misspelt names with known ones, to say what was meant."""

MOST_WRITTEN = 6_000_000
"""Characters of JSON in an answer: Lambda's 6 MB, less what is around the template.

CloudFormation accepts 1 MB, after all macros, and reports it itself. See
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-troubleshoot-processed-template.html
"""


class Budget:
    """What is left for one template. `place` is what is being read, for messages."""

    __slots__ = ("characters", "compared", "place", "steps", "written")

    def __init__(self) -> None:
        self.place = "template"
        self.steps = 0
        self.characters = 0
        self.compared = 0
        self.written = 0

    def spend(self, steps: int = 1) -> None:
        """Counts steps.

        Raises:
            TemplateError: if these are too many.
        """
        self.steps += steps
        if self.steps > MOST_STEPS:
            what = f"needs more than {MOST_STEPS:,} steps to be read"
            self._refuse(what, "use shorter lists, fewer definitions or fewer conditions, or split the stack")

    def read(self, characters: int, steps: int = 0) -> None:
        """Counts characters of text, and the steps of reading it; a text that is going to be made is counted first.

        Raises:
            TemplateError: if these are too many.
        """
        self.steps += steps  # `spend` compares them with their limit.
        self.characters += characters
        if self.characters > MOST_CHARACTERS:
            what = f"makes this template more than {MOST_CHARACTERS:,} characters of values"
            self._refuse(what, "write shorter values, or use them less often")

    def compare(self, steps: int) -> bool:
        """Counts steps of a comparison of names; False if these are too many.

        The template is not refused for this: the message has no guess then.
        """
        self.compared += steps
        return self.compared <= MOST_COMPARED

    def write(self, characters: int) -> None:
        """Counts characters of the answer.

        Raises:
            TemplateError: if these are too many.
        """
        self.written += characters
        if self.written > MOST_WRITTEN:
            what = f"makes this template longer than the {MOST_WRITTEN:,} characters that a macro can return"
            self._refuse(what, "use fewer conditions, let definitions share a role, or split the stack")

    def _refuse(self, what: str, fix: str) -> None:
        raise TemplateError([Problem(self.place, what, fix, "too-large")])


_CURRENT: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget:
    """The budget of the template that is being expanded; a new one outside of an expansion."""
    return _CURRENT.get() or Budget()


@contextmanager
def limited() -> Iterator[Budget]:
    """The expansion of one template: all work in the block counts against one budget."""
    token = _CURRENT.set(Budget())
    try:
        yield current()
    finally:
        _CURRENT.reset(token)
