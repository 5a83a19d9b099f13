"""Optional parameters: an empty default, and a condition that says whether there is a value."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.prove import prove_template

from ecs_exec_role.protocol import respond

OBJECT = "arn:aws:s3:::config/web.env"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:token-a1B2c3"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web"


def template(value: str, container: dict[str, Any]) -> dict[str, Any]:
    """A template that uses the parameter `Given` only where it is not empty."""
    return {
        "Parameters": {"Given": {"Type": "String", "Default": "", "AllowedValues": ["", value]}},
        "Conditions": {
            "None": {"Fn::Equals": [{"Ref": "Given"}, ""]},
            "Some": {"Fn::Not": [{"Condition": "None"}]},
        },
        "Resources": {
            "Web": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {
                    "ExecutionRoleSpec": "Auto",
                    "ContainerDefinitions": [{"Name": "web", "Image": "nginx", **container}],
                },
            }
        },
    }


def chosen(node: Any) -> Any:
    return {"Fn::If": ["Some", node, {"Ref": "AWS::NoValue"}]}


GIVEN = {"Ref": "Given"}


@pytest.mark.parametrize(
    "value, container",
    [
        (OBJECT, {"EnvironmentFiles": [chosen({"Type": "s3", "Value": GIVEN})]}),
        (OBJECT, {"EnvironmentFiles": [{"Type": "s3", "Value": {"Fn::If": ["None", OBJECT, GIVEN]}}]}),
        ("config", {"EnvironmentFiles": [chosen({"Type": "s3", "Value": {"Fn::Sub": "arn:aws:s3:::${Given}/a.env"}})]}),
        (
            "config",
            {"EnvironmentFiles": [chosen({"Type": "s3", "Value": {"Fn::Join": ["", ["arn:aws:s3:::", GIVEN, "/a"]]}})]},
        ),
        (SECRET, {"Secrets": [chosen({"Name": "A", "ValueFrom": GIVEN})]}),
        (SECRET, {"Secrets": [chosen({"Name": "A", "ValueFrom": {"Fn::Sub": ["${S}:key::", {"S": GIVEN}]}})]}),
        (IMAGE, {"Image": {"Fn::If": ["Some", {"Fn::Sub": "${Given}:1"}, "nginx"]}}),
        ("1", {"Image": {"Fn::If": ["None", "nginx", {"Fn::Join": [":", [IMAGE, GIVEN]]}]}}),
        (
            "/web",
            {
                "LogConfiguration": chosen(
                    {"LogDriver": "awslogs", "Options": {"awslogs-group": GIVEN, "awslogs-region": "us-east-1"}}
                )
            },
        ),
    ],
)
def test_an_empty_value_is_not_used_where_conditions_exclude_it(value: str, container: dict[str, Any]) -> None:
    proof = prove_template(template(value, container), respond)
    assert (proof.findings, proof.refused, proof.impossible) == ({}, {}, [])
    assert proof.settings == 2


def test_an_empty_value_that_conditions_do_not_exclude_is_refused() -> None:
    container = {"EnvironmentFiles": [{"Type": "s3", "Value": {"Fn::If": ["Some", OBJECT, GIVEN]}}]}
    [refused] = prove_template(template(OBJECT, container), respond).refused.values()
    assert "is empty" in refused
