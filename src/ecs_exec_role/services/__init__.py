"""What each AWS service says of itself: the ARNs and names of its things, and where a template names their keys."""

from __future__ import annotations
