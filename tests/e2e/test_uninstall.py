"""The macro is removed while stacks that it made still exist: their roles stay, and they can be deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.cloud import Cloud, Failed
from tests.e2e.conftest import installed

SERVICE = (
    Path(__file__)
    .with_name("service.yaml")
    .read_text(encoding="utf-8")
    .replace("ExecutionRoleSpec: Auto", "ExecutionRoleSpec: { Preflight: Warn }")
)


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
