"""The output at terminals of three widths: no word is cut, and no line is longer than necessary."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console
from tests.support.command_line import Run

from ecs_exec_role.cli import terminal

TEMPLATE = """\
Parameters:
  Stage: {Type: String, Default: dev}
Resources:
  Repo: {Type: AWS::ECR::Repository}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - Name: web
          Image: !Sub ${Repo.RepositoryUri}:1
          Secrets:
            - {Name: DATABASE, ValueFrom: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/database-AbCdEf"}
            - {Name: GREETING, ValueFrom: !Sub "/shop/${Stage}/greeting"}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: "sts:AssumeRole"}]
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"]
"""
REASON = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable "
    "to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret "
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/database-AbCdEf from secrets manager: "
    "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/web/0123456789abcdef is not authorized to "
    "perform: secretsmanager:GetSecretValue on resource: "
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/database-AbCdEf"
)
COMMANDS = {
    "explain": ("explain", "t.yaml"),
    "audit": ("audit", "t.yaml"),
    "diff": ("diff", "t.yaml", "migrated.yaml"),
    "diagnose": ("diagnose", "reason.txt", "--template", "t.yaml"),
}
_GUIDE = re.compile("[│├└─]")
_STYLE = re.compile(r"\x1b\[[0-9;]*m|\x1b\[[?0-9;]*[A-Za-z]")


def words(text: str) -> list[str]:
    return _GUIDE.sub(" ", text).split()


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_is_cut(run: Run, monkeypatch: pytest.MonkeyPatch, name: str, width: int) -> None:
    Path("reason.txt").write_text(REASON, encoding="utf-8")
    Path("migrated.yaml").write_text(run("migrate", "t.yaml", template=TEMPLATE).stdout, encoding="utf-8")
    plain = run(*COMMANDS[name]).stdout
    written = io.StringIO()
    console = Console(width=width, force_terminal=True, file=written, highlight=False, emoji=False, markup=False)
    monkeypatch.setattr(terminal, "console", lambda: console)
    run(*COMMANDS[name])
    shown = _STYLE.sub("", written.getvalue())
    assert words(shown) == words(plain)
    for line in shown.splitlines():
        # A line may be too long only because of its last word, or because it is to be copied.
        text = _GUIDE.sub(" ", line)
        before = text.rstrip().rpartition(" ")[0].rstrip()
        copied = line.startswith("      ") or "  Run: " in line or "  Look: " in line
        assert len(before) <= width or copied, line


def test_a_pipe_has_no_width(run: Run) -> None:
    for name in ("explain", "audit"):
        text = run(*COMMANDS[name], template=TEMPLATE).stdout
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) > 200


def test_what_may_be_missing_comes_first_and_names_container_and_secret(run: Run) -> None:
    for form in ("terminal", "markdown", "html"):
        text = run("explain", "t.yaml", "--format", form, template=TEMPLATE).stdout
        first = text.index("May be missing")
        assert "container web: Secrets[0] DATABASE, line 13" in text.replace("\\", "").replace("<wbr>", "")
        assert first < text.index("secretsmanager:GetSecretValue")


def test_no_value_is_shown_as_json(run: Run) -> None:
    text = run("explain", "t.yaml", "--format", "terminal", template=TEMPLATE).stdout
    assert "{'" not in text
    assert '{"' not in text
    assert "Fn::" not in text


FUNCTIONS = """\
Parameters:
  Cluster: {Type: String}
  EnvFile: {Type: String}
  Image: {Type: String}
Mappings:
  Services: {Web: {name: web}}
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - Name: !FindInMap [Services, Web, name]
          Image: !Sub "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/${Image}"
          LogConfiguration:
            LogDriver: awslogs
            Options: {awslogs-group: {Fn::ImportValue: !Sub "${Cluster}-LogGroup"}, awslogs-region: !Ref AWS::Region}
          Secrets:
            - {Name: USER, ValueFrom: {Fn::Join: [":", [{Fn::ImportValue: !Sub "${Cluster}-Secret"}, "user::"]]}}
          EnvironmentFiles: [{Type: s3, Value: !Ref EnvFile}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: "sts:AssumeRole"}]
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"]
      Policies:
        - PolicyName: files
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: s3:GetBucketLocation
                Resource: !Join
                  - ""
                  - ["arn:aws:s3:::", !Select [0, !Split ["/", !Select [5, !Split [":", !Ref EnvFile]]]]]
"""


def test_no_message_has_a_function_as_json(run: Run) -> None:
    Path("migrated.yaml").write_text(run("migrate", "t.yaml", template=FUNCTIONS).stdout, encoding="utf-8")
    texts = [run("audit", "t.yaml").stdout, run("explain", "t.yaml").stdout, run("migrate", "t.yaml").stderr]
    texts.append(run("diff", "t.yaml", "migrated.yaml").stdout)
    for text in texts:
        assert "Fn::" not in re.sub(r"\{Fn::Sub: |Properties\S*/Fn::\w+", "", text)
        assert '{"' not in text
    assert 'log-group:${ImportValue("${Cluster}-LogGroup")}:*' in texts[0]
    assert 'arn:aws:s3:::${Select(0, Split("/", Select(5, Split(":", EnvFile))))}' in texts[0]
    assert 'container ${FindInMap("Services", "Web", "name")}' in texts[1]


def test_a_long_place_before_the_text_ends_its_line() -> None:
    written = io.StringIO()
    console = Console(width=40, file=written, highlight=False, emoji=False, markup=False)
    terminal.paragraph(console, [("the words after it", "")], [("a-very-long-name-of-a-template.yaml:12: ", "")], "  ")
    assert written.getvalue().splitlines() == ["a-very-long-name-of-a-template.yaml:12:", "  the words after it"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_a_terminal_of_40_columns(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TEMPLATE, encoding="utf-8")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    command = [sys.executable, "-m", "ecs_exec_role", "audit", "t.yaml"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=theirs, stderr=subprocess.DEVNULL, env={**environment, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:  # Linux raises this when the other side is closed.
                break
            if not read:
                break
            text += read
    os.close(ours)
    assert process.returncode == 0
    lines = _STYLE.sub("", text.decode()).replace("\r", "").splitlines()
    assert "t.yaml:15: Role, the execution role of" in lines
    assert all(len(line) <= 40 or " " not in line.strip() for line in lines), lines
