"""What to do about a reason, as data."""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ecs_exec_role.audit import granted as grants
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.diagnose.classify import Reading
from ecs_exec_role.diagnose.places import Finder, Match, encrypted_kinds
from ecs_exec_role.diagnose.reason import CODES, Evidence, Remedy
from ecs_exec_role.errors import Problems, TemplateError
from ecs_exec_role.features.guardduty import REPOSITORY as GUARDDUTY
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs.need import Need
from ecs_exec_role.offline import macro_call
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.offline.source_map import value_at
from ecs_exec_role.pipeline import expand
from ecs_exec_role.policies.patterns import overlaps
from ecs_exec_role.policies.statements import Writer
from ecs_exec_role.roles.role import TRUST_POLICY, RolePlan
from ecs_exec_role.template import event as templates
from ecs_exec_role.template.event import PROPERTY, mapping, partition_of
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import Json, Symbols, is_symbolic, references

POLICY_NAME = "EcsExecRoleDiagnosed"
"""The inline policy that the printed command adds to a deployed role."""

_SPEC_KEYS = {
    "registry-login": "RegistryCredentials",
    "firelens-file": "FireLensConfigs",
    "environment-file": "EnvironmentFiles",
}
_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_FIRST_ACTION = {
    "image-authorization": "ecr:GetAuthorizationToken",
    "image": "ecr:BatchGetImage",
    "image-layers": "ecr:GetDownloadUrlForLayer",
    "secret": "secretsmanager:GetSecretValue",
    "registry-login": "secretsmanager:GetSecretValue",
    "parameter": "ssm:GetParameters",
    "key": "kms:Decrypt",
    "log-group": "logs:CreateLogStream",
    "environment-file": "s3:GetObject",
    "firelens-file": "s3:GetObject",
    "credential-spec": "ssm:GetParameters",
    "fsx": "fsx:DescribeFileSystems",
    "role": "sts:AssumeRole",
}
_ENDPOINTS = {
    "image-authorization": ("ecr.api", "ecr.dkr", "s3"),
    "image": ("ecr.api", "ecr.dkr", "s3"),
    "image-layers": ("s3",),
    "secret": ("secretsmanager",),
    "registry-login": ("secretsmanager",),
    "parameter": ("ssm",),
    "log-group": ("logs",),
    "environment-file": ("s3",),
    "firelens-file": ("s3",),
    "credential-spec": ("ssm", "s3"),
    "fsx": ("fsx",),
}
"""The VPC endpoints that a task without internet access uses."""

_ADDRESS = re.compile(r"dial tcp:? (?P<address>\d+(?:\.\d+){3}):\d+")
_FILE_SYSTEM = re.compile(r"\bfs-[0-9a-f]+")
_LIBRARY = re.compile(r"(?:docker\.io/)?(?:library/)?(?P<name>[a-z0-9._-]+)(?P<tag>:[\w.-]+)?")
_ECR = re.compile(r"(?P<account>\d{12})\.dkr[.-]ecr[^/]*/(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?")


class Situation(NamedTuple):
    """One reason, and what a template shows about it."""

    reading: Reading
    matches: Sequence[Match]
    finder: Finder | None
    region: str
    account: str

    @property
    def evidence(self) -> Evidence:
        """The facts of the reason."""
        return self.reading.evidence


def of(case: Situation) -> Iterator[Remedy]:
    """What to do, the best first."""
    code = case.reading.code
    if "explicit deny" in case.evidence.proof.lower():
        yield from _denied(case)
    elif code in ("not-allowed", "denied", "key-access"):
        yield from _identity(case)
        yield from _other_side(case)
        if code != "not-allowed":
            yield from _policies(case)
    elif code in _PERMISSIONS:
        yield from _PERMISSIONS[code](case)
    elif CODES[code] == "network":
        yield from _network(case)
    elif code in _OTHERS:
        yield from _OTHERS[code](case)


# -- what the role may do --------------------------------------------------------------------------------------------


def _identity(case: Situation) -> Iterator[Remedy]:
    """The remedies for the role itself: in the template, or on the deployed role."""
    evidence = case.evidence
    role = evidence.override.rpartition("/")[2] or evidence.role
    if case.reading.need == "key" and not _key_of(case) and not any(match.needs for match in case.matches):
        yield from _hidden_key(case, role)
        return
    if evidence.override or not case.matches:
        yield from _declared(case) if not evidence.override else ()
        here = [*_on_deployed(case, _from_evidence(case), role)]
        yield from here
        if any(map(_is_wide, here)):
            yield Remedy(code="narrow-key", subject=_key_of(case))
        return
    for match in case.matches:
        if match.granted:
            path = match.plan.spec_path if match.plan else f"Resources/{match.role}"
            yield _at(case, Remedy(code="deploy", path=path, subject=role or match.role))
        elif match.plan is not None:
            yield from _declared(case, match)
        else:
            yield from _handwritten(case, match, role)


def _handwritten(case: Situation, match: Match, role: str) -> Iterator[Remedy]:
    """For a definition whose role the macro does not make: the statement that is lacking, or a spec instead."""
    documents = _of_needs(case, match) or _from_evidence(case, match)
    here = [*_statements(case, match, documents)]
    here += _on_deployed(case, documents, role, only_command=bool(match.role))
    yield from here
    if any(map(_is_wide, here)):
        yield Remedy(code="narrow-key", subject=_key_of(case))
    declared: dict[str, Json] = {}
    if case.reading.need == "key" and not match.needs and _key_of(case):
        # The template does not show the key, so a spec that infers everything does not grant it either.
        declared = _key_declared(case, match)
    yield from _by_macro(case, match.role, match.definition, declared)


def _statements(case: Situation, match: Match, documents: Iterable[Json]) -> Iterator[Remedy]:
    """The statements for a role of the template."""
    path = f"Resources/{match.role}/Properties/Policies"
    for document in documents if match.role else ():
        yield _at(case, Remedy(code="add-statement", path=path, value=document, subject=match.role))


def _by_macro(case: Situation, role: str, definition: str, declared: Mapping[str, Json]) -> Iterator[Remedy]:
    """The spec that replaces a hand-written role, as `audit` writes it; where that is not enough, `migrate`.

    Args:
        case: the reason.
        role: the logical ID of the definition's role; empty if the role is not in the template.
        definition: the logical ID of the definition.
        declared: keys of the spec for what the template does not show.
    """
    finder = case.finder
    if finder is None:
        return
    way = finder.replacement(role, definition, declared)
    if way.spec is not None:
        path = f"Resources/{definition}/Properties"
        yield _at(case, Remedy(code="use-spec", path=path, key=PROPERTY, value=way.spec))
    elif way.migrates:
        name = finder.template.name
        # A template that was read from a stack or from standard input is not a file that `migrate` can read.
        file = "TEMPLATE" if name == "<stdin>" or name.startswith("stack ") else name
        command = shlex.join(["ecs-exec-role", "migrate", *way.options, file])
        yield Remedy(code="migrate", command=command, subject=definition)
        for key, value in declared.items():
            yield Remedy(code="add-spec-key", key=key, value=value, subject=definition)


# -- a key that neither the text nor the template names --------------------------------------------------------------

_KEY_ID = "KEY_ID"
"""In what is printed, the place of a key's ID that the reader looks up."""


def _key_of(case: Situation) -> str:
    """The ARN of the KMS key that the text names; empty if it names none."""
    evidence = case.evidence
    resource = evidence.resource
    return evidence.key if ":kms:" in evidence.key else resource if ":kms:" in resource and ":key/" in resource else ""


def _hidden_key(case: Situation, role: str) -> Iterator[Remedy]:
    """How to find the key, and what grants it then: for the role, and for the key's own policy."""
    things = _encrypted(case)
    looks = [look for thing in things for look in _key_looked_up(case, thing)]
    if not looks:
        # Neither the text nor the template has the name of a secret or a parameter.
        kinds = [kind for kind in encrypted_kinds(case.evidence) if kind in _PLACES_OF_NAMES]
        looks = [look for kind in kinds for look in _key_looked_up(case, _PLACES_OF_NAMES[kind])]
    yield Remedy(code="find-key")
    yield from looks
    yield _look("kms get-key-policy", {"key-id": _KEY_ID, "policy-name": "default", **_region(case, "")}, _KEY_ID)
    for match in case.matches if not case.evidence.override else ():
        spec = _with_keys(case, _encrypted(case, match))
        documents = [document for document in _written(spec, case) if _decrypts(document)]
        if not documents:
            continue
        if match.plan is not None:
            for key, value in spec.items():
                yield _at(case, Remedy(code="add-spec-key", path=match.plan.spec_path, key=key, value=value))
            continue
        yield from _statements(case, match, documents)
        if not match.role:
            yield from (Remedy(code="add-statement", value=document, subject=role) for document in documents)
        yield from _by_macro(case, match.role, match.definition, spec)
    if case.evidence.override or not case.matches:
        for document in _written(_with_keys(case, things), case):
            if _decrypts(document):
                yield Remedy(code="add-statement", value=_plain(document, case), subject=role)


_PLACES_OF_NAMES: dict[str, tuple[str, Json]] = {
    "secret": ("Secrets", "SECRET"),
    "parameter": ("Parameters", "PARAMETER"),
}


def _decrypts(document: Json) -> bool:
    return mapping(document).get("Action") == "kms:Decrypt"


def _encrypted(case: Situation, match: Match | None = None) -> list[tuple[str, Json]]:
    """What the key protects: each with its key of the spec; as the template writes it, if there is a match."""
    evidence = case.evidence
    found: list[tuple[str, Json]] = []
    for each in (match,) if match is not None else case.matches:
        for need in each.encrypted:
            kind = _SECRET_KINDS.get(need.grant.actions[0], "")
            node = _as_the_template_has_it(case, each, need) if kind else None
            if kind == "Secrets" and evidence.secret and node is None:
                node = evidence.secret
            if node is not None:
                found.append((kind, node))
    if match is None and evidence.secret:
        found = [("Secrets", evidence.secret)]
    elif not found and evidence.secret:
        found.append(("Secrets", evidence.secret))
    if not found:
        found.extend(("Parameters", name) for name in evidence.parameters)
    return [item for number, item in enumerate(found) if item not in found[:number]]


def _as_the_template_has_it(case: Situation, match: Match, need: Need) -> Json:
    """A secret or a parameter in a form for the spec; None if it is only known at deployment."""
    whole, asked = match.symbols.render(need.resource), match.symbols.render(need.target)
    for node in (whole, asked):
        if isinstance(node, dict) and set(node) == {"Ref"}:
            return node
    spelt = case.finder.speller.node(asked) if case.finder is not None else ""
    if not spelt or any(map(is_symbolic, spelt)):
        return None
    # A secret's ARN can have a JSON key, a staging label and a version after it.
    return ":".join(spelt.split(":")[:7]) if ":secret:" in spelt else spelt


_SECRET_KINDS = {"secretsmanager:GetSecretValue": "Secrets", "ssm:GetParameters": "Parameters"}
_THING = {"Secrets": "Secret", "Parameters": "Parameter"}


def _key_declared(case: Situation, match: Match | None) -> dict[str, Json]:
    """The spec that grants a key that the text names, for all that it may protect."""
    things = _encrypted(case, match)
    return _with_keys(case, things, _key_of(case)) if things else {"Statements": _decrypting(case, match)}


def _with_keys(case: Situation, things: Sequence[tuple[str, Json]], named: str = "") -> dict[str, Json]:
    """The spec that declares the key of each thing: the named key, or one that the reader looks up."""
    spec: dict[str, Json] = {}
    for kind, thing in things:
        parts = str(thing).split(":")
        is_arn = isinstance(thing, str) and len(parts) > 5
        known = case.evidence.region or case.region, case.evidence.account or case.account
        region, account = (parts[3], parts[4]) if is_arn else known
        partition = parts[1] if is_arn else partition_of(region or macro_call.DEFAULT_REGION)[0]
        key = f"arn:{partition}:kms:{region}:{account}:key/{_KEY_ID}" if region and account else _KEY_ID
        spec.setdefault(kind, []).append({_THING[kind]: thing, "KmsKey": named or key})
    return spec


def _key_looked_up(case: Situation, thing: tuple[str, Json]) -> Iterator[Remedy]:
    """The command that shows the key of a secret or a parameter."""
    kind, node = thing
    name = node if isinstance(node, str) else case.finder.speller.node(node) if case.finder is not None else ""
    if not name or any(map(is_symbolic, name)):
        return
    region = _region(case, name.split(":")[3] if name.startswith("arn:") and name.count(":") > 4 else "")
    if kind == "Secrets":
        options = {"secret-id": name, "query": "KmsKeyId", **region}
        yield _look("secretsmanager describe-secret", options, name)
    else:
        name = f"/{name.partition(':parameter/')[2]}" if name.startswith("arn:") else name
        options = {"parameter-filters": f"Key=Name,Values={name}", "query": "Parameters[].KeyId", **region}
        yield _look("ssm describe-parameters", options, name)


def _is_wide(remedy: Remedy) -> bool:
    """Whether a remedy allows kms:Decrypt for everything that the key protects."""
    said = f"{json.dumps(remedy.value)}{remedy.command}"
    return "kms:Decrypt" in said and "kms:EncryptionContext" not in said


_VIA = {"secret": "secretsmanager", "parameter": "ssm", "environment-file": "s3", "firelens-file": "s3"}


def _decrypting(case: Situation, match: Match | None) -> list[Json]:
    """The statements for a key that the text names, for what it protects as far as that is known."""
    key = _key_of(case)
    if not key:
        return []
    things = _encrypted(case, match)
    if match is None:
        things = [item for item in things if isinstance(item[1], str)]
    if len(things) == 1:
        kind, thing = things[0]
        found = [item for item in _written({kind: [{_THING[kind]: thing, "KmsKey": key}]}, case) if _decrypts(item)]
        if found:
            return found
    region = key.split(":")[3]
    _, suffix = partition_of(region)
    read = [need.grant.actions[0].partition(":")[0] for each in case.matches for need in each.encrypted]
    services = dict.fromkeys(read or [_VIA[kind] for kind in encrypted_kinds(case.evidence)])
    via = [f"{service}.{region}.{suffix}" for service in services]
    condition = {"StringEquals": {"kms:ViaService": via if len(via) > 1 else via[0]}}
    return [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key, "Condition": condition}]


def _on_deployed(
    case: Situation, documents: Sequence[Json], role: str, *, only_command: bool = False
) -> Iterator[Remedy]:
    """The same on the deployed role, with the command that adds it."""
    plain = [_plain(document, case) for document in documents]
    if any(map(_has_functions, plain)):
        # The text itself may name what the template only refers to.
        plain = [_plain(document, case) for document in _from_evidence(case)]
    if not plain or any(map(_has_functions, plain)):
        for document in documents if not only_command else ():
            yield Remedy(code="add-statement", value=document, subject=role)
        return
    if not only_command:
        for document in plain:
            yield Remedy(code="add-statement", value=document, subject=role)
    if role:
        policy = json.dumps({"Version": "2012-10-17", "Statement": plain}, separators=(",", ":"))
        options = {"role-name": role, "policy-name": POLICY_NAME, "policy-document": policy}
        yield Remedy(code="run", command=_aws("iam put-role-policy", options), subject=role)


def _declared(case: Situation, match: Match | None = None) -> Iterator[Remedy]:
    """The key of the spec that declares what cannot be inferred."""
    plan = match.plan if match is not None else _sole_plan(case)
    if plan is None:
        return
    named = case.reading.need == "key" and _key_of(case) and not (match is not None and match.needs)
    spec = _key_declared(case, match) if named else _spec(case)
    for key, value in spec.items():
        yield _at(case, Remedy(code="add-spec-key", path=plan.spec_path, key=key, value=value))


def _sole_plan(case: Situation) -> RolePlan | None:
    """The plan of the definition in question, if it is only one."""
    if case.finder is None:
        return None
    plans = {
        plan.logical_id: plan
        for name in case.finder.definitions(case.evidence)
        for plan, _ in [case.finder.plans.get(name, (None, None))]
        if plan is not None
    }
    return next(iter(plans.values())) if len(plans) == 1 else None


def _of_needs(case: Situation, match: Match) -> list[Json]:
    """The statements that the macro would write for what failed, and no others."""
    if case.finder is None or not match.needs:
        return []
    data = case.finder.template.data
    fragment = {key: child for key, child in data.items() if key != "Transform"}
    stack = case.finder.stack
    event = {**macro_call.event(stack, data, fragment, {}), "region": stack.region, "accountId": stack.account}
    writer = Writer(match.symbols, templates.read(event))
    return [statement.document for statement in writer.statements(match.needs, [])]


def _from_evidence(case: Situation, match: Match | None = None) -> list[Json]:
    """The statements that the macro would write for what the text names."""
    if case.reading.need == "key":
        return _decrypting(case, match)
    action = (case.evidence.action or _FIRST_ACTION.get(case.reading.need, "")).lower()
    if action == "ecr:getauthorizationtoken":
        return [{"Sid": "EcrAuthorization", "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}]
    spec = _spec(case)
    if not spec:
        return []
    statements = mapping(spec).get("Statements")
    if statements:
        return list(statements)
    found = []
    for statement in _written(spec, case):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if action in map(str.lower, actions):
            found.append(statement)
    return found


def _written(spec: dict[str, Json], case: Situation) -> list[Json]:
    """The statements of a role with this spec alone."""
    resources: dict[str, Json] = {}
    data = case.finder.template.data if case.finder is not None else {}
    for name in references(spec):
        declared = mapping(mapping(data.get("Resources")).get(name)).get("Type")
        if declared is not None:
            resources[name] = {"Type": declared}
    resources["Role"] = {"Type": "AWS::IAM::Role", "Properties": {PROPERTY: spec}}
    fragment = {"Parameters": mapping(data.get("Parameters")), "Resources": resources}
    try:
        answer = expand(macro_call.event(StackValues(case.region, case.account), {}, fragment, {}))
    except TemplateError:
        # An input can contain names that nothing in AWS can have.
        return []
    [plan] = answer.roles
    return [statement.document for statement in plan.all_statements]


def _spec(case: Situation) -> dict[str, Json]:
    """The key of `ExecutionRoleSpec` that grants what the evidence is about; empty if that is not known."""
    evidence, need = case.evidence, case.reading.need
    action, resource = evidence.action.lower(), evidence.resource
    service = action.partition(":")[0]
    secret = evidence.secret or (resource if ":secretsmanager:" in resource else "")
    if f"/{GUARDDUTY}" in (resource or evidence.image):
        return {"GuardDuty": True}
    if need in ("image", "image-layers", "image-authorization") or service == "ecr":
        repository = resource if ":repository/" in resource else evidence.image if _ECR.search(evidence.image) else ""
        if repository and "import" in action:
            return {"Images": [{"Repository": repository, "PullThroughCache": True}]}
        return {"Images": [repository]} if repository else {}
    if need == "key" or service == "kms":
        key = evidence.key if ":kms:" in evidence.key else resource if ":key/" in resource else ""
        if secret and key:
            return {_SPEC_KEYS.get(need, "Secrets"): [{"Secret": secret, "KmsKey": key}]}
        return _as_written("kms:Decrypt", key)
    if secret and need in ("secret", "registry-login"):
        return {_SPEC_KEYS.get(need, "Secrets"): [secret]}
    if need == "parameter":
        names = [resource] if ":parameter/" in resource else list(evidence.parameters)
        return {"Parameters": names} if names else {}
    if need == "log-group" and ":log-group:" in resource:
        group = resource.partition(":log-group:")[2].partition(":")[0]
        there: dict[str, Json] = {"LogGroup": group}
        if case.region and evidence.region not in ("", case.region):
            there["Region"] = evidence.region
        if action == "logs:createloggroup":
            return {"LogGroups": [{**there, "Create": True}]}
        return {"LogGroups": [there if len(there) > 1 else group]}
    if need in _SPEC_KEYS:
        item = f"{evidence.bucket}/{evidence.key}" if evidence.bucket and evidence.key else ""
        partition, _ = partition_of(case.region or macro_call.DEFAULT_REGION)
        arn = resource if resource.count("/") else f"arn:{partition}:s3:::{item}" if item else ""
        return {_SPEC_KEYS[need]: [arn]} if arn else {}
    return _as_written(evidence.action, resource)


def _as_written(action: str, resource: str) -> dict[str, Json]:
    if not action or not resource:
        return {}
    return {"Statements": [{"Effect": "Allow", "Action": action, "Resource": resource}]}


def _plain(document: Json, case: Situation) -> Json:
    """A statement in the form for IAM, as far as the region and the account are known."""
    if case.finder is not None:
        speller = case.finder.speller
    else:
        event = macro_call.event(
            StackValues(case.region, case.account), {}, {"Resources": {"Any": {"Type": "Any"}}}, {}
        )
        reader = Reader(templates.read(event), Symbols(), Problems())
        speller = Speller(reader, region=case.region, account=case.account)
    return _resolved(document, speller)


def _resolved(node: Json, speller: Speller, *, exact: bool = False) -> Json:
    """A statement's values, written out. In a condition (`exact`), wildcards in a secret's ARN are plain characters."""
    if isinstance(node, list):
        return [_resolved(item, speller, exact=exact) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1 and next(iter(node)) in ("Ref", "Fn::Sub", "Fn::GetAtt", "Fn::Join"):
        text = speller.node(node)
        return node if any(map(is_symbolic, text)) or (exact and "?" in text) else text
    return {key: _resolved(child, speller, exact=exact or key == "Condition") for key, child in node.items()}


def _has_functions(node: Json) -> bool:
    if isinstance(node, list):
        return any(map(_has_functions, node))
    if not isinstance(node, dict):
        return False
    return any(key == "Ref" or key.startswith("Fn::") or _has_functions(child) for key, child in node.items())


# -- other policies --------------------------------------------------------------------------------------------------


def _denied(case: Situation) -> Iterator[Remedy]:
    """For an explicit deny: where it is in the template, or how to find it."""
    evidence = case.evidence
    finder = case.finder
    for role in dict.fromkeys(match.role for match in case.matches if match.role) if finder else ():
        for statement in grants.of_role(finder.reader, role).statements if finder else ():
            if statement.effect == "Deny" and _concerns(statement, evidence, finder):
                yield _at(case, Remedy(code="remove-deny", path=statement.path, subject=role))
    yield from _policies(case)


def _concerns(statement: grants.GrantedStatement, evidence: Evidence, finder: Finder | None) -> bool:
    """Whether a Deny may match what was refused."""
    spell = finder.speller.spell if finder else str
    actions = any(overlaps(entry.text.lower(), evidence.action.lower()) for entry in statement.actions)
    resources = any(overlaps(spell(entry.text), evidence.resource or "*") for entry in statement.resources)
    return actions != statement.all_but_actions and resources != statement.all_but_resources


def _policies(case: Situation) -> Iterator[Remedy]:
    """The commands that show the policies that may decide."""
    evidence, code = case.evidence, case.reading.code
    if code in ("not-allowed", "explicit-deny", "denied", "key-access", "permissions-boundary") and evidence.role:
        name = {"role-name": evidence.role}
        yield _look("iam get-role", name, evidence.role)
        if code != "permissions-boundary":
            yield _look("iam list-role-policies", name, evidence.role)
            yield _look("iam list-attached-role-policies", name, evidence.role)
    if code == "organization-policy" and evidence.policy:
        identifier = evidence.policy.rpartition("/")[2]
        yield _look("organizations describe-policy", {"policy-id": identifier}, evidence.policy)
    if code in ("resource-policy", "key-policy", "denied", "key-access"):
        yield from _policy_of_resource(case)


def _policy_of_resource(case: Situation) -> Iterator[Remedy]:
    evidence = case.evidence
    resource = evidence.resource if evidence.resource.startswith("arn:") else ""
    secret = evidence.secret or (resource if ":secretsmanager:" in resource else "")
    key = _key_of(case)
    region = _region(case, evidence.region)
    if case.reading.need == "key" and not key:
        # The policy of the secret does not show the key; see `_hidden_key`.
        return
    if key:
        yield _look("kms get-key-policy", {"key-id": key, "policy-name": "default", **region}, key)
    elif secret:
        yield _look("secretsmanager get-resource-policy", {"secret-id": secret, **region}, secret)
    elif ":repository/" in resource:
        where = {"registry-id": resource.split(":")[4], "repository-name": resource.partition("/")[2]}
        yield _look("ecr get-repository-policy", {**where, **region}, resource)
    elif ":s3:::" in resource or evidence.bucket:
        bucket = evidence.bucket or resource.rpartition(":")[2].partition("/")[0]
        yield _look("s3api get-bucket-policy", {"bucket": bucket}, bucket)


def _other_side(case: Situation) -> Iterator[Remedy]:
    """For a resource of another account: the statement that is needed there too."""
    evidence = case.evidence
    owner = evidence.resource.split(":")[4] if evidence.resource.count(":") > 4 else evidence.account
    if owner and evidence.role_account and owner != evidence.role_account:
        yield from _resource_policy(case)


def _resource_policy(case: Situation) -> Iterator[Remedy]:
    """The statement that the owner of a secret, a repository, a key or a bucket adds to its policy."""
    evidence = case.evidence
    if not evidence.role or not evidence.role_account:
        yield from _policy_of_resource(case)
        return
    action, resource = evidence.action, evidence.resource
    partition = resource.split(":")[1] if resource.startswith("arn:") else partition_of(case.region)[0]
    is_key = action.startswith("kms:") or case.reading.need == "key"
    statement: dict[str, Json] = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{evidence.role_account}:root"},
        "Action": list(_PULL) if action in _PULL else "kms:Decrypt" if is_key else action,
        "Resource": "*",
        # The text has the role's name, not its path, and AWS refuses a principal that does not exist.
        "Condition": {
            "ArnLike": {
                "aws:PrincipalArn": [
                    f"arn:{partition}:iam::{evidence.role_account}:role/{evidence.role}",
                    f"arn:{partition}:iam::{evidence.role_account}:role/*/{evidence.role}",
                ]
            }
        },
    }
    if action.startswith("ecr:"):
        # A repository's policy is about the repository, and has no Resource.
        del statement["Resource"]
    elif action.startswith("s3:"):
        statement["Resource"] = resource
    if statement["Action"]:
        yield Remedy(code="key-statement" if is_key else "resource-statement", value=statement, subject=resource)
    yield from _policy_of_resource(case)


def _boundary(case: Situation) -> Iterator[Remedy]:
    evidence, finder = case.evidence, case.finder
    for document in _from_evidence(case):
        path = ""
        for match in case.matches if finder else ():
            properties = finder.reader.template.properties(match.role) if finder else {}
            if "PermissionsBoundary" in properties:
                path = f"Resources/{match.role}/Properties/PermissionsBoundary"
        plain = _plain(document, case)
        yield _at(case, Remedy(code="boundary-statement", path=path, value=plain, subject=evidence.policy))
    yield from _policies(case)


def _organization(case: Situation) -> Iterator[Remedy]:
    evidence = case.evidence
    statement = mapping(_as_written(evidence.action, evidence.resource)).get("Statements")
    if statement:
        yield Remedy(code="organization-statement", value=statement[0], subject=evidence.policy)
    yield from _policies(case)


def _endpoint(case: Situation) -> Iterator[Remedy]:
    evidence, need = case.evidence, case.reading.need
    region = evidence.region or case.region
    if case.reading.code == "layers-refused":
        partition, _ = partition_of(region or macro_call.DEFAULT_REGION)
        bucket = f"arn:{partition}:s3:::prod-{region or '*'}-starport-layer-bucket/*"
        value: Json = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": bucket}
        names: Sequence[str] = ("s3",)
    else:
        value = {"Effect": "Allow", "Principal": "*", "Action": evidence.action, "Resource": evidence.resource or "*"}
        names = {"ecr": ("ecr.api", "ecr.dkr")}.get(evidence.action.partition(":")[0], _ENDPOINTS.get(need, ()))
    yield Remedy(code="endpoint-statement", value=value, subject=", ".join(names))
    yield from _endpoints(case, names)


def _trust(case: Situation) -> Iterator[Remedy]:
    role = case.evidence.role
    for match in case.matches:
        path = f"Resources/{match.role}/Properties"
        if match.granted:
            there = match.plan.spec_path if match.plan else path
            yield _at(case, Remedy(code="deploy", path=there, subject=role or match.role))
        elif match.role and match.granted is False:
            key = "AssumeRolePolicyDocument"
            yield _at(case, Remedy(code="trust-statement", path=path, key=key, value=TRUST_POLICY, subject=match.role))
    if role:
        yield _look("iam get-role", {"role-name": role}, role)
    plain = _plain(TRUST_POLICY, case)
    if role and not case.matches and not _has_functions(plain):
        policy = json.dumps(plain, separators=(",", ":"))
        options = {"role-name": role, "policy-document": policy}
        command = _aws("iam update-assume-role-policy", options)
        yield Remedy(code="trust-statement", value=plain, command=command, subject=role)


def _pass_role(case: Situation) -> Iterator[Remedy]:
    evidence = case.evidence
    if evidence.resource:
        condition = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        statement = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": evidence.resource, "Condition": condition}
        yield Remedy(code="add-statement", value=statement, subject=evidence.role)


def _foreign_key(case: Situation) -> Iterator[Remedy]:
    evidence = case.evidence
    if evidence.secret:
        yield _look("secretsmanager describe-secret", {"secret-id": evidence.secret}, evidence.secret)


# -- what is not there -----------------------------------------------------------------------------------------------


def _secret(case: Situation) -> Iterator[Remedy]:
    evidence, code = case.evidence, case.reading.code
    secret = evidence.secret or _sole_secret(case)
    if not secret:
        yield _look("secretsmanager list-secrets", _region(case, evidence.region), "")
        return
    identified = {"secret-id": secret, **_region(case, evidence.region)}
    if code == "secret-deleted":
        yield Remedy(code="run", command=_aws("secretsmanager restore-secret", identified), subject=secret)
    elif code == "secret-version-absent":
        yield _look("secretsmanager list-secret-version-ids", identified, secret)
        if evidence.version in ("", "AWSCURRENT"):
            options = {**identified, "secret-string": "file://value.json"}
            yield Remedy(code="run", command=_aws("secretsmanager put-secret-value", options), subject=secret)
    elif code in ("json-key-absent", "secret-not-json"):
        yield _look("secretsmanager describe-secret", identified, secret)
        options = {**identified, "secret-string": "file://value.json"}
        yield Remedy(
            code="run", command=_aws("secretsmanager put-secret-value", options), key=evidence.json_key, subject=secret
        )
    else:
        # Each secret of the same name has other six characters at the end of its ARN.
        name = re.sub(r"-[A-Za-z0-9]{6}$", "", secret.partition(":secret:")[2])
        options = {"filters": f"Key=name,Values={name}", **_region(case, evidence.region)}
        yield _look("secretsmanager list-secrets", options, secret)


def _sole_secret(case: Situation) -> str:
    """The secret of the template that the text is about, if it is only one and the template has its name."""
    found = set()
    for match in case.matches:
        for need in match.needs:
            text = _as_the_template_has_it(case, match, need)
            found.add(text if isinstance(text, str) else "")
    return found.pop() if len(found) == 1 else ""


def _parameter(case: Situation) -> Iterator[Remedy]:
    region = _region(case, case.evidence.region)
    for name in case.evidence.parameters:
        options = {"name": name, "type": "SecureString", "value": "file://value.txt"}
        yield Remedy(code="run", command=_aws("ssm put-parameter", {**options, **region}), subject=name)


def _image(case: Situation) -> Iterator[Remedy]:
    match = _ECR.search(case.evidence.image)
    resource = case.evidence.resource
    if match is None and ":repository/" not in resource:
        return
    account = match["account"] if match else resource.split(":")[4]
    name = match["name"] if match else resource.partition("/")[2]
    where = {"registry-id": account, "repository-name": name, **_region(case, case.evidence.region)}
    if case.reading.code == "repository-absent":
        options = {"repository-name": name, **_region(case, case.evidence.region)}
        yield Remedy(code="run", command=_aws("ecr create-repository", options), subject=name)
        return
    if match and match["tag"]:
        where["image-ids"] = f"imageTag={match['tag']}"
    elif match and match["digest"]:
        where["image-ids"] = f"imageDigest={match['digest']}"
    yield _look("ecr describe-images", where, case.evidence.image or resource)


def _image_or_role(case: Situation) -> Iterator[Remedy]:
    if any(match.granted is False for match in case.matches):
        yield from _identity(case)
    yield from _image(case)


def _log_group(case: Situation) -> Iterator[Remedy]:
    names = set()
    for match in case.matches:
        for need in match.needs:
            name = case.finder.speller.node(match.symbols.render(need.target)) if case.finder else ""
            if not any(map(is_symbolic, name)):
                names.add(name.partition(":log-group:")[2].removesuffix(":*") or name)
        for place in match.places:
            holder = place.path.rpartition("/")[0]
            # The macro grants what this option needs; a hand-written role must grant it first.
            if match.plan is not None and holder.endswith("/Options"):
                yield _at(case, Remedy(code="set-value", path=holder, key="awslogs-create-group", value="true"))
    if not names:
        # Neither the text nor the template has the group's name.
        yield _look("logs describe-log-groups", _region(case, case.evidence.region), "")
    for name in sorted(names):
        options = {"log-group-name": name, **_region(case, case.evidence.region)}
        yield Remedy(code="run", command=_aws("logs create-log-group", options), subject=name)


def _object(case: Situation) -> Iterator[Remedy]:
    evidence = case.evidence
    bucket, _, key = evidence.resource.partition(":::")[2].partition("/")
    bucket, key = evidence.bucket or bucket, evidence.key if evidence.bucket else key
    if case.reading.code == "object-absent-or-denied" and any(match.granted is False for match in case.matches):
        yield from _identity(case)
    if not bucket:
        return
    if case.reading.code == "bucket-absent" or not key:
        yield _look("s3api head-bucket", {"bucket": bucket}, bucket)
        return
    where = {"bucket": bucket, "key": key}
    yield _look("s3api head-object", where, f"{bucket}/{key}")
    if case.reading.code == "object-absent":
        options = {**where, "body": key.rpartition("/")[2]}
        yield Remedy(code="run", command=_aws("s3api put-object", options), subject=f"{bucket}/{key}")


def _key(case: Situation) -> Iterator[Remedy]:
    evidence = case.evidence
    key = evidence.key if ":kms:" in evidence.key else ""
    if not key:
        return
    identified = {"key-id": key.rpartition("/")[2], **_region(case, evidence.region)}
    if "pending deletion" in evidence.text:
        yield Remedy(code="run", command=_aws("kms cancel-key-deletion", identified), subject=key)
    if "pending import" not in evidence.text:
        yield Remedy(code="run", command=_aws("kms enable-key", identified), subject=key)
    yield _look("kms describe-key", identified, key)


# -- the network, and the rest ---------------------------------------------------------------------------------------


def _network(case: Situation) -> Iterator[Remedy]:
    evidence, need = case.evidence, case.reading.need
    if case.reading.code == "file-system-unreachable":
        match = _FILE_SYSTEM.search(evidence.text)
        if match:
            options = {"file-system-id": match[0], **_region(case, evidence.region)}
            yield _look("efs describe-mount-targets", options, match[0])
    else:
        ours = not need.startswith("image") or ".amazonaws." in f"{evidence.host}{evidence.image}"
        ours = ours or ".on.aws" in f"{evidence.host}{evidence.image}" or need == "image-authorization"
        yield from _endpoints(case, _ENDPOINTS.get(need, ()) if ours and need in _ENDPOINTS else ())
    if case.reading.code != "file-system-unreachable":
        yield from _way_out(case)
    if evidence.subnets:
        options = {
            "filters": f"Name=association.subnet-id,Values={','.join(evidence.subnets)}",
            **_region(case, evidence.region),
        }
        yield _look("ec2 describe-route-tables", options, ", ".join(evidence.subnets))


def _way_out(case: Situation) -> Iterator[Remedy]:
    """What to check on the way from the task to the service; an address in the text shows which way it took."""
    if case.reading.code == "name-not-resolved":
        yield Remedy(code="check-dns", subject=case.evidence.host)
        return
    match = _ADDRESS.search(case.evidence.text)
    if match and _is_private(match["address"]):
        yield Remedy(code="check-endpoint", subject=match["address"])
    else:
        yield Remedy(code="check-route", subject=match["address"] if match else "")
        yield Remedy(code="check-public-ip")
    yield Remedy(code="check-egress")


def _is_private(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _endpoints(case: Situation, names: Sequence[str]) -> Iterator[Remedy]:
    region = case.evidence.region or case.region
    if names and region:
        # In China, some names begin with `cn.com.amazonaws`.
        required = ",".join(f"*.{region}.{name}" for name in names)
        options = {"filters": f"Name=service-name,Values={required}", "region": region}
        yield _look("ec2 describe-vpc-endpoints", options, ", ".join(names))


def _rate_limit(case: Situation) -> Iterator[Remedy]:
    """Docker's official images are on Amazon ECR Public too."""
    for match in case.matches:
        for place in match.places:
            image = case.finder.speller.node(value_at(case.finder.template.data, place.path)) if case.finder else ""
            official = _LIBRARY.fullmatch(image)
            if official:
                value = f"public.ecr.aws/docker/library/{official['name']}{official['tag'] or ''}"
                path, _, key = place.path.rpartition("/")
                yield _at(case, Remedy(code="set-value", path=path, key=key, value=value, subject=image))


def _no_role(case: Situation) -> Iterator[Remedy]:
    """For an agent without an execution role's credentials: the definition has no execution role."""
    finder = case.finder
    for name in finder.definitions(case.evidence) if finder else ():
        if finder and name not in finder.plans and not _has_role(finder, name):
            yield from _by_macro(case, "", name, {})


def _has_role(finder: Finder, name: str) -> bool:
    return any(use.definition == name and (use.role or use.outside) for use in finder.uses)


def _logs(case: Situation) -> Iterator[Remedy]:
    """The logs that say why a container ended."""
    evidence, finder = case.evidence, case.finder
    if finder is None:
        return
    groups: dict[str, None] = {}
    about = Evidence(definition=evidence.definition, container=evidence.container)
    for match in finder.find("log-group", about):
        for need in match.needs:
            name = finder.speller.node(match.symbols.render(need.target))
            if name and not any(map(is_symbolic, name)):
                groups[name] = None
    for name in groups:
        options = {"log-group-name": name, **_region(case, evidence.region)}
        yield _look("logs filter-log-events", options, name)


def _task(case: Situation) -> Iterator[Remedy]:
    """The command that shows ECS's own message in full."""
    arn = case.evidence.task
    if arn.count("/") == 2:
        options = {"cluster": arn.split("/")[1], "tasks": arn, **_region(case, arn.split(":")[3])}
        yield _look("ecs describe-tasks", options, arn)
    else:
        options = {"cluster": "CLUSTER", "tasks": "TASK_ID", **_region(case, "")}
        yield _look("ecs describe-tasks", options, "TASK_ID")
    yield from _trail(case)


_STOPPED: Json = {
    "source": ["aws.ecs"],
    "detail-type": ["ECS Task State Change"],
    "detail": {"lastStatus": ["STOPPED"]},
}
"""The events of EventBridge that have the reasons of stopped tasks."""
_ECS_ARN = re.compile(
    r"arn:[^:]+:ecs:(?P<region>[a-z0-9-]+):\d{12}:(?:task|service)/(?:(?P<cluster>[^/]+)/)?(?P<name>[^/]+)"
)


def _missing(case: Situation) -> Iterator[Remedy]:
    """Where else the reason of a task can be that ECS no longer has."""
    arn = _ECS_ARN.fullmatch(case.evidence.task)
    cluster = (arn["cluster"] if arn else "") or "CLUSTER"
    region = _region(case, arn["region"] if arn else "")
    is_service = ":service/" in case.evidence.task
    service = arn["name"] if arn and is_service else "SERVICE"
    yield Remedy(code="look-elsewhere", subject=case.evidence.task)
    yield _look("ecs list-clusters", region, cluster)
    yield _look("ecs list-tasks", {"cluster": cluster, "desired-status": "STOPPED", **region}, cluster)
    query = {"query": "services[].events[].message"}
    yield _look("ecs describe-services", {"cluster": cluster, "services": service, **query, **region}, service)
    # ECS calls AWS in a session with the task's ID as its name.
    task = arn["name"] if arn and not is_service else "TASK_ID"
    attributes = f"AttributeKey=Username,AttributeValue={task}"
    yield _look("cloudtrail lookup-events", {"lookup-attributes": attributes, **region}, task)
    yield Remedy(code="keep-reasons", value=_STOPPED)


def _containers(case: Situation) -> Iterator[Remedy]:
    """Where the reason of a container is, and its logs if it started."""
    yield from _task(case)
    yield from _logs(case)


def _trail(case: Situation) -> Iterator[Remedy]:
    """The complete refusal: CloudTrail does not cut it."""
    action = (case.evidence.action or _FIRST_ACTION.get(case.reading.need, "")).partition(":")[2]
    # These calls of S3 and CloudWatch Logs are data events, which CloudTrail does not record by default.
    if action and action not in ("GetObject", "PutLogEvents", "CreateLogStream", "GetDownloadUrlForLayer"):
        options = {
            "lookup-attributes": f"AttributeKey=EventName,AttributeValue={action}",
            **_region(case, case.evidence.region),
        }
        yield _look("cloudtrail lookup-events", options, action)


_PERMISSIONS = {
    "permissions-boundary": _boundary,
    "organization-policy": _organization,
    "session-policy": _trail,
    "resource-policy": _resource_policy,
    "key-policy": _resource_policy,
    "endpoint-policy": _endpoint,
    "layers-refused": _endpoint,
    "foreign-default-key": _foreign_key,
    "assume-role": _trust,
    "pass-role": _pass_role,
}
_OTHERS = {
    "secret-absent": _secret,
    "secret-version-absent": _secret,
    "secret-deleted": _secret,
    "json-key-absent": _secret,
    "secret-not-json": _secret,
    "parameter-absent": _parameter,
    "image-absent": _image,
    "image-absent-or-denied": _image_or_role,
    "repository-absent": _image,
    "log-group-absent": _log_group,
    "object-absent": _object,
    "object-absent-or-denied": _object,
    "bucket-absent": _object,
    "key-unusable": _key,
    "pull-rate-limit": _rate_limit,
    "credentials-missing": _no_role,
    "out-of-memory": _logs,
    "container-exited": _logs,
    "container-health": _logs,
    "load-balancer-health": _logs,
    "deployment-failed": _task,
    "see-containers": _containers,
    "missing": _missing,
    "incomplete": _task,
}


# -- commands --------------------------------------------------------------------------------------------------------


def _look(operation: str, options: dict[str, str], subject: str) -> Remedy:
    return Remedy(code="look", command=_aws(operation, options), subject=subject)


def _aws(operation: str, options: dict[str, str]) -> str:
    words: list[str] = ["aws", *operation.split()]
    for name, value in options.items():
        words += [f"--{name}", value]
    return shlex.join(words)


def _region(case: Situation, region: str) -> dict[str, str]:
    found = region or case.region
    return {"region": found} if found else {}


def _at(case: Situation, remedy: Remedy) -> Remedy:
    """A remedy with its line."""
    if case.finder is None or not remedy.path:
        return remedy
    return Remedy(
        code=remedy.code,
        path=remedy.path,
        line=case.finder.template.line(remedy.path),
        key=remedy.key,
        value=remedy.value,
        command=remedy.command,
        subject=remedy.subject,
    )


def unique(remedies: Iterable[Remedy]) -> tuple[Remedy, ...]:
    """Each remedy once, in order."""
    found: dict[str, Remedy] = {}
    for remedy in remedies:
        found.setdefault(repr(remedy), remedy)
    return tuple(found.values())
