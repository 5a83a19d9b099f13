"""cfn-lint's rules about `ExecutionRoleSpec`. All of them use one run of the engine for each template."""

from __future__ import annotations

import os
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from cfnlint import rules
from cfnlint.context.context import Resource
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError
from cfnlint.template import Template

from ecs_exec_role.lint import findings, override
from ecs_exec_role.needs.definitions import PLACES
from ecs_exec_role.offline import project
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate
from ecs_exec_role.offline.macro_call import DEFAULT_REGION
from ecs_exec_role.template.event import PROPERTY

_DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html"

_reports: WeakKeyDictionary[Template, findings.LintResult | Exception] = WeakKeyDictionary()


class _Rule(rules.CloudFormationLintRule):  # type: ignore[misc]  # cfn-lint comes without types
    """The base of the rules, each of which reports one kind of finding."""

    kind: ClassVar[str]
    source_url = _DOCS
    tags: ClassVar[list[str]] = ["resources", "ecs", "iam", "ecs-exec-role"]

    def initialize(self, cfn: Template) -> None:
        """cfn-lint calls this for every template before it runs the rules."""
        super().initialize(cfn)
        if cfn not in _reports:
            try:
                _prepare(cfn)
            except Exception as error:  # noqa: BLE001 - here it would end cfn-lint; raised in `match`, it becomes E0002
                _reports[cfn] = error

    def match(self, cfn: Template) -> list[rules.RuleMatch]:
        """The findings of this rule's kind."""
        report = _reports.get(cfn, findings.NOTHING)
        if isinstance(report, Exception):
            raise report
        return [
            rules.RuleMatch(list(finding.path), finding.message, **_location(cfn.template, finding.path))
            for finding in report.findings
            if finding.kind == self.kind
        ]


class SpecIsRight(_Rule):
    """What the macro would refuse."""

    id = "E9501"
    kind = "error"
    shortdesc = f"{PROPERTY} is one that the macro EcsExecRole accepts"
    description = "Runs the macro's own code on the template and reports what it would refuse"


class MacroIsCalled(_Rule):
    """Specs that CloudFormation will not pass to the macro."""

    id = "E9502"
    kind = "transform"
    shortdesc = f"A template with an {PROPERTY} calls the macro EcsExecRole"
    description = f"CloudFormation does not know {PROPERTY}; the template's Transform has to name the macro that does"


class ProjectIsReadable(_Rule):
    """Mistakes in the files from which the parameters, the region and the guardrails are read."""

    id = "E9503"
    kind = "project"
    shortdesc = f"The settings of the project can be read where a template has an {PROPERTY}"
    description = (
        f"Reports mistakes in {project.FILE} and {project.SAMCONFIG}; the spec is checked after these are corrected"
    )


class NothingIsMissing(_Rule):
    """What the role may lack."""

    id = "W9501"
    kind = "warning"
    shortdesc = "The execution role may lack something that the template does not show"
    description = "Reports, for example, a secret whose key is not known, so that the key is not granted"


def _location(template: Any, path: findings.Path) -> dict[str, tuple[int, int, int, int]]:
    """The place of the key or the item at `path`, or of the nearest value above it that has a place.

    Numbers in lists, and values inside a function's short form, have no place. cfn-lint's own search returns a place
    further above.
    """
    found: dict[str, tuple[int, int, int, int]] = {}
    node = template
    for step in path:
        marked: Any = node[step]
        if isinstance(node, dict):
            marked = next(key for key in node if key == step)
        if hasattr(marked, "start_mark"):
            start, end = marked.start_mark, marked.end_mark
            found["location"] = (start.line, start.column, end.line, end.column)
        node = node[step]
    return found


def _settings() -> tuple[project.ProjectSettings, tuple[str, ...]]:
    """The settings of the project, and why they cannot be read."""
    try:
        return project.settings(), ()
    except InvalidTemplate as error:
        return project.ProjectSettings(), tuple(map(str, error.problems))
    except InvalidInput as error:
        return project.ProjectSettings(), (str(error),)


def _prepare(cfn: Template) -> None:
    """Runs the engine, and makes cfn-lint read the template as it is after the macro."""
    settings, problems = _settings()
    given = [each.parameters for each in cfn.context.parameter_sets or ()]
    # cfn-lint's own configuration comes first. Its default is us-east-1, which looks the same as a configured region.
    regions = [settings.region] if settings.region and list(cfn.regions) == [DEFAULT_REGION] else cfn.regions
    report = findings.report(
        cfn.template,
        regions=regions,
        parameter_sets=[{**settings.values, **each} for each in given or [{}]],
        loops=[path[-1] for path in cfn.transform_pre["Fn::ForEach"]],
        environment={**os.environ, **settings.guardrails},
        account=settings.account,
        project_problems=problems,
    )
    _reports[cfn] = report
    if report is findings.NOTHING:
        return
    _open_schemas(cfn.template["Resources"], cfn.regions)
    for name, kind in report.added.items():
        # So that !GetAtt TaskExecutionRole.Arn refers to a resource.
        cfn.context.resources.setdefault(name, Resource({"Type": kind}))
    _cut(cfn)


def _open_schemas(resources: dict[str, Any], regions: list[str]) -> None:
    """Adds the property to cfn-lint's schemas. The engine checks its value, with better messages."""
    having = {
        str(resource.get("Type"))
        for resource in resources.values()
        if isinstance(resource, dict) and PROPERTY in (resource.get("Properties") or ())
    }
    for kind in (*PLACES, *sorted(having.difference(PLACES))):
        patches = override.patches(kind, strict=False)
        for region in regions:
            try:
                schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind)
            except ResourceNotFoundError:
                continue
            if schema.schema.get("properties", {}).get(PROPERTY) != patches[0]["value"]:
                schema.patch(patches)


def _cut(cfn: Template) -> None:
    """Removes the references of a spec from cfn-lint's graph, since the macro prevents circular dependencies."""
    graph: Any = getattr(cfn.graph, "graph", None)
    if graph is None:
        return
    cut = [
        (source, target, key)
        for source, target, key, edge in graph.edges(keys=True, data=True)
        if PROPERTY in edge.get("source_paths", ())
    ]
    graph.remove_edges_from(cut)
