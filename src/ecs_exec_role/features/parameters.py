"""Reading SSM parameters into a container's environment and its log driver's options.

`secrets` reads the definition, since a `ValueFrom` may name either. ECS calls `ssm:GetParameters`, and nothing else of
SSM.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.features import keys
from ecs_exec_role.needs.context import Entry, InferenceContext
from ecs_exec_role.needs.feature import KMS_KEY, Feature, Key
from ecs_exec_role.needs.need import Grant, Need
from ecs_exec_role.services import arns
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import ACCOUNT, PARTITION, REGION, Symbol, is_symbolic

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-ssm-paramstore.html"

READ = Grant("ReadParameters", ("ssm:GetParameters",), "Parameter")
READ_REFERENCED = Grant("ReadReferencedSecrets", ("secretsmanager:GetSecretValue",), "Secret")


def is_name(ctx: InferenceContext, text: str) -> bool:
    """Whether `text` surely is a parameter's name: so far as its beginning is known, it is no ARN's."""
    if text.startswith("arn:"):
        return False
    symbol = ctx.symbols.sole(text[:1])
    return symbol is None or _is_pseudo(symbol)


def _is_pseudo(symbol: Symbol) -> bool:
    return symbol.kind == "Ref" and symbol.name.startswith("AWS::")


def by_reference(ctx: InferenceContext, text: str) -> arns.Parameter | None:
    """The parameter that a reference to one of the template gives, or None if `text` is no such reference.

    `Ref` is the parameter's name, so the ARN is made from that from the `Name` that the resource says, whose first
    character tells whether it starts with a slash, or from the one that CloudFormation makes up, which does not.
    """
    symbol = ctx.symbols.sole(text)
    if symbol is None or ctx.types.get(symbol.name) != "AWS::SSM::Parameter" or symbol.attribute not in ("", "Arn"):
        return None
    name = Cursor.of_resource(ctx.reader, symbol.name).get("Name")
    if name.node is None:
        return arns.Parameter(
            (f"arn:{PARTITION}:ssm:{REGION}:{ACCOUNT}:parameter/{ctx.symbols.ref(symbol.name)}",), REGION
        )
    found: dict[str, None] = {}
    for alternative in ctx.values(name):
        found.update(dict.fromkeys(arns.parameter_named(alternative.text, ctx.symbols).arns))
    return arns.Parameter(tuple(found), REGION)


def needs(
    ctx: InferenceContext, parameter: arns.Parameter, place: Alternative, grant: Grant = READ, key: Cursor | None = None
) -> Iterator[Need]:
    """The needs of reading one parameter: its key's, and its secret's where it only refers to one, included."""
    if parameter.account not in (ACCOUNT, ctx.reader.template.account) and not is_symbolic(parameter.account):
        ctx.warn(
            place.path,
            f"is a parameter of account {parameter.account or 'AWS'}, and ECS reads none of another account",
            "copy it to this account, or keep it in Secrets Manager",
        )
    for resource in parameter.arns:
        yield Need(grant, resource, place.guard, place.path, place.text)
        referenced = arns.referenced_secret(resource)
        if referenced is not None:
            for secret in referenced.resources():
                yield Need(READ_REFERENCED, secret, place.guard, place.path, place.text)
    if key is not None:
        yield from keys.of_parameter(ctx, parameter.arns, parameter.region, place, key)


def listed(ctx: InferenceContext, text: Alternative) -> arns.Parameter | None:
    """The parameter that an entry of a spec's list names: by name, ARN or reference."""
    found = arns.parameter(text.text) or by_reference(ctx, text.text)
    if found is None and text.text.startswith("arn:"):
        ctx.problem(
            text.path,
            f"`{ctx.symbols.show(text.text)}` is no parameter's ARN",
            "write arn:PARTITION:ssm:REGION:ACCOUNT:parameter/NAME, or the name alone",
        )
        return None
    return found or arns.parameter_named(text.text, ctx.symbols)


def declare(ctx: InferenceContext, entry: Entry) -> Iterator[Need]:
    """The needs of one entry of `Parameters`."""
    for text in ctx.values(entry.value):
        parameter = listed(ctx, text) if ctx.may_name(text, ("AWS::SSM::Parameter",)) else None
        if parameter is not None:
            yield from needs(ctx, parameter, text, key=entry.given("KmsKey"))


FEATURE = Feature(
    id="parameters",
    title="SSM parameters",
    docs=DOCS,
    grants=(READ, READ_REFERENCED),
    keys={
        Key(
            "Parameters",
            "entries",
            "Read these SSM parameters.",
            (["/prod/db/host"], [{"Parameter": "/prod/db/password", "KmsKey": "alias/prod"}]),
            item="Parameter",
            options=(KMS_KEY,),
        ): declare
    },
)
