"""The inference of one role: what features get when they read a definition or a spec."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

from ecs_exec_role.errors import LateProblem, Problem
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import Condition, Grant, Need, Note
from ecs_exec_role.needs.wildcards import is_special, judged, special
from ecs_exec_role.template.conditions import ALWAYS, PathCondition
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import Template
from ecs_exec_role.template.reader import UNEXPANDED, Alternative, Reader, is_intrinsic
from ecs_exec_role.template.return_values import RETURN_VALUES, returns
from ecs_exec_role.template.symbols import Json, SymbolicText, Symbols

UNRESOLVED = "unresolved-value"
"""The code of a message about a value when it is not known what it names."""

_EMPTY = SymbolicText("")

PullConditions: TypeAlias = "tuple[tuple[PathCondition, tuple[Condition, ...]], ...]"
"""The conditions on pulling images, for each combination of the template's conditions."""

NO_PULL_CONDITIONS: PullConditions = ((ALWAYS, ()),)

_STEPS_OF_NEED = 10
"""The work of finding or repeating, judging and writing one need, in steps of the budget."""


class ListEntry(NamedTuple):
    """One entry of a spec's list: its main value, and the mapping that contains it if the entry is a mapping."""

    value: Cursor
    mapping: Cursor

    @property
    def path_condition(self) -> PathCondition:
        """The conditions of the entry."""
        return self.value.path_condition

    def option(self, name: str, default: Json = None) -> Cursor:
        """The value of another key of the entry."""
        return self.mapping.get(name, default)

    def given(self, name: str) -> Cursor | None:
        """The same, or None where the entry does not have that key."""
        return self.mapping.get(name) if self.mapping.has(name) else None


class Protected(NamedTuple):
    """Something that a KMS key protects.

    `service` and `region` name the service that calls KMS. `account` is the owner of the thing, and `values` are the
    possible values of the encryption context `context`.
    """

    grant: Grant
    service: str
    context: str
    region: SymbolicText
    account: SymbolicText
    values: tuple[SymbolicText, ...]


class _Recalled(NamedTuple):
    """What was found for a node at its second place, and whether it is the same at each place; see `recall`.

    `characters` are those of the texts that were read for it.
    """

    plain: bool
    characters: int
    needs: list[Need]
    notes: list[Note]
    unseen_keys: list[tuple[Protected, Alternative]]


_NEVER = _Recalled(False, 0, [], [], [])


class InferenceContext:
    """Everything that a feature may use while the needs of one role are read.

    Attributes:
        reader: reads the template's values.
        types: the resource type of each logical ID that can be referred to.
        spec_path: the path of the spec.
        ignore_unresolved: whether values that cannot be classified are skipped.
        mistaken: the keys of the spec that are wrong, with the values there: these would settle what is not known.
        entries: the entries of the spec's lists, by their keys.
        keyed: the values of the spec's entries that come with a `KmsKey`.
        pull_conditions: the spec's conditions on pulling images, for each combination of the template's conditions.
        definition: the logical ID of the definition that is read; empty while the lists of a spec are read.
        needs: what was found.
        notes: what was examined and needs nothing.
        warned: what may be missing.
        refused: the mistakes in what was found, reported after all others.
        unseen_keys: what is read with a key that the template does not show, and the places that need it.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        spec_path: str,
        ignore_unresolved: bool = False,
        can_ignore: bool = True,
        mistaken: Mapping[str, Collection[str]] | None = None,
        declared: Mapping[str, Collection[str]] | None = None,
        entries: Mapping[str, Sequence[ListEntry]] | None = None,
        keyed: Collection[str] = (),
        pull_conditions: PullConditions = NO_PULL_CONDITIONS,
    ) -> None:
        self.reader = reader
        self.symbols = reader.symbols
        self._budget = reader.budget
        self.types = reader.template.types
        self.spec_path = spec_path
        self.ignore_unresolved = ignore_unresolved
        self.can_ignore = can_ignore
        self.mistaken = mistaken or {}
        self.entries = entries or {}
        self.keyed = keyed
        self.pull_conditions = pull_conditions
        self.definition = ""
        self.needs: list[Need] = []
        self.notes: list[Note] = []
        self.warned: list[Problem | LateProblem] = []
        self.refused: list[Problem] = []
        self.unseen_keys: list[tuple[Protected, Alternative]] = []
        self._declared = declared or {}
        self._settling: set[tuple[str, str]] = set()
        # A spec with lists, or with conditions on pulling images, can say something else of a node than other specs; so
        # can one with mistakes.
        says_nothing = not entries and not mistaken and pull_conditions == NO_PULL_CONDITIONS
        self._recalled: dict[Any, dict[str | tuple[str, ...], _Recalled | None]] | None = (
            reader.remembered[InferenceContext, ignore_unresolved, can_ignore] if says_nothing else None
        )

    @property
    def definition_type(self) -> str:
        """The resource type of the definition that is read."""
        return self.reader.template.type_of(self.definition)

    def values(self, cursor: Cursor) -> list[Alternative]:
        """The texts of a place, except empty ones and those that could name several things; see `Cursor.texts`.

        A text that could name several things, by a wildcard or a policy variable, is a problem.
        """
        return [found for found in cursor.texts() if found.text and self.without_wildcard(found)]

    def values_or(self, cursor: Cursor, default: Json) -> list[Alternative]:
        """As `values`; where the place has no value, under whichever conditions, it has the text of `default`."""
        return [found for place in cursor.or_else(default) for found in self.values(place)]

    def required(self, cursor: Cursor, fix: str) -> list[Alternative]:
        """As `filled`, where the property may not be absent either."""
        if cursor.node is None:
            self.problem(cursor.path, "is empty", fix, "empty")
            return []
        return self.filled(cursor, fix)

    def filled(self, cursor: Cursor, fix: str) -> list[Alternative]:
        """As `values`, for a property that must have a value: an empty one is a problem, and `fix` is its remedy."""
        found = []
        for text in cursor.texts():
            if self.without_wildcard(text):
                found.append(text)
            elif not text.text:
                self.problem(text.path, "is empty", fix, "empty")
        return found

    def choices(self, cursor: Cursor, known: tuple[bool | str, ...]) -> Iterator[tuple[PathCondition, bool | str]]:
        """Which of the words in `known` a place can have. Another word, or one that is not known now, is a problem."""
        words = {str(choice).lower() if isinstance(choice, bool) else choice: choice for choice in known}
        for text in cursor.texts():
            if text.text in words:
                yield text.path_condition, words[text.text]
            else:
                value = self.spelt(text.text)
                self.problem(
                    text.path,
                    f"is `{value}`, and must be known when the macro runs",
                    f"write {' or '.join(words)}",
                    code="wrong-value",
                )

    def without_wildcard(self, alternative: Alternative) -> bool:
        """Whether this text can name one thing: not empty, and without wildcard or variable (which is a problem)."""
        text = alternative.text
        if is_special(text):
            self.reader.problems.append(special(self.reader, alternative.path, text))
            return False
        return text != ""

    def declared(self, keys: Iterable[str], text: str) -> bool:
        """Whether any of these lists of the spec contains the same value, and so declares what it is."""
        found = [key for key in keys if text in self._declared.get(key, ())]
        self._settling.update((key, text) for key in found)
        return bool(found)

    def settles(self, key: str, text: str) -> bool:
        """Whether an entry of the spec's list `key` declared what a value of a definition is."""
        return (key, text) in self._settling

    def may_name(
        self, alternative: Alternative, required: Collection[str], *, begins: bool = False, fix: str = ""
    ) -> bool:
        """Whether a text can name one of the resource types `required`; a reference to another type is a problem.

        With `begins`, the reference at the beginning of the text is checked, as in an ARN with something behind it.
        """
        symbol = self.symbols.sole(alternative.text[:1] if begins else alternative.text)
        if symbol is None or symbol.kind not in ("Ref", "GetAtt"):
            return True
        kind = self.types.get(symbol.name, "")
        if symbol.kind == "GetAtt":
            # An attribute of another type can have any value.
            given = returns(self.reader.template, symbol)
            right = not given or given in {value for (type_, _), value in RETURN_VALUES.items() if type_ in required}
        else:
            # Only its author knows what a custom resource, or a macro's own type, gives by Ref.
            right = kind in required or not kind.startswith("AWS::") or kind == "AWS::CloudFormation::CustomResource"
        if right:
            return True
        what = (
            f"`{self.spelt(alternative.text)}` is an {kind}" if not begins else f"begins with a reference to an {kind}"
        )
        remedy = fix or f"write an {' or '.join(sorted(required))}, or a name"
        self.problem(alternative.path, what, remedy, "wrong-resource-type")
        return False

    def unclassified(self, alternative: Alternative, what: str, keys: tuple[str, ...]) -> None:
        """Reports a value when it is not known what it names, unless the spec says to ignore such values."""
        if not self.reader.related.possible(alternative.path_condition):
            return
        if self.mistaken and self._is_settled_by_mistake(alternative.text, keys):
            return
        unexpanded = [symbol.node for symbol in self.symbols.within(alternative.text) if _is_unexpanded(symbol.node)]
        if unexpanded and not self.ignore_unresolved:
            for node in unexpanded:
                self.reader.refuse_unexpanded(node, alternative.path)
            return
        value = self.spelt(alternative.text)
        entry = self.spelt_in_list(alternative.text)
        lines = " or ".join(f"`{key}: [{entry}]`" for key in keys)
        if self.ignore_unresolved:
            self.note(
                alternative.path,
                f"{what} `{value}` is only known when the stack is deployed, and `Unresolved: Ignore` skips it",
                "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html",
                alternative.path_condition,
                code=UNRESOLVED,
                about=what,
                value=alternative.text,
            )
            return
        missing = without_value(self.reader.template, self.symbols, alternative.text)
        if missing:
            names = " and ".join(missing)
            unknown = (
                f"value of the parameter {names} is" if len(missing) == 1 else f"values of the parameters {names} are"
            )
            what = f"cannot tell which {what} `{value}` is, since the {unknown} not known here"
            fix = "give it, as in " + " ".join(f"`--parameter {name}=…`" for name in missing)
            self.problem(alternative.path, what, fix, code="parameter-without-value")
        else:
            # A stack parameter can be anything in the next deployment, so nothing of it is ignored.
            is_plain = any(map(self.reader.template.is_read, self.symbols.names(alternative.text)))
            ignored = ", or `Unresolved: Ignore`" if self.can_ignore and not is_plain else ""
            self.problem(
                alternative.path,
                f"cannot tell which {what} `{value}` is, since it is only known when the stack is deployed",
                f"add {lines} to {self.spec_path}{ignored}",
                code=UNRESOLVED,
            )

    def _is_settled_by_mistake(self, text: str, keys: tuple[str, ...]) -> bool:
        """Whether a value may be settled where the spec is wrong, so that only the spec has to be corrected."""
        ignored = self.can_ignore and "Unresolved" in self.mistaken
        return ignored or any(text in self.mistaken.get(key, ()) for key in keys)

    def spelt(self, text: str) -> str:
        """`text` as an author writes it in YAML, for messages."""
        return self.symbols.spelt(text)

    def spelt_in_list(self, text: str) -> str:
        """The same, for use between the brackets of a YAML list or mapping."""
        return self.symbols.spelt(text, in_list=True)

    def need(
        self,
        grant: Grant,
        resource: SymbolicText,
        path_condition: PathCondition,
        path: str,
        target: SymbolicText,
        conditions: tuple[Condition, ...] = (),
        context: tuple[str, str, SymbolicText] | None = None,
    ) -> None:
        """Records that the tasks need a grant on a resource; see `Need`. A wildcard of the template is a problem."""
        self._budget.spend(_STEPS_OF_NEED + len(path_condition) + len(resource) // 16)
        problem, written = judged(self.reader, (grant, resource, target, conditions, context))
        if problem is not None:
            self.refused.append(problem._replace(path=path))
        if written is not None:
            grant, resource, target, conditions, context = written
        self.needs.append(Need._make((grant, resource, path_condition, path, target, conditions, context)))

    def recall(self, infer: Callable[[InferenceContext, Cursor], None], place: Cursor) -> None:
        """Calls `infer` with a place; at other places with the same node the results are only repeated.

        What `infer` finds may depend on the node, the template and this context, and not on the path or the definition.
        A node is called "plain" if it finds the same wherever the node is: nothing to report, and everything at the
        place itself, under no condition. A reference to nothing is a mistake at some paths only, so nothing is repeated
        after one was seen.
        """
        key = None
        if self._recalled is not None and not place.path_condition and not self.reader.refers_to_nothing:
            key = self._key_of(place.node)
        if self._recalled is None or key is None:
            infer(self, place)
            return
        recalled = self._recalled.setdefault(infer, {})
        found = recalled.get(key, _NEVER)
        if found is None:
            recalled[key] = self._found_by(infer, place)
        elif not found.plain:
            # Most nodes are at one place. So only the second place is recorded, and the third repeats it.
            if found is _NEVER:
                recalled[key] = None
            infer(self, place)
        else:
            path = place.path
            self._budget.spend(_STEPS_OF_NEED * (1 + len(found.needs)))
            self._budget.read(found.characters)
            for grant, resource, _, _, target, conditions, context in found.needs:
                self.needs.append(Need._make((grant, resource, ALWAYS, path, target, conditions, context)))
            for _, *said in found.notes:
                self.notes.append(Note._make((path, *said)))
            for protected, text in found.unseen_keys:
                self.unseen_keys.append((protected, Alternative._make((ALWAYS, text.text, path))))

    def _found_by(self, infer: Callable[[InferenceContext, Cursor], None], place: Cursor) -> _Recalled:
        needs, notes, unseen_keys = len(self.needs), len(self.notes), len(self.unseen_keys)
        said, characters = self._said(), self._budget.characters
        infer(self, place)
        new_needs, new_notes, new_keys = self.needs[needs:], self.notes[notes:], self.unseen_keys[unseen_keys:]
        places: list[Need | Note | Alternative] = [*new_needs, *new_notes, *(text for _, text in new_keys)]
        plain = said == self._said() and all(each.path == place.path and not each.path_condition for each in places)
        return _Recalled(plain, self._budget.characters - characters, new_needs, new_notes, new_keys)

    def _key_of(self, node: Json) -> str | tuple[str, ...] | None:
        """What is the same for equal texts, and for equal intrinsic functions; None for any other node."""
        if isinstance(node, str):
            return node
        if not isinstance(node, dict) or len(node) != 1:
            return None
        [(name, argument)] = node.items()
        if isinstance(argument, str):
            return name, argument
        written = json.dumps(argument)
        self._budget.spend(len(written) // 16)
        # A text can be the same as the JSON of a list.
        return name, "JSON", written

    def _said(self) -> int:
        """How many mistakes and warnings there are."""
        return len(self.reader.problems) + len(self.warned) + len(self.refused)

    def problem(self, path: str, what: str, fix: str, code: str) -> None:
        """Reports a problem."""
        self.reader.problems.append(Problem(path, what, fix, code))

    def warn(self, path: str, what: str, fix: str, code: str) -> None:
        """Reports what may be missing."""
        self.warned.append(Problem(path, what, fix, code))

    def warn_late(self, path: str, code: str, write: Callable[[], Problem]) -> None:
        """The same, where the text takes long to write."""
        self.warned.append(LateProblem(path, code, write))

    def note(
        self,
        path: str,
        text: str,
        docs: str,
        path_condition: PathCondition = ALWAYS,
        *,
        code: str,
        about: str = "",
        value: SymbolicText = _EMPTY,
    ) -> None:
        """Records that something needs no statement, and why."""
        self.notes.append(Note(path, text, docs, path_condition, code, about, value))


def _is_unexpanded(node: Json) -> TypeGuard[dict[str, Json]]:
    """Whether another macro is still to replace a node, so that no list of a spec can say what it becomes."""
    return is_intrinsic(node) and next(iter(node)).startswith(UNEXPANDED)


def without_value(template: Template, symbols: Symbols, text: str) -> list[str]:
    """The plain stack parameters in a text. CloudFormation gives the macro their values; other callers may not."""
    return [
        name
        for name in sorted(symbols.names(text))
        if template.is_read(name) and name not in template.values and "Default" not in template.parameters[name]
    ]
