"""EcsExecRole's rules for cfn-lint. Written by `ecs-exec-role lint-config`, which also updates it.

cfn-lint, the SAM CLI and editors often run in their own Python, without the package ecs-exec-role. Then the
command `ecs-exec-role` tells where its package is. If that command does not exist either, templates are still
checked against the schema in spec.json, and the rule I9501 reports this limit (cfn-lint shows it with
`--include-checks I`).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from cfnlint import rules
from cfnlint.context.context import Resource

OLDEST_PYTHON = (3, 11)
PROPERTY = "ExecutionRoleSpec"


def find_package() -> bool:
    """Makes the package importable, if this Python has it or if its command is on the PATH."""
    if sys.version_info < OLDEST_PYTHON:
        return False
    if importlib.util.find_spec("ecs_exec_role"):
        return True
    command = shutil.which("ecs-exec-role")
    if command is None:
        return False
    # Variables for this Python, such as those of the SAM CLI's installer, would affect the other Python.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")
    }
    answer = subprocess.run(  # noqa: S603 - the command is the one that wrote this file
        [command, "lint-config", "--where"], env=environment, capture_output=True, text=True, check=False
    )
    folder = Path(answer.stdout.strip())
    if answer.returncode or not (folder / "__init__.py").is_file():
        return False
    spec = importlib.util.spec_from_file_location(
        "ecs_exec_role", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        return False
    package = importlib.util.module_from_spec(spec)
    sys.modules["ecs_exec_role"] = package
    spec.loader.exec_module(package)
    return True


if find_package():
    from ecs_exec_role.lint.rules import MacroIsCalled, NothingIsMissing, ProjectIsReadable, SpecIsRight

    __all__ = ["MacroIsCalled", "NothingIsMissing", "ProjectIsReadable", "SpecIsRight"]
else:

    class EngineIsMissing(rules.CloudFormationLintRule):  # type: ignore[misc]  # cfn-lint comes without types
        """Reports specs if only their form can be checked here."""

        id = "I9501"
        shortdesc = f"{PROPERTY} is checked by its form only"
        description = "The package ecs-exec-role is not installed, so the macro's own code cannot be asked"
        source_url = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html"
        tags = ["resources", "ecs", "iam", "ecs-exec-role"]  # noqa: RUF012 - as cfn-lint has it

        def initialize(self, cfn: Any) -> None:
            """Makes cfn-lint read the template as the macro changes it: with roles, without circular dependencies."""
            super().initialize(cfn)
            for path in self.specs(cfn):
                if cfn.template["Resources"][path[1]].get("Type") != "AWS::IAM::Role":
                    cfn.context.resources.setdefault(f"{path[1]}ExecutionRole", Resource({"Type": "AWS::IAM::Role"}))
            graph = getattr(cfn.graph, "graph", None)
            if graph is not None:
                edges = graph.edges(keys=True, data="source_paths")
                graph.remove_edges_from([edge[:3] for edge in edges if PROPERTY in (edge[3] or ())])

        def match(self, cfn: Any) -> list[rules.RuleMatch]:
            """The paths of the specs that were found."""
            message = f"{PROPERTY} is checked by its form only; install ecs-exec-role for all checks"
            return [rules.RuleMatch(path, message) for path in self.specs(cfn)]

        def specs(self, cfn: Any) -> list[list[Any]]:
            """The paths of the specs."""
            return [
                ["Resources", name, "Properties", PROPERTY]
                for name, resource in cfn.get_resources().items()
                if PROPERTY in (resource.get("Properties") or {})
            ]
