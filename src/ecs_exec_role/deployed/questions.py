"""The needs of a template, with the values that a stack or the options give filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ecs_exec_role.audit import report
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.deployed.conditions import Conditions
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import Need
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.preflight.needs import CheckedNeed
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.template.symbols import Json, Symbols, is_symbolic


class Questions(NamedTuple):
    """The needs that AWS can be asked about, and the paths of the other needs, with the reason.

    `allowed` is what the author's own statements allow, in the form of needs.
    """

    asked: tuple[CheckedNeed, ...]
    open: tuple[tuple[str, str], ...]
    allowed: tuple[CheckedNeed, ...] = ()


def of(
    template: TemplateFile, plan: RolePlan, symbols: Symbols, stack: StackValues, physical: Mapping[str, str]
) -> Questions:
    """The questions about one role.

    Args:
        template: where the needs come from.
        plan: the role that the macro would make.
        symbols: what the plan's texts are made of.
        stack: the region, account and parameters.
        physical: the physical IDs of the resources that are deployed, by logical ID; empty if no stack is given.
    """
    reader = report.reader_of(template, stack)
    speller = Speller(reader, region=stack.region, account=stack.account, physical=physical)
    conditions = Conditions(template.data.get("Conditions"), speller.node)
    asked: dict[tuple[str, ...], list[Need]] = {}
    for statement in (*plan.all_statements, *plan.asked):
        for need in statement.needs:
            key = (statement.sid, need.path, need.target, repr(need.path_condition))
            asked.setdefault(key, []).append(need)
    found: list[CheckedNeed] = []
    left: dict[tuple[str, str], None] = {}
    for (sid, *_), needs in asked.items():
        holds = conditions.holds(needs[0].path_condition)
        if holds is False:
            continue
        if holds is None:
            names = ", ".join(name for name, _ in needs[0].path_condition)
            left[
                needs[0].path, f"whether it is needed depends on the condition {names}, whose value is not known here"
            ] = None
            continue
        question = _question(sid, needs, symbols, speller)
        if any(is_symbolic(text) for text in _texts(question)):
            said = ", ".join(dict.fromkeys(symbols.show(need.resource) for need in needs))
            unknown = "the stack has no such resource" if physical else "known only once the stack is deployed"
            left[question.path, f"{said} is not known: {unknown}" if physical else f"{said} is {unknown}"] = None
        else:
            found.append(question)
    return Questions(tuple(found), tuple(left), tuple(_allowed(plan, speller, conditions)))


def _allowed(plan: RolePlan, speller: Speller, conditions: Conditions) -> Iterator[CheckedNeed]:
    """What the statements allow that the author wrote, as far as it is plain: a condition that is not is left out."""
    for path_condition, node, path in plan.spec.statements:
        if conditions.holds(path_condition) is not True or not isinstance(node, dict):
            continue
        context = _condition(node.get("Condition", {}), speller)
        if node.get("Effect") != "Allow" or context is None or not {"Action", "Resource"} <= node.keys():
            continue
        actions, resources = (tuple(map(speller.node, _listed(node[key]))) for key in ("Action", "Resource"))
        yield CheckedNeed(path=path, actions=actions, resources=resources, context=context)


def _condition(node: Json, speller: Speller) -> dict[str, tuple[str, ...]] | None:
    """The values that a condition asks for, by key; None if it asks in another way."""
    if not isinstance(node, dict):
        return None
    found: dict[str, tuple[str, ...]] = {}
    for operator, keys in node.items():
        if operator.removeprefix("ForAnyValue:") not in ("StringEquals", "StringLike") or not isinstance(keys, dict):
            return None
        found |= {key: tuple(map(speller.node, _listed(values))) for key, values in keys.items()}
    return found


def _listed(node: Json) -> list[Json]:
    return node if isinstance(node, list) else [node]


def _question(sid: str, needs: list[Need], symbols: Symbols, speller: Speller) -> CheckedNeed:
    def spell(text: str) -> str:
        return speller.node(symbols.render(text))

    first = needs[0]
    context: dict[str, tuple[str, ...]] = {key: tuple(map(spell, values)) for _, key, values in first.conditions}
    for need in needs:
        if need.context is not None:
            _, key, value = need.context
            context[key] = tuple(dict.fromkeys((*context.get(key, ()), spell(value))))
    return CheckedNeed(
        sid=sid,
        path=first.path,
        kind=first.grant.kind,
        target=spell(first.target),
        actions=first.grant.actions,
        resources=tuple(dict.fromkeys(spell(need.resource) for need in needs)),
        context=context,
    )


def _texts(question: CheckedNeed) -> Iterator[str]:
    yield question.target
    yield from question.resources
    for values in question.context.values():
        yield from values
