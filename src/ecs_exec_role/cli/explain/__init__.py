"""`ecs-exec-role explain`: why every permission is there."""

from __future__ import annotations
