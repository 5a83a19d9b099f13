"""`ecs-exec-role migrate`: rewrites a template to use the macro, and leaves the rest of it as it was typed."""

from __future__ import annotations
