"""What an update removes from a role while tasks of the deployed revision still run with it.

CloudFormation updates a role in place before it updates the service. Until the service has moved to the new revision of
the task definition, its scheduler may start tasks of the old one, which then need what the role no longer allows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ecs_exec_role.deployed import questions
from ecs_exec_role.deployed import stack as stacks
from ecs_exec_role.deployed.stack import Deployed
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline.errors import InvalidTemplate, NoAnswer
from ecs_exec_role.offline.macro_call import StackValues, expanded
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.preflight.arns import matches
from ecs_exec_role.preflight.needs import CheckedNeed
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.template.symbols import Symbols

if TYPE_CHECKING:
    import boto3

# The key of the spec that lists a need by its ARN, by the kind of the need.
_BY_ARN = {"Secret": "Secrets", "Parameter": "Parameters", "Object": "EnvironmentFiles"}
# The same for what is listed by the value in the template.
_BY_VALUE = {"Image": "Images", "Registry": "Images", "LogGroup": "LogGroups"}
# In a list between brackets, YAML reads a text of these characters unchanged.
# A request has several values of this key at once.
_ALIASES = "kms:ResourceAliases"
_PLAIN = re.compile(r"[A-Za-z0-9/._@:+=-]+")


class Lost(NamedTuple):
    """A need of the deployed template that the new role does not meet: its path, and what is no longer allowed."""

    path: str
    target: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    fix: str

    def data(self) -> dict[str, object]:
        """The need as plain JSON values."""
        return self._asdict()

    def __str__(self) -> str:
        return (
            f"{self.path}: tasks of the deployed revision need {', '.join(self.actions)} on "
            f"{' or '.join(self.resources)}, and the update removes it from their role before the service has moved to "
            f"the new revision; {self.fix}"
        )


class Narrowing(NamedTuple):
    """What an update removes from a role, and why this may be incomplete."""

    lost: tuple[Lost, ...] = ()
    unknown: str = ""


def of(
    session: boto3.session.Session,
    template: TemplateFile,
    stack: StackValues,
    deployed: Deployed,
    roles: Iterable[str] = (),
) -> Narrowing:
    """What the deployment of `template` to the stack would remove from deployed roles.

    Args:
        session: asks CloudFormation for the deployed template (`cloudformation:GetTemplate`).
        template: the new template.
        stack: the region, the account and the parameters of the update.
        deployed: the stack.
        roles: the logical IDs of the roles to compare; all of them if it is empty.
    """
    try:
        old = stacks.template_of(session, deployed)
        before = _asked(old, stack._replace(values=deployed.values), deployed.physical)
    except NoAnswer as error:
        return Narrowing(unknown=str(error))
    except InvalidTemplate as error:
        return Narrowing(unknown=f"the deployed template cannot be read: {error}")
    after = _asked(template, stack, deployed.physical)
    # A role that the new template does not have, or has under another logical ID, is deleted after the update.
    shared = [name for name in before if name in after and name in (*roles, *(() if roles else before))]
    lost = [
        item for name in shared for item in lost_needs(before[name].asked, (*after[name].asked, *after[name].allowed))
    ]
    left = [path for name in shared for path, _ in set(before[name].open) - set(after[name].open)]
    unknown = f"not compared, since their values are not known here: {', '.join(sorted(set(left)))}" if left else ""
    return Narrowing(tuple(lost), unknown)


def _asked(template: TemplateFile, stack: StackValues, physical: Mapping[str, str]) -> dict[str, questions.Questions]:
    found: Sequence[tuple[RolePlan, Symbols]] = expanded(template, stack).roles
    return {plan.logical_id: questions.of(template, plan, symbols, stack, physical) for plan, symbols in found}


def lost_needs(before: Sequence[CheckedNeed], after: Sequence[CheckedNeed]) -> list[Lost]:
    """The needs of `before` that no need of `after` covers."""
    found = []
    for need in before:
        actions = tuple(action for action in need.actions if not _covered(need, action, after))
        if actions:
            found.append(Lost(need.path, need.target, actions, need.resources, _fix(need, actions)))
    return found


def _covered(need: CheckedNeed, action: str, after: Sequence[CheckedNeed]) -> bool:
    allowed = [
        pattern
        for other in after
        if any(pattern == action or matches(pattern.lower(), action.lower()) for pattern in other.actions)
        and (not other.context or dict(other.context) == dict(need.context))
        for pattern in other.resources
    ]
    return all(any(pattern == name or matches(pattern, name) for pattern in allowed) for name in need.resources)


def _fix(need: CheckedNeed, actions: Sequence[str]) -> str:
    return f"list it in ExecutionRoleSpec ({_entry(need, actions)}) for this deployment, and remove it in the next"


def _entry(need: CheckedNeed, actions: Sequence[str]) -> str:
    """A line of the spec that keeps a need in the role."""
    key, value = _BY_ARN.get(need.kind), need.resources[0]
    if key is None:
        key, value = _BY_VALUE.get(need.kind), need.target
    if key and _PLAIN.fullmatch(value):
        return f"{key}: [{value}]"
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Action": _plain(actions),
        "Resource": _plain(need.resources),
    }
    one = {name: _plain(values) for name, values in need.context.items() if name != _ALIASES}
    several = {name: _plain(values) for name, values in need.context.items() if name == _ALIASES}
    condition = {"StringLike": one, "ForAnyValue:StringEquals": several}
    if need.context:
        statement["Condition"] = {operator: keys for operator, keys in condition.items() if keys}
    return f"Statements: [{json.dumps(statement)}]"


def _plain(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
