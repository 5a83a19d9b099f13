"""Task definitions in JSON, as `register-task-definition` takes and `describe-task-definition` gives them.

Such a definition becomes a template with one `AWS::ECS::TaskDefinition`, which the engine reads as any other. What the
keys are called there is in task_definition_names.json, which scripts/task_definition_names.py makes. See
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from ecs_exec_role.errors import Problem
from ecs_exec_role.features import CONTAINER_PROPERTIES, VOLUME_PROPERTIES
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate, LocatedProblem
from ecs_exec_role.offline.macro_call import MACRO
from ecs_exec_role.offline.source_map import SourcePosition, locate
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.template.event import PROPERTY, mapping
from ecs_exec_role.template.reader import is_intrinsic
from ecs_exec_role.template.similar_names import likely
from ecs_exec_role.template.symbols import Json

LOGICAL_ID = "TaskDefinition"
"""The logical ID of the definition in its template."""

_PROPERTIES = f"Resources/{LOGICAL_ID}/Properties"
_SPEC = f"{_PROPERTIES}/{PROPERTY}"
_NAMES_SPEC = late_pattern(r"\bthe spec\b")
_PATH = late_pattern(rf"{_PROPERTIES}(?:/[^\s`,;()]+)?")
_ARN = late_pattern(r"arn:[a-z-]+:(?:ecs|iam):(?P<region>[a-z0-9-]*):(?P<account>[0-9]{12}):.+")
_PLACEHOLDER = late_pattern(r"\{\{(?:(?!\{\{|\}\}).)*\}\}|\$\{[^{}]*\}|<[^<>]*>", re.DOTALL)
_JSONNET = (".jsonnet", ".libsonnet")
_RENDER = "ecspresso render taskdef | ecs-exec-role expand --from -"

# Only these options of drivers are read. Others, such as a tag, can contain Docker's own placeholders.
_OPTIONS = ("awslogs-", "config-file-")


class TaskDefinition(NamedTuple):
    """A definition as a template.

    `region` and `account` are those of the definition's ARNs, empty if none has them. `paths` gives for each path
    of the template the one in the definition, `spec` the file of the spec and the position of everything in it.
    """

    template: TemplateFile
    family: str
    region: str
    account: str
    paths: Mapping[str, str]
    warnings: tuple[LocatedProblem, ...]
    spec: tuple[str, SourcePosition] | None = None

    def located(self, problem: LocatedProblem) -> LocatedProblem:
        """A problem of the template, as a problem of the definition or of the file with the spec."""
        what, fix = (
            _PATH.sub(lambda match: self._shown(match[0]), text).replace("the template", "the task definition")
            for text in (problem.what, problem.fix)
        )
        if self.spec is None:
            # The author did not write a spec; the remedy says how to give one.
            path = "" if _of_spec(problem.path) else self.path(problem.path)
            told = f"{fix}; `--spec FILE` gives the spec" if _NAMES_SPEC.search(fix) else fix
            return problem._replace(path=path, what=what, fix=told)
        if not _of_spec(problem.path):
            return problem._replace(path=self.path(problem.path), what=what, fix=fix)
        name, root = self.spec
        inner = problem.path.removeprefix(_SPEC).lstrip("/")
        place, _ = locate(root, inner)
        return problem._replace(file=name, line=place.line, column=place.column, path=inner, what=what, fix=fix)

    def _shown(self, path: str) -> str:
        """A path of the template in a sentence about the definition."""
        if path == _SPEC:
            return "the spec"
        if _of_spec(path):
            return f"{path.removeprefix(_SPEC).lstrip('/')} of the spec"
        return self.path(path)

    def path(self, path: str) -> str:
        """A path of the template as a path of the definition; a path of the spec begins with `--spec`."""
        if _of_spec(path):
            return path.replace(_SPEC, "--spec", 1)
        known, rest = path, ""
        while known and known not in self.paths:
            known, _, last = known.rpartition("/")
            rest = f"/{last}{rest}"
        return (self.paths[known] + rest).lstrip("/") if known else path


def _of_spec(path: str) -> bool:
    return path == _SPEC or path.startswith(f"{_SPEC}/")


def read(name: str, spec: str | None = None) -> TaskDefinition:
    """Reads a definition; `-` is standard input.

    Args:
        name: the file, in JSON or YAML.
        spec: a file with an `ExecutionRoleSpec`; without one, everything is inferred.

    Raises:
        InvalidTemplate: it is not a task definition, or has a placeholder in a value that is read.
        InvalidInput: a file cannot be read.
    """
    shown, text = template_file.read_text(name)
    try:
        data, place, form = template_file.read_tree(shown, text)
    except InvalidTemplate as error:
        if "{{" not in text and not shown.endswith(_JSONNET):
            raise
        fix = f"render it first; with ecspresso: `{_RENDER}`"
        raise InvalidTemplate(found._replace(fix=f"{found.fix}; or {fix}") for found in error.problems) from None
    base = ""
    inner = data.get("taskDefinition") if isinstance(data, dict) else None
    if isinstance(inner, dict):
        data, place, base = inner, place.children["taskDefinition"], "taskDefinition"
    _check(shown, data, place)
    reader = _Reader(shown)
    properties, place = reader.converted(mapping(data), place, _names(), _PROPERTIES, base)
    properties.pop("ExecutionRoleArn", None)
    node, spec_place = ("Auto", None) if spec is None else _spec(spec)
    template = TemplateFile(
        shown,
        text,
        form,
        {
            "Transform": MACRO,
            "Resources": {
                LOGICAL_ID: {"Type": "AWS::ECS::TaskDefinition", "Properties": {PROPERTY: node, **properties}}
            },
        },
        _nested(place, "Resources", LOGICAL_ID, "Properties"),
    )
    found = TaskDefinition(
        template,
        str(mapping(data).get("family") or ""),
        *_origin(mapping(data)),
        reader.paths,
        tuple(reader.warnings),
        (spec, spec_place) if spec is not None and spec_place is not None else None,
    )
    mistakes = [found.located(template.mistake(problem)) for problem in _placeholders(properties)]
    if mistakes:
        raise InvalidTemplate(mistakes)
    return found


def _spec(name: str) -> tuple[Json, SourcePosition]:
    shown, text = template_file.read_text(name)
    node, place, _ = template_file.read_tree(shown, text)
    if isinstance(node, dict) and PROPERTY in node:
        raise InvalidInput(f"{name} has the key {PROPERTY}; write what belongs behind it")
    if isinstance(node, dict) and node.get("Preflight") not in (None, False):
        raise InvalidInput(f"{name} has Preflight, which checks a stack; leave it out for a task definition in JSON")
    return node, place


def _check(shown: str, data: Json, place: SourcePosition) -> None:
    """Refuses a value that is not a task definition."""
    fix = "give the input of register-task-definition, or the output of describe-task-definition"
    if isinstance(data, dict) and data.get("containerDefinitions"):
        return
    if isinstance(data, dict) and ("Resources" in data or "ContainerDefinitions" in data):
        what, fix = "this is CloudFormation", "give a template without --from"
    elif isinstance(data, dict):
        what = "this is not a task definition: it has no containerDefinitions"
    elif isinstance(data, list):
        # Terraform's container_definitions, for example.
        what, fix = "this is a list, not a task definition", 'write containers as {"containerDefinitions": […]}'
    else:
        what = "this is a single value, not a task definition"
    raise InvalidTemplate([LocatedProblem(shown, place.line, place.column, "", what, fix, "not-a-task-definition")])


@cache
def _names() -> dict[str, Any]:
    from importlib.resources import files  # noqa: PLC0415 - a template does not need it

    text = files(__package__).joinpath("task_definition_names.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


class _Reader:
    """Gives the keys of a definition the names of CloudFormation's properties."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self.paths: dict[str, str] = {_PROPERTIES: ""}
        self.warnings: list[LocatedProblem] = []

    def converted(
        self, node: dict[str, Json], place: SourcePosition, names: Mapping[str, Any], path: str, origin: str
    ) -> tuple[dict[str, Json], SourcePosition]:
        """A mapping with its keys renamed, and the positions in it with the same names."""
        self.paths[path] = origin
        found: dict[str, Json] = {}
        places: dict[str, SourcePosition] = {}
        for key, child in node.items():
            there, here = f"{origin}/{key}".lstrip("/"), place.children[key]
            if key not in names:
                self._warn_unknown(there, here, key, names)
                continue
            name, below = names[key] if isinstance(names[key], list) else (names[key], None)
            if name is None or child is None:
                continue
            found[name], places[name] = self._value(child, here, below, (f"{path}/{name}", there))
        return found, replace(place, children=places)

    def _value(
        self, node: Json, place: SourcePosition, names: Mapping[str, Any] | None, paths: tuple[str, str]
    ) -> tuple[Json, SourcePosition]:
        path, origin = paths
        self.paths[path] = origin
        if names is None or is_intrinsic(node):
            return node, place
        if isinstance(node, dict):
            return self.converted(node, place, names, path, origin)
        if not isinstance(node, list):
            return node, place
        items: list[Json] = []
        places: dict[str, SourcePosition] = {}
        for number, item in enumerate(node):
            inner = (f"{path}/{number}", f"{origin}/{number}")
            value, places[str(number)] = self._value(item, place.children[str(number)], names, inner)
            items.append(value)
        return items, replace(place, children=places)

    def _warn_unknown(self, path: str, place: SourcePosition, key: str, names: Mapping[str, Any]) -> None:
        what = f"warning: `{key}` is not a key that this version knows, so nothing is read from it"
        guess = likely(key, names)
        fix = f"did you mean `{guess}`?" if guess else "check its spelling"
        self.warnings.append(LocatedProblem(self._shown, place.line, place.column, path, what, fix, "unread-key"))


def _nested(place: SourcePosition, *keys: str) -> SourcePosition:
    for key in reversed(keys):
        place = SourcePosition(place.line, place.column, place.start, place.value, place.end, children={key: place})
    return place


def _origin(data: Mapping[str, Json]) -> tuple[str, str]:
    """The region and the account in the definition's own ARN, else the account of its roles, which is the same."""
    found = ("", "")
    for key in ("taskDefinitionArn", "executionRoleArn", "taskRoleArn"):
        match = _ARN.fullmatch(str(data.get(key) or ""))
        if match is not None:
            found = (found[0] or match["region"], found[1] or match["account"])
    return found


def _placeholders(properties: dict[str, Json]) -> Iterator[Problem]:
    """The values that are read and have a placeholder for another tool. The tag of an image is cut off instead."""
    for key, read_there in (("ContainerDefinitions", CONTAINER_PROPERTIES), ("Volumes", VOLUME_PROPERTIES)):
        items = properties.get(key)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            here = mapping(item)
            for name in here:
                if name not in read_there:
                    continue
                if name == "Image" and isinstance(here[name], str):
                    here[name] = without_tag(here[name])
                yield from _unfilled(here[name], f"{_PROPERTIES}/{key}/{number}/{name}")


def _unfilled(node: Json, path: str) -> Iterator[Problem]:
    if is_intrinsic(node):
        what = "is a function of CloudFormation, which a task definition in JSON cannot have"
        yield Problem(path, what, "write the value, or give the template itself without --from", "wrong-type")
    elif isinstance(node, dict):
        for key, child in node.items():
            if not path.endswith("/Options") or key.startswith(_OPTIONS):
                yield from _unfilled(child, f"{path}/{key}")
    elif isinstance(node, list):
        for number, item in enumerate(node):
            yield from _unfilled(item, f"{path}/{number}")
    elif isinstance(node, str) and (found := _PLACEHOLDER.search(node)):
        what = f"cannot tell what this names, because of the placeholder {found[0]}"
        fix = f"fill it in first; with ecspresso: `{_RENDER}`"
        yield Problem(path, what, fix, "placeholder")


def without_tag(image: str) -> str:
    """An image without its tag or digest, if only these have a placeholder: no permission depends on them."""
    found = _PLACEHOLDER.search(image)
    if found is None:
        return image
    head = image[: found.start()]
    start = max(head.rfind(":"), head.rfind("@"))
    rest = _PLACEHOLDER.sub("", image[found.start() :])
    return head[:start] if start > head.rfind("/") and start > 0 and "/" not in rest else image
