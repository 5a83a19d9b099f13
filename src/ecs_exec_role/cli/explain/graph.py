"""The graph container → need → resource of one role, drawn as SVG that needs no script and no font of its own."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import NamedTuple

from ecs_exec_role.explain.report import RoleReport

_CHARACTER = 7.25
"""How wide a character of a 12-pixel typewriter font is at most; what is drawn is wrapped by it."""
_LINE = 17
_PADDING = 10
_GAP = 14
_HEAD = 30
_COLUMNS = (("Asks", 0, 250), ("Needs", 330, 270), ("On", 680, 420))
_WIDTH = 1100


class _Node(NamedTuple):
    """One box: its column, its lines (the first is the title), and the features on whose account it is there."""

    column: int
    lines: tuple[str, ...]
    features: dict[str, None]


def draw(role: RoleReport, prefix: str) -> str:
    """The SVG of one role; `prefix` makes its nodes' names the page's only ones."""
    nodes: dict[tuple[int, str], _Node] = {}
    edges: dict[tuple[tuple[int, str], tuple[int, str]], None] = {}

    def node(column: int, key: str, title: str, more: Iterable[str], feature: str) -> tuple[int, str]:
        if (column, key) not in nodes:
            width = int((_COLUMNS[column][2] - 2 * _PADDING) / _CHARACTER)
            lines = (*_wrapped(title, width), "\0", *(line for text in more for line in _wrapped(text, width)))
            nodes[column, key] = _Node(column, lines, {})
        nodes[column, key].features[feature] = None
        return column, key

    for statement in role.statements:
        name = statement.sid or "(no Sid)"
        need = node(1, f"{name}\0{statement.actions}", name, statement.actions, statement.feature)
        for resource in statement.resources:
            shown = f"{resource.arn} for {resource.context}" if resource.context else resource.arn
            target = node(2, shown, shown, (), statement.feature)
            edges[need, target] = None
            for reason in resource.reasons:
                owner = reason.path.split("/")[1] if "/" in reason.path else ""
                more = [owner] if owner and owner not in reason.who else []
                who = node(0, f"{owner}\0{reason.who}", reason.who, more, statement.feature)
                edges[who, need] = None
    return _svg(nodes, list(edges), prefix, role.role)


def _wrapped(text: str, width: int) -> list[str]:
    """Text in lines of at most `width` characters, cut behind a mark where there is one outside of `${…}`."""
    lines = []
    while len(text) > width:
        marks = [
            place + 1
            for place in range(width // 2, width)
            if text[place] in ":/-.}, " and text.count("${", 0, place + 1) == text.count("}", 0, place + 1)
        ]
        cut = marks[-1] if marks else width
        lines.append(text[:cut])
        text = text[cut:]
    return [*lines, text]


def _height(node: _Node) -> int:
    return 2 * _PADDING + _LINE * (len(node.lines) - 1)


def _svg(
    nodes: dict[tuple[int, str], _Node],
    edges: list[tuple[tuple[int, str], tuple[int, str]]],
    prefix: str,
    title: str,
) -> str:
    heights = [0, 0, 0]
    for node in nodes.values():
        heights[node.column] += _height(node) + _GAP
    tallest = max(heights)
    tops = [_HEAD + (tallest - height) // 2 for height in heights]
    names: dict[tuple[int, str], str] = {}
    places: dict[tuple[int, str], tuple[int, int, int, int]] = {}
    drawn = []
    for number, (key, node) in enumerate(nodes.items()):
        _, left, width = _COLUMNS[node.column]
        height = _height(node)
        names[key] = f"{prefix}-{number}"
        places[key] = (left, tops[node.column], width, height)
        drawn.append(_box(names[key], node, places[key]))
        tops[node.column] += height + _GAP
    lines = []
    for start, end in edges:
        x1, y1 = places[start][0] + places[start][2], places[start][1] + places[start][3] // 2
        x2, y2 = places[end][0], places[end][1] + places[end][3] // 2
        bend = (x2 - x1) // 2
        curve = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
        lines.append(f'<path class="edge" data-from="{names[start]}" data-to="{names[end]}" d="{curve}"/>')
    heads = [
        f'<text class="head" x="{left + _PADDING}" y="18">{html.escape(name)}</text>' for name, left, _ in _COLUMNS
    ]
    label = f"{html.escape(title)}: who asks for what, on which resource; the list below says the same"
    return "\n".join(
        [
            f'<svg class="graph" viewBox="-1 0 {_WIDTH + 2} {_HEAD + tallest}" role="img" aria-label="{label}">',
            *heads,
            *lines,
            *drawn,
            "</svg>",
        ]
    )


def _box(name: str, node: _Node, place: tuple[int, int, int, int]) -> str:
    left, top, width, height = place
    kind = ("who", "need", "resource")[node.column]
    rows = []
    css = "title"
    y = top + _PADDING + 12
    for line in node.lines:
        if line == "\0":
            css = "more"
            continue
        rows.append(f'<text class="{css}" x="{left + _PADDING}" y="{y}">{html.escape(line)}</text>')
        y += _LINE
    features = html.escape(" ".join(node.features))
    said = html.escape(" ".join(line for line in node.lines if line != "\0").lower())
    return (
        f'<g class="node {kind}" id="{name}" tabindex="0" data-features="{features}" data-said="{said}">'
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>{"".join(rows)}</g>'
    )
