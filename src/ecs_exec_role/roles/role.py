"""One role: its resource, and the policies beside it."""

from __future__ import annotations

import json

from ecs_exec_role import __version__
from ecs_exec_role.errors import LateProblem, Problem, Problems
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.definitions import ROLE
from ecs_exec_role.needs.need import Need, Note
from ecs_exec_role.policies import packing
from ecs_exec_role.policies.packing import Packed
from ecs_exec_role.policies.statements import Statement
from ecs_exec_role.roles.assignment import Assignment, Used
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.budget import current
from ecs_exec_role.template.conditions import DecisionDiagram, PathCondition, when
from ecs_exec_role.template.event import PROPERTY, Template, mapping
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
        assignment: which role it is, what its author wrote, after the guardrails, and what uses it.
        needs: what its tasks need.
        statements: what is in the role itself or in managed policies, in the order of its policies.
        attached_later: what is in a separate policy: in the role it would create a circular dependency.
        notes: what was examined and needs nothing.
        warned: what may still be missing; see `warnings`.
        asked: what the check at deployment asks about although the macro does not write its policy, if anything.
    """

    assignment: Assignment
    needs: tuple[Need, ...]
    statements: tuple[Statement, ...]
    attached_later: tuple[Statement, ...]
    notes: tuple[Note, ...]
    warned: tuple[Problem | LateProblem, ...]
    asked: tuple[Statement, ...] = ()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What may still be missing, each with its text."""
        return tuple([each.write() if isinstance(each, LateProblem) else each for each in self.warned])

    @property
    def all_statements(self) -> tuple[Statement, ...]:
        """All statements of the role."""
        return (*self.statements, *self.attached_later)

    @property
    def spec(self) -> Spec:
        """What its author wrote, after the guardrails."""
        return self.assignment.spec

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


class Built:
    """What one role adds to a template.

    Attributes:
        plan: the role.
        resources: its resources by logical ID, the role first.
        conditions: the conditions that they need.
        awaited: the logical IDs of those that must be there before a task starts.
    """

    def __init__(self, plan: RolePlan, role: dict[str, Json]) -> None:
        self.plan = plan
        self.resources = {plan.assignment.logical_id: role}
        self.conditions: dict[str, Json] = {}
        self.awaited: list[str] = []

    def add_policy(
        self, resource_type: str, statements: list[Statement], properties: dict[str, Json]
    ) -> tuple[str, DecisionDiagram]:
        """Adds a policy beside the role; returns its logical ID, and when it exists if the role exists."""
        number = len(self.resources)
        name = f"{self.plan.logical_id}Policy{number if number > 1 else ''}"
        held = packing.held(statements)
        resource: dict[str, Json] = {"Type": resource_type}
        condition = self._condition(name, held)
        if condition:
            resource["Condition"] = condition
        resource["Properties"] = {**properties, "PolicyDocument": packing.document(statements)}
        self.resources[name] = resource
        return name, held

    def _condition(self, name: str, held: DecisionDiagram) -> str | None:
        own = self.plan.condition
        if isinstance(held, bool):
            return own
        if own is None and held[1:] == (True, False):
            return held[0]
        expression = _expression(held)
        self.conditions[f"{name}Needed"] = {"Fn::And": [{"Condition": own}, expression]} if own else expression
        return f"{name}Needed"


def build(plan: RolePlan, template: Template, problems: Problems) -> Built:
    """Makes the resources of a role.

    Args:
        plan: what the role must contain.
        template: the template of the role.
        problems: what IAM would refuse is added to these.
    """
    assignment = plan.assignment
    role_id, spec = assignment.logical_id, assignment.spec
    if assignment.owner == role_id:
        role = {**template.resources[role_id]}
        made = {name: node for name, node in mapping(role.get("Properties")).items() if name != PROPERTY}
        made.update(spec.properties)
        if made.get("AssumeRolePolicyDocument") in (None, NO_VALUE):
            made["AssumeRolePolicyDocument"] = TRUST_POLICY
        here = f"Resources/{role_id}/Properties"
    else:
        role = {"Type": ROLE}
        made = {"AssumeRolePolicyDocument": TRUST_POLICY, **spec.properties}
        here = spec.path
    built = Built(plan, role)

    room = packing.LARGEST_INLINE - _inline_length(made)
    packed = packing.pack(plan.statements, room)
    attached: list[Json] = [STARTER_POLICY] if spec.starter else []
    for statements in packed.managed:
        name, held = built.add_policy("AWS::IAM::ManagedPolicy", statements, {})
        attached.append(when(held, {"Ref": name}))
    later = packing.NOTHING
    if plan.attached_later:
        later = packing.pack(plan.attached_later, room - _length(packed.inline))
        _attach_later(built, later)

    listed = made.get("ManagedPolicyArns")
    if listed is not None or packed.managed or later.managed:
        _refuse_too_many(plan, packed, later, listed, here, problems)
    if attached:
        made["ManagedPolicyArns"] = _appended(listed, attached, f"{here}/ManagedPolicyArns", problems)
    if packed.inline:
        policy = packing.inline_policy(_policy_name(made), packed.inline)
        made["Policies"] = _appended(made.get("Policies"), [policy], f"{here}/Policies", problems)
    if assignment.condition:
        role["Condition"] = assignment.condition
    role["Metadata"] = {**mapping(role.get("Metadata")), **_metadata(plan)}
    role["Properties"] = made
    return built


def _attach_later(built: Built, later: Packed) -> None:
    """Adds the policies that are attached to the role, since in it they would create a circular dependency."""
    ref = {"Ref": built.plan.logical_id}
    for statements in later.managed:
        name, _ = built.add_policy("AWS::IAM::ManagedPolicy", statements, {"Roles": [ref]})
        built.awaited.append(name)
    if later.inline:
        named = {"PolicyName": f"{POLICY_NAME}Deferred", "RoleName": ref}
        name, _ = built.add_policy("AWS::IAM::RolePolicy", later.inline, named)
        built.awaited.append(name)


def _refuse_too_many(
    plan: RolePlan, packed: Packed, later: Packed, listed: Json, here: str, problems: Problems
) -> None:
    """Refuses more managed policies than IAM takes, and longer ones. `listed` are those of the author."""
    managed = [*packed.managed, *later.managed]
    for statements in managed:
        if _length(statements) > packing.LARGEST_MANAGED:
            place = statements[0].paths[0]
            what = f"makes a policy of {_length(statements):,} characters; IAM takes {packing.LARGEST_MANAGED:,}"
            problems.append(Problem(place, what, "split the statement, or shorten what it names", "too-large"))
    total = plan.spec.starter + len(managed) + (len(listed) if isinstance(listed, list) else 0)
    if managed and total > packing.MOST_MANAGED:
        what = (
            f"needs {packed.length + later.length:,} characters of policies; the {packing.LARGEST_INLINE:,} of a"
            f" role's own policies and {packing.MOST_MANAGED} managed policies are not enough: it needs {total}"
        )
        problems.append(
            Problem(plan.spec_path, what, "split the definition, or give its containers fewer secrets", "too-large")
        )
    certain = plan.spec.starter + _certain(listed)
    if not managed and certain > packing.MOST_MANAGED_ON_REQUEST:
        what = f"gives the role {certain} managed policies; IAM takes at most {packing.MOST_MANAGED_ON_REQUEST}"
        problems.append(Problem(f"{here}/ManagedPolicyArns", what, "remove some, or merge them", "too-large"))


def room(logical_id: str, template: Template) -> int:
    """The characters that a role has for statements, including those that are attached later."""
    return packing.LARGEST_INLINE - _inline_length(template.properties(logical_id)) - 2 * packing.FRAME


def _certain(listed: Json) -> int:
    """How many items of a list are there under every condition."""
    items = listed if isinstance(listed, list) else []
    return sum(item != NO_VALUE and "Fn::If" not in mapping(item) for item in items)


def _metadata(plan: RolePlan) -> dict[str, Json]:
    asked = {statement.sid: list(statement.paths) for statement in plan.all_statements if statement.sid}
    current().write(len('","'.join([path for paths in asked.values() for path in paths])))
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
