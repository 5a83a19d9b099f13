"""The options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import click

from ecs_exec_role.cli import terminal
from ecs_exec_role.offline import macro_call, parameters, project, template_file
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.project import ProjectSettings
from ecs_exec_role.offline.template_file import TemplateFile

F = TypeVar("F", bound=Callable[..., Any])

_PROJECT = "ecs_exec_role.project"
_GIVEN = "ecs_exec_role.given"


def _account(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not project.ACCOUNT.fullmatch(value):
        raise click.BadParameter("write the 12 digits of an account")
    return value


def _region(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not project.REGION.fullmatch(value):
        raise click.BadParameter("write a region such as eu-central-1")
    return value


def stack_options(command: F) -> F:
    """Adds the options that say where a template is deployed; the command gets a `StackValues` as `stack`.

    Without an option, a value comes from the project file, then from SAM's configuration, then from the environment.
    """

    @click.option(
        "--parameter", "-p", "given", multiple=True, metavar="KEY=VALUE", help="A stack parameter; repeatable."
    )
    @click.option(
        "--parameters",
        "files",
        multiple=True,
        metavar="FILE",
        help="A file of stack parameters, JSON or YAML; repeatable.",
    )
    @click.option(
        "--region",
        callback=_region,
        help="The region the stack is deployed to: AWS::Region, the partition and mappings are read with it.  "
        "[default: of the project file, else AWS_REGION]",
    )
    @click.option(
        "--account",
        callback=_account,
        metavar="ID",
        help="The account the stack is deployed to, 12 digits: ARNs of this account are then the stack's own.",
    )
    @click.option(
        "--config",
        metavar="FILE",
        help=f"The project file.  [default: {project.FILE} here or in a folder above]",
    )
    @click.option(
        "--stage",
        "--config-env",
        "stage",
        metavar="NAME",
        help=f"The stage of the project file, or the configuration environment of {project.SAMCONFIG}.",
    )
    @functools.wraps(command)
    def with_stack(
        *arguments: Any,
        given: tuple[str, ...],
        files: tuple[str, ...],
        region: str | None,
        account: str | None,
        config: str | None,
        stage: str | None,
        **rest: Any,
    ) -> Any:
        settings = project.settings(config, stage)
        for read in settings.read:
            terminal.detail(f"settings from {read}")
        options = parameters.from_options(given, files)
        meta = click.get_current_context().meta
        meta[_PROJECT], meta[_GIVEN] = settings, options
        stack = StackValues.of(
            region or settings.region, account or settings.account, {**settings.values, **options}
        )._replace(guardrails=settings.guardrails)
        terminal.detail(f"region {stack.region or 'not given'}, account {stack.account or 'not given'}")
        return command(*arguments, stack=stack, **rest)

    return cast("F", with_stack)


def given_parameters() -> dict[str, str]:
    """The stack parameters that the options give, without those of the project."""
    given: dict[str, str] = click.get_current_context().meta[_GIVEN]
    return given


def templates(arguments: tuple[str, ...], instead: str = "") -> tuple[str, ...]:
    """The arguments, or, if there are none, the templates that the project file names.

    Args:
        arguments: what the command line names.
        instead: what else a person can write, for the message.

    Raises:
        UsageError: neither names any.
    """
    if arguments:
        return arguments
    settings: ProjectSettings = click.get_current_context().meta[_PROJECT]
    if not settings.templates:
        raise click.UsageError(f"name a TEMPLATE, or write `templates` in {project.FILE}{instead}")
    return settings.templates


def check_given(found: Iterable[TemplateFile]) -> None:
    """Refuses a parameter of the options that no template has. The project's parameters are for all its templates."""
    parameters.check(given_parameters(), [template.data for template in found])


def read_all(arguments: tuple[str, ...], stack: StackValues, *, as_written: bool = False) -> list[TemplateFile]:
    """Reads the templates that the arguments, or the project, name; see `template_file.names` and `template_file.read`.

    Their loops are expanded if that is possible here, unless `as_written`; there is a warning for each other loop.
    """
    names = template_file.names(templates(arguments))
    for name in names:
        terminal.detail(f"reading {name}")
    found = [template_file.read(name) for name in names]
    check_given(found)
    if not as_written:
        found = [unrolled(template, stack) for template in found]
    return found


def unrolled(template: TemplateFile, stack: StackValues) -> TemplateFile:
    """The template with its loops unrolled where that can be done here; a loop that is left is warned of."""
    template = macro_call.with_loops_unrolled(template, stack)
    for warning in macro_call.loops_left(template.data):
        terminal.warn(template, warning)
    return template


def templates_argument(command: F) -> F:
    """Adds the argument for one or more templates; without it, the project file names them."""
    return click.argument("arguments", metavar="[TEMPLATE]...", nargs=-1)(command)


def format_option(*forms: str) -> Callable[[F], F]:
    """The option that says how a result is written; the first of the forms is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="How to write it.",
    )


def fail_on_option(names: Iterable[str], help: str) -> Callable[[F], F]:  # noqa: A002 - click's own name for it
    """The option that names what makes the command end with `base.FINDINGS`; repeatable."""
    return click.option("--fail-on", type=click.Choice(list(names)), multiple=True, help=help)


def kinds_that_fail(kinds: Mapping[str, Iterable[str]], named: Iterable[str]) -> set[str]:
    """The kinds of findings for which the names given to `--fail-on` make the command fail."""
    return {kind for name in named for kind in kinds[name]}
