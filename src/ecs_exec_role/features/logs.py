"""Writing a container's output to CloudWatch Logs with the `awslogs` driver.

Looks at `LogConfiguration` of every container and of the Service Connect proxies of the services that run the
definition, at an Express Gateway service's `AwsLogsConfiguration`, and, in AWS Batch, at its absence. The region is
the driver's; the account is always the task's own. `awsfirelens` writes with the task role; other drivers do not call
AWS.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.definitions import BATCH, EXPRESS, proxies
from ecs_exec_role.needs.feature import FLAG, Feature, Key, Option
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.services import logs
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import MANY, ONE, REGION, SymbolicText, is_symbolic

BATCH_LOG_GROUP = SymbolicText("/aws/batch/job")
"""The log group of the containers in AWS Batch that name none."""

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html"

WRITE = Grant("WriteLogs", ("logs:CreateLogStream", "logs:PutLogEvents"), "LogGroup")
CREATE = Grant("CreateLogGroups", ("logs:CreateLogGroup",), "NewLogGroup")

_FIX = "write the name of a log group"
_THIS_REGION = {"Ref": "AWS::Region"}
_SUFFIXES = (f"-{4 * ONE}", f"-{4 * ONE}-{4 * ONE}")
"""What ECS adds to the name of a service in the name of the log group that it creates."""
_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
"""The texts that the driver reads as true in awslogs-create-group, by Go's strconv.ParseBool."""


def infer(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a `LogConfiguration`."""
    for case in cursor.mappings():
        for driver in case.get("LogDriver").texts():
            options = case.get("Options", {})
            # A driver that is only known at deployment may be this one, if there is a log group for it.
            if driver.text == "awslogs" or (is_symbolic(driver.text) and options.has("awslogs-group")):
                _awslogs(ctx, options.given(driver.path_condition))
            elif driver.text == "awsfirelens":
                text = "FireLens sends logs with the task role, not with this role"
                ctx.note(driver.path, text, DOCS, driver.path_condition, code="uses-task-role")


def _awslogs(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of the driver's `Options`. Where no log group is named, only AWS Batch has one."""
    is_batch = ctx.definition_type == BATCH
    for options in cursor.mappings():
        named = options.get("awslogs-group")
        for group in ctx.filled(named, _FIX):
            if logs.is_arn(ctx.reader, group.text):
                _refuse_arn(ctx, group)
            else:
                _of_group(ctx, options, group)
        if is_batch:
            _of_batch(ctx, options, named.absences())
    if is_batch:
        no_options = cursor._replace(node={})
        _of_batch(ctx, no_options, cursor.absences())


def _of_batch(ctx: InferenceContext, options: Cursor, path_conditions: Iterable[PathCondition]) -> None:
    """Adds the needs of AWS Batch's own log group, under these conditions."""
    for path_condition in path_conditions:
        _of_group(ctx, options, Alternative(path_condition, BATCH_LOG_GROUP, options.path))


def _of_group(ctx: InferenceContext, options: Cursor, group: Alternative) -> None:
    """Adds the needs of one log group, under its conditions."""
    for path_condition, region in _regions(ctx, options, group.path_condition):
        arn = logs.named(ctx.reader, group.text, region)
        ctx.need(WRITE, logs.streams(arn), path_condition, group.path, group.text)
        if "awslogs-create-group" not in options.node:
            continue
        for create in options.get("awslogs-create-group").given(path_condition).texts():
            # A value that is not known now may be true, and then the task cannot start without this.
            if create.text in _TRUE or is_symbolic(create.text):
                _creates(ctx, arn, region, group.given(create.path_condition))


def _regions(
    ctx: InferenceContext, options: Cursor, path_condition: PathCondition
) -> list[tuple[PathCondition, SymbolicText]]:
    """The regions of a log group: the stack's where none is named, and where the one that is named cannot be used."""
    in_stack = [(path_condition, REGION)]
    if options.node.get("awslogs-region") in (None, _THIS_REGION):
        return in_stack
    named = options.get("awslogs-region").given(path_condition)
    regions = [(region.path_condition, region.text) for region in ctx.values(named)]
    regions += [(absent, REGION) for absent in named.absences()]
    return regions or in_stack


def infer_default(ctx: InferenceContext, container: Cursor) -> None:
    """Adds the needs of an AWS Batch container without `LogConfiguration`: Batch uses its own log group then."""
    no_options = container._replace(node={})
    _of_batch(ctx, no_options, container.get("LogConfiguration").absences())


def infer_service(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a service's `ServiceConnectConfiguration`: its proxies write logs with the role of the task."""
    for case in proxies(cursor):
        if case.has("LogConfiguration"):
            infer(ctx, case.get("LogConfiguration"))


def infer_express(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of an Express Gateway service's `AwsLogsConfiguration`."""
    for case in cursor.mappings():
        for group in ctx.filled(case.get("LogGroup"), _FIX):
            if logs.is_arn(ctx.reader, group.text):
                _refuse_arn(ctx, group)
            else:
                arn = logs.named(ctx.reader, group.text)
                ctx.need(WRITE, logs.streams(arn), group.path_condition, group.path, group.text)


def infer_express_default(ctx: InferenceContext, container: Cursor) -> None:
    """Adds the needs of an Express Gateway service where its container has no `AwsLogsConfiguration`.

    ECS then creates a log group `/aws/ecs/CLUSTER/SERVICE-SUFFIX`, with a suffix that is not known in advance.
    """
    service = Cursor.of_resource(ctx.reader, ctx.definition)
    for path_condition in container.get("AwsLogsConfiguration").absences():
        _express_groups(ctx, service.given(path_condition), container.path)


def _express_groups(ctx: InferenceContext, service: Cursor, place: str) -> None:
    for cluster in ctx.values_or(service.get("Cluster"), "default"):
        stem = f"/aws/ecs/{_cluster_name(ctx, cluster.text)}/"
        named = service.get("ServiceName").given(cluster.path_condition)
        groups: list[tuple[PathCondition, SymbolicText]] = []
        for name in ctx.values(named):
            groups += [(name.path_condition, f"{stem}{name.text}{end}") for end in _SUFFIXES]
        groups += [(path_condition, f"{stem}{MANY}") for path_condition in named.absences()]
        for path_condition, group in groups:
            arn = logs.named(ctx.reader, group)
            ctx.need(WRITE, logs.streams(arn), path_condition, place, group)
        if groups:
            ctx.warn(
                place,
                "names no log group, so ECS creates one with a random suffix, and the grant cannot be exact",
                "write AwsLogsConfiguration: {LogGroup: …, LogStreamPrefix: …}",
                code="inexact-grant",
            )


def _cluster_name(ctx: InferenceContext, text: SymbolicText) -> SymbolicText:
    """The name of a cluster that is given by name or by ARN."""
    if text.startswith("arn:"):
        return text.rpartition("/")[2]
    symbol = ctx.symbols.sole(text)
    if symbol is None or symbol.kind == "Dynamic" or returns(ctx.reader.template, symbol) == "cluster-name":
        return text
    if returns(ctx.reader.template, symbol) == "cluster-arn":
        return ctx.symbols.ref(symbol.name)
    return at_deployment.after(ctx.symbols, text, "/")


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds the needs of one of the spec's `LogGroups`."""
    for text in entry.value.texts():
        group = text._replace(text=text.text.removesuffix(":*"))
        if not ctx.without_wildcard(group) or not ctx.may_name(group, (logs.TYPE,)):
            continue
        region = entry.option("Region").given(group.path_condition)
        for declared in ctx.values(region):
            if not _contradicts(ctx, group, declared):
                _declared(ctx, entry, group.given(declared.path_condition), declared.text)
        for path_condition in region.absences():
            _declared(ctx, entry, group.given(path_condition), None)


def _contradicts(ctx: InferenceContext, group: Alternative, region: Alternative) -> bool:
    """Whether the ARN of a log group is certainly in another region than its entry names, which is a problem."""
    stated = logs.region_of(group.text)
    known = {ctx.reader.known(text) for text in (stated, region.text) if text is not None}
    if stated is None or None in known or len(known) == 1:
        return False
    what = f"`{ctx.symbols.show(region.text)}` is not the region in the ARN of the log group"
    ctx.problem(region.path, what, "remove it, or write the name of the log group", code="wrong-value")
    return True


def _declared(ctx: InferenceContext, entry: ListEntry, group: Alternative, region: SymbolicText | None) -> None:
    """Adds the needs of one log group of an entry, in one region; None where the entry names none."""
    arn = logs.read(ctx.reader, group.text, region)
    if arn is None:
        ctx.problem(
            group.path,
            f"`{ctx.symbols.show(group.text)}` is not the ARN of a log group",
            "write arn:PARTITION:logs:REGION:ACCOUNT:log-group:NAME, or the name alone",
            code="wrong-arn",
        )
        return
    stem = logs.without_streams(ctx.symbols, arn, REGION if region is None else region)
    prefix = entry.option("StreamPrefix").given(group.path_condition)
    for stream in ctx.values(prefix):
        resource = f"{stem}:log-stream:{stream.text.rstrip('/')}/{MANY}"
        ctx.need(WRITE, resource, stream.path_condition, group.path, group.text)
    for path_condition in prefix.absences():
        ctx.need(WRITE, logs.streams(arn), path_condition, group.path, group.text)
    for path_condition, required in ctx.choices(entry.option("Create").given(group.path_condition), FLAG):
        if required:
            there = group.given(path_condition)
            _creates(ctx, arn, REGION if region is None else region, there)


def _creates(ctx: InferenceContext, arn: SymbolicText, region: SymbolicText, place: Alternative) -> None:
    """AWS's denials for a new log group have named its own ARN, and also the ARN of its streams.

    See https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
    """
    for resource in (logs.without_streams(ctx.symbols, arn, region), logs.streams(arn)):
        ctx.need(CREATE, resource, place.path_condition, place.path, place.text)


def _refuse_arn(ctx: InferenceContext, group: Alternative) -> None:
    """Reports the ARN of a log group where the driver takes the name."""
    symbol = ctx.symbols.sole(group.text)
    fix = f"write !Ref {symbol.name}" if symbol is not None else "write the name alone"
    what = f"`{ctx.symbols.show(group.text)}` is the ARN of a log group, and the driver takes its name"
    ctx.problem(group.path, what, fix, "wrong-arn")


FEATURE = Feature(
    id="logs",
    title="Container logs",
    docs=DOCS,
    grants=(WRITE, CREATE),
    containers={"LogConfiguration": infer, "AwsLogsConfiguration": infer_express},
    services={"ServiceConnectConfiguration": infer_service},
    defaults={BATCH: infer_default, EXPRESS: infer_express_default},
    keys={
        Key(
            "LogGroups",
            "entries",
            "Write to these CloudWatch log groups.",
            (["/ecs/web"], [{"LogGroup": "/ecs/web", "Create": True, "StreamPrefix": "web"}]),
            item="LogGroup",
            options=(
                Option("Region", "The region of the group, if it is not the stack's."),
                Option("Create", "Whether the group may be created too (awslogs-create-group).", FLAG, default=False),
                Option("StreamPrefix", "Only write to streams under this prefix (awslogs-stream-prefix)."),
            ),
        ): declare
    },
)
