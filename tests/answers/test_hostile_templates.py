"""Templates that attack the macro: the answer comes quickly, is a failure, and says why.

SECURITY.md promises this. The limits of time are high, for slow machines; the limit of memory is that of the function.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest
from scripts import growth
from tests.support.event import event as macro_event

from ecs_exec_role.protocol import respond

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app"
# A third of the function's timeout, on a machine that may be slower than Lambda.
PATIENCE = 20
Json = Any


def event(resources: Json, **sections: Json) -> dict[str, Json]:
    return macro_event({"Resources": resources, **sections})


def task(*containers: Json) -> dict[str, Json]:
    properties = {"ExecutionRoleSpec": "Auto", "ContainerDefinitions": list(containers)}
    return {"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}}


def image(value: Json) -> dict[str, Json]:
    return task({"Name": "app", "Image": value})


def conditions(count: int) -> dict[str, Json]:
    return {f"C{number}": {"Fn::Equals": [{"Ref": "AWS::Region"}, str(number)]} for number in range(count)}


def nested(levels: int, wrap: Any, innermost: Json = "app") -> Json:
    value = innermost
    for level in range(levels):
        value = wrap(level, value)
    return value


def doubling(levels: int) -> Json:
    """2 to the power of `levels` times the same letters, in a few lines."""
    return nested(levels, lambda _, value: {"Fn::Sub": ["${A}${A}", {"A": value}]})


HOSTILE = {
    "values that double at each level": (event(image(doubling(60))), "write shorter values"),
    "many values that double": (
        event(task(*({"Name": f"a{number}", "Image": doubling(20)} for number in range(100)))),
        "write shorter values",
    ),
    "a parameter of which one value is full": (
        {
            **event(image({"Fn::Sub": "${P}" * 200_000}), Parameters={"P": {"Type": "String"}}),
            "templateParameterValues": {"P": "x" * 4_096},
        },
        "write shorter values",
    ),
    "functions in functions": (
        event(image(nested(5_000, lambda _, value: {"Fn::Join": ["", [value]]}))),
        "is nested too deep to be read",
    ),
    "lists in lists, in a place that is not read": (
        event({**task(), "Topic": {"Type": "AWS::SNS::Topic", "Metadata": nested(20_000, lambda _, value: [value])}}),
        "is nested too deep to be read",
    ),
    "choices that multiply": (
        event(
            image({"Fn::Join": ["", [IMAGE, *({"Fn::If": [f"C{one}", "a", "b"]} for one in range(40))]]}),
            Conditions=conditions(40),
        ),
        "has more than 256 values",
    ),
    "conditions that multiply": (
        event(
            task(
                *(
                    {
                        "Name": f"a{one}",
                        "Image": {"Fn::If": [f"C{one}", {"Fn::If": [f"C{(one + 7) % 200}", IMAGE, "x"]}, "y"]},
                    }
                    for one in range(200)
                )
            ),
            # With conditions about one value, most combinations would be impossible.
            Parameters={f"P{one}": {"Type": "String"} for one in range(200)},
            Conditions={f"C{one}": {"Fn::Equals": [{"Ref": f"P{one}"}, "a"]} for one in range(200)},
        ),
        "too many combinations of conditions",
    ),
    "more than a role can hold": (
        event(
            task(
                {"Name": "a", "Image": "nginx", "Secrets": [{"Name": "x", "ValueFrom": f"/{n}"} for n in range(20_000)]}
            )
        ),
        "characters of policies",
    ),
    "more roles than a template can hold": (
        event({f"Task{number}": image(f"{IMAGE}{number}")["Task"] for number in range(400)}),
        "CloudFormation takes 500",
    ),
    "no template": ({"requestId": "hostile", "fragment": [[]]}, "is not a template"),
    "a spec that is no text": (
        event({"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ExecutionRoleSpec": [[{}]]}}}),
        "ExecutionRoleSpec",
    ),
}


# Python's own JSON reader refuses such nesting, and CloudFormation does not send it either.
NO_JSON = [name for name in HOSTILE if " in " in name]


@pytest.mark.parametrize("name", NO_JSON)
def test_nesting_is_refused_quickly_and_with_a_reason(name: str) -> None:
    request, told = HOSTILE[name]
    start = time.monotonic()
    answer = respond(request)
    assert time.monotonic() - start < PATIENCE
    assert answer["status"] == "failure"
    assert told in answer["errorMessage"]


@pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory as Linux does")
def test_hostile_templates_are_refused_quickly_with_a_reason_and_within_the_functions_memory() -> None:
    """The 256 MB of the function, all of Python included."""
    script = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_DATA, (256 << 20, 256 << 20))
from ecs_exec_role.protocol import respond
for event in json.load(sys.stdin):
    start = time.monotonic()
    answer = respond(event)
    print(json.dumps([answer["status"], answer.get("errorMessage"), time.monotonic() - start]))
"""
    hostile = [each for name, each in HOSTILE.items() if name not in NO_JSON]
    requests = json.dumps([request for request, _ in hostile])
    done = subprocess.run([sys.executable, "-c", script], input=requests, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for (_, told), (status, message, seconds) in zip(hostile, answers, strict=True):
        assert status == "failure"
        assert told in message
        assert seconds < PATIENCE, told


@pytest.mark.parametrize("count", [50, 200])
def test_as_many_conditions_as_containers_take_only_a_short_time(count: int) -> None:
    secrets = [{"Name": "x", "ValueFrom": "/parameter"}]
    containers = (
        {"Fn::If": [f"C{one}", {"Name": f"a{one}", "Image": IMAGE, "Secrets": secrets}, {"Ref": "AWS::NoValue"}]}
        for one in range(count)
    )
    start = time.monotonic()
    answer = respond(event(task(*containers), Conditions=conditions(count)))
    assert time.monotonic() - start < PATIENCE
    assert answer["status"] == "success"


# The forms of templates that the limits are for, in sizes that once took too much time or memory, and the answer.
GROWN = {
    ("conditions in SourceVpcs", 20): "use at most 6 conditions in SourceVpcs and SourceVpcEndpoints together",
    ("containers with conditions of their own", 800): "split the definition, or use fewer conditions",
    ("secrets with conditions of their own", 400): "use fewer conditions, let definitions share a role",
    ("values below a tree of conditions", 1_000): "split the definition, or use fewer conditions",
    ("image of colons", 60_000): "",
    ("unclosed dynamic references", 20_000): "",
    ("closed dynamic references", 30_000): "`{{resolve:ssm:/0}}",
    ("uses of a large mapping value", 500): "write shorter values, or use them less often",
    (
        "splits of a large mapping value",
        500,
    ): "use shorter lists, fewer definitions or fewer conditions, or split the stack",
    ("definitions with a list of a mapping", 60): "needs more than 1,000,000 steps to be read",
    ("definitions, AllowedStatements and 800 KB beside", 240): "",
    ("unknown keys", 15_000): "more; correct these first",
    ("different unknown functions", 5_000): "characters of policies",
    ("resources", 40_000): "CloudFormation takes 500; split the stack",
    ("long logical ID", 500_000): "rename the resource: letters and digits only, at most 255",
    ("resources that wait for each other", 120): "",
    ("groups and regions with conditions", 200): "needs more than 1,000,000 steps to be read",
    ("conditions that name another twice", 60): "",
    ("conditions that compare more and more", 4_000): "",
    ("statements", 6_000): "characters of policies",
    ("statements of one Sid", 3_000): "write another",
    ("overrides of one definition", 4_000): "",
    ("overrides in a text", 6_000): "",
    ("overrides of each definition", 4_000): "needs more than 1,000,000 steps to be read",
    ("references to nothing", 4_000): "did you mean Bucket0000OfAResourceWithALongLogicalId? Write that",
    ("references to nothing beside parameters", 10_000): "`Q0` is not in this template",
    ("keys that are not in a map", 2_000): "Mappings/M has no `kye00000-of-a-map`",
    ("unknown definitions", 8_000): "did you mean Worker0000? Write that",
}


@pytest.mark.parametrize("form, size", GROWN, ids=[form.replace(" ", "-") for form, _ in GROWN])
def test_work_is_bounded_whatever_asks_for_it(form: str, size: int) -> None:
    """Each is answered in a fraction of the time that it took before work was counted: see `make bench`."""
    make, _, settings = growth.FORMS[form]
    request = make(size)
    start = time.process_time()
    answer = respond(request, settings)
    assert time.process_time() - start < 2 * growth.MOST_SECONDS
    told = GROWN[form, size]
    assert answer["status"] == ("failure" if told else "success")
    assert told in answer.get("errorMessage", "")
    assert all(": " in line and "; " in line for line in answer.get("errorMessage", ": ; ").split("\n"))
    assert len(json.dumps(answer)) < 6_200_000


def test_place_that_takes_too_much_is_reported() -> None:
    form = growth.FORMS["uses of a large mapping value"]
    answer = respond(form.make(500))
    assert answer["errorMessage"].startswith("Resources/Task: makes this template more than 8,000,000 characters")


MARK = "\U00100000"
SPLIT_ON_A_MARK = {
    "Fn::Select": [
        1,
        {
            "Fn::Split": [
                "|",
                {"Fn::Join": ["a|ssm:GetParameters", {"Fn::Split": [MARK, {"Fn::Sub": "${AWS::Partition}|*"}]}]},
            ]
        },
    ]
}
FUNCTIONS_WITH_MARKS: dict[str, Json] = {
    "Split": SPLIT_ON_A_MARK,
    "Split of a nested delimiter": {"Fn::Split": [{"Fn::Sub": MARK}, "a"]},
    "Join": {"Fn::Join": [MARK, ["a", "b"]]},
    "Join item": {"Fn::Join": ["", ["a", {"Fn::Sub": ["${X}", {"X": MARK}]}]]},
    "Select": {"Fn::Select": [MARK, ["a"]]},
    "FindInMap": {"Fn::FindInMap": ["M", MARK, "x"]},
    "FindInMap default": {"Fn::FindInMap": ["M", "a", "x", {"DefaultValue": MARK}]},
    "GetAtt": {"Fn::GetAtt": ["Task", f"Arn{MARK}"]},
    "GetAtt in one text": {"Fn::GetAtt": f"Task{MARK}.Arn"},
    "Ref": {"Ref": f"P{MARK}"},
    "Sub": {"Fn::Sub": f"${{{MARK}}}"},
    "Sub variable": {"Fn::Sub": ["${X}", {MARK: "a", "X": "b"}]},
    "If": {"Fn::If": [MARK, "a", "b"]},
    "ImportValue": {"Fn::ImportValue": MARK},
    "unknown function": {f"Fn::{MARK}": "a"},
    "dynamic reference": f"{{{{resolve:ssm:{MARK}}}}}",
    "last of all": "\U0010ffff",
}


@pytest.mark.parametrize("value", FUNCTIONS_WITH_MARKS.values(), ids=FUNCTIONS_WITH_MARKS)
def test_no_text_of_a_template_can_stand_for_an_unknown_value(value: Json) -> None:
    """In the arguments of each function, in a whole template and in a snippet."""
    statement = {"Effect": "Allow", "Action": value, "Resource": "*"}
    spec = {"Statements": [statement], "Images": [value], "Tags": [{"Key": "a", "Value": value}]}
    role = {"Role": {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": spec}}}
    snippet = {**event({}), "fragment": {"Description": "a"}, "params": spec}
    for request in (event(role), snippet, event(image(value)), event({**image("a"), "Other": {"Metadata": value}})):
        answer = respond(request)
        assert answer["status"] == "failure"
        assert "U+100000 on" in answer["errorMessage"]
        assert "; remove the character" in answer["errorMessage"]


@pytest.mark.parametrize(
    "place, changes",
    {
        "Parameters/P": {"templateParameterValues": {"P": MARK}},
        "Parameters/\\U00100000": {"templateParameterValues": {MARK: "a"}},
        "region": {"region": f"us-east-1{MARK}"},
        "accountId": {"accountId": MARK},
        "requestId": {"requestId": MARK},
        "transformId": {"transformId": MARK},
        "params/x": {"params": {"x": MARK}},
        "Fn::Transform/Parameters/Images/0": {"fragment": {}, "params": {"Images": [MARK]}},
        "Policies/0/PolicyName": {"fragment": {"Policies": [{"PolicyName": MARK}]}, "params": {"Images": ["a"]}},
        "Parameters/P/Default": {"fragment": {**event(image("a"))["fragment"], "Parameters": {"P": {"Default": MARK}}}},
        "Mappings/\\U00100000": {"fragment": {**event(image("a"))["fragment"], "Mappings": {MARK: {}}}},
        "Resources/\\U00100000": {"fragment": {"Resources": {MARK: image("a")["Task"]}}},
    }.items(),
)
def test_no_field_of_the_event_can_stand_for_an_unknown_value(place: str, changes: dict[str, Json]) -> None:
    answer = respond({**event(image("a")), **changes})
    assert answer["status"] == "failure"
    place = place.replace("params/", "Fn::Transform/Parameters/")
    assert f"{place}: contains a character" in answer["errorMessage"]


UNWRITABLE: dict[str, Json] = {
    "half of a character": "\ud83d",
    "the other half": {"\ude00": 1},
    "not a number": float("nan"),
    "infinity": [float("inf"), -float("inf")],
    "more digits than a number has": 10**5000,
}


@pytest.mark.parametrize("value", UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_no_answer_can_contain_is_reported(value: Json) -> None:
    """Also if the template has no spec, because Lambda could not return it."""
    for resources in ({"Topic": {"Type": "AWS::SNS::Topic", "Metadata": value}}, image(value), {"\ud800": image("a")}):
        answer = respond({**event(resources), "requestId": "\ud800"})
        assert answer["status"] == "failure"
        assert "Resources/" in answer["errorMessage"]
        json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    "name",
    [
        {"Fn::Sub": "${AWS::StackName}-a"},
        {"Ref": "AWS::StackName"},
        {"Fn::If": ["C", "EcsExecRole", "a"]},
        {"Fn::Join": ["-", ["EcsExecRole", {"Ref": "AWS::Region"}]]},
        None,
        3,
        [],
    ],
)
@pytest.mark.parametrize(
    "within", [lambda item: [item], lambda item: [{"Fn::If": ["C", item, {"Ref": "AWS::NoValue"}]}]]
)
def test_any_name_of_a_roles_own_policy_is_left_alone(name: Json, within: Any) -> None:
    own = within({"PolicyName": name, "PolicyDocument": {"Version": "2012-10-17", "Statement": []}})
    spec = {"Images": ["a"]}
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": spec, "Policies": own}}
    whole = respond(event({"Role": role}, Conditions=conditions(1)))
    snippet = respond({**event({}), "fragment": {"Policies": own}, "params": spec})
    made = [whole["fragment"]["Resources"]["Role"]["Properties"]["Policies"], snippet["fragment"]["Policies"]]
    for policies in made:
        assert policies[:-1] == own
        assert policies[-1]["PolicyName"] == ("EcsExecRole2" if '"EcsExecRole"' in json.dumps(own) else "EcsExecRole")


@pytest.mark.parametrize("name", ["", "a-b", "a b", "${x}", "a/b", "é", "a" * 256])
def test_resource_that_nothing_can_refer_to_is_reported(name: str) -> None:
    definition = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": []}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": [name]}}}
    for resources in ({name: image(IMAGE)["Task"]}, {name: definition, "Role": role}):
        answer = respond(event(resources))
        assert answer["status"] == "failure"
        assert (
            "is not a logical ID; rename the resource: letters and digits only, at most 255" in answer["errorMessage"]
        )


@pytest.mark.parametrize("properties", ["text", [], [{"Family": "a"}], 3, True])
def test_properties_that_are_not_a_mapping_are_reported_and_not_replaced(properties: Json) -> None:
    resources = {
        "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": ["Task"]}}},
    }
    answer = respond(event(resources))
    assert answer["status"] == "failure"
    assert answer["errorMessage"].startswith("Resources/Task/Properties: is not a mapping")


@pytest.mark.parametrize(
    "count, told", [(3, "unknown key `k2`"), (15_000, "more; correct these first")], ids=["few", "many"]
)
def test_message_is_as_long_as_it_is_of_use(count: int, told: str) -> None:
    start = time.monotonic()
    spec = {f"k{number}": True for number in range(count)}
    answer = respond(event({"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ExecutionRoleSpec": spec}}}))
    assert time.monotonic() - start < PATIENCE
    assert told in answer["errorMessage"]
    assert len(answer["errorMessage"]) < 11_000


def test_long_names_are_shortened_in_a_message() -> None:
    spec = {"k" * 500_000: True}
    answer = respond(event({"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ExecutionRoleSpec": spec}}}))
    assert len(answer["errorMessage"]) < 11_000


@pytest.mark.parametrize("mischief", ["\n", "\r\n", "\x1b[31m", "\u2028", "\x00"])
def test_message_stays_one_line_for_each_mistake(mischief: str) -> None:
    """No name in a template may look like another message, in the stack's events or in a terminal."""
    resources = {
        f"Task{mischief}Fake": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ExecutionRoleSpec": "Aut"}}
    }
    answer = respond(event(resources))
    assert answer["status"] == "failure"
    assert mischief not in answer["errorMessage"]
    assert "\n" not in answer["errorMessage"]


def test_value_that_is_quoted_stays_in_its_line() -> None:
    answer = respond(event(image({"Fn::ImportValue": "one\nResources/Other: all is well; do nothing"})))
    assert answer["status"] == "failure"
    assert "\n" not in answer["errorMessage"]


VARIABLE = "${aws:PrincipalTag/all}"
LOGS = {"awslogs-group": VARIABLE, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}


@pytest.mark.parametrize(
    "resources",
    [
        image(f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{VARIABLE}"),
        task({"Name": "a", "Image": "nginx", "Secrets": [{"Name": "x", "ValueFrom": f"/{VARIABLE}"}]}),
        task({"Name": "a", "Image": "nginx", "Secrets": [{"Name": "x", "ValueFrom": {"Fn::Sub": "/${!aws:userid}"}}]}),
        task({"Name": "a", "Image": "nginx", "LogConfiguration": {"LogDriver": "awslogs", "Options": LOGS}}),
    ],
    ids=["image", "parameter", "substituted", "logs"],
)
def test_no_name_becomes_a_variable_of_a_policy(resources: Json) -> None:
    answer = respond(event(resources))
    assert answer["status"] == "failure"
    assert "contains a policy variable, which IAM resolves for each request" in answer["errorMessage"]


@pytest.mark.parametrize("key", ["Images", "LogGroups", "Secrets", "Parameters", "SourceVpcs"])
@pytest.mark.parametrize("told, value", [("a policy variable", VARIABLE), ("a wildcard", "a*"), ("a wildcard", "a?")])
def test_no_item_of_a_list_names_several_things(key: str, told: str, value: str) -> None:
    """As a literal, or composed by functions."""
    for written in (value, {"Fn::Join": ["", [value[:1], value[1:]]]}):
        resources = task()
        resources["Task"]["Properties"]["ExecutionRoleSpec"] = {key: [written]}
        answer = respond(event(resources))
        assert answer["status"] == "failure"
        assert f"contains {told}" in answer["errorMessage"]


def test_object_whose_key_looks_like_a_pattern_is_that_object_alone() -> None:
    """Here the characters are allowed, so they are written as IAM reads them literally."""
    file = {"Type": "s3", "Value": "arn:aws:s3:::bucket/${aws:userid}/*.env"}
    answer = respond(event(task({"Name": "a", "Image": "nginx", "EnvironmentFiles": [file]})))
    role = answer["fragment"]["Resources"]["TaskExecutionRole"]["Properties"]
    [read, _] = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert read["Resource"] == "arn:aws:s3:::bucket/${$}{aws:userid}/${*}.env"
