"""What the macro's owner demands of every role, held against one role.

`enforce` is called for each role between inference and policy: it reports what a template may not say, as mistakes of
that template, and sets what every role must have. Nothing that a value can be is passed over: each branch of `Fn::If`
counts, a parameter counts with its value, and what only the deployment will tell is refused where a guardrail asks for
it. What was checked is also what is written: a property under a guardrail comes back with its parameters filled in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from ecs_exec_role.errors import Problem
from ecs_exec_role.features import guardduty
from ecs_exec_role.needs.context import spell
from ecs_exec_role.needs.definitions import ROLE
from ecs_exec_role.needs.need import Need
from ecs_exec_role.roles.role import STARTER_POLICY
from ecs_exec_role.settings import NO_GUARDRAILS, Allowed, Guardrails
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.conditions import ALWAYS, Guard, remaining, tree, when
from ecs_exec_role.template.event import PROPERTY
from ecs_exec_role.template.reader import Alternative, Reader, is_intrinsic
from ecs_exec_role.template.symbols import ACCOUNT, NO_VALUE, REGION, SYMBOL, Json, Symbol, is_symbolic, references

LONGEST_ROLE_NAME = 64
"""See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

# What `Ref` or `Fn::GetAtt` of a template's own resource gives lies where the stack lies.
_OWN = {
    ("AWS::ECR::Repository", "Arn"),
    ("AWS::EFS::AccessPoint", "Arn"),
    ("AWS::EFS::FileSystem", "Arn"),
    ("AWS::KMS::Key", "Arn"),
    ("AWS::KMS::ReplicaKey", "Arn"),
    ("AWS::Logs::LogGroup", "Arn"),
    ("AWS::SecretsManager::Secret", ""),
    ("AWS::SecretsManager::Secret", "Id"),
}

# `Ref` of these is the ARN of the secret that they are about, which may be anybody's.
_ABOUT_A_SECRET = {
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::SecretTargetAttachment",
}

# What puts a policy on a role that stands elsewhere, and the property that names the role.
_ATTACHED_BY = {
    "AWS::IAM::ManagedPolicy": "Roles",
    "AWS::IAM::Policy": "Roles",
    "AWS::IAM::RolePolicy": "RoleName",
    "AWS::Serverless::Connector": "Source",
}

RESOURCE_ACCOUNT = "aws:ResourceAccount"
REQUESTED_REGION = "aws:RequestedRegion"
"""See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""

_CALL = "Fn::Transform"
_DOCUMENT = {"Id", "Statement", "Version"}
_STATEMENT = {"Action", "Condition", "Effect", "NotAction", "NotResource", "Resource", "Sid"}


class Enforced(NamedTuple):
    """A spec and the needs of its role, as the guardrails leave them."""

    spec: Spec
    needs: tuple[Need, ...]


def enforce(
    guardrails: Guardrails, reader: Reader, types: dict[str, str], owner: str, spec: Spec, needs: Iterable[Need]
) -> Enforced:
    """Holds one role against the guardrails.

    Args:
        guardrails: what the macro's owner has set.
        reader: reads the template; what breaks a guardrail is added to its problems.
        types: the resource type of each logical ID; empty for a snippet, which sees none of them.
        owner: the logical ID of the resource with the spec: a definition, or the role itself.
        spec: what its author said.
        needs: what its tasks need.
    """
    if guardrails == NO_GUARDRAILS:
        return Enforced(spec, tuple(needs))
    role = _Role(guardrails, reader, types, owner, spec)
    role.check_calls()
    role.check_managed_policies()
    role.check_statements()
    properties = {**spec.properties, **role.forced_properties()}
    guarded = tuple(role.guarded(need) for need in needs)
    return Enforced(spec._replace(properties=properties, preflight=role.preflight()), guarded)


class _Place(NamedTuple):
    """Where a thing lies, as its ARN says, symbolically; None for what cannot be known."""

    service: str
    region: str | None
    account: str | None


_HERE = _Place("", REGION, ACCOUNT)
_ANYWHERE = _Place("", None, None)


class _Rule(NamedTuple):
    """That things lie in certain accounts, or in certain regions."""

    what: Literal["account", "region"]
    key: str
    here: str
    own: str
    allowed: tuple[Allowed, ...]

    def found(self, place: _Place) -> str | None:
        """What a place says of it."""
        return place.account if self.what == "account" else place.region


class _Role:
    """One role under the guardrails."""

    def __init__(self, guardrails: Guardrails, reader: Reader, types: dict[str, str], owner: str, spec: Spec) -> None:
        self._guardrails = guardrails
        self._reader = reader
        self._symbols = reader.symbols
        self._types = types
        self._spec = spec
        is_role = reader.template.type_of(owner) == ROLE
        self._role_id = owner if is_role else f"{owner}ExecutionRole"
        self._base = f"Resources/{owner}/Properties" if is_role else spec.path
        self._own = reader.template.properties(owner) if is_role else {}
        self._properties = {**self._own, **spec.properties}
        condition = reader.template.condition(owner)
        self._given: Guard = ((condition, True),) if condition else ALWAYS

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _refuse(self, path: str, what: str, fix: str) -> None:
        self._reader.problems.append(Problem(path, what, fix))

    def _spelt(self, text: str) -> str:
        return spell(self._symbols.render(text)) if is_symbolic(text) else text

    def _texts(self, name: str) -> list[Alternative]:
        return self._reader.text(self._properties.get(name), self._given, self._path(name))

    def check_calls(self) -> None:
        """Refuses what other macros are still to replace, so that it is not known here what it becomes.

        Among the role's properties that could set one anew; among the other resources, put a policy on the role.
        CloudFormation makes calls of `Fn::Transform` before it calls for the whole template, and unrolls `Fn::ForEach`
        when it comes to `AWS::LanguageExtensions`.
        """
        for path in _unexpanded(self._properties, self._base):
            self._refuse_unexpanded(path)
        if self._reads_statements() or self._guardrails.managed_policies is not True:
            for path in _unexpanded(self._reader.template.fragment.get("Resources"), "Resources"):
                self._refuse_unexpanded(path)

    def _refuse_unexpanded(self, path: str) -> None:
        what = "is expanded after EcsExecRole has been called, and what it becomes is not seen here"
        fix = "list the other macro (AWS::LanguageExtensions for Fn::ForEach) before EcsExecRole, or write it out"
        self._refuse(path, what, fix)

    # -- the role's properties ----------------------------------------------------------------------------------------

    def forced_properties(self) -> dict[str, Json]:
        """The properties that the guardrails rule, as they must stand in the role."""
        rails = self._guardrails
        forced: dict[str, Json] = {}
        if rails.permissions_boundary:
            forced["PermissionsBoundary"] = self._boundary()
        if rails.path:
            forced["Path"] = self._beginning("Path", rails.path, rails.path)
        if rails.name_prefix:
            forced["RoleName"] = self._beginning("RoleName", rails.name_prefix, self._generated_name())
        if rails.tags:
            added = list(self._missing_tags())
            if added:
                forced["Tags"] = self._with_tags(added)
        return forced

    def _boundary(self) -> Json:
        [forced] = self._reader.text({"Fn::Sub": self._guardrails.permissions_boundary})
        for text in self._texts("PermissionsBoundary"):
            if self._reader.known(text.text) != self._reader.known(forced.text):
                self._refuse(
                    text.path,
                    f"`{self._spelt(text.text)}` is not the permissions boundary that every role has here",
                    f"leave it out, or write {self._symbols.show(forced.text)}",
                )
        return self._symbols.render(forced.text)

    def _beginning(self, name: str, beginning: str, default: str | None) -> Json:
        """A property whose every value must begin so; where it has none, `default`."""
        texts = self._texts(name)
        for text in texts:
            if not text.text.startswith(beginning):
                fix = f"write one that begins with {beginning}"
                if default is not None:
                    fix += ", or leave it out"
                self._refuse(text.path, f"`{self._spelt(text.text)}` does not begin with {beginning}", fix)
        if default is None and remaining(self._given, [text.guard for text in texts]):
            self._refuse(
                self._path(name),
                f"is missing, and every role's begins with {beginning} here",
                f"write {name}: {beginning}…",
            )
        if texts and not remaining(self._given, [text.guard for text in texts]):
            default = texts.pop().text
        node = self._symbols.render(default or "")
        for text in reversed(texts):
            node = when(tree([text.guard], self._given), self._symbols.render(text.text), node)
        return node

    def _generated_name(self) -> str | None:
        """A name that no other role of the account has: the prefix, the logical ID, and the start of the stack's UUID.

        None where that is too long, or where the logical ID is not known: in a snippet.
        """
        stem = f"{self._guardrails.name_prefix}{self._role_id}-"
        if not self._reader.template.whole or len(stem) + len("01234567") > LONGEST_ROLE_NAME:
            return None
        uuid: Json = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
        return stem + self._symbols.opaque({"Fn::Select": [0, {"Fn::Split": ["-", uuid]}]})

    def _missing_tags(self) -> Iterator[dict[str, str]]:
        """The required tags that are not there and can be added; reports what is wrong with those that are there."""
        tags = list(self._tags())
        for key, value in self._guardrails.tags:
            wanted = f"{{Key: {key}, Value: {value or '…'}}}"
            found = [(name, content) for name, content in tags if name.text.lower() == key.lower()]
            for name, content in found:
                if name.text != key:
                    self._refuse(
                        name.path, f"`{name.text}` is the required tag `{key}` in other letters", f"write {key}"
                    )
                elif value is not None and self._reader.known(content.text) != value:
                    what = f"`{self._spelt(content.text)}` is not what the tag `{key}` says here"
                    self._refuse(content.path, what, f"leave the tag out, or write {value}")
                elif not content.text:
                    self._refuse(content.path, f"leaves the required tag `{key}` empty", "write its value")
            if not found and value is not None:
                yield {"Key": key, "Value": value}
            elif remaining(self._given, [content.guard for _, content in found]):
                under = " under every condition" if found else ""
                self._refuse(self._path("Tags"), f"lacks the required tag `{key}`{under}", f"add {wanted}")

    def _tags(self) -> Iterator[tuple[Alternative, Alternative]]:
        """The role's tags: each key with each of its values."""
        for case in self._reader.each(self._properties.get("Tags"), self._given, self._path("Tags")):
            if not isinstance(case.node, dict) or is_intrinsic(case.node):
                self._refuse(case.path, "is no tag that can be read here", "write {Key: …, Value: …}")
                continue
            for name in self._reader.text(case.node.get("Key"), case.guard, f"{case.path}/Key"):
                for content in self._reader.text(case.node.get("Value"), name.guard, f"{case.path}/Value"):
                    yield name, content

    def _with_tags(self, added: list[dict[str, str]]) -> Json:
        node = self._properties.get("Tags")
        if node is None or node == NO_VALUE:
            return added
        if not isinstance(node, list):
            keys = ", ".join(tag["Key"] for tag in added)
            self._refuse(self._path("Tags"), f"is no list, so {keys} cannot be added to it", "write a list")
            return node
        return [*node, *added]

    # -- preflight ----------------------------------------------------------------------------------------------------

    def preflight(self) -> Literal["", "Fail", "Warn"]:
        """The mode of the check at deployment: the stricter of what is forced and what the spec says."""
        forced, asked = self._guardrails.preflight, self._spec.preflight
        if forced and not self._reader.template.whole:
            what = "makes a role without the check at deployment, which every role has here"
            self._refuse(_CALL, what, f"write {PROPERTY} on the role instead")
        return "Fail" if "Fail" in (forced, asked) else forced or asked

    # -- where things lie ---------------------------------------------------------------------------------------------

    def guarded(self, need: Need) -> Need:
        """A need of something that may be granted. An S3 object's ARN names no account, so the statement does."""
        rails = self._guardrails
        if need.resource == "*" or need.grant is guardduty.PULL:
            return need
        if need.grant.kind in ("Object", "Bucket"):
            if not rails.only_accounts:
                return need
            others = [name for name in _names(rails.accounts, "s3") if name != self._reader.template.account]
            condition = ("StringEquals", RESOURCE_ACCOUNT, (ACCOUNT, *others))
            return need._replace(conditions=(*need.conditions, condition))
        for place in self._places(need.resource):
            for rule in self._rules():
                if not self._lies_in(rule, place, rule.found(place)):
                    self._refuse_place(rule, place, need.path, self._spelt(need.target), "write it out")
        return need

    def _rules(self) -> list[_Rule]:
        rails, template = self._guardrails, self._reader.template
        rules = []
        if rails.only_accounts:
            rules.append(_Rule("account", RESOURCE_ACCOUNT, ACCOUNT, template.account, rails.accounts))
        if rails.only_regions:
            rules.append(_Rule("region", REQUESTED_REGION, REGION, template.region, rails.regions))
        return rules

    def _lies_in(self, rule: _Rule, place: _Place, found: str | None) -> bool:
        if found is None or found == rule.here:
            return found is not None
        known = self._reader.known(found)
        return bool(known) and (known == rule.own or known in _names(rule.allowed, place.service))

    def _refuse_place(self, rule: _Rule, place: _Place, path: str, thing: str, fix: str) -> None:
        found = rule.found(place)
        known = self._reader.known(found) if found is not None else None
        others = [name for name in _names(rule.allowed, place.service) if name != rule.own]
        allowed = " or ".join([f"{rule.own} (the stack's own)", *others])
        if re.search(r"[*?]", thing if found is None else known or ""):
            self._refuse(path, f"`{thing}` may lie in any {rule.what}", f"{fix}: {allowed}")
        elif known is None:
            what = f"the {rule.what} of `{thing}` is not known before the stack is deployed"
            self._refuse(path, what, f"{fix}: {allowed}")
        elif not known:
            self._refuse(path, f"`{thing}` names no {rule.what}", f"{fix}: {allowed}")
        else:
            what = f"`{thing}` lies in the {rule.what} {known}, from which nothing may come here"
            self._refuse(path, what, f"take it from {allowed}")

    def _places(self, text: str, depth: int = 0) -> list[_Place]:
        """Where the thing with this symbolic ARN lies: several places, where what it refers to has alternatives."""
        fields = text.split(":", 5)
        if len(fields) == 6 and fields[0] == "arn":
            partition, service = map(self._reader.known, fields[1:3])
            if partition and service and not re.search(r"[*?]", partition + service):
                return [_Place(service, fields[3], fields[4])]
        symbol = self._symbols[text[0]] if text and is_symbolic(text[0]) else None
        if symbol is None or depth > 3:
            return [_ANYWHERE]
        kind = self._types.get(symbol.name, "")
        if symbol.kind == "Ref" and kind in _ABOUT_A_SECRET:
            path = f"Resources/{symbol.name}/Properties/SecretId"
            secrets = self._reader.text(self._reader.template.properties(symbol.name).get("SecretId"), path=path)
            return [place for secret in secrets for place in self._secret_places(secret.text, depth + 1)] or [_ANYWHERE]
        return [_HERE] if (kind, symbol.attribute) in _OWN or _is_managed_secret(symbol, kind) else [_ANYWHERE]

    def _secret_places(self, text: str, depth: int) -> list[_Place]:
        """Where a secret lies: by its ARN, by what it refers to, or, by its name alone, where the stack does."""
        return self._places(text, depth) if text.startswith("arn:") or is_symbolic(text[:1]) else [_HERE]

    # -- managed policies ---------------------------------------------------------------------------------------------

    def check_managed_policies(self) -> None:
        """Refuses managed policies that are not allowed, and those of the template that say what is not allowed."""
        allowed = self._guardrails.managed_policies
        if self._spec.starter and not self._may_attach(self._reader.text(STARTER_POLICY)[0].text):
            what = "attaches AmazonECSTaskExecutionRolePolicy, which is not allowed here"
            self._refuse(self._spec.path, what, "write Auto")
        if allowed is not True:
            for _, path in self._attached("AWS::IAM::ManagedPolicy"):
                what = f"puts a managed policy on {self._role_id} that is not allowed here"
                self._refuse(path, what, "leave the role out")
        node = self._properties.get("ManagedPolicyArns")
        for case in self._reader.each(node, self._given, self._path("ManagedPolicyArns")):
            for text in self._reader.text(case.node, case.guard, case.path):
                if not self._may_attach(text.text):
                    self._refuse(
                        text.path,
                        f"`{self._spelt(text.text)}` is no managed policy that is allowed here",
                        f"write one of {', '.join(allowed)}" if isinstance(allowed, tuple) else "leave it out",
                    )
                    continue
                symbol = self._symbols.sole(text.text)
                if symbol is not None and self._types.get(symbol.name) == "AWS::IAM::ManagedPolicy":
                    self._check_document_of(symbol.name)

    def _may_attach(self, text: str) -> bool:
        allowed = self._guardrails.managed_policies
        if isinstance(allowed, bool):
            return allowed
        known = self._reader.known(text)
        patterns = (self._reader.known(self._reader.text({"Fn::Sub": pattern})[0].text) for pattern in allowed)
        return known is not None and any(pattern is not None and _covers(pattern, known) for pattern in patterns)

    # -- statements ---------------------------------------------------------------------------------------------------

    def _reads_statements(self) -> bool:
        rails = self._guardrails
        return rails.statements is not True or rails.only_accounts or rails.only_regions

    def check_statements(self) -> None:
        """Refuses statements that are not allowed: in the spec, in the role, and in the policies that are put on it."""
        if not self._reads_statements():
            return
        for guard, node, path in self._spec.statements:
            self._check_statement(node, guard, path)
        for case in self._reader.each(self._own.get("Policies"), self._given, self._path("Policies")):
            if isinstance(case.node, dict) and "PolicyDocument" in case.node:
                self._check_document(case.node["PolicyDocument"], case.guard, f"{case.path}/PolicyDocument")
            else:
                self._refuse_unread(case.path)
        for logical_id, _ in self._attached(*_ATTACHED_BY):
            self._check_document_of(logical_id)

    def _attached(self, *kinds: str) -> Iterator[tuple[str, str]]:
        """The policies of these types that are put on this role from elsewhere, and where each says so."""
        for logical_id, kind in self._types.items():
            if kind in kinds:
                node = self._reader.template.properties(logical_id).get(_ATTACHED_BY[kind])
                path = f"Resources/{logical_id}/Properties/{_ATTACHED_BY[kind]}"
                if self._role_id in references(node) or _refers_indirectly(node) or self._may_be_named(node, path):
                    yield logical_id, path

    def _may_be_named(self, node: Json, path: str) -> bool:
        """Whether a name in `node` can turn out to be this role's, where that is not left to CloudFormation."""
        own = self._texts("RoleName")
        names = {text.text for text in own}
        if self._guardrails.name_prefix and remaining(self._given, [text.guard for text in own]):
            names.add(self._generated_name() or self._guardrails.name_prefix)
        if isinstance(node, dict) and not is_intrinsic(node):
            node = node.get("RoleName")
        texts = self._items(node, ALWAYS, path) if names else ()
        return any(self._may_be(text.text, name) for text in texts for name in names)

    def _may_be(self, text: str, name: str) -> bool:
        symbol = self._symbols.sole(text)
        if symbol is not None and symbol.kind == "Ref" and self._types.get(symbol.name) == ROLE:
            return False
        # Two roles' names cannot differ by the case of their letters alone.
        one, other = (self._reader.known(each) or each for each in (text.lower(), name.lower()))
        if not is_symbolic(one) and not is_symbolic(other):
            return one == other
        # What is unknown can be anything, so that the two differ only if what is before it does.
        one, other = (re.split(SYMBOL, each, maxsplit=1)[0] for each in (one, other))
        return one.startswith(other) or other.startswith(one)

    def _items(self, node: Json, guard: Guard, path: str) -> Iterator[Alternative]:
        for case in self._reader.each(node, guard, path):
            yield from self._reader.text(case.node, case.guard, case.path)

    def _check_document_of(self, logical_id: str) -> None:
        if self._reads_statements():
            node = self._reader.template.properties(logical_id).get("PolicyDocument")
            self._check_document(node, ALWAYS, f"Resources/{logical_id}/Properties/PolicyDocument")

    def _check_document(self, node: Json, guard: Guard, path: str) -> None:
        for case in self._reader.cases(node, guard, path):
            if not isinstance(case.node, dict) or not {"Statement"} <= set(case.node) <= _DOCUMENT:
                self._refuse_unread(case.path)
                continue
            for item in self._reader.each(case.node["Statement"], case.guard, f"{case.path}/Statement"):
                self._check_statement(item.node, item.guard, item.path)

    def _refuse_unread(self, path: str) -> None:
        self._refuse(path, "cannot be read here, so it is not known what it grants", "write its statements out")

    def _check_statement(self, node: Json, guard: Guard, path: str) -> None:
        rails = self._guardrails
        if rails.statements is False:
            what = "is a statement of the template's own, and none are allowed here"
            self._refuse(path, what, "leave it out; what the definition needs is granted without it")
        elif not isinstance(node, dict) or not set(node) <= _STATEMENT:
            self._refuse_unread(path)
        elif node.get("Effect") != "Deny":
            self._check_actions(node, guard, path)
            self._check_resources(node, guard, path)

    def _check_actions(self, node: dict[str, Json], guard: Guard, path: str) -> None:
        allowed = self._guardrails.statements
        if isinstance(allowed, bool):
            return
        fix = f"write one of {', '.join(allowed)}"
        if "Action" not in node or "NotAction" in node:
            self._refuse(path, "does not name the actions that it allows", fix.replace("write", "name in Action", 1))
        for text in self._items(node.get("Action"), guard, f"{path}/Action"):
            known = self._reader.known(text.text)
            if known is None or not any(_covers(pattern.lower(), known.lower()) for pattern in allowed):
                self._refuse(text.path, f"`{self._spelt(text.text)}` is no action that is allowed here", fix)

    def _check_resources(self, node: dict[str, Json], guard: Guard, path: str) -> None:
        """Refuses resources that lie elsewhere. Where an ARN does not say, a condition must."""
        rules = self._rules()
        if rules and ("Resource" not in node or "NotResource" in node):
            self._refuse(path, "does not name the resources that it is about", "name them in Resource")
        for text in self._items(node.get("Resource"), guard, f"{path}/Resource"):
            for rule in rules:
                for place in self._places(text.text):
                    found = rule.found(place)
                    # The ARNs of S3 and of what has no region leave this out.
                    regionless = rule.here == REGION and found == ""
                    if regionless or self._lies_in(rule, place, found) or self._is_held(node, guard, rule, place):
                        continue
                    fix = f"write it out, or add Condition: {{StringEquals: {{{rule.key}: …}}}} with"
                    self._refuse_place(rule, place, text.path, self._spelt(text.text), fix)

    def _is_held(self, node: dict[str, Json], guard: Guard, rule: _Rule, place: _Place) -> bool:
        """Whether a condition of the statement keeps it where the rule wants it."""
        condition = node.get("Condition")
        for operator, tests in condition.items() if isinstance(condition, dict) else ():
            if operator.lower() != "stringequals" or not isinstance(tests, dict):
                continue
            for key, values in tests.items():
                if key.lower() != rule.key.lower():
                    continue
                texts = list(self._items(values, guard, ""))
                covered = not remaining(guard, [text.guard for text in texts])
                if covered and all(self._lies_in(rule, place, text.text) for text in texts):
                    return True
        return False


def _names(allowed: Iterable[Allowed], service: str) -> list[str]:
    """The accounts or regions beside the stack's own that are allowed for the things of a service."""
    return [name for only, name in allowed if only in ("", service)]


def _is_managed_secret(symbol: Symbol, kind: str) -> bool:
    """Whether this is the secret that a service keeps for a resource of the template, as RDS does."""
    managed = kind.startswith("AWS::") and not kind.startswith("AWS::CloudFormation::")
    return managed and symbol.kind == "GetAtt" and symbol.attribute.endswith("SecretArn")


def _unexpanded(node: Json, path: str) -> Iterator[str]:
    """The paths of what another macro is still to replace."""
    stack: list[tuple[Json, str]] = [(node, path)]
    while stack:
        current, here = stack.pop()
        if isinstance(current, dict):
            for name, child in current.items():
                if name == _CALL or name.startswith("Fn::ForEach::"):
                    yield f"{here}/{name}"
                else:
                    stack.append((child, f"{here}/{name}"))
        elif isinstance(current, list):
            stack.extend((child, f"{here}/{index}") for index, child in enumerate(current))


def _refers_indirectly(node: Json) -> bool:
    """Whether a reference in `node` has a name that `AWS::LanguageExtensions` is still to put together."""
    if isinstance(node, list):
        return any(map(_refers_indirectly, node))
    if not isinstance(node, dict):
        return False
    return any(
        (name == "Ref" and not isinstance(child, str))
        or (name == "Fn::GetAtt" and isinstance(child, list) and not isinstance(child[:1][0] if child else "", str))
        or _refers_indirectly(child)
        for name, child in node.items()
    )


def _covers(pattern: str, text: str) -> bool:
    """Whether all that `text` can match, wildcards in it included, is matched by `pattern`."""
    wild = {"*": ".*", "?": "[^*]"}
    expression = "".join(wild.get(character) or re.escape(character) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None
