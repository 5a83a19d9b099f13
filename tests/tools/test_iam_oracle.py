"""The evaluator that judges the roles distinguishes allowed from denied, so its answers on roles can be trusted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.iam import EvaluatorError, Request, allowed, assumable, evaluate

REPOSITORY = "arn:aws:ecr:us-east-1:123456789012:repository/team/web"
GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-a1B2c3"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
VIA = "secretsmanager.us-east-1.amazonaws.com"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: str | list[str], resource: str | list[str], **condition: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": resource}
    if condition:
        statement["Condition"] = condition
    return statement


@pytest.mark.parametrize(
    ("statement", "request_", "expected"),
    [
        (allow("ecr:BatchGetImage", REPOSITORY), Request("ecr:BatchGetImage", REPOSITORY), True),
        (allow("ecr:BatchGetImage", REPOSITORY), Request("ecr:BatchGetImage", REPOSITORY + "-other"), False),
        (allow("ecr:BatchGetImage", REPOSITORY), Request("ecr:GetDownloadUrlForLayer", REPOSITORY), False),
        (allow("ecr:GetAuthorizationToken", "*"), Request("ecr:GetAuthorizationToken", "*"), True),
        (allow("ecr:GetAuthorizationToken", REPOSITORY), Request("ecr:GetAuthorizationToken", "*"), False),
        (allow("logs:PutLogEvents", f"{GROUP}:*"), Request("logs:PutLogEvents", f"{GROUP}:log-stream:a/b/c"), True),
        (allow("logs:PutLogEvents", GROUP), Request("logs:PutLogEvents", f"{GROUP}:log-stream:a/b/c"), False),
        (allow("logs:CreateLogGroup", f"{GROUP}:*"), Request("logs:CreateLogGroup", f"{GROUP}:log-stream:"), True),
        (allow("logs:CreateLogGroup", GROUP), Request("logs:CreateLogGroup", f"{GROUP}:log-stream:"), False),
        (
            allow("secretsmanager:GetSecretValue", SECRET[:-6] + "??????"),
            Request("secretsmanager:GetSecretValue", SECRET),
            True,
        ),
        (
            allow("secretsmanager:GetSecretValue", SECRET[:-6] + "??????"),
            Request("secretsmanager:GetSecretValue", SECRET[:-6] + "other-a1B2c3"),
            False,
        ),
    ],
)
def test_actions_and_resources_decide(statement: dict[str, Any], request_: Request, expected: bool) -> None:
    assert allowed([policy(statement)], [request_]) == [expected]


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"kms:ViaService": VIA, "kms:EncryptionContext:SecretARN": SECRET}, True),
        ({"kms:EncryptionContext:SecretARN": SECRET}, False),
        ({"kms:ViaService": VIA}, False),
        ({"kms:ViaService": VIA, "kms:EncryptionContext:SecretARN": SECRET + "x"}, False),
        ({"kms:ViaService": VIA, "kms:EncryptionContext:SecretArn": SECRET}, False),
        ({"kms:ViaService": "ssm.us-east-1.amazonaws.com", "kms:EncryptionContext:SecretARN": SECRET}, False),
    ],
)
def test_encryption_context_decides(context: dict[str, str], expected: bool) -> None:
    condition = {"kms:ViaService": VIA, "kms:EncryptionContext:SecretARN": SECRET}
    document = policy(allow("kms:Decrypt", KEY, StringEquals=condition))

    assert allowed([document], [Request("kms:Decrypt", KEY, context)]) == [expected]


@pytest.mark.parametrize(("operator", "expected"), [("StringLike", True), ("StringEquals", False)])
def test_only_string_like_reads_wildcards(operator: str, expected: bool) -> None:
    condition = {operator: {"kms:EncryptionContext:SecretARN": SECRET[:-6] + "??????"}}
    document = policy(allow("kms:Decrypt", KEY, **condition))

    assert allowed([document], [Request("kms:Decrypt", KEY, {"kms:EncryptionContext:SecretARN": SECRET})]) == [expected]


@pytest.mark.parametrize(("aliases", "expected"), [(["alias/a", "alias/b"], True), (["alias/a"], False)])
def test_one_of_a_keys_aliases_is_enough(aliases: list[str], expected: bool) -> None:
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/b"}}
    document = policy(allow("kms:Decrypt", KEY.rpartition("/")[0] + "/*", **condition))

    assert allowed([document], [Request("kms:Decrypt", KEY, {"kms:ResourceAliases": aliases})]) == [expected]


@pytest.mark.parametrize(
    ("context", "expected"),
    [({"aws:SourceVpce": "vpce-1"}, True), ({"aws:SourceVpce": "vpce-2"}, False), ({}, False)],
)
def test_source_endpoint_decides(context: dict[str, str], expected: bool) -> None:
    document = policy(allow("ecr:BatchGetImage", REPOSITORY, StringEquals={"aws:sourceVpce": ["vpce-0", "vpce-1"]}))

    assert allowed([document], [Request("ecr:BatchGetImage", REPOSITORY, context)]) == [expected]


def test_policies_of_a_role_add_up_and_a_denial_overrules() -> None:
    inline = policy(allow("ecr:BatchGetImage", REPOSITORY))
    managed = policy(allow("secretsmanager:GetSecretValue", SECRET))
    denial = policy({"Effect": "Deny", "Action": "ecr:*", "Resource": "*"})
    requests = [Request("ecr:BatchGetImage", REPOSITORY), Request("secretsmanager:GetSecretValue", SECRET)]

    assert allowed([inline, managed], requests) == [True, True]
    assert allowed([inline], requests) == [True, False]
    assert allowed([inline, managed, denial], requests) == [False, True]
    assert allowed([], requests) == [False, False]


def test_an_answer_names_the_statement() -> None:
    document = policy({"Sid": "PullImages", **allow("ecr:BatchGetImage", REPOSITORY)})

    answer, denial = evaluate(
        [document], [Request("ecr:BatchGetImage", REPOSITORY), Request("ecr:PutImage", REPOSITORY)]
    )

    assert (answer.allowed, answer.reason) == (True, "Allowed: Allow PullImages")
    assert (denial.allowed, denial.reason) == (False, "ImplicitlyDenied")


@pytest.mark.parametrize(
    "request_",
    [
        Request("ecr:PullEverything", REPOSITORY),
        Request("ecr:BatchGetImage", SECRET),
        Request("ecr:BatchGetImage", "arn:aws:ecr:us-east-1:123456789012:repository/*"),
        Request("ecr:GetAuthorizationToken", REPOSITORY),
        Request("ecr:BatchGetImage", REPOSITORY, {"s3:prefix": "x"}),
    ],
)
def test_a_question_that_makes_no_sense_is_not_a_denial(request_: Request) -> None:
    with pytest.raises(EvaluatorError):
        evaluate([policy()], [request_])


def test_a_malformed_policy_is_not_a_denial() -> None:
    with pytest.raises(EvaluatorError, match=r"policy\.errors"):
        evaluate([policy({"Effect": "Allow", "Actions": "s3:GetObject"})], [Request("ecr:BatchGetImage", REPOSITORY)])


def test_a_trust_policy_names_its_service_and_its_source() -> None:
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "123456789012"},
                "ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:123456789012:*"},
            },
        }
    )
    ours = {"aws:SourceAccount": "123456789012", "aws:SourceArn": "arn:aws:ecs:us-east-1:123456789012:task/c/1"}
    theirs = {"aws:SourceAccount": "999999999999", "aws:SourceArn": "arn:aws:ecs:us-east-1:999999999999:task/c/1"}

    assert assumable(trust, [ours, theirs, {}]) == [True, False, False]
    assert assumable(trust, [ours], principal="ec2.amazonaws.com") == [False]
