"""Objects in S3, and their buckets."""

from __future__ import annotations

from ecs_exec_role.preflight.aws import Aws, CallError, Failure
from ecs_exec_role.preflight.probes.observation import (
    SOUND,
    Observation,
    Probe,
    absent,
    not_checked,
    one_by_one,
    whole,
)
from ecs_exec_role.preflight.targets import Scope, Target, TargetKind


def _object(aws: Aws, scope: Scope, target: Target) -> Observation:
    """Whether an object exists: it is listed, not opened.

    HeadObject needs s3:GetObject, which allows reading it. Keys are listed in order, so the key itself
    comes before every other that begins with it.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """
    try:
        found = aws.call("s3", target.region, "ListObjectsV2", Bucket=target.name, Prefix=target.detail, MaxKeys=1)
        exists = any(entry.text("Key", "") == target.detail for entry in found.replies("Contents"))
    except CallError as error:
        if error.code == "NoSuchBucket":
            return absent(Target(TargetKind.BUCKET, target.region, target.account, target.name))
        return _no_bucket(error, target, scope)
    return SOUND if exists else absent(target, "upload it, or correct the key")


def _bucket(aws: Aws, scope: Scope, target: Target) -> Observation:
    """Whether a bucket exists.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    try:
        aws.call("s3", target.region, "HeadBucket", Bucket=target.name)
    except CallError as error:
        return absent(target) if error.code in ("404", "NoSuchBucket") else _no_bucket(error, target, scope)
    return SOUND


def _no_bucket(error: CallError, target: Target, scope: Scope) -> Observation:
    """S3 names no account: a refusal can also mean that the bucket belongs to another account."""
    seen = not_checked(error, target, scope)
    if error.reason is not Failure.DENIED or target.account != scope.account:
        return seen
    what = f"not checked: {target} (the check itself is not allowed s3:ListBucket, or the bucket is of another account)"
    return Observation(seen.verdict._replace(what=what), perhaps_elsewhere=True)


def _reading(target: Target, scope: Scope) -> str:
    """Reading an object also needs the bucket's location, which is checked with it."""
    bucket = f"arn:{scope.partition}:s3:::{target.name}"
    return f'["s3:GetBucketLocation","s3:GetObject"],"Resource":["{bucket}","{bucket}/{target.detail}"]'


OBJECTS = Probe(
    observe=one_by_one(_object),
    together=whole,
    policy="the bucket policy",
    statement=_reading,
)
BUCKETS = Probe(
    observe=one_by_one(_bucket),
    together=whole,
    policy="the bucket policy",
    statement=lambda target, scope: f'"s3:GetBucketLocation","Resource":"arn:{scope.partition}:s3:::{target.name}"',
)
