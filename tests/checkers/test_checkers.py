"""Every checker of templates on every example, good and bad.

cfn-lint and cfn-validate are set up by `ecs-exec-role lint-config`; for the AWS CloudFormation Language Server, which
reads no configuration of the project, docs/editors.md says what to set. These three run in the suite. SAM CLI and
checkov are slower, have their own environments, and run with `make checkers`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from cfnlint import ManualArgs
from cfnlint import lint as lint_text
from cfnlint.api import lint_file
from cfnlint.schema import reset
from click.testing import CliRunner
from cloudformation_validate import (
    CompositeEngine,
    CompositeEngineConfig,
    SchemaValidatorConfig,
    Severity,
    TemplateContent,
    ValidateConfig,
    file_to_additional_schema_source,
)
from ruamel.yaml import YAML
from tests.lint.conftest import quick as quick  # noqa: PLC0414 - a fixture for this module as well

from ecs_exec_role.cli.app import cli
from ecs_exec_role.lint import config
from ecs_exec_role.needs.definitions import PLACES

ROOT = Path(__file__).parents[2]
GOOD = sorted((ROOT / "examples").glob("*.yaml"))
BAD = {
    # The file, and the place of its mistake: the line, and the rule of cfn-lint and of cfn-validate.
    "misspelt key.yaml": (7, "E9501", "F3002"),
    "misspelt-mode.yaml": (7, "E9501", "F3031"),
    "misspelt-option.yaml": (11, "E9501", "F3002"),
    "wildcard.yaml": (10, "E9501", "F3031"),
    "no-trust.yaml": (5, "E3003", "F3017"),
    "other-property.yaml": (7, "E3002", "F3002"),
}
FOLDER = Path(__file__).parent / "bad"
EDITORS = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")

each_good = pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
each_bad = pytest.mark.parametrize("name", BAD)

Found = list[tuple[int, str]]
"""The lines and rules of what a checker finds; warnings and worse."""


def test_every_bad_example_is_here() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(BAD)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that `lint-config` has prepared, and the folder that checkers run in."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    config.write(config.lint_config(tmp_path).changes)
    return tmp_path


def copied(path: Path, project: Path) -> Path:
    return Path(shutil.copy(path, project))


# -- cfn-lint ---------------------------------------------------------------------------------------------------------


def cfn_lint(path: Path) -> Found:
    return sorted((match.linenumber, match.rule.id) for match in lint_file(path))


@each_good
def test_cfn_lint_accepts(project: Path, path: Path) -> None:
    assert cfn_lint(copied(path, project)) == []


@each_bad
def test_cfn_lint_finds(project: Path, name: str) -> None:
    line, rule, _ = BAD[name]
    assert cfn_lint(copied(FOLDER / name, project)) == [(line, rule)]


# -- cfn-validate -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> CompositeEngine:
    """cfn-validate with the schemas of `lint-config`, as `--additional-schema` gives them to it."""
    folder = tmp_path_factory.mktemp("validate")
    config.write(config.lint_config(folder).changes)
    schemas = [file_to_additional_schema_source(path) for path in sorted((folder / config.SCHEMAS).iterdir())]
    assert len(schemas) == len(PLACES)
    return CompositeEngine(
        CompositeEngineConfig(schema_validator_config=SchemaValidatorConfig(additional_schemas=schemas))
    )


@pytest.fixture(scope="module")
def bare() -> CompositeEngine:
    """cfn-validate with its defaults."""
    return CompositeEngine()


def expanded(name: str, given: str = "") -> str:
    """What `ecs-exec-role expand` makes of a file, or of its standard input."""
    result = CliRunner().invoke(cli, ["expand", name], input=given)
    assert result.exit_code == 0, result.output
    return result.stdout


def cfn_validate(engine: CompositeEngine, template: Path | str) -> Found:
    given = TemplateContent(template) if isinstance(template, str) else template
    report = engine.validate_template(given, ValidateConfig(severity_level=Severity.WARN))
    assert report.status.name == "OK"
    return sorted((found.start_line or 0, found.rule_id) for found in report.diagnostics)


@each_good
def test_cfn_validate_accepts(engine: CompositeEngine, path: Path) -> None:
    assert cfn_validate(engine, path) == []


@each_bad
def test_cfn_validate_finds(engine: CompositeEngine, name: str) -> None:
    line, _, rule = BAD[name]
    assert cfn_validate(engine, FOLDER / name) == [(line, rule)]


@each_good
def test_cfn_validate_refuses_without_the_schemas(bare: CompositeEngine, path: Path) -> None:
    """The schemas are needed; when cfn-validate knows the property without them, they can be removed."""
    assert "F3002" in {rule for _, rule in cfn_validate(bare, path)}


def test_cfn_validate_as_the_docs_show_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guide = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    shutil.copy(FOLDER / "misspelt key.yaml", project / "template.yaml")
    exec(compile(code, "docs/lint.md", "exec"), {})
    assert re.search(r"^7 F3002 .*Imgaes", capsys.readouterr().out, re.MULTILINE)


FUNCTIONS = """\
Transform: EcsExecRole
Parameters:
  Name: {Type: String}
  Names: {Type: CommaDelimitedList}
Conditions:
  IsProduction: !Equals [!Ref Name, production]
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec:
        Images: !If [IsProduction, [!Ref Name], !Ref AWS::NoValue]
        Secrets: !Ref Names
        Parameters:
          - !If [IsProduction, a, !Ref AWS::NoValue]
          - !Sub "${Name}/x"
          - {Parameter: !Ref Name, KmsKey: !Sub "alias/${Name}"}
        Statements:
          - {Effect: Allow, Action: s3:GetObject, Resource: !If [IsProduction, "arn:aws:s3:::a/*", !Ref Name]}
      ContainerDefinitions: [{Name: web, Image: nginx}]
  Snippet:
    Type: AWS::IAM::Role
    Properties:
      Fn::Transform: {Name: EcsExecRole, Parameters: {Images: [web]}}
"""


def test_cfn_validate_accepts_functions_and_snippets(engine: CompositeEngine) -> None:
    assert cfn_validate(engine, FUNCTIONS) == []


def test_cfn_validate_knows_no_role_that_the_macro_adds_until_the_template_is_expanded(
    engine: CompositeEngine,
) -> None:
    """An additional schema cannot add a resource; docs/lint.md says to validate what `expand` makes instead."""
    template = (FOLDER / "other-property.yaml").read_text().replace("Familly", "Family")
    template += "Outputs: {Role: {Value: !GetAtt WebExecutionRole.Arn}}\n"
    assert {rule for _, rule in cfn_validate(engine, template)} == {"F6101"}
    assert cfn_validate(engine, expanded("-", template)) == []


@each_good
def test_cfn_validate_accepts_the_expanded_template(bare: CompositeEngine, path: Path) -> None:
    assert cfn_validate(bare, expanded(str(path))) == []


# -- the AWS CloudFormation Language Server ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def untouched_schemas() -> Iterator[None]:
    """In other tests, the rules have loaded the schemas that this process keeps."""
    reset()
    yield
    reset()


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untouched_schemas: None) -> Path:
    """The place where the language server runs cfn-lint: its own file system, without the project's .cfnlintrc."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings() -> dict[str, Any]:
    """What docs/editors.md says to set."""
    [shown] = re.findall(r"```json\n(\{\n  \"aws\.cloudformation.*?\})\n```", EDITORS, re.DOTALL)
    return {key.rpartition(".")[2]: value for key, value in json.loads(shown).items()}


def language_server(text: str, given: dict[str, Any]) -> Found:
    """As in its src/services/cfnLint/pyodide-worker.ts, 1.3.1: only these settings reach cfn-lint."""
    names = {"ignoreChecks": "ignore_checks", "mandatoryChecks": "mandatory_checks"}
    arguments = {names[name]: value for name, value in given.items()}
    matches = lint_text(text, config=ManualArgs(**arguments) if arguments else None)
    return sorted((match.linenumber, match.rule.id) for match in matches)


@pytest.mark.usefixtures("nowhere")
@each_good
def test_language_server_accepts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert {rule for _, rule in language_server(text, {})} >= {"E3002"}, "it knows the property: say so in the docs"
    assert language_server(text, settings()) == []


@pytest.mark.usefixtures("nowhere")
def test_language_server_still_finds_what_the_settings_leave() -> None:
    text = (FOLDER / "other-property.yaml").read_text().replace("[{Name: web, Image: nginx}]", "{Name: web}")
    assert language_server(text, settings()) == [(8, "E3012")]


def test_neovim_gives_what_vs_code_gives_and_the_section_without_which_the_server_drops_it() -> None:
    """The server parses both sections as one, and refuses null for `editor`: src/settings/SettingsManager.ts, 1.3.1."""
    [shown] = re.findall(r"```lua\n(.*?)```", EDITORS, re.DOTALL)
    [rules] = re.findall(r"ignoreChecks = \{(.*?)\}", shown)
    assert re.findall(r'"(\w+)"', rules) == settings()["ignoreChecks"]
    assert re.search(r"^    editor = \{ \w+ = ", shown, re.MULTILINE)


def shown_metadata() -> str:
    [shown] = re.findall(r"^```yaml\n(Web:\n.*?)^```", EDITORS, re.DOTALL | re.MULTILINE)
    return f"Transform: EcsExecRole\nResources:\n{re.sub('^', '  ', shown, flags=re.MULTILINE).rstrip()}\n"


@pytest.mark.usefixtures("nowhere")
def test_language_server_accepts_the_metadata_of_the_docs() -> None:
    assert language_server(shown_metadata(), {}) == []


def test_cfn_lint_checks_all_the_same_with_the_mandatory_checks_of_the_docs(project: Path) -> None:
    template = project / "template.yaml"
    template.write_text(shown_metadata().replace("Family:", "Familly:"))
    assert cfn_lint(template) == []
    [line] = re.findall(r"^mandatory_checks: .*$", EDITORS, re.MULTILINE)
    with (project / ".cfnlintrc").open("a") as file:
        file.write(f"{line}\n")
    [(_, rule)] = cfn_lint(template)
    assert rule == "E3002"


# -- SAM CLI and checkov ----------------------------------------------------------------------------------------------

slow = pytest.mark.checkers
SAM = ROOT / ".venv-sam" / "bin"
CHECKOV = ROOT / ".venv-security" / "bin" / "checkov"


def sam(project: Path, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(SAM), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
        **variables,
    }
    command = ["sam", *arguments]
    return subprocess.run(
        command, cwd=project, env=environment, input=given, capture_output=True, text=True, check=False
    )


@slow
@each_good
def test_sam_validate_accepts(project: Path, path: Path) -> None:
    done = sam(project, "validate", "--lint", "--template", str(copied(path, project)))
    assert done.returncode == 0, done.stdout + done.stderr


@slow
@each_bad
def test_sam_validate_finds(project: Path, name: str) -> None:
    line, rule, _ = BAD[name]
    done = sam(project, "validate", "--lint", "--template", str(copied(FOLDER / name, project)))
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert rule in said
    assert f"matched {line}]" in said


def checkov(*arguments: str) -> Any:
    command = [str(CHECKOV), "--skip-download", "--framework", "cloudformation", "--output", "json", *arguments]
    done = subprocess.run(
        command, env={**os.environ, "BC_SKIP_MAPPING": "TRUE"}, capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout)


@slow
def test_checkov_accepts() -> None:
    """The examples before the macro, except what AWS CDK synthesizes; `make security` checks the expanded ones."""
    config = str(ROOT / "scripts" / "checkov-examples.yaml")
    report = checkov("--config-file", config, "--directory", str(ROOT / "examples"), "--skip-path", "/cdk/")
    assert report["summary"]["parsing_errors"] == 0
    judged = {Path(found["file_path"]).name for found in report["results"]["passed_checks"]}
    assert judged == {path.name for path in GOOD}
    assert [(found["file_path"], found["check_id"]) for found in report["results"]["failed_checks"]] == []


@slow
def test_checkov_reads_the_bad_ones_too() -> None:
    """It has no rule about unknown properties, so it does not report ours, wrong or right."""
    report = checkov("--directory", str(FOLDER))
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["resource_count"] >= len(BAD)


# -- sam deploy --guided ----------------------------------------------------------------------------------------------


@slow
def test_sam_cli_finds_no_code_signing_to_ask_about(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from samcli.commands.deploy.code_signer_utils import signer_config_per_function\n"
        "from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider\n"
        "stacks, _ = SamLocalStackProvider.get_stacks(sys.argv[1])\n"
        "print(signer_config_per_function(stacks))\n"
    )

    def found(template: Path) -> str:
        command = [str(SAM / "python"), "-c", code, str(template)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert found(ROOT / "template.yaml") == "(set(), {})"
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    signed = tmp_path / "template.yaml"
    property_ = "    CodeSigningConfigArn: !If [WithTracing, !Ref LogKmsKeyArn, !Ref AWS::NoValue]\n"
    signed.write_text(
        text.replace("\nGlobals:\n  Function:\n", f"\nGlobals:\n  Function:\n{property_}"), encoding="utf-8"
    )
    assert "MacroFunction" in found(signed), "what made it ask is still what it looks for"


@slow
def test_sam_deploy_guided_ends_with_enter_alone(tmp_path: Path) -> None:
    """Runs it until it needs AWS. Before the fix, it asked for a signing profile until there was no more input."""
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, tmp_path)
    nobody = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    done = sam(
        tmp_path,
        "deploy",
        "--guided",
        given="\n" * 200,
        **nobody,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    assert "Save arguments to configuration file" in done.stdout
    assert "Looking for resources needed for deployment" in done.stdout
    assert "sign" not in done.stdout.lower().replace("assign", "")
    assert len(re.findall(r"\tParameter |\]: ", done.stdout)) < 80


# -- sam publish ------------------------------------------------------------------------------------------------------


class Repository(BaseHTTPRequestHandler):
    """Answers instead of the Serverless Application Repository, and keeps the requests."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        Repository.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = json.dumps({"applicationId": "arn:aws:serverlessrepo:us-east-1:123456789012:applications/x"}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@slow
def test_sam_publish_takes_the_metadata_of_the_docs(tmp_path: Path) -> None:
    """The template as `sam package` writes it: with files in S3."""
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```yaml\n(  AWS::ServerlessRepo::Application:\n.*?)^```", guide, re.DOTALL | re.MULTILINE)
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    packaged = text.replace("\nMetadata:\n", f"\nMetadata:\n{block}", 1)
    for name in ("LicenseUrl: LICENSE", "ReadmeUrl: README.md"):
        assert name in packaged
        packaged = packaged.replace(name, name.replace(": ", ": s3://bucket/"))
    (tmp_path / "packaged.yaml").write_text(packaged, encoding="utf-8")
    server = HTTPServer(("127.0.0.1", 0), Repository)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = sam(
            tmp_path,
            *("publish", "--template", "packaged.yaml", "--region", "us-east-1"),
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
        )
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stdout + done.stderr
    [asked] = Repository.asked
    assert (asked["name"], asked["spdxLicenseId"], asked["semanticVersion"]) == ("ecs-exec-role", "MIT-0", "1.0.0")
    assert "AWS::CloudFormation::Macro" in asked["templateBody"]
    assert "AWS::ServerlessRepo::Application" not in asked["templateBody"]


# -- the action -------------------------------------------------------------------------------------------------------


@slow
def test_action_installs_and_lints(tmp_path: Path) -> None:
    """The whole step, with its own environment; the suite runs it in this one."""
    [step] = YAML(typ="safe").load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    variables = {
        **os.environ,
        "TEMPLATES": "'bad/misspelt key.yaml'",
        "ARGUMENTS": "",
        "FAIL_ON_WARNINGS": "true",
        "PYTHON": sys.executable,
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ACTION_PATH": str(ROOT),
    }
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, cwd=FOLDER.parent, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "::error file=bad/misspelt key.yaml,line=7,col=9,title=E9501::" in done.stdout
