"""What owners of resources in other accounts must grant, as `explain` shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.command_line import Run

OWN = "111122223333"
OTHER = "444455556666"
ROOT = f"arn:aws:iam::{OWN}:root"
TEMPLATE = f"""\
Transform: EcsExecRole
Resources:
  Mine: {{Type: AWS::S3::Bucket}}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec:
        Images:
          - {{Repository: "arn:aws:ecr:us-east-1:{OTHER}:repository/hub/nginx", PullThroughCache: true}}
        Secrets:
          - Secret: arn:aws:secretsmanager:us-east-1:{OTHER}:secret:db-a1B2c3
            KmsKey: arn:aws:kms:us-east-1:{OTHER}:key/1
      ContainerDefinitions:
        - Name: web
          Image: {OTHER}.dkr.ecr.us-east-1.amazonaws.com/web:1
          EnvironmentFiles:
            - {{Type: s3, Value: "arn:aws:s3:::shared/a.env"}}
            - {{Type: s3, Value: !Sub "${{Mine.Arn}}/b.env"}}
        - Name: own
          Image: {OWN}.dkr.ecr.us-east-1.amazonaws.com/own:1
          Secrets: [{{Name: A, ValueFrom: "arn:aws:secretsmanager:us-east-1:{OWN}:secret:x"}}]
"""
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
STACK = ("--account", OWN, "--region", "us-east-1")


def owners(run: Run, *stack: str, template: str = TEMPLATE) -> dict[tuple[str, str], Any]:
    result = run("explain", "t.yaml", "--format", "json", *stack, template=template)
    assert result.exit_code == 0, result.output
    [report] = json.loads(result.stdout)
    return {(item["kind"], item["resource"]): item for item in report["roles"][0]["owners"]}


def allow(actions: list[str], resource: str = "") -> dict[str, Any]:
    found = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": actions}
    return {**found, "Resource": resource} if resource else found


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


ECR = f"arn:aws:ecr:us-east-1:{OTHER}"
SECRET = f"arn:aws:secretsmanager:us-east-1:{OTHER}:secret:db-a1B2c3"
WANTED = {
    ("Image", f"{ECR}:repository/web"): {
        "Type": "AWS::ECR::Repository",
        "Properties": {"RepositoryName": "web", "RepositoryPolicyText": policy(allow(PULL))},
    },
    ("Image", f"{ECR}:repository/hub/nginx"): {
        "Type": "AWS::ECR::RepositoryCreationTemplate",
        "Properties": {
            "Prefix": "hub",
            "AppliedFor": ["PULL_THROUGH_CACHE"],
            "RepositoryPolicy": json.dumps(policy(allow(PULL))),
        },
    },
    ("Cache", ECR): {
        "Type": "AWS::ECR::RegistryPolicy",
        "Properties": {
            "PolicyText": policy(
                allow(["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"], f"{ECR}:repository/hub/*")
            )
        },
    },
    ("Secret", SECRET): {
        "Type": "AWS::SecretsManager::ResourcePolicy",
        "Properties": {"SecretId": SECRET, "ResourcePolicy": policy(allow(["secretsmanager:GetSecretValue"], "*"))},
    },
    ("Key", f"arn:aws:kms:us-east-1:{OTHER}:key/1"): allow(["kms:Decrypt"], "*"),
    ("Bucket", "arn:aws:s3:::shared"): {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": "shared",
            "PolicyDocument": policy(
                allow(["s3:GetObject"], "arn:aws:s3:::shared/a.env"),
                allow(["s3:GetBucketLocation"], "arn:aws:s3:::shared"),
            ),
        },
    },
}


def test_each_owner_has_a_snippet(run: Run) -> None:
    found = owners(run, *STACK)
    assert {place: json.loads(item["snippet"]) for place, item in found.items()} == WANTED
    assert {item["account"] for place, item in found.items() if place[0] != "Bucket"} == {OTHER}


def test_without_an_account_it_says_that_it_may_be_the_stacks_own(run: Run) -> None:
    found = owners(run, "--region", "us-east-1")
    image = found["Image", f"arn:aws:ecr:us-east-1:{OWN}:repository/own"]
    assert image["text"].endswith("unless that account is the stack's own")
    assert "arn:aws:iam::ACCOUNT:root" in image["snippet"]


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_every_format_has_the_words_and_the_snippet(run: Run, form: str) -> None:
    result = run("explain", "t.yaml", "--format", form, *STACK, template=TEMPLATE)
    assert "Other accounts must grant" in result.stdout
    assert "AWS::ECR::RegistryPolicy" in result.stdout
    words = " ".join(result.stdout.replace("│", " ").split())
    assert f"account {OTHER} must allow kms:Decrypt to {ROOT} in the key" in words


def test_the_repositories_that_aws_keeps_for_all_need_nothing_of_an_owner(run: Run) -> None:
    hosts = ("906394416424.dkr.ecr.us-east-1", "840364872350.dkr.ecr.us-west-2")
    images = (f"{hosts[0]}.amazonaws.com/aws-for-fluent-bit:2", f"{hosts[1]}.amazonaws.com/aws-appmesh-envoy:v1")
    containers = "".join(f"        - {{Name: c{number}, Image: '{image}'}}\n" for number, image in enumerate(images))
    text = "Resources:\n  Web:\n    Type: AWS::ECS::TaskDefinition\n    Properties:\n      ContainerDefinitions:\n"
    result = run("explain", "t.yaml", *STACK, template=text + containers)
    assert "aws-appmesh-envoy" in result.stdout
    assert "Other accounts must grant" not in result.stdout
    result = run("explain", "t.yaml", *STACK, template=(text + containers).replace("aws-for-fluent-bit", "other"))
    assert "Other accounts must grant" in result.stdout


def test_a_template_with_nothing_of_others_says_nothing(run: Run) -> None:
    plain = f"""\
Transform: EcsExecRole
Resources:
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleSpec: Auto
      ContainerDefinitions: [{{Name: web, Image: "{OWN}.dkr.ecr.us-east-1.amazonaws.com/own:1"}}]
"""
    assert owners(run, *STACK, template=plain) == {}
    assert "Other accounts" not in run("explain", "t.yaml", *STACK, template=plain).stdout
