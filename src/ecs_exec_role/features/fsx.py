"""Mounting an FSx for Windows File Server volume.

Looks at every volume's `FSxWindowsFileServerVolumeConfiguration`: the agent looks up the file system's name, for which
IAM knows no resource, and reads the login from a secret, or from a parameter without decrypting it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.features import parameters, secrets
from ecs_exec_role.needs.context import Entry, Inquiry
from ecs_exec_role.needs.need import Feature, Grant, Need
from ecs_exec_role.services import arns
from ecs_exec_role.spec.language import KMS_KEY, Key
from ecs_exec_role.template.conditions import Guard
from ecs_exec_role.template.symbols import Json

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/wfsx-volumes.html"

DESCRIBE = Grant("DescribeFsxFileSystems", ("fsx:DescribeFileSystems",), "FSx")
READ_SECRETS = Grant("ReadFsxCredentials", ("secretsmanager:GetSecretValue",), "Secret")
READ_PARAMETERS = Grant("ReadFsxCredentialParameters", ("ssm:GetParameters",), "Parameter")


def infer(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of a volume's `FSxWindowsFileServerVolumeConfiguration`."""
    for case in ask.reader.mappings(node, guard, path):
        file_systems = ask.reader.text(case.node.get("FileSystemId"), case.guard, f"{case.path}/FileSystemId")
        for text in file_systems:
            yield Need(DESCRIBE, "*", text.guard, text.path, text.text)
        here = f"{case.path}/AuthorizationConfig"
        for inner in ask.reader.mappings(case.node.get("AuthorizationConfig", {}), case.guard, here):
            value = inner.node.get("CredentialsParameter")
            for text in ask.texts(value, inner.guard, f"{inner.path}/CredentialsParameter"):
                if not ask.settled("FsxCredentials", text.text):
                    yield from secrets.value_from(ask, text, READ_SECRETS, READ_PARAMETERS, "FsxCredentials")


def declare(ask: Inquiry, entry: Entry) -> Iterator[Need]:
    """The needs of one entry of `FsxCredentials`: a secret or a parameter."""
    for text in ask.texts(entry.node, entry.guard, entry.path):
        yield Need(DESCRIBE, "*", text.guard, text.path, text.text)
        parameter = arns.parameter(text.text) or parameters.by_reference(ask, text.text)
        if parameter is None and text.text.startswith("/"):
            parameter = arns.parameter_named(text.text, ask.symbols)
        if parameter is not None:
            yield from parameters.needs(ask, parameter, text, READ_PARAMETERS)
            continue
        secret = secrets.listed(ask, text)
        if secret is not None:
            yield from secrets.needs(ask, secret, text, READ_SECRETS, entry.options.get("KmsKey"))


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
