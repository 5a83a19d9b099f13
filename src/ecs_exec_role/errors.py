"""Mistakes of a template, as data.

A `Problem` is something its author can mend; it always says where, what is wrong, and what to write instead. An
exception that is not a `TemplateError` is a bug of this project.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# What a terminal might obey, or take for the end of a line.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class Problem(NamedTuple):
    """One mistake: `path` as `Resources/Web/Properties/…`, `what` is wrong, and the `fix`: what to write instead."""

    path: str
    what: str
    fix: str

    def __str__(self) -> str:
        return _CONTROL.sub("\ufffd", " ".join(f"{self.path}: {self.what}; {self.fix}".splitlines()))


class TemplateError(ValueError):
    """All mistakes of one template; `str()` of it has one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(map(str, self.problems)))
