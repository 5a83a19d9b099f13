"""The inference of one role: what features are handed when they read a definition or a spec."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from ecs_exec_role.errors import Problem
from ecs_exec_role.needs.need import Condition, Note
from ecs_exec_role.template.conditions import ALWAYS, Guard
from ecs_exec_role.template.reader import Alternative, Reader
from ecs_exec_role.template.symbols import Json

_PLAIN = re.compile(r"(?:[A-Za-z0-9/$_.@+=-]|:(?! )|\{(?!\{)|\}(?!\})|(?<=\w) (?=\w))+")
"""Text that YAML reads as itself without quotes, even inside of brackets."""


class Entry(NamedTuple):
    """One entry of a spec's list: its main value as written, and where that is; the mapping it is in, and where."""

    guard: Guard
    path: str
    node: Json
    options: Mapping[str, Json]
    base: str


class Inquiry:
    """Everything that a feature may ask while one role is inferred.

    Attributes:
        reader: reads the template's values.
        types: the resource type of each logical ID.
        keyed: the values of the spec's entries that come with a `KmsKey`.
        pull_conditions: the conditions that the spec puts on pulling images, for each way the template's fall.
        default_log_group: where a container without a log configuration writes (AWS Batch), if anywhere.
        notes: what was looked at and needs nothing.
        warnings: what may be missing in spite of all.
    """

    def __init__(
        self,
        reader: Reader,
        types: dict[str, str],
        *,
        spec_path: str,
        ignore_unresolved: bool = False,
        settled: Mapping[str, Collection[str]] | None = None,
        keyed: Collection[str] = (),
        pull_conditions: tuple[tuple[Guard, tuple[Condition, ...]], ...] = ((ALWAYS, ()),),
    ) -> None:
        self.reader = reader
        self.symbols = reader.symbols
        self.types = types
        self.spec_path = spec_path
        self.ignore_unresolved = ignore_unresolved
        self.keyed = keyed
        self.pull_conditions = pull_conditions
        self.default_log_group = ""
        self.used_images: set[str] = set()
        self.notes: list[Note] = []
        self.warnings: list[Problem] = []
        self._settled = settled or {}

    def texts(self, node: Json, guard: Guard, path: str) -> list[Alternative]:
        """The texts that `node` can be, empty ones left out and those that could name several things refused."""
        return [found for found in self.reader.text(node, guard, path) if self.without_wildcard(found)]

    def choices(
        self, node: Json, guard: Guard, path: str, known: tuple[bool | str, ...]
    ) -> Iterator[tuple[Guard, bool | str]]:
        """Which of the words `known` a node can be; what is none of them, or not known now, is a problem."""
        words = {str(choice).lower() if isinstance(choice, bool) else choice: choice for choice in known}
        for text in self.reader.text(node, guard, path):
            if text.text in words:
                yield text.guard, words[text.text]
            else:
                value = self.spelt(text.text)
                self.problem(text.path, f"is `{value}` where it must be known now", f"write {' or '.join(words)}")

    def without_wildcard(self, alternative: Alternative) -> bool:
        """Whether this text can name one thing: not empty, and without wildcard or variable (which is a problem)."""
        if "*" in alternative.text or "?" in alternative.text:
            self.problem(
                alternative.path,
                f"`{self.symbols.show(alternative.text)}` has a wildcard",
                "name one resource; a wildcard is allowed in Statements only",
            )
            return False
        if "${" in alternative.text:
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
            self.problem(
                alternative.path,
                f"`{self.symbols.show(alternative.text)}` has a variable that IAM would fill in for each request",
                "name one resource; a policy variable is allowed in Statements only",
            )
            return False
        return alternative.text != ""

    def settled(self, key: str, text: str) -> bool:
        """Whether the very same value stands in the spec's list `key`, which then says what it is."""
        return text in self._settled.get(key, ())

    def settled_anywhere(self, keys: Iterable[str], text: str) -> bool:
        """Whether the same value stands in any of these lists."""
        return any(self.settled(key, text) for key in keys)

    def may_name(self, alternative: Alternative, wanted: Collection[str]) -> bool:
        """Whether a text of a spec can name what it should; a `Ref` to another type of resource is a problem."""
        symbol = self.symbols.sole(alternative.text)
        kind = self.types.get(symbol.name, "") if symbol is not None and symbol.kind == "Ref" else ""
        # What a custom resource or a macro's own type gives by Ref is for its author to know.
        if kind in wanted or not kind.startswith("AWS::") or kind == "AWS::CloudFormation::CustomResource":
            return True
        what = f"`{self.spelt(alternative.text)}` is an {kind}"
        self.problem(alternative.path, what, f"write a {' or '.join(sorted(wanted))}, or a name")
        return False

    def unclassified(self, alternative: Alternative, what: str, keys: tuple[str, ...]) -> None:
        """Reports a value of which it cannot be known what it names, unless the spec says to ignore that."""
        value = self.spelt(alternative.text)
        lines = " or ".join(f"`{key}: [{value}]`" for key in keys)
        if self.ignore_unresolved:
            self.note(
                alternative.path,
                f"{what} `{value}` is only known when the stack is deployed, and `Unresolved: Ignore` passes it over",
                "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html",
                alternative.guard,
            )
        else:
            self.problem(
                alternative.path,
                f"cannot tell which {what} `{value}` is, since it is only known when the stack is deployed",
                f"add {lines} to {self.spec_path}, or `Unresolved: Ignore`",
            )

    def unknown_key(self, place: Alternative, arn: str) -> None:
        """Warns that it cannot be seen with which key a secret is encrypted."""
        if place.text not in self.keyed and arn not in self.keyed:
            self.warnings.append(
                Problem(
                    place.path,
                    "the key of this secret is not known here, so no customer key is granted",
                    f"if it has one, add the secret to {self.spec_path}: `Secrets: [{{Secret: …, KmsKey: …}}]`",
                )
            )

    def resources_of(self, resource_type: str) -> list[str]:
        """The logical IDs of the template's resources of this type."""
        return self.reader.template.by_type.get(resource_type, [])

    def spelt(self, text: str) -> str:
        """`text` as an author would write it in YAML, for messages."""
        return spell(self.symbols.render(text))

    def problem(self, path: str, what: str, fix: str) -> None:
        """Reports a mistake."""
        self.reader.problems.append(Problem(path, what, fix))

    def note(self, path: str, text: str, docs: str, guard: Guard = ALWAYS) -> None:
        """Records that something needs no statement, and why."""
        self.notes.append(Note(path, text, docs, guard))


def spell(node: Json) -> str:
    """A value of a template in YAML's short form, on one line."""
    if isinstance(node, str):
        return node if _PLAIN.fullmatch(node) else json.dumps(node, ensure_ascii=False)
    if isinstance(node, dict) and len(node) == 1:
        [(name, argument)] = node.items()
        if name == "Fn::GetAtt" and isinstance(argument, list) and all(isinstance(part, str) for part in argument):
            return f"!GetAtt {'.'.join(argument)}"
        if isinstance(argument, str) and (name == "Ref" or name.startswith("Fn::")):
            return f"!{name.removeprefix('Fn::')} {spell(argument)}"
    return json.dumps(node)
