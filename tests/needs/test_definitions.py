"""Mistakes in a definition that ECS would refuse."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contract import (
    SECRETS,
    container,
    one,
    refusal,
    refused,
    task,
    template,
)


@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:sns:us-east-1:123456789012:topic",
        f"{SECRETS}:db-a1B2c3:password",
        f"{SECRETS}:db-a1B2c3:password:AWSCURRENT",
        f"{SECRETS}:db-a1B2c3:a:b:c:d",
        "/name:2",
    ],
)
def test_value_that_ecs_would_refuse_is_reported(value: str) -> None:
    line = refusal(one(container(Secrets=[{"Name": "A", "ValueFrom": value}])))
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom: ")


@pytest.mark.parametrize("value", [["x"], {"a": 1, "b": 2}, {"a": 1}])
def test_value_that_is_not_text_is_reported(value: Any) -> None:
    for line in refused(one(container(Image=value))):
        assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")


@pytest.mark.parametrize("containers", ["x", 3, ["x"], [3], [["x"]]])
def test_containers_that_are_none_are_reported(containers: Any) -> None:
    for line in refused(template({"Task": task(ContainerDefinitions=containers)})):
        assert line.startswith("Resources/Task/Properties/ContainerDefinitions")
