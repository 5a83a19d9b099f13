"""What each AWS service says of itself: its ARNs, names and keys."""

from __future__ import annotations
