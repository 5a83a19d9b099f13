"""Runs the events of both functions through `sam local invoke`, in Lambda's container image, and compares the answers.

`make local-invoke` builds first, then calls this; EVENTS="macro-logs preflight-*" runs only some of them.
The macro's answers must be those of tests/golden/events. The preflight function sends its answer to a responder on this
machine instead of CloudFormation. It cannot reach any API of AWS, so each of its calls fails, and the
answers are those of a check that AWS does not answer.

Prints the number of events with the right answer, and ends with 1 if one answer is wrong.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.golden_files import answer_to

ROOT = Path(__file__).parents[1]
IMAGE = "public.ecr.aws/lambda/python:3.13"
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
LONGEST_ANSWER = 4096
# SAM CLI gives Docker 60 seconds for each request. An engine that copies the image for each container may need more on
# a busy machine, before the function has begun.
MORE_ATTEMPTS = 2
SLOW_ENGINE = re.compile(r"UnixHTTPConnectionPool|ReadTimeout|Read timed out")
ACCOUNT_OF_THE_EVENTS = "123456789012"
# In the ARN that SAM CLI gives a function.
ACCOUNT_OF_SAM_LOCAL = "012345678912"
# The names of the APIs that the sample events lead to; in the container they mean the container itself.
APIS = (
    "api.ecr.us-east-1.amazonaws.com",
    "cloudformation.us-east-1.amazonaws.com",
    "iam.amazonaws.com",
    "kms.us-east-1.amazonaws.com",
    "logs.us-east-1.amazonaws.com",
    "secretsmanager.us-east-1.amazonaws.com",
    "settings.s3.amazonaws.com",
    "settings.s3.us-east-1.amazonaws.com",
    "ssm.us-east-1.amazonaws.com",
)
# The status that CloudFormation must get for each event, and the beginning of the summary.
PREFLIGHT = {
    "preflight-create": ("FAILED", "Nothing could be checked: "),
    "preflight-create-mistakes": ("FAILED", "The preflight's properties cannot be read"),
    "preflight-create-warn": ("SUCCESS", "Nothing could be checked: "),
    "preflight-delete": ("SUCCESS", "A preflight leaves nothing behind"),
    # Whether the update is rolled back is not known either, and so it does not fail.
    "preflight-update": ("SUCCESS", "Nothing could be checked: "),
    "preflight-update-unchanged": ("SUCCESS", "Nothing could be checked: "),
}


class Outcome(NamedTuple):
    """The result of one event: what is wrong with its answer, empty if nothing is."""

    event: str
    fault: str
    seconds: float


class Invoker:
    """Calls functions with events. `flags` are those of `sam local invoke`, `responder` is what takes answers."""

    def __init__(self, flags: list[str], responder: Responder) -> None:
        self._flags, self._responder = flags, responder

    def invoke(self, path: Path) -> Outcome:
        """One event, through the function that it is for."""
        start = time.monotonic()
        fault = self._preflight(path) if path.stem in PREFLIGHT else self._macro(path)
        return Outcome(path.stem, fault, time.monotonic() - start)

    def _run(self, function: str, event: Path, *more: str) -> subprocess.CompletedProcess[str]:
        command = ["sam", "local", "invoke", function, "--event", str(event), *self._flags, *more]
        call = partial(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False)
        done = call()
        for _ in range(MORE_ATTEMPTS):
            if not done.returncode or not SLOW_ENGINE.search(done.stderr):
                break
            print(f"       Docker did not answer in time; calling {function} again with {event.name}", flush=True)
            done = call()
        return done

    def _macro(self, path: Path) -> str:
        done = self._run("MacroFunction", path)
        if done.returncode:
            return (done.stderr or done.stdout).strip()
        try:
            # The function's log goes to standard error, its answer alone to standard output.
            answer = json.loads(done.stdout)
        except ValueError:
            return f"the answer is not JSON: {done.stdout[:500]}\n{done.stderr[-2000:]}"
        name = path.stem.removeprefix("macro-")
        return "" if answer == answer_to(name) else f"differs from tests/golden/events/{name}.json"

    def _preflight(self, path: Path) -> str:
        event = json.loads(path.read_text(encoding="utf-8"))
        event["ResponseURL"] = f"{self._responder.origin}/{path.stem}?signature=not-to-be-logged"
        properties = event["ResourceProperties"]
        # The function checks roles of its own account only.
        properties["RoleArn"] = properties["RoleArn"].replace(ACCOUNT_OF_THE_EVENTS, ACCOUNT_OF_SAM_LOCAL)
        variables = {
            "PREFLIGHT_RESPONSE_ORIGINS": self._responder.origin,
            "POWERTOOLS_SERVICE_NAME": "ecs-exec-role-preflight",
        }
        with tempfile.TemporaryDirectory() as folder:
            events, environment = Path(folder) / "event.json", Path(folder) / "environment.json"
            events.write_text(json.dumps(event), encoding="utf-8")
            environment.write_text(json.dumps({"PreflightFunction": variables}), encoding="utf-8")
            nowhere = [flag for api in APIS for flag in ("--add-host", f"{api}:127.0.0.1")]
            done = self._run("PreflightFunction", events, "--env-vars", str(environment), *nowhere)
        log = done.stdout + done.stderr
        answers = self._responder.answers.get(path.stem, [])
        if done.returncode or len(answers) != 1:
            return f"{len(answers)} answers came instead of one\n{log[-3000:]}"
        if "not-to-be-logged" in log:
            return "the log contains the response URL"
        return _fault(event, answers[0], *PREFLIGHT[path.stem])


def _fault(event: dict[str, Any], body: bytes, status: str, summary: str) -> str:
    """What is wrong with one answer of the preflight function."""
    if len(body) > LONGEST_ANSWER:
        return f"the answer has {len(body)} bytes; CloudFormation takes {LONGEST_ANSWER}"
    answer = json.loads(body)
    wrong = [key for key in ("StackId", "RequestId", "LogicalResourceId") if answer.get(key) != event[key]]
    if event.get("PhysicalResourceId", answer["PhysicalResourceId"]) != answer["PhysicalResourceId"]:
        wrong.append("PhysicalResourceId")
    if wrong:
        return f"the answer has another {', '.join(wrong)}: {answer}"
    if answer["Status"] != status or not answer["Data"]["Summary"].startswith(summary):
        return f"{status} and '{summary}…' were expected: {answer}"
    return ""


class Responder:
    """What takes the answers for CloudFormation; `answers` has the bodies by the event's name."""

    def __init__(self, server: ThreadingHTTPServer, host: str, answers: dict[str, list[bytes]]) -> None:
        self.origin = f"http://{host}:{server.server_port}"
        self.answers = answers


@contextmanager
def responder() -> Iterator[Responder]:
    """A responder that containers can reach."""
    answers: dict[str, list[bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            """Takes one answer."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers.setdefault(self.path.lstrip("/").partition("?")[0], []).append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The lines of the events are enough."""

    host = gateway()
    # Docker Desktop gives containers a name for the machine; elsewhere only the bridge is open to them.
    server = ThreadingHTTPServer((host if host[0].isdigit() else "127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Responder(server, host, answers)
    finally:
        server.shutdown()
        server.server_close()


def gateway() -> str:
    """The host under which a container reaches this machine."""
    if platform.system() != "Linux":
        return "host.docker.internal"
    command = ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() or "172.17.0.1"


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
        print("Docker does not answer. Start it, or set DOCKER_HOST to where it is.", file=sys.stderr)
        return 1
    # The functions must find neither the user's credentials nor AWS.
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    events = chosen(os.environ.get("EVENTS", "*").split())
    if not events:
        print(f"No event in events/ has the name {os.environ.get('EVENTS')}.", file=sys.stderr)
        return 1
    failed = 0
    with responder() as there, ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        invoker = Invoker(invoke_flags(), there)
        # The first call alone builds the image that all the others run in.
        first = invoker.invoke(events[0])
        for outcome in chain([first], pool.map(invoker.invoke, events[1:])):
            failed += bool(outcome.fault)
            print(f"{'FAILED' if outcome.fault else 'ok':6} {outcome.seconds:5.1f} s  {outcome.event}", flush=True)
            if outcome.fault:
                print(outcome.fault, flush=True)
    print(f"{len(events) - failed} passed, {failed} failed")
    return 1 if failed else 0


def chosen(names: list[str]) -> list[Path]:
    """The events that some names or patterns mean, each once; the macro's names may leave `macro-` out."""
    found = [
        path
        for name in names
        for pattern in (f"{name}.json", f"macro-{name}.json")
        for path in sorted((ROOT / "events").glob(pattern))
    ]
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    sys.exit(main())
