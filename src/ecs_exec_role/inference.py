"""Finds what tasks need, from definitions and from the lists of a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecs_exec_role.errors import LateProblem, Problem
from ecs_exec_role.features import (
    CONTAINER_DEFAULTS,
    CONTAINER_PROPERTIES,
    DECLARE,
    FINISH,
    SERVICE_PROPERTIES,
    VOLUME_PROPERTIES,
    environment_files,
    images,
)
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.needs.context import NO_PULL_CONDITIONS, UNRESOLVED, InferenceContext, PullConditions
from ecs_exec_role.needs.definitions import Services
from ecs_exec_role.needs.feature import Infer
from ecs_exec_role.needs.need import Need, Note
from ecs_exec_role.roles.assignment import Used
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import UNREAD, Reader

MOST_SOURCE_CONDITIONS = 6
"""The most conditions in `SourceVpcs` and `SourceVpcEndpoints`: six of them make up to 64 statements."""


SKIPPED = ", and `Unresolved: Ignore` skips it"
"""The end of a note about a part of a definition that cannot be read."""


class Inference(NamedTuple):
    """What was found for one role: its needs, what was examined and needs nothing, and what may be missing."""

    needs: tuple[Need, ...]
    notes: tuple[Note, ...]
    warned: tuple[Problem | LateProblem, ...]


def infer(
    reader: Reader, services: Services, spec: Spec, used: Sequence[Used], *, can_ignore: bool = True
) -> Inference:
    """What a role needs for the definitions that use it, and by the lists of its spec.

    Args:
        reader: reads the template; what is wrong in it is added to its problems.
        services: those of the template, as `definitions.services` gives them.
        spec: what the author of the role said.
        used: the definitions that get the role.
        can_ignore: whether `Unresolved: Ignore` has an effect.
    """
    context = _context(reader, spec, can_ignore=can_ignore)
    if not spec.starter:
        if spec.infer:
            _warn_of_nothing_to_infer(context, spec, used)
            _of_definitions(context, services, used)
        for name, entries in spec.entries.items():
            for entry in entries:
                DECLARE[name](context, entry)
        for finish in FINISH:
            finish(context)
        if spec.infer and not reader.template.by_type.keys().isdisjoint(definitions.STARTERS):
            from ecs_exec_role.needs import overrides  # noqa: PLC0415 - nothing in most templates starts tasks

            read = {need.target for need in context.needs if need.grant is environment_files.READ}
            overrides.report(context, (use.logical_id for use in used), read)
    return _found(context)


def _found(context: InferenceContext) -> Inference:
    for problem in context.refused:
        context.reader.problems.append_once(problem)
    return Inference(tuple(context.needs), tuple(context.notes), tuple(context.warned))


def _warn_of_nothing_to_infer(context: InferenceContext, spec: Spec, used: Sequence[Used]) -> None:
    """Warns of a spec on a role that no definition has, and that lists nothing."""
    if used or spec.entries or spec.statements or not context.reader.template.whole:
        return
    role = spec.path.split("/")[1]
    what = "grants nothing, because no task definition of this template has this role"
    fix = f"write `ExecutionRoleArn: !GetAtt {role}.Arn` on the definition, or list the definition in TaskDefinitions"
    context.warn(spec.path, what, fix, "no-such-definition")


def of_tasks(
    reader: Reader, services: Services, spec: Spec, used: Sequence[Used], *, can_ignore: bool = True
) -> Inference:
    """What the definitions need, even if the spec infers nothing: for a check of roles that the macro does not write.

    What is wrong in the definitions is reported where their needs are granted, not here. So is what cannot be
    classified, unless it must not be ignored: then there is no other place.
    """
    context = _context(reader, spec._replace(ignore_unresolved=can_ignore), can_ignore=can_ignore)
    with reader.problems.aside() as found:
        _of_definitions(context, services, used)
        inferred = _found(context)
    reader.problems.extend(problem for problem in found if problem.code in (UNRESOLVED, UNREAD) and not can_ignore)
    return inferred


def _context(reader: Reader, spec: Spec, *, can_ignore: bool) -> InferenceContext:
    declared: dict[str, set[str]] = {}
    keyed: set[str] = set()
    for name, entries in spec.entries.items():
        for entry in entries:
            if isinstance(entry.value.node, bool):
                continue
            texts = {text.text for text in entry.value.texts()}
            declared.setdefault(name, set()).update(texts)
            key = entry.given("KmsKey")
            if key is not None and not key.absences():
                keyed.update(texts)
    return InferenceContext(
        reader,
        spec_path=spec.path,
        ignore_unresolved=spec.ignore_unresolved and can_ignore,
        can_ignore=can_ignore,
        mistaken=spec.mistaken,
        declared=declared,
        entries=spec.entries,
        keyed=keyed,
        pull_conditions=_pull_conditions(reader, spec),
    )


def _pull_conditions(reader: Reader, spec: Spec) -> PullConditions:
    """The conditions on pulling images, for each combination of the template's conditions: so these must be few."""
    names = {name for path_condition, _ in (*spec.vpcs, *spec.endpoints) for name, _ in path_condition}
    if len(names) <= MOST_SOURCE_CONDITIONS:
        return images.source_conditions(spec.vpcs, spec.endpoints)
    key = "SourceVpcs" if spec.vpcs else "SourceVpcEndpoints"
    what = f"depends on {len(names)} conditions; each way in which they can be met would take a statement of its own"
    fix = f"use at most {MOST_SOURCE_CONDITIONS} conditions in SourceVpcs and SourceVpcEndpoints together"
    reader.problems.append(Problem(f"{spec.path}/{key}", what, fix, "too-many-conditions"))
    return NO_PULL_CONDITIONS


def _of_definitions(context: InferenceContext, services: Services, used: Sequence[Used]) -> None:
    """Finds what definitions need. A part of them that cannot be read is a mistake, unless the spec says to skip it."""
    problems = context.reader.problems
    with problems.aside() as found:
        for logical_id, path_condition in dict.fromkeys((use.logical_id, use.path_condition) for use in used):
            context.definition = logical_id
            _of_definition(context, services.get(logical_id, ()), path_condition)
    context.definition = ""
    for problem in found:
        if problem.code == UNREAD and context.can_ignore and "Unresolved" in context.mistaken:
            continue
        if problem.code == UNREAD and context.ignore_unresolved:
            context.note(problem.path, f"{problem.what}{SKIPPED}", "", code=UNREAD)
        elif problem.code == UNREAD and not context.can_ignore:
            problems.append(problem._replace(fix="write what it gives"))
        else:
            problems.append(problem)


def _of_definition(context: InferenceContext, services: Sequence[Cursor], path_condition: PathCondition) -> None:
    """Finds what one definition needs, as its own properties and those of the services that run it say."""
    reader = context.reader
    if definitions.lacks_containers(reader, context.definition):
        what = "has no ContainerDefinitions, so there is nothing to infer from it"
        context.warn(f"Resources/{context.definition}/Properties", what, "add its containers", "no-containers")
    defaults = CONTAINER_DEFAULTS.get(context.definition_type, ())
    for container in definitions.containers(reader, context.definition, path_condition):
        _of_properties(context, container, CONTAINER_PROPERTIES)
        for infer_default in defaults:
            infer_default(context, container)
    for volume in definitions.volumes(reader, context.definition, path_condition):
        for case in volume.mappings():
            _of_properties(context, case, VOLUME_PROPERTIES)
    for service in services:
        running = service.under(path_condition)
        if running is not None:
            _of_properties(context, running, SERVICE_PROPERTIES)


def _of_properties(context: InferenceContext, cursor: Cursor, properties: Mapping[str, Sequence[Infer]]) -> None:
    """Finds the needs of each property of a mapping that a feature reads."""
    for name in cursor.node if isinstance(cursor.node, dict) else ():
        if name in properties:
            value = cursor.get(name)
            for infer_property in properties[name]:
                infer_property(context, value)
