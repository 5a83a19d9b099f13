"""What an audit says of a definition in which one value cannot be read: the rest is judged, and that value is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Run

from ecs_exec_role.audit.required import ACTIONS_OF_PROPERTY
from ecs_exec_role.features import CONTAINER_PROPERTIES, SERVICE_PROPERTIES, VOLUME_PROPERTIES
from ecs_exec_role.roles.role import TRUST_POLICY

Document = dict[str, Any]

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:%s-a1B2c3"
OBJECT = "arn:aws:s3:::config/%s"
WHERE = ("--region", "eu-west-1", "--account", "111122223333", "--format", "json")

GOOD: dict[str, Any] = {
    "Image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1",
    "Secrets": [{"Name": "A", "ValueFrom": SECRET % "a"}, {"Name": "B", "ValueFrom": "/b"}],
    "RepositoryCredentials": {"CredentialsParameter": SECRET % "login"},
    "LogConfiguration": {
        "LogDriver": "awslogs",
        "Options": {"awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-create-group": "true"},
        "SecretOptions": [{"Name": "token", "ValueFrom": SECRET % "token"}],
    },
    "EnvironmentFiles": [{"Type": "s3", "Value": OBJECT % "web.env"}],
    "FirelensConfiguration": {
        "Type": "fluentbit",
        "Options": {"config-file-type": "s3", "config-file-value": OBJECT % "fluent.conf"},
    },
    "CredentialSpecs": [f"credentialspec:{OBJECT % 'gmsa.json'}"],
    "FSxWindowsFileServerVolumeConfiguration": {
        "FileSystemId": "fs-0123456789abcdef0",
        "RootDirectory": "share",
        "AuthorizationConfig": {"CredentialsParameter": SECRET % "fsx", "Domain": "example.com"},
    },
}
"""A value of each property that is read."""

BROKEN: dict[str, Any] = {
    "Image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web*",
    "Secrets": [{"Name": "A", "ValueFrom": f"{SECRET % 'a'}:key"}, {"Name": "B", "ValueFrom": ""}],
    "RepositoryCredentials": {"CredentialsParameter": "login*"},
    "LogConfiguration": {
        **GOOD["LogConfiguration"],
        "Options": {**GOOD["LogConfiguration"]["Options"], "awslogs-group": "/ecs/*"},
        "SecretOptions": [{"Name": "token", "ValueFrom": "arn:aws:sqs:eu-west-1:111122223333:x"}],
    },
    "EnvironmentFiles": [{"Type": "s3", "Value": "s3://config/web.env"}],
    "FirelensConfiguration": {
        "Type": "fluentbit",
        "Options": {"config-file-type": "s3", "config-file-value": "s3://config/fluent.conf"},
    },
    "CredentialSpecs": [OBJECT % "gmsa.json"],
    "FSxWindowsFileServerVolumeConfiguration": {
        **GOOD["FSxWindowsFileServerVolumeConfiguration"],
        "AuthorizationConfig": {"CredentialsParameter": f"{SECRET % 'fsx'}*", "Domain": "example.com"},
    },
}
"""A value of the same property that the engine refuses."""

CERTAIN = {"Name": "other", "Image": "nginx", "Secrets": [{"Name": "C", "ValueFrom": SECRET % "certain"}]}
ELSEWHERE = {"Fn::GetAtt": ["Function", "Value"]}


def template(statements: list[Document], *containers: Any, volumes: Any = ()) -> Document:
    """A template with these containers and one more, and a role with these statements."""
    policies = [{"PolicyName": "p", "PolicyDocument": {"Statement": statements}}] if statements else []
    return {
        "Resources": {
            "Function": {"Type": "Custom::Value", "Properties": {"ServiceToken": "x"}},
            "Task": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {
                    "RequiresCompatibilities": ["FARGATE"],
                    "ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    "ContainerDefinitions": [*containers, CERTAIN],
                    "Volumes": list(volumes),
                },
            },
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": TRUST_POLICY, "Policies": policies},
            },
        }
    }


def with_value(statements: list[Document], name: str, value: Any) -> Document:
    if name in VOLUME_PROPERTIES:
        return template(statements, volumes=[{"Name": "v", name: value}])
    return template(statements, {"Name": "web", "Image": "nginx", name: value})


def audited(run: Run, document: Document) -> Document:
    Path("t.json").write_text(json.dumps(document), encoding="utf-8")
    result = run("audit", "t.json", *WHERE)
    assert result.exit_code == 0, result.output
    [audit] = json.loads(result.stdout)
    return dict(audit)


def by_kind(audit: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [found for found in audit["findings"] if found["kind"] == kind]


def needed(run: Run, name: str) -> list[Document]:
    """What a definition needs with the good value of a property: the statements that the macro would write."""
    statements = audited(run, with_value([], name, GOOD[name]))["policy"]["Statement"]
    key = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    fits = audited(run, with_value(statements, name, GOOD[name]))
    assert by_kind(fits, "lacking") == by_kind(fits, "excess") == by_kind(fits, "too-wide") == []
    return [*statements, key]


def test_each_property_that_is_read_says_what_it_may_need() -> None:
    assert set(ACTIONS_OF_PROPERTY) == {*CONTAINER_PROPERTIES, *VOLUME_PROPERTIES, *SERVICE_PROPERTIES}
    assert set(GOOD) == set(BROKEN)
    assert set(ACTIONS_OF_PROPERTY) - set(GOOD) == {
        # The same as CredentialSpecs and LogConfiguration, in other forms or resources.
        "DockerSecurityOptions",
        "AwsLogsConfiguration",
        "ServiceConnectConfiguration",
        # It needs nothing.
        "EFSVolumeConfiguration",
        "EfsVolumeConfiguration",
    }


@pytest.mark.parametrize("value", [BROKEN, dict.fromkeys(BROKEN, ELSEWHERE)], ids=["mistake", "elsewhere"])
@pytest.mark.parametrize("name", BROKEN)
def test_what_the_value_may_need_is_not_said_to_be_too_much(run: Run, name: str, value: Mapping[str, Any]) -> None:
    statements = needed(run, name)
    found = audited(run, with_value(statements, name, value[name]))
    codes = [each["code"] for each in found["findings"]]
    if value is BROKEN:
        assert codes[0] == "value-unreadable"
    else:
        # A list or a mapping that only the deployment knows cannot be read; one value of that kind is not resolved.
        assert len({"value-unreadable", "value-unresolved"} & set(codes)) == 1
    assert by_kind(found, "excess") == by_kind(found, "too-wide") == by_kind(found, "lacking") == []


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_certain_is_judged_beside_it(run: Run, name: str) -> None:
    unused = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    kept = [item for item in needed(run, name) if SECRET % "certain" not in json.dumps(item)]
    found = audited(run, with_value([*kept, unused], name, BROKEN[name]))
    [lacking] = by_kind(found, "lacking")
    assert lacking["actions"] == ["secretsmanager:GetSecretValue"]
    assert lacking["resource"] == SECRET % "certain"
    [excess] = by_kind(found, "excess")
    assert excess["actions"] == ["s3:PutObject"]
    assert (found["replacement"], found["policy"]) == ({}, {})


@pytest.mark.parametrize("container", [ELSEWHERE, "web"], ids=["elsewhere", "mistake"])
def test_a_container_that_cannot_be_read_may_need_anything(run: Run, container: Any) -> None:
    everything: list[str] = sorted({action for actions in ACTIONS_OF_PROPERTY.values() for action in actions})
    statements: list[Document] = [
        {"Effect": "Allow", "Action": everything, "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
    ]
    found = audited(run, template(statements, container))
    assert found["findings"][0]["code"] == "value-unreadable"
    assert [each["actions"] for each in by_kind(found, "excess")] == [["s3:PutObject"]]
    assert by_kind(found, "too-wide") == by_kind(found, "lacking") == []
    lacking = by_kind(audited(run, template([], container)), "lacking")
    assert [each["resource"] for each in lacking] == [SECRET % "certain"]


def test_the_same_need_of_a_value_without_a_mistake_is_certain(run: Run) -> None:
    image = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/%s"
    containers = [{"Name": name, "Image": image % name} for name in ("a", "b*")]
    lacking = by_kind(audited(run, template([], *containers)), "lacking")
    assert {tuple(each["actions"]) for each in lacking} == {
        ("ecr:GetAuthorizationToken",),
        ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
        ("secretsmanager:GetSecretValue",),
    }
    assert not any("b*" in each["resource"] for each in lacking)


def test_a_mistake_in_a_resource_that_a_value_names_makes_the_value_uncertain(run: Run) -> None:
    document = template([], {"Name": "web", "Image": "nginx", "Secrets": [{"Name": "D", "ValueFrom": {"Ref": "Db"}}]})
    document["Resources"]["Db"] = {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": "not a key"}}
    good = copy.deepcopy(document)
    good["Resources"]["Db"]["Properties"]["KmsKeyId"] = "alias/db"
    good["Resources"]["Role"]["Properties"]["Policies"] = [
        {"PolicyName": "p", "PolicyDocument": {"Statement": audited(run, good)["policy"]["Statement"]}}
    ]
    fits = audited(run, good)
    assert by_kind(fits, "excess") == by_kind(fits, "lacking") == []
    good["Resources"]["Db"] = document["Resources"]["Db"]
    found = audited(run, good)
    assert found["findings"][0]["code"] == "value-unreadable"
    assert by_kind(found, "excess") == by_kind(found, "too-wide") == by_kind(found, "lacking") == []


@pytest.mark.parametrize("role", [None, {"Fn::ImportValue": "x"}, "arn:aws:iam::111122223333:role/x"])
def test_a_mistake_is_told_whatever_role_the_definition_has(run: Run, role: Any) -> None:
    document = template([], {"Name": "web", "Image": BROKEN["Image"]})
    properties = document["Resources"]["Task"]["Properties"]
    properties["ContainerDefinitions"].pop()
    properties["ExecutionRoleArn"] = role
    if role is None:
        del properties["ExecutionRoleArn"]
    del document["Resources"]["Role"]
    found = audited(run, document)
    assert found["findings"][0]["code"] == "value-unreadable"
    assert (found["replacement"], found["policy"]) == ({}, {})


def test_the_words_say_which_value_cannot_be_read(run: Run) -> None:
    statements = [{"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "*"}]
    value = [{"Name": "A", "ValueFrom": "/a*"}]
    run("audit", "t.json")
    Path("t.json").write_text(json.dumps(with_value(statements, "Secrets", value), indent=1), encoding="utf-8")
    shown = " ".join(run("audit", "t.json", *WHERE[:4]).stdout.split())
    assert "container web (Secrets[0] A) cannot be read, so it is not known what it needs: `/a*` contains" in shown
    assert "allows ssm:GetParameters on *, which container web (Secrets[0] A) may need; that cannot be read" in shown
    assert "the spec that replaces it" not in shown
