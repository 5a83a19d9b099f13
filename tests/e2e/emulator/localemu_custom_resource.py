"""Custom resources for LocalEmu, whose CloudFormation records them as created without calling anyone.

With this folder on the emulator's PYTHONPATH when it starts, it finds the plugin by the entry point beside this module.
A request goes to the function behind `ServiceToken`, and its answers are taken from the emulator's own S3, to which the
function is given a URL, as CloudFormation does it. The bucket keeps every version, so no answer hides another.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from custom_resources import Made, ProtocolError, ResourceFailed, read, texts  # type: ignore[import-not-found]
from localemu import config  # type: ignore[import-not-found]
from localemu.services.cloudformation.resource_provider import (  # type: ignore[import-not-found]
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)
from localemu.services.lambda_.networking import get_main_endpoint_from_container  # type: ignore[import-not-found]

# For the first answer, and for another one after it.
_PATIENCE = 300
_QUIET = 1.0
# What stands: (StackId, logical ID) -> the physical ID and the properties that were sent. The emulator keeps neither.
_standing: dict[tuple[str, str], tuple[str, Any]] = {}


class CustomResource(ResourceProvider):  # type: ignore[misc]
    """What the emulator calls for each resource of type `Custom::…`."""

    TYPE = "AWS::CloudFormation::CustomResource"
    SCHEMA = {"primaryIdentifier": ["/properties/Id"], "properties": {"Id": {}}}  # noqa: RUF012 (as the emulator has it)

    def create(self, request: Any) -> Any:
        try:
            made = _call(request, "Create", request.desired_state)
        except ResourceFailed as failed:
            # The rollback deletes what the function has named.
            return _failed(failed, _cleaned(request, failed.physical_id, request.desired_state))
        except ProtocolError as error:
            return _failed(error)
        return _stands(request, made)

    def update(self, request: Any) -> Any:
        physical_id, old = _standing[_key(request)]
        more = {"PhysicalResourceId": physical_id, "OldResourceProperties": texts(old)}
        try:
            made = _call(request, "Update", request.desired_state, more)
        except (ResourceFailed, ProtocolError) as error:
            return _failed(error)
        if made.physical_id != physical_id:
            # Another ID is another resource: the one before is deleted.
            problem = _cleaned(request, physical_id, old)
            if problem:
                return _failed(problem)
        return _stands(request, made)

    def delete(self, request: Any) -> Any:
        physical_id, properties = _standing.pop(_key(request), ("", None))
        problem = _cleaned(request, physical_id, properties) if physical_id else ""
        return _failed(problem) if problem else ProgressEvent(OperationStatus.SUCCESS, resource_model={})


class CustomResourcePlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    """How the emulator finds the above."""

    name = CustomResource.TYPE

    def __init__(self) -> None:
        self.factory = CustomResource

    def load(self) -> None:
        """There is nothing to load late."""


def _key(request: Any) -> tuple[str, str]:
    return request.stack_id, request.logical_resource_id


def _stands(request: Any, made: Made) -> Any:
    _standing[_key(request)] = made.physical_id, request.desired_state
    model = {**made.data, **request.desired_state, "Id": made.physical_id}
    return ProgressEvent(OperationStatus.SUCCESS, resource_model=model)


def _failed(*problems: object) -> Any:
    said = "; ".join(str(problem) for problem in problems if problem)
    return ProgressEvent(OperationStatus.FAILED, resource_model={}, message=said)


def _cleaned(request: Any, physical_id: str, properties: Any) -> str:
    """Deletes a resource; what went wrong with that."""
    try:
        _call(request, "Delete", properties, {"PhysicalResourceId": physical_id})
    except (ResourceFailed, ProtocolError) as error:
        return str(error)
    return ""


def _call(request: Any, kind: str, properties: Any, more: dict[str, Any] | None = None) -> Made:
    key = str(uuid.uuid4())
    bucket = f"custom-resource-{key}"
    place = f"{get_main_endpoint_from_container()}:{config.GATEWAY_LISTEN[0].port}"
    event = {
        "RequestType": kind,
        "ResponseURL": f"http://{place}/{bucket}/{key}",
        "StackId": request.stack_id,
        "RequestId": key,
        "LogicalResourceId": request.logical_resource_id,
        "ResourceType": request.resource_type,
        "ResourceProperties": texts(properties),
        **(more or {}),
    }
    clients = request.aws_client_factory
    clients.s3.create_bucket(Bucket=bucket)
    clients.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    try:
        clients.lambda_.invoke(
            FunctionName=properties["ServiceToken"], InvocationType="Event", Payload=json.dumps(event)
        )
        return read(event, _answers(clients.s3, bucket, key))
    finally:
        for version in _versions(clients.s3, bucket):
            clients.s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
        clients.s3.delete_bucket(Bucket=bucket)


def _answers(s3: Any, bucket: str, key: str) -> list[bytes]:
    """Every answer, the oldest first: those that come within a second of the first, which function and timer would."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if _versions(s3, bucket):
            time.sleep(_QUIET)
            break
        time.sleep(0.2)
    return [
        s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
        for version in reversed(_versions(s3, bucket))
    ]


def _versions(s3: Any, bucket: str) -> list[str]:
    """The newest first."""
    return [str(each["VersionId"]) for each in s3.list_object_versions(Bucket=bucket).get("Versions", [])]
