from __future__ import annotations

import difflib
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Run
from tests.support.prove import prove_template

from ecs_exec_role.migrate.edits import Delete, Edit, Insert, NotEditable, Replace, apply
from ecs_exec_role.offline import template_file, yaml_reader
from ecs_exec_role.protocol import respond

TEMPLATE = """\
# A template with a hand-written role.
AWSTemplateFormatVersion: "2010-09-09"   # the usual

Resources:

  # What runs.
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web      # two  spaces
      # ECS needs this one.
      ExecutionRoleArn: !GetAtt WebRole.Arn
      ContainerDefinitions:
      - Name: web
        Image: 'public.ecr.aws/x/y:1'
        Secrets: [ {Name: A, ValueFrom: !Ref Secret} ]

  # The role that is going to go.
  WebRole:
    Type: AWS::IAM::Role
    Properties:
      Path: /ecs/
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement:
          - Effect: Allow
            Principal: {Service: ecs-tasks.amazonaws.com}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: read
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: [secretsmanager:GetSecretValue, logs:*]
                Resource: '*'
              - {Effect: Deny, Action: 's3:*', Resource: '*'}

  # Its policy.
  More:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: more
      Roles: [!Ref WebRole]
      PolicyDocument: {Statement: [{Effect: Allow, Action: "a:B", Resource: "*"}]}

  # What it reads.
  Secret:
    Type: AWS::SecretsManager::Secret
  Service:
    Type: AWS::ECS::Service
    DependsOn: More
    Properties: {TaskDefinition: !Ref Web}   # the end
"""


def changes(run: Run, text: str, *arguments: str, exit_code: int = 0) -> list[str]:
    """The lines that a migration removes and adds."""
    result = run("migrate", "t.yaml", *arguments, template=text)
    assert result.exit_code == exit_code, result.output
    lines = difflib.ndiff(text.splitlines(), result.stdout.splitlines())
    return [line for line in lines if line[0] in "+-"]


def test_one_word_replaces_a_role_and_the_rest_is_not_changed(run: Run) -> None:
    result = run("migrate", "t.yaml", template=TEMPLATE)
    assert result.exit_code == 0
    assert (
        result.stdout
        == """\
# A template with a hand-written role.
AWSTemplateFormatVersion: "2010-09-09"   # the usual
Transform: EcsExecRole

Resources:

  # What runs.
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web      # two  spaces
      # ECS needs this one.
      ExecutionRoleSpec:
        Path: /ecs/
      ContainerDefinitions:
      - Name: web
        Image: 'public.ecr.aws/x/y:1'
        Secrets: [ {Name: A, ValueFrom: !Ref Secret} ]

  # What it reads.
  Secret:
    Type: AWS::SecretsManager::Secret
  Service:
    Type: AWS::ECS::Service
    Properties: {TaskDefinition: !Ref Web}   # the end
"""
    )


def test_what_may_be_needed_stays(run: Run) -> None:
    more = "                Resource: '*'\n"
    grant = "              - {Effect: Allow, Action: kms:Decrypt, Resource: '*'}\n"
    text = TEMPLATE.replace(more, more + grant).replace("!Ref Secret}", "/dev/token}", 1)
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.output
    stays = (
        "        Statements:\n          - Effect: Allow\n            Action: kms:Decrypt\n            Resource: '*'\n"
    )
    assert stays in result.stdout.replace('"', "'")
    assert "kms:Decrypt stays in Statements: check whether it is needed" in result.stderr


def test_line_endings_stay(run: Run, tmp_path: Path) -> None:
    plain = run("migrate", "t.yaml", template=TEMPLATE).stdout
    (tmp_path / "t.yaml").write_bytes(TEMPLATE.replace("\n", "\r\n").encode())
    assert run("migrate", "t.yaml", "--write").exit_code == 0
    assert (tmp_path / "t.yaml").read_bytes() == plain.replace("\n", "\r\n").encode()


def test_says_what_is_removed(run: Run) -> None:
    told = run("migrate", "t.yaml", template=TEMPLATE).stderr
    assert "t.yaml:19: WebRole: ExecutionRoleSpec on Web replaces the role" in told
    assert "removed   line 35: inline policy read allows logs:* on *; nothing needs it to start" in told
    assert "removed   line 44: policy More allows a:B on *" in told
    assert "narrowed  line 35: inline policy read allows secretsmanager:GetSecretValue on *" in told
    assert "removed   line 36: a Deny statement" in told
    assert "t.yaml: 1 role migrated; lines above: 3 removed, 2 narrowed, 0 widened, 0 kept, 0 added, 0 check" in told


def test_keeps_a_role_where_it_is_asked_to(run: Run) -> None:
    lines = changes(run, TEMPLATE, "--keep-roles")
    assert [line for line in lines if line.startswith("+")] == [
        "+ Transform: EcsExecRole",
        "+       ExecutionRoleSpec:",
        "+         TaskDefinitions:",
        "+           - Web",
    ]
    assert "-       # ECS needs this one." in lines
    assert "-       Path: /ecs/" not in lines


@pytest.mark.parametrize(
    "old, new",
    [
        ("    Type: AWS::SecretsManager::Secret\n", "    Type: AWS::SecretsManager::Secret\n    DependsOn: WebRole\n"),
        ("      Path: /ecs/\n", "      RoleName: web-execution\n"),
        ("    Type: AWS::IAM::Role\n", "    Type: AWS::IAM::Role\n    DeletionPolicy: Retain\n"),
        ("Resources:\n", "Outputs:\n  Role: {Value: !Ref WebRole}\nResources:\n"),
    ],
)
def test_a_role_that_must_stay_gets_the_spec(run: Run, old: str, new: str) -> None:
    result = run("migrate", "t.yaml", template=TEMPLATE.replace(old, new, 1))
    assert result.exit_code == 0, result.output
    assert "WebRole: ExecutionRoleSpec replaces its policies" in result.stderr
    assert "      ExecutionRoleSpec:\n        TaskDefinitions:\n          - Web\n" in result.stdout


def test_a_role_of_two_definitions_is_shared(run: Run) -> None:
    more = """\
  Worker:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !Sub arn:aws:iam::${AWS::AccountId}:role/${WebRole}
      ContainerDefinitions: [{Name: worker, Image: nginx}]
"""
    result = run("migrate", "t.yaml", template=TEMPLATE + more)
    assert result.exit_code == 0, result.output
    assert "          - Web\n          - Worker\n" in result.stdout
    assert "ExecutionRoleArn" not in result.stdout


def test_unknown_policies_stay(run: Run) -> None:
    policies = """\
      ManagedPolicyArns:
        - arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy
        - !ImportValue guardrail
      Path: /ecs/
"""
    text = TEMPLATE.replace("      Path: /ecs/\n", policies)
    stdout = run("migrate", "t.yaml", template=text).stdout
    assert "        ManagedPolicyArns:\n          - !ImportValue guardrail\n" in stdout
    assert "AmazonECSTaskExecutionRolePolicy" not in stdout


def test_a_policy_of_several_roles_loses_this_one(run: Run) -> None:
    text = TEMPLATE.replace("[!Ref WebRole]", "[!Ref Other, !Ref WebRole]")
    text += "  Other: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}\n"
    stdout = run("migrate", "t.yaml", template=text).stdout
    assert "      Roles: [!Ref Other]\n" in stdout
    assert "DependsOn: More" in stdout


@pytest.mark.parametrize(
    "old, new, why",
    [
        ("Family: web ", "TaskRoleArn: !GetAtt WebRole.Arn ", "WebRole is a task role too"),
        (
            "{Service: ecs-tasks.amazonaws.com}",
            "{Service: [ecs-tasks.amazonaws.com, lambda.amazonaws.com]}",
            "also allows",
        ),
        ("!GetAtt WebRole.Arn", "!ImportValue shared-role", "is not in this template"),
        ("      Path: /ecs/\n", "      Fn::Transform: {Name: Other}\n", "is made by Fn::Transform"),
    ],
)
def test_what_cannot_be_migrated_is_left_and_said(run: Run, old: str, new: str, why: str) -> None:
    text = "Conditions: {C: !Equals [a, b]}\n" + TEMPLATE.replace(old, new, 1)
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 1
    assert why in result.stderr
    assert result.stdout == text


def test_all_makes_roles_for_the_rest_too(run: Run) -> None:
    text = TEMPLATE.replace("!GetAtt WebRole.Arn", "!ImportValue shared-role")
    lines = changes(run, text, "--all")
    assert "+       ExecutionRoleSpec: Auto" in lines
    assert "-       ExecutionRoleArn: !ImportValue shared-role" in lines


def test_other_transforms_stay(run: Run) -> None:
    lines = changes(
        run, TEMPLATE.replace("Resources:\n", "Transform: AWS::Serverless-2016-10-31  # SAM\nResources:\n", 1)
    )
    assert [line for line in lines if line.startswith("+")][:3] == [
        "+ Transform:",
        "+   - AWS::Serverless-2016-10-31",
        "+   - EcsExecRole  # SAM",
    ]


def test_migrating_twice_changes_nothing_more(run: Run) -> None:
    once = run("migrate", "t.yaml", template=TEMPLATE).stdout
    twice = run("migrate", "t.yaml", template=once)
    assert (twice.exit_code, twice.stdout) == (0, once)
    assert twice.stderr == "t.yaml: nothing to migrate\n"


def test_batch_and_its_nested_role(run: Run) -> None:
    text = """\
        Resources:
          Job:
            Type: AWS::Batch::JobDefinition
            Properties:
              # What kind.
              Type: container
              EcsProperties:
                TaskProperties:
                  - ExecutionRoleArn: !GetAtt Role.Arn
                    Containers: [{Image: nginx}]
          Role:
            Type: AWS::IAM::Role
            Properties:
              AssumeRolePolicyDocument:
                Statement: {Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}
        """
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.output
    assert result.stdout == textwrap.dedent("""\
        Transform: EcsExecRole
        Resources:
          Job:
            Type: AWS::Batch::JobDefinition
            Properties:
              ExecutionRoleSpec: Auto
              # What kind.
              Type: container
              EcsProperties:
                TaskProperties:
                  - Containers: [{Image: nginx}]
        """)


def test_json_keeps_its_layout(run: Run, tmp_path: Path) -> None:
    data = template_file.parse("t.yaml", TEMPLATE).data
    text = json.dumps(data, indent=4)
    (tmp_path / "t.json").write_text(text, encoding="utf-8")
    result = run("migrate", "t.json")
    assert result.exit_code == 0, result.output
    migrated = json.loads(result.stdout)
    assert list(migrated) == ["AWSTemplateFormatVersion", "Transform", "Resources"]
    assert list(migrated["Resources"]) == ["Web", "Secret", "Service"]
    assert migrated["Resources"]["Web"]["Properties"]["ExecutionRoleSpec"] == {"Path": "/ecs/"}
    assert result.stdout == json.dumps(migrated, indent=4)


def test_writes_files_and_shows_differences(run: Run, tmp_path: Path) -> None:
    shown = run("migrate", "t.yaml", "--diff", template=TEMPLATE).stdout
    assert shown.startswith("--- t.yaml\n+++ t.yaml\n@@ ")
    whole = run("migrate", "t.yaml").stdout
    result = run("migrate", "t.yaml", "--write")
    assert result.stdout == ""
    assert (tmp_path / "t.yaml").read_text(encoding="utf-8") == whole
    assert run("migrate", "t.yaml", "--diff").stdout == ""
    assert run("migrate", "t.yaml", "--diff", "--write").exit_code == 2
    assert run("migrate", "-", "--write", stdin=whole).exit_code == 2
    assert run("migrate", "t.yaml", "t.yaml", "-", stdin=whole).exit_code == 2
    assert run("migrate", "-", stdin=TEMPLATE).stdout == whole


BLOCK = """\
A:
  # about B
  B: 1   # one
  # about C
  C:
    - x
    - y   # why

  # about D
  D: |
    text

    more

E: {F: 1, G: [1, 2, 3], H: 2}
I:
  - J: 1
    K: 2
"""


@pytest.mark.parametrize(
    "edits, expected",
    [
        ([Delete(("A", "B"))], BLOCK.replace("  # about B\n  B: 1   # one\n", "")),
        ([Delete(("A", "C"))], BLOCK.replace("  # about C\n  C:\n    - x\n    - y   # why\n", "")),
        ([Delete(("A", "C", "0"))], BLOCK.replace("    - x\n", "")),
        ([Delete(("A", "D"))], BLOCK.replace("  # about D\n  D: |\n    text\n\n    more\n\n", "")),
        ([Delete(("E", "F"))], BLOCK.replace("F: 1, ", "")),
        ([Delete(("E", "H"))], BLOCK.replace(", H: 2", "")),
        ([Delete(("E", "G")), Delete(("E", "H"))], BLOCK.replace(", G: [1, 2, 3], H: 2", "")),
        ([Delete(("E", "G", "0")), Delete(("E", "G", "2"))], BLOCK.replace("[1, 2, 3]", "[2]")),
        ([Delete(("I", "0", "J"))], BLOCK.replace("J: 1\n    K", "K")),
        ([Delete(("I", "0", "K"))], BLOCK.replace("    K: 2\n", "")),
        ([Replace(("A", "B"), "Z", {"a": [1]})], BLOCK.replace("B: 1 ", "Z:\n    a:\n      - 1 ")),
        ([Replace(("E", "F"), "Z", {"a": ["b c"]})], BLOCK.replace("F: 1", "Z: {a: [b c]}")),
        ([Insert(("A",), "Z", 1)], BLOCK.replace("  # about B", "  Z: 1\n  # about B")),
        ([Insert(("E",), "Z", 1)], BLOCK.replace("{F", "{Z: 1, F")),
        ([Insert(("E",), "Z", 1, after="F")], BLOCK.replace("F: 1", "F: 1, Z: 1")),
        ([Insert(("A",), "Z", 1, after="B")], BLOCK.replace("# one\n", "# one\n  Z: 1\n")),
        ([Insert(("I", "0"), "Z", 1)], BLOCK.replace("J: 1", "Z: 1\n    J: 1")),
    ],
)
def test_edits_touch_nothing_else(edits: list[Edit], expected: str) -> None:
    resources = "Resources: {}\n"
    assert apply(template_file.parse("t", BLOCK + resources), edits).text == expected + resources


@pytest.mark.parametrize(
    "text, edits",
    [
        ("A: {B: 1}\n", [Delete(("A", "B"))]),
        ("A:\n  B: 1\n", [Delete(("A", "B"))]),
        ("A: &x {B: 1, C: 2}\nD: *x\n", [Delete(("D", "B"))]),
        ("A: &x {B: 1, C: 2}\nD: *x\n", [Delete(("A", "B"))]),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, edits: list[Edit]) -> None:
    with pytest.raises(NotEditable):
        apply(template_file.parse("t", text + "Resources: {}\n"), edits)


ROLE_BY_ANCHOR = """\
Resources:
  RoleA:
    Type: AWS::IAM::Role
    Properties: &properties
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}]
  RoleB:
    Type: AWS::IAM::Role
    Properties: *properties
  A:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt RoleA.Arn
      ContainerDefinitions: [{Name: a, Image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/a:1}]
  B:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt RoleB.Arn
      ContainerDefinitions: [{Name: b, Image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/b:1}]
"""


def test_a_role_whose_anchor_is_used_elsewhere_stays_and_the_message_is_about_the_users_file(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(ROLE_BY_ANCHOR)
    result = run("migrate", str(path))
    [shared] = [line for line in result.stderr.splitlines() if "RoleA cannot" in line]
    assert shared.endswith(
        ":2:3: Resources/RoleA: RoleA cannot be rewritten: other parts of the file use its anchor `&properties`;"
        " write the ExecutionRoleSpec by hand"
    )
    assert "not valid YAML" not in result.stderr
    # RoleB only refers to it, and can be removed.
    migrated = yaml_reader.read(result.stdout)[0]["Resources"]
    assert set(migrated) == {"RoleA", "A", "B"}
    assert migrated["B"]["Properties"]["ExecutionRoleSpec"] == "Auto"
    assert migrated["RoleA"] == yaml_reader.read(ROLE_BY_ANCHOR)[0]["Resources"]["RoleA"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("    Properties: *properties", "    Properties:\n      <<: *properties", "is an alias of another part"),
        ("Statement: [", "Statement: &statement [", "use its anchor `&properties`"),
    ],
)
def test_other_ways_to_share_parts_by_anchors_are_reported(
    run: Run, tmp_path: Path, old: str, new: str, what: str
) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(ROLE_BY_ANCHOR.replace(old, new))
    result = run("migrate", str(path))
    assert what in result.stderr
    assert "not valid YAML" not in result.stderr
    assert "is written twice" not in result.stderr


ROLE = """\
  WebRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: x
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: GRANTED, Resource: "*"}
"""

OWN_OR_GIVEN = """\
Parameters:
  RoleArn: {Type: String, Default: ""}
  Image: {Type: String, Default: nginx}
Conditions:
  NoRole: !Equals [!Ref RoleArn, ""]   # create or bring your own
  HasRole: !Not [!Condition NoRole]
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      # Theirs or ours.
      ExecutionRoleArn: !If [HasRole, !Ref RoleArn, !GetAtt WebRole.Arn]  # both
      ContainerDefinitions:
        - Name: web
          Image: !Ref Image
          Secrets: [{Name: TOKEN, ValueFrom: /prod/token}]
""" + ROLE.replace("    Properties", "    Condition: NoRole\n    Properties", 1)


def proved(text: str, given: dict[str, str] | None = None, imports: dict[str, str] | None = None) -> None:
    """The macro's answer to a migrated template allows exactly what is needed, in each setting of its conditions."""
    data = template_file.parse("t.yaml", text).data
    proof = prove_template(
        {key: node for key, node in data.items() if key != "Transform"}, respond, given or {}, imports=imports or {}
    )
    assert (proof.findings, proof.refused, proof.impossible) == ({}, {}, [])


@pytest.mark.parametrize(
    "old, new, arn",
    [
        ("", "", "!If [HasRole, !Ref RoleArn, !GetAtt WebRole.Arn]"),
        ("!GetAtt WebRole.Arn]", "!Ref WebRole]", "!If [HasRole, !Ref RoleArn, !GetAtt WebRole.Arn]"),
        ("!If [HasRole, !Ref RoleArn, !GetAtt WebRole.Arn]", "!If [NoRole, !GetAtt WebRole.Arn, !Ref RoleArn]", ""),
        ("!Ref RoleArn, !GetAtt", "!Ref AWS::NoValue, !GetAtt", ""),
        ("    Condition: NoRole\n", "", ""),
    ],
)
def test_a_role_made_under_a_condition_gets_the_spec(run: Run, old: str, new: str, arn: str) -> None:
    text = OWN_OR_GIVEN.replace("GRANTED", "ssm:GetParameters").replace(old, new, 1)
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.output
    lines = [line for line in difflib.ndiff(text.splitlines(), result.stdout.splitlines()) if line[0] in "+-"]
    added = ["+ Transform: EcsExecRole", "+       ExecutionRoleSpec: Auto"]
    rewritten = [f"+       ExecutionRoleArn: {arn}  # both"] if "!Ref WebRole" in new else []
    assert sorted(line for line in lines if line[0] == "+") == sorted([*added, *rewritten])
    assert len(lines) == len(ROLE.splitlines()) - 3 + len(added) + 2 * len(rewritten)
    proved(result.stdout)
    again = run("migrate", "t.yaml", template=result.stdout)
    assert (again.exit_code, again.stdout) == (0, result.stdout)


def test_says_that_the_given_role_stays(run: Run) -> None:
    told = run("migrate", "t.yaml", template=OWN_OR_GIVEN.replace("GRANTED", "ssm:GetParameters")).stderr
    assert "the definitions use it under the same conditions as before" in told
    assert "Web also uses ${RoleArn} under a condition; this is not changed" in told


def test_two_roles_chosen_by_a_condition_get_a_spec_each(run: Run) -> None:
    text = OWN_OR_GIVEN.replace("!Ref RoleArn, !Get", "!GetAtt Other.Arn, !Get").replace("    Condition: NoRole\n", "")
    text = (text + ROLE.replace("WebRole", "Other")).replace("GRANTED", "ssm:GetParameters")
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("ExecutionRoleSpec: Auto") == 2
    proved(result.stdout)


@pytest.mark.parametrize("granted", ["'*'", "kms:*", "kms:D*", "'kms:Decrypt'", "[ssm:GetParameters, 'kms:*']"])
def test_decrypt_with_a_key_that_is_not_seen_is_kept(run: Run, granted: str) -> None:
    text = OWN_OR_GIVEN.replace("GRANTED", granted)
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.output
    kept = template_file.parse("t.yaml", result.stdout).data["Resources"]["WebRole"]["Properties"]
    statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    assert kept == {"ExecutionRoleSpec": {"Statements": [statement]}}
    assert "kms:Decrypt stays in Statements: check whether it is needed" in result.stderr
    proved(result.stdout)


def test_decrypt_beside_notaction_is_kept(run: Run) -> None:
    text = OWN_OR_GIVEN.replace("Action: GRANTED", "NotAction: 'iam:*'")
    kept = template_file.parse("t.yaml", run("migrate", "t.yaml", template=text).stdout).data
    spec = kept["Resources"]["WebRole"]["Properties"]["ExecutionRoleSpec"]
    assert spec == {"Statements": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}]}


def test_what_the_macro_cannot_classify_keeps_its_grants(run: Run) -> None:
    text = TEMPLATE.replace("'public.ecr.aws/x/y:1'", "!ImportValue image").replace("logs:*", "ecr:*")
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.output
    spec = template_file.parse("t.yaml", result.stdout).data["Resources"]["Web"]["Properties"]["ExecutionRoleSpec"]
    pull = [
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        # The image can be that of a pull-through cache.
        "ecr:BatchImportUpstreamImage",
        "ecr:CreateRepository",
    ]
    kept = [{"Effect": "Allow", "Action": pull, "Resource": "*"}]
    assert spec == {"Path": "/ecs/", "Unresolved": "Ignore", "Statements": kept}
    assert "cannot tell which image `!ImportValue image` is" in result.stderr
    assert "`Unresolved: Ignore` is added" in result.stderr
    proved(result.stdout, imports={"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1"})


def test_a_parameter_that_the_macro_reads_at_deployment_needs_no_wide_grant(run: Run) -> None:
    text = OWN_OR_GIVEN.replace("{Type: String, Default: nginx}", "{Type: String}").replace("GRANTED", "ecr:*")
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.output
    assert "      ExecutionRoleSpec: Auto\n" in result.stdout
    assert (
        "the macro reads the value of Image at deployment; give --parameter Image=… to see the result now"
        in result.stderr
    )
    proved(result.stdout, {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1"})


def test_managed_policies_that_others_may_need_stay_as_they_are(run: Run) -> None:
    policies = """\
      ManagedPolicyArns:
        - 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy'  # theirs
      RoleName: web
"""
    text = TEMPLATE.replace("      Path: /ecs/\n", policies)
    result = run("migrate", "t.yaml", template=text)
    assert policies in result.stdout
    assert "the policy stays attached: check whether it is needed" in result.stderr


def test_a_role_in_outputs_may_be_used_by_other_stacks(run: Run) -> None:
    text = "Outputs: {Role: {Value: !GetAtt WebRole.Arn}}\n" + TEMPLATE
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.output
    assert "the role is in the template's Outputs, so another stack may use it and need it" in result.stderr
    properties = template_file.parse("t.yaml", result.stdout).data["Resources"]["WebRole"]["Properties"]
    assert [statement["Action"] for statement in properties["ExecutionRoleSpec"]["Statements"]] == [
        "secretsmanager:GetSecretValue",
        "logs:*",
        "a:B",
    ]


def test_an_exported_role_keeps_its_arn_and_what_others_may_need(run: Run) -> None:
    output = "Outputs: {R: {Value: !GetAtt WebRole.Arn, Export: {Name: r}}}\n"
    result = run("migrate", "t.yaml", template=output + TEMPLATE)
    assert result.exit_code == 0, result.stderr
    before, after = template_file.parse("t", output + TEMPLATE).data, template_file.parse("t", result.stdout).data
    assert after["Outputs"] == before["Outputs"]
    spec = after["Resources"]["WebRole"]["Properties"]["ExecutionRoleSpec"]
    assert spec["TaskDefinitions"] == ["Web"]
    granted = [item for item in spec["Statements"] if item["Effect"] == "Allow"]
    assert {action for item in granted for action in flat(item["Action"])} >= {
        "logs:*",
        "secretsmanager:GetSecretValue",
    }
    assert len(granted) == len(spec["Statements"])  # The Deny statement does not limit any of these.
    assert "removed   line 37: a Deny statement" in result.stderr
    assert run("expand", "-", stdin=result.stdout).exit_code == 0


def flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize(
    "deny",
    [
        '{Effect: Deny, Action: "secretsmanager:*", Resource: !Sub "arn:aws:secretsmanager:*:*:secret:prod/*"}',
        '{Effect: Deny, NotAction: "s3:*", Resource: "*", Condition: {Bool: {aws:SecureTransport: "false"}}}',
        '{Sid: No, Effect: Deny, Action: "secretsmanager:*", NotResource: !Sub "arn:aws:secretsmanager:*:*:secret:a*"}',
        '!If [C, {Effect: Deny, Action: "secretsmanager:*", Resource: "*"}, !Ref AWS::NoValue]',
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_a_deny_stays_where_other_grants_stay(run: Run, deny: str, as_text: bool) -> None:
    text = f"""\
Conditions: {{C: !Equals [!Ref AWS::Region, eu-west-1]}}
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions: [{{Name: web, Image: nginx}}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: shared
      AssumeRolePolicyDocument:
        Statement: [{{Effect: Allow, Principal: {{Service: ecs-tasks.amazonaws.com}}, Action: "sts:AssumeRole"}}]
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement:
              - {{Effect: Allow, Action: "secretsmanager:GetSecretValue", Resource: "*"}}
              - {deny}
"""
    data = template_file.parse("t", text).data
    policy = data["Resources"]["Role"]["Properties"]["Policies"][0]
    if as_text and "!If" not in deny and "!Sub" not in deny:
        policy["PolicyDocument"] = json.dumps(policy["PolicyDocument"])
        text = json.dumps(data)
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.stderr
    spec = template_file.parse("t", result.stdout).data["Resources"]["Role"]["Properties"]["ExecutionRoleSpec"]
    denied = template_file.parse("t", f"Resources: {{}}\nX: {deny}").data["X"]
    assert {key: value for key, value in denied.items() if key != "Sid"} in spec["Statements"]
    assert "a Deny statement stays in Statements, since it may deny what the new role allows" in result.stderr
    assert "removed   line" not in result.stderr
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    assert next(iter(audit["replacement"].values()))["Statements"] == spec["Statements"]


def test_a_deny_that_the_tasks_do_not_get_past_is_left(run: Run) -> None:
    text = TEMPLATE.replace("Resources:\n", "Outputs: {R: {Value: !Ref WebRole}}\nResources:\n", 1)
    text = text.replace("{Effect: Deny, Action: 's3:*', Resource: '*'}", "{Effect: Deny, Action: '*', Resource: '*'}")
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 1
    assert "is denied by inline policy read" in result.stderr
    assert "change that Deny so that it does not match this" in result.stderr


ONE_SECRET = """\
Resources:
  S: {Type: AWS::SecretsManager::Secret}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: "sts:AssumeRole"TRUST}]
      Policies:
        - PolicyName: s
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: "secretsmanager:GetSecretValue", Resource: !Ref SALLOW}
DENY
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions: [{Name: a, Image: nginx, Secrets: [{Name: X, ValueFrom: !Ref S}]}]
"""


def one_secret(*, trust: str = "", allow: str = "", deny: str = "") -> str:
    written = f"              - {deny}" if deny else ""
    return ONE_SECRET.replace("TRUST", trust).replace("ALLOW", allow).replace("DENY", written)


@pytest.mark.parametrize(
    "deny",
    [
        '{Effect: Deny, Action: "secretsmanager:*", Resource: "*", Condition: {StringNotEquals: {aws:SourceVpc: v}}}',
        '{Effect: Deny, Action: "*", Resource: "*", Condition: {Bool: {aws:ViaAWSService: "false"}}}',
        '{Effect: Deny, NotAction: "s3:*", Resource: "*", Condition: {NotIpAddress: {aws:SourceIp: 10.0.0.0/8}}}',
        '{Effect: Deny, Action: "secretsmanager:Get*", Resource: "arn:aws:secretsmanager:*:*:secret:prod/*"}',
    ],
)
def test_a_deny_stays_that_may_deny_what_the_new_role_allows(run: Run, deny: str) -> None:
    result = run("migrate", "t.yaml", template=one_secret(deny=deny))
    assert result.exit_code == 0, result.stderr
    spec = template_file.parse("t", result.stdout).data["Resources"]["Web"]["Properties"]["ExecutionRoleSpec"]
    assert spec["Statements"] == [template_file.parse("t", f"Resources: {{}}\nX: {deny}").data["X"]]
    assert "kept      line 15: a Deny statement stays in Statements" in result.stderr
    assert "removed   line" not in result.stderr
    assert run("expand", "-", stdin=result.stdout).exit_code == 0
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=one_secret(deny=deny)).stdout)
    assert next(iter(audit["replacement"].values()))["Statements"] == spec["Statements"]


DENIED_ELSEWHERE = [
    '{Effect: Deny, Action: "secretsmanager:*", Resource: "arn:aws:secretsmanager:eu-west-1:*:secret:prod/*"}',
    '{Effect: Deny, Action: "*", Resource: ["arn:aws:s3:::a", "arn:aws:secretsmanager:*:*:secret:x-??????"]}',
    '{Effect: Deny, NotAction: "s3:*", Resource: "arn:aws:dynamodb:*:*:table/a"}',
]
NAMED = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dev/a-a1B2c3"
NAMED_BY_PARAMETER = """\
Resources:
  S: {Type: AWS::SecretsManager::Secret, Properties: {Name: !Sub "${Stage}/a"}}"""
HERE = ("--region", "eu-west-1", "--account", "123456789012")


@pytest.mark.parametrize("deny", DENIED_ELSEWHERE)
def test_a_deny_of_other_resources_is_not_kept(run: Run, deny: str) -> None:
    text = one_secret(deny=deny).replace("!Ref S", NAMED)
    result = run("migrate", "t.yaml", *HERE, template=text)
    assert result.exit_code == 0, result.stderr
    spec = template_file.parse("t", result.stdout).data["Resources"]["Web"]["Properties"]["ExecutionRoleSpec"]
    assert spec == "Auto"
    assert "removed   line 15: a Deny statement; the new role allows nothing that it denies" in result.stderr
    [audit] = json.loads(run("audit", "t.yaml", *HERE, "--format", "json", template=text).stdout)
    assert [denial["calls"] for denial in audit["denials"]] == [[]]
    assert list(audit["replacement"].values()) == ["Auto"]


@pytest.mark.parametrize(
    "change",
    [
        ("!Ref S", "!Sub 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:${Stage}/a-a1B2c3'"),
        (":secret:prod/*", ":secret:${Stage}*"),
        (":secret:prod/*", ":secret:dev/b*"),
        ("Resources:\n  S: {Type: AWS::SecretsManager::Secret}", NAMED_BY_PARAMETER),
        (":secret:prod/*", ":secret:*"),
    ],
)
def test_a_deny_that_may_match_with_another_value_of_a_parameter_is_kept(run: Run, change: tuple[str, str]) -> None:
    sub = '"arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/*"'
    condition = 'Condition: {Bool: {a: "true"}}'
    deny = f'{{Effect: Deny, Action: "secretsmanager:Get*", Resource: !Sub {sub}, {condition}}}'
    text = "Parameters: {Stage: {Type: String, Default: dev}}\n" + one_secret(deny=deny)
    text = text.replace(*change)
    text = text if change[1] == NAMED_BY_PARAMETER else text.replace("!Ref S", NAMED)
    result = run("migrate", "t.yaml", *HERE, template=text)
    assert result.exit_code == 0, result.stderr
    kept = "a Deny statement stays in Statements, since it may deny what the new role allows" in result.stderr
    assert kept is (change[1] != ":secret:dev/b*")


def test_a_deny_of_what_a_task_needs_leaves_the_role(run: Run) -> None:
    deny = '{Effect: Deny, Action: "secretsmanager:*", Resource: "*"}'
    result = run("migrate", "t.yaml", template=one_secret(deny=deny))
    assert result.exit_code == 1
    assert result.stdout == one_secret(deny=deny)


def test_a_grant_that_loses_its_condition_is_widened(run: Run) -> None:
    text = one_secret(allow=", Condition: {StringEquals: {aws:SourceVpce: vpce-1}}")
    result = run("migrate", "t.yaml", template=text)
    assert "widened   line 14: secretsmanager:GetSecretValue" in result.stderr
    assert "the new role allows it without that condition" in result.stderr
    assert ", 1 widened, " in result.stderr
    assert ", 1 widened, " not in run("migrate", "t.yaml", template=one_secret()).stderr


@pytest.mark.parametrize(
    ("condition", "stays"),
    [
        ("ArnEquals: {aws:SourceArn: !Sub 'arn:aws:ecs:${AWS::Region}:${AWS::AccountId}:cluster/prod'}", True),
        ("StringEquals: {aws:SourceOrgID: o-1}", True),
        ("StringNotEquals: {aws:SourceAccount: !Ref AWS::AccountId}", True),
        ("StringEquals: {aws:SourceAccount: '111122223333'}", True),
        ("StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}", False),
        ("ArnLike: {aws:SourceArn: !Sub 'arn:${AWS::Partition}:ecs:*:${AWS::AccountId}:*'}", False),
        ("StringLike: {aws:SourceAccount: [!Ref AWS::AccountId, '111122223333']}", False),
    ],
)
def test_a_trust_policy_stays_that_may_allow_less(run: Run, tmp_path: Path, condition: str, stays: bool) -> None:
    text = one_secret(trust=f", Condition: {{{condition}}}")
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.stderr
    before, after = template_file.parse("t", text).data, template_file.parse("t", result.stdout).data
    assert ("Role" in after["Resources"]) == stays
    assert ("kept      line 6: the trust policy stays" in result.stderr) == stays
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    place = "Role" if stays else "Web"
    assert list(audit["replacement"]) == [f"Resources/{place}/Properties/ExecutionRoleSpec"]
    if stays:
        trust = "AssumeRolePolicyDocument"
        own = before["Resources"]["Role"]["Properties"][trust]
        assert after["Resources"]["Role"]["Properties"][trust] == own
        expanded = json.loads(run("expand", "-", "--format", "json", stdin=result.stdout).stdout)
        assert expanded["Resources"]["Role"]["Properties"][trust] == own
    (tmp_path / "new.yaml").write_text(result.stdout)
    assert run("diff", "t.yaml", "new.yaml", "--fail-on", "added", template=text).exit_code == 0


def test_a_trust_policy_stays_on_a_role_without_policies_of_its_own(run: Run) -> None:
    text = """\
Resources:
  S: {Type: AWS::SecretsManager::Secret}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: ecs-tasks.amazonaws.com}
            Action: sts:AssumeRole
            Condition: {StringEquals: {aws:SourceOrgID: o-1}}
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: p
      Roles: [!Ref Role]
      PolicyDocument: {Statement: [{Effect: Allow, Action: "secretsmanager:GetSecretValue", Resource: !Ref S}]}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions: [{Name: a, Image: nginx, Secrets: [{Name: X, ValueFrom: !Ref S}]}]
"""
    result = run("migrate", "t.yaml", template=text)
    assert result.exit_code == 0, result.stderr
    before, after = template_file.parse("t", text).data, template_file.parse("t", result.stdout).data
    own = before["Resources"]["Role"]["Properties"]
    assert after["Resources"]["Role"]["Properties"] == {**own, "ExecutionRoleSpec": {"TaskDefinitions": ["Web"]}}
    assert "Policy" not in after["Resources"]


def test_a_deny_of_the_trust_policy_stays(run: Run) -> None:
    deny = (
        "}, {Effect: Deny, Principal: '*', Action: 'sts:AssumeRole', Condition: {Bool: {aws:SecureTransport: 'false'}}"
    )
    result = run("migrate", "t.yaml", template=one_secret(trust=deny))
    assert "kept      line 6: the trust policy stays" in result.stderr


PASSES = """\
  Runner:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: {Statement: [{Effect: Allow, Action: "iam:PassRole", Resource: ARN}]}
"""


@pytest.mark.parametrize(
    ("arn", "stays"),
    [
        ('!Sub "arn:aws:iam::${AWS::AccountId}:role/${AWS::StackName}-Role-*"', True),
        ('!Sub "arn:aws:iam::${AWS::AccountId}:role/*-Ro*"', True),
        ('"arn:aws:iam::123456789012:role/prod-Role-*"', True),
        ('!Join ["", ["arn:aws:iam::", !Ref AWS::AccountId, ":role/", !Ref AWS::StackName, "-Role-*"]]', True),
        ('!Sub "arn:aws:iam::${AWS::AccountId}:role/${AWS::StackName}-*"', False),
        ('"arn:aws:iam::123456789012:role/*"', False),
        ('"arn:aws:iam::123456789012:role/prod-Other-*"', False),
    ],
)
def test_a_role_keeps_its_logical_id_if_a_pattern_names_it(run: Run, arn: str, stays: bool) -> None:
    result = run("migrate", "t.yaml", template=one_secret() + PASSES.replace("ARN", arn))
    assert result.exit_code == 0, result.stderr
    assert ("Role" in template_file.parse("t", result.stdout).data["Resources"]) == stays
    assert ("the new role has another name and ARN" in result.stderr) != stays


IMPORTED_IMAGE = """\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: r
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: "sts:AssumeRole"}]
      ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy]
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - Name: a
          Image: !ImportValue x
"""


def test_a_managed_policy_that_stays_attached_is_not_copied(run: Run) -> None:
    result = run("migrate", "t.yaml", template=IMPORTED_IMAGE)
    properties = template_file.parse("t", result.stdout).data["Resources"]["Role"]["Properties"]
    assert properties["ExecutionRoleSpec"] == {"TaskDefinitions": ["Web"], "Unresolved": "Ignore"}
    assert properties["ManagedPolicyArns"] == ["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"]
    assert "Statements" not in result.stderr
    assert result.stderr.count("the policy stays attached") == 2


def test_a_value_that_is_not_known_is_told_once_with_its_line(run: Run) -> None:
    told = run("migrate", "t.yaml", template=IMPORTED_IMAGE).stderr
    assert [line.split(":")[0] for line in told.splitlines() if " image `!ImportValue x` is" in line] == [
        "  check     line 15"
    ]


def test_quiet_says_why_something_was_not_changed(run: Run) -> None:
    text = one_secret(deny='{Effect: Deny, Action: "*", Resource: "*"}')
    result = run("migrate", "t.yaml", "--write", "--quiet", template=text)
    assert result.exit_code == 1
    assert "is denied by inline policy s" in result.stderr
    fine = run("migrate", "t.yaml", "--write", "--quiet", template=one_secret())
    assert (fine.exit_code, fine.stderr) == (0, "")


def test_the_numbers_are_those_of_the_list(run: Run) -> None:
    for text in (TEMPLATE, IMPORTED_IMAGE, one_secret()):
        told = run("migrate", "t.yaml", template=text).stderr
        listed = [line.split()[0] for line in told.splitlines() if line.startswith("  ")]
        counted = re.findall(r"(\d+) (\w+)", told.splitlines()[-1].partition("lines above: ")[2])
        assert {word: int(number) for number, word in counted} == {
            word: listed.count(word) for word in ("removed", "narrowed", "widened", "kept", "added", "check")
        }
        assert "replace the managed policy" not in told


@pytest.mark.parametrize(
    "group", ["${AWS::Region}:${AWS::AccountId}:log-group:/ecs/a", "eu-west-1:123456789012:log-group:/ecs/b"]
)
def test_a_grant_that_matches_no_log_stream_is_removed_from_a_named_role(run: Run, group: str) -> None:
    text = """\
Resources:
  Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /ecs/a}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: r
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: "sts:AssumeRole"}]
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: [logs:CreateLogStream, logs:PutLogEvents]
                Resource: !Sub arn:aws:logs:GROUP
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - Name: a
          Image: nginx
          LogConfiguration: {LogDriver: awslogs, Options: {awslogs-group: !Ref Logs, awslogs-region: !Ref AWS::Region}}
""".replace("GROUP", group)
    result = run("migrate", "t.yaml", template=text)
    assert "removed   line 15: inline policy p allows logs:CreateLogStream, logs:PutLogEvents" in result.stderr
    assert "others" not in result.stderr
    assert "other stacks" not in result.stderr
    spec = template_file.parse("t", result.stdout).data["Resources"]["Role"]["Properties"]["ExecutionRoleSpec"]
    assert spec == {"TaskDefinitions": ["Web"]}


@pytest.mark.parametrize(
    "change",
    [
        ("ecs-tasks.amazonaws.com", "ecs.amazonaws.com"),
        ("ecs-tasks.amazonaws.com", "[ecs-tasks.amazonaws.com, lambda.amazonaws.com]"),
        ("ValueFrom: !Ref S}", "ValueFrom: {Fn::Sub: [{'a:b:': null}, {}]}}"),
        ("Resource: !Ref S}", 'Resource: !Ref S}\n              - {Effect: Deny, Action: "*", Resource: "*"}'),
    ],
)
def test_audit_offers_no_spec_where_migrate_refuses(run: Run, change: tuple[str, str]) -> None:
    text = one_secret().replace(*change)
    assert text != one_secret()
    assert run("migrate", "t.yaml", template=text).exit_code == 1
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    assert audit["replacement"] == {}
    assert "the spec that replaces it" not in run("audit", "t.yaml", template=text).stdout


def test_a_value_that_cannot_be_read_is_said_first_and_once(run: Run) -> None:
    text = one_secret(allow='}\n              - {Effect: Allow, Action: "s3:*", Resource: "*"')
    text = text.replace("ValueFrom: !Ref S}", "ValueFrom: {Fn::Sub: [{'a:b:': null}, {}]}}")
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    codes = [finding["code"] for finding in audit["findings"]]
    # What no value of `Secrets` can need is in excess, whatever this one is.
    assert codes == ["value-unreadable", "permission-unused", "trust-without-source", "use-uncertain"]


def test_audit_proposes_what_a_managed_policy_grants_and_may_be_needed(run: Run) -> None:
    text = IMPORTED_IMAGE.replace("      RoleName: r\n", "")
    [audit] = json.loads(run("audit", "t.yaml", "--format", "json", template=text).stdout)
    result = run("migrate", "t.yaml", template=text)
    spec = template_file.parse("t", result.stdout).data["Resources"]["Web"]["Properties"]["ExecutionRoleSpec"]
    [proposed] = audit["replacement"].values()
    assert proposed == spec
    assert "ecr:BatchGetImage" in spec["Statements"][0]["Action"]


def test_narrowed_says_what_the_new_role_allows(run: Run) -> None:
    text = IMPORTED_IMAGE.replace("      RoleName: r\n", "").replace("!ImportValue x", "!Sub ${Repo.RepositoryUri}:1")
    told = run("migrate", "t.yaml", template=text + "  Repo: {Type: AWS::ECR::Repository}\n").stderr
    [narrowed] = [line for line in told.splitlines() if "needed on fewer resources" in line]
    assert "; the new role allows only ecr:BatchCheckLayerAvailability" in narrowed
    assert "allow only" not in told


def test_the_role_of_what_starts_the_tasks_is_not_changed(run: Run) -> None:
    starter = """\
  Nightly:
    Type: AWS::Serverless::StateMachine
    Properties:
      Definition:
        StartAt: Run
        States:
          Run:
            Type: Task
            Resource: arn:aws:states:::ecs:runTask.sync
            Parameters: {Cluster: c, TaskDefinition: !Ref Web}
            End: true
      Policies:
        - Statement:
            - {Effect: Allow, Action: ecs:RunTask, Resource: !Ref Web}
            - {Effect: Allow, Action: "iam:PassRole", Resource: RESOURCE}
"""
    transform = "Transform: AWS::Serverless-2016-10-31\n"
    for resource in ('"*"', '"arn:aws:iam::123456789012:role/other"'):
        text = transform + one_secret() + starter.replace("RESOURCE", resource)
        result = run("migrate", "t.yaml", template=text)
        assert result.exit_code == 0, result.stderr
        [line] = [line for line in result.stderr.splitlines() if "iam:PassRole" in line]
        assert line.startswith("  check ")
        assert line.endswith("; this is not changed")
