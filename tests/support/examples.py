"""How many examples a property is tried with: few with the suite, many with `HYPOTHESIS_PROFILE=long` (`make fuzz`)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = {"": 1, "long": 40}[os.environ.get("HYPOTHESIS_PROFILE", "")]
"""How many times as many examples as with the suite."""


def examples(count: int) -> settings:
    """The settings of a property that is tried `count` times with the suite.

    With the suite the examples are the same each time; a long run takes others each time.
    """
    return settings(
        max_examples=count * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        suppress_health_check=list(HealthCheck),
    )
