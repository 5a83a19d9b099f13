"""A small AWS account for the tests: everything that the tasks of one web service need, and a role that may use it."""

from __future__ import annotations

import json
from typing import Any

import boto3
from tests.preflight.simulator import Simulator, client, error, hook, reply

from ecs_exec_role.preflight.check import check
from ecs_exec_role.preflight.needs import CheckedNeed, read_needs
from ecs_exec_role.preflight.report import RoleCheck

ACCOUNT, REGION = "123456789012", "us-east-1"
OTHER = "210987654321"
ROLE_NAME = "web-WebExecutionRole"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"
CONTAINER = "Resources/Web/Properties/ContainerDefinitions/0"
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def arn(service: str, resource: str, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{account}:{resource}"


class World:
    """The account; its methods make resources, and their needs in the form that the macro writes."""

    def __init__(self, session: boto3.session.Session, simulator: Simulator) -> None:
        self.session, self.simulator = session, simulator
        self.needs: list[dict[str, Any]] = []
        self.statements: list[dict[str, Any]] = []
        self._role_made = False

    @staticmethod
    def client(service: str) -> Any:
        """A client without the hooks of the session under test."""
        return client(service)

    # -- things and their needs ----------------------------------------------------------------------------------------

    def need(self, place: str, **fields: Any) -> None:
        """A need, granted to the role unless `granted` is false."""
        granted = fields.pop("granted", True)
        need = {"Path": place if place.startswith("Resources/") else f"{CONTAINER}/{place}", **fields}
        self.needs.append(need)
        if granted:
            statement: dict[str, Any] = {"Effect": "Allow", "Action": need["Actions"], "Resource": need["Resources"]}
            single = {k: v for k, v in need.get("Context", {}).items() if k != "kms:ResourceAliases"}
            if single:
                statement["Condition"] = {"StringLike": single}
            if "kms:ResourceAliases" in need.get("Context", {}):
                listed = {"kms:ResourceAliases": need["Context"]["kms:ResourceAliases"]}
                statement.setdefault("Condition", {})["ForAnyValue:StringEquals"] = listed
            self.statements.append(statement)

    def image(self, tag: str = "1", repository: str = "web", *, exists: bool = True, **more: Any) -> None:
        ecr = self.client("ecr")
        if exists:
            ecr.create_repository(repositoryName=repository)
            media = "application/vnd.docker.distribution.manifest.v2+json"
            manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "config": {}, "layers": []})
            ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)
        target = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:{tag}"
        token = {"Sid": "EcrAuthorization", "Kind": "Registry", "Target": target, "Resources": ["*"]}
        self.need("Image", Actions=["ecr:GetAuthorizationToken"], **token)
        fields = {"Sid": "PullImages", "Kind": "Image", "Target": target, "Actions": PULL} | more
        self.need("Image", Resources=[arn("ecr", f"repository/{repository}")], **fields)

    def secret(self, name: str = "shop/card", *, exists: bool = True, key: str = "", **more: Any) -> str:
        """A secret, named in the template by its partial ARN."""
        partial = arn("secretsmanager", f"secret:{name}")
        full = partial
        if exists:
            made = {"Name": name, "SecretString": "not to be read"} | ({"KmsKeyId": key} if key else {})
            full = self.client("secretsmanager").create_secret(**made)["ARN"]
        fields = {"Sid": "ReadSecrets", "Kind": "Secret", "Target": partial} | more
        self.need("Secrets/0/ValueFrom", Actions=["secretsmanager:GetSecretValue"],
                  Resources=[partial, f"{partial}-??????"], **fields)  # fmt: skip
        return full

    def parameter(self, name: str = "/shop/level", *, exists: bool = True, **more: Any) -> None:
        if exists:
            self.client("ssm").put_parameter(Name=name, Value="not to be read", Type="String")
        resource = arn("ssm", f"parameter/{name.lstrip('/')}")
        fields = {"Sid": "ReadParameters", "Kind": "Parameter", "Target": name} | more
        self.need("Secrets/1/ValueFrom", Actions=["ssm:GetParameters"], Resources=[resource], **fields)

    def log_group(self, name: str = "/ecs/web", *, exists: bool = True, **more: Any) -> None:
        if exists:
            self.client("logs").create_log_group(logGroupName=name)
        fields = {"Sid": "WriteLogs", "Kind": "LogGroup", "Target": name} | more
        self.need("LogConfiguration/Options/awslogs-group", Actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                  Resources=[arn("logs", f"log-group:{name}:*")], **fields)  # fmt: skip

    def environment_file(
        self, key: str = "web.env", bucket: str = "settings", *, exists: bool = True, **more: Any
    ) -> None:
        s3 = self.client("s3")
        if bucket not in [b["Name"] for b in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=bucket)
        if exists:
            s3.put_object(Bucket=bucket, Key=key, Body=b"A=1")
        target = f"arn:aws:s3:::{bucket}/{key}"
        fields = {"Sid": "ReadEnvironmentFiles", "Kind": "Object", "Target": target} | more
        self.need("EnvironmentFiles/0/Value", Actions=["s3:GetObject"], Resources=[target], **fields)
        self.need("EnvironmentFiles/0/Value", Sid="LocateEnvironmentFiles", Kind="Bucket", Target=target,
                  Actions=["s3:GetBucketLocation"], Resources=[f"arn:aws:s3:::{bucket}"])  # fmt: skip

    def key(self) -> str:
        made: str = self.client("kms").create_key()["KeyMetadata"]["Arn"]
        return made

    def decrypts(self, key: str, secret: str, **more: Any) -> None:
        """The need to decrypt a secret with a key of the customer's own."""
        context = {
            "kms:ViaService": [f"secretsmanager.{REGION}.amazonaws.com"],
            "kms:EncryptionContext:SecretARN": [secret],
        }
        fields = {"Sid": "DecryptSecrets", "Kind": "Key", "Target": key, "Resources": [key], "Context": context} | more
        self.need("Secrets/0/ValueFrom", Actions=["kms:Decrypt"], **fields)

    def everything(self) -> None:
        """A service without a fault."""
        self.image()
        key = self.key()
        self.decrypts(key, self.secret(key=key))
        self.parameter()
        self.log_group()
        self.environment_file()

    # -- the role ------------------------------------------------------------------------------------------------------

    def role(self, *, boundary: list[dict[str, Any]] | None = None, trust: dict[str, Any] = TRUST) -> None:
        """The role, with one policy of all that was granted so far."""
        iam = self.client("iam")
        made: dict[str, Any] = {"RoleName": ROLE_NAME, "AssumeRolePolicyDocument": json.dumps(trust)}
        if boundary is not None:
            document = json.dumps({"Version": "2012-10-17", "Statement": boundary})
            policy = iam.create_policy(PolicyName="limits", PolicyDocument=document)
            made["PermissionsBoundary"] = policy["Policy"]["Arn"]
        iam.create_role(**made)
        self._role_made = True
        if self.statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": self.statements})
            iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="ExecutionRole", PolicyDocument=document)

    def cache_rules(self, *prefixes: str) -> None:
        """The registry's pull-through cache rules, which moto does not know."""
        rules = [{"ecrRepositoryPrefix": prefix} for prefix in prefixes]
        answer = reply(200, {"pullThroughCacheRules": rules})
        hook(self.session, "ecr.DescribePullThroughCacheRules", lambda **_: answer)

    def stack(self, status: str) -> None:
        """What CloudFormation returns about the stack that asks."""
        answer = reply(200, {"Stacks": [{"StackStatus": status}]})
        hook(self.session, "cloudformation.DescribeStacks", lambda **_: answer)

    def breaks(self, operation: str, code: str, status: int = 400) -> None:
        """From now on AWS answers `service.Operation` with this error."""
        hook(self.session, operation, lambda **_: error(code, status=status))

    # -- the check -----------------------------------------------------------------------------------------------------

    def read(self) -> tuple[CheckedNeed, ...]:
        needs, problems = read_needs(self.needs)
        assert not problems
        return needs

    def check(self, **options: Any) -> RoleCheck:
        if not self._role_made:
            self.role()
        return check(ROLE, self.read(), self.session, **options)

    def lines(self, **options: Any) -> list[str]:
        return [str(finding) for finding in self.check(**options).findings]
