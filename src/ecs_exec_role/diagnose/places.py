"""Where a template needs what failed, and whether the template grants it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from ecs_exec_role.audit import report, uses
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.report import RoleAudit
from ecs_exec_role.diagnose.reason import Evidence, TemplatePlace
from ecs_exec_role.migrate.plan import migrate
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.needs.need import Need
from ecs_exec_role.offline import humanize, inference, macro_call
from ecs_exec_role.offline.errors import InvalidTemplate
from ecs_exec_role.offline.inference import Inferred
from ecs_exec_role.offline.macro_call import StackValues, expanded
from ecs_exec_role.offline.template_file import TemplateFile
from ecs_exec_role.policies.patterns import overlaps
from ecs_exec_role.roles.role import RolePlan
from ecs_exec_role.template.conditions import ALWAYS
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import PROPERTY, partition_of
from ecs_exec_role.template.symbols import PSEUDO_PARAMETERS, SYMBOL, Json, Symbols

T = TypeVar("T")

_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<name>[^:@]+)(?P<tag>[:@].+)?"
)
_HUB = re.compile(r"^(?:(?:registry-1\.|index\.)?docker\.io/)?(?:library/)?")

# The actions of a need, and a word of the paths where a template asks for it; see `NEEDS`.
_ASKED = {
    "image-authorization": (("ecr:GetAuthorizationToken",), "Image"),
    "image": (("ecr:BatchGetImage", "ecr:BatchImportUpstreamImage"), "Image"),
    "image-layers": (("ecr:GetDownloadUrlForLayer",), "Image"),
    "secret": (("secretsmanager:GetSecretValue",), "Secret"),
    "parameter": (("ssm:GetParameters",), "Secret"),
    "key": (("kms:Decrypt",), ""),
    "log-group": (("logs:CreateLogStream", "logs:CreateLogGroup"), ""),
    "registry-login": (("secretsmanager:GetSecretValue",), "RepositoryCredentials"),
    "environment-file": (("s3:GetObject", "s3:GetBucketLocation"), "EnvironmentFiles"),
    "firelens-file": (("s3:GetObject", "s3:GetBucketLocation"), "FirelensConfiguration"),
    "credential-spec": (("ssm:GetParameters", "s3:GetObject", "secretsmanager:GetSecretValue"), "redential"),
    "fsx": (("fsx:DescribeFileSystems", "secretsmanager:GetSecretValue", "ssm:GetParameters"), "FSx"),
    "file-system": (("elasticfilesystem:ClientMount",), "EFS"),
}
_ENCRYPTED = (
    (
        "secret",
        re.compile(r"(?:secret|registry auth) from asm|secrets ?manager|Access to KMS is not allowed", re.IGNORECASE),
    ),
    ("parameter", re.compile(r"from ssm|operation error SSM|systems manager|parameter store", re.IGNORECASE)),
    ("environment-file", re.compile(r"env(?:ironment)? ?files?\b", re.IGNORECASE)),
    ("firelens-file", re.compile(r"firelens|s3 config", re.IGNORECASE)),
)
"""What ECS reads that a customer managed key can encrypt, and the words of texts about it."""

_JSON_KEY = re.compile("did not contain json key")
_SYMBOL = re.compile(SYMBOL)

_STARTER = ("ecr:", "logs:createlogstream", "logs:putlogevents")
"""What AmazonECSTaskExecutionRolePolicy allows, on all resources."""


class Match(NamedTuple):
    """One definition that needs what failed.

    `needs` are what the macro would grant for it, made of `symbols`; empty if it would not grant this. `role` is the
    logical ID of the execution role, if it is in the template. `plan` is the role that the macro makes for the
    definition, if the template has a spec. `granted`: whether the template grants it; None where that is not known.
    `encrypted` are what a refused KMS key may protect, if the template does not show which key that is.
    """

    definition: str
    places: tuple[TemplatePlace, ...]
    needs: tuple[Need, ...]
    symbols: Symbols
    role: str
    plan: RolePlan | None
    granted: bool | None
    encrypted: tuple[Need, ...] = ()


class Replacement(NamedTuple):
    """How the macro can make the role of a definition.

    `spec` is for the definition itself, without `ExecutionRoleArn`; None if such a template is refused. `migrates`:
    `ecs-exec-role migrate` with these options changes the template so that the macro makes the role.
    """

    spec: Json
    migrates: bool = False
    options: tuple[str, ...] = ()


class Finder:
    """Finds in one template what reasons are about."""

    def __init__(self, template: TemplateFile, stack: StackValues, physical: Mapping[str, str] | None = None) -> None:
        """Reads a template.

        Args:
            template: the template of the task that failed.
            stack: where it is deployed; a region and an account that are not known match any.
            physical: the physical IDs of its resources, by logical ID, if the stack was read.

        Raises:
            InvalidTemplate: the template cannot be read.
        """
        self.template = template
        self.stack = stack
        self.physical = dict(physical or {})
        self.reader = report.reader_of(template, stack)
        self.speller = Speller(self.reader, region=stack.region, account=stack.account, physical=physical)
        self.plans: dict[str, tuple[RolePlan, Symbols]] = {}
        if inference.has_spec(template.data):
            for plan, symbols in expanded(template, stack).roles:
                self.plans |= dict.fromkeys(plan.definitions, (plan, symbols))
        self.uses = list(uses.of_template(self.reader))
        self._inferred: dict[str, Inferred] = {}

    @cached_property
    def audits(self) -> list[RoleAudit]:
        """The audits of the template's own roles."""
        return report.of(self.template, self.stack)

    def replacement(self, role: str, definition: str, declared: Mapping[str, Json]) -> Replacement:
        """How the macro can make the role of a definition: only what was tried on this template.

        Args:
            role: the logical ID of its role; empty if the role is not in the template.
            definition: the logical ID of the definition.
            declared: keys of the spec for what the template does not show.
        """
        path = f"Resources/{definition}/Properties/{PROPERTY}"
        listed = [audit for audit in self.audits if definition in audit.definitions and role in ("", audit.role)]
        proposed = listed[0].replacement if len(listed) == 1 else {}
        if set(proposed) == {path}:
            spec = proposed[path]
            if declared:
                spec = {**(spec if isinstance(spec, dict) else {}), **declared}
            if self._serves(self._with_spec(definition, spec), definition):
                return Replacement(spec)
        options = () if role else ("--all",)
        if self.stack.region:
            options = (*options, "--region", self.stack.region)
        migrated = migrate(self.template, self.stack, every=not role).template
        return Replacement(None, self._serves(migrated, definition), options)

    def _with_spec(self, definition: str, spec: Json) -> TemplateFile:
        """The template with a spec on a definition, instead of its `ExecutionRoleArn`."""
        resources = self.template.data["Resources"]
        changed = inference.without(resources[definition], definitions.ROLE_PROPERTY)
        changed["Properties"] = {**changed["Properties"], PROPERTY: spec}
        listed = macro_call.transforms_of(self.template.data)
        data = {**self.template.data, "Resources": {**resources, definition: changed}}
        if macro_call.MACRO not in map(macro_call.transform_name, listed):
            data["Transform"] = [*listed, macro_call.MACRO]
        return self.template._replace(data=data)

    def _serves(self, template: TemplateFile, definition: str) -> bool:
        """Whether the macro makes the role of a definition; False if it refuses the template."""
        try:
            return any(definition in plan.definitions for plan, _ in expanded(template, self.stack).roles)
        except InvalidTemplate:
            return False

    def definitions(self, evidence: Evidence) -> list[str]:
        """The definitions that the evidence may be about; none if it names one that is not in the template."""
        names = inference.definitions_of(self.template.data)
        family = evidence.definition.partition(":")[0]
        if family:
            names = _best(names, lambda name: self._is_called(name, family))
        if evidence.role and not evidence.override:
            named = [name for name in names if self._role_of(name, evidence.role)]
            names = named or names
        return names

    def find(self, need: str, evidence: Evidence) -> list[Match]:
        """The definitions that need what failed."""
        return [match for name in self.definitions(evidence) if (match := self._match(name, need, evidence))]

    # -- one definition ---------------------------------------------------------------------------------------------

    def _match(self, name: str, need: str, evidence: Evidence) -> Match | None:
        if name not in self._inferred:
            self._inferred[name] = inference.infer(self.template, self.stack, [name])
        inferred = self._inferred[name]
        plan = inferred.plan
        symbols = inferred.symbols
        required: list[Need] = []
        encrypted: list[Need] = []
        paths: list[str] = []
        if need == "role":
            paths = self._role_paths(name, evidence)
        elif need.startswith("image"):
            paths = [path for path, _ in self._images(name, evidence)]
            required = [item for item in plan.needs if item.path in paths] if plan else []
            required = [item for item in required if _asks(item, need, evidence.action)]
        elif plan:
            required = self._in_container(name, self._required(plan.needs, symbols, need, evidence), evidence.container)
            paths = [item.path for item in required]
            if need == "key" and not required:
                # The template does not show the key, but what it protects.
                for kind in encrypted_kinds(evidence):
                    encrypted += self._required(plan.needs, symbols, kind, evidence)
                encrypted = self._in_container(name, encrypted, evidence.container)
                paths = [item.path for item in encrypted]
        if not paths:
            return None
        use = next((use for use in self.uses if use.definition == name), None)
        served = self.plans.get(name)
        role = served[0].logical_id if served else use.role if use else ""
        unique = tuple(dict.fromkeys(paths))
        granted = self._granted(name, required, unique, need, evidence)
        return Match(
            name,
            tuple(map(self.place, unique)),
            tuple(dict.fromkeys(required)),
            symbols,
            role,
            served[0] if served else None,
            granted,
            tuple(dict.fromkeys(encrypted)),
        )

    def place(self, path: str) -> TemplatePlace:
        """A path of the template, with its line and in words."""
        who, what = humanize.whereabouts(self.template.data, path)
        return TemplatePlace(path, self.template.line(path), who, what)

    def _required(self, needs: Iterable[Need], symbols: Symbols, need: str, evidence: Evidence) -> list[Need]:
        if evidence.action.lower() == "kms:decrypt" and need != "key":
            # The refused action and its resource are about the key.
            evidence = replace(evidence, action="", resource="")
        named = _named(need, evidence)
        needs = list(needs)
        chosen = [item for item in needs if _asks(item, need, evidence.action)]
        if named:
            # ECS does not always say what a secret is for. Its ARN finds it wherever the template asks for it.
            alike = [item for item in needs if _asks(item, need, evidence.action, anywhere=True)]
            best = _best(alike, lambda item: max(self._fit(item.resource, symbols, arn) for arn in named))
            chosen = [item for item in best if item in chosen] or best
        if evidence.json_key:
            chosen = [item for item in chosen if self._may_have(evidence.json_key, item, symbols)]
        elif _JSON_KEY.search(evidence.text):
            # The text was cut in the key or before it.
            chosen = [item for item in chosen if self._may_have("", item, symbols)]
        if evidence.version not in ("", "AWSCURRENT"):
            chosen = [item for item in chosen if self._may_have(evidence.version, item, symbols)]
        return chosen

    def _may_have(self, part: str, item: Need, symbols: Symbols) -> bool:
        """Whether a secret is asked for with this JSON key, label or version, or if it is empty with any JSON key.

        A value that only the deployment knows may have it.
        """
        parts = _SYMBOL.sub("x", item.target).split(":")
        if part in parts[1:] if part else any(parts[7 if parts[0] == "arn" else 1 :][:1]):
            return True
        symbol = symbols.sole(item.target)
        if symbol is None:
            return False
        # A resource of the template is a secret without a JSON key; a parameter or an import can have one.
        return symbol.name not in self.template.data["Resources"]

    def _fit(self, resource: str, symbols: Symbols, arn: str) -> int:
        """How well a resource of the template matches an ARN: from 0 (not at all) to 3 (exactly)."""
        spelt = self.speller.node(symbols.render(resource))
        if not overlaps(spelt, arn):
            return 0
        names = {symbol.name for symbol in self.reader.symbols.within(spelt)} - {*PSEUDO_PARAMETERS, ""}
        if spelt.isascii() or not names:
            return 3
        return 2 if all(name.lower() in arn.lower() for name in names) else 1

    def _in_container(self, name: str, needs: list[Need], container: str) -> list[Need]:
        if not container:
            return needs
        of_it = [case.path for case in self._containers(name) if self._text(case.node.get("Name")) == container]
        return [need for need in needs if any(need.path.startswith(f"{path}/") for path in of_it)] or needs

    def _containers(self, name: str) -> list[Cursor]:
        return [case for case in definitions.containers(self.reader, name, ALWAYS) if isinstance(case.node, dict)]

    def _text(self, node: object) -> str:
        return self.speller.node(node) if node is not None else ""

    def _images(self, name: str, evidence: Evidence) -> list[tuple[str, str]]:
        """The paths and texts of the images that the evidence may be about."""
        listed = [
            (text.path, self.speller.spell(text.text), evidence.container in ("", self._text(case.node.get("Name"))))
            for case in self._containers(name)
            for text in self.reader.text(case.node.get("Image"), case.path_condition, f"{case.path}/Image")
        ]
        listed = [item for item in listed if item[2]] or listed
        if evidence.image:
            required = _image(evidence.image)
            # Without a tag, ECS only names the repository.
            listed = _best(listed, lambda item: _image_fit(_image(item[1]), required))
        elif ":ecr:" in evidence.resource:
            listed = _best(listed, lambda item: int(overlaps(_repository(item[1]), evidence.resource)))
        elif "ecr" in evidence.host or evidence.action.startswith("ecr:"):
            listed = [item for item in listed if "dkr" in item[1] or not item[1].isascii()]
        return [(path, text) for path, text, _ in listed]

    # -- roles ------------------------------------------------------------------------------------------------------

    def _is_called(self, name: str, family: str) -> int:
        physical = self.physical.get(name, "").rpartition("/")[2].partition(":")[0]
        if physical:
            return 3 if physical == family else 0
        properties = self.reader.template.properties(name)
        given = properties.get("Family", properties.get("JobDefinitionName", properties.get("ServiceName")))
        if given is None:
            return 2 if name.lower() in family.lower() else 0
        text = self._text(given)
        return (3 if text.isascii() else 1) if overlaps(text, family) else 0

    def _role_of(self, name: str, role: str) -> bool:
        """Whether a definition certainly has the execution role of this name."""
        served = self.plans.get(name)
        if served:
            return self._is_role(served[0].logical_id, role)
        return any(
            self._is_role(use.role, role) if use.role else use.outside.rpartition("/")[2] == role
            for use in self.uses
            if use.definition == name
        )

    def _is_role(self, logical_id: str, role: str) -> bool:
        physical = self.physical.get(logical_id)
        if physical:
            return physical == role
        given = self.reader.template.properties(logical_id).get("RoleName")
        plans = [plan for plan, _ in self.plans.values() if plan.logical_id == logical_id]
        given = given if given is not None or not plans else plans[0].spec.properties.get("RoleName")
        if given is None:
            # CloudFormation's names contain the logical ID, or the beginning of a long one.
            return logical_id[:20].lower() in role.lower()
        return overlaps(self._text(given), role)

    def _role_paths(self, name: str, evidence: Evidence) -> list[str]:
        """Where a definition names the role that could not be assumed, or passed."""
        found: list[tuple[str, str, int]] = []
        served = self.plans.get(name)
        if served and (not evidence.role or self._is_role(served[0].logical_id, evidence.role)):
            return [served[0].spec_path]
        for holder, _ in definitions.holders(self.reader, name):
            for key in (definitions.ROLE_PROPERTY, "TaskRoleArn", "JobRoleArn"):
                for text in self.reader.text(holder.node.get(key), holder.path_condition, f"{holder.path}/{key}"):
                    logical_id = uses.role_named(self.reader, text.text)
                    asked = evidence.resource.rpartition("/")[2] if ":role/" in evidence.resource else evidence.role
                    fits = (
                        self._is_role(logical_id, asked)
                        if logical_id
                        else overlaps(self.speller.spell(text.text).rpartition("/")[2], asked)
                    )
                    found.append((text.path, key, int(fits or not asked)))
        return [path for path, _, _ in _best(found, lambda item: item[2])]

    def _granted(
        self, name: str, needs: list[Need], paths: tuple[str, ...], need: str, evidence: Evidence
    ) -> bool | None:
        """Whether the template grants what was refused."""
        served = self.plans.get(name)
        if served:
            plan = served[0]
            if need == "role":
                return True
            granted = {(inner.path, inner.grant.sid) for statement in plan.all_statements for inner in statement.needs}
            if needs and all((item.path, item.grant.sid) in granted for item in needs):
                return True
            actions = [action.lower() for item in needs for action in item.grant.actions] or [evidence.action.lower()]
            if plan.spec.starter and all(action and action.startswith(_STARTER) for action in actions):
                return True
            return None if any(statement.feature is None for statement in plan.statements) else False
        use = next((use for use in self.uses if use.definition == name and use.role), None)
        if use is None:
            # Without a role nothing is granted. What a role elsewhere is granted is not known here.
            return None if any(use.outside for use in self.uses if use.definition == name) else False
        return self._audited(use.role, needs, paths, need, evidence)

    def _audited(
        self, role: str, needs: list[Need], paths: tuple[str, ...], need: str, evidence: Evidence
    ) -> bool | None:
        findings = [found for audit in self.audits if audit.role == role for found in audit.findings]
        if need == "role":
            trust = f"Resources/{role}/Properties/AssumeRolePolicyDocument"
            lacking = any(
                found.kind == "lacking" and found.path in (trust, f"Resources/{role}") and not found.actions
                for found in findings
            )
            return not lacking
        if not needs:
            return None
        actions = {action for item in needs for action in item.grant.actions}
        if evidence.action:
            actions = {action for action in actions if action.lower() == evidence.action.lower()} or actions
        about = [
            found
            for found in findings
            if actions & set(found.actions) and (not found.needed_by or set(paths) & set(found.needed_by))
        ]
        if any(found.kind == "lacking" for found in about):
            return False
        return None if any(found.kind == "unknown" for found in (*about, *_of_policies(findings))) else True


def _of_policies(findings: Iterable[report.Found]) -> Iterator[report.Found]:
    """The findings that a policy, or a part of one, could not be read."""
    return (found for found in findings if found.kind == "unknown" and not found.needed_by)


def _asks(item: Need, need: str, action: str, *, anywhere: bool = False) -> bool:
    """Whether a need is of this kind; `anywhere`: also if the template has it for something else."""
    actions, word = _ASKED[need]
    word = "" if anywhere else word
    mine = [name.lower() for name in item.grant.actions]
    asked = [name.lower() for name in actions]
    if action and (action.lower() in mine or need not in ("image", "image-layers", "image-authorization")):
        asked = [action.lower()]
    if need in ("secret", "parameter", "log-group") and "LogConfiguration" in item.path and word:
        word = "SecretOptions"
    return any(name in mine for name in asked) and (word in item.path or not word)


def encrypted_kinds(evidence: Evidence) -> tuple[str, ...]:
    """The needs whose values a refused KMS key may protect, as far as the text shows the service that decrypts."""
    if evidence.secret:
        return ("secret",)
    if evidence.parameters:
        return ("parameter",)
    found = tuple(kind for kind, pattern in _ENCRYPTED if pattern.search(evidence.text))
    return found or tuple(kind for kind, _ in _ENCRYPTED)


def _named(need: str, evidence: Evidence) -> list[str]:
    """The ARNs of what the evidence is about, with wildcards for unknown parts."""
    found = []
    if need in ("secret", "registry-login", "fsx", "credential-spec") and evidence.secret:
        found.append(evidence.secret)
    if need == "parameter" or evidence.parameters:
        found += [
            name if name.startswith("arn:") else f"arn:*:ssm:*:*:parameter/{name.lstrip('/')}"
            for name in evidence.parameters
        ]
    if need == "key" and evidence.key.startswith("arn:"):
        found.append(evidence.key)
    if evidence.bucket:
        found.append(
            f"arn:*:s3:::{evidence.bucket}/{evidence.key}" if evidence.key else f"arn:*:s3:::{evidence.bucket}"
        )
    if not found and evidence.resource.startswith("arn:"):
        found.append(evidence.resource)
    return found


def _best(items: Iterable[T], score: Callable[[T], int]) -> list[T]:
    """The items of the highest score; none if that is 0."""
    scored = [(score(item), item) for item in items]
    highest = max((number for number, _ in scored), default=0)
    return [item for number, item in scored if number == highest and number > 0]


def _image(text: str) -> tuple[str, str]:
    """An image's repository as registries name it, and its tag or digest."""
    name = _HUB.sub("", text) if "." not in text.partition("/")[0] or "docker.io/" in text else text
    repository, at, digest = name.partition("@")
    if at:
        return repository.partition(":")[0], digest
    head, colon, tag = repository.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (repository, "")


def _image_fit(mine: tuple[str, str], required: tuple[str, str]) -> int:
    if not overlaps(mine[0], required[0]):
        return 0
    literal = mine[0].isascii()
    same_tag = not required[1] or overlaps(mine[1] or "latest", required[1])
    return (2 if literal else 1) + (2 if same_tag else 0)


def _repository(image: str) -> str:
    """The ARN of an image's repository in Amazon ECR; empty if it is in another registry."""
    match = _ECR.fullmatch(image)
    if match is None:
        return "*" if not image.isascii() else ""
    partition, _ = partition_of(match["region"])
    return f"arn:{partition}:ecr:{match['region']}:{match['account']}:repository/{match['name']}"
