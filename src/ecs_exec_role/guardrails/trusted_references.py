"""Which references to a template's own resources the guardrails trust.

`template.return_values` says what `Ref` and `Fn::GetAtt` of each resource type give. A pair that is not in that table
can give any text: the outputs of nested stacks, provisioned products and custom resources are decided by their authors.
"""

from __future__ import annotations

from collections.abc import Mapping

from ecs_exec_role.services import secretsmanager
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.return_values import RETURN_VALUES
from ecs_exec_role.template.symbols import PSEUDO_PARAMETERS, Json, Symbol

ABOUT_A_SECRET = secretsmanager.BY_REF - {secretsmanager.TYPE}
"""`Ref` of these is the ARN of the secret that their `SecretId` names, which can be in any account."""

_ARNS_WITH_ACCOUNT = (
    "access-point-arn",
    "file-system-arn",
    "key-arn",
    "log-group-arn",
    "repository-arn",
    "secret-arn",
)

OWN_ARNS = {
    pair for pair, given in RETURN_VALUES.items() if given in _ARNS_WITH_ACCOUNT and pair[0] not in ABOUT_A_SECRET
}
"""The ARNs of what is in the stack's own account and region: the resource, or the secret that its service keeps."""

_CAN_HAVE_WILDCARD = ("role-arn",)
"""The path of a role can contain any printable character.

See https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
"""

_TAKES_APART = {"Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub"}


def names_one_thing(reader: Reader, types: Mapping[str, str], symbol: Symbol) -> bool:
    """Whether the value of a symbol certainly contains no wildcard and no policy variable."""
    if symbol.kind == "Opaque":
        return _is_plain(reader, types, symbol.node)
    return symbol.kind in ("Ref", "GetAtt") and _gives_a_name(types, symbol.name, symbol.attribute)


def _gives_a_name(types: Mapping[str, str], name: str, attribute: str) -> bool:
    if not attribute and name in PSEUDO_PARAMETERS:
        return name != "AWS::NotificationARNs"
    given = RETURN_VALUES.get((types.get(name, ""), attribute))
    return given is not None and given not in _CAN_HAVE_WILDCARD


def _is_plain(reader: Reader, types: Mapping[str, str], node: Json) -> bool:
    """The same for an intrinsic function that only splits and joins such values."""
    if isinstance(node, list):
        return all(_is_plain(reader, types, item) for item in node)
    if isinstance(node, dict):
        if len(node) != 1:
            return False
        [(name, argument)] = node.items()
        if name in ("Ref", "Fn::GetAtt", "Fn::Sub") and isinstance(argument, (str, list)):
            with reader.problems.aside():
                texts = reader.text(node)
            # A function that is still one opaque symbol would lead here again.
            return all(
                symbol.kind != "Opaque" and names_one_thing(reader, types, symbol)
                for text in texts
                for symbol in reader.symbols.directly_in(text.text)
            ) and not any(character in text.text for text in texts for character in "*?$")
        return name in _TAKES_APART and _is_plain(reader, types, argument)
    return not isinstance(node, str) or not any(character in node for character in "*?$")
