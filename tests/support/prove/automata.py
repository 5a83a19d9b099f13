"""Languages of IAM's patterns, compared exactly: the shortest word that one has and the other does not have.

A word is a request, written symbol after symbol: the characters of the action, a separator, the characters of the
resource, a separator, the value of the first condition key, and so on. A pattern of IAM has characters, `*` (any
number of characters) and `?` (one character). A union of such patterns is a nondeterministic automaton, whose states
are places in the patterns. The subset construction makes it deterministic, only for the states that the search visits.

The alphabet is every character of Unicode. A set of states distinguishes only the characters that its patterns wait
for, so the search takes those, and one other character for all the rest. The result is exact.

Hopcroft, Motwani, Ullman: Introduction to Automata Theory, Languages, and Computation, sections 2.3 and 4.2.
"""

from __future__ import annotations

import re
import string
from collections import defaultdict, deque
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple, TypeAlias

ANY: Final = "<any>"
ONE: Final = "<one>"
ABSENT: Final = "<absent>"
END: Final = "<end>"

Pattern: TypeAlias = tuple[str, ...]
"""Symbols: a character, `ANY`, `ONE`, or `ABSENT` for a condition key that the request does not carry."""

Field: TypeAlias = frozenset[Pattern]
"""The alternatives for one part of a request."""

Word: TypeAlias = tuple[str, ...]
"""Characters and `ABSENT`, with `END` after each field."""

_Pair: TypeAlias = tuple[frozenset[int], frozenset[int]]
_Step: TypeAlias = "tuple[str, _Step] | None"

UNCONSTRAINED: Final[Field] = frozenset({(ANY,), (ABSENT,)})
MOST_STATES = 100_000

_OTHERS = string.ascii_lowercase + string.digits + string.ascii_uppercase + string.punctuation
_NO_CHARACTER = {ABSENT, END}


class Undecided(Exception):
    """What the automata cannot express, or cannot decide in reasonable time, and the reason."""


def literal(text: str) -> Pattern:
    """A literal text, in which wildcards are plain characters."""
    return tuple(text)


def glob(text: str) -> Pattern:
    """A pattern of IAM: `*` and `?` are wildcards; `${*}`, `${?}` and `${$}` are the characters themselves."""
    return tuple({"*": ANY, "?": ONE}.get(token, token[2:-1] or token) for token in _tokens(text))


def exact(text: str) -> Pattern:
    """A value that IAM compares without wildcards, where `${*}` still is an asterisk."""
    return tuple(token[2:-1] or token for token in _tokens(text))


def _tokens(text: str) -> list[str]:
    tokens: list[str] = re.findall(r"\$\{[^}]*\}|.", text, re.DOTALL)
    for token in tokens:
        if len(token) > 1 and token not in {"${*}", "${?}", "${$}"}:
            raise Undecided(f"{token} is a policy variable, which IAM resolves for each request")
    return tokens


class Moves(NamedTuple):
    """The next states of a set: after each symbol that one of them waits for, and after any other character."""

    named: dict[str, frozenset[int]]
    other: frozenset[int]

    def after(self, symbol: str) -> frozenset[int]:
        return self.named.get(symbol, frozenset() if symbol in _NO_CHARACTER else self.other)


class Automaton:
    """The states of any number of languages. A state is a number; equal ends of patterns share their states."""

    def __init__(self) -> None:
        self._symbols: list[str] = [""]
        self._after: list[frozenset[int]] = [frozenset()]
        self._known: dict[tuple[str, frozenset[int]], int] = {}
        self._begin = cache(self._before)
        self._moves = cache(self._all_moves)

    def start(self, products: Iterable[tuple[Field, ...]]) -> frozenset[int]:
        """The first states of a language: the union of products, each of which has the alternatives of every field."""
        return frozenset().union(*(self._enter(fields) for fields in products))

    def _enter(self, fields: tuple[Field, ...]) -> frozenset[int]:
        entry = frozenset({0})
        for field in reversed(fields):
            end = self._state(END, entry)
            entry = frozenset().union(*(self._begin(pattern, end) for pattern in field))
        return entry

    def _before(self, pattern: Pattern, end: int) -> frozenset[int]:
        states = frozenset({end})
        for symbol in reversed(pattern):
            state = self._state(symbol, states)
            # `*` may be empty, so the part after it can begin here too.
            states = states | {state} if symbol == ANY else frozenset({state})
        return states

    def _state(self, symbol: str, after: frozenset[int]) -> int:
        number = self._known.setdefault((symbol, after), len(self._symbols))
        if number == len(self._symbols):
            self._symbols.append(symbol)
            self._after.append(after | {number} if symbol == ANY else after)
        return number

    def _all_moves(self, states: frozenset[int]) -> Moves:
        named: defaultdict[str, set[int]] = defaultdict(set)
        other: set[int] = set()
        for state in states:
            symbol = self._symbols[state]
            (other if symbol in {ANY, ONE} else named[symbol]).update(self._after[state])
        named.pop("", None)
        wide = {symbol: here if symbol in _NO_CHARACTER else here | other for symbol, here in named.items()}
        return Moves({symbol: frozenset(here) for symbol, here in wide.items()}, frozenset(other))

    @staticmethod
    def _choices(required: Moves, known: Moves) -> list[str]:
        """The symbols that can follow in `required`: one of each kind that the two sets distinguish."""
        found = set(required.named)
        if required.other:
            found |= known.named.keys() - _NO_CHARACTER
            found.add(next(character for character in _OTHERS if character not in found))
        return sorted(found, key=lambda symbol: (len(symbol) == 1, symbol))

    def witness(self, required: frozenset[int], known: frozenset[int]) -> Word | None:
        """The shortest word that begins in `required` and not in `known`; None where there is none.

        `Undecided` past `MOST_STATES` pairs of sets of states.
        """
        seen: dict[_Pair, _Step] = {(required, known): None}
        queue = deque(seen)
        while queue:
            mine, theirs = queue.popleft()
            step = seen[mine, theirs]
            if 0 in mine and 0 not in theirs:
                return _word(step)
            if mine <= theirs:
                continue
            going, following = self._moves(mine), self._moves(theirs)
            for symbol in self._choices(going, following):
                there = going.after(symbol), following.after(symbol)
                if there not in seen:
                    seen[there] = (symbol, step)
                    queue.append(there)
            if len(seen) > MOST_STATES:
                raise Undecided(f"the patterns have more than {MOST_STATES} states in common")
        return None


def _word(step: _Step) -> Word:
    symbols: list[str] = []
    while step is not None:
        symbol, step = step
        symbols.append(symbol)
    return tuple(reversed(symbols))
