"""Who starts the tasks of a template, and whether it may pass their roles to ECS.

What calls `RunTask`, or registers a revision of a task definition, needs `iam:PassRole` on the execution role and on
the task role. A right grant names these roles, and `iam:PassedToService` limits it to ECS tasks. See
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/CWE_IAM_role.html,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/codedeploy_IAM_role.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html

AWS Batch passes the roles of a job definition when that is registered, which is what deploys the stack; who submits a
job passes none. ECS itself passes none for a service, except with CodeDeploy as its deployment controller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from ecs_exec_role.audit import granted, sentences, uses
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.granted import Granted, GrantedStatement
from ecs_exec_role.audit.judge import Finding, JudgedRole, Verdict, condition_holds, verdict
from ecs_exec_role.audit.required import Required
from ecs_exec_role.audit.sentences import TASKS
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.needs import definitions
from ecs_exec_role.needs.overrides import definitions_in
from ecs_exec_role.policies.patterns import Truth, covers, matches
from ecs_exec_role.template import spelling
from ecs_exec_role.template.conditions import ALWAYS, PathCondition
from ecs_exec_role.template.event import PROPERTY, mapping
from ecs_exec_role.template.reader import Reader
from ecs_exec_role.template.related_conditions import RelatedConditions
from ecs_exec_role.template.symbols import Json, references, texts

ACTION = "iam:PassRole"
SERVICE_KEY = "iam:PassedToService"
DOCS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"

_STATE_MACHINES = ("AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine")
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_DEPLOYMENT_GROUP = "AWS::CodeDeploy::DeploymentGroup"
_TASK_ROLE = "TaskRoleArn"
_RUN_TASK = (":aws-sdk:ecs:runtask", ":ecs:action/runtask")
"""How a schedule's universal target and an integration of API Gateway name the call."""
_STARTING_CALLS = ("ecs:runtask", "ecs:starttask", "ecs:registertaskdefinition")
"""The calls of a program for which it must pass the roles of a task definition."""


class Start(NamedTuple):
    """A resource of the template that starts tasks of a definition, and the role that it uses for that.

    `role` is the value of the property with the role at `role_path`; None where the resource has `Policies` of its own,
    as AWS SAM allows. `certain` is false if the template does not show whether the resource starts the task.
    """

    logical_id: str
    kind: str
    definition: str
    role: Json
    role_path: str
    path_condition: PathCondition
    certain: bool = True


class Passing(NamedTuple):
    """Whether something that starts tasks of a definition may pass its roles to ECS.

    `role` is the role that it uses for that, in words.
    """

    starter: str
    kind: str
    definition: str
    role: str
    path: str
    answer: Literal["yes", "no", "cannot tell"]


class _Passed(NamedTuple):
    """A role of a definition: execution role or task role, its ARN as symbolic text, and when it is used."""

    what: str
    text: str
    path_condition: PathCondition
    path: str


def statement(reader: Reader, texts: Iterable[str]) -> dict[str, Json]:
    """The statement that allows to pass these roles to ECS, and nothing else."""
    nodes = [reader.symbols.render(text) for text in dict.fromkeys(texts)]
    return {
        "Effect": "Allow",
        "Action": ACTION,
        "Resource": nodes[0] if len(nodes) == 1 else nodes,
        "Condition": {"StringEquals": {SERVICE_KEY: TASKS}},
    }


# -- who starts tasks -------------------------------------------------------------------------------------------------


def starts(reader: Reader) -> list[Start]:
    """Everything in a template that starts tasks of its definitions."""
    found: list[Start] = []
    with reader.problems.aside():  # CloudFormation reports what is wrong with these resources.
        for logical_id, resource in reader.template.resources.items():
            find = _FINDERS.get(str(resource.get("Type")))
            if find is not None and isinstance(resource.get("Properties"), dict):
                found.extend(find(reader, logical_id, resource["Properties"]))
    return [start for index, start in enumerate(found) if start not in found[:index]]


def _start(
    reader: Reader, logical_id: str, kind: str, task: Json, role: Json, place: str, *, certain: bool = True
) -> Iterator[Start]:
    given = reader.template.path_condition_of(logical_id)
    path = f"Resources/{logical_id}/Properties{place}"
    for definition in sorted(definitions_in(reader, logical_id, task)):
        yield Start(logical_id, kind, definition, role, path, given, certain)


def _rule(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    here = f"Resources/{logical_id}/Properties/Targets"
    for case in reader.each(properties.get("Targets"), ALWAYS, here):
        target = mapping(case.node)
        task = mapping(target.get("EcsParameters")).get("TaskDefinitionArn")
        if task is not None and "RoleArn" in target:
            place = f"{case.path.removeprefix(f'Resources/{logical_id}/Properties')}/RoleArn"
            yield from _start(reader, logical_id, "rule", task, target["RoleArn"], place)


def _schedule(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    target = mapping(properties.get("Target"))
    task = mapping(target.get("EcsParameters")).get("TaskDefinitionArn")
    if task is None and _names_run_task(target.get("Arn")):
        task = target.get("Input")
    if task is not None and "RoleArn" in target:
        yield from _start(reader, logical_id, "schedule", task, target["RoleArn"], "/Target/RoleArn")


def _pipe(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    task = mapping(mapping(properties.get("TargetParameters")).get("EcsTaskParameters")).get("TaskDefinitionArn")
    if task is not None and "RoleArn" in properties:
        yield from _start(reader, logical_id, "pipe", task, properties["RoleArn"], "/RoleArn")


def _state_machine(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    key = "RoleArn" if "RoleArn" in properties else "Role"
    role, place = (properties[key], f"/{key}") if key in properties else (None, "/Policies")
    if role is None and "Policies" not in properties:
        return
    written = properties.get("Definition") or properties.get("DefinitionString")
    text = " ".join(texts(written))
    if written is not None:
        if ":ecs:runtask" in text.lower():
            yield from _start(reader, logical_id, "state machine", written, role, place)
    else:
        # The states are in a file, so what they do with a definition is not known.
        substitutions = properties.get("DefinitionSubstitutions")
        yield from _start(reader, logical_id, "state machine", substitutions, role, place, certain=False)


def _method(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    """A method of API Gateway that calls RunTask itself."""
    integration = mapping(properties.get("Integration"))
    if _names_run_task(integration.get("Uri")) and "Credentials" in integration:
        role, place = integration["Credentials"], "/Integration/Credentials"
        yield from _start(reader, logical_id, "API method", integration, role, place)


def _names_run_task(node: Json) -> bool:
    text = " ".join(texts(node)).lower()
    return any(call in text for call in _RUN_TASK)


def _function(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    """A function that has a definition in its environment, and a role that may start tasks."""
    role, place = (properties["Role"], "/Role") if "Role" in properties else (None, "/Policies")
    variables = mapping(properties.get("Environment")).get("Variables")
    yield from _program(reader, logical_id, "function", variables, role, place)


def _build(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    """A project of CodeBuild that has a definition in its environment, and a role that may deploy it."""
    if "ServiceRole" in properties:
        variables = mapping(properties.get("Environment")).get("EnvironmentVariables")
        yield from _program(reader, logical_id, "build project", variables, properties["ServiceRole"], "/ServiceRole")


def _containers(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    """A task that has another definition in its environment or command, and a task role that may run it."""
    if _TASK_ROLE in properties:
        written = properties.get("ContainerDefinitions")
        yield from _program(reader, logical_id, "task definition", written, properties[_TASK_ROLE], f"/{_TASK_ROLE}")


def _program(reader: Reader, logical_id: str, kind: str, node: Json, role: Json, place: str) -> Iterator[Start]:
    """A program that is given a definition, and that may start tasks of it."""
    named = {name for name in references(node) if reader.template.type_of(name) == "AWS::ECS::TaskDefinition"}
    given = reader.template.path_condition_of(logical_id)
    for definition in sorted(named - {logical_id}):
        path = f"Resources/{logical_id}/Properties{place}"
        start = Start(logical_id, kind, definition, role, path, given, certain=False)
        if any(_runs_tasks(runner.granted) for runner in _runners(reader, start)):
            yield start


def _runs_tasks(grants: Granted) -> bool:
    return any(
        each.effect == "Allow"
        and not each.all_but_actions
        and any(matches(entry.text.lower(), call) is Truth.YES for entry in each.actions for call in _STARTING_CALLS)
        for each in grants.statements
    )


def _pipeline(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    top = f"Resources/{logical_id}/Properties"
    for stage in reader.each(properties.get("Stages"), ALWAYS, f"{top}/Stages"):
        for action in reader.each(mapping(stage.node).get("Actions"), stage.path_condition, f"{stage.path}/Actions"):
            node = mapping(action.node)
            kind = mapping(node.get("ActionTypeId"))
            configuration = mapping(node.get("Configuration"))
            if kind.get("Category") != "Deploy" or kind.get("Provider") not in ("ECS", "CodeDeployToECS"):
                continue
            role, place = (node["RoleArn"], action.path) if "RoleArn" in node else (properties.get("RoleArn"), top)
            if role is None:
                continue
            if kind["Provider"] == "ECS":
                services = _named(reader, "AWS::ECS::Service", "ServiceName", configuration.get("ServiceName"))
            else:
                # The action registers a revision of the task definition, and CodeDeploy deploys that.
                name = configuration.get("DeploymentGroupName")
                groups = _named(reader, _DEPLOYMENT_GROUP, "DeploymentGroupName", name)
                services = [service for group in groups for service in _deployed(reader, group)]
            for service in services:
                task = reader.template.properties(service).get("TaskDefinition")
                yield from _start(reader, logical_id, "pipeline", task, role, f"{place.removeprefix(top)}/RoleArn")


def _deployment_group(reader: Reader, logical_id: str, properties: Mapping[str, Json]) -> Iterator[Start]:
    """A deployment group of CodeDeploy, which makes the task sets of a blue/green deployment."""
    if "ServiceRoleArn" in properties:
        for service in _deployed(reader, logical_id):
            task = reader.template.properties(service).get("TaskDefinition")
            yield from _start(
                reader, logical_id, "deployment group", task, properties["ServiceRoleArn"], "/ServiceRoleArn"
            )


def _deployed(reader: Reader, group: str) -> list[str]:
    """The services of the template to which a deployment group deploys."""
    listed = reader.template.properties(group).get("ECSServices")
    cases = reader.each(listed, ALWAYS, f"Resources/{group}/Properties/ECSServices")
    names = [mapping(case.node).get("ServiceName") for case in cases]
    return [service for name in names for service in _named(reader, "AWS::ECS::Service", "ServiceName", name)]


def _named(reader: Reader, resource_type: str, key: str, node: Json) -> list[str]:
    """The resources of a type that a name can be; `key` is the property with their names."""
    named = references(node)
    written = {text.text for text in reader.text(node)} if node is not None else set()
    return [
        name
        for name in reader.template.by_type.get(resource_type, ())
        if name in named
        or any(
            text.text in written
            for text in (
                reader.text(reader.template.properties(name)[key]) if key in reader.template.properties(name) else ()
            )
        )
    ]


_FINDERS = {
    "AWS::Events::Rule": _rule,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Pipes::Pipe": _pipe,
    "AWS::CodePipeline::Pipeline": _pipeline,
    _DEPLOYMENT_GROUP: _deployment_group,
    "AWS::ApiGateway::Method": _method,
    "AWS::CodeBuild::Project": _build,
    "AWS::ECS::TaskDefinition": _containers,
    **dict.fromkeys(_STATE_MACHINES, _state_machine),
    **dict.fromkeys(_FUNCTIONS, _function),
}


# -- with which role --------------------------------------------------------------------------------------------------


class _Runner(NamedTuple):
    """A role that starts tasks: its path, its name in words, what it is granted, and whether that is known."""

    path: str
    name: str
    granted: Granted
    seen: bool
    path_condition: PathCondition


def _runners(reader: Reader, start: Start) -> Iterator[_Runner]:
    if start.role is None:
        grants = granted.of_policies(reader, start.logical_id)
        yield _Runner(start.role_path, f"the role of {start.logical_id}", grants, True, start.path_condition)
        return
    for text in reader.text(start.role, start.path_condition, start.role_path):
        role = uses.role_named(reader, text.text)
        if role:
            grants = granted.of_role(reader, role)
            yield _Runner(f"Resources/{role}", role, grants, True, text.path_condition)
        else:
            name = f"`{spelling.spell(reader.symbols.render(text.text))}`"
            yield _Runner(text.path, name, Granted((), ()), False, text.path_condition)


# -- which roles it passes --------------------------------------------------------------------------------------------


def _passed(reader: Reader, definition: str, used: Iterable[uses.Use]) -> Iterator[_Passed]:
    """The roles of a definition."""
    for use in used:
        text = reader.symbols.get_att(use.role, "Arn") if use.role else use.outside
        if text:
            yield _Passed("execution role", text, use.path_condition, use.path)
    made = made_role(reader, definition)
    if made:
        given = reader.template.path_condition_of(definition)
        yield _Passed("execution role", reader.symbols.get_att(made, "Arn"), given, f"Resources/{definition}")
    node = reader.template.properties(definition).get(_TASK_ROLE)
    given = reader.template.path_condition_of(definition)
    path = f"Resources/{definition}/Properties/{_TASK_ROLE}"
    for found in reader.text(node, given, path) if node is not None else ():
        role = uses.role_named(reader, found.text)
        arn = reader.symbols.get_att(role, "Arn") if role else found.text
        if arn:
            yield _Passed("task role", arn, found.path_condition, found.path)


def made_role(reader: Reader, definition: str) -> str:
    """The logical ID of the role that the macro writes for a definition; empty if it writes none."""
    if PROPERTY in reader.template.properties(definition):
        return f"{definition}ExecutionRole"
    for role in reader.template.by_type.get(definitions.ROLE, ()):
        spec = mapping(reader.template.properties(role).get(PROPERTY))
        listed = spec.get("TaskDefinitions")
        for entry in listed if isinstance(listed, list) else ():
            if definition in (entry, mapping(entry).get("Ref")):
                return role
    return ""


def roles_of(reader: Reader, definition: str, used: Iterable[uses.Use]) -> list[str]:
    """The ARNs of a definition's execution role and task role, as symbolic text; `used` are its uses of roles."""
    with reader.problems.aside():
        return [role.text for role in _passed(reader, definition, used)]


# -- the judgement ----------------------------------------------------------------------------------------------------


class Judged(NamedTuple):
    """The results for everything that starts the tasks of certain definitions."""

    answers: tuple[Passing, ...]
    findings: tuple[Finding, ...]


class Judge:
    """Judges everything that starts tasks in one template."""

    def __init__(self, reader: Reader, speller: Speller, data: Mapping[str, Json]) -> None:
        self._reader = reader
        self._speller = speller
        self._data = data
        self._related = RelatedConditions.of(reader.template)
        self.starts = starts(reader)
        self._told: set[tuple[str, str]] = set()

    def of(self, names: Sequence[str], used: Mapping[str, Sequence[uses.Use]]) -> Judged:
        """Judges what starts these definitions; `used` are the uses of execution roles of each definition."""
        answers: list[Passing] = []
        findings: list[Finding] = []
        for start in self.starts:
            if start.definition not in names:
                continue
            with self._reader.problems.aside():
                runners = list(_runners(self._reader, start))
            for runner in runners:
                roles = list(self._roles(start, runner, used))
                answer, found = self._one(start, runner, roles)
                answers.append(
                    Passing(start.logical_id, start.kind, start.definition, runner.name, start.role_path, answer)
                )
                findings.extend(found)
                findings.extend(self._too_wide(start, runner, used))
        return Judged(tuple(dict.fromkeys(answers)), tuple(dict.fromkeys(findings)))

    def _roles(self, start: Start, runner: _Runner, used: Mapping[str, Sequence[uses.Use]]) -> Iterator[_Passed]:
        with self._reader.problems.aside():
            passed = list(_passed(self._reader, start.definition, used.get(start.definition, ())))
        for role in passed:
            together = self._related.together(role.path_condition, runner.path_condition)
            if together is not None:
                yield role._replace(path_condition=together)

    def _one(
        self, start: Start, runner: _Runner, roles: Sequence[_Passed]
    ) -> tuple[Literal["yes", "no", "cannot tell"], list[Finding]]:
        """Whether a starter may pass these roles."""
        shown = self._reader.symbols.show
        if not roles:
            return "yes", []
        if not runner.seen:
            listed = _listed(f"the {role.what}" for role in roles)
            what = sentences.runner_outside(_who(start), start.definition, runner.name, listed)
            wanted = statement(self._reader, [role.text for role in roles])
            fix = sentences.check_allows(_said(wanted))
            return "cannot tell", [
                Finding("pass-role-uncertain", runner.path, what, fix, (ACTION,), statements=(wanted,))
            ]
        worst: Literal["yes", "no", "cannot tell"] = "yes"
        lacking: dict[Verdict, list[_Passed]] = {}
        for role in roles:
            required = self._required(role, start)
            found = verdict(self._case(runner, required), required, ACTION)
            if found is not None:
                lacking.setdefault(found, []).append(role)
        findings = []
        for found, those in lacking.items():
            certain = found.code in ("permission-lacking", "permission-denied")
            listed = _listed(f"the {role.what} {shown(role.text)}" for role in those)
            said = f"{ACTION} on {listed} {found.what}"
            if certain and start.certain:
                worst = "no"
                code = "pass-role-lacking"
                what = sentences.cannot_pass(_who(start), start.definition, runner.name, said)
            else:
                worst = worst if worst == "no" else "cannot tell"
                code = "pass-role-uncertain"
                what = sentences.may_not_pass(
                    _who(start), start.definition, runner.name, said, starts=start.certain, certain=certain
                )
            wanted = statement(self._reader, [role.text for role in those])
            fix = f"allow {_said(wanted)}" if found.code == "permission-lacking" else found.fix
            findings.append(
                Finding(code, found.path or runner.path, what, fix, (ACTION,), listed, (those[0].path,), (wanted,))
            )
        return worst, findings

    def _case(self, runner: _Runner, *required: Required) -> JudgedRole:
        return JudgedRole(
            granted=runner.granted,
            required=required,
            unresolved=(),
            keys_unknown=False,
            speller=self._speller,
            symbols=self._reader.symbols,
            role_path=runner.path,
            data=self._data,
        )

    def _required(self, role: _Passed, start: Start) -> Required:
        return Required(
            actions=(ACTION,),
            kind="Role",
            resources=(self._speller.spell(role.text),),
            shown=self._reader.symbols.show(role.text),
            context={SERVICE_KEY.lower(): (TASKS,)},
            where=f"{SERVICE_KEY} is {TASKS}",
            path_condition=role.path_condition,
            path=role.path,
            definition=start.definition,
        )

    def _too_wide(self, start: Start, runner: _Runner, used: Mapping[str, Sequence[uses.Use]]) -> Iterator[Finding]:
        """The grants with which a starter may pass more roles than it needs to, or pass them to other services."""
        mine = [other for other in self.starts if _same_role(start, other)]
        roles = [role for other in mine for role in self._roles(other, runner, used)]
        texts = list(dict.fromkeys(role.text for role in roles))
        spelt = [self._speller.spell(text) for text in texts]
        wanted = statement(self._reader, texts) if texts else {}
        for each in runner.granted.statements if texts else ():
            holds, _ = condition_holds(self._case(runner), each.condition, {SERVICE_KEY.lower(): (TASKS,)})
            why = self._excess(each, spelt) if holds is Truth.YES else ""
            if not why or (runner.path, f"{each.path} {why}") in self._told:
                continue
            self._told.add((runner.path, f"{each.path} {why}"))
            what = sentences.passes_too_much(
                _who(start), start.definition, runner.name, f"{each.source} allows {why}", certain=start.certain
            )
            fix = sentences.pass_only(_said(wanted), runner.name)
            if each.managed_by_aws:
                fix = sentences.with_inline_policy(fix)
            yield Finding("pass-role-too-wide", each.path, what, fix, (ACTION,), "", (), (wanted,))

    def _excess(self, each: GrantedStatement, spelt: Sequence[str]) -> str:
        """The part of a statement that exceeds passing these roles to ECS, in words; empty if nothing does."""
        if each.effect != "Allow" or each.opaque:
            return ""
        if each.all_but_actions:
            return f"{ACTION} by NotAction"
        passing = [entry.text for entry in each.actions if matches(entry.text.lower(), ACTION.lower()) is Truth.YES]
        if not passing:
            return ""
        if each.all_but_resources:
            return f"{passing[0]} on everything but what its NotResource names"
        wide, right = [], []
        for entry in each.resources:
            text = self._speller.spell(entry.text)
            shown = entry.written or self._reader.symbols.show(entry.text)
            if any(covers(arn, text) for arn in spelt):
                right.append(shown)
            elif any(matches(text, arn, self._speller.generated) is Truth.YES for arn in spelt):
                wide.append(shown)
        services = self._services(each.condition)
        to = (
            ""
            if services == [TASKS]
            else " to any service"
            if services is None
            else f" to {_listed(map(self._reader.symbols.show, services))}"
        )
        if not wide and not (right and to):
            return ""
        return f"{passing[0]} on {', '.join(wide or right)}{to}"

    def _services(self, condition: Json) -> list[str] | None:
        """The services to which a condition allows to pass a role, as patterns; None if it does not limit them."""
        for operator, keys in mapping(condition).items():
            for key, node in mapping(keys).items():
                if key.lower() == SERVICE_KEY.lower() and not operator.lower().endswith("ifexists"):
                    listed = node if isinstance(node, list) else [node]
                    return [self._speller.node(item) for item in listed]
        return None


def _same_role(one: Start, other: Start) -> bool:
    return one.role == other.role if one.role is not None else one.logical_id == other.logical_id


def _who(start: Start) -> str:
    return f"the {start.kind} {start.logical_id}"


def _listed(parts: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(parts))


def _said(document: Mapping[str, Json]) -> str:
    nodes = document["Resource"] if isinstance(document["Resource"], list) else [document["Resource"]]
    return f"{ACTION} on {', '.join(map(spelling.shown, nodes))} where {SERVICE_KEY} is {TASKS}"
