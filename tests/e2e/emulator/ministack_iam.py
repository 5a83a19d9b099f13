"""IAM for MiniStack: `SimulatePrincipalPolicy`, and the resources of calls whose policies name a resource.

MiniStack's own simulator judges the first resource alone, without context, boundary and service control policies; its
evaluator has what it takes. Under AUTH=true it does not tell which parameter or log stream a call is about.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, organizations
from ministack_patch import OK, replace


@dataclass
class _Simulated(iam_evaluator.EvalContext):  # type: ignore[misc]
    """A request that knows only what the caller says of it, and who it is; `missing` is what policies asked besides."""

    given: Any = None
    missing: Any = None


_CALLER = {"aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:currenttime", "aws:epochtime"}
_own_condition_key = iam_evaluator._resolve_condition_key


def _condition_key(key: str, context: Any) -> Any:
    name = key.lower()
    if not isinstance(context, _Simulated) or name in _CALLER:
        return _own_condition_key(key, context)
    if name not in context.given:
        context.missing.add(key)
        return None
    return context.given[name]


def _members(params: Any, prefix: str, suffix: str = "") -> list[str]:
    found: list[str] = []
    while value := iam._p(params, f"{prefix}.member.{len(found) + 1}{suffix}"):
        found.append(value)
    return found


@dataclass(frozen=True)
class _Documents:
    """What decides about a role; each of the limits must allow, and none may deny."""

    policies: Any
    boundaries: Any
    scps: Any


def _service_control_policies(account: str) -> list[Any]:
    """Those attached to the account. AWS spares an organization's management account; here every account is one."""
    attached = [
        organizations._policies.get_scoped(account, None, policy)
        for policy, targets in organizations._attachments.items()
        if account in targets
    ]
    scps = [each["_Content"] for each in attached if each and each.get("Type") == "SERVICE_CONTROL_POLICY"]
    return [[iam_evaluator.parse_policy_document(each) for each in scps]] if scps else []


def _simulate(params: Any) -> Any:
    account, source = get_account_id(), iam._p(params, "PolicySourceArn")
    name = source.rpartition("/")[2]
    role = iam._roles.get_scoped(account, None, name)
    if role is None or role["Arn"] != source:
        return iam._error(404, "NoSuchEntity", f"The role with name {name} cannot be found.", ns="iam")
    context: dict[str, Any] = {}
    for number, key in enumerate(_members(params, "ContextEntries", ".ContextKeyName"), 1):
        entry = f"ContextEntries.member.{number}"
        values = _members(params, f"{entry}.ContextKeyValues")
        single = not iam._p(params, f"{entry}.ContextKeyType").endswith("List")
        context[key.lower()] = values[0] if single else values
    documents = _Documents(
        iam_evaluator._gather_role_policies(name, account),
        iam_evaluator._permissions_boundary(iam._roles, name, account),
        _service_control_policies(account),
    )
    resources = _members(params, "ResourceArns") or ["*"]
    results = ""
    for action in _members(params, "ActionNames"):
        parts = [_judge(source, account, action, each, context, documents) for each in resources]
        # Of several resources, the outer decision is that of the worst.
        worst = min(parts, key=lambda part: ("explicitDeny", "implicitDeny", "allowed").index(part.decision))
        specific = "".join(
            f"<member><EvalResourceName>{escape(part.resource)}</EvalResourceName>"
            f"<EvalResourceDecision>{part.decision}</EvalResourceDecision>{part.rest}</member>"
            for part in parts
        )
        results += (
            f"<member><EvalActionName>{action}</EvalActionName>"
            f"<EvalResourceName>{escape(resources[0]) if len(resources) == 1 else '*'}</EvalResourceName>"
            f"<EvalDecision>{worst.decision}</EvalDecision>{worst.rest}"
            f"<ResourceSpecificResults>{specific if len(resources) > 1 else ''}</ResourceSpecificResults></member>"
        )
    inner = f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"
    result = f"<SimulatePrincipalPolicyResult>{inner}</SimulatePrincipalPolicyResult>"
    return iam._xml(OK, "SimulatePrincipalPolicyResponse", result, ns="iam")


@dataclass(frozen=True)
class _Decision:
    resource: str
    decision: str
    rest: str


_WORDS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}


def _judge(
    source: str, account: str, action: str, resource: str, given: dict[str, Any], documents: _Documents
) -> _Decision:
    def evaluated(documents: Any, *bounds: Any) -> tuple[str, set[str]]:
        request = _Simulated(
            principal_arn=source,
            principal_type="AssumedRole",
            principal_account=account,
            action=action,
            resource_arn=resource,
            region=get_region(),
            given=given,
            missing=set(),
        )
        return iam_evaluator.evaluate(request, documents, *bounds).decision, request.missing

    decision, missing = evaluated(documents.policies, *documents.boundaries, *documents.scps)
    names = "".join(f"<member>{escape(key)}</member>" for key in sorted(missing))
    rest = f"<MatchedStatements/><MissingContextValues>{names}</MissingContextValues>"
    if documents.scps:
        inside = all(evaluated(level)[0] == "Allow" for level in documents.scps)
        detail = f"<AllowedByOrganizations>{str(inside).lower()}</AllowedByOrganizations>"
        rest += f"<OrganizationsDecisionDetail>{detail}</OrganizationsDecisionDetail>"
    if documents.boundaries:
        inside = all(evaluated(limit)[0] == "Allow" for limit in documents.boundaries)
        detail = f"<AllowedByPermissionsBoundary>{str(inside).lower()}</AllowedByPermissionsBoundary>"
        rest += f"<PermissionsBoundaryDecisionDetail>{detail}</PermissionsBoundaryDecisionDetail>"
    return _Decision(resource, _WORDS[decision], rest)


# Enforcement

_own_resource = iam_actions.extract_resource_arn


def _resource(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> str:
    """The ARN that AWS compares with a policy. Of several parameters it is the first."""
    if service not in {"ssm", "logs"}:
        return str(_own_resource(service, method, path, headers, body, *rest))
    sent = json.loads(body) if body else {}
    if service == "ssm" and sent.get("Names"):
        body = json.dumps({"Name": sent["Names"][0]}).encode()
    arn = str(_own_resource(service, method, path, headers, body, *rest))
    return (
        f"{arn}:log-stream:{sent.get('logStreamName', '')}" if service == "logs" and sent.get("logGroupName") else arn
    )


def install() -> None:
    replace(iam_evaluator, "_resolve_condition_key", _condition_key)
    replace(iam_actions, "extract_resource_arn", _resource)
    tables = [each for each in vars(iam).values() if isinstance(each, dict) and "SimulatePrincipalPolicy" in each]
    if not tables:
        raise SystemExit("MiniStack's IAM has no SimulatePrincipalPolicy to replace")
    for table in tables:
        table["SimulatePrincipalPolicy"] = _simulate
    # Under AUTH=true a simulation is a request about that role, not about a policy.
    query = iam_actions._query_param
    replace(
        iam_actions,
        "_query_param",
        lambda params, name: query(params, name) or (query(params, "PolicySourceArn") if name == "PolicyArn" else ""),
    )
