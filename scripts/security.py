"""Runs static analysis on what this project deploys: `make security`.

Checkov reads template.yaml, the install template that a release makes of it, install/*.yaml, and every example as it
comes out of the macro. The reason for each exception is beside it: in a resource's `Metadata.checkov`, and in
scripts/checkov-examples.yaml. zizmor reads the workflows. Neither uses the network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.release import install_text

from ecs_exec_role import __version__

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".venv-security" / "bin"


def checkov(title: str, *arguments: str) -> int:
    """One run of checkov, which prints its findings; its exit code."""
    print(f"\n== checkov: {title}", flush=True)
    command = [str(TOOLS / "checkov"), "--skip-download", "--compact", "--quiet", *arguments]
    # Without this, checkov would report the run to its maker.
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "BC_SKIP_MAPPING": "TRUE"}, check=False).returncode


def expand_examples(folder: Path) -> int:
    """Writes every example as the macro expands it into `folder`; how many there are."""
    examples = sorted((ROOT / "examples").glob("*.yaml"))
    for example in examples:
        command = [sys.executable, "-m", "ecs_exec_role", "expand", str(example)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        (folder / example.name).write_text(done.stdout, encoding="utf-8")
    return len(examples)


def main() -> int:
    """Run everything; 1 where anything was found."""
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        expanded = folder / "examples"
        expanded.mkdir()
        count = expand_examples(expanded)
        install = folder / f"{__version__}.yaml"
        install.write_text(install_text(__version__), encoding="utf-8")
        for title, arguments in (
            ("template.yaml", ["--framework", "cloudformation", "--file", "template.yaml"]),
            ("the install template", ["--framework", "cloudformation", "--file", str(install)]),
            ("install/", ["--framework", "cloudformation", "--directory", "install"]),
            (
                f"{count} examples, expanded",
                ["--config-file", "scripts/checkov-examples.yaml", "--directory", str(expanded)],
            ),
        ):
            if checkov(title, *arguments):
                failed.append(title)
    print("\n== zizmor: .github/workflows", flush=True)
    if subprocess.run([str(TOOLS / "zizmor"), "--offline", ".github/workflows"], cwd=ROOT, check=False).returncode:
        failed.append("the workflows")
    print(f"\nFindings in {', '.join(failed)}" if failed else "\nNothing was found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
