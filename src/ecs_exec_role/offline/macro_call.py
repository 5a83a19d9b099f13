"""Expands a template file as the macro does when CloudFormation calls it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.offline import parameters
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate
from ecs_exec_role.offline.loops import LOOP, unrolled_file
from ecs_exec_role.offline.source_map import value_at
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.pipeline import expand
from ecs_exec_role.policies.statements import Statement
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.settings import DESK_PREFLIGHT, Settings, from_environment
from ecs_exec_role.template.event import PROPERTY, TOO_DEEP, is_read, mapping
from ecs_exec_role.template.reader import UNREAD
from ecs_exec_role.template.symbols import Json, Symbols, references

MACRO = "EcsExecRole"
LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"
_ADD_NO_SPEC = (LANGUAGE_EXTENSIONS, "AWS::Serverless-2016-10-31", "AWS::CodeDeployBlueGreen")
"""Transforms that do not add a spec to a template; `AWS::Include` can."""
DEFAULT_REGION = "us-east-1"
DEFAULT_ACCOUNT = "123456789012"


class StackValues(NamedTuple):
    """Where a template is deployed, and with which parameters; region and account are empty if they are not known.

    `guardrails` are environment variables of the macro's function, which are used before those of this process.
    """

    region: str = ""
    account: str = ""
    values: Mapping[str, str] = {}
    symbolic: bool = False
    guardrails: Mapping[str, str] = {}

    @classmethod
    def of(cls, region: str | None, account: str | None, values: Mapping[str, str]) -> StackValues:
        """The stack that options describe; the region may come from AWS's own environment variables."""
        region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        return cls(region, account or "", values)


class Call(NamedTuple):
    """The macro's answers when CloudFormation calls it for a template: for each snippet, and for the whole template.

    Attributes:
        data: the template with its snippets expanded.
        fragment: the whole template expanded, without its `Transform`; None where the macro refuses it.
        roles: the roles, with what their texts are made of.
        warnings: what may be missing.
        problems: what the macro refuses, with paths of the whole template.
        listed: whether the macro is among the template's transforms.
        others: the other transforms.
        whole: how many of the roles are of the whole template, not of a snippet.
    """

    data: dict[str, Json]
    fragment: dict[str, Json] | None
    roles: tuple[tuple[RolePlan, Symbols], ...]
    warnings: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    listed: bool
    others: tuple[Json, ...]
    whole: int


class Expanded(NamedTuple):
    """An expanded template: its value, its roles with what their texts are made of, and the warnings."""

    data: dict[str, Json]
    roles: tuple[tuple[RolePlan, Symbols], ...]
    warnings: tuple[Problem, ...]


def event(stack: StackValues, data: Mapping[str, Any], fragment: Json, params: Mapping[str, Json]) -> dict[str, Json]:
    """The event that CloudFormation would send to the macro.

    Args:
        stack: where the template is deployed to.
        data: the whole template, for its parameters.
        fragment: what the macro must expand.
        params: `Parameters` of the `Transform`.
    """
    account = stack.account or DEFAULT_ACCOUNT
    return {
        "accountId": account,
        "region": stack.region or DEFAULT_REGION,
        "requestId": "00000000-0000-0000-0000-000000000000",
        "transformId": f"{account}::{MACRO}",
        "params": dict(params),
        "templateParameterValues": parameters.of_template(data, stack.values, symbolic=stack.symbolic),
        "fragment": fragment,
    }


def assumed_event(stack: StackValues, data: Mapping[str, Any], fragment: Json) -> dict[str, Json]:
    """As `event`, for any stack: an empty default is not used as the value of a stack.

    An optional parameter has an empty default. At a place that is only reached with a value, it can be any text.
    """
    found = event(stack, data, fragment, {})
    values = found["templateParameterValues"]
    return {
        **found,
        "templateParameterValues": {
            name: value for name, value in values.items() if value != "" or name in stack.values
        },
    }


def expanded(template: TemplateFile, stack: StackValues, settings: Settings | None = None) -> Expanded:
    """The template after CloudFormation has called the macro: first for the snippets, from the inside out, then for it.

    Other transforms are not changed.

    Args:
        template: the template before.
        stack: where it is deployed, and with which parameters.
        settings: what the macro's owner has set; None: read them from the environment variables of this process.

    Raises:
        InvalidTemplate: the macro would refuse the template; each problem has its position in the file.
        InvalidInput: a guardrail in the environment has a mistake.
    """
    if settings is None:
        settings = settings_of(stack)
    template = with_loops_unrolled(template, stack)
    called = call(template.data, stack, settings)
    if called.fragment is None or called.problems:
        problems = (_loop_problem(template.data, problem) for problem in called.problems)
        raise InvalidTemplate(map(template.mistake, problems))
    warnings = list(called.warnings)
    missing = [] if stack.symbolic else list(_without_value(template.data, stack, called.roles))
    if missing:
        raise InvalidTemplate(map(template.mistake, missing))
    if called.whole and not called.listed:
        fix = f"write `Transform: {MACRO}`"
        what = f"the template has an {PROPERTY}, but CloudFormation will not call the macro"
        warnings.append(Problem("", what, fix, "macro-not-called"))
    warnings.extend(called_for_nothing(template.data))
    result = _with_transforms(called.data, called.fragment, called.others)
    warnings.extend(loops_left(template.data))
    return Expanded(result, called.roles, tuple(dict.fromkeys(warnings)))


def call(data: dict[str, Json], stack: StackValues, settings: Settings) -> Call:
    """Calls the macro as CloudFormation would: for the snippets, from the inside out, and then for the whole template.

    Args:
        data: the template, with its loops expanded.
        stack: where it is deployed, and with which parameters.
        settings: what the macro's owner has set.
    """
    roles: list[tuple[RolePlan, Symbols]] = []
    warnings: list[Problem] = []
    problems: list[Problem] = []

    def snippets(node: Json, path: str) -> Json:
        if isinstance(node, list):
            return [snippets(item, f"{path}/{index}") for index, item in enumerate(node)]
        if not isinstance(node, dict):
            return node
        node = {key: snippets(child, f"{path}/{key}".lstrip("/")) for key, child in node.items()}
        transform = node.get("Fn::Transform")
        if not isinstance(transform, dict) or transform_name(transform) != MACRO:
            return node
        siblings = {key: child for key, child in node.items() if key != "Fn::Transform"}
        # The parameters as they are written: the engine refuses what is not a mapping.
        snippet = {**event(stack, data, siblings, {}), "params": transform.get("Parameters")}
        try:
            answer = expand(snippet, settings)
        except TemplateError as error:
            problems.extend(_placed(problem, path) for problem in error.problems)
            return siblings
        role = path.split("/")[1] if path.startswith("Resources/") else path
        roles.extend((_snippet_plan(plan, role, path), answer.symbols) for plan in answer.roles)
        warnings.extend(_placed(warning, path) for warning in answer.warnings)
        return answer.fragment

    listed, others, params = _transforms(data.get("Transform"))
    inner, fragment, whole = data, None, 0
    try:
        inner = snippets(data, "")
        answer = expand(event(stack, inner, {key: inner[key] for key in inner if key != "Transform"}, params), settings)
        fragment, whole = answer.fragment, len(answer.roles)
        roles.extend((plan, answer.symbols) for plan in answer.roles)
        warnings.extend(answer.warnings)
    except TemplateError as error:
        problems.extend(error.problems)
    except RecursionError:
        problems.append(TOO_DEEP)
    return Call(inner, fragment, tuple(roles), tuple(warnings), tuple(problems), listed, tuple(others), whole)


def _without_value(
    data: Mapping[str, Any], stack: StackValues, roles: Iterable[tuple[RolePlan, Symbols]]
) -> Iterator[Problem]:
    """The parameters without a value that are needed to find what a role is granted."""
    declared = mapping(data.get("Parameters"))
    unknown = {
        name
        for name, parameter in declared.items()
        if name not in stack.values and "Default" not in mapping(parameter) and is_read(parameter)
    }
    asked: dict[str, str] = {}
    for plan, symbols in roles if unknown else ():
        for need in plan.needs:
            texts = [need.resource, need.target, *(value for _, _, values in need.conditions for value in values)]
            for symbol in symbols.within("".join(texts)):
                for lookup in _lookups(symbol.node) if symbol.kind == "Opaque" else ():
                    for name in sorted(references(lookup) & unknown):
                        asked.setdefault(name, _place(data, need.path, lookup))
    for name, path in asked.items():
        what = f"depends on the parameter {name}, which has no value here and no default"
        yield Problem(path, what, f"give it, as in `--parameter {name}=…`", "parameter-without-value")


def _lookups(node: Json) -> Iterator[Json]:
    """The functions `Fn::FindInMap` in a value."""
    if isinstance(node, dict):
        if "Fn::FindInMap" in node:
            yield node
        for child in node.values():
            yield from _lookups(child)
    elif isinstance(node, list):
        for item in node:
            yield from _lookups(item)


def _place(data: Json, path: str, wanted: Json) -> str:
    """Where a value is written: at a path, or beside it, as the key of what is read there is."""
    parent = path.rpartition("/")[0]
    for place in (path, parent):
        found = next(_paths(value_at(data, place), place, wanted), "")
        if found:
            return found
    return path


def _paths(node: Json, path: str, wanted: Json) -> Iterator[str]:
    """The paths at and below `path` of the values that are `wanted`."""
    if node == wanted:
        yield path
    elif isinstance(node, (dict, list)):
        for step, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _paths(child, f"{path}/{step}", wanted)


def settings_of(stack: StackValues) -> Settings:
    """The settings of the macro, from the environment variables of its function."""
    try:
        return from_environment({**os.environ, **stack.guardrails}, DESK_PREFLIGHT)
    except TemplateError as error:
        raise InvalidInput(str(error)) from None


def _placed(problem: Problem, path: str) -> Problem:
    """A snippet's problem with its path in the whole template; the engine only knows the path in the snippet."""
    return problem._replace(path=_path_placed(problem.path, path))


def _path_placed(inner: str, path: str) -> str:
    """A path in a snippet as one in the whole template."""
    if inner.startswith("Resources/Role/Properties"):
        return path + inner.removeprefix("Resources/Role/Properties")
    return f"{path}/{inner}" if inner.startswith("Fn::Transform") else path


def _snippet_plan(plan: RolePlan, role: str, path: str) -> RolePlan:
    """A snippet's plan with the role's own name and with paths in the whole template."""
    statements = tuple(_statement_placed(statement, path) for statement in plan.statements)
    notes = tuple(note._replace(path=_path_placed(note.path, path)) for note in plan.notes)
    spec = plan.spec._replace(path=f"{path}/Fn::Transform")
    assignment = plan.assignment._replace(logical_id=role, owner=role, spec=spec)
    return plan._replace(assignment=assignment, statements=statements, notes=notes)


def _statement_placed(statement: Statement, path: str) -> Statement:
    def placed(inner: str) -> str:
        return _path_placed(inner, path)

    needs = tuple(need._replace(path=placed(need.path)) for need in statement.needs)
    return statement._replace(needs=needs, paths=tuple(map(placed, statement.paths)))


def transform_name(transform: Json) -> str:
    """A transform's name; for a macro, without the account that can precede it."""
    name = transform.get("Name") if isinstance(transform, dict) else transform
    name = name if isinstance(name, str) else ""
    return MACRO if name.endswith(f"::{MACRO}") else name


def called_for_nothing(data: Mapping[str, Json]) -> Iterator[Problem]:
    """A warning where a template calls the macro and has no spec, and no other macro or include can add one."""
    names = list(map(transform_name, transforms_of(data)))
    if MACRO not in names or any(name not in (MACRO, *_ADD_NO_SPEC) for name in names):
        return
    text = json.dumps(data, default=str)
    if not any(f'"{key}"' in text for key in (PROPERTY, "Fn::Transform")):
        fix = f"write `{PROPERTY}: Auto` in the Properties of a task definition, or remove {MACRO} from Transform"
        yield Problem("Transform", f"calls the macro, but the template has no {PROPERTY}", fix, "no-spec")


def transforms_of(data: Mapping[str, Json]) -> list[Json]:
    """The transforms of a template, in their order in the template; CloudFormation calls the last one first."""
    node = data.get("Transform")
    return node if isinstance(node, list) else [] if node is None else [node]


def _transforms(node: Json) -> tuple[bool, list[Json], dict[str, Json]]:
    """Whether the macro is among a template's transforms, the others, and the macro's parameters."""
    listed = False
    others: list[Json] = []
    params: dict[str, Json] = {}
    for item in transforms_of({"Transform": node}):
        if transform_name(item) == MACRO:
            listed = True
            params = mapping(item.get("Parameters")) if isinstance(item, dict) else {}
        else:
            others.append(item)
    return listed, others, params


def _with_transforms(data: Mapping[str, Json], fragment: dict[str, Json], others: Sequence[Json]) -> dict[str, Json]:
    """The fragment with the other transforms, at their places in the template."""
    if not others:
        return fragment
    result: dict[str, Json] = {}
    for key in data:
        if key == "Transform":
            result[key] = others[0] if not isinstance(data[key], list) else list(others)
        elif key in fragment:
            result[key] = fragment[key]
    return {**result, **{key: child for key, child in fragment.items() if key not in result}}


def _unrolls(data: Mapping[str, Json]) -> bool:
    """Whether AWS::LanguageExtensions expands loops before CloudFormation calls the macro."""
    node = data.get("Transform")
    names = [
        item.get("Name") if isinstance(item, dict) else item for item in (node if isinstance(node, list) else [node])
    ]
    return LANGUAGE_EXTENSIONS in names and MACRO not in names[: names.index(LANGUAGE_EXTENSIONS)]


def with_loops_unrolled(template: TemplateFile, stack: StackValues) -> TemplateFile:
    """The template as the macro gets it: with its loops unrolled, if AWS::LanguageExtensions does that before.

    Raises:
        InvalidTemplate: the loops make more than can be read.
    """
    if not _unrolls(template.data):
        return template
    try:
        return unrolled_file(template, parameters.of_template(template.data, stack.values))
    except TemplateError as error:
        raise InvalidTemplate(map(template.mistake, error.problems)) from None


def loops_left(data: Mapping[str, Json]) -> Iterator[Problem]:
    """The loops of a template that are not expanded here, before the macro is called."""
    for name, node in mapping(data.get("Resources")).items():
        if name.startswith(LOOP):
            what = "is a loop that is not expanded here, so the definitions in it are not read"
            yield Problem(f"Resources/{name}", what, _fix_of_loop(data, node), "loop-not-unrolled")


def includes_left(data: Mapping[str, Json]) -> Iterator[Problem]:
    """What other macros still put into definitions with a spec, which a command that judges roles does not read."""
    for name, resource in mapping(data.get("Resources")).items():
        properties = mapping(mapping(resource).get("Properties"))
        if PROPERTY in properties and mapping(resource).get("Type") in definitions.TYPES:
            for path in _transforms_in(properties, f"Resources/{name}/Properties"):
                what = "is expanded by another macro, so what it gives cannot be read here"
                fix = f"write what it gives in its place, or let CloudFormation expand it before {MACRO}"
                yield Problem(path, what, fix, UNREAD)


def _transforms_in(node: Json, path: str) -> Iterator[str]:
    """The paths of the calls of other macros in a value."""
    for step, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if step == "Fn::Transform":
            yield f"{path}/{step}"
        else:
            yield from _transforms_in(child, f"{path}/{step}")


def _loop_problem(data: Mapping[str, Json], problem: Problem) -> Problem:
    """A problem with something in a loop. The macro does not know what was tried here to expand the loop."""
    steps = problem.path.split("/")
    number = next((number for number, step in enumerate(steps) if step.startswith(LOOP)), None)
    if number is None or LANGUAGE_EXTENSIONS not in problem.fix:
        return problem
    return problem._replace(fix=_fix_of_loop(data, value_at(data, "/".join(steps[: number + 1]))))


def _fix_of_loop(data: Mapping[str, Json], loop: Json) -> str:
    """What to do so that a loop is expanded here."""
    if not _unrolls(data):
        return f"list {LANGUAGE_EXTENSIONS} before {MACRO} in Transform, so that it expands the loop first"
    collection = loop[1] if isinstance(loop, list) and len(loop) == 3 else None
    names = sorted(references(collection) & mapping(data.get("Parameters")).keys())
    if names:
        return "give the value of its list, as in " + " ".join(f"`--parameter {name}=…`" for name in names)
    return "write its list as [a, b], as a list parameter, or in Mappings"
