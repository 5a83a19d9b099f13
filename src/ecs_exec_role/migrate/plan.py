"""Decides how a template must change to use the macro."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from ecs_exec_role.audit import granted, report, uses
from ecs_exec_role.audit.judge import limits
from ecs_exec_role.audit.report import Found, RoleAudit
from ecs_exec_role.errors import Problem
from ecs_exec_role.migrate import sentences
from ecs_exec_role.migrate.edits import Delete, Edit, Insert, NotEditable, Path, Replace, apply
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.needs.context import UNRESOLVED
from ecs_exec_role.offline import inference, macro_call
from ecs_exec_role.offline.errors import InvalidTemplate, LocatedProblem
from ecs_exec_role.offline.loops import LOOP
from ecs_exec_role.offline.macro_call import MACRO, StackValues
from ecs_exec_role.offline.source_map import locate, value_at
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.template.event import PROPERTY, mapping
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json, references

_KEPT_ON_SPEC = ("Path", "Description", "PermissionsBoundary", "MaxSessionDuration", "Tags")
"""A role's properties that a spec can contain; not its name, since a new role cannot have the name of an old one."""

_TRUST = "AssumeRolePolicyDocument"
_DROPPED = (_TRUST, "Policies", "ManagedPolicyArns")


class Step(NamedTuple):
    """One role that the macro replaces: the message, the findings that say what changes, and its Deny statements.

    `denied` are the paths of the Deny statements that are removed, `kept_denials` of those that stay in `Statements`.
    `conditional` are the paths of the grants whose conditions the new role does not have. `trust` is the path of the
    trust policy if it stays, since it may allow less than the macro's; empty if the macro's replaces it. `attached` are
    the paths of the managed policies that stay attached, since something else may need them.
    `open_values` are values of definitions that the macro cannot classify: `Unresolved: Ignore` skips them.
    `unknown_parameters` are parameters whose values are only known at deployment.
    """

    said: str
    line: int
    findings: tuple[Found, ...]
    denied: tuple[str, ...]
    open_values: tuple[LocatedProblem, ...] = ()
    unknown_parameters: tuple[str, ...] = ()
    kept_denials: tuple[str, ...] = ()
    conditional: tuple[str, ...] = ()
    trust: str = ""
    attached: tuple[str, ...] = ()

    def widens(self, found: Found) -> bool:
        """Whether the new role certainly allows what the old role only allows under a condition."""
        return found.code == "permission-uncertain" and found.path in self.conditional


class Left(NamedTuple):
    """A definition or a role that is not changed, and why."""

    mistake: LocatedProblem


class Migration(NamedTuple):
    """A migrated template; the same template if there was nothing to migrate.

    `defaults` are the parameters whose defaults were used; `brought` are roles from outside that a definition uses
    under a condition, as it did before.
    """

    template: TemplateFile
    steps: tuple[Step, ...]
    left: tuple[Left, ...]
    defaults: tuple[str, ...]
    brought: tuple[LocatedProblem, ...] = ()


def migrate(template: TemplateFile, stack: StackValues, *, keep_roles: bool = False, every: bool = False) -> Migration:
    """Migrates a template.

    Args:
        template: the template before.
        stack: where it is deployed, for what depends on that.
        keep_roles: keep every role under its logical ID, with a spec on it.
        every: also make a role for definitions whose role is elsewhere, or that have none and need one.
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
        self.brought: list[LocatedProblem] = []

    def run(self, *, every: bool) -> Migration:
        reader = report.reader_of(self.original, self.stack)
        self.uses = list(uses.all_uses(reader))
        for audit in report.of(self.template, self.stack):
            in_template = audit.role in self.template.data["Resources"]
            if not audit.definitions:
                continue
            chosen = any(use.role for use in self.uses if use.definition in audit.definitions)
            if in_template:
                self._role(audit)
            elif chosen:
                self._brought(audit)
            elif every:
                self._own(audit)
            elif audit.role:
                what = sentences.elsewhere(audit.definitions)
                self._leave(audit.path, what, sentences.ELSEWHERE_FIX)
        for name, node in self.original.data["Resources"].items():
            if name.startswith(LOOP) and _defines(node):
                self._leave(f"Resources/{name}", sentences.LOOP, sentences.LOOP_BY_HAND)
        defaults = inference.defaults(self.original, self.stack)
        return Migration(self.template, tuple(self.steps), tuple(self.left), defaults, tuple(self.brought))

    def _leave(self, path: str, what: str, fix: str) -> None:
        self.left.append(Left(self.original.mistake(Problem(path, what, fix, "not-migrated"))))

    def _brought(self, audit: RoleAudit) -> None:
        """Keeps a role from outside that a definition uses under the conditions without the template's own role."""
        what = sentences.brought(audit.definitions, audit.role)
        problem = Problem(audit.path, what, sentences.AUDIT_ROLE, "not-migrated")
        self.brought.append(self.original.mistake(problem))

    # -- a role of the template ---------------------------------------------------------------------------------------

    def _role(self, audit: RoleAudit) -> None:
        reader = report.reader_of(self.template, self.stack)
        problem = self._obstacle(audit, reader)
        if problem is not None:
            self._leave(*problem)
            return
        grants = granted.of_role(reader, audit.role)
        attached = _attached_elsewhere(audit)
        carried = _carried(finding for finding in audit.findings if not _is_of(finding.path, attached))
        denied = [statement.path for statement in grants.statements if statement.effect == "Deny"]
        kept_denials: list[str] = []
        everything = any(map(report.keeps_managed_policy, audit.findings))
        statements = carried.get("Statements", ())
        limiting = [item for item in audit.denials if everything or limits(item, statements)]
        if limiting:
            for finding in audit.findings:
                if finding.code == "permission-denied":
                    self._leave(finding.path, sentences.unchanged(finding.what, audit.role), finding.fix)
                    return
            carried = {"Statements": [*statements, *(item.statement for item in limiting)]}
            kept_denials = [item.path for item in limiting]
            denied = [path for path in denied if path not in kept_denials]
        if not uses.sole(reader, audit.role, [use for use in self.uses if use.definition in audit.definitions]):
            said = sentences.KEEPS_CONDITIONS
            edit = self._under_conditions
        elif not self.keep_roles and self._may_go(audit, grants.policies):
            said = sentences.replaces_role(audit.definitions[0])
            edit = self._without_role
        else:
            said = sentences.REPLACES_POLICIES
            edit = self._on_role
        self._step(
            audit,
            lambda spec: edit(audit, grants.policies, {**spec, **carried}),
            f"{audit.role}: {said}",
            denied,
            kept_denials,
            [item.path for item in grants.statements if item.effect == "Allow" and item.condition],
            carries=True,
        )

    def _obstacle(self, audit: RoleAudit, reader: Reader) -> tuple[str, str, str] | None:
        """Why a role cannot be replaced: a path, the obstacle, and what to do."""
        path = f"Resources/{audit.role}"
        if audit.role in uses.task_roles(reader):
            return path, sentences.task_role(audit.role), sentences.OWN_TASK_ROLE
        properties = mapping(self.template.data["Resources"][audit.role].get("Properties"))
        if any(key.startswith("Fn::") for key in properties):
            return path, sentences.by_transform(audit.role), sentences.BY_HAND
        for finding in audit.findings:
            if finding.code in ("trust-other-principals", "trust-lacking", "trust-unreadable"):
                return finding.path, sentences.unchanged(finding.what), finding.fix
            if finding.code == "policy-unreadable" and "/ManagedPolicyArns" not in finding.path:
                return finding.path, sentences.unchanged(finding.what, audit.role), finding.fix
        return None

    def _may_go(self, audit: RoleAudit, policies: Sequence[str]) -> bool:
        """Whether only its definition and its own policies refer to the role, by `Ref`, ARN or a pattern of names."""
        if audit.keeps_trust:
            return False
        resources = self.template.data["Resources"]
        role = resources[audit.role]
        # CDK's metadata only describe the construct that made the role.
        metadata = [key for key in mapping(role.get("Metadata")) if not key.startswith("aws:cdk:")]
        if len(audit.definitions) != 1 or metadata or set(role) - {"Type", "Properties", "Condition", "Metadata"}:
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
        if audit.role in references(rest) or audit.role in _awaited(without):
            return False
        return not any(_names_only(text, audit.role, made) for text in _texts(rest))

    def _without_role(self, audit: RoleAudit, policies: Sequence[str], said: dict[str, Json]) -> list[Edit]:
        """The edits that replace a role with a spec on its definition."""
        [definition] = audit.definitions
        role = self.template.data["Resources"][audit.role]
        properties = mapping(role.get("Properties"))
        spec: Json = {key: properties[key] for key in _KEPT_ON_SPEC if key in properties}
        unknown = self._kept_policies(audit, policies)
        if unknown:
            spec["ManagedPolicyArns"] = unknown
        edits = list(self._spec_on(definition, {**spec, **said} or "Auto"))
        edits.append(Delete(("Resources", audit.role)))
        return [*edits, *self._without_policies(audit.role, policies)]

    def _spec_on(self, definition: str, spec: Json) -> Iterator[Edit]:
        """The edits that replace the `ExecutionRoleArn` of a definition with a spec."""
        top: Path = ("Resources", definition, "Properties")
        places = list(_arns(self.template.data["Resources"][definition]["Properties"], top))
        if (*top, definitions.ROLE_PROPERTY) in places:
            yield Replace((*top, definitions.ROLE_PROPERTY), PROPERTY, spec)
            places.remove((*top, definitions.ROLE_PROPERTY))
        else:
            yield Insert(top, PROPERTY, spec)
        yield from map(Delete, places)

    def _on_role(self, audit: RoleAudit, policies: Sequence[str], said: dict[str, Json]) -> list[Edit]:
        """The edits that turn a role into one with a spec, under its own logical ID."""
        edits = self._with_spec(audit, policies, {"TaskDefinitions": list(audit.definitions), **said})
        for definition in audit.definitions:
            there: Path = ("Resources", definition, "Properties")
            edits.extend(map(Delete, _arns(self.template.data["Resources"][definition]["Properties"], there)))
        return [*edits, *self._without_policies(audit.role, policies)]

    def _under_conditions(self, audit: RoleAudit, policies: Sequence[str], said: dict[str, Json]) -> list[Edit]:
        """The edits that turn a role into one with a spec if definitions use it only under conditions.

        Each `ExecutionRoleArn` stays: the macro reads in it which definitions use the role, and when.
        """
        edits = self._with_spec(audit, policies, said or "Auto")
        for use in self.uses:
            if use.role == audit.role and not use.exact:
                path = tuple(use.path.split("/"))
                edits.append(Replace(path, path[-1], {"Fn::GetAtt": [audit.role, "Arn"]}))
        return [*edits, *self._without_policies(audit.role, policies)]

    def _with_spec(self, audit: RoleAudit, policies: Sequence[str], spec: Json) -> list[Edit]:
        """The edits that replace a role's trust policy and policies with a spec."""
        role = audit.role
        top: Path = ("Resources", role, "Properties")
        properties = self.template.data["Resources"][role]["Properties"]
        dropped = [key for key in _DROPPED if key in properties and not (key == _TRUST and audit.keeps_trust)]
        edits: list[Edit] = [Insert(top, PROPERTY, spec)]
        if dropped and not (dropped[0] == "ManagedPolicyArns" and self._kept_policies(audit, policies)):
            edits = [Replace((*top, dropped.pop(0)), PROPERTY, spec)]
        for key in dropped:
            kept = self._kept_policies(audit, policies) if key == "ManagedPolicyArns" else []
            items = properties[key] if isinstance(properties[key], list) else []
            gone = [str(index) for index, item in enumerate(items) if item not in kept]
            edits.extend(Delete((*top, key, index)) for index in gone) if kept else edits.append(Delete((*top, key)))
        return edits

    def _kept_policies(self, audit: RoleAudit, policies: Sequence[str]) -> list[Json]:
        """The managed policies that stay attached: those that cannot be read here, and those that others may need."""
        role = audit.role
        attached = _attached_elsewhere(audit)
        listed = mapping(self.template.data["Resources"][role].get("Properties")).get("ManagedPolicyArns")
        reader = report.reader_of(self.template, self.stack)
        kept = []
        for index, item in enumerate(listed if isinstance(listed, list) else []):
            if f"{_managed(role)}/{index}" in attached:
                kept.append(item)
                continue
            for text in reader.text(item):
                symbol = reader.symbols.sole(text.text)
                name = text.text.partition(":iam::aws:policy/")[2]
                if (symbol is None or symbol.name not in policies) and name not in granted.managed_policies():
                    kept.append(item)
                    break
        return kept

    def _without_policies(self, role: str, policies: Sequence[str]) -> Iterator[Edit]:
        """The edits that remove the role's own policies, and remove the role from the policies of others."""
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
            said = sentences.makes_role(definition)
            self._step(audit, partial(self._edits_on, definition), said)

    def _edits_on(self, definition: str, spec: dict[str, Json]) -> list[Edit]:
        return list(self._spec_on(definition, spec or "Auto"))

    # -- doing it -----------------------------------------------------------------------------------------------------

    def _step(
        self,
        audit: RoleAudit,
        edit: Callable[[dict[str, Json]], list[Edit]],
        said: str,
        denied: Iterable[str] = (),
        kept_denials: Iterable[str] = (),
        conditional: Iterable[str] = (),
        *,
        carries: bool = False,
    ) -> None:
        """Makes the edits, if the macro can expand the result.

        `carries`: what the role allows is carried over, so `Unresolved: Ignore` can be written if it is needed.
        """
        problems: Sequence[LocatedProblem] = ()
        unknown: list[LocatedProblem] = []
        open_values: list[LocatedProblem] = []
        for spec in ({}, {"Unresolved": "Ignore"}):
            try:
                edited = apply(self.template, [*self._transform(), *edit(spec)])
            except NotEditable as error:
                what = sentences.cannot_be_rewritten(audit.role or audit.definitions[0], error)
                self._leave(audit.path, what, sentences.BY_HAND)
                return
            problems = self._problems(edited)
            unknown = [problem for problem in problems if problem.code == "parameter-without-value"]
            if len(unknown) == len(problems):
                self.template = edited
                step = Step(
                    said,
                    audit.line,
                    audit.findings,
                    tuple(denied),
                    tuple(map(self._before, open_values)),
                    self._parameters(unknown),
                    tuple(kept_denials),
                    tuple(conditional),
                    f"Resources/{audit.role}/Properties/{_TRUST}" if audit.keeps_trust else "",
                    tuple(sorted(_attached_elsewhere(audit))),
                )
                self.steps.append(step)
                return
            open_values = [problem for problem in problems if problem.code == UNRESOLVED]
            if not open_values or not carries:
                break
        for problem in (problem for problem in problems if problem not in unknown):
            what = sentences.unchanged(problem.what, audit.role or audit.definitions[0])
            path = _path_before(problem.path, self.original)
            self.left.append(Left(self.original.mistake(Problem(path, what, problem.fix, "not-migrated"))))

    def _before(self, problem: LocatedProblem) -> LocatedProblem:
        """A problem of the edited template, at its place in the original."""
        path = _path_before(problem.path, self.original)
        place, _ = locate(self.original.place, path)
        return problem._replace(path=path, line=place.line, column=place.column)

    def _parameters(self, problems: Iterable[LocatedProblem]) -> tuple[str, ...]:
        """The parameters whose values are missing here, and that these places need."""
        declared = mapping(self.original.data.get("Parameters"))
        named = [references(value_at(self.original.data, problem.path)) for problem in problems]
        return tuple(
            name
            for name, parameter in declared.items()
            if any(name in names for names in named)
            and name not in self.stack.values
            and "Default" not in mapping(parameter)
        )

    def _problems(self, edited: TemplateFile) -> Sequence[LocatedProblem]:
        """Why the macro cannot expand a template; nothing if it can."""
        try:
            macro_call.expanded(edited, self.stack)
        except InvalidTemplate as mistakes:
            return mistakes.problems
        return ()

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


def _managed(role: str) -> str:
    return f"Resources/{role}/Properties/ManagedPolicyArns"


def _attached_elsewhere(audit: RoleAudit) -> set[str]:
    """The paths of the managed policies of AWS that something other than the definitions may need."""
    found = set()
    for finding in audit.findings:
        top, _, rest = finding.path.partition("/Properties/ManagedPolicyArns/")
        index = rest.partition("/")[0]
        if index.isdecimal() and finding.code == "used-elsewhere":
            found.add(f"{top}/Properties/ManagedPolicyArns/{index}")
    return found


def _is_of(path: str, tops: Iterable[str]) -> bool:
    """Whether a path is one of these, or below one of them."""
    return any(f"{path}/".startswith(f"{top}/") for top in tops)


def stays_attached(step: Step, found: Found) -> bool:
    """Whether a finding is about a managed policy of AWS that stays attached, since something else may need it."""
    return _is_of(found.path, step.attached)


def _carried(findings: Iterable[Found]) -> dict[str, Json]:
    """The spec's `Statements`: what may be needed although the template does not show it."""
    kept: list[Json] = []
    for finding in findings:
        kept += [statement for statement in finding.may_be_needed if statement not in kept]
    return {"Statements": kept} if kept else {}


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


def _texts(node: Json) -> Iterator[str]:
    """All texts of a value; the parts of `Fn::Join` as one text, with `${}` for each function among them."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        parts = node.get("Fn::Join")
        if isinstance(parts, list) and len(parts) == 2 and isinstance(parts[1], list):
            yield str(parts[0]).join(item if isinstance(item, str) else "${}" for item in parts[1])
        for child in node.values():
            yield from _texts(child)


def _names_only(text: str, role: str, made: str) -> bool:
    """Whether a text has a pattern of role names that the old role's generated name matches, and the new one's may not.

    See "RoleName" of AWS::IAM::Role: the name that CloudFormation generates is STACK-LOGICALID-RANDOM.
    """
    _, found, name = text.partition(":role/")
    pattern = re.sub(r"\$\{[^{}]*\}", "stack", name.rpartition("/")[2])
    stacks = ("stack", "stack-stack", pattern.partition(f"-{role}")[0])

    def matched(stack: str, logical_id: str) -> bool:
        return fnmatchcase(f"{stack}-{logical_id}-1A2B3C4D5E6F", pattern)

    return bool(found) and any(matched(stack, role) and not matched(stack, made) for stack in stacks)


def _awaited(resources: Mapping[str, Any]) -> set[str]:
    """The names in the `DependsOn` of resources."""
    found: set[str] = set()
    for node in resources.values():
        awaited = mapping(node).get("DependsOn")
        found.update(item for item in (awaited if isinstance(awaited, list) else [awaited]) if isinstance(item, str))
    return found


def _path_before(path: str, original: TemplateFile) -> str:
    """A path of the edited template, up to the part that the original has: the original has no spec."""
    parts = path.split("/")
    if PROPERTY in parts:
        parts = parts[: parts.index(PROPERTY)]
        if mapping(mapping(original.data["Resources"].get(parts[1])).get("Properties")).get(definitions.ROLE_PROPERTY):
            parts.append(definitions.ROLE_PROPERTY)
    return "/".join(parts)
