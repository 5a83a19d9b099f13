"""A plug-in of mypy that follows symbolic text into messages.

`SymbolicText` is a `str` in which a private character can stand for an intrinsic function. What a method or an f-string
makes of such a text is symbolic too, which mypy alone does not know. And no message may have it as it is:
`Symbols.show` writes it for a person, and returns a plain `str`.

See https://mypy.readthedocs.io/en/stable/extending_mypy.html
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import GeneratorExpr, ListComprehension, ListExpr
from mypy.plugin import FunctionContext, MethodContext, Plugin
from mypy.types import Instance, TupleType, Type, UnionType, get_proper_type

SYMBOLIC = "ecs_exec_role.template.symbols.SymbolicText"
MESSAGES = (
    "ecs_exec_role.errors.Problem",
    "ecs_exec_role.errors.TemplateError",
    "ecs_exec_role.needs.need.Note",
)
"""What a message is made with."""
PATTERN_METHODS = (".fullmatch", ".match", ".search", ".sub", ".split", ".findall")
"""What a pattern finds in a symbolic text is symbolic too."""
MESSAGE_METHODS = (".problem", ".warn", ".note", ".refuse", "._refuse")
"""The functions of the engine that make one from their arguments."""
PACKAGE = "ecs_exec_role."


def _symbolic(found: Type) -> Instance | None:
    """The type `SymbolicText`, if a value of the type can be one."""
    proper = get_proper_type(found)
    if isinstance(proper, UnionType):
        return next((one for item in proper.items if (one := _symbolic(item))), None)
    return proper if isinstance(proper, Instance) and proper.type.fullname == SYMBOLIC else None


def _with_symbols(made: Type, text: Instance) -> Type:
    """The type that a method returns, with `SymbolicText` where it has `str`."""
    proper = get_proper_type(made)
    if isinstance(proper, TupleType):
        return proper.copy_modified(items=[_with_symbols(item, text) for item in proper.items])
    if isinstance(proper, UnionType):
        return UnionType.make_union([_with_symbols(item, text) for item in proper.items])
    if not isinstance(proper, Instance):
        return made
    if proper.type.fullname == "builtins.str":
        return text
    return proper.copy_modified(args=[_with_symbols(argument, text) for argument in proper.args])


def _of_method(context: MethodContext) -> Type:
    """A method of `SymbolicText`."""
    text = _symbolic(context.type)
    return _with_symbols(context.default_return_type, text) if text else context.default_return_type


def _of_pattern(context: MethodContext) -> Type:
    """A method of a regular expression."""
    given = [found for types in context.arg_types for each in types if (found := _symbolic(each))]
    return _with_symbols(context.default_return_type, given[0]) if given else context.default_return_type


def _of_format(context: MethodContext) -> Type:
    """One part of an f-string, which mypy reads as a call of `str.format`."""
    given = [found for types in context.arg_types for each in types if (found := _symbolic(each))]
    return given[0] if given else context.default_return_type


def _of_join(context: MethodContext) -> Type:
    """An f-string, which mypy reads as a call of `str.join`, or such a call itself."""
    for argument, found in zip(context.args[0], context.arg_types[0], strict=True):
        proper = get_proper_type(found)
        parts: list[Type] = list(proper.args[:1]) if isinstance(proper, Instance) else []
        if isinstance(argument, ListExpr):
            parts += [context.api.get_expression_type(item) for item in argument.items]
        if isinstance(argument, ListComprehension):
            parts.append(context.api.get_expression_type(argument.generator.left_expr))
        if isinstance(argument, GeneratorExpr):
            parts.append(context.api.get_expression_type(argument.left_expr))
        for part in parts:
            if text := _symbolic(part):
                return text
    return context.default_return_type


def _of_message(context: MethodContext | FunctionContext) -> Type:
    """A call that makes a message: none of its arguments may be symbolic."""
    for names, arguments, types in zip(context.callee_arg_names, context.args, context.arg_types, strict=True):
        if names == "value":  # A note's value is compared with others, and shown when it is written.
            continue
        for argument, found in zip(arguments, types, strict=True):
            if _symbolic(found):
                context.api.fail("A message has symbolic text; write it with Symbols.show", argument)
    return context.default_return_type


class SymbolicTextPlugin(Plugin):
    """Knows where symbolic text comes from and where it must not go."""

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        if fullname.startswith(f"{SYMBOLIC}."):
            return _of_method
        if fullname == "builtins.str.format":
            return _of_format
        if fullname.endswith(PATTERN_METHODS) and fullname.startswith(("re.", f"{PACKAGE}late_pattern.")):
            return _of_pattern
        if fullname == "builtins.str.join":
            return _of_join
        if fullname.startswith(PACKAGE) and fullname.endswith(MESSAGE_METHODS):
            return _of_message
        return None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        if fullname in MESSAGES or (fullname.startswith(PACKAGE) and fullname.endswith(MESSAGE_METHODS)):
            return _of_message
        return None


def plugin(_version: str) -> type[Plugin]:
    """The entry point that mypy asks for."""
    return SymbolicTextPlugin
