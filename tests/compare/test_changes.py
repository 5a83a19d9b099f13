from __future__ import annotations

from pathlib import Path

import pytest

from ecs_exec_role.compare import changes, side
from ecs_exec_role.compare.changes import Comparison, GrantChange
from ecs_exec_role.migrate import plan
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.macro_call import StackValues

STACK = StackValues()

BASE = """\
Transform: EcsExecRole
Conditions: {IsProd: !Equals [!Ref AWS::StackName, prod]}
Resources:
  Logs: {Type: AWS::Logs::LogGroup}
  Key: {Type: AWS::KMS::Key, Properties: {KeyPolicy: {}}}
  First: {Type: AWS::SecretsManager::Secret, Properties: {KmsKeyId: !Ref Key}}
  Second: {Type: AWS::SecretsManager::Secret, Properties: {KmsKeyId: !Ref Key}}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: SPEC
      ContainerDefinitions:
        - Name: web
          Image: public.ecr.aws/x/y:1
          Secrets:
            - {Name: ONE, ValueFrom: !Ref First}
"""
AUTO = BASE.replace("SPEC", "Auto")
SECOND = "            - {Name: TWO, ValueFrom: !Ref Second}\n"

HAND = """\
Conditions: {IsProd: !Equals [!Ref AWS::StackName, prod]}
Resources:
  Logs: {Type: AWS::Logs::LogGroup}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - Name: web
          Image: public.ecr.aws/x/y:1
          Secrets: [{Name: ONE, ValueFrom: a}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: "sts:AssumeRole"}
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement:
              - STATEMENT
"""
NEEDED = (
    '{Effect: Allow, Action: "ssm:GetParameters", '
    'Resource: !Sub "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/a"}'
)


def compared(before: str, after: str, stack: StackValues = STACK) -> Comparison:
    sides = (template_file.parse(name, text) for name, text in (("old.yaml", before), ("new.yaml", after)))
    return changes.of(*(side.read(template, stack) for template in sides))


def only(comparison: Comparison) -> tuple[GrantChange, ...]:
    [role] = comparison.roles
    return role.grants


def hand(statement: str) -> str:
    return HAND.replace("STATEMENT", statement)


def test_the_same_template_changes_nothing() -> None:
    assert compared(AUTO, AUTO).roles == ()
    assert compared(hand(NEEDED), hand(NEEDED)).roles == ()
    assert compared(AUTO, AUTO).unchanged == 1


def test_a_secret_that_is_added_is_reported_with_its_key_and_its_place() -> None:
    found = only(compared(AUTO, AUTO + SECOND))
    assert {(change.kind, change.actions, change.resource) for change in found} == {
        ("added", ("secretsmanager:GetSecretValue",), "${Second}"),
        ("added", ("kms:Decrypt",), "${Key.Arn}"),
    }
    for change in found:
        assert [(asked.who, asked.what, asked.line) for asked in change.asked] == [
            ("container web", "Secrets[1] TWO", 17)
        ]
    [decrypt] = [change for change in found if change.actions == ("kms:Decrypt",)]
    assert "kms:EncryptionContext:SecretARN StringEquals arn:${AWS::Partition}:secretsmanager:" in decrypt.where[0]
    assert decrypt.where[0].endswith(":secret:${Second}-??????")


def test_a_secret_that_is_removed_is_reported_with_the_place_that_asked_for_it() -> None:
    found = only(compared(AUTO + SECOND, AUTO))
    assert {change.kind for change in found} == {"removed"}
    assert {asked.what for change in found for asked in change.asked} == {"Secrets[1] TWO"}
    assert not any(change.still_needed for change in found)


def test_a_condition_that_is_added_is_a_change_of_its_own() -> None:
    conditional = AUTO + "            - !If [IsProd, {Name: TWO, ValueFrom: !Ref Second}, !Ref AWS::NoValue]\n"
    found = only(compared(AUTO + SECOND, conditional))
    assert {change.kind for change in found} == {"condition-changed"}
    assert {(change.when, change.instead) for change in found} == {("IsProd", ("always",))}


def test_a_spelling_is_not_a_change() -> None:
    one = '{Effect: Allow, Action: ["logs:PutLogEvents"], Resource: [!GetAtt Logs.Arn]}'
    other = (
        '{Sid: Logs, Effect: Allow, Action: "logs:PutLogEvents", Resource: '
        '!Sub "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Logs}:*"}'
    )
    assert compared(hand(one), hand(other)).roles == ()


@pytest.mark.parametrize(
    "pattern, kinds",
    [
        ("${AWS::StackName}-*", {"narrowed"}),
        ("${AWS::StackName}-Logs-*", {"narrowed"}),
        ("${AWS::StackName}-Other-*", {"added", "removed"}),
        ("/ecs/*", {"added", "removed"}),
    ],
)
def test_a_pattern_can_cover_a_name_that_cloudformation_generates(pattern: str, kinds: set[str]) -> None:
    group = f'!Sub "arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{pattern}"'
    before = f'{{Effect: Allow, Action: "logs:PutLogEvents", Resource: {group}}}'
    after = '{Effect: Allow, Action: "logs:PutLogEvents", Resource: !GetAtt Logs.Arn}'
    [role] = compared(hand(before), hand(after)).roles
    assert {change.kind for change in role.grants} == kinds


@pytest.mark.parametrize(
    "before, after, kind, instead",
    [
        ('{Effect: Allow, Action: "ssm:*", Resource: "*"}', NEEDED, "narrowed", "ssm:GetParameters on "),
        (NEEDED, '{Effect: Allow, Action: "ssm:Get*", Resource: "*"}', "widened", "ssm:GetParameters on "),
        ('{Effect: Allow, NotAction: "iam:*", Resource: "*"}', NEEDED, "narrowed", "ssm:GetParameters on "),
        (NEEDED, '{Effect: Allow, Action: "ssm:*", NotResource: "arn:aws:s3:::b"}', "widened", "ssm:GetParameters on "),
        (NEEDED.replace("}", ", Condition: {Bool: {'aws:SecureTransport': 'true'}}}", 9), NEEDED, "widened", "where "),
    ],
)
def test_what_takes_the_place_of_a_grant_is_reported(before: str, after: str, kind: str, instead: str) -> None:
    if "Condition" in before:
        before = NEEDED[:-1] + ", Condition: {Bool: {'aws:SecureTransport': 'true'}}}"
    found = only(compared(hand(before), hand(after)))
    assert [change.kind for change in found] == [kind]
    assert instead in found[0].instead[0]


def test_a_not_action_that_excludes_what_is_granted_after_it_is_not_narrowed() -> None:
    found = only(compared(hand('{Effect: Allow, NotAction: "ssm:Get*", Resource: "*"}'), hand(NEEDED)))
    assert [change.kind for change in found] == ["added", "removed"]


def test_a_deny_that_is_added_is_not_an_access() -> None:
    after = hand(NEEDED) + '              - {Effect: Deny, Action: "ssm:*", Resource: "*"}\n'
    [change] = only(compared(hand(NEEDED), after))
    assert (change.kind, change.effect, change.actions) == ("added", "Deny", ("ssm:*",))


@pytest.mark.parametrize(
    ("deny", "instead", "kinds"),
    [
        ('{Effect: Deny, Action: "ssm:*", Resource: "*"}', "", {"widened"}),
        ('{Effect: Deny, NotAction: "s3:*", NotResource: "arn:aws:s3:::a"}', "", {"widened"}),
        ('{Effect: Deny, Action: "*", Resource: "*"}', '{Effect: Deny, Action: "ssm:*", Resource: "*"}', {"widened"}),
        ('{Effect: Deny, Action: "s3:*", Resource: "*"}', "", {"removed"}),
        ('{Effect: Deny, NotAction: "ssm:*", Resource: "*"}', "", {"removed"}),
        ("", '{Effect: Deny, Action: "ssm:*", Resource: "*"}', {"narrowed"}),
    ],
)
def test_a_deny_that_is_removed_widens_what_it_limited(deny: str, instead: str, kinds: set[str]) -> None:
    before, after = (hand(NEEDED) + (f"              - {each}\n" if each else "") for each in (deny, instead))
    found = compared(before, after)
    assert found.kinds() - ({"narrowed"} if deny and instead else set()) == kinds
    if kinds == {"widened"}:
        [change] = [change for change in only(found) if change.kind == "widened"]
        assert (change.effect, change.source, change.line) == ("Deny", "inline policy p", 23)


def test_what_is_taken_away_and_needed_is_an_alarm() -> None:
    other = '{Effect: Allow, Action: "ssm:GetParameters", Resource: "arn:aws:ssm:*:*:parameter/b"}'
    found = only(compared(hand(NEEDED), hand(other)))
    removed = next(change for change in found if change.kind == "removed")
    assert [asked.what for asked in removed.still_needed] == ["Secrets[0] ONE"]
    assert removed.source == "inline policy p"
    assert removed.line == 22


def test_a_migrated_role_is_compared_with_the_role_it_takes_the_place_of() -> None:
    before = template_file.parse("t.yaml", hand('{Effect: Allow, Action: "ssm:*", Resource: "*"}'))
    after = plan.migrate(before, STACK).template
    [role] = changes.of(side.read(before, STACK), side.read(after, STACK)).roles
    assert (role.role, role.instead_of, role.state) == ("WebExecutionRole", "Role", "replaced")
    assert [change.kind for change in role.grants] == ["narrowed"]
    [trust] = role.properties
    assert "does not limit the account and region" in trust.no_longer[0]


@pytest.mark.parametrize(
    "property_, state",
    [("RoleName: x", "replaced"), ("Path: /x/", "replaced"), ("MaxSessionDuration: 7200", "changed")],
)
def test_other_properties_of_a_role_are_reported(property_: str, state: str) -> None:
    after = hand(NEEDED).replace("      Policies:\n", f"      {property_}\n      Policies:\n")
    [role] = compared(hand(NEEDED), after).roles
    assert role.state == state
    [changed] = role.properties
    assert (changed.name, changed.before, changed.after) == (*property_.split(": ")[:1], "", property_.split(": ")[1])


def test_roles_that_come_and_go() -> None:
    none = AUTO.replace("      ExecutionRoleSpec: Auto\n", "")
    [added] = compared(none, AUTO).roles
    assert (added.state, added.role, added.instead_of) == ("added", "WebExecutionRole", "")
    assert {change.kind for change in added.grants} == {"added"}
    [removed] = compared(AUTO, none).roles
    assert (removed.state, removed.role, removed.instead_of) == ("removed", "", "WebExecutionRole")
    assert {change.kind for change in removed.grants} == {"removed"}


def test_a_role_from_elsewhere_cannot_be_compared() -> None:
    outside = AUTO.replace("ExecutionRoleSpec: Auto", "ExecutionRoleArn: arn:aws:iam::123456789012:role/x")
    [role] = compared(outside, AUTO).roles
    assert role.cannot_tell == (
        "in the old template, Web has the role arn:aws:iam::123456789012:role/x, which is not in the template",
    )
    assert "unknown" in compared(outside, AUTO).kinds()


def test_a_policy_that_cannot_be_read_is_not_skipped() -> None:
    attached = "      ManagedPolicyArns: ['arn:aws:iam::123456789012:policy/ours']\n      Policies:\n"
    [role] = compared(hand(NEEDED), hand(NEEDED).replace("      Policies:\n", attached)).roles
    assert "in the new template, the managed policy `arn:aws:iam::123456789012:policy/ours`" in role.cannot_tell[0]
    # An unchanged grant is not reported in each comparison.
    with_policy = hand(NEEDED).replace("      Policies:\n", attached)
    assert compared(with_policy, with_policy).roles == ()
    assert compared(with_policy, with_policy.replace("ours", "theirs")).roles[0].cannot_tell != ()


def test_what_may_be_missing_is_reported_where_it_is_new() -> None:
    elsewhere = (
        "            - {Name: TWO, ValueFrom: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf'}\n"
    )
    [role] = compared(AUTO, AUTO + elsewhere).roles
    [warning] = role.warnings
    assert (warning.who, warning.line, warning.code) == ("Web ExecutionRoleSpec", 11, "unknown-key")
    assert (
        "`arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf` (container web: Secrets[1] TWO, line 17)"
        in (warning.text)
    )
    assert compared(AUTO + elsewhere, AUTO + elsewhere).roles == ()


def test_what_an_author_wrote_is_reported_with_its_place() -> None:
    statement = '{Statements: [{Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/*"}]}'
    [change] = only(compared(AUTO, BASE.replace("SPEC", statement)))
    assert (change.kind, change.actions) == ("added", ("s3:GetObject",))
    assert [asked.who for asked in change.asked] == ["Web ExecutionRoleSpec"]


ROLES = sorted((Path(__file__).parents[2] / "tests/audit/hand-written").glob("*.yaml"))


@pytest.mark.parametrize("path", ROLES, ids=[path.stem for path in ROLES])
def test_migrating_a_role_takes_nothing_away_that_is_needed(path: Path) -> None:
    before = template_file.read(str(path))
    assert changes.of(side.read(before, STACK), side.read(before, STACK)).roles == ()
    after = plan.migrate(before, STACK).template
    comparison = changes.of(side.read(before, STACK), side.read(after, STACK))
    for role in comparison.roles:
        assert not [change for change in role.grants if change.still_needed]


def test_the_summary_counts() -> None:
    assert changes.summary(compared(AUTO, AUTO)) == "no execution role changes"
    assert changes.summary(compared(AUTO, AUTO + SECOND)) == "1 role: 2 added"


def test_a_trust_policy_that_allows_more_is_widened() -> None:
    condition = ', Condition: {ArnEquals: {aws:SourceArn: "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"}}}'
    narrow = hand(NEEDED).replace('Action: "sts:AssumeRole"}', f'Action: "sts:AssumeRole"{condition}')
    wide = narrow.replace("cluster/prod", "*").replace("ArnEquals", "ArnLike")
    assert compared(narrow, wide).kinds() == {"widened"}
    assert compared(narrow, hand(NEEDED)).kinds() == {"widened"}
    assert compared(wide, narrow).kinds() == set()
    assert compared(hand(NEEDED), narrow).kinds() == set()
    assert "1 widened" in changes.summary(compared(narrow, wide))


def test_a_permissions_boundary_that_is_removed_or_replaced_is_widened() -> None:
    boundary = '      PermissionsBoundary: "arn:aws:iam::123456789012:policy/b"\n      Policies:\n'
    limited = hand(NEEDED).replace("      Policies:\n", boundary)
    assert compared(limited, hand(NEEDED)).kinds() == {"widened"}
    assert compared(limited, limited.replace("policy/b", "policy/c")).kinds() == {"widened"}
    assert compared(hand(NEEDED), limited).kinds() == set()
    assert compared(limited, limited).kinds() == set()
