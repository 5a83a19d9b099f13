"""CloudFormation macros for MiniStack.

`AWS::CloudFormation::Macro`, calls in `Transform` and in `Fn::Transform`, and what a macro that fails does to a change
set and to a stack.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import lambda_svc
from ministack.services.cloudformation import _change_sets, changesets, engine, handlers, provisioners
from ministack_patch import OK, replace

# Macros: (account, region, name) -> the function's ARN.
_macros: dict[tuple[str, str, str], str] = {}
# What the macro of the request at hand refused; the wrapped operations look here.
_refusal: contextvars.ContextVar[str | None] = contextvars.ContextVar("refusal", default=None)


class MacroError(ValueError):
    """A macro, or its function, did not answer with a fragment."""


def _here(name: str) -> tuple[str, str, str]:
    return get_account_id(), get_region(), name


def _macro_create(_logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
    if _here(properties["Name"]) in _macros:
        raise ValueError(f"Macro {properties['Name']} already exists")
    _macros[_here(properties["Name"])] = properties["FunctionName"]
    return properties["Name"], {}


def _macro_update(physical_id: str, _old: object, new: dict[str, Any], *_: object) -> tuple[str, dict[str, Any]]:
    _macros[_here(new["Name"])] = new["FunctionName"]
    return physical_id, {}


def _macro_delete(physical_id: str, _properties: object) -> None:
    _macros.pop(_here(physical_id), None)


def _call_macro(name: str, parameters: Any, fragment: Any, values: dict[str, Any]) -> Any:
    """The fragment that a macro makes of one. `MacroError` in CloudFormation's words otherwise."""
    full_name = f"{get_account_id()}::{name}"
    function = _macros.get(_here(name))
    if function is None:
        raise MacroError(f"No transform named {full_name} found.")
    record, configuration, _ = lambda_svc._get_func_record_for_ref(function)
    if record is None:
        raise MacroError(f"Transform {full_name} failed without an error message: {function} does not exist.")
    event = {
        "region": get_region(),
        "accountId": get_account_id(),
        "fragment": fragment,
        "transformId": full_name,
        "params": parameters,
        "requestId": new_uuid(),
        "templateParameterValues": values,
    }
    runnable = lambda_svc._execution_record_for_config(record, configuration)
    body = lambda_svc._execute_function_with_config_scope(runnable, event).get("body")
    answer = json.loads(body) if isinstance(body, bytes | str) else body
    if not isinstance(answer, dict) or answer.get("requestId") != event["requestId"] or "fragment" not in answer:
        said = answer.get("errorMessage") if isinstance(answer, dict) else None
        raise MacroError(f"Transform {full_name} failed with: {said or answer}. Rollback requested by user.")
    if answer.get("status") != "success":
        raise MacroError(
            f"Transform {full_name} failed with: {answer.get('errorMessage', '')}. Rollback requested by user."
        )
    return answer["fragment"]


def _expand_nested(node: Any, values: dict[str, Any]) -> Any:
    """`Fn::Transform`, the deepest first. A macro sees what stands beside its call."""
    if isinstance(node, list):
        return [_expand_nested(item, values) for item in node]
    if not isinstance(node, dict):
        return node
    call = node.get("Fn::Transform")
    rest = {key: _expand_nested(item, values) for key, item in node.items() if key != "Fn::Transform"}
    if not isinstance(call, dict):
        return rest
    if str(call.get("Name", "")).startswith("AWS::"):
        return {**rest, "Fn::Transform": call}
    return _call_macro(call["Name"], call.get("Parameters", {}), rest, values)


def _parameter_values(template: dict[str, Any], provided: Any, previous: Any) -> dict[str, Any]:
    """As CloudFormation gives them to a macro: lists as lists."""
    types = {name: str(each.get("Type", "")) for name, each in (template.get("Parameters") or {}).items()}
    given = engine._transform_parameters(template, provided, previous)
    return {
        name: value.split(",") if types.get(name, "").startswith(("List<", "CommaDelimitedList")) else value
        for name, value in given.items()
    }


_own_transforms = engine._apply_transforms


def _apply_transforms(template: dict[str, Any], provided: Any = None, previous: Any = None) -> Any:
    """Nested calls first, then each entry of `Transform` in its order."""
    declared = template.get("Transform") or []
    entries = declared if isinstance(declared, list) else [declared]
    values = _parameter_values(template, provided, previous)
    try:
        template = _expand_nested(template, values)
        for entry in entries:
            name = entry if isinstance(entry, str) else entry["Name"]
            rest = {key: value for key, value in template.items() if key != "Transform"}
            if name.startswith("AWS::"):
                template = _own_transforms({"Transform": entry, **rest}, provided, previous)
                if isinstance(template, engine._TransformFailed):
                    return template
            else:
                parameters = entry.get("Parameters", {}) if isinstance(entry, dict) else {}
                template = _call_macro(name, parameters, rest, values)
    except MacroError as error:
        _refusal.set(str(error))
        raise
    if not entries:
        return _own_transforms(template, provided, previous)
    return {key: value for key, value in template.items() if key != "Transform"}


# A stack whose macro failed is created and rolls back; a change set is created and is FAILED. Both are made with a
# template of their own, for MiniStack refuses the request instead.
_REFUSED_TYPE = "Test::Macro::Refused"


def _refuse(_logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
    raise MacroError(properties["Reason"])


def _with_template(params: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in params.items() if not key.startswith(("Parameters.", "TemplateURL"))}
    return {**kept, "TemplateBody": [json.dumps({"Resources": {"Transform": resource}})]}


Operation = Callable[[dict[str, Any]], Any]


def _failing_as_aws_does(operation: Operation, instead: Callable[[Operation, dict[str, Any], str], Any]) -> Operation:
    def call(params: dict[str, Any]) -> Any:
        token = _refusal.set(None)
        try:
            answer = operation(params)
            refused = _refusal.get()
        finally:
            _refusal.reset(token)
        return answer if refused is None or answer[0] == OK else instead(operation, params, refused)

    return call


def _failed_stack(operation: Operation, params: dict[str, Any], refused: str) -> Any:
    return operation(_with_template(params, {"Type": _REFUSED_TYPE, "Properties": {"Reason": refused}}))


def _failed_change_set(operation: Operation, params: dict[str, Any], refused: str) -> Any:
    answer = operation(_with_template(params, {"Type": "AWS::CloudFormation::WaitConditionHandle"}))
    if answer[0] == OK:
        made = next(each for each in reversed(_change_sets.values()) if each["ChangeSetId"].encode() in _bytes(answer))
        made |= {"Status": "FAILED", "ExecutionStatus": "UNAVAILABLE", "StatusReason": refused, "Changes": []}
    return answer


def _bytes(answer: Any) -> bytes:
    body = answer[2]
    return body if isinstance(body, bytes) else str(body).encode()


def install() -> None:
    types = provisioners._RESOURCE_HANDLERS
    types["AWS::CloudFormation::Macro"] = {"create": _macro_create, "update": _macro_update, "delete": _macro_delete}
    types[_REFUSED_TYPE] = {"create": _refuse, "delete": lambda *_: None}
    for module in (engine, handlers, changesets):
        replace(module, "_apply_transforms", _apply_transforms)
    actions = handlers._ACTION_HANDLERS
    for name in ("CreateStack", "UpdateStack"):
        actions[name] = _failing_as_aws_does(actions[name], _failed_stack)
    actions["CreateChangeSet"] = _failing_as_aws_does(actions["CreateChangeSet"], _failed_change_set)
