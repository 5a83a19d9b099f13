"""The sentences of the audit: what is wrong, and what to do. The text, JSON and SARIF outputs print them unchanged.

The titles of the codes are in `codes`, the advice, which is made from statements, is in `advice`, and the names of
policies are in `granted`. `passing` says who may pass the role, and `cli.audit.text` has the words around a finding.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.event import PROPERTY

TASKS = "ecs-tasks.amazonaws.com"

CHECK_NEED = "check whether it is needed"
CHECK_GRANT = "check whether it is granted"
CHECK_DENY = "check whether it is denied"
CHECK_OTHER_POLICY = "check whether another policy grants it"
CHECK_THAT_POLICY = "check whether that policy grants it"
CHANGE_DENY = "change that Deny so that it does not match this"
WITHOUT_MANAGED_POLICY = "replace the managed policy with an inline policy that does not allow it"
AUDIT_DEPLOYED = "audit the deployed role with --role, which reads it from AWS"
WRITE_SPEC = f"write {PROPERTY}: Auto"
WRITE_SPEC_HERE = f"write {PROPERTY}: Auto to have it granted here"
CANNOT_BE_READ = "something that cannot be read"


class Sentence(NamedTuple):
    """What is wrong, and what to do."""

    what: str
    fix: str


# -- lacking ----------------------------------------------------------------------------------------------------------


def needed(actions: Iterable[str], resource: str, wrong: str, needing: Iterable[str]) -> str:
    """That something needs a permission; `wrong` is one of the sentences below, which begin with a verb."""
    return f"{', '.join(actions)} on {resource} {wrong}, and {'; '.join(needing)} needs it"


def allow(advice: str) -> str:
    """What to do where a permission is lacking."""
    return f"allow {advice or 'it'}, or let the macro write the role"


def denied(source: str) -> str:
    """A Deny that certainly matches."""
    return f"is denied by {source}"


def maybe_denied(source: str, why: str) -> str:
    """A Deny that may match."""
    return f"may be denied by {source} ({why})"


def maybe_granted(source: str, why: str, when: str) -> str:
    """An Allow that may match."""
    return f"may or may not be granted{_when(when)} by {source} ({why})"


def granted_by_none_that_is_read(when: str) -> str:
    """No policy that can be read grants it, and there are policies that cannot be read."""
    return f"is granted{_when(when)} by no policy that can be read here"


def granted_by_resource_policy(policy: str, owner: str, when: str) -> str:
    """No policy of the role grants it, but a resource's own policy may."""
    return f"is granted{_when(when)} by no policy of the role, but the {policy} of {owner} names the role"


def not_granted(when: str, hint: str) -> str:
    """Nothing grants it."""
    return f"is not granted{_when(when)}{hint}"


NAMES_LOG_GROUP = " (a policy names the log group without `:*`, which does not match its log streams)"
WITHOUT_SUFFIX = " (a policy names the secret without the `-??????` for the characters that AWS adds)"


def condition_decided(key: str, *, by_starter: bool) -> str:
    """Why a statement with a condition is not certain to match."""
    return f"its condition on {key} is decided when {'the task is started' if by_starter else 'ECS calls'}"


RESOURCE_UNCERTAIN = "it is not certain whether its resource is this one"


def _when(held: str) -> str:
    return f" when {held}" if held else ""


# -- too much ---------------------------------------------------------------------------------------------------------


def allowed(source: str, actions: Iterable[str], resource: str, why: str) -> str:
    """A permission that is too much; `why` is one of the endings below."""
    return f"{source} allows {', '.join(actions)} on {resource}{why}"


NEED_UNCERTAIN = ", and it is not certain whether that is what is needed"
LIMITED_BY_TAG = ", limited by a tag, and it is not certain whether what is needed has it"
NEEDED_ON_FEWER = "; needed on fewer resources"
FOR_ALL_ENCRYPTED = ", for everything that is encrypted with it"
NOT_THE_STREAMS = ", which does not match a log stream: the ARN lacks `:*` at its end"
NOTHING_NEEDS = "; nothing needs it to start"
TASKS_NEED_NOTHING = "; its tasks do not need any permission"
KEY_UNKNOWN = ", which a parameter, secret or object may need whose key this template does not show"


def needed_of_these(calls: Iterable[str]) -> str:
    """Only some of the actions that a pattern matches are needed."""
    return f"; needed of these: {', '.join(calls)}"


def needed_on(resources: Iterable[str]) -> str:
    """The action is needed, but on other resources."""
    return f"; it is needed on {', '.join(resources)}"


def unconditional(when: str) -> str:
    """Nothing needs the permission under some conditions."""
    return f" even when {when}, when nothing needs it"


def value_may_need(named: str, *, readable: bool) -> str:
    """A value that is not known may need the permission."""
    return f", which {named} may need; {THAT_IS_NOT_KNOWN if readable else THAT_CANNOT_BE_READ}"


def besides_other_values(parameters: Iterable[Iterable[str]]) -> str:
    """What an advice that rests on the defaults of parameters leaves out."""
    names = dict.fromkeys(name for each in parameters for name in each)
    return f", and what other values of {', '.join(names)} may need" if names else ""


def other_value_may_need(what: str, value: str, parameters: Iterable[str]) -> Sentence:
    """A value that is known by the default of a parameter alone may need the permission with another value."""
    names = list(parameters)
    given = " ".join(f"--parameter {name}=…" for name in names)
    defaults = f"the default of {', '.join(names)} does not"
    return Sentence(f", which the {what} {value} may need; {defaults}", f", and give the value, as in {given}")


def remove(services: set[str]) -> str:
    """What to do with a permission that ECS never uses to start a task; `services` are the services of its actions."""
    if services == {"elasticfilesystem"}:
        return "remove it; file systems are mounted with the task role"
    if services == {"ssmmessages"}:
        return "remove it; ECS Exec uses the task role"
    if services & {"ecr", "logs", "secretsmanager", "ssm", "kms", "s3", "*"}:
        return "remove it"
    return "remove it; what the application itself calls belongs to the task role"


ALLOW_ONLY = "allow only "


def allow_only(advice: str) -> str:
    """What to do with a permission that is too wide."""
    return f"{ALLOW_ONLY}{advice}" if advice else "narrow it"


def with_inline_policy(fix: str) -> str:
    """The same, where a managed policy of AWS has the permission."""
    return f"replace the managed policy with an inline policy, and {fix}"


def everything_but(source: str, element: str) -> str:
    """A statement with `NotAction` or `NotResource`."""
    return f"{source} allows everything but what its {element} names"


def instead_of_everything(advice: str) -> str:
    """What to do with such a statement."""
    return f"allow only {advice}" if advice else "remove it"


def besides(unknown: Iterable[str], *, keys: bool) -> str:
    """What an advice cannot name."""
    listed = " and ".join(dict.fromkeys(unknown))
    said = f", and what {listed} may need" if listed else ""
    return f"{said}, and kms:Decrypt on the keys that this template does not show" if keys else said


# -- other uses of the role -------------------------------------------------------------------------------------------


def but(what: str, other: str) -> str:
    """A permission that looks like too much and may be needed elsewhere; `other` is one of the sentences below."""
    return f"{what}; but {other}"


CONTAINERS_MAY_NEED = "the containers themselves run with this role too and may need it"
OTHERS_MAY_NEED = "others may assume this role and need it"
IMPORTING_STACK_MAY_NEED = "the role is exported, and another stack may need it"
OUTPUT_MAY_BE_USED = "the role is in the template's Outputs, so another stack may use it and need it"
NAME_MAY_BE_USED = "the role has a name, so the tasks of other stacks may use it and need it"
UNLESS_IMPORTED = "unless another stack that imports the role needs it"


def others_of_template_may_need(users: Iterable[str]) -> str:
    """Other resources of the template may use the role."""
    return f"{' and '.join(users)} of this template may use the role too and need it"


# -- what is not certain ----------------------------------------------------------------------------------------------


def value_unknown(what: str, value: str, parameters: Iterable[str]) -> Sentence:
    """A value that is not known, and the parameters that would tell it."""
    given = " ".join(f"--parameter {name}=…" for name in parameters)
    fix = f"give its value, as in {given}" if given else "audit the deployed role with --role, and check its policies"
    return Sentence(f"the {what} {value} is only known when the stack is deployed", fix)


def policy_unreadable(source: str) -> Sentence:
    """A policy, or a part of one, that cannot be read."""
    fix = "write the policy as YAML or JSON, or audit the deployed role with --role"
    return Sentence(f"{source} cannot be read, so it is not known what it allows", fix)


def aws_policy_unknown(name: str) -> Sentence:
    """A managed policy of AWS that this version does not know."""
    what = f"the AWS managed policy {name} is not known to this version, so what it allows is not judged"
    return Sentence(what, AUDIT_DEPLOYED)


def policy_outside(policy: str) -> Sentence:
    """A managed policy that is in another template."""
    what = f"the managed policy `{policy}` is not in this template, so what it allows is not judged"
    return Sentence(what, AUDIT_DEPLOYED)


def policy_may_belong(policy: str, shown: str, role: str) -> Sentence:
    """A policy resource that may be attached to the role."""
    return Sentence(
        f"policy {policy} may belong to the role: `{shown}` may be its name", f"name the role by !Ref {role} if it does"
    )


BOUNDARY = Sentence(
    "the permissions boundary is not judged; it may take away what the policies grant",
    "check whether it allows what is needed",
)


WRITE_WHAT_IT_GIVES = "write what it gives in its place"
THAT_IS_NOT_KNOWN = "that is only known when the stack is deployed"
THAT_CANNOT_BE_READ = "that cannot be read"


_VERBS = ("is ", "has ", "contains ", "depends ", "names ", "begins ", "refers ")


def value_unreadable(named: str, problem: str) -> str:
    """A value of a definition with a mistake; its remedy is that of the mistake."""
    said = f"it {problem}" if problem.startswith(_VERBS) else problem
    return f"{named} cannot be read, so it is not known what it needs: {said}"


def definition_unreadable(definition: str, problem: str) -> str:
    """A definition with a mistake; its remedy is that of the mistake."""
    return f"what {definition} needs cannot be read: {problem}"


# -- roles and definitions --------------------------------------------------------------------------------------------

NO_DEFINITION = Sentence("the template has no task definition", "name the template that has the task definitions")
ROLE_UNUSED = Sentence(
    "no task definition of this template uses this role, so its purpose is unknown",
    "audit it together with the template whose tasks use it, or remove it if none does",
)


def role_outside(role: str, when: str) -> Sentence:
    """An execution role that is not in the template."""
    return Sentence(
        f"the execution role, {role}, is not in this template{_when(when)}, so what it is granted is not seen",
        "name the template that exports it too, or audit the deployed role with --role ARN",
    )


def no_role(what: str) -> str:
    """A definition that needs a permission and has no role."""
    return f"{what}, but there is no execution role"


def no_role_on_ec2(what: str) -> str:
    """The same, where the role of the container instance can grant the permission."""
    return f"{what}; without an execution role, the EC2 instance's own role has to grant that"


# -- the trust policy -------------------------------------------------------------------------------------------------

TRUST_LACKING = Sentence(
    f"the role's trust policy does not allow {TASKS}, so ECS cannot use the role",
    f"allow sts:AssumeRole to the service {TASKS}",
)
TRUST_WITHOUT_SOURCE = Sentence(
    "the role's trust policy does not limit the account and region for which ECS may use the role",
    "add the conditions aws:SourceAccount and aws:SourceArn, as the macro does",
)


def trust_uncertain(*, allows_all: bool) -> Sentence:
    """A trust policy of which it is not certain whether it allows ECS."""
    seen = "allows every principal by `*`" if allows_all else "cannot be read"
    return Sentence(
        f"the role's trust policy {seen}, so it is not certain whether ECS may use the role",
        f"write that it allows sts:AssumeRole to {TASKS}",
    )


def trust_others(principals: Iterable[str]) -> Sentence:
    """A trust policy that allows others too."""
    return Sentence(
        f"the role's trust policy also allows {', '.join(dict.fromkeys(principals))}",
        f"allow {TASKS} only; give others a role of their own",
    )


# -- who starts the tasks ---------------------------------------------------------------------------------------------


def runner_outside(starter: str, definition: str, runner: str, roles: str) -> str:
    """The role that starts the tasks is not in the template."""
    return (
        f"{starter} starts {definition} with {runner}, which is not in this template, so it "
        f"is not certain whether it may pass {roles} to ECS"
    )


def cannot_pass(starter: str, definition: str, runner: str, wrong: str) -> str:
    """The role that starts the tasks may not pass the task's roles."""
    return f"{starter} starts {definition} with {runner}; {wrong}, so ECS does not start it"


def may_not_pass(starter: str, definition: str, runner: str, wrong: str, *, starts: bool, certain: bool) -> str:
    """The same, where it is not certain.

    Args:
        starter: the resource that starts the tasks.
        definition: the definition.
        runner: the role of the starter.
        wrong: what is wrong with the grant.
        starts: whether it is certain that the starter starts tasks of the definition.
        certain: whether what is wrong with the grant is certain.
    """
    uncertain = ", and it is not certain whether it starts the task" if certain else ""
    return f"{starter} {'starts' if starts else 'names'} {definition}, and runs with {runner}; {wrong}{uncertain}"


def passes_too_much(starter: str, definition: str, runner: str, excess: str, *, certain: bool) -> str:
    """The role that starts the tasks may pass more than it has to; `excess` says which policy allows what."""
    return f"{starter} {'starts' if certain else 'may start'} {definition} with {runner}; {excess}"


def pass_only(advice: str, runner: str) -> str:
    """What to do then."""
    return f"allow only {advice}, and what else {runner} has to pass"


def check_allows(advice: str) -> str:
    """What to do with a role that is not in the template."""
    return f"check that it allows {advice}"
