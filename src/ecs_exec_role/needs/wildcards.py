"""The check between what features find and what is granted: no text of a template is a wildcard or a policy variable.

Features mark the wildcards that they write themselves (`MANY`, `ONE` and `ESCAPE` of `ecs_exec_role.template.symbols`).
`InferenceContext.need` asks `judged` of each need: every literal `*`, `?` and `${` in what it grants is a mistake,
wherever in the template it came from, and only then the marks become IAM's characters. So a feature that forgets to
check a value cannot widen a grant.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias, overload

from ecs_exec_role.errors import Problem
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import FIELDS_OF_ARN, Condition, Grant
from ecs_exec_role.template.event import Template
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import ACCOUNT, ESCAPE, MANY, ONE, Json, SymbolicText, is_symbolic

_SPECIAL_IN_SUB = late_pattern(r"[*?]|\$\{!")
_TAKES_NO_RESOURCE = ("Registry", "FSx")

_PLAIN = frozenset(("AWS::AccountId", "AWS::Partition", "AWS::Region"))
"""References whose values are neither a wildcard nor an ARN, so that nothing of a template is in them."""

_MARKS = ((MANY, "*"), (ONE, "?"), (ESCAPE, "${"))

_TWELVE_DIGITS = late_pattern("[0-9]{12}")
_KEY = late_pattern(r"key/[^/:]+")
_FORMS = {
    "ecr": "repository/NAME",
    "kms": "key/ID",
    "logs": "log-group:NAME",
    "s3": "BUCKET/KEY",
    "secretsmanager": "secret:NAME",
    "ssm": "parameter/NAME",
}
"""How the last field of each service's ARNs looks."""

_NAMES = {
    "elasticfilesystem": ("file system", late_pattern(r"(?:file-system|access-point)/[^\s:/]+")),
    "logs": ("log group", late_pattern(rf"log-group:[^\s:]+(?::(?:{MANY}|log-stream:.*))?", re.DOTALL)),
    "secretsmanager": ("secret", late_pattern(r"secret:[^\s:]+")),
    "ssm": ("parameter", late_pattern(r"parameter(?!/*$)[^\s:]+")),
}
"""What a service calls its resources, and the last field of their ARNs: no name contains a space or a colon."""

_GIVEN = {"arn": "an ARN", "domain": "the name of a host", "uri": "a URI", "url": "a URL"}
"""What references give that is not a name, by the last words of `RETURN_VALUES`."""

_ECHOES = {("AWS::SSM::Parameter", "Value"): "Value"}
"""Attributes that return what the template has in a property, and that property."""

WILDCARD = "name one resource; a wildcard is allowed in Statements only"
VARIABLE = "name one resource; a policy variable is allowed in Statements only"


def variable_fix(template: Template, text: str) -> str:
    """What to write instead of a `${…}` in a text: usually the author forgot `!Sub`."""
    names = {name.partition(".")[0] for name in re.findall(r"\$\{\s*([A-Za-z0-9:.]+)\s*\}", text)}
    known = [
        name for name in names if name.startswith("AWS::") or name in template.parameters or name in template.types
    ]
    return "write !Sub before the text" if known else VARIABLE


Content: TypeAlias = (
    "tuple[Grant, SymbolicText, SymbolicText, tuple[Condition, ...], tuple[str, str, SymbolicText] | None]"
)
"""A need without its place: its grant, resource, target, conditions and encryption context."""


class Judged(NamedTuple):
    """What is wrong with a need, without its path, and the need as IAM writes it: None if that is the same."""

    problem: Problem | None
    written: Content | None


_RIGHT = Judged(None, None)
"""Most needs have no mistake, and are written as they are."""


def judged(reader: Reader, content: Content) -> Judged:
    """Judges a need, wherever it is."""
    known = reader.remembered[judged]
    found: Judged | None = known.get(content)
    if found is None:
        problem, written = _mistake(reader, content), _written(content)
        found = known[content] = _RIGHT if problem is None and written is None else Judged(problem, written)
    return found


def _mistake(reader: Reader, content: Content) -> Problem | None:
    """What is wrong with a need, without its path."""
    grant, resource, target, conditions, context = content
    if resource == "*" and grant.kind in _TAKES_NO_RESOURCE:
        return None
    service = grant.service
    fields = resource.split(":", FIELDS_OF_ARN - 1)
    is_arn = fields[0] == "arn" and len(fields) > 1
    problem = None
    if is_special(resource) or not _PLAIN.issuperset([symbol.name for symbol in reader.symbols.within(resource)]):
        problem = _special_mistake(reader, resource) or (_not_a_name(reader, resource) if is_arn else None)
    if problem is None and not (_can_match(fields, service) if is_arn else is_symbolic(resource[:1])):
        where = ":" if service == "s3" else "REGION:ACCOUNT"
        shown = as_iam(reader.symbols.show(resource))
        what = f"`{shown}` is not the ARN of a resource of {grant.actions[0]}"
        fix = f"write arn:PARTITION:{service}:{where}:{_FORMS.get(service, 'NAME')}"
        problem = Problem("", what, fix, "wrong-arn")
    beside = [value for _, _, values in conditions for value in values]
    beside += context[2:] if context is not None else ()
    for text in beside:
        problem = problem or _special_mistake(reader, text)
    if problem is None and is_arn and service in _NAMES:
        noun, form = _NAMES[service]
        if not form.fullmatch(fields[-1]):
            what = f"`{reader.symbols.show(target)}` cannot be the name of a {noun}"
            problem = Problem("", what, "write a name without spaces or colons", "wrong-name")
    return problem


def _not_a_name(reader: Reader, resource: str) -> Problem | None:
    """What is wrong with an ARN in which a reference that gives an ARN, a URI or a host has the place of a name."""
    for symbol in reader.symbols.directly_in(resource):
        if symbol.kind == "Ref" and symbol.name == "AWS::StackId":
            what: str | None = "the ARN of the stack"
        elif symbol.name in reader.template.types:
            what = _GIVEN.get(returns(reader.template, symbol).rpartition("-")[2])
        else:
            continue
        if what is not None:
            shown = f"${{{symbol.name}.{symbol.attribute}}}" if symbol.attribute else f"${{{symbol.name}}}"
            return Problem("", f"has `{shown}`, which is {what}, instead of a name", "write the name", "wrong-arn")
    return None


def _special_mistake(reader: Reader, text: str) -> Problem | None:
    """What is wrong with the first part of `text` that contains a wildcard or a policy variable."""
    found = next(_specials(reader, text, set()), None)
    return None if found is None else special(reader, "", found)


def is_special(text: str) -> bool:
    """Whether a text contains a wildcard or a policy variable."""
    return "*" in text or "?" in text or "${" in text


@overload
def as_iam(text: SymbolicText) -> SymbolicText: ...
@overload
def as_iam(text: str) -> str: ...
def as_iam(text: str) -> str:
    """A text with the engine's own wildcards as IAM writes them."""
    for mark, written in _MARKS:
        if mark in text:
            text = text.replace(mark, written)
    return text


def _can_match(fields: Sequence[str], wanted: str) -> bool:
    """Whether IAM accepts these fields as an ARN that a resource of the service can have; true if a symbol hides that.

    IAM refuses a policy with an ARN that has no partition. An ARN of another service, or without region or account
    where the service has them, never matches.
    """
    if len(fields) < FIELDS_OF_ARN:
        return is_symbolic(":".join(fields))
    _, partition, service, region, account, resource = fields
    if not partition or not resource or (service != wanted and not is_symbolic(service)):
        return False
    if service == "kms" and not is_symbolic(resource.replace(MANY, "")) and not _KEY.fullmatch(resource):
        return False
    if service == "s3" or not region:
        return service == "s3"
    if account not in ("", ACCOUNT, MANY) and not is_symbolic(account) and not _TWELVE_DIGITS.fullmatch(account):
        return False
    # The ARNs of AWS's public parameters have no account.
    return account != "" or (service == "ssm" and (resource.startswith("parameter/aws/") or is_symbolic(resource)))


def special(reader: Reader, path: str, text: str) -> Problem:
    """What is wrong with a text that could name several things, as `is_special` says.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    shown = f"`{as_iam(reader.symbols.show(text))}`"
    if "*" in text or "?" in text:
        return Problem(path, f"{shown} contains a wildcard", WILDCARD, "wildcard")
    what = f"{shown} contains a policy variable, which IAM resolves for each request"
    return Problem(path, what, variable_fix(reader.template, text), "policy-variable")


def _written(content: Content) -> Content | None:
    """A need as IAM writes it; None if it is written so already."""
    grant, resource, target, conditions, context = content
    if resource.isascii() and target.isascii() and not conditions and context is None:
        return None
    conditions = tuple([(operator, key, tuple(map(as_iam, values))) for operator, key, values in conditions])
    if context is not None:
        context = (context[0], context[1], as_iam(context[2]))
    written = (grant, as_iam(resource), as_iam(target), conditions, context)
    return None if written == content else written


def _specials(reader: Reader, text: str, seen: set[str]) -> Iterator[str]:
    """The parts of `text` with wildcards or policy variables: its own, and those of its symbols."""
    if is_special(text):
        yield text
    for symbol in reader.symbols.within(text):
        if symbol.kind == "Opaque":
            yield from _in_function(reader, symbol.node, seen)
        elif symbol.kind == "GetAtt":
            yield from _echoed(reader, symbol.name, symbol.attribute, seen)


def _in_function(reader: Reader, node: Json, seen: set[str]) -> Iterator[str]:
    """The same for an intrinsic function that only CloudFormation can evaluate."""
    if isinstance(node, str):
        if is_special(node):
            yield node
    elif isinstance(node, list):
        for item in node:
            yield from _in_function(reader, item, seen)
    elif isinstance(node, dict):
        for name, argument in node.items():
            if name == "Fn::Sub":
                yield from _in_sub(reader, argument, seen)
            elif name == "Fn::GetAtt":
                parts = argument.split(".", 1) if isinstance(argument, str) else argument
                if isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts):
                    yield from _echoed(reader, parts[0], parts[1], seen)
            else:
                yield from _in_function(reader, argument, seen)


def _in_sub(reader: Reader, argument: Json, seen: set[str]) -> Iterator[str]:
    template, *variables = argument if isinstance(argument, list) and argument else [argument]
    if isinstance(template, str):
        if _SPECIAL_IN_SUB.search(template):
            yield template
        for name in re.findall(r"\$\{([^{}!]+)\}", template):
            logical_id, _, attribute = name.strip().partition(".")
            yield from _echoed(reader, logical_id, attribute, seen)
    for node in variables:
        yield from _in_function(reader, node, seen)


def _echoed(reader: Reader, logical_id: str, attribute: str, seen: set[str]) -> Iterator[str]:
    name = _ECHOES.get((reader.template.type_of(logical_id), attribute))
    if name is None or logical_id in seen:
        return
    with reader.problems.aside():  # CloudFormation reports what is wrong with that resource.
        texts = reader.text(reader.template.properties(logical_id).get(name))
    for text in texts:
        yield from _specials(reader, text.text, {*seen, logical_id})
