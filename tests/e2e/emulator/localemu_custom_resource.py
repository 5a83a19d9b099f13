"""Custom resources for LocalEmu, whose CloudFormation records them as created without calling anyone.

With this folder on the emulator's PYTHONPATH when it starts, it finds the plugin by the entry point beside this module.
A request goes to the function behind `ServiceToken`, and its answer is taken from the emulator's own S3, to which the
function is given a URL, as CloudFormation does it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from localemu import config  # type: ignore[import-not-found]
from localemu.services.cloudformation.resource_provider import (  # type: ignore[import-not-found]
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)
from localemu.services.lambda_.networking import get_main_endpoint_from_container  # type: ignore[import-not-found]

_SECONDS = 300


class CustomResource(ResourceProvider):  # type: ignore[misc]
    """What the emulator calls for each resource of type `Custom::…`."""

    TYPE = "AWS::CloudFormation::CustomResource"
    SCHEMA = {"primaryIdentifier": ["/properties/Id"], "properties": {"Id": {}}}  # noqa: RUF012 (as the emulator has it)

    def create(self, request: Any) -> Any:
        return _call(request, "Create", {})

    def update(self, request: Any) -> Any:
        old = {"PhysicalResourceId": _id(request), "OldResourceProperties": _texts(request.previous_state or {})}
        return _call(request, "Update", old)

    def delete(self, request: Any) -> Any:
        return _call(request, "Delete", {"PhysicalResourceId": _id(request)})


class CustomResourcePlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    """How the emulator finds the above."""

    name = CustomResource.TYPE

    def __init__(self) -> None:
        self.factory = CustomResource

    def load(self) -> None:
        """There is nothing to load late."""


def _call(request: Any, kind: str, more: dict[str, Any]) -> Any:
    key = str(uuid.uuid4())
    bucket = f"custom-resource-{key}"
    place = f"{get_main_endpoint_from_container()}:{config.GATEWAY_LISTEN[0].port}"
    stack = f"stack/{request.stack_name}/{uuid.uuid5(uuid.NAMESPACE_URL, request.stack_name)}"
    event = {
        "RequestType": kind,
        "ResponseURL": f"http://{place}/{bucket}/{key}",
        "StackId": f"arn:aws:cloudformation:{request.region_name}:{request.account_id}:{stack}",
        "RequestId": key,
        "LogicalResourceId": request.logical_resource_id,
        "ResourceType": request.resource_type,
        "ResourceProperties": _texts(request.desired_state),
        **more,
    }
    clients = request.aws_client_factory
    token = request.desired_state["ServiceToken"]
    clients.s3.create_bucket(Bucket=bucket)
    try:
        clients.lambda_.invoke(FunctionName=token, InvocationType="Event", Payload=json.dumps(event))
        answer = _answer(clients.s3, bucket, key)
    finally:
        clients.s3.delete_object(Bucket=bucket, Key=key)
        clients.s3.delete_bucket(Bucket=bucket)
    if answer["Status"] != "SUCCESS":
        said = f"Received response status [FAILED] from custom resource. Message returned: {answer['Reason']}"
        return ProgressEvent(OperationStatus.FAILED, resource_model={}, message=said)
    model = {**answer.get("Data", {}), **request.desired_state, "Id": answer["PhysicalResourceId"]}
    return ProgressEvent(OperationStatus.SUCCESS, resource_model=model)


def _answer(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        try:
            answer: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except s3.exceptions.NoSuchKey:
            time.sleep(0.2)
        else:
            return answer
    return {"Status": "FAILED", "Reason": "CloudFormation did not receive a response from your Custom Resource"}


def _id(request: Any) -> str:
    # The emulator does not keep the ID that it was given; the preflight's can be told from the names.
    return f"preflight-{request.stack_name}-{request.logical_resource_id}"


def _texts(value: Any) -> Any:
    """CloudFormation sends numbers and truth values as text."""
    if isinstance(value, dict):
        return {key: _texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
