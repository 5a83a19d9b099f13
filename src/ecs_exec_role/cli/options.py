"""The options that several commands have."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from ecs_exec_role.cli import terminal
from ecs_exec_role.offline import macro_call, parameters, template_file
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.template_file import TemplateFile

F = TypeVar("F", bound=Callable[..., Any])

_ACCOUNT = re.compile("[0-9]{12}")
_REGION = re.compile("[a-z]{2,}(-[a-z]+)+-[0-9]+")


def _account(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _ACCOUNT.fullmatch(value):
        raise click.BadParameter("write the 12 digits of an account")
    return value


def _region(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _REGION.fullmatch(value):
        raise click.BadParameter("write a region such as eu-central-1")
    return value


def stack_options(command: F) -> F:
    """Adds the options that say where a template is deployed to; the command gets a `StackValues` as `stack`."""

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
    @click.option("--region", callback=_region, help="The stack's region.  [default: AWS_REGION, else us-east-1]")
    @click.option("--account", callback=_account, metavar="ID", help="The stack's account, 12 digits.")
    @functools.wraps(command)
    def with_stack(
        *arguments: Any,
        given: tuple[str, ...],
        files: tuple[str, ...],
        region: str | None,
        account: str | None,
        **rest: Any,
    ) -> Any:
        stack = StackValues.of(region, account, parameters.from_options(given, files))
        return command(*arguments, stack=stack, **rest)

    return cast("F", with_stack)


def read_all(arguments: tuple[str, ...], stack: StackValues, *, as_written: bool = False) -> list[TemplateFile]:
    """Reads the templates that the arguments name; see `template_file.names` and `template_file.read`.

    The loops in them are unrolled where that can be done here, unless `as_written`; a loop that is left is warned of.
    """
    found = [template_file.read(name) for name in template_file.names(arguments)]
    parameters.check(stack.values, [template.data for template in found])
    if not as_written:
        found = [macro_call.with_loops_unrolled(template, stack) for template in found]
        for template in found:
            for warning in macro_call.loops_left(template.data):
                terminal.warn(template, warning)
    return found


def templates_argument(command: F) -> F:
    """Adds the argument for one template or more."""
    return click.argument("arguments", metavar="TEMPLATE...", nargs=-1, required=True)(command)
