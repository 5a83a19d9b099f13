"""MiniStack with what this project needs of CloudFormation and IAM, and MiniStack 1.5.33 does not have.

    python tests/e2e/emulator/ministack_engine.py

It is configured as `ministack` itself: GATEWAY_PORT, AUTH and so on. `make e2e` starts it with AUTH=true, so that the
policies of functions' roles are enforced.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import ministack_iam
import ministack_macros
import ministack_resources
from ministack import app

if __name__ == "__main__":
    ministack_macros.install()
    ministack_resources.install()
    ministack_iam.install()
    app.main()
