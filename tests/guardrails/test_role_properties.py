"""What the guardrails require for a role's own properties."""

from __future__ import annotations

from typing import Any

import pytest
from tests.guardrails.templates import (
    ADMINISTRATOR,
    BOUNDARY,
    CONDITIONS,
    NO_VALUE,
    PARAMETER_KINDS,
    ROLE,
    SPEC,
    STRANGER,
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
from tests.support.cloudformation import Stack

from ecs_exec_role.errors import TemplateError


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
def test_the_same_boundary_is_written_as_it_was_set(node: Any) -> None:
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
    {"Fn::FindInMap": ["Boundaries", "Here", "Arn"]},
    "{{resolve:ssm:/boundary}}",
]


@pytest.mark.parametrize("node", OTHER_BOUNDARY)
def test_another_boundary_is_a_violation(node: Any) -> None:
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "other", "PolicyDocument": {}}}
    values = {"Given": "arn:aws:iam::aws:policy/AdministratorAccess", "Hidden": BOUNDARY}
    on_task = event({"Mine": policy, "Web": task({"PermissionsBoundary": node})}, values)
    on_role = event({"Mine": policy, "Role": role(PermissionsBoundary=node)}, values)
    for request in (on_task, on_role):
        request["fragment"]["Mappings"] = {
            "Boundaries": {"Here": {"Arn": "arn:aws:iam::aws:policy/AdministratorAccess"}}
        }
    for request, path in (
        (on_task, f"{SPEC}/PermissionsBoundary"),
        (on_role, f"{ROLE}/PermissionsBoundary"),
        ({**snippet({"Infer": False}, PermissionsBoundary=node), "templateParameterValues": values}, ROLE),
    ):
        [line] = refused(request, PERMISSIONS_BOUNDARY=BOUNDARY)
        assert line.startswith(path)
        assert line.endswith(
            f"is not the permissions boundary that every role must have; remove it, or write {BOUNDARY}"
        )


@pytest.mark.parametrize("node", [["arn:aws:iam::aws:policy/AdministratorAccess"], {"a": 1}])
def test_what_is_not_a_boundary_at_all_is_a_mistake_as_well(node: Any) -> None:
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
def test_what_sets_a_property_after_the_macro_is_a_violation(more: Json, place: str) -> None:
    for request in (event({"Role": role(**more)}), snippet({"Infer": False}, **more)):
        [line] = refused(request, PERMISSIONS_BOUNDARY=BOUNDARY)
        assert line == (
            f"{ROLE}/{place}: is expanded after EcsExecRole, which cannot see the result;"
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
def test_what_makes_policies_after_the_macro_is_a_violation(more: Json, path: str) -> None:
    request = event({"Web": task(), **more})
    for rails in ({"STATEMENTS": "false"}, {"MANAGED_POLICIES": "false"}, {"ACCOUNTS": "self"}):
        [line] = refused(request, **rails)
        assert line.startswith(f"{path}: is expanded after EcsExecRole")
    assert made(request, PATH="/ecs/")


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
def test_a_path_below_is_written_as_it_was_checked(node: Any, written: Any) -> None:
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
def test_a_path_elsewhere_is_a_violation(node: Any) -> None:
    for request, path in (
        (event({"Web": task({"Path": node})}, {"Given": "/"}), f"{SPEC}/Path"),
        (event({"Role": role(Path=node)}, {"Given": "/"}), f"{ROLE}/Path"),
    ):
        [line] = refused(request, PATH="/ecs/")
        assert line.startswith(path)
        assert line.endswith("does not begin with /ecs/; write one that begins with /ecs/, or remove it")


def test_a_name_is_generated_that_no_other_stack_has() -> None:
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
        f"Resources/{long}/Properties/ExecutionRoleSpec/RoleName: is missing, and every role's must begin with ecs-;"
        " write RoleName: ecs-…"
    )
    [line] = refused(event({long: task({"RoleName": both("ecs-web", NO_VALUE)})}), NAME_PREFIX="ecs-")
    assert "/RoleName: is missing" in line
    assert made(event({long: task({"RoleName": both("ecs-web", "ecs-app")})}), NAME_PREFIX="ecs-")


def test_a_snippet_cannot_generate_a_name() -> None:
    [line] = refused(snippet({"Infer": False}), NAME_PREFIX="ecs-")
    assert line == f"{ROLE}/RoleName: is missing, and every role's must begin with ecs-; write RoleName: ecs-…"
    assert made(snippet({"Infer": False}, RoleName="ecs-web"), NAME_PREFIX="ecs-")["RoleName"] == "ecs-web"


@pytest.mark.parametrize(
    "node",
    ["web", "ECS-web", "ecs_web", ref("Given"), ref("Hidden"), both("ecs-web", "web"), {"Fn::Sub": "${Stored}-ecs-"}],
)
def test_a_name_without_the_prefix_is_a_violation(node: Any) -> None:
    for request, path in (
        (event({"Web": task({"RoleName": node})}, {"Given": "web"}), f"{SPEC}/RoleName"),
        (event({"Role": role(RoleName=node)}, {"Given": "web"}), f"{ROLE}/RoleName"),
    ):
        [line] = refused(request, NAME_PREFIX="ecs-")
        assert line.startswith(path)
        assert "does not begin with ecs-" in line


def test_a_name_with_the_prefix_is_written_as_it_was_checked() -> None:
    request = event({"Web": task({"RoleName": {"Fn::Sub": "${Given}-${AWS::StackName}"}})}, {"Given": "ecs"})
    assert properties(request, NAME_PREFIX="ecs-")["RoleName"] == {"Fn::Sub": "ecs-${AWS::StackName}"}


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
        ([tag("by", "hand")], "`hand` is not the required value of the tag `by`; remove the tag, or write macro"),
        ([tag("By", "macro")], "`By` is the required tag `by` with different upper and lower case; write by"),
        ([tag("by", ref("Given"))], "`hand` is not the required value"),
        ([tag("by", ref("Hidden"))], "`!Ref Hidden` is not the required value"),
        ([tag(ref("Named"), "hand")], "`hand` is not the required value"),
        ([tag("by", both("macro", "hand"))], "`hand` is not the required value"),
        ([both(tag("by", "macro"), NO_VALUE)], "lacks the required tag `by` under every condition; add {Key: by"),
        ([{"Fn::ImportValue": "tag"}], "is not a tag that can be read here; write {Key: …, Value: …}"),
        ({"Fn::ImportValue": "tags"}, "is not a tag that can be read here; write {Key: …, Value: …}"),
        (both([tag("a", "b")], NO_VALUE), "is not a list, so by cannot be added to it; write a list"),
    ],
)
def test_another_value_of_a_tag_is_a_violation(tags: Any, told: str) -> None:
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


def test_a_role_under_a_condition_is_held_as_far_as_it_exists() -> None:
    web = task({"Path": both("/ecs/x/", "/elsewhere/"), "Tags": [both(tag("team", "web"), NO_VALUE)]})
    assert len(refused(event({"Web": web}), PATH="/ecs/", TAGS="team")) == 2
    found = properties(event({"Web": {**web, "Condition": "Prod"}}), PATH="/ecs/", TAGS="team")
    assert found["Path"] == "/ecs/x/"


# -- every kind of role -----------------------------------------------------------------------------------------------

CONTAINER = {"Name": "web", "Image": "nginx"}
KINDS: dict[str, Json] = {
    "AWS::ECS::TaskDefinition": {"ContainerDefinitions": [CONTAINER]},
    "AWS::ECS::DaemonTaskDefinition": {"ContainerDefinitions": [CONTAINER]},
    "AWS::ECS::ExpressGatewayService": {
        "PrimaryContainer": {"Image": "nginx", "AwsLogsConfiguration": {"LogGroup": "x", "LogStreamPrefix": "x"}}
    },
    "AWS::Batch::JobDefinition": {"Type": "container", "ContainerProperties": {"Image": "nginx"}},
    "AWS::IAM::Role": {},
}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("spec", ["Auto", "Starter", {"Infer": False}])
def test_every_kind_of_role_is_held(kind: str, spec: Any) -> None:
    request = event({"Web": {"Type": kind, "Properties": {"ExecutionRoleSpec": spec, **KINDS[kind]}}})
    name = "Web" if kind == "AWS::IAM::Role" else "WebExecutionRole"
    found = properties(request, name, PERMISSIONS_BOUNDARY=BOUNDARY, PATH="/ecs/", NAME_PREFIX="ecs-", TAGS="by=macro")
    assert (found["PermissionsBoundary"], found["Path"], found["Tags"]) == (BOUNDARY, "/ecs/", [tag("by", "macro")])
    assert Stack({"Resources": {name: {"Properties": found}}, "Conditions": CONDITIONS}).property(name, "RoleName")


def test_a_loop_that_was_expanded_before_is_read() -> None:
    """AWS::LanguageExtensions leaves plain resources if it is first."""
    request = event({"WebA": task(), "WebB": task()})
    assert len([each for each in made(request, STATEMENTS="false").values() if each["Type"] == "AWS::IAM::Role"]) == 2
