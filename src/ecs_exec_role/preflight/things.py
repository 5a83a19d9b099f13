"""What a need is about, as something that one AWS API can be asked for.

Several needs may be about one thing; it is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ecs_exec_role.preflight.arns import Arn, Image, fill, is_pattern, parse_arn, parse_image
from ecs_exec_role.preflight.needs import Need

# AWS owns the repositories of its GuardDuty agent and lets every account pull from them; none can describe them.
# https://docs.aws.amazon.com/guardduty/latest/ug/ecs-runtime-agent-ecr-image-uri.html
_GUARDDUTY = "aws-guardduty-agent-fargate"
# A parameter of this name is a secret seen through Parameter Store.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html
_REFERENCE = "/aws/reference/secretsmanager/"
# AWS publishes these in every region; they belong to no account.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
_PUBLIC_PARAMETERS = ("/aws/service/", "/aws/ami-")


class What(StrEnum):
    """What kind of thing it is, in the words of a message."""

    IMAGE = "image"
    REPOSITORY = "repository"
    RULE = "pull-through cache rule"
    SECRET = "secret"  # noqa: S105 (a word, no password)
    PARAMETER = "parameter"
    OBJECT = "object"
    BUCKET = "bucket"
    LOG_GROUP = "log group"
    KEY = "key"


class Here(NamedTuple):
    """Where the check runs, and for whom: the role's partition and account, the region of the stack."""

    partition: str
    account: str
    region: str


@dataclass(frozen=True, order=True, slots=True)
class Thing:
    """One thing that must exist. `name` is what its API is asked for, `detail` what else has to fit.

    That is an image's `:tag` or `@digest`, an object's key, a secret's `stage:version`.
    """

    what: What
    region: str
    account: str
    name: str
    detail: str = ""

    def __str__(self) -> str:
        if self.what is What.IMAGE:
            return f"image {self.name}{self.detail} in registry {self.account}, {self.region}"
        if self.what is What.RULE:
            return f"pull-through cache rule for {self.name} in registry {self.account}, {self.region}"
        if self.what is What.OBJECT:
            return f"object s3://{self.name}/{self.detail}"
        if self.what is What.BUCKET:
            return f"bucket {self.name}"
        if self.what is What.REPOSITORY:
            return f"repository {self.name} in registry {self.account}, {self.region}"
        where = "" if self.name.startswith("arn:") else f" in {self.region}"
        return f"{self.what} {self.name}{where}"


def things_of(needs: Sequence[Need], here: Here) -> list[Thing | None]:
    """The things behind the needs, one for each; None where there is no need to look.

    That is so for what a task itself brings about (a log group that it creates, an image that a pull-through cache will
    fetch), and for a bucket that is seen with its object.
    """
    things = [thing_of(need, here) for need in needs]
    skipped: set[Thing | None] = set()
    for need in needs:
        arn = parse_arn(need.resources[0])
        if need.kind == "NewLogGroup" and arn:
            skipped.add(_log_group(arn, here))
    for thing in things:
        if thing and thing.what is What.RULE:
            skipped |= {t for t in things if t and t.what is not What.RULE and _same_repository(t, thing)}
        if thing and thing.what is What.OBJECT:
            skipped.add(Thing(What.BUCKET, thing.region, thing.account, thing.name))
    return [None if thing in skipped else thing for thing in things]


def _same_repository(one: Thing, other: Thing) -> bool:
    return (one.region, one.account, one.name) == (other.region, other.account, other.name)


def thing_of(need: Need, here: Here) -> Thing | None:
    """The thing behind a need, or None where there is nothing to look at, or no API that says without reading it."""
    arn = parse_arn(need.resources[0])
    if arn is None:
        return None
    if arn.service == "ecr":
        return _image(need, arn, here)
    if arn.service == "secretsmanager":
        return secret_thing(need.target, need.resources, here)
    if arn.service == "ssm":
        return _parameter(need, arn, here)
    if arn.service == "s3":
        return _object(need, arn, here)
    if arn.service == "logs" and need.kind != "NewLogGroup":
        return _log_group(arn, here)
    if arn.service == "kms":
        return _key(need, arn, here)
    return None


def _image(need: Need, arn: Arn, here: Here) -> Thing | None:
    image = parse_image(need.target)
    if image is None:
        name = arn.resource.removeprefix("repository/")
        image = Image(arn.account or here.account, arn.region or here.region, name, "", "")
    if image.name == _GUARDDUTY:
        return None
    if need.kind == "PullThroughImage":
        return Thing(What.RULE, image.region, image.account, image.name)
    if image.digest:
        return Thing(What.IMAGE, image.region, image.account, image.name, f"@{image.digest}")
    # `Images` in the spec names repositories; what a container runs without a tag is `latest`.
    if image.tag or (need.path.endswith("/Image") and parse_image(need.target)):
        return Thing(What.IMAGE, image.region, image.account, image.name, f":{image.tag or 'latest'}")
    if is_pattern(image.name):
        return None
    return Thing(What.REPOSITORY, image.region, image.account, image.name)


def secret_thing(target: str, resources: tuple[str, ...], here: Here) -> Thing:
    """The secret that `target` names, asked for as ECS will ask: by the ARN as written, or by name in this account.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    written = target[target.find("arn:") :] if "arn:" in target else target
    parts = written.split(":")
    if parse_arn(written) and len(parts) >= 7 and parts[2] == "secretsmanager":
        detail = ":".join(parts[8:10]) if len(parts) > 8 else ""
        return Thing(What.SECRET, parts[3], parts[4], ":".join(parts[:7]), detail.strip(":") and detail)
    arn = parse_arn(resources[0])
    region, account = (arn.region or here.region, arn.account or here.account) if arn else (here.region, here.account)
    if written and "/aws/reference/" not in written and not parse_arn(written):
        return Thing(What.SECRET, region, account, written)
    # A partial ARN is what the API itself takes for a secret whose random suffix is not known.
    name = resources[0].removesuffix("-??????")
    return Thing(What.SECRET, region, account, name)


def key_thing(target: str, region: str, here: Here) -> Thing:
    """The key that `target` names: its ARN or ID, or an alias's name or ARN."""
    arn = parse_arn(target)
    if arn is None:
        return Thing(What.KEY, region, here.account, target)
    return Thing(What.KEY, arn.region or region, arn.account or here.account, target)


def arn_of(thing: Thing, here: Here) -> str | None:
    """The ARN of a thing whose name is all that it takes; of the others only their API knows it."""
    if thing.what in (What.IMAGE, What.REPOSITORY, What.RULE):
        return f"arn:{here.partition}:ecr:{thing.region}:{thing.account}:repository/{thing.name}"
    if thing.what is What.OBJECT:
        return f"arn:{here.partition}:s3:::{thing.name}/{thing.detail}"
    return None


def _key(need: Need, arn: Arn, here: Here) -> Thing:
    if not is_pattern(need.resources[0]):
        return key_thing(need.resources[0], here.region, here)
    # By its alias, whose account and region the statement's resource has.
    target = need.target
    if target.startswith("alias/") and arn.account != here.account:
        target = f"arn:{arn.partition}:kms:{arn.region}:{arn.account}:{target}"
    return key_thing(target, arn.region or here.region, here)


def _parameter(need: Need, arn: Arn, here: Here) -> Thing | None:
    written = parse_arn(need.target[max(0, need.target.find("arn:")) :])
    name = (
        written.resource.removeprefix("parameter") if written else need.target or arn.resource.removeprefix("parameter")
    )
    # A label or version may follow the name, which itself holds no colon.
    name = name.partition(":")[0]
    if name.startswith(_REFERENCE):
        return Thing(What.SECRET, arn.region or here.region, here.account, name.removeprefix(_REFERENCE))
    if name.startswith(_PUBLIC_PARAMETERS) or is_pattern(name):
        return None
    return Thing(What.PARAMETER, arn.region or here.region, arn.account or here.account, name)


def _object(need: Need, arn: Arn, here: Here) -> Thing | None:
    owner = need.context.get("aws:ResourceAccount", (here.account,))[0]
    written = re.search(r"arn:[a-z0-9-]+:s3:::([^/]+)/(.+)", need.target)
    if written and "/" in arn.resource:
        return Thing(What.OBJECT, here.region, owner, written[1], written[2])
    bucket, _, key = fill(arn.resource).partition("/")
    if is_pattern(arn.resource):
        return None
    return Thing(What.OBJECT if key else What.BUCKET, here.region, owner, bucket, key)


def _log_group(arn: Arn, here: Here) -> Thing | None:
    name = arn.resource.removeprefix("log-group:").split(":")[0]
    if is_pattern(name):
        return None
    return Thing(What.LOG_GROUP, arn.region or here.region, arn.account or here.account, name)
