"""The calls that ECS makes with an execution role to start a task, and similar calls, for the tests.

Reads a *resolved* definition (see `tests.support.cloudformation`) and says which action ECS calls on which full ARN,
with which context keys; next to each, near misses that a role must not allow: a sibling's name, another account or
region, a neighbouring action, a decryption outside the service or for another secret. It shares no code with the macro.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple, TypeGuard

from tests.support.cloudformation import PARTITIONS, Document, Stack, secret_suffix
from tests.support.iam import Request, evaluate

ECS_DEFINITIONS = ("AWS::ECS::TaskDefinition", "AWS::ECS::DaemonTaskDefinition")
DEFINITIONS = (*ECS_DEFINITIONS, "AWS::ECS::ExpressGatewayService", "AWS::Batch::JobDefinition")

PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability")
STRANGER = "999999999999"
UNKNOWN = "888888888888"
STRANGERS_KEY = "00000000-0000-4000-8000-000000000000"
ALIASED_KEY = "99999999-8888-4777-8666-555555555555"
"""The ID of each key of which only an alias is known."""

TASK = "0123456789abcdef0123456789abcdef"

# Regions that the tests use: https://docs.aws.amazon.com/guardduty/latest/ug/ecs-runtime-agent-ecr-image-uri.html
GUARDDUTY_ACCOUNTS = {"us-east-1": "593207742271", "eu-west-1": "694911143906", "us-gov-west-1": "383110348953"}

# https://docs.aws.amazon.com/general/latest/gr/ecr.html
PRIVATE_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr(?:\.ecr|-ecr)(?:-fips)?\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn|c2s\.ic\.gov|sc2s\.sgov\.gov|amazonaws\.eu)"
    r"/(?P<name>.+)",
    re.IGNORECASE,
)


class Key(NamedTuple):
    """A customer's KMS key."""

    arn: str
    aliases: tuple[str, ...] = ()


@dataclass
class Expected:
    """What a role must allow, what it must not, and what it may name without a call that shows it.

    `written` are the grants of the spec's own `Statements`, as pairs of an action and a resource. `complete` is false
    where the spec says `Unresolved: Ignore`, so that the role may lack something.
    """

    made: list[Request] = field(default_factory=list)
    near: list[Request] = field(default_factory=list)
    tolerated: list[Request] = field(default_factory=list)
    written: set[tuple[str, str]] = field(default_factory=set)
    complete: bool = True

    def unneeded(self, policies: Iterable[Document]) -> list[str]:
        """Grants in a role's policies, as `action on resource`, that none of the calls uses."""
        useful = [*self.made, *self.tolerated]
        return [
            f"{action} on {resource}"
            for action, resource in _grants(policies)
            if (action, resource) not in self.written
            and not any(
                request.action == action and _pattern(resource).fullmatch(request.resource) for request in useful
            )
        ]


@functools.cache
def _pattern(resource: str) -> re.Pattern[str]:
    """IAM's wildcards: `*` for anything, `?` for one character; `${*}` and the like for the character itself."""
    wild = {"*": ".*", "?": "."}
    tokens = re.findall(r"\$\{[*?$]\}|.", resource, re.DOTALL)
    expression = "".join(wild.get(token) or re.escape(token[2] if len(token) > 1 else token) for token in tokens)
    return re.compile(expression, re.DOTALL)


def _grants(policies: Iterable[Document]) -> Iterator[tuple[str, str]]:
    for policy in policies:
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow":
                yield from product(_listed(statement.get("Action", [])), _listed(statement.get("Resource", [])))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def expected(stack: Stack) -> dict[str, Expected]:
    """For each `ExecutionRoleSpec` of a template, before the macro: the role's logical ID, and what that must allow."""
    found: dict[str, Expected] = {}
    for logical_id in stack.resources(*DEFINITIONS):
        properties = stack.properties(logical_id)
        if "ExecutionRoleSpec" in properties:
            found[f"{logical_id}ExecutionRole"] = _read(stack, properties["ExecutionRoleSpec"], [logical_id])
    for logical_id in stack.resources("AWS::IAM::Role"):
        spec = stack.fragment["Resources"][logical_id].get("Properties", {}).get("ExecutionRoleSpec")
        if spec is not None:
            # The names of definitions are not resolved: one that the stack does not create is here as well.
            lists = {key: value for key, value in spec.items() if key != "TaskDefinitions"} if _is_map(spec) else spec
            found[logical_id] = _read(stack, stack.resolve(lists), used_by(stack, logical_id, spec))
    return found


def _is_map(value: Any) -> TypeGuard[Document]:
    return isinstance(value, dict)


class Verdict(NamedTuple):
    """What is wrong with a role: calls that it lacks, near misses that it allows, grants that nothing uses."""

    lacking: list[str]
    too_wide: list[str]
    unneeded: list[str]


NEAR_ENOUGH = 250
NOTHING_WRONG = Verdict([], [], [])


def judge(
    policies: Sequence[Document],
    calls: Expected,
    *,
    boundaries: Sequence[Document] = (),
    scps: Sequence[Sequence[Document]] = (),
) -> Verdict:
    """Asks the evaluator about every call and at most about `NEAR_ENOUGH` near misses.

    The calls are evaluated with the permissions boundary and the service control policies; the role must deny the near
    misses without them.
    """
    missed = calls.near[:: 1 + len(calls.near) // NEAR_ENOUGH]
    made, near = evaluate(policies, calls.made, boundaries=boundaries, scps=scps), evaluate(policies, missed)
    return Verdict(
        [str(call) for call, answer in zip(calls.made, made, strict=True) if calls.complete and not answer.allowed],
        [f"{call}: {answer.reason}" for call, answer in zip(missed, near, strict=True) if answer.allowed],
        calls.unneeded(policies),
    )


def _read(stack: Stack, spec: Any, definitions: Iterable[str]) -> Expected:
    reading = Reading(stack, spec)
    if spec == "Starter":
        reading.starter()
    else:
        for logical_id in definitions:
            reading.definition(logical_id)
    return reading.finish()


def used_by(stack: Stack, role: str, spec: Any) -> list[str]:
    """The definitions that a role with a spec is for and that the stack makes.

    These are the `TaskDefinitions` of the spec; without any, those whose `ExecutionRoleArn` is the role's.
    """
    if _is_map(spec) and "TaskDefinitions" in spec:
        words = [each["Ref"] if _is_map(each) else each for each in spec["TaskDefinitions"]]
        return [word for word in words if stack.exists(word)]
    arn = stack.physical(role).attributes["Arn"]
    return [name for name in stack.resources(*DEFINITIONS) if arn in _execution_roles(stack, name)]


def _execution_roles(stack: Stack, definition: str) -> Iterator[str]:
    """Every `ExecutionRoleArn` of a definition."""
    waiting: list[Any] = [stack.fragment["Resources"][definition].get("Properties", {})]
    while waiting:
        node = waiting.pop()
        if _is_map(node):
            if "ExecutionRoleArn" in node:
                yield stack.resolve(node["ExecutionRoleArn"])
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


class Reading:
    """Collects what one role is for."""

    def __init__(self, stack: Stack, spec: Any) -> None:
        self.stack = stack
        self.spec: Document = spec if isinstance(spec, dict) else {}
        self.found = Expected()
        self.whole_groups: set[str] = set()
        self.other_streams: list[tuple[str, Request]] = []
        self.pulls = False
        self.keys = _Keys(stack)
        self.vpcs = {
            key: str(ids[0])
            for key, ids in (
                ("aws:SourceVpc", self.spec.get("SourceVpcs")),
                ("aws:SourceVpce", self.spec.get("SourceVpcEndpoints")),
            )
            if ids
        }
        self.prefixes = tuple(
            str(stack.physical(rule).ref) for rule in stack.resources("AWS::ECR::PullThroughCacheRule")
        )
        self._hints()

    def make(self, action: str, resource: str, note: str, **context: str | list[str]) -> None:
        self.found.made.append(Request(action, resource, _keyed(context), note))

    def miss(self, action: str, resource: str, note: str, **context: str | list[str]) -> None:
        self.found.near.append(Request(action, resource, _keyed(context), note))

    def finish(self) -> Expected:
        """The union of all that was read. A near miss of one thing that is a call of another is not a near miss."""
        if not self.pulls:
            self.miss("ecr:GetAuthorizationToken", "*", "no image is private")
        self.found.near.extend(missed for group, missed in self.other_streams if group not in self.whole_groups)
        made = {_compared(each) for each in (*self.found.made, *self.found.tolerated)}
        self.found.near = [each for each in self.found.near if _compared(each) not in made]
        return self.found

    def starter(self) -> None:
        """What AWS's managed policy allows: any private image, any existing log group."""
        self.pulls = True
        self.make("ecr:GetAuthorizationToken", "*", "log in to ECR")
        for action in PULL:
            self.make(action, self.stack.arn("ecr", "repository/any"), "pull the image")
        stream = self.stack.arn("logs", f"log-group:any:log-stream:any/any/{TASK}")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            self.make(action, stream, "write logs")
        self.miss("logs:CreateLogGroup", self.stack.arn("logs", "log-group:any:log-stream:"), "not in that policy")
        secret = self.stack.arn("secretsmanager", "secret:any-a1B2c3")
        self.miss("secretsmanager:GetSecretValue", secret, "not in that policy")

    # A definition

    def definition(self, logical_id: str) -> None:
        if self.spec.get("Infer") is False:
            return
        stack = self.stack
        kind, properties = stack.fragment["Resources"][logical_id]["Type"], stack.properties(logical_id)
        for container in _containers(kind, properties):
            self._container(container, batch=kind == "AWS::Batch::JobDefinition")
        if kind == "AWS::ECS::ExpressGatewayService" and "AwsLogsConfiguration" not in properties["PrimaryContainer"]:
            self.express_logs(properties)
        for volume in properties.get("Volumes", []):
            if "FSxWindowsFileServerVolumeConfiguration" in volume:
                authorization = volume["FSxWindowsFileServerVolumeConfiguration"]["AuthorizationConfig"]
                self.make("fsx:DescribeFileSystems", "*", "FSx volume")
                self.fsx_login(authorization["CredentialsParameter"])
        reference = stack.physical(logical_id).ref
        for service in stack.resources("AWS::ECS::Service"):
            connected = stack.properties(service)
            if connected.get("TaskDefinition") == reference:
                log = connected.get("ServiceConnectConfiguration", {}).get("LogConfiguration")
                self._log({"Name": "ecs-service-connect"}, log)

    def _container(self, container: Document, *, batch: bool) -> None:
        self.image(container["Image"])
        log = container.get("LogConfiguration")
        if batch:
            log = log or {"LogDriver": "awslogs"}
            if log["LogDriver"] == "awslogs":
                log = {**log, "Options": {"awslogs-group": "/aws/batch/job", **log.get("Options", {})}}
        self._log(container, log)
        for secret in container.get("Secrets", []):
            self.value_from(secret["ValueFrom"])
        if "RepositoryCredentials" in container:
            self.secret(container["RepositoryCredentials"]["CredentialsParameter"], "registry login")
        for file in container.get("EnvironmentFiles", []):
            self.object(file["Value"], "environment file")
        options = container.get("FirelensConfiguration", {}).get("Options", {})
        if options.get("config-file-type") == "s3":
            self.object(options["config-file-value"], "FireLens file")
        for text in [*container.get("CredentialSpecs", []), *container.get("DockerSecurityOptions", [])]:
            if text.startswith("credentialspec") and ":arn:" in text:
                self.credential_spec(text)

    def _log(self, container: Document, log: Document | None) -> None:
        if not log:
            return
        options = log.get("Options", {})
        if log["LogDriver"] == "awslogs":
            prefix = options.get("awslogs-stream-prefix")
            self.log_group(
                options["awslogs-group"],
                region=options.get("awslogs-region"),
                create=str(options.get("awslogs-create-group", "")) in {"1", "t", "T", "true", "TRUE", "True"},
                stream=f"{prefix}/{container.get('Name', 'main')}/{TASK}" if prefix else TASK * 2,
            )
        for option in log.get("SecretOptions", []):
            self.value_from(option["ValueFrom"])

    # The spec's lists

    def _listed(self, key: str, item: str) -> Iterator[dict[str, Any]]:
        """The entries of a list of the spec, each as a mapping; a string is the value of `item`."""
        for entry in self.spec.get(key, []):
            yield entry if isinstance(entry, dict) else {item: entry}

    def _hints(self) -> None:
        for hinted in self._listed("Images", "Repository"):
            self.image(hinted["Repository"], listed=True, cached=hinted.get("PullThroughCache") is True)
        for hinted in self._listed("LogGroups", "LogGroup"):
            prefix = hinted.get("StreamPrefix")
            self.log_group(
                hinted["LogGroup"],
                region=hinted.get("Region"),
                create=hinted.get("Create") is True,
                stream=f"{prefix}/main/{TASK}" if prefix else TASK,
                under=prefix,
            )
        for name in ("Secrets", "RegistryCredentials"):
            for hinted in self._listed(name, "Secret"):
                self.secret(hinted["Secret"], name, key=hinted.get("KmsKey"))
        for hinted in self._listed("Parameters", "Parameter"):
            self.parameter(hinted["Parameter"], key=hinted.get("KmsKey"))
        self._hints_of_files()
        if self.spec.get("GuardDuty") is True:
            self.guardduty()
        self.found.complete = self.spec.get("Unresolved") != "Ignore"
        self.found.written.update(_grants([{"Statement": self.spec.get("Statements", [])}]))

    def _hints_of_files(self) -> None:
        for name in ("EnvironmentFiles", "FireLensConfigs"):
            for hinted in self._listed(name, "Object"):
                self.object(hinted["Object"], name, key=hinted.get("KmsKey"))
        for hinted in self._listed("CredentialSpecs", "Spec"):
            self.credential_spec(hinted["Spec"])
            if "Secret" in hinted:
                self.secret(hinted["Secret"], "gMSA account", key=hinted.get("KmsKey"))
        for hinted in self._listed("FsxCredentials", "Secret"):
            self.make("fsx:DescribeFileSystems", "*", "FSx volume")
            self.fsx_login(hinted.get("Secret") or hinted["Parameter"], key=hinted.get("KmsKey"))
        for hinted in self._listed("FileSystems", "FileSystem"):
            self.file_system(hinted)

    # The features

    def image(self, image: str, *, listed: bool = False, cached: bool = False) -> None:
        """A container's image, or an entry of `Images`, where a name without a host is a repository's name."""
        private = PRIVATE_IMAGE.fullmatch(image)
        if image.startswith("arn:"):
            arn = image
        elif private:
            region = private["region"].lower()
            arn = f"arn:{partition_of(region)}:ecr:{region}:{private['account']}:repository/{untagged(private['name'])}"
        elif listed:
            arn = self.stack.arn("ecr", f"repository/{untagged(image)}")
        else:
            return
        self.pulls = True
        self.make("ecr:GetAuthorizationToken", "*", "log in to ECR")
        cached = cached or self.cached(arn)
        for action in (*PULL, *(["ecr:BatchImportUpstreamImage"] if cached else [])):
            self.make(action, arn, "pull the image", **self.vpcs)
            for other in _relatives(arn):
                self.miss(action, other, "another repository", **self.vpcs)
            if self.vpcs and action in PULL:
                self.miss(action, arn, "from nowhere in particular")
                elsewhere = {key: value[:-1] + ("0" if value[-1] != "0" else "1") for key, value in self.vpcs.items()}
                self.miss(action, arn, "from another network", **elsewhere)
        for action in ("ecr:PutImage", "ecr:DescribeImages", "ecr:BatchDeleteImage"):
            self.miss(action, arn, "another action", **self.vpcs)
        for action in ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository"):
            if cached:
                # The first pull through a cache creates the repository, unless it exists.
                self.found.tolerated.append(Request(action, arn, note="first pull"))
                self.miss(action, f"{arn}-other", "another repository", **self.vpcs)
            else:
                self.miss(action, arn, "no cache", **self.vpcs)

    def cached(self, arn: str) -> bool:
        """Whether the template's cache rules fill this repository; the prefix ROOT is for the whole registry."""
        name = arn.partition(":repository/")[2]
        here = arn == self.stack.arn("ecr", f"repository/{name}")
        return here and any(prefix == "ROOT" or name.startswith(f"{prefix}/") for prefix in self.prefixes)

    def guardduty(self) -> None:
        region = self.stack.region
        account = GUARDDUTY_ACCOUNTS.get(region)
        before = len(self.found.near)
        host = f"{account or UNKNOWN}.dkr.ecr.{region}.{self.stack.url_suffix}"
        self.image(f"{host}/aws-guardduty-agent-fargate:v1")
        if account is None:
            # AWS does not document the image's account in that region: any account is allowed, but only this repository
            # name.
            elsewhere = [each for each in self.found.near[before:] if f":{STRANGER}:" in each.resource]
            self.found.near = [each for each in self.found.near if each not in elsewhere]

    def log_group(self, group: str, *, region: str | None, create: bool, stream: str, under: str | None = None) -> None:
        if group.startswith("arn:"):
            arn = group.removesuffix(":*")
        else:
            where = region or self.stack.region
            arn = f"arn:{self.stack.partition}:logs:{where}:{self.stack.account}:log-group:{group}"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            self.make(action, f"{arn}:log-stream:{stream}", "write logs")
            for other in _relatives(arn):
                self.miss(action, f"{other}:log-stream:{stream}", "another log group")
            if under:
                missed = Request(action, f"{arn}:log-stream:{under}-other/main/{TASK}", note="another prefix")
                self.other_streams.append((arn, missed))
        if not under:
            self.whole_groups.add(arn)
        # CloudWatch Logs checks the group with an empty stream name.
        creation = self.make if create else self.miss
        creation("logs:CreateLogGroup", f"{arn}:log-stream:", "create the log group")
        creation("logs:CreateLogGroup", arn, "create the log group")
        self.miss("logs:CreateLogGroup", f"{arn}-other:log-stream:", "create another log group")
        self.miss("logs:GetLogEvents", f"{arn}:log-stream:{stream}", "another action")

    def express_logs(self, service: Document) -> None:
        """ECS creates a log group and adds characters to the service's name."""
        cluster = service.get("Cluster", "default").rpartition("/")[2]
        name = service.get("ServiceName", "generated")
        for suffix in ("a1b2", "a1b2-c3d4"):
            group = f"/aws/ecs/{cluster}/{name}-{suffix}"
            self.log_group(group, region=None, create=False, stream=TASK)

    def value_from(self, value: str) -> None:
        """`ValueFrom`: a secret's ARN, or a parameter's ARN or name."""
        if value.split(":")[2:3] == ["secretsmanager"]:
            self.secret(":".join(value.split(":")[:7]), "secret")
        else:
            self.parameter(value)

    def secret(self, secret: str, note: str, *, key: str | None = None) -> None:
        arn = secret if secret.startswith("arn:") else self.stack.arn("secretsmanager", f"secret:{secret}")
        arn = ":".join(arn.split(":")[:7])
        for full in self._full_arns(arn):
            self.make("secretsmanager:GetSecretValue", full, note)
            stem, _, suffix = full.rpartition("-")
            for other in (f"{stem}-other-{suffix}", f"{stem}x-{suffix}", f"{full}x", *_elsewhere(full)):
                self.miss("secretsmanager:GetSecretValue", other, "another secret")
            for action in ("secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue"):
                self.miss(action, full, "another action")
            self._decrypt(
                self.keys.hinted(key, full) if key else self.keys.of_secret(full),
                service="secretsmanager",
                arn=full,
                name="SecretARN",
                other=f"{stem}-other-{suffix}",
                extra={"kms:EncryptionContext:SecretVersionId": "11111111-2222-4333-8444-555555555555"},
            )

    def _full_arns(self, arn: str) -> Iterator[str]:
        """The ARNs of the secrets that a full or partial ARN may mean."""
        if arn in self.keys.secrets:
            yield arn
            return
        if not is_full_secret_arn(arn):
            yield f"{arn}-{secret_suffix(arn)}"
        if re.search(r"-[A-Za-z0-9]{6}$", arn):
            yield arn
        else:
            self.found.tolerated.append(Request("secretsmanager:GetSecretValue", arn, note="a partial ARN"))

    def parameter(self, parameter: str, *, key: str | None = None, decrypted: bool = True) -> None:
        name = parameter.removeprefix("/")
        arn = parameter if parameter.startswith("arn:") else self.stack.arn("ssm", f"parameter/{name}")
        self.make("ssm:GetParameters", arn, "parameter")
        for other in _relatives(arn):
            self.miss("ssm:GetParameters", other, "another parameter")
        for action in ("ssm:GetParameter", "ssm:GetParametersByPath", "ssm:GetParameterHistory", "ssm:PutParameter"):
            self.miss(action, arn, "another action")
        before, referenced, secret = arn.partition(":parameter/aws/reference/secretsmanager/")
        if referenced:
            self.secret(f"{before.replace(':ssm:', ':secretsmanager:')}:secret:{secret}", "secret behind a parameter")
        self._decrypt(
            self.keys.hinted(key, arn) if decrypted else None,
            service="ssm",
            arn=arn,
            name="PARAMETER_ARN",
            other=f"{arn}-other",
        )

    def object(self, arn: str, note: str, *, key: str | None = None, located: bool = True) -> None:
        bucket = arn.partition("/")[0]
        owner = self.stack.account
        if "*" in arn:
            # A key may contain an asterisk, but the evaluator cannot be asked about one.
            self.found.tolerated.append(Request("s3:GetObject", arn))
        else:
            self.make("s3:GetObject", arn, note, aws_ResourceAccount=owner)
            for action in ("s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion"):
                self.miss(action, arn, "another action", aws_ResourceAccount=owner)
        plain = re.sub(r"[*?]", "x", arn)
        for other in (f"{plain}.other", f"{bucket}/other.env", f"{bucket}-other/{plain.partition('/')[2]}"):
            self.miss("s3:GetObject", other, "another object", aws_ResourceAccount=owner)
        if plain != arn:
            self.miss("s3:GetObject", plain, "a wildcard's match", aws_ResourceAccount=owner)
        location = Request("s3:GetBucketLocation", bucket, {"aws:ResourceAccount": owner}, "locate the bucket")
        (self.found.made if located else self.found.tolerated).append(location)
        self.miss("s3:ListBucket", bucket, "another action", aws_ResourceAccount=owner)
        self.miss("s3:GetBucketLocation", f"{bucket}-other", "another bucket", aws_ResourceAccount=owner)
        by_bucket = bucket in self.keys.bucket_keys and not key
        self._decrypt(
            self.keys.hinted(key, arn) if key else self.keys.buckets.get(bucket),
            service="s3",
            arn=bucket if by_bucket else arn,
            name="aws:s3:arn",
            other=f"{bucket}-other" if by_bucket else f"{arn}.other",
        )

    def credential_spec(self, text: str) -> None:
        arn = text.partition(":")[2]
        if ":ssm:" in arn:
            self.parameter(arn)
        else:
            self.object(arn, "gMSA spec", located=False)

    def fsx_login(self, login: str, *, key: str | None = None) -> None:
        """The agent reads a parameter without decrypting it."""
        if ":ssm:" in login or not login.startswith("arn:"):
            self.parameter(login, decrypted=False)
        else:
            self.secret(login, "FSx login", key=key)

    def file_system(self, hinted: Document) -> None:
        def arn(name: str, kind: str) -> str:
            return name if name.startswith("arn:") else self.stack.arn("elasticfilesystem", f"{kind}/{name}")

        system, access = arn(hinted["FileSystem"], "file-system"), hinted.get("Access", "ReadWrite")
        context = {"elasticfilesystem:AccessedViaMountTarget": "true"}
        point = hinted.get("AccessPoint")
        if point:
            context["elasticfilesystem:AccessPointArn"] = arn(point, "access-point")
        granted = {
            "elasticfilesystem:ClientMount": True,
            "elasticfilesystem:ClientWrite": access != "ReadOnly",
            "elasticfilesystem:ClientRootAccess": access == "Root",
        }
        for action, grant in granted.items():
            (self.make if grant else self.miss)(action, system, "mount", **context)
            self.miss(action, f"{system.partition('/')[0]}/fs-0fedcba9876543210", "another file system", **context)
            if point:
                other = {**context, "elasticfilesystem:AccessPointArn": arn("fsap-0fedcba9876543210", "access-point")}
                self.miss(action, system, "another access point", **other)

    def _decrypt(
        self,
        key: Key | None,
        *,
        service: str,
        arn: str,
        name: str,
        other: str,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """A service decrypts `arn` for ECS. Without a customer's key it uses its own, and the role needs nothing."""
        region = arn.split(":")[3] or self.stack.region
        context_key = f"kms:EncryptionContext:{name}"
        right: dict[str, str | list[str]] = {
            "kms:ViaService": f"{service}.{region}.amazonaws.com",
            context_key: arn,
            **(extra or {}),
        }
        strangers = f"arn:{self.stack.partition}:kms:{region}:{self.stack.account}:key/{STRANGERS_KEY}"
        self.miss("kms:Decrypt", strangers, "another key", **right)
        if key is None:
            return
        if key.aliases:
            right["kms:ResourceAliases"] = list(key.aliases)
        self.make("kms:Decrypt", key.arn, f"through {service}", **right)
        self.miss("kms:Decrypt", key.arn, "directly", **{**right, "kms:ViaService": ""})
        self.miss("kms:Decrypt", key.arn, "through another service", **{**right, "kms:ViaService": "ec2.amazonaws.com"})
        self.miss("kms:Decrypt", key.arn, "for something else", **{**right, context_key: other})
        self.miss("kms:Decrypt", key.arn, "for nothing named", **{**right, context_key: ""})
        for action in ("kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"):
            self.miss(action, key.arn, "another action", **right)


class _Keys:
    """Which customer key protects what, as far as the template shows it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.secrets: dict[str, Key | None] = {}
        self.buckets: dict[str, Key] = {}
        self.bucket_keys: set[str] = set()
        for logical_id in stack.resources("AWS::SecretsManager::Secret"):
            self.secrets[stack.physical(logical_id).ref] = self.hinted(stack.property(logical_id, "KmsKeyId"))
        for logical_id in stack.resources("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"):
            master = stack.property(logical_id, "MasterUserSecret") or {}
            arn = stack.physical(logical_id).attributes["MasterUserSecret.SecretArn"]
            self.secrets[arn] = self.hinted(master.get("KmsKeyId"))
        for logical_id in stack.resources("AWS::S3::Bucket"):
            encryption = stack.property(logical_id, "BucketEncryption") or {}
            for rule in encryption.get("ServerSideEncryptionConfiguration", []):
                key = self.hinted(rule.get("ServerSideEncryptionByDefault", {}).get("KMSMasterKeyID"))
                arn = stack.physical(logical_id).attributes["Arn"]
                if key:
                    self.buckets[arn] = key
                if rule.get("BucketKeyEnabled"):
                    self.bucket_keys.add(arn)

    def of_secret(self, arn: str) -> Key | None:
        return self.secrets.get(arn)

    def hinted(self, key: str | None, protected: str = "") -> Key | None:
        """A key by ID, ARN, alias or alias ARN, of the resource with the ARN `protected`; None for a key of AWS.

        A key without region and account is where the protected resource is, unless the template makes the key.
        """
        if not key:
            return None
        name = key.split(":", 5)[5] if key.startswith("arn:") else key
        if name.startswith("alias/aws/"):
            return None
        region, account = (protected.split(":") + [""] * 5)[3:5]
        before = f"arn:{self.stack.partition}:kms:{region or self.stack.region}:{account or self.stack.account}:"
        if name.startswith("alias/"):
            for logical_id in self.stack.resources("AWS::KMS::Alias"):
                if self.stack.physical(logical_id).ref == key:
                    target = self.hinted(str(self.stack.property(logical_id, "TargetKeyId")))
                    assert target is not None
                    return Key(target.arn, (f"alias/unrelated-{len(name)}", name))
            before = key.removesuffix(name) if key.startswith("arn:") else before
            return Key(f"{before}key/99999999-8888-4777-8666-555555555555", (f"alias/unrelated-{len(name)}", name))
        if any(self.stack.physical(logical_id).ref == key for logical_id in self.stack.resources("AWS::KMS::Key")):
            return Key(self.stack.arn("kms", f"key/{key}"))
        return Key(key if key.startswith("arn:") else f"{before}key/{key}")


def _containers(kind: str, properties: Document) -> Iterator[Document]:
    match kind:
        case "AWS::ECS::ExpressGatewayService":
            container = dict(properties["PrimaryContainer"])
            if logs := container.get("AwsLogsConfiguration"):
                options = {"awslogs-group": logs["LogGroup"], "awslogs-stream-prefix": logs.get("LogStreamPrefix")}
                container["LogConfiguration"] = {"LogDriver": "awslogs", "Options": options}
            yield container
        case "AWS::Batch::JobDefinition":
            ranges = properties.get("NodeProperties", {}).get("NodeRangeProperties", [])
            for place in [properties, *ranges]:
                yield from [place[key] for key in ("ContainerProperties", "Container") if key in place]
                for task in place.get("EcsProperties", {}).get("TaskProperties", []):
                    yield from task["Containers"]
        case _:
            yield from properties.get("ContainerDefinitions", [])


def is_full_secret_arn(arn: str) -> bool:
    """Whether an ARN certainly ends in a secret's six random characters: one of the last five is a capital."""
    tail = re.search(r"-([A-Za-z0-9]{6})$", arn)
    return tail is not None and re.search("[A-Z]", tail[1][1:]) is not None


def partition_of(region: str) -> str:
    return next((names[0] for prefix, names in PARTITIONS.items() if region.startswith(prefix)), "aws")


def untagged(name: str) -> str:
    """A repository's name without the image's digest and tag."""
    path, slash, last = name.partition("@")[0].rpartition("/")
    return path + slash + last.partition(":")[0]


def _relatives(arn: str) -> Sequence[str]:
    """Names that begin with this one, a sibling's name, and the same name in another account or region."""
    beside = re.sub("[^/:]+$", "other", arn)
    return (f"{arn}-other", f"{arn}/other", beside, *_elsewhere(arn))


def _elsewhere(arn: str) -> Sequence[str]:
    """The same name in another account, and in another region."""
    parts = arn.split(":", 5)
    region = "eu-north-1" if parts[3] != "eu-north-1" else "eu-south-1"
    return (":".join([*parts[:4], STRANGER, parts[5]]), ":".join([*parts[:3], region, *parts[4:]]))


def _keyed(context: Mapping[str, str | list[str]]) -> dict[str, str | list[str]]:
    """Keyword arguments as context keys; an empty one is not in the request."""
    return {key.replace("aws_", "aws:"): value for key, value in context.items() if value}


def _compared(request: Request) -> tuple[str, str, str]:
    return request.action, request.resource, str(sorted(request.context.items()))
