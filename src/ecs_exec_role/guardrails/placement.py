"""The account and region of a thing, and whether a role may access it.

The place of a thing that is only known when the stack is deployed is not known here: it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from ecs_exec_role.features import guardduty
from ecs_exec_role.guardrails.subject import Subject
from ecs_exec_role.guardrails.trusted_references import ABOUT_A_SECRET, OWN_ARNS, names_one_thing
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import Need
from ecs_exec_role.policies.patterns import covers
from ecs_exec_role.settings import Allowed
from ecs_exec_role.template.symbols import ACCOUNT, REGION, SYMBOL, is_symbolic

RESOURCE_ACCOUNT = "aws:ResourceAccount"
REQUESTED_REGION = "aws:RequestedRegion"
"""See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""

_MOST_REFERENCES = 4
_S3 = ("Object", "Bucket")

# AWS's public parameters have no account in their ARN, and can be read in every account. See
# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
_PUBLIC_PARAMETERS = "parameter/aws/service/"

# Conditions with these keys only narrow what is granted, so their values need not be known.
_NARROWING = ("aws:sourceVpc", "aws:sourceVpce", "elasticfilesystem:AccessPointArn", "kms:ViaService")


class Placement(NamedTuple):
    """The place of a thing, from its ARN, as symbolic text; None for a part that is not known."""

    service: str
    region: str | None
    account: str | None


_HERE = Placement("", REGION, ACCOUNT)
_ANYWHERE = Placement("", None, None)


class PlacementRule(NamedTuple):
    """The rule that things must be in certain accounts, or in certain regions.

    `key` is the condition key with the same meaning; `here` the symbol of the stack's own account or region,
    `own` its value; `allowed` the others.
    """

    what: Literal["account", "region"]
    key: str
    here: str
    own: str
    allowed: tuple[Allowed, ...]

    def found(self, place: Placement) -> str | None:
        """The account or the region of a place."""
        return place.account if self.what == "account" else place.region


def rules(subject: Subject) -> list[PlacementRule]:
    """The rules that the guardrails set."""
    rails, template = subject.guardrails, subject.reader.template
    found = []
    if rails.only_accounts:
        found.append(PlacementRule("account", RESOURCE_ACCOUNT, ACCOUNT, template.account, rails.accounts))
    if rails.only_regions:
        found.append(PlacementRule("region", REQUESTED_REGION, REGION, template.region, rails.regions))
    return found


def guarded(subject: Subject, need: Need) -> Need:
    """A need that may be granted. An S3 object's ARN names no account, so the statement does."""
    if need.resource == "*" or need.grant is guardduty.PULL:
        return need
    if not _author_may_grant(subject, need):
        _check_certain(subject, need)
    if need.grant.kind in _S3:
        return _held_to_accounts(subject, need)
    for place in places(subject, need.resource):
        for rule in rules(subject):
            if not is_in(subject, rule, place):
                refuse_place(subject, rule, place, need.path, subject.spelt(need.target), "write it out")
    return need


def _held_to_accounts(subject: Subject, need: Need) -> Need:
    rails = subject.guardrails
    if not rails.only_accounts or any(key == RESOURCE_ACCOUNT for _, key, _ in need.conditions):
        # A bucket of the template is read only in the stack's own account, which is always allowed.
        return need
    others = [name for name in _names(rails.accounts, "s3") if name != subject.reader.template.account]
    condition = ("StringEquals", RESOURCE_ACCOUNT, (ACCOUNT, *others))
    return need._replace(conditions=(*need.conditions, condition))


def _author_may_grant(subject: Subject, need: Need) -> bool:
    """Whether the author may allow the same actions in a statement, on any resource."""
    allowed = subject.guardrails.statements
    if isinstance(allowed, bool):
        return allowed
    actions = [action.lower() for action in need.grant.actions]
    return all(any(covers(pattern.lower(), action) for pattern in allowed) for action in actions)


def _check_certain(subject: Subject, need: Need) -> None:
    """Refuses what is only known at deployment: it can be a wildcard, and so widen the grant."""
    reader = subject.reader
    texts = [need.resource, *(value for _, key, values in need.conditions if key not in _NARROWING for value in values)]
    if need.context is not None:
        texts.append(need.context[2])
    for text in texts:
        for symbol in reader.symbols.directly_in(text) if is_symbolic(text) else ():
            if not names_one_thing(reader, reader.template.types, symbol):
                spelt = subject.spelt(need.target)
                what = f"`{spelt}` is only known when the stack is deployed, and can then be a wildcard"
                fix = "write the value out, or use a parameter of type String without NoEcho"
                subject.refuse(need.path, what, fix, "guardrail-unknown-value")
                return


def is_in(subject: Subject, rule: PlacementRule, place: Placement) -> bool:
    """Whether a rule allows a thing in this place."""
    return is_allowed(subject, rule, place.service, rule.found(place))


def is_allowed(subject: Subject, rule: PlacementRule, service: str, text: str | None) -> bool:
    """Whether this account or region is one of a rule's."""
    if text is None or text == rule.here:
        return text is not None
    known = subject.reader.known(text)
    return bool(known) and (known == rule.own or known in _names(rule.allowed, service))


def refuse_place(
    subject: Subject, rule: PlacementRule, place: Placement, path: str, thing: str, fix: str, more: str = ""
) -> None:
    """Reports a thing that is not, or not certainly, where a rule allows it; `more` is added to the remedy."""
    found = rule.found(place)
    known = subject.reader.known(found) if found is not None else None
    others = [name for name in _names(rule.allowed, place.service) if name != rule.own]
    allowed = " or ".join([f"{rule.own} (the stack's own)", *others])
    fix = f"{fix}: {allowed}"
    if re.search(r"[*?]", thing if found is None else known or ""):
        what = f"`{thing}` can be in any {rule.what}"
    elif known is None:
        what = f"the {rule.what} of `{thing}` is only known when the stack is deployed"
    elif not known:
        what = f"`{thing}` names no {rule.what}"
    else:
        what, fix = f"`{thing}` is in the {rule.what} {known}, which is not allowed", f"use one in {allowed}"
    subject.refuse(path, what, fix + more, f"guardrail-{rule.what}")


def places(subject: Subject, text: str, depth: int = 0) -> list[Placement]:
    """The places of the thing with this symbolic ARN: several, if what it refers to has alternatives."""
    reader = subject.reader
    fields = text.split(":", 5)
    if len(fields) == 6 and fields[0] == "arn":
        return [_of_fields(subject, *fields[1:])]
    symbol = reader.symbols[text[0]] if text and is_symbolic(text[0]) else None
    if symbol is None or depth > _MOST_REFERENCES:
        return [_ANYWHERE]
    kind = reader.template.types.get(symbol.name, "")
    if symbol.kind == "Ref" and kind in ABOUT_A_SECRET:
        path = f"Resources/{symbol.name}/Properties/SecretId"
        secrets = reader.text(reader.template.properties(symbol.name).get("SecretId"), path=path)
        return [place for secret in secrets for place in _of_secret(subject, secret.text, depth + 1)] or [_ANYWHERE]
    return [_HERE] if symbol.kind in ("Ref", "GetAtt") and (kind, symbol.attribute) in OWN_ARNS else [_ANYWHERE]


def _of_fields(subject: Subject, partition: str, service: str, region: str, account: str, resource: str) -> Placement:
    """The place in the fields of an ARN. A field that is only known later can contain a colon and move the others."""
    known = subject.reader.known
    for field in (partition, service):
        if not known(field) or re.search(r"[*?$]", known(field) or ""):
            return _ANYWHERE
    if (service, account) == ("ssm", "") and resource.startswith(_PUBLIC_PARAMETERS):
        account = ACCOUNT
    known_region = known(region)
    if known_region is None or "${" in known_region:
        return Placement(service, None, None)
    return Placement(service, region, None if known(account) is None else account)


def _of_secret(subject: Subject, text: str, depth: int) -> Iterator[Placement]:
    """The place of a secret: by its ARN or its reference; a secret given by its name is where the stack is."""
    beginning = re.split(SYMBOL, text, maxsplit=1)[0]
    is_name = not text.startswith("arn:") and not (beginning != text and "arn:".startswith(beginning))
    yield from [_HERE] if is_name else places(subject, text, depth)


def _names(allowed: Iterable[Allowed], service: str) -> list[str]:
    """The accounts or regions besides the stack's own that are allowed for a service."""
    return [name for only, name in allowed if only in ("", service)]
