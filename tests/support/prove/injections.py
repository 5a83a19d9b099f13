"""Faults of a policy's statement: each makes it allow more, or less, than before.

An injection takes a resolved statement and returns a changed one, or None if it does not apply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.cloudformation import Document

Injection = Callable[[Document], Document | None]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def each_resource(change: Callable[[str], str]) -> Injection:
    """Changes every resource of a statement."""

    def inject(statement: Document) -> Document | None:
        before = listed(statement["Resource"])
        after = [change(resource) for resource in before]
        return {**statement, "Resource": after} if after != before else None

    return inject


def replaced(pattern: str, by: str) -> Injection:
    return each_resource(lambda resource: re.sub(pattern, by, resource, count=1))


def part(index: int, by: str) -> Injection:
    """Replaces one part of each ARN that has it."""

    def change(resource: str) -> str:
        parts = resource.split(":", 5)
        if len(parts) < 6 or not parts[index]:
            return resource
        return ":".join([*parts[:index], by, *parts[index + 1 :]])

    return each_resource(change)


def without(key: str) -> Injection:
    """Drops one item of a list of several."""
    return lambda statement: {**statement, key: items[1:]} if len(items := listed(statement[key])) > 1 else None


def with_action(name: str) -> Injection:
    """One more action of the same service."""
    return lambda statement: {
        **statement,
        "Action": [*(actions := listed(statement["Action"])), f"{actions[0].partition(':')[0]}:{name}"],
    }


def each_condition(change: Callable[[str, str, list[str]], tuple[str, str, list[str]] | None]) -> Injection:
    """Changes operator, key and values of each condition; None drops that one."""

    def inject(statement: Document) -> Document | None:
        before = statement.get("Condition", {})
        after: dict[str, dict[str, list[str]]] = {}
        for operator, keys in before.items():
            for key, values in keys.items():
                if (changed := change(operator, key, listed(values))) is not None:
                    after.setdefault(changed[0], {})[changed[1]] = changed[2]
        same = after == {operator: {k: listed(v) for k, v in keys.items()} for operator, keys in before.items()}
        return None if same else {**statement, "Condition": after}

    return inject


def key_dropped(name: str) -> Injection:
    return each_condition(lambda operator, key, values: None if name in key else (operator, key, values))


def conditions_dropped(statement: Document) -> Document | None:
    return {key: value for key, value in statement.items() if key != "Condition"} if "Condition" in statement else None


def condition_added(statement: Document) -> Document:
    condition = {**statement.get("Condition", {}), "StringEqualsIfExists": {"aws:SourceVpc": "vpc-0"}}
    return {**statement, "Condition": condition}


def resource_added(statement: Document) -> Document | None:
    first = listed(statement["Resource"])[0]
    other = re.sub(r"([^:*?-])([:*?-]*)$", r"\1-other\2", first)
    changed = other != first and not first.endswith("/*")
    return {**statement, "Resource": [*listed(statement["Resource"]), other]} if changed else None


def without_the_suffix(statement: Document) -> Document | None:
    kept = [resource for resource in listed(statement["Resource"]) if not resource.endswith("-??????")]
    return {**statement, "Resource": kept} if 0 < len(kept) < len(listed(statement["Resource"])) else None


WIDENINGS: Mapping[str, Injection] = {
    "one more action": with_action("DescribeOther"),
    "every action of the service": with_action("*"),
    "every action that begins so": lambda statement: {
        **statement,
        "Action": [f"{action[:-1]}*" for action in listed(statement["Action"])],
    },
    "every resource": replaced(r"^.+\S$", "*"),
    "whatever begins so": replaced(r"([^*])$", r"\1*"),
    "one more resource": resource_added,
    "one character open": replaced(r"[^*?](?=[*?-]*$)", "?"),
    "any six characters made any": replaced(r"\?{6}$", "*"),
    "any six characters made seven": replaced(r"\?{6}$", "???????"),
    "every name": replaced(r"[^:/]+(?=[:*?-]*$)", "*"),
    "every account": part(4, "*"),
    "every region": part(3, "*"),
    "every partition": part(1, "*"),
    "every condition dropped": conditions_dropped,
    "the service's condition dropped": key_dropped("kms:ViaService"),
    "the encryption context dropped": key_dropped("kms:EncryptionContext"),
    "the alias dropped": key_dropped("kms:ResourceAliases"),
    "the access point dropped": key_dropped("AccessPointArn"),
    "the network dropped": key_dropped("aws:sourceVpc"),
    "a condition only if the key is there": each_condition(
        lambda operator, key, values: (f"{operator}IfExists", key, values)
    ),
    "one more value of a condition": each_condition(lambda operator, key, values: (operator, key, [*values, "other"])),
    "a pattern for a condition's value": each_condition(
        lambda operator, key, values: (operator.replace("Equals", "Like"), key, [f"{each[:-1]}*" for each in values])
    ),
}

NARROWINGS: Mapping[str, Injection] = {
    "one action dropped": without("Action"),
    "one resource dropped": without("Resource"),
    "-?????? dropped": without_the_suffix,
    "-?????? with one character less": replaced(r"\?{6}$", "?????"),
    "a log group without its streams": replaced(r"(log-group:[^:]+):\*$", r"\1"),
    "one stream alone": replaced(r"(log-group:[^:]+):\*$", r"\1:log-stream:web/*"),
    "a repository's tag left on": replaced(r"(:repository/[^:]+)$", r"\1:latest"),
    "a secret's tail left on": replaced(r"(:secret:[^:]+)$", r"\1:user::"),
    "a parameter's second slash": replaced(":parameter/", ":parameter//"),
    "a bucket's key misread": replaced(r"(:s3:::[^/]+)/.*$", r"\1"),
    "an alias in the place of the key": replaced(r":key/.*$", ":alias/mine"),
    "another region": part(3, "eu-south-2"),
    "another account": part(4, "999999999999"),
    "another partition": part(1, "aws-other"),
    "a name cut short": replaced(r"[^*?:/](?=[*?:-]*$)", ""),
    "one more condition": condition_added,
    "another service's condition": each_condition(
        lambda operator, key, values: (
            operator,
            key,
            [re.sub(r"^\w+\.", "ec2.", each) for each in values] if key == "kms:ViaService" else values,
        )
    ),
    "another encryption context": each_condition(
        lambda operator, key, values: (operator, key.replace("SecretARN", "SecretArn"), values)
    ),
    "one value of a condition dropped": each_condition(
        lambda operator, key, values: (operator, key, values[1:] if len(values) > 1 else values)
    ),
    "equality with a pattern": each_condition(
        lambda operator, key, values: (
            operator.replace("Like", "Equals") if any("?" in each for each in values) else operator,
            key,
            values,
        )
    ),
}
