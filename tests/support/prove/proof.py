"""The proof for a whole template: each role allows exactly what its definitions need, in each of its settings."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.support.cloudformation import REGION, CloudFormationError, Document, Stack, compared_in, role_policies
from tests.support.event import event_of
from tests.support.prove.automata import Undecided, literal
from tests.support.prove.grants import Difference, Grant, conditions, differences, read
from tests.support.prove.needs import Needs, needs

Respond = Callable[[Document], Document]
"""The macro: CloudFormation's call in, its answer out."""

MOST_SETTINGS = 64
ATTACHED = ("AWS::IAM::RolePolicy", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
NOTHING: Document = {"Version": "2012-10-17", "Statement": []}


class Finding(NamedTuple):
    """One request on which a role and the needs of its definitions disagree."""

    role: str
    verdict: str
    difference: Difference

    def __str__(self) -> str:
        return f"{self.role}: {self.verdict}: {self.difference.request} ({self.difference.label})"


TOO_WIDE = "allowed, not needed"
LACKING = "needed, not allowed"


def prove(before: Stack, after: Stack) -> list[Finding]:
    """The differences between the roles of an expanded stack and the needs of the template's definitions."""
    found: list[Finding] = []
    for role, needed in needs(before).items():
        if role not in after.fragment["Resources"]:
            found.append(Finding(role, LACKING, Difference(role, "the role itself")))
            continue
        found += _permissions(before, after, role, needed)
        found += _trust(after, role)
    return found


def _permissions(before: Stack, after: Stack, role: str, needed: Needs) -> Iterator[Finding]:
    """The role's policies. Managed policies that the author names are not read: they are the author's choice."""
    resource = before.fragment["Resources"].get(role, {"Type": "", "Properties": {}})
    named = _listed_in(after, resource.get("Properties", {}).get("ManagedPolicyArns"))
    named += _listed_in(after, needed.spec.get("ManagedPolicyArns"))
    needed.written(read(_attached_by_the_author(before, after, role)))
    yield from compare(role, needed, role_policies(after, role, dict.fromkeys(named, NOTHING)))


def compare(role: str, needed: Needs, documents: Iterable[Document]) -> Iterator[Finding]:
    """The differences between a role's policies and its needs, in both directions."""
    held = read(documents)
    for difference in differences(held.grants, [*needed.required, *needed.optional]):
        yield Finding(role, TOO_WIDE, difference)
    for difference in differences(needed.required, held.grants):
        yield Finding(role, LACKING, difference)
    for verdict, these, those in ((TOO_WIDE, held.others, needed.others), (LACKING, needed.others, held.others)):
        for statement in sorted(set(these) - set(those)):
            yield Finding(role, verdict, Difference("not read by automata, compared as it is written", statement))


def _attached_by_the_author(before: Stack, after: Stack, role: str) -> Iterator[Document]:
    """Policies that the template attaches to a role by itself."""
    name, arns = after.physical(role).ref, after.property(role, "ManagedPolicyArns") or []
    for logical_id in after.resources(*ATTACHED):
        if logical_id in before.fragment["Resources"]:
            properties = after.properties(logical_id)
            roles = [*properties.get("Roles", []), properties.get("RoleName")]
            if name in roles or after.physical(logical_id).ref in arns:
                yield properties["PolicyDocument"]


def _listed_in(stack: Stack, value: Any) -> list[str]:
    resolved = stack.resolve(value or [])
    return resolved if isinstance(resolved, list) else []


def _trust(stack: Stack, role: str) -> Iterator[Finding]:
    """ECS, on behalf of a task of this account and region, and no other principal, may assume the role."""
    block = {
        "StringEquals": {"aws:SourceAccount": stack.account},
        "ArnLike": {"aws:SourceArn": f"arn:{stack.partition}:ecs:{stack.region}:{stack.account}:*"},
    }
    right = [_assumed("tasks of this account", {"Service": "ecs-tasks.amazonaws.com"}, block)]
    document = stack.properties(role)["AssumeRolePolicyDocument"]
    held = [
        _assumed("the trust policy", each["Principal"], each.get("Condition", {})) for each in document["Statement"]
    ]
    for verdict, these, those in ((TOO_WIDE, held, right), (LACKING, right, held)):
        for difference in differences(these, those):
            yield Finding(role, verdict, difference)


def _assumed(label: str, principal: Any, block: Document) -> Grant:
    """Who may assume a role, with the principal as the resource."""
    who = frozenset({literal(json.dumps(principal))})
    return Grant(label, frozenset({literal("sts:assumerole")}), who, conditions(block))


# Settings


class Setting(NamedTuple):
    """Values of parameters, and the region of the stack."""

    parameters: Mapping[str, str]
    region: str

    def __str__(self) -> str:
        return ", ".join([*(f"{name}={value}" for name, value in sorted(self.parameters.items())), self.region])


def settings(
    template: Document, given: Mapping[str, str] | None = None, *, region: str = REGION, most: int = MOST_SETTINGS
) -> tuple[list[Setting], int]:
    """The settings in which a template's conditions may differ, and their total number.

    A parameter that is not `given` takes each of its allowed values, or each value that a condition compares it to, and
    one more; the region each one that it is compared to. Of more than `most` combinations every n-th is taken, and
    those that differ from the first in one value only.
    """
    given = dict(given or {})
    compared = template.get("Conditions", {})
    choices: dict[str, list[str]] = {"": list(dict.fromkeys([region, *sorted(compared_in(compared, "AWS::Region"))]))}
    for name, definition in template.get("Parameters", {}).items():
        first = given.get(name, definition.get("Default"))
        values = [str(value) for value in definition.get("AllowedValues", [])]
        if not values and (literals := compared_in(compared, name)):
            values = [*sorted(literals), f"no {name}"]
        if name in given or not values:
            choices[name] = [] if first is None else [str(first)]
        else:
            choices[name] = list(dict.fromkeys([*([] if first is None else [str(first)]), *values]))
    known = {name: values for name, values in choices.items() if values}
    total = math.prod(len(values) for values in known.values())
    start = tuple(values[0] for values in known.values())
    if total <= most:
        chosen = list(itertools.product(*known.values()))
    else:
        lists = list(known.values())
        single = [(*start[:i], value, *start[i + 1 :]) for i, values in enumerate(lists) for value in values]
        spread = itertools.islice(itertools.product(*lists), 0, None, math.ceil(total / most))
        chosen = list(dict.fromkeys([*single, *spread]))[:most]
    found = [dict(zip(known, values, strict=True)) for values in chosen]
    return [Setting({key: value for key, value in each.items() if key}, each[""]) for each in found], total


@dataclass
class Proof:
    """The result for a whole template.

    `settings` were looked at, of `possible` ones. In the `impossible` ones CloudFormation would refuse the template, or
    it is not well formed; in those of `refused` the macro refuses it, with its message; those of `undecided` have
    patterns that take too long. `one_sided` are the conditions that had the same value in all settings.
    """

    settings: int = 0
    possible: int = 0
    roles: int = 0
    impossible: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    undecided: dict[str, str] = field(default_factory=dict)
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    one_sided: dict[str, bool] = field(default_factory=dict)


def prove_template(
    template: Document,
    respond: Respond,
    given: Mapping[str, str] | None = None,
    *,
    region: str = REGION,
    most: int = MOST_SETTINGS,
    **stack: Any,
) -> Proof:
    """Expands a template in each of its settings, and proves its roles; `stack` goes to each `Stack`."""
    chosen, possible = settings(template, given, region=region, most=most)
    proof = Proof(possible=possible)
    seen: dict[str, set[bool]] = {name: set() for name in template.get("Conditions", {})}
    for setting in chosen:
        before = Stack(template, setting.parameters, region=setting.region, **stack)
        try:
            roles = len(needs(before))
            for name, values in seen.items():
                values.add(before.condition(name))
            call = call_of(before)
        except CloudFormationError as error:
            proof.impossible.append(f"{setting}: {error}")
            continue
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            # The independent reading expects a well-formed definition; cfn-lint finds the others.
            proof.impossible.append(f"{setting}: not well formed: {type(error).__name__}: {error}")
            continue
        proof.settings += 1
        answer = respond(call)
        if answer["status"] != "success":
            proof.refused[str(setting)] = answer["errorMessage"]
            continue
        proof.roles += roles
        try:
            found = prove(before, Stack(answer["fragment"], setting.parameters, region=setting.region, **stack))
        except Undecided as error:
            proof.undecided[str(setting)] = str(error)
            continue
        if found:
            proof.findings[str(setting)] = found
    proof.one_sided = {name: next(iter(values)) for name, values in seen.items() if len(values) == 1}
    return proof


def call_of(stack: Stack, *, as_text: bool = False) -> Document:
    """CloudFormation's call of the macro for a stack; `as_text`: lists come as the text that the user gave."""
    request = event_of(stack, copy.deepcopy(stack.fragment))
    if as_text:
        values = request["templateParameterValues"]
        values.update({name: " , ".join(value) for name, value in values.items() if isinstance(value, list)})
    return request
