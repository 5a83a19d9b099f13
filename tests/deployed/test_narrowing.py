"""What an update removes from a role, need by need."""

from __future__ import annotations

from ecs_exec_role.deployed.narrowing import lost_needs
from ecs_exec_role.preflight.needs import CheckedNeed

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"


def need(name: str, actions: tuple[str, ...] = ("secretsmanager:GetSecretValue",)) -> CheckedNeed:
    return CheckedNeed(
        path="Resources/Task", kind="Secret", target=name, actions=actions, resources=(f"{SECRET}{name}",)
    )


def test_same_need_is_not_lost() -> None:
    assert lost_needs([need("a")], [need("b"), need("a")]) == []


def test_pattern_of_the_new_role_covers_the_old_name() -> None:
    assert lost_needs([need("a-x1Y2z3")], [need("a-??????")]) == []


def test_only_the_actions_that_nothing_covers_are_lost() -> None:
    [lost] = lost_needs([need("a", ("s:One", "s:Two"))], [need("a", ("s:One",))])
    assert (lost.actions, lost.resources) == (("s:Two",), (f"{SECRET}a",))
    listed = f"Secrets: [{SECRET}a]"
    assert lost.fix == f"list it in ExecutionRoleSpec ({listed}) for this deployment, and remove it in the next"
