"""The sentences of `migrate`: what it did, what it did not change and why, and what to do.

The sentences about the grants of a role are those of the audit, in `audit.sentences`.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecs_exec_role.template.event import PROPERTY

BY_HAND = f"write the {PROPERTY} by hand"
LOOP = "is a loop, and the definitions in it are not changed"
LOOP_BY_HAND = f"write {PROPERTY} in the loop by hand"
ELSEWHERE_FIX = "migrate the template it is in, or give --all to have roles made here"
AUDIT_ROLE = "audit that role with --role ARN"
OWN_TASK_ROLE = "give the containers a task role of their own first"

REPLACES_POLICIES = f"{PROPERTY} replaces its policies"
KEEPS_CONDITIONS = f"{PROPERTY} replaces its policies, and the definitions use it under the same conditions as before"


def elsewhere(definitions: Iterable[str]) -> str:
    """The role of these definitions is in another template."""
    return f"the execution role of {', '.join(definitions)} is not in this template, and is not changed"


def brought(definitions: Iterable[str], role: str) -> str:
    """These definitions use a role from outside under a condition."""
    return f"{', '.join(definitions)} also uses {role or 'no execution role'} under a condition; this is not changed"


def replaces_role(definition: str) -> str:
    """The spec is on the definition, and the role is removed."""
    return f"{PROPERTY} on {definition} replaces the role; the new role has another name and ARN"


def makes_role(definition: str) -> str:
    """The macro makes a role for a definition without one here."""
    return f"{definition}: {PROPERTY} makes a role for it"


def task_role(role: str) -> str:
    """The containers run with the same role."""
    return f"{role} is a task role too, and is not changed"


def by_transform(role: str) -> str:
    """Only CloudFormation knows the properties of the role."""
    return f"{role} is made by Fn::Transform, and is not changed"


def unchanged(reason: str, role: str = "") -> str:
    """A role is not changed for this reason; `role` names it if the reason does not."""
    return f"{reason}, so {role} is not changed" if role else f"{reason}, and is not changed"


def cannot_be_rewritten(role: str, reason: object) -> str:
    """The text of the template does not allow the edit."""
    return f"{role} cannot be rewritten: {reason}"
