"""Amazon EFS: file systems and access points, as ARNs, IDs and references.

See https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticfilesystem.html
"""

from __future__ import annotations

from typing import Literal

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.services.resources import begins_unknown
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import ACCOUNT, PARTITION, REGION, SymbolicText

Kind = Literal["file-system", "access-point"]
"""What an ARN of EFS can name, as the ARN spells it."""

TYPES: dict[Kind, str] = {"file-system": "AWS::EFS::FileSystem", "access-point": "AWS::EFS::AccessPoint"}

_ARN = late_pattern(r"arn:[^:]*:elasticfilesystem:[^:]*:[^:]*:(?P<kind>file-system|access-point)/.+")


def read(reader: Reader, text: SymbolicText, kind: Kind) -> SymbolicText | None:
    """Reads the ARN, the ID or a reference of a file system or an access point.

    Args:
        reader: reads the template.
        text: the symbolic text.
        kind: which of the two it must be.

    Returns:
        Its ARN, or None if `text` is the ARN of something else.
    """
    symbol = reader.symbols.sole(text)
    if symbol is not None and reader.template.types.get(symbol.name) == TYPES[kind]:
        return reader.symbols.get_att(symbol.name, "Arn")
    if symbol is not None and symbol.kind == "GetAtt" and symbol.attribute == "Arn":
        return text
    match = _ARN.fullmatch(text)
    if match is not None and match["kind"] == kind:
        return text
    if text.startswith("arn:"):
        return None
    if not begins_unknown(reader, text):
        return f"arn:{PARTITION}:elasticfilesystem:{REGION}:{ACCOUNT}:{kind}/{text}"
    # Only the deployment knows whether it is the ID or the ARN.
    region, account = at_deployment.region_and_account(reader.symbols, text, REGION, ACCOUNT)
    identifier = at_deployment.after(reader.symbols, text, f":{kind}/")
    return f"arn:{PARTITION}:elasticfilesystem:{region}:{account}:{kind}/{identifier}"
