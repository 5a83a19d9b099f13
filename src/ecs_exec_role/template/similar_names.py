"""What the author of a misspelt name probably meant.

difflib is only needed after a mistake, so it is not loaded before one.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecs_exec_role.template.budget import current

_LEAST_LIKENESS = 0.6
_STEPS_OF_COMPARISON = 10
_LONGEST_COMPARED = 255
"""Characters of the longest name that CloudFormation accepts for a logical ID."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown name: the one that is most like it, else any of them."""
    names = list(known)
    guess = likely(name, names)
    return f"did you mean {guess}?" if guess else f"write one of {', '.join(names)}"


def likely(name: str, known: Iterable[str]) -> str:
    """The known name that is most like another one.

    Empty if no name is similar, or if too many names were compared already.
    """
    from difflib import SequenceMatcher  # noqa: PLC0415 - see this module's docstring

    budget = current()
    if not budget.compare(len(name)) or len(name) > _LONGEST_COMPARED:
        return ""
    matcher = SequenceMatcher(b=name.lower())
    best, most_like = "", _LEAST_LIKENESS
    for each in known:
        if not budget.compare(_STEPS_OF_COMPARISON + len(each)):
            break
        if len(each) > _LONGEST_COMPARED:
            continue
        matcher.set_seq1(each.lower())
        # The cheap upper bounds first: the cost of the ratio itself grows with the product of the lengths.
        if matcher.real_quick_ratio() < most_like or matcher.quick_ratio() < most_like:
            continue
        if not budget.compare(len(name) * len(each) // 8):
            break
        ratio = matcher.ratio()
        if ratio > most_like or (ratio == most_like and not best):
            best, most_like = each, ratio
    return best
