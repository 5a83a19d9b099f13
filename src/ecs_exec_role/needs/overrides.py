"""What a template overrides when it starts a task: another execution role, or more environment files.

Rules of EventBridge, schedules, pipes and state machines call `RunTask`, whose `overrides` can name both. The role of
the definition is then not used, or lacks the files. See
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html and
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerOverride.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator
from typing import Literal, NamedTuple

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.needs.context import InferenceContext
from ecs_exec_role.template.conditions import ALWAYS
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Alternative, Reader
from ecs_exec_role.template.symbols import Json, SymbolicText, references

CODE = "run-time-override"

_STARTERS = (
    "AWS::Events::Rule",
    "AWS::Scheduler::Schedule",
    "AWS::Pipes::Pipe",
    "AWS::StepFunctions::StateMachine",
    "AWS::Serverless::StateMachine",
)
_TEXTS = ("Input", "InputTemplate", "DefinitionString")
"""The properties whose value is JSON as text."""

_NAMES_TASK = {"taskdefinition", "taskdefinitionarn", "ecsparameters"}
"""The keys that say which definition is started; the APIs spell them with small and capital letters."""

_KEYS = {"executionrolearn": "role", "environmentfiles": "file"}
_KEY = late_pattern(r'"(executionRoleArn|environmentFiles)(?:\.\$)?"\s*:', re.IGNORECASE)
_WORD = late_pattern("executionRoleArn|environmentFiles", re.IGNORECASE)
_PLACEHOLDER = late_pattern(r"\$\{([A-Za-z0-9]+)\}")
_KNOWN_LATER = late_pattern(r"\$\.|\$\$|\{%|States\.|.*<")
"""How a value begins that is taken from the event, or from the state of a state machine."""


class Override(NamedTuple):
    """One override: its place, its value as symbolic text (None if only the run knows it), and what it starts."""

    path: str
    kind: Literal["role", "file"]
    value: str | None
    definitions: frozenset[str]


def of_template(reader: Reader) -> tuple[Override, ...]:
    """The overrides of all that starts tasks in a template."""
    if reader.overrides is None:
        found: list[Override] = []
        with reader.problems.aside():  # What is wrong with these resources is for CloudFormation to say.
            for kind in _STARTERS:
                for logical_id in reader.template.by_type.get(kind, ()):
                    found.extend(_Starter(reader, logical_id).overrides())
        reader.overrides = tuple(dict.fromkeys(found))
    return reader.overrides


def report(context: InferenceContext, definitions: Iterable[str], read: Container[str]) -> None:
    """Warns of the overrides of these definitions.

    Args:
        context: of the role.
        definitions: the logical IDs of what uses the role.
        read: what the role reads; an environment file among it needs no warning.
    """
    used = frozenset(definitions)
    for override in of_template(context.reader):
        if used.isdisjoint(override.definitions):
            continue
        started = " and ".join(sorted(used & override.definitions))
        value = "" if override.value is None else f" `{context.spelt(override.value)}`"
        if override.kind == "role":
            if override.value is None or not _is_own(context, override.value):
                what = f"starts {started} with another execution role{value}, which needs what is granted here"
                context.warn(override.path, what, "remove executionRoleArn, or grant that role the same", CODE)
        elif override.value is None:
            if not context.entries.get("EnvironmentFiles"):
                what = f"starts {started} with environment files that are only known when it runs"
                fix = f"list them in EnvironmentFiles of {context.spec_path}"
                context.warn(override.path, what, fix, CODE)
        elif override.value not in read:
            what = f"starts {started} with the environment file{value}, which the definition does not name"
            fix = f"add `EnvironmentFiles: [{context.spelt_in_list(override.value)}]` to {context.spec_path}"
            context.warn(override.path, what, fix, CODE)


def _is_own(context: InferenceContext, text: str) -> bool:
    """Whether a role is the one that the spec makes or completes."""
    owner = context.spec_path.split("/")[1]
    symbol = context.symbols.sole(text)
    return symbol is not None and symbol.name in (owner, f"{owner}ExecutionRole")


def definitions_in(reader: Reader, starter: str, node: Json) -> frozenset[str]:
    """The template's definitions that a node of the resource `starter` names: by reference, or by their family."""
    return _Starter(reader, starter).definitions(node)


class _Starter:
    """Finds the overrides of one resource that starts tasks."""

    def __init__(self, reader: Reader, logical_id: str) -> None:
        self._reader = reader
        self._id = logical_id
        self._properties = reader.template.properties(logical_id)
        self._substitutions = mapping(self._properties.get("DefinitionSubstitutions"))

    def overrides(self) -> Iterator[Override]:
        """The overrides in its properties."""
        written = json.dumps(self._properties)
        self._reader.budget.read(len(written))
        if _WORD.search(written):
            path = f"Resources/{self._id}/Properties"
            yield from self._in(self._properties, path, self._properties, within=False)

    def _in(self, node: Json, path: str, task: Json, *, within: bool, parsed: bool = False) -> Iterator[Override]:
        """The overrides in a node; `task` is what names the definition, and `within` says that `node` is an override.

        What was `parsed` from a text has the path of that text.
        """
        self._reader.budget.spend()
        if isinstance(node, list):
            for index, item in enumerate(node):
                there = path if parsed else f"{path}/{index}"
                yield from self._in(item, there, task, within=within, parsed=parsed)
        elif isinstance(node, dict):
            names = {str(key).lower() for key in node}
            here = task if names.isdisjoint(_NAMES_TASK) else node
            for key, child in node.items():
                there = path if parsed else f"{path}/{key}"
                name = str(key).removesuffix(".$").lower()
                if key in _TEXTS and not parsed:
                    yield from self._in_text(child, there, here, within="ecsparameters" in names)
                elif within and name in _KEYS:
                    yield from self._found(key, child, there, here, parsed=parsed)
                else:
                    inside = within or name == "overrides"
                    yield from self._in(child, there, here, within=inside, parsed=parsed)

    def _in_text(self, node: Json, path: str, task: Json, *, within: bool) -> Iterator[Override]:
        try:
            texts = Cursor(self._reader, ALWAYS, node, path).texts()
        except TemplateError:
            # It has more alternatives than can be read, but it is CloudFormation's to read.
            texts = [Alternative(ALWAYS, SymbolicText(text), path) for text in _texts(node)]
        for text in texts:
            if not _KEY.search(text.text):
                continue
            try:
                value = json.loads(text.text)
            except (ValueError, RecursionError):
                # Not JSON before EventBridge has filled in its placeholders.
                for match in _KEY.finditer(text.text):
                    yield self._override(match[1], None, text.path, [task, text.text])
                continue
            yield from self._in(value, text.path, [task, value], within=within, parsed=True)

    def _found(self, key: str, node: Json, path: str, task: Json, *, parsed: bool) -> Iterator[Override]:
        if key.endswith(".$"):
            yield self._override(key, None, path, task)
            return
        values: list[tuple[Json, str]] = [(node, path)]
        if _KEYS[key.lower()] == "file":
            values = []
            for index, item in enumerate(node if isinstance(node, list) else [None]):
                named = {str(name).lower(): (name, value) for name, value in mapping(item).items()}
                name, value = named.get("value", ("", None))
                values.append((value, path if parsed or not name else f"{path}/{index}/{name}"))
        for value, there in values:
            if parsed or value is None:
                yield self._override(key, value if isinstance(value, str) else None, there, task)
            else:
                for text in Cursor(self._reader, ALWAYS, value, there).texts():
                    yield self._override(key, text.text, text.path, task)

    def _override(self, key: str, value: str | None, path: str, task: Json) -> Override:
        if value is not None and (_KNOWN_LATER.match(value) or _PLACEHOLDER.search(value)):
            value = None
        kind: Literal["role", "file"] = "role" if key.removesuffix(".$").lower() == "executionrolearn" else "file"
        return Override(path, kind, value, self.definitions(task) or self.definitions(self._properties))

    def definitions(self, task: Json) -> frozenset[str]:
        """The template's definitions to which a node refers, by reference or by their family's name."""
        template = self._reader.template
        texts = "\n".join(_texts(task))
        named = references(task) | self._reader.symbols.names(texts)
        for placeholder in _PLACEHOLDER.findall(texts):
            named |= references(self._substitutions.get(placeholder))
        found = {name for name in named if template.type_of(name) == "AWS::ECS::TaskDefinition"}
        if found:
            return frozenset(found)
        words = set(re.findall(r"[A-Za-z0-9_-]+", texts))
        return frozenset(
            name
            for name in template.by_type.get("AWS::ECS::TaskDefinition", ())
            if template.properties(name).get("Family") in words
        )


def _texts(node: Json) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        for child in node.values():
            yield from _texts(child)
