"""Reads CloudFormation values symbolically.

A value of a template can be several values: one for each combination of its conditions. `Reader.text` gives these
alternatives as `(path_condition, symbolic text, path)`; `Reader.each` and `Reader.mappings` do the same for lists and
mappings. `AWS::NoValue` is not an alternative. What cannot be known stays a symbol; nothing here calls AWS, and
nothing is guessed.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

from ecs_exec_role.errors import Problem, Problems, TemplateError
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.budget import current
from ecs_exec_role.template.conditions import ALWAYS, PathCondition, both, difference
from ecs_exec_role.template.event import Template
from ecs_exec_role.template.logical_ids import Lacking, LogicalIds, is_granted_for
from ecs_exec_role.template.related_conditions import RelatedConditions
from ecs_exec_role.template.return_values import returns
from ecs_exec_role.template.symbols import (
    ACCOUNT,
    PARTITION,
    PSEUDO_PARAMETERS,
    REGION,
    SYMBOL,
    URL_SUFFIX,
    Json,
    SymbolicText,
    Symbols,
    is_symbolic,
    references,
)


class Alternative(NamedTuple):
    """One of the values that a place can have: under which conditions, which symbolic text, written at which path."""

    path_condition: PathCondition
    text: SymbolicText
    path: str

    def given(self, path_condition: PathCondition) -> Alternative:
        """The same text under exactly these conditions."""
        if path_condition == self.path_condition:
            return self
        return Alternative(path_condition, self.text, self.path)


class Case(NamedTuple):
    """One of the nodes that a place can have, without an `Fn::If` at its top."""

    path_condition: PathCondition
    node: Json
    path: str


MOST_ALTERNATIVES = 256
"""The most values that one place may have; with more, its conditions are too many."""

UNREAD = "unread-value"
"""The code of a problem with a value that must be a mapping and is only known when the stack is deployed."""

_ARN_OF = {
    "file-system-arn": ("elasticfilesystem", "file-system/"),
    "key-arn": ("kms", "key/"),
    "log-group-arn": ("logs", "log-group:"),
    "repository-arn": ("ecr", "repository/"),
    "secret-arn": ("secretsmanager", "secret:"),
}
"""What a reference gives: for an ARN of the stack's own account and region, its service and how its last field begins.
"""

_SYMBOL = late_pattern(SYMBOL)
_LOGICAL_ID = late_pattern(r"[A-Za-z0-9:]+")
_ATTRIBUTE = late_pattern(r"[A-Za-z0-9_.-]+")
_STEPS_OF_ITEM = 3
_FEW = 10
_VARIABLE = late_pattern(r"\$\{([^{}]*)\}")


class Reader:
    """Reads the values of one template.

    `problems` collects what is wrong with the values read.
    """

    def __init__(self, template: Template, symbols: Symbols, problems: Problems) -> None:
        self.template = template
        self.symbols = symbols
        self.problems = problems
        self._known = {
            PARTITION: template.partition,
            REGION: template.region,
            ACCOUNT: template.account,
            URL_SUFFIX: template.url_suffix,
        }
        self._refs: dict[str, str] = {name: symbols.ref(name) for name in PSEUDO_PARAMETERS}
        self.budget = current()
        self._empty: frozenset[str] | None = None
        self._undefined: dict[str, list[Lacking]] = {}
        self._logical_ids = LogicalIds(template, self.symbols)
        self._checked = len(PSEUDO_PARAMETERS)
        self.remembered: dict[object, dict[tuple[object, ...], Any]] = defaultdict(dict)
        """What functions of other modules gave for their arguments: the same value is at many places of a template."""
        self.names: dict[tuple[str, str], dict[str, list[tuple[str, Alternative]]]] = {}
        """For a resource type and its property: which resources have which names; filled by `services.resources`."""
        self.overrides: dict[str, list[Any]] | None = None
        """What is overridden when tasks of a definition start; filled by `needs.overrides`."""

    @property
    def refers_to_nothing(self) -> bool:
        """Whether a value that was read refers to what is not in the template."""
        return bool(self._undefined)

    @cached_property
    def related(self) -> RelatedConditions:
        """How the conditions of the template depend on each other."""
        return RelatedConditions.of(self.template)

    # -- text ---------------------------------------------------------------------------------------------------------

    def text(self, node: Json, path_condition: PathCondition = ALWAYS, path: str = "") -> list[Alternative]:
        """The texts that `node` can be. There are none if it is absent, or is not text, which is a problem."""
        if isinstance(node, str):
            self.budget.read(len(node), 1)
            text = self.symbols.with_dynamic_references(node) if "{{" in node else node
            return [Alternative._make((path_condition, text, path))]
        self.budget.spend()
        if isinstance(node, dict) and len(node) == 1:
            excluded = self._excluded(node, path_condition) if path_condition else None
            if excluded:
                return self._without_empty(node, excluded, path_condition, path)
            [(name, argument)] = node.items()
            if name == "Ref":
                return self._ref(argument, path_condition, path)
            function = _FUNCTIONS.get(name)
            if function is not None:
                return function(self, argument, path_condition, path)
            if name.startswith(UNEXPANDED):
                self.refuse_unexpanded(node, path)
                return []
            if name.startswith("Fn::"):
                return [Alternative._make((path_condition, self.symbols.opaque(node), path))]
        if isinstance(node, bool):
            return [Alternative(path_condition, SymbolicText("true" if node else "false"), path)]
        if isinstance(node, (int, float)):
            return [Alternative(path_condition, SymbolicText(str(node)), path)]
        if node is not None:
            self.problems.append(
                Problem(path, f"is a {_kind(node)}", "write a string or an intrinsic function", "wrong-type")
            )
        return []

    def _excluded(self, node: Json, path_condition: PathCondition) -> list[str]:
        """The parameters in a value that are empty although the conditions exclude it: then the value is not used.

        An optional parameter has an empty default, and its use a condition like `!Not [!Equals [!Ref Name, ""]]`.
        """
        if self._empty is None:
            self._empty = frozenset(name for name in self.template.parameters if self.parameter(name) == "")
        if not self._empty:
            return []
        related = self.related
        return [
            name
            for name in references(node) & self._empty
            if not self._refs.get(name) and not related.possible_if_empty(path_condition, name)
        ]

    def _without_empty(
        self, node: Json, excluded: list[str], path_condition: PathCondition, path: str
    ) -> list[Alternative]:
        """A value at a place that is only reached if these parameters are not empty.

        CloudFormation names every parameter's value, so the place is not reached. Where only the default is known, a
        parameter can be anything there.
        """
        if all(name in self.template.values for name in excluded):
            return []
        before = {name: self._refs.get(name) for name in excluded}
        self._refs.update((name, self.symbols.ref(name)) for name in excluded)
        try:
            return self.text(node, path_condition, path)
        finally:
            for name, text in before.items():
                if text is None:
                    del self._refs[name]
                else:
                    self._refs[name] = text

    def _ref(self, name: Json, path_condition: PathCondition, path: str) -> list[Alternative]:
        if name == "AWS::NoValue":
            return []
        if not isinstance(name, str):
            return [Alternative(path_condition, self.symbols.opaque({"Ref": name}), path)]
        text = self._refs.get(name) or self._reference(name)
        if not text and name not in self.template.values:
            text = self.symbols.ref(name)  # Only its default is known, which must not be read as its value.
        self.budget.read(len(text))
        return [Alternative._make((path_condition, text, path))]

    def _reference(self, name: str) -> str:
        """What `Ref` to a parameter or a resource gives: the parameter's value where it is known, else a symbol."""
        text = self._refs.get(name)
        if text is None:
            if not _LOGICAL_ID.fullmatch(name):
                return self.symbols.opaque({"Ref": name})
            value = self.parameter(name)
            text = self.symbols.ref(name) if value is None or isinstance(value, list) else value
            text = self.symbols.with_dynamic_references(text)
            self._refs[name] = text
        return text

    def parameter(self, name: str) -> str | list[str] | None:
        """The value of a stack parameter, or None where it is not known.

        It is not known for an SSM parameter, for a secret one (`NoEcho`), for one that a nested change set will only
        know later, and for a name that is not a parameter.
        """
        declared = self.template.parameters.get(name)
        if not isinstance(declared, dict) or str(declared.get("NoEcho", "")).lower() == "true":
            return None
        kind = declared.get("Type")
        if not isinstance(kind, str) or kind.startswith("AWS::SSM::Parameter::Value"):
            return None
        value = self.template.values.get(name, declared.get("Default"))
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, (int, float)):
            value = str(value)
        is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
        if is_list and isinstance(value, (str, list)):
            self.budget.spend(len(value))
        if isinstance(value, str) and value.startswith("{{IntrinsicFunction:"):
            return None
        if is_list and isinstance(value, str):
            return [part.strip() for part in value.split(",")] if value else []
        if isinstance(value, list):
            parts = [str(part).strip() for part in value]
            return parts if is_list else None
        return value if isinstance(value, str) and not is_list else None

    def defined(self, found: list[Alternative]) -> list[Alternative]:
        """The texts whose references are to something in the template; a reference to anything else is a problem."""
        if self._checked < len(self.symbols.added):
            self._look_for_undefined()
        if not self._undefined:
            return found
        kept = []
        for alternative in found:
            missing = self._lacking_in(alternative.text)
            if missing and is_granted_for(self.template, alternative.path):
                self.problems.extend(each.at(alternative.path) for each in missing)
            else:
                kept.append(alternative)
        return kept

    def _look_for_undefined(self) -> None:
        """Checks the symbols that were added since the last call."""
        added = self.symbols.added
        while self._checked < len(added):
            symbol = added[self._checked]
            self._checked += 1
            if symbol.name not in self.template.types:
                missing = list(self._logical_ids.lacking(symbol))
                if missing:
                    self._undefined[symbol.character] = missing

    def _lacking_in(self, text: str) -> list[Lacking]:
        undefined = self._undefined
        return [each for character in dict.fromkeys(text) if character in undefined for each in undefined[character]]

    def _get_att(self, argument: Json, path_condition: PathCondition, path: str) -> list[Alternative]:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if (
            isinstance(parts, list)
            and len(parts) == 2
            and all(isinstance(part, str) for part in parts)
            and _LOGICAL_ID.fullmatch(parts[0])
            and _ATTRIBUTE.fullmatch(parts[1])
        ):
            return [Alternative._make((path_condition, self.symbols.get_att(parts[0], parts[1]), path))]
        return [Alternative(path_condition, self.symbols.opaque({"Fn::GetAtt": argument}), path)]

    def _if(self, argument: Json, path_condition: PathCondition, path: str) -> list[Alternative]:
        return [
            alternative
            for case in self._branches(argument, path_condition, path)
            for alternative in self.text(case.node, case.path_condition, case.path)
        ]

    def _sub(self, argument: Json, path_condition: PathCondition, path: str) -> list[Alternative]:
        if isinstance(argument, str):
            text = self._with_substitutes(argument)
            self.budget.read(len(text))
            return [Alternative._make((path_condition, text, path))]
        if isinstance(argument, list) and argument and isinstance(argument[0], dict):
            what = "is an Fn::Sub whose text is a mapping: YAML reads a text that ends with a colon as a mapping"
            self.problems.append(Problem(path, what, "put the text in quotes", "wrong-type"))
            return []
        if not (
            isinstance(argument, list)
            and len(argument) == 2
            and isinstance(argument[0], str)
            and isinstance(argument[1], dict)
        ):
            return [Alternative(path_condition, self.symbols.opaque({"Fn::Sub": argument}), path)]
        template, variables = argument
        pieces: list[list[Alternative]] = []
        for literal, piece in substitutions(template):
            if not literal and piece in variables:
                # A variable that is AWS::NoValue has no text to substitute; CloudFormation refuses it later.
                texts = self.text(variables[piece], path_condition, f"{path}/Fn::Sub/1/{piece}")
                pieces.append(texts or [Alternative(path_condition, SymbolicText(""), path)])
            else:
                pieces.append(
                    [Alternative(path_condition, SymbolicText(piece if literal else self._substitute(piece)), path)]
                )
        return self._joined("", pieces, path_condition, path)

    def _with_substitutes(self, template: str) -> SymbolicText:
        """The text of an `Fn::Sub` without variables."""
        refs = self._refs
        pieces = template.split("${")
        # A text that could be long is counted before it is made.
        if len(pieces) > _FEW:
            self.budget.read(sum(len(self._substituted(match)) for match in _VARIABLE.finditer(template)))
        for index in range(1, len(pieces)):
            name, brace, rest = pieces[index].partition("}")
            known = refs.get(name)
            if not known or not brace:
                # Something else than a reference that is known already: the pattern tells what it is.
                text = _VARIABLE.sub(self._substituted, template)
                break
            pieces[index] = known + rest
        else:
            text = "".join(pieces)
        return self.symbols.with_dynamic_references(text)

    def _substituted(self, match: re.Match[str]) -> str:
        """The text that replaces a `${…}` of an `Fn::Sub` without variables."""
        name = match[1]
        return self._refs.get(name) or (f"${{{name[1:]}}}" if name.startswith("!") else self._substitute(name))

    def _substitute(self, name: str) -> str:
        """The text that replaces `${name}` in `Fn::Sub`."""
        name = name.strip()
        if "." in name:
            return self._refs.setdefault(name, self._get_att(name, ALWAYS, "")[0].text)
        if not _LOGICAL_ID.fullmatch(name):
            return self.symbols.opaque({"Fn::Sub": f"${{{name}}}"})
        return self._reference(name)

    def _join(self, argument: Json, path_condition: PathCondition, path: str) -> list[Alternative]:
        here = f"{path}/Fn::Join"
        if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str):
            found = []
            for case in self.lists(argument[1], path_condition, f"{here}/1"):
                if not isinstance(case.node, list):
                    found.append(Alternative(case.path_condition, self.symbols.opaque({"Fn::Join": argument}), path))
                    continue
                pieces: list[list[Alternative]] = []
                for index, item in enumerate(case.node):
                    inner = self._listed(item, case.path_condition, f"{here}/1/{index}")
                    if inner is None:
                        found.append(
                            Alternative(case.path_condition, self.symbols.opaque({"Fn::Join": argument}), path)
                        )
                        break
                    pieces.extend(inner)
                else:
                    found.extend(self._joined(argument[0], pieces, case.path_condition, path))
            return found
        return [Alternative(path_condition, self.symbols.opaque({"Fn::Join": argument}), path)]

    def _listed(self, item: Json, path_condition: PathCondition, path: str) -> list[list[Alternative]] | None:
        """The texts that an item of a joined list can be; a `Ref` to a list parameter gives several items."""
        if isinstance(item, dict) and len(item) == 1 and isinstance(item.get("Ref"), str):
            value = self.parameter(item["Ref"])
            if isinstance(value, list):
                return [[Alternative(path_condition, SymbolicText(part), path)] for part in value]
        if isinstance(item, list):
            return None
        texts = self.text(item, path_condition, path)
        covered = {alternative.path_condition for alternative in texts}
        if path_condition not in covered and texts:
            # Under the conditions that `texts` do not have, the item is absent: the list has one item less.
            rest = difference(path_condition, covered)
            absent = [held for held in rest if not self._excluded(item, held)]
            texts = [*texts, *(Alternative(held, _ABSENT, path) for held in absent)]
        return [texts] if texts else []

    def _joined(
        self, delimiter: str, pieces: list[list[Alternative]], path_condition: PathCondition, path: str
    ) -> list[Alternative]:
        """Every combination of the pieces' alternatives whose conditions can hold together."""
        found: list[tuple[PathCondition, list[str]]] = [(path_condition, [])]
        for alternatives in pieces:
            if len(alternatives) == 1 and alternatives[0].path_condition == path_condition:
                # A text without conditions makes no new combination.
                for _, texts in found:
                    texts.append(alternatives[0].text)
                self.budget.spend(len(found))
                continue
            grown = []
            for before, texts in found:
                for alternative in alternatives:
                    together = both(before, alternative.path_condition)
                    if together is not None:
                        self.budget.spend(1 + len(texts) // 8)
                        grown.append(
                            (together, [*texts, *(() if alternative.text is _ABSENT else (alternative.text,))])
                        )
            found = grown
            if len(found) > MOST_ALTERNATIVES:
                what, fix = f"has more than {MOST_ALTERNATIVES} values", "use fewer Fn::If in one value"
                raise TemplateError([Problem(path, what, fix, "too-many-conditions")])
        self.budget.read(sum(sum(map(len, texts)) + len(delimiter) * len(texts) for _, texts in found))
        return [
            Alternative(held, self.symbols.with_dynamic_references(delimiter.join(texts)), path)
            for held, texts in found
        ]

    def _find_in_map(self, argument: Json, path_condition: PathCondition, path: str) -> list[Alternative]:
        found = self._mapped(argument)
        if isinstance(found, list):
            found = None
        if found is None:
            return [Alternative(path_condition, self.symbols.opaque({"Fn::FindInMap": argument}), path)]
        return self.text(found, path_condition, path)

    def _mapped(self, argument: Json) -> Json:
        """What `Fn::FindInMap` finds, or its `DefaultValue`; None if that depends on something unknown."""
        if not isinstance(argument, list) or len(argument) not in (3, 4):
            return None
        node: Json = self.template.mappings
        for key in argument[:3]:
            texts = self._quietly(key)
            known = self.known(texts[0].text) if len(texts) == 1 else None
            if known is None or not isinstance(node, dict):
                return None
            if known not in node:
                default = argument[3] if len(argument) == 4 else None
                return default.get("DefaultValue") if isinstance(default, dict) else None
            node = node[known]
        items = node if isinstance(node, list) else [node]
        self.budget.spend(len(items))
        # CloudFormation allows no functions in Mappings, and following them here might not end.
        return None if any(isinstance(item, (dict, list)) for item in items) else node

    def known(self, text: str) -> str | None:
        """`text` with account, region, partition and URL suffix filled in; None if the result is still symbolic."""
        if is_symbolic(text):
            for symbol, value in self._known.items():
                if value:
                    text = text.replace(symbol, value)
            if is_symbolic(text):
                return None
        return text

    def _select(self, argument: Json, path_condition: PathCondition, path: str) -> list[Alternative]:
        def unknown(held: PathCondition) -> Alternative:
            return Alternative(held, self.symbols.opaque({"Fn::Select": argument}), path)

        if not isinstance(argument, list) or len(argument) != 2:
            return [unknown(path_condition)]
        indexes = self._quietly(argument[0])
        if len(indexes) != 1 or not indexes[0].text.isdecimal():
            return [unknown(path_condition)]
        found = []
        for case in self.lists(argument[1], path_condition, f"{path}/Fn::Select/1"):
            # A selection by position needs a list of fixed length: an item that may be absent moves the items after it.
            items = self._certain_parts(case.node) if is_intrinsic(case.node) else case.node
            items = items if isinstance(items, list) else []
            self.budget.spend(len(items))
            item = next(islice(items, int(indexes[0].text[:9]), None), None)
            if item is None or any(_may_vanish(item) for item in items):
                found.append(unknown(case.path_condition))
            else:
                found.extend(self.text(item, case.path_condition, path))
        return found

    def _quietly(self, node: Json) -> list[Alternative]:
        """As `text`, for an argument of an intrinsic function: CloudFormation reports what is wrong with it."""
        with self.problems.aside():
            return self.text(node)

    # -- lists and mappings -------------------------------------------------------------------------------------------

    def cases(self, node: Json, path_condition: PathCondition, path: str) -> Iterator[Case]:
        """The nodes that a place can have: without `Fn::If`, and without `Ref` and `Fn::FindInMap` of known values."""
        if isinstance(node, dict) and len(node) == 1:
            [(name, argument)] = node.items()
            if name == "Fn::If":
                for case in self._branches(argument, path_condition, path):
                    yield from self.cases(case.node, case.path_condition, case.path)
                return
            if name == "Ref" and isinstance(argument, str):
                if argument == "AWS::NoValue":
                    return
                value = self.parameter(argument)
                if value == "" and path_condition and self._excluded(node, path_condition):
                    if argument in self.template.values:
                        return
                    value = None
                yield Case(path_condition, node if value is None else value, path)
                return
            if name == "Fn::FindInMap":
                value = self._mapped(argument)
                yield Case(path_condition, node if value is None else value, path)
                return
        yield Case._make((path_condition, node, path))

    def lists(self, node: Json, path_condition: PathCondition, path: str) -> Iterator[Case]:
        """As `cases`, with `Fn::Split` as a list if enough of the text that it splits is known."""
        for case in self.cases(node, path_condition, path):
            if isinstance(case.node, dict) and "Fn::Split" in case.node and len(case.node) == 1:
                yield from self._split(case.node["Fn::Split"], case.path_condition, case.path)
            else:
                yield case

    def _split(self, argument: Json, path_condition: PathCondition, path: str) -> Iterator[Case]:
        if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[0], str) and argument[0]:
            delimiter, source = argument
            for alternative in self.text(source, path_condition, f"{path}/Fn::Split/1"):
                if self._splits_safely(alternative.text, delimiter):
                    self.budget.spend(alternative.text.count(delimiter))
                    yield Case(alternative.path_condition, alternative.text.split(delimiter), path)
                else:
                    yield Case(
                        alternative.path_condition,
                        {"Fn::Split": [delimiter, self.symbols.render(alternative.text)]},
                        path,
                    )
            return
        yield Case(path_condition, {"Fn::Split": argument}, path)

    def _certain_parts(self, node: dict[str, Json]) -> list[str]:
        """The first parts of an `Fn::Split`: those before a part that may contain the delimiter.

        The URI of a repository of the template is written out, so that its registry, before the first slash, is known.
        So is the beginning of an ARN, since AWS CDK takes the region and the account of a repository from there.
        """
        split = node.get("Fn::Split")
        if not isinstance(split, list) or len(split) != 2 or not isinstance(split[0], str) or not split[0]:
            return []
        texts = self._quietly(split[1])
        if len(texts) != 1:
            return []
        delimiter, text = split[0], _SYMBOL.sub(self._written_out, texts[0].text)
        self.budget.spend(len(text) // 8)
        unsafe = (match.start() for match in _SYMBOL.finditer(text) if not self._splits_safely(match[0], delimiter))
        return [*text[: next(unsafe, len(text))].split(delimiter)[:-1]]

    def _written_out(self, match: re.Match[str]) -> str:
        symbol = self.symbols[match[0]]
        given = returns(self.template, symbol)
        if given == "repository-uri":
            return self.repository_uri(symbol.name)
        service, start = _ARN_OF.get(given, ("", ""))
        return f"arn:{PARTITION}:{service}:{REGION}:{ACCOUNT}:{start}{match[0]}" if service else match[0]

    def repository_uri(self, logical_id: str) -> str:
        """The URI of a repository of the template, made of the stack's account and region and the repository's name."""
        return f"{ACCOUNT}.dkr.ecr.{REGION}.{URL_SUFFIX}/{self.symbols.ref(logical_id)}"

    def _splits_safely(self, text: str, delimiter: str) -> bool:
        """Whether no unknown part of `text` can contain the delimiter."""
        if text.isascii():
            return True
        known = self._known
        return all(known.get(symbol) and delimiter not in known[symbol] for symbol in set(_SYMBOL.findall(text)))

    def each(self, node: Json, path_condition: PathCondition, path: str) -> Iterator[Case]:
        """The items of a list, each with its conditions, without an `Fn::If` at their top.

        A value that is not a list, or is one only after CloudFormation has resolved it, is returned as one item.
        """
        if isinstance(node, list):
            return self._items(path_condition, node, path)
        return self._items_of_cases(self.lists(node, path_condition, path))

    def _items_of_cases(self, cases: Iterable[Case]) -> Iterator[Case]:
        for case in cases:
            if isinstance(case.node, list):
                yield from self._items(*case)
            elif case.node is not None:
                yield case

    def _items(self, path_condition: PathCondition, nodes: list[Json], path: str) -> Iterator[Case]:
        self.spend_on_items(len(nodes))
        for index, item in enumerate(nodes):
            if isinstance(item, dict) and len(item) == 1:
                yield from self.item(item, path_condition, f"{path}/{index}")
            else:
                yield Case._make((path_condition, item, f"{path}/{index}"))

    def spend_on_items(self, count: int) -> None:
        """Counts the steps of reading so many items of a list."""
        self.budget.spend(_STEPS_OF_ITEM * count)

    def item(self, node: Json, path_condition: PathCondition, path: str) -> Iterator[Case]:
        """What one item of a list can be. A function that gives a list gives several items."""
        for case in self.cases(node, path_condition, path):
            if isinstance(case.node, list):
                yield from self.each(case.node, case.path_condition, case.path)
            else:
                yield case

    def mappings(self, node: Json, path_condition: PathCondition, path: str) -> Iterator[Case]:
        """The mappings that a place can have; anything else is a problem."""
        if isinstance(node, dict) and len(node) > 1:
            self.refuse_unexpanded(node, path)
            yield Case._make((path_condition, node, path))
            return
        for case in self.cases(node, path_condition, path):
            if isinstance(case.node, dict) and not is_intrinsic(case.node):
                self.refuse_unexpanded(case.node, case.path)
                yield case
            elif is_intrinsic(case.node) and next(iter(case.node)).startswith(UNEXPANDED):
                self.refuse_unexpanded(case.node, case.path)
            elif is_intrinsic(case.node):
                what = f"is {function_of(case.node)}, which is only known when the stack is deployed"
                fix = "write what it gives, or add `Unresolved: Ignore` to the spec and say there what it needs"
                self.problems.append(Problem(case.path, what, fix, UNREAD))
            elif case.node is not None:
                self.problems.append(Problem(case.path, f"is a {_kind(case.node)}", "write a mapping", "wrong-type"))

    def refuse_unexpanded(self, node: dict[str, Json], path: str) -> None:
        """Reports a mapping into which another macro will put something that is not visible here."""
        if not self.template.has_unexpanded:
            return
        for key in node:
            if key == "Fn::Transform":
                fix = "write what it gives in its place, or let CloudFormation expand it before EcsExecRole"
            elif key.startswith("Fn::ForEach::"):
                fix = "list AWS::LanguageExtensions before EcsExecRole in Transform, so that it expands the loop first"
            else:
                continue
            what = "is expanded by another macro, so what it gives cannot be read here"
            self.problems.append(Problem(f"{path}/{key}", what, fix, UNREAD))

    def _branches(self, argument: Json, path_condition: PathCondition, path: str) -> Iterator[Case]:
        """The two branches of an `Fn::If`, without those that cannot be reached."""
        self.budget.spend(1 + len(path_condition))
        if isinstance(argument, list) and len(argument) == 3 and isinstance(argument[0], str):
            for index, truth in ((1, True), (2, False)):
                inner = both(path_condition, ((argument[0], truth),))
                if inner is not None:
                    yield Case(inner, argument[index], f"{path}/Fn::If/{index}")
        else:
            self.problems.append(
                Problem(f"{path}/Fn::If", "is malformed", "write [condition name, if true, if false]", "wrong-type")
            )


_ABSENT = SymbolicText("\0absent")
UNEXPANDED = ("Fn::Transform", "Fn::ForEach::")
"""The prefixes of the keys that another macro replaces."""


def function_of(node: dict[str, Json]) -> str:
    """What an intrinsic function is called in a sentence, with its article."""
    name = next(iter(node))
    return f"{'a' if name == 'Ref' else 'an'} {name} function"


def is_intrinsic(node: Json) -> bool:
    """Whether `node` is an intrinsic function."""
    if not isinstance(node, dict) or len(node) != 1:
        return False
    name = str(next(iter(node)))
    return name == "Ref" or name.startswith("Fn::")


@lru_cache(maxsize=4096)
def substitutions(template: str) -> tuple[tuple[bool, str], ...]:
    """The pieces of an `Fn::Sub` template, in one pass.

    ::

        template = { literal | "${" name "}" | "${!" literal "}" }

    Returns pairs: whether the piece is literal, and the literal or the name. `${!Name}` is the literal `${Name}`.
    """
    pieces: list[tuple[bool, str]] = []
    end = 0
    for match in _VARIABLE.finditer(template):
        if match.start() > end:
            pieces.append((True, template[end : match.start()]))
        name = match[1]
        pieces.append((True, f"${{{name[1:]}}}") if name.startswith("!") else (False, name))
        end = match.end()
    if end < len(template):
        pieces.append((True, template[end:]))
    return tuple(pieces)


def _may_vanish(item: Json) -> bool:
    """Whether an item of a list may be `AWS::NoValue`."""
    if not isinstance(item, dict):
        return False
    if item.get("Ref") == "AWS::NoValue":
        return True
    branches = item.get("Fn::If")
    return isinstance(branches, list) and any(map(_may_vanish, branches[1:]))


def _kind(node: Json) -> str:
    return {dict: "mapping", list: "list", str: "string", bool: "boolean"}.get(type(node), "number")


_FUNCTIONS: dict[str, Callable[[Reader, Json, PathCondition, str], list[Alternative]]] = {
    "Fn::If": Reader._if,  # noqa: SLF001
    "Fn::Sub": Reader._sub,  # noqa: SLF001
    "Fn::Join": Reader._join,  # noqa: SLF001
    "Fn::GetAtt": Reader._get_att,  # noqa: SLF001
    "Fn::FindInMap": Reader._find_in_map,  # noqa: SLF001
    "Fn::Select": Reader._select,  # noqa: SLF001
}
