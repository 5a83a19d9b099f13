"""The codes of what an audit finds. Programs identify a finding by its code; its sentence can change.

JSON has the code of each finding, and SARIF has it as the ID of the rule.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ecs_exec_role.named_tuple import NamedTuple

Kind: TypeAlias = Literal["lacking", "excess", "too-wide", "unknown"]


class CodeDescription(NamedTuple):
    """What a code means: the kind of its findings, a title, and what to do in general."""

    kind: Kind
    title: str
    help: str


RULES: dict[str, CodeDescription] = {
    "permission-lacking": CodeDescription(
        "lacking", "A task needs a permission that its execution role lacks", "Allow it; the finding has the statement."
    ),
    "permission-denied": CodeDescription(
        "lacking", "A task needs a permission that its execution role denies", "Change the Deny statement."
    ),
    "trust-lacking": CodeDescription(
        "lacking", "ECS tasks may not assume the execution role", "Allow sts:AssumeRole to ecs-tasks.amazonaws.com."
    ),
    "pass-role-lacking": CodeDescription(
        "lacking",
        "What starts the task may not pass the execution role to ECS",
        "Allow iam:PassRole on the execution role where iam:PassedToService is ecs-tasks.amazonaws.com.",
    ),
    "permission-unused": CodeDescription(
        "excess", "An execution role has a permission that no task needs", "Remove it; a task never uses it to start."
    ),
    "resource-too-wide": CodeDescription(
        "too-wide", "A permission covers more resources than its tasks need", "Name the resources."
    ),
    "action-too-wide": CodeDescription(
        "too-wide", "A permission covers more actions than its tasks need", "Name the actions."
    ),
    "decrypt-too-wide": CodeDescription(
        "too-wide",
        "kms:Decrypt is allowed for everything that the key encrypts",
        "Add the conditions kms:ViaService and kms:EncryptionContext.",
    ),
    "condition-too-wide": CodeDescription(
        "too-wide", "A permission is granted under conditions that do not need it", "Grant it under their conditions."
    ),
    "negated-statement": CodeDescription(
        "too-wide", "A statement allows everything but what it names", "Name what is needed instead."
    ),
    "trust-without-source": CodeDescription(
        "too-wide",
        "The trust policy does not limit the account and region",
        "Add the conditions aws:SourceAccount and aws:SourceArn.",
    ),
    "trust-other-principals": CodeDescription(
        "too-wide", "Principals other than ECS tasks may assume the execution role", "Give them a role of their own."
    ),
    "pass-role-too-wide": CodeDescription(
        "too-wide",
        "What starts the task may pass more roles, or to more services, than it needs",
        "Allow iam:PassRole on the execution role alone where iam:PassedToService is ecs-tasks.amazonaws.com.",
    ),
    "permission-uncertain": CodeDescription(
        "unknown", "It is not certain whether a permission is granted", "Check the policy that is named."
    ),
    "deny-uncertain": CodeDescription(
        "unknown", "It is not certain whether a permission is denied", "Check the statement that is named."
    ),
    "use-uncertain": CodeDescription(
        "unknown", "It is not certain whether a task needs a permission", "Check whether it is needed."
    ),
    "used-elsewhere": CodeDescription(
        "unknown", "Something other than the tasks may need a permission", "Check whether it is needed."
    ),
    "policy-unreadable": CodeDescription(
        "unknown", "A policy cannot be read here", "Write the policy in the template, or audit the deployed role."
    ),
    "trust-unreadable": CodeDescription("unknown", "A trust policy cannot be read here", "Write it in the template."),
    "boundary-not-judged": CodeDescription(
        "unknown", "A permissions boundary is not judged", "Check whether it allows what is needed."
    ),
    "pass-role-uncertain": CodeDescription(
        "unknown",
        "It is not certain whether what starts the task may pass the execution role",
        "Check the role that is named.",
    ),
    "role-outside": CodeDescription(
        "unknown",
        "An execution role is not in the template",
        "Name the template that exports it too, or audit the deployed role with --role.",
    ),
    "role-unused": CodeDescription(
        "unknown", "No task of the template uses this role", "Audit it with the template whose tasks use it."
    ),
    "no-execution-role": CodeDescription(
        "unknown", "A task on EC2 has no execution role", "Check the role of the container instance."
    ),
    "value-unresolved": CodeDescription(
        "unknown", "What a value names is only known when the stack is deployed", "Give the parameters of the stack."
    ),
    "value-unreadable": CodeDescription(
        "unknown", "What a value of a task definition needs cannot be read", "Correct the mistake that is named."
    ),
    "definition-unreadable": CodeDescription(
        "unknown", "What a task definition needs cannot be read", "Correct the mistake that is named."
    ),
    "no-definition": CodeDescription(
        "unknown", "The template has no task definition", "Name the template that has it."
    ),
}
"""Every code that an audit uses."""
