"""The template with its roles: everything else is unchanged and in the same order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ecs_exec_role.errors import Problem, Problems
from ecs_exec_role.needs import definitions
from ecs_exec_role.roles import role
from ecs_exec_role.roles.assignment import Assignment, is_taken, refuse_long
from ecs_exec_role.roles.role import Built, RolePlan
from ecs_exec_role.settings import Settings
from ecs_exec_role.template.budget import MOST_WRITTEN, current
from ecs_exec_role.template.conditions import DecisionDiagram, both, diagram, nodes_of, when
from ecs_exec_role.template.dependencies import Graph
from ecs_exec_role.template.event import PROPERTY, Template, mapping
from ecs_exec_role.template.reader import is_intrinsic
from ecs_exec_role.template.symbols import Json, Symbols, references

MOST_RESOURCES = 500
"""The most resources that CloudFormation accepts in one template.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

_CHECKED = frozenset(("Metadata", "Condition", "DependsOn"))
"""The attributes of a resource that the macro adds to, or must know."""

_LENGTH_OF_ARN = len('"ExecutionRoleArn":{"Fn::GetAtt":["","Arn"]},')


def assemble(
    plans: Sequence[RolePlan],
    template: Template,
    symbols: Symbols,
    settings: Settings,
    graph: Graph,
    problems: Problems,
) -> dict[str, Json]:
    """The expanded template.

    Args:
        plans: its roles.
        template: the template before.
        symbols: what the roles' symbolic texts are made of.
        settings: knows the function that checks roles.
        graph: what waits for what once the roles are there.
        problems: what CloudFormation or IAM would refuse is added to these.
    """
    made = [_built(plan, template, symbols, settings, problems) for plan in plans]
    resources: dict[str, Json] = dict(mapping(template.fragment.get("Resources")))
    for built in made:
        _hand_out(built, template, resources)
    _wait(made, template, graph, resources)
    _refuse_malformed(resources, template, problems)
    ordered: dict[str, Json] = {}
    new = {built.plan.owner: built.resources for built in made}
    for name, resource in resources.items():
        ordered[name] = resource
        if name in new:
            ordered.update(new[name])
    if len(ordered) > MOST_RESOURCES:
        what = f"has {len(ordered)} resources once its roles are added; CloudFormation takes {MOST_RESOURCES}"
        problems.append(Problem("Resources", what, "let definitions share a role, or split the stack", "too-large"))
    expanded = {**template.fragment, "Resources": ordered}
    conditions = {name: node for built in made for name, node in built.conditions.items()}
    if conditions:
        declared = template.fragment.get("Conditions")
        if not isinstance(declared, dict):
            what = "is missing or not a mapping, and the roles depend on conditions"
            problems.append(Problem("Conditions", what, "declare the conditions that Fn::If names", "wrong-type"))
        expanded["Conditions"] = {**mapping(declared), **conditions}
    _refuse_too_large(expanded, template, problems)
    return expanded


def _built(plan: RolePlan, template: Template, symbols: Symbols, settings: Settings, problems: Problems) -> Built:
    """What one role adds to the template, with the resource that checks it."""
    built = role.build(plan, template, problems)
    if plan.spec.preflight:
        # Most templates do not ask for the check.
        from ecs_exec_role.roles.preflight_resource import preflight_resource  # noqa: PLC0415

        check = f"{plan.logical_id}Preflight"
        resource = preflight_resource(plan, symbols, settings, built.awaited, problems)
        if resource is not None:
            built.resources[check] = resource
            built.awaited.append(check)
    if len(built.resources) > 1:
        _refuse_taken(built, template, problems)
    return built


def _refuse_taken(built: Built, template: Template, problems: Problems) -> None:
    """Refuses names that the template uses already; the role's own name was checked before."""
    plan = built.plan
    for name in built.resources:
        if name != plan.logical_id and not refuse_long(problems, plan.spec_path, name) and is_taken(template, name):
            what = f"makes a resource {name}, and that logical ID is in use already"
            problems.append(Problem(plan.spec_path, what, f"rename the other {name}", "logical-id-taken"))
    for name in built.conditions:
        if name in mapping(template.fragment.get("Conditions")):
            what = f"makes a condition {name}, and that name is in use already"
            problems.append(Problem(plan.spec_path, what, f"rename the other {name}", "logical-id-taken"))


def _hand_out(built: Built, template: Template, resources: dict[str, Json]) -> None:
    """Writes a role, sets it on the definitions that use it, and removes the spec from those that have it."""
    assignment = built.plan.assignment
    role_id, owner = assignment.logical_id, assignment.owner
    if owner == role_id:
        resources[role_id] = built.resources[role_id]
        if assignment.spec.shared is None:
            return  # The definitions name the role themselves.
    arn: Json = {"Fn::GetAtt": [role_id, "Arn"]}
    for use in assignment.used:
        definition = use.logical_id
        resource = resources[definition]
        properties = {**mapping(resource.get("Properties"))}
        properties.pop(PROPERTY, None)
        # A definition with a spec of its own has its role under the same conditions as the role has itself.
        held = definition == owner or _role_held(assignment, definition, template)
        current().write((1 + nodes_of(held)) * len(role_id) + _LENGTH_OF_ARN)
        properties = definitions.with_role(template.types[definition], properties, when(held, arn))
        resources[definition] = {**resource, "Properties": properties}


def _role_held(assignment: Assignment, definition: str, template: Template) -> DecisionDiagram:
    """Under which conditions a definition gets the role: the role's own, and those of its entry in the spec."""
    given = assignment.given
    path_conditions = [
        path_condition
        for use in assignment.used
        if use.logical_id == definition and (path_condition := both(use.path_condition, given)) is not None
    ]
    return diagram(path_conditions, template.path_condition_of(definition))


def _wait(made: Sequence[Built], template: Template, graph: Graph, resources: dict[str, Json]) -> None:
    """Makes what runs a task wait for the policies and the check of its role."""
    awaited = [built for built in made if built.awaited]
    if not awaited:
        return
    runners = definitions.runners(template, graph)
    waits: dict[str, list[str]] = {}
    for built in awaited:
        plan = built.plan
        uses = (*plan.used, *plan.assignment.others)
        starting = [runner for use in uses for runner in runners.get(use.logical_id, ())]
        if not starting:
            continue
        # A resource that a policy or a check waits for cannot wait for that policy or check.
        needed = set().union(*(references(built.resources[name]) for name in built.awaited)) - {plan.logical_id}
        for runner in starting:
            if not graph.reaches(needed, runner):
                waits.setdefault(runner, []).extend(built.awaited)
    for runner, names in waits.items():
        resource = resources[runner]
        said = resource.get("DependsOn")
        before = said if isinstance(said, list) else [] if said is None else [said]
        resources[runner] = {
            **resource,
            "DependsOn": [*before, *(name for name in dict.fromkeys(names) if name not in before)],
        }


def _refuse_malformed(resources: Mapping[str, Json], template: Template, problems: Problems) -> None:
    """Refuses attributes of a wrong type on the resources that are changed: the macro could only overwrite them.

    See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
    """
    for name, before in template.resources.items():
        if resources[name] is before or _CHECKED.isdisjoint(before):
            continue
        metadata, condition, depends_on = before.get("Metadata"), before.get("Condition"), before.get("DependsOn")
        if template.types[name] == definitions.ROLE and (
            not isinstance(metadata, (dict, type(None))) or is_intrinsic(metadata)
        ):
            what, fix = (
                "is not a mapping, so nothing can be added to it",
                "write a mapping, with functions in its values",
            )
            problems.append(Problem(f"Resources/{name}/Metadata", what, fix, "wrong-type"))
        if not isinstance(condition, (str, type(None))):
            what, fix = "is not the name of a condition", "write a name that Conditions declares"
            problems.append(Problem(f"Resources/{name}/Condition", what, fix, "wrong-type"))
        listed = depends_on if isinstance(depends_on, list) else [] if depends_on is None else [depends_on]
        if not all(isinstance(item, str) for item in listed):
            what, fix = "is neither a logical ID nor a list of logical IDs", "write logical IDs"
            problems.append(Problem(f"Resources/{name}/DependsOn", what, fix, "wrong-type"))


def _refuse_too_large(expanded: dict[str, Json], template: Template, problems: Problems) -> None:
    # The added length is known roughly. To measure it takes as long as to write it: only lengths near the limit are
    # measured.
    if template.size + current().written > MOST_WRITTEN // 4:
        sections = [node for name, node in expanded.items() if name != "Resources"]
        length = sum(
            len(json.dumps(node, separators=(",", ":"))) for node in (*sections, *expanded["Resources"].values())
        )
        length += sum(len(name) + len('"":,') for name in expanded["Resources"])
        if length > MOST_WRITTEN:
            what = f"has {length:,} characters once its roles are added; a macro can return {MOST_WRITTEN:,}"
            problems.append(Problem("template", what, "let definitions share a role, or split the stack", "too-large"))
