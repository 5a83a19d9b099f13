"""The role resource: trust, `Starter`, properties, metadata."""

from __future__ import annotations

import json
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
    ECR,
    EVERYTHING,
    HOST,
    NO_VALUE,
    ROLE_OF_TASK,
    ROLE_PROPERTIES,
    WEB,
    container,
    definition,
    expanded,
    grants,
    listed,
    one,
    pull,
    refusal,
    role,
    statements,
    task,
    template,
)
from tests.support.iam.simulator import assumable


def test_properties_of_the_role_are_as_on_a_role() -> None:
    properties = expanded(one(WEB, spec=ROLE_PROPERTIES))["Resources"]["TaskExecutionRole"]["Properties"]
    assert {name: properties[name] for name in ROLE_PROPERTIES} == ROLE_PROPERTIES
    assert set(properties) == {*ROLE_PROPERTIES, "AssumeRolePolicyDocument", "Policies"}


@pytest.mark.parametrize("name", ROLE_PROPERTIES)
def test_properties_of_the_role_may_be_intrinsics(name: str) -> None:
    value = {"Fn::If": ["C", ROLE_PROPERTIES[name], NO_VALUE]}
    properties = expanded(one(WEB, spec={name: value}, **CONDITIONS))["Resources"]["TaskExecutionRole"]["Properties"]
    assert properties[name] == value


@pytest.mark.parametrize("name", ROLE_PROPERTIES)
def test_properties_of_the_role_are_not_said_twice(name: str) -> None:
    fragment = template(
        {"R": {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {name: ROLE_PROPERTIES[name]}}}}
    )
    assert refusal(fragment).startswith(f"Resources/R/Properties/ExecutionRoleSpec/{name}: ")


def test_metadata_gives_for_each_sid_the_paths_that_asked() -> None:
    fragment = expanded(one(EVERYTHING, spec={"Images": ["sidecar"]}))
    here = "Resources/Task/Properties"
    first = f"{here}/ContainerDefinitions/0"
    metadata = fragment["Resources"]["TaskExecutionRole"]["Metadata"]["EcsExecRole"]
    made = statements(fragment)
    assert set(metadata) == set(made)
    by_action = {
        action: sorted(metadata[sid]) for sid, statement in made.items() for action in listed(statement["Action"])
    }
    assert by_action["ecr:BatchGetImage"] == [f"{first}/Image", f"{here}/ExecutionRoleSpec/Images/0"]
    assert by_action["ecr:GetAuthorizationToken"] == [f"{first}/Image", f"{here}/ExecutionRoleSpec/Images/0"]
    assert by_action["ssm:GetParameters"] == [f"{first}/Secrets/2/ValueFrom"]
    assert by_action["logs:CreateLogGroup"][0].startswith(f"{first}/LogConfiguration/Options/awslogs-")
    assert metadata["ReadSecrets"] == [f"{first}/Secrets/{index}/ValueFrom" for index in (0, 3, 1)]


def test_paths_of_metadata_lead_somewhere() -> None:
    needs = {"Fn::If": ["C", EVERYTHING, container(Secrets={"Fn::If": ["D", [{"Name": "A", "ValueFrom": "/x"}], []]})]}
    resources = {"Task": task(needs)}
    fragment = expanded(template(resources, **CONDITIONS))
    for paths in fragment["Resources"]["TaskExecutionRole"]["Metadata"]["EcsExecRole"].values():
        for path in paths:
            node: Any = {"Resources": resources}
            for step in path.split("/"):
                node = node[int(step)] if isinstance(node, list) else node[step]
            assert isinstance(node, str), path


def test_metadata_is_on_the_role_of_a_starter_too() -> None:
    metadata = expanded(one(spec="Starter"))["Resources"]["TaskExecutionRole"].get("Metadata", {})
    assert metadata.get("EcsExecRole", {}) == {}


def trust(fragment: Document, role_id: str = "TaskExecutionRole", **stack: Any) -> Document:
    made: Document = Stack(fragment, **stack).properties(role_id)["AssumeRolePolicyDocument"]
    return made


def called(source: str, account: str = ACCOUNT) -> dict[str, str | list[str]]:
    return {"aws:SourceAccount": account, "aws:SourceArn": source}


@pytest.mark.parametrize("spec", ["Auto", "Starter", {}, {"Images": ["web"]}])
def test_ecs_may_assume_the_role_for_this_account_and_region(spec: Any) -> None:
    [statement] = trust(expanded(one(WEB, spec=spec)))["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:*"},
        },
    }


def test_trust_is_judged_as_intended() -> None:
    document = trust(expanded(one(WEB)))
    here = called(f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/cluster/0123")
    elsewhere = called(f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/cluster/0123")
    foreign = called(f"arn:aws:ecs:{REGION}:210987654321:task/cluster/0123", "210987654321")
    assert assumable(document, [here, elsewhere, foreign, {}]) == [True, False, False, False]
    assert assumable(document, [here], principal="lambda.amazonaws.com") == [False]


def test_trust_is_that_of_the_partition() -> None:
    document = trust(expanded(one(WEB), region="cn-north-1"), region="cn-north-1")
    assert document["Statement"][0]["Condition"]["ArnLike"] == {
        "aws:SourceArn": f"arn:aws-cn:ecs:cn-north-1:{ACCOUNT}:*"
    }
    assert document["Statement"][0]["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}


def test_batch_trusts_ecs_too() -> None:
    job = definition("AWS::Batch::JobDefinition", ContainerProperties={"Image": "x"})
    made = trust(expanded(template({"Job": job})), "JobExecutionRole")
    assert made == trust(expanded(one(WEB)))


@pytest.mark.parametrize("spec", ["Auto", {}])
def test_auto_and_an_empty_mapping_infer_everything(spec: Any) -> None:
    assert grants(expanded(one(WEB, spec=spec))) == pull(f"{ECR}/web")


def test_starter_is_the_managed_policy_and_nothing_else() -> None:
    fragment = expanded(one(WEB, spec="Starter"))
    properties = fragment["Resources"]["TaskExecutionRole"]["Properties"]
    assert set(properties) == {"AssumeRolePolicyDocument", "ManagedPolicyArns"}
    resolved = Stack(fragment).properties("TaskExecutionRole")
    assert resolved["ManagedPolicyArns"] == ["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"]
    assert fragment["Resources"]["Task"]["Properties"]["ExecutionRoleArn"] == ROLE_OF_TASK


def test_starter_on_a_role() -> None:
    properties = expanded(template({"Role": role("Starter", RoleName="web")}))["Resources"]["Role"]["Properties"]
    assert set(properties) == {"RoleName", "AssumeRolePolicyDocument", "ManagedPolicyArns"}


def test_starter_adds_to_managed_policies_that_a_role_has() -> None:
    fragment = expanded(template({"Role": role("Starter", ManagedPolicyArns=["arn:aws:iam::aws:policy/Mine"])}))
    assert fragment["Resources"]["Role"]["Properties"]["ManagedPolicyArns"][0] == "arn:aws:iam::aws:policy/Mine"
    assert len(Stack(fragment).properties("Role")["ManagedPolicyArns"]) == 2


def test_a_word_may_come_from_a_parameter_or_a_mapping() -> None:
    mappings = {"Modes": {"us-east-1": {"Mode": "Starter"}}}
    spec = {"Fn::FindInMap": ["Modes", {"Ref": "AWS::Region"}, "Mode"]}
    fragment = expanded(one(WEB, spec=spec, Mappings=mappings))
    assert "Policies" not in fragment["Resources"]["TaskExecutionRole"]["Properties"]


def test_two_definitions_get_two_roles() -> None:
    fragment = expanded(template({"A": task(container(Image=f"{HOST}/a")), "B": task(container(Image=f"{HOST}/b"))}))
    assert grants(fragment, "AExecutionRole") == pull(f"{ECR}/a")
    assert grants(fragment, "BExecutionRole") == pull(f"{ECR}/b")
    assert set(statements(fragment, "AExecutionRole")) == set(statements(fragment, "BExecutionRole"))


@pytest.mark.parametrize("count", [20, 21, 40])
def test_more_managed_policies_than_a_role_takes_are_counted(count: int) -> None:
    listed = [f"arn:aws:iam::aws:policy/{number}" for number in range(count)]
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": "Auto", "ManagedPolicyArns": listed}}
    }
    if count == 20:
        assert expanded(template(resources))["Resources"]["Role"]["Properties"]["ManagedPolicyArns"] == listed
    else:
        message = refusal(template(resources))
        assert message.startswith(
            f"Resources/Role/Properties/ManagedPolicyArns: gives the role {count} managed policies"
        )


@pytest.mark.parametrize(("count", "parts"), [(1, 1), (60, 1), (75, 1), (90, 2)])
def test_a_feature_has_one_statement_as_long_as_the_role_has_room(count: int, parts: int) -> None:
    # A statement is split only so that a part of it fits into a managed policy.
    names = [f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{number:060}-a1B2c3" for number in range(count)]
    made = expanded(one(container(), spec={"Secrets": names, "KmsKeys": "None"}))
    [policy] = made["Resources"]["TaskExecutionRole"]["Properties"]["Policies"]
    assert len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) <= 10_240
    sids = [f"ReadSecrets{number if number > 1 else ''}" for number in range(1, parts + 1)]
    assert list(made["Resources"]["TaskExecutionRole"]["Metadata"]["EcsExecRole"]) == sids
    found = grants(made)
    assert {resource for _, resource in found} == set(names)


def test_the_policies_of_the_author_take_from_the_room() -> None:
    names = [f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{number:060}-a1B2c3" for number in range(60)]
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": [f"arn:aws:s3:::b/{n:090}" for n in range(40)],
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    properties = {
        "ExecutionRoleSpec": {"Secrets": names, "KmsKeys": "None"},
        "Policies": [{"PolicyName": "mine", "PolicyDocument": document}],
    }
    made = expanded(template({"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}))
    assert list(made["Resources"]["Role"]["Metadata"]["EcsExecRole"]) == ["ReadSecrets", "ReadSecrets2"]
    lengths = [
        len(json.dumps(policy["PolicyDocument"], separators=(",", ":")))
        for policy in made["Resources"]["Role"]["Properties"]["Policies"]
    ]
    assert sum(lengths) <= 10_240
