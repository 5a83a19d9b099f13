"""Named tuples whose classes are made fast, because a start of the Lambda function makes fifty of them.

`typing.NamedTuple` compiles each annotation, and a constructor for each class: these took half of the time in which
this package is imported. Here a class gets the code of one of the constructors below, with the names of its fields.
"""

from __future__ import annotations

from collections import namedtuple
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    new = tuple.__new__

    _CONSTRUCTORS = (
        lambda cls: new(cls, ()),
        lambda cls, a: new(cls, (a,)),
        lambda cls, a, b: new(cls, (a, b)),
        lambda cls, a, b, c: new(cls, (a, b, c)),
        lambda cls, a, b, c, d: new(cls, (a, b, c, d)),
        lambda cls, a, b, c, d, e: new(cls, (a, b, c, d, e)),
        lambda cls, a, b, c, d, e, f: new(cls, (a, b, c, d, e, f)),
        lambda cls, a, b, c, d, e, f, g: new(cls, (a, b, c, d, e, f, g)),
        lambda cls, a, b, c, d, e, f, g, h: new(cls, (a, b, c, d, e, f, g, h)),
        lambda cls, a, b, c, d, e, f, g, h, i: new(cls, (a, b, c, d, e, f, g, h, i)),
        lambda cls, a, b, c, d, e, f, g, h, i, j: new(cls, (a, b, c, d, e, f, g, h, i, j)),
        lambda cls, a, b, c, d, e, f, g, h, i, j, k: new(cls, (a, b, c, d, e, f, g, h, i, j, k)),
    )
    """For each number of fields, what makes a tuple of so many."""

    _Items = namedtuple("_Items", [f"item{index}" for index in range(20)])  # noqa: PYI024
    _ITEMS = [vars(_Items)[name] for name in _Items._fields]
    """The attributes that read the first item of a tuple, the second and so on; no class here has more."""

    def _constructor(count: int) -> FunctionType:
        if count < len(_CONSTRUCTORS):
            return _CONSTRUCTORS[count]
        names = ", ".join(_Items._fields[:count])
        return eval(f"lambda cls, {names}: new(cls, ({names}))", globals())  # noqa: S307 - own names

    class _NamedTupleType(type):
        """Makes a class of named tuples from its annotations."""

        def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            namespace.update(zip(fields, _ITEMS[: len(fields)], strict=True))
            code = _constructor(len(fields)).__code__.replace(
                co_varnames=("cls", *fields),
                co_name="__new__",
                co_qualname=f"{namespace['__qualname__']}.__new__",
            )
            namespace.update(
                __new__=FunctionType(code, globals(), argdefs=tuple(defaults.values())),
                __slots__=(),
                __match_args__=fields,
                _fields=fields,
                _field_defaults=defaults,
            )
            made = super().__new__(mcs, name, bases, namespace)
            made._make = partial(tuple.__new__, made)
            return made

    class NamedTuple(tuple, metaclass=_NamedTupleType):  # noqa: SLOT001 - the metaclass does
        """A base class with the methods of `typing.NamedTuple`.

        `_make` takes a third of the time of the constructor, and does not look at the number of the values.
        """

        def _replace(self, **changes: object) -> Self:
            """A copy with other values in some fields."""
            changed = tuple.__new__(type(self), map(changes.pop, self._fields, self))
            if changes:
                raise TypeError(f"Got unexpected field names: {list(changes)!r}")
            return changed

        __replace__ = _replace

        def _asdict(self) -> dict[str, object]:
            """The values by the names of their fields."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            values = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({values})"

        def __getnewargs__(self) -> tuple[object, ...]:
            """What `copy` and `pickle` hand to the constructor."""
            return tuple(self)


__all__ = ["NamedTuple"]
