"""The check itself: looks at the things, asks IAM about the role, and puts both into one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ecs_exec_role.preflight.arns import parse_arn
from ecs_exec_role.preflight.client import NOT_SEEN, Account, Role, Sight
from ecs_exec_role.preflight.needs import Need
from ecs_exec_role.preflight.report import OK, Report, Result, Verdict
from ecs_exec_role.preflight.simulation import Asked, Doubt, Question, batches, questions_of
from ecs_exec_role.preflight.things import Here, Thing, What, arn_of, key_thing, things_of
from ecs_exec_role.preflight.verdicts import NO_ROLE, NOT_ANSWERED, Answer, Decision, Judge, trust

if TYPE_CHECKING:
    import boto3

WORKERS = 8
_Got = TypeVar("_Got")
# A key that the template does not name may let the role in by its own policy, which no simulation of the role knows.
_KEY_POLICY = Doubt(
    "no statement of the role allows it, and only the key's own policy may",
    "name the key (KmsKey) beside the secret or parameter in ExecutionRoleSpec, so that the role is granted it",
)


def check(
    role_arn: str,
    needs: Sequence[Need],
    session: boto3.session.Session,
    *,
    region: str | None = None,
    patience: float = 0.0,
    seconds: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Whether the role may do what is needed, and whether what is needed is there.

    `session` is boto3's, with the caller's credentials; `region` that of the tasks, else the session's. What is refused
    is asked again for `patience` seconds, since a new role takes a while to be known everywhere. After `seconds` the
    report is given with what is known by then. AWS's errors are verdicts in the report; nothing of AWS's is raised.
    """
    began = clock()
    deadline = began + seconds
    arn = parse_arn(role_arn)
    partition, owner = (arn.partition, arn.account) if arn else ("aws", "")
    here = Here(partition, owner, region or session.region_name or "us-east-1")
    account = Account(session, role_arn, here)
    pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="preflight")
    try:
        run = _Run(pool, account, here, deadline, clock)
        things = things_of(needs, here)
        role, sights = run.look(thing for thing in things if thing)
        all_needs = [*needs, *run.keys_unnamed(needs, things, sights)]
        things += [None] * (len(all_needs) - len(needs))
        known = tuple(sorted({sight.arn for sight in sights.values() if sight.arn}))
        asked = [
            questions_of(need, here, concrete=_concrete(thing, sights, here), known=known)
            for need, thing in zip(needs, things, strict=False)
        ]
        asked += [
            Asked(questions=questions_of(need, here, concrete=None, known=known).questions, doubt=_KEY_POLICY)
            for need in all_needs[len(needs) :]
        ]
        answers = run.ask(asked, patience=patience, role=role, sleep=sleep)
        results = [
            Result(
                need=need,
                permission=Judge(need=need, asked=one, here=here, boundary=role.boundary).permission(answers),
                existence=sights.get(thing, NOT_SEEN).verdict if thing else run.unnamed.get(id(need)),
            )
            for need, thing, one in zip(all_needs, things, asked, strict=True)
        ]
    finally:
        # What still hangs in a socket is left to its own time-out; nobody waits for it.
        pool.shutdown(wait=False, cancel_futures=True)
    said = [verdict for verdict in (role.trouble, trust(role.trust)) if verdict is not OK]
    return Report(
        role_arn=role_arn,
        results=tuple(results),
        role=tuple(said),
        calls=dict(account.calls),
        seconds=clock() - began,
    )


def _concrete(thing: Thing | None, sights: Mapping[Thing, Sight], here: Here) -> str | None:
    if thing is None:
        return None
    return sights.get(thing, NOT_SEEN).arn or arn_of(thing, here)


class _Run:
    """One check under way: the threads, and the time that is left."""

    def __init__(
        self, pool: ThreadPoolExecutor, account: Account, here: Here, deadline: float, clock: Callable[[], float]
    ) -> None:
        self._pool, self._account, self._here = pool, account, here
        self._deadline, self._clock = deadline, clock
        # What was seen of the keys that no need names, by the need that was made for each.
        self.unnamed: dict[int, Verdict] = {}

    def _at_once(self, tasks: Iterable[tuple[object, Callable[[], _Got]]]) -> dict[object, _Got]:
        """The tasks' results, each under its key; what is not done by the deadline is missing."""
        futures: dict[Future[_Got], object] = {self._pool.submit(task): key for key, task in tasks}
        waiting: set[Future[_Got]] = set(futures)
        results: dict[object, _Got] = {}
        while waiting and self._clock() < self._deadline:
            # In short steps, for the clock may be another than the one that `wait` goes by.
            done, waiting = wait(waiting, timeout=min(0.5, self._deadline - self._clock()), return_when=FIRST_COMPLETED)
            results |= {futures[future]: future.result() for future in done}
        for future in waiting:
            future.cancel()
        return results

    def look(self, things: Iterable[Thing]) -> tuple[Role, dict[Thing, Sight]]:
        """The role, and every thing with what was seen of it."""
        looks = self._account.looks(things)
        tasks: list[tuple[object, Callable[[], Role | dict[Thing, Sight]]]] = [("role", self._account.role), *looks]
        seen: dict[Thing, Sight] = {}
        role = Role()
        for got in self._at_once(tasks).values():
            if isinstance(got, Role):
                role = got
            else:
                seen |= got
        return role, seen

    def keys_unnamed(
        self, needs: Sequence[Need], things: Sequence[Thing | None], sights: Mapping[Thing, Sight]
    ) -> list[Need]:
        """Needs that no template shows: decrypting what turns out to be encrypted with a key of the customer's own."""
        # A key's ARN ends in its ID, and either may name it here and there.
        keys = [thing for thing in things if thing and thing.what is What.KEY]
        named = {_key_id(arn) for key in keys for arn in (key.name, sights.get(key, NOT_SEEN).arn) if arn}
        wanted: list[tuple[Need, Thing, Sight]] = []
        for need, thing in zip(needs, things, strict=True):
            sight = sights.get(thing) if thing else None
            if thing is None or sight is None or not sight.key or not sight.arn or thing.what is What.KEY:
                continue
            if not _key_id(sight.key).startswith("alias/aws/") and _key_id(sight.key) not in named:
                wanted.append((need, key_thing(sight.key, thing.region, self._here), sight))
        seen = {**sights, **self.look_again({key for _, key, _ in wanted} - set(sights))}
        found: dict[tuple[str, str], Need] = {}
        for need, key, sight in wanted:
            looked = seen.get(key, NOT_SEEN)
            arn = looked.arn or (key.name if ":key/" in key.name else None)
            managed = looked.verdict is OK and looked.key is None
            if arn is None or managed or _key_id(arn) in named or (need.path, arn) in found:
                continue
            found[need.path, arn] = _decrypt(need, arn, sight, key.region)
            self.unnamed[id(found[need.path, arn])] = looked.verdict
        return list(found.values())

    def look_again(self, things: Iterable[Thing]) -> dict[Thing, Sight]:
        """Things that only the first look brought to light."""
        seen: dict[Thing, Sight] = {}
        for got in self._at_once(self._account.looks(things)).values():
            seen |= got
        return seen

    def ask(
        self, asked: Sequence[Asked], *, patience: float, role: Role, sleep: Callable[[float], None]
    ) -> dict[Question, Answer]:
        """Every question's answer; a refusal is asked again after growing pauses: it may be the past that speaks."""
        answers: dict[Question, Answer] = {}
        pending = {question for one in asked for question in one.questions}
        until = min(self._clock() + patience, self._deadline)
        pause = 1.0
        while pending:
            tasks = [(batch, partial(self._account.simulate, batch)) for batch in batches(sorted(pending))]
            for got in self._at_once(tasks).values():
                answers |= got
            pending = {q for q in pending if self._may_change(q, answers.get(q, NOT_ANSWERED), role)}
            if not pending or self._clock() + pause > until:
                break
            sleep(pause)
            pause = min(2 * pause, 4.0)
        return answers

    @staticmethod
    def _may_change(question: Question, answer: Answer, role: Role) -> bool:
        if answer is NO_ROLE:
            return True
        if not isinstance(answer, Decision) or answer.allowed:
            return False
        return role.boundary is None or role.boundary.forbids(question.action, question.resource) is None


def _key_id(name: str) -> str:
    """A key's ID, or `alias/…`, without what may stand before it in an ARN."""
    return name.rpartition(":")[2].removeprefix("key/")


def _decrypt(need: Need, arn: str, sight: Sight, region: str) -> Need:
    """The need to decrypt what `need` reads, in the context in which its service asks KMS.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
    """
    of_secret = ":secretsmanager:" in str(sight.arn)
    service, entry = ("secretsmanager", "SecretARN") if of_secret else ("ssm", "PARAMETER_ARN")
    return Need(
        path=need.path,
        kind="Key",
        target=arn,
        actions=("kms:Decrypt",),
        resources=(arn,),
        context={
            f"kms:EncryptionContext:{entry}": (str(sight.arn),),
            "kms:ViaService": (f"{service}.{region}.amazonaws.com",),
        },
    )
