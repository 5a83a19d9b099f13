"""Named tuples whose classes are made fast, because a start of the Lambda function makes forty of them.

`typing.NamedTuple` compiles each annotation, and a constructor for each class: these took half of the time in which
this package is imported. Here a constructor is compiled when the first tuple of its class is made.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    _Items = namedtuple("_Items", [f"item{index}" for index in range(20)])  # noqa: PYI024
    _ITEMS = [vars(_Items)[name] for name in _Items._fields]
    """The attributes that read the first item of a tuple, the second and so on; no class here has more."""

    class _NamedTupleType(type):
        """Makes a class of named tuples from its annotations."""

        def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            fields = tuple(namespace.get("__annotations__", ()))
            namespace["_field_defaults"] = {field: namespace[field] for field in fields if field in namespace}
            namespace.update(zip(fields, _ITEMS[: len(fields)], strict=True))
            namespace.update(_fields=fields, __match_args__=fields, __slots__=())
            return super().__new__(mcs, name, bases, namespace)

    class NamedTuple(tuple, metaclass=_NamedTupleType):  # noqa: SLOT001 - the metaclass does
        """A base class with the methods of `typing.NamedTuple`, except `_make`."""

        def __new__(cls, *values: object, **named: object) -> Self:
            cls.__new__ = _constructor(cls)
            return cls(*values, **named)

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

    def _constructor(cls: type[NamedTuple]) -> Callable[..., NamedTuple]:
        names = ", ".join(cls._fields)
        made = eval(f"lambda cls, {names}: new(cls, ({names},))", {"new": tuple.__new__})  # noqa: S307 - own names
        made.__defaults__ = tuple(cls._field_defaults.values())
        made.__name__, made.__qualname__ = "__new__", f"{cls.__qualname__}.__new__"
        return made


__all__ = ["NamedTuple"]
