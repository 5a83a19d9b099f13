from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from tests.preflight.simulator import Simulator, error, hook, reply
from tests.support.command_line import Run

from ecs_exec_role.cli import credentials
from ecs_exec_role.cli.app import cli

OLD = """\
Transform: EcsExecRole
Parameters: {Name: {Type: String, Default: one}}
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: {KmsKeys: None}
      ContainerDefinitions:
        - Name: web
          Image: public.ecr.aws/x/y:1
          Secrets:
            - {Name: GONE, ValueFrom: /shop/gone}
"""
NEW = OLD.replace("- {Name: GONE, ValueFrom: /shop/gone}", "- {Name: NAMED, ValueFrom: !Sub '/shop/${Name}'}")


def git(*arguments: str) -> None:
    # The settings of the person who runs the tests have no effect.
    environment = {"HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "PATH": "/usr/bin:/bin:/usr/local/bin"}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "t", f"GIT_{who}_EMAIL": "t@example.com"}
    subprocess.run(["git", *arguments], check=True, capture_output=True, env=environment)


@pytest.fixture
def repository(run: Run, tmp_path: Path) -> Path:
    """A repository with `main` and a branch `change`, in which t.yaml and a template in a folder differ."""
    git("init", "-q", "-b", "main")
    (tmp_path / "stacks").mkdir()
    for name in ("t.yaml", "stacks/kept.yaml", "stacks/old.yaml"):
        (tmp_path / name).write_text(OLD)
    git("add", ".")
    git("commit", "-q", "-m", "one")
    git("checkout", "-q", "-b", "change")
    (tmp_path / "t.yaml").write_text(NEW)
    (tmp_path / "stacks/old.yaml").unlink()
    (tmp_path / "stacks/new.yaml").write_text(NEW)
    git("add", "-A")
    git("commit", "-q", "-m", "two")
    return tmp_path


def write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")


def test_two_templates(run: Run) -> None:
    write("old.yaml", OLD)
    result = run("diff", "old.yaml", "t.yaml", template=NEW)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert (
        result.stdout
        == """\
old.yaml → t.yaml: 1 role: 1 added, 1 removed (with the default of the parameter Name)
WebExecutionRole  for Web  line 7
  + ssm:GetParameters on arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/shop/one
      needed by container web: Secrets[0] NAMED, line 12
  - ssm:GetParameters on arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/shop/gone
      no longer needed: container web: Secrets[0] GONE, line 12
"""
    )
    assert run("diff", "old.yaml", "old.yaml").stdout == "old.yaml → old.yaml: no execution role changes\n"
    assert run("diff", "old.yaml").exit_code == 2
    assert run("diff", "old.yaml", "t.yaml", "t.yaml").exit_code == 2


def test_fail_on_names_the_changes_that_fail(run: Run) -> None:
    write("old.yaml", OLD)
    fewer = OLD.replace("          Secrets:\n", "").replace("            - {Name: GONE, ValueFrom: /shop/gone}\n", "")
    assert run("diff", "old.yaml", "t.yaml", "--fail-on", "added", template=fewer).exit_code == 0
    assert run("diff", "old.yaml", "t.yaml", "--fail-on", "removed").exit_code == 1
    assert run("diff", "old.yaml", "t.yaml", "--fail-on", "any").exit_code == 1
    assert run("diff", "t.yaml", "old.yaml", "--fail-on", "added").exit_code == 1
    assert run("diff", "old.yaml", "old.yaml", "--fail-on", "any").exit_code == 0


def test_markdown_is_one_table_for_each_role_and_escapes(run: Run) -> None:
    write("old.yaml", OLD.replace("Name: web", "Name: we|b"))
    new = NEW.replace("Name: web", "Name: we|b")
    text = run("diff", "old.yaml", "t.yaml", "--format", "markdown", template=new).stdout
    assert "### `t.yaml` compared with `old.yaml`" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert {re.sub(r"\\\|", "", row).count("|") for row in rows} == {5}
    assert "no longer needed: container we\\|b: Secrets\\[0\\] GONE, line 12" in text
    assert "No execution role changes." in run("diff", "t.yaml", "t.yaml", "--format", "markdown").stdout


def test_json_has_kinds_and_places(run: Run) -> None:
    write("old.yaml", OLD)
    [item] = json.loads(run("diff", "old.yaml", "t.yaml", "--format", "json", template=NEW).stdout)
    assert item["summary"] == "1 role: 1 added, 1 removed (with the default of the parameter Name)"
    assert item["defaults"] == ["Name"]
    [role] = item["roles"]
    assert [change["kind"] for change in role["grants"]] == ["added", "removed"]
    assert role["grants"][0]["asked"][0]["path"].endswith("/Secrets/0/ValueFrom")


def test_warnings_come_first(run: Run) -> None:
    write("old.yaml", OLD)
    result = run("diff", "old.yaml", "t.yaml", template=NEW.replace("{KmsKeys: None}", "Auto"))
    lines = result.stdout.splitlines()
    assert lines[2].startswith(
        "  ! may be missing: Web ExecutionRoleSpec, line 7: the template does not show which keys"
    )
    assert "(container web: Secrets[0] NAMED, line 12)" in lines[2]


def test_mistakes_name_the_side_that_has_them(run: Run) -> None:
    write("old.yaml", OLD.replace("KmsKeys", "Kms"))
    result = run("diff", "old.yaml", "t.yaml", template=NEW)
    assert result.exit_code == 1
    assert result.stderr.startswith("old.yaml:7:")


def test_parameters_hold_for_both_sides(run: Run) -> None:
    write("old.yaml", OLD)
    result = run("diff", "old.yaml", "t.yaml", "-p", "Name=x", template=NEW)
    assert result.exit_code == 0
    assert run("diff", "old.yaml", "t.yaml", "-p", "Nmae=x").exit_code == 2


# -- Git --------------------------------------------------------------------------------------------------------------


def test_a_revision_and_the_working_tree(run: Run, repository: Path) -> None:
    result = run("diff", "t.yaml", "--rev", "main")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("main:t.yaml → t.yaml: 1 role: 1 added, 1 removed (with the default")
    assert run("diff", "t.yaml", "--rev", "change").stdout == "change:t.yaml → t.yaml: no execution role changes\n"
    assert "HEAD~1:t.yaml → t.yaml: 1 role" in run(
        "diff", str(repository / "t.yaml"), "--rev", "HEAD~1"
    ).stdout.replace(f"{repository}/", "")


def test_two_revisions(run: Run, repository: Path) -> None:
    assert run("diff", "t.yaml", "--rev", "main..change").stdout.startswith("main:t.yaml → change:t.yaml: 1 role")
    git("checkout", "-q", "main")
    write("t.yaml", OLD.replace("/shop/gone", "/shop/other"))
    git("commit", "-q", "-a", "-m", "three")
    # With three dots, later changes on main are not compared.
    text = run("diff", "t.yaml", "--rev", "main...change").stdout
    assert "other" not in text
    assert "no longer needed: container web: Secrets[0] GONE" in text


def test_patterns_name_what_comes_and_goes(run: Run, repository: Path) -> None:
    for rev in ("main", "main..change", "main...change"):
        text = run("diff", "stacks/*.yaml", "--rev", rev).stdout
        assert "stacks/new.yaml: 1 role: 1 added" in text
        assert "WebExecutionRole  for Web  new role  line 7" in text
        assert "stacks/old.yaml: 1 role: 1 removed" in text
        assert "WebExecutionRole  for Web  removed  line 7" in text


def test_from_a_folder_of_the_repository(run: Run, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "stacks")
    assert "../t.yaml: 1 role" in run_here("diff", "../t.yaml", "--rev", "main")
    assert "main:old.yaml → old.yaml: 1 role: 1 removed" in run_here("diff", "*.yaml", "--rev", "main")


def run_here(*arguments: str) -> str:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False).output


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("t.yaml", "--rev", "nowhere"), "--rev nowhere: there is no such revision; write a branch, a tag or a commit"),
        (("t.yaml", "--rev", "--output=x"), "there is no such revision"),
        (("no.yaml", "--rev", "main"), "there is no file no.yaml, neither in main nor here"),
        (("-", "--rev", "main"), "--rev needs files, not standard input"),
        (("t.yaml", "--rev", "main", "--stack", "web"), "--rev and --stack cannot be used together"),
        (("t.yaml", "t.yaml", "--profile", "p"), "--profile needs --stack"),
    ],
)
def test_wrong_usage_is_reported(run: Run, repository: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run("diff", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert not (repository / "x").exists()


def test_outside_a_repository(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", "/")
    result = run("diff", "t.yaml", "--rev", "main", template=OLD)
    assert result.exit_code == 2
    assert "this folder is not in a Git repository" in " ".join(result.stderr.split())


def test_without_git(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("diff", "t.yaml", "--rev", "main", template=OLD)
    assert result.exit_code == 3
    assert "--rev needs Git; install it, or name two templates" in " ".join(result.stderr.split())


# -- a deployed stack -------------------------------------------------------------------------------------------------


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> boto3.session.Session:
    session = boto3.session.Session("testing", "testing", region_name="eu-central-1")
    Simulator(session)
    monkeypatch.setattr(credentials, "session", lambda *_: session)
    return session


def deploy(session: boto3.session.Session, run: Run, template: str, values: dict[str, str]) -> None:
    """Makes CloudFormation return a deployed template: the original, and what the macro made of it."""
    listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    account = "arn:aws:cloudformation:eu-central-1:111122223333:stack/web/1"
    processed = run("expand", "-", "--format", "json", "--symbolic", stdin=template).stdout
    hook(
        session,
        "cloudformation.DescribeStacks",
        lambda **_: reply(200, {"Stacks": [{"Parameters": listed, "StackId": account}]}),
    )
    hook(session, "cloudformation.ListStackResources", lambda **_: reply(200, {"StackResourceSummaries": []}))

    def asked(params: dict[str, Any], **_: Any) -> Any:
        return reply(200, {"TemplateBody": processed if params["body"]["TemplateStage"] == "Processed" else template})

    hook(session, "cloudformation.GetTemplate", asked)


def test_a_deployed_stack(run: Run, session: boto3.session.Session) -> None:
    deploy(session, run, OLD, {"Name": "x"})
    result = run("diff", "t.yaml", "--stack", "web", template=NEW)
    assert result.exit_code == 0, result.output
    assert "stack web → t.yaml: 1 role: 1 added, 1 removed" in result.stdout
    assert "AccountId}:parameter/shop/x\n      needed by container web: Secrets[0] NAMED" in result.stdout
    assert "no longer needed: container web: Secrets[0] GONE, line 12" in result.stdout
    # The running tasks need it until the service has replaced them.
    assert "stack web: warning: " in result.stderr
    assert (
        run("diff", "t.yaml", "--stack", "web", template=OLD).stdout
        == "stack web → t.yaml: no execution role changes\n"
    )
    text = run("diff", "t.yaml", "--stack", "web", "--format", "markdown", template=NEW).stdout
    assert "> **Warning**: Resources/Web/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom: tasks of the" in text
    [item] = json.loads(run("diff", "t.yaml", "--stack", "web", "--format", "json", template=NEW).stdout)
    assert [lost["actions"] for lost in item["narrowed"]] == [["ssm:GetParameters"]]


def test_a_stack_that_cannot_be_read(run: Run, session: boto3.session.Session) -> None:
    hook(session, "cloudformation.DescribeStacks", lambda **_: error("ValidationError", "no such stack"))
    result = run("diff", "t.yaml", "--stack", "web", template=NEW)
    assert result.exit_code == 3
    assert "cannot read the stack web" in " ".join(result.stderr.split())
    assert run("diff", "t.yaml", "t.yaml", "--stack", "web").exit_code == 3
