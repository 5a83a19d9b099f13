"""What comes out: statements, policies, metadata, and the rest of the template as it was."""

from __future__ import annotations

import copy
import itertools
import json
import random
from typing import Any

import pytest
from tests.support.cloudformation import ACCOUNT, Document, Stack, circle, dependencies, role_policies
from tests.support.contract import (
    AUTHORIZE,
    CONDITIONS,
    ECR,
    HOST,
    LOGS,
    NO_VALUE,
    PARAMETERS,
    PULL,
    SECRETS,
    call,
    container,
    event,
    expanded,
    fetch,
    grants,
    listed,
    one,
    pull,
    read,
    refusal,
    refused,
    statements,
    task,
    template,
)

EVERYTHING = container(
    Image=f"{HOST}/web:1",
    LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": "/ecs/web", "awslogs-create-group": "true"}},
    Secrets=[
        {"Name": "A", "ValueFrom": f"{SECRETS}:a-a1B2c3:password::"},
        {"Name": "B", "ValueFrom": f"{SECRETS}:b"},
        {"Name": "C", "ValueFrom": "/c"},
        {"Name": "D", "ValueFrom": f"{SECRETS}:a-a1B2c3"},
    ],
    RepositoryCredentials={"CredentialsParameter": f"{SECRETS}:login-a1B2c3"},
    EnvironmentFiles=[{"Type": "s3", "Value": "arn:aws:s3:::config/web.env"}],
    FirelensConfiguration={
        "Type": "fluentbit",
        "Options": {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::config/fluent.conf"},
    },
)


# -- least privilege --


def test_only_what_ecs_calls_each_on_the_very_resource() -> None:
    assert grants(expanded(one(EVERYTHING))) == (
        pull(f"{ECR}/web")
        | {(f"logs:{name}", f"{LOGS}:/ecs/web:*") for name in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")}
        | {("logs:CreateLogGroup", f"{LOGS}:/ecs/web")}
        | read(f"{SECRETS}:a-a1B2c3", f"{SECRETS}:b", f"{SECRETS}:b-??????", f"{SECRETS}:login-a1B2c3")
        | fetch(f"{PARAMETERS}/c")
        | {("s3:GetObject", f"arn:aws:s3:::config/{name}") for name in ("web.env", "fluent.conf")}
        | {("s3:GetBucketLocation", "arn:aws:s3:::config")}
    )


def test_actions_that_take_no_resource_stand_alone_on_a_star() -> None:
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


# -- the same bytes --


RESOURCES: Document = {
    "Key": {"Type": "AWS::KMS::Key", "Properties": {}},
    "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
    "Other": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": "alias/other"}},
    "Repo": {"Type": "AWS::ECR::Repository", "Properties": {}},
    "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {}},
}
CONTAINERS = [
    EVERYTHING,
    container(Image={"Fn::Sub": "${Repo.RepositoryUri}:1"}, Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]),
    container(
        LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Logs"}}},
        Secrets=[
            {"Name": "A", "ValueFrom": {"Ref": "Other"}},
            {"Name": "B", "ValueFrom": {"Fn::If": ["C", {"Fn::Sub": "/${AWS::StackName}/x"}, NO_VALUE]}},
            {"Name": "C", "ValueFrom": {"Fn::Sub": ["/a/${X}", {"X": {"Fn::ImportValue": "x"}}]}},
            {"Name": "D", "ValueFrom": {"Fn::Sub": ["/b/${X}", {"X": {"Fn::ImportValue": "y"}}]}},
        ],
    ),
]


def policies(resources: Document) -> str:
    """The policies of the role, to the byte."""
    fragment = expanded(template(resources, **CONDITIONS))
    return json.dumps(
        {
            name: resource["Properties"].get("Policies", resource["Properties"].get("PolicyDocument"))
            for name, resource in sorted(fragment["Resources"].items())
            if resource["Type"].startswith("AWS::IAM::")
        }
    )


def test_the_same_input_gives_the_same_bytes() -> None:
    request = event(template({**RESOURCES, "Task": task(*CONTAINERS)}, **CONDITIONS))
    assert len({json.dumps(call(copy.deepcopy(request))) for _ in range(3)}) == 1


def test_order_of_resources_and_containers_does_not_change_the_policies() -> None:
    resources = {**RESOURCES, "Task": task(*CONTAINERS)}
    expected = policies(resources)
    generator = random.Random(0)
    for containers in itertools.permutations(CONTAINERS):
        shuffled = list({**resources, "Task": task(*containers)}.items())
        generator.shuffle(shuffled)
        assert policies(dict(shuffled)) == expected


def test_order_of_keys_and_secrets_does_not_change_the_policies() -> None:
    def turned(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: turned(node[key]) for key in reversed(node)}
        return node

    def backwards(one_container: Document) -> Document:
        return {**one_container, "Secrets": one_container.get("Secrets", [])[::-1]}

    resources = {**RESOURCES, "Task": task(*CONTAINERS)}
    assert policies(turned(resources)) == policies(resources)
    assert policies({**RESOURCES, "Task": task(*map(backwards, CONTAINERS))}) == policies(resources)


# -- where policies stand --


def test_policies_are_inline_in_the_role() -> None:
    fragment = expanded(one(EVERYTHING))
    assert list(fragment["Resources"]) == ["Task", "TaskExecutionRole"]
    assert fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"]


def naming_key(role: str = "TaskExecutionRole", **others: Any) -> Document:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": {"Fn::GetAtt": [role, "Arn"]}},
        "Action": "kms:Decrypt",
        "Resource": "*",
    }
    return {
        "Type": "AWS::KMS::Key",
        "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": [statement]}},
        **others,
    }


SECRET = {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}}
READS = container(Image=f"{HOST}/web", Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}])


def service(**others: Any) -> Document:
    return {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": {"Ref": "Task"}}, **others}


def test_policy_that_would_close_a_cycle_stands_beside_the_role() -> None:
    more = {"Key": naming_key(), "Secret": SECRET, "Service": service(DependsOn="Key")}
    fragment = expanded(one(READS, more=more))
    assert circle(fragment) == []
    [(name, policy)] = [
        (name, each) for name, each in fragment["Resources"].items() if each["Type"] == "AWS::IAM::RolePolicy"
    ]
    assert policy["Properties"]["RoleName"] == {"Ref": "TaskExecutionRole"}
    assert fragment["Resources"]["Service"]["DependsOn"] == ["Key", name]
    stack = Stack(fragment)
    key = stack.physical("Key").attributes["Arn"]
    assert grants(fragment) == pull(f"{ECR}/web") | read(stack.physical("Secret").ref) | {("kms:Decrypt", key)}


def test_only_what_closes_the_cycle_moves() -> None:
    more = {"Key": naming_key(), "Secret": SECRET, "Service": service()}
    fragment = expanded(one(READS, more=more))
    inline = json.dumps(fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"])
    assert "ecr:BatchGetImage" in inline
    assert "kms:Decrypt" not in inline


def test_key_that_names_no_role_stays_inline() -> None:
    more = {"Key": {"Type": "AWS::KMS::Key", "Properties": {}}, "Secret": SECRET, "Service": service(DependsOn="Key")}
    fragment = expanded(one(READS, more=more))
    assert {each["Type"] for each in fragment["Resources"].values()} >= {"AWS::IAM::Role"}
    assert not any(each["Type"] == "AWS::IAM::RolePolicy" for each in fragment["Resources"].values())
    assert fragment["Resources"]["Service"] == more["Service"]


RUNNERS: dict[str, Document] = {
    "service": service(),
    "task set": {"Type": "AWS::ECS::TaskSet", "Properties": {"TaskDefinition": {"Ref": "Task"}}},
    "rule": {
        "Type": "AWS::Events::Rule",
        "Properties": {"Targets": [{"Id": "a", "EcsParameters": {"TaskDefinitionArn": {"Ref": "Task"}}}]},
    },
    "schedule": {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Target": {"EcsParameters": {"TaskDefinitionArn": {"Fn::GetAtt": ["Task", "TaskDefinitionArn"]}}}
        },
    },
    "pipe": {
        "Type": "AWS::Pipes::Pipe",
        "Properties": {"TargetParameters": {"EcsTaskParameters": {"TaskDefinitionArn": {"Fn::Sub": "${Task}"}}}},
    },
    "custom resource": {"Type": "Custom::RunTask", "Properties": {"TaskDefinition": {"Ref": "Task"}}},
    "state machine": {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"DefinitionSubstitutions": {"Task": {"Ref": "Task"}}},
    },
    "nested stack": {"Type": "AWS::CloudFormation::Stack", "Properties": {"Parameters": {"Task": {"Ref": "Task"}}}},
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_runs_the_task_waits_for_a_policy_beside_the_role(runner: str) -> None:
    more = {"Key": naming_key(), "Secret": SECRET, "Runner": RUNNERS[runner]}
    fragment = expanded(one(READS, more=more))
    [name] = [name for name, each in fragment["Resources"].items() if each["Type"] == "AWS::IAM::RolePolicy"]
    assert name in dependencies(fragment, "Runner")
    assert circle(fragment) == []


def test_what_the_policy_itself_waits_for_does_not_wait_for_it() -> None:
    key = naming_key()
    key["Properties"]["Description"] = {"Fn::Sub": "for ${Task}"}
    more = {"Key": key, "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/x", "Value": "y"}}}
    spec = {"Statements": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": {"Fn::GetAtt": ["Key", "Arn"]}}]}
    fragment = expanded(one(container(), spec=spec, more={**more, "Service": service()}))
    assert circle(fragment) == []
    assert "DependsOn" not in fragment["Resources"]["Key"]


def test_what_runs_the_tasks_of_a_shared_role_waits_for_its_policy() -> None:
    more = {
        "Key": naming_key("Role"),
        "Secret": SECRET,
        "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [READS]}},
        "Service": service(DependsOn=["Secret"]),
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": ["Task"]}}},
    }
    fragment = expanded(template(more))
    [name] = [name for name, each in fragment["Resources"].items() if each["Type"] == "AWS::IAM::RolePolicy"]
    assert fragment["Resources"]["Service"]["DependsOn"] == ["Secret", name]
    assert circle(fragment) == []


@pytest.mark.parametrize("on_role", [False, True])
@pytest.mark.parametrize("truth", [True, False])
def test_cycle_under_a_condition(truth: bool, on_role: bool) -> None:
    needs = container(Secrets=[{"Fn::If": ["C", {"Name": "A", "ValueFrom": {"Ref": "Secret"}}, NO_VALUE]}])
    held = {"Condition": "D"} if on_role else {}
    resources = {
        "Key": naming_key(Condition="D"),
        "Secret": {**SECRET, "Condition": "D"},
        "Task": {**task(needs), **held},
        "Service": {**service(), **held},
    }
    fragment = expanded(template(resources, **CONDITIONS))
    assert circle(fragment) == []
    conditions = {"C": truth, "D": True}
    stack = Stack(fragment, conditions=conditions)
    required = read(stack.physical("Secret").ref) | {("kms:Decrypt", stack.physical("Key").attributes["Arn"])}
    assert grants(fragment, conditions=conditions) == (required if truth else set())
    for name in stack.resources("AWS::IAM::RolePolicy"):
        assert stack.properties(name)["PolicyDocument"]["Statement"]
    if on_role:
        nothing = Stack(fragment, conditions={"C": truth, "D": False})
        assert nothing.resources("AWS::IAM::RolePolicy", "AWS::IAM::Role") == []


def test_policy_beside_the_role_under_several_conditions() -> None:
    containers = [
        container(
            Secrets={"Fn::If": ["C", {"Fn::If": ["D", [{"Name": "A", "ValueFrom": {"Ref": "Secret"}}], NO_VALUE]}, []]}
        )
    ]
    fragment = expanded(one(*containers, more={"Key": naming_key(), "Secret": SECRET}, **CONDITIONS))
    for one_truth, other in itertools.product((True, False), repeat=2):
        conditions = {"C": one_truth, "D": other}
        stack = Stack(fragment, conditions=conditions)
        assert len(stack.resources("AWS::IAM::RolePolicy")) == (1 if one_truth and other else 0)
        assert bool(grants(fragment, conditions=conditions)) == (one_truth and other)


def test_bucket_policy_that_names_the_role_is_no_cycle() -> None:
    bucket_policy = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "Bucket"},
            "PolicyDocument": {"Statement": [{"Principal": {"AWS": {"Fn::GetAtt": ["TaskExecutionRole", "Arn"]}}}]},
        },
    }
    more = {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}}, "BucketPolicy": bucket_policy}
    needs = container(EnvironmentFiles=[{"Type": "s3", "Value": {"Fn::Sub": "${Bucket.Arn}/web.env"}}])
    fragment = expanded(one(needs, more=more))
    assert circle(fragment) == []
    assert not any(each["Type"] == "AWS::IAM::RolePolicy" for each in fragment["Resources"].values())


# -- what does not fit inline --


def many(count: int, length: int = 40) -> list[str]:
    return [f"{SECRETS}:{index:0{length}}-a1B2c3" for index in range(count)]


def sizes(fragment: Document, **stack: Any) -> tuple[int, list[int]]:
    """The characters of a role's inline policies together, and of each managed one, as IAM counts them."""
    made = Stack(fragment, **stack)

    def size(document: Document) -> int:
        return len(json.dumps(document, separators=(",", ":")))

    inline = sum(
        size(policy["PolicyDocument"]) for policy in made.properties("TaskExecutionRole").get("Policies", [])
    ) + sum(size(made.properties(name)["PolicyDocument"]) for name in made.resources("AWS::IAM::RolePolicy"))
    return inline, [size(made.properties(name)["PolicyDocument"]) for name in made.resources("AWS::IAM::ManagedPolicy")]


@pytest.mark.parametrize("count", [10, 80, 100, 150, 300, 500])
def test_policies_past_what_fits_inline_move_to_managed_ones(count: int) -> None:
    fragment = expanded(one(spec={"Secrets": many(count), "Images": ["web"]}))
    inline, managed = sizes(fragment)
    assert inline <= 10_240
    assert all(size <= 6_144 for size in managed)
    assert grants(fragment) == read(*many(count)) | pull(f"{ECR}/web")
    assert bool(managed) == (count > 90)
    assert circle(fragment) == []


def test_inline_room_is_used_to_the_last() -> None:
    # The rest moves only past 10,240 characters, so a role that needs little more has one managed policy.
    fragment = expanded(one(spec={"Secrets": many(150)}))
    _, managed = sizes(fragment)
    assert len(managed) == 1


def test_managed_policies_are_attached_to_the_role() -> None:
    fragment = expanded(one(spec={"Secrets": many(300), "ManagedPolicyArns": ["arn:aws:iam::aws:policy/Mine"]}))
    listed_there = fragment["Resources"]["TaskExecutionRole"]["Properties"]["ManagedPolicyArns"]
    made = [name for name, each in fragment["Resources"].items() if each["Type"] == "AWS::IAM::ManagedPolicy"]
    assert listed_there == ["arn:aws:iam::aws:policy/Mine", *({"Ref": name} for name in made)]


def test_inline_policies_of_the_author_take_their_room() -> None:
    own = {
        "PolicyName": "own",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": many(80)}],
        },
    }
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"Secrets": many(80)}, "Policies": [own]}}
    fragment = expanded(template({"TaskExecutionRole": role}))
    inline, managed = sizes(fragment)
    assert inline <= 10_240
    assert managed


def test_overflow_counts_what_only_the_deployment_knows() -> None:
    more = {f"Secret{index}": {"Type": "AWS::SecretsManager::Secret", "Properties": {}} for index in range(120)}
    needs = container(Secrets=[{"Name": name, "ValueFrom": {"Ref": name}} for name in more])
    inline, managed = sizes(expanded(one(needs, more=more)), name="a-stack-with-a-name-that-is-rather-long")
    assert inline <= 10_240
    assert all(size <= 6_144 for size in managed)


def test_overflow_under_conditions() -> None:
    secrets = [{"Name": "A", "ValueFrom": {"Fn::If": ["C", name, NO_VALUE]}} for name in many(300)]
    fragment = expanded(one(container(Secrets=secrets), **CONDITIONS))
    assert grants(fragment, conditions={"C": True}) == read(*many(300))
    no = Stack(fragment, conditions={"C": False})
    assert no.properties("TaskExecutionRole").get("ManagedPolicyArns", []) == []
    assert no.resources("AWS::IAM::ManagedPolicy") == []


def test_overflow_in_a_cycle() -> None:
    secrets = {
        f"Secret{index}": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}}
        for index in range(150)
    }
    needs = container(Secrets=[{"Name": name, "ValueFrom": {"Ref": name}} for name in secrets])
    fragment = expanded(one(needs, more={**secrets, "Key": naming_key(), "Service": service()}))
    assert circle(fragment) == []
    inline, managed = sizes(fragment)
    assert inline <= 10_240
    assert all(size <= 6_144 for size in managed)
    beside = [name for name, each in fragment["Resources"].items() if "Policy" in each["Type"]]
    assert set(beside) <= dependencies(fragment, "Service")


def test_past_what_a_role_can_carry_is_an_error_with_the_count() -> None:
    line = refusal(one(spec={"Secrets": many(1200)}))
    assert line.startswith("Resources/Task/Properties/ExecutionRoleSpec: ")
    assert any(character.isdigit() for character in line)
    assert "10,240" in line


def test_managed_policies_of_the_author_count_too() -> None:
    own = [f"arn:aws:iam::aws:policy/P{index}" for index in range(9)]
    assert "Task" in expanded(one(spec={"Secrets": many(100), "ManagedPolicyArns": own}))["Resources"]
    assert refusal(one(spec={"Secrets": many(300), "ManagedPolicyArns": own})).startswith(
        "Resources/Task/Properties/ExecutionRoleSpec"
    )


def test_statement_that_fits_nowhere_is_an_error() -> None:
    written = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": many(200)}
    assert refusal(one(spec={"Statements": [written]})).startswith("Resources/Task/Properties/ExecutionRoleSpec")
    for line in refused(one(spec={"Secrets": ["x" * 12_000]})):
        assert line.startswith("Resources/Task/Properties/ExecutionRoleSpec")


def test_snippet_that_does_not_fit_is_an_error() -> None:
    assert refusal({}, params={"Secrets": many(200)}).startswith("Fn::Transform/Parameters: ")


@pytest.mark.parametrize(
    "own",
    [{"Ref": "Arns"}, {"Fn::Split": [",", {"Fn::ImportValue": "arns"}]}, {"Fn::If": ["C", {"Ref": "Arns"}, NO_VALUE]}],
)
def test_managed_policies_are_added_to_a_list_that_is_not_known(own: Any) -> None:
    mine = "arn:aws:iam::aws:policy/Mine,arn:aws:iam::aws:policy/More"
    sections = {"Parameters": {"Arns": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/arns"}}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": "Starter", "ManagedPolicyArns": own}}
    fragment = expanded(template({"Role": role}, **sections, **CONDITIONS))
    stack = Stack(fragment, conditions={"C": True}, imports={"arns": mine}, ssm={"/arns": mine})
    arns = stack.properties("Role")["ManagedPolicyArns"]
    starter = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    assert arns == [*mine.split(","), starter]


def test_policies_that_cannot_be_added_to_are_told_where_they_stand() -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"Images": ["x"]}, "Policies": {"Ref": "P"}}}
    assert refusal(template({"Role": role})).startswith("Resources/Role/Properties/Policies: ")


# -- metadata --


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


# -- the rest of the template --


def test_the_rest_comes_back_as_it_was_in_its_order() -> None:
    fragment: Document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "x",
        "Outputs": {"Arn": {"Value": {"Ref": "Task"}}},
        "Parameters": {"P": {"Type": "String", "Default": "x"}},
        "Resources": {
            "Zebra": {"Type": "AWS::SNS::Topic", "Properties": {"z": 1, "a": [1, 2, {"b": None}]}},
            "Task": {
                "UpdateReplacePolicy": "Retain",
                "Type": "AWS::ECS::TaskDefinition",
                "DependsOn": "Zebra",
                "Properties": {
                    "Family": "x",
                    "ExecutionRoleSpec": "Auto",
                    "Cpu": 256,
                    "ContainerDefinitions": [EVERYTHING],
                },
                "Metadata": {"a": {"b": 1}},
            },
            "Apple": {"Type": "Custom::Thing", "Properties": {"Fn::Transform": {"Name": "x"}}},
        },
        "Metadata": {"x": [1.5, True, None, "ü"]},
        "Rules": {},
    }
    made = expanded(copy.deepcopy(fragment))
    assert list(made) == list(fragment)
    assert list(made["Resources"]) == ["Zebra", "Task", "TaskExecutionRole", "Apple"]
    assert list(made["Resources"]["Task"]) == list(fragment["Resources"]["Task"])
    properties = made["Resources"]["Task"]["Properties"]
    assert list(properties) == ["Family", "Cpu", "ContainerDefinitions", "ExecutionRoleArn"]
    made["Resources"].pop("TaskExecutionRole")
    properties.pop("ExecutionRoleArn")
    fragment["Resources"]["Task"]["Properties"].pop("ExecutionRoleSpec")
    assert json.dumps(made) == json.dumps(fragment)


@pytest.mark.parametrize("depends_on", ["Zebra", ["Zebra", "Apple"], None])
def test_depends_on_is_kept(depends_on: Any) -> None:
    held = {"DependsOn": depends_on} if depends_on else {}
    resources = {"Zebra": {"Type": "AWS::SNS::Topic"}, "Apple": {"Type": "AWS::SNS::Topic"}, "Task": {**task(), **held}}
    made = expanded(template(resources))["Resources"]["Task"]
    assert {key: value for key, value in made.items() if key == "DependsOn"} == held


UNTOUCHED: list[Any] = [
    {},
    template({}),
    {"Resources": []},
    {"Resources": {"A": None, "B": 3, "C": [], "D": {"Type": 3}, "E": {"Type": "AWS::ECS::TaskDefinition"}}},
    {"Resources": {"A": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": {"Ref": "X"}}}}},
    {"Resources": {"A": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "ExecutionRoleSpec"}}}},
    {"Resources": {"A": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": '"ExecutionRoleSpec": "Auto"'}}}},
    {"Resources": {"A": {"Type": "AWS::SNS::Topic", "Properties": {"X": "\U0010fffd\U00100000"}}}},
    {"Resources": {"A": {"Fn::If": ["x"], "Ref": 3}}, "Conditions": {"Fn::If": 3}},
    {"b": 1, "a": {"d": 1, "c": 2}},
]


@pytest.mark.parametrize("fragment", UNTOUCHED)
def test_template_with_no_spec_comes_back_unchanged(fragment: Any) -> None:
    assert json.dumps(expanded(copy.deepcopy(fragment))) == json.dumps(fragment)


def test_request_id_comes_back() -> None:
    for request_id in ("abc", ""):
        assert call({**event(template({})), "requestId": request_id})["requestId"] == request_id


def test_status_is_success_or_failure_and_nothing_else_comes_with_it() -> None:
    assert set(call(event(one()))) == {"requestId", "status", "fragment"}
    assert set(call(event(one(spec=3)))) == {"requestId", "status", "errorMessage"}


def test_own_policy_name_and_ours_differ() -> None:
    own = {"PolicyName": "EcsExecRole", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"Images": ["web"]}, "Policies": [own]}}
    made = expanded(template({"Role": role}))["Resources"]["Role"]["Properties"]["Policies"]
    assert len({policy["PolicyName"] for policy in made}) == 2


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1", "us-gov-west-1"])
def test_arns_are_those_of_the_stacks_partition_and_region(region: str) -> None:
    partition = {"cn": "aws-cn", "us": "aws-us-gov"}.get(region[:2], "aws")
    fragment = expanded(one(spec={"Parameters": ["/x"], "LogGroups": ["/g"], "Secrets": ["s"]}), region=region)
    for _, resource in grants(fragment, region=region):
        assert resource.split(":")[1] == partition
        assert resource.split(":")[3:5] == [region, ACCOUNT]


# -- the same grants, said in another way --


def test_a_role_shared_by_one_definition_is_the_definitions_own() -> None:
    own = expanded(template({**RESOURCES, "Task": task(*CONTAINERS)}, **CONDITIONS))
    definition = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": CONTAINERS}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": ["Task"]}}}
    resources = {**RESOURCES, "Task": definition, "TaskExecutionRole": role}
    shared = expanded(template(resources, **CONDITIONS))
    assert shared["Resources"]["Task"] == own["Resources"]["Task"]
    assert shared["Resources"]["TaskExecutionRole"]["Properties"] == own["Resources"]["TaskExecutionRole"]["Properties"]


def test_lists_that_say_what_is_inferred_change_nothing() -> None:
    spec = {
        "Images": [f"{HOST}/web"],
        "LogGroups": [{"LogGroup": "/ecs/web", "Create": True}],
        "Secrets": [f"{SECRETS}:a-a1B2c3", f"{SECRETS}:b"],
        "Parameters": ["/c"],
        "RegistryCredentials": [f"{SECRETS}:login-a1B2c3"],
        "EnvironmentFiles": ["arn:aws:s3:::config/web.env"],
        "FireLensConfigs": ["arn:aws:s3:::config/fluent.conf"],
    }
    inferred = expanded(one(EVERYTHING))
    both = expanded(one(EVERYTHING, spec=spec))
    alone = expanded(one(EVERYTHING, spec={"Infer": False, **spec}))
    assert statements(both) == statements(inferred)
    assert grants(alone) == grants(inferred)


def test_two_containers_that_need_the_same_ask_for_it_once() -> None:
    assert statements(expanded(one(EVERYTHING, EVERYTHING))) == statements(expanded(one(EVERYTHING)))


def test_every_kind_of_definition_reads_its_containers_alike() -> None:
    needs = {
        name: EVERYTHING[name] for name in ("Name", "Image", "Secrets", "LogConfiguration", "RepositoryCredentials")
    }
    holders: dict[str, Document] = {
        "AWS::ECS::TaskDefinition": {"ContainerDefinitions": [needs]},
        "AWS::ECS::DaemonTaskDefinition": {"ContainerDefinitions": [needs]},
        "AWS::Batch::JobDefinition": {"ContainerProperties": needs},
    }
    made = [
        statements(expanded(template({"Task": {"Type": kind, "Properties": {"ExecutionRoleSpec": "Auto", **holder}}})))
        for kind, holder in holders.items()
    ]
    assert made[0] == made[1] == made[2]
