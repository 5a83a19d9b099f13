"""A value that a condition removes (`!If [C, VALUE, !Ref AWS::NoValue]`) has its default where it is absent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.cloudformation import ACCOUNT, REGION, Document
from tests.support.contract import (
    CONDITIONS,
    HOST,
    KEY,
    NO_VALUE,
    container,
    definition,
    event,
    expanded,
    logs,
    one,
    refused,
    statements,
    template,
    with_secret,
)

from ecs_exec_role.pipeline import expand

ARN_OF_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/web"
OBJECT = "arn:aws:s3:::config/web.env"
KEYED = {
    "Key": KEY,
    "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}},
}


def spec(**keys: Any) -> Document:
    return one(container(Image=f"{HOST}/web:1"), spec=keys, more=KEYED, **CONDITIONS)


def express(**properties: Any) -> Document:
    web = {"Image": f"{HOST}/web:1"}
    task = definition("AWS::ECS::ExpressGatewayService", PrimaryContainer=web, **properties)
    return template({"Task": task}, **CONDITIONS)


def job(**properties: Any) -> Document:
    batch = definition("AWS::Batch::JobDefinition", ContainerProperties={"Image": f"{HOST}/web:1", **properties})
    return template({"Task": batch}, **CONDITIONS)


def without(node: Any) -> Any:
    """`node` without the keys and items that have no value."""
    if isinstance(node, dict):
        return {key: without(child) for key, child in node.items() if child != NO_VALUE}
    return [without(item) for item in node if item != NO_VALUE] if isinstance(node, list) else node


PLACES: dict[str, tuple[Callable[[Any], Document], Any]] = {
    "LogGroups StreamPrefix": (lambda value: spec(LogGroups=[{"LogGroup": "/web", "StreamPrefix": value}]), "web"),
    "LogGroups StreamPrefix of an ARN": (
        lambda value: spec(LogGroups=[{"LogGroup": ARN_OF_GROUP, "StreamPrefix": value}]),
        "web",
    ),
    "LogGroups Region": (lambda value: spec(LogGroups=[{"LogGroup": "/web", "Region": value}]), "eu-west-1"),
    "LogGroups Create": (lambda value: spec(LogGroups=[{"LogGroup": "/web", "Create": value}]), True),
    "LogGroups Region of a created group": (
        lambda value: spec(LogGroups=[{"LogGroup": "/web", "Region": value, "Create": True, "StreamPrefix": "a"}]),
        "eu-west-1",
    ),
    "FileSystems Access": (lambda value: spec(FileSystems=[{"FileSystem": "fs-1", "Access": value}]), "Root"),
    "FileSystems AccessPoint": (
        lambda value: spec(FileSystems=[{"FileSystem": "fs-1", "AccessPoint": value, "Access": "ReadOnly"}]),
        "fsap-1",
    ),
    "Images PullThroughCache": (lambda value: spec(Images=[{"Repository": "a/b", "PullThroughCache": value}]), True),
    "Secrets KmsKey": (lambda value: spec(Secrets=[{"Secret": "s", "KmsKey": value}]), "alias/one"),
    "Secrets KmsKey of a secret with a key": (
        lambda value: spec(Secrets=[{"Secret": {"Ref": "Secret"}, "KmsKey": value}]),
        "alias/one",
    ),
    "EnvironmentFiles KmsKey": (lambda value: spec(EnvironmentFiles=[{"Object": OBJECT, "KmsKey": value}]), "alias/o"),
    "CredentialSpecs Secret": (
        lambda value: spec(CredentialSpecs=[{"Spec": f"credentialspecdomainless:{OBJECT}", "Secret": value}]),
        "login",
    ),
    "KmsKeys": (lambda value: spec(Secrets=["s"], KmsKeys=value), ["alias/one"]),
    "SourceVpcs": (lambda value: spec(SourceVpcs=value), ["vpc-2", "vpc-1", "vpc-2"]),
    "GuardDuty": (lambda value: spec(GuardDuty=value), True),
    "awslogs-region": (
        lambda value: one(container(LogConfiguration=logs(group="/web", region=value)), **CONDITIONS),
        "eu-west-1",
    ),
    "awslogs-group of AWS Batch": (
        lambda value: job(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": value}}),
        "/mine",
    ),
    "awslogs-region of AWS Batch": (
        lambda value: job(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-region": value}}),
        "eu-west-1",
    ),
    "the options of AWS Batch's driver": (
        lambda value: job(LogConfiguration={"LogDriver": "awslogs", "Options": value}),
        {"awslogs-group": "/mine"},
    ),
    "the name of an express service": (lambda value: express(ServiceName=value), "web"),
    "the cluster of an express service": (lambda value: express(Cluster=value), "prod"),
}


def allowed(fragment: Document, **stack: Any) -> list[str]:
    """What a role allows, whatever the Sids of its statements are, and whether a list of one is written as a list."""
    found = statements(expanded(fragment), **stack).values()
    return sorted(json.dumps(unlisted({**statement, "Sid": ""}), sort_keys=True) for statement in found)


def unlisted(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: unlisted(child) for key, child in node.items()}
    return node[0] if isinstance(node, list) and len(node) == 1 else node


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("name", PLACES)
def test_a_value_under_a_condition_is_the_value_or_its_default(name: str, holds: bool) -> None:
    write, value = PLACES[name]
    plain = write(value) if holds else without(write(NO_VALUE))
    for branches in ([value, NO_VALUE], [NO_VALUE, value]):
        conditions = {"C": holds if branches[0] == value else not holds, "D": True}
        made = allowed(write({"Fn::If": ["C", *branches]}), conditions=conditions)
        assert made == allowed(plain, conditions=conditions)


def test_two_access_points_under_a_condition_are_never_both_allowed() -> None:
    points = {"Fn::If": ["C", "fsap-1", "fsap-2"]}
    for holds, point in ((True, "fsap-1"), (False, "fsap-2")):
        stack = {"conditions": {"C": holds, "D": True}}
        assert allowed(spec(FileSystems=[{"FileSystem": "fs-1", "AccessPoint": points}]), **stack) == allowed(
            spec(FileSystems=[{"FileSystem": "fs-1", "AccessPoint": point}]), **stack
        )


def test_values_of_a_condition_of_a_statement_are_sorted_and_not_repeated() -> None:
    [pull] = [
        found
        for found in statements(expanded(spec(SourceVpcs=["vpc-2", "vpc-1", "vpc-2"]))).values()
        if "Condition" in found
    ]
    assert pull["Condition"] == {"StringEquals": {"aws:sourceVpc": ["vpc-1", "vpc-2"]}}


# -- KmsKeys ----------------------------------------------------------------------------------------------------------

READS = with_secret("/x")


def warned(keys: Any, reads: Document = READS) -> list[str]:
    request = event(one(reads, spec={} if keys is None else {"KmsKeys": keys}, **CONDITIONS))
    return [warning.code for warning in expand(request).warnings]


@pytest.mark.parametrize(
    "keys",
    [
        None,
        [],
        NO_VALUE,
        [NO_VALUE],
        {"Fn::If": ["C", ["alias/one"], NO_VALUE]},
        [{"Fn::If": ["C", "alias/one", NO_VALUE]}],
        {"Fn::If": ["C", "None", []]},
    ],
)
def test_keys_that_are_not_mentioned_are_a_warning(keys: Any) -> None:
    assert warned(keys) == ["unknown-key"]


@pytest.mark.parametrize(
    "keys",
    [
        "None",
        ["alias/one"],
        {"Fn::If": ["C", "None", ["alias/one"]]},
        {"Fn::If": ["C", ["alias/one"], "None"]},
        [{"Fn::If": ["C", "alias/one", "alias/two"]}],
        [{"Fn::ImportValue": "key"}],
    ],
)
def test_keys_that_are_mentioned_are_not_a_warning(keys: Any) -> None:
    assert warned(keys) == []


def test_what_is_read_under_the_condition_of_the_keys_alone_is_not_warned_of() -> None:
    reads = container(Secrets={"Fn::If": ["C", [{"Name": "A", "ValueFrom": "/x"}], NO_VALUE]})
    assert warned({"Fn::If": ["C", ["alias/one"], NO_VALUE]}, reads) == []
    assert warned({"Fn::If": ["C", NO_VALUE, ["alias/one"]]}, reads) == ["unknown-key"]


@pytest.mark.parametrize(
    ("keys", "fix"),
    [
        ("none", "did you mean None? Write that"),
        ("NONE", "did you mean None? Write that"),
        ("alias/one", "write a list or the word None"),
        (True, "write a list or the word None"),
        ({"alias/one": 1}, "write a list or the word None"),
    ],
)
def test_a_wrong_form_of_kms_keys_gets_a_message_with_what_to_write(keys: Any, fix: str) -> None:
    [line] = refused(one(READS, spec={"KmsKeys": keys}))
    assert line.startswith("Resources/Task/Properties/ExecutionRoleSpec/KmsKeys: ")
    assert line.endswith(fix)


def test_the_word_none_as_a_key_is_not_a_key() -> None:
    said = [{"Secret": "s", "KmsKey": "None"}]
    assert allowed(one(READS, spec={"Secrets": said, "KmsKeys": "None"})) == allowed(
        one(READS, spec={"Secrets": ["s"], "KmsKeys": "None"})
    )


@pytest.mark.parametrize("key", ["Infer", "Unresolved", "Preflight"])
@pytest.mark.parametrize("branches", [False, [], ["C", "true"]])
def test_a_choice_behind_a_malformed_condition_is_one_mistake(key: str, branches: Any) -> None:
    [line] = refused(spec(**{key: {"Fn::If": branches}}))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}/Fn::If: is malformed")
