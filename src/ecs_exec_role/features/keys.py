"""Decrypting what the other features read, with customer managed KMS keys.

A key is never granted by itself: `kms:Decrypt` only through the service that keeps the secret, parameter or object
(`kms:ViaService`), and only with the encryption context of that thing. The keys that AWS manages
(`aws/secretsmanager`, `aws/ssm`, `aws/s3`) need no grant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from ecs_exec_role.errors import Problem
from ecs_exec_role.needs.context import InferenceContext, ListEntry, Protected
from ecs_exec_role.needs.feature import NO_KEY, Feature, Key
from ecs_exec_role.needs.need import Condition, Grant
from ecs_exec_role.services import kms, s3, secretsmanager
from ecs_exec_role.services.resources import Owner, owned
from ecs_exec_role.services.secretsmanager import Secret
from ecs_exec_role.services.ssm import Parameter
from ecs_exec_role.template.conditions import ALWAYS, PathCondition, difference
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import ACCOUNT, ONE, REGION, SymbolicText, Symbols, is_symbolic

DOCS = "https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"

_DECRYPT = ("kms:Decrypt",)
SECRETS = Grant("DecryptSecrets", _DECRYPT, "Key")
PARAMETERS = Grant("DecryptParameters", _DECRYPT, "Key")
OBJECTS = Grant("DecryptObjects", _DECRYPT, "Key")

_MOST_ALIASES = 3
"""How many aliases that name each other are followed."""

_UNKNOWN_KEY = "unknown-key"
_MOST_LISTED = 5
"""The most things with an unknown key that a warning names; it gives the number of the rest."""


def of_secret(ctx: InferenceContext, secret: Secret, place: Alternative, key: Cursor | None = None) -> None:
    """Adds the needs of decrypting a secret: with `key`, or with the key that the secret's own resource names."""
    protected = Protected(SECRETS, "secretsmanager", "SecretARN", secret.region, secret.account, secret.resources())
    if key is not None:
        _decrypt(ctx, protected, key, place)
    for owner, path_condition in _owned_without(ctx, key, secret.owners, place):
        there = place.given(path_condition)
        of_owner = secretsmanager.key_of(ctx.reader, owner, secret.region, path_condition) if owner else None
        if of_owner is not None and of_owner.node is None:
            ctx.note(
                place.path,
                "encrypted with the key that AWS manages for Secrets Manager, which needs no grant",
                "https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
                path_condition,
                code="aws-managed-key",
            )
        elif of_owner is not None:
            _decrypt(ctx, protected, of_owner, there)
        elif place.text not in ctx.keyed and secret.arn not in ctx.keyed:
            ctx.unseen_keys.append((protected, there))


def of_parameter(ctx: InferenceContext, parameter: Parameter, place: Alternative, key: Cursor | None = None) -> None:
    """Adds the needs of decrypting a SecureString parameter with `key`."""
    protected = Protected(PARAMETERS, "ssm", "PARAMETER_ARN", parameter.region, parameter.account, parameter.arns)
    if key is not None:
        _decrypt(ctx, protected, key, place)
    if not parameter.is_public and place.text not in ctx.keyed:
        for owner, path_condition in _owned_without(ctx, key, parameter.owners, place):
            # CloudFormation cannot create a SecureString, so a parameter of the template has no key.
            if not owner:
                ctx.unseen_keys.append((protected, place.given(path_condition)))


def of_object(ctx: InferenceContext, item: s3.S3Object, place: Alternative, key: Cursor | None = None) -> None:
    """Adds the needs of decrypting an S3 object: with `key`, or with the default key of its bucket in this template.

    With an S3 Bucket Key the encryption context is the bucket's ARN instead of the object's; where it is not known
    whether the bucket has one, both are allowed. See
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
    """
    either = Protected(OBJECTS, "s3", "aws:s3:arn", REGION, ACCOUNT, (item.arn, item.bucket_arn))
    if key is not None:
        _decrypt(ctx, either, key, place)
    for owner, path_condition in _owned_without(ctx, key, item.owners, place):
        if owner:
            for of_bucket, has_bucket_key in s3.default_keys(ctx.reader, owner, path_condition):
                # Objects from before the bucket had an S3 Bucket Key keep their own encryption context.
                protected = either if has_bucket_key else either._replace(values=(item.arn,))
                there = place.given(of_bucket.path_condition)
                _decrypt(ctx, protected, of_bucket, there)
        elif place.text not in ctx.keyed:
            ctx.unseen_keys.append((either, place.given(path_condition)))


def _owned_without(
    ctx: InferenceContext, key: Cursor | None, owners: Sequence[Owner], place: Alternative
) -> Sequence[tuple[str, PathCondition]]:
    """As `owned`, where no key is named for the thing, under whichever conditions."""
    if key is None and not owners:
        return (("", place.path_condition),)
    if key is None:
        return owned(ctx.reader, owners, place.path_condition)
    left = key.given(place.path_condition).absences()
    return [each for path_condition in left for each in owned(ctx.reader, owners, path_condition)]


def settle(ctx: InferenceContext) -> None:
    """Adds the needs of decrypting what has a key that the template does not show, with the keys that the spec names.

    If the spec does not mention keys, one warning lists what may have one.
    """
    entries = ctx.entries.get("KmsKeys", ())
    possible = ctx.reader.related.possible
    unseen = [each for each in ctx.unseen_keys if not each[1].path_condition or possible(each[1].path_condition)]
    if not entries:
        _warn_of_unseen(ctx, unseen)
        return
    unseen = list(dict.fromkeys(unseen))
    for entry in entries:
        for protected, place in unseen:
            key = entry.value.under(place.path_condition)
            if key is not None:
                _decrypt(ctx, protected, key, place.given(key.path_condition))
    said = {entry.path_condition for entry in entries}
    path_conditions = {place.path_condition for _, place in unseen}
    unsaid = {path_condition for path_condition in path_conditions if not _is_said(ctx, path_condition, said)}
    _warn_of_unseen(ctx, [each for each in unseen if each[1].path_condition in unsaid])


def _is_said(ctx: InferenceContext, path_condition: PathCondition, said: Collection[PathCondition]) -> bool:
    """Whether the spec says something of keys under all of these conditions."""
    if ALWAYS in said:
        return True
    return not any(ctx.reader.related.possible(rest) for rest in difference(path_condition, said))


def _warn_of_unseen(ctx: InferenceContext, unseen: list[tuple[Protected, Alternative]]) -> None:
    """Warns of what may be encrypted with a key that the template does not show, if there is anything."""
    if unseen:
        # The warning does not refer to `ctx`, so that the end of the inference frees what is in it.
        write = partial(_unknown_key, ctx.symbols, ctx.reader.template.account, ctx.spec_path, unseen)
        ctx.warn_late(ctx.spec_path, _UNKNOWN_KEY, write)


def _unknown_key(
    symbols: Symbols, own_account: str, spec_path: str, unseen: list[tuple[Protected, Alternative]]
) -> Problem:
    """The warning that names what may be encrypted with a key that the template does not show."""
    things = list(dict.fromkeys((place.text, place.path) for _, place in unseen))
    listed = ", ".join(f"`{symbols.spelt(text)}` ({path})" for text, path in things[:_MOST_LISTED])
    if len(things) > _MOST_LISTED:
        listed += f" and {len(things) - _MOST_LISTED} more"
    fix = "if there are such keys, add `KmsKeys: [KEY]` to the spec; if there are none, add `KmsKeys: None`"
    if any(_is_secret_elsewhere(protected, own_account) for protected, _ in unseen):
        fix += " (a secret that another account shares always has such a key)"
    what = f"the template does not show which keys encrypt {listed}, so no customer managed key is granted"
    return Problem(spec_path, what, fix, _UNKNOWN_KEY)


def _is_secret_elsewhere(protected: Protected, own_account: str) -> bool:
    """Whether this is a secret of an account other than the stack's.

    The key that AWS manages for Secrets Manager cannot be used from another account. See
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html
    """
    account = protected.account
    return protected.service == "secretsmanager" and not is_symbolic(account) and account not in ("", own_account)


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds nothing: a key is granted only for what it protects, which `settle` does after all that is known."""
    del ctx, entry


def _decrypt(ctx: InferenceContext, protected: Protected, key: Cursor, place: Alternative) -> None:
    for path_condition, node in _keys(ctx, key.given(place.path_condition), protected):
        if node == NO_KEY:
            continue
        if not kms.can_be_key(node):
            what, fix = f"`{ctx.symbols.show(node)}` is not a KMS key", "write the ARN of a key, its ID, or alias/NAME"
            ctx.problem(key.path, what, fix, code="wrong-arn")
            continue
        found = kms.read(ctx.symbols, node, protected.region, protected.account)
        _tell_form(ctx, key.path, node, found)
        for each in found:
            # The ARN of a bucket does not contain its region. The key is in the same region.
            where = each.region if protected.service == "s3" else protected.region
            conditions: list[Condition] = [("StringEquals", "kms:ViaService", _via(ctx, protected.service, where))]
            if each.alias:
                conditions.append(("ForAnyValue:StringEquals", "kms:ResourceAliases", (each.alias,)))
            operator = "StringLike" if any(ONE in value for value in protected.values) else "StringEquals"
            for value in protected.values:
                context = (operator, f"kms:EncryptionContext:{protected.context}", value)
                ctx.need(protected.grant, each.arn, path_condition, place.path, node, tuple(conditions), context)


def _tell_form(ctx: InferenceContext, path: str, node: str, found: Sequence[kms.KmsKey]) -> None:
    """Reports a key that can be given by its ARN, its ID or an alias."""
    shown = f"`{ctx.symbols.show(node)}`"
    if any(each.guessed for each in found):
        what = f"{shown} may be the ARN, the ID or an alias of a key, and is treated as an ARN"
        fix = "write the ARN, or the alias as alias/NAME; CloudFormation cannot split a dynamic reference"
        ctx.warn(path, what, fix, code="unknown-key-form")
    elif len(found) > 1:
        text = f"{shown} may be the ARN, the ID or an alias of a key; each of these is granted"
        ctx.note(path, text, DOCS, code="unknown-key-form")


def _via(ctx: InferenceContext, service: str, region: SymbolicText) -> tuple[str, ...]:
    """The names that KMS can use for a service.

    Outside the commercial and the GovCloud regions it is not documented which suffix KMS uses, so both are allowed.
    """
    suffixes = dict.fromkeys(("amazonaws.com", ctx.reader.template.url_suffix))
    return tuple(f"{service}.{region}.{suffix}" for suffix in suffixes)


def _keys(
    ctx: InferenceContext, key: Cursor, protected: Protected, depth: int = 0
) -> Iterator[tuple[PathCondition, SymbolicText]]:
    """The texts that a key can be, with references to keys and aliases of the template followed to the key's ARN.

    An alias belongs to an account and a region: a literal name is the template's only for what is in the stack's own.
    """
    template, region = ctx.reader.template, protected.region
    elsewhere = not is_symbolic(region) and region != template.region
    ours = region in (REGION, template.region) and protected.account in (ACCOUNT, template.account)
    for text in ctx.values(key):
        if key.path.startswith(ctx.spec_path) and not ctx.may_name(text, kms.TYPES):
            continue
        for alias, path_condition in kms.aliases(ctx.reader, text, ours=ours):
            if not alias:
                yield path_condition, kms.arn_of_reference(ctx.reader, text.text, region)
            elif elsewhere:
                for name in ctx.values(kms.names_of_alias(ctx.reader, alias, path_condition)):
                    yield name.path_condition, name.text
            elif depth < _MOST_ALIASES:
                yield from _keys(ctx, kms.key_of_alias(ctx.reader, alias, path_condition), protected, depth + 1)


FEATURE = Feature(
    id="keys",
    title="Customer managed keys",
    docs=DOCS,
    grants=(SECRETS, PARAMETERS, OBJECTS),
    keys={
        Key(
            "KmsKeys",
            "texts",
            "The customer managed keys of what is read, if the template does not show them; None: there are none.",
            (["alias/prod"], [{"Ref": "DataKey"}], NO_KEY),
            choices=(NO_KEY,),
        ): declare
    },
    finish=settle,
)
