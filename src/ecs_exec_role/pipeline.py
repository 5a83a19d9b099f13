"""The macro itself, as a function: an event goes in, the expanded template comes out.

The stages are: event → template → specs → needs → statements → roles → fragment. No stage calls AWS, reads a file
or changes its input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ecs_exec_role import inference
from ecs_exec_role.errors import Problem, Problems, TemplateError
from ecs_exec_role.fragment import MOST_RESOURCES, assemble
from ecs_exec_role.guardrails import AnyEnforcer, Enforced, enforcer
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.definitions import ROLE, Services, services
from ecs_exec_role.needs.need import Need
from ecs_exec_role.policies.statements import Statement, Writer
from ecs_exec_role.roles import cycles, role
from ecs_exec_role.roles.assignment import Assignment, Used, assign, read_spec, spec_path
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.settings import NO_SETTINGS, Settings
from ecs_exec_role.spec.language import ROLE_PROPERTIES
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.budget import limited
from ecs_exec_role.template.conditions import ALWAYS, PathCondition, TooManyConditions
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import PROPERTY, SNIPPET, SNIPPET_ROLE, TOO_DEEP, Template, of_snippet, read
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json, Symbols, TooManySymbols

_ROLE_PROPERTIES = {"AssumeRolePolicyDocument", "Policies", *ROLE_PROPERTIES}


class Expansion(NamedTuple):
    """An expanded template.

    `symbols` has the meaning of the symbolic texts in the roles' needs.
    """

    fragment: dict[str, Json]
    roles: tuple[RolePlan, ...]
    symbols: Symbols

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What may still be missing."""
        return tuple(dict.fromkeys(warning for plan in self.roles for warning in plan.warnings))

    @property
    def warned_paths(self) -> tuple[str, ...]:
        """The paths of the warnings. Their texts, which take long, are not written for it."""
        warned = dict.fromkeys((each.path, each.code) for plan in self.roles for each in plan.warned)
        return tuple(path for path, _ in warned)


def expand(event: Mapping[str, Any], settings: Settings = NO_SETTINGS) -> Expansion:
    """Expands a template, or a snippet.

    Args:
        event: what CloudFormation sends to a macro's function.
        settings: what the macro's owner has set for every template.

    Raises:
        TemplateError: with every mistake of the template, each with its path and its remedy.
    """
    with _limits():
        return _expand(event, settings)


def infer(event: Mapping[str, Any], definitions: Sequence[str]) -> tuple[RolePlan, Symbols]:
    """What one role for some definitions of a template contains if its spec is `Auto`.

    Values that cannot be classified are skipped, and noted.

    Args:
        event: what CloudFormation would send to the macro's function.
        definitions: the logical IDs of the definitions.

    Raises:
        TemplateError: with every mistake of the definitions.
    """
    plan, symbols, problems = infer_readable(event, definitions)
    if problems:
        raise TemplateError(problems)
    return plan, symbols


def infer_readable(
    event: Mapping[str, Any], definitions: Sequence[str], settings: Settings = NO_SETTINGS
) -> tuple[RolePlan, Symbols, tuple[Problem, ...]]:
    """The same for definitions that may have mistakes: what can be read of them, and the mistakes.

    If there are any, the plan has no statements. A need can be wrong if there is a mistake at its place.

    Args:
        event: as for `infer`.
        definitions: as for `infer`.
        settings: what the macro's owner has set for every role; what they do not allow is a mistake.

    Raises:
        TemplateError: nothing can be read, because the template itself is wrong or exceeds a limit.
    """
    with _limits():
        template = read(event)
        template.refuse_private()
        symbols, problems = Symbols(), Problems()
        reader = Reader(template, symbols, problems)
        first = definitions[0]
        spec = Spec(f"Resources/{first}", ignore_unresolved=True)
        used = tuple(Used(template.path_condition_of(name), name, f"Resources/{name}") for name in definitions)
        inferred = inference.infer(reader, services(reader), spec, used)
        there = spec._replace(path=spec_path(first))
        needs = enforcer(settings.guardrails, reader).enforce(first, there, inferred.needs).needs
        statements = () if len(problems) else Writer(symbols, template).statements(needs, ())
        assignment = Assignment(f"{first}ExecutionRole", first, spec, used, None)
        plan = RolePlan(assignment, needs, tuple(statements), (), inferred.notes, inferred.warned)
        return plan, symbols, tuple(dict.fromkeys(problems))


@contextmanager
def _limits() -> Iterator[None]:
    """Reports what exceeds a limit of the macro, if anything does.

    Raises:
        TemplateError: if anything is.
    """
    place = "template"
    try:
        with limited() as budget:
            try:
                yield
            finally:
                place = budget.place
    except RecursionError:
        problem = TOO_DEEP
    except TooManyConditions:
        what = "depends on too many combinations of conditions"
        problem = Problem(place, what, "split the definition, or use fewer conditions", "too-many-conditions")
    except TooManySymbols:
        what = "has too many different intrinsic functions"
        problem = Problem("template", what, "split it into several stacks", "too-large")
    else:
        return
    raise TemplateError([problem])


def _expand(event: Mapping[str, Any], settings: Settings) -> Expansion:
    template = read(event)
    parameters = event.get("params")
    if parameters is not None and not isinstance(parameters, dict):
        fix = "write Parameters as a mapping, or remove them"
        raise TemplateError([Problem("params", "is not a mapping", fix, "wrong-type")])
    is_snippet = bool(parameters) or (bool(template.fragment) and template.fragment.keys() <= _ROLE_PROPERTIES)
    if not is_snippet and not template.mentions and not template.misspelt:
        return Expansion(template.fragment, (), Symbols())
    template.refuse_private()
    if is_snippet:
        if "Resources" in template.fragment:
            place = "Transform/EcsExecRole/Parameters"
            fix = f"write {PROPERTY} on the task definition, and no Parameters beside the Transform"
            raise TemplateError([Problem(place, "are not supported for a whole template", fix, "parameters-misplaced")])
        return _expand_snippet(of_snippet(template, ROLE), parameters or {}, settings)
    return _expand_template(template, settings)


def _expand_template(template: Template, settings: Settings) -> Expansion:
    """Expands a whole template: its specs → needs → statements → roles → fragment."""
    if len(template.resources) > MOST_RESOURCES:
        what = f"has {len(template.resources):,} resources; CloudFormation takes {MOST_RESOURCES}"
        raise TemplateError([Problem("Resources", what, "split the stack", "too-large")])
    symbols, problems = Symbols(), Problems()
    reader = Reader(template, symbols, problems)
    writer = Writer(symbols, template, reader.related)
    assignments = assign(reader)
    running, enforcing = services(reader), enforcer(settings.guardrails, reader)
    plans = [_grant(assignment, running, reader, writer, enforcing) for assignment in assignments]
    problems.refuse()
    if not plans:
        # The name of the property is only elsewhere: in a comment, or as the name of a parameter.
        return Expansion(template.fragment, (), symbols)
    graph = cycles.dependencies(template, plans)
    plans = [cycles.separated(plan, graph) for plan in plans]
    fragment = assemble(plans, template, symbols, settings, graph, problems)
    problems.refuse()
    return Expansion(fragment, tuple(plans), symbols)


def _expand_snippet(template: Template, parameters: dict[str, Json], settings: Settings) -> Expansion:
    """Expands `Fn::Transform` inside a role's properties. The macro sees only these properties."""
    symbols, problems = Symbols(), Problems()
    reader = Reader(template, symbols, problems)
    spec = read_spec(Cursor(reader, ALWAYS, parameters, SNIPPET), on_role=True, snippet=True)
    problems.refuse()
    assignment = Assignment(SNIPPET_ROLE, SNIPPET_ROLE, spec, (), None)
    plan = _grant(assignment, {}, reader, Writer(symbols, template), enforcer(settings.guardrails, reader))
    problems.refuse()
    built = role.build(plan, template, problems)
    if len(built.resources) > 1:
        what = "needs more policies than fit into the role, and a snippet cannot add policy resources"
        problems.append(Problem(SNIPPET, what, f"write {PROPERTY} on the role instead", "too-large"))
    problems.refuse()
    return Expansion(built.resources[SNIPPET_ROLE]["Properties"], (plan,), symbols)


def _grant(
    assignment: Assignment, running: Services, reader: Reader, writer: Writer, enforcing: AnyEnforcer
) -> RolePlan:
    """What one role grants, checked against the guardrails, before it is known where each statement can be."""
    spec, given = assignment.spec, assignment.given
    reader.budget.place = f"Resources/{assignment.owner}" if reader.template.whole else SNIPPET
    uses = _where_there(reader, assignment.used, given)
    inferred = inference.infer(reader, running, spec, uses, can_ignore=not enforcing.forces_preflight)
    enforced = _enforced(assignment, reader, enforcing, inferred.needs)
    room = role.room(assignment.logical_id, reader.template)
    statements = writer.statements(enforced.needs, enforced.spec.statements, given, room=room)
    asked: Sequence[Statement] = ()
    if enforced.spec.preflight and spec.mistaken is None and (spec.starter or enforcing.forces_preflight):
        asked = writer.statements(_asked(assignment, running, reader, enforced.needs), (), given)
    return RolePlan(
        assignment=assignment if enforced.spec is spec else assignment._replace(spec=enforced.spec),
        needs=enforced.needs,
        statements=tuple(statements),
        attached_later=(),
        notes=inferred.notes,
        warned=inferred.warned,
        asked=tuple(asked),
    )


def _enforced(assignment: Assignment, reader: Reader, enforcing: AnyEnforcer, needs: Sequence[Need]) -> Enforced:
    """A role's spec and needs after the guardrails."""
    spec = assignment.spec
    if spec.mistaken is None:
        return enforcing.enforce(assignment.owner, spec, needs)
    from ecs_exec_role.spec import mistaken  # noqa: PLC0415 - only needed after a mistake

    with reader.problems.aside() as found:
        enforced = enforcing.enforce(assignment.owner, spec, needs)
    reader.problems.extend(mistaken.own(spec, found))
    return enforced


def _where_there(reader: Reader, uses: Sequence[Used], given: PathCondition) -> Sequence[Used]:
    """The definitions that use a role, under the conditions under which the role is there: nothing else needs it."""
    if not given and not any(use.path_condition for use in uses):
        return uses
    together = [(use, reader.related.together(use.path_condition, given)) for use in uses]
    return [use._replace(path_condition=held) for use, held in together if held is not None]


def _asked(assignment: Assignment, running: Services, reader: Reader, granted: Sequence[Need]) -> list[Need]:
    """What the tasks need and the role does not get from the macro, for the check at deployment."""
    spec = assignment.spec
    granting = spec.infer and not spec.starter
    used = assignment.others if granting else (*assignment.used, *assignment.others)
    known = {(need.grant, need.resource, need.path_condition, need.path) for need in granted}
    uses = _where_there(reader, used, assignment.given)
    needs = inference.of_tasks(reader, running, spec, uses, can_ignore=spec.starter).needs
    return [need for need in needs if (need.grant, need.resource, need.path_condition, need.path) not in known]
