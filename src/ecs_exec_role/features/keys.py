"""Decrypting with customer managed KMS keys what the other features read.

A key is never granted by itself: `kms:Decrypt` only through the service that keeps the secret, parameter or object
(`kms:ViaService`), and only with the encryption context of the very thing. The keys that AWS manages
(`aws/secretsmanager`, `aws/ssm`, `aws/s3`) need no grant.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.needs.context import Inquiry
from ecs_exec_role.needs.need import Condition, Feature, Grant, Need
from ecs_exec_role.services.arns import S3Object, Secret, kms_key
from ecs_exec_role.template.conditions import Guard
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import ACCOUNT, PARTITION, REGION, Json, Symbol

DOCS = "https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"

_DECRYPT = ("kms:Decrypt",)
SECRETS = Grant("DecryptSecrets", _DECRYPT, "Key")
PARAMETERS = Grant("DecryptParameters", _DECRYPT, "Key")
OBJECTS = Grant("DecryptObjects", _DECRYPT, "Key")

_ALIAS = "AWS::KMS::Alias"
_KEY_TYPES = ("AWS::KMS::Key", "AWS::KMS::ReplicaKey", _ALIAS)

# Where a resource that makes a secret says with which key.
_KEY_OF_SECRET = {
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
    "AWS::RDS::DBInstance": ("MasterUserSecret", "KmsKeyId"),
    "AWS::RDS::DBCluster": ("MasterUserSecret", "KmsKeyId"),
    "AWS::DocDB::DBCluster": ("MasterUserSecretKmsKeyId",),
    "AWS::Redshift::Cluster": ("MasterPasswordSecretKmsKeyId",),
    "AWS::RedshiftServerless::Namespace": ("AdminPasswordSecretKmsKeyId",),
}


def of_secret(ask: Inquiry, secret: Secret, place: Alternative, key: Json = None) -> Iterator[Need]:
    """The needs of decrypting a secret: with `key`, or with the key that the secret's own resource names."""
    if key is None and secret.symbol is not None:
        key, path = _key_of_secret(ask, secret.symbol)
        if key is None and ask.types.get(secret.symbol.name, "").startswith("AWS::"):
            ask.note(
                place.path,
                "encrypted with the key that AWS manages for Secrets Manager, which needs no grant",
                "https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
                place.guard,
            )
    else:
        path = place.path
        if key is None:
            ask.unknown_key(place, secret.arn)
    if key is None:
        return
    yield from _decrypt(
        ask,
        SECRETS,
        key,
        place,
        path,
        service="secretsmanager",
        region=secret.region,
        context="SecretARN",
        values=secret.resources(),
    )


def of_parameter(ask: Inquiry, arns: tuple[str, ...], region: str, place: Alternative, key: Json) -> Iterator[Need]:
    """The needs of decrypting a SecureString parameter with `key`."""
    yield from _decrypt(
        ask, PARAMETERS, key, place, place.path, service="ssm", region=region, context="PARAMETER_ARN", values=arns
    )


def of_object(ask: Inquiry, item: S3Object, place: Alternative, key: Json = None) -> Iterator[Need]:
    """The needs of decrypting an S3 object: with `key`, or with the default key of its bucket in this template.

    With an S3 Bucket Key the encryption context is the bucket's ARN instead of the object's; where it is not known
    whether the bucket has one, both are allowed. See
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
    """
    if key is not None:
        yield from _decrypt_object(ask, key, place, place.path, (item.arn, item.bucket_arn))
        return
    if item.bucket is None:
        return
    encryption = ask.reader.template.properties(item.bucket).get("BucketEncryption")
    path = f"Resources/{item.bucket}/Properties/BucketEncryption"
    for case in ask.reader.cases(encryption, place.guard, path):
        rules = case.node.get("ServerSideEncryptionConfiguration") if isinstance(case.node, dict) else None
        for rule in ask.reader.each(rules, case.guard, f"{case.path}/ServerSideEncryptionConfiguration"):
            if not isinstance(rule.node, dict):
                continue
            default = rule.node.get("ServerSideEncryptionByDefault")
            bucket_key = rule.node.get("BucketKeyEnabled")
            # Objects that are older than the bucket's key setting keep a context of their own.
            values = (item.arn,) if bucket_key in (None, False, "false") else (item.arn, item.bucket_arn)
            for inner in ask.reader.cases(default, rule.guard, f"{rule.path}/ServerSideEncryptionByDefault"):
                if isinstance(inner.node, dict) and "KMSMasterKeyID" in inner.node:
                    there = place._replace(guard=inner.guard)
                    yield from _decrypt_object(ask, inner.node["KMSMasterKeyID"], there, inner.path, values)


def _decrypt_object(ask: Inquiry, key: Json, place: Alternative, path: str, values: tuple[str, ...]) -> Iterator[Need]:
    yield from _decrypt(
        ask, OBJECTS, key, place, path, service="s3", region=REGION, context="aws:s3:arn", values=values
    )


def _decrypt(
    ask: Inquiry,
    grant: Grant,
    key: Json,
    place: Alternative,
    path: str,
    *,
    service: str,
    region: str,
    context: str,
    values: tuple[str, ...],
) -> Iterator[Need]:
    for guard, node in _keys(ask, key, place.guard, path):
        found = kms_key(node, region)
        if found is None:
            continue
        # A bucket's region does not stand in its ARN: the key's, which must be the same, does.
        where = found.region if service == "s3" else region
        conditions: list[Condition] = [("StringEquals", "kms:ViaService", _via(ask, service, where))]
        if found.alias is not None:
            conditions.append(("ForAnyValue:StringEquals", "kms:ResourceAliases", (found.alias,)))
        operator = "StringLike" if any("?" in value for value in values) else "StringEquals"
        for value in values:
            yield Need(
                grant,
                found.arn,
                guard,
                place.path,
                node,
                tuple(conditions),
                (operator, f"kms:EncryptionContext:{context}", value),
            )


def _via(ask: Inquiry, service: str, region: str) -> tuple[str, ...]:
    """The names under which KMS may know a service.

    Outside of the commercial and the GovCloud regions it is not documented which suffix KMS uses, so both are allowed.
    """
    suffixes = dict.fromkeys(("amazonaws.com", ask.reader.template.url_suffix))
    return tuple(f"{service}.{region}.{suffix}" for suffix in suffixes)


def _keys(ask: Inquiry, key: Json, guard: Guard, path: str, depth: int = 0) -> Iterator[tuple[Guard, str]]:
    """The texts that a key can be, with references to keys and aliases of the template followed to the key's ARN."""
    for text in ask.texts(key, guard, path):
        if path.startswith(ask.spec_path) and not ask.may_name(text, _KEY_TYPES):
            continue
        symbol = ask.symbols.sole(text.text)
        name = symbol.name if symbol else ""
        kind = ask.types.get(name, "")
        if symbol is not None and kind in _KEY_TYPES and kind != _ALIAS:
            yield text.guard, ask.symbols.get_att(name, "Arn")
        elif symbol is not None and kind == _ALIAS:
            yield from _aliased(ask, name, text.guard, depth)
        elif text.text.startswith("alias/") and (alias := _alias_named(ask, text.text)) is not None:
            yield from _aliased(ask, alias, text.guard, depth)
        elif (
            symbol is not None
            and symbol.kind == "Ref"
            and not kind
            and symbol.name not in ask.reader.template.parameters
        ):
            # A snippet does not see what it refers to; a Ref to a key is its ID.
            yield text.guard, f"arn:{PARTITION}:kms:{REGION}:{ACCOUNT}:key/{text.text}"
        else:
            yield text.guard, text.text


def _aliased(ask: Inquiry, alias: str, guard: Guard, depth: int) -> Iterator[tuple[Guard, str]]:
    target = ask.reader.template.properties(alias).get("TargetKeyId")
    if depth < 3:
        yield from _keys(ask, target, guard, f"Resources/{alias}/Properties/TargetKeyId", depth + 1)


def _alias_named(ask: Inquiry, name: str) -> str | None:
    for logical_id in ask.resources_of(_ALIAS):
        texts = ask.reader.text(ask.reader.template.properties(logical_id).get("AliasName"))
        if any(text.text == name for text in texts):
            return logical_id
    return None


def _key_of_secret(ask: Inquiry, symbol: Symbol) -> tuple[Json, str]:
    """The key that the resource which made a secret names, and where it does; None if it names none."""
    name = symbol.name
    for _ in range(2):
        kind = ask.types.get(name, "")
        properties = ask.reader.template.properties(name)
        if kind in _KEY_OF_SECRET:
            node: Json = properties
            for step in _KEY_OF_SECRET[kind]:
                node = node.get(step) if isinstance(node, dict) else None
            return node, f"Resources/{name}/Properties/{'/'.join(_KEY_OF_SECRET[kind])}"
        texts = ask.reader.text(properties.get("SecretId"))
        target = ask.symbols.sole(texts[0].text) if len(texts) == 1 else None
        if target is None:
            break
        name = target.name
    return None, ""


FEATURE = Feature(
    id="keys",
    title="Customer managed keys",
    docs=DOCS,
    grants=(SECRETS, PARAMETERS, OBJECTS),
)
