"""Decrypting with customer managed KMS keys what the other features read.

A key is never granted by itself: `kms:Decrypt` only through the service that keeps the secret, parameter or object
(`kms:ViaService`), and only with the encryption context of the very thing. The keys that AWS manages
(`aws/secretsmanager`, `aws/ssm`, `aws/s3`) need no grant.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.needs.context import InferenceContext
from ecs_exec_role.needs.feature import Feature
from ecs_exec_role.needs.need import Condition, Grant, Need
from ecs_exec_role.services.arns import S3Object, Secret, kms_key
from ecs_exec_role.template.conditions import Guard
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import ACCOUNT, ONE, PARTITION, REGION, Symbol

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


def of_secret(ctx: InferenceContext, secret: Secret, place: Alternative, key: Cursor | None = None) -> Iterator[Need]:
    """The needs of decrypting a secret: with `key`, or with the key that the secret's own resource names."""
    if key is None and secret.symbol is not None:
        key = _key_of_secret(ctx, secret.symbol)
        if key is None and ctx.types.get(secret.symbol.name, "").startswith("AWS::"):
            ctx.note(
                place.path,
                "encrypted with the key that AWS manages for Secrets Manager, which needs no grant",
                "https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
                place.guard,
            )
    elif key is None:
        ctx.unknown_key(place, secret.arn)
    if key is None:
        return
    yield from _decrypt(
        ctx,
        SECRETS,
        key,
        place,
        service="secretsmanager",
        region=secret.region,
        context="SecretARN",
        values=secret.resources(),
    )


def of_parameter(
    ctx: InferenceContext, arns: tuple[str, ...], region: str, place: Alternative, key: Cursor
) -> Iterator[Need]:
    """The needs of decrypting a SecureString parameter with `key`."""
    yield from _decrypt(ctx, PARAMETERS, key, place, service="ssm", region=region, context="PARAMETER_ARN", values=arns)


def of_object(ctx: InferenceContext, item: S3Object, place: Alternative, key: Cursor | None = None) -> Iterator[Need]:
    """The needs of decrypting an S3 object: with `key`, or with the default key of its bucket in this template.

    With an S3 Bucket Key the encryption context is the bucket's ARN instead of the object's; where it is not known
    whether the bucket has one, both are allowed. See
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
    """
    if key is not None:
        yield from _decrypt_object(ctx, key, place, (item.arn, item.bucket_arn))
        return
    if item.bucket is None:
        return
    bucket = Cursor.of_resource(ctx.reader, item.bucket, place.guard)
    for case in bucket.get("BucketEncryption").cases():
        for rule in case.get("ServerSideEncryptionConfiguration").items():
            bucket_key = rule.get("BucketKeyEnabled").node
            # Objects that are older than the bucket's key setting keep a context of their own.
            values = (item.arn,) if bucket_key in (None, False, "false") else (item.arn, item.bucket_arn)
            for inner in rule.get("ServerSideEncryptionByDefault").cases():
                if inner.has("KMSMasterKeyID"):
                    there = place._replace(guard=inner.guard)
                    yield from _decrypt_object(ctx, inner.get("KMSMasterKeyID"), there, values)


def _decrypt_object(ctx: InferenceContext, key: Cursor, place: Alternative, values: tuple[str, ...]) -> Iterator[Need]:
    yield from _decrypt(ctx, OBJECTS, key, place, service="s3", region=REGION, context="aws:s3:arn", values=values)


def _decrypt(
    ctx: InferenceContext,
    grant: Grant,
    key: Cursor,
    place: Alternative,
    *,
    service: str,
    region: str,
    context: str,
    values: tuple[str, ...],
) -> Iterator[Need]:
    for guard, node in _keys(ctx, key._replace(guard=place.guard)):
        found = kms_key(node, region)
        if found is None:
            continue
        # A bucket's region does not stand in its ARN: the key's, which must be the same, does.
        where = found.region if service == "s3" else region
        conditions: list[Condition] = [("StringEquals", "kms:ViaService", _via(ctx, service, where))]
        if found.alias is not None:
            conditions.append(("ForAnyValue:StringEquals", "kms:ResourceAliases", (found.alias,)))
        operator = "StringLike" if any(ONE in value for value in values) else "StringEquals"
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


def _via(ctx: InferenceContext, service: str, region: str) -> tuple[str, ...]:
    """The names under which KMS may know a service.

    Outside of the commercial and the GovCloud regions it is not documented which suffix KMS uses, so both are allowed.
    """
    suffixes = dict.fromkeys(("amazonaws.com", ctx.reader.template.url_suffix))
    return tuple(f"{service}.{region}.{suffix}" for suffix in suffixes)


def _keys(ctx: InferenceContext, key: Cursor, depth: int = 0) -> Iterator[tuple[Guard, str]]:
    """The texts that a key can be, with references to keys and aliases of the template followed to the key's ARN."""
    for text in ctx.values(key):
        if key.path.startswith(ctx.spec_path) and not ctx.may_name(text, _KEY_TYPES):
            continue
        symbol = ctx.symbols.sole(text.text)
        name = symbol.name if symbol else ""
        kind = ctx.types.get(name, "")
        if symbol is not None and kind in _KEY_TYPES and kind != _ALIAS:
            yield text.guard, ctx.symbols.get_att(name, "Arn")
        elif symbol is not None and kind == _ALIAS:
            yield from _aliased(ctx, name, text.guard, depth)
        elif text.text.startswith("alias/") and (alias := _alias_named(ctx, text.text)) is not None:
            yield from _aliased(ctx, alias, text.guard, depth)
        elif (
            symbol is not None
            and symbol.kind == "Ref"
            and not kind
            and symbol.name not in ctx.reader.template.parameters
        ):
            # A snippet does not see what it refers to; a Ref to a key is its ID.
            yield text.guard, f"arn:{PARTITION}:kms:{REGION}:{ACCOUNT}:key/{text.text}"
        else:
            yield text.guard, text.text


def _aliased(ctx: InferenceContext, alias: str, guard: Guard, depth: int) -> Iterator[tuple[Guard, str]]:
    if depth < 3:
        yield from _keys(ctx, Cursor.of_resource(ctx.reader, alias, guard).get("TargetKeyId"), depth + 1)


def _alias_named(ctx: InferenceContext, name: str) -> str | None:
    for logical_id in ctx.resources_of(_ALIAS):
        texts = Cursor.of_resource(ctx.reader, logical_id).get("AliasName").texts()
        if any(text.text == name for text in texts):
            return logical_id
    return None


def _key_of_secret(ctx: InferenceContext, symbol: Symbol) -> Cursor | None:
    """The key that the resource which made a secret names; None if it names none."""
    name = symbol.name
    for _ in range(2):
        kind = ctx.types.get(name, "")
        cursor = Cursor.of_resource(ctx.reader, name)
        if kind in _KEY_OF_SECRET:
            for step in _KEY_OF_SECRET[kind]:
                cursor = cursor.get(step)
            return None if cursor.node is None else cursor
        texts = cursor.get("SecretId").texts()
        target = ctx.symbols.sole(texts[0].text) if len(texts) == 1 else None
        if target is None:
            break
        name = target.name
    return None


FEATURE = Feature(
    id="keys",
    title="Customer managed keys",
    docs=DOCS,
    grants=(SECRETS, PARAMETERS, OBJECTS),
)
