"""Mounting an FSx for Windows File Server volume.

Looks at every volume's `FSxWindowsFileServerVolumeConfiguration`: the agent looks up the file system's name, for which
IAM knows no resource, and reads the login from a secret, or from a parameter without decrypting it.
"""

from __future__ import annotations

from ecs_exec_role.features import parameters, secrets
from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.feature import KMS_KEY, Feature, Key
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.services import secretsmanager, ssm
from ecs_exec_role.services.resources import begins_unknown
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.symbols import SymbolicText

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/wfsx-volumes.html"

DESCRIBE = Grant("DescribeFsxFileSystems", ("fsx:DescribeFileSystems",), "FSx")
READ_SECRETS = Grant("ReadFsxCredentials", ("secretsmanager:GetSecretValue",), "Secret")
READ_PARAMETERS = Grant("ReadFsxCredentialParameters", ("ssm:GetParameters",), "Parameter")


def infer(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a volume's `FSxWindowsFileServerVolumeConfiguration`."""
    for case in cursor.mappings():
        for text in case.get("FileSystemId").texts():
            ctx.need(DESCRIBE, SymbolicText("*"), text.path_condition, text.path, text.text)
        for inner in case.get("AuthorizationConfig", {}).mappings():
            for text in ctx.required(inner.get("CredentialsParameter"), "write the ARN of a secret or a parameter"):
                if not ctx.declared(("FsxCredentials",), text.text):
                    secrets.value_from(ctx, text, READ_SECRETS, READ_PARAMETERS, "FsxCredentials")


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds the needs of one entry of `FsxCredentials`: a secret or a parameter."""
    for text in ctx.values(entry.value):
        if not ctx.may_name(text, (*secretsmanager.BY_REF, ssm.TYPE)):
            continue
        ctx.need(DESCRIBE, SymbolicText("*"), text.path_condition, text.path, text.text)
        parameter = ssm.read(ctx.reader, text.text) or parameters.by_reference(ctx, text.text)
        if parameter is None and text.text.startswith("/"):
            parameter = ssm.named(ctx.reader, text.text)
        if parameter is not None:
            # The login is read without decrypting it, so no key is needed.
            _warn_of_key(ctx, entry, text.path_condition)
            if parameters.well_formed(ctx, parameter, text):
                parameters.needs(ctx, parameter, text, READ_PARAMETERS, decrypted=False)
            continue
        if begins_unknown(ctx.reader, text.text) and secretsmanager.read(ctx.reader, text.text) is None:
            # Only the deployment knows whether it is a secret or a parameter: nothing matches the other.
            for arn in ssm.of_unknown(ctx.symbols, text.text).arns:
                ctx.need(READ_PARAMETERS, arn, text.path_condition, text.path, text.text)
        secret = secrets.listed(ctx, text)
        if secret is not None:
            secrets.needs(ctx, secret, text, READ_SECRETS, entry.given("KmsKey"))


def _warn_of_key(ctx: InferenceContext, entry: ListEntry, path_condition: PathCondition) -> None:
    key = entry.option("KmsKey").given(path_condition)
    if key.texts():
        what = "has no effect: ECS reads the login from a parameter without decrypting it"
        ctx.warn(key.path, what, "remove KmsKey, or keep the login in Secrets Manager", code="unused-key")


FEATURE = Feature(
    id="fsx",
    title="FSx for Windows volumes",
    docs=DOCS,
    grants=(DESCRIBE, READ_SECRETS, READ_PARAMETERS),
    volumes={"FSxWindowsFileServerVolumeConfiguration": infer},
    keys={
        Key(
            "FsxCredentials",
            "entries",
            "Read the logins of FSx for Windows file systems from these secrets or parameters.",
            (["prod/fsx"], ["/prod/fsx"]),
            item="Secret",
            options=(KMS_KEY,),
        ): declare
    },
)
