"""Who may assume an execution role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ecs_exec_role.audit import sentences
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.documents import documents
from ecs_exec_role.audit.judge import Finding
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.policies.patterns import Truth, covers, matches
from ecs_exec_role.roles.role import TRUST_POLICY
from ecs_exec_role.template.conditions import PathCondition, difference
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Case, Reader, is_intrinsic
from ecs_exec_role.template.symbols import Json, is_symbolic


class Trusted(NamedTuple):
    """One statement of a trust policy for one principal.

    `limits` are its conditions: for each key, the operator and the values. `held` is when the template has it.
    """

    effect: str
    principal: str
    limits: tuple[tuple[str, str, tuple[str, ...]], ...]
    held: PathCondition

    def within(self, other: Trusted) -> bool:
        """Whether `other` certainly allows everything that this allows."""
        return (
            (self.effect, self.principal) == (other.effect, other.principal)
            and set(other.held) <= set(self.held)
            and all(any(_within(mine, limit) for mine in self.limits) for limit in other.limits)
        )


_LIKE = ("StringEquals", "StringLike", "ArnEquals", "ArnLike")


def _within(limit: tuple[str, str, tuple[str, ...]], other: tuple[str, str, tuple[str, ...]]) -> bool:
    if limit == other:
        return True
    key, operator, values = limit
    other_key, other_operator, other_values = other
    comparable = key == other_key and operator in _LIKE and other_operator in _LIKE
    return comparable and all(any(covers(each, value) for each in other_values) for value in values)


def wider(before: Iterable[Trusted], after: Iterable[Trusted]) -> bool:
    """Whether a trust policy may allow something that the policy before it does not allow."""
    old, new = list(before), list(after)
    allowed = [each for each in old if each.effect == "Allow"]
    denied = [each for each in old if each.effect != "Allow"]
    return any(each not in new for each in denied) or any(
        each.effect == "Allow" and not any(map(each.within, allowed)) for each in new
    )


def trusted(reader: Reader, speller: Speller, node: Json, given: PathCondition) -> tuple[Trusted, ...]:
    """The statements of a trust policy; what cannot be read allows nothing here."""
    found: list[Trusted] = []

    def shown(text: Json) -> str:
        return reader.symbols.show(speller.node(text))

    for document in documents(reader, node, given, ""):
        for case in reader.each(mapping(document.node).get("Statement"), document.path_condition, ""):
            statement = mapping(case.node)
            limits = tuple(
                (key.lower(), operator, tuple(sorted(map(shown, _listed(values)))))
                for operator, keys in mapping(statement.get("Condition")).items()
                for key, values in mapping(keys).items()
            )
            principal = statement.get("Principal")
            named = principal if isinstance(principal, dict) else {"": principal}
            found += [
                Trusted(str(statement.get("Effect")), f"{kind} {shown(item)}", limits, case.path_condition)
                for kind, items in named.items()
                for item in _listed(items)
            ]
    return tuple(found)


def of_role(reader: Reader, speller: Speller, role: str) -> tuple[Trusted, ...]:
    """The statements of the trust policy of a role of the template."""
    node = reader.template.properties(role).get("AssumeRolePolicyDocument")
    return trusted(reader, speller, node, reader.template.path_condition_of(role))


def limits_more(reader: Reader, speller: Speller, role: str) -> bool:
    """Whether the trust policy that the macro writes may allow more than that of a role of the template."""
    written = trusted(reader, speller, TRUST_POLICY, reader.template.path_condition_of(role))
    return wider(of_role(reader, speller, role), written)


def _listed(node: Json) -> list[Json]:
    return node if isinstance(node, list) else [node]


def lacking(path: str) -> Finding:
    """The finding that ECS tasks cannot assume a role."""
    return Finding("trust-lacking", path, *sentences.TRUST_LACKING)


def judge(reader: Reader, speller: Speller, role: str) -> Iterator[Finding]:
    """What is wrong with the trust policy of a role of the template."""
    found = _Principals(reader, speller)
    properties = reader.template.properties(role)
    path = f"Resources/{role}/Properties/AssumeRolePolicyDocument"
    given = reader.template.path_condition_of(role)
    unreadable = any(key.startswith("Fn::") for key in properties)
    for document in documents(reader, properties.get("AssumeRolePolicyDocument"), given, path):
        if document.node is None:
            unreadable = True
            continue
        listed = document.node.get("Statement")
        for case in reader.each(listed, document.path_condition, f"{document.path}/Statement"):
            found.statement(case)
    here = path if "AssumeRolePolicyDocument" in properties else f"Resources/{role}"
    missing = speller.related.among(difference(given, found.trusting))
    if missing and (unreadable or found.unsure or found.anyone):
        said = sentences.trust_uncertain(allows_all=found.anyone and not unreadable)
        yield Finding("trust-unreadable", here, *said)
    elif missing:
        yield lacking(here)
    if found.without_source:
        yield Finding("trust-without-source", here, *sentences.TRUST_WITHOUT_SOURCE)
    if found.others:
        yield Finding("trust-other-principals", here, *sentences.trust_others(found.others))


class _Principals:
    """The principals that the statements of a trust policy allow."""

    def __init__(self, reader: Reader, speller: Speller) -> None:
        self._reader = reader
        self._speller = speller
        self.trusting: list[PathCondition] = []
        self.others: list[str] = []
        self.without_source = False
        self.unsure = False
        self.anyone = False

    def statement(self, case: Case) -> None:
        """Adds one statement; a part that cannot be read may allow ECS."""
        if not isinstance(case.node, dict) or is_intrinsic(case.node) or "NotPrincipal" in case.node:
            self.unsure = self.unsure or case.node is not None
            return
        if case.node.get("Effect") != "Allow" or not self._assumes(case.node):
            self.unsure = self.unsure or case.node.get("Effect") not in ("Allow", "Deny")
            return
        conditional = bool(case.node.get("Condition"))
        for principals in self._reader.cases(case.node.get("Principal"), case.path_condition, case.path):
            named = principals.node if isinstance(principals.node, dict) else {"": principals.node}
            if is_intrinsic(named):
                self.unsure = True
                continue
            for kind, node in mapping(named).items():
                for item in self._reader.each(node, principals.path_condition, case.path):
                    self._principal(kind, item, conditional=conditional)

    def _assumes(self, statement: dict[str, Json]) -> bool:
        """Whether a statement allows, or may allow, to assume the role."""
        if "NotAction" in statement:
            return True
        actions = list(self._reader.each(statement.get("Action"), (), ""))
        texts = [self._speller.node(action.node).lower() for action in actions]
        return any(matches(text, "sts:assumerole") is not Truth.NO for text in texts)

    def _principal(self, kind: str, item: Case, *, conditional: bool) -> None:
        with self._reader.problems.aside():
            texts = self._reader.text(item.node, item.path_condition, item.path)
        for text in texts:
            spelt = self._speller.spell(text.text)
            if kind == "Service" and spelt.startswith("ecs-tasks."):
                self.trusting.append(text.path_condition)
                self.without_source = self.without_source or not conditional
            else:
                self.unsure = self.unsure or is_symbolic(spelt)
                self.anyone = self.anyone or spelt == "*"
                self.others.append(self._reader.symbols.show(spelt))
