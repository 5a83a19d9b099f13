"""A migrated template expands, allows exactly what is needed and what is kept, and keeps what cannot be judged."""

from __future__ import annotations

import copy
import fnmatch
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.audit.test_advice import OTHERS, PIECES, STATEMENTS, template
from tests.support.examples import examples
from tests.support.prove import prove_template

from ecs_exec_role.migrate import plan
from ecs_exec_role.migrate.plan import Migration
from ecs_exec_role.offline import template_file
from ecs_exec_role.offline.macro_call import StackValues
from ecs_exec_role.protocol import respond

Document = dict[str, Any]
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
CHOSEN = {"Fn::If": ["Own", {"Fn::GetAtt": ["Role", "Arn"]}, {"Ref": "RoleArn"}]}
CASES = (st.lists(st.sampled_from(PIECES), min_size=1, max_size=3), STATEMENTS, st.booleans(), st.booleans())


def made(pieces: list[Document], statements: list[Document], *, managed: bool, chosen: bool) -> Document:
    """A template whose role is always used, or is made under a condition ("create or bring your own")."""
    data = template(pieces, statements, TRUST, managed=managed)
    data["Parameters"]["Env"]["AllowedValues"] = ["dev", "prod"]
    if chosen:
        arn = "arn:aws:iam::123456789012:role/theirs"
        data["Parameters"]["RoleArn"] = {"Type": "String", "Default": "", "AllowedValues": ["", arn]}
        data["Conditions"]["Own"] = {"Fn::Equals": [{"Ref": "RoleArn"}, ""]}
        data["Resources"]["Role"]["Condition"] = "Own"
        data["Resources"]["Task"]["Properties"]["ExecutionRoleArn"] = CHOSEN
    return data


def migrated(data: Document) -> tuple[Migration, Document]:
    migration = plan.migrate(template_file.parse("t.json", json.dumps(data, indent=2)), StackValues())
    return migration, copy.deepcopy(migration.template.data)


@examples(20)
@given(*CASES)
def test_a_migrated_role_allows_what_is_needed_and_what_is_kept(
    pieces: list[Document], statements: list[Document], managed: bool, chosen: bool
) -> None:
    data = made(pieces, statements, managed=managed, chosen=chosen)
    migration, result = migrated(data)
    if migration.left:
        # A Deny that certainly denies what a task needs: neither keeping nor removing it is right.
        assert any(each["Effect"] == "Deny" for each in statements)
        assert (migration.steps, result) == ((), data)
        return
    assert len(migration.steps) == 1
    assert result.pop("Transform") == "EcsExecRole"
    proof = prove_template(result, respond)
    assert (proof.findings, proof.refused, proof.impossible) == ({}, {}, [])
    if chosen:
        assert result["Resources"]["Task"] == data["Resources"]["Task"]
    again, unchanged = migrated({"Transform": "EcsExecRole", **result})
    assert (again.steps, unchanged) == ((), {"Transform": "EcsExecRole", **result})


def allows_decrypt(statement: Document) -> bool:
    """Whether a statement allows to decrypt with any key."""
    if "NotAction" in statement:
        return not any(fnmatch.fnmatch("kms:decrypt", action.lower()) for action in [statement["NotAction"]])
    everything = "*" in statement["Resource"]
    return everything and any(fnmatch.fnmatch("kms:decrypt", action.lower()) for action in statement["Action"])


@examples(20)
@given(*CASES)
def test_decrypt_stays_where_a_key_may_be_needed(
    pieces: list[Document], statements: list[Document], managed: bool, chosen: bool
) -> None:
    """A parameter by its name, or a secret by its literal ARN, may have a key that the template does not show."""
    migration, result = migrated(made(pieces, statements, managed=managed, chosen=chosen))
    if migration.left:
        return
    unseen = any(word in json.dumps(pieces) for word in ("flag", "prod/a", ":secret:"))
    granted = any(allows_decrypt(each) for each in statements if each["Effect"] == "Allow")
    kept = json.dumps(result)
    assert ('"Action": "kms:Decrypt", "Resource": "*"' in kept) == (unseen and granted)


def test_a_statement_with_notaction_is_among_the_cases() -> None:
    assert any(allows_decrypt(each) for each in OTHERS if each["Effect"] == "Allow")
