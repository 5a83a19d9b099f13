"""`ecs-exec-role preflight`: whether a deployed role may do what the tasks need, and whether that is there."""

from __future__ import annotations
