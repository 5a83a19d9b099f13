from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from ecs_exec_role.policies.patterns import LIKE_STACK_NAME, Truth, covers, matches, overlaps
from ecs_exec_role.template.symbols import ACCOUNT, REGION, STACK_NAME, Symbols

SYMBOLS = Symbols()
X, Y = SYMBOLS.ref("X"), SYMBOLS.ref("Y")


@pytest.mark.parametrize(
    "pattern, other, answer",
    [
        ("*", "*", Truth.YES),
        ("*", "arn:aws:s3:::b", Truth.YES),
        ("a?c", "abc", Truth.YES),
        ("a?c", "ac", Truth.NO),
        ("abc", "a?c", Truth.UNKNOWN),
        ("s-*", "s-??????", Truth.YES),
        ("s-??????", "s-*", Truth.UNKNOWN),
        ("s-??????", "s-ab", Truth.NO),
        ("g:*", "g:log-stream:*", Truth.YES),
        ("g", "g:log-stream:*", Truth.NO),
        ("g:*:*", "g:log-stream:*", Truth.YES),
        ("g:log-stream:web/*", "g:log-stream:*", Truth.UNKNOWN),
        (f"p/{X}", f"p/{X}", Truth.YES),
        (f"p/{X}", "p/q", Truth.UNKNOWN),
        ("p/q", f"p/{X}", Truth.UNKNOWN),
        (f"p/{X}", f"p/{Y}", Truth.UNKNOWN),
        (f"p/{X}*", f"p/{X}/q", Truth.YES),
        ("p/?", f"p/{X}", Truth.UNKNOWN),
        (f"arn:{REGION}:{ACCOUNT}:x", "arn:eu-west-1:123456789012:x", Truth.UNKNOWN),
        (f"arn:{REGION}:x", "arn:eu-west-1:123456789012:x", Truth.NO),
        ("a${*}c", "abc", Truth.NO),
        ("a${*}c", "a${*}c", Truth.YES),
        ("a*c", "a${*}c", Truth.YES),
        ("home/${aws:username}", "home/x", Truth.UNKNOWN),
        ("home/${aws:username}", "home/${aws:username}", Truth.YES),
        ("", "", Truth.YES),
        ("**", "", Truth.YES),
        ("a", "", Truth.NO),
    ],
)
def test_has_three_answers(pattern: str, other: str, answer: Truth) -> None:
    assert matches(pattern, other) is answer


def test_generated_names_are_each_their_own() -> None:
    generated: dict[str, str] = {X: f"{STACK_NAME}-Logs-*", Y: f"{STACK_NAME}-Other-*"}
    assert matches(f"p/{X}", f"p/{Y}", generated) is Truth.NO
    assert matches(f"p/{X}:*", f"p/{Y}:a", generated) is Truth.NO
    assert matches("p/*", f"p/{Y}", generated) is Truth.YES
    assert matches(f"p/{Y}", f"p/{Y}", generated) is Truth.YES


@pytest.mark.parametrize(
    "form, pattern, answer",
    [
        (f"{STACK_NAME}-Logs-*", f"p/{STACK_NAME}-*", Truth.YES),
        (f"{STACK_NAME}-Logs-*", f"p/{STACK_NAME}-Logs*", Truth.YES),
        (f"{STACK_NAME}-Logs-*", f"p/{STACK_NAME}-Other-*", Truth.NO),
        (f"{STACK_NAME}-Logs-*", "p/shop-*", Truth.UNKNOWN),
        (f"{STACK_NAME}-Logs-*", "p/shop-Logs-ABCDEFGHIJKL", Truth.UNKNOWN),
        (f"{STACK_NAME}-Logs-*", "p/shop-Other", Truth.NO),
        (f"{STACK_NAME}-Logs-*", "p/shop/*", Truth.NO),
        (f"{STACK_NAME}-Logs-*", "p//ecs/*", Truth.NO),
        (f"{LIKE_STACK_NAME}-repo-*", f"p/{STACK_NAME}-*", Truth.UNKNOWN),
        (f"{LIKE_STACK_NAME}-repo-*", "p/shop-*", Truth.UNKNOWN),
        (f"{LIKE_STACK_NAME}-repo-*", "p/team/*", Truth.NO),
        ("Secret-*", "p/Secret-*", Truth.YES),
        ("Secret-*", "p/Other-*", Truth.NO),
        ("Secret-*", "p/prod/db", Truth.NO),
    ],
)
def test_a_generated_name_has_a_form(form: str, pattern: str, answer: Truth) -> None:
    assert matches(pattern, f"p/{Y}", {Y: form}) is answer


PATTERNS = st.text("ab*?", max_size=6)
TEXTS = st.text("ab", max_size=6)


def _fits(pattern: str, text: str) -> bool:
    """IAM's matching of a text, in its simplest form."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_fits(pattern[1:], text[cut:]) for cut in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and _fits(pattern[1:], text[1:])


@examples(40)
@given(PATTERNS, TEXTS)
def test_a_text_is_covered_if_it_fits(pattern: str, text: str) -> None:
    assert covers(pattern, text) == overlaps(pattern, text) == _fits(pattern, text)


@examples(40)
@given(PATTERNS, PATTERNS, TEXTS)
def test_yes_and_no_are_certain(pattern: str, other: str, text: str) -> None:
    answer = matches(pattern, other)
    if answer is Truth.YES and _fits(other, text):
        assert _fits(pattern, text)
    if answer is Truth.NO:
        assert not (_fits(pattern, text) and _fits(other, text))
