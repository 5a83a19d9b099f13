"""The ARN that each service reads from each form in which a template names a resource."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.event import event

from ecs_exec_role.errors import Problems
from ecs_exec_role.services import ecr, efs, kms, logs, s3, secretsmanager, ssm
from ecs_exec_role.template.event import read
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import ESCAPE, MANY, ONE, SymbolicText, Symbols

RESOURCES = {
    "Repository": {"Type": "AWS::ECR::Repository"},
    "Group": {"Type": "AWS::Logs::LogGroup"},
    "Secret": {"Type": "AWS::SecretsManager::Secret"},
    "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/web/host"}},
    "Unnamed": {"Type": "AWS::SSM::Parameter"},
    "Key": {"Type": "AWS::KMS::Key"},
    "Files": {"Type": "AWS::EFS::FileSystem"},
    "Point": {"Type": "AWS::EFS::AccessPoint"},
    "Bucket": {"Type": "AWS::S3::Bucket"},
    "Influx": {"Type": "AWS::Timestream::InfluxDBInstance"},
}
SUB = "arn:${AWS::Partition}"
HERE = "${AWS::Region}:${AWS::AccountId}"


class Read:
    """What the services read from one value of a template with `RESOURCES`."""

    def __init__(self) -> None:
        template = read(event({"Resources": RESOURCES}))
        self.reader = Reader(template, Symbols(), Problems())

    def text(self, value: Any) -> SymbolicText:
        [alternative] = self.reader.text(value, path="Resources/Task")
        return alternative.text

    def written(self, arn: SymbolicText | None) -> Any:
        """An ARN as the policy has it, with wildcards and escapes as IAM writes them."""
        if arn is None:
            return None
        text = json.dumps(self.reader.symbols.render(arn), ensure_ascii=False)
        return json.loads(text.replace(MANY, "*").replace(ONE, "?").replace(ESCAPE, "${"))


@pytest.mark.parametrize(
    "value, arn",
    [
        ("/ecs/web", {"Fn::Sub": f"{SUB}:logs:{HERE}:log-group:/ecs/web"}),
        ({"Ref": "Group"}, {"Fn::GetAtt": ["Group", "Arn"]}),
        ({"Fn::GetAtt": ["Group", "Arn"]}, {"Fn::GetAtt": ["Group", "Arn"]}),
        ("arn:aws:logs:eu-west-1:111122223333:log-group:a:*", "arn:aws:logs:eu-west-1:111122223333:log-group:a"),
        ("arn:aws:logs:eu-west-1:111122223333:log-group:a", "arn:aws:logs:eu-west-1:111122223333:log-group:a"),
        ("arn:aws:sns:eu-west-1:111122223333:a", None),
    ],
)
def test_log_group(value: Any, arn: Any) -> None:
    found = Read()
    assert found.written(logs.read(found.reader, found.text(value), None)) == arn


def test_log_group_of_another_region_is_not_the_attribute_of_the_resource() -> None:
    found = Read()
    arn = logs.read(found.reader, found.text({"Ref": "Group"}), found.text("eu-west-1"))
    assert found.written(arn) == {"Fn::Sub": f"{SUB}:logs:eu-west-1:${{AWS::AccountId}}:log-group:${{Group}}"}


def test_streams_of_a_log_group_end_with_a_wildcard() -> None:
    found = Read()
    of_template = logs.named(found.reader, found.text({"Ref": "Group"}))
    by_name = logs.named(found.reader, found.text("/ecs/web"))
    assert found.written(logs.streams(of_template)) == {"Fn::GetAtt": ["Group", "Arn"]}
    assert found.written(logs.streams(by_name)) == {"Fn::Sub": f"{SUB}:logs:{HERE}:log-group:/ecs/web:*"}


@pytest.mark.parametrize(
    "value, kind, arn",
    [
        ("fs-1", "file-system", {"Fn::Sub": f"{SUB}:elasticfilesystem:{HERE}:file-system/fs-1"}),
        ("fsap-1", "access-point", {"Fn::Sub": f"{SUB}:elasticfilesystem:{HERE}:access-point/fsap-1"}),
        ({"Ref": "Files"}, "file-system", {"Fn::GetAtt": ["Files", "Arn"]}),
        ({"Fn::GetAtt": ["Point", "Arn"]}, "access-point", {"Fn::GetAtt": ["Point", "Arn"]}),
        ("arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-1", "file-system", None),
    ],
)
def test_efs(value: Any, kind: efs.Kind, arn: Any) -> None:
    found = Read()
    assert found.written(efs.read(found.reader, found.text(value), kind)) == arn


@pytest.mark.parametrize(
    "value, arn",
    [
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1", f"{SUB}:ecr:eu-west-1:111122223333:repository/web"),
        ("111122223333.dkr-ecr.eu-west-1.on.aws/web@sha256:0", f"{SUB}:ecr:eu-west-1:111122223333:repository/web"),
        ("public.ecr.aws/nginx/nginx", None),
    ],
)
def test_image(value: str, arn: str | None) -> None:
    found = Read()
    repository = ecr.read_uri(found.reader, found.text(value))
    assert found.written(repository and repository.arn) == (arn and {"Fn::Sub": arn})


def test_image_of_a_repository_of_the_template() -> None:
    found = Read()
    repository = ecr.read_uri(found.reader, found.text({"Fn::Sub": "${Repository.RepositoryUri}:1"}))
    assert repository is not None
    assert found.written(repository.arn) == {"Fn::GetAtt": ["Repository", "Arn"]}


@pytest.mark.parametrize(
    "value, arn",
    [
        ("/web/host", {"Fn::Sub": f"{SUB}:ssm:{HERE}:parameter/web/host"}),
        ("host", {"Fn::Sub": f"{SUB}:ssm:{HERE}:parameter/host"}),
        ("/aws/service/x", {"Fn::Sub": f"{SUB}:ssm:${{AWS::Region}}::parameter/aws/service/x"}),
    ],
)
def test_parameter_by_name(value: str, arn: Any) -> None:
    found = Read()
    assert [found.written(one) for one in ssm.named(found.reader, found.text(value)).arns] == [arn]


@pytest.mark.parametrize("name, arn", [("Parameter", "web/host"), ("Unnamed", "${Unnamed}")])
def test_parameter_of_the_template(name: str, arn: str) -> None:
    found = Read()
    parameter = ssm.by_reference(found.reader, found.text({"Ref": name}))
    assert parameter is not None
    assert [found.written(one) for one in parameter.arns] == [{"Fn::Sub": f"{SUB}:ssm:{HERE}:parameter/{arn}"}]


@pytest.mark.parametrize(
    "value, resources",
    [
        ({"Ref": "Secret"}, [{"Ref": "Secret"}]),
        ({"Fn::Sub": "${Secret}:password::"}, [{"Ref": "Secret"}]),
        (
            {"Fn::GetAtt": ["Influx", "InfluxAuthParametersSecretArn"]},
            [{"Fn::GetAtt": ["Influx", "InfluxAuthParametersSecretArn"]}],
        ),
        (
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db",
            [
                "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db",
                "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-??????",
            ],
        ),
        (
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-a1B2c3:password::",
            ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-a1B2c3"],
        ),
    ],
)
def test_secret(value: Any, resources: list[Any]) -> None:
    found = Read()
    secret = secretsmanager.read(found.reader, found.text(value))
    assert secret is not None
    assert [found.written(one) for one in secret.resources()] == resources


@pytest.mark.parametrize(
    "value, arn, alias",
    [
        ("1234abcd-12ab", {"Fn::Sub": f"{SUB}:kms:{HERE}:key/1234abcd-12ab"}, ""),
        ("alias/web", {"Fn::Sub": f"{SUB}:kms:{HERE}:key/*"}, "alias/web"),
        ("arn:aws:kms:eu-west-1:111122223333:key/k", "arn:aws:kms:eu-west-1:111122223333:key/k", ""),
    ],
)
def test_key(value: str, arn: Any, alias: str) -> None:
    found = Read()
    region = found.text({"Ref": "AWS::Region"})
    [key] = kms.read(found.reader.symbols, found.text(value), region)
    assert (found.written(key.arn), key.alias) == (arn, alias)


def test_key_that_aws_manages_needs_no_grant() -> None:
    found = Read()
    assert kms.read(found.reader.symbols, found.text("alias/aws/ssm"), found.text("eu-west-1")) == ()


def test_reference_to_a_key_gives_its_arn() -> None:
    found = Read()
    assert found.written(kms.arn_of_reference(found.reader, found.text({"Ref": "Key"}))) == {
        "Fn::GetAtt": ["Key", "Arn"]
    }


@pytest.mark.parametrize(
    "value, arn, bucket",
    [
        ("arn:aws:s3:::config/web.env", "arn:aws:s3:::config/web.env", "arn:aws:s3:::config"),
        ("arn:aws:s3:::config/a*", "arn:aws:s3:::config/a${*}", "arn:aws:s3:::config"),
        (
            {"Fn::Sub": "${Bucket.Arn}/web.env"},
            {"Fn::Sub": "${Bucket.Arn}/web.env"},
            {"Fn::GetAtt": ["Bucket", "Arn"]},
        ),
    ],
)
def test_s3_object(value: Any, arn: Any, bucket: Any) -> None:
    found = Read()
    item = s3.read(found.reader, found.text(value))
    assert item is not None
    assert (found.written(item.arn), found.written(item.bucket_arn)) == (arn, bucket)
