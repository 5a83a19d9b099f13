"""Writes the CloudFormation name of each key of a task definition in JSON: `make task-definition-names`.

The keys are those of botocore's model of ECS, the names those of the resource schema that cfn-lint brings. They differ
in their first letter, and in more for some (`efsVolumeConfiguration` is `EFSVolumeConfiguration`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

OUTPUT = Path(__file__).parents[1] / "src" / "ecs_exec_role" / "offline" / "task_definition_names.json"

REGION, TYPE = "us-east-1", "AWS::ECS::TaskDefinition"


def names() -> dict[str, Any]:
    """For each key: its name, or its name and the same for the mapping, or the list of mappings, behind it.

    The name is None where CloudFormation has no such property. Mappings whose keys are the user's own, such as the
    options of a log driver, end there.
    """
    model = ServiceModel(Loader().load_service_model("ecs", "service-2"))
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, TYPE).schema
    # The output of describe-task-definition has more keys than the input of register-task-definition.
    shapes = [model.shape_for(name) for name in ("TaskDefinition", "RegisterTaskDefinitionRequest")]
    members = {key: member for shape in shapes for key, member in cast("StructureShape", shape).members.items()}
    return _named(members, schema, schema)


def _named(members: dict[str, Shape], node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name.lower(): (name, child) for name, child in node.get("properties", {}).items()}
    found: dict[str, Any] = {}
    for key, member in members.items():
        shape = member
        name, child = properties.get(key.lower(), (None, {}))
        child = _resolved(child, schema)
        if isinstance(shape, ListShape):
            shape, child = shape.member, _resolved(child.get("items", {}), schema)
        below = _named(shape.members, child, schema) if isinstance(shape, StructureShape) and name else None
        found[key] = [name, below] if below else name
    return dict(sorted(found.items()))


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref", "")
    return schema["definitions"][reference.rpartition("/")[2]] if reference else node


def text() -> str:
    """The file's content."""
    return json.dumps(names(), indent=1) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(text(), encoding="utf-8")
