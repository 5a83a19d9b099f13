"""What a role grants, compared with what its tasks need."""

from __future__ import annotations
