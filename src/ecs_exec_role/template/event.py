"""The macro's event, read into a `Template`: the fragment and what is known about the stack."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.conditions import ALWAYS, PathCondition
from ecs_exec_role.template.symbols import PRIVATE, Json

PROPERTY = "ExecutionRoleSpec"

# The prefix of a region tells its partition (botocore's partitions.json).
_PARTITIONS = {
    "cn-": ("aws-cn", "amazonaws.com.cn"),
    "us-gov-": ("aws-us-gov", "amazonaws.com"),
    "us-iso-": ("aws-iso", "c2s.ic.gov"),
    "us-isob-": ("aws-iso-b", "sc2s.sgov.gov"),
    "eu-isoe-": ("aws-iso-e", "cloud.adc-e.uk"),
    "us-isof-": ("aws-iso-f", "csp.hci.ic.gov"),
    "eusc-": ("aws-eusc", "amazonaws.eu"),
}

# https://github.com/aws/amazon-ecs-agent (ecs-agent/utils/uri) and https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html
_DUAL_STACK_SUFFIXES = {
    "aws-cn": "on.amazonwebservices.com.cn",
    "aws-eusc": "on.amazonwebservices.eu",
    "aws-iso": "on.aws.ic.gov",
    "aws-iso-b": "on.aws.scloud",
    "aws-iso-e": "on.cloud-aws.adc-e.uk",
    "aws-iso-f": "on.aws.hci.ic.gov",
}


MISSPELT = late_pattern(r'"(?!(?-i:ExecutionRoleSpec)":)(?:task)?execution[-_ ]?roles?[-_ ]?specs?":', re.IGNORECASE)


class Template(NamedTuple):
    """What the engine knows. It never changes.

    `size` is the fragment's length in characters as compact JSON; `mentions` how often it has `ExecutionRoleSpec`, and
    `misspelt` whether it has a key that is nearly the same, `has_unexpanded` whether it may call another macro;
    `types` has the resource type of each logical ID that can be referred to, `by_type` the logical IDs of each type.
    `whole` is False for a snippet (`Fn::Transform` inside a resource), which sees nothing of the rest of the template.
    `private` are the places where the event has a character with a special meaning in symbolic text.
    """

    fragment: dict[str, Json]
    resources: Mapping[str, dict[str, Json]]
    parameters: Mapping[str, Json]
    values: Mapping[str, Json]
    mappings: Mapping[str, Json]
    region: str
    account: str
    partition: str
    url_suffix: str
    size: int
    mentions: int
    misspelt: bool
    has_unexpanded: bool
    types: Mapping[str, str]
    by_type: Mapping[str, list[str]]
    whole: bool = True
    private: tuple[Problem, ...] = ()

    def refuse_private(self) -> None:
        """Ends the expansion if a text of the event contains a character that stands for an unknown value.

        Raises:
            TemplateError: with the places.
        """
        if self.private:
            raise TemplateError(self.private)

    def type_of(self, logical_id: str) -> str:
        """The resource type behind a logical ID; empty if the resource does not exist."""
        kind = self.resources.get(logical_id, _NO_RESOURCE).get("Type")
        return kind if isinstance(kind, str) else ""

    def properties(self, logical_id: str) -> dict[str, Json]:
        """A resource's `Properties`; empty where there are none that can be read."""
        found = self.resources.get(logical_id, _NO_RESOURCE).get("Properties")
        return found if isinstance(found, dict) else {}

    def is_read(self, parameter: str) -> bool:
        """Whether a name is that of a parameter whose value the macro uses: neither a secret nor an SSM parameter."""
        return is_read(self.parameters.get(parameter))

    def condition(self, logical_id: str) -> str | None:
        """The name of a resource's `Condition`."""
        name = self.resources.get(logical_id, _NO_RESOURCE).get("Condition")
        return name if isinstance(name, str) else None

    def path_condition_of(self, logical_id: str) -> PathCondition:
        """The condition under which a resource exists."""
        name = self.condition(logical_id)
        return ((name, True),) if name else ALWAYS


_NO_RESOURCE: dict[str, Json] = {}


def mapping(node: Json) -> dict[str, Json]:
    """`node` if it is a mapping, else an empty one."""
    return node if isinstance(node, dict) else {}


def is_read(declared: Json) -> bool:
    """Whether the macro uses the value of a parameter that is declared so: not of a secret one, and not of SSM's."""
    said = mapping(declared)
    is_secret = str(said.get("NoEcho", "")).lower() == "true"
    return bool(said) and not is_secret and not str(said.get("Type")).startswith("AWS::SSM::Parameter::Value")


def partition_of(region: str) -> tuple[str, str]:
    """The partition and the URL suffix of a region, as `AWS::Partition` and `AWS::URLSuffix` give them."""
    for prefix, answer in _PARTITIONS.items():
        if region.startswith(prefix):
            return answer
    return "aws", "amazonaws.com"


def dual_stack_suffix_of(partition: str) -> str:
    """How the names of the dual-stack endpoints of ECR end in a partition."""
    return _DUAL_STACK_SUFFIXES.get(partition, "on.aws")


def read(event: Any) -> Template:
    """Reads a macro's request.

    Args:
        event: what CloudFormation sends to a macro's function, as parsed from JSON.

    Raises:
        TemplateError: `fragment` is not a mapping, is nested too deep, or has what an answer in JSON cannot contain.

    See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
    """
    if not isinstance(event, Mapping):
        what = "is not a request of CloudFormation to a macro"
        raise TemplateError([Problem("event", what, "send a macro's request", "wrong-type")])
    fragment = event.get("fragment")
    if not isinstance(fragment, dict):
        what = "is not a template"
        raise TemplateError([Problem("fragment", what, "write a mapping with Resources", "wrong-type")])
    values = mapping(event.get("templateParameterValues"))
    text, around, private = _written(event, fragment)
    mentions = text.count(f'"{PROPERTY}":')
    region = event.get("region") if isinstance(event.get("region"), str) else ""
    account = event.get("accountId") if isinstance(event.get("accountId"), str) else ""
    partition, url_suffix = partition_of(region or "")
    resources: dict[str, dict[str, Json]] = {}
    types: dict[str, str] = {}
    by_type: dict[str, list[str]] = {}
    for name, node in mapping(fragment.get("Resources")).items():
        if isinstance(node, dict):
            kind = node.get("Type")
            resources[name] = node
            types[name] = kind = kind if isinstance(kind, str) else ""
            by_type.setdefault(kind, []).append(name)
    return Template(
        fragment=fragment,
        resources=resources,
        parameters=mapping(fragment.get("Parameters")),
        values=values,
        mappings=mapping(fragment.get("Mappings")),
        region=region or "",
        account=account or "",
        partition=partition,
        url_suffix=url_suffix,
        size=len(text),
        mentions=mentions,
        misspelt=_may_be_misspelt(text.lower(), mentions) and MISSPELT.search(text) is not None,
        has_unexpanded=any(key in said for said in (text, around) for key in ('"Fn::Transform":', '"Fn::ForEach::')),
        types=types,
        by_type=by_type,
        private=private,
    )


def _may_be_misspelt(lower: str, mentions: int) -> bool:
    """Whether a JSON text has what each misspelt `ExecutionRoleSpec` has: to count that is faster than to find it."""
    return lower.count("execution") > mentions and lower.count('spec":') + lower.count('specs":') > mentions


def _written(event: Mapping[str, Any], fragment: dict[str, Json]) -> tuple[str, str, tuple[Problem, ...]]:
    """The fragment as compact JSON, the rest of the event as JSON, and where the event has private characters.

    Raises:
        TemplateError: something in the event cannot be written as JSON in UTF-8, as an answer must be.
    """
    beside = {name: node for name, node in event.items() if name != "fragment"}
    try:
        text = _compact(fragment)
        around = _compact(beside)
    except RecursionError:
        raise TemplateError([TOO_DEEP]) from None
    except ValueError:
        text = around = _ESCAPED
    # Only a character above U+FFFF is written as surrogates. Without one, the values need not be searched. Most texts
    # have no backslash, and one character is found much faster than two.
    if not any("\\" in said and _ESCAPED in said for said in (text, around)):
        return text, around, ()
    names = {"params": SNIPPET, "templateParameterValues": "Parameters"}
    places = [(fragment, ""), *((node, names.get(name, name)) for name, node in beside.items())]
    found = list(islice(_not_text(places), _MOST_PLACES))
    fatal = [problem for problem in found if problem.code == _NOT_JSON]
    if fatal:
        raise TemplateError(fatal)
    return text, around, tuple(found)


# A value that contains itself is nested too deep. To look for one would take a third of the time.
_compact = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode

_ESCAPED = "\\ud"
_NOT_JSON = "not-json"
_MOST_PLACES = 100
_SURROGATE = late_pattern("[\ud800-\udfff]")
_PRIVATE = late_pattern(PRIVATE)
_LARGEST = 10**400
"""More than every finite `float`, with few enough digits for Python to write it."""


def _not_text(places: list[tuple[Json, str]]) -> Iterator[Problem]:
    """What an answer cannot contain, and the private characters, in these nodes and below them, each with its path."""
    while places:
        node, path = places.pop()
        if isinstance(node, dict):
            for key, child in node.items():
                here = f"{path}/{key}" if path else str(key)
                yield from _wrong_text(str(key), here)
                places.append((child, here))
        elif isinstance(node, list):
            places.extend((child, f"{path}/{index}") for index, child in enumerate(node))
        elif isinstance(node, str):
            yield from _wrong_text(node, path)
        elif isinstance(node, (int, float)) and not -_LARGEST < node < _LARGEST:
            what = "is a number that JSON cannot contain"
            yield Problem(path, what, "write a smaller number, or a string", _NOT_JSON)


def _wrong_text(text: str, path: str) -> Iterator[Problem]:
    if text.isascii():
        return
    # So that the path can be written too.
    path = path.encode("ascii", "backslashreplace").decode()
    if _SURROGATE.search(text):
        what = "contains one half of a surrogate pair, which is not a character"
        yield Problem(path, what, "remove it, or write the whole character", _NOT_JSON)
    elif _PRIVATE.search(text):
        what = "contains a character from U+100000 on, which is for private use and is not supported"
        yield Problem(path, what, "remove the character", "private-character")


SNIPPET = "Fn::Transform/Parameters"
"""The path of a snippet's parameters, which are its spec."""

SNIPPET_ROLE = "Role"
"""The logical ID under which a snippet's role is read; nothing can refer to it."""


def of_snippet(template: Template, role_type: str) -> Template:
    """The template that a snippet sees: the role that contains it. `template` has only the properties of this role."""
    role = {"Type": role_type, "Properties": template.fragment}
    return template._replace(fragment={}, resources={SNIPPET_ROLE: role}, types={}, by_type={}, whole=False)


TOO_DEEP = Problem(
    "template", "is nested too deep to be read", "use fewer levels, or move parts of it to other stacks", "too-deep"
)


def mentions(node: Json, path: str = "") -> Iterator[str]:
    """The paths of each key `ExecutionRoleSpec` of a template, except entries of that name: `SECTION/NAME`."""
    stack: list[tuple[str, Json]] = [(path, node)]
    while stack:
        here, current = stack.pop()
        if isinstance(current, dict):
            for key, child in current.items():
                there = f"{here}/{key}" if here else str(key)
                if key == PROPERTY and there.count("/") != 1:
                    yield there
                if isinstance(child, (dict, list)):
                    stack.append((there, child))
        elif isinstance(current, list):
            stack.extend((f"{here}/{index}", child) for index, child in enumerate(current))
