"""Edits a template's text without changing its comments, its order and its layout.

An edit says what changes in the template's value. `apply` makes the same change in the text, by the places that the
reader noted, and then reads the new text again: the result must be exactly the intended value.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import template_file, yaml_writer
from ecs_exec_role.offline.errors import InvalidTemplate
from ecs_exec_role.offline.source_map import SourcePosition
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.template.symbols import Json

Path: TypeAlias = tuple[str, ...]


class Delete(NamedTuple):
    """Removes a key with its value, or an item of a list."""

    path: Path


class Replace(NamedTuple):
    """Replaces a key and its value, or an item of a list.

    For an item, `key` is its index.
    """

    path: Path
    key: str
    value: Json


class Insert(NamedTuple):
    """Adds a key and its value at the top of a mapping, or after the key `after` if the mapping has it."""

    path: Path
    key: str
    value: Json
    after: str = ""


Edit: TypeAlias = Delete | Replace | Insert


_ALIAS = re.compile(r"[^\s:]+:[ \t]+\*[^\s,\[\]{}]+")
_USES_ALIAS = "a part of it is an alias of another part of the file"


class NotEditable(ValueError):
    """The layout of the text does not allow these edits."""


class _Change(NamedTuple):
    start: int
    end: int
    text: str


def apply(template: TemplateFile, edits: Sequence[Edit]) -> TemplateFile:
    """The template with these edits made.

    Raises:
        NotEditable: they cannot be made in the text; it says where, so that the user can make them by hand.
    """
    if "\r\n" in template.text and "\n" not in template.text.replace("\r\n", ""):
        plain = template_file.parse(template.name, template.text.replace("\r\n", "\n"))
        return template_file.parse(template.name, apply(plain, edits).text.replace("\n", "\r\n"))
    editor = _Editor(template)
    changes = sorted(editor.changes(edits))
    for one, next_one in pairwise(changes):
        if next_one.start < one.end:
            raise NotEditable("the layout of the changed lines is too compact to edit")
    if template.form != "json":
        _refuse_shared(template.text, changes)
    text = template.text
    for change in reversed(changes):
        text = text[: change.start] + change.text + text[change.end :]
    try:
        edited = template_file.parse(template.name, text)
    except InvalidTemplate:
        # A mistake in the edited text is not a mistake in the user's file.
        raise NotEditable("the layout does not allow it") from None
    if edited.data != _edited(template.data, edits):
        raise NotEditable("the layout does not allow it")
    return edited


def _refuse_shared(text: str, changes: Sequence[_Change]) -> None:
    """Refuses changes that would remove an anchor of YAML that other parts of the file use.

    Raises:
        NotEditable: with the names of the anchors.
    """
    if "&" not in text:
        return
    from ruamel.yaml import YAML  # noqa: PLC0415 - few templates have anchors
    from ruamel.yaml.tokens import AliasToken, AnchorToken  # noqa: PLC0415

    removed, used = set(), set()
    for token in YAML(typ="safe", pure=True).scan(text):
        if isinstance(token, (AliasToken, AnchorToken)):
            inside = any(change.start <= token.start_mark.index < change.end for change in changes)
            if inside and isinstance(token, AnchorToken):
                removed.add(token.value)
            elif not inside and isinstance(token, AliasToken):
                used.add(token.value)
    if removed & used:
        names = " and ".join(f"`&{name}`" for name in sorted(removed & used))
        raise NotEditable(f"other parts of the file use its anchor {names}")


def _edited(data: Json, edits: Iterable[Edit]) -> Json:
    """The value that the edited text must have."""
    data = copy.deepcopy(data)
    lists: dict[int, tuple[list[Json], set[int]]] = {}
    for edit in edits:
        parent_path = edit.path if isinstance(edit, Insert) else edit.path[:-1]
        parent = data
        for step in parent_path:
            parent = parent[int(step)] if isinstance(parent, list) else parent[step]
        if isinstance(edit, Insert):
            parent[edit.key] = edit.value
        elif isinstance(edit, Replace) and isinstance(parent, list):
            parent[int(edit.path[-1])] = edit.value
        elif isinstance(edit, Replace):
            del parent[edit.path[-1]]
            parent[edit.key] = edit.value
        elif isinstance(parent, list):
            lists.setdefault(id(parent), (parent, set()))[1].add(int(edit.path[-1]))
        else:
            del parent[edit.path[-1]]
    for items, gone in lists.values():
        items[:] = [item for index, item in enumerate(items) if index not in gone]
    return data


class _Editor:
    def __init__(self, template: TemplateFile) -> None:
        self._template = template
        self._text = template.text
        self._json = template.form == "json"

    def changes(self, edits: Iterable[Edit]) -> Iterator[_Change]:
        gone: dict[Path, list[str]] = {}
        for edit in edits:
            if isinstance(edit, Delete):
                gone.setdefault(edit.path[:-1], []).append(edit.path[-1])
            elif isinstance(edit, Replace):
                yield self._replaced(edit)
            else:
                yield self._inserted(edit)
        for path, keys in gone.items():
            parent = self._place(path)
            yield from self._block_deletions(parent, keys) if parent.block else self._flow_deletions(parent, keys)

    # -- places -------------------------------------------------------------------------------------------------------

    def _place(self, path: Path) -> SourcePosition:
        place = self._template.place
        for step in path:
            child = place.children[step]
            of_tag = (child.value, child.end) == (place.value, place.end)  # a short tag's own place
            if not of_tag and not place.value <= child.start <= child.end <= place.end:
                raise NotEditable(f"{'/'.join(path)} is in a part of the file that several places use by an alias")
            place = child
        return place

    def _column(self, place: SourcePosition) -> int:
        return place.start - (self._text.rfind("\n", 0, place.start) + 1)

    def _end(self, place: SourcePosition) -> int:
        """The end of the last visible character of a value: a block can end after blank lines and comments."""
        if place.value < place.start:
            # The value of an alias is at its anchor.
            alias = _ALIAS.match(self._text, place.start)
            if alias is None:
                raise NotEditable(_USES_ALIAS)
            return alias.end()
        if place.block and place.children:
            if any(child.start < place.value or child.start > place.end for child in place.children.values()):
                raise NotEditable(_USES_ALIAS)
            return max(self._end(child) for child in place.children.values())
        inner = next(iter(place.children.values()), None)
        if inner is not None and inner.value == place.value and inner.end == place.end:
            return self._end(inner)  # a short tag's own place
        return place.value + len(self._text[place.value : place.end].rstrip())

    # -- what is written ----------------------------------------------------------------------------------------------

    def _entry(self, key: str, value: Json, column: int, *, block: bool) -> str:
        """A key and its value as text, indented to a column."""
        if self._json:
            written = json.dumps(value, indent=self._json_indent(), ensure_ascii=False)
            return f"{json.dumps(key)}: {written.replace(chr(10), chr(10) + ' ' * column)}"
        if not block:
            return f"{key}: {yaml_writer.flow(value)}"
        lines = yaml_writer.write({key: value}).rstrip("\n").split("\n")
        return f"\n{' ' * column}".join(lines)

    def _json_indent(self) -> int:
        match = re.search(r"\n( +)\"", self._text)
        return len(match[1]) if match else 2

    def _replaced(self, edit: Replace) -> _Change:
        place = self._place(edit.path)
        if edit.path[-1].isdecimal() and edit.key == edit.path[-1]:
            text = json.dumps(edit.value, ensure_ascii=False) if self._json else yaml_writer.flow(edit.value)
            return _Change(place.value, self._end(place), text)
        text = self._entry(edit.key, edit.value, self._column(place), block=self._place(edit.path[:-1]).block)
        return _Change(place.start, self._end(place), text)

    def _inserted(self, edit: Insert) -> _Change:
        parent = self._place(edit.path)
        if not parent.children:
            raise NotEditable(f"{'/'.join(edit.path)} is empty")
        if edit.after in parent.children:
            before = parent.children[edit.after]
            column = self._column(before)
            end = self._end(before)
            text = self._entry(edit.key, edit.value, column, block=parent.block)
            if parent.block:
                # The rest of the line, such as a comment, belongs to it.
                line_end = self._text.find("\n", end)
                end = len(self._text) if line_end < 0 else line_end
                return _Change(end, end, f"\n{' ' * column}{text}")
            return _Change(end, end, f",{self._between(parent)}{text}")
        first = min(parent.children.values(), key=lambda child: child.start)
        column = self._column(first)
        text = self._entry(edit.key, edit.value, column, block=parent.block)
        if parent.block:
            if self._text[first.start - column : first.start].strip():
                return _Change(first.start, first.start, f"{text}\n{' ' * column}")
            # Comments above the first key are about it, but those at the top of a file are about the file.
            start = self._with_comments(first.start - column, column) if edit.path else first.start
            return _Change(start, start, f"{' ' * column}{text}\n")
        return _Change(first.start, first.start, f"{text},{self._between(parent)}")

    def _between(self, parent: SourcePosition) -> str:
        """The white space before each entry of a mapping in flow style."""
        first = min(child.start for child in parent.children.values())
        space = self._text[parent.value : first].rpartition("{")[2]
        return space if space.strip() == "" and "\n" in space else " "

    # -- what is taken away -------------------------------------------------------------------------------------------

    def _block_deletions(self, parent: SourcePosition, keys: Sequence[str]) -> Iterator[_Change]:
        ordered = sorted(parent.children.values(), key=lambda child: child.start)
        if len(keys) == len(ordered):
            raise NotEditable("nothing would be left of a mapping")
        for key in keys:
            place = parent.children[key]
            line = self._text.rfind("\n", 0, place.start) + 1
            before = self._text[line : place.start]
            if before.strip() not in ("", "-") or (before.strip() == "-" and not key.isdecimal()):
                # The first key of a list's item: the next key takes its place after the dash.
                following = next((child for child in ordered if child.start > place.start), None)
                if following is None:
                    raise NotEditable("nothing would be left of a list's item")
                yield _Change(place.start, following.start, "")
                continue
            start = self._with_comments(line, self._column(place) if not before.strip() else len(before) - 2)
            end = self._text.find("\n", self._end(place))
            end = len(self._text) if end < 0 else end + 1
            # The blank lines on one side of it are enough.
            if start == 0 or self._text[:start].endswith("\n\n"):
                while self._text[end : end + 1] == "\n":
                    end += 1
            yield _Change(start, end, "")

    def _with_comments(self, line: int, column: int) -> int:
        """The start of the comment lines directly above a line, in the same column, which are about it."""
        while line > 0:
            above = self._text.rfind("\n", 0, line - 1) + 1
            if not self._text[above:line].startswith(f"{' ' * column}#"):
                break
            line = above
        return line

    def _flow_deletions(self, parent: SourcePosition, keys: Sequence[str]) -> Iterator[_Change]:
        entries = sorted(parent.children.items(), key=lambda item: item[1].start)
        kept = [place for key, place in entries if key not in keys]
        if not kept:
            raise NotEditable("nothing would be left of a mapping")
        run: list[SourcePosition] = []
        last: SourcePosition | None = None
        for key, place in entries:
            if key in keys:
                run.append(place)
                continue
            if run:
                yield _Change(run[0].start, place.start, "")
                run = []
            last = place
        if run and last is not None:
            yield _Change(self._end(last), self._end(run[-1]), "")
