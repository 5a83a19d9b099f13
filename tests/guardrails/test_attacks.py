"""Templates whose author tries to evade the guardrails."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.guardrails.templates import (
    ADMINISTRATOR,
    BOUNDARY,
    NO_VALUE,
    STRANGER,
    STRANGERS_SECRET,
    THINGS,
    Json,
    both,
    document,
    event,
    made,
    policy_on,
    ref,
    refused,
    role,
    settings,
    snippet,
    statement,
    task,
)
from tests.support.cloudformation import ACCOUNT, REGION

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.pipeline import expand

STRICT = {"STATEMENTS": "false", "MANAGED_POLICIES": "false", "ACCOUNTS": "self", "REGIONS": "self"}
ROLE_ARN = {"Fn::GetAtt": ["WebExecutionRole", "Arn"]}
SPLIT = {"Fn::Split": ["/", ROLE_ARN]}


def parameter(value: Any, **properties: Any) -> Json:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **properties}}


def other_role(**properties: Any) -> Json:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}, **properties}}


# -- policies that are attached to the role by a copy of its name -----------------------------------------------------

ECHOES: dict[str, tuple[Json, Any]] = {
    "an SSM parameter": ({"Echo": parameter(ref("WebExecutionRole"))}, {"Fn::GetAtt": ["Echo", "Value"]}),
    "an SSM parameter, by its short form": ({"Echo": parameter(ref("WebExecutionRole"))}, {"Fn::GetAtt": "Echo.Value"}),
    "an SSM parameter, in Fn::Sub": ({"Echo": parameter(ref("WebExecutionRole"))}, {"Fn::Sub": "${Echo.Value}"}),
    "an SSM parameter, in pieces": (
        {"Echo": parameter({"Fn::Select": [1, SPLIT]})},
        {"Fn::Join": ["", [{"Fn::GetAtt": ["Echo", "Value"]}, ""]]},
    ),
    "an SSM parameter of an SSM parameter": (
        {"Echo": parameter({"Fn::GetAtt": "First.Value"}), "First": parameter(ref("WebExecutionRole"))},
        {"Fn::GetAtt": ["Echo", "Value"]},
    ),
    "the name of an SSM parameter": ({"Echo": parameter("x", Name=ref("WebExecutionRole"))}, ref("Echo")),
    "an instance profile": (
        {
            "Echo": {
                "Type": "AWS::IAM::InstanceProfile",
                "Properties": {"InstanceProfileName": ref("WebExecutionRole"), "Roles": [ref("Other")]},
            }
        },
        ref("Echo"),
    ),
    "the path of another role": (
        {"Echo": other_role(Path={"Fn::Sub": "/${WebExecutionRole}/"})},
        {"Fn::Select": [1, {"Fn::Split": ["/", {"Fn::GetAtt": "Echo.Arn"}]}]},
    ),
    "a custom resource": (
        {"Echo": {"Type": "Custom::Echo", "Properties": {"ServiceToken": "x", "Name": ref("WebExecutionRole")}}},
        {"Fn::GetAtt": ["Echo", "Name"]},
    ),
    "a custom resource's own name": ({"Echo": {"Type": "AWS::CloudFormation::CustomResource"}}, ref("Echo")),
    "a nested stack": (
        {"Echo": {"Type": "AWS::CloudFormation::Stack", "Properties": {"Parameters": {"N": ref("WebExecutionRole")}}}},
        {"Fn::GetAtt": ["Echo", "Outputs.Name"]},
    ),
    "a nested application": (
        {"Echo": {"Type": "AWS::Serverless::Application"}},
        {"Fn::GetAtt": ["Echo", "Outputs.Name"]},
    ),
    "a provisioned product": (
        {"Echo": {"Type": "AWS::ServiceCatalog::CloudFormationProvisionedProduct"}},
        {"Fn::GetAtt": ["Echo", "Outputs.Name"]},
    ),
    "a NoEcho parameter": ({}, ref("Hidden")),
    "a NoEcho parameter with a known beginning": ({}, {"Fn::Sub": "app-${Hidden}"}),
    "a parameter from SSM": ({}, ref("Stored")),
    "an import": ({}, {"Fn::ImportValue": "role"}),
    "a dynamic reference": ({}, "{{resolve:ssm:/role}}"),
    "a dynamic reference in pieces": ({}, {"Fn::Join": ["", ["{{resolve:", "ssm:/role}}"]]}),
    "a mapping whose key is known later": ({}, {"Fn::FindInMap": ["Names", ref("Hidden"), "it"]}),
    "a resource that SAM will make": ({}, ref("FunctionSchedule")),
    "one branch": ({}, both("other", ref("Hidden"))),
    "a branch of a branch": ({}, both(both(ref("Hidden"), "other"), "app")),
    "a branch in Fn::Sub": ({}, {"Fn::Sub": ["${Name}", {"Name": both("app", ref("WebExecutionRole"))}]}),
    "Fn::ToJsonString": (
        {},
        {"Fn::Select": [1, {"Fn::Split": ['"', {"Fn::ToJsonString": [ref("WebExecutionRole")]}]}]},
    ),
    "Fn::Length": ({}, {"Fn::Length": [ref("WebExecutionRole")]}),
    "the default of Fn::FindInMap": (
        {},
        {"Fn::FindInMap": ["Names", "all", "none", {"DefaultValue": ref("WebExecutionRole")}]},
    ),
    "Fn::GetStackOutput": ({}, {"Fn::GetStackOutput": {"StackName": "other", "OutputName": "Role"}}),
    "a function that the macro does not know": ({}, {"Fn::Anything": ["a"]}),
    "the name of a group": (
        {"Echo": {"Type": "AWS::IAM::Group", "Properties": {"GroupName": ref("WebExecutionRole")}}},
        ref("Echo"),
    ),
    "a type of another maker": (
        {"Echo": {"Type": "Example::Echo::Text", "Properties": {"Text": ref("WebExecutionRole")}}},
        {"Fn::GetAtt": ["Echo", "Text"]},
    ),
    "the ID of the role": ({}, {"Fn::GetAtt": ["WebExecutionRole", "RoleId"]}),
    "the name of an earlier deployment": ({}, "web-WebExecutionRole-1ABCDEFGHIJ2K"),
    "the name of an earlier deployment, cut": ({}, "a-long-name-of-a-stack-WebExecutio-aBcDeFgHiJkL"),
    "the name of an earlier deployment, in pieces": (
        {},
        {"Fn::Sub": "${AWS::StackName}-WebExecution-1ABCDEFGHIJ2K"},
    ),
    "a parameter with the name of an earlier deployment": ({}, ref("Given")),
}
ATTACHING: dict[str, Any] = {
    "Policy": lambda name: policy_on("Policy", "", statement("iam:*"), role=name),
    "RolePolicy": lambda name: policy_on("RolePolicy", "", statement("iam:*"), role=name),
    "ManagedPolicy": lambda name: policy_on("ManagedPolicy", "", statement("iam:*"), role=name),
    "InstanceProfile": lambda name: {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [name]}},
    "BudgetsAction": lambda name: budgets_action(ADMINISTRATOR, name),
    "Connector": lambda name: {
        "Type": "AWS::Serverless::Connector",
        "Properties": {
            "Source": {"Type": "AWS::Lambda::Function", "RoleName": name},
            "Destination": {"Id": "Table"},
            "Permissions": ["Read"],
        },
    },
}


def budgets_action(arn: Any, *names: Any) -> Json:
    definition = {"IamActionDefinition": {"PolicyArn": arn, "Roles": list(names)}}
    return {
        "Type": "AWS::Budgets::BudgetsAction",
        "Properties": {"ActionType": "APPLY_IAM_POLICY", "Definition": definition},
    }


def attached(more: Json, attachment: Json) -> Json:
    table = {"Type": "AWS::DynamoDB::Table"}
    values = {"Given": "web-WebExecutionRole-1ABCDEFGHIJ2K"}
    return event({"Web": task(), "Other": other_role(), "Table": table, **more, "More": attachment}, values)


@pytest.mark.parametrize("echo", list(ECHOES))
@pytest.mark.parametrize("kind", list(ATTACHING))
def test_a_name_that_is_not_known_to_be_anothers_is_this_roles(kind: str, echo: str) -> None:
    more, name = ECHOES[echo]
    lines = refused(attached(more, ATTACHING[kind](name)), **STRICT)
    assert all(line.startswith("Resources/More/Properties") for line in lines)


@pytest.mark.parametrize("kind", list(ATTACHING))
@pytest.mark.parametrize(
    "name",
    [
        ref("WebExecutionRole"),
        {"Fn::Select": [1, SPLIT]},
        {"Fn::Sub": "${WebExecutionRole}"},
        {"Fn::Sub": ["${N}", {"N": ref("WebExecutionRole")}]},
    ],
)
def test_the_role_itself_is_named(kind: str, name: Any) -> None:
    assert refused(attached({}, ATTACHING[kind](name)), **STRICT)


@pytest.mark.parametrize("kind", list(ATTACHING))
@pytest.mark.parametrize(
    "name",
    [
        "app",
        "my-web-production",
        ref("Other"),
        ref("AWS::StackName"),
        {"Fn::Sub": "${AWS::StackName}-app"},
        {"Fn::Sub": "${AWS::StackName}App"},
        {"Fn::Sub": "${AWS::StackName}-${AWS::Region}-app"},
        {"Fn::Sub": "app-${AWS::Region}"},
        {"Fn::Sub": "${Hidden}_app"},
        both(ref("Other"), "app"),
        both("app", NO_VALUE),
        "other-WorkerExecutionRole-1ABCDEFGHIJ2K",
    ],
)
def test_a_name_that_is_known_to_be_anothers_is_ignored(kind: str, name: Any) -> None:
    request = attached({}, ATTACHING[kind](name))
    assert made(request, **STRICT) == made(request)


def test_the_remedy_for_another_roles_policy_is_followed() -> None:
    request = attached({}, ATTACHING["Policy"](ref("Hidden")))
    [line] = refused(request, **STRICT)
    assert line.endswith(
        "; or, if this is for another role, write !Ref of that role, or its name, at Resources/More/Properties/Roles"
    )
    for name in (ref("Other"), "app"):
        assert made(attached({}, ATTACHING["Policy"](name)), **STRICT)


@pytest.mark.parametrize("names", [ref("Listed"), {"Fn::Split": [",", ref("Hidden")]}, {"Fn::GetAtt": "Echo.Value"}])
def test_a_whole_list_of_names_counts_too(names: Any) -> None:
    policy = policy_on("Policy", "", statement("iam:*"))
    policy["Properties"]["Roles"] = names
    request = event({"Web": task(), "Echo": parameter("x"), "More": policy}, {"Listed": "a,web-Web-ABCDEFGHIJKL"})
    assert refused(request, **STRICT)


@pytest.mark.parametrize("definition", [ref("Hidden"), both(NO_VALUE, ref("Hidden")), {"Fn::GetAtt": "Echo.Value"}])
def test_a_budgets_action_that_cannot_be_read_counts_too(definition: Any) -> None:
    action = budgets_action(ADMINISTRATOR)
    action["Properties"]["Definition"] = definition
    assert refused(event({"Web": task(), "Echo": parameter("x"), "More": action}), **STRICT)


def test_a_budgets_action_may_attach_what_is_allowed() -> None:
    fine = attached({}, budgets_action(f"arn:aws:iam::{ACCOUNT}:policy/team-x", ref("WebExecutionRole")))
    assert made(fine, MANAGED_POLICIES="team-*") == made(fine)
    breach = attached({}, budgets_action(ADMINISTRATOR, ref("WebExecutionRole")))
    [line] = refused(breach, MANAGED_POLICIES="team-*")
    assert line.startswith("Resources/More/Properties/Definition/IamActionDefinition/PolicyArn: ")


def function(role_arn: Any, **more: Any) -> Json:
    return {"Type": "AWS::Serverless::Function", "Properties": {"Role": role_arn}, **more}


def connector(source: Any, destination: Any = "Table") -> Json:
    properties = {"Source": {"Id": source}, "Destination": {"Id": destination}, "Permissions": ["Write"]}
    return {"Type": "AWS::Serverless::Connector", "Properties": properties}


def to(destination: Any) -> Json:
    """Connectors as an attribute of their source."""
    return {"To": {"Properties": {"Destination": destination, "Permissions": ["Write"]}}}


CONNECTED = [
    {"F": function(ROLE_ARN), "More": connector("F")},
    {"F": function({"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/${WebExecutionRole}"}), "More": connector("F")},
    {"F": function(ref("Hidden")), "More": connector("F")},
    {"F": function({"Fn::Sub": "arn:aws:iam::123456789012:role/x${Hidden}"}), "More": connector("F")},
    {"F": function({"Fn::GetAtt": "Echo.Value"}), "Echo": parameter(ROLE_ARN), "More": connector("F")},
    {"F": function("arn:aws:iam::123456789012:role/web-WebExecutionRole-1ABCDEFGHIJ2K"), "More": connector("F")},
    {"F": function(ROLE_ARN), "More": connector("Table", "F")},
    {"F": function(ROLE_ARN, Connectors=to({"Id": "Table"}))},
    {
        "F": function(other_role(), Connectors=to({"Id": "G"})),
        "G": function(ROLE_ARN),
    },
    {"F": function(None, Connectors=to([{"Id": "Table"}, {"Id": "G"}])), "G": function(ROLE_ARN)},
    {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"RoleArn": ROLE_ARN}}, "More": connector("M")},
    {
        "R": {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Arn": "x", "RoleArn": ROLE_ARN}]}},
        "More": connector("R"),
    },
    {"More": connector("MadeLater")},
    {"More": connector(ref("Given"))},
]


@pytest.mark.parametrize("more", CONNECTED)
def test_a_connector_between_what_uses_the_role_is_a_policy_on_it(more: Json) -> None:
    request = event({"Web": task(), "Table": {"Type": "AWS::DynamoDB::Table"}, **more}, {"Given": "F"})
    lines = refused(request, **STRICT)
    assert all("cannot be read here, so it is not known what it grants" in line for line in lines)


@pytest.mark.parametrize(
    "more",
    [
        {"F": function(NO_VALUE), "More": connector("F")},
        {"F": function({"Fn::GetAtt": "Other.Arn"}), "More": connector("F")},
        {"F": function({"Fn::GetAtt": ["Other", "Arn"]}, Connectors=to({"Id": "F"}))},
        {"F": function("arn:aws:iam::123456789012:role/app"), "More": connector("F")},
        {"More": connector("Other")},
    ],
)
def test_a_connector_between_others_is_ignored(more: Json) -> None:
    request = event({"Web": task(), "Other": other_role(), "Table": {"Type": "AWS::DynamoDB::Table"}, **more})
    assert made(request, **STRICT) == made(request)


@pytest.mark.parametrize(
    "rails",
    [{"STATEMENTS": "false"}, {"MANAGED_POLICIES": "false"}, {"ACCOUNTS": "self"}, {"REGIONS": "self"}, STRICT],
)
def test_a_module_can_be_a_policy(rails: dict[str, str]) -> None:
    module = {"Type": "Example::Policies::Attach::MODULE", "Properties": {"RoleName": ref("WebExecutionRole")}}
    lines = refused(event({"Web": task(), "More": module}), **rails)
    assert "\n".join(lines) == (
        "Resources/More/Type: is a module, which cannot be read here and can contain policies;"
        " write the resources of the module in the template"
    )


def test_a_module_is_not_a_violation_where_policies_are_not_restricted() -> None:
    request = event({"Web": task(), "More": {"Type": "Example::Policies::Attach::MODULE"}})
    assert made(request, PATH="/ecs/", TAGS="a=b")


# -- resources that only seem to be the stack's own
# -----------------------------------------------------------------------

LOOKALIKES: Json = {
    **THINGS,
    "Product": {"Type": "AWS::ServiceCatalog::CloudFormationProvisionedProduct"},
    "App": {"Type": "AWS::Serverless::Application"},
    "Other": {"Type": "Example::Secret::Store"},
    "Queue": {"Type": "AWS::SQS::Queue"},
    "Cluster": {"Type": "AWS::RDS::DBCluster"},
    "Echo": parameter(STRANGERS_SECRET),
    "Partly": {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": {"SecretId": {"Fn::Sub": "a${Hidden}"}}},
    "Mostly": {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": {"SecretId": {"Fn::Sub": "arn${Hidden}"}}},
    "Echoed": {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": {"SecretId": {"Fn::GetAtt": "Echo.Value"}}},
    "Chained": {"Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": {"SecretId": ref("Echoed")}},
    "Foreigner": {"Type": "AWS::SecretsManager::RotationSchedule", "Properties": {"SecretId": ref("Foreign")}},
    "Circle": {"Type": "AWS::SecretsManager::RotationSchedule", "Properties": {"SecretId": ref("Circle")}},
    "Nothing": {"Type": "AWS::SecretsManager::RotationSchedule"},
}


@pytest.mark.parametrize(
    "secret",
    [
        *(
            {"Fn::GetAtt": [name, attribute]}
            for name in ("Product", "App", "Nested", "Other", "Custom", "Queue", "Missing")
            for attribute in ("SecretArn", "Outputs.SecretArn", "MasterUserSecret.SecretArn")
        ),
        {"Fn::GetAtt": ["Cluster", "SecretArn"]},
        {"Fn::GetAtt": ["Database", "Outputs.MasterUserSecret.SecretArn"]},
        {"Fn::Sub": "${Product.Outputs.SecretArn}:key::"},
        *(ref(name) for name in ("Partly", "Mostly", "Echoed", "Chained", "Foreigner", "Circle", "Nothing", "Foreign")),
    ],
)
def test_only_what_is_certainly_the_stacks_own_is(secret: Any) -> None:
    rails = {"ACCOUNTS": "self", "REGIONS": "self"}
    for spec in ("Auto", {"Secrets": [secret]}):
        with pytest.raises(TemplateError):
            expand(event({**LOOKALIKES, "Web": task(spec, secret=secret)}), settings(**rails))


@pytest.mark.parametrize("name", ["prod/db", {"Fn::Sub": "prod-${Hidden}"}, {"Fn::Sub": "b${Hidden}"}])
def test_a_secret_by_its_name_is_the_stacks_own(name: Any) -> None:
    policy = {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": {"SecretId": name}}
    request = event({"Own": policy, "Web": task(secret=ref("Own"))})
    assert made(request, ACCOUNTS="self", REGIONS="self") == made(request)


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:secretsmanager:${{Hidden}}:{ACCOUNT}:secret:x",
        f"arn:aws:secretsmanager:${{Hidden}}x:{ACCOUNT}:secret:x",
        f"arn:aws:${{Hidden}}:{REGION}:{ACCOUNT}:secret:x",
        f"arn:${{Hidden}}:secretsmanager:{REGION}:{ACCOUNT}:secret:x",
    ],
)
@pytest.mark.parametrize("rails", [{"ACCOUNTS": "self"}, {"REGIONS": "self"}])
def test_a_field_that_is_known_later_can_bring_another_account(arn: str, rails: dict[str, str]) -> None:
    node = {"Fn::Sub": arn}
    with pytest.raises(TemplateError):
        expand(event({"Web": task({"Secrets": [node]})}), settings(**rails))
    with pytest.raises(TemplateError):
        expand(event({"Web": task({"Statements": [statement(resource=node)]})}), settings(**rails))


# -- values that are known at deployment ------------------------------------------------------------------------------

UNKNOWN: list[Any] = [
    task({"Parameters": [ref("Hidden")]}),
    task({"Parameters": [ref("Stored")]}),
    task({"Parameters": [{"Fn::GetAtt": "Custom.Name"}]}),
    task({"Parameters": [{"Fn::Sub": "/x/${Hidden}"}]}),
    task({"Parameters": [{"Fn::ImportValue": "x"}]}),
    task({"Parameters": ["{{resolve:ssm:/x}}"]}),
    task({"Parameters": [{"Fn::GetAtt": "Parameter.Value"}]}),
    task({"Secrets": [ref("Hidden")]}),
    task({"Secrets": [{"Fn::Sub": "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Hidden}"}]}),
    task({"Secrets": [{"Fn::GetAtt": ["Product", "Outputs.SecretArn"]}]}),
    task({"LogGroups": [ref("Stored")]}),
    task({"FileSystems": [ref("Hidden")]}),
    task({"Images": [ref("Hidden")]}),
    task({"Images": [{"Fn::ImportValue": "image"}]}, image={"Fn::ImportValue": "image"}),
    task(image={"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/${Hidden}"}),
    task(secret={"Fn::Sub": "/prod/${Hidden}"}),
    task(secret={"Fn::Sub": "x${Custom.Name}"}),
    task({"EnvironmentFiles": [{"Fn::Sub": "arn:aws:s3:::${Hidden}/x.env"}]}),
    task({"EnvironmentFiles": [{"Fn::Sub": "arn:aws:s3:::config/${Hidden}.env"}]}),
    task({"Secrets": [{"Secret": "db", "KmsKey": {"Fn::Sub": "alias/${Hidden}"}}]}),
    task({"Secrets": [{"Secret": "db", "KmsKey": ref("Hidden")}]}),
    task(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": ref("Stored")}}),
    task({"Parameters": [{"Fn::Select": [0, [{"Fn::GetAtt": "Custom.Name"}]]}]}),
    task({"Parameters": [{"Fn::FindInMap": [ref("Hidden"), "names", "it"]}]}),
    task({"Parameters": [{"Fn::Join": ["/", ref("Stored")]}]}),
    task({"Parameters": [{"Fn::Base64": "x"}]}),
]
CUSTOM: Json = {
    "Custom": {"Type": "Custom::Anything", "Properties": {"ServiceToken": "x"}},
    "Product": {"Type": "AWS::ServiceCatalog::CloudFormationProvisionedProduct"},
    "Parameter": parameter("/x"),
}


@pytest.mark.parametrize("web", UNKNOWN)
def test_what_is_known_at_deployment_can_be_a_wildcard(web: Json) -> None:
    lines = refused(event({**CUSTOM, "Web": web}), STATEMENTS="false")
    for line in lines:
        assert line.startswith("Resources/Web/Properties/")
        assert line.endswith(
            "is only known when the stack is deployed, and can then be a wildcard;"
            " write the value out, or use a parameter of type String without NoEcho"
        )


def test_the_remedies_for_a_value_that_is_known_later_are_followed() -> None:
    for value in ("/prod/db", ref("Given")):
        request = event({"Web": task({"Parameters": [value]})}, {"Given": "/prod/db"})
        assert made(request, **STRICT)


def test_a_parameter_without_noecho_is_known_and_so_checked() -> None:
    for value in ("*", "/prod/*", "${aws:username}"):
        with pytest.raises(TemplateError, match="contains a"):
            made(event({"Web": task({"Parameters": [ref("Given")]})}, {"Given": value}))


CERTAIN = [
    task(secret=ref("Secret")),
    task(secret={"Fn::Sub": "${Secret}:password::"}),
    task(secret={"Fn::GetAtt": ["Database", "MasterUserSecret.SecretArn"]}),
    task(secret=ref("Parameter")),
    task(image={"Fn::Sub": "${Repository.RepositoryUri}:${Hidden}"}),
    task(image={"Fn::Sub": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:${{Hidden}}"}),
    task({"Images": [ref("Repository")]}),
    task({"FileSystems": [{"FileSystem": ref("Files"), "AccessPoint": ref("Hidden")}]}),
    task({"Secrets": [{"Secret": "prod/db", "KmsKey": ref("Key")}]}),
    task({"EnvironmentFiles": [{"Fn::Sub": "${Bucket.Arn}/x.env"}]}),
    task({"EnvironmentFiles": [{"Fn::Sub": "arn:aws:s3:::${Bucket}/x.env"}]}),
    task({"Parameters": [{"Fn::Sub": "/${AWS::StackName}/db"}]}),
    task({"SourceVpcs": [{"Fn::ImportValue": "vpc"}], "Images": ["web"]}),
    task({"GuardDuty": True}),
    task(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": ref("Logs")}}),
    task(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": {"Fn::Sub": "/x/${AWS::StackName}"}}}),
]


@pytest.mark.parametrize("web", CERTAIN)
def test_what_names_one_thing_for_certain_is_allowed(web: Json) -> None:
    request = event({**THINGS, "Web": web})
    assert made(request, STATEMENTS="false") == made(request)


def test_what_an_author_may_grant_anyway_may_be_known_later() -> None:
    request = event({"Web": task({"Parameters": [ref("Hidden")]})})
    assert made(request, STATEMENTS="ssm:Get*") == made(request)
    assert refused(request, STATEMENTS="ssm:GetParameter")
    assert refused(request, REGIONS="self"), "it may be the ARN of a parameter in another region"


def test_a_snippet_sees_no_reference_so_it_is_known_later() -> None:
    assert refused(snippet({"Parameters": [ref("Parameter")]}), STATEMENTS="false")
    assert made(snippet({"Parameters": ["/x"]}), STATEMENTS="false")


# -- managed policies -------------------------------------------------------------------------------------------------

TEAM = f"arn:aws:iam::{ACCOUNT}:policy/team-x"


def own_policy(name: Any = None, **more: Any) -> Json:
    named = {} if name is None else {"ManagedPolicyName": name}
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"PolicyDocument": document(statement("*")), **named, **more},
    }


def test_restricted_statements_restrict_managed_policies() -> None:
    request = event({"Web": task({"ManagedPolicyArns": [ADMINISTRATOR]})})
    for value in ("false", "ssm:GetParameters"):
        [line] = refused(request, STATEMENTS=value)
        assert line.endswith(f"`{ADMINISTRATOR}` is not an allowed managed policy; remove it")
        assert made(request, STATEMENTS=value, MANAGED_POLICIES="true") == made(request)
        assert made(request, STATEMENTS=value, MANAGED_POLICIES=ADMINISTRATOR) == made(request)
    assert made(request, STATEMENTS="true") == made(request)


@pytest.mark.parametrize(
    "name",
    [
        "team-x",
        "TEAM-X",
        ref("Given"),
        ref("Hidden"),
        {"Fn::Sub": "team-${Stored}"},
        {"Fn::GetAtt": "Echo.Value"},
        both("other", "team-x"),
        {"Fn::Join": ["-", ["team", "x"]]},
    ],
)
def test_a_template_cannot_make_the_policy_that_is_allowed(name: Any) -> None:
    request = event(
        {"Web": task({"ManagedPolicyArns": [TEAM]}), "Echo": parameter("team-x"), "Mine": own_policy(name)},
        {"Given": "team-x"},
    )
    [line] = refused(request, MANAGED_POLICIES="team-*")
    assert line.startswith("Resources/Web/Properties/ExecutionRoleSpec/ManagedPolicyArns/0: ")
    assert "can be Mine, which this template creates itself" in line
    on_role = event({"Role": role(ManagedPolicyArns=[TEAM]), "Mine": own_policy(ref("Hidden"))})
    assert refused(on_role, MANAGED_POLICIES="team-*")


@pytest.mark.parametrize("name", ["team-y", "other", {"Fn::Sub": "${AWS::StackName}-y"}, None])
def test_a_policy_of_another_name_is_not_a_violation(name: Any) -> None:
    request = event({"Web": task({"ManagedPolicyArns": [TEAM]}), "Mine": own_policy(name)})
    assert made(request, MANAGED_POLICIES="team-*") == made(request)


def test_the_name_of_an_earlier_deployment_is_the_templates_own_policy() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/team-stack-Mine-1ABCDEFGHIJ2K"
    request = event({"Web": task({"ManagedPolicyArns": [arn]}), "Mine": own_policy()})
    assert refused(request, MANAGED_POLICIES="team-*")


@pytest.mark.parametrize("name", ["boundary", "Boundary", ref("Hidden"), {"Fn::Sub": "${Stored}ary"}])
def test_a_template_cannot_make_its_own_boundary(name: Any) -> None:
    request = event({"Web": task(), "Mine": own_policy(name)})
    [line] = refused(request, PERMISSIONS_BOUNDARY=BOUNDARY)
    assert line.startswith("Resources/Mine/Properties/ManagedPolicyName: can be the name of the permissions boundary")
    fine = event({"Web": task(), "Mine": own_policy({"Fn::Sub": "${AWS::StackName}-x"}), "Unnamed": own_policy()})
    assert made(fine, PERMISSIONS_BOUNDARY=BOUNDARY)


# -- S3 ---------------------------------------------------------------------------------------------------------------

HELD = {"StringEquals": {"aws:RequestedRegion": REGION, "aws:ResourceAccount": ACCOUNT}}


@pytest.mark.parametrize("resource", ["arn:aws:s3:::*", "arn:aws:s3:::bucket/*", "*"])
def test_a_statement_about_s3_passes_with_a_condition_alone(resource: str) -> None:
    for rails, key in (({"REGIONS": "self"}, "aws:RequestedRegion"), ({"ACCOUNTS": "self"}, "aws:ResourceAccount")):
        [line] = refused(event({"Web": task({"Statements": [statement("s3:*", resource)]})}), **rails)
        assert f"Condition: {{StringEquals: {{{key}: …}}}}" in line
        held = event({"Web": task({"Statements": [statement("s3:*", resource, Condition=HELD)]})})
        assert made(held, **rails) == made(held)


@pytest.mark.parametrize("key", ["aws:RequestTag/aws:ResourceAccount", "aws:PrincipalAccount", "x/aws:ResourceAccount"])
def test_another_key_is_not_such_a_condition(key: str) -> None:
    node = statement(Condition={"StringEquals": {key: ACCOUNT}})
    assert refused(event({"Web": task({"Statements": [node]})}), ACCOUNTS="self")


ACCESS_POINTS = [
    f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/x/object/*",
    f"arn:aws:s3:{REGION}:{ACCOUNT}:access*",
    f"arn:aws:s3:{REGION}:{ACCOUNT}:*",
    f"arn:aws:s3:{REGION}:{ACCOUNT}:?ccesspoint/x",
    f"arn:aws:s3::{ACCOUNT}:accesspoint/x.mrap",
    f"arn:aws:s3express:{REGION}:{ACCOUNT}:accesspoint/x",
    f"arn:aws:s3-object-lambda:{REGION}:{ACCOUNT}:accesspoint/x",
    f"arn:aws:s3-outposts:{REGION}:{ACCOUNT}:outpost/op-1/accesspoint/x",
    {"Fn::Sub": "arn:aws:s3:${AWS::Region}:${AWS::AccountId}:accesspoint/${Hidden}"},
    {"Fn::Sub": "arn:aws:s3:${AWS::Region}:${AWS::AccountId}:${Hidden}"},
]


@pytest.mark.parametrize("resource", ACCESS_POINTS)
def test_an_access_point_can_belong_to_a_bucket_of_any_account(resource: Any) -> None:
    [line] = refused(event({"Web": task({"Statements": [statement("s3:*", resource)]})}), ACCOUNTS="self")
    assert "names S3 access points, whose buckets can be in any account; name the bucket" in line
    fine = event(
        {"Web": task({"Statements": [statement("s3:*", "arn:aws:s3:::BUCKET/*", Condition=HELD)]})},
    )
    assert made(fine, ACCOUNTS="self") == made(fine)


def test_directory_buckets_say_whose_they_are() -> None:
    for account, fine in ((ACCOUNT, True), (STRANGER, False)):
        node = statement("s3express:*", f"arn:aws:s3express:{REGION}:{account}:bucket/x--use1-az4--x-s3")
        request = event({"Web": task({"Statements": [node]})})
        assert bool(made(request, ACCOUNTS="self")) if fine else refused(request, ACCOUNTS="self")


# -- many roles and policies ------------------------------------------------------------------------------------------


def test_a_template_is_read_once_for_all_its_roles() -> None:
    """Each definition would read all of it again."""
    tags = [{"Key": "k", "Value": str(n)} for n in range(40)]
    padding = {f"Topic{n}": {"Type": "AWS::SNS::Topic", "Properties": {"Tags": tags}} for n in range(250)}
    request = event({**{f"Web{n}": task() for n in range(120)}, **padding})
    started = time.process_time()
    expand(request, settings())
    without = time.process_time() - started
    started = time.process_time()
    expand(request, settings(**STRICT))
    assert time.process_time() - started < 3 * without + 0.5


def test_more_names_than_can_be_compared_are_refused_at_once() -> None:
    arns = [f"arn:aws:iam::{ACCOUNT}:policy/team-{n}" for n in range(2_000)]
    own = {f"Mine{n}": own_policy(f"mine-{n}") for n in range(400)}
    actions = [f"ssm:GetParameters{n}" for n in range(20_000)]
    patterns = ",".join(f"ssm:GetParameters{n}x" for n in range(40))
    for resources, rails in (
        ({"Web": task({"ManagedPolicyArns": arns}), **own}, {"MANAGED_POLICIES": "team-*"}),
        ({"Web": task({"Statements": [statement(actions)]})}, {"STATEMENTS": patterns}),
    ):
        started = time.process_time()
        with pytest.raises(TemplateError, match="needs more than 1,000,000 steps to be read"):
            expand(event(resources), settings(**rails))
        assert time.process_time() - started < 5


# -- characters that have a meaning in the engine ---------------------------------------------------------------------

PRIVATE = ["\U00100000", "\U00100002", "\U0010fffd", "\U0010fffe", "\U0010ffff"]


def hidden_by(mark: str) -> dict[str, Json]:
    """Values that were read as harmless, while CloudFormation made `*` or another name of them."""
    inner = {"Fn::Split": [mark, {"Fn::Sub": "${AWS::Partition}|*"}]}
    trick = {"Fn::Select": [1, {"Fn::Split": ["|", {"Fn::Join": ["a|ssm:GetParameters", inner]}]}]}
    plain = {"Fn::Select": [0, {"Fn::Split": [mark, {"Fn::Sub": "ssm:GetParameters${AWS::Region}"}]}]}
    return {
        "an action": task({"Statements": [statement(trick)]}),
        "an action, split once": task({"Statements": [statement(plain)]}),
        "an action in letters": task({"Statements": [statement(f"ssm:GetParameters{mark}")]}),
        "a resource": task({"Statements": [statement(resource=trick)]}),
        "a managed policy": task({"ManagedPolicyArns": [trick]}),
        "a path": task({"Path": {"Fn::Join": [mark, ["/ecs/", "x/"]]}}),
        "a name": task({"RoleName": f"ecs-{mark}"}),
        "a tag": task({"Tags": [{"Key": "by", "Value": mark}]}),
        "a tag's key": task({"Tags": [{"Key": f"by{mark}", "Value": "x"}]}),
        "a key of a statement": task({"Statements": [{**statement(), f"Action{mark}": "*"}]}),
        "a boundary": task({"PermissionsBoundary": {"Fn::Sub": f"{BOUNDARY}{mark}"}}),
        "a secret": task(secret=f"arn:aws:secretsmanager:{REGION}:{mark}:secret:x"),
        "an account in an image": task(image=f"{mark}.dkr.ecr.{REGION}.amazonaws.com/web"),
        "a parameter": task({"Statements": [statement(ref("Given"))]}),
    }


@pytest.mark.parametrize("mark", PRIVATE, ids=ascii)
@pytest.mark.parametrize("way", list(hidden_by("")))
def test_no_character_of_the_engines_hides_a_value(way: str, mark: str) -> None:
    rails = {
        "STATEMENTS": "ssm:GetParameters",
        "PATH": "/ecs/",
        "NAME_PREFIX": "ecs-",
        "ACCOUNTS": "self",
        "TAGS": "by",
    }
    request = event({"Web": hidden_by(mark)[way]}, {"Given": f"ssm:GetParameters{mark}"})
    with pytest.raises(TemplateError, match="from U\\+100000 on, which is for private use and is not supported"):
        expand(request, settings(**rails))


def test_no_character_of_the_engines_hides_whose_policy_it_is() -> None:
    for mark in PRIVATE:
        name = {"Fn::Select": [0, {"Fn::Split": [mark, ref("WebExecutionRole")]}]}
        with pytest.raises(TemplateError, match="private use"):
            expand(attached({}, ATTACHING["Policy"](name)), settings(**STRICT))


def test_a_policy_whose_properties_are_a_function_can_be_on_any_role() -> None:
    policy = {"PolicyName": "x", "Roles": [ref("WebExecutionRole")], "PolicyDocument": document(statement("*"))}
    more = {"Type": "AWS::IAM::Policy", "Properties": both(policy, {})}
    request = event({"Web": task(), "More": more}, {"Env": "prod"})
    with pytest.raises(TemplateError, match="More"):
        expand(request, settings(**STRICT))


# -- another trust ----------------------------------------------------------------------------------------------------

ECS = {"Service": "ecs-tasks.amazonaws.com"}


def trusting(principal: Any, **more: Any) -> Json:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


OTHERS: dict[str, Any] = {
    "everybody": trusting("*"),
    "everybody of AWS": trusting({"AWS": "*"}),
    "another account": trusting({"AWS": STRANGER}),
    "this account": trusting({"AWS": ref("AWS::AccountId")}),
    "another service": trusting({"Service": "lambda.amazonaws.com"}),
    "another service beside ECS": trusting({"Service": ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com"]}),
    "another account beside ECS": trusting({**ECS, "AWS": STRANGER}),
    "a provider of identities": trusting({"Federated": "cognito-identity.amazonaws.com"}),
    "a service known later": trusting({"Service": ref("Hidden")}),
    "a principal known later": trusting({"Fn::ImportValue": "principal"}),
    "all but one": document({"Effect": "Allow", "NotPrincipal": ECS, "Action": "sts:AssumeRole"}),
    "no principal": document({"Effect": "Allow", "Action": "sts:AssumeRole"}),
    "no service": trusting({"Service": []}),
    "one branch": both(trusting(ECS), trusting({"AWS": "*"})),
    "one branch of a principal": trusting(both(ECS, {"AWS": "*"})),
    "one branch of a service": trusting({"Service": both("ecs-tasks.amazonaws.com", ref("Hidden"))}),
    "a second statement": document(
        {"Effect": "Allow", "Principal": ECS, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
    ),
    "an effect known later": trusting({"AWS": "*"}, Effect=ref("Hidden")),
    "a document in letters": '{"Statement": []}',
    "a document known later": ref("Hidden"),
    "a document that another macro writes": {"Fn::Transform": {"Name": "Other"}},
    "nothing": {},
}


@pytest.mark.parametrize("trust", OTHERS)
@pytest.mark.parametrize("allowed", ["false", "sts:*,ssm:GetParameters"])
def test_only_ecs_may_use_the_role(allowed: str, trust: str) -> None:
    lines = refused(event({"Role": role(AssumeRolePolicyDocument=OTHERS[trust])}), STATEMENTS=allowed)
    assert lines[0].startswith("Resources/Role/Properties/AssumeRolePolicyDocument")
    spec = snippet({"Secrets": ["x"]})
    spec["fragment"]["AssumeRolePolicyDocument"] = OTHERS[trust]
    assert refused(spec, STATEMENTS=allowed)


@pytest.mark.parametrize(
    "trust",
    [
        NO_VALUE,
        trusting(ECS),
        trusting({"Service": ["ecs-tasks.amazonaws.com"]}),
        trusting(ECS, Condition={"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}),
        both(trusting(ECS), NO_VALUE),
        document(
            {"Effect": "Allow", "Principal": ECS, "Action": "sts:AssumeRole"},
            {"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"},
        ),
    ],
)
def test_a_trust_policy_for_ecs_is_its_authors(trust: Any) -> None:
    made(event({"Role": role(AssumeRolePolicyDocument=trust)}), STATEMENTS="false")


def test_any_trust_policy_is_its_authors_where_statements_are_not_restricted() -> None:
    trust = OTHERS["everybody"]
    expanded = made(event({"Role": role(AssumeRolePolicyDocument=trust)}), PERMISSIONS_BOUNDARY="b")
    assert expanded["Role"]["Properties"]["AssumeRolePolicyDocument"] == trust
