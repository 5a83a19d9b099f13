"""The GitHub action of action.yml: installs cfn-lint, runs it, and shows each finding at its line.

It only uses the standard library, since it runs before anything is installed, and works on each of GitHub's runners.
Inputs come as environment variables. What it installs is locked with hashes in requirements/lint.txt; the rules are
those of the commit that the workflow names, so that nothing of this project is built.

Names of files and the output of cfn-lint are text of the pull request. A runner reads workflow commands from the log,
so no such text may begin one.

See https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import secrets
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "lint.txt"

COMMANDS = {"Error": "error", "Warning": "warning", "Informational": "notice"}
"""cfn-lint's levels, and the workflow command that shows each."""

SUMMARY = {"Error": "errors", "Warning": "warnings", "Informational": "notices"}

LONGEST = 20_000
"""Characters of file names in one call of cfn-lint. A command of Windows has at most 32,767 characters."""

CODE = """\
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("ecs_exec_role.lint", run_name="__main__", alter_sys=True)
"""
AUDIT_CODE = CODE.replace("ecs_exec_role.lint", "ecs_exec_role")

AUDIT_COMMANDS = {"lacking": "error", "excess": "warning", "too-wide": "warning", "unknown": "notice"}
"""The kinds of what an audit finds, and the workflow command that shows each."""


class Fault(Exception):
    """Why the action cannot lint; the message is for the user of the action."""


class Inputs(NamedTuple):
    """The inputs of action.yml."""

    templates: str
    arguments: str
    fail_on_warnings: bool
    audit: bool = False
    audit_fail_on: str = ""
    audit_sarif: str = ""


# -- what the runner reads --------------------------------------------------------------------------------------------


def escape_data(text: str) -> str:
    """The message of a workflow command. The runner replaces `%25`, `%0D` and `%0A` when it reads it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """The value of a property of a workflow command."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def command(name: str, message: str, **properties: str | int) -> str:
    """A line that the runner reads as a command."""
    written = ",".join(f"{key}={escape_property(str(value))}" for key, value in properties.items())
    return f"::{name}{' ' if written else ''}{written}::{escape_data(message)}"


def inert(text: str) -> Iterator[str]:
    """Lines that the runner shows unchanged: it reads no command until the token, which cannot be guessed."""
    if text.strip():
        token = secrets.token_hex(16)
        yield f"::stop-commands::{token}"
        yield from text.splitlines()
        yield f"::{token}::"


# -- what is linted ---------------------------------------------------------------------------------------------------


def words(text: str, name: str) -> list[str]:
    """The words of an input. Quotes hold a word together; a backslash is an ordinary character, as in Windows' paths.

    Raises:
        Fault: a quote is not closed.
    """
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.escape = ""
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        raise Fault(f"The input {name} has a quote that is not closed; close it") from None


def templates(patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files that the patterns match, each once, and the patterns that match none."""
    found: dict[str, None] = {}
    empty = []
    for pattern in patterns:
        # Not Path.glob, which refuses absolute patterns.
        names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        files = [name for name in names if Path(name).is_file()]
        found.update(dict.fromkeys(files))
        if not files:
            empty.append(pattern)
    return list(found), empty


def parts(files: Iterable[str]) -> Iterator[list[str]]:
    """The files in groups that fit on a command line."""
    part: list[str] = []
    for name in files:
        if part and sum(map(len, part)) + len(name) > LONGEST:
            yield part
            part = []
        part.append(name)
    if part:
        yield part


# -- what is installed ------------------------------------------------------------------------------------------------


def python_of(folder: Path, platform: str = sys.platform) -> Path:
    """The Python of a virtual environment."""
    return folder / "Scripts" / "python.exe" if platform == "win32" else folder / "bin" / "python"


def install_commands(folder: Path, platform: str = sys.platform) -> list[list[str]]:
    """The commands that make the virtual environment.

    `-I` keeps the folder in which they run out of Python's path: it is a checkout that may have a file venv.py.
    """
    pip = [str(python_of(folder, platform)), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    return [
        [sys.executable, "-I", "-m", "venv", "--clear", str(folder)],
        [
            *pip,
            "install",
            "--quiet",
            "--require-hashes",
            "--no-deps",
            "--only-binary=:all:",
            "--requirement",
            str(LOCK),
        ],
    ]


def environment_folder(temporary: Path) -> Path:
    """Where the virtual environment goes: another name for each Python and lock."""
    about = f"{sys.version}\n{sys.executable}\n".encode() + LOCK.read_bytes()
    return temporary / f"ecs-exec-role-{hashlib.sha256(about).hexdigest()[:16]}"


def install(temporary: Path) -> Path:
    """Makes the virtual environment, if no step before has made it, and returns its Python.

    Raises:
        Fault: it cannot be made.
    """
    folder = environment_folder(temporary)
    ready = folder / ".ready"
    if not ready.is_file():
        for one in install_commands(folder):
            done = subprocess.run(one, capture_output=True, text=True, errors="replace", check=False)
            if done.returncode:
                show(inert(done.stdout + done.stderr))
                raise Fault("cfn-lint could not be installed; the lines above say why")
        ready.touch()
    return python_of(folder)


# -- the run ----------------------------------------------------------------------------------------------------------


def show(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Writes lines to the log."""
    stream = stream or sys.stdout
    for line in lines:
        stream.write(line + "\n")
    stream.flush()


def run(python: Path, files: Sequence[str], inputs: Inputs) -> tuple[int, list[dict[str, Any]]]:
    """cfn-lint's exit code and its findings on some files.

    Raises:
        Fault: cfn-lint wrote no report, as for arguments that it does not know.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        arguments = [
            *words(inputs.arguments, "arguments"),
            *(() if inputs.fail_on_warnings else ("--non-zero-exit-code", "error")),
            *("--format", "json", "--output-file", str(report)),
        ]
        done = subprocess.run(
            # cfn-lint expands patterns itself, so the characters of a pattern in a file's name are quoted.
            [
                str(python),
                "-I",
                "-X",
                "utf8",
                "-c",
                CODE,
                str(ROOT / "src"),
                *arguments,
                "--",
                *map(glob.escape, files),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            check=False,
        )
        show(inert(done.stdout + done.stderr))
        if not report.is_file():
            raise Fault(
                f"cfn-lint ended with {done.returncode} and wrote no report; the lines above say why. "
                "Check the input arguments and the project's .cfnlintrc"
            )
        return done.returncode, json.loads(report.read_text(encoding="utf-8"))


def audit(python: Path, files: Sequence[str], inputs: Inputs) -> tuple[int, list[dict[str, Any]]]:
    """Whether the audit of some files fails the step (1), and its findings, each with its template.

    Raises:
        Fault: the audit could not run, for example for a kind of finding that does not exist.
    """
    fail_on = [part for kind in words(inputs.audit_fail_on, "audit-fail-on") for part in ("--fail-on", kind)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "audit.json"
        code = _audit(python, ["--format", "json", "--output", str(report), *fail_on, "--", *files])
        if inputs.audit_sarif:
            _audit(python, ["--format", "sarif", "--output", inputs.audit_sarif, "--", *files])
        if not report.is_file():
            return code, []
        roles = json.loads(report.read_text(encoding="utf-8"))
    return code, [{**finding, "template": role["template"]} for role in roles for finding in role["findings"]]


def _audit(python: Path, arguments: Sequence[str]) -> int:
    done = subprocess.run(
        [str(python), "-I", "-X", "utf8", "-c", AUDIT_CODE, str(ROOT / "src"), "audit", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        check=False,
    )
    show(inert(done.stdout + done.stderr))
    if done.returncode not in (0, 1):
        raise Fault(f"The audit ended with {done.returncode}; the lines above say why")
    return done.returncode


def audit_annotation(finding: Mapping[str, Any]) -> str:
    """A finding of the audit as the command that shows it at its line."""
    return command(
        AUDIT_COMMANDS[finding["kind"]],
        f"{finding['what']}; {finding['fix']}",
        file=_posix(finding["template"]),
        line=finding["line"],
        col=finding["column"],
        title=finding["code"],
    )


def plain_audit(finding: Mapping[str, Any]) -> str:
    """A finding of the audit as a line of the log."""
    place = f"{_posix(finding['template'])}:{finding['line']}:{finding['column']}"
    return f"{place}: {finding['code']} {finding['what']}; {finding['fix']}"


def annotation(finding: Mapping[str, Any]) -> str:
    """A finding as the command that shows it at its line."""
    start = finding["Location"]["Start"]
    return command(
        COMMANDS[finding["Level"]],
        finding["Message"],
        file=_posix(finding["Filename"]),
        line=start["LineNumber"],
        col=start["ColumnNumber"],
        title=finding["Rule"]["Id"],
    )


def plain(finding: Mapping[str, Any]) -> str:
    """A finding as a line of the log, which shows neither file nor line of an annotation."""
    start = finding["Location"]["Start"]
    place = f"{_posix(finding['Filename'])}:{start['LineNumber']}:{start['ColumnNumber']}"
    return f"{place}: {finding['Rule']['Id']} {finding['Message']}"


def _posix(name: str) -> str:
    """A file's name as GitHub writes it, with slashes on every runner."""
    return name.replace(os.sep, "/")


def lint(inputs: Inputs, temporary: Path) -> int:
    """Lints, and returns the action's exit code: that of cfn-lint.

    Raises:
        Fault: nothing could be linted.
    """
    patterns = words(inputs.templates, "templates")
    files, empty = templates(patterns)
    if not files:
        raise Fault(
            f"No file matches {' '.join(patterns) or 'the empty input'}; name your templates with the input templates"
        )
    show(command("warning", f"No file matches {pattern}; correct the input templates") for pattern in empty)
    python = install(temporary)
    code, findings = 0, []
    for part in parts(files):
        ended, found = run(python, part, inputs)
        code |= ended
        findings.extend(found)
    show(inert("\n".join(map(plain, findings))))
    show(map(annotation, findings))
    counts = {level: sum(finding["Level"] == level for finding in findings) for level in COMMANDS}
    told = ", ".join(f"{name} {counts[level]}" for level, name in SUMMARY.items())
    show([f"Templates: {len(files)}. Findings: {told}."])
    if inputs.audit:
        # Roles that one template exports and another imports are judged together, so the files are not taken in parts.
        failed, found = audit(python, files, inputs)
        code |= failed
        show(inert("\n".join(map(plain_audit, found))))
        show(map(audit_annotation, found))
        show([f"Audit: findings {len(found)}."])
    return code


def inputs_from(environment: Mapping[str, str]) -> Inputs:
    """The inputs as action.yml passes them on.

    Raises:
        Fault: one has a value that is not allowed.
    """
    fail = environment.get("FAIL_ON_WARNINGS", "").strip().lower()
    if fail not in ("true", "false"):
        raise Fault(f"The input fail-on-warnings is true or false, not {fail or 'empty'}; write one of these")
    audit = environment.get("AUDIT", "false").strip().lower()
    if audit not in ("true", "false"):
        raise Fault(f"The input audit is true or false, not {audit or 'empty'}; write one of these")
    return Inputs(
        environment.get("TEMPLATES", ""),
        environment.get("ARGUMENTS", ""),
        fail == "true",
        audit == "true",
        environment.get("AUDIT_FAIL_ON", ""),
        environment.get("AUDIT_SARIF", ""),
    )


def main() -> int:
    """The whole action."""
    # Names of files can hold what an encoding cannot write, and a Windows console's own encoding writes little.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        return lint(inputs_from(os.environ), Path(os.environ.get("RUNNER_TEMP") or tempfile.gettempdir()))
    except Fault as fault:
        show([command("error", str(fault))])
        return 1


if __name__ == "__main__":
    sys.exit(main())
