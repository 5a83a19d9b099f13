"""Random templates in two forms, with nested functions and without: both give the needed permissions.

A small number of cases runs with the suite; `METAMORPHIC_CASES=5000 METAMORPHIC_SEED=1000` runs others. A failure names
its seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product

import pytest
from tests.support.cloudformation import Stack, role_policies
from tests.support.prove import prove
from tests.support.prove.grants import differences, read
from tests.support.prove.nests import REGIONS, STAGES, Nests, written_out
from tests.support.prove.proof import call_of

from ecs_exec_role.protocol import respond

CASES = int(os.environ.get("METAMORPHIC_CASES", "48"))
FIRST = int(os.environ.get("METAMORPHIC_SEED", "0"))
GROUPS = 4


def expanded(before: Stack, *, as_text: bool = False) -> Stack:
    answer = respond(call_of(before, as_text=as_text))
    assert answer["status"] == "success", answer.get("errorMessage")
    return Stack(answer["fragment"], before.given, region=before.region)


def wrongs(seed: int) -> Iterator[str]:
    """The differences between the two expansions of one template, in two of its settings."""
    nests = Nests(seed)
    settings = list(product(STAGES, REGIONS))
    # Two of the four: the stage and the region that the seed before did not have.
    for stage, region in (settings[seed % 4], settings[3 - seed % 4]):
        parameters = {**nests.given, "Stage": stage}
        before = Stack(nests.fragment, parameters, region=region)
        plain = Stack(written_out(nests.fragment, parameters, region=region), region=region)
        if not before.exists("Task"):
            assert "Task" not in plain.fragment["Resources"]
            continue
        where = f"seed {seed}, {stage}, {region}"
        after, after_plain = expanded(before, as_text=seed % 2 == 1), expanded(plain)
        yield from (f"{where}: {finding}" for finding in prove(before, after))
        yield from (f"{where}, written out: {finding}" for finding in prove(plain, after_plain))
        one, other = (read(role_policies(stack, "TaskExecutionRole")) for stack in (after, after_plain))
        yield from (f"{where}, not where it is written out: {each}" for each in differences(one.grants, other.grants))
        yield from (f"{where}, only where it is written out: {each}" for each in differences(other.grants, one.grants))


@pytest.mark.parametrize("group", range(GROUPS))
def test_both_ways_of_writing_give_exactly_what_is_needed(group: int) -> None:
    for seed in range(FIRST + group, FIRST + CASES, GROUPS):
        assert list(wrongs(seed)) == []
