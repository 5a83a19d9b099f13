"""Mounting an EFS file system.

Nothing is inferred: the mount uses the task role. `FileSystems` in a spec is for authors who want it on this role
same.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.feature import Feature, Key, Option
from ecs_exec_role.needs.need import Condition, Grant
from ecs_exec_role.services import efs
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import SymbolicText

_NOUNS: dict[efs.Kind, str] = {"file-system": "a file system", "access-point": "an access point"}

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/efs-volumes.html"

MOUNT = "elasticfilesystem:ClientMount"
WRITE = "elasticfilesystem:ClientWrite"
ROOT = "elasticfilesystem:ClientRootAccess"

GRANTS = {
    "ReadOnly": Grant("MountFileSystemsReadOnly", (MOUNT,), "FileSystem"),
    "ReadWrite": Grant("MountFileSystems", (MOUNT, WRITE), "FileSystem"),
    "Root": Grant("MountFileSystemsAsRoot", (MOUNT, ROOT, WRITE), "FileSystem"),
}

_ACCESS = "ReadWrite"
"""What a mount may do where its entry does not say it."""


def infer(ctx: InferenceContext, cursor: Cursor) -> None:
    """An EFS volume needs nothing from this role. A note says so."""
    for case in cursor.cases():
        ctx.note(
            case.path,
            "EFS is mounted with the task role, not this one",
            DOCS,
            case.path_condition,
            code="uses-task-role",
        )


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds the needs of one entry of `FileSystems`."""
    for text in ctx.values(entry.value):
        arn = _arn(ctx, text, "file-system")
        for access in entry.option("Access").given(text.path_condition).or_else(_ACCESS):
            for path_condition, required in ctx.choices(access, tuple(GRANTS)):
                for there, conditions in _through(ctx, entry.option("AccessPoint").given(path_condition)):
                    if arn is not None:
                        ctx.need(GRANTS[str(required)], arn, there, text.path, text.text, conditions)


def _through(ctx: InferenceContext, points: Cursor) -> Iterator[tuple[PathCondition, tuple[Condition, ...]]]:
    """The conditions of a mount that may be through an access point alone; none where no access point is named."""
    for point in ctx.values(points):
        arn = _arn(ctx, point, "access-point")
        if arn is not None:
            yield point.path_condition, (("StringEquals", "elasticfilesystem:AccessPointArn", (arn,)),)
    for path_condition in points.absences():
        yield path_condition, ()


def _arn(ctx: InferenceContext, text: Alternative, kind: efs.Kind) -> SymbolicText | None:
    if not ctx.may_name(text, (efs.TYPES[kind],)):
        return None
    arn = efs.read(ctx.reader, text.text, kind)
    if arn is None:
        ctx.problem(
            text.path,
            f"`{ctx.symbols.show(text.text)}` is not the ARN or the ID of {_NOUNS[kind]}",
            f"write arn:PARTITION:elasticfilesystem:REGION:ACCOUNT:{kind}/ID, or the ID alone",
            code="wrong-arn",
        )
    return arn


FEATURE = Feature(
    id="efs",
    title="EFS file systems",
    docs=DOCS,
    grants=tuple(GRANTS.values()),
    volumes={"EFSVolumeConfiguration": infer, "EfsVolumeConfiguration": infer},
    keys={
        Key(
            "FileSystems",
            "entries",
            "Mount these EFS file systems with this role. ECS itself mounts with the task role.",
            (["fs-0123456789abcdef0"], [{"FileSystem": "fs-0123456789abcdef0", "Access": "ReadOnly"}]),
            item="FileSystem",
            options=(
                Option("AccessPoint", "Only through this access point: ID, ARN, !Ref or !GetAtt."),
                Option("Access", "What the mount may do.", ("ReadOnly", "ReadWrite", "Root"), _ACCESS),
            ),
        ): declare
    },
)
