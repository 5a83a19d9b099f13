"""The macro is taken away while stacks that it made still stand: their roles stay, and they can be deleted."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from tests.e2e.cloud import Cloud, Failed
from tests.e2e.conftest import installed

SERVICE = (
    Path(__file__)
    .with_name("service.yaml")
    .read_text(encoding="utf-8")
    .replace("ExecutionRoleSpec: Auto", "ExecutionRoleSpec: { Preflight: Warn }")
)


@pytest.fixture
def own(cloud: Cloud) -> Iterator[Cloud]:
    """An account of the test's own, for the macro of the others must stay."""
    if not cloud.emulated:
        pytest.skip("needs a second account, which only an emulator has at hand")
    session = boto3.Session(str(secrets.randbelow(9 * 10**11) + 10**11), "test", region_name=cloud.region)
    found = dataclasses.replace(cloud, session=session, prefix=f"{cloud.prefix}-own")
    yield found
    found.sweep(found.prefix)


def test_stacks_outlive_the_macro_and_can_be_deleted(own: Cloud, built: Path) -> None:
    macro, service = installed(own, built).stack, own.stack_name("service")
    own.deploy(service, SERVICE)
    role = own.resources(service)["TaskExecutionRole"].physical_id
    policies = own.policies(role)

    own.delete(macro)

    assert own.status(macro) is None
    assert own.policies(role) == policies
    with pytest.raises(Failed, match="EcsExecRole"):
        own.deploy(own.stack_name("new"), SERVICE)
    own.delete(service)
    assert role not in [each["RoleName"] for each in own.iam.list_roles()["Roles"]]
