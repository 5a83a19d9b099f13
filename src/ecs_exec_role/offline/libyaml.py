"""Makes the tree of nodes of a YAML document with LibYAML, through PyYAML.

PyYAML's own composer calls itself in C for each level, which ends the process where a file is nested too deep. This one
keeps the open collections in a list. The nodes have the attributes that those of ruamel.yaml have.
"""

from __future__ import annotations

import re
from typing import Any

from yaml import YAMLError, events
from yaml.cyaml import CBaseLoader
from yaml.nodes import MappingNode, ScalarNode, SequenceNode
from yaml.resolver import Resolver

MOST_LEVELS = 1_000
"""The most nested collections. The reader accepts fewer, and LibYAML's time grows with the square of their number."""


class _Parser(CBaseLoader, Resolver):
    """Decides which plain words are numbers, truth values and so on in YAML 1.1."""


# As ruamel.yaml, and unlike PyYAML, it takes `1e3` for a number, and `-_1` and `._1`.
_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$|\._[0-9_]*(?:[eE][-+][0-9]+)?$")
_INT = re.compile(r"[-+]_[0-7_]*$")
_Parser.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Parser.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+"))


def compose(text: str) -> Any | None:
    """The tree of the only document of a text; None if LibYAML finds a mistake, no document, or several."""
    try:
        return _composed(_Parser(text))
    except (YAMLError, ValueError):
        return None


def _composed(parser: Any) -> Any | None:
    anchors: dict[str, Any] = {}
    documents: list[Any] = []
    # The open collections, and what each contains so far: keys and values alternately, or items.
    parents: list[tuple[Any, list[Any]]] = []
    found: list[Any] = documents
    node: Any
    while parser.check_event():
        event: Any = parser.get_event()
        start, end = event.start_mark, event.end_mark
        if isinstance(event, events.ScalarEvent):
            tag = event.tag
            if tag is None or tag == "!":
                tag = parser.resolve(ScalarNode, event.value, event.implicit)
            node = ScalarNode(tag, event.value, start, end, style=event.style)
            found.append(node)
        elif isinstance(event, events.AliasEvent):
            if event.anchor not in anchors:
                return None
            found.append(anchors[event.anchor])
            continue
        elif isinstance(event, events.CollectionStartEvent):
            kind: Any = MappingNode if isinstance(event, events.MappingStartEvent) else SequenceNode
            tag = event.tag
            if tag is None or tag == "!":
                tag = parser.resolve(kind, None, event.implicit)
            node = kind(tag, [], start, None, flow_style=event.flow_style)
            found.append(node)
            parents.append((node, found))
            if len(parents) > MOST_LEVELS:
                return None
            found = []
        elif isinstance(event, events.CollectionEndEvent):
            node, outer = parents.pop()
            node.value = list(zip(found[::2], found[1::2], strict=True)) if node.id == "mapping" else found
            node.end_mark = end
            found = outer
            continue
        else:
            continue
        if event.anchor is not None:
            if event.anchor in anchors:
                return None
            anchors[event.anchor] = node
    return documents[0] if len(documents) == 1 else None
