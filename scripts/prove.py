"""Proves that the roles of a template allow exactly what its definitions need: `make prove TEMPLATE=template.yaml`.

The template is one for CloudFormation, before the macro. Its roles are made in each setting of its conditions, and
compared with an independent reading of what ECS needs (see docs/proof.md).

Exit codes: 0 proved; 1 a role differs from what is needed; 2 wrong usage, or a template that cannot be read; 3 a part
could not be decided.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cfnlint.decode.cfn_yaml import CfnParseError
from tests.support.cloudformation import ACCOUNT, REGION, Document, load
from tests.support.prove import Proof, prove_template
from tests.support.prove.proof import MOST_SETTINGS
from yaml import YAMLError

from ecs_exec_role.protocol import respond

MACRO = "EcsExecRole"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command, and gives its exit code."""
    options = _parser().parse_args(arguments)
    try:
        template = _without_the_macro(load(options.template))
        given = dict(_pair(text) for text in options.parameter)
        imports = dict(_pair(text) for text in options.import_value)
        ssm = dict(_pair(text) for text in options.ssm_parameter)
        place = {"account": options.account, "region": options.region}
        proof = prove_template(template, respond, given, imports=imports, ssm=ssm, most=options.settings, **place)
    except (OSError, ValueError, YAMLError, CfnParseError) as error:
        print(f"{options.template}: {error}", file=sys.stderr)
        return 2
    return report(proof)


def report(proof: Proof) -> int:
    """Prints the result of a proof, and gives the exit code."""
    for setting, findings in proof.findings.items():
        for finding in findings:
            print(f"{finding}\n    with {setting}")
    for setting, message in proof.refused.items():
        print(f"undecided: the macro refuses the template with {setting}:\n{message}")
    for setting, reason in proof.undecided.items():
        print(f"undecided: {reason}, with {setting}")
    for reason in proof.impossible:
        print(f"undecided: CloudFormation, or this check's model of it, refuses the template with {reason}")
    for name, value in proof.one_sided.items():
        print(f"note: the condition {name} is {str(value).lower()} in every setting; --parameter may change it")
    left = proof.possible - proof.settings - len(proof.impossible)
    if left:
        print(f"undecided: {left} of {proof.possible} settings were not tried; --settings takes more")
    if proof.findings:
        return 1
    if proof.refused or proof.undecided or proof.impossible or left:
        return 3
    if not proof.roles:
        print("nothing to prove: the template has no ExecutionRoleSpec")
        return 0
    print(f"proved: {proof.roles} role(s) in {proof.settings} setting(s) allow exactly what is needed")
    return 0


def _without_the_macro(template: Document) -> Document:
    """The template as the macro gets it. Other transforms would run first; they are not run here."""
    transforms = template.pop("Transform", [])
    names = [transforms] if isinstance(transforms, (str, dict)) else transforms
    others = [name for name in names if (name["Name"] if isinstance(name, dict) else name) != MACRO]
    if others:
        raise ValueError(f"has the transform {others[0]}; give the template as it is after that transform")
    return template


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prove", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("template", type=Path, help="a CloudFormation template, YAML or JSON")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter's only value; one that is not given takes every value that a condition tells apart",
    )
    parser.add_argument(
        "--import-value",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the value of an export, or of another stack's output (NAME is STACK.OUTPUT)",
    )
    parser.add_argument(
        "--ssm-parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the value of an SSM parameter that a parameter of the template reads",
    )
    parser.add_argument("--account", default=ACCOUNT, help=f"the account of the stack (default {ACCOUNT})")
    parser.add_argument("--region", default=REGION, help=f"the region of the stack (default {REGION})")
    parser.add_argument(
        "--settings", type=int, default=MOST_SETTINGS, metavar="N", help=f"settings at most (default {MOST_SETTINGS})"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
