from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_exec_role.policies.patterns import Answer, covers, matches, overlaps
from ecs_exec_role.template.symbols import ACCOUNT, REGION, Symbols

SYMBOLS = Symbols()
X, Y = SYMBOLS.ref("X"), SYMBOLS.ref("Y")


@pytest.mark.parametrize(
    "pattern, other, answer",
    [
        ("*", "*", Answer.YES),
        ("*", "arn:aws:s3:::b", Answer.YES),
        ("a?c", "abc", Answer.YES),
        ("a?c", "ac", Answer.NO),
        ("abc", "a?c", Answer.UNKNOWN),
        ("s-*", "s-??????", Answer.YES),
        ("s-??????", "s-*", Answer.UNKNOWN),
        ("s-??????", "s-ab", Answer.NO),
        ("g:*", "g:log-stream:*", Answer.YES),
        ("g", "g:log-stream:*", Answer.NO),
        ("g:*:*", "g:log-stream:*", Answer.YES),
        ("g:log-stream:web/*", "g:log-stream:*", Answer.UNKNOWN),
        (f"p/{X}", f"p/{X}", Answer.YES),
        (f"p/{X}", "p/q", Answer.UNKNOWN),
        ("p/q", f"p/{X}", Answer.UNKNOWN),
        (f"p/{X}", f"p/{Y}", Answer.UNKNOWN),
        (f"p/{X}*", f"p/{X}/q", Answer.YES),
        ("p/?", f"p/{X}", Answer.UNKNOWN),
        (f"arn:{REGION}:{ACCOUNT}:x", "arn:eu-west-1:123456789012:x", Answer.UNKNOWN),
        (f"arn:{REGION}:x", "arn:eu-west-1:123456789012:x", Answer.NO),
        ("a${*}c", "abc", Answer.NO),
        ("a${*}c", "a${*}c", Answer.YES),
        ("a*c", "a${*}c", Answer.YES),
        ("home/${aws:username}", "home/x", Answer.UNKNOWN),
        ("home/${aws:username}", "home/${aws:username}", Answer.YES),
        ("", "", Answer.YES),
        ("**", "", Answer.YES),
        ("a", "", Answer.NO),
    ],
)
def test_has_three_answers(pattern: str, other: str, answer: Answer) -> None:
    assert matches(pattern, other) is answer


def test_generated_names_are_each_their_own() -> None:
    assert matches(f"p/{X}", f"p/{Y}", (X, Y)) is Answer.NO
    assert matches(f"p/{X}", "p/q", (X, Y)) is Answer.NO
    assert matches("p/*", f"p/{Y}", (X, Y)) is Answer.YES


PATTERNS = st.text("ab*?", max_size=6)
TEXTS = st.text("ab", max_size=6)


def _fits(pattern: str, text: str) -> bool:
    """IAM's matching of a text, as simple as it can be written."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_fits(pattern[1:], text[cut:]) for cut in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and _fits(pattern[1:], text[1:])


@given(PATTERNS, TEXTS)
def test_a_text_is_covered_if_it_fits(pattern: str, text: str) -> None:
    assert covers(pattern, text) == overlaps(pattern, text) == _fits(pattern, text)


@given(PATTERNS, PATTERNS, TEXTS)
def test_yes_and_no_are_certain(pattern: str, other: str, text: str) -> None:
    answer = matches(pattern, other)
    if answer is Answer.YES and _fits(other, text):
        assert _fits(pattern, text)
    if answer is Answer.NO:
        assert not (_fits(pattern, text) and _fits(other, text))
