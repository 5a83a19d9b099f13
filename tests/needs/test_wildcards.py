"""No text of a template becomes a wildcard or a policy variable in what a role is granted, wherever it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.guardrails.templates import both, event, made, properties, ref, task
from tests.support.cloudformation import ACCOUNT, REGION

from ecs_exec_role.errors import Problems, TemplateError
from ecs_exec_role.features import ORDER, guardduty, images
from ecs_exec_role.needs.context import InferenceContext
from ecs_exec_role.pipeline import expand
from ecs_exec_role.protocol import respond
from ecs_exec_role.template import event as events
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import SymbolicText, Symbols

Json = dict[str, Any]

SPECIAL = ["*", "?", "${aws:username}"]
CONTAINER = "Resources/Web/Properties/ContainerDefinitions/0"
SECRETS = f"{CONTAINER}/Secrets/0/ValueFrom"
FILES = f"{CONTAINER}/EnvironmentFiles/0/Value"


def parameter(name: Any, value: Any = "x", **more: Any) -> Json:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": name, "Value": value}, **more}


def files(value: Any) -> Json:
    return task(EnvironmentFiles=[{"Type": "s3", "Value": value}])


def logs(**options: Any) -> Json:
    return task(LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": "web", **options}})


def ways(special: str) -> dict[str, tuple[Json, str]]:
    """Ways in which a special character gets into an ARN, and the path at which the mistake is reported."""
    name = "Resources/P/Properties/Name"
    hidden = {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": special}}}
    never = {"P": parameter(f"/aws/reference/secretsmanager/{special}", Condition="Prod")}
    key = "12345678-1234-1234-1234-123456789012"
    return {
        "name": ({"P": parameter(f"/{special}"), "Web": task(secret=ref("P"))}, name),
        "name, listed": ({"P": parameter(f"/{special}"), "Web": task({"Parameters": [ref("P")]})}, name),
        "name, FSx": ({"P": parameter(f"/{special}"), "Web": task({"FsxCredentials": [ref("P")]})}, name),
        "name of a reference": ({**never, "Web": task(secret=ref("P"))}, name),
        "name by Fn::Join": (
            {"P": parameter({"Fn::Join": ["", ["/a", special[:1], special[1:]]]}), "Web": task(secret=ref("P"))},
            name,
        ),
        "name by Fn::FindInMap": (
            {"P": parameter({"Fn::FindInMap": ["Names", "all", "it"]}), "Web": task(secret=ref("P"))},
            name,
        ),
        "name by a default": ({"P": parameter(ref("Special")), "Web": task(secret=ref("P"))}, name),
        "name in one branch": ({"P": parameter(both("/x", f"/{special}")), "Web": task(secret=ref("P"))}, name),
        "name by another's value": (
            {"P": parameter({"Fn::GetAtt": "Q.Value"}), "Q": parameter("/q", special), "Web": task(secret=ref("P"))},
            SECRETS,
        ),
        "bucket": ({"Web": files(f"arn:aws:s3:::{special}/x.env")}, FILES),
        "part of a bucket": ({"Web": files(f"arn:aws:s3:::config{special}/x.env")}, FILES),
        "bucket, listed": (
            {"Web": task({"EnvironmentFiles": [{"Fn::Join": ["", ["arn:aws:s3:::", special, "/x.env"]]}]})},
            "Resources/Web/Properties/ExecutionRoleSpec/EnvironmentFiles/0",
        ),
        "bucket by a parameter": ({"Web": files({"Fn::Sub": "arn:aws:s3:::${Special}/x.env"})}, FILES),
        "bucket by an attribute": ({**hidden, "Web": files({"Fn::Sub": "arn:aws:s3:::${P.Value}/x.env"})}, FILES),
        "bucket of a FireLens file": (
            {
                "Web": task(
                    FirelensConfiguration={
                        "Type": "fluentbit",
                        "Options": {"config-file-type": "s3", "config-file-value": f"arn:aws:s3:::{special}/x.conf"},
                    }
                )
            },
            f"{CONTAINER}/FirelensConfiguration/Options/config-file-value",
        ),
        "bucket of a credential spec": (
            {"Web": task(CredentialSpecs=[{"Fn::Join": ["", ["credentialspec:arn:aws:s3:::", special, "/x"]]}])},
            f"{CONTAINER}/CredentialSpecs/0",
        ),
        "partition": ({"Web": files(f"arn:{special}:s3:::config/x.env")}, FILES),
        "partition of a secret": (
            {"Web": task(secret=f"arn:{special}:secretsmanager:{REGION}:{ACCOUNT}:secret:x")},
            SECRETS,
        ),
        "region": ({"Web": task(secret=f"arn:aws:secretsmanager:{special}:{ACCOUNT}:secret:x")}, SECRETS),
        "region of the logs": (
            {"Web": logs(**{"awslogs-region": special})},
            f"{CONTAINER}/LogConfiguration/Options/awslogs-region",
        ),
        "account": ({"Web": task(secret=f"arn:aws:ssm:{REGION}:{special}:parameter/x")}, SECRETS),
        "attribute": ({**hidden, "Web": task({"Parameters": [{"Fn::GetAtt": "P.Value"}]})}, "/Parameters/0"),
        "attribute of an attribute": (
            {
                **hidden,
                "Q": parameter("/q", {"Fn::GetAtt": "P.Value"}),
                "Web": task({"Secrets": [{"Fn::GetAtt": "Q.Value"}]}),
            },
            "/Secrets/0",
        ),
        "attribute, in Fn::Select": (
            {
                **hidden,
                "Web": task({"Secrets": [{"Fn::Select": [0, {"Fn::Split": ["/", {"Fn::GetAtt": ["P", "Value"]}]}]}]}),
            },
            "/Secrets/0",
        ),
        "attribute, in a nested Fn::Sub": (
            {
                **hidden,
                "Web": task({"Secrets": [{"Fn::Select": [0, {"Fn::Split": ["/", {"Fn::Sub": "x-${P.Value}"}]}]}]}),
            },
            "/Secrets/0",
        ),
        "function that is not evaluated": (
            {"Web": task({"Secrets": [{"Fn::Select": [ref("Hidden"), [special, "x"]]}]})},
            "/Secrets/0",
        ),
        "delimiter of a list that is not known": (
            {"Web": task({"Secrets": [{"Fn::Join": [special, ref("Stored")]}]})},
            "/Secrets/0",
        ),
        "log group": ({"Web": logs(**{"awslogs-group": special})}, "awslogs-group"),
        "log group by a parameter": (
            {"Web": logs(**{"awslogs-group": {"Fn::Sub": "x${Special}"}})},
            "awslogs-group",
        ),
        "stream prefix": (
            {"Web": task({"LogGroups": [{"LogGroup": "x", "StreamPrefix": {"Fn::Sub": "${Special}"}}]})},
            "LogGroups/0/StreamPrefix",
        ),
        "image": (
            {"Web": task(image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{special}:1")},
            f"{CONTAINER}/Image",
        ),
        "repository's name": (
            {"Web": task({"Images": [{"Fn::Join": ["/", ["web", ref("Special")]]}]})},
            "Images/0",
        ),
        "key of a secret": (
            {
                "S": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": special}},
                "Web": task(secret=ref("S")),
            },
            "Resources/S/Properties/KmsKeyId",
        ),
        "alias of a key": (
            {"Web": task({"Secrets": [{"Secret": "db", "KmsKey": {"Fn::Join": ["/", ["alias", special]]}}]})},
            "",
        ),
        "target of an alias": (
            {
                "A": {
                    "Type": "AWS::KMS::Alias",
                    "Properties": {"AliasName": "alias/a", "TargetKeyId": f"arn:aws:kms:{REGION}:{special}:key/{key}"},
                },
                "Web": task({"Secrets": [{"Secret": "db", "KmsKey": "alias/a"}]}),
            },
            "Resources/A/Properties/TargetKeyId",
        ),
        "key of a bucket": (
            {
                "B": {
                    "Type": "AWS::S3::Bucket",
                    "Properties": {
                        "BucketEncryption": {
                            "ServerSideEncryptionConfiguration": [
                                {
                                    "ServerSideEncryptionByDefault": {
                                        "KMSMasterKeyID": {
                                            "Fn::Join": ["", [f"arn:aws:kms:{special}", f":{ACCOUNT}:key/x"]]
                                        }
                                    }
                                }
                            ]
                        }
                    },
                },
                "Web": files({"Fn::Sub": "${B.Arn}/x.env"}),
            },
            "Resources/B/Properties/BucketEncryption",
        ),
        "file system": ({"Web": task({"FileSystems": [ref("Special")]})}, "FileSystems/0"),
        "access point": (
            {"Web": task({"FileSystems": [{"FileSystem": "fs-1", "AccessPoint": ref("Special")}]})},
            "FileSystems/0/AccessPoint",
        ),
        "VPC": (
            {"Web": task({"SourceVpcs": [ref("Special")]}, image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/w")},
            "",
        ),
        "cluster": (
            {
                "Web": {
                    "Type": "AWS::ECS::ExpressGatewayService",
                    "Properties": {
                        "ExecutionRoleSpec": "Auto",
                        "PrimaryContainer": {"Image": "nginx"},
                        "Cluster": special,
                    },
                }
            },
            "Resources/Web/Properties/Cluster",
        ),
    }


def request(resources: Json, special: str) -> Json:
    made_up = event(resources)
    fragment = made_up["fragment"]
    parameters = {**fragment["Parameters"], "Special": {"Type": "String", "Default": special}}
    mappings = {"Names": {"all": {"it": f"/{special}"}}}
    return {**made_up, "fragment": {**fragment, "Parameters": parameters, "Mappings": mappings}}


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("way", list(ways("")))
def test_no_text_of_a_template_widens_a_grant(way: str, special: str) -> None:
    resources, path = ways(special)[way]
    with pytest.raises(TemplateError) as caught:
        expand(request(resources, special))
    for problem in caught.value.problems:
        assert path in problem.path
        if (way, special) == ("partition", "${aws:username}"):
            continue  # It has too many colons to be an ARN.
        kind = "policy variable" if special.startswith("$") else "wildcard"
        assert problem.fix.endswith(f"a {kind} is allowed in Statements only")


@pytest.mark.parametrize("way", list(ways("")))
def test_the_same_without_the_character_is_granted(way: str) -> None:
    special = {"account": ACCOUNT, "region": REGION, "partition": "aws", "partition of a secret": "aws"}.get(
        way, "plain"
    )
    if way == "target of an alias":
        special = ACCOUNT
    resources, _ = ways(special)[way]
    assert made(request(resources, special))


def arns(node: Any) -> Iterator[str]:
    """Every text of a role's policies that is a resource or a value of a condition."""
    for policy in node["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield from re.findall(r'"([^"]*)"', json.dumps([statement["Resource"], statement.get("Condition")]))


def test_the_engines_own_wildcards_are_written() -> None:
    spec = {
        "Secrets": [{"Secret": "db", "KmsKey": "alias/a"}],
        "LogGroups": [{"LogGroup": "x", "StreamPrefix": "web"}],
        "EnvironmentFiles": ["arn:aws:s3:::config/x.env"],
        "GuardDuty": True,
    }
    web = task(spec, EnvironmentFiles=[{"Type": "s3", "Value": "arn:aws:s3:::config/a*b?c${aws:username}.env"}])
    texts = set(arns(properties({**event({"Web": web}), "region": "xx-nowhere-1"})))
    for ending in (
        ":secret:db-??????",
        ":key/*",
        ":log-group:x:log-stream:web/*",
        "arn:aws:s3:::config/a${*}b${?}c${$}{aws:username}.env",
        ":*:repository/aws-guardduty-agent-fargate",
    ):
        assert any(text.endswith(ending) for text in texts), ending
    assert not re.search("[\U00100000-\U0010ffff]", "".join(texts))


@pytest.mark.parametrize("character", ["\U0010fffd", "\U0010fffe", "\U0010ffff"])
@pytest.mark.parametrize(
    "way", ["name", "bucket", "bucket by a parameter", "log group", "image", "account", "file system"]
)
def test_the_engines_marks_are_refused_in_a_template(way: str, character: str) -> None:
    """They would become wildcards."""
    plain = json.dumps(made(request(ways("plain")[way][0], "plain"))) if way != "account" else ""
    try:
        answer = json.dumps(made(request(ways(character)[way][0], character)))
    except TemplateError:
        return
    assert [answer.count(each) for each in "*?"] == [plain.count(each) for each in "*?"]


def new_context() -> InferenceContext:
    reader = Reader(events.read({"fragment": {}}), Symbols(), Problems())
    return InferenceContext(reader, spec_path="Resources/Task/Properties/ExecutionRoleSpec")


RESOURCES = [
    "arn:aws:ssm:eu-west-1:123456789012:parameter/*",
    "arn:aws:s3:::b/${aws:username}",
    "arn:aws:s3:::${*}/x",
    "*",
]


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("grant", list(ORDER), ids=lambda grant: grant.sid)
def test_the_gate_holds_whatever_a_feature_forgets(grant: Any, resource: str) -> None:
    """Every grant of every feature, with a value that the feature should have refused."""
    context = new_context()
    context.need(grant, SymbolicText(resource), (), "here", SymbolicText("x"))
    free = grant in (images.AUTHORIZE, *(each for each in ORDER if each.kind == "FSx"))
    assert len(context.refused) == (0 if resource == "*" and free else 1)
    assert grant is not guardduty.PULL or context.refused


@pytest.mark.parametrize(
    "more", [{"conditions": (("StringEquals", "k", ("*",)),)}, {"context": ("StringLike", "k", "?")}]
)
def test_the_gate_reads_conditions_too(more: Mapping[str, Any]) -> None:
    [grant, *_] = [each for each in ORDER if each.kind == "Key"]
    context = new_context()
    key = SymbolicText("arn:aws:kms:eu-west-1:123456789012:key/x")
    context.need(grant, key, (), "here", SymbolicText("x"))
    assert not context.refused
    context.need(grant, key, (), "here", SymbolicText("x"), **more)
    assert len(context.refused) == 1


_KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
_NEVER_MATCH = {
    "no partition, parameter": {"Parameters": ["arn::ssm:us-east-1:123456789012:parameter/x"]},
    "no partition, secret": {"Secrets": ["arn::secretsmanager:us-east-1:123456789012:secret:x"]},
    "no partition, object": {"EnvironmentFiles": ["arn::s3:::bucket/key"]},
    "no region, secret": {"Secrets": ["arn:aws:secretsmanager::123456789012:secret:x"]},
    "no account, secret": {"Secrets": ["arn:aws:secretsmanager:us-east-1::secret:x"]},
    "no region, parameter": {"Parameters": ["arn:aws:ssm::123456789012:parameter/x"]},
    "no account, parameter": {"Parameters": ["arn:aws:ssm:us-east-1::parameter/x"]},
    "key, another service": {"Secrets": [{"Secret": "x", "KmsKey": "arn:aws:s3:::bucket"}]},
    "key, no ID": {"Secrets": [{"Secret": "x", "KmsKey": "arn:aws:kms:us-east-1:123456789012:key/"}]},
    "key, no kind": {"Secrets": [{"Secret": "x", "KmsKey": "arn:aws:kms:us-east-1:123456789012:1"}]},
    "key, kind before the ID": {"Secrets": [{"Secret": "x", "KmsKey": "key/1"}]},
    "KmsKeys, no partition": {"Secrets": ["x"], "KmsKeys": [_KEY.replace("aws:", ":", 1)]},
}


@pytest.mark.parametrize("spec", _NEVER_MATCH.values(), ids=_NEVER_MATCH)
def test_refuses_an_arn_that_iam_refuses_or_that_never_matches(spec: dict[str, object]) -> None:
    definition = {"ExecutionRoleSpec": spec, "ContainerDefinitions": [{"Name": "web", "Image": "nginx"}]}
    resources = {"Web": {"Type": "AWS::ECS::TaskDefinition", "Properties": definition}}
    request = {"accountId": ACCOUNT, "region": REGION, "requestId": "1", "fragment": {"Resources": resources}}

    answer = respond(request)

    assert answer["status"] == "failure", answer
    assert "Resources/Web/Properties/ExecutionRoleSpec/" in str(answer["errorMessage"])
    assert "ARN" in str(answer["errorMessage"])
