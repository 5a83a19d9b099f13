"""What the configuration of a FireLens container is granted."""

from __future__ import annotations

import pytest
from tests.support.cloudformation import (
    Document,
)
from tests.support.contract import (
    Grants,
    container,
    inferred,
)


@pytest.mark.parametrize(
    ("options", "required"),
    [
        (
            {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::config/fluent.conf"},
            {
                ("s3:GetObject", "arn:aws:s3:::config/fluent.conf"),
                ("s3:GetBucketLocation", "arn:aws:s3:::config"),
            },
        ),
        ({"config-file-type": "file", "config-file-value": "/fluent.conf"}, set()),
        ({"enable-ecs-log-metadata": "true"}, set()),
    ],
)
def test_firelens_with_a_file_in_s3(options: Document, required: Grants) -> None:
    assert inferred(container(FirelensConfiguration={"Type": "fluentbit", "Options": options})) == required
    assert inferred(container(FirelensConfiguration={"Type": "fluentbit"})) == set()
