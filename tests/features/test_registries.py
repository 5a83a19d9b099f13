"""What the login of a private registry is granted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contract import (
    IMPORT,
    PARAMETERS,
    SECRET_RESOURCE,
    SECRETS,
    Grants,
    container,
    inferred,
    physical,
    read,
    refusal_of,
)


def test_registry_login_is_a_secret_by_name_or_arn() -> None:
    def login(value: Any, **others: Any) -> Grants:
        return inferred(container(RepositoryCredentials={"CredentialsParameter": value}), **others)

    assert login("registry") == read(f"{SECRETS}:registry", f"{SECRETS}:registry-??????")
    assert login(f"{SECRETS}:registry-a1B2c3") == read(f"{SECRETS}:registry-a1B2c3")
    more = {"Secret": SECRET_RESOURCE}
    assert login({"Ref": "Secret"}, more=more) == read(physical(more, "Secret"))


def test_a_login_in_a_parameter_is_refused() -> None:
    web = container(RepositoryCredentials={"CredentialsParameter": f"{PARAMETERS}/login"})
    assert "only from Secrets Manager" in refusal_of(web)


@pytest.mark.parametrize(
    "value, said",
    [
        (f"{SECRETS}:login-a1B2c3:password::", "write only the secret's ARN or name"),
        ("login:password::", "cannot be the name of a secret"),
    ],
)
def test_a_login_is_a_whole_secret(value: str, said: str) -> None:
    web = container(RepositoryCredentials={"CredentialsParameter": value})
    assert said in refusal_of(web)


def test_a_parameter_of_the_template_is_not_a_login() -> None:
    more = {"Login": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}}
    web = container(RepositoryCredentials={"CredentialsParameter": {"Ref": "Login"}})
    assert "only from Secrets Manager" in refusal_of(web, more=more)


@pytest.mark.parametrize("value", [IMPORT, {"Fn::Sub": ["${X}/login", {"X": IMPORT}]}])
def test_a_login_that_is_known_at_deployment_is_listed(value: Any) -> None:
    """It is an error unless a list of the spec says what it is."""
    web = container(RepositoryCredentials={"CredentialsParameter": value})
    assert "RegistryCredentials" in refusal_of(web)
    for key in ("RegistryCredentials", "Secrets"):
        assert inferred(web, spec={key: [value]}, stack={"imports": {"shared": f"{SECRETS}:login-a1B2c3"}})
