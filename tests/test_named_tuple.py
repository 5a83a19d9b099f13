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


def test_compiles_the_constructor_at_the_first_use_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    evaluate = builtins.eval

    def counted(source: str, names: dict[str, object]) -> object:
        compiled.append(source)
        return evaluate(source, names)

    monkeypatch.setattr(builtins, "eval", counted)

    class Late(NamedTuple):
        one: int
        other: int = 2

    assert compiled == []
    assert (Late(1), Late(one=3)) == ((1, 2), (3, 2))
    assert len(compiled) == 1


def test_takes_no_more_fields_than_it_has_attributes_for() -> None:
    metaclass: typing.Any = type(NamedTuple)
    with pytest.raises(ValueError, match="zip"):
        metaclass("Wide", (NamedTuple,), {"__annotations__": {f"f{number}": int for number in range(21)}})


def test_the_package_has_no_others() -> None:
    others = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if path.name != "named_tuple.py" and "typing import" in (text := path.read_text(encoding="utf-8"))
        for line in text.splitlines()
        if line.startswith("from typing import") and "NamedTuple" in line
    ]
    assert others == []
