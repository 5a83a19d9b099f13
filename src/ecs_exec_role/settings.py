"""What the macro's owner has set for every template, as opposed to what a template says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ecs_exec_role.values import Json

DESK_PREFLIGHT: Json = {
    "Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:ecs-exec-role-preflight"
}
"""The function that checks roles, by the name under which `template.yaml` deploys it: for use away from the macro."""


class Settings(NamedTuple):
    """`preflight_function` is the ARN of the function behind `Preflight`, or None where none is deployed."""

    preflight_function: Json = None


NO_SETTINGS = Settings()


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings that the macro's function was deployed with, from its environment variables."""
    return Settings(preflight_function=environment.get("PREFLIGHT_FUNCTION_ARN") or None)
