"""The place in a template that needs what failed."""

from __future__ import annotations

import json
import textwrap
import time
from typing import Any

import pytest

from ecs_exec_role.diagnose.diagnosis import diagnose
from ecs_exec_role.diagnose.reason import Reason
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.macro_call import StackValues

HEAD = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
ARN = "eu-central-1:123456789012"


def one(text: str, template: str, stack: StackValues | None = None, **task: Any) -> Reason:
    said = json.dumps({"tasks": [{"stoppedReason": text, **task}]}) if task else text
    parsed = template_file.parse("t.yaml", textwrap.dedent(template))
    [reason] = diagnose(said, parsed, stack or StackValues("eu-central-1", "123456789012"))
    return reason


def paths(reason: Reason) -> list[str]:
    return [place.path.removeprefix("Resources/") for place in reason.places]


def secret(name: str, what: str = "because no identity-based policy allows the action") -> str:
    arn = f"arn:aws:secretsmanager:{ARN}:secret:{name}"
    return (
        f"{HEAD}unable to retrieve secret from asm: service call has been retried 1 time(s):"
        f" AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/r/1 is not authorized to perform:"
        f" secretsmanager:GetSecretValue on resource: {arn} {what}"
    )


TWO = """\
Resources:
  Database: {Type: AWS::SecretsManager::Secret}
  Cache: {Type: AWS::SecretsManager::Secret}
  Web:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      ExecutionRoleArn: !ImportValue role
      ContainerDefinitions:
        - {Name: app, Image: nginx, Secrets: [{Name: A, ValueFrom: !Ref Database}, {Name: B, ValueFrom: !Ref Cache}]}
        - {Name: side, Image: nginx, Secrets: [{Name: A, ValueFrom: !Ref Database}]}
  Worker:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ExecutionRoleArn: !ImportValue role
      ContainerDefinitions:
        - {Name: app, Image: nginx, Secrets: [{Name: A, ValueFrom: !Ref Database}]}
"""
APP = "Web/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom"
SIDE = "Web/Properties/ContainerDefinitions/1/Secrets/0/ValueFrom"
WORKER = "Worker/Properties/ContainerDefinitions/0/Secrets/0/ValueFrom"


def test_names_that_cloudformation_makes() -> None:
    """A secret's name begins with its logical ID; a family's name has it in the middle."""
    text = secret("Database-0f1e2d3c4b5a-AbCdEf")
    assert paths(one(text, TWO)) == [APP, SIDE, WORKER]
    family = f"arn:aws:ecs:{ARN}:task-definition"
    assert paths(one(text, TWO, taskDefinitionArn=f"{family}/shop-Worker-1A2B3C:1")) == [WORKER]
    assert paths(one(text, TWO, taskDefinitionArn=f"{family}/web:7")) == [APP, SIDE]
    other = one(text, TWO, taskDefinitionArn=f"{family}/batch:7")
    assert (paths(other), other.unplaced) == ([], "other-definition")


def test_the_container_and_the_json_key_choose() -> None:
    containers = [{"name": "side", "reason": secret("Database-0f1e2d3c4b5a-AbCdEf")}]
    assert paths(one("", TWO, containers=containers, taskDefinitionArn=f"arn:aws:ecs:{ARN}:task-definition/web:1")) == [
        SIDE
    ]
    keyed = TWO.replace("ValueFrom: !Ref Cache", 'ValueFrom: !Sub "${Database}:password::"')
    text = (
        f"{HEAD}unable to retrieve secret from asm: failed to fetch secret"
        f" arn:aws:secretsmanager:{ARN}:secret:Database-0f1e2d3c4b5a-AbCdEf from secrets manager: retrieved secret from"
        " Secrets Manager did not contain json key password"
    )
    reason = one(text, keyed)
    assert reason.code == "json-key-absent"
    assert "Web/Properties/ContainerDefinitions/0/Secrets/1/ValueFrom" in paths(reason)
    assert APP not in paths(reason)


def test_a_secret_that_nothing_asks_for() -> None:
    reason = one(
        secret("Queue-0f1e2d3c4b5a-AbCdEf"), TWO.replace("!Ref Database", "prod/db").replace("!Ref Cache", "c")
    )
    assert (paths(reason), reason.unplaced) == ([], "not-asked")


def test_a_role_that_is_not_in_the_template_is_not_judged() -> None:
    reason = one(secret("Database-0f1e2d3c4b5a-AbCdEf"), TWO)
    assert reason.granted is None
    adding = [remedy for remedy in reason.remedy if remedy.code == "add-statement"]
    assert {remedy.subject for remedy in adding} == {"r"}
    assert not any(remedy.path for remedy in adding)


def test_branches_and_parameters() -> None:
    template = """\
        Parameters: {Stage: {Type: String, Default: dev}}
        Conditions: {IsProd: !Equals [!Ref Stage, prod]}
        Resources:
          Web:
            Type: AWS::ECS::TaskDefinition
            Properties:
              Family: !Sub "${Stage}-web"
              ContainerDefinitions:
                - Name: app
                  Image: !If [IsProd, "123456789012.dkr.ecr.eu-central-1.amazonaws.com/web:1", "nginx:1"]
                  Secrets:
                    - !If [IsProd, {Name: A, ValueFrom: /prod/a}, {Name: A, ValueFrom: !Sub "/${Stage}/b"}]
        """
    text = f"{HEAD}unable to retrieve secrets from ssm: invalid parameters: /prod/a"
    base = "Web/Properties/ContainerDefinitions/0/Secrets/0/Fn::If"
    assert paths(one(text, template)) == [f"{base}/1/ValueFrom"]
    text = f"{HEAD}unable to retrieve secrets from ssm: invalid parameters: /test/b"
    assert paths(one(text, template, StackValues("eu-central-1", "", {"Stage": "test"}))) == [f"{base}/2/ValueFrom"]
    image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/web:1"
    text = f"CannotPullContainerError: failed to resolve ref {image}: not found"
    assert paths(one(text, template)) == ["Web/Properties/ContainerDefinitions/0/Image/Fn::If/1"]


@pytest.mark.parametrize(
    ("written", "image", "fits"),
    [
        ("nginx", "docker.io/library/nginx:latest", True),
        ("nginx:1.25", "docker.io/library/nginx:1.25", True),
        ("library/nginx:1.25", "registry-1.docker.io/library/nginx:1.25", True),
        ("team/app:1", "docker.io/team/app:1", True),
        ("team/app:1", "docker.io/other/app:1", False),
        ("public.ecr.aws/nginx/nginx:1", "public.ecr.aws/nginx/nginx:1", True),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/a/b@sha256:0f1e", "x", False),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b:1",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b:1",
            True,
        ),
    ],
)
def test_images(written: str, image: str, fits: bool) -> None:
    template = f"""\
        Resources:
          Web:
            Type: AWS::ECS::TaskDefinition
            Properties:
              ContainerDefinitions: [{{Name: app, Image: "{written}"}}, {{Name: b, Image: "registry.example/z:1"}}]
        """
    text = f"CannotPullContainerError: failed to resolve ref {image}: {image}: not found"
    assert paths(one(text, template)) == (["Web/Properties/ContainerDefinitions/0/Image"] if fits else [])


def test_jobs_of_batch() -> None:
    template = """\
        Resources:
          Job:
            Type: AWS::Batch::JobDefinition
            Properties:
              Type: container
              JobDefinitionName: nightly
              ContainerProperties:
                Image: nginx
                ExecutionRoleArn: arn:aws:iam::123456789012:role/r
                Secrets: [{Name: A, ValueFrom: /prod/a}]
        """
    text = f"{HEAD}unable to retrieve secrets from ssm: invalid parameters: /prod/a"
    job = {"jobId": "1", "jobDefinition": f"arn:aws:batch:{ARN}:job-definition/nightly:2", "statusReason": text}
    parsed = template_file.parse("t.yaml", textwrap.dedent(template))
    [reason] = diagnose(json.dumps({"jobs": [job]}), parsed)
    assert paths(reason) == ["Job/Properties/ContainerProperties/Secrets/0/ValueFrom"]


def test_the_tasks_own_region_counts() -> None:
    """With another region in the environment, the answer is the same."""
    user = "arn:aws:sts::123456789012:assumed-role/r/1"
    text = f"{HEAD}unable to retrieve secrets from ssm: AccessDeniedException: User: {user}"
    text += f" is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:{ARN}:parameter/a because"
    template = """\
        Resources:
          Web:
            Type: AWS::ECS::TaskDefinition
            Properties: {ContainerDefinitions: [{Name: app, Image: nginx, Secrets: [{Name: A, ValueFrom: /a}]}]}
        """
    task = f"arn:aws:ecs:{ARN}:task/c/1"
    assert len(one(text, template, StackValues("us-east-1", "111122223333"), taskArn=task).places) == 1
    assert len(one(text, template, StackValues()).places) == 1


@pytest.mark.parametrize(
    "words", ["EFS ", "operation error S3:", "CannotPull failed to resolve ref ", "\n", "Error: x\n"]
)
def test_long_texts_take_no_time(words: str) -> None:
    template = "Resources: {Web: {Type: AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: []}}}"
    started = time.process_time()
    diagnose(words * 5_000 + "x", template_file.parse("t.yaml", template))
    assert time.process_time() - started < 10


def test_deployed_names_choose() -> None:
    """The names in a stack that was read are known."""
    arn = f"arn:aws:secretsmanager:{ARN}:secret:made-up-AbCdEf"
    physical = {"Database": arn, "Cache": f"{arn}x", "Web": f"arn:aws:ecs:{ARN}:task-definition/f1:1"}
    physical["Worker"] = f"arn:aws:ecs:{ARN}:task-definition/f2:1"
    template = template_file.parse("t.yaml", TWO.replace("      Family: web\n", ""))
    for family, expected in (("f1", [APP, SIDE]), ("f2", [WORKER]), ("f3", [])):
        definition = f"arn:aws:ecs:{ARN}:task-definition/{family}:1"
        task = {"stoppedReason": secret("made-up-AbCdEf"), "taskDefinitionArn": definition}
        [reason] = diagnose(json.dumps(task), template, StackValues("eu-central-1", "123456789012"), physical)
        assert paths(reason) == expected


def test_a_secret_is_found_wherever_it_is_asked_for() -> None:
    """ECS says "retrieve secret from asm" for more than `Secrets`."""
    template = """\
        Parameters: {Login: {Type: String, Default: shared/registry}}
        Resources:
          Job:
            Type: AWS::Batch::JobDefinition
            Properties:
              Type: container
              ContainerProperties:
                Image: registry.gitlab.com/acme/etl
                RepositoryCredentials: {CredentialsParameter: !Ref Login}
                ExecutionRoleArn: arn:aws:iam::123456789012:role/r
                Secrets: [{Name: A, ValueFrom: /etl/a}, {Name: B, ValueFrom: !Sub "${Login}2"}]
        """
    at = "Job/Properties/ContainerProperties/RepositoryCredentials/CredentialsParameter"
    assert paths(one(secret("shared/registry-Ab12Cd"), template)) == [at]
    reason = one(secret("shared/another-Ab12Cd"), template)
    assert (paths(reason), reason.unplaced) == ([], "not-asked")
    # Where both ask for it, the words decide.
    both = template.replace(
        "ValueFrom: /etl/a", f"ValueFrom: 'arn:aws:secretsmanager:{ARN}:secret:shared/registry-Ab12Cd'"
    )
    both = both.replace("!Ref Login", f"'arn:aws:secretsmanager:{ARN}:secret:shared/registry-Ab12Cd'")
    assert paths(one(secret("shared/registry-Ab12Cd"), both)) == [
        "Job/Properties/ContainerProperties/Secrets/0/ValueFrom"
    ]


NO_KEY = (
    f"{HEAD}unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets"
    " Manager did not contain json key password"
)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("!Ref Database", False),
        (f"'arn:aws:secretsmanager:{ARN}:secret:db-AbCdEf:user::'", False),
        (f"'arn:aws:secretsmanager:{ARN}:secret:db-AbCdEf:password::'", True),
        ("!Sub '${Database}:password::'", True),
        ("!Sub '${Database}:user::'", False),
        # Only the deployment knows whether this has a JSON key.
        ("!ImportValue secret", False),
        (f"!Sub 'arn:${{AWS::Partition}}:secretsmanager:{ARN}:secret:db-AbCdEf:password::'", True),
        (f"!Sub 'arn:${{AWS::Partition}}:secretsmanager:{ARN}:secret:db-AbCdEf'", False),
    ],
)
def test_only_what_asks_for_the_json_key_is_a_place(value: str, found: bool) -> None:
    template = f"""\
        Parameters: {{Given: {{Type: String}}}}
        Resources:
          Database: {{Type: AWS::SecretsManager::Secret}}
          Web:
            Type: AWS::ECS::TaskDefinition
            Properties:
              ExecutionRoleArn: !ImportValue role
              ContainerDefinitions: [{{Name: app, Image: nginx, Secrets: [{{Name: A, ValueFrom: {value}}}]}}]
        """
    said = one(f"{NO_KEY}.", template)
    assert said.evidence.json_key == "password"
    assert (bool(said.places), said.unplaced) == (found, "" if found else "part-not-asked")
    # What has another key is a place only if the text was cut before the key's end.
    cut = one(NO_KEY.replace("password", "passw..."), template)
    assert not cut.evidence.json_key
    assert bool(cut.places) == (found or "user" in value)


def test_a_label_other_than_the_current_one_is_asked_for() -> None:
    said = "Secrets Manager can't find the specified secret value for staging label: AWS"
    text = f"{HEAD}unable to retrieve secret from asm: ResourceNotFoundException: {said}"
    assert paths(one(f"{text}CURRENT", TWO))
    reason = one(f"{text}PREVIOUS", TWO)
    assert (paths(reason), reason.unplaced) == ([], "part-not-asked")


def test_a_role_that_no_definition_has() -> None:
    text = "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/other' that was provided for this task."
    reason = one(text, TWO.replace("!ImportValue role", "arn:aws:iam::123456789012:role/r"))
    assert (paths(reason), reason.unplaced) == ([], "other-role")
