"""The role's own properties: boundary, path, name and tags, as the guardrails require them.

The macro writes what it checked: a property under a guardrail is written with its parameters filled in.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_exec_role.guardrails.subject import Subject
from ecs_exec_role.template.conditions import diagram, difference, when
from ecs_exec_role.template.reader import Alternative, is_intrinsic
from ecs_exec_role.template.symbols import NO_VALUE, Json


def forced(subject: Subject) -> dict[str, Json]:
    """The properties that the guardrails set, as they are written in the role."""
    rails = subject.guardrails
    properties: dict[str, Json] = {}
    if rails.permissions_boundary:
        properties["PermissionsBoundary"] = _boundary(subject)
    if rails.path:
        properties["Path"] = _beginning(subject, "Path", rails.path, rails.path)
    if rails.name_prefix:
        properties["RoleName"] = _beginning(subject, "RoleName", rails.name_prefix, subject.made_up_name())
    if rails.tags:
        added = list(_missing_tags(subject))
        if added:
            properties["Tags"] = _with_tags(subject, added)
    return properties


def _boundary(subject: Subject) -> Json:
    reader = subject.reader
    [required] = reader.text({"Fn::Sub": subject.guardrails.permissions_boundary})
    for text in subject.texts("PermissionsBoundary"):
        if reader.known(text.text) != reader.known(required.text):
            subject.refuse(
                text.path,
                f"`{subject.spelt(text.text)}` is not the permissions boundary that every role must have",
                f"remove it, or write {subject.symbols.show(required.text)}",
                "guardrail-boundary",
            )
    return subject.symbols.render(required.text)


def _beginning(subject: Subject, name: str, beginning: str, default: str | None) -> Json:
    """A property whose every value must have this beginning; `default` where it has no value."""
    texts = subject.texts(name)
    code = f"guardrail-{name.lower()}"
    for text in texts:
        if not text.text.startswith(beginning):
            fix = f"write one that begins with {beginning}"
            if default is not None:
                fix += ", or remove it"
            subject.refuse(text.path, f"`{subject.spelt(text.text)}` does not begin with {beginning}", fix, code)
    unset = difference(subject.given, [text.path_condition for text in texts])
    if default is None and unset:
        what = f"is missing, and every role's must begin with {beginning}"
        subject.refuse(subject.written.get(name).path, what, f"write {name}: {beginning}…", code)
    if texts and not unset:
        default = texts.pop().text
    node = subject.symbols.render(default or "")
    for text in reversed(texts):
        node = when(diagram([text.path_condition], subject.given), subject.symbols.render(text.text), node)
    return node


def _missing_tags(subject: Subject) -> Iterator[dict[str, str]]:
    """The required tags that are missing and can be added; reports what is wrong with those that exist."""
    tags = list(_tags(subject))
    for key, value in subject.guardrails.tags:
        found = [(name, content) for name, content in tags if name.text.lower() == key.lower()]
        for name, content in found:
            _check_tag(subject, key, value, name, content)
        if not found and value is not None:
            yield {"Key": key, "Value": value}
        elif difference(subject.given, [content.path_condition for _, content in found]):
            under = " under every condition" if found else ""
            fix = f"add {{Key: {key}, Value: {value or '…'}}}"
            subject.refuse(
                subject.written.get("Tags").path, f"lacks the required tag `{key}`{under}", fix, "guardrail-tag"
            )


def _check_tag(subject: Subject, key: str, value: str | None, name: Alternative, content: Alternative) -> None:
    if name.text != key:
        what = f"`{subject.spelt(name.text)}` is the required tag `{key}` with different upper and lower case"
        subject.refuse(name.path, what, f"write {key}", "guardrail-tag")
    elif value is not None and subject.reader.known(content.text) != value:
        what = f"`{subject.spelt(content.text)}` is not the required value of the tag `{key}`"
        subject.refuse(content.path, what, f"remove the tag, or write {value}", "guardrail-tag")
    elif not content.text:
        subject.refuse(content.path, f"leaves the required tag `{key}` empty", "write its value", "guardrail-tag")


def _tags(subject: Subject) -> Iterator[tuple[Alternative, Alternative]]:
    """The role's tags: each key with each of its values."""
    for case in subject.written.get("Tags").items():
        if not isinstance(case.node, dict) or is_intrinsic(case.node):
            what = "is not a tag that can be read here"
            subject.refuse(case.path, what, "write {Key: …, Value: …}", "guardrail-tag")
            continue
        for name in case.get("Key").texts():
            for content in case._replace(path_condition=name.path_condition).get("Value").texts():
                yield name, content


def _with_tags(subject: Subject, added: list[dict[str, str]]) -> Json:
    tags = subject.written.get("Tags")
    if tags.node is None or tags.node == NO_VALUE:
        return added
    if not isinstance(tags.node, list):
        keys = ", ".join(tag["Key"] for tag in added)
        what = f"is not a list, so {keys} cannot be added to it"
        subject.refuse(tags.path, what, "write a list", "guardrail-tag")
        return tags.node
    return [*tags.node, *added]
