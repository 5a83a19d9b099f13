"""AWS KMS: keys and aliases, as what IAM takes for a resource.

See https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.symbols import ACCOUNT, MANY, PARTITION, SYMBOL, Symbols

_ARN = late_pattern(r"arn:[^:]*:kms:(?P<region>[^:]*):[^:]*:(?P<kind>key|alias)/(?P<id>.+)", re.DOTALL)


class KmsKey(NamedTuple):
    """A KMS key as IAM's `Resource`; by `alias` where only that is known, which IAM takes as a condition.

    `guessed`: it was taken for a key's ARN or ID, since only the deployment knows its form.
    """

    arn: str
    region: str
    alias: str = ""
    guessed: bool = False


def read(symbols: Symbols, text: str, region: str, account: str = ACCOUNT) -> KmsKey | None:
    """Reads a key's ARN, ID, alias or alias ARN; None for the keys that AWS manages, which need no grant.

    Args:
        symbols: what the text is made of.
        text: the symbolic text.
        region: where the key is, if its text does not say so.
        account: whose the key is, if its text does not say so: that of what it protects.

    See https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    """
    match = _ARN.fullmatch(text)
    if match and match["kind"] == "key":
        return KmsKey(text, match["region"])
    alias = f"alias/{match['id']}" if match else text
    if alias.startswith("alias/"):
        if alias.startswith("alias/aws/"):
            return None
        start = text.partition(":alias/")[0] if match else f"arn:{PARTITION}:kms:{region}:{account}"
        return KmsKey(f"{start}:key/{MANY}", match["region"] if match else region, alias)
    symbol = symbols.sole(text)
    if symbol is not None and symbol.kind == "GetAtt" and symbol.attribute.endswith(("Arn", "arn")):
        return KmsKey(text, region)
    if re.match(SYMBOL, text):
        return _of_unknown(symbols, text, region, account)
    return KmsKey(text if text.startswith("arn:") else f"arn:{PARTITION}:kms:{region}:{account}:key/{text}", region)


def _of_unknown(symbols: Symbols, text: str, region: str, account: str) -> KmsKey:
    """The key whose ARN or ID only the deployment knows; an alias gives a resource that never matches."""
    if at_deployment.is_late(symbols, text):
        return KmsKey(text, region, guessed=True)
    padding = f":-:-:{region}:{account}"
    where = at_deployment.field(symbols, text, 3, padding)
    whose = at_deployment.field(symbols, text, 4, padding)
    key = at_deployment.after(symbols, text, ":key/")
    return KmsKey(f"arn:{PARTITION}:kms:{where}:{whose}:key/{key}", region, guessed=True)
