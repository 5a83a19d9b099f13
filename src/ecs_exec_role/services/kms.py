"""AWS KMS: keys and aliases, as resources of IAM statements.

See https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.services.resources import owned, owners_of
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative, Reader
from ecs_exec_role.template.symbols import ACCOUNT, MANY, PARTITION, REGION, SYMBOL, SymbolicText, Symbols, is_symbolic

ALIAS_TYPE = "AWS::KMS::Alias"
TYPES = ("AWS::KMS::Key", "AWS::KMS::ReplicaKey", ALIAS_TYPE)
"""The resource types that a template can name a key by."""

_ALIAS = "alias/"
_ARN = late_pattern(r"arn:[^:]*:kms:(?P<region>[^:]*):[^:]*:(?P<kind>key|alias)/(?P<id>.+)", re.DOTALL)
_NAMED = late_pattern(
    r"(?:arn:[^:]+:kms:[^:]+:[^:]+:)?alias/[\w/-]+|(?:arn:[^:]+:kms:[^:]+:[^:]+:key/)?[\w-]+", re.ASCII
)


class KmsKey(NamedTuple):
    """A KMS key as IAM's `Resource`. If only its `alias` is known, a condition names the alias.

    `guessed`: the text is assumed to be a key's ARN, since CloudFormation cannot split a dynamic reference.
    """

    arn: SymbolicText
    region: SymbolicText
    alias: str = ""
    guessed: bool = False


def can_be_key(text: str) -> bool:
    """Whether a text can name a key: by its ARN, its ID or an alias. True if it is only known at deployment.

    See https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
    """
    return is_symbolic(text) or _NAMED.fullmatch(text) is not None


def read(
    symbols: Symbols, text: SymbolicText, region: SymbolicText, account: SymbolicText = ACCOUNT
) -> tuple[KmsKey, ...]:
    """Reads a key's ARN, ID, alias or alias ARN; nothing for the keys that AWS manages, which need no grant.

    There are two results if it is only known at deployment whether it is an alias; one of them never matches.

    Args:
        symbols: what the text is made of.
        text: the symbolic text.
        region: where the key is, if its text does not say so.
        account: the owner of the key, if its text does not say so: the account of what it protects.

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
    if re.match(SYMBOL, text) or (text.startswith("arn:") and is_symbolic(text)):
        return _of_unknown(symbols, text, region, account)
    arn = text if text.startswith("arn:") else f"arn:{PARTITION}:kms:{region}:{account}:key/{text}"
    return (KmsKey(arn, region),)


def aliases(reader: Reader, text: Alternative, *, ours: bool) -> Iterator[tuple[str, PathCondition]]:
    """Which alias of the template a text names under which conditions: its logical ID, or nothing if it names none.

    Args:
        reader: reads the template.
        text: what names a key.
        ours: whether a literal name is looked up in the stack's own account and region.
    """
    fields = text.text.split(":", 5)
    is_arn = len(fields) == 6 and (fields[0], fields[2]) == ("arn", "kms")
    symbol = reader.symbols.sole(fields[5] if is_arn else text.text)
    if symbol is not None and reader.template.types.get(symbol.name) == ALIAS_TYPE:
        yield symbol.name, text.path_condition
    elif ours and text.text.startswith(_ALIAS):
        yield from owned(reader, owners_of(reader, ALIAS_TYPE, "AliasName", text.text), text.path_condition)
    else:
        yield "", text.path_condition


def names_of_alias(reader: Reader, alias: str, path_condition: PathCondition) -> Cursor:
    """Where an alias of the template says its name."""
    return Cursor.of_resource(reader, alias, path_condition).get("AliasName")


def key_of_alias(reader: Reader, alias: str, path_condition: PathCondition) -> Cursor:
    """Where an alias of the template names its key."""
    return Cursor.of_resource(reader, alias, path_condition).get("TargetKeyId")


def arn_of_reference(reader: Reader, text: SymbolicText, region: SymbolicText = REGION) -> SymbolicText:
    """The ARN of the key that a reference gives; `text` itself if it is not a reference to a key.

    In another region than the stack's, an ID is that of the same multi-Region key there.
    """
    symbol, template = reader.symbols.sole(text), reader.template
    if symbol is None:
        return text
    kind = template.types.get(symbol.name, "")
    if kind in TYPES and kind != ALIAS_TYPE:
        if symbol.attribute != "Arn" and not is_symbolic(region) and region != template.region:
            return f"arn:{PARTITION}:kms:{region}:{ACCOUNT}:key/{text}"
        return reader.symbols.get_att(symbol.name, "Arn")
    if symbol.kind == "Ref" and not kind and symbol.name not in template.parameters:
        # A snippet does not see what it refers to; a Ref to a key is its ID.
        return f"arn:{PARTITION}:kms:{REGION}:{ACCOUNT}:key/{text}"
    return text


def _of_unknown(
    symbols: Symbols, text: SymbolicText, region: SymbolicText, account: SymbolicText
) -> tuple[KmsKey, ...]:
    """The key if it is only known at deployment whether its ARN, its ID, an alias or an alias ARN is given.

    CloudFormation splits the text: an alias gives an empty key ID, and any other text gives the alias `alias/:`,
    which no key can have.
    """
    if at_deployment.is_late(symbols, text):
        return (KmsKey(text, region, guessed=True),)
    where, whose = at_deployment.region_and_account(symbols, text, region, account)
    key = at_deployment.before(symbols, at_deployment.after(symbols, text, ":key/"), _ALIAS)
    alias = at_deployment.part(symbols, text, 1, _ALIAS, f"{_ALIAS}:")
    start = f"arn:{PARTITION}:kms:{where}:{whose}:key"
    return (KmsKey(f"{start}/{key}", region), KmsKey(f"{start}/{MANY}", region, f"{_ALIAS}{alias}"))
