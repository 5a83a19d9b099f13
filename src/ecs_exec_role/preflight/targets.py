"""The target of a need: what must exist, in the form for one AWS API.

Several needs can have the same target, which is looked up once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.preflight.arns import Arn, Image, fill, is_pattern, parse_arn, parse_image
from ecs_exec_role.preflight.needs import CheckedNeed

# AWS owns the repositories of its GuardDuty agent. Every account can pull from them, and none can describe them.
# https://docs.aws.amazon.com/guardduty/latest/ug/ecs-runtime-agent-ecr-image-uri.html
_GUARDDUTY = "aws-guardduty-agent-fargate"
# A parameter with such a name refers to a secret.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html
_REFERENCE = "/aws/reference/secretsmanager/"
# AWS's public parameters exist in every region and belong to no account.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
_PUBLIC_PARAMETERS = ("/aws/service/", "/aws/ami-")


class TargetKind(StrEnum):
    """The kind of a target, as it is named in messages."""

    IMAGE = "image"
    REPOSITORY = "repository"
    RULE = "pull-through cache rule"
    SECRET = "secret"  # noqa: S105 (a word, not a password)
    PARAMETER = "parameter"
    OBJECT = "object"
    BUCKET = "bucket"
    LOG_GROUP = "log group"
    KEY = "key"


class Scope(NamedTuple):
    """The scope of the check: the role's partition and account, and the region of the stack."""

    partition: str
    account: str
    region: str


@dataclass(frozen=True, order=True, slots=True)
class Target:
    """One resource that must exist. The API gets `name`; `detail` must match too.

    `detail` is an image's `:tag` or `@digest`, an object's key, or a secret's `stage:version`.
    """

    kind: TargetKind
    region: str
    account: str
    name: str
    detail: str = ""
    label: str = field(default="", compare=False)
    """What messages show instead of its name, if the template must not show the name."""

    def __str__(self) -> str:
        if self.label:
            return self.label
        if self.kind is TargetKind.IMAGE:
            return f"image {self.name}{self.detail} in registry {self.account}, {self.region}"
        if self.kind is TargetKind.RULE:
            return f"pull-through cache rule for {self.name} in registry {self.account}, {self.region}"
        if self.kind is TargetKind.OBJECT:
            return f"object s3://{self.name}/{self.detail}"
        if self.kind is TargetKind.BUCKET:
            return f"bucket {self.name}"
        if self.kind is TargetKind.REPOSITORY:
            return f"repository {self.name} in registry {self.account}, {self.region}"
        where = "" if self.name.startswith("arn:") else f" in {self.region}"
        return f"{self.kind} {self.name}{where}"


def targets_of(needs: Sequence[CheckedNeed], scope: Scope) -> list[Target | None]:
    """The targets of the needs, one for each; None if nothing has to be checked.

    Nothing has to be checked for what the task itself creates (a log group, an image that a pull-through cache
    fetches), and for a bucket, which is checked with its object.
    """
    targets = [target_of(need, scope) for need in needs]
    skipped: set[Target | None] = set()
    for need in needs:
        arn = parse_arn(need.resources[0])
        if need.kind == "NewLogGroup" and arn:
            skipped.add(_log_group(arn, scope))
    cached = {_repository(target) for target in targets if target and target.kind is TargetKind.RULE}
    for target in targets:
        if target and target.kind in (TargetKind.IMAGE, TargetKind.REPOSITORY) and _repository(target) in cached:
            skipped.add(target)
        if target and target.kind is TargetKind.OBJECT:
            skipped.add(Target(TargetKind.BUCKET, target.region, target.account, target.name))
    return [None if target in skipped else target for target in targets]


def _repository(target: Target) -> tuple[str, str, str]:
    return (target.region, target.account, target.name)


def target_of(need: CheckedNeed, scope: Scope) -> Target | None:
    """The target of a need, or None if there is none, or no API that describes it without reading it."""
    arn = parse_arn(need.resources[0])
    if arn is None:
        return None
    if arn.service == "ecr":
        return _image(need, arn, scope)
    if arn.service == "secretsmanager":
        return secret_target(need.target, need.resources, scope)
    if arn.service == "ssm":
        return _parameter(need, arn, scope)
    if arn.service == "s3":
        return _object(need, arn, scope)
    if arn.service == "logs" and need.kind != "NewLogGroup":
        return _log_group(arn, scope)
    if arn.service == "kms":
        return _key(need, arn, scope)
    return None


def _image(need: CheckedNeed, arn: Arn, scope: Scope) -> Target | None:
    image = parse_image(need.target)
    if image is None:
        name = arn.resource.removeprefix("repository/")
        image = Image(arn.account or scope.account, arn.region or scope.region, name, "", "")
    if image.name == _GUARDDUTY:
        return None
    if need.kind == "PullThroughImage":
        return Target(TargetKind.RULE, image.region, image.account, image.name)
    if image.digest:
        return Target(TargetKind.IMAGE, image.region, image.account, image.name, f"@{image.digest}")
    # `Images` in the spec names repositories; a container's image without a tag is `latest`.
    if image.tag or (need.path.endswith("/Image") and parse_image(need.target)):
        return Target(TargetKind.IMAGE, image.region, image.account, image.name, f":{image.tag or 'latest'}")
    if is_pattern(image.name):
        return None
    return Target(TargetKind.REPOSITORY, image.region, image.account, image.name)


def secret_target(target: str, resources: tuple[str, ...], scope: Scope) -> Target:
    """The secret that `target` names, in the form that ECS uses: by the ARN as written, or by name in this account.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    written = target[target.find("arn:") :] if "arn:" in target else target
    parts = written.split(":")
    if parse_arn(written) and len(parts) >= 7 and parts[2] == "secretsmanager":
        detail = ":".join(parts[8:10]) if len(parts) > 8 else ""
        return Target(TargetKind.SECRET, parts[3], parts[4], ":".join(parts[:7]), detail.strip(":") and detail)
    arn = parse_arn(resources[0])
    region = (arn.region if arn else "") or scope.region
    account = (arn.account if arn else "") or scope.account
    if written and "/aws/reference/" not in written and not parse_arn(written):
        return Target(TargetKind.SECRET, region, account, written)
    # The API accepts a partial ARN for a secret whose random suffix is not known.
    name = resources[0].removesuffix("-??????")
    return Target(TargetKind.SECRET, region, account, name)


def key_target(target: str, region: str, scope: Scope, label: str = "") -> Target:
    """The key that `target` names: its ARN or ID, or an alias's name or ARN."""
    arn = parse_arn(target)
    if arn is None:
        return Target(TargetKind.KEY, region, scope.account, target, label=label)
    return Target(TargetKind.KEY, arn.region or region, arn.account or scope.account, target, label=label)


def arn_of(target: Target, scope: Scope) -> str | None:
    """The ARN of a target, if its name is enough for that; only the API knows the ARNs of the others."""
    if target.kind in (TargetKind.IMAGE, TargetKind.REPOSITORY, TargetKind.RULE):
        return f"arn:{scope.partition}:ecr:{target.region}:{target.account}:repository/{target.name}"
    if target.kind is TargetKind.OBJECT:
        return f"arn:{scope.partition}:s3:::{target.name}/{target.detail}"
    return None


def _key(need: CheckedNeed, arn: Arn, scope: Scope) -> Target:
    if not is_pattern(need.resources[0]):
        return key_target(need.resources[0], scope.region, scope)
    # By its alias, in the account and region of the statement's resource.
    target = need.target
    if target.startswith("alias/") and arn.account != scope.account:
        target = f"arn:{arn.partition}:kms:{arn.region}:{arn.account}:{target}"
    return key_target(target, arn.region or scope.region, scope)


def _parameter(need: CheckedNeed, arn: Arn, scope: Scope) -> Target | None:
    written = parse_arn(need.target[max(0, need.target.find("arn:")) :])
    name = (
        written.resource.removeprefix("parameter") if written else need.target or arn.resource.removeprefix("parameter")
    )
    # A label or version can follow the name, which contains no colon.
    name = name.partition(":")[0]
    if name.startswith(_REFERENCE):
        return Target(TargetKind.SECRET, arn.region or scope.region, scope.account, name.removeprefix(_REFERENCE))
    if name.startswith(_PUBLIC_PARAMETERS) or is_pattern(name):
        return None
    return Target(TargetKind.PARAMETER, arn.region or scope.region, arn.account or scope.account, name)


def _object(need: CheckedNeed, arn: Arn, scope: Scope) -> Target | None:
    owner = need.context.get("aws:ResourceAccount", (scope.account,))[0]
    written = re.search(r"arn:[a-z0-9-]+:s3:::([^/:]+)/(.+)", need.target)
    if written and "/" in arn.resource:
        return Target(TargetKind.OBJECT, scope.region, owner, written[1], written[2])
    bucket, _, key = fill(arn.resource).partition("/")
    if is_pattern(arn.resource):
        return None
    return Target(TargetKind.OBJECT if key else TargetKind.BUCKET, scope.region, owner, bucket, key)


def _log_group(arn: Arn, scope: Scope) -> Target | None:
    name = arn.resource.removeprefix("log-group:").split(":")[0]
    if is_pattern(name):
        return None
    return Target(TargetKind.LOG_GROUP, arn.region or scope.region, arn.account or scope.account, name)
