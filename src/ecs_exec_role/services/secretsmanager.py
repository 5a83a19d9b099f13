"""AWS Secrets Manager: secrets, as ARNs, names and references, and where a template names their keys.

See https://docs.aws.amazon.com/secretsmanager/latest/userguide/getting-started.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.services.resources import Owner, names_of, owners_of
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.conditions import ALWAYS, PathCondition
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import ACCOUNT, ONE, PARTITION, REGION, Json, SymbolicText, Symbols

TYPE = "AWS::SecretsManager::Secret"

BY_REF = {
    TYPE,
    "AWS::SecretsManager::SecretTargetAttachment",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::ResourcePolicy",
}
"""The resource types whose `Ref` is the ARN of the secret that they are about."""

# Where a resource that creates a secret names its key.
_KEY_OF = {
    TYPE: ("KmsKeyId",),
    "AWS::DocDB::DBCluster": ("MasterUserSecretKmsKeyId",),
    "AWS::Events::Connection": ("KmsKeyIdentifier",),
    "AWS::RDS::DBCluster": ("MasterUserSecret", "KmsKeyId"),
    "AWS::RDS::DBInstance": ("MasterUserSecret", "KmsKeyId"),
    "AWS::Redshift::Cluster": ("MasterPasswordSecretKmsKeyId",),
    "AWS::RedshiftServerless::Namespace": ("AdminPasswordSecretKmsKeyId",),
}

_SUFFIX = late_pattern(r"-[A-Za-z0-9](?=[A-Za-z0-9]{0,4}[A-Z])[A-Za-z0-9]{5}$")
_SIX = late_pattern(r"-[A-Za-z0-9]{6}$")
_NAME_FIELD = 6
"""The field of a secret's ARN, between colons, that is its name and the six characters."""


class Secret(NamedTuple):
    """A secret as a template names it.

    `arn` is its ARN without the `tail` `:json-key:stage:version`. `exact`: it is certainly the complete ARN, with the
    six random characters at its end. `owners`: the resources of the template that can make it.
    """

    arn: SymbolicText
    exact: bool
    region: SymbolicText = REGION
    account: SymbolicText = ACCOUNT
    owners: tuple[Owner, ...] = ()
    tail: str = ""

    def resources(self) -> tuple[SymbolicText, ...]:
        """The resources for the policy: IAM compares the complete ARN, even if the request has only a part of it."""
        return (self.arn,) if self.exact else (self.arn, f"{self.arn}-{6 * ONE}")


def read(reader: Reader, text: SymbolicText) -> Secret | None:
    """Reads the ARN of a secret, or a reference that gives one; None if `text` is neither.

    See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    if text.startswith("arn:"):
        fields = text.split(":", _NAME_FIELD + 1)
        named = len(fields) > _NAME_FIELD and fields[_NAME_FIELD] != ""
        if not named or fields[2] != "secretsmanager" or fields[5] != "secret":
            return None
        tail = f":{fields[-1]}" if len(fields) > _NAME_FIELD + 1 else ""
        return _by_arn(reader, text.removesuffix(tail), fields[3], fields[4], fields[_NAME_FIELD], tail)
    arn, tail = text[:1], text[1:]
    symbol = reader.symbols.sole(arn)
    if symbol is None or tail[:1] not in ("", ":"):
        return None
    if returns(reader.template, symbol) == "secret-arn":
        made_by = _made_by(reader, symbol.name)
        return Secret(arn, True, owners=(Owner(made_by),) if made_by else (), tail=tail)
    if symbol.kind == "GetAtt" and symbol.attribute.endswith("SecretArn"):
        # An output of another stack or a custom resource: its name says that it is an ARN, but not of which secret.
        return Secret(arn, False, tail=tail)
    # Only a secret's ARN can have three more fields.
    return Secret(arn, False, tail=tail) if tail.count(":") == 3 else None


def _by_arn(
    reader: Reader, arn: SymbolicText, region: SymbolicText, account: SymbolicText, name: SymbolicText, tail: str
) -> Secret:
    whole_name_of = _whole_name(reader, name)
    if whole_name_of:
        return Secret(arn, True, region, account, _with_replica(reader, [Owner(whole_name_of)], region), tail)
    exact = _SUFFIX.search(name) is not None
    return Secret(arn, exact, region, account, _owners(reader, name, region, account), tail)


def named(
    reader: Reader, name: SymbolicText, *, region: SymbolicText = REGION, account: SymbolicText = ACCOUNT
) -> Secret:
    """The secret of that name."""
    arn = f"arn:{PARTITION}:secretsmanager:{region}:{account}:secret:{name}"
    return Secret(arn, False, region, account, _owners(reader, name, region, account))


def of_unknown(symbols: Symbols, text: SymbolicText) -> Secret:
    """The secret of a text that is only known at deployment: a name, an ARN, or an ARN with a tail.

    CloudFormation splits it, so the grant is right for each of these.
    """
    region, account = at_deployment.region_and_account(symbols, text, REGION, ACCOUNT)
    name = at_deployment.before(symbols, at_deployment.after(symbols, text, ":secret:"), ":")
    return Secret(f"arn:{PARTITION}:secretsmanager:{region}:{account}:secret:{name}", False, region, account)


def key_of(reader: Reader, owner: str, region: SymbolicText, path_condition: PathCondition = ALWAYS) -> Cursor:
    """The key that the resource of a secret names: for the secret itself, or for its replica in a region.

    Args:
        reader: reads the template.
        owner: the logical ID of the resource.
        region: the region of the secret that is read.
        path_condition: the conditions under which it is read.
    """
    cursor = Cursor.of_resource(reader, owner, path_condition)
    kind = reader.template.types.get(owner, "")
    if region not in (REGION, reader.template.region) and kind == TYPE:
        for replica in _replicas(cursor, region):
            return replica.get("KmsKeyId")
    for step in _KEY_OF.get(kind, ("KmsKeyId",)):
        cursor = cursor.get(step)
    return cursor


def _made_by(reader: Reader, logical_id: str) -> str:
    """The resource that creates the secret that another resource names in its `SecretId`."""
    name = logical_id
    for _ in range(2):
        if reader.template.types.get(name) in _KEY_OF:
            return name
        with reader.problems.aside():
            texts = Cursor.of_resource(reader, name).get("SecretId").texts()
        symbol = reader.symbols.sole(texts[0].text) if len(texts) == 1 else None
        if symbol is None:
            return ""
        name = symbol.name
    return ""


def _replicas(secret: Cursor, region: SymbolicText) -> Iterator[Cursor]:
    """The properties of a secret's replica in a region."""
    for replica in secret.get("ReplicaRegions").items():
        if any(text.text == region for text in replica.get("Region").texts()):
            yield replica


def _owners(reader: Reader, name: SymbolicText, region: SymbolicText, account: SymbolicText) -> tuple[Owner, ...]:
    """The resources of this template whose secrets have this name, with or without the six characters at its end."""
    if account not in (ACCOUNT, reader.template.account) or not names_of(reader, TYPE, "Name"):
        return ()
    names = dict.fromkeys((name, _SIX.sub("", name)))
    return _with_replica(reader, owners_of(reader, TYPE, "Name", *names), region)


def _with_replica(reader: Reader, owners: Sequence[Owner], region: SymbolicText) -> tuple[Owner, ...]:
    """The secrets among these that are in a region: the stack's own, or one to which they are replicated."""
    if region in (REGION, reader.template.region):
        return tuple(owners)
    with reader.problems.aside():  # CloudFormation reports what is wrong with these resources.
        return tuple(
            owner
            for owner in owners
            if next(_replicas(Cursor.of_resource(reader, owner.logical_id), region), None) is not None
        )


def _whole_name(reader: Reader, name: SymbolicText) -> SymbolicText:
    """The secret of the template whose ARN has `name` as its last field, selected by `Fn::Select` and `Fn::Split`."""
    symbol = reader.symbols.sole(name)
    if symbol is None or symbol.kind != "Opaque":
        return SymbolicText("")
    split = _argument(symbol.node, "Fn::Select", str(_NAME_FIELD))
    source = _argument(split, "Fn::Split", ":")
    logical_id = source.get("Ref") if isinstance(source, dict) and len(source) == 1 else None
    return (
        SymbolicText(logical_id)
        if isinstance(logical_id, str) and reader.template.types.get(logical_id) == TYPE
        else SymbolicText("")
    )


def _argument(node: Json, function: str, first: str) -> Json:
    """The second argument of a function whose first argument is this."""
    argument = node.get(function) if isinstance(node, dict) and len(node) == 1 else None
    if isinstance(argument, list) and len(argument) == 2 and str(argument[0]) == first:
        return argument[1]
    return None
