"""Regular expressions that most calls do not use: each is compiled when it is used for the first time.

Compiling a pattern takes up to half a millisecond of a cold start.
"""

from __future__ import annotations

import re
from typing import Any, cast


class LatePattern:
    """Has the methods of a compiled pattern."""

    def __init__(self, expression: str, flags: int) -> None:
        self._expression = expression
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        # Called only for an attribute that this object does not have yet. Afterwards it has the pattern's methods.
        compiled = self.compiled()
        for method in ("search", "match", "fullmatch", "split", "findall", "finditer", "sub"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)

    def compiled(self) -> re.Pattern[str]:
        """The pattern itself."""
        return re.compile(self._expression, self._flags)


def late_pattern(expression: str, flags: int = 0) -> re.Pattern[str]:
    """As `re.compile`, which is called at the first use."""
    return cast("re.Pattern[str]", LatePattern(expression, flags))
