"""Statements: exact actions and resources, sorted and without duplicates."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import (
    Document,
    Stack,
    role_policies,
)
from tests.support.contract import (
    AUTHORIZE,
    CONDITIONS,
    ECR,
    EVERYTHING,
    HOST,
    LOGS,
    NO_VALUE,
    PARAMETERS,
    PULL,
    SECRET_RESOURCE,
    SECRETS,
    container,
    expanded,
    fetch,
    grants,
    listed,
    one,
    pull,
    read,
    statements,
    task,
    template,
)


@pytest.mark.parametrize(
    ("spec", "resource"),
    [
        ({"Secrets": [f"{SECRETS}:db-a1B2c3"]}, f"{SECRETS}:db-a1B2c3"),
        ({"Secrets": [{"Fn::Sub": "${Secret}"}]}, {"Ref": "Secret"}),
        ({"Parameters": ["/x"]}, {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/x"}),
        ({"LogGroups": [{"Fn::Join": ["", [{"Ref": "Logs"}]]}]}, {"Fn::GetAtt": ["Logs", "Arn"]}),
    ],
)
def test_resource_is_written_as_the_shortest_value_that_says_it(spec: Document, resource: Any) -> None:
    more = {"Secret": SECRET_RESOURCE, "Logs": {"Type": "AWS::Logs::LogGroup"}}
    fragment = expanded(one(container(), spec=spec, more=more))
    [policy] = fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Resource"] == resource


def test_only_what_ecs_calls_each_on_the_exact_resource() -> None:
    assert grants(expanded(one(EVERYTHING))) == (
        pull(f"{ECR}/web")
        | {(f"logs:{name}", f"{LOGS}:/ecs/web:*") for name in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")}
        | {("logs:CreateLogGroup", f"{LOGS}:/ecs/web")}
        | read(f"{SECRETS}:a-a1B2c3", f"{SECRETS}:b", f"{SECRETS}:b-??????", f"{SECRETS}:login-a1B2c3")
        | fetch(f"{PARAMETERS}/c")
        | {("s3:GetObject", f"arn:aws:s3:::config/{name}") for name in ("web.env", "fluent.conf")}
        | {("s3:GetBucketLocation", "arn:aws:s3:::config")}
    )


def test_actions_that_take_no_resource_have_a_statement_of_their_own_on_an_asterisk() -> None:
    fsx = {"FileSystemId": "fs-1", "AuthorizationConfig": {"CredentialsParameter": f"{SECRETS}:fsx-a1B2c3"}}
    volumes = [{"Name": "a", "FSxWindowsFileServerVolumeConfiguration": fsx}]
    made = statements(expanded(template({"Task": task(EVERYTHING, Volumes=volumes)})))
    alone = [statement["Action"] for statement in made.values() if statement["Resource"] == "*"]
    assert sorted(alone) == ["ecr:GetAuthorizationToken", "fsx:DescribeFileSystems"]


def test_authorization_is_asked_for_once() -> None:
    fragment = expanded(one(*(container(Image=f"{HOST}/{name}") for name in "abc"), spec={"GuardDuty": True}))
    assert [each["Action"] for each in statements(fragment).values()].count(AUTHORIZE[0]) == 1


def test_a_statement_per_feature_with_a_sid_that_says_which() -> None:
    made = statements(expanded(one(EVERYTHING)))
    assert len(made) == 11
    assert all(sid.isalnum() for sid in made)
    [pulling] = [sid for sid, each in made.items() if set(each["Action"]) == PULL]
    [secrets] = [sid for sid, each in made.items() if f"{SECRETS}:b" in each["Resource"]]
    assert "Image" in pulling
    assert "Secret" in secrets
    assert made[secrets]["Resource"] == [f"{SECRETS}:a-a1B2c3", f"{SECRETS}:b", f"{SECRETS}:b-??????"]


def test_every_statement_allows_and_has_no_wildcard_but_those_that_are_meant() -> None:
    for statement in statements(expanded(one(EVERYTHING))).values():
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in listed(statement["Action"]))
        for resource in listed(statement["Resource"]):
            bare = resource.removesuffix(":*").removesuffix("-??????")
            assert resource == "*" or not set(bare) & set("*?")


def test_lists_are_sorted_and_duplicates_gone() -> None:
    names = [f"{SECRETS}:{letter}-a1B2c3" for letter in "cabcab"]
    containers = [container(Secrets=[{"Name": "A", "ValueFrom": name} for name in names]) for _ in range(2)]
    [statement] = statements(expanded(one(*containers, spec={"Secrets": names}))).values()
    assert statement["Resource"] == sorted(set(names))
    for each in statements(expanded(one(EVERYTHING))).values():
        for field in ("Action", "Resource"):
            assert listed(each[field]) == sorted(set(listed(each[field])))


def test_policy_document_is_of_the_current_version() -> None:
    for document in role_policies(Stack(expanded(one(EVERYTHING))), "TaskExecutionRole"):
        assert document["Version"] == "2012-10-17"


def test_roles_with_the_same_values_have_their_own_conditions_and_paths() -> None:
    secret = {"Name": "A", "ValueFrom": f"{SECRETS}:a-a1B2c3"}
    sometimes = {"Fn::If": ["C", secret, NO_VALUE]}
    tasks = {"First": task(container(Secrets=[secret])), "Second": task(container(Secrets=[sometimes]))}
    resources = expanded(template(tasks, **CONDITIONS))["Resources"]
    first, second = (resources[f"{name}ExecutionRole"] for name in tasks)
    [always], [under_c] = (role["Properties"]["Policies"] for role in (first, second))
    assert under_c == {"Fn::If": ["C", always, NO_VALUE]}
    for name, role in (("First", first), ("Second", second)):
        [[path]] = role["Metadata"]["EcsExecRole"].values()
        assert path.startswith(f"Resources/{name}/Properties/ContainerDefinitions/0/Secrets/0/")
