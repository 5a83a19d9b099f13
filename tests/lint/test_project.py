"""What `lint-config` writes works for everybody in the project, with the package or without it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs
from cfnlint.rules import Rules
from cfnlint.schema import Schema, reset
from click.testing import CliRunner, Result
from ruamel.yaml import YAML
from tests.lint.conftest import Lint
from tests.lint.test_rules import EXAMPLES, task

import ecs_exec_role
from ecs_exec_role.cli.app import cli
from ecs_exec_role.errors import TemplateError
from ecs_exec_role.lint import config
from ecs_exec_role.needs.definitions import PLACES

RULES = "  - .cfn-lint/ecs-exec-role/rules"
SPEC = "override_spec: .cfn-lint/ecs-exec-role/spec.json"
IN_FLOW = '".cfn-lint/ecs-exec-role/rules"'
SPEC_IN_FLOW = '"override_spec": ".cfn-lint/ecs-exec-role/spec.json"'
LINES = f"{SPEC}\nappend_rules:\n{RULES}\n"
BIN = Path(sys.executable).parent


def ecs_exec_role_command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="ecs-exec-role")


def set_up(folder: Path, text: str, name: str = ".cfnlintrc") -> str:
    """The configuration after `lint-config`; it was `text` before."""
    (folder / name).write_text(text)
    config.write(config.lint_config(folder).changes)
    return (folder / name).read_text()


# -- .cfnlintrc -------------------------------------------------------------------------------------------------------


def test_new_project(tmp_path: Path) -> None:
    plan = config.lint_config(tmp_path)
    assert [change.state for change in plan.changes] == ["new"] * (3 + len(PLACES))
    assert not list(tmp_path.iterdir()), "nothing is written before it is asked for"
    config.write(plan.changes)
    assert (tmp_path / ".cfnlintrc").read_text() == LINES
    assert json.loads((tmp_path / config.SPEC).read_text())["Patches"]["AWS::ECS::TaskDefinition"]


@pytest.mark.parametrize(
    "before, after",
    [
        ("", LINES),
        ("# Ours\n", f"# Ours\n{LINES}"),
        ("---\n# Ours\n", f"---\n# Ours\n{LINES}"),
        ("regions: [eu-central-1] # Frankfurt\n", f"regions: [eu-central-1] # Frankfurt\n{LINES}"),
        (
            "append_rules:\n  - rules # ours\n\n# Not these\nignore_checks:\n- W3005",
            f"append_rules:\n  - rules # ours\n{RULES}\n\n# Not these\nignore_checks:\n- W3005\n{SPEC}\n",
        ),
        (f"{SPEC}\nappend_rules:\n  -   rules", f"{SPEC}\nappend_rules:\n  -   rules\n{RULES}\n"),
        ("append_rules: [ rules ]\n...\n", f"append_rules: [ rules, {IN_FLOW}]\n{SPEC}\n...\n"),
        ("append_rules: []\n", f"append_rules: [{IN_FLOW}]\n{SPEC}\n"),
        ('{"append_rules": ["a"]}\n', f'{{"append_rules": ["a", {IN_FLOW}], {SPEC_IN_FLOW}}}\n'),
        ("{regions: [a],}", f'{{regions: [a], {SPEC_IN_FLOW}, "append_rules": [{IN_FLOW}]}}'),
        (LINES, LINES),
        (f"{LINES}\n\n\n# The end", f"{LINES}\n\n\n# The end"),
    ],
)
def test_what_is_there_is_kept(tmp_path: Path, before: str, after: str) -> None:
    assert set_up(tmp_path, before) == after
    read = YAML(typ="safe").load(after)
    assert (read["override_spec"], read["append_rules"][-1]) == (config.SPEC, config.RULES)
    plan = config.lint_config(tmp_path)
    assert [change.state for change in plan.changes] == ["unchanged"] * (3 + len(PLACES))
    assert plan.notes == ()


def test_another_override_spec_is_kept_and_told(tmp_path: Path) -> None:
    assert set_up(tmp_path, "override_spec: ours.json\n") == (f"override_spec: ours.json\nappend_rules:\n{RULES}\n")
    [note] = config.lint_config(tmp_path).notes
    assert "ours.json" in note


@pytest.mark.parametrize("name", config.CONFIGS)
def test_any_name_that_cfn_lint_knows(tmp_path: Path, name: str) -> None:
    assert set_up(tmp_path, "regions: [us-east-1]\n", name).startswith("regions: [us-east-1]\n")
    assert {path.name for path in tmp_path.iterdir()} == {name, ".cfn-lint"}


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: [", ":1: is not valid YAML"),
        ("- a\n", "is not a mapping"),
        ("append_rules: rules\n", "append_rules that are not a list"),
    ],
)
def test_a_configuration_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / ".cfnlintrc").write_text(text)
    with pytest.raises(TemplateError, match=message):
        config.lint_config(tmp_path)
    result = ecs_exec_role_command("lint-config", str(tmp_path))
    assert result.exit_code == 1
    assert message in result.stderr
    assert (tmp_path / ".cfnlintrc").read_text() == text
    assert not (tmp_path / ".cfn-lint").exists()


# -- the commands -----------------------------------------------------------------------------------------------------


def test_lint_config_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checked = ecs_exec_role_command("lint-config", "--check")
    assert checked.exit_code == 1
    assert checked.stdout.splitlines()[0] == ".cfnlintrc: would be new"
    assert not list(tmp_path.iterdir())
    first = ecs_exec_role_command("lint-config")
    assert first.exit_code == 0
    assert first.stdout.splitlines() == [
        ".cfnlintrc: new",
        f"{config.SPEC}: new",
        f"{config.RULES}/ecs_exec_role_rules.py: new",
        *(f"{config.SCHEMAS}/{kind.replace('::', '-').lower()}.json: new" for kind in PLACES),
    ]
    (tmp_path / config.SPEC).write_text("{}")
    assert f"{config.SPEC}: updated" in ecs_exec_role_command("lint-config").stdout
    assert ecs_exec_role_command("lint-config", "--check").exit_code == 0


def test_lint_config_in_no_folder(tmp_path: Path) -> None:
    assert ecs_exec_role_command("lint-config", str(tmp_path / "nowhere")).exit_code == 2


@pytest.mark.parametrize("part", ["template", "definition", "role", "snippet"])
def test_schema_command(part: str) -> None:
    result = ecs_exec_role_command("schema", "--of", part)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["$schema"].startswith("http://json-schema.org/draft-07")
    assert result.stderr == ""


# -- other programs, as they are started ------------------------------------------------------------------------------


def run(*command: str | Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": path, "AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"}
    return subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=False)


def test_cfn_lint_command(project: Path) -> None:
    (project / "good.yaml").write_text(task("Images: [web]"))
    (project / "bad.yaml").write_text(task("Imgaes: [web]"))
    answer = run(BIN / "cfn-lint", "--format", "parseable", "good.yaml", "bad.yaml", path=os.defpath)
    assert answer.stdout.startswith("bad.yaml:7:9:7:15:E9501:")
    assert answer.stdout.count("\n") == 1
    assert answer.returncode == 2


@pytest.mark.skipif(not (BIN / "ecs-exec-role").exists(), reason="the command is not installed")
def test_the_command_tells_a_cfn_lint_without_the_package_where_it_is(project: Path) -> None:
    (project / "bad.yaml").write_text(task("Imgaes: [web]"))
    # A Python in which the package is not installed.
    script = (
        "import sys, importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'ecs_exec_role' else find(name, *more)\n"
        f"sys.path = [folder for folder in sys.path if folder != {str(Path(ecs_exec_role.__file__).parents[1])!r}]\n"
        "from cfnlint.runner import main; sys.argv = ['cfn-lint', '--format', 'parseable', 'bad.yaml']; main()\n"
    )
    answer = run(sys.executable, "-c", script, path=f"{BIN}{os.pathsep}{os.defpath}")
    assert answer.stdout.startswith("bad.yaml:7:9:7:15:E9501:"), answer.stderr


def _sam() -> str | None:
    own = Path(__file__).parents[2] / ".venv-sam/bin/sam"
    return str(own) if own.exists() else shutil.which("sam")


@pytest.mark.skipif(_sam() is None, reason="the SAM CLI is not installed")
def test_sam_validate_lint(project: Path) -> None:
    transforms = "[EcsExecRole, AWS::Serverless-2016-10-31]"
    (project / "good.yaml").write_text(task("Images: [web]", transforms))
    (project / "bad.yaml").write_text(task("Imgaes: [web]", transforms))
    good = run(str(_sam()), "validate", "--lint", "--template", "good.yaml", path=os.defpath)
    assert good.returncode == 0, good.stderr
    assert "is a valid SAM Template" in good.stdout
    bad = run(str(_sam()), "validate", "--lint", "--template", "bad.yaml", path=os.defpath)
    assert bad.returncode == 1
    assert "matched 7" in bad.stdout


# -- without the package ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="class")
def untouched_schemas() -> Iterator[None]:
    """In other tests, the rules have loaded the schemas that this process keeps."""
    reset()
    yield
    reset()


@pytest.fixture
def without_package(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """cfn-lint in a Python without the package, on a computer without the command."""
    original = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name == "ecs_exec_role" else original(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setenv("PATH", str(project))


@pytest.mark.usefixtures("untouched_schemas", "without_package")
class TestWithoutPackage:
    def test_the_rules_are_none_but_one(self, project: Path) -> None:
        assert list(Rules.create_from_directory(str(project / config.RULES))) == ["I9501"]

    @pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
    def test_examples_are_accepted(self, lint: Lint, example: Path) -> None:
        assert lint(example.read_text(encoding="utf-8")) == []

    def test_the_added_role_can_be_referred_to(self, lint: Lint) -> None:
        assert lint(task("Images: [web]", rest="Outputs:\n  Role:\n    Value: !GetAtt TaskExecutionRole.Arn\n")) == []

    def test_the_caller_is_known(self, project: Path) -> None:
        file = project / "template.yaml"
        file.write_text(task("Images: [web]"))
        [match] = lint_file(file, ManualArgs(include_checks=["I"]))
        assert (match.rule.id, match.linenumber) == ("I9501", 6)

    @pytest.mark.parametrize(
        "spec, line, rules",
        [
            ("Imgaes: [web]", 7, {"E3002"}),
            ("Images:\n  - !Ref AWS::StackName\n  - 'web*'", 9, {"E3031"}),
            ("Images: web", 7, {"E3012"}),
            ("Images: [{Repositry: web}]", 7, {"E3002"}),
            ("Secrets: [{KmsKey: alias/a}]", 7, {"E3021"}),
            ("GuardDuty: maybe", 7, {"E3012"}),
            ("Preflight: warn", 7, {"E3031"}),
            ("TaskDefinitions: [Task]", 7, {"E3002"}),
            ("MaxSessionDuration: 60", 7, {"E3034"}),
            ("FileSystems: [{FileSystem: fs-1, Access: None}]", 7, {"E3030"}),
            ("Statements:\n  - Effect: allow\n    Action: a:B\n    Resource: '*'", 8, {"E3030"}),
            ("Statements:\n  - Effect: Allow\n    Action: a:B", 8, {"E3014"}),
            ("Tags: [{Key: a}]", 7, {"E3003"}),
            ("KmsKeys: none", 7, {"E3031"}),
        ],
    )
    def test_mistakes_of_form_are_found(self, lint: Lint, spec: str, line: int, rules: set[str]) -> None:
        found = lint(task(spec))
        assert {rule for rule, *_ in found} == rules
        assert {there for _, there, *_ in found} == {line}

    @pytest.mark.parametrize(
        "spec",
        [
            "Preflight: Warn",
            "Preflight: true",
            "KmsKeys: None",
            "KmsKeys: [alias/a, !Ref AWS::StackName]",
            "Infer: 'false'",
            "Images: !If [IsProd, [web], !Ref AWS::NoValue]",
            "Images: [!Sub 'web-${AWS::Region}', {Repository: !Ref AWS::StackName, PullThroughCache: true}]",
            "MaxSessionDuration: '3600'",
            "Statements: [{Effect: Deny, NotAction: [a:B], Resource: !Ref AWS::StackName}]",
        ],
    )
    def test_specs_that_are_right_are_accepted(self, lint: Lint, spec: str) -> None:
        conditions = "Conditions:\n  IsProd: !Equals [!Ref AWS::Region, us-east-1]\n"
        assert lint(task(spec, rest=conditions if "IsProd" in spec else "")) == []

    def test_an_express_service_is_no_longer_asked_for_its_role(self, project: Path) -> None:
        patches = json.loads((project / config.SPEC).read_text())["Patches"]["AWS::ECS::ExpressGatewayService"]
        older = {
            "typeName": "AWS::ECS::ExpressGatewayService",
            "properties": {},
            "required": ["ExecutionRoleArn", "InfrastructureRoleArn", "PrimaryContainer"],
        }
        schema = Schema(older)
        schema.patch(patches)
        assert schema.schema["required"] == ["InfrastructureRoleArn"]

    def test_a_role_needs_its_trust_policy_unless_the_macro_writes_it(self, lint: Lint) -> None:
        role = "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      "
        assert lint(f"Transform: EcsExecRole\n{role}ExecutionRoleSpec: Starter\n") == []
        assert lint(f"{role}Fn::Transform: {{Name: EcsExecRole, Parameters: {{Images: [web]}}}}\n") == []
        assert [rule for rule, *_ in lint(f"{role}Path: /\n")] == ["E3003"]
