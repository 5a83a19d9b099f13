"""A deployed stack, and the questions that the preflight asks about its roles."""

from __future__ import annotations
