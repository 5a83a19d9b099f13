"""Reading a container's environment files from S3.

Looks at every container's `EnvironmentFiles`. The object is read, and its bucket located, which AWS documents as
needed.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.features import keys
from ecs_exec_role.needs.context import Entry, InferenceContext
from ecs_exec_role.needs.feature import Feature, Key, Option
from ecs_exec_role.needs.need import Grant, Need
from ecs_exec_role.services import arns
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative

READ = Grant("ReadEnvironmentFiles", ("s3:GetObject",), "Object")
LOCATE = Grant("LocateEnvironmentFiles", ("s3:GetBucketLocation",), "Bucket")

KMS_KEY = Option("KmsKey", "The customer key that the object is encrypted with: ID, ARN, alias, !Ref or !GetAtt.")


def infer(ctx: InferenceContext, cursor: Cursor) -> Iterator[Need]:
    """The needs of a container's `EnvironmentFiles`."""
    for item in cursor.mapping_items():
        yield from infer_object(ctx, item.get("Value"), "EnvironmentFiles")


def infer_object(
    ctx: InferenceContext,
    cursor: Cursor,
    key: str,
    grants: tuple[Grant, Grant] = (READ, LOCATE),
) -> Iterator[Need]:
    """The needs of the S3 object that a definition names by its ARN; `key` of a spec can settle one that is unknown."""
    for text in cursor.texts():
        found = arns.s3_object(text.text, ctx.symbols, ctx.types)
        if found is not None:
            yield from needs(ctx, found, text, grants)
        elif ctx.declared((key,), text.text) or not text.text:
            continue
        elif ctx.symbols.within(text.text):
            ctx.unclassified(text, "S3 object", (key,))
        else:
            ctx.problem(text.path, f"`{text.text}` is no S3 object's ARN", "write arn:PARTITION:s3:::BUCKET/KEY")


def needs(
    ctx: InferenceContext,
    found: arns.S3Object,
    place: Alternative,
    grants: tuple[Grant, Grant] = (READ, LOCATE),
    key: Cursor | None = None,
) -> Iterator[Need]:
    """The needs of reading one object: locating its bucket and its key's included."""
    read, locate = grants
    yield Need(read, found.arn, place.guard, place.path, place.text)
    yield Need(locate, found.bucket_arn, place.guard, place.path, place.text)
    yield from keys.of_object(ctx, found, place, key)


def listed(ctx: InferenceContext, text: Alternative) -> arns.S3Object | None:
    """The object that an entry of a spec's list names; None, and a problem, if it names none."""
    found = arns.s3_object(text.text, ctx.symbols, ctx.types)
    symbol = ctx.symbols.sole(text.text)
    if found is None and symbol is not None and symbol.kind != "Dynamic":
        bucket = ctx.symbols.opaque({"Fn::Select": [0, {"Fn::Split": ["/", symbol.node]}]})
        return arns.S3Object(text.text, bucket, None)
    if found is None:
        ctx.problem(
            text.path, f"`{ctx.symbols.show(text.text)}` is no S3 object's ARN", "write arn:PARTITION:s3:::BUCKET/KEY"
        )
    return found


def declare(ctx: InferenceContext, entry: Entry, grants: tuple[Grant, Grant] = (READ, LOCATE)) -> Iterator[Need]:
    """The needs of one entry of `EnvironmentFiles`, or of any list with the same form."""
    for text in ctx.values(entry.value):
        found = listed(ctx, text)
        if found is not None:
            yield from needs(ctx, found, text, grants, entry.given("KmsKey"))


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
