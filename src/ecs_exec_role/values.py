"""Symbolic text: a string of which parts are known only to CloudFormation.

Such a text is an ordinary `str`, in which every unknown intrinsic function is ONE character of Unicode's last private use
plane. `arn:${AWS::Partition}:s3:::${Bucket}/app.env` is "arn:", a character, ":s3:::", another character, "/app.env". So a
text is compared, hashed, cut and matched as any string is, and only `Symbols`, the table of one template, knows what a
character stands for and writes the text back as the shortest intrinsic that says it.

No template can contain these characters itself: `template.read` refuses them first.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NamedTuple, TypeAlias

Json: TypeAlias = Any
"""What `json.loads` makes: the type of a template and of all that is in it."""

NO_VALUE: dict[str, str] = {"Ref": "AWS::NoValue"}

_FIRST = 0x100000
_LAST = 0x10FFFD
SYMBOL = f"[{chr(_FIRST)}-{chr(_LAST)}]"
"""A character class for regular expressions: any one symbol."""

PSEUDO_PARAMETERS = (
    "AWS::Partition",
    "AWS::Region",
    "AWS::AccountId",
    "AWS::URLSuffix",
    "AWS::StackName",
    "AWS::StackId",
    "AWS::NotificationARNs",
)
PARTITION, REGION, ACCOUNT, URL_SUFFIX, STACK_NAME, STACK_ID = (chr(_FIRST + index) for index in range(6))

_SYMBOLS = re.compile(SYMBOL)
_PIECES = re.compile(f"({SYMBOL})")
_DYNAMIC = re.compile(r"\{\{resolve:.*?\}\}")


class Symbol(NamedTuple):
    """What one private character stands for.

    `name` is a `Ref`'s or `Fn::GetAtt`'s logical ID, `attribute` the latter's attribute. For `Dynamic` (a
    `{{resolve:…}}` reference) `node` is its text, itself symbolic; for `Opaque` the intrinsic function as written.
    """

    kind: Literal["Ref", "GetAtt", "Dynamic", "Opaque"]
    name: str
    attribute: str
    node: Json


class TooManySymbols(ValueError):
    """The template holds more distinct intrinsic functions than there are private characters (65,534)."""


class Symbols:
    """The intrinsic functions of one template, each with its character."""

    def __init__(self) -> None:
        self._symbols: list[Symbol] = []
        self._characters: dict[str, str] = {}
        for name in PSEUDO_PARAMETERS:
            self.ref(name)

    def ref(self, name: str) -> str:
        """The symbol of `!Ref name`."""
        return self._characters.get(name) or self._add(name, Symbol("Ref", name, "", {"Ref": name}))

    def get_att(self, name: str, attribute: str) -> str:
        """The symbol of `!GetAtt name.attribute`."""
        key = f"{name}.{attribute}"
        return self._characters.get(key) or self._add(
            key, Symbol("GetAtt", name, attribute, {"Fn::GetAtt": [name, attribute]})
        )

    def opaque(self, node: Json) -> str:
        """The symbol of any other intrinsic function, kept as it was written."""
        key = json.dumps(node, sort_keys=True, separators=(",", ":"))
        return self._characters.get(key) or self._add(key, Symbol("Opaque", "", "", node))

    def with_dynamic_references(self, text: str) -> str:
        """`text` with each `{{resolve:…}}` in it turned into a symbol: what it stands for is unknown here."""
        if "{{resolve:" not in text:
            return text
        return _DYNAMIC.sub(
            lambda match: self._characters.get(match[0]) or self._add(match[0], Symbol("Dynamic", "", "", match[0])),
            text,
        )

    def _add(self, key: str, symbol: Symbol) -> str:
        if len(self._symbols) > _LAST - _FIRST:
            raise TooManySymbols
        character = chr(_FIRST + len(self._symbols))
        self._symbols.append(symbol)
        self._characters[key] = character
        return character

    def __getitem__(self, character: str) -> Symbol:
        return self._symbols[ord(character) - _FIRST]

    def sole(self, text: str) -> Symbol | None:
        """The symbol that is all of `text`, or None if the text is anything else."""
        return self[text] if len(text) == 1 and is_symbolic(text) else None

    def within(self, text: str) -> list[Symbol]:
        """The symbols in `text`, in order; those inside a dynamic reference too."""
        return [self[character] for character in _SYMBOLS.findall(self._plain(text))]

    def _plain(self, text: str) -> str:
        """`text` with its dynamic references written out again."""
        while True:
            dynamic = [c for c in _SYMBOLS.findall(text) if self[c].kind == "Dynamic"]
            if not dynamic:
                return text
            for character in dynamic:
                text = text.replace(character, self[character].node)

    def show(self, text: str) -> str:
        """`text` as a person would write it in `Fn::Sub`; the same whatever the order symbols were met in."""
        if text.isascii():
            return text
        return "".join(map(self._show_piece, _PIECES.split(text)))

    def _show_piece(self, piece: str) -> str:
        if len(piece) != 1 or not is_symbolic(piece):
            return piece
        symbol = self[piece]
        match symbol.kind:
            case "Ref":
                return f"${{{symbol.name}}}"
            case "GetAtt":
                return f"${{{symbol.name}.{symbol.attribute}}}"
            case "Dynamic":
                return self.show(symbol.node)
            case _:
                return f"${{{json.dumps(symbol.node, sort_keys=True, separators=(',', ':'))}}}"

    def render(self, text: str) -> Json:
        """`text` as the shortest value of a template that says it: a string, one intrinsic function, or one `Fn::Sub`."""
        if text.isascii():
            return text
        text = self._plain(text)
        if (sole := self.sole(text)) is not None:
            return sole.node
        pieces = _PIECES.split(text)
        if len(pieces) == 1:
            return text
        variables: dict[str, Json] = {}
        taken = {symbol.name for symbol in self.within(text)}
        written = []
        for piece in pieces:
            if len(piece) == 1 and is_symbolic(piece):
                symbol = self[piece]
                if symbol.kind == "Ref":
                    written.append(f"${{{symbol.name}}}")
                elif symbol.kind == "GetAtt":
                    written.append(f"${{{symbol.name}.{symbol.attribute}}}")
                else:
                    written.append(f"${{{_variable(symbol.node, variables, taken)}}}")
            else:
                written.append(piece.replace("${", "${!"))
        template = "".join(written)
        return {"Fn::Sub": [template, variables] if variables else template}


def _variable(node: Json, variables: dict[str, Json], taken: set[str]) -> str:
    """The name under which `node` stands among the variables of an `Fn::Sub`; put there if it is new."""
    for name, value in variables.items():
        if value == node:
            return name
    number = len(variables) + 1
    while (name := f"Value{number}") in taken:
        number += 1
    taken.add(name)
    variables[name] = node
    return name


def is_symbolic(text: str) -> bool:
    """Whether any part of `text` is unknown."""
    return not text.isascii() and _SYMBOLS.search(text) is not None
