"""Why a task did not start: what ECS says about it, read with the template that asked for it."""

from __future__ import annotations
