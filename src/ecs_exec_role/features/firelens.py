"""Reading the configuration file of a FireLens log router from S3.

Looks at every container's `FirelensConfiguration` whose `config-file-type` is `s3`. A file in the image needs
nothing, and the router sends logs with the task role.
"""

from __future__ import annotations

from ecs_exec_role.features import environment_files
from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.definitions import services
from ecs_exec_role.needs.feature import Feature, Key
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import is_symbolic

_FARGATE = ("FARGATE", "FARGATE_SPOT")
"""The names of Fargate: as a launch type, a compatibility and a capacity provider."""

GRANTS = (
    Grant("ReadFireLensConfigs", ("s3:GetObject",), "Object"),
    Grant("LocateFireLensConfigs", ("s3:GetBucketLocation",), "Bucket"),
)


def infer(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a container's `FirelensConfiguration`."""
    for case in cursor.mappings():
        for options in case.get("Options", {}).mappings():
            for kind in options.get("config-file-type").texts():
                value = options.get("config-file-value").given(kind.path_condition)
                if kind.text == "s3" or (is_symbolic(kind.text) and value.node is not None):
                    _say_fargate(ctx, kind)
                    environment_files.infer_object(ctx, value, "FireLensConfigs", GRANTS)


def _say_fargate(ctx: InferenceContext, kind: Alternative) -> None:
    """Fargate reads a configuration file only from the image."""
    if _can_run_on_fargate(ctx, kind):
        what = "config-file-type s3 is not supported on Fargate"
        ctx.warn(kind.path, what, "add the file to the image, and write config-file-type: file", "not-on-fargate")


def _can_run_on_fargate(ctx: InferenceContext, place: Alternative) -> bool:
    """Whether the definition, or a service of the template that runs it, names Fargate."""
    definition = Cursor.of_resource(ctx.reader, ctx.definition, place.path_condition)
    with ctx.reader.problems.aside():  # What is wrong with these properties is for CloudFormation to say.
        named = [*definition.get("RequiresCompatibilities").items(), *definition.get("PlatformCapabilities").items()]
        for service in services(ctx.reader).get(ctx.definition, ()):
            strategy = service.get("CapacityProviderStrategy")
            providers = [case.get("CapacityProvider") for item in strategy.items() for case in item.cases()]
            named += [service.get("LaunchType"), *providers]
        return any(text.text in _FARGATE for cursor in named for text in cursor.texts())


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds the needs of one entry of `FireLensConfigs`."""
    environment_files.declare(ctx, entry, GRANTS)


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
