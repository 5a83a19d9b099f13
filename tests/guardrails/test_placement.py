"""The accounts and regions of the resources that a role may access."""

from __future__ import annotations

import pytest
from tests.guardrails.templates import (
    REGISTRY,
    SECRET,
    STRANGER,
    STRANGERS_SECRET,
    THINGS,
    Json,
    both,
    event,
    made,
    properties,
    ref,
    refused,
    role,
    snippet,
    task,
)
from tests.support.cloudformation import ACCOUNT, REGION, Stack
from tests.support.iam import Request, allowed

OWN_THINGS: list[Json] = [
    task(image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:1"),
    task(image={"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/web:1"}),
    task(image={"Fn::Sub": "${Repository.RepositoryUri}:1"}),
    task(image={"Fn::Sub": f"${{Given}}.dkr.ecr.{REGION}.amazonaws.com/web:1"}),
    task({"Images": ["web", {"Fn::GetAtt": "Repository.Arn"}]}),
    task({"GuardDuty": True}),
    task(secret="/aws/service/ecs/optimized-ami/amazon-linux-2/recommended"),
    task(secret=SECRET),
    task(secret=ref("Secret")),
    task(secret=ref("Attachment")),
    task(secret={"Fn::GetAtt": ["Secret", "Id"]}),
    task(secret={"Fn::GetAtt": ["Database", "MasterUserSecret.SecretArn"]}),
    task(secret="/prod/db"),
    task(secret=ref("Parameter")),
    task({"Secrets": [{"Secret": "prod/db", "KmsKey": "alias/prod"}]}),
    task({"Secrets": [{"Secret": "prod/db", "KmsKey": ref("Key")}]}),
    task({"FileSystems": ["fs-0123456789abcdef0", {"FileSystem": ref("Files"), "AccessPoint": ref("Point")}]}),
    task(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": ref("Logs")}}),
    task(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": ref("Stored")}}),
    task({"FsxCredentials": ["prod/fsx"]}),
    task("Auto"),
]


@pytest.mark.parametrize("web", OWN_THINGS)
def test_the_stacks_own_things_are_always_allowed(web: Json) -> None:
    request = event({**THINGS, "Web": web}, {"Given": ACCOUNT})
    assert made(request, ACCOUNTS="self", REGIONS="self") == made(request)


STRANGERS_THINGS: list[tuple[Json, str]] = [
    (task(image=f"{STRANGER}.dkr.ecr.{REGION}.amazonaws.com/web:1"), "ContainerDefinitions/0/Image"),
    (task(image=f"{STRANGER}.DKR.ECR.{REGION}.AMAZONAWS.COM/web:1"), "ContainerDefinitions/0/Image"),
    (task(image=f"{STRANGER}.dkr-ecr.{REGION}.on.aws/web:1"), "ContainerDefinitions/0/Image"),
    (task(image={"Fn::Sub": "${Given}.dkr.ecr.${AWS::Region}.amazonaws.com/web"}), "ContainerDefinitions/0/Image"),
    (
        task(image=both("nginx", f"{STRANGER}.dkr.ecr.{REGION}.amazonaws.com/web")),
        "ContainerDefinitions/0/Image/Fn::If/2",
    ),
    (task({"Images": [f"arn:aws:ecr:{REGION}:{STRANGER}:repository/web"]}), "ExecutionRoleSpec/Images/0"),
    (task(secret=STRANGERS_SECRET), "ContainerDefinitions/0/Secrets/0/ValueFrom"),
    (task(secret=f"{STRANGERS_SECRET}:password::"), "ContainerDefinitions/0/Secrets/0/ValueFrom"),
    (task(secret=ref("Foreign")), "ContainerDefinitions/0/Secrets/0/ValueFrom"),
    (task(secret=f"arn:aws:ssm:{REGION}:{STRANGER}:parameter/db"), "ContainerDefinitions/0/Secrets/0/ValueFrom"),
    (task({"Infer": False, "Secrets": [STRANGERS_SECRET]}), "ExecutionRoleSpec/Secrets/0"),
    (task({"Secrets": [{"Secret": STRANGERS_SECRET}]}), "ExecutionRoleSpec/Secrets/0/Secret"),
    (task({"RegistryCredentials": [STRANGERS_SECRET]}), "ExecutionRoleSpec/RegistryCredentials/0"),
    (task({"FsxCredentials": [STRANGERS_SECRET]}), "ExecutionRoleSpec/FsxCredentials/0"),
    (
        task({"Secrets": [{"Secret": "db", "KmsKey": f"arn:aws:kms:{REGION}:{STRANGER}:key/k"}]}),
        "ExecutionRoleSpec/Secrets/0/Secret",
    ),
    (
        task({"CredentialSpecs": [f"credentialspec:arn:aws:ssm:{REGION}:{STRANGER}:parameter/x"]}),
        "ExecutionRoleSpec/CredentialSpecs/0",
    ),
    (
        task({"FileSystems": [f"arn:aws:elasticfilesystem:{REGION}:{STRANGER}:file-system/fs-1"]}),
        "ExecutionRoleSpec/FileSystems/0",
    ),
    (task({"LogGroups": [f"arn:aws:logs:{REGION}:{STRANGER}:log-group:x"]}), "ExecutionRoleSpec/LogGroups/0"),
]


@pytest.mark.parametrize("web, path", STRANGERS_THINGS)
def test_another_accounts_things_are_a_violation(web: Json, path: str) -> None:
    request = event({**THINGS, "Web": web}, {"Given": STRANGER})
    lines = refused(request, ACCOUNTS=f"self,{REGISTRY}")
    for line in lines:
        assert line.startswith(f"Resources/Web/Properties/{path}: `")
        assert line.endswith(
            f"is in the account {STRANGER}, which is not allowed; use one in {ACCOUNT} (the stack's own) or {REGISTRY}"
        )
    assert made(request, ACCOUNTS=f"{STRANGER}", REGIONS="self") == made(request)


UNKNOWN_THINGS: list[Json] = [
    task(image={"Fn::Sub": "${Hidden}.dkr.ecr.${AWS::Region}.amazonaws.com/web"}),
    task({"Images": [{"Fn::ImportValue": "image"}]}, image={"Fn::ImportValue": "image"}),
    task({"Images": [{"Fn::GetAtt": "Custom.Arn"}]}),
    task({"Secrets": [{"Fn::ImportValue": "secret"}]}),
    task({"Secrets": [ref("Stored")]}),
    task({"Secrets": [{"Fn::Sub": "arn:${Hidden}:secretsmanager:us-east-1:123456789012:secret:x"}]}),
    task(secret=ref("Vague")),
    task(secret={"Fn::Sub": "arn:aws:secretsmanager:${AWS::Region}:${Hidden}:secret:x"}),
    task(secret={"Fn::GetAtt": ["Nested", "Outputs.SecretArn"]}),
    task({"Secrets": [{"Secret": "db", "KmsKey": {"Fn::ImportValue": "key"}}]}),
]


@pytest.mark.parametrize("web", UNKNOWN_THINGS)
def test_an_account_that_is_known_at_deployment_is_a_violation(web: Json) -> None:
    request = event({**THINGS, "Web": web})
    for line in refused(request, ACCOUNTS="self"):
        assert "is only known when the stack is deployed; write it out: 123456789012 (the stack's own)" in line


@pytest.mark.parametrize(
    "web",
    [
        task(image=f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/web:1"),
        task(image=f"{ACCOUNT}.dkr.ecr.EU-WEST-1.amazonaws.com/web:1"),
        task(secret=f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:x-a1B2c3"),
        task({"LogGroups": [{"LogGroup": "x", "Region": "eu-west-1"}]}),
        task(
            LogConfiguration={
                "LogDriver": "awslogs",
                "Options": {"awslogs-group": "x", "awslogs-region": both(ref("AWS::Region"), ref("Given"))},
            }
        ),
    ],
)
def test_another_region_is_a_violation(web: Json) -> None:
    request = event({"Web": web}, {"Given": "eu-west-1"})
    for line in refused(request, REGIONS="self,eu-central-1"):
        assert "is in the region eu-west-1, which is not allowed" in line
        assert line.endswith("use one in us-east-1 (the stack's own) or eu-central-1")
    assert made(request, REGIONS="eu-west-1", ACCOUNTS="self") == made(request)


def test_an_account_may_be_allowed_for_one_service_alone() -> None:
    image = event({"Web": task(image=f"{REGISTRY}.dkr.ecr.eu-west-1.amazonaws.com/web:1")})
    secret = event({"Web": task(secret=f"arn:aws:secretsmanager:eu-west-1:{REGISTRY}:secret:x-a1B2c3")})
    rails = {"ACCOUNTS": f"ecr:{REGISTRY}", "REGIONS": "ecr:eu-west-1"}
    assert made(image, **rails) == made(image)
    assert len(refused(secret, **rails)) == 2


def test_a_shared_role_is_held_to_what_its_definitions_need() -> None:
    web = task(secret=STRANGERS_SECRET)
    del web["Properties"]["ExecutionRoleSpec"]
    [line] = refused(event({"Web": web, "Role": role({"TaskDefinitions": ["Web"]})}), ACCOUNTS="self")
    assert line.startswith("Resources/Web/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom: ")


def test_a_snippets_references_are_not_seen_so_they_are_a_violation() -> None:
    [line] = refused(snippet({"Secrets": [ref("Secret")]}), ACCOUNTS="self")
    assert line.startswith(
        "Fn::Transform/Parameters/Secrets/0: the account of `!Ref Secret` is only known when the stack is deployed"
    )
    assert made(snippet({"Secrets": ["prod/db", SECRET]}), ACCOUNTS="self")


OBJECT = "arn:aws:s3:::config/web.env"


def test_an_object_is_read_in_allowed_accounts_only() -> None:
    """An S3 ARN names no account, so the statements name it in a condition."""
    request = event({"Web": task({"EnvironmentFiles": [OBJECT]})})
    [policy] = properties(request, ACCOUNTS=f"s3:{REGISTRY},ecr:{STRANGER},{ACCOUNT}")["Policies"]
    document = Stack({}).resolve(policy["PolicyDocument"])
    assert [statement["Condition"] for statement in document["Statement"]] == [
        {"StringEquals": {"aws:ResourceAccount": [ACCOUNT, REGISTRY]}}
    ] * 2
    calls = [("s3:GetObject", OBJECT), ("s3:GetBucketLocation", "arn:aws:s3:::config")]
    for account, answer in ((ACCOUNT, True), (REGISTRY, True), (STRANGER, False)):
        requests = [Request(action, arn, {"aws:ResourceAccount": account}) for action, arn in calls]
        assert allowed([document], requests) == [answer, answer]


def test_preflight_knows_in_which_account_an_object_is_read() -> None:
    request = event({"Web": task({"EnvironmentFiles": [OBJECT], "Preflight": True})})
    needs = properties(request, "WebExecutionRolePreflight", ACCOUNTS="self")["Needs"]
    assert [need["Context"] for need in needs] == [{"aws:ResourceAccount": [ref("AWS::AccountId")]}] * 2


def test_regions_do_not_restrict_objects() -> None:
    request = event({"Web": task({"EnvironmentFiles": [OBJECT]})})
    assert made(request, REGIONS="self") == made(request)


def test_a_bucket_of_the_template_is_read_in_the_stacks_account_alone() -> None:
    web = task({"EnvironmentFiles": [{"Fn::Sub": "${Bucket.Arn}/x.env"}]})
    request = event({**THINGS, "Web": web})
    [policy] = properties(request, ACCOUNTS=f"s3:{REGISTRY}")["Policies"]
    for each in policy["PolicyDocument"]["Statement"]:
        assert each["Condition"]["StringEquals"]["aws:ResourceAccount"] in (
            ref("AWS::AccountId"),
            [ref("AWS::AccountId")],
        )


def test_only_the_parameters_that_aws_publishes_need_no_account() -> None:
    for resource, fine in (("parameter/aws/service/x", True), ("parameter/aws/x", False), ("parameter/*", False)):
        node = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": f"arn:aws:ssm:{REGION}::{resource}"}
        request = event({"Web": task({"Statements": [node]})})
        assert bool(made(request, ACCOUNTS="self")) if fine else refused(request, ACCOUNTS="self")
