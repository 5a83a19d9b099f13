"""`expand --from`: the role of a task definition in JSON."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scripts import task_definition_names
from tests.support.command_line import Run

from ecs_exec_role.cli.app import cli
from ecs_exec_role.features import CONTAINER_PROPERTIES, VOLUME_PROPERTIES
from ecs_exec_role.offline import task_definition, yaml_reader

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "task-definition-json.md").read_text(encoding="utf-8")

SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop"
WHOLE: dict[str, Any] = {
    "family": "web",
    "taskRoleArn": "arn:aws:iam::111122223333:role/task",
    "executionRoleArn": "arn:aws:iam::111122223333:role/ecsTaskExecutionRole",
    "containerDefinitions": [
        {
            "name": "web",
            "image": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1",
            "secrets": [
                {"name": "A", "valueFrom": f"{SECRET}/db-a1B2c3:password::"},
                {"name": "B", "valueFrom": "/shop/greeting"},
            ],
            "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::shop-config/web.env"}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/web",
                    "awslogs-region": "eu-west-1",
                    "awslogs-create-group": "true",
                    "tag": "{{.Name}}",
                },
            },
            "dockerLabels": {"image": "{{ x }}", "Secrets": "y"},
        },
        {
            "name": "router",
            "image": "private.example.com/router",
            "repositoryCredentials": {"credentialsParameter": f"{SECRET}/registry-a1B2c3"},
            "firelensConfiguration": {
                "type": "fluentbit",
                "options": {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::shop-config/fluent.conf"},
            },
            "logConfiguration": {
                "logDriver": "splunk",
                "options": {"splunk-url": "https://splunk.example.com"},
                "secretOptions": [{"name": "splunk-token", "valueFrom": f"{SECRET}/splunk-a1B2c3"}],
            },
        },
    ],
    "volumes": [
        {"name": "efs", "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0"}},
        {
            "name": "fsx",
            "fsxWindowsFileServerVolumeConfiguration": {
                "fileSystemId": "fs-0123456789abcdef1",
                "rootDirectory": "share",
                "authorizationConfig": {"credentialsParameter": f"{SECRET}/fsx-a1B2c3", "domain": "example.com"},
            },
        },
    ],
    "inferenceAccelerators": [{"deviceName": "device_1", "deviceType": "eia2.medium"}],
}

GRANTED = {
    "EcrAuthorization": ["*"],
    "PullImages": ["arn:aws:ecr:eu-central-1:111122223333:repository/shop/web"],
    "ReadRegistryCredentials": [f"{SECRET}/registry-a1B2c3"],
    "WriteLogs": ["arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/web:*"],
    "CreateLogGroups": [
        "arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/web",
        "arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/web:*",
    ],
    "ReadSecrets": [f"{SECRET}/db-a1B2c3", f"{SECRET}/splunk-a1B2c3"],
    "ReadParameters": ["arn:aws:ssm:eu-central-1:111122223333:parameter/shop/greeting"],
    "ReadEnvironmentFiles": ["arn:aws:s3:::shop-config/web.env"],
    "LocateEnvironmentFiles": ["arn:aws:s3:::shop-config"],
    "ReadFireLensConfigs": ["arn:aws:s3:::shop-config/fluent.conf"],
    "LocateFireLensConfigs": ["arn:aws:s3:::shop-config"],
    "DescribeFsxFileSystems": ["*"],
    "ReadFsxCredentials": [f"{SECRET}/fsx-a1B2c3"],
}

HERE = ("--region", "eu-central-1")
OF_AN_ACCOUNT = {"taskRoleArn": WHOLE["taskRoleArn"]}


def definition(**container: Any) -> dict[str, Any]:
    return {"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx", **container}]}


def save(value: Any, name: str = "taskdef.json") -> str:
    Path(name).write_text(value if isinstance(value, str) else json.dumps(value, indent=2), encoding="utf-8")
    return name


def granted(role: dict[str, Any]) -> dict[str, list[str]]:
    """The resources of each statement."""
    documents = [policy["PolicyDocument"] for policy in (*role.get("Policies", []), *role.get("ManagedPolicies", []))]
    statements = [statement for document in documents for statement in document["Statement"]]
    return {
        each["Sid"]: each["Resource"] if isinstance(each["Resource"], list) else [each["Resource"]]
        for each in statements
    }


# -- what is granted --------------------------------------------------------------------------------------------------


def test_every_feature_is_read(run: Run) -> None:
    result = run("expand", "--from", save(WHOLE), *HERE)
    assert result.exit_code == 0, result.output
    role = json.loads(result.stdout)
    assert granted(role) == GRANTED
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ecs:eu-central-1:111122223333:*"},
    }
    assert not re.search(r"AWS::|Fn::|\$\{", result.stdout)


def test_it_is_the_role_that_the_same_definition_gets_in_a_template(run: Run) -> None:
    save(WHOLE)
    whole = run("expand", "--from", "taskdef.json", "--as", "template", "--format", "json")
    made = json.loads(whole.stdout)["Resources"]["TaskDefinitionExecutionRole"]["Properties"]
    found = task_definition.read("taskdef.json")
    save(found.template.data, "template.json")
    expected = json.loads(run("expand", "template.json", "--format", "json").stdout)
    assert made == expected["Resources"]["TaskDefinitionExecutionRole"]["Properties"]


def test_describe_and_register_give_the_same(run: Run) -> None:
    arn = "arn:aws:ecs:eu-central-1:111122223333:task-definition/web:7"
    status = {"taskDefinitionArn": arn, "revision": 7, "status": "ACTIVE", "requiresAttributes": [{"name": "x"}]}
    described = {"taskDefinition": {**WHOLE, **status, "compatibilities": ["EC2"]}, "tags": []}
    registered = run("expand", "--from", save(WHOLE), *HERE)
    assert run("expand", "--from", save(described)).stdout == registered.stdout
    assert run("expand", "--from", "-", stdin=json.dumps(described)).stdout == registered.stdout
    assert run("expand", "--from", save(json.dumps(WHOLE), "taskdef.yaml"), *HERE).stdout == registered.stdout


def test_yaml_of_the_aws_cli_is_read(run: Run) -> None:
    text = "family: web\ncontainerDefinitions:\n- name: web\n  image: nginx\n  secrets:\n  - {name: A, valueFrom: /a}\n"
    result = run("expand", "--from", save(text, "taskdef.yaml"), *HERE, "--account", "111122223333")
    assert granted(json.loads(result.stdout)) == {
        "ReadParameters": ["arn:aws:ssm:eu-central-1:111122223333:parameter/a"],
    }


def test_a_task_that_needs_nothing_gets_the_trust_policy_alone(run: Run) -> None:
    result = run("expand", "--from", save(definition()), *HERE, "--account", "111122223333")
    assert (list(json.loads(result.stdout)), result.stderr) == (["AssumeRolePolicyDocument"], "")


def test_what_does_not_fit_inline_is_written_as_managed_policies(run: Run) -> None:
    secrets = [{"name": f"A{n}", "valueFrom": f"{SECRET}/{'x' * 80}{n:03}-a1B2c3"} for n in range(100)]
    result = run("expand", "--from", save(definition(secrets=secrets)), *HERE, "--account", "111122223333")
    role = json.loads(result.stdout)
    assert "ManagedPolicyArns" not in role
    assert role["ManagedPolicies"]
    arns = [arn for arns in granted(role).values() for arn in arns]
    assert sorted(arns) == sorted(secret["valueFrom"] for secret in secrets)
    template = yaml_reader.read(run("expand", "--from", "taskdef.json", "--as", "template").stdout)[0]
    assert isinstance(template, dict)
    kinds = {node["Type"] for node in template["Resources"].values()}
    assert kinds == {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"}


@pytest.mark.parametrize("region, partition", [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_partition_is_the_regions(run: Run, region: str, partition: str) -> None:
    save(definition(secrets=[{"name": "A", "valueFrom": "/a"}]))
    result = run("expand", "--from", "taskdef.json", "--region", region, "--account", "111122223333")
    arn = f"arn:{partition}:ssm:{region}:111122223333:parameter/a"
    assert granted(json.loads(result.stdout)) == {"ReadParameters": [arn]}


# -- the template -----------------------------------------------------------------------------------------------------


def test_template_has_the_role_alone_and_says_where_in_the_definition_it_is_needed(run: Run) -> None:
    result = run("expand", "--from", save({"taskDefinition": WHOLE}), "--as", "template")
    template = yaml_reader.read(result.stdout)[0]
    assert isinstance(template, dict)
    [(name, role)] = template["Resources"].items()
    assert template["Outputs"] == {"ExecutionRoleArn": {"Value": {"Fn::GetAtt": [name, "Arn"]}}}
    said = role["Metadata"]["EcsExecRole"]
    assert said["ReadSecrets"] == [
        "taskDefinition/containerDefinitions/0/secrets/0/valueFrom",
        "taskDefinition/containerDefinitions/1/logConfiguration/secretOptions/0/valueFrom",
    ]
    for path in [path for paths in said.values() for path in paths]:
        node: Any = {"taskDefinition": WHOLE}
        for key in path.split("/"):
            node = node[int(key)] if isinstance(node, list) else node[key]


def test_template_needs_neither_account_nor_region(run: Run) -> None:
    result = run("expand", "--from", save(definition(secrets=[{"name": "A", "valueFrom": "/a"}])), "--as", "template")
    assert result.exit_code == 0
    assert "!Sub arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/a" in result.stdout


# -- account and region -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((), "give --account and --region, or --as template"),
        (HERE, "give --account, or --as template"),
        (("--account", "111122223333"), "give --region, or --as template"),
    ],
)
def test_what_is_missing_is_asked_for(run: Run, arguments: tuple[str, ...], said: str) -> None:
    result = run("expand", "--from", save(definition()), *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_region_is_the_options_then_the_definitions_then_the_environments(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def source(*arguments: str) -> str:
        role = json.loads(run("expand", "--from", "taskdef.json", *arguments).stdout)
        arn: str = role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["ArnLike"]["aws:SourceArn"]
        return arn.split(":")[3]

    monkeypatch.setenv("AWS_REGION", "us-west-2")
    save({**definition(), "taskDefinitionArn": "arn:aws:ecs:eu-central-1:111122223333:task-definition/web:7"})
    assert source() == "eu-central-1"
    assert source("--region", "eu-west-1") == "eu-west-1"
    save(definition())
    assert source("--account", "111122223333") == "us-west-2"


def test_another_account_than_the_definitions_is_a_warning(run: Run) -> None:
    result = run("expand", "--from", save(WHOLE), *HERE, "--account", "444455556666")
    assert '"aws:SourceAccount": "444455556666"' in result.stdout
    assert (
        "warning: the role is made for the account 444455556666, but the task definition is of 111122223333"
        in result.stderr
    )


# -- the spec ---------------------------------------------------------------------------------------------------------


def test_spec_adds_what_the_definition_does_not_say(run: Run) -> None:
    save(definition())
    save("GuardDuty: true\nLogGroups: [/ecs/connect]\nRoleName: web-execution\n", "spec.yaml")
    result = run("expand", "--from", "taskdef.json", "--spec", "spec.yaml", *HERE, "--account", "111122223333")
    role = json.loads(result.stdout)
    assert role["RoleName"] == "web-execution"
    assert granted(role)["WriteLogs"] == ["arn:aws:logs:eu-central-1:111122223333:log-group:/ecs/connect:*"]
    guard_duty = "arn:aws:ecr:eu-central-1:323658145986:repository/aws-guardduty-agent-fargate"
    assert guard_duty in json.dumps(role)
    save("Starter\n", "spec.yaml")
    result = run("expand", "--from", "taskdef.json", "--spec", "spec.yaml", *HERE, "--account", "111122223333")
    managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    assert json.loads(result.stdout)["ManagedPolicyArns"] == [managed]


def test_remedy_of_the_warning_about_keys_can_be_followed(run: Run) -> None:
    save(WHOLE)
    first = run("expand", "--from", "taskdef.json", *HERE)
    assert "add `KmsKeys: None`" in first.stderr
    save("KmsKeys: None\n", "spec.yaml")
    second = run("expand", "--from", "taskdef.json", "--spec", "spec.yaml", *HERE)
    assert (second.stdout, second.stderr) == (first.stdout, "")


def test_without_a_spec_no_message_is_about_one_and_remedies_say_how_to_give_one(run: Run) -> None:
    cached = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/nginx:1"
    spec = "credentialspecdomainless:arn:aws:ssm:eu-central-1:111122223333:parameter/x"
    save(
        {
            **OF_AN_ACCOUNT,
            **definition(image=cached, credentialSpecs=[spec], secrets=[{"name": "A", "valueFrom": SECRET}]),
        }
    )
    first = run("expand", "--from", "taskdef.json", *HERE)
    lines = first.stderr.splitlines()
    assert [line.partition("warning: ")[0] for line in lines] == [
        "taskdef.json:7:7: containerDefinitions/0/image: ",
        "taskdef.json:9:9: containerDefinitions/0/credentialSpecs/0: ",
        "taskdef.json:1:1: ",
    ]
    assert all(line.endswith("; `--spec FILE` gives the spec") for line in lines)
    assert "template" not in first.stderr

    # The remedies, followed.
    added = re.findall("`((?:Images|CredentialSpecs|KmsKeys: None).*?)` ?(?:to|;)", first.stderr)
    save("\n".join(added).replace("…", SECRET) + "\n", "spec.yaml")
    second = run("expand", "--from", "taskdef.json", "--spec", "spec.yaml", *HERE)
    assert (second.exit_code, second.stderr) == (0, "")
    assert "BatchImportUpstreamImage" in second.stdout


def test_with_a_spec_a_message_names_its_file(run: Run) -> None:
    save({**OF_AN_ACCOUNT, **definition(secrets=[{"name": "A", "valueFrom": SECRET}])})
    save("GuardDuty: true\n", "spec.yaml")
    said = run("expand", "--from", "taskdef.json", "--spec", "spec.yaml", *HERE).stderr
    assert said.startswith("spec.yaml:1:1: warning: the task definition does not show which keys encrypt ")
    assert "--spec" not in said


def test_mistakes_of_the_spec_have_their_place(run: Run) -> None:
    save(definition())
    save("LogGroups: [a]\nSecretss: [x]\n", "spec.yaml")
    result = run("expand", "--from", "taskdef.json", "--spec", "spec.yaml", "--as", "template")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("spec.yaml:2:1: Secretss: unknown key `Secretss`; did you mean Secrets?")


@pytest.mark.parametrize(
    "text, said",
    [
        ("ExecutionRoleSpec: Auto\n", "has the key ExecutionRoleSpec; write what belongs behind it"),
        ("Preflight: true\n", "has Preflight, which checks a stack"),
    ],
)
def test_specs_that_belong_elsewhere_are_refused(run: Run, text: str, said: str) -> None:
    save(text, "spec.yaml")
    result = run("expand", "--from", save(definition()), "--spec", "spec.yaml", *HERE)
    assert result.exit_code == 2
    assert said in result.stderr


def test_what_only_cloudformation_knows_cannot_be_in_a_role_for_iam(run: Run) -> None:
    save("Secrets: [!ImportValue database]\n", "spec.yaml")
    save({**WHOLE, **definition()})
    result = run("expand", "--from", "taskdef.json", "--spec", "spec.yaml", *HERE)
    assert result.exit_code == 2
    assert "is only known to CloudFormation; write --as template" in result.stderr
    result = run("expand", "--from", "taskdef.json", "--spec", "spec.yaml", "--as", "template")
    assert result.exit_code == 0


# -- placeholders -----------------------------------------------------------------------------------------------------

IMAGE = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/web"


@pytest.mark.parametrize(
    "image",
    [
        f"{IMAGE}:{{{{ must_env `TAG` }}}}",
        f"{IMAGE}:v-{{{{ env `TAG` `latest` }}}}",
        f"{IMAGE}@{{{{ must_env `DIGEST` }}}}",
        f"{IMAGE}:${{TAG}}",
        f"{IMAGE}:<TAG>",
        f"{IMAGE}:{{{{ tfstate `a/b` }}}}",
    ],
)
def test_a_placeholder_in_a_tag_does_not_matter(run: Run, image: str) -> None:
    result = run("expand", "--from", save(definition(image=image)), *HERE, "--account", "111122223333")
    assert result.exit_code == 0, result.stderr
    assert granted(json.loads(result.stdout))["PullImages"] == ["arn:aws:ecr:eu-central-1:111122223333:repository/web"]


@pytest.mark.parametrize(
    "container, place",
    [
        ({"image": "{{ must_env `IMAGE` }}"}, "6:7: containerDefinitions/0/image"),
        ({"image": f"{IMAGE}-{{{{ must_env `STAGE` }}}}:1"}, "6:7: containerDefinitions/0/image"),
        ({"image": "{{ must_env `HOST` }}/web:1"}, "6:7: containerDefinitions/0/image"),
        ({"image": "localhost:{{ must_env `PORT` }}/web:1"}, "6:7: containerDefinitions/0/image"),
        ({"image": "<IMAGE1_NAME>"}, "6:7: containerDefinitions/0/image"),
        ({"image": "${IMAGE}"}, "6:7: containerDefinitions/0/image"),
        (
            {"secrets": [{"name": "A", "valueFrom": "{{ ssm `/x` }}"}]},
            "10:11: containerDefinitions/0/secrets/0/valueFrom",
        ),
        (
            {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/{{ env `A` `b` }}"}}},
            "10:11: containerDefinitions/0/logConfiguration/options/awslogs-group",
        ),
    ],
)
def test_a_placeholder_in_what_is_read_is_a_problem(run: Run, container: dict[str, Any], place: str) -> None:
    result = run("expand", "--from", save(definition(**container)), *HERE, "--account", "111122223333")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"taskdef.json:{place}: cannot tell what this names, because of the placeholder ")
    assert "ecspresso render taskdef | ecs-exec-role expand --from -" in result.stderr


def test_a_placeholder_in_what_is_not_read_is_left_alone(run: Run) -> None:
    container = {"environment": [{"name": "A", "value": "{{ must_env `A` }}"}], "command": ["<x>"]}
    result = run("expand", "--from", save(definition(**container)), *HERE, "--account", "111122223333")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_template_that_is_not_json_yet_is_to_be_rendered(run: Run) -> None:
    text = '{"family": "web", "cpu": {{ env `CPU` `256` }}, "containerDefinitions": []}'
    result = run("expand", "--from", save(text), *HERE)
    assert result.exit_code == 1
    assert result.stderr.startswith("taskdef.json:1:")
    assert "or render it first; with ecspresso: `ecspresso render taskdef |" in result.stderr


def test_jsonnet_is_to_be_rendered(run: Run) -> None:
    result = run("expand", "--from", save("local tag = '1';\n{ family: 'web' }\n", "taskdef.jsonnet"), *HERE)
    assert result.exit_code == 1
    assert "or render it first; with ecspresso: `ecspresso render taskdef |" in result.stderr


def test_terraforms_containers_are_read_as_the_message_says(run: Run) -> None:
    containers = definition(secrets=[{"name": "A", "valueFrom": "/a"}])["containerDefinitions"]
    assert run("expand", "--from", save(containers), "--as", "template").exit_code == 1
    result = run("expand", "--from", save({"containerDefinitions": containers}), "--as", "template")
    assert (result.exit_code, "parameter/a" in result.stdout) == (0, True)


# -- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, said",
    [
        ([], 'this is a list, not a task definition; write containers as {"containerDefinitions": […]}'),
        ("7", "this is a single value, not a task definition"),
        ({"family": "web"}, "this is not a task definition: it has no containerDefinitions"),
        ({"Resources": {}}, "this is CloudFormation; give a template without --from"),
        ({"ContainerDefinitions": []}, "this is CloudFormation; give a template without --from"),
        ({"containerDefinitions": []}, "this is not a task definition: it has no containerDefinitions"),
    ],
)
def test_what_is_not_a_task_definition_is_refused(run: Run, value: Any, said: str) -> None:
    result = run("expand", "--from", save(value), *HERE, "--account", "111122223333")
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


@pytest.mark.parametrize(
    "container, place",
    [
        ({"image": {"Fn::If": ["A", "nginx", f"{IMAGE}:1"]}}, "containerDefinitions/0/image"),
        ({"secrets": {"Fn::If": ["A", [], []]}}, "containerDefinitions/0/secrets"),
        ({"secrets": [{"name": "A", "valueFrom": {"Ref": "X"}}]}, "containerDefinitions/0/secrets/0/valueFrom"),
    ],
)
def test_functions_of_cloudformation_are_refused(run: Run, container: dict[str, Any], place: str) -> None:
    result = run("expand", "--from", save(definition(**container)), "--as", "template")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{place}: is a function of CloudFormation, which a task definition in JSON cannot have; " in result.stderr


def test_mistakes_have_their_place_in_the_definition(run: Run) -> None:
    secrets = [{"name": "A", "valueFrom": f"{SECRET}/*"}, {"name": "B", "valueFrom": ""}]
    result = run("expand", "--from", save({"taskDefinition": definition(secrets=secrets)}), "--as", "template")
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    assert first.startswith("taskdef.json:11:13: taskDefinition/containerDefinitions/0/secrets/0/valueFrom: ")
    assert second.startswith("taskdef.json:15:13: taskDefinition/containerDefinitions/0/secrets/1/valueFrom: ")
    assert "Resources/" not in result.stderr


def test_a_key_that_the_api_does_not_know_is_a_warning(run: Run) -> None:
    container = {"secretss": [{"name": "A", "valueFrom": "/a"}], "x": 1}
    result = run("expand", "--from", save(definition(**container)), *HERE, "--account", "111122223333")
    assert result.exit_code == 0
    first, second = result.stderr.splitlines()
    assert first.startswith("taskdef.json:7:7: containerDefinitions/0/secretss: warning: `secretss` is not a key")
    assert first.endswith("did you mean `secrets`?")
    assert second.endswith("check its spelling")


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((), "or give a task definition in JSON with --from FILE"),
        (("--as", "role", "t.yaml"), "--as and --spec need --from FILE"),
        (("--spec", "x", "t.yaml"), "--as and --spec need --from FILE"),
        (("--from", "taskdef.json", "t.yaml"), "--from takes no template"),
        (("--from", "taskdef.json", "--symbolic"), "--from takes no template, no parameters and no --symbolic"),
        (("--from", "taskdef.json", "--format", "yaml"), "IAM takes JSON; leave --format out, or add --as template"),
        (("--from", "gone.json"), "cannot read gone.json"),
        (("--from", "taskdef.json", "--spec", "gone.yaml"), "cannot read gone.yaml"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], said: str) -> None:
    save(definition())
    result = run("expand", *arguments, template="Resources: {}\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


# -- names ------------------------------------------------------------------------------------------------------------


def test_names_are_those_of_the_api_and_of_cloudformation() -> None:
    """If this fails, run `make task-definition-names`: the API or the resource type has changed."""
    assert task_definition_names.OUTPUT.read_text(encoding="utf-8") == task_definition_names.text()


def test_every_property_that_a_feature_reads_has_a_key() -> None:
    names = task_definition_names.names()
    for key, read in (("containerDefinitions", CONTAINER_PROPERTIES), ("volumes", VOLUME_PROPERTIES)):
        known = {value[0] if isinstance(value, list) else value for value in names[key][1].values()}
        # Names that only an Express Gateway service or a job of AWS Batch has.
        assert set(read) - known <= {"AwsLogsConfiguration", "EfsVolumeConfiguration"}


def test_definition_that_is_read_is_not_changed_in_its_maps(run: Run) -> None:
    found = task_definition.read(save(copy.deepcopy(WHOLE)))
    properties = found.template.data["Resources"]["TaskDefinition"]["Properties"]
    assert properties["ContainerDefinitions"][0]["DockerLabels"] == {"image": "{{ x }}", "Secrets": "y"}
    assert properties["Volumes"][0]["EFSVolumeConfiguration"] == {"FilesystemId": "fs-0123456789abcdef0"}
    assert properties["InferenceAccelerators"] == [{"DeviceName": "device_1", "DeviceType": "eia2.medium"}]


# -- the page ---------------------------------------------------------------------------------------------------------


def test_page_shows_what_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    [(arguments, shown)] = re.findall(
        r"^```console\n\$ ecs-exec-role (.*?)\n```\n\n```json\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL
    )
    assert CliRunner().invoke(cli, arguments.split()).stdout == shown


def test_other_commands_of_the_page_are_the_commands_options(run: Run) -> None:
    save(WHOLE)
    [spec] = re.findall(r"^```yaml\n# spec\.yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    save(spec, "spec.yaml")
    commands = re.findall(r"^(?:ecspresso render taskdef \| )?ecs-exec-role (expand .*?)(?: >.*)?$", PAGE, re.MULTILINE)
    assert len(commands) == 4
    for arguments in commands:
        result = run(*arguments.split(), stdin=json.dumps(WHOLE))
        assert result.exit_code == 0, result.stderr
