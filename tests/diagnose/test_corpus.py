"""The classifier against reasons that people reported."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from ruamel.yaml import YAML

from ecs_exec_role.diagnose.classify import LONGEST, classify, truncated
from ecs_exec_role.diagnose.reason import CODES, NEEDS

_SETS = ("learned", "held", "fresh", "late", "wording", "found")
_FACTS = (
    *("role", "role_account", "action", "resource", "policy", "host", "image", "secret", "json_key", "version"),
    *("key", "bucket", "region", "account", "platform"),
)
# The reasons that a shortened text may be certain of: the same in less detail.
_LESS = {
    "denied": {code for code, category in CODES.items() if category == "permission"},
    "unreachable": {"name-not-resolved"},
    "container-exited": {"out-of-memory"},
}


class Case(NamedTuple):
    id: str
    set: str
    code: str
    need: str
    certainty: str
    source: str
    text: str


@cache
def cases() -> tuple[Case, ...]:
    with (Path(__file__).parent / "reasons.yaml").open(encoding="utf-8") as file:
        return tuple(Case(**entry) for entry in YAML(typ="safe").load(file))


def test_corpus_is_large_and_varied() -> None:
    reported = [case for case in cases() if not case.source.startswith("composed")]
    assert len(reported) >= 150
    assert len({case.id for case in cases()}) == len(cases())
    assert len({case.text for case in cases()}) == len(cases())
    assert {case.set for case in cases()} == set(_SETS)
    assert {case.need for case in cases()} - {""} == set(NEEDS)
    assert not {case.code for case in cases()} - set(CODES)
    by_code = Counter(case.code for case in cases())
    assert len(by_code) >= 50


@pytest.mark.parametrize("name", _SETS)
def test_at_least_95_percent_are_classified(name: str) -> None:
    chosen = [case for case in cases() if case.set == name]
    wrong = [f"{case.id}: {classify(case.text).code}, not {case.code}" for case in chosen if _code(case) != case.code]
    assert len(wrong) <= 0.05 * len(chosen), "\n".join(wrong)


def test_nothing_wrong_is_certain() -> None:
    wrong = {
        case.id: classify(case.text).code
        for case in cases()
        if _code(case) != case.code and classify(case.text).certainty == "certain"
    }
    assert not wrong


def test_certainty_and_need() -> None:
    wrong = [
        case.id
        for case in cases()
        if (classify(case.text).certainty, classify(case.text).need) != (case.certainty, case.need)
    ]
    assert len(wrong) <= 0.05 * len(cases()), wrong


@pytest.mark.parametrize("name", _SETS)
def test_a_text_that_is_cut_proves_nothing_else(name: str) -> None:
    """At whatever place ECS cuts a reason, the rest must not give another certain cause or another fact."""
    wrong: set[str] = set()
    for case in cases():
        if case.set != name:
            continue
        whole = classify(case.text)
        for length in _lengths(case.text):
            # ECS cuts without a mark, so texts of exactly the maximum length count as cut.
            read = classify(case.text[:length])
            if read.certainty == "certain" and case.code not in {read.code, *_LESS.get(read.code, ())}:
                wrong.add(f"{case.id}: {read.code} after {length} characters")
            for fact in _FACTS:
                said, all_of_it = getattr(read.evidence, fact), getattr(whole.evidence, fact)
                # The last word of a text may be incomplete.
                ends = fact in ("json_key", "version", "policy") and str(all_of_it).startswith(str(said))
                if said and said != all_of_it and not ends:
                    wrong.add(f"{case.id}: {fact} is {said!r}, not {all_of_it!r}")
    assert not wrong


@pytest.mark.parametrize("ending", ["", "...", "…"])
def test_facts_at_the_cut_are_left_out(ending: str) -> None:
    """A JSON key or a label at the place where ECS cut may be incomplete."""
    for text, fact in (
        ("retrieved secret from Secrets Manager did not contain json key DATABASE_PASSWORD", "json_key"),
        ("find the specified secret value for staging label: AWSPREVIOUS", "version"),
    ):
        said = f"ResourceInitializationError: unable to retrieve secret from asm: {text}"
        assert getattr(classify(said).evidence, fact) == text.rpartition(" ")[2]
        cut = f"{said:x>{LONGEST}}" if not ending else f"{said}{ending}"
        assert truncated(cut)
        assert not getattr(classify(cut).evidence, fact)


def _code(case: Case) -> str:
    return classify(case.text).code


def _lengths(text: str) -> list[int]:
    """The places to cut: alternately at the ends of words and before them, and around the length at which ECS cuts."""
    ends = {match.end() - number % 2 for number, match in enumerate(re.finditer(r"[\w-]+", text))}
    return sorted(length for length in ends | set(range(LONGEST - 3, LONGEST + 1)) if 0 < length < len(text))
