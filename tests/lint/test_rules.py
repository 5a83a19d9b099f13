"""cfn-lint, started as in a project that `lint-config` has set up, on good and bad templates."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import cfnlint.rules
import pytest
from tests.lint.conftest import Found, Lint

import ecs_exec_role.lint.rules
from ecs_exec_role.lint import findings

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("[!.]*.yaml"))

TASK = """
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Name: web
          Image: nginx
          Memory: 128
"""


def task(spec: str, transform: str = "EcsExecRole", rest: str = "") -> str:
    """A template with one task definition and this spec, which begins in line 5."""
    spec = indent(dedent(spec).strip(), " " * 8)
    return f"""Transform: {transform}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec:
{spec}
      ContainerDefinitions:
        - Name: web
          Image: nginx
          Memory: 128
{rest}"""


def errors(found: Found) -> Found:
    return [finding for finding in found if finding[0].startswith("E")]


# -- good templates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_have_no_mistakes(lint: Lint, example: Path) -> None:
    assert errors(lint(example.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "transform",
    [
        "EcsExecRole",
        "[EcsExecRole]",
        "{Name: EcsExecRole}",
        "123456789012::EcsExecRole",
        "[AWS::Serverless-2016-10-31, EcsExecRole]",
        "[EcsExecRole, AWS::Serverless-2016-10-31]",
        "[AWS::LanguageExtensions, EcsExecRole]",
        "[AWS::LanguageExtensions, EcsExecRole, AWS::Serverless-2016-10-31]",
        "[AWS::LanguageExtensions, {Name: EcsExecRole}]",
    ],
)
def test_transforms(lint: Lint, transform: str) -> None:
    assert lint(task("Images: [web]", transform)) == []


def test_the_roles_that_the_macro_adds_can_be_referred_to(lint: Lint) -> None:
    text = task(
        "Preflight: true",
        rest="""
  Topic:
    Type: AWS::SNS::Topic
    DependsOn: TaskExecutionRole
    Properties:
      TopicName: !Sub "${TaskExecutionRole}-${TaskExecutionRole.RoleId}"
Outputs:
  Role:
    Value: !GetAtt TaskExecutionRole.Arn
  Name:
    Value: !Ref TaskExecutionRole
""",
    )
    assert lint(text) == []
    assert [rule for rule, *_ in lint(text.replace("Role.Arn", "Role.Nope"))] == ["E6101"]


def test_they_can_be_referred_to_while_the_spec_has_mistakes(lint: Lint) -> None:
    found = lint(task("Imgaes: [web]", rest="Outputs:\n  Role:\n    Value: !Ref TaskExecutionRole\n"))
    assert [rule for rule, *_ in found] == ["E9501"]


def test_intrinsic_functions_in_a_spec_are_checked_by_cfn_lint(lint: Lint) -> None:
    found = lint(
        task(
            """
            Images:
              - !Ref Nope
              - !GetAtt Task.Nope
            """
        )
    )
    assert [(rule, line) for rule, line, *_ in found] == [("E1010", 7), ("E1020", 7), ("E9501", 8)]


def test_a_circular_dependency_that_the_macro_prevents_is_not_reported(lint: Lint) -> None:
    assert (
        lint(
            """
            Transform: EcsExecRole
            Resources:
              Key:
                Type: AWS::KMS::Key
                Properties:
                  KeyPolicy:
                    Version: "2012-10-17"
                    Statement:
                      - Effect: Allow
                        Principal: {AWS: !GetAtt Role.Arn}
                        Action: kms:*
                        Resource: "*"
              Role:
                Type: AWS::IAM::Role
                Properties:
                  ExecutionRoleSpec:
                    TaskDefinitions: [!Ref Task]
                    Secrets:
                      - Secret: prod/db
                        KmsKey: !GetAtt Key.Arn
              Task:
                Type: AWS::ECS::TaskDefinition
                Properties:
                  ExecutionRoleArn: !GetAtt Role.Arn
                  ContainerDefinitions:
                    - Name: web
                      Image: nginx
                      Memory: 128
            """
        )
        == []
    )


def test_loops_of_language_extensions(lint: Lint) -> None:
    text = """
        Transform: [AWS::LanguageExtensions, EcsExecRole]
        Resources:
          Fn::ForEach::Tasks:
            - Name
            - [A, B]
            - Task${Name}:
                Type: AWS::ECS::TaskDefinition
                Properties:
                  ExecutionRoleSpec:
                    Images: [web]
                  ContainerDefinitions:
                    - Name: web
                      Image: nginx
                      Memory: 128
        """
    assert lint(text) == []
    [(rule, line, _, message), *rest] = lint(text.replace("Images: [web]", "Image: [web]"))
    assert (rule, line) == ("E9501", 10)
    assert "did you mean Images?" in message
    assert not rest
    [(rule, line, column, message)] = lint(
        text.replace("[AWS::LanguageExtensions, EcsExecRole]", "[EcsExecRole, AWS::LanguageExtensions]")
    )
    assert (rule, line, column) == ("E9502", 1, 1)
    assert "write AWS::LanguageExtensions before EcsExecRole" in message


def test_templates_without_a_spec_are_left_alone(lint: Lint) -> None:
    assert lint(f"Resources:{TASK}") == []
    assert [rule for rule, *_ in lint("Resources:\n  R:\n    Type: AWS::IAM::Role\n    Properties: {Path: /}\n")] == [
        "E3003"
    ]


def test_a_snippet(lint: Lint) -> None:
    text = """
        Resources:
          Role:
            Type: AWS::IAM::Role
            Properties:
              Description: Of the web tasks
              Fn::Transform:
                Name: EcsExecRole
                Parameters:
                  Images: [web]
        """
    assert lint(text) == []
    assert [(rule, line, column) for rule, line, column, _ in lint(text.replace("Images: [web]", "Imags: [web]"))] == [
        ("E9501", 9, 11)
    ]


# -- parameters, regions ----------------------------------------------------------------------------------------------

BY_PARAMETER = """
    Transform: EcsExecRole
    Parameters:
      Image:
        Type: String
      Secret:
        Type: String
    Resources:
      Task:
        Type: AWS::ECS::TaskDefinition
        Properties:
          ExecutionRoleSpec: Auto
          ContainerDefinitions:
            - Name: web
              Image: !Ref Image
              Memory: 128
              Secrets:
                - Name: PASSWORD
                  ValueFrom: !Ref Secret
    """


def test_a_parameter_without_default_may_have_any_value(lint: Lint) -> None:
    assert errors(lint(BY_PARAMETER)) == []


def test_mistakes_that_depend_on_no_parameter_are_found_beside_them(lint: Lint) -> None:
    found = lint(BY_PARAMETER.replace("ValueFrom: !Ref Secret", "ValueFrom: !ImportValue Secret"))
    assert [(rule, line) for rule, line, *_ in found if rule == "E9501"] == [("E9501", 18)]


def test_allowed_values_are_used_for_a_parameter(lint: Lint) -> None:
    text = task(
        "MaxSessionDuration: !Ref Seconds", rest="Parameters:\n  Seconds: {Type: Number, AllowedValues: [3600]}\n"
    )
    assert lint(text) == []


def test_mistakes_in_any_region_are_found(lint: Lint) -> None:
    mapping = "Mappings:\n  Images:\n    us-east-1: {Name: web}\n    eu-west-1: {Name: 'web*'}\n"
    text = task("Images: [!FindInMap [Images, !Ref AWS::Region, Name]]", rest=mapping)
    assert errors(lint(text, regions=["us-east-1"])) == []
    assert [(rule, line) for rule, line, *_ in errors(lint(text, regions=["us-east-1", "eu-west-1"]))] == [("E9501", 7)]


def test_a_mapping_by_account(lint: Lint) -> None:
    mapping = "Mappings:\n  Images:\n    '210987654321': {Name: web}\n"
    text = task("Images: [!FindInMap [Images, !Ref AWS::AccountId, Name]]", rest=mapping)
    assert [finding for finding in lint(text) if finding[0].startswith("E9")] == []


# -- bad templates: every mistake once, in its own place --------------------------------------------------------------


@pytest.mark.parametrize(
    "spec, line, column, message",
    [
        ("Imgaes: [web]", 7, 9, "did you mean Images?"),
        ("Images:\n  - web\n  - 'web*'", 9, 13, "contains a wildcard"),
        ("Images:\n  - web\n  - Repositry: web", 9, 13, "has no Repository"),
        ("Images: web", 7, 9, "is a string; write a list"),
        ("GuardDuty: maybe", 7, 9, "unknown value `maybe`"),
        ("Infer: false\nTaskDefinitions: [Task]", 8, 9, "is for AWS::IAM::Role only"),
        ("MaxSessionDuration: 60", 7, 9, "is 60"),
        ("LogGroups:\n  - LogGroup: web\n    Create: yess", 9, 13, "unknown value `yess`"),
        ("Images: !If\n  - IsProd\n  - [web]\n  - ['web?']", 10, 14, "contains a wildcard"),
        ("Statements:\n  - Effect: allow\n    Action: a:B\n    Resource: '*'", 8, 13, "write Allow or Deny"),
        ("Statements:\n  - Effect: Allow\n    Action: a:B", 8, 13, "exactly one of Resource"),
    ],
)
def test_mistakes_in_a_spec(lint: Lint, spec: str, line: int, column: int, message: str) -> None:
    conditions = "Conditions:\n  IsProd: !Equals [!Ref AWS::Region, us-east-1]\n"
    found = lint(task(spec, rest=conditions if "IsProd" in spec else ""))
    assert {finding[0] for finding in found} == {"E9501"}
    assert (line, column) in [finding[1:3] for finding in found]
    assert any(message in finding[3] for finding in found)
    assert len({finding[1:3] for finding in found}) <= 2


def test_a_value_that_cannot_be_classified_is_reported_where_it_is(lint: Lint) -> None:
    [(rule, line, column, message)] = lint(task("{}").replace("Image: nginx", "Image: !ImportValue image"))
    assert (rule, line, column) == ("E9501", 10, 11)
    assert "add `Images: [!ImportValue image]`" in message


def test_a_place_within_a_function_is_that_of_the_function(lint: Lint) -> None:
    found = lint(task("Images:\n  - web\n  - !Sub ['${A}', {A: 'b*'}]"))
    assert [(rule, line, column) for rule, line, column, _ in found] == [("E9501", 9, 13)]


def test_values_of_the_wrong_type_are_cfn_lints_own(lint: Lint) -> None:
    found = lint(task("{}").replace("Image: nginx", "Image: [nginx]"))
    assert [(rule, line) for rule, line, *_ in found] == [("E3012", 10)]


def test_a_spec_where_it_means_nothing_is_reported_once(lint: Lint) -> None:
    [(rule, line, column, message)] = lint(
        """
        Transform: EcsExecRole
        Resources:
          Topic:
            Type: AWS::SNS::Topic
            Properties:
              ExecutionRoleSpec: Auto
        """
    )
    assert (rule, line, column) == ("E9501", 6, 7)
    assert "is not supported on AWS::SNS::Topic" in message


@pytest.mark.parametrize(
    "transform, fix",
    [
        ("AWS::Serverless-2016-10-31", "add EcsExecRole to the template's Transform"),
        ("", "write `Transform: EcsExecRole`"),
    ],
)
def test_a_template_that_does_not_call_the_macro(lint: Lint, transform: str, fix: str) -> None:
    text = task("Images: [web]", transform)
    [(rule, line, column, message)] = lint(text if transform else text.partition("\n")[2])
    assert (rule, line, column) == ("E9502", 6 if transform else 5, 7)
    assert fix in message


def test_a_secret_whose_key_is_unknown_is_a_warning(lint: Lint) -> None:
    [(rule, line, column, message)] = lint(task("Secrets:\n  - prod/db"))
    assert (rule, line, column) == ("W9501", 6, 7)
    assert "KmsKeys: None" in message
    assert lint(task("Secrets:\n  - prod/db\nKmsKeys: None")) == []


def test_guardrails_of_the_environment(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    text = task("Statements: [{Effect: Allow, Action: a:B, Resource: '*'}]")
    assert lint(text) == []
    monkeypatch.setenv("ECS_EXEC_ROLE_STATEMENTS", "false")
    assert [(rule, line) for rule, line, *_ in lint(text)] == [("E9501", 7)]
    monkeypatch.setenv("ECS_EXEC_ROLE_STATEMENTS", "no sense")
    [(rule, line, _, message)] = lint(text)
    assert (rule, line) == ("E9501", 6)
    assert "ECS_EXEC_ROLE_STATEMENTS" in message


def test_json(lint: Lint) -> None:
    text = """
        {
          "Transform": "EcsExecRole",
          "Resources": {
            "Task": {
              "Type": "AWS::ECS::TaskDefinition",
              "Properties": {
                "ExecutionRoleSpec": {"Images": [
                  "a*"
                ]},
                "ContainerDefinitions": [{"Name": "a", "Image": "b", "Memory": 128}]
              }
            }
          }
        }
        """
    [(rule, line, column, _)] = lint(text, name="template.json")
    assert (rule, line, column) == ("E9501", 8, 11)


@pytest.mark.parametrize(
    "text",
    [
        "Resources: []",
        "Transform: 1\nResources: {Task: {Type: 1, Properties: {ExecutionRoleSpec: Auto}}}",
        "Transform: {Name: EcsExecRole}\nResources: {Task: {Properties: [ExecutionRoleSpec]}}",
        "Transform: EcsExecRole\nMappings: {A: 1}\nResources: {T: [], U: {Type: AWS::IAM::Role}}",
        "Transform: EcsExecRole\nResources: {1: {Type: AWS::ECS::TaskDefinition, Properties: {ExecutionRoleSpec: 1}}}",
        "Resources: {R: {Type: AWS::IAM::Role, Properties: {Fn::Transform: {Name: EcsExecRole}}}}",
        "Transform: EcsExecRole\nResources: {R: {Type: AWS::IAM::Role, Properties: {Fn::Transform: [EcsExecRole]}}}",
        "ExecutionRoleSpec: Auto",
        "Transform: {Name: EcsExecRole, Parameters: {Images: [a]}}\nResources: {}",
    ],
)
def test_no_template_is_too_broken(lint: Lint, text: str) -> None:
    crashes = [message for rule, *_, message in lint(text) if rule == "E0002"]
    assert not [message for message in crashes if "9501" in message or "9502" in message]


# -- the rules themselves ---------------------------------------------------------------------------------------------


def test_rules_are_complete_and_their_ids_free() -> None:
    loaded = cfnlint.rules.Rules.create_from_module("ecs_exec_role.lint.rules")
    assert sorted(loaded) == ["E9501", "E9502", "E9503", "W9501"]
    for rule in loaded.values():
        assert rule.shortdesc
        assert rule.description
        assert rule.source_url.startswith("https://docs.aws.amazon.com/")
    assert set(ecs_exec_role.lint.rules.__all__) == {type(rule).__name__ for rule in loaded.values()}


def test_the_rules_alone_are_enough(project: Path, lint: Lint) -> None:
    (project / ".cfnlintrc").write_text("append_rules: [ecs_exec_role.lint.rules]\n")
    assert lint(task("Images: [web]")) == []
    assert [rule for rule, *_ in lint(task("Imgaes: [web]"))] == ["E9501"]


def test_a_bug_is_reported_by_cfn_lint_and_ends_nothing(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(findings, "report", broken)
    found = lint(task("Images: [web]"))
    assert [rule for rule, *_ in found if rule == "E0002"] == ["E0002"] * 4


@pytest.mark.parametrize(
    "file, text, said",
    [
        (".ecs-exec-role.yaml", "regoin: eu-west-1\n", "unknown key"),
        (".ecs-exec-role.yaml", "stages: [\n", "is not valid YAML"),
        ("samconfig.toml", "version = \n", "is not valid TOML"),
    ],
)
def test_a_mistake_in_the_project_is_told_by_a_rule(project: Path, lint: Lint, file: str, text: str, said: str) -> None:
    (project / file).write_text(text, encoding="utf-8")
    [(rule, line, _, message)] = lint(task("Images: [web]"))
    assert (rule, line) == ("E9503", lint_line(task("Images: [web]")))
    assert file in message
    assert said in message
    assert "; " in message  # what to write instead
    # A template without a spec does not need the settings.
    assert lint("Resources: {Topic: {Type: AWS::SNS::Topic}}") == []
    (project / file).unlink()
    assert lint(task("Images: [web]")) == []


def lint_line(text: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if "ExecutionRoleSpec" in line)


def test_the_engine_is_run_once_per_template(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = findings.report

    def counted(*arguments: Any, **named: Any) -> findings.LintResult:
        calls.append(1)
        return original(*arguments, **named)

    monkeypatch.setattr(findings, "report", counted)
    lint(task("Images: [web]"))
    assert len(calls) == 1


def test_the_project_file_says_region_parameters_and_guardrails(lint: Lint, project: Path) -> None:
    template = """\
Transform: EcsExecRole
Parameters: {Stage: {Type: String, AllowedValues: [dev, prod]}}
Mappings:
  Names: {eu-central-1: {dev: [shop], prod: "*"}, us-east-1: {dev: "*", prod: "*"}, eu-west-1: {dev: "*", prod: "*"}}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: {Images: [!FindInMap [Names, !Ref AWS::Region, !Ref Stage]], KmsKeys: None}
      Family: web
      ContainerDefinitions: [{Name: web, Image: nginx, Memory: 128}]
"""
    settings = project / ".ecs-exec-role.yaml"
    settings.write_text("region: eu-central-1\nparameters: {Stage: prod}\n", encoding="utf-8")
    assert [found[0] for found in lint(template)] == ["E9501"]
    settings.write_text("region: us-east-1\nparameters: {Stage: dev}\n", encoding="utf-8")
    assert [found[0] for found in lint(template)] == ["E9501"]
    settings.write_text("region: eu-central-1\nparameters: {Stage: dev}\n", encoding="utf-8")
    assert lint(template) == []
    # cfn-lint's own configuration comes first.
    assert [found[0] for found in lint(template, regions=["eu-west-1"])] == ["E9501"]
    settings.write_text("region: eu-central-1\nparameters: {Stage: dev}\nguardrails: {RequiredTags: team}\n")
    assert "team" in lint(template)[0][3]
    settings.write_text("regoin: x\n", encoding="utf-8")
    assert "did you mean region?" in lint(template)[0][3]
