"""What an SSM parameter is granted, from a definition and from `Parameters`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import (
    ACCOUNT,
    REGION,
    Stack,
)
from tests.support.contract import (
    CONDITIONS,
    IMPORT,
    NO_VALUE,
    PARAMETERS,
    SECRETS,
    container,
    event,
    fetch,
    granted,
    grants,
    inferred,
    one,
    read,
    refusal,
    refusal_of,
    template,
    value_from,
    with_secret,
)

from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import Settings


@pytest.mark.parametrize(
    ("value", "resource"),
    [
        ("plain", f"{PARAMETERS}/plain"),
        ("/a/b", f"{PARAMETERS}/a/b"),
        ("a/b", f"{PARAMETERS}/a/b"),
        (f"{PARAMETERS}/a/b", f"{PARAMETERS}/a/b"),
        (f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/a", f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/a"),
        ({"Fn::Sub": "/${Stage}/x"}, f"{PARAMETERS}/prod/x"),
        ({"Fn::Sub": "${Stage}"}, f"{PARAMETERS}/prod"),
        ({"Fn::Sub": "/${AWS::StackName}/x"}, f"{PARAMETERS}/stack/x"),
        ({"Fn::Sub": "${AWS::StackName}/x"}, f"{PARAMETERS}/stack/x"),
        ({"Fn::Join": ["/", ["", {"Ref": "Stage"}, "x"]]}, f"{PARAMETERS}/prod/x"),
        ({"Ref": "Named"}, f"{PARAMETERS}/team/named"),
    ],
)
def test_value_that_is_not_an_arn_names_a_parameter_here(value: Any, resource: str) -> None:
    more = {"Named": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/team/named"}}}
    parameters = {"Stage": {"Type": "String", "Default": "prod"}}
    assert value_from(value, more=more, Parameters=parameters) == fetch(resource)


def test_parameter_that_is_a_reference_to_a_secret_needs_both() -> None:
    assert value_from("/aws/reference/secretsmanager/db") == (
        fetch(f"{PARAMETERS}/aws/reference/secretsmanager/db") | read(f"{SECRETS}:db", f"{SECRETS}:db-??????")
    )


def test_stack_parameter_may_hold_the_whole_value() -> None:
    sections = {"Parameters": {"Value": {"Type": "String"}}}
    assert value_from({"Ref": "Value"}, parameters={"Value": "/x"}, **sections) == fetch(f"{PARAMETERS}/x")
    arn = f"{SECRETS}:db-a1B2c3"
    assert value_from({"Ref": "Value"}, parameters={"Value": arn}, **sections) == read(arn)


def test_parameter_is_declared_where_the_same_value_is_in_parameters() -> None:
    for name in ("/a/b", "a/b"):
        found = value_from(IMPORT, spec={"Parameters": [IMPORT]}, stack={"imports": {"shared": name}})
        assert fetch(f"{PARAMETERS}/a/b") <= found


PARAMETER_FORMS: dict[str, Any] = {
    "name with a slash": "/prod/db",
    "name without": "prod/db",
    "ARN": f"{PARAMETERS}/prod/db",
    "Sub": {"Fn::Sub": "/${Stage}/db"},
    "Sub without a slash": {"Fn::Sub": "${Stage}/db"},
    "Sub of an ARN": {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/prod/db"},
    "Ref": {"Ref": "Parameter"},
    "mapping form": {"Parameter": "/prod/db"},
    "mapping form of a Ref": {"Parameter": {"Ref": "Parameter"}},
}


@pytest.mark.parametrize("value", PARAMETER_FORMS.values(), ids=PARAMETER_FORMS)
def test_parameters_may_be_named_in_every_form(value: Any) -> None:
    more = {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/prod/db", "Type": "String"}}}
    parameters = {"Stage": {"Type": "String", "Default": "prod"}}
    assert granted({"Parameters": [value]}, more=more, Parameters=parameters) == fetch(f"{PARAMETERS}/prod/db")


@pytest.mark.parametrize("name", ["plain", "/slashed", None])
def test_parameter_of_the_template_is_read_by_the_name_it_says(name: str | None) -> None:
    properties = {"Type": "String", "Value": "x"} | ({"Name": name} if name else {})
    more = {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": properties}}
    real = Stack(template(more)).physical("Parameter").ref
    assert granted({"Parameters": [{"Ref": "Parameter"}]}, more=more) == fetch(f"{PARAMETERS}/{real.lstrip('/')}")


SLASH = {"Slash": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": "/a/b", "Value": "x"}}}


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${Slash}"},
        {"Fn::Sub": "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${Slash}"},
        {"Fn::Join": ["", ["arn:aws:ssm:", REGION, ":", ACCOUNT, ":parameter", {"Ref": "Slash"}]]},
        {"Ref": "Slash"},
    ],
)
def test_no_second_slash_is_written_before_a_name_that_begins_with_one(value: Any) -> None:
    assert inferred(with_secret(value), more=SLASH) == fetch(f"{PARAMETERS}/a/b")


def test_an_imported_name_behind_parameter_stays_as_it_is() -> None:
    value = {"Fn::Sub": ["arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter${P}", {"P": IMPORT}]}
    assert inferred(with_secret(value), stack={"imports": {"shared": "/x"}}) == fetch(f"{PARAMETERS}/x")


@pytest.mark.parametrize(
    "value",
    ["/aws/service/ecs/x", f"arn:aws:ssm:{REGION}::parameter/aws/service/ecs/x", f"{PARAMETERS}/aws/service/ecs/x"],
)
def test_a_public_parameter_has_no_account(value: str) -> None:
    assert inferred(with_secret(value)) == fetch(f"arn:aws:ssm:{REGION}::parameter/aws/service/ecs/x")


@pytest.mark.parametrize("value", ["/a:3", f"{PARAMETERS}/a:3", f"{PARAMETERS}/a:label"])
def test_a_version_of_a_parameter_is_refused_on_name_and_arn(value: str) -> None:
    assert "selects a version or a label" in refusal_of(with_secret(value))


@pytest.mark.parametrize("given", ["/x/y", "plain", f"{PARAMETERS}/x/y", f"{PARAMETERS}/plain"])
def test_parameters_entry_holds_for_a_name_and_an_arn(given: str) -> None:
    """In each form that the value can have when the stack is deployed."""
    found = granted({"Parameters": [IMPORT]}, stack={"imports": {"shared": given}})
    name = given.removeprefix(PARAMETERS).lstrip("/")
    assert fetch(f"{PARAMETERS}/{name}") <= found
    # The other form is an ARN that no parameter has.
    assert found - fetch(f"{PARAMETERS}/{name}") <= fetch(f"{PARAMETERS}//{name}", f"{PARAMETERS}{name}")


NAMED = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": "/n/m", "Value": "x"}}
NAMELESS = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}


def test_a_name_that_begins_with_the_name_of_a_parameter_is_a_name() -> None:
    more = {"Named": NAMED, "Nameless": NAMELESS}
    made = Stack(template(more)).physical("Nameless").ref
    assert value_from({"Fn::Sub": "${Named}/x"}, more=more) == fetch(f"{PARAMETERS}/n/m/x")
    assert value_from({"Fn::Sub": "${Nameless}/x"}, more=more) == fetch(f"{PARAMETERS}/{made}/x")


@pytest.mark.parametrize("entry", [False, True])
def test_a_version_behind_a_reference_is_refused(entry: bool) -> None:
    value = {"Fn::Sub": "${Named}:3"}
    with_value = [container(), {"spec": {"Parameters": [value]}}] if entry else [with_secret(value), {}]
    line = refusal_of(with_value[0], more={"Named": NAMED}, **with_value[1])
    assert "`${Named}:3` selects a version or a label" in line


@pytest.mark.parametrize("name", ["AWS::StackName", "Nameless"])
def test_a_reference_that_certainly_has_no_slash_is_refused_right_behind_parameter(name: str) -> None:
    value = {"Fn::Sub": f"arn:aws:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter${{{name}}}"}
    assert f"write parameter/${{{name}}}" in refusal_of(with_secret(value), more={"Nameless": NAMELESS})


def test_an_arn_without_an_account_is_of_a_public_parameter_whatever_its_name() -> None:
    value = {"Fn::Sub": ["arn:aws:ssm:${AWS::Region}::parameter${P}", {"P": IMPORT}]}
    answer = expand(event(one(with_secret(value))), Settings())
    assert answer.warnings == ()
    found = grants(answer.fragment, imports={"shared": "/aws/service/x"})
    assert found == fetch(f"arn:aws:ssm:{REGION}::parameter/aws/service/x")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:${X}", "parameter/x/y"),
        ("arn:${AWS::Partition}:ssm:${X}", f"{REGION}:{ACCOUNT}:parameter/x/y"),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_an_arn_of_which_only_the_service_is_known(text: str, rest: str, listed: bool) -> None:
    value = {"Fn::Sub": [text, {"X": IMPORT}]}
    stack = {"imports": {"shared": rest}}
    found = granted({"Parameters": [value]}, stack=stack) if listed else value_from(value, stack=stack)
    assert found == fetch(f"{PARAMETERS}/x/y")


def test_a_parameter_of_the_template_whose_name_no_parameter_can_have_is_refused() -> None:
    named = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": f"{PARAMETERS}/x", "Type": "String", "Value": "v"}}
    message = refusal(one(with_secret({"Ref": "Named"}), more={"Named": named}))
    assert "cannot be the name of a parameter" in message


def test_a_reference_to_a_parameter_whose_name_cannot_be_read_is_a_parameter() -> None:
    unread = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": {"Fn::Transform": {"Name": "X"}}, "Value": "x"}}
    assert "Resources/Par/Properties/Name/Fn::Transform" in refusal_of(
        with_secret({"Ref": "Par"}), more={"Par": unread}
    )


@pytest.mark.parametrize(
    "name",
    [
        {"Fn::If": ["C", "/n/m", NO_VALUE]},
        {"Fn::If": ["C", NO_VALUE, "/n/m"]},
        {"Fn::If": ["C", "/n/m", "plain"]},
        {"Fn::If": ["C", "plain", NO_VALUE]},
        {"Fn::If": ["C", "/n/m", "/o/p"]},
    ],
)
@pytest.mark.parametrize("held", [True, False])
def test_a_parameter_whose_name_depends_on_a_condition(name: Any, held: bool) -> None:
    more = {"Par": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": name, "Value": "x"}}}
    stack = Stack(template(more, **CONDITIONS), conditions={"C": held})
    found = value_from({"Ref": "Par"}, more=more, stack={"conditions": {"C": held}}, **CONDITIONS)
    assert found == fetch(f"{PARAMETERS}/{stack.physical('Par').ref.lstrip('/')}")
