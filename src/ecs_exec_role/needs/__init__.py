"""What a feature finds in a definition, and what it uses to find it."""

from __future__ import annotations
