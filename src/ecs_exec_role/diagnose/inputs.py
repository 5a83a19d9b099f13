"""Splits an input (tasks, services, events, jobs or plain text) into its reasons."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ecs_exec_role.diagnose.classify import Reading, classify, normalized
from ecs_exec_role.diagnose.reason import CODES
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.symbols import Json

_DEEPEST = 12


class UnreadableInput(ValueError):
    """The input contains no reason. `code` says what it is instead.

    Attributes:
        code: `empty`, `not-json`, `nothing-stopped` (an answer of AWS in which nothing failed) or `no-reason`.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class _Said(NamedTuple):
    """One text of the input, its place, and what else is known about it."""

    text: str
    origin: str
    known: Mapping[str, Any]


# A console, a log and `--output text` print several reasons in lines; a terminal breaks one reason into several lines.
_STARTS = re.compile(
    r"^\s*(?:\(service "
    r"|service (?!call\b)\S+ (?:was|is|failed|has)\b|Task stopped at|STOPPED\b|Stopped reason|Status reason"
    r"|\w+Error: |ECS was unable|\d{4}-\d\d-\d\dT)",
    re.MULTILINE,
)
_LABEL = re.compile(
    r"^(?:Task stopped at: \S+|(?:Stopped|Status) reason:?|STOPPED|\d{4}-\d\d-\d\dT\S+)\s*", re.IGNORECASE
)
_ANSWER = re.compile(
    r'"(?:[tT]asks|[sS]ervices|[fF]ailures|[jJ]obs|[eE]vents|[rR]ecords|detail|[lL]astStatus|[tT]askArn)"'
)
_NO_FAILURE = re.compile(
    r"has reached a steady state|has started \d+ tasks|has stopped \d+ running tasks|registered \d+ targets"
    r"|deployment completed|has begun draining|updated computedDesiredCount"
    r"|rolling back to deployment|^ECS deployment \S+ (?:in progress|completed)"
)
_DIFFERS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+|[0-9a-f]{32}|\d+(?:\.\d+){3}:\d+|ecs-svc/\d+|\brequest id\S*|RequestID: \S*"
)


def read(text: str) -> list[Reading]:
    """The reasons in a text, each once; those that explain most come first.

    Args:
        text: JSON of `describe-tasks`, `describe-services`, `run-task`, AWS Batch's `describe-jobs`, an event of
            EventBridge, records of CloudTrail, or the reason itself as text.

    Raises:
        Unreadable: it contains none.
    """
    stripped = text.strip()
    if not stripped:
        raise UnreadableInput("empty")
    value = _pasted(stripped)
    is_json = value is not None
    said = list(_of_json(value)) if is_json else list(_of_text(stripped))
    if not said:
        raise UnreadableInput("no-reason" if is_json and not _ANSWER.search(stripped) else "nothing-stopped")
    return _distinct(said)


def _pasted(text: str) -> Json:
    """The value of a text that is JSON, or lines from a JSON object such as `"reason": "…",`; None if it is neither.

    Raises:
        UnreadableInput: it begins like JSON and is not JSON.
    """
    if text[0] in "{[":
        return _parsed(text)
    if text[0] != '"':
        return None
    for whole in (text, f"{{{text.rstrip(' ,')}}}"):
        try:
            return _parsed(whole)
        except UnreadableInput:
            continue
    return None


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableInput("not-json") from None


# -- plain text -----------------------------------------------------------------------------------------------------


def _of_text(text: str) -> Iterator[_Said]:
    blocks = [block for block in re.split(r"\n\s*\n", text) if block.strip()]
    number = 0
    for block in blocks:
        starts = sorted({0, *(match.start() for match in _STARTS.finditer(block))})
        parts = [block[start:end] for start, end in zip(starts, [*starts[1:], len(block)], strict=True)]
        merged: list[str] = []
        for part in parts:
            # A console's label alone on its line belongs to the text after it.
            if merged and not _LABEL.sub("", normalized(merged[-1])):
                merged[-1] += part
            else:
                merged.append(part)
        for part in merged:
            words = _LABEL.sub("", normalized(part))
            if words and not _NO_FAILURE.search(words):
                yield _Said(words, f"text[{number}]", {})
                number += 1


# -- JSON -----------------------------------------------------------------------------------------------------------


_HOLDERS = (
    *("tasks", "services", "events", "failures", "jobs", "records", "detail", "deployments", "taskSets"),
    *("rolloutStateReason", "statusReason", "cause", "responseElements"),
)
"""The keys of reasons in the answers and events of AWS."""


def _of_json(node: Json, origin: str = "", depth: int = 0) -> Iterator[_Said]:
    if depth > _DEEPEST:
        return
    if isinstance(node, str):
        if node.strip() and not _NO_FAILURE.search(node):
            yield _Said(node, origin or "text", {})
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _of_json(item, f"{origin}[{index}]", depth + 1)
    elif isinstance(node, dict):
        # Step Functions and some SDKs write the same keys with capital letters.
        yield from _of_mapping({f"{key[:1].lower()}{key[1:]}": value for key, value in node.items()}, origin, depth)


def _of_mapping(fields: Mapping[str, Json], origin: str, depth: int) -> Iterator[_Said]:
    if "stoppedReason" in fields or "containers" in fields or "stopCode" in fields:
        yield from _of_task(fields, origin or "task")
    elif "statusReason" in fields and ("attempts" in fields or "jobId" in fields or "jobName" in fields):
        yield from _of_job(fields, origin or "job")
    elif isinstance(fields.get("cloudTrailEvent"), str):
        yield from _of_json(_parsed(fields["cloudTrailEvent"]), origin, depth + 1)
    elif "errorCode" in fields or "errorMessage" in fields:
        yield from _of_call(fields, origin or "record")
    elif fields.get("reason") == "MISSING":
        # An answer of AWS about something that it does not have.
        yield _Said("MISSING", f"{origin}.reason" if origin else "reason", {"task": str(fields.get("arn") or "")})
    elif text := next((key for key in ("message", "reason") if isinstance(fields.get(key), str)), ""):
        yield from _of_json(fields[text], f"{origin}.{text}" if origin else text, depth + 1)
    else:
        for key in _HOLDERS:
            value = fields.get(key)
            if key == "cause" and isinstance(value, str) and value.lstrip()[:1] == "{":
                value = _parsed(value)
            if value is not None:
                yield from _of_json(value, f"{origin}.{key}" if origin else key, depth + 1)


def _of_task(task: Mapping[str, Json], origin: str) -> Iterator[_Said]:
    known = _task_facts(task)
    exited: list[tuple[int, _Said]] = []
    specific = silent = False
    for container in _listed(task.get("containers")):
        fields = (
            {f"{key[:1].lower()}{key[1:]}": value for key, value in container.items()}
            if isinstance(container, dict)
            else {}
        )
        name, reason, code = fields.get("name") or "", fields.get("reason"), fields.get("exitCode")
        here = {**known, "container": str(name), "exit_code": code if isinstance(code, int) else -1}
        if isinstance(reason, str) and reason.strip():
            specific = True
            yield _Said(reason, f"{origin}.containers[{name}].reason", here)
        elif isinstance(code, int):
            text = f"Essential container in task exited (exit code: {code})"
            exited.append((code, _Said(text, f"{origin}.containers[{name}].exitCode", here)))
        else:
            silent = True
    generic = [said for code, said in exited if code != 0]
    reason = task.get("stoppedReason")
    if not generic and not silent and classify(str(reason or task.get("stopCode"))).code == "see-containers":
        # An essential container can also end without an error.
        generic = [said for _, said in exited]
    if task.get("stopCode") == "UserInitiated":
        yield _Said(f"UserInitiated: {reason or ''}", f"{origin}.stoppedReason", known)
        return
    if isinstance(reason, str) and reason.strip():
        # If there is a container's own reason or exit code, ECS's summary of the task adds nothing.
        summary = CODES[classify(reason).code] == "not-the-role" or classify(reason).code == "see-containers"
        if not (summary and (specific or generic) and not _names_a_container(reason)):
            yield _Said(reason, f"{origin}.stoppedReason", known)
    elif task.get("stopCode"):
        yield _Said(str(task["stopCode"]), f"{origin}.stopCode", known)
    if not specific:
        yield from generic


def _listed(node: Json) -> list[Json]:
    return node if isinstance(node, list) else []


def _names_a_container(reason: str) -> bool:
    return classify(reason).code not in ("container-exited", "see-containers")


def _task_facts(task: Mapping[str, Json]) -> dict[str, Any]:
    definition = str(task.get("taskDefinitionArn") or "").rpartition("/")[2]
    overrides = task.get("overrides") or {}
    subnets = [
        str(detail.get("value"))
        for attachment in _listed(task.get("attachments"))
        if isinstance(attachment, dict)
        for detail in _listed(attachment.get("details"))
        if isinstance(detail, dict) and detail.get("name") == "subnetId"
    ]
    arn = str(task.get("taskArn") or "")
    return {
        "task": arn,
        "definition": definition,
        "override": str(overrides.get("executionRoleArn") or "") if isinstance(overrides, dict) else "",
        "subnets": tuple(dict.fromkeys(subnets)),
        "region": arn.split(":")[3] if arn.count(":") > 4 else "",
        "account": arn.split(":")[4] if arn.count(":") > 4 else "",
    }


def _of_job(job: Mapping[str, Json], origin: str) -> Iterator[_Said]:
    """A job of AWS Batch: the reasons of its containers contain more than its own."""
    known = {"definition": str(job.get("jobDefinition") or "").rpartition("/")[2]}
    found: list[_Said] = []
    tried = [job, *(attempt for attempt in _listed(job.get("attempts")) if isinstance(attempt, dict))]
    for number, attempt in enumerate(tried):
        where = origin if number == 0 else f"{origin}.attempts[{number - 1}]"
        container = attempt.get("container")
        reason = container.get("reason") if isinstance(container, dict) else None
        if isinstance(reason, str) and reason.strip():
            found.append(_Said(reason, f"{where}.container.reason", known))
    reason = job.get("statusReason")
    if isinstance(reason, str) and reason.strip() and (not found or classify(reason).need):
        found.append(_Said(reason, f"{origin}.statusReason", known))
    yield from found


def _of_call(record: Mapping[str, Json], origin: str) -> Iterator[_Said]:
    """A call that CloudTrail recorded, with an error that is never cut."""
    said = ": ".join(str(record[key]) for key in ("errorCode", "errorMessage") if record.get(key))
    source = str(record.get("eventSource") or "").partition(".")[0]
    if said:
        known = {"region": str(record.get("awsRegion") or ""), "account": str(record.get("recipientAccountId") or "")}
        # The name of the service shows what was called if the message does not.
        called = f" (operation {source}:{record['eventName']})" if source and record.get("eventName") else ""
        yield _Said(f"{said}{called}", origin, known)
    if isinstance(record.get("responseElements"), dict):
        yield from _of_json(record["responseElements"], f"{origin}.responseElements", 1)


# -- each reason once -----------------------------------------------------------------------------------------------


def _distinct(said: list[_Said]) -> list[Reading]:
    """One reading for each text, without regard to IDs; those that explain most come first."""
    counted: dict[tuple[str, str], Reading] = {}
    for item in said:
        for part in re.split(r";(?=\s*(?:fetching secret data|unable to download))", item.text):
            reading = classify(part)
            known: dict[str, Any] = {
                name: normalized(value) if isinstance(value, str) else value
                for name, value in item.known.items()
                if value not in ("", (), None)
            }
            stated = {
                name: value
                for name, value in known.items()
                if not getattr(reading.evidence, name) or name == "exit_code"
            }
            evidence = replace(reading.evidence, origin=item.origin, **stated)
            key = (_DIFFERS.sub("", evidence.text), evidence.container)
            seen = counted.get(key)
            if seen is None:
                counted[key] = reading._replace(evidence=evidence)
            else:
                counted[key] = seen._replace(evidence=replace(seen.evidence, times=seen.evidence.times + 1))
    found = sorted(counted.values(), key=_rank)
    # A failed deployment is a consequence: if its cause is there, it adds nothing.
    causes = [reading for reading in found if reading.code not in _CONSEQUENCES]
    return causes or found


_CONSEQUENCES = ("deployment-failed", "see-containers", "missing")


def _rank(reading: Reading) -> tuple[int, int]:
    categories = ("permission", "absence", "network", "limit", "definition", "not-the-role", "unknown")
    certainties = ("certain", "likely", "unknown")
    return certainties.index(reading.certainty), categories.index(CODES[reading.code])
