"""What the engine knows of each AWS service: how its ARNs and names are read, and where a template names KMS keys.

Which of ECS's properties need something of a service is in `features`.
"""

from __future__ import annotations
