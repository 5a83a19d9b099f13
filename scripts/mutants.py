"""Breaks the product on purpose, one fault at a time, and shows which test fails: `make mutants`.

Each fault is written into a copy of the tree, in which the tests named beside it run. It is caught if they fail, and
fail for the reason beside it, so that a test that fails for another reason does not count. Before
that the same tests must pass in a copy without a fault. A fault whose place is no longer in the code is an error, never
left out: change it here together with the code.

    python scripts/mutants.py              every fault
    python scripts/mutants.py NAME...      these
    python scripts/mutants.py --list       what there is

`--tests` shows which other tests notice a fault, such as `NAME --tests tests/answers/test_metamorphic.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SOURCE = "src/ecs_exec_role"
# A run of tests that takes longer than this is stuck. An end-to-end run builds and installs the macro first.
SECONDS = 600
EVALUATOR = "tests/support/iam/node_modules"
END_TO_END = "tests/e2e/"
JOBS = max(1, (os.cpu_count() or 2) // 2)


class Stale(Exception):
    """A fault that cannot be put into the code as it is now."""


class Edit(NamedTuple):
    """Replaces a text, which must be in the file once."""

    path: str
    old: str
    new: str

    def on(self, text: str) -> str:
        """The file's text with the fault. `Stale` if that is not clear."""
        found = text.count(self.old)
        if found != 1:
            raise Stale(f"{self.path} has {self.old!r} {found} times, not once")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Mutant:
    """A fault: what it is, the tests that must notice, and what their output then says (a regular expression)."""

    name: str
    fault: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    says: str

    def apply(self, tree: Path) -> None:
        """Puts the fault into a copy of the tree."""
        for edit in self.edits:
            path = tree / edit.path
            try:
                text = path.read_text(encoding="utf-8")
            except FileNotFoundError:
                raise Stale(f"{edit.path} does not exist") from None
            path.write_text(edit.on(text), encoding="utf-8")


PREFLIGHT = "tests/e2e/test_preflight.py"

MUTANTS: tuple[Mutant, ...] = (
    # Faults that only a deployment shows.
    Mutant(
        "policy-conditions",
        "no statement of a policy has its conditions",
        (Edit(f"{SOURCE}/policies/statements.py", 'document["Condition"] = condition', "condition.clear()"),),
        ("tests/e2e/test_examples.py::test_role_holds_what_expand_says[customer-key]",),
        r"too_wide=\['kms:Decrypt on",
    ),
    Mutant(
        "confused-deputy",
        "the trust policy names neither the account nor the ARN that ECS calls for",
        (
            Edit(
                f"{SOURCE}/roles/role.py",
                "class RolePlan(NamedTuple):",
                'TRUST_POLICY["Statement"][0].pop("Condition")  # type: ignore\n\n\nclass RolePlan(NamedTuple):',
            ),
        ),
        ("tests/e2e/test_updates.py::test_another_secret_changes_its_statement_alone",),
        r"in judge_role\n.*assert assumable|assumable\(role\.trust",
    ),
    Mutant(
        "physical-id",
        "each answer of the preflight has another physical ID",
        (
            Edit(
                f"{SOURCE}/preflight/custom_resource.py",
                'kept = event.get("PhysicalResourceId")',
                'kept = f"preflight-{time.time()}"',
            ),
        ),
        (f"{PREFLIGHT}::test_an_update_keeps_the_resource",),
        r"assert 'preflight-[0-9.]+' == 'preflight-[0-9.]+'",
    ),
    Mutant(
        "two-answers",
        "the preflight answers CloudFormation twice",
        (
            Edit(
                f"{SOURCE}/preflight/custom_resource.py",
                "self._deliver(content)",
                "[self._deliver(content) for _ in range(2)]",
            ),
        ),
        (f"{PREFLIGHT}::test_an_update_keeps_the_resource",),
        r"Create of WebExecutionRolePreflight was answered 2 times",
    ),
    Mutant(
        "rollback",
        "the preflight fails in a rollback as it does in an update",
        (Edit(f"{SOURCE}/preflight/custom_resource.py", "if rolling_back is False:", "if True:"),),
        (f"{PREFLIGHT}::test_a_rollback_succeeds_where_the_old_needs_are_gone_too",),
        r"UPDATE_ROLLBACK_FAILED",
    ),
    Mutant(
        "preflight-permission",
        "the preflight's role may not look at secrets",
        (Edit("template.yaml", "                  - secretsmanager:DescribeSecret\n", ""),),
        (f"{PREFLIGHT}::test_the_corrected_stack_is_created",),
        r"could not be decided from here",
    ),
    Mutant(
        "simulator-permission",
        "the preflight's role may not ask IAM's simulator",
        (Edit("template.yaml", "[iam:GetRole, iam:SimulatePrincipalPolicy]", "[iam:GetRole]"),),
        (f"{PREFLIGHT}::test_the_corrected_stack_is_created",),
        r"'0 of 7 needs of role ",
    ),
    Mutant(
        "service-does-not-wait",
        "what runs a task is created beside the preflight, not after it",
        (Edit(f"{SOURCE}/fragment.py", ".extend(built.awaited)", ".extend(())"),),
        (f"{PREFLIGHT}::test_a_secret_that_is_missing",),
        r"first extra item: Event\(logical_id='Service'",
    ),
    Mutant(
        "boundary-forgotten",
        "a role is created without the permissions boundary of its spec",
        (
            Edit(
                f"{SOURCE}/roles/role.py",
                'role["Properties"] = made',
                'role["Properties"] = {k: v for k, v in made.items() if k != "PermissionsBoundary"}',
            ),
        ),
        (f"{PREFLIGHT}::test_a_boundary_is_judged_as_the_preflight_says",),
        r"kms:Decrypt on arn:' in ''",
    ),
    Mutant(
        "preflight-not-retained",
        "a stack cannot be deleted once the preflight function is gone",
        (
            Edit(
                f"{SOURCE}/roles/preflight_resource.py",
                'resource["DeletionPolicy"] = resource["UpdateReplacePolicy"] = "Retain"',
                "",
            ),
        ),
        ("tests/e2e/test_uninstall.py::test_stacks_outlive_the_macro_and_can_be_deleted",),
        r"DELETE_FAILED TaskExecutionRolePreflight",
    ),
    # Faults in which the preflight succeeds although it must not, or waits without end.
    Mutant(
        "undelivered",
        "an answer that CloudFormation never accepted ends the preflight without an error",
        (Edit(f"{SOURCE}/preflight/custom_resource.py", "if not self._delivered:", "if False:"),),
        ("tests/preflight/test_faults.py::test_an_answer_that_is_always_refused_fails_the_function",),
        r"DID NOT RAISE.*NotDeliveredError",
    ),
    Mutant(
        "nothing-checked",
        "a preflight to which AWS answered nothing is a success",
        (
            Edit(
                f"{SOURCE}/preflight/response.py",
                "wrong = report.failed or report.nothing_checked",
                "wrong = report.failed",
            ),
        ),
        ("tests/preflight/test_faults.py::test_a_check_that_aws_answers_nothing_is_not_a_success",),
        r"assert 'SUCCESS' == 'FAILED'",
    ),
    Mutant(
        "last-pause",
        "the last pause before a refusal is asked again goes beyond the patience",
        (Edit(f"{SOURCE}/preflight/check.py", "sleep(min(pause, left))", "sleep(pause)"),),
        ("tests/preflight/test_faults.py::test_the_patience_is_what_is_documented",),
        r"assert 1.0 == 0.4",
    ),
    Mutant(
        "garbled-reply",
        "a reply that botocore cannot read is an error of the check",
        (Edit(f"{SOURCE}/preflight/aws.py", "except Exception as error:", "except LookupError as error:"),),
        ("tests/preflight/test_fault_table.py::test_a_call_in_a_fault",),
        r"FAILED .*garbled",
    ),
    Mutant(
        "late-answer",
        "the preflight waits for an API that hangs",
        (Edit(f"{SOURCE}/preflight/check.py", "late = left <= 0", "late = False"),),
        ("tests/preflight/test_fault_table.py::test_a_call_that_hangs",),
        r"assert \(?[0-9.]+ - [0-9.]+\)? < 10",
    ),
    Mutant(
        "narrowing",
        "there is no warning about an update that narrows a role in use",
        (Edit(f"{SOURCE}/deployed/narrowing.py", "        if actions:\n", "        if not actions:\n"),),
        ("tests/cli/test_preflight.py::test_an_update_that_narrows_a_role_that_runs_is_a_warning",),
        r"tasks of the deployed revision need",
    ),
    # Faults in what the engine makes from a template.
    Mutant(
        "contradiction",
        "conditions that contradict each other hold together",
        (
            Edit(
                f"{SOURCE}/template/conditions.py",
                "if merged.setdefault(name, truth) != truth:",
                "if merged.setdefault(name, truth) is None:",
            ),
        ),
        ("tests/template/test_conditions.py::test_both_hold_where_each_does",),
        r"where \(\('A', False\),\) = both\(",
    ),
    Mutant(
        "region",
        "a log group is in the region of the stack, also where its driver names another",
        (
            Edit(
                f"{SOURCE}/services/logs.py",
                'return f"arn:{PARTITION}:logs:{region}:{ACCOUNT}:log-group:{name}"',
                'return f"arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:{name}"',
            ),
        ),
        ("tests/features/test_logs.py::test_region_of_the_driver_is_the_groups",),
        r"log-group:/ecs/web:\*",
    ),
    Mutant(
        "account",
        "an image is in the account of the stack, also where its registry is in another",
        (
            Edit(
                f"{SOURCE}/services/ecr.py",
                "return _at(reader, region, account, name) if name else None",
                "return _at(reader, region, ACCOUNT, name) if name else None",
            ),
        ),
        ("tests/features/test_images.py::test_private_image_is_pulled_from_the_repository_that_its_host_names",),
        r"ecr:BatchGetImage",
    ),
    Mutant(
        "tag",
        "the tag of an image stays on the name of its repository",
        (
            Edit(
                f"{SOURCE}/services/ecr.py",
                'name = _TAG.sub("", image.partition("@")[0])',
                'name = image.partition("@")[0]',
            ),
        ),
        ("tests/features/test_images.py::test_private_image_is_pulled_from_the_repository_that_its_host_names",),
        r"repository/web:1\.2|`web:1\.2` cannot be the name of a repository",
    ),
    Mutant(
        "bucket-key",
        "a bucket's key setting is read the wrong way round",
        (Edit(f"{SOURCE}/services/s3.py", 'not in (None, False, "false")', 'in (None, False, "false")'),),
        ("tests/features/test_keys.py::test_default_key_of_the_bucket_is_used",),
        r"'kms:EncryptionContext:aws:s3:arn': \['arn:aws:s3:::config', ",
    ),
    Mutant(
        "via-service",
        "a customer's key decrypts without the service in between",
        (
            Edit(
                f"{SOURCE}/features/keys.py",
                '[("StringEquals", "kms:ViaService", _via(ctx, protected.service, where))]',
                "[]",
            ),
        ),
        ("tests/features/test_keys.py::test_key_of_a_secret_of_the_template_is_used_for_that_secret_alone",),
        r"kms:EncryptionContext:SecretARN",
    ),
    Mutant(
        "partial-arn",
        "a secret's ARN without its six random characters is read as the complete one",
        (
            Edit(
                f"{SOURCE}/services/secretsmanager.py",
                "return (self.arn,) if self.exact else",
                "return (self.arn,) if True else",
            ),
        ),
        ("tests/features/test_secrets.py::test_arn_that_may_be_a_part_is_granted_with_and_without_its_suffix",),
        r"secret:db-\?{6}",
    ),
    Mutant(
        "secret-wildcard",
        "a name covers every secret whose name begins with it",
        (
            Edit(f"{SOURCE}/services/secretsmanager.py", 'f"{self.arn}-{6 * ONE}"', 'f"{self.arn}-{MANY}"'),
            Edit(
                f"{SOURCE}/services/secretsmanager.py",
                "class Secret(NamedTuple):",
                "from ecs_exec_role.template.symbols import MANY\n\n\nclass Secret(NamedTuple):",
            ),
        ),
        ("tests/features/test_secrets.py::test_arn_that_may_be_a_part_is_granted_with_and_without_its_suffix",),
        r"secret:db-\*",
    ),
    Mutant(
        "parameter-slash",
        "the slash of a parameter's name is in the ARN twice",
        (Edit(f"{SOURCE}/services/ssm.py", 'bare = name.lstrip("/")', "bare = name"),),
        ("tests/features/test_parameters.py::test_value_that_is_not_an_arn_names_a_parameter_here",),
        r"parameter//a/b",
    ),
    Mutant(
        "log-streams",
        "a log group is granted without its streams",
        (Edit(f"{SOURCE}/services/logs.py", 'else f"{arn}:{MANY}"', "else arn"),),
        ("tests/features/test_logs.py::test_region_of_the_driver_is_the_groups",),
        r"log-group:/ecs/web'\)",
    ),
    Mutant(
        "another-action",
        "a pull may list the images of a repository",
        (
            Edit(
                f"{SOURCE}/features/images.py",
                '("ecr:BatchCheckLayerAvailability", ',
                '("ecr:ListImages", "ecr:BatchCheckLayerAvailability", ',
            ),
        ),
        ("tests/features/test_images.py::test_private_image_is_pulled_from_the_repository_that_its_host_names",),
        r"ecr:ListImages",
    ),
    Mutant(
        "wildcard-in-a-key",
        "an asterisk in the name of an S3 object is a wildcard",
        (Edit(f"{SOURCE}/services/s3.py", 'key = escape(match["key"])', 'key = match["key"]'),),
        ("tests/features/test_environment_files.py::test_wildcards_in_an_objects_key_mean_themselves",),
        r"`arn:aws:s3:::config/a\*b` contains a wildcard",
    ),
    Mutant(
        "condition-of-a-key",
        "a key is granted without the condition of the rule that names it",
        (
            Edit(
                f"{SOURCE}/features/keys.py",
                "there = place.given(of_bucket.path_condition)",
                "there = place",
            ),
        ),
        ("tests/features/test_keys.py::test_default_key_of_the_bucket_follows_the_condition_of_its_encryption",),
        r"assert \{\('kms:Decryp",
    ),
    Mutant(
        "encryption-context",
        "a key decrypts anything of its service, not only what the task reads",
        (
            Edit(
                f"{SOURCE}/features/keys.py",
                'context = (operator, f"kms:EncryptionContext:{protected.context}", value)',
                "context = None",
            ),
        ),
        ("tests/features/test_keys.py::test_key_of_a_secret_of_the_template_is_used_for_that_secret_alone",),
        r"kms:EncryptionContext:SecretARN",
    ),
    Mutant(
        "circular-dependency",
        "a statement that refers to what depends on the role stays in the role",
        (
            Edit(
                f"{SOURCE}/roles/cycles.py",
                "(later if circular else inside).append(statement)",
                "inside.append(statement)",
            ),
        ),
        ("tests/roles/test_cycles.py::test_policy_that_would_create_a_cycle_is_beside_the_role",),
        r"KeyError|assert ",
    ),
    Mutant(
        "forced-boundary",
        "the permissions boundary of the guardrails is on no role",
        (
            Edit(
                f"{SOURCE}/guardrails/properties.py",
                'properties["PermissionsBoundary"] = _boundary(subject)',
                "_boundary(subject)",
            ),
        ),
        ("tests/guardrails/test_role_properties.py::test_boundary_is_set_on_every_role",),
        r"PermissionsBoundary",
    ),
    Mutant(
        "another-boundary",
        "an author may write another permissions boundary than that of the guardrails",
        (
            Edit(
                f"{SOURCE}/guardrails/properties.py",
                "if reader.known(text.text) != reader.known(required.text):",
                "if False:",
            ),
        ),
        ("tests/guardrails/test_role_properties.py::test_another_boundary_is_a_violation",),
        r"DID NOT RAISE.*TemplateError",
    ),
)


class Result(NamedTuple):
    """The result of a fault: the tests that failed, or what is wrong with the attempt."""

    mutant: Mutant
    caught: Sequence[str]
    problem: str
    seconds: float


class Run(NamedTuple):
    """A run of tests: pytest's exit code, what failed, and all that was printed."""

    code: int
    failed: Sequence[str]
    output: str


PASSED, FAILED = 0, 1


def copied(folder: Path) -> Path:
    """A copy of the tree: the files that git tracks, and the new ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    tree = folder / "tree"
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    evaluator = ROOT / EVALUATOR
    if evaluator.is_dir():
        shutil.copytree(evaluator, tree / EVALUATOR, symlinks=True)
    return tree


def tested(tree: Path, tests: Iterable[str]) -> Run:
    """Runs tests in a tree. End-to-end ones start their own MiniStack and ignore the endpoint of the environment."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "E2E_", "ECS_EXEC_ROLE_"))
    }
    environment |= {
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "E2E_MINISTACK_PYTHON": str(ROOT / ".venv-ministack" / "bin" / "python"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "e2e or not e2e", *tests]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired as error:
        return Run(-1, (), f"has not ended after {SECONDS} seconds\n{error.stdout!r}")
    output = done.stdout + done.stderr
    return Run(done.returncode, re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE), output)


def tried(mutant: Mutant, others: Sequence[str] = ()) -> Result:
    """Puts a fault into a copy and runs its tests there, or others in their place."""
    start = time.monotonic()

    def result(caught: Sequence[str] = (), problem: str = "") -> Result:
        return Result(mutant, caught, problem, time.monotonic() - start)

    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = copied(Path(folder))
        try:
            mutant.apply(tree)
        except Stale as stale:
            return result(problem=f"does not apply: {stale}")
        run = tested(tree, others or mutant.tests)
    if run.code == PASSED:
        return result(problem=f"SURVIVED {' '.join(others or mutant.tests)}")
    if run.code != FAILED or not run.failed:
        return result(problem=f"the tests could not be run (pytest ended with {run.code}):\n{run.output[-3000:]}")
    if not others and not re.search(mutant.says, run.output):
        return result(problem=f"failed, but nothing says {mutant.says!r}:\n{run.output[-3000:]}")
    return result(caught=run.failed)


def unbroken(tests: Iterable[str]) -> str:
    """What is wrong with the tests themselves: they must pass where nothing is broken."""
    groups: dict[bool, dict[str, None]] = {}
    for test in tests:
        # Each in a run of its own, as with a fault: end-to-end tests change the environment of the whole run.
        groups.setdefault(test.startswith(END_TO_END), {})[test] = None
    with tempfile.TemporaryDirectory(prefix="mutant-none-") as folder:
        tree = copied(Path(folder))
        runs = [tested(tree, group) for group in groups.values()]
    return "".join(f"Without any fault the tests fail:\n{run.output[-5000:]}" for run in runs if run.code != PASSED)


def stale() -> list[str]:
    """The faults that cannot be put into the code as it is now, and why."""
    found: list[str] = []
    for mutant in MUTANTS:
        for edit in mutant.edits:
            try:
                edit.on((ROOT / edit.path).read_text(encoding="utf-8"))
            except (Stale, FileNotFoundError) as error:
                found.append(f"{mutant.name}: {error}")
    return found


def main() -> int:
    """Runs what the command line says; 0 if every fault is caught."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults to try; every one without it")
    parser.add_argument("--list", action="store_true", help="show the faults and the tests that must notice them")
    parser.add_argument(
        "--tests",
        nargs="+",
        default=(),
        metavar="TEST",
        help="run these tests instead of those named beside each fault",
    )
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"how many at the same time ({JOBS})")
    given = parser.parse_args()
    unknown = set(given.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; --list shows them")
    mutants = [mutant for mutant in MUTANTS if not given.names or mutant.name in given.names]
    if given.list:
        for mutant in mutants:
            print(f"{mutant.name:22} {mutant.fault}\n{'':22} {' '.join(mutant.tests)}")
        return 0
    outdated = stale()
    if outdated:
        print("These faults are no longer in the code:", *outdated, sep="\n")
        return 1
    problem = unbroken(given.tests or [test for mutant in mutants for test in mutant.tests])
    if problem:
        print(problem)
        return 1
    survived = 0
    with ThreadPoolExecutor(given.jobs) as pool:
        for result in pool.map(partial(tried, others=given.tests), mutants):
            mark = "caught" if result.caught else "FAILED"
            said = f"by {result.caught[0]}" if result.caught else result.problem
            print(
                f"{mark}  {result.mutant.name:22} {result.seconds:5.0f} s  {result.mutant.fault}\n{'':8}{said}",
                flush=True,
            )
            survived += not result.caught
    print(f"{len(mutants) - survived} of {len(mutants)} faults caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
