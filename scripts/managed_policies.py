"""Renews `audit/managed_policies.json`: the managed policies of AWS that execution roles usually have.

    python -m scripts.managed_policies            read them with the credentials of the environment, and write the file
    python -m scripts.managed_policies NAME...    the same, with more policies, such as service-role/AWSBatchServiceRole
    python -m scripts.managed_policies --check    write nothing, and end with 1 where AWS has changed one

It calls iam:GetPolicy and iam:GetPolicyVersion, which give the same answer in every account.

See https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

FILE = Path(__file__).parents[1] / "src" / "ecs_exec_role" / "audit" / "managed_policies.json"
ARN = "arn:aws:iam::aws:policy/"
SOURCE = "iam:GetPolicyVersion, which gives what https://docs.aws.amazon.com/aws-managed-policy/latest/reference/ lists"


def read(iam: Any, names: Iterable[str]) -> dict[str, Any]:
    """The default version of each policy, by its name with its path.

    Raises:
        ClientError: AWS does not have one, or does not show it.
    """
    found: dict[str, Any] = {}
    for name in sorted(names):
        version = iam.get_policy(PolicyArn=f"{ARN}{name}")["Policy"]["DefaultVersionId"]
        answer = iam.get_policy_version(PolicyArn=f"{ARN}{name}", VersionId=version)
        statements = answer["PolicyVersion"]["Document"]["Statement"]
        found[name] = {
            "Version": version,
            "Statement": statements if isinstance(statements, list) else [statements],
        }
    return found


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is new, a line for each policy."""
    return [
        f"{name}: {before[name]['Version'] if name in before else 'new'} -> {policy['Version']}"
        for name, policy in after.items()
        if before.get(name) != policy
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Renew the file, or compare it."""
    parser = argparse.ArgumentParser(description="Renew the managed policies of AWS that the audit knows.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a policy to add, by its name with its path")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where AWS has changed one")
    given = parser.parse_args(arguments)
    known = json.loads(FILE.read_text(encoding="utf-8"))
    try:
        policies = read(boto3.client("iam"), {*known["Policies"], *given.names})
    except (ClientError, BotoCoreError) as error:
        print(f"The policies cannot be read: {error}. Check the credentials and the names", file=sys.stderr)
        return 2
    found = changes(known["Policies"], policies)
    print("\n".join(found) or "AWS has changed none of them")
    if given.check:
        return 1 if found else 0
    renewed = {"Renewed": dt.datetime.now(dt.UTC).date().isoformat(), "Source": SOURCE, "Policies": policies}
    FILE.write_text(json.dumps(renewed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
