"""The faults of `make mutants` fit the present code, so that none of them is skipped without a message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts.mutants import MUTANTS, ROOT, Edit, Mutant, Stale, stale


def test_every_fault_applies() -> None:
    assert stale() == []


def test_names_are_different_and_tests_exist() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        for test in mutant.tests:
            path, _, function = test.partition("::")
            text = (ROOT / path).read_text(encoding="utf-8")
            assert not function or f"def {function.partition('[')[0]}(" in text, test


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_must_be_said_is_a_pattern(mutant: Mutant) -> None:
    assert re.compile(mutant.says).groups == 0


@pytest.mark.parametrize("old", ["gone", "e"])
def test_a_fault_that_fits_nowhere_or_twice_is_refused(tmp_path: Path, old: str) -> None:
    (tmp_path / "module.py").write_text("one, three = 1, 3\n", encoding="utf-8")
    mutant = Mutant("name", "fault", (Edit("module.py", old, "new"),), ("tests/test_x.py",), "")

    with pytest.raises(Stale, match="times, not once"):
        mutant.apply(tmp_path)


def test_a_fault_in_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    mutant = Mutant("name", "fault", (Edit("module.py", "old", "new"),), ("tests/test_x.py",), "")

    with pytest.raises(Stale, match=r"module\.py does not exist"):
        mutant.apply(tmp_path)
