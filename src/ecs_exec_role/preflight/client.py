"""The one module that calls AWS. It reads metadata only: nothing here returns a secret, a value or an object.

Every look ends in a `Sight`, whatever AWS answers: what this check may not do, what is throttled and what cannot be
reached are said as such, and are no verdict on the role.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from ecs_exec_role.preflight.report import OK, Status, Verdict
from ecs_exec_role.preflight.simulation import Batch, Question
from ecs_exec_role.preflight.things import Here, Thing, What
from ecs_exec_role.preflight.verdicts import NO_ROLE, Answer, Boundary, Silence, decisions

if TYPE_CHECKING:
    import boto3

# A silent endpoint is given up soon enough that several of them fit into the function's time.
CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=16,
)
_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
_THROTTLED = (
    "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "LimitExceededException", "SlowDown",
)  # fmt: skip
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, TokenRetrievalError)
_BAD_CREDENTIALS = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")
# What an operation is called in a policy, where that differs.
_PERMISSIONS = {"s3:ListObjectsV2": "s3:ListBucket", "s3:HeadBucket": "s3:ListBucket"}
_DIFFERENT = "require different authorization information"
_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


class Sight(NamedTuple):
    """What was seen of a thing: the verdict, its full `arn`, and the `key` that it is encrypted with, where known."""

    verdict: Verdict
    arn: str | None = None
    key: str | None = None


NOT_SEEN = Sight(
    Verdict(Status.UNKNOWN, "could not be looked at before the check's time was over", "deploy again, or look yourself")
)


class Role(NamedTuple):
    """The role as IAM has it; `trouble` is why it could not be read."""

    trust: Mapping[str, Any] | None = None
    boundary: Boundary | None = None
    trouble: Verdict = OK


class Account:
    """AWS as one session sees it. Its methods may be called from several threads."""

    def __init__(self, session: boto3.session.Session, role_arn: str, here: Here) -> None:
        self._session, self._role_arn, self._here = session, role_arn, here
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()

    def _ask(self, service: str, region: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        # Clients are safe to share between threads; making one is not.
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                client = self._clients[service, region] = self._session.client(  # type: ignore[call-overload]
                    service, region_name=region, config=CONFIG
                )
            self.calls[f"{service}:{operation}"] += 1
        answer: dict[str, Any] = getattr(client, xform_name(operation))(**parameters)
        return answer

    # -- the role ------------------------------------------------------------------------------------------------------

    def role(self) -> Role:
        """The trust policy and the boundary of the role. Each policy is metadata; reading it grants nothing."""
        name = self._role_arn.rpartition("/")[2]
        try:
            found = self._ask("iam", self._here.region, "GetRole", {"RoleName": name})["Role"]
        except (ClientError, BotoCoreError) as error:
            if _code(error) == "NoSuchEntity":
                # The simulation will say so too, if it stays so.
                return Role()
            return Role(trouble=self._trouble(error, "iam:GetRole", "the role's trust policy and boundary").verdict)
        arn = (found.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        return Role(found.get("AssumeRolePolicyDocument"), self._boundary(arn) if arn else None)

    def _boundary(self, arn: str) -> Boundary:
        try:
            version = self._ask("iam", self._here.region, "GetPolicy", {"PolicyArn": arn})["Policy"]["DefaultVersionId"]
            parameters = {"PolicyArn": arn, "VersionId": version}
            found = self._ask("iam", self._here.region, "GetPolicyVersion", parameters)["PolicyVersion"]["Document"]
        except (ClientError, BotoCoreError):
            # The simulation takes the boundary into account all the same; only the statement's name is lost.
            return Boundary(arn=arn)
        return Boundary(arn=arn, document=found if isinstance(found, Mapping) else None)

    def simulate(self, batch: Batch) -> dict[Question, Answer]:
        """Every question of a batch with IAM's decision, or with the reason why there is none."""
        try:
            return self._simulate(batch)
        except (ClientError, BotoCoreError) as error:
            parts = _split(batch, error) if _code(error) in ("InvalidInput", "ValidationError") else ()
            if parts:
                answers: dict[Question, Answer] = {}
                for part in parts:
                    answers |= self.simulate(part)
                return answers
            return dict.fromkeys(_product(batch), self._silence(error))

    def _simulate(self, batch: Batch) -> dict[Question, Answer]:
        parameters: dict[str, Any] = {
            "PolicySourceArn": self._role_arn,
            "ActionNames": list(batch.actions),
            "ResourceArns": list(batch.resources),
            "ContextEntries": [
                {"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": list(values)}
                for key, kind, values in batch.context
            ],
            "MaxItems": 1000,
        }
        names = {action.lower(): action for action in batch.actions}
        answers: dict[Question, Answer] = {}
        seen: set[str] = set()
        while True:
            page = self._ask("iam", self._here.region, "SimulatePrincipalPolicy", parameters)
            for result in page["EvaluationResults"]:
                for action, named, decision in decisions(result):
                    # With one resource the answer may carry another name for it.
                    resource = batch.resources[0] if len(batch.resources) == 1 else named
                    answers[Question(names.get(action.lower(), action), resource, batch.context)] = decision
            marker = page.get("Marker")
            if not page.get("IsTruncated") or not marker or marker in seen:
                return answers
            seen.add(marker)
            parameters["Marker"] = marker

    @staticmethod
    def _silence(error: Exception) -> Silence:
        if _code(error) == "NoSuchEntity":
            return NO_ROLE
        return Silence(*_why(error, "iam:SimulatePrincipalPolicy"))

    def rolling_back(self, stack_id: str) -> bool:
        """Whether CloudFormation is taking an update of this stack back; False where that cannot be found out."""
        region = stack_id.split(":")[3]
        try:
            stacks = self._ask("cloudformation", region, "DescribeStacks", {"StackName": stack_id})["Stacks"]
        except (ClientError, BotoCoreError):
            return False
        return any("ROLLBACK" in str(stack.get("StackStatus")) for stack in stacks)

    # -- the things ----------------------------------------------------------------------------------------------------

    def looks(self, things: Iterable[Thing]) -> list[tuple[tuple[Thing, ...], Callable[[], dict[Thing, Sight]]]]:
        """The looks that are to be taken, fewest first: each with the things that it is about. They may run at once."""
        groups: dict[tuple[str, ...], list[Thing]] = {}
        for thing in sorted(set(things)):
            groups.setdefault(_together(thing), []).append(thing)
        return [(tuple(group), self._fair(self._look(group))) for group in groups.values()]

    def _fair(self, look: Callable[[], dict[Thing, Sight]]) -> Callable[[], dict[Thing, Sight]]:
        """A thing of another account may be there, and the role still be refused: that is the other side's to say."""

        def fair() -> dict[Thing, Sight]:
            seen = look()
            elsewhere = [t for t in seen if t.account != self._here.account and seen[t].verdict is OK]
            return seen | {thing: self._beyond(thing, seen[thing]) for thing in elsewhere}

        return fair

    def _look(self, things: Sequence[Thing]) -> Callable[[], dict[Thing, Sight]]:
        kind = things[0].what
        if kind is What.PARAMETER:
            return lambda: self._parameters(things)
        if kind is What.IMAGE:
            return lambda: self._images(things)
        if kind is What.REPOSITORY:
            return lambda: self._repositories(things)
        if kind is What.RULE:
            return lambda: self._rules(things)
        one = {
            What.SECRET: self._secret,
            What.KEY: self._key,
            What.LOG_GROUP: self._log_group,
            What.OBJECT: self._object,
            What.BUCKET: self._bucket,
        }[kind]
        return lambda: {thing: one(thing) for thing in things}

    def _secret(self, thing: Thing) -> Sight:
        """Whether a secret exists, is kept, and has a value.

        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
        """
        try:
            found = self._ask("secretsmanager", thing.region, "DescribeSecret", {"SecretId": thing.name})
        except (ClientError, BotoCoreError) as error:
            if _code(error) != "ResourceNotFoundException":
                return self._trouble(error, "secretsmanager:DescribeSecret", thing)
            return self._no_secret(thing)
        arn, key = found["ARN"], found.get("KmsKeyId")
        if found.get("DeletedDate"):
            fix = "restore it (aws secretsmanager restore-secret), or name another"
            return Sight(Verdict(Status.UNFIT, f"not usable: {thing} is scheduled for deletion", fix), arn, key)
        versions: Mapping[str, Sequence[str]] = found.get("VersionIdsToStages") or {}
        stage, _, version = thing.detail.partition(":")
        if version and version not in versions:
            fix = "correct the version ID, or leave it out"
            return Sight(Verdict(Status.ABSENT, f"does not exist: version {version} of {thing}", fix), arn, key)
        if not version and not any((stage or "AWSCURRENT") in stages for stages in versions.values()):
            fix = "correct the version stage" if stage else "put a value into it (aws secretsmanager put-secret-value)"
            what = f"does not exist: a version {stage} of {thing}" if stage else f"not usable: {thing} has no value yet"
            return Sight(Verdict(Status.ABSENT if stage else Status.UNFIT, what, fix), arn, key)
        return Sight(OK, arn, key)

    def _no_secret(self, thing: Thing) -> Sight:
        if thing.account != self._here.account:
            return self._hidden(thing)
        # An ARN without the random suffix is read as a whole one where the name ends like a suffix; ECS would fail too.
        name = re.fullmatch(r"arn:[^:]+:secretsmanager:[^:]*:\d*:secret:(.+-[A-Za-z0-9]{6})", thing.name)
        if name:
            try:
                found = self._ask("secretsmanager", thing.region, "DescribeSecret", {"SecretId": name[1]})
                fix = f"write its whole ARN, {found['ARN']}"
                what = f"does not exist: {thing}, read as a whole ARN since its name ends like a suffix"
                return Sight(Verdict(Status.ABSENT, what, fix))
            except (ClientError, BotoCoreError):
                pass
        return _absent(thing)

    def _parameters(self, things: Sequence[Thing]) -> dict[Thing, Sight]:
        """Whether parameters exist; their values are not asked for.

        https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
        """
        region = things[0].region
        # A name is the same with and without its one leading slash to IAM, but not to Parameter Store.
        names = sorted({n for thing in things for n in _spellings(thing.name)})
        found: dict[str, Mapping[str, Any]] = {}
        try:
            for start in range(0, len(names), 50):
                values = names[start : start + 50]
                filters = [{"Key": "Name", "Option": "Equals", "Values": values}]
                parameters: dict[str, Any] = {"ParameterFilters": filters, "MaxResults": 50}
                while True:
                    page = self._ask("ssm", region, "DescribeParameters", parameters)
                    found |= {p["Name"]: p for p in page.get("Parameters", ())}
                    if not page.get("NextToken") or page["NextToken"] == parameters.get("NextToken"):
                        break
                    parameters["NextToken"] = page["NextToken"]
        except (ClientError, BotoCoreError) as error:
            return {thing: self._trouble(error, "ssm:DescribeParameters", thing) for thing in things}
        return {thing: self._parameter(thing, found) for thing in things}

    def _parameter(self, thing: Thing, found: Mapping[str, Mapping[str, Any]]) -> Sight:
        if thing.account != self._here.account:
            what = f"cannot be looked at from here: {thing}, account {thing.account}"
            fix = "copy it into this account, or use a secret: ECS reads no parameter of another account"
            return Sight(Verdict(Status.ELSEWHERE, what, fix))
        parameter = next((found[name] for name in _spellings(thing.name) if name in found), None)
        if parameter is None:
            return _absent(thing)
        name = str(parameter["Name"])
        slash = "" if name.startswith("/") else "/"
        arn = f"arn:{self._here.partition}:ssm:{thing.region}:{thing.account}:parameter{slash}{name}"
        return Sight(OK, arn, parameter.get("KeyId") if parameter.get("Type") == "SecureString" else None)

    def _images(self, things: Sequence[Thing]) -> dict[Thing, Sight]:
        """Whether a repository has images of these tags and digests.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
        """
        first = things[0]
        ids = [
            {"imageDigest": thing.detail[1:]} if thing.detail.startswith("@") else {"imageTag": thing.detail[1:]}
            for thing in things
        ]
        try:
            parameters = {"registryId": first.account, "repositoryName": first.name, "imageIds": ids}
            self._ask("ecr", first.region, "DescribeImages", parameters)
            return dict.fromkeys(things, Sight(OK))
        except (ClientError, BotoCoreError) as error:
            code = _code(error)
            if code == "ImageNotFoundException" and len(things) > 1:
                # The answer is for all of them together; one by one it says which.
                return {thing: sight for one in things for thing, sight in self._images([one]).items()}
            if code == "ImageNotFoundException":
                return {first: _absent(first, "push it before the stack, or correct the tag or digest")}
            if code == "RepositoryNotFoundException":
                return dict.fromkeys(things, self._no_repository(first))
            return {thing: self._trouble(error, "ecr:DescribeImages", thing) for thing in things}

    def _repositories(self, things: Sequence[Thing]) -> dict[Thing, Sight]:
        """Whether repositories exist.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html
        """
        first = things[0]
        try:
            parameters = {"registryId": first.account, "repositoryNames": [thing.name for thing in things[:100]]}
            self._ask("ecr", first.region, "DescribeRepositories", parameters)
            seen = dict.fromkeys(things[:100], Sight(OK))
            return seen | (self._repositories(things[100:]) if len(things) > 100 else {})
        except (ClientError, BotoCoreError) as error:
            if _code(error) != "RepositoryNotFoundException":
                return {thing: self._trouble(error, "ecr:DescribeRepositories", thing) for thing in things}
            if len(things) > 1:
                return {thing: sight for one in things for thing, sight in self._repositories([one]).items()}
            return {first: self._no_repository(first)}

    def _no_repository(self, thing: Thing) -> Sight:
        if thing.account != self._here.account:
            return self._hidden(thing)
        absent = Thing(What.REPOSITORY, thing.region, thing.account, thing.name)
        try:
            rule = next((p for p in self._prefixes(thing) if _under(thing.name, p)), None)
        except (ClientError, BotoCoreError):
            rule = None
        if rule is None:
            return _absent(absent)
        fix = f"write {{Repository: {thing.name}, PullThroughCache: true}} in Images, for the rule of prefix {rule}"
        what = f"does not exist: {absent}, and is not marked as a pull-through cache"
        return Sight(Verdict(Status.ABSENT, what, fix))

    def _rules(self, things: Sequence[Thing]) -> dict[Thing, Sight]:
        try:
            prefixes = self._prefixes(things[0])
        except (ClientError, BotoCoreError) as error:
            return {thing: self._trouble(error, "ecr:DescribePullThroughCacheRules", thing) for thing in things}
        return {
            thing: Sight(OK) if any(_under(thing.name, p) for p in prefixes) else _absent(thing, "create the rule")
            for thing in things
        }

    def _prefixes(self, thing: Thing) -> list[str]:
        """The prefixes of a registry's pull-through cache rules.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribePullThroughCacheRules.html
        """
        prefixes: list[str] = []
        parameters: dict[str, Any] = {"registryId": thing.account}
        while True:
            page = self._ask("ecr", thing.region, "DescribePullThroughCacheRules", parameters)
            prefixes += [str(rule["ecrRepositoryPrefix"]) for rule in page.get("pullThroughCacheRules", ())]
            if not page.get("nextToken"):
                return prefixes
            parameters["nextToken"] = page["nextToken"]

    def _object(self, thing: Thing) -> Sight:
        """Whether an object exists: it is listed, not opened.

        HeadObject would need s3:GetObject, which is the right to read it. Keys are listed in order, so that the key
        itself comes before every other that begins with it.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        try:
            parameters = {"Bucket": thing.name, "Prefix": thing.detail, "MaxKeys": 1}
            found = self._ask("s3", thing.region, "ListObjectsV2", parameters)
        except (ClientError, BotoCoreError) as error:
            if _code(error) == "NoSuchBucket":
                return _absent(Thing(What.BUCKET, thing.region, thing.account, thing.name))
            return self._no_bucket(error, thing)
        if any(entry.get("Key") == thing.detail for entry in found.get("Contents", ())):
            return Sight(OK)
        return _absent(thing, "upload it, or correct the key")

    def _bucket(self, thing: Thing) -> Sight:
        """Whether a bucket exists.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
        """
        try:
            self._ask("s3", thing.region, "HeadBucket", {"Bucket": thing.name})
        except (ClientError, BotoCoreError) as error:
            gone = _code(error) in ("404", "NoSuchBucket")
            return _absent(thing) if gone else self._no_bucket(error, thing)
        return Sight(OK)

    def _log_group(self, thing: Thing) -> Sight:
        """Whether a log group exists. Names are listed in order, so that the first of a prefix is the prefix itself.

        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
        """
        if thing.account != self._here.account:
            return self._hidden(thing)
        try:
            found = self._ask("logs", thing.region, "DescribeLogGroups", {"logGroupNamePrefix": thing.name, "limit": 1})
        except (ClientError, BotoCoreError) as error:
            return self._trouble(error, "logs:DescribeLogGroups", thing)
        if any(group.get("logGroupName") == thing.name for group in found.get("logGroups", ())):
            return Sight(OK)
        return _absent(thing, "create it, or set awslogs-create-group to true")

    def _key(self, thing: Thing) -> Sight:
        """Whether a key exists and can be used.

        https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
        """
        try:
            found = self._ask("kms", thing.region, "DescribeKey", {"KeyId": thing.name})["KeyMetadata"]
        except (ClientError, BotoCoreError) as error:
            if _code(error) != "NotFoundException":
                return self._trouble(error, "kms:DescribeKey", thing)
            return _absent(thing) if thing.account == self._here.account else self._hidden(thing)
        arn, state = str(found["Arn"]), str(found.get("KeyState", "Enabled"))
        if state in ("Enabled", "Creating", "Updating"):
            # A key that AWS manages for a service needs no grant; that is told by having no `key`.
            return Sight(OK, arn, None if found.get("KeyManager") == "AWS" else arn)
        fix = {
            "Disabled": "enable it (aws kms enable-key)",
            "PendingDeletion": "cancel the deletion (aws kms cancel-key-deletion) and enable it",
        }.get(state, "bring it back to the state Enabled")
        return Sight(Verdict(Status.UNFIT, f"not usable: {thing} is in state {state}", fix), arn, arn)

    # -- what AWS would not say ----------------------------------------------------------------------------------------

    def _trouble(self, error: Exception, permission: str, about: Thing | str) -> Sight:
        if _code(error) in _REFUSED and isinstance(about, Thing) and about.account != self._here.account:
            return self._hidden(about)
        why, fix = _why(error, permission)
        return Sight(Verdict(Status.UNKNOWN, f"not checked: {about} ({why})", fix))

    def _no_bucket(self, error: Exception, thing: Thing) -> Sight:
        """S3 names no account: whoever is refused may also be a stranger."""
        sight = self._trouble(error, "s3:ListBucket", thing)
        if _code(error) not in _REFUSED or thing.account != self._here.account:
            return sight
        what = f"not checked: {thing} (the check itself is not allowed s3:ListBucket, or the bucket is somebody else's)"
        return Sight(sight.verdict._replace(what=what))

    def _hidden(self, thing: Thing) -> Sight:
        """What lies in another account, and is not to be seen from this one."""
        return self._beyond(thing, Sight(Verdict(Status.UNKNOWN, f"cannot be looked at from here: {thing}")))

    def _beyond(self, thing: Thing, sight: Sight) -> Sight:
        """A thing of another account, with the statement that its owner must add."""
        statement = f'{{"Effect":"Allow","Principal":{{"AWS":"{self._role_arn}"}},"Action":{self._other_side(thing)}}}'
        policy = {
            What.IMAGE: "the repository's policy",
            What.REPOSITORY: "the repository's policy",
            What.RULE: "the registry's policy",
            What.SECRET: "the secret's resource policy",
            What.KEY: "the key policy",
            What.OBJECT: "the bucket policy",
            What.BUCKET: "the bucket policy",
        }.get(thing.what, "its policy")
        what = sight.verdict.what or f"exists, but whether the role is let in cannot be seen from here: {thing}"
        fix = f"{policy} in account {thing.account} must hold {statement}"
        return sight._replace(verdict=Verdict(Status.ELSEWHERE, what, fix))

    def _other_side(self, thing: Thing) -> str:
        if thing.what in (What.IMAGE, What.REPOSITORY):
            return "[" + ",".join(f'"{action}"' for action in _PULL) + "]"
        if thing.what is What.OBJECT:
            return f'"s3:GetObject","Resource":"arn:{self._here.partition}:s3:::{thing.name}/{thing.detail}"'
        if thing.what is What.BUCKET:
            return f'"s3:GetBucketLocation","Resource":"arn:{self._here.partition}:s3:::{thing.name}"'
        if thing.what is What.RULE:
            return '"ecr:BatchImportUpstreamImage","Resource":"*"'
        action = "kms:Decrypt" if thing.what is What.KEY else "secretsmanager:GetSecretValue"
        return f'"{action}","Resource":"*"'


def _why(error: Exception, permission: str) -> tuple[str, str]:
    """Why an API would not answer, and what to do about it."""
    code = _code(error)
    if code in _REFUSED:
        return (
            f"the check itself is not allowed {permission}",
            "allow it to whoever runs the check: it is no need of the role",
        )
    if code in _THROTTLED:
        return f"AWS throttled {permission} again and again", "deploy again later"
    if isinstance(error, _NO_CREDENTIALS) or code in _BAD_CREDENTIALS:
        return f"there are no valid AWS credentials for {permission}", "log in, or name a profile with AWS_PROFILE"
    if isinstance(error, ConnectTimeoutError | EndpointConnectionError | HTTPClientError):
        kind = type(error).__name__
        return (
            f"the API for {permission} could not be reached, {kind}",
            "see that the check has a way to it, deploy again",
        )
    said = str(error.response["Error"].get("Message", "")) if isinstance(error, ClientError) else str(error)
    return f"{permission} answered {code or type(error).__name__}: {said[:200]}", "see what AWS says"


def _absent(thing: Thing, fix: str = "create it, or correct the value") -> Sight:
    return Sight(Verdict(Status.ABSENT, f"does not exist: {thing}", fix))


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _together(thing: Thing) -> tuple[str, ...]:
    """Things with the same answer here are looked at in one call."""
    if thing.what is What.PARAMETER:
        return (thing.what, thing.region)
    if thing.what is What.IMAGE:
        return (thing.what, thing.region, thing.account, thing.name)
    if thing.what in (What.REPOSITORY, What.RULE):
        return (thing.what, thing.region, thing.account)
    return (thing.what, thing.region, thing.account, thing.name, thing.detail)


def _spellings(name: str) -> tuple[str, ...]:
    bare = name.lstrip("/")
    return (f"/{bare}",) if "/" in bare else (name, bare if name.startswith("/") else f"/{bare}")


def _under(name: str, prefix: str) -> bool:
    return prefix == "ROOT" or name.startswith(f"{prefix}/")


def _product(batch: Batch) -> Iterable[Question]:
    return (Question(action, resource, batch.context) for action in batch.actions for resource in batch.resources)


def _split(batch: Batch, error: Exception) -> tuple[Batch, ...]:
    """A batch that IAM will not take as a whole, in parts: by the groups that it names, or in halves."""
    message = str(error)
    if _DIFFERENT in message:
        named = [{n.strip().lower() for n in group.split(",")} for group in re.findall(r"\[([^\]]*)\]", message)]
        groups = [tuple(a for a in batch.actions if a.lower() in names) for names in named]
        if len([g for g in groups if g]) > 1 and sum(map(len, groups)) == len(batch.actions):
            return tuple(Batch(group, batch.resources, batch.context) for group in groups if group)
    if len(batch.resources) > 1:
        half = len(batch.resources) // 2
        halves = (batch.resources[:half], batch.resources[half:])
        return tuple(Batch(batch.actions, resources, batch.context) for resources in halves)
    return ()
