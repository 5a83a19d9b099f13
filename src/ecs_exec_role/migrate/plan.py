"""Decides what a template must become to use the macro."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ecs_exec_role.audit import granted, report, uses
from ecs_exec_role.audit.report import Found, RoleAudit
from ecs_exec_role.errors import Problem
from ecs_exec_role.migrate.edits import Delete, Edit, Insert, NotEditable, Path, Replace, apply
from ecs_exec_role.needs import definitions
from ecs_exec_role.offline import inference, macro_call
from ecs_exec_role.offline.errors import InvalidTemplate, LocatedProblem
from ecs_exec_role.offline.loops import LOOP
from ecs_exec_role.offline.macro_call import MACRO, StackValues
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.template.conditions import ALWAYS, diagram, when
from ecs_exec_role.template.event import PROPERTY, mapping
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json, references

_KEPT_ON_SPEC = ("Path", "Description", "PermissionsBoundary", "MaxSessionDuration", "Tags")
"""A role's properties that a spec can say; not its name, since a new role cannot have an old one's."""

_DROPPED = ("AssumeRolePolicyDocument", "Policies", "ManagedPolicyArns")


class Step(NamedTuple):
    """One role that the macro takes over: what to tell about it, the findings that say what changes, and its Denys."""

    said: str
    line: int
    findings: tuple[Found, ...]
    denied: tuple[str, ...]


class Left(NamedTuple):
    """A definition or a role that stays as it is, and why."""

    mistake: LocatedProblem


class Migration(NamedTuple):
    """A migrated template; the very same one, if there was nothing to migrate.

    `defaults` are the parameters whose defaults this rests on.
    """

    template: TemplateFile
    steps: tuple[Step, ...]
    left: tuple[Left, ...]
    defaults: tuple[str, ...]


def migrate(template: TemplateFile, stack: StackValues, *, keep_roles: bool = False, every: bool = False) -> Migration:
    """Migrates a template.

    Args:
        template: as it is.
        stack: where it is deployed, for what hangs on that.
        keep_roles: leave every role in its place, with a spec of its own.
        every: also give a role of its own to what has one from outside, or none and needs one.
    """
    return _Migrator(template, stack, keep_roles=keep_roles).run(every=every)


class _Migrator:
    def __init__(self, template: TemplateFile, stack: StackValues, *, keep_roles: bool) -> None:
        self.original = template
        self.template = template
        self.stack = stack
        self.keep_roles = keep_roles
        self.left: list[Left] = []
        self.steps: list[Step] = []

    def run(self, *, every: bool) -> Migration:
        audits = report.of(self.template, self.stack)
        for audit in audits:
            in_template = audit.role in self.template.data["Resources"]
            if not audit.definitions:
                continue
            if in_template:
                self._role(audit)
            elif every:
                self._own(audit)
            elif audit.role:
                what = f"the execution role of {', '.join(audit.definitions)} is not in this template, and is left"
                self._leave(audit.path, what, "migrate the template it is in, or give --all to have roles made here")
        for name, node in self.original.data["Resources"].items():
            if name.startswith(LOOP) and _defines(node):
                what = "is a loop, and the definitions in it are left"
                self._leave(f"Resources/{name}", what, f"write {PROPERTY} in the loop by hand")
        defaults = inference.defaults(self.original, self.stack)
        return Migration(self.template, tuple(self.steps), tuple(self.left), defaults)

    def _leave(self, path: str, what: str, fix: str) -> None:
        self.left.append(Left(self.original.mistake(Problem(path, what, fix, "not-migrated"))))

    # -- a role of the template ---------------------------------------------------------------------------------------

    def _role(self, audit: RoleAudit) -> None:
        reader = report.reader_of(self.template, self.stack)
        problem = self._obstacle(audit, reader)
        if problem is not None:
            self._leave(*problem)
            return
        grants = granted.of_role(reader, audit.role)
        whole = not self.keep_roles and self._may_go(audit, grants.policies)
        carried = _carried(self.template.data, reader, grants, audit.findings)
        if whole:
            edits = self._without_role(audit, grants.policies, carried)
        else:
            edits = self._on_role(audit, grants.policies, carried)
        if whole:
            where = f"the role is gone, and {PROPERTY} stands on {audit.definitions[0]}"
        else:
            where = f"{PROPERTY} stands on the role"
        denied = [statement.path for statement in grants.statements if statement.effect == "Deny"]
        self._step(audit, edits, f"{audit.role}: {where}", denied)

    def _obstacle(self, audit: RoleAudit, reader: Reader) -> tuple[str, str, str] | None:
        """Why a role cannot be taken over, as a path, what is so, and what to do."""
        path = f"Resources/{audit.role}"
        if audit.role in uses.task_roles(reader):
            fix = "give the containers a task role of their own first"
            return path, f"{audit.role} is a task role too, and is left", fix
        if audit.role in report.exported_roles(reader):
            fix = f"write the {PROPERTY} by hand, with what other stacks need of the role in its lists"
            return path, f"{audit.role} is exported, so other stacks may use it, and is left", fix
        for use in uses.of_template(reader):
            if use.definition not in audit.definitions:
                continue
            resource = self.template.data["Resources"][use.definition]
            condition = resource.get("Condition")
            given = ((condition, True),) if isinstance(condition, str) else ALWAYS
            if use.role != audit.role or use.path_condition != given:
                what = f"the execution role of {use.definition} hangs on a condition or differs by part, and is left"
                return use.path, what, f"write the {PROPERTY} by hand"
        properties = mapping(self.template.data["Resources"][audit.role].get("Properties"))
        if any(key.startswith("Fn::") for key in properties):
            return path, f"{audit.role} is made by Fn::Transform, and is left", f"write the {PROPERTY} by hand"
        for finding in audit.findings:
            if finding.code in ("trust-other-principals", "trust-lacking", "trust-unreadable"):
                return finding.path, f"{finding.what}, and is left", finding.fix
            if finding.code == "policy-unreadable" and "/ManagedPolicyArns" not in finding.path:
                return finding.path, f"{finding.what}, so {audit.role} is left", finding.fix
        return None

    def _may_go(self, audit: RoleAudit, policies: Sequence[str]) -> bool:
        """Whether nothing but its one definition and its own policies refers to the role."""
        resources = self.template.data["Resources"]
        role = resources[audit.role]
        if len(audit.definitions) != 1 or set(role) - {"Type", "Properties", "Condition"}:
            return False
        [definition] = audit.definitions
        properties = mapping(role.get("Properties"))
        if set(properties) - {*_KEPT_ON_SPEC, *_DROPPED} or role.get("Condition") not in (
            None,
            resources[definition].get("Condition"),
        ):
            return False
        made = f"{definition}ExecutionRole"
        if made in resources and made != audit.role:
            return False
        without = {name: node for name, node in resources.items() if name != audit.role and name not in policies}
        without[definition] = inference.without(resources[definition], definitions.ROLE_PROPERTY)
        rest = {**self.template.data, "Resources": without}
        return audit.role not in references(rest) and audit.role not in _awaited(without)

    def _without_role(self, audit: RoleAudit, policies: Sequence[str], carried: list[Json]) -> list[Edit]:
        """The edits that put a spec on the definition in the place of its role."""
        [definition] = audit.definitions
        role = self.template.data["Resources"][audit.role]
        properties = mapping(role.get("Properties"))
        spec: Json = {key: properties[key] for key in _KEPT_ON_SPEC if key in properties}
        unknown = self._unknown_policies(audit.role, policies)
        if unknown:
            spec["ManagedPolicyArns"] = unknown
        if carried:
            spec["Statements"] = carried
        edits = list(self._spec_on(definition, spec or "Auto"))
        edits.append(Delete(("Resources", audit.role)))
        return [*edits, *self._without_policies(audit.role, policies)]

    def _spec_on(self, definition: str, spec: Json) -> Iterator[Edit]:
        """The edits that put a spec where a definition has its `ExecutionRoleArn`."""
        top: Path = ("Resources", definition, "Properties")
        places = list(_arns(self.template.data["Resources"][definition]["Properties"], top))
        if (*top, definitions.ROLE_PROPERTY) in places:
            yield Replace((*top, definitions.ROLE_PROPERTY), PROPERTY, spec)
            places.remove((*top, definitions.ROLE_PROPERTY))
        else:
            yield Insert(top, PROPERTY, spec)
        yield from map(Delete, places)

    def _on_role(self, audit: RoleAudit, policies: Sequence[str], carried: list[Json]) -> list[Edit]:
        """The edits that turn a role into one with a spec, under its own logical ID."""
        top: Path = ("Resources", audit.role, "Properties")
        properties = self.template.data["Resources"][audit.role]["Properties"]
        spec: Json = {"TaskDefinitions": list(audit.definitions)}
        if carried:
            spec["Statements"] = carried
        first, *rest = [key for key in _DROPPED if key in properties]
        edits: list[Edit] = [Replace((*top, first), PROPERTY, spec)]
        for key in rest:
            unknown = self._unknown_policies(audit.role, policies) if key == "ManagedPolicyArns" else []
            edits.append(Replace((*top, key), key, unknown) if unknown else Delete((*top, key)))
        for definition in audit.definitions:
            there: Path = ("Resources", definition, "Properties")
            edits.extend(map(Delete, _arns(self.template.data["Resources"][definition]["Properties"], there)))
        return [*edits, *self._without_policies(audit.role, policies)]

    def _unknown_policies(self, role: str, policies: Sequence[str]) -> list[Json]:
        """The managed policies that nobody here can read: they stay, lest access is lost unseen."""
        listed = mapping(self.template.data["Resources"][role].get("Properties")).get("ManagedPolicyArns")
        reader = report.reader_of(self.template, self.stack)
        kept = []
        for item in listed if isinstance(listed, list) else []:
            for text in reader.text(item):
                symbol = reader.symbols.sole(text.text)
                name = text.text.partition(":iam::aws:policy/")[2]
                if (symbol is None or symbol.name not in policies) and name not in granted.managed_policies():
                    kept.append(item)
                    break
        return kept

    def _without_policies(self, role: str, policies: Sequence[str]) -> Iterator[Edit]:
        """The edits that take away the policies that are the role's alone, and the role from those of others."""
        resources = self.template.data["Resources"]
        gone = []
        for name in policies:
            properties = mapping(resources[name].get("Properties"))
            holders = properties.get("Roles", [properties.get("RoleName")])
            mine = (
                [index for index, item in enumerate(holders) if item == {"Ref": role}]
                if isinstance(holders, list)
                else []
            )
            others = {key: node for key, node in resources.items() if key not in (name, role)}
            used_by_others = name in references({**self.template.data, "Resources": others})
            has_other_holders = any(properties.get(key) for key in ("Users", "Groups"))
            if isinstance(holders, list) and len(mine) == len(holders) and not used_by_others and not has_other_holders:
                gone.append(name)
                yield Delete(("Resources", name))
            elif mine and isinstance(holders, list):
                top: Path = ("Resources", name, "Properties")
                if len(mine) == len(holders):
                    yield Delete((*top, "Roles"))
                else:
                    yield from (Delete((*top, "Roles", str(index))) for index in mine)
            elif "Roles" not in properties and "RoleName" not in properties and not used_by_others:
                gone.append(name)
                yield Delete(("Resources", name))
        for name, node in resources.items():
            awaited = mapping(node).get("DependsOn")
            listed = awaited if isinstance(awaited, list) else [awaited]
            left = [item for item in listed if item not in gone]
            if name in gone or len(left) == len(listed):
                continue
            path: Path = ("Resources", name, "DependsOn")
            if left:
                yield from (Delete((*path, str(index))) for index, item in enumerate(listed) if item in gone)
            else:
                yield Delete(path)

    # -- a definition without a role here -----------------------------------------------------------------------------

    def _own(self, audit: RoleAudit) -> None:
        for definition in audit.definitions:
            self._step(audit, list(self._spec_on(definition, "Auto")), f"{definition}: {PROPERTY} stands on it")

    # -- doing it -----------------------------------------------------------------------------------------------------

    def _step(self, audit: RoleAudit, edits: list[Edit], said: str, denied: Iterable[str] = ()) -> None:
        """Makes the edits, if the macro can expand what comes out."""
        try:
            edited = apply(self.template, [*self._transform(), *edits])
        except NotEditable as error:
            what = f"{audit.role or audit.definitions[0]} cannot be rewritten: {error}"
            self._leave(audit.path, what, "write the spec by hand")
            return
        try:
            macro_call.expanded(edited, self.stack)
        except InvalidTemplate as mistakes:
            for mistake in mistakes.problems:
                what = f"{mistake.what}, so {audit.role or audit.definitions[0]} is left"
                path = _path_before(mistake.path, self.original)
                self.left.append(Left(self.original.mistake(Problem(path, what, mistake.fix, "not-migrated"))))
            return
        self.template = edited
        self.steps.append(Step(said, audit.line, audit.findings, tuple(denied)))

    def _transform(self) -> Iterator[Edit]:
        data = self.template.data
        if "Transform" not in data:
            yield Insert((), "Transform", MACRO, after="AWSTemplateFormatVersion")
            return
        listed = data["Transform"] if isinstance(data["Transform"], list) else [data["Transform"]]
        if not any((item.get("Name") if isinstance(item, dict) else item) == MACRO for item in listed):
            yield Replace(("Transform",), "Transform", [*listed, MACRO])


def _defines(loop: Json) -> bool:
    """Whether a loop makes definitions that have a role now."""
    text = json.dumps(loop)
    return definitions.ROLE_PROPERTY in text and any(f'"{kind}"' in text for kind in definitions.TYPES)


CARRIED = ("use-uncertain", "used-elsewhere")
"""The codes of findings about permissions that may be needed, so that they stay."""


def _carried(data: Json, reader: Reader, grants: granted.Granted, findings: Iterable[Found]) -> list[Json]:
    """The statements that grant what may be needed although the macro does not see it."""
    kept: list[Json] = []
    for finding in findings:
        if finding.code not in CARRIED or not finding.actions:
            continue
        for statement in grants.statements:
            if statement.path != finding.path or statement.effect != "Allow":
                continue
            for entry in statement.resources:
                if finding.resource not in (entry.written, reader.symbols.show(entry.text)):
                    continue
                written = _at(data, entry.path)
                text = reader.symbols.render(entry.text)
                resource = written if isinstance(written, (str, dict)) and not statement.managed_by_aws else text
                if isinstance(resource, dict) and "Statement" in resource:
                    resource = text
                actions = finding.actions[0] if len(finding.actions) == 1 else list(finding.actions)
                document = {"Effect": "Allow", "Action": actions, "Resource": resource}
                if statement.condition:
                    document["Condition"] = statement.condition
                document = when(diagram([entry.path_condition]), document)
                if document not in kept:
                    kept.append(document)
    return kept


def _at(data: Json, path: str) -> Json:
    """What stands at a path of a template; None where nothing does."""
    for step in path.split("/"):
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def _arns(node: Json, path: Path) -> Iterator[Path]:
    """The paths of every `ExecutionRoleArn` in a definition's properties."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key == definitions.ROLE_PROPERTY:
                yield (*path, key)
            else:
                yield from _arns(child, (*path, key))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _arns(item, (*path, str(index)))


def _awaited(resources: Mapping[str, Any]) -> set[str]:
    """What resources name in `DependsOn`."""
    found: set[str] = set()
    for node in resources.values():
        awaited = mapping(node).get("DependsOn")
        found.update(item for item in (awaited if isinstance(awaited, list) else [awaited]) if isinstance(item, str))
    return found


def _path_before(path: str, original: TemplateFile) -> str:
    """A path of the edited template as far as the original has it: the spec is not there yet."""
    parts = path.split("/")
    if PROPERTY in parts:
        parts = parts[: parts.index(PROPERTY)]
        if mapping(mapping(original.data["Resources"].get(parts[1])).get("Properties")).get(definitions.ROLE_PROPERTY):
            parts.append(definitions.ROLE_PROPERTY)
    return "/".join(parts)
