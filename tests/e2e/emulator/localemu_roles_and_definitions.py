"""What the macro's templates hold and LocalEmu records without making: a role's policy of its own, and definitions.

They are made through the emulator's own IAM, ECS and Batch. It finds the plugins as it finds the one beside them.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-rolepolicy.html
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from api_names import as_api  # type: ignore[import-not-found]
from localemu.services.cloudformation.resource_provider import (  # type: ignore[import-not-found]
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)


class _Made(ResourceProvider):  # type: ignore[misc]
    """A resource whose update makes it anew."""

    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/Id"], "properties": {"Id": {}}}

    def create(self, request: Any) -> Any:
        model = {**request.desired_state, "Id": self.make(request)}
        return ProgressEvent(OperationStatus.SUCCESS, resource_model=model)

    def update(self, request: Any) -> Any:
        return self.create(request)

    def delete(self, request: Any) -> Any:
        self.unmake(request)
        return ProgressEvent(OperationStatus.SUCCESS, resource_model={})

    def make(self, request: Any) -> str:
        """Makes it; what `Ref` gives."""
        raise NotImplementedError

    def unmake(self, request: Any) -> None:
        raise NotImplementedError


class RolePolicy(_Made):
    """An inline policy that stands outside its role."""

    TYPE = "AWS::IAM::RolePolicy"

    def make(self, request: Any) -> str:
        named = self._named(request)
        document = json.dumps(request.desired_state["PolicyDocument"])
        request.aws_client_factory.iam.put_role_policy(**named, PolicyDocument=document)
        return str(named["PolicyName"])

    def unmake(self, request: Any) -> None:
        request.aws_client_factory.iam.delete_role_policy(**self._named(request))

    @staticmethod
    def _named(request: Any) -> dict[str, Any]:
        return {key: request.desired_state[key] for key in ("RoleName", "PolicyName")}


class TaskDefinition(_Made):
    """A revision of an ECS task definition."""

    TYPE = "AWS::ECS::TaskDefinition"

    def make(self, request: Any) -> str:
        given = {**request.desired_state, "Family": _name(request, "Family")}
        made = request.aws_client_factory.ecs.register_task_definition(**as_api(given))
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def unmake(self, request: Any) -> None:
        ecs = request.aws_client_factory.ecs
        for arn in ecs.list_task_definitions(familyPrefix=_name(request, "Family"))["taskDefinitionArns"]:
            ecs.deregister_task_definition(taskDefinition=arn)


class JobDefinition(_Made):
    """A revision of a Batch job definition."""

    TYPE = "AWS::Batch::JobDefinition"

    def make(self, request: Any) -> str:
        given = {**request.desired_state, "JobDefinitionName": _name(request, "JobDefinitionName")}
        return str(request.aws_client_factory.batch.register_job_definition(**as_api(given))["jobDefinitionArn"])

    def unmake(self, request: Any) -> None:
        batch = request.aws_client_factory.batch
        name = _name(request, "JobDefinitionName")
        for each in batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]:
            batch.deregister_job_definition(jobDefinition=each["jobDefinitionArn"])


class RolePolicyPlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    """How the emulator finds it."""

    name = RolePolicy.TYPE

    def load(self) -> None:
        self.factory = RolePolicy


class TaskDefinitionPlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    """How the emulator finds it."""

    name = TaskDefinition.TYPE

    def load(self) -> None:
        self.factory = TaskDefinition


class JobDefinitionPlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    """How the emulator finds it."""

    name = JobDefinition.TYPE

    def load(self) -> None:
        self.factory = JobDefinition


def _name(request: Any, key: str) -> str:
    """The given name, or one that the stack's and the resource's make."""
    return str(request.desired_state.get(key) or f"{request.stack_name}-{request.logical_resource_id}")
