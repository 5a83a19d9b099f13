"""Impossible names are refused; otherwise the grant would match nothing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.guardrails.templates import event, made, task

from ecs_exec_role.errors import TemplateError

ACCOUNT = "us-east-1:123456789012"
SPEC = "Resources/Web/Properties/ExecutionRoleSpec"


def refusal(spec: Any, **container: Any) -> str:
    with pytest.raises(TemplateError) as caught:
        made(event({"Web": task(spec, **container)}))
    return str(caught.value)


@pytest.mark.parametrize("name", [" a", "a ", "a b", "\ta", "a\n", f"ARN:aws:secretsmanager:{ACCOUNT}:secret:x"])
@pytest.mark.parametrize(
    "key, noun",
    [
        ("Secrets", "secret"),
        ("RegistryCredentials", "secret"),
        ("LogGroups", "log group"),
        ("FileSystems", "file system"),
        ("FsxCredentials", "secret"),
    ],
)
def test_a_name_has_no_blank_and_no_colon(key: str, noun: str, name: str) -> None:
    line = refusal({key: [name]})
    assert line.startswith(f"{SPEC}/{key}/0")
    assert line.endswith(f" cannot be the name of a {noun}; write a name without spaces or colons")
    assert made(event({"Web": task({key: ["fs-0a1b2c3d" if key == "FileSystems" else "a"]})}))


@pytest.mark.parametrize("name", [" a", "a b", "/a b", "a\t"])
def test_a_parameters_name_has_no_blank(name: str) -> None:
    assert "cannot be the name of a parameter" in refusal({"Parameters": [name]})
    assert "cannot be the name of a parameter" in refusal("Auto", secret=name)


def test_an_objects_key_may_have_blanks() -> None:
    assert made(event({"Web": task({"EnvironmentFiles": ["arn:aws:s3:::bucket/my settings.env"]})}))


@pytest.mark.parametrize(
    "parameter, said",
    [
        (
            f"arn:aws:ssm:{ACCOUNT}:parameter/arn:aws:secretsmanager:{ACCOUNT}:secret:x",
            "cannot be the name of a parameter",
        ),
        (f"arn:aws:ssm:{ACCOUNT}:parameter/prod/fsx:3", "selects a version or a label, which ECS does not support"),
        (
            f"/aws/reference/secretsmanager/arn:aws:secretsmanager:{ACCOUNT}:secret:x",
            "cannot be the name of a parameter",
        ),
    ],
)
def test_the_login_of_fsx_is_held_to_the_form_of_a_parameter(parameter: str, said: str) -> None:
    for key in ("FsxCredentials", "Parameters"):
        assert refusal({key: [parameter]}).startswith(f"{SPEC}/{key}/0: `{parameter}` {said}")
    assert made(event({"Web": task({"FsxCredentials": [f"arn:aws:ssm:{ACCOUNT}:parameter/prod/fsx"]})}))


@pytest.mark.parametrize(
    "key",
    ["my key", " alias/a", "alias/a b", "alias/", "ARN:aws:kms:x", f"arn:aws:secretsmanager:{ACCOUNT}:secret:x"],
)
def test_a_key_is_refused_where_it_is_written(key: str) -> None:
    fix = "write the ARN of a key, its ID, or alias/NAME"
    for spec, path in (
        ({"Secrets": [{"Secret": "a", "KmsKey": key}]}, "Secrets/0/KmsKey"),
        ({"Parameters": [{"Parameter": "a", "KmsKey": key}]}, "Parameters/0/KmsKey"),
        ({"Secrets": ["a"], "KmsKeys": ["alias/fine", key]}, "KmsKeys/1"),
    ):
        assert refusal(spec).split("\n") == [f"{SPEC}/{path}: `{key}` is not a KMS key; {fix}"]


@pytest.mark.parametrize(
    "key",
    [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "alias/a/b_c-1",
        f"arn:aws:kms:{ACCOUNT}:key/mrk-1234abcd12ab34cd56ef1234567890ab",
        f"arn:aws:kms:{ACCOUNT}:alias/a",
        {"Fn::Sub": "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/1234abcd"},
    ],
)
def test_each_form_of_a_key_is_granted(key: Any) -> None:
    assert "kms:Decrypt" in str(made(event({"Web": task({"Secrets": [{"Secret": "a", "KmsKey": key}]})})))
