"""Checks each role of a template against what the macro's owner requires.

After inference, a role is checked against the guardrails: what a template may not have is reported as a mistake, and
what every role must have is set. Every value that a property can have counts: each branch of `Fn::If`, a
parameter with its value. A value that is only known when the stack is deployed is refused if a guardrail needs it.
docs/guardrails.md has the details.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from ecs_exec_role.guardrails import Enforced, placement, properties, statements
from ecs_exec_role.guardrails.attachments import (
    BUDGETS_ACTION,
    CONNECTOR,
    INSTANCE_PROFILE,
    Attachment,
    Attachments,
)
from ecs_exec_role.guardrails.managed_policies import ManagedPolicies, OwnPolicies, check_boundary
from ecs_exec_role.guardrails.statements import Statements
from ecs_exec_role.guardrails.subject import Subject
from ecs_exec_role.needs.need import Need
from ecs_exec_role.settings import Guardrails
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import PROPERTY
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json

_CALL = "Fn::Transform"
_MODULE = "::MODULE"
"""The suffix of the types of modules.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/modules.html
"""


class Enforcer:
    """The guardrails of one template. What they need to know beside a role is read once, for all roles."""

    def __init__(self, guardrails: Guardrails, reader: Reader) -> None:
        self.guardrails = guardrails
        self._reader = reader
        self._attachments = Attachments(reader)
        self._own_policies = OwnPolicies(reader)
        self._read: set[tuple[str, bool]] = set()
        self._has_checked_resources = False

    @property
    def forces_preflight(self) -> bool:
        """Whether every role is checked at deployment."""
        return bool(self.guardrails.preflight)

    def enforce(self, owner: str, spec: Spec, needs: Iterable[Need]) -> Enforced:
        """Checks one role against the guardrails.

        Args:
            owner: the logical ID of the resource with the spec: a definition, or the role itself.
            spec: what its author wrote.
            needs: what its tasks need.
        """
        subject = Subject(self.guardrails, self._reader, owner, spec)
        self._check_unexpanded(subject)
        self._check_policies(subject)
        set_properties = {**spec.properties, **properties.forced(subject)}
        guarded = tuple(placement.guarded(subject, need) for need in needs)
        return Enforced(spec._replace(properties=set_properties, preflight=self._preflight(subject)), guarded)

    # -- what other macros will still write ---------------------------------------------------------------------------

    def _check_unexpanded(self, subject: Subject) -> None:
        """Refuses what other macros replace later, since the result is not known here.

        In the role's properties, it could overwrite a property; in other resources, it could attach a policy to the
        role. CloudFormation expands each `Fn::Transform` before the macros of the whole template, and expands
        `Fn::ForEach` with `AWS::LanguageExtensions`.
        """
        for path in _unexpanded(subject.written.node, subject.written.path):
            _refuse_unexpanded(subject, path)
        if self._reads_resources() and not self._has_checked_resources:
            self._has_checked_resources = True
            fragment = self._reader.template.fragment
            if _CALL in fragment:
                _refuse_unexpanded(subject, _CALL)
            for path in _unexpanded(fragment.get("Resources"), "Resources"):
                _refuse_unexpanded(subject, path)
            for logical_id, kind in self._reader.template.types.items():
                if kind.endswith(_MODULE):
                    what = "is a module, which cannot be read here and can contain policies"
                    fix = "write the resources of the module in the template"
                    subject.refuse(f"Resources/{logical_id}/Type", what, fix, "guardrail-unexpanded")

    def _reads_resources(self) -> bool:
        return statements.are_read(self.guardrails) or self.guardrails.managed_policies is not True

    # -- policies -----------------------------------------------------------------------------------------------------

    def _check_policies(self, subject: Subject) -> None:
        """Refuses policies that are not allowed: in the spec, in the role, and attached from elsewhere."""
        managed = ManagedPolicies(subject, self._own_policies)
        managed.check_starter()
        managed.check_listed()
        if self.guardrails.permissions_boundary:
            check_boundary(subject, self._own_policies)
        reads_statements = statements.are_read(self.guardrails)
        if reads_statements:
            own = Statements(subject)
            own.check_spec()
            own.check_policies()
            own.check_trust()
        if not self._reads_resources():
            return
        for attachment in self._attachments.of(subject.role_id, subject.name()):
            managed.check_attached(attachment)
            if reads_statements:
                self._check_attached(subject, attachment)
        for logical_id in self._attached_by_reference(subject) if reads_statements and managed.allows_all else ():
            self._check_document(subject, Attachment("", logical_id, "", certain=True))

    def _check_attached(self, subject: Subject, attachment: Attachment) -> None:
        if attachment.kind == INSTANCE_PROFILE:
            if self.guardrails.statements is not True:
                verb = "puts" if attachment.certain else "can put"
                what = f"{verb} {subject.role_id} into an instance profile, with which EC2 instances use it"
                subject.refuse(attachment.path, what, "write !Ref of another role, or its name", "guardrail-statement")
        elif attachment.kind == CONNECTOR:
            Statements(subject, _remedy(attachment)).refuse_unread(attachment.path)
        elif attachment.kind != BUDGETS_ACTION:
            self._check_document(subject, attachment)

    def _check_document(self, subject: Subject, attachment: Attachment) -> None:
        """Reads a policy once, even if several roles have it."""
        if (attachment.logical_id, attachment.certain) not in self._read:
            self._read.add((attachment.logical_id, attachment.certain))
            document = Cursor.of_resource(self._reader, attachment.logical_id).get("PolicyDocument")
            Statements(subject, _remedy(attachment)).check_document(document)

    def _attached_by_reference(self, subject: Subject) -> Iterator[str]:
        """The managed policies of the template that the role itself attaches."""
        for item in subject.written.get("ManagedPolicyArns").items():
            for text in item.texts():
                symbol = subject.symbols.sole(text.text)
                if symbol is not None and self._reader.template.types.get(symbol.name) == "AWS::IAM::ManagedPolicy":
                    yield symbol.name

    # -- preflight ----------------------------------------------------------------------------------------------------

    def _preflight(self, subject: Subject) -> Literal["", "Fail", "Warn"]:
        """The mode of the check at deployment: the stricter one of the required mode and the spec's."""
        required, asked = self.guardrails.preflight, subject.spec.preflight
        if required and not self._reader.template.whole:
            what = "makes a role without the check at deployment, which every role must have"
            subject.refuse(_CALL, what, f"write {PROPERTY} on the role instead", "guardrail-preflight")
        return "Fail" if "Fail" in (required, asked) else required or asked


def _remedy(attachment: Attachment) -> str:
    if attachment.certain:
        return ""
    return f"; or, if this is for another role, write !Ref of that role, or its name, at {attachment.path}"


def _refuse_unexpanded(subject: Subject, path: str) -> None:
    what = "is expanded after EcsExecRole, which cannot see the result"
    fix = "list the other macro (AWS::LanguageExtensions for Fn::ForEach) before EcsExecRole, or write it out"
    subject.refuse(path, what, fix, "guardrail-unexpanded")


def _unexpanded(node: Json, path: str) -> Iterator[str]:
    """The paths of what another macro replaces later."""
    stack: list[tuple[Json, str]] = [(node, path)]
    while stack:
        current, here = stack.pop()
        if isinstance(current, dict):
            for name, child in current.items():
                if name == _CALL or name.startswith("Fn::ForEach::"):
                    yield f"{here}/{name}"
                elif isinstance(child, (dict, list)):
                    stack.append((child, f"{here}/{name}"))
        elif isinstance(current, list):
            stack.extend((child, f"{here}/{index}") for index, child in enumerate(current))
