"""The AWS that the end-to-end tests deploy to, and the calls that they make to it.

It is what `AWS_ENDPOINT_URL` and the other variables of AWS's SDKs point to, only on this machine; without them, a
MiniStack that the tests start. `E2E_SANDBOX_ACCOUNT` names the sandbox account that may be used instead. See
docs/e2e.md.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import urlopen

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.support.cloudformation import Document, parsed
from tests.support.iam import Request

# The name does not begin with ECS_EXEC_ROLE_: such names are settings, and an unknown one is an error.
SANDBOX = "E2E_SANDBOX_ACCOUNT"
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
# Seconds to wait for a stack. No test runs a task, so nothing takes long.
PATIENCE = 300
# An emulator need not have the service at all.
NO_ORGANIZATION = {
    "AccessDeniedException",
    "AWSOrganizationsNotInUseException",
    "AccountNotFoundException",
    "InternalFailure",
    "TargetNotFoundException",
    "UnrecognizedClientException",
}
ENGINES = {"MiniStack": "/_ministack/health", "LocalEmu": "/_localemu/health", "LocalStack": "/_localstack/health"}

T = TypeVar("T")


class Refused(Exception):
    """The environment points to an AWS that these tests must not use."""


class Failed(Exception):
    """A stack or a change set ended in the wrong status; the text has CloudFormation's message."""


class Resource(NamedTuple):
    """What the account has for a resource of a stack."""

    logical_id: str
    type: str
    physical_id: str


class Event(NamedTuple):
    """A line of a stack's events, oldest first."""

    logical_id: str
    type: str
    status: str
    reason: str


@dataclass(frozen=True)
class ChangeSet:
    """What CloudFormation would do with each resource that changes."""

    name: str
    status: str
    reason: str
    changes: Mapping[str, str]

    @property
    def empty(self) -> bool:
        """Nothing would change. AWS calls that a failure, and only the reason distinguishes it from other failures."""
        if self.status == "FAILED":
            return "didn't contain changes" in self.reason or "No updates" in self.reason
        return not self.changes


@dataclass
class Cloud:
    """An account and a region of an AWS.

    Its stacks' names begin with `prefix`, so that what a broken run leaves behind can be recognized.
    """

    session: boto3.Session
    emulated: bool
    prefix: str
    engine: str = "AWS"
    version: str = ""
    # Checks each stack that was deployed without a failure: its account, its name, its template, its parameters.
    judge: Callable[[Cloud, str, Document, Mapping[str, str]], None] = lambda *_: None

    def client(self, service: str) -> Any:
        """A client of a service; `Refused` where that is not on this machine and no sandbox account is named."""
        client: Any = self.session.client(service, config=Config(retries={"mode": "standard"}))  # type: ignore[call-overload]
        endpoint = str(client.meta.endpoint_url)
        if not self.sandbox and not is_loopback(endpoint):
            raise Refused(f"{service} would be called at {endpoint}, which is not this machine")
        return client

    @cached_property
    def sandbox(self) -> str | None:
        return os.environ.get(SANDBOX)

    @cached_property
    def cloudformation(self) -> Any:
        return self.client("cloudformation")

    @cached_property
    def iam(self) -> Any:
        return self.client("iam")

    @cached_property
    def account(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @property
    def region(self) -> str:
        return self.session.region_name

    @cached_property
    def environment(self) -> dict[str, str]:
        """For the programs that the tests start: the same account and region."""
        credentials = self.session.get_credentials()
        assert credentials is not None
        frozen = credentials.get_frozen_credentials()
        given = {"AWS_ACCESS_KEY_ID": str(frozen.access_key), "AWS_SECRET_ACCESS_KEY": str(frozen.secret_key)}
        if frozen.token:
            given["AWS_SESSION_TOKEN"] = frozen.token
        return {**os.environ, **given, "AWS_DEFAULT_REGION": self.region, "SAM_CLI_TELEMETRY": "0"}

    # Stacks

    def stack_name(self, purpose: str) -> str:
        return f"{self.prefix}-{purpose}"

    def change_set(
        self,
        stack: str,
        template: Document | str,
        parameters: Mapping[str, str | None] | None = None,
        *,
        capabilities: Sequence[str] = CAPABILITIES,
    ) -> ChangeSet:
        """Creates a change set for a new or an existing stack, and waits for its content.

        A parameter whose value is None keeps the one that it has.
        """
        name = f"change-{secrets.token_hex(4)}"
        exists = self.status(stack) not in {None, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}
        self.cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="UPDATE" if exists else "CREATE",
            Capabilities=list(capabilities),
            TemplateBody=template if isinstance(template, str) else json.dumps(template, indent=1),
            Parameters=[
                {"ParameterKey": key, "UsePreviousValue": True}
                if value is None
                else {"ParameterKey": key, "ParameterValue": value}
                for key, value in (parameters or {}).items()
            ],
        )
        described = self._until(
            lambda: self.cloudformation.describe_change_set(StackName=stack, ChangeSetName=name),
            lambda said: said["Status"] in {"CREATE_COMPLETE", "FAILED"},
        )
        changes = {
            change["ResourceChange"]["LogicalResourceId"]: str(change["ResourceChange"]["Action"])
            for change in described.get("Changes", [])
        }
        return ChangeSet(name, described["Status"], described.get("StatusReason", ""), changes)

    def deploy(
        self,
        stack: str,
        template: Document | str,
        parameters: Mapping[str, str | None] | None = None,
        *,
        judged: bool = True,
    ) -> ChangeSet:
        """Creates or updates a stack, as `aws cloudformation deploy` does. `Failed` if that does not succeed.

        Then its roles are judged, unless the test does that itself.
        """
        changes = self.change_set(stack, template, parameters)
        if changes.empty:
            return changes
        if changes.status != "CREATE_COMPLETE":
            raise Failed(f"The change set of {stack}: {changes.status}, {changes.reason}")
        self.cloudformation.execute_change_set(StackName=stack, ChangeSetName=changes.name)
        status = self.settled(stack)
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise Failed(f"{stack}: {status}\n{self.story(stack)}")
        if judged:
            self.judge(self, stack, parsed(template), self.parameters(stack))
        return changes

    def parameters(self, stack: str) -> dict[str, str]:
        """The values that a stack has."""
        described = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        return {each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", [])}

    def settled(self, stack: str) -> str | None:
        """The status of a stack when CloudFormation has finished with it."""
        return self._until(
            lambda: self.status(stack), lambda status: status is None or not status.endswith("_IN_PROGRESS")
        )

    def status(self, stack: str) -> str | None:
        """None where there is no such stack."""
        try:
            return str(self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def outputs(self, stack: str) -> dict[str, str]:
        described = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}

    def resources(self, stack: str) -> dict[str, Resource]:
        """By logical ID, those that exist."""
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        return {
            each["LogicalResourceId"]: Resource(
                each["LogicalResourceId"], each["ResourceType"], each.get("PhysicalResourceId", "")
            )
            for page in pages
            for each in page["StackResourceSummaries"]
            if not each["ResourceStatus"].startswith("DELETE_")
        }

    def events(self, stack: str) -> list[Event]:
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
        newest_first = [
            Event(
                each.get("LogicalResourceId", ""),
                each.get("ResourceType", ""),
                each.get("ResourceStatus", ""),
                each.get("ResourceStatusReason", ""),
            )
            for page in pages
            for each in page["StackEvents"]
        ]
        return newest_first[::-1]

    def story(self, stack: str) -> str:
        """A stack's events as text, for a failing test to show."""
        return "\n".join(f"{event.status} {event.logical_id} {event.reason}" for event in self.events(stack))

    def delete(self, stack: str) -> None:
        """Deletes a stack and waits. `Failed` if a part of it cannot be deleted."""
        # A deleted stack is found by its ID only.
        arn = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        self.cloudformation.delete_stack(StackName=stack)
        status = self.settled(arn)
        if status not in {None, "DELETE_COMPLETE"}:
            raise Failed(f"{stack}: {status}\n{self.story(arn)}")

    def sweep(self, prefix: str) -> None:
        """Deletes every stack whose name begins with the prefix, the newest first."""
        pages = self.cloudformation.get_paginator("list_stacks").paginate()
        standing = [
            each["StackName"]
            for page in pages
            for each in page["StackSummaries"]
            if each["StackName"].startswith(prefix) and each["StackStatus"] != "DELETE_COMPLETE"
        ]
        for stack in dict.fromkeys(standing):
            self.delete(stack)

    def _until(self, look: Callable[[], T], done: Callable[[T], bool]) -> T:
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = look()
            if done(seen):
                return seen
            if time.monotonic() > deadline:
                raise Failed(f"Nothing has come of it in {PATIENCE} seconds: {seen}")
            time.sleep(0.3 if self.emulated else 3)

    # Roles

    def role_of(self, stack: str, logical_id: str) -> Document:
        role: Document = dict(self.iam.get_role(RoleName=self.resources(stack)[logical_id].physical_id)["Role"])
        return role

    def policies(self, role: str) -> list[Document]:
        """Every document that a role's policies hold, inline and attached."""
        found: list[Document] = []
        for page in self.iam.get_paginator("list_role_policies").paginate(RoleName=role):
            inline = [self.iam.get_role_policy(RoleName=role, PolicyName=name) for name in page["PolicyNames"]]
            found.extend(document_of(each["PolicyDocument"]) for each in inline)
        for attached in self.iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
            found.extend(self.managed_policy(policy["PolicyArn"]) for policy in attached["AttachedPolicies"])
        return found

    def managed_policy(self, arn: str) -> Document:
        """The default version of a managed policy."""
        version = self.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return document_of(self.iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])

    def boundaries(self, role: str) -> list[Document]:
        """A role's permissions boundary, if it has one."""
        arn = (self.iam.get_role(RoleName=role)["Role"].get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        return [self.managed_policy(arn)] if arn else []

    def service_control_policies(self) -> list[list[Document]]:
        """The account's service control policies, as one level; none if it has none or may not list them."""
        organizations = self.client("organizations")
        try:
            listed = organizations.list_policies_for_target(TargetId=self.account, Filter="SERVICE_CONTROL_POLICY")
        except ClientError as error:
            if error.response["Error"]["Code"] in NO_ORGANIZATION:
                return []
            raise
        described = [organizations.describe_policy(PolicyId=each["Id"])["Policy"] for each in listed["Policies"]]
        return [[document_of(each["Content"]) for each in described]] if described else []

    def simulate(self, role_arn: str, requests: Iterable[Request]) -> Iterator[tuple[Request, str]]:
        """The decision on each request: `allowed`, `implicitDeny` or `explicitDeny`."""
        together: dict[str, list[Request]] = defaultdict(list)
        for request in requests:
            together[f"{request.action} {json.dumps(dict(request.context), sort_keys=True)}"].append(request)
        for alike in together.values():
            arns = list(dict.fromkeys(request.resource for request in alike))
            decisions: dict[str, str] = {}
            for start in range(0, len(arns), 50):
                answer = self.iam.simulate_principal_policy(
                    PolicySourceArn=role_arn,
                    ActionNames=[alike[0].action],
                    ResourceArns=arns[start : start + 50],
                    ContextEntries=[
                        {
                            "ContextKeyName": key,
                            "ContextKeyType": "string" if isinstance(value, str) else "stringList",
                            "ContextKeyValues": [value] if isinstance(value, str) else list(value),
                        }
                        for key, value in alike[0].context.items()
                    ],
                )
                for result in answer["EvaluationResults"]:
                    decisions |= _decisions(result)
            yield from ((request, decisions[request.resource]) for request in alike)


def connect() -> Cloud:
    """The AWS that the environment points to; `Refused` if it is not meant for tests."""
    session = boto3.Session(
        region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
    )
    cloud = Cloud(session, emulated=False, prefix=f"e2e-{secrets.token_hex(3)}")
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if cloud.sandbox:
        if cloud.account != cloud.sandbox:
            raise Refused(
                f"{SANDBOX} names the account {cloud.sandbox}, and the credentials are those of {cloud.account}"
            )
        return cloud
    if not is_loopback(endpoint):
        raise Refused(
            f"AWS_ENDPOINT_URL is {endpoint or 'not set'}, so these tests would create and delete roles, functions and"
            f" stacks in a real account; start an emulator, or name the sandbox account in {SANDBOX} (see docs/e2e.md)"
        )
    key = os.environ.get("AWS_ACCESS_KEY_ID", "")
    engine = _engine(endpoint)
    if engine and not (len(key) == 12 and key.isdigit()):
        # The emulator accepts any twelve digits as an account, so every run has one that nothing else uses.
        session = boto3.Session(str(secrets.randbelow(9 * 10**11) + 10**11), "test", region_name=session.region_name)
    name, version = engine or ("an emulator", "")
    return Cloud(session, emulated=True, prefix=cloud.prefix, engine=name, version=version)


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _engine(endpoint: str) -> tuple[str, str] | None:
    """The name and the version of an emulator that has any number of accounts."""
    for name, path in ENGINES.items():
        try:
            with urlopen(endpoint.rstrip("/") + path, timeout=10) as answer:
                return name, str(json.loads(answer.read()).get("version", ""))
        except (OSError, ValueError):
            continue
    return None


def _decisions(result: Mapping[str, Any]) -> dict[str, str]:
    """The decision on each resource. AWS gives one result for each action, with its resources inside.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    inside = result.get("ResourceSpecificResults") or []
    if inside:
        return {each["EvalResourceName"]: each["EvalResourceDecision"] for each in inside}
    return {result["EvalResourceName"]: result["EvalDecision"]}


def document_of(held: Any) -> Document:
    """botocore decodes a policy; an emulator may have sent it as text already."""
    document: Document = json.loads(held) if isinstance(held, str) else held
    return document
