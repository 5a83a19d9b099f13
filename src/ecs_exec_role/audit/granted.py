"""What a role's policies allow, read from a template."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from ecs_exec_role.audit import sentences
from ecs_exec_role.audit.documents import documents
from ecs_exec_role.audit.uses import empty_parameter
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.policies.patterns import overlaps
from ecs_exec_role.template import spelling
from ecs_exec_role.template.conditions import ALWAYS, PathCondition, both
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json, is_symbolic

_AWS_SOURCE = "AWS managed policy "
_AWS_MANAGED = ":iam::aws:policy/"


class Pattern(NamedTuple):
    """One action or resource of a statement: its pattern, as symbolic text, and its place.

    `written` is how the template writes it, with the names of its parameters; empty if that is not one text.
    """

    text: str
    path_condition: PathCondition
    path: str
    written: str = ""


class GrantedStatement(NamedTuple):
    """One statement of a policy.

    `all_but_actions`: it is written with `NotAction`; `all_but_resources`: with `NotResource`. `path` is a template's
    path (of the policy's reference, where the policy is not in the template), `source` says in words what policy it is.
    `opaque` is true where a part of it cannot be read, `managed_by_aws` where it is of a policy that only AWS changes.
    """

    effect: Literal["Allow", "Deny"]
    actions: tuple[Pattern, ...]
    all_but_actions: bool
    resources: tuple[Pattern, ...]
    all_but_resources: bool
    condition: Json
    path_condition: PathCondition
    path: str
    source: str
    opaque: bool = False
    managed_by_aws: bool = False


class Unknown(NamedTuple):
    """A policy, or a part of one, that cannot be read here."""

    path: str
    what: str
    fix: str


class Granted(NamedTuple):
    """All statements of a role's policies. `policies`: the policy resources of the template that it has."""

    statements: tuple[GrantedStatement, ...]
    unknown: tuple[Unknown, ...]
    policies: tuple[str, ...] = ()


@cache
def managed_policies() -> Mapping[str, Any]:
    """The managed policies of AWS that are known here: their names with path, their versions and statements.

    scripts/managed_policies.py renews them. The file has the date and the source.
    """
    found = json.loads(files(__package__).joinpath("managed_policies.json").read_text("utf-8"))
    known: Mapping[str, Any] = found["Policies"]
    return known


def of_role(reader: Reader, role: str) -> Granted:
    """What a role of the template is granted: inline, by managed policies, and by policies of the template."""
    found = _Collector(reader)
    properties = reader.template.properties(role)
    here = f"Resources/{role}/Properties"
    condition = reader.template.condition(role)
    given: PathCondition = ((condition, True),) if condition else ALWAYS
    for case in reader.each(properties.get("Policies"), given, f"{here}/Policies"):
        policy = mapping(case.node)
        name = policy.get("PolicyName")
        source = f"inline policy {name}" if isinstance(name, str) else "an inline policy"
        if "PolicyDocument" in policy:
            found.document(policy["PolicyDocument"], case.path_condition, f"{case.path}/PolicyDocument", source)
        else:
            found.unreadable(case.path, "an inline policy")
    for case in reader.each(properties.get("ManagedPolicyArns"), given, f"{here}/ManagedPolicyArns"):
        for text in reader.text(case.node, case.path_condition, case.path):
            named = text.text or empty_parameter(reader, text.path)
            found.managed(named, text.path_condition, text.path)
    if any(key.startswith("Fn::") for key in properties):
        found.unreadable(here, "what Fn::Transform makes of the role")
    for name, resource in reader.template.resources.items():
        found.attached(role, name, resource)
    return Granted(tuple(found.statements), tuple(found.unknown), tuple(found.policies))


def of_policies(reader: Reader, logical_id: str) -> Granted:
    """What `Policies` of a function or a state machine of AWS SAM grant to the role that SAM makes for it.

    None of SAM's policy templates allows `iam:PassRole`, and only `EcsRunTaskPolicy` allows `ecs:RunTask`. See
    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-template-list.html
    """
    found = _Collector(reader)
    given = reader.template.path_condition_of(logical_id)
    here = f"Resources/{logical_id}/Properties/Policies"
    for case in reader.each(reader.template.properties(logical_id).get("Policies"), given, here):
        node = mapping(case.node)
        if "Statement" in node:
            found.document(node, case.path_condition, case.path, f"a policy of {logical_id}")
        elif len(node) == 1 and not next(iter(node)).startswith(("Fn::", "Ref")):
            if "EcsRunTaskPolicy" in node:
                runs = {"Statement": {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*"}}
                found.document(runs, case.path_condition, case.path, "SAM's EcsRunTaskPolicy", inner=False)
        else:
            for text in reader.text(case.node, case.path_condition, case.path):
                found.managed(_with_arn(text.text), text.path_condition, text.path)
    return Granted(tuple(found.statements), tuple(found.unknown), tuple(found.policies))


def _with_arn(text: str) -> str:
    """The ARN of a managed policy of AWS; SAM also accepts the name alone."""
    for name in (text, f"service-role/{text}"):
        if name in managed_policies():
            return f"arn:aws{_AWS_MANAGED}{name}"
    return text


class _Collector:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.statements: list[GrantedStatement] = []
        self.unknown: list[Unknown] = []
        self.policies: list[str] = []
        self._added: set[tuple[str, PathCondition]] = set()

    def attached(self, role: str, name: str, resource: Mapping[str, Json]) -> None:
        """Adds a policy resource of the template that names the role."""
        kind = resource.get("Type")
        properties = mapping(resource.get("Properties"))
        if kind == "AWS::IAM::RolePolicy":
            key: str = "RoleName"
            holders: Json = [properties.get("RoleName")]
        elif kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            key, holders = "Roles", properties.get("Roles")
        else:
            return
        given = self._reader.template.path_condition_of(name)
        path = f"Resources/{name}/Properties/{key}"
        for case in self._reader.each(holders, given, path):
            for text in self._reader.text(case.node, case.path_condition, case.path):
                if self.is_role(text.text, role):
                    self._policy(name, text.path_condition)
                elif self._may_be_role(text.text, role):
                    shown = self._reader.symbols.show(text.text)
                    self.unknown.append(Unknown(text.path, *sentences.policy_may_belong(name, shown, role)))

    def _policy(self, name: str, path_condition: PathCondition) -> None:
        if (name, path_condition) in self._added:
            return
        self._added.add((name, path_condition))
        if name not in self.policies:
            self.policies.append(name)
        properties = self._reader.template.properties(name)
        path = f"Resources/{name}/Properties/PolicyDocument"
        self.document(properties.get("PolicyDocument"), path_condition, path, f"policy {name}")

    def is_role(self, text: str, role: str) -> bool:
        """Whether a policy's `Roles` or `RoleName` names this role: by `Ref`, or by the name that it has."""
        return text == self._reader.symbols.ref(role) or text in self._names(role)

    def _may_be_role(self, text: str, role: str) -> bool:
        symbol = self._reader.symbols.sole(text)
        if symbol is not None and self._reader.template.type_of(symbol.name):
            return False
        return is_symbolic(text) and any(overlaps(text, name) for name in self._names(role))

    def _names(self, role: str) -> set[str]:
        name = self._reader.template.properties(role).get("RoleName")
        return set() if name is None else {case.text for case in self._reader.text(name)}

    def unreadable(self, path: str, source: str) -> None:
        """Adds that a policy cannot be read."""
        self.unknown.append(Unknown(path, *sentences.policy_unreadable(source)))

    def managed(self, text: str, path_condition: PathCondition, path: str) -> None:
        """Adds a managed policy by its ARN."""
        symbols = self._reader.symbols
        symbol = symbols.sole(text)
        if symbol is not None and self._reader.template.type_of(symbol.name) == "AWS::IAM::ManagedPolicy":
            condition = self._reader.template.condition(symbol.name)
            together = both(path_condition, ((condition, True),) if condition else ALWAYS)
            if together is not None:
                self._policy(symbol.name, together)
            return
        shown = symbols.show(text)
        name = text.partition(_AWS_MANAGED)[2]
        known = managed_policies().get(name)
        if known is not None:
            self.document(
                {"Statement": known["Statement"]},
                path_condition,
                path,
                f"{_AWS_SOURCE}{name.split('/')[-1]}",
                inner=False,
            )
        elif name:
            self.unknown.append(Unknown(path, *sentences.aws_policy_unknown(name)))
        else:
            self.unknown.append(Unknown(path, *sentences.policy_outside(shown)))

    def document(
        self, node: Json, path_condition: PathCondition, path: str, source: str, *, inner: bool = True
    ) -> None:
        """Adds the statements of a policy document; `inner`: the document itself is in the template at `path`."""
        for document in documents(self._reader, node, path_condition, path):
            if document.node is None or "Statement" not in document.node:
                self.unreadable(document.path, source)
                continue
            top = f"{document.path}/Statement"
            for case in self._reader.each(document.node["Statement"], document.path_condition, top):
                here = case.path if inner and document.inner else document.path
                if isinstance(case.node, dict) and case.node.get("Effect") in ("Allow", "Deny"):
                    self.statements.append(self._statement(case.node, case.path_condition, here, source))
                elif case.node is not None:
                    self.unreadable(here, f"a statement of {source}")

    def _statement(
        self, node: dict[str, Json], path_condition: PathCondition, path: str, source: str
    ) -> GrantedStatement:
        negated_actions, negated_resources = "NotAction" in node, "NotResource" in node
        with self._reader.problems.aside() as unreadable:
            actions = tuple(self._entries(node, "NotAction" if negated_actions else "Action", path_condition, path))
            resources = tuple(
                self._entries(node, "NotResource" if negated_resources else "Resource", path_condition, path)
            )
        return GrantedStatement(
            effect=node["Effect"],
            actions=actions,
            all_but_actions=negated_actions,
            resources=resources,
            all_but_resources=negated_resources,
            condition=node.get("Condition"),
            path_condition=path_condition,
            path=path,
            source=source,
            opaque=bool(unreadable),
            managed_by_aws=source.startswith(_AWS_SOURCE),
        )

    def _entries(self, node: dict[str, Json], key: str, path_condition: PathCondition, path: str) -> Iterator[Pattern]:
        for case in self._reader.each(node.get(key), path_condition, f"{path}/{key}"):
            texts = self._reader.text(case.node, case.path_condition, case.path)
            written = spelling.shown(case.node) if len(texts) == 1 and isinstance(case.node, dict) else ""
            for text in texts:
                # IAM refuses an empty text, so a parameter with an empty default has another value where the role is
                # used.
                value = text.text or empty_parameter(self._reader, text.path)
                yield Pattern(value, text.path_condition, text.path, written)
