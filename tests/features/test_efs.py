"""What `FileSystems` grants, and that a volume alone grants nothing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import (
    ACCOUNT,
    REGION,
    Document,
    Stack,
)
from tests.support.contract import (
    CONDITIONS,
    IMPORT,
    container,
    definition,
    event,
    expanded,
    granted,
    grants,
    one,
    statements,
    task,
    template,
)

from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import Settings


@pytest.mark.parametrize(
    "volume",
    [
        {"EFSVolumeConfiguration": {"FilesystemId": "fs-1", "AuthorizationConfig": {"IAM": "ENABLED"}}},
        {"Host": {"SourcePath": "/x"}},
        {"DockerVolumeConfiguration": {}},
        {"ConfiguredAtLaunch": True},
    ],
)
def test_other_volumes_need_nothing(volume: Document) -> None:
    assert grants(expanded(template({"Task": task(container(), Volumes=[{"Name": "a", **volume}])}))) == set()


EFS = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system"


@pytest.mark.parametrize("value", ["fs-0a1b", f"{EFS}/fs-0a1b", {"FileSystem": "fs-0a1b"}])
def test_file_system_is_mounted_for_reading_and_writing_by_default(value: Any) -> None:
    assert granted({"FileSystems": [value]}) == {
        ("elasticfilesystem:ClientMount", f"{EFS}/fs-0a1b"),
        ("elasticfilesystem:ClientWrite", f"{EFS}/fs-0a1b"),
    }


@pytest.mark.parametrize(
    "value", [{"Ref": "Files"}, {"Fn::GetAtt": ["Files", "Arn"]}, {"FileSystem": {"Ref": "Files"}}]
)
def test_file_system_of_the_template(value: Any) -> None:
    more = {"Files": {"Type": "AWS::EFS::FileSystem"}}
    arn = Stack(template(more)).physical("Files").attributes["Arn"]
    assert {resource for _, resource in granted({"FileSystems": [value]}, more=more)} == {arn}


@pytest.mark.parametrize(
    ("access", "actions"),
    [
        ("ReadOnly", ["ClientMount"]),
        ("ReadWrite", ["ClientMount", "ClientWrite"]),
        ("Root", ["ClientMount", "ClientRootAccess", "ClientWrite"]),
    ],
)
def test_access_says_what_a_mount_may_do(access: str, actions: list[str]) -> None:
    found = granted({"FileSystems": [{"FileSystem": "fs-0a1b", "Access": access}]})
    assert found == {(f"elasticfilesystem:{action}", f"{EFS}/fs-0a1b") for action in actions}
    parameters = {"Access": {"Type": "String", "Default": access}}
    entry = {"FileSystem": "fs-0a1b", "Access": {"Ref": "Access"}}
    assert granted({"FileSystems": [entry]}, Parameters=parameters) == found


def test_access_under_a_condition() -> None:
    entry = {"FileSystem": "fs-0a1b", "Access": {"Fn::If": ["C", "ReadOnly", "ReadWrite"]}}
    fragment = expanded(one(spec={"FileSystems": [entry]}, **CONDITIONS))
    assert len(grants(fragment, conditions={"C": True})) == 1
    assert len(grants(fragment, conditions={"C": False})) == 2


@pytest.mark.parametrize("point", ["fsap-0a1b", f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0a1b"])
def test_access_point_is_a_condition(point: str) -> None:
    [made] = statements(expanded(one(spec={"FileSystems": [{"FileSystem": "fs-0a1b", "AccessPoint": point}]}))).values()
    assert made["Condition"] == {
        "StringEquals": {
            "elasticfilesystem:AccessPointArn": f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0a1b"
        }
    }


@pytest.mark.parametrize(
    "given", ["fs-0a1b", f"{EFS}/fs-0a1b", f"arn:aws:elasticfilesystem:eu-west-1:{ACCOUNT}:file-system/fs-0a1b"]
)
def test_a_file_system_that_is_known_at_deployment_is_an_id_or_an_arn(given: str) -> None:
    found = granted(
        {"FileSystems": [{"FileSystem": IMPORT, "Access": "ReadOnly"}]}, stack={"imports": {"shared": given}}
    )
    arn = given if given.startswith("arn:") else f"{EFS}/{given}"
    assert found == {("elasticfilesystem:ClientMount", arn)}


@pytest.mark.parametrize("name", ["EFSVolumeConfiguration", "EfsVolumeConfiguration"])
def test_volume_is_noted_under_both_of_its_names(name: str) -> None:
    """ECS and Batch write it with different capital letters. ECS itself mounts with the task role."""
    kind = "AWS::ECS::TaskDefinition" if name.startswith("EFS") else "AWS::Batch::JobDefinition"
    volumes = [{"Name": "a", name: {"FileSystemId": "fs-1"}}]
    properties: Document = {"Volumes": volumes}
    if kind == "AWS::Batch::JobDefinition":
        properties = {"Type": "container", "ContainerProperties": properties}
    [plan] = expand(event(template({"Task": definition(kind, **properties)})), Settings()).roles

    assert [note.code for note in plan.notes] == ["uses-task-role"]
