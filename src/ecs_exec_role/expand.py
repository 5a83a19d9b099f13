"""The macro itself, as a function: an event goes in, the expanded template comes out.

The way is one: event → template → specs → needs → statements → roles → fragment. Nothing on it calls AWS, reads a file
or changes what it was given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.features import CONTAINER_PROPERTIES, DECLARE, VOLUME_PROPERTIES, images, logs
from ecs_exec_role.guardrails.enforce import enforce
from ecs_exec_role.needs import definitions
from ecs_exec_role.needs.context import Inquiry
from ecs_exec_role.needs.definitions import BATCH, EXPRESS, ROLE, ROLE_PROPERTY
from ecs_exec_role.needs.need import Need
from ecs_exec_role.policies.statements import Statement, Writer
from ecs_exec_role.roles import role
from ecs_exec_role.roles.preflight_resource import preflight_resource
from ecs_exec_role.roles.role import RolePlan, Used
from ecs_exec_role.settings import NO_SETTINGS, Settings
from ecs_exec_role.spec import parse as specs
from ecs_exec_role.spec.parse import Spec
from ecs_exec_role.template.conditions import ALWAYS, Guard, TooManyConditions, Tree, both, tree, when
from ecs_exec_role.template.dependencies import Graph, depends_on
from ecs_exec_role.template.event import PROPERTY, TOO_DEEP, Template, mapping, mentions, read
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.symbols import NO_VALUE, Json, Symbols, TooManySymbols, references

MOST_RESOURCES = 500
"""The resources that CloudFormation takes in one template.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

LARGEST_ANSWER = 6_000_000
"""Characters of a template that a function can answer with: Lambda's 6 MB, less what stands around the template.

CloudFormation takes 1 MB, but only once all macros are through, and says so itself. See
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-troubleshoot-processed-template.html
"""


_ROLE_PROPERTIES = {"AssumeRolePolicyDocument", "Policies", *specs.ROLE_PROPERTIES}


class Expansion(NamedTuple):
    """An expanded template.

    `symbols` tells what the symbolic texts in the roles' needs stand for.
    """

    fragment: dict[str, Json]
    roles: tuple[RolePlan, ...]
    symbols: Symbols

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What may be missing in spite of all."""
        return tuple(dict.fromkeys(warning for plan in self.roles for warning in plan.warnings))


def respond(event: Mapping[str, Any], settings: Settings = NO_SETTINGS) -> dict[str, Json]:
    """The macro's answer to CloudFormation: the expanded fragment, or why there is none.

    See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
    """
    try:
        return success(event, expand(event, settings))
    except TemplateError as error:
        return failure(event, str(error))


def success(event: Mapping[str, Any], expansion: Expansion) -> dict[str, Json]:
    """The answer with the expanded template."""
    return {"requestId": _request(event), "status": "success", "fragment": expansion.fragment}


def failure(event: Mapping[str, Any], message: str) -> dict[str, Json]:
    """The answer that makes CloudFormation show `message` to the user."""
    return {"requestId": _request(event), "status": "failure", "errorMessage": message}


def _request(event: object) -> Json:
    return event.get("requestId") if isinstance(event, Mapping) else None


def expand(event: Mapping[str, Any], settings: Settings = NO_SETTINGS) -> Expansion:
    """Expands a template, or a snippet.

    Args:
        event: what CloudFormation sends to a macro's function.
        settings: what the macro's owner has set for every template.

    Raises:
        TemplateError: with every mistake of the template, each with its path and its remedy.
    """
    try:
        return _expand(event, settings)
    except RecursionError:
        problem = TOO_DEEP
    except TooManyConditions:
        problem = Problem(
            "template", "hangs one role on too many conditions", "split the definition, or its conditions"
        )
    except TooManySymbols:
        problem = Problem("template", "has too many different intrinsic functions", "split it into several stacks")
    raise TemplateError([problem])


def _expand(event: Mapping[str, Any], settings: Settings) -> Expansion:
    if not isinstance(event, Mapping):
        raise TemplateError([Problem("event", "is no request of CloudFormation's", "send a macro's request")])
    parameters = event.get("params")
    if parameters is not None and not isinstance(parameters, dict):
        raise TemplateError([Problem("params", "is no mapping", "write Parameters as a mapping, or leave them out")])
    template = read(event)
    symbols = Symbols()
    if parameters or (template.fragment and template.fragment.keys() <= _ROLE_PROPERTIES):
        if "Resources" in template.fragment:
            place = "Transform/EcsExecRole/Parameters"
            fix = f"write {PROPERTY} on the task definition, and no Parameters beside the Transform"
            raise TemplateError([Problem(place, "mean nothing for a whole template", fix)])
        return _Expander(template, symbols, settings).snippet(parameters or {})
    if not template.mentions:
        return Expansion(template.fragment, (), symbols)
    return _Expander(template, symbols, settings).whole()


class _Expander:
    """The expansion of one template; its methods are the steps, in their order."""

    def __init__(self, template: Template, symbols: Symbols, settings: Settings) -> None:
        self.template = template
        self.symbols = symbols
        self.settings = settings
        self.problems: list[Problem] = []
        self.reader = Reader(template, symbols, self.problems)
        self.writer = Writer(symbols, template)
        self.types = {name: template.type_of(name) for name in template.resources}

    # -- a whole template ---------------------------------------------------------------------------------------------

    def whole(self) -> Expansion:
        owners = self._owners()
        found = {owner: self._spec(owner, owners[owner]) for owner in owners}
        used = self._used(found)
        plans = []
        for owner, spec in found.items():
            if spec is not None:
                plans.append(self._plan(owner, spec, used[owner]))
        self._refuse()
        graph = self._graph(plans)
        plans = self._without_rings(plans, graph)
        fragment = self._fragment(plans, graph)
        self._refuse()
        return Expansion(fragment, tuple(plans), self.symbols)

    def _refuse(self) -> None:
        if self.problems:
            raise TemplateError(self.problems)

    def _owners(self) -> dict[str, str]:
        """The resources that have a spec, each with the logical ID that its role gets."""
        owners = {}
        places = 0
        for name, resource in self.template.resources.items():
            properties = resource.get("Properties")
            if not isinstance(properties, dict) or PROPERTY not in properties:
                continue
            places += 1
            kind = self.types[name]
            if kind not in definitions.PLACES:
                self._misplaced(f"Resources/{name}/Properties/{PROPERTY}")
                continue
            role_id = name if kind == ROLE else f"{name}ExecutionRole"
            if role_id != name and self._is_taken(role_id):
                self.problems.append(
                    Problem(
                        f"Resources/{name}/Properties/{PROPERTY}",
                        f"makes a role {role_id}, and that logical ID is taken",
                        f"rename the other {role_id}, or write the spec on an AWS::IAM::Role",
                    )
                )
            owners[name] = role_id
        if self.template.mentions > places:
            legitimate = {f"Resources/{name}/Properties/{PROPERTY}" for name in self.template.resources}
            for path in mentions(self.template.fragment):
                if path not in legitimate:
                    self._misplaced(path)
        return owners

    def _misplaced(self, path: str) -> None:
        fix = f"write it in the Properties of {', '.join(definitions.PLACES)}"
        if "/Fn::ForEach::" in path:
            fix = "name AWS::LanguageExtensions before EcsExecRole in Transform, so that the loop is gone by then"
        self.problems.append(Problem(path, f"{PROPERTY} means nothing here", fix))

    def _spec(self, owner: str, role_id: str) -> Spec | None:
        """The spec of a resource so far as it is well-formed; what is wrong in it is reported, and the rest read."""
        path = f"Resources/{owner}/Properties/{PROPERTY}"
        node = self.template.properties(owner)[PROPERTY]
        cases = list(self.reader.cases(node, ALWAYS, path))
        if len(cases) == 1 and cases[0].guard == ALWAYS:
            node = cases[0].node
        return self._checked(node, path, on_role=owner == role_id, snippet=False)

    def _checked(self, node: Json, path: str, *, on_role: bool, snippet: bool) -> Spec | None:
        wrong = specs.check(node, path, on_role=on_role, snippet=snippet)
        self.problems.extend(wrong)
        if wrong and isinstance(node, dict):
            places = {problem.path[len(path) + 1 :].partition("/")[0] for problem in wrong}
            if "" in places:
                return None
            node = {name: value for name, value in node.items() if name not in places}
        elif wrong:
            return None
        return specs.read(self.reader, node, path)

    def _used(self, found: Mapping[str, Spec | None]) -> dict[str, tuple[Used, ...]]:
        """For each owner of a spec, the definitions that get its role; a definition can get but one."""
        used: dict[str, tuple[Used, ...]] = {}
        roles: dict[str, str] = {}
        for owner in found:
            if self.types[owner] != ROLE:
                roles[owner] = owner
                used[owner] = (Used(ALWAYS, owner, f"Resources/{owner}"),)
                path = f"Resources/{owner}/Properties/{PROPERTY}"
                self._own_role_only(owner, path)
                if next(definitions.holders(self.reader, owner), None) is None:
                    what = "means nothing on a definition without containers that ECS starts"
                    self.problems.append(Problem(path, what, "leave it out"))
        for owner, spec in found.items():
            if self.types[owner] != ROLE or spec is None:
                continue
            if spec.shared is None:
                used[owner] = tuple(self._referring(owner)) if spec.infer else ()
                continue
            uses = []
            for entry in spec.shared:
                if self.types.get(entry.logical_id) not in definitions.TYPES:
                    what = f"`{entry.logical_id}` is no task definition of this template"
                    self.problems.append(Problem(entry.path, what, "write the logical ID of one"))
                elif entry.logical_id in roles:
                    what = f"`{entry.logical_id}` has an execution role from {roles[entry.logical_id]} already"
                    self.problems.append(Problem(entry.path, what, "name it once, and leave its own spec out"))
                else:
                    roles[entry.logical_id] = owner
                    condition = self.template.condition(entry.logical_id)
                    guard = both(entry.guard, ((condition, True),) if condition else ALWAYS)
                    self._own_role_only(entry.logical_id, entry.path, owner)
                    if guard is not None:
                        uses.append(Used(guard, entry.logical_id, entry.path))
            used[owner] = tuple(uses)
        return used

    def _own_role_only(self, definition: str, path: str, role_id: str = "") -> None:
        """Refuses a definition that names an execution role; its own is no mistake."""
        for holder, _ in definitions.holders(self.reader, definition):
            if ROLE_PROPERTY not in holder.node:
                continue
            texts = self.reader.text(holder.node[ROLE_PROPERTY])
            if not texts or (role_id and all(text.text == self.symbols.get_att(role_id, "Arn") for text in texts)):
                continue
            self.problems.append(
                Problem(
                    path,
                    f"{definition} has an {ROLE_PROPERTY} at {holder.path} already",
                    f"remove either the {ROLE_PROPERTY} or the spec",
                )
            )

    def _referring(self, role_id: str) -> Iterator[Used]:
        """The definitions whose `ExecutionRoleArn` is this role's."""
        arn = self.symbols.get_att(role_id, "Arn")
        for name, kind in self.types.items():
            if kind not in definitions.TYPES:
                continue
            condition = self.template.condition(name)
            for holder, _ in definitions.holders(self.reader, name, ((condition, True),) if condition else ALWAYS):
                for text in self.reader.text(holder.node.get(ROLE_PROPERTY), holder.guard):
                    if text.text == arn:
                        yield Used(text.guard, name, f"{holder.path}/{ROLE_PROPERTY}")

    # -- one role -----------------------------------------------------------------------------------------------------

    def _plan(self, owner: str, spec: Spec, used: tuple[Used, ...]) -> RolePlan:
        """What one role is to hold."""
        role_id = owner if self.types.get(owner) == ROLE else f"{owner}ExecutionRole"
        ask = self._inquiry(spec)
        needs: list[Need] = []
        if not spec.starter:
            if spec.infer:
                for logical_id, guard in dict.fromkeys((use.logical_id, use.guard) for use in used):
                    needs.extend(self._infer(ask, logical_id, guard))
                self._settle_unread(ask)
            for name, entries in spec.entries.items():
                for entry in entries:
                    needs.extend(DECLARE[name](ask, entry))
        spec, guarded = enforce(self.settings.guardrails, self.reader, self.types, owner, spec, needs)
        condition = self.template.condition(owner)
        given: Guard = ((condition, True),) if condition else ALWAYS
        statements = self.writer.statements(guarded, spec.statements, given)
        asked = self._needs_beside(spec, used) if spec.starter and spec.preflight else ()
        return RolePlan(
            logical_id=role_id,
            spec_path=spec.path,
            owner=owner,
            spec=spec,
            used=used,
            needs=guarded,
            statements=tuple(statements),
            deferred=(),
            notes=tuple(ask.notes),
            warnings=tuple(ask.warnings),
            condition=condition,
            asked=tuple(self.writer.statements(asked, (), given)),
        )

    def _needs_beside(self, spec: Spec, used: tuple[Used, ...]) -> Iterator[Need]:
        """What the tasks of a Starter role need, which the check at deployment asks about; the macro grants none of it.

        What is wrong in the definitions, or cannot be classified, is then not for the macro to say.
        """
        before = len(self.problems)
        ask = self._inquiry(spec._replace(ignore_unresolved=True))
        for logical_id, guard in dict.fromkeys((use.logical_id, use.guard) for use in used):
            yield from self._infer(ask, logical_id, guard)
        del self.problems[before:]
        self.reader.unread.clear()

    def _settle_unread(self, ask: Inquiry) -> None:
        """What of the definitions could not be read is a mistake, unless the spec says to pass it over."""
        for unread in self.reader.unread:
            if ask.ignore_unresolved:
                ask.note(unread.path, f"{unread.what}, and `Unresolved: Ignore` passes it over", "")
            else:
                self.problems.append(unread)
        self.reader.unread.clear()

    def _inquiry(self, spec: Spec) -> Inquiry:
        settled: dict[str, set[str]] = {}
        keyed: set[str] = set()
        for name, entries in spec.entries.items():
            for entry in entries:
                texts = (
                    {text.text for text in self.reader.text(entry.node, entry.guard, entry.path)}
                    if name != "GuardDuty"
                    else set()
                )
                settled.setdefault(name, set()).update(texts)
                if "KmsKey" in entry.options:
                    keyed.update(texts)
        return Inquiry(
            self.reader,
            self.types,
            spec_path=spec.path,
            ignore_unresolved=spec.ignore_unresolved,
            settled=settled,
            keyed=keyed,
            pull_conditions=images.source_conditions(spec.vpcs, spec.endpoints),
        )

    def _infer(self, ask: Inquiry, logical_id: str, guard: Guard) -> Iterator[Need]:
        """What one definition needs, as its own properties and those of the services that run it say."""
        kind = self.types[logical_id]
        ask.default_log_group = definitions.DEFAULT_LOG_GROUPS.get(kind, "")
        for container in definitions.containers(self.reader, logical_id, guard):
            for name, node in container.node.items():
                for infer in CONTAINER_PROPERTIES.get(name, ()):
                    yield from infer(ask, node, container.guard, f"{container.path}/{name}")
            if kind == BATCH:
                configuration = container.node.get("LogConfiguration", NO_VALUE)
                yield from logs.infer_default(ask, configuration, container.guard, container.path)
            elif kind == EXPRESS:
                properties = self.template.properties(logical_id)
                path = f"Resources/{logical_id}/Properties"
                yield from logs.infer_express_default(ask, properties, container, path)
        for volume in definitions.volumes(self.reader, logical_id, guard):
            for case in self.reader.mappings(volume.node, volume.guard, volume.path):
                for name, node in case.node.items():
                    for infer in VOLUME_PROPERTIES.get(name, ()):
                        yield from infer(ask, node, case.guard, f"{case.path}/{name}")
        for service, runs in self._services().get(logical_id, ()):
            together = both(runs, guard)
            if together is not None:
                yield from self._infer_service(ask, service, together)

    def _infer_service(self, ask: Inquiry, service: str, guard: Guard) -> Iterator[Need]:
        """What a service's Service Connect proxies need, whose logs and options are written with the task's role."""
        ask.default_log_group = ""
        path = f"Resources/{service}/Properties/ServiceConnectConfiguration"
        node = self.template.properties(service)["ServiceConnectConfiguration"]
        for case in self.reader.mappings(node, guard, path):
            if "LogConfiguration" in case.node:
                for infer in CONTAINER_PROPERTIES["LogConfiguration"]:
                    yield from infer(ask, case.node["LogConfiguration"], case.guard, f"{case.path}/LogConfiguration")

    def _services(self) -> dict[str, list[tuple[str, Guard]]]:
        """For each definition, the services with Service Connect that run it, and under which conditions they do."""
        if self._service_index is None:
            self._service_index = {}
            for name, kind in self.types.items():
                properties = self.template.properties(name)
                if kind != "AWS::ECS::Service" or "ServiceConnectConfiguration" not in properties:
                    continue
                condition = self.template.condition(name)
                guard: Guard = ((condition, True),) if condition else ALWAYS
                for text in self.reader.text(properties.get("TaskDefinition"), guard):
                    symbol = self.symbols.sole(text.text)
                    if symbol is not None and symbol.kind in ("Ref", "GetAtt"):
                        self._service_index.setdefault(symbol.name, []).append((name, text.guard))
        return self._service_index

    _service_index: dict[str, list[tuple[str, Guard]]] | None = None

    # -- putting it together ------------------------------------------------------------------------------------------

    def _graph(self, plans: list[RolePlan]) -> Graph:
        """What waits for what once the roles are there."""
        added: dict[str, set[str]] = {}
        for plan in plans:
            added.setdefault(plan.logical_id, set()).update(*(statement.references for statement in plan.statements))
            for definition in plan.definitions:
                added.setdefault(definition, set()).add(plan.logical_id)
        return Graph(self.template, added)

    def _without_rings(self, plans: list[RolePlan], graph: Graph) -> list[RolePlan]:
        """The plans with those statements set apart that would make the role wait for something that waits for it."""
        result = []
        for plan in plans:
            refers = set().union(*(statement.references for statement in plan.statements))
            starts = refers & self.template.resources.keys()
            if not starts or not graph.reaches(starts, plan.logical_id):
                result.append(plan)
                continue
            inline: list[Statement] = []
            deferred: list[Statement] = []
            for statement in plan.statements:
                closes = graph.reaches(statement.references & self.template.resources.keys(), plan.logical_id)
                (deferred if closes else inline).append(statement)
            result.append(plan._replace(statements=tuple(inline), deferred=tuple(deferred)))
        return result

    def _fragment(self, plans: list[RolePlan], graph: Graph) -> dict[str, Json]:
        """The template with its roles: everything that was there as it was, in its order."""
        changed: dict[str, dict[str, Json]] = {}
        new: dict[str, dict[str, dict[str, Json]]] = {}
        conditions: dict[str, Json] = {}
        waits: dict[str, list[str]] = {}
        for plan in plans:
            built = role.build(plan, self.template, self.problems)
            conditions.update(built.conditions)
            resources = dict(built.resources)
            awaited = built.attached_later
            if plan.spec.preflight:
                check = f"{plan.logical_id}Preflight"
                resource = preflight_resource(plan, self.symbols, self.settings, awaited, self.problems)
                if resource is not None:
                    resources[check] = resource
                    awaited = [*awaited, check]
            if plan.owner == plan.logical_id:
                changed[plan.owner] = resources.pop(plan.owner)
            self._take(plan, resources, built.conditions)
            new[plan.owner] = resources
            # What a policy or a check waits for itself cannot wait for it.
            needed = set().union(*(references(resources[name]) for name in awaited))
            for definition in plan.definitions if awaited else ():
                for runner in definitions.runners(self.template, definition):
                    if not graph.reaches(needed - {plan.logical_id}, runner):
                        waits.setdefault(runner, []).extend(awaited)
            self._hand_out(plan, changed)
        for runner, names in waits.items():
            resource = changed.get(runner, self.template.resources[runner])
            listed = [*depends_on(resource), *names]
            changed[runner] = {**resource, "DependsOn": list(dict.fromkeys(listed))}
        return self._assembled(changed, new, conditions)

    def _take(self, plan: RolePlan, resources: Mapping[str, Json], conditions: Mapping[str, Json]) -> None:
        """Refuses logical IDs that are taken; the role's own was looked at before."""
        for name in resources:
            if self._is_taken(name) and name != plan.logical_id:
                what = f"makes a resource {name}, and that logical ID is taken"
                self.problems.append(Problem(plan.spec_path, what, f"rename the other {name}"))
        for name in conditions:
            if name in mapping(self.template.fragment.get("Conditions")):
                what = f"makes a condition {name}, and that name is taken"
                self.problems.append(Problem(plan.spec_path, what, f"rename the other {name}"))

    def _is_taken(self, name: str) -> bool:
        """Whether a resource or a parameter has that logical ID: the two share their names."""
        return name in mapping(self.template.fragment.get("Resources")) or name in self.template.parameters

    def _hand_out(self, plan: RolePlan, changed: dict[str, dict[str, Json]]) -> None:
        """Sets the role on the definitions that use it, and takes the spec from those that have it."""
        arn: Json = {"Fn::GetAtt": [plan.logical_id, "Arn"]}
        for definition in plan.definitions:
            if definition != plan.owner and plan.spec.shared is None:
                continue
            resource = changed.get(definition, self.template.resources[definition])
            written = mapping(resource.get("Properties"))
            properties = {name: node for name, node in written.items() if name != PROPERTY}
            held = when(self._role_held(plan, definition), arn)
            changed[definition] = definitions.with_role({**resource, "Properties": properties}, held)

    def _role_held(self, plan: RolePlan, definition: str) -> Tree:
        """Under which conditions a definition gets the role: the role's own, and those of its entry in the spec."""
        guards = [
            guard
            for use in plan.used
            if use.logical_id == definition and (guard := both(use.guard, plan.given)) is not None
        ]
        condition = self.template.condition(definition)
        return tree(guards, ((condition, True),) if condition else ALWAYS)

    def _assembled(
        self, changed: Mapping[str, Json], new: Mapping[str, Mapping[str, Json]], conditions: Mapping[str, Json]
    ) -> dict[str, Json]:
        fragment = self.template.fragment
        resources: dict[str, Json] = {}
        for name, resource in mapping(fragment.get("Resources")).items():
            resources[name] = changed.get(name, resource)
            resources.update(new.get(name, {}))
        if len(resources) > MOST_RESOURCES:
            what = f"has {len(resources)} resources once its roles are added; CloudFormation takes {MOST_RESOURCES}"
            self.problems.append(Problem("Resources", what, "let definitions share a role, or split the stack"))
        expanded = {**fragment, "Resources": resources}
        if conditions:
            expanded["Conditions"] = {**mapping(fragment.get("Conditions")), **conditions}
        # Roles may make a template several times as long, and to measure one takes as long as to write it.
        if self.template.size > LARGEST_ANSWER // 8:
            length = len(json.dumps(expanded, separators=(",", ":")))
            if length > LARGEST_ANSWER:
                what = f"has {length:,} characters once its roles are added; a macro can return {LARGEST_ANSWER:,}"
                self.problems.append(Problem("template", what, "let definitions share a role, or split the stack"))
        return expanded

    # -- a snippet ----------------------------------------------------------------------------------------------------

    def snippet(self, parameters: dict[str, Json]) -> Expansion:
        """Expands `Fn::Transform` inside of a role's properties, which are all that can be seen."""
        path = "Fn::Transform/Parameters"
        siblings = self.template.fragment
        self.template = self.template._replace(
            fragment={}, resources={"Role": {"Type": ROLE, "Properties": siblings}}, by_type={}, whole=False
        )
        self.reader = Reader(self.template, self.symbols, self.problems)
        self.types = {"Role": ROLE}
        spec = self._checked(parameters, path, on_role=True, snippet=True)
        self._refuse()
        if spec is None:
            raise AssertionError(parameters)
        self.types = {}
        ask_plan = self._plan("Role", spec, ())
        plan = ask_plan._replace(logical_id="Role")
        self._refuse()
        built = role.build(plan, self.template, self.problems)
        if len(built.resources) > 1:
            what = "needs more policies than fit into the role, and a snippet can add none beside it"
            self.problems.append(Problem(path, what, f"write {PROPERTY} on the role instead"))
        self._refuse()
        return Expansion(built.resources["Role"]["Properties"], (plan,), self.symbols)
