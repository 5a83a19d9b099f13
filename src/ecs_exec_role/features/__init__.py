"""The features of ECS that use an execution role, one module each: what a property of a definition needs.

What a value of such a property names, as an ARN or a name, is read in `services`.

A new feature is a module with its own `FEATURE`, and a line in `FEATURES` below, which has the order of a policy.
"""

from __future__ import annotations

from ecs_exec_role.features import (
    efs,
    environment_files,
    firelens,
    fsx,
    gmsa,
    guardduty,
    images,
    keys,
    logs,
    parameters,
    registries,
    secrets,
)
from ecs_exec_role.needs.feature import Declare, Feature, Infer
from ecs_exec_role.needs.need import Grant

FEATURES: tuple[Feature, ...] = (
    images.FEATURE,
    guardduty.FEATURE,
    registries.FEATURE,
    logs.FEATURE,
    secrets.FEATURE,
    parameters.FEATURE,
    environment_files.FEATURE,
    firelens.FEATURE,
    gmsa.FEATURE,
    fsx.FEATURE,
    efs.FEATURE,
    keys.FEATURE,
)


def _by_property(kind: str) -> dict[str, tuple[Infer, ...]]:
    found: dict[str, tuple[Infer, ...]] = {}
    for feature in FEATURES:
        for name, infer in getattr(feature, kind).items():
            found[name] = (*found.get(name, ()), infer)
    return found


CONTAINER_PROPERTIES = _by_property("containers")
"""For each property of a container definition: the functions that read needs from it."""

VOLUME_PROPERTIES = _by_property("volumes")
"""The same for an item of `Volumes`."""

SERVICE_PROPERTIES = _by_property("services")
"""The same for an `AWS::ECS::Service` that runs a definition."""

CONTAINER_DEFAULTS = _by_property("defaults")
"""For each resource type: the functions that read the needs of its containers that no property shows."""

FINISH = tuple(feature.finish for feature in FEATURES if feature.finish is not None)
"""The functions that read the needs that depend on all other needs."""

KEYS = {key: declare for feature in FEATURES for key, declare in feature.keys.items()}
"""The keys of `ExecutionRoleSpec` that belong to features, and the functions that read needs from their entries."""

DECLARE: dict[str, Declare] = {key.name: declare for key, declare in KEYS.items()}

ORDER: dict[Grant, tuple[int, Feature]] = {
    grant: (position, feature)
    for position, (grant, feature) in enumerate((grant, feature) for feature in FEATURES for grant in feature.grants)
}
"""For each grant: the position of its statement in a policy, and its feature."""
