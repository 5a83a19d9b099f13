"""What `Ref` and `Fn::GetAtt` of a template's own resources give, as far as the guardrails rely on it.

Each pair is a resource type and an attribute; the empty attribute is `Ref`. A pair that is not listed can give any
text: the outputs of nested stacks, provisioned products and custom resources are decided by their authors.
"""

from __future__ import annotations

from collections.abc import Mapping

from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import PSEUDO_PARAMETERS, Json, Symbol

OWN_ARNS = {
    ("AWS::ECR::Repository", "Arn"),
    ("AWS::EFS::AccessPoint", "Arn"),
    ("AWS::EFS::FileSystem", "Arn"),
    ("AWS::Events::Connection", "SecretArn"),
    ("AWS::KMS::Key", "Arn"),
    ("AWS::KMS::ReplicaKey", "Arn"),
    ("AWS::Logs::LogGroup", "Arn"),
    ("AWS::RDS::DBCluster", "MasterUserSecret.SecretArn"),
    ("AWS::RDS::DBInstance", "MasterUserSecret.SecretArn"),
    ("AWS::Redshift::Cluster", "MasterPasswordSecretArn"),
    ("AWS::RedshiftServerless::Namespace", "Namespace.AdminPasswordSecretArn"),
    ("AWS::SecretsManager::Secret", ""),
    ("AWS::SecretsManager::Secret", "Id"),
    ("AWS::Timestream::InfluxDBInstance", "InfluxAuthParametersSecretArn"),
}
"""The ARNs of what is in the stack's own account and region: the resource, or the secret that its service keeps."""

ABOUT_A_SECRET = {
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::SecretTargetAttachment",
}
"""`Ref` of these is the ARN of the secret that their `SecretId` names, which can be in any account."""

# What the service that makes the resource chooses, or takes only if it has no special character.
_ONE_NAME = {
    *OWN_ARNS,
    ("AWS::ECR::Repository", ""),
    ("AWS::ECR::Repository", "RepositoryUri"),
    ("AWS::ECS::Cluster", ""),
    ("AWS::EFS::AccessPoint", ""),
    ("AWS::EFS::AccessPoint", "AccessPointId"),
    ("AWS::EFS::FileSystem", ""),
    ("AWS::EFS::FileSystem", "FileSystemId"),
    ("AWS::KMS::Alias", ""),
    ("AWS::KMS::Key", ""),
    ("AWS::KMS::Key", "KeyId"),
    ("AWS::KMS::ReplicaKey", ""),
    ("AWS::KMS::ReplicaKey", "KeyId"),
    ("AWS::Logs::LogGroup", ""),
    ("AWS::S3::Bucket", ""),
    ("AWS::S3::Bucket", "Arn"),
    ("AWS::SSM::Parameter", ""),
    *((kind, "") for kind in ABOUT_A_SECRET),
}

_TAKES_APART = {"Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub"}


def names_one_thing(reader: Reader, types: Mapping[str, str], symbol: Symbol) -> bool:
    """Whether what a symbol stands for is certain to have no wildcard and no policy variable in it."""
    if symbol.kind == "Opaque":
        return _is_plain(reader, types, symbol.node)
    return symbol.kind in ("Ref", "GetAtt") and _gives_a_name(types, symbol.name, symbol.attribute)


def _gives_a_name(types: Mapping[str, str], name: str, attribute: str) -> bool:
    if not attribute and name in PSEUDO_PARAMETERS:
        return name != "AWS::NotificationARNs"
    return (types.get(name, ""), attribute) in _ONE_NAME


def _is_plain(reader: Reader, types: Mapping[str, str], node: Json) -> bool:
    """The same for an intrinsic function that only takes apart and puts together what is certain itself."""
    if isinstance(node, list):
        return all(_is_plain(reader, types, item) for item in node)
    if isinstance(node, dict):
        if len(node) != 1:
            return False
        [(name, argument)] = node.items()
        if name in ("Ref", "Fn::GetAtt", "Fn::Sub") and isinstance(argument, (str, list)):
            with reader.problems.aside():
                texts = reader.text(node)
            # A function that is still one opaque symbol would only lead here again.
            return all(
                symbol.kind != "Opaque" and names_one_thing(reader, types, symbol)
                for text in texts
                for symbol in reader.symbols.directly_in(text.text)
            ) and not any(character in text.text for text in texts for character in "*?$")
        return name in _TAKES_APART and _is_plain(reader, types, argument)
    return not isinstance(node, str) or not any(character in node for character in "*?$")
