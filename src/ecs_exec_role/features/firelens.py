"""Reading the configuration file of a FireLens log router from S3.

Looks at every container's `FirelensConfiguration` whose `config-file-type` is `s3`; a file inside of the image needs
nothing, and where the router sends logs is the task role's business.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.features import environment_files
from ecs_exec_role.needs.context import Entry, Inquiry
from ecs_exec_role.needs.need import Feature, Grant, Need
from ecs_exec_role.spec.language import Key
from ecs_exec_role.template.conditions import Guard
from ecs_exec_role.template.symbols import Json, is_symbolic

GRANTS = (
    Grant("ReadFireLensConfigs", ("s3:GetObject",), "Object"),
    Grant("LocateFireLensConfigs", ("s3:GetBucketLocation",), "Bucket"),
)


def infer(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of a container's `FirelensConfiguration`."""
    for case in ask.reader.mappings(node, guard, path):
        for options in ask.reader.mappings(case.node.get("Options", {}), case.guard, f"{case.path}/Options"):
            here = f"{options.path}/config-file-value"
            for kind in ask.reader.text(options.node.get("config-file-type"), options.guard, here):
                if kind.text == "s3" or is_symbolic(kind.text):
                    value = options.node.get("config-file-value")
                    yield from environment_files.infer_object(ask, value, kind.guard, here, "FireLensConfigs", GRANTS)


def declare(ask: Inquiry, entry: Entry) -> Iterator[Need]:
    """The needs of one entry of `FireLensConfigs`."""
    yield from environment_files.declare(ask, entry, GRANTS)


FEATURE = Feature(
    id="firelens",
    title="FireLens configuration files",
    docs="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/firelens-taskdef.html",
    grants=GRANTS,
    containers={"FirelensConfiguration": infer},
    keys={
        Key(
            "FireLensConfigs",
            "entries",
            "Read these FireLens configuration files from S3, and locate their buckets.",
            (["arn:aws:s3:::config/fluent-bit.conf"],),
            item="Object",
            options=(environment_files.KMS_KEY,),
        ): declare
    },
)
