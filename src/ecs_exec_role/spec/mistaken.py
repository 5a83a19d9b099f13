"""What a spec with mistakes still says, so that the mistakes of its definitions are reported together with its own.

What the author wrote wrong can be what would settle a value of a definition. A message that only follows from that is
not reported: it would be gone after the correction of the spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ecs_exec_role.errors import Problem
from ecs_exec_role.spec.language import LANGUAGE, MODES, ROLE_PROPERTIES
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.similar_names import likely
from ecs_exec_role.template.symbols import Json

_INFER = "Infer"


def as_far_as_readable(spec: Spec, wrong: Iterable[str]) -> Spec:
    """A spec that was read without its keys `wrong`, or with their defaults."""
    meant = {key if key in LANGUAGE else likely(key, LANGUAGE) for key in wrong}
    # A key that is like none can be any key.
    keys = frozenset(LANGUAGE if "" in meant else meant)
    return spec._replace(mistaken=keys, infer=spec.infer and _INFER not in meant)


def unreadable(node: Json, path: str) -> Spec:
    """The spec in the place of one of which nothing can be read: `Auto`, unless it may infer nothing."""
    # Whoever wrote a word like Auto did not write a list that settles a value.
    is_auto = isinstance(node, str) and likely(node, MODES) == MODES[0]
    return Spec(path, mistaken=frozenset(() if is_auto else LANGUAGE), infer=not _may_infer_nothing(node))


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
    missing = tuple(f"{spec.path}/{name}" for name in ROLE_PROPERTIES if name not in spec.properties)
    for problem in problems:
        if problem.path != spec.path and not problem.path.startswith(missing):
            yield problem
