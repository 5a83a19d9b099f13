"""Paths and values of a template in the words of its author."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.conditions import DecisionDiagram
from ecs_exec_role.template.event import PROPERTY
from ecs_exec_role.template.spelling import shown

_LISTS = {"ContainerDefinitions": "container", "Containers": "container", "Volumes": "volume"}
_SOLE_CONTAINERS = ("PrimaryContainer", "ContainerProperties", "Container")


class Whereabouts(NamedTuple):
    """What a path is about: the thing with the need (`container web`), and its property (`Secrets[0] DB_PASSWORD`)."""

    who: str
    what: str


def whereabouts(data: Mapping[str, Any], path: str) -> Whereabouts:
    """A path of a template in words."""
    steps = path.split("/")
    if len(steps) < 2 or steps[0] != "Resources":
        return Whereabouts(path or "template", "")
    rest = steps[3:] if steps[2:3] == ["Properties"] else steps[2:]
    node: Any = _step(_step(_step(data, "Resources"), steps[1]), "Properties")
    who, name = steps[1], ""
    kept: list[str] = []
    kind = ""  # what the next item of a list is
    function = ""
    for step in rest:
        node = _step(node, step)
        if function:
            # A branch of Fn::If has the words of the complete value; what is inside other functions is not a separate
            # place.
            who, name = _with_name_of_branch(node, who, name, kept)
            function = ""
        elif step == "Fn::If":
            function = step
        elif step.startswith("Fn::"):
            break
        elif step in _SOLE_CONTAINERS:
            who, kept = f"container {_name(node, 'Name') or f'of {steps[1]}'}", []
        elif kind and step.isdecimal():
            who, kept, kind = f"{kind} {_name(node, 'Name') or f'of {steps[1]}'}", [], ""
        elif step in _LISTS:
            kind = _LISTS[step]
        elif step == PROPERTY and not kept:
            who = f"{who} {PROPERTY}"
        elif step.isdecimal() and kept:
            kept[-1] += f"[{step}]"
            name = _name(node, "Name") or name
        else:
            kept.append(step)
    if len(kept) > 1 and kept[-1] in ("ValueFrom", "Value"):
        kept.pop()
    what = ".".join(kept)
    return Whereabouts(who, f"{what} {name}" if name else what)


def _with_name_of_branch(node: Any, who: str, name: str, kept: Sequence[str]) -> tuple[str, str]:
    """The thing and the name of an item, with the `Name` in a branch of `Fn::If` if it has one."""
    named = _name(node, "Name")
    if named and kept and kept[-1].endswith("]"):
        return who, named
    if named and not kept and who.startswith(("container ", "volume ")):
        return f"{who.partition(' ')[0]} {named}", name
    return who, name


def _step(node: Any, step: str) -> Any:
    if isinstance(node, dict):
        return node.get(step)
    if isinstance(node, list) and step.isdecimal() and int(step) < len(node):
        return node[int(step)]
    return None


def _name(node: Any, key: str) -> str:
    value = node.get(key) if isinstance(node, dict) else None
    if isinstance(value, str):
        return value
    return shown(value) if isinstance(value, dict) and len(value) == 1 else ""


def when(held: DecisionDiagram) -> str:
    """Under which conditions something holds, in words; empty for always."""
    if held is True:
        return ""
    if held is False:
        return "never"
    name, yes, no = held
    branches = []
    for here, below in ((name, yes), (f"not {name}", no)):
        if below is not False:
            inner = when(below)
            branches.append(f"{here} and ({inner})" if " or " in inner else f"{here} and {inner}" if inner else here)
    return " or ".join(branches)


def with_defaults(parameters: Sequence[str]) -> Iterator[str]:
    """The defaults that were used, in words; nothing if none was used."""
    if parameters:
        yield f"with the default of {'the parameter' if len(parameters) == 1 else 'parameters'} {', '.join(parameters)}"


def count(number: int, thing: str) -> str:
    """`1 resource`, `2 resources`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def lines(numbers: Iterable[int]) -> str:
    """`line 24`, `lines 24, 31`: each line once, in their order."""
    listed = sorted(set(numbers))
    return f"line{'' if len(listed) == 1 else 's'} {', '.join(map(str, listed))}"
