"""AWS KMS: keys and aliases, as what IAM takes for a resource.

See https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.symbols import ACCOUNT, MANY, PARTITION, SYMBOL, SymbolicText, Symbols, is_symbolic

_ALIAS = "alias/"
_ARN = late_pattern(r"arn:[^:]*:kms:(?P<region>[^:]*):[^:]*:(?P<kind>key|alias)/(?P<id>.+)", re.DOTALL)


_NAMED = late_pattern(
    r"(?:arn:[^:]+:kms:[^:]+:[^:]+:)?alias/[\w/-]+|(?:arn:[^:]+:kms:[^:]+:[^:]+:key/)?[\w-]+", re.ASCII
)


class KmsKey(NamedTuple):
    """A KMS key as IAM's `Resource`; by `alias` where only that is known, which IAM takes as a condition.

    `guessed`: it was taken for a key's ARN, since CloudFormation cannot take a dynamic reference apart.
    """

    arn: SymbolicText
    region: SymbolicText
    alias: str = ""
    guessed: bool = False


def can_be_key(text: str) -> bool:
    """Whether a text can name a key: by its ARN, its ID or an alias. True where only the deployment knows.

    See https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
    """
    return is_symbolic(text) or _NAMED.fullmatch(text) is not None


def read(
    symbols: Symbols, text: SymbolicText, region: SymbolicText, account: SymbolicText = ACCOUNT
) -> tuple[KmsKey, ...]:
    """Reads a key's ARN, ID, alias or alias ARN; nothing for the keys that AWS manages, which need no grant.

    There are two readings where only the deployment knows whether it is an alias; the other one never matches.

    Args:
        symbols: what the text is made of.
        text: the symbolic text.
        region: where the key is, if its text does not say so.
        account: whose the key is, if its text does not say so: that of what it protects.

    See https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    """
    match = _ARN.fullmatch(text)
    if match and match["kind"] == "key":
        return (KmsKey(text, match["region"]),)
    alias = f"alias/{match['id']}" if match else text
    if alias.startswith("alias/"):
        if alias.startswith("alias/aws/"):
            return ()
        start = text.partition(":alias/")[0] if match else f"arn:{PARTITION}:kms:{region}:{account}"
        return (KmsKey(f"{start}:key/{MANY}", match["region"] if match else region, alias),)
    symbol = symbols.sole(text)
    if symbol is not None and symbol.kind == "GetAtt" and symbol.attribute.endswith(("Arn", "arn")):
        return (KmsKey(text, region),)
    if re.match(SYMBOL, text):
        return _of_unknown(symbols, text, region, account)
    arn = text if text.startswith("arn:") else f"arn:{PARTITION}:kms:{region}:{account}:key/{text}"
    return (KmsKey(arn, region),)


def _of_unknown(
    symbols: Symbols, text: SymbolicText, region: SymbolicText, account: SymbolicText
) -> tuple[KmsKey, ...]:
    """The key of which only the deployment knows whether its ARN, its ID, an alias or an alias ARN is given.

    CloudFormation takes the text apart: an alias leaves nothing of the key's ID, and anything else the alias `alias/:`,
    which no key can have.
    """
    if at_deployment.is_late(symbols, text):
        return (KmsKey(text, region, guessed=True),)
    padding = f":-:-:{region}:{account}"
    where = at_deployment.field(symbols, text, 3, padding)
    whose = at_deployment.field(symbols, text, 4, padding)
    key = at_deployment.before(symbols, at_deployment.after(symbols, text, ":key/"), _ALIAS)
    alias = at_deployment.part(symbols, text, 1, _ALIAS, f"{_ALIAS}:")
    start = f"arn:{PARTITION}:kms:{where}:{whose}:key"
    return (KmsKey(f"{start}/{key}", region), KmsKey(f"{start}/{MANY}", region, f"{_ALIAS}{alias}"))
