"""On which resources `ExecutionRoleSpec` is read, and which definitions get which role."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.cloudformation import (
    Document,
    Stack,
    role_with_arn,
)
from tests.support.contract import (
    CONDITIONS,
    ECR,
    HOST,
    LOGS,
    NO_VALUE,
    ROLE_OF_TASK,
    SECRETS,
    SPEC,
    WEB,
    call,
    container,
    definition,
    event,
    expanded,
    grants,
    one,
    pull,
    read,
    refusal,
    refused,
    role,
    task,
    template,
    write,
)

from ecs_exec_role.pipeline import expand


def test_role_that_definitions_name_themselves_holds_what_they_need() -> None:
    arn = {"Fn::GetAtt": ["Role", "Arn"]}
    properties = {"ContainerDefinitions": [container(Image=f"{HOST}/web")], "ExecutionRoleArn": arn}
    resources = {
        "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": "Auto"}},
    }
    fragment = expanded(template(resources))
    assert fragment["Resources"]["Task"] == resources["Task"]
    assert grants(fragment, "Role") == pull(f"{ECR}/web")


NAMES_OF_A_ROLE: dict[str, tuple[Any, bool]] = {
    "its attribute": ({"Fn::GetAtt": ["Role", "Arn"]}, True),
    "its name by reference": ({"Ref": "Role"}, True),
    "an ARN with that": ({"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/a/${Role}"}, True),
    "its name in words": ("web", True),
    "an ARN in words": ("arn:aws:iam::123456789012:role/web", True),
    "an ARN of another account": ("arn:aws:iam::111122223333:role/web", False),
    "an ARN of another account by reference": ({"Fn::Sub": "arn:aws:iam::111122223333:role/${Role}"}, False),
    "a name that begins so": ({"Fn::Sub": "${Role}-x"}, False),
    "another name": ("other", False),
}


@pytest.mark.parametrize("name", NAMES_OF_A_ROLE)
def test_a_role_is_named_by_its_name_as_well_as_by_its_arn(name: str) -> None:
    """Public templates write `!Ref` as well as `!GetAtt`."""
    written, is_the_role = NAMES_OF_A_ROLE[name]
    properties = {"ContainerDefinitions": [container(Image=f"{HOST}/web")], "ExecutionRoleArn": written}
    resources = {
        "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": "Auto", "RoleName": "web"}},
    }
    found = expand(event(template(resources)))
    assert bool(grants(found.fragment, "Role")) == is_the_role
    assert [warning.code for warning in found.warnings] == ([] if is_the_role else ["no-such-definition"])


@pytest.mark.parametrize("kind", ["AWS::ECS::TaskDefinition", "AWS::ECS::DaemonTaskDefinition"])
def test_task_definition_gets_a_role_of_its_own(kind: str) -> None:
    fragment = expanded(template({"Web": definition(kind, ContainerDefinitions=[WEB])}))
    assert fragment["Resources"]["Web"]["Properties"] == {
        "ContainerDefinitions": [WEB],
        "ExecutionRoleArn": {"Fn::GetAtt": ["WebExecutionRole", "Arn"]},
    }
    assert fragment["Resources"]["WebExecutionRole"]["Type"] == "AWS::IAM::Role"
    assert grants(fragment, "WebExecutionRole") == pull(f"{ECR}/web")


def test_express_gateway_service_gets_a_role_for_its_primary_container() -> None:
    primary = {
        "Image": f"{HOST}/web:1",
        "AwsLogsConfiguration": {"LogGroup": "/ecs/web", "LogStreamPrefix": "web"},
        "Secrets": [{"Name": "A", "ValueFrom": f"{SECRETS}:db-a1B2c3"}],
        "RepositoryCredentials": {"CredentialsParameter": f"{SECRETS}:registry-a1B2c3"},
    }
    kind = "AWS::ECS::ExpressGatewayService"
    fragment = expanded(template({"Web": definition(kind, PrimaryContainer=primary)}))
    assert fragment["Resources"]["Web"]["Properties"] == {
        "PrimaryContainer": primary,
        "ExecutionRoleArn": {"Fn::GetAtt": ["WebExecutionRole", "Arn"]},
    }
    assert grants(fragment, "WebExecutionRole") == (
        pull(f"{ECR}/web") | write(f"{LOGS}:/ecs/web:*") | read(f"{SECRETS}:db-a1B2c3", f"{SECRETS}:registry-a1B2c3")
    )


def test_batch_sets_the_role_in_container_properties() -> None:
    properties = {"Image": f"{HOST}/job:1", "LogConfiguration": {"LogDriver": "json-file"}}
    job = definition("AWS::Batch::JobDefinition", Type="container", ContainerProperties=properties)
    fragment = expanded(template({"Job": job}))
    assert fragment["Resources"]["Job"]["Properties"] == {
        "Type": "container",
        "ContainerProperties": {**properties, "ExecutionRoleArn": {"Fn::GetAtt": ["JobExecutionRole", "Arn"]}},
    }
    assert grants(fragment, "JobExecutionRole") == pull(f"{ECR}/job")


def test_batch_sets_the_role_on_each_task_of_ecs_properties() -> None:
    quiet = {"LogDriver": "json-file"}
    first = {"Containers": [{"Name": "a", "Image": f"{HOST}/a", "LogConfiguration": quiet}]}
    second = {"Containers": [{"Name": "b", "Image": f"{HOST}/b", "LogConfiguration": quiet}]}
    job = definition("AWS::Batch::JobDefinition", EcsProperties={"TaskProperties": [first, second]})
    fragment = expanded(template({"Job": job}))
    arn = {"Fn::GetAtt": ["JobExecutionRole", "Arn"]}
    assert fragment["Resources"]["Job"]["Properties"] == {
        "EcsProperties": {
            "TaskProperties": [{**first, "ExecutionRoleArn": arn}, {**second, "ExecutionRoleArn": arn}],
        }
    }
    assert grants(fragment, "JobExecutionRole") == pull(f"{ECR}/a") | pull(f"{ECR}/b")


def test_batch_sets_the_role_in_the_container_of_each_node_range() -> None:
    quiet = {"LogDriver": "json-file"}
    ranges = [
        {"TargetNodes": "0", "Container": {"Image": f"{HOST}/main", "LogConfiguration": quiet}},
        {"TargetNodes": "1:", "Container": {"Image": f"{HOST}/worker", "LogConfiguration": quiet}},
    ]
    nodes = {"MainNode": 0, "NumNodes": 3, "NodeRangeProperties": ranges}
    fragment = expanded(template({"Job": definition("AWS::Batch::JobDefinition", NodeProperties=nodes)}))
    arn = {"Fn::GetAtt": ["JobExecutionRole", "Arn"]}
    made = fragment["Resources"]["Job"]["Properties"]["NodeProperties"]
    assert [each["Container"]["ExecutionRoleArn"] for each in made["NodeRangeProperties"]] == [arn, arn]
    assert grants(fragment, "JobExecutionRole") == pull(f"{ECR}/main") | pull(f"{ECR}/worker")


def test_batch_sets_the_role_on_the_ecs_tasks_of_a_node_range() -> None:
    tasks = [{"Containers": [{"Name": "a", "Image": f"{HOST}/a"}]}]
    nodes = {"NodeRangeProperties": [{"TargetNodes": "0:", "EcsProperties": {"TaskProperties": tasks}}]}
    fragment = expanded(template({"Job": definition("AWS::Batch::JobDefinition", NodeProperties=nodes)}))
    [made] = fragment["Resources"]["Job"]["Properties"]["NodeProperties"]["NodeRangeProperties"]
    assert made["EcsProperties"]["TaskProperties"] == [
        {**tasks[0], "ExecutionRoleArn": {"Fn::GetAtt": ["JobExecutionRole", "Arn"]}}
    ]
    assert grants(fragment, "JobExecutionRole") == pull(f"{ECR}/a") | write(f"{LOGS}:/aws/batch/job:*")


def test_batch_sets_the_role_in_every_branch_of_a_condition() -> None:
    yes = {"Image": f"{HOST}/yes", "LogConfiguration": {"LogDriver": "json-file"}}
    no = {"Image": f"{HOST}/no", "LogConfiguration": {"LogDriver": "json-file"}}
    job = definition("AWS::Batch::JobDefinition", ContainerProperties={"Fn::If": ["C", yes, no]})
    fragment = expanded(template({"Job": job}, **CONDITIONS))
    arn = {"Fn::GetAtt": ["JobExecutionRole", "Arn"]}
    assert fragment["Resources"]["Job"]["Properties"]["ContainerProperties"] == {
        "Fn::If": ["C", {**yes, "ExecutionRoleArn": arn}, {**no, "ExecutionRoleArn": arn}]
    }
    assert grants(fragment, "JobExecutionRole", conditions={"C": True}) == pull(f"{ECR}/yes")
    assert grants(fragment, "JobExecutionRole", conditions={"C": False}) == pull(f"{ECR}/no")


def test_batch_job_for_eks_has_no_use_for_a_role() -> None:
    job = definition("AWS::Batch::JobDefinition", EksProperties={"PodProperties": {"Containers": [{"Image": "x"}]}})
    assert refusal(template({"Job": job})).startswith("Resources/Job/Properties/ExecutionRoleSpec: ")


def test_definition_without_containers_gets_a_role_with_nothing_but_trust() -> None:
    fragment = expanded(template({"Task": task()}))
    assert "Policies" not in fragment["Resources"]["TaskExecutionRole"]["Properties"]
    assert fragment["Resources"]["Task"]["Properties"] == {"ExecutionRoleArn": ROLE_OF_TASK}


def test_a_condition_on_the_definition_is_the_roles_too() -> None:
    fragment = expanded(template({"Task": {**task(WEB), "Condition": "C"}}, **CONDITIONS))
    assert fragment["Resources"]["TaskExecutionRole"]["Condition"] == "C"
    assert "Fn::If" not in json.dumps(fragment["Resources"]["TaskExecutionRole"]["Properties"])
    assert "Conditions" in fragment
    assert fragment["Conditions"] == CONDITIONS["Conditions"]


def test_role_gets_trust_and_policies_and_keeps_what_it_had() -> None:
    own = {"RoleName": "web", "Path": "/ecs/", "Tags": [{"Key": "a", "Value": "b"}], "ManagedPolicyArns": ["arn:x"]}
    fragment = expanded(template({"Role": role({"Images": ["web"]}, **own)}))
    properties = fragment["Resources"]["Role"]["Properties"]
    assert {name: properties[name] for name in own} == own
    assert set(properties) == {*own, "AssumeRolePolicyDocument", "Policies"}


def test_policies_of_the_role_itself_are_kept() -> None:
    own = {"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}
    properties = expanded(template({"Role": role({"Images": ["web"]}, Policies=[own])}))["Resources"]["Role"][
        "Properties"
    ]
    assert properties["Policies"][0] == own
    assert len({policy["PolicyName"] for policy in properties["Policies"]}) == 2


def test_everything_beside_the_properties_of_a_role_is_kept() -> None:
    more = {"DependsOn": ["Topic"], "DeletionPolicy": "Retain", "Metadata": {"a": 1}}
    resources = {"Topic": {"Type": "AWS::SNS::Topic"}, "Role": {**role({"Images": ["web"]}), **more}}
    made = expanded(template(resources))["Resources"]["Role"]
    assert made["DependsOn"] == ["Topic"]
    assert made["DeletionPolicy"] == "Retain"
    assert made["Metadata"]["a"] == 1
    assert "EcsExecRole" in made["Metadata"]


def test_shared_role_holds_the_union_and_is_given_to_each() -> None:
    resources = {
        "A": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {"ContainerDefinitions": [container(Image=f"{HOST}/a")]},
        },
        "B": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {"ContainerDefinitions": [container(Image=f"{HOST}/b")]},
        },
        "Role": role({"TaskDefinitions": ["A", {"Ref": "B"}]}),
    }
    fragment = expanded(template(resources))
    arn = {"Fn::GetAtt": ["Role", "Arn"]}
    assert fragment["Resources"]["A"]["Properties"]["ExecutionRoleArn"] == arn
    assert fragment["Resources"]["B"]["Properties"]["ExecutionRoleArn"] == arn
    assert list(fragment["Resources"]) == ["A", "B", "Role"]
    assert grants(fragment, "Role") == pull(f"{ECR}/a") | pull(f"{ECR}/b")


def test_shared_role_reaches_a_batch_job_where_batch_wants_it() -> None:
    resources = {
        "Job": {"Type": "AWS::Batch::JobDefinition", "Properties": {"ContainerProperties": {"Image": f"{HOST}/a"}}},
        "Role": role({"TaskDefinitions": ["Job"]}),
    }
    fragment = expanded(template(resources))
    made = fragment["Resources"]["Job"]["Properties"]["ContainerProperties"]
    assert made["ExecutionRoleArn"] == {"Fn::GetAtt": ["Role", "Arn"]}
    assert grants(fragment, "Role") == pull(f"{ECR}/a") | write(f"{LOGS}:/aws/batch/job:*")


def test_shared_role_reaches_a_definition_without_properties() -> None:
    resources = {"A": {"Type": "AWS::ECS::TaskDefinition"}, "Role": role({"TaskDefinitions": ["A"]})}
    made = expanded(template(resources))["Resources"]["A"]
    assert made["Properties"] == {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}


def test_shared_role_follows_the_conditions_of_its_definitions() -> None:
    resources = {
        "A": {
            "Type": "AWS::ECS::TaskDefinition",
            "Condition": "C",
            "Properties": {"ContainerDefinitions": [container(Image=f"{HOST}/a")]},
        },
        "B": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {"ContainerDefinitions": [container(Image=f"{HOST}/b")]},
        },
        "Role": role({"TaskDefinitions": ["A", "B"]}),
    }
    fragment = expanded(template(resources, **CONDITIONS))
    assert grants(fragment, "Role", conditions={"C": True}) == pull(f"{ECR}/a") | pull(f"{ECR}/b")
    assert grants(fragment, "Role", conditions={"C": False}) == pull(f"{ECR}/b")


def test_role_that_is_not_always_there_is_not_always_given() -> None:
    resources = {
        "A": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [WEB]}},
        "Role": {**role({"TaskDefinitions": ["A"]}), "Condition": "C"},
    }
    fragment = expanded(template(resources, **CONDITIONS))
    assert "ExecutionRoleArn" in Stack(fragment, conditions={"C": True}).properties("A")
    assert "ExecutionRoleArn" not in Stack(fragment, conditions={"C": False}).properties("A")


def test_shared_role_named_under_a_condition_is_given_under_that_condition() -> None:
    resources = {
        "A": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [WEB]}},
        "Role": role({"TaskDefinitions": [{"Fn::If": ["C", "A", NO_VALUE]}]}),
    }
    fragment = expanded(template(resources, **CONDITIONS))
    yes, no = Stack(fragment, conditions={"C": True}), Stack(fragment, conditions={"C": False})
    assert role_with_arn(yes, yes.properties("A")["ExecutionRoleArn"]) == "Role"
    assert "ExecutionRoleArn" not in no.properties("A")
    assert grants(fragment, "Role", conditions={"C": True}) == pull(f"{ECR}/web")
    assert grants(fragment, "Role", conditions={"C": False}) == set()


def test_shared_role_adds_its_own_lists_to_what_it_infers() -> None:
    resources = {
        "A": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [WEB]}},
        "Role": role({"TaskDefinitions": ["A"], "Images": ["sidecar"]}),
    }
    assert grants(expanded(template(resources)), "Role") == pull(f"{ECR}/web") | pull(f"{ECR}/sidecar")


def test_shared_role_that_infers_nothing_is_still_given() -> None:
    resources = {
        "A": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [WEB]}},
        "Role": role({"TaskDefinitions": ["A"], "Infer": False, "Images": ["sidecar"]}),
    }
    fragment = expanded(template(resources))
    assert fragment["Resources"]["A"]["Properties"]["ExecutionRoleArn"] == {"Fn::GetAtt": ["Role", "Arn"]}
    assert grants(fragment, "Role") == pull(f"{ECR}/sidecar")


def snippet(parameters: Any, **properties: Any) -> Document:
    """The answer to `Fn::Transform` among a role's properties."""
    answer = call(event(properties, params=parameters))
    assert answer["status"] == "success", answer["errorMessage"]
    made: Document = answer["fragment"]
    return made


def test_snippet_gives_the_rest_of_a_role() -> None:
    made = snippet({"Images": ["web"]}, RoleName="web", Path="/ecs/")
    assert made["RoleName"] == "web"
    assert made["Path"] == "/ecs/"
    fragment = template({"Role": {"Type": "AWS::IAM::Role", "Properties": made}})
    assert grants(fragment, "Role") == pull(f"{ECR}/web")


def test_snippet_grants_what_a_whole_template_would() -> None:
    spec = {
        "Images": ["web", {"Repository": "hub/x", "PullThroughCache": True}],
        "LogGroups": [{"LogGroup": "/ecs/web", "Create": True}],
        "Secrets": ["prod/db", {"Secret": "prod/key", "KmsKey": "alias/prod"}],
        "Parameters": ["/prod/x"],
        "EnvironmentFiles": ["arn:aws:s3:::config/web.env"],
        "GuardDuty": True,
    }
    whole = expanded(template({"Role": role(spec)}))["Resources"]["Role"]["Properties"]
    assert snippet(spec) == whole


def test_snippet_keeps_references_that_it_cannot_see() -> None:
    made = snippet({"Secrets": [{"Ref": "Secret"}], "Images": [{"Fn::GetAtt": ["Repo", "Arn"]}]})
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": made},
        "Secret": {"Type": "AWS::SecretsManager::Secret"},
        "Repo": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "web"}},
    }
    fragment = template(resources)
    secret = Stack(fragment).physical("Secret").ref
    assert grants(fragment, "Role") == read(secret) | pull(f"{ECR}/web")


def test_snippet_knows_no_task_definitions() -> None:
    assert "TaskDefinitions" in refusal({}, params={"TaskDefinitions": ["A"]})


def test_snippet_takes_stack_parameters_as_they_are() -> None:
    made = snippet({"Images": [{"Ref": "Name"}]})
    fragment = template(
        {"Role": {"Type": "AWS::IAM::Role", "Properties": made}}, Parameters={"Name": {"Type": "String"}}
    )
    assert grants(fragment, "Role", parameters={"Name": "web"}) == pull(f"{ECR}/web")


def test_snippet_without_parameters_is_a_role_that_can_be_assumed_and_no_more() -> None:
    made = snippet({}, RoleName="web")
    assert set(made) == {"RoleName", "AssumeRolePolicyDocument"}


def test_mistakes_in_a_snippet_are_all_told() -> None:
    lines = refused({}, params={"Image": ["web"], "Secrets": "x"})
    assert len(lines) == 2
    assert all(line.startswith("Fn::Transform/Parameters/") for line in lines)


MISPLACED = {
    "Resources/Topic/Properties/ExecutionRoleSpec": template(
        {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"ExecutionRoleSpec": "Auto"}}}
    ),
    "Resources/Task/ExecutionRoleSpec": template(
        {"Task": {"Type": "AWS::ECS::TaskDefinition", "ExecutionRoleSpec": "Auto"}}
    ),
    "Resources/Task/Metadata/ExecutionRoleSpec": template({"Task": {**task(), "Metadata": {"ExecutionRoleSpec": 1}}}),
    "Resources/Task/Properties/ContainerDefinitions/0/ExecutionRoleSpec": template(
        {"Task": task(container(ExecutionRoleSpec="Auto"))}
    ),
    "Resources/Service/Properties/ExecutionRoleSpec": template(
        {"Service": {"Type": "AWS::ECS::Service", "Properties": {"ExecutionRoleSpec": {}}}}
    ),
    "Globals/Function/ExecutionRoleSpec": template({}, Globals={"Function": {"ExecutionRoleSpec": "Auto"}}),
    "ExecutionRoleSpec": template({}, ExecutionRoleSpec="Auto"),
}


@pytest.mark.parametrize("path", MISPLACED)
def test_spec_means_nothing_anywhere_else(path: str) -> None:
    assert refusal(MISPLACED[path]).startswith(f"{path}: ")


@pytest.mark.parametrize("section", ["Parameters", "Conditions", "Outputs", "Mappings", "Resources"])
def test_a_name_is_not_a_property(section: str) -> None:
    content: dict[str, Any] = {
        "Parameters": {"Type": "String"},
        "Conditions": {"Fn::Equals": ["a", "b"]},
        "Outputs": {"Value": "x"},
        "Mappings": {"a": {"b": "c"}},
        "Resources": {"Type": "AWS::SNS::Topic"},
    }
    fragment = {**template({"Topic": {"Type": "AWS::SNS::Topic"}}), section: {"ExecutionRoleSpec": content[section]}}
    values = {"ExecutionRoleSpec": "x"} if section == "Parameters" else {}
    assert expanded(fragment, templateParameterValues=values) == fragment


def test_spec_in_a_stack_parameter_is_read() -> None:
    parameters = {"ExecutionRoleSpec": {"Type": "String", "AllowedValues": ["Auto", "Starter"]}}
    fragment = expanded(
        one(WEB, spec={"Ref": "ExecutionRoleSpec"}, Parameters=parameters),
        templateParameterValues={"ExecutionRoleSpec": "Starter"},
    )
    assert "Policies" not in fragment["Resources"]["TaskExecutionRole"]["Properties"]


def test_the_property_is_gone_from_what_is_returned() -> None:
    resources = {
        "A": task(WEB),
        "B": definition("AWS::Batch::JobDefinition", ContainerProperties={"Image": "x"}),
        "C": role({"Images": ["web"]}),
        "D": definition("AWS::ECS::ExpressGatewayService", PrimaryContainer={"Image": "x"}),
        "E": definition("AWS::ECS::DaemonTaskDefinition"),
    }
    # A path in the Metadata ends in a list's index, or in a property's own name, never in this key and a colon.
    assert '"ExecutionRoleSpec":' not in json.dumps(expanded(template(resources)))


DEFINITION = "AWS::ECS::TaskDefinition"


@pytest.mark.parametrize("spec", ["Auto", {"Images": ["x"]}, "Starter"])
def test_spec_beside_an_execution_role(spec: Any) -> None:
    fragment = template({"Task": task(spec=spec, ExecutionRoleArn="arn:aws:iam::123456789012:role/x")})
    assert refusal(fragment).startswith(f"{SPEC}: ")


def test_execution_role_that_is_not_there_is_not_a_mistake() -> None:
    assert "TaskExecutionRole" in expanded(template({"Task": task(ExecutionRoleArn=NO_VALUE)}))["Resources"]


def test_execution_role_under_a_condition_is_a_mistake_too() -> None:
    value = {"Fn::If": ["C", "arn:aws:iam::123456789012:role/x", NO_VALUE]}
    assert refusal(template({"Task": task(ExecutionRoleArn=value)}, **CONDITIONS)).startswith(f"{SPEC}: ")


@pytest.mark.parametrize(
    "properties",
    [
        {"ContainerProperties": {"Image": "x", "ExecutionRoleArn": "arn"}},
        {"EcsProperties": {"TaskProperties": [{"Containers": [], "ExecutionRoleArn": "arn"}]}},
        {"NodeProperties": {"NodeRangeProperties": [{"Container": {"Image": "x", "ExecutionRoleArn": "arn"}}]}},
    ],
)
def test_spec_beside_an_execution_role_of_batch(properties: Document) -> None:
    job = {"Type": "AWS::Batch::JobDefinition", "Properties": {"ExecutionRoleSpec": "Auto", **properties}}
    assert refusal(template({"Job": job})).startswith("Resources/Job/Properties/ExecutionRoleSpec: ")


def test_shared_role_beside_an_execution_role() -> None:
    resources = {
        "A": {"Type": DEFINITION, "Properties": {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/x"}},
        "Role": role({"TaskDefinitions": ["A"]}),
    }
    assert refusal(template(resources)).startswith("Resources/Role/Properties/ExecutionRoleSpec/TaskDefinitions/0: ")


def test_shared_role_of_a_definition_with_a_spec_of_its_own() -> None:
    resources = {"A": task(), "Role": role({"TaskDefinitions": ["A"]})}
    assert refusal(template(resources)).startswith("Resources/Role/Properties/ExecutionRoleSpec/TaskDefinitions/0: ")


def test_definition_that_two_roles_share() -> None:
    resources = {
        "A": {"Type": DEFINITION},
        "First": role({"TaskDefinitions": ["A"]}),
        "Second": role({"TaskDefinitions": ["A"]}),
    }
    assert refusal(template(resources)).startswith("Resources/Second/Properties/ExecutionRoleSpec/TaskDefinitions/0: ")


@pytest.mark.parametrize(
    "entry", ["Nothing", "Topic", "P", {"Ref": "Nothing"}, {"Ref": "AWS::StackName"}, {"Fn::Sub": "A"}]
)
def test_task_definitions_names_no_such_resource(entry: Any) -> None:
    resources = {
        "A": {"Type": DEFINITION},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Role": role({"TaskDefinitions": [entry]}),
    }
    line = refusal(template(resources, Parameters={"P": {"Type": "String", "Default": "A"}}))
    assert line.startswith("Resources/Role/Properties/ExecutionRoleSpec/TaskDefinitions/0: ")


def test_task_definitions_is_for_roles() -> None:
    assert refusal(one(spec={"TaskDefinitions": ["Task"]})).startswith(f"{SPEC}/TaskDefinitions: ")
