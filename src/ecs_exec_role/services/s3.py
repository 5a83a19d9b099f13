"""Amazon S3: objects, as ARNs.

See https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-arn-format.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.services.resources import Owner, owners_of
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import ESCAPE, MANY, ONE, SymbolicText

TYPE = "AWS::S3::Bucket"

_OBJECT = late_pattern(r"arn:(?P<partition>[^:]*):s3:::(?P<bucket>[^/]+)/(?P<key>.+)", re.DOTALL)
_ESCAPED = {"*": MANY, "?": ONE}


class S3Object(NamedTuple):
    """An S3 object: its ARN and its bucket's, with `*`, `?` and `${` in the key escaped for IAM.

    `owners` are the buckets of the template that it can be in.
    """

    arn: SymbolicText
    bucket_arn: SymbolicText
    owners: tuple[Owner, ...] = ()


def read(reader: Reader, text: SymbolicText) -> S3Object | None:
    """Reads the ARN of an object; None if `text` is not one."""
    symbols = reader.symbols
    match = _OBJECT.fullmatch(text)
    if match:
        key = escape(match["key"])
        symbol = symbols.sole(match["bucket"])
        if symbol is not None and returns(reader.template, symbol) == "bucket-name":
            arn = symbols.get_att(symbol.name, "Arn")
            return S3Object(f"{arn}/{key}", arn, (Owner(symbol.name),))
        arn = f"arn:{match['partition']}:s3:::{match['bucket']}"
        return S3Object(f"{arn}/{key}", arn, owners_of(reader, TYPE, "BucketName", match["bucket"]))
    symbol = symbols.sole(text[:1])
    if symbol is not None and symbol.kind == "GetAtt" and symbol.attribute == "Arn" and text[1:2] == "/" and text[2:]:
        owners = (Owner(symbol.name),) if returns(reader.template, symbol) == "bucket-arn" else ()
        return S3Object(f"{text[:2]}{escape(text[2:])}", text[:1], owners)
    return None


def of_unknown(reader: Reader, text: SymbolicText) -> S3Object:
    """The object whose ARN is only known at deployment."""
    return S3Object(text, at_deployment.before(reader.symbols, text, "/"))


def default_keys(reader: Reader, bucket: str, path_condition: PathCondition) -> Iterator[tuple[Cursor, bool]]:
    """The KMS keys that a bucket of the template encrypts its objects with, unless an object has a key of its own.

    Args:
        reader: reads the template.
        bucket: the logical ID of the bucket.
        path_condition: the conditions under which an object is read.

    Yields:
        Where the bucket names a key, and whether it has an S3 Bucket Key, or may have one.
    """
    for case in Cursor.of_resource(reader, bucket, path_condition).get("BucketEncryption").cases():
        for rule in case.get("ServerSideEncryptionConfiguration").items():
            has_bucket_key = rule.get("BucketKeyEnabled").node not in (None, False, "false")
            for inner in rule.get("ServerSideEncryptionByDefault").cases():
                if inner.has("KMSMasterKeyID"):
                    yield inner.get("KMSMasterKeyID"), has_bucket_key


def escape(text: SymbolicText) -> SymbolicText:
    """`text` with escapes, so that IAM reads no wildcard and no policy variable in it.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    return SymbolicText(re.sub(r"[*?]|\$(?=\{)", lambda match: f"{ESCAPE}{_ESCAPED.get(match[0], match[0])}}}", text))
