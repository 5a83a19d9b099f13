"""`ecs-exec-role audit`: compares existing execution roles with what their task definitions need."""

from __future__ import annotations
