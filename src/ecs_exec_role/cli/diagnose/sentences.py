"""What the codes of `ecs_exec_role.diagnose` mean, in sentences."""

from __future__ import annotations

from ecs_exec_role.diagnose.reason import Evidence, Reason, Remedy

MEANS = {
    "not-allowed": "The role is not allowed to do this: no policy of the role allows it.",
    "explicit-deny": "A policy of the role denies this explicitly. Another statement that allows it does not help.",
    "permissions-boundary": "The role's permissions boundary does not allow this, although the role's policies may.",
    "organization-policy": (
        "A policy of the AWS organization (SCP or RCP) does not allow this. The role cannot change it."
    ),
    "session-policy": "A session policy does not allow this. ECS sets none, so another program made this call.",
    "resource-policy": "The policy of the resource itself does not allow this role.",
    "key-policy": "The policy of the KMS key does not allow this role.",
    "endpoint-policy": "The policy of the VPC endpoint that the call went through does not allow this.",
    "key-access": (
        "KMS refused to decrypt. The text does not say whether the role or the key's policy does not allow it."
    ),
    "foreign-default-key": (
        "The secret is in another account, encrypted with that account's default key, which no other account can use."
        " Its owner must encrypt it with a customer managed key."
    ),
    "denied": "Access was denied. The text does not say by which policy.",
    "layers-refused": (
        "S3 refused the image layers. ECR signs these downloads; the S3 VPC endpoint's policy stops them."
    ),
    "assume-role": (
        "ECS could not assume the role. The role does not exist, or its trust policy does not allow"
        " ecs-tasks.amazonaws.com with the account and region of this task."
    ),
    "pass-role": (
        "The starter of the task may not pass this role to ECS (iam:PassRole). The role itself is not the reason."
    ),
    "secret-absent": "The secret does not exist: in this account and region there is none with this ARN.",
    "secret-version-absent": "The secret exists, but has no value with this staging label or version ID.",
    "secret-deleted": "The secret is scheduled for deletion, so its value cannot be read.",
    "json-key-absent": "The secret exists, but its JSON does not have this key.",
    "parameter-absent": "The parameter does not exist in this account and region.",
    "image-absent": "The repository exists, but has no image with this tag or digest.",
    "repository-absent": "The repository does not exist in this registry.",
    "log-group-absent": "The log group does not exist, and the task does not create it.",
    "object-absent": "The S3 object does not exist.",
    "bucket-absent": "The S3 bucket does not exist.",
    "key-unusable": "The KMS key is disabled, or is waiting for its deletion or its key material.",
    "unreachable": "The task did not reach the service. This is the network, not a permission.",
    "name-not-resolved": "DNS did not resolve the host. This is the network (or a misspelled host), not a permission.",
    "file-system-unreachable": (
        "The task did not reach the EFS file system. Look at its mount targets, and at port 2049 in security groups."
    ),
    "pull-rate-limit": "The registry allows no more pulls for now. The execution role is not the reason.",
    "api-throttled": "AWS throttled the calls because there were too many. The execution role is not the reason.",
    "quota": "A quota of the account is used up. The execution role is not the reason.",
    "registry-fault": "The registry answered with an error of the server (5xx). Try again later.",
    "secret-not-json": "The definition asks for a key in the secret's JSON, but the secret's value is not JSON.",
    "reference-invalid": "ECS cannot read this ARN or name in the definition.",
    "log-options-invalid": "The options of the log driver are not valid.",
    "image-platform": "The image has no variant for the platform of the task.",
    "image-unpack": "The image was downloaded but could not be unpacked: its format is not supported or it is damaged.",
    "image-login-refused": "The registry refused the login. The credentials are missing or wrong.",
    "credentials-missing": "The agent had no credentials of an execution role for this task.",
    "out-of-memory": "The container used more memory than its limit. The execution role is not the reason.",
    "container-exited": "The container started, and ended with an exit code. The execution role is not the reason.",
    "container-health": "The container's health check failed. The execution role is not the reason.",
    "load-balancer-health": "The load balancer's health check failed. The execution role is not the reason.",
    "container-runtime": "The container could not be started from its image. The execution role is not the reason.",
    "container-timeout": "The container took too long to start or stop. The execution role is not the reason.",
    "placement": "ECS found no place to run the task. The execution role is not the reason.",
    "host-disk": "The disk of the host is full or failed. The execution role is not the reason.",
    "network-interface": (
        "ECS could not set up the network interface of the task. The execution role is not the reason."
    ),
    "volume": "A volume of the task could not be set up. The execution role is not the reason.",
    "file-system-denied": (
        "EFS refused to mount. Mounts with IAM authorization use the task role; look at that role and at the policy of"
        " the file system."
    ),
    "file-system-path-absent": "The EFS file system was reached, but does not have this directory.",
    "file-system-mount": "The EFS file system could not be mounted.",
    "stopped-on-purpose": "A person, a deployment or scaling stopped the task. It did not fail.",
    "host-lost": "The host of the task was stopped or reclaimed. The execution role is not the reason.",
    "internal": (
        "ECS reports an internal error. The execution role is not known to be the reason; start the task again."
    ),
    "another-call": "This call was refused to another caller. ECS does not make it with the execution role.",
    "image-absent-or-denied": (
        "Cannot tell: the registry gives the same answer if the image does not exist and if it may not be pulled."
    ),
    "object-absent-or-denied": (
        "Cannot tell: S3 answers 403 both for an object that may not be read and, without s3:ListBucket, for one that"
        " does not exist."
    ),
    "deployment-failed": "Cannot tell: tasks failed, but this text does not say why. Look at the stopped tasks.",
    "see-containers": (
        "Cannot tell: the text does not show whether the container failed to start or ended later. Look at `reason` and"
        " `exitCode` of each container in what `describe-tasks` prints, or give all of that to this command."
    ),
    "missing": (
        "Cannot tell: ECS does not have this task or service. It keeps a stopped task for about an hour. Or the task is"
        " in another cluster, region or account."
    ),
    "incomplete": "Cannot tell, because the text ends before it says why.",
    "unrecognized": "Cannot tell, because this text is not known.",
}
"""For each reason code, what happened."""

ABOUT = {
    "image-authorization": "logging in to Amazon ECR",
    "image": "pulling an image",
    "image-layers": "downloading the layers of an image",
    "secret": "reading a secret",
    "parameter": "reading a parameter",
    "key": "decrypting with a KMS key",
    "log-group": "writing to a log group",
    "registry-login": "reading the login of a private registry",
    "environment-file": "reading an environment file",
    "firelens-file": "reading a FireLens configuration",
    "credential-spec": "reading a gMSA credential spec",
    "fsx": "mounting FSx for Windows",
    "file-system": "mounting EFS",
    "role": "assuming the role",
}
"""For each need, what ECS was doing."""

CERTAINTY = {"certain": "certain", "likely": "likely", "unknown": "cannot tell"}

UNREADABLE = {
    "empty": "there is nothing to read",
    "not-json": "this begins like JSON and is not valid JSON",
    "nothing-stopped": "nothing in this failed: no stopped task, no failed event",
    "no-reason": "this JSON has no stopped task, no service event and no error in it",
}
UNREADABLE_FIX = {
    "empty": "paste the stopped reason, or pipe `aws ecs describe-tasks` into this",
    "not-json": "paste all of it, or the reason alone",
    "nothing-stopped": "describe the tasks that are stopped: aws ecs list-tasks --desired-status STOPPED",
    "no-reason": "pipe `aws ecs describe-tasks` or `aws ecs describe-services` into this, or paste the reason",
}

UNPLACED = {
    "other-definition": "{template} has no task definition that this text can be about; is it another template?",
    "not-asked": (
        "nothing in {template} is known to need this; the deployed definition may be another one, or a value of it is"
        " only known at deployment"
    ),
    "part-not-asked": (
        "cannot tell which ValueFrom asks for this: none in {template} is known to have a JSON key or version as in the"
        " text; the deployed definition may be another one, or a value of it is only known at deployment"
    ),
    "other-role": (
        "no definition of {template} names this role, so its trust policy is not here; look at the trust policy of the"
        " deployed role"
    ),
}

_REMEDIES = {
    "deploy": "The template grants this. Deploy it again: the deployed role is older, or another role is in use",
    "use-spec": (
        "{Or_let} the macro make the role: `Transform: EcsExecRole` at the top, and this instead of ExecutionRoleArn"
    ),
    "migrate": "{Or_let} the macro make the role. This command writes the changed template to standard output",
    "add-spec-key": "Declare it in the spec",
    "add-statement": "Add this statement to {subject}",
    "narrow-key": (
        "The text does not show what ECS decrypted. Once you know it, also limit the statement to it: with"
        " kms:EncryptionContext:SecretARN for a secret, with kms:EncryptionContext:PARAMETER_ARN for a parameter"
    ),
    "find-key": (
        "Find the key, and whether its own policy allows the role. The first command shows the key; write its ID"
        " instead of KEY_ID in all that follows, and your own names instead of others in capitals. null, or a key of"
        " AWS (alias/aws/…), needs no statement"
    ),
    "remove-deny": "Narrow or remove this Deny",
    "boundary-statement": "The permissions boundary {subject} must allow this too",
    "organization-statement": "The administrator of the organization must allow this in its policy {subject}",
    "resource-statement": "The owner of {subject} must add this to its resource policy",
    "key-statement": "The owner of {subject} must add this to the key policy",
    "endpoint-statement": "Add this to the policy of the VPC endpoint for {subject}",
    "trust-statement": "Give {subject} this trust policy",
    "set-value": "Write this",
    "check-route": (
        "Check the route table of the task's subnets: to the internet they need a route 0.0.0.0/0 (for IPv6 ::/0) to a"
        " NAT gateway or to an internet gateway"
    ),
    "check-public-ip": (
        "With an internet gateway, a Fargate task needs a public IP address: assignPublicIp: ENABLED in the network"
        " configuration of the service or of run-task. A task on EC2 cannot have one in the network mode awsvpc, and"
        " needs a NAT gateway"
    ),
    "check-egress": (
        "Check that the security groups of the task, and the network ACLs of its subnets, allow outbound TCP on port"
        " 443"
    ),
    "check-endpoint": (
        "The address is private: that of a VPC endpoint, a proxy or a registry of your own. Check that its security"
        " groups allow inbound TCP on this port from the task"
    ),
    "check-dns": (
        "Check that the VPC has enableDnsSupport and enableDnsHostnames, and that its DHCP options name a DNS server"
        " that the task reaches"
    ),
    "look-elsewhere": (
        "Check the cluster and the region. Events of the service have the reasons of earlier tasks, and CloudTrail has"
        " the calls that were refused. Write your own names instead of those in capitals"
    ),
    "keep-reasons": (
        "To keep the reasons of later tasks, make an EventBridge rule with this event pattern, and a log group of"
        " CloudWatch Logs as its target"
    ),
    "run": "Run",
    "look": "Look",
}
_DEFAULT_SUBJECT = {
    "add-statement": "the execution role",
    "trust-statement": "the role",
    "resource-statement": "the resource",
    "key-statement": "the key",
}


def of_remedy(remedy: Remedy, *, first: bool = False) -> str:
    """The sentence of a remedy, without what to write or run.

    Args:
        remedy: the remedy.
        first: no other remedy is before it that it could be the alternative of.
    """
    subject = remedy.subject or _DEFAULT_SUBJECT.get(remedy.code, "")
    said = _REMEDIES[remedy.code].format(subject=subject, Or_let="Let" if first else "Or let")
    return " ".join(said.split())


def of_reason(reason: Reason) -> str:
    """The title of a reason."""
    about = ABOUT.get(reason.need, "")
    category = reason.category if reason.category != "not-the-role" else "not the execution role"
    return f"{category}: {about}" if about else category


def facts(evidence: Evidence) -> list[tuple[str, str]]:
    """The facts of a reason to show, with their names."""
    listed = {
        "task definition": evidence.definition,
        "container": evidence.container,
        "role": evidence.override or evidence.role,
        "action": evidence.action,
        "resource": evidence.resource,
        "secret": evidence.secret if evidence.secret != evidence.resource else "",
        "JSON key": evidence.json_key,
        "version": evidence.version,
        "parameters": ", ".join(evidence.parameters),
        "image": evidence.image,
        "platform": evidence.platform,
        "object": f"{evidence.bucket}/{evidence.key}" if evidence.bucket else "",
        "KMS key": evidence.key if ":kms:" in evidence.key and evidence.key != evidence.resource else "",
        "host": evidence.host,
        "policy": evidence.policy,
        "exit code": str(evidence.exit_code) if evidence.exit_code >= 0 else "",
    }
    return [(name, value) for name, value in listed.items() if value]
