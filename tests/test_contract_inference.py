"""What is inferred from a definition, and how values are read on the way."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.support.cloudformation import ACCOUNT, REGION, Document, Stack
from tests.support.contract import (
    CONDITIONS,
    ECR,
    HOST,
    KEYS,
    LOGS,
    NO_VALUE,
    PARAMETERS,
    SECRETS,
    Grants,
    call,
    container,
    event,
    expanded,
    fetch,
    granted,
    grants,
    inferred,
    one,
    pull,
    read,
    refusal,
    refused,
    statements,
    task,
    template,
    write,
)

REPO = {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "team/repo"}}
SECRET_RESOURCE = {"Type": "AWS::SecretsManager::Secret"}
IMPORT = {"Fn::ImportValue": "shared"}


def image(value: Any, **others: Any) -> Grants:
    return inferred(container(Image=value), **others)


def value_from(value: Any, **others: Any) -> Grants:
    return inferred(container(Secrets=[{"Name": "A", "ValueFrom": value}]), **others)


def logs(driver: str = "awslogs", secret_options: Any = None, **options: Any) -> Document:
    made: Document = {"LogDriver": driver, "Options": {f"awslogs-{key}": value for key, value in options.items()}}
    return made | ({"SecretOptions": secret_options} if secret_options else {})


def physical(more: Document, logical_id: str) -> str:
    return Stack(template(more)).physical(logical_id).ref


def attribute(more: Document, logical_id: str, name: str) -> str:
    return Stack(template(more)).attribute(logical_id, name)


# -- images --


PRIVATE: dict[str, tuple[str, str]] = {
    "this registry": (f"{HOST}/web", f"{ECR}/web"),
    "a tag": (f"{HOST}/web:1.2", f"{ECR}/web"),
    "a digest": (f"{HOST}/web@sha256:0123", f"{ECR}/web"),
    "a tag and a digest": (f"{HOST}/web:1.2@sha256:0123", f"{ECR}/web"),
    "slashes": (f"{HOST}/a/b/c:1", f"{ECR}/a/b/c"),
    "another account and region": (
        "000014521398.dkr.ecr.me-central-1.amazonaws.com/web:1",
        "arn:aws:ecr:me-central-1:000014521398:repository/web",
    ),
    "dual stack": (f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/web", f"{ECR}/web"),
    "FIPS": (f"{ACCOUNT}.dkr.ecr-fips.{REGION}.amazonaws.com/web", f"{ECR}/web"),
    "dual stack and FIPS": (f"{ACCOUNT}.dkr-ecr-fips.{REGION}.on.aws/web", f"{ECR}/web"),
    "capitals in the host": (f"{ACCOUNT}.DKR.ECR.{REGION.upper()}.AmazonAWS.com/web", f"{ECR}/web"),
}


@pytest.mark.parametrize("name", PRIVATE)
def test_private_image_is_pulled_from_the_repository_that_its_host_names(name: str) -> None:
    uri, repository = PRIVATE[name]
    assert image(uri) == pull(repository)


PUBLIC = [
    "nginx",
    "nginx:latest",
    "library/nginx@sha256:0123",
    "public.ecr.aws/nginx/nginx:1",
    "docker.io/library/nginx",
    "ghcr.io/owner/image:1",
    "localhost:5000/image",
    "registry.example.com:5000/a/b:1",
    "example.com/123456789012.dkr.ecr.us-east-1.amazonaws.com/web",
    "amazon/amazon-ecs-sample",
]


@pytest.mark.parametrize("uri", PUBLIC)
def test_image_that_is_not_in_private_ecr_needs_nothing(uri: str) -> None:
    assert image(uri) == set()
    properties = expanded(one(container(Image=uri)))["Resources"]["TaskExecutionRole"]["Properties"]
    assert "Policies" not in properties


SYMBOLIC_IMAGES: dict[str, Any] = {
    "Sub of pseudo parameters": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/team/repo:1"},
    "Sub of the repository": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/${Repo}:1"},
    "Sub with a tag parameter": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/team/repo:${Tag}"},
    "Sub of the URI": {"Fn::Sub": "${Repo.RepositoryUri}:latest"},
    "Sub of the URI with a tag parameter": {"Fn::Sub": "${Repo.RepositoryUri}:${Tag}"},
    "Sub of the URI with a digest": {"Fn::Sub": "${Repo.RepositoryUri}@sha256:0123"},
    "Sub with a map": {"Fn::Sub": ["${Uri}:${Tag}", {"Uri": {"Fn::GetAtt": ["Repo", "RepositoryUri"]}}]},
    "GetAtt": {"Fn::GetAtt": ["Repo", "RepositoryUri"]},
    "dotted GetAtt": {"Fn::GetAtt": "Repo.RepositoryUri"},
    "Join": {"Fn::Join": [":", [{"Fn::GetAtt": ["Repo", "RepositoryUri"]}, {"Ref": "Tag"}]]},
    "Join of everything": {
        "Fn::Join": [
            "",
            [
                {"Ref": "AWS::AccountId"},
                ".dkr.ecr.",
                {"Ref": "AWS::Region"},
                ".",
                {"Ref": "AWS::URLSuffix"},
                "/",
                {"Ref": "Repo"},
            ],
        ]
    },
    "parameter": {"Ref": "Uri"},
    "parameter for the name": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.us-east-1.amazonaws.com/${Name}:1"},
    "mapping": {"Fn::FindInMap": ["Images", {"Ref": "AWS::Region"}, "Uri"]},
    "mapping's default": {"Fn::FindInMap": ["Images", "eu-west-1", "Uri", {"DefaultValue": f"{HOST}/team/repo:2"}]},
    "Select": {"Fn::Select": [0, [f"{HOST}/team/repo", f"{HOST}/other"]]},
    "Select of a list parameter": {"Fn::Select": [1, {"Ref": "Uris"}]},
    "Select of Split": {"Fn::Select": ["1", {"Fn::Split": ["|", f"{HOST}/other|{HOST}/team/repo:1"]}]},
    "Select of Split of pseudo parameters": {
        "Fn::Sub": [
            "${Account}.dkr.ecr.us-east-1.amazonaws.com/team/repo",
            {"Account": {"Fn::Select": [4, {"Fn::Split": [":", {"Fn::Sub": "a:b:c:d:${AWS::AccountId}"}]}]}},
        ]
    },
    "If": {"Fn::If": ["C", f"{HOST}/team/repo:1", f"{HOST}/team/repo:2"]},
    "If inside of a Join": {"Fn::Join": ["", [f"{HOST}/team/", {"Fn::If": ["C", "repo:1", "repo:2"]}]]},
    "NoValue inside of a Join": {
        "Fn::Join": ["/", [HOST, NO_VALUE, "team", {"Fn::If": ["C", NO_VALUE, NO_VALUE]}, "repo"]]
    },
}
SYMBOLIC_SECTIONS: Document = {
    "Parameters": {
        "Tag": {"Type": "String", "Default": "1"},
        "Uri": {"Type": "String", "Default": f"{HOST}/team/repo:3"},
        "Name": {"Type": "String", "Default": "team/repo"},
        "Uris": {"Type": "CommaDelimitedList", "Default": f"nginx, {HOST}/team/repo"},
    },
    "Mappings": {"Images": {REGION: {"Uri": f"{HOST}/team/repo:1"}}},
    **CONDITIONS,
}


@pytest.mark.parametrize("name", SYMBOLIC_IMAGES)
def test_image_is_read_through_every_function(name: str) -> None:
    assert image(SYMBOLIC_IMAGES[name], more={"Repo": REPO}, **SYMBOLIC_SECTIONS) == pull(f"{ECR}/team/repo")


def test_repository_of_the_template_becomes_its_own_arn() -> None:
    fragment = expanded(one(container(Image={"Fn::Sub": "${Repo.RepositoryUri}:1"}), more={"Repo": REPO}))
    policy = json.dumps(fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"])
    assert '"Resource": {"Fn::GetAtt": ["Repo", "Arn"]}' in policy


def test_parameters_value_wins_over_its_default() -> None:
    sections = {"Parameters": {"Uri": {"Type": "String", "Default": "nginx"}}}
    assert image({"Ref": "Uri"}, **sections) == set()
    assert image({"Ref": "Uri"}, parameters={"Uri": f"{HOST}/web"}, **sections) == pull(f"{ECR}/web")


def test_image_in_china() -> None:
    uri = f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/web:1"
    here = f"arn:aws-cn:ecr:cn-north-1:{ACCOUNT}:repository/web"
    assert image(uri, stack={"region": "cn-north-1"}) == pull(here)
    symbolic = {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/web"}
    assert image(symbolic, stack={"region": "cn-north-1"}) == pull(here)
    dual = f"{ACCOUNT}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/web"
    assert image(dual, stack={"region": "cn-north-1"}) == pull(here)


def test_image_in_govcloud() -> None:
    uri = f"{ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com/web:1"
    here = f"arn:aws-us-gov:ecr:us-gov-west-1:{ACCOUNT}:repository/web"
    assert image(uri, stack={"region": "us-gov-west-1"}) == pull(here)


def test_pull_through_cache_rule_of_the_template_is_used() -> None:
    rule = {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": {"EcrRepositoryPrefix": "hub"}}
    here = f"{ECR}/hub/library/nginx"
    required = pull(here) | {("ecr:BatchImportUpstreamImage", here), ("ecr:CreateRepository", here)}
    assert image(f"{HOST}/hub/library/nginx:1", more={"Rule": rule}) == required
    assert image({"Fn::Sub": f"{HOST}/${{Rule}}/library/nginx:1"}, more={"Rule": rule}) == required
    assert image(f"{HOST}/hubble/nginx:1", more={"Rule": rule}) == pull(f"{ECR}/hubble/nginx")


def test_pull_through_cache_rule_in_another_account_is_not_ours() -> None:
    rule = {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": {"EcrRepositoryPrefix": "hub"}}
    uri = "210987654321.dkr.ecr.us-east-1.amazonaws.com/hub/nginx"
    assert image(uri, more={"Rule": rule}) == pull("arn:aws:ecr:us-east-1:210987654321:repository/hub/nginx")


def test_pull_through_cache_rule_with_a_condition() -> None:
    rule = {
        "Type": "AWS::ECR::PullThroughCacheRule",
        "Condition": "C",
        "Properties": {"EcrRepositoryPrefix": "hub"},
    }
    fragment = expanded(one(container(Image=f"{HOST}/hub/nginx"), more={"Rule": rule}, **CONDITIONS))
    assert len(grants(fragment, conditions={"C": True})) == 6
    assert grants(fragment, conditions={"C": False}) == pull(f"{ECR}/hub/nginx")


# -- logs --


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


def service(**properties: Any) -> Document:
    return {"Type": "AWS::ECS::Service", "Properties": properties}


def test_service_connect_logs_of_a_service_that_runs_it() -> None:
    configuration = {
        "Enabled": True,
        "LogConfiguration": logs(secret_options=[{"Name": "A", "ValueFrom": "/x"}], group="/connect"),
    }
    more = {
        "Service": service(TaskDefinition={"Ref": "Task"}, ServiceConnectConfiguration=configuration),
        "Other": service(
            TaskDefinition={"Ref": "Elsewhere"}, ServiceConnectConfiguration={"LogConfiguration": logs(group="/other")}
        ),
        "Elsewhere": {"Type": "AWS::ECS::TaskDefinition"},
    }
    assert inferred(container(), more=more) == write(f"{LOGS}:/connect:*") | fetch(f"{PARAMETERS}/x")


def test_service_connect_logs_follow_the_services_condition() -> None:
    configuration = {"LogConfiguration": logs(group="/connect")}
    running = service(TaskDefinition={"Ref": "Task"}, ServiceConnectConfiguration=configuration)
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


def test_driver_that_only_the_deployment_knows_is_not_passed_over() -> None:
    answer = call(event(one(container(LogConfiguration={"LogDriver": IMPORT, "Options": {"awslogs-group": "/g"}}))))
    assert answer["status"] == "failure" or "/g" in json.dumps(answer["fragment"]["Resources"]["TaskExecutionRole"])


# -- Batch's own group --


def job(**properties: Any) -> Grants:
    spec = {"Type": "AWS::Batch::JobDefinition", "Properties": {"ExecutionRoleSpec": "Auto", **properties}}
    return grants(expanded(template({"Job": spec})), "JobExecutionRole")


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


def test_batch_reads_what_ecs_reads() -> None:
    properties = {
        "Image": f"{HOST}/job",
        "Secrets": [{"Name": "A", "ValueFrom": "/x"}],
        "RepositoryCredentials": {"CredentialsParameter": f"{SECRETS}:login-a1B2c3"},
        "LogConfiguration": logs("splunk", [{"Name": "t", "ValueFrom": f"{SECRETS}:token-a1B2c3"}]),
    }
    required = (
        pull(f"{ECR}/job") | fetch(f"{PARAMETERS}/x") | read(f"{SECRETS}:login-a1B2c3", f"{SECRETS}:token-a1B2c3")
    )
    assert job(ContainerProperties=properties) == required
    assert job(EcsProperties={"TaskProperties": [{"Containers": [properties]}]}) == required
    assert job(NodeProperties={"NodeRangeProperties": [{"Container": properties}]}) == required


# -- secrets --


WHOLE = [
    "db-a1B2c3",
    "prod/db-AbCdEf",
    "rds!cluster-01234567-89ab-cdef-0123-456789abcdef-x1Y2z3",
    "name-with-parts-0a1B2C",
]
AMBIGUOUS = [
    "db",
    "my-secret",
    "db-master",
    "app-config",
    "db-abc123",
    "db-123456",
    # Capital only at the beginning: a word may well be written so.
    "db-Master",
    "db-a1B2c",
    "db-a1B2c34",
    "dba1B2c3",
]


@pytest.mark.parametrize("name", WHOLE)
def test_arn_that_is_surely_complete_stands_as_it_is(name: str) -> None:
    assert value_from(f"{SECRETS}:{name}") == read(f"{SECRETS}:{name}")


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_arn_that_may_be_a_part_stands_with_and_without_its_suffix(name: str) -> None:
    assert value_from(f"{SECRETS}:{name}") == read(f"{SECRETS}:{name}", f"{SECRETS}:{name}-??????")


@pytest.mark.parametrize("tail", [":password::", ":password:AWSCURRENT:", "::AWSPREVIOUS:", ":::0123", ":::"])
def test_tail_of_a_secret_is_cut(tail: str) -> None:
    assert value_from(f"{SECRETS}:db-a1B2c3{tail}") == read(f"{SECRETS}:db-a1B2c3")
    assert value_from(f"{SECRETS}:db{tail}") == read(f"{SECRETS}:db", f"{SECRETS}:db-??????")


SECRET_REFERENCES: dict[str, Any] = {
    "Ref": {"Ref": "Secret"},
    "GetAtt": {"Fn::GetAtt": ["Secret", "Id"]},
    "Sub": {"Fn::Sub": "${Secret}"},
    "Sub with a key": {"Fn::Sub": "${Secret}:password::"},
    "Sub with a map": {"Fn::Sub": ["${S}:${Key}::", {"S": {"Ref": "Secret"}, "Key": "password"}]},
    "Join": {"Fn::Join": ["", [{"Ref": "Secret"}, ":password::"]]},
    "Join with colons": {"Fn::Join": [":", [{"Ref": "Secret"}, "password", "", ""]]},
    "attachment": {"Ref": "Attachment"},
    "If": {"Fn::If": ["C", {"Ref": "Secret"}, {"Fn::Sub": "${Secret}:password::"}]},
}


@pytest.mark.parametrize("name", SECRET_REFERENCES)
def test_secret_of_the_template_becomes_its_own_arn(name: str) -> None:
    more = {
        "Secret": SECRET_RESOURCE,
        "Attachment": {
            "Type": "AWS::SecretsManager::SecretTargetAttachment",
            "Properties": {"SecretId": {"Ref": "Secret"}},
        },
    }
    assert value_from(SECRET_REFERENCES[name], more=more, **CONDITIONS) == read(physical(more, "Secret"))


def test_secret_that_a_database_makes_is_known() -> None:
    more = {"Db": {"Type": "AWS::RDS::DBInstance", "Properties": {"MasterUserSecret": {"KmsKeyId": {"Ref": "Key"}}}}}
    more["Key"] = {"Type": "AWS::KMS::Key", "Properties": {}}
    arn = attribute(more, "Db", "MasterUserSecret.SecretArn")
    key = attribute(more, "Key", "Arn")
    value = {"Fn::Sub": "${Db.MasterUserSecret.SecretArn}:password::"}
    assert value_from(value, more=more) == read(arn) | {("kms:Decrypt", key)}


def test_secret_in_another_account_and_region() -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:210987654321:secret:db-a1B2c3"
    assert value_from(f"{arn}:password::") == read(arn)


def test_secret_by_pseudo_parameters_and_stack_parameters() -> None:
    value = {
        "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Stage}/db:user::"
    }
    required = read(f"{SECRETS}:prod/db", f"{SECRETS}:prod/db-??????")
    assert value_from(value, Parameters={"Stage": {"Type": "String", "Default": "prod"}}) == required


def test_secret_by_a_parameter_of_ssm_type_in_its_name_keeps_the_reference() -> None:
    value = {"Fn::Sub": f"{SECRETS}:${{Name}}"}
    sections = {"Parameters": {"Name": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/names/db"}}}
    found = value_from(value, stack={"ssm": {"/names/db": "prod"}}, **sections)
    assert found == read(f"{SECRETS}:prod", f"{SECRETS}:prod-??????")


def test_registry_login_is_a_secret_by_name_or_arn() -> None:
    def login(value: Any, **others: Any) -> Grants:
        return inferred(container(RepositoryCredentials={"CredentialsParameter": value}), **others)

    assert login("registry") == read(f"{SECRETS}:registry", f"{SECRETS}:registry-??????")
    assert login(f"{SECRETS}:registry-a1B2c3") == read(f"{SECRETS}:registry-a1B2c3")
    more = {"Secret": SECRET_RESOURCE}
    assert login({"Ref": "Secret"}, more=more) == read(physical(more, "Secret"))


# -- SSM parameters --


@pytest.mark.parametrize(
    ("value", "resource"),
    [
        ("plain", f"{PARAMETERS}/plain"),
        ("/a/b", f"{PARAMETERS}/a/b"),
        ("a/b", f"{PARAMETERS}/a/b"),
        (f"{PARAMETERS}/a/b", f"{PARAMETERS}/a/b"),
        (f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/a", f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/a"),
        ({"Fn::Sub": "/${Stage}/x"}, f"{PARAMETERS}/prod/x"),
        ({"Fn::Sub": "${Stage}"}, f"{PARAMETERS}/prod"),
        ({"Fn::Sub": "/${AWS::StackName}/x"}, f"{PARAMETERS}/stack/x"),
        ({"Fn::Sub": "${AWS::StackName}/x"}, f"{PARAMETERS}/stack/x"),
        ({"Fn::Join": ["/", ["", {"Ref": "Stage"}, "x"]]}, f"{PARAMETERS}/prod/x"),
        ({"Ref": "Named"}, f"{PARAMETERS}/team/named"),
    ],
)
def test_value_that_is_no_arn_names_a_parameter_here(value: Any, resource: str) -> None:
    more = {"Named": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/team/named"}}}
    parameters = {"Stage": {"Type": "String", "Default": "prod"}}
    assert value_from(value, more=more, Parameters=parameters) == fetch(resource)


def test_parameter_that_is_a_reference_to_a_secret_needs_both() -> None:
    assert value_from("/aws/reference/secretsmanager/db") == (
        fetch(f"{PARAMETERS}/aws/reference/secretsmanager/db") | read(f"{SECRETS}:db", f"{SECRETS}:db-??????")
    )


def test_stack_parameter_may_hold_the_whole_value() -> None:
    sections = {"Parameters": {"Value": {"Type": "String"}}}
    assert value_from({"Ref": "Value"}, parameters={"Value": "/x"}, **sections) == fetch(f"{PARAMETERS}/x")
    arn = f"{SECRETS}:db-a1B2c3"
    assert value_from({"Ref": "Value"}, parameters={"Value": arn}, **sections) == read(arn)


# -- files and volumes --


def test_environment_files_are_read_and_their_buckets_located() -> None:
    files = [{"Type": "s3", "Value": "arn:aws:s3:::config/a.env"}, {"Type": "s3", "Value": "arn:aws:s3:::config/b.env"}]
    assert inferred(container(EnvironmentFiles=files)) == {
        ("s3:GetObject", "arn:aws:s3:::config/a.env"),
        ("s3:GetObject", "arn:aws:s3:::config/b.env"),
        ("s3:GetBucketLocation", "arn:aws:s3:::config"),
    }


BUCKET = {
    "Type": "AWS::S3::Bucket",
    "Properties": {
        "BucketName": "config",
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Ref": "Key"}}}
            ]
        },
    },
}
KEY = {"Type": "AWS::KMS::Key", "Properties": {}}


@pytest.mark.parametrize("value", [{"Fn::Sub": "${Bucket.Arn}/web.env"}, {"Fn::Sub": "arn:aws:s3:::${Bucket}/web.env"}])
def test_default_key_of_the_bucket_is_used(value: Any) -> None:
    more = {"Bucket": BUCKET, "Key": KEY}
    fragment = expanded(one(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), more=more))
    decrypt = statements(fragment)["DecryptObjects"]
    assert decrypt["Resource"] == attribute(more, "Key", "Arn")
    assert decrypt["Condition"] == {
        "StringEquals": {
            "kms:ViaService": f"s3.{REGION}.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::config/web.env",
        }
    }


@pytest.mark.parametrize("place", ["encryption", "rule", "default"])
def test_default_key_of_the_bucket_follows_the_condition_of_its_encryption(place: str) -> None:
    def where(name: str, value: Any) -> Any:
        return {"Fn::If": ["C", value, NO_VALUE]} if place == name else value

    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": f"{KEYS}/0123"}
    rule = where("rule", {"ServerSideEncryptionByDefault": where("default", default)})
    encryption = where("encryption", {"ServerSideEncryptionConfiguration": [rule]})
    more = {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketEncryption": encryption}}}
    value = {"Fn::Sub": "${Bucket.Arn}/web.env"}
    fragment = expanded(one(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), more=more, **CONDITIONS))
    decryption = {("kms:Decrypt", f"{KEYS}/0123")}

    assert grants(fragment, conditions={"C": True}) & decryption == decryption
    assert grants(fragment, conditions={"C": False}) & decryption == set()


@pytest.mark.parametrize(
    ("options", "required"),
    [
        (
            {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::config/fluent.conf"},
            {
                ("s3:GetObject", "arn:aws:s3:::config/fluent.conf"),
                ("s3:GetBucketLocation", "arn:aws:s3:::config"),
            },
        ),
        ({"config-file-type": "file", "config-file-value": "/fluent.conf"}, set()),
        ({"enable-ecs-log-metadata": "true"}, set()),
    ],
)
def test_firelens_with_a_file_in_s3(options: Document, required: Grants) -> None:
    assert inferred(container(FirelensConfiguration={"Type": "fluentbit", "Options": options})) == required
    assert inferred(container(FirelensConfiguration={"Type": "fluentbit"})) == set()


@pytest.mark.parametrize(
    ("spec", "required"),
    [
        (f"credentialspec:{PARAMETERS}/gmsa", fetch(f"{PARAMETERS}/gmsa")),
        (
            "credentialspec:arn:aws:s3:::gmsa/x.json",
            {("s3:GetObject", "arn:aws:s3:::gmsa/x.json"), ("s3:GetBucketLocation", "arn:aws:s3:::gmsa")},
        ),
        (f"credentialspecdomainless:{PARAMETERS}/gmsa", fetch(f"{PARAMETERS}/gmsa")),
        (
            {"Fn::Sub": "credentialspec:arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/g"},
            fetch(f"{PARAMETERS}/g"),
        ),
        ("credentialspec:file://gmsa.json", set()),
    ],
)
def test_credential_specs_are_read(spec: Any, required: Grants) -> None:
    assert inferred(container(CredentialSpecs=[spec])) == required


def test_login_of_an_fsx_volume() -> None:
    def volume(login: Any, **others: Any) -> Grants:
        configuration = {
            "FileSystemId": "fs-1",
            "RootDirectory": "share",
            "AuthorizationConfig": {"CredentialsParameter": login, "Domain": "example.com"},
        }
        volumes = [{"Name": "a", "FSxWindowsFileServerVolumeConfiguration": configuration}]
        return grants(expanded(template({"Task": task(container(), Volumes=volumes)}, **others)))

    describe = {("fsx:DescribeFileSystems", "*")}
    assert volume(f"{SECRETS}:fsx-a1B2c3") == read(f"{SECRETS}:fsx-a1B2c3") | describe
    assert volume(f"{PARAMETERS}/fsx") == fetch(f"{PARAMETERS}/fsx") | describe


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


# -- customer keys --


KEY_REFERENCES: dict[str, Any] = {
    "Ref": {"Ref": "Key"},
    "GetAtt": {"Fn::GetAtt": ["Key", "Arn"]},
    "alias": {"Ref": "Alias"},
    "alias by its name": "alias/mine",
    "Sub": {"Fn::Sub": "${Key}"},
    "ARN by parts": {"Fn::Sub": "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/${Key}"},
}


@pytest.mark.parametrize("form", KEY_REFERENCES)
def test_key_of_a_secret_of_the_template_is_used_for_that_secret_alone(form: str) -> None:
    more = {
        "Key": KEY,
        "Alias": {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/mine", "TargetKeyId": {"Ref": "Key"}}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": KEY_REFERENCES[form]}},
    }
    fragment = expanded(one(container(Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]), more=more))
    decrypt = statements(fragment)["DecryptSecrets"]
    assert decrypt["Action"] == "kms:Decrypt"
    assert decrypt["Resource"] == attribute(more, "Key", "Arn")
    assert decrypt["Condition"] == {
        "StringEquals": {
            "kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com",
            "kms:EncryptionContext:SecretARN": physical(more, "Secret"),
        }
    }


def test_secret_with_the_managed_key_needs_no_grant_on_it() -> None:
    for properties in ({}, {"KmsKeyId": "alias/aws/secretsmanager"}, {"KmsKeyId": NO_VALUE}):
        more = {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}
        assert value_from({"Ref": "Secret"}, more=more) == read(physical(more, "Secret"))


def test_key_under_a_condition_is_granted_under_that_condition() -> None:
    properties = {"KmsKeyId": {"Fn::If": ["C", f"{KEYS}/0123", NO_VALUE]}}
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}
    fragment = expanded(
        one(container(Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]), more=more, **CONDITIONS)
    )
    secret = Stack(fragment).physical("Secret").ref
    assert grants(fragment, conditions={"C": True}) == read(secret) | {("kms:Decrypt", f"{KEYS}/0123")}
    assert grants(fragment, conditions={"C": False}) == read(secret)


def test_via_service_in_china_allows_both_spellings() -> None:
    secret = f"arn:aws-cn:secretsmanager:cn-north-1:{ACCOUNT}:secret:db-a1B2c3"
    spec = {"Secrets": [{"Secret": secret, "KmsKey": "0123"}]}
    fragment = expanded(one(container(), spec=spec), region="cn-north-1")
    made = statements(fragment, region="cn-north-1")["DecryptSecrets"]
    assert set(made["Condition"]["StringEquals"]["kms:ViaService"]) == {
        "secretsmanager.cn-north-1.amazonaws.com",
        "secretsmanager.cn-north-1.amazonaws.com.cn",
    }


def test_aliases_in_a_ring_do_no_harm() -> None:
    alias = {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/a", "TargetKeyId": {"Ref": "Other"}}}
    other = {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/b", "TargetKeyId": {"Ref": "Alias"}}}
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Alias"}}}
    more = {"Alias": alias, "Other": other, "Secret": secret}
    fragment = one(container(Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]), more=more)
    assert "TaskExecutionRole" in expanded(fragment)["Resources"]


# -- conditions --


A, B = f"{HOST}/a", f"{HOST}/b"
NEEDS_A: dict[str, Any] = {
    "image": {"ContainerDefinitions": [container(Image={"Fn::If": ["C", A, B]})]},
    "container": {"ContainerDefinitions": [{"Fn::If": ["C", container(Image=A), container(Image=B)]}]},
    "containers": {"ContainerDefinitions": {"Fn::If": ["C", [container(Image=A)], [container(Image=B)]]}},
    "container that is not there": {
        "ContainerDefinitions": [
            {"Fn::If": ["C", container(Image=A), NO_VALUE]},
            {"Fn::If": ["C", NO_VALUE, container(Image=B)]},
        ]
    },
    "part of a text": {
        "ContainerDefinitions": [container(Image={"Fn::Sub": [f"{HOST}/${{N}}", {"N": {"Fn::If": ["C", "a", "b"]}}]})]
    },
    "nested": {
        "ContainerDefinitions": [container(Image={"Fn::If": ["D", {"Fn::If": ["C", A, B]}, {"Fn::If": ["C", A, B]}]})]
    },
    "nested in itself": {
        "ContainerDefinitions": [
            container(Image={"Fn::If": ["C", {"Fn::If": ["C", A, "x"]}, {"Fn::If": ["C", "y", B]}]})
        ]
    },
}


@pytest.mark.parametrize("place", NEEDS_A)
def test_grant_follows_the_condition_of_what_needs_it(place: str) -> None:
    properties = {"ExecutionRoleSpec": "Auto", **NEEDS_A[place]}
    fragment = expanded(
        template({"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}}, **CONDITIONS)
    )
    for other in (True, False):
        assert grants(fragment, conditions={"C": True, "D": other}) == pull(f"{ECR}/a")
        assert grants(fragment, conditions={"C": False, "D": other}) == pull(f"{ECR}/b")


LEVELS: dict[str, Any] = {
    "Secrets": container(Secrets={"Fn::If": ["C", [{"Name": "A", "ValueFrom": "/x"}], NO_VALUE]}),
    "Secrets item": container(Secrets=[{"Fn::If": ["C", {"Name": "A", "ValueFrom": "/x"}, NO_VALUE]}]),
    "ValueFrom": container(Secrets=[{"Name": "A", "ValueFrom": {"Fn::If": ["C", "/x", NO_VALUE]}}]),
    "LogConfiguration": container(
        LogConfiguration={"Fn::If": ["C", logs("splunk", [{"Name": "A", "ValueFrom": "/x"}]), NO_VALUE]}
    ),
    "SecretOptions": container(
        LogConfiguration={
            "LogDriver": "splunk",
            "SecretOptions": {"Fn::If": ["C", [{"Name": "A", "ValueFrom": "/x"}], NO_VALUE]},
        }
    ),
    "false branch": container(Secrets=[{"Fn::If": ["D", NO_VALUE, {"Name": "A", "ValueFrom": "/x"}]}]),
    "container": {"Fn::If": ["C", container(Secrets=[{"Name": "A", "ValueFrom": "/x"}]), NO_VALUE]},
}


@pytest.mark.parametrize("level", LEVELS)
def test_condition_is_followed_at_every_level(level: str) -> None:
    fragment = expanded(one(LEVELS[level], **CONDITIONS))
    assert grants(fragment, conditions={"C": True, "D": False}) == fetch(f"{PARAMETERS}/x")
    assert grants(fragment, conditions={"C": False, "D": True}) == set()


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


def test_grant_that_is_needed_either_way_has_no_condition() -> None:
    containers = [
        {"Fn::If": ["C", container(Image=A), NO_VALUE]},
        {"Fn::If": ["C", NO_VALUE, container(Image=A)]},
    ]
    fragment = expanded(one(*containers, **CONDITIONS))
    assert "Fn::If" not in json.dumps(fragment["Resources"]["TaskExecutionRole"]["Properties"])
    assert grants(fragment) == pull(f"{ECR}/a")


def test_branch_that_cannot_be_reached_is_not_read() -> None:
    value = {"Fn::If": ["C", {"Fn::If": ["C", "/x", IMPORT]}, "/y"]}
    fragment = expanded(one(container(Secrets=[{"Name": "A", "ValueFrom": value}]), **CONDITIONS))
    assert grants(fragment, conditions={"C": True}) == fetch(f"{PARAMETERS}/x")


def test_policy_that_may_be_empty_is_not_there_then() -> None:
    secret = {"Fn::If": ["C", {"Name": "A", "ValueFrom": "/x"}, NO_VALUE]}
    fragment = expanded(one(container(Secrets=[secret]), **CONDITIONS))
    assert Stack(fragment, conditions={"C": False}).properties("TaskExecutionRole").get("Policies", []) == []


# -- what cannot be classified --


def test_image_behind_an_import_is_an_error_with_the_line_to_add() -> None:
    line = refusal(one(container(Image=IMPORT)))
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")
    assert "Images: [!ImportValue shared]" in line
    assert "Resources/Task/Properties/ExecutionRoleSpec" in line


def test_secret_behind_an_import_is_an_error_with_the_line_to_add() -> None:
    line = refusal(one(container(Secrets=[{"Name": "A", "ValueFrom": IMPORT}])))
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom: ")
    assert "Secrets: [!ImportValue shared]" in line
    assert "Parameters: [!ImportValue shared]" in line


def test_image_is_settled_where_the_same_value_stands_in_images() -> None:
    found = image(IMPORT, spec={"Images": [IMPORT]}, stack={"imports": {"shared": f"{HOST}/team/repo:1.2"}})
    assert found == pull(f"{ECR}/team/repo")


@pytest.mark.parametrize(
    "uri",
    [f"{HOST}/web", f"{HOST}/a/b:1", f"{HOST}/web@sha256:0123", "210987654321.dkr.ecr.eu-west-1.amazonaws.com/x:1"],
)
def test_settled_image_is_taken_apart_when_the_stack_is_deployed(uri: str) -> None:
    account, _, _, region, *_ = uri.split(".")
    name = re.split("[:@]", uri.partition("/")[2])[0]
    required = pull(f"arn:aws:ecr:{region}:{account}:repository/{name}")
    sections = {"Parameters": {"Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/images/web"}}}
    ref = {"Ref": "Image"}
    assert image(ref, spec={"Images": [ref]}, stack={"ssm": {"/images/web": uri}}, **sections) == required


def test_secret_is_settled_where_the_same_value_stands_in_secrets() -> None:
    arn = f"{SECRETS}:db-a1B2c3"
    found = value_from(IMPORT, spec={"Secrets": [IMPORT]}, stack={"imports": {"shared": arn}})
    assert read(arn) <= found <= read(arn, f"{arn}-??????")


def test_secret_with_a_key_is_settled_by_the_mapping_form() -> None:
    arn = f"{SECRETS}:db-a1B2c3"
    spec = {"Secrets": [{"Secret": IMPORT, "KmsKey": "0123"}]}
    found = value_from(IMPORT, spec=spec, stack={"imports": {"shared": arn}})
    assert read(arn) | {("kms:Decrypt", f"{KEYS}/0123")} <= found


def test_parameter_is_settled_where_the_same_value_stands_in_parameters() -> None:
    for name in ("/a/b", "a/b"):
        found = value_from(IMPORT, spec={"Parameters": [IMPORT]}, stack={"imports": {"shared": name}})
        assert fetch(f"{PARAMETERS}/a/b") <= found


def test_another_value_does_not_settle_it() -> None:
    spec = {"Images": [{"Fn::ImportValue": "other"}]}
    assert refusal(one(container(Image=IMPORT), spec=spec)).startswith("Resources/Task/Properties/ContainerDefinitions")


def test_unresolved_ignore_passes_over_what_cannot_be_classified() -> None:
    needs = container(Image=IMPORT, Secrets=[{"Name": "A", "ValueFrom": IMPORT}, {"Name": "B", "ValueFrom": "/x"}])
    assert inferred(needs, spec={"Unresolved": "Ignore"}) == fetch(f"{PARAMETERS}/x")
    assert len(refused(one(needs, spec={"Unresolved": "Error"}))) == 2


UNKNOWABLE: dict[str, Any] = {
    "import": IMPORT,
    "parameter of SSM type": {"Ref": "FromSsm"},
    "secret parameter": {"Ref": "Hidden"},
    "dynamic reference": "{{resolve:ssm:/images/web}}",
    "custom resource": {"Fn::GetAtt": ["Custom", "Image"]},
    "custom resource that is like a repository": {"Fn::GetAtt": ["Custom", "RepositoryUri"]},
    "output of a nested stack": {"Fn::GetAtt": ["Nested", "Outputs.RepositoryUri"]},
    "Select of an import": {"Fn::Select": [0, {"Fn::Split": [",", IMPORT]}]},
    "unknown function": {"Fn::Whatever": ["x"]},
    "mapping with an unknown key": {"Fn::FindInMap": ["M", IMPORT, "x"]},
    "change set placeholder": {"Ref": "Later"},
}


@pytest.mark.parametrize("form", UNKNOWABLE)
def test_value_that_only_the_deployment_knows_is_an_error_and_can_be_ignored(form: str) -> None:
    sections = {
        "Parameters": {
            "FromSsm": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/images/web"},
            "Hidden": {"Type": "String", "NoEcho": True},
            "Later": {"Type": "String"},
        },
        "Mappings": {"M": {"a": {"x": "nginx"}}},
    }
    values = {
        "FromSsm": "/images/web",
        "Hidden": "hush-hush",
        "Later": "{{IntrinsicFunction:arn:aws:cloudformation:us-east-1:123456789012:stack/x/Fn::GetAtt}}",
    }
    more = {"Custom": {"Type": "Custom::Thing"}, "Nested": {"Type": "AWS::CloudFormation::Stack"}}
    fragment = one(container(Image=UNKNOWABLE[form]), more=more, **sections)
    line = refusal(fragment, templateParameterValues=values)
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")
    assert "hush-hush" not in line
    ignored = one(container(Image=UNKNOWABLE[form]), spec={"Unresolved": "Ignore"}, more=more, **sections)
    made = expanded(ignored, templateParameterValues=values)
    assert "Policies" not in made["Resources"]["TaskExecutionRole"]["Properties"]


def test_value_of_an_ssm_parameter_is_not_taken_for_an_image_when_the_key_is_handed_over() -> None:
    # What CloudFormation hands to a macro for these types is not documented: the name of the parameter, or its value.
    sections = {"Parameters": {"P": {"Type": "AWS::SSM::Parameter::Value<String>"}}}
    for value in ("/images/web", f"{HOST}/web:1"):
        lines = refused(one(container(Image={"Ref": "P"}), **sections), templateParameterValues={"P": value})
        assert lines[0].startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")


def test_value_of_a_secret_parameter_is_never_in_the_answer() -> None:
    sections = {"Parameters": {"P": {"Type": "String", "NoEcho": "true"}}}
    fragment = one(container(Secrets=[{"Name": "A", "ValueFrom": {"Fn::Sub": "/x/${P}"}}]), **sections)
    assert "hush-hush" not in json.dumps(expanded(fragment, templateParameterValues={"P": "hush-hush"}))


def test_containers_behind_an_import_cannot_be_read() -> None:
    fragment = template({"Task": task(ContainerDefinitions=IMPORT)})
    assert refusal(fragment).startswith("Resources/Task/Properties/ContainerDefinitions: ")


# -- literals in Fn::Sub, and the shortest way to write --


def test_literal_of_sub_stays_one() -> None:
    value = {"Fn::Sub": "arn:aws:s3:::config/${!x}/${AWS::Region}.env"}
    found = inferred(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]))
    # IAM would take `${x}` for a variable of its own, so its dollar is escaped there.
    assert ("s3:GetObject", f"arn:aws:s3:::config/${{$}}{{x}}/{REGION}.env") in found


@pytest.mark.parametrize("key", ["a*b", "a?b", "a${b}c"])
def test_wildcards_in_an_objects_key_mean_themselves(key: str) -> None:
    escaped = key.replace("${", "\0").replace("*", "${*}").replace("?", "${?}").replace("\0", "${$}{")
    for value in (
        f"arn:aws:s3:::config/{key}",
        {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":s3:::config/{key}"]]},
    ):
        found = inferred(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]))
        assert ("s3:GetObject", f"arn:aws:s3:::config/{escaped}") in found


def test_unclosed_substitution_is_kept_as_it_is() -> None:
    value = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::config/a${b/", {"Ref": "AWS::Region"}]]}
    found = inferred(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]))
    assert ("s3:GetObject", f"arn:aws:s3:::config/a${{$}}{{b/{REGION}") in found


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


def test_intrinsics_in_mappings_are_left_to_cloudformation() -> None:
    # CloudFormation allows none there. Followed all the same, forty lines of them would take for ever.
    rows: Document = {f"K{i}": {"Fn::Join": ["", [{"Fn::FindInMap": ["M", "a", f"K{i + 1}"]}] * 2]} for i in range(40)}
    fragment = one(container(Image={"Fn::FindInMap": ["M", "a", "K0"]}), Mappings={"M": {"a": {**rows, "K40": "x"}}})
    assert refusal(fragment).startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")


def test_list_of_granted_things_needs_no_definition() -> None:
    assert granted({"Parameters": ["/x"]}) == fetch(f"{PARAMETERS}/x")


# -- the other values that may have to be settled --


def fsx(login: Any, spec: Any) -> Document:
    configuration = {"FileSystemId": "fs-1", "AuthorizationConfig": {"CredentialsParameter": login, "Domain": "x"}}
    volumes = [{"Name": "a", "FSxWindowsFileServerVolumeConfiguration": configuration}]
    return template({"Task": task(container(), spec=spec, Volumes=volumes)})


SETTLED: dict[str, tuple[Any, str, Any, str]] = {
    "EnvironmentFiles": (
        lambda value, spec: one(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), spec=spec),
        "EnvironmentFiles/0/Value",
        IMPORT,
        "arn:aws:s3:::config/web.env",
    ),
    "FireLensConfigs": (
        lambda value, spec: one(
            container(
                FirelensConfiguration={
                    "Type": "fluentbit",
                    "Options": {"config-file-type": "s3", "config-file-value": value},
                }
            ),
            spec=spec,
        ),
        "FirelensConfiguration/Options/config-file-value",
        IMPORT,
        "arn:aws:s3:::config/fluent.conf",
    ),
    "RegistryCredentials": (
        lambda value, spec: one(container(RepositoryCredentials={"CredentialsParameter": value}), spec=spec),
        "RepositoryCredentials/CredentialsParameter",
        IMPORT,
        f"{SECRETS}:login-a1B2c3",
    ),
    "FsxCredentials": (fsx, "AuthorizationConfig/CredentialsParameter", IMPORT, f"{SECRETS}:fsx-a1B2c3"),
}


@pytest.mark.parametrize("key", SETTLED)
def test_every_value_can_be_settled_by_its_own_list(key: str) -> None:
    make, place, value, real = SETTLED[key]
    line = refusal(make(value, "Auto"))
    assert line.split(": ")[0].endswith(place)
    assert f"{key}: [!ImportValue shared]" in line
    assert expanded(make(value, {"Unresolved": "Ignore"}))
    found = grants(expanded(make(value, {key: [value]})), imports={"shared": real})
    assert real in {resource for _, resource in found}


def test_credential_spec_is_settled_by_its_own_list() -> None:
    value = {"Fn::Join": ["", ["credentialspec:", IMPORT]]}
    line = refusal(one(container(CredentialSpecs=[value])))
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/CredentialSpecs/0: ")
    assert "CredentialSpecs" in line
    assert inferred(container(CredentialSpecs=[value]), spec={"Unresolved": "Ignore"}) == set()


def test_older_docker_security_options_say_credential_specs_too() -> None:
    options = ["no-new-privileges", f"credentialspec:{PARAMETERS}/gmsa"]
    assert inferred(container(DockerSecurityOptions=options)) == fetch(f"{PARAMETERS}/gmsa")


def test_dynamic_reference_in_images_cannot_be_taken_apart() -> None:
    value = "{{resolve:ssm:/images/web}}"
    for line in refused(one(container(Image=value), spec={"Images": [value]})):
        assert "Image" in line
    spec = {"Images": ["web"], "Unresolved": "Ignore"}
    assert inferred(container(Image=value), spec=spec) == pull(f"{ECR}/web")


def test_dynamic_reference_in_the_name_of_a_secret_stays_there() -> None:
    value = f"{SECRETS}:{{{{resolve:ssm:/name}}}}:password::"
    required = f"{SECRETS}:{{{{resolve:ssm:/name}}}}"
    assert value_from(value) == read(required, f"{required}-??????")


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


@pytest.mark.parametrize("key", ["Images", "LogGroups", "Secrets", "Parameters", "FileSystems"])
def test_reference_to_something_else_is_told(key: str) -> None:
    more = {"Topic": {"Type": "AWS::SNS::Topic"}}
    line = refusal(one(container(), spec={key: [{"Ref": "Topic"}]}, more=more))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0: ")


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("Secrets", {"Secret": "s", "KmsKey": {"Ref": "Topic"}}),
        ("FileSystems", {"FileSystem": "fs-1", "AccessPoint": {"Ref": "Topic"}}),
    ],
)
def test_reference_to_something_else_is_told_in_an_option_too(key: str, entry: Document) -> None:
    more = {"Topic": {"Type": "AWS::SNS::Topic"}}
    line = refusal(one(container(), spec={key: [entry]}, more=more))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0/")


@pytest.mark.parametrize(
    "needs",
    [
        container(Secrets=[{"Name": "A", "ValueFrom": "/"}]),
        container(Secrets=[{"Name": "A", "ValueFrom": f"{PARAMETERS}/"}]),
        container(Secrets=[{"Name": "A", "ValueFrom": f"{SECRETS}:"}]),
        container(RepositoryCredentials={"CredentialsParameter": f"{SECRETS}:login-a1B2c3:user::"}),
        container(Image=f"{HOST}/"),
    ],
)
def test_value_that_names_nothing_is_told(needs: Document) -> None:
    assert refusal(one(needs)).startswith("Resources/Task/Properties/ContainerDefinitions/0/")


@pytest.mark.parametrize("text", ["\U00100000", "x\U0010fffd"])
def test_private_character_is_told_wherever_it_stands(text: str) -> None:
    lines = refused(one(container(Secrets=[{"Name": "A", "ValueFrom": text}], Command=[text]), Description=text))
    assert sorted(line.partition(": ")[0] for line in lines) == [
        "Description",
        "Resources/Task/Properties/ContainerDefinitions/0/Command/0",
        "Resources/Task/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom",
    ]
