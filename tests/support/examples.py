"""The number of examples of a property test: few in the suite, many with `HYPOTHESIS_PROFILE=long` (`make fuzz`)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = {"": 1, "long": 40}[os.environ.get("HYPOTHESIS_PROFILE", "")]
"""The factor for the number of examples, compared with the suite."""


def examples(count: int) -> settings:
    """The settings of a property test that has `count` examples in the suite.

    In the suite the examples are the same each time; a long run has different ones each time.
    """
    return settings(
        max_examples=count * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        suppress_health_check=list(HealthCheck),
    )
