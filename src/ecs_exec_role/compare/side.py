"""The execution roles of one template, in a form that can be compared.

Roles that the macro makes and roles that are written by hand are read in the same way: from the expanded template.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ecs_exec_role.audit import granted, report, trust, uses
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.granted import GrantedStatement, Pattern
from ecs_exec_role.audit.trust import Trusted
from ecs_exec_role.explain import report as explanation
from ecs_exec_role.explain.report import Requester, Warned
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.needs.need import Need
from ecs_exec_role.offline import humanize, inference
from ecs_exec_role.offline.macro_call import StackValues, expanded
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.policies.patterns import covers, overlaps
from ecs_exec_role.roles.role import METADATA, RolePlan
from ecs_exec_role.template import spelling
from ecs_exec_role.template.conditions import PathCondition, both, diagram
from ecs_exec_role.template.event import PROPERTY, mapping
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json, Symbols

_POLICIES = ("Policies", PROPERTY)


@dataclass(frozen=True, slots=True)
class Grant:
    """One action on one resource that a role allows or denies.

    Two grants are equal if they have the same meaning; how and where the template writes them is not compared.

    Attributes:
        effect: `Allow` or `Deny`.
        action: a pattern of actions; `*` for `NotAction`.
        but_actions: the patterns of `NotAction`.
        resource: a pattern of ARNs, written out as far as the template shows it; `*` for `NotResource`.
        but_resources: the patterns of `NotResource`.
        where: the conditions of the statement, as text.
        when: the conditions of the template under which it is granted; empty for always.
        shown: the resource as the template writes it.
        source: the policy, in words.
        line: where the statement is in the template.
        form: the resource with the forms of generated names in the place of these; see `patterns.overlaps`.
    """

    effect: str
    action: str
    but_actions: tuple[str, ...]
    resource: str
    but_resources: tuple[str, ...]
    where: tuple[str, ...]
    when: str
    shown: str = field(compare=False)
    source: str = field(compare=False)
    line: int = field(compare=False)
    form: str = field(compare=False, default="")

    def covers(self, other: Grant) -> bool:
        """Whether this certainly allows, or denies, everything that `other` does."""
        return (
            self.effect == other.effect
            and _all_but(self.action.lower(), self.but_actions, other.action.lower(), other.but_actions)
            and (
                _all_but(self.resource, self.but_resources, other.resource, other.but_resources)
                or _all_but(self.resource, self.but_resources, other.form or other.resource, other.but_resources)
            )
            and set(self.where) <= set(other.where)
            and self.when in ("", other.when)
        )

    def may_limit(self, other: Grant) -> bool:
        """Whether this `Deny` may take away a part of what `other` allows."""
        return (
            other.effect == "Allow"
            and overlaps(self.action.lower(), other.action.lower())
            and not any(covers(each.lower(), other.action.lower()) for each in self.but_actions)
            and not any(covers(each, other.resource) for each in self.but_resources)
            and any(overlaps(self.resource, text) for text in (other.resource, other.form or other.resource))
        )

    def concerns(self, needed: Needed, generated: Mapping[str, str] | None = None) -> bool:
        """Whether this is certainly about something that a task needs; with `generated`, whether it may be.

        Args:
            needed: what a task needs.
            generated: the names that CloudFormation generates, which only their own resource has.
        """
        if not any(covers(self.action.lower(), action.lower()) for action in needed.actions):
            return False
        if any(covers(pattern.lower(), action.lower()) for pattern in self.but_actions for action in needed.actions):
            return False
        if generated is not None:
            return overlaps(self.resource, needed.resource, generated)
        inside = covers(self.resource, needed.resource) or covers(self.resource, needed.form or needed.resource)
        if not inside and not covers(needed.resource, self.resource):
            return False
        contexts = [said for said in self.where if "EncryptionContext" in said]
        return not contexts or not needed.context or any(said.endswith(f" {needed.context}") for said in contexts)


def _all_but(pattern: str, but: Sequence[str], other: str, other_but: Sequence[str]) -> bool:
    """Whether one pattern with exceptions covers another pattern with exceptions."""
    if not covers(pattern, other):
        return False
    excluded = [each for each in but if each not in other_but]
    return not any(overlaps(each.lower(), other) for each in excluded)


class Needed(NamedTuple):
    """Something that a task needs, and the place that needs it. `context`: what a key must decrypt.

    `form`: the resource with the forms of generated names in the place of these.
    """

    actions: tuple[str, ...]
    resource: str
    context: str
    asked: Requester
    form: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """One execution role of a template.

    Attributes:
        logical_id: the role's, in the expanded template.
        line: where the role, or its `ExecutionRoleSpec`, is in the file.
        definitions: the logical IDs of what is started with it.
        made_by_macro: whether the macro writes its policies.
        when: the condition under which the role exists; empty for always.
        grants: all grants of its policies.
        unread: the parts of its policies that cannot be read, in words.
        written: the role and its policies as the template writes them, to compare what cannot be read.
        properties: its other properties, as text.
        trust: what is wrong with its trust policy, in words.
        trusted: the statements of its trust policy.
        needed: what the definitions need.
        generated: the names that CloudFormation generates, as they are shown.
        warnings: what may be missing.
    """

    logical_id: str
    line: int
    definitions: tuple[str, ...]
    made_by_macro: bool
    when: str
    grants: tuple[Grant, ...]
    unread: tuple[str, ...]
    written: str
    properties: Mapping[str, str]
    trust: tuple[str, ...]
    trusted: tuple[Trusted, ...]
    needed: tuple[Needed, ...]
    generated: Mapping[str, str]
    warnings: tuple[Warned, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """One template's execution roles.

    `outside`: for each definition, its role that is not in the template, as text. `defaults`: the parameters on which
    this may depend and of which only the default is known.
    """

    name: str
    roles: tuple[Role, ...] = ()
    outside: Mapping[str, str] = field(default_factory=dict)
    defaults: tuple[str, ...] = ()


def read(template: TemplateFile, stack: StackValues) -> Side:
    """The execution roles of a template.

    Args:
        template: the template.
        stack: where it is deployed; a region or account that is not known stays a symbol.

    Raises:
        InvalidTemplate: the macro would refuse the template.
    """
    answer = expanded(template, stack)
    return _Reading(template, stack, answer.data, answer.roles).side()


class _Reading:
    def __init__(
        self,
        template: TemplateFile,
        stack: StackValues,
        data: dict[str, Json],
        plans: Iterable[tuple[RolePlan, Symbols]],
    ) -> None:
        self._template = template
        self._expanded = template._replace(data=data)
        self._stack = stack
        self._reader: Reader = report.reader_of(self._expanded, stack)
        self._speller = Speller(self._reader, region=stack.region, account=stack.account)
        self._plans = {plan.logical_id: (plan, symbols) for plan, symbols in plans}

    def side(self) -> Side:
        used: dict[str, dict[str, None]] = {name: {} for name in self._plans}
        outside: dict[str, str] = {}
        for use in uses.of_template(self._reader):
            if use.role:
                used.setdefault(use.role, {})[use.definition] = None
            elif use.outside:
                outside[use.definition] = self._reader.symbols.show(use.outside)
        for name in self._reader.template.by_type.get(definitions.ROLE, ()):
            if METADATA in mapping(self._reader.template.resources[name].get("Metadata")):
                used.setdefault(name, {})
        for name, (plan, _) in self._plans.items():
            used[name].update(dict.fromkeys(plan.definitions))
        roles = tuple(self._role(name, tuple(names)) for name, names in used.items())
        return Side(self._template.name, roles, outside, inference.defaults(self._template, self._stack))

    def _role(self, name: str, names: tuple[str, ...]) -> Role:
        show = self._reader.symbols.show
        found = granted.of_role(self._reader, name)
        plan, symbols = self._plans.get(name, (None, None))
        given = plan.given if plan is not None else self._reader.template.path_condition_of(name)
        path = plan.spec_path if plan is not None else f"Resources/{name}"
        properties = self._reader.template.properties(name)
        unread = [f"{each.what}" for each in found.unknown]
        unread += [f"a part of {each.source} cannot be read" for each in found.statements if each.opaque]
        needed, warnings = self._needs(names, plan, symbols)
        return Role(
            logical_id=name,
            line=self._template.line(path),
            definitions=names,
            made_by_macro=plan is not None
            or METADATA in mapping(self._reader.template.resources[name].get("Metadata")),
            when=humanize.when(diagram([given])),
            grants=tuple(self._grants(found.statements, given)),
            unread=tuple(dict.fromkeys(unread)),
            written=json.dumps([properties, *map(self._reader.template.properties, found.policies)], sort_keys=True),
            properties={key: text(node) for key, node in properties.items() if key not in _POLICIES},
            trust=tuple(finding.what for finding in trust.judge(self._reader, self._speller, name)),
            trusted=trust.of_role(self._reader, self._speller, name),
            needed=tuple(needed),
            generated={show(name): show(form) for name, form in self._speller.generated.items()},
            warnings=tuple(warnings),
        )

    # -- what is granted ----------------------------------------------------------------------------------------------

    def _grants(self, statements: Iterable[GrantedStatement], given: PathCondition) -> Iterator[Grant]:
        """The statements as single grants, each grant once, with all the conditions under which it exists."""
        path_conditions: dict[Grant, list[PathCondition]] = {}
        for statement in statements:
            for grant, path_condition in self._of_statement(statement):
                path_conditions.setdefault(grant, []).append(path_condition)
        for grant, listed in path_conditions.items():
            yield Grant(
                grant.effect,
                grant.action,
                grant.but_actions,
                grant.resource,
                grant.but_resources,
                grant.where,
                humanize.when(diagram(listed, given)),
                grant.shown,
                grant.source,
                grant.line,
                grant.form,
            )

    def _of_statement(self, statement: GrantedStatement) -> Iterator[tuple[Grant, PathCondition]]:
        actions: Sequence[Pattern] = statement.actions
        resources: Sequence[Pattern] = statement.resources
        but_actions: tuple[str, ...] = ()
        but_resources: tuple[str, ...] = ()
        anything = Pattern("*", statement.path_condition, statement.path)
        if statement.all_but_actions:
            but_actions, actions = tuple(self._text(each) for each in actions), [anything]
        if statement.all_but_resources:
            but_resources, resources = tuple(self._text(each) for each in resources), [anything]
        wheres = list(self._where(statement))
        line = self._template.line(statement.path)
        for action in actions:
            for resource in resources:
                together = both(action.path_condition, resource.path_condition)
                if together is None:
                    continue
                for where, path_condition in wheres:
                    under = both(together, path_condition)
                    if under is not None:
                        yield (
                            Grant(
                                statement.effect,
                                self._text(action),
                                but_actions,
                                self._text(resource),
                                but_resources,
                                where,
                                "",
                                self._reader.symbols.show(resource.text),
                                statement.source,
                                line,
                                self._form(self._text(resource)),
                            ),
                            under,
                        )

    def _form(self, text: str) -> str:
        """A text with the forms of generated names in the place of these."""
        show = self._reader.symbols.show
        for name, form in self._speller.generated.items():
            text = text.replace(show(name), show(form))
        return text

    def _text(self, pattern: Pattern) -> str:
        return self._reader.symbols.show(self._speller.spell(pattern.text))

    def _where(self, statement: GrantedStatement) -> Iterator[tuple[tuple[str, ...], PathCondition]]:
        """The conditions of a statement. A key with several alternative values gives one grant for each value."""
        fixed: list[str] = []
        several: list[tuple[str, PathCondition]] = []
        for operator, keys in mapping(statement.condition).items():
            for key, node in mapping(keys).items():
                values = [
                    (self._shown(case.node), case.path_condition)
                    for case in self._reader.each(node, statement.path_condition, statement.path)
                ]
                any_is_enough = "Not" not in operator and not operator.startswith("ForAllValues")
                plain = len(values) < 2 and all(under == statement.path_condition for _, under in values)
                if any_is_enough and not plain and not several:
                    several = [(f"{key} {operator} {said}", under) for said, under in values]
                else:
                    fixed.append(f"{key} {operator} {', '.join(sorted(said for said, _ in values))}")
        if not several:
            yield tuple(sorted(fixed)), statement.path_condition
        for said, path_condition in several:
            yield tuple(sorted([*fixed, said])), path_condition

    def _shown(self, node: Json) -> str:
        return self._reader.symbols.show(self._speller.node(node))

    # -- what is needed -----------------------------------------------------------------------------------------------

    def _needs(
        self, names: Sequence[str], plan: RolePlan | None, symbols: Symbols | None
    ) -> tuple[list[Needed], list[Warned]]:
        if plan is None and names:
            inferred = inference.infer(self._template, self._stack, names)
            plan, symbols = inferred.plan, inferred.symbols
            warnings: list[Warned] = []
        else:
            warnings = [
                explanation.warned(self._template, each)
                for each in dict.fromkeys(plan.warnings if plan is not None else ())
            ]
        if plan is None or symbols is None:
            return [], warnings
        needed = [self._needed(need, symbols, plan) for need in dict.fromkeys(plan.needs)]
        for statement in plan.all_statements:
            if statement.feature is None:
                path = statement.paths[0]
                who, what = humanize.whereabouts(self._template.data, path)
                asked = Requester(path, self._template.line(path), who, what, "", humanize.when(statement.held))
                resources = mapping(statement.document).get("Resource", "*")
                listed = resources if isinstance(resources, list) else [resources]
                texts = [self._shown(node) for node in listed]
                needed += [Needed(statement.actions, item, "", asked, self._form(item)) for item in texts]
        return needed, warnings

    def _needed(self, need: Need, symbols: Symbols, plan: RolePlan) -> Needed:
        who, what = humanize.whereabouts(self._template.data, need.path)
        when = humanize.when(diagram([need.path_condition], plan.given))
        asked = Requester(need.path, self._template.line(need.path), who, what, symbols.show(need.target), when)
        context = self._shown(symbols.render(need.context[2])) if need.context else ""
        resource = self._shown(symbols.render(need.resource))
        return Needed(need.grant.actions, resource, context, asked, self._form(resource))


def text(node: Json) -> str:
    """A property's value on one line."""
    if isinstance(node, list) and all(isinstance(item, str) or _is_function(item) for item in node):
        return ", ".join(map(spelling.shown, node))
    if isinstance(node, str) or _is_function(node):
        return spelling.shown(node)
    return json.dumps(node, ensure_ascii=False, sort_keys=True)


def _is_function(node: Json) -> bool:
    return isinstance(node, dict) and len(node) == 1 and next(iter(node)).startswith(("Fn::", "Ref"))
