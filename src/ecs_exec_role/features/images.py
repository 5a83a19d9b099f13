"""Pulling the image of a container from a private ECR registry.

Looks at every container's `Image`. An image in a private ECR registry is granted on its repository, in the account
and region that the image's host names, which can differ from the stack's. Public images and other registries need
no permission.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.needs.context import NO_PULL_CONDITIONS, InferenceContext, ListEntry, PullConditions
from ecs_exec_role.needs.feature import FLAG, Feature, Key, Option
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.services import ecr
from ecs_exec_role.services.resources import begins_unknown, can_be_arn
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.conditions import PathCondition, both
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import Symbol, SymbolicText

DOCS = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/ECR_on_ECS.html"

AUTHORIZE = Grant("EcrAuthorization", ("ecr:GetAuthorizationToken",), "Registry")
PULL = Grant(
    "PullImages",
    ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
    "Image",
)
PULL_THROUGH = Grant("PullThroughCache", ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository"), "PullThroughImage")

_PUBLIC_HOST = late_pattern(
    r"(?:public\.ecr\.aws|docker\.io|(?:registry\.)?hub\.docker\.com|quay\.io|ghcr\.io|mcr\.microsoft\.com)/"
)
_AWS_FLUENT_BIT = "/aws/service/aws-for-fluent-bit/"
"""The prefix of the names of the public parameters whose values are images in AWS's own private registries."""

_WRONG = {"repository-name": "is the name of a repository", "repository-arn": "is the ARN of a repository"}


def infer(ctx: InferenceContext, cursor: Cursor) -> None:
    """Adds the needs of a container's `Image`."""
    ctx.recall(_infer_place, cursor)


def _infer_place(ctx: InferenceContext, cursor: Cursor) -> None:
    for image in ctx.required(cursor, "write REGISTRY/REPOSITORY:TAG"):
        _infer_image(ctx, image)


def _infer_image(ctx: InferenceContext, image: Alternative) -> None:
    repository = ecr.read_uri(ctx.reader, image.text)
    if repository is not None and not ecr.is_name(repository.name):
        _refuse_name(ctx, image, repository)
    elif repository is not None:
        cached_by = ecr.cache_rules(ctx.reader, repository)
        if not cached_by:
            _warn_of_cache(ctx, image, repository)
        pulls(ctx, repository, image, image.text, cached_by=cached_by)
    elif not _refused(ctx, image):
        _of_other(ctx, image)


def _warn_of_cache(ctx: InferenceContext, image: Alternative, repository: ecr.Repository) -> None:
    """Warns about a repository that is named like a cache, unless the template or the spec says what it is."""
    if not ecr.is_named_like_cache(repository) or ecr.is_in_template(ctx.reader, repository):
        return
    for entry in ctx.entries.get("Images", ()):
        if entry.given("PullThroughCache") is not None:
            for text in entry.value.texts():
                named = ecr.read_uri(ctx.reader, text.text) or ecr.by_name(ctx.reader, text.text)
                if named is not None and named.name == repository.name:
                    return
    shown = ctx.spelt_in_list(image.text)
    ctx.warn(
        image.path,
        f"`{ctx.symbols.show(repository.name)}` may be a pull-through cache, which the template does not show,"
        " so the first pull of an image is not granted",
        f"if it is a cache, add `Images: [{{Repository: {shown}, PullThroughCache: true}}]` to {ctx.spec_path};"
        " if it is not, write the same with false",
        code="maybe-pull-through-cache",
    )


def _refuse_name(ctx: InferenceContext, image: Alternative, repository: ecr.Repository) -> None:
    what = f"`{ctx.symbols.show(repository.name)}` cannot be the name of a repository"
    ctx.problem(image.path, what, "write its name in lower-case letters, digits and - _ . /", "not-a-repository-name")


def _of_other(ctx: InferenceContext, image: Alternative) -> None:
    """Adds the needs of an image that is not certainly in a private ECR registry."""
    shown = ctx.symbols.show(image.text)
    declared = ctx.declared(("Images",), image.text)
    if ecr.is_elsewhere(image.text):
        ctx.note(
            image.path, f"`{shown}` is not in a private ECR registry", DOCS, image.path_condition, code="not-in-ecr"
        )
    elif at_deployment.is_late(ctx.symbols, image.text) and (declared or not ctx.ignore_unresolved):
        what = f"`{shown}` is a dynamic reference, which CloudFormation cannot split"
        fix = (
            "write a parameter of type AWS::SSM::Parameter::Value<String> in its place, and !Ref it here and in Images"
        )
        ctx.problem(image.path, what, fix, "dynamic-reference")
    elif declared or _is_aws_fluent_bit(ctx, image.text):
        pulls(ctx, ecr.of_unknown(ctx.reader, image.text), image, image.text)
    else:
        ctx.unclassified(image, "image", ("Images",))


def _refused(ctx: InferenceContext, image: Alternative) -> bool:
    """Reports an image whose form is certainly wrong."""
    shown = ctx.symbols.show(image.text)
    symbol = ctx.symbols.sole(image.text[:1])
    kind = returns(ctx.reader.template, symbol) if symbol is not None else ""
    if symbol is not None and kind in _WRONG:
        fix = f"write !Sub ${{{symbol.name}.RepositoryUri}}:TAG"
        ctx.problem(image.path, f"`{shown}` {_WRONG[kind]}, and an image is named by its URI", fix, "not-an-image")
    elif symbol is not None and _has_no_such_attribute(ctx, symbol):
        what = f"{ecr.TYPE} has no attribute {symbol.attribute}"
        ctx.problem(image.path, what, f"write !Sub ${{{symbol.name}.RepositoryUri}}:TAG", "no-such-attribute")
    elif image.text[1:2] in ("", ":", "@") and not ctx.may_name(
        image, (), begins=len(image.text) > 1, fix="write REGISTRY/REPOSITORY:TAG"
    ):
        return True
    elif image.text.startswith("arn:"):
        fix = "write ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG"
        ctx.problem(image.path, f"`{shown}` is an ARN, and an image is named by its URI", fix, "not-an-image")
    elif ecr.is_registry_alone(image.text):
        ctx.problem(image.path, f"`{shown}` names no repository", "write REGISTRY/REPOSITORY:TAG", "not-an-image")
    elif ecr.looks_wrong(image.text):
        what = (
            f"`{shown}` looks like an image in ECR, but its host is wrong: it has an account of 12 digits and a region"
        )
        ctx.problem(image.path, what, "write ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG", "not-an-image")
    else:
        return False
    return True


def _has_no_such_attribute(ctx: InferenceContext, symbol: Symbol) -> bool:
    """Whether an image begins with an attribute of a repository that repositories do not have."""
    known = returns(ctx.reader.template, symbol)
    return symbol.kind == "GetAtt" and ctx.types.get(symbol.name) == ecr.TYPE and not known


def _is_aws_fluent_bit(ctx: InferenceContext, text: SymbolicText) -> bool:
    """Whether an image is a parameter whose value AWS publishes: an image in its private registry."""
    symbol = ctx.symbols.sole(text)
    declared = mapping(ctx.reader.template.parameters.get(symbol.name)) if symbol is not None else {}
    kind, default = declared.get("Type"), declared.get("Default")
    return (
        isinstance(kind, str)
        and kind.startswith("AWS::SSM::Parameter::Value")
        and isinstance(default, str)
        and default.startswith(_AWS_FLUENT_BIT)
    )


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds the needs of one of the spec's `Images`."""
    for image in ctx.values(entry.value):
        # An entry that declares that an unknown image is in ECR is not the name of a repository.
        if ctx.settles("Images", image.text) or not ctx.may_name(image, (ecr.TYPE,)):
            continue
        if _PUBLIC_HOST.match(image.text):
            what = f"`{ctx.symbols.show(image.text)}` is not in a private ECR registry, and needs no permission"
            ctx.problem(image.path, what, "remove it", "not-in-ecr")
            continue
        flags = ctx.choices(entry.option("PullThroughCache").given(image.path_condition), FLAG)
        caches = [path_condition for path_condition, required in flags if required]
        for repository in _listed(ctx, image):
            cached_by = [*ecr.cache_rules(ctx.reader, repository), *caches]
            pulls(ctx, repository, image, image.text, cached_by=cached_by)


def _listed(ctx: InferenceContext, image: Alternative) -> tuple[ecr.Repository, ...]:
    """The repository that an entry of `Images` names. There are two readings where only the deployment knows."""
    uri = ecr.read_uri(ctx.reader, image.text)
    late = at_deployment.is_late(ctx.symbols, image.text)
    is_partial_arn = can_be_arn(image.text, "ecr") and not late
    repository = uri or ecr.by_name(ctx.reader, image.text)
    if uri is None and (begins_unknown(ctx.reader, image.text) or (repository is None and is_partial_arn)):
        return ecr.of_unknown_entry(ctx.reader, image.text)
    if repository is None:
        what = f"`{ctx.symbols.show(image.text)}` is not the ARN of a repository"
        fix = "write arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME, or the name alone"
        ctx.problem(image.path, what, fix, "wrong-arn")
        return ()
    if not ecr.is_name(repository.name):
        _refuse_name(ctx, image, repository)
        return ()
    return (repository,)


def pulls(
    ctx: InferenceContext,
    repository: ecr.Repository,
    place: Alternative,
    target: SymbolicText,
    *,
    grant: Grant = PULL,
    cached_by: list[PathCondition] | None = None,
) -> None:
    """Adds the needs of pulling from a repository; `cached_by`: under which conditions it is a pull-through cache."""
    ctx.need(AUTHORIZE, SymbolicText("*"), place.path_condition, place.path, target)
    # An endpoint belongs to one region: a pull from another region does not use it.
    here = repository.is_in(ctx.reader.template.region)
    for path_condition, conditions in ctx.pull_conditions if here else NO_PULL_CONDITIONS:
        together = both(place.path_condition, path_condition)
        if together is not None:
            ctx.need(grant, repository.arn, together, place.path, target, conditions)
    for path_condition in cached_by or ():
        together = both(place.path_condition, path_condition)
        if together is not None:
            ctx.need(PULL_THROUGH, repository.arn, together, place.path, target)


FEATURE = Feature(
    id="images",
    title="Image pull",
    docs=DOCS,
    grants=(AUTHORIZE, PULL, PULL_THROUGH),
    containers={"Image": infer},
    keys={
        Key(
            "Images",
            "entries",
            "Pull images from these ECR repositories.",
            (
                ["web"],
                ["123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1"],
                [{"Repository": "docker-hub/library/nginx", "PullThroughCache": True}],
            ),
            item="Repository",
            options=(
                Option(
                    "PullThroughCache",
                    "Whether the repository is filled by a pull-through cache rule.",
                    FLAG,
                    default=False,
                ),
            ),
        ): declare
    },
)


def source_conditions(
    vpcs: Sequence[tuple[PathCondition, str]], endpoints: Sequence[tuple[PathCondition, str]]
) -> PullConditions:
    """The IAM conditions of `SourceVpcs` and `SourceVpcEndpoints`, for each combination of the template's conditions.

    They are never added to `ecr:GetAuthorizationToken`, which Fargate calls from outside the task's network. See
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    """
    if not vpcs and not endpoints:
        return NO_PULL_CONDITIONS
    names = sorted({name for path_condition, _ in (*vpcs, *endpoints) for name, _ in path_condition})
    alternatives = []
    for truths in product((True, False), repeat=len(names)):
        given = tuple(zip(names, truths, strict=True))
        conditions = []
        for key, values in (("aws:sourceVpc", vpcs), ("aws:sourceVpce", endpoints)):
            held = tuple(sorted({text for path_condition, text in values if both(path_condition, given) is not None}))
            if held:
                conditions.append(("StringEquals", key, held))
        alternatives.append((given, tuple(conditions)))
    return tuple(alternatives)
