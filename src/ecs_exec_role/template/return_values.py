"""The table of what `Ref` and `Fn::GetAtt` of each resource type give.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-ref.html and the
section "Return values" of each resource type.
"""

from __future__ import annotations

from ecs_exec_role.template.event import Template
from ecs_exec_role.template.symbols import Symbol

RETURN_VALUES: dict[tuple[str, str], str] = {
    ("AWS::ECR::Repository", ""): "repository-name",
    ("AWS::ECR::Repository", "Arn"): "repository-arn",
    ("AWS::ECR::Repository", "RepositoryUri"): "repository-uri",
    ("AWS::ECR::PublicRepository", ""): "public-repository-name",
    ("AWS::ECS::Cluster", ""): "cluster-name",
    ("AWS::ECS::Cluster", "Arn"): "cluster-arn",
    ("AWS::ECS::TaskDefinition", ""): "task-definition-arn",
    ("AWS::ECS::TaskDefinition", "TaskDefinitionArn"): "task-definition-arn",
    ("AWS::EFS::AccessPoint", ""): "access-point-id",
    ("AWS::EFS::AccessPoint", "AccessPointId"): "access-point-id",
    ("AWS::EFS::AccessPoint", "Arn"): "access-point-arn",
    ("AWS::EFS::FileSystem", ""): "file-system-id",
    ("AWS::EFS::FileSystem", "FileSystemId"): "file-system-id",
    ("AWS::EFS::FileSystem", "Arn"): "file-system-arn",
    ("AWS::IAM::Role", ""): "role-name",
    ("AWS::IAM::Role", "Arn"): "role-arn",
    ("AWS::KMS::Alias", ""): "alias-name",
    ("AWS::KMS::Key", ""): "key-id",
    ("AWS::KMS::Key", "KeyId"): "key-id",
    ("AWS::KMS::Key", "Arn"): "key-arn",
    ("AWS::KMS::ReplicaKey", ""): "key-id",
    ("AWS::KMS::ReplicaKey", "KeyId"): "key-id",
    ("AWS::KMS::ReplicaKey", "Arn"): "key-arn",
    ("AWS::Logs::LogGroup", ""): "log-group-name",
    ("AWS::Logs::LogGroup", "Arn"): "log-group-arn",
    ("AWS::S3::Bucket", ""): "bucket-name",
    ("AWS::S3::Bucket", "Arn"): "bucket-arn",
    ("AWS::S3::Bucket", "DomainName"): "bucket-domain",
    ("AWS::S3::Bucket", "DualStackDomainName"): "bucket-domain",
    ("AWS::S3::Bucket", "RegionalDomainName"): "bucket-domain",
    ("AWS::S3::Bucket", "WebsiteURL"): "website-url",
    ("AWS::SSM::Parameter", ""): "parameter-name",
    ("AWS::SecretsManager::Secret", ""): "secret-arn",
    ("AWS::SecretsManager::Secret", "Id"): "secret-arn",
    ("AWS::SecretsManager::ResourcePolicy", ""): "secret-arn",
    ("AWS::SecretsManager::RotationSchedule", ""): "secret-arn",
    ("AWS::SecretsManager::SecretTargetAttachment", ""): "secret-arn",
    # The service makes these secrets, in the stack's own account.
    ("AWS::DocDB::DBCluster", "MasterUserSecret.SecretArn"): "secret-arn",
    ("AWS::Events::Connection", "SecretArn"): "secret-arn",
    ("AWS::RDS::DBCluster", "MasterUserSecret.SecretArn"): "secret-arn",
    ("AWS::RDS::DBInstance", "MasterUserSecret.SecretArn"): "secret-arn",
    ("AWS::Redshift::Cluster", "MasterPasswordSecretArn"): "secret-arn",
    ("AWS::RedshiftServerless::Namespace", "Namespace.AdminPasswordSecretArn"): "secret-arn",
    ("AWS::Timestream::InfluxDBInstance", "InfluxAuthParametersSecretArn"): "secret-arn",
}
"""What is given, by resource type and attribute; `Ref` is the empty attribute."""


def returns(template: Template, symbol: Symbol) -> str:
    """What a reference to a resource of the template gives, as `RETURN_VALUES` calls it; empty if that is not known."""
    if symbol.kind not in ("Ref", "GetAtt"):
        return ""
    return RETURN_VALUES.get((template.types.get(symbol.name, ""), symbol.attribute), "")
