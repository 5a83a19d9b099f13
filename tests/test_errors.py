"""How a template is refused: every mistake at once, each on one line with its path and its remedy."""

from __future__ import annotations

import re

import pytest
from tests.support.cloudformation import (
    Document,
)
from tests.support.contract import (
    CONDITIONS,
    NO_VALUE,
    SPEC,
    container,
    one,
    refusal,
    refused,
    role,
    task,
    template,
)


def test_every_mistake_is_reported_at_once() -> None:
    fragment = template(
        {
            "A": task(container(Image={"Fn::ImportValue": "x"}), spec={"Image": ["x"], "Secrets": "x", "Infer": "no"}),
            "B": task(ExecutionRoleArn="arn:aws:iam::123456789012:role/x"),
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"ExecutionRoleSpec": {}}},
            "Role": role({"TaskDefinitions": ["Nothing"], "RoleName": "x"}),
        }
    )
    places = {
        "Resources/A/Properties/ExecutionRoleSpec/Image",
        "Resources/A/Properties/ExecutionRoleSpec/Secrets",
        "Resources/A/Properties/ExecutionRoleSpec/Infer",
        "Resources/A/Properties/ContainerDefinitions/0/Image",
        "Resources/B/Properties/ExecutionRoleSpec",
        "Resources/Topic/Properties/ExecutionRoleSpec",
        "Resources/Role/Properties/ExecutionRoleSpec/TaskDefinitions/0",
        "Resources/Role/Properties/ExecutionRoleSpec/RoleName",
    }
    lines = refused(fragment)
    assert {line.split(": ")[0] for line in lines} == places
    assert len(lines) == len(places)


@pytest.mark.parametrize(
    "fragment",
    [
        one(spec={"Image": ["x"]}),
        one(spec=3),
        one(container(Image={"Fn::ImportValue": "x"})),
        one(container(Secrets=[{"Name": "A", "ValueFrom": "/x:1"}])),
        one(spec={"Secrets": ["a*"]}),
        template({"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"ExecutionRoleSpec": {}}}}),
        template({"Role": role({"TaskDefinitions": ["X"]})}),
    ],
)
def test_line_says_where_what_is_wrong_and_what_to_write(fragment: Document) -> None:
    assert re.fullmatch(r"Resources/\w+/Properties/[^ ]+: [^;]+; .+", refusal(fragment))


def test_line_break_in_what_an_author_wrote_makes_no_line() -> None:
    assert len(refused(one(spec={"Ima\nges": ["x"]}))) == 1
    assert len(refused(one(spec={"Unresolved": "a\r\nb\u2028c"}))) == 1
    assert len(refused(one(container(Secrets=[{"Name": "A", "ValueFrom": "arn:aws:s3:::\n"}])))) == 1


def test_path_names_list_positions_and_branches() -> None:
    spec = {"Secrets": [{"Fn::If": ["C", "a", {"Secret": "b", "KmsKey": {"Fn::If": ["D", 3, NO_VALUE]}}]}]}
    line = refusal(one(spec=spec, **CONDITIONS))
    assert line.startswith(f"{SPEC}/Secrets/0/Fn::If/2/KmsKey/Fn::If/1: ")
