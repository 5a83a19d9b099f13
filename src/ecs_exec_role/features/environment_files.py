"""Reading a container's environment files from S3.

Looks at every container's `EnvironmentFiles`. The object is read, and its bucket located, which AWS documents as
needed.
"""

from __future__ import annotations

from ecs_exec_role.features import keys
from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.feature import Feature, Key, Option
from ecs_exec_role.needs.need import Condition, Grant
from ecs_exec_role.services import s3
from ecs_exec_role.services.resources import owned
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import ACCOUNT, is_symbolic

READ = Grant("ReadEnvironmentFiles", ("s3:GetObject",), "Object")
LOCATE = Grant("LocateEnvironmentFiles", ("s3:GetBucketLocation",), "Bucket")

_FIX = "write arn:PARTITION:s3:::BUCKET/KEY"

KMS_KEY = Option("KmsKey", "The customer key that the object is encrypted with: ID, ARN, alias, !Ref or !GetAtt.")


def infer(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a container's `EnvironmentFiles`."""
    for item in cursor.mapping_items():
        infer_object(ctx, item.get("Value"), "EnvironmentFiles")


def infer_object(
    ctx: InferenceContext,
    cursor: Cursor,
    key: str,
    grants: tuple[Grant, Grant] = (READ, LOCATE),
) -> None:
    """Adds the needs of the S3 object that a definition names by its ARN.

    A spec's list `key` can declare one that is not known.
    """
    if cursor.node is None:
        ctx.problem(cursor.path, "is empty", _FIX, "empty")
    for text in cursor.texts():
        if not text.text:
            ctx.problem(text.path, "is empty", _FIX, "empty")
            continue
        found = s3.read(ctx.reader, text.text)
        if found is not None:
            needs(ctx, found, text, grants)
        elif not _refused(ctx, text) and not ctx.declared((key,), text.text):
            ctx.unclassified(text, "S3 object", (key,))


def _refused(ctx: InferenceContext, text: Alternative) -> bool:
    """Reports a text that is certainly not the ARN of an object."""
    if not ctx.may_name(text, (s3.TYPE,), begins=True, fix=_FIX):
        return True
    value, fix = text.text, _FIX
    symbol = ctx.symbols.sole(value[:1])
    kind = returns(ctx.reader.template, symbol) if symbol is not None else ""
    shown = ctx.symbols.show(value)
    if symbol is not None and kind == "bucket-name":
        fix = f"write !Sub arn:${{AWS::Partition}}:s3:::${{{symbol.name}}}/KEY"
    elif symbol is not None and kind == "bucket-arn":
        fix = f"write !Sub ${{{symbol.name}.Arn}}/KEY"
    elif symbol is not None or (value.startswith("arn:") and is_symbolic(":".join(value.split(":")[:3]))):
        return False
    ctx.problem(text.path, f"`{shown}` is not the ARN of an S3 object", fix, "wrong-arn")
    return True


def needs(
    ctx: InferenceContext,
    found: s3.S3Object,
    place: Alternative,
    grants: tuple[Grant, Grant] = (READ, LOCATE),
    key: Cursor | None = None,
) -> None:
    """Adds the needs of reading one object, including those of its bucket and its key."""
    read, locate = grants
    # An S3 ARN names no account. If the stack has the bucket, a bucket of this name in another account is not read.
    for owner, path_condition in owned(ctx.reader, found.owners, place.path_condition):
        ours: tuple[Condition, ...] = (("StringEquals", "aws:ResourceAccount", (ACCOUNT,)),) if owner else ()
        ctx.need(read, found.arn, path_condition, place.path, place.text, ours)
        ctx.need(locate, found.bucket_arn, path_condition, place.path, place.text, ours)
    keys.of_object(ctx, found, place, key)


def listed(ctx: InferenceContext, text: Alternative) -> s3.S3Object | None:
    """The object that an entry of a spec's list names. None if it names no object, which is a problem."""
    found = s3.read(ctx.reader, text.text)
    if found is not None:
        return found
    if _refused(ctx, text):
        return None
    if at_deployment.is_late(ctx.symbols, text.text):
        what = f"`{ctx.symbols.show(text.text)}` is a dynamic reference, which CloudFormation cannot split"
        ctx.problem(text.path, what, _FIX, "dynamic-reference")
        return None
    return s3.of_unknown(ctx.reader, text.text)


def declare(ctx: InferenceContext, entry: ListEntry, grants: tuple[Grant, Grant] = (READ, LOCATE)) -> None:
    """Adds the needs of one entry of `EnvironmentFiles`, or of any list with the same form."""
    for text in ctx.values(entry.value):
        found = listed(ctx, text)
        if found is not None:
            needs(ctx, found, text, grants, entry.given("KmsKey"))


FEATURE = Feature(
    id="environment-files",
    title="Environment files",
    docs="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html",
    grants=(READ, LOCATE),
    containers={"EnvironmentFiles": infer},
    keys={
        Key(
            "EnvironmentFiles",
            "entries",
            "Read these environment files from S3, and locate their buckets.",
            (["arn:aws:s3:::config/web.env"], [{"Object": "arn:aws:s3:::config/web.env", "KmsKey": "alias/config"}]),
            item="Object",
            options=(KMS_KEY,),
        ): declare
    },
)
