"""Which role each definition gets, and from which spec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ecs_exec_role.errors import Problem, Problems
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.needs.definitions import ROLE, ROLE_PROPERTY
from ecs_exec_role.needs.need import FIELDS_OF_ARN
from ecs_exec_role.spec import check, parse
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.conditions import ALWAYS, PathCondition, both
from ecs_exec_role.template.cursor import Cursor
from ecs_exec_role.template.event import MISSPELT, PROPERTY, Template, mapping, mentions
from ecs_exec_role.template.reader import Reader, is_intrinsic
from ecs_exec_role.template.similar_names import likely
from ecs_exec_role.template.symbols import Json

_LONGEST_LOGICAL_ID = 255
"""See https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/resources-section-structure.html"""

_WITHOUT_ROLE = (definitions.BATCH, definitions.EXPRESS)
"""The resource types that have no place for a role if they have no containers."""


class Used(NamedTuple):
    """A definition that uses a role, and under which conditions; `path` is the place that names it."""

    path_condition: PathCondition
    logical_id: str
    path: str


class Assignment(NamedTuple):
    """One role that the macro makes or completes.

    `logical_id` is the role's; `owner` that of the resource with the spec: a definition, or the role itself.
    `condition` is the name of the condition under which the role exists; `others` are definitions that name
    the role although its spec infers nothing from them.
    """

    logical_id: str
    owner: str
    spec: Spec
    used: tuple[Used, ...]
    condition: str | None
    others: tuple[Used, ...] = ()

    @property
    def definitions(self) -> tuple[str, ...]:
        """The logical IDs of what uses the role."""
        return tuple([use.logical_id for use in self.used])

    @property
    def given(self) -> PathCondition:
        """The condition under which the role exists."""
        return ((self.condition, True),) if self.condition else ALWAYS


def assign(reader: Reader) -> list[Assignment]:
    """The roles of a template, in the order of its resources. What is wrong with the specs is reported."""
    template = reader.template
    owners = _owners(reader)
    specs = {owner: _spec_of(reader, owner, on_role=owner == role_id) for owner, role_id in owners.items()}
    uses = _Uses(reader, specs)
    used = uses.all()
    return [
        Assignment(
            owners[owner], owner, spec, used[owner], template.condition(owner), uses.others(owners[owner], used[owner])
        )
        for owner, spec in specs.items()
    ]


def is_taken(template: Template, name: str) -> bool:
    """Whether a resource or a parameter has that logical ID: resources and parameters share one set of names."""
    return name in mapping(template.fragment.get("Resources")) or name in template.parameters


def refuse_long(problems: Problems, path: str, made: str) -> bool:
    """Whether the logical ID of what the macro makes for the spec at `path` is too long, which is a problem."""
    over = len(made) - _LONGEST_LOGICAL_ID
    if over > 0:
        what = (
            f"makes a resource whose logical ID has {len(made)} characters; CloudFormation takes {_LONGEST_LOGICAL_ID}"
        )
        fix = f"give the resource with this spec a logical ID that is at least {over} characters shorter"
        problems.append(Problem(path, what, fix, "not-a-logical-id"))
    return over > 0


# -- the specs --------------------------------------------------------------------------------------------------------


def spec_path(owner: str) -> str:
    """The path of the spec of a resource."""
    return f"Resources/{owner}/Properties/{PROPERTY}"


def _owners(reader: Reader) -> dict[str, str]:
    """The resources that have a spec, each with the logical ID that its role gets."""
    template, problems = reader.template, reader.problems
    owners: dict[str, str] = {}
    places = 0
    for name, resource in template.resources.items():
        properties = resource.get("Properties")
        if not isinstance(properties, dict):
            continue
        kind = template.types[name]
        if template.misspelt and kind in definitions.PLACES:
            problems.extend(_misspelt(name, properties))
        if PROPERTY not in properties:
            continue
        places += 1
        path = spec_path(name)
        if kind not in definitions.PLACES:
            problems.append(_misplaced(path, kind))
            continue
        if not _is_logical_id(reader, name, path):
            continue
        role_id = name if kind == ROLE else f"{name}ExecutionRole"
        if refuse_long(problems, path, role_id):
            continue
        if role_id != name and is_taken(template, role_id):
            what = f"makes a role {role_id}, and that logical ID is in use already"
            fix = f"rename the other {role_id}, or write the spec on an AWS::IAM::Role"
            problems.append(Problem(path, what, fix, "logical-id-taken"))
        owners[name] = role_id
    if template.mentions > places:
        right = {spec_path(name) for name in template.resources}
        problems.extend(_misplaced(path) for path in mentions(template.fragment) if path not in right)
    return owners


def _is_logical_id(reader: Reader, name: str, path: str) -> bool:
    """Whether other resources can refer to a resource by its name; one that cannot be referred to is a mistake."""
    if name.isascii() and name.isalnum() and len(name) <= _LONGEST_LOGICAL_ID:
        return True
    what = f"`{name}` is not a logical ID" if name else "an empty name is not a logical ID"
    reader.problems.append(
        Problem(path, what, "rename the resource: letters and digits only, at most 255", "not-a-logical-id")
    )
    return False


def _misspelt(name: str, properties: Mapping[str, Json]) -> Iterator[Problem]:
    for key in properties:
        if key != PROPERTY and MISSPELT.fullmatch(f'"{key}":'):
            path = f"Resources/{name}/Properties/{key}"
            yield Problem(path, f"unknown property `{key}`", f"did you mean {PROPERTY}? Write that", "unknown-property")


def _misplaced(path: str, kind: str = "") -> Problem:
    fix = f"write it in the Properties of {', '.join(definitions.PLACES)}"
    if "/Fn::ForEach::" in path:
        fix = "list AWS::LanguageExtensions before EcsExecRole in Transform, so that it expands the loop first"
        return Problem(path, f"{PROPERTY} is inside a loop, which EcsExecRole cannot read", fix, "spec-misplaced")
    where = f"on {kind}" if kind else "here"
    return Problem(path, f"{PROPERTY} is not supported {where}", fix, "spec-misplaced")


def _spec_of(reader: Reader, owner: str, *, on_role: bool) -> Spec:
    """The spec of a resource."""
    node, path = reader.template.properties(owner)[PROPERTY], spec_path(owner)
    reader.budget.place = path
    return parse.of_word(node, path) or read_spec(_resolved(Cursor(reader, ALWAYS, node, path)), on_role=on_role)


def _resolved(cursor: Cursor) -> Cursor:
    """A spec, resolved if it is the value of a parameter or a mapping."""
    if is_intrinsic(cursor.node):
        cases = list(cursor.cases())
        if len(cases) == 1 and cases[0].path_condition == ALWAYS:
            return cursor._replace(node=cases[0].node)
    return cursor


def read_spec(cursor: Cursor, *, on_role: bool, snippet: bool = False) -> Spec:
    """The well-formed part of a spec. Mistakes in the rest are reported."""
    node, path, problems = cursor.node, cursor.path, cursor.reader.problems
    cursor.reader.budget.place = path
    wrong = check.check(node, path, on_role=on_role, snippet=snippet)
    problems.extend(wrong)
    found = len(problems)
    spec = None if wrong else parse.read(cursor)
    if spec is not None and len(problems) == found:
        return spec
    from ecs_exec_role.spec import mistaken  # noqa: PLC0415 - only needed after a mistake

    broken = _keys_of(wrong, cursor)
    if "" in broken:
        return mistaken.unreadable(cursor)
    if spec is None:
        # The items of this list that are right name definitions, which can have mistakes too.
        left_out = broken - ({"TaskDefinitions"} if isinstance(node.get("TaskDefinitions"), list) else set())
        spec = parse.read(cursor._replace(node={key: child for key, child in node.items() if key not in left_out}))
    return mistaken.as_far_as_readable(spec, cursor, broken | _keys_of(list(problems)[found:], cursor))


def _keys_of(problems: Iterable[Problem], cursor: Cursor) -> set[str]:
    """The keys of a spec that problems are about; an empty one for the spec itself."""
    node = cursor.node if isinstance(cursor.node, dict) else {}
    return {_key_at(problem.path[len(cursor.path) + 1 :], node) for problem in problems}


def _key_at(place: str, node: Mapping[str, Json]) -> str:
    """The key of a mapping at which a path below it begins. A key can contain a slash."""
    first = place.partition("/")[0]
    if place in node or first in node:
        return place if place in node else first
    return next((key for key in node if "/" in key and place.startswith(f"{key}/")), "")


# -- the definitions --------------------------------------------------------------------------------------------------


class _Naming(NamedTuple):
    """A definition that refers to a role; `arn` is its `ExecutionRoleArn` as symbolic text."""

    path_condition: PathCondition
    logical_id: str
    path: str
    arn: str


class _Uses:
    """For each spec, the definitions that get its role; a definition can get only one role."""

    def __init__(self, reader: Reader, specs: Mapping[str, Spec]) -> None:
        self._reader = reader
        self._template = reader.template
        self._specs = specs
        self._roles: dict[str, str] = {}
        self._may_name_role = dict.fromkeys(self._those_that_may_name_a_role())
        self._naming: dict[str, list[_Naming]] | None = None
        self._role_names: dict[str, str] | None = None

    def all(self) -> dict[str, tuple[Used, ...]]:
        """By the logical ID of the resource with the spec."""
        own = {owner: self._of_itself(owner) for owner in self._specs if self._template.types[owner] != ROLE}
        return {
            owner: own[owner] if owner in own else self._of_role(owner, spec) for owner, spec in self._specs.items()
        }

    def others(self, role_id: str, used: tuple[Used, ...]) -> tuple[Used, ...]:
        """The definitions that name a role, in any form, although its spec infers nothing from them."""
        naming = self._all_naming().get(role_id)
        if naming is None:
            return ()
        known = {use.logical_id for use in used}
        return tuple(
            Used(use.path_condition, use.logical_id, use.path) for use in naming if use.logical_id not in known
        )

    def _of_itself(self, owner: str) -> tuple[Used, ...]:
        self._roles[owner] = owner
        self._refuse_other_role(owner, spec_path(owner))
        if not self._may_have_containers(owner):
            self._refuse(spec_path(owner), *self._without_containers(owner), "no-containers")
        return (Used(ALWAYS, owner, f"Resources/{owner}"),)

    def _may_have_containers(self, owner: str) -> bool:
        """Whether a definition has containers. If its containers cannot be read, the service reports it."""
        kind = self._template.types[owner]
        if kind == definitions.EXPRESS:
            runs = Cursor.of_resource(self._reader, owner).get("TaskDefinitionArn")
            if runs.node is not None and not runs.absences():
                return False
        if kind == definitions.BATCH:
            return next(definitions.holders(self._reader, owner), None) is not None
        if kind != definitions.EXPRESS:
            properties = self._template.properties(owner)
            if "ContainerDefinitions" not in properties or _begins_with_mapping(properties["ContainerDefinitions"]):
                return True
        with self._reader.problems.aside() as unreadable:
            return next(definitions.containers(self._reader, owner, ALWAYS), None) is not None or bool(unreadable)

    def _without_containers(self, owner: str) -> tuple[str, str]:
        """What is wrong with a spec on a resource without containers, and where the spec belongs."""
        runs = Cursor.of_resource(self._reader, owner).get("TaskDefinitionArn")
        if runs.node is None:
            return (
                "is not supported on a definition without containers that ECS starts",
                "add its containers, or remove it",
            )
        names = self._named_by(runs)
        where = f"on {' and '.join(names)}" if names else "on that task definition, in its own template"
        return (
            "is not supported on a service that runs a TaskDefinitionArn: that definition has the role",
            f"write it {where}",
        )

    def _named_without_containers(self, name: str) -> tuple[str, str]:
        """The same for an entry of `TaskDefinitions`."""
        runs = Cursor.of_resource(self._reader, name).get("TaskDefinitionArn")
        if runs.node is None:
            return f"`{name}` has no containers that ECS starts", "add its containers, or remove this entry"
        names = self._named_by(runs)
        fix = f"write {' and '.join(names)} instead" if names else "remove this entry"
        return f"`{name}` runs a TaskDefinitionArn: that definition has the role", fix

    def _named_by(self, runs: Cursor) -> list[str]:
        """The resources of the template that a value refers to."""
        symbols = [self._reader.symbols.sole(text.text) for text in runs.texts()]
        return [symbol.name for symbol in symbols if symbol is not None and symbol.name in self._template.types]

    def _of_role(self, owner: str, spec: Spec) -> tuple[Used, ...]:
        if spec.shared is None:
            return tuple(self._referring(owner)) if spec.infer else ()
        uses = []
        for entry in spec.shared:
            name = entry.logical_id
            if self._template.types.get(name) not in definitions.TYPES:
                what = f"`{name}` is not a task definition of this template"
                by_type = self._template.by_type
                guess = likely(name, (each for kind in definitions.TYPES for each in by_type.get(kind, ())))
                fix = f"did you mean {guess}? Write that" if guess else "write the logical ID of one"
                self._refuse(entry.path, what, fix, "no-such-definition")
            elif not isinstance(self._template.resources[name].get("Properties", {}), dict):
                what = "is not a mapping, so it cannot get an ExecutionRoleArn"
                self._refuse(f"Resources/{name}/Properties", what, "write the definition's properties", "wrong-type")
            elif not _is_logical_id(self._reader, name, entry.path):
                continue
            elif self._template.types[name] in _WITHOUT_ROLE and not self._may_have_containers(name):
                self._refuse(entry.path, *self._named_without_containers(name), "no-containers")
            elif name in self._roles:
                what = f"`{name}` has an execution role from {self._roles[name]} already"
                self._refuse(entry.path, what, "name it once, and remove its own spec", "role-twice")
            else:
                self._roles[name] = owner
                self._refuse_other_role(name, entry.path, owner)
                path_condition = both(entry.path_condition, self._template.path_condition_of(name))
                if path_condition is not None:
                    uses.append(Used(path_condition, name, entry.path))
        return tuple(uses)

    def _refuse(self, path: str, what: str, fix: str, code: str) -> None:
        self._reader.problems.append(Problem(path, what, fix, code))

    def _refuse_other_role(self, definition: str, path: str, role_id: str = "") -> None:
        """Refuses a definition that names an execution role; its own role is not a mistake."""
        if definition not in self._may_name_role:
            return
        arn = self._reader.symbols.get_att(role_id, "Arn") if role_id else ""
        for holder, _ in definitions.holders(self._reader, definition):
            if not holder.has(ROLE_PROPERTY):
                continue
            texts = holder.get(ROLE_PROPERTY).texts()
            if not texts or (arn and all(text.text == arn for text in texts)):
                continue
            what = f"{definition} has an {ROLE_PROPERTY} at {holder.path} already"
            self._refuse(path, what, f"remove either the {ROLE_PROPERTY} or the spec", "role-twice")

    def _referring(self, role_id: str) -> Iterator[Used]:
        """The definitions whose `ExecutionRoleArn` is this role's."""
        for use in self._all_naming().get(role_id, ()):
            if self._is_role(use.arn, role_id):
                yield Used(use.path_condition, use.logical_id, use.path)

    def _is_role(self, text: str, role_id: str) -> bool:
        """Whether a text is this role's ARN, or its name: alone, or at the end of an ARN in the stack's account."""
        symbols, reader = self._reader.symbols, self._reader
        if text == symbols.get_att(role_id, "Arn"):
            return True
        arn, _, name = text.rpartition("/")
        known = reader.known(name)
        if name != symbols.ref(role_id) and (known is None or self._by_role_name().get(known) != role_id):
            return False
        parts = arn.split(":")
        return not arn or (len(parts) == FIELDS_OF_ARN and reader.known(parts[4]) == self._template.account)

    def _all_naming(self) -> dict[str, list[_Naming]]:
        """For each logical ID, the definitions with it in their `ExecutionRoleArn`."""
        if self._naming is None:
            self._naming = {}
            for definition in self._may_name_role:
                self._add_naming(definition, self._naming)
        return self._naming

    def _those_that_may_name_a_role(self) -> Iterator[str]:
        """The definitions that can have an `ExecutionRoleArn`; that of a job of AWS Batch is below its properties."""
        template = self._template
        for definition, kind in template.types.items():
            if kind in definitions.TYPES and (
                kind == definitions.BATCH or ROLE_PROPERTY in template.properties(definition) or template.has_unexpanded
            ):
                yield definition

    def _add_naming(self, definition: str, naming: dict[str, list[_Naming]]) -> None:
        for holder, _ in definitions.holders(self._reader, definition, self._template.path_condition_of(definition)):
            for text in holder.get(ROLE_PROPERTY).texts():
                written = self._by_role_name().get((self._reader.known(text.text) or "").rpartition("/")[2], "")
                for name in {*self._reader.symbols.names(text.text), *([written] if written else [])}:
                    naming.setdefault(name, []).append(_Naming(text.path_condition, definition, text.path, text.text))

    def _by_role_name(self) -> dict[str, str]:
        """The logical IDs of the roles with a spec, by the names that the template gives them."""
        if self._role_names is None:
            self._role_names = {}
            for owner, spec in self._specs.items():
                is_role = self._template.types[owner] == ROLE
                given = self._template.properties(owner) if is_role else spec.properties
                if "RoleName" not in given:
                    continue
                path = f"Resources/{owner}/Properties/RoleName"
                with self._reader.problems.aside():
                    texts = Cursor(self._reader, ALWAYS, given["RoleName"], path).texts()
                for text in texts:
                    known = self._reader.known(text.text)
                    if known:
                        self._role_names[known] = owner if is_role else f"{owner}ExecutionRole"
        return self._role_names


def _begins_with_mapping(node: Json) -> bool:
    """Whether a value is a list whose first item is a mapping, and not a function that gives one."""
    return isinstance(node, list) and bool(node) and isinstance(node[0], dict) and len(node[0]) > 1
