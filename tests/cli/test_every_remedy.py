"""Follows the remedy of each message of the commands, the linter and the files that they read.

An example is a command with the files that it reads, and the same after the message's remedy. Then the message
is gone. Each place in the source that makes such a message must have an example.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import click
import pytest
from tests.support.codes_in_source import SOURCE, modules
from tests.support.command_line import Run
from tests.support.places_of_messages import Lines, missing, places, traced

from ecs_exec_role.lint import config
from ecs_exec_role.lint.findings import report
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.errors import InvalidInput
from ecs_exec_role.preflight.needs import read_request
from ecs_exec_role.template import budget

Files = Mapping[str, str | bytes]


class Told(NamedTuple):
    """An example: files, a command, a part of the remedy, and what changes then.

    `then` are the files that are written again, `command` is the command after that: the same if it is empty.
    """

    files: Files
    first: Sequence[str]
    says: str
    then: Mapping[str, str | bytes] = {}
    command: Sequence[str] = ()
    stdin: str | None = None
    exit_code: int = 0


IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1"
TASK = """\
Transform: EcsExecRole
Parameters: {Stage: {Type: String}}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: {KmsKeys: None}
      ContainerDefinitions: [{Name: a, Image: nginx, Secrets: [{Name: S, ValueFrom: !Sub "/app/${Stage}"}]}]
"""
DEFAULT = TASK.replace("{Type: String}", "{Type: String, Default: dev}")
LOOKED_UP = TASK.replace("KmsKeys: None", "KmsKeys: [!FindInMap [M, !Ref Stage, Key]]")
LOOKED_UP += "Mappings: {M: {dev: {Key: alias/dev}}}\n"
UNKNOWN_IMAGE = TASK.replace("Image: nginx", "Image: !Ref Stage")
HAND = """\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}]
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions: [{Name: a, Image: nginx}]
"""
INCLUDED = HAND.replace("ContainerDefinitions: [{Name: a, Image: nginx}]", "Fn::Transform: {Name: AWS::Include}")
BROUGHT = HAND.replace("!GetAtt Role.Arn", '!If [Own, !GetAtt Role.Arn, "arn:aws:iam::123456789012:role/shared"]')
BROUGHT += "Conditions: {Own: !Equals [!Ref AWS::Region, us-east-1]}\n"
NO_SPEC = TASK.replace("      ExecutionRoleSpec: {KmsKeys: None}\n", "")
LOOP = """\
Transform: EcsExecRole
Resources:
  Fn::ForEach::Tasks:
    - Name
    - [api]
    - ${Name}Task:
        Type: AWS::ECS::TaskDefinition
        Properties: {ContainerDefinitions: [{Name: a, Image: nginx}]}
"""
UNROLLED = LOOP.replace("Transform: EcsExecRole", "Transform: [AWS::LanguageExtensions, EcsExecRole]")
LOOP_OF_HAND = LOOP.replace("{Container", "{ExecutionRoleArn: !GetAtt Role.Arn, Container")
LOOP_OF_HAND += HAND.replace("Resources:\n", "").partition("  Task:")[0]
WRITTEN_OUT = """\
Transform: EcsExecRole
Resources:
  apiTask:
    Type: AWS::ECS::TaskDefinition
    Properties: {ContainerDefinitions: [{Name: a, Image: nginx}]}
"""


def nested(count: int) -> str:
    """A template with nested loops over this many names."""
    body: Any = {"${D}Topic": {"Type": "AWS::SNS::Topic"}}
    for name in "DCBA":
        body = {f"Fn::ForEach::{name}": [name, [f"{name}{number}" for number in range(count)], body]}
    return json.dumps({"Transform": ["AWS::LanguageExtensions", "EcsExecRole"], "Resources": body})


DEFINITION = {"family": "web", "containerDefinitions": [{"name": "a", "image": IMAGE}]}
LOG = {"logDriver": "awslogs", "options": {"awslogs-group": {"Ref": "Logs"}, "awslogs-region": "us-east-1"}}
OF_JSON = ("expand", "--from", "d.json", "--account", "123456789012", "--region", "us-east-1")
PROJECT = ".ecs-exec-role.yaml"


def definition(**more: Any) -> dict[str, str]:
    """A task definition in JSON, with these keys in its container."""
    return {"d.json": json.dumps({**DEFINITION, "containerDefinitions": [{"name": "a", "image": IMAGE, **more}]})}


def project(text: str, template: str = DEFAULT) -> dict[str, str]:
    return {PROJECT: text, "t.yaml": template}


EXPAND = ("expand", "t.yaml")
EXPLAIN = ("explain", "t.yaml")
MIGRATE = ("migrate", "t.yaml", "--diff")

TEMPLATES: dict[str, Told] = {
    "a default": Told(
        {"t.yaml": DEFAULT}, EXPAND, "give its value, as in `--parameter Stage=…`", {}, (*EXPAND, "-p", "Stage=x")
    ),
    "a default that is kept out": Told(
        {"t.yaml": DEFAULT}, EXPAND, "keep it in the roles with --symbolic", {}, (*EXPAND, "--symbolic")
    ),
    "a lookup without value": Told(
        {"t.yaml": LOOKED_UP}, EXPAND, "give it, as in `--parameter Stage=…`", {}, (*EXPAND, "-p", "Stage=dev")
    ),
    "an image without value": Told(
        {"t.yaml": UNKNOWN_IMAGE}, EXPAND, "give it, as in `--parameter Stage=…`", {}, (*EXPAND, "-p", "Stage=x")
    ),
    "a macro that is not called": Told(
        {"t.yaml": TASK.replace("Transform: EcsExecRole\n", "")},
        EXPAND,
        "write `Transform: EcsExecRole`",
        {"t.yaml": TASK},
    ),
    "a macro that has nothing to do": Told(
        {"t.yaml": NO_SPEC}, EXPAND, "write `ExecutionRoleSpec: Auto` in the Properties", {"t.yaml": TASK}
    ),
    "a macro that is not needed": Told(
        {"t.yaml": NO_SPEC},
        EXPAND,
        "or remove EcsExecRole from Transform",
        {"t.yaml": NO_SPEC.replace("Transform: EcsExecRole\n", "")},
    ),
    "a loop": Told(
        {"t.yaml": LOOP}, EXPAND, "list AWS::LanguageExtensions before EcsExecRole in Transform", {"t.yaml": UNROLLED}
    ),
    "a loop whose list has no value": Told(
        {"t.yaml": UNROLLED.replace("[api]", "!Ref Names") + "Parameters: {Names: {Type: CommaDelimitedList}}\n"},
        EXPAND,
        "give the value of its list, as in `--parameter Names=…`",
        {},
        (*EXPAND, "-p", "Names=api"),
    ),
    "a list": Told({"t.yaml": "- a\n"}, EXPAND, "write a mapping with Resources", {"t.yaml": TASK}),
    "no resources": Told({"t.yaml": "Description: x\n"}, EXPAND, "add the task definitions", {"t.yaml": TASK}),
    "resources in a list": Told(
        {"t.yaml": "Resources: []\n"}, EXPAND, "write logical IDs and their resources", {"t.yaml": TASK}
    ),
    "another encoding": Told(
        {"t.yaml": TASK.replace("nginx", "caf\u00e9").encode("latin-1")},
        EXPAND,
        "save the file as UTF-8",
        {"t.yaml": TASK},
    ),
    "a tab": Told({"t.yaml": TASK.replace("      Exec", "\tExec")}, EXPAND, "use spaces", {"t.yaml": TASK}),
    "a colon without quotes": Told(
        {
            "t.yaml": HAND.replace("{Name: a, Image: nginx}", "{Name: a, Image: nginx}]\n      Family: a: b").replace(
                "b]", "b"
            )
        },
        EXPLAIN,
        "in quotes",
        {"t.yaml": HAND},
    ),
    "a file of parameters": Told(
        {"t.yaml": TASK, "p.json": '["x"]'},
        (*EXPAND, "--parameters", "p.json"),
        "write {Key: Value}",
        {"p.json": '{"Stage": "dev"}'},
    ),
    "a file of parameters in AWS CLI's form": Told(
        {"t.yaml": TASK, "p.json": '["x"]'},
        (*EXPAND, "--parameters", "p.json"),
        "AWS CLI's [{ParameterKey: …, ParameterValue: …}]",
        {"p.json": '[{"ParameterKey": "Stage", "ParameterValue": "dev"}]'},
    ),
    "a loop in migrate": Told({"t.yaml": LOOP_OF_HAND}, MIGRATE, "in the loop by hand", {"t.yaml": WRITTEN_OUT}),
    "an include in migrate": Told({"t.yaml": INCLUDED}, MIGRATE, "write what it gives in its place", {"t.yaml": HAND}),
    "an include that is not audited": Told(
        {"t.yaml": DEFAULT.replace("Image: nginx", "Image: {Fn::Transform: {Name: AWS::Include}}")},
        ("audit", "t.yaml"),
        "write what it gives in its place",
        {"t.yaml": DEFAULT},
    ),
    "a role of one's own": Told({"t.yaml": BROUGHT}, MIGRATE, "audit that role with --role ARN", {"t.yaml": HAND}),
}

PROJECTS: dict[str, Told] = {
    "no YAML": Told(project("a: [\n"), EXPAND, "", {PROJECT: "region: eu-west-1\n"}),
    "a project that is a list": Told(
        project("- a\n"), EXPAND, "write keys such as region", {PROJECT: "templates: [t.yaml]\n"}
    ),
    "a stage that is a list": Told(
        project("stages: {dev: []}\n"), EXPAND, "write keys such as", {PROJECT: "stages: {dev: {region: eu-west-1}}\n"}
    ),
    "an unknown stage": Told(
        project("stage: pord\nstages: {prod: {}}\n"),
        EXPAND,
        "did you mean prod",
        {PROJECT: "stage: prod\nstages: {prod: {}}\n"},
    ),
    "an unknown key": Told(
        project("regoin: eu-west-1\n"), EXPAND, "did you mean region", {PROJECT: "region: eu-west-1\n"}
    ),
    "a wrong value": Told(project("region: [a]\n"), EXPAND, "write ", {PROJECT: "region: eu-west-1\n"}),
    "a wrong parameter": Told(
        project("parameters: {Stage: {a: b}}\n"),
        EXPAND,
        "write text, a number, or a list of them",
        {PROJECT: "parameters: {Stage: x}\n"},
    ),
    "an unknown guardrail": Told(
        project("guardrails: {AllowedRegoins: eu-west-1}\n"),
        EXPAND,
        "did you mean AllowedRegions",
        {PROJECT: "guardrails: {AllowedRegions: us-east-1}\n"},
    ),
    "a wrong guardrail": Told(
        project("guardrails: {AllowedRegions: {a: b}}\n"),
        EXPAND,
        "write text, or a list of it",
        {PROJECT: "guardrails: {AllowedRegions: [us-east-1]}\n"},
    ),
}

DEFINITIONS: dict[str, Told] = {
    "no task definition": Told({"d.json": "{}"}, OF_JSON, "containerDefinitions", definition()),
    "the containers alone": Told(
        {"d.json": "[]"}, OF_JSON, 'write containers as {"containerDefinitions": […]}', definition()
    ),
    "a word": Told({"d.json": '"x"'}, OF_JSON, "", definition()),
    "an unknown key": Told(definition(secrest=[]), OF_JSON, "did you mean `secrets`?", definition(secrets=[])),
    "a key that is like none": Told(definition(zzzzzzzz=[]), OF_JSON, "check its spelling", definition()),
    "a function": Told(
        definition(logConfiguration=LOG),
        OF_JSON,
        "write the value",
        definition(logConfiguration={**LOG, "options": {**LOG["options"], "awslogs-group": "/x"}}),  # type: ignore[dict-item]
    ),
    "a placeholder": Told(definition(image="{{ must_env `IMAGE` }}"), OF_JSON, "fill it in first", definition()),
    "a spec with its key": Told(
        {**definition(), "s.yaml": "ExecutionRoleSpec: Auto\n"},
        (*OF_JSON, "--spec", "s.yaml"),
        "write what belongs behind it",
        {"s.yaml": "Auto\n"},
    ),
    "a preflight": Told(
        {**definition(), "s.yaml": "Preflight: true\n"},
        (*OF_JSON, "--spec", "s.yaml"),
        "leave it out for a task definition in JSON",
        {"s.yaml": "Auto\n"},
    ),
    "a role that only CloudFormation can make": Told(
        {**definition(), "s.yaml": "Secrets: [!Ref AWS::StackName]\n"},
        (*OF_JSON, "--spec", "s.yaml"),
        "write --as template",
        {},
        (*OF_JSON, "--spec", "s.yaml", "--as", "template"),
    ),
    "an intrinsic that only CloudFormation knows": Told(
        {**definition(), "s.yaml": "Secrets: [!ImportValue x]\n"},
        (*OF_JSON, "--spec", "s.yaml"),
        "write --as template",
        {},
        (*OF_JSON, "--spec", "s.yaml", "--as", "template"),
    ),
}

TWO = {"t.yaml": HAND, "u.yaml": HAND}
SAM = "samconfig.toml"
SAM_OVERRIDES = "version = 0.1\n[default.deploy.parameters]\nparameter_overrides = {}\n"
ROLE = "arn:aws:iam::123456789012:role/web"
STOPPED = "CannotPullContainerError: denied"

OPTIONS: dict[str, Told] = {
    "a parameter": Told({"t.yaml": TASK}, (*EXPAND, "-p", "Stage"), "write Key=Value", {}, (*EXPAND, "-p", "Stage=x")),
    "a parameter that is not there": Told(
        {"t.yaml": TASK}, (*EXPAND, "-p", "Staeg=x"), "did you mean Stage?", {}, (*EXPAND, "-p", "Stage=x")
    ),
    "a directory": Told(
        {"d/t.yaml": TASK}, ("expand", "d"), "name templates, or a pattern", {}, ("expand", "d/**/*.yaml")
    ),
    "a pattern": Told({"t.yaml": TASK}, ("expand", "*.json"), "no file matches", {}, ("expand", "*.yaml")),
    "no such file": Told({"t.yaml": TASK}, ("expand", "u.yaml"), "there is no file", {}, EXPAND),
    "no template": Told({"t.yaml": TASK}, ("expand",), "name a TEMPLATE", {}, EXPAND),
    "no template, with a project": Told(
        {"t.yaml": DEFAULT}, ("expand",), "write `templates` in .ecs-exec-role.yaml", {PROJECT: "templates: [t.yaml]\n"}
    ),
    "no such project": Told(
        {"t.yaml": TASK}, (*EXPAND, "--config", "p.yaml"), "there is no such file", {"p.yaml": "region: us-east-1\n"}
    ),
    "no such stage": Told(
        project("stages: {prod: {region: us-east-1}}\n"),
        (*EXPAND, "--stage", "pord"),
        "did you mean prod",
        {},
        (*EXPAND, "--stage", "prod"),
    ),
    "no samconfig": Told(
        project(f"samconfig: {SAM}\n"), EXPAND, "there is no file", {SAM: SAM_OVERRIDES.format('"Stage=x"')}
    ),
    "no text in samconfig": Told(
        {"t.yaml": TASK, SAM: SAM_OVERRIDES.format("[1]")},
        EXPAND,
        "not text",
        {SAM: SAM_OVERRIDES.format('["Stage=x"]')},
    ),
    "a word in samconfig": Told(
        {"t.yaml": TASK, SAM: SAM_OVERRIDES.format('"Stage"')},
        EXPAND,
        "write Key=Value",
        {SAM: SAM_OVERRIDES.format('"Stage=x"')},
    ),
    "a quote in samconfig": Told(
        {"t.yaml": TASK, SAM: SAM_OVERRIDES.format("'Stage=\"x'")},
        EXPAND,
        "is not closed; close it",
        {SAM: SAM_OVERRIDES.format('"Stage=x"')},
    ),
    "no TOML": Told(
        {"t.yaml": TASK, SAM: "a = \n"}, EXPAND, "is not valid TOML", {SAM: SAM_OVERRIDES.format('"Stage=x"')}
    ),
    "a samconfig in another encoding": Told(
        {"t.yaml": TASK, SAM: "# caf\u00e9\n".encode("latin-1")},
        EXPAND,
        "it is not UTF-8",
        {SAM: SAM_OVERRIDES.format('"Stage=x"')},
    ),
    "--as without --from": Told(
        {"t.yaml": TASK}, (*EXPAND, "--as", "role"), "--as and --spec need --from FILE", {}, EXPAND
    ),
    "--from with a template": Told(
        {"t.yaml": TASK, **definition()}, ("expand", "t.yaml", *OF_JSON[1:]), "--from takes no template", {}, OF_JSON
    ),
    "a role in YAML": Told(definition(), (*OF_JSON, "--format", "yaml"), "leave --format out", {}, OF_JSON),
    "a role in YAML, as a template": Told(
        definition(),
        (*OF_JSON, "--format", "yaml"),
        "or add --as template",
        {},
        (*OF_JSON, "--format", "yaml", "--as", "template"),
    ),
    "no account": Told(definition(), OF_JSON[:3], "give --account and --region", {}, OF_JSON),
    "no account, as a template": Told(
        definition(), OF_JSON[:3], "or --as template", {}, (*OF_JSON[:3], "--as", "template")
    ),
    "--quiet and --verbose": Told(
        {"t.yaml": TASK}, (*EXPAND, "-q", "-v"), "cannot be used together", {}, (*EXPAND, "-q")
    ),
    "an output in no folder": Told(
        {"t.yaml": TASK}, (*EXPAND, "-o", "d/x"), "cannot be written", {}, (*EXPAND, "-o", "x")
    ),
    "--definition without --role": Told(
        {"t.yaml": HAND}, ("audit", "t.yaml", "--definition", "Task"), "needs --role", {}, ("audit", "t.yaml")
    ),
    "--stack with two templates": Told(
        TWO, ("explain", "t.yaml", "u.yaml", "--stack", "x"), "takes one template", {}, ("explain", "t.yaml", "u.yaml")
    ),
    "--write and --diff": Told(
        {"t.yaml": HAND}, ("migrate", "t.yaml", "--write", "--diff"), "cannot be used together", {}, MIGRATE
    ),
    "--write for standard input": Told(
        {"t.yaml": HAND},
        ("migrate", "-", "--write"),
        "needs files, not standard input",
        {},
        ("migrate", "t.yaml", "--write"),
        stdin=HAND,
    ),
    "several templates": Told(
        TWO, ("migrate", "t.yaml", "u.yaml"), "need --write or --diff", {}, ("migrate", "t.yaml", "u.yaml", "--diff")
    ),
    "a command": Told({"t.yaml": TASK}, ("expnad", "t.yaml"), "Did you mean expand?", {}, EXPAND),
    "a command that is like none": Told(
        {"t.yaml": TASK}, ("zzz", "t.yaml"), "Write one of expand, explain", {}, EXPAND
    ),
    "a shell": Told({}, ("completion", "tcsh"), "", {}, ("completion", "bash")),
    "one template to compare": Told(
        {"t.yaml": TASK}, ("diff", "t.yaml"), "name two templates, the old one first", {}, ("diff", "t.yaml", "t.yaml")
    ),
    "--rev and --stack": Told(
        {"t.yaml": TASK},
        ("diff", "t.yaml", "--rev", "a..b", "--stack", "x"),
        "cannot be used together",
        {},
        ("diff", "t.yaml", "t.yaml"),
    ),
    "--profile without --stack": Told(
        {"t.yaml": TASK},
        ("diff", "t.yaml", "t.yaml", "--profile", "x"),
        "needs --stack",
        {},
        ("diff", "t.yaml", "t.yaml"),
    ),
    "--stack of two": Told(
        TWO, ("diff", "t.yaml", "u.yaml", "--stack", "x"), "takes one template", {}, ("diff", "t.yaml", "u.yaml")
    ),
    "--rev for standard input": Told(
        {"t.yaml": TASK},
        ("diff", "-", "--rev", "HEAD"),
        "needs files, not standard input",
        {},
        ("diff", "t.yaml", "t.yaml"),
        stdin=TASK,
    ),
    "no reason": Told(
        {"r.txt": STOPPED}, ("diagnose",), "name a file with what AWS says", {}, ("diagnose", "r.txt"), exit_code=1
    ),
    "standard input twice": Told(
        {"r.txt": STOPPED, "t.yaml": TASK},
        ("diagnose", "-", "--template", "-"),
        "standard input is either",
        {},
        ("diagnose", "r.txt"),
        exit_code=1,
    ),
    "--role without --stack": Told(
        {"r.txt": STOPPED},
        ("diagnose", "r.txt", "--role", ROLE),
        "--role needs --stack",
        {},
        ("diagnose", "r.txt"),
        exit_code=1,
    ),
    "no such reason": Told(
        {"r.txt": STOPPED}, ("diagnose", "s.txt"), "cannot read", {}, ("diagnose", "r.txt"), exit_code=1
    ),
    "neither role nor stack": Told(
        {"t.yaml": HAND},
        ("preflight", "t.yaml"),
        "--role with the ARN of a role",
        {},
        ("preflight", "t.yaml", "--role", ROLE),
        exit_code=3,
    ),
    "no ARN of a role": Told(
        {"t.yaml": HAND},
        ("preflight", "t.yaml", "--role", "web"),
        "write arn:aws:iam::ACCOUNT:role/NAME",
        {},
        ("preflight", "t.yaml", "--role", ROLE),
        exit_code=3,
    ),
}

EXAMPLES = {**TEMPLATES, **{f"project: {name}": told for name, told in PROJECTS.items()}, **DEFINITIONS, **OPTIONS}


def write(files: Files) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, so that no command calls AWS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_remedy_that_is_followed_ends_the_message(run: Run, name: str) -> None:
    told = EXAMPLES[name]
    write(told.files)
    first = run(*told.first, stdin=told.stdin)
    said = re.sub(r"\s+", " ", first.stderr)
    assert said.strip()
    assert told.says in said
    write(told.then)
    then = run(*(told.command or told.first))
    assert then.exit_code == told.exit_code, then.output
    assert not told.says or told.says not in re.sub(r"\s+", " ", then.stderr)


def test_loops_that_make_too_much(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MOST_STEPS", 1000)
    assert "use shorter lists in Fn::ForEach" in run(*EXPAND, template=nested(9)).stderr
    assert run(*EXPAND, template=nested(2)).exit_code == 0


# -- messages that are not from commands
# --------------------------------------------------------------------------------------------

NOT_CALLED = TASK.replace("Transform: EcsExecRole\n", "")
LINTED: dict[str, tuple[str, str, str]] = {
    "a macro that is not called": (NOT_CALLED, "write `Transform: EcsExecRole` at the template's top", TASK),
    "a macro that has nothing to do": (NO_SPEC, "write `ExecutionRoleSpec: Auto` in the Properties", TASK),
    "another transform": (
        f"Transform: AWS::Serverless-2016-10-31\n{NOT_CALLED}",
        "add EcsExecRole to the template's Transform",
        TASK.replace("Transform: EcsExecRole", "Transform: [EcsExecRole, AWS::Serverless-2016-10-31]"),
    ),
    "the transforms in the wrong order": (
        LOOP.replace("{Container", "{ExecutionRoleSpec: Auto, Container").replace(
            "Transform: EcsExecRole", "Transform: [EcsExecRole, AWS::LanguageExtensions]"
        ),
        "write AWS::LanguageExtensions before EcsExecRole",
        UNROLLED.replace("{Container", "{ExecutionRoleSpec: Auto, Container"),
    ),
}


def linted(text: str) -> list[str]:
    template = template_file.parse("t.yaml", text)
    loops = [node for key, node in template.data["Resources"].items() if key.startswith("Fn::ForEach")]
    return [match.message for match in report(template.data, loops=loops).findings]


@pytest.mark.parametrize("name", LINTED)
def test_a_remedy_of_the_linter_ends_the_message(name: str) -> None:
    wrong, says, right = LINTED[name]
    assert any(says in each for each in linted(wrong))
    assert not any(says in each for each in linted(right))


CONFIGURATIONS = {
    "no YAML": ("a: [\n", ""),
    "a list": ("- a\n", ""),
    "a key that is no list": ("append_rules: {a: b}\n", ""),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_of_the_linter_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / ".cfnlintrc"
    file.write_text(CONFIGURATIONS[name][0], encoding="utf-8")
    with pytest.raises(Exception, match="; "):
        config.lint_config(tmp_path)
    file.write_text("append_rules: [mine]\n", encoding="utf-8")
    assert config.lint_config(tmp_path).changes


NEED: dict[str, Any] = {
    "Kind": "Secret",
    "Actions": ["secretsmanager:GetSecretValue"],
    "Resources": ["*"],
    "Path": "Resources/A",
}
"""What the macro writes for the check; docs/preflight.md describes it."""
REQUESTS: dict[str, tuple[Any, str]] = {
    "no properties": ([], "write RoleArn, Mode and Needs"),
    "no role": ({"RoleArn": "x"}, "write !GetAtt <Role>.Arn, a role of this stack"),
    "another account's role": ({"RoleArn": ROLE.replace("123456789012", "111122223333")}, "a role of this stack"),
    "a mode": ({"RoleArn": ROLE, "Mode": "x"}, "write one of them, or remove it"),
    "no list": ({"RoleArn": ROLE, "Needs": {}}, "write a list of needs"),
    "too many": ({"RoleArn": ROLE, "Needs": [NEED] * 20_000}, "split the stack"),
    "a need": ({"RoleArn": ROLE, "Needs": [1]}, "let the macro write it"),
    "many characters": (
        {"RoleArn": ROLE, "Needs": [{**NEED, "Resources": [f"{number:03}{1900 * 'x'}" for number in range(600)]}] * 2},
        "split the stack",
    ),
    "many wrong needs": ({"RoleArn": ROLE, "Needs": [1] * 100}, "correct those above first"),
}


def requested(properties: Any) -> list[str]:
    return [str(each) for each in read_request(properties, partition="aws", account="123456789012").problems]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_remedy_of_the_check_ends_the_message(name: str) -> None:
    wrong, says = REQUESTS[name]
    assert any(says in each for each in requested(wrong))
    assert requested({"RoleArn": ROLE, "Mode": "Warn", "Needs": []}) == []


# -- that there is an example for each place --------------------------------------------------------------------------

MODULES = ("cli/", "lint/", "migrate/", "offline/", "preflight/needs.py")
WITHOUT_EXAMPLE = {
    "offline/loops.py: too-large": "test_loops_that_make_too_much",
    "cli/preflight.py: not-asked": "asks AWS: tests/cli/test_preflight.py follows it",
}


def options_of(names: tuple[str, ...]) -> dict[str, tuple[str, range]]:
    """The places of some modules that refuse an option or a setting, where that needs neither AWS nor Git."""
    found = {}
    for name, module in modules().items():
        for call in ast.walk(module):
            if not (name.startswith(names) and isinstance(call, ast.Call)):
                continue
            called = ast.unparse(call.func)
            if called in ("click.UsageError", "InvalidInput") and not any(
                word in ast.unparse(call) for word in ELSEWHERE
            ):
                found[f"{name}:{call.lineno}"] = (str(SOURCE / name), range(call.lineno, (call.end_lineno or 0) + 1))
    return found


ELSEWHERE = (
    "there is no completion for",  # click knows the shells and refuses any other one first.
    "str(error)",  # Passes on a message.
    "error.strerror",  # The system refuses a file: the message says why.
    "the region is not known",  # With --stack or --role, which ask AWS: tests/cli/test_preflight.py.
    "there is no such definition",  # After AWS answered: tests/audit/test_audit.py, tests/cli/test_preflight.py.
    "one of {',",
    "has no task definition",
    "is not !GetAtt of a role",
    "takes one template; name it",
    "sides.before_name",  # Git: tests/cli/test_diff.py.
    "_LARGEST",  # Ten megabytes: tests/diagnose/test_inputs.py.
    "UNREADABLE",  # tests/diagnose/test_inputs.py.
)


@contextmanager
def traced_options(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Collects the lines of the source through which options are refused inside of the block."""
    import sys  # noqa: PLC0415 - for the frames

    lines: Lines = set()
    with monkeypatch.context() as patch:
        for kind in (click.UsageError, InvalidInput):
            made = kind.__init__

            def init(self: Any, *arguments: Any, made: Any = made, **named: Any) -> None:
                frame: FrameType | None = sys._getframe(1)
                while frame:
                    lines.add((frame.f_code.co_filename, frame.f_lineno))
                    frame = frame.f_back
                made(self, *arguments, **named)

            patch.setattr(kind, "__init__", init)
        yield lines


@pytest.mark.xdist_group("source")
def test_each_place_that_makes_a_message_has_an_example(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with traced(monkeypatch) as lines, traced_options(monkeypatch) as refused:
        for number, told in enumerate(EXAMPLES.values()):
            folder = tmp_path / str(number)
            folder.mkdir()
            monkeypatch.chdir(folder)
            write(told.files)
            run(*told.first, stdin=told.stdin)
        for wrong, _, _ in LINTED.values():
            linted(wrong)
        for properties, _ in REQUESTS.values():
            requested(properties)
        for text, _ in CONFIGURATIONS.values():
            (tmp_path / ".cfnlintrc").write_text(text, encoding="utf-8")
            with pytest.raises(Exception, match="; "):
                config.lint_config(tmp_path)
    found = places(MODULES, WITHOUT_EXAMPLE)
    assert len(found) > 25
    options = options_of(("cli/", "offline/"))
    assert len(options) > 30
    assert " ".join([*missing(found, lines), *missing(options, refused)]) == ""
