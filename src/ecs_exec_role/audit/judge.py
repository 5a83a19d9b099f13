"""Compares what a role is granted with what its definitions need.

Nothing is guessed: what is not certain is a finding of the kind `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from ecs_exec_role.audit import sentences
from ecs_exec_role.audit.advice import Advice, advice
from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.codes import RULES, Kind
from ecs_exec_role.audit.granted import Granted, GrantedStatement, Pattern
from ecs_exec_role.audit.required import Required, Unresolved
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import humanize
from ecs_exec_role.offline.source_map import value_at
from ecs_exec_role.policies.patterns import Truth, covers, matches, overlaps
from ecs_exec_role.template.conditions import ALWAYS, PathCondition, diagram, difference, when
from ecs_exec_role.template.event import mapping
from ecs_exec_role.template.reader import is_intrinsic
from ecs_exec_role.template.symbols import NO_VALUE, PARTITION, Json, Symbols, is_symbolic, references

_Match: TypeAlias = Callable[[str], Truth]
_Item = TypeVar("_Item")
_Needing: TypeAlias = list[tuple[Required, str]]

_DECRYPT = "kms:Decrypt"

_RESOURCE_POLICIES = {
    "AWS::ECR::Repository": ("RepositoryPolicyText", ""),
    "AWS::KMS::Key": ("KeyPolicy", ""),
    "AWS::KMS::ReplicaKey": ("KeyPolicy", ""),
    "AWS::S3::BucketPolicy": ("PolicyDocument", "Bucket"),
    "AWS::SecretsManager::ResourcePolicy": ("ResourcePolicy", "SecretId"),
}
"""The resource policies that can grant something to a role, and the property that names their resource."""


class Finding(NamedTuple):
    """One thing to know about a role.

    `code` is one of `codes.RULES`. `path` is where to look, `related` are the paths that need it. `statements`
    are what to grant: in addition if something is lacking, instead of what is too wide. `granted` are the statements
    that it is about, and `may_be_needed` the part of them that a task may need although the template does not show it.
    """

    code: str
    path: str
    what: str
    fix: str
    actions: tuple[str, ...] = ()
    resource: str = ""
    related: tuple[str, ...] = ()
    statements: tuple[Json, ...] = ()
    granted: tuple[Json, ...] = ()
    may_be_needed: tuple[Json, ...] = ()

    @property
    def kind(self) -> Kind:
        """Whether something is lacking or too much, or this is not certain."""
        return RULES[self.code].kind

    def __hash__(self) -> int:
        return hash(self[:-3])


class JudgedRole(NamedTuple):
    """One role's policies, and everything that its definitions need from them.

    `keys_unknown`: what is read can have a key that the template does not show. `unreadable` are the definitions that
    use the role and of which nothing can be read. `given` is the condition of the role itself. `by_default` are the
    values that are known by the default of a parameter alone; with another value, they may need something else.
    """

    granted: Granted
    required: tuple[Required, ...]
    unresolved: tuple[Unresolved, ...]
    keys_unknown: bool
    speller: Speller
    symbols: Symbols
    role_path: str
    data: Mapping[str, Json]
    unreadable: tuple[str, ...] = ()
    given: PathCondition = ALWAYS
    by_default: tuple[Unresolved, ...] = ()

    def advice(self, required: Iterable[Required], calls: Iterable[str]) -> Advice:
        """The statements that grant these calls of what is needed, as the macro writes them."""
        return advice(self.speller.template, required, calls, self.given)


class _Answered(NamedTuple):
    """Whether a statement matches one call: certainly or not, under which conditions, and if not certain, why."""

    answer: Truth
    path_condition: PathCondition
    why: str
    statement: GrantedStatement


def judge(case: JudgedRole) -> list[Finding]:
    """All findings: what is lacking, then what is too much, then what is not certain."""
    # What a definition needs that cannot be read is not known, and its own finding says so once.
    too_much = [] if case.unreadable else _too_much(case)
    return [*_lacking(case), *too_much, *_unknown(case)]


# -- lacking ----------------------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What is wrong with the grant of one call, in words, where to look, and what to do (if empty: grant it)."""

    code: str
    what: str
    path: str = ""
    fix: str = ""


def _lacking(case: JudgedRole) -> Iterator[Finding]:
    """What is needed and not granted. Several actions or places that lack the same are one finding."""
    found: dict[tuple[Verdict, str], tuple[list[str], list[Required]]] = {}
    for required in case.required:
        for action in required.actions:
            wrong = verdict(case, required, action)
            if wrong is None:
                continue
            actions, wanting = found.setdefault((wrong, required.shown), ([], []))
            if action not in actions:
                actions.append(action)
            if required not in wanting:
                wanting.append(required)
    for (wrong, shown), (actions, wanting) in found.items():
        paths = tuple(dict.fromkeys(required.path for required in wanting))
        said = sentences.needed(actions, shown, wrong.what, dict.fromkeys(_who(case, path) for path in paths))
        granting = case.advice(wanting, actions)
        fix = wrong.fix or sentences.allow(granting.said)
        statements = granting.statements if wrong.code == "permission-lacking" else ()
        yield Finding(wrong.code, wrong.path or paths[0], said, fix, tuple(actions), shown, paths, statements)


def _who(case: JudgedRole, path: str) -> str:
    who, what = humanize.whereabouts(case.data, path)
    return f"{who} ({what})" if what else who


def verdict(case: JudgedRole, required: Required, action: str) -> Verdict | None:
    """What is wrong with the grant of one call; None if nothing is wrong."""
    related = case.speller.related
    allowed: list[PathCondition] = []
    doubts: list[_Answered] = []
    for statement in case.granted.statements:
        for answered in _answers(case, statement, required, action):
            if related.together(answered.path_condition, required.path_condition) is None:
                continue
            if answered.answer is not Truth.YES:
                doubts.append(answered)
            elif statement.effect == "Deny":
                what = sentences.denied(statement.source)
                return Verdict("permission-denied", what, statement.path, sentences.CHANGE_DENY)
            else:
                allowed.append(answered.path_condition)
    missing = related.among(difference(required.path_condition, allowed))
    if not missing:
        for answered in doubts:
            if answered.statement.effect == "Deny":
                what = sentences.maybe_denied(answered.statement.source, answered.why)
                return Verdict("deny-uncertain", what, answered.statement.path, sentences.CHECK_DENY)
        return None
    return _not_granted(case, required, action, missing, doubts)


def _not_granted(
    case: JudgedRole,
    required: Required,
    action: str,
    missing: Sequence[PathCondition],
    doubts: Iterable[_Answered],
) -> Verdict:
    """The verdict on a call that no statement certainly grants under the conditions `missing`."""
    related = case.speller.related
    held = humanize.when(related.simplified(diagram(missing, required.path_condition), required.path_condition))
    for answered in doubts:
        if answered.statement.effect == "Allow":
            what = sentences.maybe_granted(answered.statement.source, answered.why, held)
            return Verdict("permission-uncertain", what, answered.statement.path, sentences.CHECK_GRANT)
    if case.granted.unknown:
        what = sentences.granted_by_none_that_is_read(held)
        path = case.granted.unknown[0].path
        return Verdict("permission-uncertain", what, path, sentences.CHECK_OTHER_POLICY)
    policy = _policy_of_its_own(case, required)
    if policy:
        _, owner, _, name = policy.split("/")
        what = sentences.granted_by_resource_policy(name, owner, held)
        return Verdict("permission-uncertain", what, policy, sentences.CHECK_THAT_POLICY)
    return Verdict("permission-lacking", sentences.not_granted(held, _hint(case, required, action)))


def _policy_of_its_own(case: JudgedRole, required: Required) -> str:
    """Where the resource's own policy names the role, which then may need no other grant; empty if none does."""
    role = case.role_path.split("/")[1] if case.role_path.startswith("Resources/") else ""
    symbols = required.symbols or case.symbols
    owners = {symbol.name for need in required.needs for symbol in symbols.within(need.resource)}
    for name, node in mapping(case.data.get("Resources")).items():
        kind, properties = str(mapping(node).get("Type")), mapping(mapping(node).get("Properties"))
        if kind not in _RESOURCE_POLICIES:
            continue
        policy, of = _RESOURCE_POLICIES[kind]
        owned = references(properties.get(of)) if of else {name}
        if owners & owned and role in references(properties.get(policy)):
            return f"Resources/{name}/Properties/{policy}"
    return ""


def _hint(case: JudgedRole, required: Required, action: str) -> str:
    """Why a grant that looks right does not match."""
    resource = required.resources[0]
    for statement in case.granted.statements:
        if statement.effect == "Deny" or statement.all_but_actions or statement.all_but_resources:
            continue
        if not any(matches(entry.text.lower(), action.lower()) is Truth.YES for entry in statement.actions):
            continue
        for entry in statement.resources:
            text = case.speller.spell(entry.text)
            if resource.startswith("arn:") and text == resource.removesuffix(":*") != resource:
                return sentences.NAMES_LOG_GROUP
            if len(required.resources) > 1 and text == resource and required.kind != "Parameter":
                return sentences.WITHOUT_SUFFIX
    return ""


def _answers(case: JudgedRole, statement: GrantedStatement, required: Required, action: str) -> Iterator[_Answered]:
    """How a statement matches one call; nothing if it certainly does not."""
    condition, key = condition_holds(case, statement.condition, required.context)
    if condition is Truth.NO:
        return
    for action_answer, action_guard in _entries(
        statement.actions, statement, all_but=statement.all_but_actions, of=lambda text: _action(text, action)
    ):
        for answer, path_condition in _entries(
            statement.resources,
            statement,
            all_but=statement.all_but_resources,
            of=lambda text: required.answer(case.speller.spell(text), action, case.speller.generated),
        ):
            together = case.speller.related.together(action_guard, path_condition)
            least = min(action_answer, answer, condition, Truth.UNKNOWN if statement.opaque else Truth.YES)
            if together is None or least is Truth.NO:
                continue
            why = (
                sentences.condition_decided(key, by_starter=required.kind == "Role")
                if condition is Truth.UNKNOWN
                else sentences.RESOURCE_UNCERTAIN
            )
            yield _Answered(least, together, why, statement)


def _action(pattern: str, action: str) -> Truth:
    """IAM compares actions without regard to case."""
    return matches(pattern.lower(), action.lower())


def _entries(
    entries: Sequence[Pattern], statement: GrantedStatement, *, all_but: bool, of: _Match
) -> Iterator[tuple[Truth, PathCondition]]:
    """The answers of a statement's actions or resources, each with its conditions."""
    if not all_but:
        for entry in entries:
            yield of(entry.text), entry.path_condition
        return
    excluded = max((of(entry.text) for entry in entries), default=Truth.NO)
    unsure = any(entry.path_condition != statement.path_condition for entry in entries)
    answer = Truth.UNKNOWN if unsure and excluded else Truth(Truth.YES - excluded)
    yield answer, statement.path_condition


def condition_holds(case: JudgedRole, node: Json, context: Mapping[str, tuple[str, ...]]) -> tuple[Truth, str]:
    """Whether the conditions of a statement hold for a call with this `context`, and which key decides."""
    if node is None or node == {}:
        return Truth.YES, ""
    if not isinstance(node, dict):
        return Truth.UNKNOWN, sentences.CANNOT_BE_READ
    least, decisive = Truth.YES, ""
    for operator, keys in node.items():
        if not isinstance(keys, dict):
            return Truth.UNKNOWN, sentences.CANNOT_BE_READ
        for key, values in keys.items():
            answer = _one_condition(case, operator, key, values if isinstance(values, list) else [values], context)
            if answer < least:
                least, decisive = answer, key
    return least, decisive


def _one_condition(
    case: JudgedRole, operator: str, key: str, values: list[Json], context: Mapping[str, tuple[str, ...]]
) -> Truth:
    base = operator.lower().removeprefix("foranyvalue:").removeprefix("forallvalues:").removesuffix("ifexists")
    if (base, key.lower()) == ("bool", "aws:securetransport"):
        # ECS calls AWS by HTTPS only.
        return Truth.YES if [str(value).lower() for value in values] == ["true"] else Truth.NO
    known = context.get(key.lower())
    if known is None or base not in ("stringequals", "stringlike", "arnlike", "arnequals", "stringequalsignorecase"):
        return Truth.UNKNOWN
    texts = [case.speller.read(value) for value in values]
    if base in ("stringequals", "stringequalsignorecase"):
        # Here `*` and `?` are plain characters, and no value that ECS sends contains them.
        texts = [text for text in texts if "*" not in text and "?" not in text]
    texts = [case.speller.spell(text) for text in texts]
    answers = [
        max((matches(text, value, case.speller.generated) for text in texts), default=Truth.NO) for value in known
    ]
    return min(answers)


# -- too much ---------------------------------------------------------------------------------------------------------


class _Excess(NamedTuple):
    """The reason why a grant is too much, which several actions can share."""

    code: str
    path: str
    source: str
    resource: str
    why: str
    fix: str = ""
    managed_by_aws: bool = False


class _Weighed(NamedTuple):
    """The actions that are too much for one reason, with what they share; `open_calls` are those that may be needed."""

    actions: list[str]
    related: list[str]
    required: list[Required]
    calls: list[str]
    open_calls: list[str]
    places: list[tuple[GrantedStatement, Pattern]]


class _Too(NamedTuple):
    """One action on one resource that exceeds what is needed: why, and the needs and calls that it matches."""

    code: str
    why: str
    needing: Sequence[tuple[Required, str]] = ()
    related: Sequence[str] = ()
    fix: str = ""
    open_calls: Sequence[str] = ()


def _too_much(case: JudgedRole) -> Iterator[Finding]:
    found: dict[_Excess, _Weighed] = {}
    for statement in case.granted.statements:
        if statement.effect == "Deny":
            continue
        if statement.all_but_actions or statement.all_but_resources:
            yield _negated(case, statement)
            continue
        for entry in statement.actions:
            for resource in statement.resources:
                path_condition = case.speller.related.together(entry.path_condition, resource.path_condition)
                too = _weighed(case, statement, entry, resource, path_condition) if path_condition is not None else None
                if too is None:
                    continue
                path = statement.path if RULES[too.code].kind == "unknown" else resource.path
                shown = resource.written or case.symbols.show(resource.text)
                excess = _Excess(too.code, path, statement.source, shown, too.why, too.fix, statement.managed_by_aws)
                weighed = found.setdefault(excess, _Weighed([], [], [], [], [], []))
                _extend(weighed.actions, [case.symbols.show(entry.text)])
                _extend(weighed.related, too.related or [want.path for want, _ in too.needing])
                _extend(weighed.required, [want for want, _ in too.needing])
                _extend(weighed.calls, [call for _, call in too.needing])
                _extend(weighed.open_calls, too.open_calls)
                _extend(weighed.places, [(statement, resource)])
    for excess, weighed in found.items():
        yield _finding(case, excess, weighed)


def _extend(listed: list[_Item], items: Iterable[_Item]) -> None:
    """Adds items to a list that are not in it yet."""
    for item in items:
        if item not in listed:
            listed.append(item)


def _granted(
    case: JudgedRole, places: Iterable[tuple[GrantedStatement, Pattern]], actions: Sequence[str]
) -> tuple[Json, ...]:
    """The statements that grant these actions where a policy of the role does, as the template writes the resources."""
    found: list[Json] = []
    for statement, resource in places if actions else ():
        document = {
            "Effect": "Allow",
            "Action": actions[0] if len(actions) == 1 else list(actions),
            "Resource": _written(case, statement, resource),
        }
        _extend(found, [_placed(case, statement, resource.path_condition, document)])
    return tuple(found)


def _written(case: JudgedRole, statement: GrantedStatement, resource: Pattern) -> Json:
    node = None if statement.managed_by_aws else value_at(case.data, resource.path)
    # A path can also be that of the complete policy, for example of JSON text.
    is_function = isinstance(node, dict) and is_intrinsic(node) and not {"Fn::If", "Fn::Transform"} & set(node)
    is_value = isinstance(node, str) or is_function
    if is_value and case.speller.node(node) == case.speller.spell(resource.text):
        return node
    return case.symbols.render(resource.text)


class Denial(NamedTuple):
    """A Deny statement of a role: its path in the template, and the statement as the template writes it.

    `calls` are the actions of a role made by the macro of which it may deny some.
    """

    path: str
    statement: Json
    calls: tuple[str, ...] = ()


def denials(case: JudgedRole) -> tuple[Denial, ...]:
    """The Deny statements of a role, as the template writes them.

    They stay where they limit what the new role allows; see `limits`.
    """
    found: list[Denial] = []
    for statement in case.granted.statements:
        if statement.effect != "Deny":
            continue
        node = value_at(case.data, statement.path)
        if isinstance(node, dict) and node.get("Effect") == "Deny":
            document = {key: child for key, child in node.items() if key not in ("Sid", "Condition")}
        else:
            document = _document(case, statement)
        placed = _placed(case, statement, statement.path_condition, document)
        _extend(found, [Denial(statement.path, placed, tuple(dict.fromkeys(_denied(case, statement))))])
    return tuple(found)


def _denied(case: JudgedRole, statement: GrantedStatement) -> Iterator[str]:
    """The calls of a role made by the macro that a Deny statement may deny, with any values of the parameters.

    Its conditions are not compared: whether they hold for a call is often only known when ECS makes it.
    """
    for required in case.required:
        together = case.speller.related.together(statement.path_condition, required.path_condition)
        for call in required.actions if together is not None else ():
            if _may_name(statement, call) and _may_deny_on(case, statement, required, call):
                yield call
    left_open = [call for value in (*case.unresolved, *case.by_default) for call in value.actions]
    for call in (*left_open, *_open_calls(case)):
        # It is not known on what, except that this is something of the action's service.
        anything = (case.speller.spell(f"arn:{PARTITION}:{call.partition(':')[0]}:*"),)
        if _may_name(statement, call) and _may_include(case, statement, anything):
            yield call


def _may_name(statement: GrantedStatement, call: str) -> bool:
    """Whether the actions of a statement may include a call."""
    entries = _entries(
        statement.actions, statement, all_but=statement.all_but_actions, of=partial(_action, action=call)
    )
    return statement.opaque or any(answer is not Truth.NO for answer, _ in entries)


def _may_deny_on(case: JudgedRole, statement: GrantedStatement, required: Required, call: str) -> bool:
    """Whether the resources of a Deny statement may include what a call is about."""
    symbols = required.symbols or case.symbols
    named = {name for need in required.needs for name in symbols.names(need.resource)}
    named |= references(value_at(case.data, required.path))
    asked = (*required.resources, *required.asked(call))
    return _depends_on_parameters(case, named) or _may_include(case, statement, asked)


def _may_include(case: JudgedRole, statement: GrantedStatement, asked: Collection[str]) -> bool:
    """Whether the resources of a statement may include any of these, with any values of the parameters."""
    if statement.opaque or statement.all_but_resources:
        return True
    return any(
        _depends_on_parameters(case, references(value_at(case.data, entry.path)))
        or any(overlaps(case.speller.spell(entry.text), resource) for resource in asked)
        for entry in statement.resources
    )


def _depends_on_parameters(case: JudgedRole, names: Iterable[str]) -> bool:
    """Whether any of these is a parameter, or a resource whose properties depend on one: its name can then differ."""
    template = case.speller.template
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in template.parameters:
            return True
        if name not in seen and name in template.resources:
            seen.add(name)
            waiting.extend(references(template.properties(name)))
    return False


def calls(case: JudgedRole) -> tuple[str, ...]:
    """The actions that a role made by the macro allows, or may allow with other values of the parameters."""
    found = [call for required in case.required for call in required.actions]
    found += [call for value in (*case.unresolved, *case.by_default) for call in value.actions]
    return tuple(dict.fromkeys([*found, *_open_calls(case)]))


def limits(denial: Denial, kept: Iterable[Json]) -> bool:
    """Whether a Deny statement may deny a part of what the new role allows: its calls, and what is kept.

    What is kept is compared by its actions alone: its resources are those that the old role allowed.
    """
    denied = list(_action_patterns(denial.statement))
    allowed = [pattern for statement in kept for pattern in _action_patterns(statement)]
    return bool(denial.calls) or any(overlaps(one.lower(), other.lower()) for one in denied for other in allowed)


def _action_patterns(statement: Json) -> Iterator[str]:
    """The patterns of a statement's actions; `*` where these are not known."""
    if "Fn::If" in statement:
        for branch in statement["Fn::If"][1:]:
            yield from _action_patterns(branch) if branch != NO_VALUE else ()
        return
    listed = statement.get("Action", "*")
    for action in listed if isinstance(listed, list) else [listed]:
        yield action if isinstance(action, str) else "*"


def _document(case: JudgedRole, statement: GrantedStatement) -> dict[str, Json]:
    """A statement of a policy that is JSON text, without its condition."""
    document: dict[str, Json] = {"Effect": statement.effect}
    for key, entries, all_but in (
        ("Action", statement.actions, statement.all_but_actions),
        ("Resource", statement.resources, statement.all_but_resources),
    ):
        texts = [case.symbols.render(entry.text) for entry in entries]
        document[f"Not{key}" if all_but else key] = texts[0] if len(texts) == 1 else texts
    return document


def _placed(case: JudgedRole, statement: GrantedStatement, held: PathCondition, document: dict[str, Json]) -> Json:
    if statement.condition:
        document["Condition"] = statement.condition
    return when(diagram([held], case.given), document)


def _negated(case: JudgedRole, statement: GrantedStatement) -> Finding:
    negated = "NotAction" if statement.all_but_actions else "NotResource"
    granting = case.advice(case.required, {action for want in case.required for action in want.actions})
    if case.unresolved or case.keys_unknown:
        granting = Advice(granting.statements, f"{granting.said}{_rest(case)}")
    return Finding(
        "negated-statement",
        statement.path,
        sentences.everything_but(statement.source, negated),
        sentences.instead_of_everything(granting.said),
        statements=granting.statements,
        granted=_negated_granted(case, statement, None),
        may_be_needed=_negated_granted(case, statement, _open_calls(case)),
    )


def _negated_granted(case: JudgedRole, statement: GrantedStatement, calls: Collection[str] | None) -> tuple[Json, ...]:
    """A statement with `NotAction` or `NotResource` as the template writes it; `calls`: only for these calls."""

    def listed(key: str, entries: Iterable[Pattern]) -> None:
        texts = [case.symbols.render(entry.text) for entry in entries]
        document[key] = texts[0] if len(texts) == 1 else texts

    document: dict[str, Json] = {"Effect": "Allow"}
    if calls is None:
        listed("NotAction" if statement.all_but_actions else "Action", statement.actions)
    else:
        allowed = [
            call
            for call in calls
            if any(
                answer is not Truth.NO
                for answer, _ in _entries(
                    statement.actions, statement, all_but=statement.all_but_actions, of=partial(_action, action=call)
                )
            )
        ]
        if not allowed:
            return ()
        document["Action"] = allowed[0] if len(allowed) == 1 else allowed
    listed("NotResource" if statement.all_but_resources else "Resource", statement.resources)
    return (_placed(case, statement, statement.path_condition, document),)


def _finding(case: JudgedRole, excess: _Excess, weighed: _Weighed) -> Finding:
    granting = Advice((), "")
    if RULES[excess.code].kind == "excess":
        services = {action.partition(":")[0].lower() for action in weighed.actions}
        fix = sentences.WITHOUT_MANAGED_POLICY if excess.managed_by_aws else sentences.remove(services)
    elif RULES[excess.code].kind == "unknown":
        fix = sentences.CHECK_NEED
    else:
        granting = case.advice(weighed.required, weighed.calls)
        fix = sentences.allow_only(granting.said)
        if excess.managed_by_aws:
            fix = sentences.with_inline_policy(fix)
    what = sentences.allowed(excess.source, weighed.actions, excess.resource, excess.why)
    return Finding(
        excess.code,
        excess.path,
        what,
        f"{fix}{excess.fix}",
        tuple(weighed.actions),
        excess.resource,
        tuple(weighed.related),
        granting.statements,
        _granted(case, weighed.places, weighed.actions),
        _granted(case, weighed.places, weighed.open_calls),
    )


def _rest(case: JudgedRole) -> str:
    """What an advice cannot name, and must be checked beside it."""
    values = [value.named for value in case.unresolved]
    return sentences.besides(values, keys=case.keys_unknown)


def _weighed(
    case: JudgedRole, statement: GrantedStatement, action: Pattern, resource: Pattern, path_condition: PathCondition
) -> _Too | None:
    """How far one action on one resource exceeds what is needed; None if it does not."""
    text = case.speller.spell(resource.text)
    needing, doubtful = _needing(case, statement, action, path_condition)
    exact, wide, partly = _split(case, text, needing)
    open_use = _open_use(case, action, decrypts=not (exact and statement.condition))
    open_calls = open_use.open_calls if open_use is not None else ()
    if not exact and not wide:
        if partly or doubtful:
            written = (case.symbols.show(action.text),)
            return _Too(
                "use-uncertain",
                sentences.NEED_UNCERTAIN,
                (),
                [required.path for required, _ in partly],
                open_calls=written,
            )
        return open_use or _other_value(case, action) or _Too("permission-unused", _nothing_needs(case, needing, text))
    wildcard = "*" in action.text or "?" in action.text
    if open_use is not None and not wildcard and (not exact or _action(action.text, _DECRYPT) is Truth.YES):
        return open_use
    beside = _rest(case) if open_use is not None else ""
    beside += sentences.besides_other_values(value.parameters for value in _by_default(case, action))
    both_kinds = [*exact, *wide]
    if not exact and _limits_by_tag(statement.condition):
        return _Too("use-uncertain", sentences.LIMITED_BY_TAG, both_kinds, (), beside, open_calls)
    if not exact:
        return _Too("resource-too-wide", sentences.NEEDED_ON_FEWER, both_kinds, (), beside, open_calls)
    if wildcard:
        calls = dict.fromkeys(call for _, call in both_kinds)
        return _Too("action-too-wide", sentences.needed_of_these(calls), both_kinds, (), beside, open_calls)
    if not statement.condition and all(required.context for required, _ in exact):
        return _Too("decrypt-too-wide", sentences.FOR_ALL_ENCRYPTED, both_kinds)
    related = case.speller.related
    beyond = related.among(difference(path_condition, [required.path_condition for required, _ in exact]))
    if beyond and open_use is None:
        held = humanize.when(related.simplified(diagram(beyond, path_condition), path_condition))
        return _Too("condition-too-wide", sentences.unconditional(held), exact)
    return None


def _needing(
    case: JudgedRole, statement: GrantedStatement, action: Pattern, path_condition: PathCondition
) -> tuple[_Needing, bool]:
    """The calls that an action of a statement certainly matches, and whether it may match others."""
    needing: _Needing = []
    doubtful = False
    for required in case.required:
        if case.speller.related.together(required.path_condition, path_condition) is None:
            continue
        if condition_holds(case, statement.condition, required.context)[0] is Truth.NO:
            continue
        for call in required.actions:
            answer = _action(action.text, call)
            doubtful = doubtful or answer is Truth.UNKNOWN
            if answer is Truth.YES:
                needing.append((required, call))
    return needing, doubtful


def _limits_by_tag(condition: Json) -> bool:
    """Whether a condition limits a grant to the resources with a tag."""
    return any("resourcetag/" in str(key).lower() for keys in mapping(condition).values() for key in mapping(keys))


def _split(case: JudgedRole, text: str, needing: _Needing) -> tuple[_Needing, _Needing, _Needing]:
    """The calls for which a pattern of resources is exact, wider than needed, or possibly right."""
    exact, wide, partly = [], [], []
    for required, call in needing:
        if any(covers(allowed, text) for allowed in (*required.resources, *required.asked(call))):
            exact.append((required, call))
            continue
        answer = required.answer(text, call, case.speller.generated)
        if answer is Truth.YES:
            wide.append((required, call))
        elif answer is Truth.UNKNOWN:
            partly.append((required, call))
    return exact, wide, partly


def _open_use(case: JudgedRole, action: Pattern, *, decrypts: bool) -> _Too | None:
    """Why an action may be needed although the template does not show it."""
    values = [
        value for value in case.unresolved if any(_action(action.text, call) is not Truth.NO for call in value.actions)
    ]
    matching = [
        call
        for call in _open_calls(case)
        if _action(action.text, call) is not Truth.NO and (decrypts or call != _DECRYPT or values)
    ]
    if values:
        why = sentences.value_may_need(values[0].named, readable=values[0].mistake is None)
        return _Too("use-uncertain", why, (), [value.path for value in values], open_calls=matching)
    if matching:
        return _Too("use-uncertain", sentences.KEY_UNKNOWN, open_calls=matching)
    return None


def _other_value(case: JudgedRole, action: Pattern) -> _Too | None:
    """Why an action that nothing needs with the defaults may be needed with other values of the parameters."""
    for value in _by_default(case, action):
        why, fix = sentences.other_value_may_need(value.what, value.value, value.parameters)
        return _Too("use-uncertain", why, (), [value.path], fix)
    return None


def _by_default(case: JudgedRole, action: Pattern) -> list[Unresolved]:
    """The values that are known by a default alone, and that may need an action with another value."""
    return [
        value for value in case.by_default if any(_action(action.text, call) is not Truth.NO for call in value.actions)
    ]


def _open_calls(case: JudgedRole) -> dict[str, None]:
    """The calls that may be needed although the template does not show that they are."""
    found = dict.fromkeys(call for value in case.unresolved for call in value.open_calls)
    return found | {_DECRYPT: None} if case.keys_unknown else found


def _nothing_needs(case: JudgedRole, needing: Sequence[tuple[Required, str]], text: str) -> str:
    for required, _ in needing:
        if text == required.resources[0].removesuffix(":*") != required.resources[0]:
            return sentences.NOT_THE_STREAMS
    name = text.partition(":log-group:")[2]
    of_group = name and not is_symbolic(name) and not set(name) & set(":*?")
    if needing and of_group and {call for _, call in needing} <= {"logs:CreateLogStream", "logs:PutLogEvents"}:
        return sentences.NOT_THE_STREAMS
    if needing:
        return sentences.needed_on(dict.fromkeys(required.shown for required, _ in needing))
    return sentences.NOTHING_NEEDS if case.required or case.unresolved else sentences.TASKS_NEED_NOTHING


# -- what is not certain ----------------------------------------------------------------------------------------------


def _unknown(case: JudgedRole) -> Iterator[Finding]:
    for item in case.granted.unknown:
        yield Finding("policy-unreadable", item.path, item.what, item.fix)
    for value in case.unresolved:
        if value.mistake is None:
            said = sentences.value_unknown(value.what, value.value, value.parameters)
            yield Finding("value-unresolved", value.path, *said, value.actions)
