"""What a secret in Secrets Manager is granted, from a definition and from `Secrets`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.cloudformation import ACCOUNT, REGION
from tests.support.contract import (
    CONDITIONS,
    IMPORT,
    SECRET_RESOURCE,
    SECRETS,
    attribute,
    by_name,
    container,
    granted,
    one,
    physical,
    read,
    refusal,
    refusal_of,
    refused,
    value_from,
    with_secret,
)

WHOLE = [
    "db-a1B2c3",
    "prod/db-AbCdEf",
    "rds!cluster-01234567-89ab-cdef-0123-456789abcdef-x1Y2z3",
    "name-with-parts-0a1B2C",
]


AMBIGUOUS = [
    "db",
    "my-secret",
    "db-master",
    "app-config",
    "db-abc123",
    "db-123456",
    # A capital letter only at the beginning: a name can be a word like this.
    "db-Master",
    "db-a1B2c",
    "db-a1B2c34",
    "dba1B2c3",
]


@pytest.mark.parametrize("name", WHOLE)
def test_arn_that_is_certainly_complete_is_kept_as_it_is(name: str) -> None:
    assert value_from(f"{SECRETS}:{name}") == read(f"{SECRETS}:{name}")


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_arn_that_may_be_a_part_is_granted_with_and_without_its_suffix(name: str) -> None:
    assert value_from(f"{SECRETS}:{name}") == read(f"{SECRETS}:{name}", f"{SECRETS}:{name}-??????")


@pytest.mark.parametrize("tail", [":password::", ":password:AWSCURRENT:", "::AWSPREVIOUS:", ":::0123", ":::"])
def test_tail_of_a_secret_is_cut(tail: str) -> None:
    assert value_from(f"{SECRETS}:db-a1B2c3{tail}") == read(f"{SECRETS}:db-a1B2c3")
    assert value_from(f"{SECRETS}:db{tail}") == read(f"{SECRETS}:db", f"{SECRETS}:db-??????")


SECRET_REFERENCES: dict[str, Any] = {
    "Ref": {"Ref": "Secret"},
    "GetAtt": {"Fn::GetAtt": ["Secret", "Id"]},
    "Sub": {"Fn::Sub": "${Secret}"},
    "Sub with a key": {"Fn::Sub": "${Secret}:password::"},
    "Sub with a map": {"Fn::Sub": ["${S}:${Key}::", {"S": {"Ref": "Secret"}, "Key": "password"}]},
    "Join": {"Fn::Join": ["", [{"Ref": "Secret"}, ":password::"]]},
    "Join with colons": {"Fn::Join": [":", [{"Ref": "Secret"}, "password", "", ""]]},
    "attachment": {"Ref": "Attachment"},
    "If": {"Fn::If": ["C", {"Ref": "Secret"}, {"Fn::Sub": "${Secret}:password::"}]},
}


@pytest.mark.parametrize("name", SECRET_REFERENCES)
def test_secret_of_the_template_becomes_its_own_arn(name: str) -> None:
    more = {
        "Secret": SECRET_RESOURCE,
        "Attachment": {
            "Type": "AWS::SecretsManager::SecretTargetAttachment",
            "Properties": {"SecretId": {"Ref": "Secret"}},
        },
    }
    assert value_from(SECRET_REFERENCES[name], more=more, **CONDITIONS) == read(physical(more, "Secret"))


def test_secret_that_a_database_makes_is_known() -> None:
    more = {"Db": {"Type": "AWS::RDS::DBInstance", "Properties": {"MasterUserSecret": {"KmsKeyId": {"Ref": "Key"}}}}}
    more["Key"] = {"Type": "AWS::KMS::Key", "Properties": {}}
    arn = attribute(more, "Db", "MasterUserSecret.SecretArn")
    key = attribute(more, "Key", "Arn")
    value = {"Fn::Sub": "${Db.MasterUserSecret.SecretArn}:password::"}
    assert value_from(value, more=more) == read(arn) | {("kms:Decrypt", key)}


def test_secret_in_another_account_and_region() -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:210987654321:secret:db-a1B2c3"
    assert value_from(f"{arn}:password::") == read(arn)


def test_secret_by_pseudo_parameters_and_stack_parameters() -> None:
    value = {
        "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Stage}/db:user::"
    }
    required = read(f"{SECRETS}:prod/db", f"{SECRETS}:prod/db-??????")
    assert value_from(value, Parameters={"Stage": {"Type": "String", "Default": "prod"}}) == required


def test_secret_by_a_parameter_of_ssm_type_in_its_name_keeps_the_reference() -> None:
    value = {"Fn::Sub": f"{SECRETS}:${{Name}}"}
    sections = {"Parameters": {"Name": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/names/db"}}}
    found = value_from(value, stack={"ssm": {"/names/db": "prod"}}, **sections)
    assert found == read(f"{SECRETS}:prod", f"{SECRETS}:prod-??????")


def test_secret_behind_an_import_is_an_error_with_the_line_to_add() -> None:
    line = refusal(one(container(Secrets=[{"Name": "A", "ValueFrom": IMPORT}])))
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom: ")
    assert "Secrets: [!ImportValue shared]" in line
    assert "Parameters: [!ImportValue shared]" in line


def test_secret_is_declared_where_the_same_value_is_in_secrets() -> None:
    arn = f"{SECRETS}:db-a1B2c3"
    found = value_from(IMPORT, spec={"Secrets": [IMPORT]}, stack={"imports": {"shared": arn}})
    assert read(arn) <= found <= read(arn, f"{arn}-??????")


def test_dynamic_reference_in_the_name_of_a_secret_stays_there() -> None:
    value = f"{SECRETS}:{{{{resolve:ssm:/name}}}}:password::"
    required = f"{SECRETS}:{{{{resolve:ssm:/name}}}}"
    assert value_from(value) == read(required, f"{required}-??????")


SECRET_FORMS: dict[str, tuple[Any, set[tuple[str, str]]]] = {
    "name": ("prod/db", by_name("prod/db")),
    "full ARN": (f"{SECRETS}:prod/db-a1B2c3", read(f"{SECRETS}:prod/db-a1B2c3")),
    "partial ARN": (f"{SECRETS}:prod/db", by_name("prod/db")),
    "ARN that may be either": (f"{SECRETS}:my-secret", by_name("my-secret")),
    "ARN with a tail": (f"{SECRETS}:prod/db-a1B2c3:password::", read(f"{SECRETS}:prod/db-a1B2c3")),
    "Sub": ({"Fn::Sub": "${Stage}/db"}, by_name("prod/db")),
    "parameter": ({"Ref": "Stage"}, by_name("prod")),
    "mapping form": ({"Secret": "prod/db"}, by_name("prod/db")),
}


@pytest.mark.parametrize("form", SECRET_FORMS)
@pytest.mark.parametrize("key", ["Secrets", "RegistryCredentials"])
def test_secrets_may_be_named_in_every_form(key: str, form: str) -> None:
    value, required = SECRET_FORMS[form]
    assert granted({key: [value]}, Parameters={"Stage": {"Type": "String", "Default": "prod"}}) == required


@pytest.mark.parametrize("key", ["Secrets", "RegistryCredentials", "FsxCredentials"])
def test_secret_of_the_template_is_named_by_its_own_arn(key: str) -> None:
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret"}}
    required = read(physical(more, "Secret"))
    extra = {("fsx:DescribeFileSystems", "*")} if key == "FsxCredentials" else set()
    assert granted({key: [{"Ref": "Secret"}]}, more=more) == required | extra
    assert granted({key: [{"Secret": {"Ref": "Secret"}}]}, more=more) == required | extra


SECRET_ARN = f"{SECRETS}:prod/db-a1B2c3"


@pytest.mark.parametrize("given", ["prod/db", SECRET_ARN, f"{SECRET_ARN}:password::", f"{SECRETS}:prod/db"])
def test_secrets_entry_holds_for_every_form_of_a_value_known_at_deployment(given: str) -> None:
    found = granted({"Secrets": [IMPORT]}, stack={"imports": {"shared": given}})
    bare = given if given == "prod/db" else given.removeprefix(f"{SECRETS}:").partition(":")[0]
    assert found == read(f"{SECRETS}:{bare}", f"{SECRETS}:{bare}-??????")


@pytest.mark.parametrize("tail", [":password", ":password:", ":password:::"])
def test_a_tail_with_another_number_of_fields_is_refused_behind_a_reference_too(tail: str) -> None:
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret"}}
    assert "after the secret's name" in refusal_of(with_secret({"Fn::Sub": f"${{Secret}}{tail}"}), more=more)


@pytest.mark.parametrize(
    "value",
    [
        "{{resolve:secretsmanager:prod/db:SecretString:password}}",
        {"Fn::Join": ["", ["{{resolve:secretsmanager:", "prod/db", ":SecretString:password}}"]]},
        "{{resolve:ssm-secure:/prod/token:1}}",
    ],
)
def test_the_value_of_a_secret_is_refused_where_its_name_is_wanted(value: Any) -> None:
    assert "gives the value of a secret" in refusal_of(with_secret(value))
    lines = refused(one(spec={"Secrets": [value]}))
    assert "gives the value of a secret" in lines[0]


def test_an_attribute_that_secrets_do_not_have_is_refused() -> None:
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret"}}
    assert "write !Ref Secret" in refusal_of(with_secret({"Fn::GetAtt": ["Secret", "Arn"]}), more=more)


def test_an_empty_value_from_is_refused() -> None:
    assert "is empty" in refusal_of(with_secret(""))


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:${X}", "secret:db"),
        ("arn:${AWS::Partition}:secretsmanager:${X}", f"{REGION}:{ACCOUNT}:secret:db"),
        ("arn:${AWS::Partition}:${X}:${AWS::Region}:${AWS::AccountId}:secret:db", "secretsmanager"),
    ],
)
def test_an_arn_that_is_known_in_part(text: str, rest: str) -> None:
    value = {"Fn::Sub": [text, {"X": IMPORT}]}
    stack = {"imports": {"shared": rest}}
    assert granted({"Secrets": [value]}, stack=stack) == by_name("db")
    if rest != "secretsmanager":
        assert value_from(value, stack=stack) == by_name("db")


def test_an_arn_composed_from_the_fields_of_another() -> None:
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "db"}}}
    fields = {"Fn::Split": [":", {"Ref": "Secret"}]}
    taken = [{"Fn::Select": [number, fields]} for number in range(7)]
    value = {"Fn::Join": [":", [*taken[:3], "us-west-2", *taken[4:], "password", "", ""]]}
    there = physical(more, "Secret").replace(REGION, "us-west-2")
    assert value_from(value, more=more) == read(there)
    assert granted({"Secrets": [value]}, more=more) == read(there)


@pytest.mark.parametrize(
    "text",
    [
        "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret/db",
        "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:db",
        "arn:${AWS::Partition}:s3:::${AWS::StackName}/db",
        "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameterx",
        "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/",
        "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:document/${AWS::StackName}",
    ],
)
def test_an_arn_that_is_certainly_of_something_else_is_not_called_unknown(text: str) -> None:
    assert "is not the ARN of a secret or a parameter" in refusal_of(with_secret({"Fn::Sub": text}))


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Secret}",
        "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Secret}:password::",
        "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${Secret}",
        "/team/${Secret}",
    ],
)
def test_an_arn_instead_of_a_name_is_refused(text: str) -> None:
    line = refusal_of(with_secret({"Fn::Sub": text}), more={"Secret": SECRET_RESOURCE})
    assert "has `${Secret}`, which is an ARN, instead of a name" in line


def test_the_id_of_the_stack_is_not_a_name() -> None:
    assert "the ARN of the stack" in refusal_of(with_secret({"Ref": "AWS::StackId"}))
