"""What the login of a private registry is granted."""

from __future__ import annotations

from typing import Any

from tests.support.contract import (
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
