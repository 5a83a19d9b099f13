"""Pulling the image of a container from a private ECR registry.

Looks at every container's `Image`. What lies in a private ECR registry is granted on its repository, in the account
and region that the image's host names, whatever the stack's own are. Public images and other registries need nothing
of IAM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from ecs_exec_role.needs.context import Entry, InferenceContext
from ecs_exec_role.needs.feature import FLAG, Feature, Key, Option
from ecs_exec_role.needs.need import Condition, Grant, Need
from ecs_exec_role.template.conditions import Guard, both
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import ACCOUNT, PARTITION, REGION, SYMBOL, URL_SUFFIX, Json

DOCS = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/ECR_on_ECS.html"

AUTHORIZE = Grant("EcrAuthorization", ("ecr:GetAuthorizationToken",), "Registry")
PULL = Grant(
    "PullImages",
    ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
    "Image",
)
PULL_THROUGH = Grant("PullThroughCache", ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository"), "PullThroughImage")

_SUFFIXES = (
    r"amazonaws\.com",
    r"amazonaws\.com\.cn",
    r"on\.aws",
    r"on\.amazonwebservices\.com\.cn",
    r"amazonaws\.eu",
    r"c2s\.ic\.gov",
    r"sc2s\.sgov\.gov",
    r"cloud\.adc-e\.uk",
    r"csp\.hci\.ic\.gov",
    URL_SUFFIX,
)
_IMAGE = re.compile(
    rf"(?:https?://)?(?P<account>[0-9]{{12}}|{SYMBOL})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+|{SYMBOL})"
    rf"\.(?:{'|'.join(_SUFFIXES)})/(?P<name>.+)",
    re.IGNORECASE | re.DOTALL,
)
_REGISTRY_ALONE = re.compile(_IMAGE.pattern.partition("(?P<name>")[0].rstrip("/") + "/?", re.IGNORECASE)
_TAG = re.compile(r":[^/]*$")
_REPOSITORY_ARN = re.compile(
    r"arn:[^:]*:ecr:(?P<region>[^:]*):(?P<account>[^:]*):repository/(?P<name>[^:@]+)", re.DOTALL
)
_BY_URI = re.compile(f"(?P<repository>{SYMBOL})(?::[^/]*|@.*)?", re.DOTALL)
_PUBLIC_HOST = re.compile(
    r"(?:public\.ecr\.aws|docker\.io|(?:registry\.)?hub\.docker\.com|quay\.io|ghcr\.io|mcr\.microsoft\.com)/"
)


class Repository(NamedTuple):
    """A repository of a private ECR registry: its ARN, and where and how it is called so far as that is known."""

    arn: str
    account: str
    region: str
    name: str


def infer(ctx: InferenceContext, cursor: Cursor) -> Iterator[Need]:
    """The needs of a container's `Image`."""
    for image in ctx.values(cursor):
        repository = by_uri(ctx, image.text)
        if repository is not None:
            yield from pulls(ctx, repository, image, image.text, cached_by=_cache_rules(ctx, repository))
        elif _REGISTRY_ALONE.fullmatch(image.text):
            what = f"`{ctx.symbols.show(image.text)}` names no repository"
            ctx.problem(image.path, what, "write REGISTRY/REPOSITORY:TAG")
        elif _elsewhere(image.text):
            ctx.note(
                image.path, f"`{ctx.symbols.show(image.text)}` is not in a private ECR registry", DOCS, image.guard
            )
        elif ctx.declared(("Images",), image.text):
            repository = by_uri_at_deployment(ctx, image)
            if repository is not None:
                yield from pulls(ctx, repository, image, image.text)
        else:
            ctx.unclassified(image, "image", ("Images",))


def declare(ctx: InferenceContext, entry: Entry) -> Iterator[Need]:
    """The needs of one of the spec's `Images`."""
    for image in ctx.values(entry.value):
        # What says that an unknown image is one of ECR is no repository's name.
        if ctx.settles("Images", image.text) or not ctx.may_name(image, ("AWS::ECR::Repository",)):
            continue
        if _PUBLIC_HOST.match(image.text):
            ctx.problem(
                image.path, f"`{image.text}` is not in a private ECR registry and needs nothing", "leave it out"
            )
            continue
        repository = by_uri(ctx, image.text) or by_name(ctx, image)
        if repository is None:
            continue
        cached_by = _cache_rules(ctx, repository)
        flags = ctx.choices(entry.option("PullThroughCache")._replace(guard=image.guard), FLAG)
        cached_by = [*cached_by, *(guard for guard, wanted in flags if wanted)]
        yield from pulls(ctx, repository, image, image.text, cached_by=cached_by)


def pulls(
    ctx: InferenceContext,
    repository: Repository,
    place: Alternative,
    target: str,
    *,
    grant: Grant = PULL,
    cached_by: list[Guard] | None = None,
) -> Iterator[Need]:
    """The needs of pulling from a repository; `cached_by`: under which conditions it is a pull-through cache."""
    yield Need(AUTHORIZE, "*", place.guard, place.path, target)
    for guard, conditions in ctx.pull_conditions:
        together = both(place.guard, guard)
        if together is not None:
            yield Need(grant, repository.arn, together, place.path, target, conditions)
    for guard in cached_by or ():
        together = both(place.guard, guard)
        if together is not None:
            yield Need(PULL_THROUGH, repository.arn, together, place.path, target)


def by_uri(ctx: InferenceContext, text: str) -> Repository | None:
    """Reads an image's URI in a private ECR registry, or a reference to a repository's; None if it is neither."""
    match = _IMAGE.fullmatch(text)
    if match:
        name = _TAG.sub("", match["name"].partition("@")[0])
        if name == match["name"]:
            name = _cut_at_deployment(ctx, name)
        return _repository(ctx, match["region"], match["account"], name) if name else None
    match = _BY_URI.fullmatch(text)
    symbol = ctx.symbols.sole(match["repository"]) if match else None
    kinds = ("AWS::ECR::Repository", None)
    if symbol is not None and symbol.attribute == "RepositoryUri" and ctx.types.get(symbol.name) in kinds:
        return Repository(ctx.symbols.get_att(symbol.name, "Arn"), ACCOUNT, REGION, ctx.symbols.ref(symbol.name))
    return None


def by_name(ctx: InferenceContext, image: Alternative) -> Repository | None:
    """Reads a repository's ARN or name, with or without a tag; None, and a problem, if it is neither."""
    text = image.text
    symbol = ctx.symbols.sole(text)
    if symbol is not None and symbol.kind == "GetAtt" and symbol.attribute == "Arn":
        return Repository(text, ACCOUNT, REGION, ctx.symbols.ref(symbol.name))
    match = _REPOSITORY_ARN.fullmatch(text)
    if match:
        return Repository(text, match["account"], match["region"], match["name"])
    if text.startswith("arn:"):
        ctx.problem(
            image.path,
            f"`{ctx.symbols.show(text)}` is no repository's ARN",
            "write arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME, or the name alone",
        )
        return None
    return _repository(ctx, REGION, ACCOUNT, _TAG.sub("", text.partition("@")[0]))


def by_uri_at_deployment(ctx: InferenceContext, image: Alternative) -> Repository | None:
    """The repository of an image of which nothing is known but that it lies in ECR: CloudFormation takes it apart."""
    node = ctx.symbols.render(image.text)
    if any(ctx.symbols[character].kind == "Dynamic" for character in re.findall(SYMBOL, image.text)):
        ctx.problem(
            image.path,
            "is a dynamic reference, which CloudFormation cannot take apart",
            f"write the repository's name under Images in {ctx.spec_path}, and `Unresolved: Ignore`",
        )
        return None
    host_end = f".{ctx.reader.template.url_suffix}/"
    parts = {"Fn::Split": [".", node]}
    account = ctx.symbols.opaque({"Fn::Select": [0, parts]})
    region = ctx.symbols.opaque({"Fn::Select": [3, parts]})
    name = ctx.symbols.opaque(_before(":", _before("@", {"Fn::Select": [1, {"Fn::Split": [host_end, node]}]})))
    return Repository(f"arn:{PARTITION}:ecr:{region}:{account}:repository/{name}", account, region, name)


def _before(delimiter: str, node: Json) -> Json:
    return {"Fn::Select": [0, {"Fn::Split": [delimiter, node]}]}


def _cut_at_deployment(ctx: InferenceContext, name: str) -> str:
    """A repository's name that ends in something unknown, which may bring a tag or a digest with it."""
    symbol = ctx.symbols.sole(name[-1:])
    known = symbol is None or symbol.kind == "Dynamic" or (symbol.kind == "Ref" and symbol.name.startswith("AWS::"))
    if known or symbol is None or (symbol.kind == "Ref" and ctx.types.get(symbol.name) == "AWS::ECR::Repository"):
        return name
    return name[:-1] + ctx.symbols.opaque(_before(":", _before("@", symbol.node)))


def _repository(ctx: InferenceContext, region: str, account: str, name: str) -> Repository:
    symbol = ctx.symbols.sole(name)
    if (
        symbol is not None
        and symbol.kind == "Ref"
        and ctx.types.get(symbol.name) == "AWS::ECR::Repository"
        and _is_here(ctx, region, account)
    ):
        return Repository(ctx.symbols.get_att(symbol.name, "Arn"), account, region, name)
    return Repository(f"arn:{PARTITION}:ecr:{region.lower()}:{account}:repository/{name}", account, region, name)


def _is_here(ctx: InferenceContext, region: str, account: str) -> bool:
    """Whether that is the stack's own registry."""
    template = ctx.reader.template
    return region in (REGION, template.region) and account in (ACCOUNT, template.account)


def _elsewhere(text: str) -> bool:
    """Whether an image that is no ECR URI surely is none: its beginning is known, and is no account's number."""
    known = re.split(SYMBOL, text, maxsplit=1)[0]
    return known == text or (known != "" and not known[0].isdigit())


def _cache_rules(ctx: InferenceContext, repository: Repository) -> list[Guard]:
    """Under which conditions the template's own rules make this repository a pull-through cache."""
    rules = ctx.resources_of("AWS::ECR::PullThroughCacheRule")
    if not rules or not _is_here(ctx, repository.region, repository.account):
        return []
    guards: list[Guard] = []
    for logical_id in rules:
        guard = ctx.reader.template.guard_of(logical_id)
        if repository.name.startswith(f"{ctx.symbols.ref(logical_id)}/"):
            guards.append(guard)
        prefixes = Cursor.of_resource(ctx.reader, logical_id, guard).get("EcrRepositoryPrefix").texts()
        guards += [p.guard for p in prefixes if p.text == "ROOT" or repository.name.startswith(f"{p.text}/")]
    return guards


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
                Option("PullThroughCache", "Whether the repository is filled by a pull-through cache rule.", FLAG),
            ),
        ): declare
    },
)


def source_conditions(
    vpcs: Sequence[tuple[Guard, str]], endpoints: Sequence[tuple[Guard, str]]
) -> tuple[tuple[Guard, tuple[Condition, ...]], ...]:
    """The conditions of the spec's `SourceVpcs` and `SourceVpcEndpoints`, for each way that the template's can fall.

    They never stand on `ecr:GetAuthorizationToken`, which Fargate calls from outside of the task's network. See
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    """
    names = sorted({name for guard, _ in (*vpcs, *endpoints) for name, _ in guard})
    alternatives = []
    for truths in product((True, False), repeat=len(names)):
        given = tuple(zip(names, truths, strict=True))
        conditions = []
        for key, values in (("aws:sourceVpc", vpcs), ("aws:sourceVpce", endpoints)):
            held = tuple(text for guard, text in values if both(guard, given) is not None)
            if held:
                conditions.append(("StringEquals", key, held))
        alternatives.append((given, tuple(conditions)))
    return tuple(alternatives)
