"""EcsExecRole: least-privilege ECS task execution roles, inferred from CloudFormation templates.

The names in `__all__` are the public interface of this package; docs/library.md describes them. Everything else is
private and can change in any release. A name is loaded when it is used for the first time, so that `import
ecs_exec_role` costs no start-up time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecs_exec_role.audit.report import RoleAudit
    from ecs_exec_role.audit.report import of as audit_template
    from ecs_exec_role.errors import Problem, TemplateError
    from ecs_exec_role.explain.report import Explanation
    from ecs_exec_role.explain.report import of as explain_template
    from ecs_exec_role.migrate.plan import Migration
    from ecs_exec_role.migrate.plan import migrate as migrate_template
    from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate, LocatedProblem
    from ecs_exec_role.offline.macro_call import Expanded, StackValues
    from ecs_exec_role.offline.macro_call import expanded as expand_template
    from ecs_exec_role.offline.template_file import TemplateFile
    from ecs_exec_role.offline.template_file import parse as parse_template
    from ecs_exec_role.offline.template_file import read as read_template
    from ecs_exec_role.offline.yaml_writer import write as write_yaml
    from ecs_exec_role.pipeline import Expansion, expand, infer
    from ecs_exec_role.roles.role import RolePlan
    from ecs_exec_role.settings import DESK_PREFLIGHT, Guardrails, Settings
    from ecs_exec_role.settings import from_environment as settings_from_environment
    from ecs_exec_role.spec.schema import schema

__version__ = "1.0.0"

__all__ = [
    "DESK_PREFLIGHT",
    "Expanded",
    "Expansion",
    "Explanation",
    "Guardrails",
    "InvalidInput",
    "InvalidTemplate",
    "LocatedProblem",
    "Migration",
    "Problem",
    "RoleAudit",
    "RolePlan",
    "Settings",
    "StackValues",
    "TemplateError",
    "TemplateFile",
    "audit_template",
    "expand",
    "expand_template",
    "explain_template",
    "infer",
    "migrate_template",
    "parse_template",
    "read_template",
    "schema",
    "settings_from_environment",
    "write_yaml",
]

_PLACES = {
    "DESK_PREFLIGHT": ("settings", "DESK_PREFLIGHT"),
    "Expanded": ("offline.macro_call", "Expanded"),
    "Expansion": ("pipeline", "Expansion"),
    "Guardrails": ("settings", "Guardrails"),
    "InvalidInput": ("offline.errors", "InvalidInput"),
    "InvalidTemplate": ("offline.errors", "InvalidTemplate"),
    "LocatedProblem": ("offline.errors", "LocatedProblem"),
    "Migration": ("migrate.plan", "Migration"),
    "Problem": ("errors", "Problem"),
    "Explanation": ("explain.report", "Explanation"),
    "RoleAudit": ("audit.report", "RoleAudit"),
    "RolePlan": ("roles.role", "RolePlan"),
    "Settings": ("settings", "Settings"),
    "StackValues": ("offline.macro_call", "StackValues"),
    "TemplateError": ("errors", "TemplateError"),
    "TemplateFile": ("offline.template_file", "TemplateFile"),
    "audit_template": ("audit.report", "of"),
    "expand": ("pipeline", "expand"),
    "expand_template": ("offline.macro_call", "expanded"),
    "explain_template": ("explain.report", "of"),
    "infer": ("pipeline", "infer"),
    "migrate_template": ("migrate.plan", "migrate"),
    "parse_template": ("offline.template_file", "parse"),
    "read_template": ("offline.template_file", "read"),
    "schema": ("spec.schema", "schema"),
    "settings_from_environment": ("settings", "from_environment"),
    "write_yaml": ("offline.yaml_writer", "write"),
}
"""For each public name: its module, and its name there."""


def __getattr__(name: str) -> Any:
    """Loads a public name when it is used for the first time (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own = _PLACES[name]
    value = getattr(import_module(f"{__name__}.{module}"), own)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
