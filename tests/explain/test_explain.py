from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.support.command_line import Run

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
    ├── AmazonECSTaskExecutionRolePolicy allows 6 actions, each on every resource of the account.
    ├── This role allows 5 of these on 2 named resources only and 1 on all, since it takes no resource.
    └── That policy lacks what this task needs besides: secretsmanager:GetSecretValue, kms:Decrypt, s3:GetObject.
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
    assert "no ExecutionRoleSpec yet; this is what `ExecutionRoleSpec: Auto` would make" in result.stdout
    assert "WebExecutionRole  for Web  t.yaml:8" in result.stdout
    result = run("explain", "t.yaml", template="Resources: {}")
    assert result.stdout == "t.yaml: no task definition, and no ExecutionRoleSpec\n"
    bad = text.replace("!Ref Secret}]", "arn:aws:sqs:x:1:y}]")
    result = run("explain", "t.yaml", template=bad)
    assert result.exit_code == 1
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
    assert "| Statement | Actions | Resource | Asked for by |\n| --- | --- | --- | --- |\n" in text
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
    assert "arn:<wbr>aws:<wbr>s3:<wbr>:<wbr>:<wbr>&lt;b&gt;" in text
    assert "<b>/*" not in text


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_filters_in_a_browser(run: Run, tmp_path: Path) -> None:
    text = run("explain", "t.yaml", "--format", "html", template=TEMPLATE).stdout
    act = """
<script>
const search = document.querySelector("input[type=search]");
search.value = "secret a"; search.dispatchEvent(new Event("input"));
document.querySelector("[data-fold=close]").click();
document.title = JSON.stringify({
  controls: document.querySelector(".controls").hidden,
  shown: [...document.querySelectorAll(".statement:not([hidden]) summary b")].map((node) => node.textContent),
  open: document.querySelectorAll(".statement[open]").length,
  wide: document.documentElement.scrollWidth > innerWidth,
});
</script>
</body>"""
    (tmp_path / "page.html").write_text(text.replace("</body>", act), encoding="utf-8")
    done = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=390,800"),
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
    assert json.loads(title[1]) == {
        "controls": False,
        "shown": ["ReadSecrets", "DecryptSecrets"],
        "open": 0,
        "wide": False,
    }
