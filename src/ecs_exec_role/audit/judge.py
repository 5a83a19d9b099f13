"""Judges what a role is granted by what its definitions need.

What cannot be known for certain is never guessed: it is a finding of its own, `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from ecs_exec_role.audit.canonical import Speller
from ecs_exec_role.audit.granted import Entry, Granted, Statement
from ecs_exec_role.audit.required import Unresolved, Wanted
from ecs_exec_role.offline import humanize
from ecs_exec_role.policies.patterns import Answer, covers, matches
from ecs_exec_role.template.conditions import Guard, both, remaining, tree
from ecs_exec_role.template.symbols import Json, Symbols

Kind: TypeAlias = Literal["lacking", "excess", "too-wide", "unknown"]


LOOK_WHETHER_NEEDED = "look whether it is needed"
"""What to do about a grant of which it cannot be told whether it is too much."""

_Match: TypeAlias = Callable[[str], Answer]


class Finding(NamedTuple):
    """One thing to know about a role. `path` is where to look, `related` are the paths of those who need it."""

    kind: Kind
    path: str
    what: str
    fix: str
    actions: tuple[str, ...] = ()
    resource: str = ""
    related: tuple[str, ...] = ()


class Case(NamedTuple):
    """What is judged together: one role's policies, and all that its definitions need of them.

    `keys_unknown`: a secret may have a key that the template does not show.
    """

    granted: Granted
    wanted: tuple[Wanted, ...]
    unresolved: tuple[Unresolved, ...]
    keys_unknown: bool
    speller: Speller
    symbols: Symbols
    role_path: str
    data: Mapping[str, Json]


class _Answered(NamedTuple):
    """How a statement answers one call: certain or not, under which conditions, and if not certain, why."""

    answer: Answer
    guard: Guard
    why: str
    statement: Statement


def judge(case: Case) -> list[Finding]:
    """Everything there is to say: what is lacking, then what is too much, then what cannot be told."""
    return [*_lacking(case), *_too_much(case), *_unknown(case)]


# -- lacking ----------------------------------------------------------------------------------------------------------


def _lacking(case: Case) -> Iterator[Finding]:
    """What is needed and not granted; several actions and several places that lack the same are one finding."""
    found: dict[tuple[Kind, str, str, str, str], tuple[list[str], list[str]]] = {}
    for wanted in case.wanted:
        for action in wanted.actions:
            verdict = _verdict(case, wanted, action)
            if verdict is None:
                continue
            kind, what, path, fix = verdict
            actions, paths = found.setdefault((kind, wanted.shown, what, path, fix), ([], []))
            if action not in actions:
                actions.append(action)
            if wanted.path not in paths:
                paths.append(wanted.path)
    for (kind, shown, what, path, fix), (actions, paths) in found.items():
        asking = "; ".join(dict.fromkeys(_who(case, needing) for needing in paths))
        said = f"{', '.join(actions)} on {shown} {what}, and {asking} needs it"
        yield Finding(kind, path or paths[0], said, fix, tuple(actions), shown, tuple(paths))


def _who(case: Case, path: str) -> str:
    who, what = humanize.whereabouts(case.data, path)
    return f"{who} ({what})" if what else who


def _verdict(case: Case, wanted: Wanted, action: str) -> tuple[Kind, str, str, str] | None:
    """What is wrong with the grant of one call: its kind, in words, where to look, and what to do; None for nothing."""
    allowed: list[Guard] = []
    doubts: list[_Answered] = []
    denied: list[_Answered] = []
    for statement in case.granted.statements:
        for answered in _answers(case, statement, wanted, action):
            if both(answered.guard, wanted.guard) is None:
                continue
            if statement.effect == "Deny":
                (denied if answered.answer is Answer.YES else doubts).append(answered)
            elif answered.answer is Answer.YES:
                allowed.append(answered.guard)
            else:
                doubts.append(answered)
    add = "grant it, or let the macro write the role"
    for answered in denied:
        return "lacking", f"is denied by {answered.statement.source}", answered.statement.path, "narrow that Deny"
    missing = remaining(wanted.guard, allowed)
    if not missing:
        for answered in doubts:
            if answered.statement.effect == "Deny":
                what = f"may be denied by {answered.statement.source} ({answered.why})"
                return "unknown", what, answered.statement.path, "look whether it is"
        return None
    held = humanize.when(tree(missing, wanted.guard))
    when = f" when {held}" if held else ""
    doubtful = [answered for answered in doubts if answered.statement.effect == "Allow"]
    if doubtful:
        answered = doubtful[0]
        what = f"may or may not be granted{when} by {answered.statement.source} ({answered.why})"
        return "unknown", what, answered.statement.path, "look whether it is"
    if case.granted.unknown:
        what = f"is granted{when} by no policy that can be read here"
        return "unknown", what, case.granted.unknown[0].path, "look whether another grants it"
    hint = _hint(case, wanted, action)
    return "lacking", f"is not granted{when}{hint}", "", add


def _hint(case: Case, wanted: Wanted, action: str) -> str:
    """Why a grant that looks like the right one does not match."""
    resource = wanted.resources[0]
    for statement in case.granted.statements:
        if statement.effect == "Deny" or statement.all_but_actions or statement.all_but_resources:
            continue
        if not any(matches(entry.text.lower(), action.lower()) is Answer.YES for entry in statement.actions):
            continue
        for entry in statement.resources:
            text = case.speller.spell(entry.text)
            if resource.startswith("arn:") and text == resource.removesuffix(":*") != resource:
                return " (a policy names the log group without `:*`, which is none of its streams)"
            if len(wanted.resources) > 1 and text == resource and wanted.kind != "Parameter":
                return " (a policy names the secret without the `-??????` for the characters that AWS adds)"
    return ""


def _answers(case: Case, statement: Statement, wanted: Wanted, action: str) -> Iterator[_Answered]:
    """How a statement answers one call; nothing where it has nothing to do with it."""
    condition, key = _condition(case, statement.condition, wanted.context)
    if condition is Answer.NO:
        return
    for action_answer, action_guard in _entries(
        statement.actions, statement, all_but=statement.all_but_actions, of=lambda text: _action(text, action)
    ):
        for answer, guard in _entries(
            statement.resources,
            statement,
            all_but=statement.all_but_resources,
            of=lambda text: wanted.answer(case.speller.spell(text), action, case.speller.generated),
        ):
            together = both(action_guard, guard)
            least = min(action_answer, answer, condition, Answer.UNKNOWN if statement.opaque else Answer.YES)
            if together is None or least is Answer.NO:
                continue
            why = (
                f"its condition on {key} is decided when ECS calls"
                if condition is Answer.UNKNOWN
                else "it cannot be told whether its resource is this one"
            )
            yield _Answered(least, together, why, statement)


def _action(pattern: str, action: str) -> Answer:
    """IAM does not tell capital letters from small ones in actions."""
    return matches(pattern.lower(), action.lower())


def _entries(
    entries: Sequence[Entry], statement: Statement, *, all_but: bool, of: _Match
) -> Iterator[tuple[Answer, Guard]]:
    """The answers of a statement's actions or resources, each with its conditions."""
    if not all_but:
        for entry in entries:
            yield of(entry.text), entry.guard
        return
    excluded = max((of(entry.text) for entry in entries), default=Answer.NO)
    unsure = any(entry.guard != statement.guard for entry in entries)
    answer = Answer.UNKNOWN if unsure and excluded else Answer(Answer.YES - excluded)
    yield answer, statement.guard


def _condition(case: Case, node: Json, context: Mapping[str, tuple[str, ...]]) -> tuple[Answer, str]:
    """Whether the conditions of a statement hold for a call of which `context` is known; and on which key it hangs."""
    if node is None or node == {}:
        return Answer.YES, ""
    if not isinstance(node, dict):
        return Answer.UNKNOWN, "something that cannot be read"
    least, decisive = Answer.YES, ""
    for operator, keys in node.items():
        if not isinstance(keys, dict):
            return Answer.UNKNOWN, "something that cannot be read"
        for key, values in keys.items():
            answer = _one_condition(case, operator, key, values if isinstance(values, list) else [values], context)
            if answer < least:
                least, decisive = answer, key
    return least, decisive


def _one_condition(
    case: Case, operator: str, key: str, values: list[Json], context: Mapping[str, tuple[str, ...]]
) -> Answer:
    base = operator.lower().removeprefix("foranyvalue:").removeprefix("forallvalues:").removesuffix("ifexists")
    if (base, key.lower()) == ("bool", "aws:securetransport"):
        # ECS calls AWS by HTTPS only.
        return Answer.YES if [str(value).lower() for value in values] == ["true"] else Answer.NO
    known = context.get(key.lower())
    if known is None or base not in ("stringequals", "stringlike", "arnlike", "arnequals", "stringequalsignorecase"):
        return Answer.UNKNOWN
    texts = [case.speller.read(value) for value in values]
    if base in ("stringequals", "stringequalsignorecase"):
        # Here `*` and `?` are plain characters, which none of the values has that ECS sends.
        texts = [text for text in texts if "*" not in text and "?" not in text]
    texts = [case.speller.spell(text) for text in texts]
    answers = [
        max((matches(text, value, case.speller.generated) for text in texts), default=Answer.NO) for value in known
    ]
    return min(answers)


# -- too much ---------------------------------------------------------------------------------------------------------


class _Excess(NamedTuple):
    """The reason why a grant is too much, as far as several actions share it."""

    kind: Kind
    path: str
    source: str
    resource: str
    needed: tuple[str, ...]
    why: str


def _too_much(case: Case) -> Iterator[Finding]:
    found: dict[_Excess, tuple[list[str], list[str]]] = {}
    for statement in case.granted.statements:
        if statement.effect == "Deny":
            continue
        if statement.all_but_actions or statement.all_but_resources:
            negated = "NotAction" if statement.all_but_actions else "NotResource"
            what = f"{statement.source} allows everything but what its {negated} names"
            yield Finding("too-wide", statement.path, what, "name what is needed instead")
            continue
        for entry in statement.actions:
            for resource in statement.resources:
                guard = both(entry.guard, resource.guard)
                if guard is None:
                    continue
                for excess, needing in _weighed(case, statement, entry, resource, guard):
                    actions, related = found.setdefault(excess, ([], []))
                    action = case.symbols.show(entry.text)
                    if action not in actions:
                        actions.append(action)
                    related.extend(path for path in needing if path not in related)
    for excess, (actions, related) in found.items():
        yield _finding(excess, actions, related)


def _finding(excess: _Excess, actions: list[str], related: list[str]) -> Finding:
    said = f"{excess.source} allows {', '.join(actions)} on {excess.resource}"
    needed = ", ".join(excess.needed)
    if len(actions) > 1 and needed.startswith("it "):
        needed = f"them {needed.removeprefix('it ')}"
    if excess.kind == "excess":
        fix = "take it away" + _owner(actions)
    elif excess.kind == "too-wide":
        fix = f"allow {needed} only" if needed else "narrow it"
    else:
        fix = LOOK_WHETHER_NEEDED
    what = f"{said}{excess.why}"
    return Finding(excess.kind, excess.path, what, fix, tuple(actions), excess.resource, tuple(related))


def _owner(actions: Iterable[str]) -> str:
    """Where a permission belongs that ECS never uses to start a task."""
    services = {action.partition(":")[0].lower() for action in actions}
    if services == {"elasticfilesystem"}:
        return "; file systems are mounted with the task role"
    if services == {"ssmmessages"}:
        return "; ECS Exec uses the task role"
    if services & {"ecr", "logs", "secretsmanager", "ssm", "kms", "s3", "*"}:
        return ""
    return "; what the application itself calls belongs to the task role"


def _weighed(
    case: Case, statement: Statement, action: Entry, resource: Entry, guard: Guard
) -> Iterator[tuple[_Excess, list[str]]]:
    """How far one action on one resource goes beyond what is needed; nothing where it does not."""
    text = case.speller.spell(resource.text)
    shown = case.symbols.show(resource.text)

    def excess(kind: Kind, why: str, needed: Iterable[str] = ()) -> _Excess:
        listed = tuple(dict.fromkeys(needed))
        return _Excess(
            kind, resource.path if kind != "unknown" else statement.path, statement.source, shown, listed, why
        )

    needing: list[tuple[Wanted, str]] = []
    doubtful = False
    for wanted in case.wanted:
        if _condition(case, statement.condition, wanted.context)[0] is Answer.NO:
            continue
        for call in wanted.actions:
            answer = _action(action.text, call)
            doubtful = doubtful or answer is Answer.UNKNOWN
            if answer is Answer.YES:
                needing.append((wanted, call))
    open_values = [value for value in case.unresolved if any(_action(action.text, call) for call in value.actions)]
    exact, wide, partly = [], [], []
    for wanted, call in needing:
        if any(covers(allowed, text) for allowed in (*wanted.resources, *wanted.asked(call))):
            exact.append((wanted, call))
        elif wanted.answer(text, call, case.speller.generated) is Answer.YES:
            wide.append((wanted, call))
        elif wanted.answer(text, call, case.speller.generated) is Answer.UNKNOWN:
            partly.append((wanted, call))
    if not exact and not wide:
        if partly or doubtful:
            paths = [wanted.path for wanted, _ in partly]
            yield excess("unknown", ", and it cannot be told whether that is what is needed"), paths
        elif open_values:
            value = open_values[0]
            why = f", which the {value.what} {value.value} may need; that is only known when the stack is deployed"
            yield excess("unknown", why), [value.path for value in open_values]
        elif case.keys_unknown and _action(action.text, "kms:Decrypt") is Answer.YES:
            why = ", which a secret may need whose key this template does not show"
            yield excess("unknown", why), []
        else:
            yield excess("excess", _nothing_needs(case, needing, text)), []
        return
    paths = [wanted.path for wanted, _ in (*exact, *wide)]
    calls = dict.fromkeys(call for _, call in (*exact, *wide))
    if not exact:
        needed = f"it on {', '.join(_grouped(wide))}"
        yield excess("too-wide", "; needed on fewer resources", [needed]), paths
    elif "*" in action.text or "?" in action.text:
        yield excess("too-wide", f"; needed of these: {', '.join(calls)}", calls), paths
    elif not statement.condition and all(wanted.context for wanted, _ in exact):
        where = dict.fromkeys(f"it where {wanted.where}" for wanted, _ in exact)
        yield excess("too-wide", ", whatever is encrypted with it", where), paths
    else:
        beyond = remaining(guard, [wanted.guard for wanted, _ in exact])
        if beyond:
            held = humanize.when(tree(beyond, guard))
            yield excess("too-wide", f" even when {held}, when nothing needs it", [f"it when not ({held})"]), paths


def _grouped(needing: Iterable[tuple[Wanted, str]]) -> list[str]:
    return list(dict.fromkeys(wanted.shown for wanted, _ in needing))


def _nothing_needs(case: Case, needing: Sequence[tuple[Wanted, str]], text: str) -> str:
    for wanted, _ in needing:
        if text == wanted.resources[0].removesuffix(":*") != wanted.resources[0]:
            return ", which is no log stream: the ARN lacks `:*` at its end"
    if needing:
        return f"; it is needed on {', '.join(_grouped(needing))}"
    return "; nothing needs it to start" if case.wanted or case.unresolved else "; its tasks need nothing of it"


# -- what cannot be told ----------------------------------------------------------------------------------------------


def _unknown(case: Case) -> Iterator[Finding]:
    for item in case.granted.unknown:
        yield Finding("unknown", item.path, item.what, item.fix)
    for value in case.unresolved:
        what = f"which {value.what} {value.value} is, is only known when the stack is deployed"
        yield Finding("unknown", value.path, what, "give the stack's parameters, if it hangs on one", value.actions)
