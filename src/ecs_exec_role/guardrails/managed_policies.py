"""Which managed policies a template may attach to a role."""

from __future__ import annotations

from ecs_exec_role.guardrails.attachments import BUDGETS_ACTION, MANAGED_POLICY, Attachment
from ecs_exec_role.guardrails.names import Name
from ecs_exec_role.guardrails.statements import any_covers
from ecs_exec_role.guardrails.subject import Subject
from ecs_exec_role.roles.role import STARTER_POLICY
from ecs_exec_role.template.budget import current
from ecs_exec_role.template.conditions import difference
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Reader

CODE = "guardrail-managed-policy"
_STEPS = 5
"""The work of comparing two names, in steps of the budget."""


class ManagedPolicies:
    """Checks the managed policies of one role against the guardrails."""

    def __init__(self, subject: Subject, own: OwnPolicies) -> None:
        self._subject = subject
        self._own = own
        self._allowed = subject.guardrails.managed_policies

    @property
    def allows_all(self) -> bool:
        """Whether any managed policy may be attached, so that those of the template are read."""
        return self._allowed is True

    def check_starter(self) -> None:
        """Refuses `Starter` if its managed policy is not allowed."""
        if self._subject.spec.starter and not self._is_allowed(self._subject.reader.text(STARTER_POLICY)[0].text):
            what = "attaches AmazonECSTaskExecutionRolePolicy, which is not an allowed managed policy"
            self._subject.refuse(self._subject.spec.path, what, "write Auto", CODE)

    def check_listed(self) -> None:
        """Refuses the role's `ManagedPolicyArns` that are not allowed."""
        self._check_arns(self._subject.written.get("ManagedPolicyArns"))

    def check_attached(self, attachment: Attachment) -> None:
        """Refuses a resource that attaches a managed policy to the role from elsewhere."""
        if self._allowed is True:
            return
        verb = "attaches" if attachment.certain else "can attach"
        role = self._subject.role_id
        fix = "remove the role from it" if attachment.certain else "write !Ref of the role that it is for, or its name"
        if attachment.kind == MANAGED_POLICY:
            what = f"{verb} a managed policy to {role} that is not allowed"
            self._subject.refuse(attachment.path, what, fix, CODE)
        elif attachment.kind == BUDGETS_ACTION:
            properties = Cursor.of_resource(self._subject.reader, attachment.logical_id)
            arn = properties.get("Definition").get("IamActionDefinition").get("PolicyArn")
            if arn.node is None:
                what = f"{verb} a managed policy to {role} that cannot be read here"
                self._subject.refuse(attachment.path, what, fix, CODE)
            self._check_arns(arn)

    def _check_arns(self, arns: Cursor) -> None:
        for item in arns.items():
            for text in item.texts():
                if not self._is_allowed(text.text):
                    what = f"`{self._subject.spelt(text.text)}` is not an allowed managed policy"
                    listed = self._allowed if isinstance(self._allowed, tuple) else ()
                    fix = f"write one of {', '.join(listed)}" if listed else "remove it"
                    self._subject.refuse(text.path, what, fix, CODE)
                elif self._allowed is not True:
                    self._check_made_here(text.text, text.path)

    def _is_allowed(self, text: str) -> bool:
        reader = self._subject.reader
        if isinstance(self._allowed, bool):
            return self._allowed
        known = reader.known(text)
        patterns = (reader.known(reader.text({"Fn::Sub": pattern})[0].text) for pattern in self._allowed)
        return known is not None and any_covers(filter(None, patterns), known)

    def _check_made_here(self, arn: str, path: str) -> None:
        """Refuses an allowed name that the template gives to one of its own policies."""
        known = self._subject.reader.known(arn) or ""
        if f":{self._subject.reader.template.account}:policy/" not in known:
            return
        for logical_id in self._own.named(known.rpartition("/")[2]):
            what = f"`{self._subject.spelt(arn)}` can be {logical_id}, which this template creates itself"
            fix = f"write a ManagedPolicyName for {logical_id} that is not an allowed policy's, or remove this one"
            self._subject.refuse(path, what, fix, CODE)


class OwnPolicies:
    """The managed policies that a template creates, read once for all its roles."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._names: list[Name] | None = None
        self._found: dict[str, tuple[str, ...]] = {}

    def named(self, name: str) -> tuple[str, ...]:
        """The logical IDs of those that can get this name."""
        if self._names is None:
            self._names = [self._name(each) for each in self._reader.template.by_type.get(MANAGED_POLICY, ())]
        if name not in self._found:
            current().spend(_STEPS * len(self._names))
            self._found[name] = tuple(own.logical_id for own in self._names if own.may_be(name))
        return self._found[name]

    def _name(self, logical_id: str) -> Name:
        path_condition = self._reader.template.path_condition_of(logical_id)
        with self._reader.problems.aside():
            texts = Cursor.of_resource(self._reader, logical_id, path_condition).get("ManagedPolicyName").texts()
        generated = bool(difference(path_condition, [text.path_condition for text in texts]))
        return Name(self._reader, logical_id, tuple(text.text for text in texts), generated)


def check_boundary(subject: Subject, own: OwnPolicies) -> None:
    """Refuses a managed policy of the template that can be the permissions boundary of its own roles."""
    for logical_id in own.named(subject.guardrails.permissions_boundary.rpartition("/")[2]):
        subject.refuse(
            f"Resources/{logical_id}/Properties/ManagedPolicyName",
            "can be the name of the permissions boundary that every role must have",
            "write another name; only the platform team creates the boundary",
            "guardrail-boundary",
        )
