"""Templates with a value of a type that CloudFormation does not allow: the rest is audited, without an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_exec_role.audit import report
from ecs_exec_role.migrate.plan import migrate
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.macro_call import StackValues

STACK = StackValues("us-east-1", "123456789012", {})
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-a1B2c3"


def template(**resources: Any) -> template_file.TemplateFile:
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            },
            "Policies": [
                {
                    "PolicyName": "p",
                    "PolicyDocument": {
                        "Statement": {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": ARN}
                    },
                }
            ],
        },
    }
    container = {"Name": "c", "Image": "nginx", "Secrets": [{"Name": "A", "ValueFrom": ARN}]}
    task = {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "ContainerDefinitions": [container]},
    }
    resources = {"Role": role, "Task": task, **resources}
    return template_file.of_bytes("template.json", json.dumps({"Resources": resources}).encode())


@pytest.mark.parametrize("wrong", [7, True, "x", None, [], {}, [[]], {"Ref": "Task"}], ids=repr)
@pytest.mark.parametrize("place", ["Type", "Properties", "TaskDefinitions"])
def test_a_value_of_a_wrong_type_beside_the_role_changes_nothing(place: str, wrong: Any) -> None:
    other: dict[str, Any] = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": wrong}}}
    if place != "TaskDefinitions":
        other = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "b"}, place: wrong}
    audited = template(Other=other)
    [alone] = report.of(template(), STACK)
    found = {audit.role: audit for audit in report.of(audited, STACK)}
    assert [finding.code for finding in found["Role"].findings] == [finding.code for finding in alone.findings]
    migrate(audited, STACK)
