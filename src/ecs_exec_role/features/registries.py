"""Logging in to a private registry that is not ECR.

Looks at every container's `RepositoryCredentials.CredentialsParameter`: always a secret of Secrets Manager, by name or
ARN, and, unlike a `ValueFrom`, without a tail.
"""

from __future__ import annotations

from ecs_exec_role.features import parameters, secrets
from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.feature import KMS_KEY, Feature, Key
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.services import secretsmanager, ssm
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative

READ = Grant("ReadRegistryCredentials", ("secretsmanager:GetSecretValue",), "Secret")


def infer(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a container's `RepositoryCredentials`."""
    for case in cursor.mappings():
        for text in ctx.required(case.get("CredentialsParameter"), "write the name or the ARN of a secret"):
            if parameters.refuse_value(ctx, text) or _is_parameter(ctx, text):
                continue
            secret = secretsmanager.read(ctx.reader, text.text)
            if secret is None and ctx.declared(("RegistryCredentials", "Secrets"), text.text):
                continue
            if secret is None and ctx.symbols.sole(text.text[:1]) is not None:
                if text.text[1:] or ctx.may_name(
                    text, secretsmanager.BY_REF, fix="write the name or the ARN of a secret"
                ):
                    ctx.unclassified(text, "secret", ("RegistryCredentials",))
                continue
            secret = secret or secrets.listed(ctx, text)
            if secret is not None and secret.tail:
                what = (
                    f"`{ctx.symbols.show(text.text)}` ends with `{secret.tail}`, and ECS finds no secret by that name"
                )
                fix = "write only the secret's ARN or name: the complete secret is the login"
                ctx.problem(text.path, what, fix, "secret-tail")
            elif secret is not None:
                secrets.needs(ctx, secret, text, READ)


def _is_parameter(ctx: InferenceContext, text: Alternative) -> bool:
    """Reports a parameter of Systems Manager, in which ECS does not look for a login."""
    if ssm.read(ctx.reader, text.text) is None and parameters.by_reference(ctx, text.text) is None:
        return False
    what = f"`{ctx.symbols.show(text.text)}` is a parameter, and ECS reads a registry's login only from Secrets Manager"
    ctx.problem(text.path, what, "keep the login in a secret, and write its ARN or name", "wrong-arn")
    return True


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds the needs of one entry of `RegistryCredentials`."""
    secrets.declare(ctx, entry, READ)


FEATURE = Feature(
    id="registries",
    title="Private registry logins",
    docs="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html",
    grants=(READ,),
    containers={"RepositoryCredentials": infer},
    keys={
        Key(
            "RegistryCredentials",
            "entries",
            "Read the logins of private registries from these Secrets Manager secrets.",
            (["prod/registry"],),
            item="Secret",
            options=(KMS_KEY,),
        ): declare
    },
)
