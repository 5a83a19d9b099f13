"""Images in ECR, their repositories, and the pull-through cache rules that fetch them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ecs_exec_role.preflight.aws import Aws, CallError
from ecs_exec_role.preflight.probes.observation import (
    SOUND,
    Observation,
    Observations,
    Probe,
    absent,
    hidden,
    not_checked,
)
from ecs_exec_role.preflight.report import Status, Verdict
from ecs_exec_role.preflight.targets import Scope, Target, TargetKind

_MOST_IMAGES = 100
_MOST_REPOSITORIES = 100
_PULL = '["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]'


def _images(aws: Aws, scope: Scope, targets: Sequence[Target]) -> Observations:
    """Whether a repository has images of these tags and digests.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    """
    seen: dict[Target, Observation] = {}
    for start in range(0, len(targets), _MOST_IMAGES):
        seen |= _some_images(aws, scope, targets[start : start + _MOST_IMAGES])
    return seen


def _some_images(aws: Aws, scope: Scope, targets: Sequence[Target]) -> Observations:
    first = targets[0]
    ids = [
        {"imageDigest": target.detail[1:]} if target.detail.startswith("@") else {"imageTag": target.detail[1:]}
        for target in targets
    ]
    try:
        aws.call(
            "ecr", first.region, "DescribeImages",
            registryId=first.account, repositoryName=first.name, imageIds=ids,
        ).some("imageDetails")  # fmt: skip
    except CallError as error:
        if error.code == "ImageNotFoundException":
            if len(targets) == 1:
                return {first: absent(first, "push it before the stack, or correct the tag or digest")}
            # The answer is for all of them together; single calls show which one it is about.
            return {target: seen for one in targets for target, seen in _some_images(aws, scope, [one]).items()}
        if error.code == "RepositoryNotFoundException":
            return dict.fromkeys(targets, _no_repository(aws, scope, first))
        return {target: not_checked(error, target, scope) for target in targets}
    return dict.fromkeys(targets, SOUND)


def _repositories(aws: Aws, scope: Scope, targets: Sequence[Target]) -> Observations:
    """Whether repositories exist.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html
    """
    seen: dict[Target, Observation] = {}
    for start in range(0, len(targets), _MOST_REPOSITORIES):
        seen |= _some_repositories(aws, scope, targets[start : start + _MOST_REPOSITORIES])
    return seen


def _some_repositories(aws: Aws, scope: Scope, targets: Sequence[Target]) -> Observations:
    first = targets[0]
    names = [target.name for target in targets]
    try:
        aws.call(
            "ecr", first.region, "DescribeRepositories",
            registryId=first.account, repositoryNames=names,
        ).some("repositories")  # fmt: skip
    except CallError as error:
        if error.code != "RepositoryNotFoundException":
            return {target: not_checked(error, target, scope) for target in targets}
        if len(targets) == 1:
            return {first: _no_repository(aws, scope, first)}
        return {target: seen for one in targets for target, seen in _some_repositories(aws, scope, [one]).items()}
    return dict.fromkeys(targets, SOUND)


def _no_repository(aws: Aws, scope: Scope, target: Target) -> Observation:
    if target.account != scope.account:
        return hidden(target)
    repository = Target(TargetKind.REPOSITORY, target.region, target.account, target.name)
    try:
        cached = any(_under(target.name, prefix) for prefix in _prefixes(aws, target))
    except CallError:
        # The rules only decide which remedy is better.
        cached = False
    if not cached:
        return absent(repository)
    written = f"{{Repository: {target.name}, PullThroughCache: true}}"
    fix = f"write {written} in Images, since a pull-through cache rule of the registry fetches it"
    what = f"does not exist: {repository}, and is not marked as a pull-through cache"
    return Observation(Verdict(Status.ABSENT, what, fix))


def _rules(aws: Aws, scope: Scope, targets: Sequence[Target]) -> Observations:
    try:
        prefixes = _prefixes(aws, targets[0])
    except CallError as error:
        return {target: not_checked(error, target, scope) for target in targets}
    return {
        target: SOUND if any(_under(target.name, prefix) for prefix in prefixes) else absent(target, "create the rule")
        for target in targets
    }


def _prefixes(aws: Aws, target: Target) -> set[str]:
    """The prefixes of a registry's pull-through cache rules.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribePullThroughCacheRules.html
    """
    pages = aws.pages(
        "ecr", target.region, "DescribePullThroughCacheRules", next_page="nextToken", registryId=target.account
    )
    return {rule.text("ecrRepositoryPrefix") for page in pages for rule in page.replies("pullThroughCacheRules")}


def _under(name: str, prefix: str) -> bool:
    return prefix == "ROOT" or name.startswith(f"{prefix}/")


def _of_repository(target: Target) -> Hashable:
    return (target.region, target.account, target.name)


def _of_registry(target: Target) -> Hashable:
    return (target.region, target.account)


def _importing(target: Target, scope: Scope) -> str:
    """The registry must also allow to create the repository of an image that was not pulled before.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
    """
    prefix = target.name.partition("/")[0]
    cache = f"arn:{scope.partition}:ecr:{target.region}:{target.account}:repository/{prefix}/*"
    return f'["ecr:BatchImportUpstreamImage","ecr:CreateRepository"],"Resource":"{cache}"'


def _pulling(_target: Target, principal: str) -> str:
    """A repository that a cache creates only has the policy of its creation template.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
    """
    return (
        ", and an AWS::ECR::RepositoryCreationTemplate for PULL_THROUGH_CACHE there a RepositoryPolicy with"
        f' {{{principal},"Action":{_PULL}}}'
    )


IMAGES = Probe(
    observe=_images,
    together=_of_repository,
    policy="the repository's policy",
    statement=lambda _target, _scope: _PULL,
)
REPOSITORIES = Probe(
    observe=_repositories,
    together=_of_registry,
    policy="the repository's policy",
    statement=lambda _target, _scope: _PULL,
)
RULES = Probe(
    observe=_rules,
    together=_of_registry,
    policy="the registry's policy",
    statement=_importing,
    also=_pulling,
)
