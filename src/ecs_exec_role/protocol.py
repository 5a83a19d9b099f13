"""What CloudFormation sends to a macro's function, and what the function answers.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.pipeline import Expansion, expand
from ecs_exec_role.settings import NO_SETTINGS, Settings
from ecs_exec_role.template.symbols import Json


def respond(event: Mapping[str, Any], settings: Settings = NO_SETTINGS) -> dict[str, Json]:
    """The macro's answer to CloudFormation: the expanded fragment, or why there is none."""
    try:
        return success(event, expand(event, settings))
    except TemplateError as error:
        return failure(event, str(error))


def success(event: Mapping[str, Any], expansion: Expansion) -> dict[str, Json]:
    """The answer with the expanded template."""
    return {"requestId": _request_id(event), "status": "success", "fragment": expansion.fragment}


def failure(event: Mapping[str, Any], message: str) -> dict[str, Json]:
    """The answer that makes CloudFormation show `message` to the user."""
    return {"requestId": _request_id(event), "status": "failure", "errorMessage": message}


def _request_id(event: object) -> str | None:
    """The request's ID, in characters that an answer can contain."""
    request_id = event.get("requestId") if isinstance(event, Mapping) else None
    return request_id.encode(errors="replace").decode() if isinstance(request_id, str) else None
