"""Follows the remedy of each problem and each warning of the engine.

An example is a template that gets the message, the remedy in the message, and the template after the remedy. Then
the message is gone, and the role is granted what the tasks need. Each place in the source that makes a problem or a
warning must have an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from tests.support.cloudformation import ACCOUNT, REGION, Document
from tests.support.codes_in_source import codes, uses
from tests.support.contract import (
    CONDITIONS,
    ECR,
    HOST,
    IMPORT,
    KEY,
    KEYS,
    LOGS,
    NO_VALUE,
    OTHER_ACCOUNT,
    PARAMETERS,
    REPO,
    SECRET_RESOURCE,
    SECRETS,
    Grants,
    attribute,
    by_name,
    container,
    definition,
    event,
    fetch,
    grants,
    logs,
    one,
    physical,
    pull,
    read,
    role,
    task,
    template,
    with_secret,
    write,
)
from tests.support.places_of_messages import fixes, missing, places, traced

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import Settings

OBJECT = "arn:aws:s3:::config/web.env"
OBJECTS: Grants = {("s3:GetObject", OBJECT), ("s3:GetBucketLocation", "arn:aws:s3:::config")}
MOUNT = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/fs-12345678"
LATE: Document = {"Parameters": {"Late": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/late"}}}
SOME = {"Repo": REPO, "Secret": SECRET_RESOURCE, "Logs": {"Type": "AWS::Logs::LogGroup"}, "Key": KEY}
BUCKET: Document = {"Bucket": {"Type": "AWS::S3::Bucket"}}
STATEMENT: Document = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECT}
STATED: Grants = {("s3:GetObject", OBJECT)}


class Remedy(NamedTuple):
    """An example: the request that gets a message, a part of its remedy, and the request after the remedy.

    `grants` are what the role then allows: exactly, or at least if `late`. None: only that the message is gone.
    """

    wrong: Any
    says: str
    right: Any
    grants: Grants | None = None
    role: str = "TaskExecutionRole"
    stack: Mapping[str, Any] = {}
    late: bool = False


def made(*containers: Any, more: Document | None = None, spec: Any = "Auto", **sections: Any) -> Document:
    """The request for a template with one definition."""
    return event(one(*containers, spec=spec, more=more, **sections))


def listed(**keys: Any) -> Document:
    """The request for a definition that needs nothing, with a spec."""
    return made(container(), spec=keys, more=SOME)


def imaged(value: Any, spec: Any = "Auto", **others: Any) -> Document:
    return made(container(Image=value), spec=spec, more=SOME, **others)


def secret(value: Any, spec: Any = "Auto", **others: Any) -> Document:
    return made(with_secret(value), spec=spec, more=SOME, **others)


def logged(**options: Any) -> Document:
    return made(container(LogConfiguration=logs(**options)), more=SOME)


def filed(value: Any, spec: Any = "Auto") -> Document:
    return made(container(EnvironmentFiles=[{"Type": "s3", "Value": value}]), spec=spec, more=BUCKET)


def specs(value: Any, spec: Any = "Auto") -> Document:
    return made(container(CredentialSpecs=[value]), spec=spec)


def login(value: Any) -> Document:
    return made(container(RepositoryCredentials={"CredentialsParameter": value}))


def stated(**changes: Any) -> Document:
    """The request for a role with a statement; a change to None removes a key of it."""
    statement = {key: value for key, value in {**STATEMENT, **changes}.items() if value is not None}
    return listed(Statements=[statement])


FIRELENS = {"Type": "fluentbit", "Options": {"config-file-type": "s3", "config-file-value": OBJECT}}
FROM_IMAGE = {"Type": "fluentbit", "Options": {"config-file-type": "file", "config-file-value": "/x.conf"}}


def firelens(configuration: Document) -> Document:
    properties = {"RequiresCompatibilities": ["FARGATE"]}
    return event(template({"Task": task(container(FirelensConfiguration=configuration), **properties)}))


def having_role(arn: Any) -> Document:
    return {**WITH_A_SECRET, "Properties": {**WITH_A_SECRET["Properties"], "ExecutionRoleArn": arn}}


def express(**properties: Any) -> Document:
    web = {"Image": f"{HOST}/web:1", **properties}
    return event(template({"Web": definition("AWS::ECS::ExpressGatewayService", PrimaryContainer=web)}))


DOMAINLESS = f"credentialspecdomainless:{OBJECT}"
ARN_OF_OTHER = f"arn:aws:ssm:{REGION}:{OTHER_ACCOUNT}:parameter/x"
SECRET_OF_OTHER = f"arn:aws:secretsmanager:{REGION}:{OTHER_ACCOUNT}:secret:x-a1B2c3"
CACHED = f"{HOST}/docker-hub/library/nginx:1"
CACHE_PULL = {
    ("ecr:BatchImportUpstreamImage", f"{ECR}/docker-hub/library/nginx"),
    ("ecr:CreateRepository", f"{ECR}/docker-hub/library/nginx"),
}
DECRYPT = ("kms:Decrypt", f"{KEYS}/abc")
REPOSITORY = attribute(SOME, "Repo", "Arn")

NAMED = {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x", "Name": "plain"}}}

FEATURES = {
    "a file without its place": Remedy(
        made(container(EnvironmentFiles=[{"Type": "s3"}]), more=BUCKET), "BUCKET/KEY", filed(OBJECT), OBJECTS
    ),
    "a login without its place": Remedy(
        made(container(RepositoryCredentials={})),
        "write the name or the ARN of a secret",
        login("login"),
        by_name("login"),
    ),
    "the region of a log group twice": Remedy(
        listed(LogGroups=[{"LogGroup": f"{LOGS}:/web", "Region": "eu-west-1"}]),
        "remove it, or write the name of the log group",
        listed(LogGroups=[{"LogGroup": "/web", "Region": "eu-west-1"}]),
        write(f"{LOGS.replace(REGION, 'eu-west-1')}:/web:*"),
    ),
    "the key of a login in a parameter": Remedy(
        listed(FsxCredentials=[{"Secret": "/login", "KmsKey": "alias/login"}]),
        "remove KmsKey, or keep the login in Secrets Manager",
        listed(FsxCredentials=["/login"]),
        {("fsx:DescribeFileSystems", "*"), *fetch(f"{PARAMETERS}/login")},
    ),
    "a file system by another ARN": Remedy(
        listed(FileSystems=["arn:aws:ec2:us-east-1:123456789012:volume/v"]),
        "or the ID alone",
        listed(FileSystems=["fs-12345678"]),
        {("elasticfilesystem:ClientMount", MOUNT), ("elasticfilesystem:ClientWrite", MOUNT)},
    ),
    "an object by S3 URI": Remedy(
        filed("s3://config/web.env"), "arn:PARTITION:s3:::BUCKET/KEY", filed(OBJECT), OBJECTS
    ),
    "an object by its bucket's name": Remedy(
        filed({"Fn::Sub": "${Bucket}/web.env"}),
        "write !Sub arn:${AWS::Partition}:s3:::${Bucket}/KEY",
        filed({"Fn::Sub": "arn:${AWS::Partition}:s3:::${Bucket}/web.env"}),
        {
            ("s3:GetObject", f"{attribute(BUCKET, 'Bucket', 'Arn')}/web.env"),
            ("s3:GetBucketLocation", attribute(BUCKET, "Bucket", "Arn")),
        },
    ),
    "a bucket for an object": Remedy(
        filed({"Fn::GetAtt": ["Bucket", "Arn"]}),
        "write !Sub ${Bucket.Arn}/KEY",
        filed({"Fn::Sub": "${Bucket.Arn}/web.env"}),
        {
            ("s3:GetObject", f"{attribute(BUCKET, 'Bucket', 'Arn')}/web.env"),
            ("s3:GetBucketLocation", attribute(BUCKET, "Bucket", "Arn")),
        },
    ),
    "no object": Remedy(filed(""), "write arn:PARTITION:s3:::BUCKET/KEY", filed(OBJECT), OBJECTS),
    "an object by a dynamic reference": Remedy(
        listed(EnvironmentFiles=["{{resolve:ssm:/x}}"]), "arn:PARTITION:s3", listed(EnvironmentFiles=[OBJECT]), OBJECTS
    ),
    "FireLens from S3 on Fargate": Remedy(
        firelens(FIRELENS), "write config-file-type: file", firelens(FROM_IMAGE), set()
    ),
    "a domainless credential spec": Remedy(
        specs(DOMAINLESS),
        f"add `CredentialSpecs: [{{Spec: {DOMAINLESS}, Secret: …}}]` to",
        specs(DOMAINLESS, {"CredentialSpecs": [{"Spec": DOMAINLESS, "Secret": "prod/gmsa"}]}),
        OBJECTS | by_name("prod/gmsa"),
    ),
    "a credential spec without its kind": Remedy(
        specs(OBJECT), "write credentialspec:ARN", specs(f"credentialspec:{OBJECT}"), OBJECTS
    ),
    "a credential spec without its kind in the list": Remedy(
        listed(CredentialSpecs=[OBJECT]),
        "write credentialspec:ARN",
        listed(CredentialSpecs=[f"credentialspec:{OBJECT}"]),
        OBJECTS,
    ),
    "a credential spec by a dynamic reference": Remedy(
        listed(CredentialSpecs=["credentialspec:{{resolve:ssm:/late}}"]),
        "write a parameter of type AWS::SSM::Parameter::Value<String> in its place and !Ref it",
        made(container(), spec={"CredentialSpecs": [{"Fn::Sub": "credentialspec:${Late}"}]}, **LATE),
        OBJECTS,
        stack={"ssm": {"/late": OBJECT}},
        late=True,
    ),
    "a pull-through cache": Remedy(
        imaged(CACHED),
        f"add `Images: [{{Repository: {CACHED}, PullThroughCache: true}}]` to",
        imaged(CACHED, {"Images": [{"Repository": CACHED, "PullThroughCache": True}]}),
        pull(f"{ECR}/docker-hub/library/nginx") | CACHE_PULL,
    ),
    "no pull-through cache": Remedy(
        imaged(CACHED),
        "if it is not, write the same with false",
        imaged(CACHED, {"Images": [{"Repository": CACHED, "PullThroughCache": False}]}),
        pull(f"{ECR}/docker-hub/library/nginx"),
    ),
    "a repository in capitals": Remedy(
        imaged(f"{HOST}/Web:1"), "in lower-case letters", imaged(f"{HOST}/web:1"), pull(f"{ECR}/web")
    ),
    "a repository for an image": Remedy(
        imaged({"Ref": "Repo"}),
        "write !Sub ${Repo.RepositoryUri}:TAG",
        imaged({"Fn::Sub": "${Repo.RepositoryUri}:1"}),
        pull(REPOSITORY),
    ),
    "an attribute that repositories do not have": Remedy(
        imaged({"Fn::GetAtt": ["Repo", "Uri"]}),
        "write !Sub ${Repo.RepositoryUri}:TAG",
        imaged({"Fn::Sub": "${Repo.RepositoryUri}:1"}),
        pull(REPOSITORY),
    ),
    "an image by a dynamic reference": Remedy(
        imaged("{{resolve:ssm:/late}}"),
        "write a parameter of type AWS::SSM::Parameter::Value<String> in its place, and !Ref it here and in Images",
        imaged({"Ref": "Late"}, {"Images": [{"Ref": "Late"}]}, **LATE),
        pull(f"{ECR}/web"),
        stack={"ssm": {"/late": f"{HOST}/web:1"}},
    ),
    "a public image in the list": Remedy(
        listed(Images=["public.ecr.aws/x/y:1"]), "remove it", listed(Images=[]), set()
    ),
    "another ARN in Images": Remedy(
        listed(Images=["arn:aws:s3:::web"]), "or the name alone", listed(Images=["web"]), pull(f"{ECR}/web")
    ),
    "an ARN for an image": Remedy(
        imaged(f"{ECR}/web:1"), "write ACCOUNT.dkr.ecr.REGION", imaged(f"{HOST}/web:1"), pull(f"{ECR}/web")
    ),
    "a registry for an image": Remedy(
        imaged(f"{HOST}/"), "write REGISTRY/REPOSITORY:TAG", imaged(f"{HOST}/web:1"), pull(f"{ECR}/web")
    ),
    "an account of eleven digits": Remedy(
        imaged(HOST[1:] + "/web:1"), "write ACCOUNT.dkr.ecr.REGION", imaged(f"{HOST}/web:1"), pull(f"{ECR}/web")
    ),
    "a key that is not shown": Remedy(
        secret("/x"),
        "add `KmsKeys: [KEY]` to the spec",
        secret("/x", {"KmsKeys": ["abc"]}),
        fetch(f"{PARAMETERS}/x") | {DECRYPT},
    ),
    "no key": Remedy(
        secret("/x"),
        "if there are none, add `KmsKeys: None`",
        secret("/x", {"KmsKeys": "None"}),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a key by a dynamic reference": Remedy(
        listed(Parameters=[{"Parameter": "/x", "KmsKey": "{{resolve:ssm:/key}}"}]),
        "write the ARN, or the alias as alias/NAME",
        listed(Parameters=[{"Parameter": "/x", "KmsKey": "alias/prod"}]),
        fetch(f"{PARAMETERS}/x") | {("kms:Decrypt", f"{KEYS}/*")},
    ),
    "another ARN for a key": Remedy(
        listed(Parameters=[{"Parameter": "/x", "KmsKey": "arn:aws:s3:::x"}]),
        "write the ARN of a key, its ID, or alias/NAME",
        listed(Parameters=[{"Parameter": "/x", "KmsKey": "abc"}]),
        fetch(f"{PARAMETERS}/x") | {DECRYPT},
    ),
    "a blank in a name": Remedy(
        logged(group="/my web"), "write a name without spaces or colons", logged(group="/web"), write(f"{LOGS}:/web:*")
    ),
    "a log group by its ARN": Remedy(
        logged(group={"Fn::GetAtt": ["Logs", "Arn"]}),
        "write !Ref Logs",
        logged(group={"Ref": "Logs"}),
        write(attribute(SOME, "Logs", "Arn")),
    ),
    "a log group by an ARN in letters": Remedy(
        logged(group=f"{LOGS}:/web"), "write the name alone", logged(group="/web"), write(f"{LOGS}:/web:*")
    ),
    "a key with a blank": Remedy(
        listed(Parameters=[{"Parameter": "/x", "KmsKey": "my key"}]),
        "write the ARN of a key, its ID, or alias/NAME",
        listed(Parameters=[{"Parameter": "/x", "KmsKey": "abc"}]),
        fetch(f"{PARAMETERS}/x") | {DECRYPT},
    ),
    "a log group with a blank": Remedy(
        listed(LogGroups=["/my web"]),
        "write a name without spaces or colons",
        listed(LogGroups=["/web"]),
        write(f"{LOGS}:/web:*"),
    ),
    "another ARN in LogGroups": Remedy(
        listed(LogGroups=["arn:aws:s3:::web"]), "or the name alone", listed(LogGroups=["/web"]), write(f"{LOGS}:/web:*")
    ),
    "no log group of an express service": Remedy(
        express(),
        "write AwsLogsConfiguration: {LogGroup: …, LogStreamPrefix: …}",
        express(AwsLogsConfiguration={"LogGroup": "/web", "LogStreamPrefix": "web"}),
        pull(f"{ECR}/web") | write(f"{LOGS}:/web:*"),
        role="WebExecutionRole",
    ),
    "the value of a secret": Remedy(
        secret("{{resolve:secretsmanager:prod/db:SecretString:password}}"),
        "write the secret's ARN (!Ref of the secret)",
        secret({"Ref": "Secret"}),
        read(physical(SOME, "Secret")),
    ),
    "the value of a secure parameter": Remedy(
        secret("{{resolve:ssm-secure:/prod/token:1}}"),
        "or the parameter's name",
        secret("/prod/token"),
        fetch(f"{PARAMETERS}/prod/token"),
    ),
    "a version of a parameter": Remedy(
        secret(f"{PARAMETERS}/x:3"),
        "write the parameter's name or ARN alone",
        secret(f"{PARAMETERS}/x"),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a name that no parameter can have": Remedy(
        secret("s3://prod/x"),
        "write the name of a parameter, or the ARN",
        secret("/prod/x"),
        fetch(f"{PARAMETERS}/prod/x"),
    ),
    "the value of a parameter": Remedy(
        secret("{{resolve:ssm:/x:3}}"),
        "write /x if the value of that parameter is the secret",
        secret("/x"),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a secret by a dynamic reference": Remedy(
        secret("{{resolve:ssm:/late}}"),
        "write a parameter of type AWS::SSM::Parameter::Value<String> in its place, and !Ref it here and in Secrets or",
        secret({"Ref": "Late"}, {"Secrets": [{"Ref": "Late"}]}, **LATE),
        by_name("x-a1B2c3"),
        stack={"ssm": {"/late": f"{SECRETS}:x-a1B2c3:password::"}},
    ),
    "a name without a slash behind an ARN": Remedy(
        made(with_secret({"Fn::Sub": "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter${P}"}), more=NAMED),
        "write parameter/${P}",
        made(with_secret({"Fn::Sub": "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${P}"}), more=NAMED),
        fetch(f"{PARAMETERS}/plain"),
    ),
    "the ARN of a secret behind a reference": Remedy(
        secret({"Fn::Sub": "/aws/reference/secretsmanager/${Secret}"}),
        "write the secret's name, or only the secret's ARN",
        secret({"Ref": "Secret"}),
        read(physical(SOME, "Secret")),
    ),
    "a parameter of another account": Remedy(
        secret(ARN_OF_OTHER), "copy it to this account", secret("/x"), fetch(f"{PARAMETERS}/x")
    ),
    "a parameter of another account, as a secret": Remedy(
        secret(ARN_OF_OTHER), "or keep it in Secrets Manager", secret(SECRET_OF_OTHER), read(SECRET_OF_OTHER)
    ),
    "another ARN in Parameters": Remedy(
        listed(Parameters=["arn:aws:s3:::x"]), "or the name alone", listed(Parameters=["x"]), fetch(f"{PARAMETERS}/x")
    ),
    "a login in a parameter": Remedy(
        login(f"{PARAMETERS}/login"),
        "keep the login in a secret, and write its ARN or name",
        login("login"),
        by_name("login"),
    ),
    "a tail behind a login": Remedy(
        login(f"{SECRETS}:login-a1B2c3:password::"),
        "write only the secret's ARN or name",
        login(f"{SECRETS}:login-a1B2c3"),
        read(f"{SECRETS}:login-a1B2c3"),
    ),
    "an attribute that secrets do not have": Remedy(
        secret({"Fn::GetAtt": ["Secret", "Arn"]}),
        "write !Ref Secret",
        secret({"Ref": "Secret"}),
        read(physical(SOME, "Secret")),
    ),
    "another ARN in ValueFrom": Remedy(
        secret("arn:aws:s3:::x"), "write the ARN of one, or a name", secret("x"), fetch(f"{PARAMETERS}/x")
    ),
    "a tail with one field": Remedy(
        secret(f"{SECRETS}:db-a1B2c3:password"),
        "write none, or all three of :json-key:version-stage:version-id",
        secret(f"{SECRETS}:db-a1B2c3:password::"),
        read(f"{SECRETS}:db-a1B2c3"),
    ),
    "a stage and a version": Remedy(
        secret(f"{SECRETS}:db-a1B2c3:password:AWSCURRENT:1"),
        "write only one of them",
        secret(f"{SECRETS}:db-a1B2c3:password:AWSCURRENT:"),
        read(f"{SECRETS}:db-a1B2c3"),
    ),
    "another ARN in Secrets": Remedy(
        listed(Secrets=["arn:aws:s3:::x"]), "or the name alone", listed(Secrets=["x"]), by_name("x")
    ),
    "a parameter without a name": Remedy(
        secret("/"), "write the name of a parameter", secret("/x"), fetch(f"{PARAMETERS}/x")
    ),
    "an unfinished dynamic reference": Remedy(
        secret("{{resolve:ssm:/x"), "write the ARN of one, or a name", secret("/x"), fetch(f"{PARAMETERS}/x")
    ),
    "a missing ValueFrom": Remedy(
        made(container(Secrets=[{"Name": "A", "ValueFrom": None}])),
        "write the name of a parameter",
        secret("/x"),
        fetch(f"{PARAMETERS}/x"),
    ),
    "an empty image": Remedy(imaged(""), "write REGISTRY/REPOSITORY:TAG", imaged(f"{HOST}/web:1"), pull(f"{ECR}/web")),
    "an empty log group": Remedy(
        logged(group=""), "write the name of a log group", logged(group="/web"), write(f"{LOGS}:/web:*")
    ),
    "an empty login": Remedy(login(""), "write the name or the ARN of a secret", login("login"), by_name("login")),
    "an empty ValueFrom": Remedy(secret(""), "write the name of a parameter", secret("/x"), fetch(f"{PARAMETERS}/x")),
}

ROLE_STARTER: Document = {
    "EcsParameters": {"TaskDefinitionArn": {"Ref": "Task"}},
    "Input": '{"executionRoleArn": "arn:x"}',
}
FILE_STARTER: Document = {
    "EcsParameters": {"TaskDefinitionArn": {"Ref": "Task"}},
    "Input": f'{{"containerOverrides": [{{"environmentFiles": [{{"type": "s3", "value": "{OBJECT}"}}]}}]}}',
}
LATE_STARTER: Document = {
    "EcsParameters": {"TaskDefinitionArn": {"Ref": "Task"}},
    "Input": '{"containerOverrides": [{"environmentFiles": [{"type": "s3", "value": "<file>"}]}]}',
}


def started(starter: Document, spec: Any = "Auto") -> Document:
    rule = {"Type": "AWS::Events::Rule", "Properties": {"Targets": [starter]}}
    return made(container(), spec=spec, more={"Rule": rule})


NEEDS = {
    "no containers at all": Remedy(
        event({"Resources": {"Task": definition("AWS::ECS::TaskDefinition")}}),
        "add its containers",
        made(with_secret("/x")),
        fetch(f"{PARAMETERS}/x"),
    ),
    "an ARN in the place of a name": Remedy(
        secret({"Fn::Sub": "/team/${Secret}"}),
        "write the name",
        secret({"Fn::Sub": "/team/db"}),
        fetch(f"{PARAMETERS}/team/db"),
    ),
    "a reference to another type": Remedy(
        listed(Secrets=[{"Ref": "Repo"}]),
        "write an AWS::SecretsManager",
        listed(Secrets=[{"Ref": "Secret"}]),
        read(physical(SOME, "Secret")),
    ),
    "a parameter without a value": Remedy(
        imaged({"Ref": "Image"}, Parameters={"Image": {"Type": "String"}}),
        "give it, as in `--parameter Image=…`",
        {
            **imaged({"Ref": "Image"}, Parameters={"Image": {"Type": "String"}}),
            "templateParameterValues": {"Image": f"{HOST}/web:1"},
        },
        pull(f"{ECR}/web"),
        stack={"parameters": {"Image": f"{HOST}/web:1"}},
    ),
    "a value that is known later": Remedy(
        imaged(IMPORT),
        "add `Images: [!ImportValue shared]` to",
        imaged(IMPORT, {"Images": [IMPORT]}),
        pull(f"{ECR}/web"),
        stack={"imports": {"shared": f"{HOST}/web:1"}},
    ),
    "a value that is known later, ignored": Remedy(
        imaged(IMPORT), "or `Unresolved: Ignore`", imaged(IMPORT, {"Unresolved": "Ignore"}), set()
    ),
    "a flag that is known later": Remedy(
        listed(Images=[{"Repository": "web", "PullThroughCache": {"Ref": "AWS::StackName"}}]),
        "write true or false",
        listed(Images=[{"Repository": "web", "PullThroughCache": False}]),
        pull(f"{ECR}/web"),
    ),
    "another execution role": Remedy(
        started(ROLE_STARTER), "remove executionRoleArn", started({**ROLE_STARTER, "Input": "{}"}), set()
    ),
    "another environment file": Remedy(
        started(FILE_STARTER),
        f"add `EnvironmentFiles: [{OBJECT}]` to",
        started(FILE_STARTER, {"EnvironmentFiles": [OBJECT]}),
        OBJECTS,
    ),
    "an environment file of the run": Remedy(
        started(LATE_STARTER),
        "list them in EnvironmentFiles",
        started(LATE_STARTER, {"EnvironmentFiles": [OBJECT]}),
        OBJECTS,
    ),
    "a wildcard in a definition": Remedy(
        secret("/prod/*"), "name one resource", secret("/prod/x"), fetch(f"{PARAMETERS}/prod/x")
    ),
    "a wildcard in a list": Remedy(
        listed(Parameters=["/prod/*"]),
        "name one resource",
        listed(Parameters=["/prod/x"]),
        fetch(f"{PARAMETERS}/prod/x"),
    ),
    "a forgotten Sub": Remedy(
        secret("/${AWS::StackName}/x"),
        "write !Sub before the text",
        secret({"Fn::Sub": "/${AWS::StackName}/x"}),
        fetch(f"{PARAMETERS}/stack/x"),
    ),
    "a policy variable": Remedy(
        secret("/${aws:username}/x"), "name one resource", secret("/u/x"), fetch(f"{PARAMETERS}/u/x")
    ),
    "an ARN without a region": Remedy(
        secret(f"arn:aws:secretsmanager::{ACCOUNT}:secret:x-a1B2c3"),
        "write arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME",
        secret(f"{SECRETS}:x-a1B2c3"),
        read(f"{SECRETS}:x-a1B2c3"),
    ),
}


def snippet(parameters: Any, **properties: Any) -> Document:
    """The request for an `Fn::Transform` inside a role's properties."""
    return event(properties, params=parameters)


def shared(name: str, **more: Any) -> Document:
    """The request for a role that definitions share."""
    owner = role({"TaskDefinitions": [name]})
    plain = {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {"ContainerDefinitions": [container(Image=f"{HOST}/web:1")]},
    }
    return event(template({"Role": owner, "Plain": plain, **more}))


def many_secrets(count: int, length: int = 4) -> list[Document]:
    return [container(Secrets=[{"Name": f"N{n}", "ValueFrom": f"/{n:0{length}}"} for n in range(count)])]


MANY = {f"Topic{number}": {"Type": "AWS::SNS::Topic"} for number in range(499)}
SWITCHES = {f"C{number}": {"Fn::Equals": [{"Ref": f"P{number}"}, "yes"]} for number in range(9)}
ON_SWITCHES: Document = {
    "Conditions": SWITCHES,
    "Parameters": {f"P{number}": {"Type": "String", "Default": "yes"} for number in range(9)},
}


def switched_secrets() -> list[Document]:
    """Secrets that do not fit into a role itself, under one condition or another."""
    secrets: list[Any] = []
    for number in range(80):
        item = {"Name": f"N{number}", "ValueFrom": f"/{number:0200}"}
        secrets.append({"Fn::If": ["C0", item, {"Fn::If": ["C1", item, NO_VALUE]}]})
    return [container(Secrets=secrets)]


def with_condition(name: str) -> Document:
    conditions = {**SWITCHES, name: {"Fn::Equals": [{"Ref": "P8"}, "no"]}}
    return {**ON_SWITCHES, "Conditions": conditions}


def switched(count: int, key: str = "SourceVpcs") -> Document:
    values = [{"Fn::If": [name, f"vpc-{number}", NO_VALUE]} for number, name in enumerate([*SWITCHES][:count])]
    return made(container(Image=f"{HOST}/web:1"), spec={key: values}, **ON_SWITCHES)


def joined(count: int) -> Document:
    """The request for a value with two alternatives, `count` times."""
    pieces = [{"Fn::If": [name, "a", "b"]} for name in [*SWITCHES][:count]]
    return made(with_secret({"Fn::Join": ["", ["/", *pieces]]}), **ON_SWITCHES)


EMPTY: Document = {"Type": "AWS::Batch::JobDefinition", "Properties": {"EcsProperties": {"TaskProperties": []}}}
WITH_A_SECRET: Document = {
    "Type": "AWS::ECS::TaskDefinition",
    "Properties": {"ContainerDefinitions": [with_secret("/x")]},
}
RUNS: Document = {"Type": "AWS::ECS::ExpressGatewayService", "Properties": {"TaskDefinitionArn": {"Ref": "Task"}}}

ROLES = {
    "more managed policies than a role takes": Remedy(
        secret("/x", {"ManagedPolicyArns": [f"arn:aws:iam::aws:policy/{number}" for number in range(21)]}),
        "remove some, or merge them",
        secret("/x", {"ManagedPolicyArns": []}),
        fetch(f"{PARAMETERS}/x"),
    ),
    "no conditions": Remedy(
        made(*switched_secrets(), Parameters=ON_SWITCHES["Parameters"]),
        "declare the conditions that Fn::If names",
        made(*switched_secrets(), **ON_SWITCHES),
        fetch(*(f"{PARAMETERS}/{number:0200}" for number in range(80))),
        stack={"conditions": dict.fromkeys(SWITCHES, True)},
    ),
    "the name of a policy": Remedy(
        made(*many_secrets(200, 40), more={"TaskExecutionRolePolicy": {"Type": "AWS::SNS::Topic"}}),
        "rename the other TaskExecutionRolePolicy",
        made(*many_secrets(200, 40), more={"Topic": {"Type": "AWS::SNS::Topic"}}),
        fetch(*(f"{PARAMETERS}/{number:040}" for number in range(200))),
    ),
    "the name of a condition": Remedy(
        made(*switched_secrets(), **with_condition("TaskExecutionRolePolicyNeeded")),
        "rename the other TaskExecutionRolePolicyNeeded",
        made(*switched_secrets(), **with_condition("Other")),
        fetch(*(f"{PARAMETERS}/{number:0200}" for number in range(80))),
        stack={"conditions": dict.fromkeys(SWITCHES, True)},
    ),
    "too many conditions on VPCs": Remedy(
        switched(7),
        "use at most 6 conditions in SourceVpcs",
        switched(6),
        pull(f"{ECR}/web"),
        stack={"conditions": dict.fromkeys(SWITCHES, True)},
    ),
    "too many values": Remedy(
        joined(9),
        "use fewer Fn::If in one value",
        joined(8),
        fetch(f"{PARAMETERS}/aaaaaaaa"),
        stack={"conditions": dict.fromkeys(SWITCHES, True)},
    ),
    "parameters that are no mapping": Remedy(
        snippet([1]), "write Parameters as a mapping", snippet({"Secrets": ["x"]}), by_name("x"), role="snippet"
    ),
    "parameters beside a whole template": Remedy(
        {**secret("/x"), "params": {"Secrets": ["x"]}},
        "write ExecutionRoleSpec on the task definition, and no Parameters beside the Transform",
        secret("/x", {"Secrets": ["x"]}),
        fetch(f"{PARAMETERS}/x") | by_name("x"),
    ),
    "a snippet that is too large": Remedy(
        snippet({"Secrets": [f"{number:080}" for number in range(100)]}),
        "write ExecutionRoleSpec on the role instead",
        event(template({"Role": role({"Secrets": [f"{number:080}" for number in range(100)]})})),
        {found for number in range(100) for found in by_name(f"{number:080}")},
        role="Role",
    ),
    "a spec in a loop": Remedy(
        event({"Resources": {"Fn::ForEach::L": ["N", ["a"], {"T${N}": task(with_secret("/x"))}]}}),
        "list AWS::LanguageExtensions before EcsExecRole in Transform",
        # This is what AWS::LanguageExtensions makes of the loop.
        event({"Resources": {"Ta": task(with_secret("/x"))}}),
        fetch(f"{PARAMETERS}/x"),
        role="TaExecutionRole",
    ),
    "a spec on another type": Remedy(
        event(template({"Topic": definition("AWS::SNS::Topic")})),
        "write it in the Properties of AWS::ECS::TaskDefinition",
        event(template({"Topic": {"Type": "AWS::SNS::Topic"}, "Task": task(with_secret("/x"))})),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a logical ID that leaves no room for the role's": Remedy(
        event(template({"T" * 250: task(with_secret("/x"))})),
        "a logical ID that is at least 8 characters shorter",
        event(template({"T" * 242: task(with_secret("/x"))})),
        fetch(f"{PARAMETERS}/x"),
        role=f"{'T' * 242}ExecutionRole",
    ),
    "a name that is no logical ID": Remedy(
        event(template({"My-Task": task(with_secret("/x"))})),
        "rename the resource: letters and digits only",
        event(template({"MyTask": task(with_secret("/x"))})),
        fetch(f"{PARAMETERS}/x"),
        role="MyTaskExecutionRole",
    ),
    "a definition without containers": Remedy(
        event(template({"Task": task(ContainerDefinitions=[])})),
        "add its containers, or remove it",
        event(template({"Task": task(with_secret("/x"))})),
        fetch(f"{PARAMETERS}/x"),
    ),
    "an entry of TaskDefinitions without containers": Remedy(
        event(template({"Role": role({"TaskDefinitions": ["Job", "Task"]}), "Job": EMPTY, "Task": WITH_A_SECRET})),
        "add its containers, or remove this entry",
        event(template({"Role": role({"TaskDefinitions": ["Task"]}), "Job": EMPTY, "Task": WITH_A_SECRET})),
        fetch(f"{PARAMETERS}/x"),
        role="Role",
    ),
    "a role that no definition has": Remedy(
        event(template({"Role": role("Auto"), "Task": WITH_A_SECRET})),
        "write `ExecutionRoleArn: !GetAtt Role.Arn` on the definition",
        event(template({"Role": role("Auto"), "Task": having_role({"Fn::GetAtt": ["Role", "Arn"]})})),
        fetch(f"{PARAMETERS}/x"),
        role="Role",
    ),
    "a role that lists no definition": Remedy(
        event(template({"Role": role("Auto"), "Task": WITH_A_SECRET})),
        "or list the definition in TaskDefinitions",
        event(template({"Role": role({"TaskDefinitions": ["Task"]}), "Task": WITH_A_SECRET})),
        fetch(f"{PARAMETERS}/x"),
        role="Role",
    ),
    "an entry of TaskDefinitions that runs a definition": Remedy(
        event(template({"Role": role({"TaskDefinitions": ["Web"]}), "Web": RUNS, "Task": WITH_A_SECRET})),
        "write Task instead",
        event(template({"Role": role({"TaskDefinitions": ["Task"]}), "Web": RUNS, "Task": WITH_A_SECRET})),
        fetch(f"{PARAMETERS}/x"),
        role="Role",
    ),
    "a parameter for a word of the spec": Remedy(
        secret("/x", {"Infer": {"Ref": "Given"}}, Parameters={"Given": {"Type": "String", "Default": "no"}}),
        "write true or false",
        secret("/x", {"Infer": True}),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a word of the spec that is known later": Remedy(
        secret("/x", {"Infer": IMPORT}), "write true or false", secret("/x", {"Infer": True}), fetch(f"{PARAMETERS}/x")
    ),
    "a word of the spec that depends on a condition": Remedy(
        secret("/x", {"Infer": {"Fn::If": ["C", True, False]}}, **CONDITIONS),
        "write true or false",
        secret("/x", {"Infer": True}),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a bucket for a VPC": Remedy(
        made(container(Image=f"{HOST}/web:1"), spec={"SourceVpcs": [{"Ref": "Bucket"}]}, more=BUCKET),
        "write !Ref of an AWS::EC2::VPC, or an ID",
        made(container(Image=f"{HOST}/web:1"), spec={"SourceVpcs": ["vpc-1"]}),
        pull(f"{ECR}/web"),
    ),
    "a service that runs a definition": Remedy(
        event(
            template(
                {
                    "Web": definition("AWS::ECS::ExpressGatewayService", TaskDefinitionArn={"Ref": "Task"}),
                    "Task": {
                        "Type": "AWS::ECS::TaskDefinition",
                        "Properties": {"ContainerDefinitions": [with_secret("/x")]},
                    },
                }
            )
        ),
        "write it on Task",
        event(
            template(
                {
                    "Web": {
                        "Type": "AWS::ECS::ExpressGatewayService",
                        "Properties": {"TaskDefinitionArn": {"Ref": "Task"}},
                    },
                    "Task": task(with_secret("/x")),
                }
            )
        ),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a spec beside a role": Remedy(
        event(template({"Task": task(with_secret("/x"), ExecutionRoleArn="arn:aws:iam::123456789012:role/r")})),
        "remove either the ExecutionRoleArn or the spec",
        event(template({"Task": task(with_secret("/x"))})),
        fetch(f"{PARAMETERS}/x"),
    ),
    "the name of a role": Remedy(
        made(with_secret("/x"), more={"TaskExecutionRole": {"Type": "AWS::SNS::Topic"}}),
        "rename the other TaskExecutionRole",
        made(with_secret("/x"), more={"Topic": {"Type": "AWS::SNS::Topic"}}),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a misspelt property": Remedy(
        event(
            template(
                {
                    "Task": {
                        "Type": "AWS::ECS::TaskDefinition",
                        "Properties": {"ExecutionRolespec": "Auto", "ContainerDefinitions": [with_secret("/x")]},
                    }
                }
            )
        ),
        "did you mean ExecutionRoleSpec? Write that",
        event(template({"Task": task(with_secret("/x"))})),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a misspelt definition": Remedy(
        shared("Plein"), "did you mean Plain? Write that", shared("Plain"), pull(f"{ECR}/web"), role="Role"
    ),
    "a definition without a name that is alike": Remedy(
        shared("Other"), "write the logical ID of one", shared("Plain"), pull(f"{ECR}/web"), role="Role"
    ),
    "a definition without properties": Remedy(
        shared("Bad", Bad={"Type": "AWS::ECS::TaskDefinition", "Properties": "x"}),
        "write the definition's properties",
        shared(
            "Bad", Bad={"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [with_secret("/x")]}}
        ),
        fetch(f"{PARAMETERS}/x"),
        role="Role",
    ),
    "a definition with two roles": Remedy(
        shared("Task", Task=task(with_secret("/x"))),
        "name it once, and remove its own spec",
        shared(
            "Task",
            Task={"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": [with_secret("/x")]}},
        ),
        fetch(f"{PARAMETERS}/x"),
        role="Role",
    ),
    "preflight without its function": Remedy(
        secret("/x", {"Preflight": True}), "or remove Preflight", secret("/x", {}), fetch(f"{PARAMETERS}/x")
    ),
    "policies that are no list": Remedy(
        event(template({"Role": role({"Secrets": ["x"]}, Policies="x")})),
        "write a list, or Fn::If between lists",
        event(template({"Role": role({"Secrets": ["x"]}, Policies=[])})),
        by_name("x"),
        role="Role",
    ),
    "metadata that are no mapping": Remedy(
        event(template({"Role": {**role({"Secrets": ["x"]}), "Metadata": "x"}})),
        "write a mapping, with functions in its values",
        event(template({"Role": {**role({"Secrets": ["x"]}), "Metadata": {"x": "y"}}})),
        by_name("x"),
        role="Role",
    ),
    "a condition that is no name": Remedy(
        event(template({"Task": {**task(with_secret("/x")), "Condition": ["C"]}}, **CONDITIONS)),
        "write a name that Conditions declares",
        event(template({"Task": {**task(with_secret("/x")), "Condition": "C"}}, **CONDITIONS)),
        fetch(f"{PARAMETERS}/x"),
        stack={"conditions": {"C": True}},
    ),
    "a dependency that is no name": Remedy(
        event(template({"Task": {**task(with_secret("/x")), "DependsOn": [3]}})),
        "write logical IDs",
        event(
            template(
                {"Task": {**task(with_secret("/x")), "DependsOn": ["Topic"]}, "Topic": {"Type": "AWS::SNS::Topic"}}
            )
        ),
        fetch(f"{PARAMETERS}/x"),
    ),
    "more than a role holds": Remedy(
        made(*many_secrets(2000, 40)),
        "split the definition, or give its containers fewer secrets",
        made(*many_secrets(3, 40)),
        fetch(*(f"{PARAMETERS}/{number:040}" for number in range(3))),
    ),
    "more resources than a stack has": Remedy(
        event(template({**MANY, "Task": task(container()), "More": task(container())})),
        "split the stack",
        event(template({"Task": task(container())})),
        set(),
    ),
    "more resources once the roles are added": Remedy(
        event(template({**MANY, "Task": task(with_secret("/x"))})),
        "or split the stack",
        event(template({"Task": task(with_secret("/x"))})),
        fetch(f"{PARAMETERS}/x"),
    ),
}

SPEC = {
    "a mode that is unknown": Remedy(
        secret("/x", "Autp"), "did you mean Auto? Write that", secret("/x"), fetch(f"{PARAMETERS}/x")
    ),
    "a spec of another type": Remedy(
        secret("/x", 3), "write Auto, Starter, or a mapping", secret("/x", {}), fetch(f"{PARAMETERS}/x")
    ),
    "an unknown key": Remedy(
        listed(Secret=["x"]), "did you mean Secrets? Write that", listed(Secrets=["x"]), by_name("x")
    ),
    "an entry without its name": Remedy(
        listed(Secrets=[{"KmsKey": "abc"}]),
        "write {Secret: …}",
        listed(Secrets=[{"Secret": "x", "KmsKey": "abc"}]),
        by_name("x") | {DECRYPT},
    ),
    "a choice of another type": Remedy(
        secret("/x", {"Infer": 3}), "write true or false", secret("/x", {"Infer": False}), set()
    ),
    "an unknown choice": Remedy(
        secret("/x", {"Infer": "maybe"}), "write one of true, false", secret("/x", {"Infer": False}), set()
    ),
    "a number out of range": Remedy(
        secret("/x", {"MaxSessionDuration": 60}),
        "3600 to 43200",
        secret("/x", {"MaxSessionDuration": 3600}),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a statement of another type": Remedy(
        listed(Statements=["x"]),
        "write an IAM statement: Effect, Action, Resource",
        listed(Statements=[STATEMENT]),
        STATED,
    ),
    "a principal": Remedy(stated(Principal="*"), "remove it: the role is the principal", stated(), STATED),
    "an unknown key of a statement": Remedy(
        stated(Actions="s3:GetObject"), "did you mean Action? Write that", stated(), STATED
    ),
    "no effect": Remedy(stated(Effect=None), "write Allow or Deny", stated(), STATED),
    "no action": Remedy(stated(Action=None), "write Action", stated(), STATED),
    "no resource": Remedy(stated(Resource=None), "write Resource", stated(), STATED),
    "an action of another type": Remedy(stated(Action=3), "write actions", stated(), STATED),
    "a statement that no policy holds": Remedy(
        stated(Resource=[f"arn:aws:s3:::b/{number:0100}" for number in range(100)]),
        "split the statement, or shorten what it names",
        listed(
            Statements=[
                {
                    **STATEMENT,
                    "Sid": f"S{start}",
                    "Resource": [f"arn:aws:s3:::b/{n:0100}" for n in range(start, start + 25)],
                }
                for start in range(0, 100, 25)
            ]
        ),
        {("s3:GetObject", f"arn:aws:s3:::b/{number:0100}") for number in range(100)},
    ),
    "a condition of another type": Remedy(
        stated(Condition="x"),
        "write {operator: {key: value}}",
        stated(Condition={"Bool": {"aws:SecureTransport": "true"}}),
        STATED,
    ),
    "a Sid with a dash": Remedy(stated(Sid="a-b"), "write letters and digits only", stated(Sid="ab"), STATED),
    "the same Sid twice": Remedy(
        listed(Statements=[{**STATEMENT, "Sid": "A"}, {**STATEMENT, "Sid": "A", "Resource": "arn:aws:s3:::b/x"}]),
        "write another",
        listed(Statements=[{**STATEMENT, "Sid": "A"}, {**STATEMENT, "Sid": "B", "Resource": "arn:aws:s3:::b/x"}]),
        STATED | {("s3:GetObject", "arn:aws:s3:::b/x")},
    ),
    "a definition of another type": Remedy(
        event(template({"Role": role({"TaskDefinitions": [3]})})),
        "write the logical ID of a task definition",
        shared("Plain"),
        pull(f"{ECR}/web"),
        role="Role",
    ),
    "an empty entry": Remedy(
        listed(Secrets=["", "x"]), "write a value, or remove the entry", listed(Secrets=["x"]), by_name("x")
    ),
    "an entry of another type": Remedy(
        listed(SourceVpcs=[3]), "write a string or an intrinsic function", listed(SourceVpcs=["vpc-1"]), set()
    ),
    "a key that a snippet does not have": Remedy(
        snippet({"Preflight": True}),
        "write ExecutionRoleSpec on the resource, and no Fn::Transform",
        event(template({"Role": role({"Secrets": ["x"]})})),
        by_name("x"),
        role="Role",
    ),
    "a list that is known later": Remedy(
        listed(Statements=IMPORT), "write a list", listed(Statements=[STATEMENT]), STATED
    ),
    "a word for a list": Remedy(listed(Secrets="x"), "write a list", listed(Secrets=["x"]), by_name("x")),
    "a key of roles": Remedy(
        listed(TaskDefinitions=["Task"]), "remove it, or write this spec on a role of its own", listed(), set()
    ),
    "a list for a text": Remedy(listed(Description=["x"]), "write a string", listed(Description="x"), set()),
    "a tag without its keys": Remedy(
        listed(Tags=["x"]), "write {Key: …, Value: …}", listed(Tags=[{"Key": "k", "Value": "v"}]), set()
    ),
    "a property of the role": Remedy(
        event(template({"Role": role({"RoleName": "r", "Secrets": ["x"]})})),
        "write RoleName among its Properties",
        event(template({"Role": role({"Secrets": ["x"]}, RoleName="r")})),
        by_name("x"),
        role="Role",
    ),
    "a choice that is known later": Remedy(
        made(with_secret("/x"), spec={"Infer": {"Fn::If": ["C", True, False]}}, **CONDITIONS),
        "write true or false",
        made(with_secret("/x"), spec={"Infer": True}, **CONDITIONS),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a wildcard in a VPC": Remedy(
        listed(SourceVpcs=[{"Fn::Join": ["", ["vpc-", "*"]]}]),
        "name one; a wildcard",
        listed(SourceVpcs=["vpc-1"]),
        set(),
    ),
    "a policy variable in a VPC": Remedy(
        listed(SourceVpcs=["${aws:SourceVpc}"]), "name one; a policy variable", listed(SourceVpcs=["vpc-1"]), set()
    ),
}

HALF = "\ud800"


def nested(depth: int) -> Any:
    value: Any = "/x"
    for _ in range(depth):
        value = {"Fn::Join": ["", [value]]}
    return value


TEMPLATE = {
    "no request": Remedy("x", "send a macro's request", secret("/x"), fetch(f"{PARAMETERS}/x")),
    "no template": Remedy(event("x"), "write a mapping with Resources", secret("/x"), fetch(f"{PARAMETERS}/x")),
    "half a character": Remedy(
        secret(f"/x{HALF}"), "remove it, or write the whole character", secret("/x"), fetch(f"{PARAMETERS}/x")
    ),
    "a private character": Remedy(
        secret("/x\U00100000"), "remove the character", secret("/x"), fetch(f"{PARAMETERS}/x")
    ),
    "a number that JSON lacks": Remedy(
        made(container(Cpu=float("inf"))), "write a smaller number, or a string", made(container(Cpu=1)), set()
    ),
    "too deep": Remedy(secret(nested(3000)), "use fewer levels", secret(nested(3)), fetch(f"{PARAMETERS}/x")),
    "a name that is not in the template": Remedy(
        secret({"Ref": "Sekret"}),
        "did you mean Secret? Write that",
        secret({"Ref": "Secret"}),
        read(physical(SOME, "Secret")),
    ),
    "a pseudo parameter that does not exist": Remedy(
        secret({"Fn::Sub": "/${AWS::AccountID}"}),
        "did you mean AWS::AccountId? Write that",
        secret({"Fn::Sub": "/${AWS::AccountId}"}),
        fetch(f"{PARAMETERS}/{ACCOUNT}"),
    ),
    "a key that is not in Mappings": Remedy(
        secret({"Fn::FindInMap": ["M", "a", "x"]}, Mappings={"M": {"a": {"k": "/x"}}}),
        "write a key that it has",
        secret({"Fn::FindInMap": ["M", "a", "k"]}, Mappings={"M": {"a": {"k": "/x"}}}),
        fetch(f"{PARAMETERS}/x"),
    ),
    "an attribute of a parameter": Remedy(
        secret({"Fn::GetAtt": ["P", "Value"]}, Parameters={"P": {"Type": "String", "Default": "/x"}}),
        "write !Ref P",
        secret({"Ref": "P"}, Parameters={"P": {"Type": "String", "Default": "/x"}}),
        fetch(f"{PARAMETERS}/x"),
        stack={"parameters": {"P": "/x"}},
    ),
    "a list for a value": Remedy(
        secret(["/x"]), "write a string or an intrinsic function", secret("/x"), fetch(f"{PARAMETERS}/x")
    ),
    "a mapping for the text of a Sub": Remedy(
        secret({"Fn::Sub": [{"${S}:password:": None}, {"S": {"Ref": "Secret"}}]}),
        "put the text in quotes",
        secret({"Fn::Sub": ["${S}:password::", {"S": {"Ref": "Secret"}}]}),
        read(physical(SOME, "Secret")),
    ),
    "an include": Remedy(
        made({"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}, "Name": "x"}),
        "write what it gives in its place",
        made(with_secret("/x")),
        fetch(f"{PARAMETERS}/x"),
    ),
    "an include for a value": Remedy(
        secret({"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}}),
        "write what it gives in its place",
        secret("/x"),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a loop for a container": Remedy(
        made({"Fn::ForEach::Names": ["Name", ["a"], {"Name": "x"}]}),
        "list AWS::LanguageExtensions before EcsExecRole in Transform",
        made(with_secret("/x")),
        fetch(f"{PARAMETERS}/x"),
    ),
    "an include for a list": Remedy(
        made(container(Secrets={"Fn::Transform": {"Name": "AWS::Include"}})),
        "or let CloudFormation expand it before EcsExecRole",
        made(with_secret("/x")),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a malformed If": Remedy(
        secret({"Fn::If": ["C", "/x"]}, **CONDITIONS),
        "write [condition name, if true, if false]",
        secret({"Fn::If": ["C", "/x", NO_VALUE]}, **CONDITIONS),
        fetch(f"{PARAMETERS}/x"),
        stack={"conditions": {"C": True}},
    ),
    "a container that is known later": Remedy(
        made(IMPORT), "write what it gives", made(with_secret("/x")), fetch(f"{PARAMETERS}/x")
    ),
    "a container that is known later, said in the spec": Remedy(
        made(IMPORT),
        "or add `Unresolved: Ignore` to the spec and say there what it needs",
        made(IMPORT, spec={"Unresolved": "Ignore", "Parameters": ["/x"]}),
        fetch(f"{PARAMETERS}/x"),
    ),
    "a word for a container": Remedy(made("x"), "write a mapping", made(with_secret("/x")), fetch(f"{PARAMETERS}/x")),
}

REMEDIES = {**FEATURES, **NEEDS, **ROLES, **SPEC, **TEMPLATE}


def messages(request: Any) -> list[Problem]:
    """The engine's messages about a request: why it refuses it, or its warnings."""
    try:
        return list(expand(request, Settings()).warnings)
    except TemplateError as error:
        return list(error.problems)


@pytest.mark.parametrize("name", REMEDIES)
def test_a_remedy_that_is_followed_leads_to_the_grants_that_are_needed(name: str) -> None:
    remedy = REMEDIES[name]
    said = [problem for problem in messages(remedy.wrong) if remedy.says in problem.fix]
    assert said, [str(problem) for problem in messages(remedy.wrong)]
    answer = expand(remedy.right, Settings())
    assert not {problem.code for problem in said} & {warning.code for warning in answer.warnings}
    if remedy.grants is None:
        return
    if "Resources" in answer.fragment:
        found = grants(answer.fragment, remedy.role, **remedy.stack)
    else:
        whole = template({"Role": {"Type": "AWS::IAM::Role", "Properties": answer.fragment}})
        found = grants(whole, "Role")
    assert found >= remedy.grants if remedy.late else found == remedy.grants


# -- that there is an example for each place --------------------------------------------------------------------------

ENGINE = ("features/", "needs/", "spec/", "roles/", "template/", "fragment.py", "inference.py", "pipeline.py")
WITHOUT_EXAMPLE = {
    "pipeline.py: split it into several stacks": "65,521 functions: tests/answers/test_hostile_templates.py",
    "pipeline.py: split the definition, or use fewer conditions": "tests/answers/test_hostile_templates.py",
    "fragment.py: let definitions share a role, or split the stack": "6 MB: tests/answers/test_hostile_templates.py",
    "template/budget.py: too-large": "a million steps: tests/answers/test_hostile_templates.py",
    "template/event.py: use fewer levels, or move parts of it to other stacks": "a constant: the example `too deep`",
}
"""Places whose remedy is to make a very large template smaller, and the tests of them."""


@pytest.mark.xdist_group("source")
def test_each_place_that_makes_a_message_has_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as lines:
        for remedy in REMEDIES.values():
            messages(remedy.wrong)
    found = places(ENGINE, WITHOUT_EXAMPLE)
    assert len(found) > 100
    assert not missing(found, lines)


@pytest.mark.xdist_group("source")
def test_the_exceptions_are_places_of_the_source() -> None:
    said = {f"{use.place.split(':')[0]}: {fix}" for use in uses() for fix in fixes(use.place)}
    assert set(WITHOUT_EXAMPLE) <= said


@pytest.mark.xdist_group("source")
def test_every_code_of_the_engine_has_an_example() -> None:
    found = places(ENGINE, WITHOUT_EXAMPLE)
    wanted = {code for use in uses() if use.place in found for code in codes(use) if "NAME" not in code}
    assert wanted <= {problem.code for remedy in REMEDIES.values() for problem in messages(remedy.wrong)}
