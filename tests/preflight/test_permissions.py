"""What the function may do: all calls of the check, and nothing that reads data, writes or decrypts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

ROOT = Path(__file__).parents[2]
# Every operation that the check calls, as it is called in a policy; a test below compares it with the code.
NEEDED = {
    "cloudformation:DescribeStackResource",
    "cloudformation:DescribeStacks",
    "ecr:DescribeImages",
    "ecr:DescribePullThroughCacheRules",
    "ecr:DescribeRepositories",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
    "kms:DescribeKey",
    "logs:DescribeLogGroups",
    "s3:ListBucket",
    "secretsmanager:DescribeSecret",
    "ssm:DescribeParameters",
}
# For the function's own log and its traces.
OWN = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def _actions() -> set[str]:
    template = cfn_yaml.load(str(ROOT / "template.yaml"))
    role = template["Resources"]["PreflightRole"]["Properties"]
    assert not role.get("ManagedPolicyArns")
    found: set[str] = set()

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("Effect") == "Allow" and "Action" in node and "Principal" not in node:
                actions = node["Action"]
                found.update(map(str, actions if isinstance(actions, list) else [actions]))
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(role["Policies"])
    return found


def test_the_function_may_do_what_it_needs_and_no_more() -> None:
    assert _actions() == NEEDED | OWN


def test_no_action_reads_data_decrypts_or_has_a_wildcard() -> None:
    reading = re.compile(
        r".*[*?].*|secretsmanager:(Get|BatchGet|Put|List).*|ssm:Get.*|kms:(?!DescribeKey$).*|s3:Get.*|ecr:(Get|Batch).*"
        r"|logs:(Get|Filter|Start).*|iam:(?!Get|Simulate).*|sts:.*",
        re.IGNORECASE,
    )

    assert not [action for action in _actions() if reading.fullmatch(action)]


def test_the_list_is_that_of_the_code() -> None:
    code = "".join(path.read_text() for path in (ROOT / "src/ecs_exec_role/preflight").rglob("*.py"))
    calls = set(re.findall(r'\.(?:call|pages)\(\s*"(\w+)",[^,]+?,\s*"(\w+)"', code))
    renamed = {"s3:ListObjectsV2": "s3:ListBucket", "s3:HeadBucket": "s3:ListBucket"}

    assert {renamed.get(f"{s}:{o}", f"{s}:{o}") for s, o in calls} == NEEDED


def test_the_documentation_lists_the_same() -> None:
    text = (ROOT / "docs/preflight.md").read_text()
    table = text.partition("## Permissions")[2].partition("\n## ")[0]

    assert set(re.findall(r"`([a-z0-9]+:[A-Za-z]+)`", table)) == NEEDED
