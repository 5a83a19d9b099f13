"""Reading secrets of Secrets Manager into a container's environment and its log driver's options.

Looks at every container's `Secrets[].ValueFrom` and `LogConfiguration.SecretOptions[].ValueFrom`. A `ValueFrom` that
is not an ARN, or is one of SSM, is a parameter: see `parameters`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.features import keys, parameters
from ecs_exec_role.needs.context import Entry, Inquiry
from ecs_exec_role.needs.need import Feature, Grant, Need
from ecs_exec_role.services import arns
from ecs_exec_role.spec.language import KMS_KEY, Key
from ecs_exec_role.template.conditions import Guard
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import Json, is_symbolic

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html"

READ = Grant("ReadSecrets", ("secretsmanager:GetSecretValue",), "Secret")

_TAIL_FIELDS = 3


def infer(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of a list of `{Name: …, ValueFrom: …}`."""
    for case in ask.reader.each_mapping(node, guard, path):
        for text in ask.texts(case.node.get("ValueFrom"), case.guard, f"{case.path}/ValueFrom"):
            yield from value_from(ask, text)


def infer_options(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of a `LogConfiguration`'s `SecretOptions`, which any driver may have."""
    for case in ask.reader.cases(node, guard, path):
        if isinstance(case.node, dict) and "SecretOptions" in case.node:
            yield from infer(ask, case.node["SecretOptions"], case.guard, f"{case.path}/SecretOptions")


def value_from(
    ask: Inquiry, text: Alternative, grant: Grant = READ, parameter_grant: Grant = parameters.READ, extra: str = ""
) -> Iterator[Need]:
    """The needs of one `ValueFrom`, which may name a secret or a parameter.

    `extra` is one more key of the spec where the same value may be settled.
    """
    value = text.text
    if parameters.is_name(ask, value):
        if not value.strip("/"):
            ask.problem(text.path, f"`{value}` names no parameter", "write a name, or an ARN")
        elif ":" in value:
            ask.problem(
                text.path,
                f"`{ask.symbols.show(value)}` selects a version or a label, which ECS refuses",
                "write the parameter's name alone",
            )
        else:
            yield from parameters.needs(ask, arns.parameter_named(value, ask.symbols), text, parameter_grant)
        return
    secret = arns.secret(value, ask.symbols, ask.types)
    if secret is not None:
        if _well_formed(ask, secret, text):
            yield from needs(ask, secret, text, grant)
        return
    parameter = arns.parameter(value) or parameters.by_reference(ask, value)
    if parameter is not None:
        yield from parameters.needs(ask, parameter, text, parameter_grant)
        return
    listed = tuple(filter(None, (extra, "Secrets", "Parameters")))
    if ask.settled_anywhere(listed, value):
        return
    if is_symbolic(value):
        ask.unclassified(text, "secret or parameter", listed)
    else:
        what = f"`{value}` is the ARN of neither a secret nor a parameter"
        ask.problem(text.path, what, "write the ARN of one, or a name")


def _well_formed(ask: Inquiry, secret: arns.Secret, text: Alternative) -> bool:
    if secret.tail and secret.tail.count(":") != _TAIL_FIELDS and not is_symbolic(secret.tail):
        ask.problem(
            text.path,
            f"`{ask.symbols.show(text.text)}` has {secret.tail.count(':')} field(s) after the secret's name",
            "write none, or all three of :json-key:version-stage:version-id, each of which may be empty",
        )
        return False
    return True


def needs(
    ask: Inquiry, secret: arns.Secret, place: Alternative, grant: Grant = READ, key: Json = None
) -> Iterator[Need]:
    """The needs of reading one secret, its key's included."""
    for resource in secret.resources():
        yield Need(grant, resource, place.guard, place.path, place.text)
    yield from keys.of_secret(ask, secret, place, key)


def listed(ask: Inquiry, text: Alternative) -> arns.Secret | None:
    """The secret that an entry of a spec's list names: by name, full or partial ARN, or reference."""
    secret = arns.secret(text.text, ask.symbols, ask.types)
    if secret is not None:
        return secret
    symbol = ask.symbols.sole(text.text)
    if symbol is not None:
        # A snippet does not see what it refers to; a Ref to a secret is its whole ARN.
        exact = symbol.kind == "Ref" and not ask.reader.template.whole
        return arns.Secret(text.text, exact)
    if text.text.startswith("arn:"):
        ask.problem(
            text.path,
            f"`{ask.symbols.show(text.text)}` is no secret's ARN",
            "write arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME, or the name alone",
        )
        return None
    return arns.secret_named(text.text)


def declare(ask: Inquiry, entry: Entry, grant: Grant = READ) -> Iterator[Need]:
    """The needs of one entry of `Secrets`, or of any list with the same form."""
    for text in ask.texts(entry.node, entry.guard, entry.path):
        secret = listed(ask, text) if ask.may_name(text, arns.SECRETS_BY_REF) else None
        if secret is not None:
            yield from needs(ask, secret, text, grant, entry.options.get("KmsKey"))


FEATURE = Feature(
    id="secrets",
    title="Secrets Manager secrets",
    docs=DOCS,
    grants=(READ,),
    containers={"Secrets": infer, "LogConfiguration": infer_options},
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
