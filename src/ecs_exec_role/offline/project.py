"""The settings of a project: its templates, and how each stage deploys them.

`.ecs-exec-role.yaml` is searched in the current folder and in those above it, up to the top of the repository.
Next to it, or in the current folder, SAM's `samconfig.toml` gives the parameters and the region that `sam deploy` would
use; the project file overrides them.

See https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ecs_exec_role.errors import Problem
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import parameters, template_file, yaml_reader
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate, LocatedProblem
from ecs_exec_role.offline.source_map import SourcePosition, locate
from ecs_exec_role.settings import PARAMETERS, PREFIX
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.similar_names import likely, suggestion
from ecs_exec_role.template.symbols import Json

FILE = ".ecs-exec-role.yaml"
SAMCONFIG = "samconfig.toml"
REGION = late_pattern("[a-z]{2,}(-[a-z]+)+-[0-9]+")
ACCOUNT = late_pattern("[0-9]{12}")

_VARIABLES = {parameter: f"{PREFIX}{name}" for name, parameter in PARAMETERS.items()}
_DEFAULT_ENVIRONMENT = "default"


class ProjectSettings(NamedTuple):
    """The settings of one run.

    Attributes:
        templates: patterns of the project's templates, relative to the current folder.
        region: where stacks are deployed; empty if it is not set.
        account: the account; empty if it is not set.
        values: stack parameters.
        guardrails: environment variables of the macro's function, by name.
        read: what was read, in words: the files, each with its stage.
    """

    templates: tuple[str, ...] = ()
    region: str = ""
    account: str = ""
    values: Mapping[str, str] = {}
    guardrails: Mapping[str, str] = {}
    read: tuple[str, ...] = ()


def settings(config: str | None = None, stage: str | None = None, folder: Path | None = None) -> ProjectSettings:
    """The settings of the project around a folder.

    Args:
        config: the project file; None for the one that is found.
        stage: the stage, or SAM's configuration environment; None for the project file's own choice.
        folder: where to look; None for the current folder.

    Raises:
        InvalidTemplate: the file has mistakes; with all of them.
        InvalidInput: a file cannot be read, or there is no such stage.
    """
    here = folder or Path()
    path = Path(config) if config is not None else find(here)
    if config is not None and not Path(config).exists():
        raise InvalidInput(f"--config {config}: there is no such file")
    project = _Project.read(path) if path is not None else _Project({}, "")
    base = path.parent if path is not None else here
    stage = stage or project.stage
    sam = _samconfig(base, project.samconfig)
    known = [*project.stages, *(sam.environments if sam else ())]
    if stage is not None and stage not in known:
        nowhere = f"neither {FILE} nor {SAMCONFIG} has stages here"
        fix = suggestion(stage, dict.fromkeys(known)) if known else nowhere
        raise InvalidInput(f"--stage {stage}: there is no such stage; {fix}")
    chosen = mapping(project.stages.get(stage)) if stage else {}
    environment = chosen.get("config-env") or (stage if sam and stage in sam.environments else _DEFAULT_ENVIRONMENT)
    values, region, read = {}, "", []
    if sam is not None and environment in sam.environments:
        values.update(sam.values(environment))
        region = sam.text(environment, "region")
        read.append(f"{sam.name} ({environment})")
    for node in (project.data, chosen):
        for name in _listed(node.get("parameter-files")):
            values.update(parameters.from_options((), (str(base / name),)))
        values.update({name: parameters.spelt(value) for name, value in mapping(node.get("parameters")).items()})
        region = node.get("region") or region
    guardrails = {**mapping(project.data.get("guardrails")), **mapping(chosen.get("guardrails"))}
    if path is not None:
        read.insert(0, f"{path}{f' (stage {stage})' if stage else ''}")
    return ProjectSettings(
        templates=tuple(_joined(base, name) for name in _listed(project.data.get("templates"))),
        region=region,
        account=chosen.get("account") or project.data.get("account") or "",
        values=values,
        guardrails={_VARIABLES[name]: parameters.spelt(value) for name, value in guardrails.items()},
        read=tuple(read),
    )


def find(folder: Path) -> Path | None:
    """The project file of a folder: in it, or above it up to the top of a repository."""
    for place in (folder, *_above(folder)):
        if (place / FILE).is_file():
            return place / FILE
        if (place / ".git").exists():
            return None
    return None


def _above(folder: Path) -> Iterator[Path]:
    """The folders above, as relative paths."""
    up = folder
    for _ in folder.resolve().parents:
        up = up / ".."
        yield up


def _joined(base: Path, name: str) -> str:
    return name if base == Path() else str(base / name)


def _listed(node: Json) -> list[Any]:
    return node if isinstance(node, list) else [] if node is None else [node]


# -- .ecs-exec-role.yaml ----------------------------------------------------------------------------------------------


def _is_text(node: Json) -> bool:
    return isinstance(node, str) and bool(node)


def _is_texts(node: Json) -> bool:
    return _is_text(node) or (isinstance(node, list) and bool(node) and all(map(_is_text, node)))


def _is_value(node: Json) -> bool:
    return isinstance(node, (str, int, float, bool)) or (
        isinstance(node, list) and all(isinstance(item, (str, int, float, bool)) for item in node)
    )


def _is_region(node: Json) -> bool:
    return isinstance(node, str) and REGION.fullmatch(node) is not None


def _is_account(node: Json) -> bool:
    return isinstance(node, str) and ACCOUNT.fullmatch(node) is not None


class _Key(NamedTuple):
    """The check of a key's value, what is wrong if it fails, and what to write."""

    fits: Callable[[Json], bool]
    what: str
    fix: str


def _is_mapping(node: Json) -> bool:
    return isinstance(node, dict)


_COMMON = {
    "region": _Key(_is_region, "is not a region", "write a region such as eu-central-1"),
    "account": _Key(_is_account, "is not an account ID", 'write its 12 digits in quotes, as in "123456789012"'),
    "parameters": _Key(_is_mapping, "is not a mapping", "write the names of parameters and their values"),
    "parameter-files": _Key(_is_texts, "is not a file name or a list of them", "write names relative to this file"),
    "guardrails": _Key(_is_mapping, "is not a mapping", f"write any of {', '.join(_VARIABLES)}"),
}
_TOP = {
    **_COMMON,
    "templates": _Key(_is_texts, "is not a pattern or a list of them", "write names or patterns relative to this file"),
    "samconfig": _Key(
        lambda node: node is False or _is_text(node), "is not a file name", "write its name, or false to read none"
    ),
    "stage": _Key(_is_text, "is not a name", "write the stage that is used where no --stage is given"),
    "stages": _Key(_is_mapping, "is not a mapping", "write the names of stages, and the settings of each"),
}
_STAGE = {
    **_COMMON,
    "config-env": _Key(_is_text, "is not a name", f"write the configuration environment of {SAMCONFIG}"),
}


_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_VALUE: dict[str, Any] = {
    "anyOf": [
        {"type": ["string", "number", "boolean"]},
        {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
    ]
}
_SCHEMAS: dict[str, Any] = {
    "region": {"type": "string", "pattern": f"^{REGION.pattern}$"},
    "account": {"type": "string", "pattern": f"^{ACCOUNT.pattern}$"},
    "parameters": {"type": "object", "additionalProperties": _VALUE},
    "parameter-files": {"anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}]},
    "guardrails": {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(_VARIABLES, _VALUE)},
    "templates": {"anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}]},
    "samconfig": {"anyOf": [_TEXT, {"const": False}]},
    "stage": _TEXT,
    "config-env": _TEXT,
}


def schema() -> dict[str, Json]:
    """The JSON Schema of a project file, for editors."""

    def closed(keys: Iterable[str]) -> dict[str, Json]:
        properties = {
            key: {**_SCHEMAS[key], "description": (_TOP | _STAGE)[key].fix} for key in keys if key in _SCHEMAS
        }
        return {"type": ["object", "null"], "additionalProperties": False, "properties": properties}

    found = closed(_TOP)
    stages = {"type": "object", "additionalProperties": closed(_STAGE), "description": _TOP["stages"].fix}
    found["properties"]["stages"] = stages
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": FILE, **found}


class _Project:
    """A project file that was checked."""

    def __init__(self, data: Mapping[str, Any], name: str) -> None:
        self.data = data
        self.name = name

    @property
    def stages(self) -> Mapping[str, Any]:
        return mapping(self.data.get("stages"))

    @property
    def stage(self) -> str | None:
        stage: str | None = self.data.get("stage")
        return stage

    @property
    def samconfig(self) -> str | bool | None:
        found: str | bool | None = self.data.get("samconfig")
        return found

    @classmethod
    def read(cls, path: Path) -> _Project:
        name = str(path)
        shown, text = template_file.read_text(name)
        if not text.strip():
            return cls({}, name)
        try:
            data, place = yaml_reader.read(text)
        except yaml_reader.Unreadable as error:
            raise InvalidTemplate(
                [LocatedProblem(shown, error.line, error.column, "", error.what, error.fix, "not-a-project-file")]
            ) from None
        problems = list(_mistakes(data))
        if problems:
            raise InvalidTemplate(_located(shown, place, problem) for problem in problems)
        return cls(mapping(data), name)


def _located(name: str, root: SourcePosition, problem: Problem) -> LocatedProblem:
    place, _ = locate(root, problem.path)
    return LocatedProblem(name, place.line, place.column, problem.path, problem.what, problem.fix, problem.code)


def _mistakes(data: Json) -> Iterator[Problem]:
    """What is wrong with a project file."""
    if data is None:
        return
    if not isinstance(data, dict):
        yield Problem("", "the file is not a mapping", f"write keys such as {', '.join(_TOP)}", "wrong-type")
        return
    yield from _of_mapping(data, _TOP, "")
    for stage, node in mapping(data.get("stages")).items():
        path = f"stages/{stage}"
        if isinstance(node, dict):
            yield from _of_mapping(node, _STAGE, path)
        elif node is not None:
            yield Problem(path, "is not a mapping", f"write keys such as {', '.join(_STAGE)}", "wrong-type")
    default, stages = data.get("stage"), mapping(data.get("stages"))
    if isinstance(default, str) and stages and default not in stages:
        fix = suggestion(default, stages)
        yield Problem("stage", f"names no stage of this file: {default}", fix, "unknown-stage")


def _of_mapping(data: Mapping[str, Any], keys: Mapping[str, _Key], path: str) -> Iterator[Problem]:
    for key, node in data.items():
        here = f"{path}/{key}".lstrip("/")
        if key not in keys:
            # `stagez` can be `stage` or `stages`: the value says which.
            fitting = [known for known, check in keys.items() if node is not None and check.fits(node)]
            fix = suggestion(key, fitting if likely(key, fitting) else keys)
            yield Problem(here, f"unknown key `{key}`", fix, "unknown-key")
        elif node is not None and not keys[key].fits(node):
            yield Problem(here, keys[key].what, keys[key].fix, "wrong-type")
    for name, value in mapping(data.get("parameters")).items():
        if not _is_value(value):
            what, fix = "is not a parameter's value", "write text, a number, or a list of them"
            yield Problem(f"{path}/parameters/{name}".lstrip("/"), what, fix, "wrong-type")
    for name, value in mapping(data.get("guardrails")).items():
        here = f"{path}/guardrails/{name}".lstrip("/")
        if name not in _VARIABLES:
            fix = suggestion(name, _VARIABLES)
            yield Problem(here, f"unknown guardrail `{name}`", fix, "unknown-key")
        elif not _is_value(value):
            yield Problem(here, "is not a guardrail's value", "write text, or a list of it", "wrong-type")


# -- samconfig.toml ---------------------------------------------------------------------------------------------------


class _SamConfig:
    """SAM's configuration: tables `[ENVIRONMENT.COMMAND.parameters]`, of which `deploy` and `global` are read."""

    def __init__(self, data: Mapping[str, Any], name: str) -> None:
        self._data = data
        self.name = name
        self.environments = [key for key, node in data.items() if isinstance(node, dict)]

    def _parameters(self, environment: str) -> dict[str, Any]:
        tables = mapping(self._data.get(environment))
        found: dict[str, Any] = {}
        for command in ("global", "deploy"):
            found.update(mapping(mapping(tables.get(command)).get("parameters")))
        return found

    def text(self, environment: str, key: str) -> str:
        value = self._parameters(environment).get(key)
        return value if isinstance(value, str) else ""

    def values(self, environment: str) -> dict[str, str]:
        """`parameter_overrides`, a string or a list, in each of the spellings that `sam deploy` accepts."""
        node = self._parameters(environment).get("parameter_overrides")
        if isinstance(node, dict):
            return {name: parameters.spelt(value) for name, value in node.items()}
        values: dict[str, str] = {}
        for text in _listed(node):
            if not isinstance(text, str):
                raise InvalidInput(f"{self.name}: parameter_overrides of {environment} has something that is not text")
            for word in _words(text, self.name):
                name, equals, value = word.partition("=")
                if not equals:
                    raise InvalidInput(
                        f"{self.name}: parameter_overrides of {environment} has `{word}`; write Key=Value"
                    )
                if name == "ParameterKey":
                    name, _, value = value.partition(",ParameterValue=")
                values[name] = value
        return values


_QUOTED = late_pattern(r"""[^\s=]+=(?:"(?:\\.|[^"\\])*"|'[^']*'|\S)*|\S+""")


def _words(text: str, name: str) -> Iterator[str]:
    """The `Key=Value`s of a text; a value in quotes can contain spaces."""
    import shlex  # noqa: PLC0415 - only a project of SAM's needs it

    try:
        for word in _QUOTED.findall(text):
            yield "".join(shlex.split(word)) if '"' in word or "'" in word else word
    except ValueError:
        raise InvalidInput(f"{name}: a quote in parameter_overrides is not closed; close it") from None


def _samconfig(base: Path, setting: str | bool | None) -> _SamConfig | None:
    if setting is False:
        return None
    path = base / (setting if isinstance(setting, str) else SAMCONFIG)
    if not path.is_file():
        if isinstance(setting, str):
            raise InvalidInput(f"there is no file {path}, which {FILE} names as samconfig")
        return None
    import tomllib  # noqa: PLC0415 - only a project of SAM's needs it

    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path}: the file is not valid TOML ({error}); correct the syntax") from None
    return _SamConfig(data, str(path))
