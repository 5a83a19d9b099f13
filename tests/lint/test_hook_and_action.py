"""The hook and the action, which lint the templates of other repositories."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cfnlint.runner import main
from click.testing import CliRunner
from packaging.requirements import Requirement
from ruamel.yaml import YAML
from scripts import lint_action, pin_hook
from scripts.lint_action import Fault, Inputs
from tests.lint.test_rules import task

from ecs_exec_role import __version__
from ecs_exec_role.cli.app import cli
from ecs_exec_role.lint import config
from ecs_exec_role.lint.__main__ import MODULE, arguments

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
OWN_RULE = """\
from cfnlint.rules import CloudFormationLintRule, RuleMatch

class Own(CloudFormationLintRule):
    id = "E9001"
    shortdesc = description = "The project's own rule"

    def match(self, cfn):
        return [RuleMatch(["Resources"], "seen by the project's own rule")]
"""


def load(name: str) -> Any:
    return YAML(typ="safe").load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that no `lint-config` has set up, and the folder that commands run in."""
    folder = tmp_path / "repository"
    (folder / "stacks").mkdir(parents=True)
    (folder / "stacks/good template.yaml").write_text(task("Images: [web]"))
    (folder / "stacks/bad.yaml").write_text(task("Imgaes: [web]"))
    (folder / "stacks/doubtful.yaml").write_text(task("Secrets: [a]"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{BIN}{os.pathsep}{os.defpath}", "HOME": str(folder), **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def in_process(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
    """Runs the action in this process, which has loaded cfn-lint's rules; `test_action` starts it unchanged."""
    if command[5] == lint_action.AUDIT_CODE:
        done = CliRunner().invoke(cli, command[7:])
        return subprocess.CompletedProcess(command, done.exit_code, done.stdout, done.stderr)
    assert command[1:6] == ["-I", "-X", "utf8", "-c", lint_action.CODE]
    out, err, code = StringIO(), StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        try:
            patch.setattr(sys, "argv", ["cfn-lint", *arguments(command[7:])])
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def with_own_rule(folder: Path) -> None:
    (folder / "rules").mkdir()
    (folder / "rules/own.py").write_text(OWN_RULE)
    (folder / ".cfnlintrc").write_text("append_rules: [rules]\n")


# -- the hook ---------------------------------------------------------------------------------------------------------


def hook(name: str = "ecs-exec-role-lint") -> Any:
    [only] = [each for each in load(".pre-commit-hooks.yaml") if each["id"] == name]
    return only


def run_hook(repository: Path, *names: str, called: str = "ecs-exec-role-lint") -> subprocess.CompletedProcess[str]:
    return run([*shlex.split(hook(called)["entry"]), *hook(called)["args"], *names], repository)


def test_hook(repository: Path) -> None:
    with_own_rule(repository)
    answer = run_hook(repository, "stacks/good template.yaml", "stacks/bad.yaml")
    assert "E9501" in answer.stdout
    assert "stacks/bad.yaml:7:9" in answer.stdout
    assert answer.stdout.count("E9001 seen by the project's own rule") == 2
    assert answer.returncode == 2, answer.stderr


@pytest.mark.parametrize(
    "name, taken",
    [("template.yaml", True), ("infra/Stack.yml", True), ("cloudformation/web.json", True), ("src/app.yaml", False)],
)
def test_files_of_the_hook(name: str, taken: bool) -> None:
    assert bool(re.search(hook()["files"], name)) is taken
    assert not re.search(hook()["exclude"], name)


def test_hook_pins_all_that_it_installs() -> None:
    hooks = pin_hook.HOOKS.read_text(encoding="utf-8")
    assert pin_hook.pinned(hooks, pin_hook.locks()) == hooks, "run scripts/pin_hook.py"
    for name, lock in pin_hook.locks().items():
        pins = hook(name)["additional_dependencies"]
        assert pins == pin_hook.pins(lock)
        assert all("==" in pin for pin in pins)
        extra = "lint" if name.endswith("lint") else ""
        assert _needed(extra) <= {Requirement(pin).name.replace(".", "-").lower() for pin in pins}


def _needed(extra: str) -> set[str]:
    """The names of everything that `ecs-exec-role`, with an extra, needs here, from the packages' own metadata."""
    found: set[str] = set()
    todo = [("ecs-exec-role", extra)]
    while todo:
        name, extra = todo.pop()
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                found.add(requirement.name.replace(".", "-").replace("_", "-").lower())
                todo.extend((requirement.name, inner) for inner in ("", *requirement.extras))
    return found


LACKING = """\
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - {Name: web, Image: busybox, Secrets: [{Name: A, ValueFrom: "/a%::error::x"}, {Name: B, ValueFrom: b}]}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: "sts:AssumeRole"}]
"""


def test_the_hook_that_audits(repository: Path) -> None:
    (repository / "-lacking.yaml").write_text(LACKING.replace("/a%::error::x", "a"))
    answer = run_hook(repository, "-lacking.yaml", called="ecs-exec-role-audit")
    assert "lacking     line 7: ssm:GetParameters on" in answer.stdout
    assert answer.returncode == 1, answer.stderr
    (repository / "fine.yaml").write_text(task("Images: [web]"))
    assert run_hook(repository, "fine.yaml", called="ecs-exec-role-audit").returncode == 0
    answer = run_hook(repository, "stacks/good template.yaml", "-lacking.yaml", called="ecs-exec-role-audit")
    assert "1 role: 2 lacking" in answer.stdout


# -- cfn-lint with the rules ------------------------------------------------------------------------------------------


def test_rules_are_added(repository: Path) -> None:
    assert arguments(["a.yaml"]) == [f"--append-rules={MODULE}", "a.yaml"]


def test_rules_of_the_project_are_kept(repository: Path) -> None:
    (repository / ".cfnlintrc").write_text("append_rules: [rules]\n")
    assert arguments(["--", "a.yaml"]) == ["--append-rules=rules", f"--append-rules={MODULE}", "--", "a.yaml"]


def test_rules_on_the_command_line_replace_the_projects_as_ever(repository: Path) -> None:
    (repository / ".cfnlintrc").write_text("append_rules: [rules]\n")
    assert arguments(["-a", "more", "--", "a.yaml"]) == [f"--append-rules={MODULE}", "-a", "more", "--", "a.yaml"]


def test_rules_that_lint_config_has_written_are_not_named_twice(repository: Path) -> None:
    config.write(config.lint_config(repository).changes)
    assert arguments(["a.yaml"]) == [f"--append-rules={config.RULES}", "a.yaml"]
    assert arguments(["-a", MODULE, "--", "a.yaml"]) == ["-a", MODULE, "--", "a.yaml"]


def test_bad_configuration_is_left_to_cfn_lint(repository: Path) -> None:
    (repository / ".cfnlintrc").write_text("append_rules: 7\n")
    assert arguments(["a.yaml"]) == ["a.yaml"]
    answer = run([sys.executable, "-m", "ecs_exec_role.lint", "a.yaml"], repository)
    assert answer.returncode == 1
    assert "append_rules" in answer.stdout


# -- the action -------------------------------------------------------------------------------------------------------


def inputs(templates: str, arguments: str = "", *, fail_on_warnings: bool = True) -> Inputs:
    return Inputs(templates, arguments, fail_on_warnings)


def said(lines: str) -> list[str]:
    """The commands that a runner obeys; it reads lines, and obeys none between `stop-commands` and its token."""
    found, token = [], ""
    for line in re.split(r"\r\n|\r|\n", lines):
        if token:
            token = "" if line == f"::{token}::" else token
        elif line.startswith("::stop-commands::"):
            token = line.removeprefix("::stop-commands::")
        elif line.lstrip().startswith("::") or "##[" in line:
            found.append(line)
    assert token == "", "commands stay stopped"
    return found


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process instead of the environment that the action makes."""
    monkeypatch.setattr(lint_action, "install", lambda _: Path(sys.executable))
    monkeypatch.setattr("scripts.lint_action.subprocess.run", in_process)


def step(repository: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Runs the action's step as a runner does, with the defaults of its inputs."""
    about = load("action.yml")
    [only] = about["runs"]["steps"]
    values = {name: value["default"] for name, value in about["inputs"].items()} | given
    variables = {name: values[value.strip("${} ").removeprefix("inputs.")] for name, value in only["env"].items()}
    script = repository.parent / "step.sh"
    script.write_text(only["run"])
    command = [only["shell"], "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
    temporary = repository.parent / "runner"
    return run(command, repository, RUNNER_TEMP=str(temporary), GITHUB_ACTION_PATH=str(ROOT), **variables)


@pytest.fixture
def prepared(repository: Path) -> None:
    """An environment in the place where the action expects the one of the step before."""
    folder = lint_action.environment_folder(repository.parent / "runner")
    python = lint_action.python_of(folder)
    python.parent.mkdir(parents=True)
    # Not a link, through which Python would not find this environment's packages.
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".ready").touch()


@pytest.mark.usefixtures("prepared")
def test_action(repository: Path) -> None:
    with_own_rule(repository)
    answer = step(
        repository,
        templates="nothing/*.yaml stacks/**/*.yaml",
        arguments="--regions eu-central-1 --ignore-checks E9001",
        python=sys.executable,
    )
    nothing, error, warning = said(answer.stdout)
    assert nothing.startswith("::warning::No file matches nothing/*.yaml; ")
    assert error.startswith(
        "::error file=stacks/bad.yaml,line=7,col=9,title=E9501::ExecutionRoleSpec/Imgaes: unknown key"
    )
    assert warning.startswith("::warning file=stacks/doubtful.yaml,line=6,col=")
    assert answer.stdout.splitlines()[-1] == "Templates: 3. Findings: errors 1, warnings 1, notices 0."
    assert answer.returncode == 6, answer.stderr


HOSTILE = "stacks/x\n::set-output name=a::b\r::error::,c%0A::warning::##[add-path]d.yaml"


@pytest.mark.usefixtures("installed")
def test_names_of_files_are_not_commands(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / HOSTILE).write_text(task("Imgaes: [web]"))
    assert lint_action.lint(inputs("stacks/x*"), repository) == 2
    [error] = said(capsys.readouterr().out)
    written = "stacks/x%0A%3A%3Aset-output name=a%3A%3Ab%0D%3A%3Aerror%3A%3A%2Cc%250A%3A%3Awarning%3A%3A"
    assert error.startswith(f"::error file={written}##[add-path]d.yaml,line=7,col=9,title=E9501::")


@pytest.mark.usefixtures("installed")
def test_patterns_and_output_are_not_commands(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cfn-lint writes in addition to its report may repeat any text of the repository."""
    (repository / ".cfnlintrc").write_text('"\\n::error::injected": 1\n')
    with pytest.raises(Fault, match="wrote no report"):
        lint_action.lint(inputs("stacks/bad.yaml '\n::error::injected'"), repository)
    out = capsys.readouterr().out
    assert "injected" in out
    assert [line for line in said(out) if "No file matches %0A::error::injected" not in line] == []


@pytest.mark.usefixtures("installed")
def test_names_of_files_are_not_patterns(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "stacks/[b]ad.yaml").write_text(task("Images: [web]"))
    assert lint_action.lint(inputs("stacks/?b?ad.yaml"), repository) == 0
    assert said(capsys.readouterr().out) == []


@pytest.mark.parametrize("fail, code", [(True, 4), (False, 0)])
@pytest.mark.usefixtures("installed")
def test_warnings_fail_as_the_input_says(
    repository: Path, capsys: pytest.CaptureFixture[str], fail: bool, code: int
) -> None:
    assert lint_action.lint(inputs("stacks/doubtful.yaml", fail_on_warnings=fail), repository) == code
    [warning] = said(capsys.readouterr().out)
    assert warning.startswith("::warning file=stacks/doubtful.yaml,")


@pytest.mark.usefixtures("installed")
def test_unknown_argument_is_reported(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Fault, match="cfn-lint ended with 1 and wrote no report"):
        lint_action.lint(inputs("stacks/bad.yaml", "--no-such"), repository)
    assert "unrecognized arguments: --no-such" in capsys.readouterr().out


@pytest.mark.usefixtures("installed")
def test_the_action_audits(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "stacks/a,b%.yaml").write_text(LACKING.replace("/a%::error::x", "a"))
    given = Inputs("stacks/a,b%.yaml", "--ignore-checks W E", fail_on_warnings=False, audit=True)
    given = given._replace(audit_fail_on="lacking")
    assert lint_action.lint(given, repository) == 1
    out = capsys.readouterr().out
    errors = [line for line in said(out) if line.startswith("::error")]
    assert len(errors) == 2
    assert errors[0].startswith("::error file=stacks/a%2Cb%25.yaml,line=7,col=")
    assert "title=permission-lacking::ssm:GetParameters on" in errors[0]
    assert any(line.startswith("::warning") and "title=trust-without-source" in line for line in said(out))
    assert "Audit: findings 3." in out
    assert (
        lint_action.lint(given._replace(audit_fail_on="excess"), repository) == 1
    )  # this includes grants that are too wide
    assert lint_action.lint(given._replace(audit_fail_on=""), repository) == 0
    sarif = repository / "out.sarif"
    lint_action.lint(given._replace(audit_sarif=str(sarif)), repository)
    [run_] = json.loads(sarif.read_text(encoding="utf-8"))["runs"]
    assert run_["tool"]["driver"]["version"] == __version__
    assert {result["ruleId"] for result in run_["results"]} == {"permission-lacking", "trust-without-source"}
    assert all(result["locations"][0]["physicalLocation"]["region"]["startColumn"] for result in run_["results"])
    capsys.readouterr()
    with pytest.raises(Fault, match="The audit ended with 2"):
        lint_action.lint(given._replace(audit_fail_on="everything"), repository)


@pytest.mark.usefixtures("installed")
def test_nothing_in_a_template_is_a_command_of_the_audit(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = LACKING.replace('"/a%::error::x"', '"arn:aws:secretsmanager:us-east-1:123456789012:secret:a\\n::error::x"')
    (repository / "stacks/x.yaml").write_text(text)
    given = Inputs("stacks/x.yaml", "--ignore-checks W E", fail_on_warnings=False, audit=True)
    lint_action.lint(given, repository)
    assert [line for line in said(capsys.readouterr().out) if line.startswith("::error::")] == []


def test_action_without_templates(repository: Path) -> None:
    answer = step(repository, templates="nothing.yaml")
    assert answer.returncode == 1
    assert answer.stdout.startswith("::error::No file matches nothing.yaml; ")


@pytest.mark.parametrize("python", ["/nowhere/python", "false"])
def test_action_without_python(repository: Path, python: str) -> None:
    answer = step(repository, templates="stacks/bad.yaml", python=python)
    assert answer.returncode == 1
    assert answer.stdout.startswith("::error::EcsExecRole lint needs Python 3.11 or newer; ")


@pytest.mark.parametrize(
    "variables, message",
    [
        ({"FAIL_ON_WARNINGS": "yes"}, "fail-on-warnings is true or false, not yes"),
        ({}, "fail-on-warnings is true or false, not empty"),
        ({"FAIL_ON_WARNINGS": "true", "AUDIT": "yes"}, "audit is true or false, not yes"),
    ],
)
def test_input_that_is_not_allowed(variables: dict[str, str], message: str) -> None:
    with pytest.raises(Fault, match=message):
        lint_action.inputs_from(variables)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a.yaml  b/**/*.yaml\nc.yaml", ["a.yaml", "b/**/*.yaml", "c.yaml"]),
        ("'my stacks/*.yaml' \"it's.yaml\"", ["my stacks/*.yaml", "it's.yaml"]),
        (r"infra\*.yaml #1.yaml", [r"infra\*.yaml", "#1.yaml"]),
        ("", []),
    ],
)
def test_words_of_an_input(text: str, expected: list[str]) -> None:
    assert lint_action.words(text, "templates") == expected


def test_quote_that_is_not_closed() -> None:
    with pytest.raises(Fault, match="input templates has a quote that is not closed"):
        lint_action.words("'a b", "templates")


def test_long_list_of_files_is_split() -> None:
    files = [f"{number:0100}.yaml" for number in range(1000)]
    groups = list(lint_action.parts(files))
    assert [name for group in groups for name in group] == files
    assert max(sum(map(len, group)) for group in groups) <= lint_action.LONGEST
    assert list(lint_action.parts([])) == []


def test_environment_on_windows(tmp_path: Path) -> None:
    make, install = lint_action.install_commands(tmp_path, "win32")
    assert install[0] == str(tmp_path / "Scripts" / "python.exe")
    assert make[:4] == [sys.executable, "-I", "-m", "venv"]


def test_action_installs_with_hashes_alone() -> None:
    _, install = lint_action.install_commands(Path("folder"), "linux")
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(install)
    assert install[-2:] == ["--requirement", str(lint_action.LOCK)]
    locked = lint_action.LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in locked.splitlines() if re.match(r"[a-z]", line)]
    assert lines
    assert [line for line in lines if "--hash=sha256:" not in line] == []


def test_action_runs_nothing_of_the_repository(repository: Path) -> None:
    """A pull request may add modules with the names of those of the standard library."""
    for name in ("venv.py", "json.py", "glob.py", "runpy.py", "ensurepip.py", "cfnlint.py", "ecs_exec_role.py"):
        (repository / name).write_text("raise SystemExit('the code of the repository was run')\n")
    for one in lint_action.install_commands(repository.parent / "environment")[:1]:
        done = run([*one, "--without-pip"], repository)
        assert done.returncode == 0, done.stderr + done.stdout
    answer = step(repository, templates="nothing.yaml")
    assert answer.stdout.startswith("::error::No file matches"), answer.stderr


def test_failed_installation_is_reported(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "print('::error::from pip'); raise SystemExit(1)"
    monkeypatch.setattr(lint_action, "install_commands", lambda _: [[sys.executable, "-c", code]])
    with pytest.raises(Fault, match="could not be installed"):
        lint_action.install(repository)
    out = capsys.readouterr().out
    assert "from pip" in out
    assert said(out) == []


def test_action_uses_no_action_of_others() -> None:
    steps = load("action.yml")["runs"]["steps"]
    assert all("uses" not in step for step in steps)
    assert all("${{" not in step["run"] for step in steps), "inputs come as variables, so that none can be a command"
