"""Needs as IAM statements, and statements in policies within IAM's limits."""

from __future__ import annotations
