"""Writes a template as readable YAML: short tags, literal blocks for several lines, keys in their order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.offline.yaml_reader import TAGS, WITHOUT_SHORT_FORM
from ecs_exec_role.template.symbols import Json

WIDTH = 100
"""The longest line of a list or mapping in flow style."""

_SHORT = {long: f"!{tag}" for tag, long in TAGS.items() if long not in WITHOUT_SHORT_FORM}

# Text without quotes: no character with a meaning in YAML, and not a number, a word of YAML or a date. It
# requires more quotes than YAML does, so that every version of YAML reads the same.
_PLAIN = late_pattern(
    r"[A-Za-z/_.$](?:[\w/.$@%+=(){}|;~^<>,'\"-]|:(?!\s|$)|[ ](?=[^\s#:])|(?<=[^\s])[#&*!?])*", re.ASCII
)
_PLAIN_IN_FLOW = late_pattern(r"[A-Za-z/_.$](?:[\w/.$@%+=|;~^-]|:(?![\s,]|$)|[ ](?=[\w/$(.-]))*", re.ASCII)
_WORD_OF_YAML = late_pattern(r"(?i:y|n|yes|no|on|off|true|false|null|~|\.nan|\.inf)|\.[0-9_]*(?:[eE].*)?|0[xXoObB].*")
_UNPRINTABLE = late_pattern("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def write(value: Json) -> str:
    """`value` as one YAML document, with a line break at its end."""
    if isinstance(value, (dict, list)) and value:
        return "".join(f"{line}\n" for line in _block(value, 0))
    return f"{_flow(value)}\n"


def flow(value: Json) -> str:
    """`value` on one line, for the inside of a list or mapping in flow style."""
    return _in_flow(value)


def _block(value: Json, indent: int) -> Iterator[str]:
    """The lines of a mapping or list in block style that is not empty."""
    space = " " * indent
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _entry(f"{space}{_text(key)}:", child, indent)
        return
    for child in value:
        if isinstance(child, (dict, list)) and child and not _tag(child) and not _fits(child, indent):
            lines = list(_block(child, indent + 2))
            yield f"{space}- {lines[0][indent + 2 :]}"
            yield from lines[1:]
        else:
            yield from _entry(f"{space}-", child, indent)


def _entry(head: str, value: Json, indent: int) -> Iterator[str]:
    """The lines of the value of a key or of an item of a list."""
    tag = _tag(value)
    if tag:
        [value] = value.values()
        head = f"{head} {tag}"
        if tag == "!GetAtt" and isinstance(value, list):
            value = ".".join(value)
    if isinstance(value, str) and (lines := _literal(value, indent + 2)):
        yield f"{head} {lines[0]}"
        yield from lines[1:]
    elif not isinstance(value, (dict, list)) or not value:
        # With a tag, every plain word is text; without a tag, the word itself must show its type.
        yield f"{head} {_flow(value)}"
    elif _fits(value, len(head) - 1, tagged=bool(tag)):
        yield f"{head} {_flow(value)}"
    else:
        yield head
        yield from _block(value, indent + 2)


def _tag(value: Json) -> str:
    """The short tag of an intrinsic function; empty if it must be written in its long form.

    YAML has one tag for each node, so of two nested functions the outer one is written in its long form.
    """
    if not isinstance(value, dict) or len(value) != 1:
        return ""
    [(name, argument)] = value.items()
    tag = _SHORT.get(name, "")
    if not tag or _tag(argument) or argument is None or isinstance(argument, (bool, int, float)):
        return ""
    if tag == "!Ref":
        return tag if isinstance(argument, str) else ""
    if tag == "!GetAtt":
        if isinstance(argument, str):
            # The reader makes a list from it; a text without a dot stays as it is.
            return "" if "." in argument else tag
        if not (isinstance(argument, list) and len(argument) == 2 and all(isinstance(part, str) for part in argument)):
            return ""
        return tag if argument[0] and "." not in argument[0] and not _literal(".".join(argument), 0) else ""
    return tag


def _fits(value: Json, indent: int, *, tagged: bool = False) -> bool:
    """Whether a list is short and plain enough for one line: words, and references to one thing."""
    if not isinstance(value, list) or not tagged:
        return False
    for item in value:
        inner = next(iter(item.values())) if _tag(item) in ("!Ref", "!GetAtt", "!Sub") else item
        if isinstance(inner, dict) or (isinstance(inner, str) and "\n" in inner):
            return False
        if isinstance(inner, list) and not (inner and all(isinstance(part, str) for part in inner)):
            return False
        if isinstance(inner, list) and _tag(item) != "!GetAtt":
            return False
    return indent + len(_flow(value)) <= WIDTH


def _flow(value: Json) -> str:
    """A value on one line."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, dict)) and value:
        return _in_flow(value)
    return _scalar(value)


def _scalar(value: Json) -> str:
    """A number or a word of JSON. YAML 1.1 recognizes a number with an exponent only with a decimal point."""
    text = json.dumps(value)
    return text.replace("e", ".0e", 1) if isinstance(value, float) and "e" in text and "." not in text else text


def _in_flow(value: Json) -> str:
    if isinstance(value, str):
        return value if _PLAIN_IN_FLOW.fullmatch(value) and not _WORD_OF_YAML.fullmatch(value) else _quoted(value)
    tag = _tag(value)
    if tag:
        [value] = value.values()
        return f"{tag} {_in_flow('.'.join(value) if tag == '!GetAtt' and isinstance(value, list) else value)}"
    if isinstance(value, list):
        return f"[{', '.join(map(_in_flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_in_flow(key)}: {_in_flow(child)}' for key, child in value.items())}}}"
    return _scalar(value)


def _text(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and not _WORD_OF_YAML.fullmatch(text) and not text.endswith(" ")
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    if '"' in text and text.isprintable() and "'" not in text and text.isascii():
        return f"'{text}'"
    quoted = json.dumps(text, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _literal(text: str, indent: int) -> list[str]:
    """The lines of a text of several lines in literal style; empty if that style cannot express it."""
    if "\n" not in text or text.startswith((" ", "\n")) or _UNPRINTABLE.search(text) or not text.strip("\n"):
        return []
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    head = "|" + ("-" if ends == 0 else "" if ends == 1 else "+")
    if any(line and not line.strip(" ") for line in body.split("\n")):
        return []
    space = " " * indent
    lines = [head, *(f"{space}{line}" if line else "" for line in body.split("\n"))]
    return lines + [""] * (ends - 1)
