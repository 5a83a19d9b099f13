"""What the configuration of a FireLens container is granted."""

from __future__ import annotations

import pytest
from tests.support.cloudformation import (
    Document,
)
from tests.support.contract import (
    Grants,
    container,
    definition,
    inferred,
    one,
    task,
    template,
    warned,
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


OF_S3 = {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::config/fluent.conf"}


@pytest.mark.parametrize(
    "compatibilities, warned_of",
    [(["FARGATE"], True), (["EC2", "FARGATE"], True), (["EC2"], False), (None, False)],
)
def test_a_file_in_s3_is_a_warning_on_fargate(compatibilities: list[str] | None, warned_of: bool) -> None:
    more = {} if compatibilities is None else {"RequiresCompatibilities": compatibilities}
    firelens = container(FirelensConfiguration={"Type": "fluentbit", "Options": OF_S3})

    found = warned(template({"Task": task(firelens, spec={"KmsKeys": "None"}, **more)}))

    path = "Resources/Task/Properties/ContainerDefinitions/0/FirelensConfiguration/Options/config-file-type"
    assert found == ([("not-on-fargate", path)] if warned_of else [])


def test_a_type_that_is_known_at_deployment_may_be_s3() -> None:
    options = OF_S3 | {"config-file-type": {"Ref": "Kind"}}
    found = inferred(
        container(FirelensConfiguration={"Type": "fluentbit", "Options": options}),
        Parameters={"Kind": {"Type": "String"}},
        parameters={"Kind": "s3"},
    )
    assert ("s3:GetObject", "arn:aws:s3:::config/fluent.conf") in found


RUNNING: dict[str, Document] = {
    "a launch type": {"LaunchType": "FARGATE"},
    "a capacity provider": {"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]},
    "EC2": {"LaunchType": "EC2"},
}


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_that_runs_the_definition_on_fargate_counts(name: str) -> None:
    service = {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": {"Ref": "Task"}, **RUNNING[name]}}
    router = container(FirelensConfiguration={"Type": "fluentbit", "Options": OF_S3})
    codes = {code for code, _ in warned(one(router, more={"Service": service}))}
    assert ("not-on-fargate" in codes) == (name != "EC2")


def test_a_job_on_fargate_counts() -> None:
    router = container(FirelensConfiguration={"Type": "fluentbit", "Options": OF_S3})
    properties = {"PlatformCapabilities": ["FARGATE"], "EcsProperties": {"TaskProperties": [{"Containers": [router]}]}}
    job = definition("AWS::Batch::JobDefinition", **properties)
    assert "not-on-fargate" in {code for code, _ in warned(template({"Job": job}))}
