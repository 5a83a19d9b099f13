"""Which definition is started with which role."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.offline import inference
from ecs_exec_role.offline.source_map import value_at
from ecs_exec_role.template.conditions import PathCondition, difference
from ecs_exec_role.template.event import PROPERTY, mapping
from ecs_exec_role.template.reader import Alternative, Reader
from ecs_exec_role.template.related_conditions import RelatedConditions
from ecs_exec_role.template.symbols import Json, references

_ROLE_ARN = re.compile(r"arn:[^:]*:iam::(?P<account>[^:]*):role/(?:.*/)?(?P<name>[^/]+)", re.DOTALL)

# A reference to a role in a policy is not a use of the role.
_POLICIES = ("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
_NO_USE = ("Principal", "DependsOn", "Metadata", "Tags")


class Use(NamedTuple):
    """One definition and the role it is started with.

    `role` is the logical ID of a role of this template; `outside` is the text of a role that is not in it. Both are
    empty where the definition has no execution role; `path` is then the definition's own. `served`: the macro writes
    the role. `exact`: the role is named by `!GetAtt ROLE.Arn`, which the macro understands as a use of a role with a
    spec.
    """

    definition: str
    role: str
    outside: str
    path_condition: PathCondition
    path: str
    served: bool = False
    exact: bool = False


def of_template(reader: Reader) -> Iterator[Use]:
    """Every use of an execution role in a template, except uses of roles that the macro writes."""
    return (use for use in all_uses(reader) if not use.served)


def all_uses(reader: Reader) -> Iterator[Use]:
    """Every use of an execution role in a template, except by definitions that get their role from the macro."""
    served = _served(reader)
    related = RelatedConditions.of(reader.template)
    for name in inference.definitions_of(reader.template.fragment):
        if name in served:
            continue
        given = reader.template.path_condition_of(name)
        found = False
        for holder, _ in definitions.holders(reader, name, given):
            arn = holder.get(definitions.ROLE_PROPERTY)
            for text in arn.texts() if arn.node is not None else ():
                if related.possible(text.path_condition):
                    found = True
                    yield from _of_text(reader, related, name, text)
        if not found:
            yield Use(name, "", "", given, f"Resources/{name}")


def _of_text(reader: Reader, related: RelatedConditions, definition: str, text: Alternative) -> Iterator[Use]:
    """The uses in one `ExecutionRoleArn`.

    A name means a role of the template if that role exists, and otherwise a role from elsewhere.
    """
    outside = text.text or empty_parameter(reader, text.path)
    role = role_named(reader, text.text)
    if not role:
        yield Use(definition, "", outside, text.path_condition, text.path)
        return
    made = reader.template.path_condition_of(role)
    inside = related.together(text.path_condition, made)
    served = PROPERTY in reader.template.properties(role)
    exact = text.text == reader.symbols.get_att(role, "Arn")
    if inside is not None:
        yield Use(definition, role, "", inside, text.path, served=served and exact, exact=exact)
    for path_condition in related.among(difference(text.path_condition, [made])):
        yield Use(definition, "", outside, path_condition, text.path)


def sole(reader: Reader, role: str, used: Iterable[Use]) -> bool:
    """Whether definitions only use one role of the template, each under every condition under which it exists."""
    return all(
        use.role == role and use.path_condition == reader.template.path_condition_of(use.definition) for use in used
    )


def empty_parameter(reader: Reader, path: str) -> str:
    """The parameter at a path whose value is an empty text here, as a symbol: another stack can give it a value."""
    node = value_at(reader.template.fragment, path)
    name = node.get("Ref") if isinstance(node, dict) else None
    return reader.symbols.ref(name) if isinstance(name, str) else ""


def _served(reader: Reader) -> set[str]:
    """The definitions with a spec of their own, or in the `TaskDefinitions` of a role's."""
    found = set()
    for name, resource in reader.template.resources.items():
        properties = mapping(resource.get("Properties"))
        if PROPERTY in properties:
            found.add(name)
            listed = mapping(properties[PROPERTY]).get("TaskDefinitions")
            for entry in listed if isinstance(listed, list) else ():
                found.add(str(entry.get("Ref") if isinstance(entry, dict) else entry))
    return found


def role_named(reader: Reader, text: str) -> str:
    """The logical ID of the template's role that an `ExecutionRoleArn` names; empty if it is none of them.

    ECS accepts a role's ARN or its name.
    """
    symbol = reader.symbols.sole(text)
    if symbol is not None:
        known = reader.template.type_of(symbol.name) == definitions.ROLE
        whole = symbol.kind == "Ref" or (symbol.kind == "GetAtt" and symbol.attribute == "Arn")
        return symbol.name if known and whole else ""
    match = _ROLE_ARN.fullmatch(text)
    if match is None:
        return "" if ":" in text or "/" in text else _role_called(reader, text)
    account, known_account = match["account"], reader.template.account
    if account.isdecimal() and known_account and account != known_account:
        return ""
    symbol = reader.symbols.sole(match["name"])
    if symbol is not None and symbol.kind == "Ref" and reader.template.type_of(symbol.name) == definitions.ROLE:
        return symbol.name
    return _role_called(reader, match["name"])


def _role_called(reader: Reader, name: str) -> str:
    for role in reader.template.by_type.get(definitions.ROLE, ()):
        given = reader.template.properties(role).get("RoleName")
        if given is not None and any(text.text == name for text in reader.text(given)):
            return role
    return ""


def has_name(reader: Reader, role: str) -> bool:
    """Whether a role of the template has a `RoleName`, by which others can refer to it."""
    return "RoleName" in reader.template.properties(role)


def other_users(reader: Reader, role: str) -> list[str]:
    """What in the template refers to a role, except as an execution role, a task role, or in a policy.

    The names of resources, and of loops that only CloudFormation expands.
    """
    found = []
    for name, node in mapping(reader.template.fragment.get("Resources")).items():
        if name == role or mapping(node).get("Type") in _POLICIES:
            continue
        rest = inference.without(_without_passing(node), definitions.ROLE_PROPERTY, *_TASK_ROLES, *_NO_USE)
        if role in references(rest) or (name.startswith("Fn::ForEach") and role in references(node)):
            found.append(name)
    return found


def others_refer_to(reader: Reader, role: str, names: Iterable[str]) -> bool:
    """Whether anything in the template refers to a role, except the `ExecutionRoleArn` of these definitions.

    A policy that is attached to it does not count.
    """
    resources = mapping(reader.template.fragment.get("Resources"))
    rest: dict[str, Json] = {}
    for name, node in resources.items():
        if name == role:
            continue
        keys = [definitions.ROLE_PROPERTY] if name in names else []
        if mapping(node).get("Type") in _POLICIES:
            keys += ["Roles", "RoleName"]
        rest[name] = inference.without(node, *keys) if keys else node
    return role in references({**reader.template.fragment, "Resources": rest})


def _without_passing(node: Json) -> Json:
    """A copy of `node` without the statements that allow to pass roles."""
    if isinstance(node, dict):
        action = str(node.get("Action", "")).lower()
        return {} if "iam:" in action else {key: _without_passing(child) for key, child in node.items()}
    return [_without_passing(item) for item in node] if isinstance(node, list) else node


_TASK_ROLES = ("TaskRoleArn", "JobRoleArn")


def task_roles(reader: Reader) -> set[str]:
    """The roles of the template that containers run with, as `TaskRoleArn` or AWS Batch's `JobRoleArn`."""
    found = set()
    for name in inference.definitions_of(reader.template.fragment):
        for node in inference.values(reader.template.properties(name), _TASK_ROLES):
            for text in reader.text(node):
                role = role_named(reader, text.text)
                if role:
                    found.add(role)
    return found
