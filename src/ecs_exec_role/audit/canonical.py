"""One spelling for each resource, so that a policy can be compared with what a task needs.

`!GetAtt Logs.Arn` and `!Sub arn:${AWS::Partition}:logs:…:log-group:${Logs}:*` are the same log group. Both are written
out here as far as the template shows what they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.policies.patterns import LIKE_STACK_NAME
from ecs_exec_role.template.event import partition_of
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.related_conditions import RelatedConditions
from ecs_exec_role.template.symbols import (
    ACCOUNT,
    PARTITION,
    REGION,
    STACK_NAME,
    URL_SUFFIX,
    Json,
    Symbol,
    Symbols,
    is_symbolic,
)


class _Kind(NamedTuple):
    """A resource type: the property with its name, its ARN as far as the name, and the name that CloudFormation makes.

    In `generated`, ID stands for the logical ID, and id for the same in lower case.
    """

    name: str
    arn: str
    tail: str = ""
    generated: str = "*"


def _arn(service: str, rest: str) -> str:
    return f"arn:{PARTITION}:{service}:{REGION}:{ACCOUNT}:{rest}"


_OF_STACK = f"{STACK_NAME}-ID-*"
_SHORT = f"{LIKE_STACK_NAME}-*"
"""A name that CloudFormation cuts where the stack and the logical ID have long names."""

# See "Return values" of each type in the AWS CloudFormation Template Reference, and for the generated names
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
_KINDS = {
    "AWS::ECR::Repository": _Kind("RepositoryName", _arn("ecr", "repository/"), "", f"{LIKE_STACK_NAME}-id-*"),
    "AWS::Logs::LogGroup": _Kind("LogGroupName", _arn("logs", "log-group:"), ":*", _OF_STACK),
    "AWS::S3::Bucket": _Kind("BucketName", f"arn:{PARTITION}:s3:::", "", _SHORT),
    "AWS::KMS::Key": _Kind("", _arn("kms", "key/")),
    "AWS::EFS::FileSystem": _Kind("", _arn("elasticfilesystem", "file-system/"), "", "fs-*"),
    "AWS::SSM::Parameter": _Kind("Name", _arn("ssm", "parameter/"), "", "CFN-ID-*"),
    "AWS::SecretsManager::Secret": _Kind("Name", _arn("secretsmanager", "secret:"), "-??????", "ID-*"),
    "AWS::IAM::Role": _Kind("RoleName", f"arn:{PARTITION}:iam::{ACCOUNT}:role", "", _SHORT),
}


class Speller:
    """Writes symbolic text out as far as a template and its stack show what it is."""

    def __init__(self, reader: Reader, *, region: str, account: str, physical: Mapping[str, str] | None = None) -> None:
        """`physical` are the physical IDs of what is deployed, by logical ID."""
        self._reader = reader
        self.template = reader.template
        self.related = RelatedConditions.of(reader.template)
        self._physical = physical or {}
        self._symbols: Symbols = reader.symbols
        self._known: dict[str, str] = {}
        if region:
            partition, suffix = partition_of(region)
            self._known = {REGION: region, PARTITION: partition, URL_SUFFIX: suffix}
        if account:
            self._known[ACCOUNT] = account
        self._spelt: dict[str, str] = {}
        self.generated: dict[str, str] = {}
        """The symbols of names that CloudFormation generates, each one resource's own, with the forms of the names."""

    def spell(self, text: str) -> str:
        """`text`, written out."""
        if not text.isascii():
            text = "".join(self._piece(piece) for piece in text)
        # Without a region, the stack can be in any partition; `aws` means the partition of the stack then.
        return f"arn:{PARTITION}:{text[8:]}" if text.startswith("arn:aws:") and not self._known.get(REGION) else text

    def node(self, node: Json) -> str:
        """A value of the template as text; one that depends on conditions or is not text becomes one symbol."""
        return self.spell(self.read(node))

    def read(self, node: Json) -> str:
        """As `node`, but not written out."""
        with self._reader.problems.aside():
            texts = self._reader.text(node)
        return texts[0].text if len(texts) == 1 else self._symbols.opaque(node)

    def _piece(self, character: str) -> str:
        if not is_symbolic(character):
            return character
        if character not in self._spelt:
            self._spelt[character] = character  # A name that refers to itself is kept as it is.
            self._spelt[character] = self._symbol(character, self._symbols[character])
        return self._spelt[character]

    def _symbol(self, character: str, symbol: Symbol) -> str:
        if character in self._known:
            return self._known[character]
        kind = self._reader.template.type_of(symbol.name)
        if symbol.kind == "Ref" and symbol.name in self._physical:
            return self._physical[symbol.name]
        if symbol.kind == "Dynamic" or kind not in _KINDS:
            return character
        known = _KINDS[kind]
        is_arn = symbol.kind == "GetAtt" and symbol.attribute == "Arn"
        if kind == "AWS::SecretsManager::Secret":
            return self._secret(character, symbol, known)
        name = self._name(symbol.name, known.name)
        if name is None:
            name = self._reference(symbol.name, known)
        if symbol.kind == "Ref":
            return name
        if is_arn and kind == "AWS::IAM::Role":
            path = self._name(symbol.name, "Path") or "/"
            return f"{self.spell(known.arn)}{path}{name}"
        if is_arn:
            # An SSM parameter's name can begin with the slash; an ARN has one slash there.
            name = name.lstrip("/") if kind == "AWS::SSM::Parameter" else name
            return f"{self.spell(known.arn)}{name}{known.tail}"
        if symbol.attribute == "RepositoryUri":
            host = f"{ACCOUNT}.dkr.ecr.{REGION}.{URL_SUFFIX}"
            return f"{self.spell(host)}/{name}"
        return character

    def _secret(self, character: str, symbol: Symbol, known: _Kind) -> str:
        """A secret's `Ref` is its ARN, with six characters after the name that only AWS knows."""
        if symbol.kind == "GetAtt" and symbol.attribute not in ("Id", "Arn"):
            return character
        if symbol.name in self._physical:
            return self._physical[symbol.name]
        name = self._name(symbol.name, known.name)
        if name is None:
            # The name that CloudFormation makes has no intrinsic function; this symbol represents it.
            self.generated[character] = _form(known, symbol.name)
            name = character
        return f"{self.spell(known.arn)}{name}{known.tail}"

    def _name(self, logical_id: str, name: str) -> str | None:
        """The name that a template gives a resource; None if CloudFormation generates it."""
        properties = self._reader.template.properties(logical_id)
        if not name or name not in properties:
            return None
        with self._reader.problems.aside():
            texts = self._reader.text(properties[name])
        if len(texts) == 1:
            return self.spell(texts[0].text)
        return self._symbols.opaque({"Ref": logical_id}) if texts else None

    def _reference(self, logical_id: str, kind: _Kind) -> str:
        if logical_id in self._physical:
            return self._physical[logical_id]
        character = self._symbols.ref(logical_id)
        self.generated[character] = _form(kind, logical_id)
        return character


def _form(kind: _Kind, logical_id: str) -> str:
    """The form of the name that CloudFormation makes, as a pattern."""
    return kind.generated.replace("ID", logical_id).replace("-id-", f"-{logical_id.lower()}-")
