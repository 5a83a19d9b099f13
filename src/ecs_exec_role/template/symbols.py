"""Symbolic text: a string with parts that only CloudFormation knows.

Such a text is an ordinary `str`, in which every unknown intrinsic function is ONE character of Unicode's last private
use plane. `arn:${AWS::Partition}:s3:::${Bucket}/app.env` is "arn:", a character, ":s3:::", another character,
"/app.env". So a text is compared, hashed, cut and matched as any string is, and only `Symbols`, the table of one
template, knows the meaning of a character and writes the text as the shortest equivalent intrinsic function.

An event that contains such a character itself is refused as a whole: see `event.read`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, Literal, NewType, TypeAlias

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template import spelling
from ecs_exec_role.template.budget import current

Json: TypeAlias = Any
"""What `json.loads` makes: the type of a template and of all that is in it."""

SymbolicText = NewType("SymbolicText", str)
"""A text that can contain symbols.

`Symbols.show` writes it for a message, `Symbols.render` for a template. scripts/mypy_symbolic_text.py follows it
through methods and f-strings, and refuses it in a message.
"""

NO_VALUE: dict[str, str] = {"Ref": "AWS::NoValue"}

_FIRST = 0x100000
_LAST = 0x10FFF0
SYMBOL = f"[{chr(_FIRST)}-{chr(_LAST)}]"
"""A character class for regular expressions: any one symbol."""

MANY, ONE, ESCAPE = "\U0010fffd", "\U0010fffe", "\U0010ffff"
"""IAM's `*`, `?` and `${` where the engine itself writes them; only `needs.wildcards` replaces them with these."""

PRIVATE = f"[{chr(_FIRST)}-\U0010ffff]"
"""A character class for regular expressions: the characters that no text of a template may contain."""

PSEUDO_PARAMETERS = (
    "AWS::Partition",
    "AWS::Region",
    "AWS::AccountId",
    "AWS::URLSuffix",
    "AWS::StackName",
    "AWS::StackId",
    "AWS::NotificationARNs",
)
PARTITION, REGION, ACCOUNT, URL_SUFFIX, STACK_NAME, STACK_ID = (SymbolicText(chr(_FIRST + index)) for index in range(6))

_FEW = 8
"""The most symbols of a text that are replaced one after the other; a pattern finds more of them."""

_SYMBOLS = late_pattern(SYMBOL)
_LITERAL = late_pattern(r"\$\{(?:[A-Za-z0-9:._/-]+\})?")
_DYNAMIC, _DYNAMIC_END = "{{resolve:", "}}"


_Kind: TypeAlias = Literal["Ref", "GetAtt", "Dynamic", "Opaque"]


class Symbol(NamedTuple):
    """The meaning of one private character, `character`.

    `name` is a `Ref`'s or `Fn::GetAtt`'s logical ID, `attribute` the latter's attribute. For `Dynamic` (a
    `{{resolve:…}}` reference) `node` is its text, itself symbolic; for `Opaque` the intrinsic function as written.
    """

    kind: _Kind
    name: str
    attribute: str
    node: Json
    character: SymbolicText


class TooManySymbols(ValueError):
    """The template holds more distinct intrinsic functions than there are private characters for them (65,521)."""


class Symbols:
    """The intrinsic functions of one template, each with its character.

    `added` has them in their order. `any_dynamic`: whether one of them is a dynamic reference.
    """

    def __init__(self) -> None:
        self._symbols: dict[str, Symbol] = {}
        self.added: list[Symbol] = []
        self._characters: dict[str, SymbolicText] = {}
        # How each symbol, and each text that was requested once, is written inside an `Fn::Sub`.
        self._shown: dict[str, str] = {}
        # The same for sorting, where it differs: an intrinsic function as JSON.
        self._keys: dict[str, str] = {}
        # The symbols of each text that was requested once.
        self._contents: dict[str, tuple[Symbol, ...]] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._all_plain = True
        self.any_dynamic = False
        for name in PSEUDO_PARAMETERS:
            self.ref(name)

    def ref(self, name: str) -> SymbolicText:
        """The symbol of `!Ref name`."""
        return self._characters.get(name) or self._add(name, "Ref", name, "", {"Ref": name})

    def get_att(self, name: str, attribute: str) -> SymbolicText:
        """The symbol of `!GetAtt name.attribute`."""
        key = f"{name}.{attribute}"
        return self._characters.get(key) or self._add(key, "GetAtt", name, attribute, {"Fn::GetAtt": [name, attribute]})

    def opaque(self, node: Json) -> SymbolicText:
        """The symbol of any other intrinsic function, kept as it was written."""
        key = json.dumps(node, sort_keys=True, separators=(",", ":"))
        current().read(len(key))
        return self._characters.get(key) or self._add(key, "Opaque", "", "", node)

    def with_dynamic_references(self, text: str) -> SymbolicText:
        """`text` with each `{{resolve:…}}` in it turned into a symbol: its value is unknown here."""
        if _DYNAMIC not in text:
            return SymbolicText(text)
        pieces: list[str] = []
        here = 0
        while (start := text.find(_DYNAMIC, here)) >= 0 and (end := text.find(_DYNAMIC_END, start)) >= 0:
            pieces.append(text[here:start])
            here = end + len(_DYNAMIC_END)
            pieces.append(self._dynamic(text[start:here]))
        return SymbolicText("".join(pieces) + text[here:])

    def _dynamic(self, text: str) -> SymbolicText:
        return self._characters.get(text) or self._add(text, "Dynamic", "", "", text)

    def _add(self, key: str, kind: _Kind, name: str, attribute: str, node: Json) -> SymbolicText:
        if len(self._symbols) > _LAST - _FIRST:
            raise TooManySymbols
        character = self._characters[key] = SymbolicText(chr(_FIRST + len(self._symbols)))
        symbol = self._symbols[character] = Symbol._make((kind, name, attribute, node, character))
        self.added.append(symbol)
        if name:
            self._shown[character] = f"${{{key}}}"
        elif kind == "Opaque":
            self._keys[character] = f"${{{key}}}"
        self._all_plain = self._all_plain and name != ""
        self.any_dynamic = self.any_dynamic or kind == "Dynamic"
        return character

    def __getitem__(self, character: str) -> Symbol:
        return self._symbols[character]

    def sole(self, text: str) -> Symbol | None:
        """The symbol that is the complete `text`, or None if the text is anything else."""
        return self._symbols.get(text)

    def directly_in(self, text: str) -> tuple[Symbol, ...]:
        """The symbols in `text`, in order."""
        if text.isascii():
            return ()
        found = self._contents.get(text)
        if found is None:
            symbols = self._symbols
            found = self._contents[text] = tuple([symbols[character] for character in _SYMBOLS.findall(text)])
        return found

    def dynamic_in(self, text: str) -> list[Symbol]:
        """The dynamic references in `text`, in order."""
        return [symbol for symbol in self.directly_in(text) if symbol.kind == "Dynamic"] if self.any_dynamic else []

    def names(self, text: str) -> frozenset[str]:
        """The logical IDs, and names of parameters, to which `text` refers."""
        found = self._names.get(text)
        if found is None:
            symbols = self.directly_in(text)
            found = frozenset([symbol.name for symbol in symbols])
            if "" in found:
                others = {id(symbol): symbol for symbol in symbols if not symbol.name}.values()
                found = (found - {""}).union(*map(self.names_in, others))
            self._names[text] = found
        return found

    def names_in(self, symbol: Symbol) -> Collection[str]:
        """The same for a dynamic reference, or for an intrinsic function that is kept as it was written."""
        return self.names(symbol.node) if symbol.kind == "Dynamic" else references(symbol.node)

    def within(self, text: str) -> tuple[Symbol, ...]:
        """The symbols in `text`, in order; those inside a dynamic reference too."""
        return self.directly_in(self._plain(text) if self.any_dynamic else text)

    def _plain(self, text: str) -> str:
        """`text` with its dynamic references written out again."""
        if not self.any_dynamic:
            return text

        def written(match: re.Match[str]) -> str:
            symbol = self[match[0]]
            return self._plain(symbol.node) if symbol.kind == "Dynamic" else match[0]

        return _SYMBOLS.sub(written, text)

    def show(self, text: str) -> str:
        """`text` as a person writes it in `Fn::Sub`; independent of the order in which symbols were found."""
        if text.isascii():
            return text
        shown = self._shown.get(text)
        if shown is None:
            found = self.directly_in(text)
            if len(found) > _FEW:
                shown = _SYMBOLS.sub(lambda match: self._show_symbol(match[0]), text)
            else:
                shown = text
                # What a symbol is shown as has no symbols in it.
                for symbol in found:
                    character = symbol.character
                    shown = shown.replace(character, self._shown.get(character) or self._show_symbol(character))
            self._shown[text] = shown
        return shown

    def _show_symbol(self, character: str) -> str:
        shown = self._shown.get(character)
        if shown is None:
            symbol = self[character]
            shown = self.show(symbol.node) if symbol.kind == "Dynamic" else spelling.shown(symbol.node)
            self._shown[character] = shown
        return shown

    def sort_key(self, text: str) -> str:
        """The key by which texts are sorted: it depends on neither the order nor the display of symbols."""
        return _SYMBOLS.sub(self._key_of_symbol, text) if self._keys and not text.isascii() else self.show(text)

    def _key_of_symbol(self, match: re.Match[str]) -> str:
        character = match[0]
        if character in self._keys:
            return self._keys[character]
        symbol = self[character]
        return self.sort_key(symbol.node) if symbol.kind == "Dynamic" else self._shown[character]

    def render(self, text: str) -> Json:
        """`text` as the shortest equivalent value of a template: a string, an intrinsic function, or one `Fn::Sub`."""
        if text.isascii():
            return text
        if self.any_dynamic:
            text = self._plain(text)
        if (sole := self.sole(text)) is not None:
            return sole.node
        if self._all_plain and "${" not in text:
            shown = self.show(text)
            return text if shown == text else {"Fn::Sub": shown}
        symbols = self.directly_in(text)
        if not symbols:
            return text
        variables: dict[str, Json] = {}
        taken = {symbol.name for symbol in symbols}
        escaped = text
        if "${" in text:
            # Text that only looks like a variable is written `${!…}`: `${` alone would make a variable of what follows
            # it.
            bare = f"${{{_variable('${', variables, taken)}}}"
            escaped = _LITERAL.sub(lambda match: f"${{!{match[0][2:]}" if match[0].endswith("}") else bare, text)
            if bare not in escaped:
                variables.clear()
        if not self._all_plain:
            opaque = {
                character: f"${{{_variable(self[character].node, variables, taken)}}}"
                for character in dict.fromkeys(_SYMBOLS.findall(text))
                if self[character].kind == "Opaque"
            }
            escaped = _SYMBOLS.sub(lambda match: opaque.get(match[0], match[0]), escaped)
        template = self.show(escaped)
        return {"Fn::Sub": [template, variables] if variables else template}

    def spelt(self, text: str, *, in_list: bool = False) -> str:
        """`text` as an author writes it in YAML, for messages; `in_list`: for use between brackets."""
        return spelling.spell(self.render(text), in_list=in_list)


def _variable(node: Json, variables: dict[str, Json], taken: set[str]) -> str:
    """A new name for `node` among the variables of an `Fn::Sub`, and puts it there."""
    number = len(variables) + 1
    while (name := f"Value{number}") in taken:
        number += 1
    taken.add(name)
    variables[name] = node
    return name


def is_symbolic(text: str) -> bool:
    """Whether any part of `text` is unknown."""
    return not text.isascii() and _SYMBOLS.search(text) is not None


def references(node: Json) -> set[str]:
    """The names that `node` refers to, by `Ref`, `Fn::GetAtt` or `Fn::Sub`, at any depth and under any condition."""
    found: set[str] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, list):
            stack.extend(current)
        elif isinstance(current, dict):
            stack.extend(current.values())
            for key, argument in current.items():
                if key == "Ref" and isinstance(argument, str):
                    found.add(argument)
                elif key == "Fn::GetAtt":
                    name = argument[0] if isinstance(argument, list) and argument else argument
                    if isinstance(name, str):
                        found.add(name.partition(".")[0])
                elif key == "Fn::Sub":
                    text, *variables = argument if isinstance(argument, list) and argument else [argument]
                    if isinstance(text, str):
                        own = set(variables[0]) if variables and isinstance(variables[0], dict) else set()
                        found.update(name.partition(".")[0] for name in _SUBSTITUTED.findall(text) if name not in own)
    return found


_SUBSTITUTED = late_pattern(r"\$\{\s*([A-Za-z0-9:.]+)\s*\}")


def texts(node: Json) -> Iterator[str]:
    """The strings in `node`, without the keys, in their order."""
    if isinstance(node, str):
        yield node
    else:
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for child in children:
            yield from texts(child)
