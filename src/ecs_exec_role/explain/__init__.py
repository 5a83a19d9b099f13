"""Why each permission of a role is there, as data."""

from __future__ import annotations
