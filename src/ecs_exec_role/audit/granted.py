"""What a role's policies allow, read from a template."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from ecs_exec_role.template.conditions import ALWAYS, Guard, both
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json

_AWS_MANAGED = ":iam::aws:policy/"


class Entry(NamedTuple):
    """One action or resource of a statement: its pattern, as symbolic text, and where it stands."""

    text: str
    guard: Guard
    path: str


class Statement(NamedTuple):
    """One statement of a policy.

    `all_but_actions`: it is written with `NotAction`; `all_but_resources`: with `NotResource`. `path` is a template's
    path (of the policy's reference, where the policy is not in the template), `source` says in words what policy it is.
    `opaque` is true where a part of it cannot be read.
    """

    effect: Literal["Allow", "Deny"]
    actions: tuple[Entry, ...]
    all_but_actions: bool
    resources: tuple[Entry, ...]
    all_but_resources: bool
    condition: Json
    guard: Guard
    path: str
    source: str
    opaque: bool = False


class Unknown(NamedTuple):
    """A policy, or a part of one, that cannot be read here."""

    path: str
    what: str
    fix: str


class Granted(NamedTuple):
    """All that a role's policies say. `policies`: the resources of the template that are its alone or shared."""

    statements: tuple[Statement, ...]
    unknown: tuple[Unknown, ...]
    policies: tuple[str, ...] = ()


@cache
def managed_policies() -> Mapping[str, Any]:
    """The policies of AWS that are known here: their names with path, their version and statements."""
    found: Mapping[str, Any] = json.loads(files(__package__).joinpath("managed_policies.json").read_text("utf-8"))
    return found


def of_role(reader: Reader, role: str) -> Granted:
    """What a role of the template is granted: inline, by managed policies, and by policies of the template."""
    found = _Collector(reader)
    properties = reader.template.properties(role)
    here = f"Resources/{role}/Properties"
    condition = reader.template.condition(role)
    given: Guard = ((condition, True),) if condition else ALWAYS
    for case in reader.each(properties.get("Policies"), given, f"{here}/Policies"):
        policy = mapping(case.node)
        name = policy.get("PolicyName")
        source = f"inline policy {name}" if isinstance(name, str) else "an inline policy"
        if "PolicyDocument" in policy:
            found.document(policy["PolicyDocument"], case.guard, f"{case.path}/PolicyDocument", source)
        else:
            found.unknown.append(
                Unknown(case.path, "this inline policy cannot be read", "write it out to have it judged")
            )
    for case in reader.each(properties.get("ManagedPolicyArns"), given, f"{here}/ManagedPolicyArns"):
        for text in reader.text(case.node, case.guard, case.path):
            found.managed(text.text, text.guard, text.path)
    for name, resource in reader.template.resources.items():
        found.attached(role, name, resource)
    return Granted(tuple(found.statements), tuple(found.unknown), tuple(found.policies))


class _Collector:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.statements: list[Statement] = []
        self.unknown: list[Unknown] = []
        self.policies: list[str] = []

    def attached(self, role: str, name: str, resource: Mapping[str, Json]) -> None:
        """Adds a policy resource of the template that names the role."""
        kind = resource.get("Type")
        properties = mapping(resource.get("Properties"))
        if kind == "AWS::IAM::RolePolicy":
            holders: Json = [properties.get("RoleName")]
        elif kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            holders = properties.get("Roles")
        else:
            return
        condition = resource.get("Condition")
        given: Guard = ((condition, True),) if isinstance(condition, str) else ALWAYS
        here = f"Resources/{name}/Properties"
        for case in self._reader.each(holders, given, f"{here}/Roles"):
            for text in self._reader.text(case.node, case.guard, case.path):
                if self.is_role(text.text, role):
                    self._policy(name, text.guard)

    def _policy(self, name: str, guard: Guard) -> None:
        if name in self.policies:
            return
        self.policies.append(name)
        properties = self._reader.template.properties(name)
        path = f"Resources/{name}/Properties/PolicyDocument"
        self.document(properties.get("PolicyDocument"), guard, path, f"policy {name}")

    def is_role(self, text: str, role: str) -> bool:
        """Whether a policy's `Roles` or `RoleName` names this role: by `Ref`, or by the name that it has."""
        symbols = self._reader.symbols
        if text == symbols.ref(role):
            return True
        name = self._reader.template.properties(role).get("RoleName")
        return name is not None and text in {case.text for case in self._reader.text(name)}

    def managed(self, text: str, guard: Guard, path: str) -> None:
        """Adds a managed policy by its ARN."""
        symbols = self._reader.symbols
        symbol = symbols.sole(text)
        if symbol is not None and self._reader.template.type_of(symbol.name) == "AWS::IAM::ManagedPolicy":
            condition = self._reader.template.condition(symbol.name)
            together = both(guard, ((condition, True),) if condition else ALWAYS)
            if together is not None:
                self._policy(symbol.name, together)
            return
        shown = symbols.show(text)
        name = text.partition(_AWS_MANAGED)[2]
        known = managed_policies().get(name)
        if known is not None:
            self.document(
                {"Statement": known["Statement"]}, guard, path, f"AWS managed policy {name.split('/')[-1]}", inner=False
            )
        elif name:
            what = f"the AWS managed policy {name} is unknown here, so what it allows is not judged"
            self.unknown.append(Unknown(path, what, "audit the deployed role with --role, which reads it from AWS"))
        else:
            what = f"the managed policy `{shown}` is not in this template, so what it allows is not judged"
            self.unknown.append(Unknown(path, what, "audit the deployed role with --role, which reads it from AWS"))

    def document(self, node: Json, guard: Guard, path: str, source: str, *, inner: bool = True) -> None:
        """Adds the statements of a policy document; `inner`: the document itself stands in the template at `path`."""
        for document in self._reader.cases(node, guard, path):
            if not isinstance(document.node, dict) or "Statement" not in document.node:
                self.unknown.append(
                    Unknown(document.path, f"{source} cannot be read", "write it out to have it judged")
                )
                continue
            listed = document.node["Statement"]
            for case in self._reader.each(listed, document.guard, f"{document.path}/Statement"):
                if isinstance(case.node, dict) and case.node.get("Effect") in ("Allow", "Deny"):
                    self.statements.append(self._statement(case.node, case.guard, case.path if inner else path, source))
                elif case.node is not None:
                    what = f"a statement of {source} cannot be read"
                    self.unknown.append(Unknown(case.path, what, "write it out to have it judged"))

    def _statement(self, node: dict[str, Json], guard: Guard, path: str, source: str) -> Statement:
        negated_actions, negated_resources = "NotAction" in node, "NotResource" in node
        with self._reader.problems.aside() as unreadable:
            actions = tuple(self._entries(node, "NotAction" if negated_actions else "Action", guard, path))
            resources = tuple(self._entries(node, "NotResource" if negated_resources else "Resource", guard, path))
        return Statement(
            effect=node["Effect"],
            actions=actions,
            all_but_actions=negated_actions,
            resources=resources,
            all_but_resources=negated_resources,
            condition=node.get("Condition"),
            guard=guard,
            path=path,
            source=source,
            opaque=bool(unreadable),
        )

    def _entries(self, node: dict[str, Json], key: str, guard: Guard, path: str) -> Iterator[Entry]:
        for case in self._reader.each(node.get(key), guard, f"{path}/{key}"):
            for text in self._reader.text(case.node, case.guard, case.path):
                yield Entry(text.text, text.guard, text.path)
