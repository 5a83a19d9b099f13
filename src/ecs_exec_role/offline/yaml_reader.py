"""Reads a template in YAML as CloudFormation does.

CloudFormation reads YAML 1.1, in which `yes` is true, but reads a date as text. Its short tags become the long
form that macros receive: `!Ref A` is `{"Ref": "A"}`, `!GetAtt A.B` is `{"Fn::GetAtt": ["A", "B"]}`.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.offline.source_map import SourcePosition
from ecs_exec_role.template.similar_names import likely
from ecs_exec_role.template.symbols import Json

Node: TypeAlias = Any
"""A node of ruamel.yaml, whose own types do not distinguish a mapping from a scalar."""

TAGS = {
    name: name if name in ("Ref", "Condition") else f"Fn::{name}"
    for name in (
        *("And", "Base64", "Cidr", "Condition", "Equals", "FindInMap", "GetAZs", "GetAtt", "If", "ImportValue", "Join"),
        *("GetStackOutput", "Length", "Not", "Or", "Ref", "Select", "Split", "Sub", "ToJsonString", "Transform"),
        # These are for a template's Rules only.
        *("Contains", "EachMemberEquals", "EachMemberIn", "RefAll", "ValueOf", "ValueOfAll"),
    )
}
"""The short tags, without their exclamation mark, and the long form of each."""

WITHOUT_SHORT_FORM = frozenset({"Fn::GetStackOutput", "Fn::Length", "Fn::ToJsonString", "Fn::Transform", "Condition"})
"""The functions that are written in full.

The functions of `AWS::LanguageExtensions` have no short form, and `!GetStackOutput` cannot contain another one. See
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-languageextensions.html and
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getstackoutput.html
"""

MOST_NODES = 500_000
"""The most values of a template with its aliases written out; CloudFormation accepts a megabyte of text."""

_SYNTAX = (
    ("'\\t'", "use spaces: YAML does not allow a tab here"),
    ("undefined alias", "write the anchor (`&name`) before its alias (`*name`), or quote a text that begins with *"),
    ("mapping values are not allowed", "put a text that has a colon followed by a space, or at its end, in quotes"),
)
"""For parts of the parser's messages: what to write instead."""

_YAML = "tag:yaml.org,2002:"
_PLAIN = frozenset(_YAML + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "map", "seq"))
_TRUE = frozenset({"yes", "true", "on"})
_OCTAL = late_pattern(r"[-+]?0[0-7_]+")


class Unreadable(ValueError):
    """A file that is not a template; `line` and `column` count from 1."""

    def __init__(self, line: int, column: int, what: str, fix: str) -> None:
        self.line, self.column, self.what, self.fix = line, column, what, fix
        super().__init__(f"{line}:{column}: {what}; {fix}")


def read(text: str) -> tuple[Json, SourcePosition]:
    """The value of one YAML document in CloudFormation's long form, and the place of everything in it.

    Raises:
        Unreadable: the text is not valid YAML, or CloudFormation does not read it.
    """
    node = compose(text)
    if node is None:
        raise Unreadable(1, 1, "the file is empty", "write a template with Resources")
    try:
        return _Builder().build(node, node)
    except RecursionError:
        raise Unreadable(1, 1, "the template is nested too deep", "use fewer levels") from None


def compose(text: str) -> Node | None:
    """The tree of nodes of a YAML text; None for an empty file.

    Raises:
        Unreadable: the text is not valid YAML, or has more than one document.
    """
    node = _composed_by_libyaml(text)
    return node if node is not None else _composed_by_ruamel(text)


def _composed_by_libyaml(text: str) -> Node | None:
    """The tree of nodes from LibYAML, which takes a twentieth of ruamel.yaml's time; None if it cannot read the text.

    Both read the same plain words as numbers, truth values and so on. ruamel.yaml reports what is wrong with a file.
    """
    if "%YAML" in text or text.startswith(
        "\ufeff"
    ):  # A YAML version that CloudFormation does not use, or a byte order mark.
        return None
    try:
        from ecs_exec_role.offline import libyaml  # noqa: PLC0415 - not needed for a template in JSON
    except ImportError:  # No LibYAML for this platform.
        return None
    return libyaml.compose(text)


def _composed_by_ruamel(text: str) -> Node | None:
    from ruamel.yaml import YAML  # noqa: PLC0415 - not needed for a template in JSON
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    try:
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if error.context == "expected a single document in the stream":
            raise Unreadable(line, column, "a second document begins here", "write one template in a file") from None
        reason = " ".join(filter(None, (error.context, error.problem)))
        fix = next((fix for said, fix in _SYNTAX if said in reason), "correct the syntax")
        raise Unreadable(line, column, f"the file is not valid YAML ({reason})", fix) from None
    except RecursionError:
        raise Unreadable(1, 1, "the template is nested too deep", "use fewer levels") from None
    except (YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise Unreadable(1, 1, f"the file is not valid YAML ({reason})", "correct the syntax") from None
    return root


def _error(node: Node, what: str, fix: str) -> Unreadable:
    return Unreadable(node.start_mark.line + 1, node.start_mark.column + 1, what, fix)


class _Builder:
    """Makes values and positions from nodes."""

    def __init__(self) -> None:
        self._count = 0
        self._open: set[int] = set()

    def build(self, node: Node, key: Node) -> tuple[Json, SourcePosition]:
        """The value of `node`, whose key is `key`; an item of a list is its own key."""
        self._count += 1
        if self._count > MOST_NODES:
            raise _error(node, f"aliases give this template more than {MOST_NODES:,} values", "use fewer of them")
        if id(node) in self._open:
            raise _error(node, "an alias is inside the value that it names", "write the value out")
        self._open.add(id(node))
        try:
            return self._build(node, key)
        finally:
            self._open.discard(id(node))

    def _build(self, node: Node, key: Node) -> tuple[Json, SourcePosition]:
        place = SourcePosition(
            line=key.start_mark.line + 1,
            column=key.start_mark.column + 1,
            start=key.start_mark.index,
            value=node.start_mark.index,
            end=node.end_mark.index,
        )
        tag = node.tag or ""
        function = self._function(node, tag)
        value: Json
        if isinstance(node.value, str):
            value = node.value if function else _scalar(node, tag)
        elif _is_mapping(node):
            place.block = not node.flow_style
            value = self._mapping(node, place)
        else:
            place.block = not node.flow_style
            value = []
            for index, item in enumerate(node.value):
                built, there = self.build(item, item)
                value.append(built)
                place.children[str(index)] = there
        if not function:
            return value, place
        if function == "Fn::GetAtt" and isinstance(value, str):
            name, dot, attribute = value.partition(".")
            if dot:
                value = [name, attribute]
        inner = SourcePosition(
            place.line, place.column, place.start, place.value, place.end, place.block, place.children
        )
        place.block = False
        place.children = {function: inner}
        return {function: value}, place

    def _function(self, node: Node, tag: str) -> str:
        """The long form of a short tag; empty if there is none."""
        if tag in _PLAIN:
            return ""
        name = tag[1:]
        if tag.startswith("!") and name in TAGS:
            return TAGS[name]
        if tag.startswith("!") and name:
            guess = likely(name, TAGS)
            fix = f"did you mean !{guess}? Write that" if guess else "write the function's full name"
            raise _error(node, f"`{tag}` is not a tag of CloudFormation", fix)
        if tag == "!":
            return ""
        shown = f"!!{tag.removeprefix(_YAML)}" if tag.startswith(_YAML) else tag
        raise _error(node, f"CloudFormation does not read the tag {shown}", "remove it")

    def _mapping(self, node: Node, place: SourcePosition) -> dict[str, Json]:
        """A mapping's value; its own keys override what `<<` merges into it."""
        value: dict[str, Json] = {}
        merged = [child for key, child in node.value if key.tag == f"{_YAML}merge"]
        for source in (item for child in merged for item in _merged(child)):
            built, there = self.build(source, source)
            for name, item in built.items():
                if name not in value:
                    value[name] = item
                    place.children[name] = there.children[name]
        seen: dict[str, int] = {}
        for key, child in node.value:
            if key.tag == f"{_YAML}merge":
                continue
            if not isinstance(key.value, str):
                raise _error(key, "a key is a list or a mapping", "write a plain word as key")
            name = key.value
            if name in seen:
                raise _error(key, f"the key `{name}` is written twice, first in line {seen[name]}", "leave one of them")
            seen[name] = key.start_mark.line + 1
            value.pop(name, None)
            place.children.pop(name, None)
            value[name], place.children[name] = self.build(child, key)
        return value


def _is_mapping(node: Node) -> bool:
    return bool(node.id == "mapping")


def _merged(node: Node) -> list[Node]:
    """The mappings that `<<: …` names."""
    nodes = node.value if node.id == "sequence" else [node]
    for item in nodes:
        if not _is_mapping(item):
            raise _error(item, "`<<` merges a value that is not a mapping", "name a mapping's anchor")
    return list(nodes)


def _scalar(node: Node, tag: str) -> Json:
    """A scalar as a JSON value. Dates and other types stay text."""
    text: str = node.value
    kind = tag.removeprefix(_YAML)
    if kind == "bool":
        # YAML 1.1 has `y` and `n` too, but most readers read them as text.
        return text if text in ("y", "Y", "n", "N") else text.lower() in _TRUE
    if kind == "null":
        return None
    if kind == "int":
        return _whole(text)
    if kind == "float":
        try:
            number = float(text.replace("_", ""))
        except ValueError:  # `.inf`, `.nan` and times of day, which JSON does not have.
            return text
        return number if math.isfinite(number) else text
    return text


def _whole(text: str) -> int | str:
    """A whole number of YAML 1.1; one that Python cannot read stays text."""
    digits = text.replace("_", "")
    if ":" in digits:
        total = 0
        for part in digits.lstrip("+-").split(":"):
            total = total * 60 + int(part)
        return -total if digits.startswith("-") else total
    try:
        return int(digits, 8) if _OCTAL.fullmatch(text) else int(digits, 0)
    except ValueError:
        return text
