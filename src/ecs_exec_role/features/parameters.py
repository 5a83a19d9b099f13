"""Reading SSM parameters into a container's environment and its log driver's options.

`secrets` reads the definition, since a `ValueFrom` may name either. ECS calls only `ssm:GetParameters` of
SSM.
"""

from __future__ import annotations

from ecs_exec_role.features import keys
from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.feature import KMS_KEY, Feature, Key
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.services import secretsmanager, ssm
from ecs_exec_role.services.resources import can_be_arn
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import ACCOUNT, Symbol, SymbolicText, is_symbolic

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-ssm-paramstore.html"

READ = Grant("ReadParameters", ("ssm:GetParameters",), "Parameter")
_VALUES = ("{{resolve:secretsmanager:", "{{resolve:ssm-secure:")
"""The prefixes of the dynamic references that give the value of a secret or of a SecureString."""

READ_REFERENCED = Grant("ReadReferencedSecrets", ("secretsmanager:GetSecretValue",), "Secret")


def is_name(ctx: InferenceContext, text: SymbolicText, first: Symbol | None) -> bool:
    """Whether `text` is certainly the name of a parameter: its known beginning is not the beginning of an ARN.

    `first` is the symbol with which it begins, if it does.
    """
    if first is None:
        return not text.startswith(("arn:", "{{resolve:"))
    # A reference alone is looked up with what its resource says: see `by_reference`.
    return ssm.is_name(ctx.reader, first) and not (len(text) == 1 and first.name in ctx.types)


def by_reference(ctx: InferenceContext, text: SymbolicText) -> ssm.Parameter | None:
    """The parameter of the template that a reference gives; what is wrong with its `Name` is reported there."""
    found = ssm.by_reference(ctx.reader, text)
    if found is None:
        return None
    name = Cursor.of_resource(ctx.reader, found.owners[0].logical_id).get("Name")
    names_one = name.node is None or len(ctx.values(name)) == len(name.texts())
    return found if names_one else found._replace(arns=(), tail="")


def well_formed(ctx: InferenceContext, parameter: ssm.Parameter, place: Alternative) -> bool:
    """Whether ECS can read a parameter by this text; reports why not."""
    can_be_name = ssm.can_be_name(parameter)
    if can_be_name and not parameter.tail and parameter.name.isascii() and not parameter.secret_name:
        return True
    shown = f"`{ctx.symbols.show(place.text)}`"
    if not can_be_name:
        what = f"{shown} cannot be the name of a parameter, and is not an ARN"
        fix = "write the name of a parameter, or the ARN of a secret or a parameter"
        ctx.problem(place.path, what, fix, "not-a-parameter-name")
    elif parameter.tail:
        what = f"{shown} selects a version or a label, which ECS does not support"
        ctx.problem(place.path, what, "write the parameter's name or ARN alone", "parameter-version")
    elif ssm.lacks_slash(ctx.reader, parameter):
        [symbol] = ctx.symbols.directly_in(parameter.name[:1])
        what = f"{shown} has no slash before the value of {symbol.name}, which does not begin with one"
        ctx.problem(place.path, what, f"write parameter/${{{symbol.name}}}", "wrong-arn")
    elif _refers_to_arn(ctx, parameter.secret_name):
        what = f"{shown} has the ARN of a secret where its name must be"
        ctx.problem(place.path, what, "write the secret's name, or only the secret's ARN", "wrong-arn")
    else:
        return True
    return False


def _refers_to_arn(ctx: InferenceContext, name: SymbolicText) -> bool:
    """Whether the name of a secret in a reference parameter is certainly an ARN."""
    symbol = ctx.symbols.sole(name[:1])
    kind = returns(ctx.reader.template, symbol) if symbol is not None else ""
    return kind == "secret-arn" or name.startswith("arn:")


def needs(
    ctx: InferenceContext,
    parameter: ssm.Parameter,
    place: Alternative,
    grant: Grant = READ,
    key: Cursor | None = None,
    *,
    decrypted: bool = True,
) -> None:
    """Adds the needs of reading one parameter, with those of its key, and of its secret if it only refers to one."""
    account = parameter.account
    ours = account in (ACCOUNT, ctx.reader.template.account) or parameter.is_public
    if not ours and not is_symbolic(account):
        owner = ctx.symbols.show(account) or "AWS"
        ctx.warn(
            place.path,
            f"is a parameter of account {owner}, and ECS reads only parameters of its own account",
            "copy it to this account, or keep it in Secrets Manager",
            code="other-account",
        )
    for resource in parameter.arns:
        ctx.need(grant, resource, place.path_condition, place.path, place.text)
    secret_name = parameter.secret_name
    if secret_name and parameter.arns:
        # Systems Manager reads the secret in the parameter's own region, so the request to KMS comes from Secrets
        # Manager.
        secret = secretsmanager.named(ctx.reader, secret_name, region=parameter.region)
        for resource in secret.resources():
            ctx.need(READ_REFERENCED, resource, place.path_condition, place.path, place.text)
        keys.of_secret(ctx, secret, place, key)
    elif decrypted:
        keys.of_parameter(ctx, parameter, place, key)


def listed(ctx: InferenceContext, text: Alternative) -> ssm.Parameter | None:
    """The parameter that an entry of a spec's list names: by name, ARN, reference, or a value known at deployment."""
    found = ssm.read(ctx.reader, text.text) or by_reference(ctx, text.text)
    if found is not None:
        return found if well_formed(ctx, found, text) else None
    late = at_deployment.is_late(ctx.symbols, text.text)
    if text.text.startswith("arn:") and (late or not can_be_arn(text.text, "ssm")):
        ctx.problem(
            text.path,
            f"`{ctx.symbols.show(text.text)}` is not the ARN of a parameter",
            "write arn:PARTITION:ssm:REGION:ACCOUNT:parameter/NAME, or the name alone",
            "wrong-arn",
        )
        return None
    if is_name(ctx, text.text, ctx.symbols.sole(text.text[:1])):
        found = ssm.named(ctx.reader, text.text)
        return found if well_formed(ctx, found, text) else None
    if not secrets_value(ctx, text) and not late:
        return ssm.of_unknown(ctx.symbols, text.text)
    return ssm.named(ctx.reader, text.text) if not secrets_value(ctx, text) else None


def secrets_value(ctx: InferenceContext, text: Alternative) -> bool:
    """Whether a text is a dynamic reference to the value of a secret, which no property here may contain."""
    return any(ctx.symbols.show(symbol.node).startswith(_VALUES) for symbol in ctx.symbols.dynamic_in(text.text))


def refuse_value(ctx: InferenceContext, text: Alternative) -> bool:
    """Reports a dynamic reference to the value of a secret."""
    if not ctx.symbols.any_dynamic or not secrets_value(ctx, text):
        return False
    what = f"`{ctx.symbols.show(text.text)}` gives the value of a secret, where its name or its ARN must be"
    fix = "write the secret's ARN (!Ref of the secret), or the parameter's name"
    ctx.problem(text.path, what, fix, "value-of-a-secret")
    return True


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds the needs of one entry of `Parameters`."""
    for text in ctx.values(entry.value):
        if refuse_value(ctx, text) or not ctx.may_name(text, (ssm.TYPE,)):
            continue
        parameter = listed(ctx, text)
        if parameter is not None:
            needs(ctx, parameter, text, key=entry.given("KmsKey"))


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
