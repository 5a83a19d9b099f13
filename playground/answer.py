"""Answers the playground: what a person typed goes in, what the page shows comes out, both as JSON.

This module runs in the browser, beside the engine. It uses the public interface of `ecs_exec_role` alone, and the
standard library.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import ecs_exec_role as engine

PREFIX = "ECS_EXEC_ROLE_"


def answer(text: str) -> str:
    """Expands and explains one template.

    Args:
        text: JSON of a mapping. `text` is the template, `name` its file name. `region`, `account` and `parameters` say
            where it is deployed. `guardrails` has the macro's settings by their names without the prefix
            `ECS_EXEC_ROLE_`. `form` is that of the expanded template, `yaml` or `json`.

    Returns:
        JSON of a mapping. `problems`: what the macro would refuse, and `warnings`, each with its place. `settings`:
        what is wrong with a guardrail, by its name. `report`: as `ecs-exec-role explain --format json` has it.
        `expanded`: what `ecs-exec-role expand` writes, or null where the template has no spec. `parameters`: those of
        the template.
    """
    asked = json.loads(text)
    told: dict[str, Any] = {
        "problems": [],
        "warnings": [],
        "settings": {},
        "report": None,
        "expanded": None,
        "parameters": [],
    }
    settings = _settings(asked, told)
    try:
        template = _template(asked["name"], asked["text"])
        told["parameters"] = _parameters(template.data)
        stack = _stack(asked)
        if settings is not None:
            report = engine.explain_template(template, stack, settings)
            told["report"] = report.data()
            told["problems"] = [_shown(problem) for problem in report.problems]
            if not all(role.assumed for role in report.roles):
                expanded = engine.expand_template(template, stack, settings)
                told["warnings"] = [_shown(template.mistake(problem)) for problem in expanded.warnings]
                told["expanded"] = _written(expanded.data, asked["form"])
    except engine.InvalidTemplate as error:
        told["problems"] = [_shown(problem) for problem in error.problems]
    return json.dumps(told)


def audit(text: str) -> str:
    """Judges the roles that a template has already, and says what would take their place.

    Args:
        text: JSON of a mapping, as `answer` takes it.

    Returns:
        JSON of a mapping. `audits`: as `ecs-exec-role audit --format json` has them. `migration`: null if there is
        nothing to migrate; else the new `text`, its `diff`, what is said of each role, and what is left as it was.
    """
    asked = json.loads(text)
    told: dict[str, Any] = {"audits": [], "migration": None}
    try:
        template = _template(asked["name"], asked["text"])
        stack = _stack(asked)
        told["audits"] = [audit.data() for audit in engine.audit_template(template, stack)]
        if any(audit["definitions"] for audit in told["audits"]):
            migration = engine.migrate_template(template, stack, every=True)
            told["migration"] = {
                "text": migration.template.text,
                "diff": list(_diff(template, migration.template)),
                "roles": [step.said for step in migration.steps],
                "left": [_shown(left.mistake) for left in migration.left],
                "defaults": list(migration.defaults),
            }
    except engine.InvalidTemplate:
        # `answer` reports these, with their places.
        return json.dumps({"audits": [], "migration": None})
    return json.dumps(told)


# The page asks for the audit of the template that it has just had answered, and often changes a setting alone; reading
# the text is most of the work.
_template = lru_cache(maxsize=2)(engine.parse_template)


def _stack(asked: Mapping[str, Any]) -> engine.StackValues:
    values = {name: value for name, value in asked["parameters"].items() if value != ""}
    return engine.StackValues(asked["region"], asked["account"], values)


def _settings(asked: Mapping[str, Any], told: dict[str, Any]) -> engine.Settings | None:
    environment = {PREFIX + name: value for name, value in asked["guardrails"].items()}
    try:
        return engine.settings_from_environment(environment, engine.DESK_PREFLIGHT)
    except engine.TemplateError as error:
        for problem in error.problems:
            told["settings"].setdefault(problem.path.removeprefix(PREFIX), f"{problem.what}; {problem.fix}")
        return None


def _parameters(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    declared = data.get("Parameters")
    found = []
    for name, parameter in declared.items() if isinstance(declared, dict) else ():
        if isinstance(parameter, dict):
            values = parameter.get("AllowedValues")
            found.append(
                {
                    "name": name,
                    "type": str(parameter.get("Type", "")),
                    "default": None if "Default" not in parameter else str(parameter["Default"]),
                    "values": [str(value) for value in values] if isinstance(values, list) else [],
                    "about": str(parameter.get("Description", "")),
                }
            )
    return found


def _shown(problem: engine.LocatedProblem) -> dict[str, Any]:
    return problem._asdict()


def _written(data: Any, form: str) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) if form == "json" else engine.write_yaml(data)


def _diff(before: engine.TemplateFile, after: engine.TemplateFile) -> Iterable[str]:
    # The two lines with the names of the files say nothing here.
    lines = difflib.unified_diff(before.text.splitlines(), after.text.splitlines(), lineterm="")
    return list(lines)[2:]
