"""The parts of a template that describe tasks: the resource types, and where they have their containers and their role.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ECS.html and …/AWS_Batch.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, starmap
from typing import TypeAlias

from ecs_exec_role.template.conditions import ALWAYS, PathCondition, difference
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.dependencies import Graph
from ecs_exec_role.template.event import Template
from ecs_exec_role.template.reader import UNEXPANDED, Reader, is_intrinsic
from ecs_exec_role.template.symbols import Json

ROLE = "AWS::IAM::Role"
BATCH = "AWS::Batch::JobDefinition"
EXPRESS = "AWS::ECS::ExpressGatewayService"

ROLE_PROPERTY = "ExecutionRoleArn"

Way: TypeAlias = "tuple[tuple[str, bool], ...]"
"""The way from one mapping to others below it: names of properties, each with whether it is a list of mappings."""

_BATCH_CONTAINER: Way = (("ContainerProperties", False),)
_BATCH_TASKS: Way = (("EcsProperties", False), ("TaskProperties", True))
_BATCH_NODES: Way = (("NodeProperties", False), ("NodeRangeProperties", True))
_CONTAINER_DEFINITIONS = "ContainerDefinitions"
_CONTAINERS: Way = ((_CONTAINER_DEFINITIONS, True),)
_ONE_ROLE: tuple[tuple[Way, Way], ...] = (((), _CONTAINERS),)
_CONTAINERS_OF_TASK: Way = (("Containers", True),)
_SOLE_CONTAINER: Way = (("PrimaryContainer", False),)

# For each type: the mappings that take an execution role of their own, and from there the containers and the volumes.
_HOLDERS: dict[str, tuple[tuple[Way, Way], ...]] = {
    "AWS::ECS::TaskDefinition": _ONE_ROLE,
    "AWS::ECS::DaemonTaskDefinition": _ONE_ROLE,
    EXPRESS: (((), _SOLE_CONTAINER),),
    BATCH: (
        (_BATCH_CONTAINER, ()),
        (_BATCH_TASKS, _CONTAINERS_OF_TASK),
        ((*_BATCH_NODES, ("Container", False)), ()),
        ((*_BATCH_NODES, *_BATCH_TASKS), _CONTAINERS_OF_TASK),
    ),
}

TYPES = tuple(_HOLDERS)
"""The resource types that are started with an execution role."""

PLACES = (*TYPES, ROLE)
"""The resource types that can have `ExecutionRoleSpec`."""

STARTERS = (
    "AWS::Events::Rule",
    "AWS::Scheduler::Schedule",
    "AWS::Pipes::Pipe",
    "AWS::StepFunctions::StateMachine",
    "AWS::Serverless::StateMachine",
)
"""The resource types that call `RunTask`, and can override what a definition says; see `needs.overrides`."""

RUNNERS = (
    "AWS::ECS::Service",
    "AWS::ECS::TaskSet",
    "AWS::ECS::Daemon",
    EXPRESS,
    *STARTERS,
    "AWS::Lambda::Function",
    "AWS::Serverless::Function",
    "AWS::CloudFormation::Stack",
    "AWS::CloudFormation::CustomResource",
    "Custom::",
)
"""The resource types that start, or may start, tasks of a definition that they refer to."""


def holders(reader: Reader, logical_id: str, path_condition: PathCondition = ALWAYS) -> Iterator[tuple[Cursor, Way]]:
    """The mappings of a definition that take `ExecutionRoleArn`, each with the way from it to its containers."""
    top = Cursor.of_resource(reader, logical_id, path_condition)
    reader.refuse_unexpanded(top.node, top.path)
    for way, containers_way in _HOLDERS.get(reader.template.types.get(logical_id, ""), ()):
        for holder in _follow(top, way):
            yield holder, containers_way


def containers(reader: Reader, logical_id: str, path_condition: PathCondition) -> Iterator[Cursor]:
    """The containers of a definition, under the conditions that they have."""
    return chain.from_iterable(starmap(_follow, holders(reader, logical_id, path_condition)))


def volumes(reader: Reader, logical_id: str, path_condition: PathCondition) -> Iterator[Cursor]:
    """The volumes of a definition, under the conditions that they have."""
    for holder, way in holders(reader, logical_id, path_condition):
        # In AWS Batch the volumes are beside the containers, or in the only container.
        if holder.has("Volumes") and way != _SOLE_CONTAINER:
            yield from holder.get("Volumes").mapping_items()


def _follow(start: Cursor, way: Way) -> Iterable[Cursor]:
    """The mappings at the end of a way that begins in a mapping."""
    if not way:
        return (start,)
    (name, is_list), rest = way[0], way[1:]
    here = start.get(name)
    found = here.mapping_items() if is_list else here.mappings()
    return chain.from_iterable(_follow(inner, rest) for inner in found) if rest else found


def lacks_containers(reader: Reader, logical_id: str) -> bool:
    """Whether a definition does not have the property that contains its containers, and nothing that could add it."""
    properties = reader.template.properties(logical_id)
    if _CONTAINER_DEFINITIONS in properties or _HOLDERS[reader.template.types[logical_id]] != _ONE_ROLE:
        return False
    return not any(key.startswith(UNEXPANDED) for key in properties)


Services: TypeAlias = "Mapping[str, Sequence[Cursor]]"
"""For each definition, by its logical ID: the `Properties` of the services that run it, under which conditions."""


def services(reader: Reader) -> Services:
    """The services of a template, by the definitions that they run."""
    found: dict[str, list[Cursor]] = {}
    for name in reader.template.by_type.get("AWS::ECS::Service", ()):
        service = Cursor.of_resource(reader, name, reader.template.path_condition_of(name))
        for text in service.get("TaskDefinition").texts():
            symbol = reader.symbols.sole(text.text)
            if symbol is not None and symbol.kind in ("Ref", "GetAtt"):
                found.setdefault(symbol.name, []).append(service.given(text.path_condition))
    return found


def proxies(service_connect: Cursor) -> Iterator[Cursor]:
    """The `ServiceConnectConfiguration` of a service wherever it can be enabled: then each task has a proxy."""
    for case in service_connect.mappings():
        enabled = case.get("Enabled").texts() if case.has("Enabled") else []
        off = [text.path_condition for text in enabled if text.text == "false"]
        for path_condition in difference(case.path_condition, off) if off else (case.path_condition,):
            yield case.given(path_condition)


def with_role(resource_type: str, properties: Json, arn: Json) -> Json:
    """A copy of a definition's properties with `ExecutionRoleArn` set at each place where its type takes it."""
    for way, _ in _HOLDERS[resource_type]:
        properties = _edited(properties, way, lambda holder: {**holder, ROLE_PROPERTY: arn})
    return properties


def _edited(node: Json, way: Way, edit: Callable[[dict[str, Json]], Json], *, is_list: bool = False) -> Json:
    """A copy of `node` with `edit` applied to each mapping at the end of the way, in every branch of `Fn::If`.

    The way begins at `node`, or at each of its items if it must be a list.
    """
    if is_intrinsic(node):
        if not isinstance(node.get("Fn::If"), list):
            return node
        condition, *branches = node["Fn::If"]
        return {"Fn::If": [condition, *(_edited(branch, way, edit, is_list=is_list) for branch in branches)]}
    if is_list:
        return [_edited(item, way, edit) for item in node] if isinstance(node, list) else node
    if not isinstance(node, dict):
        return node
    if not way:
        return edit(node)
    (name, has_items), rest = way[0], way[1:]
    inner = node.get(name)
    return node if inner is None else {**node, name: _edited(inner, rest, edit, is_list=has_items)}


def runners(template: Template, graph: Graph) -> dict[str, list[str]]:
    """For each definition, the logical IDs of what starts its tasks; first the definition, if it is a service too."""
    found = {name: [name] for name in template.by_type.get(EXPRESS, ())}
    for name, kind in template.types.items():
        if kind.startswith(RUNNERS):
            for named in graph.named_in(name):
                if template.types.get(named) in TYPES:
                    found.setdefault(named, []).append(name)
    return found
