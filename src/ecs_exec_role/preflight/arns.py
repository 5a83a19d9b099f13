"""ARNs, image references and the wildcards of IAM, as text.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

from __future__ import annotations

import re
from functools import lru_cache

from ecs_exec_role.named_tuple import NamedTuple

SAMPLE = "ecs-exec-role-preflight"
"""Replaces `*` in a name that IAM is asked about; it is not used for anything else."""

_TOKENS = re.compile(r"\$\{([*?$])\}|([*?])")
_IMAGE = re.compile(
    r"(?:https?://)?(?P<account>[0-9]{12})\.dkr(?:\.ecr|-ecr)(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+(?::[0-9]+)?/"
    r"(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?",
    re.IGNORECASE,
)


class Arn(NamedTuple):
    """`arn:partition:service:region:account:resource`; the resource is not split."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


class Image(NamedTuple):
    """An image in a private ECR registry. With a digest, ECR ignores the tag."""

    account: str
    region: str
    name: str
    tag: str
    digest: str


def parse_arn(text: str) -> Arn | None:
    """The parts of an ARN, or None if `text` is not an ARN."""
    parts = text.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
        return None
    return Arn(*parts[1:])


def parse_image(text: str) -> Image | None:
    """The parts of an ECR image URI, or None.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
    """
    found = _IMAGE.fullmatch(text)
    if not found:
        return None
    return Image(found["account"], found["region"].lower(), found["name"], found["tag"] or "", found["digest"] or "")


def is_pattern(text: str) -> bool:
    """Whether IAM reads a wildcard in `text`; `${*}` is an asterisk, not a wildcard."""
    return any(token[2] for token in _TOKENS.finditer(text))


def literal_prefix(pattern: str) -> str:
    """The beginning of every text that `pattern` matches."""
    prefix, end = "", 0
    for token in _TOKENS.finditer(pattern):
        prefix += pattern[end : token.start()]
        if token[2]:
            return prefix
        prefix, end = prefix + token[1], token.end()
    return prefix + pattern[end:]


def fill(pattern: str) -> str:
    """A name that `pattern` matches: `?` becomes `x`, `*` becomes `SAMPLE`, and escaped characters lose the escape."""
    return _TOKENS.sub(lambda token: token[1] or ("x" if token[2] == "?" else SAMPLE), pattern)


class _Piece(NamedTuple):
    """The text between two asterisks: `length` characters, with `literals` at their offsets."""

    length: int
    literals: tuple[tuple[int, str], ...]

    def stands(self, text: str, start: int) -> bool:
        """Whether the piece matches `text` at `start`."""
        fits = 0 <= start <= len(text) - self.length
        return fits and all(text.startswith(literal, start + offset) for offset, literal in self.literals)

    def find(self, text: str, start: int) -> int:
        """The first position at or after `start` where the piece matches, or -1."""
        if not self.literals:
            return start if start + self.length <= len(text) else -1
        offset, literal = self.literals[0]
        if len(literal) == self.length:
            return text.find(literal, start)
        place = text.find(literal, start + offset)
        while place >= 0:
            if self.stands(text, place - offset):
                return place - offset
            place = text.find(literal, place + 1)
        return -1


def matches(pattern: str, text: str) -> bool:
    """Whether IAM matches `text` with `pattern`. The comparison is case-sensitive, and `*` also matches `:` and `/`.

    Each piece between two asterisks is searched once, from the end of the piece before it. No asterisk is tried
    again: the first position leaves the most text for the following pieces. So asterisks do not multiply the time.
    """
    first, *pieces = _pieces(pattern)
    if not pieces:
        return len(text) == first.length and first.stands(text, 0)
    # The last piece has a fixed length, so it can only be at one position.
    last = pieces[-1]
    start = len(text) - last.length
    if not first.stands(text, 0) or not last.stands(text, start):
        return False
    end = first.length
    for piece in pieces[:-1]:
        place = piece.find(text, end)
        if place < 0:
            return False
        end = place + piece.length
    return start >= end


@lru_cache(maxsize=1024)
def _pieces(pattern: str) -> tuple[_Piece, ...]:
    """The pieces between the asterisks of a pattern; one more than there are asterisks."""
    pieces: list[_Piece] = []
    literals: list[tuple[int, str]] = []
    length = end = 0

    def add(literal: str) -> None:
        nonlocal length
        if literal:
            literals.append((length, literal))
            length += len(literal)

    for token in _TOKENS.finditer(pattern):
        add(pattern[end : token.start()] + (token[1] or ""))
        end = token.end()
        if token[2] == "?":
            length += 1
        elif token[2] == "*":
            pieces.append(_Piece(length, tuple(literals)))
            literals, length = [], 0
    add(pattern[end:])
    return (*pieces, _Piece(length, tuple(literals)))
