"""Follows the remedies that messages print, and checks whether the role is then what ECS needs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from tests.support.cloudformation import ACCOUNT, REGION, Document
from tests.support.contract import (
    CONDITIONS,
    ECR,
    HOST,
    NO_VALUE,
    PARAMETERS,
    SECRETS,
    Grants,
    container,
    expanded,
    fetch,
    grants,
    inferred,
    one,
    pull,
    read,
    refusal,
    template,
)

from ecs_exec_role.offline import yaml_reader

# -- values that are known at deployment ------------------------------------------------------------------------------

SYMBOLIC: dict[str, Any] = {
    "import": {"Fn::ImportValue": "value"},
    "parameter": {"Ref": "Late"},
    "attribute": {"Fn::GetAtt": ["Nested", "Outputs.Value"]},
    "sub": {"Fn::Sub": "${Late}${Empty}"},
    "sub with variables": {"Fn::Sub": ["${Value}", {"Value": {"Fn::ImportValue": "value"}}]},
    "join": {"Fn::Join": ["", [{"Fn::ImportValue": "value"}, {"Ref": "Empty"}]]},
}
"""Ways in which a template can write a value of which `GIVEN` is only known at deployment."""

SECTIONS: Document = {
    "Parameters": {
        "Late": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/late"},
        "Empty": {"Type": "String", "Default": "", "NoEcho": True},
    }
}
NESTED: Document = {"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://e.test/t"}}}

OBJECT = "arn:aws:s3:::config/web.env"
PARAMETER = f"{PARAMETERS}/gmsa"


def objects(arn: str) -> Grants:
    return {("s3:GetObject", arn), ("s3:GetBucketLocation", arn.partition("/")[0])}


def secret(name: str) -> Grants:
    return read(f"{SECRETS}:{name}", f"{SECRETS}:{name}-??????")


def _parameter(name: str) -> Grants:
    return fetch(f"{PARAMETERS}/{name}")


class Unknown(NamedTuple):
    """A place for a value that is not known now: how it is written there, and what each value needs, by remedy."""

    place: Callable[[Any], Document]
    needs: Mapping[str, Mapping[str, Grants]]


SECRET_FORMS = {
    f"{SECRETS}:prod/db-a1B2c3": secret("prod/db-a1B2c3"),
    f"{SECRETS}:prod/db-a1B2c3:password::": secret("prod/db-a1B2c3"),
    f"{SECRETS}:prod/db": secret("prod/db"),
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-a1B2c3": read(
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-a1B2c3",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-a1B2c3-??????",
    ),
}
PARAMETER_FORMS = {
    "/a/b": _parameter("a/b"),
    "plain": _parameter("plain"),
    f"{PARAMETERS}/a/b": _parameter("a/b"),
    f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/x": fetch(f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/x"),
}
IMAGE_FORMS = {
    f"{HOST}/team/web:1": pull(f"{ECR}/team/web"),
    f"{HOST}/team/web@sha256:abc": pull(f"{ECR}/team/web"),
    f"{HOST}/web": pull(f"{ECR}/web"),
    f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/team/web:1": pull(f"{ECR}/team/web"),
    "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1": pull("arn:aws:ecr:eu-west-1:111122223333:repository/web"),
    "public.ecr.aws/nginx/nginx:1": set(),
    "nginx": set(),
}
OBJECT_FORMS = {OBJECT: objects(OBJECT), "arn:aws:s3:::b/a/b.env": objects("arn:aws:s3:::b/a/b.env")}
SPEC_FORMS = {
    "credentialspec": {
        f"credentialspec:{PARAMETER}": fetch(PARAMETER),
        f"credentialspec:{OBJECT}": objects(OBJECT),
        f"credentialspecdomainless:{OBJECT}": objects(OBJECT),
        f"credentialspecdomainless:{PARAMETER}": fetch(PARAMETER),
    },
    "location": {PARAMETER: fetch(PARAMETER), OBJECT: objects(OBJECT)},
}


def _secrets(value: Any) -> Document:
    return container(Secrets=[{"Name": "A", "ValueFrom": value}])


def _log_options(value: Any) -> Document:
    options = [{"Name": "A", "ValueFrom": value}]
    return container(LogConfiguration={"LogDriver": "splunk", "SecretOptions": options})


def _firelens(value: Any) -> Document:
    options = {"config-file-type": "s3", "config-file-value": value}
    return container(FirelensConfiguration={"Type": "fluentbit", "Options": options})


def _located(kind: str) -> Callable[[Any], Document]:
    return lambda value: container(CredentialSpecs=[{"Fn::Join": ["", [f"{kind}:", value]]}])


BOTH = {"Secrets": SECRET_FORMS, "Parameters": PARAMETER_FORMS}
UNKNOWN: dict[str, Unknown] = {
    "image": Unknown(lambda value: container(Image=value), {"Images": IMAGE_FORMS}),
    "secret": Unknown(_secrets, BOTH),
    "secret of a log driver": Unknown(_log_options, BOTH),
    "environment file": Unknown(
        lambda value: container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), {"EnvironmentFiles": OBJECT_FORMS}
    ),
    "FireLens": Unknown(_firelens, {"FireLensConfigs": OBJECT_FORMS}),
    "login": Unknown(
        lambda value: container(RepositoryCredentials={"CredentialsParameter": value}),
        {
            "RegistryCredentials": {
                **{value: needs for value, needs in SECRET_FORMS.items() if not value.endswith(":")},
                "prod/registry": secret("prod/registry"),
            }
        },
    ),
    "credential spec": Unknown(
        lambda value: container(CredentialSpecs=[value]), {"CredentialSpecs": SPEC_FORMS["credentialspec"]}
    ),
    "credential spec's location": Unknown(_located("credentialspec"), {"CredentialSpecs": SPEC_FORMS["location"]}),
    "Docker security option": Unknown(
        lambda value: container(DockerSecurityOptions=[{"Fn::Join": ["", ["credentialspec:", value]]}]),
        {"CredentialSpecs": SPEC_FORMS["location"]},
    ),
}


def snippets(message: str) -> Iterator[Document]:
    """The lines between backquotes that a message says to add, as YAML."""
    _, _, fix = message.partition("; add ")
    for line in re.findall(r"`([^`]+)`", fix):
        snippet, _ = yaml_reader.read(line)
        assert isinstance(snippet, dict), line
        yield snippet


_POSSIBLE = re.compile(
    r"ecr:\w+ arn:aws:ecr:[a-z0-9-]{5,}:\d{12}:repository/[a-z].*"
    r"|ssm:\w+ arn:aws:ssm:[a-z0-9-]+:\d{12}:parameter/[A-Za-z][^:]*"
    r"|s3:\w+ arn:aws:s3:::[^:]+"
    r"|secretsmanager:\w+ arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:[^:]+"
)
"""Grants on resources that can exist. The other forms of a split value are ARNs that nothing has."""


CASES = [
    pytest.param(name, how, key, id=f"{name}: {how}, {key}")
    for name, unknown in UNKNOWN.items()
    for how in SYMBOLIC
    for key in unknown.needs
]


@pytest.mark.parametrize(("name", "how", "key"), CASES)
def test_an_entry_of_the_spec_declares_what_is_not_known(name: str, how: str, key: str) -> None:
    unknown = UNKNOWN[name]
    main = unknown.place(SYMBOLIC[how])
    message = refusal(one(main, more=NESTED, **SECTIONS))
    [spec] = [snippet for snippet in snippets(message) if key in snippet]
    fragment = expanded(one(main, spec=spec, more=NESTED, **SECTIONS))
    for value, needed in unknown.needs[key].items():
        known: dict[str, Any] = {
            "imports": {"value": value},
            "ssm": {"/late": value},
            "outputs": {"Nested.Value": value},
        }
        found = grants(fragment, parameters={"Empty": ""}, **known)
        assert needed <= found, value
        others = {f"{action} {resource}" for action, resource in found - needed}
        assert not {each for each in others if _POSSIBLE.fullmatch(each)}, value


@pytest.mark.parametrize("name", UNKNOWN)
def test_to_ignore_it_is_a_remedy_too(name: str) -> None:
    main = UNKNOWN[name].place(SYMBOLIC["import"])
    [*_, spec] = snippets(refusal(one(main)))
    assert spec == {"Unresolved": "Ignore"}
    assert "TaskExecutionRole" in expanded(one(main, spec=spec))["Resources"]


# -- names that the template does not have ----------------------------------------------------------------------------

REPO: Document = {"Repo": {"Type": "AWS::ECR::Repository"}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"Fn::Sub": "${Reppo.RepositoryUri}:1"},
        {"Fn::Sub": ["${Reppo.RepositoryUri}:${T}", {"T": "1"}]},
        {"Fn::Join": [":", [{"Fn::GetAtt": ["Reppo", "RepositoryUri"]}, "1"]]},
        {"Fn::Join": [":", [{"Fn::GetAtt": "Reppo.RepositoryUri"}, "1"]]},
        {"Fn::If": ["C", {"Fn::Sub": "${Reppo.RepositoryUri}:1"}, NO_VALUE]},
    ],
)
def test_a_name_that_the_template_lacks_gets_the_likely_one(wrong: Any) -> None:
    message = refusal(one(container(Image=wrong), more=REPO, **CONDITIONS))
    assert message.endswith(": `Reppo` is not in this template; did you mean Repo? Write that")
    assert message.startswith("Resources/Task/Properties/ContainerDefinitions/0/Image")
    right = json.loads(json.dumps(wrong).replace("Reppo", "Repo"))
    found = inferred(container(Image=right), more=REPO, stack={"conditions": {"C": True}}, **CONDITIONS)
    assert {action for action, _ in found} == {action for action, _ in pull("any")}


@pytest.mark.parametrize("key", ["Images", "Secrets", "Parameters", "EnvironmentFiles", "LogGroups", "KmsKeys"])
def test_so_does_one_in_a_spec(key: str) -> None:
    secrets = [{"Name": "A", "ValueFrom": f"{SECRETS}:x"}]
    message = refusal(one(container(Secrets=secrets), spec={key: [{"Ref": "Nonesuch"}]}))
    assert "/ExecutionRoleSpec/" in message
    assert (
        "`Nonesuch` is not in this template; write the logical ID of a resource, or list the macro that adds it before"
        in message
    )


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("ApiStage", {"Api": {"Type": "AWS::Serverless::Api", "Properties": {}}}),
        ("ModThing", {"Mod": {"Type": "My::Own::Thing::MODULE", "Properties": {}}}),
        ("Made", {"Fn::ForEach::Each": ["X", ["a"], {"R${X}": {"Type": "AWS::SNS::Topic"}}]}),
        ("Made", {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}}),
        ("ServerlessRestApi", {"Fn": {"Type": "AWS::Serverless::Function", "Properties": {}}}),
        ("AWS::StackName", {}),
        ("TaskExecutionRole", {}),
    ],
)
def test_what_something_else_may_still_make_is_left_alone(name: str, more: Document) -> None:
    spec = {"LogGroups": [{"Fn::Sub": f"x${{{name}}}"}]}
    expanded(one(container(), spec=spec, more=more))


OPAQUE = [
    {"Fn::Select": [0, {"Fn::Split": ["/", {"Fn::GetAtt": ["Reppo", "RepositoryUri"]}]}]},
    {
        "Fn::Sub": [
            "${V}/web:1",
            {"V": {"Fn::Select": [0, {"Fn::Split": ["/", {"Fn::Sub": "${Reppo.RepositoryUri}"}]}]}},
        ]
    },
    {"Fn::Join": ["/", {"Fn::Split": ["-", {"Ref": "Reppo"}]}]},
    {"Fn::Base64": {"Fn::Sub": ["${V}${Reppo}", {"V": "x"}]}},
    {"Fn::Sub": ["{{resolve:ssm:${Reppo}}}", {}]},
]


@pytest.mark.parametrize("wrong", OPAQUE)
def test_a_name_inside_a_function_that_is_kept_counts_too(wrong: Any) -> None:
    message = refusal(one(container(Image=wrong), more=REPO))
    assert message.endswith(": `Reppo` is not in this template; did you mean Repo? Write that")


def test_the_variables_of_a_sub_are_not_names_of_the_template() -> None:
    value = {"Fn::Select": [0, {"Fn::Split": [",", {"Fn::Sub": ["${V},${W.X}", {"V": "/a", "W.X": "/b"}]}]}]}
    expanded(one(container(), spec={"LogGroups": [{"Fn::Sub": ["x-${V}", {"V": value}]}]}))


MAPPINGS: Document = {"Mappings": {"Stages": {"prod": {"Secret": "/prod/x", "Key": "/prod/key"}}}}


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"Fn::FindInMap": ["Stage", "prod", "Secret"]}, "Mappings has no `Stage`; did you mean Stages? Write that"),
        ({"Fn::FindInMap": ["Stages", "prd", "Secret"]}, "Mappings/Stages has no `prd`; did you mean prod? Write that"),
        ({"Fn::FindInMap": ["Stages", "prod", "Zzz"]}, "Mappings/Stages/prod has no `Zzz`; write a key that it has"),
        (
            {"Fn::Sub": ["/x/${V}", {"V": {"Fn::FindInMap": ["Stages", "prod", "secret"]}}]},
            "Mappings/Stages/prod has no `secret`; did you mean Secret? Write that",
        ),
        ({"Fn::Sub": "/${AWS::Stack}/x"}, "`AWS::Stack` is not a pseudo parameter; did you mean AWS::StackId? Write"),
        ({"Ref": "AWS::Rgion"}, "`AWS::Rgion` is not a pseudo parameter; did you mean AWS::Region? Write that"),
        ({"Fn::GetAtt": ["Stage", "Value"]}, "`Stage` is a parameter, which has no attributes; write !Ref Stage"),
    ],
)
def test_so_do_pseudo_parameters_and_the_keys_of_mappings(wrong: Any, what: str) -> None:
    sections: Document = {**MAPPINGS, "Parameters": {"Stage": {"Type": "String", "Default": "prod"}}}
    assert what in refusal(one(container(Secrets=[{"Name": "A", "ValueFrom": wrong}]), **sections))


def test_a_key_of_mappings_that_is_known_at_deployment_may_exist() -> None:
    value = {"Fn::FindInMap": ["Stages", {"Ref": "AWS::StackName"}, "Secret"]}
    message = refusal(one(container(Secrets=[{"Name": "A", "ValueFrom": value}]), **MAPPINGS))
    assert "only known when the stack is deployed" in message


def test_a_repository_has_no_other_attributes() -> None:
    message = refusal(one(container(Image={"Fn::Sub": "${Repo.RepositoryUrl}:1"}), more=REPO))
    assert message.endswith("AWS::ECR::Repository has no attribute RepositoryUrl; write !Sub ${Repo.RepositoryUri}:TAG")


def test_a_misspelt_definition_gets_the_likely_one() -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": ["WebTsk"]}}}
    definition = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [container()]}}
    message = refusal(template({"Role": role, "WebTask": definition, "WebTopic": {"Type": "AWS::SNS::Topic"}}))
    assert message.endswith("`WebTsk` is not a task definition of this template; did you mean WebTask? Write that")


def test_a_service_of_a_definition_is_read_too() -> None:
    logs = {"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Logz"}}}
    properties = {"TaskDefinition": {"Ref": "Task"}, "ServiceConnectConfiguration": {"LogConfiguration": logs}}
    more = {"Logs": {"Type": "AWS::Logs::LogGroup"}, "Web": {"Type": "AWS::ECS::Service", "Properties": properties}}
    message = refusal(one(container(), more=more))
    assert message.startswith("Resources/Web/Properties/ServiceConnectConfiguration/LogConfiguration/")
    assert message.endswith("`Logz` is not in this template; did you mean Logs? Write that")


OTHER_TYPES: Document = {
    "Logs": {"Type": "AWS::Logs::LogGroup"},
    "Topic": {"Type": "AWS::SNS::Topic"},
    "Pub": {"Type": "AWS::ECR::PublicRepository"},
}


@pytest.mark.parametrize("value", [{"Ref": "Logs"}, {"Fn::GetAtt": ["Logs", "Arn"]}, {"Ref": "Topic"}, {"Ref": "Pub"}])
def test_a_reference_to_another_type_is_not_called_unknown(value: Any) -> None:
    image = refusal(one(container(Image=value), more=OTHER_TYPES))
    assert image.endswith("write REGISTRY/REPOSITORY:TAG")
    login = refusal(one(container(RepositoryCredentials={"CredentialsParameter": value}), more=OTHER_TYPES))
    assert login.endswith("write the name or the ARN of a secret")
    secret = refusal(one(container(Secrets=[{"Name": "A", "ValueFrom": value}]), more=OTHER_TYPES))
    assert secret.endswith("write the name of a parameter, or the ARN of a secret or a parameter")
