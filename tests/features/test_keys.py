"""When a customer managed key may decrypt, and only for what."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.support.cloudformation import (
    ACCOUNT,
    REGION,
    Document,
    Stack,
)
from tests.support.contract import (
    CONDITIONS,
    IMPORT,
    KEY,
    KEYS,
    NO_VALUE,
    OTHER_ACCOUNT,
    PARAMETERS,
    SECRETS,
    attribute,
    by_name,
    container,
    event,
    expanded,
    granted,
    grants,
    inferred,
    listed,
    one,
    physical,
    read,
    statements,
    template,
    value_from,
    with_secret,
)

from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import Settings

ENCRYPTED_BUCKET: dict[str, Any] = {
    "Type": "AWS::S3::Bucket",
    "Properties": {
        "BucketName": "config",
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Ref": "Key"}}}
            ]
        },
    },
}


@pytest.mark.parametrize("value", [{"Fn::Sub": "${Bucket.Arn}/web.env"}, {"Fn::Sub": "arn:aws:s3:::${Bucket}/web.env"}])
def test_default_key_of_the_bucket_is_used(value: Any) -> None:
    more = {"Bucket": ENCRYPTED_BUCKET, "Key": KEY}
    fragment = expanded(one(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), more=more))
    decrypt = statements(fragment)["DecryptObjects"]
    assert decrypt["Resource"] == attribute(more, "Key", "Arn")
    assert decrypt["Condition"] == {
        "StringEquals": {
            "kms:ViaService": f"s3.{REGION}.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::config/web.env",
        }
    }


BUCKET, OBJECT = "arn:aws:s3:::config", "arn:aws:s3:::config/web.env"


@pytest.mark.parametrize(
    "enabled, contexts",
    [
        (True, {OBJECT, BUCKET}),
        ("true", {OBJECT, BUCKET}),
        ({"Ref": "Enabled"}, {OBJECT, BUCKET}),
        ({"Fn::If": ["C", True, False]}, {OBJECT, BUCKET}),
        (False, {OBJECT}),
        ("false", {OBJECT}),
        (None, {OBJECT}),
    ],
)
def test_a_bucket_key_decrypts_in_the_context_of_the_bucket_too(enabled: Any, contexts: set[str]) -> None:
    """Objects from before the bucket had it keep their own context; where it is not known, both are allowed."""
    bucket = copy.deepcopy(ENCRYPTED_BUCKET)
    [rule] = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    if enabled is not None:
        rule["BucketKeyEnabled"] = enabled
    more = {"Bucket": bucket, "Key": KEY}
    parameters = {"Enabled": {"Type": "String"}}
    value = {"Fn::Sub": "${Bucket.Arn}/web.env"}
    web = container(EnvironmentFiles=[{"Type": "s3", "Value": value}])
    fragment = expanded(one(web, more=more, Parameters=parameters, **CONDITIONS))

    condition = statements(fragment, parameters={"Enabled": "true"})["DecryptObjects"]["Condition"]

    assert set(listed(condition["StringEquals"]["kms:EncryptionContext:aws:s3:arn"])) == contexts


@pytest.mark.parametrize("place", ["encryption", "rule", "default"])
def test_default_key_of_the_bucket_follows_the_condition_of_its_encryption(place: str) -> None:
    def where(name: str, value: Any) -> Any:
        return {"Fn::If": ["C", value, NO_VALUE]} if place == name else value

    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": f"{KEYS}/0123"}
    rule = where("rule", {"ServerSideEncryptionByDefault": where("default", default)})
    encryption = where("encryption", {"ServerSideEncryptionConfiguration": [rule]})
    more = {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketEncryption": encryption}}}
    value = {"Fn::Sub": "${Bucket.Arn}/web.env"}
    fragment = expanded(one(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), more=more, **CONDITIONS))
    decryption = {("kms:Decrypt", f"{KEYS}/0123")}

    assert grants(fragment, conditions={"C": True}) & decryption == decryption
    assert grants(fragment, conditions={"C": False}) & decryption == set()


KEY_REFERENCES: dict[str, Any] = {
    "Ref": {"Ref": "Key"},
    "GetAtt": {"Fn::GetAtt": ["Key", "Arn"]},
    "alias": {"Ref": "Alias"},
    "alias by its name": "alias/mine",
    "Sub": {"Fn::Sub": "${Key}"},
    "ARN by parts": {"Fn::Sub": "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/${Key}"},
}


@pytest.mark.parametrize("form", KEY_REFERENCES)
def test_key_of_a_secret_of_the_template_is_used_for_that_secret_alone(form: str) -> None:
    more = {
        "Key": KEY,
        "Alias": {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/mine", "TargetKeyId": {"Ref": "Key"}}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": KEY_REFERENCES[form]}},
    }
    fragment = expanded(one(container(Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]), more=more))
    decrypt = statements(fragment)["DecryptSecrets"]
    assert decrypt["Action"] == "kms:Decrypt"
    assert decrypt["Resource"] == attribute(more, "Key", "Arn")
    assert decrypt["Condition"] == {
        "StringEquals": {
            "kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com",
            "kms:EncryptionContext:SecretARN": physical(more, "Secret"),
        }
    }


def test_secret_with_the_managed_key_needs_no_grant_on_it() -> None:
    for properties in ({}, {"KmsKeyId": "alias/aws/secretsmanager"}, {"KmsKeyId": NO_VALUE}):
        more = {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}
        assert value_from({"Ref": "Secret"}, more=more) == read(physical(more, "Secret"))


def test_key_under_a_condition_is_granted_under_that_condition() -> None:
    properties = {"KmsKeyId": {"Fn::If": ["C", f"{KEYS}/0123", NO_VALUE]}}
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}
    fragment = expanded(
        one(container(Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]), more=more, **CONDITIONS)
    )
    secret = Stack(fragment).physical("Secret").ref
    assert grants(fragment, conditions={"C": True}) == read(secret) | {("kms:Decrypt", f"{KEYS}/0123")}
    assert grants(fragment, conditions={"C": False}) == read(secret)


def test_via_service_in_china_allows_both_spellings() -> None:
    secret = f"arn:aws-cn:secretsmanager:cn-north-1:{ACCOUNT}:secret:db-a1B2c3"
    spec = {"Secrets": [{"Secret": secret, "KmsKey": "0123"}]}
    fragment = expanded(one(container(), spec=spec), region="cn-north-1")
    made = statements(fragment, region="cn-north-1")["DecryptSecrets"]
    assert set(made["Condition"]["StringEquals"]["kms:ViaService"]) == {
        "secretsmanager.cn-north-1.amazonaws.com",
        "secretsmanager.cn-north-1.amazonaws.com.cn",
    }


def test_aliases_that_name_each_other_do_no_harm() -> None:
    alias = {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/a", "TargetKeyId": {"Ref": "Other"}}}
    other = {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/b", "TargetKeyId": {"Ref": "Alias"}}}
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Alias"}}}
    more = {"Alias": alias, "Other": other, "Secret": secret}
    fragment = one(container(Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]), more=more)
    assert "TaskExecutionRole" in expanded(fragment)["Resources"]


def test_secret_with_a_key_is_declared_by_the_mapping_form() -> None:
    arn = f"{SECRETS}:db-a1B2c3"
    spec = {"Secrets": [{"Secret": IMPORT, "KmsKey": "0123"}]}
    found = value_from(IMPORT, spec=spec, stack={"imports": {"shared": arn}})
    assert read(arn) | {("kms:Decrypt", f"{KEYS}/0123")} <= found


KEY_FORMS: dict[str, Any] = {
    "ID": "0123",
    "ARN": f"{KEYS}/0123",
    "Sub": {"Fn::Sub": "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/0123"},
}


@pytest.mark.parametrize("key", KEY_FORMS.values(), ids=KEY_FORMS)
def test_key_of_a_secret_is_decrypted_only_through_secrets_manager_and_for_that_secret(key: Any) -> None:
    made = statements(expanded(one(spec={"Secrets": [{"Secret": f"{SECRETS}:db-a1B2c3", "KmsKey": key}]})))
    assert made["DecryptSecrets"] == {
        "Sid": "DecryptSecrets",
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": f"{KEYS}/0123",
        "Condition": {
            "StringEquals": {
                "kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com",
                "kms:EncryptionContext:SecretARN": f"{SECRETS}:db-a1B2c3",
            }
        },
    }


@pytest.mark.parametrize("form", ["Ref", "GetAtt"])
def test_key_of_the_template_is_named_by_its_own_arn(form: str) -> None:
    more = {"Key": {"Type": "AWS::KMS::Key"}}
    value = {"Ref": "Key"} if form == "Ref" else {"Fn::GetAtt": ["Key", "Arn"]}
    found = granted({"Secrets": [{"Secret": "db", "KmsKey": value}]}, more=more)
    assert found == by_name("db") | {("kms:Decrypt", Stack(template(more)).physical("Key").attributes["Arn"])}


@pytest.mark.parametrize("alias", ["alias/prod", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/prod"])
def test_alias_is_a_condition_since_iam_knows_none_as_a_resource(alias: str) -> None:
    made = statements(expanded(one(spec={"Parameters": [{"Parameter": "/db", "KmsKey": alias}]})))
    assert made["DecryptParameters"]["Resource"] == f"{KEYS}/*"
    assert made["DecryptParameters"]["Condition"] == {
        "StringEquals": {
            "kms:ViaService": f"ssm.{REGION}.amazonaws.com",
            "kms:EncryptionContext:PARAMETER_ARN": f"{PARAMETERS}/db",
        },
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/prod"},
    }


@pytest.mark.parametrize("key", ["alias/aws/secretsmanager", {"Fn::Sub": "alias/aws/secretsmanager"}])
def test_key_that_aws_manages_needs_no_grant(key: Any) -> None:
    assert granted({"Secrets": [{"Secret": "db", "KmsKey": key}]}) == by_name("db")


def test_secret_that_is_not_completely_known_is_compared_with_a_pattern() -> None:
    made = statements(expanded(one(spec={"Secrets": [{"Secret": "db", "KmsKey": "0123"}]})))
    assert made["DecryptSecrets"]["Condition"] == {
        "StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:SecretARN": [f"{SECRETS}:db", f"{SECRETS}:db-??????"]},
    }


def test_key_is_used_through_the_service_of_the_secrets_own_region() -> None:
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db-a1B2c3"
    key = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0123"
    made = statements(expanded(one(spec={"Secrets": [{"Secret": secret, "KmsKey": key}]})))["DecryptSecrets"]
    assert made["Resource"] == key
    assert made["Condition"]["StringEquals"]["kms:ViaService"] == "secretsmanager.eu-west-1.amazonaws.com"


def test_key_on_an_entry_is_for_what_is_inferred_too() -> None:
    arn = f"{SECRETS}:db-a1B2c3"
    needs = container(Secrets=[{"Name": "A", "ValueFrom": arn}])
    found = inferred(needs, spec={"Secrets": [{"Secret": arn, "KmsKey": "0123"}]})
    assert found == read(arn) | {("kms:Decrypt", f"{KEYS}/0123")}


@pytest.mark.parametrize("key", ["EnvironmentFiles", "FireLensConfigs"])
def test_key_of_an_object_is_decrypted_through_s3_for_that_object(key: str) -> None:
    spec = {key: [{"Object": "arn:aws:s3:::config/web.env", "KmsKey": f"{KEYS}/0123"}]}
    made = statements(expanded(one(spec=spec)))["DecryptObjects"]
    assert made["Resource"] == f"{KEYS}/0123"
    assert made["Condition"]["StringEquals"]["kms:ViaService"] == f"s3.{REGION}.amazonaws.com"
    # With an S3 Bucket Key the context is the bucket's ARN, and it is not known here which one it is.
    assert set(made["Condition"]["StringEquals"]["kms:EncryptionContext:aws:s3:arn"]) == {
        "arn:aws:s3:::config/web.env",
        "arn:aws:s3:::config",
    }


SECRET_ARN = f"{SECRETS}:prod/db-a1B2c3"


def test_a_reference_parameter_is_the_secret_of_its_own_region_with_that_secrets_key() -> None:
    more = {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}},
        "Own": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "own", "KmsKeyId": {"Ref": "Key"}}},
    }
    found = inferred(with_secret("arn:aws:ssm:us-west-2:123456789012:parameter/aws/reference/secretsmanager/other"))
    elsewhere = SECRETS.replace(REGION, "us-west-2")
    assert read(f"{elsewhere}:other", f"{elsewhere}:other-??????") <= found
    fragment = expanded(one(with_secret("/aws/reference/secretsmanager/own"), more=more))
    conditions = statements(fragment)["DecryptSecrets"]["Condition"]
    assert conditions["StringEquals"]["kms:ViaService"] == f"secretsmanager.{REGION}.amazonaws.com"
    assert conditions["StringLike"]["kms:EncryptionContext:SecretARN"] == [f"{SECRETS}:own", f"{SECRETS}:own-??????"]


def test_a_replica_is_decrypted_with_its_own_key() -> None:
    there = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/replica"
    properties = {"Name": "shared/db", "ReplicaRegions": [{"Region": "us-west-2", "KmsKeyId": there}]}
    more = {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}
    arn = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:shared/db"
    statement = statements(expanded(one(with_secret(arn), more=more)))["DecryptSecrets"]
    assert statement["Resource"] == there
    assert statement["Condition"]["StringEquals"]["kms:ViaService"] == "secretsmanager.us-west-2.amazonaws.com"


def test_a_key_by_its_id_is_one_of_the_secrets_account() -> None:
    arn = f"arn:aws:secretsmanager:{REGION}:{OTHER_ACCOUNT}:secret:x-a1B2c3"
    spec = {"Secrets": [{"Secret": arn, "KmsKey": "1234"}]}
    assert ("kms:Decrypt", f"arn:aws:kms:{REGION}:{OTHER_ACCOUNT}:key/1234") in granted(spec)
    spec = {"Secrets": [{"Secret": arn, "KmsKey": "alias/x"}]}
    assert ("kms:Decrypt", f"arn:aws:kms:{REGION}:{OTHER_ACCOUNT}:key/*") in granted(spec)


@pytest.mark.parametrize("given", ["1234", f"{KEYS}/1234"])
def test_a_key_known_at_deployment_may_be_an_id_or_an_arn(given: str) -> None:
    spec = {"Secrets": [{"Secret": "a", "KmsKey": IMPORT}]}
    assert ("kms:Decrypt", f"{KEYS}/1234") in granted(spec, stack={"imports": {"shared": given}})


def test_an_alias_known_at_deployment_never_becomes_a_resource() -> None:
    found = granted({"Secrets": [{"Secret": "a", "KmsKey": IMPORT}]}, stack={"imports": {"shared": "alias/x"}})
    assert all(resource.startswith("arn:") for _, resource in found)


def test_kms_keys_decrypt_each_thing_whose_key_is_not_shown_with_its_own_context() -> None:
    web = container(
        Secrets=[{"Name": "A", "ValueFrom": SECRET_ARN}, {"Name": "B", "ValueFrom": "/token"}],
        EnvironmentFiles=[{"Type": "s3", "Value": "arn:aws:s3:::settings/x.env"}],
    )
    found = statements(expanded(one(web, spec={"KmsKeys": [f"{KEYS}/one"]})))
    contexts = {
        (key, value)
        for sid in ("DecryptSecrets", "DecryptParameters", "DecryptObjects")
        for condition in found[sid]["Condition"].values()
        for key, values in condition.items()
        for value in (values if isinstance(values, list) else [values])
    }
    assert ("kms:EncryptionContext:SecretARN", SECRET_ARN) in contexts
    assert ("kms:EncryptionContext:PARAMETER_ARN", f"{PARAMETERS}/token") in contexts
    assert ("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::settings/x.env") in contexts
    assert {found[sid]["Resource"] for sid in found if sid.startswith("Decrypt")} == {f"{KEYS}/one"}


def test_no_key_is_granted_where_the_spec_says_that_there_is_none() -> None:
    assert not [action for action, _ in inferred(with_secret(SECRET_ARN), spec={"KmsKeys": "None"}) if "kms" in action]


CONDITIONAL: Document = {
    "Conditions": {"C": {"Fn::Equals": [{"Ref": "AWS::StackName"}, "x"]}, "N": {"Fn::Not": [{"Condition": "C"}]}}
}


def conditional(kind: str, condition: str, **properties: Any) -> Document:
    return {"Type": kind, "Condition": condition, "Properties": properties}


RULES = {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"KMSMasterKeyID": {"Ref": "Key"}}}]}
BY_NAME: dict[str, tuple[Document, Document]] = {
    "a secret": (
        with_secret(f"{SECRETS}:prod/db-a1B2c3"),
        conditional("AWS::SecretsManager::Secret", "C", Name="prod/db", KmsKeyId={"Ref": "Key"}),
    ),
    "an object": (
        container(EnvironmentFiles=[{"Type": "s3", "Value": "arn:aws:s3:::config/x.env"}]),
        conditional("AWS::S3::Bucket", "C", BucketName="config", BucketEncryption=RULES),
    ),
}


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("name", BY_NAME)
def test_the_key_of_what_is_named_is_granted_only_where_it_is_of_the_template(name: str, exists: bool) -> None:
    reading, resource = BY_NAME[name]
    more = {"Thing": resource, "Key": conditional("AWS::KMS::Key", "C")}
    found = inferred(reading, more=more, stack={"conditions": {"C": exists, "N": not exists}}, **CONDITIONAL)
    assert any(action == "kms:Decrypt" for action, _ in found) is exists
    assert any(action.endswith(("GetObject", "GetSecretValue")) for action, _ in found)


@pytest.mark.parametrize("exists", [True, False])
def test_an_alias_of_the_template_is_followed_only_where_it_exists(exists: bool) -> None:
    alias = conditional("AWS::KMS::Alias", "C", AliasName="alias/prod", TargetKeyId={"Ref": "Key"})
    more = {"Alias": alias, "Key": conditional("AWS::KMS::Key", "C")}
    spec = {"Secrets": [{"Secret": "db", "KmsKey": "alias/prod"}]}
    found = inferred(
        container(), spec=spec, more=more, stack={"conditions": {"C": exists, "N": not exists}}, **CONDITIONAL
    )
    [key] = [resource for action, resource in found if action == "kms:Decrypt"]
    assert (key == f"{KEYS}/*") is not exists


@pytest.mark.parametrize("exists", [True, False])
def test_each_of_two_secrets_that_exclude_each_other_has_its_key(exists: bool) -> None:
    more = {
        "One": conditional("AWS::SecretsManager::Secret", "C", Name="prod/db", KmsKeyId="one"),
        "Other": conditional("AWS::SecretsManager::Secret", "N", Name="prod/db", KmsKeyId="other"),
    }
    reading = with_secret(f"{SECRETS}:prod/db-a1B2c3")
    found = inferred(reading, more=more, stack={"conditions": {"C": exists, "N": not exists}}, **CONDITIONAL)
    assert {resource for action, resource in found if action == "kms:Decrypt"} == {
        f"{KEYS}/{'one' if exists else 'other'}"
    }
    assert not expand(event(one(reading, more=more, **CONDITIONAL)), Settings()).warnings


def test_the_key_of_a_secret_is_not_that_of_its_copy_in_a_region_to_which_it_is_not_replicated() -> None:
    secret = {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {
            "Name": "db",
            "KmsKeyId": "own",
            "ReplicaRegions": [{"Region": "eu-west-1", "KmsKeyId": "copy"}],
        },
    }
    for region, key in (("us-east-1", "own"), ("eu-west-1", "copy"), ("ap-south-1", "")):
        arn = f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:db"
        found = inferred(with_secret(arn), more={"Secret": secret})
        keys = {resource for action, resource in found if action == "kms:Decrypt"}
        assert keys == ({f"arn:aws:kms:{region}:{ACCOUNT}:key/{key}"} if key else set())


FORMS = {
    f"arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:key/abc": (f"arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:key/abc", "alias/:"),
    "abc": (f"{KEYS}/abc", "alias/:"),
    "alias/prod": (f"{KEYS}/", "alias/prod"),
    f"arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:alias/prod": (
        f"arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:key/arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:",
        "alias/prod",
    ),
}


@pytest.mark.parametrize("value", FORMS)
def test_a_key_that_is_known_at_deployment_is_granted_in_each_form(value: str) -> None:
    fragment = expanded(one(container(), spec={"Parameters": [{"Parameter": "/x", "KmsKey": IMPORT}]}))
    key, alias = FORMS[value]
    found = [each for sid, each in statements(fragment, imports={"shared": value}).items() if sid.startswith("Decrypt")]
    by_arn, by_alias = sorted(found, key=lambda each: "ForAnyValue:StringEquals" in each["Condition"])
    assert by_arn["Resource"] == key
    assert "alias" not in by_arn["Resource"]
    assert by_alias["Resource"].endswith(":key/*")
    assert by_alias["Condition"]["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": alias}


OWN_ALIAS = {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/own", "TargetKeyId": {"Ref": "Key"}}}
ELSEWHERE = {
    "another account": (f"arn:aws:secretsmanager:{REGION}:{OTHER_ACCOUNT}:secret:x-a1B2c3", OTHER_ACCOUNT, REGION),
    "another region": (f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:x-a1B2c3", ACCOUNT, "us-west-2"),
}


def decrypting(spec: Any, **others: Any) -> list[Document]:
    """The statements about keys of a role with a spec."""
    stack = others.pop("stack", {})
    fragment = expanded(one(container(), spec=spec, **others))
    return [each for sid, each in statements(fragment, **stack).items() if sid.startswith("Decrypt")]


@pytest.mark.parametrize("where", ELSEWHERE)
def test_an_alias_in_words_is_of_the_account_and_region_of_what_it_protects(where: str) -> None:
    secret, account, region = ELSEWHERE[where]
    more = {"Key": KEY, "Own": OWN_ALIAS}
    [found] = decrypting({"Secrets": [{"Secret": secret, "KmsKey": "alias/own"}]}, more=more)
    assert found["Resource"] == f"arn:aws:kms:{region}:{account}:key/*"
    assert found["Condition"]["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": "alias/own"}


@pytest.mark.parametrize("key", [{"Ref": "Key"}, {"Fn::GetAtt": ["Key", "KeyId"]}])
def test_the_key_of_a_replica_that_is_given_by_its_id_is_in_the_region_of_the_replica(key: Any) -> None:
    replica = {"Region": "us-west-2", "KmsKeyId": key}
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "db", "ReplicaRegions": [replica]}}
    more = {"Key": KEY, "Secret": secret}
    value = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:db"
    fragment = expanded(one(with_secret(value), more=more))
    found = statements(fragment)["DecryptSecrets"]
    assert found["Resource"] == f"arn:aws:kms:us-west-2:{ACCOUNT}:key/{physical(more, 'Key')}"


def test_the_key_of_a_replica_that_is_given_by_an_alias_of_the_template() -> None:
    replica = {"Region": "us-west-2", "KmsKeyId": {"Ref": "Own"}}
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "db", "ReplicaRegions": [replica]}}
    more = {"Key": KEY, "Own": OWN_ALIAS, "Secret": secret}
    fragment = expanded(one(with_secret(f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:db"), more=more))
    found = statements(fragment)["DecryptSecrets"]
    assert found["Resource"] == f"arn:aws:kms:us-west-2:{ACCOUNT}:key/*"
    assert found["Condition"]["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": "alias/own"}


@pytest.mark.parametrize("rest", ["alias/prod", "key/1234abcd-12ab-34cd-56ef-1234567890ab"])
@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("arn:aws:kms:${AWS::Region}:${AWS::AccountId}:${X}", ""),
        ("arn:${AWS::Partition}:kms:${X}", f"{REGION}:{ACCOUNT}:"),
    ],
)
def test_the_arn_of_a_key_of_which_only_the_beginning_is_known_may_be_an_alias(
    text: str, start: str, rest: str
) -> None:
    entry = {"Parameter": "/x", "KmsKey": {"Fn::Sub": [text, {"X": IMPORT}]}}
    found = decrypting({"Parameters": [entry]}, stack={"imports": {"shared": f"{start}{rest}"}})
    by_arn, by_alias = sorted(found, key=lambda each: "ForAnyValue:StringEquals" in each["Condition"])
    assert (by_arn["Resource"] == f"{KEYS}/{rest.removeprefix('key/')}") == rest.startswith("key/")
    assert not by_arn["Resource"].endswith(rest) or rest.startswith("key/")
    assert by_alias["Resource"] == f"{KEYS}/*"
    aliases = by_alias["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"]
    assert aliases == (rest if rest.startswith("alias/") else "alias/:")


def test_the_arn_of_an_alias_of_the_template_leads_to_its_key() -> None:
    text = "arn:aws:kms:${AWS::Region}:${AWS::AccountId}:${Own}"
    more = {"Key": KEY, "Own": OWN_ALIAS}
    [found] = decrypting({"Parameters": [{"Parameter": "/x", "KmsKey": {"Fn::Sub": text}}]}, more=more)
    assert found["Resource"] == attribute(more, "Key", "Arn")


@pytest.mark.parametrize("account, has_key", [(OTHER_ACCOUNT, True), (ACCOUNT, False), ("${AWS::AccountId}", False)])
def test_secret_of_another_account_is_said_to_have_a_customer_key(account: str, has_key: bool) -> None:
    """No other account can use the key that AWS manages for Secrets Manager."""
    value = {"Fn::Sub": f"arn:aws:secretsmanager:{REGION}:{account}:secret:shared-a1B2c3"}
    [warning] = expand(event(one(with_secret(value))), Settings()).warnings
    assert warning.fix.endswith("(a secret that another account shares always has such a key)") == has_key
