"""What a credential spec is granted, from a definition and from `CredentialSpecs`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contract import (
    IMPORT,
    KEYS,
    PARAMETERS,
    Grants,
    by_name,
    container,
    fetch,
    granted,
    inferred,
    one,
    refusal,
    warned,
)


@pytest.mark.parametrize(
    ("spec", "required"),
    [
        (f"credentialspec:{PARAMETERS}/gmsa", fetch(f"{PARAMETERS}/gmsa")),
        (
            "credentialspec:arn:aws:s3:::gmsa/x.json",
            {("s3:GetObject", "arn:aws:s3:::gmsa/x.json"), ("s3:GetBucketLocation", "arn:aws:s3:::gmsa")},
        ),
        (f"credentialspecdomainless:{PARAMETERS}/gmsa", fetch(f"{PARAMETERS}/gmsa")),
        (
            {"Fn::Sub": "credentialspec:arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/g"},
            fetch(f"{PARAMETERS}/g"),
        ),
        ("credentialspec:file://gmsa.json", set()),
    ],
)
def test_credential_specs_are_read(spec: Any, required: Grants) -> None:
    assert inferred(container(CredentialSpecs=[spec])) == required


def test_credential_spec_is_declared_by_its_own_list() -> None:
    value = {"Fn::Join": ["", ["credentialspec:", IMPORT]]}
    line = refusal(one(container(CredentialSpecs=[value])))
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/CredentialSpecs/0: ")
    assert "CredentialSpecs" in line
    assert inferred(container(CredentialSpecs=[value]), spec={"Unresolved": "Ignore"}) == set()


def test_older_docker_security_options_say_credential_specs_too() -> None:
    options = ["no-new-privileges", f"credentialspec:{PARAMETERS}/gmsa"]
    assert inferred(container(DockerSecurityOptions=options)) == fetch(f"{PARAMETERS}/gmsa")


def test_credential_spec_in_a_parameter() -> None:
    found = granted({"CredentialSpecs": [f"credentialspec:{PARAMETERS}/gmsa"]})
    assert found == fetch(f"{PARAMETERS}/gmsa")


def test_credential_spec_in_s3() -> None:
    assert granted({"CredentialSpecs": ["credentialspec:arn:aws:s3:::gmsa/web.json"]}) == {
        ("s3:GetObject", "arn:aws:s3:::gmsa/web.json"),
        ("s3:GetBucketLocation", "arn:aws:s3:::gmsa"),
    }


def test_domainless_credential_spec_with_its_secret_and_key() -> None:
    entry = {"Spec": f"credentialspecdomainless:{PARAMETERS}/gmsa", "Secret": "gmsa", "KmsKey": "0123"}
    found = granted({"CredentialSpecs": [entry]})
    assert found == fetch(f"{PARAMETERS}/gmsa") | by_name("gmsa") | {("kms:Decrypt", f"{KEYS}/0123")}


@pytest.mark.parametrize("kind, codes", [("credentialspec", []), ("CredentialSpecDomainless", ["unseen-secret"])])
def test_secret_of_a_domainless_spec_is_asked_for(kind: str, codes: list[str]) -> None:
    value = f"{kind}:arn:aws:s3:::gmsa/web.json"
    found = warned(one(container(CredentialSpecs=[value]), spec={"KmsKeys": "None"}))
    assert [code for code, _ in found] == codes
    listed = {"CredentialSpecs": [{"Spec": value, "Secret": "gmsa"}], "KmsKeys": "None"}
    assert warned(one(container(CredentialSpecs=[value]), spec=listed)) == []


@pytest.mark.parametrize("value", ["arn:aws:s3:::gmsa/web.json", "gmsa", "credentialspec:gmsa"])
@pytest.mark.parametrize("where", ["definition", "spec"])
def test_what_is_not_a_credential_spec_is_refused(value: str, where: str) -> None:
    written = (
        one(container(CredentialSpecs=[value]))
        if where == "definition"
        else one(container(), spec={"CredentialSpecs": [value]})
    )
    assert "write credentialspec:ARN or credentialspecdomainless:ARN" in refusal(written)


def test_other_docker_security_options_are_left_alone() -> None:
    assert inferred(container(DockerSecurityOptions=["no-new-privileges", "label:user:credentialspec", "x:*"])) == set()
