"""What changes in execution roles from one template to another, as plain data for every output format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from ecs_exec_role.audit import trust
from ecs_exec_role.compare.side import Grant, Needed, Role, Side
from ecs_exec_role.explain.report import Requester, Warned
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.offline import humanize
from ecs_exec_role.template.symbols import Json

Kind: TypeAlias = Literal["added", "widened", "removed", "narrowed", "condition-changed"]
"""What happens to a grant.

`added`: nothing allowed it. `widened`: it replaces grants that allowed a part of it, or a `Deny` that limits what
the new role allows is removed or denies less. `removed`: nothing allows it any more. `narrowed`: grants that allow a
part of it replace it. `condition-changed`: the same is granted under other conditions of the template.
"""

KINDS: tuple[Kind, ...] = ("added", "widened", "removed", "narrowed", "condition-changed")

State: TypeAlias = Literal["added", "removed", "replaced", "changed"]

_NEW_NAME = ("RoleName", "Path")
_TRUST = "AssumeRolePolicyDocument"
_BOUNDARY = "PermissionsBoundary"


@dataclass(frozen=True, slots=True)
class GrantChange:
    """One change of what a role allows or denies.

    Attributes:
        kind: what happens.
        effect: `Allow` or `Deny`; a `Deny` that is added takes access away.
        actions: the actions.
        resource: the resource, as the template writes it.
        where: the conditions of the statement.
        when: the conditions of the template under which it is granted; empty for always.
        instead: for `widened`, what was granted before; for `narrowed`, what is granted now; for `condition-changed`,
            when it was granted before.
        source: the policy in words, for a grant that somebody wrote.
        line: where that is, in the template that has it.
        asked: the places that need it: in the new template for what is granted there or replaced; else in the old.
        still_needed: the places in the new template that need what is removed.
    """

    kind: Kind
    effect: str
    actions: tuple[str, ...]
    resource: str
    where: tuple[str, ...]
    when: str
    instead: tuple[str, ...]
    source: str
    line: int
    asked: tuple[Requester, ...]
    still_needed: tuple[Requester, ...]


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One property of a role that changes; a side that does not have it is empty.

    `no_longer` and `new` are what is wrong only with one side's trust policy, in words. `widened`: the new trust policy
    or permissions boundary may allow more than the old one.
    """

    name: str
    before: str
    after: str
    no_longer: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    widened: bool = False


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What changes in one execution role.

    Attributes:
        role: the logical ID in the new template; empty for a role that is removed.
        instead_of: the logical ID in the old template; empty for a role that is added.
        before_line: where the role is in the old template.
        line: where the role, or its spec, is in the new one.
        definitions: the logical IDs of what is started with it.
        made_by_macro: whether the macro writes its policies in the new template.
        state: `added`; `removed`; `replaced`: CloudFormation makes a new role with another ARN; or `changed`.
        grants: the changes of what it allows.
        properties: the changes of its other properties.
        unchanged: the number of grants that do not change.
        cannot_tell: what could not be compared, in words.
        warnings: what may be missing in the new template, without the warnings of the old one.
    """

    role: str
    instead_of: str
    before_line: int
    line: int
    definitions: tuple[str, ...]
    made_by_macro: bool
    state: State
    grants: tuple[GrantChange, ...]
    properties: tuple[PropertyChange, ...]
    unchanged: int
    cannot_tell: tuple[str, ...]
    warnings: tuple[Warned, ...]

    @property
    def differs(self) -> bool:
        """Whether there is anything to report about it."""
        return bool(self.grants or self.properties or self.state != "changed" or self.cannot_tell or self.warnings)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes from one template to another.

    `unchanged` counts the roles that do not change. `defaults` are the parameters of which only the default is
    known.
    """

    before: str
    after: str
    roles: tuple[RoleChange, ...]
    unchanged: int
    defaults: tuple[str, ...] = ()

    def data(self) -> dict[str, Json]:
        """The same as mappings and lists."""
        return asdict(self)

    def kinds(self) -> set[str]:
        """The kinds of all changes, and `unknown` where something could not be compared."""
        found: set[str] = {_access(change) for role in self.roles for change in role.grants}
        if any(changed.widened for role in self.roles for changed in role.properties):
            found.add("widened")
        return found | ({"unknown"} if any(role.cannot_tell for role in self.roles) else set())


def _access(change: GrantChange) -> Kind:
    """What a change does to the access: a `Deny` that is added takes access away."""
    return "narrowed" if (change.effect, change.kind) == ("Deny", "added") else change.kind


def of(before: Side, after: Side) -> Comparison:
    """Compares the execution roles of two templates."""
    found = [_role(old, new, before, after) for old, new in _pairs(before.roles, after.roles)]
    changed = tuple(role for role in found if role.differs)
    defaults = after.defaults or before.defaults
    return Comparison(before.name, after.name, changed, len(found) - len(changed), defaults if changed else ())


def _pairs(before: Sequence[Role], after: Sequence[Role]) -> Iterator[tuple[Role | None, Role | None]]:
    """Each role of the new template with the role of the old one that it replaces, then the roles that are removed."""
    left = {role.logical_id: role for role in before}
    pairs: dict[str, Role | None] = {role.logical_id: left.pop(role.logical_id, None) for role in after}
    for role in after:
        if pairs[role.logical_id] is None:
            shared = [old for old in left.values() if set(old.definitions) & set(role.definitions)]
            if shared:
                nearest = max(shared, key=lambda old: len(set(old.definitions) & set(role.definitions)))
                pairs[role.logical_id] = left.pop(nearest.logical_id)
    for role in after:
        yield pairs[role.logical_id], role
    for old in left.values():
        yield old, None


def _role(before: Role | None, after: Role | None, old_side: Side, new_side: Side) -> RoleChange:
    changes, unchanged = _grants(before, after)
    definitions = after.definitions if after else before.definitions if before else ()
    unread = []
    if before is None or after is None or before.written != after.written:
        # What cannot be read and is written as before has not changed.
        unread += [f"in the old template, {said}" for said in (before.unread if before else ())]
        unread += [f"in the new template, {said}" for said in (after.unread if after else ())]
    for side, missing, name in ((old_side, before is None, "old"), (new_side, after is None, "new")):
        for definition in definitions if missing else ():
            if definition in side.outside:
                role = side.outside[definition]
                unread.append(f"in the {name} template, {definition} has the role {role}, which is not in the template")
    known = {warning.text for warning in before.warnings} if before else set()
    return RoleChange(
        role=after.logical_id if after else "",
        instead_of=before.logical_id if before else "",
        before_line=before.line if before else 0,
        line=after.line if after else 0,
        definitions=definitions,
        made_by_macro=bool(after and after.made_by_macro),
        state=_state(before, after),
        grants=tuple(changes),
        properties=tuple(_properties(before, after)) if before and after else (),
        unchanged=unchanged,
        cannot_tell=tuple(dict.fromkeys(unread)),
        warnings=tuple(warning for warning in (after.warnings if after else ()) if warning.text not in known),
    )


def _state(before: Role | None, after: Role | None) -> State:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    renamed = any(before.properties.get(name) != after.properties.get(name) for name in _NEW_NAME)
    return "replaced" if renamed or before.logical_id != after.logical_id else "changed"


def _properties(before: Role, after: Role) -> Iterator[PropertyChange]:
    for name in dict.fromkeys((*before.properties, *after.properties)):
        one, other = before.properties.get(name, ""), after.properties.get(name, "")
        if one == other:
            continue
        if name == _TRUST:
            corrected = tuple(said for said in before.trust if said not in after.trust)
            new = tuple(said for said in after.trust if said not in before.trust)
            yield PropertyChange(name, one, other, corrected, new, trust.wider(before.trusted, after.trusted))
        else:
            # What another boundary allows is not compared; a role without one is not limited.
            yield PropertyChange(name, one, other, widened=name == _BOUNDARY and bool(one))


class _Found(NamedTuple):
    """A grant that changes, and the grants that replace it or that it replaces."""

    kind: Kind
    grant: Grant
    instead: tuple[Grant, ...]


# -- grants -----------------------------------------------------------------------------------------------------------


def _grants(before: Role | None, after: Role | None) -> tuple[list[GrantChange], int]:
    """The changes of what a role allows, in the order of `KINDS`, and the number of unchanged grants."""
    old = dict.fromkeys(before.grants if before else ())
    new = dict.fromkeys(after.grants if after else ())
    gone = [grant for grant in old if grant not in new]
    come = [grant for grant in new if grant not in old]
    found: list[_Found] = []
    for grant in list(come):
        same = next((other for other in gone if _same_but_when(grant, other)), None)
        if same is not None:
            come.remove(grant)
            gone.remove(same)
            found.append(_Found("condition-changed", grant, (same,)))
    ambiguous = {grant.shown for grant in gone} & {grant.shown for grant in come}
    for grant in come:
        if any(other.covers(grant) for other in old):
            continue
        within = tuple(other for other in gone if grant.covers(other))
        kind: Kind = "widened" if within and grant.effect == "Allow" else "added"
        found.append(_Found(kind, grant, within if kind == "widened" else ()))
    for grant in gone:
        if any(other.covers(grant) for other in new):
            continue
        if grant.effect == "Deny":
            kind = "widened" if any(map(grant.may_limit, new)) else "removed"
            found.append(_Found(kind, grant, ()))
            continue
        within = tuple(other for other in come if grant.covers(other))
        found.append(_Found("narrowed" if within else "removed", grant, within))
    rows: dict[tuple[object, ...], list[_Found]] = {}
    for each in found:
        when = tuple({other.when for other in each.instead}) if each.kind == "condition-changed" else ()
        rows.setdefault((each.kind, *_like(each.grant, ambiguous), each.grant.source, when), []).append(each)
    changes = [_change(listed, before, after, ambiguous) for listed in rows.values()]
    return sorted(changes, key=lambda change: KINDS.index(change.kind)), sum(grant in new for grant in old)


def _same_but_when(one: Grant, other: Grant) -> bool:
    return (one.effect, one.action, one.but_actions, one.resource, one.but_resources, one.where) == (
        other.effect,
        other.action,
        other.but_actions,
        other.resource,
        other.but_resources,
        other.where,
    )


def _like(grant: Grant, ambiguous: set[str]) -> tuple[object, ...]:
    """What grants in one sentence have in common: everything except the action."""
    return grant.effect, grant.but_actions, _resource(grant, ambiguous), grant.where, grant.when


def _change(listed: Sequence[_Found], before: Role | None, after: Role | None, ambiguous: set[str]) -> GrantChange:
    kind, first, _ = listed[0]
    grants = [each.grant for each in listed]
    instead = list(dict.fromkeys(other for each in listed for other in each.instead))
    taken = kind in ("removed", "narrowed") or (kind, first.effect) == ("widened", "Deny")
    holder = before if taken else after
    still: dict[Requester, None] = {}
    if taken and after is not None and first.effect == "Allow":
        still = dict.fromkeys(_still_needed(grants, after))
    asking, asked_by = (instead, after) if kind == "narrowed" else (grants, holder)
    return GrantChange(
        kind=kind,
        effect=first.effect,
        actions=tuple(sorted({_action(grant) for grant in grants})),
        resource=_resource(first, ambiguous),
        where=first.where,
        when=first.when,
        instead=(instead[0].when or "always",) if kind == "condition-changed" else _said(instead, ambiguous),
        source="" if holder is None or holder.made_by_macro else first.source,
        line=0 if holder is None or holder.made_by_macro else first.line,
        asked=tuple(dict.fromkeys(_asked(asking, asked_by.needed if asked_by else ()))),
        still_needed=tuple(still),
    )


def _asked(grants: Iterable[Grant], needed: Iterable[Needed]) -> Iterator[Requester]:
    listed = list(grants)
    return (need.asked for need in needed if any(grant.concerns(need) for grant in listed))


def _still_needed(taken: Sequence[Grant], after: Role) -> Iterator[Requester]:
    """What the new template needs of what is removed, if certainly no grant of it remains."""
    for need in after.needed:
        for action in need.actions:
            alone = need._replace(actions=(action,))
            if any(grant.concerns(alone) for grant in taken) and not any(
                grant.effect == "Allow" and grant.concerns(alone, after.generated) for grant in after.grants
            ):
                yield need.asked
                break


def _action(grant: Grant) -> str:
    return f"everything but {', '.join(grant.but_actions)}" if grant.but_actions else grant.action


def _resource(grant: Grant, ambiguous: set[str]) -> str:
    if grant.but_resources:
        return f"everything but {', '.join(grant.but_resources)}"
    return grant.resource if grant.shown in ambiguous and grant.shown != "*" else grant.shown


def _said(grants: Iterable[Grant], ambiguous: set[str]) -> tuple[str, ...]:
    """Grants in words. Grants that differ only in their action are one sentence."""
    rows: dict[tuple[object, ...], list[Grant]] = {}
    for grant in grants:
        rows.setdefault(_like(grant, ambiguous), []).append(grant)
    said = []
    for listed in rows.values():
        first = listed[0]
        where = f" where {' and '.join(first.where)}" if first.where else ""
        when = f" if {first.when}" if first.when else ""
        said.append(f"{', '.join(sorted(map(_action, listed)))} on {_resource(first, ambiguous)}{where}{when}")
    return tuple(said)


def summary(comparison: Comparison) -> str:
    """The changes in one line."""
    counts = dict.fromkeys(KINDS, 0)
    for role in comparison.roles:
        for change in role.grants:
            counts[change.kind] += len(change.actions)
        counts["widened"] += sum(changed.widened for changed in role.properties)
    parts = [f"{number} {kind.replace('-', ' ')}" for kind, number in counts.items() if number]
    roles = humanize.count(len(comparison.roles), "role")
    if not comparison.roles:
        return "no execution role changes"
    said = "".join(f" ({each})" for each in humanize.with_defaults(comparison.defaults))
    return f"{roles}: {', '.join(parts) or 'no change of what is allowed'}{said}"
