"""Reading secrets of Secrets Manager into a container's environment and its log driver's options.

Looks at every container's `Secrets[].ValueFrom` and `LogConfiguration.SecretOptions[].ValueFrom`. A `ValueFrom` that
is not an ARN, or is one of SSM, is a parameter: see `parameters`.
"""

from __future__ import annotations

from ecs_exec_role.features import keys, parameters
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.definitions import proxies
from ecs_exec_role.needs.feature import KMS_KEY, Feature, Key
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.services import secretsmanager, ssm
from ecs_exec_role.services.resources import can_be_arn, service_of
from ecs_exec_role.services.secretsmanager import Secret
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import Symbol, is_symbolic

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html"

READ = Grant("ReadSecrets", ("secretsmanager:GetSecretValue",), "Secret")

_TAIL_FIELDS = 3
_FIX = "write the name of a parameter, or the ARN of a secret or a parameter"
_VALUE_OF_PARAMETER = late_pattern(r"\{\{resolve:ssm:(?P<name>[A-Za-z0-9_./-]+)(?::[0-9]+)?\}\}")


def infer(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a list of `{Name: …, ValueFrom: …}`."""
    for item in cursor.mapping_items():
        ctx.recall(_infer_place, item.get("ValueFrom"))


def _infer_place(ctx: InferenceContext, cursor: Cursor) -> None:
    for text in ctx.required(cursor, _FIX):
        value_from(ctx, text)


def infer_options(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a `LogConfiguration`'s `SecretOptions`, which any driver may have."""
    for case in cursor.cases():
        if case.has("SecretOptions"):
            infer(ctx, case.get("SecretOptions"))


def infer_service(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a service's `ServiceConnectConfiguration`, whose proxies start with the task's role."""
    for case in proxies(cursor):
        infer_options(ctx, case.get("LogConfiguration"))


def value_from(
    ctx: InferenceContext,
    text: Alternative,
    grant: Grant = READ,
    parameter_grant: Grant = parameters.READ,
    extra: str = "",
) -> None:
    """Adds the needs of one `ValueFrom`, which may name a secret or a parameter.

    `extra` is one more key of the spec where the same value may be declared.
    """
    value = text.text
    if parameters.refuse_value(ctx, text):
        return
    if not value.startswith("arn:"):
        first = ctx.symbols.sole(value[:1])
        if first is not None and _refuse_attribute(ctx, text, first):
            return
        if parameters.is_name(ctx, value, first):
            _by_name(ctx, text, parameter_grant, decrypted=not extra)
            return
    secret = secretsmanager.read(ctx.reader, value)
    if secret is not None:
        if well_formed(ctx, secret, text):
            needs(ctx, secret, text, grant)
        return
    found = ssm.read(ctx.reader, value) or parameters.by_reference(ctx, value)
    if found is not None:
        if parameters.well_formed(ctx, found, text):
            parameters.needs(ctx, found, text, parameter_grant, decrypted=not extra)
        return
    if value[1:2] in ("", ":") and not ctx.may_name(
        text, (*secretsmanager.BY_REF, ssm.TYPE), begins=len(value) > 1, fix=_FIX
    ):
        return
    listed = tuple(filter(None, (extra, "Secrets", "Parameters")))
    if ctx.declared(listed, value):
        return
    _partly_known(ctx, text, (grant, parameter_grant), listed)


def _by_name(ctx: InferenceContext, text: Alternative, grant: Grant, *, decrypted: bool) -> None:
    """Adds the needs of a parameter that a `ValueFrom` names without an ARN."""
    if not text.text.strip("/"):
        ctx.problem(text.path, f"`{ctx.symbols.show(text.text)}` names no parameter", _FIX, "empty")
        return
    parameter = ssm.named(ctx.reader, text.text)
    if parameters.well_formed(ctx, parameter, text):
        parameters.needs(ctx, parameter, text, grant, decrypted=decrypted)


def _partly_known(
    ctx: InferenceContext, text: Alternative, grants: tuple[Grant, Grant], listed: tuple[str, ...]
) -> None:
    """Adds the needs of a `ValueFrom` of which only the deployment knows all, if its service at least is known.

    `grants` are those for a secret and for a parameter, `listed` the keys of the spec that can say what it is.
    """
    value = text.text
    is_secret, is_parameter = (can_be_arn(value, service) for service in ("secretsmanager", "ssm"))
    if at_deployment.is_late(ctx.symbols, value) and not ctx.ignore_unresolved:
        _refuse_late(ctx, text, " or ".join(listed))
    elif is_secret and is_symbolic(value) and service_of(value):
        needs(ctx, secretsmanager.of_unknown(ctx.symbols, value), text, grants[0])
    elif is_parameter and is_symbolic(value) and service_of(value):
        parameter = ssm.of_unknown(ctx.symbols, value)
        parameters.needs(ctx, parameter, text, grants[1], decrypted="FsxCredentials" not in listed)
    elif is_symbolic(value) and (is_secret or is_parameter or not value.startswith("arn:")):
        ctx.unclassified(text, "secret or parameter", listed)
    else:
        what = f"`{ctx.symbols.show(value)}` is not the ARN of a secret or a parameter"
        ctx.problem(text.path, what, "write the ARN of one, or a name", "wrong-arn")


def _refuse_late(ctx: InferenceContext, text: Alternative, lists: str) -> None:
    """Reports a dynamic reference to the value of a parameter, which can be any text."""
    shown = ctx.symbols.show(text.text)
    what = f"`{shown}` is a dynamic reference, which CloudFormation cannot split"
    fix = f"write a parameter of type AWS::SSM::Parameter::Value<String> in its place, and !Ref it here and in {lists}"
    match = _VALUE_OF_PARAMETER.fullmatch(shown)
    if match is not None:
        fix = f"write {match['name']} if the value of that parameter is the secret; otherwise {fix}"
    ctx.problem(text.path, what, fix, "dynamic-reference")


def _refuse_attribute(ctx: InferenceContext, text: Alternative, symbol: Symbol) -> bool:
    """Reports an attribute that a secret does not have: its ARN is what `Ref` gives. `symbol` begins the text."""
    if symbol.kind != "GetAtt" or symbol.attribute == "Id" or ctx.types.get(symbol.name) != secretsmanager.TYPE:
        return False
    what = f"{secretsmanager.TYPE} has no attribute {symbol.attribute}"
    ctx.problem(text.path, what, f"write !Ref {symbol.name}, which is the secret's ARN", "no-such-attribute")
    return True


def well_formed(ctx: InferenceContext, secret: Secret, text: Alternative) -> bool:
    """Whether the tail of a secret's ARN has the form that ECS requires; reports why not."""
    known = "" if is_symbolic(secret.tail) else secret.tail
    if not known:
        return True
    fields = known.split(":")[1:]
    if len(fields) != _TAIL_FIELDS:
        number = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        ctx.problem(
            text.path,
            f"`{ctx.symbols.show(text.text)}` has {number} after the secret's name",
            "write none, or all three of :json-key:version-stage:version-id, each of which may be empty",
            "secret-tail",
        )
        return False
    if fields[1] and fields[2]:
        what = f"`{ctx.symbols.show(text.text)}` names both a version stage and a version ID"
        fix = "write only one of them: Secrets Manager refuses both unless the stage is on that version"
        ctx.warn(text.path, what, fix, code="stage-and-version")
    return True


def needs(
    ctx: InferenceContext, secret: Secret, place: Alternative, grant: Grant = READ, key: Cursor | None = None
) -> None:
    """Adds the needs of reading one secret, including those of its key."""
    for resource in secret.resources():
        ctx.need(grant, resource, place.path_condition, place.path, place.text)
    keys.of_secret(ctx, secret, place, key)


def listed(ctx: InferenceContext, text: Alternative) -> Secret | None:
    """The secret that an entry of a spec's list names: by name, ARN, reference, or a value known at deployment."""
    if parameters.refuse_value(ctx, text):
        return None
    first = ctx.symbols.sole(text.text[:1])
    if first is not None and _refuse_attribute(ctx, text, first):
        return None
    secret = secretsmanager.read(ctx.reader, text.text)
    if secret is not None:
        return secret if well_formed(ctx, secret, text) else None
    symbol = ctx.symbols.sole(text.text)
    if symbol is not None and symbol.kind == "Ref" and not ctx.reader.template.whole:
        # A snippet does not see what it refers to; a Ref to a secret is its complete ARN.
        return Secret(text.text, exact=True)
    late = at_deployment.is_late(ctx.symbols, text.text)
    if text.text.startswith("arn:") and (late or not can_be_arn(text.text, "secretsmanager")):
        ctx.problem(
            text.path,
            f"`{ctx.symbols.show(text.text)}` is not the ARN of a secret",
            "write arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME, or the name alone",
            "wrong-arn",
        )
        return None
    if not text.text.startswith("arn:") and (
        not is_symbolic(text.text[:1]) or (symbol is not None and ssm.is_pseudo(symbol))
    ):
        return secretsmanager.named(ctx.reader, text.text)
    if late:
        return Secret(text.text, exact=False)
    return secretsmanager.of_unknown(ctx.symbols, text.text)


def declare(ctx: InferenceContext, entry: ListEntry, grant: Grant = READ) -> None:
    """Adds the needs of one entry of `Secrets`, or of any list with the same form."""
    for text in ctx.values(entry.value):
        secret = listed(ctx, text) if ctx.may_name(text, secretsmanager.BY_REF) else None
        if secret is not None:
            needs(ctx, secret, text, grant, entry.given("KmsKey"))


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
