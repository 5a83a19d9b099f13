"""Amazon CloudWatch Logs: log groups and their streams, as ARNs, names and references.

See https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
"""

from __future__ import annotations

import re

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.services.resources import begins_unknown
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import ACCOUNT, MANY, PARTITION, REGION, SymbolicText, Symbols

TYPE = "AWS::Logs::LogGroup"

_ARN = late_pattern(r"(?P<start>arn:[^:]*:logs:[^:]*:[^:]*:log-group):(?P<name>[^:]+)(?::\*)?", re.DOTALL)


def is_arn(reader: Reader, text: SymbolicText) -> bool:
    """Whether a text is certainly an ARN, or begins as one, and is not the name of a log group."""
    symbol = reader.symbols.sole(text)
    if symbol is None:
        return text.startswith("arn:")
    return symbol.kind == "GetAtt" and returns(reader.template, symbol) == "log-group-arn"


def region_of(text: SymbolicText) -> SymbolicText | None:
    """The region in the ARN of a log group; None for a name or a reference."""
    return SymbolicText(text.split(":", 4)[3]) if _ARN.fullmatch(text) else None


def read(reader: Reader, text: SymbolicText, region: SymbolicText | None) -> SymbolicText | None:
    """Reads the ARN, the name or a reference of a log group. None if `text` is the ARN of something else.

    Args:
        reader: reads the template.
        text: the symbolic text.
        region: the region that is declared for the log group, if any. A complete ARN contains its own.

    Returns:
        The log group's ARN; see `named`.
    """
    match = _ARN.fullmatch(text)
    if match:
        return f"{match['start']}:{match['name']}"
    if text.startswith("arn:"):
        return None
    symbol = reader.symbols.sole(text)
    if symbol is not None and symbol.kind == "GetAtt" and symbol.attribute == "Arn":
        return text if region is None else named(reader, reader.symbols.ref(symbol.name), region)
    if not begins_unknown(reader, text):
        return named(reader, text, REGION if region is None else region)
    # Only the deployment knows whether it is the name or the ARN.
    if region is None:
        region = at_deployment.field(reader.symbols, text, 3, f":-:-:{REGION}")
    name = at_deployment.after(reader.symbols, text, ":log-group:")
    return named(reader, at_deployment.before(reader.symbols, name, ":"), region)


def named(reader: Reader, name: SymbolicText, region: SymbolicText = REGION) -> SymbolicText:
    """The ARN of the log group of that name, without the `:*` at its end.

    For a log group of the template the ARN is one symbol, `!GetAtt Group.Arn`, which ends with `:*`.
    """
    symbol = reader.symbols.sole(name)
    if (
        symbol is not None
        and symbol.kind == "Ref"
        and reader.template.types.get(symbol.name) == TYPE
        and region in (REGION, reader.template.region)
    ):
        return reader.symbols.get_att(symbol.name, "Arn")
    return f"arn:{PARTITION}:logs:{region}:{ACCOUNT}:log-group:{name}"


def streams(arn: SymbolicText) -> SymbolicText:
    """The ARN of all streams of a log group, with which IAM compares; `!GetAtt Group.Arn` is this ARN already."""
    return arn if len(arn) == 1 else f"{arn}:{MANY}"


def without_streams(symbols: Symbols, arn: SymbolicText, region: SymbolicText) -> SymbolicText:
    """The ARN of a log group without `:*` in each case; for `!GetAtt Group.Arn`, an ARN with the log group's name."""
    symbol = symbols.sole(arn)
    if symbol is None:
        return arn
    return f"arn:{PARTITION}:logs:{region}:{ACCOUNT}:log-group:{symbols.ref(symbol.name)}"
