"""What the macro's owner demands, and the ways in which a template may try to get round it."""

from __future__ import annotations

import copy
import json
import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from tests.cloudformation import ACCOUNT, REGION, Stack, load
from tests.iam import Request, allowed

from ecs_exec_role import macro
from ecs_exec_role.cli.app import cli
from ecs_exec_role.errors import TemplateError
from ecs_exec_role.expand import expand
from ecs_exec_role.settings import DESK_PREFLIGHT, NO_GUARDRAILS, PARAMETERS, PREFIX, from_environment

Json = dict[str, Any]

REGISTRY = "222222222222"
STRANGER = "999999999999"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
STARTER = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
NO_VALUE = {"Ref": "AWS::NoValue"}
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db-a1B2c3"
STRANGERS_SECRET = f"arn:aws:secretsmanager:{REGION}:{STRANGER}:secret:prod/db-a1B2c3"
SPEC = "Resources/Web/Properties/ExecutionRoleSpec"
ROLE = "Resources/Role/Properties"

PARAMETER_KINDS: Json = {
    "Given": {"Type": "String"},
    "Hidden": {"Type": "String", "NoEcho": True},
    "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/here"},
    "Listed": {"Type": "CommaDelimitedList"},
}
CONDITIONS: Json = {"Prod": {"Fn::Equals": [{"Ref": "AWS::StackName"}, "prod"]}}


def settings(**variables: str) -> Any:
    return from_environment({PREFIX + name: value for name, value in variables.items()}, DESK_PREFLIGHT)


def event(resources: Json, values: Mapping[str, Any] | None = None, params: Json | None = None) -> Json:
    fragment = {"Parameters": PARAMETER_KINDS, "Conditions": CONDITIONS, "Resources": resources}
    return {
        "accountId": ACCOUNT,
        "region": REGION,
        "requestId": "1",
        "transformId": f"{ACCOUNT}::EcsExecRole",
        "params": params or {},
        "templateParameterValues": dict(values or {}),
        "fragment": fragment,
    }


def task(spec: Any = "Auto", image: Any = "nginx", secret: Any = None, **container: Any) -> Json:
    """A task definition."""
    definition = {"Name": "web", "Image": image, **container}
    if secret is not None:
        definition["Secrets"] = [{"Name": "DB", "ValueFrom": secret}]
    properties = {"ExecutionRoleSpec": spec, "ContainerDefinitions": [definition]}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}


def role(spec: Any = "Auto", **properties: Any) -> Json:
    """A role with a spec on it."""
    return {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": spec, **properties}}


def snippet(parameters: Json, **siblings: Any) -> Json:
    """What CloudFormation sends for `Fn::Transform` inside of a role's properties."""
    return {**event({}, params=parameters), "fragment": siblings}


def made(request: Json, **variables: str) -> Json:
    """The resources that come back."""
    before = copy.deepcopy(request)
    fragment = expand(request, settings(**variables)).fragment
    assert request == before
    resources: Json = fragment.get("Resources", fragment)
    return resources


def properties(request: Json, name: str = "WebExecutionRole", **variables: str) -> Json:
    found: Json = made(request, **variables)[name]["Properties"]
    return found


def refused(request: Json, **variables: str) -> list[str]:
    """What the macro says of a breach; without the guardrail it says nothing."""
    made(request)
    with pytest.raises(TemplateError) as caught:
        expand(request, settings(**variables))
    return str(caught.value).split("\n")


def both(yes: Any, no: Any) -> Json:
    return {"Fn::If": ["Prod", yes, no]}


def ref(name: str) -> Json:
    return {"Ref": name}


# -- the environment --------------------------------------------------------------------------------------------------


def test_nothing_is_forced_where_nothing_is_set() -> None:
    empty = {PREFIX + name: "" for name in PARAMETERS}
    assert from_environment(empty).guardrails == NO_GUARDRAILS
    assert from_environment({}).guardrails == NO_GUARDRAILS


@pytest.mark.parametrize(
    "name, value",
    [
        ("PERMISSIONS_BOUNDARY", "arn:aws:iam::123456789012:role/boundary"),
        ("PERMISSIONS_BOUNDARY", "arn:aws:iam::${AWS::StackName}:policy/boundary"),
        ("PERMISSIONS_BOUNDARY", "two words"),
        ("PERMISSIONS_BOUNDARY", "bound*"),
        ("PATH", "ecs"),
        ("PATH", "/ecs"),
        ("PATH", "/e cs/"),
        ("NAME_PREFIX", "ecs/"),
        ("NAME_PREFIX", "x" * 49),
        ("ACCOUNTS", "12345678901"),
        ("ACCOUNTS", "self,none"),
        ("ACCOUNTS", ","),
        ("ACCOUNTS", "*"),
        ("ACCOUNTS", "sqs:222222222222"),
        ("REGIONS", "europe"),
        ("REGIONS", "eu-west-*"),
        ("REGIONS", "s3:eu-west-1"),
        ("STATEMENTS", "no"),
        ("STATEMENTS", "ssm:GetParameters;ssm:GetParameter"),
        ("STATEMENTS", ","),
        ("MANAGED_POLICIES", "arn:aws:iam::123456789012:role/x"),
        ("MANAGED_POLICIES", ", ,"),
        ("PREFLIGHT", "yes"),
        ("TAGS", "=web"),
        ("TAGS", "team="),
        ("TAGS", "aws:team"),
        ("TAGS", "team,Team=web"),
    ],
)
def test_a_slip_in_a_setting_fails_every_template_and_is_never_passed_over(name: str, value: str) -> None:
    with pytest.raises(TemplateError) as caught:
        settings(**{name: value})
    for problem in caught.value.problems:
        assert problem.path == PREFIX + name
        assert f"the macro's owner must set its parameter {PARAMETERS[name]} to" in problem.fix


def test_an_unknown_setting_is_a_slip_too() -> None:
    with pytest.raises(
        TemplateError, match=r"ECS_EXEC_ROLE_BOUNDARY: is no setting of the macro; .*PERMISSIONS_BOUNDARY"
    ):
        settings(BOUNDARY="x")
    assert settings(DEBUG="1").guardrails == NO_GUARDRAILS


def test_all_slips_are_told_at_once() -> None:
    with pytest.raises(TemplateError) as caught:
        settings(PATH="ecs", ACCOUNTS="x,y", TAGS="=")
    assert [problem.path for problem in caught.value.problems] == [
        "ECS_EXEC_ROLE_ACCOUNTS",
        "ECS_EXEC_ROLE_ACCOUNTS",
        "ECS_EXEC_ROLE_PATH",
        "ECS_EXEC_ROLE_TAGS",
    ]


def test_forced_preflight_needs_its_function() -> None:
    with pytest.raises(TemplateError, match="ECS_EXEC_ROLE_PREFLIGHT: asks for a function that is not deployed"):
        from_environment({"ECS_EXEC_ROLE_PREFLIGHT": "true"})


class Context(NamedTuple):
    function_name: str = "EcsExecRole"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:EcsExecRole"
    aws_request_id: str = "1"


def test_the_macro_reads_them_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    handler: Callable[[Json, Any], Json] = macro.handler
    monkeypatch.setenv("ECS_EXEC_ROLE_PERMISSIONS_BOUNDARY", BOUNDARY)
    answer = handler(event({"Web": task()}), Context())
    assert answer["fragment"]["Resources"]["WebExecutionRole"]["Properties"]["PermissionsBoundary"] == BOUNDARY
    monkeypatch.setenv("ECS_EXEC_ROLE_PERMISSIONS_BOUNDARY", "not a policy")
    answer = handler(event({"Web": task()}), Context())
    assert answer["status"] == "failure"
    assert answer["errorMessage"] == (
        "ECS_EXEC_ROLE_PERMISSIONS_BOUNDARY: `not a policy` is no managed policy; the macro's owner must set its"
        " parameter PermissionsBoundary to the ARN of one, or its name in the stack's own account"
    )


# -- permissions boundary ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting, node",
    [
        (BOUNDARY, BOUNDARY),
        ("boundary", {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/boundary"}),
        ("/team/boundary", {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/team/boundary"}),
        ("arn:aws:iam::${AWS::AccountId}:policy/b", {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:policy/b"}),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ],
)
def test_boundary_is_set_on_every_role(setting: str, node: Any) -> None:
    request = event(
        {"Web": task(), "Starter": task("Starter"), "Role": role(), "Shared": role({"TaskDefinitions": []})}
    )
    resources = made(request, PERMISSIONS_BOUNDARY=setting)
    for name in ("WebExecutionRole", "StarterExecutionRole", "Role", "Shared"):
        assert resources[name]["Properties"]["PermissionsBoundary"] == node
    assert made(snippet({"Infer": False}), PERMISSIONS_BOUNDARY=setting)["PermissionsBoundary"] == node


SAME_BOUNDARY = [
    BOUNDARY,
    {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/boundary"},
    {"Fn::Join": ["", ["arn:aws:iam::", ref("AWS::AccountId"), ":policy/boundary"]]},
    both(BOUNDARY, NO_VALUE),
    NO_VALUE,
    {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:policy/${Given}"},
]


@pytest.mark.parametrize("node", SAME_BOUNDARY)
def test_the_same_boundary_is_no_breach_and_stands_as_it_was_set(node: Any) -> None:
    on_task = event({"Web": task({"PermissionsBoundary": node})}, {"Given": "boundary"})
    on_role = event({"Role": role(PermissionsBoundary=node)}, {"Given": "boundary"})
    assert properties(on_task, PERMISSIONS_BOUNDARY=BOUNDARY)["PermissionsBoundary"] == BOUNDARY
    assert properties(on_role, "Role", PERMISSIONS_BOUNDARY=BOUNDARY)["PermissionsBoundary"] == BOUNDARY


OTHER_BOUNDARY = [
    "arn:aws:iam::aws:policy/AdministratorAccess",
    f"arn:aws:iam::{STRANGER}:policy/boundary",
    BOUNDARY.upper(),
    BOUNDARY + "2",
    ref("Given"),
    ref("Hidden"),
    ref("Stored"),
    ref("Mine"),
    both("arn:aws:iam::aws:policy/AdministratorAccess", BOUNDARY),
    both(NO_VALUE, "arn:aws:iam::aws:policy/AdministratorAccess"),
    {"Fn::ImportValue": "boundary"},
    {"Fn::FindInMap": ["No", "Such", "Map"]},
    "{{resolve:ssm:/boundary}}",
]


@pytest.mark.parametrize("node", OTHER_BOUNDARY)
def test_another_boundary_is_a_breach(node: Any) -> None:
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "boundary", "PolicyDocument": {}}}
    values = {"Given": "arn:aws:iam::aws:policy/AdministratorAccess", "Hidden": BOUNDARY}
    on_task = event({"Mine": policy, "Web": task({"PermissionsBoundary": node})}, values)
    on_role = event({"Mine": policy, "Role": role(PermissionsBoundary=node)}, values)
    for request, path in (
        (on_task, f"{SPEC}/PermissionsBoundary"),
        (on_role, f"{ROLE}/PermissionsBoundary"),
        ({**snippet({"Infer": False}, PermissionsBoundary=node), "templateParameterValues": values}, ROLE),
    ):
        [line] = refused(request, PERMISSIONS_BOUNDARY=BOUNDARY)
        assert line.startswith(path)
        assert line.endswith(
            f"is not the permissions boundary that every role has here; leave it out, or write {BOUNDARY}"
        )


@pytest.mark.parametrize("node", [["arn:aws:iam::aws:policy/AdministratorAccess"], {"a": 1}])
def test_what_is_no_boundary_at_all_is_a_mistake_as_well(node: Any) -> None:
    with pytest.raises(TemplateError, match="write a string"):
        made(event({"Role": role(PermissionsBoundary=node)}), PERMISSIONS_BOUNDARY=BOUNDARY)


INCLUDE = {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/role.yaml"}}
LOOP = ["Name", ["PermissionsBoundary"], {"${Name}": ADMINISTRATOR}]


@pytest.mark.parametrize(
    "more, place",
    [
        ({"Fn::Transform": INCLUDE}, "Fn::Transform"),
        ({"Policies": [{"Fn::Transform": INCLUDE}]}, "Policies/0/Fn::Transform"),
        ({"Fn::ForEach::Again": LOOP}, "Fn::ForEach::Again"),
        ({"Tags": [{"Fn::ForEach::Again": LOOP}]}, "Tags/0/Fn::ForEach::Again"),
    ],
)
def test_what_sets_a_property_after_the_macro_is_a_breach(more: Json, place: str) -> None:
    for request in (event({"Role": role(**more)}), snippet({"Infer": False}, **more)):
        [line] = refused(request, PERMISSIONS_BOUNDARY=BOUNDARY)
        assert line == (
            f"{ROLE}/{place}: is expanded after EcsExecRole has been called, and what it becomes is not seen here;"
            " list the other macro (AWS::LanguageExtensions for Fn::ForEach) before EcsExecRole, or write it out"
        )


@pytest.mark.parametrize(
    "more, path",
    [
        ({"Fn::ForEach::Policies": ["Name", ["A"], {"${Name}": {}}]}, "Resources/Fn::ForEach::Policies"),
        ({"Fn::Transform": INCLUDE}, "Resources/Fn::Transform"),
        (
            {"More": {"Type": "AWS::IAM::Policy", "Properties": {"Fn::ForEach::Roles": LOOP}}},
            "Resources/More/Properties/Fn::ForEach::Roles",
        ),
    ],
)
def test_what_makes_policies_after_the_macro_is_a_breach(more: Json, path: str) -> None:
    request = event({"Web": task(), **more})
    for rails in ({"STATEMENTS": "false"}, {"MANAGED_POLICIES": "false"}, {"ACCOUNTS": "self"}):
        [line] = refused(request, **rails)
        assert line.startswith(f"{path}: is expanded after EcsExecRole has been called")
    assert made(request, PATH="/ecs/")


# -- path and name ----------------------------------------------------------------------------------------------------


def test_path_is_set_on_every_role() -> None:
    resources = made(event({"Web": task(), "Role": role()}), PATH="/ecs/")
    assert resources["WebExecutionRole"]["Properties"]["Path"] == "/ecs/"
    assert resources["Role"]["Properties"]["Path"] == "/ecs/"
    assert made(snippet({"Infer": False}), PATH="/ecs/")["Path"] == "/ecs/"


@pytest.mark.parametrize(
    "node, written",
    [
        ("/ecs/", "/ecs/"),
        ("/ecs/team/", "/ecs/team/"),
        (both("/ecs/a/", NO_VALUE), both("/ecs/a/", "/ecs/")),
        (both(NO_VALUE, "/ecs/a/"), both("/ecs/", "/ecs/a/")),
        (both("/ecs/a/", "/ecs/b/"), both("/ecs/a/", "/ecs/b/")),
        (ref("Given"), "/ecs/given/"),
        ({"Fn::Sub": "/ecs/${Hidden}/"}, {"Fn::Sub": "/ecs/${Hidden}/"}),
    ],
)
def test_a_path_below_is_no_breach_and_stands_as_it_was_checked(node: Any, written: Any) -> None:
    on_task = event({"Web": task({"Path": node})}, {"Given": "/ecs/given/"})
    on_role = event({"Role": role(Path=node)}, {"Given": "/ecs/given/"})
    assert properties(on_task, PATH="/ecs/")["Path"] == written
    assert properties(on_role, "Role", PATH="/ecs/")["Path"] == written


@pytest.mark.parametrize(
    "node",
    [
        "/",
        "/ECS/",
        "/ecs-other/",
        "/x/ecs/",
        ref("Given"),
        ref("Hidden"),
        both("/ecs/", "/"),
        {"Fn::Sub": "/${Hidden}/"},
    ],
)
def test_a_path_elsewhere_is_a_breach(node: Any) -> None:
    for request, path in (
        (event({"Web": task({"Path": node})}, {"Given": "/"}), f"{SPEC}/Path"),
        (event({"Role": role(Path=node)}, {"Given": "/"}), f"{ROLE}/Path"),
    ):
        [line] = refused(request, PATH="/ecs/")
        assert line.startswith(path)
        assert line.endswith("does not begin with /ecs/; write one that begins with /ecs/, or leave it out")


def test_a_name_is_made_up_that_no_other_stack_has() -> None:
    request = event({"Web": task(), "Role": role()})
    names = set()
    for stack in ("one", "two"):
        resources = made(request, NAME_PREFIX="ecs-exec-")
        fragment = {"Resources": resources, "Conditions": CONDITIONS}
        for logical_id in ("WebExecutionRole", "Role"):
            name = Stack(fragment, name=stack).property(logical_id, "RoleName")
            assert name.startswith(f"ecs-exec-{logical_id}-")
            assert len(name) == len(f"ecs-exec-{logical_id}-") + 8
            names.add(name)
    assert len(names) == 4


def test_a_name_that_would_be_too_long_is_the_authors_to_find() -> None:
    long = "W" * 44
    [line] = refused(event({long: task()}), NAME_PREFIX="ecs-")
    assert line == (
        f"Resources/{long}/Properties/ExecutionRoleSpec/RoleName: is missing, and every role's begins with ecs- here;"
        " write RoleName: ecs-…"
    )
    [line] = refused(event({long: task({"RoleName": both("ecs-web", NO_VALUE)})}), NAME_PREFIX="ecs-")
    assert "/RoleName: is missing" in line
    assert made(event({long: task({"RoleName": both("ecs-web", "ecs-app")})}), NAME_PREFIX="ecs-")


def test_a_snippet_cannot_make_a_name_up() -> None:
    [line] = refused(snippet({"Infer": False}), NAME_PREFIX="ecs-")
    assert line == f"{ROLE}/RoleName: is missing, and every role's begins with ecs- here; write RoleName: ecs-…"
    assert made(snippet({"Infer": False}, RoleName="ecs-web"), NAME_PREFIX="ecs-")["RoleName"] == "ecs-web"


@pytest.mark.parametrize(
    "node",
    ["web", "ECS-web", "ecs_web", ref("Given"), ref("Hidden"), both("ecs-web", "web"), {"Fn::Sub": "${Stored}-ecs-"}],
)
def test_a_name_without_the_prefix_is_a_breach(node: Any) -> None:
    for request, path in (
        (event({"Web": task({"RoleName": node})}, {"Given": "web"}), f"{SPEC}/RoleName"),
        (event({"Role": role(RoleName=node)}, {"Given": "web"}), f"{ROLE}/RoleName"),
    ):
        [line] = refused(request, NAME_PREFIX="ecs-")
        assert line.startswith(path)
        assert "does not begin with ecs-" in line


def test_a_name_with_the_prefix_stands_as_it_was_checked() -> None:
    request = event({"Web": task({"RoleName": {"Fn::Sub": "${Given}-${AWS::StackName}"}})}, {"Given": "ecs"})
    assert properties(request, NAME_PREFIX="ecs-")["RoleName"] == {"Fn::Sub": "ecs-${AWS::StackName}"}


# -- accounts and regions ---------------------------------------------------------------------------------------------


OWN_THINGS: list[Json] = [
    task(image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:1"),
    task(image={"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/web:1"}),
    task(image={"Fn::Sub": "${Repository.RepositoryUri}:1"}),
    task(image={"Fn::Sub": f"${{Given}}.dkr.ecr.{REGION}.amazonaws.com/web:1"}),
    task({"Images": ["web", {"Fn::GetAtt": "Repository.Arn"}]}),
    task({"GuardDuty": True}),
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
    task({"Parameters": [{"Fn::GetAtt": "Custom.Name"}]}),
    task("Auto"),
]
THINGS: Json = {
    "Repository": {"Type": "AWS::ECR::Repository"},
    "Secret": {"Type": "AWS::SecretsManager::Secret"},
    "Database": {"Type": "AWS::RDS::DBInstance"},
    "Attachment": {"Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": {"SecretId": ref("Secret")}},
    "Foreign": {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": {"SecretId": STRANGERS_SECRET}},
    "Vague": {"Type": "AWS::SecretsManager::RotationSchedule", "Properties": {"SecretId": ref("Hidden")}},
    "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}},
    "Key": {"Type": "AWS::KMS::Key"},
    "Files": {"Type": "AWS::EFS::FileSystem"},
    "Point": {"Type": "AWS::EFS::AccessPoint"},
    "Logs": {"Type": "AWS::Logs::LogGroup"},
    "Bucket": {"Type": "AWS::S3::Bucket"},
    "Custom": {"Type": "Custom::Anything", "Properties": {"ServiceToken": "x"}},
    "Nested": {"Type": "AWS::CloudFormation::Stack"},
}


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
def test_another_accounts_things_are_a_breach(web: Json, path: str) -> None:
    request = event({**THINGS, "Web": web}, {"Given": STRANGER})
    lines = refused(request, ACCOUNTS=f"self,{REGISTRY}")
    for line in lines:
        assert line.startswith(f"Resources/Web/Properties/{path}: `")
        assert line.endswith(
            f"lies in the account {STRANGER}, from which nothing may come here;"
            f" take it from {ACCOUNT} (the stack's own) or {REGISTRY}"
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
def test_an_account_that_only_the_deployment_knows_is_a_breach(web: Json) -> None:
    request = event({**THINGS, "Web": web})
    for line in refused(request, ACCOUNTS="self"):
        assert "is not known before the stack is deployed; write it out: 123456789012 (the stack's own)" in line


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
def test_another_region_is_a_breach(web: Json) -> None:
    request = event({"Web": web}, {"Given": "eu-west-1"})
    for line in refused(request, REGIONS="self,eu-central-1"):
        assert "lies in the region eu-west-1, from which nothing may come here" in line
        assert line.endswith("take it from us-east-1 (the stack's own) or eu-central-1")
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


def test_a_snippets_references_are_not_seen_so_they_are_a_breach() -> None:
    [line] = refused(snippet({"Secrets": [ref("Secret")]}), ACCOUNTS="self")
    assert line.startswith("Fn::Transform/Parameters/Secrets/0: the account of `!Ref Secret` is not known")
    assert made(snippet({"Secrets": ["prod/db", SECRET]}), ACCOUNTS="self")


OBJECT = "arn:aws:s3:::config/web.env"


def test_an_object_is_read_in_allowed_accounts_only() -> None:
    """An S3 ARN names no account, so that the statements do."""
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


# -- statements -------------------------------------------------------------------------------------------------------


def statement(action: Any = "ssm:GetParameters", resource: Any = "*", **more: Any) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def document(*statements: Any) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def policy_on(kind: str, of: str, *statements: Any, **more: Any) -> Json:
    roles: Any = (
        {"RoleName": more.pop("role", ref(of))} if kind == "RolePolicy" else {"Roles": [more.pop("role", ref(of))]}
    )
    return {
        "Type": f"AWS::IAM::{kind}",
        "Properties": {"PolicyName": "p", **roles, "PolicyDocument": document(*statements), **more},
    }


def ways_to_grant(*statements: Any) -> dict[str, Json]:
    """Every way in which a template can give a role of the macro a statement of its own."""
    policies = [{"PolicyName": "p", "PolicyDocument": document(*statements)}]
    one = policies[0]
    return {
        "spec": event({"Web": task({"Statements": list(statements)})}),
        "spec in Fn::If": event({"Web": task({"Statements": [both(each, NO_VALUE) for each in statements]})}),
        "spec on a role": event({"Role": role({"Statements": list(statements)})}),
        "role": event({"Role": role(Policies=policies)}),
        "role, list in Fn::If": event({"Role": role(Policies=both(policies, NO_VALUE))}),
        "role, policy in Fn::If": event({"Role": role(Policies=[both(NO_VALUE, one)])}),
        "starter role": event({"Role": role("Starter", Policies=policies)}),
        "snippet": snippet({"Statements": list(statements)}),
        "snippet's siblings": snippet({"Infer": False}, Policies=policies),
        "policy": event({"Web": task(), "More": policy_on("Policy", "WebExecutionRole", *statements)}),
        "role policy": event({"Web": task(), "More": policy_on("RolePolicy", "WebExecutionRole", *statements)}),
        "managed policy": event({"Web": task(), "More": policy_on("ManagedPolicy", "WebExecutionRole", *statements)}),
        "managed policy by Ref": event(
            {
                "Web": task({"ManagedPolicyArns": [ref("More")]}),
                "More": policy_on("ManagedPolicy", "", *statements, Roles=[]),
            }
        ),
        "policy by Fn::Sub": event(
            {"Role": role(), "More": policy_on("Policy", "", *statements, role={"Fn::Sub": "${Role}"})}
        ),
        "policy by its ARN taken apart": event(
            {
                "Role": role(),
                "More": policy_on(
                    "Policy",
                    "",
                    *statements,
                    role={"Fn::Select": [1, {"Fn::Split": ["/", {"Fn::GetAtt": ["Role", "Arn"]}]}]},
                ),
            }
        ),
        "policy by name": event(
            {"Role": role(RoleName="web"), "More": policy_on("RolePolicy", "", *statements, role="web")}
        ),
        "policy by name in a parameter": event(
            {"Web": task({"RoleName": "web"}), "More": policy_on("Policy", "", *statements, role=ref("Given"))},
            {"Given": "web"},
        ),
        "policy by a name put together later": event(
            {"Role": role(), "More": policy_on("Policy", "", *statements, role={"Ref": {"Fn::Sub": "R${Given}"}})},
            {"Given": "ole"},
        ),
        "policy by a name that is known later": event(
            {"Role": role(RoleName="web"), "More": policy_on("Policy", "", *statements, role=ref("Hidden"))}
        ),
        "policy by a name that another resource hands on": event(
            {
                "Name": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "web"}},
                "Role": role(RoleName="web"),
                "More": policy_on("Policy", "", *statements, role={"Fn::GetAtt": "Name.Value"}),
            }
        ),
        "policy by a name that begins alike": event(
            {
                "Role": role(RoleName={"Fn::Sub": "web-${Stored}"}),
                "More": policy_on("Policy", "", *statements, role={"Fn::Sub": "WEB-${Hidden}"}),
            }
        ),
        "policy by a name in other letters": event(
            {"Role": role(RoleName="web"), "More": policy_on("RolePolicy", "", *statements, role="Web")}
        ),
        "policy in Fn::If": event(
            {"Role": role(), "More": policy_on("Policy", "", *statements, role=both(ref("Role"), "other"))}
        ),
    }


WAYS = list(ways_to_grant())


@pytest.mark.parametrize("way", WAYS)
def test_statements_may_be_forbidden(way: str) -> None:
    lines = refused(ways_to_grant(statement())[way], STATEMENTS="false")
    assert lines
    for line in lines:
        assert line.endswith(
            "is a statement of the template's own, and none are allowed here;"
            " leave it out; what the definition needs is granted without it"
        )


@pytest.mark.parametrize("way", WAYS)
def test_actions_may_be_listed(way: str) -> None:
    fine = ways_to_grant(statement(["ssm:getparameters", "xray:Put*"]), {**statement("iam:*"), "Effect": "Deny"})[way]
    assert made(fine, STATEMENTS="ssm:GetParameters,xray:*") == made(fine)
    [line] = refused(ways_to_grant(statement(["ssm:GetParameters", "ssm:*"]))[way], STATEMENTS="ssm:Get*,xray:*")
    assert line.endswith("Action/1: `ssm:*` is no action that is allowed here; write one of ssm:Get*, xray:*")


@pytest.mark.parametrize(
    "node",
    [
        statement("*"),
        statement("s*:GetParameters"),
        statement("ssm:Ge?Parameters"),
        statement("ssm:GetParameter"),
        statement(ref("Hidden")),
        statement(ref("Given")),
        statement({"Fn::Sub": "ssm:${Stored}"}),
        statement(both("ssm:GetParameters", "iam:PassRole")),
        statement([both(NO_VALUE, "iam:PassRole"), "ssm:GetParameters"]),
        {"Effect": "Allow", "NotAction": "ssm:GetParameters", "Resource": "*"},
        {**statement("iam:PassRole"), "Effect": both("Allow", "Deny")},
        {**statement("iam:PassRole"), "Effect": ref("Given")},
    ],
)
def test_no_spelling_hides_an_action(node: Json) -> None:
    request = event({"Web": task({"Statements": [node]})}, {"Given": "iam:PassRole"})
    assert refused(request, STATEMENTS="ssm:GetParameters")[0].startswith(f"{SPEC}/Statements/0")


@pytest.mark.parametrize(
    "policies",
    [
        [{"PolicyName": "p", "PolicyDocument": ref("Hidden")}],
        [{"PolicyName": "p", "PolicyDocument": {"Fn::Transform": {"Name": "Other"}}}],
        [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "statement": [statement("iam:*")]}}],
        [{"PolicyName": "p", "PolicyDocument": document({"Fn::Transform": {"Name": "Other"}})}],
        [{"PolicyName": "p", "PolicyDocument": document({"effect": "Allow", "action": "*", "resource": "*"})}],
        [{"PolicyName": "p", "PolicyDocument": '{"Statement": []}'}],
        [{"Fn::ImportValue": "policy"}],
        [{"PolicyName": "p"}],
    ],
)
def test_a_policy_that_cannot_be_read_is_a_breach(policies: list[Any]) -> None:
    [*_, line] = refused(event({"Role": role(Policies=policies)}), STATEMENTS="ssm:GetParameters")
    assert line.startswith(f"{ROLE}/Policies/0")
    assert line.endswith("so it is not known what it grants; write its statements out") or "is expanded after" in line


def test_a_name_that_the_macro_makes_up_is_no_secret_either() -> None:
    uuid = {"Fn::Select": [2, {"Fn::Split": ["/", ref("AWS::StackId")]}]}
    start = {"Fn::Select": [0, {"Fn::Split": ["-", uuid]}]}
    name = {"Fn::Join": ["-", ["ecs", "WebExecutionRole", start]]}
    request = event({"Web": task(), "More": policy_on("Policy", "", statement(), role=name)})
    assert refused(request, STATEMENTS="false", NAME_PREFIX="ecs-")
    assert made(request, STATEMENTS="false"), "CloudFormation's name is not known to anyone"


def test_a_connector_is_a_policy_that_cannot_be_read() -> None:
    connector = {"Type": "AWS::Serverless::Connector", "Properties": {"Source": {"RoleName": ref("WebExecutionRole")}}}
    [line] = refused(event({"Web": task(), "Link": connector}), STATEMENTS="false")
    assert line.startswith("Resources/Link/Properties/")


def test_policies_of_other_roles_are_none_of_its_business() -> None:
    other = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": document(statement("*"))}]}}
    policies = {
        "By": policy_on("Policy", "Other", statement("*")),
        "ByName": policy_on("Policy", "", statement("*"), role="app"),
        "BySub": policy_on("RolePolicy", "", statement("*"), role={"Fn::Sub": "app-${Hidden}"}),
    }
    request = event({"Web": task({"RoleName": "web"}), "Unnamed": task(), "Other": other, **policies})
    assert made(request, STATEMENTS="false", ACCOUNTS="self") == made(request)
    nothing = event({"Role": role(Policies=[])})
    assert made(nothing, STATEMENTS="false") == made(nothing)


@pytest.mark.parametrize("way", WAYS)
def test_statements_are_held_to_accounts_and_regions(way: str) -> None:
    fine = ways_to_grant(
        statement(resource=[SECRET, {"Fn::Sub": "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/*"}]),
        statement(Condition={"StringEquals": {"aws:resourceaccount": [ref("AWS::AccountId")]}}),
        {**statement(), "Effect": "Deny"},
    )[way]
    rails = {"ACCOUNTS": "self", "MANAGED_POLICIES": "true"}
    assert made(fine, **rails) == made(fine)
    [line] = refused(ways_to_grant(statement(resource=[SECRET, STRANGERS_SECRET]))[way], **rails)
    assert f"Resource/1: `{STRANGERS_SECRET}` lies in the account {STRANGER}, from which nothing may come" in line
    [line] = refused(ways_to_grant(statement())[way], **rails)
    assert line.endswith(
        "Resource: `*` may lie in any account; write it out, or add"
        f" Condition: {{StringEquals: {{aws:ResourceAccount: …}}}} with: {ACCOUNT} (the stack's own)"
    )


@pytest.mark.parametrize(
    "node",
    [
        statement(resource="arn:aws:secretsmanager:*:*:secret:x"),
        statement(resource="arn:aws:secretsmanager:us-east-1:1*:secret:x"),
        statement(resource=f"arn:aws:*:us-east-1:{ACCOUNT}:*"),
        statement(resource=f"arn:*:ssm:us-east-1:{ACCOUNT}:parameter/x"),
        statement(resource="arn:aws:s3:::bucket/*"),
        statement(resource="arn:aws:ssm"),
        statement(resource=ref("Hidden")),
        statement(resource=both(SECRET, "*")),
        {"Effect": "Allow", "Action": "ssm:GetParameters", "NotResource": SECRET},
        statement(Condition={"StringLike": {"aws:ResourceAccount": "*"}}),
        statement(Condition={"StringEqualsIfExists": {"aws:ResourceAccount": ACCOUNT}}),
        statement(Condition={"StringNotEquals": {"aws:ResourceAccount": ACCOUNT}}),
        statement(Condition={"StringEquals": {"aws:ResourceAccount": [ACCOUNT, STRANGER]}}),
        statement(Condition={"StringEquals": {"aws:ResourceAccount": both(ACCOUNT, NO_VALUE)}}),
        statement(Condition={"StringEquals": {"aws:ResourceAccount": ref("Hidden")}}),
        statement(Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
        statement(Condition={"StringEquals": both({"aws:ResourceAccount": ACCOUNT}, NO_VALUE)}),
    ],
)
def test_a_statement_that_may_reach_elsewhere_is_a_breach(node: Json) -> None:
    [line] = refused(event({"Web": task({"Statements": [node]})}), ACCOUNTS="self")
    assert line.startswith(f"{SPEC}/Statements/0")


def test_regions_hold_statements_but_for_what_has_no_region() -> None:
    for fine in (
        statement(resource="arn:aws:s3:::bucket/*"),
        statement(resource=SECRET),
        statement(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
    ):
        request = event({"Web": task({"Statements": [fine]})})
        assert made(request, REGIONS="eu-west-1") == made(request)
    for breach in (statement(), statement(resource=f"arn:aws:ssm:*:{ACCOUNT}:parameter/x")):
        [line] = refused(event({"Web": task({"Statements": [breach]})}), REGIONS="eu-west-1")
        assert "may lie in any region; write it out" in line


# -- managed policies -------------------------------------------------------------------------------------------------


def ways_to_attach(arn: Any, values: Mapping[str, Any] | None = None) -> dict[str, Json]:
    return {
        "spec": event({"Web": task({"ManagedPolicyArns": [arn]})}, values),
        "spec in Fn::If": event({"Web": task({"ManagedPolicyArns": both([NO_VALUE], [both(NO_VALUE, arn)])})}, values),
        "role": event({"Role": role(ManagedPolicyArns=[arn])}, values),
        "starter role": event({"Role": role({"Infer": False}, ManagedPolicyArns=[arn])}, values),
        "snippet's siblings": {
            **snippet({"Infer": False}, ManagedPolicyArns=[arn]),
            "templateParameterValues": values or {},
        },
    }


ATTACHING = list(ways_to_attach(""))


@pytest.mark.parametrize("way", ATTACHING)
def test_managed_policies_may_be_forbidden_or_listed(way: str) -> None:
    request = ways_to_attach(ADMINISTRATOR)[way]
    [line] = refused(request, MANAGED_POLICIES="false")
    assert line.endswith(f"`{ADMINISTRATOR}` is no managed policy that is allowed here; leave it out")
    [line] = refused(request, MANAGED_POLICIES=f"{STARTER},team-*")
    assert line.endswith(f"write one of {STARTER}, arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/team-*")
    fine = ways_to_attach(f"arn:aws:iam::{ACCOUNT}:policy/team-web")[way]
    assert made(fine, MANAGED_POLICIES=f"{STARTER},team-*") == made(fine)


@pytest.mark.parametrize(
    "arn",
    [
        ADMINISTRATOR.upper(),
        f"arn:aws:iam::{STRANGER}:policy/team-web",
        "arn:aws:iam::aws:policy/team-web",
        ref("Given"),
        ref("Hidden"),
        ref("Listed"),
        {"Fn::ImportValue": "policy"},
        {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:policy/${Stored}"},
    ],
)
def test_no_spelling_hides_a_managed_policy(arn: Any) -> None:
    values = {"Given": ADMINISTRATOR, "Listed": [f"arn:aws:iam::{ACCOUNT}:policy/team-web", ADMINISTRATOR]}
    [line] = refused(ways_to_attach(arn, values)["role"], MANAGED_POLICIES="team-*")
    assert line.startswith(f"{ROLE}/ManagedPolicyArns")


def test_a_whole_list_in_a_parameter_is_seen_too() -> None:
    values = {"Listed": f"arn:aws:iam::{ACCOUNT}:policy/team-web,{ADMINISTRATOR}"}
    request = event({"Role": role(ManagedPolicyArns=ref("Listed"))}, values)
    [line] = refused(request, MANAGED_POLICIES="team-*")
    assert line.startswith(f"{ROLE}/ManagedPolicyArns/1: `{ADMINISTRATOR}`")
    split = event({"Role": role(ManagedPolicyArns={"Fn::Split": [",", ref("Hidden")]})})
    assert refused(split, MANAGED_POLICIES="team-*")


def test_a_policy_of_the_template_is_no_listed_one() -> None:
    mine = policy_on("ManagedPolicy", "", statement(), Roles=[], ManagedPolicyName="team-web")
    request = event({"Web": task({"ManagedPolicyArns": [ref("Mine")]}), "Mine": mine})
    [line] = refused(request, MANAGED_POLICIES="team-*")
    assert "`!Ref Mine` is no managed policy that is allowed here" in line
    attached = event({"Web": task(), "Mine": policy_on("ManagedPolicy", "WebExecutionRole", statement())})
    lines = refused(attached, MANAGED_POLICIES="team-*")
    assert lines == [
        f"Resources/Mine/Properties/Roles: {what}; leave the role out"
        for what in ["puts a managed policy on WebExecutionRole that is not allowed here"]
    ]


@pytest.mark.parametrize("request_", [event({"Web": task("Starter")}), event({"Role": role("Starter")})])
def test_starter_attaches_a_managed_policy_like_any_other(request_: Json) -> None:
    [line] = refused(request_, MANAGED_POLICIES="false")
    assert line.endswith(
        "ExecutionRoleSpec: attaches AmazonECSTaskExecutionRolePolicy, which is not allowed here; write Auto"
    )
    assert refused(request_, MANAGED_POLICIES="team-*")
    assert refused(request_, ACCOUNTS="self"), "it pulls from any account"
    assert made(request_, ACCOUNTS="self", MANAGED_POLICIES=STARTER) == made(request_)


def test_accounts_forbid_managed_policies_unless_their_owner_says_otherwise() -> None:
    request = ways_to_attach(ADMINISTRATOR)["spec"]
    assert refused(request, ACCOUNTS="self")
    assert refused(request, REGIONS="self")
    assert made(request, ACCOUNTS="self", MANAGED_POLICIES="true") == made(request)


def test_the_macros_own_managed_policies_are_not_meant() -> None:
    """What does not fit into the role itself moves to managed policies, whose statements are the macro's."""
    secrets = [f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{'x' * 60}{n:04}-a1B2c3" for n in range(150)]
    request = event({"Web": task({"Secrets": secrets})})
    resources = made(request, MANAGED_POLICIES="false", STATEMENTS="false", ACCOUNTS="self")
    assert resources == made(request)
    assert "AWS::IAM::ManagedPolicy" in {resource["Type"] for resource in resources.values()}


# -- preflight --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forced, said, mode",
    [
        ("true", None, "Fail"),
        ("true", False, "Fail"),
        ("true", "false", "Fail"),
        ("true", "Warn", "Fail"),
        ("true", ref("Given"), "Fail"),
        ("true", both(False, False), "Fail"),
        ("true", both(True, False), None),
        ("Warn", None, "Warn"),
        ("Warn", False, "Warn"),
        ("warn", True, "Fail"),
        ("Warn", "Warn", "Warn"),
    ],
)
def test_every_role_is_checked_at_deployment(forced: str, said: Any, mode: str | None) -> None:
    spec = {"Infer": True} if said is None else {"Preflight": said}
    request = event({"Web": task(spec, secret="/x"), "Role": role(spec)}, {"Given": "false"})
    if mode is None:
        with pytest.raises(TemplateError, match="Preflight: is only known when the stack is deployed"):
            made(request, PREFLIGHT=forced)
        return
    resources = made(request, PREFLIGHT=forced)
    for check in ("WebExecutionRolePreflight", "RolePreflight"):
        assert resources[check]["Type"] == "Custom::EcsExecRolePreflight"
        assert resources[check]["Properties"]["Mode"] == mode


def test_a_starter_role_is_checked_for_what_its_tasks_need() -> None:
    web = task("Starter", image={"Fn::ImportValue": "image"}, secret=SECRET)
    other = task(secret="/db")
    other["Properties"] = {**other["Properties"], "ExecutionRoleArn": {"Fn::GetAtt": "Role.Arn"}}
    del other["Properties"]["ExecutionRoleSpec"]
    service = {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": ref("Other")}}
    request = event({"Web": web, "Role": role("Starter"), "Other": other, "Service": service})
    resources = made(request, PREFLIGHT="true")
    for check, resource in (
        ("WebExecutionRolePreflight", SECRET),
        ("RolePreflight", {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/db"}),
    ):
        [need] = resources[check]["Properties"]["Needs"]
        assert need["Resources"] == [resource]
    assert resources["Service"]["DependsOn"] == ["RolePreflight"]
    assert "Policies" not in resources["WebExecutionRole"]["Properties"]


def test_a_snippet_can_add_no_check_so_it_is_a_breach() -> None:
    [line] = refused(snippet({"Infer": False}), PREFLIGHT="Warn")
    assert line == (
        "Fn::Transform: makes a role without the check at deployment, which every role has here;"
        " write ExecutionRoleSpec on the role instead"
    )


# -- tags -------------------------------------------------------------------------------------------------------------


def tag(key: Any, value: Any) -> Json:
    return {"Key": key, "Value": value}


@pytest.mark.parametrize(
    "tags, written",
    [
        (None, [tag("by", "macro")]),
        (NO_VALUE, [tag("by", "macro")]),
        ([], [tag("by", "macro")]),
        ([tag("a", "b")], [tag("a", "b"), tag("by", "macro")]),
        ([tag("by", "macro")], [tag("by", "macro")]),
        ([tag("by", ref("Given"))], [tag("by", ref("Given"))]),
        (both([tag("by", "macro")], [tag("by", "macro")]), both([tag("by", "macro")], [tag("by", "macro")])),
    ],
)
def test_a_tag_with_its_value_is_added(tags: Any, written: Any) -> None:
    given = {} if tags is None else {"Tags": tags}
    on_role = event({"Role": role(**given)}, {"Given": "macro"})
    assert properties(on_role, "Role", TAGS="by=macro")["Tags"] == written
    if tags != NO_VALUE and not isinstance(tags, dict):
        on_task = event({"Web": task(given or "Auto")}, {"Given": "macro"})
        assert properties(on_task, TAGS="by=macro")["Tags"] == written
    assert made(snippet({"Infer": False}), TAGS="by=macro")["Tags"] == [tag("by", "macro")]


@pytest.mark.parametrize(
    "tags, told",
    [
        ([tag("by", "hand")], "`hand` is not what the tag `by` says here; leave the tag out, or write macro"),
        ([tag("By", "macro")], "`By` is the required tag `by` in other letters; write by"),
        ([tag("by", ref("Given"))], "`hand` is not what"),
        ([tag("by", ref("Hidden"))], "`!Ref Hidden` is not what"),
        ([tag(ref("Named"), "hand")], "`hand` is not what"),
        ([tag("by", both("macro", "hand"))], "`hand` is not what"),
        ([both(tag("by", "macro"), NO_VALUE)], "lacks the required tag `by` under every condition; add {Key: by"),
        ([{"Fn::ImportValue": "tag"}], "is no tag that can be read here; write {Key: …, Value: …}"),
        ({"Fn::ImportValue": "tags"}, "is no tag that can be read here; write {Key: …, Value: …}"),
        (both([tag("a", "b")], NO_VALUE), "is no list, so by cannot be added to it; write a list"),
    ],
)
def test_another_value_of_a_tag_is_a_breach(tags: Any, told: str) -> None:
    request = event({"Role": role(Tags=tags)}, {"Given": "hand", "Named": "by"})
    request["fragment"] = {**request["fragment"], "Parameters": {**PARAMETER_KINDS, "Named": {"Type": "String"}}}
    lines = refused(request, TAGS="by=macro")
    assert told in lines[0]
    assert lines[0].startswith(f"{ROLE}/Tags")


@pytest.mark.parametrize(
    "tags",
    [None, [], [tag("cost", "1")], [tag("Team", "web")], [tag("team", "")], [both(tag("team", "web"), NO_VALUE)]],
)
def test_a_tag_without_a_value_is_the_authors_to_write(tags: Any) -> None:
    given = {} if tags is None else {"Tags": tags}
    for request, path in (
        (event({"Web": task(given or "Auto")}), f"{SPEC}/Tags"),
        (event({"Role": role(**given)}), f"{ROLE}/Tags"),
        (snippet({"Infer": False}, **given), f"{ROLE}/Tags"),
    ):
        [line] = refused(request, TAGS="team")
        assert line.startswith(path)
        assert "required tag `team`" in line
    fine = event({"Web": task({"Tags": [both(tag("team", "web"), tag("team", ref("Hidden")))]})})
    assert made(fine, TAGS="team") == made(fine)


# -- conditions -------------------------------------------------------------------------------------------------------


def test_a_role_under_a_condition_is_held_as_far_as_it_exists() -> None:
    web = task({"Path": both("/ecs/x/", "/elsewhere/"), "Tags": [both(tag("team", "web"), NO_VALUE)]})
    assert len(refused(event({"Web": web}), PATH="/ecs/", TAGS="team")) == 2
    found = properties(event({"Web": {**web, "Condition": "Prod"}}), PATH="/ecs/", TAGS="team")
    assert found["Path"] == "/ecs/x/"


# -- the documentation ------------------------------------------------------------------------------------------------

GUIDE = (Path(__file__).parents[1] / "docs" / "guardrails.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```\n\n(?:```yaml\n(.*?)```\n\n)?```text\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("variables, resources, told", EXAMPLES, ids=[example[0].split("=")[0] for example in EXAMPLES])
def test_what_the_documentation_says_is_said(variables: str, resources: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "Resources:\n" + textwrap.indent(resources or "Web: {Type: AWS::SNS::Topic}", "  "), encoding="utf-8"
    )
    request = event(load(path)["Resources"])
    request["fragment"] = {**request["fragment"], "Parameters": {"Account": {"Type": "String", "NoEcho": True}}}
    [first, *_] = request["fragment"]["Resources"].values()
    if "Fn::Transform" in (inner := first.get("Properties", {})):
        request = snippet(inner["Fn::Transform"]["Parameters"])
    environment = dict(line.split("=", 1) for line in variables.splitlines())
    with pytest.raises(TemplateError) as caught:
        expand(request, from_environment(environment, DESK_PREFLIGHT))
    assert str(caught.value) == told.rstrip("\n")


def test_every_parameter_has_its_row_its_variable_and_its_section() -> None:
    template = load(Path(__file__).parents[1] / "template.yaml")
    variables = template["Resources"]["MacroFunction"]["Properties"]["Environment"]["Variables"]
    for name, parameter in PARAMETERS.items():
        assert f"| `{parameter}` | `{PREFIX}{name}` |" in GUIDE
        assert variables[PREFIX + name] == {"Ref": parameter}
        assert template["Parameters"][parameter]["Default"] == ""
        assert any(PREFIX + name in example[0] for example in EXAMPLES)
    assert sum(name.startswith(PREFIX) for name in variables) == len(PARAMETERS)


def test_the_command_line_holds_templates_to_them_too(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(json.dumps({"Transform": "EcsExecRole", "Resources": {"Web": task("Starter")}}), encoding="utf-8")
    runner = CliRunner()
    assert runner.invoke(cli, ["expand", str(path)], env={}).exit_code == 0
    breach = runner.invoke(cli, ["expand", str(path)], env={"ECS_EXEC_ROLE_ACCOUNTS": "self"})
    assert breach.exit_code == 1
    assert f"{SPEC}: attaches AmazonECSTaskExecutionRolePolicy, which is not allowed here; write Auto" in breach.stderr
    slip = runner.invoke(cli, ["expand", str(path)], env={"ECS_EXEC_ROLE_ACCOUNTS": "me"})
    assert slip.exit_code == 2
    assert "`me` is no account" in slip.stderr
