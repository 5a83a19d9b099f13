"""Follows the remedy of each violation of a guardrail: each place that makes such a message has an example."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from tests.guardrails.templates import (
    ADMINISTRATOR,
    BOUNDARY,
    REGISTRY,
    SECRET,
    STARTER,
    STRANGERS_SECRET,
    Json,
    document,
    event,
    made,
    policy_on,
    ref,
    settings,
    statement,
    task,
)
from tests.support.places_of_messages import missing, places, traced

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.pipeline import expand


class Breach(NamedTuple):
    """An example: the settings, a request against them, a part of the remedy, and the request that follows it."""

    settings: dict[str, str]
    wrong: Json
    says: str
    right: Json


def web(spec: Any = "Auto", **more: Any) -> Json:
    """The request for a definition `Web`, with other resources."""
    return event({"Web": task(spec), **more})


def with_role(**properties: Any) -> Json:
    """The request for a role with a spec, with its own properties."""
    spec = {"ExecutionRoleSpec": {"Parameters": ["/x"]}}
    return event({"Role": {"Type": "AWS::IAM::Role", "Properties": {**spec, **properties}}})


def snippet(**properties: Any) -> Json:
    """The request for an `Fn::Transform` inside a role's properties."""
    return {**event({}), "fragment": {"Path": "/", **properties}, "params": {"Parameters": ["/x"]}}


def stated(**changes: Any) -> Json:
    one = {**statement("ssm:GetParameters", "arn:aws:ssm:us-east-1:123456789012:parameter/x"), **changes}
    return web({"Statements": [{key: value for key, value in one.items() if value is not None}]})


def trusting(principal: Any) -> Json:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def budget(definition: Json, role: Any) -> Json:
    definition = {"IamActionDefinition": {**definition, "Roles": [role]}}
    return {"Type": "AWS::Budgets::BudgetsAction", "Properties": {"Definition": definition}}


def bucket(resource: Any, **more: Any) -> Json:
    condition = {"StringEquals": {"aws:ResourceAccount": "123456789012"}}
    return web({"Statements": [{**statement("s3:GetObject", resource), "Condition": condition, **more}]})


NAMED_BOUNDARY = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "boundary"}}
OTHER_NAME = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "other"}}
PROFILE = {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [ref("WebExecutionRole")]}}
OTHER_PROFILE = {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": ["other"]}}
MODULE = {"Type": "My::Own::Thing::MODULE", "Properties": {}}
ATTACHED = policy_on("ManagedPolicy", "WebExecutionRole", statement())
ALONE = policy_on("ManagedPolicy", "Other", statement(), role="other")
OURS = "arn:aws:iam::123456789012:policy/ours"
NO_STATEMENTS = {"STATEMENTS": "false"}
ACTIONS = {"STATEMENTS": "ssm:GetParameters"}
ACCOUNTS = {"ACCOUNTS": "self"}

BREACHES: dict[str, Breach] = {
    "a loop": Breach(
        NO_STATEMENTS,
        web(**{"Fn::ForEach::L": ["N", ["a"], {"T${N}": {"Type": "AWS::SNS::Topic"}}]}),
        "list the other macro",
        web(Ta={"Type": "AWS::SNS::Topic"}),
    ),
    "a snippet without preflight": Breach(
        {"PREFLIGHT": "true"},
        snippet(),
        "write ExecutionRoleSpec on the role instead",
        with_role(),
    ),
    "another trust": Breach(
        NO_STATEMENTS,
        with_role(AssumeRolePolicyDocument=trusting({"AWS": "*"})),
        "write Principal: {Service: ecs-tasks.amazonaws.com}",
        with_role(AssumeRolePolicyDocument=trusting({"Service": "ecs-tasks.amazonaws.com"})),
    ),
    "another trust, removed": Breach(
        NO_STATEMENTS,
        with_role(AssumeRolePolicyDocument=trusting({"AWS": "*"})),
        "or remove AssumeRolePolicyDocument",
        with_role(),
    ),
    "an instance profile": Breach(
        NO_STATEMENTS, web(Profile=PROFILE), "write !Ref of another role", web(Profile=OTHER_PROFILE)
    ),
    "a module": Breach(NO_STATEMENTS, web(Thing=MODULE), "write the resources of the module in the template", web()),
    "a policy with the boundary's name": Breach(
        {"PERMISSIONS_BOUNDARY": BOUNDARY},
        web(Policy=NAMED_BOUNDARY),
        "write another name",
        web(Policy=OTHER_NAME),
    ),
    "Starter": Breach({"MANAGED_POLICIES": ADMINISTRATOR}, web("Starter"), "write Auto", web("Auto")),
    "a managed policy of the template": Breach(
        {"MANAGED_POLICIES": "false"}, web(Policy=ATTACHED), "remove the role from it", web(Policy=ALONE)
    ),
    "a name of an allowed policy": Breach(
        {"MANAGED_POLICIES": OURS},
        web({"ManagedPolicyArns": [OURS]}, Policy={**OTHER_NAME, "Properties": {"ManagedPolicyName": "ours"}}),
        "write a ManagedPolicyName for Policy",
        web({"ManagedPolicyArns": [OURS]}, Policy=OTHER_NAME),
    ),
    "a budget action without a policy": Breach(
        {"MANAGED_POLICIES": "false"},
        web(Budget=budget({}, ref("WebExecutionRole"))),
        "remove the role from it",
        web(Budget=budget({}, "other")),
    ),
    "another managed policy": Breach(
        {"MANAGED_POLICIES": STARTER},
        web({"ManagedPolicyArns": [ADMINISTRATOR]}),
        f"write one of {STARTER}",
        web({"ManagedPolicyArns": [STARTER]}),
    ),
    "a secret of a stranger": Breach(
        {"ACCOUNTS": f"self,{REGISTRY}"},
        web({"Secrets": [STRANGERS_SECRET]}),
        "use one in",
        web({"Secrets": [SECRET]}),
    ),
    "a value that is known later": Breach(
        NO_STATEMENTS,
        web({"Parameters": [ref("Hidden")]}),
        "write the value out",
        web({"Parameters": ["/x"]}),
    ),
    "no name": Breach({"NAME_PREFIX": "ecs-"}, snippet(), "write RoleName: ecs-", snippet(RoleName="ecs-web")),
    "another name": Breach(
        {"NAME_PREFIX": "ecs-"},
        with_role(RoleName="web"),
        "write one that begins with ecs-",
        with_role(RoleName="ecs-web"),
    ),
    "another path": Breach({"PATH": "/ecs/"}, with_role(Path="/web/"), "or remove it", with_role()),
    "a tag with different upper and lower case": Breach(
        {"TAGS": "Owner=web"},
        with_role(Tags=[{"Key": "owner", "Value": "web"}]),
        "write Owner",
        with_role(Tags=[{"Key": "Owner", "Value": "web"}]),
    ),
    "tags that are no list": Breach({"TAGS": "Owner=web"}, with_role(Tags="x"), "write a list", with_role(Tags=[])),
    "another boundary": Breach(
        {"PERMISSIONS_BOUNDARY": BOUNDARY},
        with_role(PermissionsBoundary=ADMINISTRATOR),
        "remove it, or write",
        with_role(PermissionsBoundary=BOUNDARY),
    ),
    "another value of a tag": Breach(
        {"TAGS": "Owner=web"},
        with_role(Tags=[{"Key": "Owner", "Value": "x"}]),
        "remove the tag, or write web",
        with_role(),
    ),
    "a tag that cannot be read": Breach(
        {"TAGS": "Owner"},
        with_role(Tags=[{"Fn::ImportValue": "x"}]),
        "write {Key: …, Value: …}",
        with_role(Tags=[{"Key": "Owner", "Value": "x"}]),
    ),
    "a missing tag": Breach(
        {"TAGS": "Owner"}, with_role(), "add {Key: Owner, Value: …}", with_role(Tags=[{"Key": "Owner", "Value": "x"}])
    ),
    "an empty tag": Breach(
        {"TAGS": "Owner"},
        with_role(Tags=[{"Key": "Owner", "Value": ""}]),
        "write its value",
        with_role(Tags=[{"Key": "Owner", "Value": "x"}]),
    ),
    "a policy that cannot be read": Breach(
        ACTIONS,
        with_role(Policies=[{"PolicyName": "p", "PolicyDocument": {"Fn::ImportValue": "x"}}]),
        "write its statements in the template",
        with_role(Policies=[]),
    ),
    "a statement": Breach(NO_STATEMENTS, stated(), "what the definition needs is granted without it", web()),
    "no action": Breach(ACTIONS, stated(Action=None, NotAction="x:y"), "name in Action one of", stated()),
    "another action": Breach(ACTIONS, stated(Action="s3:GetObject"), "write one of ssm:GetParameters", stated()),
    "no resource": Breach(ACCOUNTS, stated(Resource=None, NotResource="x"), "name them in Resource", stated()),
    "an access point": Breach(
        ACCOUNTS,
        bucket("arn:aws:s3:us-east-1:123456789012:accesspoint/a/object/x"),
        "name the bucket: arn:aws:s3:::BUCKET/*",
        bucket("arn:aws:s3:::b/*"),
    ),
}


def problems(breach: Breach, request: Json) -> list[Problem]:
    try:
        expand(request, settings(**breach.settings))
    except TemplateError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("name", BREACHES)
def test_a_remedy_that_is_followed_ends_the_violation(name: str) -> None:
    breach = BREACHES[name]
    said = problems(breach, breach.wrong)
    assert [problem for problem in said if breach.says in problem.fix], [str(problem) for problem in said]
    assert made(breach.right, **breach.settings)


WRONG_SETTINGS = {
    ("NONESUCH", "x"): "the macro has these settings",
    ("ACCOUNTS", "12"): "account IDs of 12 digits",
    ("PATH", "ecs"): "one that begins and ends with a slash",
}


@pytest.mark.parametrize(("name", "value"), WRONG_SETTINGS)
def test_a_wrong_setting_is_reported_with_what_to_write(name: str, value: str) -> None:
    with pytest.raises(TemplateError) as caught:
        settings(**{name: value})
    assert WRONG_SETTINGS[name, value] in str(caught.value)


def test_each_place_that_makes_a_message_has_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as lines:
        for breach in BREACHES.values():
            problems(breach, breach.wrong)
        for name, value in WRONG_SETTINGS:
            with pytest.raises(TemplateError):
                settings(**{name: value})
    found = places(("guardrails/", "settings.py"))
    assert len(found) > 25
    assert not missing(found, lines)
