"""The command `diagnose`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import get_args

import click

from ecs_exec_role.cli import credentials, terminal
from ecs_exec_role.cli.base import FINDINGS, Command
from ecs_exec_role.cli.diagnose import sentences
from ecs_exec_role.cli.options import fail_on_option, format_option, read_all, stack_options
from ecs_exec_role.diagnose.diagnosis import diagnose
from ecs_exec_role.diagnose.inputs import UnreadableInput
from ecs_exec_role.diagnose.reason import Category, Reason
from ecs_exec_role.offline.errors import InvalidTemplate, LocatedProblem, NoAnswer
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.template_file import STDIN, TemplateFile

_LARGEST = 50_000_000
"""The most bytes of input; describe-tasks answers with less for a hundred tasks."""


@click.command(
    "diagnose",
    cls=Command,
    epilog="""\b
Examples:
  aws ecs describe-tasks --cluster web --tasks "$TASK" | ecs-exec-role diagnose - --template template.yaml
  aws ecs describe-services --cluster web --services web | ecs-exec-role diagnose -
  ecs-exec-role diagnose reason.txt
  pbpaste | ecs-exec-role diagnose - --template template.yaml --region eu-central-1
  ecs-exec-role diagnose --stack web
  ecs-exec-role diagnose task.json --format json | jq '.reasons[].code'

\b
Exit codes: 0 diagnosed, or nothing failed; 1 no reason is found, --fail-on names one, or INPUT or
TEMPLATE has mistakes; 2 wrong usage; 3 AWS is not available.""",
)
@click.argument("source", metavar="[INPUT]", required=False)
@click.option("--template", "template_name", metavar="FILE", help="The template of the task, for places and remedies.")
@stack_options
@click.option("--stack", "deployed", metavar="NAME", help="Ask CloudFormation, ECS and IAM about this deployed stack.")
@click.option("--profile", metavar="NAME", help="With --stack: the profile of your AWS credentials.")
@click.option("--role", metavar="ARN", help="With --stack: the execution role, if it is not the definition's.")
@fail_on_option(get_args(Category), help="Exit with 1 on a reason of this category; repeatable.")
@format_option("text", "json")
def command(
    source: str | None,
    template_name: str | None,
    stack: StackValues,
    deployed: str | None,
    profile: str | None,
    role: str | None,
    fail_on: tuple[str, ...],
    form: str,
) -> None:
    """Say why an ECS task did not start, and what to do.

    INPUT is a file, or - for standard input. It has what AWS says: JSON of describe-tasks, describe-services, run-task
    or AWS Batch's describe-jobs, an event of EventBridge, records of CloudTrail, or the reason as text. The answer is
    which need failed; whether the cause is a permission, a missing thing, the network or something else; where the
    template needs it; and what to write or run. Without --stack nothing leaves this machine.
    """
    if source is None and deployed is None:
        raise click.UsageError("name a file with what AWS says, or - for standard input; or give --stack")
    if source == STDIN and template_name == STDIN:
        raise click.UsageError("standard input is either INPUT or --template")
    for name, value in (("--profile", profile), ("--role", role)):
        if value is not None and deployed is None:
            raise click.UsageError(f"{name} needs --stack")
    text = _read(source) if source is not None else None
    template = read_all((template_name,), stack)[0] if template_name else None
    try:
        with terminal.spinner("Asking AWS" if deployed else "Reading"):
            if deployed:
                template, reasons = _live(text, template, stack, deployed, profile, role or "")
            else:
                reasons = _offline(text or "", template, stack)
    except UnreadableInput as error:
        _nothing(error.code, source or deployed or "", form)
        return
    if form == "json":
        said = {"template": template.name if template else "", "reasons": [reason.data() for reason in reasons]}
        terminal.out(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        from ecs_exec_role.cli.diagnose import text as writer  # noqa: PLC0415 - one run writes one format

        writer.show(terminal.console(), reasons, template)
    if all(reason.certainty == "unknown" for reason in reasons):
        raise click.exceptions.Exit(FINDINGS)
    if any(reason.category in fail_on for reason in reasons):
        raise click.exceptions.Exit(FINDINGS)


def _read(source: str) -> str:
    """The input as text; bytes of other encodings are replaced."""
    try:
        raw = sys.stdin.buffer.read(_LARGEST + 1) if source == STDIN else Path(source).read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {source}: {error.strerror}") from None
    if len(raw) > _LARGEST:
        raise click.UsageError(f"{source} has more than {_LARGEST:,} bytes; describe fewer tasks")
    # PowerShell's `>` writes UTF-16.
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return raw.decode(encoding, errors="replace")


def _offline(text: str, template: TemplateFile | None, stack: StackValues) -> list[Reason]:
    if template is None:
        return diagnose(text, None, stack)
    try:
        return diagnose(text, template, stack)
    except InvalidTemplate as refused:
        # This version of the macro may refuse a template that was deployed before. The text alone still shows
        # something.
        terminal.tell(str(refused))
        terminal.tell(f"{template.name} cannot be read for this, so the answer only uses the text")
        return diagnose(text, None, stack)


def _live(
    text: str | None, template: TemplateFile | None, stack: StackValues, name: str, profile: str | None, role: str
) -> tuple[TemplateFile, list[Reason]]:
    session = credentials.session("diagnose --stack", profile, stack.region)
    from ecs_exec_role.deployed import stack as stacks  # noqa: PLC0415 - it needs boto3
    from ecs_exec_role.diagnose import live  # noqa: PLC0415
    from ecs_exec_role.preflight.aws import CallError  # noqa: PLC0415

    found = stacks.read(session, name)
    try:
        template = template or stacks.template_of(session, found)
        if text is None:
            text = live.said(session, found.physical.values())
        stack = stack._replace(
            region=stack.region or session.region_name or "",
            account=stack.account or found.account,
            values={**found.values, **stack.values},
        )
        reasons = diagnose(text, template, stack, found.physical)
        return template, live.asked(session, reasons, template, stack, found.physical, role)
    except CallError as error:
        raise NoAnswer(f"cannot read the tasks of the stack {name}: {error.told}") from None


def _nothing(code: str, source: str, form: str) -> None:
    """An input without a reason."""
    shown = "<stdin>" if source == STDIN else source
    if code == "empty":
        raise click.UsageError(f"{shown}: {sentences.UNREADABLE[code]}; {sentences.UNREADABLE_FIX[code]}")
    if code != "nothing-stopped":
        raise InvalidTemplate(
            [LocatedProblem(shown, 1, 1, "", sentences.UNREADABLE[code], sentences.UNREADABLE_FIX[code])]
        )
    if form == "json":
        terminal.out(json.dumps({"template": "", "reasons": []}, indent=2))
    terminal.tell(f"{shown}: {sentences.UNREADABLE[code]}; {sentences.UNREADABLE_FIX[code]}")
