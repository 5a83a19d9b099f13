"""cfn-lint in this process: the fixture `quick_cfn_lint`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cfnlint.rules import Rules


@pytest.fixture(scope="session")
def quick_cfn_lint() -> Iterator[None]:
    """cfn-lint reads its rules from their files each time that it starts; here only once."""
    from cfnlint.config import _DEFAULT_RULESDIR  # noqa: PLC0415 - only the tests that lint load it
    from cfnlint.rules import Rules  # noqa: PLC0415

    original = Rules.create_from_directory
    own = original(_DEFAULT_RULESDIR)

    def from_directory(folder: str) -> Rules:
        return own if folder == _DEFAULT_RULESDIR else original(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rules, "create_from_directory", from_directory)
        yield
