from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Run

from ecs_exec_role.cli import app
from ecs_exec_role.offline import yaml_reader
from ecs_exec_role.protocol import respond
from ecs_exec_role.settings import DESK_PREFLIGHT, Settings

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("[!.]*.yaml"))

TEMPLATE = """\
Transform: EcsExecRole
Parameters:
  Image: {Type: String, Default: nginx}
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: Auto
      ContainerDefinitions: [{Name: web, Image: !Ref Image}]
"""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_come_out_as_from_the_macro(run: Run, path: Path) -> None:
    data = yaml_reader.read(path.read_text(encoding="utf-8"))[0]
    data.pop("Transform")
    defaults = {name: str(item["Default"]) for name, item in data.get("Parameters", {}).items() if "Default" in item}
    event = {
        "accountId": "123456789012",
        "region": "us-east-1",
        "requestId": "x",
        "params": {},
        "templateParameterValues": defaults,
        "fragment": data,
    }
    expected = respond(event, Settings(preflight_function=DESK_PREFLIGHT))["fragment"]
    result = run("expand", str(path), "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == expected
    assert yaml_reader.read(run("expand", str(path)).stdout)[0] == expected


def test_parameters_decide(run: Run) -> None:
    assert "Policies" not in run("expand", "t.yaml", template=TEMPLATE).stdout
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1"
    assert "repository/web" in run("expand", "t.yaml", "--parameter", f"Image={image}").stdout
    Path("p.json").write_text(json.dumps({"Image": image}), encoding="utf-8")
    assert "repository/web" in run("expand", "t.yaml", "--parameters", "p.json").stdout


def test_standard_input(run: Run) -> None:
    result = run("expand", "-", stdin=TEMPLATE)
    assert result.exit_code == 0
    assert "WebExecutionRole" in result.stdout
    result = run("expand", "-", stdin="a: b: c")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("<stdin>:1:5: the file is not valid YAML")


def test_several_templates_come_as_several_documents(run: Run) -> None:
    Path("u.yaml").write_text("Resources: {}\n", encoding="utf-8")
    result = run("expand", "t.yaml", "u.yaml", template=TEMPLATE)
    first, _, second = result.stdout.partition("---\n")
    assert "WebExecutionRole" in first
    assert second == "Resources: {}\n"


def test_every_mistake_has_its_place(run: Run) -> None:
    template = TEMPLATE.replace("Auto", "{Secret: [a], Preflight: Maybe}").replace("!Ref Image", "!ImportValue image")
    result = run("expand", "t.yaml", template=template)
    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    spec = "Resources/Web/Properties/ExecutionRoleSpec"
    assert lines[0].startswith(f"t.yaml:8:27: {spec}/Secret: unknown key `Secret`; did you mean Secrets?")
    assert lines[1].startswith(f"t.yaml:8:40: {spec}/Preflight: unknown value `Maybe`")
    assert lines[2].startswith("t.yaml:9:42: Resources/Web/Properties/ContainerDefinitions/0/Image: cannot tell which")


def test_other_transforms_stay(run: Run) -> None:
    template = TEMPLATE.replace(
        "Transform: EcsExecRole",
        "Transform: [AWS::LanguageExtensions, {Name: EcsExecRole}, AWS::Serverless-2016-10-31]",
    )
    data = yaml_reader.read(run("expand", "t.yaml", template=template).stdout)[0]
    assert data["Transform"] == ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]
    assert next(iter(data)) == "Transform"
    template = TEMPLATE.replace("Transform: EcsExecRole", "Transform: AWS::Serverless-2016-10-31")
    result = run("expand", "t.yaml", template=template)
    assert "Transform: AWS::Serverless-2016-10-31\n" in result.stdout
    assert "CloudFormation will not call the macro; write `Transform: EcsExecRole`" in result.stderr


LOOP = """\
Transform: [AWS::LanguageExtensions, EcsExecRole]
Parameters: {Names: {Type: CommaDelimitedList}}
Resources:
  Fn::ForEach::Tasks:
    - Name
    - !Ref Names
    - ${Name}Task:
        Type: AWS::ECS::TaskDefinition
        Properties:
          ExecutionRoleSpec: Auto
          ContainerDefinitions:
            - {Name: !Ref Name, Image: !Sub "123456789012.dkr.ecr.eu-west-1.amazonaws.com/${Name}:1"}
"""


def test_loops_are_expanded_where_the_transform_does_it_before_the_macro(run: Run) -> None:
    result = run("expand", "t.yaml", "--format", "json", "-p", "Names=api,worker", template=LOOP)
    assert result.exit_code == 0, result.output
    resources = json.loads(result.stdout)["Resources"]
    assert list(resources) == ["apiTask", "apiTaskExecutionRole", "workerTask", "workerTaskExecutionRole"]
    result = run("expand", "t.yaml", template=LOOP)
    assert "is inside a loop, which EcsExecRole cannot read" in result.stderr


@pytest.mark.parametrize("command", ["expand", "migrate"])
def test_loops_that_make_too_much_are_refused(run: Run, command: str) -> None:
    resources: Any = {"T${A}${B}${C}${D}": {"Type": "AWS::SNS::Topic"}}
    for name in "DCBA":
        resources = {f"Fn::ForEach::{name}": [name, [f"a{number}" for number in range(60)], resources]}
    template = json.dumps({"Transform": ["AWS::LanguageExtensions", "EcsExecRole"], "Resources": resources})
    result = run(command, "t.yaml", template=template)
    assert result.exit_code == 1
    assert "t.yaml:1:59: Resources: has loops that expand to more than can be read; use shorter lists" in result.stderr


@pytest.mark.parametrize("command", ["expand", "explain", "audit", "migrate", "diff"])
def test_loop_that_is_not_expanded_is_reported_once(run: Run, command: str) -> None:
    loop = "  Fn::ForEach::Tasks: [X, [a, b], {'T${X}': {Type: AWS::ECS::TaskDefinition}}]\n"
    Path("old.yaml").write_text(TEMPLATE, encoding="utf-8")
    first = ["old.yaml"] if command == "diff" else []
    result = run(command, *first, "t.yaml", template=TEMPLATE + loop)
    assert result.stderr.count("is a loop that is not expanded here") == 1


def test_a_list_of_a_mapping_is_known(run: Run) -> None:
    template = LOOP.replace("!Ref Names", "!FindInMap [M, !Ref Stage, Names]").replace(
        "Names: {", "Stage: {Default: dev, "
    )
    template = template.replace("CommaDelimitedList", "String") + "Mappings: {M: {dev: {Names: [api, worker]}}}\n"
    result = run("expand", "t.yaml", "--format", "json", template=template)
    assert result.exit_code == 0, result.output
    assert list(json.loads(result.stdout)["Resources"])[::2] == ["apiTask", "workerTask"]


OPTIONS = """\
Transform: [AWS::LanguageExtensions, EcsExecRole]
Parameters: {Keys: {Type: CommaDelimitedList}}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: Auto
      ContainerDefinitions:
        - Name: a
          Image: nginx
          LogConfiguration:
            LogDriver: awslogs
            Options:
              Fn::ForEach::Keys: [Key, !Ref Keys, {"awslogs-${Key}": !Sub "x-${Key}"}]
"""


def test_a_loop_in_a_definition_is_unrolled(run: Run) -> None:
    result = run("expand", "t.yaml", "-p", "Keys=group,region", template=OPTIONS)
    assert result.exit_code == 0, result.output
    assert "arn:${AWS::Partition}:logs:x-region:${AWS::AccountId}:log-group:x-group:*" in result.stdout


def test_what_to_do_about_a_loop_depends_on_what_is_missing(run: Run) -> None:
    assert "give the value of its list, as in `--parameter Keys=…`" in run("expand", "t.yaml", template=OPTIONS).stderr
    assert "give the value of its list, as in `--parameter Names=…`" in run("expand", "t.yaml", template=LOOP).stderr
    known = OPTIONS.replace("!Ref Keys", "[group, region]")
    assert run("expand", "t.yaml", template=known).stderr == ""
    order = known.replace("[AWS::LanguageExtensions, EcsExecRole]", "[EcsExecRole, AWS::LanguageExtensions]")
    assert "list AWS::LanguageExtensions before EcsExecRole" in run("expand", "t.yaml", template=order).stderr
    imported = OPTIONS.replace("!Ref Keys", "!ImportValue x")
    assert (
        "write its list as [a, b], as a list parameter, or in Mappings"
        in run("expand", "t.yaml", template=imported).stderr
    )


def test_loops_are_not_unrolled_where_the_transform_is_missing(run: Run) -> None:
    loop = "  Fn::ForEach::Tasks: [X, [a, b], {'T${X}': {Type: AWS::ECS::TaskDefinition}}]\n"
    result = run("expand", "t.yaml", template=TEMPLATE + loop)
    assert result.exit_code == 0
    assert "t.yaml:10:3: Resources/Fn::ForEach::Tasks: warning: is a loop that is not expanded here" in result.stderr


STAGED = """\
Transform: EcsExecRole
Parameters: {Stage: {Type: String, Default: dev}}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: {KmsKeys: None}
      ContainerDefinitions:
        - {Name: a, Image: nginx, Secrets: [{Name: S, ValueFrom: !Sub "/app/${Stage}/key"}]}
"""


def test_a_default_in_a_role_is_reported_and_can_be_kept_out(run: Run) -> None:
    result = run("expand", "t.yaml", template=STAGED)
    assert "parameter/app/dev/key" in result.stdout
    assert "the roles are made with the default of the parameter Stage" in result.stderr
    result = run("expand", "t.yaml", "--symbolic", template=STAGED)
    assert "parameter/app/${Stage}/key" in result.stdout
    assert result.stderr == ""
    assert "parameter/app/prod/key" in run("expand", "t.yaml", "-p", "Stage=prod", template=STAGED).stdout


def test_a_parameter_without_value_that_something_is_looked_up_by_is_named(run: Run) -> None:
    template = STAGED.replace(", Default: dev", "").replace(
        "KmsKeys: None", "KmsKeys: [!FindInMap [K, !Ref Stage, Key]]"
    )
    template += "Mappings: {K: {dev: {Key: alias/dev}}}\n"
    result = run("expand", "t.yaml", template=template)
    assert result.exit_code == 1
    assert "depends on the parameter Stage, which has no value here and no default" in result.stderr
    assert run("expand", "t.yaml", "-p", "Stage=dev", template=template).exit_code == 0


def test_the_place_of_a_lookup_without_value_is_the_key_that_has_it(run: Run) -> None:
    spec = "{Parameters: [{Parameter: /app/x/key, KmsKey: !FindInMap [K, !Ref Stage, Key]}]}"
    template = STAGED.replace(", Default: dev", "").replace("{KmsKeys: None}", spec)
    result = run("expand", "t.yaml", template=template + "Mappings: {K: {dev: {Key: alias/dev}}}\n")
    assert "ExecutionRoleSpec/Parameters/0/KmsKey: depends on the parameter Stage" in result.stderr


@pytest.mark.parametrize("more", ["Type: AWS::SSM::Parameter::Value<String>", "Type: String, NoEcho: true"])
def test_a_default_that_the_macro_does_not_read_is_not_in_a_role(run: Run, more: str) -> None:
    result = run("expand", "t.yaml", template=STAGED.replace("Type: String", more))
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert "parameter/app/${Stage}/key" in result.stdout


@pytest.mark.parametrize("declared", ["{Type: String, Default: dev}", "{Type: String}"])
def test_a_symbolic_image_is_declared_by_images_and_not_ignored(run: Run, declared: str) -> None:
    template = STAGED.replace("{Type: String, Default: dev}", declared).replace("Image: nginx", "Image: !Ref Stage")
    result = run("expand", "t.yaml", "--symbolic", template=template)
    assert "add `Images: [!Ref Stage]` to Resources/Task/Properties/ExecutionRoleSpec" in result.stderr
    assert "Ignore" not in result.stderr
    followed = template.replace("{KmsKeys: None}", "{KmsKeys: None, Images: [!Ref Stage]}")
    result = run("expand", "t.yaml", "--symbolic", template=followed)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "ecr:BatchGetImage" in result.stdout


@pytest.mark.parametrize("key", ["ExecutionRolespec", "ExecutionRoleSpecs", "executionRoleSpec"])
def test_a_misspelt_property_is_named(run: Run, key: str) -> None:
    result = run("expand", "t.yaml", template=STAGED.replace("ExecutionRoleSpec", key))
    assert f"unknown property `{key}`; did you mean ExecutionRoleSpec?" in result.stderr


def test_an_include_in_a_definition_is_not_skipped(run: Run) -> None:
    template = STAGED.replace(
        "      ContainerDefinitions:", "      Fn::Transform: {Name: AWS::Include}\n      Containers:"
    )
    result = run("expand", "t.yaml", template=template)
    assert "Fn::Transform: is expanded by another macro" in result.stderr
    for command in ("audit", "migrate", "explain"):
        assert "Fn::Transform: " in run(command, "t.yaml").stderr


def test_an_include_in_the_place_of_a_value_is_not_passed_over(run: Run) -> None:
    template = STAGED.replace("Image: nginx", "Image: {Fn::Transform: {Name: AWS::Include}}")
    result = run("expand", "t.yaml", template=template)
    assert result.exit_code == 1
    assert "0/Image/Fn::Transform: is expanded by another macro" in result.stderr


SNIPPET = """\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: x
      Fn::Transform: {Name: EcsExecRole, Parameters: {Secrets: [db]}}
  Other:
    Type: AWS::SNS::Topic
    Properties:
      Fn::Transform: {Name: Another}
"""


def test_snippets_are_expanded_in_their_place(run: Run) -> None:
    result = run("expand", "t.yaml", "--format", "json", template=SNIPPET)
    assert result.exit_code == 0, result.output
    resources = json.loads(result.stdout)["Resources"]
    assert list(resources["Role"]["Properties"]) == ["RoleName", "AssumeRolePolicyDocument", "Policies"]
    assert resources["Other"]["Properties"] == {"Fn::Transform": {"Name": "Another"}}
    assert result.stderr.startswith("t.yaml:6:42: Resources/Role/Properties/Fn::Transform/Parameters: warning:")
    result = run("expand", "t.yaml", template=SNIPPET.replace("Secrets: [db]", "Secrets: ['*']"))
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "t.yaml:6:65: Resources/Role/Properties/Fn::Transform/Parameters/Secrets/0: `*` contains a wildcard"
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("explain",), "name a TEMPLATE, or write `templates`"),
        (("expand",), "name a TEMPLATE, or write `templates` in .ecs-exec-role.yaml"),
        (("expand", "nowhere.yaml"), "there is no file nowhere.yaml"),
        (("expand", "t.yaml", "--parameter", "Imgae=x"), "no template here has a parameter Imgae; did you mean Image?"),
        (("expand", "t.yaml", "--parameter", "IMAGE=x"), "no template here has a parameter IMAGE; did you mean Image?"),
        (("expand", "t.yaml", "--parameter", "Zz=x"), "no template here has a parameter Zz; write one of "),
        (("expand", "t.yaml", "--parameter", "x"), "write Key=Value"),
        (("EXPAND", "t.yaml"), "There is no command EXPAND. Did you mean expand?"),
        (("expand", "t.yaml", "--region", "Frankfurt"), "write a region such as eu-central-1"),
        (("expand", "t.yaml", "--account", "12"), "write the 12 digits of an account"),
        (("expand", "t.yaml", "--format", "toml"), "is not one of"),
        (("expnad", "t.yaml"), "There is no command expnad. Did you mean expand?"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments, template=TEMPLATE)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_help_with_examples(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Examples:\n" in result.stdout
    assert f"ecs-exec-role {name}" in result.stdout
    assert all(len(line) <= 120 for line in result.stdout.splitlines())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    assert "_ECS_EXEC_ROLE_COMPLETE" in run("completion", shell).stdout


def test_a_bug_is_a_sentence_too() -> None:
    code = (
        "from ecs_exec_role.cli import app, expand\n"
        "def broken(*_, **__): raise ZeroDivisionError('x')\n"
        "expand.read_all = broken\n"
        "app.run()"
    )
    done = subprocess.run([sys.executable, "-c", code, "expand", "x"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr.startswith("ecs-exec-role: this is a bug, not your mistake (ZeroDivisionError: x)")
    assert "Traceback" not in done.stderr


def test_nothing_heavy_is_imported_for_help() -> None:
    code = (
        "import sys; from ecs_exec_role.cli import app; app.cli(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1].split()
    assert "ecs_exec_role.pipeline" not in modules
    assert not {"rich", "boto3", "ruamel.yaml", "cfnlint"} & set(modules)


HAND_WRITTEN_LOOP = """\
Transform: [AWS::LanguageExtensions]
Parameters: {Names: {Type: CommaDelimitedList}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}]
  Fn::ForEach::Tasks:
    - Name
    - !Ref Names
    - ${Name}Task:
        Type: AWS::ECS::TaskDefinition
        Properties:
          ExecutionRoleArn: !GetAtt Role.Arn
          ContainerDefinitions:
            - Name: !Ref Name
              Image: !Sub "123456789012.dkr.ecr.eu-west-1.amazonaws.com/${Name}:1"
"""


@pytest.mark.parametrize("command", ["explain", "audit"])
def test_other_commands_expand_loops_too_or_say_that_they_do_not(run: Run, command: str) -> None:
    result = run(command, "t.yaml", "-p", "Names=api,worker", template=HAND_WRITTEN_LOOP)
    assert "loop" not in result.stderr
    for name in ("api", "worker"):
        assert f"repository/{name}" in result.stdout
        assert f"{name}Task" in result.stdout
    assert "line 18" in result.stdout
    result = run(command, "t.yaml", template=HAND_WRITTEN_LOOP)
    assert "t.yaml:9:3: Resources/Fn::ForEach::Tasks: warning: is a loop that is not expanded here" in result.stderr


def test_loops_within_loops_are_expanded_and_found_in_the_file(run: Run) -> None:
    nested = """\
Transform: [AWS::LanguageExtensions, EcsExecRole]
Resources:
  Fn::ForEach::Stages:
    - Stage
    - [dev, prod]
    - Fn::ForEach::Names:
        - Name
        - [api]
        - ${Stage}${Name}:
            Type: AWS::ECS::TaskDefinition
            Properties:
              ExecutionRoleSpec: Auto
              ContainerDefinitions: [{Name: a, Image: "s3://x"}]
"""
    result = run("explain", "t.yaml", template=nested.replace("s3://x", "${Stage}.dkr.ecr.eu-west-1.amazonaws.com/a:1"))
    assert [line.split(" ")[0] for line in result.stderr.splitlines()] == [
        "t.yaml:13:48:",
        "t.yaml:13:48:",
    ], result.stderr


def test_migrate_says_that_it_leaves_the_definitions_of_a_loop(run: Run) -> None:
    result = run("migrate", "t.yaml", template=HAND_WRITTEN_LOOP)
    assert result.exit_code == 1
    assert (
        "t.yaml:9:3: Resources/Fn::ForEach::Tasks: is a loop, and the definitions in it are not changed;"
        in result.stderr
    )
    assert "nothing to migrate" not in result.stderr
    assert result.stdout == HAND_WRITTEN_LOOP
