"""Reading secrets of Secrets Manager into a container's environment and its log driver's options.

Looks at every container's `Secrets[].ValueFrom` and `LogConfiguration.SecretOptions[].ValueFrom`. A `ValueFrom` that
is not an ARN, or is one of SSM, is a parameter: see `parameters`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.features import keys, parameters
from ecs_exec_role.needs.context import Entry, InferenceContext
from ecs_exec_role.needs.feature import KMS_KEY, Feature, Key
from ecs_exec_role.needs.need import Grant, Need
from ecs_exec_role.services import arns
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import is_symbolic

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html"

READ = Grant("ReadSecrets", ("secretsmanager:GetSecretValue",), "Secret")

_TAIL_FIELDS = 3


def infer(ctx: InferenceContext, cursor: Cursor) -> Iterator[Need]:
    """The needs of a list of `{Name: …, ValueFrom: …}`."""
    for item in cursor.mapping_items():
        for text in ctx.values(item.get("ValueFrom")):
            yield from value_from(ctx, text)


def infer_options(ctx: InferenceContext, cursor: Cursor) -> Iterator[Need]:
    """The needs of a `LogConfiguration`'s `SecretOptions`, which any driver may have."""
    for case in cursor.cases():
        if case.has("SecretOptions"):
            yield from infer(ctx, case.get("SecretOptions"))


def infer_service(ctx: InferenceContext, cursor: Cursor) -> Iterator[Need]:
    """The needs of a service's `ServiceConnectConfiguration`, whose proxies start with the task's role."""
    for case in cursor.mappings():
        yield from infer_options(ctx, case.get("LogConfiguration"))


def value_from(
    ctx: InferenceContext,
    text: Alternative,
    grant: Grant = READ,
    parameter_grant: Grant = parameters.READ,
    extra: str = "",
) -> Iterator[Need]:
    """The needs of one `ValueFrom`, which may name a secret or a parameter.

    `extra` is one more key of the spec where the same value may be settled.
    """
    value = text.text
    if parameters.is_name(ctx, value):
        if not value.strip("/"):
            ctx.problem(text.path, f"`{value}` names no parameter", "write a name, or an ARN")
        elif ":" in value:
            ctx.problem(
                text.path,
                f"`{ctx.symbols.show(value)}` selects a version or a label, which ECS refuses",
                "write the parameter's name alone",
            )
        else:
            yield from parameters.needs(ctx, arns.parameter_named(value, ctx.symbols), text, parameter_grant)
        return
    secret = arns.secret(value, ctx.symbols, ctx.types)
    if secret is not None:
        if _well_formed(ctx, secret, text):
            yield from needs(ctx, secret, text, grant)
        return
    parameter = arns.parameter(value) or parameters.by_reference(ctx, value)
    if parameter is not None:
        yield from parameters.needs(ctx, parameter, text, parameter_grant)
        return
    listed = tuple(filter(None, (extra, "Secrets", "Parameters")))
    if ctx.declared(listed, value):
        return
    if is_symbolic(value):
        ctx.unclassified(text, "secret or parameter", listed)
    else:
        what = f"`{value}` is the ARN of neither a secret nor a parameter"
        ctx.problem(text.path, what, "write the ARN of one, or a name")


def _well_formed(ctx: InferenceContext, secret: arns.Secret, text: Alternative) -> bool:
    if secret.tail and secret.tail.count(":") != _TAIL_FIELDS and not is_symbolic(secret.tail):
        ctx.problem(
            text.path,
            f"`{ctx.symbols.show(text.text)}` has {secret.tail.count(':')} field(s) after the secret's name",
            "write none, or all three of :json-key:version-stage:version-id, each of which may be empty",
        )
        return False
    return True


def needs(
    ctx: InferenceContext, secret: arns.Secret, place: Alternative, grant: Grant = READ, key: Cursor | None = None
) -> Iterator[Need]:
    """The needs of reading one secret, its key's included."""
    for resource in secret.resources():
        yield Need(grant, resource, place.guard, place.path, place.text)
    yield from keys.of_secret(ctx, secret, place, key)


def listed(ctx: InferenceContext, text: Alternative) -> arns.Secret | None:
    """The secret that an entry of a spec's list names: by name, full or partial ARN, or reference."""
    secret = arns.secret(text.text, ctx.symbols, ctx.types)
    if secret is not None:
        return secret
    symbol = ctx.symbols.sole(text.text)
    if symbol is not None:
        # A snippet does not see what it refers to; a Ref to a secret is its whole ARN.
        exact = symbol.kind == "Ref" and not ctx.reader.template.whole
        return arns.Secret(text.text, exact)
    if text.text.startswith("arn:"):
        ctx.problem(
            text.path,
            f"`{ctx.symbols.show(text.text)}` is no secret's ARN",
            "write arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME, or the name alone",
        )
        return None
    return arns.secret_named(text.text)


def declare(ctx: InferenceContext, entry: Entry, grant: Grant = READ) -> Iterator[Need]:
    """The needs of one entry of `Secrets`, or of any list with the same form."""
    for text in ctx.values(entry.value):
        secret = listed(ctx, text) if ctx.may_name(text, arns.SECRETS_BY_REF) else None
        if secret is not None:
            yield from needs(ctx, secret, text, grant, entry.given("KmsKey"))


FEATURE = Feature(
    id="secrets",
    title="Secrets Manager secrets",
    docs=DOCS,
    grants=(READ,),
    containers={"Secrets": infer, "LogConfiguration": infer_options},
    services={"ServiceConnectConfiguration": infer_service},
    keys={
        Key(
            "Secrets",
            "entries",
            "Read these Secrets Manager secrets.",
            (["prod/db"], [{"Secret": "prod/db", "KmsKey": "alias/prod"}]),
            item="Secret",
            options=(KMS_KEY,),
        ): declare
    },
)
