"""Roles that one template exports and another imports.

A stack's name is only known when it is deployed, so an export `${AWS::StackName}:Role` is found by its end. The values
of the exporting template are translated: its parameters and resources differ from those of the same name here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ecs_exec_role.audit import granted, uses
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.granted import Granted, GrantedStatement, Pattern, Unknown
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.policies.patterns import overlaps
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import STACK_NAME, Symbols, is_symbolic, references

_SAME_EVERYWHERE = {"AWS::Partition", "AWS::Region", "AWS::AccountId", "AWS::URLSuffix"}


class Export(NamedTuple):
    """A role that a template exports: the name of the export, as a pattern, and where it is."""

    pattern: str
    role: str
    template: TemplateFile
    reader: Reader
    speller: Speller

    @property
    def line(self) -> int:
        return self.template.line(f"Resources/{self.role}")


def of_template(template: TemplateFile, reader: Reader, speller: Speller) -> Iterator[Export]:
    """The roles among a template's exports."""
    for output in mapping(reader.template.fragment.get("Outputs")).values():
        name = mapping(mapping(output).get("Export")).get("Name")
        if name is None:
            continue
        for text in reader.text(mapping(output).get("Value")):
            role = uses.role_named(reader, text.text)
            if role:
                yield Export(speller.node(name).replace(STACK_NAME, "*"), role, template, reader, speller)


def find(exports: Iterable[Export], name: str) -> Export | None:
    """The exported role that an import of this name means; None if there is none, or if it is not certain."""
    fitting = [export for export in exports if overlaps(export.pattern, name)]
    return fitting[0] if len(fitting) == 1 else None


def granted_to(export: Export, symbols: Symbols) -> Granted:
    """What an exported role is granted, in the symbols of the importing template."""
    found = granted.of_role(export.reader, export.role)
    foreign = _Foreign(export, symbols)
    statements = tuple(map(foreign.statement, found.statements))
    unknown = tuple(Unknown("", foreign.said(item.what, item.path), item.fix) for item in found.unknown)
    return Granted(statements, unknown)


class _Foreign:
    """Translates values of another template."""

    def __init__(self, export: Export, symbols: Symbols) -> None:
        self._export = export
        self._symbols = symbols

    def said(self, words: str, path: str) -> str:
        return f"{words} ({self._export.template.name}:{self._export.template.line(path)})"

    def statement(self, statement: GrantedStatement) -> GrantedStatement:
        condition = statement.condition
        if references(condition) - _SAME_EVERYWHERE:
            condition = {"StringEquals": "of another stack"}
        return statement._replace(
            actions=tuple(map(self._entry, statement.actions)),
            resources=tuple(map(self._entry, statement.resources)),
            condition=condition,
            path_condition=self._guard(statement.path_condition),
            path="",
            source=self.said(statement.source, statement.path),
        )

    def _entry(self, entry: Pattern) -> Pattern:
        text = self._export.speller.spell(entry.text)
        return Pattern("".join(map(self._character, text)), self._guard(entry.path_condition), "")

    def _character(self, character: str) -> str:
        if not is_symbolic(character):
            return character
        symbol = self._export.reader.symbols[character]
        if symbol.kind == "Ref" and symbol.name in _SAME_EVERYWHERE:
            return character
        shown = self._export.reader.symbols.show(character).removeprefix("${").removesuffix("}")
        return self._symbols.opaque({"Ref": f"{shown} of {self._export.template.name}"})

    def _guard(self, path_condition: PathCondition) -> PathCondition:
        return tuple((f"{self._export.template.name}'s {name}", truth) for name, truth in path_condition)
