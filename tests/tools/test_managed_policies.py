"""The script that renews the managed policies of AWS, against the copy of them that moto has."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from scripts import managed_policies

from ecs_exec_role.audit import granted

EXECUTION = "service-role/AmazonECSTaskExecutionRolePolicy"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the file, in an account of moto."""
    path = tmp_path / "managed_policies.json"
    path.write_text(managed_policies.FILE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(managed_policies, "FILE", path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        yield path


def content(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def edited(path: Path, edit: Any) -> None:
    text = content(path)
    edit(text["Policies"])
    path.write_text(json.dumps(text), encoding="utf-8")


def test_the_file_says_when_and_from_where_it_was_read() -> None:
    text = content(managed_policies.FILE)
    assert dt.date.fromisoformat(text["Renewed"]) <= dt.datetime.now(dt.UTC).date()
    assert text["Source"]
    assert granted.managed_policies() == text["Policies"]


def test_a_policy_that_aws_has_changed_is_renewed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = content(file)["Policies"]
    edited(file, lambda policies: policies[EXECUTION].update(Version="v0", Statement=[]))
    assert managed_policies.main(["--check"]) == 1
    assert content(file)["Policies"][EXECUTION]["Version"] == "v0"
    assert managed_policies.main([]) == 0
    assert capsys.readouterr().out == f"{EXECUTION}: v0 -> v1\n" * 2
    assert content(file)["Policies"] == whole
    assert content(file)["Renewed"] == dt.datetime.now(dt.UTC).date().isoformat()
    assert managed_policies.main(["--check"]) == 0


def test_a_policy_is_added_by_its_name(file: Path) -> None:
    assert managed_policies.main(["ReadOnlyAccess"]) == 0
    assert content(file)["Policies"]["ReadOnlyAccess"]["Statement"]
    assert list(content(file)["Policies"]) == sorted(content(file)["Policies"])


def test_a_policy_that_aws_does_not_have_is_reported(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = file.read_text(encoding="utf-8")
    assert managed_policies.main(["NoSuchPolicy"]) == 2
    assert "The policies cannot be read: " in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == before
