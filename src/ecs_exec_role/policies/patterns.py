"""IAM's patterns, with parts that only CloudFormation may know.

A pattern is symbolic text (see `template.symbols`) in which `*` and `?` are IAM's wildcards, `${*}` and the like
stand for themselves, and `${aws:…}` is a policy variable. The questions here have three answers, since the value of a
symbol is not known: yes and no are certain, and everything else is "cannot tell".

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.template.symbols import ACCOUNT, PARTITION, REGION, STACK_NAME, SYMBOL, URL_SUFFIX

ANY = "any"
ONE = "one"

Tokens: TypeAlias = tuple[str, ...]
"""One part of a pattern: `ANY`, `ONE`, a character, a symbol, or a complete policy variable."""

_TOKEN = late_pattern(r"\$\{([*?$])\}|(\$\{[^{}]*\})|(.)", re.DOTALL)
_SYMBOL = late_pattern(SYMBOL)
_WITHOUT_COLON = frozenset({PARTITION, REGION, ACCOUNT, URL_SUFFIX})
LIKE_STACK_NAME = "${stack}"
"""In the form of a generated name: the name of the stack in lower case, or cut."""
_NAMES_OF_STACKS = frozenset({STACK_NAME, "${AWS::StackName}", LIKE_STACK_NAME})
_MOST_TOKENS = 2_000
_NO_NAMES: Mapping[str, str] = {}


class Truth(IntEnum):
    """Ordered so that `min` is "and", and `max` is "or"."""

    NO = 0
    UNKNOWN = 1
    YES = 2


@lru_cache(maxsize=4096)
def tokens(pattern: str) -> Tokens:
    """A pattern, split into its parts."""
    found = []
    for escaped, variable, character in _TOKEN.findall(pattern):
        if escaped:
            found.append(escaped)
        elif variable:
            found.append(variable)
        else:
            token = {"*": ANY, "?": ONE}.get(character, character)
            if token is not ANY or found[-1:] != [ANY]:
                found.append(token)
    return tuple(found)


def _is_unknown(token: str) -> bool:
    return token.startswith("${") or _SYMBOL.fullmatch(token) is not None


def covers(pattern: str, other: str) -> bool:
    """Whether `pattern` certainly matches everything that `other` can be, or can match."""
    return _covers(tokens(pattern), tokens(other))


def _covers(pattern: Tokens, other: Tokens) -> bool:
    """For each part of `other`, the possible positions in `pattern` after that part is matched."""
    if len(pattern) + len(other) > _MOST_TOKENS:
        return pattern == other
    places = _skipping({0}, pattern)
    for token in other:
        following = set()
        for place in places:
            mine = pattern[place] if place < len(pattern) else None
            if mine is ANY:
                following.add(place)
            elif mine is not None and token is not ANY and (mine == token or (mine is ONE and _is_one(token))):
                following.add(place + 1)
        places = _skipping(following, pattern)
        if not places:
            return False
    return len(pattern) in places


def _is_one(token: str) -> bool:
    return token is ONE or (len(token) == 1 and not _is_unknown(token))


def _skipping(places: set[int], pattern: Tokens) -> set[int]:
    """`places`, and the positions after each `ANY` that matches nothing."""
    found = set(places)
    for place in places:
        here = place
        while here < len(pattern) and pattern[here] is ANY:
            here += 1
            found.add(here)
    return found


def overlaps(pattern: str, other: str, generated: Mapping[str, str] = _NO_NAMES) -> bool:
    """Whether a text can exist that both match.

    Args:
        pattern: one pattern.
        other: the other.
        generated: the symbols of names that CloudFormation generates, each with the form of that name as a
            pattern. No other resource has such a name; any other symbol can be any text.
    """
    if generated:
        pattern, other = _in_form(pattern, other, generated), _in_form(other, pattern, generated)
    return _overlaps(tokens(pattern), tokens(other), generated)


def _in_form(text: str, beside: str, generated: Mapping[str, str]) -> str:
    """`text` with the form of the names in it, so that it can be compared with a text that has no such name."""
    named = generated.keys() & set(tokens(text))
    if named and not generated.keys() & set(tokens(beside)):
        for name in named:
            text = text.replace(name, generated[name])
    return text


def _overlaps(one: Tokens, two: Tokens, generated: Collection[str]) -> bool:
    start = _common_start(one, two)
    one, two = one[start:], two[start:]
    if len(one) + len(two) > _MOST_TOKENS:
        return True
    places = {(0, 0)}
    open_places = [(0, 0)]

    def visit(here: int, there: int) -> None:
        if (here, there) not in places:
            places.add((here, there))
            open_places.append((here, there))

    while open_places:
        i, j = open_places.pop()
        if i == len(one) and j == len(two):
            return True
        mine = one[i] if i < len(one) else None
        its = two[j] if j < len(two) else None
        for token, across, step in ((mine, its, (1, 0)), (its, mine, (0, 1))):
            if token is None:
                continue
            if _stretches(token, generated):
                visit(i + step[0], j + step[1])
                if across is not None and _may_hold(token, across):
                    visit(i + step[1], j + step[0])
        if mine is not None and its is not None and (mine == its or ONE in (mine, its)):
            visit(i + 1, j + 1)
    return False


def _common_start(one: Tokens, two: Tokens) -> int:
    """The number of tokens that both begin with. A symbol has one value, so they are the same text."""
    start = 0
    for first, second in zip(one, two, strict=False):
        if first != second or first in (ANY, ONE):
            break
        start += 1
    return start


def _stretches(token: str, generated: Collection[str]) -> bool:
    """Whether a token can be text of any length."""
    return token is ANY or (_is_unknown(token) and token not in generated)


def _may_hold(token: str, other: str) -> bool:
    if token in _NAMES_OF_STACKS:
        return other in (ANY, ONE) or (len(other) == 1 and other.isascii() and (other.isalnum() or other == "-"))
    return not (other == ":" and token in _WITHOUT_COLON)


def matches(pattern: str, other: str, generated: Mapping[str, str] = _NO_NAMES) -> Truth:
    """Whether `pattern` matches all that `other` can be. If it matches only a part, the answer is "cannot tell"."""
    if covers(pattern, other) or (generated and covers(pattern, _in_form(other, pattern, generated))):
        return Truth.YES
    return Truth.UNKNOWN if overlaps(pattern, other, generated) else Truth.NO
