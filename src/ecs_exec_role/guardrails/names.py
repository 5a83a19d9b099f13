"""Whether a text of a template can be the name of a certain resource.

A text counts as another resource's name only if that is certain. A value that CloudFormation fills in when the stack is
deployed (a `NoEcho` parameter, an attribute, an import) can be any name.
"""

from __future__ import annotations

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.policies.patterns import overlaps
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import STACK_NAME, SYMBOL, is_symbolic

_SYMBOL = late_pattern(SYMBOL)

# CloudFormation generates `STACK-LOGICALID-RANDOM`, and shortens the first two parts if that is too long. See
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
_RANDOM = late_pattern(r"[a-z0-9]{12,}")


class Name(NamedTuple):
    """The names that a resource can get: those that its author wrote, and, if `generated`, CloudFormation's."""

    reader: Reader
    logical_id: str
    texts: tuple[str, ...]
    generated: bool

    def may_be(self, text: str) -> bool:
        """Whether `text`, symbolic, can be this resource's name. IAM's names differ by more than letter case."""
        text = _filled(self.reader, text)
        if self.generated and _may_be_generated(text, self.logical_id.lower()):
            return True
        return any(_may_be_equal(text, _filled(self.reader, own)) for own in self.texts)

    def is_written(self, text: str) -> bool:
        """Whether `text` is known, and is a name that the resource's author wrote."""
        text = _filled(self.reader, text)
        return not is_symbolic(text) and any(text == _filled(self.reader, own) for own in self.texts)


def _filled(reader: Reader, text: str) -> str:
    """`text` in lower case, with what is known of its symbols filled in."""
    return _SYMBOL.sub(lambda match: reader.known(match[0]) or match[0], text).lower()


def _may_be_equal(one: str, other: str) -> bool:
    if not is_symbolic(one) and not is_symbolic(other):
        return one == other
    return overlaps(one, other)


def _may_be_generated(text: str, logical_id: str) -> bool:
    """Whether CloudFormation can generate `text` for this logical ID, in a stack with any name."""
    whole = not is_symbolic(text)
    if text.startswith(STACK_NAME) and not is_symbolic(text[1:]):
        # The generated name has a hyphen after the stack's name.
        text, whole = text[1:], True
        if not text.startswith("-"):
            return False
    tail = _SYMBOL.split(text)[-1]
    stem, hyphen, random = tail.rpartition("-")
    if not hyphen:
        # The symbol before it can contain the rest.
        return not whole and (not random or random.isalnum())
    if not _RANDOM.fullmatch(random):
        return False
    _, hyphen, part = stem.rpartition("-")
    if hyphen or whole:
        return part != "" and logical_id.startswith(part)
    return part in logical_id
