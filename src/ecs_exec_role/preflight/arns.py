"""ARNs, image references and the wildcards of IAM, as text.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# What stands for `*` in the name that is asked about: it only has to be a name that no one else would have written.
SAMPLE = "ecs-exec-role-preflight"
_TOKENS = re.compile(r"\$\{([*?$])\}|([*?])")
_IMAGE = re.compile(
    r"(?:https?://)?(?P<account>\d{12})\.dkr(?:\.ecr|-ecr)(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+(?::\d+)?/"
    r"(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?",
    re.IGNORECASE,
)


class Arn(NamedTuple):
    """`arn:partition:service:region:account:resource`, its resource uncut."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


class Image(NamedTuple):
    """An image in a private ECR registry; at most one of `tag` and `digest` is asked for, the digest before the tag."""

    account: str
    region: str
    name: str
    tag: str
    digest: str


def parse_arn(text: str) -> Arn | None:
    """The parts of an ARN, or None where `text` is none."""
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
    """Whether IAM would read a wildcard in `text`; `${*}` is a star, not a wildcard."""
    return any(token[2] for token in _TOKENS.finditer(text))


def fill(pattern: str) -> str:
    """A name that `pattern` matches: `?` becomes `x`, `*` a word of our own, and what was escaped stands for itself."""
    return _TOKENS.sub(lambda token: token[1] or ("x" if token[2] == "?" else SAMPLE), pattern)


def matches(pattern: str, text: str) -> bool:
    """Whether `text` is one that `pattern` means; case counts, `*` crosses `:` and `/`."""
    return bool(_compiled(pattern).fullmatch(text))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    regex, end = "", 0
    for token in _TOKENS.finditer(pattern):
        regex += re.escape(pattern[end : token.start()])
        regex += re.escape(token[1]) if token[1] else ".*" if token[2] == "*" else "."
        end = token.end()
    return re.compile(regex + re.escape(pattern[end:]), re.DOTALL)
