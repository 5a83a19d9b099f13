"""The explanation as one HTML page that needs no network."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ecs_exec_role import __version__
from ecs_exec_role.cli.explain import text
from ecs_exec_role.explain.report import MANAGED_POLICY, Explanation, RoleReport
from ecs_exec_role.offline import humanize, yaml_writer
from ecs_exec_role.offline.errors import NoAnswer
from ecs_exec_role.offline.macro_call import DEFAULT_REGION
from ecs_exec_role.roles.role import TRUST_POLICY
from ecs_exec_role.template.symbols import Json

_OPEN_AT_MOST = 12
"""The most roles of a page that are shown unfolded."""

# The kinds of a parameter's value, in words.
SOURCES = {"given": "given", "default": "the default", "unknown": "not known here", "hidden": "not shown (NoEcho)"}


def write(reports: Sequence[Explanation]) -> str:
    """The page about these templates.

    Raises:
        NoAnswer: Jinja2, which is an extra, is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an extra
    except ImportError:
        needs = "--format html needs Jinja2; install it in the same environment: pip install jinja2"
        raise NoAnswer(needs) from None
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "prose": _prose,
        "yaml": _yaml,
        "from_json": json.loads,
        "pieces": _pieces,
        "count": humanize.count,
        "listed": ", ".join,
    }
    features = {
        statement.feature: (statement.title, statement.docs)
        for report in reports
        for role in report.roles
        for statement in role.statements
    }
    count = sum(len(report.roles) for report in reports)
    page = environment.get_template("page.html")
    return page.render(
        reports=reports,
        features=features,
        folded=count > _OPEN_AT_MOST,
        count=count,
        names=", ".join(report.template for report in reports),
        warned_count=sum(len(role.warnings) for report in reports for role in report.roles),
        version=__version__,
        trust=TRUST_POLICY,
        totals=_totals,
        heading=text.heading,
        warned=text.warned,
        owned=text.owned,
        owners=text.OWNERS,
        apart=text.APART,
        starter=text.STARTER,
        starting=text.STARTING,
        sources=SOURCES,
        managed_policy=MANAGED_POLICY,
        default_region=DEFAULT_REGION,
    )


def _totals(role: RoleReport) -> str:
    """The number of a role's permissions, in words."""
    actions = {action for statement in role.statements for action in statement.actions}
    arns = {resource.arn for statement in role.statements for resource in statement.resources if resource.arn != "*"}
    counts = {"statement": len(role.statements), "action": len(actions), "named resource": len(arns)}
    return ", ".join(humanize.count(number, thing) for thing, number in counts.items())


def _prose(said: str) -> list[tuple[str, bool]]:
    """Text in parts; a part that is true is between backquotes, and is code."""
    parts = said.split("`")
    if len(parts) % 2 == 0:
        return [(said, False)]
    return [(part, index % 2 == 1) for index, part in enumerate(parts) if part]


def _pieces(value: str) -> list[str]:
    """An ARN, or other text, in the pieces between which a narrow screen can break it."""
    return re.findall(r".{14,}?[:/}](?![:/}])|.+", value)


def _yaml(value: Json) -> str:
    return yaml_writer.write(value).rstrip()
