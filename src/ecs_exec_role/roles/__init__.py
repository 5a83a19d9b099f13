"""The roles: which definition gets which, what each holds, and what waits for what."""

from __future__ import annotations
