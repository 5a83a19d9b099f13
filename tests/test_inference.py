"""Needs from definitions: conditions, values that cannot be classified, and the entries that declare them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.cloudformation import (
    Document,
    Stack,
)
from tests.support.contract import (
    CONDITIONS,
    CONTAINERS,
    ECR,
    EVERYTHING,
    HOST,
    IMPORT,
    LOGS,
    NO_VALUE,
    OTHERS,
    PARAMETERS,
    RESOURCES,
    SECRETS,
    container,
    event,
    expanded,
    fetch,
    grants,
    inferred,
    job,
    logs,
    one,
    pull,
    read,
    refusal,
    refused,
    statements,
    task,
    template,
    with_secret,
    write,
)

from ecs_exec_role.pipeline import expand


def test_batch_reads_what_ecs_reads() -> None:
    properties = {
        "Image": f"{HOST}/job",
        "Secrets": [{"Name": "A", "ValueFrom": "/x"}],
        "RepositoryCredentials": {"CredentialsParameter": f"{SECRETS}:login-a1B2c3"},
        "LogConfiguration": logs("splunk", [{"Name": "t", "ValueFrom": f"{SECRETS}:token-a1B2c3"}]),
    }
    required = (
        pull(f"{ECR}/job") | fetch(f"{PARAMETERS}/x") | read(f"{SECRETS}:login-a1B2c3", f"{SECRETS}:token-a1B2c3")
    )
    assert job(ContainerProperties=properties) == required
    assert job(EcsProperties={"TaskProperties": [{"Containers": [properties]}]}) == required
    assert job(NodeProperties={"NodeRangeProperties": [{"Container": properties}]}) == required


A, B = f"{HOST}/a", f"{HOST}/b"


NEEDS_A: dict[str, Any] = {
    "image": {"ContainerDefinitions": [container(Image={"Fn::If": ["C", A, B]})]},
    "container": {"ContainerDefinitions": [{"Fn::If": ["C", container(Image=A), container(Image=B)]}]},
    "containers": {"ContainerDefinitions": {"Fn::If": ["C", [container(Image=A)], [container(Image=B)]]}},
    "container that is not there": {
        "ContainerDefinitions": [
            {"Fn::If": ["C", container(Image=A), NO_VALUE]},
            {"Fn::If": ["C", NO_VALUE, container(Image=B)]},
        ]
    },
    "part of a text": {
        "ContainerDefinitions": [container(Image={"Fn::Sub": [f"{HOST}/${{N}}", {"N": {"Fn::If": ["C", "a", "b"]}}]})]
    },
    "nested": {
        "ContainerDefinitions": [container(Image={"Fn::If": ["D", {"Fn::If": ["C", A, B]}, {"Fn::If": ["C", A, B]}]})]
    },
    "nested in itself": {
        "ContainerDefinitions": [
            container(Image={"Fn::If": ["C", {"Fn::If": ["C", A, "x"]}, {"Fn::If": ["C", "y", B]}]})
        ]
    },
}


@pytest.mark.parametrize("place", NEEDS_A)
def test_grant_follows_the_condition_of_what_needs_it(place: str) -> None:
    properties = {"ExecutionRoleSpec": "Auto", **NEEDS_A[place]}
    fragment = expanded(
        template({"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}}, **CONDITIONS)
    )
    for other in (True, False):
        assert grants(fragment, conditions={"C": True, "D": other}) == pull(f"{ECR}/a")
        assert grants(fragment, conditions={"C": False, "D": other}) == pull(f"{ECR}/b")


LEVELS: dict[str, Any] = {
    "Secrets": container(Secrets={"Fn::If": ["C", [{"Name": "A", "ValueFrom": "/x"}], NO_VALUE]}),
    "Secrets item": container(Secrets=[{"Fn::If": ["C", {"Name": "A", "ValueFrom": "/x"}, NO_VALUE]}]),
    "ValueFrom": container(Secrets=[{"Name": "A", "ValueFrom": {"Fn::If": ["C", "/x", NO_VALUE]}}]),
    "LogConfiguration": container(
        LogConfiguration={"Fn::If": ["C", logs("splunk", [{"Name": "A", "ValueFrom": "/x"}]), NO_VALUE]}
    ),
    "SecretOptions": container(
        LogConfiguration={
            "LogDriver": "splunk",
            "SecretOptions": {"Fn::If": ["C", [{"Name": "A", "ValueFrom": "/x"}], NO_VALUE]},
        }
    ),
    "false branch": container(Secrets=[{"Fn::If": ["D", NO_VALUE, {"Name": "A", "ValueFrom": "/x"}]}]),
    "container": {"Fn::If": ["C", container(Secrets=[{"Name": "A", "ValueFrom": "/x"}]), NO_VALUE]},
}


@pytest.mark.parametrize("level", LEVELS)
def test_condition_is_followed_at_every_level(level: str) -> None:
    fragment = expanded(one(LEVELS[level], **CONDITIONS))
    assert grants(fragment, conditions={"C": True, "D": False}) == fetch(f"{PARAMETERS}/x")
    assert grants(fragment, conditions={"C": False, "D": True}) == set()


def test_grant_that_is_needed_either_way_has_no_condition() -> None:
    containers = [
        {"Fn::If": ["C", container(Image=A), NO_VALUE]},
        {"Fn::If": ["C", NO_VALUE, container(Image=A)]},
    ]
    fragment = expanded(one(*containers, **CONDITIONS))
    assert "Fn::If" not in json.dumps(fragment["Resources"]["TaskExecutionRole"]["Properties"])
    assert grants(fragment) == pull(f"{ECR}/a")


def test_branch_that_cannot_be_reached_is_not_read() -> None:
    value = {"Fn::If": ["C", {"Fn::If": ["C", "/x", IMPORT]}, "/y"]}
    fragment = expanded(one(container(Secrets=[{"Name": "A", "ValueFrom": value}]), **CONDITIONS))
    assert grants(fragment, conditions={"C": True}) == fetch(f"{PARAMETERS}/x")


def test_policy_that_may_be_empty_is_not_there_then() -> None:
    secret = {"Fn::If": ["C", {"Name": "A", "ValueFrom": "/x"}, NO_VALUE]}
    fragment = expanded(one(container(Secrets=[secret]), **CONDITIONS))
    assert Stack(fragment, conditions={"C": False}).properties("TaskExecutionRole").get("Policies", []) == []


def test_another_value_does_not_declare_it() -> None:
    spec = {"Images": [{"Fn::ImportValue": "other"}]}
    assert refusal(one(container(Image=IMPORT), spec=spec)).startswith("Resources/Task/Properties/ContainerDefinitions")


def test_unresolved_ignore_skips_what_cannot_be_classified() -> None:
    needs = container(Image=IMPORT, Secrets=[{"Name": "A", "ValueFrom": IMPORT}, {"Name": "B", "ValueFrom": "/x"}])
    assert inferred(needs, spec={"Unresolved": "Ignore"}) == fetch(f"{PARAMETERS}/x")
    assert len(refused(one(needs, spec={"Unresolved": "Error"}))) == 2


UNKNOWABLE: dict[str, Any] = {
    "import": IMPORT,
    "parameter of SSM type": {"Ref": "FromSsm"},
    "secret parameter": {"Ref": "Hidden"},
    "dynamic reference": "{{resolve:ssm:/images/web}}",
    "custom resource": {"Fn::GetAtt": ["Custom", "Image"]},
    "custom resource that is like a repository": {"Fn::GetAtt": ["Custom", "RepositoryUri"]},
    "output of a nested stack": {"Fn::GetAtt": ["Nested", "Outputs.RepositoryUri"]},
    "Select of an import": {"Fn::Select": [0, {"Fn::Split": [",", IMPORT]}]},
    "unknown function": {"Fn::Whatever": ["x"]},
    "mapping with an unknown key": {"Fn::FindInMap": ["M", IMPORT, "x"]},
    "change set placeholder": {"Ref": "Later"},
}


@pytest.mark.parametrize("form", UNKNOWABLE)
def test_value_that_is_known_at_deployment_is_an_error_and_can_be_ignored(form: str) -> None:
    sections = {
        "Parameters": {
            "FromSsm": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/images/web"},
            "Hidden": {"Type": "String", "NoEcho": True},
            "Later": {"Type": "String"},
        },
        "Mappings": {"M": {"a": {"x": "nginx"}}},
    }
    values = {
        "FromSsm": "/images/web",
        "Hidden": "hush-hush",
        "Later": "{{IntrinsicFunction:arn:aws:cloudformation:us-east-1:123456789012:stack/x/Fn::GetAtt}}",
    }
    more = {"Custom": {"Type": "Custom::Thing"}, "Nested": {"Type": "AWS::CloudFormation::Stack"}}
    fragment = one(container(Image=UNKNOWABLE[form]), more=more, **sections)
    line = refusal(fragment, templateParameterValues=values)
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")
    assert "hush-hush" not in line
    ignored = one(container(Image=UNKNOWABLE[form]), spec={"Unresolved": "Ignore"}, more=more, **sections)
    made = expanded(ignored, templateParameterValues=values)
    assert "Policies" not in made["Resources"]["TaskExecutionRole"]["Properties"]


def test_value_of_a_secret_parameter_is_never_in_the_answer() -> None:
    sections = {"Parameters": {"P": {"Type": "String", "NoEcho": "true"}}}
    fragment = one(container(Secrets=[{"Name": "A", "ValueFrom": {"Fn::Sub": "/x/${P}"}}]), **sections)
    assert "hush-hush" not in json.dumps(expanded(fragment, templateParameterValues={"P": "hush-hush"}))


def test_containers_behind_an_import_cannot_be_read() -> None:
    fragment = template({"Task": task(ContainerDefinitions=IMPORT)})
    assert refusal(fragment).startswith("Resources/Task/Properties/ContainerDefinitions: ")


def fsx(login: Any, spec: Any) -> Document:
    configuration = {"FileSystemId": "fs-1", "AuthorizationConfig": {"CredentialsParameter": login, "Domain": "x"}}
    volumes = [{"Name": "a", "FSxWindowsFileServerVolumeConfiguration": configuration}]
    return template({"Task": task(container(), spec=spec, Volumes=volumes)})


SETTLED: dict[str, tuple[Any, str, Any, str]] = {
    "EnvironmentFiles": (
        lambda value, spec: one(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), spec=spec),
        "EnvironmentFiles/0/Value",
        IMPORT,
        "arn:aws:s3:::config/web.env",
    ),
    "FireLensConfigs": (
        lambda value, spec: one(
            container(
                FirelensConfiguration={
                    "Type": "fluentbit",
                    "Options": {"config-file-type": "s3", "config-file-value": value},
                }
            ),
            spec=spec,
        ),
        "FirelensConfiguration/Options/config-file-value",
        IMPORT,
        "arn:aws:s3:::config/fluent.conf",
    ),
    "RegistryCredentials": (
        lambda value, spec: one(container(RepositoryCredentials={"CredentialsParameter": value}), spec=spec),
        "RepositoryCredentials/CredentialsParameter",
        IMPORT,
        f"{SECRETS}:login-a1B2c3",
    ),
    "FsxCredentials": (fsx, "AuthorizationConfig/CredentialsParameter", IMPORT, f"{SECRETS}:fsx-a1B2c3"),
}


@pytest.mark.parametrize("key", SETTLED)
def test_every_value_can_be_declared_by_its_own_list(key: str) -> None:
    make, place, value, real = SETTLED[key]
    line = refusal(make(value, "Auto"))
    assert line.split(": ")[0].endswith(place)
    assert f"{key}: [!ImportValue shared]" in line
    assert expanded(make(value, {"Unresolved": "Ignore"}))
    found = grants(expanded(make(value, {key: [value]})), imports={"shared": real})
    assert real in {resource for _, resource in found}


@pytest.mark.parametrize("key", ["Images", "LogGroups", "Secrets", "Parameters", "FileSystems"])
def test_reference_to_something_else_is_reported(key: str) -> None:
    more = {"Topic": {"Type": "AWS::SNS::Topic"}}
    line = refusal(one(container(), spec={key: [{"Ref": "Topic"}]}, more=more))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0: ")


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("Secrets", {"Secret": "s", "KmsKey": {"Ref": "Topic"}}),
        ("FileSystems", {"FileSystem": "fs-1", "AccessPoint": {"Ref": "Topic"}}),
    ],
)
def test_reference_to_something_else_is_reported_in_an_option_too(key: str, entry: Document) -> None:
    more = {"Topic": {"Type": "AWS::SNS::Topic"}}
    line = refusal(one(container(), spec={key: [entry]}, more=more))
    assert line.startswith(f"Resources/Task/Properties/ExecutionRoleSpec/{key}/0/")


@pytest.mark.parametrize(
    "needs",
    [
        container(Secrets=[{"Name": "A", "ValueFrom": "/"}]),
        container(Secrets=[{"Name": "A", "ValueFrom": f"{PARAMETERS}/"}]),
        container(Secrets=[{"Name": "A", "ValueFrom": f"{SECRETS}:"}]),
        container(RepositoryCredentials={"CredentialsParameter": f"{SECRETS}:login-a1B2c3:user::"}),
        container(Image=f"{HOST}/"),
    ],
)
def test_value_that_names_nothing_is_reported(needs: Document) -> None:
    assert refusal(one(needs)).startswith("Resources/Task/Properties/ContainerDefinitions/0/")


@pytest.mark.parametrize("text", ["\U00100000", "x\U0010fffd"])
def test_private_character_is_reported_wherever_it_is(text: str) -> None:
    lines = refused(one(container(Secrets=[{"Name": "A", "ValueFrom": text}], Command=[text]), Description=text))
    assert sorted(line.partition(": ")[0] for line in lines) == [
        "Description",
        "Resources/Task/Properties/ContainerDefinitions/0/Command/0",
        "Resources/Task/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom",
    ]


def test_a_role_shared_by_one_definition_is_the_definitions_own() -> None:
    own = expanded(template({**RESOURCES, "Task": task(*CONTAINERS)}, **CONDITIONS))
    definition = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": CONTAINERS}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": ["Task"]}}}
    resources = {**RESOURCES, "Task": definition, "TaskExecutionRole": role}
    shared = expanded(template(resources, **CONDITIONS))
    assert shared["Resources"]["Task"] == own["Resources"]["Task"]
    assert shared["Resources"]["TaskExecutionRole"]["Properties"] == own["Resources"]["TaskExecutionRole"]["Properties"]


def test_lists_that_say_what_is_inferred_change_nothing() -> None:
    spec = {
        "Images": [f"{HOST}/web"],
        "LogGroups": [{"LogGroup": "/ecs/web", "Create": True}],
        "Secrets": [f"{SECRETS}:a-a1B2c3", f"{SECRETS}:b"],
        "Parameters": ["/c"],
        "RegistryCredentials": [f"{SECRETS}:login-a1B2c3"],
        "EnvironmentFiles": ["arn:aws:s3:::config/web.env"],
        "FireLensConfigs": ["arn:aws:s3:::config/fluent.conf"],
    }
    inferred = expanded(one(EVERYTHING))
    both = expanded(one(EVERYTHING, spec=spec))
    alone = expanded(one(EVERYTHING, spec={"Infer": False, **spec}))
    assert statements(both) == statements(inferred)
    assert grants(alone) == grants(inferred)


def test_two_containers_that_need_the_same_ask_for_it_once() -> None:
    assert statements(expanded(one(EVERYTHING, EVERYTHING))) == statements(expanded(one(EVERYTHING)))


def test_every_kind_of_definition_reads_its_containers_alike() -> None:
    needs = {
        name: EVERYTHING[name] for name in ("Name", "Image", "Secrets", "LogConfiguration", "RepositoryCredentials")
    }
    holders: dict[str, Document] = {
        "AWS::ECS::TaskDefinition": {"ContainerDefinitions": [needs]},
        "AWS::ECS::DaemonTaskDefinition": {"ContainerDefinitions": [needs]},
        "AWS::Batch::JobDefinition": {"ContainerProperties": needs},
    }
    made = [
        statements(expanded(template({"Task": {"Type": kind, "Properties": {"ExecutionRoleSpec": "Auto", **holder}}})))
        for kind, holder in holders.items()
    ]
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("EnvironmentFiles", {"Ref": "Par"}),
        ("EnvironmentFiles", {"Ref": "Sec"}),
        ("EnvironmentFiles", {"Fn::Sub": "${Sec}/app.env"}),
        ("EnvironmentFiles", {"Fn::GetAtt": ["Logs", "Arn"]}),
        ("FireLensConfigs", {"Ref": "Par"}),
        ("CredentialSpecs", {"Ref": "Sec"}),
        ("CredentialSpecs", {"Fn::Sub": "credentialspec:${Sec}"}),
        ("FileSystems", {"Fn::GetAtt": ["Sec", "Id"]}),
        ("LogGroups", {"Fn::GetAtt": ["Sec", "Id"]}),
        ("Images", {"Fn::GetAtt": ["Sec", "Id"]}),
        ("Parameters", {"Fn::GetAtt": ["Sec", "Id"]}),
        ("Secrets", {"Fn::GetAtt": ["Logs", "Arn"]}),
        ("FsxCredentials", {"Fn::GetAtt": ["Logs", "Arn"]}),
        ("RegistryCredentials", {"Fn::GetAtt": ["Logs", "Arn"]}),
    ],
)
def test_a_reference_to_another_type_is_refused_in_every_list(key: str, value: Any) -> None:
    lines = refused(one(spec={key: [value]}, more=OTHERS))
    assert any(f"ExecutionRoleSpec/{key}/0: " in line and " AWS::" in line for line in lines), lines


def fsx_volume(**login: Any) -> Document:
    configuration = {"FileSystemId": "fs-1", "RootDirectory": "share", "AuthorizationConfig": {"Domain": "d", **login}}
    return {"Name": "share", "FSxWindowsFileServerVolumeConfiguration": configuration}


REQUIRED: dict[str, tuple[Document, str]] = {
    "an image": (one(container(Image=None)), "Image"),
    "a file": (one(container(EnvironmentFiles=[{"Type": "s3"}])), "EnvironmentFiles/0/Value"),
    "a login": (one(container(RepositoryCredentials={})), "RepositoryCredentials/CredentialsParameter"),
    "a spec": (one(container(CredentialSpecs=[""])), "CredentialSpecs/0"),
    "a configuration": (
        one(container(FirelensConfiguration={"Type": "fluentbit", "Options": {"config-file-type": "s3"}})),
        "FirelensConfiguration/Options/config-file-value",
    ),
    "a login of FSx": (
        template({"Task": task(container(), Volumes=[fsx_volume(CredentialsParameter="")])}),
        "AuthorizationConfig/CredentialsParameter",
    ),
    "no login of FSx": (
        template({"Task": task(container(), Volumes=[fsx_volume()])}),
        "AuthorizationConfig/CredentialsParameter",
    ),
}


@pytest.mark.parametrize("name", REQUIRED)
def test_what_must_have_a_value_and_has_none_is_told(name: str) -> None:
    fragment, path = REQUIRED[name]
    assert f"{path}: is empty; write " in refusal(fragment)


@pytest.mark.parametrize("enabled", [True, False, "false", {"Fn::If": ["C", True, False]}, None])
def test_service_connect_that_is_not_enabled_has_no_proxy(enabled: Any) -> None:
    secret_options = [{"Name": "token", "ValueFrom": "/token"}]
    connect = {"Enabled": enabled, "LogConfiguration": logs(secret_options=secret_options, group="/proxy")}
    if enabled is None:
        del connect["Enabled"]
    service = {"TaskDefinition": {"Ref": "Task"}, "ServiceConnectConfiguration": connect}
    resources = {"Task": task(container()), "Service": {"Type": "AWS::ECS::Service", "Properties": service}}
    fragment = expanded(template(resources, **CONDITIONS))
    for holds in (True, False):
        found = grants(fragment, conditions={"C": holds, "D": True})
        on = enabled in (True, None) or (isinstance(enabled, dict) and holds)
        assert found == (write(f"{LOGS}:/proxy:*") | fetch(f"{PARAMETERS}/token") if on else set())


IMPOSSIBLE: Document = {
    "Parameters": {"Stage": {"Type": "String"}},
    "Conditions": {
        "C": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "N": {"Fn::Not": [{"Condition": "C"}]},
    },
}


@pytest.mark.parametrize("other", ["C", "N"])
@pytest.mark.parametrize("shared", [False, True])
def test_what_the_condition_of_the_role_excludes_is_no_ones_need(other: str, *, shared: bool) -> None:
    # One branch is never used where the role is there: it is neither granted, nor told of, nor a problem.
    images, secrets = [f"{HOST}/web:1", IMPORT], ["/here", f"{SECRETS}:absent"]
    if other == "N":
        images.reverse()
        secrets.reverse()
    value = {"Fn::If": [other, *secrets]}
    main = container(Image={"Fn::If": [other, *images]}, Secrets=[{"Name": "A", "ValueFrom": value}])
    resources: Document = {"Task": {**task(main), "Condition": "C"}}
    if shared:
        properties = {"ExecutionRoleSpec": {"TaskDefinitions": ["Task"]}}
        resources = {
            "Role": {"Type": "AWS::IAM::Role", "Condition": "C", "Properties": properties},
            "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [main]}},
        }
    fragment = template(resources, **IMPOSSIBLE)
    role = "Role" if shared else "TaskExecutionRole"
    made = expanded(fragment)
    found = grants(made, role, conditions={"C": True, "N": False})
    assert found == pull(f"{ECR}/web") | fetch(f"{PARAMETERS}/here")
    asked = json.dumps(made["Resources"][role]["Metadata"]["EcsExecRole"])
    assert f"/Image/Fn::If/{1 if other == 'N' else 2}" not in asked
    [warning] = expand(event(fragment)).warnings
    assert "/here" in warning.what
    assert "absent" not in warning.what


@pytest.mark.parametrize("account", ["", "123"])
def test_a_value_with_two_resources_is_wrong_once(account: str) -> None:
    value = f"arn:aws:secretsmanager:us-east-1:{account}:secret:x"
    assert f"`{value}` is not the ARN of" in refusal(one(with_secret(value)))
