"""`iam:SimulatePrincipalPolicy`, which moto lacks, as AWS answers it: over the policies that moto's IAM holds.

It is a hook of botocore, before a request is sent, so the code under test calls boto3 as usual. It
refuses what AWS refuses, and answers in AWS's shape: with one resource the entry itself is the answer, with several
each resource has an entry inside and the outer one summarizes them under an artificial name.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.iam.models import ManagedPolicy, iam_backends

Answer = tuple[AWSResponse, dict[str, Any]]
Document = dict[str, Any]


@functools.cache
def client(service: str) -> Any:
    """A client of moto, kept for all tests: making one takes longer than using it."""
    return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]


def hook(session: boto3.session.Session, event: str, answer: Callable[..., Any]) -> None:
    """Makes the later clients of a session use `answer` instead of a call, unless it is None."""
    session.events.register(f"before-call.{event}", answer)


def reply(status: int, parsed: Mapping[str, Any]) -> Answer:
    """An answer for a `before-call` hook of botocore."""
    return AWSResponse("https://aws.example", status, HTTPHeaders(), None), {
        "ResponseMetadata": {"HTTPStatusCode": status},
        **parsed,
    }


def error(code: str, message: str = "made up by a test", status: int = 400) -> Answer:
    return reply(status, {"Error": {"Code": code, "Message": message}})


@dataclass
class Simulator:
    """The settings of the tests, and the requests that came."""

    session: boto3.session.Session
    blocked_by_organization: set[str] = field(default_factory=set)
    knows_boundaries: bool = True
    # That many calls at the beginning see no policy, or no role.
    policies_appear_after: int = 0
    role_appears_after: int = 0
    # Actions that AWS does not accept together with others.
    apart: frozenset[str] = frozenset()
    page: int = 1000
    missing: dict[str, list[str]] = field(default_factory=dict)
    fails: Callable[[dict[str, Any]], Answer | None] = lambda _request: None
    requests: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        hook(self.session, "iam.SimulatePrincipalPolicy", self._called)

    def _called(self, params: Mapping[str, Any], **_: Any) -> Answer:
        request = _unflatten(params["body"])
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        failure = self.fails(request) or self._refused(request)
        if failure:
            return failure
        if number <= self.role_appears_after:
            return error("NoSuchEntity", "The role cannot be found", 404)
        role = self._role(request["PolicySourceArn"])
        if role is None:
            return error("NoSuchEntity", "The role cannot be found", 404)
        boundary, documents = role
        visible = documents if number > self.policies_appear_after else {}
        results = [self._result(action, request, visible, boundary) for action in request["ActionNames"]]
        start = int(request.get("Marker", 0))
        parsed: dict[str, Any] = {"EvaluationResults": results[start : start + self.page], "IsTruncated": False}
        if start + self.page < len(results):
            parsed |= {"IsTruncated": True, "Marker": str(start + self.page)}
        return reply(200, parsed)

    def _refused(self, request: Mapping[str, Any]) -> Answer | None:
        resources = request.get("ResourceArns", ["*"])
        if "*" in resources and len(resources) > 1:
            return error("InvalidInput", "you cannot include both * and individual resources in the resource list")
        for resource in resources:
            parts = resource.split(":", 5)
            if resource != "*" and (len(parts) < 6 or not all((parts[1], parts[2], parts[5]))):
                return error("InvalidInput", f"ResourceNames are not in a valid ARN format: {resource}.")
        together = [a for a in request["ActionNames"] if a not in self.apart]
        others = [a for a in request["ActionNames"] if a in self.apart]
        if together and others and resources != ["*"]:
            groups = f"[{','.join(together)}] and [{','.join(others)}]"
            return error(
                "InvalidInput", f"Invalid Input Actions: {groups} require different authorization information."
            )
        return None

    def _role(self, arn: str) -> tuple[tuple[str, Document] | None, dict[str, Document]] | None:
        """The boundary and the policies of a role, from moto's store: calls for them take longer than all else."""
        store = iam_backends[arn.split(":")[4]]["aws"]
        name = arn.rpartition("/")[2]
        role = next((role for role in store.roles.values() if role.name == name), None)
        if role is None:
            return None
        documents = {f"role_{name}_{policy}": _read(text) for policy, text in role.policies.items()}
        documents |= {policy.name: _current(policy) for policy in role.managed_policies.values()}
        bound = role.permissions_boundary_arn if self.knows_boundaries else None
        return (bound.rpartition("/")[2], _current(store.get_policy(bound))) if bound else None, documents

    def _result(
        self,
        action: str,
        request: Mapping[str, Any],
        documents: Mapping[str, Document],
        boundary: tuple[str, Document] | None,
    ) -> dict[str, Any]:
        context = {e["ContextKeyName"].lower(): e["ContextKeyValues"] for e in request.get("ContextEntries", [])}
        resources = request.get("ResourceArns", ["*"])
        parts = [self._part(action, resource, context, documents, boundary) for resource in resources]
        worst = next((p for p in parts if p["EvalResourceDecision"] != "allowed"), parts[0])
        result: dict[str, Any] = {
            "EvalActionName": action,
            "EvalResourceName": resources[0] if len(resources) == 1 else "arn:aws:made:${Up}",
            "EvalDecision": worst["EvalResourceDecision"],
            "MatchedStatements": worst.get("MatchedStatements", []),
            "MissingContextValues": worst.get("MissingContextValues", []) if len(resources) == 1 else [],
            "OrganizationsDecisionDetail": {"AllowedByOrganizations": action not in self.blocked_by_organization},
        }
        if boundary:
            result["PermissionsBoundaryDecisionDetail"] = worst["PermissionsBoundaryDecisionDetail"]
        if resources != ["*"]:
            result["ResourceSpecificResults"] = parts
        return result

    def _part(
        self,
        action: str,
        resource: str,
        context: Mapping[str, list[str]],
        documents: Mapping[str, Document],
        boundary: tuple[str, Document] | None,
    ) -> dict[str, Any]:
        hits = {name: set(_effects(document, action, resource, context)) for name, document in documents.items()}
        decision = _decision(set().union(*hits.values()))
        part: dict[str, Any] = {"EvalResourceName": resource}
        matched = [(name, "IAM Policy") for name, effects in hits.items() if effects]
        if boundary:
            bound = _decision(set(_effects(boundary[1], action, resource, context)))
            part["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bound == "allowed"}
            if bound == "explicitDeny":
                decision, matched = "explicitDeny", [(boundary[0], "Permissions Boundary Policy")]
            elif decision == "allowed" and bound != "allowed":
                decision, matched = "implicitDeny", []
        if action in self.blocked_by_organization and decision == "allowed":
            decision, matched = "implicitDeny", []
        owner = resource.split(":")[4] if resource.count(":") > 4 else ""
        if owner and owner != "123456789012":
            part["EvalDecisionDetails"] = {"IAM Policy": decision, "Resource Policy": "implicitDeny"}
            decision = "implicitDeny"
        part["EvalResourceDecision"] = decision
        if matched:
            part["MatchedStatements"] = [{"SourcePolicyId": n, "SourcePolicyType": kind} for n, kind in matched]
        if action in self.missing:
            part["MissingContextValues"] = self.missing[action]
        return part


def _current(policy: ManagedPolicy) -> Document:
    [version] = [each for each in policy.versions if each.version_id == policy.default_version_id]
    return _read(version.document)


def _read(text: str) -> Document:
    document: Document = json.loads(text)
    return document


def _unflatten(body: Mapping[str, str]) -> dict[str, Any]:
    """The request's parameters, from how the query protocol writes lists."""
    request: dict[str, Any] = {}
    for key in sorted(body, key=lambda k: [int(p) if p.isdigit() else 0 for p in k.split(".")]):
        steps = key.replace(".member.", ".").split(".")
        if len(steps) == 1:
            request[key] = body[key]
            continue
        into = request.setdefault(steps[0], [])
        if len(steps) == 2:
            into.append(body[key])
            continue
        while len(into) < int(steps[1]):
            into.append({})
        if len(steps) == 3:
            into[int(steps[1]) - 1][steps[2]] = body[key]
        else:
            into[int(steps[1]) - 1].setdefault(steps[2], []).append(body[key])
    return request


def _decision(effects: set[str]) -> str:
    return "explicitDeny" if "Deny" in effects else "allowed" if "Allow" in effects else "implicitDeny"


def _effects(document: Document, action: str, resource: str, context: Mapping[str, list[str]]) -> Iterator[str]:
    for statement in _list(document["Statement"]):
        actions = any(_like(action.lower(), a.lower()) for a in _list(statement.get("Action", [])))
        if "NotAction" in statement:
            actions = not any(_like(action.lower(), a.lower()) for a in _list(statement["NotAction"]))
        if actions and any(_like(resource, r) for r in _list(statement["Resource"])) and _holds(statement, context):
            yield statement["Effect"]


def _holds(statement: Document, context: Mapping[str, list[str]]) -> bool:
    for operator, tests in statement.get("Condition", {}).items():
        for key, values in tests.items():
            given = context.get(key.lower())
            test = _like if "Like" in operator else str.__eq__
            hit = given is not None and any(test(g, v) for g in given for v in _list(values))
            if hit == ("Not" in operator):
                return False
    return True


def _like(text: str, pattern: str) -> bool:
    if "*" not in pattern and "?" not in pattern:
        return text == pattern
    return fnmatch.fnmatchcase(text, re.sub(r"\[", "[[]", pattern))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
