from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Run

from ecs_exec_role.offline import template_file

TEMPLATE = """\
Transform: EcsExecRole
Conditions: {IsProd: !Equals [!Ref AWS::Region, eu-central-1]}
Resources:
  Repo: {Type: AWS::ECR::Repository}
  Logs: {Type: AWS::Logs::LogGroup}
  Key: {Type: AWS::KMS::Key, Properties: {KeyPolicy: {}}}
  Secret: {Type: AWS::SecretsManager::Secret, Properties: {KmsKeyId: !Ref Key}}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec:
        Statements: [{Sid: Own, Effect: Allow, Action: "s3:GetObject", Resource: !Sub "arn:aws:s3:::<b>/*"}]
      ContainerDefinitions:
        - Name: web
          Image: !Sub ${Repo.RepositoryUri}:1
          Secrets: [{Name: A, ValueFrom: !Ref Secret}]
        - Name: "side|car"
          Image: public.ecr.aws/x/y:1
          LogConfiguration: !If
            - IsProd
            - {LogDriver: awslogs, Options: {awslogs-group: !Ref Logs, awslogs-region: !Ref AWS::Region}}
            - !Ref AWS::NoValue
"""


def test_the_tree_says_why(run: Run) -> None:
    result = run("explain", "t.yaml", template=TEMPLATE)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert (
        result.stdout
        == """\
t.yaml: 1 execution role
WebExecutionRole  for Web  t.yaml:11
├── EcrAuthorization  Image pull
│   ├── ecr:GetAuthorizationToken
│   ├── on *
│   │   └── container web: Image  line 15
│   └── https://docs.aws.amazon.com/AmazonECR/latest/userguide/ECR_on_ECS.html
├── PullImages  Image pull
│   ├── ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer
│   ├── on ${Repo.Arn}
│   │   └── container web: Image  line 15
│   └── https://docs.aws.amazon.com/AmazonECR/latest/userguide/ECR_on_ECS.html
├── WriteLogs  Container logs  only if IsProd
│   ├── logs:CreateLogStream, logs:PutLogEvents
│   ├── on ${Logs.Arn}
│   │   └── container side|car: LogConfiguration.Options.awslogs-group  if IsProd  line 21
│   └── https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
├── ReadSecrets  Secrets Manager secrets
│   ├── secretsmanager:GetSecretValue
│   ├── on ${Secret}
│   │   └── container web: Secrets[0] A  line 16
│   └── https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
├── DecryptSecrets  Customer managed keys
│   ├── kms:Decrypt
│   ├── on ${Key.Arn} for ${Secret}
│   │   └── container web: Secrets[0] A  line 16
│   ├── where kms:ViaService StringEquals secretsmanager.${AWS::Region}.amazonaws.com
│   ├── where kms:EncryptionContext:SecretARN StringEquals ${Secret}
│   └── https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
├── Own  Written by the author
│   ├── s3:GetObject
│   └── on arn:aws:s3:::<b>/*
│       └── Web ExecutionRoleSpec: Statements[0]  line 12
├── Left out
│   └── container side|car: Image: `public.ecr.aws/x/y:1` is not in a private ECR registry  line 18  \
https://docs.aws.amazon.com/AmazonECR/latest/userguide/ECR_on_ECS.html
└── Beside AmazonECSTaskExecutionRolePolicy
    ├── AmazonECSTaskExecutionRolePolicy allows 6 actions, each on every resource.
    ├── This role allows 5 of these only on 2 named resources and 1 on every resource.
    └── This task also needs, and that policy does not allow: secretsmanager:GetSecretValue, kms:Decrypt, s3:GetObject.
"""
    )


def test_json_has_every_reason(run: Run) -> None:
    [report] = json.loads(run("explain", "t.yaml", "--format", "json", template=TEMPLATE).stdout)
    [role] = report["roles"]
    logs = next(statement for statement in role["statements"] if statement["sid"] == "WriteLogs")
    assert logs["when"] == "IsProd"
    assert logs["resources"][0]["reasons"][0]["line"] == 21
    assert role["comparison"]["on_every_resource"] == ["ecr:GetAuthorizationToken"]


def test_without_a_spec_auto_is_assumed(run: Run) -> None:
    text = re.sub(r"      ExecutionRoleSpec:\n.*\n", "      ExecutionRoleArn: arn:aws:iam::1:role/x\n", TEMPLATE)
    result = run("explain", "t.yaml", template=text)
    assert "no ExecutionRoleSpec yet; this is the result of `ExecutionRoleSpec: Auto`" in result.stdout
    assert "WebExecutionRole  for Web  t.yaml:8" in result.stdout
    result = run("explain", "t.yaml", template="Resources: {}")
    assert result.stdout == "t.yaml: no task definition, and no ExecutionRoleSpec\n"
    bad = text.replace("!Ref Secret}]", "arn:aws:sqs:x:1:y}]")
    result = run("explain", "t.yaml", template=bad)
    assert result.exit_code == 1
    [report] = json.loads(run("explain", "t.yaml", "--format", "json").stdout)
    assert [(mistake["line"], mistake["code"]) for mistake in report["mistakes"]] == [(15, "wrong-arn")]
    assert "t.yaml:15:31: Resources/Web/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom" in result.stderr


def test_says_where_it_rests_on_defaults(run: Run) -> None:
    text = "Parameters: {I: {Type: String, Default: nginx}, F: {Type: String, Default: f}}\n" + TEMPLATE.replace(
        "public.ecr.aws/x/y:1", "!Ref I"
    )
    assert "(with the default of the parameter I)" in run("explain", "t.yaml", template=text).stdout
    assert "default" not in run("explain", "t.yaml", "-p", "I=busybox").stdout


def test_starter(run: Run) -> None:
    text = re.sub(r"ExecutionRoleSpec:\n.*\n", "ExecutionRoleSpec: Starter\n", TEMPLATE)
    for form in ("terminal", "markdown", "html", "mermaid", "json"):
        result = run("explain", "t.yaml", "--format", form, template=text)
        assert result.exit_code == 0
    assert "is attached, and nothing else" in run("explain", "t.yaml").stdout


def test_markdown_is_a_table(run: Run) -> None:
    text = run("explain", "t.yaml", "--format", "markdown", template=TEMPLATE).stdout
    assert "| Statement | Actions | Resource | Needed by |\n| --- | --- | --- | --- |\n" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {re.sub(r"\\\|", "", row).count("|") for row in rows} == {5}
    assert "container side\\|car" in text


def test_mermaid_escapes_what_it_would_read(run: Run) -> None:
    text = run("explain", "t.yaml", "--format", "mermaid", template=TEMPLATE).stdout
    assert text.startswith("flowchart LR\n")
    assert "arn:aws:s3:::&lt;b&gt;/*" in text
    assert len(re.findall(r"^    \w+ --> \w+$", text, re.MULTILINE)) == 12


class Page(HTMLParser):
    """What a page refers to, and whether its elements are closed in order."""

    VOID = ("meta", "input", "wbr", "br", "path", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset") or (name == "href" and tag != "a"):
                self.loads.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(run: Run) -> None:
    text = run("explain", "t.yaml", "t.yaml", "--format", "html", template=TEMPLATE).stdout
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.loads == []
    assert len(page.ids) == len(set(page.ids))
    assert "url(" not in text
    assert "arn:aws:s3:::&lt;b&gt;/*" in text
    assert "<b>/*" not in text


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_filters_in_a_browser(run: Run, tmp_path: Path) -> None:
    text = run("explain", "t.yaml", "--format", "html", template=TEMPLATE).stdout
    act = """
const search = document.querySelector("input[type=search]");
search.value = "secret a"; search.dispatchEvent(new Event("input"));
document.querySelector("[data-fold=close]").click();
document.title = JSON.stringify({
  controls: document.querySelector(".controls").hidden,
  shown: [...document.querySelectorAll(".statement:not([hidden]) summary b")].map((node) => node.textContent),
  open: document.querySelectorAll(".statement[open]").length,
  wide: document.documentElement.scrollWidth > innerWidth,
  graph: document.querySelector(".drawn").open,
});"""
    assert in_browser(tmp_path, text, act, width=390) == {
        "controls": False,
        "shown": ["ReadSecrets", "DecryptSecrets"],
        "open": 0,
        "wide": False,
        "graph": False,
    }


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_graph_in_a_browser(run: Run, tmp_path: Path) -> None:
    only_prod = '!If [IsProd, {Name: B, ValueFrom: /shop/b}, !Ref "AWS::NoValue"]'
    template = TEMPLATE.replace("!Ref Secret}]", f"!Ref Secret}}, {only_prod}]")
    text = run("explain", "t.yaml", "--format", "html", template=template).stdout
    act = """
dispatchEvent(new Event("beforeprint"));
const texts = (css) => [...document.querySelectorAll(`.graph ${css}`)].map((node) => node.textContent);
document.title = JSON.stringify({
  who: texts(".who .t"),
  on: texts(".n.on").sort(),
  conditions: texts(".need .c"),
  edges: document.querySelectorAll(".graph .e").length,
  inside: [...document.querySelectorAll(".graph .n text")].every((node) => {
    const box = node.parentNode.querySelector("rect");
    return node.getBBox().x + node.getBBox().width <= box.getBBox().x + box.getBBox().width;
  }),
});"""
    assert in_browser(tmp_path, text, act, width=1300) == {
        "who": ["container web", "container side|car", "Web ExecutionRoleSpec"],
        "on": [
            "${Key.Arn} for ${Secret}",
            "${Logs.Arn}",
            "${Repo.Arn}",
            "${Secret}",
            "*",
            "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/shop/b",
            "arn:aws:s3:::<b>/*",
        ],
        "conditions": ["if IsProd", "if IsProd"],
        "edges": 14,
        "inside": True,
    }


def in_browser(tmp_path: Path, page: str, script: str, width: int) -> object:
    """What a script that runs at the end of a page writes into its title, as JSON."""
    (tmp_path / "page.html").write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    done = subprocess.run(
        [
            *(
                str(CHROMIUM),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                f"--window-size={width},800",
            ),
            *("--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"),
            f"file://{tmp_path / 'page.html'}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    return json.loads(html.unescape(title[1]))


# -- the page's parts -------------------------------------------------------------------------------------------------


def test_the_page_says_what_it_was_read_with(run: Run) -> None:
    parameters = "Parameters: {I: {Type: String, Default: nginx}, T: {Type: String}, P: {Type: String, NoEcho: true}}\n"
    text = TEMPLATE.replace("public.ecr.aws/x/y:1", '!Sub "${I}:${T}-${P}"')
    page = run("explain", "t.yaml", "-p", "P=hush", "--format", "html", template=parameters + text).stdout
    assert "not given; <code>us-east-1</code> is assumed" in page
    assert "not given; it stays <code>${AWS::AccountId}</code>" in page
    assert "<dt>I</dt><dd><code>nginx</code> (the default)</dd>" in page
    assert "<dt>T</dt><dd>not known here</dd>" in page
    assert "<dt>P</dt><dd>not shown (NoEcho)</dd>" in page
    page = run("explain", "t.yaml", "--region", "eu-west-1", "--account", "123456789012", "--format", "html").stdout
    assert "<dt>Region</dt><dd><code>eu-west-1</code></dd>" in page
    assert "<dt>Account</dt><dd><code>123456789012</code></dd>" in page
    [report] = json.loads(run("explain", "t.yaml", "-p", "P=hush", "--format", "json").stdout)
    assert report["parameters"][2] == {"name": "P", "value": "", "source": "hidden"}
    assert report["region"] == ""


def test_policy_and_trust_are_there_to_copy(run: Run) -> None:
    page = run("explain", "t.yaml", "--format", "html", template=TEMPLATE).stdout
    copies = [
        html.unescape(text) for text in re.findall(r"data-copy hidden>Copy</button><pre>(.*?)</pre>", page, re.DOTALL)
    ]
    policy, trust = (template_file.parse("copied", f"Resources: {{}}\n{text}").data for text in copies)
    [report] = json.loads(run("explain", "t.yaml", "--format", "json").stdout)
    assert policy["Statement"] == report["roles"][0]["policy"]["Statement"]
    assert [statement.get("Sid") for statement in _statements(policy["Statement"])] == [
        statement["sid"] for statement in report["roles"][0]["statements"]
    ]
    assert trust["Statement"] == report["roles"][0]["trust"]["Statement"]


def _statements(listed: Any) -> Iterator[Any]:
    for node in listed:
        yield node["Fn::If"][1] if "Fn::If" in node else node


def test_several_roles_have_a_table_of_contents(run: Run) -> None:
    other = """\
  Other:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: Auto
      ContainerDefinitions: [{Name: o, Image: nginx, Secrets: [{Name: A, ValueFrom: plain}]}]
"""
    page = run("explain", "t.yaml", "--format", "html", template=TEMPLATE + other).stdout
    links = re.findall(r'<a href="#(.*?)">(\w+)</a>', page[page.index("<nav") : page.index("</nav>")])
    assert [name for _, name in links] == ["WebExecutionRole", "OtherExecutionRole"]
    for target, name in links:
        role = page[page.index(f'<details class="role" id="{target}"') :]
        assert name in role[:200]
    # What may be missing is first, with the role that lacks it.
    first = page[: page.index("<nav")]
    assert '<a href="#t0r1">OtherExecutionRole</a>: Other ExecutionRoleSpec: the template does not show' in first
    assert "(container o: Secrets[0] A, line " in first


def test_240_roles_are_less_than_two_megabytes(run: Run) -> None:
    """A quarter of the roles is written; what a page has only once is counted four times."""
    definitions = "".join(
        f"""\
  Service{number}:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: Auto
      ContainerDefinitions:
        - Name: web
          Image: 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/service{number}:1
          LogConfiguration:
            LogDriver: awslogs
            Options: {{awslogs-group: !Ref Logs, awslogs-region: !Ref AWS::Region}}
          EnvironmentFiles: [{{Type: s3, Value: "arn:aws:s3:::shop-config/service{number}.env"}}]
          Secrets:
            - Name: DATABASE
              ValueFrom: !Sub "arn:aws:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:{number}-AbCdEf:k::"
            - {{Name: GREETING, ValueFrom: /shop/service{number}/greeting}}
        - Name: proxy
          Image: public.ecr.aws/x/proxy:1
          Secrets: [{{Name: TOKEN, ValueFrom: /shop/service{number}/proxy-token}}]
"""
        for number in range(60)
    )
    text = "Transform: EcsExecRole\nResources:\n  Logs: {Type: AWS::Logs::LogGroup}\n" + definitions
    page = run("explain", "t.yaml", "--format", "html", template=text).stdout
    assert 4 * len(page.encode()) < 2_000_000
    assert page.count('<details class="role"') == 60


def test_without_jinja_the_page_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = run("explain", "t.yaml", "--format", "html", template=TEMPLATE)
    assert result.exit_code == 3
    assert "--format html needs Jinja2; install it in the same environment: pip install jinja2" in result.stderr


@pytest.mark.parametrize(
    "written, said",
    [
        ("    ExecutionRoleSpec: Auto\n    Properties:\n", "ExecutionRoleSpec is not supported here"),
        ("    Properties:\n      ExecutionRolespec: Auto\n", "unknown property `ExecutionRolespec`"),
    ],
)
def test_a_spec_that_the_macro_refuses_is_refused_here_too(run: Run, written: str, said: str) -> None:
    task = "Resources:\n  Web:\n    Type: AWS::ECS::TaskDefinition\n"
    containers = "      ContainerDefinitions: [{Name: web, Image: nginx}]\n"
    result = run("explain", "t.yaml", template=task + written + containers)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "this is the result of" not in result.stdout


def test_a_definition_with_a_mistake_is_not_called_absent(run: Run) -> None:
    task = "Resources:\n  Web:\n    Type: AWS::ECS::TaskDefinition\n    Properties:\n"
    containers = "      ContainerDefinitions: [{Name: web, Image: nginx, Secrets: [{Name: A, ValueFrom: ''}]}]\n"
    result = run("explain", "t.yaml", template=task + containers)
    assert result.exit_code == 1
    assert result.stdout == "t.yaml: nothing can be explained before the mistakes in it are corrected\n"


def test_the_starter_must_pass_the_role_that_takes_the_place_of_the_old_one(run: Run) -> None:
    template = """\
Resources:
  Old: {Type: AWS::IAM::Role, Properties: {}}
  TaskRole: {Type: AWS::IAM::Role, Properties: {}}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Old.Arn
      TaskRoleArn: !GetAtt TaskRole.Arn
      ContainerDefinitions: [{Name: web, Image: nginx}]
"""
    [report] = json.loads(run("explain", "t.yaml", "--format", "json", template=template).stdout)
    statement = report["roles"][0]["starting"]["statement"]
    assert statement["Resource"] == [{"Fn::GetAtt": ["WebExecutionRole", "Arn"]}, {"Fn::GetAtt": ["TaskRole", "Arn"]}]


GUARDED = """\
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Name: web
          Image: 222222222222.dkr.ecr.eu-west-1.amazonaws.com/x:1
          Secrets: [{Name: A, ValueFrom: /a}]
"""


@pytest.mark.parametrize("form", ["terminal", "json", "markdown", "html"])
def test_guardrails_hold_for_the_role_of_a_template_without_a_spec(
    run: Run, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("ECS_EXEC_ROLE_ACCOUNTS", "self")
    result = run("explain", "t.yaml", "--format", form, template=GUARDED)
    assert result.exit_code == 1
    image = "`222222222222.dkr.ecr.eu-west-1.amazonaws.com/x:1` is in the account 222222222222, which is not allowed"
    assert f"t.yaml:7:11: Resources/Task/Properties/ContainerDefinitions/0/Image: {image}" in result.stderr
    assert "ReadParameters" in result.stdout  # The role is shown all the same.

    # The macro says the same of the template with a spec.
    with_spec = GUARDED.replace("      Con", "      ExecutionRoleSpec: Auto\n      Con")
    refused = run("expand", "t.yaml", template=f"Transform: EcsExecRole\n{with_spec}").stderr
    assert refused.partition(": ")[2] == result.stderr.partition(": ")[2]


def test_guardrails_of_the_project_file_hold_without_a_spec(run: Run) -> None:
    Path(".ecs-exec-role.yaml").write_text("guardrails: {RequiredTags: team}\n", encoding="utf-8")
    result = run("explain", "t.yaml", template=GUARDED)
    assert result.exit_code == 1
    assert "Resources/Task/Properties/ExecutionRoleSpec/Tags: lacks the required tag `team`" in result.stderr
    Path(".ecs-exec-role.yaml").write_text("guardrails: {RequiredTags: team=web}\n", encoding="utf-8")
    assert run("explain", "t.yaml").exit_code == 0


def test_guardrails_are_not_for_the_policies_of_the_role_that_a_spec_replaces(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECS_EXEC_ROLE_STATEMENTS", "false")
    replaced = """\
  TaskExecutionRole: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [!Ref TaskExecutionRole]
      PolicyDocument: {Statement: [{Effect: Allow, Action: 's3:*', Resource: '*'}]}
"""
    result = run("explain", "t.yaml", template=GUARDED + replaced)
    assert (result.exit_code, result.stderr) == (0, "")
