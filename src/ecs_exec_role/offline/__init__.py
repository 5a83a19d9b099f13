"""A template file and the macro's call around it, without AWS."""

from __future__ import annotations
