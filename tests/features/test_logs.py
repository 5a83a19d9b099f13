"""What writing logs is granted, from a definition and from `LogGroups`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.cloudformation import (
    ACCOUNT,
    REGION,
    Document,
)
from tests.support.contract import (
    CONDITIONS,
    IMPORT,
    LOGS,
    NO_VALUE,
    PARAMETERS,
    SECRETS,
    WRITE,
    Grants,
    attribute,
    call,
    container,
    definition,
    event,
    expanded,
    fetch,
    granted,
    grants,
    inferred,
    job,
    logs,
    one,
    read,
    refusal,
    refusal_of,
    statements,
    template,
    write,
)


def test_awslogs_writes_to_its_group() -> None:
    assert inferred(container(LogConfiguration=logs(group="/ecs/web"))) == write(f"{LOGS}:/ecs/web:*")


@pytest.mark.parametrize("value", [{"Ref": "Logs"}, {"Fn::Sub": "${Logs}"}])
@pytest.mark.parametrize("region", [None, REGION, {"Ref": "AWS::Region"}])
def test_log_group_of_the_template_becomes_its_own_arn(value: Any, region: Any) -> None:
    more = {"Logs": {"Type": "AWS::Logs::LogGroup"}}
    options = {"group": value} | ({"region": region} if region else {})
    fragment = expanded(one(container(LogConfiguration=logs(**options)), more=more))
    assert grants(fragment) == write(attribute(more, "Logs", "Arn"))
    policies = json.dumps(fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"])
    assert '{"Fn::GetAtt": ["Logs", "Arn"]}' in policies


def test_region_of_the_driver_is_the_groups() -> None:
    there = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/ecs/web:*"
    assert inferred(container(LogConfiguration=logs(group="/ecs/web", region="eu-west-1"))) == write(there)


@pytest.mark.parametrize("flag", ["true", "True", "TRUE", "1", "t", "T", True])
def test_driver_that_creates_its_group_may(flag: Any) -> None:
    found = inferred(container(LogConfiguration=logs(group="/ecs/web", **{"create-group": flag})))
    assert found == write(f"{LOGS}:/ecs/web:*") | {
        ("logs:CreateLogGroup", f"{LOGS}:/ecs/web{end}") for end in ("", ":*")
    }


@pytest.mark.parametrize("flag", ["false", "False", "0", "f", False])
def test_driver_that_does_not_create_its_group_may_not(flag: Any) -> None:
    assert inferred(container(LogConfiguration=logs(group="/g", **{"create-group": flag}))) == write(f"{LOGS}:/g:*")


@pytest.mark.parametrize("driver", ["json-file", "awsfirelens", "splunk", "fluentd"])
def test_other_drivers_need_nothing(driver: str) -> None:
    assert inferred(container(LogConfiguration=logs(driver, group="/ecs/web"))) == set()


@pytest.mark.parametrize("driver", ["awslogs", "splunk", "awsfirelens", "gelf"])
def test_secret_options_of_every_driver_are_read(driver: str) -> None:
    options = [{"Name": "token", "ValueFrom": f"{SECRETS}:token-a1B2c3"}, {"Name": "url", "ValueFrom": "/url"}]
    found = inferred(container(LogConfiguration=logs(driver, options)))
    assert found == read(f"{SECRETS}:token-a1B2c3") | fetch(f"{PARAMETERS}/url")


def ecs_service(**properties: Any) -> Document:
    return {"Type": "AWS::ECS::Service", "Properties": properties}


def test_service_connect_logs_of_a_service_that_runs_it() -> None:
    configuration = {
        "Enabled": True,
        "LogConfiguration": logs(secret_options=[{"Name": "A", "ValueFrom": "/x"}], group="/connect"),
    }
    more = {
        "Service": ecs_service(TaskDefinition={"Ref": "Task"}, ServiceConnectConfiguration=configuration),
        "Other": ecs_service(
            TaskDefinition={"Ref": "Elsewhere"}, ServiceConnectConfiguration={"LogConfiguration": logs(group="/other")}
        ),
        "Elsewhere": {"Type": "AWS::ECS::TaskDefinition"},
    }
    assert inferred(container(), more=more) == write(f"{LOGS}:/connect:*") | fetch(f"{PARAMETERS}/x")


def test_service_connect_logs_follow_the_services_condition() -> None:
    configuration = {"LogConfiguration": logs(group="/connect")}
    running = ecs_service(TaskDefinition={"Ref": "Task"}, ServiceConnectConfiguration=configuration)
    fragment = expanded(one(container(), more={"Service": {**running, "Condition": "C"}}, **CONDITIONS))
    assert grants(fragment, conditions={"C": True}) == write(f"{LOGS}:/connect:*")
    assert grants(fragment, conditions={"C": False}) == set()


def express(**container_properties: Any) -> Document:
    properties = {
        "ExecutionRoleSpec": "Auto",
        "ServiceName": "web",
        "PrimaryContainer": {"Image": "nginx", **container_properties},
    }
    return template({"Task": {"Type": "AWS::ECS::ExpressGatewayService", "Properties": properties}}, **CONDITIONS)


def test_express_without_logs_writes_to_the_group_that_ecs_makes() -> None:
    found = grants(expanded(express()))
    assert {action for action, _ in found} == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert all(resource.startswith(f"{LOGS}:/aws/ecs/default/web-") for _, resource in found)


def test_express_with_logs_under_a_condition_writes_to_one_or_the_other() -> None:
    own = {"LogGroup": "/web", "LogStreamPrefix": "x"}
    fragment = expanded(express(AwsLogsConfiguration={"Fn::If": ["C", own, NO_VALUE]}))
    assert grants(fragment, conditions={"C": True}) == write(f"{LOGS}:/web:*")
    assert grants(fragment, conditions={"C": False}) == grants(expanded(express()))


def test_driver_that_is_known_at_deployment_is_not_skipped() -> None:
    answer = call(event(one(container(LogConfiguration={"LogDriver": IMPORT, "Options": {"awslogs-group": "/g"}}))))
    assert answer["status"] == "failure" or "/g" in json.dumps(answer["fragment"]["Resources"]["TaskExecutionRole"])


BATCH_GROUP = write(f"{LOGS}:/aws/batch/job:*")


@pytest.mark.parametrize(
    "configuration",
    [None, NO_VALUE, {"LogDriver": "awslogs"}, {"LogDriver": "awslogs", "Options": {"awslogs-stream-prefix": "x"}}],
)
def test_batch_writes_to_its_own_group_by_default(configuration: Any) -> None:
    properties = {"Image": "nginx"} | ({"LogConfiguration": configuration} if configuration else {})
    assert job(ContainerProperties=properties) == BATCH_GROUP
    assert job(EcsProperties={"TaskProperties": [{"Containers": [properties]}]}) == BATCH_GROUP
    assert job(NodeProperties={"NodeRangeProperties": [{"Container": properties}]}) == BATCH_GROUP


def test_batch_with_a_group_of_the_author_does_not_write_to_its_own() -> None:
    properties = {"Image": "nginx", "LogConfiguration": logs(group="/jobs")}
    assert job(ContainerProperties=properties) == write(f"{LOGS}:/jobs:*")
    assert job(ContainerProperties={"Image": "nginx", "LogConfiguration": logs("splunk")}) == set()


LOG_LEVELS: dict[str, Any] = {
    "driver": {"LogDriver": {"Fn::If": ["C", "awslogs", "json-file"]}, "Options": {"awslogs-group": "/g"}},
    "options": {"LogDriver": "awslogs", "Options": {"Fn::If": ["C", {"awslogs-group": "/g"}, NO_VALUE]}},
    "group": {"LogDriver": "awslogs", "Options": {"awslogs-group": {"Fn::If": ["C", "/g", NO_VALUE]}}},
}


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_condition_of_logs_is_followed_at_every_level(level: str) -> None:
    fragment = expanded(one(container(LogConfiguration=LOG_LEVELS[level]), **CONDITIONS))
    assert grants(fragment, conditions={"C": True}) == write(f"{LOGS}:/g:*")
    assert grants(fragment, conditions={"C": False}) == set()


@pytest.mark.parametrize(("level", "default"), [("driver", False), ("options", True), ("group", True)])
def test_batch_writes_to_its_own_group_where_a_condition_leaves_none(level: str, default: bool) -> None:
    properties = {"ContainerProperties": {"Image": "nginx", "LogConfiguration": LOG_LEVELS[level]}}
    fragment = expanded(template({"Job": definition("AWS::Batch::JobDefinition", **properties)}, **CONDITIONS))
    assert grants(fragment, "JobExecutionRole", conditions={"C": True}) == write(f"{LOGS}:/g:*")
    assert grants(fragment, "JobExecutionRole", conditions={"C": False}) == (BATCH_GROUP if default else set())


@pytest.mark.parametrize("other", [NO_VALUE, {"Ref": "AWS::Region"}])
def test_region_of_the_driver_follows_its_condition(other: Any) -> None:
    region = {"Fn::If": ["C", "eu-west-1", other]}
    fragment = expanded(one(container(LogConfiguration=logs(group="/g", region=region)), **CONDITIONS))
    there = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/g:*"
    assert grants(fragment, conditions={"C": True}) == write(there)
    assert grants(fragment, conditions={"C": False}) == write(f"{LOGS}:/g:*")


LOG_GROUP = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/ecs/group"}}


GROUPS: dict[str, Any] = {
    "name": "/ecs/group",
    "ARN": f"{LOGS}:/ecs/group",
    "ARN as Logs gives it": {
        "Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/ecs/group"
    },
    "Ref": {"Ref": "Logs"},
    "GetAtt": {"Fn::GetAtt": ["Logs", "Arn"]},
    "dotted GetAtt": {"Fn::GetAtt": "Logs.Arn"},
    "mapping form": {"LogGroup": "/ecs/group"},
    "mapping form without creation": {"LogGroup": "/ecs/group", "Create": False},
    "mapping form of a Ref": {"LogGroup": {"Ref": "Logs"}},
    "mapping form with this region": {"LogGroup": "/ecs/group", "Region": {"Ref": "AWS::Region"}},
    "Sub": {"Fn::Sub": "/ecs/${Name}"},
}


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_log_groups_may_be_named_in_every_form(group: Any) -> None:
    parameters = {"Name": {"Type": "String", "Default": "group"}}
    found = granted({"LogGroups": [group]}, more={"Logs": LOG_GROUP}, Parameters=parameters)
    assert found == write(f"{LOGS}:/ecs/group:*")


def test_log_group_of_another_region() -> None:
    there = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/ecs/group:*"
    assert granted({"LogGroups": [{"LogGroup": "/ecs/group", "Region": "eu-west-1"}]}) == write(there)


@pytest.mark.parametrize("flag", [True, "true"])
@pytest.mark.parametrize("group", ["/ecs/group", {"Ref": "Logs"}, {"Fn::GetAtt": ["Logs", "Arn"]}])
def test_log_group_may_be_created_where_the_spec_says_so(group: Any, flag: Any) -> None:
    found = granted({"LogGroups": [{"LogGroup": group, "Create": flag}]}, more={"Logs": LOG_GROUP})
    assert found == write(f"{LOGS}:/ecs/group:*") | {
        ("logs:CreateLogGroup", f"{LOGS}:/ecs/group{end}") for end in ("", ":*")
    }


@pytest.mark.parametrize(
    "group", ["/ecs/group", {"Ref": "Logs"}, {"Fn::GetAtt": ["Logs", "Arn"]}, f"{LOGS}:/ecs/group"]
)
@pytest.mark.parametrize("prefix", ["web", "web/"])
def test_stream_prefix_leaves_only_the_streams_under_it(group: Any, prefix: str) -> None:
    found = granted({"LogGroups": [{"LogGroup": group, "StreamPrefix": prefix}]}, more={"Logs": LOG_GROUP})
    assert found == {(action, f"{LOGS}:/ecs/group:log-stream:web/*") for action in WRITE}


@pytest.mark.parametrize("group", [{"Fn::GetAtt": ["Logs", "Arn"]}, f"{LOGS}:/ecs/x"])
def test_a_log_group_by_its_arn_is_refused(group: Any) -> None:
    options = {"awslogs-group": group, "awslogs-region": REGION, "awslogs-stream-prefix": "x"}
    more = {"Logs": {"Type": "AWS::Logs::LogGroup"}}
    web = container(LogConfiguration={"LogDriver": "awslogs", "Options": options})
    assert "the driver takes its name" in refusal_of(web, more=more)


@pytest.mark.parametrize("cluster", [IMPORT, {"Fn::GetAtt": ["Cluster", "Arn"]}, {"Ref": "Cluster"}])
def test_an_express_service_may_name_its_cluster_by_name_or_arn(cluster: Any) -> None:
    properties = {
        "ExecutionRoleSpec": "Auto",
        "InfrastructureRoleArn": f"arn:aws:iam::{ACCOUNT}:role/infra",
        "ServiceName": "web",
        "Cluster": cluster,
        "PrimaryContainer": {"Image": "public.ecr.aws/nginx/nginx:1"},
    }
    resources = {
        "Task": {"Type": "AWS::ECS::ExpressGatewayService", "Properties": properties},
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "main"}},
    }
    fragment = expanded({"Resources": resources})
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/main"
    for given in ("main", arn):
        granted = statements(fragment, imports={"shared": given}).values()
        listed_resources = [statement["Resource"] for statement in granted]
        names = [resource.split(":log-group:")[1].split("/") for listed in listed_resources for resource in listed]
        # /aws/ecs/CLUSTER/SERVICE-SUFFIX, with the cluster's name and not its ARN.
        assert all(len(name) == 5 and "arn" not in name[3] and name[4].startswith("web-") for name in names)


def test_a_new_group_is_granted_in_both_forms() -> None:
    found = granted(
        {"LogGroups": [{"LogGroup": {"Ref": "Logs"}, "Create": True}]},
        more={"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/x"}}},
    )
    assert found == write(f"{LOGS}:/x:*") | {("logs:CreateLogGroup", f"{LOGS}:/x{end}") for end in ("", ":*")}


@pytest.mark.parametrize("given", ["/ecs/web", f"{LOGS}:/ecs/web", f"{LOGS}:/ecs/web:*"])
@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_an_entry_that_is_known_at_deployment_is_a_name_or_an_arn(given: str, region: str | None) -> None:
    entry = {"LogGroup": IMPORT, **({"Region": region} if region else {})}
    group = f"arn:aws:logs:{region or REGION}:{ACCOUNT}:log-group:/ecs/web:*"
    assert granted({"LogGroups": [entry]}, stack={"imports": {"shared": given}}) == write(group)


def test_the_arn_of_a_group_is_not_a_part_of_a_name() -> None:
    options = logs(group={"Fn::Sub": "/ecs/${Logs.Arn}"})
    line = refusal_of(container(LogConfiguration=options), more={"Logs": {"Type": "AWS::Logs::LogGroup"}})
    assert "has `${Logs.Arn}`, which is an ARN, instead of a name" in line


def test_driver_that_is_known_at_deployment_needs_a_group_to_be_this_one() -> None:
    parameters = {"Driver": {"Type": "String"}}

    def of(options: Document) -> Grants:
        configuration = {"LogDriver": {"Ref": "Driver"}, "Options": options}
        return inferred(
            container(LogConfiguration=configuration), Parameters=parameters, parameters={"Driver": "awslogs"}
        )

    assert of({"awslogs-group": "/ecs/web"}) == write(f"{LOGS}:/ecs/web:*")
    assert of({"tag": "web"}) == set()


@pytest.mark.parametrize("value", [f"{LOGS}:/ecs/web", {"Fn::GetAtt": ["Logs", "Arn"]}])
def test_the_group_of_an_express_service_is_named_too(value: Any) -> None:
    properties = {"PrimaryContainer": {"Image": "nginx", "AwsLogsConfiguration": {"LogGroup": value}}}
    resources = {
        "Web": definition("AWS::ECS::ExpressGatewayService", **properties),
        "Logs": {"Type": "AWS::Logs::LogGroup"},
    }
    assert "the driver takes its name" in refusal(template(resources))
