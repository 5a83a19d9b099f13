"""How time and memory grow with what an author can repeat without a limit.

Each form of template is answered at three sizes, the last of which is near the 1 MB that CloudFormation takes, or so
large that no larger one is of use. A fresh process measures each, so that memory is that of one call alone.

    python scripts/growth.py [FORM…]

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ecs_exec_role.protocol import respond
from ecs_exec_role.settings import Guardrails, Settings

Json = Any

MOST_SECONDS = 3.0
MOST_MEGABYTES = 200
MOST_EXPONENT = 1.3
# A lower figure is noise or a fixed cost, and does not show growth.
FEWEST_SECONDS = 0.25
MOST_TRIED = 25
"""Seconds of the processor after which a form counts as not answered."""

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app"
NO_VALUE = {"Ref": "AWS::NoValue"}
GUARDED = Settings(guardrails=Guardrails(statements=("ssm:GetParameters",), only_accounts=True, only_regions=True))


def event(resources: Json, **sections: Json) -> Json:
    """A macro's request with these resources."""
    return {
        "accountId": "123456789012",
        "region": "us-east-1",
        "requestId": "growth",
        "transformId": "123456789012::EcsExecRole",
        "params": {},
        "templateParameterValues": {},
        "fragment": {"Resources": resources, **sections},
    }


def definition(*containers: Json, spec: Json = "Auto", **properties: Json) -> Json:
    """A task definition with a spec."""
    properties = {"ExecutionRoleSpec": spec, "ContainerDefinitions": list(containers), **properties}
    return {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}


def task(*containers: Json, spec: Json = "Auto", **sections: Json) -> Json:
    """A request with one task definition."""
    return event({"Task": definition(*containers, spec=spec)}, **sections)


def secrets(*values: Json) -> Json:
    """A container that reads these."""
    return {"Name": "a", "Image": "nginx", "Secrets": [{"Name": "X", "ValueFrom": value} for value in values]}


def conditions(count: int) -> Json:
    """So many conditions, `C0` and so on."""
    return {f"C{number}": {"Fn::Equals": [{"Ref": "AWS::Region"}, str(number)]} for number in range(count)}


def nested(levels: int, wrap: Callable[[int, Json], Json], innermost: Json = "app") -> Json:
    """A value, wrapped so many times."""
    value = innermost
    for level in range(levels):
        value = wrap(level, value)
    return value


def _source_vpcs(count: int) -> Json:
    vpcs = [{"Fn::If": [f"C{one}", f"vpc-{one}", NO_VALUE]} for one in range(count)]
    return task({"Name": "a", "Image": IMAGE}, spec={"SourceVpcs": vpcs}, Conditions=conditions(count))


def _containers(count: int) -> Json:
    container = {"Name": "a", "Image": IMAGE, "Secrets": [{"Name": "x", "ValueFrom": "/parameter"}]}
    listed = ({"Fn::If": [f"C{one}", {**container, "Name": f"a{one}"}, NO_VALUE]} for one in range(count))
    return task(*listed, Conditions=conditions(count))


def _conditional_secrets(count: int) -> Json:
    items = [{"Fn::If": [f"C{one}", {"Name": "x", "ValueFrom": f"/parameter{one}"}, NO_VALUE]} for one in range(count)]
    return task({"Name": "a", "Image": "nginx", "Secrets": items}, Conditions=conditions(count))


def _images_with_two_conditions(count: int) -> Json:
    images = (
        {"Fn::If": [f"C{one}", {"Fn::If": [f"C{(one * 7 + 3) % count}", f"{IMAGE}{one}", "x"]}, "y"]}
        for one in range(count)
    )
    return task(*({"Name": "a", "Image": image} for image in images), Conditions=conditions(count))


def _branches(count: int) -> Json:
    """One value behind a balanced tree of conditions."""

    def choose(first: int, last: int) -> Json:
        if last - first == 1:
            return f"/parameter{first}"
        middle = (first + last) // 2
        return {"Fn::If": [f"C{middle}", choose(first, middle), choose(middle, last)]}

    return task(secrets(choose(0, count)), Conditions=conditions(count))


def _else_if(count: int) -> Json:
    value = nested(count, lambda level, value: {"Fn::If": [f"C{level}", f"/parameter{level}", value]})
    return task(secrets(value), Conditions=conditions(count))


def _list_below_conditions(count: int) -> Json:
    listed = [{"Name": "x", "ValueFrom": f"/parameter{one}"} for one in range(count)]
    below = nested(60, lambda level, value: {"Fn::If": [f"C{level}", value, []]}, listed)
    return task({"Name": "a", "Image": "nginx", "Secrets": below}, Conditions=conditions(60))


def _mapping_uses(count: int) -> Json:
    mapping = {"M": {"a": {"b": "x" * 400_000}}}
    return task(secrets(*([{"Fn::FindInMap": ["M", "a", "b"]}] * count)), Mappings=mapping)


def _mapping_splits(count: int) -> Json:
    mapping = {"M": {"a": {"b": "x," * 200_000}}}
    split = {"Fn::Split": [",", {"Fn::FindInMap": ["M", "a", "b"]}]}
    return task(secrets(*({"Fn::Select": [one, split]} for one in range(count))), Mappings=mapping)


def _joins_of_a_split(count: int) -> Json:
    mapping = {"M": {"a": {"b": "x," * 200_000}}}
    split = {"Fn::Split": [",", {"Fn::FindInMap": ["M", "a", "b"]}]}
    return task(secrets(*({"Fn::Join": ["/", split]} for _ in range(count))), Mappings=mapping)


def _listed_mapping(count: int) -> Json:
    mapping = {"M": {"a": {"b": [f"/p{one}" for one in range(20_000)]}}}
    use = {"Fn::FindInMap": ["M", "a", "b"]}
    return (
        task(spec={"Parameters": use, "Secrets": use}, Mappings=mapping)
        if count == 0
        else event(
            {f"T{one}": definition({"Name": "a", "Image": "x"}, spec={"Parameters": use}) for one in range(count)},
            Mappings=mapping,
        )
    )


def _parameter_uses(count: int) -> Json:
    request = task(secrets(*([{"Ref": "P"}] * count)), Parameters={"P": {"Type": "String"}})
    return {**request, "templateParameterValues": {"P": "x" * 4_096}}


def _list_parameter(count: int) -> Json:
    request = task(
        secrets(*([{"Fn::Join": ["", [{"Ref": "P"}]]}] * count)), Parameters={"P": {"Type": "CommaDelimitedList"}}
    )
    return {**request, "templateParameterValues": {"P": "x," * 2_000}}


def _wide_join(count: int) -> Json:
    return task({"Name": "a", "Image": {"Fn::Join": ["", [IMAGE, *(["x"] * count)]]}})


def _wide_join_with_conditions(count: int) -> Json:
    items = [*({"Fn::If": [f"C{one}", "a", "b"]} for one in range(8)), *(["x"] * count)]
    return task({"Name": "a", "Image": {"Fn::Join": ["", [IMAGE, *items]]}}, Conditions=conditions(8))


def _joins_with_conditions(count: int) -> Json:
    items = [{"Fn::If": [f"C{one}", "a", "b"]} for one in range(8)]
    return task(secrets(*({"Fn::Join": [f"{one}", items]} for one in range(count))), Conditions=conditions(8))


def _subs(count: int) -> Json:
    return task(secrets({"Fn::Sub": "/" + "${AWS::Region}" * count}))


def _sub_variables(count: int) -> Json:
    names = {f"V{one}": f"v{one}" for one in range(count)}
    return task(secrets({"Fn::Sub": ["/" + "".join(f"${{{name}}}" for name in names), names]}))


def _unknown_functions(count: int) -> Json:
    return task(secrets(*({"Fn::Sub": f"/${{R{one}.Arn}}"} for one in range(count))))


def _opaque(count: int) -> Json:
    return task(secrets(*({"Fn::Sub": ["/${X}", {"X": {"Fn::ImportValue": f"x{one}"}}]} for one in range(count))))


def _one_large_unknown(count: int) -> Json:
    large = {"Fn::Base64": "x" * 100_000}
    return task(secrets(*({"Fn::Sub": ["/${X}", {"X": large}]} for _ in range(count // 50_000))), spec={})


def _plain_secrets(count: int) -> Json:
    return task(secrets(*(f"/{one}" for one in range(count))))


def _statements(count: int) -> Json:
    listed = [{"Sid": f"S{one}", "Effect": "Allow", "Action": "a:b", "Resource": "*"} for one in range(count)]
    return task({"Name": "a", "Image": "x"}, spec={"Statements": listed})


def _same_sids(count: int) -> Json:
    listed = [{"Sid": "S", "Effect": "Allow", "Action": "a:b", "Resource": "*"} for _ in range(count)]
    return task({"Name": "a", "Image": "x"}, spec={"Statements": listed})


def _conditional_statements(count: int) -> Json:
    listed = [
        {"Fn::If": [f"C{one}", {"Sid": "S", "Effect": "Allow", "Action": "a:b", "Resource": "*"}, NO_VALUE]}
        for one in range(count)
    ]
    return task({"Name": "a", "Image": "x"}, spec={"Statements": listed}, Conditions=conditions(count))


def _tags(count: int) -> Json:
    return task({"Name": "a", "Image": "x"}, spec={"Tags": [{"Key": f"k{one}", "Value": "v"} for one in range(count)]})


def _definitions(count: int) -> Json:
    return event({f"T{one}": definition({"Name": "a", "Image": f"{IMAGE}{one}"}) for one in range(count)})


def _definitions_with_much_beside(count: int) -> Json:
    beside = {"Type": "AWS::SNS::Topic", "Properties": {"Tags": [{"Key": "k", "Value": "v" * 20}] * 16_000}}
    return event({**_definitions(count)["fragment"]["Resources"], "Beside": beside})


def _definitions_with_policies_beside(count: int) -> Json:
    statement = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "arn:aws:ssm:us-east-1:123456789012:x"}
    policy = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"Roles": ["other"], "PolicyName": "p", "PolicyDocument": {"Statement": [statement] * 20}},
    }
    resources = _definitions(count)["fragment"]["Resources"]
    return event({**resources, **{f"P{one}": policy for one in range(min(count, 250))}})


def _services(count: int) -> Json:
    """Every service may run each definition, and its proxies read secrets."""
    listed = [{"Name": "x", "ValueFrom": f"/parameter{one}"} for one in range(10)]
    proxies = {"Enabled": True, "LogConfiguration": {"LogDriver": "awsfirelens", "SecretOptions": listed}}
    definitions = [f"T{one}" for one in range(count)]
    choice = nested(
        count - 1,
        lambda level, value: {"Fn::If": [f"C{level}", {"Ref": definitions[level + 1]}, value]},
        {"Ref": definitions[0]},
    )
    services = {
        f"S{one}": {
            "Type": "AWS::ECS::Service",
            "Properties": {"TaskDefinition": choice, "ServiceConnectConfiguration": proxies},
        }
        for one in range(count)
    }
    return event({**_definitions(count)["fragment"]["Resources"], **services}, Conditions=conditions(count))


def _waiting(count: int) -> Json:
    """Resources that each wait for all before them, policies that must be attached later, and what runs the tasks."""
    key = {
        "Type": "AWS::KMS::Key",
        "Properties": {"KeyPolicy": [{"Fn::GetAtt": [f"T{one}ExecutionRole", "Arn"]} for one in range(count)]},
    }
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}}
    resources: Json = {"Key": key, "Secret": secret}
    for one in range(count):
        resources[f"T{one}"] = definition(secrets({"Ref": "Secret"}))
        waits = [f"S{before}" for before in range(max(0, one - 60), one)]
        resources[f"S{one}"] = {
            "Type": "AWS::ECS::Service",
            "DependsOn": waits,
            "Properties": {"TaskDefinition": {"Ref": f"T{one}"}, "Tags": [{"Key": "a", "Value": "b" * 400}] * 4},
        }
    return event(resources)


def _resources(count: int) -> Json:
    return event({**{f"R{one}": {"Type": "X"} for one in range(count)}, "Task": definition({"Image": IMAGE})})


def _shared(count: int) -> Json:
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": [f"T{one}" for one in range(count)]}},
    }
    plain = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [{"Image": IMAGE}]}}
    return event({"Role": role, **{f"T{one}": plain for one in range(count)}})


def _shared_twice(count: int) -> Json:
    role = {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": {"TaskDefinitions": ["T"] * count}}}
    plain = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [{"Image": IMAGE}]}}
    return event({"Role": role, "T": plain})


def _long_name(length: int) -> Json:
    containers = [{"Image": f"{IMAGE}{one}"} for one in range(4_000)]
    return event({"T" * length: definition(*containers)})


def _cache_rules(count: int) -> Json:
    rules = {
        f"R{one}": {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": {"EcrRepositoryPrefix": f"p{one}"}}
        for one in range(count)
    }
    images = ({"Image": f"{IMAGE}{one}"} for one in range(count * 20))
    return event({**rules, "Task": definition(*images)})


def _shadowing_names(count: int) -> Json:
    """Secrets with names, and definitions that use the literal names."""
    made = {
        f"S{one}": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": f"n{one}", "KmsKeyId": "alias/a"}}
        for one in range(count)
    }
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:n"
    return event({**made, "Task": definition(secrets(*(f"{arn}{one}" for one in range(count * 10))))})


def _kms_keys(count: int) -> Json:
    keys = [f"arn:aws:kms:us-east-1:123456789012:key/{one}" for one in range(count)]
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:n"
    return task(secrets(*(f"{arn}{one}" for one in range(count))), spec={"KmsKeys": keys})


def _express(count: int) -> Json:
    names = [{"Fn::If": [f"C{one}", f"a{one}", f"b{one}"]} for one in range(count)]
    nest = nested(count, lambda level, value: {"Fn::If": [f"C{level}", f"n{level}", value]})
    properties = {
        "ExecutionRoleSpec": "Auto",
        "PrimaryContainer": {"Image": IMAGE},
        "ServiceName": nest,
        "Cluster": nest,
    }
    return event(
        {"Web": {"Type": "AWS::ECS::ExpressGatewayService", "Properties": properties, "Metadata": names}},
        Conditions=conditions(count),
    )


def _log_regions(count: int) -> Json:
    nest = nested(count, lambda level, value: {"Fn::If": [f"C{level}", f"n{level}", value]})
    other = nested(count, lambda level, value: {"Fn::If": [f"D{level}", f"n{level}", value]})
    options = {"awslogs-group": nest, "awslogs-region": other}
    container = {"Image": "x", "LogConfiguration": {"LogDriver": "awslogs", "Options": options}}
    both = {**conditions(count), **{name.replace("C", "D"): node for name, node in conditions(count).items()}}
    return task(container, Conditions=both)


def _misplaced(count: int) -> Json:
    return event({"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"X": [{"ExecutionRoleSpec": "Auto"}] * count}}})


def _dashes(length: int) -> Json:
    return task(secrets("arn:aws:secretsmanager:us-east-1:123456789012:secret:" + "-a1B2c" * (length // 6)))


def _doubling_conditions(count: int) -> Json:
    """Conditions of which each names the one before twice."""
    said = {"C0": {"Fn::Equals": [{"Ref": "AWS::Region"}, "a"]}}
    for one in range(1, count):
        said[f"C{one}"] = {"Fn::And": [{"Condition": f"C{one - 1}"}, {"Condition": f"C{one - 1}"}]}
    choice = {"Fn::If": [f"C{count - 1}", "/a", {"Fn::If": [f"C{count // 2}", "/b", "/c"]}]}
    return task(secrets(choice), Conditions=said)


def _gathering_conditions(count: int) -> Json:
    """Conditions of which each compares something more than the one before."""
    said = {"C0": {"Fn::Equals": [{"Ref": "AWS::Region"}, "a"]}}
    for one in range(1, count):
        said[f"C{one}"] = {"Fn::Or": [{"Condition": f"C{one - 1}"}, {"Fn::Equals": [{"Ref": f"P{one}"}, "a"]}]}
    choice = {"Fn::If": [f"C{count - 1}", "/a", {"Fn::If": [f"C{count // 2}", "/b", "/c"]}]}
    return task(secrets(choice), Conditions=said)


def _words(count: int) -> Json:
    """Conditions that compare one parameter with many words."""
    said = {f"C{one}": {"Fn::Equals": [{"Ref": "P"}, f"w{one}"]} for one in range(count)}
    items = [{"Fn::If": [f"C{one}", {"Fn::If": [f"C{one + 1}", "/a", "/b"]}, "/c"]} for one in range(0, count, 2)]
    parameters = {"P": {"Type": "String", "AllowedValues": [f"w{one}" for one in range(count)]}}
    return task(secrets(*items), Conditions=said, Parameters=parameters)


def _state_machine(states: Json, **beside: Json) -> Json:
    return {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"Definition": {"States": states}, **beside}}


def _overrides(count: int) -> Json:
    """Overrides of a definition that is named once, outside of them."""
    states = {f"S{one}": {"Parameters": {"Overrides": {"ExecutionRoleArn": f"x{one}"}}} for one in range(count)}
    return event({"T": definition({"Image": IMAGE}), "Machine": _state_machine(states, Task={"Ref": "T"})})


def _overrides_in_text(count: int) -> Json:
    text = json.dumps({"overrides": [{"executionRoleArn": f"x{one}"} for one in range(count)]})
    target = {"Input": text, "EcsParameters": {"TaskDefinitionArn": {"Ref": "T"}}}
    rule = {"Type": "AWS::Events::Rule", "Properties": {"Targets": [target]}}
    return event({"T": definition({"Image": IMAGE}), "Rule": rule})


def _overrides_of_families(count: int) -> Json:
    states = {
        f"S{one}": {"TaskDefinition": f"f{one % 240}", "Overrides": {"ExecutionRoleArn": f"x{one}"}}
        for one in range(count)
    }
    made = {f"T{one}": definition({"Image": IMAGE}, Family=f"f{one}") for one in range(240)}
    return event({**made, "Machine": _state_machine(states)})


def _overrides_of_all(count: int) -> Json:
    """Each override is one of each definition."""
    states = {f"S{one}": {"Parameters": {"Overrides": {"ExecutionRoleArn": f"x{one}"}}} for one in range(count)}
    made = {f"T{one}": definition({"Image": IMAGE}) for one in range(200)}
    return event({**made, "Machine": _state_machine(states, Tasks=[{"Ref": name} for name in made])})


def _substitutions(count: int) -> Json:
    """Overrides of what one long substitution names."""
    states = {f"S{one}": {"Task": "${A}", "Overrides": {"ExecutionRoleArn": f"x{one}"}} for one in range(count)}
    machine = _state_machine(states, DefinitionSubstitutions={"A": [{"Ref": "T"}] * count})
    return event({"T": definition({"Image": IMAGE}), "Machine": machine})


def _undefined(count: int) -> Json:
    """References of which each is much like every logical ID."""
    beside = {f"Bucket{one:04d}OfAResourceWithALongLogicalId": {"Type": "AWS::SNS::Topic"} for one in range(480)}
    misspelt = ({"Ref": f"Bukcet{one:04d}OfAResourceWithALongLogicalId"} for one in range(count))
    return event({**beside, "Task": definition(secrets(*misspelt))})


def _undefined_beside_parameters(count: int) -> Json:
    parameters = {f"P{one}": {"Type": "String"} for one in range(count)}
    return task(secrets(*({"Ref": f"Q{one}"} for one in range(count))), Parameters=parameters)


def _keys_not_in_a_map(count: int) -> Json:
    misspelt = ({"Fn::FindInMap": ["M", f"kye{one:05d}-of-a-map", "v"]} for one in range(count))
    return task(secrets(*misspelt), Mappings={"M": {f"key{one:05d}-of-a-map": {"v": "x"} for one in range(count)}})


def _unknown_definitions(count: int) -> Json:
    made = {f"Worker{one:04d}": {"Type": "AWS::ECS::TaskDefinition", "Properties": {}} for one in range(400)}
    spec = {"TaskDefinitions": [f"Wroker{one:04d}" for one in range(count)]}
    return event({**made, "Role": {"Type": "AWS::IAM::Role", "Properties": {"ExecutionRoleSpec": spec}}})


def _unknown_images(count: int) -> Json:
    """Images that only `Images` could say."""
    parameters = {f"P{one}": {"Type": "String"} for one in range(count)}
    containers = ({"Image": {"Ref": name}} for name in parameters)
    return task(*containers, spec={"Images": [f"r{one}" for one in range(count)]}, Parameters=parameters)


def _keys_that_nothing_tells(count: int) -> Json:
    """Secrets with literal names, whose keys are not known."""
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:n"
    return event({f"T{one}": definition(secrets(*(f"{arn}{one}-{key}" for key in range(40)))) for one in range(count)})


class Form(NamedTuple):
    """A form of template: how one of a size is made, the smallest of the three sizes, and the guardrails."""

    make: Callable[[int], Json]
    size: int
    settings: Settings = Settings()


FORMS = {
    "conditions in SourceVpcs": Form(_source_vpcs, 250),
    "containers with conditions of their own": Form(_containers, 200),
    "secrets with conditions of their own": Form(_conditional_secrets, 100),
    "more secrets with conditions": Form(_conditional_secrets, 1_000),
    "images with two conditions": Form(_images_with_two_conditions, 100),
    "values below a tree of conditions": Form(_branches, 1_000),
    "values below else-if": Form(_else_if, 50),
    "a list below conditions": Form(_list_below_conditions, 2_500),
    "image of colons": Form(lambda n: task({"Name": "a", "Image": ":" * n}), 250_000),
    "ECR image of colons": Form(lambda n: task({"Name": "a", "Image": IMAGE + ":" * n}), 250_000),
    "image of slashes": Form(lambda n: task({"Name": "a", "Image": IMAGE + "/:" * (n // 2)}), 250_000),
    "unclosed dynamic references": Form(lambda n: task({"Name": "a", "Image": "{{resolve:" * n}), 25_000),
    "closed dynamic references": Form(
        lambda n: task({"Name": "a", "Image": "".join(f"{{{{resolve:ssm:/{i}}}}}" for i in range(n))}), 10_000
    ),
    "unclosed variables": Form(lambda n: task(secrets({"Fn::Sub": "${" * n})), 100_000),
    "secret ARN of dashes": Form(_dashes, 250_000),
    "secret ARN of colons": Form(lambda n: task(secrets("arn:aws:secretsmanager:::secret:" + ":" * n)), 250_000),
    "parameter of slashes": Form(lambda n: task(secrets("/" * n + ":")), 250_000),
    "parameter ARN of slashes": Form(lambda n: task(secrets("arn:aws:ssm:::parameter" + "/" * n)), 250_000),
    "text of arn:": Form(lambda n: task(secrets("arn:" * n)), 60_000),
    "uses of a large mapping value": Form(_mapping_uses, 125),
    "splits of a large mapping value": Form(_mapping_splits, 125),
    "joins of a large split": Form(_joins_of_a_split, 125),
    "definitions with a list of a mapping": Form(_listed_mapping, 60),
    "uses of a parameter": Form(_parameter_uses, 4_000),
    "joins of a list parameter": Form(_list_parameter, 4_000),
    "wide Fn::Join": Form(_wide_join, 40_000),
    "wide Fn::Join with conditions": Form(_wide_join_with_conditions, 40_000),
    "Fn::Joins with conditions": Form(_joins_with_conditions, 500),
    "Fn::Sub of many variables": Form(_subs, 15_000),
    "variables of an Fn::Sub": Form(_sub_variables, 8_000),
    "different attributes": Form(_unknown_functions, 5_000),
    "different unknown functions": Form(_opaque, 3_000),
    "one large unknown function": Form(_one_large_unknown, 100_000),
    "secrets": Form(_plain_secrets, 6_000),
    "statements": Form(_statements, 3_000),
    "statements of one Sid": Form(_same_sids, 3_000),
    "statements with conditions": Form(_conditional_statements, 500),
    "tags": Form(_tags, 6_000),
    "unknown keys": Form(lambda n: task(spec={f"k{one}": True for one in range(n)}), 15_000),
    "long unknown keys": Form(lambda n: task(spec={f"k{one}" + "Secret" * 100: True for one in range(n)}), 400),
    "one long unknown key": Form(lambda n: task(spec={"Secrets" * (n // 7): True}), 250_000),
    "definitions": Form(_definitions, 60),
    "more definitions than CloudFormation takes": Form(_definitions, 1_500),
    "definitions, AllowedStatements and 800 KB beside": Form(_definitions_with_much_beside, 60, GUARDED),
    "definitions, AllowedStatements and policies beside": Form(_definitions_with_policies_beside, 60, GUARDED),
    "services that may run each definition": Form(_services, 20),
    "resources that wait for each other": Form(_waiting, 31),
    "resources": Form(_resources, 10_000),
    "definitions of one role": Form(_shared, 120),
    "a definition of one role, again and again": Form(_shared_twice, 20_000),
    "long logical ID": Form(_long_name, 200_000),
    "cache rules": Form(_cache_rules, 100),
    "names in words": Form(_shadowing_names, 100),
    "customer keys": Form(_kms_keys, 500),
    "names and clusters with conditions": Form(_express, 50),
    "groups and regions with conditions": Form(_log_regions, 50),
    "conditions that name another twice": Form(_doubling_conditions, 15),
    "many conditions that name another twice": Form(_doubling_conditions, 2_500),
    "conditions that compare more and more": Form(_gathering_conditions, 2_500),
    "conditions that compare with many words": Form(_words, 1_000),
    "misplaced specs": Form(_misplaced, 8_000),
    "overrides of one definition": Form(_overrides, 4_000),
    "overrides in a text": Form(_overrides_in_text, 8_000),
    "overrides of many families": Form(_overrides_of_families, 2_000),
    "overrides of each definition": Form(_overrides_of_all, 4_000),
    "overrides of a substitution": Form(_substitutions, 2_500),
    "references to nothing": Form(_undefined, 3_000),
    "references to nothing beside parameters": Form(_undefined_beside_parameters, 4_000),
    "keys that are not in a map": Form(_keys_not_in_a_map, 2_000),
    "unknown definitions": Form(_unknown_definitions, 10_000),
    "images that are not known": Form(_unknown_images, 3_000),
    "keys that are not known": Form(_keys_that_nothing_tells, 50),
}


class Figure(NamedTuple):
    """The cost of one answer: characters of the event, CPU seconds, MB of memory at the peak, and the answer."""

    length: int
    seconds: float
    megabytes: float
    answer: str


def _measured(name: str, size: int) -> Figure:
    """Measures in this process, once; the system ends it if it takes much too long."""
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_TRIED, MOST_TRIED))
    form = FORMS[name]
    request = form.make(size)
    respond(event({"Task": definition()}))
    text = json.dumps(request)
    length = len(text)
    request = json.loads(text)
    del text
    before = _peak_megabytes()
    start = time.process_time()
    answer = respond(request, form.settings)
    seconds = time.process_time() - start
    megabytes = _peak_megabytes() - before
    if answer["status"] == "success":
        written = len(json.dumps(answer["fragment"], separators=(",", ":")))
        return Figure(length, seconds, megabytes, f"answers {written:,} characters")
    return Figure(
        length, seconds, megabytes, f"refuses: {answer['errorMessage'].splitlines()[0].partition(': ')[2][:70]}"
    )


def _peak_megabytes() -> float:
    """The most memory that this program has had.

    On Linux `ru_maxrss` begins with the memory of the process that started this one, which can hide the growth.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    [kilobytes] = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) / 1024


def figure(name: str, size: int) -> Figure:
    """Measures in a separate process."""
    command = [sys.executable, __file__, "--one", name, str(size)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        return Figure(0, float(MOST_TRIED), 0, f"no answer: {error.stderr[-200:]}")
    return Figure(*json.loads(done.stdout))


def exponent(figures: list[Figure]) -> float:
    """The largest power by which the time grows, if it is long enough to measure.

    That is the power of the event's length, or of the size where the length grows less: of a value that is used often.
    """
    powers = [0.0]
    for one, other in itertools.pairwise(figures):
        grown = max(2.0, other.length / max(one.length, 1))
        longer = max(other.seconds, FEWEST_SECONDS) / max(one.seconds, FEWEST_SECONDS)
        powers.append(math.log(longer) / math.log(grown))
    return max(powers)


def table(names: list[str]) -> bool:
    """Prints a line for each form; whether all goals are met."""
    print(f"{'form':<52} {'n':>8} {'KB':>6} {'s (n)':>7} {'s (2n)':>7} {'s (4n)':>7} {'power':>6} {'MB':>6}  answer")
    good = True
    for name in names:
        form = FORMS[name]
        figures = [figure(name, form.size * factor) for factor in (1, 2, 4)]
        power, most = exponent(figures), max(each.megabytes for each in figures)
        slow = max(each.seconds for each in figures) > MOST_SECONDS
        marks = [
            text
            for text, met in (("POWER", power > MOST_EXPONENT), ("SECONDS", slow), ("MEMORY", most > MOST_MEGABYTES))
            if met
        ]
        good = good and not marks
        times = " ".join(f"{each.seconds:>7.2f}" for each in figures)
        kilobytes = f"{figures[-1].length / 1000:>6,.0f}"
        said = " ".join([figures[-1].answer, *marks])
        print(
            f"{name:<52} {form.size:>8,} {kilobytes} {times} {power:>6.2f} {most:>6.0f}  {said}",
            flush=True,
        )
    verdict = "met" if good else "MISSED"
    print(f"Goals: power at most {MOST_EXPONENT}, {MOST_SECONDS:.0f} s, {MOST_MEGABYTES} MB: {verdict}")
    return good


def main() -> None:
    """Measure and print; ends with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description="Measure how time and memory grow with the size of a template.")
    parser.add_argument("forms", nargs="*", help="parts of the names of forms; all without one")
    parser.add_argument("--one", nargs=2, metavar=("FORM", "SIZE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, size = arguments.one
        print(json.dumps(_measured(name, int(size))))
        return
    chosen = [name for name in FORMS if not arguments.forms or any(part in name for part in arguments.forms)]
    sys.exit(0 if table(chosen) else 1)


if __name__ == "__main__":
    main()
