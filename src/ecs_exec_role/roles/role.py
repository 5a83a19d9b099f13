"""One role: its resource, and the policies beside it."""

from __future__ import annotations

import json

from ecs_exec_role import __version__
from ecs_exec_role.errors import Problem, Problems
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.definitions import ROLE
from ecs_exec_role.needs.need import Need, Note
from ecs_exec_role.policies import packing
from ecs_exec_role.policies.statements import Statement
from ecs_exec_role.roles.assignment import Assignment, Used
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.budget import current
from ecs_exec_role.template.conditions import DecisionDiagram, PathCondition, when
from ecs_exec_role.template.event import Template, mapping
from ecs_exec_role.template.reader import is_intrinsic
from ecs_exec_role.template.symbols import NO_VALUE, Json

METADATA = "EcsExecRole"
VERSION_METADATA = "EcsExecRoleVersion"
POLICY_NAME = "EcsExecRole"

STARTER_POLICY = {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"}

# See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html about the confused deputy.
TRUST_POLICY: dict[str, Json] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
                "ArnLike": {
                    "aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:*"}
                },
            },
        }
    ],
}


class RolePlan(NamedTuple):
    """All that is known about one role.

    Attributes:
        assignment: which role it is, and what uses it.
        spec: what its author wrote, after the guardrails.
        needs: what its tasks need.
        statements: what is in the role itself or in managed policies, in the order of its policies.
        attached_later: what is in a separate policy: in the role it would create a circular dependency.
        notes: what was examined and needs nothing.
        warnings: what may still be missing.
        asked: what the check at deployment asks about although the macro does not write its policy, if anything.
    """

    assignment: Assignment
    spec: Spec
    needs: tuple[Need, ...]
    statements: tuple[Statement, ...]
    attached_later: tuple[Statement, ...]
    notes: tuple[Note, ...]
    warnings: tuple[Problem, ...]
    asked: tuple[Statement, ...] = ()

    @property
    def all_statements(self) -> tuple[Statement, ...]:
        """All statements of the role."""
        return (*self.statements, *self.attached_later)

    @property
    def logical_id(self) -> str:
        """The logical ID of the role."""
        return self.assignment.logical_id

    @property
    def owner(self) -> str:
        """The logical ID of the resource with the spec: a definition, or the role itself."""
        return self.assignment.owner

    @property
    def spec_path(self) -> str:
        """The path of the spec."""
        return self.spec.path

    @property
    def used(self) -> tuple[Used, ...]:
        """The definitions that use the role."""
        return self.assignment.used

    @property
    def definitions(self) -> tuple[str, ...]:
        """The logical IDs of what uses the role."""
        return self.assignment.definitions

    @property
    def condition(self) -> str | None:
        """The name of the condition under which the role exists."""
        return self.assignment.condition

    @property
    def given(self) -> PathCondition:
        """The condition under which the role exists."""
        return self.assignment.given


class Built(NamedTuple):
    """A role's resources by logical ID, the role first; the conditions that they need; and what to wait for."""

    resources: dict[str, dict[str, Json]]
    conditions: dict[str, Json]
    attached_later: list[str]


def build(plan: RolePlan, template: Template, problems: Problems) -> Built:
    """Makes the resources of a role.

    Args:
        plan: what the role must contain.
        template: the template of the role.
        problems: what IAM would refuse is added to these.
    """
    existing = template.resources.get(plan.owner, {}) if plan.owner == plan.logical_id else {}
    own = {name: node for name, node in mapping(existing.get("Properties")).items() if name != "ExecutionRoleSpec"}
    properties = {**own, **plan.spec.properties}
    packed = packing.pack(plan.statements, packing.LARGEST_INLINE - _inline_length(own))
    later = packing.pack(plan.attached_later, packing.LARGEST_INLINE - _inline_length(own) - _length(packed.inline))
    written = _Resources(plan, template)

    attached: list[Json] = [STARTER_POLICY] if plan.spec.starter else []
    for statements in packed.managed:
        name, held = written.policy("AWS::IAM::ManagedPolicy", statements, {})
        attached.append(when(held, {"Ref": name}))
    for statements in later.managed:
        written.policy("AWS::IAM::ManagedPolicy", statements, {"Roles": [{"Ref": plan.logical_id}]}, later=True)
    if later.inline:
        written.policy(
            "AWS::IAM::RolePolicy",
            later.inline,
            {"PolicyName": f"{POLICY_NAME}Deferred", "RoleName": {"Ref": plan.logical_id}},
            later=True,
        )

    count = len(packed.managed) + len(later.managed)
    listed = properties.get("ManagedPolicyArns")
    for statements in (*packed.managed, *later.managed):
        if _length(statements) > packing.LARGEST_MANAGED:
            place = statements[0].paths[0]
            what = f"makes a policy of {_length(statements):,} characters; IAM takes {packing.LARGEST_MANAGED:,}"
            problems.append(Problem(place, what, "split the statement, or shorten what it names", "too-large"))
    total = count + (len(listed) if isinstance(listed, list) else 0) + len(attached) - len(packed.managed)
    if count and total > packing.MOST_MANAGED:
        what = (
            f"needs {packed.length + later.length:,} characters of policies; the {packing.LARGEST_INLINE:,} of a"
            f" role's own policies and {packing.MOST_MANAGED} managed policies are not enough: it needs {total}"
        )
        problems.append(
            Problem(plan.spec_path, what, "split the definition, or give its containers fewer secrets", "too-large")
        )
    certain = len(attached) + _certain(listed)
    if not count and certain > packing.MOST_MANAGED_ON_REQUEST:
        path = f"Resources/{plan.logical_id}/Properties" if existing else plan.spec_path
        what = f"gives the role {certain} managed policies; IAM takes at most {packing.MOST_MANAGED_ON_REQUEST}"
        problems.append(Problem(f"{path}/ManagedPolicyArns", what, "remove some, or merge them", "too-large"))
    trusts = own.get("AssumeRolePolicyDocument")
    trust = {"AssumeRolePolicyDocument": TRUST_POLICY if trusts in (None, NO_VALUE) else trusts}
    made: dict[str, Json] = {**trust, **properties} if not existing else {**properties, **trust}
    if attached:
        here = f"Resources/{plan.logical_id}/Properties" if existing else plan.spec_path
        made["ManagedPolicyArns"] = _appended(listed, attached, f"{here}/ManagedPolicyArns", problems)
    if packed.inline:
        name = _policy_name(own)
        policy = packing.inline_policy(name, packed.inline)
        here = f"Resources/{plan.logical_id}/Properties/Policies"
        made["Policies"] = _appended(own.get("Policies"), [policy], here, problems)
    role: dict[str, Json] = {**existing} if existing else {"Type": ROLE}
    if plan.condition:
        role["Condition"] = plan.condition
    role["Metadata"] = {**mapping(existing.get("Metadata")), **_metadata(plan)}
    role["Properties"] = made
    return Built({plan.logical_id: role, **written.resources}, written.conditions, written.later)


def room(logical_id: str, template: Template) -> int:
    """The characters that a role has for statements, including those that are attached later."""
    own = mapping(template.resources.get(logical_id, {}).get("Properties"))
    return packing.LARGEST_INLINE - _inline_length(own) - 2 * packing.FRAME


def _certain(listed: Json) -> int:
    """How many items of a list are there under every condition."""
    items = listed if isinstance(listed, list) else []
    return sum(item != NO_VALUE and "Fn::If" not in mapping(item) for item in items)


def _metadata(plan: RolePlan) -> dict[str, Json]:
    asked = {statement.sid: list(statement.paths) for statement in plan.all_statements if statement.sid}
    current().write(sum(len(path) + 3 for paths in asked.values() for path in paths))
    return {METADATA: asked, VERSION_METADATA: __version__}


def _policy_name(own: dict[str, Json]) -> str:
    """A name that no policy of the author has, in any branch of an `Fn::If`."""
    if "Policies" not in own:
        return POLICY_NAME
    written = json.dumps(own["Policies"])
    name, number = POLICY_NAME, 2
    while f'"{name}"' in written:
        name, number = f"{POLICY_NAME}{number}", number + 1
    return name


def _inline_length(own: dict[str, Json]) -> int:
    """The characters of the inline policies that an author wrote on the role."""
    listed = own.get("Policies")
    if not isinstance(listed, list):
        return packing.length_as_written(listed) if listed is not None else 0
    return sum(
        packing.length_as_written(policy.get("PolicyDocument", policy)) for policy in listed if isinstance(policy, dict)
    )


def _length(statements: list[Statement]) -> int:
    return packing.FRAME + sum(statement.length for statement in statements)


def _appended(node: Json, extra: list[Json], path: str, problems: Problems) -> Json:
    """`node`, a list or an `Fn::If` between lists, with `extra` at its end."""
    if node is None or node == NO_VALUE:
        return extra
    if isinstance(node, list):
        return [*node, *extra]
    if is_intrinsic(node):
        [(name, argument)] = node.items()
        if name == "Fn::If" and isinstance(argument, list) and len(argument) == len(("condition", "then", "else")):
            return {"Fn::If": [argument[0], *(_appended(branch, extra, path, problems) for branch in argument[1:])]}
        if path.endswith("/ManagedPolicyArns"):
            # A list of strings that only CloudFormation knows is split, and joined again with the rest.
            return {"Fn::Split": [",", {"Fn::Join": [",", [{"Fn::Join": [",", node]}, *extra]]}]}
    problems.append(
        Problem(
            path, "is not a list, so nothing can be added to it", "write a list, or Fn::If between lists", "wrong-type"
        )
    )
    return node


class _Resources:
    """The policies beside a role, with the conditions that they need."""

    def __init__(self, plan: RolePlan, template: Template) -> None:
        self._plan = plan
        self._template = template
        self.resources: dict[str, dict[str, Json]] = {}
        self.conditions: dict[str, Json] = {}
        self.later: list[str] = []

    def policy(
        self, resource_type: str, statements: list[Statement], properties: dict[str, Json], *, later: bool = False
    ) -> tuple[str, DecisionDiagram]:
        """Adds a policy; returns its logical ID, and under which conditions it exists if the role exists."""
        name = f"{self._plan.logical_id}Policy{len(self.resources) + 1 if self.resources else ''}"
        held = packing.held(statements)
        resource: dict[str, Json] = {"Type": resource_type}
        condition = self._condition(name, held)
        if condition:
            resource["Condition"] = condition
        resource["Properties"] = {**properties, "PolicyDocument": packing.document(statements)}
        self.resources[name] = resource
        if later:
            self.later.append(name)
        return name, held

    def _condition(self, name: str, held: DecisionDiagram) -> str | None:
        own = self._plan.condition
        if isinstance(held, bool):
            return own
        if own is None and held[1:] == (True, False):
            return held[0]
        expression = _expression(held)
        self.conditions[f"{name}Needed"] = {"Fn::And": [{"Condition": own}, expression]} if own else expression
        return f"{name}Needed"


def _expression(held: DecisionDiagram) -> Json:
    """A decision diagram as a condition expression."""
    if isinstance(held, bool):
        # A diagram has at most one level above these, and `_expression` reads both branches itself.
        raise TypeError(held)
    name, yes, no = held
    if_true: Json = {"Condition": name}
    if_false: Json = {"Fn::Not": [{"Condition": name}]}
    branches = []
    for here, below in ((if_true, yes), (if_false, no)):
        if below is True:
            branches.append(here)
        elif below is not False:
            branches.append({"Fn::And": [here, _expression(below)]})
    return branches[0] if len(branches) == 1 else {"Fn::Or": branches}
