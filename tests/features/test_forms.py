"""What the forms of a value are granted, for values that look alike, and those that only the deployment knows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import ACCOUNT, REGION
from tests.support.contract import (
    ECR,
    HOST,
    KEYS,
    LOGS,
    PARAMETERS,
    SECRETS,
    container,
    expanded,
    fetch,
    granted,
    inferred,
    one,
    pull,
    read,
    refused,
    statements,
    write,
)

SLASH = {"Slash": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": "/a/b", "Value": "x"}}}
SECRET_ARN = f"{SECRETS}:prod/db-a1B2c3"
IMPORT = {"Fn::ImportValue": "value"}
DIGITS = "111122223333"


def secret(value: Any) -> dict[str, Any]:
    return container(Secrets=[{"Name": "A", "ValueFrom": value}])


def one_error(*containers: Any, **others: Any) -> str:
    [line] = refused(one(*containers, **others))
    return line


# -- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${Slash}"},
        {"Fn::Sub": "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${Slash}"},
        {"Fn::Join": ["", ["arn:aws:ssm:", REGION, ":", ACCOUNT, ":parameter", {"Ref": "Slash"}]]},
        {"Ref": "Slash"},
    ],
)
def test_no_second_slash_is_written_before_a_name_that_begins_with_one(value: Any) -> None:
    assert inferred(secret(value), more=SLASH) == fetch(f"{PARAMETERS}/a/b")


def test_an_imported_name_behind_parameter_stays_as_it_stands() -> None:
    value = {"Fn::Sub": ["arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter${P}", {"P": IMPORT}]}
    assert inferred(secret(value), stack={"imports": {"value": "/x"}}) == fetch(f"{PARAMETERS}/x")


@pytest.mark.parametrize(
    "value",
    ["/aws/service/ecs/x", f"arn:aws:ssm:{REGION}::parameter/aws/service/ecs/x", f"{PARAMETERS}/aws/service/ecs/x"],
)
def test_a_public_parameter_has_no_account(value: str) -> None:
    assert inferred(secret(value)) == fetch(f"arn:aws:ssm:{REGION}::parameter/aws/service/ecs/x")


def test_a_reference_parameter_is_the_secret_of_its_own_region_with_that_secrets_key() -> None:
    more = {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}},
        "Own": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "own", "KmsKeyId": {"Ref": "Key"}}},
    }
    found = inferred(secret("arn:aws:ssm:us-west-2:123456789012:parameter/aws/reference/secretsmanager/other"))
    elsewhere = SECRETS.replace(REGION, "us-west-2")
    assert read(f"{elsewhere}:other", f"{elsewhere}:other-??????") <= found
    fragment = expanded(one(secret("/aws/reference/secretsmanager/own"), more=more))
    conditions = statements(fragment)["DecryptSecrets"]["Condition"]
    assert conditions["StringEquals"]["kms:ViaService"] == f"secretsmanager.{REGION}.amazonaws.com"
    assert conditions["StringLike"]["kms:EncryptionContext:SecretARN"] == [f"{SECRETS}:own", f"{SECRETS}:own-??????"]


@pytest.mark.parametrize("value", ["/a:3", f"{PARAMETERS}/a:3", f"{PARAMETERS}/a:label"])
def test_a_version_of_a_parameter_is_refused_on_name_and_arn(value: str) -> None:
    assert "selects a version or a label" in one_error(secret(value))


@pytest.mark.parametrize("given", ["/x/y", "plain", f"{PARAMETERS}/x/y", f"{PARAMETERS}/plain"])
def test_parameters_entry_holds_for_a_name_and_an_arn(given: str) -> None:
    """Whichever form the value has when the stack is deployed."""
    found = granted({"Parameters": [IMPORT]}, stack={"imports": {"value": given}})
    name = given.removeprefix(PARAMETERS).lstrip("/")
    assert fetch(f"{PARAMETERS}/{name}") <= found
    # The other reading is an ARN that no parameter has.
    assert found - fetch(f"{PARAMETERS}/{name}") <= fetch(f"{PARAMETERS}//{name}", f"{PARAMETERS}{name}")


# -- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["prod/db", SECRET_ARN, f"{SECRET_ARN}:password::", f"{SECRETS}:prod/db"])
def test_secrets_entry_holds_for_every_form_of_a_value_known_at_deployment(given: str) -> None:
    found = granted({"Secrets": [IMPORT]}, stack={"imports": {"value": given}})
    bare = given if given == "prod/db" else given.removeprefix(f"{SECRETS}:").partition(":")[0]
    assert found == read(f"{SECRETS}:{bare}", f"{SECRETS}:{bare}-??????")


@pytest.mark.parametrize("tail", [":password", ":password:", ":password:::"])
def test_a_tail_with_another_number_of_fields_is_refused_behind_a_reference_too(tail: str) -> None:
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret"}}
    assert "after the secret's name" in one_error(secret({"Fn::Sub": f"${{Secret}}{tail}"}), more=more)


@pytest.mark.parametrize(
    "value",
    [
        "{{resolve:secretsmanager:prod/db:SecretString:password}}",
        {"Fn::Join": ["", ["{{resolve:secretsmanager:", "prod/db", ":SecretString:password}}"]]},
        "{{resolve:ssm-secure:/prod/token:1}}",
    ],
)
def test_the_value_of_a_secret_is_refused_where_its_name_is_wanted(value: Any) -> None:
    assert "gives the value of a secret" in one_error(secret(value))
    lines = refused(one(spec={"Secrets": [value]}))
    assert "gives the value of a secret" in lines[0]


def test_an_attribute_that_secrets_do_not_have_is_refused() -> None:
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret"}}
    assert "write !Ref Secret" in one_error(secret({"Fn::GetAtt": ["Secret", "Arn"]}), more=more)


def test_an_empty_value_from_is_refused() -> None:
    assert "is empty" in one_error(secret(""))


def test_a_replica_is_decrypted_with_its_own_key() -> None:
    there = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/replica"
    properties = {"Name": "shared/db", "ReplicaRegions": [{"Region": "us-west-2", "KmsKeyId": there}]}
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}
    arn = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:shared/db"
    statement = statements(expanded(one(secret(arn), more=more)))["DecryptSecrets"]
    assert statement["Resource"] == there
    assert statement["Condition"]["StringEquals"]["kms:ViaService"] == "secretsmanager.us-west-2.amazonaws.com"


def test_a_key_by_its_id_is_one_of_the_secrets_account() -> None:
    arn = f"arn:aws:secretsmanager:{REGION}:{DIGITS}:secret:x-a1B2c3"
    spec = {"Secrets": [{"Secret": arn, "KmsKey": "1234"}]}
    assert ("kms:Decrypt", f"arn:aws:kms:{REGION}:{DIGITS}:key/1234") in granted(spec)
    spec = {"Secrets": [{"Secret": arn, "KmsKey": "alias/x"}]}
    assert ("kms:Decrypt", f"arn:aws:kms:{REGION}:{DIGITS}:key/*") in granted(spec)


@pytest.mark.parametrize("given", ["1234", f"{KEYS}/1234"])
def test_a_key_known_at_deployment_may_be_an_id_or_an_arn(given: str) -> None:
    spec = {"Secrets": [{"Secret": "a", "KmsKey": IMPORT}]}
    assert ("kms:Decrypt", f"{KEYS}/1234") in granted(spec, stack={"imports": {"value": given}})


def test_an_alias_known_at_deployment_never_becomes_a_resource() -> None:
    found = granted({"Secrets": [{"Secret": "a", "KmsKey": IMPORT}]}, stack={"imports": {"value": "alias/x"}})
    assert all(resource.startswith("arn:") for _, resource in found)


# -- keys that the template does not show -----------------------------------------------------------------------------


def test_kms_keys_decrypt_each_thing_whose_key_is_not_shown_with_its_own_context() -> None:
    web = container(
        Secrets=[{"Name": "A", "ValueFrom": SECRET_ARN}, {"Name": "B", "ValueFrom": "/token"}],
        EnvironmentFiles=[{"Type": "s3", "Value": "arn:aws:s3:::settings/x.env"}],
    )
    found = statements(expanded(one(web, spec={"KmsKeys": [f"{KEYS}/one"]})))
    contexts = {
        (key, value)
        for sid in ("DecryptSecrets", "DecryptParameters", "DecryptObjects")
        for condition in found[sid]["Condition"].values()
        for key, values in condition.items()
        for value in (values if isinstance(values, list) else [values])
    }
    assert ("kms:EncryptionContext:SecretARN", SECRET_ARN) in contexts
    assert ("kms:EncryptionContext:PARAMETER_ARN", f"{PARAMETERS}/token") in contexts
    assert ("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::settings/x.env") in contexts
    assert {found[sid]["Resource"] for sid in found if sid.startswith("Decrypt")} == {f"{KEYS}/one"}


def test_no_key_is_granted_where_the_spec_says_that_there_is_none() -> None:
    assert not [action for action, _ in inferred(secret(SECRET_ARN), spec={"KmsKeys": "None"}) if "kms" in action]


# -- images -----------------------------------------------------------------------------------------------------------

REPO = {"Repo": {"Type": "AWS::ECR::Repository"}}


def test_a_longer_name_behind_a_repositorys_uri() -> None:
    found = inferred(container(Image={"Fn::Sub": "${Repo.RepositoryUri}-x:1"}), more=REPO)
    assert {resource.rpartition("-")[2] for action, resource in found if action == "ecr:BatchGetImage"} == {"x"}


def test_the_registry_cut_out_of_a_repositorys_uri() -> None:
    registry = {"Fn::Select": [0, {"Fn::Split": ["/", {"Fn::GetAtt": ["Repo", "RepositoryUri"]}]}]}
    image = {"Fn::Join": ["", [registry, "/other:1"]]}
    assert inferred(container(Image=image), more=REPO) == pull(f"{ECR}/other")


@pytest.mark.parametrize(
    "host",
    [
        HOST,
        f"{HOST}:443",
        f"{ACCOUNT}.dkr.ecr-fips.{REGION}.amazonaws.com",
        f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws",
        f"{ACCOUNT}.dkr-ecr.{REGION}.amazonwebservices.eu",
        f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws.scloud",
    ],
)
def test_every_host_of_a_private_registry(host: str) -> None:
    assert inferred(container(Image=f"{host}/team/web:1")) == pull(f"{ECR}/team/web")


@pytest.mark.parametrize(
    "given",
    [
        f"{HOST}/team/web:1",
        f"{HOST}/team/web@sha256:abc",
        f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/team/web:1",
        f"{ACCOUNT}.dkr.ecr-fips.{REGION}.amazonaws.com/team/web",
    ],
)
def test_images_entry_holds_for_every_form_of_an_image_known_at_deployment(given: str) -> None:
    found = inferred(container(Image=IMPORT), spec={"Images": [IMPORT]}, stack={"imports": {"value": given}})
    assert found == pull(f"{ECR}/team/web")


def test_images_entry_deploys_where_the_image_turns_out_to_be_public() -> None:
    found = inferred(container(Image=IMPORT), spec={"Images": [IMPORT]}, stack={"imports": {"value": "nginx:1"}})
    assert {resource for _, resource in found if resource != "*"} == {"arn:aws:ecr:-:nginx:repository/-"}


@pytest.mark.parametrize("image", ["1password/connect-api:${Tag}", "123/app:${Tag}", "3scale:${Tag}"])
def test_a_name_that_begins_with_a_digit_is_elsewhere(image: str) -> None:
    parameters = {"Tag": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/tag"}}
    assert inferred(container(Image={"Fn::Sub": image}), Parameters=parameters) == set()


def test_a_public_image_in_images_grants_nothing() -> None:
    parameters = {"ImageUrl": {"Type": "String"}}
    spec = {"Images": [{"Ref": "ImageUrl"}]}
    web = container(Image={"Ref": "ImageUrl"})
    assert inferred(web, spec=spec, Parameters=parameters, parameters={"ImageUrl": "nginx"}) == set()


def test_fluent_bit_of_aws_is_in_a_private_registry() -> None:
    parameters = {"Bit": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/aws/service/aws-for-fluent-bit/2"}}
    given = f"{DIGITS}.dkr.ecr.{REGION}.amazonaws.com/aws-for-fluent-bit:2"
    stack = {"ssm": {"/aws/service/aws-for-fluent-bit/2": given}}
    found = inferred(container(Image={"Ref": "Bit"}), Parameters=parameters, stack=stack)
    assert found == pull(f"arn:aws:ecr:{REGION}:{DIGITS}:repository/aws-for-fluent-bit")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"Ref": "Repo"}, "write !Sub ${Repo.RepositoryUri}:TAG"),
        ({"Fn::Sub": "${Repo}:latest"}, "write !Sub ${Repo.RepositoryUri}:TAG"),
        ({"Fn::GetAtt": ["Repo", "Arn"]}, "write !Sub ${Repo.RepositoryUri}:TAG"),
        (f"{ECR}/x:1", "is an ARN"),
        (f"12345678901.dkr.ecr.{REGION}.amazonaws.com/x:1", "looks like an image in ECR"),
    ],
)
def test_what_surely_is_no_image_is_refused(image: Any, said: str) -> None:
    assert said in one_error(container(Image=image), more=REPO)


def test_an_endpoint_stands_on_pulls_of_its_own_region_alone() -> None:
    spec = {"SourceVpcEndpoints": ["vpce-1"]}
    web = container(Image=f"{HOST}/here:1")
    other = container(Name="other", Image=f"{HOST}/there:1".replace(REGION, "us-west-2"))
    found = statements(expanded(one(web, other, spec=spec)))
    by_resource = {statement["Resource"]: statement for sid, statement in found.items() if sid.startswith("PullImages")}
    assert "Condition" in by_resource[f"{ECR}/here"]
    assert "Condition" not in by_resource[f"{ECR}/there".replace(REGION, "us-west-2")]


# -- logs and files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [{"Fn::GetAtt": ["Logs", "Arn"]}, f"{LOGS}:/ecs/x"])
def test_a_log_group_by_its_arn_is_refused(group: Any) -> None:
    options = {"awslogs-group": group, "awslogs-region": REGION, "awslogs-stream-prefix": "x"}
    more = {"Logs": {"Type": "AWS::Logs::LogGroup"}}
    web = container(LogConfiguration={"LogDriver": "awslogs", "Options": options})
    assert "the driver takes its name" in one_error(web, more=more)


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
        granted = statements(fragment, imports={"value": given}).values()
        listed_resources = [statement["Resource"] for statement in granted]
        names = [resource.split(":log-group:")[1].split("/") for listed in listed_resources for resource in listed]
        # /aws/ecs/CLUSTER/SERVICE-SUFFIX, with the cluster's name and not its ARN.
        assert all(len(name) == 5 and "arn" not in name[3] and name[4].startswith("web-") for name in names)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("s3://bucket/app.env", "write arn:PARTITION:s3:::BUCKET/KEY"),
        ({"Fn::Sub": "${Bucket}/app.env"}, "write !Sub arn:${AWS::Partition}:s3:::${Bucket}/KEY"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "write !Sub ${Bucket.Arn}/KEY"),
        (f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/ap/object/x", "is not the ARN of an S3 object"),
    ],
)
def test_what_surely_is_no_object_is_refused(value: Any, said: str) -> None:
    more = {"Bucket": {"Type": "AWS::S3::Bucket"}}
    assert said in one_error(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), more=more)


def test_a_login_in_a_parameter_is_refused() -> None:
    web = container(RepositoryCredentials={"CredentialsParameter": f"{PARAMETERS}/login"})
    assert "from Secrets Manager alone" in one_error(web)


def test_a_new_group_is_granted_in_both_forms() -> None:
    found = granted(
        {"LogGroups": [{"LogGroup": {"Ref": "Logs"}, "Create": True}]},
        more={"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/x"}}},
    )
    assert found == write(f"{LOGS}:/x:*") | {("logs:CreateLogGroup", f"{LOGS}:/x{end}") for end in ("", ":*")}


# -- references to another type of resource ---------------------------------------------------------------------------

OTHERS = {
    "Par": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}},
    "Sec": {"Type": "AWS::SecretsManager::Secret"},
    "Logs": {"Type": "AWS::Logs::LogGroup"},
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("EnvironmentFiles", {"Ref": "Par"}),
        ("EnvironmentFiles", {"Ref": "Sec"}),
        ("EnvironmentFiles", {"Fn::Sub": "${Sec}/app.env"}),
        ("EnvironmentFiles", {"Fn::GetAtt": ["Logs", "Arn"]}),
        ("FireLensConfigs", {"Ref": "Par"}),
        ("CredentialSpecs", {"Ref": "Sec"}),
        ("CredentialSpecs", {"Fn::Sub": "credentialspec:${Sec}"}),
        ("FileSystems", {"Fn::GetAtt": ["Sec", "Id"]}),
        ("LogGroups", {"Fn::GetAtt": ["Sec", "Id"]}),
        ("Images", {"Fn::GetAtt": ["Sec", "Id"]}),
        ("Parameters", {"Fn::GetAtt": ["Sec", "Id"]}),
        ("Secrets", {"Fn::GetAtt": ["Logs", "Arn"]}),
        ("FsxCredentials", {"Fn::GetAtt": ["Logs", "Arn"]}),
        ("RegistryCredentials", {"Fn::GetAtt": ["Logs", "Arn"]}),
    ],
)
def test_a_reference_to_another_type_is_refused_in_every_list(key: str, value: Any) -> None:
    lines = refused(one(spec={key: [value]}, more=OTHERS))
    assert any(f"ExecutionRoleSpec/{key}/0: " in line and " AWS::" in line for line in lines), lines


@pytest.mark.parametrize("value", [{"Ref": "Par"}, {"Fn::Sub": "${Sec}/app.env"}])
def test_an_environment_file_that_is_another_thing_is_refused(value: Any) -> None:
    web = container(EnvironmentFiles=[{"Type": "s3", "Value": value}])
    assert "write arn:PARTITION:s3:::BUCKET/KEY" in one_error(web, more=OTHERS)


@pytest.mark.parametrize("name", ["/a", "a/", " a", "A", "a//b", "-a"])
def test_a_name_that_no_repository_can_have_is_refused(name: str) -> None:
    assert "cannot be the name of a repository" in one_error(container(Image=f"{HOST}/{name}:1"))


@pytest.mark.parametrize("name", ["a", "team/web-1", "a.b_c/d__e", "9/0"])
def test_a_name_that_a_repository_can_have(name: str) -> None:
    assert inferred(container(Image=f"{HOST}/{name}:1")) == pull(f"{ECR}/{name}")
