"""What an environment file in S3 is granted, from a definition and from `EnvironmentFiles`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import (
    ACCOUNT,
    REGION,
)
from tests.support.contract import (
    OTHERS,
    container,
    granted,
    inferred,
    one,
    refusal,
    refusal_of,
)


def test_environment_files_are_read_and_their_buckets_located() -> None:
    files = [{"Type": "s3", "Value": "arn:aws:s3:::config/a.env"}, {"Type": "s3", "Value": "arn:aws:s3:::config/b.env"}]
    assert inferred(container(EnvironmentFiles=files)) == {
        ("s3:GetObject", "arn:aws:s3:::config/a.env"),
        ("s3:GetObject", "arn:aws:s3:::config/b.env"),
        ("s3:GetBucketLocation", "arn:aws:s3:::config"),
    }


def test_literal_of_sub_stays_one() -> None:
    value = {"Fn::Sub": "arn:aws:s3:::config/${!x}/${AWS::Region}.env"}
    found = inferred(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]))
    # IAM would read `${x}` as a policy variable, so its dollar is escaped there.
    assert ("s3:GetObject", f"arn:aws:s3:::config/${{$}}{{x}}/{REGION}.env") in found


@pytest.mark.parametrize("key", ["a*b", "a?b", "a${b}c"])
def test_wildcards_in_an_objects_key_mean_themselves(key: str) -> None:
    escaped = key.replace("${", "\0").replace("*", "${*}").replace("?", "${?}").replace("\0", "${$}{")
    for value in (
        f"arn:aws:s3:::config/{key}",
        {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":s3:::config/{key}"]]},
    ):
        found = inferred(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]))
        assert ("s3:GetObject", f"arn:aws:s3:::config/{escaped}") in found


def test_unclosed_substitution_is_kept_as_it_is() -> None:
    value = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::config/a${b/", {"Ref": "AWS::Region"}]]}
    found = inferred(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]))
    assert ("s3:GetObject", f"arn:aws:s3:::config/a${{$}}{{b/{REGION}") in found


BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "config"}}


@pytest.mark.parametrize("key", ["EnvironmentFiles", "FireLensConfigs"])
@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:s3:::config/web.env",
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::config/web.env"},
        {"Fn::Sub": "${Bucket.Arn}/web.env"},
        {"Fn::Sub": "arn:aws:s3:::${Bucket}/web.env"},
        {"Fn::Join": ["/", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "web.env"]]},
        {"Object": "arn:aws:s3:::config/web.env"},
    ],
)
def test_object_is_read_and_its_bucket_located(key: str, value: Any) -> None:
    assert granted({key: [value]}, more={"Bucket": BUCKET}) == {
        ("s3:GetObject", "arn:aws:s3:::config/web.env"),
        ("s3:GetBucketLocation", "arn:aws:s3:::config"),
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("s3://bucket/app.env", "write arn:PARTITION:s3:::BUCKET/KEY"),
        ({"Fn::Sub": "${Bucket}/app.env"}, "write !Sub arn:${AWS::Partition}:s3:::${Bucket}/KEY"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "write !Sub ${Bucket.Arn}/KEY"),
        (f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/ap/object/x", "is not the ARN of an S3 object"),
    ],
)
def test_what_certainly_is_not_an_object_is_refused(value: Any, said: str) -> None:
    more = {"Bucket": {"Type": "AWS::S3::Bucket"}}
    assert said in refusal_of(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), more=more)


@pytest.mark.parametrize("value", [{"Ref": "Par"}, {"Fn::Sub": "${Sec}/app.env"}])
def test_an_environment_file_that_is_another_thing_is_refused(value: Any) -> None:
    web = container(EnvironmentFiles=[{"Type": "s3", "Value": value}])
    assert "write arn:PARTITION:s3:::BUCKET/KEY" in refusal_of(web, more=OTHERS)


def test_object_of_a_list_that_is_known_at_deployment() -> None:
    parameters = {"File": {"Type": "String"}}
    found = inferred(
        container(),
        spec={"EnvironmentFiles": [{"Ref": "File"}]},
        Parameters=parameters,
        parameters={"File": "arn:aws:s3:::config/web.env"},
    )
    assert found == {("s3:GetObject", "arn:aws:s3:::config/web.env"), ("s3:GetBucketLocation", "arn:aws:s3:::config")}


def test_dynamic_reference_in_a_list_is_refused() -> None:
    line = refusal(one(container(), spec={"EnvironmentFiles": ["{{resolve:ssm:/file}}"]}))
    assert "is a dynamic reference, which CloudFormation cannot split" in line
