from __future__ import annotations

from typing import Any

import pytest

from ecs_exec_role.offline import humanize

SECRETS = [
    {"Name": "A", "ValueFrom": "x"},
    {"Fn::If": ["C", {"Name": "B", "ValueFrom": {"Fn::Sub": ["${Z}", {"Z": "z"}]}}, {"Ref": "AWS::NoValue"}]},
]
DATA: dict[str, Any] = {
    "Resources": {
        "Task": {
            "Properties": {
                "ContainerDefinitions": [
                    {"Name": "web", "Secrets": SECRETS, "Image": {"Fn::Join": ["", ["a"]]}},
                    {"Fn::If": ["C", {"Name": "side", "Image": "x"}, {"Ref": "AWS::NoValue"}]},
                    {"Name": {"Ref": "P"}, "Image": "x"},
                    {"Image": "x"},
                ],
                "Volumes": [{"Name": "data", "EFSVolumeConfiguration": {}}],
                "ExecutionRoleSpec": {"Secrets": [{"Secret": "x"}]},
            }
        },
        "Other": {"Properties": {"ContainerDefinitions": {"Fn::If": ["C", [{"Name": "one", "Image": "x"}], []]}}},
        "Job": {"Properties": {"ContainerProperties": {"Image": "x"}}},
    }
}


@pytest.mark.parametrize(
    "path, who, what",
    [
        ("Resources/Task/Properties/ContainerDefinitions/0/Image", "container web", "Image"),
        ("Resources/Task/Properties/ContainerDefinitions/0/Image/Fn::Join/1/0", "container web", "Image"),
        ("Resources/Task/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom", "container web", "Secrets[0] A"),
        (
            "Resources/Task/Properties/ContainerDefinitions/0/Secrets/1/Fn::If/1/ValueFrom",
            "container web",
            "Secrets[1] B",
        ),
        (
            "Resources/Task/Properties/ContainerDefinitions/0/Secrets/1/Fn::If/1/ValueFrom/Fn::Sub/1/Z",
            "container web",
            "Secrets[1] B",
        ),
        ("Resources/Task/Properties/ContainerDefinitions/1/Fn::If/1/Image", "container side", "Image"),
        ("Resources/Task/Properties/ContainerDefinitions/2/Image", "container ${P}", "Image"),
        ("Resources/Task/Properties/ContainerDefinitions/3/Image", "container of Task", "Image"),
        ("Resources/Other/Properties/ContainerDefinitions/Fn::If/1/0/Image", "container one", "Image"),
        ("Resources/Job/Properties/ContainerProperties/Image", "container of Job", "Image"),
        ("Resources/Task/Properties/Volumes/0/EFSVolumeConfiguration", "volume data", "EFSVolumeConfiguration"),
        ("Resources/Task/Properties/ExecutionRoleSpec/Secrets/0/Secret", "Task ExecutionRoleSpec", "Secrets[0].Secret"),
        ("Resources/Nowhere/Properties/X/0/Y", "Nowhere", "X[0].Y"),
        ("Parameters/X", "Parameters/X", ""),
        ("", "template", ""),
    ],
)
def test_says_paths_in_words(path: str, who: str, what: str) -> None:
    assert humanize.whereabouts(DATA, path) == (who, what)


@pytest.mark.parametrize(
    "held, said",
    [
        (True, ""),
        (False, "never"),
        (("A", True, False), "A"),
        (("A", False, True), "not A"),
        (("A", ("B", True, False), False), "A and B"),
        (("A", True, ("B", True, False)), "A or not A and B"),
        (("A", ("B", True, ("C", True, False)), False), "A and (B or not B and C)"),
    ],
)
def test_says_conditions_in_words(held: Any, said: str) -> None:
    assert humanize.when(held) == said


def test_lines_are_in_their_order_and_each_is_there_once() -> None:
    assert humanize.lines([7]) == "line 7"
    assert humanize.lines([67, 60, 7, 60]) == "lines 7, 60, 67"
