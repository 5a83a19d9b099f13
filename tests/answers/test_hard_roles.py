"""Definitions that are difficult to read: those that AWS's pages warn about, and those that people write.

Each is judged in both stages, as the random ones are.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.answers.test_random_roles import FRAME, RESOURCES, wrongs
from tests.support.cloudformation import CloudFormationError, Stack, circle
from tests.support.event import event_of

from ecs_exec_role.protocol import respond

NOTHING = {"Ref": "AWS::NoValue"}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
OBJECT = "arn:aws:s3:::settings/web.env"


def container(**given: Any) -> dict[str, Any]:
    return {"Name": "main", "Image": "nginx", **given}


def reads(value: Any) -> dict[str, Any]:
    return container(Secrets=[{"Name": "A", "ValueFrom": value}])


def loads(value: Any) -> dict[str, Any]:
    return container(EnvironmentFiles=[{"Type": "s3", "Value": value}])


def task(*containers: Any, spec: Any = "Auto", condition: str | None = None, **given: Any) -> dict[str, Any]:
    properties = {"ExecutionRoleSpec": spec, "ContainerDefinitions": list(containers), **given}
    definition: dict[str, Any] = {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}
    return {"Task": {**definition, **({"Condition": condition} if condition else {})}}


def listed(**spec: Any) -> dict[str, Any]:
    return task(container(), spec=spec)


def sub(text: str) -> dict[str, Any]:
    return {"Fn::Sub": text}


def in_production(yes: Any, no: Any = NOTHING) -> dict[str, Any]:
    return {"Fn::If": ["IsProduction", yes, no]}


def bucket_with_key(**rule: Any) -> dict[str, Any]:
    rules = [{**rule, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Ref": "Key"}}}]
    encryption = {"ServerSideEncryptionConfiguration": rules}
    return {"Sealed": {"Type": "AWS::S3::Bucket", "Properties": {"BucketEncryption": encryption}}}


CASES: dict[str, dict[str, Any]] = {
    # Images
    "host in capitals": task(container(Image="123456789012.DKR.ecr.us-east-1.amazonaws.com/a/b:1")),
    "account with a zero": task(container(Image="000014521398.dkr.ecr.me-central-1.amazonaws.com/a")),
    "registry with a port": task(container(Image="registry.example.com:5000/123456789012/a:1")),
    "cache of a prefix by parameter": {
        **task(container(Image=sub("${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/${Team}/x/y:1"))),
        "ByTeam": {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": {"EcrRepositoryPrefix": {"Ref": "Team"}}},
    },
    "cache of the whole registry": {
        **task(container(Image=sub("${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/x/y:1"))),
        "All": {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": {"EcrRepositoryPrefix": "ROOT"}},
    },
    "both networks": task(
        container(Image={"Fn::GetAtt": "Repo.RepositoryUri"}),
        spec={"SourceVpcs": ["vpc-01"], "SourceVpcEndpoints": ["vpce-01", "vpce-02"], "GuardDuty": True},
    ),
    "an endpoint in production alone": listed(Images=["a"], SourceVpcEndpoints=[in_production("vpce-01")]),
    "endpoints in production alone": listed(
        Images=["a"], SourceVpcEndpoints=[in_production("vpce-01"), in_production("vpce-02")]
    ),
    "a list of endpoints in production alone": listed(
        Images=["a"], SourceVpcEndpoints=in_production(["vpce-01", "vpce-02"])
    ),
    "an endpoint here and a network there": listed(
        Images=["a"], SourceVpcEndpoints=[in_production("vpce-01")], SourceVpcs=[in_production(NOTHING, "vpc-01")]
    ),
    # Secrets
    "a name that looks complete": task(reads(f"{SECRET}app-secret:user::")),
    "a complete ARN": task(reads(f"{SECRET}db-a1B2c3")),
    "a suffix in lower-case letters": task(reads(f"{SECRET}db-a1b2c3:user::")),
    "a version of a secret": task(reads(f"{SECRET}db-a1B2c3:::EXAMPLE1-90ab-cdef-fedc-ba987SECRET1")),
    "a secret through its attachment": {
        **task(reads(sub("${Attachment}:password::"))),
        "Attachment": {
            "Type": "AWS::SecretsManager::SecretTargetAttachment",
            "Properties": {"SecretId": {"Ref": "KeySecret"}},
        },
    },
    "a database's own secret": task(
        reads({"Fn::Join": ["", [{"Fn::GetAtt": "Database.MasterUserSecret.SecretArn"}, ":u::"]]})
    ),
    "a secret of one stage": {
        **task(reads(in_production(sub("${Live}:a::"), {"Ref": "Secret"}))),
        "Live": {"Type": "AWS::SecretsManager::Secret", "Condition": "IsProduction"},
    },
    "a definition, a secret and a key of one stage": {
        **task(reads({"Ref": "Live"}), condition="IsProduction"),
        "Live": {
            "Type": "AWS::SecretsManager::Secret",
            "Condition": "IsProduction",
            "Properties": {"KmsKeyId": {"Fn::GetAtt": "LiveKey.Arn"}},
        },
        "LiveKey": {"Type": "AWS::KMS::Key", "Condition": "IsProduction"},
    },
    "a secret behind a parameter": task(reads("/aws/reference/secretsmanager/behind")),
    "a key by alias": task(reads(f"{SECRET}db"), spec={"Secrets": [{"Secret": "db", "KmsKey": "alias/mine"}]}),
    "a key by an alias's ARN": listed(
        Secrets=[{"Secret": "db", "KmsKey": "arn:aws:kms:us-east-1:123456789012:alias/mine"}]
    ),
    "a key by ID": listed(Secrets=[{"Secret": "db-master", "KmsKey": "mrk-1234abcd12ab34cd56ef1234567890ab"}]),
    "a secret of another account and region": listed(
        Secrets=[
            {
                "Secret": "arn:aws:secretsmanager:eu-west-1:210987654321:secret:db-a1B2c3",
                "KmsKey": "arn:aws:kms:eu-west-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            }
        ]
    ),
    "a parameter's key": listed(
        Parameters=[{"Parameter": "/a/b", "KmsKey": {"Ref": "Key"}}, {"Parameter": "c", "KmsKey": "alias/aws/ssm"}]
    ),
    "a registry's login by name": task(container(RepositoryCredentials={"CredentialsParameter": "my-login"})),
    # Objects
    "a key with a question mark": task(loads("arn:aws:s3:::settings/a?b.env")),
    "a key with an asterisk": task(loads("arn:aws:s3:::settings/a*b.env")),
    "a key like a variable": task(loads(sub("arn:aws:s3:::settings/${!aws:username}/${Tag}.env"))),
    "a bucket's key": {**bucket_with_key(), **task(loads(sub("${Sealed.Arn}/web.env")))},
    "a bucket's bucket key": {**bucket_with_key(BucketKeyEnabled=True), **task(loads(sub("${Sealed.Arn}/web.env")))},
    "an object's key": task(loads(OBJECT), spec={"EnvironmentFiles": [{"Object": OBJECT, "KmsKey": {"Ref": "Key"}}]}),
    # Logs
    "log groups as they are written": listed(
        LogGroups=[
            {"Fn::GetAtt": "Logs.Arn"},
            "arn:aws:logs:us-east-1:123456789012:log-group:/a/b",
            {"LogGroup": {"Ref": "NamedLogs"}, "StreamPrefix": {"Ref": "Stage"}, "Create": True, "Region": "eu-west-1"},
        ]
    ),
    # Volumes and specs of credentials
    "FSx with a parameter": task(
        container(),
        Volumes=[
            {
                "Name": "share",
                "FSxWindowsFileServerVolumeConfiguration": {
                    "AuthorizationConfig": {
                        "CredentialsParameter": "arn:aws:ssm:us-east-1:123456789012:parameter/fsx",
                        "Domain": "example.com",
                    },
                    "FileSystemId": "fs-0123456789abcdef0",
                    "RootDirectory": "share",
                },
            }
        ],
    ),
    "gMSA in both spellings": task(
        container(CredentialSpecs=["credentialspecdomainless:arn:aws:s3:::settings/spec.json"]),
        container(DockerSecurityOptions=["credentialspec:arn:aws:ssm:us-east-1:123456789012:parameter/spec"]),
        spec={
            "CredentialSpecs": [
                {
                    "Spec": "credentialspecdomainless:arn:aws:s3:::settings/spec.json",
                    "Secret": "directory",
                    "KmsKey": "alias/mine",
                }
            ]
        },
    ),
    "file systems": listed(
        FileSystems=[
            "fs-0123456789abcdef0",
            {"FileSystem": "fs-0123456789abcdef1", "AccessPoint": "fsap-0123456789abcdef0", "Access": "Root"},
            {"FileSystem": "fs-0123456789abcdef2", "Access": "ReadOnly"},
        ]
    ),
    # Whole lists under a condition
    "all containers under a condition": {
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "ExecutionRoleSpec": {},
                "ContainerDefinitions": in_production([reads({"Ref": "Secret"})], [reads({"Ref": "KeySecret"})]),
            },
        }
    },
    "all hints under a condition": listed(Secrets=in_production(["a", "b"], ["a"]), Images=[in_production("x/y")]),
    "nothing inferred": task(
        reads({"Ref": "Secret"}),
        spec={"Infer": False, "Images": [{"Ref": "Repo"}], "RegistryCredentials": [{"Secret": {"Ref": "KeySecret"}}]},
    ),
}


@pytest.mark.parametrize("stage", ["test", "production"])
@pytest.mark.parametrize("name", CASES)
def test_the_role_fits(name: str, stage: str) -> None:
    assert wrongs({**FRAME, "Resources": {**RESOURCES, **CASES[name]}}, stage) == {}


ROLE = {"Fn::GetAtt": "TaskExecutionRole.Arn"}
SERVICE = {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": {"Ref": "Task"}}}
CIRCLES: dict[str, dict[str, Any]] = {
    "a repository's policy": {
        **task(container(Image=sub("${Open.RepositoryUri}:1"))),
        "Open": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryPolicyText": {"Principal": {"AWS": ROLE}}}},
    },
    "a key's policy": {
        **task(reads({"Ref": "Sealed"})),
        "Sealed": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Closed"}}},
        "Closed": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Principal": {"AWS": ROLE}}}},
    },
    "a dependency of a log group": {
        **task(container(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "After"}}})),
        "After": {"Type": "AWS::Logs::LogGroup", "DependsOn": "Between"},
        "Between": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "TaskExecutionRole"}}},
    },
}


@pytest.mark.parametrize("name", CIRCLES)
def test_a_circular_dependency_is_prevented_and_the_service_waits(name: str) -> None:
    fragment = {**FRAME, "Resources": {**RESOURCES, **CIRCLES[name], "Service": SERVICE}}

    assert wrongs(fragment, "test") == {}
    expanded = respond(event_of(Stack(fragment)))["fragment"]
    apart = [key for key, each in expanded["Resources"].items() if each["Type"] == "AWS::IAM::RolePolicy"]
    assert circle(expanded) == []
    assert apart
    assert set(apart) <= set(expanded["Resources"]["Service"]["DependsOn"])


def test_a_role_for_nothing_that_is_there_is_not_there_either() -> None:
    fragment = {**FRAME, "Resources": task(container(), condition="IsProduction")}
    expanded = respond(event_of(Stack(fragment)))["fragment"]

    assert Stack(expanded).resources() == []
    assert Stack(expanded, {"Stage": "production"}).resources() == ["Task", "TaskExecutionRole"]
    with pytest.raises(CloudFormationError):
        Stack(expanded).ref("TaskExecutionRole")
