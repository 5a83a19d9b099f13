"""Every sample event that makes a role: judged as the examples are, for each combination of its conditions."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from tests.support.calls import NOTHING_WRONG, expected, judge
from tests.support.cloudformation import Document, Stack, circle, role_policies, ways

from ecs_exec_role.protocol import respond

EVENTS: dict[str, Document] = {
    path.stem.removeprefix("macro-"): json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[2] / "events").glob("macro-*.json"))
}
TEMPLATES = {
    name: event
    for name, event in EVENTS.items()
    if "Resources" in event["fragment"] and respond(copy.deepcopy(event))["status"] == "success"
}
# What a template imports, in the form that its spec states.
IMPORTS = {
    "shared-image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/shared/image:1",
    "stack-token": "arn:aws:secretsmanager:us-east-1:123456789012:secret:token",
}
# Managed policies outside the templates.
OUTSIDE = {"arn:aws:iam::123456789012:policy/house-rules": {"Version": "2012-10-17", "Statement": []}}


@pytest.mark.parametrize(
    "name, parameters",
    [(name, given) for name, event in TEMPLATES.items() for given in ways(event["fragment"])],
    ids=lambda value: value if isinstance(value, str) else ",".join(f"{key}={word}" for key, word in value.items()),
)
def test_roles_allow_what_ecs_does_and_no_more(name: str, parameters: dict[str, str]) -> None:
    event = copy.deepcopy(TEMPLATES[name])
    values = {**event["templateParameterValues"], **parameters}

    def stack(fragment: Document) -> Stack:
        return Stack(fragment, values, imports=IMPORTS, account=event["accountId"], region=event["region"])

    before, after = stack(event["fragment"]), stack(respond({**event, "templateParameterValues": values})["fragment"])

    assert circle(after.fragment) == []
    for role, calls in expected(before).items():
        assert judge(role_policies(after, role, OUTSIDE), calls) == NOTHING_WRONG
