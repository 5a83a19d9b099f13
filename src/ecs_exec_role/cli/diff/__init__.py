"""`ecs-exec-role diff`: what a change of a template changes in its execution roles."""

from __future__ import annotations
