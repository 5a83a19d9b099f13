"""The check itself: it looks at the targets, asks IAM about the role, and writes both into one report."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ecs_exec_role.preflight.arns import parse_arn
from ecs_exec_role.preflight.aws import Aws
from ecs_exec_role.preflight.decisions import NO_ROLE, NOT_ANSWERED, Answer, Decision, Judge, NoDecision, trust
from ecs_exec_role.preflight.needs import CheckedNeed
from ecs_exec_role.preflight.probes import Look, looks
from ecs_exec_role.preflight.probes.observation import NOT_OBSERVED, Observation
from ecs_exec_role.preflight.report import OK, Result, RoleCheck, Status, Verdict
from ecs_exec_role.preflight.role import DeployedRole, read_role, simulate
from ecs_exec_role.preflight.simulation import Inconclusive, Known, NeedQuestions, Question, batches, questions_of
from ecs_exec_role.preflight.targets import Scope, Target, TargetKind, arn_of, key_target, targets_of

if TYPE_CHECKING:
    import boto3

WORKERS = 8
# The share of the time for looking at the targets, so that an API without an answer leaves time for IAM.
_LOOKING = 0.5
_LOOKING_AGAIN = 0.65
# The time that is reserved after the last pause for the question that follows it.
_LAST_QUESTION = 1.0
_Got = TypeVar("_Got")
_log = logging.getLogger(__name__)
# A key that the template does not name can allow the role by its own policy, which no simulation of the role contains.
_KEY_POLICY = Inconclusive(
    "no statement of the role allows it, and only the key's own policy may",
    "name the key (KmsKey) beside the secret or parameter in ExecutionRoleSpec, so that the role is granted it",
)


def check(
    role_arn: str,
    needs: Sequence[CheckedNeed],
    session: boto3.session.Session,
    *,
    region: str | None = None,
    patience: float = 0.0,
    seconds: float = 60.0,
    owned: Callable[[Aws], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RoleCheck:
    """Checks whether the role allows what is needed, and whether what is needed exists.

    Errors of AWS are verdicts in the report, and not raised.

    Args:
        role_arn: the role.
        needs: what its tasks need.
        session: boto3's, with the credentials of the role's account.
        region: the region of the tasks, else the session's.
        patience: seconds in which a refusal is asked again, since a new role takes time to be known everywhere.
        seconds: the report is made after these seconds at the latest, with what is known then.
        owned: tells whether the role is the caller's own, so that messages may name its policies; None if it is.
        clock: seconds, as `time.monotonic` has them.
        sleep: waits.
    """
    began = clock()
    arn = parse_arn(role_arn)
    partition, owner = (arn.partition, arn.account) if arn else ("aws", "")
    scope = Scope(partition, owner, region or session.region_name or "us-east-1")
    aws = Aws(session)
    pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="preflight")
    try:
        run = _Run(pool, aws, scope, role_arn, clock)
        targets = targets_of(needs, scope)
        seen, role, named = run.look(targets, owned, until=began + seconds * _LOOKING)
        keys = run.look_at_keys(needs, targets, seen, until=began + seconds * _LOOKING_AGAIN)
        known = Known(found.arn for found in (*seen.values(), *keys.seen.values()) if found.arn)
        asked = [
            questions_of(need, scope, concrete=_concrete(target, seen, scope), known=known)
            for need, target in zip(needs, targets, strict=True)
        ]
        asked += [
            NeedQuestions(
                questions=questions_of(one.need, scope, concrete=one.arn, known=known).questions,
                inconclusive=_KEY_POLICY,
            )
            for one in keys.found
        ]
        answers = run.ask(asked, role, patience=patience, deadline=began + seconds, sleep=sleep)
    finally:
        # A call that still waits for a socket ends by its own time-out; the check does not wait for it.
        pool.shutdown(wait=False, cancel_futures=True)
    judge = Judge(scope=scope, boundary=role.boundary, names=named)
    existence = [seen.get(target, NOT_OBSERVED).verdict if target else None for target in targets]
    existence += [one.verdict for one in keys.found]
    all_needs = (*needs, *(one.need for one in keys.found))
    results = [
        Result(need=need, permission=judge.permission(need, one, answers), existence=exists)
        for need, one, exists in zip(all_needs, asked, existence, strict=True)
    ]
    trusted = trust(role.trust)
    return RoleCheck(
        role_arn=role_arn,
        results=tuple(results),
        role=((role.trouble,) if role.trouble else ()) + (() if trusted is OK else (trusted,)),
        calls=dict(aws.calls),
        seconds=clock() - began,
    )


def _concrete(target: Target | None, seen: Mapping[Target, Observation], scope: Scope) -> str | None:
    if target is None:
        return None
    return seen.get(target, NOT_OBSERVED).arn or arn_of(target, scope)


@dataclass(frozen=True, kw_only=True, slots=True)
class _FoundKey:
    """The need to use a customer managed key that no need names, its ARN, and the verdict on the key."""

    need: CheckedNeed
    arn: str
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class _Keys:
    """The keys that no need names, and all keys that were found."""

    found: tuple[_FoundKey, ...]
    seen: Mapping[Target, Observation]


class _Run:
    """One running check: the threads, and the remaining time."""

    def __init__(
        self, pool: ThreadPoolExecutor, aws: Aws, scope: Scope, role_arn: str, clock: Callable[[], float]
    ) -> None:
        self._pool, self._aws, self._scope, self._role_arn = pool, aws, scope, role_arn
        self._clock = clock

    def _finished(self, tasks: Mapping[Future[_Got], _Got], until: float) -> list[_Got]:
        """The results of the tasks that are done in time; each task has a value that is used if it fails."""
        waiting: set[Future[_Got]] = set(tasks)
        results: list[_Got] = []
        late = False
        while waiting and not late:
            left = until - self._clock()
            late = left <= 0
            # In short steps, since the clock can differ from the clock of `wait`. Each step looks at every task, so a
            # step does not end with the first that is done.
            done, waiting = wait(waiting, timeout=min(0.5, max(0.0, left)))
            for future in done:
                error = future.exception()
                if error is not None:
                    # A bug here, or a reply with an unexpected form: it is not a verdict on the role.
                    _log.error("A part of the check failed", exc_info=error)
                results.append(future.result() if error is None else tasks[future])
        for future in waiting:
            future.cancel()
        return results

    def look(
        self, targets: Iterable[Target | None], owned: Callable[[Aws], bool] | None, *, until: float
    ) -> tuple[dict[Target, Observation], DeployedRole, bool]:
        """The observation of each target, the role, and whether its policies may be named."""
        lost = Verdict(Status.UNKNOWN, *_FAILED[:2], unanswered=_FAILED[2])
        role = self._pool.submit(read_role, self._aws, self._role_arn, self._scope)
        named = self._pool.submit(owned, self._aws) if owned else None
        seen = self._look_at((target for target in targets if target), until=until)
        roles = self._finished({role: DeployedRole(trouble=lost)}, until)
        names = self._finished({named: False}, until) if named else [True]
        # A role that was not read in time is reported like everything else that was not.
        return seen, roles[0] if roles else DeployedRole(trouble=NOT_OBSERVED.verdict), bool(names and names[0])

    def _look_at(self, targets: Iterable[Target], *, until: float) -> dict[Target, Observation]:
        lost = Observation(Verdict(Status.UNKNOWN, *_FAILED[:2], unanswered=_FAILED[2]))

        def nothing(look: Look) -> Mapping[Target, Observation]:
            return dict.fromkeys(look.targets, lost)

        taken = looks(self._aws, self._scope, self._role_arn, targets)
        tasks = {self._pool.submit(look.take): nothing(look) for look in taken}
        return {target: one for seen in self._finished(tasks, until) for target, one in seen.items()}

    def look_at_keys(
        self,
        needs: Sequence[CheckedNeed],
        targets: Sequence[Target | None],
        seen: Mapping[Target, Observation],
        *,
        until: float,
    ) -> _Keys:
        """The keys that no template shows: those of targets that are encrypted with a customer managed key."""
        # A key's ARN ends with its ID, and both can name it.
        named_keys = [target for target in targets if target and target.kind is TargetKind.KEY]
        named = {_key_id(arn) for key in named_keys for arn in (key.name, seen.get(key, NOT_OBSERVED).arn) if arn}
        required: list[tuple[CheckedNeed, Target, Observation]] = []
        for need, target in zip(needs, targets, strict=True):
            one = seen.get(target) if target else None
            if target is None or one is None or not one.key or not one.arn or target.kind is TargetKind.KEY:
                continue
            if not _key_id(one.key).startswith("alias/aws/") and _key_id(one.key) not in named:
                label = f"the key of {target}"
                required.append((need, key_target(one.key, target.region, self._scope, label), one))
        # Equal targets can have different labels, so the first label is used for all.
        looked = self._look_at({key: key for _, key, _ in required if key not in seen}, until=until)
        found: dict[tuple[str, str], _FoundKey] = {}
        for need, key, one in required:
            observed = looked.get(key) or seen.get(key, NOT_OBSERVED)
            arn = observed.arn or (key.name if ":key/" in key.name else None)
            managed = observed.verdict is OK and observed.key is None
            if arn is None or managed or _key_id(arn) in named or (need.path, arn) in found:
                continue
            decrypt = _decrypt(need, key, one)
            found[need.path, arn] = _FoundKey(need=decrypt, arn=arn, verdict=observed.verdict)
        return _Keys(found=tuple(found.values()), seen=looked)

    def ask(
        self,
        asked: Sequence[NeedQuestions],
        role: DeployedRole,
        *,
        patience: float,
        deadline: float,
        sleep: Callable[[float], None],
    ) -> dict[Question, Answer]:
        """The answer to each question. A refusal is asked again after growing pauses, since the role may be new."""
        answers: dict[Question, Answer] = {}
        pending = {question for one in asked for question in one.questions}
        if role.other:
            return dict.fromkeys(pending, NO_ROLE)
        until = min(self._clock() + patience, deadline - _LAST_QUESTION)
        lost = NoDecision(*_FAILED[:2])
        pause = 1.0
        while pending:
            tasks = {
                self._pool.submit(partial(simulate, self._aws, self._role_arn, self._scope, batch)): dict[
                    Question, Answer
                ](dict.fromkeys(batch.questions, lost))
                for batch in batches(sorted(pending))
            }
            for got in self._finished(tasks, deadline):
                answers |= got
            pending = {q for q in pending if self._may_change(q, answers.get(q, NOT_ANSWERED), role)}
            # The last pause ends when the patience ends.
            left = until - self._clock()
            if not pending or left <= 0:
                break
            sleep(min(pause, left))
            pause = min(2 * pause, 4.0)
        return answers

    @staticmethod
    def _may_change(question: Question, answer: Answer, role: DeployedRole) -> bool:
        if answer is NO_ROLE:
            return True
        if not isinstance(answer, Decision) or answer.allowed:
            return False
        return role.boundary is None or role.boundary.forbids(question.action, question.resource) is None


_FAILED = (
    "not checked: the check itself failed on it, or could not read AWS's reply",
    "deploy again, and report it with the log of the function if it happens again",
    "the check itself failed",
)


def _key_id(name: str) -> str:
    """A key's ID, or `alias/…`, without the part of an ARN before it."""
    return name.rpartition(":")[2].removeprefix("key/")


def _decrypt(need: CheckedNeed, key: Target, one: Observation) -> CheckedNeed:
    """The need to decrypt what `need` reads, with the encryption context of its service.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
    """
    of_secret = ":secretsmanager:" in str(one.arn)
    service, entry = ("secretsmanager", "SecretARN") if of_secret else ("ssm", "PARAMETER_ARN")
    return CheckedNeed(
        path=need.path,
        kind="Key",
        target=str(key),
        actions=("kms:Decrypt",),
        resources=("arn:aws:kms:*:*:key/*",),
        context={
            f"kms:EncryptionContext:{entry}": (str(one.arn),),
            "kms:ViaService": (f"{service}.{key.region}.amazonaws.com",),
        },
    )
