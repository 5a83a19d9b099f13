"""Amazon ECR: repositories, as image URIs, ARNs, names and references.

See https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
"""

from __future__ import annotations

import re

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.services.resources import names_of
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.conditions import PathCondition
from ecs_exec_role.template.event import dual_stack_suffix_of
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import (
    ACCOUNT,
    PARTITION,
    REGION,
    STACK_ID,
    STACK_NAME,
    SYMBOL,
    SymbolicText,
    is_symbolic,
)

TYPE = "AWS::ECR::Repository"
_CACHE_RULE = "AWS::ECR::PullThroughCacheRule"
_USUAL_CACHES = frozenset(
    [
        *("docker-hub", "dockerhub", "docker.io", "ecr-public", "public.ecr.aws", "ghcr", "ghcr.io", "github"),
        *("gitlab", "kubernetes", "quay", "quay.io", "registry.k8s.io"),
    ]
)
"""The usual prefixes of the names of caches; the ECR console proposes most of them."""

_LONGEST_NAME = 256
"""See https://docs.aws.amazon.com/general/latest/gr/ecr.html"""

# The ECS agent accepts every suffix after the region, and the dual-stack hosts of the partitions have different ones.
_HOST = rf"(?:https?://)?(?P<account>[0-9]{{12}}|{SYMBOL})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z]+(?:-[a-z0-9]+)+|{SYMBOL})\.[^/]+"
_IMAGE = late_pattern(rf"{_HOST}/(?P<name>.+)", re.IGNORECASE | re.DOTALL)
_REGISTRY_ALONE = late_pattern(f"{_HOST}/?", re.IGNORECASE)
_LOOKS_LIKE_ECR = late_pattern(
    r"(?:https?://)?[^./:\U00100000-\U0010ffff]+\.(?:dkr[.-]ecr(?:-fips)?\.|ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.)",
    re.IGNORECASE,
)
_PSEUDO_PARAMETERS = {ACCOUNT: 12 * "1", PARTITION: "aws", REGION: "us-east-1", STACK_ID: "arn", STACK_NAME: "stack"}
"""Texts that begin as the values of the pseudo parameters do."""
_ACCOUNT_DIGITS = 12
_SCHEMES = ("https://", "http://")
_HOSTS = (".dkr.ecr.", ".dkr-ecr.", ".dkr.ecr-fips.", ".dkr-ecr-fips.")
"""What follows the account in the name of a registry's host."""

_TAG = late_pattern(r":[^/:]*$")
_PART = "[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_NAME = late_pattern(f"{_PART}(?:/{_PART})*")
_ARN = late_pattern(r"arn:[^:]*:ecr:(?P<region>[^:]*):(?P<account>[^:]*):repository/(?P<name>[^:@]+)", re.DOTALL)


class Repository(NamedTuple):
    """A repository of a private ECR registry: its ARN, and what is known of its registry and its name."""

    arn: SymbolicText
    account: SymbolicText
    region: SymbolicText
    name: SymbolicText

    def is_in(self, region: str) -> bool:
        """Whether it is in the stack's own region, which is `region`."""
        return self.region in (REGION, region)


def in_registry(account: SymbolicText, region: SymbolicText, name: SymbolicText) -> Repository:
    """The repository of that name in the registry of an account in a region."""
    arn = f"arn:{PARTITION}:ecr:{region.lower()}:{account}:repository/{name}"
    return Repository(arn, account, region, name)


def read_uri(reader: Reader, text: SymbolicText) -> Repository | None:
    """Reads an image's URI in a private ECR registry, or a reference to a repository's; None if it is neither."""
    match = _IMAGE.fullmatch(text) if _has_host(text) else None
    if match is not None:
        account, region, image = match.group("account", "region", "name")
    elif repository := _referred_to(reader, text):
        account, region, image = ACCOUNT, REGION, repository + text[1:]
    else:
        return None
    name = _TAG.sub("", image.partition("@")[0])
    if name == image:
        name = _cut_at_deployment(reader, name)
    return _at(reader, region, account, name) if name else None


def _has_host(text: SymbolicText) -> bool:
    """Whether the name of a registry's host may be in a text; the patterns for it are slow to compile."""
    return ".dkr" in text.lower()


def is_name(text: SymbolicText) -> bool:
    """Whether a repository can have this name, as far as the name is known.

    See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
    """
    return is_symbolic(text) or _NAME.fullmatch(text) is not None


def is_registry_alone(text: SymbolicText) -> bool:
    """Whether a text names a registry without a repository."""
    return _has_host(text) and _REGISTRY_ALONE.fullmatch(text) is not None


def looks_wrong(text: SymbolicText) -> bool:
    """Whether a text that is not the URI of an image in ECR looks like one, with a mistake in its host."""
    may_be = _has_host(text) or ".amazonaws." in text.lower()
    return may_be and _LOOKS_LIKE_ECR.match(text) is not None


def is_elsewhere(text: SymbolicText) -> bool:
    """Whether an image is certainly not in a private ECR registry, judged by the known beginning of its text."""
    text = f"{_PSEUDO_PARAMETERS.get(SymbolicText(text[:1]), text[:1])}{text[1:]}"
    if not is_symbolic(text):
        return True
    known = re.split(SYMBOL, text, maxsplit=1)[0].lower()
    for scheme in _SCHEMES:
        if known.startswith(scheme):
            known = known.removeprefix(scheme)
        elif known and scheme.startswith(known):
            return False
    digits = len(known) - len(known.lstrip("0123456789"))
    rest = known[digits:]
    if digits != _ACCOUNT_DIGITS:
        return digits > _ACCOUNT_DIGITS or rest != ""
    return not any(host.startswith(rest) or rest.startswith(host) for host in _HOSTS)


def by_name(reader: Reader, text: SymbolicText) -> Repository | None:
    """Reads a repository's ARN, reference or name, with or without a tag; None for any other ARN."""
    symbol = reader.symbols.sole(text)
    if symbol is not None and symbol.kind == "GetAtt" and symbol.attribute == "Arn":
        return Repository(text, ACCOUNT, REGION, reader.symbols.ref(symbol.name))
    match = _ARN.fullmatch(_TAG.sub("", text))
    if match:
        return Repository(match[0], match["account"], match["region"], match["name"])
    if text.startswith("arn:"):
        return None
    return _at(reader, REGION, ACCOUNT, _TAG.sub("", text.partition("@")[0]))


def of_unknown(reader: Reader, text: SymbolicText) -> Repository:
    """The repository of an image whose URI is only known at deployment: CloudFormation splits it.

    The host of a dual-stack endpoint is first replaced with the usual host. An image that is not in an ECR
    registry gives a resource that matches nothing.
    """
    symbols, suffix = reader.symbols, f".{reader.template.url_suffix}/"
    dual_stack = f".{dual_stack_suffix_of(reader.template.partition)}/"
    account = at_deployment.before(symbols, at_deployment.before(symbols, text, "."), ":")
    usual = at_deployment.replaced(symbols, text, ".dkr-ecr", ".dkr.ecr")
    region = at_deployment.part(symbols, usual, 3, ".", ".-.-.-")
    usual = at_deployment.replaced(symbols, text, dual_stack, suffix)
    path = at_deployment.part(symbols, usual, 1, suffix, f"{suffix}-")
    name = at_deployment.before(symbols, at_deployment.before(symbols, path, "@"), ":")
    return in_registry(account, region, name)


def is_in_template(reader: Reader, repository: Repository) -> bool:
    """Whether the template has a repository with this name."""
    return bool(names_of(reader, TYPE, "RepositoryName").get(repository.name))


def is_named_like_cache(repository: Repository) -> bool:
    """Whether a repository's name begins as those of pull-through caches usually do."""
    prefix, _, rest = repository.name.partition("/")
    return rest != "" and prefix.lower() in _USUAL_CACHES


def cache_rules(reader: Reader, repository: Repository) -> list[PathCondition]:
    """Under which conditions the template's own rules make this repository a pull-through cache."""
    template, name = reader.template, repository.name
    if _CACHE_RULE not in template.by_type:
        return []
    ours = repository.account in (ACCOUNT, template.account) or is_symbolic(repository.account)
    if not ours or not repository.is_in(template.region):
        return []
    path_conditions = [
        template.path_condition_of(symbol.name)
        for symbol in reader.symbols.directly_in(name[:1])
        if name[1:2] == "/" and symbol.kind == "Ref" and template.types.get(symbol.name) == _CACHE_RULE
    ]
    by_prefix = names_of(reader, _CACHE_RULE, "EcrRepositoryPrefix")
    beginnings = (name[: slash.start()] for slash in re.finditer("/", name[:_LONGEST_NAME]))
    for beginning in ("ROOT", *beginnings):
        path_conditions += [
            prefix.path_condition for _, prefix in by_prefix.get(reader.known(beginning) or beginning, ())
        ]
    return path_conditions


def of_unknown_entry(reader: Reader, text: SymbolicText) -> tuple[Repository, Repository]:
    """The same for an entry of a spec's list, which can also be a repository's name or ARN.

    There are two readings, the URI of an image and the name or the ARN. Nothing matches the one that is wrong.
    """
    region, account = at_deployment.region_and_account(reader.symbols, text, REGION, ACCOUNT)
    name = at_deployment.after(reader.symbols, text, ":repository/")
    return of_unknown(reader, text), in_registry(account, region, name)


def _referred_to(reader: Reader, text: SymbolicText) -> SymbolicText:
    """The name of the repository with whose URI a text begins; empty for any other text."""
    symbol = reader.symbols.sole(text[:1])
    if symbol is None or symbol.attribute != "RepositoryUri":
        return SymbolicText("")
    known = reader.template.types.get(symbol.name) in (TYPE, None)
    return reader.symbols.ref(symbol.name) if known else SymbolicText("")


def _cut_at_deployment(reader: Reader, name: SymbolicText) -> SymbolicText:
    """A repository's name that ends with an unknown value, which can contain a tag or a digest."""
    symbols = reader.symbols
    symbol = symbols.sole(name[-1:])
    if symbol is None or symbol.kind == "Dynamic":
        return name
    if symbol.kind == "Ref" and (
        symbol.name.startswith("AWS::") or returns(reader.template, symbol) == "repository-name"
    ):
        return name
    return name[:-1] + at_deployment.before(symbols, at_deployment.before(symbols, name[-1:], "@"), ":")


def _at(reader: Reader, region: SymbolicText, account: SymbolicText, name: SymbolicText) -> Repository:
    ours = region in (REGION, reader.template.region) and account in (ACCOUNT, reader.template.account)
    symbol = reader.symbols.sole(name) if ours else None
    if symbol is not None and returns(reader.template, symbol) == "repository-name":
        return Repository(reader.symbols.get_att(symbol.name, "Arn"), account, region, name)
    return in_registry(account, region, name)
