"""Runs every macro event through `sam local invoke`, in Lambda's container image, and compares the answers.

`make local-invoke` builds first, then calls this; `make local-invoke` with EVENTS="logs secrets" runs only those two.
Ends with the number of events that were answered as tests/golden/events says, and with 1 if one was not.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "events"
IMAGE = "public.ecr.aws/lambda/python:3.13"
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class Outcome(NamedTuple):
    """How one event went: what is wrong with its answer, empty when nothing is."""

    event: str
    fault: str
    seconds: float


def invoke(path: Path, flags: list[str]) -> Outcome:
    """One `sam local invoke` of the macro's function, its answer held against the golden file."""
    name = path.stem.removeprefix("macro-")
    start = time.monotonic()
    command = ["sam", "local", "invoke", "MacroFunction", "--event", str(path), *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    if done.returncode:
        return Outcome(name, (done.stderr or done.stdout).strip(), seconds)
    try:
        # The function's log goes to standard error, its answer alone to standard output.
        answer = json.loads(done.stdout)
    except ValueError:
        return Outcome(name, f"the answer is not JSON: {done.stdout[:500]}\n{done.stderr[-2000:]}", seconds)
    expected = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return Outcome(name, "" if answer == expected else f"differs from tests/golden/events/{name}.json", seconds)


def invoke_flags() -> list[str]:
    """The processor of this machine, and no download of an image that is here already."""
    architecture = ARCHITECTURES[platform.machine().lower()]
    flags = ["--parameter-overrides", f"Architecture={architecture}"]
    image = subprocess.run(["docker", "image", "inspect", f"{IMAGE}-{architecture}"], capture_output=True, check=False)
    return flags if image.returncode else [*flags, "--skip-pull-image"]


def main() -> int:
    """Invoke, print a line for each event and the sum."""
    missing = [name for name in ("sam", "docker") if shutil.which(name) is None]
    if missing:
        print(f"{' and '.join(missing)} is not on the PATH; make local-invoke brings SAM CLI.", file=sys.stderr)
        return 1
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        print("No Docker answers. Start it, or say where it is with DOCKER_HOST.", file=sys.stderr)
        return 1
    wanted = os.environ.get("EVENTS", "*").split()
    events = [path for name in wanted for path in sorted((ROOT / "events").glob(f"macro-{name}.json"))]
    if not events:
        print(f"No event in events/ is called {' or '.join(wanted)}.", file=sys.stderr)
        return 1
    flags = invoke_flags()
    failed = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        # The first call alone builds the image that all the others run in.
        first = invoke(events[0], flags)
        for outcome in (first, *pool.map(lambda path: invoke(path, flags), events[1:])):
            failed += bool(outcome.fault)
            print(f"{'FAILED' if outcome.fault else 'ok':6} {outcome.seconds:5.1f} s  {outcome.event}", flush=True)
            if outcome.fault:
                print(outcome.fault, flush=True)
    print(f"{len(events) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
