"""Mutates macro events, snippets and specs, and checks that each answer has the properties of every answer.

    make fuzz                           100,000 cases from seed 0
    make fuzz SEED=7 COUNT=1000
    .venv/bin/python -m scripts.fuzz --seed 7 --case 123    one case, with its event

The events of events/ and the templates of examples/ are mutated: a value becomes another value, a function or a part of
another event, or is removed; a key is renamed; an item comes twice. Every event must get an answer that can be written
as JSON in UTF-8. A refusal must have a path and a remedy in each line, and in an expanded template everything that does
not concern a spec must be unchanged. The request must not be changed. Ends with 1 if anything is wrong, and prints it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ecs_exec_role.errors import LONGEST_MESSAGE, TemplateError
from ecs_exec_role.needs.definitions import ROLE, TYPES
from ecs_exec_role.offline import macro_call, template_file
from ecs_exec_role.pipeline import expand
from ecs_exec_role.protocol import failure, success
from ecs_exec_role.settings import Settings, from_environment
from ecs_exec_role.spec.language import LANGUAGE
from ecs_exec_role.template.event import PROPERTY

Json = Any

ROOT = Path(__file__).parents[1]
SLOWEST = 3.0
SECONDS_BETWEEN_LINES = 30
MOST_SHOWN = 20

SCALARS: list[Json] = [
    None, True, False, 0, -1, 3, 1.5, 1e308, float("nan"), float("inf"), 10**30, 10**5000,
    "", " ", "a", "é", "\n", "\x00", "\ud800", "\udfff\ud800", "\U00100000", "\U00100001|x", "\U0010fffd", "\U0010ffff",
    "*", "?", "/", ":", "arn:", "${", "${}", "${!x}", "${AWS::Region}", "${AWS::NoValue}", "${A.Arn}", "${aws:userid}",
    "{{resolve:", "{{resolve:ssm:/a}}", "{{resolve:secretsmanager:a:SecretString:b}}", "Auto", "Starter", "None",
    "ExecutionRoleSpec", "AWS::NoValue", "AWS::ECS::TaskDefinition", "AWS::IAM::Role", "AWS::ECS::Service",
    "AWS::SSM::Parameter", "CommaDelimitedList", "AWS::SSM::Parameter::Value<String>", "EcsExecRole",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/a", "arn:aws:ssm:us-east-1:123456789012:parameter/a",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-b1C2d3", "arn:aws:s3:::a/b", "awslogs", "true", "x" * 3000,
]  # fmt: skip
KEYS = [
    "", "Ref", "Fn::Sub", "Fn::If", "Fn::Join", "Fn::GetAtt", "Fn::Split", "Fn::Select", "Fn::FindInMap",
    "Fn::Transform", "Fn::ForEach::A",
    "Fn::ImportValue", "Fn::Length", "Fn::", "Condition", "Type", "Properties", "ExecutionRoleSpec",
    "Statements", "TaskDefinitions", "Tags", "Policies", "PolicyName", "Preflight", "SourceVpcs", "KmsKeys", "Infer",
    "Secrets", "Image", "ValueFrom", "LogConfiguration", "Conditions", "Metadata", "DependsOn", "ManagedPolicyArns",
    "a/b", "\U00100000", "\ud800", "NoEcho", "Default", "Name",
]  # fmt: skip
GUARDRAILS = [
    {},
    {"ECS_EXEC_ROLE_STATEMENTS": "ssm:Get*", "ECS_EXEC_ROLE_ACCOUNTS": "self", "ECS_EXEC_ROLE_REGIONS": "self"},
    {
        "ECS_EXEC_ROLE_PERMISSIONS_BOUNDARY": "boundary",
        "ECS_EXEC_ROLE_PATH": "/team/",
        "ECS_EXEC_ROLE_NAME_PREFIX": "team-",
        "ECS_EXEC_ROLE_MANAGED_POLICIES": "team-*",
        "ECS_EXEC_ROLE_TAGS": "team=a,owner",
    },
]


class Finding(NamedTuple):
    """What is wrong with one answer."""

    case: int
    what: str


class Result(NamedTuple):
    """What a run found: how many cases were answered in which way, the slowest of them, and what is wrong."""

    answers: Counter[str]
    slowest: float
    findings: list[Finding]


def bases() -> list[str]:
    """The events that are mutated, each as JSON."""
    found = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "events").glob("macro-*.json"))]
    stack = macro_call.StackValues.of("us-east-1", "123456789012", {})
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        data = template_file.read(str(path)).data
        fragment = {name: node for name, node in data.items() if name != "Transform"}
        found.append(json.dumps(macro_call.event(stack, data, fragment, {})))
    return found


class Mutator:
    """Makes the event of a case out of the bases, always the same of the same seed."""

    def __init__(self, seed: int, texts: list[str]) -> None:
        self._seed = seed
        self._texts = texts
        self._settings = [from_environment(variables) for variables in GUARDRAILS]

    def case(self, number: int) -> tuple[Json, Settings]:
        """A mutated event, and the guardrails that it is held against."""
        chance = random.Random(f"{self._seed}:{number}")  # noqa: S311 - no secret
        event = json.loads(chance.choice(self._texts))
        if chance.random() < 0.15:
            self._make_snippet(chance, event)
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5))):
            self._mutate(chance, event)
        return event, chance.choice(self._settings)

    def _make_snippet(self, chance: random.Random, event: Json) -> None:
        """The event of `Fn::Transform` in a role, with a spec of the template as its parameters."""
        specs = [
            node["ExecutionRoleSpec"]
            for _, _, node in _places(event["fragment"])
            if isinstance(node, dict) and isinstance(node.get("ExecutionRoleSpec"), dict)
        ]
        event["params"] = chance.choice(specs) if specs else {"Images": ["a"]}
        policy = {"PolicyName": "a", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}
        event["fragment"] = {"Description": "a", "Policies": [policy]}

    def _start(self, chance: random.Random, event: Json) -> Json:
        """Where a mutation is made: usually in the resources of the fragment, and often in a spec there."""
        start = event
        for step in ("fragment", "Resources"):
            if isinstance(start, dict) and isinstance(start.get(step), (dict, list)) and chance.random() < 0.9:
                start = start[step]
        if chance.random() < 0.3:
            specs = [node for _, key, node in _places(event) if key in (PROPERTY, "params")]
            spec = chance.choice(specs) if specs else None
            if isinstance(spec, dict) and chance.random() < 0.5:
                key = chance.choice(list(LANGUAGE))
                example = chance.choice((*LANGUAGE[key].examples, chance.choice(SCALARS)))
                spec[key] = json.loads(json.dumps(example)) if isinstance(example, (dict, list)) else example
            start = spec if isinstance(spec, (dict, list)) else start
        return start

    def _mutate(self, chance: random.Random, event: Json) -> None:
        places = list(_places(self._start(chance, event)))
        if not places:
            return
        parent, key, node = chance.choice(places)
        match chance.randrange(8):
            case 0:
                parent[key] = chance.choice(SCALARS)
            case 1 | 2:
                parent[key] = self._function(chance, node)
            case 3:
                parent[key] = self._other(chance)
            case 4:
                del parent[key]
            case 5 if isinstance(parent, dict):
                parent[chance.choice((*KEYS, *(name for _, name, _ in places if isinstance(name, str))))] = parent.pop(
                    key
                )
            case 5 | 6 if isinstance(parent, list):
                parent.insert(chance.randrange(len(parent) + 1), node)
            case 6:
                parent[chance.choice(KEYS)] = chance.choice((node, self._other(chance), chance.choice(SCALARS)))
            case _:
                parent[key] = chance.choice(
                    [{}, [], [node], {chance.choice(KEYS): node}, [[node, None]], {"Ref": node}]
                )

    def _other(self, chance: random.Random) -> Json:
        places = list(_places(json.loads(chance.choice(self._texts))["fragment"]))
        return chance.choice(places)[2] if places else {}

    def _function(self, chance: random.Random, node: Json) -> Json:
        def any_of(*more: Json) -> Json:
            return chance.choice((node, chance.choice(SCALARS), {"Ref": "AWS::NoValue"}, {"Ref": "AWS::Region"}, *more))

        name = chance.choice(("C", "IsProd", "", "\U00100000", "UseKey"))
        return chance.choice(
            [
                {"Fn::If": [name, node, any_of()]},
                {"Fn::If": [name, any_of(), {"Fn::If": [chance.choice(("D", name)), any_of(), node]}]},
                {
                    "Fn::Join": [
                        any_of("", "|"),
                        [any_of(), node, any_of({"Fn::If": [name, "a", {"Ref": "AWS::NoValue"}]})],
                    ]
                },
                {"Fn::Split": [any_of("", ":", "\U00100000"), any_of("a:b")]},
                {"Fn::Select": [any_of(0, "1", 9), any_of([node, any_of()], {"Fn::Split": [any_of(":"), node]})]},
                {"Fn::Sub": any_of("${AWS::Region}/${A}", "${A.Arn}")},
                {"Fn::Sub": [any_of("${X}-${Y}-${AWS::Region}", "${X"), any_of({"X": node, "Y": any_of()})]},
                {"Fn::FindInMap": [any_of("M"), any_of("a"), any_of("b"), any_of({"DefaultValue": node})]},
                {"Fn::GetAtt": any_of("A.Arn", ["A", "Arn"], ["A", {"Ref": "B"}], [])},
                {"Ref": any_of("A", "")},
                {"Fn::ImportValue": node},
                {"Fn::Transform": {"Name": "Other", "Parameters": node}},
                {"Fn::Length": node},
                {"Fn::If": node},
            ]
        )


def _places(node: Json) -> Iterator[tuple[Any, Any, Json]]:
    """Every place in a node: what it is in, its key or index there, and the value."""
    stack = [node]
    while stack:
        current = stack.pop()
        items = (
            current.items() if isinstance(current, dict) else enumerate(current) if isinstance(current, list) else ()
        )
        for key, child in list(items):
            yield current, key, child
            stack.append(child)


def written(node: Json) -> str:
    """A node as JSON; values that JSON cannot contain are written too, for the comparison."""
    try:
        return json.dumps(node)
    except ValueError:  # More digits than Python writes.
        return str(sorted(map(id, (place[2] for place in _places(node)))))


def wrongs(event: Json, settings: Settings) -> tuple[str, list[str]]:
    """How an event is answered, and what is wrong with that."""
    before = written(event)
    found: list[str] = []
    try:
        answer = success(event, expand(event, settings))
    except TemplateError as error:
        answer = failure(event, str(error))
    except Exception:  # noqa: BLE001 - this is what is looked for.
        return "exception", [traceback.format_exc().strip().splitlines()[-1], traceback.format_exc()]
    if written(event) != before:
        found.append("the request was changed")
    try:
        json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        found.append(f"the answer cannot be encoded: {error}")
    if answer["status"] == "failure":
        message = answer["errorMessage"]
        found += [
            f"no path or no remedy: {line}" for line in message.split("\n") if ": " not in line or "; " not in line
        ]
        if len(message) > 2 * LONGEST_MESSAGE:
            found.append(f"a message of {len(message):,} characters")
        return "refused", found
    if _is_snippet(event):
        found += [f"changed: {path}" for path in changed_beside(event["fragment"], answer["fragment"])]
        return "snippet", found
    found += [f"changed: {path}" for path in changed(event["fragment"], answer["fragment"])]
    return "expanded" if answer["fragment"] is not event["fragment"] else "unchanged", found


def _is_snippet(event: Json) -> bool:
    return bool(event.get("params")) or "Resources" not in event["fragment"]


ROLE_ADDS = {
    "AssumeRolePolicyDocument",
    "Policies",
    "ManagedPolicyArns",
    "PermissionsBoundary",
    "Path",
    "RoleName",
    "Tags",
}


def changed_beside(before: Json, after: Json) -> Iterator[str]:
    """The properties beside a snippet that differ although nothing is added to them."""
    for name, node in before.items():
        kept = after.get(name)
        same = _is_extended(node, kept) if name == "Policies" else written(kept) == written(node)
        if not same and name not in (*ROLE_ADDS - {"Policies"}, PROPERTY):
            yield name


def _is_extended(before: Json, after: Json) -> bool:
    """Whether a list, in each branch of its `Fn::If` if it has one, is as before except for additions at its end."""
    if isinstance(before, list) and isinstance(after, list):
        return written(after[: len(before)]) == written(before)
    first, second = (node.get("Fn::If") if isinstance(node, dict) else None for node in (before, after))
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second) == 3:
        return bool(first[0] == second[0]) and all(map(_is_extended, first[1:], second[1:]))
    return before in (None, {"Ref": "AWS::NoValue"}) or written(before) == written(after)


def changed(before: Json, after: Json) -> Iterator[str]:
    """The places of a template that differ although they do not concern a spec."""
    for name, node in before.items():
        if name == "Resources":
            continue
        kept = after.get(name)
        if name == "Conditions" and isinstance(node, dict) and isinstance(kept, dict):
            kept = {key: kept.get(key) for key in node}
        if written(kept) != written(node):
            yield name
    if [name for name in after if name in before] != list(before):
        yield "order of the sections"
    old, new = before.get("Resources"), after.get("Resources")
    if not isinstance(old, dict) or not isinstance(new, dict):
        if written(old) != written(new):
            yield "Resources"
        return
    if [name for name in new if name in old] != list(old):
        yield "order of the resources"
    for name, node in old.items():
        if written(_without_spec(node)) != written(_without_spec(new.get(name), node)):
            yield f"Resources/{name}"


def _without_spec(node: Json, before: Json = None) -> Json:
    """A resource without what a spec may change in it, as far as its type shows that."""
    if not isinstance(node, dict):
        return node
    kept = dict(node)
    # What runs a task may have to wait for policies.
    waits = kept.pop("DependsOn", None)
    if before is not None and waits is not None and "DependsOn" in before:
        said = before["DependsOn"]
        listed = said if isinstance(said, list) else [said]
        if (waits if isinstance(waits, list) else [waits])[: len(listed)] != listed:
            kept["DependsOn"] = waits
    kind, properties = kept.get("Type"), kept.get("Properties")
    if kind == ROLE and isinstance(properties, dict):
        kept["Properties"] = {
            key: value for key, value in properties.items() if key not in {*ROLE_ADDS, "ExecutionRoleSpec"}
        }
        metadata = kept.pop("Metadata", None)
        if isinstance(metadata, dict):
            metadata = {key: value for key, value in metadata.items() if not key.startswith("EcsExecRole")}
        if metadata:
            kept["Metadata"] = metadata
    elif kind in TYPES and isinstance(properties, (dict, type(None))):
        kept["Properties"] = _without_role(
            {key: value for key, value in (properties or {}).items() if key != "ExecutionRoleSpec"}
        )
    return kept


def _without_role(node: Json) -> Json:
    if isinstance(node, dict):
        return {key: _without_role(child) for key, child in node.items() if key != "ExecutionRoleArn"}
    return [_without_role(child) for child in node] if isinstance(node, list) else node


def run(seed: int, count: int, *, progress: bool = False) -> Result:
    """Answers so many cases.

    Args:
        seed: of the random choices.
        count: how many cases.
        progress: whether to say every few seconds how far it is.
    """
    mutator = Mutator(seed, bases())
    answers: Counter[str] = Counter()
    findings: list[Finding] = []
    slowest, start = 0.0, time.monotonic()
    said = start
    for number in range(count):
        event, settings = mutator.case(number)
        before = time.process_time()
        how, found = wrongs(event, settings)
        taken = time.process_time() - before
        slowest = max(slowest, taken)
        if taken > SLOWEST:
            found.append(f"took {taken:.1f} s")
        answers[how] += 1
        findings += [Finding(number, what) for what in found]
        if progress and time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            rate = (number + 1) / (said - start)
            print(f"{number + 1:,} of {count:,}, {rate:,.0f} a second", file=sys.stderr, flush=True)
    return Result(answers, slowest, findings)


def main() -> None:
    """Run and print; ends with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description="Mutate events and check the properties of the macro's answers.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--case", type=int, help="print one case of the seed")
    arguments = parser.parse_args()
    if arguments.case is not None:
        event, settings = Mutator(arguments.seed, bases()).case(arguments.case)
        print(json.dumps(event, indent=1))
        print(settings)
        print(*wrongs(event, settings), sep="\n")
        return
    start = time.monotonic()
    result = run(arguments.seed, arguments.count, progress=True)
    rate = arguments.count / (time.monotonic() - start)
    print(f"{arguments.count:,} cases of seed {arguments.seed}, {rate:,.0f} a second")
    print(f"The slowest took {result.slowest:.2f} s")
    print(", ".join(f"{how}: {number:,}" for how, number in result.answers.most_common()))
    kinds = Counter(finding.what.splitlines()[0][:100] for finding in result.findings)
    for what, number in kinds.most_common(MOST_SHOWN):
        first = next(finding.case for finding in result.findings if finding.what.startswith(what))
        print(f"{number:>6,}  {what} (--seed {arguments.seed} --case {first})")
    print(f"Wrong: {len(result.findings):,}")
    sys.exit(1 if result.findings else 0)


if __name__ == "__main__":
    main()
