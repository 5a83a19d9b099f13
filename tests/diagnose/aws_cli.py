"""Runs a command line of AWS CLI with boto3, so that printed commands can be followed."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore import xform_name
from botocore.model import ListShape, OperationModel, Shape

_SERVICES = {"s3api": "s3"}


def run(command: str, *, region: str = "eu-central-1", folder: Path | None = None, answer: Any = None) -> Any:
    """What AWS answers.

    Args:
        command: the command line.
        region: used if the command names none.
        folder: where the files are that it names.
        answer: used instead of AWS's answer after the parameters were validated; nothing is sent then.
    """
    program, service, operation, *words = shlex.split(command)
    assert program == "aws"
    options = dict(zip(words[::2], words[1::2], strict=True))
    # The CLI itself evaluates this option.
    options.pop("--query", "")
    client = _client(_SERVICES.get(service, service), options.pop("--region", region))
    names = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    model = client.meta.service_model.operation_model(names[operation])
    parameters = {}
    for option, text in options.items():
        name, shape = _member(model, option.removeprefix("--"))
        parameters[name] = _value(shape, text, folder)
    if answer is not None:
        client.meta.events.register("before-call", lambda **_: (_Reply(), answer), unique_id="answer")
    try:
        return getattr(client, xform_name(names[operation]))(**parameters)
    finally:
        client.meta.events.unregister("before-call", unique_id="answer")


@cache
def _client(service: str, region: str) -> Any:
    """A client of moto, kept for all tests: making one takes longer than using it."""
    # The stubs of boto3 require the service's name as a literal.
    make: Any = boto3.client
    return make(service, region_name=region)


class _Reply:
    status_code = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - as botocore has it


def _member(model: OperationModel, option: str) -> tuple[str, Shape]:
    shape: Any = model.input_shape
    found: dict[str, tuple[str, Shape]] = {xform_name(name, "-"): (name, each) for name, each in shape.members.items()}
    return found[option]


def _value(shape: Shape, text: str, folder: Path | None) -> Any:
    if text.startswith("file://"):
        assert folder is not None
        text = (folder / text.removeprefix("file://")).read_text(encoding="utf-8")
    if isinstance(shape, ListShape):
        if shape.member.type_name != "structure":
            return [text]
        return [_shorthand(shape.member, text)]
    if shape.type_name == "blob":
        assert folder is not None
        return (folder / text).read_bytes()
    assert shape.type_name == "string", shape
    return text


def _shorthand(shape: Any, text: str) -> dict[str, Any]:
    """`Name=a,Values=b,c`: what has no equals sign belongs to the list before it."""
    found: dict[str, Any] = {}
    last = ""
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals and key in shape.members:
            last = key
            found[key] = [value] if shape.members[key].type_name == "list" else value
        else:
            found[last].append(part)
    return found
