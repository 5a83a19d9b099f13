"""What a role must allow by the contract, as languages: the other side of the proof.

`tests.support.calls` walks through a resolved definition and its spec, and finds the calls that ECS makes. The same
walk is taken here; what is written down for each thing is not one call, but the whole set of requests that the contract
names for it: all streams of a log group, a secret with and without its six random characters. Nothing here is shared
with the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.support.calls import (
    ALIASED_KEY,
    DEFINITIONS,
    GUARDDUTY_ACCOUNTS,
    PRIVATE_IMAGE,
    PULL,
    Key,
    Reading,
    is_full_secret_arn,
    partition_of,
    untagged,
    used_by,
)
from tests.support.cloudformation import ECS_MANAGED_POLICY, Document, Stack
from tests.support.prove.automata import Field, Pattern, glob, literal
from tests.support.prove.grants import ANY_VALUE, ENCRYPTION_CONTEXT, Grant, Held, read

WRITE = ("logs:CreateLogStream", "logs:PutLogEvents")
ALL = glob("*")
SIX = glob("-??????")


class Needs:
    """What one role must allow, and what else it may: `optional` are requests for which the contract leaves it open.

    `others` are statements of the spec that no automaton expresses, as JSON.
    """

    def __init__(self, spec: Document) -> None:
        self.spec = spec
        self.required: list[Grant] = []
        self.optional: list[Grant] = []
        self.others: list[str] = []

    def written(self, held: Held) -> None:
        """Statements that the template's author wrote: the role has them as they are."""
        self.required += held.grants
        self.others = sorted([*self.others, *held.others])


def needs(stack: Stack) -> dict[str, Needs]:
    """For each `ExecutionRoleSpec` of a template, before the macro: the role's logical ID, and what that must allow."""
    found: dict[str, Needs] = {}
    for logical_id in stack.resources(*DEFINITIONS):
        spec = stack.property(logical_id, "ExecutionRoleSpec")
        if spec is not None:
            found[f"{logical_id}ExecutionRole"] = _read(stack, spec, [logical_id])
    for logical_id in stack.resources("AWS::IAM::Role"):
        written = stack.fragment["Resources"][logical_id].get("Properties", {}).get("ExecutionRoleSpec")
        if written is not None:
            # The names of definitions are not resolved: one that the stack does not create is here as well.
            is_map = isinstance(written, dict)
            lists = {key: value for key, value in written.items() if key != "TaskDefinitions"} if is_map else written
            found[logical_id] = _read(stack, stack.resolve(lists), used_by(stack, logical_id, written))
            policies = stack.property(logical_id, "Policies") or []
            found[logical_id].written(read([policy["PolicyDocument"] for policy in policies]))
    return found


def _read(stack: Stack, spec: Any, definitions: Sequence[str]) -> Needs:
    found = _walk(stack, spec, definitions)
    if found.spec.get("Unresolved") == "Ignore":
        # What depends on values that only the deployment knows is ignored; with other values it differs.
        elsewhere = _walk(stack.with_other_imports(), spec, definitions).required
        found.optional += [grant for grant in found.required if grant not in elsewhere]
        found.required = [grant for grant in found.required if grant in elsewhere]
    return found


def _walk(stack: Stack, spec: Any, definitions: Iterable[str]) -> Needs:
    reading = _Languages(stack, spec)
    if spec == "Starter":
        reading.needs.written(read([ECS_MANAGED_POLICY]))
        return reading.needs
    for logical_id in definitions:
        reading.definition(logical_id)
    reading.needs.written(read([{"Statement": reading.spec.get("Statements", [])}]))
    return reading.needs


class _Languages(Reading):
    """Reads everything that one role is for, with the set of requests of each resource."""

    def __init__(self, stack: Stack, spec: Any) -> None:
        self.needs = Needs(spec if isinstance(spec, dict) else {})
        self.networks = {
            key: frozenset(literal(str(each)) for each in ids)
            for key, ids in (
                ("aws:sourcevpc", self.needs.spec.get("SourceVpcs")),
                ("aws:sourcevpce", self.needs.spec.get("SourceVpcEndpoints")),
            )
            if ids
        }
        super().__init__(stack, spec)

    def _require(
        self,
        label: str,
        actions: str | Iterable[str],
        *resources: Pattern,
        keys: Mapping[str, Field] | None = None,
        optional: bool = False,
    ) -> None:
        names = [actions] if isinstance(actions, str) else actions
        patterns = frozenset(literal(action.lower()) for action in names)
        grant = Grant(label, patterns, frozenset(resources), keys or {})
        (self.needs.optional if optional else self.needs.required).append(grant)

    def make(self, action: str, resource: str, note: str, **context: str | list[str]) -> None:  # noqa: ARG002
        """Calls that take no resource, `fsx:DescribeFileSystems` among them."""
        assert resource == "*"
        self._require(note, action, ALL)

    def image(self, image: str, *, listed: bool = False, cached: bool = False) -> None:
        private = PRIVATE_IMAGE.fullmatch(image)
        if image.startswith("arn:"):
            arn = image
        elif private:
            region = private["region"].lower()
            name = untagged(private["name"])
            arn = f"arn:{partition_of(region)}:ecr:{region}:{private['account']}:repository/{name}"
        elif listed:
            arn = self.stack.arn("ecr", f"repository/{untagged(image)}")
        else:
            return
        self._pull(arn, literal(arn), cached=cached)

    def _pull(self, arn: str, resource: Pattern, *, cached: bool = False) -> None:
        self._require("log in to ECR", "ecr:GetAuthorizationToken", ALL)
        # An endpoint belongs to one region: a pull from another region does not use it.
        here = arn.split(":")[3] == self.stack.region
        self._require(f"pull {arn}", PULL, resource, keys=self.networks if here else None)
        if cached or self.cached(arn):
            self._require(f"fill the cache {arn}", ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository"), resource)

    def guardduty(self) -> None:
        account = GUARDDUTY_ACCOUNTS.get(self.stack.region, "*")
        arn = f"arn:{self.stack.partition}:ecr:{self.stack.region}:{account}:repository/aws-guardduty-agent-fargate"
        self._pull(arn, glob(arn))

    def log_group(
        self,
        group: str,
        *,
        region: str | None,
        create: bool,
        stream: str,  # noqa: ARG002 - one stream is one call; the contract names all streams of the group
        under: str | None = None,
    ) -> None:
        if group.startswith("arn:"):
            arn = literal(group.removesuffix(":*"))
        else:
            where = region or self.stack.region
            arn = literal(f"arn:{self.stack.partition}:logs:{where}:{self.stack.account}:log-group:{group}")
        self._streams(group, arn, under=under, create=create)

    def _streams(self, label: str, arn: Pattern, *, under: str | None = None, create: bool = False) -> None:
        streams = literal(f":log-stream:{under.rstrip('/')}/") + ALL if under else glob(":*")
        self._require(f"write logs to {label}", WRITE, arn + streams)
        if create:
            self._require(f"create {label}", "logs:CreateLogGroup", arn + glob(":*"))
            # Denials have shown the bare ARN too.
            self._require(f"create {label}", "logs:CreateLogGroup", arn)

    def express_logs(self, service: Document) -> None:
        cluster = service.get("Cluster", "default").rpartition("/")[2]
        start = self.stack.arn("logs", f"log-group:/aws/ecs/{cluster}/")
        name = service.get("ServiceName")
        suffixes = [literal(name) + glob("-????"), literal(name) + glob("-????-????")] if name else [ALL]
        for suffix in suffixes:
            self._streams(f"the group that ECS makes for {name}", literal(start) + suffix)

    def secret(self, secret: str, note: str, *, key: str | None = None) -> None:
        arn = secret if secret.startswith("arn:") else self.stack.arn("secretsmanager", f"secret:{secret}")
        arn = ":".join(arn.split(":")[:7])
        whole = arn in self.keys.secrets or is_full_secret_arn(arn)
        resources = [literal(arn)] if whole else [literal(arn), literal(arn) + SIX]
        self._require(f"{note}: read {arn}", "secretsmanager:GetSecretValue", *resources)
        shown = {**self.keys.secrets, **self._named_secrets()}
        keys = [self.keys.hinted(key, arn)] if key else [shown[arn]] if arn in shown else self._unseen(arn)
        self._protected(keys, service="secretsmanager", arn=arn, context="SecretARN", values=resources)

    def _named_secrets(self) -> dict[str, Key | None]:
        """The keys of the template's secrets by their ARNs without the six characters, and of their replicas."""
        found: dict[str, Key | None] = {}
        for logical_id in self.stack.resources("AWS::SecretsManager::Secret"):
            whole = self.stack.physical(logical_id).ref
            start, name = whole.rpartition("-")[0].split(":secret:")
            found[f"{start}:secret:{name}"] = self.keys.secrets[whole]
            for replica in self.stack.property(logical_id, "ReplicaRegions") or []:
                parts = start.split(":")
                there = ":".join([*parts[:3], replica["Region"], *parts[4:]])
                found[f"{there}:secret:{name}"] = self.keys.hinted(replica.get("KmsKeyId"), there)
        return found

    def _unseen(self, arn: str) -> list[Key | None]:
        """The keys that the spec gives for what is protected by a key that the template does not show."""
        keys = self.spec.get("KmsKeys", [])
        return [self.keys.hinted(key, arn) for key in keys] if isinstance(keys, list) else []

    def parameter(self, parameter: str, *, key: str | None = None, decrypted: bool = True) -> None:
        name = parameter.removeprefix("/")
        arn = parameter if parameter.startswith("arn:") else self.stack.arn("ssm", f"parameter/{name}")
        if name.startswith("aws/service/"):
            # AWS's own parameters belong to no account.
            arn = arn.replace(f":{self.stack.account}:", "::", 1)
        self._require(f"read {arn}", "ssm:GetParameters", literal(arn))
        before, referenced, secret = arn.partition(":parameter/aws/reference/secretsmanager/")
        if referenced:
            self.secret(f"{before.replace(':ssm:', ':secretsmanager:')}:secret:{secret}", "behind a parameter")
        own = {self.stack.physical(each).ref for each in self.stack.resources("AWS::SSM::Parameter")}
        own_arns = {self.stack.arn("ssm", f"parameter/{each.removeprefix('/')}") for each in own}
        # CloudFormation makes no encrypted parameter, so one of the template has no key.
        unseen = arn not in own_arns and not name.startswith("aws/service/") and not referenced
        keys = [self.keys.hinted(key, arn)] if key else self._unseen(arn) if unseen else []
        self._protected(
            keys if decrypted else [], service="ssm", arn=arn, context="PARAMETER_ARN", values=[literal(arn)]
        )

    def object(self, arn: str, note: str, *, key: str | None = None, located: bool = True) -> None:
        bucket = arn.partition("/")[0]
        own = {self.stack.physical(each).attributes["Arn"] for each in self.stack.resources("AWS::S3::Bucket")}
        # An S3 ARN names no account; that of the template's own bucket is known.
        ours = {"aws:resourceaccount": frozenset({literal(self.stack.account)})} if bucket in own else {}
        self._require(f"{note}: read {arn}", "s3:GetObject", literal(arn), keys=ours)
        self._require(f"locate {bucket}", "s3:GetBucketLocation", literal(bucket), keys=ours, optional=not located)
        if key:
            keys = [self.keys.hinted(key, arn)]
        else:
            keys = [self.keys.buckets.get(bucket)] if bucket in own else self._unseen(arn)
        # Objects from before the bucket had an S3 Bucket Key keep their own encryption context.
        by_bucket = bool(key) or bucket not in own or bucket in self.keys.bucket_keys
        values = [literal(arn), literal(bucket)] if by_bucket else [literal(arn)]
        self._protected(keys, service="s3", arn=bucket, context="aws:s3:arn", values=values)

    def file_system(self, hinted: Document) -> None:
        def arn(name: str, kind: str) -> Pattern:
            whole = name if name.startswith("arn:") else self.stack.arn("elasticfilesystem", f"{kind}/{name}")
            return literal(whole)

        access, point = hinted.get("Access", "ReadWrite"), hinted.get("AccessPoint")
        further = {"ReadOnly": [], "ReadWrite": ["ClientWrite"], "Root": ["ClientWrite", "ClientRootAccess"]}[access]
        keys = {"elasticfilesystem:accesspointarn": frozenset({arn(point, "access-point")})} if point else {}
        actions = [f"elasticfilesystem:{action}" for action in ("ClientMount", *further)]
        self._require(f"mount {hinted['FileSystem']}", actions, arn(hinted["FileSystem"], "file-system"), keys=keys)

    def _protected(
        self, keys: Iterable[Key | None], *, service: str, arn: str, context: str, values: Iterable[Pattern]
    ) -> None:
        """A service decrypts `arn` for ECS, with any of these keys; None is a key of AWS: no grant."""
        for key in keys:
            if key is not None:
                self._decrypted(key, service=service, arn=arn, context=context, values=frozenset(values))

    def _decrypted(self, key: Key, *, service: str, arn: str, context: str, values: Field) -> None:
        start, _, key_id = key.arn.partition(":key/")
        # A bucket's ARN has no region: its key is in the same one.
        region = arn.split(":")[3] or start.split(":")[3]
        keys: dict[str, Field] = {
            "kms:viaservice": frozenset({literal(f"{service}.{region}.amazonaws.com")}),
            f"{ENCRYPTION_CONTEXT}{context}": values,
        }
        resource = literal(key.arn)
        if key_id == ALIASED_KEY:
            resource = literal(f"{start}:key/") + ALL
            keys[f"{ANY_VALUE}kms:resourcealiases"] = frozenset({literal(key.aliases[-1])})
        label = f"decrypt {arn} through {service}"
        self._require(label, "kms:Decrypt", resource, keys=keys)
        if self.stack.url_suffix != "amazonaws.com":
            # AWS does not document the suffix that KMS uses in the other partitions.
            other = frozenset({literal(f"{service}.{region}.{self.stack.url_suffix}")})
            self._require(label, "kms:Decrypt", resource, keys={**keys, "kms:viaservice": other}, optional=True)
