"""What a template overrides when it starts a task: another execution role, or more environment files.

Rules of EventBridge, schedules, pipes and state machines call `RunTask`, whose `overrides` can name both. The role of
the definition is then not used, or lacks the files. See
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html and
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerOverride.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping
from functools import cached_property
from typing import Literal

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.context import InferenceContext
from ecs_exec_role.needs.definitions import STARTERS
from ecs_exec_role.template.conditions import ALWAYS
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Alternative, Reader
from ecs_exec_role.template.symbols import Json, SymbolicText, references, texts

CODE = "run-time-override"

_DEFINITION = "AWS::ECS::TaskDefinition"
_TEXTS = ("Input", "InputTemplate", "DefinitionString")
"""The properties whose value is JSON as text."""

_NAMES_TASK = {"taskdefinition", "taskdefinitionarn", "ecsparameters"}
"""The keys that say which definition is started; the APIs spell them with small and capital letters."""

_STEPS_OF_WARNING = 10

_KEYS = {"executionrolearn": "role", "environmentfiles": "file"}
_KEY = late_pattern(r'"(executionRoleArn|environmentFiles)(?:\.\$)?"\s*:', re.IGNORECASE)
_WORD = late_pattern("executionRoleArn|environmentFiles", re.IGNORECASE)
_PLACEHOLDER = late_pattern(r"\$\{([A-Za-z0-9]+)\}")
_KNOWN_LATER = late_pattern(r"\$\.|\$\$|\{%|States\.|.*<")
"""The prefixes of values that are taken from the event, or from the state of a state machine."""


class Override(NamedTuple):
    """One override: its place, its value as symbolic text (None if only the run knows it), and what it starts."""

    path: str
    kind: Literal["role", "file"]
    value: str | None
    definitions: frozenset[str]


def of_template(reader: Reader) -> Mapping[str, list[Override]]:
    """The overrides of everything that starts tasks in a template, for each definition that is started."""
    if reader.overrides is None:
        found: dict[str, dict[Override, None]] = {}
        with reader.problems.aside():  # CloudFormation reports what is wrong with these resources.
            for kind in STARTERS:
                for logical_id in reader.template.by_type.get(kind, ()):
                    for override in _Starter(reader, logical_id).overrides():
                        reader.budget.spend(len(override.definitions))
                        for definition in override.definitions:
                            found.setdefault(definition, {})[override] = None
        reader.overrides = {definition: list(overrides) for definition, overrides in found.items()}
    return reader.overrides


def report(context: InferenceContext, definitions: Iterable[str], read: Container[str]) -> None:
    """Warns of the overrides of these definitions.

    Args:
        context: of the role.
        definitions: the logical IDs of what uses the role.
        read: what the role reads; an environment file in it needs no warning.
    """
    used = frozenset(definitions)
    overrides = of_template(context.reader)
    for override in dict.fromkeys(each for name in sorted(used) for each in overrides.get(name, ())):
        context.reader.budget.spend(_STEPS_OF_WARNING)
        context.reader.budget.read(len(override.value or ""))
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
    return _NamedTask(_Starter(reader, starter), node).definitions


class _Starter:
    """Finds the overrides of one resource that starts tasks."""

    def __init__(self, reader: Reader, logical_id: str) -> None:
        self.reader = reader
        self._id = logical_id
        self._properties = reader.template.properties(logical_id)
        self._substitutions = mapping(self._properties.get("DefinitionSubstitutions"))
        self._substituted: dict[str, set[str]] = {}
        self._found: list[Override] = []

    def overrides(self) -> list[Override]:
        """The overrides in its properties."""
        written = json.dumps(self._properties)
        self.reader.budget.read(len(written))
        if _WORD.search(written):
            path = f"Resources/{self._id}/Properties"
            self._find(self._properties, path, self.task, within=False)
        return self._found

    @cached_property
    def task(self) -> _NamedTask:
        """What the properties name, at any depth."""
        return _NamedTask(self, self._properties)

    @cached_property
    def families(self) -> Mapping[str, list[str]]:
        """The template's definitions, by their families that are literal."""
        template = self.reader.template
        found: dict[str, list[str]] = {}
        for name in template.by_type.get(_DEFINITION, ()):
            family = template.properties(name).get("Family")
            if isinstance(family, str):
                found.setdefault(family, []).append(name)
        return found

    def references(self, placeholder: str) -> set[str]:
        """What a `${placeholder}` in the definition of a state machine refers to."""
        if placeholder not in self._substituted:
            self._substituted[placeholder] = references(self._substitutions.get(placeholder))
        return self._substituted[placeholder]

    def _find(self, node: Json, path: str, task: _NamedTask, *, within: bool, parsed: bool = False) -> None:
        """Finds the overrides in a node; `within` says that `node` is an override.

        What was `parsed` from a text has the path of that text.
        """
        self.reader.budget.spend()
        if isinstance(node, list):
            for index, item in enumerate(node):
                there = path if parsed else f"{path}/{index}"
                self._find(item, there, task, within=within, parsed=parsed)
        elif isinstance(node, dict):
            names = {str(key).lower() for key in node}
            here = task if names.isdisjoint(_NAMES_TASK) else _NamedTask(self, node)
            for key, child in node.items():
                there = path if parsed else f"{path}/{key}"
                name = str(key).removesuffix(".$").lower()
                if key in _TEXTS and not parsed:
                    self._find_in_text(child, there, here, within="ecsparameters" in names)
                elif key == "InputTransformer" and "ecsparameters" in names:
                    template = mapping(child).get("InputTemplate")
                    self._find_in_text(template, f"{there}/InputTemplate", here, within=True)
                elif within and name in _KEYS:
                    self._add(key, child, there, here, parsed=parsed)
                else:
                    inside = within or name == "overrides"
                    self._find(child, there, here, within=inside, parsed=parsed)

    def _find_in_text(self, node: Json, path: str, task: _NamedTask, *, within: bool) -> None:
        try:
            alternatives = Cursor(self.reader, ALWAYS, node, path).texts()
        except TemplateError:
            # It has more alternatives than can be read here; CloudFormation may be able to read it.
            alternatives = [Alternative(ALWAYS, SymbolicText(text), path) for text in texts(node)]
        for text in alternatives:
            if not _KEY.search(text.text):
                continue
            before = len(self._found)
            try:
                value = json.loads(text.text)
                self._find(value, text.path, _NamedTask(self, value, task), within=within, parsed=True)
            except (ValueError, RecursionError):
                # It is not JSON until EventBridge has filled in its placeholders, or it is nested too deep to be read.
                del self._found[before:]
                named = _NamedTask(self, str(text.text), task)
                for match in _KEY.finditer(text.text):
                    self._add_one(match[1], None, text.path, named)

    def _add(self, key: str, node: Json, path: str, task: _NamedTask, *, parsed: bool) -> None:
        if key.endswith(".$"):
            self._add_one(key, None, path, task)
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
                self._add_one(key, value if isinstance(value, str) else None, there, task)
            else:
                for text in Cursor(self.reader, ALWAYS, value, there).texts():
                    self._add_one(key, text.text, text.path, task)

    def _add_one(self, key: str, value: str | None, path: str, task: _NamedTask) -> None:
        self.reader.budget.spend()
        if value is not None and (_KNOWN_LATER.match(value) or _PLACEHOLDER.search(value)):
            value = None
        kind: Literal["role", "file"] = "role" if key.removesuffix(".$").lower() == "executionrolearn" else "file"
        self._found.append(Override(path, kind, value, task.definitions or self.task.definitions))


class _NamedTask:
    """A node that names what is started. It is read once, and only if there is an override.

    `around` is what is named by the node that contains a text.
    """

    def __init__(self, starter: _Starter, node: Json, around: _NamedTask | None = None) -> None:
        self._starter = starter
        self._node = node
        self._around = around

    @cached_property
    def definitions(self) -> frozenset[str]:
        """The template's definitions that the node names: by reference, or else by their family."""
        return self.referred or self.by_family

    @cached_property
    def _text(self) -> str:
        self._starter.reader.budget.read(len(json.dumps(self._node)))
        return "\n".join(texts(self._node))

    @cached_property
    def referred(self) -> frozenset[str]:
        """The definitions to which the node refers."""
        reader = self._starter.reader
        named = references(self._node) | reader.symbols.names(self._text)
        for placeholder in set(_PLACEHOLDER.findall(self._text)):
            named |= self._starter.references(placeholder)
        found = frozenset(name for name in named if reader.template.type_of(name) == _DEFINITION)
        return found | self._around.referred if self._around else found

    @cached_property
    def by_family(self) -> frozenset[str]:
        """The definitions whose family is a text in the node."""
        words = re.findall(r"[A-Za-z0-9_-]+", self._text)
        found = frozenset(name for word in words for name in self._starter.families.get(word, ()))
        return found | self._around.by_family if self._around else found
