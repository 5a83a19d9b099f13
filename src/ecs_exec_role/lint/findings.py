"""What is wrong with a template's specs, for linters: the engine's mistakes and warnings, with their places.

A linter knows less than CloudFormation: not the region, not the account, and no parameter that has no default. What can
be right with them is not a finding.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.definitions import TYPES
from ecs_exec_role.offline import macro_call
from ecs_exec_role.offline.macro_call import LANGUAGE_EXTENSIONS, StackValues, transform_name, transforms_of
from ecs_exec_role.offline.parameters import spelt
from ecs_exec_role.settings import DESK_PREFLIGHT, Settings, from_environment
from ecs_exec_role.spec.schema import MACRO
from ecs_exec_role.template.event import PROPERTY, TOO_DEEP, mapping, mentions
from ecs_exec_role.template.symbols import Json

Path: TypeAlias = tuple["str | int", ...]


_ACCOUNT = "123456789012"


class LintMatch(NamedTuple):
    """`error` and `warning` are the engine's; `transform` is a macro that CloudFormation will not call as needed.

    `project` is a mistake in the project file, or in SAM's configuration.
    """

    kind: Literal["error", "warning", "transform", "project"]
    path: Path
    message: str


class LintResult(NamedTuple):
    """What was found in a template, and the type of each resource that the macro will add to it."""

    findings: tuple[LintMatch, ...]
    added: Mapping[str, str]


NOTHING = LintResult((), {})


def report(
    template: Mapping[Any, Any],
    regions: Sequence[str] = (),
    parameter_sets: Sequence[Mapping[str, Any]] = (),
    loops: Iterable[Any] = (),
    environment: Mapping[str, str] = {},
    account: str = "",
    project_problems: Sequence[str] = (),
) -> LintResult:
    """Runs the engine on a template.

    Args:
        template: the template, in the long form of its intrinsic functions; its mappings may have keys of any kind.
        regions: the regions of the deployment.
        parameter_sets: values of its parameters; none is the same as one empty set.
        loops: the values of `Fn::ForEach` in it before they were expanded.
        environment: the environment variables with the macro's guardrails, if there are any.
        account: the account of the deployment; empty if it is not known.
        project_problems: why the settings of the project cannot be read. Then the engine is not run, since its result
            would be about other values.
    """
    try:
        text = json.dumps(template, default=str)
    except (RecursionError, ValueError, TypeError):
        return LintResult((LintMatch("error", (), _said(TOO_DEEP)),), {})
    if f'"{PROPERTY}"' not in text and MACRO not in text:
        return NOTHING
    plain = json.loads(text)
    if not isinstance(plain, dict) or not isinstance(plain.get("Resources"), dict):
        return NOTHING
    specs = sorted(mentions(plain))
    if project_problems:
        place = _place(template, "", specs)
        return LintResult(tuple(LintMatch("project", place, said) for said in project_problems), _roles(plain))
    try:
        settings = from_environment(environment, DESK_PREFLIGHT)
    except TemplateError as error:
        place = _place(template, "", specs)
        return LintResult(tuple(LintMatch("error", place, str(problem)) for problem in error.problems), _roles(plain))
    errors: dict[Problem, None] = {}
    warnings: dict[Problem, None] = {}
    added: dict[str, str] = {}
    for region in regions or ("us-east-1",):
        for values in parameter_sets or ({},):
            given = {name: spelt(value) for name, value in values.items()}
            outcome = _judge(plain, StackValues(region, account or _account(plain), given), settings)
            errors.update(dict.fromkeys(outcome.errors))
            warnings.update(dict.fromkeys(outcome.warnings))
            added.update(outcome.added)
    warnings.update(dict.fromkeys(macro_call.called_for_nothing(plain)))
    findings = [
        *(LintMatch("error", _place(template, problem.path, specs), _said(problem)) for problem in errors),
        *(LintMatch("warning", _place(template, problem.path, specs), _said(problem)) for problem in warnings),
        *(
            LintMatch("transform", _place(template, problem.path, specs), _said(problem))
            for problem in _not_called(plain, specs, loops)
        ),
    ]
    return LintResult(tuple(findings), added or _roles(plain))


# -- running the engine -----------------------------------------------------------------------------------------------


class _Outcome(NamedTuple):
    errors: Sequence[Problem]
    warnings: Sequence[Problem] = ()
    added: Mapping[str, str] = {}


def _judge(template: dict[str, Json], stack: StackValues, settings: Settings) -> _Outcome:
    """What the macro reports for any values of the parameters that are not known.

    If something is wrong, the engine runs again with values for the unknown parameters: what it reports in both runs is
    wrong with any value, and if one run reports nothing, it depends on the values.
    """
    first = _expanded(template, stack, settings)
    unknown = _stand_ins(template, stack.values)
    if not first.errors or not unknown:
        return first
    second = _expanded(template, stack._replace(values={**unknown, **stack.values}), settings)
    if not second.errors:
        return second
    return first._replace(errors=[problem for problem in first.errors if problem in second.errors])


def _expanded(template: dict[str, Json], stack: StackValues, settings: Settings) -> _Outcome:
    called = macro_call.call(template, stack, settings)
    resources = template["Resources"]
    added = {
        name: str(resource["Type"])
        for name, resource in mapping((called.fragment or {}).get("Resources")).items()
        if name not in resources
    }
    return _Outcome([problem for problem in called.problems if not _linters_own(problem)], called.warnings, added)


def _stand_ins(template: dict[str, Json], given: Mapping[str, Any]) -> dict[str, str]:
    """Values for parameters of which nothing is known."""
    found = {}
    for name, node in mapping(template.get("Parameters")).items():
        parameter = mapping(node)
        if name in given or "Default" in parameter:
            continue
        allowed = parameter.get("AllowedValues")
        if isinstance(allowed, list) and allowed:
            found[name] = str(allowed[0])
        else:
            found[name] = "1" if parameter.get("Type") == "Number" else "example"
    return found


def _account(template: dict[str, Json]) -> str:
    """The first account that a mapping of the template has, or any account."""
    for table in mapping(template.get("Mappings")).values():
        for key in mapping(table):
            if len(key) == len(_ACCOUNT) and key.isdecimal():
                return key
    return _ACCOUNT


def _linters_own(problem: Problem) -> bool:
    """Whether a linter finds the same itself: a value of the wrong type, or a malformed function, outside a spec."""
    inside = f"/{PROPERTY}" in problem.path or "/Fn::Transform/" in problem.path
    wrong = problem.what.removeprefix("is a ") in ("mapping", "list", "number", "boolean", "string")
    return not inside and (wrong or (problem.path.endswith("/Fn::If") and problem.what == "is malformed"))


def _roles(template: dict[str, Json]) -> dict[str, str]:
    """The roles that the macro will add after the template's mistakes are corrected."""
    return {
        f"{name}ExecutionRole": "AWS::IAM::Role"
        for name, node in template["Resources"].items()
        if mapping(node).get("Type") in TYPES and PROPERTY in mapping(mapping(node).get("Properties"))
    }


# -- whether the macro is called --------------------------------------------------------------------------------------


def _not_called(template: Mapping[str, Json], specs: Sequence[str], loops: Iterable[Any]) -> Iterator[Problem]:
    """Why CloudFormation will not call the macro, or will call it at the wrong time."""
    names = list(map(transform_name, transforms_of(template)))
    if MACRO not in names:
        for path in specs:
            what = f"CloudFormation does not know {PROPERTY}, since the template does not call the macro"
            fix = f"write `Transform: {MACRO}` at the template's top"
            if any(names):
                fix = f"add {MACRO} to the template's Transform"
            yield Problem(path, what, fix, "macro-not-called")
    elif LANGUAGE_EXTENSIONS in names[names.index(MACRO) :] and any(True for loop in loops for _ in mentions(loop)):
        what = f"{MACRO} is called before {LANGUAGE_EXTENSIONS} and sees an Fn::ForEach with an {PROPERTY} in it"
        yield Problem("Transform", what, f"write {LANGUAGE_EXTENSIONS} before {MACRO}", "loop-not-unrolled")


# -- places -----------------------------------------------------------------------------------------------------------


def _said(problem: Problem) -> str:
    """The message of a problem whose place is shown: it only has the path below a resource's properties."""
    below = problem.path.split("/Properties/", 1)
    return f"{below[1]}: {problem.what}; {problem.fix}" if len(below) == 2 else str(problem)


def _place(template: Mapping[Any, Any], path: str, specs: Sequence[str]) -> Path:
    """The steps to `path`, up to the part that exists; a problem of the whole template is shown at its first spec."""
    steps = _steps(template, path)
    return steps or (_steps(template, specs[0]) if specs else ())


def _steps(template: Any, path: str) -> Path:
    """The keys and indexes in `path`. A key can contain slashes itself: the longest key that matches is used."""
    steps: list[str | int] = []
    node = template
    rest = path
    while rest:
        head = rest.partition("/")[0]
        if isinstance(node, list) and head.isdecimal() and int(head) < len(node):
            key: Any = int(head)
        elif isinstance(node, dict):
            fitting = [name for name in node if rest == str(name) or rest.startswith(f"{name}/")]
            if not fitting:
                break
            key = max(fitting, key=lambda name: len(str(name)))
            head = str(key)
        else:
            break
        steps.append(key)
        node = node[key]
        rest = rest[len(head) + 1 :]
    return tuple(steps)
