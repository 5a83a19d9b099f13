"""A deployed stack, read with the names that AWS gave to its resources."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from tests.e2e.cloud import Cloud, Resource
from tests.support.cloudformation import CloudFormationError, Document, Physical, Stack

ROOT = Path(__file__).parents[2]


class DeployedStack(Stack):
    """A template resolved as CloudFormation resolved it: `Ref` and `Fn::GetAtt` give what exists in the account."""

    def __init__(self, cloud: Cloud, name: str, fragment: Document, parameters: Mapping[str, str]) -> None:
        super().__init__(fragment, parameters, account=cloud.account, region=cloud.region, name=name)
        self._cloud = cloud
        self._standing = cloud.resources(name)
        self._not_made = not_made(cloud, name)

    def physical(self, logical_id: str) -> Physical:
        if logical_id in self._not_made:
            # It has no name at all; the name that AWS would give it is used.
            return super().physical(logical_id)
        try:
            resource = self._standing[logical_id]
        except KeyError:
            raise CloudFormationError(f"{self.name} holds no {logical_id}") from None
        return Physical(resource.physical_id, ATTRIBUTES.get(resource.type, _none)(self._cloud, resource))


def _none(_: Cloud, __: Resource) -> Mapping[str, str]:
    return {}


def _role(cloud: Cloud, resource: Resource) -> Mapping[str, str]:
    role = cloud.iam.get_role(RoleName=resource.physical_id)["Role"]
    return {"Arn": role["Arn"], "RoleId": role["RoleId"]}


def _repository(cloud: Cloud, resource: Resource) -> Mapping[str, str]:
    """By ECR's rule for names: an emulator has its own host, or makes no repository."""
    name = resource.physical_id
    return {
        "Arn": f"arn:aws:ecr:{cloud.region}:{cloud.account}:repository/{name}",
        "RepositoryUri": f"{cloud.account}.dkr.ecr.{cloud.region}.amazonaws.com/{name}",
    }


def _log_group(cloud: Cloud, resource: Resource) -> Mapping[str, str]:
    groups = cloud.client("logs").describe_log_groups(logGroupNamePrefix=resource.physical_id)["logGroups"]
    return {"Arn": next(each["arn"] for each in groups if each["logGroupName"] == resource.physical_id)}


def _secret(cloud: Cloud, resource: Resource) -> Mapping[str, str]:
    return {"Id": cloud.client("secretsmanager").describe_secret(SecretId=resource.physical_id)["ARN"]}


def _key(cloud: Cloud, resource: Resource) -> Mapping[str, str]:
    found = cloud.client("kms").describe_key(KeyId=resource.physical_id)["KeyMetadata"]
    return {"Arn": found["Arn"], "KeyId": found["KeyId"]}


def _bucket(_: Cloud, resource: Resource) -> Mapping[str, str]:
    return {"Arn": f"arn:aws:s3:::{resource.physical_id}"}


def _security_group(_: Cloud, resource: Resource) -> Mapping[str, str]:
    return {"GroupId": resource.physical_id}


ATTRIBUTES: Mapping[str, Callable[[Cloud, Resource], Mapping[str, str]]] = {
    "AWS::EC2::SecurityGroup": _security_group,
    "AWS::ECR::Repository": _repository,
    "AWS::IAM::Role": _role,
    "AWS::KMS::Key": _key,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::S3::Bucket": _bucket,
    "AWS::SecretsManager::Secret": _secret,
}


def expand(cloud: Cloud, template: Path, parameters: Mapping[str, str]) -> Document:
    """What `ecs-exec-role expand` writes for a template that is to be deployed here."""
    command = [
        *(sys.executable, "-m", "ecs_exec_role", "expand", str(template), "--format", "json"),
        *("--account", cloud.account, "--region", cloud.region),
        *(word for key, value in parameters.items() for word in ("--parameter", f"{key}={value}")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written: Document = json.loads(done.stdout)
    return written


def processed(cloud: Cloud, stack: str) -> Document:
    """The template of a stack as it came out of its transforms."""
    body: Any = cloud.cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    document: Document = json.loads(body) if isinstance(body, str) else json.loads(json.dumps(body))
    return document


def as_text(value: Any) -> Any:
    """A document with its numbers and truth values as text, because CloudFormation turns some of them into text."""
    match value:
        case dict():
            return {key: as_text(item) for key, item in value.items()}
        case list():
            return [as_text(item) for item in value]
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    return value


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def not_made(cloud: Cloud, stack: str) -> dict[str, str]:
    """The types of the resources for which an emulator made nothing, although the stack lists them."""
    types = {each.logical_id: each.type for each in cloud.resources(stack).values()}
    return {
        event.logical_id: types.get(event.logical_id, event.type)
        for event in cloud.events(stack)
        if "is not supported but was deployed as a fallback" in event.reason
    }


def inventory(cloud: Cloud) -> set[str]:
    """Everything in the account of the kinds that the tests' stacks make, as `kind: name`."""
    found: set[str] = set()
    for kind, listed in LISTED.items():
        try:
            found |= {f"{kind}: {name}" for name in listed(cloud)}
        except ClientError as error:
            # An emulator need not know every service.
            if not cloud.emulated or error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise
    return found


def _paged(cloud: Cloud, service: str, operation: str, path: str, **arguments: Any) -> list[str]:
    pages = cloud.client(service).get_paginator(operation).paginate(**arguments)
    return [str(name) for name in pages.search(path) if name]


LISTED: Mapping[str, Callable[[Cloud], list[str]]] = {
    "role": lambda cloud: _paged(cloud, "iam", "list_roles", "Roles[].RoleName"),
    "managed policy": lambda cloud: _paged(cloud, "iam", "list_policies", "Policies[].PolicyName", Scope="Local"),
    "function": lambda cloud: _paged(cloud, "lambda", "list_functions", "Functions[].FunctionName"),
    "log group": lambda cloud: _paged(cloud, "logs", "describe_log_groups", "logGroups[].logGroupName"),
    "secret": lambda cloud: _paged(cloud, "secretsmanager", "list_secrets", "SecretList[].ARN"),
    "parameter": lambda cloud: _paged(cloud, "ssm", "describe_parameters", "Parameters[].Name"),
    "repository": lambda cloud: _paged(cloud, "ecr", "describe_repositories", "repositories[].repositoryName"),
    "bucket": lambda cloud: [each["Name"] for each in cloud.client("s3").list_buckets()["Buckets"]],
    "key": lambda cloud: [
        key
        for key in _paged(cloud, "kms", "list_keys", "Keys[].KeyId")
        # A key is deleted days later; until then its deletion is pending.
        if cloud.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion"
    ],
    "security group": lambda cloud: _paged(cloud, "ec2", "describe_security_groups", "SecurityGroups[].GroupId"),
    "VPC": lambda cloud: _paged(cloud, "ec2", "describe_vpcs", "Vpcs[].VpcId"),
    "cluster": lambda cloud: _paged(cloud, "ecs", "list_clusters", "clusterArns[]"),
    "task definition": lambda cloud: _paged(cloud, "ecs", "list_task_definitions", "taskDefinitionArns[]"),
    "job definition": lambda cloud: _paged(
        cloud, "batch", "describe_job_definitions", "jobDefinitions[].jobDefinitionArn", status="ACTIVE"
    ),
}


def left(cloud: Cloud, before: set[str]) -> set[str]:
    """What these tests have created in the account since then: in an emulator's account, everything new."""
    added = inventory(cloud) - before
    return added if cloud.emulated else {each for each in added if cloud.prefix in each}
