"""Follows the remedies that messages print, and looks whether the role then is what ECS asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from tests.support.cloudformation import ACCOUNT, REGION, Document
from tests.support.contract import (
    ECR,
    HOST,
    PARAMETERS,
    SECRETS,
    Grants,
    container,
    expanded,
    fetch,
    grants,
    one,
    pull,
    read,
    refusal,
)

from ecs_exec_role.offline import yaml_reader

# -- values that only the deployment knows ----------------------------------------------------------------------------

SYMBOLIC: dict[str, Any] = {
    "import": {"Fn::ImportValue": "value"},
    "parameter": {"Ref": "Late"},
    "attribute": {"Fn::GetAtt": ["Nested", "Outputs.Value"]},
    "sub": {"Fn::Sub": "${Late}${Empty}"},
    "sub with variables": {"Fn::Sub": ["${Value}", {"Value": {"Fn::ImportValue": "value"}}]},
    "join": {"Fn::Join": ["", [{"Fn::ImportValue": "value"}, {"Ref": "Empty"}]]},
}
"""Ways in which a template can write a value, `GIVEN` of which is only known when the stack is deployed."""

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
"""Grants on what can exist. The other readings of a value that is taken apart are ARNs of nothing."""


CASES = [
    pytest.param(name, how, key, id=f"{name}: {how}, {key}")
    for name, unknown in UNKNOWN.items()
    for how in SYMBOLIC
    for key in unknown.needs
]


@pytest.mark.parametrize(("name", "how", "key"), CASES)
def test_an_entry_of_the_spec_settles_what_is_not_known(name: str, how: str, key: str) -> None:
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
