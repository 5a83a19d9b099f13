"""Text in Markdown in which text of a template never acts as markup."""

from __future__ import annotations

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\*_[]<>|#~"})


def plain(words: str) -> str:
    """Text in which Markdown finds no markup, except code between backquotes."""
    parts = words.split("`")
    if len(parts) % 2 == 0:
        return words.replace("`", "'").translate(_SPECIAL)
    return "`".join(part if index % 2 else part.translate(_SPECIAL) for index, part in enumerate(parts))


def code(value: str) -> str:
    """Code, also for a cell of a table."""
    fence = "``" if "`" in value else "`"
    return f"{fence}{value.replace('|', chr(92) + '|')}{fence}"
