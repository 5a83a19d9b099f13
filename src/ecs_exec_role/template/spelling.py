"""Values of a template on one line, for messages: in YAML's short form, or in the spelling of `Fn::Sub`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ecs_exec_role.late_pattern import late_pattern

_PLAIN = late_pattern(r"(?:[A-Za-z0-9/$_.]++|-(?=\w)|(?<=.)(?:\{(?!\{)|[@+=-]|:(?! |$)|\}(?!\})|(?<=\w) (?=\w)))++")
"""Text that YAML reads as itself without quotes."""

_quoted = json.JSONEncoder(ensure_ascii=False).encode
"""A value as JSON, with every character that can be shown as it is."""

_BRACE = late_pattern(r"[{}]")
"""What needs quotes between the brackets of a YAML list."""

_NOT_TEXT = late_pattern(r"[-+]?[0-9.][0-9_.eE+:-]*|(?i:0[xob]\w+|y|n|yes|no|on|off|true|false|null|\.nan|[-+]?\.inf)")
"""What YAML reads as a number, a date, a truth value or nothing."""

_SHORT_FORMS = frozenset(
    (
        *("Fn::And", "Fn::Base64", "Fn::Cidr", "Fn::Equals", "Fn::FindInMap", "Fn::GetAZs", "Fn::GetAtt", "Fn::If"),
        *("Fn::ImportValue", "Fn::Join", "Fn::Not", "Fn::Or", "Fn::Select", "Fn::Split", "Fn::Sub", "Ref"),
    )
)
"""The functions that have a short form; the others are written in full."""

_VARIABLE = late_pattern(r"\$\{([A-Za-z0-9_:.]+)\}")


def spell(node: Any, *, in_list: bool = False) -> str:
    """A value of a template in YAML's short form, on one line; `in_list`: for use between brackets."""
    if isinstance(node, str):
        plain = _PLAIN.fullmatch(node) and not (in_list and _BRACE.search(node))
        return node if plain and not _NOT_TEXT.fullmatch(node) else _quoted(node)
    if isinstance(node, dict) and len(node) == 1:
        [(name, argument)] = node.items()
        if name == "Fn::GetAtt" and isinstance(argument, list) and all(isinstance(part, str) for part in argument):
            return f"!GetAtt {'.'.join(argument)}"
        if isinstance(argument, str) and (name == "Ref" or name.startswith("Fn::")):
            return f"!{name.removeprefix('Fn::')} {spell(argument, in_list=in_list)}"
        if name in _SHORT_FORMS and isinstance(argument, (dict, list)) and argument:
            # YAML has one tag for each value: a function that is all of another's argument is written in full.
            inner = _in_full(argument) if isinstance(argument, dict) else _item(argument)
            return f"!{name.removeprefix('Fn::')} {inner}"
    return _item(node)


def _item(node: Any) -> str:
    """A value between the brackets of a list or mapping."""
    if isinstance(node, str):
        return spell(node, in_list=True)
    if isinstance(node, list):
        return f"[{', '.join(map(_item, node))}]"
    if isinstance(node, dict) and len(node) == 1 and next(iter(node)) in _SHORT_FORMS:
        return spell(node, in_list=True)
    return _in_full(node) if isinstance(node, dict) else json.dumps(node)


def _in_full(node: Mapping[str, Any]) -> str:
    return f"{{{', '.join(f'{_item(key)}: {_item(child)}' for key, child in node.items())}}}"


def shown(node: Any) -> str:
    """A value of a template on one line, in `Fn::Sub`'s spelling: a function that this cannot say is `${Name(…)}`."""
    if isinstance(node, str):
        return node
    if not isinstance(node, dict) or len(node) != 1:
        return _item(node)
    [(name, argument)] = node.items()
    text = _as_text(name, argument)
    return f"${{{_call(node)}}}" if text is None else text


def _as_text(name: str, argument: Any) -> str | None:
    """What an `Fn::Sub` or an `Fn::Join` writes, in the spelling of `Fn::Sub`; None where that is not one text."""
    if name == "Fn::Sub":
        return _substituted(argument)
    if name != "Fn::Join" or not isinstance(argument, list) or len(argument) != 2:
        return None
    between, items = argument
    return between.join(map(shown, items)) if isinstance(between, str) and isinstance(items, list) else None


def _substituted(argument: Any) -> str | None:
    """The text of an `Fn::Sub` with its own variables in it."""
    if isinstance(argument, str):
        return argument
    if not (isinstance(argument, list) and len(argument) == 2):
        return None
    text, variables = argument
    if not isinstance(text, str) or not isinstance(variables, dict):
        return None
    used = [name for name in _VARIABLE.findall(text) if name in variables]
    if len(used) != len(set(used)):
        return None  # Written out at each place, it could become very long.
    return _VARIABLE.sub(lambda match: shown(variables[match[1]]) if match[1] in variables else match[0], text)


def _call(node: Any) -> str:
    """A value as the argument of a function: a name, a text in quotes, or the call of a function."""
    if isinstance(node, list):
        return f"[{', '.join(map(_call, node))}]"
    if not isinstance(node, dict):
        return _quoted(node)
    if len(node) != 1:
        return f"{{{', '.join(f'{key}: {_call(child)}' for key, child in node.items())}}}"
    [(name, argument)] = node.items()
    if name == "Ref" and isinstance(argument, str):
        return argument
    if name == "Fn::GetAtt" and isinstance(argument, list) and all(isinstance(part, str) for part in argument):
        return ".".join(argument)
    text = _as_text(name, argument)
    if text is not None:
        return _quoted(text)
    arguments = argument if isinstance(argument, list) else [argument]
    condition = [str(arguments[0])] if name == "Fn::If" and arguments else []
    return f"{name.removeprefix('Fn::')}({', '.join([*condition, *map(_call, arguments[len(condition) :])])})"
