"""Rewrites a template to use the macro; the rest of its text does not change."""

from __future__ import annotations
