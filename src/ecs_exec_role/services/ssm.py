"""AWS Systems Manager Parameter Store: parameters, as ARNs, names and references.

See https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.services.resources import Owner, owners_of
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import (
    ACCOUNT,
    PARTITION,
    REGION,
    SYMBOL,
    Json,
    Symbol,
    SymbolicText,
    Symbols,
    is_symbolic,
)

TYPE = "AWS::SSM::Parameter"
_ARN = late_pattern(
    rf"(?P<start>arn:[^:]*:ssm:(?P<region>[^:]*):(?P<account>[^:]*):parameter)(?P<name>(?:/|{SYMBOL})[^:]*)(?P<tail>(?::.*)?)",
    re.DOTALL,
)
_REFERRING = "aws/reference/secretsmanager/"
# Another message reports wildcards and policy variables.
_CHARACTERS = rf"A-Za-z0-9_.*?{SYMBOL[1:-1]}-"
_NAME = late_pattern(rf"[/{_CHARACTERS}]+(?::[{_CHARACTERS}]*)?|.*\$\{{.*", re.DOTALL)
PUBLIC = "aws/service/"
"""The prefix of the names of AWS's public parameters, which belong to no account."""


class Parameter(NamedTuple):
    """A parameter as a template names it.

    `arns` has one ARN, or two if it is not known whether the name starts with a slash. `tail` is a version or a label,
    with its colon. `owners`: the resources of the template that can make it.
    """

    arns: tuple[SymbolicText, ...]
    name: SymbolicText
    region: SymbolicText = REGION
    account: SymbolicText = ACCOUNT
    owners: tuple[Owner, ...] = ()
    tail: str = ""

    @property
    def is_public(self) -> bool:
        """Whether AWS publishes it: no other parameter has an ARN without an account."""
        return self.account == "" and (is_symbolic(self.name) or self.name.lstrip("/").startswith(PUBLIC))

    @property
    def secret_name(self) -> SymbolicText:
        """The name of the secret that it only refers to, `/aws/reference/secretsmanager/NAME`; empty for others."""
        if _REFERRING not in self.name:
            return SymbolicText("")
        name = self.name.removeprefix("/")
        return name.removeprefix(_REFERRING) if name.startswith(_REFERRING) else SymbolicText("")


def read(reader: Reader, text: SymbolicText) -> Parameter | None:
    """Reads the ARN of a parameter; None if `text` is not one.

    A symbol after `:parameter` can begin with the slash itself, so no slash is written before it.
    """
    match = _ARN.fullmatch(text)
    if match is None or not match["name"].strip("/"):
        return None
    region, account, name = match.group("region", "account", "name")
    if name.startswith("/"):
        name = f"/{name.lstrip('/')}"
        if _begins_with_slash(reader, name[1:2]):
            name = name[1:]
    if name.lstrip("/").startswith(PUBLIC):
        account = ""
    start = ":".join((*match["start"].split(":")[:3], region, account, "parameter"))
    return Parameter((f"{start}{name}",), name, region, account, _owners(reader, name, account), match["tail"])


def by_reference(reader: Reader, text: SymbolicText) -> Parameter | None:
    """The parameter that a reference to one of the template gives, or None if `text` is not such a reference.

    `Ref` is the parameter's name, so the ARN is made from the `Name` of the resource, whose first character
    tells whether it starts with a slash, or from the name that CloudFormation generates, which does not.
    """
    symbol = reader.symbols.sole(text)
    if symbol is None or reader.template.types.get(symbol.name) != TYPE or symbol.attribute not in ("", "Arn"):
        return None
    name = Cursor.of_resource(reader, symbol.name).get("Name")
    if name.node is None:
        made = reader.symbols.ref(symbol.name)
        arn = f"arn:{PARTITION}:ssm:{REGION}:{ACCOUNT}:parameter/{made}"
        return Parameter((arn,), f"/{made}", owners=(Owner(symbol.name),))
    texts = [alternative.text for alternative in name.texts() if alternative.text]
    found = [named(reader, each) for each in texts]
    if len(found) == 1 and not name.absences():
        arns, known = found[0].arns, found[0].name
    else:
        # `Ref` is the name that the resource has under each condition, with a slash or without, generated or not.
        arns, known = named(reader, text).arns, text
        if len(arns) > 1:
            name_with_slash = at_deployment.replaced(reader.symbols, f"/{text}", "//", "/")
            arns = (f"arn:{PARTITION}:ssm:{REGION}:{ACCOUNT}:parameter{name_with_slash}",)
    # A name with a colon is the name of no parameter, and no version is selected by it.
    tail = next((parameter.tail for parameter in found if parameter.tail), "")
    return Parameter(arns, known, owners=(Owner(symbol.name),), tail=tail)


def named(reader: Reader, name: SymbolicText) -> Parameter:
    """The parameter of that name, with or without its leading slash, in this account and region."""
    name, colon, version = name.partition(":")
    tail = f"{colon}{version}"
    bare = name.lstrip("/")
    account = SymbolicText("") if bare.startswith(PUBLIC) else ACCOUNT
    start = f"arn:{PARTITION}:ssm:{REGION}:{account}:parameter"
    first = reader.symbols.sole(name[:1])
    if first is not None and not is_pseudo(first):
        arns: tuple[SymbolicText, ...] = (f"{start}{name}", f"{start}/{name}")
        slash = _begins_with_slash(reader, name[:1])
        if slash is not None:
            arns = arns[:1] if slash else arns[1:]
        return Parameter(arns, name, account=account, tail=tail)
    name = f"/{bare}"
    return Parameter((start + name,), name, REGION, account, _owners(reader, name, account), tail)


def of_unknown(symbols: Symbols, text: SymbolicText) -> Parameter:
    """The parameter of a text that is only known at deployment: a name or an ARN.

    CloudFormation splits it. One of the two ARNs is the parameter's, and the other matches nothing.
    """
    region = at_deployment.field(symbols, text, 3, f":-:-:{REGION}")
    name = at_deployment.after(symbols, text, ":parameter")
    start = f"arn:{PARTITION}:ssm:{region}:{ACCOUNT}:parameter"
    arns = (f"{start}{name}",) if text.startswith("arn:") else (f"{start}{name}", f"{start}/{name}")
    return Parameter(arns, name, region)


def is_pseudo(symbol: Symbol) -> bool:
    """Whether it is a pseudo parameter, whose value does not begin with a slash or with `arn:`."""
    return symbol.kind == "Ref" and symbol.name.startswith("AWS::")


def can_be_name(parameter: Parameter) -> bool:
    """Whether a parameter can have this name and version, as far as they are known.

    See https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    """
    return _NAME.fullmatch(f"{parameter.name}{parameter.tail}") is not None


def is_name(reader: Reader, symbol: Symbol) -> bool:
    """Whether a reference certainly gives the name of a parameter, and not an ARN."""
    if symbol.kind != "Ref":
        return False
    declared = mapping(reader.template.parameters.get(symbol.name))
    return is_pseudo(symbol) or TYPE in (reader.template.types.get(symbol.name), _type_of_name(declared))


def _type_of_name(declared: Mapping[str, Json]) -> str:
    """The type of what a stack parameter of the type `AWS::SSM::Parameter::Name` names."""
    kind = declared.get("Type")
    return TYPE if kind == f"{TYPE}::Name" else ""


def lacks_slash(reader: Reader, parameter: Parameter) -> bool:
    """Whether `:parameter` is followed by a reference to a name that certainly does not begin with a slash."""
    if len(parameter.arns) != 1 or not parameter.arns[0].endswith(f":parameter{parameter.name}"):
        return False
    return _begins_with_slash(reader, parameter.name[:1]) is False


def _begins_with_slash(reader: Reader, character: str) -> bool | None:
    """Whether a symbol is a text that begins with a slash; None where that is not known."""
    symbol = reader.symbols.sole(character)
    if symbol is None or symbol.kind != "Ref":
        return None
    if is_pseudo(symbol):
        return False
    if reader.template.types.get(symbol.name) != TYPE:
        return None
    name = Cursor.of_resource(reader, symbol.name).get("Name")
    if name.node is None:
        return False  # CloudFormation generates names without a slash.
    with reader.problems.aside():
        beginnings = {SymbolicText(text.text[:1]) for text in name.texts()}
        if name.absences():
            beginnings.add(SymbolicText(""))
    if not beginnings or any(map(is_symbolic, beginnings)):
        return None
    if beginnings == {"/"}:
        return True
    return None if "/" in beginnings else False


def _owners(reader: Reader, name: SymbolicText, account: SymbolicText) -> tuple[Owner, ...]:
    """The resources of this template whose parameters have this name."""
    if account not in (ACCOUNT, reader.template.account):
        return ()
    if TYPE not in reader.template.by_type:
        return ()
    symbol = reader.symbols.sole(name.lstrip("/"))
    if symbol is not None and symbol.kind == "Ref" and reader.template.types.get(symbol.name) == TYPE:
        return (Owner(symbol.name),)
    return owners_of(reader, TYPE, "Name", *dict.fromkeys((name, name.lstrip("/"))))
