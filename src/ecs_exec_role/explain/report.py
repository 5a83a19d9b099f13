"""The explanation of a template's roles, as plain data for every output format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ecs_exec_role.audit import passing, uses
from ecs_exec_role.audit import report as audit_report
from ecs_exec_role.errors import Problem
from ecs_exec_role.explain import owners
from ecs_exec_role.explain.owners import Owner
from ecs_exec_role.needs.need import Need
from ecs_exec_role.offline import humanize, inference
from ecs_exec_role.offline.errors import LocatedProblem
from ecs_exec_role.offline.macro_call import StackValues, expanded, settings_of, with_loops_unrolled
from ecs_exec_role.offline.parameters import spelt
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.policies.statements import Statement
from ecs_exec_role.roles.role import TRUST_POLICY, RolePlan
from ecs_exec_role.settings import Settings
from ecs_exec_role.template import conditions, spelling
from ecs_exec_role.template.event import mapping, partition_of
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json, Symbols

MANAGED_POLICY = "AmazonECSTaskExecutionRolePolicy"
MANAGED_ACTIONS = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
)
"""The actions that this policy allows, on every resource of the account.

See https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonECSTaskExecutionRolePolicy.html
"""


_PATH = re.compile(r"\((Resources/[^\s()`]+)\)")
"""A path of the template in a message."""


@dataclass(frozen=True, slots=True)
class Requester:
    """What needs a resource: where, in words, with which value, and under which conditions."""

    path: str
    line: int
    who: str
    what: str
    value: str
    when: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a statement. `context`: the only thing that a key may decrypt."""

    arn: str
    context: str
    reasons: tuple[Requester, ...]


@dataclass(frozen=True, slots=True)
class ExplainedStatement:
    """One statement. `feature` and `docs` are empty for one that the author wrote."""

    sid: str
    feature: str
    title: str
    docs: str
    actions: tuple[str, ...]
    resources: tuple[Resource, ...]
    conditions: tuple[str, ...]
    when: str
    apart: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was examined and needs no statement, and why; `code` is one of docs/codes.md."""

    path: str
    line: int
    who: str
    what: str
    text: str
    docs: str
    when: str
    code: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that may be missing, and for whom: `who` and `what` are its place in words."""

    path: str
    line: int
    who: str
    what: str
    text: str
    code: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A role compared with the managed policy that it replaces."""

    policy: str
    policy_actions: int
    on_every_resource: tuple[str, ...]
    on_named_resources: tuple[str, ...]
    not_granted: tuple[str, ...]
    further: tuple[str, ...]
    resources: int

    def sentences(self) -> Iterator[str]:
        """The comparison in words."""
        yield f"{self.policy} allows {self.policy_actions} actions, each on every resource."
        named, every, absent = map(len, (self.on_named_resources, self.on_every_resource, self.not_granted))
        parts = []
        if named:
            on = humanize.count(self.resources, "named resource")
            parts.append(f"{named} of these only on {on}")
        if every:
            parts.append(f"{every} on every resource")
        if absent and parts:
            parts.append(f"{absent} on none")
        yield f"This role allows {_listed(parts) if parts else 'none of these'}."
        if self.further:
            yield f"This task also needs, and that policy does not allow: {', '.join(self.further)}."


@dataclass(frozen=True, slots=True)
class Starting:
    """What the starters of the tasks must be allowed: `statement` is for the policies of their roles, ready to copy.

    `starters` are the resources of the template that start the tasks, in words and with their lines.
    """

    statement: dict[str, Json]
    starters: tuple[str, ...]
    docs: str


@dataclass(frozen=True, slots=True)
class RoleReport:
    """One role. `assumed`: the template has no spec yet, and this is the result of `Auto`.

    `policy` and `trust` are its policy and its trust policy, in the form for a template.
    """

    role: str
    path: str
    line: int
    definitions: tuple[str, ...]
    assumed: bool
    starter: bool
    when: str
    statements: tuple[ExplainedStatement, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[Warned, ...]
    comparison: Comparison
    policy: dict[str, Json]
    trust: dict[str, Json]
    owners: tuple[Owner, ...] = ()
    starting: Starting | None = None


@dataclass(frozen=True, slots=True)
class UsedParameter:
    """A parameter that definitions refer to, and the value that was used for it.

    `source`: `given`; `default`; `unknown`, where it has no value here; or `hidden`, for one with `NoEcho`, whose value
    is never shown. `value` is empty for the last two.
    """

    name: str
    value: str
    source: Literal["given", "default", "unknown", "hidden"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All roles of one template.

    `defaults` are the parameters whose defaults were used; `problems` are of definitions that cannot be read.
    `region` and `account` are empty where they are unknown.
    """

    template: str
    roles: tuple[RoleReport, ...]
    defaults: tuple[str, ...] = ()
    problems: tuple[LocatedProblem, ...] = ()
    region: str = ""
    account: str = ""
    parameters: tuple[UsedParameter, ...] = ()

    def data(self) -> dict[str, Json]:
        """The same as mappings and lists: `problems` as sentences, and `mistakes` as their parts with their codes."""
        mistakes = [problem._asdict() for problem in self.problems]
        return {**asdict(self), "problems": list(map(str, self.problems)), "mistakes": mistakes}


def of(template: TemplateFile, stack: StackValues, settings: Settings | None = None) -> Explanation:
    """The report of one template: about its specs, or, if it has none, about `Auto` for its definitions.

    A role of `Auto` that the macro's owner does not allow is in the report, with the mistakes.

    Args:
        template: the template before.
        stack: where it is deployed, and with which parameters.
        settings: what the macro's owner has set; None: read them from the environment variables of this process.

    Raises:
        InvalidTemplate: the macro would refuse the template.
    """
    template = with_loops_unrolled(template, stack)
    called = inference.has_spec(template.data) or inference.mentions_spec(template.data)
    roles = expanded(template, stack, settings).roles if called else ()
    if roles:
        started = _starting(template, stack)
        reports = tuple(
            replace(_role(template, plan, symbols, stack), starting=started(plan)) for plan, symbols in roles
        )
        return _explanation(template, stack, reports, ())
    found = []
    problems: list[LocatedProblem] = []
    started = _starting(template, stack, assumed=True)
    settings = settings if settings is not None else settings_of(stack)
    for definition in inference.definitions_of(template.data):
        inferred = inference.infer(template, stack, [definition], settings)
        problems.extend(map(template.mistake, _of_new_role(template.data, definition, inferred.problems)))
        if inferred.plan is None and all(map(_is_of_guardrail, inferred.problems)):
            # The role can be shown: only the macro's owner does not allow it.
            inferred = inference.infer(template, stack, [definition])
        if inferred.plan is None:
            continue
        role = _role(template, inferred.plan, inferred.symbols, stack, assumed=True)
        found.append(replace(role, starting=started(inferred.plan)))
    return _explanation(template, stack, tuple(found), tuple(problems))


def _of_new_role(data: Mapping[str, Any], definition: str, problems: Iterable[Problem]) -> Iterator[Problem]:
    """The mistakes without those about a role of the template that has the logical ID of the role that Auto makes.

    A spec replaces that role, and the policies that are attached to it.
    """
    replaced = f"{definition}ExecutionRole" in data["Resources"]
    for problem in problems:
        is_elsewhere = not problem.path.startswith(f"Resources/{definition}/")
        if not (replaced and is_elsewhere and _is_of_guardrail(problem)):
            yield problem


def _is_of_guardrail(problem: Problem) -> bool:
    return problem.code.startswith("guardrail-")


def _explanation(
    template: TemplateFile,
    stack: StackValues,
    roles: tuple[RoleReport, ...],
    problems: tuple[LocatedProblem, ...],
) -> Explanation:
    return Explanation(
        template.name,
        roles,
        inference.defaults(template, stack),
        problems,
        stack.region,
        stack.account,
        tuple(_parameters(template, stack)),
    )


def _parameters(template: TemplateFile, stack: StackValues) -> Iterator[UsedParameter]:
    for name, declared in inference.parameters(template).items():
        if str(declared.get("NoEcho", "")).lower() == "true":
            yield UsedParameter(name, "", "hidden")
        elif name in stack.values:
            yield UsedParameter(name, stack.values[name], "given")
        elif "Default" in declared:
            yield UsedParameter(name, spelt(declared["Default"]), "default")
        else:
            yield UsedParameter(name, "", "unknown")


def _starting(template: TemplateFile, stack: StackValues, *, assumed: bool = False) -> Callable[[RolePlan], Starting]:
    """Makes the function that returns, for a role, what the starters of its tasks must be allowed.

    A role that is `assumed` takes the place of the execution roles that the definitions have.
    """
    reader = audit_report.reader_of(template, stack)
    used: dict[str, list[uses.Use]] = {}
    for use in uses.all_uses(reader):
        used.setdefault(use.definition, []).append(use)
    found = passing.starts(reader)

    def of_role(plan: RolePlan) -> Starting:
        names = tuple(dict.fromkeys(plan.definitions))
        texts = [text for name in names for text in passing.roles_of(reader, name, used.get(name, ()))]
        made = reader.symbols.get_att(plan.logical_id, "Arn")
        if assumed:
            before = {_arn_of(reader, use) for name in names for use in used.get(name, ())}
            texts = [made, *(text for text in texts if text not in before)]
        starters = dict.fromkeys(
            f"{start.kind} {start.logical_id}, line {template.line(f'Resources/{start.logical_id}')}"
            for start in found
            if start.definition in names
        )
        return Starting(passing.statement(reader, texts or [made]), tuple(starters), passing.DOCS)

    return of_role


def _arn_of(reader: Reader, use: uses.Use) -> str:
    return reader.symbols.get_att(use.role, "Arn") if use.role else use.outside


def _role(
    template: TemplateFile, plan: RolePlan, symbols: Symbols, stack: StackValues, *, assumed: bool = False
) -> RoleReport:
    statements = [
        *(_grant(template, plan, statement, symbols, apart=False) for statement in plan.statements),
        *(_grant(template, plan, statement, symbols, apart=True) for statement in plan.attached_later),
    ]
    resource = mapping(template.data["Resources"].get(plan.logical_id))
    left_out = []
    for note in dict.fromkeys(plan.notes):
        who, what = humanize.whereabouts(template.data, note.path)
        held = humanize.when(conditions.diagram([note.path_condition], plan.given))
        left_out.append(LeftOut(note.path, template.line(note.path), who, what, note.text, note.docs, held, note.code))
    return RoleReport(
        role=plan.logical_id,
        path=plan.spec_path,
        line=template.line(plan.spec_path),
        definitions=tuple(dict.fromkeys(plan.definitions)),
        assumed=assumed,
        starter=plan.spec.starter,
        when=plan.condition or "",
        statements=tuple(statements),
        left_out=tuple(left_out),
        warnings=tuple(warned(template, warning) for warning in dict.fromkeys(plan.warnings)),
        comparison=_comparison(statements),
        policy={"Version": "2012-10-17", "Statement": [each.document for each in plan.all_statements]}
        if plan.all_statements
        else {},
        trust=mapping(resource.get("Properties")).get("AssumeRolePolicyDocument", TRUST_POLICY),
        owners=owners.of(
            plan.needs,
            symbols,
            account=stack.account,
            region=stack.region,
            partition=partition_of(stack.region)[0],
        ),
    )


def warned(template: TemplateFile, warning: Problem) -> Warned:
    """A warning of the engine with its place."""
    who, what = humanize.whereabouts(template.data, warning.path)
    text = _PATH.sub(lambda path: f"({_in_words(template, path[1])})", f"{warning.what}; {warning.fix}")
    return Warned(warning.path, template.line(warning.path), who, what, text, warning.code)


def _in_words(template: TemplateFile, path: str) -> str:
    who, what = humanize.whereabouts(template.data, path)
    return f"{who}: {what}, line {template.line(path)}" if what else f"{who}, line {template.line(path)}"


def _grant(
    template: TemplateFile, plan: RolePlan, statement: Statement, symbols: Symbols, *, apart: bool
) -> ExplainedStatement:
    grouped: dict[tuple[str, str], list[Need]] = {}
    for need in statement.needs:
        context = symbols.show(need.context[2]) if need.context else ""
        grouped.setdefault((symbols.show(need.resource), context), []).append(need)
    resources = [
        Resource(arn, context, tuple(_reasons(template, plan, needs, symbols)))
        for (arn, context), needs in sorted(grouped.items())
    ]
    if statement.feature is None:
        written = _unwrapped(statement.document)
        listed = written.get("Resource", [])
        for node in listed if isinstance(listed, list) else [listed]:
            path = statement.paths[0]
            who, what = humanize.whereabouts(template.data, path)
            resources.append(
                Resource(spelling.shown(node), "", (Requester(path, template.line(path), who, what, "", ""),))
            )
    return ExplainedStatement(
        sid=statement.sid,
        feature=statement.feature.id if statement.feature else "",
        title=statement.feature.title if statement.feature else "Written by the author",
        docs=statement.feature.docs if statement.feature else "",
        actions=statement.actions,
        resources=tuple(resources),
        conditions=tuple(_conditions(_unwrapped(statement.document).get("Condition"))),
        when=humanize.when(statement.held),
        apart=apart,
    )


def _unwrapped(document: Json) -> Mapping[str, Any]:
    """A statement without the `Fn::If`s that contain it."""
    while isinstance(document, dict) and "Fn::If" in document:
        _, yes, no = document["Fn::If"]
        document = no if yes == {"Ref": "AWS::NoValue"} else yes
    return document if isinstance(document, dict) else {}


def _conditions(node: Json) -> Iterator[str]:
    for operator, keys in node.items() if isinstance(node, dict) else ():
        for key, value in keys.items() if isinstance(keys, dict) else ():
            values = value if isinstance(value, list) else [value]
            yield f"{key} {operator} {', '.join(spelling.shown(item) for item in values)}"


def _reasons(template: TemplateFile, plan: RolePlan, needs: Iterable[Need], symbols: Symbols) -> Iterator[Requester]:
    by_path: dict[str, list[Need]] = {}
    for need in needs:
        by_path.setdefault(need.path, []).append(need)
    for path, asked in by_path.items():
        who, what = humanize.whereabouts(template.data, path)
        held = humanize.when(conditions.diagram([need.path_condition for need in asked], plan.given))
        yield Requester(path, template.line(path), who, what, symbols.show(asked[0].target), held)


def _comparison(statements: Iterable[ExplainedStatement]) -> Comparison:
    every: dict[str, None] = {}
    named: dict[str, None] = {}
    resources: set[str] = set()
    further: dict[str, None] = {}
    for statement in statements:
        arns = {resource.arn for resource in statement.resources}
        for action in statement.actions:
            if action not in MANAGED_ACTIONS:
                further[action] = None
            elif "*" in arns:
                every[action] = None
            else:
                named[action] = None
                resources |= arns
    absent = tuple(action for action in MANAGED_ACTIONS if action not in every and action not in named)
    return Comparison(
        policy=MANAGED_POLICY,
        policy_actions=len(MANAGED_ACTIONS),
        on_every_resource=tuple(sorted(every)),
        on_named_resources=tuple(sorted(action for action in named if action not in every)),
        not_granted=absent,
        further=tuple(further),
        resources=len(resources),
    )


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
