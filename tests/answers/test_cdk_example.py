"""examples/cdk as AWS CDK synthesizes it, through the engine. `make cdk-example` renews the templates."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cloudformation_validate import CompositeEngine, TemplateContent, ValidateConfig
from scripts import cdk_example
from tests.support.cloudformation import Document, Stack, circle, load
from tests.support.event import event
from tests.support.prove import Proof, prove_template

from ecs_exec_role.protocol import respond

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cdk.md").read_text(encoding="utf-8")
NAMES = ("Jobs", "Web")
DEFINITIONS = ("AWS::ECS::TaskDefinition", "AWS::Batch::JobDefinition")

SSM = {"/cdk-bootstrap/hnb659fds/version": "30"}
DATABASE = "arn:aws:secretsmanager:us-east-1:123456789012:secret:DatabaseB269D8BB"
OUTPUTS = {
    "Web.PublishOutputRefDatabaseB269D8BB9070B7F3": DATABASE,
    "Web.PublishOutputFnGetAttKey961B73FDArn43BC6B29": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef",
}

each = pytest.mark.parametrize("name", NAMES)


def template(name: str) -> Document:
    """The template as CloudFormation passes it to the macro."""
    found = load(cdk_example.TEMPLATES / f"{name}.template.json")
    assert found.pop("Transform") in ("EcsExecRole", ["EcsExecRole"])
    return found


def proof(name: str, **outputs: str) -> Proof:
    return prove_template(template(name), respond, account="123456789012", ssm=SSM, imports={**OUTPUTS, **outputs})


def expanded(name: str) -> Document:
    before = template(name)
    answer = respond(event(before, templateParameterValues={"BootstrapVersion": "30"}))
    assert answer["status"] == "success", answer.get("errorMessage")
    fragment: Document = answer["fragment"]
    return fragment


def named(node: Any) -> Iterator[str]:
    """Every logical ID or parameter that a value refers to."""
    if isinstance(node, list):
        for item in node:
            yield from named(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref" and not value.startswith("AWS::"):
                yield value
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.partition(".")[0]
            elif key == "DependsOn":
                yield from [value] if isinstance(value, str) else value
            elif key == "Fn::Sub" and isinstance(value, str):
                yield from re.findall(r"\$\{(?!AWS::)([^}.!]+)", value)
            else:
                yield from named(value)


def roles(node: Document) -> set[str]:
    """The roles that CDK generates for its tasks and jobs, by their paths in the app."""
    return {
        resource["Metadata"]["aws:cdk:path"]
        for resource in node["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role" and "ExecutionRoleSpec" not in resource["Properties"]
    }


def test_every_template_is_here() -> None:
    assert [path.name for path in sorted(cdk_example.TEMPLATES.iterdir())] == [
        f"{name}.template.json" for name in NAMES
    ]


@each
def test_nothing_of_cdks_own_execution_role_is_left(name: str) -> None:
    found = template(name)
    resources = found["Resources"]
    assert {path.rpartition("/TaskRole/")[2] for path in roles(found)} == {"Resource"}, (
        "other roles than the tasks' own"
    )
    assert not [key for key, resource in resources.items() if resource["Type"] == "AWS::IAM::Policy"]
    assert '"ExecutionRoleArn"' not in json.dumps(found)
    assert set(named(found)) <= {*resources, *found["Parameters"]}, "something refers to what is not there"


@each
def test_every_definition_gets_a_role_of_the_macro(name: str) -> None:
    before, after = template(name), expanded(name)
    for logical_id, resource in after["Resources"].items():
        if resource["Type"] not in DEFINITIONS:
            continue
        properties = resource["Properties"]
        arn = properties.get("ContainerProperties", properties)["ExecutionRoleArn"]
        role = after["Resources"][arn["Fn::GetAtt"][0]]
        assert role["Type"] == "AWS::IAM::Role", logical_id
        assert role["Metadata"]["EcsExecRoleVersion"]
    assert "ExecutionRoleSpec" not in json.dumps({**after["Resources"], "": ""}).replace("/ExecutionRoleSpec/", "")
    assert set(named(after)) <= {*after["Resources"], *after["Parameters"]}
    assert circle(after) == []
    untouched = {
        key for key, node in before["Resources"].items() if node["Type"] not in {*DEFINITIONS, "AWS::IAM::Role"}
    }
    assert {key: after["Resources"][key] for key in untouched} == {key: before["Resources"][key] for key in untouched}


def differences(found: Proof) -> list[str]:
    """What a role allows beyond that, except what no request has: a key without an ID, with an alias without a name.

    The grant by alias has this form when the key of another stack is an ARN.
    """
    assert [found.refused, found.undecided, found.impossible] == [{}, {}, []]
    said = [str(finding) for findings in found.findings.values() for finding in findings]
    return [text for text in said if not re.search(r":key/ with .*kms:resourcealiases=alias/: ", text)]


@pytest.mark.parametrize("name, roles", [("Jobs", 3), ("Web", 1)])
def test_roles_allow_exactly_what_is_needed(name: str, roles: int) -> None:
    found = proof(name)
    assert differences(found) == []
    assert found.roles == roles


def test_a_secret_of_another_stack_may_be_named_without_its_suffix() -> None:
    """The macro cannot see whether the output is a whole ARN, so the role may also read `ARN-??????`."""
    said = differences(proof("Jobs", **{"Web.PublishOutputRefDatabaseB269D8BB9070B7F3": f"{DATABASE}-a1B2c3"}))
    assert [text.split(": ")[1] for text in said] == ["allowed, not needed"] * 2
    assert all(f"{DATABASE}-a1B2c3-aaaaaa" in text for text in said)


@each
def test_repository_is_granted_by_its_own_arn(name: str) -> None:
    """CDK makes an image of the region and the account in the repository's ARN, and of its name."""
    text = json.dumps(expanded(name)["Resources"])
    [repository] = re.findall(r'"(Repository\w+)": \{"Type": "AWS::ECR::Repository"', text)
    policies = re.findall(r'"Sid": "PullImages".*?"Resource": (\[.*?\]\}?|\{.*?\})', text)
    assert policies
    assert all(f'{{"Fn::GetAtt": ["{repository}", "Arn"]}}' in policy for policy in policies)


def test_image_of_another_stacks_repository_needs_nothing_in_the_spec() -> None:
    found = template("Web")
    container = found["Resources"]["TaskDefinitionB36D86D9"]["Properties"]["ContainerDefinitions"][0]
    text = json.dumps(container["Image"])
    for reference, export in (
        ('{"Fn::GetAtt": ["Repository22E53BBD", "Arn"]}', "arn"),
        ('{"Ref": "Repository22E53BBD"}', "name"),
    ):
        assert reference in text
        text = text.replace(reference, json.dumps({"Fn::ImportValue": export}))
    container["Image"] = json.loads(text)
    imports = {"arn": "arn:aws:ecr:eu-west-1:444455556666:repository/shop/web", "name": "shop/web"}
    assert differences(prove_template(found, respond, account="123456789012", ssm=SSM, imports=imports)) == []


def test_key_policy_names_no_role_that_is_not_there() -> None:
    stack = Stack(template("Web"), account="123456789012", ssm=SSM)
    [key] = stack.resources("AWS::KMS::Key")
    statements = stack.properties(key)["KeyPolicy"]["Statement"]
    assert {statement["Principal"]["AWS"] for statement in statements} == {"arn:aws:iam::123456789012:root"}


@pytest.mark.usefixtures("quick_cfn_lint")
@each
def test_expanded_template_passes_the_checkers(name: str) -> None:
    text = json.dumps(expanded(name), indent=2)
    found = [str(match) for match in lint(text, config=ManualArgs(regions=["us-east-1"]))]
    # CDK writes each dependency out, also where a reference says the same.
    assert [match for match in found if "W3005" not in match and "[W3005" not in match] == []
    report = CompositeEngine().validate_template(TemplateContent(text), ValidateConfig())
    assert [f"{item.rule_id} {item.message}" for item in report.diagnostics if item.severity.name == "FATAL"] == []


def test_lock_names_no_registry() -> None:
    lock = (cdk_example.EXAMPLE / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    packages = json.loads(lock)["packages"]
    assert all(package.get("integrity") for name, package in packages.items() if name and not package.get("inBundle"))


def test_page_shows_the_example() -> None:
    """Each piece of TypeScript on the page is in the example, line by line, apart from its indentation."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(cdk_example.EXAMPLE.glob("lib/*.ts")))
    lines = {line.strip() for line in source.splitlines()}
    shown = re.findall(r"^```ts\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown
    for piece in shown:
        assert [line for line in piece.splitlines() if line.strip() not in {*lines, "", "// …"}] == []


def test_python_of_the_page_does_what_the_example_does() -> None:
    [shown] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    compile(shown, "docs/cdk.md", "exec")
    source = (cdk_example.EXAMPLE / "lib" / "execution-role.ts").read_text(encoding="utf-8")
    texts = set(re.findall(r'"([^"\n]+)"', shown)) - {"TaskDefinition", "web", "1.0.0", "Auto"}
    assert texts
    assert [text for text in texts if f"'{text}'" not in source] == []
    for name in re.findall(r"\.(add_\w+|from_role_arn|acknowledge)\(", shown):
        camel = re.sub(r"_(\w)", lambda match: match[1].upper(), name)
        assert f".{camel}(" in source or camel == "addContainer"


# -- with CDK itself: `make checkers` ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, installed and built."""
    folder = tmp_path_factory.mktemp("cdk") / "app"
    shutil.copytree(cdk_example.EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "build", "cdk.out"))
    cdk_example.install(folder)
    cdk_example.build(folder)
    return folder


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """The app with one text, which must occur once in its code, replaced."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old} does not occur once"
    path.write_text(text.replace(old, new), encoding="utf-8")
    yield
    path.write_text(text, encoding="utf-8")


@pytest.mark.checkers
def test_templates_are_what_cdk_makes(app: Path) -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in cdk_example.TEMPLATES.iterdir()}
    assert cdk_example.synthesize(app) == committed


@pytest.mark.checkers
def test_cdk_makes_a_role_where_it_is_given_none(app: Path) -> None:
    """The purpose of `roleByMacro`: without it, the role and its policy exist, and the key policy names the role."""
    before = "    const existing = "
    without = edited(app / "build" / "lib" / "execution-role.js", before, f"    return undefined;\n{before}")
    alone = edited(app / "build" / "bin" / "web.js", "new jobs_stack_1.JobsStack(app, 'Jobs', { web });", "")
    with without:
        with pytest.raises(cdk_example.Failed, match="DependencyCycle"):
            cdk_example.synthesize(app)
        with alone:
            text = cdk_example.synthesize(app)["Web.template.json"]
    made = json.loads(text)["Resources"]
    assert "AWS::IAM::Policy" in {resource["Type"] for resource in made.values()}
    [key] = (resource for resource in made.values() if resource["Type"] == "AWS::KMS::Key")
    assert any("ExecutionRole" in name for name in named(key))


@pytest.mark.checkers
def test_cdk_refuses_the_property_that_is_not_acknowledged(app: Path) -> None:
    """When it does not, remove the acknowledgement and its paragraph on the page."""
    with (
        edited(app / "build" / "lib" / "execution-role.js", "...rules.map(", "...[].map("),
        pytest.raises(cdk_example.Failed) as failed,
    ):
        cdk_example.synthesize(app)
    assert "CloudFormation-Validate::F3002" in str(failed.value)
    assert "CloudFormation-Validate::F3003" in str(failed.value)


@pytest.mark.checkers
def test_cdk_cli_allows_macros_and_named_roles(app: Path) -> None:
    """The page says that `cdk deploy` needs no option for that."""
    cli = app / "node_modules" / "aws-cdk" / "lib" / "index.js"
    sent = re.findall(r"Capabilities: (\[.*?\])", cli.read_text(encoding="utf-8"))
    assert sent
    assert {frozenset(json.loads(each)) for each in sent} == {
        frozenset({"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"})
    }
