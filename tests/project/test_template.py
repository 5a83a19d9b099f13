"""template.yaml and install/: what is installed, with which permissions, and what only on request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cloudformation import Stack, load

from ecs_exec_role import __version__, macro
from ecs_exec_role.preflight import handler as preflight_handler
from ecs_exec_role.roles.preflight_resource import SERVICE_TIMEOUT
from ecs_exec_role.settings import from_environment

ROOT = Path(__file__).parents[2]
TEMPLATE = load(ROOT / "template.yaml")
ORGANIZATION = load(ROOT / "install" / "organization.yaml")
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FUNCTIONS = ("MacroFunction", "PreflightFunction")
ALARMS = {
    "MacroErrorsAlarm",
    "MacroFaultsAlarm",
    "MacroThrottlesAlarm",
    "MacroDurationAlarm",
    "PreflightErrorsAlarm",
    "PreflightThrottlesAlarm",
    "PreflightDurationAlarm",
    "PreflightUnsettledAlarm",
}
DEFAULT = {
    "Macro",
    "MacroFunction",
    "MacroLogs",
    "MacroRole",
    "PreflightFunction",
    "PreflightLogs",
    "PreflightRole",
}


def installed(**parameters: str) -> Stack:
    return Stack(TEMPLATE, parameters, name="ecs-exec-role")


def made(stack: Stack) -> set[str]:
    return set(stack.resources())


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Every statement in a value, at any depth."""
    if isinstance(value, dict):
        if "Effect" in value:
            yield value
        for child in value.values():
            yield from statements(child)
    elif isinstance(value, list):
        for child in value:
            yield from statements(child)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# -- the roles --------------------------------------------------------------------------------------------------------


def test_no_role_has_an_action_with_a_wildcard_or_a_managed_policy() -> None:
    for name in ("MacroRole", "PreflightRole"):
        role = TEMPLATE["Resources"][name]["Properties"]
        assert "ManagedPolicyArns" not in role
        actions = [action for one in statements(role) for action in as_list(one["Action"])]
        assert actions
        assert not [action for action in actions if "*" in action or "?" in action]


def test_macro_may_write_its_own_log_and_nothing_else() -> None:
    stack = installed()
    [statement] = statements(stack.properties("MacroRole")["Policies"])
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == stack.attribute("MacroLogs", "Arn")


def test_macro_may_write_traces_where_they_are_wanted() -> None:
    role = installed(Tracing="true").properties("MacroRole")
    assert [one["Sid"] for one in statements(role["Policies"])] == ["WriteOwnLog", "WriteTraces"]


def test_only_lambda_may_assume_the_roles() -> None:
    for name in ("MacroRole", "PreflightRole"):
        [statement] = statements(TEMPLATE["Resources"][name]["Properties"]["AssumeRolePolicyDocument"])
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_resources_of_preflight_are_unrestricted_only_where_its_actions_are_harmless() -> None:
    """Of the account's own roles, policies and stacks it is named which; the rest reads metadata of anything."""
    for statement in statements(installed().properties("PreflightRole")["Policies"]):
        if "*" in as_list(statement["Resource"]):
            assert statement["Sid"] in {"SeeWhetherItExists", "SeeWhetherItIsListed"}
            for action in statement["Action"]:
                assert re.fullmatch(r"\w+:(Describe|List)\w+", action), action


# -- what is installed without a request ----------------------------------------------------------------------------


def test_installation_that_asks_nothing_makes_no_more_than_it_needs() -> None:
    assert made(installed()) == DEFAULT


def test_without_preflight_nothing_of_it_is_there() -> None:
    stack = installed(Preflight="false", Alarms="true")
    assert {name for name in made(stack) if name.startswith("Preflight")} == set()
    assert "PREFLIGHT_FUNCTION_ARN" not in stack.properties("MacroFunction")["Environment"]["Variables"]


def test_functions_take_from_the_account() -> None:
    for name in FUNCTIONS:
        assert "ReservedConcurrentExecutions" not in installed().properties(name)


def test_every_parameter_has_a_default_a_description_and_a_place_in_the_console() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [name for group in groups for name in group["Parameters"]] == list(TEMPLATE["Parameters"])
    for parameter in TEMPLATE["Parameters"].values():
        assert "Default" in parameter
        assert parameter["Description"]


@pytest.mark.parametrize("name", sorted(TEMPLATE["Parameters"]))
def test_defaults_are_allowed_by_their_own_patterns(name: str) -> None:
    parameter = TEMPLATE["Parameters"][name]
    assert re.fullmatch(parameter.get("AllowedPattern", ".*"), str(parameter["Default"]))


# -- concurrency, code signing, the logs' key -------------------------------------------------------------------------


def test_concurrency_is_reserved_for_each_function_apart() -> None:
    stack = installed(ReservedConcurrency="20", PreflightReservedConcurrency="5")
    assert stack.properties("MacroFunction")["ReservedConcurrentExecutions"] == "20"
    assert stack.properties("PreflightFunction")["ReservedConcurrentExecutions"] == "5"


def test_sam_cli_finds_no_code_signing_to_ask_about() -> None:
    """It reads any value that it cannot resolve as a configuration, and then requires a signing profile's name."""
    for part in (TEMPLATE["Globals"]["Function"], *(TEMPLATE["Resources"][name]["Properties"] for name in FUNCTIONS)):
        assert "CodeSigningConfigArn" not in part


def test_key_holds_for_both_logs() -> None:
    for name in ("MacroLogs", "PreflightLogs"):
        assert "KmsKeyId" not in installed().properties(name)
        assert installed(LogKmsKeyArn=KEY).properties(name)["KmsKeyId"] == KEY


def test_log_group_is_the_one_that_the_function_writes_to() -> None:
    for stack in (installed(), installed(FunctionPrefix="roles")):
        for function, logs in (("MacroFunction", "MacroLogs"), ("PreflightFunction", "PreflightLogs")):
            name = stack.properties(function)["FunctionName"]
            assert stack.properties(logs)["LogGroupName"] == f"/aws/lambda/{name}"


# -- alarms and the dashboard -----------------------------------------------------------------------------------------


def test_alarms_are_made_on_demand() -> None:
    assert made(installed(Alarms="true")) == DEFAULT | ALARMS
    assert {name for name, one in TEMPLATE["Resources"].items() if one["Type"] == "AWS::CloudWatch::Alarm"} == ALARMS


def test_alarms_tell_the_topic_where_one_is_named() -> None:
    silent, loud = installed(Alarms="true"), installed(Alarms="true", AlarmTopicArn=TOPIC)
    for name in ALARMS:
        assert "AlarmActions" not in silent.properties(name)
        assert loud.properties(name)["AlarmActions"] == [TOPIC]


def test_alarms_watch_the_functions_that_are_there() -> None:
    stack = installed(Alarms="true", FunctionPrefix="roles")
    for name in ALARMS - {"MacroFaultsAlarm", "PreflightUnsettledAlarm"}:
        alarm = TEMPLATE["Resources"][name]["Properties"]
        function = "MacroFunction" if name.startswith("Macro") else "PreflightFunction"
        assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": function}}]
        assert stack.properties(name)["Namespace"] == "AWS/Lambda"
        assert alarm["TreatMissingData"] == "notBreaching"


def test_duration_is_too_long_from_eight_tenths_of_the_timeout_on() -> None:
    for name in ("Macro", "Preflight"):
        timeout = TEMPLATE["Resources"][f"{name}Function"]["Properties"]["Timeout"]
        assert TEMPLATE["Resources"][f"{name}DurationAlarm"]["Properties"]["Threshold"] == timeout * 1000 * 0.8


def test_faults_are_counted_where_the_macro_counts_them() -> None:
    alarm = TEMPLATE["Resources"]["MacroFaultsAlarm"]["Properties"]
    variables = TEMPLATE["Resources"]["MacroFunction"]["Properties"]["Environment"]["Variables"]
    assert alarm["Namespace"] == macro.metrics.namespace
    assert alarm["MetricName"] == "Errors"
    assert alarm["Dimensions"] == [{"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]}]


def test_what_preflight_could_not_settle_is_counted_where_the_alarm_looks() -> None:
    alarm = TEMPLATE["Resources"]["PreflightUnsettledAlarm"]["Properties"]
    variables = TEMPLATE["Resources"]["PreflightFunction"]["Properties"]["Environment"]["Variables"]
    assert alarm["Namespace"] == preflight_handler.metrics.namespace
    assert alarm["MetricName"] == "Unsettled"
    assert alarm["Dimensions"] == [{"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]}]


def test_cloudformation_waits_for_every_retry_and_no_retry_is_made_in_vain() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html."""
    function = TEMPLATE["Resources"]["PreflightFunction"]["Properties"]
    config, pauses = function["EventInvokeConfig"], [60, 120]
    assert config["MaximumRetryAttempts"] == len(pauses)
    assert function["Timeout"] * (1 + len(pauses)) + sum(pauses) <= SERVICE_TIMEOUT
    assert config["MaximumEventAgeInSeconds"] == SERVICE_TIMEOUT


def test_preflight_answers_cloudformation_alone() -> None:
    assert installed().properties("PreflightFunction")["Environment"]["Variables"]["PREFLIGHT_RESPONSE_ORIGINS"] == ""


@pytest.mark.parametrize(
    "parameters, drawn",
    [
        ({}, {"ecs-exec-role-macro", "ecs-exec-role-preflight"}),
        ({"Preflight": "false"}, {"ecs-exec-role-macro"}),
        ({"MacroAccount": "111111111111", "FunctionPrefix": "roles"}, {"roles-preflight"}),
        ({"MacroAccount": "111111111111", "FunctionPrefix": "roles", "Preflight": "false"}, set()),
    ],
)
def test_dashboard_shows_the_functions_that_are_there(parameters: dict[str, str], drawn: set[str]) -> None:
    stack = installed(Dashboard="true", **parameters)
    dashboard = stack.properties("OperationsDashboard")
    body = json.loads(dashboard["DashboardBody"])
    functions = set()
    for widget in body["widgets"]:
        assert widget["width"] <= 24
        if widget["type"] == "metric":
            assert widget["properties"]["region"] == stack.region
            functions |= {metric[3] for metric in widget["properties"]["metrics"] if metric[0] == "AWS/Lambda"}
        if widget["type"] == "log":
            source = re.match(r"SOURCE '(/aws/lambda/([\w-]+))' \|", widget["properties"]["query"])
            assert source is not None
            assert source[2] in drawn
    assert functions == drawn
    assert "${" not in dashboard["DashboardBody"]


def test_dashboard_is_made_on_demand_under_a_name_of_its_region() -> None:
    assert made(installed(Dashboard="true")) == DEFAULT | {"OperationsDashboard"}
    assert installed(Dashboard="true").properties("OperationsDashboard")["DashboardName"] == "ecs-exec-role-us-east-1"


# -- several accounts -------------------------------------------------------------------------------------------------

HUB = {"FunctionPrefix": "roles", "OrganizationId": "o-a1b2c3d4e5"}
MEMBER = {"FunctionPrefix": "roles", "MacroAccount": "111111111111"}


def test_function_is_nobody_elses_unless_an_organization_is_named() -> None:
    assert "MacroPermission" not in made(installed())
    permission = installed(**HUB).properties("MacroPermission")
    assert (permission["Action"], permission["Principal"]) == ("lambda:InvokeFunction", "*")
    assert permission["PrincipalOrgID"] == "o-a1b2c3d4e5"


def test_preflight_function_is_never_an_organizations() -> None:
    permissions = [one for one in TEMPLATE["Resources"].values() if one["Type"] == "AWS::Lambda::Permission"]
    assert [one["Properties"]["FunctionName"] for one in permissions] == [{"Fn::GetAtt": ["MacroFunction", "Arn"]}]


def test_member_has_a_macro_and_a_preflight_function_but_no_function_of_the_macro() -> None:
    stack = installed(**MEMBER, Alarms="true")
    assert made(stack) == {name for name in DEFAULT | ALARMS if name.startswith("Preflight")} | {"Macro"}


def test_member_calls_the_hubs_function() -> None:
    hub = Stack(TEMPLATE, HUB, account="111111111111", name="hub")
    member = Stack(TEMPLATE, MEMBER, account="222222222222", name="StackSet-ecs-exec-role-1b9c4f30")
    name = hub.properties("MacroFunction")["FunctionName"]
    assert member.properties("Macro")["FunctionName"] == f"arn:aws:lambda:us-east-1:111111111111:function:{name}"


def test_what_the_hub_writes_is_checked_by_the_members_own_function() -> None:
    hub = Stack(TEMPLATE, HUB, account="111111111111", name="hub")
    member = Stack(TEMPLATE, MEMBER, account="222222222222", name="StackSet-ecs-exec-role-1b9c4f30")
    variables = hub.properties("MacroFunction")["Environment"]["Variables"]
    token = from_environment(variables).preflight_function
    assert isinstance(token, dict)
    name = member.properties("PreflightFunction")["FunctionName"]
    assert member.resolve(token) == f"arn:aws:lambda:us-east-1:222222222222:function:{name}"


def test_function_of_one_account_is_named_as_it_is() -> None:
    token = from_environment({"PREFLIGHT_FUNCTION_ARN": "arn:aws:lambda:us-east-1:1:function:f"}).preflight_function
    assert token == "arn:aws:lambda:us-east-1:1:function:f"


def test_member_must_say_how_the_hubs_functions_are_called() -> None:
    [rule] = TEMPLATE["Rules"].values()
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "MacroAccount"}, ""]}]}
    assert [one["Assert"] for one in rule["Assertions"]] == [
        {"Fn::Not": [{"Fn::Equals": [{"Ref": "FunctionPrefix"}, ""]}]}
    ]


def test_names_of_functions_fit_whatever_the_prefix() -> None:
    pattern = TEMPLATE["Parameters"]["FunctionPrefix"]["AllowedPattern"]
    longest = max(length for length in range(100) if re.fullmatch(pattern, "x" * length))
    names = (installed(FunctionPrefix="x" * longest).properties(f"{one}Function") for one in ("Macro", "Preflight"))
    assert max(len(properties["FunctionName"]) for properties in names) == 64


# -- the stack set ----------------------------------------------------------------------------------------------------


def passed() -> dict[str, Any]:
    [stack_set] = ORGANIZATION["Resources"].values()
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack_set["Properties"]["Parameters"]}


def test_stack_set_passes_what_the_template_knows() -> None:
    """Some belong to the install template; test_release.py compares all of them."""
    of_install_template = {"CodeBucket", "CodeBucketPerRegion", "CodePrefix", "CodeSigningConfigArn"}
    assert set(passed()) <= set(TEMPLATE["Parameters"]) | of_install_template
    for name, value in passed().items():
        assert value == ("true" if name == "CodeBucketPerRegion" else {"Ref": name})


def test_stack_set_passes_every_guardrail() -> None:
    [guardrails] = [
        group["Parameters"]
        for group in TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        if group["Label"]["default"].startswith("Guardrails")
    ]
    assert set(guardrails) <= set(passed())
    for name in guardrails:
        assert ORGANIZATION["Parameters"][name]["Default"] == TEMPLATE["Parameters"][name]["Default"]


def test_stack_set_allows_the_same_values_and_has_the_same_defaults() -> None:
    for name in set(passed()) & set(TEMPLATE["Parameters"]) - {"FunctionPrefix"}:
        ours, theirs = ORGANIZATION["Parameters"][name], TEMPLATE["Parameters"][name]
        assert ours["Default"] == theirs["Default"], name
        assert ours.get("AllowedValues", theirs.get("AllowedValues")) == theirs.get("AllowedValues"), name


def test_packages_are_read_by_the_organization_alone() -> None:
    packages = load(ROOT / "install" / "packages.yaml")
    [reads, insecure] = statements(packages["Resources"]["PackagesPolicy"])
    assert reads["Action"] == "s3:GetObject"
    assert reads["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}}}
    assert insecure["Effect"] == "Deny"


def test_installed_version_can_be_asked_for() -> None:
    assert TEMPLATE["Outputs"]["Version"]["Value"] == __version__


# -- SECURITY.md ------------------------------------------------------------------------------------------------------

SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_security_names_parameters_and_files_that_exist() -> None:
    for name in re.findall(r"`([A-Z][a-z]\w*)(?:=\w+)?`", SECURITY):
        known = {
            *TEMPLATE["Parameters"],
            "CodeSigningConfigArn",
            *TEMPLATE["Resources"],
            "EcsExecRoleVersion",
            "Version",
            "Enforce",
        }
        assert name in known | {"Statements", "ManagedPolicyArns", "Policies", "UntrustedArtifactOnDeployment"}, name
    for path in re.findall(r"`((?:tests|scripts|src|install)/[\w/.-]+)`", SECURITY):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\((?!https:|#)([^)#]+)", SECURITY):
        assert (ROOT / link).exists(), link
