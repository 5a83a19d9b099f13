"""Random templates of an author who tries to evade the guardrails, compared with what CloudFormation makes from them.

`tests.support.cloudformation`, which shares nothing with the macro, resolves the answer. A value that is only known
when the stack is deployed is the worst possible one. ATTACKS=100000 in the environment makes that many attempts, SEED=1
makes different ones.
"""

from __future__ import annotations

import json
import os
import re
from random import Random
from typing import Any

from tests.guardrails.templates import (
    ADMINISTRATOR,
    STRANGER,
    Json,
    document,
    event,
    ref,
    settings,
    statement,
    task,
)
from tests.support.cloudformation import ACCOUNT, REGION, CloudFormationError, Stack

from ecs_exec_role.errors import TemplateError
from ecs_exec_role.pipeline import expand

ATTACKS = int(os.environ.get("ATTACKS", "1000"))
SEED = os.environ.get("SEED", "0")

STRANGERS = f"arn:aws:secretsmanager:{REGION}:{STRANGER}:secret:x-a1B2c3"
OWN_NAME = Stack({"Resources": {"WebExecutionRole": {"Type": "AWS::IAM::Role"}}}).physical("WebExecutionRole").ref
WORST = ["*", "?", "/*", "${aws:username}", STRANGERS, OWN_NAME, "ssm:*", ADMINISTRATOR, "x"]
HARMLESS: list[Any] = [
    "web",
    "/prod/db",
    "a1B2c3",
    "app",
    ref("AWS::Region"),
    ref("AWS::StackName"),
    {"Fn::Sub": "${AWS::StackName}-app"},
    {"Fn::FindInMap": ["M", "all", "fine"]},
]
LEAVES: list[Any] = [
    *HARMLESS,
    "-",
    "/",
    "*",
    "${aws:username}",
    ref("Given"),
    ref("Hidden"),
    ref("Stored"),
    ref("WebExecutionRole"),
    ref("Other"),
    ref("P"),
    {"Fn::GetAtt": ["Echo", "Value"]},
    {"Fn::GetAtt": "Echo.Value"},
    {"Fn::GetAtt": ["WebExecutionRole", "Arn"]},
    {"Fn::GetAtt": ["Other", "Arn"]},
    {"Fn::ImportValue": "import"},
    {"Fn::FindInMap": ["M", "all", "worst"]},
    {"Fn::FindInMap": ["M", ref("Hidden"), "worst"]},
    {"Fn::Sub": "${Hidden}"},
    {"Fn::Sub": "x${Echo.Value}"},
    {"Fn::Sub": "${!aws:username}"},
]
SUBS = ["${V}", "/${V}", "x${V}", "x${V}*", "${V}-${AWS::Region}"]
DELIMITERS = ["", "/", ":", "|", "-"]


class Author:
    """Writes one template. One slot of it is an attack, and the others are harmless, so no attack hides another."""

    SLOTS = (
        *("parameter", "secret", "key", "group", "files", "image"),
        *("region", "bucket", "value", "name", "policy", "echoed"),
    )

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        self.attacked = self.random.choice(self.SLOTS)

    def nested(self, depth: int = 3) -> Any:
        """A value with functions in it."""
        random = self.random
        if depth == 0 or random.random() < 0.4:
            return random.choice(LEAVES)
        one, two = self.nested(depth - 1), self.nested(depth - 1)
        split = {"Fn::Split": [random.choice(DELIMITERS) or "*", one]}
        return random.choice(
            [
                {"Fn::If": ["Prod", one, two]},
                {"Fn::Join": [random.choice(DELIMITERS), [one, two]]},
                {"Fn::Join": [random.choice(DELIMITERS), split]},
                {"Fn::Sub": [random.choice(SUBS), {"V": one}]},
                {"Fn::Select": [random.randint(0, 1), split]},
                {"Fn::Select": [random.randint(0, 1), [one, two]]},
            ]
        )

    def slot(self, name: str) -> Any:
        """The value in a slot."""
        return self.nested() if name == self.attacked else self.random.choice(HARMLESS)

    def template(self) -> Json:
        random = self.random
        spec = {
            "Parameters": [self.slot("parameter")],
            "Secrets": [{"Secret": self.slot("secret"), "KmsKey": self.slot("key")}],
            "LogGroups": [self.slot("group")],
            "FileSystems": [self.slot("files")],
            "Images": [self.slot("image")],
        }
        listed = random.choice(list(spec))
        region = self.slot("region") if self.attacked == "region" else ref("AWS::Region")
        item = {"Fn::Join": ["", ["arn:aws:s3:::", self.slot("bucket"), "/x"]]}
        web = task(
            {listed: spec[listed]},
            secret=random.choice([ref("P"), self.slot("value")]),
            LogConfiguration={
                "LogDriver": "awslogs",
                "Options": {"awslogs-group": "/ecs/web", "awslogs-region": region},
            },
            EnvironmentFiles=[{"Type": "s3", "Value": item}],
        )
        role = self.slot("policy") if self.attacked == "policy" else ref("Other")
        more = {"PolicyDocument": document(statement("iam:*")), "Roles": [role], "RoleName": role}
        kind = random.choice(["Policy", "ManagedPolicy", "RolePolicy"])
        name = {"Type": "String", "Value": "x", "Name": self.slot("name")}
        return self.request(
            {
                "Web": web,
                "P": {"Type": "AWS::SSM::Parameter", "Properties": name},
                "Echo": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": self.slot("echoed")}},
                "More": {"Type": f"AWS::IAM::{kind}", "Properties": more},
            }
        )

    def request(self, resources: Json) -> Json:
        """The macro's request for a template, with values for its parameters."""
        random = self.random
        values = {"Given": random.choice([*WORST, "web"]), "Hidden": random.choice(WORST), "Stored": "/here"}
        request = event({**resources, "Other": {"Type": "AWS::IAM::Role", "Properties": {}}}, values)
        request["fragment"]["Mappings"] = {"M": {"all": {"worst": random.choice(WORST), "fine": "fine"}}}
        return request


def deployed(request: Json, fragment: Json, prod: bool) -> Stack:
    """The stack, with an attacker's choice for each value that the macro could not know."""
    values = request["templateParameterValues"]
    hidden = values["Hidden"]
    return Stack(fragment, values, conditions={"Prod": prod}, imports={"import": hidden}, ssm={"/here": hidden})


OWN = re.compile(rf"arn:aws:[a-z]+:{REGION}:{ACCOUNT}:(?P<thing>.+)|arn:aws:s3:::(?P<bucket>.+)", re.DOTALL)
ENGINES = re.compile(r"-\?{6}$|:\*$|\$\{[*?$]\}")


def check_statement(node: Json) -> None:
    """A statement that the macro wrote is about one resource of the stack's own account and region."""
    condition = node.get("Condition", {})
    for resource in node["Resource"] if isinstance(node["Resource"], list) else [node["Resource"]]:
        if resource == "*":
            assert node["Action"] == "ecr:GetAuthorizationToken", node
            continue
        found = OWN.fullmatch(resource)
        assert found, resource
        if found["bucket"]:
            assert condition["StringEquals"]["aws:ResourceAccount"] == ACCOUNT
        thing = found["thing"] or found["bucket"]
        if thing == "key/*":
            assert "kms:ResourceAliases" in json.dumps(condition)
            continue
        assert not re.search(r"[*?]|\$\{", ENGINES.sub("", thing)), resource


def is_impossible(stack: Stack, role: Json) -> bool:
    """Whether the role refers to a parameter whose name SSM refuses, so that there is no such stack."""
    text = json.dumps(role)
    refers = '"P"' in text or "${P}" in text
    return refers and not re.fullmatch(r"[\w./-]+", str(stack.property("P", "Name")))


def attack(request: Json, prod: bool, **rails: str) -> Json | None:
    """The deployed role, with the names of the roles that have `More`; None if there is none."""
    try:
        fragment = expand(request, settings(**rails)).fragment
    except TemplateError:
        return None
    stack = deployed(request, fragment, prod)
    try:
        if is_impossible(stack, fragment["Resources"]["WebExecutionRole"]):
            return None
        on = stack.property("More", "Roles") if "More" in fragment["Resources"] else []
        return {**stack.properties("WebExecutionRole"), "Name": stack.physical("WebExecutionRole").ref, "On": on}
    except (CloudFormationError, IndexError):
        return None  # CloudFormation would stop here.


def test_what_the_macro_grants_stays_at_home() -> None:
    strict = {"STATEMENTS": "false", "MANAGED_POLICIES": "false", "ACCOUNTS": "self", "REGIONS": "self"}
    deployed_roles = 0
    for number in range(ATTACKS):
        author = Author(f"{SEED}-{number}")
        role = attack(author.template(), author.random.random() < 0.5, **strict)
        if role is None:
            continue
        deployed_roles += 1
        for policy in role["Policies"]:
            for node in policy["PolicyDocument"]["Statement"]:
                check_statement(node)
        assert not role.get("ManagedPolicyArns")
        assert role["Name"] not in role["On"], (number, "a policy of the template is on the role")
    assert deployed_roles > ATTACKS / 10, "else this would hold nothing"


def test_what_was_checked_is_what_is_deployed() -> None:
    rails = {"STATEMENTS": "ssm:GetParameters,x:*", "MANAGED_POLICIES": "arn:aws:iam::aws:policy/w*"}
    deployed_roles = 0
    for number in range(ATTACKS):
        author = Author(f"{SEED}-{number}")
        action = {"Fn::Join": ["", ["x:", author.nested()]]} if number % 3 else author.nested()
        arn = {"Fn::Join": ["", ["arn:aws:iam::aws:policy/w", author.nested()]]} if number % 4 else author.nested()
        spec = {"Statements": [statement(action)], "ManagedPolicyArns": [arn]}
        name = {"Type": "String", "Value": author.random.choice(WORST), "Name": "p"}
        parameters = {each: {"Type": "AWS::SSM::Parameter", "Properties": name} for each in ("P", "Echo")}
        request = author.request({"Web": task(spec), **parameters})
        role = attack(request, author.random.random() < 0.5, **rails)
        if role is None:
            continue
        deployed_roles += 1
        for policy in role["Policies"]:
            for node in policy["PolicyDocument"]["Statement"]:
                assert re.match("ssm:GetParameters$|x:", node["Action"]), (number, node)
        for attached in role["ManagedPolicyArns"]:
            assert attached.startswith("arn:aws:iam::aws:policy/w"), (number, attached)
    assert deployed_roles > ATTACKS / 40, "else this would hold nothing"
