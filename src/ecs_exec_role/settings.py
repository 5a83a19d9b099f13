"""What the macro's owner has set for every template.

`template.yaml` has a parameter for each of these, and passes it to the macro's function as an environment variable.
`docs/guardrails.md` says what each of them does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

from ecs_exec_role.errors import Problem, TemplateError
from ecs_exec_role.late_pattern import late_pattern
from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.template.symbols import Json

DESK_PREFLIGHT: Json = {
    "Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:ecs-exec-role-preflight"
}
"""The function that checks roles, by the name under which `template.yaml` deploys it: for use outside the macro."""

SELF = "self"
"""The word that means the stack's own account or region."""

PREFIX = "ECS_EXEC_ROLE_"
"""The beginning of the environment variables' names."""

PARAMETERS = {
    "PERMISSIONS_BOUNDARY": "PermissionsBoundary",
    "PATH": "RolePath",
    "NAME_PREFIX": "RoleNamePrefix",
    "ACCOUNTS": "AllowedAccounts",
    "REGIONS": "AllowedRegions",
    "STATEMENTS": "AllowedStatements",
    "MANAGED_POLICIES": "AllowedManagedPolicies",
    "PREFLIGHT": "ForcedPreflight",
    "TAGS": "RequiredTags",
}
"""For each environment variable, without its prefix, the parameter of `template.yaml` that it comes from."""

# Only the command line reads a variable of this name.
_OTHERS = {"ECS_EXEC_ROLE_DEBUG"}

# The characters and lengths that IAM accepts, from
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_PATH = late_pattern(r"/(?:[!-~]{1,510}/)?")
_NAME_PREFIX = late_pattern(r"[\w+=,.@-]{1,48}", re.ASCII)
_POLICY_NAME = r"[\w+=,.@/-]+"
_POLICY_ARN = (
    r"arn:(?:aws[a-z-]*|\$\{AWS::Partition\}):iam::(?:[0-9]{12}|aws|\$\{AWS::AccountId\}):policy/" + _POLICY_NAME
)
_SERVICE = r"(?:(?P<service>ecr|elasticfilesystem|kms|logs|s3|secretsmanager|ssm):)?"
_ACCOUNT = late_pattern(_SERVICE + r"(?P<name>[0-9]{12})|self")
_REGION = late_pattern(_SERVICE.replace("s3|", "") + r"(?P<name>[a-z]{2,}(?:-[a-z]+)+-[0-9]+)|self")
_ACTION = late_pattern(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_TAG = late_pattern(r"(?P<key>[\w .:/+@-]{1,128})(?:=(?P<value>[\w .:/=+@-]{1,256}))?")


class Allowed(NamedTuple):
    """An account or a region besides the stack's own, for one service; for every service if `service` is empty."""

    service: str
    name: str


class Guardrails(NamedTuple):
    """What no template can switch off. A guardrail that is empty or True is off.

    Attributes:
        permissions_boundary: of every role, as an ARN in which `${AWS::Partition}` and `${AWS::AccountId}` can be used.
        path: the beginning of every role's path.
        name_prefix: the beginning of every role's name.
        only_accounts: whether things must be in the stack's own account or one of `accounts`.
        accounts: the others.
        only_regions: the same for regions, and `regions`.
        statements: whether templates may have statements of their own; a tuple: the patterns of their actions.
        managed_policies: the same for managed policies, and the patterns of their ARNs.
        preflight: the mode in which every role is checked.
        tags: keys that every role has, each with its value, or None where every value is allowed.
    """

    permissions_boundary: str = ""
    path: str = ""
    name_prefix: str = ""
    only_accounts: bool = False
    accounts: tuple[Allowed, ...] = ()
    only_regions: bool = False
    regions: tuple[Allowed, ...] = ()
    statements: bool | tuple[str, ...] = True
    managed_policies: bool | tuple[str, ...] = True
    preflight: Literal["", "Fail", "Warn"] = ""
    tags: tuple[tuple[str, str | None], ...] = ()


NO_GUARDRAILS = Guardrails()


class Settings(NamedTuple):
    """What the macro was deployed with.

    `preflight_function` is the ARN of the function behind `Preflight`, as it is written in a template: a string, or an
    `Fn::Sub` where each account has its own; None where none is deployed.
    """

    preflight_function: Json = None
    guardrails: Guardrails = NO_GUARDRAILS


NO_SETTINGS = Settings()


def from_environment(environment: Mapping[str, str], preflight_function: Json = None) -> Settings:
    """The settings that the macro's function was deployed with, from its environment variables.

    Args:
        environment: all the variables there are.
        preflight_function: the function behind `Preflight` where no variable names one.

    Raises:
        TemplateError: with every variable whose value is wrong. A guardrail with a mistake in it is never ignored.
    """
    function: Json = environment.get("PREFLIGHT_FUNCTION_ARN") or preflight_function
    if isinstance(function, str) and ":self:" in function:
        # A macro that serves several accounts uses the function in the account of the stack.
        function = {"Fn::Sub": function.replace(":self:", ":${AWS::AccountId}:")}
    if not any(name.startswith(PREFIX) for name in environment):
        return Settings(function)
    read = _Environment(environment)
    only_accounts, accounts = read.places("ACCOUNTS", _ACCOUNT, "an account", "account IDs of 12 digits")
    only_regions, regions = read.places("REGIONS", _REGION, "a region", "regions as in eu-west-1")
    statements = read.choice("STATEMENTS", _matching(_ACTION), "an action", "actions as in ssm:GetParameters")
    guardrails = Guardrails(
        permissions_boundary=read.text(
            "PERMISSIONS_BOUNDARY",
            _policy,
            "not a managed policy",
            "the ARN of one, or its name in the stack's own account",
        ),
        path=read.text("PATH", _matching(_PATH), "not a path", "one that begins and ends with a slash, as in /ecs/"),
        name_prefix=read.text(
            "NAME_PREFIX", _matching(_NAME_PREFIX), "not a prefix", "up to 48 letters, digits and characters of +=,.@-_"
        ),
        only_accounts=only_accounts,
        accounts=accounts,
        only_regions=only_regions,
        regions=regions,
        statements=statements,
        # The macro does not see what a managed policy grants, so such a policy would bypass the three guardrails above.
        managed_policies=read.choice(
            "MANAGED_POLICIES",
            _policy_pattern,
            "a managed policy",
            "ARNs of managed policies",
            default=not (only_accounts or only_regions) and statements is True,
        ),
        preflight=read.mode(),
        tags=read.tags(),
    )
    if guardrails.preflight and not function:
        read.refuse("PREFLIGHT", "needs the preflight function, which is not deployed", "empty, or Preflight to true")
    if read.problems:
        raise TemplateError(read.problems)
    return Settings(function, guardrails)


class _Environment:
    """Reads environment variables, and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[Problem] = []
        for name in environment:
            if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in PARAMETERS and name not in _OTHERS:
                known = ", ".join(PREFIX + known for known in PARAMETERS)
                fix = f"the macro has these settings: {known}"
                self.problems.append(Problem(name, "is not a setting of the macro", fix, "wrong-setting"))

    def refuse(self, name: str, what: str, fix: str) -> None:
        """Reports what is wrong with a variable. The reader may not be the person who can change it."""
        owner = f"the macro's owner must set its parameter {PARAMETERS[name]} to {fix}"
        self.problems.append(Problem(PREFIX + name, what, owner, "wrong-setting"))

    def _get(self, name: str) -> str:
        return self._environment.get(PREFIX + name, "").strip()

    def _items(self, name: str) -> list[str]:
        """The items of a list. A value that is not empty and has no item is a mistake."""
        items = [item.strip() for item in self._get(name).split(",") if item.strip()]
        if self._get(name) and not items:
            self.refuse(name, "has no items", "items that are separated by commas, or leave it empty")
        return items

    def text(self, name: str, read: Callable[[str], str | None], what: str, fix: str) -> str:
        value = self._get(name)
        found = read(value) if value else ""
        if found is None:
            self.refuse(name, f"`{value}` is {what}", fix)
        return found or ""

    def places(self, name: str, form: re.Pattern[str], thing: str, fix: str) -> tuple[bool, tuple[Allowed, ...]]:
        """Whether the setting has a value, and the places besides the stack's own."""
        found = []
        items = self._items(name)
        for item in items:
            match = form.fullmatch(item)
            if match is None:
                what = f"`{item}` is not {thing}"
                self.refuse(name, what, f"{SELF}, or {fix}, each optionally after a service, as in ecr:…")
            elif item != SELF:
                found.append(Allowed(match["service"] or "", match["name"]))
        return bool(items), tuple(dict.fromkeys(found))

    def choice(
        self, name: str, read: Callable[[str], str | None], thing: str, fix: str, *, default: bool = True
    ) -> bool | tuple[str, ...]:
        """True, False, or the items of a list."""
        value = self._get(name)
        if value.lower() in ("", "true", "false"):
            return default if not value else value.lower() == "true"
        found = []
        for item in self._items(name):
            known = read(item)
            if known is None:
                self.refuse(name, f"`{item}` is not {thing}", f"true, false, or {fix}, separated by commas")
            else:
                found.append(known)
        return tuple(dict.fromkeys(found))

    def mode(self) -> Literal["", "Fail", "Warn"]:
        value = self._get("PREFLIGHT")
        modes: dict[str, Literal["", "Fail", "Warn"]] = {"": "", "false": "", "true": "Fail", "warn": "Warn"}
        if value.lower() not in modes:
            self.refuse("PREFLIGHT", f"`{value}` is not a mode", "true, Warn or false")
        return modes.get(value.lower(), "")

    def tags(self) -> tuple[tuple[str, str | None], ...]:
        found: dict[str, str | None] = {}
        for item in self._items("TAGS"):
            match = _TAG.fullmatch(item)
            if match is None or match["key"].lower().startswith("aws:"):
                self.refuse("TAGS", f"`{item}` is not a tag", "keys, or Key=Value, separated by commas")
            elif match["key"].lower() in map(str.lower, found):
                self.refuse("TAGS", f"`{item}` is given twice", "each key once")
            else:
                found[match["key"]] = match["value"]
        return tuple(found.items())


def _matching(form: re.Pattern[str]) -> Callable[[str], str | None]:
    return lambda value: value if form.fullmatch(value) else None


def _policy(value: str, name: str = _POLICY_NAME) -> str | None:
    """The ARN of a managed policy; where only its name is given, that in the stack's own account."""
    if re.fullmatch(_POLICY_ARN.replace(_POLICY_NAME, name), value, re.ASCII):
        return value
    if re.fullmatch(name, value, re.ASCII) and not value.startswith("arn:"):
        return f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/{value.removeprefix('/')}"
    return None


def _policy_pattern(value: str) -> str | None:
    return _policy(value, _POLICY_NAME.replace("[", "[*?"))
