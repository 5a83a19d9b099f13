"""The audit compared with the simplest possible evaluation of IAM's rules."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.granted import Granted, GrantedStatement, Pattern
from ecs_exec_role.audit.judge import JudgedRole, judge
from ecs_exec_role.audit.required import Required
from ecs_exec_role.errors import Problems
from ecs_exec_role.template.conditions import ALWAYS
from ecs_exec_role.template.event import read
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Symbols

ACTIONS = st.sampled_from(["s:Get", "s:Put", "s:*", "s:G*", "S:GET", "t:Get", "*", "s:?et"])
RESOURCES = st.sampled_from(["arn:a", "arn:b", "arn:ab", "arn:*", "arn:a*", "*", "arn:?", "other"])
CALLS = st.lists(st.tuples(st.sampled_from(["s:Get", "s:Put", "t:Get"]), st.sampled_from(["arn:a", "arn:b", "arn:ab"])))


def _entries(texts: list[str]) -> tuple[Pattern, ...]:
    return tuple(Pattern(text, ALWAYS, "") for text in texts)


@st.composite
def statements(draw: st.DrawFn) -> GrantedStatement:
    effect: Literal["Allow", "Deny"] = draw(st.sampled_from(["Allow", "Allow", "Deny"]))
    return GrantedStatement(
        effect=effect,
        actions=_entries(draw(st.lists(ACTIONS, min_size=1, max_size=2))),
        all_but_actions=draw(st.booleans()) and draw(st.booleans()),
        resources=_entries(draw(st.lists(RESOURCES, min_size=1, max_size=2))),
        all_but_resources=draw(st.booleans()) and draw(st.booleans()),
        condition=None,
        path_condition=ALWAYS,
        path=f"P/{draw(st.integers(0, 999))}",
        source="policy",
    )


def allowed(listed: list[GrantedStatement], action: str, resource: str) -> bool:
    """IAM: a Deny wins, else an Allow is needed."""

    def fits(entries: tuple[Pattern, ...], text: str, *, all_but: bool) -> bool:
        return any(fnmatchcase(text.lower(), entry.text.lower()) for entry in entries) is not all_but

    effects = {
        statement.effect
        for statement in listed
        if fits(statement.actions, action, all_but=statement.all_but_actions)
        and fits(statement.resources, resource, all_but=statement.all_but_resources)
    }
    return effects == {"Allow"}


def case(listed: list[GrantedStatement], calls: list[tuple[str, str]]) -> JudgedRole:
    symbols = Symbols()
    reader = Reader(read({"fragment": {"Resources": {}}}), symbols, Problems())
    required = tuple(
        Required((action,), "Other", (resource,), resource, {}, "", ALWAYS, f"C/{index}", "Task")
        for index, (action, resource) in enumerate(calls)
    )
    speller = Speller(reader, region="", account="")
    return JudgedRole(Granted(tuple(listed), ()), required, (), False, speller, symbols, "R", {})


@examples(25)
@given(st.lists(statements(), max_size=4), CALLS)
def test_lacking_is_exactly_what_iam_would_refuse(listed: list[GrantedStatement], calls: list[tuple[str, str]]) -> None:
    found = [finding for finding in judge(case(listed, calls)) if finding.kind == "lacking"]
    lacking = {(action, finding.resource) for finding in found for action in finding.actions}
    assert lacking == {call for call in calls if not allowed(listed, *call)}
    assert not [finding for finding in judge(case(listed, calls)) if finding.kind == "unknown"]


@examples(25)
@given(st.lists(statements(), max_size=4), CALLS)
def test_excess_can_be_taken_away(listed: list[GrantedStatement], calls: list[tuple[str, str]]) -> None:
    excess = {
        (action, finding.resource)
        for finding in judge(case(listed, calls))
        if finding.kind == "excess"
        for action in finding.actions
    }
    kept: list[Any] = []
    for statement in listed:
        if statement.effect == "Deny" or statement.all_but_actions or statement.all_but_resources:
            kept.append(statement)
            continue
        kept += [
            statement._replace(actions=(action,), resources=(resource,))
            for action in statement.actions
            for resource in statement.resources
            if (action.text, resource.text) not in excess
        ]
    for call in calls:
        assert allowed(kept, *call) == allowed(listed, *call)


@examples(20)
@given(CALLS)
def test_what_fits_exactly_has_no_finding(calls: list[tuple[str, str]]) -> None:
    listed = [
        GrantedStatement("Allow", _entries([action]), False, _entries([resource]), False, None, ALWAYS, "P", "policy")
        for action, resource in calls
    ]
    assert judge(case(listed, calls)) == []
