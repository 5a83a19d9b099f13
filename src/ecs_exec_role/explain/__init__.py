"""Why a role has each permission, as data."""

from __future__ import annotations
