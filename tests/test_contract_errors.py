"""How a template is refused: every mistake, each on a line with its place and its remedy, and never an exception."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.support.cloudformation import Document
from tests.support.contract import (
    CONDITIONS,
    HOST,
    NO_VALUE,
    SECRETS,
    LambdaContext,
    call,
    container,
    event,
    expanded,
    one,
    refusal,
    refused,
    task,
    template,
)

from ecs_exec_role import macro
from ecs_exec_role.protocol import respond

SPEC = "Resources/Task/Properties/ExecutionRoleSpec"
DEFINITION = "AWS::ECS::TaskDefinition"
ROLE = "AWS::IAM::Role"


def role(spec: Any, **properties: Any) -> Document:
    return {"Type": ROLE, "Properties": {"ExecutionRoleSpec": spec, **properties}}


# -- one message, one line each --


def test_every_mistake_is_told_at_once() -> None:
    fragment = template(
        {
            "A": task(container(Image={"Fn::ImportValue": "x"}), spec={"Image": ["x"], "Secrets": "x", "Infer": "no"}),
            "B": task(ExecutionRoleArn="arn:aws:iam::123456789012:role/x"),
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"ExecutionRoleSpec": {}}},
            "Role": role({"TaskDefinitions": ["Nothing"], "RoleName": "x"}),
        }
    )
    places = {
        "Resources/A/Properties/ExecutionRoleSpec/Image",
        "Resources/A/Properties/ExecutionRoleSpec/Secrets",
        "Resources/A/Properties/ExecutionRoleSpec/Infer",
        "Resources/A/Properties/ContainerDefinitions/0/Image",
        "Resources/B/Properties/ExecutionRoleSpec",
        "Resources/Topic/Properties/ExecutionRoleSpec",
        "Resources/Role/Properties/ExecutionRoleSpec/TaskDefinitions/0",
        "Resources/Role/Properties/ExecutionRoleSpec/RoleName",
    }
    lines = refused(fragment)
    assert {line.split(": ")[0] for line in lines} == places
    assert len(lines) == len(places)


@pytest.mark.parametrize(
    "fragment",
    [
        one(spec={"Image": ["x"]}),
        one(spec=3),
        one(container(Image={"Fn::ImportValue": "x"})),
        one(container(Secrets=[{"Name": "A", "ValueFrom": "/x:1"}])),
        one(spec={"Secrets": ["a*"]}),
        template({"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"ExecutionRoleSpec": {}}}}),
        template({"Role": role({"TaskDefinitions": ["X"]})}),
    ],
)
def test_line_says_where_what_is_wrong_and_what_to_write(fragment: Document) -> None:
    assert re.fullmatch(r"Resources/\w+/Properties/[^ ]+: [^;]+; .+", refusal(fragment))


def test_line_break_in_what_an_author_wrote_makes_no_line() -> None:
    assert len(refused(one(spec={"Ima\nges": ["x"]}))) == 1
    assert len(refused(one(spec={"Unresolved": "a\r\nb\u2028c"}))) == 1
    assert len(refused(one(container(Secrets=[{"Name": "A", "ValueFrom": "arn:aws:s3:::\n"}])))) == 1


def test_path_names_list_positions_and_branches() -> None:
    spec = {"Secrets": [{"Fn::If": ["C", "a", {"Secret": "b", "KmsKey": {"Fn::If": ["D", 3, NO_VALUE]}}]}]}
    line = refusal(one(spec=spec, **CONDITIONS))
    assert line.startswith(f"{SPEC}/Secrets/0/Fn::If/2/KmsKey/Fn::If/1: ")


# -- unknown keys and wrong types --


@pytest.mark.parametrize(
    ("written", "likely"),
    [
        ("Image", "Images"),
        ("images", "Images"),
        ("LogGroup", "LogGroups"),
        ("EnvironmentFile", "EnvironmentFiles"),
        ("FirelensConfigs", "FireLensConfigs"),
        ("PermissionBoundary", "PermissionsBoundary"),
        ("Statment", "Statements"),
        ("SourceVpc", "SourceVpcs"),
    ],
)
def test_misspelt_key_comes_with_the_likely_one(written: str, likely: str) -> None:
    line = refusal(one(spec={written: []}))
    assert line.startswith(f"{SPEC}/{written}: ")
    assert f"did you mean {likely}?" in line


def test_key_that_is_like_none_comes_with_all() -> None:
    line = refusal(one(spec={"Xyzzy": []}))
    assert "Images" in line
    assert "Statements" in line


@pytest.mark.parametrize(
    ("key", "entry", "wrong"),
    [
        ("Images", {"Repositry": "web"}, "Repository"),
        ("Secrets", {"Secret": "x", "KMSKey": "y"}, "KmsKey"),
        ("LogGroups", {"LogGroup": "x", "Streamprefix": "y"}, "StreamPrefix"),
        ("FileSystems", {"FileSystem": "fs-1", "Acess": "Root"}, "Access"),
    ],
)
def test_misspelt_key_of_an_entry_comes_with_the_likely_one(key: str, entry: Document, wrong: str) -> None:
    assert any(f"did you mean {wrong}?" in line for line in refused(one(spec={key: [entry]})))


@pytest.mark.parametrize(
    ("spec", "likely"),
    [("auto", "Auto"), ("starter", "Starter"), ({"Unresolved": "ignore"}, "Ignore"), ({"Preflight": "warn"}, "Warn")],
)
def test_misspelt_word_comes_with_the_likely_one(spec: Any, likely: str) -> None:
    assert f"did you mean {likely}?" in refusal(one(spec=spec))


@pytest.mark.parametrize("spec", [None, 3, True, [], ["Auto"], "", "Everything", {"Fn::ImportValue": "x"}])
def test_spec_is_a_word_or_a_mapping(spec: Any) -> None:
    assert refusal(one(spec=spec)).startswith(f"{SPEC}: ")


LISTS = (
    "Images",
    "LogGroups",
    "Secrets",
    "Parameters",
    "RegistryCredentials",
    "EnvironmentFiles",
    "FireLensConfigs",
    "CredentialSpecs",
    "FsxCredentials",
    "FileSystems",
    "SourceVpcs",
    "SourceVpcEndpoints",
    "Statements",
    "ManagedPolicyArns",
    "Tags",
)


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("value", ["web", 3, True, None, {"Repository": "x", "b": 1}])
def test_list_is_no_list(key: str, value: Any) -> None:
    for line in refused(one(spec={key: value})):
        assert line.startswith(f"{SPEC}/{key}: ")
        assert "list" in line


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("item", [3, True, None, "", ["web"], {}])
def test_item_of_a_list_is_none(key: str, item: Any) -> None:
    for line in refused(one(spec={key: [item]})):
        assert line.startswith(f"{SPEC}/{key}/0")


@pytest.mark.parametrize("key", ["RoleName", "Path", "Description", "PermissionsBoundary"])
@pytest.mark.parametrize("value", [3, True, None, "", [], {"a": 1, "b": 2}])
def test_text_is_none(key: str, value: Any) -> None:
    assert refusal(one(spec={key: value})).startswith(f"{SPEC}/{key}: ")


@pytest.mark.parametrize(
    "value", [0, 3599, 43201, -1, 3600.5, True, None, "", "an hour", "9" * 5000, [], {"a": 1, "b": 2}]
)
def test_session_of_an_impossible_length(value: Any) -> None:
    assert refusal(one(spec={"MaxSessionDuration": value})).startswith(f"{SPEC}/MaxSessionDuration: ")


@pytest.mark.parametrize("value", [3600, 43200, "7200"])
def test_session_of_a_possible_length(value: Any) -> None:
    properties = expanded(one(spec={"MaxSessionDuration": value}))["Resources"]["TaskExecutionRole"]["Properties"]
    assert properties["MaxSessionDuration"] == value


@pytest.mark.parametrize("key", ["Infer", "GuardDuty", "Unresolved", "Preflight"])
@pytest.mark.parametrize("value", ["maybe", 3, None, [], {"a": 1, "b": 2}])
def test_choice_is_none_of_those_that_there_are(key: str, value: Any) -> None:
    assert refusal(one(spec={key: value})).startswith(f"{SPEC}/{key}: ")


@pytest.mark.parametrize("key", ["Images", "LogGroups", "Secrets", "Parameters", "FileSystems", "CredentialSpecs"])
def test_arn_of_something_else_is_refused(key: str) -> None:
    assert refusal(one(spec={key: ["arn:aws:sns:us-east-1:123456789012:topic"]})).startswith(f"{SPEC}/{key}/0: ")


@pytest.mark.parametrize("key", ["EnvironmentFiles", "FireLensConfigs"])
@pytest.mark.parametrize(
    "value", ["config/web.env", "arn:aws:s3:::config", "s3://config/web.env", "arn:aws:s3:::config/"]
)
def test_object_is_named_by_its_arn(key: str, value: str) -> None:
    assert refusal(one(spec={key: [value]})).startswith(f"{SPEC}/{key}/0: ")


@pytest.mark.parametrize("value", ["gmsa.json", f"{SECRETS}:gmsa", "credentialspec:gmsa"])
def test_credential_spec_starts_with_its_kind(value: str) -> None:
    assert refusal(one(spec={"CredentialSpecs": [value]})).startswith(f"{SPEC}/CredentialSpecs/0: ")


# -- where a spec means nothing --


@pytest.mark.parametrize("spec", ["Auto", {"Images": ["x"]}, "Starter"])
def test_spec_beside_an_execution_role(spec: Any) -> None:
    fragment = template({"Task": task(spec=spec, ExecutionRoleArn="arn:aws:iam::123456789012:role/x")})
    assert refusal(fragment).startswith(f"{SPEC}: ")


def test_execution_role_that_is_not_there_is_no_mistake() -> None:
    assert "TaskExecutionRole" in expanded(template({"Task": task(ExecutionRoleArn=NO_VALUE)}))["Resources"]


def test_execution_role_under_a_condition_is_a_mistake_too() -> None:
    value = {"Fn::If": ["C", "arn:aws:iam::123456789012:role/x", NO_VALUE]}
    assert refusal(template({"Task": task(ExecutionRoleArn=value)}, **CONDITIONS)).startswith(f"{SPEC}: ")


@pytest.mark.parametrize(
    "properties",
    [
        {"ContainerProperties": {"Image": "x", "ExecutionRoleArn": "arn"}},
        {"EcsProperties": {"TaskProperties": [{"Containers": [], "ExecutionRoleArn": "arn"}]}},
        {"NodeProperties": {"NodeRangeProperties": [{"Container": {"Image": "x", "ExecutionRoleArn": "arn"}}]}},
    ],
)
def test_spec_beside_an_execution_role_of_batch(properties: Document) -> None:
    job = {"Type": "AWS::Batch::JobDefinition", "Properties": {"ExecutionRoleSpec": "Auto", **properties}}
    assert refusal(template({"Job": job})).startswith("Resources/Job/Properties/ExecutionRoleSpec: ")


def test_shared_role_beside_an_execution_role() -> None:
    resources = {
        "A": {"Type": DEFINITION, "Properties": {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/x"}},
        "Role": role({"TaskDefinitions": ["A"]}),
    }
    assert refusal(template(resources)).startswith("Resources/Role/Properties/ExecutionRoleSpec/TaskDefinitions/0: ")


def test_shared_role_of_a_definition_with_a_spec_of_its_own() -> None:
    resources = {"A": task(), "Role": role({"TaskDefinitions": ["A"]})}
    assert refusal(template(resources)).startswith("Resources/Role/Properties/ExecutionRoleSpec/TaskDefinitions/0: ")


def test_definition_that_two_roles_share() -> None:
    resources = {
        "A": {"Type": DEFINITION},
        "First": role({"TaskDefinitions": ["A"]}),
        "Second": role({"TaskDefinitions": ["A"]}),
    }
    assert refusal(template(resources)).startswith("Resources/Second/Properties/ExecutionRoleSpec/TaskDefinitions/0: ")


@pytest.mark.parametrize(
    "entry", ["Nothing", "Topic", "P", {"Ref": "Nothing"}, {"Ref": "AWS::StackName"}, {"Fn::Sub": "A"}]
)
def test_task_definitions_names_no_such_resource(entry: Any) -> None:
    resources = {
        "A": {"Type": DEFINITION},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Role": role({"TaskDefinitions": [entry]}),
    }
    line = refusal(template(resources, Parameters={"P": {"Type": "String", "Default": "A"}}))
    assert line.startswith("Resources/Role/Properties/ExecutionRoleSpec/TaskDefinitions/0: ")


def test_task_definitions_is_for_roles() -> None:
    assert refusal(one(spec={"TaskDefinitions": ["Task"]})).startswith(f"{SPEC}/TaskDefinitions: ")


# -- what is taken, and what does not fit --


@pytest.mark.parametrize("section", ["Resources", "Parameters"])
def test_logical_id_of_the_role_is_taken(section: str) -> None:
    fragment = one()
    other = {"Type": "AWS::SNS::Topic"} if section == "Resources" else {"Type": "String"}
    fragment[section] = {"TaskExecutionRole": other, **fragment.get(section, {})}
    line = refusal(fragment)
    assert line.startswith(f"{SPEC}: ")
    assert "TaskExecutionRole" in line


KEY = {
    "Type": "AWS::KMS::Key",
    "Properties": {"KeyPolicy": {"Statement": [{"Principal": {"AWS": {"Fn::GetAtt": "TaskExecutionRole.Arn"}}}]}},
}
CYCLE: Document = {
    "Key": KEY,
    "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
}
READS = {"Fn::If": ["C", container(Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]), NO_VALUE]}


@pytest.mark.parametrize("section", ["Resources", "Parameters"])
def test_logical_id_of_a_policy_is_taken(section: str) -> None:
    fragment = one(READS, more=CYCLE, **CONDITIONS)
    [name] = [name for name, each in expanded(fragment)["Resources"].items() if each["Type"] == "AWS::IAM::RolePolicy"]
    other = {"Type": "AWS::SNS::Topic"} if section == "Resources" else {"Type": "String"}
    fragment[section] = {**fragment.get(section, {}), name: other}
    line = refusal(fragment)
    assert line.startswith(f"{SPEC}: ")
    assert name in line


def test_name_of_a_condition_is_taken() -> None:
    both = {"Fn::If": ["D", READS, NO_VALUE]}
    fragment = one(both, more=CYCLE, **CONDITIONS)
    [name] = set(expanded(fragment)["Conditions"]) - {"C", "D"}
    fragment["Conditions"] = {**fragment["Conditions"], name: {"Fn::Equals": ["a", "b"]}}
    assert name in refusal(fragment)


def test_more_resources_than_a_template_can_hold() -> None:
    topics = {f"Topic{index}": {"Type": "AWS::SNS::Topic"} for index in range(498)}
    assert len(expanded(template({**topics, "Task": task()}))["Resources"]) == 500
    line = refusal(template({**topics, "Topic": {"Type": "AWS::SNS::Topic"}, "Task": task()}))
    assert line.startswith("Resources: ")
    assert "501" in line


# -- mistakes in the definition that ECS would refuse --


@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:sns:us-east-1:123456789012:topic",
        f"{SECRETS}:db-a1B2c3:password",
        f"{SECRETS}:db-a1B2c3:password:AWSCURRENT",
        f"{SECRETS}:db-a1B2c3:a:b:c:d",
        "/name:2",
    ],
)
def test_value_that_ecs_would_refuse_is_told(value: str) -> None:
    line = refusal(one(container(Secrets=[{"Name": "A", "ValueFrom": value}])))
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom: ")


@pytest.mark.parametrize("value", [["x"], {"a": 1, "b": 2}, {"a": 1}])
def test_value_that_is_no_text_is_told(value: Any) -> None:
    for line in refused(one(container(Image=value))):
        assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")


@pytest.mark.parametrize("containers", ["x", 3, ["x"], [3], [["x"]]])
def test_containers_that_are_none_are_told(containers: Any) -> None:
    for line in refused(template({"Task": task(ContainerDefinitions=containers)})):
        assert line.startswith("Resources/Task/Properties/ContainerDefinitions")


# -- the handler --


@pytest.mark.parametrize(
    "request_", [None, [], "x", 3, True, {}, {"fragment": None}, {"fragment": []}, {"requestId": 3}]
)
def test_answer_to_what_is_no_request(request_: Any) -> None:
    answer = call(request_)
    assert answer["status"] == "failure"
    assert answer["errorMessage"]
    assert "requestId" in answer


@pytest.mark.parametrize("params", ["x", [1], 3])
def test_parameters_of_the_transform_that_are_no_mapping(params: Any) -> None:
    assert refusal(template({}), params=params).startswith("params: ")


def test_parameters_on_a_whole_template_mean_nothing() -> None:
    line = refusal(one(), params={"Images": ["x"]})
    assert "ExecutionRoleSpec" in line


def test_a_bug_becomes_a_failure_with_a_short_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret hush-hush")

    monkeypatch.setattr(macro, "expand", broken)
    answer = macro.handler(event(one()), LambdaContext())
    assert answer["status"] == "failure"
    assert answer["requestId"] == "request-1"
    assert "Traceback" not in answer["errorMessage"]
    assert "hush-hush" not in answer["errorMessage"]
    assert len(answer["errorMessage"]) < 200
    assert caplog.records[-1].exc_info


def test_log_never_holds_the_fragment_or_a_parameters_value(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    marks = ["fragment-mark", "value-mark", "name-mark"]
    sections: Document = {"Parameters": {"P": {"Type": "String"}}, "Description": marks[0]}
    image = {"Fn::Sub": f"{HOST}/{marks[2]}:${{P}}"}
    for spec in ("Auto", {"Image": ["fragment-mark"]}):
        call(event(one(container(Image=image), spec=spec, **sections), templateParameterValues={"P": marks[1]}))
    written = capsys.readouterr().out + caplog.text
    written += json.dumps([record.__dict__ for record in caplog.records], default=str)
    for mark in marks:
        assert mark not in written


def test_respond_is_the_handler_without_lambda() -> None:
    for request in (event(one(container(Image=f"{HOST}/web"))), event(one(spec=3)), event(3)):
        assert respond(request) == call(request)
