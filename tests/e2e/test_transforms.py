"""The macro together with AWS's own transforms, and inside a resource."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.e2e.cloud import CAPABILITIES, Cloud, Failed
from tests.e2e.conftest import Installed
from tests.e2e.deployed import as_list, inventory, left, processed
from tests.support.cloudformation import Document

Deploy = Callable[[str, Document], str]

WEB: Document = {
    "Type": "AWS::ECS::TaskDefinition",
    "Properties": {
        "ExecutionRoleSpec": "Auto",
        "Family": "web",
        "ContainerDefinitions": [
            {
                "Name": "web",
                "Image": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/shop/web:1"},
                "Memory": 128,
                "Secrets": [{"Name": "LOGIN", "ValueFrom": {"Ref": "Login"}}],
            }
        ],
    },
}
FUNCTION: Document = {
    "Type": "AWS::Serverless::Function",
    "Properties": {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "InlineCode": "def handler(event, context):\n    return None\n",
    },
}
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
LOGIN: Document = {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": {}}}


@pytest.fixture
def deploy(cloud: Cloud, macro: Installed) -> Iterator[Deploy]:
    """Deploys a template for one test, and deletes everything of it afterwards."""
    before, made = inventory(cloud), list[str]()

    def call(purpose: str, template: Document) -> str:
        made.append(cloud.stack_name(purpose))
        cloud.deploy(made[-1], template)
        return made[-1]

    yield call
    for stack in made:
        if cloud.status(stack) is not None:
            cloud.delete(stack)
    assert left(cloud, before) == set()


def statements(cloud: Cloud, stack: str, role: str) -> dict[str, Any]:
    """The resources of each statement of a role, by Sid."""
    documents = cloud.policies(cloud.resources(stack)[role].physical_id)
    return {each["Sid"]: as_list(each["Resource"]) for document in documents for each in document["Statement"]}


def test_after_language_extensions_with_a_loop(cloud: Cloud, deploy: Deploy) -> None:
    container = {"Name": "main", "Image": "public.ecr.aws/docker/library/nginx:stable", "Memory": 128}
    secrets = [{"Name": "KEY", "ValueFrom": {"Fn::Sub": "/shop/${Name}/key"}}]
    task = {
        "ExecutionRoleSpec": "Auto",
        "Family": {"Ref": "Name"},
        "ContainerDefinitions": [container | {"Secrets": secrets}],
    }
    stack = deploy(
        "loop",
        {
            "Transform": ["AWS::LanguageExtensions", "EcsExecRole"],
            "Resources": {
                "Fn::ForEach::Tasks": [
                    "Name",
                    ["Web", "Worker"],
                    {"${Name}Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": task}},
                ]
            },
        },
    )

    for name in ("Web", "Worker"):
        parameter = f"arn:aws:ssm:{cloud.region}:{cloud.account}:parameter/shop/{name}/key"
        assert statements(cloud, stack, f"{name}TaskExecutionRole") == {"ReadParameters": [parameter]}


def test_before_the_serverless_transform(cloud: Cloud, deploy: Deploy) -> None:
    stack = deploy(
        "serverless",
        {
            "Transform": ["EcsExecRole", "AWS::Serverless-2016-10-31"],
            "Resources": {"Login": LOGIN, "Web": WEB, "Function": FUNCTION},
        },
    )

    resources = cloud.resources(stack)
    assert resources["Function"].type == "AWS::Lambda::Function"
    assert "FunctionRole" in resources
    assert statements(cloud, stack, "WebExecutionRole")["ReadSecrets"] == [resources["Login"].physical_id]


def test_the_order_of_the_readme(cloud: Cloud, deploy: Deploy) -> None:
    """The list of transforms that README.md recommends: loop, function and spec are all expanded."""
    found = re.search(r"`Transform: \[(.*, .*)\]`", README)
    assert found
    order = found[1].split(", ")
    assert order[-1] == "EcsExecRole"
    container = {**WEB["Properties"]["ContainerDefinitions"][0], "Image": "public.ecr.aws/docker/library/nginx:stable"}
    web = {**WEB, "Properties": {**WEB["Properties"], "ContainerDefinitions": [container]}}
    stack = deploy(
        "order",
        {
            "Transform": order,
            "Resources": {
                "Login": LOGIN,
                "Function": FUNCTION,
                "Fn::ForEach::Tasks": ["Name", ["Web", "Worker"], {"${Name}Task": web}],
            },
        },
    )

    resources = cloud.resources(stack)
    assert resources["Function"].type == "AWS::Lambda::Function"
    for role in ("WebTaskExecutionRole", "WorkerTaskExecutionRole"):
        assert statements(cloud, stack, role)["ReadSecrets"] == [resources["Login"].physical_id]


def test_snippet_with_intrinsics(cloud: Cloud, deploy: Deploy) -> None:
    """CloudFormation passes the parameters of a snippet to the macro as they are written."""
    spec = {
        "Images": [{"Fn::GetAtt": ["Repository", "Arn"]}],
        "Secrets": [{"Ref": "Login"}],
        "Parameters": [{"Fn::Sub": "/${AWS::StackName}/level"}],
        "LogGroups": [{"Fn::GetAtt": "Logs.Arn"}],
    }
    role = {"Type": "AWS::IAM::Role", "Properties": {"Fn::Transform": {"Name": "EcsExecRole", "Parameters": spec}}}
    template: Document = {
        "Resources": {
            "Login": LOGIN,
            "Repository": {
                "Type": "AWS::ECR::Repository",
                "Properties": {"RepositoryName": cloud.stack_name("web")},
            },
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": cloud.stack_name("web")}},
            "Role": role,
        }
    }
    try:
        stack = deploy("intrinsics", template)
    except Failed as error:
        if cloud.emulated and "Fn::Transform/Parameters/Images/0: is a list" in str(error):
            pytest.skip("this engine evaluates the parameters of a snippet before the macro sees them")
        raise

    here, name = f"{cloud.region}:{cloud.account}", cloud.stack_name("web")
    found = statements(cloud, stack, "Role")
    assert found["PullImages"] == [f"arn:aws:ecr:{here}:repository/{name}"]
    assert found["ReadSecrets"] == [cloud.resources(stack)["Login"].physical_id]
    assert found["ReadParameters"] == [f"arn:aws:ssm:{here}:parameter/{stack}/level"]
    assert found["WriteLogs"] == [f"arn:aws:logs:{here}:log-group:{name}:*"]


def test_a_role_with_a_name_asks_for_the_capability(cloud: Cloud, deploy: Deploy) -> None:
    name = cloud.stack_name("named-role")
    web = {**WEB, "Properties": {**WEB["Properties"], "ExecutionRoleSpec": {"RoleName": name}}}
    template: Document = {"Transform": "EcsExecRole", "Resources": {"Login": LOGIN, "Web": web}}
    without = tuple(each for each in CAPABILITIES if each != "CAPABILITY_NAMED_IAM")
    unnamed = cloud.stack_name("unnamed")
    try:
        changes = cloud.change_set(unnamed, template, capabilities=without)
        said = changes.reason if changes.status == "FAILED" else None
    except ClientError as error:
        said = str(error)
    if cloud.status(unnamed) is not None:
        cloud.delete(unnamed)

    stack = deploy("named", template)

    assert cloud.resources(stack)["WebExecutionRole"].physical_id == name
    if said is None and cloud.emulated:
        pytest.skip("this engine asks for no capability")
    assert said is not None
    assert "CAPABILITY_NAMED_IAM" in said


def test_snippet_inside_a_role(cloud: Cloud, deploy: Deploy) -> None:
    spec = {"Images": ["shop/web"], "Secrets": ["shop/database"], "LogGroups": ["/shop/web"]}
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"Path": "/ecs/", "Fn::Transform": {"Name": "EcsExecRole", "Parameters": spec}},
    }
    stack = deploy("snippet", {"Resources": {"Role": role}})

    here = f"{cloud.region}:{cloud.account}"
    found = statements(cloud, stack, "Role")
    assert found["PullImages"] == [f"arn:aws:ecr:{here}:repository/shop/web"]
    secret = f"arn:aws:secretsmanager:{here}:secret:shop/database"
    assert found["ReadSecrets"] == [secret, f"{secret}-??????"]
    assert found["WriteLogs"] == [f"arn:aws:logs:{here}:log-group:/shop/web:*"]
    stands = cloud.role_of(stack, "Role")
    assert stands["Path"] == "/ecs/"
    assert stands["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}


def test_template_without_a_spec_comes_through_unchanged(cloud: Cloud, deploy: Deploy) -> None:
    resources = {
        "Login": LOGIN,
        "Note": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "1"}},
    }
    stack = deploy("plain", {"Transform": "EcsExecRole", "Resources": resources})

    assert processed(cloud, stack)["Resources"] == resources
