"""How the tests of the contract call the macro and read its answer.

Everything goes through the Lambda handler, as CloudFormation would call it; what comes back is read by
`cloudformation`, which shares no code with the macro.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from tests.support.cloudformation import ACCOUNT, REGION, Document, Stack, role_policies
from tests.support.event import LambdaContext as LambdaContext  # noqa: PLC0414 - for the tests as well
from tests.support.event import event as event  # noqa: PLC0414

from ecs_exec_role import macro
from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import Settings

ARN = "arn:aws"
"""What the ARNs of the stack's own partition begin with."""
ECR = f"{ARN}:ecr:{REGION}:{ACCOUNT}:repository"
LOGS = f"{ARN}:logs:{REGION}:{ACCOUNT}:log-group"
SECRETS = f"{ARN}:secretsmanager:{REGION}:{ACCOUNT}:secret"
PARAMETERS = f"{ARN}:ssm:{REGION}:{ACCOUNT}:parameter"
KEYS = f"{ARN}:kms:{REGION}:{ACCOUNT}:key"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
NO_VALUE = {"Ref": "AWS::NoValue"}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
WRITE = {"logs:CreateLogStream", "logs:PutLogEvents"}
SECRET = "secretsmanager:GetSecretValue"
PARAMETER = "ssm:GetParameters"
AUTHORIZE = ("ecr:GetAuthorizationToken", "*")
CONDITIONS = {"Conditions": {"C": {"Fn::Equals": ["a", "a"]}, "D": {"Fn::Equals": ["a", "a"]}}}

Grants = set[tuple[str, str]]


def call(request: Any) -> Document:
    """The handler's answer; also checks that the handler does not change its input."""
    before = copy.deepcopy(request)
    answer: Document = macro.handler(request, LambdaContext())
    assert request == before
    return answer


def expanded(fragment: Document, **others: Any) -> Document:
    """The template that comes back, which must not be a failure."""
    answer = call(event(fragment, **others))
    assert answer["status"] == "success", answer["errorMessage"]
    assert answer["requestId"] == "request-1"
    result: Document = answer["fragment"]
    json.dumps(result)
    return result


def refused(fragment: Any, **others: Any) -> list[str]:
    """The lines of the message with which a template is refused."""
    answer = call(event(fragment, **others))
    assert answer["status"] == "failure", answer["fragment"]
    assert answer["requestId"] == "request-1"
    message: str = answer["errorMessage"]
    assert "bug" not in message
    return message.splitlines()


def refusal(fragment: Any, **others: Any) -> str:
    """As `refused`, where there is one mistake."""
    [line] = refused(fragment, **others)
    return line


def warned(fragment: Document) -> list[tuple[str, str]]:
    """The codes and the paths of the warnings about a template."""
    return [(problem.code, problem.path) for problem in expand(event(fragment), Settings()).warnings]


def container(**properties: Any) -> Document:
    return {"Name": "main", "Image": "public.ecr.aws/nginx/nginx:1", **properties}


def task(*containers: Any, spec: Any = "Auto", **properties: Any) -> Document:
    """A task definition with a spec."""
    listed = {"ContainerDefinitions": list(containers)} if containers else {}
    return {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {"ExecutionRoleSpec": spec, **listed, **properties},
    }


def template(resources: Document | None = None, /, **sections: Any) -> Document:
    return {"AWSTemplateFormatVersion": "2010-09-09", **sections, "Resources": resources or {}}


def one(*containers: Any, spec: Any = "Auto", more: Document | None = None, **sections: Any) -> Document:
    """A template with one task definition, `Task`, and other resources."""
    return template({**(more or {}), "Task": task(*containers, spec=spec)}, **sections)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(
    fragment: Document,
    role: str = "TaskExecutionRole",
    *,
    parameters: Mapping[str, Any] | None = None,
    **stack: Any,
) -> dict[str, Document]:
    """The statements of a role of an expanded template in the deployed stack, by Sid."""
    made = Stack(fragment, parameters, **stack)
    found: dict[str, Document] = {}
    for policy in role_policies(made, role):
        for statement in policy["Statement"]:
            assert statement.get("Sid", "") not in found
            found[statement.get("Sid", "")] = statement
    return found


def grants(fragment: Document, role: str = "TaskExecutionRole", **stack: Any) -> Grants:
    """What a role of an expanded template allows, as pairs of an action and a resource, under any condition."""
    return {
        (action, resource)
        for statement in statements(fragment, role, **stack).values()
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def pull(repository: str) -> Grants:
    """All that pulling from a repository needs, by the repository's ARN."""
    return {AUTHORIZE, *((action, repository) for action in PULL)}


def write(group: str) -> Grants:
    """All that writing to a log group needs, by the ARN that ends in `:*`."""
    return {(action, group) for action in WRITE}


def read(*secrets: str) -> Grants:
    return {(SECRET, secret) for secret in secrets}


def fetch(*parameters: str) -> Grants:
    return {(PARAMETER, parameter) for parameter in parameters}


def inferred(*containers: Any, parameters: Mapping[str, Any] | None = None, **others: Any) -> Grants:
    """What the role of these containers allows: expands a template with them and deploys the stack.

    `stack` are the arguments of `Stack`, `more` other resources of the template; other keyword arguments are its
    sections.
    """
    stack = others.pop("stack", {})
    where = {name: stack[name] for name in ("region",) if name in stack}
    if "account" in stack:
        where["accountId"] = stack["account"]
    fragment = expanded(one(*containers, **others), templateParameterValues=dict(parameters or {}), **where)
    return grants(fragment, parameters=parameters, **stack)


def granted(spec: Any, **others: Any) -> Grants:
    """What the role of a spec allows, on a task definition that needs nothing itself."""
    return inferred(spec=spec, **others)


# -- values that many tests need --

REPO = {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "team/repo"}}
SECRET_RESOURCE = {"Type": "AWS::SecretsManager::Secret"}
KEY = {"Type": "AWS::KMS::Key", "Properties": {}}
IMPORT = {"Fn::ImportValue": "shared"}
"""Values that only the deployment knows."""
WEB = container(Image=f"{HOST}/web:1")


def image(value: Any, **others: Any) -> Grants:
    """What the role may do for an image."""
    return inferred(container(Image=value), **others)


def with_secret(value: Any) -> Document:
    """A container that has one secret."""
    return container(Secrets=[{"Name": "A", "ValueFrom": value}])


def value_from(value: Any, **others: Any) -> Grants:
    """What the role may do for a secret of a container."""
    return inferred(with_secret(value), **others)


def by_name(name: str) -> Grants:
    """Reading a secret of which only the name, or a part of the ARN, is known."""
    return read(f"{SECRETS}:{name}", f"{SECRETS}:{name}-??????")


def logs(driver: str = "awslogs", secret_options: Any = None, **options: Any) -> Document:
    """A log configuration."""
    made: Document = {"LogDriver": driver, "Options": {f"awslogs-{key}": value for key, value in options.items()}}
    return made | ({"SecretOptions": secret_options} if secret_options else {})


def definition(kind: str, spec: Any = "Auto", **properties: Any) -> Document:
    """A definition of any type with a spec."""
    return {"Type": kind, "Properties": {"ExecutionRoleSpec": spec, **properties}}


def role(spec: Any = "Auto", **properties: Any) -> Document:
    """A role with a spec."""
    return definition("AWS::IAM::Role", spec, **properties)


def physical(more: Document, logical_id: str) -> str:
    """What `Ref` of a resource gives in the deployed stack."""
    return Stack(template(more)).physical(logical_id).ref


def attribute(more: Document, logical_id: str, name: str) -> str:
    """What `Fn::GetAtt` of a resource gives in the deployed stack."""
    return Stack(template(more)).attribute(logical_id, name)


def refusal_of(*containers: Any, **others: Any) -> str:
    """As `refusal`, of a template with these containers."""
    return refusal(one(*containers, **others))


EVERYTHING = container(
    Image=f"{HOST}/web:1",
    LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": "/ecs/web", "awslogs-create-group": "true"}},
    Secrets=[
        {"Name": "A", "ValueFrom": f"{SECRETS}:a-a1B2c3:password::"},
        {"Name": "B", "ValueFrom": f"{SECRETS}:b"},
        {"Name": "C", "ValueFrom": "/c"},
        {"Name": "D", "ValueFrom": f"{SECRETS}:a-a1B2c3"},
    ],
    RepositoryCredentials={"CredentialsParameter": f"{SECRETS}:login-a1B2c3"},
    EnvironmentFiles=[{"Type": "s3", "Value": "arn:aws:s3:::config/web.env"}],
    FirelensConfiguration={
        "Type": "fluentbit",
        "Options": {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::config/fluent.conf"},
    },
)


RESOURCES: Document = {
    "Key": {"Type": "AWS::KMS::Key", "Properties": {}},
    "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
    "Other": {"Type": "AWS::SecretsManager::Secret", "Properties": {"KmsKeyId": "alias/other"}},
    "Repo": {"Type": "AWS::ECR::Repository", "Properties": {}},
    "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {}},
}


CONTAINERS = [
    EVERYTHING,
    container(Image={"Fn::Sub": "${Repo.RepositoryUri}:1"}, Secrets=[{"Name": "A", "ValueFrom": {"Ref": "Secret"}}]),
    container(
        LogConfiguration={"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Logs"}}},
        Secrets=[
            {"Name": "A", "ValueFrom": {"Ref": "Other"}},
            {"Name": "B", "ValueFrom": {"Fn::If": ["C", {"Fn::Sub": "/${AWS::StackName}/x"}, NO_VALUE]}},
            {"Name": "C", "ValueFrom": {"Fn::Sub": ["/a/${X}", {"X": {"Fn::ImportValue": "x"}}]}},
            {"Name": "D", "ValueFrom": {"Fn::Sub": ["/b/${X}", {"X": {"Fn::ImportValue": "y"}}]}},
        ],
    ),
]


def naming_key(role: str = "TaskExecutionRole", **others: Any) -> Document:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": {"Fn::GetAtt": [role, "Arn"]}},
        "Action": "kms:Decrypt",
        "Resource": "*",
    }
    return {
        "Type": "AWS::KMS::Key",
        "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": [statement]}},
        **others,
    }


def service(**others: Any) -> Document:
    return {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": {"Ref": "Task"}}, **others}


ROLE_PROPERTIES: Document = {
    "RoleName": "web-execution",
    "Path": "/ecs/",
    "Description": "Starts the web tasks, what else?",
    "PermissionsBoundary": "arn:aws:iam::aws:policy/Boundary",
    "ManagedPolicyArns": ["arn:aws:iam::aws:policy/More"],
    "MaxSessionDuration": 7200,
    "Tags": [{"Key": "team", "Value": "web"}],
}
ROLE_OF_TASK = {"Fn::GetAtt": ["TaskExecutionRole", "Arn"]}
SPEC = "Resources/Task/Properties/ExecutionRoleSpec"
OTHER_ACCOUNT = "111122223333"


OTHERS = {
    "Par": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}},
    "Sec": {"Type": "AWS::SecretsManager::Secret"},
    "Logs": {"Type": "AWS::Logs::LogGroup"},
}


def job(**properties: Any) -> Grants:
    spec = {"Type": "AWS::Batch::JobDefinition", "Properties": {"ExecutionRoleSpec": "Auto", **properties}}
    return grants(expanded(template({"Job": spec})), "JobExecutionRole")
