"""A role in the form for IAM: without functions of CloudFormation."""

from __future__ import annotations

from collections.abc import Mapping

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline.errors import InvalidInput
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.symbols import Json

_VARIABLE = late_pattern(r"\$\{([^{}!]+)\}")


class Place(NamedTuple):
    """Where the role will be: the values of CloudFormation's pseudo parameters."""

    partition: str
    region: str
    account: str

    @property
    def values(self) -> dict[str, str]:
        """The pseudo parameters that a role can have."""
        return {"AWS::Partition": self.partition, "AWS::Region": self.region, "AWS::AccountId": self.account}


def role(resources: Mapping[str, Json], logical_id: str, place: Place) -> dict[str, Json]:
    """A role of an expanded template: its properties, and `ManagedPolicies`, the policies to create and attach.

    Raises:
        InvalidInput: something in it is only known to CloudFormation.
    """
    properties = dict(mapping(mapping(resources[logical_id]).get("Properties")))
    made = [name for name, node in resources.items() if mapping(node).get("Type") == "AWS::IAM::ManagedPolicy"]
    attached = properties.get("ManagedPolicyArns")
    if isinstance(attached, list):
        kept = [item for item in attached if mapping(item).get("Ref") not in made]
        properties = {key: child for key, child in properties.items() if key != "ManagedPolicyArns"}
        if kept:
            properties["ManagedPolicyArns"] = kept
    found = mapping(_plain(properties, place.values))
    if made:
        documents = [mapping(mapping(resources[name]).get("Properties"))["PolicyDocument"] for name in made]
        found["ManagedPolicies"] = [{"PolicyDocument": _plain(document, place.values)} for document in documents]
    return found


def _plain(node: Json, values: Mapping[str, str]) -> Json:
    if isinstance(node, list):
        return [_plain(item, values) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        [(name, argument)] = node.items()
        if name == "Ref" and isinstance(argument, str) and argument in values:
            return values[argument]
        if name == "Fn::Sub" and isinstance(argument, str):
            return _VARIABLE.sub(lambda match: _value(match[1], values), argument).replace("${!", "${")
        if name == "Ref" or name.startswith("Fn::"):
            raise InvalidInput(f"{name} of {argument!r} is only known to CloudFormation; write --as template")
    return {key: _plain(child, values) for key, child in node.items()}


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise InvalidInput(f"${{{name}}} is only known to CloudFormation; write --as template")
    return values[name]
