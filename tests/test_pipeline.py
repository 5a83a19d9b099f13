"""The same template gives the same bytes, and the order of its parts does not matter."""

from __future__ import annotations

import copy
import itertools
import json
import random
from typing import Any

from tests.support.cloudformation import (
    Document,
)
from tests.support.contract import (
    CONDITIONS,
    CONTAINERS,
    RESOURCES,
    call,
    event,
    expanded,
    task,
    template,
)


def policies(resources: Document) -> str:
    """The policies of the role, to the byte."""
    fragment = expanded(template(resources, **CONDITIONS))
    return json.dumps(
        {
            name: resource["Properties"].get("Policies", resource["Properties"].get("PolicyDocument"))
            for name, resource in sorted(fragment["Resources"].items())
            if resource["Type"].startswith("AWS::IAM::")
        }
    )


def test_the_same_input_gives_the_same_bytes() -> None:
    request = event(template({**RESOURCES, "Task": task(*CONTAINERS)}, **CONDITIONS))
    assert len({json.dumps(call(copy.deepcopy(request))) for _ in range(3)}) == 1


def test_order_of_resources_and_containers_does_not_change_the_policies() -> None:
    resources = {**RESOURCES, "Task": task(*CONTAINERS)}
    expected = policies(resources)
    generator = random.Random(0)
    for containers in itertools.permutations(CONTAINERS):
        shuffled = list({**resources, "Task": task(*containers)}.items())
        generator.shuffle(shuffled)
        assert policies(dict(shuffled)) == expected


def test_order_of_keys_and_secrets_does_not_change_the_policies() -> None:
    def turned(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: turned(node[key]) for key in reversed(node)}
        return node

    def backwards(one_container: Document) -> Document:
        return {**one_container, "Secrets": one_container.get("Secrets", [])[::-1]}

    resources = {**RESOURCES, "Task": task(*CONTAINERS)}
    assert policies(turned(resources)) == policies(resources)
    assert policies({**RESOURCES, "Task": task(*map(backwards, CONTAINERS))}) == policies(resources)
