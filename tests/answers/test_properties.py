"""Properties of every template: there is always an answer, and what the macro does not read stays unchanged."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.support.cloudformation import Document
from tests.support.contract import LambdaContext, container, event, one, task, template
from tests.support.examples import examples

from ecs_exec_role import macro
from ecs_exec_role.protocol import respond

DEPTH = 10_000

laws = examples(20)

# -- the generators --

LOGICAL_IDS = [
    "Task",
    "Role",
    "Key",
    "Alias",
    "Secret",
    "Param",
    "Logs",
    "Repo",
    "Bucket",
    "P",
    "L",
    "TaskExecutionRole",
]
TYPES = [
    "AWS::ECS::TaskDefinition",
    "AWS::ECS::DaemonTaskDefinition",
    "AWS::ECS::ExpressGatewayService",
    "AWS::ECS::Service",
    "AWS::Batch::JobDefinition",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::KMS::Alias",
    "AWS::SecretsManager::Secret",
    "AWS::SecretsManager::SecretTargetAttachment",
    "AWS::SSM::Parameter",
    "AWS::Logs::LogGroup",
    "AWS::ECR::Repository",
    "AWS::ECR::PullThroughCacheRule",
    "AWS::S3::Bucket",
    "AWS::RDS::DBInstance",
    "AWS::EFS::FileSystem",
]
KEYS = [
    "Infer",
    "Unresolved",
    "TaskDefinitions",
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
    "GuardDuty",
    "SourceVpcs",
    "SourceVpcEndpoints",
    "Statements",
    "RoleName",
    "ManagedPolicyArns",
    "MaxSessionDuration",
    "Tags",
    "Preflight",
]
OPTIONS = ["Repository", "PullThroughCache", "LogGroup", "Create", "Region", "StreamPrefix", "Secret", "KmsKey"]
OPTIONS += ["Parameter", "Object", "Spec", "FileSystem", "AccessPoint", "Access", "Effect", "Action", "Resource", "Sid"]
PROPERTIES = [
    "ContainerDefinitions",
    "PrimaryContainer",
    "ContainerProperties",
    "EcsProperties",
    "TaskProperties",
    "Containers",
    "NodeProperties",
    "NodeRangeProperties",
    "Container",
    "Image",
    "Secrets",
    "ValueFrom",
    "LogConfiguration",
    "LogDriver",
    "Options",
    "SecretOptions",
    "awslogs-group",
    "awslogs-region",
    "RepositoryCredentials",
    "CredentialsParameter",
    "EnvironmentFiles",
    "Value",
    "FirelensConfiguration",
    "config-file-type",
    "config-file-value",
    "CredentialSpecs",
    "Volumes",
    "FSxWindowsFileServerVolumeConfiguration",
    "FileSystemId",
    "AuthorizationConfig",
    "ExecutionRoleArn",
    "TaskDefinition",
    "ServiceConnectConfiguration",
    "AwsLogsConfiguration",
    "KmsKeyId",
    "TargetKeyId",
    "AliasName",
    "SecretId",
    "Name",
    "BucketEncryption",
    "ServerSideEncryptionConfiguration",
    "ServerSideEncryptionByDefault",
    "KMSMasterKeyID",
    "EcrRepositoryPrefix",
    "Policies",
    "ManagedPolicyArns",
    "AssumeRolePolicyDocument",
]
TEXTS = [
    "",
    "x",
    "Auto",
    "Ignore",
    "true",
    "AWS::NoValue",
    "AWS::Region",
    "C",
    "D",
    "M",
    "0",
    "awslogs",
    "s3",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-a1B2c3:k::",
    "arn:aws:ssm:us-east-1:123456789012:parameter/x",
    "arn:aws:s3:::bucket/key",
    "arn:aws:kms:us-east-1:123456789012:alias/x",
    "credentialspec:arn:aws:s3:::bucket/key",
    "alias/x",
    "{{resolve:ssm:/x}}",
    "${AWS::Region}/${Secret}",
    "${!x}${Key.Arn}",
    "${",
    "${}",
    "a*?",
    ":",
    "/",
    "\ud800",
    "\U0010fffd",
    "é\n",
    *LOGICAL_IDS,
]
FUNCTIONS = [
    "Fn::Sub",
    "Fn::Join",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::FindInMap",
    "Fn::Select",
    "Fn::Split",
    "Fn::ImportValue",
]
FUNCTIONS += ["Fn::Transform", "Fn::Base64", "Fn::Cidr", "Fn::ForEach::Loop", "Fn::", "Ref", "Condition"]
ODD_NAMES = ["", "a/b", "a.b", "${x}", "A" * 300, "ExecutionRoleSpec", "Fn::If", "Ref", "AWS::Region", "\ud800", " "]

texts = st.sampled_from(TEXTS) | st.text(max_size=8)
names = st.sampled_from(LOGICAL_IDS) | st.sampled_from(ODD_NAMES)
scalars = st.none() | st.booleans() | st.integers(-3, 10**6) | st.floats() | texts
ref = st.builds(lambda name: {"Ref": name}, st.sampled_from([*LOGICAL_IDS, "AWS::Region", "AWS::NoValue", "Nothing"]))
condition = st.sampled_from(["C", "D", "E"])


def functions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An intrinsic function with correct arguments, or with arguments that it does not take."""
    items = st.lists(inner, max_size=4)
    text = st.sampled_from(TEXTS)
    proper = st.one_of(
        st.builds(lambda value: {"Fn::Sub": value}, text),
        st.builds(
            lambda value, one, two: {"Fn::Sub": [f"${{X}}/{value}${{Y}}", {"X": one, "Y": two}]}, text, inner, inner
        ),
        st.builds(lambda by, parts: {"Fn::Join": [by, parts]}, st.sampled_from(["", ":", "/"]), items),
        st.builds(lambda by, value: {"Fn::Split": [by, value]}, st.sampled_from(["", ":", "/"]), inner),
        st.builds(lambda index, parts: {"Fn::Select": [index, parts]}, st.sampled_from([0, "1", 3, -1]), items),
        st.builds(lambda index, parts: {"Fn::Select": [index, parts]}, st.sampled_from([0, "1"]), inner),
        st.builds(lambda name, yes, no: {"Fn::If": [name, yes, no]}, condition, inner, inner),
        st.builds(
            lambda name, key: {"Fn::GetAtt": [name, key]}, st.sampled_from(LOGICAL_IDS), st.sampled_from(["Arn", "Id"])
        ),
        st.builds(lambda row: {"Fn::FindInMap": ["M", "a", row]}, st.sampled_from(["text", "list", "loop", "none"])),
        st.builds(lambda row, value: {"Fn::FindInMap": ["M", row, "z", {"DefaultValue": value}]}, inner, inner),
        ref,
    )
    return proper | st.builds(lambda name, value: {name: value}, st.sampled_from(FUNCTIONS), inner | items)


def mappings(keys: list[str], inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(keys), inner, max_size=5)


values = st.recursive(scalars | ref, lambda inner: functions(inner) | st.lists(inner, max_size=3), max_leaves=8)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names | texts | st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)
entries = values | mappings(OPTIONS, values)
specs = (
    st.sampled_from(["Auto", "Starter", {}])
    | mappings(KEYS, values | st.lists(entries, max_size=3))
    | mappings([*KEYS, "Image", "x"], anything)
    | anything
)
contents = st.recursive(
    values, lambda inner: mappings(PROPERTIES, inner) | st.lists(inner, max_size=3) | functions(inner), max_leaves=20
)
CONTAINER_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Image": values,
    "Secrets": st.lists(st.fixed_dictionaries({"Name": st.just("A"), "ValueFrom": values}), max_size=2),
    "EnvironmentFiles": st.lists(st.fixed_dictionaries({"Value": values}), max_size=2),
    "RepositoryCredentials": st.fixed_dictionaries({"CredentialsParameter": values}),
    "CredentialSpecs": st.lists(values, max_size=2),
    "LogConfiguration": st.fixed_dictionaries(
        {"LogDriver": st.just("awslogs"), "Options": st.fixed_dictionaries({"awslogs-group": values})}
    ),
}
containers = st.fixed_dictionaries({}, optional=CONTAINER_VALUES)
definitions = st.builds(
    lambda spec, listed, more: {**more, "ExecutionRoleSpec": spec, "ContainerDefinitions": listed},
    specs,
    st.lists(containers, max_size=2) | contents,
    mappings(PROPERTIES, contents),
)
resources = st.one_of(
    st.fixed_dictionaries(
        {"Type": st.sampled_from(TYPES), "Properties": definitions | mappings(PROPERTIES, contents) | anything},
        optional={
            "Condition": condition | anything,
            "DependsOn": names | st.lists(names) | anything,
            "Metadata": anything,
        },
    ),
    anything,
)
templates = st.fixed_dictionaries(
    {"Resources": st.dictionaries(names, resources, min_size=1, max_size=6) | anything},
    optional={
        "Parameters": st.dictionaries(
            names,
            st.fixed_dictionaries(
                {"Type": st.sampled_from(["String", "CommaDelimitedList", "AWS::SSM::Parameter::Value<String>"])},
                optional={"Default": scalars, "NoEcho": scalars},
            )
            | anything,
            max_size=3,
        ),
        "Mappings": st.just(
            {"M": {"a": {"text": "x", "list": ["x", "y"], "loop": {"Fn::FindInMap": ["M", "a", "loop"]}, "none": None}}}
        )
        | anything,
        "Conditions": anything,
        "Outputs": anything,
    },
)


def is_writable(node: Any) -> bool:
    """Whether a node can be answered at all: as JSON in UTF-8."""
    try:
        json.dumps(node, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return False
    return True


def answered(request: Any) -> Document:
    """The answer, with the checks that hold for every answer."""
    before = copy.deepcopy(request)
    answer = respond(request)
    assert repr(request) == repr(before)
    assert isinstance(answer, dict)
    assert set(answer) in ({"requestId", "status", "fragment"}, {"requestId", "status", "errorMessage"})
    if "fragment" in answer:
        assert answer["status"] == "success"
        assert isinstance(answer["fragment"], dict)
    else:
        assert answer["status"] == "failure"
        assert answer["errorMessage"]
        for line in answer["errorMessage"].split("\n"):
            assert ": " in line
            assert "; " in line
    assert is_writable(answer)
    return answer


def has_property(node: Any) -> bool:
    """Whether a resource of an expanded template still has the property."""
    found = node.get("Resources")
    listed = found.values() if isinstance(found, dict) else []
    return any(
        isinstance(each, dict)
        and isinstance(each.get("Properties"), dict)
        and "ExecutionRoleSpec" in each["Properties"]
        for each in listed
    )


# -- always an answer --


@laws
@given(anything, st.dictionaries(names, anything, max_size=3) | anything, st.just({}) | anything)
def test_any_json_as_fragment_gets_an_answer(fragment: Any, parameter_values: Any, params: Any) -> None:
    answered(event(fragment, templateParameterValues=parameter_values, params=params))


@laws
@given(specs)
def test_any_json_as_spec_gets_an_answer(spec: Any) -> None:
    answer = answered(event(one(container(Image="123456789012.dkr.ecr.us-east-1.amazonaws.com/web"), spec=spec)))
    assert "fragment" not in answer or not has_property(answer["fragment"])
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": spec}}
    answered(event(template({"Role": role, "Task": {"Type": "AWS::ECS::TaskDefinition"}})))


@laws
@given(specs, mappings(["RoleName", "Policies", "ManagedPolicyArns", "AssumeRolePolicyDocument"], anything))
def test_any_json_as_a_snippets_parameters_gets_an_answer(parameters: Any, siblings: Any) -> None:
    answer = answered(event(siblings, params=parameters))
    if "fragment" in answer:
        assert set(siblings) <= set(answer["fragment"])


@laws
@given(templates, st.dictionaries(names, scalars | st.lists(texts), max_size=3))
def test_any_template_gets_an_answer(fragment: Any, parameter_values: Any) -> None:
    answer = answered(event(fragment, templateParameterValues=parameter_values))
    assert "fragment" not in answer or not has_property(answer["fragment"])


@laws
@given(st.lists(containers | contents, min_size=1, max_size=3), st.dictionaries(names, resources, max_size=4))
def test_any_nesting_of_functions_gets_an_answer_and_always_the_same(listed: list[Any], others: Any) -> None:
    request = event({**template({**others, "Task": task(*listed, spec={"Unresolved": "Ignore"})})})
    assert json.dumps(answered(request)) == json.dumps(answered(copy.deepcopy(request)))


@laws
@given(anything | st.fixed_dictionaries({}, optional=dict.fromkeys(event({}), anything)))
def test_any_json_as_event_gets_an_answer_from_the_handler(request: Any) -> None:
    answer = macro.handler(copy.deepcopy(request), LambdaContext())
    assert "bug" not in answer.get("errorMessage", "")
    assert answered(request) == answer or answer != answer  # noqa: PLR0124 - a float that is not a number equals nothing


# -- the parts that do not belong to the macro --


def without_spec(node: Any) -> Any:
    """The same without the key anywhere."""
    if isinstance(node, dict):
        return {key: without_spec(value) for key, value in node.items() if key != "ExecutionRoleSpec"}
    return [without_spec(item) for item in node] if isinstance(node, list) else node


@laws
@given(templates | st.dictionaries(texts, anything))
def test_template_without_a_spec_is_returned_unchanged(fragment: Any) -> None:
    clean = {"Resources": {}, **without_spec(fragment)}
    assume(is_writable(clean))
    assert json.dumps(answered(event(clean))["fragment"]) == json.dumps(clean)


PLAIN = st.sampled_from(["Zebra", "Apple", "Mango", "A1"])


@laws
@given(
    st.dictionaries(
        PLAIN, st.fixed_dictionaries({"Type": st.just("Custom::Thing"), "Properties": contents}), max_size=4
    ),
    st.dictionaries(st.sampled_from(["Outputs", "Metadata", "Rules", "Mappings", "Hooks"]), anything),
    st.integers(0, 4),
)
def test_what_has_nothing_to_do_with_a_spec_is_unchanged(others: Any, sections: Any, position: int) -> None:
    others, sections = without_spec(others), without_spec(sections)
    assume(
        is_writable([others, sections])
        and not re.search("[\U00100000-\U0010ffff]", json.dumps([others, sections], ensure_ascii=False))
    )
    items = list(others.items())
    items.insert(position, ("Task", task(container(Secrets=[{"Name": "A", "ValueFrom": "/x"}]))))
    made = answered(event({**sections, "Resources": dict(items)}))["fragment"]
    assert list(made) == [*sections, "Resources"]
    assert json.dumps({name: made[name] for name in sections}) == json.dumps(sections)
    assert [name for name in made["Resources"] if name != "TaskExecutionRole"] == [name for name, _ in items]
    assert json.dumps({name: made["Resources"][name] for name in others}) == json.dumps(others)


# -- extreme depth and size --


def nested(kind: str) -> Any:
    node: Any = "x"
    for _ in range(DEPTH):
        if kind == "mapping":
            node = {"a": node}
        elif kind == "list":
            node = [node]
        elif kind == "Fn::If":
            node = {"Fn::If": ["C", node, "x"]}
        elif kind == "Fn::Join":
            node = {"Fn::Join": ["", [node]]}
        else:
            node = {"Fn::Sub": ["${X}", {"X": node}]}
    return node


PLACES: dict[str, Any] = {
    "fragment": lambda node: event({"x": node}),
    "spec": lambda node: event(one(spec=node)),
    "key of a spec": lambda node: event(one(spec={"Images": [node]})),
    "value": lambda node: event(one(container(Image=node))),
    "containers": lambda node: event(template({"Task": task(ContainerDefinitions=node)})),
    "elsewhere": lambda node: event(one(more={"Other": {"Type": "Custom::X", "Properties": node}})),
    "parameters": lambda node: event(one(), templateParameterValues={"P": node}),
    "snippet's parameters": lambda node: event({}, params={"Images": [node]}),
    "snippet's siblings": lambda node: event({"Policies": node}, params={"Images": ["x"]}),
    "everything": lambda node: node,
}


@pytest.mark.parametrize("kind", ["mapping", "list", "Fn::If", "Fn::Join", "Fn::Sub"])
@pytest.mark.parametrize("place", PLACES)
def test_absurd_depth_gets_an_error(place: str, kind: str) -> None:
    answer = respond(PLACES[place](nested(kind)))
    assert answer["status"] == "failure"
    assert len(answer["errorMessage"]) < 1000


@pytest.mark.parametrize("depth", [30, 100, 250])
@pytest.mark.parametrize("kind", ["Fn::Join", "Fn::Sub", "Fn::If"])
def test_great_depth_is_read_or_refused(kind: str, depth: int) -> None:
    node: Any = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web"
    for _ in range(depth):
        nests: Document = {
            "Fn::Join": ["", [node]],
            "Fn::Sub": ["${X}", {"X": node}],
            "Fn::If": ["C", node, {"Ref": "AWS::NoValue"}],
        }
        node = {kind: nests[kind]}
    answer = respond(event(one(container(Image=node))))
    assert answer["status"] in {"success", "failure"}
    if depth == 30:
        assert "BatchGetImage" in json.dumps(answer["fragment"])


def test_more_values_than_can_be_reported_apart_is_an_error() -> None:
    parts = [{"Fn::If": [f"C{index}", "a", "b"]} for index in range(40)]
    answer = answered(event(one(container(Image={"Fn::Join": ["", parts]}))))
    assert answer["status"] == "failure"
    secrets = [{"Fn::If": [f"C{index}", {"Name": "A", "ValueFrom": "/x"}, "x"]} for index in range(40)]
    answered(event(one(container(Secrets=secrets))))


def test_more_conditions_than_can_be_written_down_is_an_error() -> None:
    nothing = {"Ref": "AWS::NoValue"}
    # The same parameter under 2,000 pairs of conditions: a tree of Fn::If for them would be too large.
    secrets = [
        {"Fn::If": [f"C{index}", {"Fn::If": [f"D{index}", {"Name": "A", "ValueFrom": "/x"}, nothing]}, nothing]}
        for index in range(40)
    ]
    answered(event(one(container(Secrets=secrets))))


def test_great_size_is_expanded() -> None:
    wide = {f"T{index}": task(container(Secrets=[{"Name": "A", "ValueFrom": f"/{index}"}])) for index in range(240)}
    assert len(answered(event(template(wide)))["fragment"]["Resources"]) == 480
