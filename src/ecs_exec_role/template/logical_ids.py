"""References to what a template does not have: resources, parameters, pseudo parameters and keys of `Mappings`.

CloudFormation refuses such a template, often without the place: "Unresolved resource dependencies".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain

from ecs_exec_role.errors import Problem
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.event import PROPERTY, Template, mapping
from ecs_exec_role.template.similar_names import likely
from ecs_exec_role.template.symbols import PSEUDO_PARAMETERS, Json, Symbol, Symbols

_ROLE_SUFFIX = "ExecutionRole"
_SERVERLESS = "AWS::Serverless-2016-10-31"
_IMPLICIT = "Serverless"
"""The prefix of the logical IDs that AWS::Serverless makes from the events of functions: `ServerlessRestApi`."""
_ADDERS = ("Fn::Transform", "Fn::ForEach::")
_KNOWN_TRANSFORMS = ("EcsExecRole", "AWS::LanguageExtensions", _SERVERLESS)
"""The transforms that add no resources, or only resources whose logical IDs begin with that of their source."""
_PSEUDO = frozenset((*PSEUDO_PARAMETERS, "AWS::NoValue"))
_DEFINITIONS = ("TaskDefinition", "JobDefinition", "ExpressGatewayService")
_KEYS_OF_MAP = 3


class Lacking(NamedTuple):
    """What is wrong with a reference, and what to write instead."""

    what: str
    fix: str

    def at(self, path: str) -> Problem:
        """The same as a problem of the place where the reference is written."""
        return Problem(path, self.what, self.fix, "not-in-template")


class LogicalIds:
    """What the references of a template can refer to."""

    def __init__(self, template: Template, symbols: Symbols) -> None:
        self._template = template
        self._symbols = symbols

    def lacking(self, symbol: Symbol) -> Iterator[Lacking]:
        """What a symbol refers to and the template does not have."""
        template = self._template
        names = {symbol.name} if symbol.name else self._symbols.names_in(symbol)
        for name in sorted(names):
            if not self._may_exist(name):
                yield _undefined(template, name)
        if symbol.kind == "GetAtt" and symbol.name in template.parameters and symbol.name not in template.types:
            what = f"`{symbol.name}` is a parameter, which has no attributes"
            yield Lacking(what, f"write !Ref {symbol.name}")
        if symbol.kind == "Opaque" and template.whole:
            yield from _not_in_mappings(template, symbol.node)

    def _may_exist(self, name: str) -> bool:
        """Whether a template has this logical ID or parameter, or something may add it before the stack is deployed.

        A snippet does not see the template. The macro adds the roles, AWS::Serverless and modules add resources, and
        loops, includes and other macros can add anything.
        """
        if name.startswith("AWS::"):
            return name in _PSEUDO
        template = self._template
        if name in template.types or name in template.parameters or not template.whole:
            return True
        resources = mapping(template.fragment.get("Resources"))
        if name in resources or name.removesuffix(_ROLE_SUFFIX) in resources:
            return True
        return self._anything_may_be_added or name.startswith(self._prefixes_of_added)

    @cached_property
    def _anything_may_be_added(self) -> bool:
        fragment = self._template.fragment
        sections = (fragment, mapping(fragment.get("Resources")), mapping(fragment.get("Parameters")))
        if any(key.startswith(_ADDERS) for section in sections for key in section):
            return True
        return any(transform not in _KNOWN_TRANSFORMS for transform in _transforms(self._template))

    @cached_property
    def _prefixes_of_added(self) -> tuple[str, ...]:
        """The prefixes of the logical IDs that a transform makes from a resource."""
        made = [logical_id for logical_id, kind in self._template.types.items() if _makes_others(kind)]
        return (*made, *((_IMPLICIT,) if made or _SERVERLESS in _transforms(self._template) else ()))


def _makes_others(kind: str) -> bool:
    """Whether a transform makes further resources from one of this type, with logical IDs that begin with its own."""
    return kind.startswith("AWS::Serverless::") or kind.endswith("::MODULE")


def is_granted_for(template: Template, path: str) -> bool:
    """Whether the value at a path can become part of a grant: those of a definition, of its services, and of a spec."""
    section, _, rest = path.partition("/")
    owner, _, inside = rest.partition("/")
    kind = template.types.get(owner, "")
    of_definition = kind.startswith(("AWS::ECS::", "AWS::Batch::")) and kind.endswith(_DEFINITIONS)
    inside = inside.removeprefix("Properties/")
    of_service = kind == "AWS::ECS::Service" and inside.startswith("ServiceConnectConfiguration/")
    return section == "Resources" and (
        inside.startswith(PROPERTY)
        or of_service
        or (of_definition and not inside.startswith(("ExecutionRoleArn", "TaskRoleArn")))
    )


def _transforms(template: Template) -> list[object]:
    """What the template names in `Transform`, as far as the macro sees it."""
    named = template.fragment.get("Transform", [])
    return list(named) if isinstance(named, list) else [named]


def _undefined(template: Template, name: str) -> Lacking:
    if name.startswith("AWS::"):
        guess = likely(name, PSEUDO_PARAMETERS)
        fix = f"write one of {', '.join(PSEUDO_PARAMETERS)}"
        return Lacking(f"`{name}` is not a pseudo parameter", f"did you mean {guess}? Write that" if guess else fix)
    guess = likely(name, chain(template.types, template.parameters))
    fix = "write the logical ID of a resource, or list the macro that adds it before EcsExecRole in Transform"
    return Lacking(f"`{name}` is not in this template", f"did you mean {guess}? Write that" if guess else fix)


def _not_in_mappings(template: Template, node: Json) -> Iterator[Lacking]:
    """The literal keys of each `Fn::FindInMap`, at any depth, that `Mappings` does not have."""
    if isinstance(node, list):
        for item in node:
            yield from _not_in_mappings(template, item)
    elif isinstance(node, dict):
        for name, argument in node.items():
            keys = argument if name == "Fn::FindInMap" and isinstance(argument, list) else []
            if len(keys) == _KEYS_OF_MAP:
                yield from _not_in_map(template.mappings, keys)
            yield from _not_in_mappings(template, argument)


def _not_in_map(mappings: Mapping[str, Json], keys: list[Json]) -> Iterator[Lacking]:
    place, node = "Mappings", mappings
    for key in keys:
        if not isinstance(key, str) or not isinstance(node, dict) or "Fn::Transform" in node:
            return
        if key not in node:
            guess = likely(key, node)
            fix = f"did you mean {guess}? Write that" if guess else "write a key that it has"
            yield Lacking(f"{place} has no `{key}`", fix)
            return
        place, node = f"{place}/{key}", node[key]
