"""docs/operations.md is right about metrics, alarms and logs of the functions and of template.yaml."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.cloudformation import load
from tests.support.command_line import Run

from ecs_exec_role import macro
from ecs_exec_role.preflight import handler as preflight_handler

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TEMPLATE = load(ROOT / "template.yaml")
CONTEXT: Any = SimpleNamespace(aws_request_id="4f0c3a52-lambda", function_name="macro")
EVENT = json.loads((ROOT / "events" / "macro-task-definition.json").read_text(encoding="utf-8"))
MISTAKES = json.loads((ROOT / "events" / "macro-mistakes.json").read_text(encoding="utf-8"))


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its heading row."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


class Call:
    """Calls the function and reads what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], log: io.StringIO) -> None:
        self._capsys = capsys
        self._log = log

    def __call__(self, event: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The log records of one call, and its metrics in CloudWatch's embedded format."""
        self._capsys.readouterr()
        self._log.seek(0)
        self._log.truncate()
        macro.handler(event, CONTEXT)
        [metrics] = [json.loads(line) for line in self._capsys.readouterr().out.splitlines() if '"_aws"' in line]
        return [json.loads(line) for line in self._log.getvalue().splitlines()], metrics


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Powertools' handler keeps the standard output that it was created with, which pytest does not read."""
    handler = macro.logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    log = io.StringIO()
    before = handler.setStream(log)
    yield Call(capsys, log)
    handler.setStream(before or sys.stdout)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(macro, "expand", explode)


def test_expanded_template_counts_roles_and_statements(call: Call) -> None:
    [record], metrics = call(EVENT)
    assert names(metrics) == {"Roles", "Statements"}
    assert metrics["Roles"] == [1.0]
    assert record["message"] == "Expanded the template"


def test_refused_template_counts_as_a_failure(call: Call) -> None:
    [record], metrics = call(MISTAKES)
    assert names(metrics) == {"Failures"}
    assert record["message"] == "Refused the template"
    assert record["problems"] == len(record["paths"])


@pytest.mark.usefixtures("broken")
def test_fault_counts_as_an_error(call: Call) -> None:
    [record], metrics = call(EVENT)
    assert names(metrics) == {"Errors"}
    assert record["message"] == "Could not expand the template"
    assert record["exception_name"] == "ZeroDivisionError"


def names(metrics: dict[str, Any]) -> set[str]:
    """The metrics of one record, all of which must be in the documented namespace, under the documented dimension."""
    [directive] = metrics["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "EcsExecRole"
    assert directive["Dimensions"] == [["service"]]
    assert metrics["service"] == "ecs-exec-role-macro"
    assert {metric["Unit"] for metric in directive["Metrics"]} == {"Count"}
    return {metric["Name"] for metric in directive["Metrics"]}


def test_every_metric_is_documented() -> None:
    documented = {(row[0].strip("`"), row[1]) for row in rows("Metrics")}
    for part, module in (("macro", macro), ("preflight", preflight_handler)):
        written = set(re.findall(r'add_metric\(\s*"(\w+)"', Path(str(module.__file__)).read_text(encoding="utf-8")))
        assert {name for name, of in documented if of == part} == written
        assert f"`ecs-exec-role-{part}`" in section("Metrics")
    assert "`EcsExecRole`" in section("Metrics")


def test_every_alarm_is_documented_with_its_metric() -> None:
    alarms = {name: one["Properties"] for name, one in TEMPLATE["Resources"].items() if name.endswith("Alarm")}
    documented = {row[0].strip("`"): row[1] for row in rows("Alarms")}
    assert set(documented) == set(alarms)
    for name, properties in alarms.items():
        assert f"`{properties['MetricName']}`" in documented[name]
        assert properties["Period"] == 300
        threshold = properties["Threshold"]
        assert documented[name].endswith("≥ 1" if threshold == 1 else f"≥ {threshold // 1000} s")


def test_every_field_of_the_log_is_documented(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    found: set[str] = set()
    for event in (EVENT, MISTAKES):
        found |= {key for record in call(event)[0] for key in record}
    monkeypatch.setattr(macro, "expand", lambda *_: 1 / 0)
    found |= {key for record in call(EVENT)[0] for key in record}
    documented = {word for row in rows("Logs") for word in re.findall(r"`(\w+)`", row[0])}
    assert found <= documented
    assert {"stack_id", "logical_id", "report", "mode", "status"} <= documented


def test_record_can_be_found_by_cloudformations_request(call: Call) -> None:
    [record], _ = call(EVENT)
    assert record["correlation_id"] == EVENT["requestId"]
    assert record["transform_id"] == EVENT["transformId"]
    assert record["function_request_id"] == CONTEXT.aws_request_id


def test_one_request_leaves_nothing_in_the_next_ones_records(call: Call) -> None:
    call(EVENT)
    [record], _ = call({})
    assert EVENT["requestId"] not in json.dumps(record)
    assert EVENT["transformId"] not in json.dumps(record)


def test_log_holds_neither_the_template_nor_a_parameters_value(call: Call) -> None:
    event = json.loads(json.dumps(EVENT))
    event["templateParameterValues"] = {"Anything": "a-parameters-value"}
    event["fragment"]["Description"] = "a-part-of-the-template"
    event["fragment"]["Resources"]["Wrong"] = {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {"ExecutionRoleSpec": {"Images": ["a-part-of-the-template*"]}},
    }
    told = json.dumps(call(event))
    assert "Refused the template" in told
    assert "a-part-of-the-template" not in told
    assert "a-parameters-value" not in told


def test_every_parameter_that_the_guide_names_is_there() -> None:
    guides = GUIDE + (ROOT / "docs" / "organization.md").read_text(encoding="utf-8")
    parameters = set(TEMPLATE["Parameters"]) | set(load(ROOT / "install" / "organization.yaml")["Parameters"])
    parameters |= (
        set(load(ROOT / "install" / "packages.yaml")["Parameters"])
        | {"CodeBucketPerRegion"}
        | set(TEMPLATE["Resources"])
    )
    named = set(re.findall(r"(?<![\w?'`=])([A-Z][A-Za-z]+)=(?!=)", guides)) - {"OLD", "NEW", "ParameterKey"}
    named -= {"Enabled", "ParameterValue", "RetainStacksOnAccountRemoval"}
    assert named - parameters == set()
    assert named


STAGED = """\
Transform: EcsExecRole
Parameters: {Stage: {Type: String, Default: dev}}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: {KmsKeys: None}
      ContainerDefinitions: [{Name: a, Image: nginx, Secrets: [{Name: A, ValueFrom: !Sub "/app/${Stage}/key"}]}]
"""


def test_the_command_that_writes_a_template_without_the_macro(run: Run) -> None:
    """The result has no macro in it, and is valid for each value of the parameters."""
    [line] = [line for line in section("Roll back").splitlines() if line.startswith("ecs-exec-role expand ")]
    words = line.partition(" > ")[0].split()[1:]
    result = run(*(word.replace("template.yaml", "t.yaml") for word in words), template=STAGED)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "EcsExecRole\n" not in result.stdout.partition("Resources:")[0]
    assert "parameter/app/${Stage}/key" in result.stdout
    assert "parameter/app/${Stage}/key" in section("Roll back")
