"""Makes IAM statements from needs, and policies within IAM's limits from statements."""

from __future__ import annotations
