"""Who may assume an execution role."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.audit import sentences
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.documents import documents
from ecs_exec_role.audit.judge import Finding
from ecs_exec_role.policies.patterns import Truth, matches
from ecs_exec_role.template.conditions import PathCondition, difference
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Case, Reader, is_intrinsic
from ecs_exec_role.template.symbols import Json, is_symbolic


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
