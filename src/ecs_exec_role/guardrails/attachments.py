"""What attaches a policy to a role from elsewhere in the template.

A policy can name a role by its name, and a name can be passed on: by a parameter, an attribute that returns what the
template has, or an output. So a name that is not certainly another role's counts as this role's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ecs_exec_role.guardrails.names import Name
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.definitions import ROLE
from ecs_exec_role.template.budget import current
from ecs_exec_role.template.conditions import ALWAYS
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Alternative, Reader, is_intrinsic
from ecs_exec_role.template.symbols import Json, is_symbolic, references

POLICY = "AWS::IAM::Policy"
ROLE_POLICY = "AWS::IAM::RolePolicy"
MANAGED_POLICY = "AWS::IAM::ManagedPolicy"
INSTANCE_PROFILE = "AWS::IAM::InstanceProfile"
BUDGETS_ACTION = "AWS::Budgets::BudgetsAction"
CONNECTOR = "AWS::Serverless::Connector"

# The properties in which each type names its roles.
_NAMES: Mapping[str, tuple[str, ...]] = {
    POLICY: ("Roles",),
    ROLE_POLICY: ("RoleName",),
    MANAGED_POLICY: ("Roles",),
    INSTANCE_PROFILE: ("Roles",),
    BUDGETS_ACTION: ("Definition", "IamActionDefinition", "Roles"),
}

# The properties in which the ends of a connector name their roles: SAM adds a policy to the role of one of them.
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/managing-permissions-connectors.html
_ENDS = ("Source", "Destination")
_ROLES_OF_AN_END = ("Role", "RoleArn", "ServiceRoleArn")


_STEPS = 5
"""The work of comparing two names, in steps of the budget."""


class Attachment(NamedTuple):
    """A resource that attaches, or can attach, a policy to a role.

    `path` is where it names the role; `certain`: it refers to the role by its logical ID, or writes its name.
    """

    kind: str
    logical_id: str
    path: str
    certain: bool


class _Named(NamedTuple):
    """A place that names roles: the references in it, and every text that a name there can be."""

    kind: str
    logical_id: str
    path: str
    references: frozenset[str]
    texts: frozenset[str]
    anything: bool


class Attachments:
    """The attachments of one template, read once for all its roles."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._places: list[_Named] | None = None

    def of(self, role_id: str, name: Name) -> Iterator[Attachment]:
        """Those of one role.

        Args:
            role_id: the logical ID of the role.
            name: the names that it can have.
        """
        if self._places is None:
            self._places = list(self._read())
        for place in self._places:
            current().spend(1 + _STEPS * len(place.texts))
            if role_id in place.references or place.anything:
                yield Attachment(place.kind, place.logical_id, place.path, certain=role_id in place.references)
            elif any(name.may_be(text) for text in place.texts):
                certain = any(name.is_written(text) for text in place.texts)
                yield Attachment(place.kind, place.logical_id, place.path, certain)

    def _read(self) -> Iterator[_Named]:
        for logical_id, resource in self._reader.template.resources.items():
            kind = self._reader.template.types.get(logical_id, "")
            properties = Cursor.of_resource(self._reader, logical_id)
            if kind in _NAMES:
                yield self._named(kind, logical_id, list(_follow(properties, _NAMES[kind])), properties.path)
            elif kind == CONNECTOR:
                yield self._connector(logical_id, properties, _ENDS)
            # SAM also accepts connectors as an attribute of their source.
            connectors = Cursor(self._reader, ALWAYS, resource.get("Connectors"), f"Resources/{logical_id}/Connectors")
            for connector in connectors.entries():
                yield self._connector(logical_id, connector.get("Properties"), ("Destination",), logical_id)

    def _named(self, kind: str, logical_id: str, places: list[Cursor], path: str) -> _Named:
        nodes = [place.node for place in places]
        with self._reader.problems.aside():  # CloudFormation refuses a value that is not a name.
            texts = {text.text for place in places for item in place.items() for text in item.texts()}
        return _Named(
            kind,
            logical_id,
            places[0].path if places else path,
            frozenset(references(nodes)),
            frozenset(text for text in texts if not self._is_another_roles(text)),
            _refers_indirectly(nodes) or self._has_function_as_properties(logical_id),
        )

    def _has_function_as_properties(self, logical_id: str) -> bool:
        """Whether only CloudFormation knows the properties; what another macro expands is refused elsewhere."""
        node = self._reader.template.resources[logical_id].get("Properties")
        return is_intrinsic(node) and not next(iter(mapping(node))).startswith(("Fn::ForEach::", "Fn::Transform"))

    def _is_another_roles(self, text: str) -> bool:
        """Whether this is `!Ref` of a role of the template; a `!Ref` of this role is in `references`."""
        symbol = self._reader.symbols.sole(text)
        return symbol is not None and symbol.kind == "Ref" and self._reader.template.types.get(symbol.name) == ROLE

    # -- connectors ---------------------------------------------------------------------------------------------------

    def _connector(self, logical_id: str, properties: Cursor, ends: tuple[str, ...], source: str = "") -> _Named:
        found: list[_Named] = []
        if source:
            found.append(self._end(logical_id, Cursor(self._reader, ALWAYS, {"Id": source}, properties.path)))
        found += [self._end(logical_id, item) for end in ends for item in properties.get(end).items()]
        return _Named(
            CONNECTOR,
            logical_id,
            found[0].path if found else properties.path,
            frozenset().union(*(end.references for end in found)),
            frozenset().union(*(end.texts for end in found)),
            any(end.anything for end in found),
        )

    def _end(self, connector: str, end: Cursor) -> _Named:
        """The roles of one end of a connector: named by `RoleName`, or by the resource behind `Id`."""
        places = [end.get("RoleName")] if end.has("RoleName") else []
        named = mapping(end.node).get("Id")
        anything = not isinstance(end.node, dict) or is_intrinsic(end.node) or not isinstance(named, (str, type(None)))
        texts: set[str] = set()
        if isinstance(named, str):
            anything = named not in self._reader.template.resources
            properties = Cursor.of_resource(self._reader, named)
            roles = [properties.get(key) for key in _ROLES_OF_AN_END if properties.has(key)]
            targets = [item.get("RoleArn") for item in properties.get("Targets").items() if item.has("RoleArn")]
            places += [*roles, *targets]
            with self._reader.problems.aside():
                texts = {name for place in (*roles, *targets) for text in place.texts() for name in self._name_of(text)}
            found = self._named(CONNECTOR, connector, places, end.path)
            return found._replace(path=end.path, texts=frozenset(texts), anything=anything or found.anything)
        return self._named(CONNECTOR, connector, places, end.path)._replace(path=end.path, anything=anything)

    def _name_of(self, arn: Alternative) -> Iterator[str]:
        """The name in a role's ARN; empty if it is certainly another role's."""
        symbol = self._reader.symbols.sole(arn.text)
        types = self._reader.template.types
        if (
            symbol is not None
            and symbol.kind == "GetAtt"
            and symbol.attribute == "Arn"
            and types.get(symbol.name) == ROLE
        ):
            return
        name = arn.text.rpartition("/")[2]
        # A value that is only known later can contain a slash and the complete name.
        yield name[max((index for index, character in enumerate(name) if is_symbolic(character)), default=0) :]


def _follow(start: Cursor, steps: tuple[str, ...]) -> Iterator[Cursor]:
    """The places below these keys; a function in between counts as every value that it can return."""
    key, *rest = steps
    place = start.get(key)
    if not rest:
        yield place
        return
    for case in place.cases():
        if case.is_intrinsic():
            yield case
        else:
            yield from _follow(case, tuple(rest))


def _refers_indirectly(node: Json) -> bool:
    """Whether a reference in `node` has a name that `AWS::LanguageExtensions` has not yet composed."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, list):
            stack.extend(current)
        elif isinstance(current, dict):
            for name, child in current.items():
                if name == "Ref" and not isinstance(child, str):
                    return True
                if name == "Fn::GetAtt" and isinstance(child, list) and not (child and isinstance(child[0], str)):
                    return True
                stack.append(child)
    return False
