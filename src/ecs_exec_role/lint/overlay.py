"""`ExecutionRoleSpec` for AWS's `cfn-validate`: resource schemas for `--additional-schema`.

cfn-validate merges such a schema into its own schema of the same type, property by property. `required` is the
exception: the list of an additional schema replaces the other one. The form on AWS::IAM::Role needs this,
since the macro adds the trust policy.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-validate.html and "Additional Resource
Provider Schemas" in the project's validation-engine/API.md
"""

from __future__ import annotations

import json
from typing import Any

from ecs_exec_role.lint import override
from ecs_exec_role.needs.definitions import PLACES, ROLE
from ecs_exec_role.spec.schema import Schema
from ecs_exec_role.template.event import PROPERTY

TRUST = "AssumeRolePolicyDocument"


def overlays() -> dict[str, str]:
    """The schemas as files: their names, and the JSON in them."""
    return {f"{kind.replace('::', '-').lower()}.json": json.dumps(overlay(kind), indent=2) + "\n" for kind in PLACES}


def overlay(kind: str) -> Schema:
    """The schema of one resource type: only the property."""
    made: Schema = {"typeName": kind, "properties": {PROPERTY: _without_wording(override.spec_of(kind))}}
    if kind == ROLE:
        # If a role's spec is in Fn::Transform, cfn-validate checks neither the spec nor the trust policy.
        made.update(required=[], anyOf=[{"required": [PROPERTY]}, {"required": [TRUST]}])
    return made


def _without_wording(schema: Any) -> Any:
    """A schema without `message`, a keyword of cfn-lint that resource schemas do not have."""
    if isinstance(schema, list):
        return [_without_wording(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _without_wording(inner) for key, inner in value.items()}
        if name == "properties"
        else _without_wording(value)
        for name, value in schema.items()
        if name != "message"
    }
