"""What each key of `ExecutionRoleSpec` grants, in each form that its value may have."""

from __future__ import annotations

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
    PULL,
    SECRETS,
    WRITE,
    container,
    expanded,
    fetch,
    granted,
    grants,
    inferred,
    listed,
    one,
    pull,
    read,
    refusal,
    refused,
    statements,
    template,
    write,
)

WEB = container(Image=f"{HOST}/web:1")
REPO = {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "team/repo"}}
LOG_GROUP = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/ecs/group"}}
BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "config"}}


def by_name(name: str) -> set[tuple[str, str]]:
    """Reading a secret of which the name, or a part of the ARN, is all that is known."""
    return read(f"{SECRETS}:{name}", f"{SECRETS}:{name}-??????")


def secret_of(more: Document, logical_id: str = "Secret") -> str:
    return Stack(template(more)).physical(logical_id).ref


# -- Infer and Unresolved --


@pytest.mark.parametrize("value", [False, "false"])
def test_infer_false_leaves_the_lists_alone(value: Any) -> None:
    assert inferred(WEB, spec={"Infer": value, "Images": ["other"]}) == pull(f"{ECR}/other")


@pytest.mark.parametrize("value", [True, "true"])
def test_infer_true_is_the_default(value: Any) -> None:
    assert inferred(WEB, spec={"Infer": value}) == inferred(WEB, spec={}) == pull(f"{ECR}/web")


def test_infer_may_come_from_a_stack_parameter() -> None:
    parameters = {"P": {"Type": "String", "Default": "false"}}
    assert inferred(WEB, spec={"Infer": {"Ref": "P"}}, Parameters=parameters) == set()


def test_lists_add_to_what_is_inferred() -> None:
    assert inferred(WEB, spec={"Images": ["other"]}) == pull(f"{ECR}/web") | pull(f"{ECR}/other")


def test_infer_false_does_not_look_at_what_cannot_be_classified() -> None:
    assert inferred(container(Image={"Fn::ImportValue": "x"}), spec={"Infer": False}) == set()


# -- Images --


IMAGES: dict[str, Any] = {
    "name": "team/repo",
    "name with a tag": "team/repo:1.2",
    "name with a digest": "team/repo@sha256:abc",
    "ARN": f"{ECR}/team/repo",
    "ARN with pseudo parameters": {
        "Fn::Sub": "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/team/repo"
    },
    "URI": f"{HOST}/team/repo",
    "URI with a tag": f"{HOST}/team/repo:1.2",
    "URI with pseudo parameters": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/team/repo:1"},
    "Ref": {"Ref": "Repo"},
    "GetAtt": {"Fn::GetAtt": ["Repo", "Arn"]},
    "dotted GetAtt": {"Fn::GetAtt": "Repo.Arn"},
    "GetAtt of the URI": {"Fn::GetAtt": ["Repo", "RepositoryUri"]},
    "parameter": {"Ref": "Name"},
    "mapping form": {"Repository": "team/repo"},
    "mapping form without a cache": {"Repository": "team/repo", "PullThroughCache": False},
    "mapping form of a Ref": {"Repository": {"Ref": "Repo"}},
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_images_may_be_named_in_every_form(image: Any) -> None:
    parameters = {"Name": {"Type": "String", "Default": "team/repo"}}
    assert granted({"Images": [image]}, more={"Repo": REPO}, Parameters=parameters) == pull(f"{ECR}/team/repo")


def test_images_of_another_account_and_region() -> None:
    uri = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/x/y:1"
    there = "arn:aws:ecr:eu-west-1:210987654321:repository/x/y"
    assert granted({"Images": [uri]}) == granted({"Images": [there]}) == pull(there)


@pytest.mark.parametrize("flag", [True, "true"])
def test_pull_through_cache_may_fill_itself_from_that_repository_alone(flag: Any) -> None:
    found = granted({"Images": [{"Repository": "hub/library/nginx", "PullThroughCache": flag}]})
    here = f"{ECR}/hub/library/nginx"
    assert found == pull(here) | {("ecr:BatchImportUpstreamImage", here), ("ecr:CreateRepository", here)}


def test_public_image_in_the_list_is_a_mistake() -> None:
    assert "Images/0" in refusal(one(spec={"Images": ["public.ecr.aws/nginx/nginx"]}))


# -- LogGroups --


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


# -- Secrets, Parameters, RegistryCredentials --


SECRET_FORMS: dict[str, tuple[Any, set[tuple[str, str]]]] = {
    "name": ("prod/db", by_name("prod/db")),
    "full ARN": (f"{SECRETS}:prod/db-a1B2c3", read(f"{SECRETS}:prod/db-a1B2c3")),
    "partial ARN": (f"{SECRETS}:prod/db", by_name("prod/db")),
    "ARN that may be either": (f"{SECRETS}:my-secret", by_name("my-secret")),
    "ARN with a tail": (f"{SECRETS}:prod/db-a1B2c3:password::", read(f"{SECRETS}:prod/db-a1B2c3")),
    "Sub": ({"Fn::Sub": "${Stage}/db"}, by_name("prod/db")),
    "parameter": ({"Ref": "Stage"}, by_name("prod")),
    "mapping form": ({"Secret": "prod/db"}, by_name("prod/db")),
}


@pytest.mark.parametrize("form", SECRET_FORMS)
@pytest.mark.parametrize("key", ["Secrets", "RegistryCredentials"])
def test_secrets_may_be_named_in_every_form(key: str, form: str) -> None:
    value, required = SECRET_FORMS[form]
    assert granted({key: [value]}, Parameters={"Stage": {"Type": "String", "Default": "prod"}}) == required


@pytest.mark.parametrize("key", ["Secrets", "RegistryCredentials", "FsxCredentials"])
def test_secret_of_the_template_is_named_by_its_own_arn(key: str) -> None:
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret"}}
    required = read(secret_of(more))
    extra = {("fsx:DescribeFileSystems", "*")} if key == "FsxCredentials" else set()
    assert granted({key: [{"Ref": "Secret"}]}, more=more) == required | extra
    assert granted({key: [{"Secret": {"Ref": "Secret"}}]}, more=more) == required | extra


PARAMETER_FORMS: dict[str, Any] = {
    "name with a slash": "/prod/db",
    "name without": "prod/db",
    "ARN": f"{PARAMETERS}/prod/db",
    "Sub": {"Fn::Sub": "/${Stage}/db"},
    "Sub without a slash": {"Fn::Sub": "${Stage}/db"},
    "Sub of an ARN": {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/prod/db"},
    "Ref": {"Ref": "Parameter"},
    "mapping form": {"Parameter": "/prod/db"},
    "mapping form of a Ref": {"Parameter": {"Ref": "Parameter"}},
}


@pytest.mark.parametrize("value", PARAMETER_FORMS.values(), ids=PARAMETER_FORMS)
def test_parameters_may_be_named_in_every_form(value: Any) -> None:
    more = {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/prod/db", "Type": "String"}}}
    parameters = {"Stage": {"Type": "String", "Default": "prod"}}
    assert granted({"Parameters": [value]}, more=more, Parameters=parameters) == fetch(f"{PARAMETERS}/prod/db")


@pytest.mark.parametrize("name", ["plain", "/slashed", None])
def test_parameter_of_the_template_is_read_by_the_name_it_says(name: str | None) -> None:
    properties = {"Type": "String", "Value": "x"} | ({"Name": name} if name else {})
    more = {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": properties}}
    real = Stack(template(more)).physical("Parameter").ref
    assert granted({"Parameters": [{"Ref": "Parameter"}]}, more=more) == fetch(f"{PARAMETERS}/{real.lstrip('/')}")


def test_several_entries_of_a_list_and_a_list_from_a_parameter() -> None:
    parameters = {"Names": {"Type": "CommaDelimitedList", "Default": "/a, /b"}}
    required = fetch(f"{PARAMETERS}/a", f"{PARAMETERS}/b")
    assert granted({"Parameters": ["/a", "/b"]}) == required
    assert granted({"Parameters": {"Ref": "Names"}}, Parameters=parameters) == required
    assert granted({"Parameters": {"Fn::Split": ["|", "/a|/b"]}}) == required


# -- customer keys in the lists --


KEY_FORMS: dict[str, Any] = {
    "ID": "0123",
    "ARN": f"{KEYS}/0123",
    "Sub": {"Fn::Sub": "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/0123"},
}


@pytest.mark.parametrize("key", KEY_FORMS.values(), ids=KEY_FORMS)
def test_key_of_a_secret_is_decrypted_only_through_secrets_manager_and_for_that_secret(key: Any) -> None:
    made = statements(expanded(one(spec={"Secrets": [{"Secret": f"{SECRETS}:db-a1B2c3", "KmsKey": key}]})))
    assert made["DecryptSecrets"] == {
        "Sid": "DecryptSecrets",
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": f"{KEYS}/0123",
        "Condition": {
            "StringEquals": {
                "kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com",
                "kms:EncryptionContext:SecretARN": f"{SECRETS}:db-a1B2c3",
            }
        },
    }


@pytest.mark.parametrize("form", ["Ref", "GetAtt"])
def test_key_of_the_template_is_named_by_its_own_arn(form: str) -> None:
    more = {"Key": {"Type": "AWS::KMS::Key"}}
    value = {"Ref": "Key"} if form == "Ref" else {"Fn::GetAtt": ["Key", "Arn"]}
    found = granted({"Secrets": [{"Secret": "db", "KmsKey": value}]}, more=more)
    assert found == by_name("db") | {("kms:Decrypt", Stack(template(more)).physical("Key").attributes["Arn"])}


@pytest.mark.parametrize("alias", ["alias/prod", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/prod"])
def test_alias_is_a_condition_since_iam_knows_none_as_a_resource(alias: str) -> None:
    made = statements(expanded(one(spec={"Parameters": [{"Parameter": "/db", "KmsKey": alias}]})))
    assert made["DecryptParameters"]["Resource"] == f"{KEYS}/*"
    assert made["DecryptParameters"]["Condition"] == {
        "StringEquals": {
            "kms:ViaService": f"ssm.{REGION}.amazonaws.com",
            "kms:EncryptionContext:PARAMETER_ARN": f"{PARAMETERS}/db",
        },
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/prod"},
    }


@pytest.mark.parametrize("key", ["alias/aws/secretsmanager", {"Fn::Sub": "alias/aws/secretsmanager"}])
def test_key_that_aws_manages_needs_no_grant(key: Any) -> None:
    assert granted({"Secrets": [{"Secret": "db", "KmsKey": key}]}) == by_name("db")


def test_secret_that_is_not_wholly_known_is_compared_with_a_pattern() -> None:
    made = statements(expanded(one(spec={"Secrets": [{"Secret": "db", "KmsKey": "0123"}]})))
    assert made["DecryptSecrets"]["Condition"] == {
        "StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:SecretARN": [f"{SECRETS}:db", f"{SECRETS}:db-??????"]},
    }


def test_key_is_used_through_the_service_of_the_secrets_own_region() -> None:
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db-a1B2c3"
    key = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0123"
    made = statements(expanded(one(spec={"Secrets": [{"Secret": secret, "KmsKey": key}]})))["DecryptSecrets"]
    assert made["Resource"] == key
    assert made["Condition"]["StringEquals"]["kms:ViaService"] == "secretsmanager.eu-west-1.amazonaws.com"


def test_key_on_an_entry_is_for_what_is_inferred_too() -> None:
    arn = f"{SECRETS}:db-a1B2c3"
    needs = container(Secrets=[{"Name": "A", "ValueFrom": arn}])
    found = inferred(needs, spec={"Secrets": [{"Secret": arn, "KmsKey": "0123"}]})
    assert found == read(arn) | {("kms:Decrypt", f"{KEYS}/0123")}


# -- files --


@pytest.mark.parametrize("key", ["EnvironmentFiles", "FireLensConfigs"])
@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:s3:::config/web.env",
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::config/web.env"},
        {"Fn::Sub": "${Bucket.Arn}/web.env"},
        {"Fn::Sub": "arn:aws:s3:::${Bucket}/web.env"},
        {"Fn::Join": ["/", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "web.env"]]},
        {"Object": "arn:aws:s3:::config/web.env"},
    ],
)
def test_object_is_read_and_its_bucket_located(key: str, value: Any) -> None:
    assert granted({key: [value]}, more={"Bucket": BUCKET}) == {
        ("s3:GetObject", "arn:aws:s3:::config/web.env"),
        ("s3:GetBucketLocation", "arn:aws:s3:::config"),
    }


@pytest.mark.parametrize("key", ["EnvironmentFiles", "FireLensConfigs"])
def test_key_of_an_object_is_decrypted_through_s3_for_that_object(key: str) -> None:
    spec = {key: [{"Object": "arn:aws:s3:::config/web.env", "KmsKey": f"{KEYS}/0123"}]}
    made = statements(expanded(one(spec=spec)))["DecryptObjects"]
    assert made["Resource"] == f"{KEYS}/0123"
    assert made["Condition"]["StringEquals"]["kms:ViaService"] == f"s3.{REGION}.amazonaws.com"
    # With an S3 Bucket Key the context is the bucket's ARN, and nobody can see from here which it is.
    assert set(made["Condition"]["StringEquals"]["kms:EncryptionContext:aws:s3:arn"]) == {
        "arn:aws:s3:::config/web.env",
        "arn:aws:s3:::config",
    }


# -- gMSA, FSx, EFS, GuardDuty --


def test_credential_spec_in_a_parameter() -> None:
    found = granted({"CredentialSpecs": [f"credentialspec:{PARAMETERS}/gmsa"]})
    assert found == fetch(f"{PARAMETERS}/gmsa")


def test_credential_spec_in_s3() -> None:
    assert granted({"CredentialSpecs": ["credentialspec:arn:aws:s3:::gmsa/web.json"]}) == {
        ("s3:GetObject", "arn:aws:s3:::gmsa/web.json"),
        ("s3:GetBucketLocation", "arn:aws:s3:::gmsa"),
    }


def test_domainless_credential_spec_with_its_secret_and_key() -> None:
    entry = {"Spec": f"credentialspecdomainless:{PARAMETERS}/gmsa", "Secret": "gmsa", "KmsKey": "0123"}
    found = granted({"CredentialSpecs": [entry]})
    assert found == fetch(f"{PARAMETERS}/gmsa") | by_name("gmsa") | {("kms:Decrypt", f"{KEYS}/0123")}


@pytest.mark.parametrize(
    ("value", "required"),
    [
        ("prod/fsx", by_name("prod/fsx")),
        (f"{SECRETS}:fsx-a1B2c3", read(f"{SECRETS}:fsx-a1B2c3")),
        ("/prod/fsx", fetch(f"{PARAMETERS}/prod/fsx")),
        (f"{PARAMETERS}/prod/fsx", fetch(f"{PARAMETERS}/prod/fsx")),
        ({"Secret": "prod/fsx"}, by_name("prod/fsx")),
    ],
)
def test_fsx_login_is_a_secret_or_a_parameter(value: Any, required: set[tuple[str, str]]) -> None:
    assert granted({"FsxCredentials": [value]}) == required | {("fsx:DescribeFileSystems", "*")}


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


def test_guardduty_agent_of_this_region() -> None:
    agent = "arn:aws:ecr:us-east-1:593207742271:repository/aws-guardduty-agent-fargate"
    assert granted({"GuardDuty": True}) == pull(agent)
    assert granted({"GuardDuty": "true"}) == pull(agent)
    assert granted({"GuardDuty": False}) == set()


def test_guardduty_agent_of_another_region_and_partition() -> None:
    agent = "arn:aws-us-gov:ecr:us-gov-west-1:383110348953:repository/aws-guardduty-agent-fargate"
    assert granted({"GuardDuty": True}, stack={"region": "us-gov-west-1"}) == pull(agent)
    tokyo = "arn:aws:ecr:ap-northeast-1:533107202818:repository/aws-guardduty-agent-fargate"
    assert granted({"GuardDuty": True}, stack={"region": "ap-northeast-1"}) == pull(tokyo)


def test_guardduty_under_a_condition() -> None:
    fragment = expanded(one(spec={"GuardDuty": {"Fn::If": ["C", True, False]}}, **CONDITIONS))
    assert len(grants(fragment, conditions={"C": True})) == 4
    assert grants(fragment, conditions={"C": False}) == set()


# -- SourceVpcs and SourceVpcEndpoints --


def test_source_conditions_stand_on_the_pull_actions_and_nowhere_else() -> None:
    spec = {"SourceVpcs": ["vpc-1", "vpc-2"], "SourceVpcEndpoints": ["vpce-1"], "GuardDuty": True, "Secrets": ["s"]}
    made = statements(expanded(one(WEB, spec=spec)))
    for sid, statement in made.items():
        if PULL & set(statement["Action"]):
            assert statement["Condition"] == {
                "StringEquals": {"aws:sourceVpc": ["vpc-1", "vpc-2"], "aws:sourceVpce": "vpce-1"}
            }, sid
        else:
            assert "Condition" not in statement, sid
    assert [sid for sid, statement in made.items() if statement["Action"] == "ecr:GetAuthorizationToken"]


@pytest.mark.parametrize("key", ["SourceVpcs", "SourceVpcEndpoints"])
def test_source_conditions_may_come_from_anywhere(key: str) -> None:
    parameters = {"Ids": {"Type": "List<AWS::EC2::VPC::Id>", "Default": "vpc-1,vpc-2"}}
    name = {"SourceVpcs": "aws:sourceVpc", "SourceVpcEndpoints": "aws:sourceVpce"}[key]
    made = statements(expanded(one(WEB, spec={key: {"Ref": "Ids"}}, Parameters=parameters)))
    [condition] = [each["Condition"] for each in made.values() if "Condition" in each]
    assert condition == {"StringEquals": {name: ["vpc-1", "vpc-2"]}}


def test_source_condition_is_gone_where_no_vpc_is_named() -> None:
    spec = {"SourceVpcs": [{"Fn::If": ["C", "vpc-1", NO_VALUE]}, {"Fn::If": ["C", "vpc-2", NO_VALUE]}]}
    fragment = expanded(one(WEB, spec=spec, **CONDITIONS))
    for truth, required in ((True, {"StringEquals": {"aws:sourceVpc": ["vpc-1", "vpc-2"]}}), (False, {})):
        made = statements(fragment, conditions={"C": truth}).values()
        [pulling] = [statement for statement in made if "ecr:BatchGetImage" in statement["Action"]]
        assert pulling.get("Condition", {}) == required


def test_source_vpc_of_the_template() -> None:
    more = {"Vpc": {"Type": "AWS::EC2::VPC"}}
    fragment = expanded(one(WEB, spec={"SourceVpcs": [{"Ref": "Vpc"}]}, more=more))
    [condition] = [each["Condition"] for each in statements(fragment).values() if "Condition" in each]
    assert condition == {"StringEquals": {"aws:sourceVpc": Stack(fragment).physical("Vpc").ref}}


# -- Statements --


def test_statements_are_added_as_written() -> None:
    written = [
        {"Sid": "Mine", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
        {
            "Effect": "Deny",
            "NotAction": ["s3:GetObject"],
            "NotResource": [{"Fn::Sub": "arn:${AWS::Partition}:s3:::x/*"}],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    fragment = expanded(one(spec={"Statements": written}))
    [policy] = fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Statement"] == written


def test_statement_under_a_condition() -> None:
    written = {"Sid": "Mine", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    fragment = expanded(one(spec={"Statements": [{"Fn::If": ["C", written, NO_VALUE]}]}, **CONDITIONS))
    assert statements(fragment, conditions={"C": True}) == {"Mine": written}
    assert statements(fragment, conditions={"C": False}) == {}


def test_statement_keeps_its_sid_and_ours_gives_way() -> None:
    written = {"Sid": "PullImages", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    made = statements(expanded(one(WEB, spec={"Statements": [written]})))
    assert made["PullImages"] == written
    assert len(made) == 3


WRONG_STATEMENTS: dict[str, Any] = {
    "no effect": {"Action": "a:b", "Resource": "*"},
    "odd effect": {"Effect": "allow", "Action": "a:b", "Resource": "*"},
    "no action": {"Effect": "Allow", "Resource": "*"},
    "both actions": {"Effect": "Allow", "Action": "a:b", "NotAction": "a:c", "Resource": "*"},
    "no resource": {"Effect": "Allow", "Action": "a:b"},
    "a principal": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": "*"},
    "a misspelt key": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Conditions": {}},
    "an odd Sid": {"Sid": "a-b", "Effect": "Allow", "Action": "a:b", "Resource": "*"},
    "a condition that is a list": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": []},
    "an empty list": {"Effect": "Allow", "Action": [], "Resource": "*"},
    "numbers": {"Effect": "Allow", "Action": 3, "Resource": "*"},
    "text": "Allow everything",
}


@pytest.mark.parametrize("statement", WRONG_STATEMENTS.values(), ids=WRONG_STATEMENTS)
def test_form_of_a_statement_is_checked(statement: Any) -> None:
    for line in refused(one(spec={"Statements": [statement]})):
        assert line.startswith("Resources/Task/Properties/ExecutionRoleSpec/Statements/0")


def test_two_statements_with_one_sid_are_refused() -> None:
    # IAM: the Sids of a document are unique.
    written = [{"Sid": "A", "Effect": "Allow", "Action": action, "Resource": "*"} for action in ("a:b", "a:c")]
    assert refusal(one(spec={"Statements": written})).startswith(
        "Resources/Task/Properties/ExecutionRoleSpec/Statements/1/Sid: "
    )


# -- properties of the role --


ROLE_PROPERTIES: Document = {
    "RoleName": "web-execution",
    "Path": "/ecs/",
    "Description": "Starts the web tasks, what else?",
    "PermissionsBoundary": "arn:aws:iam::aws:policy/Boundary",
    "ManagedPolicyArns": ["arn:aws:iam::aws:policy/More"],
    "MaxSessionDuration": 7200,
    "Tags": [{"Key": "team", "Value": "web"}],
}


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


# -- intrinsics wherever a string may stand --


STRINGS: dict[str, Any] = {
    "Images": lambda value: [value],
    "Images Repository": lambda value: [{"Repository": value}],
    "LogGroups": lambda value: [value],
    "LogGroups LogGroup": lambda value: [{"LogGroup": value}],
    "LogGroups Region": lambda value: [{"LogGroup": "g", "Region": value}],
    "LogGroups StreamPrefix": lambda value: [{"LogGroup": "g", "StreamPrefix": value}],
    "Secrets": lambda value: [value],
    "Secrets KmsKey": lambda value: [{"Secret": "s", "KmsKey": value}],
    "Parameters": lambda value: [value],
    "Parameters KmsKey": lambda value: [{"Parameter": "s", "KmsKey": value}],
    "RegistryCredentials": lambda value: [value],
    "FsxCredentials": lambda value: [value],
    "FileSystems": lambda value: [value],
    "FileSystems AccessPoint": lambda value: [{"FileSystem": "fs-1", "AccessPoint": value}],
    "SourceVpcs": lambda value: [value],
    "SourceVpcEndpoints": lambda value: [value],
    "RoleName": lambda value: value,
    "Path": lambda value: value,
    "Description": lambda value: value,
    "PermissionsBoundary": lambda value: value,
    "ManagedPolicyArns": lambda value: [value],
}
INTRINSICS: dict[str, Any] = {
    "Ref": {"Ref": "P"},
    "Sub": {"Fn::Sub": "${P}"},
    "Sub with a map": {"Fn::Sub": ["${X}", {"X": {"Ref": "P"}}]},
    "Join": {"Fn::Join": ["", ["val", "ue"]]},
    "If": {"Fn::If": ["C", "value", "value"]},
    "Select": {"Fn::Select": [1, ["x", "value"]]},
    "Select of Split": {"Fn::Select": ["1", {"Fn::Split": [",", "x,value"]}]},
    "FindInMap": {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "V"]},
}


@pytest.mark.parametrize("intrinsic", INTRINSICS)
@pytest.mark.parametrize("place", STRINGS)
def test_an_intrinsic_stands_wherever_a_string_may(place: str, intrinsic: str) -> None:
    key = place.split(maxsplit=1)[0]
    sections: Document = {
        "Parameters": {"P": {"Type": "String", "Default": "value"}},
        "Mappings": {"M": {REGION: {"V": "value"}}},
        **CONDITIONS,
    }
    literal = expanded(one(WEB, spec={key: STRINGS[place]("value")}, **sections))
    written = expanded(one(WEB, spec={key: STRINGS[place](INTRINSICS[intrinsic])}, **sections))
    if key in ROLE_PROPERTIES:
        there, here = (Stack(each).properties("TaskExecutionRole")[key] for each in (literal, written))
        assert there == here
    else:
        assert _plain(statements(literal)) == _plain(statements(written))


def _plain(made: dict[str, Document]) -> dict[str, Document]:
    """Statements with every value of a condition as a list: one value alone means the same."""
    return {
        sid: {
            **statement,
            "Condition": {
                operator: {key: listed(value) for key, value in keys.items()}
                for operator, keys in statement.get("Condition", {}).items()
            },
        }
        for sid, statement in made.items()
    }


def test_an_entry_may_hang_on_a_condition() -> None:
    spec = {"Secrets": [{"Fn::If": ["C", "a", {"Secret": "b"}]}], "Images": {"Fn::If": ["C", ["x"], NO_VALUE]}}
    fragment = expanded(one(spec=spec, **CONDITIONS))
    assert grants(fragment, conditions={"C": True}) == by_name("a") | pull(f"{ECR}/x")
    assert grants(fragment, conditions={"C": False}) == by_name("b")


# -- wildcards --


WILDCARDS: dict[str, Any] = {
    "Images": ["web*"],
    "LogGroups": ["/ecs/*"],
    "Secrets": ["prod/?"],
    "Parameters": ["/prod/*"],
    "RegistryCredentials": ["*"],
    "EnvironmentFiles": ["arn:aws:s3:::config/*"],
    "FireLensConfigs": ["arn:aws:s3:::config/?"],
    "CredentialSpecs": ["credentialspec:arn:aws:s3:::gmsa/*"],
    "FsxCredentials": ["prod/*"],
    "FileSystems": ["fs-*"],
    "SourceVpcs": ["vpc-*"],
    "SourceVpcEndpoints": ["vpce-?"],
}
OPTIONS: dict[str, Any] = {
    "Images": {"Repository": "*"},
    "LogGroups": {"LogGroup": "g", "StreamPrefix": "*"},
    "Secrets": {"Secret": "s", "KmsKey": "*"},
    "Parameters": {"Parameter": "s", "KmsKey": "alias/*"},
    "EnvironmentFiles": {"Object": "arn:aws:s3:::b/k", "KmsKey": "*"},
    "FileSystems": {"FileSystem": "fs-1", "AccessPoint": "*"},
    "CredentialSpecs": {"Spec": "credentialspec:arn:aws:s3:::b/k", "Secret": "*"},
}


@pytest.mark.parametrize("key", WILDCARDS)
def test_wildcards_are_refused(key: str) -> None:
    place = f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0"
    assert refusal(one(WEB, spec={key: WILDCARDS[key]})).startswith(f"{place}: ")


@pytest.mark.parametrize("key", WILDCARDS)
def test_wildcards_are_refused_in_an_intrinsics_literal_too(key: str) -> None:
    [literal] = WILDCARDS[key]
    place = f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0"
    assert refusal(one(WEB, spec={key: [{"Fn::Sub": literal}]})).startswith(place)
    assert refusal(one(WEB, spec={key: [{"Fn::Join": ["", [literal]]}]})).startswith(place)


@pytest.mark.parametrize("key", OPTIONS)
def test_wildcards_are_refused_in_the_mapping_form(key: str) -> None:
    place = f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0/"
    assert refusal(one(WEB, spec={key: [OPTIONS[key]]})).startswith(place)


def test_wildcards_are_allowed_in_statements() -> None:
    written = {"Sid": "Mine", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}
    assert statements(expanded(one(spec={"Statements": [written]}))) == {"Mine": written}


# -- values that must be known --


@pytest.mark.parametrize("key", ["Infer", "Unresolved", "GuardDuty", "Preflight"])
def test_a_choice_that_only_the_deployment_knows_is_refused(key: str) -> None:
    line = refusal(one(WEB, spec={key: {"Fn::ImportValue": "x"}}))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}: ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Infer", {"Fn::If": ["C", False, NO_VALUE]}),
        ("Infer", {"Fn::If": ["C", False, True]}),
        ("Unresolved", {"Fn::If": ["C", NO_VALUE, "Ignore"]}),
        ("Preflight", {"Fn::If": ["C", "Warn", False]}),
    ],
)
def test_a_choice_that_hangs_on_a_condition_is_refused(key: str, value: Any) -> None:
    line = refusal(one(WEB, spec={key: value}, **CONDITIONS))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}")


@pytest.mark.parametrize("yes", ["Auto", {"Images": ["x"]}, "Starter"])
def test_a_spec_that_hangs_on_a_condition_is_refused(yes: Any) -> None:
    line = refusal(one(WEB, spec={"Fn::If": ["C", yes, NO_VALUE]}, **CONDITIONS))
    assert line.startswith("Resources/Task/Properties/ExecutionRoleSpec")


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("Images", {"Repository": "web", "PullThroughCache": {"Fn::ImportValue": "x"}}),
        ("LogGroups", {"LogGroup": "web", "Create": {"Fn::ImportValue": "x"}}),
        ("FileSystems", {"FileSystem": "fs-1", "Access": {"Fn::ImportValue": "x"}}),
        ("FileSystems", {"FileSystem": "fs-1", "Access": {"Ref": "Misspelt"}}),
    ],
)
def test_an_option_that_only_the_deployment_knows_is_refused(key: str, entry: Document) -> None:
    parameters = {"Misspelt": {"Type": "String", "Default": "readonly"}}
    line = refusal(one(WEB, spec={key: [entry]}, Parameters=parameters))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0/{list(entry)[1]}")
