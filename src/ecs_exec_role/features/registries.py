"""Logging in to a private registry that is not ECR.

Looks at every container's `RepositoryCredentials.CredentialsParameter`: always a secret of Secrets Manager, by name or
ARN, and, unlike a `ValueFrom`, without a tail.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.features import secrets
from ecs_exec_role.needs.context import Entry, Inquiry
from ecs_exec_role.needs.need import Feature, Grant, Need
from ecs_exec_role.services import arns
from ecs_exec_role.spec.language import KMS_KEY, Key
from ecs_exec_role.template.conditions import Guard
from ecs_exec_role.template.symbols import Json

READ = Grant("ReadRegistryCredentials", ("secretsmanager:GetSecretValue",), "Secret")


def infer(ask: Inquiry, node: Json, guard: Guard, path: str) -> Iterator[Need]:
    """The needs of a container's `RepositoryCredentials`."""
    for case in ask.reader.mappings(node, guard, path):
        value = case.node.get("CredentialsParameter")
        for text in ask.texts(value, case.guard, f"{case.path}/CredentialsParameter"):
            secret = arns.secret(text.text, ask.symbols, ask.types)
            if secret is None and ask.settled_anywhere(("RegistryCredentials", "Secrets"), text.text):
                continue
            if secret is None and ask.symbols.sole(text.text[:1]) is not None:
                ask.unclassified(text, "secret", ("RegistryCredentials",))
                continue
            secret = secret or secrets.listed(ask, text)
            if secret is not None and secret.tail:
                what = (
                    f"`{ask.symbols.show(text.text)}` has `{secret.tail}` at its end, with which ECS does not find it"
                )
                ask.problem(text.path, what, "write the secret's ARN or name alone: all of it is the login")
            elif secret is not None:
                yield from secrets.needs(ask, secret, text, READ)


def declare(ask: Inquiry, entry: Entry) -> Iterator[Need]:
    """The needs of one entry of `RegistryCredentials`."""
    yield from secrets.declare(ask, entry, READ)


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
