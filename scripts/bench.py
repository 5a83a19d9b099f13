"""How long the engine takes, beside the least that any macro needs and beside SAM's own transform.

The floor is `json.loads` and `json.dumps` of the same event, which Lambda's runtime does for every macro. The neighbour
is `aws-sam-translator` with as many functions as there are task definitions, each with three secrets and parameters to
read: once these alone, once with an API event each. Times are the best of several runs.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from samtranslator.translator.transform import transform

from ecs_exec_role.protocol import respond

SIZES = (1, 60, 240)
SECONDS_PER_FIGURE = 1.5
IMPORT_RUNS = 15

Json = dict[str, Any]


def best(call: Callable[[], object], seconds: float = SECONDS_PER_FIGURE) -> float:
    """The fewest seconds that one call took, of all calls within `seconds` and of three at least."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def container(task: int, number: int) -> Json:
    """A container with an image, a log group, two secrets and a parameter."""
    scope = "${AWS::Region}:${AWS::AccountId}"
    secret = f"arn:${{AWS::Partition}}:secretsmanager:{scope}:secret:app{task}/db{number}-a1B2c3"
    return {
        "Name": f"container{number}",
        "Image": {"Fn::Sub": f"${{Repository{number}.RepositoryUri}}:${{Tag}}"},
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": {"Ref": f"Logs{number}"},
                "awslogs-region": {"Ref": "AWS::Region"},
                "awslogs-stream-prefix": f"app{task}",
            },
        },
        "Secrets": [
            {"Name": "USER", "ValueFrom": {"Fn::Sub": f"{secret}:user::"}},
            {"Name": "LICENCE", "ValueFrom": {"Ref": f"Licence{number}"}},
            {"Name": "SETTING", "ValueFrom": f"/app{task}/setting{number}"},
        ],
    }


def macro_event(tasks: int) -> Json:
    """What CloudFormation would send for a template of so many task definitions, with three containers each."""
    resources: Json = {}
    for number in range(3):
        resources[f"Repository{number}"] = {"Type": "AWS::ECR::Repository"}
        resources[f"Logs{number}"] = {"Type": "AWS::Logs::LogGroup"}
        resources[f"Licence{number}"] = {"Type": "AWS::SecretsManager::Secret"}
    for task in range(tasks):
        resources[f"Task{task}"] = {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "ExecutionRoleSpec": "Auto",
                "Family": f"app{task}",
                "ContainerDefinitions": [container(task, number) for number in range(3)],
            },
        }
    return {
        "accountId": "123456789012",
        "region": "eu-central-1",
        "requestId": "bench",
        "transformId": "123456789012::EcsExecRole",
        "params": {},
        "templateParameterValues": {"Tag": "1.0.0"},
        "fragment": {"Parameters": {"Tag": {"Type": "String"}}, "Resources": resources},
    }


def sam_function(number: int, *, api: bool) -> Json:
    """A function whose role SAM writes: three secrets and three parameters, as the containers above have."""
    properties: Json = {
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "CodeUri": "s3://bucket/key",
        "Environment": {"Variables": {"SECRET": {"Ref": "Licence0"}, "OTHER": {"Fn::Sub": "${Licence1}"}}},
        "Policies": [
            *({"AWSSecretsManagerGetSecretValuePolicy": {"SecretArn": {"Ref": f"Licence{one}"}}} for one in range(3)),
            *({"SSMParameterReadPolicy": {"ParameterName": f"app{number}/setting{one}"}} for one in range(3)),
        ],
    }
    if api:
        properties["Events"] = {"Api": {"Type": "Api", "Properties": {"Path": f"/app{number}", "Method": "get"}}}
    return {"Type": "AWS::Serverless::Function", "Properties": properties}


def sam_template(functions: int, *, api: bool) -> str:
    """A template of so many functions."""
    resources = {f"Function{number}": sam_function(number, api=api) for number in range(functions)}
    return json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})


class NoManagedPolicies:
    """SAM asks for AWS's managed policies by name; these templates name none."""

    def load(self) -> dict[str, str]:
        return {}


def measure(tasks: int) -> tuple[float, float]:
    """Seconds of the floor and of this engine for so many task definitions."""
    event = macro_event(tasks)
    answer = respond(event)
    if answer["status"] != "success":
        raise SystemExit(f"The benchmark's template is refused: {answer['errorMessage']}")
    text = json.dumps(event)
    return best(lambda: json.dumps(json.loads(text))), best(partial(respond, event))


def measure_sam(functions: int, *, api: bool) -> float:
    """Seconds of SAM's transform for so many functions."""
    template = sam_template(functions, api=api)
    # The transform changes its input, so each run reads it anew; that is taken off again.
    reading = best(lambda: json.loads(template), seconds=0.2)
    return best(lambda: transform(json.loads(template), {}, NoManagedPolicies())) - reading


def import_seconds(statement: str) -> float:
    """Wall time of a fresh interpreter that runs one statement."""
    command = [sys.executable, "-c", statement]
    return min(best(lambda: subprocess.run(command, check=True), seconds=0) for _ in range(IMPORT_RUNS // 3))


def main() -> None:
    """Measure and print."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # SAM's transform wants to know one.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # It warns of metrics that nobody collects here.
    headings = (
        "task definitions",
        "JSON floor",
        "EcsExecRole",
        "over floor",
        "SAM",
        "over us",
        "SAM with API",
        "over us",
    )
    rows: list[list[str]] = []
    ours_by_size: dict[int, float] = {}
    for size in SIZES:
        floor, ours = measure(size)
        ours_by_size[size] = ours
        row = [str(size), f"{floor * 1e3:.2f} ms", f"{ours * 1e3:.2f} ms", f"{ours / floor:.2f}"]
        for api in (False, True):
            sam = measure_sam(size, api=api)
            row += [f"{sam * 1e3:.2f} ms", f"{sam / ours:.1f}"]
        rows.append(row)
    for cells in (headings, *rows):
        print("  ".join(f"{cell:>{max(len(heading), 10)}}" for heading, cell in zip(headings, cells, strict=True)))
    print(f"240 over 60: {ours_by_size[240] / ours_by_size[60]:.2f}")
    bare, loaded = import_seconds("pass"), import_seconds("import ecs_exec_role.macro")
    print(f"Import of the handler with Powertools, over a bare interpreter: {(loaded - bare) * 1e3:.0f} ms")
    print("Goals: at most 3 times the floor, SAM at least 10 times us, 240 over 60 at most 4.4, import 80 ms")


if __name__ == "__main__":
    main()
