"""Why a task did not start, from what ECS says about it and the template of the task."""

from __future__ import annotations
