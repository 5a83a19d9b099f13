"""The command `audit`."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click

from ecs_exec_role.audit import report
from ecs_exec_role.audit.report import RoleAudit
from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.base import FINDINGS, Command
from ecs_exec_role.cli.options import (
    fail_on_option,
    format_option,
    kinds_that_fail,
    read_all,
    stack_options,
    templates_argument,
)
from ecs_exec_role.offline.inference import definitions_of
from ecs_exec_role.offline.macro_call import StackValues, includes_left
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.template.similar_names import suggestion

_FAILS = {"lacking": ("lacking",), "excess": ("excess", "too-wide"), "unknown": ("unknown",)}


@click.command(
    "audit",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role audit template.yaml
  ecs-exec-role audit template.yaml --fail-on lacking --fail-on excess
  ecs-exec-role audit 'stacks/*.yaml' --format sarif > audit.sarif
  ecs-exec-role audit cluster.yaml service.yaml      a role that one exports and the other imports
  ecs-exec-role audit template.yaml --role arn:aws:iam::123456789012:role/web-execution
  ecs-exec-role audit template.yaml --format json | jq '.[].policy'

\b
Exit codes: 0 audited; 1 a finding that --fail-on names, or the template has mistakes; 2 wrong usage;
3 the role could not be read from AWS.""",
)
@templates_argument
@stack_options
@click.option("--role", metavar="ARN", help="Audit this deployed role, read with your AWS credentials.")
@click.option(
    "--definition", "only", multiple=True, metavar="ID", help="With --role: a definition it is for; repeatable."
)
@fail_on_option(_FAILS, help="Exit with 1 on this kind of finding; repeatable. `excess` includes what is too wide.")
@format_option("text", "json", "sarif")
def command(
    arguments: tuple[str, ...],
    stack: StackValues,
    role: str | None,
    only: tuple[str, ...],
    fail_on: tuple[str, ...],
    form: str,
) -> None:
    """Compare existing execution roles with what their task definitions need.

    The audit reads the inline policies of roles in TEMPLATE, AWS::IAM::Policy, AWS::IAM::RolePolicy,
    AWS::IAM::ManagedPolicy and the managed policies of AWS: what is lacking, what is in excess, what is too wide, and
    what is not certain. Without --region and --account, what depends on them stays unknown. Nothing is changed.
    """
    if only and not role:
        raise click.UsageError("--definition needs --role")
    with terminal.spinner("Auditing"):
        live = None
        if role:
            from ecs_exec_role.audit.live import read_role  # noqa: PLC0415 - it needs boto3, which is an extra

            live = read_role(role, stack.region)
            stack = stack._replace(account=stack.account or role.split(":")[4])
        found = _with_any(only, read_all(arguments, stack))
        audits = []
        for template in found:
            for warning in includes_left(template.data):
                terminal.warn(template, warning)
            others = [other for other in found if other is not template]
            audits += report.of(template, stack, live=live, only=only, others=others)
    if form == "json":
        terminal.out(json.dumps([audit.data() for audit in audits], indent=2, ensure_ascii=False))
    elif form == "sarif":
        from ecs_exec_role.cli.audit import sarif  # noqa: PLC0415 - one run writes one format

        terminal.out(json.dumps(sarif.write(audits), indent=2, ensure_ascii=False))
    else:
        from ecs_exec_role.cli.audit import text  # noqa: PLC0415

        text.show(terminal.console(), audits)
    if _fails(audits, fail_on):
        raise click.exceptions.Exit(FINDINGS)


def _with_any(only: tuple[str, ...], found: list[TemplateFile]) -> list[TemplateFile]:
    """The templates that have any of these definitions; all if no definition is named."""
    known = {template.name: definitions_of(template.data) for template in found}
    names = list(dict.fromkeys(name for listed in known.values() for name in listed))
    unknown = [name for name in only if name not in names]
    if unknown and names:
        raise click.UsageError(
            "\n".join(
                f"--definition {name}: there is no such definition; {suggestion(name, names)}" for name in unknown
            )
        )
    return [template for template in found if set(only) & set(known[template.name])] if only and names else found


def _fails(audits: Iterable[RoleAudit], fail_on: Iterable[str]) -> bool:
    kinds = kinds_that_fail(_FAILS, fail_on)
    return any(found.kind in kinds for audit in audits for found in audit.findings)
