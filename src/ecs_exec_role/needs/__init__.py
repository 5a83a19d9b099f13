"""What a feature finds in a definition, and what it is given to find it."""

from __future__ import annotations
