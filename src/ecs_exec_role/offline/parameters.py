"""Stack parameters, from options and files, as CloudFormation passes them to a macro."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.errors import InvalidInput, InvalidTemplate, LocatedProblem
from ecs_exec_role.template.similar_names import suggestion
from ecs_exec_role.template.symbols import Json


def from_options(parameters: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """The values from the options; a single `--parameter` overrides a file.

    Raises:
        InvalidInput: an option is not `Key=Value`.
        InvalidTemplate: a file has no known form of parameters.
    """
    values: dict[str, str] = {}
    for name in files:
        values.update(_from_file(name))
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        if not equals or not key:
            raise InvalidInput(f"--parameter {parameter}: write Key=Value")
        values[key] = value
    return values


def _from_file(name: str) -> dict[str, str]:
    """A parameter file: AWS CLI's list, CodePipeline's `{Parameters: …}`, SAM's `Key=Value`s, or a plain mapping."""
    [found] = template_file.names([name])
    data = template_file.read_value(found)
    if isinstance(data, dict) and isinstance(data.get("Parameters"), dict):
        data = data["Parameters"]
    if isinstance(data, dict) and not any(isinstance(value, dict) for value in data.values()):
        return {str(key): spelt(value) for key, value in data.items()}
    values: dict[str, str] = {}
    for item in data if isinstance(data, list) else [data]:
        if isinstance(item, str) and "=" in item:
            key, _, value = item.partition("=")
            values[key] = value
        elif isinstance(item, dict) and "ParameterKey" in item and "ParameterValue" in item:
            values[str(item["ParameterKey"])] = spelt(item["ParameterValue"])
        elif isinstance(item, dict) and item.get("UsePreviousValue") is True:
            continue
        else:
            form = "write {Key: Value}, or AWS CLI's [{ParameterKey: …, ParameterValue: …}]"
            raise InvalidTemplate(
                [LocatedProblem(found, 1, 1, "", "the file does not contain parameters", form, "not-parameters")]
            )
    return values


def spelt(value: Json) -> str:
    """A parameter's value as text; a list joined by commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(spelt, value))
    return "" if value is None else str(value)


_KEPT = "{{IntrinsicFunction:kept}}"
"""A value that the macro reads as one that is only known when the stack is deployed."""


def of_template(data: Mapping[str, Any], given: Mapping[str, str], *, symbolic: bool = False) -> dict[str, Json]:
    """`templateParameterValues`: the given values, else the template's defaults; a list parameter's value is a list.

    With `symbolic`, a parameter without a given value stays unresolved.
    """
    declared = data.get("Parameters")
    values: dict[str, Json] = {}
    for name, parameter in declared.items() if isinstance(declared, dict) else ():
        if not isinstance(parameter, dict):
            continue
        if symbolic and name not in given:
            values[name] = _KEPT
            continue
        value = given.get(name, parameter.get("Default"))
        if value is None:
            continue
        kind = parameter.get("Type")
        text = spelt(value)
        is_list = isinstance(kind, str) and (kind == "CommaDelimitedList" or kind.startswith("List<"))
        values[name] = [part.strip() for part in text.split(",")] if is_list and text else [] if is_list else text
    return values


def check(given: Mapping[str, str], all_data: Iterable[Mapping[str, Any]]) -> None:
    """Refuses parameters that none of the templates has.

    Raises:
        InvalidInput: there is one; with all of them.
    """
    known: set[str] = set()
    for data in all_data:
        declared = data.get("Parameters")
        known.update(declared if isinstance(declared, dict) else ())
    names = sorted(known)
    unknown = [
        f"no template here has a parameter {name}; {suggestion(name, names) if names else 'none has any'}"
        for name in given
        if name not in known
    ]
    if unknown:
        raise InvalidInput("\n".join(unknown))
