"""The AWS credentials of the commands that call AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_exec_role.offline.errors import NoAnswer

if TYPE_CHECKING:
    import boto3


def session(command: str, profile: str | None, region: str) -> boto3.session.Session:
    """A session with the user's credentials.

    Args:
        command: who needs it, for the message.
        profile: the profile's name; None for the default.
        region: the region; empty for the profile's or the environment's.

    Raises:
        NoAnswer: boto3 is not installed, or there are no credentials.
    """
    try:
        import boto3  # noqa: PLC0415 - an extra
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError:
        raise NoAnswer(f"{command} needs boto3; install it in the same environment: pip install boto3") from None
    try:
        found = boto3.session.Session(profile_name=profile, region_name=region or None)
        credentials = found.get_credentials()
    except BotoCoreError as error:
        raise NoAnswer(f"your AWS credentials cannot be used: {error}") from None
    if credentials is None:
        raise NoAnswer("there are no AWS credentials; configure them, or name a --profile")
    return found
