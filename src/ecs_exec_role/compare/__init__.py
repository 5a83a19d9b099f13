"""What changes in execution roles between two templates."""

from __future__ import annotations
