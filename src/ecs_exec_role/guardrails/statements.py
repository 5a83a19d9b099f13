"""Which statements a template may have besides those of the macro."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ecs_exec_role.guardrails.placement import Placement, PlacementRule, is_allowed, is_in, places, refuse_place, rules
from ecs_exec_role.guardrails.subject import Subject
from ecs_exec_role.policies.patterns import covers, overlaps
from ecs_exec_role.settings import Guardrails
from ecs_exec_role.template.budget import current
from ecs_exec_role.template.conditions import PathCondition, difference
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import REGION

_DOCUMENT = {"Id", "Statement", "Version"}
_STATEMENT = {"Action", "Condition", "Effect", "NotAction", "NotResource", "Resource", "Sid"}
_TRUST_STATEMENT = {"Action", "Condition", "Effect", "NotPrincipal", "Principal", "Sid"}
_ECS = "ecs-tasks.amazonaws.com"
"""The service that starts tasks, as the principal of a trust policy.

See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
"""
_GLOBAL = ("cloudfront", "iam", "organizations", "route53")
"""Services whose ARNs have no region."""


def are_read(guardrails: Guardrails) -> bool:
    """Whether the guardrails restrict the statements of a template."""
    return guardrails.statements is not True or guardrails.only_accounts or guardrails.only_regions


def any_covers(patterns: Iterable[str], text: str) -> bool:
    """Whether one of these patterns certainly matches everything that `text` matches."""
    for pattern in patterns:
        current().spend(2 + len(text) // 2)
        if covers(pattern, text):
            return True
    return False


class Statements:
    """Checks statements against the guardrails.

    `fix` is added to every remedy: what an author can do if the policy is for another role.
    """

    def __init__(self, subject: Subject, fix: str = "") -> None:
        self._subject = subject
        self._rules = rules(subject)
        self._fix = fix

    def _refuse(self, path: str, what: str, fix: str, code: str) -> None:
        self._subject.refuse(path, what, fix + self._fix, code)

    def check_spec(self) -> None:
        """Refuses statements of the spec that are not allowed."""
        for path_condition, node, path in self._subject.spec.statements:
            self.check(Cursor(self._subject.reader, path_condition, node, path))

    def check_policies(self) -> None:
        """Refuses inline policies of the role's author with something that is not allowed."""
        subject = self._subject
        for case in subject.written._replace(node=subject.own).get("Policies").items():
            if case.has("PolicyDocument"):
                self.check_document(case.get("PolicyDocument"))
            else:
                self.refuse_unread(case.path)

    def check_trust(self) -> None:
        """Refuses a trust policy of the role's author that lets anything but ECS use the role."""
        subject = self._subject
        if subject.guardrails.statements is True:
            return
        trust = subject.written._replace(node=subject.own).get("AssumeRolePolicyDocument")
        for case in trust.cases() if trust.node is not None else ():
            if not isinstance(case.node, dict) or not {"Statement"} <= set(case.node) <= _DOCUMENT:
                self._refuse_trust(case.path)
                continue
            for item in case.get("Statement").items():
                if not _trusts_ecs_alone(subject, item):
                    self._refuse_trust(item.path)

    def _refuse_trust(self, path: str) -> None:
        what = f"can let others than {_ECS} use the role"
        fix = f"write Principal: {{Service: {_ECS}}}, or remove AssumeRolePolicyDocument, which the macro adds"
        self._refuse(path, what, fix, "guardrail-statement")

    def check_document(self, document: Cursor) -> None:
        """Refuses a policy document with something that is not allowed, or that cannot be read."""
        for case in document.cases():
            if not isinstance(case.node, dict) or not {"Statement"} <= set(case.node) <= _DOCUMENT:
                self.refuse_unread(case.path)
                continue
            for item in case.get("Statement").items():
                self.check(item)

    def refuse_unread(self, path: str) -> None:
        """Reports a policy whose statements cannot be read here."""
        what = "cannot be read here, so it is not known what it grants"
        self._refuse(path, what, "write its statements in the template", "guardrail-statement")

    def check(self, statement: Cursor) -> None:
        """Refuses a statement that is not allowed."""
        node = statement.node
        if self._subject.guardrails.statements is False:
            what = "is a statement of the template's own, which is not allowed"
            fix = "remove it; what the definition needs is granted without it"
            self._refuse(statement.path, what, fix, "guardrail-statement")
        elif not isinstance(node, dict) or not set(node) <= _STATEMENT:
            self.refuse_unread(statement.path)
        elif node.get("Effect") != "Deny":
            self._check_actions(statement)
            self._check_resources(statement)

    def _check_actions(self, statement: Cursor) -> None:
        allowed = self._subject.guardrails.statements
        if isinstance(allowed, bool):
            return
        listed = f"one of {', '.join(allowed)}"
        if not statement.has("Action") or statement.has("NotAction"):
            what = "does not name the actions that it allows"
            self._refuse(statement.path, what, f"name in Action {listed}", "guardrail-statement")
        for text in _items(statement.get("Action")):
            known = self._subject.reader.known(text.text)
            if known is None or not any_covers((pattern.lower() for pattern in allowed), known.lower()):
                what = f"`{self._subject.spelt(text.text)}` is not an allowed action"
                self._refuse(text.path, what, f"write {listed}", "guardrail-statement")

    def _check_resources(self, statement: Cursor) -> None:
        """Refuses resources in other places. If an ARN does not name the place, a condition must."""
        if self._rules and (not statement.has("Resource") or statement.has("NotResource")):
            what = "does not name the resources that it is about"
            self._refuse(statement.path, what, "name them in Resource", "guardrail-statement")
        for text in _items(statement.get("Resource")):
            for place in places(self._subject, text.text):
                for rule in self._rules:
                    self._check_resource(statement, rule, place, text)

    def _check_resource(self, statement: Cursor, rule: PlacementRule, place: Placement, text: Alternative) -> None:
        subject = self._subject
        if rule.what == "account" and _may_be_access_point(place, text.text):
            what = f"`{subject.spelt(text.text)}` names S3 access points, whose buckets can be in any account"
            fix = "name the bucket: arn:aws:s3:::BUCKET/*, with a condition on aws:ResourceAccount"
            self._refuse(text.path, what, fix, "guardrail-account")
            return
        in_no_region = rule.here == REGION and rule.found(place) == "" and place.service in _GLOBAL
        if in_no_region or is_in(subject, rule, place) or self._is_held(statement, rule, place):
            return
        fix = f"write it out, or add Condition: {{StringEquals: {{{rule.key}: …}}}} with"
        refuse_place(subject, rule, place, text.path, subject.spelt(text.text), fix, self._fix)

    def _is_held(self, statement: Cursor, rule: PlacementRule, place: Placement) -> bool:
        """Whether a condition of the statement limits it to what the rule allows."""
        condition = statement.get("Condition")
        for operator, tests in mapping(condition.node).items():
            for key in mapping(tests) if operator.lower() == "stringequals" else ():
                values = condition.get(operator).get(key)
                if key.lower() == rule.key.lower() and self._all_allowed(values, rule, place, statement.path_condition):
                    return True
        return False

    def _all_allowed(
        self, values: Cursor, rule: PlacementRule, place: Placement, path_condition: PathCondition
    ) -> bool:
        texts = list(_items(values))
        if difference(path_condition, [text.path_condition for text in texts]):
            return False
        return all(is_allowed(self._subject, rule, place.service, text.text) for text in texts)


def _trusts_ecs_alone(subject: Subject, statement: Cursor) -> bool:
    """Whether a statement of a trust policy allows the role to ECS, or denies it."""
    node = statement.node
    if not isinstance(node, dict) or not set(node) <= _TRUST_STATEMENT:
        return False
    if node.get("Effect") == "Deny":
        return True
    trusted: set[str | None] = set()
    for principal in statement.get("Principal").cases():
        if not isinstance(principal.node, dict) or set(principal.node) != {"Service"}:
            return False
        trusted |= {subject.reader.known(text.text) for text in _items(principal.get("Service"))}
    return trusted == {_ECS}


def _items(node: Cursor) -> Iterator[Alternative]:
    for item in node.items():
        yield from item.texts()


def _may_be_access_point(place: Placement, arn: str) -> bool:
    """Whether an ARN can name an S3 access point, whose bucket can be in any account."""
    if not place.service.startswith("s3") or place.account == "":
        return False
    resource = arn.split(":", 5)[-1]
    forms = ("accesspoint*", "outpost/*/accesspoint*")
    return place.service == "s3-object-lambda" or any(overlaps(resource, form) for form in forms)
