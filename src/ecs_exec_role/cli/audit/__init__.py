"""`ecs-exec-role audit`: existing execution roles against what their task definitions need."""

from __future__ import annotations
