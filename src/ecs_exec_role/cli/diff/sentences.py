"""The sentences of the comparison, for every format."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.compare.changes import GrantChange, PropertyChange, RoleChange
from ecs_exec_role.explain.report import Requester, Warned

MARKS = {"added": "+", "widened": "+", "removed": "-", "narrowed": "~", "condition-changed": "~"}

_STATES = {"added": "  new role", "removed": "  removed", "replaced": "  gets a new name", "changed": ""}

_LONGEST = 120
"""The most characters of a property's value that is shown in full."""


def name(role: RoleChange) -> str:
    """The role's logical ID."""
    return role.role or role.instead_of


def about(role: RoleChange) -> str:
    """What starts with the role, and what happens to the role."""
    used = f"  for {', '.join(role.definitions)}" if role.definitions else ""
    if role.state == "replaced" and role.role != role.instead_of:
        return f"{used}  replaces {role.instead_of}"
    return used + _STATES[role.state]


def alarms(role: RoleChange) -> Iterator[str]:
    """What can stop tasks or break others after the change; it comes first in every format."""
    for change in role.grants:
        if change.still_needed:
            places = "; ".join(map(asked, change.still_needed))
            access = f"{', '.join(change.actions)} on {change.resource}"
            yield f"the new template needs access that is removed, {access}: {places}"
    for warning in role.warnings:
        yield f"may be missing: {warned(warning)}"
    if role.state == "replaced":
        yield (
            "CloudFormation makes a new role with another ARN; resources with the old ARN, such as an iam:PassRole "
            "statement of a pipeline or a key policy, need the new one"
        )


def warned(warning: Warned) -> str:
    """What may be missing, and for whom."""
    what = f"{warning.who}: {warning.what}" if warning.what else warning.who
    return f"{what}, line {warning.line}: {warning.text}"


def granted(change: GrantChange) -> str:
    """What is or was granted, in one sentence."""
    deny = "Deny of " if change.effect == "Deny" else ""
    where = f" where {' and '.join(change.where)}" if change.where else ""
    when = f" if {change.when}" if change.when else ""
    said = f"{deny}{', '.join(change.actions)} on {change.resource}{where}{when}"
    if change.kind == "widened" and change.effect == "Deny":
        return f"{said} is removed or denies less  (widened)"
    if change.kind == "widened":
        return f"{said}  (widened)"
    return f"{said}  (narrowed)" if change.kind == "narrowed" else said


def reasons(change: GrantChange) -> Iterator[str]:
    """Why it changes, in sentences."""
    for said in change.instead:
        yield {
            "widened": f"before: {said}",
            "narrowed": f"now: {said}",
        }.get(change.kind, f"before: if {said}" if said != "always" else "before: always")
    taken = change.kind in ("removed", "narrowed") or (change.kind, change.effect) == ("widened", "Deny")
    if change.source:
        yield f"{'was in' if taken else 'in'} {change.source}, line {change.line}"
    if not taken:
        yield from (f"needed by {asked(each)}" for each in change.asked)
        if not change.asked and change.effect == "Allow":
            yield "no task needs this to start"
    elif change.kind == "narrowed":
        yield from (f"needed by {asked(each)}" for each in change.asked)
    elif change.effect == "Allow":
        if change.asked and not change.still_needed:
            yield from (f"no longer needed: {asked(each)}" for each in change.asked)
        elif not change.asked:
            yield "no task needed this to start"


def asked(requester: Requester) -> str:
    """What needs something, and where it is in the template."""
    what = f"{requester.who}: {requester.what}" if requester.what else requester.who
    held = f", if {requester.when}" if requester.when else ""
    return f"{what}, line {requester.line}{held}"


def property_changed(change: PropertyChange) -> str:
    """A property's change in one sentence."""
    if change.name == "AssumeRolePolicyDocument":
        said = [f"this is corrected: {each}" for each in change.no_longer]
        said += [f"this is new: {each}" for each in change.new]
        if change.widened:
            said.append("the new one may allow more than the old one  (widened)")
        return f"the trust policy changes{'; ' if said else ''}{'; '.join(said)}"
    widened = "; the role may be allowed more than before  (widened)" if change.widened else ""
    if not change.before:
        return f"{change.name} is added: {_short(change.after)}"
    if not change.after:
        return f"{change.name} is removed: {_short(change.before)}{widened}"
    return f"{change.name} changes from {_short(change.before)} to {_short(change.after)}{widened}"


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else "a long value (--format json has it)"
