"""docs/features.md lists what each feature grants."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecs_exec_role.features import FEATURES
from ecs_exec_role.needs.feature import Feature

TEXT = (Path(__file__).parents[2] / "docs" / "features.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))

# Described in words, because another section has the full list.
PULL_ACTIONS = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.id)
def test_section_has_everything_that_is_granted(feature: Feature) -> None:
    assert feature.title in SECTIONS, f"docs/features.md has no section `{feature.title}`"
    section = SECTIONS[feature.title]
    assert feature.docs in section
    for key in feature.keys:
        assert f"`{key.name}" in section
    for grant in feature.grants:
        assert f"`{grant.sid}`" in section
        for action in grant.actions:
            assert f"`{action}`" in section or ("three pull actions" in section and action in PULL_ACTIONS)


def test_sections_are_those_of_features_in_their_order() -> None:
    assert list(SECTIONS)[:-1] == [feature.title for feature in FEATURES]
