"""A template's own resources, found by the names that the template gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import FIELDS_OF_ARN
from ecs_exec_role.template import at_deployment
from ecs_exec_role.template.conditions import ALWAYS, PathCondition, both, difference
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative, Reader
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import ACCOUNT, PARTITION, REGION, SYMBOL, SymbolicText, is_symbolic

_SERVICE = 2


class Owner(NamedTuple):
    """A resource of the template that creates the thing that a value names, and the conditions under which it does."""

    logical_id: str
    path_condition: PathCondition = ALWAYS


def can_be_arn(text: SymbolicText, service: str) -> bool:
    """Whether a text that begins with `arn:` can be the ARN of something of a service, as far as it is known.

    Args:
        text: symbolic text of which the last field, or more, is only known when the stack is deployed. Otherwise its
            service's own reader knows what it is.
        service: the third field of the ARNs, as `ecr`.
    """
    fields = text.split(":", FIELDS_OF_ARN - 1)
    for number, field in enumerate(fields):
        known = re.split(SYMBOL, field, maxsplit=1)[0]
        if number == FIELDS_OF_ARN - 1:
            return known == "" and field != ""
        if known != field and field not in (PARTITION, REGION, ACCOUNT):
            return True  # It can be several fields.
        if (number == 0 and field != "arn") or (number == _SERVICE and field != service):
            return False
    return False


def service_of(text: SymbolicText) -> str:
    """The service that an ARN names; empty where that is not known."""
    fields = text.split(":", _SERVICE + 1)
    known = len(fields) > _SERVICE and (fields[1] == PARTITION or not is_symbolic(fields[1]))
    return fields[_SERVICE] if known and fields[0] == "arn" and not is_symbolic(fields[_SERVICE]) else ""


def begins_unknown(reader: Reader, text: SymbolicText) -> bool:
    """Whether only the deployment knows how a text begins, so that it can be a name, an ARN or a URI.

    False for a dynamic reference, which CloudFormation cannot split. False for a reference in a snippet, which does not
    see what it refers to: `Ref` is a name, and an attribute is what it is called.
    """
    symbol = reader.symbols.sole(text[:1])
    if symbol is None or at_deployment.is_late(reader.symbols, text):
        return False
    if symbol.kind in ("Ref", "GetAtt") and not reader.template.whole:
        return False
    is_pseudo = symbol.kind == "Ref" and symbol.name.startswith("AWS::")
    return not is_pseudo and not returns(reader.template, symbol)


def owned(
    reader: Reader, owners: Sequence[Owner], path_condition: PathCondition
) -> Sequence[tuple[str, PathCondition]]:
    """Which resource creates a thing under which conditions: its logical ID, or nothing if none does.

    Args:
        reader: reads the template.
        owners: the resources that can make it.
        path_condition: the conditions of the value that names it.
    """
    found = []
    for owner in owners:
        together = both(path_condition, owner.path_condition)
        if together is not None:
            found.append((owner.logical_id, together))
    covered = [together for _, together in found]
    if not covered:
        return [("", path_condition)]
    if path_condition not in covered:
        rest = reader.related.among(difference(path_condition, covered))
        found += [("", path_condition) for path_condition in rest]
    return found


def owners_of(reader: Reader, resource_type: str, name_property: str, *names: str) -> tuple[Owner, ...]:
    """The resources that have the first of these names that any resource has; see `named`."""
    if not names_of(reader, resource_type, name_property):
        return ()
    for name in names:
        found = tuple(Owner(*each) for each in named(reader, resource_type, name_property, name))
        if found:
            return found
    return ()


def named(reader: Reader, resource_type: str, name_property: str, name: str) -> Iterator[tuple[str, PathCondition]]:
    """The logical IDs of the resources of a type that have this name, and under which conditions they have it.

    Args:
        reader: reads the template.
        resource_type: the type.
        name_property: the property in which the type names its resources.
        name: symbolic text.
    """
    for logical_id, text in names_of(reader, resource_type, name_property).get(reader.known(name) or name, ()):
        yield logical_id, text.path_condition


def names_of(reader: Reader, resource_type: str, name_property: str) -> Mapping[str, Sequence[tuple[str, Alternative]]]:
    """The names of the resources of a type, each with the logical IDs that have it, and the text that gives it.

    Known values of the stack are filled into a name if nothing else in it is unknown.
    """
    found = reader.names.get((resource_type, name_property))
    if found is None:
        found = reader.names[resource_type, name_property] = {}
        with reader.problems.aside():  # CloudFormation reports what is wrong with that resource.
            for logical_id in reader.template.by_type.get(resource_type, ()):
                cursor = Cursor.of_resource(reader, logical_id, reader.template.path_condition_of(logical_id))
                for text in cursor.get(name_property).texts():
                    found.setdefault(reader.known(text.text) or text.text, []).append((logical_id, text))
    return found
