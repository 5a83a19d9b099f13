"""Finds the reasons in an input, with a template."""

from __future__ import annotations

from collections.abc import Mapping

from ecs_exec_role.diagnose import inputs, remedies
from ecs_exec_role.diagnose.classify import Reading
from ecs_exec_role.diagnose.places import Finder, Match
from ecs_exec_role.diagnose.reason import CODES, Reason, TemplatePlace, Unplaced
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.template_file import TemplateFile


def diagnose(
    text: str,
    template: TemplateFile | None = None,
    stack: StackValues | None = None,
    physical: Mapping[str, str] | None = None,
) -> list[Reason]:
    """Why tasks did not start; the reason that explains most is the first.

    Args:
        text: the input; see `inputs.read`.
        template: the template of the tasks, if it is available.
        stack: where it is deployed, and with which parameters.
        physical: the physical IDs of the template's resources, by logical ID, if the stack was read.

    Raises:
        inputs.Unreadable: the text contains no reason.
        InvalidTemplate: the template cannot be read.
    """
    finders: dict[tuple[str, str], Finder] = {}
    found = []
    for reading in inputs.read(text):
        here = _where(reading, stack or StackValues())
        finder = None
        if template is not None:
            key = (here.region, here.account)
            if key not in finders:
                finders[key] = Finder(template, here, physical)
            finder = finders[key]
        found.append(_reason(reading, finder, here))
    return found


def _unplaced(reading: Reading) -> Unplaced:
    """Why no definition has a place of what failed."""
    if reading.need == "role":
        return "other-role"
    part = reading.code == "json-key-absent" or reading.evidence.version
    return "part-not-asked" if reading.need == "secret" and part else "not-asked"


def _where(reading: Reading, stack: StackValues) -> StackValues:
    """The region and account of the task: those of its own ARN, else the given ones."""
    evidence = reading.evidence
    parts = evidence.task.split(":")
    region, account = (parts[3], parts[4]) if len(parts) > 4 else ("", evidence.role_account)
    return stack._replace(region=region or stack.region, account=account or stack.account)


def _reason(reading: Reading, finder: Finder | None, stack: StackValues) -> Reason:
    evidence = reading.evidence
    matches: list[Match] = []
    unplaced: Unplaced = ""
    if finder is not None:
        known = finder.definitions(evidence)
        if reading.need:
            matches = finder.find(reading.need, evidence)
        unplaced = "other-definition" if not known else _unplaced(reading) if reading.need and not matches else ""
    region = stack.region or evidence.region
    case = remedies.Situation(reading, matches, finder, region, stack.account or evidence.role_account)
    granted = {match.granted for match in matches}
    places: dict[str, TemplatePlace] = {place.path: place for match in matches for place in match.places}
    concerned = CODES[reading.code] in ("permission", "unknown")
    return Reason(
        code=reading.code,
        certainty=reading.certainty,
        need=reading.need,
        evidence=evidence,
        places=tuple(places.values()),
        unplaced=unplaced,
        granted=granted.pop() if concerned and len(granted) == 1 else None,
        remedy=remedies.unique(remedies.of(case)),
    )
