"""Our named tuples do what those of `typing` do, and are made without compiling anything."""

from __future__ import annotations

import builtins
import copy
import pickle
import typing
from collections.abc import Callable
from pathlib import Path

import pytest

from ecs_exec_role.named_tuple import NamedTuple

SOURCE = Path(__file__).parents[1] / "src" / "ecs_exec_role"


class Ours(NamedTuple):
    first: int
    second: str = "b"
    third: tuple[str, ...] = ()

    @property
    def doubled(self) -> int:
        return self.first * 2


class Theirs(typing.NamedTuple):
    first: int
    second: str = "b"
    third: tuple[str, ...] = ()

    @property
    def doubled(self) -> int:
        return self.first * 2


def _matched(cls: typing.Any) -> object:
    match cls(1, "x"):
        case (first, second, _):
            return first, second
    return None


USES: dict[str, Callable[[typing.Any], object]] = {
    "all fields": lambda cls: cls(1, "x", ("y",)),
    "defaults": lambda cls: cls(1),
    "by name": lambda cls: cls(third=(), first=1),
    "a field missing": lambda cls: cls(),
    "a field too many": lambda cls: cls(1, "x", (), 2),
    "an unknown field": lambda cls: cls(1, fourth=2),
    "read": lambda cls: (cls(1).first, cls(1).second, cls(1).third, cls(1).doubled),
    "unpacked": lambda cls: [*cls(1)],
    "matched": _matched,
    "replaced": lambda cls: cls(1)._replace(second="z"),
    "replaced by an unknown field": lambda cls: cls(1)._replace(fourth=2),
    "as a mapping": lambda cls: cls(1)._asdict(),
    "written": lambda cls: repr(cls(1)).replace("Theirs", "Ours"),
    "compared": lambda cls: (cls(1) == (1, "b", ()), cls(1) < cls(2), hash(cls(1)) == hash((1, "b", ()))),
    "copied": lambda cls: (copy.copy(cls(1)), copy.deepcopy(cls(1, "x", ("y",)))),
    "pickled": lambda cls: pickle.loads(pickle.dumps(cls(1))),
    "set": lambda cls: setattr(cls(1), "first", 2),
    "another attribute set": lambda cls: setattr(cls(1), "fourth", 2),
    "fields": lambda cls: (cls._fields, cls._field_defaults, cls.__match_args__),
}


@pytest.mark.parametrize("use", USES)
def test_does_what_a_named_tuple_of_typing_does(use: str) -> None:
    def outcome(cls: type) -> object:
        try:
            return USES[use](cls)
        except (TypeError, AttributeError) as error:
            return type(error)

    assert outcome(Ours) == outcome(Theirs)


def test_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    for name in ("eval", "exec", "compile"):
        monkeypatch.setattr(builtins, name, lambda source, *_: compiled.append(source))

    class Late(NamedTuple):
        one: int
        other: int = 2

    assert (Late(1), Late(one=3)) == ((1, 2), (3, 2))
    assert compiled == []


@pytest.mark.parametrize("count", range(21))
def test_has_a_constructor_for_each_number_of_fields(count: int) -> None:
    fields = [f"f{number}" for number in range(count)]
    ours = _made(fields)
    theirs = typing.NamedTuple("Many", [(field, int) for field in fields])  # type: ignore[misc]
    for cls in (ours, theirs):
        made = cls(**{field: number for number, field in enumerate(fields)})
        assert made == cls(*range(count)) == tuple(range(count))
        assert [getattr(made, field) for field in fields] == list(range(count))
    messages = []
    for cls in (ours, theirs):
        with pytest.raises(TypeError) as caught:
            cls(*range(count + 1))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_takes_no_more_fields_than_it_has_attributes_for() -> None:
    with pytest.raises(ValueError, match="zip"):
        _made([f"f{number}" for number in range(21)])


def _made(fields: list[str]) -> typing.Any:
    metaclass: typing.Any = type(NamedTuple)
    namespace = {"__qualname__": "Many", "__annotations__": dict.fromkeys(fields, int)}
    return metaclass("Many", (NamedTuple,), namespace)


def test_the_package_has_no_others() -> None:
    others = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if path.name != "named_tuple.py" and "typing import" in (text := path.read_text(encoding="utf-8"))
        for line in text.splitlines()
        if line.startswith("from typing import") and "NamedTuple" in line
    ]
    assert others == []
