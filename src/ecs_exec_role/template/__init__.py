"""What CloudFormation says: the event, its values read symbolically, its conditions and dependencies."""

from __future__ import annotations
