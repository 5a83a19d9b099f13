"""Random task definitions, their values written with random intrinsics: the role always fits, in each stage.

A container's needs are generated as texts that know which parts are references. The form of a text is generated
too: one `Fn::Sub`, a `Fn::Join`, an `Fn::If`, a part of a `Fn::Split` … and all forms must give the same grants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.calls import NOTHING_WRONG, Verdict, expected, judge
from tests.support.cloudformation import Stack, role_policies
from tests.support.event import event_of
from tests.support.examples import examples

from ecs_exec_role.protocol import respond

Value = Any
Part = str | dict[str, Any]
Owner = Callable[[Value, list[Value]], dict[str, Any]]

FRAME: dict[str, Any] = {
    "Parameters": {
        "Stage": {"Type": "String", "AllowedValues": ["test", "production"], "Default": "test"},
        "Tag": {"Type": "String", "Default": "1.0"},
        "Team": {"Type": "String", "Default": "blue"},
    },
    "Conditions": {"IsProduction": {"Fn::Equals": [{"Ref": "Stage"}, "production"]}},
    "Mappings": {"Stages": {"test": {"name": "trial"}, "production": {"name": "live"}}},
}
RESOURCES: dict[str, Any] = {
    "Repo": {"Type": "AWS::ECR::Repository"},
    "NamedRepo": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": {"Fn::Sub": "${Team}/app"}}},
    "Cache": {
        "Type": "AWS::ECR::PullThroughCacheRule",
        "Properties": {"EcrRepositoryPrefix": "hub", "UpstreamRegistryUrl": "registry-1.docker.io"},
    },
    "Logs": {"Type": "AWS::Logs::LogGroup"},
    "NamedLogs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Fn::Sub": "/ecs/${Stage}"}}},
    "Key": {"Type": "AWS::KMS::Key"},
    "Alias": {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/app", "TargetKeyId": {"Ref": "Key"}}},
    "Secret": {"Type": "AWS::SecretsManager::Secret"},
    "KeySecret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
    "AliasSecret": {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {"Name": "under-alias", "KmsKeyId": {"Ref": "Alias"}},
    },
    "ServiceKeySecret": {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {"KmsKeyId": "alias/aws/secretsmanager"},
    },
    "Database": {
        "Type": "AWS::RDS::DBInstance",
        "Properties": {"MasterUserSecret": {"KmsKeyId": {"Fn::GetAtt": "Key.Arn"}}},
    },
    "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}},
    "NamedParameter": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Type": "String", "Value": "x", "Name": {"Fn::Sub": "/${Team}/named"}},
    },
    "Bucket": {"Type": "AWS::S3::Bucket"},
    "KeyBucket": {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {
                        "ServerSideEncryptionByDefault": {
                            "SSEAlgorithm": "aws:kms",
                            "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
                        }
                    }
                ]
            }
        },
    },
}

HERE = ({"Ref": "AWS::Region"}, ":", {"Ref": "AWS::AccountId"}, ":")
HOST = ({"Ref": "AWS::AccountId"}, ".dkr.ecr.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}, "/")
FIXED = ("us-east-1:123456789012:",)
ARN = ("arn:", {"Ref": "AWS::Partition"}, ":")


def attribute(logical_id: str, name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, name]}


stage_name = {"Fn::FindInMap": ["Stages", {"Ref": "Stage"}, "name"]}
names = st.sampled_from(
    [
        ("team/web",),
        ("a",),
        ("app-secret",),
        ("team/", {"Ref": "Team"}),
        ({"Ref": "Stage"}, "/db-master"),
        (stage_name, "/x"),
        ("deep/er/path_1.2",),
    ]
)
places = st.sampled_from([HERE, FIXED, ("eu-west-1:", {"Ref": "AWS::AccountId"}, ":"), ("us-east-1:210987654321:",)])
tags = st.sampled_from([(), (":1",), (":", {"Ref": "Tag"}), ("@sha256:abc",), (":", {"Ref": "Tag"}, "@sha256:abc")])
tails = st.sampled_from([(), (":user::",), (":::",), (":user:AWSCURRENT:",), (":", {"Ref": "Team"}, "::")])


def joined(*pieces: st.SearchStrategy[tuple[Part, ...]] | tuple[Part, ...]) -> st.SearchStrategy[tuple[Part, ...]]:
    drawn = [piece if isinstance(piece, st.SearchStrategy) else st.just(piece) for piece in pieces]
    return st.tuples(*drawn).map(lambda parts: tuple(part for piece in parts for part in piece))


images = st.one_of(
    joined(HOST, names, tags),
    joined(HOST, ("hub/library/nginx",), tags),
    joined(HOST, st.sampled_from([({"Ref": "Repo"},), ({"Ref": "NamedRepo"},)]), tags),
    joined(st.sampled_from([(attribute("Repo", "RepositoryUri"),), (attribute("NamedRepo", "RepositoryUri"),)]), tags),
    joined(("210987654321.dkr-ecr.eu-west-1.on.aws/",), names, tags),
    joined(("210987654321.dkr.ecr-fips.us-east-2.amazonaws.com/",), names, tags),
    joined(st.sampled_from([("nginx",), ("public.ecr.aws/x/y",), ("localhost:5000/x",), ("ghcr.io/x/y",)]), tags),
)
secrets = joined(
    st.one_of(
        joined(ARN, ("secretsmanager:",), places, ("secret:",), names, st.sampled_from([(), ("-a1B2c3",)])),
        st.sampled_from(
            [({"Ref": name},) for name in RESOURCES if name.endswith("Secret")]
            + [(attribute("Secret", "Id"),), (attribute("Database", "MasterUserSecret.SecretArn"),)]
        ),
    ),
    tails,
)
parameters = st.one_of(
    names,
    joined(("/",), names),
    joined(ARN, ("ssm:",), places, ("parameter/",), names),
    st.sampled_from([({"Ref": "Parameter"},), ({"Ref": "NamedParameter"},)]),
    st.just(("/aws/reference/secretsmanager/behind",)),
)
buckets = st.sampled_from([(attribute("Bucket", "Arn"),), (attribute("KeyBucket", "Arn"),)])
objects = st.one_of(
    joined(ARN, ("s3:::settings/",), names, (".env",)),
    joined(
        st.sampled_from([(attribute("Bucket", "Arn"),), (attribute("KeyBucket", "Arn"),)]), ("/",), names, (".env",)
    ),
    joined(ARN, ("s3:::",), st.sampled_from([({"Ref": "Bucket"},), ({"Ref": "KeyBucket"},)]), ("/web.env",)),
)
groups = st.one_of(joined(("/ecs/",), names), st.sampled_from([({"Ref": "Logs"},), ({"Ref": "NamedLogs"},)]))


def as_sub(parts: tuple[Part, ...]) -> Value:
    """One `Fn::Sub`; what it cannot name is in its map."""
    text = ""
    variables: dict[str, Value] = {}
    for part in parts:
        if isinstance(part, str):
            text += part
        elif "Ref" in part:
            text += "${" + part["Ref"] + "}"
        elif "Fn::GetAtt" in part:
            text += "${" + ".".join(part["Fn::GetAtt"]) + "}"
        else:
            name = f"V{len(variables)}"
            variables[name] = part
            text += "${" + name + "}"
    return {"Fn::Sub": [text, variables] if variables else text}


def as_join(parts: tuple[Part, ...]) -> Value:
    return {"Fn::Join": ["", list(parts)]}


def as_map_sub(parts: tuple[Part, ...]) -> Value:
    """A `Fn::Sub` whose text has only variables: everything is in its map."""
    return {"Fn::Sub": ["".join(f"${{P{i}}}" for i in range(len(parts))), {f"P{i}": p for i, p in enumerate(parts)}]}


def as_slashes(parts: tuple[Part, ...]) -> Value:
    """Split at each slash, and joined again with slashes."""
    pieces: list[list[Part]] = [[]]
    for part in parts:
        first, *rest = part.split("/") if isinstance(part, str) else [part]
        pieces[-1].append(first)
        pieces.extend([piece] for piece in rest)
    return {"Fn::Join": ["/", [as_join(tuple(piece)) for piece in pieces]]}


def as_selected(parts: tuple[Part, ...]) -> Value:
    return {"Fn::Select": [1, ["decoy", as_join(parts)]]}


def spelt(parts: st.SearchStrategy[tuple[Part, ...]]) -> st.SearchStrategy[Value]:
    """A text in one of its spellings."""
    spellings = st.sampled_from([as_sub, as_join, as_map_sub, as_slashes, as_selected])
    plain = st.builds(lambda text, how: text[0] if len(text) == 1 else how(text), parts, spellings)
    either = st.builds(lambda yes, no: {"Fn::If": ["IsProduction", yes, no]}, plain, plain)
    return st.one_of(plain, plain, plain, either)


def sometimes(value: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """An item of a list: always, or only in one stage."""
    gone = {"Ref": "AWS::NoValue"}
    return st.one_of(
        value,
        value,
        value.map(lambda each: {"Fn::If": ["IsProduction", each, gone]}),
        value.map(lambda each: {"Fn::If": ["IsProduction", gone, each]}),
    )


def some(value: st.SearchStrategy[Value]) -> st.SearchStrategy[list[Value]]:
    return st.lists(sometimes(value), max_size=2)


def log(options: Value, region: str | None, create: str | None) -> dict[str, Any]:
    given_options = {"awslogs-region": region, "awslogs-create-group": create}
    chosen = {key: value for key, value in given_options.items() if value}
    return {"LogDriver": "awslogs", "Options": {"awslogs-group": options, "awslogs-stream-prefix": "x", **chosen}}


values = st.one_of(spelt(secrets), spelt(parameters))
containers = st.fixed_dictionaries(
    {
        "Name": st.just("main"),
        "Image": spelt(images),
        "Secrets": some(st.fixed_dictionaries({"Name": st.just("S"), "ValueFrom": values})),
        "EnvironmentFiles": some(st.fixed_dictionaries({"Type": st.just("s3"), "Value": spelt(objects)})),
    },
    optional={
        "LogConfiguration": st.builds(
            log, spelt(groups), st.sampled_from([None, "eu-west-1"]), st.sampled_from([None, "true", "false"])
        ),
        "RepositoryCredentials": st.fixed_dictionaries(
            {"CredentialsParameter": st.sampled_from(["login", {"Ref": "Secret"}, {"Ref": "AliasSecret"}])}
        ),
    },
)


keys = st.sampled_from([{"Ref": "Key"}, {"Fn::GetAtt": "Key.Arn"}, {"Ref": "Alias"}, "alias/other", "alias/aws/ssm"])
plain_secrets = joined(ARN, ("secretsmanager:",), places, ("secret:",), names)
specs = st.one_of(
    st.just("Auto"),
    st.fixed_dictionaries(
        {},
        optional={
            "Images": some(spelt(st.one_of(names, joined(HOST, names, tags)))),
            "LogGroups": some(
                st.one_of(
                    spelt(groups),
                    st.fixed_dictionaries(
                        {"LogGroup": spelt(groups)},
                        optional={
                            "Create": st.booleans(),
                            "StreamPrefix": names.map(as_sub),
                            "Region": st.just("eu-west-1"),
                        },
                    ),
                )
            ),
            "Secrets": some(
                st.one_of(
                    spelt(names),
                    st.fixed_dictionaries({"Secret": spelt(st.one_of(names, plain_secrets)), "KmsKey": keys}),
                )
            ),
            "Parameters": some(
                st.one_of(
                    spelt(parameters),
                    st.fixed_dictionaries({"Parameter": spelt(parameters), "KmsKey": keys}),
                )
            ),
            "EnvironmentFiles": some(st.fixed_dictionaries({"Object": spelt(objects), "KmsKey": keys})),
            "SourceVpcEndpoints": some(st.sampled_from(["vpce-01", {"Fn::Sub": "vpce-${Stage}"}])),
        },
    ),
)


def as_task(spec: Value, drawn: list[Value]) -> dict[str, Any]:
    properties = {"ExecutionRoleSpec": spec, "ContainerDefinitions": drawn}
    return {"Main": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}}


def as_conditional_daemon(spec: Value, drawn: list[Value]) -> dict[str, Any]:
    properties = {"ExecutionRoleSpec": spec, "ContainerDefinitions": drawn}
    daemon = {"Type": "AWS::ECS::DaemonTaskDefinition", "Condition": "IsProduction", "Properties": properties}
    return {"Main": daemon}


def as_batch_tasks(spec: Value, drawn: list[Value]) -> dict[str, Any]:
    properties = {
        "ExecutionRoleSpec": spec,
        "Type": "container",
        "EcsProperties": {"TaskProperties": [{"Containers": drawn}]},
    }
    return {"Main": {"Type": "AWS::Batch::JobDefinition", "Properties": properties}}


def as_shared_role(spec: Value, drawn: list[Value]) -> dict[str, Any]:
    """One role for two definitions, the second only in production."""
    lists = spec if isinstance(spec, dict) else {}
    role = {"ExecutionRoleSpec": {**lists, "TaskDefinitions": ["First", {"Ref": "Second"}]}, "Path": "/ecs/"}
    definition = "AWS::ECS::TaskDefinition"
    return {
        "First": {"Type": definition, "Properties": {"ContainerDefinitions": drawn[:1]}},
        "Second": {"Type": definition, "Condition": "IsProduction", "Properties": {"ContainerDefinitions": drawn[1:]}},
        "Main": {"Type": "AWS::IAM::Role", "Properties": role},
    }


owners = st.sampled_from([as_task, as_task, as_conditional_daemon, as_batch_tasks, as_shared_role])


@examples(12)
@given(owners, specs, st.lists(sometimes(containers), min_size=1, max_size=3))
def test_the_role_fits_however_its_needs_are_spelt(owner: Owner, spec: Value, drawn: list[Value]) -> None:
    fragment = {**FRAME, "Resources": {**RESOURCES, **owner(spec, drawn)}}
    for stage in ("test", "production"):
        assert wrongs(fragment, stage) == {}


def wrongs(fragment: dict[str, Any], stage: str) -> dict[str, Verdict]:
    """What is wrong with each role that the macro makes for this template."""
    before = Stack(fragment, {"Stage": stage})
    answer = respond(event_of(before))
    assert answer["status"] == "success", answer["errorMessage"]
    after = Stack(answer["fragment"], {"Stage": stage})
    verdicts = {role: judge(role_policies(after, role), calls) for role, calls in expected(before).items()}
    return {role: verdict for role, verdict in verdicts.items() if verdict != NOTHING_WRONG}
