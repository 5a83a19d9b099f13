"""`ecs-exec-role lint-config`: prepares a project for cfn-lint."""

from __future__ import annotations

import os
from pathlib import Path

import click

import ecs_exec_role
from ecs_exec_role.cli import terminal
from ecs_exec_role.cli.base import FINDINGS, Command
from ecs_exec_role.errors import TemplateError
from ecs_exec_role.lint import config


@click.command(
    "lint-config",
    cls=Command,
    epilog="""\b
Examples:
  ecs-exec-role lint-config
  ecs-exec-role lint-config services/web
  ecs-exec-role lint-config --check

\b
Exit codes: 0 done, or with --check nothing to do; 1 there is, or .cfnlintrc cannot be read; 2 wrong usage.""",
)
@click.argument(
    "project", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path(), metavar="[FOLDER]"
)
@click.option(
    "--check", is_flag=True, help="Write nothing; say what would be written, and exit with 1 if there is anything."
)
@click.option("--where", is_flag=True, hidden=True, help="Print where this package is, for the rules.")
@click.pass_context
def command(context: click.Context, project: Path, *, check: bool, where: bool) -> None:
    """Prepare a project so that cfn-lint and cfn-validate know ExecutionRoleSpec.

    Writes schemas and rules into .cfn-lint/ecs-exec-role, and into FOLDER's .cfnlintrc the two lines that name them for
    cfn-lint; existing lines are kept. FOLDER is where cfn-lint is started, normally the top of a repository. Commit
    the files: then `cfn-lint`, `sam validate --lint` and editors that use cfn-lint see what the macro would see.
    cfn-validate takes each file of .cfn-lint/ecs-exec-role/schemas as an --additional-schema. Run it again after an
    update of ecs-exec-role.
    """
    if where:
        terminal.out(str(Path(ecs_exec_role.__file__).parent))
        return
    try:
        plan = config.lint_config(project)
        if not check:
            config.write(plan.changes)
    except TemplateError as error:
        raise click.ClickException(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        name = getattr(error, "filename", None) or project
        raise click.ClickException(
            f"{name}: {getattr(error, 'strerror', None) or 'the file is not text in UTF-8'}"
        ) from None
    for change in plan.changes:
        state = f"would be {change.state}" if check and change.before != change.text else change.state
        terminal.out(f"{os.path.relpath(change.path)}: {state}")
    for note in plan.notes:
        terminal.tell(note)
    if check and any(change.before != change.text for change in plan.changes):
        context.exit(FINDINGS)
