"""Writing a container's output to CloudWatch Logs with the `awslogs` driver.

Looks at `LogConfiguration` of every container and of the Service Connect proxies of the services that run the
definition, at an Express Gateway service's `AwsLogsConfiguration`, and, in AWS Batch, at its absence. The region is
the driver's, the account always the task's own. `awsfirelens` writes with the task role; other drivers do not call
AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecs_exec_role.errors import Problem
from ecs_exec_role.needs.context import Entry, Inquiry
from ecs_exec_role.needs.need import Feature, Grant, Need
from ecs_exec_role.spec.language import FLAG, Key, Option
from ecs_exec_role.template.conditions import Guard, both, remaining
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Alternative, Case
from ecs_exec_role.template.symbols import ACCOUNT, NO_VALUE, PARTITION, REGION, Json, is_symbolic

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html"

WRITE = Grant("WriteLogs", ("logs:CreateLogStream", "logs:PutLogEvents"), "LogGroup")
CREATE = Grant("CreateLogGroups", ("logs:CreateLogGroup",), "NewLogGroup")

_ARN = re.compile(r"(?P<start>arn:[^:]*:logs:[^:]*:[^:]*:log-group):(?P<name>[^:]+)(?::\*)?", re.DOTALL)
_THIS_REGION = {"Ref": "AWS::Region"}
_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
"""What Go's strconv.ParseBool, with which the driver reads awslogs-create-group, takes for true."""


def infer(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of a `LogConfiguration`."""
    for case in ask.reader.mappings(node, guard, path):
        for driver in ask.reader.text(case.node.get("LogDriver"), case.guard, f"{case.path}/LogDriver"):
            options = case.node.get("Options")
            # A driver that only the deployment knows may be this one, if there is a group for it.
            if driver.text == "awslogs" or (is_symbolic(driver.text) and "awslogs-group" in mapping(options)):
                here = f"{case.path}/Options" if "Options" in case.node else case.path
                yield from _awslogs(ask, case.node.get("Options", {}), driver.guard, here)
            elif driver.text == "awsfirelens":
                ask.note(
                    driver.path, "what FireLens routes is written with the task role, not this one", DOCS, driver.guard
                )


def _awslogs(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    for case in ask.reader.mappings(node, guard, path):
        options = case.node
        name = options.get("awslogs-group", ask.default_log_group)
        here = f"{case.path}/awslogs-group" if "awslogs-group" in options else case.path
        regions = list(
            ask.texts(options.get("awslogs-region", _THIS_REGION), case.guard, f"{case.path}/awslogs-region")
        )
        for group in ask.texts(name, case.guard, here):
            for region in regions or [Alternative(case.guard, REGION, case.path)]:
                together = both(group.guard, region.guard)
                if together is None:
                    continue
                place = Alternative(together, group.text, group.path)
                arn = _group_arn(ask, group.text, region.text)
                yield Need(WRITE, _streams(arn), together, group.path, group.text)
                for create in ask.reader.text(options.get("awslogs-create-group"), together, path):
                    # What is unknown now may turn out true, and then the task would not start without.
                    if create.text in _TRUE or is_symbolic(create.text):
                        yield _creates(arn, place._replace(guard=create.guard))


def infer_express(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of an Express Gateway service's `AwsLogsConfiguration`."""
    for case in ask.reader.mappings(node, guard, path):
        for group in ask.texts(case.node.get("LogGroup"), case.guard, f"{case.path}/LogGroup"):
            arn = _group_arn(ask, group.text, REGION)
            yield Need(WRITE, _streams(arn), group.guard, group.path, group.text)


def infer_express_default(ask: Inquiry, service: dict[str, Json], container: Case, path: str) -> Iterator[Need]:
    """The need of an Express Gateway service where its container has no `AwsLogsConfiguration`.

    ECS then makes a group `/aws/ecs/CLUSTER/SERVICE-SUFFIX`, whose suffix nobody can know beforehand.
    """
    node = container.node.get("AwsLogsConfiguration", NO_VALUE)
    here = f"{container.path}/AwsLogsConfiguration"
    covered = [case.guard for case in ask.reader.cases(node, container.guard, here) if case.node is not None]
    for rest in remaining(container.guard, covered):
        yield from _express_groups(ask, service, rest, path)


def _express_groups(ask: Inquiry, service: dict[str, Json], guard: Guard, path: str) -> Iterator[Need]:
    names = list(ask.texts(service.get("ServiceName"), guard, f"{path}/ServiceName"))
    for cluster in ask.texts(service.get("Cluster", "default"), guard, f"{path}/Cluster"):
        for name in names or [cluster._replace(text="")]:
            together = both(cluster.guard, name.guard)
            if together is not None:
                place = f"{path}/PrimaryContainer"
                stem = f"/aws/ecs/{cluster.text.rpartition('/')[2]}/{name.text}"
                for group in (f"{stem}-????", f"{stem}-????-????") if name.text else (f"{stem}*",):
                    arn = f"arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"
                    yield Need(WRITE, arn, together, place, group)
                ask.warnings.append(
                    Problem(
                        place,
                        "names no log group, so ECS makes one with a random suffix and the grant cannot be exact",
                        "write AwsLogsConfiguration: {LogGroup: …, LogStreamPrefix: …}",
                    )
                )


def declare(ask: Inquiry, entry: Entry) -> Iterator[Need]:
    """The needs of one of the spec's `LogGroups`."""
    regions = list(ask.texts(entry.options.get("Region", _THIS_REGION), entry.guard, f"{entry.base}/Region"))
    for text in ask.reader.text(entry.node, entry.guard, entry.path):
        group = text._replace(text=text.text.removesuffix(":*"))
        if not ask.without_wildcard(group) or not ask.may_name(group, ("AWS::Logs::LogGroup",)):
            continue
        for region in regions:
            together = both(group.guard, region.guard)
            if together is None:
                continue
            place = group._replace(guard=together)
            arn = _declared_arn(ask, group, region.text, "Region" in entry.options)
            if arn is None:
                continue
            prefix = entry.options.get("StreamPrefix")
            if prefix is None:
                yield Need(WRITE, _streams(arn), together, group.path, group.text)
            else:
                stem = _by_name(ask, arn, region.text)
                for stream in ask.texts(prefix, together, f"{entry.base}/StreamPrefix"):
                    resource = f"{stem}:log-stream:{stream.text.rstrip('/')}/*"
                    yield Need(WRITE, resource, stream.guard, group.path, group.text)
            for guard, wanted in ask.choices(entry.options.get("Create"), together, f"{entry.base}/Create", FLAG):
                if wanted:
                    yield _creates(arn, place._replace(guard=guard))


def _creates(arn: str, place: Alternative) -> Need:
    return Need(CREATE, _streams(arn), place.guard, place.path, place.text)


def _declared_arn(ask: Inquiry, group: Alternative, region: str, has_region: bool) -> str | None:
    match = _ARN.fullmatch(group.text)
    if match:
        return f"{match['start']}:{match['name']}"
    if group.text.startswith("arn:"):
        ask.problem(
            group.path,
            f"`{ask.symbols.show(group.text)}` is no log group's ARN",
            "write arn:PARTITION:logs:REGION:ACCOUNT:log-group:NAME, or the name alone",
        )
        return None
    symbol = ask.symbols.sole(group.text)
    if symbol is not None and symbol.kind == "GetAtt" and symbol.attribute == "Arn":
        return group.text if not has_region else _group_arn(ask, ask.symbols.ref(symbol.name), region)
    return _group_arn(ask, group.text, region)


def _group_arn(ask: Inquiry, name: str, region: str) -> str:
    """A group's ARN without the `:*` at its end; for a group of the template, its own ARN, one symbol, with it."""
    symbol = ask.symbols.sole(name)
    if (
        symbol is not None
        and symbol.kind == "Ref"
        and ask.types.get(symbol.name) == "AWS::Logs::LogGroup"
        and region in (REGION, ask.reader.template.region)
    ):
        return ask.symbols.get_att(symbol.name, "Arn")
    return f"arn:{PARTITION}:logs:{region}:{ACCOUNT}:log-group:{name}"


def _streams(arn: str) -> str:
    """The ARN of all of a group's streams, which is what IAM looks at; `!GetAtt Group.Arn` is that already."""
    return arn if len(arn) == 1 else f"{arn}:*"


def _by_name(ask: Inquiry, arn: str, region: str) -> str:
    """The same ARN in a form that a stream can be added to: `!GetAtt Group.Arn` ends in `:*` already."""
    symbol = ask.symbols.sole(arn)
    if symbol is None:
        return arn
    return f"arn:{PARTITION}:logs:{region}:{ACCOUNT}:log-group:{ask.symbols.ref(symbol.name)}"


def infer_default(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of an AWS Batch container where its `LogConfiguration` is absent: Batch's own group is used then."""
    covered = [case.guard for case in ask.reader.cases(node, guard, path) if case.node is not None]
    for rest in remaining(guard, covered):
        yield from _awslogs(ask, {}, rest, path)


FEATURE = Feature(
    id="logs",
    title="Container logs",
    docs=DOCS,
    grants=(WRITE, CREATE),
    containers={"LogConfiguration": infer, "AwsLogsConfiguration": infer_express},
    keys={
        Key(
            "LogGroups",
            "entries",
            "Write to these CloudWatch log groups.",
            (["/ecs/web"], [{"LogGroup": "/ecs/web", "Create": True, "StreamPrefix": "web"}]),
            item="LogGroup",
            options=(
                Option("Region", "The region of the group, if it is not the stack's."),
                Option("Create", "Whether the group may be created too (awslogs-create-group).", FLAG),
                Option("StreamPrefix", "Only write to streams under this prefix (awslogs-stream-prefix)."),
            ),
        ): declare
    },
)
