"""Unknown keys and wrong types in `ExecutionRoleSpec`: the path of the mistake, and the likely key."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import (
    Document,
)
from tests.support.contract import (
    SECRETS,
    SPEC,
    expanded,
    one,
    refusal,
    refused,
)

from ecs_exec_role.spec import check


@pytest.mark.parametrize(
    ("written", "likely"),
    [
        ("Image", "Images"),
        ("images", "Images"),
        ("LogGroup", "LogGroups"),
        ("EnvironmentFile", "EnvironmentFiles"),
        ("FirelensConfigs", "FireLensConfigs"),
        ("PermissionBoundary", "PermissionsBoundary"),
        ("Statment", "Statements"),
        ("SourceVpc", "SourceVpcs"),
    ],
)
def test_misspelt_key_comes_with_the_likely_one(written: str, likely: str) -> None:
    line = refusal(one(spec={written: []}))
    assert line.startswith(f"{SPEC}/{written}: ")
    assert f"did you mean {likely}?" in line


def test_key_that_is_like_none_comes_with_all() -> None:
    line = refusal(one(spec={"Xyzzy": []}))
    assert "Images" in line
    assert "Statements" in line


@pytest.mark.parametrize(
    ("key", "entry", "wrong"),
    [
        ("Images", {"Repositry": "web"}, "Repository"),
        ("Secrets", {"Secret": "x", "KMSKey": "y"}, "KmsKey"),
        ("LogGroups", {"LogGroup": "x", "Streamprefix": "y"}, "StreamPrefix"),
        ("FileSystems", {"FileSystem": "fs-1", "Acess": "Root"}, "Access"),
    ],
)
def test_misspelt_key_of_an_entry_comes_with_the_likely_one(key: str, entry: Document, wrong: str) -> None:
    assert any(f"did you mean {wrong}?" in line for line in refused(one(spec={key: [entry]})))


@pytest.mark.parametrize(
    ("spec", "likely"),
    [("auto", "Auto"), ("starter", "Starter"), ({"Unresolved": "ignore"}, "Ignore"), ({"Preflight": "warn"}, "Warn")],
)
def test_misspelt_word_comes_with_the_likely_one(spec: Any, likely: str) -> None:
    assert f"did you mean {likely}?" in refusal(one(spec=spec))


@pytest.mark.parametrize("spec", [None, 3, True, [], ["Auto"], "", "Everything", {"Fn::ImportValue": "x"}])
def test_spec_is_a_word_or_a_mapping(spec: Any) -> None:
    assert refusal(one(spec=spec)).startswith(f"{SPEC}: ")


LISTS = (
    "Images",
    "LogGroups",
    "Secrets",
    "Parameters",
    "RegistryCredentials",
    "EnvironmentFiles",
    "FireLensConfigs",
    "CredentialSpecs",
    "FsxCredentials",
    "FileSystems",
    "SourceVpcs",
    "SourceVpcEndpoints",
    "Statements",
    "ManagedPolicyArns",
    "Tags",
)


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("value", ["web", 3, True, None, {"Repository": "x", "b": 1}])
def test_list_is_not_a_list(key: str, value: Any) -> None:
    for line in refused(one(spec={key: value})):
        assert line.startswith(f"{SPEC}/{key}: ")
        assert "list" in line


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("item", [3, True, None, "", ["web"], {}])
def test_item_of_a_list_is_none(key: str, item: Any) -> None:
    for line in refused(one(spec={key: [item]})):
        assert line.startswith(f"{SPEC}/{key}/0")


@pytest.mark.parametrize("key", ["RoleName", "Path", "Description", "PermissionsBoundary"])
@pytest.mark.parametrize("value", [3, True, None, "", [], {"a": 1, "b": 2}])
def test_text_is_none(key: str, value: Any) -> None:
    assert refusal(one(spec={key: value})).startswith(f"{SPEC}/{key}: ")


@pytest.mark.parametrize(
    "value", [0, 3599, 43201, -1, 3600.5, True, None, "", "an hour", "9" * 5000, [], {"a": 1, "b": 2}]
)
def test_session_of_an_impossible_length(value: Any) -> None:
    assert refusal(one(spec={"MaxSessionDuration": value})).startswith(f"{SPEC}/MaxSessionDuration: ")


@pytest.mark.parametrize("value", [3600, 43200, "7200"])
def test_session_of_a_possible_length(value: Any) -> None:
    properties = expanded(one(spec={"MaxSessionDuration": value}))["Resources"]["TaskExecutionRole"]["Properties"]
    assert properties["MaxSessionDuration"] == value


@pytest.mark.parametrize("key", ["Infer", "GuardDuty", "Unresolved", "Preflight"])
@pytest.mark.parametrize("value", ["maybe", 3, None, [], {"a": 1, "b": 2}])
def test_choice_that_does_not_exist_is_refused(key: str, value: Any) -> None:
    assert refusal(one(spec={key: value})).startswith(f"{SPEC}/{key}: ")


@pytest.mark.parametrize("key", ["Images", "LogGroups", "Secrets", "Parameters", "FileSystems", "CredentialSpecs"])
def test_arn_of_something_else_is_refused(key: str) -> None:
    assert refusal(one(spec={key: ["arn:aws:sns:us-east-1:123456789012:topic"]})).startswith(f"{SPEC}/{key}/0: ")


@pytest.mark.parametrize("key", ["EnvironmentFiles", "FireLensConfigs"])
@pytest.mark.parametrize(
    "value", ["config/web.env", "arn:aws:s3:::config", "s3://config/web.env", "arn:aws:s3:::config/"]
)
def test_object_is_named_by_its_arn(key: str, value: str) -> None:
    assert refusal(one(spec={key: [value]})).startswith(f"{SPEC}/{key}/0: ")


@pytest.mark.parametrize("value", ["gmsa.json", f"{SECRETS}:gmsa", "credentialspec:gmsa"])
def test_credential_spec_starts_with_its_kind(value: str) -> None:
    assert refusal(one(spec={"CredentialSpecs": [value]})).startswith(f"{SPEC}/CredentialSpecs/0: ")


@pytest.mark.parametrize(
    ("node", "what"),
    [
        ({"Fn::If": ["C", "Auto", "Starter"]}, "depends on a condition of the template"),
        ({"Ref": "AWS::NoValue"}, "has no value"),
        ({"Ref": "Given"}, "is a Ref function, which is only known when the stack is deployed"),
        ({"Fn::ImportValue": "x"}, "is an Fn::ImportValue function, which is only known when the stack is deployed"),
        (None, "is empty"),
        (["Auto"], "is a list"),
        (1, "is a number"),
    ],
)
def test_a_spec_of_a_wrong_form_is_told_what_it_is(node: Any, what: str) -> None:
    [problem] = check.check(node, "Spec", on_role=False)
    assert problem.what == what
    assert problem.fix == "write Auto, Starter, or a mapping of keys"
