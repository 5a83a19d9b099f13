"""The rules, for cfn-lint's `--append-rules ecs_exec_role.lint.rules`.

cfn-lint makes a rule of every class that it sees here, so that only finished ones are imported.
"""

from __future__ import annotations

from ecs_exec_role.lint.rules._rules import MacroIsCalled, NothingIsMissing, SpecIsRight

__all__ = ["MacroIsCalled", "NothingIsMissing", "SpecIsRight"]
