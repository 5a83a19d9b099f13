"""Reading credential specs for group managed service accounts (gMSA).

Looks at every container's `CredentialSpecs`, and at the older `DockerSecurityOptions` with the same meaning. A spec is
in S3 or in an SSM parameter. A domainless one also names a secret, but inside the file: only the author of a
template knows it.
"""

from __future__ import annotations

import re

from ecs_exec_role.features import environment_files, parameters, secrets
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.feature import Feature, Key, Option
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.services import s3, secretsmanager, ssm
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import SymbolicText, is_symbolic

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/linux-gmsa.html"

READ_PARAMETERS = Grant("ReadCredentialSpecParameters", ("ssm:GetParameters",), "Parameter")
READ_OBJECTS = Grant("ReadCredentialSpecs", ("s3:GetObject",), "Object")
LOCATE = Grant("LocateCredentialSpecs", ("s3:GetBucketLocation",), "Bucket")
READ_SECRETS = Grant("ReadDomainlessCredentials", ("secretsmanager:GetSecretValue",), "Secret")

_SPEC = late_pattern(r"(?P<kind>credentialspec|credentialspecdomainless):(?P<where>.+)", re.IGNORECASE | re.DOTALL)
_KINDS = ("credentialspec:", "credentialspecdomainless:")


_FIX = "write credentialspec:ARN or credentialspecdomainless:ARN, with an S3 object's or a parameter's ARN"


def infer(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a container's `CredentialSpecs`."""
    for item in cursor.items():
        for text in ctx.required(item, _FIX):
            _infer(ctx, text)


def infer_options(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of those `DockerSecurityOptions` that are credential specs."""
    for item in cursor.items():
        for text in item.texts():
            if _SPEC.fullmatch(text.text) and ctx.without_wildcard(text):
                _infer(ctx, text)


def _infer(ctx: InferenceContext, text: Alternative) -> None:
    if ctx.declared(("CredentialSpecs",), text.text):
        return
    match = _SPEC.fullmatch(text.text)
    if match is None:
        _refuse(ctx, text)
        return
    _needs(ctx, text, match["where"])
    if match["kind"].lower() == "credentialspecdomainless":
        ctx.warn(
            text.path,
            "a domainless credential spec names a secret inside its file, which the template does not show",
            f"add `CredentialSpecs: [{{Spec: {ctx.spelt_in_list(text.text)}, Secret: …}}]` to {ctx.spec_path}",
            code="unseen-secret",
        )


def _refuse(ctx: InferenceContext, text: Alternative) -> None:
    if ctx.symbols.within(text.text):
        ctx.unclassified(text, "credential spec", ("CredentialSpecs",))
    else:
        ctx.problem(
            text.path,
            f"`{ctx.symbols.show(text.text)}` is not a credential spec",
            _FIX,
            "not-a-credential-spec",
        )


def _needs(ctx: InferenceContext, text: Alternative, where: SymbolicText, key: Cursor | None = None) -> None:
    parameter = ssm.read(ctx.reader, where)
    item = s3.read(ctx.reader, where)
    if parameter is not None:
        if parameters.well_formed(ctx, parameter, text):
            parameters.needs(ctx, parameter, text._replace(text=where), READ_PARAMETERS, key)
    elif item is not None:
        environment_files.needs(ctx, item, text._replace(text=where), (READ_OBJECTS, LOCATE), key)
    elif where.startswith("file://"):
        ctx.note(
            text.path, "a credential spec on the host is read without AWS", DOCS, text.path_condition, code="not-in-aws"
        )
    elif ctx.symbols.within(where):
        ctx.unclassified(text, "credential spec", ("CredentialSpecs",))
    else:
        _refuse(ctx, text)


def _is_unknown(ctx: InferenceContext, where: SymbolicText) -> bool:
    """Whether it is only known at deployment what a text names."""
    known = where.startswith("file://") or ssm.read(ctx.reader, where) or s3.read(ctx.reader, where)
    return is_symbolic(where) and not known


def _needs_of_unknown(ctx: InferenceContext, text: Alternative, where: SymbolicText, key: Cursor | None) -> None:
    """Adds the needs of a spec if it is only known at deployment whether it is in a parameter or in S3.

    Both are granted. CloudFormation splits the value so that one of them is the spec, and nothing matches the
    other.
    """
    fix = "write credentialspec:ARN or credentialspecdomainless:ARN"
    where_said = text._replace(text=where)
    if parameters.refuse_value(ctx, text) or not ctx.may_name(where_said, (ssm.TYPE, s3.TYPE), begins=True, fix=fix):
        return
    if at_deployment.is_late(ctx.symbols, where):
        what = f"`{ctx.symbols.show(text.text)}` is a dynamic reference, which CloudFormation cannot split"
        fix = "write a parameter of type AWS::SSM::Parameter::Value<String> in its place and !Ref it"
        ctx.problem(text.path, what, fix, "dynamic-reference")
        return
    for kind in _KINDS:
        where = at_deployment.after(ctx.symbols, where, kind)
    place = text._replace(text=where)
    parameters.needs(ctx, ssm.of_unknown(ctx.symbols, where), place, READ_PARAMETERS, key)
    environment_files.needs(ctx, s3.of_unknown(ctx.reader, where), place, (READ_OBJECTS, LOCATE), key)


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds the needs of one entry of `CredentialSpecs`: the spec's, and its secret's."""
    key = entry.given("KmsKey")
    for text in ctx.values(entry.value):
        match = _SPEC.fullmatch(text.text)
        where = match["where"] if match else text.text
        if _is_unknown(ctx, where):
            _needs_of_unknown(ctx, text, where, key)
            continue
        if match is None:
            ctx.problem(
                text.path,
                f"`{ctx.symbols.show(text.text)}` does not start with credentialspec: or credentialspecdomainless:",
                "write credentialspec:ARN or credentialspecdomainless:ARN",
                "not-a-credential-spec",
            )
            continue
        _needs(ctx, text, where, key)
    for text in ctx.values(entry.option("Secret")):
        secret = secrets.listed(ctx, text) if ctx.may_name(text, secretsmanager.BY_REF) else None
        if secret is not None:
            secrets.needs(ctx, secret, text, READ_SECRETS, key)


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
