"""`ecs-exec-role diagnose`: why a task did not start."""

from __future__ import annotations
