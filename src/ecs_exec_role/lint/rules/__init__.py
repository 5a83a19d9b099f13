"""The rules, for cfn-lint's `--append-rules ecs_exec_role.lint.rules`.

cfn-lint makes a rule of every class in this module, so it imports only complete rules.
"""

from __future__ import annotations

from ecs_exec_role.lint.rules._rules import MacroIsCalled, NothingIsMissing, ProjectIsReadable, SpecIsRight

__all__ = ["MacroIsCalled", "NothingIsMissing", "ProjectIsReadable", "SpecIsRight"]
