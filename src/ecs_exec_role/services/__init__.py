"""What the engine knows of each AWS service: ARNs and names, and where a template names KMS keys."""

from __future__ import annotations
