"""Templates for the tests of the guardrails, and the macro's answers to them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.cloudformation import ACCOUNT, REGION
from tests.support.event import event as macro_event

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import DESK_PREFLIGHT, PREFIX, from_environment

Json = dict[str, Any]

REGISTRY = "222222222222"
STRANGER = "999999999999"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
STARTER = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
NO_VALUE = {"Ref": "AWS::NoValue"}
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db-a1B2c3"
STRANGERS_SECRET = f"arn:aws:secretsmanager:{REGION}:{STRANGER}:secret:prod/db-a1B2c3"
SPEC = "Resources/Web/Properties/ExecutionRoleSpec"
ROLE = "Resources/Role/Properties"

PARAMETER_KINDS: Json = {
    "Given": {"Type": "String"},
    "Hidden": {"Type": "String", "NoEcho": True},
    "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/here"},
    "Listed": {"Type": "CommaDelimitedList"},
}
CONDITIONS: Json = {"Prod": {"Fn::Equals": [{"Ref": "AWS::StackName"}, "prod"]}}


def settings(**variables: str) -> Any:
    return from_environment({PREFIX + name: value for name, value in variables.items()}, DESK_PREFLIGHT)


def event(resources: Json, values: Mapping[str, Any] | None = None, params: Json | None = None) -> Json:
    fragment = {"Parameters": PARAMETER_KINDS, "Conditions": CONDITIONS, "Resources": resources}
    where = {"accountId": ACCOUNT, "region": REGION, "transformId": f"{ACCOUNT}::EcsExecRole"}
    return macro_event(fragment, params=params or {}, templateParameterValues=dict(values or {}), **where)


def task(spec: Any = "Auto", image: Any = "nginx", secret: Any = None, **container: Any) -> Json:
    """A task definition."""
    definition = {"Name": "web", "Image": image, **container}
    if secret is not None:
        definition["Secrets"] = [{"Name": "DB", "ValueFrom": secret}]
    properties = {"ExecutionRoleSpec": spec, "ContainerDefinitions": [definition]}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}


def role(spec: Any = "Auto", **properties: Any) -> Json:
    """A role with a spec on it."""
    return {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": spec, **properties}}


def snippet(parameters: Json, **siblings: Any) -> Json:
    """The request that CloudFormation sends for `Fn::Transform` inside of a role's properties."""
    return {**event({}, params=parameters), "fragment": siblings}


def made(request: Json, **variables: str) -> Json:
    """The resources of the answer."""
    before = copy.deepcopy(request)
    fragment = expand(request, settings(**variables)).fragment
    assert request == before
    resources: Json = fragment.get("Resources", fragment)
    return resources


def properties(request: Json, name: str = "WebExecutionRole", **variables: str) -> Json:
    found: Json = made(request, **variables)[name]["Properties"]
    return found


def refused(request: Json, **variables: str) -> list[str]:
    """What the macro reports about a violation; without the guardrail it reports nothing."""
    made(request)
    with pytest.raises(TemplateError) as caught:
        expand(request, settings(**variables))
    return str(caught.value).split("\n")


def both(yes: Any, no: Any) -> Json:
    return {"Fn::If": ["Prod", yes, no]}


def ref(name: str) -> Json:
    return {"Ref": name}


def statement(action: Any = "ssm:GetParameters", resource: Any = "*", **more: Any) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def document(*statements: Any) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def policy_on(kind: str, of: str, *statements: Any, **more: Any) -> Json:
    roles: Any = (
        {"RoleName": more.pop("role", ref(of))} if kind == "RolePolicy" else {"Roles": [more.pop("role", ref(of))]}
    )
    return {
        "Type": f"AWS::IAM::{kind}",
        "Properties": {"PolicyName": "p", **roles, "PolicyDocument": document(*statements), **more},
    }


THINGS: Json = {
    "Repository": {"Type": "AWS::ECR::Repository"},
    "Secret": {"Type": "AWS::SecretsManager::Secret"},
    "Database": {"Type": "AWS::RDS::DBInstance"},
    "Attachment": {"Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": {"SecretId": ref("Secret")}},
    "Foreign": {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": {"SecretId": STRANGERS_SECRET}},
    "Vague": {"Type": "AWS::SecretsManager::RotationSchedule", "Properties": {"SecretId": ref("Hidden")}},
    "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}},
    "Key": {"Type": "AWS::KMS::Key"},
    "Files": {"Type": "AWS::EFS::FileSystem"},
    "Point": {"Type": "AWS::EFS::AccessPoint"},
    "Logs": {"Type": "AWS::Logs::LogGroup"},
    "Bucket": {"Type": "AWS::S3::Bucket"},
    "Custom": {"Type": "Custom::Anything", "Properties": {"ServiceToken": "x"}},
    "Nested": {"Type": "AWS::CloudFormation::Stack"},
}
