"""Resources that MiniStack's CloudFormation does not make, or makes without what the tests look at.

- Custom resources are held to CloudFormation's protocol (see custom_resources.py), and a create that fails is followed
  by a delete.
- `AWS::IAM::RolePolicy` and `AWS::Batch::JobDefinition` are made; `AWS::ECR::PullThroughCacheRule` is only recorded.
- A role has its permissions boundary. Secrets and parameters have the IDs that AWS gives them. A service takes its
  numbers as text. An image that does not exist is an error.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable
from typing import Any

from api_names import as_api
from custom_resources import ATTEMPTS, ResourceFailed, read, texts
from ministack import app
from ministack.core.responses import error_response_json, new_uuid
from ministack.services import batch, ecr, iam, lambda_svc, secretsmanager
from ministack.services.cloudformation import custom_resource, provisioners
from ministack_patch import OK, replace

Made = tuple[str, dict[str, Any]]
Properties = dict[str, Any]

# Custom resources: by token, every body that was put to the ResponseURL.
_answers: dict[str, list[bytes]] = {}
_RESPONSES = "/_ministack/cfn-response/"
_own_shortcuts = app._handle_post_body_shortcuts


async def _shortcuts(method: str, path: str, headers: Any, body: bytes, query: Any, request_id: str) -> Any:
    answers = _answers.get(path.removeprefix(_RESPONSES)) if method == "PUT" and path.startswith(_RESPONSES) else None
    if answers is None:
        return await _own_shortcuts(method, path, headers, body, query, request_id)
    answers.append(body or b"")
    return OK, {}, b""


def _invoke_custom_resource(
    request_type: str,
    logical_id: str,
    properties: Properties,
    stack_name: str,
    stack_id: str,
    resource_type: str,
    physical_id: str | None = None,
    old_props: Properties | None = None,
) -> Made:
    """Calls the function as Lambda does it for CloudFormation, until it ends well, and reads what was answered."""
    record, configuration, _ = lambda_svc._get_func_record_for_ref(properties.get("ServiceToken", ""))
    if record is None:
        raise ValueError(f"Custom resource {logical_id}: no function {properties.get('ServiceToken')}")
    token = new_uuid()
    event = {
        "RequestType": request_type,
        "RequestId": new_uuid(),
        "StackId": stack_id,
        "ResponseURL": custom_resource._response_url(token),
        "ResourceType": resource_type,
        "LogicalResourceId": logical_id,
        "ResourceProperties": texts(properties),
    }
    if physical_id is not None:
        event["PhysicalResourceId"] = physical_id
    if old_props is not None:
        event["OldResourceProperties"] = texts(old_props)
    _answers[token] = []
    try:
        for _attempt in range(ATTEMPTS):
            runnable = lambda_svc._execution_record_for_config(record, configuration)
            if not lambda_svc._execute_function_with_config_scope(runnable, event).get("error"):
                break
        # Nothing is put after the function's end, so these are all.
        made = read(event, _answers.pop(token))
    except ResourceFailed as failed:
        if request_type == "Create":
            # The rollback deletes what the function has named.
            rest = (properties, stack_name, stack_id, resource_type, failed.physical_id)
            _invoke_custom_resource("Delete", logical_id, *rest)
        raise
    return made.physical_id, dict(made.data)


# Roles


def _with_boundary(made: Made, properties: Properties) -> Made:
    role = iam._roles[made[0]]
    role.pop("PermissionsBoundary", None)
    if "PermissionsBoundary" in properties:
        role["PermissionsBoundary"] = properties["PermissionsBoundary"]
    return made


def _bounded(handler: dict[str, Any]) -> dict[str, Any]:
    create, update = handler["create"], handler["update"]
    return {
        **handler,
        "create": lambda logical_id, new, stack: _with_boundary(create(logical_id, new, stack), new),
        "update": lambda physical_id, old, new, *rest: _with_boundary(update(physical_id, old, new, *rest), new),
    }


def _role_policy_create(_logical_id: str, properties: Properties, _stack: str) -> Made:
    role, name = iam._roles[properties["RoleName"]], properties["PolicyName"]
    role["InlinePolicies"][name] = json.dumps(properties["PolicyDocument"])
    return f"{properties['PolicyName']}|{properties['RoleName']}", {}


def _role_policy_delete(_physical_id: str, properties: Properties) -> None:
    role = iam._roles.get(properties["RoleName"])
    if role:
        role["InlinePolicies"].pop(properties["PolicyName"], None)


def _role_policy_update(_physical_id: str, old: Properties, new: Properties, stack: str, *_: object) -> Made:
    _role_policy_delete("", old)
    return _role_policy_create("", new, stack)


# Secrets and parameters: `Ref` of a secret is its ARN, which ends in six letters of either case, and a parameter that
# has no name is given one without a slash.


def _suffix() -> str:
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(4)) + secrets.choice(string.ascii_uppercase) + "0"


def _secret_id() -> str:
    return _suffix() + str(_own_id())[6:]


_own_id = secretsmanager.new_uuid


def _secret_name(arn: str) -> str:
    name, _ = secretsmanager._resolve(arn)
    return str(name or arn)


def _secret_made(made: Made) -> Made:
    name, attributes = made
    secret = secretsmanager._secrets[name]
    if not secret["ARN"].endswith("0"):
        secret["ARN"] = secret["ARN"][:-6] + _suffix()
    return secret["ARN"], {**attributes, "Id": secret["ARN"], "Arn": secret["ARN"]}


def _by_arn(handler: dict[str, Any]) -> dict[str, Any]:
    create, update, delete = handler["create"], handler["update"], handler["delete"]
    return {
        **handler,
        "create": lambda logical_id, new, stack: _secret_made(create(logical_id, new, stack)),
        "update": lambda arn, old, new, *rest: _secret_made(update(_secret_name(arn), old, new, *rest)),
        "delete": lambda arn, properties: delete(_secret_name(arn), properties),
    }


def _named(handler: dict[str, Any]) -> dict[str, Any]:
    create, update = handler["create"], handler["update"]

    def named(properties: Properties, name: str) -> Properties:
        return {"Name": name, **properties}

    return {
        **handler,
        "create": lambda logical_id, new, stack: create(
            logical_id, named(new, f"CFN-{logical_id}-{_suffix()}{_suffix()}"), stack
        ),
        "update": lambda name, old, new, *rest: update(name, named(old, name), named(new, name), *rest),
    }


# Definitions and services


def _job_definition_create(logical_id: str, properties: Properties, stack: str) -> Made:
    given = {"JobDefinitionName": f"{stack}-{logical_id}", **properties}
    made = json.loads(batch._register_job_definition(as_api(given))[2])
    return made["jobDefinitionArn"], {}


def _job_definition_delete(physical_id: str, _properties: Properties) -> None:
    for revisions in batch._job_definitions.values():
        revisions[:] = [each for each in revisions if each["jobDefinitionArn"] != physical_id]


def _counted(operation: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        numbers = [
            {**each, "DesiredCount": int(each["DesiredCount"])}
            if isinstance(each, dict) and "DesiredCount" in each
            else each
            for each in arguments
        ]
        return operation(*numbers)

    return call


_own_describe_images = ecr._describe_images


def _describe_images(data: dict[str, Any]) -> Any:
    name, required = data.get("repositoryName", ""), data.get("imageIds") or []
    if name in ecr._repositories:
        for image in required:
            if not ecr._find_image(name, image):
                return error_response_json("ImageNotFoundException", f"No image {image} in repository {name}", 400)
    return _own_describe_images(data)


def install() -> None:
    replace(custom_resource, "invoke_custom_resource", _invoke_custom_resource)
    replace(app, "_handle_post_body_shortcuts", _shortcuts)
    replace(ecr, "_describe_images", _describe_images)
    types = provisioners._RESOURCE_HANDLERS
    types["AWS::IAM::Role"] = _bounded(types["AWS::IAM::Role"])
    types["AWS::IAM::RolePolicy"] = {
        "create": _role_policy_create,
        "update": _role_policy_update,
        "delete": _role_policy_delete,
    }
    types["AWS::Batch::JobDefinition"] = {"create": _job_definition_create, "delete": _job_definition_delete}
    types["AWS::ECR::PullThroughCacheRule"] = {
        "create": lambda _logical_id, properties, _stack: (properties["EcrRepositoryPrefix"], {}),
        "delete": lambda *_: None,
    }
    replace(secretsmanager, "new_uuid", _secret_id)
    types["AWS::SecretsManager::Secret"] = _by_arn(types["AWS::SecretsManager::Secret"])
    types["AWS::SSM::Parameter"] = _named(types["AWS::SSM::Parameter"])
    service = types["AWS::ECS::Service"]
    types["AWS::ECS::Service"] = {**service, **{name: _counted(service[name]) for name in ("create", "update")}}
