"""How much processor time the engine takes, compared with the minimum of any macro and with similar programs.

    make bench                          all measurements, and the table of growth
    .venv/bin/python -m scripts.bench --without-growth

The floor is `json.loads` and `json.dumps` of the same event, which Lambda's runtime does for every macro. The other
program is `aws-sam-translator` with as many functions as there are task definitions, each with three secrets and
parameters to
read: once only these, once with an API event each. The start of a process is compared with a bare interpreter.

A figure and the one that it is compared with are measured alternately, several times, and the best of each counts: so a
machine that is busy for a while slows both. Ends with 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from samtranslator.translator.transform import transform
from scripts import growth

from ecs_exec_role.offline import yaml_reader, yaml_writer
from ecs_exec_role.protocol import respond

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "web-service.yaml"
SIZES = (1, 60, 240)
ROUNDS = 5
STARTS = 15
SHORTEST = 0.05
"""Seconds. A shorter call is repeated until it takes this time."""

LENGTH_OF_YAML = 740_000
VERSIONS = ("aws-sam-translator", "aws-lambda-powertools", "cfn-lint", "pyyaml", "ruamel.yaml")

MOST_OVER_FLOOR = 5.0
FEWEST_OVER_SAM = 3.0
MOST_240_OVER_60 = 4.4
MOST_OVER_POWERTOOLS = 1.3
MOST_SECONDS_OF_EXPAND = 0.12
MOST_SECONDS_OF_YAML = 1.0
MOST_OVER_CFN_LINT = 1.10

Json = dict[str, Any]


class Goal(NamedTuple):
    """Something that was measured, and the limit that it must keep."""

    what: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the limit is kept."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        return f"{'met   ' if self.met else 'MISSED'}  {self.what}: {self.measured:.2f}, {bound} {self.limit:g}"


def best(*calls: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """For each of these, the fewest processor seconds of one call; they are called alternately."""
    counts = [max(1, round(SHORTEST / max(_seconds(call, 1), 1e-6))) for call in calls]
    found = [float("inf")] * len(calls)
    for _ in range(rounds):
        for index, call in enumerate(calls):
            found[index] = min(found[index], _seconds(call, counts[index]))
    return found


def _seconds(call: Callable[[], object], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - start) / count


def best_starts(*commands: Sequence[str | Path], rounds: int = STARTS, folder: Path = ROOT) -> list[float]:
    """The same for commands, each in a new process. The first run of each compiles its imports, and does not count."""
    found = [float("inf")] * len(commands)
    with tempfile.TemporaryDirectory() as compiled:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = compiled
        for turn in range(rounds + 1):
            for index, command in enumerate(commands):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                # A checker ends with another status where it finds something.
                subprocess.run(command, check=False, env=environment, capture_output=True, cwd=folder)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                found[index] = min(found[index], taken) if turn else found[index]
    return found


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


def warm(size: int) -> tuple[list[str], list[Goal], float]:
    """A row of the table for so many task definitions, its goals, and the seconds of this engine."""
    event = macro_event(size)
    answer = respond(event)
    if answer["status"] != "success":
        raise SystemExit(f"The benchmark's template is refused: {answer['errorMessage']}")
    text = json.dumps(event)
    calls: list[Callable[[], object]] = [lambda: json.dumps(json.loads(text)), partial(respond, event)]
    for api in (False, True):
        template = sam_template(size, api=api)
        # The transform changes its input, so each run reads it again; the time for this is subtracted.
        calls.append(partial(json.loads, template))
        calls.append(partial(_sam, template))
    # With an API for each function, the transform takes minutes of a large template: once is enough.
    floor, ours, reading, sam = best(*calls[:4])
    reading_api, sam_api = best(*calls[4:], rounds=1)
    sam, sam_api = sam - reading, sam_api - reading_api
    row = [
        *(str(size), f"{floor * 1e3:.2f} ms", f"{ours * 1e3:.2f} ms", f"{ours / floor:.1f}"),
        *(f"{sam * 1e3:.1f} ms", f"{sam / ours:.1f}", f"{sam_api * 1e3:.1f} ms", f"{sam_api / ours:.1f}"),
    ]
    goals = [
        Goal(f"{size} definitions over the JSON floor", ours / floor, MOST_OVER_FLOOR),
        Goal(
            f"SAM's transform of {size} functions over {size} definitions", sam / ours, FEWEST_OVER_SAM, at_least=True
        ),
    ]
    return row, goals, ours


def _sam(template: str) -> object:
    return transform(json.loads(template), {}, NoManagedPolicies())


def start() -> Iterator[Goal]:
    """How long the macro's handler takes to import.

    The interpreter looks for garbage at the end of a process, but not at what the handler has loaded. A function does
    not end after its import, so the figures without the end are printed too.
    """
    statements = ("pass", "from aws_lambda_powertools import Logger, Metrics", "import ecs_exec_role.macro")
    endings = ("", "; import os; os._exit(0)")
    found = best_starts(*((sys.executable, "-c", statement + ending) for ending in endings for statement in statements))
    for ending, (bare, powertools, handler) in zip(("with", "without"), (found[:3], found[3:]), strict=True):
        print(
            f"Import, {ending} the end of the process, over a bare interpreter of {bare * 1e3:.0f} ms: Powertools"
            f" {(powertools - bare) * 1e3:.0f} ms, the handler with Powertools {(handler - bare) * 1e3:.0f} ms"
        )
    bare, powertools, handler = found[:3]
    yield Goal(
        "import of the handler over that of Powertools", (handler - bare) / (powertools - bare), MOST_OVER_POWERTOOLS
    )


def desk() -> Iterator[Goal]:
    """How long the command line and the rules for cfn-lint take."""
    programs = Path(sys.executable).parent
    [expand] = best_starts((programs / "ecs-exec-role", "expand", EXAMPLE))
    yield Goal(f"seconds of `expand {EXAMPLE.name}`", expand, MOST_SECONDS_OF_EXPAND)
    text = large_yaml()
    [read] = best(partial(yaml_reader.read, text), rounds=2)
    yield Goal(f"seconds to read YAML of {len(text) / 1000:.0f} KB", read, MOST_SECONDS_OF_YAML)
    lint = programs / "cfn-lint"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(EXAMPLE, folder / "template.yaml")
        subprocess.run((programs / "ecs-exec-role", "lint-config"), check=True, cwd=folder, capture_output=True)
        (folder / ".cfnlintrc").rename(folder / "with-rules")
        alone, with_rules = best_starts(
            (lint, "template.yaml"), (lint, "--config-file", "with-rules", "template.yaml"), rounds=5, folder=folder
        )
    yield Goal("cfn-lint with our rules over cfn-lint alone", with_rules / alone, MOST_OVER_CFN_LINT)


def large_yaml() -> str:
    """A template in YAML of about `LENGTH_OF_YAML` characters."""
    definitions = 60
    text = ""
    while len(text) < LENGTH_OF_YAML:
        text = yaml_writer.write(macro_event(definitions)["fragment"])
        definitions = max(definitions + 1, definitions * LENGTH_OF_YAML // len(text))
    return text


def about() -> str:
    """The machine, and the versions of what is measured."""
    try:
        cpu = next(
            line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in line
        )
        processor = cpu.partition(":")[2].strip()
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"{processor}, {os.cpu_count()} processors, load {busy}; {platform.platform()};"
        f" {platform.python_implementation()} {platform.python_version()}; {versions}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the engine against its floor and its neighbours.")
    parser.add_argument("--without-growth", action="store_true", help="leave out the table of growth")
    arguments = parser.parse_args()
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # SAM's transform needs one.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # It warns of metrics that are not collected here.
    print(about())
    headings = ("definitions", "JSON floor", "EcsExecRole", "over floor", "SAM", "over us", "SAM with API", "over us")
    goals: list[Goal] = []
    seconds: dict[int, float] = {}
    print("  ".join(f"{heading:>12}" for heading in headings))
    for size in SIZES:
        row, found, seconds[size] = warm(size)
        goals += found
        print("  ".join(f"{cell:>12}" for cell in row), flush=True)
    goals.append(Goal("240 definitions over 60", seconds[240] / seconds[60], MOST_240_OVER_60))
    goals += start()
    goals += desk()
    print(*goals, sep="\n", flush=True)
    good = all(goal.met for goal in goals)
    if not arguments.without_growth:
        good = growth.table(list(growth.FORMS)) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
