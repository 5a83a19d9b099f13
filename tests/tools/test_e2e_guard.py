"""The end-to-end tests use only this machine and the account that the user names."""

from __future__ import annotations

import pytest
from tests.e2e.cloud import SANDBOX, Cloud, Refused, connect, is_loopback


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-key")
    monkeypatch.delenv(SANDBOX, raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:4566", "http://localhost:4566", "https://[::1]:4566", "http://127.8.8.8"]
)
def test_this_machine_is_taken(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:4566",
        "https://cloudformation.us-east-1.amazonaws.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://10.0.0.1:4566",
        "http://0.0.0.0:4566",
    ],
)
def test_any_other_is_not(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_loopback(url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(Refused, match=SANDBOX):
        connect()


def test_a_single_service_elsewhere_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", "https://iam.amazonaws.com")
    cloud = connect()
    cloud.client("cloudformation")
    with pytest.raises(Refused, match=r"iam would be called at https://iam\.amazonaws\.com"):
        cloud.client("iam")


def test_another_account_than_the_sandbox_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SANDBOX, "123456789012")
    monkeypatch.setattr(Cloud, "account", "999999999999")
    with pytest.raises(Refused, match="names the account 123456789012, and the credentials are those of 999999999999"):
        connect()
