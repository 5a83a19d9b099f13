"""What a spec with mistakes still says, so that the mistakes of its definitions are reported together with its own.

What the author wrote wrong can be what would settle a value of a definition. A message that only follows from that is
not reported: it would be gone after the correction of the spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ecs_exec_role.errors import Problem
from ecs_exec_role.spec.language import LANGUAGE, MODES, ROLE_PROPERTIES
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Reader, is_intrinsic
from ecs_exec_role.template.similar_names import likely
from ecs_exec_role.template.symbols import Json

_INFER, _UNRESOLVED = "Infer", "Unresolved"


def as_far_as_readable(spec: Spec, cursor: Cursor, wrong: Iterable[str]) -> Spec:
    """A spec that was read without its keys `wrong`, or with their defaults; `cursor` is the complete one."""
    meant: dict[str, set[str]] = {}
    unlike = sorted(LANGUAGE.keys() - {_INFER, _UNRESOLVED})
    of_any: set[str] = set()
    infer = spec.infer
    for key in wrong:
        texts = _texts(cursor.reader, cursor.node[key])
        guess = key if key in LANGUAGE else likely(key, LANGUAGE)
        if guess:
            meant.setdefault(guess, set()).update(texts)
        else:
            # A key that is like none can be any key with such values.
            of_any.update(texts)
            meant.update((each, meant.get(each, set())) for each in unlike)
        # A misspelt key can have the value false; a wrong value of the key itself says nothing.
        infer = infer and (key == _INFER or guess != _INFER)
    found = {key: frozenset(texts | of_any if key in unlike else texts) for key, texts in meant.items()}
    return spec._replace(mistaken=found, infer=infer)


def unreadable(cursor: Cursor) -> Spec:
    """The spec in the place of one of which nothing can be read: `Auto`, unless it may infer nothing."""
    texts = frozenset(_texts(cursor.reader, cursor.node))
    # Whoever wrote one word did not write a list that settles a value.
    meant = {} if isinstance(cursor.node, str) else dict.fromkeys(LANGUAGE, texts)
    return Spec(cursor.path, mistaken=meant, infer=not _may_infer_nothing(cursor.node))


def _texts(reader: Reader, node: Json) -> Iterator[str]:
    """The values in a part of a spec, whatever its form is."""
    if isinstance(node, str) or is_intrinsic(node):
        with reader.problems.aside():
            for text in reader.text(node):
                yield text.text
    if isinstance(node, (dict, list)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _texts(reader, child)


def _may_infer_nothing(node: Json) -> bool:
    """Whether `Starter` or `Infer`, or a word like one of them, is anywhere in a value."""
    if isinstance(node, str):
        return likely(node, MODES) == MODES[1]
    if isinstance(node, list):
        return any(map(_may_infer_nothing, node))
    if isinstance(node, dict):
        return any(likely(key, LANGUAGE) == _INFER or _may_infer_nothing(child) for key, child in node.items())
    return False


def own(spec: Spec, problems: Iterable[Problem]) -> Iterator[Problem]:
    """What the guardrails refuse, without what may only be missing because of the spec's mistakes."""
    wrong = spec.mistaken or ()
    missing = {f"{spec.path}/{name}" for name in ROLE_PROPERTIES if name in wrong and name not in spec.properties}
    return (problem for problem in problems if problem.path not in missing)
