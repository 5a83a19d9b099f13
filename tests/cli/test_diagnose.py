from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tests.preflight.simulator import Simulator, error, hook, reply
from tests.support.command_line import Run

from ecs_exec_role.cli import credentials
from ecs_exec_role.cli.diagnose import sentences
from ecs_exec_role.diagnose.reason import CODES, NEEDS, REMEDIES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "diagnose.md").read_text(encoding="utf-8")
TEMPLATE = """\
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      ExecutionRoleArn: !GetAtt WebRole.Arn
      ContainerDefinitions:
        - Name: web
          Image: nginx
          Secrets:
            - {Name: A, ValueFrom: /shop/greeting}
            - {Name: B, ValueFrom: /shop/other}
  WebRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}]
"""
DENIED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable"
    " to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User:"
    " arn:aws:sts::123456789012:assumed-role/shop-WebRole-1A2B/0f1e is not authorized to perform: ssm:GetParameters on"
    " resource: arn:aws:ssm:us-east-1:123456789012:parameter/shop/greeting because no identity-based policy allows the"
    " ssm:GetParameters action"
)


def test_a_reason_in_text(run: Run) -> None:
    result = run("diagnose", "-", "--template", "t.yaml", template=TEMPLATE, stdin=DENIED)
    assert result.exit_code == 0, result.output
    assert not result.stderr
    first, *lines = result.stdout.splitlines()
    assert first == "certain: permission: reading a parameter  [not-allowed]"
    assert "  needed by:       t.yaml:11: container web: Secrets[0] A" in lines
    assert "  Add this statement to WebRole  (t.yaml:15: Resources/WebRole/Properties/Policies):" in lines
    assert "        Action: ssm:GetParameters" in lines
    assert any(line.startswith("  Run: aws iam put-role-policy --role-name shop-WebRole-1A2B ") for line in lines)
    assert lines[-1] == "      ExecutionRoleSpec: Auto"


def test_a_reason_in_json(run: Run) -> None:
    result = run("diagnose", "-", "--template", "t.yaml", "--format", "json", template=TEMPLATE, stdin=DENIED)
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert said["template"] == "t.yaml"
    [reason] = said["reasons"]
    assert (reason["code"], reason["category"], reason["certainty"]) == ("not-allowed", "permission", "certain")
    assert reason["granted"] is False
    assert reason["places"][0]["line"] == 11
    assert [remedy["code"] for remedy in reason["remedy"]] == ["add-statement", "run", "use-spec"]
    # Programs read codes, people read sentences.
    for sentence in (*sentences.MEANS.values(), *sentences.ABOUT.values()):
        assert sentence not in result.stdout


def test_what_is_not_certain_says_what_to_look_at(run: Run) -> None:
    cut = DENIED[:150]
    result = run("diagnose", "-", stdin=cut)
    assert result.exit_code == 1
    assert result.stdout.startswith("cannot tell: unknown: reading a parameter  [incomplete]\n  Cannot tell, because")
    assert "Look: aws cloudtrail lookup-events --lookup-attributes" in result.stdout
    assert run("diagnose", "-", stdin="something else").exit_code == 1


def test_another_template(run: Run) -> None:
    task = {"taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/worker:1", "stoppedReason": DENIED}
    result = run("diagnose", "-", "--template", "t.yaml", template=TEMPLATE, stdin=json.dumps({"tasks": [task]}))
    assert "t.yaml has no task definition that this text can be about" in result.stdout
    assert "needed by" not in result.stdout
    result = run("diagnose", "-", "--template", "t.yaml", stdin=DENIED.replace("/shop/greeting", "/none"))
    assert "nothing in t.yaml is known to need this" in result.stdout


def test_fail_on(run: Run) -> None:
    assert run("diagnose", "-", "--fail-on", "permission", stdin=DENIED).exit_code == 1
    assert run("diagnose", "-", "--fail-on", "network", "--fail-on", "absence", stdin=DENIED).exit_code == 0


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 2, "<stdin>: there is nothing to read"),
        ("{", 1, "<stdin>:1:1: this begins like JSON and is not valid JSON; "),
        ("{}", 1, "<stdin>:1:1: this JSON has no stopped task"),
        ('{"tasks": []}', 0, "<stdin>: nothing in this failed"),
    ],
)
def test_no_reason(run: Run, text: str, code: int, said: str) -> None:
    result = run("diagnose", "-", stdin=text)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    if code == 0:
        result = run("diagnose", "-", "--format", "json", stdin=text)
        assert json.loads(result.stdout)["reasons"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a file with what AWS says"),
        (("nowhere.json",), "cannot read nowhere.json"),
        (("-", "--template", "-"), "standard input is either INPUT or --template"),
        (("-", "--role", "arn:aws:iam::123456789012:role/x"), "--role needs --stack"),
        (("-", "--profile", "x"), "--profile needs --stack"),
        (("-", "--template", "nowhere.yaml"), "there is no file nowhere.yaml"),
        (("-", "--fail-on", "everything"), "Invalid value for '--fail-on'"),
    ],
)
def test_usage(run: Run, arguments: tuple[str, ...], said: str) -> None:
    result = run("diagnose", *arguments, stdin=DENIED)
    assert result.exit_code == 2
    assert said in result.stderr


def test_files_of_other_encodings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "utf-16.txt").write_bytes(DENIED.encode("utf-16"))
    (tmp_path / "latin.txt").write_bytes(f"{DENIED} é".encode("latin-1"))
    for name in ("utf-16.txt", "latin.txt"):
        assert "[not-allowed]" in run("diagnose", name).stdout


def test_a_template_that_the_macro_refuses_does_not_hide_the_reason(run: Run) -> None:
    refused = TEMPLATE.replace("ExecutionRoleArn: !GetAtt WebRole.Arn", "ExecutionRoleSpec: {Secret: [a]}")
    result = run("diagnose", "-", "--template", "t.yaml", template=refused, stdin=DENIED)
    assert result.exit_code == 0
    assert "unknown key `Secret`" in result.stderr
    assert "the answer only uses the text" in result.stderr
    assert "[not-allowed]" in result.stdout


# -- with --stack ----------------------------------------------------------------------------------------------------


STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/shop/0f1e"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.session.Session]:
    """A deployed stack whose service has one stopped task, and a role in moto."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        session = boto3.session.Session(region_name="us-east-1")
        Simulator(session)
        monkeypatch.setattr(credentials, "session", lambda *_: session)
        resources = {
            "Web": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:3",
            "WebRole": "shop-WebRole-1A2B",
            "Service": "arn:aws:ecs:us-east-1:123456789012:service/cluster/shop",
        }
        task = {"taskArn": "arn:aws:ecs:us-east-1:123456789012:task/cluster/0f1e", "stoppedReason": DENIED}
        task["taskDefinitionArn"] = resources["Web"]
        listed = [
            {"LogicalResourceId": name, "PhysicalResourceId": value, "ResourceType": "x", "ResourceStatus": "x"}
            for name, value in resources.items()
        ]

        def stack(params: dict[str, Any], **_: Any) -> Any:
            return (
                reply(200, {"Stacks": [{"StackName": "shop", "StackId": STACK_ID}]})
                if params["body"]["StackName"] in ("shop", "hidden")
                else error("ValidationError", "Stack with id nowhere does not exist")
            )

        def answers(said: Any) -> Callable[..., Any]:
            return lambda **_: reply(200, said)

        hook(session, "cloudformation.DescribeStacks", stack)
        hook(session, "cloudformation.ListStackResources", answers({"StackResourceSummaries": listed}))

        def body(params: dict[str, Any], **_: Any) -> Any:
            hidden = params["body"]["StackName"] == "hidden"
            return error("AccessDenied", "not authorized") if hidden else reply(200, {"TemplateBody": TEMPLATE})

        hook(session, "cloudformation.GetTemplate", body)
        hook(session, "ecs.DescribeServices", answers({"services": [{"events": []}]}))
        hook(session, "ecs.ListTasks", answers({"taskArns": [task["taskArn"]]}))
        hook(session, "ecs.DescribeTasks", answers({"tasks": [task]}))
        role = "arn:aws:iam::123456789012:role/shop-WebRole-1A2B"
        hook(session, "ecs.DescribeTaskDefinition", answers({"taskDefinition": {"executionRoleArn": role}}))
        trust = {
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ]
        }
        session.client("iam").create_role(RoleName="shop-WebRole-1A2B", AssumeRolePolicyDocument=json.dumps(trust))
        yield session


def test_a_stack_is_asked_for_everything(run: Run, session: boto3.session.Session) -> None:
    result = run("diagnose", "--stack", "shop", "--format", "json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["template"] == "stack shop"
    [reason] = said["reasons"]
    assert reason["evidence"]["origin"] == "tasks[0].stoppedReason"
    assert reason["places"][0]["line"] == 11
    assert {answer["status"] for answer in reason["asked"]} == {"denied", "absent"}
    # Only what failed is asked about.
    assert {answer["path"] for answer in reason["asked"]} == {reason["places"][0]["path"]}
    # AWS answers with the present state: the parameter exists, and the role has the statement.
    session.client("ssm").put_parameter(Name="/shop/greeting", Value="hello", Type="String")
    statement = reason["remedy"][0]["value"]
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "*"}]}
    session.client("iam").put_role_policy(
        RoleName="shop-WebRole-1A2B", PolicyName="p", PolicyDocument=json.dumps(policy)
    )
    result = run("diagnose", "--stack", "shop")
    assert result.exit_code == 0
    assert "  AWS says:        ok\n" in result.stdout
    assert "denied" not in result.stdout.replace("AccessDenied", "")


def test_what_is_pasted_goes_before_what_ecs_says(run: Run, session: boto3.session.Session) -> None:
    absent = "unable to retrieve secrets from ssm: invalid parameters: /shop/greeting"
    result = run("diagnose", "-", "--stack", "shop", "--template", "t.yaml", template=TEMPLATE, stdin=absent)
    assert "certain: absence: reading a parameter  [parameter-absent]" in result.stdout
    assert "needed by:       t.yaml:11" in result.stdout
    assert "AWS says:        absent: " in result.stdout


def test_aws_cannot_be_asked(run: Run, session: boto3.session.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("diagnose", "--stack", "nowhere").exit_code == 3
    result = run("diagnose", "--stack", "hidden")
    assert result.exit_code == 3
    assert (
        "cannot read the template of the stack hidden: your credentials are not allowed cloudformation:GetTemplate;"
        in (result.stderr)
    )
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "boto3", None)
    result = run("diagnose", "--stack", "shop")
    assert result.exit_code == 3
    assert "diagnose --stack needs boto3" in result.stderr


# -- what is written about it ----------------------------------------------------------------------------------------


def test_every_code_has_its_sentence_and_its_place_in_the_page() -> None:
    assert set(sentences.MEANS) == set(CODES)
    assert set(sentences.ABOUT) == set(NEEDS)
    for name in (*CODES, *NEEDS, *REMEDIES):
        assert f"`{name}`" in PAGE, name
    documented = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", PAGE, re.MULTILINE)
    for name, text in documented:
        if name in CODES:
            assert text == sentences.MEANS[name]


def test_what_the_page_shows_is_what_comes_out(run: Run, tmp_path: Path) -> None:
    [reason] = re.findall(r"```text\n# reason\.txt\n(.*?)```", PAGE, re.DOTALL)
    [(command, output)] = re.findall(r"```console\n\$ ecs-exec-role (.*?)\n```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    [template] = re.findall(r"```yaml\n(# hand-written\.yaml\n.*?)```", page, re.DOTALL)
    (tmp_path / "hand-written.yaml").write_text(template, encoding="utf-8")
    (tmp_path / "reason.txt").write_text(reason, encoding="utf-8")
    result = run(*command.split())
    assert result.exit_code == 0
    assert result.stdout == output
