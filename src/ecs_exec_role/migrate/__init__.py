"""A template rewritten to use the macro; the rest of its text stays as it was typed."""

from __future__ import annotations
