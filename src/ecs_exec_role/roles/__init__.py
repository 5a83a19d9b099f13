"""The roles: which definition gets which role, what each role contains, and what waits for what."""

from __future__ import annotations
