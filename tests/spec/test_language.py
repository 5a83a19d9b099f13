"""What the keys of `ExecutionRoleSpec` accept, apart from those of one feature."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import (
    REGION,
    Document,
    Stack,
)
from tests.support.contract import (
    CONDITIONS,
    ECR,
    NO_VALUE,
    PARAMETERS,
    ROLE_PROPERTIES,
    WEB,
    by_name,
    container,
    expanded,
    fetch,
    granted,
    grants,
    inferred,
    listed,
    one,
    pull,
    refusal,
    refused,
    statements,
)


def test_list_of_granted_things_needs_no_definition() -> None:
    assert granted({"Parameters": ["/x"]}) == fetch(f"{PARAMETERS}/x")


@pytest.mark.parametrize("value", [False, "false"])
def test_infer_false_leaves_the_lists_alone(value: Any) -> None:
    assert inferred(WEB, spec={"Infer": value, "Images": ["other"]}) == pull(f"{ECR}/other")


@pytest.mark.parametrize("value", [True, "true"])
def test_infer_true_is_the_default(value: Any) -> None:
    assert inferred(WEB, spec={"Infer": value}) == inferred(WEB, spec={}) == pull(f"{ECR}/web")


def test_infer_may_come_from_a_stack_parameter() -> None:
    parameters = {"P": {"Type": "String", "Default": "false"}}
    assert inferred(WEB, spec={"Infer": {"Ref": "P"}}, Parameters=parameters) == set()


def test_lists_add_to_what_is_inferred() -> None:
    assert inferred(WEB, spec={"Images": ["other"]}) == pull(f"{ECR}/web") | pull(f"{ECR}/other")


def test_infer_false_does_not_look_at_what_cannot_be_classified() -> None:
    assert inferred(container(Image={"Fn::ImportValue": "x"}), spec={"Infer": False}) == set()


def test_several_entries_of_a_list_and_a_list_from_a_parameter() -> None:
    parameters = {"Names": {"Type": "CommaDelimitedList", "Default": "/a, /b"}}
    required = fetch(f"{PARAMETERS}/a", f"{PARAMETERS}/b")
    assert granted({"Parameters": ["/a", "/b"]}) == required
    assert granted({"Parameters": {"Ref": "Names"}}, Parameters=parameters) == required
    assert granted({"Parameters": {"Fn::Split": ["|", "/a|/b"]}}) == required


def test_statements_are_added_as_written() -> None:
    written = [
        {"Sid": "Mine", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
        {
            "Effect": "Deny",
            "NotAction": ["s3:GetObject"],
            "NotResource": [{"Fn::Sub": "arn:${AWS::Partition}:s3:::x/*"}],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    fragment = expanded(one(spec={"Statements": written}))
    [policy] = fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Statement"] == written


def test_statement_under_a_condition() -> None:
    written = {"Sid": "Mine", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    fragment = expanded(one(spec={"Statements": [{"Fn::If": ["C", written, NO_VALUE]}]}, **CONDITIONS))
    assert statements(fragment, conditions={"C": True}) == {"Mine": written}
    assert statements(fragment, conditions={"C": False}) == {}


def test_statement_keeps_its_sid_and_ours_gets_another_one() -> None:
    written = {"Sid": "PullImages", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    made = statements(expanded(one(WEB, spec={"Statements": [written]})))
    assert made["PullImages"] == written
    assert len(made) == 3


WRONG_STATEMENTS: dict[str, Any] = {
    "no effect": {"Action": "a:b", "Resource": "*"},
    "odd effect": {"Effect": "allow", "Action": "a:b", "Resource": "*"},
    "no action": {"Effect": "Allow", "Resource": "*"},
    "both actions": {"Effect": "Allow", "Action": "a:b", "NotAction": "a:c", "Resource": "*"},
    "no resource": {"Effect": "Allow", "Action": "a:b"},
    "a principal": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": "*"},
    "a misspelt key": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Conditions": {}},
    "an odd Sid": {"Sid": "a-b", "Effect": "Allow", "Action": "a:b", "Resource": "*"},
    "a condition that is a list": {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": []},
    "an empty list": {"Effect": "Allow", "Action": [], "Resource": "*"},
    "numbers": {"Effect": "Allow", "Action": 3, "Resource": "*"},
    "text": "Allow everything",
}


@pytest.mark.parametrize("statement", WRONG_STATEMENTS.values(), ids=WRONG_STATEMENTS)
def test_form_of_a_statement_is_checked(statement: Any) -> None:
    for line in refused(one(spec={"Statements": [statement]})):
        assert line.startswith("Resources/Task/Properties/ExecutionRoleSpec/Statements/0")


def test_two_statements_with_one_sid_are_refused() -> None:
    # IAM: the Sids of a document are unique.
    written = [{"Sid": "A", "Effect": "Allow", "Action": action, "Resource": "*"} for action in ("a:b", "a:c")]
    assert refusal(one(spec={"Statements": written})).startswith(
        "Resources/Task/Properties/ExecutionRoleSpec/Statements/1/Sid: "
    )


STRINGS: dict[str, Any] = {
    "Images": lambda value: [value],
    "Images Repository": lambda value: [{"Repository": value}],
    "LogGroups": lambda value: [value],
    "LogGroups LogGroup": lambda value: [{"LogGroup": value}],
    "LogGroups Region": lambda value: [{"LogGroup": "g", "Region": value}],
    "LogGroups StreamPrefix": lambda value: [{"LogGroup": "g", "StreamPrefix": value}],
    "Secrets": lambda value: [value],
    "Secrets KmsKey": lambda value: [{"Secret": "s", "KmsKey": value}],
    "Parameters": lambda value: [value],
    "Parameters KmsKey": lambda value: [{"Parameter": "s", "KmsKey": value}],
    "RegistryCredentials": lambda value: [value],
    "FsxCredentials": lambda value: [value],
    "FileSystems": lambda value: [value],
    "FileSystems AccessPoint": lambda value: [{"FileSystem": "fs-1", "AccessPoint": value}],
    "SourceVpcs": lambda value: [value],
    "SourceVpcEndpoints": lambda value: [value],
    "RoleName": lambda value: value,
    "Path": lambda value: value,
    "Description": lambda value: value,
    "PermissionsBoundary": lambda value: value,
    "ManagedPolicyArns": lambda value: [value],
}


INTRINSICS: dict[str, Any] = {
    "Ref": {"Ref": "P"},
    "Sub": {"Fn::Sub": "${P}"},
    "Sub with a map": {"Fn::Sub": ["${X}", {"X": {"Ref": "P"}}]},
    "Join": {"Fn::Join": ["", ["val", "ue"]]},
    "If": {"Fn::If": ["C", "value", "value"]},
    "Select": {"Fn::Select": [1, ["x", "value"]]},
    "Select of Split": {"Fn::Select": ["1", {"Fn::Split": [",", "x,value"]}]},
    "FindInMap": {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "V"]},
}


@pytest.mark.parametrize("intrinsic", INTRINSICS)
@pytest.mark.parametrize("place", STRINGS)
def test_an_intrinsic_function_is_allowed_wherever_a_string_is(place: str, intrinsic: str) -> None:
    key = place.split(maxsplit=1)[0]
    sections: Document = {
        "Parameters": {"P": {"Type": "String", "Default": "value"}},
        "Mappings": {"M": {REGION: {"V": "value"}}},
        **CONDITIONS,
    }
    literal = expanded(one(WEB, spec={key: STRINGS[place]("value")}, **sections))
    written = expanded(one(WEB, spec={key: STRINGS[place](INTRINSICS[intrinsic])}, **sections))
    if key in ROLE_PROPERTIES:
        there, here = (Stack(each).properties("TaskExecutionRole")[key] for each in (literal, written))
        assert there == here
    else:
        assert _plain(statements(literal)) == _plain(statements(written))


def _plain(made: dict[str, Document]) -> dict[str, Document]:
    """Statements with every value of a condition as a list; a single value means the same."""
    return {
        sid: {
            **statement,
            "Condition": {
                operator: {key: listed(value) for key, value in keys.items()}
                for operator, keys in statement.get("Condition", {}).items()
            },
        }
        for sid, statement in made.items()
    }


def test_an_entry_may_depend_on_a_condition() -> None:
    spec = {"Secrets": [{"Fn::If": ["C", "a", {"Secret": "b"}]}], "Images": {"Fn::If": ["C", ["x"], NO_VALUE]}}
    fragment = expanded(one(spec=spec, **CONDITIONS))
    assert grants(fragment, conditions={"C": True}) == by_name("a") | pull(f"{ECR}/x")
    assert grants(fragment, conditions={"C": False}) == by_name("b")


WILDCARDS: dict[str, Any] = {
    "Images": ["web*"],
    "LogGroups": ["/ecs/*"],
    "Secrets": ["prod/?"],
    "Parameters": ["/prod/*"],
    "RegistryCredentials": ["*"],
    "EnvironmentFiles": ["arn:aws:s3:::config/*"],
    "FireLensConfigs": ["arn:aws:s3:::config/?"],
    "CredentialSpecs": ["credentialspec:arn:aws:s3:::gmsa/*"],
    "FsxCredentials": ["prod/*"],
    "FileSystems": ["fs-*"],
    "SourceVpcs": ["vpc-*"],
    "SourceVpcEndpoints": ["vpce-?"],
}


OPTIONS: dict[str, Any] = {
    "Images": {"Repository": "*"},
    "LogGroups": {"LogGroup": "g", "StreamPrefix": "*"},
    "Secrets": {"Secret": "s", "KmsKey": "*"},
    "Parameters": {"Parameter": "s", "KmsKey": "alias/*"},
    "EnvironmentFiles": {"Object": "arn:aws:s3:::b/k", "KmsKey": "*"},
    "FileSystems": {"FileSystem": "fs-1", "AccessPoint": "*"},
    "CredentialSpecs": {"Spec": "credentialspec:arn:aws:s3:::b/k", "Secret": "*"},
}


@pytest.mark.parametrize("key", WILDCARDS)
def test_wildcards_are_refused(key: str) -> None:
    place = f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0"
    assert refusal(one(WEB, spec={key: WILDCARDS[key]})).startswith(f"{place}: ")


@pytest.mark.parametrize("key", WILDCARDS)
def test_wildcards_are_refused_in_an_intrinsics_literal_too(key: str) -> None:
    [literal] = WILDCARDS[key]
    place = f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0"
    assert refusal(one(WEB, spec={key: [{"Fn::Sub": literal}]})).startswith(place)
    assert refusal(one(WEB, spec={key: [{"Fn::Join": ["", [literal]]}]})).startswith(place)


@pytest.mark.parametrize("key", OPTIONS)
def test_wildcards_are_refused_in_the_mapping_form(key: str) -> None:
    place = f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0/"
    assert refusal(one(WEB, spec={key: [OPTIONS[key]]})).startswith(place)


def test_wildcards_are_allowed_in_statements() -> None:
    written = {"Sid": "Mine", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}
    assert statements(expanded(one(spec={"Statements": [written]}))) == {"Mine": written}


@pytest.mark.parametrize("key", ["Infer", "Unresolved", "GuardDuty", "Preflight"])
def test_a_choice_that_is_known_at_deployment_is_refused(key: str) -> None:
    line = refusal(one(WEB, spec={key: {"Fn::ImportValue": "x"}}))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}: ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Infer", {"Fn::If": ["C", False, NO_VALUE]}),
        ("Infer", {"Fn::If": ["C", False, True]}),
        ("Unresolved", {"Fn::If": ["C", NO_VALUE, "Ignore"]}),
        ("Preflight", {"Fn::If": ["C", "Warn", False]}),
    ],
)
def test_a_choice_that_depends_on_a_condition_is_refused(key: str, value: Any) -> None:
    line = refusal(one(WEB, spec={key: value}, **CONDITIONS))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}")


@pytest.mark.parametrize("yes", ["Auto", {"Images": ["x"]}, "Starter"])
def test_a_spec_that_depends_on_a_condition_is_refused(yes: Any) -> None:
    line = refusal(one(WEB, spec={"Fn::If": ["C", yes, NO_VALUE]}, **CONDITIONS))
    assert line.startswith("Resources/Task/Properties/ExecutionRoleSpec")


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("Images", {"Repository": "web", "PullThroughCache": {"Fn::ImportValue": "x"}}),
        ("LogGroups", {"LogGroup": "web", "Create": {"Fn::ImportValue": "x"}}),
        ("FileSystems", {"FileSystem": "fs-1", "Access": {"Fn::ImportValue": "x"}}),
        ("FileSystems", {"FileSystem": "fs-1", "Access": {"Ref": "Misspelt"}}),
    ],
)
def test_an_option_that_is_known_at_deployment_is_refused(key: str, entry: Document) -> None:
    parameters = {"Misspelt": {"Type": "String", "Default": "readonly"}}
    line = refusal(one(WEB, spec={key: [entry]}, Parameters=parameters))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0/{list(entry)[1]}")
