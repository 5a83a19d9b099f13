"""The list of ECS's calls distinguishes correct roles from wrong ones: hand-written roles of both kinds."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.support.calls import NOTHING_WRONG, Verdict, expected, judge
from tests.support.cloudformation import Stack

HERE = "us-east-1:123456789012"
REPOSITORY = f"arn:aws:ecr:{HERE}:repository/team/web"
GROUP = f"arn:aws:logs:{HERE}:log-group:/ecs/web"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:db-??????"
PARAMETER = f"arn:aws:ssm:{HERE}:parameter/web/greeting"
KEY = f"arn:aws:kms:{HERE}:key/1234abcd-12ab-34cd-56ef-1234567890ab"

DEFINITION: dict[str, Any] = {
    "ExecutionRoleSpec": {"Secrets": [{"Secret": "db", "KmsKey": KEY}]},
    "ContainerDefinitions": [
        {
            "Name": "web",
            "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/web:1@sha256:0",
            "LogConfiguration": {
                "LogDriver": "awslogs",
                "Options": {
                    "awslogs-group": "/ecs/web",
                    "awslogs-stream-prefix": "web",
                    "awslogs-create-group": "true",
                },
            },
            "Secrets": [
                {"Name": "A", "ValueFrom": f"arn:aws:secretsmanager:{HERE}:secret:db:user::"},
                {"Name": "B", "ValueFrom": "/web/greeting"},
            ],
            "EnvironmentFiles": [{"Type": "s3", "Value": "arn:aws:s3:::settings/web.env"}],
        },
        {"Name": "proxy", "Image": "public.ecr.aws/nginx/nginx:1"},
    ],
}

RIGHT: dict[str, dict[str, Any]] = {
    "login": {"Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    "pull": {
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"],
        "Resource": REPOSITORY,
    },
    "logs": {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": f"{GROUP}:*"},
    "group": {"Action": "logs:CreateLogGroup", "Resource": [GROUP, f"{GROUP}:*"]},
    "secret": {"Action": "secretsmanager:GetSecretValue", "Resource": SECRET},
    "parameter": {"Action": "ssm:GetParameters", "Resource": PARAMETER},
    "object": {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::settings/web.env"},
    "bucket": {"Action": "s3:GetBucketLocation", "Resource": "arn:aws:s3:::settings"},
    "key": {
        "Action": "kms:Decrypt",
        "Resource": KEY,
        "Condition": {
            "StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"},
            "StringLike": {"kms:EncryptionContext:SecretARN": SECRET},
        },
    },
}


def verdict(statements: dict[str, dict[str, Any]]) -> Verdict:
    resources = {"Web": {"Type": "AWS::ECS::TaskDefinition", "Properties": DEFINITION}}
    calls = expected(Stack({"Resources": resources}))["WebExecutionRole"]
    written = [{"Effect": "Allow", **statement} for statement in statements.values()]
    return judge([{"Version": "2012-10-17", "Statement": written}], calls)


def test_the_right_role_passes() -> None:
    assert verdict(RIGHT) == NOTHING_WRONG


@pytest.mark.parametrize("left_out", RIGHT)
def test_each_statement_is_missed_where_it_is_left_out(left_out: str) -> None:
    lacking, too_wide, unneeded = verdict({name: RIGHT[name] for name in RIGHT if name != left_out})

    assert {call.partition(" ")[0] for call in lacking} <= set(_listed(RIGHT[left_out]["Action"]))
    assert (bool(lacking), too_wide, unneeded) == (True, [], [])


@pytest.mark.parametrize(
    "name, wrong, by",
    [
        ("login", {"Resource": REPOSITORY}, "lacking"),
        ("pull", {"Resource": f"{REPOSITORY}:1"}, "lacking"),
        ("pull", {"Resource": f"{REPOSITORY}*"}, "too_wide"),
        ("pull", {"Resource": REPOSITORY.replace("123456789012", "*")}, "too_wide"),
        ("pull", {"Action": "ecr:*"}, "too_wide"),
        ("logs", {"Resource": GROUP}, "lacking"),
        ("logs", {"Resource": f"{GROUP}*"}, "too_wide"),
        ("logs", {"Resource": f"{GROUP}:*:log-stream:web/*"}, "lacking"),
        ("logs", {"Action": "logs:*"}, "too_wide"),
        ("secret", {"Resource": SECRET.replace("??????", "*")}, "too_wide"),
        ("secret", {"Resource": SECRET.replace("-??????", "")}, "lacking"),
        ("secret", {"Resource": SECRET.replace("-??????", ":user::")}, "lacking"),
        ("secret", {"Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]}, "too_wide"),
        ("parameter", {"Resource": PARAMETER.replace("parameter/", "parameter//")}, "lacking"),
        ("parameter", {"Resource": PARAMETER.replace("/greeting", "/*")}, "too_wide"),
        ("parameter", {"Action": ["ssm:GetParameter", "ssm:GetParameters"]}, "too_wide"),
        ("object", {"Resource": "arn:aws:s3:::settings/*"}, "too_wide"),
        ("bucket", {"Resource": "arn:aws:s3:::settings/web.env"}, "lacking"),
        ("bucket", {"Action": ["s3:GetBucketLocation", "s3:ListBucket"]}, "too_wide"),
        ("key", {"Condition": {}}, "too_wide"),
        ("key", {"Condition": {"StringLike": RIGHT["key"]["Condition"]["StringLike"]}}, "too_wide"),
        ("key", {"Condition": {"StringEquals": RIGHT["key"]["Condition"]["StringEquals"]}}, "too_wide"),
        ("key", {"Condition": {"StringEquals": {"kms:EncryptionContext:SecretARN": SECRET}}}, "lacking"),
        ("key", {"Resource": f"arn:aws:kms:{HERE}:key/*"}, "too_wide"),
        ("key", {"Action": ["kms:Decrypt", "kms:GenerateDataKey"]}, "too_wide"),
        ("key", {"Resource": f"arn:aws:kms:{HERE}:alias/web"}, "lacking"),
    ],
)
def test_what_naive_roles_get_wrong_is_found(name: str, wrong: dict[str, Any], by: str) -> None:
    statements = copy.deepcopy(RIGHT)
    statements[name].update(wrong)

    assert getattr(verdict(statements), by), json.dumps(statements[name])


def test_a_grant_that_nothing_uses_is_found() -> None:
    spare = {
        "spare": {"Action": "secretsmanager:GetSecretValue", "Resource": f"arn:aws:secretsmanager:{HERE}:secret:x"}
    }

    assert verdict({**RIGHT, **spare}) == (
        [],
        [],
        [f"secretsmanager:GetSecretValue on arn:aws:secretsmanager:{HERE}:secret:x"],
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
