"""The language of `ExecutionRoleSpec`: what a key is, and the keys that belong to no feature.

The keys of a feature are defined beside it, in `features`. `spec` reads and checks specs by these definitions; the JSON
Schema for editors and cfn-lint is made from them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from ecs_exec_role.template.symbols import Json

Form: TypeAlias = Literal["choice", "texts", "entries", "logical-ids", "statements", "text", "number", "tags"]
"""What may stand behind a key.

`choice` one of `Key.choices`; `texts` a list of strings; `entries` a list whose items are a string, or a mapping of
`Key.item` and `Key.options`; `logical-ids` a list of names of resources, as words or `!Ref`; `statements` a list of IAM
statements; `text` a string; `number` a whole number; `tags` a list of `{Key: …, Value: …}`.
"""


class Option(NamedTuple):
    """One key of an entry's mapping form. Without `choices` it is a string or an intrinsic function."""

    name: str
    description: str
    choices: tuple[bool | str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Key:
    """One key of `ExecutionRoleSpec`."""

    name: str
    form: Form
    description: str
    examples: tuple[Json, ...]
    choices: tuple[bool | str, ...] = ()
    item: str = ""
    options: tuple[Option, ...] = ()
    on_role: bool | None = None
    """True: on `AWS::IAM::Role` only; False: anywhere but there; None: anywhere."""


FLAG = (True, False)
KMS_KEY = Option("KmsKey", "The customer key it is encrypted with: ID, ARN, alias, !Ref or !GetAtt of the key.")

MODES = ("Auto", "Starter")
"""The words that may stand instead of a mapping."""

GENERAL = (
    Key(
        "Infer",
        "choice",
        "Whether needs are read from the definition; false: the lists of this spec alone.",
        (False,),
        FLAG,
    ),
    Key(
        "Unresolved",
        "choice",
        "What to do with a value that cannot be classified when the template is expanded.",
        ("Ignore",),
        ("Error", "Ignore"),
    ),
    Key(
        "TaskDefinitions",
        "logical-ids",
        "The definitions that share this role: it holds the union of what they need.",
        (["Web", "Worker"],),
        on_role=True,
    ),
    Key(
        "SourceVpcs",
        "texts",
        "Images may only be pulled from these VPCs (aws:sourceVpc), through their endpoints.",
        (["vpc-0a1b2c3d"],),
    ),
    Key(
        "SourceVpcEndpoints",
        "texts",
        "Images may only be pulled through these VPC endpoints (aws:sourceVpce).",
        (["vpce-0a1b2c3d"],),
    ),
    Key(
        "Statements",
        "statements",
        "IAM statements, added as written.",
        ([{"Sid": "Extra", "Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "*"}],),
    ),
    Key("RoleName", "text", "As on AWS::IAM::Role.", ("web-execution",), on_role=False),
    Key("Path", "text", "As on AWS::IAM::Role.", ("/ecs/",), on_role=False),
    Key("Description", "text", "As on AWS::IAM::Role.", ("Starts the web tasks",), on_role=False),
    Key(
        "PermissionsBoundary",
        "text",
        "As on AWS::IAM::Role: the ARN of a managed policy.",
        ("arn:aws:iam::123456789012:policy/boundary",),
        on_role=False,
    ),
    Key(
        "ManagedPolicyArns",
        "texts",
        "As on AWS::IAM::Role.",
        (["arn:aws:iam::123456789012:policy/shared"],),
        on_role=False,
    ),
    Key("MaxSessionDuration", "number", "As on AWS::IAM::Role: seconds, 3600 to 43200.", (3600,), on_role=False),
    Key("Tags", "tags", "As on AWS::IAM::Role.", ([{"Key": "team", "Value": "web"}],), on_role=False),
    Key(
        "Preflight",
        "choice",
        "Whether the role is checked when the stack is deployed, before a service starts; Warn: without failing it.",
        (True, "Warn"),
        (False, True, "Warn"),
    ),
)
