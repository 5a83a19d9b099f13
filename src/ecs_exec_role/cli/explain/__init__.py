"""`ecs-exec-role explain`: why a role has each permission."""

from __future__ import annotations
