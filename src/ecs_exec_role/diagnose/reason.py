"""Why a task did not start, as data: codes and facts. The command line has the sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

from ecs_exec_role.template.symbols import Json

Category: TypeAlias = Literal["permission", "absence", "network", "limit", "definition", "not-the-role", "unknown"]
"""The kind of cause of a code: who must act, and whether it concerns the execution role."""

CODES: Mapping[str, Category] = {
    # The request reached AWS and was refused.
    "not-allowed": "permission",
    "explicit-deny": "permission",
    "permissions-boundary": "permission",
    "organization-policy": "permission",
    "session-policy": "permission",
    "resource-policy": "permission",
    "key-policy": "permission",
    "endpoint-policy": "permission",
    "key-access": "permission",
    "foreign-default-key": "permission",
    "denied": "permission",
    "layers-refused": "permission",
    "assume-role": "permission",
    "pass-role": "permission",
    # What is named does not exist, or cannot be used.
    "secret-absent": "absence",
    "secret-version-absent": "absence",
    "secret-deleted": "absence",
    "json-key-absent": "absence",
    "parameter-absent": "absence",
    "image-absent": "absence",
    "repository-absent": "absence",
    "log-group-absent": "absence",
    "object-absent": "absence",
    "bucket-absent": "absence",
    "key-unusable": "absence",
    # The request did not reach AWS or the registry.
    "unreachable": "network",
    "name-not-resolved": "network",
    "file-system-unreachable": "network",
    # It reached them too often.
    "pull-rate-limit": "limit",
    "api-throttled": "limit",
    "quota": "limit",
    "registry-fault": "limit",
    # The definition, or what it names, has a mistake.
    "secret-not-json": "definition",
    "reference-invalid": "definition",
    "log-options-invalid": "definition",
    "image-platform": "definition",
    "image-unpack": "definition",
    "image-login-refused": "definition",
    "credentials-missing": "definition",
    # Something that does not concern the execution role.
    "out-of-memory": "not-the-role",
    "container-exited": "not-the-role",
    "container-health": "not-the-role",
    "load-balancer-health": "not-the-role",
    "container-runtime": "not-the-role",
    "container-timeout": "not-the-role",
    "placement": "not-the-role",
    "host-disk": "not-the-role",
    "network-interface": "not-the-role",
    "volume": "not-the-role",
    "file-system-denied": "not-the-role",
    "file-system-path-absent": "not-the-role",
    "file-system-mount": "not-the-role",
    "stopped-on-purpose": "not-the-role",
    "host-lost": "not-the-role",
    "internal": "not-the-role",
    "another-call": "not-the-role",
    # The text alone does not show the cause.
    "image-absent-or-denied": "unknown",
    "object-absent-or-denied": "unknown",
    "deployment-failed": "unknown",
    "see-containers": "unknown",
    "missing": "unknown",
    "incomplete": "unknown",
    "unrecognized": "unknown",
}
"""Every reason code, and its category. docs/diagnose.md explains each."""

Certainty: TypeAlias = Literal["certain", "likely", "unknown"]
"""`certain`: the text proves it. `likely`: the text usually means it. `unknown`: the text does not show it."""

Unplaced: TypeAlias = Literal["", "other-definition", "not-asked", "part-not-asked", "other-role"]
"""Why there is no place in the template."""

NEEDS = (
    "image-authorization",
    "image",
    "image-layers",
    "secret",
    "parameter",
    "key",
    "log-group",
    "registry-login",
    "environment-file",
    "firelens-file",
    "credential-spec",
    "fsx",
    "file-system",
    "role",
)
"""What ECS was doing when it failed; a reason about none of these has an empty need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The facts of a reason. Facts that the text does not give are empty.

    Attributes:
        text: the text as ECS gave it, on one line.
        proof: the part of it that decides the code; empty if nothing does.
        origin: where it is in the input, such as `tasks[0].containers[web].reason`.
        truncated: the text was cut, and the missing part may matter.
        times: how often the input has the same text, apart from IDs that differ each time.
        task, definition, container: the task's ARN, its definition (`family:revision`) and the container's name.
        role, role_account: the name and the account of the role with which the call was made.
        override: the execution role that was given when the task was started, instead of the definition's.
        action, resource: what was refused, as IAM says it.
        policy: the ARN of the policy that denied it, if AWS gives it.
        host: the host that could not be reached.
        image: the image, as the registry names it.
        secret, json_key, version: the secret's ARN, the key in its JSON, and the staging label or version ID.
        parameters: the parameters that do not exist.
        key, bucket: those of an object; or the ARN of a KMS key.
        region, account: where the thing is, as far as the text says it.
        platform: the platform for which the image has no manifest.
        exit_code: the container's exit code; -1 if there is none.
        subnets, network_interfaces: where the task ran, as far as the input says it.
    """

    text: str = ""
    proof: str = ""
    origin: str = ""
    truncated: bool = False
    times: int = 1
    task: str = ""
    definition: str = ""
    container: str = ""
    role: str = ""
    role_account: str = ""
    override: str = ""
    action: str = ""
    resource: str = ""
    policy: str = ""
    host: str = ""
    image: str = ""
    secret: str = ""
    json_key: str = ""
    version: str = ""
    parameters: tuple[str, ...] = ()
    key: str = ""
    bucket: str = ""
    region: str = ""
    account: str = ""
    platform: str = ""
    exit_code: int = -1
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplatePlace:
    """Where the template needs what failed: its path and line, the container, and its property."""

    path: str
    line: int
    who: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One thing to do.

    Attributes:
        code: the kind of remedy; see `REMEDIES`.
        path, line: where in the template it is done, if it is.
        key: the key under `path` that it concerns.
        value: a statement, or the value to write.
        command: a command line to run.
        subject: what it is about, such as a role's name or an endpoint.
    """

    code: str
    path: str = ""
    line: int = 0
    key: str = ""
    value: Json = None
    command: str = ""
    subject: str = ""


REMEDIES = (
    "deploy",
    "use-spec",
    "migrate",
    "add-spec-key",
    "add-statement",
    "narrow-key",
    "find-key",
    "remove-deny",
    "boundary-statement",
    "organization-statement",
    "resource-statement",
    "key-statement",
    "endpoint-statement",
    "trust-statement",
    "set-value",
    "check-route",
    "check-public-ip",
    "check-egress",
    "check-endpoint",
    "check-dns",
    "look-elsewhere",
    "keep-reasons",
    "run",
    "look",
)
"""The codes of remedies. `run` changes something in AWS; `look` only reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One answer of AWS about the need that failed: the preflight's status, its text, and what to do."""

    path: str
    status: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a task did not start.

    `unplaced` says why there are no places although there is a template: it has no such definition; the definition does
    not need what failed, does not ask for this JSON key or version, or does not have this role. `granted`: whether the
    template grants what was refused; None if that is not known or not relevant.
    `asked` is what AWS answered, if it was asked.
    """

    code: str
    certainty: Certainty
    need: str
    evidence: Evidence
    places: tuple[TemplatePlace, ...] = ()
    unplaced: Unplaced = ""
    granted: bool | None = None
    remedy: tuple[Remedy, ...] = ()
    asked: tuple[Asked, ...] = field(default=())

    @property
    def category(self) -> Category:
        """The category of the cause."""
        return CODES[self.code]

    def data(self) -> dict[str, Json]:
        """The same as mappings and lists, without empty values."""
        said = {"category": self.category, **asdict(self)}
        said["evidence"] = _filled(said["evidence"])
        said["remedy"] = [_filled(remedy) for remedy in said["remedy"]]
        said["places"] = list(said["places"])
        said["asked"] = list(said["asked"])
        return said


def _filled(mapping: Mapping[str, Json]) -> dict[str, Json]:
    return {
        name: value
        for name, value in mapping.items()
        if value not in ("", (), None, False) and (name, value) != ("exit_code", -1) and (name, value) != ("line", 0)
    }
