"""Random nested functions, read by the engine and resolved by the tests' own model of CloudFormation.

For each of the four settings of two conditions both must give the same text, and what a guardrail accepts must be, once
resolved, what the guardrail allows. The values can contain every character, also those of the engine's own symbolic
text too. `DIFFERENTIAL_CASES=20000 DIFFERENTIAL_SEED=1000` runs others than the suite does; a failure names its seed.
"""

from __future__ import annotations

import json
import os
import random
import re
from itertools import product
from typing import Any

import pytest
from tests.support.cloudformation import CloudFormationError, Stack

from ecs_exec_role.errors import Problems, TemplateError
from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import Guardrails, Settings
from ecs_exec_role.template.event import read
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Symbols

Json = Any

CASES = int(os.environ.get("DIFFERENTIAL_CASES", "600"))
FIRST = int(os.environ.get("DIFFERENTIAL_SEED", "0"))
GROUPS = 4

REGION = "us-east-1"
ACTION = "ssm:GetParameters"
ALLOWED = ("ssm:*", "a*", "us-*")
PARAMETERS = {
    "Word": {"Type": "String", "Default": "a|ssm"},
    "Words": {"Type": "CommaDelimitedList", "Default": "ssm,*,a"},
    "Hidden": {"Type": "String", "NoEcho": True},
    "Late": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/late"},
}
MAPPINGS = {"M": {"aws": {"x": ACTION, "list": ["a", "*"]}, REGION: {"x": "*", "list": ["ssm:*"]}}}
CONDITIONS = {name: {"Fn::Equals": [{"Ref": "AWS::StackName"}, name]} for name in ("C", "D")}
SYMBOLIC = ("\U00100000", "\U00100001", "\U00100007", "\U0010fffd", "\U0010ffff")
PIECES = (ACTION, "ssm:", "GetParameters", "*", "|", "a", "", "aws", ":", "/", "${!x}", "us-east-1")


def fragment(value: Json) -> Json:
    statement = {"Effect": "Allow", "Action": value, "Resource": "arn:aws:ssm:us-east-1:123456789012:parameter/a"}
    return {
        "Parameters": PARAMETERS,
        "Mappings": MAPPINGS,
        "Conditions": CONDITIONS,
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"ExecutionRoleSpec": {"Infer": False, "Statements": [statement]}},
            },
        },
    }


def event(value: Json) -> Json:
    return {
        "region": REGION,
        "accountId": "123456789012",
        "requestId": "x",
        "params": {},
        "templateParameterValues": {"Word": "a|ssm", "Words": ["ssm", "*", "a"], "Hidden": "****", "Late": "/late"},
        "fragment": fragment(value),
    }


class Nest:
    """A random value of nested functions."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._marks = seed % 5 == 0

    def text(self, depth: int) -> Json:
        chance = self._chance
        if depth == 0 or chance.random() < 0.15:
            return self._leaf()
        match chance.randrange(8):
            case 0:
                return {"Fn::If": [chance.choice("CD"), self.text(depth - 1), self.text(depth - 1)]}
            case 1:
                names = {"X": self.text(depth - 1), "Y": self.text(depth - 1)}
                return {"Fn::Sub": [chance.choice(("${X}${Y}", "${X}|${AWS::Partition}", "${!X}${Y}")), names]}
            case 2 | 3:
                return {"Fn::Join": [self._piece(), self.texts(depth - 1)]}
            case 4 | 5:
                return {"Fn::Select": [chance.randrange(3), self.texts(depth - 1)]}
            case 6:
                return {"Fn::FindInMap": ["M", self.text(depth - 1), "x", {"DefaultValue": self.text(depth - 1)}]}
            case _:
                return self._leaf()

    def texts(self, depth: int) -> Json:
        chance = self._chance
        match chance.randrange(6) if depth > 0 else 0:
            case 0:
                return [self._leaf() for _ in range(chance.randrange(1, 4))]
            case 1:
                return {"Fn::If": [chance.choice("CD"), self.texts(depth - 1), self.texts(depth - 1)]}
            case 2:
                return {"Ref": "Words"}
            case 3:
                return [self.text(depth - 1), {"Fn::If": [chance.choice("CD"), self._leaf(), {"Ref": "AWS::NoValue"}]}]
            case _:
                return {"Fn::Split": [self._piece() or "|", self.text(depth - 1)]}

    def _piece(self) -> str:
        return self._chance.choice(SYMBOLIC if self._marks and self._chance.random() < 0.2 else PIECES)

    def _leaf(self) -> Json:
        chance = self._chance
        return chance.choice(
            (
                self._piece(),
                self._piece(),
                {"Ref": chance.choice(("AWS::Partition", "AWS::Region", "Word", "Hidden", "Late", "Queue"))},
                {"Fn::Sub": chance.choice(("${AWS::Partition}|*", f"|{ACTION}", "${Word}:*", "${Queue.QueueName}|"))},
                {"Fn::GetAtt": ["Queue", "QueueName"]},
                {"Fn::ImportValue": "known"},
            )
        )


def stack(template: Json, world: dict[str, bool]) -> Stack:
    return Stack(
        template,
        {"Word": "a|ssm", "Words": "ssm,*,a", "Hidden": "ssm:Hidden|*"},
        conditions=world,
        imports={"known": "ssm:Imported|*"},
        ssm={"/late": "*|late"},
        region=REGION,
    )


WORLDS = [dict(zip("CD", truths, strict=True)) for truths in product((True, False), repeat=2)]


def resolved(template: Json, value: Json, world: dict[str, bool]) -> Json:
    """What CloudFormation makes of a value; None if it refuses it."""
    try:
        found = stack(template, world).resolve(value)
    except (CloudFormationError, IndexError):
        return None
    return found if isinstance(found, str) else None


def has_marks(value: Json) -> bool:
    return re.search("[\U00100000-\U0010ffff]", json.dumps(value, ensure_ascii=False)) is not None


@pytest.mark.parametrize("group", range(GROUPS))
def test_engine_and_cloudformation_read_the_same(group: int) -> None:
    compared = 0
    for seed in range(FIRST + group, FIRST + CASES, GROUPS):
        value = Nest(seed).text(4)
        if has_marks(value):
            with pytest.raises(TemplateError):
                read(event(value)).refuse_private()
            continue
        symbols = Symbols()
        reader = Reader(read(event(value)), symbols, Problems())
        try:
            alternatives = reader.text(value)
        except TemplateError:
            continue
        for world in WORLDS:
            expected = resolved(fragment(value), value, world)
            if expected is None:
                continue
            [text] = [
                each.text for each in alternatives if all(world[name] == truth for name, truth in each.path_condition)
            ]
            assert resolved(fragment(value), symbols.render(text), world) == expected, (seed, world, value)
            compared += 1
    assert compared > CASES // GROUPS


@pytest.mark.parametrize("group", range(GROUPS))
def test_what_a_guardrail_lets_through_is_what_it_allows(group: int) -> None:
    settings = Settings(guardrails=Guardrails(statements=ALLOWED))
    passed = 0
    for seed in range(FIRST + group, FIRST + CASES, GROUPS):
        value = Nest(seed).text(4)
        try:
            template = expand(event(value), settings).fragment
        except TemplateError:
            continue
        assert not has_marks(value), seed
        passed += 1
        for world in WORLDS:
            try:
                properties = stack(template, world).properties("Role")
            except (CloudFormationError, IndexError):
                continue
            for policy in properties.get("Policies", ()):
                for statement in policy["PolicyDocument"]["Statement"]:
                    actions = statement["Action"]
                    for action in actions if isinstance(actions, list) else [actions]:
                        allowed = any(action.lower().startswith(pattern.rstrip("*")) for pattern in ALLOWED)
                        assert allowed, (seed, world, value)
    assert passed > CASES // GROUPS // 20


def test_nests_can_contain_what_the_engine_reserves() -> None:
    """This ensures that the tests above check it."""
    assert sum(has_marks(Nest(seed).text(4)) for seed in range(200)) > 5
