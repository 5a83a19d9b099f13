"""Properties of CloudFormation as the APIs of ECS and Batch take them: with a small first letter."""

from __future__ import annotations

from typing import Any

# Below these, the names are the user's and not the API's.
_MAPS = frozenset({"Options", "DockerLabels", "Parameters"})


def as_api(value: Any) -> Any:
    """The same value with the API's names."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: item if key in _MAPS else as_api(item) for key, item in value.items()}
    return [as_api(item) for item in value] if isinstance(value, list) else value
