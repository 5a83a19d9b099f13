"""The audit as SARIF 2.1.0, for code scanning.

See https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from ecs_exec_role import __version__
from ecs_exec_role.audit.codes import RULES, Kind
from ecs_exec_role.audit.report import Found, RoleAudit
from ecs_exec_role.template.symbols import Json

_LEVELS: dict[Kind, str] = {"lacking": "error", "excess": "warning", "too-wide": "warning", "unknown": "note"}


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
                        "version": __version__,
                        "semanticVersion": __version__,
                        "rules": [
                            {
                                "id": code,
                                "shortDescription": {"text": rule.title},
                                "help": {"text": rule.help},
                                "defaultConfiguration": {"level": _LEVELS[rule.kind]},
                                "properties": {"tags": ["security", rule.kind]},
                            }
                            for code, rule in RULES.items()
                        ],
                    }
                },
                "results": [_result(audit, found) for audit in audits for found in audit.findings],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _result(audit: RoleAudit, found: Found) -> dict[str, Json]:
    result: dict[str, Json] = {
        "ruleId": found.code,
        "ruleIndex": list(RULES).index(found.code),
        "level": _LEVELS[found.kind],
        "message": {"text": f"{audit.role or 'No execution role'}: {found.what}; {found.fix}."},
        "locations": [_location(audit.template, found.path, found.line, found.column)],
        # A finding keeps its fingerprint when lines move.
        "partialFingerprints": {"ecsExecRole/v2": "|".join([found.code, found.path, *found.actions, found.resource])},
    }
    if found.needed_in_lines:
        result["relatedLocations"] = [
            {**_location(audit.template, path, line), "message": {"text": "This needs it."}}
            for line, path in zip(found.needed_in_lines, found.needed_by, strict=True)
        ]
    return result


def _location(template: str, path: str, line: int, column: int = 0) -> dict[str, Json]:
    region = {"startLine": line, "startColumn": column} if column else {"startLine": line}
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": PurePath(template).as_posix().removeprefix("./")},
            "region": region,
        },
        "logicalLocations": [{"fullyQualifiedName": path}],
    }
