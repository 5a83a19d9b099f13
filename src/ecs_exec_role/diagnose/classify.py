"""Finds what a stopped reason proves, and the facts in it.

The texts come from ECS, its agents, and the services that these call. ECS cuts many of them at 255 characters. A rule
therefore matches the words that decide the case, not the whole sentence, and nothing is concluded from missing words.
The rules are in order: the first rule that matches decides.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ecs_exec_role.diagnose.reason import CODES, Certainty, Evidence
from ecs_exec_role.named_tuple import NamedTuple

LONGEST = 255
"""The most characters of a reason in the tasks of older platform versions."""

_MOST = 4_000
"""The most characters of one reason that are read. ECS's reasons have at most 1,024, CloudTrail's errors few more."""

_END = re.compile(r"(?:\.\.\.|…)\W*$")


class Reading(NamedTuple):
    """What one text says: a code, how certain it is, which need failed, and the facts."""

    code: str
    certainty: Certainty
    need: str
    evidence: Evidence


class _TextRule(NamedTuple):
    code: str
    pattern: re.Pattern[str]
    certainty: Certainty = "certain"


def _rule(code: str, pattern: str, certainty: Certainty = "certain") -> _TextRule:
    return _TextRule(code, re.compile(pattern, re.IGNORECASE), certainty)


# -- refusals -------------------------------------------------------------------------------------------------------

_REFUSED = re.compile(
    r"is not authorized to perform: (?P<action>[a-z0-9-]+:[A-Za-z]+)(?=[^A-Za-z])"
    r"(?: on resource: \"?(?P<resource>[^\s\",]+)(?=[\s\",]))?"
)
_ASSUMED = re.compile(r"arn:[^:\s]+:sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/\s]+)/")
# Only the last sentence of a refusal names the kind of policy that decided.
_POLICY = r"(?P<kind>identity-based|resource-based|session|VPC endpoint|service control|resource control|role trust)"
_CLAUSE = re.compile(
    rf"(?:because no (?:{_POLICY} policy|(?P<boundary>permissions boundary)) allows"
    rf"|with an explicit deny in an? (?:{_POLICY.replace('?P<kind>', '?P<denying>')} policy"
    r"|(?P<denying_boundary>permissions boundary)))(?:: (?P<policy>arn:[^\s,]+:policy/[^\s,]+))?",
    re.IGNORECASE,
)
_ALLOWING = {
    "identity-based": "not-allowed",
    "resource-based": "resource-policy",
    "session": "session-policy",
    "vpc endpoint": "endpoint-policy",
    "service control": "organization-policy",
    "resource control": "organization-policy",
    "role trust": "assume-role",
}
_DENYING = {**_ALLOWING, "identity-based": "explicit-deny"}

_NO_ACCESS = re.compile(
    r"AccessDenied(?:Exception)?\b|is not authorized to perform|UnauthorizedOperation", re.IGNORECASE
)

# Everything that ECS calls as the execution role; see docs/features.md. Another refused action has another caller.
_CALLS = frozenset(
    {
        "ecr:getauthorizationtoken", "ecr:batchgetimage", "ecr:getdownloadurlforlayer",
        "ecr:batchchecklayeravailability", "ecr:batchimportupstreamimage", "ecr:createrepository",
        "logs:createloggroup", "logs:createlogstream", "logs:putlogevents",
        "secretsmanager:getsecretvalue", "ssm:getparameters", "kms:decrypt",
        "s3:getobject", "s3:getbucketlocation", "s3:listbucket", "fsx:describefilesystems",
        "elasticfilesystem:clientmount", "elasticfilesystem:clientwrite", "elasticfilesystem:clientrootaccess",
        "sts:assumerole",
    }
)  # fmt: skip

# -- everything else ------------------------------------------------------------------------------------------------

_NETWORK = (
    r"connection issue between the task and|i/o timeout|context deadline exceeded"
    r"|RequestCanceled: request context canceled|request canceled while waiting for connection|Client\.Timeout exceeded"
    r"|send request failed|request send failed|StatusCode: 0\b|connection refused|connection reset by peer"
    r"|TLS handshake timeout|no route to host|network is unreachable|Could not reach any registry endpoint"
    r"|Check your (?:task )?network configuration"
)

_RUNTIME_ERROR = r"Cannot(?:Start|Create|Inspect|Stop)ContainerError: (?!.*(?:logging driver|dev(?:ice)?mapper))"

_BEFORE_REFUSALS = (
    # A person who stops a task can write any reason.
    _rule("stopped-on-purpose", r"^UserInitiated\b"),
    _rule("assume-role", r"unable to assume (?:the )?role"),
    _rule("json-key-absent", r"did not contain json key"),
    _rule(
        "reference-invalid",
        r"unexpected ARN format|is in an invalid format|invalid ARN format|arn: (?:invalid|not enough)"
        r"|(?:minimum|maximum) field size of \d+|Member must (?:have length|satisfy regular)",
    ),
    _rule("foreign-default-key", r"secret from a different AWS account if you encrypt the secret with the default KMS"),
    # Secrets Manager's text is the same whether the role or the key's own policy refuses.
    _rule("key-access", r"Access to KMS is not allowed|ciphertext refers to a customer master key|DecryptionFailure:"),
    _rule("key-unusable", r"KMSInvalidState|DisabledException|\bis (?:pending deletion|disabled|pending import)\b"),
)

_AFTER_REFUSALS = (
    # What happens after ECS has used the execution role.
    _rule("file-system-denied", r"EFS .*access denied by server while mounting"),
    _rule("file-system-path-absent", r"EFS .*reason given by server: No such file or directory"),
    _rule(
        "file-system-unreachable",
        r"EFS .*(?:Failed to resolve \"fs-|failed due to timeout|Connection (?:reset|refused|timed out))",
    ),
    _rule("file-system-mount", r"failed to invoke EFS utils", "likely"),
    _rule("out-of-memory", r"OutOfMemoryError|killed due to memory usage"),
    _rule("container-timeout", r"Could not transition to"),
    _rule(
        "credentials-missing",
        r"unable to find execution role credentials|credentials: not found|CredentialsEndpointError",
    ),
    _rule("credentials-missing", r"169\.254\.170\.2"),
    _rule("host-disk", r"no space left on device|dev(?:ice)?mapper: Error|Thin Pool has \d+ free data blocks"),
    # Containers and volumes are made after everything is fetched, also if these errors name something else.
    _rule("volume", r"EphemeralStorage provisioning|\bEBS volume|VolumeError:|CannotCreateVolumeError"),
    # A logging driver that cannot start has one of these errors too, so the text must show whether it is one.
    _rule(
        "container-runtime",
        rf"{_RUNTIME_ERROR}(?>(?:Error response from daemon: |API error \(\d+\): )?).{{35}}"
        r"|ContainerRuntimeError: .|OCI runtime create failed|exec format error",
    ),
    _rule("container-runtime", rf"{_RUNTIME_ERROR}\S", "likely"),
    # Secrets Manager and Parameter Store.
    _rule("secret-version-absent", r"find the specified secret value for"),
    _rule("secret-deleted", r"secret because it was marked for deletion|scheduled for deletion"),
    _rule(
        "secret-absent",
        r"find the specified secret\.|can't retrieve the secret with ARN .* Check whether the secret exists",
    ),
    _rule("secret-absent", r"find the specified secret$", "likely"),
    _rule("secret-not-json", r"invalid character .+ (?:looking for beginning of|in literal|after)"),
    _rule("parameter-absent", r"invalid (?:ssm )?parameters:|ParameterNotFound"),
    # CloudWatch Logs.
    _rule("log-group-absent", r"specified log group does not exist"),
    _rule(
        "log-options-invalid",
        r"unable to get awslogs driver arguments|MissingEndpoint|awslogs-\w+ is required|unknown log opt",
    ),
    # S3.
    _rule("bucket-absent", r"NoSuchBucket"),
    _rule("object-absent", r"NoSuchKey|operation error S3:.*StatusCode: 404|S3.*404 Not Found"),
    _rule("object-absent-or-denied", r"operation error S3:.*(?:StatusCode: 403|Forbidden)", "unknown"),
    _rule("layers-refused", r"starport-layer-bucket\S*: 403|unexpected status code \S*starport-layer-bucket\S* ?403"),
    # Registries.
    _rule("pull-rate-limit", r"\btoomanyrequests:|429 Too Many Requests|pull rate limit"),
    _rule(
        "api-throttled",
        r"ThrottlingException|Throttling:|TooManyRequestsException|\bRate exceeded|operations are being throttled",
    ),
    _rule("image-platform", r"does not contain descriptor matching platform|no matching manifest for"),
    _rule(
        "image-unpack",
        r"no processor for media-type|unsupported media type|failed to unpack image|number of layers and diffIDs"
        r"|failed to register layer: (?!devicem)\w.{8}",
    ),
    _rule("repository-absent", r"repository with name '[^']*' does not exist|name unknown"),
    _rule("image-absent", r"manifest unknown|manifest for \S+ not found"),
    _rule("registry-fault", r"unexpected status (?:code|from)\b.*\b5\d\d (?:Internal|Bad Gateway|Service|Gateway)"),
    _rule("image-login-refused", r"no basic auth credentials|401 Unauthorized|incorrect username or password"),
    _rule("name-not-resolved", r"no such host"),
    _rule("unreachable", _NETWORK),
    _rule("unreachable", r"net/http: request canceled", "likely"),
    _rule(
        "image-absent-or-denied",
        r"pull access denied|does not exist or no pull access|CannotPull.*403 Forbidden|insufficient_scope",
        "unknown",
    ),
    _rule("image-absent", r"CannotPull.*failed to resolve ref.*: not found\b"),
    _rule("image-absent-or-denied", r"CannotPull.*\b(?:not found|does not exist)\b", "unknown"),
    # The scheduler, and the container itself.
    _rule("quota", r"reached the limit on the number of|is above your limit"),
    _rule(
        "placement",
        r"no container instance(?:s were found| met all)|Capacity is unavailable|UnfulfillableCapacity"
        r"|InsufficientInstanceCapacity"
        r"|RESOURCE:(?:CPU|MEMORY|ENI|GPU|PORTS)|Unable to launch instance|placement constraint unsatisfied"
        r"|^(?:TaskFailedToStart: )?(?:AGENT|ATTRIBUTE|LOCATION)(?: \([^)]*\))?\.?$|EMPTY CAPACITY PROVIDER"
        r"|because of the service deployment configuration",
    ),
    _rule(
        "network-interface",
        r"network interface provision|unable to attach ENI|InsufficientFreeAddressesInSubnet"
        r"|attempting to Create Network Interface",
    ),
    _rule("load-balancer-health", r"failed ELB health checks|is unhealthy in (?:\(?target-group|target group)"),
    _rule("container-health", r"failed container health checks"),
    _rule(
        "host-lost",
        r"Host EC2 .* (?:terminated|stopped)|Spot (?:Task|instance) was interrupted|SpotInterruption|TerminationNotice",
    ),
    _rule(
        "stopped-on-purpose",
        r"Task stopped by user|stopped by .* action|Scaling activity initiated"
        r"|^ServiceSchedulerInitiated$",
    ),
    _rule("internal", r"InternalError|Reason: Internal error"),
    # ECS writes this also of a container that failed to start. Only an exit code shows that it started.
    _rule("container-exited", r"Essential container in task exited\W+exit code:? ?\d+"),
    _rule("see-containers", r"Essential container in task exited|\bEssentialContainerExited\b", "unknown"),
    _rule(
        "deployment-failed",
        r"unable to consistently start tasks|tasks failed to start|deployment circuit breaker",
        "unknown",
    ),
    _rule("missing", r"^MISSING$", "unknown"),
    _rule("see-containers", r"^Task ?failed ?to ?start\W*$", "unknown"),
    # The beginning of a text that normally continues with the reason.
    _rule(
        "incomplete",
        r"CannotPull\w*Error|CannotStartContainerError|unable to pull secrets|failed to validate logger args"
        r"|failed to download"
        r"|unable to (?:retrieve|get|download)|ResourceInitializationError|has been retried|fetching secret data"
        r"|unable to place a task|failed to launch a task|initialize logging driver|failed to retrieve",
        "unknown",
    ),
)

# -- what ECS was doing ---------------------------------------------------------------------------------------------

_NEEDS_BY_WORDS = (
    ("registry-login", r"registry auth from asm|asm fetching secret from the service"),
    ("credential-spec", r"credential ?spec|gMSA"),
    ("fsx", r"\bfsx"),
    ("firelens-file", r"firelens"),
    ("environment-file", r"env(?:ironment)? ?files?\b"),
    ("file-system", r"EFS utils|mount\.nfs4"),
    ("role", r"unable to assume (?:the )?role"),
    (
        "key",
        r"Access to KMS|customer master|DecryptionFailure|KMSInvalid|default KMS|key/[0-9a-f-]+ is (?:pend|disabl)",
    ),
    (
        "log-group",
        r"logger args|logging driver|Cloudwatch log|CloudWatch Logs:|awslogs|log group|the task and Amazon CloudWatch",
    ),
    (
        "parameter",
        r"the task and AWS Systems Manager|secrets from ssm|SSM Parameter Store|operation error SSM|ssm parameters",
    ),
    ("secret", r"secret from asm|Secrets Manager|secretsmanager"),
    (
        "image-authorization",
        r"ecr registry auth|registry auth from Amazon ECR|the task and Amazon ECR|//api\.ecr|engine ecr credentials",
    ),
    ("image-authorization", r"CannotPullECRContainerError"),
    (
        "image-layers",
        r"starport-layer-bucket|ECR URL related to|failed to copy: .*dkr[.-]ecr|dkr[.-]ecr.*failed to copy: ",
    ),
    ("image", r"CannotPull|pull access denied|manifest"),
)
_NEED_PATTERNS = tuple((need, re.compile(pattern, re.IGNORECASE)) for need, pattern in _NEEDS_BY_WORDS)
_NEEDS_BY_ACTION = {
    "ecr:getauthorizationtoken": "image-authorization",
    "ecr": "image",
    "kms": "key",
    "secretsmanager": "secret",
    "ssm": "parameter",
    "logs": "log-group",
    "s3": "environment-file",
    "elasticfilesystem": "file-system",
    "fsx": "fsx",
    "sts": "role",
    "iam": "role",
}
_WITHOUT_NEED = frozenset(
    {
        "out-of-memory", "container-exited", "container-health", "load-balancer-health", "container-runtime",
        "container-timeout", "placement", "network-interface", "volume", "stopped-on-purpose", "host-lost", "internal",
        "quota", "deployment-failed", "see-containers", "missing",
        "unrecognized", "another-call",
    }
)  # fmt: skip
"""Codes that do not concern the execution role, even if the text names other things."""
_OF_A_NEED = frozenset({"permission", "absence", "network"})
"""Categories that only say something about what ECS itself did."""

# -- facts ----------------------------------------------------------------------------------------------------------

_FACTS = {
    "secret": r"(?P<secret>arn:[^:\s]+:secretsmanager:[^:\s]*:\d{12}:secret:[^\s'\":,;]+)(?=[\s'\":,;])",
    "host": r"(?:https?://|lookup )(?P<host>[a-z0-9][a-z0-9.-]*\.[a-z]{2,})(?=[/:\s\"])",
    "json_key": r"json key (?P<json_key>.+?)\W*$",
    "version": r"secret value for (?:staging label: (?P<version>[\w+=.@/-]+)|VersionId: (?P<id>[\w-]+))",
    "platform": r"(?:matching platform '(?P<platform>[^']+)'|manifest for (?P<only>\w+/\w+(?:/\w+)?) in)",
    "role_name": r"assume (?:the )?role '(?P<role>arn:[^\s']+:role/[^\s']+)'",
    "env_file": r"key (?P<key>\S+) from bucket (?P<bucket>[^\s,;]+)(?=[\s,;])",
    "s3_config": r"s3 config (?P<key>\S+) from bucket (?P<bucket>[^\s:,;]+)(?=[\s:,;])",
    "aws_region": r"(?:in region |Parameter Store in )(?P<region>[a-z]{2,}(?:-[a-z]+)+-\d)(?=[:\s])",
    "kms_key": r"(?P<key>arn:[^:\s]+:kms:[^:\s]*:\d{12}:key/[\w-]+)(?=[^\w-])",
}
_FACT = {name: re.compile(pattern) for name, pattern in _FACTS.items()}
_PARAMETERS = re.compile(r"invalid (?:ssm )?parameters: (?P<names>[\w./-]+(?:, ?[\w./-]+)*)", re.IGNORECASE)
_HOST_REGION = re.compile(r"[.-](?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d)\.")
_IMAGES = (
    re.compile(r"failed to resolve ref(?:erence)? \"?(?P<image>[^\s\"]+?)\"?:?\s"),
    re.compile(r"ECR URL related to (?P<image>[^\s\"]+?):?\s"),
    re.compile(r"failed to do request: Get (?P<image>[^\s\":]+\.dkr[.-]ecr[^\s\"]*?):?\s"),
    re.compile(r"task cannot pull (?!secrets )(?P<image>[^\s\"]+) from"),
    re.compile(r"manifest for (?P<image>[^\s\"]+[:@][^\s\"]+) not found"),
    re.compile(r"(?:pull access denied for|[Rr]epository) (?P<image>[^\s\"',]+/[^\s\"',]+)(?=[\s\"',])"),
    re.compile(r"https://(?P<image>[^\s\"/]+\.dkr[.-]ecr[^\s\"/]*)/v2/"),
)
_ECR_HOST = re.compile(r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.")


_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Characters that control a terminal, or change the order of the text, are not passed on.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def normalized(text: str) -> str:
    """A reason on one line, with plain apostrophes; escapes from JSON or a log become spaces."""
    text = _CONTROL.sub(" ", _COLOUR.sub("", text))
    return " ".join(re.sub(r"\\[nrt]", " ", text).replace("\u2019", "'").replace("\u2018", "'").split())


def truncated(text: str) -> bool:
    """Whether a text was cut, certainly or by its length."""
    return len(text) == LONGEST or _END.search(text) is not None


def classify(text: str) -> Reading:
    """What one reason says.

    Args:
        text: the reason from ECS, complete or cut.
    """
    said = normalized(text[: 2 * _MOST])[:_MOST]
    code, certainty, proof, facts = _decide(said)
    facts |= _facts(said, facts)
    need = "" if code in _WITHOUT_NEED else _need(said, facts.get("action", ""))
    if not need and CODES[code] in _OF_A_NEED:
        # Any program can be refused or time out. If the text does not say what ECS was doing, it may be the container's
        # error.
        code, certainty, proof = "unrecognized", "unknown", ""
    evidence = replace(
        Evidence(text=said, proof=proof, truncated=truncated(said), parameters=_parameters(said)),
        **facts,
    )
    return Reading(code, certainty, need, evidence)


def _decide(said: str) -> tuple[str, Certainty, str, dict[str, Any]]:
    for rule in _BEFORE_REFUSALS:
        match = rule.pattern.search(said)
        if match:
            return rule.code, rule.certainty, match[0], {}
    refused = _refusal(said)
    if refused is not None:
        return refused
    for rule in _AFTER_REFUSALS:
        match = rule.pattern.search(said)
        if match:
            return rule.code, rule.certainty, match[0], {}
    return "unrecognized", "unknown", "", {}


def _refusal(said: str) -> tuple[str, Certainty, str, dict[str, Any]] | None:
    """A refusal, with the policy that AWS names in the last sentence; None if the text is about something else."""
    denied = _NO_ACCESS.search(said)
    if denied is None:
        return None
    facts: dict[str, Any] = {}
    match = _REFUSED.search(said)
    after = said[denied.start() :]
    if match is not None:
        facts = {"action": match["action"], "resource": match["resource"] or ""}
        after = said[match.end() :]
    principal = _ASSUMED.search(said)
    if principal is not None:
        facts |= {"role": principal["role"], "role_account": principal["account"]}
    low = facts.get("action", "").lower()
    if low == "iam:passrole":
        return "pass-role", "certain", match[0] if match else "", facts
    if low and low not in _CALLS:
        return "another-call", "certain", match[0] if match else "", facts
    if low == "s3:listbucket":
        # S3 names this action if an object does not exist and the caller may not list the bucket.
        return "object-absent", "likely", match[0] if match else "", {**facts, "action": "", "resource": ""}
    clause = _CLAUSE.search(after)
    if clause is None:
        if re.search(r"\bS3\b|s3 config|env files", said) and match is None:
            return "object-absent-or-denied", "unknown", denied[0], facts
        return "denied", "certain", denied[0], facts
    if clause["policy"] and not (truncated(said) and said.endswith(clause["policy"])):
        facts["policy"] = clause["policy"].rstrip(".")
    if clause["boundary"] or clause["denying_boundary"]:
        return "permissions-boundary", "certain", clause[0], facts
    code = _ALLOWING[clause["kind"].lower()] if clause["kind"] else _DENYING[clause["denying"].lower()]
    if code == "resource-policy" and facts.get("action", "").startswith("kms:"):
        code = "key-policy"
    return code, "certain", clause[0], facts


def _need(said: str, action: str) -> str:
    words = next((need for need, pattern in _NEED_PATTERNS if pattern.search(said)), "")
    low = action.lower()
    by_action = _NEEDS_BY_ACTION.get(low) or _NEEDS_BY_ACTION.get(low.partition(":")[0], "")
    # The words say what a secret or an object was read for; the action alone does not.
    if by_action in ("secret", "parameter", "environment-file", ""):
        return words or by_action
    return by_action


def _facts(said: str, known: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    # The last word of a text that was cut may be incomplete.
    whole = len(_END.sub("", said)) if truncated(said) else len(said) + 1
    for name in ("secret", "host", "json_key"):
        match = _FACT[name].search(said)
        if match and match.end(name) < whole:
            found[name] = match[name].rstrip(".")
    for name in ("version", "platform"):
        match = _FACT[name].search(said)
        if match and match.end() < whole:
            found[name] = next(filter(None, match.groups()), "").rstrip(".")
    match = _FACT["env_file"].search(said) or _FACT["s3_config"].search(said)
    if match:
        found |= {"key": match["key"], "bucket": match["bucket"]}
    else:
        match = _FACT["kms_key"].search(said)
        if match:
            found["key"] = match["key"]
    match = _FACT["role_name"].search(said)
    if match:
        arn = match["role"].rstrip(".,)")
        found |= {"role": arn.rpartition("/")[2], "role_account": arn.split(":")[4], "resource": arn}
    image = next((m["image"].rstrip(":,.") for pattern in _IMAGES if (m := pattern.search(said))), "")
    if image:
        found["image"] = image
    _where(said, image, {**known, **found}, found)
    return found


def _where(said: str, image: str, known: dict[str, str], found: dict[str, str]) -> None:
    """The region and account of what failed, from its ARN, its host, or the sentence."""
    arn = next(
        (known.get(name, "") for name in ("resource", "secret", "key") if known.get(name, "").startswith("arn:")), ""
    )
    parts = arn.split(":")
    if len(parts) > 4:
        found["region"], found["account"] = parts[3], parts[4]
    host = _ECR_HOST.search(image) or _ECR_HOST.search(said)
    if host and not found.get("account"):
        found["region"], found["account"] = host["region"], host["account"]
    if not found.get("region"):
        match = _FACT["aws_region"].search(said) or _HOST_REGION.search(known.get("host", ""))
        if match:
            found["region"] = match["region"]


def _parameters(said: str) -> tuple[str, ...]:
    match = _PARAMETERS.search(said)
    if match is None:
        return ()
    names = [name.rstrip(".") for name in match["names"].replace(" ", "").split(",") if name]
    if match.end() == len(said) and truncated(said):
        names.pop()
    return tuple(names)
