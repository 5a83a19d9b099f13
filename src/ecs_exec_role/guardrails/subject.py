"""One role under the guardrails: what its author wrote, and how a violation is reported."""

from __future__ import annotations

from ecs_exec_role.errors import Problem
from ecs_exec_role.guardrails.names import Name
from ecs_exec_role.needs.definitions import ROLE
from ecs_exec_role.settings import Guardrails
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.conditions import difference
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.reader import Alternative, Reader
from ecs_exec_role.template.spelling import spell
from ecs_exec_role.template.symbols import Json, SymbolicText, is_symbolic

LONGEST_ROLE_NAME = 64
"""See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


class Subject:
    """One role, and what the guardrails require of it.

    Attributes:
        guardrails: what the macro's owner has set.
        reader: reads the template; violations are added to its problems.
        spec: what the author wrote.
        role_id: the logical ID that the role gets.
        own: the properties that an author wrote on an `AWS::IAM::Role`.
        given: the condition under which the role exists.
    """

    def __init__(self, guardrails: Guardrails, reader: Reader, owner: str, spec: Spec) -> None:
        self.guardrails = guardrails
        self.reader = reader
        self.symbols = reader.symbols
        self.spec = spec
        template = reader.template
        is_role = template.type_of(owner) == ROLE
        self.role_id = owner if is_role else f"{owner}ExecutionRole"
        self.own = template.properties(owner) if is_role else {}
        self.given = template.path_condition_of(owner)
        properties = {**self.own, **spec.properties}
        self._written = Cursor(
            reader, self.given, properties, f"Resources/{owner}/Properties" if is_role else spec.path
        )

    @property
    def written(self) -> Cursor:
        """The properties of the role, as its author wrote them on the role or in the spec."""
        return self._written

    def refuse(self, path: str, what: str, fix: str, code: str) -> None:
        """Reports a violation."""
        self.reader.problems.append(Problem(path, what, fix, code))

    def spelt(self, text: str) -> str:
        """A text as an author writes it."""
        return spell(self.symbols.render(text)) if is_symbolic(text) else text

    def texts(self, name: str) -> list[Alternative]:
        """The values that a property of the role can have."""
        return self.written.get(name).texts()

    def made_up_name(self) -> str | None:
        """A name that no other role of the account has: the prefix, the logical ID, and a part of the stack's UUID.

        None if it is too long, and in a snippet, since the logical ID is not known there.
        """
        stem = f"{self.guardrails.name_prefix}{self.role_id}-"
        if not self.reader.template.whole or len(stem) + len("01234567") > LONGEST_ROLE_NAME:
            return None
        uuid: Json = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
        return stem + self.symbols.opaque({"Fn::Select": [0, {"Fn::Split": ["-", uuid]}]})

    def name(self) -> Name:
        """Every name that the role can have in the deployed stack."""
        texts = self.texts("RoleName")
        names = [text.text for text in texts]
        unnamed = bool(difference(self.given, [text.path_condition for text in texts]))
        if unnamed and self.guardrails.name_prefix:
            names.append(SymbolicText(self.made_up_name() or self.guardrails.name_prefix))
            unnamed = False
        return Name(self.reader, self.role_id, tuple(names), generated=unnamed)
