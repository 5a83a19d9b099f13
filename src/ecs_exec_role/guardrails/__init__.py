"""What the macro's owner requires of every role."""

from __future__ import annotations
