"""ARNs and names, taken apart and put together as symbolic text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ecs_exec_role.template.symbols import ACCOUNT, ESCAPE, MANY, ONE, PARTITION, REGION, SYMBOL, Symbol, Symbols

_SECRET = re.compile(
    r"(?P<arn>arn:[^:]*:secretsmanager:(?P<region>[^:]*):(?P<account>[^:]*):secret:(?P<name>[^:]+))(?P<tail>(?::.*)?)",
    re.DOTALL,
)
_PARAMETER = re.compile(
    r"(?P<start>arn:[^:]*:ssm:(?P<region>[^:]*):(?P<account>[^:]*):parameter)/*(?P<name>[^:/][^:]*)(?::.*)?", re.DOTALL
)
_OBJECT = re.compile(r"arn:(?P<partition>[^:]*):s3:::(?P<bucket>[^/]+)/(?P<key>.+)", re.DOTALL)
_KEY = re.compile(r"arn:[^:]*:kms:(?P<region>[^:]*):[^:]*:(?P<kind>key|alias)/(?P<id>.+)")
_SUFFIX = re.compile(r"-[A-Za-z0-9](?=[A-Za-z0-9]{0,4}[A-Z])[A-Za-z0-9]{5}$")
_SECRET_BY_TAIL = re.compile(f"(?P<arn>{SYMBOL}):[^:]*:[^:]*:[^:]*", re.DOTALL)
_ENGINES = {"*": MANY, "?": ONE}
_SECRET_REFERENCE = re.compile(r"/?aws/reference/secretsmanager/(?P<name>.+)")

SECRETS_BY_REF = {
    "AWS::SecretsManager::Secret",
    "AWS::SecretsManager::SecretTargetAttachment",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::ResourcePolicy",
}
"""The resource types of which `Ref` is the ARN of the secret that they are about."""


class Secret(NamedTuple):
    """A secret as a definition names it.

    `arn` is its ARN without the `tail` `:json-key:stage:version`. `exact`: it surely is the whole ARN, the six random
    characters at its end included. `symbol`: the reference it came from, if it did.
    """

    arn: str
    exact: bool
    region: str = REGION
    symbol: Symbol | None = None
    tail: str = ""

    def resources(self) -> tuple[str, ...]:
        """What IAM must be told: it compares with the whole ARN, even where the request had only a part of it."""
        return (self.arn,) if self.exact else (self.arn, f"{self.arn}-{6 * ONE}")


def secret(text: str, symbols: Symbols, type_of: Mapping[str, str]) -> Secret | None:
    """Reads the ARN of a secret, or a reference that gives one; None if `text` is neither.

    See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    if (match := _SECRET.fullmatch(text)) is not None:
        arn, region, name, tail = match.group("arn", "region", "name", "tail")
        return Secret(arn, _SUFFIX.search(name) is not None, region, None, tail)
    match = _SECRET_BY_TAIL.fullmatch(text)
    arn = match["arn"] if match else text
    symbol = symbols.sole(arn)
    if symbol is None:
        return None
    if symbol.kind == "Ref" and type_of.get(symbol.name) in SECRETS_BY_REF:
        return Secret(arn, exact=True, region=REGION, symbol=symbol)
    if (
        symbol.kind == "GetAtt"
        and type_of.get(symbol.name) == "AWS::SecretsManager::Secret"
        and symbol.attribute == "Id"
    ):
        return Secret(arn, exact=True, region=REGION, symbol=symbol)
    if symbol.kind == "GetAtt" and symbol.attribute.endswith("SecretArn"):
        known = type_of.get(symbol.name, "").startswith("AWS::") and not symbol.attribute.startswith("Outputs.")
        return Secret(arn, exact=known, region=REGION, symbol=symbol)
    return Secret(arn, exact=False, region=REGION, symbol=symbol) if match else None


def secret_named(name: str, *, region: str = REGION, account: str = ACCOUNT) -> Secret:
    """The secret of that name in this account and region."""
    return Secret(
        f"arn:{PARTITION}:secretsmanager:{region}:{account}:secret:{name}", exact=False, region=region, symbol=None
    )


class Parameter(NamedTuple):
    """SSM parameter ARNs: one, or two where it is unknown whether the name starts with a slash."""

    arns: tuple[str, ...]
    region: str = REGION
    account: str = ACCOUNT


def parameter(text: str) -> Parameter | None:
    """Reads the ARN of an SSM parameter; None if `text` is none."""
    match = _PARAMETER.fullmatch(text)
    if match is None:
        return None
    return Parameter((f"{match['start']}/{match['name']}",), match["region"], match["account"])


def parameter_named(name: str, symbols: Symbols) -> Parameter:
    """The SSM parameter of that name, with or without its leading slash, in this account and region."""
    start = f"arn:{PARTITION}:ssm:{REGION}:{ACCOUNT}:parameter"
    name = name.partition(":")[0]
    first = symbols.sole(name[:1])
    if first is not None and not (first.kind == "Ref" and first.name.startswith("AWS::")):
        return Parameter((f"{start}{name}", f"{start}/{name}"), REGION)
    return Parameter((f"{start}/{name.lstrip('/')}",), REGION)


def referenced_secret(parameter_arn: str) -> Secret | None:
    """The secret behind a parameter that is only a reference to one, `/aws/reference/secretsmanager/NAME`."""
    if "/aws/reference/" not in parameter_arn:
        return None
    match = _SECRET_REFERENCE.fullmatch(parameter_arn.partition(":parameter/")[2])
    return secret_named(match["name"]) if match else None


class S3Object(NamedTuple):
    """An S3 object: its ARN and its bucket's, with `*`, `?` and `${` in the key escaped as IAM wants it."""

    arn: str
    bucket_arn: str
    bucket: str | None
    """The logical ID of the bucket, if it is in the template."""


def s3_object(text: str, symbols: Symbols, type_of: Mapping[str, str]) -> S3Object | None:
    """Reads the ARN of an S3 object; None if `text` is none."""
    match = _OBJECT.fullmatch(text)
    if match:
        key = escape(match["key"])
        symbol = symbols.sole(match["bucket"])
        if symbol is not None and symbol.kind == "Ref" and type_of.get(symbol.name) == "AWS::S3::Bucket":
            arn = symbols.get_att(symbol.name, "Arn")
            return S3Object(f"{arn}/{key}", arn, symbol.name)
        arn = f"arn:{match['partition']}:s3:::{match['bucket']}"
        return S3Object(f"{arn}/{key}", arn, None)
    symbol = symbols.sole(text[:1])
    if symbol is not None and symbol.kind == "GetAtt" and symbol.attribute == "Arn" and text[1:2] == "/" and text[2:]:
        bucket = symbol.name if type_of.get(symbol.name) == "AWS::S3::Bucket" else None
        return S3Object(f"{text[:2]}{escape(text[2:])}", text[:1], bucket)
    return None


def escape(text: str) -> str:
    """`text` with what IAM would take for a wildcard or a policy variable written so that it means itself.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    return re.sub(r"[*?]|\$(?=\{)", lambda match: f"{ESCAPE}{_ENGINES.get(match[0], match[0])}}}", text)


class KmsKey(NamedTuple):
    """A KMS key as IAM's `Resource`; by `alias` where only that is known, which IAM takes as a condition."""

    arn: str
    region: str
    alias: str | None


def kms_key(text: str, region: str) -> KmsKey | None:
    """Reads a key's ARN, ID, alias or alias ARN; None for the keys that AWS manages, which need no grant.

    Args:
        text: the symbolic text; one whose form is unknown is taken for an ARN.
        region: where the key is, if its text does not say so.

    See https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    """
    match = _KEY.fullmatch(text)
    if match and match["kind"] == "key":
        return KmsKey(text, match["region"], None)
    alias = f"alias/{match['id']}" if match else text
    if alias.startswith("alias/"):
        if alias.startswith("alias/aws/"):
            return None
        start = text.partition(":alias/")[0] if match else f"arn:{PARTITION}:kms:{region}:{ACCOUNT}"
        return KmsKey(f"{start}:key/{MANY}", match["region"] if match else region, alias)
    if re.match(SYMBOL, text) or text.startswith("arn:"):
        return KmsKey(text, region, None)
    return KmsKey(f"arn:{PARTITION}:kms:{region}:{ACCOUNT}:key/{text}", region, None)
