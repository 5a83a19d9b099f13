"""The audit of a template: a report for each of its execution roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from ecs_exec_role.audit import exports, granted, passing, required, sentences, trust, uses
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.codes import Kind
from ecs_exec_role.audit.granted import Granted
from ecs_exec_role.audit.judge import Denial, Finding, JudgedRole, calls, denials, judge, limits
from ecs_exec_role.audit.passing import Passing
from ecs_exec_role.audit.required import Unresolved
from ecs_exec_role.audit.sentences import TASKS
from ecs_exec_role.audit.uses import Use
from ecs_exec_role.errors import Problems, TemplateError
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.offline import humanize, inference, macro_call
from ecs_exec_role.offline.errors import InvalidTemplate
from ecs_exec_role.offline.inference import Inferred
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.source_map import locate, value_at
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.roles.role import TRUST_POLICY
from ecs_exec_role.template.conditions import ALWAYS, PathCondition, diagram
from ecs_exec_role.template.event import PROPERTY, mapping, read
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json, Symbols, references


@dataclass(frozen=True, slots=True)
class Found:
    """A finding with its place, and the places that need what it is about.

    `needed_by` are the paths of these places in the order of their lines; `needed_in_lines` is the line of each.
    `statements` are what to grant: in addition if something is lacking, instead of what is too wide.
    `granted` are the statements of the role that it is about, and `may_be_needed` the part of them that a task may need
    although the template does not show it.
    """

    code: str
    kind: Kind
    path: str
    line: int
    column: int
    what: str
    fix: str
    actions: tuple[str, ...]
    resource: str
    needed_by: tuple[str, ...]
    needed_in_lines: tuple[int, ...]
    statements: tuple[Json, ...]
    granted: tuple[Json, ...]
    may_be_needed: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class RoleAudit:
    """The audit of one role. `role` is empty for definitions without one.

    `defaults` are the parameters of whose values only the default is known; `needs` counts the calls of ECS that are
    to be granted. `replacement`: by the path where it goes, the spec that takes the role's place. `policy` is what the
    macro would grant, and `trust` the trust policy that it would write, ready to paste. `starters` are what starts the
    tasks, and whether it may pass their roles to ECS. `denials` are the Deny statements of the role. `calls` are the
    actions that a role made by the macro allows, or may allow with other values of the parameters. `keeps_trust`: the
    trust policy of the role may allow less than the one that the macro writes, so it must stay.
    """

    template: str
    role: str
    path: str
    line: int
    definitions: tuple[str, ...]
    defaults: tuple[str, ...]
    needs: int
    findings: tuple[Found, ...]
    replacement: dict[str, Json]
    policy: dict[str, Json]
    trust: dict[str, Json]
    starters: tuple[Passing, ...] = ()
    denials: tuple[Denial, ...] = ()
    calls: tuple[str, ...] = ()
    keeps_trust: bool = False

    def data(self) -> dict[str, Json]:
        """The same as mappings and lists."""
        return {
            **asdict(self),
            **{
                key: [item._asdict() for item in items]
                for key, items in (("starters", self.starters), ("denials", self.denials))
            },
        }


class Live(NamedTuple):
    """A role that was read from AWS."""

    arn: str
    granted: Granted
    trusts_tasks: bool


def of(
    template: TemplateFile,
    stack: StackValues,
    *,
    live: Live | None = None,
    only: Sequence[str] = (),
    others: Sequence[TemplateFile] = (),
) -> list[RoleAudit]:
    """Judges the execution roles of a template.

    Args:
        template: where the definitions are, and their roles, unless these are outside.
        stack: where it is deployed; a region or account that is not known stays a symbol.
        live: a role from AWS, which is compared with the definitions that have none in the template.
        only: with `live`, the definitions that it is for.
        others: templates that may export the roles which this one imports, or import those that it exports.

    Raises:
        InvalidTemplate: the template cannot be read.
    """
    return _Audit(template, stack, others).run(live, only)


def reader_of(template: TemplateFile, stack: StackValues) -> Reader:
    """Reads a template's values; its region and account may be unknown.

    Raises:
        InvalidTemplate: the template cannot be read.
    """
    fragment = {key: child for key, child in template.data.items() if key != "Transform"}
    event = {
        **macro_call.assumed_event(stack, template.data, fragment),
        "region": stack.region,
        "accountId": stack.account,
    }
    try:
        return Reader(read(event), Symbols(), Problems())
    except TemplateError as error:
        raise InvalidTemplate(map(template.mistake, error.problems)) from None


def keeps_managed_policy(finding: Finding | Found) -> bool:
    """Whether a finding is about a managed policy that stays attached, as something may need it or it is not read."""
    return finding.code in ("used-elsewhere", "policy-unreadable") and "/Properties/ManagedPolicyArns" in finding.path


def exported_roles(reader: Reader) -> set[str]:
    """The roles of a template that it exports."""
    found = set()
    for output in mapping(reader.template.fragment.get("Outputs")).values():
        if "Export" in mapping(output):
            for text in reader.text(mapping(output).get("Value")):
                found.add(uses.role_named(reader, text.text))
    return found - {""}


_REFUSED = {"trust-lacking", "trust-other-principals", "trust-unreadable", "permission-denied"}
"""The findings about a role that a spec cannot replace: it would not be used, or others would lose it."""


_UNREADABLE = {"value-unreadable", "definition-unreadable"}
"""The findings about what cannot be read of a definition, which the macro and `migrate` refuse."""


def _own_unreadable(finding: Finding) -> bool:
    """Whether a policy that would not stay attached cannot be read."""
    return finding.code == "policy-unreadable" and "/ManagedPolicyArns" not in finding.path


class _Audit:
    def __init__(self, template: TemplateFile, stack: StackValues, others: Sequence[TemplateFile]) -> None:
        self.template = template
        self.stack = stack
        self.others = others
        self.reader = reader_of(template, stack)
        self.symbols = self.reader.symbols
        self.speller = Speller(self.reader, region=stack.region, account=stack.account)
        self._inferred: dict[str, Inferred] = {}
        self._symbolic: dict[str, Inferred] = {}
        self._uses: dict[str, list[Use]] = {}
        self.passing = passing.Judge(self.reader, self.speller, template.data)

    def run(self, live: Live | None, only: Sequence[str]) -> list[RoleAudit]:
        everything = list(uses.all_uses(self.reader))
        for use in everything:
            self._uses.setdefault(use.definition, []).append(use)
        found = [use for use in everything if not use.served]
        if live is not None:
            listed = (
                [use for use in found if use.definition in only] if only else [use for use in found if not use.role]
            )
            return [self._live(live, listed or found)]
        by_role: dict[str, list[Use]] = {}
        rest: list[Use] = []
        for use in found:
            (by_role.setdefault(use.role, []) if use.role else rest).append(use)
        audits = [self._role(role, listed) for role, listed in by_role.items()]
        audits += [self._outside(use) for use in rest if use.outside]
        audits += [audit for use in rest if not use.outside and (audit := self._missing(use)) is not None]
        return [*audits, *self._written(), *self._unused(set(by_role))]

    # -- a role of the template ---------------------------------------------------------------------------------------

    def _role(self, role: str, listed: Sequence[Use]) -> RoleAudit:
        path = f"Resources/{role}"
        given = self.reader.template.path_condition_of(role)
        case = self._case(granted.of_role(self.reader, role), listed, path, given)
        trusting = list(trust.judge(self.reader, self.speller, role))
        findings = [*self._in_its_other_uses(role, judge(case), trusting), *trusting]
        findings += [*self._boundary(role), *self._mistakes(case, listed)]
        names = list(dict.fromkeys(use.definition for use in listed))
        refused = any(finding.code in _REFUSED or _own_unreadable(finding) for finding in findings)
        return self._audit(role, path, names, case, findings, {} if refused else self._replacement(role, listed))

    def _written(self) -> Iterator[RoleAudit]:
        """The roles that the macro writes, if something in the template starts their tasks."""
        by_role: dict[str, list[str]] = {}
        for start in self.passing.starts:
            made = passing.made_role(self.reader, start.definition)
            if made and start.definition not in by_role.setdefault(made, []):
                by_role[made].append(start.definition)
        for role, names in by_role.items():
            path = f"Resources/{role if role in self.reader.template.resources else names[0]}"
            case = self._case(Granted((), ()), [], path)
            yield self._audit(role, path, names, case, [], {})

    def _case(self, grants: Granted, listed: Sequence[Use], path: str, given: PathCondition = ALWAYS) -> JudgedRole:
        path_conditions: dict[str, list[Use]] = {}
        for use in listed:
            path_conditions.setdefault(use.definition, []).append(use)
        open_values: list[required.Unresolved] = []
        keys_unknown = False
        seen: list[required.Required] = []
        unreadable: list[str] = []
        for definition, of_definition in path_conditions.items():
            inferred = self.infer(definition)
            if not required.is_readable(inferred):
                unreadable.append(definition)
                continue
            held = [use.path_condition for use in of_definition]
            for want in required.of(inferred, self.symbolic(definition), self.speller, held):
                if want not in seen:
                    seen.append(want)
            open_here = [
                *required.unresolved(inferred, self.reader.template),
                *required.includes(self.template.data, definition),
            ]
            open_values.extend(open_here)
            open_values.extend(required.unreadable(inferred, self.template.data, {value.path for value in open_here}))
            keys_unknown = keys_unknown or required.has_unknown_keys(inferred)
        return JudgedRole(
            granted=grants,
            required=tuple(seen),
            unresolved=tuple(open_values),
            keys_unknown=keys_unknown,
            speller=self.speller,
            symbols=self.symbols,
            role_path=path,
            data=self.template.data,
            unreadable=tuple(unreadable),
            by_default=tuple(value for name in path_conditions for value in self._by_default(name)),
            given=given,
        )

    @cached_property
    def _without_defaults(self) -> TemplateFile:
        """The template with no value for its parameters, so that what it needs is written with their names."""
        declared = mapping(self.template.data.get("Parameters"))
        plain = {
            name: {key: child for key, child in mapping(node).items() if key != "Default"}
            for name, node in declared.items()
        }
        return self.template._replace(data={**self.template.data, "Parameters": plain})

    @property
    def _no_values(self) -> StackValues:
        return self.stack._replace(values={})

    def infer(self, definition: str) -> Inferred:
        if definition not in self._inferred:
            self._inferred[definition] = inference.infer(self.template, self.stack, [definition])
        return self._inferred[definition]

    def symbolic(self, definition: str) -> Inferred:
        """What a definition needs for any values of the template's parameters."""
        if definition not in self._symbolic:
            self._symbolic[definition] = inference.infer(self._without_defaults, self._no_values, [definition])
        return self._symbolic[definition]

    def _by_default(self, definition: str) -> Iterator[Unresolved]:
        """The values of a definition that only the default of a parameter tells."""
        declared = mapping(self.template.data.get("Parameters"))
        known = {name for name, node in declared.items() if "Default" in mapping(node)} - set(self.stack.values)
        if not known:
            return
        given = self.stack.values
        without = (
            inference.infer(self._without_defaults, self.stack, [definition]) if given else self.symbolic(definition)
        )
        open_anyway = {value.path for value in required.unresolved(self.infer(definition), self.reader.template)}
        for value in required.unresolved(without, self.reader.template):
            names = tuple(name for name in value.parameters if name in known)
            if names and value.path not in open_anyway:
                yield value._replace(parameters=names)

    def _in_its_other_uses(self, role: str, findings: Iterable[Finding], trust: Iterable[Finding]) -> Iterator[Finding]:
        """The findings, adapted to other uses of the role: what looks like too much may be needed there."""
        other = self._other_use(role, {finding.code for finding in trust})
        for finding in findings:
            # A grant for log streams that matches none is of no use to any task.
            useless = finding.what.endswith(sentences.NOT_THE_STREAMS)
            if other and finding.kind in ("excess", "too-wide") and not useless:
                yield finding._replace(
                    code="used-elsewhere",
                    what=sentences.but(finding.what, other),
                    fix=sentences.CHECK_NEED,
                    statements=(),
                    may_be_needed=finding.granted,
                )
            else:
                yield finding

    def _other_use(self, role: str, trust: set[str]) -> str:
        """Why something other than this template's tasks may need what the role is granted; empty if nothing."""
        if role in uses.task_roles(self.reader):
            return sentences.CONTAINERS_MAY_NEED
        users = uses.other_users(self.reader, role)
        if users:
            return sentences.others_of_template_may_need(users)
        if "trust-other-principals" in trust:
            return sentences.OTHERS_MAY_NEED
        if role in exported_roles(self.reader):
            return sentences.IMPORTING_STACK_MAY_NEED
        if role in references(self.reader.template.fragment.get("Outputs")):
            return sentences.OUTPUT_MAY_BE_USED
        if uses.has_name(self.reader, role):
            return sentences.NAME_MAY_BE_USED
        return ""

    def _replacement(self, role: str, listed: Sequence[Use]) -> dict[str, Json]:
        """The spec that replaces a role of the template; on the role itself if its trust policy must stay."""
        names = list(dict.fromkeys(use.definition for use in listed))
        if uses.sole(self.reader, role, [use for each in listed for use in self._uses[each.definition]]):
            stays = trust.limits_more(self.reader, self.speller, role)
            if stays or uses.others_refer_to(self.reader, role, names):
                return {f"Resources/{role}/Properties/{PROPERTY}": {"TaskDefinitions": names}}
            return replacement(role, names)
        arn = {"Fn::GetAtt": [role, "Arn"]}
        written: dict[str, Json] = {f"Resources/{role}/Properties/{PROPERTY}": "Auto"}
        return written | {use.path: arn for use in listed if not use.exact}

    def _own_spec(self, use: Use) -> dict[str, Json]:
        """The spec for a definition whose role is not in the template; none where it also uses a role that is."""
        used = self._uses[use.definition]
        return {} if any(each.role for each in used) else replacement("", [use.definition])

    def _boundary(self, role: str) -> Iterator[Finding]:
        if "PermissionsBoundary" in self.reader.template.properties(role):
            path = f"Resources/{role}/Properties/PermissionsBoundary"
            yield Finding("boundary-not-judged", path, *sentences.BOUNDARY)

    def _mistakes(self, case: JudgedRole, listed: Iterable[Use]) -> Iterator[Finding]:
        """What is wrong with the values of definitions, and with definitions of which nothing can be read."""
        for value in case.unresolved:
            if value.mistake is not None:
                what = sentences.value_unreadable(value.named, value.mistake.what)
                yield Finding("value-unreadable", value.path, what, value.mistake.fix, value.actions)
        for definition in dict.fromkeys(use.definition for use in listed):
            inferred = self.infer(definition)
            for problem in () if required.is_readable(inferred) else inferred.problems:
                what = sentences.definition_unreadable(definition, problem.what)
                yield Finding("definition-unreadable", problem.path, what, problem.fix)

    # -- other cases --------------------------------------------------------------------------------------------------

    def _live(self, live: Live, listed: Sequence[Use]) -> RoleAudit:
        path = listed[0].path if listed else "Resources"
        case = self._case(live.granted, listed, path)
        findings = [*judge(case), *self._mistakes(case, listed)]
        if not live.trusts_tasks:
            findings.append(trust.lacking(path))
        names = list(dict.fromkeys(use.definition for use in listed))
        if not names:
            findings.append(Finding("no-definition", path, *sentences.NO_DEFINITION))
        return self._audit(live.arn, path, names, case, findings, replacement("", names))

    def _outside(self, use: Use) -> RoleAudit:
        shown = self._shown(use.outside)
        export = self._exported(use.outside)
        if export is not None:
            case = self._case(exports.granted_to(export, self.symbols), [use], use.path)
            findings = [
                found._replace(fix=f"{found.fix}, {sentences.UNLESS_IMPORTED}")
                if found.kind in ("excess", "too-wide")
                else found
                for found in judge(case)
            ]
            findings.extend(self._mistakes(case, [use]))
            shown = f"{export.role} of {export.template.name}:{export.line}"
            return self._audit(shown, use.path, [use.definition], case, findings, self._own_spec(use))
        case = self._case(Granted((), ()), [use], use.path)
        said = sentences.role_outside(shown, self._when(use))
        findings = [Finding("role-outside", use.path, *said), *self._mistakes(case, [use])]
        return self._audit(shown, use.path, [use.definition], case, findings, self._own_spec(use))

    def _when(self, use: Use) -> str:
        return humanize.when(diagram([use.path_condition], self.reader.template.path_condition_of(use.definition)))

    def _exported(self, text: str) -> exports.Export | None:
        """The role of another template that an import names."""
        symbol = self.symbols.sole(text)
        argument = symbol.node.get("Fn::ImportValue") if symbol is not None and symbol.kind == "Opaque" else None
        if argument is None:
            return None
        found: list[exports.Export] = []
        for other in self.others:
            reader = reader_of(other, self.stack)
            speller = Speller(reader, region=self.stack.region, account=self.stack.account)
            found.extend(exports.of_template(other, reader, speller))
        return exports.find(found, self.speller.node(argument))

    def _imported(self, role: str) -> bool:
        """Whether another template imports this role, so that it is audited there."""
        mine = [
            export for export in exports.of_template(self.template, self.reader, self.speller) if export.role == role
        ]
        for other in self.others if mine else ():
            reader = reader_of(other, self.stack)
            speller = Speller(reader, region=self.stack.region, account=self.stack.account)
            for use in uses.of_template(reader):
                symbol = reader.symbols.sole(use.outside)
                node = symbol.node if symbol is not None and symbol.kind == "Opaque" else None
                argument = mapping(node).get("Fn::ImportValue")
                if argument is not None and exports.find(mine, speller.node(argument)) is not None:
                    return True
        return False

    def _shown(self, text: str) -> str:
        """A role that is not in the template, in words."""
        symbol = self.symbols.sole(text)
        argument = symbol.node.get("Fn::ImportValue") if symbol is not None and symbol.kind == "Opaque" else None
        if argument is None:
            return self.symbols.show(text)
        return f"the import {self.symbols.show(self.speller.node(argument))}"

    def _missing(self, use: Use) -> RoleAudit | None:
        """A definition without an execution role, which is a mistake if it needs one."""
        case = self._case(Granted((), ()), [use], use.path)
        findings = [*self._mistakes(case, [use])]
        if case.required or case.unresolved:
            findings.extend(self._without_role(use, case))
        if not findings:
            return None
        return self._audit("", use.path, [use.definition], case, findings, self._own_spec(use))

    def _without_role(self, use: Use, case: JudgedRole) -> Iterator[Finding]:
        properties = self.reader.template.properties(use.definition)
        platforms = mapping(properties).get("RequiresCompatibilities", properties.get("PlatformCapabilities"))
        on_fargate = isinstance(platforms, list) and "FARGATE" in platforms
        # On EC2 the container instance's own role pulls images and writes logs where there is no execution role.
        by_instance = {"Image", "PullThroughImage", "Registry", "LogGroup", "NewLogGroup"}
        for finding in judge(case):
            if finding.kind != "lacking":
                yield finding
                continue
            kinds = {want.kind for want in case.required if want.path in finding.related}
            if on_fargate or kinds - by_instance:
                yield finding._replace(what=sentences.no_role(finding.what), fix=sentences.WRITE_SPEC)
            else:
                what = sentences.no_role_on_ec2(finding.what)
                fix = sentences.WRITE_SPEC_HERE
                yield finding._replace(code="no-execution-role", what=what, fix=fix, statements=())

    def _unused(self, used: set[str]) -> Iterator[RoleAudit]:
        """The roles that ECS tasks may assume and that no definition of the template names."""
        taken = used | uses.task_roles(self.reader)
        for name, resource in self.reader.template.resources.items():
            properties = mapping(resource.get("Properties"))
            if resource.get("Type") != definitions.ROLE or name in taken or PROPERTY in properties:
                continue
            if TASKS not in str(properties.get("AssumeRolePolicyDocument")) or self._imported(name):
                continue
            path = f"Resources/{name}"
            case = self._case(Granted((), ()), [], path)
            yield self._audit(name, path, [], case, [Finding("role-unused", path, *sentences.ROLE_UNUSED)], {})

    def _audit(
        self,
        role: str,
        path: str,
        names: Sequence[str],
        case: JudgedRole,
        findings: Sequence[Finding],
        spec: dict[str, Json],
    ) -> RoleAudit:
        order: tuple[Kind, ...] = ("lacking", "excess", "too-wide", "unknown")
        started = self.passing.of(names, self._uses)
        findings = [*findings, *started.findings]
        # What cannot be read is the cause of other findings.
        ranked = sorted(
            dict.fromkeys(findings),
            key=lambda finding: (finding.code not in _UNREADABLE, order.index(finding.kind)),
        )
        is_readable = not any(finding.code in _UNREADABLE for finding in ranked)
        return RoleAudit(
            template=self.template.name,
            role=role,
            path=path,
            line=self.template.line(path),
            definitions=tuple(names),
            defaults=inference.defaults(self.template, self.stack) if names else (),
            needs=sum(len(want.actions) for want in case.required),
            findings=tuple(self._found(finding, path) for finding in ranked),
            replacement={
                path: self._keeping(path, node, case, ranked) for path, node in (spec.items() if is_readable else ())
            },
            policy=self._policy(names) if is_readable else {},
            trust=TRUST_POLICY if names else {},
            starters=started.answers,
            denials=denials(case),
            calls=calls(case),
            keeps_trust=role in self.reader.template.resources and trust.limits_more(self.reader, self.speller, role),
        )

    def _keeping(self, path: str, node: Json, case: JudgedRole, findings: Sequence[Finding]) -> Json:
        """A spec with what may be needed although the template does not show it, as `migrate` writes it."""
        if path.rpartition("/")[2] != PROPERTY:
            return node
        kept: dict[str, Json] = {}
        statements: list[Json] = []
        for finding in findings:
            if finding.code != "used-elsewhere" or "/Properties/ManagedPolicyArns/" not in finding.path:
                statements += [item for item in finding.may_be_needed if item not in statements]
            if (
                finding.code == "policy-unreadable"
                and "/ManagedPolicyArns/" in finding.path
                and not path.startswith(f"{case.role_path}/")
            ):
                kept.setdefault("ManagedPolicyArns", []).append(value_at(self.template.data, finding.path))
        if any(not value.parameters for value in case.unresolved):
            kept["Unresolved"] = "Ignore"
        everything = any(map(keeps_managed_policy, findings))
        kept_grants = tuple(statements)
        statements += [item.statement for item in denials(case) if everything or limits(item, kept_grants)]
        if statements:
            kept["Statements"] = statements
        return {**(node if isinstance(node, dict) else {}), **kept} if kept else node

    def _found(self, finding: Finding, role_path: str) -> Found:
        """The finding with its lines. A finding without a place in the template has the line that names the role."""
        finding = finding._replace(path=finding.path or role_path)
        needed = sorted((self.template.line(path), path) for path in finding.related)
        place, _ = locate(self.template.place, finding.path)
        return Found(
            code=finding.code,
            kind=finding.kind,
            path=finding.path,
            line=place.line,
            column=place.column,
            what=finding.what,
            fix=finding.fix,
            actions=finding.actions,
            resource=finding.resource,
            needed_by=tuple(path for _, path in needed),
            needed_in_lines=tuple(line for line, _ in needed),
            statements=finding.statements,
            granted=finding.granted,
            may_be_needed=finding.may_be_needed,
        )

    def _policy(self, names: Sequence[str]) -> dict[str, Json]:
        """The policy that the macro would write for these definitions."""
        if not names:
            return {}
        known = inference.infer(self.template, self.stack, names)
        if known.plan is None:
            return {}
        symbolic = inference.infer(self._without_defaults, self._no_values, names)
        same = symbolic.plan is not None and len(symbolic.plan.needs) == len(known.plan.needs)
        plan = symbolic.plan if symbolic.plan is not None and same else known.plan
        statements = plan.all_statements
        return (
            {"Version": "2012-10-17", "Statement": [statement.document for statement in statements]}
            if statements
            else {}
        )


def replacement(role: str, names: Sequence[str]) -> dict[str, Json]:
    """The spec that replaces a role: on its only definition, or on the role that several share."""
    if len(names) == 1:
        return {f"Resources/{names[0]}/Properties/{PROPERTY}": "Auto"}
    if role:
        return {f"Resources/{role}/Properties/{PROPERTY}": {"TaskDefinitions": list(names)}}
    return {f"Resources/{name}/Properties/{PROPERTY}": "Auto" for name in names}
