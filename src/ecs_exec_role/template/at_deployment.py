"""Splits texts that only CloudFormation knows, when the stack is deployed.

`Fn::Split` and `Fn::Select` fail where an index does not exist. So each function here splits a text to which it has
first appended what the index asks for, and gives a result for every form that the text can have.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-split.html
"""

from __future__ import annotations

from ecs_exec_role.template.symbols import Json, SymbolicText, Symbols


def is_late(symbols: Symbols, text: SymbolicText) -> bool:
    """Whether a text has a dynamic reference, which CloudFormation resolves after all functions."""
    return bool(symbols.dynamic_in(text))


def part(symbols: Symbols, text: SymbolicText, index: int, delimiter: str, padding: str) -> SymbolicText:
    """The part of `text` with that index, between delimiters; `padding` is appended to `text` first."""
    return _select(symbols, index, delimiter, symbols.render(f"{text}{padding}"))


def field(symbols: Symbols, text: SymbolicText, index: int, padding: str) -> SymbolicText:
    """The same between colons, as in an ARN."""
    return part(symbols, text, index, ":", padding)


def region_and_account(
    symbols: Symbols, text: SymbolicText, region: SymbolicText, account: SymbolicText
) -> tuple[SymbolicText, SymbolicText]:
    """The region and the account in an ARN; `region` and `account` if `text` is a name and not an ARN."""
    padding = f":-:-:{region}:{account}"
    return field(symbols, text, 3, padding), field(symbols, text, 4, padding)


def before(symbols: Symbols, text: SymbolicText, delimiter: str) -> SymbolicText:
    """The part of `text` before a delimiter; all of `text` if it has none."""
    return _select(symbols, 0, delimiter, symbols.render(text))


def after(symbols: Symbols, text: SymbolicText, delimiter: str) -> SymbolicText:
    """The part of `text` after a delimiter, up to the next one; all of `text` if it has none."""
    return _select(symbols, 1, delimiter, symbols.render(f"{text}{delimiter}{text}"))


def replaced(symbols: Symbols, text: SymbolicText, old: str, new: str) -> SymbolicText:
    """`text` with each `old` replaced."""
    return symbols.opaque({"Fn::Join": [new, {"Fn::Split": [old, symbols.render(text)]}]})


def _select(symbols: Symbols, index: int, delimiter: str, node: Json) -> SymbolicText:
    return symbols.opaque({"Fn::Select": [index, {"Fn::Split": [delimiter, node]}]})
