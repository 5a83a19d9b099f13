"""Each role allows exactly what its definitions need, in every setting of its conditions: decided by automata."""

from __future__ import annotations

import copy
import itertools
import json
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from scripts.prove import main
from tests.answers.test_event_roles import EVENTS, IMPORTS, OUTSIDE
from tests.answers.test_examples import EXAMPLES, source
from tests.support.cloudformation import Document, Stack, role_policies
from tests.support.examples import TIMES
from tests.support.golden_files import GOLDEN, answer_to
from tests.support.prove import Undecided, prove, prove_template, settings
from tests.support.prove.automata import Automaton, Pattern, exact, glob, literal
from tests.support.prove.grants import Grant, differences, read
from tests.support.prove.injections import NARROWINGS, WIDENINGS, Injection
from tests.support.prove.needs import Needs, needs
from tests.support.prove.proof import LACKING, TOO_WIDE, compare

from ecs_exec_role.protocol import respond

# test_events.py reports an event without its golden file.
ANSWERS: dict[str, Document] = {
    name: answer
    for name in EVENTS
    if (GOLDEN / f"{name}.json").exists() and (answer := answer_to(name))["status"] == "success"
}
PREFIX = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"


def stack_of(event: Document, fragment: Document) -> Stack:
    account, region = event["accountId"], event["region"]
    return Stack(fragment, event["templateParameterValues"], imports=IMPORTS, account=account, region=region)


def stacks(name: str) -> tuple[Stack, Stack]:
    """An event's template, and the golden answer's. A snippet is completed to a whole role."""
    event, answer = copy.deepcopy(EVENTS[name]), copy.deepcopy(ANSWERS[name]["fragment"])
    fragment = event["fragment"]
    if "Resources" not in fragment:
        role = {"Type": "AWS::IAM::Role", "Properties": {**fragment, "ExecutionRoleSpec": event["params"]}}
        fragment, answer = {"Resources": {"Role": role}}, {"Resources": {"Role": {**role, "Properties": answer}}}
    return stack_of(event, fragment), stack_of(event, answer)


# The proof


@pytest.mark.parametrize("name", ANSWERS)
def test_roles_of_a_golden_answer_allow_exactly_what_is_needed(name: str) -> None:
    assert prove(*stacks(name)) == []


@pytest.mark.parametrize("name", [name for name in ANSWERS if "Resources" in EVENTS[name]["fragment"]])
def test_roles_of_an_event_allow_exactly_what_is_needed_in_every_setting(name: str) -> None:
    event = EVENTS[name]
    parameters = event["fragment"].get("Parameters", {})
    given = {key: value for key, value in event["templateParameterValues"].items() if "Default" not in parameters[key]}
    place = {"region": event["region"], "account": event["accountId"]}
    proof = prove_template(event["fragment"], respond, given, imports=IMPORTS, **place)

    assert (proof.findings, proof.refused, proof.impossible) == ({}, {}, [])
    assert proof.settings == proof.possible


@pytest.mark.parametrize("name", EXAMPLES)
def test_roles_of_an_example_allow_exactly_what_is_needed_in_every_setting(name: str) -> None:
    proof = prove_template(source(name), respond)

    assert (proof.findings, proof.refused, proof.impossible, proof.one_sided) == ({}, {}, [], {})
    assert proof.settings == proof.possible
    assert proof.roles > 0


# What the proof finds


class Role(NamedTuple):
    """A golden role: what it needs, and its policies."""

    name: str
    needed: Needs
    documents: list[Document]


def golden_roles() -> Iterator[Role]:
    for name in ANSWERS:
        before, after = stacks(name)
        for logical_id, needed in needs(before).items():
            documents = role_policies(after, logical_id, OUTSIDE)
            if not list(compare(logical_id, needed, documents)):
                yield Role(f"{name}/{logical_id}", needed, documents)


@cache
def roles() -> tuple[Role, ...]:
    """Made by the first test that needs it, not by each process that collects the tests."""
    return tuple(role for role in golden_roles() if not role.name.startswith("overflow/"))


TRIED = 15 * TIMES
"""The maximum number of statements on which each injection is tried, evenly from all roles."""

UNNOTICED = {
    "efs/AskedExecutionRole: MountFileSystems": "mounting as root, which the role may too, includes it",
    "explicit/WebExecutionRole: LocateEnvironmentFiles": "the FireLens configuration lies in the same bucket",
    "explicit/WebExecutionRole: LocateFireLensConfigs": "the environment file lies in the same bucket",
    "gmsa/DomainlessExecutionRole: LocateCredentialSpecs": "AWS documents it, and the agent does not call it",
    "gmsa/OlderExecutionRole: LocateCredentialSpecs": "AWS documents it, and the agent does not call it",
}
"""Statements that a role can lose without a change of what it must allow, and why."""

OVERLAPPING = "efs/AskedExecutionRole: MountFileSystemsAsRoot"
"""Another statement has the actions of this one, except for one action."""


def injected(role: Role, inject: Injection, seen: set[str]) -> Iterator[tuple[Any, list[Document]]]:
    """The role's policies with one statement changed, for each statement that the injection applies to."""
    statements = [statement for document in role.documents for statement in document["Statement"]]
    for index, statement in enumerate(statements):
        changed = inject(statement)
        if changed is not None and (text := json.dumps(statement)) not in seen:
            seen.add(text)
            yield statement.get("Sid"), [{"Statement": [*statements[:index], changed, *statements[index + 1 :]]}]


@pytest.mark.parametrize("kind", WIDENINGS)
def test_a_widened_statement_is_found(kind: str) -> None:
    assert missed(WIDENINGS[kind], TOO_WIDE) == []


@pytest.mark.parametrize("kind", NARROWINGS)
def test_a_narrowed_statement_is_found(kind: str) -> None:
    assert missed(NARROWINGS[kind], LACKING) == []


def test_a_dropped_statement_is_found() -> None:
    found: dict[str, set[str]] = {}
    for role in roles():
        statements = [statement for document in role.documents for statement in document["Statement"]]
        for index, statement in enumerate(statements):
            rest: list[Document] = [{"Statement": [*statements[:index], *statements[index + 1 :]]}]
            verdicts = {finding.verdict for finding in compare(role.name, role.needed, rest)}
            found[f"{role.name}: {statement.get('Sid')}"] = verdicts

    assert {name for name, verdicts in found.items() if not verdicts} == set(UNNOTICED)
    assert all(verdicts <= {LACKING} for verdicts in found.values())
    assert len(found) > 80


def missed(inject: Injection, verdict: str) -> list[str]:
    """The places where an injection was not found. It must apply to at least one golden statement.

    A statement that several roles have is tried in the first of them.
    """
    found: dict[str, set[str]] = {}
    seen: set[str] = set()
    possible = [(role, *one) for role in roles() for one in injected(role, inject, seen)]
    for role, sid, documents in possible[:: len(possible) // TRIED + 1]:
        verdicts = {finding.verdict for finding in compare(role.name, role.needed, documents)}
        found[f"{role.name}: {sid}"] = verdicts
    assert found
    excused = {*UNNOTICED, OVERLAPPING} if verdict == LACKING else set()
    return sorted(name for name, verdicts in found.items() if verdict not in verdicts and name not in excused)


def test_a_witness_says_what_is_allowed_and_not_needed() -> None:
    (role,) = (role for role in golden_roles() if role.name == "overflow/BigExecutionRole")
    text = json.dumps(role.documents).replace("setting-7-??????", "setting-7-*", 1)
    (finding,) = compare("BigExecutionRole", role.needed, json.loads(text))

    said = f"BigExecutionRole: allowed, not needed: secretsmanager:getsecretvalue on {PREFIX}big/part-"
    assert re.fullmatch(rf"{said}\d/setting-7- \(ReadSecrets\d?\)", str(finding))


def test_the_proof_says_what_is_lacking() -> None:
    before, after = stacks("create-group")
    del after.fragment["Resources"]["WebExecutionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][1]

    group = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/new"
    assert list(map(str, prove(before, after))) == [
        f"WebExecutionRole: needed, not allowed: logs:createloggroup on {group}{end} (create /ecs/new)"
        for end in (":", "")
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"Condition": {}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}},
        {"Principal": {"Service": ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com"]}},
        {"Principal": "*"},
    ],
    ids=json.dumps,
)
def test_a_trust_policy_that_others_can_use_is_found(change: Document) -> None:
    before, after = stacks("task-definition")
    trust = after.fragment["Resources"]["WebExecutionRole"]["Properties"]["AssumeRolePolicyDocument"]
    trust["Statement"][0] |= change

    assert TOO_WIDE in {finding.verdict for finding in prove(before, after)}


def test_a_role_that_is_not_there_is_found() -> None:
    before, after = stacks("task-definition")
    del after.fragment["Resources"]["WebExecutionRole"]

    assert [finding.verdict for finding in prove(before, after)] == [LACKING]


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}"},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"a:b": "c"}}},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"ForAllValues:StringLike": {"a:b": "c"}}},
    ],
    ids=json.dumps,
)
def test_a_statement_that_no_automaton_reads_must_be_the_authors_own(statement: Document) -> None:
    before, after = stacks("task-definition")
    spec = before.fragment["Resources"]["Web"]["Properties"]
    policies = after.fragment["Resources"]["WebExecutionRole"]["Properties"]["Policies"]
    policies[0]["PolicyDocument"]["Statement"].append(statement)

    assert [finding.verdict for finding in prove(before, after)] == [TOO_WIDE]
    spec["ExecutionRoleSpec"] = {"Statements": [statement]}
    assert prove(before, after) == []


# Settings


def test_every_combination_of_conditions_is_a_setting() -> None:
    template = {
        "Parameters": {
            "Stage": {"Type": "String", "AllowedValues": ["a", "b", "c"], "Default": "b"},
            "Size": {"Type": "String", "Default": "x"},
            "Free": {"Type": "String", "Default": "y"},
            "Open": {"Type": "String"},
        },
        "Conditions": {
            "Big": {"Fn::Or": [{"Fn::Equals": [{"Ref": "Size"}, "big"]}, {"Condition": "There"}]},
            "There": {"Fn::Equals": ["eu-west-1", {"Ref": "AWS::Region"}]},
        },
    }
    found, total = settings(template, {"Open": "z"})

    assert len(found) == total == 3 * 3 * 2
    assert str(found[0]) == "Free=y, Open=z, Size=x, Stage=b, us-east-1"
    assert len(set(map(str, found))) == total
    assert {setting.parameters["Size"] for setting in found} == {"x", "big", "no Size"}


def test_of_too_many_settings_those_that_differ_in_one_value_are_taken_first() -> None:
    names = [f"P{i}" for i in range(12)]
    template = {"Parameters": {name: {"Type": "String", "AllowedValues": ["0", "1"], "Default": "0"} for name in names}}
    found, total = settings(template, most=20)

    assert (len(found), total) == (20, 2**12)
    assert {sum(value == "1" for value in setting.parameters.values()) for setting in found[:13]} == {0, 1}


def test_a_setting_that_the_macro_refuses_is_reported_with_its_message() -> None:
    template = {
        "Parameters": {"Image": {"Type": "String", "AllowedValues": ["nginx", ""]}},
        "Resources": {
            "Web": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {
                    "ExecutionRoleSpec": "Auto",
                    "ContainerDefinitions": [{"Name": "web", "Image": {"Ref": "Gone"}}],
                },
            }
        },
    }
    impossible = prove_template(template, respond)
    template["Resources"]["Web"]["Properties"]["ContainerDefinitions"] = [{"Name": "a", "Image": "a*b"}]  # type: ignore[index]
    refused = prove_template(template, respond)

    assert (impossible.settings, len(impossible.impossible)) == (0, 2)
    assert len(refused.refused) == 2


# The automata


def accepts(pattern: Pattern, word: str) -> bool:
    """The same pattern as a regular expression."""
    tokens = {"<any>": ".*", "<one>": "."}
    return re.fullmatch("".join(tokens.get(symbol) or re.escape(symbol) for symbol in pattern), word) is not None


def difference_of(required: Sequence[Pattern], known: Sequence[Pattern]) -> str | None:
    automaton = Automaton()
    word = automaton.witness(automaton.start([(frozenset(required),)]), automaton.start([(frozenset(known),)]))
    return None if word is None else "".join(word).removesuffix("<end>")


def test_the_automata_agree_with_all_short_words() -> None:
    words = ["".join(letters) for length in range(5) for letters in itertools.product("abc", repeat=length)]
    draw = random.Random(20)

    def unions() -> list[Pattern]:
        return [glob("".join(draw.choices("ab*?", k=draw.randint(0, 4)))) for _ in range(draw.randint(1, 3))]

    equal = 0
    for _ in range(250):
        required, known = unions(), unions()
        by_hand = [
            word
            for word in words
            if any(accepts(pattern, word) for pattern in required) and not any(accepts(each, word) for each in known)
        ]
        witness = difference_of(required, known)
        if witness is None:
            assert by_hand == [], (required, known)
            equal += 1
        else:
            assert any(accepts(pattern, witness) for pattern in required), (required, known)
            assert not any(accepts(pattern, witness) for pattern in known), (required, known)
            if by_hand:
                assert len(witness) == min(map(len, by_hand))
    assert 20 < equal < 230


@pytest.mark.parametrize(
    "required, known, witness",
    [
        (["a*"], ["a", "a?*"], None),
        (["a*"], ["a", "a??*"], "aa"),
        (["*"], ["?*"], ""),
        (["s-??????"], ["s-*"], None),
        (["s-*"], ["s-??????"], "s-"),
        (["${*}"], ["*"], None),
        (["*"], ["${*}"], ""),
        (["${$}{x"], ["?{x"], None),
    ],
)
def test_patterns_are_those_of_iam(required: list[str], known: list[str], witness: str | None) -> None:
    assert difference_of([glob(each) for each in required], [glob(each) for each in known]) == witness


def test_equality_takes_no_wildcard_and_still_reads_an_escaped_one() -> None:
    assert exact("a?${*}") == literal("a?*")
    with pytest.raises(Undecided, match="aws:username"):
        exact("${aws:username}")


def test_a_union_over_condition_values_is_decided_too() -> None:
    def decrypt(resource: str, *values: str) -> Grant:
        block = {"StringLike": {"kms:EncryptionContext:SecretARN": list(values)}}
        (grant,) = read(
            [{"Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": resource, "Condition": block}]}]
        ).grants
        return grant

    both, one, two = decrypt("key", "a", "b"), decrypt("key", "a"), decrypt("key", "b")

    assert differences([both], [one, two]) == differences([one, two], [both]) == []
    assert [each.request for each in differences([both], [one])] == [
        "kms:decrypt on key with kms:encryptioncontext:SecretARN=b"
    ]
    assert [each.request for each in differences([both], [one, decrypt("yek", "b")])] == [
        "kms:decrypt on key with kms:encryptioncontext:SecretARN=b"
    ]


def test_three_hundred_secrets_are_decided_in_no_more_states_than_their_patterns_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The work is counted, since the time depends on what else the machine does."""

    def grants(wrong: int = -1) -> list[Grant]:
        arns = [f"{PREFIX}team-{i % 7}/service-{i}/password" for i in range(300)]
        resources = frozenset(
            pattern
            for i, arn in enumerate(arns)
            for pattern in (literal(arn), glob(f"{arn}-*" if i == wrong else f"{arn}-??????"))
        )
        return [Grant("secrets", frozenset({literal("secretsmanager:getsecretvalue")}), resources)]

    single = [Grant("one", each.actions, frozenset({pattern})) for each in grants() for pattern in each.resources]
    monkeypatch.setattr(
        "tests.support.prove.automata.MOST_STATES", sum(len(each) for grant in single for each in grant.resources)
    )

    assert differences(grants(), single) == differences(single, grants()) == []
    assert [each.request.rpartition("/")[2] for each in differences(grants(217), single)] == ["password-"]


def test_what_takes_too_long_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a word has an `a` 20 characters before its end takes 2 to the 20th states."""
    monkeypatch.setattr("tests.support.prove.automata.MOST_STATES", 5_000)

    with pytest.raises(Undecided, match="more than 5000 states"):
        difference_of([glob(f"*a{'?' * 20}")], [glob(f"*{'?' * 21}")])


# The command


EXAMPLE = str(EXAMPLES["shared-role"])


def written(folder: Path, template: Document) -> str:
    path = folder / "template.json"
    path.write_text(json.dumps(template), encoding="utf-8")
    return str(path)


def definition(image: Any, **more: Any) -> Document:
    properties = {"ExecutionRoleSpec": "Auto", "ContainerDefinitions": [{"Name": "web", "Image": image}]}
    return {**more, "Resources": {"Web": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}}}


def test_the_command_proves_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([EXAMPLE]) == 0
    assert capsys.readouterr().out == "proved: 2 role(s) in 2 setting(s) allow exactly what is needed\n"


def test_the_command_names_a_condition_that_it_saw_one_way_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = {name: {"Type": "String", "Default": name} for name in ("One", "Other")}
    conditions = {"Same": {"Fn::Equals": [{"Ref": "One"}, {"Ref": "Other"}]}}
    path = written(tmp_path, definition("nginx", Parameters=two, Conditions=conditions))

    assert main([path]) == 0
    assert "note: the condition Same is false in every setting" in capsys.readouterr().out
    assert main([path, "--parameter", "Other=One"]) == 0
    assert "note: the condition Same is true in every setting" in capsys.readouterr().out


def test_the_command_prints_a_witness(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def too_wide(event: Document) -> Document:
        answer: Document = json.loads(json.dumps(respond(event)).replace("ecr:BatchGetImage", "ecr:*"))
        return answer

    monkeypatch.setattr("scripts.prove.respond", too_wide)

    assert main([EXAMPLE]) == 1
    assert "Role: allowed, not needed: ecr: on arn:" in capsys.readouterr().out


def test_the_command_says_what_it_cannot_decide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_parameter = definition({"Ref": "Image"}, Parameters={"Image": {"Type": "String"}})
    imported = definition({"Fn::ImportValue": "image"})
    expected = {
        "Parameters: [Image] must have values": [written(tmp_path, open_parameter)],
        "cannot tell which image": [written(tmp_path, imported), "--import-value", "image=nginx"],
        "1 of 2 settings were not tried": [EXAMPLE, "--settings", "1"],
    }
    written(tmp_path, open_parameter)
    assert main(expected["Parameters: [Image] must have values"]) == 3
    assert "Parameters: [Image] must have values" in capsys.readouterr().out
    assert main([written(tmp_path, open_parameter), "--parameter", "Image=nginx"]) == 0
    for said in ("cannot tell which image", "1 of 2 settings were not tried"):
        written(tmp_path, imported)
        assert main(expected[said]) == 3
        assert said in capsys.readouterr().out
    read = definition({"Ref": "Image"}, Parameters={"Image": {"Type": "AWS::SSM::Parameter::Value<String>"}})
    read["Parameters"]["Image"]["Default"] = "/web/image"
    assert main([written(tmp_path, read)]) == 3
    assert "No SSM parameter named /web/image" in capsys.readouterr().out
    assert main([written(tmp_path, read), "--ssm-parameter", "/web/image=nginx"]) == 3
    assert "cannot tell which image" in capsys.readouterr().out
    written(tmp_path, definition("nginx", Transform=["AWS::Serverless-2016-10-31", "EcsExecRole"]))
    assert main([str(tmp_path / "template.json")]) == 2
    assert "has the transform AWS::Serverless-2016-10-31" in capsys.readouterr().err
    assert main([str(tmp_path / "gone.yaml")]) == 2
    written(tmp_path, {"Resources": {}})
    assert main([str(tmp_path / "template.json")]) == 0
    assert "nothing to prove" in capsys.readouterr().out
