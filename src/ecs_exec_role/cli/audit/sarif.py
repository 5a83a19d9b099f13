"""The audit as SARIF 2.1.0, for code scanning.

See https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from ecs_exec_role import __version__
from ecs_exec_role.audit.report import Found, RoleAudit
from ecs_exec_role.template.symbols import Json

_RULES = {
    "lacking": ("error", "A task needs a permission that its execution role lacks", "ECS cannot start such a task."),
    "excess": ("warning", "An execution role has a permission that no task needs", "Take it away."),
    "too-wide": ("warning", "An execution role's permission is wider than its tasks need", "Narrow it."),
    "unknown": ("note", "A permission cannot be judged from the template alone", "Look at it, or give parameters."),
}


def write(audits: Sequence[RoleAudit]) -> dict[str, Json]:
    """The SARIF log of these audits."""
    return {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "ecs-exec-role",
                        "semanticVersion": __version__,
                        "rules": [
                            {
                                "id": rule,
                                "shortDescription": {"text": title},
                                "help": {"text": help_text},
                                "defaultConfiguration": {"level": level},
                                "properties": {"tags": ["security"]},
                            }
                            for rule, (level, title, help_text) in _RULES.items()
                        ],
                    }
                },
                "results": [_result(audit, found) for audit in audits for found in audit.findings],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _result(audit: RoleAudit, found: Found) -> dict[str, Json]:
    rules = list(_RULES)
    result: dict[str, Json] = {
        "ruleId": found.kind,
        "ruleIndex": rules.index(found.kind),
        "level": _RULES[found.kind][0],
        "message": {"text": f"{audit.role or 'No execution role'}: {found.what}; {found.fix}."},
        "locations": [_location(audit.template, found.line, found.path)],
        # The same finding keeps its name when lines move.
        "partialFingerprints": {"ecsExecRole/v1": "|".join([found.kind, found.path, *found.actions, found.resource])},
    }
    if found.needed_in_lines:
        result["relatedLocations"] = [
            {**_location(audit.template, line, path), "message": {"text": "This needs it."}}
            for line, path in zip(found.needed_in_lines, found.needed_by, strict=False)
        ]
    return result


def _location(template: str, line: int, path: str) -> dict[str, Json]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": PurePath(template).as_posix().removeprefix("./")},
            "region": {"startLine": line},
        },
        "logicalLocations": [{"fullyQualifiedName": path}],
    }
