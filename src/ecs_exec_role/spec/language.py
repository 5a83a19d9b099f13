"""The language of `ExecutionRoleSpec`: every key, and those that belong to no feature.

The keys of a feature are defined beside it, in `features`. `check` and `parse` read specs by these definitions. The
JSON Schema for editors and cfn-lint is made from them too.
"""

from __future__ import annotations

from ecs_exec_role.features import KEYS
from ecs_exec_role.needs.feature import FLAG, Key

MODES = ("Auto", "Starter")
"""The words that can be written instead of a mapping."""

GENERAL = (
    Key(
        "Infer",
        "choice",
        "Whether needs are read from the definition; false: only from the lists of this spec.",
        (False,),
        FLAG,
        default=True,
    ),
    Key(
        "Unresolved",
        "choice",
        "What to do with a value that cannot be classified when the template is expanded.",
        ("Ignore",),
        ("Error", "Ignore"),
        default="Error",
    ),
    Key(
        "TaskDefinitions",
        "logical-ids",
        "The definitions that share this role: it allows everything that they need.",
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
        default=False,
    ),
)

LANGUAGE: dict[str, Key] = {key.name: key for key in sorted((*GENERAL, *KEYS), key=lambda key: key.name)}
"""Every key of `ExecutionRoleSpec`, by name."""

ROLE_PROPERTIES = tuple(key.name for key in GENERAL if key.on_role is False)
"""The keys that are properties of the role, as on `AWS::IAM::Role`."""
