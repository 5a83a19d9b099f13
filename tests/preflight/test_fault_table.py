"""Each call of AWS in each fault.

A fault of AWS is never a failure of the role, and is always reported. One account, one role and one set of clients
serve the whole table, because nothing changes them; a case sets the answer of a call.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws
from tests.preflight.conftest import fast_session
from tests.preflight.faults import CALLS, FAULTS, Call
from tests.preflight.simulator import Simulator, reply
from tests.preflight.world import ACCOUNT, ROLE, TRUST, World, arn

from ecs_exec_role.preflight.report import RoleCheck
from ecs_exec_role.preflight.response import LIMIT, body
from ecs_exec_role.preflight.response import answer as to_answer

CACHE_RULES = next(call for call in CALLS if "CacheRules" in call.event)
SEVERAL = reply(200, {"pullThroughCacheRules": [{"ecrRepositoryPrefix": "quay"}]})


# The calls that ask for further pages, and the member of the reply that leads to the next one.
PAGED = {
    "iam.SimulatePrincipalPolicy": "Marker",
    "ecr.DescribePullThroughCacheRules": "nextToken",
    "ssm.DescribeParameters": "NextToken",
}
LONG = "x" * 10_000
# The part that an operation defines is read, and the rest is not.
HUGE = reply(
    200,
    {
        "Role": {"Arn": ROLE, "AssumeRolePolicyDocument": {"Statement": [TRUST["Statement"][0]] * 20_000}},
        "Policy": {"DefaultVersionId": LONG},
        "PolicyVersion": {"Document": {"Statement": [{"Effect": "Deny", "Action": LONG, "Resource": LONG}] * 2_000}},
        "EvaluationResults": [
            {"EvalActionName": f"a:{number}{LONG}", "EvalResourceName": LONG, "EvalDecision": "allowed"}
            for number in range(500)
        ],
        "imageDetails": [{"imageTags": [LONG]}] * 20_000,
        "repositories": [{"repositoryName": LONG}] * 20_000,
        "pullThroughCacheRules": [{"ecrRepositoryPrefix": f"{number}{LONG}"} for number in range(500)],
        "ARN": arn("secretsmanager", f"secret:{LONG}"),
        "Name": LONG,
        "VersionIdsToStages": {f"{number}": [LONG] for number in range(20_000)},
        "Parameters": [{"Name": f"{number}{LONG}", "Type": "String"} for number in range(500)],
        "Contents": [{"Key": LONG}] * 20_000,
        "logGroups": [{"logGroupName": LONG}] * 20_000,
        "KeyMetadata": {"Arn": arn("kms", f"key/{LONG}"), "KeyState": LONG, "KeyManager": LONG},
    },
)


class Table:
    """The account, and what its calls are answered in the case under test."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.answers: dict[str, Callable[..., Any]] = {}
        clients: dict[tuple[str, str], Any] = {}
        make = world.session.client

        def client(service: str, *, region_name: str, config: Any) -> Any:
            if (service, region_name) not in clients:
                clients[service, region_name] = make(service, region_name=region_name, config=config)  # type: ignore[call-overload]
            return clients[service, region_name]

        world.session.client = client  # type: ignore[method-assign, assignment]
        for call in CALLS:
            if call.event != "iam.SimulatePrincipalPolicy":
                world.session.events.register(f"before-call.{call.event}", self._answering(call))
        world.simulator.fails = lambda _request: self._answer("iam.SimulatePrincipalPolicy")

    def _answering(self, call: Call) -> Callable[..., Any]:
        return lambda **_: self._answer(call.event)

    def _answer(self, event: str) -> Any:
        answer = self.answers.get(event)
        return None if answer is None else answer()

    def check(self, **options: Any) -> RoleCheck:
        return self._world.check(**options)


@pytest.fixture(scope="module")
def account() -> Iterator[Table]:
    """Needs that together make every call of the table, and a role that is allowed all of it."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        session = fast_session()
        world = World(session, Simulator(session))
        world.everything()
        world.client("ecr").create_repository(repositoryName="base")
        pull = ["ecr:BatchGetImage"]
        world.need("Images/0", Kind="Image", Target="base", Actions=pull, Resources=[arn("ecr", "repository/base")])
        cached = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/quay/node:1"
        through = [arn("ecr", "repository/quay/node")]
        world.need("Images/1", Kind="PullThroughImage", Target=cached, Actions=pull, Resources=through)
        world.client("s3").create_bucket(Bucket="alone")
        world.need("Buckets/0", Kind="Bucket", Actions=["s3:GetBucketLocation"], Resources=["arn:aws:s3:::alone"])
        world.role(boundary=[{"Effect": "Allow", "Action": "*", "Resource": "*"}])
        yield Table(world)


@pytest.fixture
def table(account: Table) -> Table:
    # moto does not know the rules of pull-through caches.
    account.answers = {CACHE_RULES.event: lambda **_: SEVERAL}
    return account


def test_without_a_fault_all_of_it_is_sound(table: Table) -> None:
    report = table.check()

    assert report.findings == ()
    assert {call.event.partition(".")[2] for call in CALLS} <= {name.partition(":")[2] for name in report.calls}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.permission + "-" + call.event.partition(".")[2])
def test_a_call_in_a_fault(table: Table, call: Call, fault: str) -> None:
    answer, said = FAULTS[fault]
    table.answers[call.event] = answer

    report = table.check(seconds=20)

    lines = [str(finding) for finding in report.findings]
    assert not report.failed, lines
    assert not report.nothing_checked
    assert all(len(line) < 2_000 for line in lines)
    if fault == "nonsense" and call.event == "s3.HeadBucket":
        assert not lines  # It has no body.
    elif call.told:
        assert lines
        assert any(said.format(call.permission) in line for line in lines), lines
        assert all(line.count("; ") for line in lines)
        assert "could not be decided from here" in report.summary
    else:
        assert not lines
        assert report.summary.startswith("All ")


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.event)
def test_a_call_that_hangs(table: Table, call: Call) -> None:
    released = threading.Event()

    def hangs(**_: Any) -> None:
        released.wait(20)

    table.answers[call.event] = hangs
    began = time.monotonic()
    try:
        report = table.check(seconds=0.2)
    finally:
        released.set()

    assert time.monotonic() - began < 10
    assert not report.failed
    assert report.unsettled or report.role or not call.told or "not checked" in str(report.findings)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.event)
def test_a_call_that_is_late(table: Table, call: Call) -> None:
    sound = table.answers.get(call.event)

    def late(**_: Any) -> Any:
        time.sleep(0.2)
        return sound() if sound else None

    table.answers[call.event] = late

    assert table.check(seconds=30).findings == ()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.event)
def test_a_reply_that_is_huge(table: Table, call: Call) -> None:
    """Most of these do not answer the question; the check neither fails for them nor repeats them to CloudFormation."""
    table.answers[call.event] = lambda **_: HUGE

    began = time.monotonic()
    report = table.check(seconds=20)

    assert time.monotonic() - began < 20
    assert all(len(str(finding)) < 2_000 for finding in report.findings)
    for mode in ("Fail", "Warn"):
        assert len(body({"StackId": "s"}, to_answer(report, mode), log="the log")) <= LIMIT


@pytest.mark.parametrize("event, member", PAGED.items())
@pytest.mark.parametrize("tokens", ["the same token", "new tokens"])
def test_pages_that_never_end(table: Table, event: str, member: str, tokens: str) -> None:
    """If not all pages are known, nothing is reported as absent or denied."""
    numbers = itertools.count()
    empty: dict[str, Any] = {"pullThroughCacheRules": [], "Parameters": [], "EvaluationResults": []}
    table.answers[event] = lambda **_: reply(
        200, {**empty, member: "again" if tokens == "the same token" else str(next(numbers))}
    )

    report = table.check(seconds=20)

    call = next(call for call in CALLS if call.event == event)
    assert not report.failed
    said = f"the reply to {call.permission} could not be read, no usable {member}"
    if tokens == "new tokens":
        said = f"the check ends at 1000 calls, before it called {call.permission}"
    assert any(said in str(finding) for finding in report.findings)


def test_calls_that_are_late(table: Table) -> None:
    never = threading.Event()

    def late(**_: Any) -> None:
        never.wait(0.05)

    for call in CALLS:
        table.answers[call.event] = late
    table.answers[CACHE_RULES.event] = lambda **_: never.wait(0.05) or SEVERAL

    assert table.check(seconds=30).findings == ()
