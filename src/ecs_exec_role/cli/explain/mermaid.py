"""The explanation as a Mermaid graph: container → need → resource."""

from __future__ import annotations

import html

from ecs_exec_role.explain.report import Explanation


def write(report: Explanation) -> str:
    """The report as a Mermaid flowchart, which GitHub and many wikis draw."""
    lines = ["flowchart LR"]
    names: dict[tuple[str, ...], str] = {}

    def node(kind: str, *key: str, label: str, shape: tuple[str, str]) -> str:
        identity = (kind, *key)
        if identity not in names:
            names[identity] = f"{kind}{len(names)}"
            lines.append(f'    {names[identity]}{shape[0]}"{_label(label)}"{shape[1]}')
        return names[identity]

    edges: dict[str, None] = {}
    for role in report.roles:
        lines.append(f'    subgraph {_identifier(role.role)}["{_label(role.role)}"]')
        for statement in role.statements:
            label = "\n".join([statement.sid or "(no Sid)", *statement.actions])
            node("need", role.role, statement.sid, *statement.actions, label=label, shape=("[", "]"))
        lines.append("    end")
        for statement in role.statements:
            need = names["need", role.role, statement.sid, *statement.actions]
            for resource in statement.resources:
                target = node("resource", resource.arn, label=resource.arn, shape=("([", "])"))
                for reason in resource.reasons:
                    owner = reason.path.split("/")[1] if "/" in reason.path else ""
                    who = node("who", owner, reason.who, label=reason.who, shape=("(", ")"))
                    edges[f"    {who} --> {need}"] = None
                edges[f"    {need} --> {target}"] = None
    return "\n".join([*lines, *edges, ""])


def _label(text: str) -> str:
    """Text in a label: Mermaid reads HTML's entities, and `<br>` as a line's end."""
    return "<br>".join(html.escape(line).replace("#", "#35;").replace("`", "'") for line in text.split("\n"))


def _identifier(text: str) -> str:
    """Mermaid's name of a subgraph."""
    return f"role_{''.join(character if character.isalnum() else '_' for character in text)}"
