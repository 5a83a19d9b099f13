"""What the macro's owner requires for every role.

The rules are in separate modules, which are loaded only if an owner has set any: a cold start without guardrails
does not load them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import Need
from ecs_exec_role.settings import NO_GUARDRAILS, Guardrails
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.reader import Reader

if TYPE_CHECKING:
    from ecs_exec_role.guardrails.enforce import Enforcer


class Enforced(NamedTuple):
    """A spec and the needs of its role, after the guardrails."""

    spec: Spec
    needs: tuple[Need, ...]


class Unrestricted:
    """Used instead of the enforcer if no guardrails are set."""

    forces_preflight = False

    def enforce(self, owner: str, spec: Spec, needs: Iterable[Need]) -> Enforced:  # noqa: ARG002 - as `Enforcer`
        """Returns a role unchanged."""
        return Enforced(spec, tuple(needs))


AnyEnforcer: TypeAlias = "Enforcer | Unrestricted"


def enforcer(guardrails: Guardrails, reader: Reader) -> AnyEnforcer:
    """Checks the roles of one template against the guardrails."""
    if guardrails == NO_GUARDRAILS:
        return Unrestricted()
    from ecs_exec_role.guardrails.enforce import Enforcer  # noqa: PLC0415 - see this module's docstring

    return Enforcer(guardrails, reader)
