"""Templates in the form that Copilot and AWS CDK generate: migrated, and proved."""

from __future__ import annotations

import copy
import difflib
import json
import re
from pathlib import Path
from typing import Any

from tests.support.command_line import Run
from tests.support.prove import prove_template

from ecs_exec_role.offline import template_file, yaml_reader
from ecs_exec_role.protocol import respond

HERE = Path(__file__).parent / "synthesized"
PAGE = (Path(__file__).parents[2] / "docs" / "copilot.md").read_text(encoding="utf-8")
COPILOT = (HERE / "copilot.yml").read_text(encoding="utf-8")
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/frontend:1"
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
FILE = "arn:aws:s3:::artifacts/manual/web.env"


def copilot_stacks() -> list[dict[str, str]]:
    """The parameters of a service without and with an environment file."""
    plain = {"ContainerImage": IMAGE, "ArtifactKeyARN": KEY, "LogRetention": "30", "AddonsTemplateURL": ""}
    return [{**plain, "EnvFileARN": ""}, {**plain, "EnvFileARN": FILE}]


def proved(data: dict[str, Any], given: dict[str, str]) -> None:
    fragment = {key: node for key, node in data.items() if key != "Transform"}
    proof = prove_template(fragment, respond, given, imports={"shop-test-ClusterId": "shop"})
    assert (proof.findings, proof.refused, proof.impossible) == ({}, {}, [])
    assert proof.roles


def test_a_service_of_copilot_is_migrated(run: Run) -> None:
    result = run("migrate", "t.yaml", template=COPILOT)
    assert result.exit_code == 0, result.output
    new = [line for line in result.stdout.splitlines() if line not in COPILOT.splitlines()]
    assert new == [
        "Transform: EcsExecRole",
        "      ExecutionRoleSpec:",
        "        TaskDefinitions:",
        "          - TaskDefinition",
        "        Statements:",
        "            Action: kms:Decrypt",
        "            Resource: !Ref ArtifactKeyARN",
    ]
    data = template_file.parse("t.yaml", result.stdout).data
    for given in copilot_stacks():
        proved(data, given)


def test_the_diff_of_the_page_is_that_of_a_service(run: Run) -> None:
    [shown] = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
    made = run("migrate", "t.yaml", "--diff", template=COPILOT).stdout.splitlines()
    changed = [line for line in shown.splitlines() if line[:1] in ("+", "-")]
    assert all(line in made for line in changed)


def test_the_patches_of_the_page_are_followed() -> None:
    [patches] = re.findall(r"```yaml\n(- op.*?)```", PAGE, re.DOTALL)
    data = copy.deepcopy(template_file.parse("t.yaml", COPILOT).data)
    for patch in yaml_reader.read(patches)[0]:
        *path, key = patch["path"].split("/")[1:]
        node: Any = data
        for step in path:
            node = node[step]
        assert (key in node) == (patch["op"] != "add")
        if patch["op"] == "remove":
            del node[key]
        else:
            node[key] = patch["value"]
    assert data["Transform"] == "EcsExecRole"
    for given in copilot_stacks():
        proved(data, given)


def test_a_secret_of_an_addon_keeps_the_grant_by_tags(run: Run) -> None:
    secret = "            - Name: DB\n              ValueFrom: !GetAtt AddonsStack.Outputs.DatabaseSecret\n"
    text = COPILOT.replace("          Secrets:\n", f"          Secrets:\n{secret}")
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.output
    data = template_file.parse("t.yaml", result.stdout).data
    spec = data["Resources"]["ExecutionRole"]["Properties"]["ExecutionRoleSpec"]
    assert spec["Unresolved"] == "Ignore"
    assert [statement["Action"] for statement in spec["Statements"]] == ["ssm:GetParameters", "kms:Decrypt"]
    assert "ssm:ResourceTag/copilot-application" in spec["Statements"][0]["Condition"]["StringEquals"]


def test_a_service_of_cdk_is_migrated(run: Run) -> None:
    text = (HERE / "cdk.json").read_text(encoding="utf-8")
    result = run("migrate", str(HERE / "cdk.json"))
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    before = json.loads(text)["Resources"]
    assert set(before) - set(data["Resources"]) == {
        "ServiceTaskDefExecutionRole9194820E",
        "ServiceTaskDefExecutionRoleDefaultPolicyABC12345",
    }
    assert data["Resources"]["ServiceTaskDef940E3A80"]["Properties"]["ExecutionRoleSpec"] == "Auto"
    added = [line[2:] for line in difflib.ndiff(text.splitlines(), result.stdout.splitlines()) if line[0] == "+"]
    assert len(added) <= 3
    proved(data, {})
