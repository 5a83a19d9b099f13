"""Reading credential specs for group managed service accounts (gMSA).

Looks at every container's `CredentialSpecs`, and at the older `DockerSecurityOptions` that say the same. A spec lies
in S3 or in an SSM parameter. A domainless one names a secret too, but inside of the file: only the author of a
template can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecs_exec_role.errors import Problem
from ecs_exec_role.features import environment_files, parameters, secrets
from ecs_exec_role.needs.context import Entry, Inquiry
from ecs_exec_role.needs.need import Feature, Grant, Need
from ecs_exec_role.services import arns
from ecs_exec_role.spec.language import Key, Option
from ecs_exec_role.template.conditions import Guard
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import Json

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/linux-gmsa.html"

READ_PARAMETERS = Grant("ReadCredentialSpecParameters", ("ssm:GetParameters",), "Parameter")
READ_OBJECTS = Grant("ReadCredentialSpecs", ("s3:GetObject",), "Object")
LOCATE = Grant("LocateCredentialSpecs", ("s3:GetBucketLocation",), "Bucket")
READ_SECRETS = Grant("ReadDomainlessCredentials", ("secretsmanager:GetSecretValue",), "Secret")

_SPEC = re.compile(r"(?P<kind>credentialspec|credentialspecdomainless):(?P<where>.+)", re.IGNORECASE | re.DOTALL)


def infer(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of a container's `CredentialSpecs`."""
    for item in ask.reader.each(node, guard, path):
        for text in ask.texts(item.node, item.guard, item.path):
            yield from _infer(ask, text)


def infer_options(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of those `DockerSecurityOptions` that are credential specs."""
    for item in ask.reader.each(node, guard, path):
        for text in ask.reader.text(item.node, item.guard, item.path):
            if _SPEC.fullmatch(text.text) and ask.without_wildcard(text):
                yield from _infer(ask, text)


def _infer(ask: Inquiry, text: Alternative) -> Iterator[Need]:
    if ask.settled("CredentialSpecs", text.text):
        return
    match = _SPEC.fullmatch(text.text)
    if match is None:
        _refuse(ask, text)
        return
    yield from _needs(ask, text, match["where"])
    if match["kind"].lower() == "credentialspecdomainless":
        ask.warnings.append(
            Problem(
                text.path,
                "a domainless credential spec names a secret inside of its file, which is not seen here",
                f"add `CredentialSpecs: [{{Spec: {ask.symbols.show(text.text)}, Secret: …}}]` to {ask.spec_path}",
            )
        )


def _refuse(ask: Inquiry, text: Alternative) -> None:
    if ask.symbols.within(text.text):
        ask.unclassified(text, "credential spec", ("CredentialSpecs",))
    else:
        ask.problem(
            text.path,
            f"`{text.text}` is no credential spec",
            "write credentialspec:ARN or credentialspecdomainless:ARN, with an S3 object's or a parameter's ARN",
        )


def _needs(ask: Inquiry, text: Alternative, where: str, key: Json = None) -> Iterator[Need]:
    parameter = arns.parameter(where)
    item = arns.s3_object(where, ask.symbols, ask.types)
    if parameter is not None:
        yield from parameters.needs(ask, parameter, text._replace(text=where), READ_PARAMETERS, key)
    elif item is not None:
        yield from environment_files.needs(ask, item, text._replace(text=where), (READ_OBJECTS, LOCATE), key)
    elif where.startswith("file://"):
        ask.note(text.path, "a credential spec on the host is read without AWS", DOCS, text.guard)
    elif ask.symbols.within(where):
        ask.unclassified(text, "credential spec", ("CredentialSpecs",))
    else:
        _refuse(ask, text)


def declare(ask: Inquiry, entry: Entry) -> Iterator[Need]:
    """The needs of one entry of `CredentialSpecs`: the spec's, and its secret's."""
    key = entry.options.get("KmsKey")
    for text in ask.texts(entry.node, entry.guard, entry.path):
        match = _SPEC.fullmatch(text.text)
        if match is None:
            ask.problem(
                text.path,
                f"`{ask.symbols.show(text.text)}` does not start with credentialspec: or credentialspecdomainless:",
                "write credentialspec:ARN or credentialspecdomainless:ARN",
            )
            continue
        yield from _needs(ask, text, match["where"], key)
    for text in ask.texts(entry.options.get("Secret"), entry.guard, f"{entry.base}/Secret"):
        secret = secrets.listed(ask, text)
        if secret is not None:
            yield from secrets.needs(ask, secret, text, READ_SECRETS, key)


FEATURE = Feature(
    id="gmsa",
    title="gMSA credential specs",
    docs=DOCS,
    grants=(READ_PARAMETERS, READ_OBJECTS, LOCATE, READ_SECRETS),
    containers={"CredentialSpecs": infer, "DockerSecurityOptions": infer_options},
    keys={
        Key(
            "CredentialSpecs",
            "entries",
            "Read these gMSA credential specs, and the secret that a domainless one names.",
            (
                ["credentialspec:arn:aws:ssm:us-east-1:123456789012:parameter/gmsa"],
                [{"Spec": "credentialspecdomainless:arn:aws:s3:::gmsa/web.json", "Secret": "prod/gmsa"}],
            ),
            item="Spec",
            options=(
                Option("Secret", "The secret that a domainless spec names in its file: name, ARN or !Ref."),
                Option("KmsKey", "The customer key that the spec and the secret are encrypted with."),
            ),
        ): declare
    },
)
