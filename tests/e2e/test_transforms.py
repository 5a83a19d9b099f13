"""The macro beside AWS's own transforms, and inside a resource."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.cloudformation import Document
from tests.e2e.cloud import Cloud
from tests.e2e.conftest import Installed
from tests.e2e.deployed import as_list, inventory, left, processed

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
LOGIN: Document = {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": {}}}


@pytest.fixture
def deploy(cloud: Cloud, macro: Installed) -> Iterator[Deploy]:
    """Deploys a template for one test; after it, nothing of it is left."""
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
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "InlineCode": "def handler(event, context):\n    return None\n",
        },
    }
    stack = deploy(
        "serverless",
        {
            "Transform": ["EcsExecRole", "AWS::Serverless-2016-10-31"],
            "Resources": {"Login": LOGIN, "Web": WEB, "Function": function},
        },
    )

    resources = cloud.resources(stack)
    assert resources["Function"].type == "AWS::Lambda::Function"
    assert "FunctionRole" in resources
    assert statements(cloud, stack, "WebExecutionRole")["ReadSecrets"] == [resources["Login"].physical_id]


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
