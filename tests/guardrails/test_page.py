"""docs/guardrails.md says what the code does."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.cloudformation import load
from tests.guardrails.templates import SPEC, event, snippet, task

from ecs_exec_role.cli.app import cli
from ecs_exec_role.errors import TemplateError
from ecs_exec_role.expand import expand
from ecs_exec_role.settings import DESK_PREFLIGHT, PARAMETERS, PREFIX, from_environment

GUIDE = (Path(__file__).parents[2] / "docs" / "guardrails.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```\n\n(?:```yaml\n(.*?)```\n\n)?```text\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("variables, resources, told", EXAMPLES, ids=[example[0].split("=")[0] for example in EXAMPLES])
def test_what_the_documentation_says_is_said(variables: str, resources: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "Resources:\n" + textwrap.indent(resources or "Web: {Type: AWS::SNS::Topic}", "  "), encoding="utf-8"
    )
    request = event(load(path)["Resources"])
    request["fragment"] = {**request["fragment"], "Parameters": {"Account": {"Type": "String", "NoEcho": True}}}
    [first, *_] = request["fragment"]["Resources"].values()
    if "Fn::Transform" in (inner := first.get("Properties", {})):
        request = snippet(inner["Fn::Transform"]["Parameters"])
    environment = dict(line.split("=", 1) for line in variables.splitlines())
    with pytest.raises(TemplateError) as caught:
        expand(request, from_environment(environment, DESK_PREFLIGHT))
    assert str(caught.value) == told.rstrip("\n")


def test_every_parameter_has_its_row_its_variable_and_its_section() -> None:
    template = load(Path(__file__).parents[2] / "template.yaml")
    variables = template["Resources"]["MacroFunction"]["Properties"]["Environment"]["Variables"]
    for name, parameter in PARAMETERS.items():
        assert f"| `{parameter}` | `{PREFIX}{name}` |" in GUIDE
        assert variables[PREFIX + name] == {"Ref": parameter}
        assert template["Parameters"][parameter]["Default"] == ""
        assert any(PREFIX + name in example[0] for example in EXAMPLES)
    assert sum(name.startswith(PREFIX) for name in variables) == len(PARAMETERS)


def test_the_command_line_holds_templates_to_them_too(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(json.dumps({"Transform": "EcsExecRole", "Resources": {"Web": task("Starter")}}), encoding="utf-8")
    runner = CliRunner()
    assert runner.invoke(cli, ["expand", str(path)], env={}).exit_code == 0
    breach = runner.invoke(cli, ["expand", str(path)], env={"ECS_EXEC_ROLE_ACCOUNTS": "self"})
    assert breach.exit_code == 1
    assert (
        f"{SPEC}: attaches AmazonECSTaskExecutionRolePolicy, which is not an allowed managed policy; write Auto"
        in breach.stderr
    )
    slip = runner.invoke(cli, ["expand", str(path)], env={"ECS_EXEC_ROLE_ACCOUNTS": "me"})
    assert slip.exit_code == 2
    assert "`me` is no account" in slip.stderr
