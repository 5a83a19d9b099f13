"""Whether the roles of a stack allow what ECS does and nothing else, by an evaluator that is independent of the engine.

What the engine holds (trust, policies, permissions boundary, service control policies) is read from its APIs and judged
by `@cloud-copilot/iam-simulate`, which evaluates conditions. The calls are those of the template as its author wrote
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.e2e.cloud import Cloud, document_of
from tests.e2e.deployed import DeployedStack, processed
from tests.support.calls import DEFINITIONS, NOTHING_WRONG, Expected, Verdict, expected
from tests.support.calls import judge as verdict
from tests.support.cloudformation import Document
from tests.support.iam import assumable

SERVICE = "ecs-tasks.amazonaws.com"
STRANGER = "999999999999"


class Held(NamedTuple):
    """A role as the account has it."""

    name: str
    arn: str
    trust: Document
    policies: Sequence[Document]
    boundaries: Sequence[Document]
    scps: Sequence[Sequence[Document]]


def held(cloud: Cloud, name: str) -> Held:
    """Reads a role, and what limits it."""
    role = cloud.iam.get_role(RoleName=name)["Role"]
    return Held(
        name,
        role["Arn"],
        document_of(role["AssumeRolePolicyDocument"]),
        cloud.policies(name),
        cloud.boundaries(name),
        cloud.service_control_policies(),
    )


def judge_role(cloud: Cloud, role: Held, calls: Expected) -> Verdict:
    """What is wrong with a role. Its trust policy must let only ECS in this account and region assume it."""
    here = {
        "aws:SourceAccount": cloud.account,
        "aws:SourceArn": f"arn:aws:ecs:{cloud.region}:{cloud.account}:task/cluster/0123",
    }
    others = [
        {**here, "aws:SourceAccount": STRANGER},
        {**here, "aws:SourceArn": here["aws:SourceArn"].replace(cloud.account, STRANGER)},
        {**here, "aws:SourceArn": here["aws:SourceArn"].replace(cloud.region, "xx-north-1")},
        {**here, "aws:SourceArn": here["aws:SourceArn"].replace(":ecs:", ":ec2:")},
        {},
    ]
    assert assumable(role.trust, [here, *others]) == [True, *[False] * len(others)], role.trust
    assert not any(assumable(role.trust, [here, *others], principal="ec2.amazonaws.com")), role.trust
    return verdict(role.policies, calls, boundaries=role.boundaries, scps=role.scps)


class Judge:
    """Judges every stack that was created from a template with the macro; `judged` are the roles that were judged."""

    def __init__(self) -> None:
        self.judged: set[str] = set()
        self.calls = 0

    def __call__(self, cloud: Cloud, stack: str, template: Document, parameters: Mapping[str, str]) -> None:
        """Every role of the stack that ECS assumes is what its definitions need."""
        roles = self.roles(cloud, stack)
        if not roles:
            return
        found = self.expected(cloud, stack, template, parameters)
        wrong: dict[str, Verdict] = {}
        assert roles.keys() == found.keys(), f"{stack} has the roles {sorted(roles)}, and {sorted(found)} were expected"
        for logical_id, role in roles.items():
            said = judge_role(cloud, role, found[logical_id])
            self.judged.add(role.name)
            self.calls += len(found[logical_id].made) + len(found[logical_id].near)
            if said != NOTHING_WRONG:
                wrong[logical_id] = said
        assert not wrong, wrong

    def roles(self, cloud: Cloud, stack: str) -> dict[str, Held]:
        """The roles of a stack that ECS may assume, by logical ID."""
        found = {
            logical_id: held(cloud, each.physical_id)
            for logical_id, each in cloud.resources(stack).items()
            if each.type == "AWS::IAM::Role"
        }
        return {logical_id: role for logical_id, role in found.items() if SERVICE in str(role.trust)}

    def expected(
        self, cloud: Cloud, stack: str, template: Document, parameters: Mapping[str, str]
    ) -> dict[str, Expected]:
        """For each role of the stack's definitions, the calls that ECS makes with it."""
        loops = "AWS::LanguageExtensions" in template.get("Transform", [])
        written = _as_written(processed(cloud, stack) if loops else template)
        return expected(DeployedStack(cloud, stack, written, parameters))


def _as_written(fragment: Document) -> Document:
    """A template with a spec at each role that the macro made, if loops made the definitions or a snippet the role.

    Only CloudFormation expands loops, so the template is read after that; a snippet's parameters
    are a spec.
    """
    return {**fragment, "Resources": {key: _with_spec(resource) for key, resource in fragment["Resources"].items()}}


def _with_spec(resource: Document) -> Document:
    properties = dict(resource.get("Properties", {}))
    if resource["Type"] in DEFINITIONS and properties.pop("ExecutionRoleArn", None):
        properties["ExecutionRoleSpec"] = "Auto"
    snippet = properties.pop("Fn::Transform", None)
    if snippet is not None:
        properties["ExecutionRoleSpec"] = snippet["Parameters"]
    return {**resource, "Properties": properties}
