"""Reads a template in JSON, with the position of everything in it."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from json import JSONDecodeError, JSONDecoder

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.offline.source_map import SourcePosition
from ecs_exec_role.offline.yaml_reader import Unreadable
from ecs_exec_role.template.symbols import Json

_SPACE = late_pattern(r"[ \t\r\n]*")
_NUMBER = late_pattern(r"-?(?:0|[1-9][0-9]*)(?P<rest>(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
_STRINGS = JSONDecoder()
_WORDS = {"true": True, "false": False, "null": None}


def read(text: str) -> tuple[Json, SourcePosition]:
    """The value of a JSON text and the position of everything in it.

    Raises:
        Unreadable: the text is not valid JSON, or a mapping has the same key twice.
    """
    reader = _Reader(text)
    try:
        value, place = reader.value(reader.skip(0), None)
        end = reader.skip(place.end)
        if end < len(text):
            raise reader.error(end, "the file is not valid JSON (something follows the end of the template)")
    except RecursionError:
        raise Unreadable(1, 1, "the template is nested too deep", "use fewer levels") from None
    return value, place


class _Reader:
    """A reader of one text. The standard library's reader gives no positions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line_ends = [match.end() for match in re.finditer("\n", text)]

    def _line_and_column(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._line_ends, offset)
        return line + 1, offset - (self._line_ends[line - 1] if line else 0) + 1

    def error(self, offset: int, what: str, fix: str = "correct the syntax") -> Unreadable:
        line, column = self._line_and_column(offset)
        return Unreadable(line, column, what, fix)

    def skip(self, offset: int) -> int:
        """The offset after the white space at `offset`."""
        match = _SPACE.match(self._text, offset)
        return match.end() if match else offset

    def value(self, offset: int, key: int | None) -> tuple[Json, SourcePosition]:
        """The value that begins at `offset`. `key` is where its key begins; None if it has no key."""
        start = offset if key is None else key
        line, column = self._line_and_column(start)
        place = SourcePosition(line, column, start, offset, offset)
        first = self._text[offset : offset + 1]
        value: Json
        if first == "{":
            value, place.end = self._mapping(offset, place)
        elif first == "[":
            value, place.end = self._list(offset, place)
        elif first == '"':
            value, place.end = self._string(offset)
        elif number := _NUMBER.match(self._text, offset):
            value = float(number[0]) if number["rest"] else int(number[0])
            if value in (math.inf, -math.inf):
                raise self.error(offset, f"the number {number[0]} is too large", "write it in quotes")
            place.end = number.end()
        else:
            for word, meaning in _WORDS.items():
                if self._text.startswith(word, offset):
                    value, place.end = meaning, offset + len(word)
                    break
            else:
                raise self.error(offset, "the file is not valid JSON (a value is missing)")
        return value, place

    def _string(self, offset: int) -> tuple[str, int]:
        try:
            text, end = _STRINGS.raw_decode(self._text, offset)
        except JSONDecodeError as error:
            raise self.error(error.pos, f"the file is not valid JSON ({error.msg.lower()})") from None
        return text, end

    def _mapping(self, offset: int, place: SourcePosition) -> tuple[dict[str, Json], int]:
        value: dict[str, Json] = {}
        offset = self.skip(offset + 1)
        if self._text[offset : offset + 1] == "}":
            return value, offset + 1
        while True:
            if self._text[offset : offset + 1] != '"':
                raise self.error(offset, "the file is not valid JSON (a key in double quotes is missing)")
            key, end = self._string(offset)
            if key in value:
                first = place.children[key].line
                what = f"the key `{key}` is written twice, first in line {first}"
                raise self.error(offset, what, "leave one of them")
            colon = self.skip(end)
            if self._text[colon : colon + 1] != ":":
                raise self.error(colon, "the file is not valid JSON (a colon is missing)")
            value[key], place.children[key] = self.value(self.skip(colon + 1), offset)
            offset = self.skip(place.children[key].end)
            closing = self._text[offset : offset + 1]
            if closing == "}":
                return value, offset + 1
            if closing != ",":
                raise self.error(offset, "the file is not valid JSON (a comma or the end of a mapping is missing)")
            offset = self.skip(offset + 1)

    def _list(self, offset: int, place: SourcePosition) -> tuple[list[Json], int]:
        value: list[Json] = []
        offset = self.skip(offset + 1)
        if self._text[offset : offset + 1] == "]":
            return value, offset + 1
        while True:
            item, there = self.value(offset, None)
            place.children[str(len(value))] = there
            value.append(item)
            offset = self.skip(there.end)
            closing = self._text[offset : offset + 1]
            if closing == "]":
                return value, offset + 1
            if closing != ",":
                raise self.error(offset, "the file is not valid JSON (a comma or the end of a list is missing)")
            offset = self.skip(offset + 1)
