"""More attacks that must fail, with replies of AWS that the test writes; test_attacks.py has the others."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.preflight.conftest import Endpoint
from tests.preflight.fake_aws import KEY, SOUND, FakeAws, code
from tests.preflight.test_handler import Context, log
from tests.preflight.world import arn

from ecs_exec_role.preflight import custom_resource as resource_module
from ecs_exec_role.preflight import handler as module
from ecs_exec_role.preflight.aws import MAX_CALLS
from ecs_exec_role.preflight.needs import MAX_NEEDS
from ecs_exec_role.preflight.response import body

__all__ = ["log"]

EVENTS = Path(__file__).parents[2] / "events"
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def call(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls the function as an author would, and returns what CloudFormation got."""

    def make(aws: FakeAws, *, seconds: float = 30.0, properties: dict[str, Any], **fields: Any) -> dict[str, Any]:
        monkeypatch.setattr(module, "_session", lambda: aws)
        event = json.loads((EVENTS / "preflight-create.json").read_text()) | {"ResponseURL": endpoint.url} | fields
        event["ResourceProperties"] |= properties
        module.handler(event, Context(seconds))
        return endpoint.answer

    return make


def need(**fields: Any) -> dict[str, Any]:
    return {"Path": "P", "Actions": ["s3:GetObject"], "Resources": ["arn:aws:s3:::settings/web.env"]} | fields


def test_as_many_needs_as_a_role_holds_are_checked(call: Call, log: io.StringIO) -> None:
    needs = [need(Path=f"P{i}", Resources=[f"arn:aws:s3:::settings/{i}.env"]) for i in range(MAX_NEEDS)]
    aws = FakeAws(list_objects_v2=lambda request: {"Contents": [{"Key": request["Prefix"]}]})
    began = time.monotonic()

    answer = call(aws, seconds=180.0, properties={"Needs": needs})

    assert time.monotonic() - began < 30
    assert answer["Status"] == "SUCCESS"
    assert aws.calls.total() <= MAX_CALLS + 1
    assert f"the check ends at {MAX_CALLS} calls" in answer["Data"]["Warnings"]
    (record,) = [line for line in log.getvalue().splitlines() if '"message":"preflight"' in line]
    assert len(record) < 256_000
    assert json.loads(record)["report"]["needs_not_listed"] > 1000


def test_patterns_do_not_hold_the_check_up(call: Call) -> None:
    """Neither in a need's context, which is compared with what was found, nor in the author's own boundary."""
    evil = "*a" * 100 + "*b*"
    names = [arn("secretsmanager", f"secret:{'a' * 400}{i}") for i in range(60)]
    needs = [need(Path=f"S{i}", Kind="Secret", Target=name, Resources=[name]) for i, name in enumerate(names)]
    needs += [
        need(
            Path=f"K{i}",
            Kind="Key",
            Target=KEY,
            Actions=["kms:Decrypt"],
            Resources=[KEY],
            Context={"kms:EncryptionContext:SecretARN": [f"*a{evil}{j}" for j in range(90)]},
        )
        for i in range(40)
    ]
    statements = [{"Effect": "Allow", "Action": [f"*{evil}"] * 20, "Resource": [f"arn:*{evil}{i}"]} for i in range(20)]
    aws = FakeAws(
        describe_secret=lambda request: {"ARN": request["SecretId"], "VersionIdsToStages": {"v": ["AWSCURRENT"]}},
        get_policy_version={"PolicyVersion": {"Document": {"Statement": statements}}},
    )
    began = time.monotonic()

    assert call(aws, properties={"Needs": needs})["Status"] == "FAILED"
    assert time.monotonic() - began < 15


def test_the_timer_answers_where_making_the_answer_takes_too_long(
    call: Call, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = body

    def slow(envelope: Any, said: Any, **more: Any) -> bytes:
        if not said.summary.startswith("The preflight ran into"):
            time.sleep(1.5)
        return made(envelope, said, **more)

    monkeypatch.setattr(resource_module, "body", slow)

    answer = call(FakeAws(), seconds=1.6, properties={})

    assert answer["Reason"].startswith("The preflight ran into its function's timeout")
    assert len(endpoint.taken) == 1


def test_a_redirect_is_not_followed(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_session", FakeAws)
    monkeypatch.setattr("ecs_exec_role.preflight.custom_resource._LONGEST_PAUSE", 0.1)
    endpoint.statuses = [307, 301, 302]
    event = json.loads((EVENTS / "preflight-delete.json").read_text()) | {"ResponseURL": endpoint.url}

    module.handler(event, Context(10.0))

    assert endpoint.answer["Status"] == "SUCCESS"


@pytest.mark.parametrize("value", ["\ud800" * 100, 7, None, ["x"], {"x": "y"}], ids=range(5))
@pytest.mark.parametrize("kind", ["Create", "Update", "Delete", "Rename", 7, None])
def test_an_event_full_of_nonsense_is_still_answered(call: Call, kind: Any, value: Any) -> None:
    properties = {"Mode": value, "RoleArn": value, "Needs": value}

    answer = call(FakeAws(), properties=properties, LogicalResourceId=value, StackId=value, RequestType=kind)

    assert answer["Status"] in ("SUCCESS", "FAILED")
    assert answer["PhysicalResourceId"]


def test_aws_own_text_is_for_the_log(call: Call, log: io.StringIO) -> None:
    answer = call(FakeAws(**dict.fromkeys(SOUND, code("TeapotException"))), properties={})

    assert "a secret text of AWS" not in json.dumps(answer)
    assert "a secret text of AWS" in log.getvalue()


def test_the_log_has_no_second_line_of_an_authors(call: Call, log: io.StringIO) -> None:
    call(FakeAws(), properties={"Needs": [need(Path='x\n{"level":"INFO","message":"forged"}')]})

    assert "forged" not in [json.loads(line)["message"] for line in log.getvalue().splitlines()]
