from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator
from tests.support.command_line import Run

from ecs_exec_role.cli.app import cli
from ecs_exec_role.offline import project, template_file
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate

TEMPLATE = """\
Transform: EcsExecRole
Parameters:
  Stage: {Type: String, Default: dev}
  Names: {Type: CommaDelimitedList, Default: ""}
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: {KmsKeys: None}
      ContainerDefinitions:
        - Name: web
          Image: public.ecr.aws/x/y:1
          Secrets: [{Name: A, ValueFrom: !Sub "/shop/${Stage}/a"}]
"""
PROJECT = """\
templates: t.yaml
region: eu-central-1
account: "123456789012"
parameters: {Stage: every}
stages:
  prod: {parameters: {Stage: prod}, region: us-east-1}
  test: {parameter-files: test.json}
"""


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")


def read(run: Run, *arguments: str) -> dict[str, str]:
    """The region, the account and the parameter with which a template is read."""
    result = run("explain", *arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    [report] = json.loads(result.stdout)
    [stage] = [each["value"] for each in report["parameters"] if each["name"] == "Stage"]
    return {"region": report["region"], "account": report["account"], "stage": stage}


@pytest.fixture
def files(run: Run) -> Run:
    """A project with a template, a project file and a file of parameters."""
    write("t.yaml", TEMPLATE)
    write(".ecs-exec-role.yaml", PROJECT)
    write("test.json", '{"Stage": "test"}')
    return run


def test_the_project_file_says_what_no_option_says(files: Run) -> None:
    assert read(files) == {"region": "eu-central-1", "account": "123456789012", "stage": "every"}
    assert read(files, "--stage", "prod") == {"region": "us-east-1", "account": "123456789012", "stage": "prod"}
    assert read(files, "--config-env", "test")["stage"] == "test"
    assert read(
        files, "-p", "Stage=given", "--region", "us-west-2", "--account", "111122223333", "--stage", "prod"
    ) == {
        "region": "us-west-2",
        "account": "111122223333",
        "stage": "given",
    }


def test_a_folder_below_finds_it(files: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("below/deep").mkdir(parents=True)
    monkeypatch.chdir("below/deep")
    assert read(files)["stage"] == "every"
    assert read(files, "--stage", "test")["stage"] == "test"
    Path(".git").mkdir()
    # The search ends at the top folder of a repository.
    assert project.find(Path()) is None


def test_every_command_reads_it(files: Run) -> None:
    for arguments in (
        ("expand",),
        ("explain",),
        ("audit",),
        ("migrate", "--diff"),
        ("diff", "t.yaml", "t.yaml"),
    ):
        result = files(*arguments, "--verbose", "--stage", "prod")
        assert result.exit_code == 0, result.output
        assert "settings from .ecs-exec-role.yaml (stage prod)" in result.stderr
        assert "region us-east-1, account 123456789012" in result.stderr
    write("reason.txt", "CannotPullContainerError: pull access denied")
    assert "region us-east-1" in files("diagnose", "reason.txt", "-v", "--stage", "prod").stderr


def test_a_project_has_the_guardrails_of_its_macro(files: Run) -> None:
    write(".ecs-exec-role.yaml", PROJECT + "guardrails: {RolePath: /ecs/}\n")
    assert "Path: /ecs/" in files("expand").stdout
    write(".ecs-exec-role.yaml", PROJECT + "guardrails: {RolePath: ecs}\n")
    result = files("expand")
    assert result.exit_code == 2
    assert "ECS_EXEC_ROLE_PATH" in result.stderr


def test_a_parameter_of_the_project_need_not_be_in_each_template(files: Run) -> None:
    write(".ecs-exec-role.yaml", PROJECT + "  more: {parameters: {Elsewhere: x}}\n")
    assert files("explain", "--stage", "more").exit_code == 0
    assert files("explain", "-p", "Elsewhere=x").exit_code == 2


@pytest.mark.parametrize(
    "text, said",
    [
        ("tempaltes: x\n", "p.yaml:1:1: tempaltes: unknown key `tempaltes`; did you mean templates?"),
        ("region: here\n", "p.yaml:1:1: region: is not a region; write a region such as eu-central-1"),
        ("a: 1\nregion: 1\n", "p.yaml:2:1: region: is not a region"),
        ("account: 123456789012\n", "account: is not an account ID; write its 12 digits in quotes"),
        (
            "stages:\n  prod:\n    acount: x\n",
            "p.yaml:3:5: stages/prod/acount: unknown key `acount`; did you mean account?",
        ),
        ("stages: {prod: []}\n", "stages/prod: is not a mapping"),
        ("stage: pord\nstages: {prod: {}}\n", "stage: names no stage of this file: pord; did you mean prod?"),
        ("guardrails: {Path: /x/}\n", "guardrails/Path: unknown guardrail `Path`; did you mean RolePath?"),
        ("parameters: {A: {b: c}}\n", "parameters/A: is not a parameter's value; write text, a number"),
        ("- a\n", "the file is not a mapping; write keys such as region"),
        ("a: [\n", "p.yaml:2:1: "),
        ("templates: []\n", "templates: is not a pattern or a list of them"),
        ("stagez: {prod: {}}\n", "stagez: unknown key `stagez`; did you mean stages?"),
        ("stagez: prod\n", "stagez: unknown key `stagez`; did you mean stage?"),
    ],
)
def test_mistakes_have_a_path_and_a_remedy(run: Run, text: str, said: str) -> None:
    write("p.yaml", text)
    result = run("explain", "t.yaml", "--config", "p.yaml", template=TEMPLATE)
    assert result.exit_code == 1
    assert said in result.stderr


def test_all_mistakes_come_at_once(run: Run) -> None:
    write("p.yaml", "regions: x\naccount: y\nstages: {a: {paramters: {}}}\n")
    result = run("explain", "t.yaml", "--config", "p.yaml", template=TEMPLATE)
    assert len(result.stderr.splitlines()) == 3


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--stage", "pord"), "--stage pord: there is no such stage; did you mean prod?"),
        (("--stage", "PROD"), "--stage PROD: there is no such stage; did you mean prod?"),
        (("--stage", "xyz"), "there is no such stage; write one of prod, test"),
        (("--config", "none.yaml"), "--config none.yaml: there is no such file"),
    ],
)
def test_wrong_options_are_reported(files: Run, arguments: tuple[str, ...], said: str) -> None:
    result = files("explain", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_without_a_project_a_template_must_be_named(run: Run) -> None:
    for command in ("expand", "explain", "audit", "migrate", "preflight"):
        arguments = ("--role", "arn:aws:iam::123456789012:role/x") if command == "preflight" else ()
        result = run(command, *arguments)
        assert result.exit_code == 2
        assert "name a TEMPLATE, or write `templates` in .ecs-exec-role.yaml" in " ".join(result.stderr.split())
    result = run("explain", "t.yaml", "--stage", "prod", template=TEMPLATE)
    assert "neither .ecs-exec-role.yaml nor samconfig.toml has stages here" in " ".join(result.stderr.split())


# -- samconfig.toml ---------------------------------------------------------------------------------------------------

SAM = """\
version = 0.1
[default.global.parameters]
region = "eu-west-1"
[default.deploy.parameters]
parameter_overrides = OVERRIDES
[prod.deploy.parameters]
region = "eu-north-1"
parameter_overrides = ["Stage=production"]
"""


@pytest.mark.parametrize(
    "overrides, values",
    [
        ('"Stage=a"', {"Stage": "a"}),
        ('"Stage=a Names=b,c"', {"Stage": "a", "Names": "b,c"}),
        (r'"Stage=\"a b\" Names=\"\""', {"Stage": "a b", "Names": ""}),
        ("'Stage=\"a=b\" Names=c'", {"Stage": "a=b", "Names": "c"}),
        ('["Stage=a", "Names=b,c"]', {"Stage": "a", "Names": "b,c"}),
        (r'["Stage=\"a b\""]', {"Stage": "a b"}),
        ('"ParameterKey=Stage,ParameterValue=a ParameterKey=Names,ParameterValue=b"', {"Stage": "a", "Names": "b"}),
        (r'"ParameterKey=Stage,ParameterValue=\"a b\""', {"Stage": "a b"}),
        ("[]", {}),
    ],
)
def test_sams_parameters_are_read(run: Run, overrides: str, values: dict[str, str]) -> None:
    write("samconfig.toml", SAM.replace("OVERRIDES", overrides))
    assert project.settings().values == values
    assert project.settings().region == "eu-west-1"


def test_the_project_file_overrides_sam(run: Run) -> None:
    write("t.yaml", TEMPLATE)
    write("samconfig.toml", SAM.replace("OVERRIDES", '"Stage=sam"'))
    assert read(run, "t.yaml") == {"region": "eu-west-1", "account": "", "stage": "sam"}
    assert read(run, "t.yaml", "--stage", "prod") == {"region": "eu-north-1", "account": "", "stage": "production"}
    write(".ecs-exec-role.yaml", "stages: {live: {config-env: prod}, prod: {parameters: {Stage: mine}}}\n")
    assert read(run, "t.yaml")["stage"] == "sam"
    assert read(run, "t.yaml", "--stage", "live")["stage"] == "production"
    assert read(run, "t.yaml", "--stage", "prod") == {"region": "eu-north-1", "account": "", "stage": "mine"}
    write(".ecs-exec-role.yaml", "samconfig: false\n")
    assert read(run, "t.yaml") == {"region": "", "account": "", "stage": "dev"}


def test_the_environment_comes_last(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    assert read(run, "t.yaml", *_template())["region"] == "ap-south-1"
    write("samconfig.toml", SAM.replace("OVERRIDES", '""'))
    assert read(run, "t.yaml")["region"] == "eu-west-1"


def _template() -> tuple[str, ...]:
    write("t.yaml", TEMPLATE)
    return ()


@pytest.mark.parametrize(
    "text, said",
    [
        ("[default", "the file is not valid TOML"),
        (SAM.replace("OVERRIDES", '"Stage"'), "parameter_overrides of default has `Stage`; write Key=Value"),
        (SAM.replace("OVERRIDES", "[1]"), "has something that is not text"),
        (SAM.replace("OVERRIDES", "'Stage=\"a'"), "a quote in parameter_overrides is not closed"),
    ],
)
def test_mistakes_of_samconfig_are_reported(run: Run, text: str, said: str) -> None:
    write("samconfig.toml", text)
    with pytest.raises(InvalidInput, match=said):
        project.settings()


def test_several_templates_are_one_json_document(files: Run) -> None:
    write("u.yaml", TEMPLATE)
    for command in ("expand", "explain", "audit"):
        data = json.loads(files(command, "t.yaml", "u.yaml", "--format", "json").stdout)
        assert isinstance(data, dict if command == "expand" else list)
    assert list(json.loads(files("expand", "?.yaml", "--format", "json").stdout)) == ["t.yaml", "u.yaml"]


# -- options of all commands -------------------------------------------------------------------------------------------


def test_the_result_goes_to_a_file(run: Run) -> None:
    for form in ("terminal", "json", "html"):
        shown = run("explain", "t.yaml", "--format", form, template=TEMPLATE).stdout
        result = run("explain", "t.yaml", "--format", form, "-o", "out")
        assert (result.exit_code, result.stdout) == (0, "")
        assert Path("out").read_text(encoding="utf-8") == shown
    assert run("migrate", "t.yaml", "-o", "out").exit_code == 0
    assert Path("out").read_text(encoding="utf-8") == TEMPLATE
    result = run("explain", "t.yaml", "-o", "no/such/folder")
    assert result.exit_code == 2
    assert "--output no/such/folder: the file cannot be written" in result.stderr


def test_a_file_is_written_although_something_was_found(run: Run) -> None:
    result = run(
        "audit", "t.yaml", "--fail-on", "lacking", "-o", "out", template=TEMPLATE.replace("ExecutionRoleSpec", "X")
    )
    assert result.exit_code == 1
    assert "lacking" in Path("out").read_text(encoding="utf-8")
    assert run("explain", "none.yaml", "-o", "other").exit_code == 2
    assert not Path("other").exists()


def test_quiet_hides_warnings_and_no_mistakes(run: Run) -> None:
    warned = TEMPLATE.replace("{KmsKeys: None}", "Auto")
    assert "warning" in run("expand", "t.yaml", template=warned).stderr
    assert run("expand", "t.yaml", "--quiet").stderr == ""
    assert "t.yaml:" in run("expand", "t.yaml", "-q", template=TEMPLATE.replace("KmsKeys", "Kms")).stderr
    assert run("expand", "t.yaml", "-q", "-v").exit_code == 2


@pytest.mark.parametrize("typed, meant", [("audti", "audit"), ("expain", "explain"), ("migrat", "migrate")])
def test_a_mistyped_command_is_suggested(typed: str, meant: str) -> None:
    result = CliRunner().invoke(cli, [typed, "t.yaml"])
    assert result.exit_code == 2
    assert f"There is no command {typed}. Did you mean {meant}?" in result.stderr
    assert "Write one of expand, explain" in CliRunner().invoke(cli, ["xyzzy"]).stderr


def test_windows_line_ends_and_tabs_of_a_project_file(run: Run) -> None:
    write("t.yaml", TEMPLATE)
    Path(".ecs-exec-role.yaml").write_bytes(b"region: eu-central-1\r\nparameters:\r\n  Stage: x\r\n")
    assert read(run, "t.yaml")["stage"] == "x"
    Path(".ecs-exec-role.yaml").write_text("parameters:\n\tStage: x\n", encoding="utf-8")
    result = run("explain", "t.yaml")
    assert result.exit_code == 1
    assert "tab" in result.stderr.lower()


# -- the schema -------------------------------------------------------------------------------------------------------

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```yaml\n(templates: .*?)```", DOCS, re.DOTALL)[0]


def test_the_project_file_that_the_page_shows_is_right(run: Run) -> None:
    write("p.yaml", SHOWN)
    write("parameters/prod.json", "{}")
    assert project.settings("p.yaml").values == {"Environment": "dev"}
    found = project.settings("p.yaml", "prod")
    assert (found.region, found.account, found.values) == ("eu-central-1", "444455556666", {"Environment": "prod"})
    assert found.guardrails == {"ECS_EXEC_ROLE_PATH": "/ecs/", "ECS_EXEC_ROLE_ACCOUNTS": "self,444455556666"}


@pytest.mark.parametrize(
    "text",
    [
        SHOWN,
        "{}",
        "tempaltes: x",
        "region: here",
        "account: 123456789012",
        "samconfig: true",
        "samconfig: false",
        "stages: {prod: {acount: x}}",
        "stages: {prod: null}",
        "stages: {prod: {templates: x}}",
        "guardrails: {Path: /x/}",
        "parameters: {A: {b: c}}",
        "parameters: {A: [b, 1]}",
        "templates: []",
        "parameter-files: [a, b]",
    ],
)
def test_the_schema_accepts_what_the_check_accepts(run: Run, text: str) -> None:
    schema = json.loads(run("schema", "--of", "project").stdout)
    Draft7Validator.check_schema(schema)
    write("p.yaml", text)
    write("parameters/prod.json", "{}")
    for name in ("a", "b"):
        write(name, "{}")
    try:
        project.settings("p.yaml")
        accepted = True
    except InvalidTemplate:
        accepted = False
    assert Draft7Validator(schema).is_valid(template_file.read_value("p.yaml")) is accepted
