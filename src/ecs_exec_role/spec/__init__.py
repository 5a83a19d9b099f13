"""The language `ExecutionRoleSpec`: its keys, its check, its parser and its JSON Schema."""

from __future__ import annotations
