"""The check against AWS's APIs: how often it calls them, how long it waits, and how it reads the answers."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from tests.preflight.simulator import Simulator, error, hook, reply
from tests.preflight.world import OTHER, PULL, REGION, ROLE, World, arn

from ecs_exec_role.preflight.check import check
from ecs_exec_role.preflight.report import Status


class Clock:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def test_a_sound_service_has_no_finding(world: World) -> None:
    world.everything()

    report = world.check()

    assert not report.findings
    assert not report.failed
    assert report.count(Status.OK) == len(world.needs)


def test_sixty_needs_take_as_few_calls_as_the_apis_allow(world: World) -> None:
    """One simulation for all needs of one context, and one for what takes no resource; the other calls in batches."""
    for number in range(5):
        world.image(str(number), f"team/app-{number}")
    for number in range(23):
        world.secret(f"shop/secret{number}")
    for number in range(9):  # moto would give more than nine in pages, AWS gives fifty at once.
        world.parameter(f"/shop/parameter/{number}")
    key = world.key()
    for number in range(6):
        world.decrypts(key, world.secret(f"shop/encrypted{number}", key=key))
    for number in range(3):
        world.log_group(f"/ecs/app-{number}")
    world.environment_file()
    world.need("Volumes/0", Sid="DescribeFsxFileSystems", Kind="FSx", Target="fs-1", Resources=["*"],
               Actions=["fsx:DescribeFileSystems"])  # fmt: skip
    assert len(world.needs) == 60

    report = world.check()

    assert not report.findings
    assert report.calls == Counter({
        "iam:GetRole": 1,
        "iam:SimulatePrincipalPolicy": 2 + 6,  # An encryption context names one secret; a call has one context.
        "ssm:DescribeParameters": 1,
        "ecr:DescribeImages": 5,  # One for each repository.
        "secretsmanager:DescribeSecret": 29,  # This API knows no batches.
        "kms:DescribeKey": 1,
        "logs:DescribeLogGroups": 3,
        "s3:ListObjectsV2": 1,
    })  # fmt: skip
    assert report.seconds < 5


def test_images_of_one_repository_are_one_call_until_one_is_missing(world: World) -> None:
    world.image("1")
    pull = world.needs[-1]
    world.needs.append(pull | {"Target": pull["Target"].replace(":1", ":2"), "Path": "Resources/Job/Image"})

    report = world.check()

    (finding,) = report.findings
    assert str(finding) == (
        "Resources/Job/Image: does not exist: image web:2 in registry 123456789012, us-east-1; push it before the "
        "stack, or correct the tag or digest"
    )
    assert report.calls["ecr:DescribeImages"] == 3


def test_an_image_without_a_tag_is_the_latest(world: World) -> None:
    world.image("latest")
    world.needs[-1]["Target"] = world.needs[-1]["Target"].removesuffix(":latest")

    assert world.lines() == []


def test_an_image_by_its_digest(world: World) -> None:
    world.image("1")
    found = world.client("ecr").describe_images(repositoryName="web")["imageDetails"][0]["imageDigest"]
    target = world.needs[-1]["Target"].removesuffix(":1")
    world.needs[-1]["Target"] = f"{target}@{found}"
    world.needs.append(world.needs[-1] | {"Target": f"{target}@sha256:{'0' * 64}"})

    assert [line.split(";")[0].split(": ", 2)[2] for line in world.lines()] == [
        f"image web@sha256:{'0' * 64} in registry 123456789012, us-east-1"
    ]


def test_a_repository_of_the_specs_needs_no_image(world: World) -> None:
    world.client("ecr").create_repository(repositoryName="empty")
    world.cache_rules()
    for name in ("empty", "absent"):
        world.need(f"Resources/Web/Properties/ExecutionRoleSpec/Images/{name}", Kind="Image", Target=name, Actions=PULL,
                   Resources=[arn("ecr", f"repository/{name}")])  # fmt: skip

    (line,) = world.lines()

    assert line == (
        "Resources/Web/Properties/ExecutionRoleSpec/Images/absent: does not exist: repository absent in registry "
        "123456789012, us-east-1; create it, or correct the value"
    )


def test_a_pull_through_cache_need_not_hold_the_image_yet(world: World) -> None:
    world.cache_rules("quay")
    world.image("1", "quay/prometheus/node-exporter", exists=False)
    need = world.needs[-1]
    actions = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
    world.need("Image", Kind="PullThroughImage", Target=need["Target"], Actions=actions, Resources=need["Resources"])

    assert world.lines() == []


def test_a_log_group_that_the_task_creates_need_not_be_there(world: World) -> None:
    world.log_group(exists=False)
    created = world.needs[-1] | {"Kind": "NewLogGroup", "Sid": "CreateLogGroups", "Actions": ["logs:CreateLogGroup"]}
    world.needs.append(created)
    world.statements.append({"Effect": "Allow", "Action": "logs:CreateLogGroup", "Resource": created["Resources"]})

    assert world.lines() == []
    asked = [r for request in world.simulator.requests for r in request["ResourceArns"]]
    assert arn("logs", "log-group:/ecs/web:log-stream:") in asked


def test_a_stream_prefix_is_asked_with_a_stream_under_it(world: World) -> None:
    world.log_group()
    world.needs[-1]["Resources"] = world.statements[-1]["Resource"] = [arn("logs", "log-group:/ecs/web:log-stream:a/*")]

    assert world.lines() == []
    asked = [r for request in world.simulator.requests for r in request["ResourceArns"]]
    assert asked == [arn("logs", "log-group:/ecs/web:log-stream:a/ecs-exec-role-preflight")]


def test_a_secret_is_asked_about_by_its_full_arn(world: World) -> None:
    full = world.secret()
    world.statements[-1]["Resource"] = [full]

    assert world.lines() == []
    assert [request["ResourceArns"] for request in world.simulator.requests] == [[full]]


@pytest.mark.parametrize("tail", [":password::", ":::", "::AWSCURRENT:"])
def test_a_secrets_tail_is_not_a_part_of_its_arn(world: World, tail: str) -> None:
    full = world.secret()
    world.needs[-1] |= {"Target": full + tail, "Resources": [full]}

    assert world.lines() == []


def test_a_secret_by_its_name(world: World) -> None:
    world.secret()
    world.needs[-1]["Target"] = "shop/card"

    assert world.lines() == []


def test_a_parameter_that_shows_a_secret_is_that_secret(world: World) -> None:
    world.secret()
    name = "/aws/reference/secretsmanager/shop/card"
    world.need("Secrets/1/ValueFrom", Kind="Parameter", Target=name, Actions=["ssm:GetParameters"],
               Resources=[arn("ssm", f"parameter{name}")])  # fmt: skip

    report = world.check()

    assert not report.findings
    assert "ssm:DescribeParameters" not in report.calls


def test_a_public_parameter_is_not_looked_for(world: World) -> None:
    name = "/aws/service/aws-for-fluent-bit/stable"
    world.need("Secrets/1/ValueFrom", Kind="Parameter", Target=name, Actions=["ssm:GetParameters"],
               Resources=[arn("ssm", f"parameter{name}")])  # fmt: skip

    assert world.lines() == []


@pytest.mark.parametrize("name", ["level", "/level"])
def test_a_parameter_with_or_without_its_slash(world: World, name: str) -> None:
    world.parameter(name)

    assert world.lines() == []


def test_more_parameters_than_one_call_takes(world: World) -> None:
    for number in range(60):
        world.parameter(f"/shop/p/{number}", exists=number % 2 == 0)

    report = world.check()

    assert report.count(Status.ABSENT) == 30
    # moto gives ten at a time where AWS gives fifty: the 25 of the first fifty take three pages, the other five one.
    assert report.calls["ssm:DescribeParameters"] == 3 + 1


def test_a_key_behind_an_alias(world: World) -> None:
    key = world.key()
    world.client("kms").create_alias(AliasName="alias/shop", TargetKeyId=key)
    full = world.secret(key=key)
    world.decrypts(key, full)
    world.needs[-1] |= {"Target": "alias/shop", "Resources": [arn("kms", "key/*")]}
    world.needs[-1]["Context"]["kms:ResourceAliases"] = ["alias/shop"]

    report = world.check()

    assert not report.findings
    (request,) = [r for r in world.simulator.requests if r["ActionNames"] == ["kms:Decrypt"]]
    assert request["ResourceArns"] == [key]
    entries = {e["ContextKeyName"]: (e["ContextKeyType"], e["ContextKeyValues"]) for e in request["ContextEntries"]}
    assert entries["kms:ResourceAliases"] == ("stringList", ["alias/shop"])
    assert entries["kms:EncryptionContext:SecretARN"] == ("string", [full])
    assert entries["kms:ViaService"] == ("string", ["secretsmanager.us-east-1.amazonaws.com"])


def test_an_encryption_context_with_wildcards_is_that_of_the_secret_found(world: World) -> None:
    key = world.key()
    full = world.secret(key=key)
    partial = arn("secretsmanager", "secret:shop/card")
    world.decrypts(key, full)
    world.needs[-1]["Context"]["kms:EncryptionContext:SecretARN"] = [partial, f"{partial}-??????"]

    assert world.lines() == []


def test_a_key_that_the_template_names_is_looked_at_once(world: World) -> None:
    key = world.key()
    world.decrypts(key, world.secret(key=key.rpartition("/")[2]))

    report = world.check()

    assert not report.findings
    assert report.calls["kms:DescribeKey"] == 1


def test_the_aws_managed_key_needs_no_grant(world: World) -> None:
    world.secret(key="alias/aws/secretsmanager")
    world.client("ssm").put_parameter(Name="/shop/pin", Value="1", Type="SecureString")
    world.parameter("/shop/pin", exists=False)

    assert world.lines() == []


def test_a_parameter_with_a_key_of_its_own_that_no_template_names(world: World) -> None:
    key = world.key()
    world.client("ssm").put_parameter(Name="/shop/pin", Value="1", Type="SecureString", KeyId=key)
    world.parameter("/shop/pin", exists=False)

    (finding,) = world.check().findings

    assert finding.verdict.status is Status.UNKNOWN
    assert "kms:Decrypt on the key of parameter /shop/pin in us-east-1" in finding.verdict.what
    assert key not in str(finding)
    assert key in finding.verdict.detail
    (request,) = [r for r in world.simulator.requests if r["ActionNames"] == ["kms:Decrypt"]]
    context = {e["ContextKeyName"]: e["ContextKeyValues"] for e in request["ContextEntries"]}
    assert context["kms:EncryptionContext:PARAMETER_ARN"] == [arn("ssm", "parameter/shop/pin")]
    assert context["kms:ViaService"] == ["ssm.us-east-1.amazonaws.com"]


def test_an_object_is_listed_and_not_opened(world: World) -> None:
    world.environment_file()

    report = world.check()

    assert report.calls["s3:ListObjectsV2"] == 1
    assert "s3:HeadObject" not in report.calls
    assert "s3:HeadBucket" not in report.calls


def test_a_bucket_without_an_object(world: World) -> None:
    world.need(
        "EnvironmentFiles/0", Kind="Bucket", Actions=["s3:GetBucketLocation"], Resources=["arn:aws:s3:::nowhere"]
    )

    (line,) = world.lines()
    assert line.endswith("/EnvironmentFiles/0: does not exist: bucket nowhere; create it, or correct the value")


def test_guardduty_s_agent_is_awss_own(world: World) -> None:
    target = f"593207742271.dkr.ecr.{REGION}.amazonaws.com/aws-guardduty-agent-fargate"
    resources = [arn("ecr", "repository/aws-guardduty-agent-fargate", account="593207742271")]
    world.need("Resources/Web/Properties/ExecutionRoleSpec/GuardDuty", Kind="Image", Target=target, Actions=PULL,
               Resources=resources)  # fmt: skip

    assert world.lines() == []


def test_the_role_s_side_is_judged_for_a_thing_of_another_account(world: World) -> None:
    full = arn("secretsmanager", "secret:shared-a1B2c3", account=OTHER)
    world.need("Secrets/0/ValueFrom", Kind="Secret", Target=full, Resources=[full], granted=False,
               Actions=["secretsmanager:GetSecretValue"])  # fmt: skip
    world.breaks("secrets-manager.DescribeSecret", "ResourceNotFoundException")

    denied, elsewhere = world.check().findings

    assert denied.verdict.status is Status.DENIED
    assert elsewhere.verdict.status is Status.ELSEWHERE
    assert "cannot be checked from here" in elsewhere.verdict.what


def test_an_image_of_another_account_that_is_there(world: World) -> None:
    target = f"{OTHER}.dkr.ecr.{REGION}.amazonaws.com/web:1"
    resources = [arn("ecr", "repository/web", account=OTHER)]
    world.need("Image", Kind="Image", Target=target, Actions=PULL, Resources=resources)
    hook(world.session, "ecr.DescribeImages", lambda **_: reply(200, {"imageDetails": [{}]}))

    report = world.check()

    (finding,) = report.findings
    assert not report.failed
    assert finding.verdict.status is Status.ELSEWHERE
    assert "exists, but this check cannot see whether the role has access" in finding.verdict.what
    assert '"Principal":{"AWS":"arn:aws:iam::123456789012:role/web-WebExecutionRole"}' in finding.verdict.fix


@pytest.mark.parametrize("kind, code", [("Object", "AccessDenied"), ("Bucket", "403")])
def test_an_object_of_another_account(world: World, kind: str, code: str) -> None:
    resource = "arn:aws:s3:::theirs/web.env" if kind == "Object" else "arn:aws:s3:::theirs"
    action = "s3:GetObject" if kind == "Object" else "s3:GetBucketLocation"
    world.need("EnvironmentFiles/0/Value", Kind=kind, Target="arn:aws:s3:::theirs/web.env", Actions=[action],
               Resources=[resource], Context={"aws:ResourceAccount": [OTHER]})  # fmt: skip
    for operation in ("ListObjectsV2", "HeadBucket"):
        world.breaks(f"s3.{operation}", code, 403)

    (finding,) = world.check().findings

    assert finding.verdict.status is Status.ELSEWHERE
    written = f'"Action":"{action}","Resource":"{resource}"}}'
    if kind == "Object":
        # The bucket is not checked separately then, so the statement is about both.
        both = '"Resource":["arn:aws:s3:::theirs","arn:aws:s3:::theirs/web.env"]}'
        written = f'"Action":["s3:GetBucketLocation","s3:GetObject"],{both}'
    assert finding.verdict.fix.endswith(written)


def test_a_pull_through_cache_of_another_account(world: World) -> None:
    target = f"{OTHER}.dkr.ecr.{REGION}.amazonaws.com/quay/app:1"
    world.need("Image", Kind="PullThroughImage", Target=target, Actions=["ecr:BatchImportUpstreamImage"],
               Resources=[arn("ecr", "repository/quay/app", account=OTHER)])  # fmt: skip
    world.breaks("ecr.DescribePullThroughCacheRules", "AccessDeniedException")

    (finding,) = world.check().findings

    registry, _, repositories = finding.verdict.fix.partition(", and an AWS::ECR::RepositoryCreationTemplate")
    assert registry.startswith("the registry's policy in account 210987654321 must contain")
    cache = f'"Resource":"{arn("ecr", "repository/quay/*", account=OTHER)}"'
    assert f'"Action":["ecr:BatchImportUpstreamImage","ecr:CreateRepository"],{cache}' in registry
    assert '"ecr:BatchGetImage"' in repositories


@pytest.mark.parametrize(
    "operation, code", [("iam.GetRole", "AccessDenied"), ("iam.GetRole", "ServiceFailure"), ("kms.DescribeKey", "Odd")]
)
def test_any_other_answer_of_aws_is_a_warning(world: World, operation: str, code: str) -> None:
    key = world.key()
    world.decrypts(key, world.secret(key=key))
    world.role()
    world.breaks(operation, code)

    report = world.check()

    assert not report.failed
    assert [finding.verdict.status for finding in report.findings] == [Status.UNKNOWN]


def test_a_key_that_does_not_exist(world: World) -> None:
    world.decrypts(arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab"), world.secret())

    (finding,) = world.check().findings

    assert finding.verdict.status is Status.ABSENT


# -- a new role -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["role_appears_after", "policies_appear_after"])
def test_a_new_role_is_asked_about_again_until_it_is_known(world: World, simulator: Simulator, late: str) -> None:
    world.secret()
    setattr(simulator, late, 3)
    clock = Clock()

    report = world.check(patience=15, clock=clock, sleep=clock.sleep)

    assert not report.findings
    assert clock.sleeps == [1, 2, 4]


def test_waiting_for_a_role_has_an_end(world: World, simulator: Simulator) -> None:
    world.secret()
    simulator.policies_appear_after = 1000
    clock = Clock()

    report = world.check(patience=15, clock=clock, sleep=clock.sleep)

    assert report.failed
    assert clock.sleeps == [1, 2, 4, 4, 4]


def test_the_deadline_ends_the_waiting_too(world: World, simulator: Simulator) -> None:
    world.secret()
    simulator.policies_appear_after = 1000
    clock = Clock()

    world.check(patience=15, seconds=5, clock=clock, sleep=clock.sleep)

    assert clock.sleeps == [1, 2, 1]


def test_only_what_was_refused_is_asked_again(world: World, simulator: Simulator) -> None:
    world.secret()
    world.parameter(granted=False)
    clock = Clock()

    world.check(patience=1, clock=clock, sleep=clock.sleep)

    assert [request["ActionNames"] for request in simulator.requests] == [
        ["secretsmanager:GetSecretValue", "ssm:GetParameters"],
        ["ssm:GetParameters"],
    ]


def test_what_a_boundary_certainly_forbids_is_not_waited_for(world: World, simulator: Simulator) -> None:
    """It is also found if the simulation ignores boundaries, as on some emulators."""
    simulator.knows_boundaries = False
    world.secret()
    world.role(boundary=[{"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}])
    clock = Clock()

    (finding,) = world.check(patience=15, clock=clock, sleep=clock.sleep).findings

    assert "permissions boundary arn:aws:iam::123456789012:policy/limits does not allow it" in finding.verdict.what
    assert not clock.sleeps


def test_a_boundary_that_cannot_be_read_still_counts(world: World) -> None:
    world.secret()
    world.role(boundary=[{"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}])
    world.breaks("iam.GetPolicy", "AccessDenied")

    (finding,) = world.check().findings

    assert "permissions boundary arn:aws:iam::123456789012:policy/limits does not allow it" in finding.verdict.what


# -- questions that AWS refuses -------------------------------------------------------------------------------------


def test_actions_that_aws_will_not_take_together_are_asked_apart(world: World, simulator: Simulator) -> None:
    simulator.apart = frozenset({"ssm:GetParameters"})
    world.secret()
    world.parameter()

    assert world.lines() == []
    assert sorted(len(request["ActionNames"]) for request in simulator.requests) == [1, 1, 2]


def test_one_resource_that_aws_will_not_take_does_not_spoil_the_others(world: World, simulator: Simulator) -> None:
    for number in range(6):
        world.parameter(f"/shop/p/{number}")

    def refuses(request: dict[str, Any]) -> Any:
        return error("InvalidInput", "no") if any(r.endswith("p/3") for r in request["ResourceArns"]) else None

    simulator.fails = refuses

    (finding,) = world.check().findings

    assert finding.places == ("Resources/Web/Properties/ContainerDefinitions/0/Secrets/1/ValueFrom",)
    assert finding.verdict.status is Status.UNKNOWN
    assert "iam:SimulatePrincipalPolicy answered InvalidInput" in finding.verdict.what


def test_an_answer_in_pages(world: World, simulator: Simulator) -> None:
    simulator.page = 1
    world.image()
    world.log_group()

    assert world.lines() == []


def test_a_page_that_comes_again_and_again_ends(world: World) -> None:
    world.secret()
    answer = reply(200, {"EvaluationResults": [], "IsTruncated": True, "Marker": "again"})
    hook(world.session, "iam.SimulatePrincipalPolicy", lambda **_: answer)
    world.simulator.fails = lambda _request: answer

    report = world.check()

    assert report.calls["iam:SimulatePrincipalPolicy"] == 2
    assert [result.permission.status for result in report.results] == [Status.UNKNOWN]


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown"])
def test_throttling_is_not_a_verdict_on_the_role(world: World, code: str) -> None:
    world.secret()
    world.simulator.fails = lambda _request: error(code)
    world.breaks("secrets-manager.DescribeSecret", code)
    world.role()

    report = world.check()

    assert not report.failed
    assert [f.verdict.status for f in report.findings] == [Status.UNKNOWN] * 2
    assert all("AWS throttled" in f.verdict.what for f in report.findings)


def test_without_credentials_the_message_says_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch, simulator: Simulator
) -> None:
    world.secret()
    for operation in ("iam.SimulatePrincipalPolicy", "iam.GetRole", "secrets-manager.DescribeSecret"):
        world.breaks(operation, "ExpiredToken")
    simulator.fails = lambda _request: error("ExpiredToken")

    report = world.check()

    assert not report.failed
    assert all("there are no valid AWS credentials" in f.verdict.what for f in report.findings)


def test_what_is_late_is_reported_as_late(world: World) -> None:
    world.secret()
    world.role()
    began = time.monotonic()

    def slow(**_: object) -> None:
        time.sleep(0.8)

    hook(world.session, "secrets-manager.DescribeSecret", slow)
    report = check(ROLE, world.read(), world.session, seconds=0.4)

    assert time.monotonic() - began < 0.75
    assert {f.verdict.status for f in report.findings} == {Status.UNKNOWN}
    assert any("before the time of the check was over" in f.verdict.what for f in report.findings)


def test_no_needs_at_all(world: World) -> None:
    report = world.check()

    assert not report.findings
    assert report.summary.startswith("The tasks of role web-WebExecutionRole need nothing that can be checked")


@pytest.mark.parametrize(
    "state, said",
    [
        ("Enabled", None),
        ("Updating", None),
        ("Disabled", "is in state Disabled; enable it (aws kms enable-key)"),
        ("PendingDeletion", "is in state PendingDeletion; cancel the deletion (aws kms cancel-key-deletion)"),
        ("PendingReplicaDeletion", "is in state PendingReplicaDeletion; cancel the deletion"),
        ("PendingImport", "is in state PendingImport; import its key material (aws kms import-key-material)"),
        ("Unavailable", "is in state Unavailable; connect its custom key store (aws kms connect-custom-key-store)"),
    ],
)
def test_each_state_of_a_key_has_its_own_remedy(world: World, state: str, said: str | None) -> None:
    key = world.key()
    world.decrypts(key, world.secret(key=key))
    metadata = {"Arn": key, "KeyState": state, "KeyManager": "CUSTOMER"}
    hook(world.session, "kms.DescribeKey", lambda **_: reply(200, {"KeyMetadata": metadata}))

    report = world.check()

    assert report.failed == (said is not None)
    assert [said in str(finding) for finding in report.findings if said] == ([] if said is None else [True])


def test_a_state_of_a_key_that_is_not_known_here_is_not_a_failure(world: World) -> None:
    key = world.key()
    world.decrypts(key, world.secret(key=key))
    metadata = {"Arn": key, "KeyState": "Resting", "KeyManager": "CUSTOMER"}
    hook(world.session, "kms.DescribeKey", lambda **_: reply(200, {"KeyMetadata": metadata}))

    report = world.check()

    assert not report.failed
    assert "the reply to kms:DescribeKey could not be read, no usable KeyState" in str(report.findings[0])
