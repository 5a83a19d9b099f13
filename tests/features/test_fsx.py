"""What an FSx for Windows File Server volume is granted, from a definition and from `FsxCredentials`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contract import (
    CONDITIONS,
    IMPORT,
    NO_VALUE,
    PARAMETERS,
    SECRETS,
    Grants,
    by_name,
    container,
    event,
    expanded,
    fetch,
    granted,
    grants,
    one,
    read,
    task,
    template,
)

from ecs_exec_role.pipeline import expand


def test_login_of_an_fsx_volume() -> None:
    def volume(login: Any, **others: Any) -> Grants:
        configuration = {
            "FileSystemId": "fs-1",
            "RootDirectory": "share",
            "AuthorizationConfig": {"CredentialsParameter": login, "Domain": "example.com"},
        }
        volumes = [{"Name": "a", "FSxWindowsFileServerVolumeConfiguration": configuration}]
        return grants(expanded(template({"Task": task(container(), Volumes=volumes)}, **others)))

    describe = {("fsx:DescribeFileSystems", "*")}
    assert volume(f"{SECRETS}:fsx-a1B2c3") == read(f"{SECRETS}:fsx-a1B2c3") | describe
    assert volume(f"{PARAMETERS}/fsx") == fetch(f"{PARAMETERS}/fsx") | describe


@pytest.mark.parametrize(
    ("value", "required"),
    [
        ("prod/fsx", by_name("prod/fsx")),
        (f"{SECRETS}:fsx-a1B2c3", read(f"{SECRETS}:fsx-a1B2c3")),
        ("/prod/fsx", fetch(f"{PARAMETERS}/prod/fsx")),
        (f"{PARAMETERS}/prod/fsx", fetch(f"{PARAMETERS}/prod/fsx")),
        ({"Secret": "prod/fsx"}, by_name("prod/fsx")),
    ],
)
def test_fsx_login_is_a_secret_or_a_parameter(value: Any, required: set[tuple[str, str]]) -> None:
    assert granted({"FsxCredentials": [value]}) == required | {("fsx:DescribeFileSystems", "*")}


@pytest.mark.parametrize("given", [f"{SECRETS}:fsx-a1B2c3", f"{PARAMETERS}/prod/fsx", "/prod/fsx"])
def test_a_login_that_is_known_at_deployment_is_a_secret_or_a_parameter(given: str) -> None:
    found = granted({"FsxCredentials": [IMPORT]}, stack={"imports": {"shared": given}})
    required = read(given) if given.startswith(SECRETS) else fetch(f"{PARAMETERS}/prod/fsx")
    assert required <= found


def test_login_in_a_parameter_of_the_template() -> None:
    more = {"Login": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/fsx", "Type": "String", "Value": "x"}}}
    found = granted({"FsxCredentials": [{"Ref": "Login"}]}, more=more)
    assert found == fetch(f"{PARAMETERS}/fsx") | {("fsx:DescribeFileSystems", "*")}


def test_login_in_a_parameter_is_read_without_a_key() -> None:
    found = granted({"FsxCredentials": ["/prod/fsx"], "KmsKeys": ["1234abcd-12ab-34cd-56ef-1234567890ab"]})
    assert not [action for action, _ in found if action.startswith("kms:")]


def test_a_key_is_warned_of_only_where_the_login_is_a_parameter() -> None:
    for entry, warned in (
        ({"Secret": "/login", "KmsKey": "alias/one"}, True),
        ({"Secret": "login", "KmsKey": "alias/one"}, False),
        ({"Secret": {"Fn::If": ["C", "login", "/login"]}, "KmsKey": {"Fn::If": ["C", "alias/one", NO_VALUE]}}, False),
        ({"Secret": {"Fn::If": ["C", "login", "/login"]}, "KmsKey": {"Fn::If": ["C", NO_VALUE, "alias/one"]}}, True),
    ):
        request = event(one(container(), spec={"FsxCredentials": [entry], "KmsKeys": "None"}, **CONDITIONS))
        assert [warning.code for warning in expand(request).warnings] == (["unused-key"] if warned else [])
